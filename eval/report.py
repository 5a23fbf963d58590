"""One evaluation from names to a document: what `shopfloor eval` writes and prints."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from .. import __version__
from ..contract import check_compatible, plain
from ..deploy.bundle import Bundle
from ..envs.engine.describe import canonical_id, contract_of
from ..envs.randomization import choose
from ..envs.registry import env_ids, event_driven_ids, make_declaration
from ..errors import ShopfloorError
from .evaluate import EPISODES, HELD_OUT_SEED, evaluate, held_out_seeds, summarize
from .policies import bundle_policy, find_bundle, scripted

SCHEMA_VERSION = 1
PACKAGES = ("numpy", "mujoco", "onnxruntime")


def evaluate_named(
    policy: str | Path,
    env_id: str | None = None,
    task_kwargs: Mapping[str, Any] | None = None,
    *,
    episodes: int = EPISODES,
    first_seed: int = HELD_OUT_SEED,
    num_envs: int | None = None,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
    randomization: object = None,
    task_params: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Evaluate a policy by name and return the content of an evaluation.json, as plain data.

    Args:
        policy: a bundle's folder, a run's folder, or one of `policies.SCRIPTED`.
        env_id: the environment; None for the one the bundle was trained in.
        task_kwargs: its task arguments; None for the bundle's, or the defaults.
        episodes, first_seed: which held-out seeds.
        num_envs, threads, progress: see `evaluate`.
        randomization: a split of the environment's randomization, a spec's file with or without a split, or whatever
            else `gymnasium.make` takes; None for the nominal machine.
        task_params: values of the start distribution that all episodes have.

    Raises:
        ShopfloorError: if a name is unknown, the bundle is damaged, or its contract does not fit the environment.
    """
    seeds = held_out_seeds(episodes, first_seed)
    bundle = find_bundle(str(policy))
    env_id, kwargs = _environment(bundle, env_id, task_kwargs)
    task = make_declaration(env_id, **kwargs)
    offered = contract_of(task, env_id, kwargs)
    self_test = None
    if bundle is not None:
        differences = check_compatible(bundle.contract, offered)
        if differences:
            listed = "".join(f"\n  - {d}" for d in differences)
            raise ShopfloorError(f"{bundle.path} was not trained for this environment:{listed}")
        self_test = bundle.self_test().note
    chosen = choose(randomization, task.randomization)
    subject = scripted(str(policy), task) if bundle is None else bundle_policy(bundle)
    begin = time.perf_counter()
    records = evaluate(
        subject, task, seeds, num_envs=num_envs, threads=threads, progress=progress, randomization=chosen,
        task_params=task_params,
    )  # fmt: skip
    wall_s = time.perf_counter() - begin
    return {
        "schema_version": SCHEMA_VERSION,
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "policy": {
            "name": str(policy),
            "kind": subject.kind,
            "privileged": subject.privileged,
            "bundle": None if bundle is None else _bundle_data(bundle, self_test),
        },
        "environment": {
            "id": env_id,
            "task_kwargs": offered.task_kwargs,
            "fingerprint": offered.fingerprint,
            "control_hz": offered.control_hz,
        },
        "randomization": None
        if chosen is None
        else {"spec": chosen.spec.name, "hash": chosen.spec.hash, "split": chosen.split},
        # episode 0 of each seed; batch 1 makes the bits those of the controller
        "protocol": {
            "suite": "held-out",
            "first_seed": first_seed,
            "episodes": episodes,
            "episode_of_seed": 0,
            "policy_batch": 1,
            **({"task_params": dict(task_params)} if task_params else {}),
        },
        "versions": versions(),
        "wall_s": wall_s,
        "summary": summarize(records, task),
        "episodes": [without_nan(asdict(r)) for r in records],
    }


def _environment(
    bundle: Bundle | None, env_id: str | None, task_kwargs: Mapping[str, Any] | None
) -> tuple[str, dict[str, Any]]:
    if bundle is None and env_id is None:
        known = ", ".join([*env_ids(), *event_driven_ids()])
        raise ShopfloorError(f"name the environment with --env; there are: {known}")
    contract = None if bundle is None else bundle.contract
    name = canonical_id(env_id) if env_id is not None else contract.env_id if contract is not None else ""
    if task_kwargs is None and contract is not None and contract.env_id == name:
        task_kwargs = contract.task_kwargs
    return name, dict(task_kwargs or {})


def _bundle_data(bundle: Bundle, self_test: str | None) -> dict[str, Any]:
    return {
        "path": str(bundle.path.resolve()),
        "sha256": bundle.sha256,
        "contract_sha256": bundle.contract.sha256,
        "provenance": asdict(bundle.contract.provenance),
        "self_test": self_test,
    }


def versions() -> dict[str, str]:
    """Versions that a result may depend on."""
    installed = {}
    for name in PACKAGES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed[name] = ""
    return {
        "shopfloor": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **installed,
    }


def without_nan(data: Any) -> Any:
    """Plain data in which numbers that are not finite are null, as JSON wants it."""
    if isinstance(data, dict):
        return {k: without_nan(v) for k, v in data.items()}
    if isinstance(data, (list, tuple)):
        return [without_nan(v) for v in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return plain(data)


# -- what a person reads ------------------------------------------------------------------------------------------


def print_evaluation(document: Mapping[str, Any], console: Console | None = None) -> None:
    """Print an evaluation as a table."""
    summary, environment = document["summary"], document["environment"]
    success = summary["success"]
    low, high = success["wilson"]
    privileged = " (knows what a deployed policy cannot)" if document["policy"]["privileged"] else ""
    main = summary["metrics"][summary["main_metric"]]
    median = ""
    if main["success_median"] is not None:
        median = f"; median {summary['main_metric']} {main['success_median']:.4g} {main['unit']}"
    head = (
        f"{document['policy']['name']}{privileged} on {environment['id']}\n"
        f"success   {success['successes']} of {summary['episodes']}, {100 * success['rate']:.1f} % "
        f"[{100 * low:.1f}, {100 * high:.1f}]{median}\n"
        f"ends      {', '.join(f'{count} {reason}' for reason, count in summary['reasons'].items())}\n"
        f"episodes  held-out seeds from {document['protocol']['first_seed']}; intervals of 95 %; "
        f"mean reward {summary['total_reward']['mean']:.4g}\n"
    )
    (console or Console()).print(Group(Text(head), _metric_table(summary)))


def _metric_table(summary: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("metric", "unit"):
        table.add_column(name, no_wrap=True)
    for name in ("median", "95 % interval", "mean", "p95", "n"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, m in summary["metrics"].items():
        ranks = " *" if name == summary["main_metric"] else ""
        unit = f"{m['unit']} {'↓' if m['better'] == 'lower' else '↑'}"
        figures = ["–"] * 4
        if m["n"]:
            low, high = m["median_interval"]
            figures = [f"{m['median']:.3g}", f"{low:.3g}–{high:.3g}", f"{m['mean']:.3g}", f"{m['p95']:.3g}"]
        table.add_row(Text(name + ranks), unit, *figures, str(m["n"]))
    return table
