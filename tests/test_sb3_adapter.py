from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecCheckNan

from shopfloor.envs.registry import env_ids, make_vector_env
from shopfloor.errors import ShopfloorError
from shopfloor.train.sb3_adapter import CellVecEnv

REACH = "shopfloor/ArmReach-v0"


def native(env_id: str, n: int, **kwargs: Any) -> CellVecEnv:
    # a pool of threads gains nothing for a handful of rows, and waits long where tests share the cores
    return CellVecEnv(make_vector_env(env_id, n, autoreset_mode=AutoresetMode.SAME_STEP, threads=1, **kwargs))


def dummy(env_id: str, n: int, **kwargs: Any) -> DummyVecEnv:
    # the checker prints warnings about what its own tests cover and doubles the time of a step
    return DummyVecEnv([lambda: Monitor(gym.make(env_id, disable_env_checker=True, **kwargs)) for _ in range(n)])


def assert_same(ours: Any, theirs: Any, where: str) -> None:
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), where
        for key in ours:
            if key != "t":  # wall clock
                assert_same(ours[key], theirs[key], f"{where}.{key}")
    elif isinstance(ours, np.ndarray):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, where
        assert ours.tobytes() == theirs.tobytes(), where
    elif isinstance(ours, float):
        assert isinstance(theirs, float), where
        assert np.float64(ours).tobytes() == np.float64(theirs).tobytes(), where
    else:
        assert type(ours) is type(theirs) and ours == theirs, where


