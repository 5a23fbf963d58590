"""ArmReach: what counts as reached, how long it must hold, and goals that can be relabelled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from engine_checks import Case, assert_same
from numpy.typing import NDArray

from shopfloor.assets.cells.reach import HOME_QPOS, TABLE_TOP, WORKSPACE
from shopfloor.envs.engine.core import BatchedCell
from shopfloor.errors import ShopfloorError

REACH = "shopfloor/ArmReach-v0"
POSITION_M, ANGLE_RAD, HOLD_S = 0.005, math.radians(1.0), 0.1


def matrix(q: NDArray[Any]) -> NDArray[Any]:
    """Rotation matrix of a unit quaternion, written out once more."""
    w, x, y, z = q
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def misses(cell: BatchedCell) -> tuple[NDArray[Any], NDArray[Any]]:
    """Distance in m and angle in rad between TCP and target, from the model's site."""
    position = cell.sim.output("site_xpos", "site", "tcp")
    rotation = cell.sim.output("site_xmat", "site", "tcp").reshape(-1, 3, 3)
    distance = np.linalg.norm(position - cell.s.target_position, axis=1)
    traces = [np.trace(matrix(q).T @ r) for q, r in zip(cell.s.target_quaternion, rotation, strict=True)]
    return distance, np.arccos(np.clip(0.5 * (np.array(traces) - 1.0), -1.0, 1.0))


@pytest.mark.parametrize("goal", ["pose", "position"])
def test_success_is_position_and_orientation_held(goal: str):
    """Recomputed at every step of expert episodes: success comes exactly when the tolerance has held."""
    cell = Case(REACH, {"goal": goal}).cell(24)
    expert = cell.task.expert()
    cell.reset(seeds=np.arange(24))
    held, ended, entered = np.zeros(24, int), np.zeros(24, bool), np.full(24, np.nan)
    while not ended.all():
        cell.step(expert.act(cell.s, cell.readings()))
        distance, angle = misses(cell)
        inside = distance < POSITION_M
        if goal == "pose":
            inside &= angle < ANGLE_RAD
        entered = np.where(inside, np.where(held > 0, entered, cell.s.time_s), np.nan)
        held = np.where(inside, held + 1, 0)
        expected = held >= round(HOLD_S * cell.timing.control_hz)
        assert_same(cell.success[~ended], expected[~ended])
        assert_same(cell.terminated[~ended], expected[~ended])
        assert_same(cell.metrics()["reach_time"], entered)
        np.testing.assert_allclose(cell.metrics()["position_error"], 1000.0 * distance, atol=1e-9)
        if goal == "pose":
            np.testing.assert_allclose(cell.metrics()["orientation_error"], np.degrees(angle), atol=1e-5)
        ended |= cell.terminated | cell.truncated
    assert "orientation_error" in cell.task.metrics or goal == "position"


def scripted_predicate(cell: BatchedCell, script: NDArray[np.bool_]) -> None:
    object.__setattr__(cell.task, "succeeded", lambda s: script[s.step - 1, np.arange(s.n)])


def test_hold_counts_consecutive_steps():
    """The engine's hold time: an interruption starts it again, a reset too."""
    cell = Case(REACH).cell(3)
    needed = round(cell.task.success_hold_s * cell.timing.control_hz)
    script = np.zeros((40, 3), dtype=bool)
    script[3 : 3 + needed, 0] = True
    script[3 : 3 + needed - 1, 1] = True  # one step short, then interrupted
    script[3 + needed : 20, 1] = True
    script[0:20, 2] = True
    scripted_predicate(cell, script)
    cell.reset(seeds=np.arange(3))
    first = np.full(3, -1)
    for step in range(1, 25):
        cell.step(np.zeros((3, 6)))
        first = np.where((first < 0) & cell.success, step, first)
        if step == 2:
            cell.reset(np.array([2]))  # its count starts again, its script from the top
    assert first.tolist() == [3 + needed, 3 + needed + needed, 2 + needed]
    assert (cell.reason[first == 24] == 1).all()


def test_success_reward_comes_once():
    cell = Case(REACH).cell(20)
    expert = cell.task.expert()
    cell.reset(seeds=np.arange(20))
    ended = np.zeros(20, bool)
    while not ended.all():
        cell.step(expert.act(cell.s, cell.readings()))
        assert_same(cell.reward_terms["success"][~ended] > 0.0, cell.success[~ended])
        ended |= cell.terminated | cell.truncated


def test_targets_are_where_the_start_distribution_says():
    cell = Case(REACH).cell(200)
    cell.reset(seeds=np.arange(200))
    low, high = WORKSPACE
    assert (cell.s.target_position >= low).all() and (cell.s.target_position <= high).all()
    assert cell.s.target_position[:, 2].min() > TABLE_TOP + 0.05
    p = cell.params
    for row in range(200):
        rotation = matrix(cell.s.target_quaternion[row])
        # the tool points down, tilted from the vertical by the tilt, toward the direction's left
        assert math.acos(-rotation[2, 2]) == pytest.approx(p["target_tilt"][row], abs=1e-7)
    np.testing.assert_allclose(np.linalg.norm(cell.s.target_quaternion, axis=1), 1.0, atol=1e-12)
    forced = {"target_x": 0.7, "target_y": 0.1, "target_z": 1.0, "joint_offset": np.full(6, 0.1)}
    cell.reset(params=forced)
    assert (cell.s.target_position == [0.7, 0.1, 1.0]).all()
    np.testing.assert_array_equal(cell.sim.qpos, np.broadcast_to(HOME_QPOS + 0.1, (200, 6)))


