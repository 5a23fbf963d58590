"""The baselines of the repository: trained policies with their evaluation, beside expert and random.

`baselines/<config>/` holds, for the training config of that name,

- `bundle/`: the exported policy;
- `training.json`: the resolved config, steps, wall clock, machine and versions of its training;
- `evaluation.json`: the policy on held-out episodes, and on the same seeds `expert.json`, `random.json` and, where the
  task has them, `oracle.json` and `first_come.json`, a dispatching rule.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ShopfloorError
from .statistics import Interval, bootstrap_median

FOLDER = Path(__file__).resolve().parent.parent / "baselines"
BUNDLE, TRAINING, EVALUATION = "bundle", "training.json", "evaluation.json"
REFERENCES = ("expert", "random")
MORE_REFERENCES = ("oracle", "first_come")  # of tasks that have them
HEAD = ("Config", "Training", "Success, 95 % interval", "Expert", "Random", "Median", "Expert", "Paired difference")


@dataclass(frozen=True)
class Baseline:
    """One folder of `baselines/`.

    Attributes:
        path: the folder; its name is that of the training config.
        training: content of training.json.
        evaluation: the policy's evaluation, compact.
        references: those of expert, random and, where there are such, oracle and first_come.
    """

    path: Path
    training: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    references: Mapping[str, Mapping[str, Any]]

    @classmethod
    def load(cls, path: Path) -> Baseline:
        """Read a folder.

        Raises:
            ShopfloorError: if a file is missing or no JSON, or an evaluation is of other episodes.
        """
        present = [*REFERENCES, *(name for name in MORE_REFERENCES if (path / f"{name}.json").is_file())]
        evaluation = _read(path / EVALUATION)
        references = {name: _read(path / f"{name}.json") for name in present}
        for name, reference in references.items():
            for key in ("environment", "randomization", "protocol"):
                if reference[key] != evaluation[key]:
                    raise ShopfloorError(f"{path / name}.json was evaluated in another {key} than {EVALUATION}")
        return cls(path, _read(path / TRAINING), evaluation, references)

    @property
    def name(self) -> str:
        """Name of the training config."""
        return self.path.name

    def paired(self, reference: str = "expert") -> tuple[float, Interval, int] | None:
        """Median of the policy's main metric less the reference's, its interval, and over how many episodes.

        Counted are the episodes in which both succeed: those that one of them fails would compare nothing.

        Returns:
            None where there is no such episode.
        """
        main = self.evaluation["summary"]["main_metric"]
        ours, theirs = (_values(d["episodes"], main) for d in (self.evaluation, self.references[reference]))
        both = np.isfinite(ours) & np.isfinite(theirs)
        if not both.any():
            return None
        difference = (ours - theirs)[both]
        return float(np.median(difference)), bootstrap_median(difference, self.name), int(both.sum())


def load_baselines(folder: Path = FOLDER) -> list[Baseline]:
    """All baselines, by name."""
    return [Baseline.load(path.parent) for path in sorted(folder.glob(f"*/{EVALUATION}"))]


def _read(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ShopfloorError(f"cannot read {path}: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise ShopfloorError(f"{path} is not JSON: {error}") from None
    return data


def _values(episodes: Mapping[str, Sequence[Any]], main: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The main metric (n,), NaN in episodes without success."""
    values = np.array([math.nan if v is None else v for v in episodes[main]], dtype=np.float64)
    return np.where(np.array(episodes["success"]) > 0, values, np.nan)


# -- the table ----------------------------------------------------------------------------------------------------


def results_table(baselines: Sequence[Baseline]) -> str:
    """The table of the README, in Markdown; links are relative to the repository."""
    rows = [HEAD, ("---", "---", *["---:"] * (len(HEAD) - 2)), *(_row(b) for b in baselines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(baseline: Baseline) -> tuple[str, ...]:
    training, summary = baseline.training, baseline.evaluation["summary"]
    main = summary["main_metric"]
    unit = "" if summary["metrics"][main]["unit"] == "1" else f" {summary['metrics'][main]['unit']}"
    expert = baseline.references["expert"]["summary"]
    low, high = (100.0 * x for x in summary["success"]["wilson"])
    split = (baseline.evaluation["randomization"] or {"split": "nominal"})["split"]
    return (
        f"[`{baseline.name}`](configs/train/{baseline.name}.yaml), {split}",
        f"{_thousands(training['steps'])} steps, {_minutes(training['wall_s'])}",
        f"{100 * summary['success']['rate']:.1f} % ({low:.1f} – {high:.1f})",
        f"{100 * expert['success']['rate']:.1f} %",
        f"{100 * baseline.references['random']['summary']['success']['rate']:.1f} %",
        f"{main.replace('_', ' ')} {_figure(summary['metrics'][main]['success_median'], unit)}",
        _figure(expert["metrics"][main]["success_median"], unit),
        _difference(baseline, unit),
    )


def _figure(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{float(f'{value:.3g}'):,g}{unit}"


def _difference(baseline: Baseline, unit: str) -> str:
    found = baseline.paired()
    if found is None:
        return "–"
    median, (low, high), _ = found
    return f"{_signed(median)}{unit} ({_signed(low)} – {_signed(high)})"


def _signed(value: float) -> str:
    # rounded first, so that thousands are written out instead of with an exponent
    return f"{float(f'{value:.2g}'):+,g}".replace("-", "−") if value else "0"


def _thousands(steps: int) -> str:
    for size, suffix in ((1e6, " M"), (1e3, " k")):
        if steps >= size:
            return f"{steps / size:.3g}{suffix}"
    return str(steps)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90.0 else f"{seconds:.0f} s"
