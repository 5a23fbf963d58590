"""The shift register of a seam tracker: what the sensor has seen ahead, kept by arc length until the arc is there.

A feature comes `latency` control steps after its exposure. It passes a gate: the median of the last five, at the place
of the middle one, so that single bad frames do no harm and the filter delays nothing along the seam. Results are kept
every millimetre of the taught path; where frames were bad the register runs straight on, over to the next good one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...engine.task import Rows

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

GATE = 5  # features in the median
VALUES = 3  # lateral, height and gap


class SeamRegister:
    """Registers of all rows; every array is a row array.

    Args:
        s: rows.
        length_mm: of the taught path that can be seen, from its beginning.
        slowest: control steps of the longest latency.
    """

    def __init__(self, s: Rows, length_mm: float, slowest: int):
        self._bins = np.arange(int(np.ceil(length_mm)) + 1, dtype=np.float64)
        self._table: Array = s.new("register_mm", (VALUES, self._bins.size))
        self._last: Array = s.new("register_last", (1 + VALUES,))  # place and values that the table ends with
        self._line: Array = s.new("register_line", (slowest + 1, 2 + VALUES))  # exposures on their way
        self._gate: Array = s.new("register_gate", (GATE, 1 + VALUES))
        self._rows = np.arange(s.n)

    def begin(self, rows: RowIndex, place_mm: Array, values: Array, valid: NDArray[np.bool_]) -> None:
        """Fill the registers of `rows` (k,) from a scan before the arc: places (k, m), values (k, m, 3), valid (k, m).

        Single bad frames are taken out by a median of three.
        """
        index = np.where(valid, np.arange(valid.shape[1]), 0)
        filled = np.take_along_axis(values, np.maximum.accumulate(index, axis=1)[..., None], axis=1)
        before, after = (
            np.concatenate((filled[:, :1], filled[:, :-1]), 1),
            np.concatenate((filled[:, 1:], filled[:, -1:]), 1),
        )
        low, high = np.minimum(before, after), np.maximum(before, after)
        scan = np.minimum(np.maximum(filled, low), high)
        for k, row in enumerate(rows.tolist()):
            for axis in range(VALUES):
                self._table[row, axis] = np.interp(self._bins, place_mm[k], scan[k, :, axis])
        self._last[rows, 0] = place_mm[:, -1]
        self._last[rows, 1:] = scan[:, -1]
        self._gate[rows, :, 0] = place_mm[:, -GATE:]
        self._gate[rows, :, 1:] = scan[:, -GATE:]
        self._line[rows] = 0.0  # not valid: nothing is on its way

    def take(self, place_mm: Array, values: Array, valid: NDArray[np.bool_], latency: NDArray[np.int64]) -> None:
        """Put the exposure of this control step into the line, and what arrives into the register, in all rows.

        Args:
            place_mm: along the taught path (n,).
            values: (n, 3).
            valid: (n,).
            latency: control steps until a feature arrives (n,), at most `slowest`.
        """
        line = self._line
        line[:, :-1] = line[:, 1:].copy()
        line[:, -1, 0] = valid
        line[:, -1, 1] = place_mm
        line[:, -1, 2:] = values
        arrived = line[self._rows, line.shape[1] - 1 - latency]
        good = arrived[:, 0] > 0.5
        shifted = np.concatenate((self._gate[:, 1:], arrived[:, None, 1:]), axis=1)
        np.copyto(self._gate, shifted, where=good[:, None, None])
        ordered = np.sort(self._gate, axis=1)
        self._write(ordered[:, GATE // 2, 0], ordered[:, GATE // 2, 1:], good)

    def _write(self, place_mm: Array, values: Array, good: NDArray[np.bool_]) -> None:
        """Go on in a straight line from where the table ends to `place_mm` in the rows where it is further."""
        step = place_mm - self._last[:, 0]
        good = good & (step > 0.0)
        share = (self._bins - self._last[:, :1]) / np.where(good, step, 1.0)[:, None]
        new = good[:, None] & (share > 0.0) & (share <= 1.0)
        # beyond its end the table holds the newest value
        held = good[:, None] & (share > 1.0)
        for axis in range(VALUES):
            old = self._last[:, 1 + axis, None]
            between = old + share * (values[:, axis, None] - old)
            np.copyto(self._table[:, axis], between, where=new)
            np.copyto(self._table[:, axis], np.broadcast_to(values[:, axis, None], held.shape), where=held)
        self._last[:, 0] = np.where(good, place_mm, self._last[:, 0])
        self._last[:, 1:] = np.where(good[:, None], values, self._last[:, 1:])

    @property
    def known_mm(self) -> Array:
        """Arc length (n,) up to which the register is filled."""
        out: Array = self._last[:, 0]
        return out

    def newest(self, latency: NDArray[np.int64]) -> Array:
        """What has just arrived (n, 5): valid, place, lateral, height, gap."""
        out: Array = self._line[self._rows, self._line.shape[1] - 1 - latency]
        return out

    def at(self, place_mm: Array) -> Array:
        """Lateral, height, gap (n, 3, j) in mm at places (n, j), linear between bins; beyond the end the newest."""
        top = self._bins.size - 1
        place = np.minimum(np.maximum(place_mm, 0.0), top - 1e-9)
        left = place.astype(np.intp)
        share = (place - left)[:, None]
        row, axis = self._rows[:, None, None], np.arange(VALUES)[None, :, None]
        below, above = self._table[row, axis, left[:, None]], self._table[row, axis, left[:, None] + 1]
        out: Array = below + share * (above - below)
        return out
