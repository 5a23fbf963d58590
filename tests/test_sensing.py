"""The sensor chain: rate, noise, bias, quantization, latency, range and history, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engine_checks import assert_same

from shopfloor.envs.sensing import PRIVILEGED, Channel, SensorSuite
from shopfloor.envs.sensing.sensors import NOISE_BLOCK
from shopfloor.errors import ShopfloorError

HZ = 100.0


class Bench:
    """A suite over scripted true values, driven as the engine drives it."""

    def __init__(self, *channels: Channel, n: int = 1, seed: int = 0, truth: Any = None):
        self.n = n
        self.truth = truth or (lambda channel, step: np.full((n, channel.size), 0.0))
        self.step_count = np.zeros(n, dtype=np.int64)
        self.seeds = np.arange(seed, seed + n, dtype=np.int64)
        self.episodes = np.zeros(n, dtype=np.int64)
        self.suite = SensorSuite(
            channels, [lambda c=c: self.truth(c, self.step_count) for c in channels], n, control_hz=HZ
        )
        self.reset()

    def reset(self, rows: Any = None) -> None:
        rows = np.arange(self.n) if rows is None else np.asarray(rows)
        self.step_count[rows] = 0
        self.suite.reset(rows, self.seeds[rows], self.episodes[rows])

    def step(self) -> np.ndarray:
        self.step_count += 1
        self.suite.update(slice(None), self.seeds, self.episodes, self.step_count)
        return self.suite.readings.copy()

    def record(self, steps: int) -> np.ndarray:
        """Readings (steps + 1, n, size), the first of them after the reset."""
        return np.stack([self.suite.readings.copy(), *(self.step() for _ in range(steps))])


def clock(channel: Channel, step: np.ndarray) -> np.ndarray:
    return np.repeat(step[:, None].astype(float), channel.size, axis=1)


def channel(**kwargs: Any) -> Channel:
    return Channel(**{"name": "x", "size": 1, "unit": "m", "low": -1e3, "high": 1e3, **kwargs})


def test_perfect_sensor_reports_the_truth():
    readings = Bench(channel(size=3), truth=clock).record(5)
    assert_same(readings[:, 0, 0], np.arange(6.0))


def test_noise_is_white_and_has_the_declared_standard_deviation():
    noise = Bench(channel(size=4, noise=0.3), n=50).record(199).reshape(200, -1)
    assert abs(noise.std() / 0.3 - 1) < 0.02
    assert abs(noise.mean()) < 4 * 0.3 / np.sqrt(noise.size)
    for lag in (1, 2, NOISE_BLOCK):
        correlation = np.mean(noise[lag:] * noise[:-lag]) / 0.09
        assert abs(correlation) < 0.03, f"lag {lag}"
    between = np.corrcoef(noise.T) - np.eye(noise.shape[1])
    assert np.abs(between).max() < 0.45, "components and rows are independent"


def test_bias_is_drawn_once_an_episode():
    bench = Bench(channel(size=2, bias=0.5), n=400)
    readings = bench.record(70)
    assert (readings == readings[0]).all()
    assert abs(readings[0].std() / 0.5 - 1) < 0.1
    bench.episodes[:] = 1
    bench.reset()
    assert not (bench.suite.readings == readings[0]).any()
    bench.episodes[:] = 0
    bench.reset()
    assert_same(bench.suite.readings, readings[0], "an episode can be repeated")


def test_quantization():
    bench = Bench(channel(quantization=0.25), truth=lambda c, s: 0.3 * s[:, None])
    assert_same(bench.record(4)[:, 0, 0], np.array([0.0, 0.25, 0.5, 1.0, 1.25]))


@pytest.mark.parametrize("latency", [0.01, 0.03, 0.1])
def test_latency_is_the_age_of_the_newest_reading(latency: float):
    delay = round(latency * HZ)
    readings = Bench(channel(latency_s=latency), truth=clock).record(20)[:, 0, 0]
    assert_same(readings, np.maximum(np.arange(21.0) - delay, 0.0))


def test_latencies_of_channels_are_independent():
    readings = Bench(channel(latency_s=0.02), channel(name="y"), channel(name="z", latency_s=0.05), truth=clock).record(
        9
    )[9, 0]
    assert_same(readings, np.array([7.0, 9.0, 4.0]))


def test_slow_sensor_holds_its_sample():
    bench = Bench(channel(rate_hz=25.0, noise=0.1), channel(name="y"), truth=clock)
    readings = bench.record(12)[:, 0]
    assert_same(readings[:, 1], np.arange(13.0))
    held = readings[:, 0]
    assert all(len(set(held[k : k + 4])) == 1 for k in (0, 4, 8)), "the noise is held with the sample"
    assert np.abs(held - np.arange(13) // 4 * 4).max() < 0.6
    assert len(set(held)) == 4


def test_slow_and_late():
    readings = Bench(channel(rate_hz=50.0, latency_s=0.03), truth=clock).record(8)[:, 0, 0]
    assert_same(readings, np.array([0.0, 0, 0, 0, 0, 2, 2, 4, 4]))


def test_range_clips_what_noise_and_rounding_add():
    low, high = [-1.0, 0.0], [1.0, 0.1]
    bench = Bench(channel(size=2, low=low, high=high, noise=5.0, bias=3.0, quantization=0.3), n=20)
    readings = bench.record(50)
    assert (readings >= low).all() and (readings <= high).all()
    vector = bench.suite.vector()
    lower, upper = bench.suite.bounds()
    assert vector.dtype == lower.dtype == np.float32
    assert (vector >= lower).all() and (vector <= upper).all()


def test_history_is_oldest_first_and_starts_filled():
    bench = Bench(channel(history=3, size=2), channel(name="y"), truth=clock)
    assert_same(bench.suite.vector(), np.zeros((1, 7), np.float32))
    for _ in range(5):
        bench.step()
    assert_same(bench.suite.vector(), np.array([[3, 3, 4, 4, 5, 5, 5]], np.float32))
    assert bench.suite.width == 7
    assert bench.suite.bounds()[0].shape == (7,)


ALL = (
    channel(size=2, noise=0.1, bias=0.2, quantization=0.01, latency_s=0.02, history=2),
    channel(name="y", noise=0.5, rate_hz=20.0),
    channel(name="z", size=3),
)


def drift(c: Channel, step: np.ndarray) -> np.ndarray:
    return 0.1 * step[:, None] + np.arange(c.size)


def test_row_does_not_know_its_neighbours():
    many = Bench(*ALL, n=5, seed=10, truth=drift).record(150)
    for row in range(5):
        assert_same(Bench(*ALL, seed=10 + row, truth=drift).record(150)[:, 0], many[:, row])


def test_rows_out_of_step_draw_their_own_noise():
    """A row that was reset in the middle of its neighbours' noise block is as fresh as any."""
    bench = Bench(*ALL, n=3, seed=4, truth=drift)
    bench.record(NOISE_BLOCK - 5)
    bench.reset([1])
    later = bench.record(2 * NOISE_BLOCK)
    alone = Bench(*ALL, seed=5, truth=drift).record(2 * NOISE_BLOCK)
    assert_same(later[:, 1], alone[:, 0])
    undisturbed = Bench(*ALL, n=3, seed=4, truth=drift).record(3 * NOISE_BLOCK - 5)
    for row in (0, 2):
        assert_same(later[:, row], undisturbed[NOISE_BLOCK - 5 :, row])


