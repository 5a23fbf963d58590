"""Vacuum gripper: one bellows cup that holds a part with the force of its vacuum, area times pressure difference."""

from __future__ import annotations

import mujoco
import numpy as np

from ...errors import ShopfloorError
from .. import look
from ..robots.arm_links import NEAR_HALF, SURROUNDINGS, far_capsule
from ..shapes import Assembly, cylinder, lathe, ring
from .mount import add_tcp, screw_on, set_cylinder

BODY_MASS, CUP_MASS = 0.35, 0.02  # kg
LENGTH = 0.110  # m, flange to the lip of the free cup
TRAVEL = 0.008  # m, the bellows shorten by this until they are solid
STIFFNESS, DAMPING = 1500.0, 12.0  # N/m, N s/m of the bellows
LIP_POINTS = 6  # contacts around the lip; they also carry tilting moments
LIP_RADIUS = 0.002  # m
LIP_FRICTION = (0.8, 0.005, 0.0001)  # nitrile rubber on clean sheet metal
BUILD_UP_S = 0.04  # time constant of the vacuum in a cup with the ejector nearby


def rated_force(diameter: float, vacuum_kpa: float) -> float:
    """Pull-off force of a cup (N): vacuum times the area within the lip's `diameter` (m)."""
    return float(1000.0 * vacuum_kpa * np.pi * diameter * diameter / 4.0)


def _add_lip(cup: mujoco.MjsBody, diameter: float) -> None:
    for k in range(LIP_POINTS):
        angle = 2.0 * np.pi * k / LIP_POINTS
        circle = 0.5 * diameter - LIP_RADIUS
        cup.add_geom(
            name=f"cup_lip_{k}", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[LIP_RADIUS, 0.0, 0.0], mass=0.0,
            pos=[circle * np.cos(angle), circle * np.sin(angle), -LIP_RADIUS], contype=0,
            conaffinity=SURROUNDINGS | NEAR_HALF, condim=4, friction=LIP_FRICTION, priority=1, solref=[0.006, 1.0],
            group=look.GROUP_COLLISION,
        )  # fmt: skip


def _add_valve(spec: mujoco.MjSpec, force: float) -> None:
    valve = spec.add_actuator(name="vacuum", target="cup", trntype=mujoco.mjtTrn.mjTRN_BODY)
    valve.set_to_adhesion(gain=force)
    valve.dyntype = mujoco.mjtDyn.mjDYN_FILTEREXACT
    valve.dynprm[0] = BUILD_UP_S
    valve.ctrllimited = True
    valve.ctrlrange = [0.0, 1.0]
    spec.add_sensor(
        name="suction", type=mujoco.mjtSensor.mjSENS_JOINTACTFRC, objtype=mujoco.mjtObj.mjOBJ_JOINT,
        objname="cup_bellows",
    )  # fmt: skip


def _draw(spec: mujoco.MjSpec, body: mujoco.MjsBody, cup: mujoco.MjsBody, diameter: float) -> None:
    fixed, moving = Assembly(), Assembly()
    fixed.add("dark_steel", cylinder(0.0315, 0.0, 0.008, edge=0.001))
    fixed.add("machined_aluminium", cylinder(0.014, 0.006, 0.078, edge=0.002))
    fixed.add("graphite", ring(0.014, 0.024, 0.020, 0.048, edge=0.003))
    fixed.add("joint_blue", cylinder(0.0045, 0.022, 0.046, segments=20).along("x").moved((0.0, 0.0, 0.034)))
    fixed.build(spec, body, "vacuum_gripper", look.GROUP_PART)
    r, top = 0.5 * diameter, -(LENGTH - 0.076)
    folds = [(0.0, top), (0.010, top), (0.010, top + 0.008)]
    pitch = (-0.008 - (top + 0.008)) / 4
    for k in range(4):
        folds += [(0.80 * r, top + 0.008 + (k + 0.5) * pitch), (0.55 * r, top + 0.008 + (k + 1) * pitch)]
    folds += [(0.9 * r, -0.003), (r, 0.0), (0.85 * r, 0.0), (0.5 * r, -0.006), (0.0, -0.006)]
    moving.add("ruby", lathe(folds, 56))
    moving.add("brass", cylinder(0.008, top - 0.006, top + 0.004, segments=6))
    moving.build(spec, cup, "cup", look.GROUP_PART)


def add_vacuum_gripper(
    spec: mujoco.MjSpec,
    site: str = "flange",
    *,
    diameter: float = 0.040,
    vacuum_kpa: float = 60.0,
    visual: bool = True,
) -> mujoco.MjsBody:
    """Screw the gripper to `site`; the cup's joint `cup_bellows` (m, inwards negative), site `tcp` in its lip.

    The actuator `vacuum` opens the valve, ctrl 0 to 1; the vacuum builds up and decays with `BUILD_UP_S`, and its force
    is shared by the points of the lip that touch; the sensor `suction` (N) has what acts. A part needs contype 1 to be
    gripped. Call `mount.grasp_options` for the cell, or what is held creeps sideways.

    The force is an adhesion actuator and not the field `geom_adhesion`: a hanging part pulls that field's contacts
    beyond touching, where MuJoCo gives them no friction, and slides off the cup as soon as the arm moves.

    Args:
        spec: specification that holds an arm; its actuators come before the valve's.
        site: flange to screw it to.
        diameter: of the lip, m.
        vacuum_kpa: below atmospheric pressure, kPa.
        visual: also add the drawn shapes.

    Returns:
        The body `vacuum_gripper`.

    Raises:
        ShopfloorError: impossible cup or vacuum, or `spec` has no such site.
    """
    if not 0.010 <= diameter <= 0.120:
        raise ShopfloorError(f"diameter={diameter!r} m: cups have 0.010 to 0.120 m")
    if not 0.0 < vacuum_kpa <= 95.0:
        raise ShopfloorError(f"vacuum_kpa={vacuum_kpa!r}: an ejector reaches up to 95 kPa below atmospheric pressure")
    body = screw_on(spec, site, "vacuum_gripper")
    set_cylinder(body, BODY_MASS, 0.022, 0.0, 0.078)
    far_capsule(body, "vacuum_gripper_collision", (0.0, 0.0, 0.022), (0.0, 0.0, 0.062), 0.016)
    cup = body.add_body(name="cup", pos=[0.0, 0.0, LENGTH], simple=False)
    set_cylinder(cup, CUP_MASS, 0.5 * diameter, -0.030, 0.0)
    cup.add_joint(
        name="cup_bellows", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0.0, 0.0, 1.0], limited=True, range=[-TRAVEL, 0.0],
        stiffness=STIFFNESS, damping=DAMPING, solref_limit=[0.004, 1.0], solimp_limit=[0.95, 0.99, 0.001, 0.5, 2.0],
    )  # fmt: skip
    add_tcp(cup, 0.0)
    _add_lip(cup, diameter)
    _add_valve(spec, rated_force(diameter, vacuum_kpa))
    if visual:
        _draw(spec, body, cup, diameter)
    return body
