"""Beam pass: one radial move into a station at constant speed past the beams, and one correction of where it ends.

Two decisions a move, which is what a host sends to today's controllers: speed and acceleration when the move begins,
the correction once the last edge is latched.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from ..control.interface import ActionTerm
from ..engine.task import Rows
from .centering import place_pose
from .kinematics import joints_from_polar

Array = NDArray[np.float64]

MIN_JERK_PEAK = 10.0 / np.sqrt(3.0)  # peak acceleration of the quintic rest-to-rest polynomial, in lengths / time^2


def cruise_speed(speed: Array, acceleration: Array, period: Array, distance: Array) -> Array:
    """The wanted speed, or the highest (m/s) that the smoothed profile reaches and stops from within `distance` (m)."""
    highest = 0.5 * acceleration * (np.sqrt(period * period + 8.0 * distance / acceleration) - period)
    return np.minimum(speed, highest)


def move_time(length: Array, speed: Array, acceleration: Array, period: Array) -> Array:
    """Duration (s) of a trapezoid of `length` (m), averaged over `period` (s)."""
    total: Array = length / speed + speed / acceleration + period
    return total


def _integral(time: Array, length: Array, speed: Array, acceleration: Array) -> Array:
    """Integral over time (m s) of the distance on a trapezoid, from its start to `time`; all arrays broadcast."""
    ramp = speed / acceleration
    duration = length / speed + ramp
    t = np.maximum(time, 0.0)
    # a trapezoid is a sum of four ramps of acceleration: at the start, after speeding up, before braking, at the end
    total = np.zeros(np.broadcast_shapes(t.shape, ramp.shape))
    for sign, begin in ((1.0, 0.0), (-1.0, ramp), (-1.0, duration - ramp), (1.0, duration)):
        after = np.maximum(t - begin, 0.0)
        total += sign * (after * after * after)
    return total * (acceleration / 6.0)


def _distance(time: Array, length: Array, speed: Array, acceleration: Array) -> Array:
    """Distance (m) on a trapezoid at `time` (s) since its start."""
    ramp = speed / acceleration
    duration = length / speed + ramp
    t = np.minimum(np.maximum(time, 0.0), duration)
    begun, left = np.minimum(t, ramp), np.minimum(duration - t, ramp)
    cruised = np.minimum(np.maximum(t - ramp, 0.0), duration - 2.0 * ramp)
    return 0.5 * acceleration * (begun * begun + (ramp * ramp - left * left)) + speed * cruised


def smooth_trapezoid(
    time: Array, length: Array, speed: Array, acceleration: Array, period: Array
) -> tuple[Array, Array]:
    """Distance (m) and speed (m/s) of a trapezoid averaged over the last `period` s; arrays broadcast against `time`.

    The average over one period of the arm's mode leaves that mode at rest after every change of acceleration.
    """
    integral = _integral(time, length, speed, acceleration) - _integral(time - period, length, speed, acceleration)
    travelled = _distance(time, length, speed, acceleration) - _distance(time - period, length, speed, acceleration)
    # beyond the end the difference of large integrals would leave rounding errors where the arm must stand still
    over = time >= move_time(length, speed, acceleration, period)
    return np.where(over, length, integral / period), np.where(over, 0.0, travelled / period)


def min_jerk(share: Array) -> tuple[Array, Array]:
    """Quintic from 0 to 1 at rest at both ends, and its slope, at shares of the duration that are clipped to [0, 1]."""
    x = np.minimum(np.maximum(share, 0.0), 1.0)
    rest = 1.0 - x
    return x * x * x * (10.0 - 15.0 * x + 6.0 * x * x), 30.0 * (x * rest) ** 2


class BeamPass:
    """Set-points: speed past the beams, share of the friction limit, and the correction of the place position.

    Speed and share are read at the first control step. The robot speeds up with `utilization` times the estimated
    friction limit, passes the beams at constant speed and brakes alike; a speed that does not fit between start, beams
    and station is lowered to one that does. The profile is averaged over one estimated vibration period, which keeps
    the arm from ringing while the beams are passed.

    The correction is read at the first control step after the last edge was latched, or after the wafer should have
    passed. It moves the place position in the frame of the station (along the direction of travel, and to its left):
    with `mode` "trim" on top of the controller's own correction, which is minus its fit of the wafer's offset; with
    "total" instead of it. It runs beside the rest of the move, and longer where it would take too much acceleration.

    Needs the row arrays `station_angle` (rad), `acceleration_estimate` (m/s^2), `period_estimate` (s), `fit_offset_mm`
    (2,) and `edges_latched` (4,).

    Args:
        joints: driven joints; each has actuators `<joint>_position` and `<joint>_velocity`.
        mode: "trim" or "total".
        geometry: radii in m: start, before and behind the beams, station.
        arm: link length and wrist to wafer centre, m.
        speed: range of the speed past the beams, m/s.
        utilization: range of the share of the estimated friction limit.
        correction_mm: largest correction in each direction; of the set-point, and of the whole by `reach_mm`.
        reach_mm: largest correction of the place position altogether.
    """

    name = "beam_pass"

    def __init__(
        self,
        joints: tuple[str, ...],
        mode: str,
        geometry: tuple[float, float, float, float],
        arm: tuple[float, float],
        speed: tuple[float, float],
        utilization: tuple[float, float],
        correction_mm: float,
        reach_mm: float = 8.0,
    ):
        if mode not in ("trim", "total"):
            raise ShopfloorError(f"mode must be trim or total, got {mode!r}")
        start, before, behind, station = geometry
        if not start < before < behind < station:
            raise ShopfloorError(f"geometry must be four radii in rising order, got {geometry}")
        self.joints, self.mode, self.geometry, self.arm = joints, mode, geometry, arm
        self.speed, self.utilization = speed, utilization
        self.correction_mm, self.reach_mm = correction_mm, reach_mm

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """Speed, share of friction, correction."""
        c = self.correction_mm
        what = "added to the controller's own correction" if self.mode == "trim" else "of the place position"
        return (
            ActionTerm("pass_speed", "m/s", *self.speed, "path", "speed past the beams, read at the first step only"),
            ActionTerm(
                "utilization", "1", *self.utilization, "path",
                "share of the estimated friction limit that is used, read at the first step only",
            ),
            ActionTerm("correction_along", "mm", -c, c, "station", f"correction {what}, outward"),
            ActionTerm("correction_across", "mm", -c, c, "station", f"correction {what}, to the left"),
        )  # fmt: skip

    def limits(self) -> dict[str, Any]:
        """Limits as plain data."""
        return {
            "joints": list(self.joints),
            "path_velocity": self.speed[1],
            "radius": [self.geometry[0], self.geometry[3] + 1e-3 * self.reach_mm],
            "correction_mm": self.reach_mm,
        }

    def bind(self, s: Rows) -> None:
        """Resolve actuators and register the planner's state."""
        self._positions = s.sim.ids("actuator", [f"{j}_position" for j in self.joints])
        self._velocities = s.sim.ids("actuator", [f"{j}_velocity" for j in self.joints])
        self._times = np.arange(1, s.timing.substeps + 1) * s.timing.timestep_s
        for name in ("pass_speed", "pass_acceleration", "pass_period", "pass_time", "path_distance", "path_speed"):
            s.new(name)
        s.new("correction_mm", (2,))
        s.new("place_shift", (2,))  # change of radius in m and of angle in rad that the correction makes
        s.new("correction_start")
        s.new("correction_time")
        s.new("corrected", dtype=bool)
        s.new("path_complete", dtype=bool)

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """At rest at the start."""
        for name in (
            "pass_speed", "pass_acceleration", "pass_period", "pass_time", "path_distance", "path_speed",
            "correction_mm", "place_shift", "correction_start", "correction_time", "corrected", "path_complete",
        ):  # fmt: skip
            getattr(s, name)[rows] = 0

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Plan where a decision is due, map the move to the joints and let the servos follow."""
        self._set_off(s, setpoints)
        self._correct(s, setpoints)
        radius, angle, radius_rate, angle_rate = self._pose(s, s.time_s[:, None] + self._times)
        position, rate = joints_from_polar(radius, angle, radius_rate, angle_rate, *self.arm)
        commands = np.repeat(s.sim.ctrl[:, None, :], self._times.size, axis=1)
        commands[:, :, self._positions] = position
        commands[:, :, self._velocities] = rate
        records = s.sim.follow(commands if rows is None else commands[rows], rows, record=True)
        s.sensor_record = records if rows is None else self._spread(s, records, rows)
        ends = s.time_s + s.timing.control_dt
        s.path_complete[...] = (ends >= s.pass_time) & (ends >= s.correction_start + s.correction_time) & s.corrected

    def _spread(self, s: Rows, records: Array | None, rows: NDArray[np.intp]) -> Array | None:
        """Records of some rows in an array for all; the others repeat their present sensor data."""
        if records is None:
            return None
        full = np.repeat(s.sim.output("sensordata")[:, None], records.shape[1], axis=1)
        full[rows] = records
        return full

    def _set_off(self, s: Rows, setpoints: Array) -> None:
        """Read speed and acceleration in rows that have not set off."""
        waiting = s.pass_speed == 0.0
        if not waiting.any():
            return
        start, before, behind, station = self.geometry
        acceleration = np.ascontiguousarray(setpoints[:, 1]) * s.acceleration_estimate
        room = np.full(s.n, min(before - start, station - behind))
        speed = cruise_speed(np.ascontiguousarray(setpoints[:, 0]), acceleration, s.period_estimate, room)
        for name, values in (
            ("pass_speed", speed), ("pass_acceleration", acceleration), ("pass_period", s.period_estimate),
            ("pass_time", move_time(np.full(s.n, station - start), speed, acceleration, s.period_estimate)),
        ):  # fmt: skip
            array = getattr(s, name)
            array[...] = np.where(waiting, values, array)

    def _correct(self, s: Rows, setpoints: Array) -> None:
        """Read the correction in rows whose wafer has passed the beams."""
        start, _, behind, station = self.geometry
        passed = s.edges_latched.all(axis=1) | (s.path_distance >= behind - start)
        due = passed & ~s.corrected
        if not due.any():
            return
        wanted = setpoints[:, 2:4] - (s.fit_offset_mm if self.mode == "trim" else 0.0)
        wanted = np.minimum(np.maximum(wanted, -self.reach_mm), self.reach_mm)
        radius, angle = place_pose(-1e-3 * wanted, station)
        shift = np.stack((radius - station, angle), axis=-1)
        length = np.sqrt((radius - station) ** 2 + (station * angle) ** 2)
        # beside the rest of the move, but with no more than a quarter of what the move itself accelerates with, and
        # over two periods of the arm's mode at least
        gentle = np.sqrt(MIN_JERK_PEAK * length / (0.25 * s.pass_acceleration))
        time = np.maximum(np.maximum(s.pass_time - s.time_s, gentle), 2.0 * s.pass_period)
        for name, values in (
            ("correction_mm", wanted), ("place_shift", shift), ("correction_start", s.time_s),
            ("correction_time", time),
        ):  # fmt: skip
            array = getattr(s, name)
            mask = due[:, None] if array.ndim == 2 else due
            array[...] = np.where(mask, values, array)
        s.corrected |= due

    def _pose(self, s: Rows, time: Array) -> tuple[Array, Array, Array, Array]:
        """Radius and angle of the end effector and their rates, (n, substeps), at times since the episode began."""
        start, _, _, station = self.geometry
        speed, acceleration = s.pass_speed[:, None], s.pass_acceleration[:, None]
        distance, rate = smooth_trapezoid(
            time, np.full((s.n, 1), station - start), speed, acceleration, s.pass_period[:, None]
        )
        s.path_distance[...] = distance[:, -1]
        s.path_speed[...] = rate[:, -1]
        duration = np.where(s.corrected, s.correction_time, 1.0)[:, None]
        share, slope = min_jerk((time - s.correction_start[:, None]) / duration)
        share = np.where(s.corrected[:, None], share, 0.0)
        slope = np.where(s.corrected[:, None], slope / duration, 0.0)
        shift_r, shift_a = s.place_shift[:, 0:1], s.place_shift[:, 1:2]
        angle = s.station_angle[:, None] + shift_a * share
        return start + distance + shift_r * share, angle, rate + shift_r * slope, shift_a * slope
