"""Thermal drift of a robot arm over a lot, and what of it active wafer centring does not see.

The arm warms up to its steady state with one time constant. Its links grow, so that it reaches further than its
controller believes, and the column twists. Beams that are fixed to the chamber see both, but as they are where the
wafer passes the beams: the correction is right there and wrong in the station by what grows between the two.

Sources: linear expansion of aluminium 23e-6 1/K, e.g. CRC Handbook of Chemistry and Physics; first-order warming is the
lumped-capacity solution of any heat transfer textbook.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

ALUMINIUM = 23e-6  # 1/K


def warming(time_s: ArrayLike, time_constant_s: ArrayLike) -> Array:
    """Share of the steady-state temperature rise that is reached `time_s` after a cold start."""
    elapsed = np.maximum(np.asarray(time_s, float), 0.0)
    return -np.expm1(-elapsed / np.asarray(time_constant_s, float))


def link_growth(rise: ArrayLike) -> Array:
    """Relative growth of aluminium links that are `rise` (K) warmer than when the arm was calibrated."""
    return ALUMINIUM * np.asarray(rise, float)


def reach_error(growth: ArrayLike, radius: ArrayLike, end_effector: float) -> Array:
    """How much further (m) a belt-driven arm of two equal links reaches than its encoders say.

    Both links grow alike, so `r = 2 L cos(phi) + e` grows by `growth (r - e)`. The end effector's own growth is left
    out: it is the same everywhere, and centring removes it.

    Args:
        growth: relative growth of the links.
        radius: reach by the encoders, m.
        end_effector: wrist to wafer centre e, m.
    """
    return np.asarray(growth, float) * (np.asarray(radius, float) - end_effector)


def placement_drift(growth: ArrayLike, twist: ArrayLike, beam_radius: float, station_radius: float) -> Array:
    """Placement error that a perfect measurement at the beams leaves in the station, to first order.

    Args:
        growth: (...) relative growth of the links.
        twist: (...) turn of the column since the calibration, rad.
        beam_radius, station_radius: distances from the robot axis, m.

    Returns:
        (..., 2) along and across the direction of the station, m: what grows between beams and station.
    """
    span = station_radius - beam_radius
    return np.stack((np.asarray(growth, float) * span, np.asarray(twist, float) * span), axis=-1)