def test_partial_update_equals_full_update_of_those_rows():
    full, part = (Bench(*ALL, n=4, seed=4, truth=drift) for _ in range(2))
    rows = np.array([0, 3])
    for _ in range(70):
        full.step()
        part.step_count += 1
        part.suite.update(rows, part.seeds[rows], part.episodes[rows], part.step_count[rows])
    assert_same(full.suite.readings[rows], part.suite.readings[rows])
    assert_same(full.suite.vector()[rows], part.suite.vector()[rows])


def test_state_is_complete():
    bench, other = Bench(*ALL, n=3, truth=drift), Bench(*ALL, n=3, seed=50, truth=drift)
    bench.record(30)
    state = bench.suite.get_state()
    after = bench.record(100)
    other.seeds[:], other.step_count[:] = bench.seeds, 30
    other.suite.set_state(state)
    assert_same(other.record(100), after)


def test_groups_have_noise_of_their_own():
    """What a critic sees must not tell the noise of what the policy sees."""
    policy = Bench(channel(noise=1.0, bias=1.0)).record(20)
    privileged = Bench(channel(noise=1.0, bias=1.0, group=PRIVILEGED)).record(20)
    assert not (policy == privileged).any()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"group": "secret"}, "group must be one of"),
        ({"size": 0}, "size and history must be at least 1"),
        ({"history": 0}, "size and history must be at least 1"),
        ({"noise": -1.0}, "finite and not negative"),
        ({"latency_s": -0.1}, "finite and not negative"),
        ({"low": 1.0, "high": 1.0}, "finite low < high"),
        ({"high": np.inf}, "finite low < high"),
        ({"size": 2, "labels": ("a",)}, "1 labels for 2 components"),
        ({"size": 3, "low": [0.0, 1.0], "high": 2.0}, "low must be a number or one for each of 3"),
        ({"scale": 0.0}, "scale must be positive"),
        ({"noise": float("nan")}, "finite and not negative"),
    ],
)
def test_bad_channel(kwargs: dict[str, Any], message: str):
    with pytest.raises(ShopfloorError, match=message):
        channel(**kwargs)


@pytest.mark.parametrize("rate", [30.0, 200.0, 0.0, -50.0])
def test_rate_must_divide_the_control_rate(rate: float):
    with pytest.raises(ShopfloorError, match="must divide the control rate"):
        Bench(channel(rate_hz=rate))


def test_normalization_defaults_to_the_range():
    offset, scale = channel(size=2, low=[0.0, -2.0], high=[4.0, 2.0]).normalization
    assert_same((offset, scale), (np.array([2.0, 0.0]), np.array([2.0, 2.0])))
