"""Scoring a policy: one episode for each held-out seed, every metric with its unit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.engine.core import TIME_LIMIT, BatchedCell
from ..envs.engine.task import Task
from ..envs.randomness import MAX_SEED
from ..envs.registry import make_cell
from ..errors import ShopfloorError
from .policies import Policy
from .statistics import CONFIDENCE, bootstrap_median, clopper_pearson, wilson

# training seeds stay below these (see `train`), so that no scored episode was ever trained on
HELD_OUT_SEED = 1_000_000
EPISODES = 500
NUM_ENVS = 32
# lots that are decided at a time: without physics, more of them at once cost hardly more
NUM_LOTS = 512


@dataclass(frozen=True)
class EpisodeRecord:
    """The end of one episode.

    Attributes:
        seed: of the episode, which is the first one of that seed.
        success: whether the task was achieved.
        steps: control steps, or decisions.
        termination_reason: why it ended.
        total_reward: sum of rewards.
        metrics: the task's metrics at the end, NaN where they have no meaning.
        task_params: the sample of the start distribution.
        randomization: the values of all randomization terms at the end, empty for a task without.
        rejected: infeasible randomization samples before the one that was used.
    """

    seed: int
    success: bool
    steps: int
    termination_reason: str
    total_reward: float
    metrics: dict[str, float]
    task_params: dict[str, Any]
    randomization: dict[str, Any] = field(default_factory=dict)
    rejected: int = 0


def held_out_seeds(episodes: int, first: int = HELD_OUT_SEED) -> list[int]:
    """The seeds of an evaluation: first, first + 1, …

    Raises:
        ShopfloorError: if there is none, or one is out of range.
    """
    if episodes < 1:
        raise ShopfloorError(f"episodes must be at least 1, got {episodes}")
    if first < 0 or first + episodes - 1 > MAX_SEED:
        raise ShopfloorError(f"seeds must lie between 0 and {MAX_SEED}, got {first} and {episodes - 1} more")
    return list(range(first, first + episodes))


def evaluate(
    policy: Policy,
    task: Task,
    seeds: Sequence[int],
    *,
    num_envs: int | None = None,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
    randomization: object = None,
    task_params: Mapping[str, Any] | None = None,
) -> list[EpisodeRecord]:
    """Run one episode for each seed and report its end, in the order of the seeds.

    Neither `num_envs` nor `threads` changes a bit of the result: rows are independent, and a policy sees one at a time.

    Args:
        policy: the policy.
        task: the task; a fresh one, since it is bound to a cell here.
        seeds: distinct seeds.
        num_envs: episodes that run at the same time; None chooses by the kind of task.
        threads: size of the stepping pool; None chooses from the machine.
        progress: called with the number of episodes finished so far.
        randomization: where the plants are drawn from, as `gymnasium.make` takes it; None for the nominal one.
        task_params: values of the start distribution that all episodes have.

    Raises:
        ShopfloorError: if a seed comes twice, or a value is not one that the task has.
    """
    if len(set(seeds)) != len(seeds) or not seeds:
        raise ShopfloorError("an evaluation needs seeds, and each of them once")
    if num_envs is None:
        num_envs = NUM_LOTS if task.decisions else NUM_ENVS
    if num_envs < 1:
        raise ShopfloorError(f"num_envs must be at least 1, got {num_envs}")
    cell = make_cell(task, min(num_envs, len(seeds)), threads, randomization=randomization)
    waiting = list(reversed(seeds))
    total_reward = np.zeros(cell.n)
    records: dict[int, EpisodeRecord] = {}

    def begin(rows: NDArray[np.intp]) -> None:
        cell.reset(rows, np.array([waiting.pop() for _ in rows], dtype=np.int64), task_params)
        total_reward[rows] = 0.0
        policy.reset(cell, rows)

    active = np.arange(cell.n)
    begin(active)
    while active.size:
        cell.step(policy.act(cell, active), None if active.size == cell.n else active)
        total_reward += cell.reward
        done = active[(cell.terminated | cell.truncated)[active]]
        if not done.size:
            continue
        metrics = cell.metrics()
        for row in done.tolist():
            record = _record(cell, row, float(total_reward[row]), metrics)
            records[record.seed] = record
        refill = done[: len(waiting)]
        active = np.setdiff1d(active, done[len(refill) :])
        if refill.size:
            begin(refill)
        if progress is not None:
            progress(len(records))
    return [records[seed] for seed in seeds]


def _record(cell: BatchedCell, row: int, total_reward: float, metrics: Mapping[str, Any]) -> EpisodeRecord:
    sample = cell.randomizer
    return EpisodeRecord(
        seed=int(cell.s.seed[row]),
        success=bool(cell.success[row]),
        steps=int(cell.s.step[row]),
        termination_reason=cell.reasons[int(cell.reason[row])],
        total_reward=total_reward,
        metrics={name: float(values[row]) for name, values in metrics.items()},
        task_params={name: values[row].tolist() for name, values in cell.params.items()},
        randomization={} if sample is None else {k: _finite(v[row].tolist()) for k, v in sample.values.items()},
        rejected=0 if sample is None else int(sample.rejected[row]),
    )


def _finite(values: list[float]) -> float | list[float | None] | None:
    """Numbers for JSON: one alone stands for itself, one that is not finite becomes None."""
    plain = [v if math.isfinite(v) else None for v in values]
    return plain[0] if len(plain) == 1 else plain


def summarize(records: Sequence[EpisodeRecord], task: Task) -> dict[str, Any]:
    """Success rate, metrics, reasons and rewards of some episodes, as plain data.

    Metrics are summarized over all episodes in which they are finite, failures included; `n` says how many those are.
    `success_median` is over successful episodes alone. The percentile named p95 is always the one on the bad side.
    """
    count, successes = len(records), sum(r.success for r in records)
    return {
        "episodes": count,
        "confidence": CONFIDENCE,
        "success": {
            "rate": successes / count,
            "successes": successes,
            "wilson": list(wilson(successes, count)),
            "clopper_pearson": list(clopper_pearson(successes, count)),
        },
        "main_metric": task.main_metric,
        "metrics": {
            name: {
                "unit": metric.unit,
                "better": metric.better,
                "description": metric.description,
                **_distribution([r.metrics[name] for r in records], name, metric.better),
                "success_median": _median([r.metrics[name] for r in records if r.success]),
            }
            for name, metric in task.metrics.items()
        },
        "reasons": dict(Counter(r.termination_reason for r in records).most_common()),
        "total_reward": {"mean": math.fsum(r.total_reward for r in records) / count},
        **_durations(records, task),
    }


def _durations(records: Sequence[EpisodeRecord], task: Task) -> dict[str, Any]:
    steps = float(np.median([r.steps for r in records]))
    if (
        task.decisions
    ):  # which take as long as they take; what the time limit ends, by deadlock or idling, is unfinished
        return {"decisions": {"median": steps}, "unfinished": sum(r.termination_reason == TIME_LIMIT for r in records)}
    return {"duration_s": {"median": steps * task.timing.control_dt}}


def _median(values: Sequence[float]) -> float | None:
    finite = [v for v in values if math.isfinite(v)]
    return float(np.median(finite)) if finite else None


def _distribution(values: Sequence[float], name: str, better: str) -> dict[str, Any]:
    finite = np.array([v for v in values if math.isfinite(v)])
    if not finite.size:
        return {"n": 0, "median": None, "median_interval": None, "mean": None, "p95": None}
    bad = 0.95 if better == "lower" else 0.05
    return {
        "n": int(finite.size),
        "median": float(np.median(finite)),
        "median_interval": list(bootstrap_median(finite, name)),
        "mean": math.fsum(finite.tolist()) / finite.size,
        "p95": float(np.quantile(finite, bad)),
    }
