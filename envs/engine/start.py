"""The start distribution: what varies from episode to episode, declared term by term.

A term names a parameter, its unit and its distribution. The engine draws each term by its name (see
`envs.randomness`), hands the sample to the task, reports it as `task_params` and lets
`reset(options={"task_params": {...}})` force it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from ..randomness import KeyedRandom

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Term:
    """One parameter of the start distribution, uniform on [low, high) unless a subclass says otherwise.

    Attributes:
        name: parameter name; also the key of its random draw.
        low, high: range, in `unit`.
        unit: SI unit, "1" for a ratio.
        size: number of components.
        description: one line for the documentation page.
    """

    name: str
    low: float
    high: float
    unit: str
    size: int = 1
    description: str = ""

    kind = "uniform"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise ShopfloorError(f"start distribution {self.name!r} has an empty range [{self.low}, {self.high}]")
        if self.size < 1:
            raise ShopfloorError(f"start distribution {self.name!r}: size must be at least 1, got {self.size}")

    def transform(self, u: Array) -> Array:
        """Map numbers in [0, 1) to the parameter's distribution."""
        return self.low + (self.high - self.low) * u

    def draw(self, random: KeyedRandom, seeds: Sequence[int], episodes: Sequence[int]) -> Array:
        """Samples (k, size) of k episodes."""
        u = np.empty((len(seeds), self.size))
        name = f"start:{self.name}"
        for k, (seed, episode) in enumerate(zip(seeds, episodes, strict=True)):
            u[k] = random.generator(seed, name, episode).random(self.size)
        return self.transform(u)

    def check(self, value: object) -> Array:
        """A forced value as an array (size,).

        Raises:
            ShopfloorError: if the shape is wrong, a component is not finite or lies outside the range.
        """
        try:
            array = np.atleast_1d(np.asarray(value, dtype=np.float64))
        except (TypeError, ValueError):
            array = np.array([])
        if array.shape != (self.size,) or not np.isfinite(array).all():
            count = "a finite number" if self.size == 1 else f"{self.size} finite numbers"
            raise ShopfloorError(f"task parameter {self.name!r} takes {count}, got {value!r}")
        low, high = self.support
        if (array < low).any() or (array > high).any():
            raise ShopfloorError(
                f"task parameter {self.name!r} must lie in [{low:g}, {high:g}] {self.unit}, got {array.tolist()}"
            )
        return array

    @property
    def support(self) -> tuple[float, float]:
        """Smallest and largest value that the task is defined for."""
        return self.low, self.high


class Uniform(Term):
    """Uniform on [low, high)."""


class LogUniform(Term):
    """Log-uniform on [low, high), for positive parameters that span a ratio."""

    kind = "log-uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low <= 0.0:
            raise ShopfloorError(f"start distribution {self.name!r}: a log-uniform range must be positive")

    def transform(self, u: Array) -> Array:
        """Map numbers in [0, 1) to the distribution."""
        return self.low * np.exp(math.log(self.high / self.low) * u)


class Choice(Term):
    """One of the integers low, low + 1, ... high, each as likely."""

    kind = "choice"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low != round(self.low) or self.high != round(self.high):
            raise ShopfloorError(f"start distribution {self.name!r}: a choice is between whole numbers")

    def transform(self, u: Array) -> Array:
        """Map numbers in [0, 1) to the distribution."""
        return self.low + np.floor(u * (self.high - self.low + 1.0))

    def check(self, value: object) -> Array:
        """A forced value, which must be one of the integers."""
        array = super().check(value)
        if (array != np.round(array)).any():
            raise ShopfloorError(f"task parameter {self.name!r} takes whole numbers, got {array.tolist()}")
        return array


@dataclass(frozen=True)
class Normal(Term):
    """Normal of mean 0.5 (low + high) truncated to [low, high], whose half width is `cut` standard deviations."""

    cut: float = 3.0

    kind = "truncated normal"

    def draw(self, random: KeyedRandom, seeds: Sequence[int], episodes: Sequence[int]) -> Array:
        """Samples (k, size) of k episodes: numbers beyond the cut are drawn again, never clipped."""
        z = np.empty((len(seeds), self.size))
        name = f"start:{self.name}"
        for k, (seed, episode) in enumerate(zip(seeds, episodes, strict=True)):
            z[k] = random.generator(seed, name, episode).standard_normal(self.size)
        for k in np.flatnonzero((np.abs(z) > self.cut).any(axis=1)).tolist():
            generator = random.generator(seeds[k], name, episodes[k])
            drawn = generator.standard_normal(self.size)
            while (outside := np.abs(drawn) > self.cut).any():
                drawn[outside] = generator.standard_normal(int(outside.sum()))
            z[k] = drawn
        return 0.5 * (self.low + self.high) + 0.5 * (self.high - self.low) / self.cut * z


def check_terms(terms: Sequence[Term]) -> None:
    """Reject repeated names, at build."""
    seen: set[str] = set()
    for term in terms:
        if term.name in seen:
            raise ShopfloorError(f"start distribution names {term.name!r} twice")
        seen.add(term.name)


def sample(
    terms: Sequence[Term],
    random: KeyedRandom,
    seeds: NDArray[np.int64],
    episodes: NDArray[np.int64],
    forced: Mapping[str, Any] | None = None,
) -> dict[str, Array]:
    """Samples of the given rows: name -> (k,) for a scalar term, (k, size) otherwise.

    Args:
        terms: the start distribution.
        random: the keyed generator.
        seeds, episodes: (k,) of the rows that begin an episode.
        forced: values that replace draws in all of these rows.

    Raises:
        ShopfloorError: if a forced name or value is not one of the distribution's.
    """
    if forced is not None and not isinstance(forced, Mapping):
        raise ShopfloorError(f"task_params must be a dictionary of parameters by name, got {forced!r}")
    forced = dict(forced or {})
    unknown = sorted(set(forced) - {t.name for t in terms})
    if unknown:
        known = ", ".join(t.name for t in terms) or "none"
        raise ShopfloorError(f"unknown task parameter {unknown[0]!r}; this task has: {known}")
    out: dict[str, Array] = {}
    keys = seeds.tolist(), episodes.tolist()
    for term in terms:
        if term.name in forced:
            values = np.tile(term.check(forced[term.name]), (len(seeds), 1))
        else:
            values = term.draw(random, *keys)
        out[term.name] = values[:, 0].copy() if term.size == 1 else values
    return out
