"""The in-process twin: the simulated cell behind the same control layer as a machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..contract import Contract
from ..envs.engine.core import BatchedCell, Forced
from ..envs.engine.describe import canonical_id, contract_of
from ..envs.engine.task import Task
from ..envs.registry import make_task
from ..errors import ShopfloorError
from .control_layer import Array, Outcome, StateFrame


class MujocoTwin:
    """One simulated cell that advances one control step with every command.

    It keeps step with its commands: simulated time stands still between them, however long a command takes. Needs
    mujoco, but neither Gymnasium nor torch.

    Args:
        env_id: registered environment, with or without namespace.
        task_kwargs: its task arguments.
        max_steps: time limit of an episode in control steps; None for the task's.
        randomization: what `randomization.choose` takes; None for the nominal plant.

    Attributes:
        cell: the simulated cell.
        forced: what `start` tells an episode instead of drawing it.
    """

    def __init__(
        self,
        env_id: str,
        task_kwargs: Mapping[str, Any] | None = None,
        max_steps: int | None = None,
        randomization: object = None,
    ):
        kwargs = dict(task_kwargs or {})
        self._build(make_task(env_id, **kwargs), canonical_id(env_id), kwargs, max_steps, randomization)

    @classmethod
    def from_task(
        cls,
        task: Task,
        env_id: str = "",
        task_kwargs: Mapping[str, Any] | None = None,
        max_steps: int | None = None,
        randomization: object = None,
    ) -> MujocoTwin:
        """A twin of a task that is not registered."""
        twin = cls.__new__(cls)
        twin._build(task, env_id, dict(task_kwargs or {}), max_steps, randomization)
        return twin

    def _build(
        self, task: Task, env_id: str, kwargs: Mapping[str, Any], max_steps: int | None, randomization: object
    ) -> None:
        self.cell = BatchedCell(task, 1, threads=1, max_steps=max_steps, randomization=randomization)
        self.forced = Forced()
        self._description = contract_of(task, env_id, kwargs)
        self._running = False
        self._commands = 0

    def describe(self) -> Contract:
        """What the cell offers."""
        return self._description

    def start(self, seed: int) -> None:
        """Begin the first episode of a seed."""
        self.cell.reset(None, np.array([seed], dtype=np.int64), *self.forced)
        self._running = True
        self._commands = 0

    def read(self) -> StateFrame:
        """Readings of the present state; the same frame until a command advances it."""
        s = self.cell.s
        readings = {name: value[0] for name, value in self.cell.readings().items()}
        return StateFrame(int(s.step[0]), float(s.time_s[0]), readings, self._finished())

    def _finished(self) -> bool:
        return bool(self.cell.terminated[0] or self.cell.truncated[0])

    def write(self, seq: int, setpoint: Array) -> None:
        """Advance one control step under set-points (size,).

        Raises:
            ShopfloorError: if the twin is stopped, its episode has ended, or a command is out of sequence.
        """
        if not self._running or self._finished():
            raise ShopfloorError("the twin does not run: start() begins an episode")
        if seq != self._commands:
            raise ShopfloorError(f"command {seq} is out of sequence: the twin expects {self._commands}")
        self._commands += 1
        self.cell.step(np.asarray(setpoint, dtype=np.float64)[None])

    def stop(self) -> None:
        """Stand still: simulated time stops, and commands are refused until `start`."""
        self._running = False

    def outcome(self) -> Outcome | None:
        """How the episode ended; None while it could go on."""
        if not self._finished():
            return None
        cell, task = self.cell, self.cell.task
        return Outcome(
            success=bool(cell.success[0]),
            reason=cell.reasons[int(cell.reason[0])],
            metrics={name: float(value[0]) for name, value in cell.metrics().items()},
            units={name: metric.unit for name, metric in task.metrics.items()},
            main_metric=task.main_metric,
        )
