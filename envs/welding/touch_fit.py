"""What touches tell of a joint: the controller's least squares, with the wire's errors as nuisances.

Unknowns, in this order (m, or rad as slopes), in the seam frame of the drawing (`touch_joint`):

    0     along     station of the end at which the seam starts, less the drawing's
    1, 2  across, up    of the root at station 0
    3, 4  yaw, slope    by which across and up grow along the seam
    5     stickout  of the wire, beyond the nominal one
    6, 7  bend      of the wire's end: square to the wire in the section, and along the seam

The wire leans by 45 degrees in the section: its end is at `stickout axis + bend` from where the controller thinks. A
search that stops with the nominal end at p means

    flat   p_up + stickout a_up + bend e_up = up + slope s
    wall   p_across + stickout a_across + bend e_across = across + yaw s
    end    p_station + bend_along = along + start - yaw offset    at an offset across from the root
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..sensing.sequential import update as update
from ..sensing.sequential import variance_along as variance_along

Array = NDArray[np.float64]

NAMES = ("along", "across", "up", "yaw", "slope", "stickout", "bend", "bend_along")
SIZE = len(NAMES)
ALONG, ACROSS, UP, YAW, SLOPE, STICKOUT, BEND, BEND_ALONG = range(SIZE)
FLAT, WALL, END = range(3)

# The wire's direction and the one square to it in the section, as (station, across, up): the torch leans by 45 degrees.
AXIS = np.array([0.0, np.sqrt(0.5), -np.sqrt(0.5)])
SQUARE = np.array([0.0, np.sqrt(0.5), np.sqrt(0.5)])


def touch_row(kind: int, station: Array) -> Array:
    """Row (n, SIZE) of the measurement matrix of a touch of `kind` at `station` (n,), m."""
    h = np.zeros((len(station), SIZE))
    if kind == END:
        h[:, ALONG], h[:, BEND_ALONG] = 1.0, -1.0
        return h
    place, turn, part = (UP, SLOPE, 2) if kind == FLAT else (ACROSS, YAW, 1)
    h[:, place], h[:, turn] = 1.0, station
    h[:, STICKOUT], h[:, BEND] = -AXIS[part], -SQUARE[part]
    return h


def wire_end(stickout: Array, bend: Array) -> Array:
    """Offset (n, 3) of the wire's end from the nominal one: station, across, up.

    Args:
        stickout: (n,) beyond nominal.
        bend: (n, 2) in the section and along the seam.
    """
    out = stickout[:, None] * AXIS + bend[:, :1] * SQUARE
    out[:, 0] += bend[:, 1]
    return out


def doubt(cov: Array, stations: tuple[float, float]) -> Array:
    """Two standard deviations (n, 3) of the start along the seam, and of the root across and up at its worse end."""
    out = np.empty((len(cov), 3))
    out[:, 0] = np.sqrt(np.maximum(cov[:, ALONG, ALONG], 0.0))
    for column, place, turn in ((1, ACROSS, YAW), (2, UP, SLOPE)):
        ends = [cov[:, place, place] + 2.0 * t * cov[:, place, turn] + t * t * cov[:, turn, turn] for t in stations]
        out[:, column] = np.sqrt(np.maximum(np.maximum(ends[0], ends[1]), 0.0))
    return 2.0 * out
