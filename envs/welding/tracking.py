"""Figures of merit of a tracked seam: deviation of the wire from the root and the like, millimetre by millimetre.

What counts is length, not time: a step counts with the seam that it welded, so that a slow weld is judged like a fast
one. Sums are kept in row arrays and added to once a control step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]


class Tracking:
    """Length-weighted deviations of n rows.

    Args:
        s: rows, where the sums are registered.
        from_mm, to_mm: the part of the seam that counts.
        axes: deviations that are judged; of two, the first is lateral and the second is height.

    Attributes:
        step_mm: seam welded within that part in the last control step (n,).
    """

    def __init__(self, s: Rows, from_mm: float, to_mm: float, axes: int = 2):
        self.from_mm, self.to_mm = from_mm, to_mm
        self._place: Array = s.new("judged_to_mm")
        self._length: Array = s.new("judged_mm")
        self._square: Array = s.new("judged_square", (axes,))
        self._largest: Array = s.new("judged_largest_mm", (axes,))
        self.step_mm: Array = s.new("judged_step_mm")

    def begin(self, rows: RowIndex, place_mm: Array) -> None:
        """Nothing judged yet; the wire of `rows` (k,) is at `place_mm` (k,)."""
        self._place[rows] = place_mm
        for array in (self._length, self._square, self._largest, self.step_mm):
            array[rows] = 0.0

    def add(self, place_mm: Array, *deviations: Array) -> None:
        """Count the step that has brought the wires to `place_mm` (n,) along the seam, with a deviation (n,) an axis.

        Going back and forth counts no part of a seam twice.
        """
        reached = np.minimum(np.maximum(place_mm, self._place), self.to_mm)
        begun = np.minimum(np.maximum(self._place, self.from_mm), self.to_mm)
        self.step_mm[...] = np.maximum(reached - begun, 0.0)
        self._place[...] = np.maximum(place_mm, self._place)
        counts = self.step_mm > 0.0
        self._length += self.step_mm
        for axis, deviation in enumerate(deviations):
            self._square[:, axis] += self.step_mm * deviation * deviation
            size = np.where(counts, np.abs(deviation), 0.0)
            np.maximum(self._largest[:, axis], size, out=self._largest[:, axis])

    @property
    def judged_mm(self) -> Array:
        """Seam that has been counted (n,)."""
        return self._length

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Rows (n,) that have reached the end."""
        out: NDArray[np.bool_] = self._place >= self.to_mm
        return out

    def rms_mm(self, axis: int = 0) -> Array:
        """Root mean square of a deviation (n,); NaN before anything counts."""
        known = self._length > 0.0
        mean = self._square[:, axis] / np.where(known, self._length, 1.0)
        return np.where(known, np.sqrt(mean), np.nan)

    def largest_mm(self, axis: int = 0) -> Array:
        """Largest deviation (n,)."""
        out: Array = self._largest[:, axis]
        return out
