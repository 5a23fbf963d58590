"""Shrinkage: how a weld tilts its plate, and how the seam drifts before the arc gets there.

The drift is what a sensor that looks ahead of the arc has not seen: the plates move between look and weld.

Sources: O. W. Blodgett, "Design of Welded Structures", Lincoln Arc Welding Foundation 1966, section 7.7: angular
distortion 0.02 W w^1.3 / t^2 of a T-joint welded on both sides and transverse shrinkage 0.10 A / t, both in inches;
converted here. The hot length of the drift is a heuristic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# 0.02 * 25.4^0.7 for the flange width; half of it for one weld, twice for the angle over half the width
_ANGLE_FACTOR = 0.1925
HOT_LENGTH_MM = 150.0  # lever over which the shrinkage behind the arc turns the plates ahead of it


def angular_distortion(leg_mm: Array, thickness_mm: Array) -> Array:
    """Angle in rad by which one fillet tilts an unrestrained flange."""
    return _ANGLE_FACTOR * leg_mm**1.3 / thickness_mm**2


def transverse_shrinkage(section_mm2: Array, thickness_mm: Array) -> Array:
    """Shrinkage in mm across a weld of the given section."""
    return 0.10 * section_mm2 / thickness_mm


def seam_drift_rate(section_mm2: Array, thickness_mm: Array, restraint: Array) -> Array:
    """Lateral drift of the seam at the arc per mm of weld: the shrinkage behind turns what lies ahead.

    Args:
        section_mm2: deposited area.
        thickness_mm: of the plate.
        restraint: 0 for free plates, 1 for clamped ones.
    """
    return transverse_shrinkage(section_mm2, thickness_mm) / HOT_LENGTH_MM * (1.0 - restraint)
