"""What the environments are given to do: random actions, episodes that end one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Space
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from ..envs.engine.vector_env import CellVectorEnv

DISTINCT = 64  # batches of actions, drawn beforehand and repeated


class Actions:
    """Random actions, drawn beforehand so that drawing them costs nothing."""

    def __init__(self, space: Space[Any], count: int = DISTINCT):
        space.seed(0)
        self._drawn = [space.sample() for _ in range(count)]
        self._next = 0

    def __call__(self) -> NDArray[Any]:
        """The next batch."""
        self._next = (self._next + 1) % len(self._drawn)
        return self._drawn[self._next]


def staggered(env: CellVectorEnv, actions: Actions) -> None:
    """Step until the rows are at different times of their episodes, as in training; otherwise all would end at once."""
    assert env.autoreset_mode is AutoresetMode.SAME_STEP
    env.reset(seed=0)
    steps = env.max_episode_steps
    for step in range(steps):
        env.step(actions())
        begins = np.arange(env.num_envs) * steps // env.num_envs == step
        if begins.any():
            env.reset(options={"reset_mask": begins})
