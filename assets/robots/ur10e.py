"""UR10e-class six-axis arm with a touch probe.

Kinematics, masses, centres of mass and inertia tensors are the values that Universal Robots publishes under
"DH Parameters for calculations of kinematics and dynamics"; joint torques are from "Max. joint torques"; speeds
and ranges are from the UR10e user manual. The shapes are our own (see PROVENANCE.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ShopfloorError
from .. import look
from . import ur10e_shapes

Actuators = Literal["position", "velocity", "torque"]

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow", "wrist_1", "wrist_2", "wrist_3")

# Standard Denavit-Hartenberg parameters, joint angle zero: T_i = Rz(q) Tz(d) Tx(a) Rx(alpha).
DH_A = (0.0, -0.6127, -0.57155, 0.0, 0.0, 0.0)  # m
DH_D = (0.1807, 0.0, 0.0, 0.17415, 0.11985, 0.11655)  # m
DH_ALPHA = (np.pi / 2, 0.0, 0.0, np.pi / 2, -np.pi / 2, 0.0)  # rad

# +- range (rad). The elbow is mechanically able to turn further but the upper arm is in the way.
JOINT_RANGE = (2 * np.pi, 2 * np.pi, np.pi, 2 * np.pi, 2 * np.pi, 2 * np.pi)
JOINT_SPEED_LIMIT = tuple(np.deg2rad((120.0, 120.0, 180.0, 180.0, 180.0, 180.0)).tolist())  # rad/s
JOINT_TORQUE_LIMIT = (330.0, 330.0, 150.0, 56.0, 56.0, 56.0)  # N m

BASE_MASS = 4.0  # kg, fixed housing below joint 1
TOOL_MASS = 0.25  # kg, touch probe with adapter
TOOL_LENGTH = 0.10  # m, flange to TCP


@dataclass(frozen=True)
class Link:
    """A moving link; centre of mass (m) and inertia about it (kg m^2) in the DH frame at the link's far end."""

    body: str
    mass: float
    com: tuple[float, float, float]
    inertia: tuple[float, float, float, float, float, float]  # xx, yy, zz, xy, xz, yz


LINKS = (
    Link("shoulder", 7.369, (0.021, 0.0, 0.027), (0.03408, 0.03529, 0.02156, 2e-5, -0.00425, 8e-5)),
    Link("upper_arm", 13.051, (0.38, 0.0, 0.158), (0.02814, 0.77068, 0.76943, 5e-5, -0.01561, 2e-5)),
    Link("forearm", 3.989, (0.24, 0.0, 0.068), (0.01014, 0.30928, 0.30646, 8e-5, 0.00916, 0.0)),
    Link("wrist_1", 2.1, (0.0, 0.007, 0.018), (0.00296, 0.00222, 0.00258, -1e-5, 0.0, -0.00024)),
    Link("wrist_2", 1.98, (0.0, 0.007, 0.018), (0.00296, 0.00222, 0.00258, -1e-5, 0.0, -0.00024)),
    Link("wrist_3", 0.615, (0.0, 0.0, -0.026), (0.00040, 0.00041, 0.00034, 0.0, 0.0, 0.0)),
)

# Rotor and wave-generator inertia seen at the joint, J_rotor * ratio^2 with the ratio 101 of the strain wave
# gears: 1e-4 kg m^2 for the two large joints, 5e-5 and 1e-5 for the smaller sizes (frameless motors of that size).
ARMATURE = (1.0, 1.0, 0.5, 0.10, 0.10, 0.10)  # kg m^2
# Viscous loss of gear and grease: 5 to 10 % of the rated torque at full speed.
DAMPING = (10.0, 10.0, 5.0, 2.0, 2.0, 2.0)  # N m s/rad

# Position servo: 12 Hz at the largest inertia a joint meets (arm stretched out; 14.7, 14.4, 3.4, 0.25, 0.2, 0.15
# kg m^2, the wrist with a payload), and 1.4 times the single-joint critical damping, which is what the coupling of
# the joints needs for a damping ratio >= 1 in every posture. A moving set-point is followed 37 ms late.
SERVO_KP = (84000.0, 82000.0, 19500.0, 1400.0, 1150.0, 850.0)  # N m/rad
SERVO_KV = (3100.0, 3050.0, 725.0, 52.0, 43.0, 32.0)  # N m s/rad
# Velocity servo: 10 ms time constant at the same inertia.
SERVO_VELOCITY_KV = (1470.0, 1440.0, 340.0, 25.0, 20.0, 15.0)  # N m s/rad


