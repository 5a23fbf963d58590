"""What the tasks that keep a wire on a seam have in common: cell, part, weld, judgement, pictures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.cells.weld_cell import CAMERAS, WELDERS, weld_cell
from ...assets.robots.arm import arm
from ...errors import ShopfloorError
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Task, Timing
from ..randomness import episode_key
from .fit_up import Plates
from .inspection import Stretch
from .laying import draw_weld, laid_bead, ripple_places
from .seam_part import SeamPart
from .seam_weld import Procedure, SeamWeld
from .torch_motion import CorrectionLimits, Torch
from .tracking import Tracking

LOST_MM = 8.0  # from the root, where no bead joins the plates any more


@dataclass(frozen=True)
class Tolerance:
    """How well a seam has to be followed, mm.

    Attributes:
        rms, largest: lateral, by length.
        height_rms, height_largest: along the wire.
        run_in: of seam that is not judged.
    """

    rms: float
    largest: float
    height_rms: float
    height_largest: float
    run_in: float

    @property
    def text(self) -> str:
        """In words."""
        return (
            f"seam welded to its end; lateral deviation within {self.rms:g} mm RMS and {self.largest:g} mm at most, "
            f"height within {self.height_rms:g} mm RMS and {self.height_largest:g} mm, beyond the first "
            f"{self.run_in:g} mm"
        )


FAILURES: Mapping[str, str] = {
    "collision": "torch, sensor or arm touched something",
    "arc_lost": "the arc became too long to burn, or the wire ran into the pool",
    "seam_lost": f"the wire was more than {LOST_MM:g} mm from the root",
    "out_of_tolerance": "the seam was welded to its end, but not within the tolerance",
}
METRICS: Mapping[str, Metric] = {
    "lateral_rms": Metric("mm", "lower", "RMS of the wire's lateral deviation from the root, by length"),
    "lateral_largest": Metric("mm", "lower", "largest lateral deviation"),
    "lateral_p99": Metric("mm", "lower", "lateral deviation that 99 % of the judged millimetres stay within"),
    "height_rms": Metric("mm", "lower", "RMS of the deviation along the wire"),
    "judged_length": Metric("mm", "higher", "seam welded beyond the run-in"),
    "weld_time": Metric("s", "lower", "time since the arc was struck"),
    "leg_difference": Metric("mm", "lower", "largest difference of the bead's legs so far"),
}


def rewards(fine_mm: float, height_mm: float, weight: float) -> dict[str, Reward]:
    """Rewards by the millimetre of seam; `weight` is that of the fastest step's seam, laid without error."""
    return {
        "lateral": Reward(weight, f"share of the longest step's seam, times 1 / (1 + (lateral / {fine_mm:g} mm)^2)"),
        "height": Reward(0.25 * weight, f"the same with height / {height_mm:g} mm"),
        "near": Reward(0.25 * weight, "the same with 1 - tanh(distance from the root / 3 mm)"),
        "effort": Reward(-0.001, "mean square of the correction's acceleration, relative to its limit"),
        "failure": Reward(-2.0, "1 at the step in which the episode fails"),
        "success": Reward(4.0, "1 at the step in which success is reached"),
    }


