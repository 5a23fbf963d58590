"""The scripted expert of ArmReach: resolved-rate motion, as a robot programmer's MoveL does it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...assets.robots.arm import Arm
from ..control.tcp import damped_least_squares
from ..engine.task import Rows

Array = NDArray[np.float64]

# Gain of the velocity loop, as a share of the smallest joint inertia divided by the control period: stable, with a
# margin. For the UR10e's joints (N m s/rad) it is stated.
GAIN_SHARE = 1.0 / 3.0
VELOCITY_GAIN = {"ur10e": (60.0, 60.0, 25.0, 2.0, 2.0, 2.0)}


class ReachExpert:
    """Drives the TCP toward the target with a speed proportional to the error, bounded as a programmer would.

    Reads the policy's observation channels and the arm's kinematic model, nothing else.

    Args:
        action: name of the action interface.
        oriented: whether the orientation counts.
        robot: the arm.
        gain: 1/s, errors decay at this rate near the target.
        linear_m_s, angular_rad_s: largest TCP speeds.
    """

    privileged = False

    def __init__(
        self,
        action: str,
        oriented: bool,
        robot: Arm,
        gain: float = 5.0,
        linear_m_s: float = 0.5,
        angular_rad_s: float = 1.5,
    ):
        self.action = action
        self.oriented = oriented
        self.gain = gain
        self.linear = linear_m_s
        self.angular = angular_rad_s
        self._robot = robot
        self._speed = np.asarray(robot.velocity)

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
        dof = s.sim.qvel_index(self._robot.joints)
        model = s.sim.model
        gain = VELOCITY_GAIN.get(self._robot.name, GAIN_SHARE * s.timing.control_hz * model.dof_M0[dof])
        torque: Array = gain * (velocity - readings["joint_velocity"]) + model.dof_damping[dof] * velocity
        return torque

    def _joint_velocity(self, s: Rows, twist: Array) -> Array:
        sim = s.sim
        site = sim.id("site", "tcp")
        body = int(sim.model.site_bodyid[site])
        linear, angular = sim.jacobian(body, sim.output("site_xpos", "site", "tcp"))
        dof = sim.qvel_index(self._robot.joints)
        jacobian = np.concatenate((linear[:, :, dof], angular[:, :, dof]), axis=1)
        velocity = damped_least_squares(jacobian, twist, 0.05, 0.02)
        excess = np.max(np.abs(velocity) / self._speed, axis=1, keepdims=True)
        bounded: Array = velocity / np.maximum(excess, 1.0)
        return bounded


def _bounded(v: Array, limit: float) -> Array:
    norm = np.sqrt(v[:, 0] * v[:, 0] + v[:, 1] * v[:, 1] + v[:, 2] * v[:, 2])
    return v * np.minimum(1.0, limit / np.maximum(norm, 1e-9))[:, None]
