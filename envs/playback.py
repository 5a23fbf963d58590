"""Episodes of one row for pictures, films and the browser, under a scripted policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShopfloorError
from .registry import make_cell, make_declaration

if TYPE_CHECKING:
    from .engine.task import Task

POLICIES = ("expert", "oracle", "random", "zero")
FILM_FPS = 25.0  # pictures a second in films of decisions
FILM_SPEED = 10.0  # seconds of the machine in a second of such a film
FILM_S = 30.0  # length of such a film, a short piece of a lot


def playback(
    env_id: str, kwargs: dict[str, Any], policy: str = "expert", seed: int = 0, randomization: object = None
) -> Playback:
    """Episodes of an environment by its id; arguments as those of `Playback`.

    Raises:
        ShopfloorError: if the id, an argument or the policy is unknown.
    """
    task = make_declaration(env_id, **kwargs)
    return (DecisionPlayback if task.decisions else Playback)(task, policy, seed, randomization)


class Playback:
    """One episode after another of a task, under a scripted policy.

    Args:
        task: the task.
        policy: one of `POLICIES`.
        seed: seed of the episodes.
        randomization: see `randomization.choose`; None for the nominal machine.

    Attributes:
        cell: the cell of one row.
    """

    def __init__(self, task: Task, policy: str = "expert", seed: int = 0, randomization: object = None):
        self.cell = make_cell(task, 1, randomization=randomization)
        self.policy = policy
        self._actions = np.random.default_rng(seed)
        self._script: Any = None
        if policy in ("expert", "oracle"):
            self._script = self.cell.task.expert() if policy == "expert" else self.cell.task.oracle()
            if self._script is None:
                raise ShopfloorError(f"this environment has no {policy}; policies: {', '.join(POLICIES)}")
        self.cell.reset(None, np.array([seed]))
        self._prepare()

    def next_episode(self) -> None:
        """Begin the next episode of the seed."""
        self.cell.reset()
        self._prepare()

    def step(self) -> bool:
        """Advance one control step; returns whether the episode goes on."""
        self.cell.step(self._setpoints())
        return not (self.cell.terminated[0] or self.cell.truncated[0])

    @property
    def period_s(self) -> float:
        """Time that one step takes in a film of the episode, s."""
        return self.cell.timing.control_dt

    @property
    def longest(self) -> int:
        """Steps after which a film ends at the latest."""
        return self.cell.max_steps

    @property
    def time_s(self) -> float:
        """Time since the start of the episode, s."""
        return float(self.cell.s.time_s[0])

    @property
    def outcome(self) -> str:
        """How the episode stands, in a few words."""
        cell = self.cell
        reason = cell.reasons[int(cell.reason[0])]
        values = {name: float(value[0]) for name, value in cell.metrics().items()}
        main = cell.task.main_metric
        figure = "" if np.isnan(values[main]) else f", {main} {values[main]:.3g} {cell.task.metrics[main].unit}"
        return f"{reason or 'running'} after {self.time_s:.2f} s{figure}"

    @property
    def sample(self) -> dict[str, NDArray[np.float64]]:
        """Values (components,) of the episode's randomization terms by name; nothing where the machine is nominal."""
        randomizer = self.cell.randomizer
        if randomizer is None or not randomizer.engaged:
            return {}
        return {name: value[0].copy() for name, value in randomizer.values.items()}

    def _prepare(self) -> None:
        if self._script is not None:
            self._script.reset(self.cell.s, np.array([0]))

    def _setpoints(self) -> NDArray[np.float64]:
        if self._script is not None:
            return self._script.act(self.cell.s, self.cell.readings())
        size = (1, len(self.cell.terms))
        return self.cell.setpoints(np.zeros(size) if self.policy == "zero" else self._actions.uniform(-1.0, 1.0, size))


class DecisionPlayback(Playback):
    """Episodes of decisions, which take different times: a step is a picture of a film in fast motion."""

    cell: Any

    def __init__(self, task: Task, policy: str = "expert", seed: int = 0, randomization: object = None):
        self._shown_s = 0.0  # of the last decision
        super().__init__(task, policy, seed, randomization)

    def step(self) -> bool:
        """Show the next moment, with the decisions that are due; returns whether the episode goes on."""
        cell = self.cell
        self._shown_s += FILM_SPEED / FILM_FPS
        while self._shown_s >= (whole := cell.sim.duration(0)):
            if cell.terminated[0] or cell.truncated[0]:  # the last decision has been shown to its end
                cell.sim.share = 1.0
                return False
            self._shown_s -= whole
            cell.step(self._setpoints())
        cell.sim.share = self._shown_s / whole
        return True

    @property
    def period_s(self) -> float:
        """Time that one step takes in a film, s."""
        return 1.0 / FILM_FPS

    @property
    def longest(self) -> int:
        """Steps after which a film ends at the latest."""
        return round(FILM_S * FILM_FPS)

    @property
    def time_s(self) -> float:
        """Time since the start of the lot until the end of the last decision, s."""
        return float(self.cell.simulator.state.time[0])

    def _prepare(self) -> None:
        self._shown_s, self.cell.sim.share = 0.0, 1.0
        if self._script is not None:
            self._script.reset(self.cell, np.array([0]))

    def _setpoints(self) -> NDArray[Any]:
        if self._script is not None:
            decided: NDArray[Any] = self._script.act(self.cell)
            return decided
        allowed = np.flatnonzero(self.cell.mask[0])
        return np.array([[allowed[-1] if self.policy == "zero" else self._actions.choice(allowed)]])
