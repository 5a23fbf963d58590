"""Cluster tools: what a simulation must never do, whatever the tools and whoever decides."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from shopfloor.envs.wafer.cluster import policies
from shopfloor.envs.wafer.cluster.bounds import lot_bound
from shopfloor.envs.wafer.cluster.layout import Shape
from shopfloor.envs.wafer.cluster.simulator import PICK, PLACE, SWAP, VENT, WAIT, ClusterSimulator
from shopfloor.envs.wafer.cluster.tool import LoadLocks, Robot, Step, Tool
from shopfloor.errors import ShopfloorError

ROWS = 100


def any_tool(rng: np.random.Generator, spread: float = 0.0) -> Tool:
    """A tool with everything that can be declared, over more than the usual ranges."""
    low, width = rng.choice([0.0, 5.0, 20.0]), rng.choice([1.0, 30.0, 150.0])
    steps = tuple(
        Step(
            rng.uniform(low, low + width),
            int(rng.integers(1, 4)),
            spread * rng.random(),
            rng.choice(["uniform", "triangular"]),
            rng.uniform(1.0, 30.0),
            int(rng.choice([0, 0, 1, 3, 7])),
            rng.uniform(0.0, 80.0),
        )
        for _ in range(rng.integers(1, 6))
    )
    pick, place, move = rng.uniform(0.2, 5.0, 3)
    swap = None if rng.random() < 0.5 else pick + place + rng.uniform(0.0, 6.0)
    robot = Robot(int(rng.integers(1, 3)), pick, place, move, swap, index=rng.uniform(0.0, 4.0))
    locks = None
    if rng.random() < 0.6:
        locks = LoadLocks(int(rng.integers(1, 4)), int(rng.integers(1, 5)), *rng.uniform(0.0, 60.0, 3))
    valves = rng.uniform(0.0, 2.0, 2) * (rng.random() < 0.5)
    return Tool(steps, robot, locks, *valves, lot_size=int(rng.integers(1, 40)))


def any_tools(seed: int, rows: int = ROWS, spread: float = 0.0) -> list[Tool]:
    rng = np.random.default_rng(seed)
    return [any_tool(rng, spread) for _ in range(rows)]


def random_policy(seed: int):
    rng = np.random.default_rng(seed)
    return lambda sim: policies.random_valid(sim, rng.random(sim.num_rows))


SCHEDULERS = ["pull", "swap", "first_come", "random"]


def scheduler(name: str):
    return random_policy(11) if name == "random" else getattr(policies, name)


def reset(sim: ClusterSimulator, seed: int = 0, episode: int = 0) -> None:
    rows = np.arange(sim.num_rows)
    sim.reset(rows, np.full(sim.num_rows, seed), np.full(sim.num_rows, episode))


def run(sim: ClusterSimulator, policy, limit: int = 20000) -> None:
    for _ in range(limit):
        if sim.done.all():
            return
        sim.step(policy(sim))
    raise AssertionError(f"lots do not end: {np.flatnonzero(~sim.done)}")


def assert_same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    for name, array in a.items():
        np.testing.assert_array_equal(array, b[name], err_msg=name)


def check_wafers(sim: ClusterSimulator) -> None:
    """Each wafer is at one place, modules and arms hold one, and nothing is lost."""
    state, tools = sim.state, sim.tools
    places = np.concatenate([state.module_wafer, state.arm_wafer], axis=1)
    inside = (places >= 0).sum(axis=1)
    raw = state.raw.sum(axis=1) + state.supply
    assert (raw + inside + state.delivered == tools.lot).all()
    held = (state.arm_wafer >= 0).sum(axis=1)
    assert (held <= tools.arms).all()
    assert (state.arm_wafer[tools.arms == 1, 1] == -1).all()
    assert (state.module_wafer[tools.stage <= 0] == -1).all()
    assert ((state.raw >= 0) & (state.raw <= tools.slots[:, None])).all()
    assert ((state.finished >= 0) & (state.finished <= tools.slots[:, None])).all()
    assert (state.raw + state.finished)[tools.stage != 0].sum() == 0
    # taken wafers, at a place or delivered, are exactly the numbers up to the last one taken
    taken = tools.lot - raw
    everywhere = np.concatenate([places, state.delivered_wafer], axis=1)
    for row in range(sim.num_rows):
        found = everywhere[row][everywhere[row] >= 0]
        assert sorted(found) == list(range(taken[row]))


@pytest.mark.parametrize("name", SCHEDULERS)
def test_wafers_are_kept_and_lots_end(name: str) -> None:
    sim = ClusterSimulator(any_tools(1, spread=0.9))
    policy = scheduler(name)
    steps, before = 0, sim.state.time.copy()
    while not sim.done.all():
        assert sim.mask[~sim.done].any(axis=1).all()
        assert not sim.mask[sim.done].any()
        sim.step(policy(sim))
        assert (sim.state.time >= before).all()
        before = sim.state.time.copy()
        if steps % 5 == 0:
            check_wafers(sim)
        steps += 1
        assert steps < 5000
    check_wafers(sim)


def test_every_wafer_is_processed_at_every_step_in_turn_and_alone() -> None:
    sim = ClusterSimulator(any_tools(2, spread=0.5))
    policy, intervals = random_policy(3), []
    while not sim.done.all():
        module = sim.state.module_wafer.copy()
        sim.step(policy(sim))
        left = np.argwhere((module >= 0) & (sim.state.module_wafer != module))
        intervals += [(row, station, module[row, station]) for row, station in left]
    state, tools = sim.state, sim.tools
    visits: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for row, station, wafer in intervals:
        step = tools.stage[row, station] - 1
        visits.setdefault((row, station), []).append((state.loaded[row, wafer, step], state.lifted[row, wafer, step]))
    for times in visits.values():
        flat = np.ravel(sorted(times))
        assert (np.diff(flat) >= 0.0).all()
    for row, tool in enumerate(any_tools(2, spread=0.5)):
        lot, steps = tool.lot_size, len(tool.steps)
        loaded, lifted = state.loaded[row, :lot, :steps], state.lifted[row, :lot, :steps]
        duration = state.duration[row, :lot, :steps] + tool.valve_close + tool.valve_open
        assert (lifted - loaded >= duration - 1e-9).all()
        assert (loaded[:, 1:] > lifted[:, :-1]).all()
        over = lifted - loaded - duration + tool.valve_open - [step.residency for step in tool.steps]
        assert state.violations[row] == (over > 1e-6).sum()
        assert state.overstay[row] == pytest.approx(over[over > 1e-6].sum())
        assert len({wafer for r, _, wafer in intervals if r == row}) == lot


@pytest.mark.parametrize("seed", [4, 5])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_no_scheduler_beats_the_bound(name: str, seed: int) -> None:
    """Over whole lots, so that nothing is left to choosing a window; some lots reach the bound."""
    tools = any_tools(seed)
    sim = ClusterSimulator(tools)
    run(sim, scheduler(name))
    makespan = sim.state.delivered_at[np.arange(ROWS), sim.tools.lot - 1]
    ratio = makespan / [lot_bound(tool) for tool in tools]
    assert ratio.min() > 1.0 - 1e-9
    if name == "swap":
        assert (ratio < 1.0 + 1e-9).any()
        assert np.median(ratio) < 1.3


def test_the_bound_counts_what_a_robot_must_do() -> None:
    """The bound moves with each time that binds; a scheduler that gets a faster tool is not above the old one."""
    tool = Tool((Step(1.0), Step(2.0)), Robot(1, 3.0, 2.0, 1.0), lot_size=30)
    sim = ClusterSimulator([tool])
    run(sim, policies.pull)
    assert sim.state.robot_busy[0] >= 30 * 3 * (3.0 + 2.0 + 1.0)
    assert sim.state.robot_busy[0] <= sim.state.time[0]


def test_cleans_are_counted_and_take_their_time() -> None:
    step = Step(40.0, 2, clean_every=5, clean=100.0)
    tool = Tool((step,), Robot(1, 3.0, 2.0, 1.0), valve_open=0.5, valve_close=0.25, lot_size=40)
    for name in SCHEDULERS:
        sim, policy = ClusterSimulator([tool]), scheduler(name)
        seen = 0
        while not sim.done.all():
            cleans = sim.state.cleans[0]
            sim.step(policy(sim))
            if sim.state.cleans[0] > cleans:
                station = int(sim.state.robot_at[0])
                assert sim.state.uses[0, station] == 0
                assert sim.state.ready[0, station] == pytest.approx(sim.state.time[0] + 100.25)
                seen += 1
        assert sim.state.cleans[0] == seen, name
        assert 6 <= seen <= 8, name  # 40 wafers in two modules, at most four of them since the last clean
        assert sim.state.uses.sum() == 40 - 5 * seen, name


@pytest.mark.parametrize("arms", [1, 2])
def test_rotation_index_and_moves(arms: int) -> None:
    """One wafer's way through, by hand."""
    tool = Tool((Step(10.0),), Robot(arms, 3.0, 2.0, 1.0, 7.0, 0.25), None, 0.5, 0.125, lot_size=2)
    sim = ClusterSimulator([tool])
    pick, place = (lambda station, kind=kind: np.array([kind * 2 + station]) for kind in (PICK, PLACE))
    times = []
    for action in (pick(0), place(1), pick(1), place(0), pick(0), place(1)):
        sim.step(action)
        times.append(float(sim.state.time[0]))
    # in front of the lock at first; a place with its valve, the process, a pick with its valve; then one lock's slots
    assert times == [3.0, 6.5, 6.5 + 0.125 + 10.0 + 3.5, 23.125, 23.125 + 0.25 + 3.0, 29.875]
    assert sim.state.delivered_at[0, 0] == 23.125


