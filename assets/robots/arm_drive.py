"""Driven axes of an arm: limits, motor, gear and servo in one place, and the joints and actuators made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import mujoco
import numpy as np

from ...errors import ShopfloorError

Actuators = Literal["position", "velocity", "torque"]

# The coupling of the joints lowers the damping of a servo that is tuned joint by joint: 1.4 times the single-joint
# critical damping keeps the damping ratio of the whole arm >= 1 in every posture.
SERVO_DAMPING_RATIO = 1.4
VELOCITY_SERVO_TIME_S = 0.010  # time constant of the velocity servo


@dataclass(frozen=True)
class Axis:
    """One driven axis. Units are rad, N m and kg m^2; for a slide m, N and kg.

    Attributes:
        joint: name of the joint and of its actuator.
        low, high: range.
        speed: speed limit (unit/s).
        effort: largest torque or force of the drive, at the joint.
        acceleration, jerk: limits for planned motion (unit/s^2, unit/s^3).
        rotor: inertia of the motor's rotor with brake and input gear (kg m^2).
        ratio: motor revolutions per joint revolution; for a slide, motor radians per metre.
        damping: viscous loss of gear and grease at the joint (N m s/rad).
        friction: Coulomb friction of the gear at the joint (N m).
        load: largest inertia that the servo meets at this axis, arm stretched out with its payload, rotor included.
        servo_hz: natural frequency of the position servo at `load`.
        slide: linear axis.
    """

    joint: str
    low: float
    high: float
    speed: float
    effort: float
    acceleration: float
    jerk: float
    rotor: float
    ratio: float
    damping: float
    friction: float
    load: float
    servo_hz: float = 12.0
    slide: bool = False

    @property
    def armature(self) -> float:
        """Inertia of the rotor, seen at the joint."""
        return self.rotor * self.ratio * self.ratio

    @property
    def servo_kp(self) -> float:
        """Stiffness of the position servo (N m/rad)."""
        return float((2.0 * np.pi * self.servo_hz) ** 2 * self.load)

    @property
    def servo_kv(self) -> float:
        """Damping of the position servo (N m s/rad); kv / kp is the lag behind a moving set-point."""
        return float(2.0 * SERVO_DAMPING_RATIO * 2.0 * np.pi * self.servo_hz * self.load)

    @property
    def velocity_kv(self) -> float:
        """Gain of the velocity servo (N m s/rad)."""
        return self.load / VELOCITY_SERVO_TIME_S


def check_actuators(kind: str) -> None:
    """Refuse an unknown kind of actuator.

    Raises:
        ShopfloorError: if `kind` is not one of `Actuators`.
    """
    if kind not in get_args(Actuators):
        raise ShopfloorError(f"actuators={kind!r}: choose one of {', '.join(get_args(Actuators))}")


def add_joint(
    body: mujoco.MjsBody, axis: Axis, direction: tuple[float, float, float], gear_friction: bool = False
) -> None:
    """Add the joint of `axis` to `body`, turning about (or moving along) `direction` (3,) through the body's origin.

    The drive carries the weight of the arm like a controller that knows its payload: gravity compensation acts
    through the actuator and counts against its limit.
    """
    kind = mujoco.mjtJoint.mjJNT_SLIDE if axis.slide else mujoco.mjtJoint.mjJNT_HINGE
    body.add_joint(
        name=axis.joint, type=kind, axis=direction, limited=True, range=[axis.low, axis.high],
        armature=axis.armature, damping=axis.damping, frictionloss=axis.friction if gear_friction else 0.0,
        solref_friction=[0.004, 1.0], solimp_friction=[0.99, 0.999, 0.001, 0.5, 2.0],
        actgravcomp=True, actfrclimited=True, actfrcrange=[-axis.effort, axis.effort],
    )  # fmt: skip


def add_actuators(spec: mujoco.MjSpec, axes: Sequence[Axis], kind: Actuators) -> None:
    """Add one actuator per axis, named like its joint: ctrl in rad, rad/s or N m (m, m/s or N for a slide)."""
    for axis in axes:
        actuator = spec.add_actuator(
            name=axis.joint, target=axis.joint, trntype=mujoco.mjtTrn.mjTRN_JOINT, forcelimited=True,
            forcerange=[-axis.effort, axis.effort], ctrllimited=True,
        )  # fmt: skip
        if kind == "position":
            actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
            actuator.gainprm[0] = axis.servo_kp
            actuator.biasprm[1:3] = [-axis.servo_kp, -axis.servo_kv]
            actuator.ctrlrange = [axis.low, axis.high]
        elif kind == "velocity":
            actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
            actuator.gainprm[0] = axis.velocity_kv
            actuator.biasprm[2] = -axis.velocity_kv
            actuator.ctrlrange = [-axis.speed, axis.speed]
        else:
            actuator.ctrlrange = [-axis.effort, axis.effort]
