"""What a scheduler sees of a cluster tool: readings of the machine and figures of the recipe, never the future."""

from __future__ import annotations

import numpy as np

from ...sensing import Channel
from .layout import LOCK, Array
from .simulator import NOWHERE, ClusterSimulator

STATIONS = ("load_lock_1", "load_lock_2", "process_1", "process_2", "process_3", "process_4")
LOCK_NAMES = STATIONS[:2]
HEADINGS = ("empty", "to_load_lock", "to_step_1", "to_step_2", "to_step_3", "to_step_4")
LONGEST = 900.0  # s, range of clocks
MANY = 100.0  # wafers

_ARMS = tuple(f"{arm}_{heading}" for arm in "ab" for heading in HEADINGS)


def _stations(name: str, unit: str, low: float, high: float, scale: float, description: str) -> Channel:
    return Channel(name, 6, unit, low, high, scale, 0.0, labels=STATIONS, description=description)


CHANNELS = (
    _stations("stage", "1", 0.0, 4.0, 4.0, "step of the recipe that the module does, 0 for a load lock"),
    _stations("occupied", "1", 0.0, 1.0, 1.0, "whether a wafer is in the module"),
    _stations("busy", "1", 0.0, 1.0, 1.0, "whether process, clean, valve, pump or vent is going on"),
    _stations("remaining", "s", 0.0, LONGEST, 100.0, "until it ends, as the recipe says; 0 when overdue or idle"),
    _stations("window", "s", -LONGEST, LONGEST, 100.0, "what is left of the residency window, 0 without a wafer"),
    _stations("wafers_to_clean", "1", 0.0, MANY, 25.0, "wafers that the module may take before it is cleaned"),
    _stations("process", "s", 0.0, LONGEST, 100.0, "mean process time of the module's step"),
    _stations("residency", "s", 0.0, LONGEST, 100.0, "residency window of the module's step"),
    _stations("clean", "s", 0.0, LONGEST, 100.0, "duration of a clean of the module"),
    Channel("raw", 2, "1", 0.0, MANY, 2.0, 0.0, labels=LOCK_NAMES, description="raw wafers in the load lock"),
    Channel("finished", 2, "1", 0.0, MANY, 2.0, 0.0, labels=LOCK_NAMES, description="finished wafers in the load lock"),
    Channel("arms", 12, "1", 0.0, 1.0, 1.0, 0.0, labels=_ARMS, description="where the wafer on each arm goes, one-hot"),
    _stations("robot_at", "1", 0.0, 1.0, 1.0, "where the robot stands, one-hot"),
    Channel("facing", 1, "1", 0.0, 1.0, 1.0, 0.0, description="arm that is turned to the station, 0 for a"),
    Channel("since_release", 1, "s", 0.0, LONGEST, 100.0, 0.0, description="since a raw wafer last went into step 1"),
    Channel("outside", 1, "1", 0.0, MANY, 25.0, 0.0, description="raw wafers not yet in a load lock"),
    Channel("delivered", 1, "1", 0.0, 1.0, 1.0, 0.0, description="finished share of the lot"),
    Channel("elapsed", 1, "1", 0.0, 100.0, 1.0, 0.0, description="time since the start of the lot / bound"),
    Channel("bound", 1, "s", 0.0, 100000.0, 2500.0, 0.0, description="shortest possible lot time, mean process times"),
    Channel("transfer", 1, "s", 0.0, 60.0, 5.0, 0.0, description="taking a wafer from a load lock"),
    Channel("move", 1, "s", 0.0, 60.0, 5.0, 0.0, description="from one station to another"),
    Channel("valve", 1, "s", 0.0, 60.0, 2.0, 0.0, description="a slit valve closes, which the process waits for"),
    Channel("lock_cycle", 1, "s", 0.0, LONGEST, 100.0, 0.0, description="vent, exchange and pump of a load lock"),
)  # fmt: skip


def readings(sim: ClusterSimulator, bound: Array) -> dict[str, Array]:
    """Values of all channels now, name -> (n, size); `bound` (n,) is the bound on the lot time, s.

    The end of a process in progress is told as its mean says, since nobody knows it before it has come.
    """
    state, tools = sim.state, sim.tools
    rows, now = np.arange(sim.num_rows), state.time[:, None]
    occupied = state.module_wafer >= 0
    step = np.maximum(tools.stage - 1, 0)
    process = np.where(tools.stage > LOCK, np.take_along_axis(tools.process, step, axis=1), 0.0)
    busy = state.ready > now
    end = np.where(occupied, state.entered + tools.settle + process, state.ready)
    stayed = np.where(occupied & ~busy, now - state.ready, 0.0)
    window = np.where(occupied, np.minimum(tools.residency, LONGEST) - stayed, 0.0)
    left = np.minimum(tools.clean_every - state.uses, int(MANY))
    taken = tools.lot - state.supply - state.raw.sum(axis=1)
    loaded = np.where(taken > 0, state.loaded[rows, np.maximum(taken - 1, 0), 0], np.nan)
    heading = np.where(state.arm_stage == NOWHERE, 0, state.arm_stage + 1)
    locks = sim.shape.locks
    return {
        "stage": np.maximum(tools.stage, LOCK).astype(np.float64),
        "occupied": occupied.astype(np.float64),
        "busy": busy.astype(np.float64),
        "remaining": np.where(busy, np.maximum(end - now, 0.0), 0.0),
        "window": window,
        "wafers_to_clean": np.where(tools.stage > LOCK, left, 0.0),
        "process": process,
        "residency": np.where(tools.stage > LOCK, np.minimum(tools.residency, LONGEST), 0.0),
        "clean": tools.clean,
        "raw": state.raw[:, :locks].astype(np.float64),
        "finished": state.finished[:, :locks].astype(np.float64),
        "arms": (heading[:, :, None] == np.arange(len(HEADINGS))).reshape(len(rows), -1).astype(np.float64),
        "robot_at": (state.robot_at[:, None] == np.arange(sim.shape.stations)).astype(np.float64),
        "facing": state.facing[:, None].astype(np.float64),
        "since_release": np.where(np.isnan(loaded), LONGEST, state.time - loaded)[:, None],
        "outside": state.supply[:, None].astype(np.float64),
        "delivered": (state.delivered / tools.lot)[:, None],
        "elapsed": (state.time / bound)[:, None],
        "bound": bound[:, None],
        "transfer": tools.take[:, :1],
        "move": tools.move[:, None],
        "valve": tools.settle[:, -1:],
        "lock_cycle": tools.away[:, None],
    }
