"""The scripted scheduler of `ClusterTool`: plans when each raw wafer enters, and keeps to a simple rule otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from .layout import LOCK, Array, Ints
from .policies import Paced, pull, swap
from .simulator import ClusterSimulator

if TYPE_CHECKING:
    from .cell import ClusterCell

ROUNDS = 20  # simulations of a lot that a plan may take
GUARD = 2.0  # a stay must end this many spreads of the longest process before the window does
SHARE = 0.3  # but no more than this share of the window
PRICE = 0.2  # of a missed window, as a share of the lot time


class Scheduler(Protocol):
    """A scripted scheduler of the lots of a cell.

    Attributes:
        privileged: whether it knows what a policy cannot.
    """

    privileged: bool

    def reset(self, cell: ClusterCell, rows: NDArray[np.intp]) -> None:
        """Prepare for the lots that begin in `rows`."""

    def act(self, cell: ClusterCell) -> Ints:
        """Actions (n, 1), as `ClusterCell.step` takes them."""


class Rule:
    """A dispatching rule of `policies` as a scheduler: it looks at the present and plans nothing.

    Args:
        rule: gives an action of the simulator for each row.
    """

    privileged = False

    def __init__(self, rule: Callable[[ClusterSimulator], Ints]) -> None:
        self._rule = rule

    def reset(self, cell: ClusterCell, rows: NDArray[np.intp]) -> None:
        """There is nothing to remember."""

    def act(self, cell: ClusterCell) -> Ints:
        """Actions (n, 1) of the rule, which does not know the process times to come either."""
        present = cell.simulator.branch(np.arange(cell.n))
        present.forget()
        return self._rule(present)[:, None]


class Planner:
    """Of three schedules the one that would finish the lot soonest with mean process times and all windows kept: the
    pull sequence, the swap sequence (two arms), and raw wafers released one by one as late as it takes.

    For the third, the lot is simulated with wafers released at the pace of the slowest step. Where a wafer would miss
    a window, behind a clean for example, its release is put off by as much, and the lot is simulated again, until all
    wafers get through. It knows what the recipe says, never the process times to come.
    """  # noqa: D205

    privileged = False

    def __init__(self) -> None:
        self._paced: Paced | None = None
        self._rule: Ints = np.zeros(0, np.int64)

    def reset(self, cell: ClusterCell, rows: NDArray[np.intp]) -> None:
        """Plan the lots that begin in `rows`."""
        sim = cell.simulator
        if self._paced is None or self._paced.sim is not sim:
            self._paced, self._rule = Paced(sim, cell.tools, margin=0.0), np.zeros(sim.num_rows, np.int64)
        paced, fresh = self._paced, Paced(sim.branch(rows), [cell.tools[row] for row in rows.tolist()], margin=0.0)
        for name in ("interval", "transport", "delay"):
            getattr(paced, name)[rows] = getattr(fresh, name)
        costs = [self._cost(_simulated(sim, rows, rule)) for rule in (0, 1)]
        costs.append(self._release(sim, rows))
        self._rule[rows] = np.argmin(costs, axis=0)

    def act(self, cell: ClusterCell) -> Ints:
        """Actions (n, 1), as `ClusterCell.step` takes them."""
        assert self._paced is not None, "reset() first"
        every = np.arange(cell.n)
        present = cell.simulator.branch(every)
        present.forget()
        choice, until = self._paced.decide(present, every)
        for number, rule in enumerate(_CLASSICAL):
            using = self._rule == number
            if using.any():
                choice, until = np.where(using, rule(present), choice), np.where(using, np.inf, until)
        return cell.encode(choice, until)

    def _release(self, sim: ClusterSimulator, rows: NDArray[np.intp]) -> Array:
        """Plan the delays of all releases; the cost (k,) of what was best in each of `rows`."""
        paced = self._paced
        assert paced is not None
        best, cost = paced.delay[rows].copy(), np.full(len(rows), np.inf)
        pending = np.arange(len(rows))
        for _ in range(ROUNDS):
            trial = _simulated(sim, rows[pending], paced)
            found = self._cost(trial)
            improved = found < cost[pending]
            better = pending[improved]
            best[better], cost[better] = paced.delay[rows[better]], found[improved]
            late = np.max(_excess(trial), axis=2)
            # the wafers behind a late one are late because of it
            first = (late > 0.0) & ~np.roll(late > 0.0, 1, axis=1)
            first[:, 0] = False
            paced.delay[rows[pending]] += np.where(first, late + 1e-3, 0.0)
            pending = pending[first.any(axis=1)]
            if not pending.size:
                break
        paced.delay[rows] = best
        return cost

    def _cost(self, done: ClusterSimulator) -> Array:
        """Lot time (k,) in s, with a price for windows that are nearly missed or worse."""
        missed: Array = (_excess(done) > 0.0).sum(axis=(1, 2)).astype(np.float64)
        return done.state.time * (1.0 + PRICE * missed)


_CLASSICAL = (pull, swap)


def _simulated(sim: ClusterSimulator, rows: NDArray[np.intp], rule: int | Paced) -> ClusterSimulator:
    """The lots of `rows` finished by a rule (one of `_CLASSICAL` by number), with mean process times."""
    trial = sim.branch(rows)
    trial.forget()
    while not trial.done.all():
        if isinstance(rule, Paced):
            trial.step(*rule.decide(trial, rows))
        else:
            trial.step(_CLASSICAL[rule](trial))
    return trial


def _excess(done: ClusterSimulator) -> Array:
    """Time (n, W, J) in s by which each wafer has come too close to the end of its window at each step, or below 0."""
    tools = done.tools
    spread = GUARD * (tools.spread * tools.process).max(axis=1)
    window = np.where(tools.serves[:, LOCK + 1 :], tools.residency[:, None, :], np.inf).min(axis=2)
    guard = np.minimum(spread[:, None], SHARE * window)
    guard[np.isinf(window)] = 0.0
    return done.overstays() + guard[:, None]
