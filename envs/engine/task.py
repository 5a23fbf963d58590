"""What a task declares. Everything downstream (spaces, pages, contracts, logs) is generated from this."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from ..sensing import POLICY, Channel, Rgbd
from .simulation import Simulation
from .start import Term, check_terms

if TYPE_CHECKING:
    from ..control import ActionInterface
    from .expert import Expert

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]


@dataclass(frozen=True)
class Timing:
    """Rates of a task.

    Attributes:
        control_hz: actions a second.
        timestep_s: physics step; must divide the control period.
        horizon_s: time limit of an episode.
    """

    control_hz: float
    timestep_s: float
    horizon_s: float

    def __post_init__(self) -> None:
        ratio = 1.0 / (self.control_hz * self.timestep_s)
        if abs(ratio - round(ratio)) > 1e-6 or round(ratio) < 1:
            raise ShopfloorError(
                f"the physics step {self.timestep_s} s does not divide the control period {1 / self.control_hz:g} s"
            )

    @property
    def substeps(self) -> int:
        """Physics steps a control step."""
        return round(1.0 / (self.control_hz * self.timestep_s))

    @property
    def control_dt(self) -> float:
        """Control period in s."""
        return 1.0 / self.control_hz

    @property
    def max_steps(self) -> int:
        """Control steps until the time limit."""
        return round(self.horizon_s * self.control_hz)


@dataclass(frozen=True)
class Metric:
    """A figure an engineer reads: name from the task's dictionary, unit and which way is better.

    Attributes:
        unit: SI unit or a stated multiple ("mm"), "1" for a ratio.
        better: "lower" or "higher".
        description: one line.
    """

    unit: str
    better: str = "lower"
    description: str = ""


@dataclass(frozen=True)
class Reward:
    """Weight and meaning of a reward term whose value before weighting lies in [0, 1]."""

    weight: float
    description: str = ""


def column(values: Any) -> Array:
    """A quantity (n,) as a channel (n, 1) of one component, a view."""
    out: Array = np.asarray(values, dtype=np.float64)[:, None]
    return out


def with_failure(
    rewards: Mapping[str, Reward],
    steps: int,
    name: str = "failed",
    cause: str = "a failure ends it",
    extra: float = 0.0,
) -> dict[str, Reward]:
    """Rewards with one more, of what is left of an episode when it fails.

    A failure that ends an episode in which every step costs has to cost as much as the steps that are left could have
    cost, or it would be a cheap end of it.

    Args:
        rewards: of every step.
        steps: of the longest episode.
        name: of the reward that is added.
        cause: what ends the episode, in words.
        extra: cost of a failure beyond that, at the beginning of an episode.
    """
    worst = sum(r.weight for r in rewards.values() if r.weight < 0.0) * steps
    return {**rewards, name: Reward(worst - extra, f"share of the episode that is left when {cause}")}


class Rows:
    """The arrays of n rows, by name. Each is registered once and saved and restored with the environment.

    Engine arrays: `step` (control steps since the episode began), `time_s`, `episode`, `seed`, `action` (the last
    set-points, in the interface's units). A task adds its own with `new`.
    """

    def __init__(self, n: int, sim: Simulation, timing: Timing):
        self.n = n
        self.sim = sim
        self.timing = timing
        self._arrays: dict[str, NDArray[Any]] = {}
        self.new("step", dtype=np.int64)
        self.new("episode", dtype=np.int64, fill=-1)
        self.new("seed", dtype=np.int64)
        self.new("time_s")

    def new(self, name: str, shape: tuple[int, ...] = (), dtype: Any = np.float64, fill: float = 0) -> NDArray[Any]:
        """Register the array `name` of shape (n, *shape) and return it."""
        if name in self._arrays or name in ("n", "sim", "timing"):
            raise ShopfloorError(f"the row array {name!r} is registered twice")
        array = np.full((self.n, *shape), fill, dtype=dtype)
        self._arrays[name] = array
        object.__setattr__(self, name, array)
        return array

    def __getattr__(self, name: str) -> Any:  # only for names that were never registered
        raise AttributeError(f"no row array {name!r}; registered: {', '.join(self.__dict__.get('_arrays', {}))}")

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def __setattr__(self, name: str, value: Any) -> None:
        # `rows.x = value` would replace the array that is saved, viewed and restored
        if name in self.__dict__.get("_arrays", {}):
            self._arrays[name][...] = value
        else:
            object.__setattr__(self, name, value)

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Copies of all registered arrays."""
        return {k: v.copy() for k, v in self._arrays.items()}

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what `get_state` returned.

        Raises:
            ShopfloorError: if the state is of other arrays.
        """
        other = sorted(set(state) ^ set(self._arrays))
        if other:
            raise ShopfloorError(f"the saved state is of another task or version: {', '.join(other)} differ")
        for name, value in state.items():
            self._arrays[name][...] = value


@dataclass
class Overlay:
    """Things drawn into a picture on top of the model.

    Attributes:
        frames: (position (3,), rotation matrix (3, 3), axis length in m).
        points: (position (3,), radius in m, rgba (4,)).
        traces: (points (k, 3), width in m, rgba (4,)).
        drawings: functions that append to the scene what these three cannot say.
    """

    frames: list[tuple[Array, Array, float]] = field(default_factory=list)
    points: list[tuple[Array, float, tuple[float, float, float, float]]] = field(default_factory=list)
    traces: list[tuple[Array, float, tuple[float, float, float, float]]] = field(default_factory=list)
    drawings: list[Callable[[mujoco.MjvScene], None]] = field(default_factory=list)


class Task(ABC):
    """One task: a cell, how it is commanded, what is seen, what counts.

    A subclass declares the class attributes and writes the methods below, each over all n rows at once. The engine
    calls, at the beginning of an episode of some rows: `begin`, then physics is brought up to date, `measure`,
    `commence`; at every control step: physics, `measure`, `accumulate`, then rewards, success and failures.
    Every channel has a method `observe_<name>(s) -> (n, size)`, every reward `reward_<name>(s) -> (n,)` in [0, 1],
    every metric `metric_<name>(s) -> (n,)`; where there is no method, the row array of that name is taken as it is.

    Attributes:
        title: one line for tables.
        timing: rates.
        channels: observation channels, in order.
        rewards: reward terms.
        metrics: figures reported for every episode.
        main_metric: the metric that ranks successful policies.
        start: the start distribution.
        success_text, failure_texts: the predicates in words, failures by name.
        success_hold_s: how long the success predicate must hold.
        terminate_on_success: whether success ends the episode.
        cameras: names of the cell's cameras, the default one first.
        rgbd: the cameras that a policy may see through, and what they replace; None for a task without.
        picture_steps: control steps of the expert before the picture of the documentation page.
        pictured: arguments with which the page shows a picture more, by the word that its file is named with.
        versions: version history, "vN" -> what changed.
        references: literature and data sheets.
        process_state: row arrays (n, ...) of physics that the task integrates itself; a row in which one is not finite
            any more ends as one whose simulation has failed.
        randomization: the task's domain randomization, the name of a spec of `configs/randomization` or a path; None
            for a task without.
        decisions: what the number of an action means, where actions are decisions, which take as long as they take
            and come without a control rate; empty for all tasks of this class (see `registry.EventDriven`).
    """

    title: ClassVar[str] = ""
    timing: Timing
    channels: tuple[Channel, ...]
    rewards: Mapping[str, Reward]
    metrics: Mapping[str, Metric]
    main_metric: str
    start: tuple[Term, ...]
    success_text: str
    success_hold_s: float = 0.0
    failure_texts: Mapping[str, str] = {}
    terminate_on_success: bool = True
    cameras: tuple[str, ...] = ("overview",)
    rgbd: Rgbd | None = None
    picture_steps: int = 25
    pictured: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    versions: ClassVar[Mapping[str, str]] = {}
    references: ClassVar[Sequence[str]] = ()
    process_state: tuple[str, ...] = ()
    randomization: str | None = None
    decisions: ClassVar[tuple[str, ...]] = ()

    @property
    def render_fps(self) -> int:
        """Pictures a second at which an episode is seen as it happens: one for each control step."""
        return round(self.timing.control_hz)

    @abstractmethod
    def cell(self, visual: bool) -> mujoco.MjSpec:
        """The cell's model; without visual geometry for stepping, with it for pictures."""

    @abstractmethod
    def make_action(self) -> ActionInterface:
        """A fresh action interface."""

    @abstractmethod
    def allocate(self, s: Rows) -> None:
        """Resolve names and register the task's row arrays, once."""

    @abstractmethod
    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Write the start state of `rows` into the simulation; `params[name]` is (k,) or (k, size)."""

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """Set task variables of `rows` that need up-to-date physics, such as a reference position."""

    @abstractmethod
    def measure(self, s: Rows) -> None:
        """Compute task quantities from the physics state, for all rows. Must not accumulate."""

    def accumulate(self, s: Rows) -> None:
        """Update what adds up over an episode, once a control step."""

    @abstractmethod
    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """Whether the success condition holds right now, (n,); the engine applies the hold time."""

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Conditions that end the episode as a failure, by the names of `failure_texts`."""
        return {}

    def failed(self, s: Rows) -> NDArray[np.bool_]:
        """Rows (n,) that some failure ends."""
        out = np.zeros(s.n, dtype=bool)
        for mask in self.failures(s).values():
            out |= mask
        return out

    def violations(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Limits that are violated right now without ending the episode, by name."""
        return {}

    def overlay(self, s: Rows, row: int) -> Overlay:
        """What to draw into a picture of one row."""
        return Overlay()

    def expert(self) -> Expert:
        """The scripted expert: what an experienced process engineer would program."""
        raise ShopfloorError(f"{type(self).__name__} has no scripted expert")

    def oracle(self) -> Expert | None:
        """A reference that knows the truth and plays the best known solution, where there is one."""
        return None

    # goal-conditioned variants override these three
    goal_size: int = 0

    def reaches_success(self, s: Rows) -> NDArray[np.bool_]:
        """Whether success is reached (n,) at this step: in tolerance now, and before for the rest of the hold time."""
        needed = max(1, round(self.success_hold_s * self.timing.control_hz))
        reached: NDArray[np.bool_] = self.succeeded(s) & (s.success_held_steps + 1 >= needed)
        return reached

    def reward_success(self, s: Rows) -> Array:
        """Success reached at this step."""
        return self.reaches_success(s).astype(np.float64)

    def reward_failure(self, s: Rows) -> Array:
        """Any failure at this step."""
        return self.failed(s).astype(np.float64)

    def achieved_goal(self, s: Rows) -> Array:
        """Achieved goal (n, goal_size)."""
        raise ShopfloorError(f"{type(self).__name__} has no goals")

    def desired_goal(self, s: Rows) -> Array:
        """Desired goal (n, goal_size)."""
        raise ShopfloorError(f"{type(self).__name__} has no goals")

    def goal_reward(self, achieved: Array, desired: Array) -> Array:
        """Reward (...) of achieved and desired goals (..., goal_size)."""
        raise ShopfloorError(f"{type(self).__name__} has no goals")

    def check(self) -> None:
        """Verify the declaration against the methods, at build.

        Raises:
            ShopfloorError: naming the first thing that is missing or inconsistent.
        """
        name = type(self).__name__
        check_terms(self.start)
        names = [c.name for c in self.channels]
        if len(set(names)) != len(names):
            raise ShopfloorError(f"{name}: two channels have one name: {names}")
        if self.rgbd is not None:
            readable = [c.name for c in self.channels if c.group == POLICY]
            unknown = [r for r in self.rgbd.replaces if r not in readable]
            if unknown:
                raise ShopfloorError(f"{name}: rgbd replaces {unknown[0]!r}, the policy's channels are {readable}")
        if self.main_metric not in self.metrics:
            raise ShopfloorError(f"{name}: main_metric {self.main_metric!r} is not one of {list(self.metrics)}")
        if not math.isfinite(sum(r.weight for r in self.rewards.values())):
            raise ShopfloorError(f"{name}: reward weights must be finite")
