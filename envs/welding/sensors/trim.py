"""What the laid bead tells about the tracker: an estimate of everything that it does not see.

At a place behind the arc, the bead's legs say by how much the wire missed the root; the controller remembers where it
had aimed there, relative to its own register. The difference is the sum of hand-eye error, cast of the wire and motion
of the plates since the sensor looked, and is averaged over the bead. It does not depend on how the controller has
steered, so that a correction by it does not chase its own tail over the distance to the bead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...engine.task import Rows
from ..bead import AIM_SHARE, ROOT2, leg_difference

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

AVERAGED_MM = 25.0  # of bead over which the estimate forgets


class BeadTrim:
    """Estimates of all rows; every array is a row array.

    Args:
        s: rows.
        length_mm: of the seam.

    Attributes:
        bias_mm: estimate (n,) of true miss less the miss that the register shows, positive to the standing plate.
        weight: what the estimate rests on (n,), 0 nothing to 1.
    """

    def __init__(self, s: Rows, length_mm: float):
        self._aim: Array = s.new("trim_aim_mm", (int(np.ceil(length_mm)) + 2, 2))
        self._seen: NDArray[np.int64] = s.new("trim_seen", dtype=np.int64)
        self.bias_mm: Array = s.new("trim_bias_mm")
        self.weight: Array = s.new("trim_weight")
        self._rows = np.arange(s.n)

    def begin(self, rows: RowIndex) -> None:
        """Nothing known of `rows`."""
        self._aim[rows] = 0.0
        self._seen[rows] = -1
        self.bias_mm[rows] = 0.0
        self.weight[rows] = 0.0

    def add(self, place_mm: Array, aim_mm: Array, gap_mm: Array, behind_mm: float, legs: Array) -> None:
        """Take the bead that has come into view in this control step.

        At no miss, the leg on the standing plate is shorter by the gap and by what gravity pulls down (`bead`), which a
        procedure qualification shows.

        Args:
            place_mm: of the arc along the taught path (n,).
            aim_mm: lateral position of the torch less the register there (n,).
            gap_mm: that the register has there (n,).
            behind_mm: distance of the measured bead from the arc.
            legs: (n, 3) of `BeadProfile.read`.
        """
        bins = self._aim.shape[1]
        here = np.minimum(np.maximum(place_mm, 0.0), bins - 1.0).astype(np.int64)
        self._aim[self._rows, here, 0] = aim_mm
        self._aim[self._rows, here, 1] = gap_mm
        there = np.minimum(np.maximum(place_mm - behind_mm, 0.0), bins - 1.0).astype(np.int64)
        new = (legs[:, 2] > 0.5) & (there > self._seen)
        aimed, gap = self._aim[self._rows, there, 0], self._aim[self._rows, there, 1]
        leg = 0.5 * (legs[:, 0] + legs[:, 1] + gap)
        even = -leg_difference(leg, np.zeros_like(leg), np.full_like(leg, 45.0), np.full_like(leg, 45.0)) + gap
        miss = (legs[:, 0] - legs[:, 1] + even) / (ROOT2 * AIM_SHARE)
        found = miss - aimed
        weight = self.weight + (1.0 - self.weight) / AVERAGED_MM
        share = 1.0 / (AVERAGED_MM * weight)
        self.bias_mm[...] = np.where(new, self.bias_mm + share * (found - self.bias_mm), self.bias_mm)
        self.weight[...] = np.where(new, weight, self.weight)
        self._seen[...] = np.where(new, there, self._seen)
