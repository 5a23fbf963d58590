"""What the wafer robots have in common: arm geometry, compliance, droop, drives, belts and the paddle.

Numbers of a machine live in the module of that machine; where they come from is in `PROVENANCE.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ShopfloorError
from .. import look
from ..parts import wafer
from .vacuum_scara import PAD_ANGLES, PAD_CIRCLE_RADIUS, PAD_TOP, SEAT_PENETRATION, SERVO_DAMPING_RATIO

Array = NDArray[np.float64]
Levers = tuple[tuple[Array, Array], ...]

BLADE_HALF = 0.00175  # m, half thickness of a fork
# Spheres that stand for pads and cups: small enough to end inside the blade, or they would touch the wafer below.
PAD_RADIUS = 0.0026  # m

# Joints that a belt or a gear couples: time constant and impedance of the equality. The coupling gives way by
# (1 - d) / d times the acceleration it prevents times the square of the time constant: some nanometres on a 0.4 m link
# whose joint is pulled with 100 rad/s^2. The engine lengthens the time constant to two timesteps where it has to.
COUPLING_SOLREF, COUPLING_SOLIMP = (0.001, 1.0), (0.9999, 0.9999, 0.001, 0.5, 2.0)


@dataclass(frozen=True)
class AxisLimit:
    """Largest speed, acceleration and jerk of an axis, in m or rad, per s, s^2 and s^3."""

    speed: float
    acceleration: float
    jerk: float


@dataclass(frozen=True)
class BeltArm:
    """Two links of equal length behind a 2:1 belt: the wrist runs along a straight line.

    Attributes:
        link: length of the upper arm and of the forearm, m.
        wrist_to_wafer: along the direction of motion, m.
        offset: distance of the wrist's line from the line of the wafer's centre, m.
    """

    link: float
    wrist_to_wafer: float
    offset: float = 0.0

    def radius(self, phi: ArrayLike) -> Array:
        """Wafer centre to robot axis (m) with the upper arm `phi` (rad) off the line of motion: 2 L cos(phi) + e."""
        return 2.0 * self.link * np.cos(np.asarray(phi, float)) + self.wrist_to_wafer

    def extension_angle(self, radius: ArrayLike) -> Array:
        """Angle phi (rad) that puts the wafer centre at `radius` (m); inverse of `radius`, in [0, pi]."""
        return np.arccos((np.asarray(radius, float) - self.wrist_to_wafer) / (2.0 * self.link))

    def rate(self, phi: ArrayLike) -> Array:
        """Derivative of the radius by phi (m/rad): -2 L sin(phi), zero at full extension."""
        return -2.0 * self.link * np.sin(np.asarray(phi, float))

    def joint_angles(self, radius: ArrayLike) -> tuple[Array, Array, Array]:
        """Angles (shoulder, elbow, wrist) in rad for the wafer centre at `radius` (m)."""
        phi = self.extension_angle(radius)
        return phi, -2.0 * phi, phi

    def levers(self, radius: ArrayLike) -> Levers:
        """(x, y) in m from robot axis, shoulder, elbow and wrist to the wafer centre at `radius` (m)."""
        r = np.asarray(radius, float)
        phi = self.extension_angle(r)
        along, out = self.link * np.cos(phi), self.link * np.sin(phi)
        zero = np.zeros_like(r)
        return (
            (r, zero),
            (r, zero - self.offset),
            (r - along, -self.offset - out),
            (zero + self.wrist_to_wafer, zero - self.offset),
        )


@dataclass(frozen=True)
class Compliance:
    """Softness of an arm at its paddle, as a function of the extension.

    Pivots with equal torsional springs in series give the tip the compliance sum(lever^2) / k across and along the
    arm; the frame and the column below add the same in every direction. Only ratios matter: the lateral mode at full
    extension, the lowest of all, has the stated frequency.

    Attributes:
        levers: function radius (m) -> (x, y) from each pivot to the wafer centre, m.
        full_radius: extension at which `frequency_hz` holds, m.
        frequency_hz: lateral mode at full extension with the nominal wafer on the paddle, Hz.
        damping_ratio: fraction of critical damping, the same for both directions at every extension.
        paddle_mass: mass in front of the springs without the wafer, kg.
        column_share: part of the compliance at full extension that does not follow the extension.
    """

    levers: Callable[[ArrayLike], Levers]
    full_radius: float
    frequency_hz: float
    damping_ratio: float
    paddle_mass: float
    column_share: float = 0.35

    def _relative(self, radius: ArrayLike) -> tuple[Array, Array]:
        """Radial and lateral compliance as a share of the lateral one at full extension."""
        full = sum(float(x) ** 2 for x, _ in self.levers(self.full_radius))
        belts = (1.0 - self.column_share) / full
        along = across = np.zeros_like(np.asarray(radius, float))
        for x, y in self.levers(radius):
            along, across = along + y * y, across + x * x
        return self.column_share + belts * along, self.column_share + belts * across

    def frequencies(self, radius: ArrayLike) -> tuple[Array, Array]:
        """Undamped frequencies (Hz) of the radial and the lateral mode at `radius` (m, any shape)."""
        radial, lateral = self._relative(radius)
        return self.frequency_hz / np.sqrt(radial), self.frequency_hz / np.sqrt(lateral)

    def frequency(self, radius: ArrayLike) -> Array:
        """Frequency (Hz) of the lowest mode, the lateral one, at `radius` (m, any shape)."""
        return self.frequencies(radius)[1]

    def stiffness(self, radius: ArrayLike) -> tuple[Array, Array]:
        """Stiffness (N/m) of the joints `flex_x` and `flex_y` for the extension `radius` (m, any shape)."""
        mass = self.paddle_mass + wafer.MASS
        fx, fy = self.frequencies(radius)
        return mass * (2.0 * np.pi * fx) ** 2, mass * (2.0 * np.pi * fy) ** 2

    def damping(self, radius: ArrayLike) -> tuple[Array, Array]:
        """Damping (N s/m) of the joints `flex_x` and `flex_y` for the extension `radius` (m, any shape)."""
        mass = self.paddle_mass + wafer.MASS
        fx, fy = self.frequencies(radius)
        scale = 4.0 * np.pi * self.damping_ratio * mass
        return scale * fx, scale * fy


@dataclass(frozen=True)
class Droop:
    """Sag of an arm under its weight: it tilts about its root in proportion to the extension.

    Attributes:
        sag: at the wafer centre at full extension, m.
        full_radius: m.
    """

    sag: float
    full_radius: float

    def tilt(self, radius: ArrayLike) -> Array:
        """Tilt (rad, tip down) at `radius` (m, any shape)."""
        return self.sag / self.full_radius**2 * np.asarray(radius, float)

    def drop(self, radius: ArrayLike) -> Array:
        """Height (m) that the wafer centre loses at `radius` (m, any shape)."""
        return self.tilt(radius) * np.asarray(radius, float)


def box_inertia(
    body: mujoco.MjsBody, mass: float, center: tuple[float, float, float], size: tuple[float, float, float]
) -> None:
    """Give `body` the inertia of a homogeneous box of `mass` (kg) and edge lengths `size` (m) around `center`."""
    x, y, z = size
    body.explicitinertial = True
    body.mass = mass
    body.ipos = center
    body.inertia = [mass / 12 * (y * y + z * z), mass / 12 * (x * x + z * z), mass / 12 * (x * x + y * y)]


def add_axis(
    body: mujoco.MjsBody,
    name: str,
    axis: tuple[float, float, float],
    *,
    slide: bool = False,
    armature: float = 0.0,
    limits: tuple[float, float] | None = None,
) -> mujoco.MjsJoint:
    """Joint of `body`, hinge or slide; `armature` in kg m^2 or kg, `limits` in rad or m."""
    kind = mujoco.mjtJoint.mjJNT_SLIDE if slide else mujoco.mjtJoint.mjJNT_HINGE
    return body.add_joint(
        name=name, type=kind, axis=axis, armature=armature, limited=limits is not None, range=limits or (0.0, 0.0)
    )


def add_servo(
    spec: mujoco.MjSpec, joint: str, inertia: float, frequency_hz: float, limit: float, feedforward: float = 0.0
) -> None:
    """Actuators `<joint>_position` and `<joint>_velocity`: kp (ctrl - q) and kv (ctrl - qdot).

    Args:
        spec: specification to extend.
        joint: name of the joint.
        inertia: largest that the drive moves, rotor included, kg or kg m^2.
        frequency_hz: bandwidth; see `vacuum_scara.set_integrator`.
        limit: force (N) or torque (N m) of each term.
        feedforward: constant force of the position term, for weight that the drive carries, N.
    """
    omega = 2.0 * np.pi * frequency_hz
    gains = (("position", inertia * omega**2, 1), ("velocity", 2.0 * SERVO_DAMPING_RATIO * inertia * omega, 2))
    for term, gain, slot in gains:
        actuator = spec.add_actuator(
            name=f"{joint}_{term}", target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT, forcelimited=True,
            forcerange=[-limit, limit], biastype=mujoco.mjtBias.mjBIAS_AFFINE,
        )  # fmt: skip
        actuator.gainprm[0] = gain
        actuator.biasprm[slot] = -gain
        if term == "position":
            actuator.biasprm[0] = feedforward


def couple(spec: mujoco.MjSpec, driven: str, driver: str, ratio: float) -> None:
    """Belt or gear `<driven>_coupling`: joint `driven` = ratio x joint `driver`."""
    equality = spec.add_equality(
        name=f"{driven}_coupling", type=mujoco.mjtEq.mjEQ_JOINT, objtype=mujoco.mjtObj.mjOBJ_JOINT, name1=driven,
        name2=driver, solref=COUPLING_SOLREF, solimp=COUPLING_SOLIMP,
    )  # fmt: skip
    equality.data[:5] = [0.0, ratio, 0.0, 0.0, 0.0]


def droop_quat(angle: float) -> list[float]:
    """Orientation (wxyz) of a paddle whose tip hangs down by `angle` (rad) about the wrist's lateral axis."""
    return [float(np.cos(angle / 2)), 0.0, float(np.sin(angle / 2)), 0.0]


