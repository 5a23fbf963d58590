"""Picking from a moving belt: the belt, old pictures, vacuum that only a part gives, misses and drops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engine_checks import Case, play
from numpy.typing import NDArray

from shopfloor.assets.cells.conveyor_cell import PART_MASS, PARTS, PITCH, pockets
from shopfloor.envs.arms.conveyor_pick import HISTORY, OUT_OF_REACH
from shopfloor.envs.engine.core import BatchedCell

CONVEYOR = "shopfloor/ArmConveyorPick-v0"
EXACT = {
    "belt_speed": 0.1, "interval": [2.0, 2.2], "first_place": -200.0, "part_place": [10.0, -15.0, 0.0],
    "part_turn": [0.0, 20.0, -10.0], "camera_latency": 0.08, "start_offset": [0.0, 0.0, 0.0], "force_threshold": 40.0,
    "friction": 0.3,
}  # fmt: skip


def begun(n: int = 1, **params: Any) -> BatchedCell:
    cell = Case(CONVEYOR).cell(n)
    cell.reset(seeds=np.arange(n), params={**EXACT, **params})
    return cell


def command(cell: BatchedCell, move: tuple[float, float, float] = (0.0, 0.0, 0.0), valve: float = 0.0) -> None:
    """A control step under an increment (m) and an opening of the valve."""
    out: NDArray[np.float64] = np.zeros((cell.n, 5))
    out[:, :3], out[:, 4] = move, valve
    cell.step(out)


def carried(cell: BatchedCell) -> bool:
    """A part hangs on the cup, off the belt, between belt and tray."""
    return bool(((cell.s.vacuum > 0.9) & (cell.s.target[:, 0] < cell.task._belt[0] - 0.075)).all())


def test_the_belt_carries_parts_at_its_speed_and_the_camera_sees_where_they_were():
    cell = begun(3, camera_latency=0.12)
    cell.sim.field("geom_surfacevel")[:, cell.task._belt_geom, 1] = cell.s.belt_speed[:] = [0.06, 0.09, 0.12]
    start, first = cell.s.part.copy(), cell.readings()["part_offset"] + cell.readings()["tip_position"]
    for k in range(25):
        command(cell)
        if k == 2:
            seen = cell.readings()["part_offset"] + cell.readings()["tip_position"]
            assert np.abs(seen - first)[:, 1].max() < 1e-3, "pictures of the start until they are three steps old"
    moved = cell.s.part - start
    # they were set down with the speed of 0.1 m/s and take the belt's within millimetres
    assert moved[:, :, 1] == pytest.approx(np.array([[0.06], [0.09], [0.12]]) * np.ones(PARTS), abs=5e-4)
    assert np.abs(moved[:, :, [0, 2]]).max() < 1e-4
    behind = cell.task.observe_part_offset(cell.s) - (cell.s.target - cell.task._tip_position)
    assert behind[:, 1] == pytest.approx(-0.12 * cell.s.belt_speed, abs=2e-4)


def test_pictures_are_kept_long_enough():
    assert HISTORY * Case(CONVEYOR).task().timing.control_dt > 0.3


def test_a_carried_part_is_felt_by_its_weight_and_not_by_the_vacuum():
    cell = begun()
    play(cell, carried)
    for _ in range(20):
        command(cell, valve=1.0)
    assert cell.s.vacuum[0] == pytest.approx(1.0, abs=1e-3)
    assert cell.s.tcp_wrench[0, 2] == pytest.approx(-9.81 * PART_MASS, abs=0.2)
    assert np.abs(cell.s.tcp_wrench[0, :2]).max() < 0.2


def test_a_cup_in_the_air_has_no_vacuum():
    cell = begun()
    for _ in range(10):
        command(cell, valve=1.0)
        assert cell.s.vacuum[0] == 0.0 and cell.readings()["vacuum"][0, 0] == 0.0


def test_a_part_that_passes_is_missed_and_pays_worst():
    cell = begun(first_place=-160.0)
    total = 0.0
    while not (cell.terminated[0] or cell.truncated[0]):
        command(cell)
        total += cell.reward[0]
    assert cell.reasons[cell.reason[0]] == "missed"
    assert cell.s.part[0, 0, 1] - cell.task._belt[1] == pytest.approx(OUT_OF_REACH, abs=0.01)
    weights = [r.weight for name, r in cell.task.rewards.items() if r.weight < 0.0 and name != "failed"]
    left = 1.0 - cell.s.step[0] / cell.max_steps
    assert cell.reward_terms["failed"][0] == pytest.approx(sum(weights) * cell.max_steps * left)
    assert cell.metrics()["misses"][0] == PARTS and np.isnan(cell.metrics()["parts_per_minute"][0])


def test_a_part_let_go_beside_belt_and_tray_is_dropped():
    cell = begun()
    play(cell, carried)
    for _ in range(16):
        command(cell, (0.0, 0.014, 0.0), valve=1.0)
    for _ in range(25):
        command(cell)
        if cell.terminated[0]:
            break
    assert cell.reasons[cell.reason[0]] == "dropped"
    assert not cell.s.found.any()


def test_parts_count_where_they_lie_flat_in_their_pockets():
    cell = begun()
    task, s = cell.task, cell.s
    places = np.array(pockets(task.station))
    assert np.diff(places[:, 1]) == pytest.approx([PITCH, PITCH])
    for shift, lies in (((0.0, 0.0, 0.0), True), ((0.004, -0.004, 0.0), True), ((0.0, 0.006, 0.0), False)):
        for k, at in enumerate(task._part_qpos):
            cell.sim.qpos[0, at : at + 3] = places[k] + np.array(shift)
            cell.sim.qpos[0, at + 3 : at + 7] = [1.0, 0.0, 0.0, 0.0]
        cell.sim.forward()
        task.measure(s)
        assert s.in_tray[0].tolist() == [lies] * PARTS
    cell.sim.qpos[0, task._part_qpos[1] + 2] += 0.004
    cell.sim.forward()
    task.measure(s)
    assert not s.in_tray[0, 1], "on a rib"


def test_the_expert_fills_the_tray():
    cell = Case(CONVEYOR).cell(6)
    cell.reset(seeds=np.arange(6))
    assert play(cell).all()
    metrics = cell.metrics()
    assert (metrics["misses"] == 0).all() and metrics["place_error"].max() < 3.0
    rate = 60.0 * PARTS / metrics["cycle_time"]
    assert metrics["parts_per_minute"] == pytest.approx(rate, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("robot", ["m10id12", "fr3", "iiwa14", "scara"])
def test_other_arms_pick_from_the_belt_too(robot: str):
    cell = Case(CONVEYOR, {"robot": robot}).cell(20)
    cell.reset(seeds=np.arange(20))
    assert play(cell).mean() >= 0.95


@pytest.mark.slow
def test_the_expert_picks_what_differs_from_plant_to_plant():
    cell = Case(CONVEYOR).cell(60, randomization="train")
    cell.reset(seeds=np.arange(60))
    assert play(cell).mean() >= 0.8
