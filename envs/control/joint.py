"""Joint-space interfaces: position increments, velocity and torque."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from ...limits import MotionLimiter, MotionLimits
from ..engine.task import Rows
from .interface import ActionTerm

Array = NDArray[np.float64]


def ramp(start: Array, end: Array, substeps: int) -> Array:
    """Straight-line commands (n, substeps, nu) that leave `start` and arrive at `end`, both (n, nu)."""
    fraction = np.arange(1, substeps + 1) / substeps
    return start[:, None, :] + (end - start)[:, None, :] * fraction[None, :, None]


class _JointInterface:
    """What the joint-space interfaces share: names, limits and the limited reference of every row."""

    name = ""
    unit = ""

    def __init__(self, joints: Sequence[str], limits: MotionLimits):
        if len(joints) != limits.dof:
            raise ShopfloorError(f"{len(joints)} joints but limits of {limits.dof} axes")
        self.joints = tuple(joints)
        self.motion = limits

    def limits(self) -> dict[str, Any]:
        """Motion limits as plain data."""
        return {"joints": list(self.joints), **self.motion.as_dict()}

    def bind(self, s: Rows) -> None:
        """Resolve joints and actuators; an actuator has the name of its joint."""
        self._qpos = s.sim.qpos_index(self.joints)
        self._qvel = s.sim.qvel_index(self.joints)
        self._ctrl = s.sim.ids("actuator", self.joints)
        self._whole = self._ctrl.size == s.sim.ctrl.shape[1] and (np.diff(self._ctrl) == 1).all()
        self._limiter = MotionLimiter(self.motion, s.timing.control_dt)
        for name in ("reference", "reference_velocity", "reference_acceleration"):
            s.new(f"joint_{name}", (self.motion.dof,))

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Reference = measured position, at rest."""
        s.joint_reference[rows] = s.sim.qpos[np.ix_(rows, self._qpos)]
        s.joint_reference_velocity[rows] = 0.0
        s.joint_reference_acceleration[rows] = 0.0

    def _follow(self, s: Rows, start: Array, end: Array, rows: NDArray[np.intp] | None) -> None:
        """Ramp the joint actuators from `start` to `end`, both (n, dof), over one control step."""
        commands = ramp(start, end, s.timing.substeps)
        if not self._whole:
            full = np.repeat(s.sim.ctrl[:, None, :], s.timing.substeps, axis=1)
            full[:, :, self._ctrl] = commands
            commands = full
        s.sim.follow(commands if rows is None else commands[rows], rows)


class JointPosition(_JointInterface):
    """Increments of the joint target.

    The target never leaves the joint range, nor runs ahead of the reference by more than the limiter needs to go at
    the speed of full increments: what was asked for beyond that is forgotten rather than made up for later.

    Args:
        joints: joint names; actuators of the same names are position servos.
        limits: motion limits, rad and s.
        increment: largest change of the target a control step, rad; default velocity limit times control period.
        control_hz: control rate for which the default increment is computed.
    """

    name = "joint_position"

    def __init__(
        self, joints: Sequence[str], limits: MotionLimits, control_hz: float, increment: Sequence[float] | None = None
    ):
        super().__init__(joints, limits)
        self._increment = limits.velocity / control_hz if increment is None else np.asarray(increment, float)

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """One increment a joint."""
        return tuple(
            ActionTerm(f"{j}_increment", "rad", -float(d), float(d), "joint", f"change of the {j} target a step")
            for j, d in zip(self.joints, self._increment, strict=True)
        )

    def bind(self, s: Rows) -> None:
        """Resolve names and register the target."""
        super().bind(s)
        s.new("joint_target", (self.motion.dof,))
        fastest = np.minimum(self._increment / s.timing.control_dt, self.motion.velocity)
        self._lead = self._limiter.approach_distance(fastest)

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Target = reference = measured position."""
        super().reset(s, rows)
        s.joint_target[rows] = s.joint_reference[rows]

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Move the target, limit the reference, let the position servos follow it."""
        start = s.joint_reference.copy()
        lim, lead = self.motion, self._lead
        target = s.joint_target + setpoints
        np.minimum(np.maximum(target, start - lead, out=target), start + lead, out=target)
        np.minimum(np.maximum(target, lim.low, out=target), lim.high, out=target)
        s.joint_target[...] = target
        self._limiter.toward_position(
            s.joint_reference, s.joint_reference_velocity, s.joint_reference_acceleration, target
        )
        self._follow(s, start, s.joint_reference, rows)