def dh_rotation(alpha: float) -> NDArray[np.float64]:
    """(3, 3) rotation about x by `alpha` rad."""
    c, s = np.cos(alpha), np.sin(alpha)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def _rx_quat(alpha: float) -> list[float]:
    return [float(np.cos(alpha / 2)), float(np.sin(alpha / 2)), 0.0, 0.0]


def _set_inertial(body: mujoco.MjsBody, index: int) -> None:
    """Published inertial data, moved from the DH frame at the link's end to the frame at its joint."""
    link = LINKS[index]
    rotation = dh_rotation(DH_ALPHA[index])
    xx, yy, zz, xy, xz, yz = link.inertia
    tensor = rotation @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ rotation.T
    body.explicitinertial = True
    body.mass = link.mass
    body.ipos = np.array([DH_A[index], 0.0, DH_D[index]]) + rotation @ np.array(link.com)
    body.fullinertia = [tensor[0, 0], tensor[1, 1], tensor[2, 2], tensor[0, 1], tensor[0, 2], tensor[1, 2]]


def _add_tool(spec: mujoco.MjSpec, wrist: mujoco.MjsBody, length: float, visual: bool) -> None:
    tool = wrist.add_body(name="tool", pos=[0.0, 0.0, DH_D[5]], simple=False, gravcomp=1.0)
    tool.explicitinertial = True
    tool.mass = TOOL_MASS
    # Adapter and probe body near the flange; the stylus weighs next to nothing.
    tool.ipos = [0.0, 0.0, 0.3 * length]
    transverse = TOOL_MASS * (0.02**2 / 4 + (0.7 * length) ** 2 / 12)
    tool.inertia = [transverse, transverse, TOOL_MASS * 0.02**2 / 2]
    tool.add_site(name="tcp", pos=[0.0, 0.0, length], size=[0.004, 0.0, 0.0], group=4)
    _capsule(tool, "tool_collision", (0.0, 0.0, 0.02), (0.0, 0.0, length - 0.008), 0.008, conaffinity=3)
    if visual:
        ur10e_shapes.add_tool(spec, tool, length)


def _capsule(
    body: mujoco.MjsBody, name: str, start: ArrayLike, stop: ArrayLike, radius: float, *, contype: int = 0,
    conaffinity: int = 0,
) -> None:  # fmt: skip
    body.add_geom(
        name=name, type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=np.concatenate([start, stop]), size=[radius, 0.0, 0.0],
        contype=contype, conaffinity=conaffinity, mass=0.0, group=look.GROUP_COLLISION,
    )  # fmt: skip


def _add_collision(base: mujoco.MjsBody, links: list[mujoco.MjsBody]) -> None:
    """Capsules. Bit 0: surroundings (set by the cell); bit 1: near half of the arm, which only the wrist can hit."""
    _capsule(base, "base_collision", (0.0, 0.0, 0.03), (0.0, 0.0, 0.14), 0.085, contype=2)
    elbow, wrist = (DH_A[1], 0.0), (DH_A[2], 0.0)
    _capsule(links[1], "upper_arm_collision", (0.0, 0.0, 0.176), (*elbow, 0.176), 0.075, contype=2, conaffinity=1)
    _capsule(links[2], "forearm_collision", (0.0, 0.0, 0.039), (*wrist, 0.039), 0.060, conaffinity=3)
    _capsule(links[3], "wrist_1_collision", (0.0, 0.0, 0.10), (0.0, 0.0, 0.18), 0.048, conaffinity=3)
    _capsule(links[4], "wrist_2_collision", (0.0, 0.0, 0.04), (0.0, 0.0, 0.13), 0.048, conaffinity=3)
    _capsule(links[5], "wrist_3_collision", (0.0, 0.0, 0.06), (0.0, 0.0, 0.09), 0.044, conaffinity=3)


