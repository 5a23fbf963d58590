"""Randomized environments: one sample whoever asks, states that are complete, and nothing that breaks."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from engine_checks import Case, actions, assert_same, row_info, row_of
from gymnasium.vector import AutoresetMode
from randomization_checks import REST, Preset, drive, presets
from stable_baselines3.common.vec_env import DummyVecEnv

from shopfloor.envs.randomization import (
    CORNERS,
    NOMINAL,
    OOD_FAR,
    OOD_NEAR,
    SPLITS,
    STRUCTURAL,
    TRAIN,
    Randomization,
    Sampler,
    Spec,
    load_spec,
    spec_from,
)
from shopfloor.envs.registry import make_env, make_vector_env
from shopfloor.envs.sensing import POLICY
from shopfloor.errors import ShopfloorError
from shopfloor.eval.evaluate import evaluate
from shopfloor.train.sb3_adapter import CellVecEnv

SAME = AutoresetMode.SAME_STEP
DRAWN = (TRAIN, CORNERS, OOD_NEAR, OOD_FAR, STRUCTURAL)


def everything(case: Case) -> Spec:
    """The environment's own spec and the rest of the catalogue, as far as they can be joined: all hooks engaged."""
    own = load_spec(case.task().randomization)
    if case.env_id not in REST:  # one environment of each kind of action is enough for the rest of the catalogue
        return own
    rest = spec_from(REST[case.env_id], default_name="rest")
    taken = {(t.effect, str(t.target)) for t in own.terms}
    single = ("command.delay", "sensor.bias", "sensor.latency", "command.backlash", "sensor.noise", "command.dropout")
    kept = [t for t in rest.terms if t.effect not in single and (t.effect, str(t.target)) not in taken]
    return own.joined(Spec("rest", tuple(kept)))


def sample_of(info: Mapping[str, Any]) -> dict[str, Any]:
    return dict(info["randomization"])


def plain(sample: Mapping[str, Any]) -> dict[str, Any]:
    """A sample with arrays and numbers alike as lists."""
    return {k: np.asarray(v).tolist() if not isinstance(v, str) else v for k, v in sample.items()}


# -- one sample whoever asks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", DRAWN)
def test_single_and_vector_draw_the_same_sample(base_case: Case, split: str):
    """Seed 40 + row, episodes 0 and 1."""
    kwargs = {"randomization": split}
    seen = samples(base_case.vector(ROWS, autoreset_mode=SAME, **kwargs))
    single = base_case.single(**kwargs)
    for row in reversed(range(ROWS)):
        for episode in range(EPISODES):
            info = single.reset(seed=None if episode else 40 + row)[1]
            assert plain(sample_of(info)) == seen[row, episode], f"row {row} episode {episode}"
    sizes = {k: len(v) for k, v in single.unwrapped.cell.randomizer.component_names.items()}
    sampler = Sampler(load_spec(base_case.task().randomization), sizes)
    for (row, episode), found in seen.items():
        pure = sampler.sample(split, 40 + row, episode)
        assert found["split"] == split and found["spec"] == pure.spec_hash == sampler.spec.hash
        for name, value in pure.values.items():
            assert np.atleast_1d(found[name]).tolist() == value.tolist(), name


def test_sb3_draws_the_same_samples(base_case: Case):
    kwargs = {"randomization": TRAIN}
    vector = base_case.vector(ROWS, autoreset_mode=SAME, **kwargs)
    seen = samples(vector)
    for venv in (
        CellVecEnv(vector),
        DummyVecEnv([lambda: gym.make(base_case.env_id, disable_env_checker=True, **kwargs) for _ in range(ROWS)]),
    ):
        venv.seed(40)
        for episode in range(EPISODES):
            venv.reset()
            for row in range(ROWS):
                assert plain(sample_of(venv.reset_infos[row])) == seen[row, episode], type(venv).__name__


ROWS, EPISODES = 2, 2


