"""WeldMultipass: beads planned one by one into a V-groove."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.cells.weld_bench import CAMERAS, part_place, weld_bench
from ...assets.parts.weldments_bead import ROOM_C, butt_bead, draw_bead
from ...errors import ShopfloorError
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Task, Timing
from . import groove
from .inspection import FIT_UP, grade_welds
from .iso5817 import ISO_5817
from .joint import BUTT, make_joint
from .multipass_expert import MultipassExpert
from .multipass_plan import BeadPlan
from .multipass_terms import PROFILE_MM, channels, start_terms
from .multipass_weld import MOST_BEADS, SEAM_MM, GrooveWeld

INTERPASS_LIMIT_C = 250.0
T85_LIMITS_S = (4.0, 25.0)
OVERFILLED_MM = 8.0  # of metal over the plate, after which nobody goes on
DRAWN_M = 0.200  # length of the part in a picture


class WeldMultipass(Task):
    """A welder plans the beads that fill a V-groove between thick plates, one decision a bead.

    The groove has a root gap over a ceramic backing, a root face and an included angle, which differ from joint to
    joint. Before each bead a laser line scans the section. The policy says where the next bead goes, with which wire
    feed, travel speed and weave, and to which temperature the weld must have cooled before. The bead runs to a level
    over the width that its arc fuses, and fuses what it covers to the depth that its current, speed and weave give.
    Steep flanks of bevels and beads are hard to fuse; a shallow fault is remelted by the next bead, a deep one stays.

    A slow bead fills more and heats more: t8/5 after EN 1011-2 leaves its window, and the next bead has to wait. Many
    small beads take long. When the groove is full to the surface of the plates, the section is inspected after ISO
    5817: lack of fusion, root, cap and underfill, undercut, toes.

    A step is a bead, however long it takes: `control_hz` and the time limit count beads as seconds. The time that beads
    and waiting take is the metric `weld_time`.

    Args:
        thickness_mm: of the plates, 10 to 25.
        quality_level: "B", "C" or "D" of ISO 5817, which the weld has to reach.
    """

    title: ClassVar[str] = "beads planned one by one into a V-groove on backing: fusion, cooling time, cap and time"
    timing = Timing(control_hz=1.0, timestep_s=1.0, horizon_s=float(MOST_BEADS))
    main_metric = "weld_time"
    failure_texts = {
        "overfilled": f"more than {OVERFILLED_MM:g} mm of metal stand over the plates and the groove is not full",
        "rejected": "the groove is full and the weld is not accepted",
    }
    cameras = CAMERAS
    picture_steps = 7
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    references: ClassVar[tuple[str, ...]] = (
        "ISO 5817:2014, ISO 6520-1: imperfections in fusion-welded joints and their quality levels",
        "EN 1011-2:2001, annex D: cooling times; ISO 13916: interpass temperature",
        "ISO 9692-1: joint preparation; V-groove on backing",
        "Rosenthal, The theory of moving sources of heat, Trans. ASME 68, 1946",
    )
    process_state = ("section", "bead_energy", "clock_s")
    randomization = "weld_multipass"
    rewards = {
        "fill": Reward(5.0, "share of the groove's area that the bead fills"),
        "fusion": Reward(-1.0, "length by which the longest interface that is not fused has grown, over 5 mm"),
        "heat": Reward(-0.3, "1 if cooling time or interpass temperature of the bead are outside of their window"),
        "time": Reward(-0.5, "time of the bead with its waiting, over 1000 s"),
        "failure": Reward(-3.0, "share of the groove that is empty when the episode fails"),
        "success": Reward(5.0, "1 at the step in which the weld is complete and accepted"),
    }
    metrics = {
        "weld_time": Metric("s", "lower", f"beads of {SEAM_MM:g} mm, waiting and changes until complete; NaN if not"),
        "bead_count": Metric("1", "lower", "number of beads"),
        "quality_level": Metric("1", "higher", "of the weld: 3 is B, 2 is C, 1 is D, 0 rejected or incomplete"),
        "unfused": Metric("mm", "lower", "length of the longest interface that is not fused"),
        "root": Metric("mm", "lower", "root face that is not fused"),
        "cap_height": Metric("mm", "lower", "greatest height over the plate"),
        "underfill": Metric("mm", "lower", "depth by which the face falls short of the plate"),
        "hottest_interpass": Metric("degC", "lower", "highest temperature before a bead"),
        "longest_t85": Metric("s", "lower", "longest cooling time t8/5"),
        "shortest_t85": Metric("s", "higher", "shortest cooling time t8/5"),
    }

    def __init__(self, thickness_mm: float = 16.0, quality_level: str = "C"):
        if not 10.0 <= thickness_mm <= 25.0:
            raise ShopfloorError(f"thickness_mm must be 10 to 25, got {thickness_mm!r}")
        if quality_level not in ISO_5817.levels:
            raise ShopfloorError(f"quality_level must be one of {', '.join(ISO_5817.levels)}, got {quality_level!r}")
        self.thickness_mm = float(thickness_mm)
        self.quality_level = quality_level
        self.start = start_terms()
        self.channels = channels(self.thickness_mm)
        self._needed = ISO_5817.grade(quality_level)
        low, high = T85_LIMITS_S
        self.success_text = (
            f"the groove is full, inspection grades the section ISO 5817-{quality_level} or better, every bead cooled "
            f"with t8/5 of {low:g} to {high:g} s, and none began above {INTERPASS_LIMIT_C:g} degC"
        )

    # -- declaration ------------------------------------------------------------------------------------------

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """A welding carriage over two plates with a V-groove."""
        return weld_bench(
            joint="groove", thickness=1e-3 * self.thickness_mm, length=DRAWN_M, timestep=self.timing.timestep_s,
            visual=visual,
        )  # fmt: skip

    def make_action(self) -> BeadPlan:
        """Place, feed, speed, weave and interpass temperature of the next bead."""
        return BeadPlan(round(2.0 + 0.55 * self.thickness_mm, 1))

    def expert(self) -> MultipassExpert:
        """Layers by the area that is left."""
        return MultipassExpert(self.thickness_mm)

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Build the welds of all rows."""
        self.weld = GrooveWeld(s, self.thickness_mm)
        s.layer = self.weld
        self._joint = make_joint(s.n, BUTT, self.thickness_mm, backed=True)
        self._scanned = np.round((PROFILE_MM + groove.HALF_MM) / groove.PITCH_MM).astype(np.intp)
        for name in (
            "filled", "filled_step", "unfused", "unfused_step", "complete", "grade", "weld_time", "width_mm",
            "reinforcement_mm", "underfill_mm", "toe_angle_deg",
        ):  # fmt: skip
            s.new(name)

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """An empty groove."""
        self.weld.begin(s, rows, params)
        for name in ("filled", "filled_step", "unfused", "unfused_step", "complete", "grade"):
            getattr(s, name)[rows] = 0.0
        s.weld_time[rows] = np.nan

    def measure(self, s: Rows) -> None:
        """The face as it is now."""
        for name, values in groove.cap(self.weld.height, self.thickness_mm, s.half_opening).items():
            getattr(s, name)[...] = values

    def accumulate(self, s: Rows) -> None:
        """What the bead has filled and left unfused, and the inspection of what is complete."""
        weld = self.weld
        filled = groove.area_below(weld.height, weld.empty, self.thickness_mm) / s.groove_area
        s.filled_step[...] = filled - s.filled
        s.filled[...] = filled
        unfused = groove.unfused_mm(weld.interface)
        s.unfused_step[...] = np.maximum(unfused - s.unfused, 0.0)
        s.unfused[...] = unfused
        done = np.flatnonzero((s.underfill_mm <= 0.0) & (s.complete == 0.0) & (s.beads > 0.0))
        if done.size:
            s.complete[done] = 1.0
            s.weld_time[done] = s.clock_s[done]
            s.grade[done] = grade_welds(self._section(s, done), self._joint.of(done), SEAM_MM, ISO_5817, FIT_UP)

    def _section(self, s: Rows, rows: RowIndex) -> dict[str, Array]:
        """The section of `rows` (m,) as one slice of each weld, for inspection."""
        zero = np.zeros((rows.size, 1))
        found = {
            "width_mm": s.width_mm, "reinforcement_mm": s.reinforcement_mm, "underfill_mm": s.underfill_mm,
            "toe_angle_deg": s.toe_angle_deg, "lack_of_fusion_mm": s.unfused, "undercut_mm": s.undercut_mm,
            "incomplete_root_mm": s.root_open.max(axis=1), "deposit_mm2": np.ones(s.n),
        }  # fmt: skip
        slices = {name: values[rows][:, None] for name, values in found.items()}
        nothing = ("pore_mm", "crater_mm", "overlap_mm", "burn_through_mm", "excess_root_mm", "mismatch_mm")
        return {**slices, **dict.fromkeys(nothing, zero)}

    def _heat_kept(self, s: Rows) -> NDArray[np.bool_]:
        kept: NDArray[np.bool_] = (
            (s.hottest_interpass <= INTERPASS_LIMIT_C)
            & (s.longest_t85 <= T85_LIMITS_S[1])
            & (s.shortest_t85 >= T85_LIMITS_S[0])
        )
        return kept

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """Full, accepted, and welded within the limits of heat."""
        return (s.complete > 0.0) & (s.grade >= self._needed) & self._heat_kept(s)

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """A heap of metal, and a full groove that is not accepted."""
        return {
            "overfilled": (s.reinforcement_mm > OVERFILLED_MM) & (s.complete == 0.0),
            "rejected": (s.complete > 0.0) & ~self.succeeded(s),
        }

    # -- observations, rewards and metrics ----------------------------------------------------------------------

    def observe_section(self, s: Rows) -> Array:
        """Face over the plate's surface."""
        return self.weld.height[:, self._scanned] - self.thickness_mm

    def observe_fit_up(self, s: Rows) -> Array:
        """Measured before the first bead."""
        return np.stack((s.root_gap, s.root_face, s.half_opening), axis=1)

    def observe_temperature(self, s: Rows) -> Array:
        """Pyrometer."""
        return (self.weld.temperature(s, s.clock_s) + s.pyrometer_error)[:, None]

    def reward_fill(self, s: Rows) -> Array:
        """Area of the bead below the surface."""
        return np.clip(s.filled_step, 0.0, 1.0)

    def reward_fusion(self, s: Rows) -> Array:
        """New interfaces."""
        return np.minimum(s.unfused_step / 5.0, 1.0)

    def reward_heat(self, s: Rows) -> Array:
        """Bead outside of the windows of heat."""
        low, high = T85_LIMITS_S
        return ((s.t85 < low) | (s.t85 > high) | (s.interpass > INTERPASS_LIMIT_C)).astype(np.float64)

    def reward_time(self, s: Rows) -> Array:
        """Time of the bead."""
        return np.minimum(s.bead_s / 1000.0, 1.0)

    def reward_failure(self, s: Rows) -> Array:
        """What is empty when the episode fails."""
        return self.failed(s) * np.clip(1.0 - s.filled, 0.0, 1.0)

    def metric_bead_count(self, s: Rows) -> Array:
        """Beads so far."""
        count: Array = s.beads
        return count

    def metric_quality_level(self, s: Rows) -> Array:
        """Grade of the section."""
        grades: Array = s.grade * (s.complete > 0.0)
        return grades

    def metric_root(self, s: Rows) -> Array:
        """Worse side."""
        worst: Array = s.root_open.max(axis=1)
        return worst

    def metric_cap_height(self, s: Rows) -> Array:
        """Over the plate."""
        height: Array = s.reinforcement_mm
        return height

    def metric_underfill(self, s: Rows) -> Array:
        """Below the plate."""
        depth: Array = s.underfill_mm
        return depth

    def overlay(self, s: Rows, row: int) -> Overlay:
        """The beads, from end to end of the part."""
        overlay = Overlay()
        part = part_place("groove", 1e-3 * self.thickness_mm, DRAWN_M)
        y = np.arange(-0.5 * DRAWN_M, 0.5 * DRAWN_M, 2.5e-3)
        one = np.ones((y.size, 1))
        for k in range(int(s.beads[row])):
            middle, half, top = self.weld.place[row, min(k, MOST_BEADS - 1)]
            # the part's y is across, to the left of the weld, which runs along the world's y
            at = part + np.stack((np.full(y.size, -1e-3 * middle), y, np.full(y.size, 1e-3 * top)), axis=1)
            at[:, 2] -= 1e-3
            bead = butt_bead(
                at, one * np.array([0.0, 1.0, 0.0]), one * np.array([0.0, 0.0, 1.0]), 1.6e-3 * half, 1.2e-3, ROOM_C
            )
            overlay.drawings.append(lambda scene, bead=bead: draw_bead(scene, bead))  # type: ignore[misc]
        return overlay
