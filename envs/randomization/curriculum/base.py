"""What curricula have in common: their interface, and how a term's distribution is narrowed.

A part of a distribution is told by quantiles of it: numbers from 0 to 1 that the distribution itself turns into values.
The whole interval is the distribution as the spec declares it, whatever its kind, so a curriculum that has opened
everything trains on exactly what the spec says, and entropies relative to it are comparable between terms.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ....errors import ShopfloorError
from ..catalogue import STARTUP
from ..distributions import Beta, Distribution, LogUniform, Normal, Uniform
from ..spec import Spec, Term

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

_RANGES = (Uniform, LogUniform, Normal, Beta)  # what can be narrowed
_BISECTIONS = 60


@dataclass(frozen=True)
class Finished:
    """Episodes that have ended.

    Attributes:
        seeds, episodes: (k,) keys of their draws.
        success: (k,) whether they succeeded.
        values: term -> (k, size), what was drawn.
        versions: (k,) the curriculum's version when they began.
    """

    seeds: Integers
    episodes: Integers
    success: NDArray[np.bool_]
    values: Mapping[str, Array]
    versions: Integers


class Curriculum(ABC):
    """What chooses the distributions of the split `train` as training goes on.

    Attributes:
        kind: its name in configs.
        version: counts changes of the distributions.
    """

    kind: ClassVar[str]
    version: int = 0

    @abstractmethod
    def distributions(self, seed: int, episode: int) -> Mapping[str, Distribution]:
        """Distributions that replace the spec's in one episode, by term: a function of the state and the episode."""

    def advance(self, share: float) -> None:
        """Tell which share of the training is over."""

    def update(self, finished: Finished) -> None:
        """Learn from finished episodes."""

    def progress(self) -> dict[str, float]:
        """Figures for curves, by name."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Everything that later distributions depend on, as plain data, copied."""
        return {"version": self.version}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.version = state["version"]


def growing(spec: Spec) -> list[Term]:
    """The terms of a spec whose distribution in training can be narrowed."""
    return [
        t for t in spec.terms
        if not t.structural and t.mode != STARTUP and type(t.distribution) in _RANGES
        and t.distribution.support[0] < t.distribution.support[1]
    ]  # fmt: skip


def adapted(spec: Spec, kind: str, constrained: bool) -> tuple[list[Term], list[Term]]:
    """The terms that a curriculum adapts, and those that follow them.

    Args:
        spec: the spec.
        kind: the curriculum, for the message.
        constrained: whether terms that stand in a constraint can be adapted.

    Raises:
        ShopfloorError: if there is none to adapt.
    """
    tied = set() if constrained else {name for c in spec.constraints for name in c.terms}
    terms = growing(spec)
    own = [t for t in terms if not t.dynamic and t.name not in tied]
    if not own:
        raise ShopfloorError(
            f"randomization {spec.name!r} has no term that the curriculum {kind} could adapt: none is drawn at reset "
            "from a range; use the curriculum linear or fixed"
        )
    return own, [t for t in terms if t not in own]


def origin(term: Term) -> float:
    """Where a term's range begins to grow: its nominal value or, where the spec knows none, the middle of the range."""
    low, high = term.distribution.support
    start = term.distribution.center if term.nominal is None else term.nominal
    return min(max(start, low), high)


def contracted(term: Term, share: float) -> Distribution:
    """A term's distribution with its range contracted about its origin; in ratios where those matter."""
    whole = term.distribution
    if share >= 1.0:
        return whole
    about = origin(term)
    if isinstance(whole, Normal):
        return Normal(about + share * (whole.mean - about), share * whole.std, whole.cut)
    low, high = whole.widened(share, about)
    if isinstance(whole, Beta):
        return Beta(low, high, whole.a, whole.b)
    assert isinstance(whole, Uniform)
    return type(whole)(low, high)


def quantiles(distribution: Distribution, values: Array) -> Array:
    """The numbers in [0, 1] that a distribution turns into `values`, elementwise, by bisection."""
    low, high = np.zeros_like(values), np.ones_like(values)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        below = distribution.transform(middle) < values
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)


def origin_quantile(term: Term) -> float:
    """The quantile of a term's origin, 0 and 1 exactly at the ends."""
    low, high = term.distribution.support
    start = origin(term)
    if start in (low, high):
        return float(start == high)
    return float(quantiles(term.distribution, np.array([start]))[0])
