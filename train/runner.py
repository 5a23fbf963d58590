"""Training from a config to a finished run directory, and continuing a run that was stopped."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat

from ..envs.engine.simulation import default_threads
from ..envs.randomization import NOMINAL
from ..errors import ShopfloorError
from .callbacks import Milestones, StopRequest, TrainingCallback, TrainingStopped
from .checkpoint import restore_learner
from .config import TrainConfig
from .curriculum import CurriculumFeed, make_feed
from .demonstrations import Demonstrator, make_demonstrator
from .learner import make_cells, make_learner
from .progress import make_display
from .provenance import manifest, session
from .run_dir import RunDir
from .sb3_adapter import CellVecEnv
from .validation import Validator

NEVER = sys.maxsize  # SB3's own log interval: the callback writes the curves


@dataclass(frozen=True)
class TrainResult:
    """How a run ended.

    Attributes:
        run: the run directory.
        signal: number of the signal that stopped it; None for a finished run.
        steps: environment steps trained, in all.
        trained: those of this process.
        seconds: wall clock by phase of this process: env, policy, update, evaluation, checkpoint and others.
    """

    run: RunDir
    signal: int | None
    steps: int
    trained: int
    seconds: dict[str, float]


def train(config: TrainConfig, root: str | Path = "runs") -> TrainResult:
    """Train a config in a new run directory under `root`.

    SIGINT and SIGTERM end it after the present rollout and update, with a checkpoint; a second one ends it at once.

    Raises:
        ShopfloorError: if the config does not fit its environment or the directory cannot be written.
    """
    venv = CellVecEnv(make_cells(config, config.num_envs))
    feed, demonstrator = make_feed(config, venv), make_demonstrator(config, venv)
    run = RunDir.create(config, Path(root), manifest(config, venv.env.cell))
    with run.claimed():
        return _learn(run, venv, feed, demonstrator, None)


def resume(path: str | Path) -> TrainResult:
    """Continue a run from its latest checkpoint, exactly; one that was stopped before its first begins anew.

    Raises:
        ShopfloorError: if there is nothing to continue, or the environment is not what it was.
    """
    run = RunDir(path)
    if run.status == "finished":
        raise ShopfloorError(f"{run.path} is finished: nothing is left to train; next: shopfloor export {run.path}")
    checkpoint = run.checkpoints.latest()
    venv = CellVecEnv(make_cells(run.config, run.config.num_envs))
    record = run.manifest()
    _check_unchanged(run, record, manifest(run.config, venv.env.cell))
    with run.claimed():
        record["resumed"].append({"checkpoint": None if checkpoint is None else checkpoint.name, **session()})
        run.write_manifest(record)
        return _learn(run, venv, make_feed(run.config, venv), make_demonstrator(run.config, venv), checkpoint)


def _check_unchanged(run: RunDir, record: Mapping[str, Any], fresh: Mapping[str, Any]) -> None:
    """Compare the manifest of a run with one made now: a run goes on in the environment in which it began."""
    now, then = (m["environment"]["fingerprint"] for m in (fresh, record))
    if now != then:
        raise ShopfloorError(
            f"{run.config.env.id} has changed since {run.path} began (fingerprint {then[:12]}, now {now[:12]}); "
            "continue it with the version in its manifest.json, or train anew"
        )
    # runs from before randomization could be chosen are nominal
    now, then = (m.get("randomization", {"split": NOMINAL}) for m in (fresh, record))
    if any(now.get(key) != then.get(key) for key in ("split", "hash")):
        raise ShopfloorError(
            f"the randomization has changed since {run.path} began (it was {_words(then)}, now it is {_words(now)}); "
            "continue it with the file as it was, or train anew"
        )


def _words(randomization: Mapping[str, str]) -> str:
    return " ".join(f"{key} {value}" for key, value in randomization.items())


def _learn(
    run: RunDir,
    venv: CellVecEnv,
    feed: CurriculumFeed | None,
    demonstrator: Demonstrator | None,
    checkpoint: Path | None,
) -> TrainResult:
    config = run.config
    threads_before = torch.get_num_threads()
    with contextlib.ExitStack() as stack:
        stack.callback(torch.set_num_threads, threads_before)
        stack.callback(venv.close)
        stop = stack.enter_context(stop_on_signals())
        # the learner is built, and later updated, with the threads of a run that was never stopped
        torch.set_num_threads(1)
        learner = make_learner(config, venv)
        milestones = Milestones(next_evaluation=config.evaluation.every_steps)
        if checkpoint is not None:
            extra = restore_learner(learner, checkpoint)
            milestones = Milestones(**extra["milestones"])
            if feed is not None:
                feed.load_state_dict(extra["curriculum"])
        run.forget_evaluations_after(milestones.last_evaluated)
        validator = Validator(config, stop.asked)
        stack.callback(validator.close)
        display = make_display(config.total_steps, learner.num_timesteps)
        stack.callback(display.close)
        logger = Logger(str(run.path), [Curves(run.path / "tensorboard", learner.num_timesteps)])
        stack.callback(logger.close)
        learner.set_logger(logger)
        threads = config.update_threads or default_threads(sys.maxsize)
        callback = TrainingCallback(run, venv, feed, validator, display, stop, milestones, threads)
        run.status = "running"
        first = learner.num_timesteps
        display.say(f"training {config.env.id} with {config.algorithm} in {run.path}")
        try:
            if checkpoint is None and demonstrator is not None:
                callback.learn_from_teacher(learner, demonstrator)
            learner.learn(
                config.total_steps - learner.num_timesteps,
                callback=callback,
                log_interval=NEVER,
                reset_num_timesteps=checkpoint is None,
            )
        except TrainingStopped:
            run.status = "interrupted"
        except BaseException as error:
            run.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            raise
        else:
            run.status = "finished"
            stop.signal = None  # one that came during the last update has nothing left to stop
        seconds = {**callback.watch.seconds, **callback.watch.split(venv.env_seconds)}
        return TrainResult(run, stop.signal, learner.num_timesteps, learner.num_timesteps - first, seconds)


@contextlib.contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn the first SIGINT or SIGTERM into a request; then they act as before, so that a second one ends it all."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before: dict[int, Any] = {number: signal.getsignal(number) for number in signals}

    def ask(number: int, _: Any) -> None:
        request.signal = number
        print("\nstopping after this update, with a checkpoint; once more to stop at once", file=sys.stderr, flush=True)
        restore()

    def restore() -> None:
        for number in signals:
            signal.signal(number, before[number])

    for number in signals:
        signal.signal(number, ask)
    try:
        yield request
    finally:
        restore()


class Curves(TensorBoardOutputFormat):
    """TensorBoard curves; those of a continued run replace what was written after its checkpoint.

    Args:
        folder: `tensorboard/` of the run.
        step: the step at which training begins or continues.
    """

    def __init__(self, folder: Path, step: int):
        from torch.utils.tensorboard import SummaryWriter

        # not super().__init__(), whose writer cannot drop what came after the checkpoint
        self.writer = SummaryWriter(str(folder), purge_step=step if step else None)
        self._is_closed = False
