"""WeldGapFill: feed, speed, voltage and weave against a gap that varies along the seam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.cells import weld_cell
from ...assets.cells.weld_bench import CAMERAS, weld_bench
from ...errors import ShopfloorError
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Task, Timing
from .gap_fill_bench import Bench
from .gap_fill_drawing import weld_drawing
from .gap_fill_expert import GapFillExpert
from .gap_fill_oracle import GapFillOracle
from .gap_fill_robot import TIMESTEP_S, RobotBench, robot_cell
from .gap_fill_table import qualify
from .gap_fill_terms import BEHIND_MM, channels, start_terms
from .gap_fill_work import TRAVEL_MM_S, TRIM_V, WEAVE_MM, make_work
from .inspection import FIT_UP, Stretch, grade_welds, lasting
from .iso5817 import ISO_5817
from .joint import BUTT
from .set_points import WeldSetPoints
from .slices import COLUMN

SEAM_MM = 200.0
ARC_OUT_A, ARC_OUT_S = 20.0, 0.5  # an arc that draws less after this time has gone out
MOST_NEW_SLICES = 2.0  # that a control step freezes at the highest speed


class WeldGapFill(Task):
    """A welding machine fills a seam whose gap varies, so that inspection accepts the whole weld.

    Two plates have been tacked together badly: the gap between them wanders, opens from end to end and jumps at a nick
    of the edge. A laser line 40 mm ahead of the torch reads it. The policy sets wire feed, travel speed, voltage trim
    and weave ten times a second. More metal fills a wide gap and overfills a narrow one; more feed takes more current,
    which digs deeper, and burns through where the gap is wide; a slow arc heats the plate and lets metal run ahead.

    What the table of a procedure cannot know differs from machine to machine: how much metal arrives, how the gap
    sensor is set up, how far the contact tip is from the work, how the arc is aimed. Current, voltage and the profile
    of the bead that a second laser line measures behind the arc tell of it.

    The process is that of `WeldProcess`: arc on a constant-voltage source at 1 ms, deposition, penetration, the bead
    slice by slice. When the weld is complete it is inspected after ISO 5817, by length, imperfections of the fit-up
    left out (the standard lets a larger throat make up for a gap).

    Reward is taken for every millimetre of weld that is not good, and goes by length, not by time: a good millimetre
    is worth the same whenever it is welded. Were it paid for good ones, a critic that misjudges a little what the rest
    of the seam is worth would find speed in every step; and so would a discount for each step. Train without one.

    Without a robot the torch is on a carriage that does what it is told, and nothing but the process is computed. With
    one, an arm of the welding cell leads it along a taught path, over a part that does not lie quite as it was taught:
    distance and aim come from where the arm has brought the torch, and wander along the seam. A collision ends the
    episode. Actions and observations are the same. The weave is that of the process, and the plates of the cell gape
    alike everywhere: what the arc meets is in the tables of the seam.

    Args:
        joint: "fillet" for a T-fillet in horizontal position, "lap" or "butt" for sheet in flat position.
        thickness_mm: of the plates, 6 for a fillet and 3.2 for the others by default.
        wire_mm: diameter of the solid wire, 1.2 for a fillet and 1.0 for the others by default.
        gas: "co2" or "mix" (argon with 18 % CO2).
        quality_level: "B", "C" or "D" of ISO 5817, which the whole weld has to reach.
        robot: a robot of the welding cell, "ar1440" or "arcmate100id", that carries the torch; None for a carriage.
    """

    title: ClassVar[str] = "welding machine fills a seam of varying gap to ISO 5817-C, set-points by laser preview"
    timing = Timing(control_hz=10.0, timestep_s=0.1, horizon_s=90.0)
    main_metric = "weld_time"
    failure_texts = {
        "burn_through": "metal falls through the joint",
        "arc_out": f"the arc draws less than {ARC_OUT_A:g} A",
        "rejected": "the weld is complete and inspection grades it below the required level",
    }
    cameras: tuple[str, ...] = CAMERAS
    picture_steps = 250
    pictured: ClassVar[Mapping[str, Mapping[str, Any]]] = {"robot": {"robot": "arcmate100id"}}
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    references: ClassVar[tuple[str, ...]] = (
        "ISO 5817:2014, ISO 6520-1: imperfections in fusion-welded joints and their quality levels",
        "EN 1011-1, EN 1011-2: heat input and cooling times",
        "Norrish, Advanced Welding Processes, 2006: burn-off of solid wires",
        "Moore, Naidu, Ozcelik, Modeling, Sensing and Control of Gas Metal Arc Welding, 2003",
        "Kaneko et al., ICRA 2023: rewards and discounts by weld length where speed is an action",
    )
    process_state = ("current_a", "extension_mm", "deposited_mm3")
    randomization = "weld_gap_fill"
    rewards = {
        "spoiled": Reward(
            -0.1, f"new millimetres that do not keep the required level at any length, over {MOST_NEW_SLICES:g}"
        ),
        "time": Reward(-0.001, "1 each step"),
        "failure": Reward(-10.0, "share of the seam that is not welded when the episode fails"),
        "success": Reward(3.0, "1 at the step in which the weld is complete and accepted"),
    }  # fmt: skip
    metrics = {
        "weld_time": Metric("s", "lower", "arc time of the seam; NaN if it is not complete"),
        "accepted_share": Metric(
            "1", "higher", "share of the seam whose millimetres keep the required level at any length"
        ),
        "quality_level": Metric("1", "higher", "of the whole weld: 3 is B, 2 is C, 1 is D, 0 rejected or incomplete"),
        "least_throat": Metric("mm", "higher", "smallest throat, or filled thickness of a butt weld"),
        "largest_gap": Metric("mm", "lower", "largest gap that has been welded over"),
        "heat_input": Metric("kJ/mm", "lower", "mean heat input after EN 1011-1"),
        "cooling_time": Metric("s", "lower", "longest t8/5 after EN 1011-2"),
        "metal": Metric("g/m", "lower", "deposited metal per length"),
    }

    def __init__(
        self,
        joint: str = "fillet",
        thickness_mm: float | None = None,
        wire_mm: float | None = None,
        gas: str = "co2",
        quality_level: str = "C",
        robot: str | None = None,
    ):
        if robot is not None and robot not in weld_cell.WELDERS:
            raise ShopfloorError(f"robot must be None or one of {', '.join(weld_cell.WELDERS)}, got {robot!r}")
        if quality_level not in ISO_5817.levels:
            raise ShopfloorError(f"quality_level must be one of {', '.join(ISO_5817.levels)}, got {quality_level!r}")
        self.work = make_work(joint, thickness_mm, wire_mm, gas)
        self.quality_level = quality_level
        self.robot = robot
        self.start = start_terms(robot is not None)
        if robot is not None:
            self.timing = replace(self.timing, timestep_s=TIMESTEP_S)
            self.cameras = ("seam", *(name for name in weld_cell.CAMERAS if name != "seam"))
            self.failure_texts = {**self.failure_texts, "collision": "torch, arm or cable touched something"}
        self.channels = channels(self.work, SEAM_MM)
        self.success_text = f"the whole seam is welded and inspection grades it ISO 5817-{quality_level} or better"
        self._needed = ISO_5817.grade(quality_level)

    # -- declaration ------------------------------------------------------------------------------------------

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """A welding carriage on its track beside the joint, or the welding cell of a robot."""
        if self.robot is not None:
            return robot_cell(self.work, self.robot, SEAM_MM, visual)
        return weld_bench(
            joint=self.work.kind, thickness=1e-3 * self.work.thickness_mm, length=1e-3 * SEAM_MM,
            timestep=self.timing.timestep_s, visual=visual,
        )  # fmt: skip

    def make_action(self) -> WeldSetPoints:
        """Wire feed, travel speed, voltage trim and weave."""
        feed = self.work.feed_m_min
        return WeldSetPoints((feed[0], TRAVEL_MM_S[0], -TRIM_V, 0.0), (feed[1], TRAVEL_MM_S[1], TRIM_V, WEAVE_MM))

    def expert(self) -> GapFillExpert:
        """The procedure's table over the gap."""
        return GapFillExpert(qualify(self.work, self.quality_level))

    def oracle(self) -> GapFillOracle:
        """A table that was qualified on the machine at hand."""
        return GapFillOracle(self.quality_level)

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Build the welding of all rows and what adds up over a weld."""
        robot = self.robot
        self.bench = Bench(s, self.work, SEAM_MM) if robot is None else RobotBench(s, self.work, SEAM_MM, robot)
        s.welder = self.bench
        self._first_slice = np.arange(s.n) * self.bench.process.slices.count
        for name in (
            "spoiled_mm", "accepted_mm", "throat_now", "least_throat", "largest_gap", "heat_sum", "metal_sum",
            "cooling_time", "weld_time", "complete", "grade", "hole",
        ):  # fmt: skip
            s.new(name)

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """New plates, the machine of this episode, and nothing welded."""
        self.bench.begin(s, rows, params)
        for name in (
            "spoiled_mm", "accepted_mm", "throat_now", "largest_gap", "heat_sum", "metal_sum", "cooling_time",
            "complete", "grade", "hole",
        ):  # fmt: skip
            getattr(s, name)[rows] = 0.0
        s.least_throat[rows] = 1e3
        s.weld_time[rows] = np.nan

    def measure(self, s: Rows) -> None:
        """Nothing beyond what the process keeps: all of it is about the step, not its end."""

    def accumulate(self, s: Rows) -> None:
        """Grade what was frozen, and inspect the welds that are complete."""
        process = self.bench.process
        rows, index = process.new_slices()
        s.spoiled_mm[...] = 0.0
        if rows.size:
            self._add(s, rows, index)
        count = process.slices.count
        done = np.flatnonzero((process.slices.frozen >= count) & (s.complete == 0.0))
        if done.size:
            s.complete[done] = 1.0
            s.weld_time[done] = s.time_s[done]
            slices = {name: process.slices.values[done, :, k] for name, k in COLUMN.items()}
            s.grade[done] = grade_welds(slices, process.joint.of(done), process.slices.slice_mm, ISO_5817, FIT_UP)

    def _add(self, s: Rows, rows: RowIndex, index: RowIndex) -> None:
        """Account for new slices (m,); a row may have several."""
        process = self.bench.process
        new = process.slices.take(rows, index)
        good = lasting(new, process.joint.of(rows), self.quality_level, ISO_5817, FIT_UP)[:, 0]
        last = {name: new[name][:, 0].astype(np.float64) for name in _FIGURES}
        n = s.n

        def total(values: Array) -> Array:
            sums: Array = np.bincount(rows, values, n).astype(np.float64)
            return sums

        s.spoiled_mm[...] = total((~good).astype(np.float64))
        s.accepted_mm += total(good.astype(np.float64))
        s.heat_sum += total(last["heat_kj_mm"])
        s.metal_sum += total(last["deposit_mm2"])
        s.throat_now[rows] = last["throat_mm"]  # the later of two slices of a row stays
        np.minimum.at(s.least_throat, rows, last["throat_mm"])
        np.maximum.at(s.largest_gap, rows, last["gap_mm"])
        np.maximum.at(s.cooling_time, rows, last["t85_s"])
        np.maximum.at(s.hole, rows, last["burn_through_mm"])

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """The weld is complete and accepted."""
        return (s.complete > 0.0) & (s.grade >= self._needed)

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Holes, a lost arc, and a complete weld that is not accepted."""
        return {
            "burn_through": s.hole > 0.0,
            "arc_out": (s.time_s > ARC_OUT_S) & (self.bench.process.arc.mean_current_a < ARC_OUT_A),
            "rejected": (s.complete > 0.0) & (s.grade < self._needed),
            **({} if self.robot is None else {"collision": self.bench.touched(s)}),
        }

    # -- observations -----------------------------------------------------------------------------------------

    def observe_gap_ahead(self, s: Rows) -> Array:
        """Gap by place as the controller has it."""
        return self.bench.fit_up.ahead(self.bench.process.travelled_mm)

    def observe_wire_feed(self, s: Rows) -> Array:
        """Feed of the drive rolls."""
        feed: Array = s.in_force[:, 0:1]
        return feed

    def observe_travel_speed(self, s: Rows) -> Array:
        """Speed in force."""
        speed: Array = s.in_force[:, 1:2]
        return speed

    def observe_voltage_trim(self, s: Rows) -> Array:
        """Trim in force."""
        trim: Array = s.in_force[:, 2:3]
        return trim

    def observe_weave(self, s: Rows) -> Array:
        """Weave in force."""
        weave: Array = s.in_force[:, 3:4]
        return weave

    def observe_current(self, s: Rows) -> Array:
        """Mean current of the last step."""
        return self.bench.process.arc.mean_current_a[:, None]

    def observe_voltage(self, s: Rows) -> Array:
        """Mean voltage of the last step."""
        return self.bench.process.arc.mean_voltage_v[:, None]

    def observe_bead_profile(self, s: Rows) -> Array:
        """Profile of the bead behind the arc, 0 where there is none."""
        slices = self.bench.process.slices
        behind = slices.frozen - round(BEHIND_MM / slices.slice_mm)
        record = (self._first_slice + np.maximum(behind, 0)) * len(COLUMN)
        flat = slices.values.reshape(-1)

        def column(name: str) -> Array:
            return flat.take(record + COLUMN[name]).astype(np.float64)

        if self.work.kind == BUTT:
            profile = [column("width_mm"), column("reinforcement_mm") - column("underfill_mm")]
        else:
            height = column("throat_mm") + np.maximum(column("convexity_mm"), 0.0)
            profile = [column("leg_1_mm"), column("leg_2_mm"), height]
        return np.stack(profile, axis=1) * (behind >= 0)[:, None]

    def observe_seam_position(self, s: Rows) -> Array:
        """Arc along the seam."""
        return self.bench.process.travelled_mm[:, None]

    def observe_gap_now(self, s: Rows) -> Array:
        """True gap at the arc."""
        return self.bench.fit_up.at(self.bench.process.travelled_mm)[:, None]

    def observe_accepted_share(self, s: Rows) -> Array:
        """Share of the welded length that is good."""
        share: Array = s.accepted_mm / np.maximum(self.bench.process.slices.frozen, 1)
        return share[:, None]

    # -- rewards and metrics ----------------------------------------------------------------------------------

    def reward_spoiled(self, s: Rows) -> Array:
        """New millimetres that are not good."""
        return np.minimum(s.spoiled_mm / MOST_NEW_SLICES, 1.0)

    def reward_time(self, s: Rows) -> Array:
        """Time goes by."""
        return np.ones(s.n)

    def reward_failure(self, s: Rows) -> Array:
        """What is not welded when the episode fails."""
        slices = self.bench.process.slices
        return self.failed(s) * (1.0 - slices.frozen / slices.count)

    def metric_accepted_share(self, s: Rows) -> Array:
        """Share of the whole seam."""
        share: Array = s.accepted_mm / self.bench.process.slices.count
        return share

    def metric_quality_level(self, s: Rows) -> Array:
        """Grade of the whole weld."""
        grades: Array = s.grade * (s.complete > 0.0)
        return grades

    def metric_least_throat(self, s: Rows) -> Array:
        """Smallest throat so far."""
        return np.where(self.bench.process.slices.frozen > 0, s.least_throat, np.nan)

    def metric_heat_input(self, s: Rows) -> Array:
        """Mean heat input so far."""
        frozen = self.bench.process.slices.frozen
        return np.where(frozen > 0, s.heat_sum / np.maximum(frozen, 1), np.nan)

    def metric_metal(self, s: Rows) -> Array:
        """Deposited metal so far; 7.85 g/m for each mm^2."""
        frozen = self.bench.process.slices.frozen
        return np.where(frozen > 0, 7.85 * s.metal_sum / np.maximum(frozen, 1), np.nan)

    # the metrics weld_time, largest_gap and cooling_time, and the privileged channels, are row arrays of these names

    def inspected(self, row: int) -> Mapping[str, Stretch]:
        """What of one row's weld is inspected: the whole seam has to be welded."""
        process = self.bench.process
        length = process.slices.count * process.slices.slice_mm
        return {"seam": Stretch(process.slices, process.joint, row, 0.0, length)}

    def overlay(self, s: Rows, row: int) -> Overlay:
        """The bead as far as it is laid, and the arc."""
        return weld_drawing(self.bench, row)


_FIGURES = ("throat_mm", "gap_mm", "heat_kj_mm", "deposit_mm2", "t85_s", "burn_through_mm")
