"""What a model-based controller knows of an arm at every tick: Jacobian, joint and task inertia, bias, gravity.

Everything is read from what the physics step has left behind (`cdof`, `M`, `qfrc_bias` and so on), for all rows at
once and without another pass of kinematics. It is the model of the row itself: a controller that has identified its
arm. What it cannot know, friction and the mass of parts that carry no gravity compensation, is taken from the model
as designed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from ...frames import quat_from_matrix
from ..engine.task import Rows

Array = NDArray[np.float64]

AXES = ("x", "y", "z", "rx", "ry", "rz")
ROTATION_ARM_M = 0.15  # radius at which rotation counts like translation where the two are compared


def axis_index(axes: Sequence[str]) -> NDArray[np.intp]:
    """Indices of task axes in a twist.

    Raises:
        ShopfloorError: if one is unknown, named twice or out of order.
    """
    index = [AXES.index(a) if a in AXES else -1 for a in axes]
    if not index or -1 in index or sorted(set(index)) != index:
        raise ShopfloorError(f"axes={tuple(axes)!r}: name some of {', '.join(AXES)}, in this order and each once")
    return np.array(index, dtype=np.intp)


class ArmModel:
    """Kinematics and dynamics of an arm's joints in n rows, for the TCP at a site.

    Args:
        s: the rows; their simulation is bound.
        joints: joint names.
        site: name of the TCP site.
        axes: indices of the controlled components of a twist.
        heaviest: largest effective mass in kg that the task inertia shows in any direction; near a singular
            configuration the true one grows without bound. A rotation counts at a radius of `ROTATION_ARM_M`.

    Raises:
        ShopfloorError: if a joint does not move the site.
    """

    def __init__(self, s: Rows, joints: Sequence[str], site: str, axes: NDArray[np.intp], heaviest: float):
        sim = s.sim
        model = sim.model
        self.body = int(model.site_bodyid[sim.id("site", site)])
        dofs = sim.qvel_index(joints)
        chain: set[int] = set()
        body = self.body
        while body:
            first = int(model.body_dofadr[body])
            chain.update(range(first, first + int(model.body_dofnum[body])))
            body = int(model.body_parentid[body])
        astray = [j for j, dof in zip(joints, dofs.tolist(), strict=True) if dof not in chain]
        if astray:
            raise ShopfloorError(f"joint {astray[0]!r} does not move the site {site!r}; name the joints of its arm")
        self._qpos, self._dofs = sim.qpos_index(joints), dofs
        self._qpos_all, self._qvel_all = sim.qpos, sim.qvel
        self.position = sim.output("site_xpos", "site", site)
        self._matrix = sim.output("site_xmat", "site", site)
        self._cdof, self._cdof_dot = sim.output("cdof"), sim.output("cdof_dot")
        self._cvel = sim.output("cvel")
        self._com = sim.output("subtree_com")[:, int(model.body_rootid[self.body])]
        self._mass, self._mass_index = sim.output("M"), _dense_index(model, dofs)
        self._mass_diagonal = np.diagonal(self._mass_index).copy()
        self._bias, self._carried = sim.output("qfrc_bias"), sim.output("qfrc_gravcomp")
        # gravity compensation that is no actuator's work is passive: it takes no torque away from the drives
        self._driven = model.jnt_actgravcomp[sim.ids("joint", joints)].astype(np.float64)
        self.friction = model.dof_damping[dofs].copy()
        # friction is integrated implicitly, which makes a joint heavier by friction times timestep
        explicit = int(model.opt.integrator) == int(mujoco.mjtIntegrator.mjINT_RK4)
        self._implicit = np.zeros_like(self.friction) if explicit else self.friction * sim.timestep
        self._weights = _loose_weights(s, self.body, dofs)
        self._axes = axes
        self._whole = axes.size == 6
        scale = np.where(axes < 3, 1.0, ROTATION_ARM_M)
        self._scale = scale[:, None] * scale[None, :]
        self._lightest = 1.0 / heaviest

    def measure(self) -> None:
        """Joint state and Jacobian at present: `q`, `qd` (n, dof), `jacobian` (n, dof, axes), transposed."""
        self.q, self.qd = self._qpos_all[:, self._qpos], self._qvel_all[:, self._dofs]
        self._motion = motion = self._cdof[:, self._dofs]
        arm = (self.position - self._com)[:, None, :]
        full = np.empty_like(motion)
        full[:, :, :3] = motion[:, :, 3:] + cross(motion[:, :, :3], arm)
        full[:, :, 3:] = motion[:, :, :3]
        self.jacobian = full if self._whole else full[:, :, self._axes]

    @property
    def quaternion(self) -> Array:
        """Orientation of the TCP, (n, 4)."""
        return quat_from_matrix(self._matrix)

    @property
    def twist(self) -> Array:
        """Velocity of the TCP in the controlled components, (n, axes)."""
        return self.task(self.qd)

    def task(self, joint: Array) -> Array:
        """Joint rates or accelerations (n, dof), seen at the TCP: (n, axes)."""
        return apply(self.jacobian.transpose(0, 2, 1), joint)

    def torque(self, force: Array) -> Array:
        """Joint torques (n, dof) of forces (n, axes) at the TCP."""
        return apply(self.jacobian, force)

    def drift(self) -> Array:
        """Acceleration of the TCP that the joint rates cause by themselves, dJ/dt qd, (n, axes)."""
        change = self._cdof_dot[:, self._dofs]
        arm = (self.position - self._com)[:, None, :]
        body = self._cvel[:, self.body]
        moving = (body[:, 3:] + cross(body[:, :3], arm[:, 0]))[:, None, :]
        full = np.empty_like(change)
        full[:, :, :3] = change[:, :, 3:] + cross(change[:, :, :3], arm) + cross(self._motion[:, :, :3], moving)
        full[:, :, 3:] = change[:, :, :3]
        own = full if self._whole else full[:, :, self._axes]
        return apply(own.transpose(0, 2, 1), self.qd)

    def inertia(self) -> tuple[Array, Array]:
        """Joint inertia (n, dof, dof) and task inertia (n, axes, axes) = (J M^-1 J^T)^-1, Khatib (1987)."""
        mass = self._mass[:, self._mass_index]
        joints = np.arange(self._implicit.size)
        mass[:, joints, joints] += self._implicit
        mobility = product(self.jacobian.transpose(0, 2, 1), np.linalg.solve(mass, self.jacobian))
        scaled = 0.5 * (mobility + mobility.transpose(0, 2, 1)) * self._scale
        return mass, self._capped_inverse(scaled) * self._scale

    def own_inertia(self) -> Array:
        """Diagonal of the joint inertia, (n, dof)."""
        diagonal: Array = self._mass[:, self._mass_diagonal]
        return diagonal

    def _capped_inverse(self, mobility: Array) -> Array:
        """Inverse (n, axes, axes) of which no eigenvalue is above `heaviest`, exact where none would be."""
        size = mobility.shape[1]
        diagonal = np.arange(size)
        safe = mobility.copy()
        safe[:, diagonal, diagonal] += 1e-9 * self._lightest  # a singular one must not raise in the other rows
        inverse = np.asarray(np.linalg.inv(safe), dtype=np.float64)
        # the trace of a positive definite inverse is above its largest eigenvalue: the others need no closer look
        trace = inverse[:, 0, 0].copy()
        for i in range(1, size):
            trace += inverse[:, i, i]
        suspect = np.flatnonzero(~((trace > 0.0) & (trace * self._lightest < 1.0)))
        if suspect.size:
            values, vectors = np.linalg.eigh(mobility[suspect])
            capped: Array = 1.0 / np.maximum(values, self._lightest)
            inverse[suspect] = product(vectors * capped[:, None, :], vectors.transpose(0, 2, 1))
        return inverse

    def bias(self) -> Array:
        """Coriolis, centrifugal and gravity torques that the drives do not compensate by themselves, (n, dof)."""
        bias: Array = self._bias[:, self._dofs] - self._carried[:, self._dofs]
        return bias

    def carried(self) -> Array:
        """Torque (n, dof) that the drives spend on gravity before any command."""
        return self._carried[:, self._dofs] * self._driven

    def gravity(self) -> Array:
        """Torques (n, dof) that hold what no gravity compensation holds; without Coriolis torques, unlike `bias`."""
        out = np.zeros_like(self.q)
        for weight, place, moved in self._weights:
            arm = (place - self._com)[:, None, :]
            linear = self._motion[:, :, 3:] + cross(self._motion[:, :, :3], arm)
            out -= moved * (linear[:, :, 0] * weight[0] + linear[:, :, 1] * weight[1] + linear[:, :, 2] * weight[2])
        return out


def geometric_mean(a: Array, b: Array) -> Array:
    """The geometric mean of symmetric positive definite matrices (n, k, k): X with X a^-1 X = b.

    With a the task inertia and b the stiffness, 2 zeta X is the damping that gives every mode the ratio zeta: the
    double diagonalization of Albu-Schaeffer, Ott, Frese and Hirzinger (2003) in one matrix.
    """
    factor = np.linalg.cholesky(a)
    half = np.linalg.solve(factor, b)
    inner = np.linalg.solve(factor, half.transpose(0, 2, 1))
    values, vectors = np.linalg.eigh(0.5 * (inner + inner.transpose(0, 2, 1)))
    modes = product(factor, vectors)
    return product(modes * np.sqrt(np.maximum(values, 0.0))[:, None, :], modes.transpose(0, 2, 1))


def product(a: NDArray[Any], b: NDArray[Any]) -> Array:
    """Matrix products (n, i, k) of (n, i, j) and (n, j, k), one row after the other.

    Each is a call of its own, like those of `np.linalg`. The operands are laid out alike whatever n is, since the order
    of the sums follows the strides: a row's result does not depend on its neighbours.
    """
    out: Array = np.matmul(np.ascontiguousarray(a), np.ascontiguousarray(b))
    return out


def apply(matrix: NDArray[Any], vector: NDArray[Any]) -> Array:
    """Products (n, i) of matrices (n, i, j) and vectors (n, j), one row after the other."""
    return product(matrix, vector[:, :, None])[:, :, 0]


def cross(a: Array, b: Array) -> Array:
    """Cross products (..., 3), elementwise."""
    return np.stack(
        (
            a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1],
            a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2],
            a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0],
        ),
        axis=-1,
    )


def _dense_index(model: object, dofs: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where each entry (dof, dof) of the joints' inertia stands in MuJoCo's sparse lower triangle."""
    start, count, column = (np.asarray(getattr(model, f"M_{k}")) for k in ("rowadr", "rownnz", "colind"))
    out = np.zeros((dofs.size, dofs.size), dtype=np.intp)
    for i, row in enumerate(dofs.tolist()):
        span = range(int(start[row]), int(start[row] + count[row]))
        places = {int(column[k]): k for k in span}
        for j, other in enumerate(dofs.tolist()):
            if other <= row:
                out[i, j] = out[j, i] = places[other]
    return out


def _loose_weights(s: Rows, body: int, dofs: NDArray[np.intp]) -> list[tuple[Array, Array, Array]]:
    """Bodies on the arm without full gravity compensation: weight (3,) in N, centre (n, 3), moving joints (dof,)."""
    model = s.sim.model
    found = []
    for b in range(1, model.nbody):
        mass = float(model.body_mass[b] * (1.0 - model.body_gravcomp[b]))
        dofs_above: set[int] = set()
        above = b
        while above:
            first = int(model.body_dofadr[above])
            dofs_above.update(range(first, first + int(model.body_dofnum[above])))
            above = int(model.body_parentid[above])
        moved = np.array([float(d in dofs_above) for d in dofs.tolist()])
        if moved.any() and abs(mass) > 0.0:
            found.append((mass * model.opt.gravity, s.sim.output("xipos")[:, b], moved))
    return found
