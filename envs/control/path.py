"""Path time scaling: a policy sets the limits of a motion along a fixed path, a planner moves.

Robot controllers take the process engineer's limits this way, so what is learned here can be deployed on them. The
planner stops exactly at the end of the path whatever the policy asks for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from ..engine.task import Rows
from ..wafer.profiles import stopping_speed_squared, tangential_limit
from .interface import ActionTerm

Array = NDArray[np.float64]

_KNOTS = ("plan_integral", "plan_distance", "plan_speed", "plan_acceleration")
ARRIVED_M = 1e-7  # a remaining distance that counts as none


class PathMapping(Protocol):
    """Joint motion that carries the tool along the path."""

    def joints(self, s: Rows, distance: Array, speed: Array) -> tuple[Array, Array]:
        """Joint angles and rates (n, k, dof) at path distances in m and speeds in m/s, both (n, k)."""


class PathProfile(Protocol):
    """What a path of varying curvature knows about speeds on it; see `speed_ahead`."""

    def ahead(self, s: Any, distance: Array, reach: Array) -> tuple[Array, Array, Array]:
        """The stretch from path distances to path distances plus `reach`, all (n,) in m.

        Returns:
            Its largest curvature in 1/m; per unit of the friction limit, the squared speed in m from which the tool
            can still stop at the end of the path; and half of what that falls by per m of the stretch, 1.
        """


def planned_speed(
    speed: Array,
    remaining: Array,
    curvature: Array,
    speeding: Array,
    slowing: Array,
    velocity: float,
    dt: float,
) -> Array:
    """Speed (m/s) after a tick of the fastest motion that stays within its limits and stops at the end of the path.

    Args:
        speed: now, m/s.
        remaining: distance to the end, m.
        curvature: of the path, 1/m.
        speeding, slowing: limits of the acceleration in the plane while speeding up and slowing down, m/s^2.
        velocity: largest speed, m/s.
        dt: tick, s.

    Returns:
        The speed, before `PathTimeScaling` lets a stop that fits into the tick end exactly at the end.
    """
    stop_sq = stopping_speed_squared(remaining, curvature, slowing)
    # deceleration of the braking curve here; constant on a line, rising toward the end of an arc
    braking = 0.5 * stop_sq / np.maximum(remaining, ARRIVED_M)
    return _next_speed(speed, remaining, curvature, stop_sq, braking, speeding, slowing, velocity, dt)


def speed_ahead(
    profile: PathProfile,
    s: Any,
    distance: Array,
    speed: Array,
    speeding: Array,
    slowing: Array,
    velocity: float,
    dt: float,
) -> Array:
    """As `planned_speed`, on a path of varying curvature, which has its own profile of speeds."""
    # a tool that hardly moves looks at a stretch of a tenth of a millimetre
    reach = np.maximum(speed * dt, 1e-4)
    curvature, stop, fall = profile.ahead(s, distance, reach)
    remaining = s.path_length - distance
    return _next_speed(
        speed, remaining, curvature, slowing * stop, slowing * fall, speeding, slowing, velocity, dt
    )  # fmt: skip


def _next_speed(
    speed: Array,
    remaining: Array,
    curvature: Array,
    stop_sq: Array,
    braking: Array,
    speeding: Array,
    slowing: Array,
    velocity: float,
    dt: float,
) -> Array:
    """Speed after a tick, from the squared speed of the braking curve here and the deceleration along it."""
    required = 0.5 * speed * speed / np.maximum(remaining, ARRIVED_M)
    # speed on the braking curve at the end of the tick: v1^2 = 2 b (remaining - (v + v1) dt / 2)
    half = 0.5 * braking * dt
    curve = np.sqrt(np.maximum(half * half + stop_sq - braking * dt * speed, 0.0)) - half
    cap = np.minimum(np.sqrt(slowing / np.maximum(curvature, 1e-9)), velocity)
    # what friction leaves at the end of the tick, where the speed is highest
    rise = tangential_limit(speed + tangential_limit(speed, curvature, speeding) * dt, curvature, speeding)
    after = np.minimum(speed + rise * dt, np.minimum(curve, cap))
    return np.maximum(after, speed - np.maximum(slowing, required) * dt)


class PathTimeScaling:
    """Set-points: how much of the estimated friction limit to use, and the period of the smoothing filter.

    The planner's acceleration limits are `utilization * acceleration_estimate`, its filter period is
    `periods * period_estimate`: what a process engineer tunes, in the units in which margins are thought of. At every
    interpolator tick the planner speeds up as fast as the acceleration limit allows beside the centripetal
    acceleration, or slows down so as to stop at the end of the path under the deceleration limit. Its bang-bang
    profile is averaged over the filter period, which bounds the jerk by `2 limit / period` and removes vibrations of
    that period; the period is read at the first step of an episode and kept. Joint positions and velocities of the
    averaged motion go to the servos at every physics step.

    After `apply`, `sensor_record` (n, substeps, sensors) and `path_record` (n, substeps) tell a task what happened
    within the control step: sensor data and path distance at every physics step.

    Needs the row arrays `path_length` (m), `path_curvature` (1/m, 0 on a line), `acceleration_estimate` (m/s^2, the
    estimated friction limit) and `period_estimate` (s, the estimated vibration period).

    Args:
        mapping: joint motion along the path.
        joints: driven joints; each has actuators `<joint>_position` and `<joint>_velocity`.
        utilization: range of the share of the friction limit, the same for speeding up and slowing down.
        periods: range of the filter period in estimated vibration periods.
        velocity, acceleration: the machine's largest path speed in m/s and acceleration in m/s^2.
        shaper_period: range in s to which the filter period is clipped; its lower end bounds the jerk.
        interpolator_hz: rate of the planner.
        profile: of a path whose curvature varies; `path_curvature` is then not read.
    """

    name = "path_time_scaling"

    def __init__(
        self,
        mapping: PathMapping,
        joints: Sequence[str],
        utilization: tuple[float, float],
        periods: tuple[float, float],
        velocity: float,
        acceleration: float,
        shaper_period: tuple[float, float],
        interpolator_hz: float = 500.0,
        profile: PathProfile | None = None,
    ):
        ranges = {"utilization": utilization, "periods": periods, "shaper_period": shaper_period}
        for label, (low, high) in ranges.items():
            if not 0 < low < high:
                raise ShopfloorError(f"{label} must be a range of positive numbers, got {(low, high)}")
        self.mapping = mapping
        self.joints = tuple(joints)
        self.utilization = utilization
        self.periods = periods
        self.velocity = velocity
        self.acceleration = acceleration
        self.shaper_period = shaper_period
        self.interpolator_hz = interpolator_hz
        self.profile = profile

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """Utilization while speeding up and while slowing down, filter period."""
        low, high = self.utilization
        shares = "share of the estimated friction limit used while"
        return (
            ActionTerm("acceleration_utilization", "1", low, high, "path", f"{shares} speeding up"),
            ActionTerm("deceleration_utilization", "1", low, high, "path", f"{shares} slowing down"),
            ActionTerm(
                "shaper_periods", "1", *self.periods, "path",
                "averaging period in estimated vibration periods, read at the first step only",
            ),
        )  # fmt: skip

    def limits(self) -> dict[str, Any]:
        """Limits as plain data."""
        return {
            "joints": list(self.joints),
            "path_velocity": self.velocity,
            "path_acceleration": self.acceleration,
            "path_jerk": 2.0 * self.acceleration / self.shaper_period[0],
            "shaper_period": list(self.shaper_period),
        }

    def bind(self, s: Rows) -> None:
        """Resolve actuators and register the planner's state."""
        timing = s.timing
        ticks = self.interpolator_hz / timing.control_hz
        steps = 1.0 / (self.interpolator_hz * timing.timestep_s)
        if abs(ticks - round(ticks)) > 1e-9 or abs(steps - round(steps)) > 1e-9 or round(steps) < 1:
            raise ShopfloorError(
                f"interpolator_hz={self.interpolator_hz} must be a multiple of the control rate {timing.control_hz} Hz "
                f"and divide the physics rate {1.0 / timing.timestep_s:g} Hz"
            )
        self._ticks, self._dt = round(ticks), 1.0 / self.interpolator_hz
        self._steps_per_tick = round(steps)
        # times of the physics steps' ends, in ticks since the control step began
        self._times = np.arange(1, timing.substeps + 1) / self._steps_per_tick
        depth = math.ceil(self.shaper_period[1] / self._dt) + 1
        self._kept = depth + 1
        self._positions = s.sim.ids("actuator", [f"{j}_position" for j in self.joints])
        self._velocities = s.sim.ids("actuator", [f"{j}_velocity" for j in self.joints])
        # knots of the bang-bang profile, at past and coming ticks: integral of distance, distance and speed there, and
        # the acceleration from there on, until the next knot or standstill
        for name in _KNOTS:
            s.new(name, (self._kept + self._ticks,))
        for name in ("shaper_period", "path_distance", "path_speed", "path_acceleration"):
            s.new(name)
        s.new("path_complete", dtype=bool)

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """At rest at the beginning of the path."""
        for name in _KNOTS:
            getattr(s, name)[rows] = 0.0
        s.shaper_period[rows] = 0.0
        s.path_complete[rows] = False
        for name in ("path_distance", "path_speed", "path_acceleration"):
            getattr(s, name)[rows] = 0.0

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Plan one control step, shape it, map it to the joints and let the servos follow."""
        first = s.shaper_period == 0.0
        low, high = self.shaper_period
        period = np.minimum(np.maximum(setpoints[:, 2] * s.period_estimate, low), high)
        s.shaper_period[...] = np.where(first, period, s.shaper_period)
        limits = np.minimum(setpoints[:, :2] * s.acceleration_estimate[:, None], self.acceleration)
        self._plan(s, limits[:, 0].copy(), limits[:, 1].copy())
        distance, speed = self._shaped(s)
        s.path_acceleration[...] = (speed[:, -1] - s.path_speed) / s.timing.control_dt
        s.path_distance[...] = distance[:, -1]
        s.path_speed[...] = speed[:, -1]
        s.path_complete[...] = s.path_length - s.path_distance < ARRIVED_M
        position, rate = self.mapping.joints(s, distance, speed)
        s.path_record = distance
        commands = np.repeat(s.sim.ctrl[:, None, :], distance.shape[1], axis=1)
        commands[:, :, self._positions] = position
        commands[:, :, self._velocities] = rate
        records = s.sim.follow(commands if rows is None else commands[rows], rows, record=True)
        s.sensor_record = records if rows is None else self._spread(s, records, rows)

    def _spread(self, s: Rows, records: Array | None, rows: NDArray[np.intp]) -> Array | None:
        """Records of some rows in an array for all; the others repeat their present sensor data."""
        if records is None:
            return None
        full = np.repeat(s.sim.output("sensordata")[:, None], records.shape[1], axis=1)
        full[rows] = records
        return full

    def _plan(self, s: Rows, speeding: Array, slowing: Array) -> None:
        """Append one control step of ticks to the bang-bang profile; `speeding` is (n,) or (n, ticks)."""
        kept = self._kept
        for name in _KNOTS:
            array = getattr(s, name)
            array[:, :kept] = array[:, self._ticks :].copy()
        integral, x, v = s.plan_integral[:, kept - 1], s.plan_distance[:, kept - 1], s.plan_speed[:, kept - 1]
        for k in range(kept, kept + self._ticks):
            faster = speeding if speeding.ndim == 1 else speeding[:, k - kept]
            after = self._fastest(s, x, v, faster, slowing)
            x, v, integral = self._append(s, k, x, v, integral, after)

    def _fastest(self, s: Rows, x: Array, v: Array, speeding: Array, slowing: Array) -> Array:
        """Speed after a tick that begins at path distance `x` with speed `v`."""
        if self.profile is not None:
            return speed_ahead(self.profile, s, x, v, speeding, slowing, self.velocity, self._dt)
        return planned_speed(v, s.path_length - x, s.path_curvature, speeding, slowing, self.velocity, self._dt)

    def _append(self, s: Rows, k: int, x: Array, v: Array, integral: Array, after: Array) -> tuple[Array, Array, Array]:
        """Write the knot `k`: one tick of constant acceleration from distance `x` and speed `v` to speed `after`."""
        dt, remaining = self._dt, s.path_length - x
        # a stop that fits into this tick is made in the time that it takes, whatever is left of the tick
        lands = (v > 0.0) & (2.0 * remaining <= v * dt)
        moving = np.where(lands, 2.0 * remaining / np.maximum(v, 1e-12), dt)
        after = np.where(lands, 0.0, np.maximum(after, 0.0))
        s.plan_acceleration[:, k - 1] = (after - v) / np.maximum(moving, 1e-12)
        arrived = np.where(lands, s.path_length, x + 0.5 * (v + after) * dt)
        integral = integral + moving * (x + (2.0 * v + after) * (moving / 6.0)) + (dt - moving) * arrived
        s.plan_integral[:, k], s.plan_distance[:, k], s.plan_speed[:, k] = integral, arrived, after
        return arrived, after, integral

    def _shaped(self, s: Rows) -> tuple[Array, Array]:
        """Distance and speed of the averaged profile at every physics step, both (n, substeps)."""
        now = self._kept - 1 + np.broadcast_to(self._times, (s.n, self._times.size))
        before = now - (s.shaper_period / self._dt)[:, None]
        integral_now, distance_now = self._profile(s, now)
        integral_before, distance_before = self._profile(s, before)
        period = s.shaper_period[:, None]
        return (integral_now - integral_before) / period, (distance_now - distance_before) / period

    def _profile(self, s: Rows, ticks: Array) -> tuple[Array, Array]:
        """Integral and distance of the bang-bang profile at fractional ticks (n, k); exact, as each tick is."""
        last = self._kept + self._ticks - 2
        index = np.clip(np.floor(ticks).astype(np.intp), 0, last)
        tau = (ticks - index) * self._dt
        distance = np.take_along_axis(s.plan_distance, index, axis=1)
        speed = np.take_along_axis(s.plan_speed, index, axis=1)
        acceleration = np.take_along_axis(s.plan_acceleration, index, axis=1)
        integral = np.take_along_axis(s.plan_integral, index, axis=1)
        stop = np.where(acceleration < 0.0, speed / np.maximum(-acceleration, 1e-12), np.inf)
        moving = np.minimum(tau, stop)
        integral = integral + moving * (distance + moving * (0.5 * speed + moving * (acceleration / 6.0)))
        distance = distance + moving * (speed + moving * (0.5 * acceleration))
        return integral + (tau - moving) * distance, distance
