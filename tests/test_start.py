"""The start distribution and keyed randomness."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engine_checks import assert_same

from shopfloor.envs.engine.start import Choice, LogUniform, Normal, Term, Uniform, check_terms, sample
from shopfloor.envs.randomness import MAX_SEED, KeyedRandom
from shopfloor.errors import ShopfloorError

SEEDS = np.arange(4000)
FIRST = np.zeros(4000, dtype=np.int64)


def draw(*terms: Term, forced: Any = None) -> dict[str, np.ndarray]:
    return sample(terms, KeyedRandom(), SEEDS, FIRST, forced)


def test_uniform():
    values = draw(Uniform("x", -2.0, 6.0, "m"))["x"]
    assert values.min() >= -2.0 and values.max() < 6.0
    histogram = np.histogram(values, 8, (-2.0, 6.0))[0]
    assert np.abs(histogram - 500).max() < 5 * np.sqrt(500)


def test_log_uniform():
    values = np.log10(draw(LogUniform("x", 0.01, 100.0, "m"))["x"])
    assert values.min() >= -2.0 and values.max() <= 2.0
    assert np.abs(np.histogram(values, 4, (-2.0, 2.0))[0] - 1000).max() < 5 * np.sqrt(1000)


def test_choice_takes_every_integer_as_often():
    values = draw(Choice("x", 2, 6, "1"))["x"]
    numbers, counts = np.unique(values, return_counts=True)
    assert_same(numbers, np.arange(2.0, 7.0))
    assert np.abs(counts - 800).max() < 5 * np.sqrt(800)


def test_truncated_normal_is_not_clipped():
    values = draw(Normal("x", 4.0, 16.0, "m", cut=2.0))["x"]
    assert values.min() >= 4.0 and values.max() <= 16.0
    assert len(np.unique(values)) == len(values), "nothing piles up at the ends"
    # standard deviation 3, truncated at 2 sigma: 0.8796 of it is left
    assert abs(values.mean() - 10.0) < 0.2
    assert abs(values.std() / (3.0 * 0.8796) - 1.0) < 0.03
    assert draw(Normal("x", -0.0, 0.0, "1"))["x"].tolist() == [0.0] * 4000


def test_draws_do_not_depend_on_what_is_drawn_beside_them():
    a, b = Uniform("a", 0.0, 1.0, "m", size=3), Normal("b", -1.0, 1.0, "m")
    alone = draw(a)["a"]
    assert_same(draw(b, a)["a"], alone)
    assert_same(draw(b, a, forced={"b": 0.0})["a"], alone)
    some = sample((b, a), KeyedRandom(), SEEDS[7:9], FIRST[7:9])["a"]
    assert_same(some, alone[7:9])


def test_draws_are_told_apart_by_seed_name_episode_and_component():
    random = KeyedRandom()
    keys = [(0, "x", 0, 0), (1, "x", 0, 0), (0, "y", 0, 0), (0, "x", 1, 0), (0, "x", 0, 1), (MAX_SEED, "x", 0, 0)]
    draws = [random.generator(*key).random(50) for key in keys]
    everything = np.concatenate(draws)
    assert len(np.unique(everything)) == everything.size
    assert_same(random.generator(*keys[0]).random(50), draws[0], "a draw does not depend on the draws before it")


def test_neighbouring_seeds_are_uncorrelated():
    values = draw(Uniform("x", 0.0, 1.0, "1", size=2))["x"]
    for pair in (np.stack([values[1:, 0], values[:-1, 0]]), values.T):
        assert abs(np.corrcoef(pair)[0, 1]) < 4 / np.sqrt(4000)


def test_forced_values():
    terms = (Uniform("a", 0.0, 1.0, "m", size=2), Choice("b", 0, 3, "1"))
    values = draw(*terms, forced={"a": [0.25, 1.0], "b": 2})
    assert (values["a"] == [0.25, 1.0]).all() and (values["b"] == 2.0).all()
    assert values["a"].shape == (4000, 2) and values["b"].shape == (4000,)


@pytest.mark.parametrize(
    ("forced", "message"),
    [
        ({"c": 1}, "unknown task parameter 'c'; this task has: a, b"),
        ({"a": 0.5}, "takes 2 finite numbers"),
        ({"a": [0.5, np.nan]}, "takes 2 finite numbers"),
        ({"a": [0.5, 1.5]}, r"must lie in \[0, 1\] m"),
        ({"b": 4}, r"must lie in \[0, 3\] 1"),
        ({"b": 1.5}, "whole numbers"),
        ({"b": "one"}, "a finite number, got 'one'"),
        ("a", "task_params must be a dictionary"),
    ],
)
def test_bad_forced_value(forced: Any, message: str):
    with pytest.raises(ShopfloorError, match=message):
        draw(Uniform("a", 0.0, 1.0, "m", size=2), Choice("b", 0, 3, "1"), forced=forced)


@pytest.mark.parametrize(
    ("kind", "low", "high", "size", "message"),
    [
        (Uniform, 1.0, 0.0, 1, "empty range"),
        (Uniform, 0.0, np.inf, 1, "empty range"),
        (Normal, np.nan, 1.0, 1, "empty range"),
        (LogUniform, 0.0, 1.0, 1, "must be positive"),
        (Choice, 0.5, 2.0, 1, "whole numbers"),
        (Uniform, 0.0, 1.0, 0, "size must be at least 1"),
    ],
)
def test_bad_declaration(kind: type[Term], low: float, high: float, size: int, message: str):
    with pytest.raises(ShopfloorError, match=message):
        kind("a", low, high, "m", size)


def test_names_are_unique():
    with pytest.raises(ShopfloorError, match="names 'a' twice"):
        check_terms((Uniform("a", 0.0, 1.0, "m"), Choice("a", 0, 1, "1")))
