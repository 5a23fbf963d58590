"""Where the time of a vector step goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from ..envs.engine.vector_env import CellVectorEnv
from .load import Actions, staggered

STEPS = 400


class Stopwatch:
    """Wall clock by section. A section that runs inside another one is taken off from it, unless that one is whole."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open: list[tuple[str, bool]] = []
        self._since = 0.0

    def timed(self, name: str, function: Callable[..., Any], whole: bool = False) -> Callable[..., Any]:
        """The function, with its time booked under `name`."""

        def call(*args: Any, **kwargs: Any) -> Any:
            if any(closed for _, closed in self._open):
                return function(*args, **kwargs)
            self._book()
            self._open.append((name, whole))
            try:
                return function(*args, **kwargs)
            finally:
                self._book()
                self._open.pop()

        return call

    def wrap(self, owner: Any, method: str, name: str, whole: bool = False) -> None:
        """Time a method of one object."""
        setattr(owner, method, self.timed(name, getattr(owner, method), whole))

    def _book(self) -> None:
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1][0]] += now - self._since
        self._since = now


def profile(env: CellVectorEnv, steps: int = STEPS) -> dict[str, float]:
    """Seconds a step by section, of an environment that is used up by it."""
    actions = Actions(env.action_space)
    staggered(env, actions)
    cell, watch = env.cell, Stopwatch()
    watch.wrap(cell, "reset", "resets", whole=True)
    watch.wrap(cell, "setpoints", "checks and set-points")
    watch.wrap(cell.action, "apply", "action interface")
    watch.wrap(cell.sim, "follow", "physics")
    watch.wrap(cell.sim, "step", "physics")
    watch.wrap(cell.task, "measure", "measure and accumulate")
    watch.wrap(cell.task, "accumulate", "measure and accumulate")
    cell._reward_functions = [(k, w, watch.timed("rewards", f)) for k, w, f in cell._reward_functions]
    watch.wrap(cell, "_finish_step", "success and failures")
    for suite in cell.sensors.values():
        if suite is not None:
            watch.wrap(suite, "update", "sensors")
    watch.wrap(env, "_observe", "observation")
    watch.wrap(env, "_infos", "infos")
    step = watch.timed("rest", env.step)
    for _ in range(steps):
        step(actions())
    return {name: seconds / steps for name, seconds in watch.seconds.items()}


def print_profile(env: CellVectorEnv, title: str) -> None:
    """Print the profile of an environment, largest first."""
    sections = profile(env)
    total = sum(sections.values())
    print(f"{title}: {1e6 * total:,.0f} µs a vector step")
    for name, seconds in sorted(sections.items(), key=lambda item: -item[1]):
        print(f"  {name:24}{1e6 * seconds:9.1f} µs{100 * seconds / total:7.1f} %")
