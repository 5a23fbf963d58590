"""Cluster tools: closed forms of the steady state, against a table, against simulation and against each other."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from shopfloor.envs.wafer.cluster import policies
from shopfloor.envs.wafer.cluster.bounds import (
    lot_bound,
    lower_bound,
    pull_period,
    pull_waits,
    sequence_period,
    swap_keeps_windows,
    swap_period,
)
from shopfloor.envs.wafer.cluster.simulator import ClusterSimulator
from shopfloor.envs.wafer.cluster.tool import LoadLocks, Robot, Step, Tool
from shopfloor.errors import ShopfloorError

# process times, modules, (transfer, move), period in s with one arm and with two, stays with one arm and with two
TABLE = [
    ((60, 90), (1, 1), (5, 2), 116.0, 102.0, (90, 90), (90, 90)),
    ((60, 90), (1, 1), (3, 1), 105.0, 97.0, (90, 90), (90, 90)),
    ((120, 120), (2, 2), (5, 2), 73.0, 66.0, (120, 120), (120, 120)),
    ((20, 20, 20), (1, 1, 1), (5, 2), 56.0, 56.0, (30, 30, 30), (44, 44, 44)),
    ((45, 120, 60), (1, 2, 1), (4, 1.5), 80.5, 69.5, (60, 140.5, 60), (60, 129.5, 60)),
]
WAFERS_PER_HOUR = [(31.0, 35.3), (34.3, 37.1), (49.3, 54.5), (64.3, 64.3), (44.7, 51.8)]
WINDOW = 36  # wafers, a multiple of every number of parallel modules and load locks used here


def series(process, modules, transfer, move, arms, **options) -> Tool:
    steps = tuple(Step(p, m) for p, m in zip(process, modules, strict=True))
    return Tool(steps, Robot(arms, transfer, transfer, move), **options)


def random_tool(rng: np.random.Generator, shortest: float, longest: float) -> Tool:
    """A tool of any kind that has a closed form."""
    steps = tuple(Step(rng.uniform(shortest, longest), int(rng.integers(1, 4))) for _ in range(rng.integers(1, 5)))
    pick, place, move = rng.uniform(1.0, 5.0, 3)
    swap = None if rng.random() < 0.5 else pick + place + rng.uniform(0.0, 2.0) * move
    robot = Robot(int(rng.integers(1, 3)), pick, place, move, swap, index=rng.uniform(0.0, 1.0))
    locks = None
    if rng.random() < 0.5:
        locks = LoadLocks(int(rng.integers(1, 4)), 1, *rng.uniform(5.0, 60.0, 3))
    valves = rng.uniform(0.0, 1.5, 2) * (rng.random() < 0.5)
    return Tool(steps, robot, locks, *valves, lot_size=200)


def run(sim: ClusterSimulator, policy) -> None:
    while not sim.done.all():
        sim.step(policy(sim))


def measured_periods(sim: ClusterSimulator) -> np.ndarray:
    at = sim.state.delivered_at
    last = sim.tools.lot - 40  # before the tool runs empty
    rows = np.arange(sim.num_rows)
    return (at[rows, last] - at[rows, last - WINDOW]) / WINDOW


@pytest.mark.parametrize("row", range(len(TABLE)))
@pytest.mark.parametrize("arms", [1, 2])
def test_table(row: int, arms: int) -> None:
    process, modules, times, *expected = TABLE[row]
    tool = series(process, modules, *times, arms, lot_size=150)
    period = sequence_period(tool)
    assert period.time == expected[arms - 1]
    assert period.stays == expected[arms + 1]
    assert round(period.wafers_per_hour, 1) == WAFERS_PER_HOUR[row][arms - 1]
    assert (period.bottleneck == "robot") == (row == 3)
    sim = ClusterSimulator([tool])
    run(sim, policies.swap)
    np.testing.assert_allclose(measured_periods(sim), period.time, rtol=1e-12)
    stays = (sim.state.lifted - sim.state.loaded)[0, 100]
    np.testing.assert_allclose(stays, period.stays, rtol=1e-12)


@pytest.mark.parametrize("count", [60, pytest.param(300, marks=pytest.mark.slow)])
def test_random_tools_run_at_the_period_of_their_sequence(count: int) -> None:
    rng = np.random.default_rng(0)
    ranges = [(20.0, 200.0), (0.0, 40.0), (5.0, 120.0)]
    tools = [random_tool(rng, *ranges[k % 3]) for k in range(count)]
    sim = ClusterSimulator(tools)
    run(sim, policies.swap)
    periods = [sequence_period(tool) for tool in tools]
    np.testing.assert_allclose(measured_periods(sim), [period.time for period in periods], rtol=1e-9)
    assert len({period.bottleneck for period in periods}) >= 4  # the robot, the locks and at least two steps
    assert all(lower_bound(tool) <= period.time * (1 + 1e-12) for tool, period in zip(tools, periods, strict=True))


def test_one_step_is_reloaded_without_a_move() -> None:
    """The finished wafer and the next one change at one lock, and the robot stays at the only module."""
    tool = series((50.0,), (1,), 4.0, 1.5, 1)
    assert pull_period(tool).time == 50.0 + 4 * 4.0 + 2 * 1.5
    indexed = dataclasses.replace(tool, robot=dataclasses.replace(tool.robot, index=0.7))
    assert pull_period(indexed).time == pytest.approx(pull_period(tool).time + 0.7)
    # between two modules the robot has to move
    assert pull_period(series((1.0,), (2,), 4.0, 1.5, 1)).robot == 4 * 4.0 + 3 * 1.5


def test_two_arms_save_transports_where_a_step_limits_and_nothing_where_the_robot_does() -> None:
    slow, fast = (series((p, p), (1, 1), 4.0, 1.5, 2) for p in (100.0, 1.0))
    assert pull_period(slow).time - swap_period(slow).time == pytest.approx(2 * 4.0 + 2 * 1.5)
    assert pull_period(fast).robot == swap_period(fast).robot == 3 * 2 * (4.0 + 1.5)


@pytest.mark.parametrize("arms", [1, 2])
def test_each_resource_binds_in_turn(arms: int) -> None:
    """Each of robot, step and locks limits where the others have time, and only there."""
    locks = LoadLocks(2, 1, 20.0, 15.0, 6.0)
    tool = series((90.0, 30.0), (1, 1), 3.0, 1.0, arms, load_locks=locks)
    assert sequence_period(tool).bottleneck == "step 1"
    for change, bottleneck in (
        ({"load_locks": LoadLocks(1, 1, 90.0, 90.0, 6.0)}, "locks"),
        ({"steps": (Step(1.0), Step(2.0)), "load_locks": None}, "robot"),
        ({"steps": (Step(90.0, 4), Step(80.0))}, "step 2"),
    ):
        assert sequence_period(dataclasses.replace(tool, **change)).bottleneck == bottleneck
    slower = dataclasses.replace(tool, steps=(Step(100.0), Step(30.0)))
    assert sequence_period(slower).time == pytest.approx(sequence_period(tool).time + 10.0)
    other = dataclasses.replace(tool, steps=(Step(90.0), Step(31.0)))
    assert sequence_period(other).time == sequence_period(tool).time


def test_load_locks_of_two_armed_tools() -> None:
    """Vent, exchange and pump, and one swap by the robot, shared among the locks."""
    for count in (1, 2, 3):
        tool = series((10.0,), (3,), 3.0, 1.0, 2, load_locks=LoadLocks(count, 1, 60.0, 40.0, 8.0))
        assert swap_period(tool).locks == (60.0 + 40.0 + 8.0 + 7.0) / count
    with pytest.raises(ShopfloorError, match="no closed form for load locks of 2 slots"):
        sequence_period(dataclasses.replace(tool, load_locks=LoadLocks(1, 2)))


def test_lower_bound_knows_what_the_sequences_give_away() -> None:
    """A robot that takes the next wafer from the lock that it stands at saves a move over the pull sequence."""
    tool = series((20, 20, 20), (1, 1, 1), 5.0, 2.0, 1)
    assert lower_bound(tool) == pull_period(tool).time - 2.0
    # without that, nothing can be saved
    costly = dataclasses.replace(tool, robot=dataclasses.replace(tool.robot, index=2.0))
    assert lower_bound(costly) == pull_period(costly).time == 56.0


def test_a_sequence_that_beats_pull_where_the_robot_limits() -> None:
    """Transports 3, 0, 2, 1 in turn instead of 3, 2, 1, 0: the lower bound is there, pull is above it."""
    tool = series((1.9, 1.9, 1.9), (2, 2, 2), 5.0, 1.5, 1, lot_size=100)

    def order(sim: ClusterSimulator) -> np.ndarray:
        view = policies.View(sim)
        held = (sim.state.arm_wafer >= 0).any(axis=1)
        rank = np.array([1.0, 3.0, 2.0, 0.0])
        turn = (rank - rank[sim.state.last_stage][:, None] - 1.0) % 4.0
        turn = np.where(view.possible & view.complete, turn, np.inf)
        pick = view.source[view.rows, turn.argmin(axis=1)]
        return np.where(held, policies._carry(view), pick)

    sim = ClusterSimulator([tool])
    run(sim, order)
    assert pull_period(tool).time == 52.0
    assert measured_periods(sim)[0] == pytest.approx(50.5, rel=1e-12)
    assert lower_bound(tool) == pytest.approx(50.5, rel=1e-12)


def test_cleans_take_time_only_beyond_the_turnaround() -> None:
    tool = series((80.0, 20.0), (1, 1), 4.0, 1.5, 1)
    base = lower_bound(tool)
    for clean, extra in ((0.0, 0.0), (10.0, 0.0), (13.0, 0.5), (52.5, 40.0)):
        # the module is empty for two transfers and three moves, 12.5 s, while the next wafer is fetched
        cleaned = dataclasses.replace(tool, steps=(Step(80.0, clean_every=4, clean=clean), tool.steps[1]))
        assert lower_bound(cleaned) == pytest.approx(base + extra / 4)


def test_bounds_grow_with_every_time() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        tool = random_tool(rng, 0.0, 100.0)
        for bound in (lower_bound, lot_bound):
            before = bound(tool)
            step = dataclasses.replace(tool.steps[0], process=tool.steps[0].process + 5.0)
            robot = dataclasses.replace(tool.robot, pick=tool.robot.pick + 1.0, swap=None)
            assert bound(dataclasses.replace(tool, steps=(step, *tool.steps[1:]))) >= before
            slow = dataclasses.replace(tool, robot=dataclasses.replace(tool.robot, swap=None))
            assert bound(dataclasses.replace(tool, robot=robot)) >= bound(slow)
            assert bound(dataclasses.replace(tool, valve_open=tool.valve_open + 1.0)) >= before
        assert lot_bound(dataclasses.replace(tool, lot_size=201)) >= lot_bound(tool)
        assert lot_bound(dataclasses.replace(tool, lot_size=206)) > lot_bound(tool)


# -- residency windows ----------------------------------------------------------------------------------------------


def windowed(rng: np.random.Generator) -> Tool:
    steps = tuple(
        Step(rng.uniform(20.0, 120.0), int(rng.integers(1, 3)), residency=rng.uniform(2.0, 60.0))
        for _ in range(rng.integers(1, 5))
    )
    valves = rng.uniform(0.0, 1.0, 2) * (rng.random() < 0.5)
    transfer, move = rng.uniform(2.0, 5.0), rng.uniform(1.0, 2.0)
    return Tool(steps, Robot(1, transfer, transfer, move, index=0.5), None, *valves, lot_size=60)


def test_robot_waits_keep_every_window_from_the_first_wafer_to_the_last() -> None:
    rng = np.random.default_rng(4)
    tools = [tool for tool in (windowed(rng) for _ in range(300)) if pull_waits(tool) is not None]
    assert len(tools) > 30
    waits = [pull_waits(tool) for tool in tools]
    sim = ClusterSimulator(tools)
    policy = policies.TimedPull(sim, tools)
    while not sim.done.all():
        sim.step(*policy())
    assert not sim.state.violations.any()
    for row, (tool, wait) in enumerate(zip(tools, waits, strict=True)):
        stays = (sim.state.lifted - sim.state.loaded)[row, : tool.lot_size, : len(tool.steps)]
        # a transport earlier than in steady state cannot happen, one later would change the stay
        np.testing.assert_allclose(stays, np.broadcast_to(wait.stays, stays.shape), rtol=1e-9)
        assert wait.period == pull_period(tool).time
        assert sum(wait.waits) == pytest.approx(max(wait.period - pull_period(tool).robot, 0.0), abs=1e-9) or (
            len(tool.steps) == 1
        )
    measured = np.array([np.diff(sim.state.delivered_at[row, : tool.lot_size]) for row, tool in enumerate(tools)])
    np.testing.assert_allclose(measured, np.repeat([[wait.period] for wait in waits], 59, axis=1), rtol=1e-9)

    # windows bind: without the waits the same tools miss some
    eager = ClusterSimulator(tools)
    run(eager, policies.pull)
    assert (eager.state.violations > 0).mean() > 0.2


def test_pacing_keeps_windows_at_the_throughput_of_the_bound() -> None:
    """Releasing wafers at the bound's interval costs no throughput and saves nine of ten missed windows."""
    rng = np.random.default_rng(6)
    tools = []
    for _ in range(60):
        steps = [Step(rng.uniform(20, 200), int(rng.integers(1, 4)), residency=rng.uniform(5, 60)) for _ in range(3)]
        tools.append(Tool(tuple(steps), Robot(int(rng.integers(1, 3)), 3.0, 3.0, 1.5), lot_size=25))
    single = np.array([tool.robot.arms == 1 for tool in tools])
    eager, sim = ClusterSimulator(tools), ClusterSimulator(tools)
    run(eager, policies.pull)
    policy = policies.Paced(sim, tools, margin=0.0)
    while not sim.done.all():
        sim.step(*policy())
    for rows in (single, ~single):
        assert sim.state.violations[rows].sum() < 0.15 * eager.state.violations[rows].sum()
        assert (sim.state.violations[rows] == 0).mean() > 0.8
    ratio = sim.state.delivered_at[:, 24] / [lot_bound(tool) for tool in tools]
    assert np.median(ratio[single]) < 1.005


