"""The fit-up of a seam, how its gap runs, and what a laser line ahead of the torch has told about it.

Both are tables over the seam, one entry a millimetre. The controller stores what the sensor sees by the place at which
it saw it, so that the reading of a place is taken once: its error stays, and a second look at the table does not help.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..randomness import counter_normal
from .arc import Allocate

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

WAVES = 9  # knots of the waviness over the seam
STEP_MM = 6.0  # length over which the gap changes where a plate edge has a nick
PREVIEW_MM = 40.0  # laser line ahead of the arc
AHEAD_MM = (0.0, 10.0, 20.0, 30.0, 40.0)  # places ahead of the arc that are observed, whole numbers
QUANTUM_MM = 0.1  # in which a seam sensor's protocol gives a gap
SMOOTHING = 5  # readings that the controller averages
NOISE_STREAM = 11


class FitUp:
    """Gap and reading of n seams.

    Args:
        n: rows.
        length_mm: of the seam.
        gap_mm: range that the gap keeps to.
        allocate: makes the arrays.

    Attributes:
        gap: (n, length + 1) true gap, mm.
        scan: the same as the controller has it.
    """

    def __init__(self, n: int, length_mm: float, gap_mm: tuple[float, float], allocate: Allocate):
        self.count = round(length_mm) + 1
        self.low, self.high = gap_mm
        self.gap: NDArray[np.float32] = allocate("gap_table", (self.count,), np.float32)
        self.scan: NDArray[np.float32] = allocate("scan_table", (self.count,), np.float32)
        self._first = np.arange(n) * self.count
        at = np.linspace(0.0, WAVES - 1.0, self.count)
        # cubic B-splines: smooth, and local to four knots
        x = np.abs(at[:, None] - np.arange(WAVES))
        self._shape = np.where(x < 1.0, 1.0 - 1.5 * x * x + 0.75 * x**3, 0.25 * np.maximum(2.0 - x, 0.0) ** 3)

    def begin(self, rows: RowIndex, params: Mapping[str, Array], key: NDArray[np.int64]) -> None:
        """New seams from the sample of the start distribution; noise depends on the key (k,) of the episode."""
        place = np.linspace(0.0, 1.0, self.count)
        gap = params["gap_mean"][:, None] + params["gap_slope"][:, None] * (place - 0.5)
        for k in range(WAVES):
            gap = gap + (params["gap_variation"] * params["gap_waves"][:, k])[:, None] * self._shape[:, k]
        along = (self.count - 1) * (place - params["step_place"][:, None]) / STEP_MM
        gap = gap + params["step_size"][:, None] * np.clip(along + 0.5, 0.0, 1.0)
        gap = self.low + (self.high - self.low) * np.clip(gap, 0.0, 1.0)
        self.gap[rows] = gap
        self.scan[rows] = self._read(gap, params, key)

    def _read(self, gap: Array, params: Mapping[str, Array], key: NDArray[np.int64]) -> Array:
        """What the sensor tells of a gap (k, count): in the wrong place, biased, noisy, in steps, and averaged."""
        index = np.arange(self.count)
        shifted = np.round(index - params["scan_shift"][:, None]).astype(np.intp)
        shifted = np.minimum(np.maximum(shifted, 0), self.count - 1)
        seen = gap.take(shifted + (np.arange(len(key)) * self.count)[:, None])
        noise = counter_normal(key[:, None], index, NOISE_STREAM)
        seen = seen + params["scan_bias"][:, None] + params["scan_noise"][:, None] * noise
        seen = np.round(np.maximum(seen, 0.0) / QUANTUM_MM) * QUANTUM_MM
        half = SMOOTHING // 2
        padded = np.concatenate((seen[:, :1],) * half + (seen,) + (seen[:, -1:],) * half, axis=1)
        total = padded[:, : self.count].copy()
        for k in range(1, SMOOTHING):
            total += padded[:, k : k + self.count]
        mean: Array = total / SMOOTHING
        return mean

    def at(self, place_mm: Array) -> Array:
        """True gap (n,) at places along the seam (n,)."""
        left = np.clip(place_mm, 0.0, self.count - 1.001)
        index = left.astype(np.intp)
        share = left - index
        flat = self.gap.reshape(-1)
        index += self._first
        return flat.take(index) * (1.0 - share) + flat.take(index + 1) * share

    def ahead(self, place_mm: Array) -> Array:
        """Gap (n, len(AHEAD_MM)) as the controller has it, ahead of an arc at places (n,)."""
        here, flat = (np.maximum(place_mm, 0.0) + 0.5).astype(np.intp), self.scan.reshape(-1)
        ahead = np.empty((place_mm.size, len(AHEAD_MM)))
        for k, distance in enumerate(AHEAD_MM):
            ahead[:, k] = flat.take(np.minimum(here + round(distance), self.count - 1) + self._first)
        return ahead
