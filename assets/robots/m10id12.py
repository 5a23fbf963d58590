"""FANUC M-10iD/12-class six-axis arm: 12 kg, 1441 mm, hollow wrist, floor mounted.

Offsets, ranges and speeds are published (see PROVENANCE.md). The maker publishes neither the masses of single links
nor joint torques; both are estimated from the 145 kg of the whole machine and from what its payload takes to carry
and to accelerate. The shapes are our own.

In the zero position the upper arm is vertical and the forearm horizontal; all body frames are then parallel to the
base frame, x forward and z up, base frame in the mounting face.
"""

from __future__ import annotations

import mujoco
import numpy as np

from . import m10id12_shapes
from .arm_drive import Actuators, Axis, add_actuators, add_joint, check_actuators
from .arm_links import Casting, add_flange, base_capsule, far_capsule, near_capsule

# Joint origins in the frame of the link before (m), and the axes they turn about.
OFFSETS = (
    (0.0, 0.0, 0.3035), (0.075, 0.0, 0.1465), (0.0, 0.0, 0.640), (0.2555, 0.0, 0.195), (0.4445, 0.0, 0.0),
    (0.075, 0.0, 0.0),
)  # fmt: skip
DIRECTIONS = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0))

FLANGE_QUAT = (0.0, float(np.sqrt(0.5)), 0.0, float(np.sqrt(0.5)))  # z forward, x up in the zero position

REACH = 1.441  # m, joint 1 axis to the centre of the wrist (joint 5)
PAYLOAD = 12.0  # kg
MASS = 145.0  # kg, without controller

_D = np.pi / 180.0
# Rotors and ratios are those of servomotors of 5000 1/min that reach the published speeds. `load` holds the arm
# stretched out with 12 kg, joint by joint.
AXES = (
    Axis("j1", -170 * _D, 170 * _D, 260 * _D, 1000.0, 8.0, 160.0, 5.0e-4, 115.0, 25.0, 30.0, 88.0),
    Axis("j2", -90 * _D, 145 * _D, 240 * _D, 1400.0, 8.0, 160.0, 5.0e-4, 125.0, 30.0, 35.0, 80.0),
    Axis("j3", -180 * _D, 267 * _D, 260 * _D, 600.0, 12.0, 240.0, 3.0e-4, 115.0, 15.0, 18.0, 21.0),
    Axis("j4", -190 * _D, 190 * _D, 430 * _D, 90.0, 25.0, 500.0, 6.0e-5, 70.0, 1.5, 4.0, 1.2),
    Axis("j5", -180 * _D, 180 * _D, 450 * _D, 90.0, 25.0, 500.0, 6.0e-5, 67.0, 1.5, 4.0, 1.2),
    Axis("j6", -450 * _D, 450 * _D, 720 * _D, 45.0, 40.0, 800.0, 6.0e-5, 42.0, 0.5, 2.0, 0.4),
)

BASE = Casting("base", 42.0, (-0.03, 0.0, 0.11), (0.30, 0.28, 0.22))
LINKS = (
    Casting("link_1", 39.0, (0.02, -0.03, 0.05), (0.28, 0.26, 0.34)),
    Casting("link_2", 18.0, (0.0, 0.09, 0.30), (0.18, 0.10, 0.80)),
    Casting("link_3", 27.0, (0.01, -0.02, 0.12), (0.36, 0.20, 0.30)),
    Casting("link_4", 13.0, (0.18, 0.0, 0.0), (0.46, 0.14, 0.14)),
    Casting("link_5", 5.0, (0.01, 0.0, 0.0), (0.14, 0.10, 0.10)),
    Casting("link_6", 1.0, (-0.008, 0.0, 0.0), (0.02, 0.08, 0.08)),
)

# Forearm 20 degrees below the horizontal, flange straight down in front of the base (rad).
HOME = (0.0, 0.15, -0.20, 0.0, 0.35 - np.pi / 2, 0.0)


def _add_collision(base: mujoco.MjsBody, links: list[mujoco.MjsBody]) -> None:
    base_capsule(base, "base_collision", (0.0, 0.0, 0.10), (0.0, 0.0, 0.14), 0.13)
    near_capsule(links[0], "link_1_collision", (0.05, -0.06, -0.02), (0.075, -0.06, 0.12), 0.12)
    near_capsule(links[1], "link_2_collision", (0.0, 0.105, 0.0), (0.0, 0.105, 0.64), 0.085)
    near_capsule(links[2], "link_3_collision", (-0.08, 0.0, 0.19), (0.18, 0.0, 0.195), 0.095)
    far_capsule(links[3], "link_4_collision", (0.06, 0.0, 0.0), (0.4445, 0.0, 0.0), 0.075)
    far_capsule(links[5], "link_6_collision", (-0.05, 0.0, 0.0), (-0.045, 0.0, 0.0), 0.045)


def add_m10id12(
    spec: mujoco.MjSpec,
    parent: mujoco.MjsBody,
    *,
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0),
    quat: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0),
    actuators: Actuators = "position",
    visual: bool = True,
    gear_friction: bool = False,
) -> mujoco.MjsBody:
    """Mount the arm on `parent`; joints j1 to j6 (rad), site `flange`.

    Args:
        spec: specification to extend.
        parent: body that carries the base.
        pos: (3,) centre of the mounting face in `parent`, m.
        quat: (4,) orientation of the base in `parent`, wxyz.
        actuators: "position" (ctrl in rad), "velocity" (rad/s) or "torque" (N m), named like the joints.
        visual: also add the drawn shapes. Dynamics and contacts do not depend on them.
        gear_friction: also add the Coulomb friction of the gears. A controller removes most of its effect with
            integral action, which the servos here do not have, so it is off unless asked for.

    Returns:
        The fixed base body.

    Raises:
        ShopfloorError: unknown kind of actuator.
    """
    check_actuators(actuators)
    base = parent.add_body(name=BASE.body, pos=pos, quat=quat)
    BASE.apply(base)
    bodies: list[mujoco.MjsBody] = []
    body = base
    for link, axis, offset, direction in zip(LINKS, AXES, OFFSETS, DIRECTIONS, strict=True):
        body = body.add_body(name=link.body, pos=offset, simple=False, gravcomp=1.0)
        link.apply(body)
        add_joint(body, axis, direction, gear_friction)
        bodies.append(body)
    add_flange(bodies[-1], (0.0, 0.0, 0.0), FLANGE_QUAT)
    _add_collision(base, bodies)
    if visual:
        m10id12_shapes.add_arm(spec, base, bodies)
    add_actuators(spec, AXES, actuators)
    return base
