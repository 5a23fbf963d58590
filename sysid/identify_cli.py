"""`shopfloor identify LOG --env ID`: fit a plant to logs of the controller runtime, and say what is known of it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from ..envs.engine.describe import canonical_id
from ..envs.engine.task import Task
from ..envs.randomization import Spec, choose
from ..envs.registry import make_task
from ..errors import ShopfloorError
from .arguments import positive, values_of, whole
from .identification import identify, parameters_for, split
from .logs import Recording, environment_of, find_files, read_recording
from .outputs import POSTERIOR_FILE, SAMPLES, SPEC_FILE, report_text, write_results
from .replay import POSITION, VELOCITY, compared_readings

EXIT_REFUSED = 1


def main(argv: Sequence[str]) -> int:
    """Identify a plant.

    Returns:
        0 if held-out trajectories are predicted better than by the nominal plant, 1 if they are not.

    Raises:
        ShopfloorError: if a log or an argument is wrong.
    """
    arguments = _parser().parse_args(argv)
    begin = time.perf_counter()
    env_id = canonical_id(arguments.env)
    logs = [Path(p) for p in arguments.log]
    held = [Path(p) for p in arguments.holdout]
    kwargs = _task_arguments(env_id, [*logs, *held], arguments.kwargs)
    task = make_task(env_id, **kwargs)
    spec = _spec_of(task, arguments.randomization, env_id)
    terms = None if arguments.terms is None else [t.strip() for t in arguments.terms.split(",") if t.strip()]
    parameters = parameters_for(task, spec, terms)
    recordings = _read(task, logs, arguments.position, arguments.velocity)
    if held:
        fitted, unseen = recordings, _read(task, held, arguments.position, arguments.velocity)
    else:
        fitted, unseen = split(recordings)
    found = identify(
        task,
        parameters,
        fitted,
        unseen,
        position=arguments.position,
        velocity=arguments.velocity,
        progress=(lambda line: None) if arguments.quiet else (lambda line: print(line, file=sys.stderr)),
        threads=arguments.threads,
    )
    folder = Path(arguments.out) if arguments.out else _default_folder(logs[0])
    seconds = time.perf_counter() - begin
    source: dict[str, Any] = {
        "environment": env_id,
        "task_kwargs": kwargs,
        "spec": {"name": spec.name, "hash": spec.hash},
        "log": ", ".join(map(str, logs)),
        "fitted": [str(r.source) for r in fitted],
        "held_out": [str(r.source) for r in unseen],
        "shopfloor": __version__,
        "seconds": round(seconds, 1),
    }
    write_results(found, folder, source, arguments.samples, arguments.widen)
    print(report_text(found))
    print(f"took              {seconds:.1f} s")
    if not found.accepted:
        print(f"shopfloor: refused: {found.refusal}", file=sys.stderr)
        return EXIT_REFUSED
    print(f"written           {folder / POSTERIOR_FILE}, {folder / SPEC_FILE}")
    return 0


def _task_arguments(env_id: str, logs: Sequence[Path], given: Sequence[str]) -> dict[str, Any]:
    """Task arguments: those given, else those of the logs' summaries.

    Raises:
        ShopfloorError: if a summary is of another environment, or two differ.
    """
    found: dict[str, Any] | None = None
    for log in logs:
        environment = environment_of(log)
        if environment is None:
            continue
        if canonical_id(environment["id"]) != env_id:
            raise ShopfloorError(f"{log} was recorded in {environment['id']}, not in {env_id}")
        if found is not None and environment["task_kwargs"] != found:
            raise ShopfloorError(f"{log} was recorded with other task arguments than the log before it")
        found = environment["task_kwargs"]
    return values_of(given, "--kwargs") if given else found or {}


def _spec_of(task: Task, request: str | None, env_id: str) -> Spec:
    chosen = choose(request, task.randomization)
    if chosen is None:
        raise ShopfloorError(f"{env_id} declares no randomization; name the terms in a YAML file: --randomization FILE")
    return chosen.spec


def _read(task: Task, sources: Sequence[Path], position: str, velocity: str) -> list[Recording]:
    readings = compared_readings(task, position, velocity)
    sizes = {c.name: c.size for c in task.channels if c.name in readings}
    width = len(task.make_action().terms)
    return [read_recording(path, width, sizes) for path in find_files(sources)]


def _default_folder(log: Path) -> Path:
    return (log if log.is_dir() else log.parent) / "identified"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shopfloor identify",
        description="Fit plant parameters to logs of the controller runtime; write a posterior for randomization.",
    )
    parser.add_argument("log", nargs="+", metavar="LOG", help="log folders or episode files of one plant")
    parser.add_argument("--env", metavar="ID", required=True, help="environment, such as ArmReach-v0")
    parser.add_argument(
        "--kwargs", nargs="+", default=[], metavar="NAME=VALUE", help="task arguments; default: the log's"
    )
    parser.add_argument(
        "--terms", metavar="A,B,...", help="terms of the spec; default: payload, damping, armature, friction, delay"
    )
    parser.add_argument("--randomization", metavar="SPEC", help="spec with the terms; default: the environment's")
    parser.add_argument(
        "--holdout", nargs="+", default=[], metavar="LOG", help="logs to predict; default: the last quarter"
    )
    parser.add_argument("--out", metavar="DIR", help="where the results go (LOG/identified)")
    parser.add_argument("--samples", type=whole, default=SAMPLES, help="samples of the posterior (%(default)s)")
    parser.add_argument(
        "--widen", type=positive, default=1.0, help="factor on the posterior's deviations (%(default)s)"
    )
    parser.add_argument("--position", default=POSITION, metavar="NAME", help="reading of joint positions (%(default)s)")
    parser.add_argument(
        "--velocity", default=VELOCITY, metavar="NAME", help="reading of joint velocities (%(default)s)"
    )
    parser.add_argument("--threads", type=int, help="threads of physics; default: all cores")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    return parser
