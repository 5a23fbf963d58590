"""Probing: the robot's own cycles between one decision of a policy and the next."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.slot import PADDLE_MOMENT, SAG_FREQUENCY_HZ, SAG_LEVER
from ...assets.cells.teach import STATION
from ...assets.fixtures.teach_station import PIN_RADIUS
from ...assets.robots.efem_robot import COMPLIANCE, GEOMETRY, LIFT_RANGE, MOTION_LIMITS, RADIUS_RANGE
from ...errors import ShopfloorError
from ..control import ActionTerm
from ..engine.task import Rows
from . import teach_fit as fit
from .center_motion import move_time, smooth_trapezoid
from .teach_geometry import SWEEP_OFFSET, TOUCH_OFFSET, ball_lift, droop_lever, polar, sag_share
from .teach_touch import Touch

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

READY, RISE, TRAVEL, LOWER, SETTLE, SEARCH, HOLD, LIFT_OFF, SWEEP = range(9)
SWEEPS, TOUCHES = 1, 2  # kinds of a probe

CHUNK = 5  # physics steps between two looks at the force: 10 ms
SPEED_MM_S = {"sweep": (10.0, 200.0), "touch": (2.0, 30.0)}
THRESHOLD_N = (0.15, 0.85)
TOUCH_CIRCLE = 0.100  # m, of touches around the centre: clear of the pin, for the stylus and for the heads

AXIS_SPEED, AXIS_ACCELERATION = np.array([1.0, 2.5, 0.4]), np.array([3.0, 5.0, 2.0])  # m or rad, of radius, theta, lift
SWEEP_ACCELERATION = 2.0  # m/s^2
# Moves are averaged over the period of a mode, which leaves it at rest: the radial, the lateral, the vertical one.
SWEEP_PERIOD, TRAVEL_PERIOD = (1.0 / float(f) for f in COMPLIANCE.frequencies(STATION[0] - SWEEP_OFFSET))
LIFT_PERIOD = 1.0 / SAG_FREQUENCY_HZ
SWEEP_MARGIN = 0.0012  # m
TOP, SWEEP_HEIGHT = 0.0250, 0.0035  # m, lowest point of the ball above the plane: over the pin; with the beams at it
SEARCH_MARGIN, SEARCH_MOST = 0.0003, 0.0036  # m, height from which the stylus searches
SEARCH_DEPTH = 0.0008  # m, further below the expected plane than three standard deviations
SETTLE_S, HOLD_S, SPEED_UP_S, STOP_S = 0.08, 0.08, 0.010, 0.004
STOP_ACCELERATION = MOTION_LIMITS["lift"].acceleration  # m/s^2, of a stop from a fast search

ROW_ARRAYS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("reference", (3,)), ("reference_rate", (3,)), ("move_from", (3,)), ("move_to", (3,)), ("phase_time", ()),
    ("phase_duration", ()), ("probe_speed", ()), ("threshold", ()), ("probe_place", (2,)), ("search_bottom", ()),
    ("sweep_length", ()), ("sweep_direction", ()), ("sweep_begin", ()), ("sweep_end", ()), ("triggered", ()),
    ("sweeps", ()), ("touches", ()), ("missed", ()), ("touch_balance", (2,)), ("up", ()), ("outside", ()),
)  # fmt: skip


class TeachMotion:
    """One decision a probe: sweep the beams past the pin, touch the plane, or declare the fit's pose.

    A set-point is read at the first control step at which the robot is ready; the largest of `sweep`, `touch` and
    `declare` chooses. A sweep runs along the arm past the pin at constant speed, once, and ends on the other side, so
    that sweeps alternate in direction. A touch goes to a point of a circle around the centre, comes down to where the
    fit says that the plane must be near, waits, takes the force as zero, searches downwards until the force has reached
    the threshold, stops, reads height and force at rest, and rises above the pin. A force that is not there at rest was
    noise, and the search goes on. A pose is only declared once something has been measured.

    Needs the row arrays `fit_mean` and `fit_cov` (see `teach_fit`), `sag_full` (m), `sag_stiffness` (N m/rad), and
    what `Touch` needs.
    """

    name = "teach_motion"

    def __init__(self) -> None:
        self.touch = Touch()

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """Choice, speeds, threshold, direction."""
        return (
            ActionTerm("sweep", "1", -1.0, 1.0, "", "the largest of sweep, touch and declare is done next"),
            ActionTerm("touch", "1", -1.0, 1.0, "", "see sweep"),
            ActionTerm("declare", "1", -1.0, 1.0, "", "see sweep; ends the episode with the fit's pose"),
            ActionTerm("sweep_speed", "mm/s", *SPEED_MM_S["sweep"], "station", "of the beams past the pin"),
            ActionTerm("touch_speed", "mm/s", *SPEED_MM_S["touch"], "station", "of the stylus in search of the plane"),
            ActionTerm("threshold", "N", *THRESHOLD_N, "", "force at which the search stops"),
            ActionTerm("touch_along", "1", -1.0, 1.0, "station", "direction of the point to touch, outward"),
            ActionTerm("touch_across", "1", -1.0, 1.0, "station", "direction of the point to touch, to the left"),
        )

    def limits(self) -> dict[str, Any]:
        """Limits as plain data."""
        return {
            "axes": ["radius", "theta", "lift"],
            "velocity": AXIS_SPEED.tolist(),
            "acceleration": AXIS_ACCELERATION.tolist(),
            "radius": list(RADIUS_RANGE),
            "lift": list(LIFT_RANGE),
        }

    def bind(self, s: Rows) -> None:
        """Resolve actuators and register the cycles' state."""
        if s.timing.substeps % CHUNK:
            raise ShopfloorError(f"a control step must be a multiple of {CHUNK} physics steps, got {s.timing.substeps}")
        self._chunks = s.timing.substeps // CHUNK
        self._dt = CHUNK * s.timing.timestep_s
        self._times = s.timing.timestep_s * np.arange(1.0, CHUNK + 1.0)
        names = [f"{j}_{t}" for j in ("a_shoulder", "theta", "lift") for t in ("position", "velocity")]
        self._actuators = s.sim.ids("actuator", names)
        self._sag = s.sim.id("actuator", "a_sag")
        for name, shape in ROW_ARRAYS:
            s.new(name, shape)
        s.new("phase", dtype=np.int64)
        s.new("kind", dtype=np.int64)
        s.new("declared", dtype=bool)
        self.touch.bind(s, self._chunks, CHUNK)

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """At rest above the pin; the task has written `reference`."""
        for name, _ in ROW_ARRAYS[1:]:
            getattr(s, name)[rows] = 0.0
        s.phase[rows], s.kind[rows], s.declared[rows] = READY, 0, False
        s.up[rows] = 1.0
        s.sweep_begin[rows] = s.sweep_end[rows] = -1.0
        s.move_from[rows] = s.move_to[rows] = s.reference[rows]
        self.touch.reset(s, rows)

    # -- one control step -------------------------------------------------------------------------------------

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Decide where a robot is ready, and run the cycles, looking at the force every 10 ms."""
        self._decide(s, setpoints)
        self.touch.begin_step(s)
        parts = []
        for chunk in range(self._chunks):
            now = s.time_s + chunk * self._dt
            self._advance(s, now)
            position, rate = self._motion(s)
            commands = self._commands(s, position, rate)
            record = self._follow(s, commands, rows)
            s.phase_time += self._dt
            s.reference[...], s.reference_rate[...] = position[:, -1], rate[:, -1]
            self.touch.feel(s, record, chunk, searching=s.phase == SEARCH, holding=s.phase == HOLD)
            parts.append(record if chunk == 0 else record[:, 1:])
        s.sensor_record = np.concatenate(parts, axis=1)

    def _follow(self, s: Rows, commands: Array, rows: NDArray[np.intp] | None) -> Array:
        """Records (n, CHUNK, sensors) of the chunk; rows that do not move repeat their present sensor data."""
        records = s.sim.follow(commands if rows is None else commands[rows], rows, record=True)
        assert records is not None
        if rows is None:
            return records
        full = np.repeat(s.sim.output("sensordata")[:, None], CHUNK, axis=1)
        full[rows] = records
        return full

    def _commands(self, s: Rows, position: Array, rate: Array) -> Array:
        phi = GEOMETRY.extension_angle(position[:, :, 0])
        commands = np.repeat(s.sim.ctrl[:, None, :], CHUNK, axis=1)
        values = (
            phi, rate[:, :, 0] / GEOMETRY.rate(phi), position[:, :, 1], rate[:, :, 1], position[:, :, 2], rate[:, :, 2]
        )  # fmt: skip
        for actuator, value in zip(self._actuators.tolist(), values, strict=True):
            commands[:, :, actuator] = value
        commands[:, :, self._sag] = hang(s, slice(None), position[:, :, 0])
        return commands

    # -- decisions --------------------------------------------------------------------------------------------

    def _decide(self, s: Rows, setpoints: Array) -> None:
        ready = (s.phase == READY) & ~s.declared
        if not ready.any():
            return
        choice = np.argmax(setpoints[:, :3], axis=1)
        # a pose of which nothing has been measured is not stored
        s.declared |= ready & (choice == 2) & (s.sweeps + s.touches > 0.0)
        sweep, touch = ready & (choice == 0), ready & (choice == 1)
        s.kind[...] = np.where(sweep, SWEEPS, np.where(touch, TOUCHES, s.kind))
        speed = 0.001 * np.where(sweep, setpoints[:, 3], setpoints[:, 4])
        s.probe_speed[...] = np.where(sweep | touch, speed, s.probe_speed)
        s.threshold[...] = np.where(touch, setpoints[:, 5], s.threshold)
        along, across = np.ascontiguousarray(setpoints[:, 6]), np.ascontiguousarray(setpoints[:, 7])
        length = np.sqrt(along * along + across * across)
        small = length < 1e-6
        unit = np.stack((np.where(small, 1.0, along), np.where(small, 0.0, across)), axis=-1)
        unit /= np.where(small, 1.0, length)[:, None]
        s.probe_place[...] = np.where(touch[:, None], TOUCH_CIRCLE * unit, s.probe_place)
        self._set_sweep(s, sweep)
        flat = s.up < 0.5
        self._enter(s, touch & flat, RISE)
        self._enter(s, sweep | (touch & ~flat), TRAVEL)

    def _set_sweep(self, s: Rows, rows: Mask) -> None:
        """Length and direction of a sweep: past the pin wherever it may be, with room to speed up."""
        doubt = np.sqrt(s.fit_cov[:, fit.X, fit.X]) + np.sqrt(s.fit_cov[:, fit.Y, fit.Y])
        half = np.sqrt(2.0) * PIN_RADIUS + SWEEP_MARGIN + np.minimum(3.0 * doubt, 0.0045)
        speed = s.probe_speed
        ramp = 0.5 * speed * speed / SWEEP_ACCELERATION + 0.5 * speed * SWEEP_PERIOD
        s.sweep_length[...] = np.where(rows, 2.0 * (half + ramp), s.sweep_length)
        s.sweep_direction[...] = np.where(rows, np.where(s.outside > 0.5, -1.0, 1.0), s.sweep_direction)

    # -- phases -----------------------------------------------------------------------------------------------

    def _advance(self, s: Rows, now: Array) -> None:
        """Next phase of rows whose phase is over."""
        over = s.phase_time >= s.phase_duration - 1e-9
        due = (over | (s.triggered > 0.5)) & (s.phase != READY)
        if not due.any():
            return
        phase, sweeping = s.phase.copy(), s.kind == SWEEPS
        at = [due & (phase == k) for k in range(9)]
        self._enter(s, at[RISE], TRAVEL)
        self._enter(s, at[TRAVEL] & sweeping & (s.up < 0.5), SWEEP)
        self._enter(s, at[TRAVEL] & ~(sweeping & (s.up < 0.5)), LOWER)
        self._enter(s, at[LOWER] & sweeping, SWEEP)
        begun = s.phase == SWEEP
        s.sweep_begin[...] = np.where(begun & (phase != SWEEP), now, s.sweep_begin)
        s.sweep_end[...] = np.where(begun & (phase != SWEEP), np.inf, s.sweep_end)
        self._enter(s, at[LOWER] & ~sweeping, SETTLE)
        self._enter(s, at[SETTLE], SEARCH)
        self._enter(s, at[SEARCH] & (s.triggered > 0.5), HOLD)
        self._enter(s, at[SEARCH] & (s.triggered < 0.5), LIFT_OFF)
        s.missed += at[SEARCH] & (s.triggered < 0.5)
        if at[HOLD].any():
            felt = at[HOLD] & self.touch.confirmed(s)
            self.touch.take(s, felt)
            s.touches += felt
            s.touch_balance += np.where(felt[:, None], s.probe_place / TOUCH_CIRCLE, 0.0)
            self._enter(s, felt, LIFT_OFF)
            self._enter(s, at[HOLD] & ~felt, SEARCH)
        self._finish(s, at[LIFT_OFF] | at[SWEEP], now, at[SWEEP])
        s.triggered[due] = 0.0

    def _finish(self, s: Rows, rows: Mask, now: Array, swept: Mask) -> None:
        s.sweep_end[...] = np.where(swept, now, s.sweep_end)
        s.sweeps += swept
        s.outside[...] = np.where(swept, s.sweep_direction > 0.0, s.outside)
        self._enter(s, rows, READY)

    def _enter(self, s: Rows, rows: Mask, phase: int) -> None:
        """Begin a phase: where it leads and how long it takes."""
        if not rows.any():
            return
        s.phase[rows], s.phase_time[rows] = phase, 0.0
        s.move_from[rows] = s.reference[rows]
        if phase in (READY, SETTLE, HOLD):
            s.move_to[rows] = s.reference[rows]
            s.phase_duration[rows] = {READY: 0.0, SETTLE: SETTLE_S, HOLD: HOLD_S}[phase]
            if phase == SETTLE:
                self.touch.zero(s, rows)
            elif phase == HOLD:
                self.touch.hold(s, rows)
            return
        if phase == SWEEP:
            speed = np.maximum(s.probe_speed, 1e-3)
            time = move_time(s.sweep_length, speed, np.array(SWEEP_ACCELERATION), np.array(SWEEP_PERIOD))
            s.phase_duration[...] = np.where(rows, time, s.phase_duration)
            s.move_to[rows] = s.reference[rows]
            s.move_to[rows, 0] += s.sweep_direction[rows] * s.sweep_length[rows]
            return
        target = self._target(s, phase)
        s.move_to[...] = np.where(rows[:, None], target, s.move_to)
        if phase == SEARCH:
            way = s.reference[:, 2] - target[:, 2]
            time = way / np.maximum(s.probe_speed, 1e-6) + SPEED_UP_S
        else:
            pace, gain, period = self._pace(s)
            time = move_time(np.ones(s.n), pace, gain, period)
        s.phase_duration[...] = np.where(rows, time, s.phase_duration)
        if phase in (RISE, LIFT_OFF):
            s.up[rows] = 1.0
        elif phase == LOWER:
            s.up[rows] = 0.0

    def _target(self, s: Rows, phase: int) -> Array:
        """Where the phase leads (n, 3), by the fit so far."""
        target: Array = s.reference.copy()
        centre = np.array(STATION[:2]) + s.fit_mean[:, fit.X : fit.Y + 1]
        plane = STATION[2] + s.fit_mean[:, fit.Z]
        sweeping = s.kind == SWEEPS
        if phase == TRAVEL:
            r_sweep, theta_sweep = polar(centre, SWEEP_OFFSET)
            r_touch, theta_touch = polar(centre + s.probe_place, TOUCH_OFFSET)
            radius = np.where(sweeping, r_sweep - 0.5 * s.sweep_direction * s.sweep_length, r_touch)
            target[:, 0] = np.minimum(np.maximum(radius, RADIUS_RANGE[0]), RADIUS_RANGE[1])
            target[:, 1] = np.where(sweeping, theta_sweep, theta_touch)
        margin = np.where(s.up > 0.5, TOP, SWEEP_HEIGHT)
        if phase in (RISE, LIFT_OFF):
            margin = np.full(s.n, TOP)
        elif phase in (LOWER, SEARCH):
            near, slope = self._expected(s)
            above = np.minimum(SEARCH_MARGIN + near, SEARCH_MOST)
            below = np.minimum(near, SEARCH_MOST) + SEARCH_DEPTH
            margin = np.where(sweeping, SWEEP_HEIGHT, slope + (above if phase == LOWER else -below))
        target[:, 2] = ball_lift(target[:, 0], plane + margin)
        return target

    def _expected(self, s: Rows) -> tuple[Array, Array]:
        """Three standard deviations of the plane's height at the point to touch, and its height over the centre, m."""
        h = fit.touch_row(s.probe_place, np.zeros(s.n), droop_lever(s.reference[:, 0]))
        slope = s.probe_place[:, 0] * s.fit_mean[:, fit.SLOPE_X] + s.probe_place[:, 1] * s.fit_mean[:, fit.SLOPE_Y]
        return 3.0 * np.sqrt(fit.variance_along(s.fit_cov, h)), slope

    # -- motion -----------------------------------------------------------------------------------------------

    def _motion(self, s: Rows) -> tuple[Array, Array]:
        """References (n, CHUNK, 3) of the chunk that begins, and their rates."""
        time = s.phase_time[:, None] + self._times
        pace, gain, period = (a[:, None] for a in self._pace(s))
        share, slope = smooth_trapezoid(time, np.ones((s.n, 1)), pace, gain, period)
        way = s.move_to - s.move_from
        position = s.move_from[:, None] + share[:, :, None] * way[:, None]
        rate = slope[:, :, None] * way[:, None]
        if (s.phase == SWEEP).any():
            self._sweep(s, time, position, rate)
        if ((s.phase == SEARCH) | (s.phase == HOLD)).any():
            self._search(s, time, position, rate)
        return position, rate

    def _pace(self, s: Rows) -> tuple[Array, Array, Array]:
        """Speed (1/s), acceleration (1/s^2) and smoothing (s) of a move as a whole, each (n,), by its slowest axis."""
        way = np.maximum(np.abs(s.move_to - s.move_from), 1e-6)
        gain = np.min(AXIS_ACCELERATION / way, axis=1)
        pace = np.minimum(np.min(AXIS_SPEED / way, axis=1), np.sqrt(gain))
        return pace, gain, np.where(s.phase == TRAVEL, TRAVEL_PERIOD, LIFT_PERIOD)

    def _sweep(self, s: Rows, time: Array, position: Array, rate: Array) -> None:
        rows = s.phase == SWEEP
        speed = np.where(rows, s.probe_speed, 0.1)[:, None]
        length = np.where(rows, s.sweep_length, 0.1)[:, None]
        way, pace = smooth_trapezoid(time, length, speed, np.array(SWEEP_ACCELERATION), np.array(SWEEP_PERIOD))
        sign = s.sweep_direction[:, None]
        position[:, :, 0] = np.where(rows[:, None], s.move_from[:, 0, None] + sign * way, position[:, :, 0])
        rate[:, :, 0] = np.where(rows[:, None], sign * pace, rate[:, :, 0])

    def _search(self, s: Rows, time: Array, position: Array, rate: Array) -> None:
        """Down at constant speed, which comes and goes exponentially."""
        searching, holding = (s.phase == SEARCH)[:, None], (s.phase == HOLD)[:, None]
        speed = s.probe_speed[:, None]
        stop = np.maximum(STOP_S, speed / STOP_ACCELERATION)
        begun, ended = np.exp(-time / SPEED_UP_S), np.exp(-time / stop)
        down = np.where(searching, speed * (time - SPEED_UP_S * (1.0 - begun)), speed * stop * (1.0 - ended))
        pace = np.where(searching, speed * (1.0 - begun), speed * ended)
        active = searching | holding
        position[:, :, 2] = np.where(active, s.move_from[:, 2, None] - down, position[:, :, 2])
        rate[:, :, 2] = np.where(active, -pace, rate[:, :, 2])


def hang(s: Rows, rows: NDArray[np.intp] | slice, radius: Array) -> Array:
    """Control (k, m) of the sag that makes an empty paddle hang by the arm's droop at `radius` (k, m), rad."""
    tilt = s.sag_full[rows, None] / SAG_LEVER * sag_share(radius)
    free: Array = tilt - (PADDLE_MOMENT / s.sag_stiffness[rows])[:, None]
    return free
