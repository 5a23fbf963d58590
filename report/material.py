"""What a report is made of, read from a run directory. Each part may be missing; its section is then left out.

Beside what training writes, a run directory may hold

- `bundle/`: the exported policy;
- `evaluation/<name>.json`: held-out evaluations of "policy", "expert", "oracle", "random";
- `twin/`: summary and tick logs of the controller runs;
- `episode/`: one episode as figures and pictures (see `record`);
- `stages.json`: how long the stages that led here took.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from ..deploy.bundle import RUN_BUNDLE, RUN_CONFIG, Bundle, is_bundle
from ..envs.engine.describe import canonical_id
from ..envs.engine.task import Task
from ..envs.registry import make_task, task_arguments
from ..errors import ShopfloorError
from .record import Recording

Array = NDArray[np.float64]

EVALUATION_DIR, TWIN_DIR, EPISODE_DIR, STAGES_FILE = "evaluation", "twin", "episode", "stages.json"
# the order of tables and legends; the words of legends
KINDS = {"policy": "trained policy", "expert": "expert", "oracle": "oracle", "random": "random"}


@dataclass(frozen=True)
class Scores:
    """One evaluation, as arrays over its episodes.

    Attributes:
        kind: "policy", "expert", "oracle" or "random".
        document: content of the evaluation's JSON file.
        seeds: (n,) seeds.
        success: (n,) whether each episode succeeded.
        reasons: why each ended.
        metrics: (n,) by metric, NaN where it has no meaning.
        params: (n,) by scalar parameter of the start distribution.
    """

    kind: str
    document: Mapping[str, Any]
    seeds: NDArray[np.int64]
    success: NDArray[np.bool_]
    reasons: tuple[str, ...]
    metrics: Mapping[str, Array]
    params: Mapping[str, Array]

    @classmethod
    def of(cls, kind: str, document: Mapping[str, Any]) -> Scores:
        """Arrays of an evaluation document."""
        episodes = document["episodes"]

        def column(part: str) -> dict[str, Array]:
            names = [k for k, v in episodes[0][part].items() if not isinstance(v, list)]
            return {k: np.array([_number(e[part][k]) for e in episodes]) for k in names}

        return cls(
            kind=kind,
            document=document,
            seeds=np.array([e["seed"] for e in episodes]),
            success=np.array([e["success"] for e in episodes]),
            reasons=tuple(e["termination_reason"] for e in episodes),
            metrics=column("metrics"),
            params=column("task_params"),
        )

    def of_successes(self, metric: str) -> Array:
        """A metric, (n,), NaN where the episode did not succeed."""
        return np.where(self.success, self.metrics[metric], np.nan)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


class Material:
    """The parts of a run that a report can show.

    Args:
        path: run directory.

    Raises:
        ShopfloorError: if it is none.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not (self.path / RUN_CONFIG).is_file():
            raise ShopfloorError(f"{self.path} is no run directory: it has no {RUN_CONFIG}")
        self.config_text = (self.path / RUN_CONFIG).read_text(encoding="utf-8")
        self.config: dict[str, Any] = yaml.safe_load(self.config_text)
        self.env_id = canonical_id(self.config["env"]["id"])

    @cached_property
    def task(self) -> Task:
        """The task as it was trained."""
        known = task_arguments(self.env_id)
        kwargs = self.config["env"].get("kwargs", {})
        return make_task(self.env_id, **{k: v for k, v in kwargs.items() if k in known})

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The run's manifest; empty where there is none."""
        return self._json("manifest.json") or {}

    @cached_property
    def validations(self) -> list[dict[str, Any]]:
        """Validations during training, in order."""
        path = self.path / "evaluations.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []

    @cached_property
    def best_step(self) -> int | None:
        """Environment steps of the exported policy."""
        best = self._json("best/evaluation.json")
        return None if best is None else int(best["step"])

    @cached_property
    def bundle(self) -> Bundle | None:
        """The exported policy."""
        return Bundle.load(self.path / RUN_BUNDLE) if is_bundle(self.path / RUN_BUNDLE) else None

    @cached_property
    def scores(self) -> dict[str, Scores]:
        """Evaluations by kind, in the order of `KINDS`."""
        found = {kind: self._json(f"{EVALUATION_DIR}/{kind}.json") for kind in KINDS}
        return {kind: Scores.of(kind, document) for kind, document in found.items() if document is not None}

    @cached_property
    def twin(self) -> dict[str, Any] | None:
        """Summary of the controller runs."""
        return self._json(f"{TWIN_DIR}/summary.json")

    @cached_property
    def twin_ticks(self) -> dict[str, Array]:
        """Work and lateness of every logged tick in s, by column name."""
        names = ("busy_s", "lateness_s")
        columns: dict[str, list[Array]] = {name: [np.zeros(0)] for name in names}
        for path in sorted((self.path / TWIN_DIR).glob("episode_*.npz")):
            with np.load(path, allow_pickle=False) as file:
                for name in names:
                    columns[name].append(file[name])
        return {name: np.concatenate(parts) for name, parts in columns.items()}

    @cached_property
    def recordings(self) -> dict[str, Recording]:
        """One episode of each policy that was recorded, by kind."""
        documents = {kind: self._json(f"{EPISODE_DIR}/{kind}.json") for kind in KINDS}
        return {kind: Recording.from_plain(data) for kind, data in documents.items() if data is not None}

    @cached_property
    def pictures(self) -> dict[str, Any] | None:
        """Index of the pictures, or why there are none."""
        return self._json(f"{EPISODE_DIR}/pictures.json")

    @cached_property
    def stages(self) -> list[dict[str, Any]]:
        """Name and seconds of each stage that led to the report."""
        return self._json(STAGES_FILE) or []

    def _json(self, name: str) -> Any:
        path = self.path / name
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
