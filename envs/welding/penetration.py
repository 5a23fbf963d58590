"""Depth of fusion under the arc.

Depth grows with current far faster than heat does, because the arc's pressure and the stream of drops dig: Jackson and
Shrubsall found P ~ (I^4 / (v U^2))^(1/3). Their exponents of current and speed are kept; the exponent of voltage is
left out, since measured GMAW beads do not show it, and a longer extension costs depth at equal current.

Sources: C. E. Jackson and A. E. Shrubsall, "Control of penetration and melting ratio with welding technique", Welding
Journal 32, 1953. The factor and the extension's exponent are those of a published 31-run bead-on-plate design (250 to
550 A, 6 to 18 mm/s, contact-tip distance 20 to 34 mm), and reproduce its depths to 11 %, near the 8 % by which its own
replicates scatter.

Heuristics, without a data set of their own: gas, torch angle, weave and slope of the seam, heat returned by the back of
thin plates, the reach into an open gap, the front of fusion at its edges, and the share of the depth that reaches past
the corner of a fillet.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .heat import RELATIVE_THICK

Array = NDArray[np.float64]

# mm for 1 A, 1 mm/s and 1 mm of contact-tip distance
DEPTH_FACTOR = 0.017
ARGON_FACTOR = 0.9  # depth in argon-rich gas over that in CO2, mean of the finger-shaped zone
PUSH_LOSS = 0.012  # relative loss of depth a degree of push; drag gains as much
GAP_REACH = 1.5  # mm of depth a mm of gap
ROOT_SHARE = 0.4  # of the bead-on-plate depth reaches past the corner of a fillet (0.3 to 0.5 in macro-sections)
ROOT_WIDTH_MM = 1.4  # lateral miss at which the root's fusion is down to 1/e, about the diameter of the wire


def plate_depth(current_a: Array, travel_mm_s: Array, ctwd_mm: Array) -> Array:
    """Depth in mm of a bead on plate in CO2, torch upright."""
    return DEPTH_FACTOR * current_a ** (4.0 / 3.0) * travel_mm_s ** (-1.0 / 3.0) * ctwd_mm**-0.5


def technique_factor(travel_angle_deg: Array, slope_deg: Array, co2_share: float) -> Array:
    """How gas, push angle and slope change the depth.

    Args:
        travel_angle_deg: positive pushes, negative drags.
        slope_deg: positive uphill: the pool runs back and bares the root; downhill it cushions the arc.
        co2_share: of the gas.
    """
    gas = ARGON_FACTOR + (1.0 - ARGON_FACTOR) * co2_share
    push = 1.0 - PUSH_LOSS * np.clip(travel_angle_deg, -20.0, 30.0)
    return gas * push * (1.0 + 0.004 * np.clip(slope_deg, -60.0, 60.0))


def weave_factor(amplitude_mm: Array, width_mm: Array) -> Array:
    """How a weave of the given amplitude to each side dilutes the depth of a bead of the given width."""
    return 1.0 / np.sqrt(1.0 + 2.0 * amplitude_mm / width_mm)


def back_face_factor(relative_thickness: Array) -> Array:
    """How the heat that the back face returns deepens fusion in plates too thin for three-dimensional heat flow.

    Args:
        relative_thickness: see `heat.relative_thickness`.
    """
    return np.sqrt(np.maximum(RELATIVE_THICK / relative_thickness, 1.0))


def gap_depth(gap_mm: Array) -> Array:
    """By how many mm an open gap lets arc and metal reach deeper between two square edges."""
    return GAP_REACH * gap_mm


def edge_share(gap_mm: Array, fused_mm: Array, offset_mm: Array, amplitude_mm: Array) -> Array:
    """Share of the reach under the arc that is left at the edge of an open root that lies further from it.

    The front of fusion is taken as a parabola as wide as the fused zone at the surface. With the arc over the middle
    both edges are reached alike, which is what `gap_depth` counts; an arc beside it reaches one of them less deep.

    Args:
        gap_mm: between the edges.
        fused_mm: width fused at the surface.
        offset_mm: lateral miss of the arc.
        amplitude_mm: of a weave, which passes the middle even when its own middle misses it.
    """
    half = 0.5 * np.maximum(fused_mm, 1e-3)
    miss = np.maximum(np.abs(offset_mm) - 0.5 * amplitude_mm, 0.0)
    near = np.minimum(0.5 * gap_mm / half, 0.9)
    far = np.minimum(near + miss / half, 1.0)
    return (1.0 - far * far) / (1.0 - near * near)


def root_depth(depth_mm: Array, offset_mm: Array, amplitude_mm: Array) -> Array:
    """Fusion past the corner of a fillet, mm.

    Args:
        depth_mm: bead-on-plate depth under the arc.
        offset_mm: lateral miss of the arc.
        amplitude_mm: of a weave, which passes the root even when its centre misses it.
    """
    miss = np.maximum(np.abs(offset_mm) - 0.5 * amplitude_mm, 0.0)
    return ROOT_SHARE * depth_mm * np.exp(-((miss / ROOT_WIDTH_MM) ** 2))
