"""WaferSwap: take a processed wafer out of a module and put a fresh one in, with two arms behind one slit valve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.cells.swap import CAMERAS, HEADING, HOME_RADIUS, PASSING, STATION_RADIUS, swap_cell
from ...assets.fixtures.process_module import PIN_STROKE
from ...assets.robots.dual_scara import GEOMETRY
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Task, Timing, column
from . import swap_motion as motion
from .centering import hot_radius
from .profiles import GRAVITY
from .swap_bound import bound_time
from .swap_clearance import HAZARDS
from .swap_expert import SwapExpert
from .swap_hazards import POSES, distances, handoff_gaps, seat_yaw
from .swap_motion import SwapSequence
from .swap_plant import SwapPlant
from .swap_terms import HANDOFFS, channels, start_terms

CLEARANCE_MM, COMFORT_MM = 0.2, 1.0  # below: damage; below: too close for comfort
CONTACT_MM_S = 20.0
SLIP_MM, LOST_MM, PLACEMENT_MM = 0.1, 2.0, 0.3
TOUCH_M, SEAL_M, OFF_PINS_M = 5e-6, 20e-6, 2e-4
HANDLING_S = 5.0  # what a robot does besides the swap for each wafer of a robot-bound tool: load lock and turns
SAMPLES = 10  # times a control step at which clearances are taken
PAD_LEVERS = ((-0.1, 0.0), (0.05, 0.0866), (0.05, -0.0866))  # m, pads from the centre of a seated wafer
# Shares of the work: arm a in, hand-off, arm a back, arm b in, hand-off, arm b back, gate.
WORK = (0.15, 0.05, 0.22, 0.22, 0.05, 0.13, 0.18)


class WaferSwap(Task):
    """A vacuum robot with two arms, one above the other, swaps the wafer of a process module for a fresh one.

    The process has ended. While the gate of the slit valve opens and pins lift the processed wafer off the pedestal,
    the robot turns to the module with a fresh wafer on its upper arm. Its lower arm goes in under the processed wafer,
    takes it and comes back; the lift goes down by the distance of the paddles; the upper arm brings the fresh wafer,
    lays it on the pins and comes back; the pins go down and the gate shuts. That takes a tool about eight seconds if
    each step waits for the one before. The controller runs this sequence by itself, and the policy sets its margins:
    how long before the gate is expected to be open the arm sets off, how much of the friction of either wafer to use,
    when the second arm follows the first one, when lift and gate begin to move, and the speed of contacts.

    Both wafers lie on friction pads alone. The pads of the lower arm are hot and hold less; both frictions are known
    as estimates from past swaps. When the second arm follows early, both wafers are on their way at once, each with a
    limit of its own, and the lift that moves beneath both takes from both. The time of the gate is known as an
    estimate too, and its switch comes last: who waits for it loses up to a second, who does not must know when the
    paddle can pass. Paddles and wafers keep 0.2 mm from gate, frame, pins, pedestal and each other, or the episode has
    failed; that is found by distances in closed form, from the poses of the simulation. Pads, pins and pedestal are
    contacts of the simulation, and none may begin faster than 20 mm/s. The radial and lateral modes of the arms follow
    their extension.

    What the model leaves out: friction has one coefficient, so that a wafer that slides is not held less than one that
    sticks; and wafers and pedestal neither grow nor bend with heat.
    """

    title: ClassVar[str] = "dual-arm robot swaps the wafer of a process module behind a slit valve"
    timing = Timing(control_hz=25.0, timestep_s=0.001, horizon_s=14.0)
    main_metric = "swap_time"
    success_hold_s = 0.08
    success_text = (
        f"gate shut over the fresh wafer, which lies on the pedestal at most {PLACEMENT_MM:g} mm off the middle; both "
        f"arms retracted; neither wafer slipped on its paddle by more than {SLIP_MM:g} mm"
    )
    failure_texts = {
        "collision": f"paddle or wafer came within {CLEARANCE_MM:g} mm of gate, frame, pins or another wafer",
        "hard_contact": f"a hand-off began faster than {CONTACT_MM_S:g} mm/s",
        "wafer_lost": f"a wafer slipped on its paddle by more than {LOST_MM:g} mm",
        "misplaced": f"all done, but a wafer slipped by more than {SLIP_MM:g} mm or lies {PLACEMENT_MM:g} mm off",
    }
    cameras = CAMERAS
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    randomization = "wafer_swap"
    references: ClassVar[tuple[str, ...]] = (
        "Lucas et al., US patent 5655060 (Brooks Automation, 1997): friction limits acceleration, resonance jerk",
        "Hosek, IMECE2003-41178: time-optimal trajectories of robots with several end effectors",
        "SEMI M1: silicon wafers of 300 mm",
    )

    # Progress and success together are worth more than the time of the slowest swap, so that trying always pays. Slip
    # and closeness cost when they happen: a policy sees neither, and could not tell what it did wrong from the end.
    rewards = {
        "time": Reward(-2.0, "control period divided by the lower bound of this swap's time"),
        "progress": Reward(3.0, "new progress through the sequence; 1 in all"),
        "slip": Reward(-6.0, "share of the upper half of the tolerated slip that this step uses up, mean of wafers"),
        "margin": Reward(-1.0, f"clearance used up between {COMFORT_MM:g} and {CLEARANCE_MM:g} mm; 1 in all"),
        "failure": Reward(-5.0, "1 at the step of a failure"),
        "success": Reward(3.0, "1 at the step in which success is reached"),
    }
    metrics = {
        "swap_time": Metric("s", "lower", "gate told to open until shut over the fresh wafer, all done; NaN if never"),
        "time_ratio": Metric("1", "lower", "swap time divided by its lower bound"),
        "placement_error": Metric("mm", "lower", "fresh wafer's centre off the middle of the pedestal"),
        "slip_processed": Metric("mm", "lower", "largest displacement of the processed wafer on a pad"),
        "slip_fresh": Metric("mm", "lower", "largest displacement of the fresh wafer on a pad"),
        "min_clearance": Metric("mm", "higher", "smallest distance of paddles and wafers from what they must not meet"),
        "contact_speed": Metric("mm/s", "lower", "fastest first touch at pins, pads and pedestal"),
        "peak_acceleration": Metric("m/s^2", "lower", "largest commanded radial acceleration"),
        "peak_jerk": Metric("m/s^3", "lower", "largest commanded radial jerk"),
        "valve_wait": Metric("s", "lower", "time that the robot stood ready before arm a set off"),
        "wafers_per_hour": Metric("1/h", "higher", f"of a robot-bound tool with {HANDLING_S:g} s of other handling"),
    }

    def __init__(self) -> None:
        self.start = start_terms()
        self.channels = channels()

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """Cluster tool with one module that moves."""
        return swap_cell(timestep=self.timing.timestep_s, visual=visual)

    def make_action(self) -> SwapSequence:
        """Margins and overlaps of the sequence."""
        return SwapSequence()

    def expert(self) -> SwapExpert:
        """One step after the other."""
        return SwapExpert()

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Resolve names and register the rows' arrays."""
        self._plant = SwapPlant(s.sim)
        self._now = {k: s.sim.sensor(k) for k in POSES}
        self._record = {k: s.sim.sensor_slice(k) for k in POSES}
        for name, shape in (
            ("reference", (5,)), ("gate_time", (2,)), ("gate_estimate", ()), ("switch_delay", ()), ("friction", (2,)),
            ("friction_estimate", (2,)), ("acceleration_estimate", (2,)), ("frequency", ()),
            ("frequency_estimate", ()), ("period_estimate", ()), ("damping_ratio", ()), ("tilt", (2,)),
            ("hot_radius", ()), ("teach_height", ()), ("bound_time", ()), ("seat", (2, 3)), ("slip_mm", (2,)),
            ("slip_step", ()), ("off_pins", ()), ("min_clearance_mm", ()), ("clearance_now", (len(HAZARDS),)),
            ("margin_step", ()), ("touch_gap", (len(HANDOFFS),)), ("touched", (len(HANDOFFS),)), ("contact_speed", ()),
            ("best", ()), ("progress_step", ()), ("swap_time", ()),
        ):  # fmt: skip
            s.new(name, shape)
        # the action interface's own, which is bound later
        self._sequence = SwapSequence()
        count = self.timing.substeps
        self._samples = np.linspace(0, count, SAMPLES + 1).astype(int)[1:] - 1

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """The machine of this episode; arms retracted, process ended."""
        opening = params["gate_time"]
        s.gate_time[rows] = np.stack((opening, opening * params["shut_ratio"]), axis=-1)
        s.gate_estimate[rows] = np.maximum(opening * (1.0 + params["gate_error"]), 0.2)
        cold = params["friction"]
        s.friction[rows] = np.stack((cold * params["hot_ratio"], cold), axis=-1)
        estimate = np.maximum(s.friction[rows] * (1.0 + params["friction_error"]), 0.02)
        s.friction_estimate[rows], s.acceleration_estimate[rows] = estimate, GRAVITY * estimate
        for name in ("switch_delay", "frequency", "damping_ratio", "teach_height"):
            getattr(s, name)[rows] = params[name]
        s.frequency_estimate[rows] = np.maximum(params["frequency"] * (1.0 + params["frequency_error"]), 5.0)
        s.period_estimate[rows] = 1.0 / s.frequency_estimate[rows]
        s.tilt[rows] = np.deg2rad(params["paddle_tilt"])
        s.hot_radius[rows] = hot_radius(params["heating"])
        s.bound_time[rows] = bound_time(s.gate_time[rows], s.friction[rows], s.tilt[rows], 0.001 * CONTACT_MM_S)
        self._plant.stand(s, rows, params)

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """Where the fresh wafer lies on its paddle, and zeros for what adds up."""
        for name in (
            "slip_mm", "slip_step", "off_pins", "margin_step", "touched", "contact_speed", "best", "progress_step",
        ):  # fmt: skip
            getattr(s, name)[rows] = 0.0
        s.min_clearance_mm[rows] = s.clearance_now[rows] = 50.0
        s.swap_time[rows] = np.nan
        s.seat[rows] = self._seats()[rows]
        s.touch_gap[rows] = handoff_gaps(self._now)[rows]

    # -- state ------------------------------------------------------------------------------------------------

    def _seats(self) -> Array:
        """Place (n, 2, 3) of each wafer on its paddle: x, y (m) and turn (rad)."""
        return np.stack(
            [
                np.column_stack((self._now[f"{k}_seat_position"][:, :2], seat_yaw(self._now[f"{k}_seat_quaternion"])))
                for k in ("processed", "fresh")
            ],
            axis=1,
        )

    def measure(self, s: Rows) -> None:
        """How far the steps of the sequence have got, and whether all of it is done."""
        left = (s.reference[:, motion.ARM_A : motion.ARM_B + 1] - HOME_RADIUS) / motion.WAY
        begun = s.event < np.inf
        lift = s.reference[:, motion.LIFT]
        stroke = motion.CARRY - motion.TAKE
        rise, fall = (lift - motion.TAKE) / stroke, (motion.BRING - lift) / stroke
        shutting = (s.time_s - s.event[:, motion.CLOSE]) / s.gate_time[:, 1]
        parts = (
            np.where(begun[:, motion.A_BACK], 1.0, left[:, 0]),
            np.where(begun[:, motion.A_BACK], 1.0, np.where(begun[:, motion.A_LIFT], rise, 0.0)),
            np.where(begun[:, motion.A_BACK], 1.0 - left[:, 0], 0.0),
            np.where(begun[:, motion.B_BACK], 1.0, left[:, 1]),
            np.where(begun[:, motion.B_BACK], 1.0, np.where(begun[:, motion.B_LOWER], fall, 0.0)),
            np.where(begun[:, motion.B_BACK], 1.0 - left[:, 1], 0.0),
            shutting,
        )
        self._progress = np.zeros(s.n)
        for weight, part in zip(WORK, parts, strict=True):
            self._progress += weight * np.minimum(np.maximum(part, 0.0), 1.0)
        opened, shut = self._sequence.switches(s, s.time_s)
        self._switches = np.stack((opened, shut), axis=-1).astype(np.float64)
        rests = handoff_gaps(self._now)[:, 3] < SEAL_M
        at_home = (left[:, 0] == 0.0) & (left[:, 1] == 0.0)
        self._done = shut & rests & at_home & begun[:, motion.B_BACK] & (s.reference[:, motion.PINS] == 0.0)

    def accumulate(self, s: Rows) -> None:
        """Contacts, clearances, slip and progress of the control step."""
        poses = {k: s.sensor_record[:, :, part] for k, part in self._record.items()}
        self._find_touch(s, handoff_gaps(poses))
        self._find_clearance(s, {k: v[:, self._samples] for k, v in poses.items()})
        self._find_slip(s)
        s.progress_step[...] = np.maximum(self._progress - s.best, 0.0)
        np.maximum(s.best, self._progress, out=s.best)
        s.swap_time[...] = np.where(self._done, np.fmin(s.swap_time, s.time_s), np.nan)
        self._plant.stiffen(s, slice(None))

    def _find_touch(self, s: Rows, gaps: Array) -> None:
        """Speed of the first touch of each hand-off, from gaps (n, substeps, hand-offs)."""
        # the first record repeats the step before, the last one is two physics steps after its neighbour
        gap = gaps[:, 1:]
        before = np.concatenate((s.touch_gap[:, None], gap[:, :-1]), axis=1)
        meets = (before > TOUCH_M) & (gap <= TOUCH_M)
        spans = np.full((gap.shape[1], 1), s.timing.timestep_s)
        spans[-1] *= 2.0
        first = np.argmax(meets, axis=1)[:, None]
        closing = 1000.0 * np.take_along_axis((before - gap) / spans, first, axis=1)[:, 0]
        new = np.any(meets, axis=1) & (s.touched < 0.5)
        s.contact_speed[...] = np.maximum(s.contact_speed, np.max(np.where(new, closing, 0.0), axis=1))
        s.touched[...] = np.maximum(s.touched, new)
        s.touch_gap[...] = gap[:, -1]

    def _find_clearance(self, s: Rows, poses: Mapping[str, Array]) -> None:
        gaps = distances(poses, s.hot_radius, s.radius_record[:, self._samples])
        s.clearance_now[...] = 1000.0 * np.min(gaps, axis=1)
        least = np.minimum(s.min_clearance_mm, np.min(s.clearance_now, axis=1))
        s.margin_step[...] = _near(least) - _near(s.min_clearance_mm)
        s.min_clearance_mm[...] = least

    def _find_slip(self, s: Rows) -> None:
        """What each wafer moves on its paddle while it is carried: from off the pins, and up to the station."""
        seats, gaps = self._seats(), handoff_gaps(self._now)
        carried = (gaps[:, 1] < SEAL_M) & (gaps[:, 0] > OFF_PINS_M) & (s.event[:, motion.A_LIFT] < np.inf)
        taken = carried & (s.off_pins < 0.5)
        s.seat[:, 0] = np.where(taken[:, None], seats[:, 0], s.seat[:, 0])
        s.off_pins[...] = np.maximum(s.off_pins, taken)
        on_way = np.stack((s.off_pins > 0.5, s.event[:, motion.B_LOWER] == np.inf), axis=-1)
        slip = 1000.0 * _pad_motion(seats - s.seat)
        slip = np.where(on_way, np.maximum(s.slip_mm, slip), s.slip_mm)
        used = _used_up(slip) - _used_up(s.slip_mm)
        s.slip_step[...] = 0.5 * (used[:, 0] + used[:, 1])
        s.slip_mm[...] = slip

    # -- ends -------------------------------------------------------------------------------------------------

    def _placement(self, s: Rows) -> Array:
        at = self._now["fresh_position"]
        error: Array = 1000.0 * np.sqrt(at[:, 0] * at[:, 0] + at[:, 1] * at[:, 1])
        return error

    def _in_order(self, s: Rows) -> NDArray[np.bool_]:
        good: NDArray[np.bool_] = (
            (s.slip_mm[:, 0] <= SLIP_MM) & (s.slip_mm[:, 1] <= SLIP_MM) & (self._placement(s) <= PLACEMENT_MM)
        )
        return good

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """Done, and both wafers where they belong."""
        return self._done & self._in_order(s)

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Damage, loss, or a wafer out of place."""
        return {
            "collision": s.min_clearance_mm < CLEARANCE_MM,
            "hard_contact": s.contact_speed > CONTACT_MM_S,
            "wafer_lost": np.max(s.slip_mm, axis=1) > LOST_MM,
            "misplaced": self._done & ~self._in_order(s),
        }

    def violations(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Too close for comfort; slipping."""
        return {"clearance": s.min_clearance_mm < COMFORT_MM, "slip": np.max(s.slip_mm, axis=1) > SLIP_MM}

    # -- observations, rewards, metrics -----------------------------------------------------------------------

    def observe_gate_switches(self, s: Rows) -> Array:
        """Open, shut."""
        return self._switches

    def observe_gate_clock(self, s: Rows) -> Array:
        """Since the last command."""
        told = s.event[:, motion.CLOSE]
        return column(np.where(told < np.inf, s.time_s - np.where(told < np.inf, told, 0.0), s.time_s))

    def observe_pin_switches(self, s: Rows) -> Array:
        """Up, down."""
        pins = s.sim.qpos[:, self._plant.pins]
        return np.stack((pins > PIN_STROKE - 2e-4, pins < 2e-4), axis=-1).astype(np.float64)

    def observe_turn_left(self, s: Rows) -> Array:
        """From the encoder."""
        return column(HEADING - s.sim.qpos[:, self._plant.theta])

    def observe_to_station(self, s: Rows) -> Array:
        """From the encoders."""
        return STATION_RADIUS - GEOMETRY.radius(s.sim.qpos[:, self._plant.shoulders])

    def observe_radial_speed(self, s: Rows) -> Array:
        """From the encoders."""
        phi = s.sim.qpos[:, self._plant.shoulders]
        return GEOMETRY.rate(phi) * s.sim.qvel[:, self._plant.shoulder_rates]

    def observe_lift_height(self, s: Rows) -> Array:
        """From the encoder."""
        return column(1000.0 * (s.sim.qpos[:, self._plant.lift] - motion.TAKE - PASSING))

    def observe_begun(self, s: Rows) -> Array:
        """Flags."""
        return (s.event < np.inf).astype(np.float64)

    def observe_gate_opening(self, s: Rows) -> Array:
        """Way of the gate."""
        return s.sim.qpos[:, self._plant.gate, None]

    def observe_deflection_mm(self, s: Rows) -> Array:
        """Deflection of the flexures."""
        return 1000.0 * s.sim.qpos[:, self._plant.flex]

    def reward_time(self, s: Rows) -> Array:
        """Every step costs, more in a swap that could be short."""
        share: Array = s.timing.control_dt / s.bound_time
        return share

    def reward_progress(self, s: Rows) -> Array:
        """New progress."""
        progress: Array = s.progress_step
        return progress

    def reward_slip(self, s: Rows) -> Array:
        """What this step uses up."""
        used: Array = s.slip_step
        return used

    def reward_margin(self, s: Rows) -> Array:
        """What this step uses up."""
        used: Array = s.margin_step
        return used

    def reward_success(self, s: Rows) -> Array:
        """Success reached at this step."""
        return self.reaches_success(s).astype(np.float64) * (1.0 - self.reward_failure(s))

    def metric_time_ratio(self, s: Rows) -> Array:
        """Against the lower bound."""
        ratio: Array = s.swap_time / s.bound_time
        return ratio

    def metric_placement_error(self, s: Rows) -> Array:
        """Off the middle."""
        return self._placement(s)

    def metric_slip_processed(self, s: Rows) -> Array:
        """Largest so far."""
        slip: Array = s.slip_mm[:, 0]
        return slip

    def metric_slip_fresh(self, s: Rows) -> Array:
        """Largest so far."""
        slip: Array = s.slip_mm[:, 1]
        return slip

    def metric_min_clearance(self, s: Rows) -> Array:
        """Smallest so far."""
        least: Array = s.min_clearance_mm
        return least

    def metric_wafers_per_hour(self, s: Rows) -> Array:
        """Of a robot-bound tool."""
        rate: Array = 3600.0 / (s.swap_time + HANDLING_S)
        return rate

    def overlay(self, s: Rows, row: int) -> Overlay:
        """The way of the wafers into the module, a hand's breadth above them, and the taught station."""
        tcp = self._plant.tcp["b"][row]
        c, d = float(np.cos(HEADING)), float(np.sin(HEADING))
        ends = np.array([[r * c, r * d, tcp[2] + 0.1] for r in (HOME_RADIUS, STATION_RADIUS)])
        return Overlay(points=[(ends[1], 0.006, (1.0, 0.55, 0.1, 1.0))], traces=[(ends, 0.003, (0.1, 0.8, 1.0, 1.0))])


def _pad_motion(moved: Array) -> Array:
    """Largest displacement (..., in m) of a wafer on a pad, from its displacement and turn (..., 3)."""
    largest = np.zeros(moved.shape[:-1])
    for x, y in PAD_LEVERS:
        dx, dy = moved[..., 0] - moved[..., 2] * y, moved[..., 1] + moved[..., 2] * x
        largest = np.maximum(largest, dx * dx + dy * dy)
    return np.sqrt(largest)


def _used_up(slip_mm: Array) -> Array:
    return np.minimum(np.maximum(2.0 * slip_mm / SLIP_MM - 1.0, 0.0), 1.0)


def _near(clearance_mm: Array) -> Array:
    return np.minimum(np.maximum((COMFORT_MM - clearance_mm) / (COMFORT_MM - CLEARANCE_MM), 0.0), 1.0)
