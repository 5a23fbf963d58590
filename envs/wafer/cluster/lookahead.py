"""A scheduler that tries each allowed decision out before it takes one.

Every alternative is carried out in a copy of the tool, from where a simple rule goes on until a number of wafers are
finished. The alternative that gets there first, with missed residency windows counted as delay, is taken. Such a
rollout is one step of policy iteration, so that in a known model it is hardly ever worse than its rule: D. Bertsekas,
J. Tsitsiklis and C. Wu, "Rollout algorithms for combinatorial optimization", J. Heuristics 3, 1997. Here it does not
know the process times, only their means.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .layout import Array, Ints
from .policies import FOREVER, Paced
from .simulator import ClusterSimulator
from .tool import Tool


class LookAhead:
    """Rollouts of `Paced`, for n tools at once; takes some hundred times as long to decide as the rule does.

    Args:
        sim: the simulator that is to be scheduled.
        tools: its tools.
        margin: of the rule, see `Paced`.
        price: a missed residency window in seconds of delay, besides the seconds by which it is missed.
        wafers: finished wafers that a rollout ends with, beyond one for each module.
    """

    def __init__(
        self, sim: ClusterSimulator, tools: Sequence[Tool], margin: float = 0.05, price: float = 60.0, wafers: int = 2
    ) -> None:
        self.sim = sim
        self.rule = Paced(sim, tools, margin)
        self.price = price
        self.depth = np.array([tool.station_count - tool.lock_count + wafers for tool in tools])

    def __call__(self) -> tuple[Ints, Array]:
        """Actions and latest ends of waiting for `ClusterSimulator.step`."""
        sim = self.sim
        active = ~sim.done
        choice, until = self.rule()
        if not active.any():
            return choice, until
        # the rule's own decision comes first, so that it is taken where nothing is better
        own = np.flatnonzero(active)
        rows, actions = np.nonzero(sim.mask & active[:, None])
        cost = np.full((sim.num_rows, sim.num_actions + 1), FOREVER)
        starts = np.concatenate([own, rows])
        columns = np.concatenate([np.zeros(len(own), np.int64), actions + 1])
        limits = np.concatenate([until[own], np.full(len(rows), FOREVER)])
        cost[starts, columns] = self._try(starts, np.concatenate([choice[own], actions]), limits)
        best = cost.argmin(axis=1)
        other = best > 0
        return np.where(other, best - 1, choice), np.where(other, FOREVER, until)

    def _try(self, rows: Ints, actions: Ints, until: Array) -> Array:
        """Delay (k,) in s after which `rows` (k,), which may repeat, have gone far enough by these actions."""
        sim = self.sim
        branch = sim.branch(rows)
        branch.forget()
        target = np.minimum(sim.state.delivered + self.depth, sim.tools.lot)[rows]
        every = np.arange(len(rows))
        cost = np.full(len(rows), FOREVER)
        branch.step(actions, until)
        while True:
            state = branch.state
            missed = state.violations - sim.state.violations[rows]
            excess = state.overstay - sim.state.overstay[rows]
            delay = state.delivered_at[every, target - 1] - sim.state.time[rows] + self.price * missed + excess
            cost = np.where((state.delivered >= target) & (cost == FOREVER), delay, cost)
            if (cost < FOREVER).all():
                return cost
            branch.step(*self.rule.decide(branch, rows))
