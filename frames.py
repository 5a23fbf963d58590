"""Rotations and poses over arrays: quaternions are wxyz, arrays end in the component axis.

Everything here is elementwise arithmetic along a short last axis, so a row's result does not depend on how many
rows stand beside it (BLAS and pairwise sums would not promise that).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def quat_multiply(a: Array, b: Array) -> Array:
    """Hamilton product `a * b` of quaternions (..., 4)."""
    aw, ax, ay, az = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    bw, bx, by, bz = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    return np.stack(
        (
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ),
        axis=-1,
    )


def quat_conjugate(q: Array) -> Array:
    """Inverse of unit quaternions (..., 4)."""
    out = -q
    out[..., 0] = q[..., 0]
    return out


def quat_from_axis_angle(axis: Array, angle: Array) -> Array:
    """Unit quaternions (..., 4) from unit axes (..., 3) and angles in rad (...)."""
    half = 0.5 * np.asarray(angle, order="C")
    s = np.sin(half)
    return np.stack((np.cos(half), s * axis[..., 0], s * axis[..., 1], s * axis[..., 2]), axis=-1)


def quat_to_rotation_vector(q: Array) -> Array:
    """Rotation vectors in rad (..., 3), of length in [0, pi], from unit quaternions (..., 4)."""
    sign = np.where(q[..., 0] < 0.0, -1.0, 1.0)
    w = q[..., 0] * sign
    v = q[..., 1:] * sign[..., None]
    norm = np.sqrt(v[..., 0] * v[..., 0] + v[..., 1] * v[..., 1] + v[..., 2] * v[..., 2])
    angle = 2.0 * np.arctan2(norm, np.asarray(w, order="C"))
    # angle / sin(angle / 2) tends to 2 at zero
    factor = np.where(norm > 1e-12, angle / np.maximum(norm, 1e-12), 2.0)
    return v * factor[..., None]


def quat_angle_between(a: Array, b: Array) -> Array:
    """Smallest rotation angle in rad (...) that takes orientation a (..., 4) to b (..., 4)."""
    v = quat_to_rotation_vector(quat_multiply(quat_conjugate(a), b))
    return np.sqrt(v[..., 0] * v[..., 0] + v[..., 1] * v[..., 1] + v[..., 2] * v[..., 2])


def rotate(q: Array, v: Array) -> Array:
    """Vectors (..., 3) rotated by unit quaternions (..., 4)."""
    w, x, y, z = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    vx, vy, vz = v[..., 0], v[..., 1], v[..., 2]
    tx, ty, tz = 2.0 * (y * vz - z * vy), 2.0 * (z * vx - x * vz), 2.0 * (x * vy - y * vx)
    return np.stack(
        (
            vx + w * tx + y * tz - z * ty,
            vy + w * ty + z * tx - x * tz,
            vz + w * tz + x * ty - y * tx,
        ),
        axis=-1,
    )


def quat_from_matrix(matrix: Array) -> Array:
    """Unit quaternions (..., 4) with w >= 0 from rotation matrices, rows flattened (..., 9)."""
    m00, m01, m02 = matrix[..., 0], matrix[..., 1], matrix[..., 2]
    m10, m11, m12 = matrix[..., 3], matrix[..., 4], matrix[..., 5]
    m20, m21, m22 = matrix[..., 6], matrix[..., 7], matrix[..., 8]
    # the four candidate pivots; the largest is the well conditioned one (Shepperd 1978)
    pivots = np.stack((m00 + m11 + m22, m00 - m11 - m22, m11 - m00 - m22, m22 - m00 - m11), axis=-1)
    best = np.argmax(pivots, axis=-1)
    candidates = np.stack(
        (
            np.stack((1.0 + pivots[..., 0], m21 - m12, m02 - m20, m10 - m01), axis=-1),
            np.stack((m21 - m12, 1.0 + pivots[..., 1], m01 + m10, m02 + m20), axis=-1),
            np.stack((m02 - m20, m01 + m10, 1.0 + pivots[..., 2], m12 + m21), axis=-1),
            np.stack((m10 - m01, m02 + m20, m12 + m21, 1.0 + pivots[..., 3]), axis=-1),
        ),
        axis=-2,
    )
    q = np.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :]
    norm = np.sqrt(q[..., 0] ** 2 + q[..., 1] ** 2 + q[..., 2] ** 2 + q[..., 3] ** 2)
    sign = np.where(q[..., 0] < 0.0, -1.0, 1.0)
    return q * (sign / norm)[..., None]


def wrap_angle(angle: Array) -> Array:
    """Angles (rad) brought into [-pi, pi)."""
    out: Array = np.mod(angle + np.pi, 2.0 * np.pi) - np.pi
    return out