def _add_actuators(spec: mujoco.MjSpec, kind: Actuators) -> None:
    for i, joint in enumerate(JOINTS):
        torque, speed, span = JOINT_TORQUE_LIMIT[i], JOINT_SPEED_LIMIT[i], JOINT_RANGE[i]
        actuator = spec.add_actuator(
            name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT, forcelimited=True,
            forcerange=[-torque, torque], ctrllimited=True,
        )  # fmt: skip
        if kind == "position":
            actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
            actuator.gainprm[0] = SERVO_KP[i]
            actuator.biasprm[1:3] = [-SERVO_KP[i], -SERVO_KV[i]]
            actuator.ctrlrange = [-span, span]
        elif kind == "velocity":
            actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
            actuator.gainprm[0] = SERVO_VELOCITY_KV[i]
            actuator.biasprm[2] = -SERVO_VELOCITY_KV[i]
            actuator.ctrlrange = [-speed, speed]
        else:
            actuator.ctrlrange = [-torque, torque]


def add_ur10e(
    spec: mujoco.MjSpec,
    parent: mujoco.MjsBody,
    *,
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0),
    quat: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0),
    actuators: Actuators = "position",
    tool_length: float = TOOL_LENGTH,
    visual: bool = True,
) -> mujoco.MjsBody:
    """Mount the arm on `parent`.

    Joints, in order: shoulder_pan, shoulder_lift, elbow, wrist_1, wrist_2, wrist_3 (rad); sites `flange` and `tcp`,
    both with z out of the flange. The controller compensates gravity of arm and tool, within the torque limits.
    Geoms of the surroundings that the arm may hit need contype 1.

    Args:
        spec: specification to extend.
        parent: body that carries the base.
        pos: (3,) base position in `parent`, m; the base frame is the DH frame 0.
        quat: (4,) base orientation in `parent`, wxyz.
        actuators: "position" (ctrl in rad), "velocity" (ctrl in rad/s) or "torque" (ctrl in N m); one per joint,
            named like the joint.
        tool_length: flange to TCP, m.
        visual: also add the drawn shapes. Dynamics and contacts do not depend on them.

    Returns:
        The fixed base body.

    Raises:
        ShopfloorError: unknown kind of actuator or impossible tool length.
    """
    if actuators not in get_args(Actuators):
        raise ShopfloorError(f"actuators={actuators!r}: choose one of {', '.join(get_args(Actuators))}")
    if not 0.06 <= tool_length <= 0.5:
        raise ShopfloorError(f"tool_length={tool_length!r} m: the probe can be 0.06 to 0.5 m long")
    base = parent.add_body(name="base", pos=pos, quat=quat)
    base.explicitinertial = True
    base.mass = BASE_MASS
    base.ipos = [0.0, 0.0, 0.05]
    base.inertia = [0.0113, 0.0113, 0.018]  # cylinder of 95 mm radius, 100 mm high
    bodies: list[mujoco.MjsBody] = []
    body = base
    for i, (joint, link) in enumerate(zip(JOINTS, LINKS, strict=True)):
        offset = (0.0, 0.0, 0.0) if i == 0 else (DH_A[i - 1], 0.0, DH_D[i - 1])
        turn = 0.0 if i == 0 else DH_ALPHA[i - 1]
        body = body.add_body(name=link.body, pos=offset, quat=_rx_quat(turn), simple=False, gravcomp=1.0)
        _set_inertial(body, i)
        torque = JOINT_TORQUE_LIMIT[i]
        body.add_joint(
            name=joint, type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0.0, 0.0, 1.0], limited=True,
            range=[-JOINT_RANGE[i], JOINT_RANGE[i]], armature=ARMATURE[i], damping=DAMPING[i], actgravcomp=True,
            actfrclimited=True, actfrcrange=[-torque, torque],
        )  # fmt: skip
        bodies.append(body)
    bodies[5].add_site(name="flange", pos=[0.0, 0.0, DH_D[5]], size=[0.004, 0.0, 0.0], group=4)
    _add_collision(base, bodies)
    if visual:
        ur10e_shapes.add_arm(spec, base, bodies)
    _add_tool(spec, bodies[5], tool_length, visual)
    _add_actuators(spec, actuators)
    return base


def ur10e(*, actuators: Actuators = "position", tool_length: float = TOOL_LENGTH, visual: bool = True) -> mujoco.MjSpec:
    """Specification that holds the arm alone, base at the origin; see `add_ur10e` for names and arguments.

    Returns:
        The specification, with the recommended timestep and integrator.
    """
    spec = mujoco.MjSpec()
    spec.modelname = "ur10e"
    spec.compiler.degree = False
    spec.option.timestep = 0.002
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    add_ur10e(spec, spec.worldbody, actuators=actuators, tool_length=tool_length, visual=visual)
    return spec
