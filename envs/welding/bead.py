"""Section of the bead: legs, throat, convexity, reinforcement, from the metal that was laid and the heat behind it.

The section always holds exactly the deposited area. For a fillet of legs z1 (standing plate, or the edge of a lap) and
z2 (base plate) over a gap g, whose metal under the plate's edge fills part of the gap,

    deposit = c z1' z2 / 2 + g * depth of the fill,   z1' = z1 + g,

with the shape factor c: 1 for a flat face, above for a convex one. The throat is the height of the largest isosceles
triangle in the section, min(z1, z2) / sqrt(2), less the hollow of a concave face. That a gap takes from the leg of the
standing plate is the reason why yard standards and AWS D1.1 ask for larger legs where plates gape.

A butt weld fills its gap and groove first; what is left is the reinforcement, a parabola of area 2/3 width * height.

Heuristics: the shape factor from the ratio of fused width to the chord of a flat bead, the shares of aim, work angle
and gravity in the asymmetry of the legs, the depth of the fill. Gravity: horizontal fillets above a leg of 5 to 6 mm
sag by 0.3 to 0.8 mm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROOT2 = math.sqrt(2.0)

# A bead whose chord is 1/1.2 of the fused width lies at the shape factor 1.1 of ordinary CO2 fillets; a colder one
# stands up, a hotter one flows flat.
USUAL_SHAPE, USUAL_RATIO, SHAPE_SLOPE = 1.1, 1.2, 0.5
FLATTEST, STEEPEST = 0.95, 1.4
PUSH_FLATTENS = 0.002  # shape factor a degree
UPHILL_RAISES = 0.003  # shape factor a degree
AIM_SHARE = 1.0
WORK_ANGLE_MM = 0.03  # leg difference a degree
SAG_ABOVE_MM, SAG_SLOPE, SAG_MOST_MM = 4.5, 0.2, 1.0
PARABOLA = 2.0 / 3.0


@dataclass(frozen=True)
class Section:
    """Outer shape of m beads; lengths in mm, all arrays (m,).

    Attributes:
        leg_1, leg_2: legs of a fillet on standing and base plate; zero for a butt weld.
        throat: of a fillet; for a butt weld the thickness that is filled.
        convexity: of a fillet's face over its chord, negative if hollow.
        width: chord of a fillet's face, or width of a butt's reinforcement.
        reinforcement: height of a butt's cap.
        underfill: depth by which a butt falls short of the plate.
        toe_angle_deg: between face and plate, through the air.
    """

    leg_1: Array
    leg_2: Array
    throat: Array
    convexity: Array
    width: Array
    reinforcement: Array
    underfill: Array
    toe_angle_deg: Array


def shape_factor(deposit_mm2: Array, fused_mm: Array, travel_angle_deg: Array, slope_deg: Array) -> Array:
    """Area of a fillet's section over that of its triangle."""
    flat = ROOT2 * np.sqrt(2.0 * np.maximum(deposit_mm2, 1e-6) / USUAL_SHAPE)
    shape = USUAL_SHAPE + SHAPE_SLOPE * (USUAL_RATIO - fused_mm / flat)
    shape += UPHILL_RAISES * np.maximum(slope_deg, 0.0) - PUSH_FLATTENS * travel_angle_deg
    return np.clip(shape, FLATTEST, STEEPEST)


def gap_fill(deposit_mm2: Array, gap_mm: Array, root_mm: Array, thickness_mm: Array) -> Array:
    """Area in mm^2 that runs into the gap of a fillet: as deep as fusion reaches and half the gap, a round front."""
    return np.minimum(gap_mm * np.minimum(root_mm + 0.5 * gap_mm, thickness_mm), 0.9 * deposit_mm2)