def test_swap_and_turning_to_the_other_arm() -> None:
    tool = Tool((Step(10.0),), Robot(2, 3.0, 2.0, 1.0, 7.0), lot_size=4)
    sim = ClusterSimulator([tool])
    sim.step(np.array([2 * PICK]))
    sim.step(np.array([2 * PLACE + 1]))
    sim.step(np.array([2 * PICK]))
    assert sim.state.time[0] == 3.0 + 3.0 + 4.0
    saved = sim.save()
    sim.step(np.array([2 * SWAP + 1]))
    assert sim.state.time[0] == 16.0 + 7.0  # waits for the process, then exchanges
    assert sim.state.arm_wafer[0].tolist() == [-1, 0]
    swapped = sim.save()
    sim.restore(saved)
    sim.step(np.array([2 * PICK + 1]))
    assert sim.state.time[0] == 16.0 + 3.0
    sim.step(np.array([2 * PLACE + 1]))
    assert sim.state.time[0] == 23.0  # turns to the other arm, as the swap does within it
    for name in ("arm_wafer", "module_wafer", "ready", "time", "facing", "robot_at"):
        np.testing.assert_array_equal(getattr(sim.state, name), swapped[name], err_msg=name)


def test_load_locks_go_out_and_come_back() -> None:
    tool = Tool((Step(10.0),), Robot(1, 3.0, 2.0, 1.0), LoadLocks(1, 2, 20.0, 15.0, 5.0), lot_size=5)
    sim = ClusterSimulator([tool])
    vent = np.array([3 * 2])
    assert sim.kind[vent[0]] == VENT
    assert not sim.mask[0, vent[0]]  # full of raw wafers, nothing to fetch or bring
    sim.step(np.array([0]))
    assert sim.state.raw[0, 0] == 1 and sim.mask[0, vent[0]]
    sim.step(vent)
    assert sim.state.raw[0, 0] == 2 and sim.state.supply[0] == 2
    assert not sim.mask[0, vent[0]]
    sim.step(np.array([2 * PLACE + 1]))
    sim.step(np.array([sim.num_actions - 1]))
    assert sim.state.time[0] == 3.0 + 1.0 + 2.0 + 10.0  # the process ends before the lock is back
    sim.step(np.array([sim.num_actions - 1]))
    assert sim.state.time[0] == 3.0 + 40.0
    assert not sim.mask[0, -1]


