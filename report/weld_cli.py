"""`shopfloor inspect`: weld one seam in an environment, inspect it, and draw the report."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from ..envs.inspect_cli import parse_kwargs
from ..envs.playback import POLICIES, Playback
from ..envs.registry import make_task
from ..errors import ShopfloorError
from .weld import weld_picture


def main(argv: Sequence[str]) -> int:
    """Play one episode and write its inspection report.

    Raises:
        ShopfloorError: if an argument is wrong, or the environment welds nothing that can be inspected.
    """
    options = _parser().parse_args(argv)
    suffix = Path(options.out).suffix.lower() if options.out else ".svg"
    if suffix not in (".svg", ".json"):
        raise ShopfloorError(f"the report is written as .svg or .json, got {options.out!r}")
    task = make_task(options.id, **parse_kwargs(options.kwargs))
    if not hasattr(task, "inspection"):
        raise ShopfloorError(f"{options.id} has no weld to inspect; try WeldGapFill-v0")
    play = Playback(task, options.policy, options.seed, options.randomization)
    while play.step():
        pass
    report, slices = play.cell.task.inspection(0)  # type: ignore[attr-defined]
    path = Path(options.out or f"{options.id.rpartition('/')[2]}-inspection.svg")
    title = f"{options.id.rpartition('/')[2]}, {options.policy}, seed {options.seed}"
    text = json.dumps(report.to_dict(), indent=1) if suffix == ".json" else weld_picture(report, slices, title)
    path.write_text(text, encoding="utf-8")
    verdict = "accepted" if report.accepted else "not accepted"
    print(f"{path}: {report.standard}, level {report.level} where {report.required} is required, {verdict}")
    for line in report.imperfections:
        print(f"  {line.number} {line.name}: {line.worst:.3g} {line.unit}, {line.start_mm:g} to {line.end_mm:g} mm, "
              f"level {line.level}")  # fmt: skip
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="shopfloor inspect", description="Weld one seam and draw its inspection.")
    parser.add_argument("id", metavar="ID", help="environment, such as WeldGapFill-v0")
    parser.add_argument("--policy", choices=POLICIES, default="expert", help="who welds (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the episode (%(default)s)")
    parser.add_argument("--randomization", metavar="SPLIT|YAML", help="randomize the machine, such as train")
    parser.add_argument("--kwargs", nargs="+", default=[], metavar="NAME=VALUE", help="task arguments")
    parser.add_argument("--out", metavar="FILE", help=".svg for a picture, .json for the data (ID-inspection.svg)")
    return parser
