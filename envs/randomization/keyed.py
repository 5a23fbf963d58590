"""Numbers that are needed within an episode: keyed blocks, so that a step costs no Python a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..randomness import KeyedRandom

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
BLOCK = 64  # control steps drawn at a time


def whole(rows: Rows, n: int) -> Rows | slice:
    """Sorted rows as an index: a slice, which copies nothing, where they are all of n."""
    return slice(None) if rows.size == n else rows


class StepNumbers:
    """One vector of random numbers for each row and control step.

    Args:
        key: name of the draw.
        n: number of rows.
        size: numbers a step.
        fill: draws from a generator into an array (BLOCK, size).
    """

    def __init__(self, key: str, n: int, size: int, fill: Callable[[np.random.Generator, Array], None]):
        self._key = f"randomization:{key}:steps"
        self._block = np.zeros((n, BLOCK, size))
        self._fill = fill
        self._random = KeyedRandom()

    def at(self, rows: Rows, seeds: NDArray[np.int64], episodes: NDArray[np.int64], steps: NDArray[np.int64]) -> Array:
        """The numbers (k, size) of a step; steps of a row must be asked for in order, beginning with 0."""
        phase = steps % BLOCK
        for k in np.flatnonzero(phase == 0).tolist():
            block = int(steps[k]) // BLOCK
            generator = self._random.generator(int(seeds[k]), self._key, int(episodes[k]), block)
            self._fill(generator, self._block[rows[k]])
        return self._block[rows, phase]

    def get_state(self) -> Any:
        """The block in use."""
        return self._block.copy()

    def set_state(self, state: Any) -> None:
        """Restore what `get_state` returned."""
        self._block[...] = state


def fill_normal(generator: np.random.Generator, out: Array) -> None:
    """Standard normal numbers."""
    generator.standard_normal(out=out)


def fill_uniform(generator: np.random.Generator, out: Array) -> None:
    """Numbers in [0, 1)."""
    generator.random(out=out)
