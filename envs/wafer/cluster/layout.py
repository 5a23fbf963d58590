"""Many tools as arrays: the constants of the simulation, padded to common numbers of stations and steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .tool import Tool

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ABSENT = -1  # stage of a padded station
LOCK = 0  # stage of a load lock, source of raw wafers and destination of finished ones


@dataclass(frozen=True)
class Shape:
    """Common sizes: load locks L, stations S (locks first), recipe steps J, wafers of a lot W."""

    locks: int
    stations: int
    steps: int
    lot: int

    @classmethod
    def of(cls, tools: Sequence[Tool]) -> Shape:
        """Smallest sizes that hold all of `tools`."""
        locks = max(tool.lock_count for tool in tools)
        return cls(
            locks,
            locks + max(tool.station_count - tool.lock_count for tool in tools),
            max(len(tool.steps) for tool in tools),
            max(tool.lot_size for tool in tools),
        )

    def holds(self, other: Shape) -> bool:
        """Whether tools of the sizes `other` fit in."""
        return all(getattr(self, item.name) >= getattr(other, item.name) for item in fields(self))


@dataclass
class Layout:
    """The constants of n tools; times in s, stations (n, S), steps (n, J), everything else (n,).

    Attributes:
        stage: 0 for a load lock, 1 to J for a module of that step, -1 where the row has no such station.
        next_stage: stage to which a wafer goes from there; finished wafers go to 0.
        serves: (n, J + 1, S), whether the station is of that stage.
        take, give, exchange: pick, place and swap at the station, its valve included.
        lift: from the start of an access to the lifting of the wafer.
        settle: from the end of an access until the station can work or be used again.
        residency, clean_every, clean: of the station's step; clean_every is large for never.
        process, spread: of the recipe's steps.
        triangular: distribution of the step's process time.
        arms, move, rotate, index: of the robot.
        slots, away: of the load locks.
        steps, lot: number of recipe steps and wafers.
        ideal: whether the load lock is always ready.
    """

    stage: Ints
    next_stage: Ints
    serves: Bools
    take: Array
    give: Array
    exchange: Array
    lift: Array
    settle: Array
    residency: Array
    clean_every: Ints
    clean: Array
    process: Array
    spread: Array
    triangular: Bools
    arms: Ints
    move: Array
    rotate: Array
    index: Array
    slots: Ints
    away: Array
    steps: Ints
    lot: Ints
    ideal: Bools

    @classmethod
    def empty(cls, rows: int, shape: Shape) -> Layout:
        """Constants of `rows` tools without stations."""
        by_kind: dict[str, tuple[int, ...]] = {name: (rows, shape.stations) for name in _PER_STATION}
        by_kind |= {name: (rows, shape.steps) for name in ("process", "spread", "triangular")}
        by_kind |= {"serves": (rows, shape.steps + 1, shape.stations)}
        types = {"Ints": np.int64, "Bools": np.bool_, "Array": np.float64}
        arrays: dict[str, Any] = {
            item.name: np.zeros(by_kind.get(item.name, (rows,)), types[str(item.type)]) for item in fields(cls)
        }
        return cls(**arrays)

    def declare(self, row: int, tool: Tool, shape: Shape) -> None:
        """Write the constants of one tool into one row."""
        for item in fields(self):
            getattr(self, item.name)[row] = 0
        robot, locks = tool.robot, tool.load_locks
        self.stage[row] = ABSENT
        self.stage[row, : tool.lock_count] = LOCK
        numbers = np.repeat(np.arange(len(tool.steps)), [step.modules for step in tool.steps])
        modules = slice(shape.locks, shape.locks + len(numbers))
        self.stage[row, modules] = numbers + 1
        self.next_stage[row] = (self.stage[row] + 1) % (len(tool.steps) + 1)
        self.serves[row] = self.stage[row] == np.arange(shape.steps + 1)[:, None]

        self.take[row], self.give[row] = robot.pick, robot.place
        self.exchange[row] = robot.pick + robot.rotate + robot.place
        for name in ("take", "give", "exchange", "lift"):
            getattr(self, name)[row, modules] += tool.valve_open
        self.settle[row, modules] = tool.valve_close
        self.clean_every[row] = np.iinfo(np.int64).max
        for name in ("residency", "clean"):
            getattr(self, name)[row, modules] = [getattr(tool.steps[k], name) for k in numbers]
        self.clean_every[row, modules] = [tool.steps[k].clean_every or np.iinfo(np.int64).max for k in numbers]
        self.residency[row, : shape.locks] = np.inf

        count = len(tool.steps)
        self.process[row, :count] = [step.process for step in tool.steps]
        self.spread[row, :count] = [step.spread for step in tool.steps]
        self.triangular[row, :count] = [step.distribution == "triangular" for step in tool.steps]
        self.arms[row], self.move[row], self.index[row] = robot.arms, robot.move, robot.index
        self.rotate[row] = robot.rotate
        self.steps[row], self.lot[row] = count, tool.lot_size
        self.ideal[row] = locks is None
        self.slots[row] = tool.lot_size if locks is None else locks.slots
        self.away[row] = 0.0 if locks is None else locks.away


_PER_STATION = (
    "stage", "next_stage", "take", "give", "exchange", "lift", "settle", "residency", "clean_every", "clean",
)  # fmt: skip