def test_wait_until() -> None:
    sim = ClusterSimulator([Tool((Step(50.0),), Robot(1, 3.0, 2.0, 1.0), lot_size=2)] * 2)
    for action in (0, 2 * PLACE + 1):
        sim.step(np.full(2, action))
    wait = np.full(2, sim.num_actions - 1)
    assert (sim.kind[wait] == WAIT).all()
    sim.step(wait, until=np.array([20.0, 80.0]))
    assert sim.state.time.tolist() == [20.0, 56.0]
    sim.step(wait, until=np.array([10.0, 80.0]))  # never backward, and on after the last event
    assert sim.state.time.tolist() == [20.0, 80.0]
    with pytest.raises(ShopfloorError, match=r"row 1: action 7 \(wait at station 0\) is masked"):
        sim.step(wait)


# -- many rows ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pull", "swap", "first_come"])
def test_rows_do_not_depend_on_each_other(name: str) -> None:
    """A row alone, padded to its own size, does bit for bit what it does among others."""
    tools = any_tools(7, 20, spread=0.3)
    sim = ClusterSimulator(tools)
    rows = np.arange(20)
    sim.reset(rows, rows + 5, rows % 3)
    run(sim, scheduler(name))
    for row, tool in enumerate(tools):
        alone = ClusterSimulator([tool])
        alone.reset(np.array([0]), np.array([row + 5]), np.array([row % 3]))
        run(alone, scheduler(name))
        lot, steps = tool.lot_size, len(tool.steps)
        for key in ("time", "violations", "overstay", "picks", "places", "swaps", "vents", "cleans", "robot_busy"):
            assert getattr(alone.state, key)[0] == getattr(sim.state, key)[row], key
        for key in ("loaded", "lifted"):
            inner = getattr(sim.state, key)[row, :lot, :steps]
            np.testing.assert_array_equal(getattr(alone.state, key)[0, :lot, :steps], inner)
        np.testing.assert_array_equal(alone.state.delivered_at[0], sim.state.delivered_at[row, :lot])


