"""Imperfections that a set-point, a gap or a miss of the arc leaves in the weld.

What follows from geometry or capillarity says so. Everything else here is a heuristic without a calibration set: the
directions are those that every welding handbook describes, the thresholds are placed so that the settings of published
welding tables are free of the imperfection and half as much again is not.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..randomness import counter_uniform
from .arc import load_line

Array = NDArray[np.float64]

# -- undercut and overlap --------------------------------------------------------------------------------------------

# Published CO2 settings for 6 mm plate weld at 265 A and 7.5 mm/s; undercut sets in at 1.75 times that speed, and
# earlier at higher current, where the pool is longer.
UNDERCUT_SPEED, UNDERCUT_CURRENT = 13.0, 265.0  # mm/s at A
UNDERCUT_PER_SPEED = 0.08  # mm per mm/s
UNDERCUT_VOLTS = 4.0  # V above the load line
UNDERCUT_PER_VOLT = 0.15  # mm/V
UNDERCUT_PER_DEGREE = 0.03  # mm a degree of work angle below 40, upper leg of a horizontal fillet
UNDERCUT_LEG = 8.0  # mm, above which the upper leg of a horizontal fillet runs down in one pass


def undercut(
    current_a: Array, terminal_v: Array, travel_mm_s: Array, work_angle_deg: Array, roll_deg: Array, leg_1_mm: Array
) -> Array:
    """Depth of the groove along the toe, mm."""
    onset = UNDERCUT_SPEED * np.sqrt(UNDERCUT_CURRENT / np.maximum(current_a, 50.0))
    depth = UNDERCUT_PER_SPEED * np.maximum(travel_mm_s - onset, 0.0)
    depth += UNDERCUT_PER_VOLT * np.maximum(terminal_v - load_line(current_a) - UNDERCUT_VOLTS, 0.0)
    upright = np.sin(np.radians(np.clip(roll_deg, 0.0, 90.0))) * math.sqrt(2.0)
    upper = UNDERCUT_PER_DEGREE * np.maximum(40.0 - work_angle_deg, 0.0)
    upper = upper + 0.1 * np.maximum(leg_1_mm - UNDERCUT_LEG, 0.0)
    return depth + upright * upper


OVERLAP_MARGIN = 0.5  # mm that a toe may lie beyond the conduction width and still be fused by the pool


def overhang(leg_1_mm: Array, leg_2_mm: Array, fused_mm: Array, offset_mm: Array) -> Array:
    """By how many mm a leg reaches beyond the fused zone; negative where it stays within."""
    reach = fused_mm / math.sqrt(2.0)
    shift = offset_mm / math.sqrt(2.0)
    over = np.maximum(leg_1_mm - (reach + shift), leg_2_mm - (reach - shift))
    return over - OVERLAP_MARGIN


def overlap(leg_1_mm: Array, leg_2_mm: Array, fused_mm: Array, offset_mm: Array) -> Array:
    """Metal in mm that lies on a plate without being fused to it: a leg beyond the reach of the fused zone."""
    return np.maximum(overhang(leg_1_mm, leg_2_mm, fused_mm, offset_mm), 0.0)


# -- fusion ----------------------------------------------------------------------------------------------------------

ROOT_LEAST_MM = 0.3  # fusion past the corner that counts as a fused root
WALL_LEAST_MM = 0.5  # of each plate that the fused zone must cover


def pool_cushion(deposit_mm2: Array, travel_mm_s: Array, travel_angle_deg: Array, slope_deg: Array) -> Array:
    """Depth in mm that the arc loses to metal running ahead of it: slow, downhill or strongly pushed, large beads."""
    size = np.sqrt(np.maximum(deposit_mm2, 0.0) / 20.0)
    slow = 0.4 * np.maximum(3.0 - travel_mm_s, 0.0)
    down = 0.05 * np.maximum(-slope_deg - 10.0, 0.0)
    pushed = 0.05 * np.maximum(travel_angle_deg - 20.0, 0.0)
    return size * (slow + down + pushed)


def fillet_unfused(root_mm: Array, fused_mm: Array, offset_mm: Array) -> Array:
    """By how many mm the root or a wall of a fillet falls short of being fused; negative where fusion is ample."""
    wall = WALL_LEAST_MM - (fused_mm - math.sqrt(2.0) * np.abs(offset_mm)) / math.sqrt(2.0)
    return np.maximum(ROOT_LEAST_MM - root_mm, wall)


def fillet_lack_of_fusion(root_mm: Array, fused_mm: Array, offset_mm: Array) -> Array:
    """By how many mm the root or a wall of a fillet falls short of being fused."""
    return np.maximum(fillet_unfused(root_mm, fused_mm, offset_mm), 0.0)


def groove_unfused(fused_mm: Array, opening_mm: Array, offset_mm: Array) -> Array:
    """By how many mm the fused zone misses the edge of a groove that it has to cover; negative where it covers it."""
    return 0.5 * opening_mm + np.abs(offset_mm) - 0.5 * fused_mm


def groove_lack_of_fusion(fused_mm: Array, opening_mm: Array, offset_mm: Array) -> Array:
    """By how many mm the fused zone misses the edge of a groove that it has to cover."""
    return np.maximum(groove_unfused(fused_mm, opening_mm, offset_mm), 0.0)


# -- burn-through ----------------------------------------------------------------------------------------------------

SURFACE_TENSION = 1.2  # N/m, liquid steel
LIQUID_DENSITY = 7200.0  # kg/m^3
CAPILLARY_MM = 1e3 * math.sqrt(SURFACE_TENSION / (LIQUID_DENSITY * 9.81))  # 4.1 mm
SPAN_SHARE = 0.45  # of the capillary length that an unbacked pool bridges
SOUND_SHARE = 0.9  # of the thickness that may be molten under a fillet
DROP_SHARE = 0.35  # of the thickness by which depth may exceed it before an unbacked root falls out


def fillet_too_deep(depth_mm: Array, gap_mm: Array, thickness_mm: Array) -> Array:
    """By how many mm the fused depth, at 45 degrees into the plate, exceeds what the plate carries; negative below."""
    return depth_mm / math.sqrt(2.0) + 0.5 * gap_mm - SOUND_SHARE * thickness_mm


def fillet_burn_through(depth_mm: Array, gap_mm: Array, thickness_mm: Array) -> Array:
    """By how many mm the fused depth, at 45 degrees into the plate, exceeds what the plate carries."""
    return np.maximum(fillet_too_deep(depth_mm, gap_mm, thickness_mm), 0.0)


def excess_root(through_mm: Array) -> Array:
    """Metal in mm that hangs through an open root, half of the depth fused beyond it."""
    return 0.5 * np.maximum(through_mm, 0.0)


def butt_too_open(reach_mm: Array, gap_mm: Array, thickness_mm: Array) -> Array:
    """By how many mm depth or gap exceed what surface tension holds over an open root; negative below.

    Args:
        reach_mm: depth of fusion from the plate's surface, gap included.
        gap_mm: unbridged span.
        thickness_mm: of the plate.
    """
    deep = reach_mm - (1.0 + DROP_SHARE) * thickness_mm
    wide = gap_mm - SPAN_SHARE * CAPILLARY_MM
    return np.maximum(deep, wide)


def butt_burn_through(reach_mm: Array, gap_mm: Array, thickness_mm: Array) -> Array:
    """By how many mm depth or gap exceed what surface tension holds over an open root; see `butt_too_open`."""
    return np.maximum(butt_too_open(reach_mm, gap_mm, thickness_mm), 0.0)


# -- porosity --------------------------------------------------------------------------------------------------------

PORE_RATE = 1e-4  # surface pores a mm of a well shielded weld on clean plate
CONTAMINATED = 500.0  # times as many on rust and oil
PORE_SMALLEST_MM, PORE_SCALE_MM, PORE_LARGEST_MM = 0.3, 0.45, 4.0


def shielding_factor(
    ctwd_mm: Array, travel_angle_deg: Array, wind_m_s: Array, gas_flow_l_min: Array, contamination: Array
) -> Array:
    """How many times more pores than in a well shielded weld.

    Args:
        ctwd_mm: long distances draw in air above 20 mm.
        travel_angle_deg: an angle beyond 20 degrees sucks in air.
        wind_m_s: cross wind; at 2 m/s solid-wire shielding is commonly called lost.
        gas_flow_l_min: too little below 12.
        contamination: of the plate, 0 clean, 0.1 shop primer, 1 rust and oil.
    """
    factor = 1.0 + np.maximum(ctwd_mm - 20.0, 0.0) / 3.0 + np.maximum(np.abs(travel_angle_deg) - 20.0, 0.0) / 5.0
    blown = 0.5 * wind_m_s * wind_m_s
    return factor + blown * blown + 2.0 * np.maximum(12.0 - gas_flow_l_min, 0.0) + CONTAMINATED * contamination


def pores(key: NDArray[np.int64], index: NDArray[np.int64], factor: Array, length_mm: float) -> Array:
    """Diameter in mm of the largest pore that breaks the surface in each slice; mostly zero.

    Args:
        key: of the weld (m,).
        index: of the slice (m,).
        factor: see `shielding_factor`.
        length_mm: of a slice.
    """
    chance = 1.0 - np.exp(-PORE_RATE * length_mm * factor)
    out = np.zeros_like(chance)
    (there,) = np.nonzero(counter_uniform(key, index, 0) < chance)
    if there.size:
        size = PORE_SMALLEST_MM - PORE_SCALE_MM * np.log(counter_uniform(key[there], index[there], 1))
        out[there] = np.minimum(size * np.sqrt(np.sqrt(factor[there])), PORE_LARGEST_MM)
    return out
