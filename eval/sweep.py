"""How success depends on one value of the start distribution.

The same held-out seeds run at every value, so that the points of a curve differ by that value alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..envs.engine.start import Term
from ..envs.registry import make_declaration
from ..errors import ShopfloorError
from .evaluate import HELD_OUT_SEED
from .policies import find_bundle
from .report import evaluate_named

EPISODES = 100
KEPT = ("randomization", "versions")


def sweep(
    policies: Sequence[str],
    parameter: str,
    values: Sequence[float],
    env_id: str | None = None,
    task_kwargs: dict[str, Any] | None = None,
    episodes: int = EPISODES,
    randomization: str | None = None,
    threads: int | None = None,
    say: Callable[[str, float, dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Success of some policies at some values of a parameter.

    Args:
        policies: bundles, runs or scripted policies, see `evaluate_named`; scripted ones run in the environment of the
            first bundle where `env_id` is None.
        parameter: of the start distribution, with one component.
        values: which it is forced to.
        env_id, task_kwargs, randomization, threads: see `evaluate_named`.
        episodes: at every value, of the seeds from `HELD_OUT_SEED` on.
        say: called after each evaluation with policy, value and summary.

    Returns:
        Plain data: the parameter with its unit, the conditions, and for each policy its successes (k,), Wilson
        intervals (k, 2), medians of the main metric over successes (k,), and the hash of its bundle where it is one.

    Raises:
        ShopfloorError: if there is nothing to compare, the task has no such parameter, or a policy does not fit.
    """
    if not values or not policies:
        raise ShopfloorError("a sweep needs a policy and a value")
    if bad := [v for v in values if not math.isfinite(v)]:
        raise ShopfloorError(f"--values must be finite, got {bad[0]}")
    env_id, kwargs, term = _where(policies, parameter, env_id, task_kwargs)
    curves: dict[str, Any] = {}
    document: dict[str, Any] = {}
    for policy in policies:
        summaries = []
        for value in values:
            document = evaluate_named(
                policy, env_id, kwargs, episodes=episodes, randomization=randomization, threads=threads,
                task_params={parameter: value},
            )  # fmt: skip
            summaries.append(document["summary"])
            if say is not None:
                say(policy, value, document["summary"])
        main = summaries[0]["main_metric"]
        curves[Path(policy).parent.name if Path(policy).name == "bundle" else Path(policy).name] = {
            "kind": document["policy"]["kind"],
            "bundle_sha256": (document["policy"].get("bundle") or {}).get("sha256"),
            "successes": [s["success"]["successes"] for s in summaries],
            "wilson": [s["success"]["wilson"] for s in summaries],
            "success_median": [s["metrics"][main]["success_median"] for s in summaries],
        }
    return {
        "environment": document["environment"],
        "parameter": {"name": parameter, "unit": term.unit, "description": term.description},
        "main_metric": {"name": main, "unit": document["summary"]["metrics"][main]["unit"]},
        "values": list(values),
        "episodes": episodes,
        "first_seed": HELD_OUT_SEED,
        "policies": curves,
        **{name: document[name] for name in KEPT},
    }


def _where(
    policies: Sequence[str], parameter: str, env_id: str | None, kwargs: dict[str, Any] | None
) -> tuple[str, dict[str, Any], Term]:
    """Environment, task arguments, and the declaration of the parameter."""
    bundles = [b for b in map(find_bundle, policies) if b is not None]
    if env_id is None:
        if not bundles:
            raise ShopfloorError("name the environment with --env: a scripted policy belongs to none")
        env_id = bundles[0].contract.env_id
    if kwargs is None:
        kwargs = dict(bundles[0].contract.task_kwargs) if bundles else {}
    terms = {t.name: t for t in make_declaration(env_id, **kwargs).start}
    if parameter not in terms:
        raise ShopfloorError(f"{env_id} has no start parameter {parameter!r}; there are: {', '.join(terms)}")
    if terms[parameter].size != 1:
        raise ShopfloorError(f"{parameter} has {terms[parameter].size} components; a sweep takes one that has one")
    return env_id, kwargs, terms[parameter]
