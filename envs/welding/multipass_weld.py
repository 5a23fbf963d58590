"""One bead after the other in the grooves of n rows: arc, metal, heat, section and time of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows
from . import groove, heat, penetration
from .arc import Parameters, source_voltage, steady_arc
from .consumables import CO2, solid_wire
from .defects import pool_cushion, undercut
from .electrode import deposition_efficiency, short_charge
from .gap_fill_work import MM_S_PER_M_MIN, make_work

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

MOST_BEADS = 30
SEAM_MM = 400.0
CHANGE_S = 20.0  # from bead to bead: clean, return, strike
LONGEST_WAIT_S = 3600.0
# Heat of a bead leaves the weld through faces and clamps besides spreading in the plate; order of magnitude for plates
# in still air
LOSS_S = 1500.0
WIRE, GAS, CTWD_MM = solid_wire(1.2), CO2, 18.0
WORK = make_work("fillet", 6.0, 1.2, "co2")  # whose synergic line the source follows


class GrooveWeld:
    """Sections, temperatures and clocks of n welds; all arrays are row arrays.

    Args:
        s: rows.
        thickness_mm: of the plates.
    """

    def __init__(self, s: Rows, thickness_mm: float):
        self.thickness_mm = thickness_mm
        self.parameters = Parameters(s.n, WIRE, GAS, s.new)
        self.height: Array = s.new("section", (groove.COLUMNS,))
        self.empty: Array = s.new("empty_groove", (groove.COLUMNS,))
        self.interface: Array = s.new("interface", (groove.COLUMNS,), fill=groove.NEVER)
        for name in (
            "half_opening", "groove_area", "clock_s", "beads", "arc_s", "ambient", "pyrometer_error", "distance_error",
            "aim", "interpass", "current", "terminal_v", "heat_kj_mm", "t85", "hottest_interpass", "longest_t85",
            "shortest_t85", "undercut_mm", "deposit_mm2", "bead_s", "root_gap", "root_face", "groove_angle",
        ):  # fmt: skip
            s.new(name)
        s.new("root_open", (2,))
        # energy per length (J/mm) and time of every bead, which the temperature of the next follows from
        self.energy: Array = s.new("bead_energy", (MOST_BEADS,))
        self.laid_s: Array = s.new("bead_laid_s", (MOST_BEADS,))
        self.place: Array = s.new("bead_place", (MOST_BEADS, 3))

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """An empty, cold groove."""
        p, t = self.parameters, self.thickness_mm
        angle, face, gap = params["groove_angle"], params["root_face"], params["root_gap"]
        self.empty[rows] = groove.groove_profile(t, angle, face, gap)
        self.height[rows] = self.empty[rows]
        self.interface[rows] = groove.NEVER
        s.half_opening[rows] = groove.half_opening(t, angle, face, gap)
        full = np.full((rows.size, groove.COLUMNS), t)
        s.groove_area[rows] = groove.area_below(full, self.empty[rows], t)
        p.efficiency_factor[rows] = 1.0 + params["efficiency_error"]
        p.alpha[rows] = WIRE.alpha * (1.0 + params["burn_off_error"])
        p.beta[rows] = WIRE.beta * (1.0 + params["burn_off_error"])
        for name, value in (
            ("ambient", params["plate_temperature"]), ("pyrometer_error", params["pyrometer_error"]),
            ("distance_error", params["ctwd_error"]), ("aim", params["aim_error"]), ("root_gap", gap),
            ("root_face", face), ("groove_angle", angle), ("interpass", params["plate_temperature"]),
        ):  # fmt: skip
            getattr(s, name)[rows] = value
        for name in (
            "clock_s", "beads", "arc_s", "current", "terminal_v", "heat_kj_mm", "t85", "hottest_interpass",
            "longest_t85", "undercut_mm", "deposit_mm2", "bead_s",
        ):  # fmt: skip
            getattr(s, name)[rows] = 0.0
        s.shortest_t85[rows] = 1e3
        s.root_open[rows] = face[:, None]
        for array in (self.energy, self.laid_s, self.place):
            array[rows] = 0.0

    def temperature(self, s: Rows, clock_s: Array) -> Array:
        """Temperature (n,) in degC of the weld at times (n,)."""
        age = np.maximum(clock_s[:, None] - self.laid_s, 1.0)
        rise = heat.residual_rise(self.energy, age, np.asarray(self.thickness_mm)) * np.exp(-age / LOSS_S)
        total: Array = np.cumsum(rise * (self.energy > 0.0), axis=1)[:, -1]
        return np.minimum(s.ambient + total, 450.0)

    def wait(self, s: Rows, limit_c: Array) -> Array:
        """Seconds (n,) until the pyrometer shows no more than a limit, at most an hour."""
        low, high = np.zeros(s.n), np.full(s.n, LONGEST_WAIT_S)
        for _ in range(24):
            middle = 0.5 * (low + high)
            warm = self.temperature(s, s.clock_s + middle) + s.pyrometer_error > limit_c
            low, high = np.where(warm, middle, low), np.where(warm, high, middle)
        cold = self.temperature(s, s.clock_s) + s.pyrometer_error <= limit_c
        return np.where(cold, 0.0, high)

    def bead(self, s: Rows, setpoints: Array, rows: RowIndex | None) -> None:
        """Wait and lay one bead in `rows` (None for all) under set-points (n, 5), see `BeadPlan`."""
        part = np.arange(s.n) if rows is None else rows
        place, feed, travel, weave, limit = setpoints.T
        clock = s.clock_s + self.wait(s, limit)
        hot = self.temperature(s, clock)
        current, terminal, volume = self._arc(s, feed)
        power = heat.ARC_EFFICIENCY * current * terminal
        thickness = np.full(s.n, self.thickness_mm)
        fused = heat.fused_width(power, travel, thickness, hot)
        deposit = volume / travel
        depth = penetration.plate_depth(current, travel, CTWD_MM + s.distance_error)
        depth *= penetration.technique_factor(np.zeros(s.n), np.zeros(s.n), GAS.co2_share)
        depth *= penetration.weave_factor(weave, fused) * np.sqrt((heat.MELTING_C - 20.0) / (heat.MELTING_C - hot))
        depth = np.maximum(depth - pool_cushion(deposit, travel, np.zeros(s.n), np.zeros(s.n)), 0.0)
        middle, half = place + s.aim, 0.5 * (fused + weave)
        after = groove.lay(self.height, middle, half, deposit)
        reach = groove.fusion_depth(middle, half, depth)
        root = self._root(s, middle, half, depth)
        interface = groove.interfaces(self.height, after, reach, self.interface)
        q = heat.heat_input(terminal, current, travel)
        t85 = heat.cooling_time(q, hot, thickness, 0.9, 0.9)
        groove_mark = undercut(current, terminal, travel, np.full(s.n, 45.0), np.zeros(s.n), np.zeros(s.n))
        on_plate = after.max(axis=1) > self.thickness_mm
        number = np.minimum(s.beads.astype(np.intp), MOST_BEADS - 1)
        took = SEAM_MM / travel
        values: dict[str, Any] = {
            "root_open": np.minimum(s.root_open, root), "bead_s": clock - s.clock_s + took + CHANGE_S,
            "interpass": hot, "current": current, "terminal_v": terminal, "heat_kj_mm": q, "t85": t85,
            "hottest_interpass": np.maximum(s.hottest_interpass, hot), "arc_s": s.arc_s + took,
            "longest_t85": np.maximum(s.longest_t85, t85), "shortest_t85": np.minimum(s.shortest_t85, t85),
            "undercut_mm": np.maximum(s.undercut_mm, groove_mark * on_plate), "deposit_mm2": deposit,
            "beads": s.beads + 1.0,
        }  # fmt: skip
        for name, value in values.items():
            getattr(s, name)[part] = value[part]
        self.height[part], self.interface[part] = after[part], interface[part]
        at = number[part]
        self.energy[part, at] = 1e3 * (q * heat.ARC_EFFICIENCY / heat.GMAW_FACTOR)[part]
        # the middle of the seam stands for all of it
        self.laid_s[part, at] = (clock + 0.5 * took)[part]
        top = np.where(reach > 0.0, after, groove.NEVER).max(axis=1)
        self.place[part, at] = np.stack((middle, half, top), axis=1)[part]
        s.clock_s[part] += s.bead_s[part]

    def _arc(self, s: Rows, feed_m_min: Array) -> tuple[Array, Array, Array]:
        """Current (A), voltage (V) at the terminals and deposited volume (mm^3/s) of steady arcs, each (n,)."""
        p = self.parameters
        feed, ctwd = MM_S_PER_M_MIN * feed_m_min, CTWD_MM + s.distance_error
        voltage = WORK.source_voltage(feed_m_min, np.zeros(s.n))
        current, extension = steady_arc(p, feed, voltage, ctwd)
        short = short_charge(ctwd - extension, p.diameter_mm, p.most_short(feed))
        share = np.minimum(deposition_efficiency(current, short, p.spray_a) * p.efficiency_factor, 1.0)
        return current, voltage - source_voltage(p, np.zeros(s.n), current), feed * p.metal_mm2 * share

    def _root(self, s: Rows, middle: Array, half: Array, depth: Array) -> Array:
        """Root face (n, 2) in mm that would still stand on either side after this bead alone."""
        edges = np.stack((-0.5 * s.root_gap, 0.5 * s.root_gap), axis=1)
        x = (edges - middle[:, None]) / half[:, None]
        reach = depth[:, None] * np.sqrt(np.maximum(1.0 - x * x, 0.0))
        index = np.clip(np.round((edges + groove.HALF_MM) / groove.PITCH_MM).astype(np.intp), 0, groove.COLUMNS - 1)
        # just outside of the gap, on the land
        index += np.array([-1, 1])
        over = np.take_along_axis(self.height, index, axis=1)
        # the land under a wet bead melts from its side as well; what the arc does not reach stays
        standing: Array = np.clip(over - reach, 0.0, s.root_face[:, None] + 1e-3)
        return np.where(np.abs(x) < 1.0, standing, s.root_face[:, None] + 1e-3)
