"""Where a controller believes its teaching jig to be: kinematics of the arm with its nominal sag, and its inverse."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.slot import SAG_FREQUENCY_HZ, SAG_INERTIA, SAG_LEVER
from ...assets.cells.teach import STATION, TCP_HEIGHT, TCP_Z
from ...assets.parts import wafer
from ...assets.robots.efem_robot import RADIUS_RANGE
from ...assets.tools.teach_jig import BALL_RADIUS, BEAM_ANGLES, CROSSING, STYLUS
from .profiles import GRAVITY

Array = NDArray[np.float64]

TAUGHT_DROOP = 0.45e-3  # m, sag of the empty arm at full extension, from commissioning
NOMINAL_STIFFNESS = SAG_INERTIA * (2.0 * np.pi * SAG_FREQUENCY_HZ) ** 2  # N m/rad of the sag, from commissioning
STYLUS_LEVER = SAG_LEVER + STYLUS[0]  # m, hinge of the sag to the stylus
NOMINAL_COMPLIANCE = STYLUS_LEVER**2 / NOMINAL_STIFFNESS  # m/N at the stylus
LOAD_TILT = wafer.MASS * GRAVITY * SAG_LEVER / NOMINAL_STIFFNESS  # rad, what the jig adds


def sag_share(radius: Array) -> Array:
    """Sag at `radius` (m) as a share of that at full extension."""
    share: Array = (radius / RADIUS_RANGE[1]) ** 2
    return share


def nominal_tilt(radius: Array) -> Array:
    """Tilt (rad, tip down) that the controller expects at `radius` (m) of the TCP."""
    return TAUGHT_DROOP / SAG_LEVER * sag_share(radius) + LOAD_TILT


def droop_lever(radius: Array) -> Array:
    """What a metre of droop lowers the stylus with the TCP at `radius` (m), less what it lowers the TCP at the station.

    Heights are taught as the robot will use them, with the TCP at the station, where its sag is part of them.
    """
    lever: Array = STYLUS_LEVER / SAG_LEVER * sag_share(radius) - sag_share(np.full_like(radius, STATION[0]))
    return lever


def place(radius: Array, theta: Array, lift: Array, point: tuple[float, float, float]) -> Array:
    """Position (..., 3) in the world of a point of the jig, by the encoders and the nominal sag, m.

    Args:
        radius: (...) of the TCP without sag, m.
        theta: (...) rad.
        lift: (...) m.
        point: in the frame of the TCP, m.
    """
    tilt = nominal_tilt(radius)
    c, s = np.cos(tilt), np.sin(tilt)
    ahead, up = SAG_LEVER + point[0], TCP_Z + point[2]  # from the hinge, in the paddle's mid-plane
    along = radius - SAG_LEVER + c * ahead + s * up
    height = TCP_HEIGHT - TCP_Z + lift - s * ahead + c * up
    ct, st = np.cos(theta), np.sin(theta)
    return np.stack((ct * along - st * point[1], st * along + ct * point[1], height), axis=-1)


def ball_lift(radius: Array, bottom: Array) -> Array:
    """Lift (m) that brings the lowest point of the ball to `bottom` (m above the floor), arm at `radius` (m)."""
    zero = np.zeros_like(radius)
    lift: Array = bottom + BALL_RADIUS - place(radius, zero, zero, STYLUS)[..., 2]
    return lift


def beam_normals(theta: Array) -> Array:
    """Unit normals (..., 2, 2) of the two beams in the world, x along the arm positive, at `theta` (...) rad."""
    normals = []
    for angle in BEAM_ANGLES:
        sign = -np.sign(np.sin(angle))
        turned = theta + angle + sign * np.pi / 2.0
        normals.append(np.stack((np.cos(turned), np.sin(turned)), axis=-1))
    return np.stack(normals, axis=-2)


def polar(point: Array, offset: float) -> tuple[Array, Array]:
    """Radius of the TCP (m) and theta (rad) that put a point of the jig `offset` m ahead of the TCP over `point`."""
    x, y = np.ascontiguousarray(point[..., 0]), np.ascontiguousarray(point[..., 1])
    return np.sqrt(x * x + y * y) - offset, np.arctan2(y, x)


SWEEP_OFFSET = CROSSING[0]
TOUCH_OFFSET = STYLUS[0]