def pad_positions(wrist_to_wafer: float) -> tuple[tuple[float, float], ...]:
    """(x, y) of the three pads in the frame of the paddle (m), the first on the palm."""
    return tuple(
        (wrist_to_wafer + PAD_CIRCLE_RADIUS * float(np.cos(a)), PAD_CIRCLE_RADIUS * float(np.sin(a)))
        for a in PAD_ANGLES
    )


def add_paddle(
    hub: mujoco.MjsBody,
    prefix: str,
    compliance: Compliance,
    *,
    pos: tuple[float, float, float],
    wrist_to_wafer: float,
    radius: float,
    droop: float,
) -> mujoco.MjsBody:
    """Add body `<prefix>paddle` with its springs, pads and sites to the wrist hub of an arm.

    Args:
        hub: body of the wrist, x along the direction of motion.
        prefix: of all names: joints `flex_x`, `flex_y`; geoms `pad_0` to `pad_2`; sites `wrist`, `tcp` (centre of a
            seated wafer, at mid-thickness).
        compliance: of the arm.
        pos: (3,) of the paddle's mid-plane below the wrist's line, in the frame of the hub, m.
        wrist_to_wafer: m.
        radius: extension whose compliance the springs get, m.
        droop: tilt of the paddle, tip down, rad.

    Returns:
        The body.
    """
    # Not "simple": its orientation (droop) and mass may be randomized, after which the shortcut would be wrong.
    paddle = hub.add_body(name=f"{prefix}paddle", pos=pos, quat=droop_quat(droop), simple=False)
    length = wrist_to_wafer + 0.06
    box_inertia(paddle, compliance.paddle_mass, (length * 0.55, 0.0, 0.0), (length, 0.20, 0.004))
    stiffness, damping = compliance.stiffness(radius), compliance.damping(radius)
    for axis, name in enumerate(("flex_x", "flex_y")):
        joint = add_axis(paddle, f"{prefix}{name}", (1.0 - axis, float(axis), 0.0), slide=True)
        joint.stiffness[0], joint.damping[0] = float(stiffness[axis]), float(damping[axis])
    for k, (x, y) in enumerate(pad_positions(wrist_to_wafer)):
        paddle.add_geom(
            name=f"{prefix}pad_{k}", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[PAD_RADIUS, 0.0, 0.0],
            pos=[x, y, PAD_TOP - PAD_RADIUS], mass=0.0, contype=0, conaffinity=0, group=look.GROUP_COLLISION,
        )  # fmt: skip
    paddle.add_site(name=f"{prefix}wrist", size=[0.003, 0.0, 0.0], group=4)
    tcp_z = PAD_TOP + 0.5 * wafer.THICKNESS - SEAT_PENETRATION
    paddle.add_site(name=f"{prefix}tcp", pos=[wrist_to_wafer, 0.0, tcp_z], size=[0.003, 0.0, 0.0], group=4)
    return paddle


def require_in(value: float, limits: tuple[float, float], what: str) -> None:
    """Raise ShopfloorError unless `value` of `what` lies in the closed range `limits`."""
    low, high = limits
    if not low <= value <= high:
        raise ShopfloorError(f"{what}={value!r}: choose a value in [{low:g}, {high:g}]")


def joint_home(spec_positions: Mapping[str, float], spec: mujoco.MjSpec) -> Array:
    """Keyframe of the joints of `spec` in their order; (nq,) with free joints at the pose of their body.

    Args:
        spec_positions: position by name of joint; joints without an entry are at zero.
        spec: the specification.

    Returns:
        The vector qpos.
    """
    values: list[float] = []
    for joint in spec.joints:
        if joint.type == mujoco.mjtJoint.mjJNT_FREE:
            values += [*joint.parent.pos.tolist(), *joint.parent.quat.tolist()]
        else:
            values.append(float(spec_positions.get(joint.name, 0.0)))
    return np.array(values)
