"""Motion limits, used by the action interfaces in training and by the controller runtime in deployment.

`MotionLimiter` turns whatever a policy asks for into set-points whose velocity, acceleration and jerk stay inside
`MotionLimits`, in every row and at every tick. `CommandFilter` is the guard in front of it: non-finite values,
range and rate of change of a command. Only numpy is needed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import ShopfloorError

Array = NDArray[np.float64]


def _vector(name: str, values: object, size: int | None = None, positive: bool = False) -> Array:
    array = np.atleast_1d(np.asarray(values, dtype=np.float64)).copy()
    if array.ndim != 1 or (size is not None and array.shape != (size,)):
        raise ShopfloorError(f"{name} must be a vector of {size} numbers, got shape {array.shape}")
    if np.isnan(array).any() or (positive and not (array > 0).all()):
        kind = "positive numbers" if positive else "numbers"
        raise ShopfloorError(f"{name} must hold {kind}, got {array.tolist()}")
    array.flags.writeable = False
    return array


@dataclass(frozen=True)
class MotionLimits:
    """Limits of `dof` axes; units are those of the axis (rad or m) and s.

    Attributes:
        low, high: position range.
        velocity, acceleration, jerk: symmetric bounds, all positive.
    """

    low: Array
    high: Array
    velocity: Array
    acceleration: Array
    jerk: Array

    @classmethod
    def of(
        cls,
        *,
        low: Sequence[float] | Array,
        high: Sequence[float] | Array,
        velocity: Sequence[float] | Array,
        acceleration: Sequence[float] | Array,
        jerk: Sequence[float] | Array,
    ) -> MotionLimits:
        """Limits from plain sequences, checked.

        Raises:
            ShopfloorError: if sizes differ, a bound is not positive or a range is empty.
        """
        lo = _vector("low", low)
        hi = _vector("high", high, lo.size)
        if not (lo < hi).all():
            raise ShopfloorError(f"low must be below high, got {lo.tolist()} and {hi.tolist()}")
        return cls(
            lo,
            hi,
            _vector("velocity", velocity, lo.size, positive=True),
            _vector("acceleration", acceleration, lo.size, positive=True),
            _vector("jerk", jerk, lo.size, positive=True),
        )

    @property
    def dof(self) -> int:
        """Number of axes."""
        return int(self.low.size)

    def as_dict(self) -> dict[str, list[float]]:
        """Plain lists, for the deployment contract."""
        return {k: getattr(self, k).tolist() for k in ("low", "high", "velocity", "acceleration", "jerk")}


class MotionLimiter:
    """Velocity-, acceleration- and jerk-limited reference generator for `dof` axes of any number of rows.

    The reference is a state (position, velocity, acceleration), three arrays (n, dof) that belong to the caller and
    are advanced in place. Per tick of `dt` seconds, acceleration changes by at most `jerk * dt`, velocity by at most
    `acceleration * dt`, and velocity never exceeds its bound: an acceleration is chosen only if it can still be
    brought to zero, at the jerk limit, before the bound is reached.
    """

    def __init__(self, limits: MotionLimits, dt: float):
        if not dt > 0:
            raise ShopfloorError(f"dt must be positive, got {dt}")
        self.limits = limits
        self.dt = float(dt)
        self._jerk_step = limits.jerk * self.dt
        self._jerk_step_sq = self._jerk_step * self._jerk_step
        self._two_jerk = 2.0 * limits.jerk
        # An S-curve stop from speed v takes the distance v^2/(2a) + v a/(2j). The velocity lags behind a target that
        # falls, by up to a^2/(2j), so braking has to begin earlier: three times the second term is the least that keeps
        # every reference inside its range, whatever the targets; half a tick is added for the discrete steps.
        self._stop_bias = 3.0 * limits.acceleration**2 / self._two_jerk + 0.5 * limits.acceleration * self.dt
        self._stop_bias_sq = self._stop_bias * self._stop_bias
        self._two_acceleration = 2.0 * limits.acceleration
        self._low_speed_gain = 0.25 / self.dt

    def toward_velocity(self, position: Array, velocity: Array, acceleration: Array, target: Array) -> None:
        """Advance one tick toward a velocity target (n, dof), in place; an axis whose target is NaN slows to a stop."""
        lim = self.limits
        target = np.where(np.isnan(target), 0.0, target)
        target = np.minimum(np.maximum(target, -lim.velocity), lim.velocity)
        gap = target - velocity
        # largest magnitude of acceleration that still lands on the target without overshoot
        bound = np.sqrt(self._jerk_step_sq + self._two_jerk * np.abs(gap)) - self._jerk_step
        wanted = np.copysign(np.minimum(bound, lim.acceleration), gap)
        np.minimum(wanted, acceleration + self._jerk_step, out=wanted)
        np.maximum(wanted, acceleration - self._jerk_step, out=wanted)
        acceleration[...] = wanted
        velocity += wanted * self.dt
        position += velocity * self.dt

    def toward_position(self, position: Array, velocity: Array, acceleration: Array, target: Array) -> None:
        """Advance one tick toward a position target (n, dof), in place; the target is clipped to the range.

        A reference at rest reaches a target that stays without overshoot, and none leaves the range it began in. An
        axis whose target is NaN slows to a stop.
        """
        lim = self.limits
        error = np.minimum(np.maximum(target, lim.low), lim.high) - position
        speed = self.approach_speed(np.abs(error))
        self.toward_velocity(position, velocity, acceleration, np.copysign(speed, error))

    def approach_speed(self, distance: Array) -> Array:
        """Largest speed (n, dof) to aim at while `distance` (n, dof) >= 0 remains to where motion must have ended."""
        speed = np.sqrt(self._stop_bias_sq + self._two_acceleration * distance) - self._stop_bias
        return np.minimum(speed, distance * self._low_speed_gain, out=speed)

    def approach_distance(self, speed: Array) -> Array:
        """Distance (..., dof) from which `approach_speed` is `speed` (..., dof) >= 0; its inverse."""
        braking = ((speed + self._stop_bias) ** 2 - self._stop_bias_sq) / self._two_acceleration
        return np.maximum(braking, speed / self._low_speed_gain)


class CommandFilter:
    """Guard of a command vector: finite, inside its range, and changing no faster than allowed.

    Args:
        low, high: range of each component, in its unit.
        rate: largest change per second of each component, or None for no bound.
        dt: tick in s.
    """

    def __init__(self, low: object, high: object, dt: float, rate: object | None = None):
        self.low = _vector("low", low)
        self.high = _vector("high", high, self.low.size)
        if not (self.low <= self.high).all():
            raise ShopfloorError(f"low must not exceed high, got {self.low.tolist()} and {self.high.tolist()}")
        self._neutral = np.clip(0.0, self.low, self.high)
        self.step = None if rate is None else _vector("rate", rate, self.low.size, positive=True) * dt

    def __call__(self, command: Array, previous: Array | None = None) -> tuple[Array, Array]:
        """Filtered command (..., size) and a mask (...) of rows in which it had to be changed.

        A row with a non-finite component is replaced by `previous`, or by the range's nearest value to zero where
        there is none. The range comes before the rate: a `previous` outside it is left at once.
        """
        last = self._neutral if previous is None else np.where(np.isfinite(previous), previous, self._neutral)
        out = np.where(np.isfinite(command).all(axis=-1, keepdims=True), command, last)
        if self.step is not None and previous is not None:
            out = np.minimum(np.maximum(out, last - self.step), last + self.step)
        out = np.minimum(np.maximum(out, self.low), self.high)
        return out, (out != command).any(axis=-1)
