"""Parameters of a move: one decision a move, as a host sends it to today's controllers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows
from .interface import ActionTerm
from .path import PathMapping, PathTimeScaling

Array = NDArray[np.float64]


class MoveParameters(PathTimeScaling):
    """Set-points of a whole move: shares of the friction limit to use, and the period of the smoothing filter.

    As `PathTimeScaling`, but everything is read at the first control step of a move and kept until its end: one
    decision a move. The fourth set-point, `launch`, is the share used during the first filter period of the move. After
    averaging it is a triangle of acceleration, as long as two filter periods and free of vibration, on top of the
    profile: where it is more than friction holds, the wafer slides by about `2 excess period^2` and is caught again. A
    host that does not know friction can find it out so at little cost in time and risk.

    Needs the same row arrays as `PathTimeScaling`. The settings in force are in `move_settings` (n, 4): shares while
    speeding up, while slowing down, filter periods, share at the launch.
    """

    name = "move_parameters"

    def __init__(self, mapping: PathMapping, joints: Sequence[str], **limits: Any):
        super().__init__(mapping, joints, **limits)

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """Utilization while speeding up and while slowing down, filter period, utilization at the launch."""
        low, high = self.utilization
        shares = "share of the estimated friction limit used"
        return (
            ActionTerm("acceleration_utilization", "1", low, high, "path", f"{shares} while speeding up"),
            ActionTerm("deceleration_utilization", "1", low, high, "path", f"{shares} while slowing down"),
            ActionTerm("shaper_periods", "1", *self.periods, "path", "averaging period in estimated vibration periods"),
            ActionTerm("launch_utilization", "1", low, high, "path", f"{shares} in the first averaging period"),
        )

    def bind(self, s: Rows) -> None:
        """Register the settings in force."""
        super().bind(s)
        s.new("move_settings", (4,))
        s.new("move_ticks")

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """At rest at the beginning of a path, without settings."""
        super().reset(s, rows)
        s.move_settings[rows] = 0.0
        s.move_ticks[rows] = 0.0

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Read the settings of moves that begin, and move on."""
        begins = (s.shaper_period == 0.0)[:, None]
        s.move_settings[...] = np.where(begins, setpoints, s.move_settings)
        super().apply(s, s.move_settings, rows)

    def _plan(self, s: Rows, speeding: Array, slowing: Array) -> None:
        launch = np.minimum(s.move_settings[:, 3] * s.acceleration_estimate, self.acceleration)
        ticks = s.move_ticks[:, None] + np.arange(self._ticks)
        launching = ticks * self._dt < s.shaper_period[:, None] - 1e-9
        super()._plan(s, np.where(launching, launch[:, None], speeding[:, None]), slowing)
        s.move_ticks += self._ticks
