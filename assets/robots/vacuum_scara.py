"""Generic single-arm SCARA wafer robot for a vacuum transfer chamber.

No vendor's machine: proportions, masses and dynamics are typical of 300 mm vacuum robots. With all angles zero the
arm lies straight along +x. `shoulder = theta + phi, elbow = -2 phi, wrist = phi` moves the wafer centre to radius
`2 L cos(phi) + e` in direction theta, which is what the belt of a two-link arm with equal links does mechanically.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from .. import look
from ..parts import wafer
from . import vacuum_scara_shapes

JOINTS = ("lift", "shoulder", "elbow", "wrist")
FLEX_JOINTS = ("flex_x", "flex_y")

LINK_LENGTH = 0.36  # m, upper arm and forearm alike
WRIST_TO_WAFER = 0.30  # m
LIFT_RANGE = (0.0, 0.05)  # m
RADIUS_RANGE = (0.32, 1.02)  # m, wafer centre to robot axis

UPPER_ARM_MASS, FOREARM_MASS = 3.0, 2.0  # kg
HUB_MASS, PADDLE_MASS = 0.15, 0.35  # kg; the end effector of 0.5 kg
COLUMN_MASS = 6.0  # kg, lifted part of the column with the coaxial motors

# Rotor inertia seen at the joint. Large against what the links and the wafer contribute to the coupling of the
# joints, as in geared or high-inertia direct drives, so that each axis can be tuned on its own.
ARMATURE = {"lift": 20.0, "shoulder": 1.5, "elbow": 0.5, "wrist": 0.05}  # kg for lift, else kg m^2
# Armature plus links and wafer at full extension, where they are largest.
SERVO_INERTIA = {"lift": 31.6, "shoulder": 2.75, "elbow": 0.78, "wrist": 0.09}  # kg, kg m^2
SERVO_FREQUENCY_HZ = 80.0
# Servo frequency times timestep up to which all servo modes decay without alternating from step to step at every
# extension when the servo damping is integrated explicitly; twice as much is unstable.
MAX_SERVO_CYCLES_PER_STEP = 0.04
# Each axis alone would be critically damped at 1; the coupling of shoulder, elbow and wrist needs a little more for
# a damping ratio of at least 0.98 at every extension.
SERVO_DAMPING_RATIO = 1.2
FORCE_LIMIT = {"lift": 3000.0, "shoulder": 400.0, "elbow": 200.0, "wrist": 30.0}  # N, N m; each servo term

# Heights above the base flange with the lift down (m).
UPPER_ARM_Z, FOREARM_Z, PADDLE_Z = 0.075, 0.125, 0.175

PAD_CIRCLE_RADIUS = 0.10  # m, about the wafer centre
PAD_RADIUS = 0.005  # m
PAD_TOP = 0.0035  # m above the mid-plane of the paddle: the pads protrude 1.5 mm from its 4 mm thickness
# Depth by which the weight of the wafer presses the contact springs of the pads together, with the contact
# parameters of `cells.transfer_chamber` (measured; independent of the timestep).
SEAT_PENETRATION = 6.629e-7  # m
PAD_ANGLES = (np.pi, np.pi / 3, -np.pi / 3)  # rad about the wafer centre, pad_0 on the palm
# Pad centres in the frame of the paddle (m).
PAD_POSITIONS = tuple(
    (WRIST_TO_WAFER + PAD_CIRCLE_RADIUS * float(np.cos(a)), PAD_CIRCLE_RADIUS * float(np.sin(a))) for a in PAD_ANGLES
)

FLEX_FREQUENCY_HZ, FLEX_DAMPING_RATIO = 14.0, 0.02


@dataclass(frozen=True)
class Flexure:
    """Compliance of belts, bearings and links, lumped between wrist and paddle."""

    stiffness: float  # N/m
    damping: float  # N s/m


def flexure(
    frequency_hz: float = FLEX_FREQUENCY_HZ,
    damping_ratio: float = FLEX_DAMPING_RATIO,
    payload: float = wafer.MASS,
) -> Flexure:
    """Stiffness and damping that give the paddle with `payload` (kg) a mode of `frequency_hz` and `damping_ratio`.

    Args:
        frequency_hz: undamped natural frequency with the wrist held, Hz.
        damping_ratio: fraction of critical damping.
        payload: mass carried without slip, kg.

    Returns:
        The parameters of both flexure joints: k = m (2 pi f)^2, c = 2 zeta m (2 pi f).
    """
    mass, omega = PADDLE_MASS + payload, 2.0 * np.pi * frequency_hz
    return Flexure(stiffness=mass * omega**2, damping=2.0 * damping_ratio * mass * omega)


def servo_gains(joint: str, frequency_hz: float = SERVO_FREQUENCY_HZ) -> tuple[float, float]:
    """Gains (kp, kv) of a servo of `frequency_hz`, without overshoot, on `joint`.

    A reference that is given as position (at the start of a step) and velocity (at its end) is followed with an
    error of at most about acceleration / omega^2.
    """
    inertia, omega = SERVO_INERTIA[joint], 2.0 * np.pi * frequency_hz
    return inertia * omega**2, 2.0 * SERVO_DAMPING_RATIO * inertia * omega


def extension_angle(radius: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Half elbow angle phi (rad) that puts the wafer centre at `radius` (m); inverse of 2 L cos(phi) + e."""
    return np.arccos((np.asarray(radius, float) - WRIST_TO_WAFER) / (2.0 * LINK_LENGTH))