def samples(vector: Any) -> dict[tuple[int, int], Any]:
    """Samples by row and episode of the seeds 40, 41, ..."""
    seen = {}
    for episode in range(EPISODES):
        infos = vector.reset(seed=None if episode else 40)[1]
        seen |= {(row, episode): plain(sample_of(row_info(infos, row))) for row in range(ROWS)}
    return seen


def test_samples_do_not_depend_on_the_number_of_rows_or_on_other_resets(base_case: Case):
    spec = everything(base_case)

    def sample(n: int, row: int, order: Any, threads: int = 1) -> Any:
        cell = base_case.cell(n, threads, randomization=spec)
        for k in order:
            cell.reset(np.array([k]), np.array([99 if k == row else k]))
        cell.reset(np.array([row]))  # episode 1 of seed 99
        return {k: v[row].copy() for k, v in cell.randomizer.values.items()}, cell

    expected, cell = sample(1, 0, [0])
    trace = {k: v[:, 0] for k, v in drive(cell, 3).items()}
    for n, row, order, threads in ((3, 2, [0, 1, 2], 1), (4, 0, [3, 0, 2, 1], 2), (2, 1, [1, 0, 0, 0], 2)):
        found, cell = sample(n, row, order, threads)
        assert_same(found, expected)
        assert_same({k: v[:, row] for k, v in drive(cell, 3).items()}, trace, f"{n} rows")


def test_autoreset_goes_on_to_the_next_sample(base_case: Case):
    """What follows the end of an episode in training is the next episode's sample, and the old one is not lost."""
    kwargs = {"randomization": "train", "max_episode_steps": 1}
    vector = base_case.vector(2, autoreset_mode=SAME, **kwargs)
    by_hand = base_case.vector(2, randomization="train")
    samples = [by_hand.reset(seed=5)[1]["randomization"], by_hand.reset()[1]["randomization"]]
    vector.reset(seed=5)
    info = vector.step(actions(base_case, 2, 1)[0])[4]
    values = [k for k in samples[0] if not k.startswith("_")]
    assert_same({k: info["randomization"][k] for k in values}, {k: samples[1][k] for k in values})
    assert_same({k: info["final_info"]["randomization"][k] for k in values}, {k: samples[0][k] for k in values})


def test_infos_keep_their_sample_when_the_next_episode_begins(base_case: Case):
    env = base_case.vector(2, randomization="train")
    info = env.reset(seed=5)[1]
    before = pickle.dumps(info)
    env.reset()
    assert_same(info, pickle.loads(before))


# -- single is vector ----------------------------------------------------------------------------------------------


def test_single_environment_is_a_row_of_the_vector_environment(case: Case):
    one = case.single(randomization="train")
    many = case.vector(3, autoreset_mode=AutoresetMode.DISABLED, randomization="train")
    obs, info = one.reset(seed=13)
    all_obs, all_info = many.reset(seed=[3, 13, 5])
    script = actions(case, 3, 8)
    assert_same(obs, row_of(all_obs, 1))
    assert plain(sample_of(info)) == plain(sample_of(row_info(all_info, 1)))
    for action in script:
        obs, reward, terminated, truncated, info = one.step(action[1])
        all_obs, *results, all_info = many.step(action)
        assert_same(obs, row_of(all_obs, 1))
        assert [reward, terminated, truncated] == [r[1] for r in results]
        if any(r.any() for r in results[1:]):
            break


def test_threads_change_nothing(base_case: Case):
    spec = everything(base_case)
    one, two = (base_case.cell(4, threads, randomization=spec) for threads in (1, 2))
    one.reset(seeds=np.arange(4)), two.reset(seeds=np.arange(4))
    assert_same(drive(one, 8), drive(two, 8))


# -- states --------------------------------------------------------------------------------------------------------


def rollout(env: Any, script: Any) -> list[Any]:
    return [env.step(action) for action in script]


