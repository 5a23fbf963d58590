"""Distributions and the sampler: what is declared is what is drawn, and nothing else has a say in it."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from randomization_checks import kolmogorov

from shopfloor.envs.randomization import CORNERS, OOD_FAR, OOD_NEAR, STRUCTURAL, TRAIN, Sampler, Spec, spec_from
from shopfloor.envs.randomization.distributions import (
    Beta,
    Choice,
    LogUniform,
    Normal,
    Posterior,
    Shell,
    Uniform,
    distribution_from,
    restored,
    saved,
    shell,
)
from shopfloor.envs.randomization.posterior import read_posterior, write_posterior
from shopfloor.errors import ShopfloorError

CHANCE = 2.0  # Kolmogorov's statistic is larger once in 1500 times


def spec(terms: dict[str, Any], **more: Any) -> Spec:
    """A spec of masses, given by name as the range or as more keys."""
    base = {"effect": "mass", "target": {"body": "part"}}
    full = {k: {**base, **(v if isinstance(v, dict) else {"distribution": {"uniform": v}})} for k, v in terms.items()}
    return spec_from({"terms": full, **more})


def draw(distribution: Any, count: int = 20_000, seed: int = 0) -> Any:
    return distribution.draw(np.random.Generator(np.random.Philox(seed)), count)


# -- distributions -------------------------------------------------------------------------------------------------


def normal_cdf(z: Any) -> Any:
    return np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2.0)))(z)


@pytest.mark.parametrize("low, high", [(-2.0, 3.0), (0.5, 0.5000001), (1e-6, 1e6)])
def test_uniform(low: float, high: float):
    values = draw(Uniform(low, high))
    assert kolmogorov(values, lambda x: (x - low) / (high - low)) < CHANCE


@pytest.mark.parametrize("low, high", [(0.5, 2.0), (1e-6, 1e3)])
def test_log_uniform(low: float, high: float):
    values = draw(LogUniform(low, high))
    assert kolmogorov(values, lambda x: np.log(x / low) / math.log(high / low)) < CHANCE
    assert abs(np.median(values) / math.sqrt(low * high) - 1.0) < 0.03 * math.log(high / low)


@pytest.mark.parametrize("mean, std, cut", [(0.0, 1.0, 3.0), (5.0, 0.01, 1.0), (-1.0, 2.0, 0.2), (0.0, 1.0, 6.0)])
def test_normal_is_truncated_not_clipped(mean: float, std: float, cut: float):
    values = draw(Normal(mean, std, cut))
    edge = normal_cdf(np.array([-cut, cut]))
    assert np.abs(values - mean).max() <= cut * std * (1.0 + 1e-12)
    assert np.unique(values).size == values.size, "clipping would pile numbers up at the ends"
    assert kolmogorov(values, lambda x: (normal_cdf((x - mean) / std) - edge[0]) / (edge[1] - edge[0])) < CHANCE


def test_choice_takes_each_value_as_often():
    values = draw(Choice((1.0, 2.0, 7.0)))
    counts = np.array([(values == v).sum() for v in (1.0, 2.0, 7.0)])
    assert counts.sum() == values.size
    assert ((counts - values.size / 3) ** 2 / (values.size / 3)).sum() < 13.8, "chi squared, once in a thousand"


@pytest.mark.parametrize("a, b", [(2.0, 5.0), (1.0, 1.0), (40.0, 3.0)])
def test_beta(a: float, b: float):
    x = np.linspace(0.0, 1.0, 20_001)
    with np.errstate(divide="ignore", invalid="ignore"):
        density = x ** (a - 1.0) * (1.0 - x) ** (b - 1.0)
    cumulative = np.concatenate(([0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))))
    values = draw(Beta(2.0, 4.0, a, b))
    assert kolmogorov(values, lambda v: np.interp((v - 2.0) / 2.0, x, cumulative / cumulative[-1])) < CHANCE


@pytest.mark.parametrize(
    "inner, outer, log",
    [((-1.0, 1.0), (-2.0, 4.0), False), ((0.0, 1.0), (0.0, 1.5), False), ((0.5, 2.0), (0.1, 3.0), True),
     ((1.0, 2.0), (0.5, 2.0), True)],
)  # fmt: skip
def test_shell_is_uniform_outside_and_never_inside(inner: Any, outer: Any, log: bool):
    distribution = Shell(inner, outer, log)
    values = draw(distribution)
    scale = np.log if log else (lambda x: np.asarray(x))
    assert not ((values >= inner[0]) & (values <= inner[1])).any()
    assert values.min() >= outer[0] and values.max() <= outer[1]
    (a, b), (c, d) = scale(np.array([outer[0], inner[0]])), scale(np.array([inner[1], outer[1]]))

    def cdf(x: Any) -> Any:
        return (np.clip(scale(x) - a, 0.0, b - a) + np.clip(scale(x) - c, 0.0, d - c)) / ((b - a) + (d - c))

    assert kolmogorov(values, cdf) < CHANCE


@pytest.mark.parametrize(
    "distribution",
    [Uniform(0.1, 0.30000000000000004), LogUniform(0.1, 3.0), Normal(0.0, 0.1, 2.0), Choice((1.0, 5.0)),
     Beta(0.0, 1.0, 2.0, 3.0), Shell((0.0, 1.0), (-0.1, 2.0), False), Shell((0.5, 1.0), (0.1, 2.0), True)],
)  # fmt: skip
def test_saved_distributions_are_read_back(distribution: Any):
    assert restored(saved(distribution)) == distribution
    if not isinstance(distribution, Shell):
        assert distribution_from(distribution.as_dict(), "here") == distribution


@pytest.mark.parametrize(
    "distribution",
    [Uniform(-1.0, 3.0), LogUniform(0.25, 4.0), Normal(2.0, 0.1), Choice((1.0, 3.0)), Beta(0.0, 2.0, 2.0, 2.0)],
)
def test_normalized_values_span_minus_one_to_one(distribution: Any):
    low, high = distribution.support
    np.testing.assert_allclose(
        distribution.normalized(np.array([low, distribution.center, high])), [-1, 0, 1], atol=1e-12
    )


def test_shells_lie_about_nominal_and_stop_at_limits():
    unbounded = (-math.inf, math.inf)
    delay = Uniform(0.0, 0.02)
    near, far = (shell(delay, i, o, 0.0, (0.0, math.inf)) for i, o in ((1.0, 1.5), (1.5, 2.5)))
    assert near.inner == (0.0, 0.02) and near.outer == pytest.approx((0.0, 0.03))
    assert far.inner == pytest.approx((0.0, 0.03)) and far.outer == pytest.approx((0.0, 0.05))
    scale = shell(Uniform(0.9, 1.1), 1.0, 1.5, 1.0, unbounded)
    assert scale.outer == pytest.approx((0.85, 1.15))
    ratio = shell(LogUniform(0.5, 2.0), 1.0, 2.0, 1.0, unbounded)
    assert ratio.outer == pytest.approx((0.25, 4.0)) and ratio.log
    share = shell(Uniform(0.0, 0.9), 1.0, 1.5, 0.0, (0.0, 1.0))
    assert share.outer == (0.0, 1.0)
    with pytest.raises(ShopfloorError, match="empty"):
        shell(Uniform(0.0, 1.0), 1.0, 1.5, 0.0, (0.0, 1.0))


# -- posteriors ----------------------------------------------------------------------------------------------------


def posterior_file(folder: Path, count: int = 400) -> Path:
    """Two parameters of which the second is twice the first, plus one."""
    first = np.random.default_rng(0).normal(1.0, 0.05, count)
    path = folder / "found.npz"
    write_posterior(path, ["mass", "inertia"], ["kg", "kg m^2"], np.stack([first, 2.0 * first + 1.0], axis=1), {"a": 1})
    return path


def test_posterior_file_round_trip(tmp_path: Path):
    found = read_posterior(posterior_file(tmp_path))
    assert found.names == ("mass", "inertia") and found.units == ("kg", "kg m^2") and found.meta == {"a": 1}
    assert found.samples.shape == (400, 2) and len(found.digest) == 16


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04broken"])
def test_a_file_that_is_no_posterior_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(ShopfloorError, match="is not a posterior"):
        read_posterior(path)
    with pytest.raises(ShopfloorError, match="no posterior file"):
        read_posterior(tmp_path / "missing.npz")


def posterior_terms(path: Path, **more: Any) -> dict[str, Any]:
    return {
        "mass": {"distribution": {"posterior": {"file": str(path), "parameter": "mass"}}, **more},
        "inertia": {"distribution": {"posterior": {"file": str(path), "parameter": "inertia"}}, **more},
        "other": [0.5, 1.5],
    }


@pytest.mark.parametrize("sizes", [{}, {"mass": 6}, {"mass": 2, "inertia": 3}])
def test_terms_of_one_posterior_come_from_one_sample(tmp_path: Path, sizes: dict[str, int]):
    sampler = Sampler(spec(posterior_terms(posterior_file(tmp_path))), sizes)
    seen = []
    for episode in range(400):
        values = sampler.sample(TRAIN, 5, episode).values
        assert np.unique(values["mass"]).size == 1, "one parameter is one number"
        assert values["inertia"][0] == 2.0 * values["mass"][0] + 1.0
        seen.append(values["mass"][0])
    samples = np.sort(read_posterior(tmp_path / "found.npz").samples[:, 0])
    assert kolmogorov(np.array(seen), lambda x: np.searchsorted(samples, x, side="right") / samples.size) < CHANCE


def test_a_constraint_on_one_of_them_leaves_them_together(tmp_path: Path):
    sampler = Sampler(spec(posterior_terms(posterior_file(tmp_path)), constraints={"light": "mass <= 1.0"}))
    rejected = 0
    for episode in range(60):
        sample = sampler.sample(TRAIN, 5, episode)
        rejected += sample.rejected
        assert sample.values["mass"][0] <= 1.0
        assert sample.values["inertia"][0] == 2.0 * sample.values["mass"][0] + 1.0
    assert rejected > 20


def test_terms_of_one_posterior_are_drawn_at_one_time(tmp_path: Path):
    terms = posterior_terms(posterior_file(tmp_path))
    terms["mass"]["mode"] = "startup"
    with pytest.raises(ShopfloorError, match="'mass' and 'inertia' take the same sample"):
        spec(terms)


def test_a_posterior_has_shells_around_it(tmp_path: Path):
    declared = spec(posterior_terms(posterior_file(tmp_path)))
    samples = read_posterior(tmp_path / "found.npz").samples[:, 0]
    found = declared.distributions(OOD_NEAR)["mass"]
    assert isinstance(found, Shell) and found.inner == pytest.approx((samples.min(), samples.max()))
    assert isinstance(declared.term("mass").distribution, Posterior)


# -- the sampler ---------------------------------------------------------------------------------------------------

TERMS: dict[str, Any] = {
    "a": [0.8, 1.2],
    "b": {"distribution": {"log_uniform": [0.5, 2.0]}},
    "c": {"distribution": {"normal": [1.0, 0.05]}},
    "d": {"distribution": {"choice": [0.9, 1.0, 1.1]}},
    "e": {"distribution": {"uniform": [0.5, 0.6]}, "structural": True},
    "f": {"distribution": {"uniform": [1.5, 1.6]}, "structural": True},
    "g": {"distribution": {"uniform": [1.0, 2.0]}, "mode": "startup"},
}
SIZES = {"a": 3, "b": 2, "c": 7}


def same(one: Any, two: Any, names: Any) -> None:
    for name in names:
        assert (name in one.values) == (name in two.values), name
        if name in one.values:
            assert one.values[name].tobytes() == two.values[name].tobytes(), name


@pytest.mark.parametrize("split", [TRAIN, OOD_NEAR, OOD_FAR, STRUCTURAL, CORNERS])
def test_samples_do_not_depend_on_what_was_asked_before(split: str):
    one, two = Sampler(spec(TERMS), SIZES), Sampler(spec(TERMS), SIZES)
    wanted = list(itertools.product((0, 7, 2**62), (0, 31, 32, 1000)))
    first = {key: one.sample(split, *key) for key in wanted}
    for key in reversed(wanted):
        two.sample(TRAIN, 3, key[1] + 1)
        again = two.sample(split, *key)
        assert first[key].values.keys() == again.values.keys()
        same(first[key], again, TERMS)
        assert again.spec_hash == one.spec.hash and (again.seed, again.episode, again.split) == (*key, split)


@pytest.mark.parametrize("split", [TRAIN, OOD_NEAR, OOD_FAR])
def test_other_terms_and_their_order_do_not_matter(split: str):
    full = Sampler(spec(TERMS), SIZES)
    names = list(TERMS)
    for kept in (names[::-1], ["c"], ["a", "g"], ["g", "d", "b"]):
        part = Sampler(spec({k: TERMS[k] for k in kept}), SIZES)
        more = Sampler(spec({**{k: TERMS[k] for k in kept}, "new": [0.9, 1.0]}), SIZES)
        for seed, episode in ((0, 0), (4, 33)):
            same(full.sample(split, seed, episode), part.sample(split, seed, episode), kept)
            same(full.sample(split, seed, episode), more.sample(split, seed, episode), kept)


def test_rows_are_samples():
    sampler = Sampler(spec(TERMS), SIZES)
    seeds, episodes = np.array([5, 0, 5, 9]), np.array([2, 40, 2, 0])
    for split in (TRAIN, OOD_FAR, STRUCTURAL, CORNERS):
        rows = sampler.rows(split, seeds, episodes)
        for k, (seed, episode) in enumerate(zip(seeds.tolist(), episodes.tolist(), strict=True)):
            alone = Sampler(spec(TERMS), SIZES).sample(split, seed, episode)
            for i, (name, part) in enumerate(sampler.slices.items()):
                assert rows.active[k, i] == (name in alone.values)
                if name in alone.values:
                    np.testing.assert_array_equal(rows.values[k, part], alone.values[name])
                else:
                    assert np.isnan(rows.values[k, part]).all()


def test_seeds_and_episodes_differ_and_startup_terms_stay():
    sampler = Sampler(spec(TERMS), SIZES)
    values = {(s, e): sampler.sample(TRAIN, s, e).values for s in range(4) for e in range(40)}
    assert len({v["a"].tobytes() for v in values.values()}) == len(values)
    for seed in range(4):
        assert len({values[seed, e]["g"].tobytes() for e in range(40)}) == 1, "once a seed"
    assert len({values[s, 0]["g"].tobytes() for s in range(4)}) == 4


def test_structural_episodes_have_one_structural_term():
    sampler = Sampler(spec(TERMS), SIZES)
    seen = set()
    for episode in range(60):
        values = sampler.sample(STRUCTURAL, 1, episode).values
        (own,) = values.keys() & {"e", "f"}
        seen.add(own)
        same(sampler.sample(STRUCTURAL, 1, episode), sampler.sample(TRAIN, 1, episode), "abcdg")
    assert seen == {"e", "f"}
    assert not sampler.sample(TRAIN, 1, 0).values.keys() & {"e", "f"}


def test_a_curriculum_replaces_distributions():
    sampler = Sampler(spec(TERMS), SIZES)
    plain = sampler.sample(TRAIN, 0, 3)
    narrow = sampler.sample(TRAIN, 0, 3, {"a": Uniform(1.0, 1.0), "b": Uniform(5.0, 6.0)})
    assert (narrow.values["a"] == 1.0).all() and (narrow.values["b"] >= 5.0).all()
    same(plain, narrow, "cdg")


# -- feasibility ---------------------------------------------------------------------------------------------------


def test_constraints_reject_and_count():

    terms = {k: [1e-9, 1.0] for k in "abc"}
    tied = Sampler(spec(terms, constraints={"sum": "a + b <= 1"}))
    rejected, values = [], []
    for episode in range(3000):
        sample = tied.sample(TRAIN, 0, episode)
        assert (sample.values["a"] + sample.values["b"] <= 1.0).all()
        rejected.append(sample.rejected)
        values.append(sample.values["a"][0])
    # every second draw is feasible: the number of rejected ones is geometric with mean 1
    assert abs(np.mean(rejected) - 1.0) < 4.0 * math.sqrt(2.0 / 3000)
    assert kolmogorov(np.array(values), lambda x: 1.0 - (1.0 - x) ** 2) < CHANCE, "the feasible triangle's marginal"


def test_a_constraint_leaves_other_terms_alone():
    terms = {"a": [0.5, 1.0], "b": [0.5, 1.0], "c": [0.5, 1.0]}
    tied, free = Sampler(spec(terms, constraints={"sum": "a + b <= 1.2"})), Sampler(spec(terms))
    for episode in range(20):
        one, two = tied.sample(TRAIN, 0, episode), free.sample(TRAIN, 0, episode)
        same(one, two, "c")
        if not one.rejected:
            same(one, two, "ab")
    assert any(tied.sample(TRAIN, 0, e).rejected for e in range(20))


def test_every_component_must_be_feasible():
    sampler = Sampler(spec({"a": [0.0001, 1.0], "b": [0.5, 1.0]}, constraints={"c": "a < b"}), {"a": 4})
    for episode in range(50):
        values = sampler.sample(TRAIN, 0, episode).values
        assert (values["a"] < values["b"]).all()


def test_an_impossible_constraint_is_an_error_that_names_it():
    sampler = Sampler(spec({"a": [0.5, 1.0]}, constraints={"much too heavy": "a >= 2"}))
    for split in (TRAIN, CORNERS):
        with pytest.raises(ShopfloorError, match="1000 draws in a row broke 'much too heavy'; widen"):
            sampler.sample(split, 0, 0)


def test_corners_are_feasible_with_the_other_terms_as_designed():
    sampler = Sampler(spec({"a": [0.5, 2.0], "b": [0.5, 2.0]}, constraints={"product": "a * b <= 1.5"}))
    seen = {(k, float(v[0])) for e in range(100) for k, v in sampler.sample(CORNERS, 0, e).values.items()}
    assert seen == {("a", 0.5), ("b", 0.5)}
    assert any(sampler.sample(CORNERS, 0, e).rejected for e in range(20))


def test_terms_that_are_not_drawn_are_as_designed():
    """A structural term outside its split counts with its nominal value, 1 for a factor."""
    terms = {"a": [0.5, 1.5], "e": {"distribution": {"uniform": [0.4, 0.5]}, "structural": True}}
    sampler = Sampler(spec(terms, constraints={"product": "a * e <= 0.75"}))
    train = [sampler.sample(TRAIN, 0, e).values["a"][0] for e in range(300)]
    structural = [sampler.sample(STRUCTURAL, 0, e).values["a"][0] for e in range(300)]
    assert 0.7 < max(train) <= 0.75 and max(structural) > 1.4


def test_what_is_drawn_once_a_seed_is_not_drawn_again_for_an_episode():
    terms = {"a": {"distribution": {"uniform": [0.5, 1.0]}, "mode": "startup"}, "b": [0.5, 2.0]}
    sampler = Sampler(spec(terms, constraints={"product": "a * b <= 1"}))
    for seed in range(5):
        samples = [sampler.sample(TRAIN, seed, e) for e in range(40)]
        assert len({s.values["a"].tobytes() for s in samples}) == 1
        assert all((s.values["a"] * s.values["b"] <= 1.0).all() for s in samples)
        assert any(s.rejected for s in samples)
