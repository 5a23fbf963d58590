"""Operational-space control: TCP pose increments become joint torques through the task-space inertia."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from ...limits import MotionLimiter, MotionLimits
from ..engine.task import Rows
from .interface import ActionTerm
from .operational_space_model import AXES, ArmModel, apply, axis_index
from .operational_space_reference import (
    PoseReference,
    PoseTarget,
    TcpLimits,
    check_frame,
    increment_terms,
    pose_error,
    six,
    ticks_of,
    to_world,
)

Array = NDArray[np.float64]

BRAKE_TIME_S = 0.02  # time constant with which a joint that is too fast is slowed


class TorqueInterface:
    """What Cartesian interfaces over motors share: reference, inner loop, posture, and the bounds of a torque.

    The control law runs in an inner loop of `inner_hz`, between the policy's steps, as it does on a robot: 500 Hz is
    what the torque interfaces of cobots are served at (their makers ask for 500 Hz to 1 kHz), and sampling takes
    damping away: a stiffness K held over a tick T acts like a damping of -K T / 2 (Colgate and Schenkel 1997).
    The reference is advanced at the same ticks, so its velocity, acceleration and jerk are limited at every one.

    What comes between command and drive, such as a delay of domain randomization, acts inside this loop, on torques: a
    delay T takes about K T of damping away, so a stiff spring bears a tick or two and not the 20 ms that position
    commands bear.

    A torque is bounded in rate and range, gravity compensation included, and no torque drives on a joint that is
    faster than its limit, or than what can still be stopped inside its range: such a joint is braked. With a contact
    in play no more can be promised.

    Args:
        joints: joint names; actuators of the same names are motors.
        limits: joint limits, rad and s.
        torque: largest torque of each drive, N m.
        site: name of the TCP site.
        tcp: limits of the TCP reference.
        control_hz: control rate for which default increments are computed.
        increment: largest pose increment a control step: six values, or two (m, rad); default velocity limit times
            control period.
        rate: largest change of torque, N m/s; default full torque in 20 ms.
        axes: controlled components of a twist, for arms with fewer than six joints.
        frame: "world", or "tool" for set-points in the axes of the TCP reference.
        posture: joint angles (dof,) that spare joints are drawn to; default where an episode starts.
        posture_hz, posture_damping: natural frequency and damping ratio of that pull.
        friction: share of the designed viscous joint friction that the drives' torque control compensates.
        inner_hz: rate of the control law; a multiple of the control rate that divides the physics rate.
        heaviest: largest effective mass in kg that the controller believes in, see `ArmModel`.
    """

    name = ""

    def __init__(
        self,
        joints: Sequence[str],
        limits: MotionLimits,
        torque: Sequence[float],
        site: str,
        tcp: TcpLimits,
        control_hz: float,
        *,
        increment: float | Sequence[float] | None = None,
        rate: Sequence[float] | None = None,
        axes: Sequence[str] = AXES,
        frame: str = "world",
        posture: Sequence[float] | None = None,
        posture_hz: float = 1.0,
        posture_damping: float = 1.0,
        friction: float = 1.0,
        inner_hz: float = 500.0,
        heaviest: float = 200.0,
    ):
        if len(joints) != limits.dof or len(torque) != limits.dof:
            raise ShopfloorError(f"{len(joints)} joints and {len(torque)} torques but limits of {limits.dof} axes")
        check_frame(frame)
        self.joints, self.motion, self.site, self.tcp, self.frame = tuple(joints), limits, site, tcp, frame
        self.axes = axis_index(axes)
        if self.axes.size > limits.dof or (frame != "world" and self.axes.size < 6):
            raise ShopfloorError(
                f"{self.axes.size} task axes for {limits.dof} joints in frame {frame!r}: name at most as many axes as "
                "joints, and all six for frame='tool'"
            )
        if not (0.0 <= friction <= 1.0 and posture_hz >= 0.0 and posture_damping >= 0.0 and heaviest > 0.0):
            raise ShopfloorError(
                f"friction={friction}, posture_hz={posture_hz}, posture_damping={posture_damping}, "
                f"heaviest={heaviest}: friction must be a share in [0, 1], the others must not be negative"
            )
        self.torque = np.asarray(torque, dtype=np.float64)
        self.rate = self.torque / 0.02 if rate is None else np.asarray(rate, dtype=np.float64)
        self._tcp_motion = tcp.motion()
        self.increment = self._tcp_motion.velocity / control_hz if increment is None else six("increment", increment)
        self.posture = None if posture is None else np.asarray(posture, dtype=np.float64)
        self.posture_hz, self.posture_damping = posture_hz, posture_damping
        self.friction, self.inner_hz, self.heaviest = friction, inner_hz, heaviest

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """One increment a controlled component of the pose."""
        return increment_terms(self.axes, self.increment, self.frame)

    def limits(self) -> dict[str, Any]:
        """Joint, TCP and torque limits and the rate of the inner loop, as plain data."""
        return {
            "joints": list(self.joints),
            **self.motion.as_dict(),
            "tcp": self.tcp.as_dict(),
            "torque": self.torque.tolist(),
            "torque_rate": self.rate.tolist(),
            "inner_hz": self.inner_hz,
        }

    def bind(self, s: Rows) -> None:
        """Resolve names and register target, reference and torque."""
        self._ticks, self._steps = ticks_of(self.inner_hz, s, "inner_hz")
        self.dt = 1.0 / self.inner_hz
        self._ctrl = s.sim.ids("actuator", self.joints)
        self.arm = ArmModel(s, self.joints, self.site, self.axes, self.heaviest)
        self._joint_limiter = MotionLimiter(self.motion, self.dt)
        self.reference = PoseReference(s, "tcp_reference", self._tcp_motion, self.dt)
        self.target = PoseTarget(s, self.increment, self.reference.limiter, s.timing.control_dt)
        s.new("joint_torque_reference", (self.motion.dof,))
        s.new("joint_posture", (self.motion.dof,))

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Target = reference = present pose, at rest, without torque."""
        position, quaternion = self.arm.position[rows], self.arm.quaternion[rows]
        self.reference.reset(rows, position, quaternion)
        self.target.reset(rows, position, quaternion)
        self.arm.measure()
        s.joint_posture[rows] = self.arm.q[rows] if self.posture is None else self.posture
        s.joint_torque_reference[rows] = 0.0

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Move the target, then run the inner loop: law, bounds, physics, reference."""
        self.command(s, setpoints)
        torque = s.joint_torque_reference
        for _ in range(self._ticks):
            self.arm.measure()
            torque[...] = self._bounded(self.law(s), torque)
            commands = np.repeat(s.sim.ctrl[:, None, :], self._steps, axis=1)
            commands[:, :, self._ctrl] = torque[:, None, :]
            s.sim.follow(commands if rows is None else commands[rows], rows)
            self.reference.toward_pose(self.target.position, self.target.quaternion)

    def command(self, s: Rows, setpoints: Array) -> None:
        """Take the set-points (n, size) of a control step."""
        increment = np.zeros((s.n, 6))
        increment[:, self.axes] = setpoints[:, : self.axes.size]
        self.target.move(to_world(increment, self.frame_quaternion), self.reference)

    @property
    def frame_quaternion(self) -> Array | None:
        """Orientation (n, 4) of the set-points' axes, None for the world's."""
        return None if self.frame == "world" else self.reference.quaternion

    def law(self, s: Rows) -> Array:
        """Torque (n, dof) wanted at this tick."""
        raise NotImplementedError

    def error(self) -> tuple[Array, Array]:
        """Reference minus TCP in the controlled components: pose and velocity, both (n, axes)."""
        pose = pose_error(self.reference.position, self.reference.quaternion, self.arm.position, self.arm.quaternion)
        return pose[:, self.axes], self.reference.velocity[:, self.axes] - self.arm.twist

    def posture_acceleration(self, s: Rows) -> Array:
        """Joint acceleration (n, dof) that posture asks for."""
        omega = 2.0 * np.pi * self.posture_hz
        pull: Array = omega * omega * (s.joint_posture - self.arm.q)
        return pull - (2.0 * self.posture_damping * omega) * self.arm.qd

    def friction_torque(self) -> Array:
        """Torque (n, dof) that overcomes the viscous friction of the drives as designed."""
        return self.friction * self.arm.friction * self.arm.qd

    def _bounded(self, torque: Array, last: Array) -> Array:
        """The torque, with joints braked that are too fast, inside rate and range."""
        arm, lim = self.arm, self.motion
        fastest = self._joint_limiter.approach_speed(np.maximum(lim.high - arm.q, 0.0))
        slowest = self._joint_limiter.approach_speed(np.maximum(arm.q - lim.low, 0.0))
        over = arm.qd - np.minimum(fastest, lim.velocity)
        under = arm.qd + np.minimum(slowest, lim.velocity)
        stiffness = arm.own_inertia() / BRAKE_TIME_S
        torque = np.where(over > 0.0, np.minimum(torque, -stiffness * over), torque)
        torque = np.where(under < 0.0, np.maximum(torque, -stiffness * under), torque)
        step, carried = self.rate * self.dt, arm.carried()
        torque = np.minimum(np.maximum(torque, last - step), last + step)
        low = np.maximum(-self.torque - carried, -self.torque)
        high = np.minimum(self.torque - carried, self.torque)
        return np.minimum(np.maximum(torque, low), high)


class OperationalSpace(TorqueInterface):
    """Increments of the TCP pose, followed with decoupled dynamics.

    Every controlled component of the TCP obeys x'' = r'' + 2 zeta w (r' - x') + w^2 (r - x) about the limited
    reference r, whatever the posture: torques are J^T L (x'' - J' q') plus the joint bias, with the task inertia
    L = (J M^-1 J^T)^-1 (Khatib 1987). Spare joints follow a posture in the dynamically consistent null space, where
    they move without moving the TCP. Against an outer force F the TCP yields by L^-1 F / w^2: an inertia-shaped
    spring, good for motion; for a chosen stiffness see `VariableImpedance`.

    Near a singular configuration the task inertia is capped: the TCP becomes sluggish in the lost direction, torques
    stay finite, and the posture moves the arm there.

    Args:
        hz: natural frequency of every component: one value, two (linear, angular) or six, Hz.
        damping_ratio: likewise.

    The other arguments are those of `TorqueInterface`.
    """

    name = "operational_space"

    def __init__(
        self,
        *args: Any,
        hz: float | Sequence[float] = 4.0,
        damping_ratio: float | Sequence[float] = 1.0,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        omega, zeta = 2.0 * np.pi * six("hz", hz), six("damping_ratio", damping_ratio)
        self.stiffness = (omega * omega)[self.axes]
        self.damping = (2.0 * zeta * omega)[self.axes]

    def limits(self) -> dict[str, Any]:
        """Limits as plain data, with the gains in 1/s^2 and 1/s."""
        return {**super().limits(), "stiffness": self.stiffness.tolist(), "damping": self.damping.tolist()}

    def law(self, s: Rows) -> Array:
        """Torque (n, dof) of decoupled task motion and posture."""
        arm = self.arm
        pose, velocity = self.error()
        posture = self.posture_acceleration(s)
        wanted = self.reference.acceleration[:, self.axes] + self.damping * velocity + self.stiffness * pose
        mass, inertia = arm.inertia()
        left = wanted - arm.drift() - arm.task(posture)
        return arm.torque(apply(inertia, left)) + apply(mass, posture) + arm.bias() + self.friction_torque()
