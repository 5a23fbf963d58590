"""The protocol of action interfaces and the declaration of an action component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..engine.task import Rows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ActionTerm:
    """One component of the set-point vector.

    Attributes:
        name: component name.
        unit: unit of the set-point.
        low, high: its range; the environment's action -1 is `low`, +1 is `high`.
        frame: frame in which it is expressed, "" where that means nothing.
        description: one line.
    """

    name: str
    unit: str
    low: float
    high: float
    frame: str = ""
    description: str = ""


class ActionInterface(Protocol):
    """Turns set-points into actuator commands for one control step.

    An interface keeps its row state in `Rows`, so it is saved and restored with the environment. What it commands
    obeys the motion limits of `shopfloor.limits`.
    """

    name: str

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """The components of the set-point vector, in order."""

    def limits(self) -> dict[str, Any]:
        """Motion limits that the interface enforces, as plain data for the deployment contract."""

    def bind(self, s: Rows) -> None:
        """Resolve names and register row arrays, once."""

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Start from the present physics state of `rows`."""

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Command one control step of `rows` (None for all) under set-points (n, size), and step the physics."""
