"""Every registered id is a good citizen of Gymnasium: made, checked, described, copied, pickled and refused."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from engine_checks import Case, actions, assert_same, endless
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from shopfloor.envs.engine.env import CellEnv
from shopfloor.envs.engine.vector_env import CellVectorEnv
from shopfloor.envs.registry import MAX_STEPS, TASKS, env_ids, make_task
from shopfloor.errors import ShopfloorError


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def renders() -> bool:
    """Whether this machine can draw; the checks of declared render modes need it."""
    from shopfloor import doctor

    return subprocess.run([sys.executable, "-m", doctor.__name__, "--can-render"], check=False).returncode == 0


CAN_RENDER = renders()


def test_time_limits_of_the_registry_are_those_of_the_tasks():
    assert set(MAX_STEPS) == set(TASKS)
    for env_id in env_ids():
        steps = make_task(env_id).timing.max_steps
        assert MAX_STEPS[env_id.partition("/")[2]] == steps == gym.spec(env_id).max_episode_steps


def test_gymnasium_checker_has_nothing_to_say(case: Case):
    # one pass a registered id draws every declared render mode; variants draw the same cell
    check_env(
        case.single(width=160, height=120, render_quality="fast").unwrapped,
        skip_render_check=bool(case.kwargs) or not CAN_RENDER,
    )


def test_stable_baselines_checker_has_nothing_to_say(case: Case):
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    checker.check_env(case.single().unwrapped)


def test_made_by_module_prefix(base_case: Case):
    plain, prefixed = gym.make(base_case.env_id), gym.make(f"shopfloor:{base_case.env_id}")
    assert plain.spec.id == prefixed.spec.id
    assert_same(plain.reset(seed=5), prefixed.reset(seed=5))


def test_module_prefix_registers_in_a_fresh_interpreter():
    code = f"import gymnasium as g\nfor i in {env_ids()}: print(g.make('shopfloor:' + i).spec.id)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(env_ids())


def test_spec_survives_json(case: Case):
    made = case.single()
    spec = EnvSpec.from_json(made.spec.to_json())
    assert spec == made.spec or spec.to_json() == made.spec.to_json()
    again = gym.make(spec)
    assert_same(made.reset(seed=3), again.reset(seed=3))
    assert again.observation_space == made.observation_space
    assert again.action_space == made.action_space


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_make_vec_uses_the_native_vector_environment(case: Case, mode: AutoresetMode):
    for given in (mode, mode.value):
        env = gym.make_vec(case.env_id, num_envs=3, autoreset_mode=given, **case.kwargs)
        assert isinstance(env, CellVectorEnv)
        assert env.metadata["autoreset_mode"] is mode
        assert env.num_envs == 3
        assert env.max_episode_steps == gym.spec(case.env_id).max_episode_steps
        obs, _ = env.reset(seed=1)
        assert env.observation_space.contains(obs)
        obs, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        assert env.observation_space.contains(obs)
        assert [x.dtype for x in (reward, terminated, truncated)] == [np.float64, np.bool_, np.bool_]
        assert reward.shape == terminated.shape == truncated.shape == (3,)
        env.close()
        env.close()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_make_vec_of_single_environments_equals_the_native_one(base_case: Case, mode: AutoresetMode):
    limit: Any = {"num_envs": 2, "max_episode_steps": 5}
    sync = gym.make_vec(base_case.env_id, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}, **limit)
    native = gym.make_vec(base_case.env_id, autoreset_mode=mode, **limit)
    assert isinstance(sync, SyncVectorEnv)
    assert_same(sync.reset(seed=11)[0], native.reset(seed=11)[0])
    for step, action in enumerate(actions(base_case, 2, 12)):
        a, b = sync.step(action), native.step(action)
        # where both have happened, Gymnasium's time limit says both
        assert_same((*a[:3], a[3] & ~a[2]), b[:4], f"step {step}")
        if mode is AutoresetMode.DISABLED and (b[2] | b[3]).any():
            break


def test_vector_spec_survives_json_and_makes_the_same_environment(base_case: Case):
    env = gym.make_vec(base_case.env_id, num_envs=3, autoreset_mode="SameStep")
    again = gym.make_vec(EnvSpec.from_json(env.spec.to_json()))
    assert (again.num_envs, again.metadata["autoreset_mode"]) == (3, AutoresetMode.SAME_STEP)
    assert_same(env.reset(seed=2), again.reset(seed=2))


def test_time_limit_given_to_make(base_case: Case):
    env = gym.make(base_case.env_id, max_episode_steps=4)
    vector = gym.make_vec(base_case.env_id, num_envs=1, max_episode_steps=4)
    env.reset(seed=0), vector.reset(seed=0)
    for step in range(1, 5):
        action = np.zeros((1, *env.action_space.shape), np.float32)
        _, _, terminated, truncated, _ = env.step(action[0])
        _, _, _, vector_truncated, info = vector.step(action)
        assert (terminated, truncated) == (False, step == 4)
        assert vector_truncated[0] == truncated
        assert info["termination_reason"][0] == ("time_limit" if truncated else "")


def test_time_limit_beyond_the_tasks_own(base_case: Case):
    limit = MAX_STEPS[base_case.env_id.partition("/")[2]]
    env = endless(base_case.vector(1, max_episode_steps=limit + 3))
    env.reset(seed=0)
    env.cell.s.step[...] = limit - 2  # what lies before is like any other episode
    seen = []
    for _ in range(5):
        _, _, _, truncated, info = env.step(np.zeros(env.action_space.shape, np.float32))
        seen.append((bool(truncated[0]), info["termination_reason"][0]))
    assert seen == [*([(False, "")] * 4), (True, "time_limit")]


# -- copies -------------------------------------------------------------------------------------------------------


def runs_on(case: Case, a: gym.Env, b: gym.Env, steps: int = 6) -> None:
    for step, action in enumerate(actions(case, 1, steps, seed=3)[:, 0]):
        assert_same(a.step(action), b.step(action), f"step {step}")


@pytest.mark.parametrize("how", ["pickle", "deepcopy", "copy"])
def test_copies_of_an_environment_go_their_own_way(case: Case, how: str):
    env = case.single().unwrapped if how == "copy" else case.single()
    make = {"pickle": lambda e: pickle.loads(pickle.dumps(e)), "deepcopy": copy.deepcopy, "copy": copy.copy}[how]
    before = make(env)  # before the first reset
    assert_same(env.reset(seed=8), before.reset(seed=8))
    for action in actions(case, 1, 6)[:, 0]:
        env.step(action)
    twin = make(env)
    reference = case.single()
    reference.reset(seed=8)
    for action in actions(case, 1, 6)[:, 0]:
        reference.step(action)
    # the copy goes on first and alone: it must neither lag behind nor disturb the original
    for action in actions(case, 1, 3, seed=9)[:, 0]:
        twin.step(action)
    runs_on(case, env, reference)
    twin = make(env)
    assert twin.observation_space == env.observation_space
    assert twin.spec == env.spec
    runs_on(case, env, twin)
    assert_same(env.reset(), twin.reset())


@pytest.mark.parametrize("how", ["pickle", "deepcopy", "copy"])
def test_copies_of_a_vector_environment_go_their_own_way(case: Case, how: str):
    env = case.vector(3, autoreset_mode="SameStep", threads=1)
    make = {"pickle": lambda e: pickle.loads(pickle.dumps(e)), "deepcopy": copy.deepcopy, "copy": copy.copy}[how]
    assert_same(env.reset(seed=8), make(env).reset(seed=8))
    for action in actions(case, 3, 5):
        env.step(action)
    twin = make(env)
    assert (twin.num_envs, twin.autoreset_mode, twin.spec) == (3, env.autoreset_mode, env.spec)
    for action in actions(case, 3, 3, seed=9):
        twin.step(action)
    twin, third = make(env), make(env)
    for step, action in enumerate(actions(case, 3, 6, seed=3)):
        assert_same(env.step(action), twin.step(action), f"step {step}")
    for action in actions(case, 3, 6, seed=3):
        third.step(action)
    following = env.reset()
    assert_same(following, twin.reset())
    assert_same(following, third.reset(), "each copy draws its own episodes")


def test_one_task_serves_many_cells(case: Case):
    task = case.task()
    first, alone = CellEnv(task), CellEnv(case.task())
    CellVectorEnv(task, 4)  # binds the task's names in another simulation
    first.reset(seed=4), alone.reset(seed=4)
    for action in actions(case, 1, 8)[:, 0]:
        assert_same(first.step(action), alone.step(action))


# -- refusals -----------------------------------------------------------------------------------------------------


def test_unknown_id_names_the_close_one():
    with pytest.raises(gym.error.NameNotFound, match="ArmReach"):
        gym.make("shopfloor/ArmReech-v0")
    with pytest.raises(gym.error.VersionNotFound, match="v0"):
        gym.make("shopfloor/ArmReach-v99")
    with pytest.raises(ShopfloorError, match="did you mean shopfloor/ArmReach-v0"):
        make_task("ArmReech-v0")


@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
def test_unknown_argument_is_one_clear_error(base_case: Case, make):
    with pytest.raises(ShopfloorError, match=r"takes no argument 'rendermode'; did you mean 'render_mode'\?"):
        make(base_case.env_id, rendermode="rgb_array")


@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"render_mode": "ansi"}, "render_mode must be one of .*rgb_array.* got 'ansi'"),
        ({"observation": "truth"}, "observation must name .*policy.* got 'truth'"),
        ({"observation": []}, "observation must name"),
        ({"observation": ["policy", "policy"]}, "observation must name"),
        ({"width": 0}, "width"),
        ({"height": -5}, "height"),
        ({"camera": "nowhere"}, "camera 'nowhere'"),
        ({"render_quality": "best"}, "render_?.?quality must be"),
    ],
)
def test_bad_argument_is_one_clear_error(base_case: Case, make, kwargs, message: str):
    with pytest.raises(ShopfloorError, match=message):
        make(base_case.env_id, **kwargs)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"num_envs": 0}, "number of environments must be at least 1, got 0"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        (
            {"autoreset_mode": "sometimes"},
            "autoreset_mode must be one of NextStep, SameStep, Disabled, got 'sometimes'",
        ),
        ({"max_episode_steps": 0}, "max_episode_steps must be at least 1, got 0"),
        ({"num_envs": 2, "render_row": 2}, "render_row"),
    ],
)
def test_bad_vector_argument_is_one_clear_error(base_case: Case, kwargs, message: str):
    with pytest.raises(ShopfloorError, match=message):
        gym.make_vec(base_case.env_id, **kwargs)


@pytest.mark.parametrize(
    ("env_id", "kwargs", "message"),
    [
        ("shopfloor/ArmReach-v0", {"action": "joints"}, "action must be one of joint_position, .* got 'joints'"),
        ("shopfloor/ArmReach-v0", {"goal": "pos"}, "goal must be one of pose, position, got 'pos'"),
        ("shopfloor/WaferTransfer-v0", {"move": "circle"}, "move must be one of any, line, arc, via, got 'circle'"),
        ("shopfloor/WaferTransfer-v0", {"friction_error": -1}, r"friction_error must lie in \[0, 0.3\], got -1"),
        ("shopfloor/WaferTransfer-v0", {"frequency_error": float("nan")}, "frequency_error must lie in"),
    ],
)
def test_bad_task_argument_is_one_clear_error(env_id: str, kwargs, message: str):
    with pytest.raises(ShopfloorError, match=message):
        gym.make(env_id, **kwargs)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_action_that_is_not_a_number(case: Case, bad: float):
    env, vector = case.single(disable_env_checker=True), case.vector(2)
    env.reset(seed=0), vector.reset(seed=0)
    name = env.unwrapped.cell.terms[1].name
    action = np.zeros((2, env.action_space.shape[0]), np.float32)
    action[1, 1] = bad
    state = vector.get_state()
    with pytest.raises(ShopfloorError, match=f"'{name}' of row 1 is {bad}; every action must be a finite number"):
        vector.step(action)
    with pytest.raises(ShopfloorError, match=f"'{name}' .*is {bad}; every action must be a finite number"):
        env.step(action[1])
    with pytest.raises(ShopfloorError, match="finite"):
        vector.step_setpoints(action)
    assert_same(state, vector.get_state(), "a refused action changes nothing")


@pytest.mark.parametrize("shape", [(), (1,), (99,), (3, 2)])
def test_action_of_the_wrong_shape(case: Case, shape):
    env, vector = case.single(disable_env_checker=True), case.vector(2)
    env.reset(seed=0), vector.reset(seed=0)
    size = env.action_space.shape[0]
    for step in (env.step, env.unwrapped.step_setpoints):
        with pytest.raises(ShopfloorError, match=rf"must have shape \({size},\), got "):
            step(np.zeros(shape))
    for step in (vector.step, vector.step_setpoints):
        with pytest.raises(ShopfloorError, match=rf"must have shape \(2, {size}\), got "):
            step(np.zeros(shape))


def test_step_before_reset(case: Case):
    env, vector = case.single().unwrapped, case.vector(2)
    with pytest.raises(ShopfloorError, match="call reset"):
        env.step(np.zeros(env.action_space.shape))
    with pytest.raises(ShopfloorError, match="call reset"):
        vector.step(np.zeros(vector.action_space.shape))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": 1}, "unknown reset option 'start'"),
        ({"task_params": {"nonsense": 1.0}}, "unknown task parameter 'nonsense'; this task has: "),
        ({"task_params": [1, 2]}, "task_params"),
    ],
)
def test_bad_reset_option(base_case: Case, options, message: str):
    for env in (base_case.single(), base_case.vector(2)):
        env.reset(seed=1)
        with pytest.raises(ShopfloorError, match=message):
            env.reset(options=options)


def test_bad_task_parameter(base_case: Case):
    env, fresh = base_case.single(), base_case.single()
    term = base_case.task().start[0]
    name, low = term.name, [term.low] * term.size
    env.reset(seed=1)
    for value in (np.nan, 1e9, -1e9, "high", [0.0] * 20, None):
        with pytest.raises(ShopfloorError, match=f"task parameter '{name}'"):
            env.reset(options={"task_params": {name: value}})
    env.reset(options={"task_params": {name: low}})
    # the refused resets did not use up an episode
    fresh.reset(seed=1)
    assert_same(env.reset(), (fresh.reset(), fresh.reset())[1])


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seed_out_of_range(base_case: Case, seed: int):
    with pytest.raises((ShopfloorError, gym.error.Error)):
        base_case.single().reset(seed=seed)
    with pytest.raises((ShopfloorError, gym.error.Error)):
        base_case.vector(2).reset(seed=seed)


def test_close_twice_and_after_nothing(case: Case):
    for env in (case.single(), case.vector(2)):
        env.close()
        env.close()
