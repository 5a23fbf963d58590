"""Melting of the electrode: burn-off, its inverse, sensitivity, short circuits, metal transfer and spatter.

Wire melts at `w = alpha I + beta L I^2`: the arc heats the tip in proportion to the current, resistance heats the
extension L in proportion to L I^2. With feed and burn-off in balance this is a quadratic for the current.

In the short-circuiting mode the arc is out for a fifth to a third of the time, and the current that flows meanwhile
heats the extension but not the tip. The share chi of the charge that passes without an arc therefore takes from the
first term only: `w = alpha (1 - chi) I + beta L I^2`. That is why a short-circuiting wire needs more current than the
law of the open arc says, by 10 to 20 %.

Sources: burn-off as in `consumables`. Times of short circuits: 20 to 30 % of the cycle, with currents about 1.6 times
those of the arc, e.g. J. Norrish, "Advanced Welding Processes", 2006. The linear dependence of chi on the length of
the arc is a heuristic. Spray transition currents in argon with 2 % oxygen: AWS Welding Handbook, vol. 2, GMAW, table
of globular-to-spray transition currents; the rise with CO2 by 1 % a percent is a heuristic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .consumables import Gas, Wire

Array = NDArray[np.float64]

# 25 % of the time at 1.6 times the current of the arc is 0.25 * 1.6 / (0.75 + 0.25 * 1.6) = 0.35 of the charge
SHORT_CHARGE = 0.35
# Mean arc length, in wire diameters, at which drops stop to bridge the gap
SHORT_FREE_DIAMETERS = 2.0

SHORT, GLOBULAR, SPRAY = 0, 1, 2
TRANSFER_MODES = ("short-circuiting", "globular", "spray")


def melting_rate(current_a: Array, extension_mm: Array, alpha: Array, beta: Array, short: Array | float = 0.0) -> Array:
    """Wire melted, mm/s.

    Args:
        current_a: A.
        extension_mm: from contact tip to wire end.
        alpha, beta: coefficients of the wire, mm/(A s) and 1/(A^2 s).
        short: share of the charge that passes in short circuits.
    """
    return (alpha * (1.0 - short) + beta * extension_mm * current_a) * current_a


def current_for_feed(
    feed_mm_s: Array, extension_mm: Array, alpha: Array, beta: Array, short: Array | float = 0.0
) -> Array:
    """Current in A at which the wire melts as fast as it is fed: the inverse of `melting_rate`."""
    linear = alpha * (1.0 - short)
    # the form without cancellation, which also holds where the extension is zero
    root = np.sqrt(linear * linear + 4.0 * beta * extension_mm * feed_mm_s)
    return 2.0 * feed_mm_s / (linear + root)


def extension_sensitivity(current_a: Array, extension_mm: Array, alpha: Array, beta: Array) -> Array:
    """Change of current with extension at constant feed, dI/dL in A/mm: what a slow change of distance shows."""
    return -beta * current_a * current_a / (alpha + 2.0 * beta * extension_mm * current_a)


def short_charge(arc_length_mm: Array, diameter_mm: Array | float, most: Array | float = SHORT_CHARGE) -> Array:
    """Share of the charge that passes in short circuits: `most` without a gap, none above two wire diameters."""
    share = 1.0 - arc_length_mm / (SHORT_FREE_DIAMETERS * diameter_mm)
    return most * np.minimum(np.maximum(share, 0.0), 1.0)


_SPRAY_DIAMETERS = (0.8, 0.9, 1.2, 1.6)
_SPRAY_CURRENTS = (150.0, 165.0, 220.0, 275.0)
# Above about a quarter of CO2 the drops are repelled and axial spray does not set in at any current
SPRAY_CO2_LIMIT = 0.27


def spray_current(wire: Wire, gas: Gas) -> float:
    """Current in A above which transfer is axial spray; infinite where the gas does not allow it."""
    if gas.co2_share > SPRAY_CO2_LIMIT:
        return float("inf")
    return _base_current(wire) * (1.0 + gas.co2_share)


def _base_current(wire: Wire) -> float:
    return float(np.interp(wire.diameter_mm, _SPRAY_DIAMETERS, _SPRAY_CURRENTS))


def short_feeds(wire: Wire, gas: Gas) -> tuple[float, float]:
    """Wire feed speeds in mm/s up to which a short arc short-circuits, and above which it does not any more.

    In spray the drops are too small to bridge the gap; in CO2 a strong arc burns in a crater of its own below the
    plate's surface. Those of the burn-off law with ten diameters of extension at the currents about the spray
    transition, in CO2 at 1 and 1.4 times the transition current of argon. The bounds are a heuristic.
    """
    spray = spray_current(wire, gas)
    low, high = (0.85 * spray, 1.1 * spray) if np.isfinite(spray) else (_base_current(wire), 1.4 * _base_current(wire))
    ends = np.array([low, high])
    feeds = melting_rate(ends, np.full(2, 10.0 * wire.diameter_mm), np.full(2, wire.alpha), np.full(2, wire.beta))
    return float(feeds[0]), float(feeds[1])


def transfer_mode(current_a: Array, short: Array, spray_a: Array) -> NDArray[np.int8]:
    """Metal transfer: `SHORT` from half the short circuits that a wire can have, else `GLOBULAR` or `SPRAY`."""
    free = np.where(current_a >= spray_a, SPRAY, GLOBULAR)
    return np.where(short >= 0.5 * SHORT_CHARGE, SHORT, free).astype(np.int8)


GLOBULAR_EFFICIENCY, SHORT_EFFICIENCY, SPRAY_EFFICIENCY = 0.89, 0.93, 0.98
SPRAY_BLEND_A = 15.0  # half-width of the transition


def deposition_efficiency(current_a: Array, short: Array, spray_a: Array) -> Array:
    """Share of the melted metal that becomes bead; the rest is spatter.

    The efficiencies of the three modes (see `consumables`), blended by the share of short circuits and over 30 A at
    the spray transition. The blending is a heuristic.
    """
    spray = np.clip((current_a - spray_a + SPRAY_BLEND_A) / (2.0 * SPRAY_BLEND_A), 0.0, 1.0)
    free = GLOBULAR_EFFICIENCY + (SPRAY_EFFICIENCY - GLOBULAR_EFFICIENCY) * spray
    return free + (SHORT_EFFICIENCY - free) * (short / SHORT_CHARGE)
