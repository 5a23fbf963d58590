"""The three seams of a U-cell in the frame of the cell, as drawings and surveyors have them.

Frame: origin on the floor plate where the transverse's face meets the middle of the stiffener, x towards the transverse
(the cell is at x < 0), y to the left, z up; mm. A short flat bar, the stiffener, stands on the floor and reaches the
transverse over a scallop.

- "around": from the scallop along the right side of the bar, around its free end, and `TAIL_MM` along the left side;
- "second": from the scallop along the left side, until it laps over the other one's end by `OVERLAP_MM`;
- "up": vertically up the corner of transverse and left longitudinal.

The wire is led `AIM_MM` outside of the root on the floor, so that a corner is a short arc about its edge. All functions
take arrays with the rows first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .contour import AIM, BLEND

Array = NDArray[np.float64]

AROUND, SECOND, UP = range(3)
SEAMS = ("around", "second", "up")
BAR_MM = 90.0  # length of the stiffener's foot
INSET_MM = 4.0  # of both fillets' starts from the edge of the scallop
TAIL_MM, OVERLAP_MM = 25.0, 15.0
SECOND_MM = BAR_MM - INSET_MM - TAIL_MM + OVERLAP_MM
RISE_FROM_MM, RISE_MM = 10.0, 50.0  # of the vertical seam: over the floor, and its length
AIM_MM, BLEND_MM = 1e3 * AIM, 1e3 * BLEND
RUN_MM = BAR_MM - INSET_MM  # of the first fillet, to the free end
QUARTER = 0.5 * np.pi
ARC_MM = QUARTER * AIM_MM


def around_length(thickness: Array) -> Array:
    """Length (n,) of the seam around a bar of that thickness (n,)."""
    return RUN_MM + 2.0 * ARC_MM + thickness + TAIL_MM


def wrap_span(thickness: Array) -> tuple[Array, Array]:
    """Where the corner wrap begins and ends along the seam around (n,)."""
    return np.full_like(thickness, RUN_MM), RUN_MM + 2.0 * ARC_MM + thickness


def around_at(s: Array, thickness: Array, scallop: Array) -> tuple[Array, Array, Array]:
    """Position x and y, and heading away from the bar (rad), each (n,), at arc lengths (n,); straight on beyond."""
    u = s - RUN_MM
    first = np.clip(u / AIM_MM, 0.0, QUARTER)
    second = np.clip((u - ARC_MM - thickness) / AIM_MM, 0.0, QUARTER)
    x = -scallop - INSET_MM - np.minimum(s, RUN_MM) - AIM_MM * (np.sin(first) - 1.0 + np.cos(second))
    x = x + np.maximum(u - 2.0 * ARC_MM - thickness, 0.0)
    y = -0.5 * thickness + np.clip(u - ARC_MM, 0.0, thickness)
    y = y + AIM_MM * (np.sin(second) - np.cos(first))
    return x, y, -QUARTER - first - second


def around_torch(s: Array, thickness: Array) -> Array:
    """Heading (n,) from which the torch comes: blended over `BLEND_MM` on either side of a place, as robots do."""
    u = s - RUN_MM

    def mean(at: Array) -> Array:
        return (_turned(at + BLEND_MM) - _turned(at - BLEND_MM)) / (2.0 * BLEND_MM)

    return -QUARTER - mean(u) - mean(u - ARC_MM - thickness)


def _turned(u: Array) -> Array:
    """Integral over (-inf, u) of the turn of a corner that begins at 0."""
    inside = np.clip(u, 0.0, ARC_MM)
    return inside * inside / (2.0 * AIM_MM) + QUARTER * np.maximum(u - ARC_MM, 0.0)


def second_at(s: Array, thickness: Array, scallop: Array) -> tuple[Array, Array]:
    """Position x and y (n,) along the left side, at arc lengths (n,)."""
    return -scallop - INSET_MM - s, 0.5 * thickness + AIM_MM


def locate_around(point: Array, thickness: Array, scallop: Array) -> tuple[Array, Array]:
    """Arc length along the seam around, and distance outside of its path, mm (n,), of points (n, 3) of the cell."""
    x, y = point[:, 0], point[:, 1]
    beyond, beside = -scallop - BAR_MM - x, np.abs(y) - 0.5 * thickness
    left = y > 0.0
    end = RUN_MM + 2.0 * ARC_MM + thickness
    # along a side, around a corner, across the end; inside the bar whichever face is nearer
    side = np.where(left, end - beyond, RUN_MM + beyond)
    angle = np.arctan2(np.maximum(beyond, 0.0), np.maximum(beside, 1e-9))
    arc = AIM_MM * angle
    corner = np.where(left, end - arc, RUN_MM + arc)
    face = RUN_MM + ARC_MM + y + 0.5 * thickness
    outside = (beyond > 0.0) & (beside > 0.0)
    across = ~outside & (beyond > beside)
    place = np.where(outside, corner, np.where(across, face, side))
    gap = np.where(outside, np.sqrt(beyond * beyond + beside * beside), np.where(across, beyond, beside))
    return place, gap - AIM_MM


def locate_second(point: Array, thickness: Array, scallop: Array) -> tuple[Array, Array]:
    """The same for the second fillet."""
    return -scallop - INSET_MM - point[:, 0], point[:, 1] - 0.5 * thickness - AIM_MM


def fillet_section(outside: Array, up: Array) -> tuple[Array, Array]:
    """Lateral and height (n,) on the floor: outside the path and above the floor (n,)."""
    half = np.sqrt(0.5)
    return half * (up - outside), half * (up + outside)


def locate_up(point: Array, half_width: Array) -> tuple[Array, Array, Array]:
    """Arc length, lateral (to the longitudinal) and height (n,) in the vertical corner."""
    half = np.sqrt(0.5)
    from_transverse, from_longitudinal = -point[:, 0], half_width - point[:, 1]
    return (
        point[:, 2] - RISE_FROM_MM, half * (from_transverse - from_longitudinal),
        half * (from_transverse + from_longitudinal),
    )  # fmt: skip


def overlap_mm(around_end: Array, second_end: Array, thickness: Array) -> Array:
    """By how much (n,) the second fillet laps over the end of the first weld, from where both ended (n,)."""
    _, wrapped = wrap_span(thickness)
    # both as distances from the free end along the left side
    return (around_end - wrapped) - (RUN_MM - second_end)
