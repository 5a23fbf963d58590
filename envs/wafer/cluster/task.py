"""`ClusterTool`: what an episode of the event-driven environment is, as a declaration and functions over n rows.

An episode is one lot. Its recipe is drawn from the start distribution; the machine's figures, whose nominal values
stand there too, are varied by the randomization spec.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import mujoco
import numpy as np

from ....assets.cells import cluster_tool
from ....errors import ShopfloorError
from ...engine.start import Choice, Term, Uniform, check_terms
from ...engine.task import Metric, Overlay, Reward
from ...sensing import Channel
from .channels import CHANNELS, STATIONS
from .layout import Array, Shape
from .pictures import WAFERS
from .planner import Planner, Rule, Scheduler
from .policies import first_come
from .simulator import ACTION_NAMES, action_table
from .tool import LoadLocks, Robot, Step, Tool

# numbers of parallel modules of successive steps: all recipes that use the tool's four modules
FLOWS = ((1, 1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2), (2, 2), (3, 1), (1, 3), (4,))
MODULES, LOCKS, MOST_STEPS = 4, 2, 4
MOST_WAFERS = 50
ARMS = {"single": 1, "dual": 2}
WAITS = (1.0, 4.0, 16.0)  # s, rests whose end the scheduler chooses; they end earlier when a station becomes ready
TOLERANCES = {"single": 0.15, "dual": 0.30}


def _machine(name: str, value: float, unit: str, description: str) -> Term:
    return Uniform(name, value, value, unit, description=description)


class ClusterTool:
    """Schedule a cluster tool: four process modules, two load locks and one robot between them, for one lot of wafers.

    Every wafer goes from a load lock through the steps of the recipe and back. A step is done in one, two, three or
    four parallel modules; a finished process leaves the wafer a residency window, after which it is scrap; a module
    is cleaned after a number of wafers; load locks are vented and pumped down. Process times vary from wafer to
    wafer, and only their means are known.

    The environment is event driven: a step is one decision of the robot, and time goes on by as much as that takes.
    Decisions that are impossible, or from which no lot could end, are masked. The controller rejects a masked action:
    a second passes and `violations` has `masked_action`.

    The return of a lot that is finished is 1 - lot time / bound - 0.1 for each residency window that is missed, where
    the bound is the shortest lot time that any schedule could reach with mean process times. It does not know the
    residency windows, so that with narrow ones nobody may come close. A lot that is not finished within the time limit
    costs more than any that is, so that resting never pays.

    What the model leaves out: modules never break down and all wafers of a lot have one recipe; the front end beyond
    the load locks is there whenever a lock is vented; and the robot moves in fixed times, whatever it carries.

    Args:
        robot: "single" or "dual", the arms that the schedule may use.
        lot_size: wafers, at most 50.
        tolerance: share of the bound that a successful lot may take longer; None for 0.15 with one arm and 0.3 with
            two, whose bound knows nothing of windows that keep wafers from waiting for each other.

    Attributes:
        decisions: what the number of each action means.
    """

    title: ClassVar[str] = "schedule the robot of a cluster tool through a lot, within residency windows"
    channels: tuple[Channel, ...] = CHANNELS
    rewards: Mapping[str, Reward] = {
        "progress": Reward(1.0, "wafers finished in this step / lot size"),
        "time": Reward(-1.0, "time that this step took / bound on the lot time"),
        "residency": Reward(-0.1, "residency windows missed by wafers lifted in this step"),
        "unfinished": Reward(-10.0, "share of the lot that is not in a load lock when the time limit ends it"),
    }
    metrics: Mapping[str, Metric] = {
        "lot_time_ratio": Metric("1", "lower", "lot time / bound for mean process times; none before the lot is done"),
        "wafers_per_hour": Metric("1/h", "higher", "finished wafers per hour since the start of the lot"),
        "residency_misses": Metric("1", "lower", "residency windows missed"),
        "scrapped": Metric("1", "lower", "wafers that have missed a window at least once"),
        "overstay": Metric("s", "lower", "sum of times by which windows were missed"),
        "cleans": Metric("1", "lower", "cleans begun"),
        "robot_utilization": Metric("1", "higher", "share of time in which the robot moves or transfers"),
        "rejected": Metric("1", "lower", "masked actions that were chosen"),
    }
    main_metric = "lot_time_ratio"
    failure_texts: Mapping[str, str] = {
        "residency_missed": "the lot is finished, but a wafer has missed a residency window",
        "too_slow": "the lot is finished within all windows, but too late",
    }
    success_hold_s = 0.0
    terminate_on_success = True
    cameras: tuple[str, ...] = cluster_tool.CAMERAS
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    references: ClassVar[tuple[str, ...]] = (
        'T.-E. Lee, "A review of scheduling theory and methods for semiconductor manufacturing cluster tools", '
        "Winter Simulation Conference 2008",
        'T. Perkinson, P. McLarty, R. Gyurcsik and R. Cavin, "Single-wafer cluster tool performance: an analysis of '
        'throughput", IEEE Trans. Semicond. Manuf. 7(3), 1994',
        'S. Venkatesh, R. Davenport, P. Foxhoven and J. Nulman, "A steady-state throughput analysis of cluster tools: '
        'dual-blade versus single-blade robots", IEEE Trans. Semicond. Manuf. 10(4), 1997',
        'N. Wu, C. Chu, F. Chu and M. Zhou, "A Petri net method for schedulability and scheduling problems in '
        'single-arm cluster tools with wafer residency time constraints", IEEE Trans. Semicond. Manuf. 21(2), 2008',
    )
    randomization: str | None = "cluster_tool"
    render_fps = 10
    max_steps = 1000  # a lot of the most wafers takes some 600
    goal_size = 0

    def __init__(self, robot: str = "single", lot_size: int = 25, tolerance: float | None = None) -> None:
        if robot not in ARMS:
            raise ShopfloorError(f"robot must be one of {', '.join(ARMS)}, got {robot!r}")
        if not isinstance(lot_size, (int, np.integer)) or not 1 <= lot_size <= MOST_WAFERS:
            raise ShopfloorError(f"lot_size must be a whole number from 1 to {MOST_WAFERS} wafers, got {lot_size!r}")
        tolerance = TOLERANCES[robot] if tolerance is None else tolerance
        if not 0.0 < tolerance < np.inf:
            raise ShopfloorError(f"tolerance must be a share above 0, got {tolerance}")
        self.robot, self.lot_size, self.tolerance = robot, int(lot_size), float(tolerance)
        self.shape = Shape(LOCKS, LOCKS + MODULES, MOST_STEPS, self.lot_size)
        self.decisions = self._decisions()
        self.start = self._start()
        self.success_text = (
            f"the lot is finished, no residency window was missed, and it took at most {1.0 + self.tolerance:g} times "
            "the bound"
        )

    def _decisions(self) -> tuple[str, ...]:
        numbers = zip(*(part.tolist() for part in action_table(self.shape)), strict=True)
        names = [f"{ACTION_NAMES[kind]} {STATIONS[station]}" for kind, station in numbers]
        return (*names[:-1], "wait until a station becomes ready", *(f"wait at most {t:g} s" for t in WAITS))

    def _start(self) -> tuple[Term, ...]:
        names = "; ".join(f"{i}: {'-'.join(map(str, flow))}" for i, flow in enumerate(FLOWS))
        four = MOST_STEPS
        return (
            Choice("flow", 0, len(FLOWS) - 1, "1", description=f"modules of the recipe's steps in turn; {names}"),
            Uniform("pace", 50.0, 100.0, "s", description="process time per wafer and module of a step of full load"),
            Uniform("load", 0.5, 1.0, "1", four, "load of each step: its process takes load × pace × its modules"),
            Uniform("residency", 30.0, 60.0, "s", four, "longest stay of a wafer after its process, by step"),
            Choice("clean_every", 8, 50, "1", four, "wafers of a module from clean to clean, by step"),
            Uniform("clean", 20.0, 40.0, "s", four, "duration of a clean, by step"),
            _machine("process_scale", 1.0, "1", "mean process times / those of the recipe"),
            _machine("process_spread", 0.02, "1", "a process takes its mean times 1 ± up to this share, uniform"),
            _machine("transfer", 3.0, "s", "the robot takes a wafer from a station, or puts one down"),
            _machine("move", 1.5, "s", "the robot goes from a station to another, or changes arms"),
            _machine("valve", 1.0, "s", "a slit valve opens, or closes"),
            _machine("lock_scale", 1.0, "1", "times of the load locks / 20 s pump, 15 s vent, 12 s exchange"),
        )

    def check(self) -> None:
        """Verify the declaration."""
        check_terms(self.start)

    def tool(self, params: Mapping[str, Array], k: int) -> Tool:
        """The tool and lot of sample k."""
        flow = FLOWS[int(params["flow"][k])]
        process = params["pace"][k] * params["process_scale"][k]
        steps = tuple(
            Step(
                float(process * params["load"][k, i] * modules),
                modules,
                float(params["process_spread"][k]),
                residency=float(params["residency"][k, i]),
                clean_every=int(params["clean_every"][k, i]),
                clean=float(params["clean"][k, i]),
                name=f"step {i + 1}",
            )
            for i, modules in enumerate(flow)
        )
        transfer, move, valve = (float(params[name][k]) for name in ("transfer", "move", "valve"))
        scale = float(params["lock_scale"][k])
        locks = LoadLocks(LOCKS, 2, 20.0 * scale, 15.0 * scale, 12.0 * scale)
        return Tool(steps, Robot(ARMS[self.robot], transfer, transfer, move), locks, valve, valve, self.lot_size)

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """The tool as it is drawn."""
        return cluster_tool.cluster_tool(wafers=WAFERS, visual=visual)

    def overlay(self, s: Any, row: int) -> Overlay:
        """Nothing is drawn on top."""
        return Overlay()

    @property
    def schedulers(self) -> Mapping[str, Callable[[], Scheduler]]:
        """Scripted schedulers by name: the expert, and a dispatching rule to compare with."""
        return {"expert": self.expert, "first_come": lambda: Rule(first_come)}

    def expert(self) -> Planner:
        """The scripted scheduler."""
        return Planner()

    def oracle(self) -> None:
        """There is none: no schedule is known to be the best."""
