"""One episode as figures: everything that the task declares, at every control step; and what a policy commanded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.engine.core import BatchedCell
from ..envs.engine.task import Task
from ..envs.sensing import POLICY, PRIVILEGED
from ..eval.policies import Policy
from ..eval.report import without_nan

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class Recording:
    """One episode at control rate; sample 0 is the start.

    Attributes:
        seed: of the episode.
        success, reason: how it ended.
        time_s: (k,) since the start.
        channels: readings by name, (k, size), in the units that the task declares.
        metrics: by name, (k,), as they were at each time.
        setpoints: (k - 1, size), what was commanded between one sample and the next.
        params: the sample of the start distribution.
    """

    seed: int
    success: bool
    reason: str
    time_s: Array
    channels: Mapping[str, Array]
    metrics: Mapping[str, Array]
    setpoints: Array
    params: Mapping[str, Any]

    def to_plain(self) -> dict[str, Any]:
        """JSON data; what is not finite becomes null."""
        data = asdict(self)
        for name in ("time_s", "setpoints"):
            data[name] = data[name].tolist()
        for name in ("channels", "metrics"):
            data[name] = {k: v.tolist() for k, v in data[name].items()}
        plain: dict[str, Any] = without_nan(data)
        return plain

    @classmethod
    def from_plain(cls, data: Mapping[str, Any]) -> Recording:
        """What `to_plain` wrote."""
        arrays = {name: _array(data[name]) for name in ("time_s", "setpoints")}
        groups = {name: {k: _array(v) for k, v in data[name].items()} for name in ("channels", "metrics")}
        return cls(**{**data, **arrays, **groups})


def _array(values: Any) -> Array:
    return np.array(values, dtype=np.float64)  # null becomes NaN


def record(policy: Policy, task: Task, seed: int, watch: Callable[[BatchedCell], None] | None = None) -> Recording:
    """Play the first episode of a seed.

    Args:
        policy: the policy.
        task: a fresh task.
        seed: of the episode.
        watch: called with the cell at every sample, for instance to take a picture.
    """
    cell = BatchedCell(task, 1, threads=1)
    rows = np.zeros(1, dtype=np.intp)
    cell.reset(rows, np.array([seed], dtype=np.int64))
    policy.reset(cell, rows)
    samples = [_sample(cell)]
    setpoints = []
    if watch is not None:
        watch(cell)
    while not (cell.terminated[0] or cell.truncated[0]):
        setpoints.append(policy.act(cell, rows)[0].copy())
        cell.step(setpoints[-1][None])
        samples.append(_sample(cell))
        if watch is not None:
            watch(cell)
    times, readings, metrics = zip(*samples, strict=True)
    return Recording(
        seed=seed,
        success=bool(cell.success[0]),
        reason=cell.reasons[int(cell.reason[0])],
        time_s=np.array(times),
        channels={name: np.stack([r[name] for r in readings]) for name in readings[0]},
        metrics={name: np.array([m[name] for m in metrics]) for name in metrics[0]},
        setpoints=np.stack(setpoints),
        params={name: values[0].tolist() for name, values in cell.params.items()},
    )


def _sample(cell: BatchedCell) -> tuple[float, dict[str, Array], dict[str, float]]:
    readings = {name: value[0] for group in (POLICY, PRIVILEGED) for name, value in cell.readings(group).items()}
    return float(cell.s.time_s[0]), readings, {name: float(value[0]) for name, value in cell.metrics().items()}


class Transcript:
    """A policy that passes on what another one commands, and keeps it by seed.

    Attributes:
        setpoints: (steps, size) of each episode that was played, by its seed.
    """

    def __init__(self, policy: Policy):
        self.kind, self.privileged = policy.kind, policy.privileged
        self._policy = policy
        self._kept: dict[int, list[Array]] = {}

    def reset(self, cell: BatchedCell, rows: Index) -> None:
        """Pass on."""
        for seed in cell.s.seed[rows].tolist():
            self._kept[seed] = []
        self._policy.reset(cell, rows)

    def act(self, cell: BatchedCell, rows: Index) -> Array:
        """Pass on and keep."""
        setpoints = self._policy.act(cell, rows)
        for row in rows.tolist():
            self._kept[int(cell.s.seed[row])].append(setpoints[row].copy())
        return setpoints

    @property
    def setpoints(self) -> dict[int, Array]:
        """Set-points by seed."""
        return {seed: np.array(steps) for seed, steps in self._kept.items()}


def typical(metric: Array, fallback: int = 0) -> int:
    """Index of the episode whose metric is nearest to the median of the finite ones; `fallback` if there is none."""
    finite = metric[np.isfinite(metric)]
    if not finite.size:
        return fallback
    distance = np.abs(metric - np.median(finite))
    return int(np.nanargmin(np.where(np.isfinite(distance), distance, math.inf)))
