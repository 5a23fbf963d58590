"""The weld that grows as a torch follows a seam: from where the wire is to what the process is told.

Couples `WeldProcess` to rows of an environment. The task says each control step where the wire's axis is in the section
of the true seam; distances between control steps are interpolated at the process's 1 ms, so that a weave reaches the
arc as it is swung.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..engine.task import Rows
from .arc import SUBSTEP_S, feed_for, source_voltage
from .consumables import M21, Gas, Wire, solid_wire
from .inspection import Stretch
from .joint import make_joint
from .process import WeldProcess
from .work_surface import rise_mm

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

LONGEST_ARC_MM = 10.0  # beyond this an arc of 20 to 30 V has gone out
STUBBED_MM = -0.8  # mean arc length below which the wire buckles or freezes in


@dataclass(frozen=True)
class Procedure:
    """Set-points of a welding procedure specification.

    Attributes:
        current_a, voltage_v: between contact tip and work, at the nominal distance.
        travel_mm_s: nominal.
        ctwd_mm: contact tip to work.
        wire: electrode.
        gas: shielding.
        throat_mm: that the drawing asks for.
    """

    current_a: float
    voltage_v: float
    travel_mm_s: float
    ctwd_mm: float
    throat_mm: float
    wire: Wire = solid_wire(1.2)
    gas: Gas = M21


class SeamWeld:
    """The weld of every row of an environment along its seam.

    Args:
        s: rows; all arrays of the process are registered there, as `process_...`.
        kind: "fillet" or "lap".
        thickness_mm: of the thinner plate.
        length_mm: of the seam that counts.
        procedure: nominal set-points.
        edge_mm: height of a lap joint's edge.
        roll_deg: turn of the joint about the seam, 45 horizontal (PB).

    Attributes:
        process: the weld.
        surface: arguments of `rise_mm` that rows may change, name -> (n,).
    """

    def __init__(
        self, s: Rows, kind: str, thickness_mm: float, length_mm: float, procedure: Procedure,
        edge_mm: float = np.inf, roll_deg: float = 45.0,
    ):  # fmt: skip
        self.procedure = procedure
        self.roll_deg = roll_deg
        self.substeps = round(s.timing.control_dt / SUBSTEP_S)
        joint = make_joint(s.n, kind, thickness_mm, procedure.throat_mm)

        def new(name: str, shape: tuple[int, ...] = (), dtype: Any = np.float64, fill: float = 0) -> Any:
            return s.new(f"process_{name}", shape, dtype, fill)

        self.process = WeldProcess(s.n, joint, length_mm, procedure.wire, procedure.gas, allocate=new)
        self.surface: dict[str, Array] = {
            "angle_deg": s.new("face_angle_deg", fill=90.0),
            "tilt_deg": s.new("wire_tilt_deg"),
            "tack_mm": s.new("tack_under_arc_mm"),
        }
        self._edge_mm = edge_mm
        self._before: Array = s.new("wire_before_mm", (2,))
        # the procedure on a machine whose constants are nominal; scattered rows are set alike and weld differently
        self._set(s)

    def _set(self, s: Rows) -> None:
        p, w = self.procedure, self.process.parameters
        n = s.n
        current, voltage = np.full(n, p.current_a), np.full(n, p.voltage_v)
        self.nominal_rise_mm = float(rise_mm(np.zeros(1), edge_mm=self._edge_mm)[0])
        self.feed_mm_s = float(feed_for(w, current, voltage, np.full(n, p.ctwd_mm))[0])
        self.source_v = float(source_voltage(w, voltage, current)[0])

    def begin(self, rows: RowIndex, seeds: NDArray[np.int64], lateral_mm: Array, height_mm: Array) -> None:
        """Strike the arc of `rows` with the wire at (k,) in the section of the true seam."""
        process = self.process
        process.begin(rows, seeds)
        x = process.inputs
        x["arc_on"][rows] = 1.0
        x["wire_feed_mm_s"][rows] = self.feed_mm_s
        x["voltage_v"][rows] = self.source_v
        x["roll_deg"][rows] = self.roll_deg
        self.resume(rows, lateral_mm, height_mm)

    def resume(self, rows: RowIndex, lateral_mm: Array, height_mm: Array) -> None:
        """Go on with the wire of `rows` at (k,) in the section of a seam, which it has come to through the air."""
        self._before[rows, 0], self._before[rows, 1] = lateral_mm, height_mm
        surface = {name: array[rows] for name, array in self.surface.items()}
        self.process.inputs["ctwd_mm"][rows] = self.ctwd_mm(lateral_mm, height_mm, surface)

    def ctwd_mm(self, lateral_mm: Array, height_mm: Array, surface: dict[str, Array] | None = None) -> Array:
        """Distance from contact tip to work for a TCP at (..., n) in the section; nominal where both are zero.

        The distance of a procedure is what a welder sets over the joint before there is a pool.
        """
        rise = rise_mm(lateral_mm, edge_mm=self._edge_mm, **(self.surface if surface is None else surface))
        distance = self.procedure.ctwd_mm + height_mm - rise + self.nominal_rise_mm
        return np.maximum(distance, 1.0)

    def step(
        self, s: Rows, lateral_mm: Array, height_mm: Array, travel_mm_s: Array, miss_mm: Array | None = None,
        weave_mm: ArrayLike = 0.0,
    ) -> None:  # fmt: skip
        """Weld through the control step that has just been made.

        Args:
            s: rows.
            lateral_mm, height_mm: of the TCP in the section of the true seam, now (n,).
            travel_mm_s: along the seam (n,).
            miss_mm: lateral miss of the middle of a weave (n,); without a weave it is `lateral_mm`.
            weave_mm: amplitude of the weave.
        """
        x = self.process.inputs
        x["travel_mm_s"][:] = np.maximum(travel_mm_s, 0.0)
        x["offset_mm"][:] = lateral_mm if miss_mm is None else miss_mm
        x["weave_mm"][:] = weave_mm
        share = (np.arange(1, self.substeps + 1) / self.substeps)[:, None]
        before = self._before
        across = before[:, 0] + share * (lateral_mm - before[:, 0])
        above = before[:, 1] + share * (height_mm - before[:, 1])
        course = self.ctwd_mm(across, above)
        x["ctwd_mm"][:] = course[-1]
        before[:, 0], before[:, 1] = lateral_mm, height_mm
        self.process.step(s.timing.control_dt, course)

    def inspected(self, row: int, complete: bool) -> Stretch:
        """What of one row's weld is inspected, from where its arc was struck.

        Args:
            row: which weld.
            complete: whether the wire has reached the end of the seam. Its weld is then as long as what has set behind
                the pool, wherever the arc was struck; one that was given up is short of the rest of the seam.
        """
        slices = self.process.slices
        length = slices.slice_mm * float(slices.frozen[row] if complete else slices.count)
        return Stretch(slices, self.process.joint, row, 0.0, length)

    def lost(self) -> NDArray[np.bool_]:
        """Rows (n,) whose arc has become too long to burn, or whose wire has run into the pool for good."""
        length = self.process.arc.arc_length_mm
        out: NDArray[np.bool_] = (length > LONGEST_ARC_MM) | (length < STUBBED_MM)
        return out
