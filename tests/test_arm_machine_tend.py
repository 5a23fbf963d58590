"""Tending a machine: seat, clamp, interlocks, the door that takes its time, and the unit that gives way."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import pytest
from engine_checks import Case, play
from numpy.typing import NDArray

from shopfloor.assets.cells.tend_cell import DOOR_STROKE, tend_cell
from shopfloor.assets.fixtures.vise import JAW_SPEED, OPENING
from shopfloor.assets.robots.arm import arm
from shopfloor.assets.tools.compliance_unit import AXES, STIFFNESS
from shopfloor.envs.arms.machine_tend import TOLERANCE_DEG, TOLERANCE_MM
from shopfloor.envs.arms.machine_tend_expert import OPEN
from shopfloor.envs.engine.core import BatchedCell

TEND = "shopfloor/ArmMachineTend-v0"
EXACT = {
    "friction": 0.2, "part_size": [0.3, -0.4], "part_place_x": 5.0, "part_place_y": -20.0, "part_turn": 15.0,
    "vise_place": [1.0, -1.0], "vise_turn": 0.5, "taught_position": [0.0, 0.0, 0.0], "taught_turn": 0.0,
    "door_time": 1.5, "start_offset": [0.0, 0.0, 0.0], "force_threshold": 60.0,
}  # fmt: skip


def begun(n: int = 1, **params: Any) -> BatchedCell:
    cell = Case(TEND).cell(n)
    cell.reset(seeds=np.arange(n), params={**EXACT, **params})
    return cell


def command(
    cell: BatchedCell, move: tuple[float, float, float] = (0.0, 0.0, 0.0), width: float = OPEN, vise: float = 0.0,
    door: float = 0.0,
) -> None:  # fmt: skip
    """A control step under an increment (m), the gripper's width, and commands of vise and door."""
    out: NDArray[np.float64] = np.zeros((cell.n, 8))
    out[:, :3], out[:, 4:] = move, (np.log10(800.0), width, vise, door)
    cell.step(out)


def inside(cell: BatchedCell) -> bool:
    return bool((cell.readings()["inside"] > 0.5).all() and (cell.s.part_position_mm[:, 2] < 30.0).all())


def ends(cell: BatchedCell, steps: int, **words: Any) -> str:
    """How the episode ends under a command that is repeated, "" if it does not."""
    for _ in range(steps):
        command(cell, **words)
        if cell.terminated[0]:
            return cell.reasons[cell.reason[0]]
    return ""


def test_the_door_takes_its_time_and_holds_between_commands():
    cell = begun()
    command(cell, door=1.0)
    for _ in range(17):
        command(cell)  # a component in between keeps what was told
    assert cell.s.door[0] == pytest.approx(DOOR_STROKE * 18 / 25 / 1.5, abs=0.03)
    assert cell.readings()["door_open"][0, 0] == 0.0
    for _ in range(25):
        command(cell)
    assert cell.s.door[0] == pytest.approx(DOOR_STROKE, abs=1e-3) and cell.readings()["door_open"][0, 0] == 1.0


def test_a_blank_counts_where_it_sits_against_jaw_stop_and_parallels():
    cell = begun()
    task, s, at = cell.task, cell.s, cell.task._part_qpos
    # 0.3 mm wider and 0.4 mm shorter than on the drawing, so that its middle is before jaw and behind stop
    nominal = cell.model.body("vise").pos + np.array([1e-3, -1e-3, 0.0])
    turn = np.deg2rad(0.5)
    expected = nominal + np.array([-0.15e-3 - 0.2e-3 * turn, 0.2e-3 - 0.15e-3 * turn, 0.0])
    assert s.seat[0] == pytest.approx(expected, abs=1e-7)
    for shift, located in ((0.0, True), (0.9 * TOLERANCE_MM, True), (1.1 * TOLERANCE_MM, False)):
        cell.sim.qpos[0, at : at + 3] = s.seat[0] + np.array([0.0, -1e-3 * shift, 0.0])
        cell.sim.qpos[0, at + 3 : at + 7] = s.seat_quaternion[0]
        cell.sim.forward()
        task.measure(s)
        assert s.located[0] == located
    turned = s.seat_quaternion[0].copy()
    turned[3] += np.deg2rad(1.2 * TOLERANCE_DEG) / 2
    cell.sim.qpos[0, at : at + 3], cell.sim.qpos[0, at + 3 : at + 7] = s.seat[0], turned / np.linalg.norm(turned)
    cell.sim.forward()
    task.measure(s)
    assert not s.located[0]


