"""WeldUCell: a portable robot in a cell of a double hull welds a stiffener and a corner, without touching anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.cells.weld_u_cell import CAMERAS, NECK_DEG, ROBOT, weld_u_cell
from ...assets.robots.arm import arm
from ...assets.tools.welding_torch import NOZZLE_RADIUS, torch_geometry
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Task, Timing
from ..randomness import episode_key
from .inspection import Stretch
from .laying import draw_weld
from .u_cell_drawing import WAY_RGBA, beads, way_ahead
from .u_cell_expert import UCellExpert
from .u_cell_motion import SERVO_LAG_S, UCellMotion
from .u_cell_part import UCellPart
from .u_cell_program import DONE, ON_AROUND, ON_UP, UCellProgram, planned_lean
from .u_cell_seams import (
    AROUND,
    OVERLAP_MM,
    SECOND,
    SECOND_MM,
    UP,
    around_at,
    fillet_section,
    locate_around,
    locate_second,
    locate_up,
    overlap_mm,
)
from .u_cell_terms import AHEAD_MM, START, channels
from .u_cell_weld import LEVEL, NOMINAL_LEG_MM, PROCEDURE, UCellWeld

LOST_MM = 8.0  # from the root, where no bead joins the plates any more
OVERLAP_RANGE_MM = (10.0, 20.0)
# Length of the pool over which metal levels out along the seam, so that a jerk of the torch leaves no step in the bead.
# Pools of 250 to 300 A are 10 to 20 mm long; the metal comes down in their front half.
POOL_MM = 5.0
STEP_MM = 1.5  # millimetres that a step freezes at the most, at the highest speed
UNEVEN_MM = 1.5  # difference of the legs at which the reward is halved


class WeldUCell(Task):
    """A portable welding robot works its way through a cell of a double hull: around a stiffener, and up the corner.

    Double hulls are made of cells that are open at one side: floor, two longitudinals, transverse. A cobot on a skid is
    pushed into the opening, finds stiffener and corner by touch, and runs its program: down into the cell; from the
    scallop along one side of a flat bar, around its free end and back on the other side for a while, in one go, since
    the end of a bar is where a fatigue crack would begin; over to the scallop on the other side, and along it until the
    bead laps over the end of the first one; then to the corner of transverse and longitudinal, and vertically up it
    with a weave. Cells are 0.6 to 1.2 m wide and differ in everything else as well.

    What the robot has found is wrong by about a millimetre, and the plates gape by up to 2 mm. A gap takes metal, and
    takes the leg of the plate that stands; it asks for a slower torch that aims higher. Each position has its own
    procedure. The seam sensor sees wire and gap with noise, two tenths of a second late. The policy corrects the torch
    across, along the wire and in both angles, and sets travel speed, wire feed, voltage and weave relative to the
    procedure, ten times a second; the program, which it runs, is the controller's. The torch passes the transverse by a
    few millimetres at the scallop and the floor in the corner: who corrects it too far touches a plate.

    The weld is that of `WeldProcess`, with flux-cored wire in CO2. Every seam is inspected when it is complete: after
    ISO 5817-C, and after what yards take from IACS Recommendation 47, both without the imperfections of the fit-up. Not
    judged are the first 3 and the last 2 millimetres of a seam, where the arc is struck and its crater filled, and what
    laps over another bead. Metal levels out along a pool of 5 mm, so that a jerk of the torch leaves no step. The
    process model knows of the vertical position that the pool runs back from the arc, and nothing of metal that falls
    out of a pool too large; the procedure's feed keeps to what welders use there.

    Reward is paid by the millimetre of seam, so that a slow weld earns what a fast one does. Since the travel speed is
    an action, a discount by the step would pay for speed: train with a gamma close to 1.
    """

    title: ClassVar[str] = "portable robot welds around a stiffener and up the corner of a double-hull cell"
    timing = Timing(control_hz=10.0, timestep_s=0.005, horizon_s=90.0)
    main_metric = "cycle_time"
    success_text = (
        f"all seams welded to their ends, each accepted by inspection: ISO 5817-{LEVEL}, and IACS Rec. 47 with legs of "
        f"at least 0.9 of {NOMINAL_LEG_MM:.2g} mm over short lengths, and without exception around the corner; the "
        f"second weld laps over the first by {OVERLAP_RANGE_MM[0]:g} to {OVERLAP_RANGE_MM[1]:g} mm"
    )
    failure_texts = {
        "collision": "nozzle, torch or arm touched a plate",
        "arc_lost": "the arc became too long to burn, or the wire ran into the pool",
        "seam_lost": f"the wire was more than {LOST_MM:g} mm from the joint",
        "rejected": "a seam is complete and inspection does not accept it",
    }
    channels = channels()
    start = START
    cameras = CAMERAS
    picture_steps = 205
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    randomization: str | None = "weld_u_cell"
    process_state = ("process_current_a", "process_extension_mm", "process_deposited_mm3")
    references: ClassVar[tuple[str, ...]] = (
        "IACS Recommendation 47: Shipbuilding and Repair Quality Standard (fillet legs, root gaps)",
        "ISO 5817:2014, ISO 6520-1: imperfections in fusion-welded joints and their quality levels",
        "ISO 6947: welding positions (PB horizontal vertical, PF vertical up)",
        "OTC/DAIHEN, Welbee P400L manual: settings of flux-cored wire for horizontal fillets",
        "Kaneko et al.: Reinforcement learning for laser welding speed control, ICRA 2023 (discount by length)",
    )
    rewards = {
        "sound": Reward(
            0.06, f"new millimetres that keep the level at any length, as a share of {STEP_MM:g}, of what is inspected"
        ),
        "even": Reward(0.02, f"new millimetres, times 1 / (1 + (difference of the legs / {UNEVEN_MM:g} mm)^2)"),
        "near": Reward(0.01, "seam of this step, times 1 - tanh(distance of the wire from the joint / 3 mm)"),
        "torch": Reward(0.005, "seam of this step, times 1 / (1 + (error of the torch's angle / 5 deg)^2)"),
        "effort": Reward(-0.001, "mean square of the corrections' acceleration, relative to their limits"),
        "failure": Reward(-2.0, "1 at the step in which the episode fails"),
        "success": Reward(4.0, "1 at the step in which success is reached"),
    }
    metrics = {
        "cycle_time": Metric("s", "lower", "time since the program was started"),
        "accepted_share": Metric("1", "higher", "share of the inspected length that is welded and sound"),
        "seams_accepted": Metric("1", "higher", "seams that inspection has accepted, of three"),
        "corner_leg": Metric("mm", "higher", "smallest leg of the corner wrap; NaN before it is inspected"),
        "overlap": Metric("mm", "higher", "of the second weld over the first; NaN before it is complete"),
        "tip_rms": Metric("mm", "lower", "distance of the wire from the joint, RMS by length; the aim is in it"),
        "tip_largest": Metric("mm", "lower", "largest distance of the wire from the joint"),
        "clearance": Metric("mm", "higher", "least distance of the torch from the plates beside the seam so far"),
        "welded": Metric("mm", "higher", "length of seam that is welded"),
    }  # fmt: skip

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """The U-cell with the robot in its opening."""
        ctwd = 1e-3 * PROCEDURE.ctwd_mm
        spec = weld_u_cell(ctwd=ctwd, stickout=ctwd - 0.003, visual=visual)
        spec.option.timestep = self.timing.timestep_s
        return spec

    def make_action(self) -> UCellMotion:
        """Corrections of the torch, speed, and set-points of the arc."""
        return UCellMotion(arm(ROBOT))

    def expert(self) -> UCellExpert:
        """Program, seam sensor and table."""
        return UCellExpert()

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Resolve names and register the rows' arrays."""
        sim = s.sim
        self._motion = self.make_action()
        self._motion.prepare(s)
        self._program: UCellProgram = self._motion.program
        self._part = UCellPart(s, self._program)
        self._weld = UCellWeld(s, self._program.thickness)
        self._tcp = sim.output("site_xpos", "site", "tcp")
        self._wire = sim.output("site_xmat", "site", "tcp")
        self._contacts = sim.output("ncon")
        for name, shape in (
            ("place_mm", ()), ("place_before_mm", ()), ("deviation", (2,)), ("lateral_mm", ()), ("torch_deg", ()),
            ("true_gap", ()), ("clearance", (4,)), ("least_clearance", ()), ("seam_step_mm", ()), ("welded", ()),
            ("tip_square", ()), ("pool_mm_s", ()), ("tip_largest", ()), ("wire_cast_mm", ()),
            ("ended_mm", (2,)), ("overlap", ()),
        ):  # fmt: skip
            s.new(name, shape)
        s.new("touched", dtype=bool)
        s.new("welding", dtype=np.int64)  # segment of the program whose seam was welded in this step
        self._row = np.arange(s.n)
        g = torch_geometry(NECK_DEG, 1e-3 * PROCEDURE.ctwd_mm)
        points = np.array([g.rim - NOZZLE_RADIUS * g.axis, g.neck, g.bend - [0.0, 0.0, 0.045], [0.0, 0.0, 0.062]])
        self._points = (points - g.tcp) @ g.rotation  # of the torch, in the frame of its TCP
        self._radii = np.array([NOZZLE_RADIUS, NOZZLE_RADIUS, 0.027, 0.046])

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """The cell of this episode, and the arm at the beginning of its program."""
        self._part.shape(rows, params)
        s.wire_cast_mm[rows] = params["wire_cast"]
        self._weld.feed_factor[rows] = 1.0 + params["feed_error"]
        s.welding[rows] = 0
        self._motion.place(s, rows)

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """Nothing is welded."""
        self._weld.begin(rows, episode_key(s.seed[rows], s.episode[rows]))
        for name in ("place_before_mm", "pool_mm_s", "seam_step_mm", "welded", "tip_square", "tip_largest"):
            getattr(s, name)[rows] = 0.0
        s.ended_mm[rows] = s.overlap[rows] = np.nan
        s.least_clearance[rows] = np.min(s.clearance[rows], axis=1)

    def measure(self, s: Rows) -> None:
        """Where the wire is on the true seam, how the torch looks at it, and how far it is from the plates."""
        at = self._part.to_cell(self._tcp)
        program = self._program
        t, scallop = program.thickness, program.scallop
        around, outside = locate_around(at, t, scallop)
        second, beside = locate_second(at, t, scallop)
        rise, across, off = locate_up(at, self._part.half_width_mm)
        seam = self._seam(s)
        low = fillet_section(np.where(seam == AROUND, outside, beside), at[:, 2])
        on, vertical = s.welding % 2 == 1, seam == UP
        s.place_mm[...] = on * np.choose(seam, (around, second, rise))
        s.lateral_mm[...] = on * (np.where(vertical, across, low[0]) + s.wire_cast_mm)
        swung = vertical * self._motion.weave(s, s.time_s - SERVO_LAG_S) if "weave_mm" in s else 0.0
        s.deviation[:, 0] = s.lateral_mm - on * swung
        s.deviation[:, 1] = on * np.where(vertical, off, low[1])
        s.true_gap[...] = on * np.where(vertical, self._part.gap_mm[:, 2], self._part.bar_gap(at))
        angles = s.correction[:, 2:] if "correction" in s else np.zeros((s.n, 2))
        s.torch_deg[...] = np.degrees(np.sqrt(angles[:, 0] ** 2 + angles[:, 1] ** 2))
        self._measure_clearance(s)
        np.greater(self._contacts, 0, out=s.touched)

    def _seam(self, s: Rows) -> NDArray[np.int64]:
        """Seam (n,) that is welded, or was before the torch went through the air."""
        seam: NDArray[np.int64] = np.clip((s.welding - 1) // 2, 0, 2)
        return seam

    def _measure_clearance(self, s: Rows) -> None:
        program, turn = self._program, self._wire.reshape(s.n, 3, 3)
        c, w = np.cos(program.yaw), np.sin(program.yaw)
        s.clearance[...] = np.inf
        for point, radius in zip(self._points, self._radii, strict=True):
            at = self._tcp + turn[:, :, 0] * point[0] + turn[:, :, 1] * point[1] + turn[:, :, 2] * point[2]
            d = at - program.origin
            x, y = 1e3 * (c * d[:, 0] + w * d[:, 1]), 1e3 * (c * d[:, 1] - w * d[:, 0])
            half = program.corner[:, 1]
            gaps = np.stack((1e3 * d[:, 2], -x, half - y, half + y), axis=1) - 1e3 * radius
            np.minimum(s.clearance, gaps, out=s.clearance)

    def accumulate(self, s: Rows) -> None:
        """Weld, strike and put out arcs, inspect."""
        on, seam = s.welding % 2 == 1, self._seam(s)
        advance = on * (s.place_mm - s.place_before_mm)
        process, deviation = self._weld.process, s.deviation
        lateral, height = np.clip(s.lateral_mm, -LOST_MM, LOST_MM), np.clip(deviation[:, 1], -LOST_MM, LOST_MM)
        angles = np.degrees(s.correction[:, 2:])
        process.inputs["work_angle_deg"][:] = 45.0 - angles[:, 0]
        process.inputs["travel_angle_deg"][:] = angles[:, 1] - np.degrees(planned_lean(seam, s.place_mm))
        process.inputs["gap_mm"][:] = s.true_gap
        # where the second weld laps over the first, the arc burns on its bead
        lap = (seam == SECOND) & (s.place_mm > SECOND_MM - OVERLAP_MM)
        self._weld.weld.surface["tack_mm"][...] = lap * PROCEDURE.throat_mm
        s.seam_step_mm[...] = np.maximum(advance, 0.0)
        s.pool_mm_s += np.minimum(s.seam_step_mm / POOL_MM, 1.0) * (advance / s.timing.control_dt - s.pool_mm_s)
        miss = np.clip(deviation[:, 0], -LOST_MM, LOST_MM)
        self._weld.step(s, seam, lateral, height, miss, on * s.pool_mm_s)
        distance = np.sqrt(deviation[:, 0] ** 2 + deviation[:, 1] ** 2)
        s.welded += s.seam_step_mm
        s.tip_square += s.seam_step_mm * distance * distance
        np.maximum(s.tip_largest, on * distance, out=s.tip_largest)
        np.minimum(s.least_clearance, np.min(s.clearance, axis=1), out=s.least_clearance)
        s.place_before_mm[...] = s.place_mm
        self._change_segment(s, on, seam)

    def _change_segment(self, s: Rows, on: NDArray[np.bool_], seam: NDArray[np.int64]) -> None:
        """Put out the arcs of seams that have ended, and strike those of seams that begin."""
        changed = s.segment != s.welding
        if not changed.any():
            return
        ended = np.flatnonzero(changed & on)
        if ended.size:
            self._weld.finish(ended, seam[ended])
            for which in (AROUND, SECOND):
                rows = ended[seam[ended] == which]
                s.ended_mm[rows, which] = s.place_mm[rows]
                if which == SECOND and rows.size:
                    lap = overlap_mm(s.ended_mm[rows, 0], s.ended_mm[rows, 1], self._program.thickness[rows])
                    s.overlap[rows] = lap
                    inside = (lap >= OVERLAP_RANGE_MM[0]) & (lap <= OVERLAP_RANGE_MM[1])
                    self._weld.accepted[rows, SECOND] &= inside
        s.welding[...] = s.segment
        # what is told of this step is told of the joint that the torch has come to
        self.measure(s)
        struck = np.flatnonzero(changed & (s.segment % 2 == 1))
        if struck.size:
            s.place_before_mm[struck] = s.place_mm[struck]
            s.pool_mm_s[struck] = s.travel_mm_s[struck]
            clipped = np.clip(np.stack((s.lateral_mm, s.deviation[:, 1]), axis=1)[struck], -LOST_MM, LOST_MM)
            self._weld.strike(struck, self._seam(s)[struck], *clipped.T)

    # -- ends -------------------------------------------------------------------------------------------------

    def _away(self, s: Rows) -> NDArray[np.bool_]:
        out: NDArray[np.bool_] = np.maximum(np.abs(s.deviation[:, 0]), np.abs(s.deviation[:, 1])) > LOST_MM
        return out

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """All seams accepted."""
        out: NDArray[np.bool_] = self._weld.accepted.all(axis=1) & ~s.touched
        return out

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """What ends a job in a cell."""
        return {
            "collision": s.touched.copy(),
            "arc_lost": self._weld.lost(),
            "seam_lost": self._away(s),
            "rejected": (self._weld.complete & ~self._weld.accepted).any(axis=1),
        }

    def violations(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Joints near their limits, and a torch that passes a plate closely."""
        return {
            "joint_speed": s.joint_share > 1.0,
            "joint_range": self._motion.margin(s) < np.radians(5.0),
            "clearance": np.min(s.clearance, axis=1) < 3.0,
        }

    # -- observations, rewards, metrics -----------------------------------------------------------------------

    def observe_segment(self, s: Rows) -> Array:
        """Of the program."""
        return (np.minimum(s.segment, ON_UP)[:, None] == np.arange(DONE)).astype(np.float64)

    def observe_progress(self, s: Rows) -> Array:
        """Behind and left."""
        return np.stack(self._program.within(s.program_mm, s.segment), axis=1)

    def observe_turn_ahead(self, s: Rows) -> Array:
        """On the seam around, 0 elsewhere."""
        done, _ = self._program.within(s.program_mm, s.segment)
        t, scallop = self._program.thickness, self._program.scallop
        here = around_at(done, t, scallop)[2]
        ahead = np.stack([around_at(done + d, t, scallop)[2] - here for d in AHEAD_MM], axis=1)
        return np.degrees(ahead) * (s.segment == ON_AROUND)[:, None]

    def observe_travel_speed(self, s: Rows) -> Array:
        """Along the program."""
        return s.travel_mm_s[:, None]

    def observe_correction(self, s: Rows) -> Array:
        """Lateral and height."""
        correction: Array = s.correction[:, :2]
        return correction

    def observe_torch_angle(self, s: Rows) -> Array:
        """Work and travel."""
        return np.degrees(s.correction[:, 2:])

    def observe_tip_deviation(self, s: Rows) -> Array:
        """What the sensor measures; noise and latency are the channel's."""
        deviation: Array = s.deviation
        return deviation

    def observe_gap(self, s: Rows) -> Array:
        """Likewise."""
        return s.true_gap[:, None]

    def observe_current(self, s: Rows) -> Array:
        """Mean of the last step."""
        return self._weld.process.arc.mean_current_a[:, None]

    def observe_joint_margin(self, s: Rows) -> Array:
        """In degrees."""
        return np.degrees(self._motion.margin(s))[:, None]

    def observe_true_gap(self, s: Rows) -> Array:
        """Under the arc."""
        return s.true_gap[:, None]

    def observe_feed_factor(self, s: Rows) -> Array:
        """Of the drive rolls and the deposit."""
        return self._weld.feed_factor[:, None]

    def observe_last_legs(self, s: Rows) -> Array:
        """Of the newest slice."""
        slices = self._weld.process.slices
        newest = np.maximum(slices.frozen - 1, 0)
        legs = np.stack([slices[name][self._row, newest] for name in ("leg_1_mm", "leg_2_mm")], axis=1)
        return legs.astype(np.float64)

    def observe_accepted_share(self, s: Rows) -> Array:
        """So far."""
        return self.metric_accepted_share(s)[:, None]

    def _share(self, s: Rows) -> Array:
        """Seam of this step as a share of the most that a step welds."""
        return np.minimum(s.seam_step_mm / STEP_MM, 1.0)

    def reward_sound(self, s: Rows) -> Array:
        """By the millimetre."""
        return np.minimum(self._weld.sound_mm / STEP_MM, 1.0)

    def reward_even(self, s: Rows) -> Array:
        """Legs alike, by the millimetre."""
        share = self._weld.uneven_mm / UNEVEN_MM
        return np.minimum(self._weld.new_mm / STEP_MM, 1.0) / (1.0 + share * share)

    def reward_near(self, s: Rows) -> Array:
        """Wire in the joint, by the millimetre."""
        d = s.deviation
        return self._share(s) * (1.0 - np.tanh(np.sqrt(d[:, 0] * d[:, 0] + d[:, 1] * d[:, 1]) / 3.0))

    def reward_torch(self, s: Rows) -> Array:
        """Torch angles, by the millimetre."""
        relative = s.torch_deg / 5.0
        return self._share(s) / (1.0 + relative * relative)

    def reward_effort(self, s: Rows) -> Array:
        """Accelerations of the corrections."""
        a = s.correction_acceleration / self._motion.motion.acceleration
        return np.minimum(0.25 * (a[:, 0] ** 2 + a[:, 1] ** 2 + a[:, 2] ** 2 + a[:, 3] ** 2), 1.0)

    def metric_cycle_time(self, s: Rows) -> Array:
        """Time of the program."""
        time: Array = s.time_s
        return time

    def metric_accepted_share(self, s: Rows) -> Array:
        """Of the inspected length."""
        return self._weld.good_mm / np.maximum(self._weld.judged_mm, 1.0)

    def metric_seams_accepted(self, s: Rows) -> Array:
        """Of three."""
        a = self._weld.accepted
        return a[:, 0] + 1.0 * a[:, 1] + a[:, 2]

    def metric_corner_leg(self, s: Rows) -> Array:
        """Smallest of the wrap."""
        leg: Array = self._weld.corner_leg_mm
        return leg

    def metric_tip_rms(self, s: Rows) -> Array:
        """RMS by length; NaN before anything is welded."""
        known = s.welded > 0.0
        return np.where(known, np.sqrt(s.tip_square / np.where(known, s.welded, 1.0)), np.nan)

    def metric_clearance(self, s: Rows) -> Array:
        """Least so far."""
        least: Array = s.least_clearance
        return least

    def inspected(self, row: int) -> Mapping[str, Stretch]:
        """What of one row's seams is inspected."""
        return self._weld.inspected(row)

    def overlay(self, s: Rows, row: int) -> Overlay:
        """The beads and the arc; through the air the way to the next seam."""
        overlay = Overlay()
        process = self._weld.process
        laid = beads(process, row, self._program, self._part)
        wire = self._wire[row].reshape(3, 3)[:, 2].copy()
        burning = bool(process.inputs["arc_on"][row] > 0.5)
        for k, bead in enumerate(laid):
            draw_weld(overlay, bead, self._tcp[row].copy(), wire, burning and k == len(laid) - 1)
        if s.segment[row] % 2 == 0:
            overlay.traces.append((way_ahead(self._program, row, float(s.program_mm[row])), 0.0006, WAY_RGBA))
        return overlay
