"""Insertion cell: any arm with a wrist sensor and a gripper that holds a peg, and a block with a hole on the table."""

from __future__ import annotations

import mujoco
import numpy as np

from ..parts import fits
from ..parts.fits import Fit
from ..robots.arm import Arm
from ..robots.arm_drive import Actuators
from ..tools import parallel_gripper
from ..tools.ft_sensor import add_ft_sensor
from ..tools.parallel_gripper import add_parallel_gripper
from ..tools.rgbd_camera import CAMERAS as RGBD_CAMERAS
from ..tools.rgbd_camera import add_cell_camera, add_wrist_camera
from . import peg_cell_shapes
from .work_cell import CAMERAS as WORK_CELL_CAMERAS
from .work_cell import TABLE_TOP, WorkCell, work_cell

__all__ = ["CAMERAS", "FITS", "GRIP", "MOUTH_HEIGHT", "TIMESTEP", "add_held_peg", "hole_position", "peg_cell"]

CAMERAS = (*WORK_CELL_CAMERAS, *RGBD_CAMERAS)
TIMESTEP = 0.002  # s
MOUTH_HEIGHT = 0.070  # m, mouth of the hole over the table
GRIP = 0.038  # m, tip of the peg to the middle of the pads

FITS = {
    "round": Fit(size=0.016, depth=0.020, length=0.052),
    "rectangular": Fit(size=(0.016, 0.012), depth=0.020, length=0.052),
}
PEG_MASS = 0.080  # kg, steel
# How the pads give way: a millimetre of rubber under two pads of 22 mm by 26 mm, in any direction and in tilt.
PAD_STIFFNESS, PAD_DAMPING = 4.0e4, 15.0  # N/m, N s/m
PAD_TILT_STIFFNESS, PAD_TILT_DAMPING = 25.0, 0.01  # N m/rad, N m s/rad
TIP_MASS, TIP_INERTIA = 0.12, 1.0e-4  # kg, kg m^2, of the fingertips, which give way with the peg


def hole_position(cell: WorkCell) -> tuple[float, float, float]:
    """Middle of the hole's mouth, world frame, m."""
    return (*cell.station, TABLE_TOP + MOUTH_HEIGHT)


def add_held_peg(spec: mujoco.MjSpec, gripper: mujoco.MjsBody, fit: Fit, clearance: float, visual: bool) -> None:
    """Put a peg between the pads of `gripper`; body `peg`, sites `part` on its tip and `tip` where it should be.

    The peg gives way on joints `peg_x`, `peg_y`, `peg_z` (m), `peg_rx`, `peg_ry` (rad) about the middle of the pads.
    The body's frame is the peg's: shift and turn it to hold the peg askew.
    """
    tip = parallel_gripper.TCP + GRIP
    gripper.add_site(name="tip", pos=[0.0, 0.0, tip], size=[0.002, 0.0, 0.0], group=4)
    peg = gripper.add_body(name="peg", pos=[0.0, 0.0, tip], quat=[0.0, 1.0, 0.0, 0.0], simple=False, gravcomp=1.0)
    peg.explicitinertial = True
    peg.mass = PEG_MASS
    peg.ipos = [0.0, 0.0, 0.5 * fit.length]
    a, b = fit.half
    across = PEG_MASS * (fit.length**2 / 12.0 + max(a, b) ** 2 / 4.0)
    peg.inertia = [across, across, PEG_MASS * (a * a + b * b) / 4.0]
    for name, axis in (("peg_x", (1.0, 0.0, 0.0)), ("peg_y", (0.0, 1.0, 0.0)), ("peg_z", (0.0, 0.0, 1.0))):
        peg.add_joint(
            name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=axis, stiffness=PAD_STIFFNESS, damping=PAD_DAMPING,
            armature=TIP_MASS,
        )  # fmt: skip
    for name, axis in (("peg_rx", (1.0, 0.0, 0.0)), ("peg_ry", (0.0, 1.0, 0.0))):
        peg.add_joint(
            name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=axis, pos=[0.0, 0.0, GRIP],
            stiffness=PAD_TILT_STIFFNESS, damping=PAD_TILT_DAMPING, armature=TIP_INERTIA,
        )  # fmt: skip
    peg.add_site(name="part", size=[0.002, 0.0, 0.0], group=4)
    fits.add_peg(peg, "peg", fit, clearance)
    if visual:
        peg_cell_shapes.add_peg(spec, peg, fit)


def peg_cell(
    robot: Arm,
    fit: Fit,
    *,
    clearance: float,
    yaw: float = 0.0,
    actuators: Actuators = "position",
    timestep: float = TIMESTEP,
    visual: bool = True,
) -> mujoco.MjSpec:
    """Build the cell.

    Names: see `work_cell`, `add_ft_sensor` and `add_held_peg`; body `fixture` with the hole's frame, whose geoms are
    called `hole_*`; pairs `hole_peg_*`; for the cameras see `rgbd_camera`.

    Args:
        robot: the arm.
        fit: dimensions of hole and peg.
        clearance: diametral clearance of the compiled peg, m; rows may have others, by `Fit.side` and `Fit.rim`.
        yaw: of hole and fixture about the vertical, rad.
        actuators: kind of joint actuators.
        timestep: physics step, s.
        visual: also build what is only seen.
    """
    cell = work_cell(robot, actuators=actuators, timestep=timestep, visual=visual)
    spec = cell.spec
    spec.modelname = "peg_cell"
    width = 2.0 * fit.half[0]
    gripper = add_parallel_gripper(
        spec, add_ft_sensor(spec, robot.flange, visual=visual), closed_on=width, visual=visual
    )
    add_held_peg(spec, gripper, fit, clearance, visual)
    fixture = spec.worldbody.add_body(
        name="fixture", pos=hole_position(cell), quat=[np.cos(0.5 * yaw), 0.0, 0.0, np.sin(0.5 * yaw)]
    )
    # what fingers and arm may hit; the peg meets the hole by pairs alone
    half = peg_cell_shapes.BLOCK / 2
    fixture.add_geom(
        name="block_collision", type=mujoco.mjtGeom.mjGEOM_BOX, size=[half, half, MOUTH_HEIGHT / 2],
        pos=[0.0, 0.0, -MOUTH_HEIGHT / 2], contype=1, conaffinity=0, group=3,
    )  # fmt: skip
    fits.add_hole(fixture, "hole", fit)
    fits.add_pairs(spec, "hole", "peg", fit)
    if visual:
        peg_cell_shapes.add_fixture(spec, fixture, fit, MOUTH_HEIGHT)
        x, y, mouth = hole_position(cell)
        add_wrist_camera(spec, gripper, 0.056, parallel_gripper.TCP + GRIP - 0.005)
        add_cell_camera(
            spec, (x + 0.26, y + 0.12, mouth + 0.27), (x, y, mouth + 0.020), fovy=36.0,
            post=(x + 0.28, y + 0.42), base=TABLE_TOP,
        )  # fmt: skip
    return spec
