"""Four-axis assembly SCARA of the Epson LS6-602 class: 600 mm, 6 kg, 200 mm stroke, table mounted.

Arm lengths, ranges, stroke, speeds and payload are published; gear ratios follow from the published resolution of the
encoders. Masses of the links and torques are estimated (see PROVENANCE.md). The shapes are our own.

Joint 1 is zero in the middle of its range, where the arm points along x; joint 3 is zero at its upper stop.
"""

from __future__ import annotations

import mujoco
import numpy as np

from . import industrial_scara_shapes
from .arm_drive import Actuators, Axis, add_actuators, add_joint, check_actuators
from .arm_links import Casting, add_flange, base_capsule, far_capsule, near_capsule

ARM_1, ARM_2 = 0.325, 0.275  # m, between the axes of joints 1, 2 and of joints 2, 3
STROKE = 0.200  # m
ARM_1_HEIGHT, ARM_2_HEIGHT = 0.160, 0.055  # m, joint 1 over the mounting face, joint 2 over joint 1
SHAFT_DROP = 0.060  # m, end of the shaft below joint 2's frame at the upper stop

REACH = 0.600  # m, both arms in line
PAYLOAD = 6.0  # kg
MASS = 17.0  # kg

_D = np.pi / 180.0
# The rotor of joint 4 counts the belt pulleys too; its servo is tuned for a tool of 0.015 kg m^2, of 0.12 allowed.
SCREW = 2.0 * np.pi / 0.0132  # motor rad per metre: 1.1 m/s at 5000 1/min
AXES = (
    Axis("j1", -132 * _D, 132 * _D, 375 * _D, 130.0, 25.0, 600.0, 2.6e-5, 80.0, 2.0, 2.0, 4.3, 20.0),
    Axis("j2", -150 * _D, 150 * _D, 600 * _D, 80.0, 50.0, 1200.0, 2.6e-5, 50.0, 0.8, 1.2, 1.0, 20.0),
    Axis("j3", -STROKE, 0.0, 1.1, 300.0, 15.0, 400.0, 6.0e-6, SCREW, 40.0, 8.0, 8.6, 20.0, slide=True),
    Axis("j4", -360 * _D, 360 * _D, 2000 * _D, 11.0, 60.0, 1500.0, 2.7e-5, 15.0, 0.02, 0.1, 0.021, 15.0),
)

BASE = Casting("base", 7.2, (-0.03, 0.0, 0.08), (0.22, 0.16, 0.15))
LINKS = (
    Casting("arm_1", 3.2, (0.17, 0.0, 0.025), (0.44, 0.12, 0.05)),
    Casting("arm_2", 5.3, (0.14, 0.0, 0.08), (0.40, 0.14, 0.16)),
    Casting("nut", 0.2, (0.0, 0.0, 0.0), (0.04, 0.04, 0.05)),
    Casting("shaft", 1.1, (0.0, 0.0, 0.20), (0.020, 0.020, 0.42)),
)

# Elbow to the left, shaft in front of the base and 60 mm below its upper stop (rad, rad, m, rad).
HOME = (-0.63, 1.40, -0.06, -0.77)


def _add_collision(base: mujoco.MjsBody, bodies: list[mujoco.MjsBody]) -> None:
    base_capsule(base, "base_collision", (-0.02, 0.0, 0.06), (0.0, 0.0, 0.08), 0.07)
    near_capsule(bodies[0], "arm_1_collision", (0.0, 0.0, 0.026), (ARM_1, 0.0, 0.026), 0.026)
    far_capsule(bodies[1], "arm_2_collision", (0.0, 0.0, 0.075), (ARM_2, 0.0, 0.075), 0.060)
    far_capsule(bodies[3], "shaft_collision", (0.0, 0.0, 0.012), (0.0, 0.0, 0.10), 0.010)


def add_industrial_scara(
    spec: mujoco.MjSpec,
    parent: mujoco.MjsBody,
    *,
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0),
    quat: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0),
    actuators: Actuators = "position",
    visual: bool = True,
    gear_friction: bool = False,
) -> mujoco.MjsBody:
    """Mount the arm on `parent`; joints j1, j2, j4 (rad) and j3 (m, up), site `flange` at the end of the shaft.

    Args:
        spec: specification to extend.
        parent: body that carries the base.
        pos: (3,) foot of the axis of joint 1 in the mounting face, in `parent`, m.
        quat: (4,) orientation of the base in `parent`, wxyz.
        actuators: "position" (ctrl in rad, m), "velocity" (rad/s, m/s) or "torque" (N m, N), named like the joints.
        visual: also add the drawn shapes. Dynamics and contacts do not depend on them.
        gear_friction: also add the Coulomb friction of gears, belt and screw.

    Returns:
        The fixed base body.

    Raises:
        ShopfloorError: unknown kind of actuator.
    """
    check_actuators(actuators)
    base = parent.add_body(name=BASE.body, pos=pos, quat=quat)
    BASE.apply(base)
    offsets = ((0.0, 0.0, ARM_1_HEIGHT), (ARM_1, 0.0, ARM_2_HEIGHT), (ARM_2, 0.0, -SHAFT_DROP), (0.0, 0.0, 0.0))
    bodies: list[mujoco.MjsBody] = []
    body = base
    for link, axis, offset in zip(LINKS, AXES, offsets, strict=True):
        body = body.add_body(name=link.body, pos=offset, simple=False, gravcomp=1.0)
        link.apply(body)
        add_joint(body, axis, (0.0, 0.0, 1.0), gear_friction)
        bodies.append(body)
    add_flange(bodies[-1], (0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0))
    _add_collision(base, bodies)
    if visual:
        industrial_scara_shapes.add_arm(spec, base, bodies)
    add_actuators(spec, AXES, actuators)
    return base