def test_same_seeds_same_lot_and_other_seeds_another() -> None:
    tools = any_tools(8, 10, spread=0.3)
    sims = [ClusterSimulator(tools) for _ in range(4)]
    for sim, (seed, episode) in zip(sims, [(3, 0), (3, 0), (4, 0), (3, 1)], strict=True):
        reset(sim, seed, episode)
        run(sim, policies.swap)
    assert_same(sims[0].save(), sims[1].save())
    for other in sims[2:]:
        assert (sims[0].state.time != other.state.time).any()


def test_process_times_keep_to_their_range_and_mean() -> None:
    steps = (Step(100.0, spread=0.2), Step(50.0, spread=0.1, distribution="triangular"), Step(30.0))
    sim = ClusterSimulator([Tool(steps, lot_size=4000)])
    reset(sim, seed=1)
    duration = sim.state.duration[0]
    for k, (half, deviation) in enumerate([(20.0, 20.0 / np.sqrt(3)), (5.0, 5.0 / np.sqrt(6)), (0.0, 0.0)]):
        mean = steps[k].process
        assert (np.abs(duration[:, k] - mean) <= half).all()
        assert duration[:, k].max() - mean >= 0.95 * half
        assert duration[:, k].mean() == pytest.approx(mean, rel=0.005)
        assert duration[:, k].std() == pytest.approx(deviation, rel=0.03)


