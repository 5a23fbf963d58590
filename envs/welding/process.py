"""The weld of n rows: arc, deposit, heat, bead and distortion, one control step at a time.

    process = WeldProcess(n, joint, seam_length_mm=300.0, wire=solid_wire(1.2), gas=CO2)
    process.begin(rows)
    process.inputs["wire_feed_mm_s"][:] = 155.0      # and voltage, travel, distance, gap, ...
    process.inputs["arc_on"][:] = 1.0
    process.step(0.1)
    process.slices["throat_mm"]                      # (n, slices), frozen up to process.slices.frozen

Inputs are arrays (n,) that keep their value until they are written again. Metal and heat of a step are spread over the
slices that the arc crosses in it, in proportion to time; a slice is computed from its own means when the arc leaves it.
What was fed is in the extension, in a slice, in the open slice, in the run-off, or in spatter: nothing is lost.

Every array that the weld depends on is made by `allocate`; an environment passes `Rows.new` of the engine, and the
weld is saved and restored with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from . import heat
from .arc import SUBSTEP_S, Allocate, Arc, Parameters
from .consumables import CO2, Gas, Wire, solid_wire
from .defects import pores, shielding_factor
from .distortion import seam_drift_rate
from .electrode import deposition_efficiency
from .joint import Joint
from .section import Means, weld_record
from .slices import COLUMN, Slices

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

# name -> value of an input that nobody writes
INPUTS: Mapping[str, float] = {
    "arc_on": 0.0,  # above one half: the arc burns
    "wire_feed_mm_s": 0.0,
    "voltage_v": 0.0,  # open-circuit voltage of the source; see `arc.source_voltage`
    "travel_mm_s": 0.0,  # along the seam, not negative
    "ctwd_mm": 18.0,  # contact tip to work
    "work_angle_deg": 45.0,  # torch to base plate
    "travel_angle_deg": 0.0,  # positive pushes
    "offset_mm": 0.0,  # lateral miss of the arc, positive to the standing plate
    "weave_mm": 0.0,  # amplitude to each side
    "gap_mm": 0.0,
    "mismatch_mm": 0.0,
    "plate_c": 20.0,  # temperature of the plate without what earlier passes left
    "roll_deg": 0.0,  # turn of the joint about the seam, 0 flat (PA), 45 horizontal fillet (PB)
    "slope_deg": 0.0,  # of the seam, positive uphill
    "restraint": 0.7,  # 0 free plates, 1 clamped
    "wind_m_s": 0.0,
    "gas_flow_l_min": 18.0,
    "contamination": 0.0,  # 0 clean, 0.1 primer, 1 rust and oil
}
INPUT_COLUMN = {name: k for k, name in enumerate(INPUTS)}
# sums over time of the open slice; the first is time itself
SUMS = ("time_s", "volume_mm3", "spatter_mm3", "energy_j", "current", "voltage", "short", "interpass_c")


class Inputs:
    """The inputs of a process by name, each a view (n,) of `values` (n, inputs)."""

    def __init__(self, allocate: Allocate):
        self.values: Array = allocate("inputs", (len(INPUTS),))
        self.values[:] = list(INPUTS.values())
        self._views = {name: self.values[:, k] for k, name in enumerate(INPUTS)}

    def __getitem__(self, name: str) -> Array:
        if name not in self._views:
            raise ShopfloorError(f"no process input {name!r}; known: {', '.join(INPUTS)}")
        return self._views[name]


class WeldProcess:
    """Welding of n rows, vectorized, without MuJoCo.

    Args:
        n: rows.
        joint: kind and dimensions.
        seam_length_mm: of every row's seam.
        wire, gas: consumables.
        slice_mm: length of a slice.
        allocate: makes the state arrays, as `Rows.new` does; default arrays of its own.
        precision: of the arc's substeps, see `Arc`.

    Attributes:
        inputs: set-points and conditions, see `INPUTS`.
        parameters: constants of each row, free to be scattered.
        arc: current, voltage and extension.
        slices: the frozen bead.
        travelled_mm: arc position along the seam (n,).
        drift_mm: lateral displacement of the seam at the arc by shrinkage (n,).
        deposited_mm3, spatter_mm3, run_off_mm3: where the melted metal went (n,); run-off lies beyond the seam.
        fed_mm, melted_mm: wire since `begin` (n,); what was fed and has not melted is in the extension.
        frozen_before: `slices.frozen` before the last step (n,); the slices from there on are new.
        key: number of the weld, which its pores depend on (n,).
        owned: the arrays by name, when `allocate` was not given.
    """

    def __init__(
        self,
        n: int,
        joint: Joint,
        seam_length_mm: float,
        wire: Wire | None = None,
        gas: Gas = CO2,
        slice_mm: float = 1.0,
        allocate: Allocate | None = None,
        precision: type[np.floating[Any]] = np.float64,
    ):
        if joint.n != n:
            raise ShopfloorError(f"the joint has {joint.n} rows, the process {n}; build both with the same n")
        self.n = n
        self.joint = joint
        self.gas = gas
        self.wire = solid_wire(1.2) if wire is None else wire
        self.owned: dict[str, NDArray[Any]] = {}
        new: Any = self._own if allocate is None else allocate
        self.parameters = Parameters(n, self.wire, gas, new)
        self.inputs = Inputs(new)
        self.arc = Arc(self.parameters, new, precision)
        self.slices = Slices(n, seam_length_mm, slice_mm, new)
        self.time_s: Array = new("weld_time_s")
        self.travelled_mm: Array = new("travelled_mm")
        self.drift_mm: Array = new("drift_mm")
        self.fed_mm: Array = new("fed_mm")
        self.melted_mm: Array = new("melted_mm")
        self.deposited_mm3: Array = new("deposited_mm3")
        self.spatter_mm3: Array = new("spatter_mm3")
        self.run_off_mm3: Array = new("run_off_mm3")
        self.key: NDArray[np.int64] = new("weld_key", (), np.int64)
        self.frozen_before: NDArray[np.int64] = new("frozen_before", (), np.int64)
        self._burning: NDArray[np.bool_] = new("burning", (), np.bool_)
        self._place: Array = new("place_mm")  # in the open slice
        self._sums: Array = new("open_sums", (len(SUMS),))
        self._input_sums: Array = new("open_inputs", (len(INPUTS),))
        # energy per length (J/mm) and time (s) of earlier passes, which interpass temperatures come from
        self._earlier: NDArray[np.float32] = new("earlier_passes", (self.slices.count, 2), np.float32)
        self._passes: NDArray[np.int64] = new("earlier_count", (), np.int64)
        self._rates = np.zeros((n, len(SUMS)))
        self._rates[:, 0] = 1.0
        self._spread_rates, self._spread_inputs = np.zeros_like(self._rates), np.zeros_like(self.inputs.values)

    def _own(self, name: str, shape: tuple[int, ...] = (), dtype: Any = np.float64, fill: float = 0) -> NDArray[Any]:
        assert name not in self.owned, name
        self.owned[name] = np.full((self.n, *shape), fill, dtype=dtype)
        return self.owned[name]

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Copies of all arrays, constants of the rows included, where the process owns them."""
        return {name: array.copy() for name, array in self.owned.items()}

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what `get_state` returned."""
        if set(state) != set(self.owned):
            other = ", ".join(sorted(set(state) ^ set(self.owned)))
            raise ShopfloorError(f"the saved weld is of another process or version: {other} differ")
        for name, array in state.items():
            self.owned[name][...] = array

    # -- episodes -----------------------------------------------------------------------------------------------

    def begin(self, rows: RowIndex, key: NDArray[np.int64] | int = 0) -> None:
        """A new weld on new plates for `rows`: inputs at their defaults, nothing deposited."""
        self.inputs.values[rows] = list(INPUTS.values())
        self.slices.clear(rows)
        self._earlier[rows] = 0.0
        self._passes[rows] = 0
        for array in (self.time_s, self.drift_mm, self.fed_mm, self.melted_mm, self.deposited_mm3):
            array[rows] = 0.0
        for array in (self.spatter_mm3, self.run_off_mm3):
            array[rows] = 0.0
        self.key[rows] = key
        self._rewind(rows)
        self.arc.ignite(rows, self.inputs["ctwd_mm"][rows])

    def _rewind(self, rows: RowIndex) -> None:
        for array in (self.travelled_mm, self._place, self._sums, self._input_sums):
            array[rows] = 0.0
        self._burning[rows] = False
        self.frozen_before[rows] = 0

    def next_pass(self, rows: RowIndex) -> None:
        """Start the next pass of `rows` at the beginning of the seam; the heat of the last one stays in the plate.

        Its slices are overwritten: read them first.
        """
        energy = self.slices["heat_kj_mm"][rows] * np.float32(1e3 * heat.ARC_EFFICIENCY / heat.GMAW_FACTOR)
        welded = energy > 0.0
        # of several passes the latest counts: it is the warmest by far
        self._earlier[rows, :, 0] = np.where(welded, energy, self._earlier[rows, :, 0])
        self._earlier[rows, :, 1] = np.where(welded, self.slices["time_s"][rows], self._earlier[rows, :, 1])
        self._passes[rows] += 1
        self._settle(rows)
        self.slices.clear(rows)
        self._rewind(rows)

    def next_seam(self, rows: RowIndex, first: RowIndex) -> None:
        """Go on with another seam of the same part, whose slices begin at `first` (k,); what is welded stays.

        The metal of an open slice counts as run-off. The plates there are as cold as they were.
        """
        self._settle(rows)
        self._place[rows] = 0.0
        self.slices.frozen[rows] = self.frozen_before[rows] = first
        self.travelled_mm[rows] = first * self.slices.slice_mm

    def finish(self, rows: RowIndex, fill_crater: bool = True) -> None:
        """Put out the arc of `rows`; without crater fill the last frozen slice keeps a pipe of 0.25 of the depth.

        The share of a pipe is a heuristic: 0.2 to 0.3 of the thickness is common where the pool goes through.
        """
        self.inputs["arc_on"][rows] = 0.0
        self._settle(rows)
        last = self.slices.frozen[rows] - 1
        if not fill_crater:
            rows, last = rows[last >= 0], last[last >= 0]
            depth = self.slices.values[rows, last, COLUMN["penetration_mm"]]
            self.slices.values[rows, last, COLUMN["crater_mm"]] = 0.25 * depth

    def run_on(self, rows: RowIndex) -> None:
        """Let the arcs of `rows` burn steadily at the inputs as they are.

        They were struck on a run-on plate before the seam, as is done where the beginning of a weld counts.
        """
        x = self.inputs
        before = self.arc.extension_mm[rows]
        self.arc.settle(rows, x["wire_feed_mm_s"][rows], x["voltage_v"][rows], x["ctwd_mm"][rows])
        # the wire is run in, or cut, to what sticks out of the contact tip
        self.fed_mm[rows] += self.arc.extension_mm[rows] - before
        self._burning[rows] = True

    def _settle(self, rows: RowIndex) -> None:
        """The metal of an open slice that will not be completed counts as run-off."""
        self.run_off_mm3[rows] += self._sums[rows, 1]
        self._sums[rows] = 0.0
        self._input_sums[rows] = 0.0

    # -- stepping -----------------------------------------------------------------------------------------------

    def step(self, dt: float, ctwd_course_mm: Array | None = None) -> None:
        """Weld for `dt` s with the inputs as they are.

        Args:
            dt: control period, s.
            ctwd_course_mm: contact-tip distance at each substep (substeps, n), for a weave faster than the control
                step; default a straight line from the last input to the present one.
        """
        substeps = round(dt / SUBSTEP_S)
        if substeps < 1 or abs(substeps * SUBSTEP_S - dt) > 1e-9:
            raise ShopfloorError(f"the control period {dt!r} s is not a whole number of {SUBSTEP_S} s substeps")
        x = self.inputs
        on = x["arc_on"] > 0.5
        struck = np.flatnonzero(on & ~self._burning)
        if struck.size:
            # the wire is run in, or cut, to where the arc strikes
            self.fed_mm[struck] -= self.arc.extension_mm[struck]
            at = x["ctwd_mm"] if ctwd_course_mm is None else ctwd_course_mm[0]
            self.arc.ignite(struck, at[struck])
            self.fed_mm[struck] += self.arc.extension_mm[struck]
        self._burning[:] = on
        course = x["ctwd_mm"] if ctwd_course_mm is None else ctwd_course_mm
        self.arc.advance(x["wire_feed_mm_s"], x["voltage_v"], course, substeps, on)
        self._deposit(dt, on)
        self.time_s += dt
        self.frozen_before[:] = self.slices.frozen
        self._travel(dt)

    def new_slices(self) -> tuple[RowIndex, RowIndex]:
        """Row and slice index (m,), (m,) of what the last step froze, for `Slices.take`."""
        count = self.slices.frozen - self.frozen_before
        rows = np.repeat(np.arange(self.n), count)
        first = np.cumsum(count) - count
        return rows, self.frozen_before[rows] + np.arange(rows.size) - first[rows]

    def _deposit(self, dt: float, on: NDArray[np.bool_]) -> None:
        """Rates of the step: metal, spatter, energy, and the temperature of what the arc runs into."""
        arc, p, rates = self.arc, self.parameters, self._rates
        melted = arc.melted_mm * on
        self.fed_mm += self.inputs["wire_feed_mm_s"] * on * dt
        self.melted_mm += melted
        share = deposition_efficiency(arc.mean_current_a, arc.short, p.spray_a) * p.efficiency_factor
        metal = melted * p.metal_mm2
        volume = metal * np.minimum(share, 1.0)
        spatter = metal - volume
        self.deposited_mm3 += volume
        self.spatter_mm3 += spatter
        rates[:, 1] = volume / dt
        rates[:, 2] = spatter / dt
        rates[:, 3] = arc.power_w
        rates[:, 4] = arc.mean_current_a
        rates[:, 5] = arc.mean_voltage_v
        rates[:, 6] = arc.short
        rates[:, 7] = self.interpass_c()

    def interpass_c(self) -> Array:
        """Temperature in degC of the plate that the arc runs into (n,), with what earlier passes have left."""
        plate = self.inputs["plate_c"]
        if not self._passes.any():
            return plate
        here = np.minimum(self.slices.frozen, self.slices.count - 1)
        earlier = self._earlier[np.arange(self.n), here].astype(np.float64)
        age = self.time_s - earlier[:, 1]
        left = heat.residual_rise(earlier[:, 0], age, self.joint.thickness_mm)
        return plate + left * (earlier[:, 0] > 0.0)

    def _travel(self, dt: float) -> None:
        """Move the arcs, share the step among the slices they cross, and freeze those they leave."""
        speed = np.maximum(self.inputs["travel_mm_s"], 0.0)
        left = np.full(self.n, dt)
        size = self.slices.slice_mm
        room = size - self._place
        crossing = (speed * left >= room) & (self.slices.frozen < self.slices.count)
        spent = np.where(crossing, room / np.maximum(speed, 1e-12), left)
        self._sums += np.multiply(spent[:, None], self._rates, out=self._spread_rates)
        self._input_sums += np.multiply(spent[:, None], self.inputs.values, out=self._spread_inputs)
        self._place += np.where(crossing, room, speed * left)
        left -= spent
        rows = np.flatnonzero(crossing)
        crossed = []
        while rows.size:
            when = self.time_s.take(rows) - left.take(rows)
            index = self.slices.frozen.take(rows)
            crossed.append((rows, index, self._sums.take(rows, axis=0), self._input_sums.take(rows, axis=0), when))
            self.slices.frozen[rows] = index + 1
            # the rest of the step of those that have crossed, each at the beginning of a slice
            v, rest = speed.take(rows), left.take(rows)
            again = (v * rest >= size) & (index + 1 < self.slices.count)
            spent = np.where(again, size / np.maximum(v, 1e-12), rest)
            self._sums[rows] = spent[:, None] * self._rates.take(rows, axis=0)
            self._input_sums[rows] = spent[:, None] * self.inputs.values.take(rows, axis=0)
            self._place[rows] = np.where(again, size, v * rest)
            left[rows] = rest - spent
            rows = rows[again]
        if crossed:
            self._freeze(*(np.concatenate(parts) for parts in zip(*crossed, strict=True)))
        done = np.flatnonzero(self.slices.frozen >= self.slices.count)
        if done.size:
            self._settle(done)
        self.travelled_mm[:] = self.slices.frozen * size + self._place

    def _freeze(self, rows: RowIndex, index: RowIndex, sums: Array, inputs: Array, when: Array) -> None:
        """Write slices (m,) of `rows` from their sums; a row may have several, in order."""
        m = Means(sums, inputs, INPUT_COLUMN, self.slices.slice_mm)
        joint = self.joint.of(rows)
        factor = shielding_factor(
            m["ctwd_mm"], m["travel_angle_deg"], m["wind_m_s"], m["gas_flow_l_min"], m["contamination"]
        )
        holes = pores(self.key[rows], index, factor, self.slices.slice_mm)
        record = weld_record(m, joint, self.parameters, rows, self.gas.co2_share, holes)
        record[:, COLUMN["time_s"]] = when
        drift = self.slices.slice_mm * seam_drift_rate(m.deposit_mm2, joint.thickness_mm, m["restraint"])
        np.add.at(self.drift_mm, rows, drift)
        self.slices.values[rows, index] = record
