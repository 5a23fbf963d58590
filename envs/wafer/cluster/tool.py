"""The declaration of one cluster tool, in seconds and wafers.

A series tool: every wafer leaves a load lock, is processed once at each step in turn, in any one of the step's
parallel modules, and returns to a load lock. Terms and the parameters that matter follow the literature on cluster
tools, e.g. Lee, "A review of scheduling theory and methods for semiconductor manufacturing cluster tools", Winter
Simulation Conference 2008.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from ....errors import ShopfloorError

Spread = Literal["uniform", "triangular"]


def _check(where: str, **values: float) -> None:
    for name, value in values.items():
        if not 0.0 <= value < math.inf:
            raise ShopfloorError(f"{where}: {name} must be a time of 0 s or more and finite, got {value}")


@dataclass(frozen=True)
class Robot:
    """The transfer robot in the vacuum chamber.

    Attributes:
        arms: 1, or 2 that can hold a wafer each and reach one station after the other.
        pick, place: taking a wafer from a station and putting it down, once in front of it, s.
        move: from any station to any other, loaded or not, s.
        swap: the whole exchange of a module's wafer for the one on the other arm, s; default pick + move + place,
            where the middle part turns the other arm to the station.
        index: from the outgoing to the incoming slot of one load lock with the same arm, s.
    """

    arms: int = 1
    pick: float = 3.0
    place: float = 3.0
    move: float = 1.5
    swap: float | None = None
    index: float = 0.0

    def __post_init__(self) -> None:
        if self.arms not in (1, 2):
            raise ShopfloorError(f"robot: arms must be 1 or 2, got {self.arms}")
        _check("robot", pick=self.pick, place=self.place, move=self.move, index=self.index)
        if self.pick + self.place + self.move <= 0.0:
            raise ShopfloorError("robot: pick, place and move are all 0 s; give at least one of them a duration")
        if self.swap is not None and not self.pick + self.place <= self.swap < math.inf:
            raise ShopfloorError(
                f"robot: a swap takes at least pick + place = {self.pick + self.place} s, got {self.swap}"
            )

    @property
    def rotate(self) -> float:
        """Turning the other arm to the station in front of the robot, s."""
        return self.move if self.swap is None else self.swap - self.pick - self.place


@dataclass(frozen=True)
class Step:
    """One step of the recipe and the modules that can do it.

    Attributes:
        process: mean process time, s.
        modules: number of parallel modules.
        spread: the process time varies within `process * (1 +- spread)`, a share below 1.
        distribution: of the process time within that range; both keep the mean.
        residency: longest stay of a wafer in the module after its process has ended, s; `inf` for no limit.
        clean_every: a module is cleaned after this many wafers; 0 for never.
        clean: duration of such a clean of the empty module, s.
        name: for logs and pictures.
    """

    process: float
    modules: int = 1
    spread: float = 0.0
    distribution: Spread = "uniform"
    residency: float = math.inf
    clean_every: int = 0
    clean: float = 0.0
    name: str = ""

    def __post_init__(self) -> None:
        where = f"step {self.name!r}"
        _check(where, process=self.process, clean=self.clean)
        if self.modules < 1 or self.clean_every < 0:
            raise ShopfloorError(
                f"{where}: modules must be 1 or more and clean_every 0 or more, "
                f"got {self.modules} and {self.clean_every}"
            )
        if not 0.0 <= self.spread < 1.0:
            raise ShopfloorError(f"{where}: spread is a share of the process time, 0 to below 1, got {self.spread}")
        if self.distribution not in ("uniform", "triangular"):
            raise ShopfloorError(f"{where}: distribution must be uniform or triangular, got {self.distribution!r}")
        if not self.residency >= 0.0:
            raise ShopfloorError(f"{where}: residency must be 0 s or more, or inf for no limit, got {self.residency}")


@dataclass(frozen=True)
class LoadLocks:
    """Load locks with as many incoming as outgoing slots, so that a finished wafer never waits for a raw one.

    A lock under vacuum serves the robot. Sent out, it is vented, its finished wafers are replaced by raw ones and it
    is pumped down again; it is back under vacuum `vent + exchange + pump` later.

    Attributes:
        count: number of load locks.
        slots: incoming slots of one lock, and outgoing slots.
        pump, vent: s.
        exchange: at atmosphere, of all wafers of one lock, s.
    """

    count: int = 2
    slots: int = 1
    pump: float = 20.0
    vent: float = 15.0
    exchange: float = 6.0

    def __post_init__(self) -> None:
        _check("load locks", pump=self.pump, vent=self.vent, exchange=self.exchange)
        if self.count < 1 or self.slots < 1:
            raise ShopfloorError(
                f"load locks: count and slots must be 1 or more, got {self.count} and {self.slots}; "
                "load_locks=None stands for one that is always ready"
            )

    @property
    def away(self) -> float:
        """Time from leaving vacuum to being back under it, s."""
        return self.vent + self.exchange + self.pump


@dataclass(frozen=True)
class Tool:
    """A cluster tool and the lot that it works on.

    Attributes:
        steps: the recipe, in order.
        robot: the robot.
        load_locks: None for one station that always has raw wafers and room for finished ones.
        valve_open, valve_close: slit valve of a process module, s. It opens when the robot stands in front of it,
            which the robot waits for, and closes behind it, which the robot does not wait for; the process, or the
            clean, starts when it is closed. A load lock's valve moves within its `pump` and `vent`.
        lot_size: number of wafers.
    """

    steps: tuple[Step, ...]
    robot: Robot = field(default_factory=Robot)
    load_locks: LoadLocks | None = None
    valve_open: float = 0.0
    valve_close: float = 0.0
    lot_size: int = 25

    def __post_init__(self) -> None:
        _check("tool", valve_open=self.valve_open, valve_close=self.valve_close)
        if not self.steps or self.lot_size < 1:
            raise ShopfloorError(
                f"tool: needs a step and a wafer at least, got {len(self.steps)} steps, lot_size {self.lot_size}"
            )

    @property
    def lock_count(self) -> int:
        """Number of load lock stations."""
        return 1 if self.load_locks is None else self.load_locks.count

    @property
    def station_count(self) -> int:
        """Load locks and process modules."""
        return self.lock_count + sum(step.modules for step in self.steps)
