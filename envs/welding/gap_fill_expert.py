"""The expert of WeldGapFill: the table of the procedure, looked up with the gap that the sensor has read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows
from .gap_fill_fit_up import AHEAD_MM
from .gap_fill_table import ProcedureTable

Array = NDArray[np.float64]


class GapFillExpert:
    """Adaptive fill as it is programmed: settings of the procedure's table for the gap that comes next.

    The controller looks a little ahead, because speed and feed take time to follow, and takes the wider of the gaps at
    the arc and there: too much metal is the smaller evil.
    """

    privileged = False

    def __init__(self, table: ProcedureTable):
        self.table = table

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """Set-points from the table."""
        gap = readings["gap_ahead"][:, : AHEAD_MM.index(10.0) + 1].max(axis=1)
        feed, travel, weave = self.table.at(gap)
        return np.stack((feed, travel, np.zeros_like(gap), weave), axis=1)
