"""Clearances of a paddle and its wafer inside a carrier: closed forms over batches, in the frame of the carrier.

A wafer is a thick disc bent to a bowl, a shelf is a box, a paddle is the set of points of its outline at which a
distance to something flat can be smallest. Nothing here resolves a crash: at 1 m/s a wafer's edge moves by more than
its thickness within a physics step, so that what counts is the distance before.

Points come as three arrays x, y, z of one shape (..., p), each the middle of an upright segment of a given half length.
Distances are negative inside.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...assets.fixtures.foup import (
    LATERAL_PLAY,
    SHELF_HALF_LENGTH,
    SHELF_INNER,
    SHELF_OUTER,
    SHELF_THICKNESS,
    STOP_ANGLES,
    SUPPORT_HEIGHT,
)
from ...assets.fixtures.support import SHELF_POINTS
from ...assets.parts.wafer import RADIUS, THICKNESS, median_height
from ...assets.robots.vacuum_scara import PAD_TOP
from ...assets.robots.wafer_arm import BLADE_HALF, pad_positions

Array = NDArray[np.float64]
Points = tuple[Array, Array, Array]

HALF = 0.5 * THICKNESS
LEAST_UPRIGHT = 0.1  # vertical part of a wafer's axis that heights reckon with; one that lies so steeply is lost
# Heights in the frame of the paddle's TCP, which lies half a thickness above the tops of the pads (m).
PAD_PLANE = -HALF
BLADE_TOP, BLADE_BOTTOM = -HALF - PAD_TOP + BLADE_HALF, -HALF - PAD_TOP - BLADE_HALF
# Corners of the fork in front of the wrist and what lies between them along its edges, x along the motion from the
# TCP, one half (m). See `wafer_arm_shapes.fork`.
_HALF_OUTLINE = (
    (0.090, 0.068), (0.090, 0.100), (0.085, 0.108), (0.040, 0.108), (0.0, 0.108), (-0.050, 0.108), (-0.105, 0.108),
    (-0.150, 0.040), (-0.150, 0.0), (-0.072, 0.0), (-0.072, 0.030), (-0.032, 0.062), (0.030, 0.065),
)  # fmt: skip
OUTLINE = np.array([(x, s * y) for x, y in _HALF_OUTLINE for s in ((1.0, -1.0) if y else (1.0,))])
PADS = np.array([(x, y) for x, y in pad_positions(0.0)])
# Blade and cups as upright segments: their middles in the frame of the TCP and their half lengths.
PADDLE = np.concatenate(
    [
        np.column_stack([OUTLINE, np.full(len(OUTLINE), 0.5 * (BLADE_TOP + BLADE_BOTTOM))]),
        np.column_stack([PADS, np.full(len(PADS), 0.5 * (PAD_PLANE + BLADE_BOTTOM))]),
    ]
)
PADDLE_HALF = np.concatenate([np.full(len(OUTLINE), BLADE_HALF), np.full(len(PADS), 0.5 * (PAD_PLANE - BLADE_BOTTOM))])
# Points of a wafer: rim, over the inner edges of the shelves, centre. Polar, so that a bowl lifts them.
_RIM = np.deg2rad([0.0, 30.0, 55.0, 75.0, 90.0, 105.0, 125.0, 150.0, 180.0])
_RIM = np.concatenate([_RIM, -_RIM[1:-1]])
_INNER = np.array([(x, s * 0.1225) for x in (-0.05, 0.0, 0.05) for s in (1.0, -1.0)])
WAFER = np.concatenate([RADIUS * np.column_stack([np.cos(_RIM), np.sin(_RIM)]), _INNER, np.zeros((1, 2))])
WAFER_RHO = np.hypot(WAFER[:, 0], WAFER[:, 1])

HAZARDS = ("below", "above", "target", "shelf", "stop")
FAR = 0.05  # m, stands for "nothing near"


def place(position: Array, along: Array, normal: Array, points: Array) -> Points:
    """Points (p, 3) of a body in the frame of the carrier, each component (..., p).

    Args:
        position: (..., 3) origin of the body, m.
        along, normal: (..., 3) its x and z axes.
        points: (p, 3) in its frame, m.
    """
    across = np.stack(
        (
            normal[..., 1] * along[..., 2] - normal[..., 2] * along[..., 1],
            normal[..., 2] * along[..., 0] - normal[..., 0] * along[..., 2],
            normal[..., 0] * along[..., 1] - normal[..., 1] * along[..., 0],
        ),
        axis=-1,
    )
    px, py, pz = points[:, 0], points[:, 1], points[:, 2]
    x, y, z = (
        position[..., i, None] + along[..., i, None] * px + across[..., i, None] * py + normal[..., i, None] * pz
        for i in range(3)
    )
    return x, y, z


def place_wafer(position: Array, normal: Array, warp: Array) -> Points:
    """The points `WAFER` of the middle surface of a wafer nearly level, each (..., p).

    Args:
        position: (..., 3) centre of mass, m.
        normal: (..., 3) its axis.
        warp: (...) rim minus centre, m.
    """
    nx, ny, nz = (normal[..., i, None] for i in range(3))
    x, y = WAFER[:, 0], WAFER[:, 1]
    height = median_height(warp[..., None], WAFER_RHO) - (nx * x + ny * y) / nz
    return position[..., 0, None] + x, position[..., 1, None] + y, position[..., 2, None] + height


def disc_distance(points: Points, half: Array | float, centre: Array, normal: Array, warp: Array) -> Array:
    """Distance (..., p) of upright segments from a wafer, m.

    Args:
        points: (..., p) each, middles.
        half: (p,) half lengths, m.
        centre: (..., 3) centre of mass of the wafer, m.
        normal: (..., 3) its axis.
        warp: (...) rim minus centre, m.
    """
    dx, dy, dz = (points[i] - centre[..., i, None] for i in range(3))
    axial = dx * normal[..., 0, None] + dy * normal[..., 1, None] + dz * normal[..., 2, None]
    rho = np.sqrt(np.maximum(dx * dx + dy * dy + dz * dz - axial * axial, 0.0))
    surface = median_height(warp[..., None], np.minimum(rho, RADIUS))
    return _join(rho - RADIUS, np.abs(axial - surface) - HALF - half)


def shelf_distance(points: Points, half: Array | float, top: Array) -> Array:
    """Distance (..., p) of upright segments from the shelf of a slot on their side, m.

    Args:
        points: (..., p) each, middles.
        half: (p,) half lengths, m.
        top: (..., 2) upper faces of the left and the right shelf, m.
    """
    x, y, z = points
    height = np.where(y > 0.0, top[..., 0, None], top[..., 1, None])
    middle, width = 0.5 * (SHELF_INNER + SHELF_OUTER), 0.5 * (SHELF_OUTER - SHELF_INNER)
    sideways = _join(np.abs(x) - SHELF_HALF_LENGTH, np.abs(np.abs(y) - middle) - width)
    return _join(sideways, np.abs(z - height + 0.5 * SHELF_THICKNESS) - 0.5 * SHELF_THICKNESS - half)


def stop_distance(position: Array) -> Array:
    """Distance (...) of a level wafer at `position` (..., 3) from the side stops of a slot, m."""
    reach = RADIUS + LATERAL_PLAY
    gap = np.full(position.shape[:-1], FAR)
    for angle in STOP_ANGLES:
        outward = position[..., 0] * np.cos(angle) + position[..., 1] * np.sin(angle)
        # beside the stop the distance is larger than what the projection says
        beside = position[..., 1] * np.cos(angle) - position[..., 0] * np.sin(angle)
        root = np.sqrt((reach - outward) ** 2 + beside * beside)
        gap = np.minimum(gap, root - RADIUS)
    return gap


def support_gaps(position: Array, normal: Array, warp: Array, tops: Array) -> Array:
    """Height (..., 4) of a wafer's lower face above the supports of a slot, m; `FAR` where none is over a support.

    Args:
        position: (..., 3) centre of mass, m.
        normal: (..., 3) its axis.
        warp: (...) rim minus centre, m.
        tops: (..., 2) heights of the left and the right supports, m.
    """
    gaps = []
    rim = median_height(warp, np.hypot(*SHELF_POINTS[0]))
    for x, y in SHELF_POINTS:
        dx, dy = x - position[..., 0], y - position[..., 1]
        slope = (normal[..., 0] * dx + normal[..., 1] * dy) / np.maximum(normal[..., 2], LEAST_UPRIGHT)
        gap = position[..., 2] + rim - HALF - slope - tops[..., 0 if y > 0.0 else 1]
        gaps.append(np.where(dx * dx + dy * dy < RADIUS**2, gap, FAR))
    return np.stack(gaps, axis=-1)


def pad_gaps(seat: Array, normal: Array, warp: Array) -> Array:
    """Height (..., 3) of a wafer's lower face above the pads of the paddle, m.

    Args:
        seat: (..., 3) centre of mass in the frame of the TCP, m.
        normal: (..., 3) axis of the wafer in that frame.
        warp: (...) rim minus centre, m.
    """
    gaps = []
    for x, y in PADS.tolist():
        dx, dy = x - seat[..., 0], y - seat[..., 1]
        slope = (normal[..., 0] * dx + normal[..., 1] * dy) / np.maximum(normal[..., 2], LEAST_UPRIGHT)
        bowl = median_height(warp, np.hypot(x, y))
        gap = seat[..., 2] + bowl - HALF - slope - PAD_PLANE
        gaps.append(np.where(dx * dx + dy * dy < RADIUS**2, gap, FAR))
    return np.stack(gaps, axis=-1)


def shelf_top(seat: Array) -> Array:
    """Upper face of a shelf whose supports end at `seat`, m."""
    return seat - SUPPORT_HEIGHT


def _join(one: Array, other: Array) -> Array:
    """Distance from what two conditions enclose, from the distances to fulfilling each, across to one another."""
    a, b = np.maximum(one, 0.0), np.maximum(other, 0.0)
    return np.sqrt(a * a + b * b) + np.minimum(np.maximum(one, other), 0.0)
