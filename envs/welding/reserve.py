"""How far a bead stays from what inspection rejects, in every quantity at once and in one number.

Inspection says yes or no. Who looks for settings wants to know which of two good beads forgives more, and which of two
bad ones is nearer to being good. Each quantity is therefore taken with its sign, holes and unfused roots included, and
its distance from the limit is counted in steps of `STEPS`, what a quantity moves by under the scatter of a shop.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from . import bead, defects, penetration
from .inspection import Quantities, measure, rules_of
from .iso5817 import ISO_5817
from .joint import BUTT, Joint
from .standard import MEASURABLE_MM, Standard

Array = NDArray[np.float64]

# One step of each quantity (mm, degrees for the toe): judgement, from how it scatters at constant settings
STEPS: Mapping[str, float] = {
    "lack_of_fusion_mm": 0.3, "incomplete_root_mm": 0.2, "undercut_mm": 0.1, "reinforcement_mm": 0.2,
    "convexity_mm": 0.2, "excess_root_mm": 0.1, "toe_angle_deg": 5.0, "overlap_mm": 0.2, "burn_through_mm": 0.25,
    "underfill_mm": 0.05, "asymmetry_mm": 0.15, "throat_short_mm": 0.05, "throat_over_mm": 0.2,
}  # fmt: skip
# Quantities of short imperfections. Any length may have them up to a limit that is out of reach once it is reached:
# beyond one step of being measurable, it matters no more how large they are, until their own limit comes.
SHORT_STEP_MM = 0.1
SPENT = -1.0


def signed(slices: Mapping[str, Quantities], joint: Joint) -> dict[str, Array]:
    """Quantities (n, k) that a standard limits, as of `inspection.measure`, negative where there is room left.

    Args:
        slices: quantities (n, k) by name.
        joint: of the n rows.
    """
    found = measure(slices, joint)

    def of(name: str) -> Array:
        return np.asarray(slices[name], dtype=np.float64)

    thickness, offset, gap = joint.thickness_mm[:, None], of("offset_mm"), of("gap_mm")
    fused, depth = of("fused_mm"), of("penetration_mm")
    if joint.kind == BUTT:
        _, opening = bead.groove_area(gap, thickness, joint.groove_deg[:, None], joint.root_face_mm[:, None])
        found["lack_of_fusion_mm"] = defects.groove_unfused(fused, opening, offset)
        found["incomplete_root_mm"] = -of("root_mm")
        found["underfill_mm"] = of("underfill_mm") - of("reinforcement_mm")
        if not joint.backed:
            reach = depth + joint.bevel_mm[:, None] + penetration.gap_depth(gap)
            found["burn_through_mm"] = defects.butt_too_open(reach, gap, thickness)
        return found
    found["lack_of_fusion_mm"] = defects.fillet_unfused(of("root_mm"), fused, offset)
    found["overlap_mm"] = defects.overhang(of("leg_1_mm"), of("leg_2_mm"), fused, offset)
    found["burn_through_mm"] = defects.fillet_too_deep(depth, gap, thickness)
    found["throat_short_mm"] = joint.throat_mm[:, None] - of("throat_mm")
    return found


def reserve(
    slices: Mapping[str, Quantities],
    joint: Joint,
    level: str,
    without: Collection[str] = (),
    standard: Standard = ISO_5817,
    most: float = 4.0,
) -> Array:
    """Reserve (n, k) of slices to `level` of a standard, in steps: a smooth minimum over all quantities in `STEPS`.

    Args:
        slices: quantities (n, k) by name.
        joint: of the n rows, all alike.
        level: of the standard.
        without: ISO 6520-1 numbers to leave out, such as `inspection.FIT_UP`.
        standard: with its limits.
        most: reserve of a quantity beyond which more is worth nothing.
    """
    found = signed(slices, joint)
    t, a, b = joint.thickness_mm[:, None], joint.throat_mm[:, None], found["width_mm"]
    total = np.zeros_like(b)

    def count(steps: Array) -> None:
        np.add(total, np.exp(-np.clip(steps, -30.0, most)), out=total)

    for rule in rules_of(standard, joint, found, without):
        if rule.quantity not in STEPS:
            continue
        limit, value, step = rule.limit(level, t, a, b), found[rule.quantity], STEPS[rule.quantity]
        if rule.limits_length and rule.short_only(level, joint.thickness_mm).all():
            count(np.maximum((MEASURABLE_MM - value) / step, SPENT))
            count((limit - value) / SHORT_STEP_MM)
        else:
            count((value - limit if rule.least else limit - value) / step)
    return -np.log(total)
