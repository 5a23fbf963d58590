"""Scripted schedulers for n tools at once: functions of the simulator's state that return an action for each row.

`pull` and `swap` are the classical sequences whose periods `bounds` gives, made robust to the start and the end of a
lot, to cleans and to load locks that are away. `first_come` is a dispatching rule, `Paced` the same with raw wafers
released at intervals, which keeps most residency windows, and `TimedPull` a timetable that keeps all of them where
nothing is random. `lookahead` has one more, built on these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ....errors import ShopfloorError
from .bounds import access_times, lower_bound, pull_waits
from .layout import LOCK, Array, Bools, Ints
from .simulator import NOWHERE, PICK, PLACE, SWAP, VENT, ClusterSimulator
from .tool import Tool

FOREVER = np.inf


class View:
    """What a scheduler asks of the state, by station (n, S) and by transport (n, J + 1).

    Transport i takes a wafer from a station of stage i (0 for the load locks) to one of the next stage. `source` and
    `target` are the stations that serve it best: the wafer that was there first, the place that is free first.

    Attributes:
        source, target: stations; meaningless where there is none.
        source_ready, target_ready: when they are, s; inf where there is none.
        overdue: (n, S) modules that nothing but a clean, or emptying for one, keeps from being used.
        possible: a wafer and a free module of the next stage exist, and the pick is allowed.
        complete: all modules of the source's stage are in use or being cleaned, or nothing comes any more.
    """

    def __init__(self, sim: ClusterSimulator) -> None:
        self.sim = sim
        state, tools = sim.state, sim.tools
        self.rows = np.arange(sim.num_rows)
        self.lock = tools.stage == LOCK
        self.module = tools.stage > LOCK
        self.occupied = state.module_wafer >= 0
        self.now = state.time[:, None]
        # a valve that still closes does not count as a clean
        self.cleaning = self.module & ~self.occupied & (state.ready - tools.settle > self.now)
        slot = self.lock & (state.finished < tools.slots[:, None])
        self.room = slot | (self.module & ~self.occupied)
        self.stocked = state.raw > 0
        dirty = self.occupied & (state.uses + 1 >= tools.clean_every)
        fresh = (tools.serves & (self.module & ~dirty)[:, None, :]).any(axis=2)
        all_dirty = ~np.take_along_axis(fresh, np.maximum(tools.stage, LOCK), axis=1)
        self.overdue = dirty & (all_dirty | (state.ready <= self.now))

        # locks whose outgoing slots are full leave first, then those that came first
        full = self.lock & ~slot
        oldest = np.where(self.occupied, state.entered, np.where(self.stocked, state.ready, FOREVER))
        self.source, self.source_ready = self.first(np.where(full & self.stocked, -FOREVER, oldest), state.ready)
        self.target, self.target_ready = self.first(np.where(self.room, state.ready, FOREVER), state.ready)
        self.target, self.target_ready = np.roll(self.target, -1, axis=1), np.roll(self.target_ready, -1, axis=1)
        last = tools.steps
        into_lock = self.first(np.where(slot, state.ready, FOREVER), state.ready)
        self.target[self.rows, last] = into_lock[0][:, LOCK]
        self.target_ready[self.rows, last] = into_lock[1][:, LOCK]

        stages = np.arange(tools.serves.shape[1])
        self.exists = stages <= tools.steps[:, None]
        busy = (tools.serves & (self.occupied | self.cleaning)[:, None, :]).sum(axis=2)
        wafers = (tools.serves & self.occupied[:, None, :]).sum(axis=2)
        wafers[:, LOCK] = state.raw.sum(axis=1)
        upstream = state.supply[:, None] + np.cumsum(wafers, axis=1) - wafers
        self.complete = (busy == tools.serves.sum(axis=2)) | (upstream == 0)
        self.complete[:, LOCK] = True
        pickable = sim.mask[self.rows[:, None], self.source]
        self.possible = self.exists & pickable & (self.source_ready < FOREVER) & (self.target_ready < FOREVER)

    def first(self, order: Array, ready: Array) -> tuple[Ints, Array]:
        """For each stage (n, J + 1), the station with the smallest `order` (n, S) and its `ready` time."""
        ranked = np.where(self.sim.tools.serves, order[:, None, :], FOREVER)
        best = ranked.argmin(axis=2)
        found = np.take_along_axis(ranked, best[..., None], axis=2)[..., 0] < FOREVER
        return best, np.where(found, np.take_along_axis(ready, best, axis=1), FOREVER)

    def action(self, kind: int, station: Ints) -> Ints:
        """Number of the action of a kind at a station (n,) of each row."""
        return kind * self.sim.shape.stations + station


def pull(sim: ClusterSimulator) -> Ints:
    """The pull sequence: from the step that was served last to the one before it, robot waiting where it must.

    A wafer is pulled from a step only once all modules of that step are in use, as they are in steady state.
    """
    view = View(sim)
    return _finish(view, _carry(view), _pull_next(view))


def swap(sim: ClusterSimulator) -> Ints:
    """The swap sequence of a two-armed robot; rows with one arm pull."""
    view = View(sim)
    return _finish(
        view, _carry(view, swapping=True), np.where(sim.tools.arms == 2, _start_round(view), _pull_next(view))
    )


def first_come(sim: ClusterSimulator) -> Ints:
    """Of the possible transports, the one that has been possible, or will be, for the longest time."""
    view = View(sim)
    asked = np.maximum(view.source_ready, view.target_ready)
    return _finish(view, _carry(view), _best(view, asked, view.possible))


def random_valid(sim: ClusterSimulator, numbers: Array) -> Ints:
    """One of the allowed actions, each as likely; `numbers` (n,) in [0, 1) choose."""
    count = sim.mask.sum(axis=1)
    rank = np.minimum((numbers * count).astype(np.int64), count - 1)
    return np.asarray((sim.mask.cumsum(axis=1) > rank[:, None]).argmax(axis=1), np.int64)


# -- parts of the rules ---------------------------------------------------------------------------------------------


def _best(view: View, order: Array, allowed: Bools) -> Ints:
    """Pick for the allowed transport (n, J + 1) of smallest order, further downstream where they tie; else -1."""
    ranked = np.where(allowed, order, FOREVER)[:, ::-1]
    stage = ranked.shape[1] - 1 - ranked.argmin(axis=1)
    pick = view.action(PICK, view.source[view.rows, stage])
    return np.where(allowed.any(axis=1), pick, -1)


def _pull_next(view: View) -> Ints:
    state, tools = view.sim.state, view.sim.tools
    stages = np.arange(view.source.shape[1])
    order = (state.last_stage[:, None] - 1 - stages) % (tools.steps[:, None] + 1)
    blocked = np.take_along_axis(view.cleaning, view.target, axis=1)
    return _best(view, order.astype(np.float64), view.possible & view.complete & ~blocked)


def _start_round(view: View) -> Ints:
    """With two empty arms: out of a module that must be cleaned, else a raw wafer to swap through the tool.

    The tool's last wafers are taken one by one.
    """
    overdue = np.where(view.overdue, view.sim.state.ready, FOREVER)
    clear = view.action(PICK, overdue.argmin(axis=1))
    raw = view.stocked.any(axis=1) & view.sim.mask[view.rows, view.source[:, LOCK]]
    start = np.where(raw, view.action(PICK, view.source[:, LOCK]), _pull_next(view))
    return np.where(view.overdue.any(axis=1), clear, start)


def _carry(view: View, swapping: bool = False) -> Ints:
    """What to do with a wafer on an arm: put it into a free module, else exchange it; -1 with empty arms.

    With `swapping`, a finished wafer is always exchanged for a raw one, if there is one.
    """
    sim, state = view.sim, view.sim.state
    mask, ready, size = sim.mask, state.ready, sim.shape.stations
    two = state.arm_stage.min(axis=1) > NOWHERE
    into = np.where(mask[:, size : 2 * size], ready, FOREVER)
    free = into.argmin(axis=1)
    place = np.where(into.min(axis=1) < FOREVER, view.action(PLACE, free), -1)
    cleaning = view.cleaning[view.rows, free]

    # first in, first out; a lock's raw wafers have no time of entry
    since = np.where(view.occupied, state.entered, ready)
    swaps = np.where(mask[:, 2 * size : 3 * size], since, FOREVER)
    exchange = np.where(swaps.min(axis=1) < FOREVER, view.action(SWAP, swaps.argmin(axis=1)), -1)
    # a module that must be cleaned next is emptied onto the other arm
    heading = state.arm_stage.max(axis=1)
    emptied = np.where(mask[:, :size] & (sim.tools.stage == heading[:, None]) & view.module, state.entered, FOREVER)
    empty = np.where(emptied.min(axis=1) < FOREVER, view.action(PICK, emptied.argmin(axis=1)), -1)

    # no raw wafer while the arms are needed to empty a module for its clean
    through = swapping & (heading == LOCK) & ~view.overdue.any(axis=1)
    swapped = np.where((exchange >= 0) & (through | (place < 0) | cleaning), exchange, place)
    choice = np.where(two, place, np.where(swapped >= 0, swapped, empty))
    return np.where(heading > NOWHERE, choice, -1)


def _finish(view: View, carry: Ints, start: Ints) -> Ints:
    """Load locks first, then the wafer on the arm, then the next transport; WAIT, or whatever is allowed, last."""
    sim, state = view.sim, view.sim.state
    held = (state.arm_wafer >= 0).any(axis=1)
    choice = np.where(held, carry, start)
    locks = sim.shape.locks
    vents = sim.mask[:, VENT * sim.shape.stations :][:, :locks]
    used = vents & (state.raw[:, :locks] == 0) & (state.supply[:, None] > 0)
    # nobody can take a finished wafer: send a lock out, although raw wafers go with it
    stuck = vents & ~(view.lock & view.room).any(axis=1)[:, None] & (choice < 0)[:, None]
    for send in (stuck, used):
        choice = np.where(send.any(axis=1), view.action(VENT, send.argmax(axis=1)), choice)
    wait = sim.num_actions - 1
    fallback = np.where(sim.mask[:, wait], wait, sim.mask.argmax(axis=1))
    return np.where(choice >= 0, choice, fallback)


# -- schedulers that watch the clock --------------------------------------------------------------------------------


class Paced:
    """First come, first served, with raw wafers released at intervals.

    A tool that is fed no faster than it can work does not fill up with wafers that wait in front of its bottleneck,
    so that most residency windows are kept, whatever the process times and cleans do. Feeding a single-armed tool at
    its bound costs next to no throughput; a margin buys robustness. With two arms the pace is that of one, since
    wafers that are swapped wait for each other.

    Args:
        sim: the simulator that is to be scheduled.
        tools: its tools.
        margin: share by which the interval is longer than the bound on the time per wafer.

    Attributes:
        delay: (n, W) time by which the release of each wafer is put off further, s; 0 unless somebody sets it.
    """

    def __init__(self, sim: ClusterSimulator, tools: Sequence[Tool], margin: float = 0.05) -> None:
        self.sim = sim
        self.delay = np.zeros((sim.num_rows, sim.shape.lot))
        single = [replace(tool, robot=replace(tool.robot, arms=1)) for tool in tools]
        self.interval = (1.0 + margin) * np.array([lower_bound(tool) for tool in single])
        # from the start of taking a raw wafer to the end of loading it
        self.transport = np.array([access_times(t)[0][0] + t.robot.move + access_times(t)[1][1] for t in single])

    def __call__(self) -> tuple[Ints, Array]:
        """Actions and latest ends of waiting for `ClusterSimulator.step`."""
        return self.decide(self.sim, np.arange(self.sim.num_rows))

    def decide(self, sim: ClusterSimulator, rows: Ints) -> tuple[Ints, Array]:
        """The same for a simulator whose rows are branches of `rows` (k,) of the one that is scheduled."""
        view = View(sim)
        state, tools = sim.state, sim.tools
        last = tools.lot - state.supply - state.raw.sum(axis=1) - 1
        loaded = np.where(last >= 0, state.loaded[view.rows, np.maximum(last, 0), 0], -FOREVER)
        arrival = np.where(state.robot_at == view.source[:, LOCK], 0.0, tools.move)
        release = loaded + (self.interval - self.transport)[rows] - arrival
        release += self.delay[rows, np.minimum(last + 1, sim.shape.lot - 1)]
        asked = np.maximum(view.source_ready, view.target_ready)
        asked[:, LOCK] = np.maximum(asked[:, LOCK], release)
        blocked = np.take_along_axis(view.cleaning, view.target, axis=1)
        start = _best(view, asked, view.possible & ~blocked)
        early = (start == view.action(PICK, view.source[:, LOCK])) & (state.time < release - 1e-9)
        early &= (state.arm_wafer < 0).all(axis=1) & ~sim.done
        choice = _finish(view, _carry(view), start)
        early &= sim.kind[choice] != VENT
        return np.where(early, sim.num_actions - 1, choice), np.where(early, release, FOREVER)


class TimedPull:
    """The pull sequence by the clock, with the robot waits of `bounds.pull_waits`, from the first wafer on.

    In cycle k the wafer of step i is taken at `k * period + offset_i`. Wafers of the start and the end of the lot
    keep the times that they would have in steady state, so that all of them stay equally long in the modules.
    Process times must be constant and modules must not be cleaned.

    Raises:
        ShopfloorError: a tool whose residency windows no such timetable keeps.
    """

    def __init__(self, sim: ClusterSimulator, tools: Sequence[Tool]) -> None:
        rows, stages = sim.num_rows, sim.shape.steps + 1
        self.sim = sim
        self.period = np.zeros(rows)
        self.offset = np.zeros((rows, stages))
        self.lag = np.zeros((rows, stages), np.int64)
        for row, tool in enumerate(tools):
            waits = pull_waits(tool)
            if waits is None:
                raise ShopfloorError(f"row {row}: no pull sequence with robot waits keeps the residency windows")
            self.period[row] = waits.period
            self._write(row, tool, waits.waits)
        self.cycle = np.zeros(rows, np.int64)
        self.stage = sim.tools.steps.copy()

    def _write(self, row: int, tool: Tool, waits: tuple[float, ...]) -> None:
        take, give, _ = access_times(tool)
        move, count = tool.robot.move, len(tool.steps)
        between = tool.robot.index if count == 1 else move
        at = waits[count]
        self.offset[row, count] = at
        for i in range(count - 1, -1, -1):
            at += take[i + 1] + move + give[(i + 2) % (count + 1)] + between + waits[i]
            self.offset[row, i] = at
        self.lag[row, 1 : count + 1] = np.cumsum([step.modules for step in tool.steps])

    def reset(self, rows: Ints) -> None:
        """Start again in rows whose lot starts again."""
        self.cycle[rows] = 0
        self.stage[rows] = self.sim.tools.steps[rows]

    def __call__(self) -> tuple[Ints, Array]:
        """Actions and latest ends of waiting for `ClusterSimulator.step`."""
        sim, view = self.sim, View(self.sim)
        state, tools = sim.state, sim.tools
        held = (state.arm_wafer >= 0).any(axis=1)
        free = ~held & ~sim.done
        self._skip(free)
        source = view.source[view.rows, self.stage]
        here = source == state.robot_at
        slot = np.where((self.stage == LOCK) & state.placed, tools.index, 0.0)
        leave = self.cycle * self.period + self.offset[view.rows, self.stage] - np.where(here, slot, tools.move)
        early = free & (state.time < leave - 1e-9)
        choice = np.where(early, sim.num_actions - 1, np.where(held, _carry(view), view.action(PICK, source)))
        self._advance(free & ~early)
        return choice, np.where(early, leave, FOREVER)

    def _skip(self, rows: Bools) -> None:
        """Go past transports of wafers before the first and after the last."""
        while True:
            wafer = self.cycle - self.lag[np.arange(len(self.lag)), self.stage]
            idle = rows & ((wafer < 0) | (wafer >= self.sim.tools.lot))
            if not idle.any():
                return
            self._advance(idle)

    def _advance(self, rows: Bools) -> None:
        self.stage -= rows
        over = self.stage < 0
        self.cycle += over
        self.stage = np.where(over, self.sim.tools.steps, self.stage)