@pytest.mark.parametrize("tilt_direction", [0.0, 1.0, -2.5])
def test_yaw_and_tilt_of_the_target(tilt_direction: float):
    cell = Case(REACH).cell(1)
    params = {
        "target_yaw": 0.0,
        "target_tilt": 0.0,
        "target_tilt_direction": tilt_direction,
        "joint_offset": np.zeros(6),
    }
    cell.reset(seeds=np.array([0]), params=params)
    assert misses(cell)[1][0] < 1e-3, "at home, the tool has the yaw about which targets turn"
    home = matrix(cell.s.target_quaternion[0])
    cell.reset(seeds=np.array([0]), params=params | {"target_yaw": 0.6, "target_tilt": 0.3})
    axis = np.array([math.cos(tilt_direction), math.sin(tilt_direction), 0.0])
    yaw = matrix(np.array([math.cos(0.3), 0.0, 0.0, math.sin(0.3)]))
    tilt = matrix(np.array([math.cos(0.15), *(math.sin(0.15) * axis)]))
    np.testing.assert_allclose(matrix(cell.s.target_quaternion[0]), tilt @ yaw @ home, atol=1e-12)


def test_observations_are_what_they_say():
    cell = Case(REACH).cell(30)
    cell.reset(seeds=np.arange(30))
    rng = np.random.default_rng(0)
    for _ in range(20):
        cell.step(cell.setpoints(rng.uniform(-1, 1, (30, 6))))
    readings, noise = cell.readings(), {c.name: max(6.0 * c.noise, 1e-12) for c in cell.task.channels}
    tcp = cell.sim.output("site_xpos", "site", "tcp")
    truth = {
        "joint_position": cell.sim.qpos,
        "joint_velocity": cell.sim.qvel,
        "joint_lag": cell.s.joint_reference - cell.sim.qpos,
        "position_error": cell.s.target_position - tcp,
    }
    for name, value in truth.items():
        np.testing.assert_allclose(readings[name], value, atol=noise[name], rtol=0, err_msg=name)
    fine = np.clip(truth["position_error"], -0.02, 0.02)
    np.testing.assert_allclose(readings["position_error_fine"], fine, atol=noise["position_error_fine"])
    _, angle = misses(cell)
    np.testing.assert_allclose(np.linalg.norm(readings["orientation_error"], axis=1), angle, atol=2e-3)
    # turning the TCP by the observed rotation vector brings it to the target's orientation
    rotation = cell.sim.output("site_xmat", "site", "tcp").reshape(-1, 3, 3)
    for row in range(30):
        r = readings["orientation_error"][row]
        half = 0.5 * np.linalg.norm(r)
        turn = matrix(np.array([math.cos(half), *(math.sin(half) * r / np.linalg.norm(r))]))
        np.testing.assert_allclose(turn @ rotation[row], matrix(cell.s.target_quaternion[row]), atol=2e-3)


def test_position_variant_knows_no_orientation():
    task = Case(REACH, {"goal": "position"}).task()
    names = [*(c.name for c in task.channels), *task.metrics, *task.rewards, *(t.name for t in task.start)]
    assert not [n for n in names if "orientation" in n or "rotation" in n or "tilt" in n or "yaw" in n]
    assert "orientation" not in task.success_text


@pytest.mark.parametrize("action", ["joint_position", "joint_velocity", "joint_torque", "tcp_twist"])
def test_every_interface_reaches_the_same_targets(action: str):
    """Not only does the expert succeed: the metrics of its episodes are those of a competent motion."""
    cell = Case(REACH, {"action": action}).cell(40)
    expert = cell.task.expert()
    cell.reset(seeds=1_000_000 + np.arange(40))
    ended = np.zeros(40, bool)
    figures = {name: np.full(40, np.nan) for name in cell.task.metrics}
    success = np.zeros(40, bool)
    while not ended.all():
        cell.step(expert.act(cell.s, cell.readings()))
        new = (cell.terminated | cell.truncated) & ~ended
        for name, values in cell.metrics().items():
            figures[name][new] = values[new]
        success[new] = cell.success[new]
        ended |= new
    assert success.mean() >= 0.95
    assert np.nanmedian(figures["reach_time"]) < 2.2
    assert np.median(figures["path_ratio"]) < 1.3
    assert figures["peak_joint_speed"].max() < 1.05


# -- goals ----------------------------------------------------------------------------------------------------------

GOALS = ["pose", "position"]


