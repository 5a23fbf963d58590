"""The decision for a bead: where in the groove, with which settings, and at which temperature of the plate."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..control import ActionTerm
from ..engine.task import Rows

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]


class Layable(Protocol):
    """What lays a bead in the rows of a call, None for all."""

    def bead(self, s: Rows, setpoints: Array, rows: RowIndex | None) -> None:
        """Wait and lay."""


class BeadPlan:
    """One bead a step: its middle, wire feed, travel speed, weave, and the interpass temperature to wait for.

    Needs the row attribute `layer` (`Layable`).

    Args:
        reach_mm: places that the torch reaches, to either side of the middle of the groove.
    """

    name = "bead_plan"

    def __init__(self, reach_mm: float):
        self._terms = (
            ActionTerm("place", "mm", -reach_mm, reach_mm, "groove", "middle of the bead across the groove"),
            ActionTerm("wire_feed", "m/min", 4.0, 10.0, "", "wire feed of the bead"),
            ActionTerm("travel_speed", "mm/s", 3.0, 12.0, "groove", "of the torch along the seam"),
            ActionTerm("weave", "mm", 0.0, 4.0, "groove", "amplitude to each side"),
            ActionTerm("interpass", "degC", 60.0, 300.0, "", "temperature of the weld down to which to wait"),
        )

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """Place, feed, speed, weave and interpass temperature."""
        return self._terms

    def limits(self) -> dict[str, Any]:
        """Ranges as plain data."""
        return {"low": [t.low for t in self._terms], "high": [t.high for t in self._terms]}

    def bind(self, s: Rows) -> None:
        """Nothing to resolve."""

    def reset(self, s: Rows, rows: RowIndex) -> None:
        """Nothing is kept between beads."""

    def apply(self, s: Rows, setpoints: Array, rows: RowIndex | None) -> None:
        """Lay one bead."""
        s.layer.bead(s, setpoints, rows)
