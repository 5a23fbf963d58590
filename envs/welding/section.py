"""One slice from its means: the record that is frozen when the arc leaves it.

The order is that of the physics: heat, fused width, depth, what runs into the gap, the outer shape, and then what is
wrong with it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import bead, defects, heat, penetration
from .arc import Parameters
from .consumables import STEEL_DENSITY
from .distortion import angular_distortion
from .electrode import transfer_mode
from .joint import BUTT, LAP, Joint
from .slices import COLUMN

Array = NDArray[np.float64]

NOTHING_MM2 = 1e-3  # deposit below which a slice counts as not welded
# Heat leaves a T- or lap joint through three plate ends instead of two, as in the factor 2/3 of EN 1011-2
THREE_PLATES = 1.5


class Means:
    """Means of m slices over the time the arc spent in each.

    Args:
        sums: integrals over time of the process rates (m, rates), see `process.SUMS`.
        inputs: integrals over time of the inputs (m, inputs).
        names: column of each input.
        slice_mm: length of a slice.
    """

    def __init__(self, sums: Array, inputs: Array, names: dict[str, int], slice_mm: float):
        # by quantity, so that each is contiguous
        rates = np.ascontiguousarray(sums.T)
        time = np.maximum(rates[0], 1e-9)
        self._inputs = np.ascontiguousarray(inputs.T) / time
        self._names = names
        self.travel_mm_s = slice_mm / time
        self.deposit_mm2 = rates[1] / slice_mm
        self.spatter_mm2 = rates[2] / slice_mm
        self.power_w = np.maximum(rates[3] / time, 1.0)
        self.current_a = np.maximum(rates[4] / time, 1.0)
        self.voltage_v = np.maximum(rates[5] / time, 1.0)
        self.short = rates[6] / time
        self.interpass_c = np.minimum(np.maximum(rates[7] / time, -50.0), 450.0)

    def __getitem__(self, name: str) -> Array:
        mean: Array = self._inputs[self._names[name]]
        return mean


def weld_record(
    m: Means,
    joint: Joint,
    parameters: Parameters,
    rows: NDArray[np.intp],
    co2_share: float,
    pore_mm: Array,
) -> NDArray[np.float32]:
    """Records (m, quantities) of slices.

    Args:
        m: means of the slices.
        joint: of these rows.
        parameters: of all rows.
        rows: row of each slice (m,).
        co2_share: of the gas.
        pore_mm: largest pore of each slice (m,).
    """
    record = np.zeros((len(COLUMN), rows.size), dtype=np.float32)

    def put(**quantities: Array) -> None:
        for name, value in quantities.items():
            record[COLUMN[name]] = value

    plate = joint.thickness_mm * (1.0 if joint.kind == BUTT else THREE_PLATES)
    fused = heat.fused_width(heat.ARC_EFFICIENCY * m.power_w, m.travel_mm_s, plate, m.interpass_c)
    depth = penetration.plate_depth(m.current_a, m.travel_mm_s, m["ctwd_mm"])
    depth *= penetration.technique_factor(m["travel_angle_deg"], m["slope_deg"], co2_share)
    depth *= penetration.weave_factor(m["weave_mm"], fused)
    depth *= penetration.back_face_factor(
        heat.relative_thickness(heat.ARC_EFFICIENCY * m.power_w, m.travel_mm_s, heat.MELTING_C - m.interpass_c, plate)
    )
    depth *= np.sqrt((heat.MELTING_C - 20.0) / (heat.MELTING_C - m.interpass_c))
    cushion = defects.pool_cushion(m.deposit_mm2, m.travel_mm_s, m["travel_angle_deg"], m["slope_deg"])
    depth = np.maximum(depth - cushion, 0.0)
    # a weave sweeps half of its full width into the fused zone, and melts the less at either end
    fused = fused + m["weave_mm"]
    build = _butt if joint.kind == BUTT else _fillet
    section, extra = build(m, joint, depth, fused)

    heat_kj_mm = heat.heat_input(m.voltage_v, m.current_a, m.travel_mm_s)
    put(
        **extra,
        leg_1_mm=section.leg_1, leg_2_mm=section.leg_2, throat_mm=section.throat, convexity_mm=section.convexity,
        width_mm=section.width, reinforcement_mm=section.reinforcement, underfill_mm=section.underfill,
        toe_angle_deg=section.toe_angle_deg, fused_mm=fused, penetration_mm=depth, pore_mm=pore_mm,
        undercut_mm=defects.undercut(
            m.current_a, m.voltage_v, m.travel_mm_s, m["work_angle_deg"], m["roll_deg"], section.leg_1
        ),
        heat_kj_mm=heat_kj_mm,
        t85_s=heat.cooling_time(
            heat_kj_mm, m.interpass_c, joint.thickness_mm, joint.shape_thin, joint.shape_thick
        ),
        spatter_g_m=m.spatter_mm2 * STEEL_DENSITY * 1e3,
        transfer=transfer_mode(m.current_a, m.short, parameters.spray_a[rows]).astype(np.float64),
        current_a=m.current_a, voltage_v=m.voltage_v,
    )  # fmt: skip
    welded = m.deposit_mm2 > NOTHING_MM2
    if not welded.all():
        record *= welded
    put(
        deposit_mm2=m.deposit_mm2, travel_mm_s=m.travel_mm_s, gap_mm=m["gap_mm"], mismatch_mm=m["mismatch_mm"],
        offset_mm=m["offset_mm"], interpass_c=m.interpass_c,
    )  # fmt: skip
    return record.T


def _fillet(m: Means, joint: Joint, depth: Array, fused: Array) -> tuple[bead.Section, dict[str, Array]]:
    """Fillet of a T- or lap joint."""
    gap, offset = m["gap_mm"], m["offset_mm"]
    root = penetration.root_depth(depth, offset, m["weave_mm"])
    fill = bead.gap_fill(m.deposit_mm2, gap, root, joint.thickness_mm)
    shape = bead.shape_factor(m.deposit_mm2 - fill, fused, m["travel_angle_deg"], m["slope_deg"])
    # without an arc, what rounding leaves of the deposit may be negative; such a section counts as nothing laid
    leg = np.sqrt(2.0 * np.maximum(m.deposit_mm2 - fill, 1e-12) / shape)
    difference = bead.leg_difference(leg, offset, m["work_angle_deg"], m["roll_deg"])
    edge = joint.thickness_mm if joint.kind == LAP else None
    section = bead.fillet_section(m.deposit_mm2, fill, shape, difference, gap, edge)
    return section, {
        "root_mm": root,
        "overlap_mm": defects.overlap(section.leg_1, section.leg_2, fused, offset),
        "lack_of_fusion_mm": defects.fillet_lack_of_fusion(root, fused, offset),
        "burn_through_mm": defects.fillet_burn_through(depth, gap, joint.thickness_mm),
        "angular_rad": angular_distortion(0.5 * (section.leg_1 + section.leg_2), joint.thickness_mm),
    }


def _butt(m: Means, joint: Joint, depth: Array, fused: Array) -> tuple[bead.Section, dict[str, Array]]:
    """Butt weld from one side, with or without groove and backing."""
    gap, offset, thickness = m["gap_mm"], m["offset_mm"], joint.thickness_mm
    groove, opening = bead.groove_area(gap, thickness, joint.groove_deg, joint.root_face_mm)
    section = bead.butt_section(m.deposit_mm2, groove, opening, fused, thickness)
    reach = depth + joint.bevel_mm + penetration.gap_depth(gap)
    # what hangs through does so under the arc; a root is fused where both of its edges are
    through = reach * penetration.edge_share(gap, fused, offset, m["weave_mm"]) - thickness
    open_root = 0.0 if joint.backed else 1.0
    return section, {
        "root_mm": through,
        "lack_of_fusion_mm": defects.groove_lack_of_fusion(fused, opening, offset),
        "incomplete_root_mm": np.clip(-through, 0.0, thickness),
        "excess_root_mm": open_root * defects.excess_root(reach - thickness),
        "burn_through_mm": open_root * defects.butt_burn_through(reach, gap, thickness),
    }
