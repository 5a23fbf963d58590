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
from ..envs.welding.inspection import FIT_UP, inspect
from ..envs.welding.iso5817 import ISO_5817
from ..envs.welding.shipyard import SHIPYARD
from ..envs.welding.slices import QUANTITIES
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
    if not hasattr(type(task), "weld"):
        raise ShopfloorError(f"{options.id} lays no bead along a seam to inspect; try WeldGapFill-v0")
    standard = STANDARDS[options.standard]
    if options.level is not None:
        standard.grade(options.level)  # an unknown level is refused before the weld, not after it
    play = Playback(task, options.policy, options.seed, options.randomization)
    while play.step():
        pass
    welder: Any = play.cell.task
    weld, end = welder.weld, welder.weld_length_mm(0)
    without = () if options.fit_up else FIT_UP
    report = inspect(weld.slices, weld.joint, 0, standard, options.level or _level(welder, standard),
                     end_mm=end, without=without)  # fmt: skip
    slices = {name: weld.slices[name][0][: len(report.grades)] for name in QUANTITIES}
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
    parser.add_argument("--fit-up", action="store_true", help="judge gap and misalignment of the plates too")
    parser.add_argument("--out", metavar="FILE", help=".svg for a picture, .json for the data (ID-inspection.svg)")
    return parser