def test_where_no_robot_waits_exist_no_period_helps() -> None:
    rng = np.random.default_rng(5)
    impossible = [tool for tool in (windowed(rng) for _ in range(300)) if pull_waits(tool) is None]
    assert len(impossible) > 30
    for tool in impossible:
        free = pull_period(tool)
        for period in np.linspace(free.time, 5.0 * free.time, 200):
            stays = [
                stay + step.modules * (period - free.time) for stay, step in zip(free.stays, tool.steps, strict=True)
            ]
            longest = [tool.valve_close + step.process + step.residency for step in tool.steps]
            needed = sum(max(0.0, stay - limit) for stay, limit in zip(stays, longest, strict=True))
            assert needed > period - free.robot


def test_the_window_of_the_bottleneck_may_be_empty() -> None:
    tight = Tool((Step(100.0, residency=0.0), Step(30.0)), Robot(1, 3.0, 3.0, 1.0))
    assert pull_waits(tight) is not None
    closed = dataclasses.replace(tight, valve_open=0.5)
    assert pull_waits(closed) is None  # the wafer waits for the valve
    with pytest.raises(ShopfloorError, match="row 0: no pull sequence"):
        policies.TimedPull(ClusterSimulator([closed]), [closed])


def test_windows_of_the_swap_sequence() -> None:
    base = series((60.0, 90.0), (1, 1), 5.0, 2.0, 2, lot_size=60)
    for window, kept in ((29.999, False), (30.001, True), (math.inf, True)):
        tool = dataclasses.replace(base, steps=(Step(60.0, residency=window), Step(90.0, residency=0.0)))
        assert swap_keeps_windows(tool) == kept
        sim = ClusterSimulator([tool])
        run(sim, policies.swap)
        stays = (sim.state.lifted - sim.state.loaded)[0, 10:50, 0]
        assert (stays <= 60.0 + window).all() == kept
