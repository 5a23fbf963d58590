"""What the evaluations add up to: comparisons on the same episodes, and whether the targets are met."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..envs.engine.task import Task
from .material import Scores


@dataclass(frozen=True)
class Targets:
    """What a trained policy is asked for.

    Attributes:
        success: smallest success rate.
        oracle_ratio: largest ratio of its median main metric to the oracle's.
        expert_ratio: the ratio to the expert's must be below this.
    """

    success: float = 0.95
    oracle_ratio: float = 1.15
    expert_ratio: float = 1.0


@dataclass(frozen=True)
class Comparison:
    """Two policies on the episodes in which both succeeded.

    Attributes:
        ratio: median main metric of the one by that of the other, above 1 where the other is better; NaN where no
            episode was achieved by both.
        paired: median of the ratio episode by episode.
        better_share: share of these episodes in which the one is better.
        episodes: number of these episodes.
    """

    ratio: float
    paired: float
    better_share: float
    episodes: int


@dataclass(frozen=True)
class Check:
    """One target.

    Attributes:
        met: whether it is reached.
        text: target and figure in words.
    """

    met: bool
    text: str


def compare(one: Scores, other: Scores, task: Task) -> Comparison:
    """Compare the main metric of two evaluations of the same episodes."""
    name = task.main_metric
    ours, theirs = one.of_successes(name), other.of_successes(name)
    both = np.isfinite(ours) & np.isfinite(theirs)
    if not both.any():
        return Comparison(math.nan, math.nan, math.nan, 0)
    a, b = (ours, theirs) if task.metrics[name].better == "lower" else (theirs, ours)
    a, b = a[both], b[both]
    with np.errstate(divide="ignore", invalid="ignore"):  # a metric may be zero
        ratio, paired = np.median(a) / np.median(b), np.median(a / b)
    return Comparison(float(ratio), float(paired), float(np.mean(a < b)), int(both.sum()))


def judge(scores: Mapping[str, Scores], task: Task, targets: Targets | None = None) -> list[Check]:
    """The targets that the evaluations at hand can answer."""
    targets = targets or Targets()
    policy = scores["policy"]
    success = policy.document["summary"]["success"]
    rate = f"{success['successes']} of {len(policy.seeds)} held-out episodes ({100 * success['rate']:.1f} %)"
    checks = [
        Check(success["rate"] >= targets.success, f"success in {rate}; target at least {100 * targets.success:g} %")
    ]
    name = task.main_metric.replace("_", " ")
    limits = {"oracle": ("at most", targets.oracle_ratio), "expert": ("below", targets.expert_ratio)}
    for kind, (word, limit) in limits.items():
        if kind in scores:
            found = compare(policy, scores[kind], task)
            met = found.ratio <= limit if kind == "oracle" else found.ratio < limit
            if found.episodes:
                figure = f"{found.ratio:.3f} × the {kind}'s, on the {found.episodes} episodes that both achieve"
            else:
                figure = f"not comparable with the {kind}'s: no episode was achieved by both"
            checks.append(Check(met, f"median {name} {figure}; target {word} {limit:g}"))
    return checks
