"""ClusterTool as an environment: a good citizen of Gymnasium, independent rows, masks and rewards that hold."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from engine_checks import assert_same, copied, row_info, row_of
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from shopfloor.assets.cells import cluster_tool
from shopfloor.envs.randomization import SPLITS, load_spec
from shopfloor.envs.registry import env_ids, event_driven_ids, make_task, make_vector_env, task_class
from shopfloor.envs.wafer.cluster.bounds import lot_bound
from shopfloor.envs.wafer.cluster.cell import ClusterCell
from shopfloor.envs.wafer.cluster.env import ClusterToolEnv, ClusterToolVectorEnv
from shopfloor.envs.wafer.cluster.pictures import WAFERS
from shopfloor.envs.wafer.cluster.policies import random_valid
from shopfloor.envs.wafer.cluster.task import FLOWS, WAITS, ClusterTool
from shopfloor.errors import ShopfloorError

ID = "shopfloor/ClusterTool-v0"
SAME = AutoresetMode.SAME_STEP
ROBOTS = ("single", "dual")
HELD_OUT = 1_000_000
GOLDEN = Path(__file__).parent / "golden"


def vector(n: int, robot: str = "single", lot: int = 4, **kwargs: Any) -> ClusterToolVectorEnv:
    return ClusterToolVectorEnv(ClusterTool(robot, lot), n, **kwargs)


def allowed(env: ClusterToolVectorEnv, numbers: np.ndarray) -> np.ndarray:
    """Actions (n,) among the allowed ones, chosen by numbers (n,) in [0, 1); action 0 where nothing is allowed."""
    masks = env.action_masks()
    rank = (numbers * masks.sum(axis=1)).astype(int)
    return (masks.cumsum(axis=1) > rank[:, None]).argmax(axis=1)


def script(n: int, steps: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((steps, n))


def play(cell: ClusterCell, act: Any, seeds: np.ndarray) -> dict[str, np.ndarray]:
    """One lot of each seed: return, success and metrics at its end."""
    cell.reset(seeds=seeds)
    act = act(cell)
    out = {"return": np.zeros(cell.n)}
    while (running := ~(cell.terminated | cell.truncated)).any():
        cell.step(act(), np.flatnonzero(running))
        out["return"] += np.where(running, cell.reward, 0.0)
    return {**out, "success": cell.success.copy(), "reason": cell.reason.copy(), **cell.metrics()}


def expert(cell: ClusterCell) -> Any:
    planner = cell.task.expert()
    planner.reset(cell, np.arange(cell.n))
    return lambda: planner.act(cell)


def chance(cell: ClusterCell) -> Any:
    rng = np.random.default_rng(3)

    def act() -> np.ndarray:
        numbers = rng.random(cell.n)
        actions = random_valid(cell.simulator, numbers)
        return np.where(cell.simulator.done, 0, actions)[:, None]

    return act


# -- Gymnasium ----------------------------------------------------------------------------------------------------


def test_registered_beside_the_tasks_of_a_fixed_rate():
    assert ID in event_driven_ids() and ID not in env_ids()
    spec = gym.spec(ID)
    assert spec.max_episode_steps == ClusterTool().max_steps
    env = gym.make(ID, robot="dual", lot_size=3)
    assert isinstance(env.unwrapped, ClusterToolEnv) and env.unwrapped.cell.task.lot_size == 3
    envs = gym.make_vec(ID, num_envs=2, lot_size=3, autoreset_mode=SAME)
    assert isinstance(envs, ClusterToolVectorEnv) and envs.num_envs == 2
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert_same(env.reset(seed=3), again.reset(seed=3))
    for refused in (task_class, make_task):
        with pytest.raises(ShopfloorError, match="event driven"):
            refused(ID)
    with pytest.raises(ShopfloorError, match="did you mean 'robot'"):
        gym.make(ID, robots="dual")
    with pytest.raises(ShopfloorError, match="did you mean 'lot_size'"):
        make_vector_env(ID, 2, lot_sizes=3)


@pytest.mark.parametrize("robot", ROBOTS)
def test_gymnasium_checker_has_nothing_to_say(robot: str):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(ClusterToolEnv(ClusterTool(robot, 3)), skip_render_check=True)


def test_observations_are_in_their_spaces_and_tell_what_is_allowed():
    env = vector(8, "dual", autoreset_mode=SAME)
    observation, info = env.reset(seed=1)
    for numbers in script(8, 120):
        assert env.observation_space.contains(observation)
        np.testing.assert_array_equal(observation["action_mask"], env.action_masks())
        np.testing.assert_array_equal(info["action_mask"], env.action_masks())
        observation, *_, info = env.step(allowed(env, numbers))


# -- determinism --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("robot", ROBOTS)
def test_rows_are_single_environments(robot: str, mode: AutoresetMode):
    """Whatever else is stepped beside it, a row is the single environment of its seed, to the last bit."""
    env = vector(3, robot, 2, autoreset_mode=mode, randomization="train")
    singles = [ClusterToolEnv(ClusterTool(robot, 2), randomization="train") for _ in range(3)]
    observation, info = env.reset(seed=50)
    for row, single in enumerate(singles):
        obs, alone = single.reset(seed=50 + row)
        assert_same(obs, row_of(observation, row))
        assert_same(alone, {k: v for k, v in row_info(info, row).items()} | {"metrics": alone["metrics"]})
    over = np.zeros(3, bool)
    for numbers in script(3, 90):
        actions = allowed(env, numbers)
        if mode is AutoresetMode.DISABLED and over.all():
            break
        if mode is AutoresetMode.DISABLED and over.any():
            env.reset(options={"reset_mask": over})
            for row in np.flatnonzero(over):
                singles[row].reset()
            actions = allowed(env, numbers)
            over[:] = False
        observation, reward, terminated, _, info = env.step(actions)
        for row, single in enumerate(singles):
            if over[row]:  # NEXT_STEP: this step has begun the next episode
                obs, _ = single.reset()
                assert reward[row] == 0.0
                over[row] = False
            else:
                obs, one, done, _, alone = single.step(actions[row])
                assert one == reward[row] and done == terminated[row]
                over[row] = done
                if done and mode is SAME:
                    assert_same(obs, info["final_obs"][row])
                    assert alone["termination_reason"] == info["final_info"]["termination_reason"][row]
                    obs, _ = single.reset()
                    over[row] = False
            assert_same(obs, row_of(observation, row), f"row {row}")


def test_history_leaves_no_trace():
    used, fresh = vector(2, autoreset_mode=SAME), vector(2, autoreset_mode=SAME)
    used.reset(seed=77)
    for numbers in script(2, 60, seed=5):
        used.step(allowed(used, numbers))
    assert_same(used.reset(seed=4), fresh.reset(seed=4))
    for numbers in script(2, 60):
        actions = allowed(used, numbers)
        assert_same(used.step(actions), fresh.step(actions))


def test_lots_differ_and_stay_in_their_ranges():
    env = vector(40)
    params = env.reset(seed=0)[1]["task_params"]
    for term in env.task.start:
        values = params[term.name]
        assert ((values >= term.low) & (values <= term.high)).all(), term.name
        if term.high > term.low:
            assert values.std() > 0.15 * (term.high - term.low) / np.sqrt(12), term.name
    assert set(params["flow"]) == set(range(len(FLOWS)))
    again = env.reset()[1]["task_params"]
    assert (again["pace"] != params["pace"]).all()


def test_golden_trajectory(request: pytest.FixtureRequest):
    """What the id does cannot change unnoticed: a change that can alter learning needs a new version of it."""
    env = vector(2, "dual", randomization="train")
    observation, _ = env.reset(seed=2024)
    figures = []
    for numbers in script(2, 60, seed=2024):
        figures.append([round(float(x), 5) for x in observation["observation"].sum(axis=1, dtype=np.float64)])
        observation, reward, *_ = env.step(allowed(env, numbers))
        figures[-1] += [round(float(x), 7) for x in reward]
    path = GOLDEN / "ClusterTool-v0.json"
    if request.config.getoption("--write-golden"):
        path.write_text(json.dumps(figures[::5]) + "\n")
        pytest.skip(f"wrote {path.name}")
    np.testing.assert_allclose(
        figures[::5], json.loads(path.read_text()), rtol=1e-5, err_msg="--write-golden if intended"
    )


@pytest.mark.parametrize("way", ["state", "pickle", "copy"])
def test_saved_lots_go_on_to_the_last_bit(way: str):
    env = vector(3, "dual", autoreset_mode=SAME, randomization="train")
    env.reset(seed=9)
    for numbers in script(3, 40):
        env.step(allowed(env, numbers))
    if way == "state":
        other = vector(3, "dual", autoreset_mode=SAME, randomization="train")
        saved = copied(env.get_state())
        other.set_state(pickle.loads(pickle.dumps(saved)))
    else:
        other = pickle.loads(pickle.dumps(env)) if way == "pickle" else copy.deepcopy(env)
    for numbers in script(3, 80, seed=1):
        actions = allowed(env, numbers)
        assert_same(env.step(actions), other.step(actions))
        assert_same(env.get_state(), other.get_state())
    if way == "state":
        env.set_state(saved)
        assert_same(env.get_state(), saved)


def test_a_state_of_other_rows_is_refused():
    with pytest.raises(ShopfloorError, match="2 rows"):
        vector(3).set_state(vector(2).get_state())


# -- decisions ----------------------------------------------------------------------------------------------------


def test_a_masked_action_costs_a_second_and_changes_nothing_else():
    env = vector(2)
    env.reset(seed=2)
    swap = env.task.decisions.index("swap process_1")
    before = env.cell.simulator.save()
    bound = env.cell.bound.copy()
    _, reward, _, _, info = env.step(np.array([swap, env.cell.num_actions - len(WAITS)]))
    after = env.cell.simulator.save()
    assert info["violations"]["masked_action"].tolist() == [True, False]
    assert info["metrics"]["rejected"].tolist() == [1.0, 0.0]
    np.testing.assert_allclose(reward, -1.0 / bound, rtol=1e-12)
    for name in before.keys() - {"time", "waits"}:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)


def test_masks_are_exact():
    """What is masked is refused, what is not is carried out, in every state of some random lots."""
    env = vector(6, "dual", lot=3)
    env.reset(seed=3)
    for numbers in script(6, 50):
        state = copied(env.get_state())
        masks = env.action_masks()
        for action in range(env.cell.num_actions):
            env.cell.step(np.full((6, 1), action), np.arange(6))
            going = ~env.cell.simulator.done | ~masks.any(axis=1)
            np.testing.assert_array_equal(env.cell.refused[going & masks.any(axis=1)],
                                          ~masks[going & masks.any(axis=1), action])  # fmt: skip
            env.set_state(state)
        env.cell.step(allowed(env, numbers)[:, None])


@pytest.mark.parametrize("length", WAITS)
def test_rests_end_on_time_or_when_a_station_becomes_ready(length: float):
    env = vector(5)
    env.reset(seed=1)
    number = env.cell.simulator.num_actions + WAITS.index(length)
    for numbers in script(5, 60):
        state = env.cell.simulator.state
        now, ready = state.time.copy(), state.ready.copy()
        done = env.cell.simulator.done.copy()
        if done.any():
            break
        coming = np.where(ready > now[:, None], ready, np.inf).min(axis=1)
        saved = copied(env.get_state())
        env.cell.step(np.full((5, 1), number))
        np.testing.assert_array_equal(env.cell.simulator.state.time, np.minimum(now + length, coming))
        env.set_state(saved)
        env.cell.step(allowed(env, numbers)[:, None])


@pytest.mark.parametrize("action", [-1, 24, 0.5, np.nan])
def test_numbers_of_no_action_are_refused(action: float):
    env = vector(2)
    env.reset(seed=0)
    with pytest.raises(ShopfloorError, match="row 1"):
        env.step(np.array([0, action]))
    with pytest.raises(ShopfloorError, match="shape"):
        env.step(np.zeros(3, int))


def test_bad_arguments_are_refused():
    for kwargs in ({"robot": "triple"}, {"lot_size": 0}, {"lot_size": 2.5}, {"lot_size": 51}, {"tolerance": 0.0}):
        with pytest.raises(ShopfloorError, match=next(iter(kwargs))):
            ClusterTool(**kwargs)
    with pytest.raises(ShopfloorError, match="observation group"):
        vector(1, observation="privileged")
    env = vector(2)
    with pytest.raises(ShopfloorError, match="reset"):
        env.step(np.zeros(2, int))
    for options in ({"task_params": {"flow": 2.5}}, {"task_params": {"speed": 1.0}}, {"split": "testing"}, {"x": 1}):
        with pytest.raises(ShopfloorError):
            env.reset(options=options)
    with pytest.raises(ShopfloorError, match="physics"):
        vector(1, randomization="wafer_transfer")


# -- what is rewarded ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("robot", ROBOTS)
def test_the_return_is_the_gap_to_the_bound_and_a_price_for_misses(robot: str):
    cell = ClusterCell(ClusterTool(robot, 6), 30, randomization="train")
    for policy in (expert, chance):
        end = play(cell, policy, np.arange(30))
        expected = 1.0 - end["lot_time_ratio"] - 0.1 * end["residency_misses"]
        np.testing.assert_allclose(end["return"], expected, atol=1e-12)
        assert (end["scrapped"] <= np.minimum(end["residency_misses"], 6)).all()
        assert ((end["scrapped"] > 0) == (end["residency_misses"] > 0)).all()
        tolerance = 1.0 + cell.task.tolerance
        kept = (end["residency_misses"] == 0) & (end["lot_time_ratio"] <= tolerance)
        np.testing.assert_array_equal(end["success"], kept)
        assert {cell.reasons[r] for r in end["reason"][~kept]} <= {"residency_missed", "too_slow"}


@pytest.mark.parametrize("robot", ROBOTS)
def test_nobody_beats_the_bound(robot: str):
    """With the shortest process times that the spread allows, the bound holds for every lot."""
    cell = ClusterCell(ClusterTool(robot, 8), 40, randomization="train")
    for policy in (expert, chance):
        end = play(cell, policy, 100 + np.arange(40))
        shortest = [
            lot_bound(
                replace(t, steps=tuple(replace(s, process=s.process * (1 - s.spread), spread=0.0) for s in t.steps))
            )
            for t in cell.tools
        ]
        assert (end["lot_time_ratio"] * cell.bound >= np.array(shortest) * (1 - 1e-9)).all()


@pytest.mark.parametrize(("robot", "split", "least"), [("single", "nominal", 0.92), ("dual", "train", 0.75)])
def test_expert_succeeds_and_random_does_not(robot: str, split: str, least: float):
    cell = ClusterCell(ClusterTool(robot), 40, randomization=split)
    seeds = HELD_OUT + np.arange(40)
    scripted, blind = play(cell, expert, seeds), play(cell, chance, seeds)
    assert not cell.task.expert().privileged
    assert scripted["success"].mean() >= least
    assert blind["success"].mean() <= 0.02
    assert (scripted["return"] > blind["return"]).all()


def test_the_expert_plans_each_lot_by_itself():
    """Lots are scheduled alike alone, among others, and after others in the same rows."""
    cell, seeds = ClusterCell(ClusterTool("dual", 8), 6, randomization="train"), 30 + np.arange(6)
    together = play(cell, expert, seeds)
    planner = cell.task.expert()
    cell.reset(seeds=seeds + 100)
    planner.reset(cell, np.arange(6))
    cell.reset(np.array([1, 4]), seeds[[1, 4]])
    planner.reset(cell, np.array([1, 4]))
    while (running := ~cell.terminated).any():
        cell.step(planner.act(cell), np.flatnonzero(running))
    for row in (1, 4):
        alone = play(ClusterCell(ClusterTool("dual", 8), 1, randomization="train"), expert, seeds[row : row + 1])
        assert together["lot_time_ratio"][row] == alone["lot_time_ratio"][0] == cell.metrics()["lot_time_ratio"][row]


def test_lots_that_take_too_many_decisions_are_cut_off():
    env = vector(2, max_episode_steps=7, autoreset_mode=SAME)
    single = gym.make(ID, lot_size=4, max_episode_steps=7)
    env.reset(seed=0), single.reset(seed=0)
    for k, numbers in enumerate(script(2, 7)):
        action = allowed(env, numbers)
        _, _, terminated, truncated, info = env.step(action)
        assert single.step(action[0])[2:4] == (False, k == 6)
        assert not terminated.any() and (truncated == (k == 6)).all()
    assert list(info["final_info"]["termination_reason"]) == ["time_limit"] * 2
    assert np.isnan(info["final_info"]["metrics"]["lot_time_ratio"]).all()
    for lot in (1, 50):
        assert ClusterTool(lot_size=lot).max_steps == gym.spec(ID).max_episode_steps


def test_the_expert_does_not_know_process_times_before_they_end():
    """Lots that have looked alike so far are treated alike, whatever their process times will be."""
    cells = [ClusterCell(ClusterTool(lot_size=5), 6) for _ in range(2)]
    acts = []
    for cell in cells:
        cell.reset(seeds=np.arange(6), params={"process_spread": 0.02})
        acts.append(expert(cell))
    other = cells[1].simulator.state.duration
    other *= 1.0 + 0.01 * np.random.default_rng(0).uniform(-1.0, 1.0, other.shape)
    # a pick and a place: the first process has started, and will end at another time
    for _ in range(2):
        actions = [act() for act in acts]
        np.testing.assert_array_equal(actions[0], actions[1])
        for cell, action in zip(cells, actions, strict=True):
            cell.step(action)
    assert (cells[0].simulator.state.ready != cells[1].simulator.state.ready).any(axis=1).all()
    np.testing.assert_array_equal(cells[0].observation(), cells[1].observation())
    np.testing.assert_array_equal(acts[0](), acts[1]())


# -- randomization ------------------------------------------------------------------------------------------------


def test_randomization_reaches_the_tool():
    cell = ClusterCell(ClusterTool(), 200, randomization="train")
    cell.reset(seeds=np.arange(200))
    spec = load_spec("cluster_tool")
    for term in spec.terms:
        values = cell.randomizer.values[term.name][:, 0]
        np.testing.assert_array_equal(values, cell.params[term.effect.removeprefix("task.")])
        low, high = term.distribution.support
        assert ((values >= low) & (values <= high)).all() and values.std() > 0.2 * (high - low), term.name
    for row, tool in enumerate(cell.tools[:20]):
        assert tool.robot.move == cell.params["move"][row] and tool.valve_open == cell.params["valve"][row]
        assert tool.load_locks.away == pytest.approx(47.0 * cell.params["lock_scale"][row])
        share = tool.steps[0].process / (cell.params["load"][row, 0] * cell.params["pace"][row] * tool.steps[0].modules)
        assert share == pytest.approx(cell.params["process_scale"][row])
    for split in SPLITS:
        beyond = ClusterCell(ClusterTool(), 100, randomization=split)
        beyond.reset(seeds=np.arange(100))
        assert np.isfinite(beyond.bound).all()
    nominal = ClusterCell(ClusterTool(), 20)
    nominal.reset(seeds=np.arange(20))
    np.testing.assert_array_equal(nominal.params["pace"], cell.params["pace"][:20])
    assert (nominal.params["move"] == 1.5).all()
    cell.reset(seeds=np.arange(200), randomization={"move": 1.25})
    assert (cell.simulator.tools.move == 1.25).all()


# -- pictures -----------------------------------------------------------------------------------------------------


def test_arms_and_wafers_move_between_decisions():
    env = ClusterToolEnv(ClusterTool(lot_size=4))
    env.reset(seed=0)
    cell = env.cell
    model = cell.task.cell(visual=False).compile()
    data = mujoco.MjData(model)
    planner = cell.task.expert()
    planner.reset(cell, np.array([0]))

    def pose(share: float) -> tuple[np.ndarray, float, dict[str, np.ndarray]]:
        cell.sim.share = share
        cell.sim.copy_row(0, model, data)
        paddle = data.body("a_paddle").xpos.copy()
        return paddle, float(data.joint("theta").qpos[0]), {w: data.body(w).xpos.copy() for w in WAFERS}

    for _ in range(30):
        saved = cell.simulator.save()
        env.step(int(planner.act(cell)[0, 0]))
        poses = [pose(share) for share in np.linspace(0.0, 1.0, 61)]
        # nothing jumps: hidden wafers are below the floor, all others where an arm or a station is
        for _, theta, wafers in poses:
            shown = {name for name, at in wafers.items() if at[2] > 0.0}
            assert 1 <= len(shown) <= len(WAFERS)
            for name in shown & {"wafer_paddle_a", "wafer_paddle_b"}:
                at = wafers[name]
                assert np.cos(np.arctan2(at[1], at[0]) - theta) == pytest.approx(1.0, abs=1e-6)
        moved = np.linalg.norm(np.diff([p for p, _, _ in poses], axis=0), axis=1).max()
        assert moved < 0.6
        # at the end pictures show the state
        state, last = cell.simulator.state, poses[-1][2]
        for k, (name, place) in enumerate(WAFERS.items()):
            if place.startswith("process"):
                assert (last[name][2] > 0.0) == (state.module_wafer[0, k] >= 0)
        assert (last["wafer_paddle_a"][2] > 0.0) == (state.arm_wafer[0, 0] >= 0)
        angle = list(cluster_tool.STATIONS.values())
        names = list(cluster_tool.STATIONS)
        if (saved["picks"] + saved["places"])[0] < (state.picks + state.places)[0]:
            station = list(WAFERS.values())[state.robot_at[0]]
            assert np.cos(poses[-1][1] - angle[names.index(station)]) == pytest.approx(1.0, abs=1e-9)
