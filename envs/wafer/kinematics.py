"""Closed-form kinematics of an equal-link SCARA that keeps its end effector radial.

With `shoulder = theta + phi`, `elbow = -2 phi`, `wrist = phi` the wafer centre stands at radius
`r = 2 L cos(phi) + e` in direction `theta`, the end effector pointing outward.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def joints_from_polar(
    radius: Array, angle: Array, radius_rate: Array, angle_rate: Array, link: float, end_effector: float
) -> tuple[Array, Array]:
    """Joint angles (..., 3) in rad and their rates in rad/s for a wafer centre in polar coordinates.

    Args:
        radius, angle: polar coordinates in m and rad; the radius must be inside the open reach.
        radius_rate, angle_rate: their rates in m/s and rad/s.
        link: length L of each of the two links, m.
        end_effector: wrist to wafer centre e, m.
    """
    cosine = np.ascontiguousarray((radius - end_effector) / (2.0 * link))
    phi = np.arccos(cosine)
    phi_rate = -radius_rate / (2.0 * link * np.sqrt(1.0 - cosine * cosine))
    position = np.stack((angle + phi, -2.0 * phi, phi), axis=-1)
    rate = np.stack((angle_rate + phi_rate, -2.0 * phi_rate, phi_rate), axis=-1)
    return position, rate
