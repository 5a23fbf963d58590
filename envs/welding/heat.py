"""Heat of a moving arc: heat input, temperature fields, fused width, peak temperatures and cooling times.

Two efficiencies must not be mixed up. `heat_input` carries the conventional factor k of EN 1011-1 (0.8 for GMAW) and
feeds the cooling times of EN 1011-2; temperature fields use the share of the arc's power that calorimetry finds in
the plate (`ARC_EFFICIENCY`).

Units: mm, s, W, J, degC, kJ/mm where the name says so. `net_w` is power in the plate.

Sources: EN 1011-1 (ISO/TR 17671-1) and EN 1011-2:2001 annex D; D. Rosenthal, "The theory of moving sources of heat
and its application to metal treatments", Trans. ASME 68, 1946; asymptotic width and its blending between slow and fast
sources, Y. Lu, Y. Wang and P. F. Mendez, "Width of thermal features induced by a 2-D moving heat source", Int. J. Heat
Mass Transfer 156, 2020, and the same group on the thick plate; arc efficiency, J. N. DuPont and A. R. Marder, "Thermal
efficiency of arc welding processes", Welding Journal 74, 1995; material data of low-alloy steel, O. Grong,
"Metallurgical Modelling of Welding", 2nd ed. 1997.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CONDUCTIVITY = 0.025  # W/(mm K)
HEAT_CAPACITY = 0.005  # J/(mm^3 K)
DIFFUSIVITY = CONDUCTIVITY / HEAT_CAPACITY  # mm^2/s
MELTING_C = 1500.0
ARC_EFFICIENCY = 0.84  # GMAW, DuPont and Marder
PROCESS_FACTOR = {"121": 1.0, "111": 0.8, "131": 0.8, "135": 0.8, "136": 0.8, "138": 0.8, "141": 0.6}  # EN 1011-1
GMAW_FACTOR = PROCESS_FACTOR["135"]

# Thick-plate solution if the relative thickness is above the upper number, thin-plate below the lower one
RELATIVE_THIN, RELATIVE_THICK = 0.6, 0.9
# Exponent that joins the slow and the fast limit of the width of a thick plate's isotherm, within 1 % of the solution
BLENDING = -1.731


def heat_input(voltage_v: Array, current_a: Array, travel_mm_s: Array, factor: float = GMAW_FACTOR) -> Array:
    """Heat input Q in kJ/mm after EN 1011-1: factor * U * I / v."""
    return factor * voltage_v * current_a / travel_mm_s * 1e-3


# -- cooling time, EN 1011-2 annex D --------------------------------------------------------------------------------


def cooling_time_thick(heat_kj_mm: Array, preheat_c: Array, shape: Array | float = 1.0) -> Array:
    """t8/5 in s of three-dimensional heat flow, shape factor F3."""
    return (6700.0 - 5.0 * preheat_c) * heat_kj_mm * (1.0 / (500.0 - preheat_c) - 1.0 / (800.0 - preheat_c)) * shape


def cooling_time_thin(heat_kj_mm: Array, preheat_c: Array, thickness_mm: Array, shape: Array | float = 1.0) -> Array:
    """t8/5 in s of two-dimensional heat flow, shape factor F2."""
    return (
        (4300.0 - 4.3 * preheat_c)
        * 1e5
        * (heat_kj_mm / thickness_mm) ** 2
        * ((500.0 - preheat_c) ** -2.0 - (800.0 - preheat_c) ** -2.0)
        * shape
    )


def cooling_time(
    heat_kj_mm: Array,
    preheat_c: Array,
    thickness_mm: Array,
    shape_thin: Array | float = 1.0,
    shape_thick: Array | float = 1.0,
) -> Array:
    """t8/5 in s: the larger of two- and three-dimensional heat flow.

    Args:
        heat_kj_mm: heat input with its factor k.
        preheat_c: preheat or interpass temperature, below 500.
        thickness_mm: of the plate.
        shape_thin, shape_thick: F2 and F3 of table D.1.
    """
    return np.maximum(
        cooling_time_thin(heat_kj_mm, preheat_c, thickness_mm, shape_thin),
        cooling_time_thick(heat_kj_mm, preheat_c, shape_thick),
    )


def transition_thickness(heat_kj_mm: Array, preheat_c: Array) -> Array:
    """Thickness in mm at which two- and three-dimensional heat flow give one t8/5 on a flat plate."""
    ratio = (4300.0 - 4.3 * preheat_c) / (6700.0 - 5.0 * preheat_c)
    return np.sqrt(ratio * 1e5 * heat_kj_mm * (1.0 / (500.0 - preheat_c) + 1.0 / (800.0 - preheat_c)))


# -- Rosenthal ------------------------------------------------------------------------------------------------------


def bessel_k0(x: Array) -> Array:
    """Modified Bessel function K0 of positive argument (Abramowitz and Stegun 9.8.5, 9.8.6; 2e-7 absolute)."""
    x = np.asarray(x, dtype=np.float64)
    s = np.minimum(x, 2.0)
    t = (s / 3.75) ** 2
    i0 = 1.0 + t * (3.5156229 + t * (3.0899424 + t * (1.2067492 + t * (0.2659732 + t * (0.0360768 + t * 0.0045813)))))
    y = 0.25 * s * s
    series = -0.57721566 + y * (
        0.42278420 + y * (0.23069756 + y * (0.03488590 + y * (0.00262698 + y * (0.00010750 + y * 0.00000740))))
    )
    small = series - np.log(0.5 * s) * i0
    z = 2.0 / np.maximum(x, 2.0)
    tail = 1.25331414 + z * (
        -0.07832358 + z * (0.02189568 + z * (-0.01062446 + z * (0.00587872 + z * (-0.00251540 + z * 0.00053208))))
    )
    large = np.exp(-np.maximum(x, 2.0)) * np.sqrt(0.5 * z) * tail
    return np.where(x <= 2.0, small, large)


def thick_temperature(ahead: Array, distance: Array, net_w: Array, travel_mm_s: Array, preheat_c: Array) -> Array:
    """Temperature in degC about a point source on a thick plate.

    Args:
        ahead: distance in front of the source along the travel direction, mm.
        distance: from the source, mm.
        net_w: power in the plate, W.
        travel_mm_s: speed.
        preheat_c: plate far away.
    """
    decay = np.exp(-travel_mm_s * (ahead + distance) / (2.0 * DIFFUSIVITY))
    return preheat_c + net_w / (2.0 * math.pi * CONDUCTIVITY * distance) * decay


def thin_temperature(
    ahead: Array, distance: Array, net_w: Array, travel_mm_s: Array, preheat_c: Array, thickness_mm: Array
) -> Array:
    """Temperature in degC about a line source through a thin plate; arguments as of `thick_temperature`."""
    x = 0.5 * travel_mm_s / DIFFUSIVITY
    field = np.exp(-x * ahead) * bessel_k0(x * distance)
    return preheat_c + net_w / (2.0 * math.pi * CONDUCTIVITY * thickness_mm) * field


def thick_width(net_w: Array, travel_mm_s: Array, rise_k: Array) -> Array:
    """Greatest width in mm of the isotherm `rise_k` above the plate, thick plate.

    A slow source melts a hemisphere, a fast one a trough of width sqrt(8 q / (pi e rho c v dT)); between them the two
    limits are joined by their power mean.
    """
    ry = net_w * travel_mm_s / (4.0 * math.pi * CONDUCTIVITY * DIFFUSIVITY * rise_k)
    half = (ry**BLENDING + np.sqrt(2.0 * ry / math.e) ** BLENDING) ** (1.0 / BLENDING)
    return 4.0 * DIFFUSIVITY / travel_mm_s * half


def thin_width(net_w: Array, travel_mm_s: Array, rise_k: Array, thickness_mm: Array) -> Array:
    """Greatest width in mm of the isotherm on a thin plate, fast source: sqrt(2/(pi e)) q / (v d rho c dT)."""
    return math.sqrt(2.0 / (math.pi * math.e)) * net_w / (travel_mm_s * thickness_mm * HEAT_CAPACITY * rise_k)


def relative_thickness(net_w: Array, travel_mm_s: Array, rise_k: Array, thickness_mm: Array) -> Array:
    """Thickness over sqrt(q / (rho c v dT)): heat flow is two-dimensional below about 0.6, three- above 0.9."""
    return thickness_mm * np.sqrt(HEAT_CAPACITY * travel_mm_s * rise_k / net_w)


def fused_width(net_w: Array, travel_mm_s: Array, thickness_mm: Array, preheat_c: Array) -> Array:
    """Width in mm of the fused zone of a bead on plate, thick, thin or between.

    The interpolation between the two solutions over the relative thickness is a heuristic.
    """
    rise = MELTING_C - preheat_c
    share = relative_thickness(net_w, travel_mm_s, rise, thickness_mm)
    share = np.clip((share - RELATIVE_THIN) / (RELATIVE_THICK - RELATIVE_THIN), 0.0, 1.0)
    thick = thick_width(net_w, travel_mm_s, rise)
    # the thin-plate width exceeds that of the thick plate where it applies, and falls short of it elsewhere
    thin = np.maximum(thin_width(net_w, travel_mm_s, rise, thickness_mm), thick)
    return thin + (thick - thin) * share


def peak_temperature(
    distance_mm: Array, net_w: Array, travel_mm_s: Array, thickness_mm: Array, preheat_c: Array
) -> Array:
    """Highest temperature in degC ever reached at a distance from the weld line, fast source.

    The hotter of the thick plate's 2 q / (pi e rho c v r^2) and the thin plate's q / (v d rho c sqrt(2 pi e) r): the
    plate's lower face only ever adds heat.
    """
    line = net_w / (travel_mm_s * HEAT_CAPACITY)  # K mm^2
    thick = 2.0 * line / (math.pi * math.e * distance_mm**2)
    thin = line / (math.sqrt(2.0 * math.pi * math.e) * thickness_mm * distance_mm)
    return preheat_c + np.maximum(thick, thin)


def residual_rise(energy_j_mm: Array, age_s: Array, thickness_mm: Array) -> Array:
    """Temperature in K that an earlier pass has left on its own line after `age_s` s, for interpass temperatures.

    Long-time limits of the line source: E / (2 pi k t) on a thick plate, E / (d sqrt(4 pi k rho c t)) on a thin one,
    whichever is larger. Losses at the surface are left out, so that hours later it is too warm.
    """
    age = np.maximum(age_s, 1e-3)
    thick = energy_j_mm / (2.0 * math.pi * CONDUCTIVITY * age)
    thin = energy_j_mm / (thickness_mm * np.sqrt(4.0 * math.pi * CONDUCTIVITY * HEAT_CAPACITY * age))
    return np.minimum(np.maximum(thick, thin), MELTING_C)