@pytest.mark.parametrize("split", [TRAIN, STRUCTURAL])
def test_a_state_in_mid_episode_is_complete(base_case: Case, split: str):
    """Delay lines, losses, drift, intervals: every buffer is full when the state is saved."""
    setting = Randomization(everything(base_case), split)

    def make() -> Any:
        return base_case.vector(3, autoreset_mode=SAME, max_episode_steps=8, randomization=setting)

    env, other = make(), make()
    env.reset(seed=31)
    script = actions(base_case, 3, 16)
    rollout(env, script[:3])
    env.reset(options={"reset_mask": np.array([True, False, True])})
    rollout(env, script[3:7])
    state = env.get_state()
    twin = pickle.loads(pickle.dumps(env))
    after = rollout(env, script[7:16])
    assert_same(rollout(twin, script[7:16]), after, "pickle")
    env.set_state(state)
    assert_same(env.get_state(), state)
    assert_same(rollout(env, script[7:16]), after, "restored in place")
    other.reset(seed=5)
    rollout(other, script[:5])
    other.set_state(pickle.loads(pickle.dumps(state)))
    assert_same(rollout(other, script[7:16]), after, "restored elsewhere")
    assert_same(other.cell.randomizer.normalized(), env.cell.randomizer.normalized())


def test_a_randomized_state_is_restored_into_a_fresh_environment(base_case: Case):
    setting = Randomization(everything(base_case), NOMINAL)
    env, fresh = (base_case.vector(2, randomization=setting) for _ in range(2))
    env.reset(seed=1, options={"split": "train"})
    script = actions(base_case, 2, 10)
    rollout(env, script[:5])
    state = env.get_state()
    fresh.set_state(state)
    assert_same(rollout(fresh, script[5:]), rollout(env, script[5:]))


# -- what a user can say -------------------------------------------------------------------------------------------


@functools.cache
def shared(env_id: str) -> Any:
    """An environment for tests that begin with a reset."""
    return Case(env_id).vector(2, randomization="train")


def test_values_can_be_forced_and_splits_chosen(base_case: Case):
    env = shared(base_case.env_id)
    regular = [t for t in env.cell.randomizer.spec.terms if not t.structural]
    for term in {t.info.family: t for t in regular}.values():  # one of each
        value = term.distribution.support[1]
        drawn = env.reset(seed=3)[1]["randomization"]
        info = env.reset(seed=3, options={"randomization": {term.name: value}})[1]["randomization"]
        assert (info[term.name] == value).all()
        others = [k for k in drawn if k not in (term.name, f"_{term.name}")]
        assert_same({k: info[k] for k in others}, {k: drawn[k] for k in others}, "the rest is drawn as ever")
    for split in SPLITS:
        info = env.reset(seed=3, options={"split": split})[1]["randomization"]
        assert info["split"].tolist() == [split, split]
    assert env.reset()[1]["randomization"]["split"].tolist() == ["train", "train"], "for one episode only"


@pytest.mark.parametrize(
    "options, words",
    [
        ({"randomization": {"no_such": 1.0}}, "no term 'no_such'"),
        ({"randomization": {"TERM": "x"}}, "takes a finite number or"),
        ({"randomization": {"TERM": float("nan")}}, "takes a finite number or"),
        ({"randomization": {"TERM": [1.0] * 99}}, "takes a finite number or"),
        ({"randomization": [1.0]}, "must be a dictionary of values by term"),
        ({"split": "trian"}, "unknown split 'trian'; the splits are nominal"),
    ],
)
def test_impossible_requests_are_refused_before_anything_changes(base_case: Case, options: dict[str, Any], words: str):
    env = shared(base_case.env_id)
    env.reset(seed=3)
    state = env.get_state()
    forced = options.get("randomization")
    if isinstance(forced, dict) and "TERM" in forced:
        options = {"randomization": {env.cell.randomizer.spec.terms[0].name: forced["TERM"]}}
    with pytest.raises(ShopfloorError, match=words):
        env.reset(options=options)
    assert_same(env.get_state(), state)


