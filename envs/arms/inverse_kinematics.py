"""Inverse kinematics of one row at a time, for start poses: Newton steps on the cell's own model."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ShopfloorError
from ...frames import quat_conjugate, quat_from_matrix, quat_multiply, quat_to_rotation_vector

Array = NDArray[np.float64]

STEPS = 60
LONGEST_STEP = 0.2  # rad or m that a joint moves in a Newton step


class PoseSolver:
    """Finds joint positions that bring a site to a pose, near a configuration.

    Arms with fewer than six joints are asked for position and, as far as they turn, orientation: the error is solved in
    the least-squares sense and what remains is compared with the tolerance.

    Args:
        model: the cell as designed.
        joints: names of the arm's joints.
        site: name of the site.
    """

    def __init__(self, model: mujoco.MjModel, joints: Sequence[str], site: str):
        self._model = model
        self._data = mujoco.MjData(model)
        self._site = model.site(site).id
        index = [model.joint(j).id for j in joints]
        self._qpos = np.array([model.jnt_qposadr[i] for i in index], dtype=np.intp)
        self._dofs = np.array([model.jnt_dofadr[i] for i in index], dtype=np.intp)
        self._low, self._high = model.jnt_range[index, 0], model.jnt_range[index, 1]
        self._linear, self._angular = np.zeros((3, model.nv)), np.zeros((3, model.nv))

    def pose(self, configuration: ArrayLike) -> tuple[Array, Array]:
        """Position (3,) and quaternion (4,) of the site for joint positions (dof,)."""
        data = self._data
        data.qpos[:] = self._model.qpos0
        data.qpos[self._qpos] = configuration
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_comPos(self._model, data)
        position = np.array(data.site_xpos[self._site])
        return position, quat_from_matrix(data.site_xmat[self._site][None])[0]

    def solve(
        self, start: ArrayLike, position: Array, quaternion: Array, tolerance: tuple[float, float] = (1e-7, 1e-6)
    ) -> Array:
        """Joint positions (dof,) of the pose `position` (3,), `quaternion` (4,) closest to `start` (dof,).

        Args:
            start: configuration to begin from.
            position, quaternion: of the site, world frame.
            tolerance: largest error left, m and rad.

        Raises:
            ShopfloorError: if the arm does not reach the pose from there.
        """
        q = np.array(start, dtype=np.float64)
        for _ in range(STEPS):
            here, turned = self.pose(q)
            turn = quat_to_rotation_vector(quat_multiply(quaternion[None], quat_conjugate(turned[None])))[0]
            error = np.concatenate((position - here, turn))
            if np.abs(error[:3]).max() < tolerance[0] and np.abs(error[3:]).max() < tolerance[1]:
                return q
            mujoco.mj_jacSite(self._model, self._data, self._linear, self._angular, self._site)
            jacobian = np.concatenate((self._linear, self._angular))[:, self._dofs]
            gram = jacobian @ jacobian.T + 1e-10 * np.eye(6)
            step = jacobian.T @ np.linalg.solve(gram, error)
            step *= min(1.0, LONGEST_STEP / max(float(np.abs(step).max()), 1e-12))
            q = np.minimum(np.maximum(q + step, self._low), self._high)
        raise ShopfloorError(
            f"the arm does not reach position {np.round(position, 4).tolist()} m with orientation "
            f"{np.round(quaternion, 4).tolist()}: {1e3 * np.abs(error[:3]).max():.3f} mm and "
            f"{np.rad2deg(np.abs(error[3:]).max()):.3f} deg are left"
        )
