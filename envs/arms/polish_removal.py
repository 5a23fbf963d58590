"""Removal of a weld bead by a finishing disc: Preston's law over a footprint, in cells along the seam.

Preston (1927): the height removed in a time is proportional to pressure and to the speed of the abrasive over the
surface. A disc turns at constant speed and presses with the force F over a footprint that a crowned foam pad makes,
with a pressure that falls as a paraboloid of radius a from the point of contact. A point at distance d from it loses

    dh/dt = k F 2 / (pi a^2) (1 - d^2 / a^2),

k in m^3/(N s); the volume removed in a second is k F, whatever the footprint. Fed straight along a seam at speed v, the
disc takes off k F / v 8 / (3 pi a).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FOOTPRINT = 0.010  # m, radius of the footprint
# Ceramic grain on mild steel, 125 mm disc at 80 m/s or a 75 mm disc at 40 m/s: one to two cubic millimetres a newton
# and second (estimate from catalogue removal rates of coated abrasives, 10 to 30 g/min at 40 N).
RATE_MM3 = 1.5  # mm^3/(N s)


def removal_rate(distance_sq: Array, force: Array, rate_mm3: Array) -> Array:
    """Height that cells lose in a second, m/s, of the shape of `distance_sq`.

    Args:
        distance_sq: (n, cells) squared distance of cells from the point of contact, m^2.
        force: (n,) normal force, N.
        rate_mm3: (n,) removal rate, mm^3/(N s).
    """
    shape = np.maximum(1.0 - distance_sq / FOOTPRINT**2, 0.0) * (2.0 / (np.pi * FOOTPRINT**2))
    return shape * (1e-9 * rate_mm3 * np.maximum(force, 0.0))[:, None]


def pass_depth(force: Array, speed: Array, rate_mm3: Array) -> Array:
    """Height that a straight pass at constant force and speed takes off, m; all of one shape."""
    return 1e-9 * rate_mm3 * force / speed * (8.0 / (3.0 * np.pi * FOOTPRINT))