def test_impossible_values_are_refused(base_case: Case):
    name = first_channel(base_case)
    own = load_spec(base_case.task().randomization)
    hiss = {"effect": "sensor.noise", "target": {"channel": name}, "distribution": {"uniform": [0.1, 0.2]}}
    other = [t for t in own.terms if t.effect != "sensor.noise"]
    spec = replace(own, terms=tuple(other)).joined(spec_from({"terms": {"hiss": hiss}}, default_name="more"))
    env = base_case.vector(2, randomization=spec)
    env.reset(seed=3)
    state = env.get_state()
    with pytest.raises(ShopfloorError, match=r"'hiss' must lie in \[0"):
        env.reset(options={"randomization": {"hiss": -0.1}})
    assert_same(env.get_state(), state)


def test_the_privileged_channel_tells_every_value_on_its_training_range(base_case: Case):
    cell = base_case.cell(4, randomization="train")
    cell.reset(seeds=np.arange(4))
    randomizer = cell.randomizer
    told = cell.readings("privileged")["randomization"]
    names = [f"{t}.{c}" for t, cs in randomizer.component_names.items() for c in cs]
    assert told.shape == (4, len(names)) == (4, randomizer.width)
    at = 0
    for term in randomizer.spec.terms:
        value = randomizer.values[term.name]
        part = told[:, at : at + value.shape[1]]
        at += value.shape[1]
        with np.errstate(invalid="ignore"):
            expected = np.nan_to_num(term.distribution.normalized(value))
        np.testing.assert_allclose(part, np.clip(expected, -100.0, 100.0), rtol=1e-12, atol=1e-12, err_msg=term.name)
        if not term.structural and not term.dynamic:
            assert np.abs(part).max() <= 1.0 + 1e-9
    cell.reset(seeds=np.arange(4), split=OOD_FAR)
    assert np.abs(cell.readings("privileged")["randomization"]).max() > 1.2


# -- rejection -----------------------------------------------------------------------------------------------------


def first_channel(case: Case) -> str:
    """Of the policy."""
    return next(c.name for c in case.task().channels if c.group == POLICY)


def rejecting(case: Case) -> Spec:
    """A spec half of whose samples are infeasible, of effects that every environment has."""
    data = {"terms": {"one": {"effect": "gravity_tilt", "distribution": {"uniform": [0.0, 0.01]}},
                      "two": {"effect": "sensor.dropout", "target": {"channel": first_channel(case)},
                              "distribution": {"uniform": [0.0, 0.5]}}},
            "constraints": {"half": "two <= 0.25"}}  # fmt: skip
    return spec_from(data, default_name="rejecting")


class Idle:
    """Does nothing."""

    def reset(self, cell: Any, rows: Any) -> None:
        pass

    def act(self, cell: Any, rows: Any) -> Any:
        return cell.setpoints(np.zeros((cell.n, len(cell.terms))))


def test_infeasible_samples_are_rejected_and_counted(base_case: Case):
    spec = rejecting(base_case)
    env = base_case.vector(40, randomization=spec)
    info = env.reset(seed=0)[1]["randomization"]
    assert (info["two"] <= 0.25).all()
    assert info["rejected"].dtype.kind == "i" and 15 <= info["rejected"].sum() <= 90, "geometric with mean one"
    nominal = env.reset(seed=0, options={"split": "nominal"})[1]["randomization"]
    assert not nominal["rejected"].any()


def test_evaluations_report_samples_and_rejections(base_case: Case):
    spec = rejecting(base_case)
    task = base_case.task()
    task.timing = replace(task.timing, horizon_s=4.0 * task.timing.control_dt)
    records = evaluate(Idle(), task, list(range(1000, 1006)), num_envs=4, threads=1, randomization=spec)
    sampler = Sampler(spec, {"one": 2, "two": 1})
    for record in records:
        sample = sampler.sample(TRAIN, record.seed, 0)
        assert record.rejected == sample.rejected
        assert np.atleast_1d(record.randomization["two"]).tolist() == sample.values["two"].tolist()
        assert record.randomization["one"] == sample.values["one"].tolist()


