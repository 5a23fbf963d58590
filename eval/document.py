"""How evaluations are written: whole, with one line for each episode, or compact enough for a repository."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def json_text(data: Any) -> str:
    """JSON that people can read and compare: mappings line by line, lists of plain values and episodes in one line."""
    return _text(data, "") + "\n"


def _text(data: Any, indent: str) -> str:
    deeper = indent + " "
    if isinstance(data, Mapping) and data:
        items = [f"{deeper}{json.dumps(str(k))}: {_text(v, deeper)}" for k, v in data.items()]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    if isinstance(data, (list, tuple)) and any(isinstance(v, (Mapping, list, tuple)) for v in data):
        return "[\n" + ",\n".join(deeper + _line(v) for v in data) + f"\n{indent}]"
    return _line(data)


def _line(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, allow_nan=False)


def compact(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An evaluation without what only its machine knows, its episodes reduced to their ends, column by column.

    What is dropped, the samples of starts and machines, follows from the seeds: episode i has `first_seed + i`.

    Args:
        document: what `evaluate_named` returned.
        name: of the policy.
    """
    episodes, main = document["episodes"], document["summary"]["main_metric"]
    policy = {**document["policy"], "name": name}
    if policy["bundle"] is not None:
        policy["bundle"] = {k: v for k, v in policy["bundle"].items() if k != "path"}
    return {
        **document,
        "policy": policy,
        "episodes": {
            "success": [int(e["success"]) for e in episodes],
            "steps": [e["steps"] for e in episodes],
            "termination_reason": [e["termination_reason"] for e in episodes],
            main: [e["metrics"][main] for e in episodes],
        },
    }
