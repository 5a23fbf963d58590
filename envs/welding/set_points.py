"""Set-points of a welding controller: wire feed, travel speed, voltage trim and weave, as the machine follows them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..control import ActionTerm
from ..engine.task import Rows

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

NAMES = ("wire_feed", "travel_speed", "voltage_trim", "weave")
UNITS = ("m/min", "mm/s", "V", "mm")
MEANINGS = (
    "of the drive rolls",
    "of the torch along the seam",
    "over the voltage that the synergic line adds to the feed",
    "amplitude to each side",
)
# What drive rolls, robot, source and weave change in a second: 3 m/min, 20 mm/s^2, 10 V, 5 mm
SLEW = (3.0, 20.0, 10.0, 5.0)


class Weldable(Protocol):
    """What welds under the set-points in force; rows are None for all."""

    def weld(self, s: Rows, rows: RowIndex | None) -> None:
        """Advance one control step."""


class WeldSetPoints:
    """Set-points with slew limits; the first of an episode are taken as they are, as the arc is struck with them.

    Needs the row attribute `welder` (`Weldable`). The set-points in force are the row array `in_force` (n, 4).

    Args:
        low, high: ranges, in the order of `NAMES`.
    """

    name = "weld_set_points"

    def __init__(self, low: tuple[float, ...], high: tuple[float, ...]):
        self.low, self.high = low, high

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """Wire feed, travel speed, voltage trim, weave."""
        parts = zip(NAMES, UNITS, self.low, self.high, MEANINGS, strict=True)
        return tuple(
            ActionTerm(name, unit, low, high, "seam" if name == "travel_speed" else "", text)
            for name, unit, low, high, text in parts
        )

    def limits(self) -> dict[str, Any]:
        """Ranges and slew limits as plain data."""
        slew = {f"{name} ({unit} per s)": rate for name, unit, rate in zip(NAMES, UNITS, SLEW, strict=True)}
        return {"low": list(self.low), "high": list(self.high), "slew": slew}

    def bind(self, s: Rows) -> None:
        """Register the set-points in force."""
        s.new("in_force", (len(NAMES),))
        self._reach: Array = np.array(SLEW) * s.timing.control_dt

    def reset(self, s: Rows, rows: RowIndex) -> None:
        """Nothing is in force yet."""
        s.in_force[rows] = 0.0

    def apply(self, s: Rows, setpoints: Array, rows: RowIndex | None) -> None:
        """Move the set-points in force towards those asked for, and weld."""
        change = np.clip(setpoints - s.in_force, -self._reach, self._reach)
        first = (s.step == 0)[:, None]
        following = np.where(first, setpoints, s.in_force + change)
        if rows is None:
            s.in_force[...] = following
        else:
            s.in_force[rows] = following[rows]
        s.welder.weld(s, rows)
