"""What a controller run leaves behind: one row a tick, and a summary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class State(IntEnum):
    """States of the controller runtime."""

    INIT = 0
    SELFTEST = 1
    ACTIVE = 2
    HOLD = 3
    STOPPED = 4


class Flag(IntFlag):
    """What was special about a tick."""

    HELD = 1  # the last safe command was repeated
    LIMITED = 2  # the policy's command was cut to range or rate
    SATURATED = 4  # a reading was outside its range


@dataclass(frozen=True)
class Tick:
    """One control tick.

    Attributes:
        index: number of the deadline, counted from the start of the episode; skipped deadlines leave gaps.
        start_s, lateness_s, busy_s: when the tick began, how much after its deadline, and how long it worked.
        seq, frame_time_s: of the frame that was read; -1 and NaN if none came.
        readings: as read.
        observation, output: what the policy got and gave; NaN where it was not asked.
        command: what was written.
        flags, state: see `Flag` and `State`.
        note: why the command was held.
    """

    index: int
    start_s: float
    lateness_s: float
    busy_s: float
    seq: int
    frame_time_s: float
    readings: Mapping[str, Array]
    observation: NDArray[np.float32]
    output: Array
    command: Array
    flags: Flag
    state: State
    note: str


class EpisodeLog:
    """The ticks of one episode and the states that the runtime went through.

    Attributes:
        ticks: all ticks.
        transitions: when each state was entered, on the runtime's clock.
        origin_s: deadline 0 on that clock.
    """

    def __init__(self) -> None:
        self.ticks: list[Tick] = []
        self.transitions: list[tuple[float, State]] = []
        self.origin_s = 0.0

    def enter(self, time_s: float, state: State) -> None:
        """Note that a state was entered."""
        self.transitions.append((time_s, state))

    def column(self, name: str) -> NDArray[Any]:
        """One field of all ticks, (ticks, ...)."""
        return np.array([getattr(t, name) for t in self.ticks])

    def count(self, flag: Flag) -> int:
        """Ticks that carry a flag."""
        return sum(bool(t.flags & flag) for t in self.ticks)

    def arrays(self, sizes: Mapping[str, int]) -> dict[str, NDArray[Any]]:
        """All columns by name; readings as `reading.<name>` (ticks, size), NaN where none came."""
        names = ("index", "start_s", "lateness_s", "busy_s", "seq", "frame_time_s", "observation", "output", "command")
        out = {name: self.column(name) for name in names}
        out["flags"] = np.array([int(t.flags) for t in self.ticks], dtype=np.uint8)
        out["state"] = np.array([int(t.state) for t in self.ticks], dtype=np.uint8)
        out["note"] = np.array([t.note for t in self.ticks], dtype=np.str_)
        for name, size in sizes.items():
            missing = np.full(size, np.nan)
            out[f"reading.{name}"] = np.array([t.readings.get(name, missing) for t in self.ticks]).reshape(-1, size)
        out["transition_s"] = np.array([t - self.origin_s for t, _ in self.transitions])
        out["transition_state"] = np.array([int(s) for _, s in self.transitions], dtype=np.uint8)
        return out

    def save(self, path: Path, sizes: Mapping[str, int]) -> None:
        """Write all columns to an npz file that needs no pickle."""
        np.savez_compressed(path, allow_pickle=False, **self.arrays(sizes))


def quantiles_ms(seconds: Array) -> dict[str, float]:
    """Median, 99th percentile and maximum in ms; zeros if there is nothing."""
    if not seconds.size:
        return {"p50_ms": 0.0, "p99_ms": 0.0, "max_ms": 0.0}
    p50, p99 = np.quantile(seconds, (0.5, 0.99))
    return {"p50_ms": 1e3 * float(p50), "p99_ms": 1e3 * float(p99), "max_ms": 1e3 * float(seconds.max())}


def write_json(path: Path, data: Any) -> None:
    """Write plain data as readable JSON; numbers must be finite."""
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
