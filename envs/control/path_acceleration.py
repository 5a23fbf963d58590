"""Time scaling of a fixed path: the acceleration along it, some set-points a control step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows
from .interface import ActionTerm
from .path import _KNOTS, PathMapping, PathTimeScaling

Array = NDArray[np.float64]


class PathAcceleration(PathTimeScaling):
    """Set-points: acceleration along the path, at every tick of the interpolator, in shares of the friction limit.

    The path is fixed and its time scaling is free: each control step brings one set-point for each tick that it lasts,
    as the buffered interpolators of controllers take them. The interface integrates them, never backwards, never faster
    than the machine, and never so fast that the machine could not stop at the end of the path any more. The motion is
    averaged over `filter_periods` of the estimated vibration period before it goes to the servos.

    Needs the same row arrays as `PathTimeScaling`. What has been commanded before the averaging is in `raw_distance`
    (m) and `raw_speed` (m/s).

    Args:
        mapping, joints, limits: as for `PathTimeScaling`; `utilization` is the largest share in either direction.
        filter_periods: averaging period in estimated vibration periods.
    """

    name = "path_acceleration"

    def __init__(
        self,
        mapping: PathMapping,
        joints: Sequence[str],
        control_hz: float,
        filter_periods: float = 1.05,
        **limits: Any,
    ):
        super().__init__(mapping, joints, **limits)
        self.filter_periods = filter_periods
        self.setpoints = round(self.interpolator_hz / control_hz)

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """One share for each tick of a control step."""
        high, period = self.utilization[1], 1000.0 / self.interpolator_hz
        return tuple(
            ActionTerm(
                f"acceleration_{k}", "1", -high, high, "path",
                f"acceleration from {k * period:g} to {(k + 1) * period:g} ms, in estimated friction limits",
            )
            for k in range(self.setpoints)
        )  # fmt: skip

    def bind(self, s: Rows) -> None:
        """Register the present set-points."""
        super().bind(s)
        s.new("path_setpoints", (self.setpoints,))
        s.new("raw_distance")
        s.new("raw_speed")

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """At rest at the beginning of the path."""
        super().reset(s, rows)
        for name in ("path_setpoints", "raw_distance", "raw_speed"):
            getattr(s, name)[rows] = 0.0

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Integrate the set-points, average, map to the joints and let the servos follow."""
        s.path_setpoints[...] = setpoints
        none = np.zeros(s.n)
        super().apply(s, np.stack((none, none, none + self.filter_periods), axis=-1), rows)
        s.raw_distance[...], s.raw_speed[...] = s.plan_distance[:, -1], s.plan_speed[:, -1]

    def _plan(self, s: Rows, speeding: Array, slowing: Array) -> None:
        kept, dt = self._kept, self._dt
        for name in _KNOTS:
            array = getattr(s, name)
            array[:, :kept] = array[:, self._ticks :].copy()
        machine = np.full(s.n, self.acceleration)
        integral, x, v = s.plan_integral[:, kept - 1], s.plan_distance[:, kept - 1], s.plan_speed[:, kept - 1]
        for k in range(kept, kept + self._ticks):
            wanted = s.path_setpoints[:, k - kept] * s.acceleration_estimate
            wanted = np.minimum(np.maximum(wanted, -self.acceleration), self.acceleration)
            fastest = self._fastest(s, x, v, machine, machine)
            x, v, integral = self._append(s, k, x, v, integral, np.minimum(v + wanted * dt, fastest))
