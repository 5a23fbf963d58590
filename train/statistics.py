"""What a training run reports: figures of finished episodes, reward terms and where the time goes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..envs.engine.task import Task
from .sb3_adapter import CellVecEnv

RECENT_EPISODES = 200


class EpisodeStatistics:
    """Means over the steps and the finished episodes since the last report.

    Args:
        task: names the reward terms and the metrics.
    """

    def __init__(self, task: Task):
        self.task = task
        self.recent: deque[tuple[bool, float]] = deque(maxlen=RECENT_EPISODES)
        self._clear()

    def _clear(self) -> None:
        self._steps = 0
        self._terms = dict.fromkeys(self.task.rewards, 0.0)
        self._finished: list[dict[str, Any]] = []

    def add(self, venv: CellVecEnv, infos: Sequence[Mapping[str, Any]]) -> None:
        """Count one step of all rows."""
        self._steps += venv.num_envs
        terms = venv.step_info["reward_terms"]
        for name in self._terms:
            self._terms[name] += float(terms[name].sum())
        for info in infos:
            if info:
                self._finished.append(dict(info))
                self.recent.append((info["is_success"], info["episode"]["r"]))
                # the row has been reset, so its last terms stand in its final info alone
                for name in self._terms:
                    self._terms[name] += info["reward_terms"][name]

    def report(self) -> dict[str, float]:
        """Figures by TensorBoard tag since the last report; tags without data are left out."""
        out: dict[str, float] = {}
        if self._steps:
            out.update({f"reward/{name}": total / self._steps for name, total in self._terms.items()})
        if self._finished:
            out["rollout/success_rate"] = _mean([i["is_success"] for i in self._finished])
            out["rollout/return"] = _mean([i["episode"]["r"] for i in self._finished])
            steps = _mean([i["episode"]["l"] for i in self._finished])
            if self.task.decisions:  # which have no length of their own
                out["rollout/length_decisions"] = steps
            else:
                out["rollout/length_s"] = steps * self.task.timing.control_dt
            for name, metric in self.task.metrics.items():
                values = np.array([i["metrics"][name] for i in self._finished], dtype=np.float64)  # None is NaN
                if np.isfinite(values).any():
                    out[metric_tag("metrics", name, metric.unit)] = float(values[np.isfinite(values)].mean())
        self._clear()
        return out

    @property
    def recent_success(self) -> float | None:
        """Success rate of the last episodes; None before the first has finished."""
        return _mean([s for s, _ in self.recent]) if self.recent else None

    @property
    def recent_return(self) -> float | None:
        """Mean return of the last episodes; None before the first has finished."""
        return _mean([r for _, r in self.recent]) if self.recent else None


class Stopwatch:
    """Wall clock by phase; one phase runs at a time.

    Attributes:
        seconds: time spent in each phase since the run, or its continuation, began.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._phase = "setup"
        self._since = time.perf_counter()

    def enter(self, phase: str) -> None:
        """Book the time since the last call to the old phase and begin another."""
        now = time.perf_counter()
        self.seconds[self._phase] = self.seconds.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = phase, now

    def split(self, env_seconds: float) -> dict[str, float]:
        """Seconds in the environment, the policy (and the rest of collecting), and the updates."""
        rollout = self.seconds.get("rollout", 0.0)
        return {"env": env_seconds, "policy": rollout - env_seconds, "update": self.seconds.get("update", 0.0)}


def metric_tag(section: str, name: str, unit: str) -> str:
    """A TensorBoard tag that carries the unit: `metrics/peak_jerk_m_per_s3`."""
    if unit == "1":
        return f"{section}/{name}"
    for mark, word in (("/", "_per_"), ("^", ""), (" ", "_"), ("%", "percent")):
        unit = unit.replace(mark, word)
    return f"{section}/{name}_{unit}"


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
