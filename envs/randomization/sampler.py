"""The sampler: (spec, split, seed, episode) -> sample, and nothing else that could matter."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from ..randomness import KeyedRandom
from .catalogue import STARTUP
from .constraint import Constraint
from .distributions import Distribution, LogUniform, Normal, Uniform
from .normal import normal_cdf, normal_quantile
from .spec import CORNERS, STRUCTURAL, Spec, Term

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
MOST_ATTEMPTS = 1000
BLOCK = 32  # episodes whose numbers are drawn at a time
KEPT_BLOCKS = 4096


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


@dataclass
class SampleRows:
    """The values of several episodes.

    Attributes:
        values: (k, width) all components of all terms, in the order of the spec; NaN where a term is not active.
        active: (k, terms) whether a term is drawn.
        rejected: (k,) infeasible draws before these.
    """

    values: Array
    active: NDArray[np.bool_]
    rejected: Integers


class Sampler:
    """Draws samples of a spec.

    Each term has uniform numbers of its own, keyed by its name, the seed and the episode, which its distribution turns
    into values. So a draw does not depend on the other terms, on the order of calls or on how many rows there are.
    Only terms that stand in one constraint, or come from one posterior, are drawn again together.

    Args:
        spec: the spec.
        sizes: number of components of each term, 1 where not given.

    Attributes:
        slices: where each term stands in a row of values.
        width: components of all terms.
    """

    def __init__(self, spec: Spec, sizes: Mapping[str, int] | None = None):
        self.spec = spec
        sizes = {t.name: 1 for t in spec.terms} | dict(sizes or {})
        self.slices: dict[str, slice] = {}
        self.width = 0
        for term in spec.terms:
            self.slices[term.name] = slice(self.width, self.width + sizes[term.name])
            self.width += sizes[term.name]
        self._index = {t.name: i for i, t in enumerate(spec.terms)}
        self._random = KeyedRandom()
        self._blocks: OrderedDict[tuple[int, int], Array] = OrderedDict()
        self._values: OrderedDict[tuple[str, int, int], Array] = OrderedDict()
        self._startup = [self.slices[t.name] for t in spec.terms if t.mode == STARTUP]
        self._nominal = {t.name: np.full(sizes[t.name], t.nominal) for t in spec.terms if t.nominal is not None}
        self._ties = _ties(spec)
        self._plans: dict[str, _Plan] = {}

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
        drawn = self.rows(split, np.array([seed]), np.array([episode]), [distributions or {}])
        values = {name: drawn.values[0, self.slices[name]] for name, i in self._index.items() if drawn.active[0, i]}
        return Sample(values, split, seed, episode, self.spec.hash, int(drawn.rejected[0]))

    def rows(
        self,
        split: str,
        seeds: Integers,
        episodes: Integers,
        distributions: Sequence[Mapping[str, Distribution]] | None = None,
    ) -> SampleRows:
        """The samples of k episodes; see `sample`."""
        count = len(seeds)
        out = SampleRows(
            np.full((count, self.width), np.nan),
            np.zeros((count, len(self.spec.terms)), dtype=bool),
            np.zeros(count, dtype=np.int64),
        )
        keys = list(zip(seeds.tolist(), episodes.tolist(), strict=True))
        if split == CORNERS:
            for k, (seed, episode) in enumerate(keys):
                self._corner(out, k, seed, episode)
            return out
        plan = self.plan(split)
        if not plan.terms:
            return out
        out.active[:, plan.index] = True
        for k, (seed, episode) in enumerate(keys):
            out.values[k] = self.block(split, seed, episode // BLOCK)[episode % BLOCK]
            chosen = distributions[k] if distributions is not None else {}
            for name, distribution in chosen.items():
                if not self.spec.term(name).dynamic:
                    part = self.slices[name]
                    out.values[k, part] = distribution.transform(self._numbers(seed, episode)[part])
            if split == STRUCTURAL and self.spec.structural:
                for name in set(self.spec.structural) - {self.structural_term(seed, episode)}:
                    out.values[k, self.slices[name]] = np.nan
                    out.active[k, self._index[name]] = False
            if self._ties:
                current = {**plan.distributions, **chosen}
                out.rejected[k] = self._meet_constraints(out.values[k], out.active[k], current, seed, episode)
        return out

    def block(self, split: str, seed: int, block: int) -> Array:
        """Values (BLOCK, width) of episodes block * BLOCK, ... as the split's distributions have it; do not write.

        For the splits of which every episode has the same terms, and before constraints and curricula.
        """
        key = (split, seed, block)
        found = self._values.get(key)
        if found is None:
            found = np.full((BLOCK, self.width), np.nan)
            u = np.stack([self._numbers(seed, block * BLOCK + i) for i in range(BLOCK)])
            self.plan(split).transform(u, found)
            self._values[key] = found
            if len(self._values) > KEPT_BLOCKS:
                self._values.popitem(last=False)
        return found

    @property
    def independent(self) -> bool:
        """Whether no constraint ties draws together."""
        return not self._ties

    def plan(self, split: str) -> _Plan:
        """How a split turns uniform numbers into values."""
        if split not in self._plans:
            self._plans[split] = _Plan(self.spec, split, self.slices)
        return self._plans[split]

    def structural_term(self, seed: int, episode: int) -> str:
        """The structural term that an episode of the split `structural` has."""
        names = sorted(self.spec.structural)  # not in the order of terms, on which no draw depends
        return names[int(self._random.generator(seed, "randomization:structural", episode).integers(len(names)))]

    def _numbers(self, seed: int, episode: int) -> Array:
        """The uniform numbers (width,) of an episode, before any is rejected."""
        u = self._block(seed, episode // BLOCK)[episode % BLOCK]
        if self._startup and episode:
            first = self._block(seed, 0)[0]
            u = u.copy()
            for part in self._startup:
                u[part] = first[part]
        return u

    def _block(self, seed: int, block: int) -> Array:
        found = self._blocks.get((seed, block))
        if found is None:
            found = np.empty((BLOCK, self.width))
            for term in self.spec.terms:
                part = self.slices[term.name]
                generator = self._random.generator(seed, _key(term), 0, block)
                # component by component: terms of one posterior share numbers, however many components they have
                found[:, part] = generator.random((part.stop - part.start, BLOCK)).T
            self._blocks[seed, block] = found
            if len(self._blocks) > KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        return found

    def _meet_constraints(
        self,
        values: Array,
        active: NDArray[np.bool_],
        distributions: Mapping[str, Distribution],
        seed: int,
        episode: int,
    ) -> int:
        rejected = 0
        for terms, constraints in self._ties:
            live = [t for t in terms if active[self._index[t.name]]]
            attempt = 0
            while not self._feasible(constraints, values, active):
                attempt += 1
                if attempt == MOST_ATTEMPTS:
                    raise self._impossible(constraints)
                for term in live:
                    part = self.slices[term.name]
                    kept = 0 if term.mode == STARTUP else episode
                    generator = self._random.generator(seed, f"{_key(term)}:again", kept, attempt)
                    u = generator.random(part.stop - part.start)
                    values[part] = distributions[term.name].transform(u)
            rejected += attempt
        return rejected

    def _feasible(self, constraints: Sequence[Constraint], values: Array, active: NDArray[np.bool_]) -> bool:
        """Whether values (width,) meet the constraints that speak of them; terms that are not drawn are as designed."""
        known = dict(self._nominal)
        drawn = {name for name, i in self._index.items() if active[i]}
        known.update((name, values[self.slices[name]]) for name in drawn)
        return all(
            c.holds(known) for c in constraints if not drawn.isdisjoint(c.terms) and known.keys() >= set(c.terms)
        )

    def _impossible(self, constraints: Sequence[Constraint]) -> ShopfloorError:
        return ShopfloorError(
            f"randomization {self.spec.name!r}: {MOST_ATTEMPTS} draws in a row broke "
            f"{' or '.join(repr(c.name) for c in constraints)}; widen the condition or narrow the ranges"
        )

    def _corner(self, out: SampleRows, k: int, seed: int, episode: int) -> None:
        chosen = self.plan(CORNERS).distributions
        if not chosen:
            return
        names = sorted(chosen)
        for attempt in range(MOST_ATTEMPTS):
            generator = self._random.generator(seed, "randomization:corner", episode, attempt)
            pick = int(generator.integers(2 * len(names)))
            name = names[pick // 2]
            out.values[k] = np.nan
            out.values[k, self.slices[name]] = chosen[name].support[pick % 2]
            out.active[k] = np.arange(out.active.shape[1]) == self._index[name]
            out.rejected[k] = attempt
            if self._feasible(self.spec.constraints, out.values[k], out.active[k]):
                return
        raise self._impossible(self.spec.constraints)


def _key(term: Term) -> str:
    return f"randomization:{term.distribution.draw_key or term.name}"


class _Plan:
    """One split's distributions, those of a kind together so that a row costs a few array operations."""

    def __init__(self, spec: Spec, split: str, slices: Mapping[str, slice]):
        self.distributions = spec.distributions(split)
        self.terms = [t for t in spec.terms if t.name in self.distributions and not t.dynamic]
        self.index = [i for i, t in enumerate(spec.terms) if t in self.terms]
        kinds: dict[type, list[tuple[int, Distribution]]] = {Uniform: [], LogUniform: [], Normal: []}
        self._others: list[tuple[slice, Distribution]] = []
        for term in self.terms:
            distribution, part = self.distributions[term.name], slices[term.name]
            if type(distribution) in kinds:
                kinds[type(distribution)] += [(i, distribution) for i in range(part.start, part.stop)]
            else:
                self._others.append((part, distribution))
        self._uniform = _columns(kinds[Uniform], lambda d: (d.low, d.high - d.low), 2)
        self._log = _columns(kinds[LogUniform], lambda d: (d.low, np.log(d.high / d.low)), 2)
        self._normal = _columns(kinds[Normal], lambda d: (d.mean, d.std, normal_cdf(-d.cut)), 3)

    def transform(self, u: Array, out: Array) -> None:
        """Write the values (k, width) of uniform numbers (k, width); columns of other terms are left alone."""
        cols, (low, width) = self._uniform
        out[:, cols] = low + width * u[:, cols]
        cols, (low, ratio) = self._log
        out[:, cols] = low * np.exp(ratio * u[:, cols])
        cols, (mean, std, below) = self._normal
        if cols.size:
            out[:, cols] = mean + std * normal_quantile(below + (1.0 - 2.0 * below) * u[:, cols])
        for part, distribution in self._others:
            out[:, part] = distribution.transform(u[:, part])


