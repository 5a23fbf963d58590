"""`shopfloor run BUNDLE`: execute a policy bundle in a controller loop against its twin.

This is not a safety function; see `shopfloor.deploy.runtime`.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import signal
import statistics
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import ShopfloorError
from .bundle import Bundle
from .log import write_json
from .policy import arithmetic
from .runtime import NOT_SAFETY, ControllerRuntime, Episode, deadline_statistics, intervention_counts

SCHEMA_VERSION = 1
EXIT_FAULT = 1
EXIT_INTERRUPTED = 130
# the first of the held-out seeds, so that a run shows what evaluation has scored
FIRST_SEED = 1_000_000
SHOWN_EPISODES = 20


def main(argv: Sequence[str]) -> int:
    """Run a bundle on its twin.

    Returns:
        0 if every episode ran to its end, whether it succeeded or not; 1 after a fault; 130 when interrupted.
    """
    arguments = _parser().parse_args(argv)
    bundle = Bundle.load(arguments.bundle)
    contract = bundle.contract
    if contract.decisions:
        raise ShopfloorError(
            f"{bundle.path} decides when it is asked and has no control rate, so that no fixed-rate loop can run it; "
            f"`shopfloor eval {bundle.path}` plays it, and shopfloor.deploy.decision.DecisionFunction deploys it"
        )
    from .twin import MujocoTwin

    twin = MujocoTwin(contract.env_id, contract.task_kwargs)
    folder = Path(arguments.log) if arguments.log else _default_log(bundle)
    folder.mkdir(parents=True, exist_ok=True)
    runtime = ControllerRuntime(bundle, twin, realtime=arguments.realtime)
    _print_header(bundle, runtime)
    episodes: list[Episode] = []
    # a service manager stops a run the way a person does: the twin is stopped and the log is written
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for seed in range(arguments.seed, arguments.seed + arguments.episodes):
            episode = runtime.run_episode(seed)
            episodes.append(episode)
            sizes = {t.name: t.size for t in contract.observation}
            episode.log.save(folder / f"episode_{seed}.npz", sizes)
            _print_episode(episode, len(episodes), arguments.episodes)
            if episode.fault or episode.reason == "interrupted":
                break
    finally:
        signal.signal(signal.SIGTERM, previous)
    write_json(folder / "summary.json", summarize(bundle, runtime, episodes))
    _print_summary(episodes, folder, runtime.realtime)
    if episodes[-1].reason == "interrupted":
        return EXIT_INTERRUPTED
    return EXIT_FAULT if episodes[-1].fault else 0


def summarize(bundle: Bundle, runtime: ControllerRuntime, episodes: Sequence[Episode]) -> dict[str, Any]:
    """Everything worth knowing about a run, as plain data."""
    test = runtime.self_test
    return {
        "schema_version": SCHEMA_VERSION,
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "bundle": {"path": str(bundle.path.resolve()), "sha256": bundle.sha256, "contract": bundle.contract.sha256},
        "environment": {
            "id": bundle.contract.env_id,
            "task_kwargs": bundle.contract.task_kwargs,
            "fingerprint": bundle.contract.fingerprint,
        },
        "versions": {
            "shopfloor": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "arithmetic": arithmetic(),
        },
        "self_test": {"bit_equal": test.bit_equal, "pairs": test.pairs, "max_error": test.max_error, "note": test.note},
        "control_hz": bundle.contract.control_hz,
        "realtime": runtime.realtime,
        "deadlines": deadline_statistics(episodes),
        "interventions": intervention_counts(episodes),
        "episodes": [_episode_data(e) for e in episodes],
        "safety": NOT_SAFETY,
    }


def _episode_data(episode: Episode) -> dict[str, Any]:
    outcome = episode.outcome
    metrics = {} if outcome is None else outcome.metrics
    return {
        "seed": episode.seed,
        "ticks": len(episode.log.ticks),
        "success": None if outcome is None else outcome.success,
        "reason": episode.reason,
        "fault": episode.fault,
        "metrics": {name: value if math.isfinite(value) else None for name, value in metrics.items()},
        "units": {} if outcome is None else dict(outcome.units),
        "states": [state.name for _, state in episode.log.transitions],
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shopfloor run",
        description="Run a policy bundle in a fixed-rate controller loop against its twin.",
        epilog=NOT_SAFETY,
    )
    parser.add_argument("bundle", metavar="BUNDLE", help="folder of a bundle, or of a run that was exported")
    parser.add_argument("--seed", type=_natural, default=FIRST_SEED, help="seed of the first episode (%(default)s)")
    parser.add_argument("--episodes", type=_positive, default=1, help="episodes, one a seed (%(default)s)")
    parser.add_argument("--realtime", action=argparse.BooleanOptionalAction, default=True, help="keep deadlines")
    parser.add_argument("--log", metavar="DIR", help="where the log goes (runs/controller/…)")
    return parser


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must not be negative, got {value}")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def _default_log(bundle: Bundle) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name = bundle.contract.env_id.rpartition("/")[2] or "run"
    return Path("runs") / "controller" / f"{name}-{stamp}-{os.getpid()}"


# -- what a person reads ------------------------------------------------------------------------------------------


def _print_header(bundle: Bundle, runtime: ControllerRuntime) -> None:
    contract = bundle.contract
    pace = "real time" if runtime.realtime else "as fast as possible"
    print(f"bundle      {bundle.path}, {bundle.sha256[:12]}, {contract.provenance.training_steps} training steps")
    print(f"twin        {contract.env_id} at {contract.control_hz:g} Hz, {pace}")
    print(f"self-test   {runtime.self_test.note}")


def _print_episode(episode: Episode, number: int, total: int) -> None:
    if number > SHOWN_EPISODES and number != total and not episode.fault:
        return
    outcome, figure = episode.outcome, ""
    verdict = "no outcome" if outcome is None else "success" if outcome.success else "failure"
    if outcome is not None and math.isfinite(outcome.metrics[outcome.main_metric]):
        name = outcome.main_metric
        figure = f", {name} {outcome.metrics[name]:.4g} {outcome.units[name]}"
    print(f"seed {episode.seed}  {verdict} ({episode.reason}), {len(episode.log.ticks)} ticks{figure}")


def _print_summary(episodes: Sequence[Episode], folder: Path, realtime: bool) -> None:
    outcomes = [e.outcome for e in episodes if e.outcome is not None]
    line = f"success     {sum(o.success for o in outcomes)} of {len(episodes)}"
    name = outcomes[0].main_metric if outcomes else ""
    values = [o.metrics[name] for o in outcomes if o.success]
    if values:
        line += f", median {name} {statistics.median(values):.4g} {outcomes[0].units[name]}"
    print(line)
    deadlines, interventions = deadline_statistics(episodes), intervention_counts(episodes)
    late, busy = deadlines["lateness"], deadlines["busy"]
    if realtime:
        print(
            f"deadlines   {deadlines['missed']} of {deadlines['ticks']} missed; "
            f"late p50 {late['p50_ms']:.3f}, p99 {late['p99_ms']:.3f}, max {late['max_ms']:.3f} ms"
        )
    print(f"tick        works p50 {busy['p50_ms']:.3f}, p99 {busy['p99_ms']:.3f}, max {busy['max_ms']:.3f} ms")
    print(f"guard       {', '.join(f'{n} {kind}' for kind, n in interventions.items()).replace('_', ' ')}")
    if episodes[-1].fault:
        print(f"stopped     {episodes[-1].reason}", file=sys.stderr)
    print(f"log         {folder}")
    print(NOT_SAFETY)


if __name__ == "__main__":
    from ..cli import main as command

    sys.exit(command(["run", *sys.argv[1:]]))
