"""The welds of a U-cell: one process for the three seams of every row, one after the other, and their inspection."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.weld_u_cell import WALL
from ..engine.task import Rows
from .arc import SOURCE_RESISTANCE, load_line
from .consumables import CO2, flux_cored_wire
from .electrode import current_for_feed
from .inspection import FIT_UP, Stretch, grade, grade_welds, lasting
from .iso5817 import ISO_5817
from .joint import Joint
from .seam_weld import Procedure, SeamWeld
from .shipyard import SHIPYARD
from .slices import COLUMN
from .u_cell_motion import FEED_M_MIN, TRAVEL_MM_S
from .u_cell_seams import AROUND, OVERLAP_MM, RISE_MM, SEAMS, SECOND, SECOND_MM, UP, around_length, wrap_span

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

MM_S_PER_M_MIN = 1000.0 / 60.0
# Flux-cored wire of 1.2 mm in CO2, what shipyards weld with; leg of 5 mm, as the drawing of light structure asks for.
PROCEDURE = Procedure(
    current_a=270.0, voltage_v=27.5, travel_mm_s=TRAVEL_MM_S[0], ctwd_mm=18.0, throat_mm=3.5,
    wire=flux_cored_wire(1.2), gas=CO2,
)  # fmt: skip
NOMINAL_LEG_MM = float(np.sqrt(2.0)) * PROCEDURE.throat_mm
LEVEL, YARD_LEVEL = "C", "remedied"
# Slices of 1 mm that each seam may fill, with room for a torch that does not stop at once.
WINDOWS = (150, 84, 58)
FIRST = (0, WINDOWS[0], WINDOWS[0] + WINDOWS[1])
# Beginning and end of a seam that are not judged, where the arc was struck and where its crater was filled.
START_MM, CRATER_MM = 3, 2
ROLL_DEG, SLOPE_DEG = (45.0, 45.0, 0.0), (0.0, 0.0, 90.0)  # of the seams: PB, PB, PF after ISO 6947
ARC_LENGTH_MM = 3.0  # for which the synergic line is made
FASTEST_MM_S = 30.0  # of travel that the process model is asked about


def synergic_voltage(feed_m_min: Array, trim_v: Array) -> Array:
    """Open-circuit voltage (n,) of the source: the load line of IEC 60974-1 at the current a feed takes, and a trim."""
    wire = PROCEDURE.wire
    extension = np.full_like(feed_m_min, PROCEDURE.ctwd_mm - ARC_LENGTH_MM)
    current = current_for_feed(MM_S_PER_M_MIN * feed_m_min, extension, wire.alpha, wire.beta)  # type: ignore[arg-type]
    return load_line(current) + SOURCE_RESISTANCE * current + trim_v


class UCellWeld:
    """Process, arcs and grades.

    Attributes:
        weld: the process and its coupling.
        complete: (n, 3) seams that have been welded to their ends.
        accepted: (n, 3) of these, those that inspection accepts.
        corner_leg_mm: (n,) smallest leg of the corner wrap, NaN before it is welded.
        sound_mm, new_mm: (n,) millimetres frozen in the last step that keep the level at any length, and all.
        good_mm: (n,) sum of `sound_mm`.
    """

    def __init__(self, s: Rows, thickness_mm: Array):
        self.weld = SeamWeld(s, "fillet", 8.0, float(sum(WINDOWS)), PROCEDURE)
        self.process = self.weld.process
        self._thickness = thickness_mm
        self.complete: NDArray[np.bool_] = s.new("seam_complete", (3,), bool)
        self.accepted: NDArray[np.bool_] = s.new("seam_accepted", (3,), bool)
        self.corner_leg_mm: Array = s.new("corner_leg_mm")
        self.sound_mm: Array = s.new("sound_mm")
        self.new_mm: Array = s.new("new_mm")
        self.uneven_mm: Array = s.new("uneven_mm")
        self.good_mm: Array = s.new("good_mm")
        self.feed_factor: Array = s.new("feed_factor", fill=1.0)
        self._struck_s: Array = s.new("struck_s")
        self._judged: Array = s.new("judged_slices", (3,))
        self._efficiency = self.process.parameters.efficiency_factor
        self._row = np.arange(s.n)

    def begin(self, rows: RowIndex, key: NDArray[np.int64]) -> None:
        """Nothing is welded, no arc burns."""
        none = np.zeros(rows.size)
        self.weld.begin(rows, key, none, none)
        self.process.inputs["arc_on"][rows] = 0.0
        self.complete[rows] = self.accepted[rows] = False
        self.corner_leg_mm[rows] = np.nan
        for array in (self.sound_mm, self.new_mm, self.good_mm, self._struck_s, self.uneven_mm):
            array[rows] = 0.0
        t = self._thickness[rows]
        self._judged[rows, AROUND] = np.floor(around_length(t) - CRATER_MM)
        # where it laps over the other, it lies on sound metal
        self._judged[rows, SECOND] = SECOND_MM - OVERLAP_MM
        self._judged[rows, UP] = RISE_MM - CRATER_MM

    @property
    def judged_mm(self) -> Array:
        """Length (n,) that is inspected."""
        j = self._judged
        return j[:, 0] + j[:, 1] + j[:, 2] - 3 * START_MM

    # -- welding ----------------------------------------------------------------------------------------------

    def strike(self, rows: RowIndex, seam: NDArray[np.int64], lateral: Array, height: Array) -> None:
        """Strike the arcs of `rows` at the beginning of `seam` (k,), the wire at (k,) in its section."""
        first = np.array(FIRST)[seam]
        self.process.next_seam(rows, first)
        x = self.process.inputs
        x["arc_on"][rows] = 1.0
        x["roll_deg"][rows], x["slope_deg"][rows] = np.array(ROLL_DEG)[seam], np.array(SLOPE_DEG)[seam]
        self.process.joint.thickness_mm[rows] = self.thickness(rows, seam)
        self.weld.resume(rows, lateral, height)
        self._struck_s[rows] = self.process.time_s[rows]

    def thickness(self, rows: RowIndex, seam: NDArray[np.int64]) -> Array:
        """Thickness (k,) of the thinner plate of a joint, mm."""
        return np.where(seam == UP, 1e3 * WALL, np.minimum(self._thickness[rows], 14.0))

    def step(
        self, s: Rows, seam: NDArray[np.int64], lateral: Array, height: Array, miss: Array, travel: Array,
    ) -> None:  # fmt: skip
        """Weld through the control step that has just been made.

        Args:
            s: rows, with the set-points in force.
            seam: (n,) seam whose section is told of.
            lateral, height: (n,) of the wire in its section.
            miss: (n,) lateral miss of the middle of the weave.
            travel: (n,) along the seam, mm/s.
        """
        x, process = self.process.inputs, self.process
        process.joint.thickness_mm[:] = self.thickness(self._row, seam)
        vertical = seam == UP
        feed = s.arc_set[:, 0] * np.where(vertical, FEED_M_MIN[1], FEED_M_MIN[0])
        x["wire_feed_mm_s"][:] = MM_S_PER_M_MIN * feed * self.feed_factor
        x["voltage_v"][:] = synergic_voltage(feed, s.arc_set[:, 1])
        # the window of a seam is all that it may fill
        last = np.array(FIRST)[seam] + np.array(WINDOWS)[seam]
        room = np.maximum(last - 0.5 - process.travelled_mm, 0.0) / s.timing.control_dt
        on = x["arc_on"] > 0.5
        speed = on * np.minimum(np.minimum(np.maximum(travel, 0.0), FASTEST_MM_S), room)
        self.weld.step(s, lateral, height, speed, miss, vertical * s.arc_set[:, 2])
        self._account(seam)

    def _account(self, seam: NDArray[np.int64]) -> None:
        """Grade what was frozen."""
        self.sound_mm[...] = self.new_mm[...] = self.uneven_mm[...] = 0.0
        rows, index = self.process.new_slices()
        if not rows.size:
            return
        here = seam[rows]
        place = index - np.array(FIRST)[here]
        inside = (place >= START_MM) & (place < self._judged[rows, here])
        rows, index = rows[inside], index[inside]
        if not rows.size:
            return
        new, joint = self.process.slices.take(rows, index), self.process.joint.of(rows)
        good = lasting(new, joint, LEVEL, ISO_5817, FIT_UP)[:, 0]
        good &= lasting(new, joint, YARD_LEVEL, SHIPYARD, FIT_UP)[:, 0]
        n = self.process.n
        uneven = np.abs(new["leg_1_mm"] - new["leg_2_mm"])[:, 0].astype(np.float64)
        self.new_mm[...] = np.bincount(rows, minlength=n)
        self.sound_mm[...] = np.bincount(rows, good.astype(np.float64), n)
        self.uneven_mm[...] = np.bincount(rows, uneven, n) / np.maximum(self.new_mm, 1.0)
        self.good_mm += self.sound_mm

    def lost(self) -> NDArray[np.bool_]:
        """Rows (n,) whose arc has become too long to burn, or whose wire has run into the pool for good."""
        burning = (self.process.inputs["arc_on"] > 0.5) & (self.process.time_s - self._struck_s > 0.25)
        out: NDArray[np.bool_] = burning & self.weld.lost()
        return out

    # -- inspection -------------------------------------------------------------------------------------------

    def finish(self, rows: RowIndex, seam: NDArray[np.int64]) -> None:
        """Put out the arcs of `rows` at the ends of `seam` (k,), craters filled, and inspect what they have welded."""
        self.process.finish(rows)
        for which in range(len(SEAMS)):
            done = rows[seam == which]
            if done.size:
                self._inspect(done, which)

    def _inspect(self, rows: RowIndex, seam: int) -> None:
        """Whole welds by both standards; a corner wrap is part of its weld."""
        first, count = FIRST[seam] + START_MM, self._judged[rows, seam].astype(np.intp) - START_MM
        joint = self._joint(rows, seam)
        width = int(count.max())
        at = np.arange(width)
        values = self.process.slices.values[rows, first : first + width]
        slices = {name: values[:, :, k] for name, k in COLUMN.items()}
        # seams of other lengths are filled up with their own best millimetre, which changes no grade of theirs
        beyond = at >= count[:, None]
        if beyond.any():
            graded = grade(slices, joint, ISO_5817, FIT_UP) + grade(slices, joint, SHIPYARD, FIT_UP)
            best = np.argmax(np.where(beyond, -1, graded), axis=1)
            pick = np.where(beyond, best[:, None], at)
            values = np.take_along_axis(values, pick[:, :, None], axis=1)
            slices = {name: values[:, :, k] for name, k in COLUMN.items()}
        size = self.process.slices.slice_mm
        good = grade_welds(slices, joint, size, ISO_5817, FIT_UP) >= ISO_5817.grade(LEVEL)
        good &= grade_welds(slices, joint, size, SHIPYARD, FIT_UP) >= SHIPYARD.grade(YARD_LEVEL)
        self.complete[rows, seam] = True
        if seam == AROUND:
            begin, end = wrap_span(self._thickness[rows])
            place = at + START_MM
            wrap = (place >= begin[:, None]) & (place < end[:, None])
            least = np.minimum(slices["leg_1_mm"], slices["leg_2_mm"])
            self.corner_leg_mm[rows] = np.min(np.where(wrap, least, np.inf), axis=1)
            good &= self.corner_leg_mm[rows] >= 0.9 * NOMINAL_LEG_MM
        self.accepted[rows, seam] = good

    def inspected(self, row: int) -> Mapping[str, Stretch]:
        """What of one row's seams is inspected, by their names."""
        out = {}
        for seam, name in enumerate(SEAMS):
            joint = self._joint(self._row, seam)
            end = float(FIRST[seam] + self._judged[row, seam])
            out[name] = Stretch(self.process.slices, joint, row, float(FIRST[seam] + START_MM), end)
        return out

    def _joint(self, rows: RowIndex, seam: int) -> Joint:
        joint = self.process.joint.of(rows)
        joint.thickness_mm[:] = self.thickness(rows, np.full(rows.size, seam))
        return joint
