"""docs/throughput.md: the newest measurement of each row as a table for readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent.parent / "docs" / "throughput.md"

PICTURES = "..., RGB-D pictures"

HEAD = """# Throughput

Environment steps a second, and which share that is of what MuJoCo alone does with the same model, states and commands
on the same cores, measured in turns ([how](../benchmarks/throughput.py)). Everything is on: noise, rewards, infos, and
episodes that end one after another and begin anew in the same step. A share carries over to another machine, steps a
second do not. Where a task steps no physics of MuJoCo's between two decisions, or next to none, because its process is
computed by the suite itself, the share says how much that process costs, not how well the engine is used.
"""


def throughput_page(document: Mapping[str, Any], env_ids: Sequence[str]) -> str:
    """The page in Markdown.

    Args:
        document: content of benchmarks/results/throughput.json.
        env_ids: registered environments; those without a row are named as not measured.
    """
    machine = document["machine"]
    lines = [
        HEAD,
        f"Measured on {machine['cores']} cores ({machine['cpu']}), {document['threads']} threads, "
        f"MuJoCo {machine['mujoco']}, Python {machine['python']}. Median of the "
        "samples, and their range.",
        "",
        "| What | Environment | Rows | Steps/s | MuJoCo alone | Share | Range | Measured |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |",
        *(_line(row, row.get("measured", document["created_utc"][:10])) for row in document["rows"]),
        "",
    ]
    measured = {row["env_id"] for row in document["rows"]}
    if missing := [i.partition("/")[2] for i in env_ids if i not in measured]:
        lines += [f"Not measured yet: {', '.join(missing)}.", ""]
    lines += _cost_of_pictures(document["rows"])
    return "\n".join(lines)


def _cost_of_pictures(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What observing pictures costs beside observing readings, with as many rows: both by MuJoCo's own speed."""
    found = {(row["env_id"], row["n"], row["name"]): row for row in rows if row["steps_per_s"] is not None}
    lines = []
    for (env_id, n, name), row in found.items():
        state = found.get((env_id, n, "CellVectorEnv"))
        if name != PICTURES or state is None:
            continue
        times = state["share_of_bound"] / row["share_of_bound"]
        took = 1e3 / row["steps_per_s"] - 1e3 / state["steps_per_s"]
        lines.append(
            f"| {env_id.partition('/')[2]} | {n} | {state['steps_per_s']:,.0f} | {row['steps_per_s']:,.0f} | "
            f"{times:.1f} | {took:.1f} |"
        )
    if not lines:
        return []
    text = (
        '`observation="rgbd"` takes four pictures a step, colours and depth of two [cameras](cameras.md), drawn in '
        "software for these numbers."
    )
    head = "| Environment | Rows | Steps/s by readings | Steps/s by pictures | Times as long | Pictures of a step, ms |"
    return ["## Cost of pictures", "", text, "", head, "| --- | ---: | ---: | ---: | ---: | ---: |", *lines, ""]


def _line(row: Mapping[str, Any], date: str) -> str:
    name, env_id = row["name"], row["env_id"].partition("/")[2]
    if row["steps_per_s"] is None:
        return f"| {name} | {env_id} | {row['n']} | not measured: the machine did not have its cores | | | | {date} |"
    shares = [s["steps_per_s"] / s["bound_per_s"] for s in row["samples"]]
    bound, share = row["steps_per_s"] / row["share_of_bound"], _share(row["share_of_bound"])
    return (
        f"| {name} | {env_id} | {row['n']} | {row['steps_per_s']:,.0f} | {bound:,.0f} | {share} | "
        f"{_share(min(shares))} – {_share(max(shares))} | {date} |"
    )


def _share(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"
