"""WaferSlotPick and WaferSlotPlace: a wafer out of a carrier, or into it, through a gap of a few millimetres."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.cells.slot import CAMERAS, CUP_AREA, HOME_RADIUS, STATION_RADIUS, lift_at, slot_cell
from ...assets.fixtures.foup import PITCH
from ...assets.fixtures.load_port import LOAD_HEIGHT
from ...assets.parts import wafer
from ...assets.robots import efem_robot
from ...errors import ShopfloorError
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Task, Timing, column
from . import slot_clearance as clearance
from .profiles import s_curve
from .slot_carrier import Carrier, carrier
from .slot_expert import SlotExpert
from .slot_hazards import POSES, SEAL_M, distances, touch_gap
from .slot_motion import ABORT_LEVEL, SlotMotion
from .slot_plant import SlotPlant
from .slot_terms import CHANNELS, IN_POSITION_M, START
from .slot_vacuum import lip_gap, manifold_leak

MODES = ("get", "put")
HEIGHTS_MM = {"get": (-7.5, 3.5), "put": (-3.5, 7.5)}  # in the middle the way in is free
CLEARANCE_MM, COMFORT_MM = 0.2, 0.5  # below: damage; below: too close for comfort
CONTACT_MM_S = 20.0
SLIP_MM, LOST_MM, PLACEMENT_MM = 0.2, 1.0, 1.0
SWITCH_KPA, RELEASE_KPA, VENTED_KPA = -35.0, -25.0, -5.0
ABORT_HOLD_S = 0.2
TOUCH_M, APART_M = 5e-6, 200e-6  # a hand-off has begun; the next one can begin
AT_STATION_M = 0.5e-3
APPROACH_M, PART_M = 3e-3, 1.5e-3  # heights over which meeting and parting count as progress
TAUGHT_DROOP = 0.45e-3  # m, sag at full extension that the height of the station was taught with
CUP_DIAMETER = 2.0 * float(np.sqrt(CUP_AREA / np.pi))
SAMPLES = 5  # times a control step at which clearances are taken


class WaferSlot(Task):
    """The arm of an equipment front end takes a 300 mm wafer out of a carrier (get), or puts one in (put).

    Between two wafers there are 9.2 mm, of which paddle and cups take 5.3. Droop and ringing of the arm, tilt of the
    carrier, warp of the wafers, errors of slots, mapping and teaching take their share of the rest, and none of them is
    seen: a controller knows what the mapper found when the door was opened, its encoders, and the pressure in its cups.

    At the station, hand-off contacts are meant, no faster than 20 mm/s. Everywhere else paddle and wafer keep 0.2 mm
    from whatever is there, or the episode has failed; that is found by distances in closed form, not by resolving a
    crash. The wafer itself is a body on three cups and four supports: it slides if it is carried faster than vacuum and
    friction allow, mu (g + F / m), and vacuum builds up only where cups seal, less under a warped wafer.

    Two in a hundred carriers hold a fault: a cross-slotted wafer (get) or a slot that is not empty (put). The right
    thing to do then is to abort, which costs less than damage and more than going on; an abort must be requested
    for 0.2 s and ends the episode under its own name.

    Args:
        mode: "get" or "put".
    """

    timing = Timing(control_hz=50.0, timestep_s=0.001, horizon_s=6.0)
    main_metric = "cycle_time"
    success_hold_s = 0.1
    channels = CHANNELS
    start = START
    cameras = CAMERAS
    versions: ClassVar[Mapping[str, str]] = {
        "v0": "first version, with an in-position signal of the arm among the readings"
    }
    randomization: str | None = "wafer_slot"
    failure_texts = {
        "edge_contact": f"paddle or wafer came within {CLEARANCE_MM:g} mm of something away from the hand-off",
        "hard_contact": f"the hand-off began faster than {CONTACT_MM_S:g} mm/s",
        "wafer_lost": f"the wafer slipped on the paddle by more than {LOST_MM:g} mm",
        "misplaced": f"all done, but the wafer slipped by more than {SLIP_MM:g} mm or lies {PLACEMENT_MM:g} mm off",
        "aborted": f"an abort was requested for {ABORT_HOLD_S:g} s; no damage",
    }
    references: ClassVar[tuple[str, ...]] = (
        "SEMI E47.1: boxes and pods used to transport and store 300 mm wafers (FOUP)",
        "SEMI E62: 300 mm front-opening interface mechanical standard (FIMS)",
        "SEMI M1: silicon wafers of 300 mm",
        "O'Hanlon: A User's Guide to Vacuum Technology, Wiley 2003 (pumping of a volume through a conductance)",
    )
    # An abort must cost more than doing nothing until the time limit, and less than damage. Progress weighs as much as
    # it does because half of the risk comes before the first vacuum: without it, a learner stays outside for good.
    rewards = {
        "time": Reward(-0.4, "control period divided by the time of the two radial moves at the machine's limits"),
        "progress": Reward(6.0, "new progress: reach, meet, vacuum, part, retract; 1 in all"),
        "margin": Reward(-1.0, f"clearance used up between {COMFORT_MM:g} and {CLEARANCE_MM:g} mm; 1 in all"),
        "failure": Reward(-5.0, "1 at the step of a failure that is no abort"),
        "abort": Reward(-2.0, "1 at the step of an abort"),
        "success": Reward(3.0, "1 at the step in which success is reached"),
    }
    metrics = {
        "cycle_time": Metric("s", "lower", "start until done, arm retracted; NaN if never"),
        "time_ratio": Metric("1", "lower", "cycle time divided by the two radial moves at the machine's limits"),
        "placement_error": Metric("mm", "lower", "wafer's centre off the middle of its destination, paddle or slot"),
        "min_clearance": Metric("mm", "higher", "smallest distance of paddle or wafer from anything but the hand-off"),
        "slip": Metric("mm", "lower", "largest displacement of the wafer on the paddle while carried"),
        "vacuum_time": Metric(
            "s", "lower", "cups closed until the switch reports vacuum (get); valve until vented (put)"
        ),
        "contact_speed": Metric("mm/s", "lower", "fastest first touch at the hand-off"),
        "peak_acceleration": Metric("m/s^2", "lower", "largest commanded radial acceleration"),
        "aborted": Metric("1", "lower", "1 if the episode ended by an abort"),
    }

    def __init__(self, mode: str = "get"):
        if mode not in MODES:
            raise ShopfloorError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        self.mode = mode
        self.takes = mode == "get"

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """One load port of a front end."""
        return slot_cell(timestep=self.timing.timestep_s, visual=visual)

    def make_action(self) -> SlotMotion:
        """Speed, height, valve and abort."""
        return SlotMotion(HEIGHTS_MM[self.mode])

    def expert(self) -> SlotExpert:
        """What an equipment engineer programs."""
        return SlotExpert(self.takes)

    # -- build ------------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Resolve names and register the rows' arrays."""
        self._plant = SlotPlant(s.sim)
        self._now = {k: s.sim.sensor(k) for k in POSES}
        self._record = {k: s.sim.sensor_slice(k) for k in POSES}
        for name, shape in (
            ("lift_zero", ()), ("sag_full", ()), ("sag_stiffness", ()), ("frequency", ()), ("damping_ratio", ()),
            ("supply_kpa", ()), ("vacuum_tau", ()), ("vent_tau", ()), ("seal_leak", ()), ("leak", ()), ("sealed", ()),
            ("friction", ()), ("warp_m", (3,)), ("tops", (2,)), ("shelf_tops", (2, 2)), ("neighbours", (2,)),
            ("tilt", (2,)), ("touch_height", ()), ("mapped_gap", (2,)), ("taken", (2,)), ("mapped_thickness", ()),
            ("slot_height", ()), ("switch", ()), ("seat_xy", (2,)), ("slip_mm", ()), ("min_clearance_mm", ()),
            ("clearance_now", (len(clearance.HAZARDS),)), ("margin_step", ()), ("touch_gap", ()), ("apart", ()),
            ("contact_speed", ()), ("best", ()), ("progress_step", ()), ("vacuum_time", ()), ("vacuum_wait", ()),
            ("peak_acceleration", ()), ("cycle_time", ()), ("abort_steps", ()),
        ):  # fmt: skip
            s.new(name, shape)
        limit = efem_robot.MOTION_LIMITS["radius"]
        way = STATION_RADIUS - HOME_RADIUS
        self.bound_time = 2.0 * s_curve(way, limit.speed, limit.acceleration, limit.jerk).time
        self._abort_after = round(ABORT_HOLD_S * self.timing.control_hz)
        self._samples = np.linspace(0, self.timing.substeps, SAMPLES + 1).astype(int)[1:] - 1

    # -- episode ----------------------------------------------------------------------------------------------

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Carrier, arm and vacuum of this episode; the arm retracted in front of the slot."""
        plant, found = self._plant, carrier(params, self.takes)
        plant.write_carrier(s, rows, params, found)
        plant.write_arm(s, rows, params)
        self._reckon(s, rows, params, found)
        self._fill_cups(s, rows)
        plant.stand(s, rows, s.lift_zero[rows] + 0.001 * params["start_height"], not self.takes)
        if self.takes:
            plant.lay_in_slot(s, rows, found)
        else:
            plant.lay_on_paddle(s, rows, 0.001 * params["wafer_offset"], found.warp[:, 0])

    def _reckon(self, s: Rows, rows: RowIndex, params: Mapping[str, Array], found: Carrier) -> None:
        """What the controller makes of mapping and teaching: height zero of the lift, free heights."""
        seen = found.present
        neighbours = np.sum(np.where(seen, found.mapped_mm[:, 1:], 0.0), axis=1) / np.maximum(seen.sum(axis=1), 1)
        mapped = found.mapped_mm[:, 0] if self.takes else neighbours
        drop = TAUGHT_DROOP * (STATION_RADIUS / efem_robot.RADIUS_RANGE[1]) ** 2
        s.lift_zero[rows] = lift_at(LOAD_HEIGHT + s.slot_height[rows]) + 0.001 * mapped + drop
        free = 1000.0 * (PITCH - wafer.THICKNESS)
        gaps = np.column_stack((mapped - found.mapped_mm[:, 1], found.mapped_mm[:, 2] - mapped)) + free
        s.mapped_gap[rows] = np.where(seen, gaps, 12.0)
        s.taken[rows], s.mapped_thickness[rows] = seen, found.thickness_mm[:, 0]
        middle = 0.5 * (found.tops[:, 0] + found.tops[:, 1]) - s.slot_height[rows]
        at_pads, at_rim = (wafer.median_height(found.warp[:, 0], r) for r in (wafer.INNER_CIRCLE, wafer.RIM_CIRCLE))
        fallen = s.sag_full[rows] * (STATION_RADIUS / efem_robot.RADIUS_RANGE[1]) ** 2 - drop
        truth = middle + at_pads - at_rim + 0.001 * params["teach_error"][:, 2] + fallen
        s.touch_height[rows] = 1000.0 * truth - mapped

    def _fill_cups(self, s: Rows, rows: RowIndex) -> None:
        gap = lip_gap(s.warp_m[rows, 0], wafer.INNER_CIRCLE, wafer.RADIUS, CUP_DIAMETER)
        s.sealed[rows] = 0.0 if self.takes else 3.0
        s.leak[rows] = manifold_leak(s.sealed[rows], s.seal_leak[rows], gap)
        s.pressure_kpa[rows] = 0.0 if self.takes else s.supply_kpa[rows] / (1.0 + s.leak[rows])
        s.switch[rows] = s.pressure_kpa[rows] < SWITCH_KPA

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """Zero what adds up."""
        for name in (
            "slip_mm", "margin_step", "contact_speed", "best", "progress_step", "vacuum_wait", "peak_acceleration",
            "abort_steps",
        ):  # fmt: skip
            getattr(s, name)[rows] = 0.0
        s.min_clearance_mm[rows] = 1000.0 * clearance.FAR
        s.clearance_now[rows] = 1000.0 * clearance.FAR
        s.cycle_time[rows] = s.vacuum_time[rows] = np.nan
        s.seat_xy[rows] = self._now["seat_position"][rows, :2]
        s.touch_gap[rows] = touch_gap(self._now, s.warp_m[:, 0], s.tops, self.takes)[rows]
        s.apart[rows] = s.touch_gap[rows] > APART_M
        s.best[rows] = self._progress(s)[rows]

    # -- state ------------------------------------------------------------------------------------------------

    def measure(self, s: Rows) -> None:
        """Which cups are closed, and what leaks therefore."""
        gaps = clearance.pad_gaps(self._now["seat_position"], self._now["seat_normal"], s.warp_m[:, 0])
        self._pad_gap = np.min(gaps, axis=1)
        s.sealed[...] = np.sum(gaps < SEAL_M, axis=1)
        bent = lip_gap(s.warp_m[:, 0], wafer.INNER_CIRCLE, wafer.RADIUS, CUP_DIAMETER)
        s.leak[...] = manifold_leak(s.sealed, s.seal_leak, bent)
        supports = clearance.support_gaps(
            self._now["wafer_position"], self._now["wafer_normal"], s.warp_m[:, 0], s.tops
        )
        self._rests, self._support_gap = np.max(supports, axis=1) < SEAL_M, np.min(supports, axis=1)
        self._reach = (s.reference[:, 0] - HOME_RADIUS) / (STATION_RADIUS - HOME_RADIUS)

    def _carries(self, s: Rows) -> NDArray[np.bool_]:
        held: NDArray[np.bool_] = (s.sealed > 2.5) & (s.switch > 0.5)
        return held

    def _released(self) -> NDArray[np.bool_]:
        return self._rests & (self._pad_gap > 0.001 * CLEARANCE_MM)

    def _progress(self, s: Rows) -> Array:
        """Share of the work that the present state stands for: reach, meet, vacuum, part, retract."""
        if self.takes:
            meets, parts = s.touch_gap, self._support_gap
            waiting, handed, vacuum = s.sealed > 2.5, self._carries(s), s.pressure_kpa / SWITCH_KPA
        else:
            meets, parts = s.touch_gap, self._pad_gap
            waiting, handed, vacuum = self._rests, self._released(), 1.0 - s.pressure_kpa / SWITCH_KPA
        there = self._reach > 1.0 - AT_STATION_M / (STATION_RADIUS - HOME_RADIUS)
        share = 0.3 * self._reach + np.where(there, 0.15 * (1.0 - _ramp(meets, APPROACH_M)), 0.0)
        share = np.where(waiting, 0.45 + 0.1 * _ramp(vacuum, 1.0), share)
        share = np.where(handed, 0.55 + 0.1 * _ramp(parts, PART_M) + 0.35 * (1.0 - self._reach), share)
        return np.minimum(np.maximum(share, 0.0), 1.0)

    def accumulate(self, s: Rows) -> None:
        """Clearances, hand-off, slip, vacuum and progress of the control step."""
        poses = {k: s.sensor_record[:, :, part] for k, part in self._record.items()}
        self._find_touch(s, poses)
        self._find_clearance(s, {k: v[:, self._samples] for k, v in poses.items()})
        self._find_slip(s)
        self._find_vacuum(s)
        s.abort_steps[...] = np.where(s.action[:, 3] > ABORT_LEVEL, s.abort_steps + 1.0, 0.0)
        np.maximum(s.peak_acceleration, np.abs(s.reference_acceleration[:, 0]), out=s.peak_acceleration)
        progress = self._progress(s)
        s.progress_step[...] = np.maximum(progress - s.best, 0.0)
        np.maximum(s.best, progress, out=s.best)
        s.cycle_time[...] = np.where(self._done(s), np.fmin(s.cycle_time, s.time_s), np.nan)
        self._plant.stiffen(s, slice(None))

    def _find_touch(self, s: Rows, poses: Mapping[str, Array]) -> None:
        warp = np.broadcast_to(s.warp_m[:, 0, None], (s.n, self.timing.substeps))
        gap = touch_gap(poses, warp, s.tops[:, None], self.takes)
        # the first record repeats the step before, the last one is two physics steps after its neighbour
        gap = gap[:, 1:]
        before = np.concatenate((s.touch_gap[:, None], gap[:, :-1]), axis=1)
        meets = (before > TOUCH_M) & (gap <= TOUCH_M)
        first = np.argmax(meets, axis=1)[:, None]
        spans = np.full(gap.shape[1], s.timing.timestep_s)
        spans[-1] *= 2.0
        closing = 1000.0 * np.take_along_axis((before - gap) / spans, first, axis=1)[:, 0]
        touched = (s.apart > 0.5) & np.any(meets, axis=1)
        s.contact_speed[...] = np.where(touched, np.maximum(s.contact_speed, closing), s.contact_speed)
        # what bounces by less than this is still the same hand-off
        s.apart[...] = np.where(touched, 0.0, s.apart) + (gap[:, -1] > APART_M)
        s.touch_gap[...] = gap[:, -1]

    def _find_clearance(self, s: Rows, poses: Mapping[str, Array]) -> None:
        away = s.radius_record[:, self._samples] < STATION_RADIUS - AT_STATION_M
        gaps = distances(poses, s.warp_m, s.neighbours, s.tops, s.shelf_tops, away)
        s.clearance_now[...] = 1000.0 * np.min(gaps, axis=1)
        least = np.minimum(s.min_clearance_mm, np.min(s.clearance_now, axis=1))
        s.margin_step[...] = _used_up(least) - _used_up(s.min_clearance_mm)
        s.min_clearance_mm[...] = least

    def _find_slip(self, s: Rows) -> None:
        """What the wafer moves on the paddle while it is carried; at the station the count begins anew."""
        seat = self._now["seat_position"][:, :2]
        travelling = (s.sealed > 0.5) & (s.reference[:, 0] < STATION_RADIUS - AT_STATION_M)
        moved = seat - s.seat_xy
        slip = 1000.0 * np.sqrt(moved[:, 0] * moved[:, 0] + moved[:, 1] * moved[:, 1])
        s.slip_mm[...] = np.where(travelling, np.maximum(s.slip_mm, slip), s.slip_mm)
        s.seat_xy[...] = np.where(travelling[:, None], s.seat_xy, seat)

    def _find_vacuum(self, s: Rows) -> None:
        valve = s.action[:, 2] > 0.0
        if self.takes:
            waits, arrived = valve & (s.sealed > 2.5), s.pressure_kpa < SWITCH_KPA
        else:
            waits, arrived = ~valve, s.pressure_kpa > VENTED_KPA
        s.vacuum_wait[...] = np.where(waits, s.vacuum_wait + s.timing.control_dt, 0.0)
        s.vacuum_time[...] = np.where(np.isnan(s.vacuum_time) & waits & arrived, s.vacuum_wait, s.vacuum_time)
        closed = s.pressure_kpa < np.where(s.switch > 0.5, RELEASE_KPA, SWITCH_KPA)
        s.switch[...] = closed

    # -- ends -------------------------------------------------------------------------------------------------

    def _done(self, s: Rows) -> NDArray[np.bool_]:
        """Hand-off made and arm back, whatever has happened to the wafer."""
        back = (self._reach < 0.004) & (np.abs(s.reference_rate[:, 0]) < 0.05)
        handed = self._carries(s) if self.takes else self._released()
        return back & handed

    def _placement(self, s: Rows) -> Array:
        off = self._now["seat_position" if self.takes else "wafer_position"]
        error: Array = 1000.0 * np.sqrt(off[:, 0] * off[:, 0] + off[:, 1] * off[:, 1])
        return error

    def _misplaced(self, s: Rows) -> NDArray[np.bool_]:
        slipped: NDArray[np.bool_] = (s.slip_mm > SLIP_MM) | (self._placement(s) > PLACEMENT_MM)
        return slipped

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """Done, and the wafer where it belongs."""
        return self._done(s) & ~self._misplaced(s)

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Damage, loss, or an abort; a later one of these prevails."""
        return {
            "edge_contact": s.min_clearance_mm < CLEARANCE_MM,
            "hard_contact": s.contact_speed > CONTACT_MM_S,
            "wafer_lost": s.slip_mm > LOST_MM,
            "misplaced": self._done(s) & self._misplaced(s),
            "aborted": self._aborts(s) & ~self._damaged(s),
        }

    def _damaged(self, s: Rows) -> NDArray[np.bool_]:
        damaged: NDArray[np.bool_] = (
            (s.min_clearance_mm < CLEARANCE_MM)
            | (s.contact_speed > CONTACT_MM_S)
            | (s.slip_mm > LOST_MM)
            | (self._done(s) & self._misplaced(s))
        )
        return damaged

    def _aborts(self, s: Rows) -> NDArray[np.bool_]:
        requested: NDArray[np.bool_] = s.abort_steps >= self._abort_after
        return requested

    def violations(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Too close for comfort; slipping."""
        return {"clearance": s.min_clearance_mm < COMFORT_MM, "slip": s.slip_mm > SLIP_MM}

    # -- observations, rewards, metrics -----------------------------------------------------------------------

    def observe_to_station(self, s: Rows) -> Array:
        """From the encoder of the arm."""
        return column(STATION_RADIUS - efem_robot.GEOMETRY.radius(s.sim.qpos[:, self._plant.joints[1]]))

    def observe_at_station(self, s: Rows) -> Array:
        """The arm's in-position signal, from its encoder; networks do not resolve fractions of a millimetre."""
        return (self.observe_to_station(s) < IN_POSITION_M).astype(np.float64)

    def observe_radial_speed(self, s: Rows) -> Array:
        """From the encoder of the arm."""
        phi = s.sim.qpos[:, self._plant.joints[1]]
        return column(efem_robot.GEOMETRY.rate(phi) * s.sim.qvel[:, self._plant.rates[1]])

    def observe_height(self, s: Rows) -> Array:
        """Lift against the height at which a wafer is expected."""
        return column(1000.0 * (s.sim.qpos[:, self._plant.joints[0]] - s.lift_zero))

    def observe_height_rate(self, s: Rows) -> Array:
        """Speed of the lift."""
        return column(1000.0 * s.sim.qvel[:, self._plant.rates[0]])

    def observe_pressure(self, s: Rows) -> Array:
        """Pressure in the manifold."""
        return column(s.pressure_kpa)

    def observe_vacuum_switch(self, s: Rows) -> Array:
        """The switch."""
        return column(s.switch)

    def observe_abort_request(self, s: Rows) -> Array:
        """How long an abort has been requested."""
        return column(np.minimum(s.abort_steps / self._abort_after, 1.0))

    def observe_warp(self, s: Rows) -> Array:
        """Warp in mm."""
        return 1000.0 * s.warp_m

    def reward_time(self, s: Rows) -> Array:
        """Every step costs."""
        return np.full(s.n, s.timing.control_dt / self.bound_time)

    def reward_progress(self, s: Rows) -> Array:
        """New progress."""
        progress: Array = s.progress_step
        return progress

    def reward_margin(self, s: Rows) -> Array:
        """What this step uses up."""
        used: Array = s.margin_step
        return used

    def reward_failure(self, s: Rows) -> Array:
        """Any failure but an abort."""
        return self._damaged(s).astype(np.float64)

    def reward_abort(self, s: Rows) -> Array:
        """An abort."""
        return (self._aborts(s) & ~self._damaged(s)).astype(np.float64)

    def reward_success(self, s: Rows) -> Array:
        """Success reached at this step."""
        return (self.reaches_success(s) & ~self._damaged(s) & ~self._aborts(s)).astype(np.float64)

    def metric_time_ratio(self, s: Rows) -> Array:
        """Against the two radial moves."""
        ratio: Array = s.cycle_time / self.bound_time
        return ratio

    def metric_placement_error(self, s: Rows) -> Array:
        """Off the middle of the destination."""
        return self._placement(s)

    def metric_min_clearance(self, s: Rows) -> Array:
        """Smallest so far."""
        least: Array = s.min_clearance_mm
        return least

    def metric_slip(self, s: Rows) -> Array:
        """Largest so far."""
        slip: Array = s.slip_mm
        return slip

    def metric_aborted(self, s: Rows) -> Array:
        """1 for an abort."""
        return (self._aborts(s) & ~self._damaged(s)).astype(np.float64)

    def overlay(self, s: Rows, row: int) -> Overlay:
        """Where the taught station is, and the way to it, a hand's breadth above the paddle so that one sees it."""
        tcp = self._plant.tcp[row]
        way = np.array([tcp, (0.0, -STATION_RADIUS, tcp[2])]) + np.array([0.0, 0.0, 0.1])
        return Overlay(points=[(way[1], 0.010, (1.0, 0.55, 0.1, 1.0))], traces=[(way, 0.004, (0.1, 0.8, 1.0, 1.0))])


class WaferSlotPick(WaferSlot):
    """A front-end robot takes a 300 mm wafer out of a carrier (get): under it, up, vacuum, out.

    Between two wafers there are 9.2 mm, of which paddle and cups take 5.3. Droop and ringing of the arm, tilt of the
    carrier, warp of the wafers, errors of slots, mapping and teaching take their share of the rest, and none of them is
    seen: a controller knows what the mapper found when the door was opened, its encoders, and the pressure in its cups.

    At the station, hand-off contacts are meant, no faster than 20 mm/s. Everywhere else paddle and wafer keep 0.2 mm
    from whatever is there, or the episode has failed; that is found by distances in closed form, not by resolving a
    crash. The wafer itself is a body on three cups and four supports: it slides if it is carried faster than vacuum and
    friction allow, mu (g + F / m), and vacuum builds up only where cups seal, less under a warped wafer.

    Two in a hundred carriers hold a fault: a cross-slotted wafer. The right thing to do then is to abort, which
    costs less than damage and more than going on; an abort must be requested for 0.2 s and ends the episode under
    its own name.

    What the model leaves out: friction has one coefficient, so that a wafer that slides is not held less than one that
    sticks; air neither drags nor cushions; and a crash is not resolved, it ends the episode.
    """

    title: ClassVar[str] = "front-end robot takes a wafer out of a carrier, between two others, without touching them"
    success_text = (
        f"vacuum holds the wafer and the arm is retracted; slip at most {SLIP_MM:g} mm, the wafer's centre at most "
        f"{PLACEMENT_MM:g} mm off the paddle's"
    )

    def __init__(self) -> None:
        super().__init__("get")


class WaferSlotPlace(WaferSlot):
    """A front-end robot puts a 300 mm wafer into a slot of a carrier (put): above it, vent, down, out.

    Between two wafers there are 9.2 mm, of which paddle and cups take 5.3. Droop and ringing of the arm, tilt of the
    carrier, warp of the wafers, errors of slots, mapping and teaching take their share of the rest, and none of them is
    seen: a controller knows what the mapper found when the door was opened, its encoders, and the pressure in its cups.

    At the station, hand-off contacts are meant, no faster than 20 mm/s. Everywhere else paddle and wafer keep 0.2 mm
    from whatever is there, or the episode has failed; that is found by distances in closed form, not by resolving a
    crash. The wafer itself is a body on three cups and four supports: it slides if it is carried faster than vacuum and
    friction allow, mu (g + F / m), and vacuum builds up only where cups seal, less under a warped wafer.

    Two in a hundred carriers hold a fault: a slot that is not empty. The right thing to do then is to abort, which
    costs less than damage and more than going on; an abort must be requested for 0.2 s and ends the episode under
    its own name.

    What the model leaves out: friction has one coefficient, so that a wafer that slides is not held less than one that
    sticks; air neither drags nor cushions; and a crash is not resolved, it ends the episode.
    """

    title: ClassVar[str] = "front-end robot puts a wafer into a slot of a carrier, between two others"
    success_text = (
        f"the wafer rests on the four supports of its slot, at most {PLACEMENT_MM:g} mm off the middle, and the arm is "
        "retracted"
    )

    def __init__(self) -> None:
        super().__init__("put")


def _used_up(clearance_mm: Array) -> Array:
    return np.minimum(np.maximum((COMFORT_MM - clearance_mm) / (COMFORT_MM - CLEARANCE_MM), 0.0), 1.0)


def _ramp(value: Array, end: float) -> Array:
    return np.minimum(np.maximum(value / end, 0.0), 1.0)
