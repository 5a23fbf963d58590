"""The part of an environment's page that shows how success depends on one value of its start; see `pages`.

`shopfloor sweep` measures; its data lie in docs/sweeps as ENVIRONMENT_PARAMETER.json. Section and picture are made from
them, so that nobody edits a number or a curve by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..report.sweep import sweep_picture
from .markdown import code, number, table

SWEEPS = Path(__file__).parents[1] / "docs" / "sweeps"


def sweeps_section(name: str, folder: Path = SWEEPS) -> str:
    """Pictures and tables of an environment's sweeps; empty where there are none.

    Args:
        name: of the environment without namespace and version, such as ArmPegInsert.
        folder: where the data are.
    """
    return "\n\n".join(_section(path) for path in sorted(folder.glob(f"{name}_*.json")))


def sweep_pictures(folder: Path = SWEEPS) -> dict[str, str]:
    """SVG text of every sweep by file name."""
    return {f"{path.stem}.svg": sweep_picture(_read(path)) for path in sorted(folder.glob("*.json"))}


def write_sweep_pictures(folder: Path) -> list[Path]:
    """Draw the sweeps whose pictures are missing or not those of their data; returns what was written."""
    written = []
    for name, text in sweep_pictures().items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def _read(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


def _section(path: Path) -> str:
    data = _read(path)
    parameter, main, episodes = data["parameter"], data["main_metric"], data["episodes"]
    unit = f", {parameter['unit']}" if parameter["unit"] != "1" else ""
    split = (data["randomization"] or {"split": "nominal"})["split"]
    head = [f"{code(parameter['name'])}{unit}"]
    for policy in data["policies"]:
        head += [f"{policy}: success", "95 % interval", f"{main['name'].replace('_', ' ')}, {main['unit']}"]
    rows = []
    for k in sorted(range(len(data["values"])), key=lambda k: -data["values"][k]):
        row = [number(data["values"][k])]
        for curve in data["policies"].values():
            low, high = (100.0 * bound for bound in curve["wilson"][k])
            median = curve["success_median"][k]
            rate = 100.0 * curve["successes"][k] / episodes
            row += [f"{rate:.1f} %", f"{low:.1f} to {high:.1f} %", "–" if median is None else f"{median:.2f}"]
        rows.append(row)
    return "\n\n".join(
        [
            f"![success against {parameter['name']}](../images/{path.stem}.svg)",
            f"Success against {code(parameter['name'])} ({parameter['description']}): {episodes} held-out episodes at "
            f"each value, the same seeds at all of them, on machines of the split {code(split)}; Wilson intervals; "
            f"median {code(main['name'])} of the successes. `shopfloor sweep` measured it; picture and table "
            f"are made from [its data](../sweeps/{path.name}).",
            table(head, rows),
        ]
    )
