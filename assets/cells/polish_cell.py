"""Finishing cell: any six- or seven-axis arm with a wrist sensor and a compliant spindle, and a bent shell with a seam.

The shell is a piece of a lying cylinder; its weld seam runs over the top, around the circumference, along the cell's x.
"""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..robots.arm import Arm
from ..robots.arm_drive import Actuators
from ..tools.compliant_spindle import LENGTH, add_compliant_spindle
from ..tools.ft_sensor import add_ft_sensor
from . import polish_cell_shapes
from .work_cell import CAMERAS, TABLE_TOP, WorkCell, work_cell

__all__ = ["CAMERAS", "PAD_CROWN", "RADIUS", "SEAM_LENGTH", "TIMESTEP", "TOP_HEIGHT", "polish_cell", "seam_top"]

TIMESTEP = 0.002  # s
RADIUS = 0.45  # m, outer radius of the shell
SEAM_LENGTH = 0.15  # m, along the arc
TOP_HEIGHT = 0.100  # m, highest point of the shell over the table
PAD_CROWN = 0.10  # m, radius of the crown that a backing pad of foam presses the disc into
# Further from the robot than below its home flange, where an arm cannot fold enough for the near end of the seam (m).
FORWARD = {"iiwa14": 0.10}
HALF_WIDTH = 0.09  # m, of the shell across the seam


def seam_top(cell: WorkCell) -> tuple[float, float, float]:
    """Middle of the seam, the highest point of the shell, world frame, m."""
    x, y = cell.station
    return (x + FORWARD.get(cell.robot.name, 0.0), y, TABLE_TOP + TOP_HEIGHT)


def polish_cell(
    robot: Arm, *, actuators: Actuators = "position", timestep: float = TIMESTEP, visual: bool = True
) -> mujoco.MjSpec:
    """Build the cell.

    Names: see `work_cell`, `add_ft_sensor` and `add_compliant_spindle`; site `mount` where the disc is while the spring
    is free, fixed to the spindle's housing; body `shell` with its origin in the middle of
    the seam, x along the seam and z up; geom `shell`, pair `pad_shell`. The pad touches the shell in a point, where the
    crown of the pad comes closest. The contact has no friction: the friction of a disc that turns many times faster
    than it is fed points every way and cancels over its face.

    Args:
        robot: the arm.
        actuators: kind of joint actuators.
        timestep: physics step, s.
        visual: also build what is only seen.
    """
    cell = work_cell(robot, actuators=actuators, timestep=timestep, visual=visual)
    spec = cell.spec
    spec.modelname = "polish_cell"
    housing = add_compliant_spindle(spec, add_ft_sensor(spec, robot.flange, visual=visual), visual=visual)
    housing.add_site(name="mount", pos=[0.0, 0.0, LENGTH], size=[0.002, 0.0, 0.0], group=4)
    hidden = {"contype": 0, "conaffinity": 0, "mass": 0.0, "group": look.GROUP_COLLISION}
    head = spec.body("spindle_head")
    head.add_geom(
        name="pad", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[PAD_CROWN, 0.0, 0.0], pos=[0.0, 0.0, -PAD_CROWN], **hidden
    )
    shell = spec.worldbody.add_body(name="shell", pos=seam_top(cell))
    turn = float(np.sqrt(0.5))
    shell.add_geom(
        name="shell", type=mujoco.mjtGeom.mjGEOM_CAPSULE, size=[RADIUS, HALF_WIDTH, 0.0], pos=[0.0, 0.0, -RADIUS],
        quat=[turn, turn, 0.0, 0.0], **hidden,
    )  # fmt: skip
    pair = spec.add_pair(name="pad_shell", geomname1="pad", geomname2="shell")
    pair.condim = 1
    pair.solref = [0.006, 1.0]
    if visual:
        polish_cell_shapes.add_shell(spec, shell, RADIUS, HALF_WIDTH, SEAM_LENGTH, TOP_HEIGHT)
    return spec
