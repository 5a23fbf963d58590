"""WeldPositioner: eight coordinated axes that keep a weld in the flat position through the corners of a bracket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets import look
from ...assets.cells.weld_cell import CAMERAS, PART_QUAT, WELDERS, weld_cell
from ...assets.robots.arm import arm
from ...errors import ShopfloorError
from ...frames import quat_from_axis_angle, quat_multiply
from ..control.chain import transform_back
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Task, Timing
from ..randomness import episode_key
from .contour import AIM, CONTOURS
from .coordinated_motion import (
    FLAT_TILT,
    HEIGHT,
    LATERAL,
    ROTATE,
    TILT,
    TRAVEL_MM_S,
    WORK,
    CoordinatedMotion,
    PartFrames,
    gravity,
)
from .inspection import Stretch
from .laying import draw_weld, laid_bead, ripple_places
from .positioner_expert import PositionerExpert
from .positioner_terms import AHEAD_MM, CHANNELS, START, heading_rotation
from .seam_frame import SeamFrames, dot
from .seam_weld import Procedure, SeamWeld
from .tracking import Tracking

LOST_MM = 8.0  # from the seam, where no bead joins the plates any more
RUN_IN_MM = 8.0  # of seam that is not judged
FASTEST_MM_S = 50.0  # of travel that the process model is asked about
# What is judged, by length: RMS and largest of lateral and height deviation (mm), angle to the vertical (deg), travel
# speed over the procedure's less one, and angle of the torch (deg).
TIP_MM, TIP_LARGEST_MM = 0.4, 1.2
GRAVITY_DEG, GRAVITY_LARGEST_DEG = 8.5, 35.0
SPEED_SHARE, TORCH_DEG = 0.15, 4.0


class WeldPositioner(Task):
    """An arc robot and a two-axis positioner weld around a part, and keep the pool level where the seam turns.

    A fillet around the end of a bar, or around a pipe, is welded best in the flat position: the joint looks straight
    up, the pool lies level and the legs are equal. The positioner tilts the part by 45 degrees and turns it as the seam
    turns; the arm follows in the part's frame, with the torch at its work and travel angles (8 axes for the 5 that a
    rotationally symmetric torch needs). The controller solves the kinematics of the chain; the policy moves the two
    axes of the positioner, sets the travel speed and corrects the torch.

    The bar's end has two corners 12 mm apart. The torch's direction is blended over 6 mm on either side of a place. To
    keep the joint level all the same, the table would have to turn by 90 degrees in half a second, twice; a part that
    turns fast moves its seam fast, and what the two machines' servos lag differently becomes a miss of the wire. A
    corner that is begun early and ended late is out of position on both sides; one that is slow gets too much heat and
    metal. The part lies a millimetre from where touch sensing has found it, which a sensor at
    the torch shows with noise and delay, and on a part that turns that error turns as well.

    The weld is that of the process model: out of position its legs sag, and a torch that lingers lays a larger bead.

    Reward is paid by the millimetre of seam, so that a slow weld earns what a fast one does. Since the travel speed is
    an action, a discount by the step would pay for speed: gamma a step is gamma^(1 / (v dt)) a millimetre, which for
    0.995 is 0.979 at 6 mm/s and 0.990 at 12 mm/s. Train with a gamma close to 1, or make it gamma_mm^(growth of the
    metric `judged_length`); what keeps the speed is the reward `speed`.

    Args:
        part: "bracket" (around the end of a bar) or "pipe" (a third around a pipe on a flange).
        robot: a robot of the welding cell.
    """

    title: ClassVar[str] = "robot and positioner keep a weld in the flat position around corners"
    timing = Timing(control_hz=25.0, timestep_s=0.005, horizon_s=26.0)
    main_metric = "gravity_rms"
    success_text = (
        f"seam welded to its end; by length, beyond the first {RUN_IN_MM:g} mm: wire within {TIP_MM:g} mm RMS and "
        f"{TIP_LARGEST_MM:g} mm of the seam, joint within {GRAVITY_DEG:g} degrees RMS and {GRAVITY_LARGEST_DEG:g} "
        f"degrees of the flat position, travel speed within {100 * SPEED_SHARE:g} % RMS of the procedure's, torch "
        f"within {TORCH_DEG:g} degrees RMS of its angles"
    )
    failure_texts = {
        "collision": "torch or arm touched something",
        "arc_lost": "the arc became too long to burn, or the wire ran into the pool",
        "seam_lost": f"the wire was more than {LOST_MM:g} mm from the seam",
        "out_of_tolerance": "the seam was welded to its end, but not within the tolerances",
    }
    channels = CHANNELS
    start = START
    cameras = ("face", *CAMERAS)
    picture_steps = 205
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    randomization: str | None = "weld_positioner"
    process_state = ("process_current_a", "process_extension_mm", "process_deposited_mm3")
    references: ClassVar[tuple[str, ...]] = (
        "ISO 6947: welding positions, slope and rotation of a weld (PA flat, PB horizontal vertical)",
        "Nakamura, Hanafusa: Inverse kinematic solutions with singularity robustness, J. Dyn. Sys. 108, 1986",
        "Yaskawa MotoPos D500: tilt and rotation ranges, speeds",
        "Kaneko et al.: Reinforcement learning for laser welding speed control, ICRA 2023 (discount by length)",
    )
    procedure = Procedure(current_a=220.0, voltage_v=24.0, travel_mm_s=7.5, ctwd_mm=18.0, throat_mm=3.0)
    rewards = {
        "gravity": Reward(0.06, "share of the longest step's seam, times 1 / (1 + (angle to the vertical / 10 deg)^2)"),
        "tip": Reward(0.06, "the same with 1 / (1 + (distance of the wire from the seam / 0.5 mm)^2)"),
        "speed": Reward(0.03, "the same with 1 / (1 + (error of the travel speed / 15 %)^2)"),
        "torch": Reward(0.015, "the same with 1 / (1 + (error of the torch's angle / 5 deg)^2)"),
        "effort": Reward(-0.001, "mean square of the positioner's acceleration, relative to its limits"),
        "failure": Reward(-2.0, "1 at the step in which the episode fails"),
        "success": Reward(4.0, "1 at the step in which success is reached"),
    }
    metrics = {
        "gravity_rms": Metric("deg", "lower", "angle between joint and vertical, RMS by length"),
        "gravity_largest": Metric("deg", "lower", "largest angle between joint and vertical"),
        "tip_rms": Metric("mm", "lower", "distance of the wire from the seam in its section, RMS by length"),
        "tip_largest": Metric("mm", "lower", "largest lateral or height deviation"),
        "speed_error": Metric("1", "lower", "travel speed over the procedure's less one, RMS by length"),
        "torch_error": Metric("deg", "lower", "angle of the torch from its nominal direction, RMS by length"),
        "judged_length": Metric("mm", "higher", "seam welded beyond the run-in"),
        "weld_time": Metric("s", "lower", "time since the arc was struck"),
        "leg_difference": Metric("mm", "lower", "largest difference of the bead's legs so far"),
        "joint_peak": Metric("1", "lower", "largest joint speed of the arm as a share of its limit"),
    }

    def __init__(self, part: str = "bracket", robot: str = "ar1440"):
        for name, value, known in (("part", part, tuple(CONTOURS)), ("robot", robot, tuple(WELDERS))):
            if value not in known:
                raise ShopfloorError(f"{name} must be one of {', '.join(known)}, got {value!r}")
        self.contour, self.robot = CONTOURS[part](), robot

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """Welding cell with the part on a positioner."""
        ctwd = 1e-3 * self.procedure.ctwd_mm
        spec = weld_cell(
            robot=self.robot, weldment=self.contour.part, mount="positioner", ctwd=ctwd, stickout=ctwd - 0.003,
            visual=visual,
        )  # fmt: skip
        spec.option.timestep = self.timing.timestep_s
        if visual:  # the table leans away from the robot, so that its face is seen from beyond it
            look.add_camera(spec.worldbody, "face", (1.70, -0.62, 1.26), (0.97, 0.01, 0.74), 34.0)
        return spec

    def make_action(self) -> CoordinatedMotion:
        """Positioner rates, travel speed, corrections of the torch."""
        return CoordinatedMotion(arm(self.robot), self.contour)

    def expert(self) -> PositionerExpert:
        """Coordinated kinematics with look-ahead."""
        return PositionerExpert()

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Resolve names and register the rows' arrays."""
        sim = s.sim
        self._motion = self.make_action()
        self._motion.prepare(s)
        self._frames = PartFrames(s, self.contour)
        self._tcp = sim.output("site_xpos", "site", "tcp")
        self._wire = sim.output("site_xmat", "site", "tcp")
        self._part = sim.output("xpos", "body", "part")
        self._part_turn = sim.output("xmat", "body", "part")
        self._contacts = sim.output("ncon")
        self._body = sim.id("body", "part")
        self._table = sim.id("body", "positioner_table")
        self._home, self._table_home = sim.model.body_pos[self._body].copy(), sim.model.body_pos[self._table].copy()
        self._fields = {name: sim.field(name) for name in ("body_pos", "body_quat")}
        self._length_mm = 1e3 * self.contour.length
        self._weld = SeamWeld(s, "fillet", 12.0, self._length_mm, self.procedure, roll_deg=0.0)
        self._tracking = Tracking(s, RUN_IN_MM, self._length_mm - 1.0, axes=5)
        for name, shape in (
            ("place_mm", ()), ("place_before_mm", ()), ("deviation", (2,)), ("gravity_deg", (3,)), ("torch_deg", ()),
            ("true_speed", ()), ("procedure_mm_s", ()), ("part_error", (4,)), ("worst_legs_mm", ()), ("joint_peak", ()),
        ):  # fmt: skip
            s.new(name, shape)
        s.new("touched", dtype=bool)
        self._row = np.arange(s.n)

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Part and positioner of this episode, the arm over the beginning of the seam."""
        s.part_error[rows] = np.column_stack((params["part_shift"], params["part_turn"]))
        about = np.broadcast_to(np.array([0.0, 0.0, 1.0]), (rows.size, 3))
        turn = quat_from_axis_angle(about, np.radians(params["part_turn"]))
        self._fields["body_pos"][rows, self._body] = self._home + 1e-3 * params["part_shift"]
        self._fields["body_quat"][rows, self._body] = quat_multiply(
            turn, np.broadcast_to(np.array(PART_QUAT), (rows.size, 4))
        )
        offset = np.zeros((rows.size, 3))
        offset[:, :2] = 1e-3 * params["axis_offset"]
        self._fields["body_pos"][rows, self._table] = self._table_home + offset
        s.sim.stale(rows)  # inertia about the axes
        heading = self.contour.torch_at(np.zeros(rows.size))
        axes = np.zeros((rows.size, 6))
        axes[:, TILT] = FLAT_TILT + np.radians(params["tilt_error"])
        axes[:, ROTATE] = heading_rotation(heading) + np.radians(params["rotate_error"])
        axes[:, LATERAL : HEIGHT + 1] = params["start_error"]
        s.axis_reference[rows] = axes
        s.procedure_mm_s[rows] = np.clip(params["travel_speed"], *TRAVEL_MM_S)
        s.travel_mm_s[rows] = s.procedure_mm_s[rows]
        s.place_mm[rows] = 0.0
        self._motion.place(s, rows)

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """Strike the arc."""
        lateral, height = s.deviation[rows].T
        self._weld.begin(rows, episode_key(s.seed[rows], s.episode[rows]), lateral, height)
        s.place_before_mm[rows] = s.place_mm[rows]
        s.worst_legs_mm[rows] = s.joint_peak[rows] = s.true_speed[rows] = 0.0
        self._tracking.begin(rows, s.place_mm[rows])

    def measure(self, s: Rows) -> None:
        """Where the wire is on the true seam, how the joint lies, and how the torch looks at it."""
        turn = self._part_turn.reshape(s.n, 3, 3)
        at = transform_back(turn, self._tcp - self._part)
        place = self.contour.locate(at[:, :2], 1e-3 * s.place_mm)
        s.place_mm[...] = 1e3 * place
        path, heading = self.contour.at(place)
        away = (at[:, 0] - path[:, 0]) * np.cos(heading) + (at[:, 1] - path[:, 1]) * np.sin(heading)
        half = 1e3 * np.sqrt(0.5)
        s.deviation[:, 0], s.deviation[:, 1] = half * (at[:, 2] - away), half * (at[:, 2] + away)
        section = self._frames.section(turn, heading)
        s.gravity_deg[...] = np.degrees(np.stack(gravity(section), axis=1))
        wire = self._wire.reshape(s.n, 3, 3)[:, :, 2]
        blended = self._frames.section(turn, self.contour.torch_at(place))
        s.torch_deg[...] = np.degrees(np.arccos(np.clip(-dot(wire, blended[2]), -1.0, 1.0)))
        np.greater(self._contacts, 0, out=s.touched)

    def accumulate(self, s: Rows) -> None:
        """Weld and judge."""
        s.true_speed[...] = (s.place_mm - s.place_before_mm) / s.timing.control_dt
        s.place_before_mm[...] = s.place_mm
        np.maximum(s.joint_peak, s.joint_share, out=s.joint_peak)
        process, deviation = self._weld.process, s.deviation
        process.inputs["roll_deg"][:] = s.gravity_deg[:, 0]
        process.inputs["work_angle_deg"][:] = 45.0 - np.degrees(s.axis_reference[:, WORK])
        # a wire that leaps over the part, or is lost, lays nothing that the process model knows
        travel = np.minimum(s.true_speed, FASTEST_MM_S)
        lateral, height = np.clip(deviation.T, -LOST_MM, LOST_MM)
        self._weld.step(s, lateral, height, travel)
        newest = np.maximum(process.slices.frozen - 1, 0)
        legs = process.slices["leg_1_mm"][self._row, newest] - process.slices["leg_2_mm"][self._row, newest]
        np.maximum(s.worst_legs_mm, np.abs(legs), out=s.worst_legs_mm)
        speed = s.true_speed / s.procedure_mm_s - 1.0
        self._tracking.add(s.place_mm, deviation[:, 0], deviation[:, 1], s.gravity_deg[:, 2], speed, s.torch_deg)

    # -- ends -------------------------------------------------------------------------------------------------

    def _ended_badly(self, s: Rows) -> NDArray[np.bool_]:
        away = np.maximum(np.abs(s.deviation[:, 0]), np.abs(s.deviation[:, 1])) > LOST_MM
        bad: NDArray[np.bool_] = s.touched | self._weld.lost() | away
        return bad

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """At the end of the seam, in tolerance."""
        t = self._tracking
        inside = np.ones(s.n, dtype=bool)
        for axis, (rms, largest) in enumerate((
            (TIP_MM, TIP_LARGEST_MM), (TIP_MM, TIP_LARGEST_MM), (GRAVITY_DEG, GRAVITY_LARGEST_DEG),
            (SPEED_SHARE, np.inf), (TORCH_DEG, np.inf),
        )):  # fmt: skip
            inside &= (t.rms_mm(axis) <= rms) & (t.largest_mm(axis) <= largest)
        out: NDArray[np.bool_] = t.complete & inside & ~self._ended_badly(s)
        return out

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """What no seam comes back from, and a seam that is finished but bad."""
        away = np.maximum(np.abs(s.deviation[:, 0]), np.abs(s.deviation[:, 1])) > LOST_MM
        return {
            "collision": s.touched.copy(),
            "arc_lost": self._weld.lost(),
            "seam_lost": away,
            "out_of_tolerance": self._tracking.complete & ~self.succeeded(s),
        }

    def violations(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Joints near their limits, and a joint that is out of position."""
        return {
            "joint_speed": s.joint_share > 1.0,
            "joint_range": self._motion_margin(s) < np.radians(5.0),
            "position": s.gravity_deg[:, 2] > GRAVITY_LARGEST_DEG,
        }

    def _motion_margin(self, s: Rows) -> Array:
        return self._motion.margin(s)

    # -- observations, rewards, metrics -----------------------------------------------------------------------

    def observe_heading_ahead(self, s: Rows) -> Array:
        """From the taught path and the commanded rotation."""
        places = 1e-3 * (s.taught_mm[:, None] + np.array(AHEAD_MM))
        heading = self.contour.torch_at(places)
        return np.degrees(heading_rotation(heading) - s.axis_reference[:, ROTATE, None])

    def observe_tilt_error(self, s: Rows) -> Array:
        """From the commanded tilt."""
        return np.degrees(FLAT_TILT - s.axis_reference[:, TILT, None])

    def observe_gravity(self, s: Rows) -> Array:
        """Of the taught section on the nominal part."""
        _, heading = self.contour.at(1e-3 * s.taught_mm)
        _, turn = self._frames.part(s.axis_reference[:, :2])
        return np.degrees(np.stack(gravity(self._frames.section(turn, heading)), axis=1))

    def observe_axis_rate(self, s: Rows) -> Array:
        """Tilt and rotation."""
        rates: Array = s.axis_rate[:, :2]
        return rates

    def observe_travel_speed(self, s: Rows) -> Array:
        """Commanded."""
        return s.travel_mm_s[:, None]

    def observe_procedure_speed(self, s: Rows) -> Array:
        """Set."""
        return s.procedure_mm_s[:, None]

    def observe_remaining(self, s: Rows) -> Array:
        """Taught seam that is left."""
        return self._length_mm - s.taught_mm[:, None]

    def observe_correction(self, s: Rows) -> Array:
        """Lateral and height."""
        correction: Array = s.axis_reference[:, LATERAL : HEIGHT + 1]
        return correction

    def observe_torch_angle(self, s: Rows) -> Array:
        """Work and travel."""
        return np.degrees(s.axis_reference[:, WORK:])

    def observe_tip_deviation(self, s: Rows) -> Array:
        """What the sensor measures; noise and latency are the channel's."""
        deviation: Array = s.deviation
        return deviation

    def observe_joint_margin(self, s: Rows) -> Array:
        """In degrees."""
        return np.degrees(self._motion_margin(s))[:, None]

    def _by_length(self, s: Rows, error: Array, scale: float) -> Array:
        """1 / (1 + (error / scale)^2), times the seam welded in this step as a share of the most that a step can."""
        share = np.minimum(self._tracking.step_mm / (1.2 * TRAVEL_MM_S[1] * s.timing.control_dt), 1.0)
        relative = error / scale
        return share / (1.0 + relative * relative)

    def reward_gravity(self, s: Rows) -> Array:
        """Level pool by the millimetre."""
        return self._by_length(s, s.gravity_deg[:, 2], 10.0)

    def reward_tip(self, s: Rows) -> Array:
        """Wire on the seam by the millimetre."""
        d = s.deviation
        return self._by_length(s, np.sqrt(d[:, 0] * d[:, 0] + d[:, 1] * d[:, 1]), 0.5)

    def reward_speed(self, s: Rows) -> Array:
        """Travel speed by the millimetre."""
        return self._by_length(s, s.true_speed / s.procedure_mm_s - 1.0, 0.15)

    def reward_torch(self, s: Rows) -> Array:
        """Torch angles by the millimetre."""
        return self._by_length(s, s.torch_deg, 5.0)

    def reward_effort(self, s: Rows) -> Array:
        """Accelerations of the positioner."""
        a = s.axis_acceleration[:, :2] / self._motion.motion.acceleration[:2]
        return np.minimum(0.5 * (a[:, 0] * a[:, 0] + a[:, 1] * a[:, 1]), 1.0)

    def metric_gravity_rms(self, s: Rows) -> Array:
        """RMS by length."""
        return self._tracking.rms_mm(2)

    def metric_gravity_largest(self, s: Rows) -> Array:
        """Largest."""
        return self._tracking.largest_mm(2)

    def metric_tip_rms(self, s: Rows) -> Array:
        """Lateral and height together."""
        t = self._tracking
        return np.sqrt(t.rms_mm(0) ** 2 + t.rms_mm(1) ** 2)

    def metric_tip_largest(self, s: Rows) -> Array:
        """Of either."""
        return np.maximum(self._tracking.largest_mm(0), self._tracking.largest_mm(1))

    def metric_speed_error(self, s: Rows) -> Array:
        """RMS by length."""
        return self._tracking.rms_mm(3)

    def metric_torch_error(self, s: Rows) -> Array:
        """RMS by length."""
        return self._tracking.rms_mm(4)

    def metric_judged_length(self, s: Rows) -> Array:
        """Seam that has been judged."""
        return self._tracking.judged_mm

    def metric_weld_time(self, s: Rows) -> Array:
        """Time of the weld."""
        time: Array = s.time_s
        return time

    def metric_leg_difference(self, s: Rows) -> Array:
        """Worst slice so far."""
        worst: Array = s.worst_legs_mm
        return worst

    def inspected(self, row: int) -> Mapping[str, Stretch]:
        """What of one row's weld is inspected, from where its arc was struck."""
        return {"seam": self._weld.inspected(row, bool(self._tracking.complete[row]))}

    def overlay(self, s: Rows, row: int) -> Overlay:
        """The bead and the arc."""
        overlay = Overlay()
        process = self._weld.process
        laid = ripple_places(float(process.slices.frozen[row]) * process.slices.slice_mm)
        if laid.size:
            bead = laid_bead(process, row, laid, self._seam_frames(row, laid))
            wire = self._wire[row].reshape(3, 3)[:, 2].copy()
            draw_weld(overlay, bead, self._tcp[row].copy(), wire, bool(process.inputs["arc_on"][row] > 0.5))
        return overlay

    def _seam_frames(self, row: int, place_mm: Array) -> SeamFrames:
        """Section frames (k,) of one row's true root."""
        path, heading = self.contour.at(1e-3 * place_mm)
        turn = np.broadcast_to(self._part_turn[row].reshape(3, 3), (place_mm.size, 3, 3))
        # the bead lies in the root, of which the wire is led outside
        x, y = path[:, 0] - AIM * np.cos(heading), path[:, 1] - AIM * np.sin(heading)
        position = self._part[row] + x[:, None] * turn[:, :, 0] + y[:, None] * turn[:, :, 1]
        return SeamFrames(position, *self._frames.section(turn, heading))
