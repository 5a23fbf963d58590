"""Scripted policies of WaferSwap: the standard sequence of a fab, and an oracle that knows the machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows

Array = NDArray[np.float64]


class SwapExpert:
    """The standard sequence: one step after the other, each released by a switch or by an axis in position.

    Arm a waits for the switches of gate and pins, arm b and the lift wait for arm a to be home, the gate for arm b. A
    quarter of the estimated friction is held back, and contacts are made with half of what is allowed.

    Args:
        utilization: share of the estimated friction limits.
        handoff_speed: at contacts, mm/s.
    """

    privileged = False

    def __init__(self, utilization: float = 0.75, handoff_speed: float = 12.0):
        self.utilization = utilization
        self.handoff_speed = handoff_speed

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """The same set-points throughout."""
        recipe = np.array([1.5, self.utilization, self.utilization, 0.0, 0.0, self.handoff_speed, 1.5])
        return np.tile(recipe, (len(readings["gate_clock"]), 1))
