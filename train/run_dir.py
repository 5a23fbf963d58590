"""The run directory: what lies where, and the policies in it.

Under `runs/<environment>/<algorithm>/<UTC time>[_<name>]_s<seed>_<config digest>/` there are

- `config.yaml`: the resolved config;
- `manifest.json`: versions, git state, machine, environment fingerprint, seeds, command;
- `STATUS`: running, finished, interrupted or failed;
- `tensorboard/`: curves;
- `evaluations.jsonl`: one line a validation;
- `best/`: `model.zip` of the best validation, and its figures in `evaluation.json`;
- `checkpoints/`: `step_<steps>/{model.zip, state.npz}`, and the name of the newest in `LATEST`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import ShopfloorError
from .checkpoint import MODEL, Checkpoints, load_weights, write_atomically
from .config import TrainConfig
from .config_file import load
from .learner import Learner, make_cells, make_learner
from .sb3_adapter import CellVecEnv
from .validation import Validation

CONFIG = "config.yaml"
MANIFEST = "manifest.json"
STATUS = "STATUS"
EVALUATIONS = "evaluations.jsonl"
BEST = "best"


class RunDir:
    """A run directory.

    Args:
        path: its folder.

    Raises:
        ShopfloorError: if the folder is no run directory.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        if not (self.path / CONFIG).is_file():
            raise ShopfloorError(f"{self.path} is no run directory: it has no {CONFIG}")
        self.config: TrainConfig = load(self.path / CONFIG)
        self.checkpoints = Checkpoints(self.path / "checkpoints", self.config.checkpoint.keep)

    @classmethod
    def create(cls, config: TrainConfig, root: Path, manifest: dict[str, Any]) -> RunDir:
        """A new run directory under `root`."""
        path = _claim(root / config.env.id.rpartition("/")[2] / config.algorithm, config)
        for folder in ("tensorboard", "checkpoints", BEST):
            (path / folder).mkdir()
        write_atomically(path / CONFIG, config.to_yaml())
        write_atomically(path / MANIFEST, json.dumps(manifest, indent=2) + "\n")
        return cls(path)

    # -- status -----------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """running, finished, interrupted or failed."""
        path = self.path / STATUS
        return path.read_text().strip() if path.is_file() else "running"

    @status.setter
    def status(self, value: str) -> None:
        write_atomically(self.path / STATUS, f"{value}\n")

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the run for this process; a process that dies lets go of it.

        Raises:
            ShopfloorError: if another process trains it.
        """
        with (self.path / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ShopfloorError(f"{self.path} is being trained by another process") from None
            yield

    # -- results ----------------------------------------------------------------------------------------------

    def manifest(self) -> dict[str, Any]:
        """The manifest."""
        data: dict[str, Any] = json.loads((self.path / MANIFEST).read_text())
        return data

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Replace the manifest."""
        write_atomically(self.path / MANIFEST, json.dumps(manifest, indent=2) + "\n")

    def evaluations(self) -> list[dict[str, Any]]:
        """All validations so far, in order."""
        path = self.path / EVALUATIONS
        return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []

    def add_evaluation(self, result: Validation, trained_s: float) -> None:
        """Append a validation; `trained_s` is the wall clock of training until then, in s."""
        with (self.path / EVALUATIONS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({**result.record(), "trained_s": round(trained_s, 3)}) + "\n")

    def forget_evaluations_after(self, step: int) -> None:
        """Drop validations of steps that will be trained, and validated, again."""
        kept = [e for e in self.evaluations() if e["step"] <= step]
        write_atomically(self.path / EVALUATIONS, "".join(json.dumps(e) + "\n" for e in kept))

    def save_best(self, learner: Learner, result: Validation) -> None:
        """Make the present policy the best one."""
        draft = self.path / BEST / f".{MODEL}"
        learner.save(draft)
        draft.replace(self.path / BEST / MODEL)
        write_atomically(self.path / BEST / "evaluation.json", json.dumps(result.record(), indent=2) + "\n")

    def load_learner(self, which: str = "best") -> Learner:
        """A learner with the networks of the best validation or of the latest checkpoint, around a single row.

        It is meant for its `policy`; to train on, use `runner.resume`. Building it seeds the global generators.

        Raises:
            ShopfloorError: if there is no such policy, or it cannot be read.
        """
        path = self.model_path(which)
        config = replace(
            self.config,
            num_envs=1,
            ppo=replace(self.config.ppo, batch_size=self.config.ppo.n_steps),
            sac=replace(self.config.sac, buffer_size=1),
        )
        learner = make_learner(config, CellVecEnv(make_cells(config, 1)))
        load_weights(learner, path)
        return learner

    def model_path(self, which: str = "best") -> Path:
        """The `model.zip` of the best validation or of the latest checkpoint.

        Raises:
            ShopfloorError: if there is none.
        """
        if which not in ("best", "latest"):
            raise ShopfloorError(f"which policy must be best or latest, got {which!r}")
        folder = self.path / BEST if which == "best" else self.checkpoints.latest()
        if folder is None or not (folder / MODEL).is_file():
            raise ShopfloorError(f"{self.path} has no {which} policy yet; train it further with shopfloor resume")
        return folder / MODEL


def _claim(parent: Path, config: TrainConfig) -> Path:
    name = f"_{config.name}" if config.name else ""
    stem = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}{name}_s{config.seed}_{config.digest()}"
    for attempt in range(1, 1000):  # two runs may begin in one second
        path = parent / (stem if attempt == 1 else f"{stem}-{attempt}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise ShopfloorError(f"cannot create the run directory {path}: {error.strerror}") from None
        return path
    raise ShopfloorError(f"cannot create a run directory in {parent}: {stem} exists 999 times")
