"""Throughput where actions are decisions: the environment against the bare event simulation.

There is no physics to compare with. What stands for it is the simulation of events alone, which carries out the same
decisions in the same states: no rewards, observations, masks for the learner, infos and new lots.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

DISTINCT = 64  # batches of random numbers, drawn beforehand and repeated
SETTLING = 300  # decisions after which lots are at different places, as in training
BEGUN, WINDOW = 40, 64  # decisions before those that are recorded, and how many are: no lot ends in them


class Allowed:
    """Random decisions among the allowed ones, from numbers drawn beforehand."""

    def __init__(self, env: Any):
        self._env = env
        self._numbers = np.random.default_rng(0).random((DISTINCT, env.num_envs))
        self._next = 0

    def __call__(self) -> NDArray[np.int64]:
        """The next batch (n,)."""
        mask = self._env.cell.mask
        rank = (self._numbers[self._next] * mask.sum(axis=1)).astype(np.int64)
        self._next = (self._next + 1) % DISTINCT
        return np.asarray((mask.cumsum(axis=1) > rank[:, None]).argmax(axis=1))


def settled(env: Any) -> Allowed:
    """Play until lots are at different places; returns what chooses the decisions."""
    actions = Allowed(env)
    env.reset(seed=0)
    for _ in range(SETTLING):
        env.step(actions())
    return actions


class EventBound:
    """Replays recorded decisions in the bare event simulation; stands where `RawBound` stands for physics.

    Args:
        env: a vector environment, which is used up.

    Attributes:
        threads: 1, the simulation has no more.
        best: the highest rate reached.
    """

    threads = 1
    way = "events"

    def __init__(self, env: Any):
        actions = Allowed(env)
        env.reset(seed=0)
        for _ in range(BEGUN):
            env.step(actions())
        self._simulator = env.cell.simulator
        self._start = self._simulator.save()
        self._decisions: list[tuple[Any, ...]] = []
        step = self._simulator.step

        def listen(*arguments: Any) -> None:
            self._decisions.append(tuple(a.copy() if isinstance(a, np.ndarray) else a for a in arguments))
            step(*arguments)

        self._simulator.step = listen
        for _ in range(WINDOW):
            env.step(actions())
        del self._simulator.step
        self.env_steps = WINDOW * env.num_envs
        self.best = 0.0

    def rate(self, threads: int, seconds: float) -> float:
        """Decisions a second, over at least `seconds`."""
        count, spent = 0, 0.0
        while spent < seconds or not count:
            self._simulator.restore(self._start)
            begin = time.perf_counter()
            for arguments in self._decisions:
                self._simulator.step(*arguments)
            spent += time.perf_counter() - begin
            count += self.env_steps
        self.best = max(self.best, count / spent)
        return count / spent

    def close(self) -> None:
        """There is nothing to stop."""
