"""Kinematics of one arm as its controller knows them: from the model at build, over arrays of joint angles.

A controller solves its kinematics for where the arm was told to be, not for where it is, and for its nominal
dimensions, not for those of a row. The physics engine knows only the present state of each row; this module takes any
joint angles.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from .tcp import damped_least_squares

Array = NDArray[np.float64]


def transform(matrix: Array, vector: Array) -> Array:
    """`matrix @ vector` of matrices (..., 3, 3) and vectors (..., 3), summed in a fixed order."""
    return (
        matrix[..., :, 0] * vector[..., 0:1]
        + matrix[..., :, 1] * vector[..., 1:2]
        + matrix[..., :, 2] * vector[..., 2:]
    )


def transform_back(matrix: Array, vector: Array) -> Array:
    """`matrix.T @ vector`, likewise."""
    return (
        matrix[..., 0, :] * vector[..., 0:1]
        + matrix[..., 1, :] * vector[..., 1:2]
        + matrix[..., 2, :] * vector[..., 2:]
    )


def _rotation_parts(axis: Array) -> tuple[Array, Array, Array]:
    """Rodrigues' formula as constant + cosine * matrix + sine * matrix, for a unit axis (3,)."""
    outer = axis[:, None] * axis[None, :]
    x, y, z = axis
    skew = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return outer, np.eye(3) - outer, skew


class SerialChain:
    """Hinges from the world to a site, all other bodies in between rigid.

    Args:
        model: the compiled model, whose nominal dimensions are used.
        joints: names of the hinges, from the base.
        site: name of the TCP site.

    Raises:
        ShopfloorError: if the joints are not all the joints between world and site, in order, or not hinges.
    """

    def __init__(self, model: mujoco.MjModel, joints: Sequence[str], site: str):
        index = int(mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_SITE, site))
        if index < 0:
            raise ShopfloorError(f"the model has no site {site!r}")
        bodies = []
        body = int(model.site_bodyid[index])
        while body != 0:
            bodies.append(body)
            body = int(model.body_parentid[body])
        self.dof = len(joints)
        self._before: list[tuple[Array, Array, Array, Array]] = []  # offset, and rotation in three parts
        self._axes: list[Array] = []
        offset, rotation = np.zeros(3), np.eye(3)
        found = []
        for body in reversed(bodies):
            offset = offset + rotation @ model.body_pos[body]
            rotation = rotation @ _matrix(model.body_quat[body])
            for joint in range(model.body_jntadr[body], model.body_jntadr[body] + model.body_jntnum[body]):
                if model.jnt_type[joint] != mujoco.mjtJoint.mjJNT_HINGE or np.any(model.jnt_pos[joint]):
                    raise ShopfloorError(f"joint {model.joint(joint).name!r} is not a hinge through its body's origin")
                found.append(model.joint(joint).name)
                axis = model.jnt_axis[joint] / np.sqrt(np.sum(model.jnt_axis[joint] ** 2))
                fixed, by_cos, by_sin = (rotation @ part for part in _rotation_parts(axis))
                self._before.append((offset, fixed, by_cos, by_sin))
                self._axes.append(rotation @ axis)
                offset, rotation = np.zeros(3), np.eye(3)
        if found != list(joints):
            raise ShopfloorError(f"between world and site {site!r} are the joints {found}, not {list(joints)}")
        self._tip = offset + rotation @ model.site_pos[index]
        self._tip_rotation = rotation @ _matrix(model.site_quat[index])

    def forward(self, angles: Array) -> tuple[Array, Array]:
        """Position (n, 3) and rotation (n, 3, 3) of the site in the world at joint angles (n, dof)."""
        position, rotation, _, _ = self._walk(angles)
        return np.ascontiguousarray(position.T), np.ascontiguousarray(np.moveaxis(rotation, -1, 0))

    def _walk(self, angles: Array) -> tuple[Array, Array, Array, Array]:
        """Position (3, n), rotation (3, 3, n), origins and axes (dof, 3, n): rows last, so that they are contiguous."""
        n = len(angles)
        cos, sin = np.cos(angles.T), np.sin(angles.T)
        origins, axes = np.empty((self.dof, 3, n)), np.empty((self.dof, 3, n))
        position, rotation = np.zeros((3, n)), np.repeat(np.eye(3)[:, :, None], n, axis=2)
        for k, (offset, fixed, by_cos, by_sin) in enumerate(self._before):
            position = position + _turned(rotation, offset)
            origins[k] = position
            axes[k] = _turned(rotation, self._axes[k])
            local = fixed[:, :, None] + cos[k] * by_cos[:, :, None] + sin[k] * by_sin[:, :, None]
            rotation = _product(rotation, local)
        position = position + _turned(rotation, self._tip)
        return position, _product(rotation, self._tip_rotation[:, :, None]), origins, axes

    def solve(self, angles: Array, position: Array, rotation: Array, iterations: int = 1) -> Array:
        """Joint angles (n, dof) that bring the site to a pose, by Newton steps from `angles`.

        Args:
            angles: (n, dof) where to start from; near the solution one step is enough, since errors square.
            position: (n, 3) m, world.
            rotation: (n, 3, 3), less than a quarter turn from where `angles` have it.
            iterations: Newton steps.
        """
        wanted, goal = np.moveaxis(rotation, 0, -1), position.T
        for _ in range(iterations):
            at, turned, origins, axes = self._walk(angles)
            lever = at[None] - origins
            jacobian = np.empty((len(angles), 6, self.dof))
            jacobian[:, :3] = np.moveaxis(_cross(axes, lever, 1), -1, 0).swapaxes(1, 2)
            jacobian[:, 3:] = np.moveaxis(axes, -1, 0).swapaxes(1, 2)
            error = np.empty((len(angles), 6))
            error[:, :3] = (goal - at).T
            # half the sum of the turned axes' cross products with the wanted ones is the sine of the angle between
            error[:, 3:] = 0.5 * np.sum(_cross(turned, wanted, 0), axis=1).T
            angles = angles + damped_least_squares(jacobian, error, 0.02, 0.01)
        return angles


def _product(a: Array, b: Array) -> Array:
    """`a @ b` of matrices (3, 3, n), summed in a fixed order."""
    out: Array = a[:, 0][:, None] * b[0] + a[:, 1][:, None] * b[1] + a[:, 2][:, None] * b[2]
    return out


def _turned(matrix: Array, vector: Array) -> Array:
    """`matrix @ vector` of matrices (3, 3, n) and one vector (3,)."""
    out: Array = matrix[:, 0] * vector[0] + matrix[:, 1] * vector[1] + matrix[:, 2] * vector[2]
    return out


def _cross(a: Array, b: Array, axis: int) -> Array:
    """Cross product along an axis of length 3."""
    a, b = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
    out = np.empty(np.broadcast_shapes(a.shape, b.shape))
    out[0] = a[1] * b[2] - a[2] * b[1]
    out[1] = a[2] * b[0] - a[0] * b[2]
    out[2] = a[0] * b[1] - a[1] * b[0]
    return np.moveaxis(out, 0, axis)


def _matrix(quat: Array) -> Array:
    out = np.zeros(9)
    mujoco.mju_quat2Mat(out, quat)
    return out.reshape(3, 3)
