"""The get and put sequences that an equipment engineer programs: one axis after the other, each with its margin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows

Array = NDArray[np.float64]

STACK_MM = 5.25  # paddle and cups, underside to where a wafer lies
CROSSED_MM, EMPTY_MM = 2.5, 0.2  # mapped thickness above which a wafer lies askew, below which a slot is empty
AT_HEIGHT_MM = 0.25
# Way to the station from which the arm must be at its height to go on, and further out than which it moves anyway.
ENTRY_M, OUTSIDE_M = 0.33, 0.40
NEAR_MM = 1.3  # about the expected height within which the hand-off may come, and the lift creeps
RISE_MM = 3.0  # above the height at which a wafer is expected, to carry it


class SlotExpert:
    """Approach below (get) or above (put) the slot, reach, hand over slowly, check the vacuum, leave.

    Reads what a policy reads. Aborts if the mapper shows a cross-slotted wafer or a slot that is not empty, or if the
    vacuum does not come.

    Args:
        takes: whether it takes a wafer or puts one.
        creep_mm: how far ahead of the lift its target is kept during the hand-off, which sets the speed.
        speed: of the paddle, m/s.
    """

    privileged = False

    def __init__(self, takes: bool, creep_mm: float = 0.8, speed: float = 1.0):
        self.takes = takes
        self.creep_mm = creep_mm
        self.speed = speed

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """The step that position, height and vacuum say is next."""
        reading = {k: v[:, 0] for k, v in readings.items()}
        free = readings["mapped_gap"]
        way, height = reading["to_station"], reading["height"]
        vacuum = reading["vacuum_switch"] > 0.5
        at_station = reading["at_station"] > 0.5
        if self.takes:
            act = self._take(way, height, vacuum, at_station, free[:, 0])
            bad = (reading["mapped_thickness"] > CROSSED_MM) | (reading["mapped_thickness"] < EMPTY_MM)
            late = at_station & ~vacuum & (height > RISE_MM - AT_HEIGHT_MM)
        else:
            act = self._put(way, height, reading["pressure"], at_station, free)
            bad = reading["mapped_thickness"] > EMPTY_MM
            late = np.zeros_like(bad)
        act[:, 3] = np.where(bad | late, 1.0, -1.0)
        act[:, 0] = np.where(bad, 0.0, act[:, 0])
        return act

    def _take(
        self, way: Array, height: Array, vacuum: NDArray[np.bool_], at_station: NDArray[np.bool_], below: Array
    ) -> Array:
        clear = -0.5 * (np.minimum(below, 9.5) - STACK_MM)  # as far from the wafer as from the one below it
        rising = at_station | vacuum
        creeping = np.where(height < -NEAR_MM, -NEAR_MM + 0.2, np.minimum(height + self.creep_mm, RISE_MM))
        target = np.where(vacuum, RISE_MM, np.where(rising, creeping, clear))
        leaving = vacuum & (height > RISE_MM - AT_HEIGHT_MM)
        going = _may_go(way, height - clear)
        # the arm stops by itself at the station: held against that end it does not wander off while the cups evacuate
        speed = np.where(leaving, -self.speed, np.where(going | rising, self.speed, 0.0))
        return np.stack((speed, target, np.where(at_station | vacuum, 1.0, -1.0), -np.ones_like(way)), axis=-1)

    def _put(self, way: Array, height: Array, pressure: Array, at_station: NDArray[np.bool_], free: Array) -> Array:
        below, above = free.T
        clear = -0.5 * (np.minimum(below, 9.5) - STACK_MM)
        carry = 0.5 * (np.minimum(above, 9.5) - np.minimum(below, 9.5) + STACK_MM)
        vented = pressure > -3.0
        up = np.abs(height - carry) < AT_HEIGHT_MM
        down = vented & (height < clear + AT_HEIGHT_MM)
        creeping = np.where(height > NEAR_MM, NEAR_MM - 0.2, np.maximum(height - 0.8 * self.creep_mm, clear))
        # before the hand-off the cups hold; whoever finds the cups empty has handed over
        lowering = at_station & vented
        target = np.where(vented, np.where(down, clear, creeping), carry)
        speed = np.where(
            vented, np.where(down, -self.speed, 0.0), np.where(_may_go(way, height - carry), self.speed, 0.0)
        )
        speed = np.where(lowering & ~down, self.speed, speed)
        valve = np.where(vented | (at_station & up), -1.0, 1.0)
        return np.stack((speed, target, valve, -np.ones_like(way)), axis=-1)


def _may_go(way: Array, off_mm: Array) -> NDArray[np.bool_]:
    """Whether the arm may reach on: at the right height, on its way in, or still clear of the carrier."""
    near = np.abs(off_mm)
    allowed: NDArray[np.bool_] = (
        (near < AT_HEIGHT_MM) | (way > OUTSIDE_M) | ((way < ENTRY_M) & (near < 3.0 * AT_HEIGHT_MM))
    )
    return allowed