def test_save_and_restore() -> None:
    tools = any_tools(9, 30, spread=0.3)
    sim = ClusterSimulator(tools)
    policy = random_policy(1)
    for _ in range(60):
        sim.step(policy(sim))
    saved, mask = sim.save(), sim.mask.copy()
    run(sim, policies.first_come)
    end = sim.save()
    other = ClusterSimulator(tools)
    reset(other, seed=99)
    other.restore(saved)
    np.testing.assert_array_equal(other.mask, mask)
    run(other, policies.first_come)
    assert_same(end, other.save())
    del saved["ready"]
    with pytest.raises(ShopfloorError, match="'ready' is missing"):
        other.restore(saved)


def test_reset_of_some_rows_leaves_the_others() -> None:
    tools = any_tools(10, 12, spread=0.3)
    sim, twin = ClusterSimulator(tools), ClusterSimulator(tools)
    for _ in range(25):
        sim.step(policies.swap(sim))
        twin.step(policies.swap(twin))
    some = np.array([1, 5, 6])
    sim.reset(some, np.zeros(3, np.int64), np.zeros(3, np.int64))
    fresh = ClusterSimulator(tools).save()
    for name, array in sim.save().items():
        others = np.delete(np.arange(12), some)
        np.testing.assert_array_equal(array[others], getattr(twin.state, name)[others])
        np.testing.assert_array_equal(array[some], fresh[name][some])


def test_other_tools_in_the_same_rows() -> None:
    """A row that gets another tool works as if it had been constructed with it."""
    first, second = any_tools(12, 8, spread=0.2), any_tools(13, 8, spread=0.2)
    shape = Shape.of(first + second)
    sim, direct = ClusterSimulator(first, shape), ClusterSimulator(second, shape)
    run(sim, policies.swap)
    sim.declare(np.arange(8), second)
    for one in (sim, direct):
        reset(one, seed=2)
        run(one, policies.swap)
    assert_same(sim.save(), direct.save())
    large = dataclasses.replace(second[0], lot_size=shape.lot + 1)
    with pytest.raises(ShopfloorError, match=r"row 3: a tool of .* does not fit"):
        sim.declare(np.array([3]), [large])


def test_masked_actions_are_refused() -> None:
    sim = ClusterSimulator(any_tools(14, 5))
    for action in range(sim.num_actions):
        row = np.flatnonzero(~sim.mask[:, action])
        if len(row) and sim.kind[action] != WAIT:
            with pytest.raises(ShopfloorError, match=f"row {row[0]}: action {action}"):
                sim.step(np.full(5, action))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Robot(arms=3), "arms must be 1 or 2, got 3"),
        (lambda: Robot(move=-1.0), "move must be a time"),
        (lambda: Robot(pick=0.0, place=0.0, move=0.0), "all 0 s"),
        (lambda: Robot(pick=3.0, place=3.0, swap=5.0), "at least pick [+] place = 6.0 s, got 5.0"),
        (lambda: Step(float("nan")), "process must be a time"),
        (lambda: Step(10.0, modules=0), "modules must be 1 or more"),
        (lambda: Step(10.0, spread=1.0), "spread is a share"),
        (lambda: Step(10.0, distribution="normal"), "uniform or triangular"),
        (lambda: Step(10.0, residency=-1.0), "residency must be"),
        (lambda: LoadLocks(slots=0), "count and slots must be 1 or more"),
        (lambda: LoadLocks(pump=float("inf")), "pump must be a time"),
        (lambda: Tool(()), "needs a step"),
        (lambda: Tool((Step(1.0),), lot_size=0), "needs a step and a wafer"),
        (lambda: ClusterSimulator([]), "at least one tool"),
    ],
)
def test_wrong_declarations(build, message: str) -> None:
    with pytest.raises(ShopfloorError, match=message):
        build()
