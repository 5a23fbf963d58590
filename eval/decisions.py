"""The policies that evaluation can score where actions are decisions: a bundle, schedulers, and chance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..deploy.bundle import Bundle
from ..deploy.decision import choose
from ..envs.engine.task import Task
from ..envs.randomness import KeyedRandom
from ..errors import ShopfloorError

Decisions = NDArray[np.int64]
Index = NDArray[np.intp]


class DecidingBundle:
    """An exported policy that decides, asked row by row at batch 1."""

    kind = "bundle"
    privileged = False

    def __init__(self, bundle: Bundle):
        self._policy = bundle.policy

    def reset(self, cell: Any, rows: Index) -> None:
        """The observation holds all there is to remember."""

    def act(self, cell: Any, rows: Index) -> Decisions:
        """Decisions (n, 1) of the given rows; the others get decision 0."""
        observation = np.concatenate((cell.observation(), cell.mask), axis=1, dtype=np.float32)
        out = np.zeros((cell.n, 1), np.int64)
        for row in rows.tolist():
            out[row] = choose(self._policy(observation[row]), cell.mask[row])
        return out


class Scheduler:
    """A scripted scheduler of a task."""

    def __init__(self, kind: str, script: Any):
        self.kind = kind
        self.privileged: bool = script.privileged
        self._script = script

    def reset(self, cell: Any, rows: Index) -> None:
        """Pass on which rows begin."""
        self._script.reset(cell, rows)

    def act(self, cell: Any, rows: Index) -> Decisions:
        """The script's decisions."""
        decisions: Decisions = self._script.act(cell)
        return decisions


class RandomDecisions:
    """One of the allowed decisions, each as likely, drawn by seed, episode and step."""

    kind = "random"
    privileged = False

    def __init__(self) -> None:
        self._random = KeyedRandom()

    def reset(self, cell: Any, rows: Index) -> None:
        """Draws are keyed: there is nothing to remember."""

    def act(self, cell: Any, rows: Index) -> Decisions:
        """Random decisions."""
        s = cell.s
        out = np.zeros((cell.n, 1), np.int64)
        for row in rows.tolist():
            generator = self._random.generator(int(s.seed[row]), "policy:random", int(s.episode[row]), int(s.step[row]))
            out[row] = generator.choice(np.flatnonzero(cell.mask[row]))
        return out


def scripted_decisions(kind: str, task: Task) -> Scheduler | RandomDecisions:
    """A scripted policy of a task whose actions are decisions.

    Raises:
        ShopfloorError: if the task has none of that kind.
    """
    if kind == "random":
        return RandomDecisions()
    declaration: Any = task
    schedulers = declaration.schedulers
    if kind not in schedulers:
        known = ", ".join(("random", *schedulers))
        raise ShopfloorError(f"{type(task).__name__} has no {kind}; it has: {known}")
    return Scheduler(kind, schedulers[kind]())
