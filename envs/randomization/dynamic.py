"""Terms whose value changes within an episode: when the next value is due, and which it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..randomness import KeyedRandom
from .catalogue import STEP
from .distributions import Distribution, restored, saved
from .spec import Term

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
EVENTS = 32  # values drawn at a time


class DynamicValues:
    """The value of one term over time, for n rows.

    A value is drawn at the beginning of an episode and again whenever its time is up: after times in simulated seconds
    drawn from the term's interval, or at every control step. All draws are keyed by term, seed, episode and number.

    Args:
        term: a term of mode `interval` or `step`.
        n: number of rows.
        size: number of components.
    """

    def __init__(self, term: Term, n: int, size: int):
        self.term = term
        self._every_step = term.mode == STEP
        self._key = f"randomization:{term.name}:events"
        self._random = KeyedRandom()
        self.value = np.zeros((n, size))
        self.since_s = np.zeros(n)  # control step from which the value is in force, in simulated time; inf if held
        self._next_s = np.full(n, np.inf)
        self._count = np.zeros(n, dtype=np.int64)
        self._values = np.zeros((n, EVENTS, size))
        self._gaps = np.zeros((n, EVENTS))
        self._on = np.zeros(n, dtype=bool)
        self._distributions: dict[int, Distribution] = {}

    def begin(
        self,
        rows: Rows,
        seeds: NDArray[np.int64],
        episodes: NDArray[np.int64],
        distribution: Distribution | None,
        nominal: Array,
    ) -> None:
        """Start episodes: the first value, or nominal ones without end where there is no distribution."""
        self._on[rows] = distribution is not None
        self.since_s[rows] = 0.0
        self._count[rows] = 0
        if distribution is None:
            self.value[rows] = nominal
            self._next_s[rows] = np.inf
            return
        for row, seed, episode in zip(rows.tolist(), seeds.tolist(), episodes.tolist(), strict=True):
            self._distributions[row] = distribution
            self._fill(row, seed, episode)
        if self.term.options.get("duration_s", 0.0) > 0.0:
            # something that ends waits for its first interval, or every episode would begin with it
            self.value[rows] = nominal
            self.since_s[rows] = -np.inf
            self._next_s[rows] = self._gaps[rows, 0]
            self._count[rows] = 1
        else:
            self._take(rows, np.zeros(rows.size))

    def hold(self, rows: Rows, values: Array) -> None:
        """Give rows fixed values (k, size), which stay to the end of the episode."""
        self.value[rows] = values
        self.since_s[rows] = np.inf
        self._next_s[rows] = np.inf
        self._on[rows] = False

    def advance(self, rows: Rows, seeds: NDArray[np.int64], episodes: NDArray[np.int64], time_s: Array) -> Rows:
        """Values at the time (k,) of a control step; returns the rows in which there is a new one."""
        due = self._on[rows] & (time_s > 0.0) if self._every_step else time_s >= self._next_s[rows] - 1e-9
        changed = rows[due]
        pending = due
        while pending.any():
            spent = pending & (self._count[rows] % EVENTS == 0)
            for k in np.flatnonzero(spent).tolist():
                self._fill(int(rows[k]), int(seeds[k]), int(episodes[k]))
            self._take(rows[pending], time_s[pending] if self._every_step else self._next_s[rows[pending]])
            pending = pending & (time_s >= self._next_s[rows] - 1e-9) & (not self._every_step)
        self.since_s[changed] = time_s[due]
        return changed

    def _fill(self, row: int, seed: int, episode: int) -> None:
        generator = self._random.generator(seed, self._key, episode, int(self._count[row]) // EVENTS)
        if self.term.interval_s is not None:
            low, high = self.term.interval_s
            self._gaps[row] = low + (high - low) * generator.random(EVENTS)
        values = self._distributions[row].draw(generator, self._values[row].size)
        self._values[row] = values.reshape(self._values[row].shape)

    def _take(self, rows: Rows, now: Array) -> None:
        at = self._count[rows] % EVENTS
        self.value[rows] = self._values[rows, at]
        if not self._every_step:
            self._next_s[rows] = now + self._gaps[rows, at]
        self._count[rows] += 1

    def get_state(self) -> dict[str, Any]:
        """Everything that later values depend on, copied."""
        return {
            "arrays": {k: getattr(self, k).copy() for k in _STATE},
            "distributions": {row: saved(d) for row, d in self._distributions.items()},
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `get_state` returned."""
        for key, value in state["arrays"].items():
            getattr(self, key)[...] = value
        self._distributions = {row: restored(text) for row, text in state["distributions"].items()}


_STATE = ("value", "since_s", "_next_s", "_count", "_values", "_gaps", "_on")