def leg_difference(leg_mm: Array, offset_mm: Array, work_angle_deg: Array, roll_deg: Array) -> Array:
    """By how much leg 1 exceeds leg 2, mm.

    Args:
        leg_mm: leg of the symmetric bead.
        offset_mm: lateral miss of the arc, positive towards plate 1.
        work_angle_deg: between torch and base plate; 45 aims evenly, less blows metal up the standing plate.
        roll_deg: turn of the joint about the seam, 0 flat position (PA), 45 horizontal (PB).
    """
    sag = np.clip(SAG_SLOPE * (leg_mm - SAG_ABOVE_MM), 0.0, SAG_MOST_MM)
    sag *= np.sin(np.radians(np.clip(roll_deg, -90.0, 90.0))) * ROOT2
    return AIM_SHARE * ROOT2 * offset_mm + WORK_ANGLE_MM * (45.0 - work_angle_deg) - sag


def fillet_section(
    deposit_mm2: Array,
    fill_mm2: Array,
    shape: Array,
    difference_mm: Array,
    gap_mm: Array,
    edge_mm: Array | None = None,
) -> Section:
    """Section of a fillet that holds `deposit_mm2`, `fill_mm2` of it in the gap.

    Args:
        deposit_mm2, fill_mm2: areas.
        shape: shape factor.
        difference_mm: of the legs, see `leg_difference`.
        gap_mm: root gap.
        edge_mm: height of the edge of a lap joint, which leg 1 cannot exceed; none for a T-joint.
    """
    product = np.maximum(2.0 * (deposit_mm2 - fill_mm2) / shape, 1e-12)  # z1' z2
    half = 0.5 * difference_mm
    outer = half + np.sqrt(half * half + product)
    if edge_mm is not None:
        outer = np.minimum(outer, edge_mm + gap_mm)
    leg_2 = product / outer
    leg_1 = np.maximum(outer - gap_mm, 0.0)
    chord = np.sqrt(outer * outer + leg_2 * leg_2)
    # the area between face and chord, as a parabola
    convexity = 0.5 * (shape - 1.0) * product / (PARABOLA * chord)
    throat = np.minimum(leg_1, leg_2) / ROOT2 + np.minimum(convexity, 0.0)
    # the toe of the shorter leg is the steeper one
    steepness = np.degrees(np.arctan(np.maximum(outer, leg_2) / np.minimum(outer, leg_2)))
    toe = 180.0 - steepness - np.degrees(np.arctan(4.0 * convexity / chord))
    zero = np.zeros_like(chord)
    return Section(leg_1, leg_2, np.maximum(throat, 0.0), convexity, chord, zero, zero, toe)


def groove_area(gap_mm: Array, thickness_mm: Array, groove_deg: Array, root_face_mm: Array) -> tuple[Array, Array]:
    """Area in mm^2 and width at the surface in mm of a gap with V-groove."""
    depth = np.maximum(thickness_mm - root_face_mm, 0.0)
    tangent = np.tan(np.radians(0.5 * groove_deg))
    return gap_mm * thickness_mm + tangent * depth * depth, gap_mm + 2.0 * tangent * depth


def butt_section(
    deposit_mm2: Array, groove_mm2: Array, opening_mm: Array, fused_mm: Array, thickness_mm: Array
) -> Section:
    """Section of a butt weld or of a bead on plate.

    Args:
        deposit_mm2: area laid.
        groove_mm2, opening_mm: area and surface width of what is to be filled, see `groove_area`.
        fused_mm: width fused at the surface.
        thickness_mm: of the plate.
    """
    cap = deposit_mm2 - groove_mm2
    width = np.maximum(fused_mm, opening_mm)
    height = np.maximum(cap, 0.0) / (PARABOLA * width)
    underfill = np.maximum(-cap, 0.0) / np.maximum(opening_mm, 1e-6)
    underfill = np.minimum(underfill, thickness_mm)
    toe = 180.0 - np.degrees(np.arctan(4.0 * height / width))
    zero = np.zeros_like(width)
    return Section(zero, zero, thickness_mm - underfill, zero, width, height, underfill, toe)