def _columns(
    found: list[tuple[int, Any]], numbers: Callable[[Any], tuple[float, ...]], count: int
) -> tuple[NDArray[np.intp], Array]:

    index = np.array([i for i, _ in found], dtype=np.intp)
    width = len(numbers(found[0][1])) if found else count
    return index, np.array([numbers(d) for _, d in found]).reshape(-1, width).T


def _ties(spec: Spec) -> list[tuple[tuple[Term, ...], tuple[Constraint, ...]]]:
    """Terms that are drawn again together, with the constraints on them.

    These are terms of one constraint, with all of the posterior that one of them comes from. What is drawn once a seed
    comes first and is fixed for what is drawn each episode.
    """
    fixed = {t.name for t in spec.terms if t.mode == STARTUP}
    free = [[t for t in c.terms if t not in fixed] or list(c.terms) for c in spec.constraints]
    files: dict[str, list[str]] = {}
    for term in spec.terms:
        files.setdefault(_key(term), []).append(term.name)
    tied = {t.name: {t.name} for t in spec.terms}
    for together in (*files.values(), *free):
        joined = set().union(*(tied[t] for t in together))
        for name in joined:
            tied[name] = joined
    out, seen = [], set[str]()
    for term in sorted(spec.terms, key=lambda t: t.name not in fixed):
        names = tied[term.name]
        asked = tuple(c for c, movable in zip(spec.constraints, free, strict=True) if movable[0] in names)
        if asked and term.name not in seen:
            seen |= names
            out.append((tuple(t for t in spec.terms if t.name in names), asked))
    return out
