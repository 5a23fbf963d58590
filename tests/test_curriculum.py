"""Curricula against synthetic policies whose success is a known function of what was drawn."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from shopfloor.envs.randomization import Sampler, Spec, load_spec, spec_from
from shopfloor.envs.randomization.curriculum import (
    ADR,
    AdrSettings,
    Curriculum,
    CurriculumSettings,
    Doraemon,
    DoraemonSettings,
    Finished,
    Linear,
    LinearSettings,
    make_curriculum,
)
from shopfloor.envs.randomization.curriculum.base import adapted, contracted, growing, origin, quantiles
from shopfloor.envs.randomization.curriculum.beta import (
    digamma,
    divergence,
    entropy,
    fisher,
    log_beta,
    mean_logs,
    trigamma,
)
from shopfloor.envs.randomization.curriculum.doraemon import Outcomes, Problem
from shopfloor.envs.randomization.curriculum.trust_region import HalfSpace, best_step
from shopfloor.errors import ShopfloorError
from shopfloor.train.state_file import load_state, save_state

Success = Callable[[Mapping[str, NDArray[np.float64]]], NDArray[np.bool_]]
KINDS = ("linear", "adr", "doraemon")

MIXED = {
    "middle": {"effect": "task.a", "operation": "add", "distribution": {"uniform": [-2.0, 1.0]}},
    "from_end": {"effect": "task.b", "operation": "add", "distribution": {"uniform": [0.0, 3.0]}},
    "ratio": {"effect": "task.c", "operation": "scale", "distribution": {"log_uniform": [0.25, 2.0]}},
    "bell": {"effect": "task.d", "operation": "add", "distribution": {"normal": [0.1, 0.5]}},
    "outside": {"effect": "task.e", "operation": "scale", "distribution": {"uniform": [1.5, 2.0]}},
    "own": {"effect": "task.f", "operation": "set", "distribution": {"uniform": [3.0, 5.0]}},
    "pick": {"effect": "task.g", "operation": "set", "distribution": {"choice": [1.0, 4.0, 2.0]}},
    "point": {"effect": "task.h", "operation": "set", "distribution": {"uniform": [7.0, 7.0]}},
    "play": {"effect": "task.i", "operation": "set", "structural": True, "distribution": {"uniform": [0.0, 1.0]}},
    "machine": {
        "effect": "mass", "target": {"body": "arm"}, "mode": "startup", "distribution": {"uniform": [0.9, 1.1]},
    },
    "push": {
        "effect": "force.joint", "target": {"joint": "a"}, "mode": {"interval_s": [0.1, 0.2]},
        "distribution": {"normal": [0.0, 2.0]},
    },
}  # fmt: skip
ORIGINS = {"middle": 0.0, "from_end": 0.0, "ratio": 1.0, "bell": 0.0, "outside": 1.5, "own": 4.0, "push": 0.0}


def mixed(**more: object) -> Spec:
    return spec_from({"terms": MIXED, **more})


def flat(count: int, spread: float = 1.0) -> Spec:
    """Terms t0, t1, ... uniform on [-spread, spread] with the nominal value 0."""
    entry = {"operation": "add", "distribution": {"uniform": [-spread, spread]}}
    return spec_from({"terms": {f"t{i}": {"effect": f"task.t{i}", **entry} for i in range(count)}})


def sizes_of(spec: Spec, size: int = 1) -> dict[str, int]:
    return {t.name: size for t in spec.terms}


SAMPLERS: dict[tuple[str, int], Sampler] = {}


def sampler_of(spec: Spec, size: int) -> Sampler:
    """One sampler for each spec, which keeps the numbers that it has drawn."""
    return SAMPLERS.setdefault((spec.hash, size), Sampler(spec, sizes_of(spec, size)))


def episodes(curriculum: Curriculum, spec: Spec, number: int, rows: int = 64, size: int = 1) -> Finished:
    """One finished episode in each row, as the sampler draws it; nobody has succeeded."""
    sampler = sampler_of(spec, size)
    seeds, numbers = np.arange(rows), np.full(rows, number)
    chosen = [curriculum.distributions(int(s), number) for s in seeds]
    drawn = sampler.rows("train", seeds, numbers, chosen).values
    values = {name: drawn[:, part] for name, part in sampler.slices.items()}
    return Finished(seeds, numbers, np.zeros(rows, dtype=bool), values, np.full(rows, curriculum.version))


def play(
    curriculum: Curriculum, spec: Spec, success: Success, rounds: int, first: int = 0, size: int = 1
) -> list[float]:
    """Success rates of rounds of episodes that the curriculum hears of."""
    rates = []
    for number in range(first, first + rounds):
        finished = episodes(curriculum, spec, number, size=size)
        won = success(finished.values)
        curriculum.update(Finished(finished.seeds, finished.episodes, won, finished.values, finished.versions))
        rates.append(float(won.mean()))
    return rates


def always(values: Mapping[str, NDArray[np.float64]]) -> NDArray[np.bool_]:
    return np.ones(len(next(iter(values.values()))), dtype=bool)


def never(values: Mapping[str, NDArray[np.float64]]) -> NDArray[np.bool_]:
    return ~always(values)


def made(kind: str, spec: Spec, size: int = 1) -> Curriculum:
    settings = CurriculumSettings(
        kind=kind,  # type: ignore[arg-type]
        adr=AdrSettings(episodes=2),
        doraemon=DoraemonSettings(episodes=64),
    )
    return make_curriculum(settings, spec, sizes_of(spec, size))


# -- all kinds --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_values_stay_inside_the_range_of_the_spec_at_every_stage(kind: str) -> None:
    spec = mixed()
    curriculum = made(kind, spec, size=3)
    for number in range(12):
        curriculum.advance(number / 11)
        finished = episodes(curriculum, spec, number, size=3)
        for term in spec.terms:
            low, high = term.distribution.support
            values = finished.values[term.name]
            if term.structural or term.dynamic:
                assert np.isnan(values).all()
            else:
                margin = 1e-9 * max(1.0, abs(low), abs(high))
                assert (values >= low - margin).all() and (values <= high + margin).all(), term.name
        for distribution in curriculum.distributions(0, number).values():
            low, high = distribution.support
            assert math.isfinite(low) and low <= high
        won = np.arange(finished.seeds.size) % 4 != 0
        curriculum.update(Finished(finished.seeds, finished.episodes, won, finished.values, finished.versions))


@pytest.mark.parametrize("kind", KINDS)
def test_opened_all_the_way_it_draws_what_the_spec_draws(kind: str) -> None:
    spec = mixed()
    curriculum = made(kind, spec)
    if kind == "linear":
        curriculum.advance(0.5)
    else:
        play(curriculum, spec, always, 60 if kind == "adr" else 24)
    sampler = sampler_of(spec, 1)
    seeds, numbers = np.arange(40), np.full(40, 3)
    whole = sampler.rows("train", seeds, numbers)
    if isinstance(curriculum, ADR):
        held = np.array([curriculum.boundary(s, 3) is not None for s in seeds.tolist()])
        assert 5 < held.sum() < 35
        seeds, numbers = seeds[~held], numbers[~held]
        whole = sampler.rows("train", seeds, numbers)
    chosen = [curriculum.distributions(int(s), 3) for s in seeds]
    opened = sampler.rows("train", seeds, numbers, chosen)
    assert np.allclose(opened.values, whole.values, rtol=1e-9, atol=1e-9, equal_nan=True)
    assert np.array_equal(opened.active, whole.active)
    assert chosen[0]["push"] == spec.term("push").distribution
    figures = curriculum.progress()
    assert figures["share"] == pytest.approx(1.0) and figures.get("entropy", 0.0) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_it_begins_near_the_nominal_machine(kind: str) -> None:
    spec = mixed()
    finished = episodes(made(kind, spec), spec, 0)
    for name, start in ORIGINS.items():
        if name == "push":
            continue
        low, high = spec.term(name).distribution.support
        off = np.abs(finished.values[name].ravel() - start) / (high - low)
        assert np.median(off) < 0.1, name
    # what no curriculum narrows is as declared
    assert set(finished.values["pick"].ravel()) == {1.0, 2.0, 4.0}
    assert np.ptp(finished.values["machine"]) > 0.15 and (finished.values["point"] == 7.0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_distributions_are_a_function_of_state_and_episode(kind: str) -> None:
    spec = mixed()
    curriculum = made(kind, spec, size=2)
    play(curriculum, spec, lambda v: (v["middle"] > -1.0).all(axis=1), 6, size=2)
    curriculum.advance(0.2)
    before = copy.deepcopy(curriculum.state_dict())
    forwards = [dict(curriculum.distributions(s, e)) for s in range(4) for e in range(10)]
    backwards = [dict(curriculum.distributions(s, e)) for s in reversed(range(4)) for e in reversed(range(10))]
    assert forwards == backwards[::-1]
    assert_same(before, curriculum.state_dict())


@pytest.mark.parametrize("kind", KINDS)
def test_a_restored_curriculum_goes_on_as_the_one_that_was_saved(kind: str, tmp_path) -> None:
    spec = mixed()
    one, other = made(kind, spec), made(kind, spec)

    def success(values: Mapping[str, NDArray[np.float64]]) -> NDArray[np.bool_]:
        return (values["middle"] > -0.8).all(axis=1) & (values["ratio"] < 1.4).all(axis=1)

    one.advance(0.1)
    # in the middle of what an update waits for
    play(one, spec, success, 5)
    half = episodes(one, spec, 5, rows=40)
    one.update(Finished(half.seeds, half.episodes, success(half.values), half.values, half.versions))
    save_state(tmp_path / "state.npz", one.state_dict())
    saved = load_state(tmp_path / "state.npz")
    other.load_state_dict(saved)
    assert other.version == one.version and other.progress() == one.progress()
    for curriculum in (one, other):
        play(curriculum, spec, success, 6, first=6)
    assert_same(one.state_dict(), other.state_dict())
    assert all(one.distributions(s, 20) == other.distributions(s, 20) for s in range(20))
    if kind != "linear":
        assert one.version > saved["version"]


def assert_same(one: object, other: object) -> None:
    if isinstance(one, Mapping):
        assert isinstance(other, Mapping) and one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    else:
        assert np.array_equal(np.asarray(one), np.asarray(other), equal_nan=True)


@pytest.mark.parametrize("name", ["arm_reach", "wafer_transfer"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_specs_of_the_package_have_something_to_adapt(name: str, kind: str) -> None:
    spec = load_spec(name)
    terms = [t for t in spec.terms if not t.structural]
    curriculum = make_curriculum(CurriculumSettings(kind=kind), spec, sizes_of(spec))  # type: ignore[arg-type]
    assert curriculum.distributions(0, 0).keys() == {t.name for t in terms}
    assert len(adapted(spec, kind, constrained=False)[0]) >= 10


def test_forces_alone_grow_by_the_clock_only() -> None:
    spec = load_spec("arm_reach_forces")
    for kind in ("adr", "doraemon"):
        with pytest.raises(ShopfloorError, match=f"no term that the curriculum {kind} could adapt"):
            made(kind, spec)
    linear = Linear(spec, LinearSettings(start=0.2))
    whole, now = (d["arm_torque"] for d in (spec.distributions("train"), linear.distributions(0, 0)))
    assert now.support[1] == pytest.approx(0.2 * whole.support[1])


def test_fixed_leaves_the_spec_alone() -> None:
    assert make_curriculum(CurriculumSettings(), mixed(), {}).distributions(0, 0) == {}


# -- contraction and quantiles ------------------------------------------------------------------------------------


def test_ranges_contract_about_the_nominal_value_in_ratios_where_those_matter() -> None:
    spec = mixed()
    assert {t.name: origin(t) for t in growing(spec)} == ORIGINS
    for term in growing(spec):
        widths = []
        for share in (0.0, 0.3, 0.7, 1.0):
            low, high = contracted(term, share).support
            assert low <= ORIGINS[term.name] + 1e-12 and high >= ORIGINS[term.name] - 1e-12
            widths.append(math.log(high / low) if term.distribution.logarithmic else high - low)
        assert widths == pytest.approx([s * widths[-1] for s in (0.0, 0.3, 0.7, 1.0)])
        assert contracted(term, 1.0) is term.distribution


@pytest.mark.parametrize("name", ["middle", "ratio", "bell"])
def test_quantiles_invert_a_distribution(name: str) -> None:
    distribution = mixed().term(name).distribution
    z = np.linspace(0.001, 0.999, 97).reshape(-1, 1)
    assert np.allclose(quantiles(distribution, distribution.transform(z)), z, atol=1e-12)


def test_a_linear_curriculum_is_whole_after_its_share_of_the_training() -> None:
    linear = Linear(flat(1), LinearSettings(start=0.2, until=0.5))
    shares = []
    for progress in (0.0, 0.25, 0.5, 1.0):
        linear.advance(progress)
        shares.append(linear.progress()["share"])
        low, high = linear.distributions(0, 0)["t0"].support
        assert (low, high) == pytest.approx((-shares[-1], shares[-1]))
    assert shares == pytest.approx([0.2, 0.6, 1.0, 1.0])


# -- ADR --------------------------------------------------------------------------------------------------------


def test_adr_widens_where_the_policy_succeeds_and_stops_at_the_spec() -> None:
    spec = flat(2)
    adr = ADR(spec, sizes_of(spec), AdrSettings(episodes=4))
    entropies = []
    for number in range(60):
        play(adr, spec, always, 1, first=number)
        entropies.append(adr.entropy)
    assert entropies == sorted(entropies) and entropies[0] > math.log(0.05) - 1e-9
    assert np.array_equal(adr.ends, [[0.0, 1.0], [0.0, 1.0]]) and adr.entropy == 0.0


def test_adr_narrows_where_the_policy_fails_but_not_beyond_the_start() -> None:
    spec = flat(2)
    adr = ADR(spec, sizes_of(spec), AdrSettings(episodes=4, start=0.1))
    start = adr.ends.copy()
    play(adr, spec, always, 40)
    wide = adr.share
    play(adr, spec, never, 4, first=40)
    assert adr.share < wide
    play(adr, spec, never, 80, first=44)
    assert np.allclose(adr.ends, start, atol=1e-12)


def test_adr_keeps_an_end_whose_success_is_between_the_thresholds() -> None:
    spec = flat(1)
    adr = ADR(spec, sizes_of(spec), AdrSettings(episodes=10, narrow_below=0.3, widen_above=0.9))
    ends = adr.ends.copy()
    count = np.zeros(2, dtype=int)
    for number in range(400):
        tried = adr.boundary(0, number)
        side = tried[1] if tried else 0
        count[side] += tried is not None
        one = np.array([0]), np.array([number]), np.array([count[side] % 2 == 0])
        adr.update(Finished(*one, {}, np.array([adr.version])))
    assert count.min() > 50 and np.array_equal(adr.ends, ends)
    assert adr.progress()["success_at_ends"] == pytest.approx(0.5)


def test_each_end_moves_to_the_boundary_of_success() -> None:
    """Success needs t0 < 0.5; nothing else matters."""
    spec = flat(2)
    settings = AdrSettings(step=0.04, episodes=6)
    adr = ADR(spec, sizes_of(spec), settings)
    play(adr, spec, lambda v: (v["t0"] < 0.5).all(axis=1), 40)
    (low, high), other = adr.ends
    assert low == 0.0 and other.tolist() == [0.0, 1.0]
    # quantile 0.75 is the value 0.5; the end goes to and fro across it
    assert abs(high - 0.75) <= settings.step + 1e-9


def test_a_boundary_episode_holds_one_component_at_an_end_and_draws_the_rest() -> None:
    spec = flat(3)
    adr = ADR(spec, sizes_of(spec, 4), AdrSettings(boundary_share=0.5, start=0.5))
    finished = episodes(adr, spec, 7, rows=400, size=4)
    tried = [adr.boundary(s, 7) for s in range(400)]
    share = np.mean([t is not None for t in tried])
    assert abs(share - 0.5) < 4 * math.sqrt(0.25 / 400)
    assert {t for t in tried if t} == {(i, side, c) for i in range(3) for side in (0, 1) for c in range(4)}
    for row, at in enumerate(tried):
        values = np.stack([finished.values[f"t{i}"][row] for i in range(3)])
        held = np.abs(np.abs(values) - 0.5) < 1e-12
        expected = np.zeros((3, 4), dtype=bool)
        if at is not None:
            expected[at[0], at[2]] = True
            assert values[at[0], at[2]] == pytest.approx(0.5 if at[1] else -0.5)
        assert np.array_equal(held, expected)


def test_an_end_at_the_nominal_value_is_not_tried() -> None:
    spec = mixed()
    adr = ADR(spec, sizes_of(spec), AdrSettings(boundary_share=1.0))
    tried = {adr.boundary(s, 0) for s in range(2000)}
    names = [t.name for t in adr.terms]
    ends = {(names[t[0]], t[1]) for t in tried if t}
    assert ("from_end", 1) in ends and ("from_end", 0) not in ends
    assert ("outside", 1) in ends and ("outside", 0) not in ends
    assert {("middle", 0), ("middle", 1), ("ratio", 0), ("own", 1)} <= ends


def test_an_episode_that_began_before_an_end_moved_does_not_count_for_it() -> None:
    spec = flat(1)
    adr = ADR(spec, sizes_of(spec), AdrSettings(episodes=1, boundary_share=1.0))
    number = next(e for e in range(50) if adr.boundary(0, e)[1] == 1)

    def end(version: int) -> float:
        key = np.array([0]), np.array([number]), np.array([True])
        adr.update(Finished(*key, {}, np.array([version])))
        return float(adr.ends[0, 1])

    first = end(0)
    assert end(0) == first and end(adr.version) > first


def test_terms_in_a_constraint_follow_under_adr() -> None:
    """A term held at its end may leave no feasible draw."""
    spec = mixed(constraints={"together": "middle + ratio <= 1.2"})
    names = {t.name for t in adapted(spec, "adr", constrained=False)[0]}
    assert names == {"from_end", "bell", "outside", "own"}
    assert {"middle", "ratio"} <= {t.name for t in adapted(spec, "doraemon", constrained=True)[0]}
    play(made("adr", spec), spec, always, 30)
    play(made("doraemon", spec), spec, always, 10)


# -- beta distributions -------------------------------------------------------------------------------------------


def test_special_functions_have_their_known_values() -> None:
    euler = 0.5772156649015329
    x = np.array([1.0, 0.5, 2.0, 10.0, 400.0])
    assert digamma(x)[:3] == pytest.approx([-euler, -euler - 2 * math.log(2), 1 - euler], abs=1e-13)
    assert trigamma(x)[:3] == pytest.approx([math.pi**2 / 6, math.pi**2 / 2, math.pi**2 / 6 - 1], abs=1e-13)
    assert digamma(x + 1) == pytest.approx(digamma(x) + 1 / x, abs=1e-13)
    assert trigamma(x + 1) == pytest.approx(trigamma(x) - 1 / x**2, abs=1e-13)


ETA = np.array([[1.0, 1.0], [1.0, 30.0], [2.5, 4.0], [60.0, 45.0]])


def test_entropy_and_divergence_equal_their_integrals() -> None:
    z = (np.arange(400_000) + 0.5) / 400_000
    other = np.array([[2.0, 1.5]])

    def log_density(eta: NDArray[np.float64]) -> NDArray[np.float64]:
        (a, b), (norm,) = eta[0], log_beta(eta)
        return (a - 1) * np.log(z) + (b - 1) * np.log1p(-z) - norm

    for row in ETA:
        eta = row[None]
        p = np.exp(log_density(eta))
        assert p.mean() == pytest.approx(1.0, abs=1e-4)
        assert entropy(eta)[0] == pytest.approx(-(p * log_density(eta)).mean(), abs=1e-4)
        assert divergence(eta, other)[0] == pytest.approx(
            (p * (log_density(eta) - log_density(other))).mean(), abs=1e-4
        )
    assert entropy(ETA)[0] == 0.0 and (entropy(ETA)[1:] < 0.0).all()


def test_gradients_equal_differences() -> None:
    h = 1e-5
    for column in (0, 1):
        step = np.zeros_like(ETA)
        step[:, column] = h
        slope = (log_beta(ETA + step) - log_beta(ETA - step)) / (2 * h)
        assert slope == pytest.approx(mean_logs(ETA)[:, column], rel=1e-6, abs=1e-8)
        curve = (mean_logs(ETA + step) - mean_logs(ETA - step)) / (2 * h)
        assert np.allclose(curve, fisher(ETA)[:, :, column], rtol=1e-6)


def test_the_best_step_lies_in_the_ball_and_the_half_spaces() -> None:
    metric, goal = np.diag([1.0, 4.0]), np.array([1.0, 0.0])
    assert best_step(metric, goal, [], 2.0) == pytest.approx([2.0, 0.0])
    # x <= 1: along the line to the end of the ball there is nothing more to gain
    capped = best_step(metric, goal, [HalfSpace(np.array([-1.0, 0.0]), -1.0)], 2.0)
    assert capped is not None and 0.85 < capped[0] <= 1.0
    assert best_step(metric, goal, [HalfSpace(np.array([0.0, 1.0]), 1.5)], 2.0) is None
    two = [HalfSpace(np.array([-1.0, 1.0]), 0.0), HalfSpace(np.array([0.0, -1.0]), -0.5)]
    step = best_step(metric, goal, two, 2.0)
    assert step is not None and step @ metric @ step <= 4.0 + 1e-9
    assert 0.3 < step[0] <= step[1] + 1e-12 and step[1] <= 0.5


# -- DORAEMON ---------------------------------------------------------------------------------------------------


def test_the_estimate_of_success_reweights_what_was_drawn() -> None:
    rng = np.random.default_rng(5)
    drawn, wanted = np.array([[4.0, 4.0]]), np.array([[3.0, 4.5]])
    z = rng.beta(4.0, 4.0, 200_000)
    logs = np.stack([np.log(z), np.log1p(-z)], axis=-1)[:, None, :]
    density = ((drawn - 1.0) * logs).sum(axis=(1, 2)) - log_beta(drawn)[0]
    outcomes = Outcomes(logs, density, z < 0.4)
    expected = (rng.beta(3.0, 4.5, 200_000) < 0.4).mean()
    assert outcomes.success_rate(wanted) == pytest.approx(expected, abs=0.01)
    assert outcomes.success_rate(drawn) == pytest.approx((z < 0.4).mean())
    gradient, h = outcomes.success_gradient(wanted), 1e-5
    for column in (0, 1):
        step = np.zeros((1, 2))
        step[0, column] = h
        slope = (outcomes.success_rate(wanted + step) - outcomes.success_rate(wanted - step)) / (2 * h)
        assert gradient[0, column] == pytest.approx(slope, rel=1e-5)


def outcomes_of(
    eta: NDArray[np.float64], count: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    z = np.clip(rng.beta(eta[:, 0], eta[:, 1], (count, len(eta))), 1e-12, 1 - 1e-12)
    logs = np.stack([np.log(z), np.log1p(-z)], axis=-1)
    return z, logs, ((eta - 1.0) * logs).sum(axis=(1, 2)) - log_beta(eta).sum()


@pytest.mark.parametrize("seed", range(2))
def test_an_update_is_as_wide_as_a_search_over_all_parameters_finds(seed: int) -> None:
    """One term, so that a grid over (a, b) is the judge."""
    settings = DoraemonSettings(success=0.7, kl=0.3)
    present = np.array([[9.0, 12.0]])
    z, logs, density = outcomes_of(present, 300, seed)
    outcomes = Outcomes(logs, density, (z[:, 0] > 0.3) & (z[:, 0] < 0.75))
    problem = Problem(present, np.ones(1), outcomes, settings)
    found = problem.solve()
    assert problem.divergence(found) <= settings.kl + 1e-9
    assert outcomes.success_rate(found) >= settings.success - 1e-9
    best = max(
        problem.entropy(eta)
        for a in np.linspace(1.0, 14.0, 40)
        for b in np.linspace(1.0, 16.0, 40)
        if problem.divergence(eta := np.array([[a, b]])) <= settings.kl
        and outcomes.success_rate(eta) >= settings.success
    )
    assert problem.entropy(found) > best - 0.01


def test_without_failures_an_update_uses_the_whole_divergence() -> None:
    settings = DoraemonSettings(kl=0.2)
    present = np.array([[30.0, 30.0], [1.0, 50.0]])
    _, logs, density = outcomes_of(present, 50, 0)
    problem = Problem(present, np.array([1.0, 3.0]), Outcomes(logs, density, np.ones(50, dtype=bool)), settings)
    found = problem.solve()
    assert 0.19 < problem.divergence(found) <= 0.2 + 1e-12
    assert (found >= 1.0).all() and problem.entropy(found) > problem.entropy(present)


def test_an_update_recovers_success_when_it_is_too_low() -> None:
    settings = DoraemonSettings(success=0.9, kl=0.5)
    present = np.array([[2.0, 2.0]])
    z, logs, density = outcomes_of(present, 400, 1)
    outcomes = Outcomes(logs, density, z[:, 0] < 0.4)
    problem = Problem(present, np.ones(1), outcomes, settings)
    assert outcomes.success_rate(present) < 0.5
    found = problem.solve()
    assert outcomes.success_rate(found) > outcomes.success_rate(present) + 0.2
    assert 0.45 < problem.divergence(found) <= 0.5 + 1e-12


def test_nothing_moves_while_nobody_succeeds() -> None:
    spec = flat(2)
    doraemon = Doraemon(spec, sizes_of(spec), DoraemonSettings(episodes=64))
    eta = doraemon.eta.copy()
    play(doraemon, spec, never, 3)
    assert doraemon.version == 3 and np.array_equal(doraemon.eta, eta)


def test_entropy_grows_until_the_required_success_binds() -> None:
    """Success needs |t0| < 0.4 and t1 < 0.5; t2 is free."""
    spec = flat(3)
    settings = DoraemonSettings(success=0.8, episodes=256)
    doraemon = Doraemon(spec, sizes_of(spec), settings)

    def success(values: Mapping[str, NDArray[np.float64]]) -> NDArray[np.bool_]:
        return (np.abs(values["t0"][:, 0]) < 0.4) & (values["t1"][:, 0] < 0.5)

    entropies, steps, before = [], [], doraemon.eta
    for update in range(16):
        play(doraemon, spec, success, 4, first=4 * update)
        steps.append(divergence(doraemon.eta, before).sum())
        entropies.append(doraemon.entropy)
        before = doraemon.eta
    assert doraemon.version == 16 and max(steps) <= settings.kl + 1e-9
    # far from the boundary every update goes as far as it may
    assert min(steps[:3]) > 0.45 and entropies[:4] == sorted(entropies[:4])
    z = np.random.default_rng(0).beta(doraemon.eta[:, 0], doraemon.eta[:, 1], (100_000, 3))
    rate = ((np.abs(2 * z[:, 0] - 1) < 0.4) & (2 * z[:, 1] - 1 < 0.5)).mean()
    assert abs(rate - settings.success) < 0.08
    free, bound = entropy(doraemon.eta)[2], entropy(doraemon.eta)[0]
    assert free > -0.02 and bound < -0.3
    # what has settled stays: the noise of an estimate from 256 episodes and no more
    assert np.std(entropies[-6:]) < 0.05


def test_more_success_is_required_less_is_opened() -> None:
    spec = flat(1)
    widths = []
    for required in (0.5, 0.7, 0.95):
        doraemon = Doraemon(spec, sizes_of(spec), DoraemonSettings(success=required))
        play(doraemon, spec, lambda v: np.abs(v["t0"][:, 0]) < 0.4, 40)
        widths.append(doraemon.share)
    assert widths[0] > widths[1] + 0.05 and widths[1] > widths[2] + 0.05


def test_episodes_count_with_the_distributions_under_which_they_began() -> None:
    """Late ones, drawn before the last update, give the same estimate as fresh ones."""
    spec = flat(1)
    doraemon = Doraemon(spec, sizes_of(spec), DoraemonSettings(episodes=64, kl=0.1))
    late = [episodes(doraemon, spec, number, rows=63) for number in range(100, 140)]
    play(doraemon, spec, always, 1)
    assert doraemon.version == 1
    t0 = np.concatenate([part.values["t0"] for part in late])
    versions = np.concatenate([part.versions for part in late])
    near = doraemon.outcomes(t0, versions, np.abs(t0[:, 0]) < 0.2)
    fresh = np.random.default_rng(0).beta(*doraemon.eta[0], 200_000)
    assert near.success_rate(doraemon.eta) == pytest.approx((np.abs(fresh - 0.5) < 0.1).mean(), abs=0.05)
    # those whose beginning is forgotten are left out
    old = late[0]
    for versions, count in ((old.versions, 63), (old.versions - 5, 63)):
        doraemon.update(Finished(old.seeds, old.episodes, old.success, old.values, versions))
        assert doraemon.state_dict()["waiting"]["success"].size == count