def joint_angles(
    theta: float | NDArray[np.float64], radius: float | NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Angles (shoulder, elbow, wrist) in rad for a radially pointing paddle at `theta` (rad), `radius` (m)."""
    phi = extension_angle(radius)
    return np.asarray(theta, float) + phi, -2.0 * phi, phi


def droop_quat(angle: float) -> list[float]:
    """Orientation (wxyz) of body `paddle` whose tip hangs down by `angle` rad about the wrist's lateral axis."""
    return [float(np.cos(angle / 2)), 0.0, float(np.sin(angle / 2)), 0.0]


def _slender(
    body: mujoco.MjsBody, mass: float, center: tuple[float, float, float], size: tuple[float, float, float]
) -> None:
    """Inertia of a homogeneous box of edge lengths `size` (m)."""
    x, y, z = size
    body.explicitinertial = True
    body.mass = mass
    body.ipos = center
    body.inertia = [mass / 12 * (y * y + z * z), mass / 12 * (x * x + z * z), mass / 12 * (x * x + y * y)]


def _add_joint(body: mujoco.MjsBody, name: str) -> None:
    slide = name == "lift"
    body.add_joint(
        name=name, type=mujoco.mjtJoint.mjJNT_SLIDE if slide else mujoco.mjtJoint.mjJNT_HINGE, axis=[0.0, 0.0, 1.0],
        armature=ARMATURE[name], limited=slide, range=LIFT_RANGE if slide else [0.0, 0.0],
    )  # fmt: skip


def _add_paddle(hub: mujoco.MjsBody, soft: Flexure) -> mujoco.MjsBody:
    # Not "simple": its orientation (droop) and mass may be randomized, after which the shortcut would be wrong.
    paddle = hub.add_body(name="paddle", simple=False)
    _slender(paddle, PADDLE_MASS, (0.20, 0.0, 0.0), (0.36, 0.20, 0.004))
    for name, axis in zip(FLEX_JOINTS, ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]), strict=True):
        joint = paddle.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=axis)
        joint.stiffness[0] = soft.stiffness
        joint.damping[0] = soft.damping
    for k, (x, y) in enumerate(PAD_POSITIONS):
        paddle.add_geom(
            name=f"pad_{k}", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[PAD_RADIUS, 0.0, 0.0],
            pos=[x, y, PAD_TOP - PAD_RADIUS], mass=0.0, contype=0, conaffinity=0, group=look.GROUP_COLLISION,
        )  # fmt: skip
    paddle.add_site(name="wrist", size=[0.003, 0.0, 0.0], group=4)
    tcp_z = PAD_TOP + 0.5 * wafer.THICKNESS - SEAT_PENETRATION
    paddle.add_site(name="tcp", pos=[WRIST_TO_WAFER, 0.0, tcp_z], size=[0.003, 0.0, 0.0], group=4)
    return paddle


def set_integrator(spec: mujoco.MjSpec, timestep: float) -> float:
    """Choose the time integration of a model with this robot.

    Plain semi-implicit Euler. The implicit integrators add the derivative of the stiff servo damping to the inertia
    after contact forces were computed without it, so that the hub accelerates differently from what the contact
    assumed: the wafer then shifts under the pads in proportion to the speed (34 um at 1 m/s and 0.5 ms).

    Args:
        spec: specification to configure.
        timestep: seconds.

    Returns:
        The highest servo frequency (Hz) that is safe at this timestep, not above the nominal one.
    """
    spec.option.timestep = timestep
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_EULER
    spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_EULERDAMP
    return min(SERVO_FREQUENCY_HZ, MAX_SERVO_CYCLES_PER_STEP / timestep)


