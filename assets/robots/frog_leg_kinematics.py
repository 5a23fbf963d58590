"""Dimensions and closed-form kinematics of the frog-leg robot.

The upper arms stand at `theta + phi` and `theta - phi`; each elbow carries one forearm to the front paddle and one to
the rear paddle, and gears at the wrists keep both paddles on the line through the axis. With the wrist pivots 2 w
apart the fold angle of the forearms is beta = asin((L1 sin(phi) - w) / L2) and the wafer centres are at

    r_front = +L1 cos(phi) + L2 cos(beta) + e,    r_rear = -L1 cos(phi) + L2 cos(beta) + e.

One motion serves both: while the front paddle runs out, the rear one stays near its retracted place.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .wafer_arm import Array, Levers

UPPER, FOREARM = 0.36, 0.38  # m
WRIST_TO_WAFER = 0.30  # m
WRIST_HALF = 0.03  # m, half the distance of the wrist pivots of one paddle
RADIUS_RANGE = (0.333, 1.02)  # m, wafer centre to robot axis; the lower end is one paddle out, the other in

# Heights above the base flange with the lift down (m), mid-planes.
UPPER_Z = {"left": 0.066, "right": 0.098}
FOREARM_Z = {"front": 0.130, "rear": 0.158}
PADDLE_Z = 0.190


def fold_angle(phi: ArrayLike) -> Array:
    """Angle beta (rad) between a forearm and the line of motion, for upper arms at +-`phi` (rad)."""
    return np.arcsin((UPPER * np.sin(np.asarray(phi, float)) - WRIST_HALF) / FOREARM)


def radii(phi: ArrayLike) -> tuple[Array, Array]:
    """Wafer centre to robot axis (m) of the front and of the rear paddle, for upper arms at +-`phi` (rad)."""
    reach = FOREARM * np.cos(fold_angle(phi)) + WRIST_TO_WAFER
    along = UPPER * np.cos(np.asarray(phi, float))
    return reach + along, reach - along


def extension_angle(radius: ArrayLike) -> Array:
    """Angle phi (rad) that puts the front wafer centre at `radius` (m); pi minus it does so for the rear one."""
    d = np.asarray(radius, float) - WRIST_TO_WAFER
    k = (UPPER**2 + d * d + WRIST_HALF**2 - FOREARM**2) / (2.0 * UPPER)
    return np.arctan2(WRIST_HALF, d) + np.arccos(k / np.hypot(d, WRIST_HALF))


def motor_angles(theta: ArrayLike, phi: ArrayLike) -> tuple[Array, Array]:
    """Angles (rad) of the two coaxial motors, left and right upper arm, in the frame of the base."""
    middle, half = np.asarray(theta, float), np.asarray(phi, float)
    return middle + half, middle - half


def levers(radius: ArrayLike) -> Levers:
    """(x, y) in m from robot axis, elbow and wrist to the wafer centre at `radius` (m)."""
    r = np.asarray(radius, float)
    phi, zero = extension_angle(r), np.zeros_like(r)
    return (
        (r, zero),
        (r - UPPER * np.cos(phi), -UPPER * np.sin(phi)),
        (zero + WRIST_TO_WAFER, zero - WRIST_HALF),
    )


# Upper arms half-way: both paddles retracted by the same amount.
NEUTRAL_RADIUS = float(radii(np.pi / 2)[0])
