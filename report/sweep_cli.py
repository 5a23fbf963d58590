"""`shopfloor sweep`: success against one value of the start distribution, as a picture and as data."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import ShopfloorError
from ..eval.__main__ import parse_kwargs
from ..eval.document import json_text
from ..eval.sweep import EPISODES, sweep
from .sweep import sweep_picture


def main(argv: Sequence[str]) -> int:
    """Evaluate at every value, print a line for each, and write a picture and the data beside it.

    Raises:
        ShopfloorError: if an argument is wrong or a policy does not fit.
    """
    options = _parser().parse_args(argv)
    out = Path(options.out)
    if out.suffix.lower() != ".svg":
        raise ShopfloorError(f"--out takes an .svg file, got {options.out!r}; the data go into a .json beside it")
    kwargs = parse_kwargs(options.kwargs) if options.kwargs is not None else None

    def say(policy: str, value: float, summary: dict[str, Any]) -> None:
        rate, (low, high) = summary["success"]["rate"], summary["success"]["wilson"]
        print(f"{policy}, {options.parameter} = {value:g}: {100 * rate:.1f} % ({100 * low:.1f} to {100 * high:.1f})",
              flush=True)  # fmt: skip

    data = sweep(
        options.policies, options.parameter, options.values, options.env, kwargs, options.episodes,
        options.randomization, options.threads, say,
    )  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(sweep_picture(data), encoding="utf-8")
    out.with_suffix(".json").write_text(json_text(data), encoding="utf-8")
    print(f"written to {out} and {out.with_suffix('.json')}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shopfloor sweep",
        description="Success against one value of the start distribution, on the same held-out seeds at every value.",
    )
    parser.add_argument("policies", nargs="+", metavar="POLICY", help="folders of bundles or runs, or expert, random")
    parser.add_argument("--parameter", required=True, help="of the start distribution, such as clearance_mm")
    parser.add_argument("--values", required=True, nargs="+", type=float, help="values that it is forced to")
    parser.add_argument("--env", metavar="ID", help="environment; default: the one of the first bundle")
    parser.add_argument("--kwargs", nargs="+", metavar="NAME=VALUE", help="task arguments; default: the bundle's")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="episodes at every value (%(default)s)")
    parser.add_argument("--randomization", metavar="SPLIT", help="machines, such as train; default: the nominal one")
    parser.add_argument("--threads", type=int, help="threads of physics; default: all cores")
    parser.add_argument("--out", required=True, metavar="SVG", help="picture; the data go into a .json beside it")
    return parser