def test_an_impossible_constraint_stops_the_reset(base_case: Case):
    data = {"terms": {"tilt": {"effect": "gravity_tilt", "distribution": {"uniform": [0.0, 0.01]}}},
            "constraints": {"steep": "tilt >= 1"}}  # fmt: skip
    env = make_vector_env(base_case.env_id, 2, threads=1, randomization=spec_from(data))
    with pytest.raises(ShopfloorError, match="1000 draws in a row broke 'steep'"):
        env.reset(seed=0)


# -- nothing breaks ------------------------------------------------------------------------------------------------


def survive(preset: Preset, resets: int, rows: int) -> None:
    """Resets of every split: finite states and readings, no failed row, and a step that is survived."""
    cell = preset.cell(rows)
    seeds = np.arange(rows)
    for split in DRAWN:
        for k in range(max(1, resets // (rows * len(DRAWN)))):
            cell.reset(seeds=seeds + 10_000 * (k + 1), split=split)
            assert not cell.sim.failed.any(), f"{split}: {cell.sim.failure}"
            assert np.isfinite(cell.sim.batch.state).all()
            for values in (*cell.readings().values(), *cell.sim._fields.values()):
                assert np.isfinite(values).all(), split
            assert np.isfinite(cell.observation()).all()
            cell.step(cell.setpoints(np.zeros((rows, len(cell.terms)))))
            assert not cell.sim.failed.any(), f"{split}: {cell.sim.failure}"


def hardest() -> list[Preset]:
    """Of each registered environment its own spec and the rest of the catalogue."""
    return [p for p in presets() if not p.case.kwargs and not p.spec.name.endswith(("forces", "torque"))]


@pytest.mark.parametrize("hard", hardest(), ids=str)
def test_sampled_resets_break_nothing(hard: Preset):
    survive(hard, 100, 20)


@pytest.mark.slow
@pytest.mark.parametrize("hard", hardest(), ids=str)
def test_a_hundred_thousand_sampled_resets_break_nothing(hard: Preset):
    survive(hard, 100_000, 1000)


@pytest.mark.parametrize("hard", hardest(), ids=str)
def test_an_episode_of_every_split_breaks_nothing(hard: Preset):
    """Random actions under corners and shells: no row's physics fails."""
    cell = hard.cell(len(DRAWN))
    cell.reset(seeds=np.arange(len(DRAWN)))
    for row, split in enumerate(DRAWN):
        cell.reset(np.array([row]), split=split)
    assert cell.randomizer.split.tolist() == [SPLITS.index(s) for s in DRAWN]
    trace = drive(cell, 20)
    assert all(np.isfinite(v).all() for v in trace.values())
    assert not cell.sim.failed.any()


def test_a_forced_task_parameter_stays_where_a_term_acts_on_it() -> None:
    env = make_env("shopfloor/WaferTransfer-v0", randomization="train")
    _, info = env.reset(seed=1, options={"task_params": {"friction_error": 0.01}})
    assert info["task_params"]["friction_error"] == info["randomization"]["friction_error"] == 0.01
    _, info = env.reset(seed=1)
    assert info["task_params"]["friction_error"] == info["randomization"]["friction_error"] != 0.01
    both = {"task_params": {"friction_error": 0.01}, "randomization": {"friction_error": 0.02}}
    with pytest.raises(ShopfloorError, match=r"both the task parameter 'friction_error' .* give one of them"):
        env.reset(options=both)


def test_a_state_from_before_randomization_brings_the_machine_as_designed_back() -> None:
    plain, randomized = (make_env("shopfloor/ArmReach-v0", randomization=r) for r in (None, "train"))
    plain.reset(seed=1)
    randomized.reset(seed=5)
    action = np.full(plain.action_space.shape, 0.5, dtype=np.float32)
    randomized.step(action)
    randomized.set_state(plain.get_state())
    for _ in range(20):
        assert np.array_equal(plain.step(action)[0], randomized.step(action)[0])
