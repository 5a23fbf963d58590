"""Grinding a seam flush: Preston's law, force by the spring, what counts as flush, and what spoils the part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engine_checks import Case
from numpy.typing import NDArray

from shopfloor.assets.cells.polish_cell import RADIUS, SEAM_LENGTH
from shopfloor.assets.tools import compliant_spindle
from shopfloor.envs.arms.polish import CELLS, COVERAGE, GOUGE_MM, TOLERANCE_MM
from shopfloor.envs.arms.polish_removal import FOOTPRINT, RATE_MM3, pass_depth, removal_rate
from shopfloor.envs.engine.core import BatchedCell
from shopfloor.errors import ShopfloorError

POLISH = "shopfloor/ArmPolish-v0"
EXACT = {
    "bead_height": 0.15, "bead_wave": [0.0, 0.0, 0.0], "force_target": 28.0, "removal_error": 0.0, "taught_height": 0.0,
    "taught_offset": 0.0, "taught_pitch": 0.0, "start_height": 8.0,
}  # fmt: skip


def begun(n: int = 1, robot: str = "ur10e", **params: Any) -> BatchedCell:
    cell = Case(POLISH, {"robot": robot}).cell(n)
    cell.reset(seeds=np.arange(n), params={**EXACT, **params})
    return cell


def test_a_disc_takes_off_its_rate_times_its_force():
    """The volume over the whole footprint, and the depth of a straight pass, against numerical integrals."""
    x = np.linspace(-0.012, 0.012, 481)
    grid = x[:, None] ** 2 + x[None, :] ** 2
    force, rate = np.array([25.0]), np.array([1.5])
    shape = removal_rate(grid.reshape(1, -1), force, rate)[0]
    volume = shape.sum() * (x[1] - x[0]) ** 2
    assert 1e9 * volume == pytest.approx(1.5 * 25.0, rel=1e-3)
    line = removal_rate((x**2)[None, :], force, rate)[0].sum() * (x[1] - x[0])
    assert pass_depth(25.0, 0.02, 1.5) == pytest.approx(line / 0.02, rel=1e-3)
    assert removal_rate(np.array([[FOOTPRINT**2]]), force, rate)[0, 0] == 0.0
    assert removal_rate(np.zeros((1, 1)), np.array([-5.0]), rate)[0, 0] == 0.0


def test_an_episode_begins_above_the_taught_seam_normal_to_it():
    cell = begun(taught_height=0.5, taught_offset=-0.4, taught_pitch=0.6, start_height=10.0)
    place, s = cell.s.place[0], cell.s
    assert place[0] == pytest.approx(-0.5 * SEAM_LENGTH - 0.013, abs=1e-6)
    assert place[1:] == pytest.approx([0.0, 0.010], abs=1e-6)
    assert np.abs(s.tool_tilt).max() < 1e-5
    assert s.normal_force[0] == 0.0, "nothing is felt before the first step"
    # the true surface is where it is
    mount = cell.sim.output("site_xpos", "site", "mount")[0]
    shell = cell.sim.output("xpos")[0, cell.sim.id("body", "shell")]
    angle = place[0] / RADIUS
    expected = np.array([(RADIUS + 0.01) * np.sin(angle), 0.0, (RADIUS + 0.01) * np.cos(angle) - RADIUS])
    turn = np.deg2rad(0.6)
    expected[[0, 2]] = (
        np.cos(turn) * expected[0] + np.sin(turn) * expected[2],
        np.cos(turn) * expected[2] - np.sin(turn) * expected[0],
    )
    assert mount - shell == pytest.approx(expected + np.array([0.0, -4e-4, 5e-4]), abs=1e-6)


def test_the_spring_presses_and_the_wrist_sensor_feels_it():
    cell = begun()
    expert = cell.task.expert()
    felt, spring = [], []
    while not (cell.terminated[0] or cell.truncated[0]):
        cell.step(expert.act(cell.s, cell.readings()))
        if abs(cell.s.contact[0, 0]) < 0.05:
            deflection = -cell.sim.sensor("spindle_deflection")[0, 0]
            felt.append(cell.s.normal_force[0])
            weight = compliant_spindle.HEAD_MASS * 9.81
            spring.append(compliant_spindle.PRELOAD + compliant_spindle.STIFFNESS * deflection + weight)
    assert len(felt) > 40
    assert np.mean(felt) == pytest.approx(np.mean(spring), rel=0.03)
    assert np.mean(felt) == pytest.approx(28.0, rel=0.03)
    # Preston's law at the feed that the expert chose: flush, all along
    assert cell.success[0] and np.abs(cell.s.left_mm).max() < TOLERANCE_MM


def test_flush_means_within_tolerance_with_the_disc_off_for_the_hold_time():
    cell = Case(POLISH).cell(4)
    cell.reset(seeds=np.arange(4))
    expert = cell.task.expert()
    held, ended = np.zeros(4, int), np.zeros(4, bool)
    while not ended.all():
        cell.step(expert.act(cell.s, cell.readings()))
        good = (np.abs(cell.s.left_mm) <= TOLERANCE_MM).sum(axis=1) >= COVERAGE * CELLS
        held = np.where(good & ~cell.task._pressed(cell.s), held + 1, 0)
        assert np.array_equal(cell.success[~ended], (held >= round(0.2 * cell.timing.control_hz))[~ended])
        ended |= cell.terminated | cell.truncated
    assert (cell.metrics()["coverage"] >= COVERAGE).all()


def test_standing_still_under_load_gouges_and_pays_worst():
    cell = begun()
    expert, total = cell.task.expert(), 0.0
    while not (cell.terminated[0] or cell.truncated[0]):
        act = expert.act(cell.s, cell.readings())
        if cell.s.place[0, 0] > -0.02 and cell.s.normal_force[0] > 5.0:
            act[:, 0] = 0.0  # the feed fails
        cell.step(act)
        total += cell.reward[0]
    assert cell.reasons[cell.reason[0]] == "gouged" and cell.metrics()["gouge"][0] > GOUGE_MM
    weights = [r.weight for name, r in cell.task.rewards.items() if r.weight < 0.0 and name != "spoiled"]
    assert total <= sum(weights) * cell.max_steps * (1.0 - cell.s.step[0] / cell.max_steps) + 3.0


def test_pressing_the_spindle_to_its_stop_breaks_the_disc():
    cell = begun()
    act: NDArray[np.float64] = np.zeros((1, 6))
    act[:, 2] = -0.04
    while not (cell.terminated[0] or cell.truncated[0]):
        cell.step(act)
    assert cell.reasons[cell.reason[0]] in ("over_force", "gouged")
    assert cell.metrics()["peak_force"][0] > 30.0


def test_wear_of_the_disc_shows_in_what_is_left():
    left = []
    for error in (-0.06, 0.06):
        cell = begun(removal_error=error)
        expert = cell.task.expert()
        while not (cell.terminated[0] or cell.truncated[0]):
            cell.step(expert.act(cell.s, cell.readings()))
        left.append(cell.s.left_mm[0, 10:-10].mean())
    assert left[0] - left[1] == pytest.approx(0.15 * 0.12, rel=0.15)
    assert RATE_MM3 > 0.0


def test_a_scara_cannot_follow_the_surface():
    with pytest.raises(ShopfloorError, match=r"robot='scara'.*six joints"):
        Case(POLISH, {"robot": "scara"}).task()


@pytest.mark.slow
@pytest.mark.parametrize("robot", ["m10id12", "fr3", "iiwa14"])
def test_other_arms_polish_too(robot: str):
    cell = Case(POLISH, {"robot": robot}).cell(20)
    cell.reset(seeds=np.arange(20))
    assert finished(cell) >= 0.95


@pytest.mark.slow
def test_the_expert_finishes_what_differs_from_plant_to_plant():
    cell = Case(POLISH).cell(60, randomization="train")
    cell.reset(seeds=np.arange(60))
    assert finished(cell) >= 0.8


def finished(cell: BatchedCell) -> float:
    expert = cell.task.expert()
    ended, success = np.zeros(cell.n, bool), np.zeros(cell.n, bool)
    while not ended.all():
        cell.step(expert.act(cell.s, cell.readings()), None if not ended.any() else np.flatnonzero(~ended))
        success |= cell.success & ~ended
        ended |= cell.terminated | cell.truncated
    return float(success.mean())
