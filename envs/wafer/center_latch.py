"""Edges of beams between physics steps, and positions that are latched when a sensor responds.

A wafer moves a fraction of a millimetre in a physics step, a hundred times more than a latch is worth. The instant at
which the rim passes a beam is therefore found inside the step, by root finding on the exact outline of the wafer along
its motion, which between two recorded steps is taken as straight: at 2 m/s^2 and 0.5 ms that is off by 0.06 um. The
sensor responds later, by its delay and its jitter, possibly in the next control step; the encoders are read at that
instant.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...assets.parts import wafer

Array = NDArray[np.float64]

_ITERATIONS = 14  # of the Illinois method, on a function that is almost linear


def record_times(substeps: int, timestep: float) -> Array:
    """Times (substeps,) in s since the control step began of the entries of `Simulation.follow`'s record."""
    times: Array = np.arange(substeps, dtype=np.float64) * timestep
    times[-1] = substeps * timestep
    return times


def clearance(dx: Array, dy: Array, yaw: Array, growth: Array) -> Array:
    """Distance (m) of a beam from the rim, measured from the wafer's centre; negative where the beam is blocked.

    Args:
        dx, dy: beam minus centre of the wafer, m.
        yaw: turn of the wafer, rad.
        growth: of its radius, m.
    """
    # arrays of one layout round alike whatever their shape
    dx, dy = np.ascontiguousarray(dx), np.ascontiguousarray(dy)
    angle = np.ascontiguousarray(np.arctan2(dy, dx) - yaw)
    return np.sqrt(dx * dx + dy * dy) - wafer.edge_radius(angle) - growth


def blocked(centre: Array, yaw: Array, growth: Array, beams: Array) -> NDArray[np.bool_]:
    """Whether each beam is blocked at each entry of a record.

    Args:
        centre: (n, m, 2) of the wafer, m.
        yaw: (n, m) of the wafer, rad.
        growth: (n,) of its radius, m.
        beams: (n, b, 2) positions, m.

    Returns:
        (n, m, b).
    """
    dx = beams[:, None, :, 0] - centre[:, :, None, 0]
    dy = beams[:, None, :, 1] - centre[:, :, None, 1]
    distance_sq = dx * dx + dy * dy
    outer = wafer.RADIUS + growth
    inner = outer - 1.01 * wafer.NOTCH_DEPTH
    inside = distance_sq < (outer * outer)[:, None, None]
    # only near the rim can the notch make a difference
    near = np.nonzero(inside & (distance_sq > (inner * inner)[:, None, None]))
    if near[0].size:
        row, entry, _ = near
        inside[near] = clearance(dx[near], dy[near], yaw[row, entry], growth[row]) < 0.0
    return inside


def crossing_times(times: Array, centre: Array, yaw: Array, growth: Array, beams: Array) -> tuple[Array, Array]:
    """First times within a control step at which each beam becomes blocked and becomes free.

    Args:
        times: (m,) of the record, s.
        centre: (n, m, 2) of the wafer, m.
        yaw: (n, m) of the wafer, rad, without jumps of a full turn between entries near an edge.
        growth: (n,) of its radius, m.
        beams: (n, b, 2) positions, m.

    Returns:
        Two arrays (n, b), NaN where there is no such edge.
    """
    dark = blocked(centre, yaw, growth, beams)
    found = []
    for edge in (~dark[:, :-1] & dark[:, 1:], dark[:, :-1] & ~dark[:, 1:]):
        out = np.full((centre.shape[0], beams.shape[1]), np.nan)
        row, beam = np.nonzero(edge.any(axis=1))
        if row.size:
            entry = np.argmax(edge, axis=1)[row, beam]
            share = _root(centre[row, entry], centre[row, entry + 1], yaw[row, entry], yaw[row, entry + 1],
                          growth[row], beams[row, beam])  # fmt: skip
            out[row, beam] = times[entry] + share * (times[entry + 1] - times[entry])
        found.append(out)
    return found[0], found[1]


def _root(begin: Array, end: Array, yaw0: Array, yaw1: Array, growth: Array, beam: Array) -> Array:
    """Share (k,) of the way from `begin` to `end` at which the rim passes the beam, by the Illinois method."""
    turn = (yaw1 - yaw0 + np.pi) % (2.0 * np.pi) - np.pi

    def value(share: Array) -> Array:
        at = begin + share[:, None] * (end - begin)
        return clearance(beam[:, 0] - at[:, 0], beam[:, 1] - at[:, 1], yaw0 + share * turn, growth)

    low, high = np.zeros(len(beam)), np.ones(len(beam))
    f_low, f_high = value(low), value(high)
    for _ in range(_ITERATIONS):
        gap = f_high - f_low
        share = np.where(gap != 0.0, low - f_low * (high - low) / np.where(gap != 0.0, gap, 1.0), low)
        f = value(share)
        # the root lies between `share` and `high`, or else between `low` and `share`; halving the value at an end that
        # stays keeps it from staying for ever
        beyond = f * f_high <= 0.0
        low, f_low = np.where(beyond, high, low), np.where(beyond, f_high, 0.5 * f_low)
        high, f_high = share, f
    return np.minimum(np.maximum(high, 0.0), 1.0)


def latch(times: Array, values: Array, at: Array) -> Array:
    """Recorded values at instants between entries.

    Args:
        times: (m,) of the record, s.
        values: (n, m, k) recorded.
        at: (n, e) instants, s; NaN or outside the record gives NaN.

    Returns:
        (n, e, k) on the straight line between the entries before and after.
    """
    inside = (at >= times[0]) & (at <= times[-1])
    when = np.where(inside, at, times[0])
    entry = np.minimum(np.searchsorted(times, when, side="right") - 1, times.size - 2)
    share = ((when - times[entry]) / (times[entry + 1] - times[entry]))[..., None]
    before = np.take_along_axis(values, entry[..., None], axis=1)
    after = np.take_along_axis(values, entry[..., None] + 1, axis=1)
    out = before + share * (after - before)
    return np.where(inside[..., None], out, np.nan)
