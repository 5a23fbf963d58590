"""Yaskawa AR1440/MA1440-class six-axis arc-welding arm: 12 kg, 1440 mm, hollow wrist, floor mounted.

Offsets, ranges and speeds are published (see PROVENANCE.md). The maker publishes neither the masses of single links
nor joint torques; both are estimated from the mass of the whole machine and from what its payload takes to carry and
to accelerate. The shapes are our own.

In the zero position the lower arm is vertical and the forearm horizontal; all body frames are then parallel to the
base frame, x forward and z up, base frame in the mounting face. The joints are Yaskawa's S, L, U, R, B, T, called j1 to
j6 like those of the other arms.
"""

from __future__ import annotations

import mujoco
import numpy as np

from . import ar1440_shapes
from .arm_drive import Actuators, Axis, add_actuators, add_joint, check_actuators
from .arm_links import Casting, add_flange, base_capsule, far_capsule, near_capsule

# Joint origins in the frame of the link before (m), and the axes they turn about.
OFFSETS = (
    (0.0, 0.0, 0.265), (0.155, 0.0, 0.185), (0.0, 0.0, 0.614), (0.225, 0.0, 0.200), (0.415, 0.0, 0.0),
    (0.100, 0.0, 0.0),
)  # fmt: skip
DIRECTIONS = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0))

FLANGE_QUAT = (0.0, float(np.sqrt(0.5)), 0.0, float(np.sqrt(0.5)))  # z forward, x up in the zero position

REACH = 1.440  # m, joint 1 axis to the centre of the wrist (joint 5)
PAYLOAD = 12.0  # kg
MASS = 150.0  # kg, without controller

_D = np.pi / 180.0
# Rotors and ratios are those of servomotors of 4000 to 5000 1/min that reach the published speeds. `load` holds the
# arm stretched out with 12 kg, joint by joint.
AXES = (
    Axis("j1", -170 * _D, 170 * _D, 230 * _D, 1050.0, 8.0, 160.0, 5.0e-4, 120.0, 25.0, 30.0, 92.0),
    Axis("j2", -90 * _D, 155 * _D, 200 * _D, 1400.0, 8.0, 160.0, 5.0e-4, 130.0, 30.0, 35.0, 80.0),
    Axis("j3", -85 * _D, 150 * _D, 230 * _D, 600.0, 12.0, 240.0, 3.0e-4, 120.0, 15.0, 18.0, 21.0),
    Axis("j4", -150 * _D, 150 * _D, 430 * _D, 90.0, 25.0, 500.0, 6.0e-5, 70.0, 1.5, 4.0, 1.2),
    Axis("j5", -135 * _D, 90 * _D, 430 * _D, 90.0, 25.0, 500.0, 6.0e-5, 70.0, 1.5, 4.0, 1.2),
    Axis("j6", -210 * _D, 210 * _D, 630 * _D, 45.0, 40.0, 800.0, 6.0e-5, 45.0, 0.5, 2.0, 0.4),
)

BASE = Casting("base", 43.0, (-0.03, 0.0, 0.11), (0.32, 0.30, 0.22))
LINKS = (
    Casting("link_1", 42.0, (0.06, -0.02, 0.08), (0.34, 0.26, 0.32)),
    Casting("link_2", 18.5, (0.0, -0.09, 0.29), (0.18, 0.10, 0.76)),
    Casting("link_3", 27.0, (0.01, 0.02, 0.13), (0.34, 0.22, 0.30)),
    Casting("link_4", 13.0, (0.17, 0.0, 0.0), (0.44, 0.14, 0.14)),
    Casting("link_5", 5.3, (0.02, 0.0, 0.0), (0.14, 0.10, 0.10)),
    Casting("link_6", 1.2, (-0.010, 0.0, 0.0), (0.024, 0.09, 0.09)),
)

# Forearm 20 degrees below the horizontal, flange straight down in front of the base (rad).
HOME = (0.0, 0.10, -0.25, 0.0, 0.35 - np.pi / 2, 0.0)

# Where the wire feeder is screwed to the elbow casing (m, in the frame of link_3), its outlet towards the hollow
# forearm.
FEEDER_POS = (-0.03, 0.0, 0.296)


def _add_collision(base: mujoco.MjsBody, links: list[mujoco.MjsBody]) -> None:
    base_capsule(base, "base_collision", (0.0, 0.0, 0.10), (0.0, 0.0, 0.13), 0.13)
    near_capsule(links[0], "link_1_collision", (0.05, 0.04, -0.02), (0.135, 0.05, 0.16), 0.115)
    near_capsule(links[1], "link_2_collision", (0.0, -0.105, 0.0), (0.0, -0.105, 0.614), 0.080)
    near_capsule(links[2], "link_3_collision", (-0.07, 0.0, 0.19), (0.16, 0.0, 0.200), 0.095)
    far_capsule(links[3], "link_4_collision", (0.07, 0.0, 0.0), (0.415, 0.0, 0.0), 0.072)
    far_capsule(links[5], "link_6_collision", (-0.065, 0.0, 0.0), (-0.046, 0.0, 0.0), 0.045)


def add_ar1440(
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
        gear_friction: also add the Coulomb friction of the gears, which a controller mostly removes; see `m10id12`.

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
        ar1440_shapes.add_arm(spec, base, bodies)
    add_actuators(spec, AXES, actuators)
    return base
