"""KUKA LBR iiwa 14 R820-class seven-axis arm with torque sensors in all joints: 14 kg, 820 mm.

Link lengths, ranges, speeds, torques, payload and the mass of the whole arm are published; how the mass is spread over
the links is estimated, and so are the limits for planned motion (see PROVENANCE.md). The shapes are our own.

In the zero position the arm stands upright; all body frames are then parallel to the base frame.
"""

from __future__ import annotations

import mujoco
import numpy as np

from . import iiwa14_shapes
from .arm_drive import Actuators, Axis, add_actuators, add_joint, check_actuators
from .arm_links import Casting, add_flange, base_capsule, far_capsule, near_capsule

# Mounting face to joint 2, joint 2 to joint 4, joint 4 to joint 6, joint 6 to the flange (m).
SHOULDER, UPPER_ARM, FOREARM, HAND = 0.360, 0.420, 0.400, 0.126
# Height of the seams of joints 1, 3, 5, 7 above the mounting face or the joint before (m); they carry no kinematics.
SEAMS = (0.1575, 0.2045, 0.1845, 0.081)
OFFSETS = (
    SEAMS[0], SHOULDER - SEAMS[0], SEAMS[1], UPPER_ARM - SEAMS[1], SEAMS[2], FOREARM - SEAMS[2], SEAMS[3],
)  # fmt: skip
DIRECTIONS = (
    (0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0),
    (0.0, 0.0, 1.0),
)  # fmt: skip

REACH = 0.820  # m, joint 2 to the centre of the wrist (joint 6)
PAYLOAD = 14.0  # kg
MASS = 29.9  # kg

_D = np.pi / 180.0
# Rotors and gears: strain wave gears of ratio 160. `load` holds the arm stretched out with 14 kg.
AXES = (
    Axis("joint_a1", -170 * _D, 170 * _D, 85 * _D, 320.0, 4.0, 80.0, 1.25e-4, 160.0, 10.0, 5.0, 24.0),
    Axis("joint_a2", -120 * _D, 120 * _D, 85 * _D, 320.0, 4.0, 80.0, 1.25e-4, 160.0, 10.0, 5.0, 24.0),
    Axis("joint_a3", -170 * _D, 170 * _D, 100 * _D, 176.0, 6.0, 120.0, 8.0e-5, 160.0, 6.0, 3.5, 8.5),
    Axis("joint_a4", -120 * _D, 120 * _D, 75 * _D, 176.0, 6.0, 120.0, 8.0e-5, 160.0, 6.0, 3.5, 8.5),
    Axis("joint_a5", -170 * _D, 170 * _D, 130 * _D, 110.0, 10.0, 200.0, 3.1e-5, 160.0, 3.0, 2.0, 1.5),
    Axis("joint_a6", -120 * _D, 120 * _D, 135 * _D, 40.0, 10.0, 200.0, 1.5e-5, 160.0, 1.5, 1.0, 1.05),
    Axis("joint_a7", -175 * _D, 175 * _D, 135 * _D, 40.0, 10.0, 200.0, 1.5e-5, 160.0, 1.5, 1.0, 0.5),
)

BASE = Casting("base", 4.6, (-0.02, 0.0, 0.07), (0.20, 0.18, 0.15))
LINKS = (
    Casting("link_1", 5.0, (0.0, -0.03, 0.12), (0.14, 0.16, 0.26)),
    Casting("link_2", 5.2, (0.0, 0.03, 0.08), (0.14, 0.16, 0.26)),
    Casting("link_3", 4.2, (0.0, 0.03, 0.12), (0.13, 0.15, 0.26)),
    Casting("link_4", 4.0, (0.0, -0.03, 0.07), (0.13, 0.15, 0.24)),
    Casting("link_5", 2.9, (0.0, 0.02, 0.10), (0.12, 0.14, 0.24)),
    Casting("link_6", 2.9, (0.0, 0.01, 0.01), (0.12, 0.17, 0.12)),
    Casting("link_7", 1.1, (0.0, 0.0, 0.02), (0.10, 0.10, 0.05)),
)

# Flange straight down, 0.55 m in front of the base (rad).
HOME = (0.0, 0.50, 0.0, -1.60, 0.0, np.pi - 0.50 - 1.60, 0.0)


def _add_collision(base: mujoco.MjsBody, links: list[mujoco.MjsBody]) -> None:
    base_capsule(base, "base_collision", (-0.02, 0.0, 0.06), (0.0, 0.0, 0.09), 0.08)
    near_capsule(links[0], "link_1_collision", (0.0, 0.0, 0.04), (0.0, -0.02, OFFSETS[1]), 0.072)
    near_capsule(links[1], "link_2_collision", (0.0, 0.02, 0.0), (0.0, 0.0, 0.16), 0.072)
    near_capsule(links[2], "link_3_collision", (0.0, 0.0, 0.04), (0.0, 0.02, OFFSETS[3]), 0.068)
    far_capsule(links[3], "link_4_collision", (0.0, -0.02, 0.06), (0.0, 0.0, 0.14), 0.062)
    far_capsule(links[4], "link_5_collision", (0.0, 0.0, 0.04), (0.0, 0.05, 0.17), 0.052)
    far_capsule(links[5], "link_6_collision", (0.0, 0.0, -0.01), (0.0, 0.0, 0.01), 0.060)
    far_capsule(links[6], "link_7_collision", (0.0, 0.0, 0.010), (0.0, 0.0, 0.013), 0.032)


def add_iiwa14(
    spec: mujoco.MjSpec,
    parent: mujoco.MjsBody,
    *,
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0),
    quat: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0),
    actuators: Actuators = "position",
    visual: bool = True,
    gear_friction: bool = False,
) -> mujoco.MjsBody:
    """Mount the arm on `parent`; joints joint_a1 to joint_a7 (rad), site `flange`.

    Args:
        spec: specification to extend.
        parent: body that carries the base.
        pos: (3,) centre of the mounting face in `parent`, m.
        quat: (4,) orientation of the base in `parent`, wxyz.
        actuators: "position" (ctrl in rad), "velocity" (rad/s) or "torque" (N m), named like the joints.
        visual: also add the drawn shapes. Dynamics and contacts do not depend on them.
        gear_friction: also add the Coulomb friction that is left of the gears behind the torque sensors.

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
    for link, axis, height, direction in zip(LINKS, AXES, OFFSETS, DIRECTIONS, strict=True):
        body = body.add_body(name=link.body, pos=[0.0, 0.0, height], simple=False, gravcomp=1.0)
        link.apply(body)
        add_joint(body, axis, direction, gear_friction)
        bodies.append(body)
    add_flange(bodies[-1], (0.0, 0.0, HAND - SEAMS[3]))
    _add_collision(base, bodies)
    if visual:
        iiwa14_shapes.add_arm(spec, base, bodies)
    add_actuators(spec, AXES, actuators)
    return base
