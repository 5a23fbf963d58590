"""Draws of every spec: distributed as declared, independent, and at the corners one term at an end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from randomization_checks import Preset, kolmogorov, presets

from shopfloor.envs.randomization import CORNERS, OOD_FAR, OOD_NEAR, STRUCTURAL, TRAIN
from shopfloor.envs.randomization.distributions import Distribution, LogUniform, Normal, Shell, Uniform


def cdf(distribution: Distribution) -> Any:
    """The distribution function, in closed form."""
    from math import erf, log, sqrt

    if isinstance(distribution, Shell):
        scale = np.log if distribution.log else (lambda x: np.asarray(x, dtype=float))
        (a, b), (c, d) = (scale(np.array(s)) for s in distribution.sides)
        total = (b - a) + (d - c)
        return lambda x: (np.clip(scale(x) - a, 0.0, b - a) + np.clip(scale(x) - c, 0.0, d - c)) / total
    if isinstance(distribution, LogUniform):
        return lambda x: np.log(x / distribution.low) / log(distribution.high / distribution.low)
    if isinstance(distribution, Uniform):
        return lambda x: (x - distribution.low) / (distribution.high - distribution.low)
    assert isinstance(distribution, Normal), distribution
    phi = np.vectorize(lambda z: 0.5 * (1.0 + erf(z / sqrt(2.0))))
    low, high = phi(-distribution.cut), phi(distribution.cut)
    return lambda x: (phi((x - distribution.mean) / distribution.std) - low) / (high - low)


def by_term(preset: Preset, split: str, episodes: int) -> dict[str, Any]:
    """term -> (episodes that have it, components) of many episodes of few seeds."""
    sampler = preset.cell(1).randomizer.sampler
    out: dict[str, list[Any]] = {}
    for k in range(episodes):
        for name, value in sampler.sample(split, k % 3, k // 3).values.items():
            out.setdefault(name, []).append(value)
    return {k: np.array(v) for k, v in out.items()}


def own_presets() -> list[Preset]:
    """One preset of each spec: draws know nothing of environments."""
    return list({p.spec.hash: p for p in presets()}.values())


@pytest.mark.parametrize("split", [TRAIN, OOD_NEAR, OOD_FAR, STRUCTURAL])
@pytest.mark.parametrize("own", own_presets(), ids=str)
def test_samples_have_the_declared_distribution(own: Preset, split: str):
    declared = own.spec.distributions(split)
    tied = {t for c in own.spec.constraints for t in c.terms}
    drawn = by_term(own, split, 900)
    for name, distribution in declared.items():
        term = own.spec.term(name)
        if term.dynamic or name in tied or term.mode == "startup":
            continue
        values = drawn[name]
        low, high = distribution.support
        assert ((values >= low) & (values <= high)).all(), name
        for column in values.T[:8]:
            assert kolmogorov(column, cdf(distribution)) < 2.3, f"{split} {name}"
        if isinstance(distribution, Shell):
            inside = (values > distribution.inner[0]) & (values < distribution.inner[1])
            assert not inside.any(), f"{name} comes from inside training"
            assert not np.isin(values, distribution.inner).any()
        if values.shape[1] > 1 and not isinstance(distribution, Shell):
            correlation = np.corrcoef(values.T)[np.triu_indices(values.shape[1], 1)]
            assert np.abs(correlation).max() < 4.5 / np.sqrt(values.shape[0]), f"components of {name} hang together"


@pytest.mark.parametrize("own", own_presets(), ids=str)
def test_terms_are_independent_and_episodes_differ(own: Preset):
    """No two terms have the same numbers, and consecutive episodes of a seed know nothing of each other."""
    drawn = by_term(own, TRAIN, 900)
    tied = {t for c in own.spec.constraints for t in c.terms}
    names = [n for n in drawn if own.spec.term(n).mode == "reset" and n not in tied]
    if not names:
        pytest.skip("every term of this spec changes within the episode")
    first = np.stack([drawn[n][:, 0] for n in names])
    ranks = np.argsort(np.argsort(first, axis=1), axis=1).astype(float)
    if len(names) > 1:
        between = np.corrcoef(ranks)[np.triu_indices(len(names), 1)]
        assert np.abs(between).max() < 4.5 / np.sqrt(900.0)
    for name, row in zip(names, ranks, strict=True):
        following = np.corrcoef(row[:-3], row[3:])[0, 1]  # every third sample is of the same seed
        assert abs(following) < 4.5 / np.sqrt(900.0), name


@pytest.mark.parametrize("own", own_presets(), ids=str)
def test_corners_are_one_term_at_an_end(own: Preset):
    cell = own.cell(1)
    regular = own.spec.distributions(TRAIN)
    seen = set()
    tied = {t for c in own.spec.constraints for t in c.terms}
    for episode in range(40 * len(regular)):
        sample = cell.randomizer.sampler.sample(CORNERS, 3, episode)
        ((name, value),) = sample.values.items()
        assert np.unique(value).size == 1
        assert value[0] in regular[name].support
        seen.add((name, float(value[0])))
    ends = {(n, e) for n, d in regular.items() for e in d.support}
    assert seen <= ends
    assert {e for e in ends - seen if e[0] not in tied} == set()
