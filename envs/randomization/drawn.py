"""What is drawn for the rows that begin an episode, and which episodes rows are in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .distributions import Distribution

Array = NDArray[np.float64]
Rows = NDArray[np.intp]


class Curriculum(Protocol):
    """What chooses the distributions of the split `train` as training goes on."""

    def distributions(self, seed: int, episode: int) -> Mapping[str, Distribution]:
        """Distributions that replace the spec's in one episode, by term."""


@dataclass(frozen=True)
class Episodes:
    """Which episodes some rows are in: indices, seeds, episode numbers, control steps and times, all (k,)."""

    rows: Rows
    seeds: NDArray[np.int64]
    episodes: NDArray[np.int64]
    steps: NDArray[np.int64]
    time_s: Array


@dataclass
class Drawn:
    """Values of the rows that begin an episode, not yet applied.

    Attributes:
        flat: (k, width) all components of all terms; `on` (k, terms) says which terms are drawn or forced.
        values: term -> (k, size), views of `flat`.
        active: term -> (k,) whether the term is drawn or forced, views of `on`; where it is not, the value is the
            nominal one.
        held: names of terms that keep a forced value through the episode.
        distributions: of dynamic terms, for each of the k rows.
        rejected: (k,) infeasible draws before the one that was kept.
        split: the split that they are of.
    """

    flat: Array
    on: NDArray[np.bool_]
    values: dict[str, Array]
    active: dict[str, NDArray[np.bool_]]
    held: set[str]
    distributions: list[Mapping[str, Distribution]]
    rejected: NDArray[np.int64]
    split: str
