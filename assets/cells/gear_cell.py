"""Gear cell: any arm with a wrist sensor and a gripper that holds a gear, and a pin beside a mounted gear."""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..parts import fits
from ..parts.fits import SOLIMP, Fit
from ..parts.gears import Gear, add_mesh_pairs, add_teeth
from ..robots.arm import Arm
from ..robots.arm_drive import Actuators
from ..tools import parallel_gripper
from ..tools.ft_sensor import add_ft_sensor
from ..tools.parallel_gripper import add_parallel_gripper
from . import gear_cell_shapes
from .peg_cell import (
    PAD_DAMPING,
    PAD_STIFFNESS,
    PAD_TILT_DAMPING,
    PAD_TILT_STIFFNESS,
    TIMESTEP,
    TIP_INERTIA,
    TIP_MASS,
)
from .work_cell import CAMERAS, TABLE_TOP, WorkCell, work_cell

__all__ = ["BORE", "CAMERAS", "ENGAGED", "GEAR", "GRIP", "SEAT", "TIMESTEP", "gear_cell", "pin_tip"]

GEAR = Gear()
BORE = Fit(size=0.012, depth=0.016, chamfer=0.0008, length=0.020)
HUB_RADIUS = 0.010  # m
SEAT = 0.014  # m, pin over its shoulder: how far the gear is slid
ENGAGED = SEAT - GEAR.width  # m, depth at which the teeth meet
PIN_HEIGHT = 0.064  # m, tip of the pin over the table
GRIP = 0.036  # m, lower face of the gear to the middle of the pads
GEAR_MASS = 0.110  # kg, steel, hub included
DRIVEN_FRICTION, DRIVEN_DAMPING, DRIVEN_INERTIA = 0.02, 0.002, 4.0e-5  # N m, N m s/rad, kg m^2
DRIVEN_RANGE = 0.25  # rad, beyond which the train behind the mounted gear is blocked


def pin_tip(cell: WorkCell) -> tuple[float, float, float]:
    """Middle of the pin's tip, world frame, m."""
    return (*cell.station, TABLE_TOP + PIN_HEIGHT)


def _add_held_gear(spec: mujoco.MjSpec, gripper: mujoco.MjsBody, visual: bool) -> list[str]:
    """Body `gear` between the pads, on joints `gear_*` like those of a held peg; site `part` at its lower face."""
    tip = parallel_gripper.TCP + GRIP
    gripper.add_site(name="tip", pos=[0.0, 0.0, tip], size=[0.002, 0.0, 0.0], group=4)
    gear = gripper.add_body(name="gear", pos=[0.0, 0.0, tip], quat=[0.0, 1.0, 0.0, 0.0], simple=False, gravcomp=1.0)
    gear.explicitinertial = True
    gear.mass = GEAR_MASS
    gear.ipos = [0.0, 0.0, 0.010]
    r = GEAR.radius
    gear.inertia = [0.3 * GEAR_MASS * r * r, 0.3 * GEAR_MASS * r * r, 0.5 * GEAR_MASS * r * r]
    for name, axis in (("gear_x", (1.0, 0.0, 0.0)), ("gear_y", (0.0, 1.0, 0.0)), ("gear_z", (0.0, 0.0, 1.0))):
        gear.add_joint(
            name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=axis, stiffness=PAD_STIFFNESS, damping=PAD_DAMPING,
            armature=TIP_MASS,
        )  # fmt: skip
    for name, axis in (("gear_rx", (1.0, 0.0, 0.0)), ("gear_ry", (0.0, 1.0, 0.0))):
        gear.add_joint(
            name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=axis, pos=[0.0, 0.0, GRIP],
            stiffness=PAD_TILT_STIFFNESS, damping=PAD_TILT_DAMPING, armature=TIP_INERTIA,
        )  # fmt: skip
    gear.add_site(name="part", size=[0.002, 0.0, 0.0], group=4)
    # the bore opens downwards: its frame is turned over
    bore = gear.add_body(name="bore", quat=[0.0, 1.0, 0.0, 0.0], simple=False)
    bore.explicitinertial = True
    bore.mass, bore.inertia = 1e-4, [1e-8] * 3
    fits.add_hole(bore, "bore", BORE, floor=False)
    teeth = add_teeth(gear, "held", GEAR, 0.0, 0.0, 0.0)
    if visual:
        gear_cell_shapes.add_held(spec, gear, GEAR, BORE.half[0], HUB_RADIUS, GRIP)
    return teeth


