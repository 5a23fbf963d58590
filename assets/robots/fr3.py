"""Franka Research 3-class seven-axis arm with torque-controlled joints: 3 kg, 855 mm.

Kinematics, limits of range, speed, torque, acceleration and jerk, and the inertial data of all links are published
by the maker (see PROVENANCE.md). The shapes are our own.
"""

from __future__ import annotations

import mujoco
import numpy as np

from . import fr3_shapes
from .arm_drive import Actuators, Axis, add_actuators, add_joint, check_actuators
from .arm_links import add_flange, base_capsule, far_capsule, near_capsule, set_inertia

# Denavit-Hartenberg parameters in Craig's convention, joint angle zero: T_i = Rx(alpha) Tx(a) Rz(q) Tz(d), where
# alpha and a belong to the joint before.
DH_A = (0.0, 0.0, 0.0, 0.0825, -0.0825, 0.0, 0.088)  # m
DH_D = (0.333, 0.0, 0.316, 0.0, 0.384, 0.0, 0.0)  # m
DH_ALPHA = (0.0, -np.pi / 2, np.pi / 2, np.pi / 2, -np.pi / 2, np.pi / 2, np.pi / 2)  # rad
FLANGE = 0.107  # m, along the axis of joint 7

REACH = 0.855  # m, as the data sheet rounds it; the kinematics give 0.858 from the axis of joint 1 to the flange
PAYLOAD = 3.0  # kg

# Acceleration and jerk are the limits of the robot's own interface. Rotors and gears: frameless motors on strain wave
# gears of ratio 100. `load` holds the arm stretched out with 3 kg.
AXES = (
    Axis("joint1", -2.7437, 2.7437, 2.62, 87.0, 10.0, 5000.0, 6.0e-5, 100.0, 3.0, 0.8, 6.4),
    Axis("joint2", -1.7837, 1.7837, 2.62, 87.0, 10.0, 5000.0, 6.0e-5, 100.0, 3.0, 0.8, 6.4),
    Axis("joint3", -2.9007, 2.9007, 2.62, 87.0, 10.0, 5000.0, 6.0e-5, 100.0, 3.0, 0.6, 3.2),
    Axis("joint4", -3.0421, -0.1518, 2.62, 87.0, 10.0, 5000.0, 6.0e-5, 100.0, 3.0, 0.6, 2.5),
    Axis("joint5", -2.8065, 2.8065, 5.26, 12.0, 10.0, 5000.0, 1.5e-5, 100.0, 0.5, 0.3, 0.33),
    Axis("joint6", 0.5445, 4.5169, 4.18, 12.0, 10.0, 5000.0, 1.5e-5, 100.0, 0.5, 0.3, 0.33),
    Axis("joint7", -3.0159, 3.0159, 5.26, 12.0, 10.0, 5000.0, 1.5e-5, 100.0, 0.5, 0.3, 0.19),
)

# Mass (kg), centre of mass (m) and inertia about it (kg m^2; xx, yy, zz, xy, xz, yz) in the frames above.
Link = tuple[float, tuple[float, float, float], tuple[float, float, float, float, float, float]]
BASE: Link = (2.3966, (-0.0172, 0.0004, 0.0745), (0.0090, 0.0115, 0.0085, 0.0, 0.0020, 0.0))
LINKS: tuple[Link, ...] = (
    (2.92747, (0.0, -0.018125, -0.038604), (0.0239273, 0.0224822, 0.0063501, 1.33e-5, -1.140e-4, -1.9950e-3)),
    (2.93554, (0.003183, -0.074322, 0.008815), (0.0419389, 0.0251451, 0.0617021, 2.026e-4, 4.0778e-3, -4.2252e-3)),
    (2.24490, (0.040702, -0.004820, -0.028973), (0.0241014, 0.0197405, 0.0190445, 2.4047e-3, -2.8563e-3, -2.1042e-3)),
    (2.61560, (-0.045910, 0.063049, -0.008519), (0.0345300, 0.0288816, 0.0412547, 0.0132255, 0.0101514, -9.763e-4)),
    (2.32712, (-0.001604, 0.029254, -0.097297), (0.0516103, 0.0478773, 0.0164236, -5.7152e-3, -3.5673e-3, 0.0106740)),
    (1.81704, (0.059713, -0.041029, -0.010169), (0.0054123, 0.0140583, 0.0160808, 6.1935e-3, 1.4219e-3, -1.3141e-3)),
    (0.62714, (0.004523, 0.008626, -0.016163), (2.109e-4, 1.772e-4, 5.993e-5, -2.433e-5, 4.564e-5, 8.744e-5)),
)  # fmt: skip

# Flange straight down, 0.46 m in front of the base (rad).
HOME = (0.0, 0.0, 0.0, -2.1, 0.0, 2.1, np.pi / 4)


def _add_collision(base: mujoco.MjsBody, links: list[mujoco.MjsBody]) -> None:
    base_capsule(base, "base_collision", (-0.06, 0.0, 0.06), (0.0, 0.0, 0.08), 0.075)
    near_capsule(links[0], "link1_collision", (0.0, 0.0, -0.18), (0.0, 0.0, 0.0), 0.06)
    near_capsule(links[1], "link2_collision", (0.0, 0.0, 0.0), (0.0, -0.19, 0.0), 0.06)
    near_capsule(links[2], "link3_collision", (0.0, 0.0, -0.12), (0.0825, 0.0, 0.0), 0.058)
    far_capsule(links[3], "link4_collision", (-0.0825, 0.02, 0.0), (-0.0825, 0.10, 0.0), 0.055)
    far_capsule(links[4], "link5_collision", (0.0, 0.05, -0.20), (0.0, 0.07, -0.10), 0.045)
    far_capsule(links[5], "link6_collision", (0.02, 0.0, 0.0), (0.088, 0.0, 0.0), 0.05)
    far_capsule(links[6], "link7_collision", (0.0, 0.0, 0.05), (0.0, 0.0, 0.062), 0.042)


def add_fr3(
    spec: mujoco.MjSpec,
    parent: mujoco.MjsBody,
    *,
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0),
    quat: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0),
    actuators: Actuators = "position",
    visual: bool = True,
    gear_friction: bool = False,
) -> mujoco.MjsBody:
    """Mount the arm on `parent`; joints joint1 to joint7 (rad), site `flange`.

    Args:
        spec: specification to extend.
        parent: body that carries the base.
        pos: (3,) centre of the mounting face in `parent`, m; the base frame is the DH frame 0.
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
    base = parent.add_body(name="base", pos=pos, quat=quat)
    set_inertia(base, *BASE)
    bodies: list[mujoco.MjsBody] = []
    body = base
    for i, (link, axis) in enumerate(zip(LINKS, AXES, strict=True)):
        c, s = np.cos(DH_ALPHA[i]), np.sin(DH_ALPHA[i])
        body = body.add_body(
            name=f"link{i + 1}", pos=[DH_A[i], -s * DH_D[i], c * DH_D[i]],
            quat=[np.cos(DH_ALPHA[i] / 2), np.sin(DH_ALPHA[i] / 2), 0.0, 0.0], simple=False, gravcomp=1.0,
        )  # fmt: skip
        set_inertia(body, *link)
        add_joint(body, axis, (0.0, 0.0, 1.0), gear_friction)
        bodies.append(body)
    add_flange(bodies[-1], (0.0, 0.0, FLANGE))
    _add_collision(base, bodies)
    if visual:
        fr3_shapes.add_arm(spec, base, bodies)
    add_actuators(spec, AXES, actuators)
    return base
