"""The command path: delay, loss, resolution, gain, offset and play, each against its closed form."""

from __future__ import annotations

import math
from typing import Any

import mujoco
import numpy as np
import pytest
from engine_checks import Case, assert_same
from randomization_checks import ARM

from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.randomization import spec_from
from shopfloor.envs.randomization.command_path import CommandPath
from shopfloor.errors import ShopfloorError

DT = 0.002
SUBSTEPS = 10
MODEL = mujoco.MjModel.from_xml_string(
    """<mujoco><worldbody><body><joint name="a" axis="0 0 1"/><joint name="b" axis="0 1 0"/><geom size="0.1"/></body>
    </worldbody><actuator><position name="a" joint="a"/><position name="b" joint="b"/></actuator></mujoco>"""
)


class Path:
    """A command path of n rows with effects at given values, driven control step by control step."""

    def __init__(
        self, values: dict[str, Any], n: int = 1, slowest: float = 0.05, start: float = 0.0, shared: bool = True
    ):
        entries = {
            k: {"effect": f"command.{k}", "target": {"actuator": ".*"}, "shared": shared,
                "distribution": {"uniform": [0.5, 0.6] if k == "gain" else [0.0, 0.01]}}
            for k in values
        }  # fmt: skip
        self.terms = spec_from({"terms": entries}).terms
        self.path = CommandPath(MODEL, self.terms, n, DT, slowest)
        self.n, self.step = n, 0
        self.rows = np.arange(n)
        self.path.neutral(self.rows)
        for term in self.terms:
            value = np.asarray(values[term.name], dtype=float)
            self.path.write(term, self.rows, np.broadcast_to(np.atleast_2d(value), (n, self.path.size_of(term))))
        self.path.begin(self.rows, np.full((n, 2), start))

    def send(self, commands: Any, seeds: Any = None) -> Any:
        """Pass commands (time,) or (time, n, 2) on; what arrives, (time, n, 2)."""
        array = np.asarray(commands, dtype=float)
        if array.ndim == 1:
            array = np.broadcast_to(array[:, None, None], (array.size, self.n, 2))
        out = []
        for block in array.reshape(-1, SUBSTEPS, self.n, 2):
            sent = np.ascontiguousarray(np.moveaxis(block, 0, 1))
            before = sent.copy()
            seed = np.arange(self.n) if seeds is None else np.asarray(seeds)
            episodes, steps = np.zeros(self.n, np.int64), np.full(self.n, self.step)
            out.append(np.moveaxis(self.path.pass_on(sent, self.rows, seed, episodes, steps), 1, 0))
            assert_same(sent, before, "what was sent belongs to the sender")
            self.step += 1
        return np.concatenate(out)


TIME = np.arange(200) * DT


