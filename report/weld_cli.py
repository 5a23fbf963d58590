"""`shopfloor inspect`: weld one seam in an environment, inspect it, and draw the report."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..envs.inspect_cli import parse_kwargs
from ..envs.playback import POLICIES, Playback
from ..envs.registry import make_task
from ..envs.welding.inspection import FIT_UP
from ..envs.welding.iso5817 import ISO_5817
from ..envs.welding.shipyard import SHIPYARD
from ..envs.welding.standard import Standard
from ..errors import ShopfloorError
from .weld import weld_picture

STANDARDS = {"iso5817": ISO_5817, "shipyard": SHIPYARD}


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
    if not hasattr(type(task), "inspected"):
        raise ShopfloorError(f"{options.id} lays no bead along a seam to inspect; try WeldGapFill-v0")
    standard = STANDARDS[options.standard]
    if options.level is not None:
        standard.grade(options.level)  # an unknown level is refused before the weld, not after it
    play = Playback(task, options.policy, options.seed, options.randomization)
    welder: Any = play.cell.task
    seam = _seam(options.seam, tuple(welder.inspected(0)))
    while play.step():
        pass
    weld = welder.inspected(0)[seam]
    without = () if options.fit_up else FIT_UP
    report = weld.report(standard, options.level or _level(welder, standard), without)
    path = Path(options.out or f"{options.id.rpartition('/')[2]}-inspection.svg")
    title = f"{options.id.rpartition('/')[2]}, {seam}, {options.policy}, seed {options.seed}"
    text = (
        json.dumps(report.to_dict(), indent=1) if suffix == ".json" else weld_picture(report, weld.quantities(), title)
    )
    path.write_text(text, encoding="utf-8")
    verdict = "accepted" if report.accepted else "not accepted"
    print(f"{path}: {report.standard}, level {report.level} where {report.required} is required, {verdict}")
    for line in report.imperfections:
        print(f"  {line.number} {line.name}: {line.worst:.3g} {line.unit}, {line.start_mm:g} to {line.end_mm:g} mm, "
              f"level {line.level}")  # fmt: skip
    return 0


def _seam(asked: str | None, known: tuple[str, ...]) -> str:
    """The seam that is asked for, by default the first."""
    if asked is not None and asked not in known:
        raise ShopfloorError(f"there is no seam {asked!r}; the seams are {', '.join(known)}")
    return asked or known[0]


def _level(task: object, standard: Standard) -> str:
    """The level that the task asks for where it names one of this standard, else the middle one."""
    asked = str(getattr(task, "quality_level", ""))
    return asked if asked in standard.levels else standard.levels[1]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="shopfloor inspect", description="Weld one seam and draw its inspection.")
    parser.add_argument("id", metavar="ID", help="environment, such as WeldGapFill-v0")
    parser.add_argument("--policy", choices=POLICIES, default="expert", help="who welds (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the episode (%(default)s)")
    parser.add_argument("--randomization", metavar="SPLIT|YAML", help="randomize the machine, such as train")
    parser.add_argument("--kwargs", nargs="+", default=[], metavar="NAME=VALUE", help="task arguments")
    parser.add_argument("--standard", choices=sorted(STANDARDS), default="iso5817", help="inspect by (%(default)s)")
    parser.add_argument("--level", help="that is required: B, C, D of iso5817; standard, limit, remedied of shipyard")
    parser.add_argument("--seam", metavar="NAME", help="seam to inspect, where there are several (the first)")
    parser.add_argument("--fit-up", action="store_true", help="judge gap and misalignment of the plates too")
    parser.add_argument("--out", metavar="FILE", help=".svg for a picture, .json for the data (ID-inspection.svg)")
    return parser
