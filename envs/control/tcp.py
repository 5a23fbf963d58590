"""TCP twist: Cartesian velocity through batched damped least-squares inverse kinematics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...limits import MotionLimits
from ..engine.task import Rows
from .interface import ActionTerm
from .joint import _JointInterface, track_velocity

Array = NDArray[np.float64]


class TcpTwist(_JointInterface):
    """Linear and angular velocity of the TCP, in the world frame.

    Joint velocities come from damped least squares, `dq = J^T (J J^T + lambda^2 I)^-1 v` (Nakamura and Hanafusa
    1986), with a damping that rises as manipulability falls, and are slowed together where one joint would exceed its
    limit, so that the direction of motion is kept.

    Args:
        joints: joint names; actuators of the same names are position servos.
        limits: motion limits, rad and s.
        site: name of the TCP site.
        linear_m_s, angular_rad_s: largest velocity a component.
        damping: largest damping factor lambda, reached at a singular configuration.
        threshold: manipulability below which damping sets in.
    """

    name = "tcp_twist"

    def __init__(
        self,
        joints: Sequence[str],
        limits: MotionLimits,
        site: str,
        linear_m_s: float = 0.5,
        angular_rad_s: float = 1.5,
        damping: float = 0.05,
        threshold: float = 0.02,
    ):
        super().__init__(joints, limits)
        self.site = site
        self.linear = linear_m_s
        self.angular = angular_rad_s
        self.damping = damping
        self.threshold = threshold

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """Three linear and three angular velocities."""
        linear = tuple(
            ActionTerm(f"velocity_{a}", "m/s", -self.linear, self.linear, "world", f"TCP velocity along {a}")
            for a in "xyz"
        )
        angular = tuple(
            ActionTerm(f"rotation_{a}", "rad/s", -self.angular, self.angular, "world", f"TCP rotation about {a}")
            for a in "xyz"
        )
        return linear + angular

    def bind(self, s: Rows) -> None:
        """Resolve the TCP's site and body."""
        super().bind(s)
        index = s.sim.id("site", self.site)
        self._body = int(s.sim.model.site_bodyid[index])
        self._position = s.sim.output("site_xpos", "site", self.site)

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Solve for joint velocities, limit and integrate them, let the position servos follow."""
        linear, angular = s.sim.jacobian(self._body, self._position)
        jacobian = np.concatenate((linear[:, :, self._qvel], angular[:, :, self._qvel]), axis=1)
        velocity = damped_least_squares(jacobian, setpoints, self.damping, self.threshold)
        excess = np.max(np.abs(velocity) / self.motion.velocity, axis=1, keepdims=True)
        velocity /= np.maximum(excess, 1.0)
        start = s.joint_reference.copy()
        track_velocity(self._limiter, s, velocity)
        self._follow(s, start, s.joint_reference, rows)


def damped_least_squares(jacobian: Array, twist: Array, damping: float, threshold: float) -> Array:
    """Joint velocities (n, dof) for twists (n, 6) under Jacobians (n, 6, dof).

    Solved row by row inside LAPACK, so that a row's result does not depend on its neighbours.
    """
    gram = np.einsum("nij,nkj->nik", jacobian, jacobian, optimize=False)
    # |det J| for six joints; a smooth measure of the distance to a singularity otherwise
    manipulability = np.sqrt(np.maximum(np.linalg.det(gram), 0.0))
    shortfall = np.maximum(1.0 - manipulability / threshold, 0.0)
    gram[:, np.arange(6), np.arange(6)] += ((damping * shortfall) ** 2 + 1e-9)[:, None]
    weights = np.linalg.solve(gram, twist[:, :, None])[:, :, 0]
    return np.einsum("nij,ni->nj", jacobian, weights, optimize=False)
