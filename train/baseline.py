"""`shopfloor baseline RUN`: from a finished run to a baseline of the repository.

Exports the policy, scores it on held-out episodes of the machines it was trained for, and expert, random and oracle on
the same seeds; then writes the table of results anew.
"""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..envs.registry import declaration_arguments, make_declaration
from ..errors import ShopfloorError
from ..eval.baselines import (
    BUNDLE,
    EVALUATION,
    FOLDER,
    MORE_REFERENCES,
    REFERENCES,
    TRAINING,
    load_baselines,
    results_table,
)
from ..eval.document import compact, json_text
from ..eval.evaluate import EPISODES
from ..eval.policies import has_scripted
from ..eval.report import evaluate_named, print_evaluation
from .config import TrainConfig
from .config_file import available, load
from .export import export_run, policy_steps
from .run_dir import RunDir

README = FOLDER.parent / "README.md"
BLOCK = re.compile(r"(<!-- baselines:[^>]*-->\n).*?(<!-- end of baselines -->)", re.DOTALL)


def repeatable(config: TrainConfig) -> TrainConfig:
    """The config without what changes nothing in the policy."""
    return replace(config, name="", threads=None)


def config_name(config: TrainConfig) -> str:
    """The config of the package from which a run was made, so that everybody can repeat it.

    Raises:
        ShopfloorError: if there is none.
    """
    for name in available():
        if repeatable(load(name)) == repeatable(config):
            return name
    raise ShopfloorError(
        f"no file of configs/train says what this run of {config.env.id} was trained with; write its values there, and "
        "train without other options than name, threads and --runs"
    )


def write_baseline(
    run: RunDir,
    folder: Path = FOLDER,
    *,
    episodes: int = EPISODES,
    checkpoint: str = "best",
    threads: int | None = None,
) -> Path:
    """Write the baseline of a finished run; returns its folder.

    Args:
        run: the run.
        folder: where baselines are; the one of the same config is replaced.
        episodes: held-out episodes.
        checkpoint: "best" or "latest".
        threads: threads of physics.

    Raises:
        ShopfloorError: if the run is not finished or not that of a config of the package.
    """
    if run.status != "finished":
        raise ShopfloorError(f"{run.path} is {run.status}: only a finished run tells how long training takes")
    name = config_name(run.config)
    out = folder / name
    shutil.rmtree(out, ignore_errors=True)
    bundle, _ = export_run(run.path, out / BUNDLE, checkpoint)
    kwargs = {k: v for k, v in run.config.env.kwargs.items() if k in declaration_arguments(run.config.env.id)}
    task = make_declaration(run.config.env.id, **kwargs)
    known = [*REFERENCES, *(policy for policy in MORE_REFERENCES if has_scripted(policy, task))]
    policies = {EVALUATION: str(bundle), **{f"{policy}.json": policy for policy in known}}
    for file, policy in policies.items():
        document = evaluate_named(
            policy,
            run.config.env.id,
            kwargs,
            episodes=episodes,
            threads=threads,
            randomization=run.config.randomization.request(),
        )
        document = compact(document, name if file == EVALUATION else policy)
        print_evaluation(document)
        (out / file).write_text(json_text(document), encoding="utf-8")
    (out / TRAINING).write_text(json_text(training_record(run, checkpoint)), encoding="utf-8")
    return out


def training_record(run: RunDir, checkpoint: str) -> dict[str, Any]:
    """What training.json says: config, steps, time, machine."""
    manifest, last = run.manifest(), run.evaluations()[-1]
    return {
        "config": repeatable(run.config).as_dict(),
        "steps": last["step"],
        "policy_steps": policy_steps(run.model_path(checkpoint), checkpoint),
        "wall_s": last["trained_s"],
        "interruptions": len(manifest["resumed"]),
        **{key: manifest[key] for key in ("started", "shopfloor", "git", "versions", "machine", "randomization")},
    }


def refreshed(text: str, table: str) -> str:
    """The README with a new table of results.

    Raises:
        ShopfloorError: if its marks are missing.
    """
    new, count = BLOCK.subn(lambda m: f"{m[1]}{table}\n{m[2]}", text)
    if count != 1:
        raise ShopfloorError(
            f"{README} has no place for the table: <!-- baselines: ... --> ... <!-- end of baselines -->"
        )
    return new


def refresh_readme() -> None:
    """Write the table of results into the README."""
    text = README.read_text(encoding="utf-8")
    README.write_text(refreshed(text, results_table(load_baselines())), encoding="utf-8")


def main(argv: Sequence[str]) -> int:
    """Write a baseline, or only the table."""
    parser = argparse.ArgumentParser(
        prog="shopfloor baseline", description="Make a finished training run a baseline of the repository."
    )
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="run directory; without one only the table is written anew"
    )
    parser.add_argument("--checkpoint", choices=("best", "latest"), default="best", help="which policy (%(default)s)")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="held-out episodes (%(default)s)")
    parser.add_argument("--threads", type=int, help="threads of physics; default: all cores")
    arguments = parser.parse_args(argv)
    if not README.is_file():
        raise ShopfloorError("baselines are part of the repository, not of the wheel: work in a checkout")
    if arguments.run is not None:
        out = write_baseline(
            RunDir(arguments.run),
            episodes=arguments.episodes,
            checkpoint=arguments.checkpoint,
            threads=arguments.threads,
        )
        print(f"baseline written to {out}")
    refresh_readme()
    print(f"table of results written to {README}")
    return 0