class JointVelocity(_JointInterface):
    """Joint velocities, integrated by the limiter and followed by the position servos."""

    name = "joint_velocity"

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """One velocity a joint."""
        return tuple(
            ActionTerm(f"{j}_velocity", "rad/s", -float(v), float(v), "joint", f"velocity of {j}")
            for j, v in zip(self.joints, self.motion.velocity, strict=True)
        )

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Limit the velocity, integrate it inside the joint range, let the position servos follow."""
        start = s.joint_reference.copy()
        track_velocity(self._limiter, s, setpoints)
        self._follow(s, start, s.joint_reference, rows)


def track_velocity(limiter: MotionLimiter, s: Rows, velocity: Array) -> None:
    """Advance the joint reference of all rows toward a velocity (n, dof), stopping short of the joint range."""
    lim = limiter.limits
    fastest = limiter.approach_speed(np.maximum(lim.high - s.joint_reference, 0.0))
    slowest = -limiter.approach_speed(np.maximum(s.joint_reference - lim.low, 0.0))
    velocity = np.minimum(np.maximum(velocity, slowest), fastest)
    limiter.toward_velocity(s.joint_reference, s.joint_reference_velocity, s.joint_reference_acceleration, velocity)


class JointTorque(_JointInterface):
    """Joint torques on motors, bounded in range and rate.

    A motion limit cannot be promised for a torque command. What is enforced is torque, torque rate, and at every
    control step that no torque drives a joint on which is too fast already or about to leave its range.

    Args:
        joints: joint names; actuators of the same names are motors.
        limits: motion limits, rad and s.
        torque: largest torque of each joint, N m.
        rate: largest change of torque, N m/s.
    """

    name = "joint_torque"

    def __init__(
        self, joints: Sequence[str], limits: MotionLimits, torque: Sequence[float], rate: Sequence[float] | None = None
    ):
        super().__init__(joints, limits)
        self.torque = np.asarray(torque, dtype=np.float64)
        self.rate = self.torque / 0.02 if rate is None else np.asarray(rate, dtype=np.float64)

    def limits(self) -> dict[str, Any]:
        """Motion, torque and torque-rate limits as plain data."""
        return {**super().limits(), "torque": self.torque.tolist(), "torque_rate": self.rate.tolist()}

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """One torque a joint."""
        return tuple(
            ActionTerm(f"{j}_torque", "N m", -float(t), float(t), "joint", f"torque of {j}")
            for j, t in zip(self.joints, self.torque, strict=True)
        )

    def bind(self, s: Rows) -> None:
        """Resolve names and register the torque reference."""
        super().bind(s)
        self._torque_step = self.rate * s.timing.control_dt
        s.new("joint_torque_reference", (self.motion.dof,))

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Zero torque."""
        super().reset(s, rows)
        s.joint_torque_reference[rows] = 0.0

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Limit range, rate and overspeed, then hold or ramp the torque over the step."""
        start = s.joint_torque_reference.copy()
        target = np.minimum(np.maximum(setpoints, start - self._torque_step), start + self._torque_step)
        position, velocity = s.sim.qpos[:, self._qpos], s.sim.qvel[:, self._qvel]
        ahead = position + velocity * (5.0 * s.timing.control_dt)
        lim = self.motion
        forward_blocked = (velocity > lim.velocity) | (ahead > lim.high)
        backward_blocked = (velocity < -lim.velocity) | (ahead < lim.low)
        target = np.where(forward_blocked, np.minimum(target, 0.0), target)
        target = np.where(backward_blocked, np.maximum(target, 0.0), target)
        s.joint_torque_reference[...] = target
        self._follow(s, start, target, rows)
