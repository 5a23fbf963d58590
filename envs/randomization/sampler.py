"""The sampler: (spec, split, seed, episode) -> sample, and nothing else that could matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from ..randomness import KeyedRandom
from .catalogue import STARTUP
from .constraint import Constraint
from .distributions import Distribution
from .spec import CORNERS, STRUCTURAL, Spec, Term

Array = NDArray[np.float64]
MOST_ATTEMPTS = 1000


@dataclass(frozen=True)
class Sample:
    """The values of one episode.

    Attributes:
        values: term -> (size,); terms that are nominal in the split, or change within the episode, are not in it.
        split, seed, episode, spec_hash: where it comes from.
        rejected: infeasible draws before this one.
    """

    values: Mapping[str, Array]
    split: str
    seed: int
    episode: int
    spec_hash: str
    rejected: int = 0


class Sampler:
    """Draws samples of a spec.

    Each term's draw is keyed by its own name, the seed and the episode, so it does not depend on the other terms, on
    the order of calls or on how many rows there are. Only terms that stand in one constraint are drawn again together.

    Args:
        spec: the spec.
        sizes: number of components of each term, 1 where not given.
    """

    def __init__(self, spec: Spec, sizes: Mapping[str, int] | None = None):
        self.spec = spec
        self.sizes = {t.name: 1 for t in spec.terms} | dict(sizes or {})
        self._random = KeyedRandom()
        self._terms = {t.name: t for t in spec.terms}
        self._groups = _groups(spec)
        self._splits: dict[str, dict[str, Distribution]] = {}

    def distributions(self, split: str) -> dict[str, Distribution]:
        """The distributions of a split's active terms."""
        if split not in self._splits:
            self._splits[split] = self.spec.distributions(split)
        return self._splits[split]

    def sample(
        self, split: str, seed: int, episode: int, distributions: Mapping[str, Distribution] | None = None
    ) -> Sample:
        """The sample of one episode.

        Args:
            split: which part of the parameter space.
            seed, episode: key of the draw.
            distributions: distributions that replace the split's, by term; a curriculum's.

        Raises:
            ShopfloorError: if a constraint is met by next to no draw.
        """
        chosen = self.distributions(split)
        if distributions:
            chosen = {**chosen, **distributions}
        if split == CORNERS:
            return self._corner(seed, episode)
        if split == STRUCTURAL and self.spec.structural:
            others = set(self.spec.structural) - {self.structural_term(seed, episode)}
            chosen = {k: v for k, v in chosen.items() if k not in others}
        values: dict[str, Array] = {}
        rejected = 0
        for terms, constraints in self._groups:
            rejected += self._draw_group(values, terms, constraints, chosen, seed, episode)
        return Sample(values, split, seed, episode, self.spec.hash, rejected)

    def structural_term(self, seed: int, episode: int) -> str:
        """The structural term that an episode of the split `structural` has."""
        names = self.spec.structural
        return names[int(self._random.generator(seed, "randomization:structural", episode).integers(len(names)))]

    def _draw_group(
        self,
        values: dict[str, Array],
        terms: tuple[Term, ...],
        constraints: tuple[Constraint, ...],
        chosen: Mapping[str, Distribution],
        seed: int,
        episode: int,
    ) -> int:
        for attempt in range(MOST_ATTEMPTS):
            for term in terms:
                distribution = chosen.get(term.name)
                if distribution is not None and not term.dynamic:
                    values[term.name] = self.draw(term, distribution, seed, episode, attempt)
            if not constraints or all(c.holds(values) for c in constraints if all(t in values for t in c.terms)):
                return attempt
        raise ShopfloorError(
            f"randomization {self.spec.name!r}: {MOST_ATTEMPTS} draws in a row broke "
            f"{' or '.join(repr(c.name) for c in constraints)}; widen the condition or narrow the ranges"
        )

    def draw(self, term: Term, distribution: Distribution, seed: int, episode: int, attempt: int = 0) -> Array:
        """One term's numbers (size,)."""
        key = f"randomization:{distribution.draw_key or term.name}"
        generator = self._random.generator(seed, key, 0 if term.mode == STARTUP else episode, attempt)
        return distribution.draw(generator, self.sizes[term.name])

    def _corner(self, seed: int, episode: int) -> Sample:
        chosen = self.distributions(CORNERS)
        if not chosen:
            return Sample({}, CORNERS, seed, episode, self.spec.hash)
        names = list(chosen)
        pick = int(self._random.generator(seed, "randomization:corner", episode).integers(2 * len(names)))
        name = names[pick // 2]
        value = np.full(self.sizes[name], chosen[name].support[pick % 2])
        return Sample({name: value}, CORNERS, seed, episode, self.spec.hash)


def _groups(spec: Spec) -> list[tuple[tuple[Term, ...], tuple[Constraint, ...]]]:
    """Terms that constraints tie together, with those constraints; every other term by itself."""
    group_of = {t.name: {t.name} for t in spec.terms}
    for constraint in spec.constraints:
        joined = set().union(*(group_of[t] for t in constraint.terms))
        for name in joined:
            group_of[name] = joined
    out, seen = [], set()
    for term in spec.terms:
        if term.name in seen:
            continue
        names = group_of[term.name]
        seen |= names
        out.append(
            (
                tuple(t for t in spec.terms if t.name in names),
                tuple(c for c in spec.constraints if c.terms[0] in names),
            )
        )
    return out
