"""What happens around Stable-Baselines3's loop: threads, curves, progress, validation, checkpoints, stopping.

Everything that saves or measures happens at the beginning of a rollout, after the previous update: there the learner's
state is small and whole, and a run that continues from it is the run that was never stopped.
"""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass, replace
from typing import Any

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from .cloning import let_actor_learn, warm_start
from .curriculum import CurriculumFeed
from .demonstrations import Demonstrator
from .learner import Learner
from .progress import Display
from .run_dir import RunDir
from .sb3_adapter import CellVecEnv
from .statistics import EpisodeStatistics, Stopwatch, metric_tag
from .validation import Validation, Validator

REPORTS = 500  # TensorBoard points over a run of an algorithm that updates after every step


class TrainingStopped(Exception):
    """Raised at a rollout's beginning to leave the loop; the checkpoint has been written."""


@dataclass
class StopRequest:
    """Whether somebody wants training to stop, and by which signal.

    Attributes:
        signal: the signal's number; None while nobody wants to stop.
    """

    signal: int | None = None

    def asked(self) -> bool:
        """Whether to stop."""
        return self.signal is not None


@dataclass
class Milestones:
    """What the run has reached; part of every checkpoint.

    Attributes:
        next_evaluation, next_checkpoint: steps at which the next ones are due.
        last_evaluated: step of the last validation, -1 before the first.
        best: rank of the best validation so far; None before the first.
        trained_s: wall clock spent until the checkpoint.
    """

    next_evaluation: int
    next_checkpoint: int = 0  # a run that is killed before its first update can be continued as well
    last_evaluated: int = -1
    best: tuple[float, ...] | None = None
    trained_s: float = 0.0


