"""What tasks need to know of the arm that they are given: limits, home, and where targets and stations may lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.cells import reach, work_cell
from ...assets.robots.arm import PREFIX, Arm, arm
from ...assets.robots.arm_drive import Actuators
from ...assets.tools.touch_probe import add_touch_probe
from ...errors import ShopfloorError
from ...frames import rotate
from ...limits import MotionLimits
from .inverse_kinematics import PoseSolver

Array = NDArray[np.float64]

DEFAULT = "ur10e"
# Half extents of the box of targets, as shares of the reach, and how far it is from the table and above home.
BOX_DEPTH, BOX_WIDTH, BOX_CLEARANCE, BOX_RISE = 0.11, 0.25, 0.08, 0.10
SLIDE_SHARE = 0.1  # of an angle in rad that a slide moves in m, where both are drawn alike


@dataclass(frozen=True)
class ReachRobot:
    """An arm in its cell with a touch probe, sites `flange` and `tcp`.

    Attributes:
        arm: the robot.
        home: (dof,) start configuration, tool straight down.
        yaw: direction of the tool's x axis at home, rad about the vertical.
        workspace: low and high corner of the box of targets, m.
        tilts: whether the arm can tilt its tool.
        cameras: of the cell.
    """

    arm: Arm
    home: Array
    yaw: float
    workspace: tuple[Array, Array]
    tilts: bool
    cameras: tuple[str, ...]

    def cell(self, actuators: Actuators, visual: bool) -> mujoco.MjSpec:
        """The cell with a kind of actuators, drawn or not."""
        return _cell(self.arm, actuators, visual)

    @property
    def limits(self) -> MotionLimits:
        """Limits of planned motion of the joints."""
        return motion_limits(self.arm)

    @property
    def stroke(self) -> Array:
        """(dof,) what a unit of a joint's share of random offsets is worth: 1 for angles, less for slides."""
        return np.where(self.arm.slides, SLIDE_SHARE, 1.0)

    def randomization(self, name: str) -> str | None:
        """Name of the randomization spec for this robot, given that of the UR10e; None for arms of other packages."""
        if self.arm.name == DEFAULT:
            return name
        return None if self.arm.name.startswith(PREFIX) else name.replace("arm_reach", "arm_reach_robots")


def motion_limits(robot: Arm) -> MotionLimits:
    """Limits of planned motion of an arm's joints."""
    return MotionLimits.of(
        low=list(robot.low), high=list(robot.high), velocity=list(robot.velocity),
        acceleration=list(robot.acceleration), jerk=list(robot.jerk),
    )  # fmt: skip


def reach_robot(name: str) -> ReachRobot:
    """The arm called `name` in its cell.

    Raises:
        ShopfloorError: if there is no such arm, or its home does not point the tool down.
    """
    robot = arm(name)
    if name == DEFAULT:
        return ReachRobot(robot, reach.HOME_QPOS, -0.5 * np.pi, reach.WORKSPACE, True, reach.CAMERAS)
    model = _cell(robot, "position", False).compile()
    data = mujoco.MjData(model)
    data.qpos[:] = work_cell.home_configuration(model, robot)
    mujoco.mj_kinematics(model, data)
    tip, axes = data.site("tcp").xpos, data.site("tcp").xmat.reshape(3, 3)
    if axes[2, 2] > -1.0 + 1e-6:
        raise ShopfloorError(f"robot={name!r}: its home configuration does not point the tool straight down")
    slide = [hi - lo for lo, hi, slides in zip(robot.low, robot.high, robot.slides, strict=True) if slides]
    low = tip - np.array([BOX_DEPTH, BOX_WIDTH, BOX_WIDTH]) * robot.reach
    high = tip + np.array([BOX_DEPTH, BOX_WIDTH, 0.0]) * robot.reach
    low[2] = max(work_cell.TABLE_TOP + BOX_CLEARANCE, tip[2] - 0.6 * slide[0] if slide else 0.0)
    high[2] += 0.25 * slide[0] if slide else BOX_RISE
    return ReachRobot(
        robot, np.array(robot.home), float(np.arctan2(axes[1, 0], axes[0, 0])), (low, high), robot.dof >= 6,
        work_cell.CAMERAS,
    )  # fmt: skip


def _cell(robot: Arm, actuators: Actuators, visual: bool) -> mujoco.MjSpec:
    if robot.name == DEFAULT:
        return reach.reach_cell(actuators=actuators, visual=visual)
    cell = work_cell.work_cell(robot, actuators=actuators, visual=visual)
    add_touch_probe(cell.spec, robot.flange, visual=visual)
    return cell.spec


def home_station(
    robot: Arm, place: Callable[[work_cell.WorkCell], tuple[float, float, float]]
) -> tuple[tuple[float, float, float], float]:
    """Where a cell of this robot has its goal, m, and the direction of the tool's x axis at home, rad."""
    cell = work_cell.work_cell(robot, visual=False)
    _, quaternion = PoseSolver(cell.spec.compile(), robot.joints, robot.flange).pose(robot.home)
    x = rotate(quaternion, np.array([1.0, 0.0, 0.0]))
    return place(cell), float(np.arctan2(x[1], x[0]))