def _add_servos(spec: mujoco.MjSpec, frequency_hz: float) -> None:
    """Two terms per joint, each its own actuator: kp (ctrl - q) and kv (ctrl - qdot)."""
    lifted = COLUMN_MASS + UPPER_ARM_MASS + FOREARM_MASS + HUB_MASS + PADDLE_MASS + wafer.MASS
    for joint in JOINTS:
        kp, kv = servo_gains(joint, frequency_hz)
        limit = FORCE_LIMIT[joint]
        for term, gain, slot in (("position", kp, 1), ("velocity", kv, 2)):
            actuator = spec.add_actuator(
                name=f"{joint}_{term}", target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT, forcelimited=True,
                forcerange=[-limit, limit], biastype=mujoco.mjtBias.mjBIAS_AFFINE,
            )  # fmt: skip
            actuator.gainprm[0] = gain
            actuator.biasprm[slot] = -gain
            if joint == "lift" and term == "position":
                actuator.biasprm[0] = lifted * 9.81  # feed-forward of the drive for the weight it carries


def add_vacuum_scara(
    spec: mujoco.MjSpec,
    parent: mujoco.MjsBody,
    *,
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0),
    servo_frequency_hz: float = SERVO_FREQUENCY_HZ,
    soft: Flexure | None = None,
    visual: bool = True,
) -> mujoco.MjsBody:
    """Mount the robot on `parent`, base flange at `pos`.

    Joints, in order: lift (m), shoulder, elbow, wrist (rad), and the passive flex_x (radial) and flex_y (lateral)
    between the wrist hub and body `paddle` (m). Actuators `<joint>_position` and `<joint>_velocity` for the four
    driven joints. Sites `wrist` and `tcp` (centre of a seated wafer at mid-thickness) are fixed to the paddle. The
    pads `pad_0` to `pad_2` take part in no automatic contact.

    Args:
        spec: specification to extend.
        parent: body that carries the base flange.
        pos: (3,) position of the base flange in `parent`, m.
        servo_frequency_hz: bandwidth of the servos, see `set_integrator`.
        soft: flexure parameters; by default those of `flexure()`.
        visual: also add the drawn shapes.

    Returns:
        The fixed base body.
    """
    base = parent.add_body(name="base", pos=pos)
    column = base.add_body(name="column", simple=False)
    _slender(column, COLUMN_MASS, (0.0, 0.0, -0.1), (0.2, 0.2, 0.3))
    _add_joint(column, "lift")
    upper = column.add_body(name="upper_arm", pos=[0.0, 0.0, UPPER_ARM_Z], simple=False)
    _slender(upper, UPPER_ARM_MASS, (LINK_LENGTH / 2, 0.0, 0.0), (LINK_LENGTH + 0.14, 0.12, 0.04))
    _add_joint(upper, "shoulder")
    forearm = upper.add_body(name="forearm", pos=[LINK_LENGTH, 0.0, FOREARM_Z - UPPER_ARM_Z], simple=False)
    _slender(forearm, FOREARM_MASS, (LINK_LENGTH / 2, 0.0, 0.0), (LINK_LENGTH + 0.11, 0.10, 0.035))
    _add_joint(forearm, "elbow")
    hub = forearm.add_body(name="wrist_hub", pos=[LINK_LENGTH, 0.0, PADDLE_Z - FOREARM_Z], simple=False)
    _slender(hub, HUB_MASS, (0.0, 0.0, 0.0), (0.08, 0.08, 0.02))
    _add_joint(hub, "wrist")
    paddle = _add_paddle(hub, soft if soft is not None else flexure())
    _add_servos(spec, servo_frequency_hz)
    if visual:
        bodies = (base, column, upper, forearm, hub, paddle)
        vacuum_scara_shapes.add_robot(spec, bodies, PAD_POSITIONS, PAD_RADIUS, PAD_TOP)
    return base


def vacuum_scara(*, timestep: float = 0.0005, soft: Flexure | None = None, visual: bool = True) -> mujoco.MjSpec:
    """Specification that holds the robot alone; see `add_vacuum_scara` for names and arguments.

    Args:
        timestep: seconds; the bandwidth of the servos follows it.
        soft: flexure parameters; by default those of `flexure()`.
        visual: also add the drawn shapes.

    Returns:
        The specification.
    """
    spec = mujoco.MjSpec()
    spec.modelname = "vacuum_scara"
    spec.compiler.degree = False
    frequency = set_integrator(spec, timestep)
    add_vacuum_scara(spec, spec.worldbody, servo_frequency_hz=frequency, soft=soft, visual=visual)
    return spec
