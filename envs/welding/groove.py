"""The cross-section of a V-groove that is filled bead by bead: a height over the backing at each place across the weld.

A bead is liquid over the width that its arc has fused. It runs to one level there, with the slight crown that surface
tension gives it, and holds exactly the deposited area. Under the arc it fuses what it covers to an elliptic depth;
steep faces, such as bevels and the flanks of earlier beads, are met at a slant and fused the less. What is covered
without being fused stays an interface, until the depth of a later bead reaches it.

Heuristics: the crown, the ellipse, and the share of the depth that counts on a slanted face. That narrow, steep notches
beside a bead are hard to fuse, and that the next bead remelts a shallow one, is what these are for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HALF_MM, PITCH_MM = 24.0, 0.25  # section that is kept, to either side of the middle, and its resolution
ACROSS_MM: Array = np.arange(-HALF_MM, HALF_MM + 0.5 * PITCH_MM, PITCH_MM)
COLUMNS = ACROSS_MM.size
CROWN_PER_MM = 0.012  # curvature of a bead's face
FUSED_MM = 0.3  # depth, normal to a face, that counts as fused
SLANT_SHARE = 0.15  # of the depth that counts on a vertical face
TOE_MM = 0.8  # interfaces up to here are the toes of beads, which any bead has
NEVER = -1e3  # height of an interface that is not there


def groove_profile(thickness_mm: float, angle_deg: Array, root_face_mm: Array, gap_mm: Array) -> Array:
    """Heights (m, COLUMNS) of an empty groove over its backing, mm; arguments (m,) except for the thickness."""
    outside = np.abs(ACROSS_MM) - 0.5 * gap_mm[:, None]
    bevel = root_face_mm[:, None] + outside / np.tan(np.radians(0.5 * angle_deg))[:, None]
    return np.where(outside <= 0.0, 0.0, np.minimum(bevel, thickness_mm))


def half_opening(thickness_mm: float, angle_deg: Array, root_face_mm: Array, gap_mm: Array) -> Array:
    """Half of the width of a groove at the plate's surface, mm."""
    return 0.5 * gap_mm + (thickness_mm - root_face_mm) * np.tan(np.radians(0.5 * angle_deg))


def lay(height: Array, middle_mm: Array, half_mm: Array, area_mm2: Array) -> Array:
    """Heights (m, COLUMNS) after a bead.

    Args:
        height: before it (m, COLUMNS).
        middle_mm, half_mm: middle and half width of the fused zone (m,).
        area_mm2: deposited (m,); what lies outside of the kept section is lost.
    """
    away = ACROSS_MM - middle_mm[:, None]
    wet = np.abs(away) <= half_mm[:, None]
    crown = CROWN_PER_MM * away * away
    # the level at which the space under the face holds the metal, by bisection
    low = np.where(wet, height + crown, 1e3).min(axis=1)
    high = low + 60.0 + area_mm2
    for _ in range(36):
        level = 0.5 * (low + high)
        face = np.where(wet, level[:, None] - crown, NEVER)
        held = _columns_sum(np.maximum(face - height, 0.0))
        full = held >= area_mm2
        high = np.where(full, level, high)
        low = np.where(full, low, level)
    face = np.where(wet, high[:, None] - crown, NEVER)
    return np.maximum(height, face)


def _columns_sum(values: Array) -> Array:
    """Area (m,) under (m, COLUMNS), summed in an order that does not depend on m."""
    return PITCH_MM * np.cumsum(values, axis=1)[:, -1]


def area_below(height: Array, empty: Array, level_mm: float) -> Array:
    """Metal (m,) in mm^2 that lies over an empty groove and below a level."""
    return _columns_sum(np.minimum(height, level_mm) - np.minimum(empty, level_mm))


def fusion_depth(middle_mm: Array, half_mm: Array, depth_mm: Array) -> Array:
    """Depth of fusion (m, COLUMNS) below the face that the arc meets, mm, 0 outside of the fused zone."""
    x = (ACROSS_MM - middle_mm[:, None]) / half_mm[:, None]
    return depth_mm[:, None] * np.sqrt(np.maximum(1.0 - x * x, 0.0))


def interfaces(before: Array, after: Array, depth: Array, interface: Array) -> Array:
    """Heights (m, COLUMNS) of what is covered without being fused, after a bead; `NEVER` where all is sound.

    Args:
        before, after: heights before and after the bead.
        depth: see `fusion_depth`.
        interface: heights before the bead.
    """
    slope = np.abs(np.gradient(before, PITCH_MM, axis=1))
    cosine = 1.0 / np.sqrt(1.0 + slope * slope)
    normal = depth * (cosine + SLANT_SHARE * (1.0 - cosine))
    covered = after > before + 0.05
    healed = np.where(before - depth <= interface, NEVER, interface)
    return np.where(covered & (normal < FUSED_MM), before, healed)


def unfused_mm(interface: Array) -> Array:
    """Length (m,) of the longest interface, along the face that was covered; 0 if it is no longer than a toe."""
    there = interface > 0.5 * NEVER
    both = there[:, 1:] & there[:, :-1]
    rise = np.where(both, np.diff(interface, axis=1), 0.0)
    length = np.cumsum(np.where(both, np.sqrt(PITCH_MM**2 + rise * rise), 0.0), axis=1)
    # what has been added since the last place without an interface
    before = np.maximum.accumulate(np.where(both, 0.0, length), axis=1)
    longest = (length - before).max(axis=1)
    return np.where(longest > TOE_MM, longest, 0.0)


def cap(height: Array, thickness_mm: float, half_opening_mm: Array) -> dict[str, Array]:
    """Width, greatest height over the plate, underfill and smaller toe angle of the face, each (m,)."""
    over = height - thickness_mm
    inside = np.abs(ACROSS_MM) <= half_opening_mm[:, None] - PITCH_MM
    proud = over > 0.05
    first = np.argmax(proud, axis=1)
    last = COLUMNS - 1 - np.argmax(proud[:, ::-1], axis=1)
    any_proud = proud.any(axis=1)
    width = np.where(any_proud, PITCH_MM * (last - first + 1), 2.0 * half_opening_mm)
    rows, step = np.arange(len(height)), round(1.0 / PITCH_MM)
    rise = np.maximum(over[rows, np.minimum(first + step, COLUMNS - 1)], over[rows, np.maximum(last - step, 0)])
    toe = np.where(any_proud, 180.0 - np.degrees(np.arctan(np.maximum(rise, 0.0))), 180.0)
    return {
        "width_mm": width,
        "reinforcement_mm": np.maximum(over.max(axis=1), 0.0),
        "underfill_mm": np.maximum(-np.where(inside, over, 0.0).min(axis=1), 0.0),
        "toe_angle_deg": toe,
    }
