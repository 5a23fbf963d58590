"""Set-points of a get or a put: speed along the station's line, height at the slot, vacuum valve, abort."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.slot import CUP_AREA, HOME_RADIUS, PADDLE_MOMENT, SAG_LEVER, STATION_RADIUS
from ...assets.robots.efem_robot import GEOMETRY, LIFT_RANGE, MOTION_LIMITS, RADIUS_RANGE
from ...limits import MotionLimits
from ..control import ActionTerm
from ..engine.task import Rows
from .slot_vacuum import pressures

Array = NDArray[np.float64]

ABORT_LEVEL = 0.5
AXES = ("radius", "lift")


class SlotMotion:
    """The robot's own interpolator between a policy and the drives.

    The arm runs along the line of the station with the speed asked for and stops by itself at the two taught ends, the
    retracted position and the station. The lift goes to the height asked for, which counts from where the mapped slot
    and the teaching say that the pads meet a wafer in the slot. Both axes plan with their limits of speed and
    acceleration and average the plan over twice acceleration over jerk, which keeps all three limits at every tick.
    The valve connects the cups with the vacuum while its set-point is positive. An abort is requested by a set-point
    above a half; what comes of that is the task's business.

    Needs the row arrays `lift_zero` (m), `sag_full` (m), `sag_stiffness` (N m/rad), `sealed` (cups), `leak`,
    `supply_kpa`, `vacuum_tau` and `vent_tau` (s).

    Args:
        height_mm: range of heights.
        interpolator_hz: rate of the interpolator.
    """

    name = "slot_motion"

    def __init__(self, height_mm: tuple[float, float], interpolator_hz: float = 500.0):
        self.height_mm = height_mm
        self.interpolator_hz = interpolator_hz
        radius, lift = MOTION_LIMITS["radius"], MOTION_LIMITS["lift"]
        self.motion = MotionLimits.of(
            low=(RADIUS_RANGE[0], LIFT_RANGE[0]),
            high=(RADIUS_RANGE[1], LIFT_RANGE[1]),
            velocity=(radius.speed, lift.speed),
            acceleration=(radius.acceleration, lift.acceleration),
            jerk=(radius.jerk, lift.jerk),
        )

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """Speed, height, valve, abort."""
        fastest = MOTION_LIMITS["radius"].speed
        return (
            ActionTerm("radial_speed", "m/s", -fastest, fastest, "station", "speed of the paddle into the carrier"),
            ActionTerm(
                "height", "mm", *self.height_mm, "station", "of the pads above where a wafer in the slot is expected"
            ),
            ActionTerm("valve", "1", -1.0, 1.0, "", "vacuum on the cups if positive"),
            ActionTerm("abort", "1", -1.0, 1.0, "", f"requests an abort if above {ABORT_LEVEL:g}"),
        )

    def limits(self) -> dict[str, Any]:
        """Motion limits as plain data."""
        return {"axes": list(AXES), **self.motion.as_dict(), "taught_radius": [HOME_RADIUS, STATION_RADIUS]}

    def bind(self, s: Rows) -> None:
        """Resolve actuators and register the interpolator's state."""
        timing = s.timing
        self._ticks = round(self.interpolator_hz / timing.control_hz)
        self._steps = timing.substeps // self._ticks
        self._dt = 1.0 / self.interpolator_hz
        lim = self.motion
        self._window = np.ceil(2.0 * lim.acceleration / lim.jerk * self.interpolator_hz - 1e-9).astype(int).tolist()
        depth = max(self._window) + 1
        names = ("a_shoulder_position", "a_shoulder_velocity", "lift_position", "lift_velocity", "a_sag", "vacuum")
        self._shoulder, self._shoulder_rate, self._lift, self._lift_rate, self._sag, self._vacuum = s.sim.ids(
            "actuator", names
        ).tolist()
        self._times: Array = timing.timestep_s * np.arange(1.0, timing.substeps + 1.0)
        for name in ("reference", "reference_rate", "reference_acceleration", "plan", "plan_rate"):
            s.new(name, (2,))
        s.new("plan_history", (depth + self._ticks, 2))
        s.new("pressure_kpa")

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """At rest where the task has put the machine; the task sets the pressure."""
        s.reference_rate[rows] = s.reference_acceleration[rows] = s.plan_rate[rows] = 0.0
        s.plan[rows] = s.reference[rows]
        s.plan_history[rows] = s.reference[rows][:, None]

    def hang(self, s: Rows, radius: Array) -> Array:
        """Control of the sag (..., k) for radii (n, k): tilt that makes an unloaded paddle hang by the arm's droop."""
        tilt = s.sag_full[:, None] / SAG_LEVER * (radius / RADIUS_RANGE[1]) ** 2
        free: Array = tilt - (PADDLE_MOMENT / s.sag_stiffness)[:, None]
        return free

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Advance both axes and the pressure by one control step and let drives and cups follow."""
        position, rate = self._interpolate(s, setpoints)
        s.radius_record, s.lift_rate_record = position[:, :, 0], rate[:, :, 1]
        phi = GEOMETRY.extension_angle(position[:, :, 0])
        count = position.shape[1]
        commands = np.repeat(s.sim.ctrl[:, None, :], count, axis=1)
        commands[:, :, self._shoulder] = phi
        commands[:, :, self._shoulder_rate] = rate[:, :, 0] / GEOMETRY.rate(phi)
        commands[:, :, self._lift], commands[:, :, self._lift_rate] = position[:, :, 1], rate[:, :, 1]
        commands[:, :, self._sag] = self.hang(s, position[:, :, 0])
        pressure = pressures(
            s.pressure_kpa, setpoints[:, 2] > 0.0, s.supply_kpa, s.leak, s.vacuum_tau, s.vent_tau, self._times
        )
        s.pressure_kpa[...] = pressure[:, -1]
        commands[:, :, self._vacuum] = cup_force(pressure, s.sealed[:, None])
        records = s.sim.follow(commands if rows is None else commands[rows], rows, record=True)
        s.sensor_record = records if rows is None else self._spread(s, records, rows)

    def _interpolate(self, s: Rows, setpoints: Array) -> tuple[Array, Array]:
        """References (n, substeps, 2) of radius and lift, and their rates."""
        history, ticks = s.plan_history, self._ticks
        history[:, :-ticks] = history[:, ticks:].copy()
        lift = s.lift_zero + 0.001 * setpoints[:, 1]
        lift = np.minimum(np.maximum(lift, LIFT_RANGE[0]), LIFT_RANGE[1])
        for k in range(ticks):
            self._plan(s, setpoints[:, 0], lift)
            history[:, k - ticks] = s.plan
        position, rate = self._average(history)
        acceleration = np.diff(rate, axis=1) / self._dt
        largest = np.argmax(np.abs(acceleration), axis=1)[:, None]
        s.reference_acceleration[...] = np.take_along_axis(acceleration, largest, axis=1)[:, 0]
        s.reference[...], s.reference_rate[...] = position[:, -1], rate[:, -1]
        share = (np.arange(1, self._steps + 1) / self._steps)[None, None, :, None]
        spread = [a[:, :-1, None] + share * (a[:, 1:] - a[:, :-1])[:, :, None] for a in (position, rate)]
        shape = (s.n, ticks * self._steps, 2)
        return spread[0].reshape(shape), spread[1].reshape(shape)

    def _average(self, history: Array) -> tuple[Array, Array]:
        """Averaged plan at the present tick and the coming ones, and its rate, both (n, ticks + 1, 2)."""
        count = self._ticks + 1
        # counted from the oldest entry, so that sums stay small and a plan that stands still is met exactly
        moved = history - history[:, :1]
        total = np.cumsum(moved, axis=1)
        position, rate = [], []
        for axis, window in enumerate(self._window):
            last = slice(history.shape[1] - count, None)
            first = slice(history.shape[1] - count - window, history.shape[1] - window)
            position.append(history[:, :1, axis] + (total[:, last, axis] - total[:, first, axis]) / window)
            rate.append((moved[:, last, axis] - moved[:, first, axis]) / (window * self._dt))
        return np.stack(position, axis=-1), np.stack(rate, axis=-1)

    def _plan(self, s: Rows, radial: Array, lift: Array) -> None:
        """One tick of the plan under limits of speed and acceleration, which ends at rest where it has to."""
        dt, lim = self._dt, self.motion
        error = lift - s.plan[:, 1]
        ahead = np.stack((STATION_RADIUS - s.plan[:, 0], error), axis=-1)
        behind = np.stack((s.plan[:, 0] - HOME_RADIUS, -error), axis=-1)
        before = s.plan_rate.copy()
        wanted = np.stack((radial, np.copysign(lim.velocity[1], error)), axis=-1)
        wanted = np.minimum(np.maximum(wanted, -self._stopping(behind, -before)), self._stopping(ahead, before))
        change = lim.acceleration * dt
        s.plan_rate[...] = np.minimum(np.maximum(wanted, before - change), before + change)
        s.plan += 0.5 * dt * (before + s.plan_rate)

    def _stopping(self, distance: Array, speed: Array) -> Array:
        """Largest speed (n, 2) at the end of a tick, begun with `speed`, that can still stop within `distance`."""
        half = 0.5 * self.motion.acceleration * self._dt
        left = np.maximum(distance - 0.5 * self._dt * speed, 0.0)
        stop: Array = np.minimum(
            np.sqrt(half * half + 2.0 * self.motion.acceleration * left) - half, self.motion.velocity
        )
        return stop

    def _spread(self, s: Rows, records: Array | None, rows: NDArray[np.intp]) -> Array | None:
        """Records of some rows in an array for all; the others repeat their present sensor data."""
        if records is None:
            return None
        full = np.repeat(s.sim.output("sensordata")[:, None], records.shape[1], axis=1)
        full[rows] = records
        return full


def cup_force(pressure_kpa: Array, sealed: Array) -> Array:
    """Force (N) of the sealed cups at a gauge pressure; broadcasts."""
    force: Array = -1000.0 * pressure_kpa * CUP_AREA * sealed
    return force