class SeamTask(Task):
    """A robot welds a seam that is not where it was taught.

    A subclass declares what is sensed and how, the procedure, the plates and the tolerance.

    Attributes:
        tolerance: that makes a success.
        length_mm: of the seam.
        procedure: set-points of the weld.
        kind: of the joint, "fillet" or "lap".
        plates: nominal dimensions.
        robot: key of `WELDERS`.
        fine_mm, height_mm: deviations at which the rewards are halved.
        fastest_mm_s: travel speed at which the reward of a step saturates.
    """

    timing: Timing
    main_metric = "lateral_rms"
    failure_texts = FAILURES
    cameras = ("work", *(name for name in CAMERAS if name != "work"))
    picture_steps = 240
    metrics = METRICS
    process_state = ("process_current_a", "process_extension_mm", "process_deposited_mm3")
    corrections: ClassVar[CorrectionLimits] = CorrectionLimits()
    tolerance: ClassVar[Tolerance]
    length_mm: ClassVar[float]
    procedure: ClassVar[Procedure]
    fine_mm: ClassVar[float]
    height_mm: ClassVar[float]
    fastest_mm_s: ClassVar[float]
    kind: str
    plates: Plates
    robot: str

    @staticmethod
    def check_argument(name: str, value: str, known: tuple[str, ...]) -> None:
        """Reject an argument that is not one of the known ones."""
        if value not in known:
            raise ShopfloorError(f"{name} must be one of {', '.join(known)}, got {value!r}")

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """Welding cell with the part on its table."""
        ctwd = 1e-3 * self.procedure.ctwd_mm
        spec = weld_cell(
            robot=self.robot, weldment=self.plates.weldment(), ctwd=ctwd, stickout=ctwd - 0.003, visual=visual
        )
        spec.option.timestep = self.timing.timestep_s
        return spec

    def torch(self) -> Torch:
        """Torch and arm, not yet bound."""
        return Torch(arm(self.robot))

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Resolve names and register the rows' arrays."""
        sim = s.sim
        self._part = SeamPart(s, self.plates)
        self._torch = self.torch()
        self._torch.bind(s)
        self._ready = self._torch.approach(np.array(WELDERS[self.robot].home), *self._part.nominal_start())
        self._tcp = sim.output("site_xpos", "site", "tcp")
        self._tcp_matrix = sim.output("site_xmat", "site", "tcp")
        self._contacts = sim.output("ncon")
        upper, base = 1e3 * self.plates.upper, 1e3 * self.plates.base
        edge = upper if self.kind == "lap" else np.inf
        self._weld = SeamWeld(s, self.kind, min(upper, base), self.length_mm, self.procedure, edge_mm=edge)
        self._tracking = Tracking(s, self.tolerance.run_in, self.length_mm - 1.0)
        for name, shape in (
            ("place_mm", ()), ("place_before_mm", ()), ("wire_mm", (2,)), ("deviation_mm", (2,)),
            ("wire_cast_mm", ()), ("drift_rate", ()), ("moved_mm", ()), ("worst_legs_mm", ()), ("restraint", ()),
        ):  # fmt: skip
            s.new(name, shape)
        s.new("touched", dtype=bool)
        self._row = np.arange(s.n)

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """The part of this episode and the arm over the beginning of its seam, which it has searched and found."""
        self._part.shape(s, rows, params)
        s.travel_set_mm_s[rows] = params["travel_speed"]
        s.wire_cast_mm[rows] = params["wire_cast"]
        s.drift_rate[rows] = 0.01 * params["heat_drift"]
        s.restraint[rows] = params["restraint"]
        s.moved_mm[rows] = 0.0
        _, lateral, height = self._torch.path.locate(self._part.line.at(np.zeros(s.n))[rows], rows)
        s.correction_mm[rows, 0] = lateral + params["start_error"][:, 0]
        s.correction_mm[rows, 1] = height + params["start_error"][:, 1]
        self._torch.place(s, rows, self._ready)

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """Strike the arc."""
        lateral, height = s.wire_mm[rows].T
        self._weld.begin(rows, episode_key(s.seed[rows], s.episode[rows]), lateral, height)
        self._weld.process.inputs["restraint"][rows] = s.restraint[rows]
        s.place_before_mm[rows] = s.place_mm[rows]
        s.worst_legs_mm[rows] = 0.0
        self._tracking.begin(rows, s.place_mm[rows])

    def measure(self, s: Rows) -> None:
        """Where the wire is on the true seam, and by how much the bead misses it."""
        place, lateral, height = self._part.line.locate(self._tcp)
        s.place_mm[...] = place
        s.wire_mm[:, 0] = lateral + s.wire_cast_mm
        s.wire_mm[:, 1] = height
        np.greater(self._contacts, 0, out=s.touched)
        self.judge(s)

    def judge(self, s: Rows) -> None:
        """Write `deviation_mm`, what the seam is judged by: of a stringer bead that of the wire."""
        s.deviation_mm[...] = s.wire_mm

    def accumulate(self, s: Rows) -> None:
        """Weld, judge, let the plates move, sense."""
        advance = s.place_mm - s.place_before_mm
        s.place_before_mm[...] = s.place_mm
        weld, process = self._weld, self._weld.process
        weld.surface["tack_mm"][...] = self._part.tack_mm(s.place_mm)
        process.inputs["gap_mm"][...] = self._part.gap_mm(s.place_mm)
        self.deposit(s, advance / s.timing.control_dt)
        self._tracking.add(s.place_mm, s.deviation_mm[:, 0], s.deviation_mm[:, 1])
        newest = np.maximum(process.slices.frozen - 1, 0)
        legs = process.slices["leg_1_mm"][self._row, newest] - process.slices["leg_2_mm"][self._row, newest]
        np.maximum(s.worst_legs_mm, np.abs(legs), out=s.worst_legs_mm)
        # heat moves the seam away from the standing plate, which leans over the bead
        s.moved_mm[...] = process.drift_mm + s.drift_rate * process.travelled_mm
        self._part.drift(s, s.moved_mm)
        self.sense(s)
        # what is told of this step is told of the part as it lies now, as it would be of a restored state
        self.measure(s)

    def deposit(self, s: Rows, travel_mm_s: Array) -> None:
        """Weld through the control step."""
        self._weld.step(s, s.wire_mm[:, 0], s.wire_mm[:, 1], travel_mm_s)

    @abstractmethod
    def sense(self, s: Rows) -> None:
        """Take the readings of this control step that have a history."""

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """At the end of the seam, in tolerance."""
        t, allowed = self._tracking, self.tolerance
        inside = (t.rms_mm(0) <= allowed.rms) & (t.largest_mm(0) <= allowed.largest)
        inside &= (t.rms_mm(1) <= allowed.height_rms) & (t.largest_mm(1) <= allowed.height_largest)
        out: NDArray[np.bool_] = t.complete & inside & ~(s.touched | self._weld.lost() | self._away(s))
        return out

    def _away(self, s: Rows) -> NDArray[np.bool_]:
        out: NDArray[np.bool_] = np.maximum(np.abs(s.wire_mm[:, 0]), np.abs(s.wire_mm[:, 1])) > LOST_MM
        return out

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """What no seam comes back from, and a seam that is finished but bad."""
        return {
            "collision": s.touched.copy(),
            "arc_lost": self._weld.lost(),
            "seam_lost": self._away(s),
            "out_of_tolerance": self._tracking.complete & ~self.succeeded(s),
        }

    def violations(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Outside the tolerated band now."""
        return {"deviation": np.abs(s.deviation_mm[:, 0]) > self.tolerance.largest}

    # -- observations, rewards, metrics that are alike --------------------------------------------------------

    def observe_correction(self, s: Rows) -> Array:
        """Torch from the taught path."""
        out: Array = s.correction_mm
        return out

    def observe_correction_rate(self, s: Rows) -> Array:
        """Speed of the correction."""
        out: Array = s.correction_rate_mm_s
        return out

    def observe_travel_speed(self, s: Rows) -> Array:
        """Commanded speed."""
        return s.travel_mm_s[:, None]

    def observe_remaining(self, s: Rows) -> Array:
        """Taught path that is left."""
        return self.length_mm - s.taught_mm[:, None]

    def observe_deviation(self, s: Rows) -> Array:
        """What the seam is judged by."""
        out: Array = s.deviation_mm
        return out

    def observe_drift(self, s: Rows) -> Array:
        """Motion of the part so far."""
        return s.moved_mm[:, None]

    def _share(self, s: Rows) -> Array:
        """Seam welded in this step as a share of the most that a step can weld; lag and its end are in the 1.2."""
        return np.minimum(self._tracking.step_mm / (1.2 * self.fastest_mm_s * s.timing.control_dt), 1.0)

    def reward_lateral(self, s: Rows) -> Array:
        """Fine lateral tracking by the millimetre."""
        share = s.deviation_mm[:, 0] / self.fine_mm
        return self._share(s) / (1.0 + share * share)

    def reward_height(self, s: Rows) -> Array:
        """Height by the millimetre."""
        share = s.deviation_mm[:, 1] / self.height_mm
        return self._share(s) / (1.0 + share * share)

    def reward_near(self, s: Rows) -> Array:
        """Coarse tracking by the millimetre."""
        d = s.deviation_mm
        distance = np.sqrt(d[:, 0] * d[:, 0] + d[:, 1] * d[:, 1])
        return self._share(s) * (1.0 - np.tanh(distance / 3.0))

    def reward_effort(self, s: Rows) -> Array:
        """Accelerations of the corrections."""
        a = s.correction_acceleration / self.corrections.acceleration_mm_s2
        return np.minimum(0.5 * (a[:, 0] * a[:, 0] + a[:, 1] * a[:, 1]), 1.0)

    def metric_lateral_rms(self, s: Rows) -> Array:
        """RMS by length."""
        return self._tracking.rms_mm(0)

    def metric_lateral_largest(self, s: Rows) -> Array:
        """Largest."""
        return self._tracking.largest_mm(0)

    def metric_lateral_p99(self, s: Rows) -> Array:
        """Of the miss of each frozen slice beyond the run-in; NaN before there is one."""
        slices = self._weld.process.slices
        first = int(np.ceil(self.tolerance.run_in / slices.slice_mm))
        judged = np.arange(first, slices.count) < slices.frozen[:, None]
        miss = np.sort(np.where(judged, np.abs(slices["offset_mm"][:, first:]), np.inf), axis=1)
        count = np.sum(judged, axis=1)
        index = np.maximum(np.ceil(0.99 * count).astype(np.intp) - 1, 0)
        return np.where(count > 0, miss[self._row, index].astype(np.float64), np.nan)

    def metric_height_rms(self, s: Rows) -> Array:
        """RMS by length."""
        return self._tracking.rms_mm(1)

    def metric_judged_length(self, s: Rows) -> Array:
        """Seam that has been judged."""
        return self._tracking.judged_mm

    def metric_weld_time(self, s: Rows) -> Array:
        """Time of the weld."""
        out: Array = s.time_s
        return out

    def metric_leg_difference(self, s: Rows) -> Array:
        """Worst slice so far."""
        out: Array = s.worst_legs_mm
        return out

    def inspected(self, row: int) -> Mapping[str, Stretch]:
        """What of one row's weld is inspected, from where its arc was struck."""
        return {"seam": self._weld.inspected(row, bool(self._tracking.complete[row]))}

    def overlay(self, s: Rows, row: int) -> Overlay:
        """The bead and the arc."""
        overlay = Overlay()
        process = self._weld.process
        laid = ripple_places(float(process.slices.frozen[row]) * process.slices.slice_mm)
        if laid.size:
            bead = laid_bead(process, row, laid, self._part.frames(row, laid))
            wire = self._tcp_matrix[row].reshape(3, 3)[:, 2].copy()
            draw_weld(overlay, bead, self._tcp[row].copy(), wire, bool(process.inputs["arc_on"][row] > 0.5))
        return overlay