def _add_fixture(spec: mujoco.MjSpec, cell: WorkCell, yaw: float, clearance: float) -> list[str]:
    """Body `fixture` with its origin in the pin's tip: pin, shoulder, and the mounted gear on the hinge `driven`."""
    world = spec.worldbody
    c, s = np.cos(0.5 * yaw), np.sin(0.5 * yaw)
    fixture = world.add_body(name="fixture", pos=pin_tip(cell), quat=[c, 0.0, 0.0, s])
    pin = fixture.add_body(name="pin", quat=[0.0, 1.0, 0.0, 0.0])
    fits.add_peg(pin, "pin", BORE, clearance)
    hidden = {"contype": 0, "conaffinity": 0, "mass": 0.0, "group": look.GROUP_COLLISION}
    fixture.add_geom(
        name="shoulder", type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=[0.011, 0.002, 0.0], pos=[0.0, 0.0, -SEAT - 0.002],
        **hidden,
    )  # fmt: skip
    driven = fixture.add_body(name="driven", pos=[2.0 * GEAR.radius, 0.0, -SEAT], gravcomp=1.0)
    driven.explicitinertial = True
    driven.mass, driven.inertia = 0.10, [2e-5, 2e-5, DRIVEN_INERTIA]
    driven.add_joint(
        name="driven", type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0.0, 0.0, 1.0], damping=DRIVEN_DAMPING,
        frictionloss=DRIVEN_FRICTION, armature=1e-4, limited=True, range=[-DRIVEN_RANGE, DRIVEN_RANGE],
        # hard, or a light gear creeps under load instead of standing
        solref_friction=[2.0 * spec.option.timestep, 1.0], solimp_friction=list(SOLIMP),
    )  # fmt: skip
    teeth = add_teeth(driven, "mounted", GEAR, 0.5, np.pi, 0.0)
    if cell.visual:
        gear_cell_shapes.add_fixture(spec, fixture, driven, GEAR, BORE.half[0], SEAT, PIN_HEIGHT)
    return teeth


def gear_cell(
    robot: Arm,
    *,
    clearance: float,
    yaw: float = 0.0,
    actuators: Actuators = "position",
    timestep: float = TIMESTEP,
    visual: bool = True,
) -> mujoco.MjSpec:
    """Build the cell.

    Names: see `work_cell` and `add_ft_sensor`; bodies `gear` (held, sites `tip` and `part`) and `driven` (mounted, on
    the hinge `driven`); geoms `bore_*`, `pin_*`, `held_tooth_*`, `mounted_tooth_*`; body `fixture` with its origin in
    the tip of the pin and its x towards the mounted gear.

    Args:
        robot: the arm.
        clearance: diametral clearance of the compiled pin, m.
        yaw: of the fixture about the vertical, rad.
        actuators: kind of joint actuators.
        timestep: physics step, s.
        visual: also build what is only seen.
    """
    cell = work_cell(robot, actuators=actuators, timestep=timestep, visual=visual)
    spec = cell.spec
    spec.modelname = "gear_cell"
    gripper = add_parallel_gripper(
        spec, add_ft_sensor(spec, robot.flange, visual=visual), closed_on=2.0 * HUB_RADIUS, visual=visual
    )
    held = _add_held_gear(spec, gripper, visual)
    mounted = _add_fixture(spec, cell, yaw, clearance)
    fits.add_pairs(spec, "bore", "pin", BORE, floor=False)
    add_mesh_pairs(spec, held, mounted, fits.FRICTION)
    for j in range(BORE.sides):
        # spheres of the outer edge are tangent to the gear's lower face
        pair = spec.add_pair(name=f"shoulder_{j}", geomname1="shoulder", geomname2=f"bore_edge_{BORE.sides + j}")
        pair.condim = 3
        pair.friction = [fits.FRICTION, fits.FRICTION, 0.005, 0.0001, 0.0001]
        pair.solref, pair.solimp = [2.0 * timestep, 1.0], list(SOLIMP)
    return spec
