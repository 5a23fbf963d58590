"""Errors of readings: noise, bias, gain, drift, loss and latency, each against its closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from engine_checks import assert_same
from randomization_checks import kolmogorov

from shopfloor.envs.randomization import Spec, spec_from
from shopfloor.envs.randomization.sensor_errors import ChannelPlace, SensorErrors
from shopfloor.envs.sensing import Channel, SensorSuite
from shopfloor.errors import ShopfloorError

HZ = 100.0
PLACES = (ChannelPlace("angle", 0, 3), ChannelPlace("speed", 3, 2), ChannelPlace("load", 5, 1))
WIDTH = 6
PHI = np.vectorize(lambda z: 0.5 * math.erfc(-z / math.sqrt(2.0)))


def declared(terms: dict[str, Any]) -> Spec:
    """A spec of sensor effects; `range` need only hold the values that a test writes."""
    ranges = {"gain": [0.5, 1.5], "bias": [-1.0, 1.0], "dropout": [0.0, 0.5], "latency": [0.0, 0.05]}
    full = {}
    for name, entry in terms.items():
        kind = entry.get("effect", f"sensor.{name}").removeprefix("sensor.")
        full[name] = {"effect": f"sensor.{kind}", "target": {"channel": "angle"},
                      "distribution": {"uniform": ranges.get(kind, [0.0, 1.0])}, **entry}  # fmt: skip
    return spec_from({"terms": full})


class Line:
    """Sensor errors of n rows with values in force, read control step by control step."""

    def __init__(self, terms: dict[str, Any], values: dict[str, Any], n: int = 1, seeds: Any = None):
        spec = declared(terms)
        self.errors = SensorErrors(PLACES, spec.terms, n, HZ, 0.05)
        self.n, self.rows = n, np.arange(n)
        self.seeds = np.arange(n) if seeds is None else np.asarray(seeds)
        self.errors.neutral(self.rows)
        for term in spec.terms:
            size = len(self.errors.names_of(term))
            value = np.broadcast_to(np.asarray(values[term.name], dtype=float), (n, size))
            self.errors.write(term, self.rows, value)

    def read(self, truth: Any, episode: int = 0) -> Any:
        """Readings (time, n, width) of true values (time, n, width)."""
        out = []
        for step, value in enumerate(np.asarray(truth, dtype=float)):
            who = (self.rows, self.seeds, np.full(self.n, episode), np.full(self.n, step))
            out.append(self.errors.transmit(self.errors.measure(value.copy(), *who), *who).copy())
        return np.array(out)


def truth(steps: int, n: int = 1) -> Any:
    rng = np.random.default_rng(3)
    return rng.normal(size=(steps, n, WIDTH))


def test_bias_and_gain_are_constant_and_of_each_component():
    line = Line({"gain": {}, "bias": {}}, {"gain": [1.1, 0.9, 1.0], "bias": [0.1, 0.2, -0.3]}, n=2)
    true = truth(20, 2)
    read = line.read(true)
    np.testing.assert_allclose(read[..., :3], true[..., :3] * [1.1, 0.9, 1.0] + [0.1, 0.2, -0.3], rtol=1e-14)
    assert_same(read[..., 3:], true[..., 3:])


def test_names_and_values_belong_to_components():
    terms = {
        "bias": {"target": {"channel": "angle|load"}},
        "noise": {"target": {"channel": "angle|load"}},
        "gain": {"target": {"channel": "angle"}, "shared": True},
    }
    spec = declared(terms)
    errors = SensorErrors(PLACES, spec.terms, 1, HZ, 0.0)
    assert errors.names_of(spec.term("bias")) == ["angle[0]", "angle[1]", "angle[2]", "load"]
    assert errors.names_of(spec.term("noise")) == ["angle", "load"]
    assert errors.names_of(spec.term("gain")) == ["all[0]", "all[1]", "all[2]"]
    read = Line(terms, {"bias": [1, 2, 3, 4], "noise": [0, 0], "gain": 1.0}).read(np.zeros((1, 1, WIDTH)))
    assert_same(read[0, 0], np.array([1.0, 2.0, 3.0, 0.0, 0.0, 4.0]))


def test_noise_is_white_and_of_the_declared_deviation():
    n, steps = 4, 2000
    read = Line({"noise": {}}, {"noise": 0.2}, n).read(np.zeros((steps, n, WIDTH)))
    assert (read[..., 3:] == 0.0).all()
    assert kolmogorov(read[..., :3].ravel() / 0.2, PHI) < 2.0
    series = read[..., :3].reshape(steps, -1)
    for lag in (1, 2, 63, 64, 65):  # numbers are drawn 64 steps at a time
        correlation = (series[lag:] * series[:-lag]).mean() / 0.04
        assert abs(correlation) < 4.5 / math.sqrt(series.size)
    between = np.corrcoef(series.T)[np.triu_indices(3 * n, 1)]
    assert np.abs(between).max() < 4.5 / math.sqrt(steps)


@pytest.mark.parametrize("time_constant_s", [0.05, 0.5])
def test_drift_is_stationary_and_forgets_with_its_time_constant(time_constant_s: float):
    n, steps = 300, 300
    line = Line({"drift": {"options": {"time_constant_s": time_constant_s}}}, {"drift": 0.3}, n)
    read = line.read(np.zeros((steps, n, WIDTH)))[..., :3].reshape(steps, -1)
    for step in (0, 1, 50, 299):  # of the declared deviation from the first reading on
        assert read[step].std() == pytest.approx(0.3, rel=0.1)
        assert kolmogorov(read[step] / 0.3, PHI) < 2.0
    for lag in (1, 5, 50):
        correlation = (read[lag:] * read[:-lag]).mean() / 0.09
        assert correlation == pytest.approx(math.exp(-lag / (HZ * time_constant_s)), abs=0.05)


def test_every_episode_has_a_drift_of_its_own():
    line = Line({"drift": {"options": {"time_constant_s": 0.1}}}, {"drift": 0.3}, 2)
    first, second = (line.read(np.zeros((20, 2, WIDTH)), episode) for episode in (0, 1))
    assert not np.array_equal(first, second)
    assert_same(line.read(np.zeros((20, 2, WIDTH)), 0), first, "and the same whenever it comes again")


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_the_share_of_lost_readings(share: float):
    n, steps = 30, 200
    true = truth(steps, n)
    read = Line({"dropout": {"target": {"channel": "angle|speed"}}}, {"dropout": [share, share / 2]}, n).read(true)
    for part, p in ((slice(0, 3), share), (slice(3, 5), share / 2), (slice(5, 6), 0.0)):
        lost = (read[1:, :, part] != true[1:, :, part]).any(axis=-1)
        assert abs(lost.mean() - p) < 4.5 * math.sqrt(p * (1.0 - p) / lost.size) + 1e-12
        whole = (read[1:, :, part] != true[1:, :, part]).all(axis=-1)
        assert_same(lost, whole, "a channel is lost whole")
        assert_same(read[1:, :, part][lost], read[:-1, :, part][lost], "the reading before stays")
    assert_same(read[0], true[0], "the first reading always arrives")


@pytest.mark.parametrize("latency", [0.0, 0.01, 0.0149, 0.016, 0.05])
def test_late_readings_are_old_readings(latency: float):
    n, steps = 2, 30
    true = truth(steps, n)
    read = Line({"latency": {}}, {"latency": latency}, n).read(true)
    age = round(latency * HZ)
    assert_same(read[age:, :, :3], true[: steps - age, :, :3])
    assert_same(read[:age, :, :3], np.tile(true[0, :, :3], (age, 1, 1)), "nothing jumps at the beginning")
    assert_same(read[..., 3:], true[..., 3:])


def test_a_latency_beyond_the_buffer_is_refused():
    with pytest.raises(ShopfloorError, match="is beyond the longest of its splits, 0"):
        Line({"latency": {}}, {"latency": 0.07})


def test_a_lost_reading_is_lost_before_it_is_late():
    """The line loses a word; the queue behind it delivers what has arrived, in order."""
    true = truth(60, 1)
    lost = Line({"dropout": {}}, {"dropout": 0.4}).read(true)
    both = Line({"dropout": {}, "latency": {}}, {"dropout": 0.4, "latency": 0.03}).read(true)
    assert_same(both[3:, :, :3], lost[:-3, :, :3])


def test_errors_belong_to_seed_and_episode_not_to_rows():
    terms = {"noise": {}, "drift": {"target": {"channel": "speed"}}, "dropout": {"target": {"channel": ".*"}}}
    values = {"noise": 0.1, "drift": 0.2, "dropout": 0.3}
    true = np.tile(truth(150), (1, 3, 1))
    among = Line(terms, values, 3, seeds=[8, 5, 2]).read(true)
    assert_same(among[:, 1:2], Line(terms, values, 1, seeds=[5]).read(true[:, :1]))


def test_neutral_errors_change_no_bit():
    terms = {k: {} for k in ("noise", "bias", "gain", "drift", "dropout", "latency")}
    line = Line(terms, {"noise": 0.1, "bias": 1.0, "gain": 1.2, "drift": 0.2, "dropout": 0.3, "latency": 0.02}, 2)
    true = truth(40, 2)
    line.read(true)
    line.errors.neutral(np.array([1]))
    read = line.read(true, 1)
    assert_same(read[:, 1], true[:, 1])
    assert not np.array_equal(read[:, 0], true[:, 0])
    line.errors.neutral(np.arange(2))
    assert_same(line.read(true, 2), true)


# -- the chain -----------------------------------------------------------------------------------------------------


def suite(terms: dict[str, Any], values: dict[str, Any], **channel: Any) -> tuple[SensorSuite, Any]:
    """One channel with declared properties and errors besides; the second result sets what is true."""
    spec = spec_from({"terms": {k: {"effect": f"sensor.{k}", "target": {"channel": "x"},
                                    "distribution": {"uniform": [0.5, 1.5] if k == "gain" else [0.0, 0.05]}}
                                for k in terms}})  # fmt: skip
    errors = SensorErrors((ChannelPlace("x", 0, 1),), spec.terms, 1, HZ, 0.05)
    errors.neutral(np.arange(1))
    for term in spec.terms:
        errors.write(term, np.arange(1), np.full((1, 1), values[term.name]))
    now = np.zeros((1, 1))
    declared_channel = Channel("x", 1, "m", -10.0, 10.0, scale=1.0, description="position", **channel)
    return SensorSuite((declared_channel,), (lambda: now,), 1, HZ, errors), now


def play(sensors: SensorSuite, now: Any, signal: Any) -> Any:
    zero, out = np.zeros(1, dtype=np.int64), []
    for step, value in enumerate(signal):
        now[...] = value
        if step == 0:
            sensors.reset(np.arange(1), zero, zero)
        else:
            sensors.update(slice(None), zero, zero, np.full(1, step))
        out.append((sensors.readings[0, 0], sensors.vector()[0].copy()))
    return np.array([r for r, _ in out]), np.array([v for _, v in out])


def test_transducer_errors_come_before_quantization():
    sensors, now = suite({"gain": {}, "bias": {}}, {"gain": 1.1, "bias": 0.033}, quantization=0.1)
    signal = np.linspace(-2.0, 2.0, 50)
    read, _ = play(sensors, now, signal)
    np.testing.assert_allclose(read, np.round((signal * 1.1 + 0.033) / 0.1) * 0.1, atol=1e-12)


def test_readings_stay_within_bounds_whatever_the_error():
    sensors, now = suite({"gain": {}}, {"gain": 1.5})
    read, _ = play(sensors, now, np.linspace(-10.0, 10.0, 11))
    assert read.min() == -10.0 and read.max() == 10.0


def test_latency_adds_to_the_declared_one_and_history_is_of_what_arrived():
    sensors, now = suite({"latency": {}}, {"latency": 0.02}, latency_s=0.01, history=3)
    signal = np.arange(1.0, 9.0)
    read, vectors = play(sensors, now, signal)
    assert read.tolist() == [1, 1, 1, 1, 2, 3, 4, 5]
    assert vectors[-1].tolist() == [3, 4, 5]
    assert vectors[0].tolist() == [1, 1, 1]
