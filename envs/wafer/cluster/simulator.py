"""Event-driven simulation of n cluster tools at once, exact in time.

Between two decisions nothing is stepped through. A station carries the time at which it will be ready (process ended,
clean ended, load lock pumped down), so that a decision of the scheduler is worked out in closed form: the robot
moves, waits until the station is ready, and transfers. All rows decide at once, each at its own time.

Decisions of one robot and nothing else drive the state, so there is no event queue; WAIT lets time run to the next
moment at which any station becomes ready. Two-armed robots need picking and placing as decisions of their own, and
one-armed robots get their transports as two decisions, the second of which may still choose among parallel modules.

The mask forbids what is impossible and what could never end, such as a one-armed robot that picks a wafer up while
no module of the next step is empty. Some decision is therefore always allowed until the lot is done.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ....errors import ShopfloorError
from ...randomness import KeyedRandom
from .layout import LOCK, Array, Bools, Ints, Layout, Shape
from .tool import Tool

PICK, PLACE, SWAP, VENT, WAIT = range(5)
ACTION_NAMES = ("pick", "place", "swap", "vent", "wait")
NOBODY = -1  # wafer of an empty arm or station
NOWHERE = -2  # next stage of an empty arm
TOLERANCE = 1e-6  # s by which a residency window may be missed through rounding
MOMENT = 1e-3  # s, soon but not yet


@dataclass
class State:
    """All that changes; (n, ...) with S stations, J steps and W wafers. Times in s since the start of the lot.

    Attributes:
        time: of the next decision.
        robot_at, facing: station in front of the robot and the arm turned to it; `placed` is whether it has just
            put a wafer down there.
        arm_wafer, arm_stage: (n, 2) wafer on an arm and the stage it goes to next, -1 and -2 for an empty arm.
        module_wafer: (n, S) wafer in a module, -1 for none.
        ready: (n, S) when the process or clean has ended, the valve closed or the lock returned; -inf if never.
        entered: (n, S) when the wafer in the module was put down.
        uses: (n, S) wafers of the module since its last clean.
        raw, finished: (n, S) wafers in the load lock's slots.
        supply: raw wafers that wait outside.
        last_stage: stage from which the robot took a wafer last.
        delivered: finished wafers in load locks or beyond.
        loaded, lifted: (n, W, J) when each wafer was put down at each step and lifted from it again, NaN before.
        delivered_at, delivered_wafer: (n, W) when finished wafers arrived in a load lock, and which.
        violations, overstay: residency windows missed, and by how much in total.
        cleans, vents, picks, places, swaps, waits: counts; a swap is not counted among picks and places.
        robot_busy: time spent moving and transferring, s.
        duration: (n, W, J) process times of this lot, for the simulation alone to know.
    """

    time: Array
    robot_at: Ints
    facing: Ints
    placed: Bools
    arm_wafer: Ints
    arm_stage: Ints
    module_wafer: Ints
    ready: Array
    entered: Array
    uses: Ints
    raw: Ints
    finished: Ints
    supply: Ints
    last_stage: Ints
    delivered: Ints
    loaded: Array
    lifted: Array
    delivered_at: Array
    delivered_wafer: Ints
    violations: Ints
    overstay: Array
    cleans: Ints
    vents: Ints
    picks: Ints
    places: Ints
    swaps: Ints
    waits: Ints
    robot_busy: Array
    duration: Array

    @classmethod
    def empty(cls, rows: int, shape: Shape) -> State:
        """All zero."""
        sizes: dict[str, tuple[int, ...]] = {name: (rows, shape.stations) for name in _PER_STATION}
        sizes |= {name: (rows, 2) for name in ("arm_wafer", "arm_stage")}
        sizes |= {name: (rows, shape.lot, shape.steps) for name in ("loaded", "lifted", "duration")}
        sizes |= {name: (rows, shape.lot) for name in ("delivered_at", "delivered_wafer")}
        types = {"Ints": np.int64, "Bools": np.bool_, "Array": np.float64}
        return cls(**{f.name: np.zeros(sizes.get(f.name, (rows,)), types[str(f.type)]) for f in fields(cls)})


_PER_STATION = ("module_wafer", "ready", "entered", "uses", "raw", "finished")


def action_table(shape: Shape) -> tuple[Ints, Ints]:
    """What the number of an action means: its kind and its station, both (actions,)."""
    stations, locks = shape.stations, shape.locks
    kind = np.repeat([PICK, PLACE, SWAP, VENT, WAIT], [stations, stations, stations, locks, 1])
    return kind, np.concatenate([np.arange(stations)] * 3 + [np.arange(locks), [0]])


class ClusterSimulator:
    """n cluster tools, of any mixture of kinds, that take one decision each per step.

    Actions are numbered `PICK` at each of the S stations, `PLACE` at each, `SWAP` at each, `VENT` for each of the L
    load locks, which come first among the stations, and `WAIT`: 3 S + L + 1 in all. `kind` and `station` (both
    (actions,)) tell what a number means.

    Attributes:
        tools: constants of the rows as arrays.
        state: what changes, as arrays.
        mask: (n, actions) which actions are allowed; all False in rows whose lot is done.
        shape: numbers of load locks, stations, steps and wafers that rows are padded to.
    """

    def __init__(self, tools: Sequence[Tool], shape: Shape | None = None) -> None:
        if not tools:
            raise ShopfloorError("a cluster simulation needs at least one tool, got none")
        self.num_rows = len(tools)
        self.shape = shape or Shape.of(tools)
        self.tools = Layout.empty(self.num_rows, self.shape)
        self.state = State.empty(self.num_rows, self.shape)
        self.kind, self.station = action_table(self.shape)
        self.num_actions = len(self.kind)
        self.mask = np.zeros((self.num_rows, self.num_actions), bool)
        self._random = KeyedRandom()
        every = np.arange(self.num_rows)
        self.declare(every, tools)
        self.reset(every, np.zeros(self.num_rows, np.int64), np.zeros(self.num_rows, np.int64))

    def declare(self, rows: NDArray[np.integer], tools: Sequence[Tool]) -> None:
        """Put other tools into some rows, which must be reset before the next step."""
        if len(rows) != len(tools):
            raise ShopfloorError(f"one tool for each row: got {len(tools)} tools for {len(rows)} rows")
        for row, tool in zip(rows, tools, strict=True):
            if not self.shape.holds(Shape.of([tool])):
                raise ShopfloorError(
                    f"row {row}: a tool of {Shape.of([tool])} does not fit into {self.shape}; "
                    "construct the simulator with a larger shape"
                )
            self.tools.declare(int(row), tool, self.shape)
        self.mask[rows] = False

    def reset(self, rows: NDArray[np.integer], seeds: NDArray[np.integer], episodes: NDArray[np.integer]) -> None:
        """Start a new lot in some rows: empty tool, load locks under vacuum and full of raw wafers.

        Args:
            rows: (k,) which rows.
            seeds, episodes: (k,) keys of the process times; a wafer's times do not depend on what the robot does.
        """
        state, tools = self.state, self.tools
        for item in fields(state):
            getattr(state, item.name)[rows] = 0
        for name in ("arm_wafer", "module_wafer", "delivered_wafer"):
            getattr(state, name)[rows] = NOBODY
        state.arm_stage[rows] = NOWHERE
        state.ready[rows] = -np.inf
        for name in ("loaded", "lifted", "delivered_at"):
            getattr(state, name)[rows] = np.nan
        state.supply[rows] = tools.lot[rows]
        for lock in range(self.shape.locks):
            self._fill(rows, np.full(len(rows), lock))
        for row, seed, episode in zip(rows.tolist(), seeds.tolist(), episodes.tolist(), strict=True):
            state.duration[row] = self._draw_durations(row, seed, episode)
        self._update_mask()

    def _draw_durations(self, row: int, seed: int, episode: int) -> Array:
        """Process times (W, J) of one row's lot; independent of what the row is padded to."""
        tools = self.tools
        lot, steps = int(tools.lot[row]), int(tools.steps[row])
        process = np.broadcast_to(tools.process[row], self.state.duration.shape[1:]).copy()
        if tools.spread[row].any():
            draws = self._random.uniform(seed, "process_time", episode, 2 * lot * steps).reshape(lot, steps, 2)
            first, second = draws[..., 0], draws[..., 1]
            unit = np.where(tools.triangular[row, :steps], first + second - 1.0, 2.0 * first - 1.0)
            process[:lot, :steps] *= 1.0 + tools.spread[row, :steps] * unit
        return process

    @property
    def done(self) -> Bools:
        """(n,) whether the lot is finished."""
        return np.asarray(self.state.delivered >= self.tools.lot)

    def step(self, actions: Ints, until: Array | None = None, resting: Bools | None = None) -> None:
        """Carry out one decision in every row whose lot is not done.

        Args:
            actions: (n,) numbers of actions; ignored in rows that are done.
            until: (n,) latest end of a WAIT, s; default none. A WAIT that has one is allowed at any time. The
                robot's own waiting in front of a station is not cut short.
            resting: (n,) rows that take no decision, whose actions are ignored; default none.

        Raises:
            ShopfloorError: an action is masked.
        """
        active = ~self.done if resting is None else ~self.done & ~resting
        limit = np.full(self.num_rows, np.inf) if until is None else until
        self._check(actions, active, limit)
        kind, station = self.kind[actions], self.station[actions]
        moving = np.flatnonzero(active & (kind <= SWAP))
        if len(moving):
            self._access(moving, kind[moving], station[moving])
        leaving = np.flatnonzero(active & (kind == VENT))
        if len(leaving):
            self._vent(leaving, station[leaving])
        waiting = np.flatnonzero(active & (kind == WAIT))
        if len(waiting):
            self._rest(waiting, limit[waiting])
        self._update_mask()

    def overstays(self) -> Array:
        """Time (n, W, J) in s by which each wafer's stay at each step was longer than its window, below 0 for shorter
        ones; -inf for wafers that have not left and steps that are not.
        """  # noqa: D205
        state, tools = self.state, self.tools
        serves = tools.serves[:, LOCK + 1 :]
        settle, window = (
            np.where(serves, values[:, None, :], np.inf).min(axis=2) for values in (tools.settle, tools.residency)
        )
        stay = state.lifted - state.loaded - state.duration - (settle + window)[:, None]
        return np.where(np.isnan(stay), -np.inf, stay)

    def save(self) -> dict[str, NDArray[np.generic]]:
        """A copy of the state by name."""
        return {item.name: getattr(self.state, item.name).copy() for item in fields(self.state)}

    def restore(self, saved: dict[str, NDArray[np.generic]]) -> None:
        """Go back to a state from `save`, of this simulator or of one with the same tools."""
        for item in fields(self.state):
            array = getattr(self.state, item.name)
            if item.name not in saved or saved[item.name].shape != array.shape:
                raise ShopfloorError(
                    f"cluster state: {item.name!r} is missing or not of shape {array.shape}; "
                    "restore only what a simulator with the same tools has saved"
                )
            array[...] = saved[item.name]
        self._update_mask()

    def branch(self, rows: NDArray[np.integer]) -> ClusterSimulator:
        """A simulator of its own whose rows start as copies of rows (k,) of this one, which may repeat.

        For schedulers that try decisions out. It knows this lot's process times unless `forget` is called.
        """
        other = copy.copy(self)
        other.num_rows = len(rows)
        other.tools = Layout(**{item.name: getattr(self.tools, item.name)[rows] for item in fields(Layout)})
        other.state = State(**{item.name: getattr(self.state, item.name)[rows] for item in fields(State)})
        other.mask = self.mask[rows]
        return other

    def forget(self) -> None:
        """Replace the process times that no scheduler can know by their means, those in progress included.

        A process that has taken longer than its mean ends in a moment.
        """
        state, tools = self.state, self.tools
        state.duration[...] = tools.process[:, None, :]
        step = np.maximum(tools.stage - 1, 0)
        expected = state.entered + tools.settle + np.take_along_axis(tools.process, step, axis=1)
        running = (state.module_wafer >= 0) & (state.ready > state.time[:, None])
        state.ready[...] = np.where(running, np.maximum(expected, state.time[:, None] + MOMENT), state.ready)
        self._update_mask()

    def _check(self, actions: Ints, active: Bools, limit: Array) -> None:
        allowed = self.mask[np.arange(self.num_rows), actions]
        allowed |= (self.kind[actions] == WAIT) & (limit < np.inf)
        if not (allowed | ~active).all():
            row = int(np.flatnonzero(~allowed & active)[0])
            action = int(actions[row])
            name = f"{ACTION_NAMES[self.kind[action]]} at station {self.station[action]}"
            raise ShopfloorError(f"row {row}: action {action} ({name}) is masked; choose among mask[{row}]")

    # -- what a decision does ----------------------------------------------------------------------------------

    def _fill(self, rows: NDArray[np.integer], lock: Ints) -> None:
        """Put raw wafers from outside into a load lock's free slots."""
        state, tools = self.state, self.tools
        free = np.where(tools.stage[rows, lock] == LOCK, tools.slots[rows] - state.raw[rows, lock], 0)
        count = np.minimum(free, state.supply[rows])
        state.raw[rows, lock] += count
        state.supply[rows] -= count

    def _vent(self, rows: Ints, lock: Ints) -> None:
        state = self.state
        state.finished[rows, lock] = 0
        self._fill(rows, lock)
        state.ready[rows, lock] = state.time[rows] + self.tools.away[rows]
        state.vents[rows] += 1

    def _rest(self, rows: Ints, limit: Array) -> None:
        state = self.state
        now = state.time[rows]
        ready = state.ready[rows]
        coming = np.where(ready > now[:, None], ready, np.inf).min(axis=1)
        state.time[rows] = np.maximum(now, np.minimum(coming, limit))
        state.waits[rows] += 1

    def _access(self, rows: Ints, kind: Ints, station: Ints) -> None:
        """Go to a station, wait until it is ready, take and give wafers."""
        state, tools = self.state, self.tools
        at = (rows, station)
        stage = tools.stage[at]
        arm = self._choose_arm(rows, kind, stage)
        here = station == state.robot_at[rows]
        slot = np.where((kind == PICK) & (stage == LOCK) & state.placed[rows], tools.index[rows], 0.0)
        turn = np.where(arm == state.facing[rows], slot, tools.rotate[rows])
        travel = np.where(here, turn, tools.move[rows])
        start = np.maximum(state.time[rows] + travel, state.ready[at])
        transfer = np.where(kind == PICK, tools.take[at], np.where(kind == PLACE, tools.give[at], tools.exchange[at]))
        end = start + transfer

        # the wafer that is taken leaves the station before the one that is given arrives
        gives = np.flatnonzero(kind != PICK)
        giver = np.where(kind == SWAP, 1 - arm, arm)
        given = state.arm_wafer[rows, giver]
        takes = np.flatnonzero(kind != PLACE)
        if len(takes):
            self._take(rows[takes], station[takes], arm[takes], (start + tools.lift[at])[takes], end[takes])
        if len(gives):
            self._give(rows[gives], station[gives], giver[gives], given[gives], end[gives])

        state.robot_busy[rows] += travel + transfer
        state.time[rows] = end
        state.robot_at[rows] = station
        state.facing[rows] = giver
        state.placed[rows] = kind == PLACE
        for what, count in ((PICK, state.picks), (PLACE, state.places), (SWAP, state.swaps)):
            count[rows] += kind == what

    def _choose_arm(self, rows: Ints, kind: Ints, stage: Ints) -> Ints:
        """The arm that acts first: of the arms that can, the one in front."""
        state = self.state
        facing = state.facing[rows]
        heading = state.arm_stage[rows, facing]
        fits = np.where(kind == PLACE, heading == stage, heading == NOWHERE)
        return np.where(fits, facing, 1 - facing)

    def _take(self, rows: Ints, station: Ints, arm: Ints, lifted: Array, end: Array) -> None:
        state, tools = self.state, self.tools
        at = (rows, station)
        stage = tools.stage[at]
        lock = stage == LOCK
        module = np.flatnonzero(~lock)
        # raw wafers are alike: they are numbered in the order in which they are taken
        number = tools.lot[rows] - state.supply[rows] - state.raw[rows].sum(axis=1)
        wafer = np.where(lock, number, state.module_wafer[at])
        state.raw[at] -= lock
        state.arm_wafer[rows, arm] = wafer
        state.arm_stage[rows, arm] = tools.next_stage[at]
        state.last_stage[rows] = stage
        state.module_wafer[at] = NOBODY
        if len(module):
            rows, station, lifted, end = rows[module], station[module], lifted[module], end[module]
            at = (rows, station)
            state.lifted[rows, wafer[module], stage[module] - 1] = lifted
            excess = lifted - state.ready[at] - tools.residency[at]
            late = excess > TOLERANCE
            state.violations[rows] += late
            state.overstay[rows] += np.where(late, excess, 0.0)
            uses = state.uses[at] + 1
            dirty = uses >= tools.clean_every[at]
            state.uses[at] = np.where(dirty, 0, uses)
            state.cleans[rows] += dirty
            state.ready[at] = end + tools.settle[at] + np.where(dirty, tools.clean[at], 0.0)

    def _give(self, rows: Ints, station: Ints, arm: Ints, wafer: Ints, end: Array) -> None:
        state, tools = self.state, self.tools
        stage = tools.stage[rows, station]
        state.arm_wafer[rows, arm] = NOBODY
        state.arm_stage[rows, arm] = NOWHERE
        out = np.flatnonzero(stage == LOCK)
        if len(out):
            row = rows[out]
            state.finished[row, station[out]] += 1
            state.delivered_at[row, state.delivered[row]] = end[out]
            state.delivered_wafer[row, state.delivered[row]] = wafer[out]
            state.delivered[row] += 1
        module = np.flatnonzero(stage != LOCK)
        if len(module):
            rows, wafer, step, end = rows[module], wafer[module], stage[module] - 1, end[module]
            at = (rows, station[module])
            state.module_wafer[at] = wafer
            state.entered[at] = end
            state.loaded[rows, wafer, step] = end
            state.ready[at] = end + tools.settle[at] + state.duration[rows, wafer, step]

    # -- what is allowed ---------------------------------------------------------------------------------------

    def _update_mask(self) -> None:
        state, tools = self.state, self.tools
        stage, arms = tools.stage, tools.arms[:, None]
        lock = stage == LOCK
        occupied = state.module_wafer >= 0
        slot = lock & (state.finished < tools.slots[:, None])
        room = slot | ((stage > LOCK) & ~occupied)
        filled = occupied | (state.raw > 0)
        dirty = ~lock & (state.uses + 1 >= tools.clean_every)

        # a load lock can always be emptied, a module only onto an arm
        hole: Bools = np.any(tools.serves & ~occupied[:, None, :], axis=2)
        hole[:, LOCK] = True
        held = (state.arm_wafer >= 0).sum(axis=1)[:, None]
        heading = state.arm_stage.max(axis=1)[:, None]  # the next stage of the wafer, where only one is held
        wanted = (stage == state.arm_stage[:, :1]) | (stage == state.arm_stage[:, 1:])
        released = np.take_along_axis(hole, tools.next_stage, axis=1)
        held_fits = (heading == stage) | np.take_along_axis(hole, np.maximum(heading, LOCK), axis=1)
        safe = (held + 1 < arms) | released | ((held > 0) & held_fits)

        stations, locks = self.shape.stations, self.shape.locks
        mask = self.mask
        mask[:, :stations] = filled & (held < arms) & safe
        mask[:, stations : 2 * stations] = room & wanted
        mask[:, 2 * stations : 3 * stations] = (arms == 2) & (held == 1) & wanted & filled & ~dirty & (slot | ~lock)
        changes = (state.finished > 0) | ((state.raw < tools.slots[:, None]) & (state.supply[:, None] > 0))
        home = lock & ~tools.ideal[:, None] & (state.ready <= state.time[:, None])
        mask[:, 3 * stations : 3 * stations + locks] = (home & changes)[:, :locks]
        mask[:, -1] = (state.ready > state.time[:, None]).any(axis=1)
        mask[self.done] = False
