"""`shopfloor eval POLICY --env ID`: score a policy on held-out episodes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from ..deploy.bundle import RUN_CONFIG
from ..errors import ShopfloorError
from .document import json_text
from .evaluate import EPISODES, HELD_OUT_SEED, NUM_ENVS, NUM_LOTS
from .policies import SCRIPTED
from .report import evaluate_named, print_evaluation


def main(argv: Sequence[str]) -> int:
    """Evaluate, print a table and write evaluation.json. Returns 0 whatever the score."""
    arguments = _parser().parse_args(argv)
    show = sys.stderr.isatty()

    def progress(finished: int) -> None:
        if show:
            print(f"\r{finished} of {arguments.episodes} episodes", end="", file=sys.stderr, flush=True)

    document = evaluate_named(
        arguments.policy,
        arguments.env,
        parse_kwargs(arguments.kwargs) if arguments.kwargs is not None else None,
        episodes=arguments.episodes,
        first_seed=arguments.seed_offset,
        num_envs=arguments.num_envs,
        threads=arguments.threads,
        progress=progress,
        randomization=arguments.randomization,
        task_params=parse_kwargs(arguments.task_params, "--task-params"),
    )
    if show:
        print("\r\x1b[K", end="", file=sys.stderr)
    out = Path(arguments.out) if arguments.out else default_out(arguments.policy, document["environment"]["id"])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json_text(document), encoding="utf-8")
    print_evaluation(document)
    print(f"written to {out}")
    return 0


def parse_kwargs(items: Sequence[str], option: str = "--kwargs") -> dict[str, Any]:
    """Task arguments from `name=value` words; values are YAML.

    Args:
        items: the words.
        option: what messages call them.

    Raises:
        ShopfloorError: if a word has no `=` or its value is not YAML.
    """
    out: dict[str, Any] = {}
    for item in items:
        name, equals, text = item.partition("=")
        if not equals or not name.isidentifier():
            raise ShopfloorError(f"{option} takes name=value, got {item!r}")
        try:
            out[name] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ShopfloorError(f"{option} {name}: {text!r} is not a YAML value: {error}") from None
    return out


def default_out(policy: str, env_id: str) -> Path:
    """Beside a run's config where there is one, a new file under runs/evaluation otherwise."""
    for folder in (Path(policy), Path(policy).parent):
        if policy not in SCRIPTED and (folder / RUN_CONFIG).is_file():
            return folder / "evaluation.json"
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name = f"{Path(policy).name}-{env_id.rpartition('/')[2]}-{stamp}-{os.getpid()}.json"
    return Path("runs") / "evaluation" / name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shopfloor eval",
        description="Score a policy on held-out episodes: one for each seed, none of which was trained on.",
    )
    parser.add_argument("policy", metavar="POLICY", help=f"folder of a bundle or a run, or {', '.join(SCRIPTED)}")
    parser.add_argument("--env", metavar="ID", help="environment; default: the one the bundle was trained in")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="episodes, one a seed (%(default)s)")
    parser.add_argument("--seed-offset", type=int, default=HELD_OUT_SEED, help="first seed (%(default)s)")
    parser.add_argument("--kwargs", nargs="+", metavar="NAME=VALUE", help="task arguments; default: the bundle's")
    parser.add_argument(
        "--task-params", nargs="+", default=[], metavar="NAME=VALUE", help="values of the start distribution, forced"
    )
    parser.add_argument(
        "--randomization", metavar="SPLIT", help="train, corners, ood_near, ood_far, structural, or a spec's file"
    )
    parser.add_argument(
        "--num-envs", type=int, help=f"episodes at a time ({NUM_ENVS}, or {NUM_LOTS} where actions are decisions)"
    )
    parser.add_argument("--threads", type=int, help="threads of physics; default: all cores")
    parser.add_argument("--out", metavar="FILE", help="where the result goes (evaluation.json of the run)")
    return parser


if __name__ == "__main__":
    from ..cli import main as command

    sys.exit(command(["eval", *sys.argv[1:]]))
