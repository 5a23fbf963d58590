"""Variable-impedance control: pose increments with stiffness and damping ratio as part of the command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import ShopfloorError
from ...frames import quat_conjugate, quat_multiply
from ..engine.task import Rows
from .interface import ActionTerm
from .operational_space import TorqueInterface
from .operational_space_model import AXES, Array, apply, geometric_mean, product
from .operational_space_reference import six, to_frame, to_world


class VariableImpedance(TorqueInterface):
    """The TCP hangs on springs and dampers at a moving reference, and the policy turns their stiffness.

    An outer force F along a translation deflects the TCP by F / k at standstill, exactly and in every posture; a
    torque turns it by tau / k (the sine of the angle, to be exact: the spring is the gradient of 2 e' K e in the
    vector part e of the error quaternion, Caccavale, Siciliano and Villani 1999). The inertia stays the arm's own,
    which needs no measurement of force (Hogan 1985). Damping is 2 S (L # K) S with the geometric mean # of task
    inertia L and stiffness K, and S = diag(sqrt(zeta)): with one ratio for all components every mode has it, and
    the damping matrix is positive definite whatever is commanded.

    About a resting reference the arm is passive: spring and damper give back no more than they took, Coriolis torques
    are left to the arm, which they cost nothing, and a stiffness that rises under deflection draws the energy
    from a tank that dissipation fills (Ferraguti, Secchi and Fantuzzi 2013); what the tank cannot pay is not
    granted, see the row array `tcp_stiffness`. Outside this argument are saturated torques and the posture of spare
    joints, whose projection is not the gradient of anything.

    Args:
        stiffness: (low, high) of the set-points, each one value, two (linear N/m, angular N m/rad) or six.
        damping_ratio: (low, high) likewise. A component whose low equals its high is fixed and is no set-point.
        tank_j: energy that stiffening may draw, at the beginning and at most, J.

    The other arguments are those of `TorqueInterface`. With `frame="tool"` stiffness is along the axes of the
    reference.
    """

    name = "variable_impedance"

    def __init__(
        self,
        *args: Any,
        stiffness: tuple[float | Sequence[float], float | Sequence[float]] = ((100.0, 5.0), (3000.0, 200.0)),
        damping_ratio: tuple[float | Sequence[float], float | Sequence[float]] = (0.7, 1.5),
        tank_j: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        self.stiffness_low, self.stiffness_high = (six("stiffness", v)[self.axes] for v in stiffness)
        self.damping_low, self.damping_high = (six("damping_ratio", v)[self.axes] for v in damping_ratio)
        if (self.stiffness_low > self.stiffness_high).any() or (self.damping_low > self.damping_high).any():
            raise ShopfloorError(f"stiffness={stiffness}, damping_ratio={damping_ratio}: low must not exceed high")
        if not tank_j >= 0.0:
            raise ShopfloorError(f"tank_j={tank_j}: the tank holds zero or more joules")
        self.tank_j = tank_j
        self._turned_stiffness = np.flatnonzero(self.stiffness_low < self.stiffness_high)
        self._turned_damping = np.flatnonzero(self.damping_low < self.damping_high)
        self._spare = self.motion.dof > self.axes.size

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """Increments, then stiffness, then damping ratio of the components that are not fixed."""
        names = [AXES[i] for i in self.axes]
        stiffness = tuple(
            ActionTerm(
                f"stiffness_{names[i]}", "N/m" if self.axes[i] < 3 else "N m/rad", float(self.stiffness_low[i]),
                float(self.stiffness_high[i]), self.frame, f"stiffness of the TCP in {names[i]}",
            )
            for i in self._turned_stiffness
        )  # fmt: skip
        damping = tuple(
            ActionTerm(
                f"damping_{names[i]}", "1", float(self.damping_low[i]), float(self.damping_high[i]), self.frame,
                f"damping ratio of the TCP in {names[i]}",
            )
            for i in self._turned_damping
        )  # fmt: skip
        return (*super().terms, *stiffness, *damping)

    def limits(self) -> dict[str, Any]:
        """Limits as plain data, with the ranges of stiffness and damping ratio and the energy tank."""
        return {
            **super().limits(),
            "stiffness": [self.stiffness_low.tolist(), self.stiffness_high.tolist()],
            "damping_ratio": [self.damping_low.tolist(), self.damping_high.tolist()],
            "tank": self.tank_j,
        }

    def bind(self, s: Rows) -> None:
        """Register stiffness, damping ratio and the tank's energy."""
        super().bind(s)
        for name in ("tcp_stiffness", "tcp_damping_ratio"):
            s.new(name, (self.axes.size,))
        s.new("tcp_tank_energy")

    def reset(self, s: Rows, rows: Any) -> None:
        """Present pose, least stiffness, full tank."""
        super().reset(s, rows)
        s.tcp_stiffness[rows] = self.stiffness_low
        s.tcp_damping_ratio[rows] = self.damping_low
        s.tcp_tank_energy[rows] = self.tank_j

    def command(self, s: Rows, setpoints: Array) -> None:
        """Move the target, turn stiffness as far as there is energy for it, and find the damping that belongs to it."""
        super().command(s, setpoints)
        first = self.axes.size
        second = first + self._turned_stiffness.size
        wanted = np.broadcast_to(self.stiffness_low, s.tcp_stiffness.shape).copy()
        wanted[:, self._turned_stiffness] = setpoints[:, first:second]
        s.tcp_damping_ratio[...] = self.damping_low
        s.tcp_damping_ratio[:, self._turned_damping] = setpoints[:, second:]
        self.arm.measure()
        self._turn_stiffness(s, wanted)
        self._inertia = self.arm.inertia()[1]
        self._damping = self._damping_matrix(s)

    def deflection(self) -> tuple[Array, Array]:
        """Spring coordinates (n, axes) of which stiffness makes energy, and the error quaternion's parts (n, 4)."""
        turn = quat_multiply(self.reference.quaternion, quat_conjugate(self.arm.quaternion))
        turn *= np.where(turn[:, :1] < 0.0, -1.0, 1.0)
        both = np.concatenate((self.reference.position - self.arm.position, 2.0 * turn[:, 1:]), axis=1)
        both = to_frame(both, self.frame_quaternion)
        return both[:, self.axes], turn

    def _turn_stiffness(self, s: Rows, wanted: Array) -> None:
        """Stiffness as wanted, where its rise under deflection can be paid; a fall pays into the tank."""
        deflection, _ = self.deflection()
        change = wanted - s.tcp_stiffness
        cost = 0.5 * change * deflection * deflection
        price, gain = np.zeros(s.n), np.zeros(s.n)
        for i in range(cost.shape[1]):
            price += np.maximum(cost[:, i], 0.0)
            gain += np.maximum(-cost[:, i], 0.0)
        funds = s.tcp_tank_energy + gain
        granted = funds / np.maximum(np.maximum(price, funds), 1e-300)
        s.tcp_stiffness += np.where(cost > 0.0, granted[:, None], 1.0) * change
        np.minimum(np.maximum(funds - granted * price, 0.0), self.tank_j, out=s.tcp_tank_energy)

    def _damping_matrix(self, s: Rows) -> Array:
        """Damping (n, axes, axes) in the world frame, for the task inertia at present."""
        inertia, size = self._inertia, self.axes.size
        stiffness = np.zeros_like(inertia)
        stiffness[:, np.arange(size), np.arange(size)] = s.tcp_stiffness
        turn = None if self.frame_quaternion is None else _blocks(self.arm_frame())
        if turn is not None:
            inertia = _congruent(turn.transpose(0, 2, 1), inertia)
        ratio = np.sqrt(s.tcp_damping_ratio)
        damping: Array = 2.0 * geometric_mean(inertia, stiffness) * ratio[:, :, None] * ratio[:, None, :]
        return damping if turn is None else _congruent(turn, damping)

    def arm_frame(self) -> Array:
        """Axes of the reference as columns, (n, 3, 3)."""
        columns = [to_world(np.tile(np.eye(6)[i], (len(self.arm.q), 1)), self.frame_quaternion) for i in range(3)]
        return np.stack([c[:, :3] for c in columns], axis=2)

    def law(self, s: Rows) -> Array:
        """Torque (n, dof) of springs, dampers, reference acceleration, weight and posture."""
        arm = self.arm
        deflection, turn = self.deflection()
        spring = np.zeros((s.n, 6))
        spring[:, self.axes] = s.tcp_stiffness * deflection
        spring = to_world(spring, self.frame_quaternion)
        # torque of the potential 2 e' K e: eta times the linear torque, and what turns it toward the error's axis
        x, y, z = turn[:, 1], turn[:, 2], turn[:, 3]
        tx, ty, tz = spring[:, 3].copy(), spring[:, 4].copy(), spring[:, 5].copy()
        spring[:, 3] = turn[:, 0] * tx + ty * z - tz * y
        spring[:, 4] = turn[:, 0] * ty + tz * x - tx * z
        spring[:, 5] = turn[:, 0] * tz + tx * y - ty * x
        velocity = self.reference.velocity[:, self.axes] - arm.twist
        damper = apply(self._damping, velocity)
        self._fill_tank(s, damper, velocity)
        push = self.reference.acceleration[:, self.axes]
        force = spring[:, self.axes] + damper + apply(self._inertia, push)
        torque = arm.gravity() + self.friction_torque()
        if self._spare:
            posture = self.posture_acceleration(s)
            mass, inertia = arm.inertia()
            force -= apply(inertia, arm.task(posture))
            torque += apply(mass, posture)
        return torque + arm.torque(force)

    def _fill_tank(self, s: Rows, damper: Array, velocity: Array) -> None:
        """Add the energy that the dampers take in a tick."""
        power = damper[:, 0] * velocity[:, 0]
        for i in range(1, velocity.shape[1]):
            power += damper[:, i] * velocity[:, i]
        np.minimum(s.tcp_tank_energy + np.maximum(power, 0.0) * self.dt, self.tank_j, out=s.tcp_tank_energy)


def _blocks(rotation: Array) -> Array:
    """Rotations (n, 3, 3) of both halves of a twist, (n, 6, 6)."""
    out = np.zeros((len(rotation), 6, 6))
    out[:, :3, :3] = rotation
    out[:, 3:, 3:] = rotation
    return out


def _congruent(turn: Array, matrix: Array) -> Array:
    """The product turn matrix turn^T for matrices (n, k, k)."""
    return product(product(turn, matrix), turn.transpose(0, 2, 1))