@pytest.mark.parametrize("delay", [0.0, 0.0005, DT, 0.0031, 0.01, 0.02, 0.0499, 0.05])
def test_a_ramp_arrives_late_by_exactly_the_delay(delay: float):
    arrived = Path({"delay": delay}, start=0.0).send(3.0 * TIME)[:, 0, 0]
    expected = 3.0 * np.maximum(TIME - delay, 0.0)
    # before the first command the path is filled with the start, so the ramp begins with a step of at most one sample
    settled = delay <= TIME
    np.testing.assert_allclose(arrived[settled], expected[settled], rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(arrived, expected, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("delay", [0.0, 0.0013, 0.02])
def test_a_curve_is_interpolated_between_commands(delay: float):
    signal = np.sin(20.0 * TIME)
    arrived = Path({"delay": delay}).send(signal)[:, 0, 0]
    np.testing.assert_allclose(arrived, np.interp(TIME - delay, TIME, signal, left=0.0), rtol=0.0, atol=1e-12)


def test_whole_steps_are_shifted_to_the_bit():
    signal = np.random.default_rng(0).normal(size=200)
    for steps in (0, 1, 7, 25):
        arrived = Path({"delay": steps * DT}, start=9.0).send(signal)[:, 0, 0]
        assert_same(arrived[steps:], signal[: 200 - steps])
        assert (arrived[:steps] == 9.0).all()


def test_nothing_jumps_at_a_reset():
    """The buffer holds the command of the start, not zeros and not the last episode."""
    path = Path({"delay": 0.03, "dropout": 0.3, "gain": 1.1, "quantization": 0.0, "backlash": 0.01}, start=1.7)
    assert_same(path.send(np.full(60, 1.7)), np.full((60, 1, 2), 1.7))
    path.send(np.linspace(1.7, 5.0, 60))
    path.path.begin(path.rows, np.full((1, 2), -0.4))
    path.step = 0
    assert_same(path.send(np.full(60, -0.4)), np.full((60, 1, 2), -0.4))


def test_rows_and_actuators_have_delays_of_their_own():
    path = Path({"delay": 0.0}, n=3, shared=False)
    delays = np.array([[0.0, 0.01], [0.004, 0.0], [0.0101, 0.05]])
    path.path.write(path.terms[0], path.rows, delays)
    arrived = path.send(TIME)
    np.testing.assert_allclose(arrived, np.maximum(TIME[:, None, None] - delays, 0.0), rtol=0.0, atol=1e-12)


def test_a_delay_beyond_the_buffer_is_refused():
    with pytest.raises(ShopfloorError, match="is beyond the longest of its splits, 0"):
        Path({"delay": 0.06})


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_share_of_lost_commands(share: float):
    n, steps = 40, 50
    signal = np.repeat(np.arange(1.0, steps + 1.0), SUBSTEPS)  # every control step says something new
    arrived = Path({"dropout": share}, n=n, start=0.0).send(signal)[:, :, 0].reshape(steps, SUBSTEPS, n)
    assert (arrived == arrived[:, :1]).all(), "a command is lost whole"
    now = arrived[:, 0]
    lost = now != np.arange(1.0, steps + 1.0)[:, None]
    before = np.concatenate([np.zeros((1, n)), now[:-1]])
    assert_same(now[lost], before[lost], "the drive keeps what it had")
    assert abs(lost.mean() - share) < 4.0 * math.sqrt(share * (1.0 - share) / lost.size) + 1e-12
    if 0.0 < share < 1.0:
        following = (lost[1:] & lost[:-1]).mean()
        assert abs(following - share**2) < 5.0 * math.sqrt(share**2 / lost.size), "losses know nothing of each other"


def test_losses_are_those_of_seed_and_episode():
    signal = np.repeat(np.arange(100.0), SUBSTEPS)
    alone = Path({"dropout": 0.4}, n=1).send(signal, seeds=[5])[:, 0]
    among = Path({"dropout": 0.4}, n=3).send(signal, seeds=[7, 5, 6])
    assert_same(among[:, 1], alone)
    assert not np.array_equal(among[:, 0], alone)


def test_gain_acts_on_the_change_and_offset_on_everything():
    arrived = Path({"gain": 1.25, "offset": 0.1}, start=2.0).send(2.0 + TIME)[:, 0, 0]
    np.testing.assert_allclose(arrived, 2.0 + 1.25 * TIME + 0.1, rtol=1e-14)


def test_quantization_rounds_to_the_nearest_step():
    signal = np.linspace(-1.0, 1.0, 200)
    arrived = Path({"quantization": 0.03}).send(signal)[:, 0, 0]
    np.testing.assert_allclose(arrived / 0.03, np.round(arrived / 0.03), atol=1e-9)
    assert np.abs(arrived - signal).max() <= 0.015 + 1e-12
    assert np.abs(arrived - signal).max() > 0.0145


def test_backlash_is_a_loop_of_the_declared_width():
    width = 0.2
    phase = np.linspace(0.0, 4.0 * np.pi, 800)
    signal = np.sin(phase)
    arrived = Path({"backlash": width}).send(signal)[:, 0, 0]
    rising, falling = np.cos(phase) > 0.0, np.cos(phase) < 0.0
    engaged = np.abs(signal) < 0.7
    second = phase > 2.0 * np.pi
    np.testing.assert_allclose(arrived[rising & engaged & second], signal[rising & engaged & second] - width / 2)
    np.testing.assert_allclose(arrived[falling & engaged & second], signal[falling & engaged & second] + width / 2)
    # what is lost to friction in a real gear: the area of the loop, width times travel, 2 * (2 A - width)
    once = slice(400, 800)
    area = abs(np.trapezoid(arrived[once], signal[once]))
    assert area == pytest.approx(width * (2.0 - width), rel=0.01)
    # within the play nothing moves
    still = Path({"backlash": width}, start=0.0).send(0.5 * width * 0.99 * np.sin(phase))
    assert (still == 0.0).all()


def test_the_chain_is_that_of_a_real_machine():
    """Resolution of the word, loss, transport, then drive and gear: quantized late commands are not quantized again."""
    values = {"quantization": 0.5, "delay": 0.001, "gain": 1.1, "offset": 0.03, "backlash": 0.02}
    signal = 2.0 * np.sin(5.0 * TIME)
    arrived = Path(values).send(signal)[:, 0, 0]
    word = np.round(signal / 0.5) * 0.5
    late = np.interp(TIME - 0.001, TIME, word, left=0.0)
    driven = late * 1.1 + 0.03
    position, expected = 0.0, []
    for value in driven:
        position = min(max(position, value - 0.01), value + 0.01)
        expected.append(position)
    np.testing.assert_allclose(arrived, expected, rtol=0.0, atol=1e-12)


def test_a_neutral_path_changes_no_bit():
    neutral = {"delay": 0.0, "dropout": 0.0, "gain": 1.0, "offset": 0.0, "quantization": 0.0, "backlash": 0.0}
    signal = np.random.default_rng(1).normal(size=(200, 4, 2))
    path = Path(neutral, n=4, start=0.3)
    arrived = path.send(signal)
    assert_same(arrived, signal)


# -- in an environment ---------------------------------------------------------------------------------------------


def arm(terms: dict[str, Any], n: int = 1, **kwargs: Any) -> BatchedCell:
    full = {k: {"target": {"actuator": ".*"}, "shared": True, **v} for k, v in terms.items()}
    return Case(ARM).cell(n, randomization=spec_from({"terms": full}), **kwargs)


LATE = {"late": {"effect": "command.delay", "distribution": {"uniform": [0.0, 0.06]}}}


def test_a_machine_that_is_told_to_stay_stays_whatever_the_delay():
    """The trap: a history of zeros kicks the arm towards zero at every reset."""
    still, late = arm(LATE), arm(LATE)
    still.reset(seeds=np.array([3]), split="nominal")
    late.reset(seeds=np.array([3]), randomization={"late": 0.06}, split="nominal")
    for cell in (still, late):
        start = cell.sim.qpos.copy()
        for _ in range(20):
            cell.step(cell.setpoints(np.zeros((1, len(cell.terms)))))
        cell.moved = np.abs(cell.sim.qpos - start).max()
    assert late.moved <= still.moved + 1e-9


def test_an_arm_follows_late_by_the_delay():
    """Delays of whole control steps shift the commands by so many steps, to the bit."""
    dt = 1.0 / Case(ARM).cell(1).timing.control_hz
    runs = {}
    for steps in (0, 1, 2):
        cell = arm(LATE)
        cell.reset(seeds=np.array([3]), randomization={"late": steps * dt} if steps else None, split="nominal")
        rng, out = np.random.default_rng(0), []
        for _ in range(25):
            cell.step(cell.setpoints(rng.uniform(-1.0, 1.0, (1, len(cell.terms)))))
            out.append(cell.sim.ctrl[0].copy())
        runs[steps] = np.array(out)
    # the action interface builds commands from set-points alone
    np.testing.assert_allclose(runs[1][1:], runs[0][:-1], rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(runs[2][2:], runs[0][:-2], rtol=0.0, atol=1e-12)


def test_forced_delays_beyond_memory_are_refused_before_anything_changes():
    cell = arm(LATE)
    cell.reset(seeds=np.array([3]))
    before = cell.get_state()
    with pytest.raises(ShopfloorError, match="'late' must not be beyond the longest of its splits"):
        cell.reset(randomization={"late": 0.2})
    assert_same(cell.get_state(), before)
