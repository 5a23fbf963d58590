"""Five axes that a robot controller plans point to point: speed and acceleration limits, then an average over time.

At every tick each axis speeds up, or slows down so as to end at rest at its target; limits may differ from row to row
and from tick to tick. The plan is averaged over a window of each row and axis. An average over one period of a
vibration leaves that vibration at rest after every change of acceleration, and bounds the jerk (see `profiles`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows

Array = NDArray[np.float64]


class Axes:
    """Plans of all rows, kept in row arrays `plan`, `plan_rate`, `plan_history`, `plan_still` and `plan_window`.

    Args:
        count: number of axes.
        dt: tick, s.
        ticks: in a control step.
        longest: largest window, ticks.
        snap: (count,) distance from the target that counts as none, in the unit of each axis.
    """

    def __init__(self, count: int, dt: float, ticks: int, longest: int, snap: Array):
        self.count, self.dt, self.ticks, self.longest, self.snap = count, dt, ticks, longest, snap

    def bind(self, s: Rows) -> None:
        """Register the row arrays."""
        s.new("plan", (self.count,))
        s.new("plan_rate", (self.count,))
        s.new("plan_history", (self.longest + 1 + self.ticks, self.count))
        s.new("plan_still", (self.count,))  # ticks since the plan came to rest at its target
        s.new("plan_window", (self.count,), np.int64, fill=1)

    def stand(self, s: Rows, rows: NDArray[np.intp], position: Array, window: NDArray[np.int64]) -> None:
        """At rest at `position` (k, count); `window` (k, count) in ticks."""
        s.plan[rows], s.plan_rate[rows], s.plan_window[rows] = position, 0.0, window
        s.plan_history[rows] = position[:, None]
        s.plan_still[rows] = self.longest + 1.0

    def settled(self, s: Rows) -> NDArray[np.bool_]:
        """Whether each axis (n, count) has come to rest, its average included."""
        rest: NDArray[np.bool_] = s.plan_still >= s.plan_window
        return rest

    def begin(self, s: Rows) -> None:
        """Make room for the ticks of a control step."""
        s.plan_history[:, : -self.ticks] = s.plan_history[:, self.ticks :].copy()

    def tick(self, s: Rows, k: int, target: Array, speed: Array, acceleration: Array) -> None:
        """Tick `k` of the control step towards `target` under limits, all (n, count)."""
        dt = self.dt
        error, before = target - s.plan, s.plan_rate.copy()
        distance = np.abs(error)
        way = np.where(error < 0.0, -1.0, 1.0)
        towards = way * before
        half = 0.5 * acceleration * dt
        left = np.maximum(distance - 0.5 * dt * towards, 0.0)
        stop = np.sqrt(half * half + 2.0 * acceleration * left) - half
        # limits that have become tighter on the way must not carry the axis past its target
        needed = np.where(towards > 0.0, 0.5 * before * before / np.maximum(distance, self.snap), 0.0)
        slowing, rising = np.maximum(acceleration, needed) * dt, acceleration * dt
        rate = np.maximum(np.minimum(np.minimum(speed, stop), towards + rising), towards - slowing)
        moved = 0.5 * dt * (towards + rate)
        arrives = (np.abs(distance - moved) < self.snap) & (np.abs(rate) <= rising + 1e-12)
        s.plan[...] = np.where(arrives, target, s.plan + way * moved)
        s.plan_rate[...] = np.where(arrives, 0.0, way * rate)
        s.plan_still[...] = np.where(arrives & (before == 0.0) & (error == 0.0), s.plan_still + 1.0, 0.0)
        s.plan_history[:, k - self.ticks] = s.plan

    def averaged(self, s: Rows) -> tuple[Array, Array]:
        """Averaged plan at the last tick of the control step before and at those of this one, and its rate.

        Returns:
            Position and rate, both (n, ticks + 1, count).
        """
        history, count = s.plan_history, self.ticks + 1
        # counted from the oldest entry, so that sums stay small and a plan that stands still is met exactly
        moved = history - history[:, :1]
        total = np.cumsum(moved, axis=1)
        last = np.arange(history.shape[1] - count, history.shape[1])[None, :, None]
        first = np.broadcast_to(last - s.plan_window[:, None, :], (s.n, count, self.count))
        window = s.plan_window[:, None, :]
        position = history[:, :1] + (total[:, -count:] - np.take_along_axis(total, first, axis=1)) / window
        rate = (moved[:, -count:] - np.take_along_axis(moved, first, axis=1)) / (window * self.dt)
        return position, rate


def spread(knots: Array, steps: int) -> Array:
    """Values at `steps` physics steps a tick, linear between knots (n, ticks + 1, axes): (n, ticks * steps, axes)."""
    share = (np.arange(1, steps + 1) / steps)[None, None, :, None]
    between = knots[:, :-1, None] + share * (knots[:, 1:] - knots[:, :-1])[:, :, None]
    return between.reshape(len(knots), -1, knots.shape[2])


def zoned_speed(position: Array, target: Array, zone: tuple[float, float], slow: Array, fast: float,
                acceleration: float) -> Array:  # fmt: skip
    """Speed limit (n,) of an axis that has to be slow inside a zone, and slow down in time before it.

    Args:
        position, target: (n,) of the axis.
        zone: its ends.
        slow: (n,) limit inside.
        fast: limit elsewhere.
        acceleration: with which it slows down.
    """
    low, high = zone
    up = target > position
    before = np.where(up, low - position, position - high)  # way to the zone, negative inside and behind
    inside = (position >= low) & (position <= high)
    approaching = (before > 0.0) & np.where(up, target > low, target < high)
    ahead = np.sqrt(slow * slow + 2.0 * acceleration * np.maximum(before, 0.0))
    return np.where(inside, np.minimum(slow, fast), np.where(approaching, np.minimum(ahead, fast), fast))