@pytest.mark.parametrize("goal", GOALS)
def test_recomputed_reward_is_the_step_reward(goal: str):
    """Exactly, over whole expert episodes that reach the goal and stay; for one goal, many, and any leading shape."""
    case = Case(REACH, {"goal": goal, "goal_conditioned": True})
    env = case.single().unwrapped
    expert = env.task.expert()
    achieved, desired, rewards = [], [], []
    for seed in range(4):
        env.reset(seed=seed)
        for _ in range(env.task.timing.max_steps):
            setpoint = expert.act(env.cell.s, env.cell.readings())[0]
            obs, reward, terminated, _, info = env.step_setpoints(setpoint)
            assert env.compute_reward(obs["achieved_goal"], obs["desired_goal"], info) == reward
            assert not terminated, "success does not end a goal-conditioned episode"
            achieved.append(obs["achieved_goal"]), desired.append(obs["desired_goal"]), rewards.append(reward)
        assert info["is_success"]
    achieved, desired, expected = np.array(achieved), np.array(desired), np.array(rewards)
    assert set(expected) == {0.0, -1.0}
    assert_same(env.compute_reward(achieved, desired, None), expected)
    shape = (4, -1, achieved.shape[-1])
    assert_same(env.compute_reward(achieved.reshape(shape), desired.reshape(shape), None), expected.reshape(4, -1))
    assert isinstance(env.compute_reward(achieved[0], desired[0], {}), float)
    assert (env.compute_reward(achieved, achieved, None) == 0.0).all(), "what was achieved, taken as the goal, is met"
    shifted = desired[::-1].copy()
    shifted[:, 0] += 0.3
    assert (env.compute_reward(achieved, shifted, None) == -1.0).mean() > 0.9


@pytest.mark.parametrize("goal", GOALS)
def test_vector_environment_computes_the_same_rewards(goal: str):
    case = Case(REACH, {"goal": goal, "goal_conditioned": True})
    env = case.vector(5)
    env.reset(seed=3)
    expert = env.task.expert()
    for _ in range(env.task.timing.max_steps - 1):
        obs, reward, *_ = env.step_setpoints(expert.act(env.cell.s, env.cell.readings()))
        assert_same(env.task.goal_reward(obs["achieved_goal"], obs["desired_goal"]), reward)
    assert (reward == 0.0).any()


def test_goal_tolerances():
    task = Case(REACH, {"goal_conditioned": True}).task()
    goal = np.array([0.7, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    for axis in range(3):
        for miss, expected in ((0.0049, 0.0), (0.0051, -1.0)):
            other = goal.copy()
            other[axis] += miss
            assert task.goal_reward(other, goal) == expected
    for degrees, expected in ((0.99, 0.0), (1.01, -1.0), (180.0, -1.0), (359.5, 0.0)):
        half = math.radians(degrees) / 2
        turned = np.array([*goal[:3], -math.sin(half), math.cos(half), 0.0, 0.0])
        assert task.goal_reward(turned, goal) == expected
        assert task.goal_reward(np.concatenate([turned[:3], -turned[3:]]), goal) == expected, (
            "q and -q are one rotation"
        )


def test_goal_observations_are_exact_and_in_bounds():
    env = Case(REACH, {"goal_conditioned": True}).vector(3)
    obs, _ = env.reset(seed=1)
    assert obs["achieved_goal"].dtype == obs["desired_goal"].dtype == np.float64
    assert_same(obs["desired_goal"][:, :3], env.cell.s.target_position)
    assert env.observation_space.contains(obs)


@pytest.mark.parametrize("robot", ["m10id12", "fr3", "iiwa14", "scara"])
@pytest.mark.parametrize("action", ["joint_position", "joint_torque"])
def test_every_robot_reaches(robot: str, action: str):
    """The expert in its targets' box, with another arm's joints, limits and torques; nothing else changes."""
    cell = Case(REACH, {"robot": robot, "action": action}).cell(12)
    expert = cell.task.expert()
    cell.reset(seeds=np.arange(12))
    ended, reached = np.zeros(12, bool), np.zeros(12, bool)
    while not ended.all():
        cell.step(expert.act(cell.s, cell.readings()))
        reached |= cell.success & ~ended
        ended |= cell.terminated | cell.truncated
    assert reached.all()
    assert len(cell.terms) == cell.task.robot.arm.dof


def test_robots_are_looked_up_and_randomized_by_name():
    with pytest.raises(ShopfloorError, match=r"robot='kr16': choose one of ur10e"):
        Case(REACH, {"robot": "kr16"}).task()
    with pytest.raises(ShopfloorError, match=r"menagerie:universal_robots_ur10e.*(pip install|prefetch)"):
        Case(REACH, {"robot": "menagerie:universal_robots_ur10e"}).task()
    for robot in ("m10id12", "fr3", "iiwa14", "scara"):
        for kwargs in ({}, {"goal": "position"}, {"action": "joint_torque"}):
            cell = Case(REACH, {"robot": robot, **kwargs}).cell(2, randomization="train")
            cell.reset(seeds=np.arange(2))
            assert cell.s.distance.max() < 2.0
