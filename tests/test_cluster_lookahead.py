"""Cluster tools: branches of a simulation, and the scheduler that decides by them."""

from __future__ import annotations

import numpy as np

from shopfloor.envs.wafer.cluster import policies
from shopfloor.envs.wafer.cluster.bounds import lot_bound
from shopfloor.envs.wafer.cluster.lookahead import LookAhead
from shopfloor.envs.wafer.cluster.simulator import ClusterSimulator
from shopfloor.envs.wafer.cluster.tool import LoadLocks, Robot, Step, Tool


def random_tools(seed: int, rows: int, lot: int, spread: float) -> list[Tool]:
    rng = np.random.default_rng(seed)
    tools = []
    for row in range(rows):
        steps = tuple(
            Step(
                rng.uniform(20.0, 150.0),
                int(rng.integers(1, 3)),
                spread,
                residency=rng.uniform(5.0, 40.0),
                clean_every=int(rng.choice([0, 5])),
                clean=30.0,
            )
            for _ in range(2)
        )
        locks = LoadLocks(2, 2, 20.0, 15.0, 5.0) if row % 2 else None
        tools.append(Tool(steps, Robot(1 + row // 2 % 2, 3.0, 3.0, 1.5), locks, lot_size=lot))
    return tools


def run(sim: ClusterSimulator, policy) -> None:
    while not sim.done.all():
        sim.step(*policy())


def test_branches_are_copies() -> None:
    tools = random_tools(0, 6, 10, 0.1)
    sim = ClusterSimulator(tools)
    for _ in range(30):
        sim.step(policies.first_come(sim))
    before = sim.save()
    rows = np.array([4, 0, 0, 5])
    branch = sim.branch(rows)
    while not branch.done.all():
        branch.step(policies.first_come(branch))
    for name, array in sim.save().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)
    while not sim.done.all():
        sim.step(policies.first_come(sim))
    for name, array in branch.save().items():
        np.testing.assert_array_equal(array, sim.save()[name][rows], err_msg=name)


def test_forgetting_leaves_only_what_can_be_seen() -> None:
    """Two lots that have looked alike so far are alike afterwards, whatever their process times are."""
    tools = random_tools(1, 8, 10, 0.0)
    noisy = random_tools(1, 8, 10, 0.05)
    plain, other = ClusterSimulator(tools), ClusterSimulator(noisy)
    # a pick and a place: one process has started, of unknown length in one of the lots
    for _ in range(2):
        action = policies.first_come(plain)
        plain.step(action)
        other.step(action)
    assert (plain.state.ready != other.state.ready).any()
    plain.forget()
    other.forget()
    for name, array in plain.save().items():
        np.testing.assert_array_equal(array, getattr(other.state, name), err_msg=name)
    np.testing.assert_array_equal(plain.mask, other.mask)


def test_looking_ahead_is_no_worse_than_its_rule_and_no_better_than_the_bound() -> None:
    tools = random_tools(2, 8, 12, 0.0)
    ruled, ahead = ClusterSimulator(tools), ClusterSimulator(tools)
    run(ruled, policies.Paced(ruled, tools))
    scheduler = LookAhead(ahead, tools)
    run(ahead, scheduler)
    last = np.arange(8), ahead.tools.lot - 1

    def cost(sim: ClusterSimulator) -> np.ndarray:
        state = sim.state
        return state.delivered_at[last] + scheduler.price * state.violations + state.overstay

    assert cost(ahead).mean() < 0.99 * cost(ruled).mean()
    assert (cost(ahead) <= 1.02 * cost(ruled)).all()
    assert (ahead.state.delivered_at[last] >= (1 - 1e-9) * np.array([lot_bound(tool) for tool in tools])).all()


def test_looking_ahead_does_not_depend_on_other_rows() -> None:
    tools = random_tools(3, 3, 5, 0.1)
    sim = ClusterSimulator(tools)
    run(sim, LookAhead(sim, tools))
    alone = ClusterSimulator(tools[1:2])
    run(alone, LookAhead(alone, tools[1:2]))
    np.testing.assert_array_equal(alone.state.delivered_at[0, :5], sim.state.delivered_at[1, :5])
