"""Scripted policies of WaferTransfer: the process engineer's profile, and the oracle's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...assets.parts import wafer
from ...assets.robots.vacuum_scara import LINK_LENGTH, PAD_ANGLES, PAD_CIRCLE_RADIUS, WRIST_TO_WAFER
from ..control.path import planned_speed, speed_ahead
from ..engine.task import Rows
from .center_motion import smooth_trapezoid
from .kinematics import joints_from_polar
from .pads import least_carried_over
from .profiles import GRAVITY, tilt_limits, yaw_friction_factor
from .transfer_paths import ByVia, SeenPaths

Array = NDArray[np.float64]


def carried_share(readings: dict[str, Array]) -> Array:
    """Share of the estimated friction (n,) that pads hold at worst after a change of their temperature; else 1."""
    n = len(readings["friction_estimate"])
    if "pads_warmed" not in readings:
        return np.ones(n)
    celsius = readings["pad_celsius"][:, 0]
    return least_carried_over(readings["pad_set"][:, 0], celsius, celsius - readings["pads_warmed"][:, 0])


def curve_share(limit: Array, sharpest: Array, frequency: Array) -> Array:
    """Share of a friction limit (n,) that the profile of a path of varying curvature may use because of its curves.

    Averaging over a period smooths the speed, not the direction: a curve that is passed within a period excites the
    mode across the path, and the tool is faster in it than its profile. Both grow with the product b of a period and
    `sqrt(limit curvature)`, the rate at which the direction turns; what the wafer holds falls as 1 / (1 + 0.35 b^2),
    found in simulation up to b = 1.2.

    Args:
        limit: m/s^2.
        sharpest: largest curvature of the path, 1/m.
        frequency: of the mode, Hz.
    """
    return 1.0 / (1.0 + 0.35 * limit * sharpest / (frequency * frequency))


def curve_caution(readings: dict[str, Array]) -> Array:
    """What an engineer's margin is multiplied by on a path by way of a via point, by the estimates; else 1."""
    if "path_sharpest" not in readings:
        return np.ones(len(readings["friction_estimate"]))
    friction, frequency, sharpest = (
        readings[k][:, 0] for k in ("friction_estimate", "frequency_estimate", "path_sharpest")
    )
    return curve_share(GRAVITY * friction, sharpest, frequency)


class TransferExpert:
    """The profile that a process engineer would set up from the same estimates as the policy's.

    Args:
        friction_margin: share of the estimated friction that is used. A quarter is held back: three standard
            deviations of the estimate, the droop, and the moment that spins the wafer up on an arc.
        action: the task's; a launch of "move_parameters" is like the rest of the move.
        period_margin: shaper period in estimated vibration periods; a little long rather than short.
    """

    privileged = False

    def __init__(self, action: str = "path_time_scaling", friction_margin: float = 0.75, period_margin: float = 1.05):
        self.action = action
        self.friction_margin = friction_margin
        self.period_margin = period_margin

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """The same margins throughout the move."""
        margin = self.friction_margin * carried_share(readings) * curve_caution(readings)
        settings = (margin, margin, np.full(s.n, self.period_margin), margin)
        return np.stack(settings[: 4 if self.action == "move_parameters" else 3], axis=-1)


class TransferOracle:
    """The fastest jerk-limited profile that neither slips nor rings, from the true friction, droop and frequency.

    It averages the friction-limited profile over one vibration period, which neither needs more friction nor excites
    the mode (see `profiles`). On a line the droop makes the limits of the two halves differ; on an arc the wafer's
    own angular acceleration and the droop's part across the motion are taken off.

    Args:
        margin: share of the friction limit that is used. The rest covers the overshoot of the damped mode, whose
            response to a ramp of one period is not perfectly flat: 1.5 % of the step at a damping ratio of 0.01.
        via: whether the move is one by way of a via point, where it keeps to the smaller limit of the droop, and to a
            share of it, see `curve_share`; the wafer must also be spun up.
    """

    privileged = True

    def __init__(self, action: str = "path_time_scaling", margin: float = 0.97, via: bool = False):
        self.action, self.margin, self.via = action, margin, via
        radii = np.linspace(0.2, 1.1, 46)
        gyration_sq = wafer.RADIUS**2 / 2.0  # of a thin disc about its axis
        factors = yaw_friction_factor(radii, PAD_CIRCLE_RADIUS, gyration_sq, PAD_ANGLES[0])
        mirrored = yaw_friction_factor(radii, PAD_CIRCLE_RADIUS, gyration_sq, -PAD_ANGLES[0])
        self._radii, self._factors = radii, np.minimum(factors, mirrored)

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """True limits of speeding up and slowing down."""
        outward, inward = tilt_limits(s.friction, s.droop)
        extending = s.path_sign > 0
        curved = s.path_curvature > 0
        speeding = np.where(extending, outward, inward)
        slowing = np.where(extending, inward, outward)
        turning = np.minimum(outward, inward) * np.interp(s.path_radius, self._radii, self._factors)
        first, second = np.where(curved, turning, speeding), np.where(curved, turning, slowing)
        if self.via:
            least = np.minimum(outward, inward)
            first = second = 0.94 * least * curve_share(least, s.path_sharpest, s.frequency)
        share = self.margin / s.acceleration_estimate
        settings = (share * first, share * second, 1.0 / (s.frequency * s.period_estimate), share * first)
        return np.stack(settings[: 4 if self.action == "move_parameters" else 3], axis=-1)