def run_both(env_id: str, n: int, steps: int, seed: int, **kwargs: Any) -> int:
    """Step both with the same actions and compare everything; returns how many episodes ended."""
    a, b = native(env_id, n, **kwargs), dummy(env_id, n, **kwargs)
    a.seed(seed)
    b.seed(seed)
    assert_same(a.reset(), b.reset(), "reset")
    for row in range(n):
        assert_same(a.reset_infos[row], b.reset_infos[row], f"reset_infos[{row}]")
    rng = np.random.default_rng(seed)
    ends = 0
    for step in range(steps):
        actions = rng.uniform(-1.0, 1.0, (n, *a.action_space.shape)).astype(np.float32)
        actions[: n // 2] *= 0.1
        obs, rewards, dones, infos = a.step(actions)
        expected = b.step(actions)
        assert_same(obs, expected[0], f"step {step}: obs")
        assert_same(rewards, expected[1], f"step {step}: rewards")
        assert_same(dones, expected[2], f"step {step}: dones")
        for row in range(n):
            if dones[row]:
                ends += 1
                assert_same(infos[row], expected[3][row], f"step {step}: infos[{row}]")
                assert_same(a.reset_infos[row], b.reset_infos[row], f"step {step}: reset_infos[{row}]")
            else:
                assert infos[row] == {}
    a.close()
    b.close()
    return ends


def test_it_equals_dummy_vec_env_over_ten_thousand_steps():
    assert run_both(REACH, n=5, steps=2000, seed=3) >= 5 * 13


@pytest.mark.parametrize("env_id", env_ids())
def test_it_equals_dummy_vec_env_in_every_environment(env_id):
    whole = gym.spec(env_id).max_episode_steps + 10
    steps = min(whole, 260)  # episodes longer than that are for the slow test below
    assert run_both(env_id, n=2, steps=steps, seed=4) >= (2 if steps == whole else 0)


@pytest.mark.slow
@pytest.mark.parametrize("env_id", env_ids())
def test_it_equals_dummy_vec_env_in_every_environment_over_ten_thousand_steps(env_id):
    assert run_both(env_id, n=8, steps=1250, seed=5) >= 8 * 6


def test_it_equals_dummy_vec_env_with_dict_observations():
    assert run_both(REACH, n=2, steps=330, seed=5, goal_conditioned=True) >= 4
    assert run_both(REACH, n=2, steps=20, seed=5, goal="position", observation=("policy",)) == 0


def test_success_terminates_and_the_time_limit_truncates():
    venv = native(REACH, 2, goal="position")
    s = venv.env.cell.s
    venv.set_options({"task_params": {"joint_offset": [0.0] * 6}})
    venv.seed(0)
    venv.reset()
    home = dict(zip(("target_x", "target_y", "target_z"), s.target_position[0] - s.position_error[0], strict=True))
    away = {"target_x": 1.0, "target_y": -0.4, "target_z": 0.8}
    start = {"joint_offset": [0.0] * 6}
    venv.set_options([{"task_params": {**start, **home}}, {"task_params": {**start, **away}}])
    venv.reset()
    ends: dict[int, dict[str, Any]] = {}
    while len(ends) < 2:
        _, _, dones, infos = venv.step(np.zeros((2, 6), np.float32))
        ends.update({row: infos[row] for row in np.flatnonzero(dones).tolist() if row not in ends})
    assert ends[0]["is_success"] is True and ends[0]["TimeLimit.truncated"] is False
    assert ends[0]["episode"]["l"] == 5  # held for 0.1 s at 50 Hz
    assert ends[1]["is_success"] is False and ends[1]["TimeLimit.truncated"] is True
    assert ends[1]["episode"]["l"] == 150


def test_the_terminal_observation_is_a_copy_that_later_steps_leave_alone():
    venv = native(REACH, 2, max_episode_steps=3)
    venv.seed(0)
    venv.reset()
    for _ in range(3):
        obs, _, dones, infos = venv.step(np.ones((2, 6), np.float32))
    assert dones.all()
    terminal = infos[0]["terminal_observation"]
    saved = terminal.copy()
    assert not np.array_equal(terminal, obs[0])
    for _ in range(4):
        venv.step(np.ones((2, 6), np.float32))
    assert np.array_equal(terminal, saved)


def test_seeds_and_options_are_used_once():
    venv = native(REACH, 2)
    venv.seed(7)
    first = venv.reset()
    second = venv.reset()
    assert not np.array_equal(first, second)
    venv.seed(7)
    assert np.array_equal(venv.reset(), first)
    venv.set_options({"task_params": {"target_x": 0.9}})
    venv.reset()
    assert [info["task_params"]["target_x"] for info in venv.reset_infos] == [0.9, 0.9]
    venv.reset()
    assert venv.reset_infos[0]["task_params"]["target_x"] != 0.9


def test_state_restores_in_another_instance_in_the_middle_of_episodes():
    a = native(REACH, 3, goal="position")
    a.seed(1)
    a.reset()
    rng = np.random.default_rng(0)
    for _ in range(70):
        a.step(rng.uniform(-1, 1, (3, 6)).astype(np.float32))
    b = native(REACH, 3, goal="position")
    b.set_state(a.get_state())
    for step in range(100):
        actions = rng.uniform(-1, 1, (3, 6)).astype(np.float32)
        for ours, theirs in zip(a.step(actions), b.step(actions), strict=True):
            if isinstance(ours, list):
                for x, y in zip(ours, theirs, strict=True):
                    assert_same(x, y, f"step {step}")
            else:
                assert_same(ours, theirs, f"step {step}")


def test_attributes_methods_and_wrappers_answer_once_for_each_row():
    venv = native(REACH, 3, goal_conditioned=True)
    assert venv.get_attr("num_envs") == [3, 3, 3]
    assert venv.get_attr("num_envs", indices=1) == [3]
    assert venv.env_is_wrapped(Monitor) == [True] * 3 and venv.env_is_wrapped(gym.wrappers.TimeLimit) == [False] * 3
    assert venv.render_mode is None and not venv.has_attr("no_such_thing")
    venv.set_attr("note", "x")
    assert venv.env.note == "x"
    with pytest.raises(ShopfloorError, match="share one environment"):
        venv.set_attr("note", "y", indices=[0])
    assert VecCheckNan(venv).num_envs == 3  # SB3's own wrappers fit around it


def test_hindsight_rewards_equal_those_of_the_step():
    venv = native(REACH, 4, goal_conditioned=True)
    venv.seed(0)
    venv.reset()
    obs, rewards, _, infos = venv.step(np.zeros((4, 6), np.float32))
    (again,) = venv.env_method("compute_reward", obs["achieved_goal"], obs["desired_goal"], infos, indices=[0])
    assert np.array_equal(again.astype(np.float32), rewards)


def test_another_autoreset_mode_is_refused():
    with pytest.raises(ShopfloorError, match="SAME_STEP"):
        CellVecEnv(make_vector_env(REACH, 1))
