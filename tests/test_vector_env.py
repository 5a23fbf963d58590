"""The vector environment: row i is the single environment of its seed, whatever n, threads and autoreset mode."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pytest
from engine_checks import (
    Case,
    actions,
    assert_same,
    break_process,
    break_with_error,
    break_with_nan,
    break_with_speed,
    breakers,
    copied,
    differences,
    endless,
    leaves,
    row_info,
    row_of,
)
from gymnasium.vector import AutoresetMode

from shopfloor.errors import ShopfloorError

NEXT, SAME, DISABLED = AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED
SEED, ROWS, LIMIT, EPISODES = 300, 5, 9, 3
CUT_AT = 4  # odd rows begin anew in the middle of their first episode, so that the rows are out of step afterwards


@dataclass
class Episode:
    """What a single environment returned: (observation, info) of the reset, then all step tuples."""

    start: tuple[Any, Any]
    steps: list[tuple[Any, float, bool, bool, dict[str, Any]]] = field(default_factory=list)


def script(case: Case, row: int, episode: int) -> np.ndarray:
    """Actions (LIMIT, size) of one episode of one row."""
    return actions(case, 1, LIMIT, seed=100 * row + episode)[:, 0]


@functools.cache
def reference(case_name: str) -> list[list[Episode]]:
    """Episodes of the single environments, by row."""
    case = _CASES[case_name]
    rows = []
    for row in range(ROWS):
        env = case.single(max_episode_steps=LIMIT)
        env.unwrapped.cell.max_steps = LIMIT  # Gymnasium keeps a limit given to make from the environment
        episodes = []
        for number in range(EPISODES):
            episode = Episode(env.reset(seed=SEED + row) if number == 0 else env.reset())
            for k, action in enumerate(script(case, row, number)):
                if row % 2 and number == 0 and k == CUT_AT:
                    break
                obs, reward, terminated, truncated, info = env.step(action)
                # at the last step of the limit, Gymnasium's wrapper sets both flags
                episode.steps.append((obs, reward, terminated, truncated and not terminated, info))
                if terminated or truncated:
                    break
            episodes.append(episode)
        rows.append(episodes)
    return rows


_CASES: dict[str, Case] = {}


def episodes_of(case: Case) -> list[list[Episode]]:
    _CASES[str(case)] = case
    return reference(str(case))


class Follower:
    """Drives a vector environment through the script and compares every row at every step."""

    def __init__(self, case: Case, n: int, threads: int, mode: AutoresetMode):
        self.case, self.n, self.mode = case, n, mode
        self.expected = episodes_of(case)
        self.env = case.vector(n, threads=threads, autoreset_mode=mode, max_episode_steps=LIMIT)
        self.episode, self.k = [0] * n, [0] * n
        obs, info = self.env.reset(seed=SEED)
        for row in range(n):
            self.compare_start(row, obs, info)

    def current(self, row: int) -> Episode:
        return self.expected[row][self.episode[row]]

    def compare_start(self, row: int, obs: Any, info: Any) -> None:
        assert_same((row_of(obs, row), row_info(info, row)), self.current(row).start, f"row {row}, start")

    def action(self, row: int) -> np.ndarray:
        moves = script(self.case, row, self.episode[row])
        return moves[min(self.k[row], LIMIT - 1)]

    def begin(self, row: int) -> bool:
        """Go on to the next episode; whether the script has one."""
        if self.episode[row] + 1 >= EPISODES:
            return False
        self.episode[row] += 1
        self.k[row] = 0
        return True

    def run(self) -> None:
        waiting: set[int] = set()
        done = self.n * [False]
        for t in range(2 * LIMIT + CUT_AT):
            if t == CUT_AT and self.n > 1:
                self.cut()
            obs, reward, terminated, truncated, info = self.env.step(np.stack([self.action(r) for r in range(self.n)]))
            ended = terminated | truncated
            if self.mode is SAME and ended.any():
                assert_same(info["_final_obs"], ended)
                assert_same(info["_final_info"], ended)
            else:
                assert ("final_obs" in info, "final_info" in info) == (False, False)
            for row in range(self.n):
                if done[row]:
                    continue
                if row in waiting:  # NEXT_STEP: this step was the reset
                    waiting.discard(row)
                    assert (reward[row], terminated[row], truncated[row]) == (0.0, False, False)
                    self.compare_start(row, obs, info)
                    continue
                expected = self.current(row).steps[self.k[row]]
                got = (float(reward[row]), bool(terminated[row]), bool(truncated[row]))
                assert_same(got, expected[1:4], f"row {row}, step {t}")
                self.k[row] += 1
                if self.mode is SAME and ended[row]:
                    final = (info["final_obs"][row], row_info(info["final_info"], row))
                    assert_same(final, (expected[0], expected[4]), f"row {row}, end")
                    if self.begin(row):
                        self.compare_start(row, obs, info)
                    else:
                        done[row] = True
                    continue
                assert_same((row_of(obs, row), row_info(info, row)), (expected[0], expected[4]), f"row {row}, step {t}")
                if ended[row]:
                    done[row] = not self.begin(row)
                    if self.mode is NEXT:
                        waiting.add(row)
            if self.mode is DISABLED and ended.any():
                self.reset_rows(ended, obs, done)
        assert any(e > 1 or d for e, d in zip(self.episode, done, strict=True)), "the script is too short to test ends"

    def cut(self) -> None:
        """Begin anew in the odd rows, in the middle of their episodes."""
        mask = np.arange(self.n) % 2 == 1
        mask &= np.array([len(self.current(r).steps) == self.k[r] == CUT_AT for r in range(self.n)])
        if mask.any():
            obs, info = self.env.reset(options={"reset_mask": mask})
            for row in np.flatnonzero(mask).tolist():
                self.begin(row)
                self.compare_start(row, obs, info)
            assert_same(info["_is_success"], mask)

    def reset_rows(self, ended: np.ndarray, before: Any, done: list[bool]) -> None:
        with pytest.raises(ShopfloorError, match="have finished their episode"):
            self.env.step(np.zeros(self.env.action_space.shape))
        obs, info = self.env.reset(options={"reset_mask": ended})
        for row in range(self.n):
            if not ended[row]:
                assert_same(row_of(obs, row), row_of(before, row), f"row {row} was not to be reset")
            elif not done[row]:
                self.compare_start(row, obs, info)


ALWAYS = {(1, 1, NEXT), (2, 2, SAME), (5, 1, NEXT), (5, 1, SAME), (5, 1, DISABLED)}


@pytest.mark.parametrize(
    ("n", "threads", "mode"),
    [
        pytest.param(n, threads, mode, marks=() if (n, threads, mode) in ALWAYS else pytest.mark.slow)
        for (n, threads), mode in product([(1, 1), (2, 1), (2, 2), (5, 1)], [NEXT, SAME, DISABLED])
    ],
)
def test_rows_equal_single_environments(base_case: Case, n: int, threads: int, mode: AutoresetMode):
    Follower(base_case, n, threads, mode).run()


@pytest.mark.parametrize("mode", [NEXT, SAME, DISABLED])
def test_rows_equal_single_environments_in_every_variant(variant: Case, mode: AutoresetMode):
    Follower(variant, 5, 2, mode).run()


@pytest.mark.parametrize("steps", [40, pytest.param(10_000, id="whole", marks=pytest.mark.slow)])
def test_rows_of_the_expert_equal_single_environments(case: Case, steps: int):
    """Episodes with their natural ends; the scripted expert must not mix rows either."""
    vector = case.cell(3)
    singles = [case.cell(1) for _ in range(3)]
    experts = [vector.task.expert(), *(s.task.expert() for s in singles)]
    vector.reset(seeds=np.arange(50, 53))
    for i, cell in enumerate(singles):
        cell.reset(seeds=np.array([50 + i]))
    ended = np.zeros(3, dtype=bool)
    for step in range(min(steps, vector.timing.max_steps)):
        vector.step(experts[0].act(vector.s, vector.readings()))
        for i, cell in enumerate(singles):
            if not ended[i]:
                cell.step(experts[1 + i].act(cell.s, cell.readings()))
                for name in ("reward", "terminated", "truncated", "reason", "success"):
                    assert_same(getattr(vector, name)[i : i + 1], getattr(cell, name), f"row {i}, step {step}, {name}")
                assert_same(vector.observation()[i : i + 1], cell.observation(), f"row {i}, step {step}")
                assert_same(row_of(vector.metrics(), i), row_of(cell.metrics(), 0), f"row {i}, step {step}")
        ended |= vector.terminated | vector.truncated
        if ended.all():
            return


def test_threads_change_nothing(base_case: Case):
    one, *others = (base_case.vector(7, threads=threads) for threads in (1, 2, 5))
    started = one.reset(seed=4)
    for many in others:
        assert_same(started, many.reset(seed=4))
    for action in actions(base_case, 7, 12):
        expected = one.step(action)
        for many in others:
            assert_same(expected, many.step(action))


# -- episodes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [NEXT, SAME, DISABLED])
def test_partial_reset_leaves_other_rows_untouched(case: Case, mode: AutoresetMode):
    env, twin = (endless(case.vector(5, autoreset_mode=mode)) for _ in range(2))
    env.reset(seed=20), twin.reset(seed=20)
    script = actions(case, 5, 8)
    for action in script[:4]:
        env.step(action), twin.step(action)
    mask = np.array([False, True, False, True, False])
    before = env.get_state()
    env.reset(seed=[1, 2, 3, 4, 5], options={"reset_mask": mask})
    after = env.get_state()
    for name, array in before["cell"]["rows"].items():
        assert_same(array[~mask], after["cell"]["rows"][name][~mask], name)
    assert_same(before["cell"]["simulation"]["state"][~mask], after["cell"]["simulation"]["state"][~mask])
    assert_same(after["cell"]["rows"]["seed"], np.array([20, 2, 22, 4, 24]))
    for action in script[4:]:
        a, b = env.step(action), twin.step(action)
        for row in np.flatnonzero(~mask).tolist():
            assert_same(row_of(a[:4], row), row_of(b[:4], row), f"row {row}")
            assert_same(row_info(a[4], row), row_info(b[4], row), f"row {row}")


def test_a_list_of_seeds(case: Case):
    env = case.vector(3)
    first, _ = env.reset(seed=[7, 100, 7])
    assert_same(row_of(first, 0), row_of(first, 2), "equal seeds, equal rows")
    assert list(differences(row_of(first, 0), row_of(first, 1)))
    second, _ = env.reset(seed=[7, None, 8])
    assert_same(row_of(first, 0), row_of(second, 0))
    alone = case.single()
    alone.reset(seed=100)
    assert_same(row_of(second, 1), alone.reset()[0], "None takes the row's next episode")
    with pytest.raises(ShopfloorError, match="one for each of the 3 rows"):
        env.reset(seed=[1, 2])
    with pytest.raises(ShopfloorError, match="whole number"):
        env.reset(seed=[1, 2.5, 3])


def test_first_reset_without_a_seed_is_random_and_later_ones_continue(case: Case):
    one, two = case.vector(2), case.vector(2)
    a, b = one.reset()[0], two.reset()[0]
    assert list(differences(a, b)), "two unseeded environments"
    assert list(differences(row_of(a, 0), row_of(a, 1))), "two rows"
    seeds = one.get_state()["cell"]["rows"]["seed"]
    alone = case.single()
    alone.reset(seed=int(seeds[1]))
    assert_same(row_of(one.reset()[0], 1), alone.reset()[0])


def test_first_reset_of_some_rows_begins_the_others_too(base_case: Case):
    env = base_case.vector(3)
    obs, info = env.reset(seed=5, options={"reset_mask": np.array([True, False, False])})
    assert env.observation_space.contains(obs)
    assert_same(info["_is_success"], np.array([True, False, False]))
    env.step(env.action_space.sample())


@pytest.mark.parametrize("mask", [[True, False], np.array([1, 0]), np.array([True]), np.array([False, False])])
def test_bad_reset_mask(base_case: Case, mask: Any):
    env = base_case.vector(2)
    env.reset(seed=0)
    if isinstance(mask, list):  # a list of bools is understood
        env.reset(options={"reset_mask": mask})
        return
    with pytest.raises(ShopfloorError, match="reset_mask"):
        env.reset(options={"reset_mask": mask})


def test_forced_parameters(case: Case):
    env, single = case.vector(3), case.single()
    term = next(t for t in case.task().start if t.high > t.low)
    value = term.low + 0.25 * (term.high - term.low)
    value = np.floor(value) if term.kind == "choice" else value
    forced = {term.name: value if term.size == 1 else np.full(term.size, value)}
    free = case.vector(3).reset(seed=1)[1]["task_params"]
    _, info = env.reset(seed=1, options={"task_params": forced})
    _, alone = single.reset(seed=2, options={"task_params": forced})
    assert (info["task_params"][term.name] == forced[term.name]).all()
    for name, drawn in free.items():
        if not name.startswith("_") and name != term.name:
            assert_same(drawn, info["task_params"][name], "forcing one parameter leaves the draws of others")
    assert_same(row_info(info, 1), alone)
    # the next episode is drawn again
    assert not (env.reset()[1]["task_params"][term.name] == forced[term.name]).all()


# -- what is returned ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [NEXT, SAME])
def test_returned_arrays_are_never_written_again(case: Case, mode: AutoresetMode):
    env = case.vector(3, autoreset_mode=mode, max_episode_steps=4)
    kept = [env.reset(seed=2)]
    snapshots = [copied(kept[0])]
    for action in actions(case, 3, 11):
        kept.append(env.step(action))
        snapshots.append(copied(kept[-1]))
        kept.append((env.cell.observation("policy"), env.cell.readings(), env.cell.metrics()))
        snapshots.append(copied(kept[-1]))
    for i, (a, b) in enumerate(zip(kept, snapshots, strict=True)):
        assert_same(a, b, f"result {i} changed after it was returned")


def test_writing_into_what_was_returned_changes_nothing(case: Case):
    env, twin = (case.vector(2, max_episode_steps=4, autoreset_mode=SAME) for _ in range(2))
    scribble(env.reset(seed=2))
    twin.reset(seed=2)
    for action in actions(case, 2, 9):
        result = env.step(action)
        assert_same(result, twin.step(action))
        scribble(result)
    single, other = case.single(), case.single()
    scribble(single.reset(seed=2))
    other.reset(seed=2)
    for action in actions(case, 1, 6)[:, 0]:
        result = single.step(action)
        assert_same(result, other.step(action))
        scribble(result)
        action[:] = 0.0


def scribble(value: Any) -> None:
    for array in leaves(value):
        if array.flags.writeable and array.dtype != object:
            array[...] = True if array.dtype == bool else 77


def test_info_is_constant_in_keys_and_types(case: Case):
    env = case.vector(3, autoreset_mode=SAME, max_episode_steps=4)
    single = case.single(max_episode_steps=4)

    def shape(info: dict[str, Any]) -> Any:
        return {
            k: shape(v) if isinstance(v, dict) else (v.dtype, v.shape)
            for k, v in info.items()
            if not k.lstrip("_").startswith("final_")
        }

    expected = shape(env.reset(seed=0)[1])
    keys = nested_keys(single.reset(seed=0)[1])
    assert keys == {k: v for k, v in nested_keys(env.reset(seed=0)[1]).items() if not k.startswith("_")}
    for action in actions(case, 3, 9):
        *_, info = env.step(action)
        assert shape(info) == expected
        if "final_info" in info:
            assert shape(info["final_info"]) == expected
        *_, terminated, truncated, alone = single.step(action[0])
        assert nested_keys(alone) == keys
        if terminated or truncated:
            single.reset()
    assert set(keys) == {
        "is_success", "termination_reason", "reward_terms", "metrics", "violations", "task_params",
        "randomization",
    }  # fmt: skip


def nested_keys(info: dict[str, Any]) -> dict[str, Any]:
    return {k: sorted(x for x in v if not x.startswith("_")) if isinstance(v, dict) else None for k, v in info.items()}


def test_single_environment_returns_plain_python(case: Case):
    env = case.single()
    obs, info = env.reset(seed=1)
    assert env.observation_space.contains(obs)
    for action in actions(case, 1, 5)[:, 0]:
        obs, reward, terminated, truncated, info = env.step(action)
        assert (type(reward), type(terminated), type(truncated)) == (float, bool, bool)
        assert (type(info["is_success"]), type(info["termination_reason"])) == (bool, str)
        for name, kinds in (("reward_terms", float), ("violations", bool), ("metrics", (float, type(None)))):
            assert all(isinstance(v, kinds) for v in info[name].values()), name
        assert all(isinstance(v, (float, np.ndarray)) for v in info["task_params"].values())
    assert all(array.dtype == np.float32 for array in leaves(obs)) or "desired_goal" in obs


def test_set_points_and_actions_are_the_same_thing(case: Case):
    env, twin = case.vector(2), case.vector(2)
    env.reset(seed=3), twin.reset(seed=3)
    terms = env.cell.terms
    low, high = (np.array([getattr(t, end) for t in terms]) for end in ("low", "high"))
    for action, expected in ((-1.0, low), (1.0, high), (9.0, high), (-9.0, low), (0.0, 0.5 * (low + high))):
        setpoints = env.cell.setpoints(np.full((2, len(terms)), action))
        np.testing.assert_allclose(setpoints, np.stack([expected, expected]), rtol=1e-15, atol=1e-15)
    for action in actions(case, 2, 5):
        assert_same(env.step(action), twin.step_setpoints(twin.cell.setpoints(action)))
    beyond = np.stack([low - 1.0, high + 1.0])
    assert_same(env.step_setpoints(beyond), twin.step_setpoints(np.stack([low, high])))


# -- physics failures ---------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # NaN was put there on purpose
@pytest.mark.parametrize(
    ("damage", "mode"),
    [
        (break_with_speed, NEXT),
        (break_with_error, NEXT),
        *product((break_with_nan, break_process), (NEXT, SAME, DISABLED)),
    ],
)
def test_diverging_row_ends_alone(base_case: Case, damage: Any, mode: AutoresetMode, tmp_path: Any):
    ends_alone(base_case, damage, mode, tmp_path)


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # NaN was put there on purpose
@pytest.mark.parametrize("damage", [break_with_nan, break_with_speed, break_process])
def test_diverging_row_ends_alone_in_every_variant(variant: Case, damage: Any, tmp_path: Any):
    ends_alone(variant, damage, NEXT, tmp_path)


def ends_alone(case: Case, damage: Any, mode: AutoresetMode, tmp_path: Any) -> None:
    env = endless(case.vector(4, autoreset_mode=mode, threads=1, dump_dir=str(tmp_path / "failures")))
    twin = endless(case.vector(4, autoreset_mode=mode))
    if damage is break_with_error:
        twin.cell.sim.field("opt.integrator")
    env.reset(seed=9), twin.reset(seed=9)
    script = actions(case, 4, 9)
    for action in script[:3]:
        env.step(action), twin.step(action)
    others = [0, 1, 3]
    if damage not in breakers(env):
        pytest.skip("nothing there to break: MuJoCo, or the task itself, integrates nothing in this cell")
    damage(env, 2)
    obs, reward, terminated, truncated, info = env.step(script[3])
    expected = twin.step(script[3])
    end = info["final_info"] if mode is SAME else info
    assert (terminated[2], truncated[2], reward[2]) == (True, False, 0.0)
    assert row_info(end, 2)["termination_reason"] == "physics_error"
    assert not row_info(end, 2)["is_success"]
    assert all(v == 0.0 for v in row_info(end, 2)["reward_terms"].values())
    last = info["final_obs"][2] if mode is SAME else row_of(obs, 2)
    assert env.single_observation_space.contains(last), "the last observation is finite and in bounds"
    (dump,) = (tmp_path / "failures").glob("*.npz")
    with np.load(dump) as saved:
        assert saved["state"].shape == env.cell.sim.batch.state[2].shape
        assert str(saved["mujoco"]) and str(saved["message"])
    env.cell.sim.field("opt.integrator")[:] = env.cell.model.opt.integrator
    twin.cell.sim.field("opt.integrator")[:] = env.cell.model.opt.integrator
    for row in others:
        assert_same(row_of((obs, reward, terminated, truncated), row), row_of(expected[:4], row), f"row {row}")
        assert_same(row_info(info, row), row_info(expected[4], row), f"row {row}")
    if mode is DISABLED:
        env.reset(options={"reset_mask": np.array([False, False, True, False])})
    for action in script[4:]:
        a, b = env.step(action), twin.step(action)
        assert env.observation_space.contains(a[0])
        for row in others:
            assert_same(row_of(a[:4], row), row_of(b[:4], row), f"row {row}")
    # the row has recovered: a seed gives what it gives in a fresh environment
    fresh = endless(case.vector(1))
    env.reset(seed=70), fresh.reset(seed=72)
    for action in script:
        a, b = env.step(action), fresh.step(action[2:3])
        assert_same(row_of(a[:4], 2), row_of(b[:4], 0))


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # NaN was put there on purpose
def test_single_environment_survives_divergence(case: Case, tmp_path: Any):
    env, fresh = case.single(dump_dir=str(tmp_path)), case.single()
    env.reset(seed=1)
    env.step(np.zeros(env.action_space.shape, np.float32))
    breakers(env.unwrapped)[0](env.unwrapped, 0)
    obs, reward, terminated, truncated, info = env.step(np.zeros(env.action_space.shape, np.float32))
    assert env.observation_space.contains(obs)
    assert (reward, terminated, truncated, info["termination_reason"]) == (0.0, True, False, "physics_error")
    assert_same(env.reset(seed=6), fresh.reset(seed=6))
    for action in actions(case, 1, 10)[:, 0]:
        assert_same(env.step(action), fresh.step(action))