class ScalingExpert:
    """The fastest time scaling of the path within the engineer's margin, tick by tick.

    Args:
        friction_margin: share of the estimated friction that is used; see `TransferExpert`.
        ticks, tick_s: set-points a control step, and how long each holds.
        velocity: largest speed, m/s.
    """

    privileged = False

    def __init__(
        self,
        friction_margin: float = 0.75,
        ticks: int = 4,
        tick_s: float = 0.005,
        velocity: float = 1.6,
    ):
        self._seen = SeenPaths()
        self.friction_margin, self.ticks, self.tick_s, self.velocity = friction_margin, ticks, tick_s, velocity

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """Accelerations of the ticks to come."""
        unit = GRAVITY * readings["friction_estimate"][:, 0]
        limit = self.friction_margin * carried_share(readings) * curve_caution(readings) * unit
        curvature = readings["path_curvature"][:, 0]
        speed, remaining = readings["raw_speed"][:, 0], readings["raw_remaining"][:, 0]
        shares = np.empty((len(speed), self.ticks))
        if (by_via := readings.get("path_by_via")) is not None:
            self._seen.look(by_via)
        for k in range(self.ticks):
            if by_via is None:
                after = planned_speed(speed, remaining, curvature, limit, limit, self.velocity, self.tick_s)
            else:
                distance = self._seen.path_length - remaining
                after = speed_ahead(
                    ByVia(), self._seen, distance, speed, limit, limit, self.velocity, self.tick_s
                )  # fmt: skip
            after = np.maximum(after, 0.0)
            shares[:, k] = (after - speed) / (self.tick_s * unit)
            remaining = np.maximum(remaining - 0.5 * (speed + after) * self.tick_s, 0.0)
            speed = after
        return shares


class JointExpert:
    """A trapezoid along the path, averaged over one estimated vibration period, in joint velocities.

    On an arc its speed and its acceleration each leave the other 0.7 of the share of friction that is used.

    Args:
        friction_margin: share of the estimated friction that is used.
        period_margin: averaging period in estimated vibration periods.
        gain: of the correction of the commanded angles, 1/s.
        velocity: largest speed, m/s.
    """

    privileged = False

    def __init__(
        self,
        friction_margin: float = 0.64,
        period_margin: float = 1.05,
        gain: float = 12.0,
        velocity: float = 1.6,
    ):
        self.friction_margin, self.period_margin = friction_margin, period_margin
        self.gain, self.velocity = gain, velocity

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps: the profile is a function of the time since the start."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """Joint velocities at the end of the step."""
        limit = self.friction_margin * GRAVITY * readings["friction_estimate"][:, 0]
        curvature, length = readings["path_curvature"][:, 0], readings["path_length"][:, 0]
        radius, angle, sign = (np.ascontiguousarray(readings["path_start"][:, k]) for k in range(3))
        curved = curvature > 0.0
        acceleration = np.where(curved, 0.7 * limit, limit)
        speed = np.minimum(self.velocity, np.sqrt(length * acceleration))
        speed = np.where(curved, np.minimum(speed, np.sqrt(0.7 * limit / np.where(curved, curvature, 1.0))), speed)
        period = self.period_margin / readings["frequency_estimate"][:, 0]
        now = s.step * s.timing.control_dt
        ends = now[:, None] + np.array([0.0, s.timing.control_dt])
        columns = (x[:, None] for x in (length, speed, acceleration, period))
        distance, pace = smooth_trapezoid(ends, *columns)
        moved, rate, turn = sign[:, None] * distance, sign[:, None] * pace, curvature[:, None]
        along = ~curved[:, None]
        position, velocity = joints_from_polar(
            np.where(along, radius[:, None] + moved, radius[:, None]), angle[:, None] + turn * moved,
            np.where(along, rate, 0.0), turn * rate, LINK_LENGTH, WRIST_TO_WAFER,
        )  # fmt: skip
        error = position[:, 0] - readings["joint_reference"]
        return velocity[:, 1] + self.gain * error