class TrainingCallback(BaseCallback):
    """The one callback of a run.

    Args:
        run: the run directory.
        venv: the training environment.
        feed: its curriculum; None if it has none.
        validator: validates policies.
        display: shows progress.
        stop: asked at every rollout's beginning.
        milestones: what is due when; restored on continuing.
        threads: threads of updates; collecting uses one, because a torch pool that spins takes cores from physics.
    """

    def __init__(
        self,
        run: RunDir,
        venv: CellVecEnv,
        feed: CurriculumFeed | None,
        validator: Validator,
        display: Display,
        stop: StopRequest,
        milestones: Milestones,
        threads: int,
    ):
        super().__init__()
        self.run = run
        self.venv = venv
        self.feed = feed
        self.validator = validator
        self.display = display
        self.stop = stop
        self.milestones = milestones
        self.threads = threads
        self.watch = Stopwatch()
        self.statistics = EpisodeStatistics(venv.env.task)
        self._began = time.monotonic()
        self._next_report = 0
        self._reported = (0, {"env": 0.0, "policy": 0.0, "update": 0.0})

    @property
    def learner(self) -> Learner:
        """The learner."""
        model: Any = self.model
        learner: Learner = model
        return learner

    @property
    def trained_s(self) -> float:
        """Wall clock spent on this run, those before an interruption included."""
        return self.milestones.trained_s + time.monotonic() - self._began

    # -- Stable-Baselines3 ------------------------------------------------------------------------------------

    def _on_training_start(self) -> None:
        self._next_report = self.num_timesteps
        self._reported = (self.num_timesteps, self.watch.split(self.venv.env_seconds))

    def _on_rollout_start(self) -> None:
        self.watch.enter("report")
        torch.set_num_threads(1)
        step = self.num_timesteps
        if self.feed is not None:
            self.feed.curriculum.advance(step / self.run.config.total_steps)
        if step > self._next_report:
            self.report()
        if step >= self.milestones.next_evaluation:
            self.evaluate()
        if self.stop.asked():
            self.save_checkpoint()
            raise TrainingStopped
        if step >= self.milestones.next_checkpoint:
            self.save_checkpoint()
        if isinstance(self.model, PPO):
            let_actor_learn(self.model, step >= self.run.config.demonstrations.critic_steps)
        self.watch.enter("rollout")

    def _on_step(self) -> bool:
        self.statistics.add(self.venv, self.locals["infos"])
        if self.feed is not None:
            self.feed.add()
        return True

    def _on_rollout_end(self) -> None:
        self.watch.enter("update")
        torch.set_num_threads(self.threads)

    def _on_training_end(self) -> None:
        self.watch.enter("report")
        torch.set_num_threads(1)
        self.report()
        if self.milestones.last_evaluated != self.num_timesteps:
            self.evaluate()
        self.save_checkpoint()

    # -- what is done -----------------------------------------------------------------------------------------

    def check_stop(self) -> None:
        """Leave at once if somebody wants to; for what comes before the first checkpoint and is done anew."""
        if self.stop.asked():
            raise TrainingStopped

    def learn_from_teacher(self, learner: Learner, demonstrator: Demonstrator) -> None:
        """Warm-start a fresh learner; its first validation is due when PPO begins."""
        assert isinstance(learner, PPO)
        self.watch.enter("demonstrations")
        torch.set_num_threads(self.threads)
        rounds = itertools.count(1)

        def record(figures: dict[str, float]) -> None:
            for tag, value in figures.items():
                learner.logger.record(tag, value)
            learner.logger.dump(next(rounds))

        warm_start(learner, demonstrator, self.run.config.demonstrations, self.check_stop, self.display.say, record)
        self.venv.env_seconds = 0.0  # those of the report are of PPO
        self.milestones.next_evaluation = 0

    def report(self) -> None:
        """Write a point of every curve and move the bar."""
        step = self.num_timesteps
        split = self.watch.split(self.venv.env_seconds)
        before, booked = self._reported
        spent = {phase: split[phase] - booked[phase] for phase in split}
        self._reported = (step, split)
        total = sum(spent.values())
        speed = (step - before) / total if total > 0 else 0.0
        figures = self.statistics.report() | ({} if self.feed is None else self.feed.report())
        for tag, value in figures.items():
            self.logger.record(tag, value)
        self.logger.record("speed/steps_per_s", speed)
        for phase, seconds in spent.items():
            self.logger.record(f"speed/{phase}_share", seconds / total if total > 0 else 0.0)
        self.logger.dump(step)
        self.display.update(step, speed, self.statistics.recent_success, self.statistics.recent_return)
        # an on-policy rollout is long enough for a point of its own
        off_policy = isinstance(self.model, OffPolicyAlgorithm)
        self._next_report = step + (self.run.config.total_steps // REPORTS if off_policy else 0)

    def evaluate(self) -> None:
        """Validate, log, and keep the policy if it is the best so far."""
        self.watch.enter("evaluation")
        result = self.validator(self.learner)
        self.watch.enter("report")
        if result is None:  # stopped on the way; it is due again when the run continues
            return
        every = self.run.config.evaluation.every_steps
        self.milestones.next_evaluation = (result.step // every + 1) * every
        self.milestones.last_evaluated = result.step
        best = self.milestones.best is None or result.rank > self.milestones.best
        if best:
            self.milestones.best = result.rank
            self.run.save_best(self.learner, result)
        self.run.add_evaluation(result, self.trained_s)
        self._log_validation(result, best)

    def _log_validation(self, result: Validation, best: bool) -> None:
        metrics = self.venv.env.task.metrics
        self.logger.record("evaluation/success_rate", result.success_rate)
        self.logger.record("evaluation/return", result.mean_return)
        for name, value in result.metrics.items():
            if not math.isnan(value):
                self.logger.record(metric_tag("evaluation", name, metrics[name].unit), value)
        self.logger.dump(result.step)
        figure = result.metrics[result.main_metric]
        main = ""
        if not math.isnan(figure):
            main = f", median {result.main_metric} {figure:.4g} {metrics[result.main_metric].unit}"
        self.display.say(
            f"validation at {result.step:,} steps: success {result.successes}/{result.episodes} "
            f"({result.success_rate:.0%}){main}{'  (best so far)' if best else ''}"
        )

    def save_checkpoint(self) -> None:
        """Write a checkpoint."""
        self.watch.enter("checkpoint")
        every = self.run.config.checkpoint.every_steps
        self.milestones.next_checkpoint = (self.num_timesteps // every + 1) * every
        reached = replace(self.milestones, trained_s=self.trained_s)
        extra: dict[str, Any] = {"milestones": vars(reached)}
        if self.feed is not None:
            extra["curriculum"] = self.feed.state_dict()
        self.run.checkpoints.save(self.learner, extra)
        self.watch.enter("report")
