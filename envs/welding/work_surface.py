"""What the arc sees of a joint: the distance to the nearest metal along the wire, over a molten root.

With the torch half way between two faces at a right angle, the work rises by |e| where the wire is e beside the root.
The pool rounds the corner: the surface that the arc plays on is taken as a hyperbola with the faces as asymptotes,

    rise(e) = sqrt(e^2 cot(face)^2 + pool^2)

with the angle between wire and the face on that side. Why through-arc sensing needs weaves of a millimetre and more is
in the flat middle. The size of the pool's fillet and the share of a tack that the arc leaves are heuristics.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

POOL_MM = 1.2  # height of the pool's surface over the root while it is laid
TACK_LEFT = 0.5  # of a tack's height, after the arc has molten into it


def rise_mm(
    offset_mm: Array, angle_deg: ArrayLike = 90.0, tilt_deg: ArrayLike = 0.0, pool_mm: ArrayLike = POOL_MM,
    tack_mm: ArrayLike = 0.0, edge_mm: ArrayLike = np.inf,
) -> Array:  # fmt: skip
    """Height in mm of the work over the root, along the wire.

    Args:
        offset_mm: of the wire from the root, positive to the standing plate.
        angle_deg: between the faces.
        tilt_deg: turn of the wire from the bisector, away from the standing plate.
        pool_mm: height of the pool over the root.
        tack_mm: throat of the tack that is being welded over, 0 for none.
        edge_mm: height of the standing plate's edge over the root along its face, for a lap joint.
    """
    half = np.radians(0.5 * np.asarray(angle_deg, float))
    tilt = np.radians(np.asarray(tilt_deg, float))
    to_standing, to_base = half + tilt, half - tilt
    # beyond the edge of a lap joint the arc plays on the upper sheet
    reach = np.asarray(edge_mm) * np.sin(to_standing)
    standing = np.minimum(np.maximum(offset_mm, 0.0), reach) / np.tan(to_standing)
    face = standing + np.maximum(-offset_mm, 0.0) / np.tan(to_base)
    rounded = np.sqrt(face * face + np.asarray(pool_mm) ** 2)
    left = TACK_LEFT * np.asarray(tack_mm)
    bump = np.sqrt(np.maximum(left * left - offset_mm * offset_mm, 0.0)) + (np.asarray(pool_mm) * (left > 0.0))
    return np.maximum(rounded, bump)
