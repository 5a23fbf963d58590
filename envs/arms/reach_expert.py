"""The scripted expert of ArmReach: resolved-rate motion, as a robot programmer's MoveL does it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...assets.robots.ur10e import DAMPING, JOINT_SPEED_LIMIT, JOINTS
from ..control.tcp import damped_least_squares
from ..engine.task import Rows

Array = NDArray[np.float64]

# N m s/rad: about a third of the smallest joint inertia divided by the control period, stable with a margin
VELOCITY_GAIN = np.array([60.0, 60.0, 25.0, 2.0, 2.0, 2.0])


class ReachExpert:
    """Drives the TCP toward the target with a speed proportional to the error, bounded as a programmer would.

    Reads the policy's observation channels and the arm's kinematic model, nothing else.

    Args:
        action: name of the action interface.
        oriented: whether the orientation counts.
        gain: 1/s, errors decay at this rate near the target.
        linear_m_s, angular_rad_s: largest TCP speeds.
    """

    privileged = False

    def __init__(
        self, action: str, oriented: bool, gain: float = 5.0, linear_m_s: float = 0.5, angular_rad_s: float = 1.5
    ):
        self.action = action
        self.oriented = oriented
        self.gain = gain
        self.linear = linear_m_s
        self.angular = angular_rad_s
        self._speed = np.asarray(JOINT_SPEED_LIMIT)
        self._damping = np.asarray(DAMPING)

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """Set-points of the chosen interface."""
        twist = np.zeros((s.n, 6))
        twist[:, :3] = _bounded(self.gain * readings["position_error"], self.linear)
        if self.oriented:
            twist[:, 3:] = _bounded(self.gain * readings["orientation_error"], self.angular)
        if self.action == "tcp_twist":
            return twist
        velocity = self._joint_velocity(s, twist)
        if self.action == "joint_velocity":
            return velocity
        if self.action == "joint_position":
            return velocity / s.timing.control_hz
        # velocity loop: gravity is compensated by the arm's controller; friction of the drives is fed forward
        torque: Array = VELOCITY_GAIN * (velocity - readings["joint_velocity"]) + self._damping * velocity
        return torque

    def _joint_velocity(self, s: Rows, twist: Array) -> Array:
        sim = s.sim
        site = sim.id("site", "tcp")
        body = int(sim.model.site_bodyid[site])
        linear, angular = sim.jacobian(body, sim.output("site_xpos", "site", "tcp"))
        dof = sim.qvel_index(JOINTS)
        jacobian = np.concatenate((linear[:, :, dof], angular[:, :, dof]), axis=1)
        velocity = damped_least_squares(jacobian, twist, 0.05, 0.02)
        excess = np.max(np.abs(velocity) / self._speed, axis=1, keepdims=True)
        bounded: Array = velocity / np.maximum(excess, 1.0)
        return bounded


def _bounded(v: Array, limit: float) -> Array:
    norm = np.sqrt(v[:, 0] * v[:, 0] + v[:, 1] * v[:, 1] + v[:, 2] * v[:, 2])
    return v * np.minimum(1.0, limit / np.maximum(norm, 1e-9))[:, None]
