"""The work cell that every arm fits into, and inverse kinematics for start poses."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from shopfloor.assets.cells.work_cell import CAMERAS, TABLE_TOP, home_configuration, work_cell
from shopfloor.assets.robots.arm import ARMS, arm
from shopfloor.assets.tools.ft_sensor import add_ft_sensor
from shopfloor.assets.tools.parallel_gripper import add_parallel_gripper
from shopfloor.envs.arms.inverse_kinematics import PoseSolver
from shopfloor.errors import ShopfloorError
from shopfloor.frames import quat_multiply


def equipped(name: str, visual: bool = False) -> mujoco.MjModel:
    cell = work_cell(arm(name), visual=visual)
    add_parallel_gripper(cell.spec, add_ft_sensor(cell.spec, arm(name).flange, visual=visual), visual=visual)
    return cell.spec.compile()


@pytest.mark.parametrize("name", list(ARMS))
def test_every_arm_stands_clear_of_the_cell_with_room_for_a_tool_and_a_part(name: str):
    model = equipped(name)
    data = mujoco.MjData(model)
    data.qpos[:] = home_configuration(model, arm(name))
    mujoco.mj_forward(model, data)
    assert data.ncon == 0
    x, y, z = data.site("tcp").xpos
    assert 0.10 < z - TABLE_TOP < 0.40
    cell = work_cell(arm(name), visual=False)
    assert np.allclose(cell.station, (x, y), atol=1e-9)
    # a box of 60 mm around the station stands on the table
    table = model.geom("table_collision")
    assert (np.abs(np.array([x, y]) - table.pos[:2]) < table.size[:2] - 0.06).all()


def test_drawn_cell_has_the_layout_of_the_physics_cell():
    physics, drawn = equipped("fr3"), equipped("fr3", visual=True)
    for size in ("nq", "nv", "nu", "na", "nbody", "njnt", "nsite", "nsensor"):
        assert getattr(physics, size) == getattr(drawn, size)
    assert [drawn.camera(i).name for i in range(drawn.ncam)] == list(CAMERAS)
    assert physics.ncam == 0 and (physics.geom_group == 3).all()


def test_a_robot_cannot_stand_below_the_floor():
    with pytest.raises(ShopfloorError, match=r"m10id12.*0\.25 m below the floor"):
        work_cell(arm("m10id12"), table_top=0.30)


@pytest.mark.parametrize("name", list(ARMS))
def test_start_poses_are_reached_to_a_tenth_of_a_micrometre(name: str):
    robot, model = arm(name), equipped(name)
    solver = PoseSolver(model, robot.joints, "tcp")
    position, quaternion = solver.pose(robot.home)
    rng = np.random.default_rng(0)
    for _ in range(5):
        target = position + rng.uniform(-0.03, 0.03, 3)
        yaw, tilt = rng.uniform(-0.2, 0.2), 0.0 if robot.dof < 6 else 0.03
        turn = np.array([[np.cos(yaw / 2), np.sin(tilt / 2), 0.0, np.sin(yaw / 2)]])
        turn /= np.linalg.norm(turn)
        wanted = quat_multiply(turn, quaternion[None])[0]
        q = solver.solve(robot.home, target, wanted)
        assert (q >= robot.low).all() and (q <= robot.high).all()
        found, turned = solver.pose(q)
        assert np.abs(found - target).max() < 1e-7
        assert 1.0 - abs(float(np.dot(turned, wanted))) < 1e-12
    with pytest.raises(ShopfloorError, match=r"does not reach position \[5\.0, 0\.0, 1\.0\]"):
        solver.solve(robot.home, np.array([5.0, 0.0, 1.0]), quaternion)