def test_a_vise_that_clamps_on_nothing_ends_the_episode_and_pays_worst():
    cell = begun()
    assert ends(cell, 60, vise=1.0) == "misclamped"
    assert cell.s.jaw[0] > OPENING and cell.s.time_s[0] == pytest.approx(OPENING / JAW_SPEED + 0.4, abs=0.25)
    left = 1.0 - cell.s.step[0] / cell.max_steps
    weights = [r.weight for name, r in cell.task.rewards.items() if r.weight < 0.0 and name != "failed"]
    assert cell.reward_terms["failed"][0] == pytest.approx(sum(weights) * cell.max_steps * left)


def test_the_machine_does_not_let_the_robot_in_before_its_door_is_open():
    cell = begun()
    assert ends(cell, 30, move=(0.014, 0.0, 0.0)) == "interlock"
    assert not cell.s.collided[0], "stopped before it touches the door"


def test_a_door_that_is_told_to_shut_on_the_robot_and_a_blank_that_is_let_go_too_early():
    cell = begun()
    play(cell, inside)
    state = cell.get_state()
    assert ends(cell, 3, width=0.0, door=-1.0) == "interlock"
    cell.set_state(state)
    assert ends(cell, 8, width=OPEN) == "released"
    cell.set_state(state)
    assert ends(cell, 60, width=0.0, vise=1.0) == "misclamped", "between the jaws, and not seated"


def test_touching_the_machine_is_a_collision():
    cell = begun()
    for k in range(42):
        command(cell, (0.0, 0.0, -0.014 if k < 6 else 0.0), door=1.0)
    assert ends(cell, 30, move=(0.004, 0.0, 0.0)) == "collision", "fingers below the edge of the sill"


def test_a_clamped_blank_stays_where_it_is_when_the_gripper_leaves():
    cell = begun()
    play(cell, lambda c: bool(c.s.clamped.all()))
    before = cell.s.part_position_mm.copy()
    assert play(cell)[0]
    assert np.abs(cell.s.part_position_mm - before).max() < 0.1
    metrics = cell.metrics()
    assert metrics["position_error"][0] < TOLERANCE_MM and metrics["peak_force"][0] < 30.0
    assert metrics["load_time"][0] < metrics["cycle_time"][0] - EXACT["door_time"]


def test_the_compliance_unit_is_a_spring_in_every_direction():
    model = tend_cell(arm("ur10e"), visual=False).compile()
    joints = [model.joint(f"comply_{name}") for name, _ in AXES]
    assert [float(model.jnt_stiffness[j.id]) for j in joints] == [STIFFNESS] * 3
    data = mujoco.MjData(model)
    data.qpos[:] = model.qpos0
    at, dof = joints[0].qposadr[0], joints[0].dofadr[0]
    data.qpos[at] = 1e-4
    mujoco.mj_forward(model, data)
    assert data.qfrc_passive[dof] == pytest.approx(-1e-4 * STIFFNESS, rel=1e-6)


def test_the_expert_loads_the_machine():
    cell = Case(TEND).cell(6)
    cell.reset(seeds=np.arange(6))
    assert play(cell).all()
    metrics = cell.metrics()
    assert metrics["cycle_time"].max() < 10.0 and metrics["angle_error"].max() < TOLERANCE_DEG


@pytest.mark.slow
@pytest.mark.parametrize("robot", ["m10id12", "fr3", "iiwa14", "scara"])
def test_other_arms_load_it_too(robot: str):
    cell = Case(TEND, {"robot": robot}).cell(20)
    cell.reset(seeds=np.arange(20))
    assert play(cell).mean() >= 0.95


@pytest.mark.slow
def test_the_expert_loads_what_differs_from_plant_to_plant():
    cell = Case(TEND).cell(60, randomization="train")
    cell.reset(seeds=np.arange(60))
    assert play(cell).mean() >= 0.8
