"""Set-points of a swap: margins and overlaps of the sequence that a tool controller runs through by itself."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.swap import (
    GATE_FACES,
    GATE_TOP,
    HEADING,
    HOME_LIFT,
    HOME_RADIUS,
    MODULE,
    PASSING,
    STATION_RADIUS,
    pad_lift,
)
from ...assets.fixtures.process_module import BUMP_HEIGHT, PIN_REST, PIN_STROKE, PINS_UP
from ...assets.fixtures.slit_valve import GATE_STROKE
from ...assets.parts.wafer import RADIUS
from ...assets.robots.dual_scara import GEOMETRY, MOTION_LIMITS
from ..control.interface import ActionTerm
from ..engine.task import Rows
from .slot_clearance import BLADE_BOTTOM, PAD_PLANE
from .swap_axes import Axes, spread, zoned_speed
from .swap_clearance import PADDLE_ENDS

Array = NDArray[np.float64]

AXES = ("theta", "radius_a", "radius_b", "lift", "pins")
THETA, ARM_A, ARM_B, LIFT, PINS = range(5)
# What begins once in every swap, in this order; see `SwapSequence`.
EVENTS = ("a_out", "a_lift", "a_back", "lower", "b_out", "b_lower", "b_back", "pins_down", "close")
A_OUT, A_LIFT, A_BACK, LOWER, B_OUT, B_LOWER, B_BACK, PINS_DOWN, CLOSE = range(9)

TAKE, CARRY = HOME_LIFT, pad_lift("a", PINS_UP + PASSING)  # m, lift below the wafer on the pins, and above the pins
BRING, LEAVE = pad_lift("b", PINS_UP + PASSING), pad_lift("b", PINS_UP - PASSING)
ZONE = 0.0015  # m, either side of where a hand-off is expected: contact speed inside
PIN_CONTACT = BUMP_HEIGHT - PIN_REST  # m, pins' joint where a wafer on the pedestal is met
PARTED = 0.001  # m, left of a hand-off's stroke when the arm may leave
PINS_FREE = 0.5  # share of arm b's way that is left when its paddle is no longer under the wafer

WAY = STATION_RADIUS - HOME_RADIUS  # m
TO_GATE = WAY + GATE_FACES[0] - PADDLE_ENDS[1]  # m, from home until the tip of a paddle meets the gate
TO_WAFER = WAY - RADIUS - PADDLE_ENDS[1]  # m, from home until the tip is under the wafer on the pins
# Opening of the gate (m) at which a paddle at hand-off height passes a millimetre above it.
PASSABLE = GATE_TOP - (PINS_UP - PASSING + BLADE_BOTTOM - PAD_PLANE) + 0.001
PASSABLE_SHARE = PASSABLE / GATE_STROKE

RADIAL = MOTION_LIMITS["radius"]
RADIAL_ACCELERATION = 2.5  # m/s^2, less where the average over two vibration periods would exceed the jerk limit
LIFT_SPEED, LIFT_ACCELERATION, LIFT_WINDOW = 0.10, 0.5, 0.05  # m/s, m/s^2, s
PIN_SPEED, PIN_ACCELERATION, PIN_WINDOW = 0.06, 1.0, 0.02
RELEASE_TIME = 0.3  # s, in which the pedestal lets the wafer go before the pins may rise
PINS_STOP = PIN_WINDOW + PIN_SPEED / PIN_ACCELERATION  # s, what their ramps add to the time at constant speed
TANGENTIAL, CENTRIPETAL = 0.8, 0.6  # shares of the limit that a turn may use: 0.8^2 + 0.6^2 = 1
PERIOD_RANGE = (0.04, 0.08)  # s, vibration periods that the planner accepts
GATE_RAMP = 0.15  # share of its time in which a gate speeds up, and slows down


def gate_share(share: Array) -> Array:
    """Way of a gate at a share of its time, both 0 to 1: ramps of constant acceleration and constant speed between."""
    x = np.minimum(np.maximum(share, 0.0), 1.0)
    speed = 1.0 / (1.0 - GATE_RAMP)
    begun, left = np.minimum(x, GATE_RAMP), np.minimum(1.0 - x, GATE_RAMP)
    cruised = np.minimum(np.maximum(x - GATE_RAMP, 0.0), 1.0 - 2.0 * GATE_RAMP)
    half = 0.5 / GATE_RAMP
    way: Array = speed * (half * begun * begun + cruised + half * (GATE_RAMP * GATE_RAMP - left * left))
    return way


def gate_time_share(way: float) -> float:
    """Share of its time after which a gate has made the share `way` of its way; inverse of `gate_share` in between."""
    return way * (1.0 - GATE_RAMP) + 0.5 * GATE_RAMP


def start_time(distance: float, acceleration: Array, window: Array) -> Array:
    """Time (s) over the first `distance` (m) of a move at `acceleration` (m/s^2) that is averaged over `window` (s)."""
    time: Array = 0.5 * window + np.sqrt(2.0 * distance / acceleration - window * window / 12.0)
    return time


class Margins(NamedTuple):
    """What the set-points of a control step come to, all (n,).

    Attributes:
        set_off: time from which the gate does not keep arm a, s.
        pins_within: time within which the pins must be up for arm a to set off, s.
        lower_at, follow_at: shares of arm a's way back.
        shut_after: time from arm b's departure until the gate may begin to shut, s.
        contact: speed at contacts, m/s.
        turn_speed, turn_acceleration: rad/s and rad/s^2.
        empty, processed, fresh: radial accelerations of an empty arm, arm a and arm b with a wafer, m/s^2.
    """

    set_off: Array
    pins_within: Array
    lower_at: Array
    follow_at: Array
    shut_after: Array
    contact: Array
    turn_speed: Array
    turn_acceleration: Array
    empty: Array
    processed: Array
    fresh: Array


class SwapSequence:
    """Set-points: how much of each end effector's friction to use, and by how much the steps of the swap overlap.

    The controller runs the sequence: turn to the module, gate and pins up meanwhile; arm a under the wafer, lift,
    back; lift down by the distance of the paddles; arm b in, down onto the pins, back; pins down, gate shut. A step
    begins when the one before has got far enough, and the set-points say how far that is. Arm a sets off so that
    the tip of its paddle reaches the gate `gate_margin` after the gate is expected to be out of its way, and the
    wafer as long after the pins are expected to be up. How long the gate takes is an estimate; its switch always
    counts, so that a large margin waits for it. When arm a has `lower_at` of its way back left, the lift goes down;
    when it has `follow_at` left, arm b sets off: 0 is home, 1 is at once. The gate begins to shut so that it is
    expected where arm b has been `close_margin` after the tip has left; once the arm is home in any case. Arms with
    a wafer move with their share of the estimated friction limit, at most the machine's limits, and so does the
    turn with the fresh wafer. Contacts are made with `handoff_speed`, from 1.5 mm before to 1.5 mm behind where
    they are expected. Set-points count at every tick: an arm that speeds up with one share of friction can slow
    down with another. Moves of the arms are averaged over two estimated periods of the arm's radial mode.

    Needs the row arrays `acceleration_estimate` (n, 2) in m/s^2 of arms a and b, `period_estimate` (s),
    `gate_estimate` (s), `gate_time` (n, 2) in s of opening and shutting, `switch_delay` (s), and `reference`
    (n, 5), where the axes stand at the start.

    Args:
        interpolator_hz: rate of the planner.
    """

    name = "swap_sequence"

    def __init__(self, interpolator_hz: float = 250.0):
        self.interpolator_hz = interpolator_hz

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """Margins at the gate, shares of friction, overlaps, contact speed."""
        return (
            ActionTerm("gate_margin", "s", -0.5, 1.5, "", "from gate or pins out of the way until the paddle is there"),
            ActionTerm("utilization_processed", "1", 0.3, 1.5, "path", "share of arm a's estimated friction limit"),
            ActionTerm("utilization_fresh", "1", 0.3, 1.5, "path", "share of arm b's estimated friction limit"),
            ActionTerm("follow_at", "1", 0.0, 1.0, "path", "share of arm a's way back left when arm b sets off"),
            ActionTerm("lower_at", "1", 0.0, 1.0, "path", "share of arm a's way back left when the lift goes down"),
            ActionTerm("handoff_speed", "mm/s", 5.0, 35.0, "", "of lift and pins at contacts"),
            ActionTerm("close_margin", "s", -0.5, 1.5, "", "from the paddle out of the way until the gate is there"),
        )

    def limits(self) -> dict[str, Any]:
        """Motion limits as plain data."""
        turn = MOTION_LIMITS["theta"]
        return {
            "axes": list(AXES),
            "velocity": [turn.speed, RADIAL.speed, RADIAL.speed, LIFT_SPEED, PIN_SPEED],
            "acceleration": [turn.acceleration, RADIAL_ACCELERATION, RADIAL_ACCELERATION, LIFT_ACCELERATION,
                             PIN_ACCELERATION],
            "radius": [HOME_RADIUS, STATION_RADIUS],
        }  # fmt: skip

    def bind(self, s: Rows) -> None:
        """Resolve actuators and register the planner's state."""
        timing = s.timing
        self._dt = 1.0 / self.interpolator_hz
        ticks = round(self.interpolator_hz / timing.control_hz)
        self._steps = timing.substeps // ticks
        self._times: Array = timing.timestep_s * np.arange(1.0, timing.substeps + 1.0)
        longest = round(2.0 * PERIOD_RANGE[1] / self._dt)
        self.axes = Axes(5, self._dt, ticks, longest, np.array([2e-6, 2e-6, 2e-6, 1e-6, 1e-6]))
        self.axes.bind(s)
        s.new("event", (len(EVENTS),), fill=np.inf)
        s.new("reference_rate", (5,))
        s.new("reference_acceleration", (5,))
        s.new("peak_acceleration")
        s.new("peak_jerk")
        s.new("valve_wait")
        driven = ("theta", "a_shoulder", "b_shoulder", "lift")
        self._positions = s.sim.ids("actuator", [f"{j}_position" for j in driven])
        self._velocities = s.sim.ids("actuator", [f"{j}_velocity" for j in driven])
        self._pins, self._gate = s.sim.ids("actuator", [f"{MODULE}_pins", f"{MODULE}_valve_gate"]).tolist()

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """At rest where the task has put the machine; the gate begins to open, the pins soon rise."""
        s.event[rows] = np.inf
        for name in ("reference_rate", "reference_acceleration", "peak_acceleration", "peak_jerk", "valve_wait"):
            getattr(s, name)[rows] = 0.0
        period = np.minimum(np.maximum(s.period_estimate[rows], PERIOD_RANGE[0]), PERIOD_RANGE[1])
        ticks = np.rint(2.0 * period / self._dt).astype(np.int64)
        lift, pins = (np.full(rows.size, round(w / self._dt)) for w in (LIFT_WINDOW, PIN_WINDOW))
        self.axes.stand(s, rows, s.reference[rows], np.stack((ticks, ticks, ticks, lift, pins), axis=-1))

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Run the sequence through one control step and let drives, pins and gate follow."""
        self.axes.begin(s)
        margins = self._margins(s, setpoints)
        for k in range(self.axes.ticks):
            now = s.time_s + k * self._dt
            self._sequence(s, margins, now)
            self.axes.tick(s, k, *self._moves(s, margins, now))
        knots = self.axes.averaged(s)
        position, rate = (spread(knot, self._steps) for knot in knots)
        self._note_peaks(s, knots[1])
        s.reference[...], s.reference_rate[...] = position[:, -1], rate[:, -1]
        s.radius_record = position[:, :, ARM_A : ARM_B + 1]
        phi = GEOMETRY.extension_angle(s.radius_record)
        turned = rate[:, :, ARM_A : ARM_B + 1] / GEOMETRY.rate(phi)
        commands = np.repeat(s.sim.ctrl[:, None, :], self._times.size, axis=1)
        for place, axis in ((0, THETA), (3, LIFT)):
            commands[:, :, self._positions[place]] = position[:, :, axis]
            commands[:, :, self._velocities[place]] = rate[:, :, axis]
        commands[:, :, self._positions[1:3]], commands[:, :, self._velocities[1:3]] = phi, turned
        commands[:, :, self._pins] = position[:, :, PINS]
        commands[:, :, self._gate] = self._gate_position(s)
        records = s.sim.follow(commands if rows is None else commands[rows], rows, record=True)
        s.sensor_record = records if rows is None else self._spread_rows(s, records, rows)

    def _spread_rows(self, s: Rows, records: Array | None, rows: NDArray[np.intp]) -> Array | None:
        """Records of some rows in an array for all; the others repeat their present sensor data."""
        if records is None:
            return None
        full = np.repeat(s.sim.output("sensordata")[:, None], records.shape[1], axis=1)
        full[rows] = records
        return full

    # -- gate -------------------------------------------------------------------------------------------------

    def _gate_position(self, s: Rows) -> Array:
        """Set-point (n, substeps) of the gate: the real valve, which the controller does not know."""
        now = s.time_s[:, None] + self._times
        opened = gate_share(now / s.gate_time[:, 0:1])
        since = np.maximum(now - s.event[:, CLOSE : CLOSE + 1], 0.0)
        return GATE_STROKE * np.maximum(opened - gate_share(since / s.gate_time[:, 1:2]), 0.0)

    def switches(self, s: Rows, now: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether the gate's switches (n,) report open and shut at the times `now` (n,)."""
        is_open = (now >= s.gate_time[:, 0] + s.switch_delay) & (now < s.event[:, CLOSE])
        shut = now >= s.event[:, CLOSE] + s.gate_time[:, 1] + s.switch_delay
        return is_open, shut

    # -- sequence ---------------------------------------------------------------------------------------------

    def _margins(self, s: Rows, setpoints: Array) -> Margins:
        """What the set-points mean on this machine, as far as the controller knows it."""
        window = self._dt * s.plan_window[:, ARM_A]
        # from full speeding up to full slowing down within the window
        empty = np.minimum(0.5 * RADIAL.jerk * window, RADIAL_ACCELERATION)
        at_gate, leaves = (start_time(way, empty, window) for way in (TO_GATE, WAY - TO_GATE))
        at_wafer = at_gate + (TO_WAFER - TO_GATE) / RADIAL.speed
        passable, rises = (gate_time_share(w) * s.gate_estimate for w in (PASSABLE_SHARE, 1.0 - PASSABLE_SHARE))
        share, turn = setpoints[:, 1:3] * s.acceleration_estimate, MOTION_LIMITS["theta"]
        return Margins(
            set_off=passable + setpoints[:, 0] - at_gate,
            pins_within=at_wafer - setpoints[:, 0],
            lower_at=setpoints[:, 4],
            follow_at=setpoints[:, 3],
            shut_after=leaves + setpoints[:, 6] - rises,
            contact=0.001 * setpoints[:, 5],
            turn_speed=np.minimum(np.sqrt(CENTRIPETAL * share[:, 1] / HOME_RADIUS), turn.speed),
            turn_acceleration=np.minimum(TANGENTIAL * share[:, 1] / HOME_RADIUS, turn.acceleration),
            empty=empty,
            processed=np.minimum(share[:, 0], empty),
            fresh=np.minimum(share[:, 1], empty),
        )

    def _sequence(self, s: Rows, margins: Margins, now: Array) -> None:
        """Begin what is due at the time `now` (n,)."""
        begun = s.event < np.inf
        rest = self.axes.settled(s)
        plan = s.plan
        pins, lift = plan[:, PINS], plan[:, LIFT]
        left_a, left_b = ((plan[:, axis] - HOME_RADIUS) / WAY for axis in (ARM_A, ARM_B))
        there_a, there_b = (rest[:, axis] & (plan[:, axis] == STATION_RADIUS) for axis in (ARM_A, ARM_B))
        turned = rest[:, THETA] & rest[:, LIFT]
        is_open = now >= s.gate_time[:, 0] + s.switch_delay
        pins_up = rest[:, PINS] & (pins == PIN_STROKE)
        slow = np.maximum(PIN_CONTACT + ZONE - pins, 0.0) / margins.contact
        up_in = slow + (PIN_STROKE - np.maximum(pins, PIN_CONTACT + ZONE)) / PIN_SPEED + PINS_STOP
        up_in += np.maximum(RELEASE_TIME - now, 0.0)
        free = (is_open | (now >= margins.set_off)) & (pins_up | (up_in <= margins.pins_within))
        due = (
            turned & free,
            begun[:, A_OUT] & there_a,
            begun[:, A_LIFT] & (CARRY - lift <= PARTED),
            begun[:, A_BACK] & (left_a <= margins.lower_at),
            begun[:, A_BACK] & (left_a <= margins.follow_at),
            begun[:, B_OUT] & begun[:, LOWER] & there_b & rest[:, LIFT],
            begun[:, B_LOWER] & (lift - LEAVE <= PARTED),
            begun[:, B_BACK] & (left_b <= PINS_FREE),
            begun[:, B_BACK] & ((left_b == 0.0) | (now >= s.event[:, B_BACK] + margins.shut_after)),
        )
        # the arm waits for the gate or the pins while nothing else keeps it
        s.valve_wait += np.where(turned & ~begun[:, A_OUT] & ~due[0], self._dt, 0.0)
        s.event[...] = np.where(np.stack(due, axis=-1) & ~begun, now[:, None], s.event)

    def _moves(self, s: Rows, margins: Margins, now: Array) -> tuple[Array, Array, Array]:
        """Targets and limits of speed and acceleration of all axes at the time `now` (n,), each (n, 5)."""
        begun = s.event < np.inf
        target, speed, acceleration = (np.empty((s.n, 5)) for _ in range(3))
        target[:, THETA], speed[:, THETA] = HEADING, margins.turn_speed
        acceleration[:, THETA] = margins.turn_acceleration
        for axis, out, back in ((ARM_A, A_OUT, A_BACK), (ARM_B, B_OUT, B_BACK)):
            target[:, axis] = np.where(begun[:, out] & ~begun[:, back], STATION_RADIUS, HOME_RADIUS)
            speed[:, axis] = RADIAL.speed
        acceleration[:, ARM_A] = np.where(begun[:, A_BACK], margins.processed, margins.empty)
        acceleration[:, ARM_B] = np.where(begun[:, B_BACK], margins.empty, margins.fresh)
        lift = np.where(begun[:, LOWER], BRING, np.where(begun[:, A_LIFT], CARRY, TAKE))
        target[:, LIFT] = np.where(begun[:, B_LOWER], LEAVE, lift)
        speed[:, LIFT] = self._lift_speed(s, begun, target[:, LIFT], margins.contact)
        acceleration[:, LIFT] = LIFT_ACCELERATION
        target[:, PINS] = np.where(begun[:, PINS_DOWN] | (now < RELEASE_TIME), 0.0, PIN_STROKE)
        zone = (PIN_CONTACT - ZONE, PIN_CONTACT + ZONE)
        limits = (margins.contact, PIN_SPEED, PIN_ACCELERATION)
        speed[:, PINS] = zoned_speed(s.plan[:, PINS], target[:, PINS], zone, *limits)
        acceleration[:, PINS] = PIN_ACCELERATION
        return target, speed, acceleration

    def _lift_speed(self, s: Rows, begun: NDArray[np.bool_], target: Array, contact: Array) -> Array:
        """Speed limit (n,) of the lift: slow where arm a takes a wafer or arm b lays one down."""
        putting = begun[:, B_LOWER]
        middle = np.where(putting, LEAVE + PASSING, TAKE + PASSING)
        slow = zoned_speed(s.plan[:, LIFT] - middle, target - middle, (-ZONE, ZONE), contact, LIFT_SPEED,
                           LIFT_ACCELERATION)  # fmt: skip
        return np.where(putting | (begun[:, A_LIFT] & ~begun[:, LOWER]), slow, LIFT_SPEED)

    def _note_peaks(self, s: Rows, rate: Array) -> None:
        """Largest acceleration and jerk of the arms that were planned in this step."""
        arms = slice(ARM_A, ARM_B + 1)
        acceleration = np.diff(rate[:, :, arms], axis=1) / self._dt
        before = np.concatenate((s.reference_acceleration[:, None, arms], acceleration), axis=1)
        jerk = np.abs(np.diff(before, axis=1)) / self._dt
        np.maximum(s.peak_acceleration, np.max(np.abs(acceleration), axis=(1, 2)), out=s.peak_acceleration)
        np.maximum(s.peak_jerk, np.max(jerk, axis=(1, 2)), out=s.peak_jerk)
        s.reference_acceleration[:, arms] = acceleration[:, -1]
