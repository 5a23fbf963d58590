"""Validation during training: the deterministic policy on held-out seeds, every row one episode."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config import TrainConfig
from .learner import Learner, make_cells

MOST_ROWS = 128


@dataclass(frozen=True)
class Validation:
    """The result of one validation.

    Attributes:
        step: environment steps trained before it.
        episodes, successes: counts.
        mean_return: mean sum of rewards.
        metrics: median of each metric over the successful episodes, NaN where there is none.
        seconds: wall clock that it took.
        main_metric: the metric that ranks equal success rates.
        lower_is_better: its direction.
    """

    step: int
    episodes: int
    successes: int
    mean_return: float
    metrics: dict[str, float]
    seconds: float
    main_metric: str
    lower_is_better: bool

    @property
    def success_rate(self) -> float:
        """Share of successful episodes."""
        return self.successes / self.episodes

    @property
    def rank(self) -> tuple[float, float]:
        """Sorts policies: success first, then the main metric; greater is better."""
        figure = self.metrics[self.main_metric]
        if math.isnan(figure):
            return self.success_rate, -math.inf
        return self.success_rate, -figure if self.lower_is_better else figure

    def record(self) -> dict[str, Any]:
        """The line of evaluations.jsonl; NaN is null."""
        return {
            "step": self.step,
            "episodes": self.episodes,
            "successes": self.successes,
            "success_rate": self.success_rate,
            "mean_return": self.mean_return,
            "median_metrics_of_successes": {k: None if math.isnan(v) else v for k, v in self.metrics.items()},
            "seconds": round(self.seconds, 3),
        }


class Validator:
    """Runs validations on an environment of its own.

    Episode i has the seed `first_seed + i`, and each seed is played once and to its end: counting the first episodes to
    finish would favour short ones. Rows that are done early go on with episodes that nobody counts.

    Args:
        config: the run's config.
        stopped: asked at every step; a validation that is stopped has no result.
    """

    def __init__(self, config: TrainConfig, stopped: Callable[[], bool] = lambda: False):
        self.config = config
        self.stopped = stopped
        self.env = make_cells(config, min(config.evaluation.episodes, MOST_ROWS))

    def __call__(self, learner: Learner) -> Validation | None:
        """Validate the present policy; None if stopped on the way."""
        task, episodes = self.env.task, self.config.evaluation.episodes
        begin = time.perf_counter()
        success = np.zeros(episodes, dtype=bool)
        returns = np.zeros(episodes)
        metrics = {name: np.full(episodes, np.nan) for name in task.metrics}
        for first in range(0, episodes, self.env.num_envs):
            if not self._round(learner, first, success, returns, metrics):
                return None
        main = task.main_metric
        return Validation(
            step=learner.num_timesteps,
            episodes=episodes,
            successes=int(success.sum()),
            mean_return=float(returns.mean()),
            metrics={k: _median(v[success]) for k, v in metrics.items()},
            seconds=time.perf_counter() - begin,
            main_metric=main,
            lower_is_better=task.metrics[main].better == "lower",
        )

    def _round(
        self,
        learner: Learner,
        first: int,
        success: NDArray[np.bool_],
        returns: NDArray[np.float64],
        metrics: dict[str, NDArray[np.float64]],
    ) -> bool:
        env, rows = self.env, self.env.num_envs
        observation, _ = env.reset(seed=self.config.evaluation.first_seed + first)
        # rows beyond the last episode are not counted
        open_rows = np.arange(rows) < success.size - first
        total = np.zeros(rows)
        while open_rows.any():
            if self.stopped():
                return False
            actions, _ = learner.predict(observation, deterministic=True)
            observation, reward, terminated, truncated, info = env.step(actions)
            total += reward
            finished = (terminated | truncated) & open_rows
            if finished.any():
                final = info["final_info"]
                where = first + np.flatnonzero(finished)
                success[where] = final["is_success"][finished]
                returns[where] = total[finished]
                for name, values in metrics.items():
                    values[where] = final["metrics"][name][finished]
                open_rows &= ~finished
        return True

    def close(self) -> None:
        """Close the environment."""
        self.env.close()


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if values.size else math.nan
