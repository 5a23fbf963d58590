"""Searching: the robot's own cycle between one decision of a policy and the next."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.weld_cell import TABLE_TOP, WELDERS
from ...assets.fixtures.wire_cutter import HEIGHT
from ...assets.robots.arm import Arm
from ...errors import ShopfloorError
from ..control import ActionTerm
from ..control.chain import SerialChain
from ..control.joint import ramp
from ..engine.task import Rows
from . import touch_fit as fit
from .touch_joint import ACROSS, ALONG, LENGTH, UP, TouchedPart, TouchJoint, to_place, to_world
from .touch_wire import BREAK_IN, CUT_BEND, CUT_STICKOUT, ELASTIC, LATENCY_S, REST_NOISE, SCAN_S, TouchWire

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

READY, RISE, TRAVEL, LOWER, SEARCH, HOLD, BACK, CUT = range(8)
CHOICES = ("flat", "wall", "end", "cut", "declare")
CUTTING, DECLARING = 3, 4

CHUNK = 2  # physics steps between two looks of the controller: 10 ms
SPEED_MM_S, STOP_MM, CLEAR_MM = (5.0, 100.0), (1.5, 25.0), (3.0, 20.0)
THRESHOLD = (0.2, 0.9)
SPAN = 0.45 * LENGTH  # m, of places to touch on either side of the seam's middle
SAFE = (-0.030, 0.030)  # m, across and up from the expected root: where the torch travels along the seam
CUTTER = np.array([0.80, -0.36, TABLE_TOP + HEIGHT])  # jaws of the cutter, world, m
AIR_SPEED, AIR_ACCELERATION = 0.5, 3.0  # m/s, m/s^2: peaks of moves through the air
BACK_WAY, SPEED_UP_S, HOLD_S, CUT_S = 0.006, 0.040, 0.080, 1.2
SERVO_LAG_S = 0.037  # of the arm's position servos, from commissioning
FLOOR = 0.04e-3  # m, scatter of a touch that the fit expects
ROLL_SIGMA = np.radians(0.2)  # of a part about its seam, by the clamping
SUSPECT_OHM, SUSPECT_SIGMA = 0.3, 0.5e-3  # contact resistance from which it is taken for scale; m, its scatter then

SCALE_PUSH, MISSED_BEND = 0.8e-3, 2.0e-3  # m, push that scale may take; bend after a search that found only scale
PUSHED = 0.85  # share of the open-circuit voltage below which a search that found nothing was on something

ROW_ARRAYS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("reference", (3,)), ("move_from", (3,)), ("move_to", (3,)), ("phase_time", ()), ("phase_duration", ()),
    ("search_speed", ()), ("stop_distance", ()), ("clearance", ()), ("threshold", ()), ("probe_station", ()),
    ("probe_place", ()), ("touches", (3,)), ("balance", (2,)), ("missed", ()), ("probes", ()), ("safe", ()),
    ("rest_voltage", ()), ("innovation", ()), ("joint_reference", (6,)),
)  # fmt: skip


class TouchMotion:
    """One decision a search: touch the flat plate, the wall or the end of the part, cut the wire, or declare the joint.

    A set-point is read at the first control step at which the robot is ready; the largest of the five scores chooses. A
    search goes to its place along the seam and to `stop_distance` before the surface that the fit expects, moves
    towards it at `search_speed` until the voltage of the wire falls below `threshold`, or until it is `stop_distance`
    beyond. The controller latches the position, takes off what the nominal latency is worth, rests, and goes back a
    little. Where the circuit is open again at rest, the trigger was noise, and the search goes on. The cutter stands
    at the other end of the table. A joint is only declared once something has been touched.

    Args:
        arm: the robot.
        joint: what is touched.
    """

    name = "touch_motion"

    def __init__(self, arm: Arm, joint: TouchJoint):
        self.arm, self.joint = arm, joint

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """Choice, place, speed, distances and threshold."""
        first = "the largest of flat, wall, end, cut and declare is done next"
        rest = ("see flat", "see flat", "see flat", "see flat; ends the episode with the fit's joint")
        scores = [ActionTerm(n, "1", -1.0, 1.0, "", t) for n, t in zip(CHOICES, (first, *rest), strict=True)]
        return (
            *scores,
            ActionTerm("place", "1", -1.0, 1.0, "seam", "of a touch along the seam, near its start to near its end"),
            ActionTerm("search_speed", "mm/s", *SPEED_MM_S, "seam", "towards the surface"),
            ActionTerm("stop_distance", "mm", *STOP_MM, "seam", "search from so far before the expected surface to so "
                       "far beyond"),
            ActionTerm("clearance", "mm", *CLEAR_MM, "seam", "distance of the touched point from the root"),
            ActionTerm("threshold", "1", *THRESHOLD, "", "share of the open-circuit voltage that counts as contact"),
        )  # fmt: skip

    def limits(self) -> dict[str, Any]:
        """Limits as plain data."""
        return {
            "joints": list(self.arm.joints), "joint_velocity": list(self.arm.velocity), "velocity": AIR_SPEED,
            "acceleration": AIR_ACCELERATION,
        }  # fmt: skip

    def bind(self, s: Rows) -> None:
        """Resolve the arm and register the cycle's state."""
        if s.timing.substeps % CHUNK:
            raise ShopfloorError(f"a control step must be a multiple of {CHUNK} physics steps, got {s.timing.substeps}")
        self._chunks, self._dt = s.timing.substeps // CHUNK, CHUNK * s.timing.timestep_s
        for name, shape in ROW_ARRAYS:
            s.new(name, shape)
        for name in ("phase", "kind"):
            s.new(name, dtype=np.int64)
        s.new("declared", dtype=bool)
        s.new("fit_mean", (fit.SIZE,))
        s.new("fit_cov", (fit.SIZE, fit.SIZE))
        self._qpos, self._ctrl = s.sim.qpos_index(self.arm.joints), s.sim.ids("actuator", self.arm.joints)
        self._low, self._high = np.asarray(self.arm.low), np.asarray(self.arm.high)
        self._joint_step = np.asarray(self.arm.velocity) * self._dt
        self._chain = SerialChain(s.sim.model, self.arm.joints, "tcp")
        self._rotation = np.repeat(torch_rotation()[None], s.n, axis=0)
        self._start = start_angles(self._chain, self.arm, self.joint)
        self.wire = TouchWire(s, TouchedPart(s, self.joint), self._dt)

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """At rest, nothing touched."""
        for name, _ in ROW_ARRAYS:
            getattr(s, name)[rows] = 0.0
        s.reference[rows] = s.move_from[rows] = s.move_to[rows] = np.array([0.0, *SAFE])
        s.phase[rows], s.kind[rows], s.declared[rows], s.safe[rows] = READY, -1, False, 1.0
        s.threshold[rows] = 0.5
        s.joint_reference[rows] = self._start
        self.wire.reset(s, rows)
        self.wire.measure_gap(s)

    # -- one control step -------------------------------------------------------------------------------------

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Decide where a robot is ready, and run the cycles, looking at the wire every 10 ms."""
        self._decide(s, setpoints, rows)
        for chunk in range(self._chunks):
            now = s.time_s + (chunk + 1) * self._dt
            self._advance(s, now - self._dt)
            self.wire.begin_chunk(s)
            self._follow(s, rows)
            s.phase_time += self._dt
            self.wire.feel(s, now, s.phase == SEARCH)

    def _follow(self, s: Rows, rows: NDArray[np.intp] | None) -> None:
        s.reference[...] = self._at(s, s.phase_time + self._dt)
        start = s.joint_reference.copy()
        wanted = self._chain.solve(start, to_world(self.joint, s.reference), self._rotation)
        step = np.minimum(np.maximum(wanted - start, -self._joint_step), self._joint_step)
        s.joint_reference[...] = np.minimum(np.maximum(start + step, self._low), self._high)
        commands = np.repeat(s.sim.ctrl[:, None, :], CHUNK, axis=1)
        commands[:, :, self._ctrl] = ramp(start, s.joint_reference, CHUNK)
        s.sim.follow(commands if rows is None else commands[rows], rows)

    def _at(self, s: Rows, time: Array) -> Array:
        """Set-points (n, 3) at `time` (n,) of the phase: quintic through the air, constant speed in a search."""
        way = s.move_to - s.move_from
        length = np.sqrt(way[:, 0] ** 2 + way[:, 1] ** 2 + way[:, 2] ** 2)
        u = np.minimum(time / np.maximum(s.phase_duration, 1e-9), 1.0)
        air = u * u * u * (10.0 - 15.0 * u + 6.0 * u * u)
        t = np.maximum(time - 0.5 * SPEED_UP_S, 0.5 * time * time / SPEED_UP_S * (time < SPEED_UP_S))
        search = np.minimum(s.search_speed * t / np.maximum(length, 1e-9), 1.0)
        share = np.where(s.phase == SEARCH, search, air)
        out: Array = s.move_from + share[:, None] * way
        return out

    # -- decisions --------------------------------------------------------------------------------------------

    def _decide(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        ready = (s.phase == READY) & ~s.declared
        if rows is not None:  # what is not stepped does not decide
            stepped = np.zeros(s.n, dtype=bool)
            stepped[rows] = True
            ready &= stepped
        choice = np.argmax(setpoints[:, :5], axis=1)
        touched = s.touches[:, 0] + s.touches[:, 1] + s.touches[:, 2] > 0.0
        s.declared |= ready & (choice == DECLARING) & touched
        go = ready & (choice != DECLARING)
        if not go.any():
            return
        s.kind[...] = np.where(go, choice, s.kind)
        for name, column, factor in (
            ("search_speed", 6, 1e-3), ("stop_distance", 7, 1e-3), ("clearance", 8, 1e-3), ("threshold", 9, 1.0),
        ):  # fmt: skip
            array = getattr(s, name)
            array[...] = np.where(go, factor * setpoints[:, column], array)
        s.probe_place[...] = np.where(go, setpoints[:, 5], s.probe_place)
        station = SPAN * setpoints[:, 5] + s.fit_mean[:, fit.ALONG]
        s.probe_station[...] = np.where(go, station, s.probe_station)
        self._enter(s, go & (s.safe < 0.5), RISE)
        self._enter(s, go & (s.safe > 0.5), TRAVEL)

    # -- phases -----------------------------------------------------------------------------------------------

    def _advance(self, s: Rows, now: Array) -> None:
        """Next phase of rows whose phase is over."""
        over = s.phase_time >= s.phase_duration - 1e-9
        triggered = (s.has_latched > 0.5) & (s.phase == SEARCH)
        due = (over | triggered) & (s.phase != READY)
        if not due.any():
            return
        at = [due & (s.phase == k) for k in range(8)]
        cutting = s.kind == CUTTING
        self._enter(s, at[RISE], TRAVEL)
        self._enter(s, at[TRAVEL] & cutting, CUT)
        self._enter(s, at[TRAVEL] & ~cutting, LOWER)
        self._enter(s, at[LOWER], SEARCH)
        s.probes += at[LOWER]
        if at[LOWER].any():
            self.wire.arm(s, at[LOWER])
        self._enter(s, at[SEARCH] & triggered, HOLD)
        missed = at[SEARCH] & ~triggered
        s.missed += missed
        # what has not closed the circuit may still have been pushed against: scale that the wire does not break
        self._doubt_wire(s, missed & (s.voltage < PUSHED), np.full(s.n, MISSED_BEND))
        closed = s.voltage < 0.5 * (1.0 + s.threshold)
        found, noise = at[HOLD] & closed, at[HOLD] & ~closed
        if found.any():
            self._take(s, found)
        if noise.any():
            self._search_on(s, noise)
        self._enter(s, missed | found, BACK)
        if at[CUT].any():
            self._cut(s, at[CUT])
        self._enter(s, at[BACK] | at[CUT], READY)

    def _enter(self, s: Rows, rows: Mask, phase: int) -> None:
        """Begin a phase: where it leads and how long it takes."""
        if not rows.any():
            return
        s.phase[rows], s.phase_time[rows] = phase, 0.0
        s.move_from[rows] = s.reference[rows]
        if phase in (READY, HOLD, CUT):
            s.move_to[rows] = s.reference[rows]
            s.phase_duration[rows] = {READY: 0.0, HOLD: HOLD_S, CUT: CUT_S}[phase]
            if phase == READY:
                s.raised[rows] = 0.0  # what sticks on a plate is at one place
            return
        target = self._target(s, phase)
        s.move_to[...] = np.where(rows[:, None], target, s.move_to)
        self._time(s, rows, phase)
        if phase in (RISE, LOWER):
            s.safe[rows] = float(phase == RISE)

    def _search_on(self, s: Rows, rows: Mask) -> None:
        """From here to where the search would have ended."""
        s.phase[rows], s.phase_time[rows] = SEARCH, 0.0
        s.move_from[rows] = s.reference[rows]
        _, beyond, _ = self._search(s)
        s.move_to[...] = np.where(rows[:, None], beyond, s.move_to)
        self._time(s, rows, SEARCH)
        self.wire.rearm(s, rows)

    def _time(self, s: Rows, rows: Mask, phase: int) -> None:
        """How long the straight way from `move_from` to `move_to` takes."""
        way = s.move_to - s.move_from
        length = np.sqrt(way[:, 0] ** 2 + way[:, 1] ** 2 + way[:, 2] ** 2)
        if phase == SEARCH:
            time = length / np.maximum(s.search_speed, 1e-6) + 0.5 * SPEED_UP_S
        else:  # peaks of the quintic's speed and acceleration
            time = np.maximum(1.875 * length / AIR_SPEED, np.sqrt(5.774 * length / AIR_ACCELERATION))
        s.phase_duration[...] = np.where(rows, time, s.phase_duration)

    def _target(self, s: Rows, phase: int) -> Array:
        """Where the phase leads (n, 3), by the fit so far."""
        before, beyond, way = self._search(s)
        if phase == LOWER:
            return before
        if phase == SEARCH:
            return beyond
        if phase == BACK:
            back: Array = s.reference - BACK_WAY * way
            return back
        mean = s.fit_mean
        station = s.reference[:, 0] if phase == RISE else np.where(s.kind == fit.END, before[:, 0], s.probe_station)
        across = mean[:, fit.ACROSS] + mean[:, fit.YAW] * station + SAFE[0]
        up = mean[:, fit.UP] + mean[:, fit.SLOPE] * station + SAFE[1]
        out = np.stack((station, across, up), axis=1)
        if phase == TRAVEL:
            out = np.where((s.kind == CUTTING)[:, None], to_place(self.joint, CUTTER[None]), out)
        return out

    def _search(self, s: Rows) -> tuple[Array, Array, Array]:
        """Where the search begins, where it gives up, and its direction, each (n, 3): station, across, up."""
        joint, mean = self.joint, s.fit_mean
        end = s.kind == fit.END
        station = np.where(end, mean[:, fit.ALONG] - 0.5 * LENGTH, s.probe_station)
        across = mean[:, fit.ACROSS] + mean[:, fit.YAW] * station
        up = mean[:, fit.UP] + mean[:, fit.SLOPE] * station
        wall = np.minimum(s.clearance, joint.wall_most)
        flat = np.stack((station, across + joint.flat_side * s.clearance, up + joint.flat_up), axis=1)
        side = np.stack((station, across + joint.wall_across, up + joint.wall_side * wall), axis=1)
        face = np.stack((station, across + joint.end[0], up + joint.end[1]), axis=1)
        at = np.where(end[:, None], face, np.where((s.kind == fit.WALL)[:, None], side, flat))
        way = np.zeros((s.n, 3))
        way[:, 0], way[:, 1], way[:, 2] = end, s.kind == fit.WALL, -1.0 * (s.kind == fit.FLAT)
        reach = s.stop_distance[:, None] * way
        return at - reach, at + reach, way

    # -- what a touch tells -----------------------------------------------------------------------------------

    def _take(self, s: Rows, rows: Mask) -> None:
        """Tell the fit of the touches of `rows`."""
        voltage = np.maximum(s.voltage - 2.0 * REST_NOISE * s.voltage_noise, 0.0)
        ohm = voltage / np.maximum(1.0 - voltage, 1e-3)
        # pushed this far in, a clean contact would have next to no resistance left
        first = ohm * np.exp(s.search_speed * (LATENCY_S + SERVO_LAG_S) / BREAK_IN)
        suspect = SUSPECT_SIGMA * (first > SUSPECT_OHM)
        jitter = s.search_speed * SCAN_S / np.sqrt(12.0)
        lean = ROLL_SIGMA * np.where(s.kind == fit.WALL, np.minimum(s.clearance, self.joint.wall_most), s.clearance)
        variance = FLOOR**2 + s.touch_noise**2 + jitter * jitter + suspect * suspect
        for kind, part, sign, offset in (
            (fit.FLAT, 2, -1.0, self.joint.flat_up), (fit.WALL, 1, 1.0, self.joint.wall_across),
            (fit.END, 0, 1.0, -0.5 * LENGTH),
        ):  # fmt: skip
            these = rows & (s.kind == kind)
            if not these.any():
                continue
            overshoot = sign * s.search_speed * LATENCY_S
            value = s.latched[:, part] - overshoot + s.scatter[:, 1] - offset
            if kind == fit.END:  # the face is square to the seam
                value = value + s.fit_mean[:, fit.YAW] * self.joint.end[0]
            spread = variance if kind == fit.END else variance + lean * lean
            row = fit.touch_row(kind, s.latched[:, 0])
            found = fit.update(s.fit_mean, s.fit_cov, row, value, spread, these)
            s.innovation[...] = np.where(these, found, s.innovation)
            s.touches[:, kind] += these
            if kind != fit.END:
                s.balance[:, kind] += np.where(these, s.probe_place, 0.0)
        s.rest_voltage[...] = np.where(rows, s.voltage, s.rest_voltage)
        push = s.search_speed * (LATENCY_S + SERVO_LAG_S) + SCALE_PUSH * (suspect > 0.0)
        sideways = np.where(s.kind == fit.END, 1.0, np.sqrt(0.5))
        self._doubt_wire(s, rows, np.maximum(sideways * push - ELASTIC, 0.0))

    def _doubt_wire(self, s: Rows, rows: Mask, bend: Array) -> None:
        """Let the fit allow for a bend (n,), m, that the search of `rows` may have left."""
        for k, these in ((fit.BEND_ALONG, rows & (s.kind == fit.END)), (fit.BEND, rows & (s.kind != fit.END))):
            s.fit_cov[:, k, k] += np.where(these, bend * bend, 0.0)

    def _cut(self, s: Rows, rows: Mask) -> None:
        """A new end of the wire: what the fit knew of the old one is of no use."""
        self.wire.cut(s, rows)
        forget_wire(s.fit_mean, s.fit_cov, rows, (CUT_STICKOUT, CUT_BEND, CUT_BEND))


def torch_rotation() -> Array:
    """Rotation (3, 3) of the TCP in all searches: z along the wire, which leans by 45 degrees, y against the seam."""
    wire = fit.AXIS[0] * ALONG + fit.AXIS[1] * ACROSS + fit.AXIS[2] * UP
    square = fit.SQUARE[1] * ACROSS + fit.SQUARE[2] * UP
    return np.stack((square, -ALONG, wire), axis=1)


def start_angles(chain: SerialChain, arm: Arm, joint: TouchJoint) -> Array:
    """Configuration (dof,) with the wire over the middle of the nominal seam.

    Raises:
        ShopfloorError: if the arm does not get there within its range.
    """
    start = to_world(joint, np.array([[0.0, *SAFE]]))
    angles = chain.solve(np.array(WELDERS[arm.name].home)[None], start, torch_rotation()[None], iterations=20)
    reached, _ = chain.forward(angles)
    inside = ((angles[0] > np.asarray(arm.low)) & (angles[0] < np.asarray(arm.high))).all()
    if not inside or np.abs(reached - start).max() > 1e-6:
        raise ShopfloorError(f"{arm.name} does not reach the part at {start[0].round(3).tolist()} m")
    return angles[0]


def forget_wire(mean: Array, cov: Array, rows: Mask, sigma: tuple[float, float, float]) -> None:
    """Give the wire of `rows` standard deviations (stick-out, bend, bend along), uncorrelated with the joint."""
    wire = np.array([fit.STICKOUT, fit.BEND, fit.BEND_ALONG])
    at = np.flatnonzero(rows)
    mean[np.ix_(at, wire)] = 0.0
    for k, spread in zip(wire.tolist(), sigma, strict=True):
        cov[at, k, :] = 0.0
        cov[at, :, k] = 0.0
        cov[at, k, k] = spread * spread
