"""`ClusterToolEnv` and `ClusterToolVectorEnv`: the engine's shells around a `ClusterCell`.

Seeds, resets, autoreset modes, infos, saving, pickling and errors are those of every environment of the suite. What
differs is what a step is, a decision instead of a control period, and with it the spaces: actions are numbers, and the
observation has a mask of the allowed ones beside the readings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ....errors import ShopfloorError
from ...engine.env import CellEnv
from ...engine.spaces import select_row
from ...engine.vector_env import CellVectorEnv
from ...sensing import POLICY
from .cell import ClusterCell


def action_space(cell: ClusterCell) -> spaces.Discrete:
    """Numbers of actions."""
    return spaces.Discrete(cell.num_actions)


def observation_space(cell: ClusterCell) -> spaces.Dict:
    """Space of one row: readings and mask."""
    low, high = (np.concatenate([c.bounds[i] for c in cell.task.channels]).astype(np.float32) for i in (0, 1))
    return spaces.Dict(
        {"observation": spaces.Box(low, high, dtype=np.float32), "action_mask": spaces.MultiBinary(cell.num_actions)}
    )


def observe(cell: ClusterCell) -> dict[str, NDArray[Any]]:
    """The batched observation, in fresh arrays."""
    return {"observation": cell.observation(), "action_mask": cell.mask.astype(np.int8)}


def _check_group(observation: str | Sequence[str]) -> None:
    if observation not in (POLICY, (POLICY,), [POLICY]):
        raise ShopfloorError(f"ClusterTool has the one observation group {POLICY!r}, got {observation!r}")


class ClusterToolEnv(CellEnv):
    """One cluster tool as a `gymnasium.Env`; `CellEnv` explains the arguments.

    A step is one decision. `action_masks` and `info["action_mask"]` tell which are allowed.
    """

    cell: ClusterCell  # type: ignore[assignment]

    def _build(self, task: Any) -> None:
        a = self._arguments
        _check_group(a["observation"])
        self.groups = (POLICY,)
        self.cell = ClusterCell(task, 1, randomization=a["randomization"])
        self.observation_space = observation_space(self.cell)
        self.action_space = action_space(self.cell)

    @property
    def control_dt(self) -> float:
        """There is no control period.

        Raises:
            ShopfloorError: always.
        """
        raise ShopfloorError("ClusterTool is event driven: a step takes as long as the decision, so it has no period")

    def action_masks(self) -> NDArray[np.bool_]:
        """Allowed actions now, (actions,)."""
        return self.cell.mask[0].copy()

    def frames(self, per_second: float = 10.0, speed: float = 1.0) -> Iterator[NDArray[np.uint8]]:
        """Pictures of the last decision being carried out, for films.

        Args:
            per_second: pictures a second of film.
            speed: seconds of the tool in a second of film.
        """
        yield from _frames(self.renderer(), self.cell, 0, per_second, speed)

    def _observe(self) -> Any:
        return select_row(observe(self.cell), 0)

    def _info(self) -> dict[str, Any]:
        return {**super()._info(), "action_mask": self.cell.mask[0].astype(np.int8)}


class ClusterToolVectorEnv(CellVectorEnv):
    """n cluster tools as a `gymnasium.vector.VectorEnv`; `CellVectorEnv` explains the arguments.

    Every row takes one decision in a step, each at its own time. Of `threads` none is needed.
    """

    cell: ClusterCell  # type: ignore[assignment]

    def _build(self, task: Any) -> None:
        a = self._arguments
        _check_group(a["observation"])
        self.groups = (POLICY,)
        self.cell = ClusterCell(task, a["num_envs"], a["max_episode_steps"], a["randomization"])
        self._reasons = np.array(self.cell.reasons, dtype=object)
        self.num_envs = self.cell.n
        self.max_episode_steps = self.cell.max_steps
        self.single_observation_space = observation_space(self.cell)
        self.single_action_space = action_space(self.cell)
        self.observation_space = batch_space(self.single_observation_space, self.cell.n)
        self.action_space = batch_space(self.single_action_space, self.cell.n)

    def action_masks(self) -> NDArray[np.bool_]:
        """Allowed actions now, (n, actions)."""
        return self.cell.mask.copy()

    def frames(self, row: int = 0, per_second: float = 10.0, speed: float = 1.0) -> Iterator[NDArray[np.uint8]]:
        """Pictures of the last decision of a row being carried out; see `ClusterToolEnv.frames`."""
        yield from _frames(self.renderer(), self.cell, row, per_second, speed)

    def _observe(self) -> Any:
        return observe(self.cell)

    def _infos(self, mask: NDArray[np.bool_] | None) -> dict[str, Any]:
        have = self._all if mask is None else mask.copy()
        return {**super()._infos(mask), "action_mask": self.cell.mask.astype(np.int8), "_action_mask": have}


def _frames(renderer: Any, cell: ClusterCell, row: int, per_second: float, speed: float) -> Iterator[NDArray[np.uint8]]:
    if not (per_second > 0.0 and speed > 0.0):
        raise ShopfloorError(f"frames: per_second and speed must be above 0, got {per_second} and {speed}")
    count = max(1, round(cell.sim.duration(row) * per_second / speed))
    try:
        for k in range(1, count + 1):
            cell.sim.share = k / count
            yield renderer.render(row)
    finally:
        cell.sim.share = 1.0
