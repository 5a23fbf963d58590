"""`shopfloor demo`: the whole road once, from a config to a policy on a twin, with a report at its end.

Train, export, evaluate beside the scripted references, run on the twin in real time, take pictures, write the report.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .cli import EXIT_FAILURE, EXIT_INTERRUPTED
from .cli import report as print_error
from .deploy.bundle import Bundle
from .deploy.log import write_json
from .deploy.runtime import ControllerRuntime, Episode
from .envs.engine.task import Task
from .envs.registry import make_task
from .errors import ShopfloorError
from .eval.evaluate import EPISODES, HELD_OUT_SEED, evaluate
from .eval.policies import BundlePolicy, Policy, scripted
from .eval.report import evaluate_named
from .report.build import write_report
from .report.material import EPISODE_DIR, EVALUATION_DIR, KINDS, STAGES_FILE, TWIN_DIR, Scores
from .report.pictures import Film, animation, stills, why_no_pictures
from .report.record import Transcript, record, typical
from .report.verdict import compare, judge

CONFIG = "wafer_transfer"
FAST_STEPS, FAST_EPISODES, FAST_VALIDATION = 12_000, 40, 16
# of a shortened training: so many validations, to have a curve at all
VALIDATIONS = 6
# more rows at a time than `shopfloor eval` takes: numpy's overhead counts here
ROWS = 64


@dataclass(frozen=True)
class Plan:
    """What one demo does.

    Attributes:
        config: name or path of the training config.
        run: an existing run to go on from instead of training; "" to train.
        steps: environment steps of training; None for the config's.
        validation: episodes of each validation during training; None for the config's.
        episodes: held-out episodes of each evaluation.
        twin_episodes: how many of them run on the twin.
        runs_dir: where run directories are made.
        pictures: "full", "fast", or "" for none.
    """

    config: str
    run: str
    steps: int | None
    validation: int | None
    episodes: int
    twin_episodes: int
    runs_dir: str
    pictures: str


class Stages:
    """Numbered stages on the console, with their durations.

    Attributes:
        seconds: duration of each finished stage by name, in order.
        current: number and name of the present stage.
    """

    def __init__(self, count: int):
        self.count = count
        self.seconds: dict[str, float] = {}
        self.current = ""

    @contextlib.contextmanager
    def stage(self, name: str, title: str) -> Iterator[None]:
        """Announce a stage, run it, say how long it took."""
        self.current = f"stage {len(self.seconds) + 1} of {self.count}, {name}"
        print(f"\n[{len(self.seconds) + 1}/{self.count}] {title}", flush=True)
        begin = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - begin
        say(f"took {in_words(self.seconds[name])}")

    def write(self, folder: Path) -> None:
        """Leave the durations where the report finds them."""
        write_json(folder / STAGES_FILE, [{"name": k, "seconds": round(v, 3)} for k, v in self.seconds.items()])


def say(text: str) -> None:
    """A line below a stage's title."""
    print(f"      {text}", flush=True)


def in_words(seconds: float) -> str:
    """A duration: 12.3 s, 7 min 5 s."""
    whole = round(seconds)
    return f"{seconds:.1f} s" if seconds < 60 else f"{whole // 60} min {whole % 60} s"


def main(argv: Sequence[str]) -> int:
    """Run the demo.

    Returns:
        0 if everything ran, whatever the policy is worth; 1 if a stage failed; 130 or 143 when interrupted.

    Raises:
        ShopfloorError: if the command line or the config is wrong.
    """
    plan = parse(argv)
    stages = Stages(5 if plan.run else 6)
    begin = time.monotonic()
    run: Path | None = None
    try:
        if plan.run:
            run = Path(plan.run)
        else:
            run, signal = train_stage(plan, stages)
            if signal is not None:
                print(f"stopped; continue with: shopfloor resume {run}\nand then:           shopfloor demo --run {run}")
                return 128 + signal
        path = after_training(run, plan, stages)
    except ShopfloorError as error:
        if not stages.current:  # what was asked for was wrong, nothing has begun
            raise
        print_error(f"{stages.current}: {error}")
        return EXIT_FAILURE
    except KeyboardInterrupt:
        go_on = f"; continue with: shopfloor demo --run {run}" if run is not None else ""
        print(f"\nshopfloor: interrupted in {stages.current}{go_on}", file=sys.stderr)
        return EXIT_INTERRUPTED
    print_result(run, path, stages, time.monotonic() - begin)
    return 0


def parse(argv: Sequence[str]) -> Plan:
    """The plan that a command line asks for.

    Raises:
        ShopfloorError: if options exclude each other.
    """
    parser = argparse.ArgumentParser(
        prog="shopfloor demo",
        description="Train a wafer-transfer policy, export it, evaluate it beside expert, oracle and random, run it on "
        "the twin in real time, and write all of it into one HTML report.",
    )
    parser.add_argument("--config", metavar="PATH", help=f"training config, a name or a YAML file ({CONFIG})")
    parser.add_argument("--steps", type=_count, metavar="N", help="environment steps of training (the config's)")
    parser.add_argument(
        "--episodes", type=_count, metavar="N", help=f"held-out episodes of each evaluation ({EPISODES})"
    )
    parser.add_argument(
        "--runs-dir", metavar="DIR", default="runs", help="where run directories are made (%(default)s)"
    )
    parser.add_argument("--run", metavar="RUN", help="go on from a run that is trained already, instead of training")
    parser.add_argument("--no-video", action="store_true", help="take no pictures")
    parser.add_argument("--fast", action="store_true", help="only see whether everything runs, within a minute or two")
    given = parser.parse_args(argv)
    if given.run and (given.config or given.steps):
        raise ShopfloorError("--run goes on from a trained run: --config and --steps do not apply to it")
    return Plan(
        config=given.config or CONFIG,
        run=given.run or "",
        steps=given.steps or (FAST_STEPS if given.fast else None),
        validation=FAST_VALIDATION if given.fast else None,
        episodes=given.episodes or (FAST_EPISODES if given.fast else EPISODES),
        twin_episodes=min(given.episodes or EPISODES, 1 if given.fast else 5),
        runs_dir=given.runs_dir,
        pictures="" if given.no_video else "fast" if given.fast else "full",
    )


def _count(text: str) -> int:
    value = int(text.replace("_", ""))
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


# -- stages -------------------------------------------------------------------------------------------------------


def train_stage(plan: Plan, stages: Stages) -> tuple[Path, int | None]:
    """Train; returns the run directory and the signal that stopped it, if one did."""
    from .train.config import TrainConfig
    from .train.config_file import load
    from .train.runner import train

    config: TrainConfig = load(plan.config)
    if plan.steps is not None:
        every = min(config.evaluation.every_steps, max(1, plan.steps // VALIDATIONS))
        validation = {"every_steps": every, "episodes": plan.validation or config.evaluation.episodes}
        config = load(plan.config, {"total_steps": plan.steps, "evaluation": validation})
    title = f"Train {config.env.id} with {config.algorithm.upper()}, {config.total_steps:,} environment steps"
    with stages.stage("train", title):
        result = train(config, plan.runs_dir)
    return result.run.path, result.signal


def after_training(run: Path, plan: Plan, stages: Stages) -> Path:
    """Everything after training; returns the path of the report."""
    with stages.stage("export", "Export the best policy to a bundle"):
        from .train.export import export_run

        folder, deviation = export_run(run)
        bundle = Bundle.load(folder)
        say(f"{folder}, {bundle.sha256[:12]}; differs from the trained network by at most {deviation:.1g} of the range")
    with stages.stage("evaluate", f"Evaluate on {plan.episodes} held-out episodes"):
        scores = evaluate_all(run, bundle, plan.episodes)
    with stages.stage("twin", f"Run the bundle on the twin at {bundle.contract.control_hz:g} Hz in real time"):
        run_on_twin(run, bundle, plan.twin_episodes, scores["policy"])
    with stages.stage("pictures", "Record one typical episode"):
        record_episode(run, bundle, scores["policy"], plan.pictures)
    with stages.stage("report", "Write the report"):
        stages.write(run)
        return write_report(run)


def fresh_task(bundle: Bundle) -> Task:
    """The task that the bundle's contract names."""
    return make_task(bundle.contract.env_id, **bundle.contract.task_kwargs)


def references(task: Task) -> list[str]:
    """The scripted policies that a task has."""
    return ["expert", *(["oracle"] if task.oracle() is not None else []), "random"]


def evaluate_all(run: Path, bundle: Bundle, episodes: int) -> dict[str, Scores]:
    """Score the bundle and the references on the same episodes, and write one document for each."""
    contract, task = bundle.contract, fresh_task(bundle)
    folder = run / EVALUATION_DIR
    folder.mkdir(exist_ok=True)
    main_metric, found = task.main_metric, {}
    for kind in ["policy", *references(task)]:
        document = evaluate_named(
            bundle.path if kind == "policy" else kind,
            contract.env_id,
            contract.task_kwargs,
            episodes=episodes,
            num_envs=ROWS,
            progress=functools.partial(_show_progress, KINDS[kind], episodes),
        )
        _clear_line()
        (folder / f"{kind}.json").write_text(
            json.dumps(document, ensure_ascii=False, allow_nan=False), encoding="utf-8"
        )
        found[kind] = Scores.of(kind, document)
        median = document["summary"]["metrics"][main_metric]["success_median"]
        unit = task.metrics[main_metric].unit
        figure = "" if median is None else f", median {main_metric.replace('_', ' ')} {median:.3f} {unit}"
        rate = document["summary"]["success"]["rate"]
        say(f"{KINDS[kind]:<15} success {100 * rate:5.1f} %{figure}  ({document['wall_s']:.1f} s)")
    return found


def _show_progress(name: str, total: int, finished: int) -> None:
    if sys.stdout.isatty():
        print(f"\r      {name}: {finished} of {total} episodes", end="", flush=True)


def _clear_line() -> None:
    if sys.stdout.isatty():
        print("\r\x1b[K", end="", flush=True)


def run_on_twin(run: Path, bundle: Bundle, episodes: int, evaluated: Scores) -> None:
    """Run the first held-out episodes in the controller loop, compare them with evaluation, write log and summary."""
    from .deploy.__main__ import summarize
    from .deploy.twin import MujocoTwin

    folder = run / TWIN_DIR
    folder.mkdir(exist_ok=True)
    for old in folder.glob("episode_*.npz"):
        old.unlink()
    runtime = ControllerRuntime(bundle, MujocoTwin(bundle.contract.env_id, bundle.contract.task_kwargs))
    sizes = {t.name: t.size for t in bundle.contract.observation}
    done: list[Episode] = []
    for seed in range(HELD_OUT_SEED, HELD_OUT_SEED + episodes):
        episode = runtime.run_episode(seed)
        if episode.reason == "interrupted":
            raise KeyboardInterrupt
        if episode.fault:
            raise ShopfloorError(f"the controller stopped in the episode of seed {seed}: {episode.reason}")
        episode.log.save(folder / f"episode_{seed}.npz", sizes)
        done.append(episode)
    summary = summarize(bundle, runtime, done)
    summary["parity"] = parity(bundle, done, evaluated)
    write_json(folder / "summary.json", summary)
    outcomes = [e.outcome for e in done if e.outcome is not None]
    deadlines = summary["deadlines"]
    say(
        f"{sum(o.success for o in outcomes)} of {len(done)} episodes succeed; {deadlines['missed']} of "
        f"{deadlines['ticks']} deadlines missed; a tick works {deadlines['busy']['p50_ms']:.1f} ms, at most "
        f"{deadlines['busy']['max_ms']:.1f} ms"
    )
    say(summary["parity"]["note"])


def parity(bundle: Bundle, episodes: Sequence[Episode], evaluated: Scores) -> dict[str, Any]:
    """Compare every command and every result of the controller runs with those of evaluation, bit by bit."""
    transcript = Transcript(BundlePolicy(bundle))
    evaluate(transcript, fresh_task(bundle), [e.seed for e in episodes])
    setpoints, differing = transcript.setpoints, []
    rows = {int(seed): i for i, seed in enumerate(evaluated.seeds)}
    for episode in episodes:
        same = np.array_equal(episode.log.column("command"), setpoints[episode.seed])
        if episode.outcome is not None:
            scored = {name: values[rows[episode.seed]] for name, values in evaluated.metrics.items()}
            same &= all(np.array_equal(scored[k], v, equal_nan=True) for k, v in episode.outcome.metrics.items())
        if not same:
            differing.append(episode.seed)
    commands = sum(len(e.log.ticks) for e in episodes)
    note = (
        f"commands or results differ from those of evaluation in the episodes of seeds {differing}"
        if differing
        else f"all {commands} commands are bit-equal to those of evaluation, and so are the results"
    )
    return {"bit_equal": not differing, "episodes": len(episodes), "commands": commands, "note": note}


def record_episode(run: Path, bundle: Bundle, scores: Scores, quality: str) -> None:
    """Record the policy's most typical episode, the references in the same one, and take pictures of the policy's."""
    folder, task = run / EPISODE_DIR, fresh_task(bundle)
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    seed = int(scores.seeds[typical(scores.of_successes(task.main_metric))])
    makers: dict[str, Callable[[], Policy]] = {"policy": lambda: BundlePolicy(bundle)}
    makers |= {k: functools.partial(scripted, k, task) for k in references(task) if k != "random"}
    for kind, make in makers.items():
        recording = record(make(), fresh_task(bundle), seed)
        write_json(folder / f"{kind}.json", recording.to_plain())
    why = f"whose {task.main_metric.replace('_', ' ')} is nearest to the median"
    say(f"seed {seed}, {why if scores.success.any() else 'the first, as none was a success'}")
    reason = why_no_pictures() if quality else "they were not asked for (--no-video)"
    index: dict[str, Any] = {"reason": reason}
    if reason is None:
        index = take_pictures(folder, bundle, seed, quality)
    if "reason" in index:
        say(f"no pictures: {index['reason']}")
    write_json(folder / "pictures.json", index)


def take_pictures(folder: Path, bundle: Bundle, seed: int, quality: str) -> dict[str, Any]:
    """Film an episode; returns the index of the pictures, or why there are none."""
    film = Film(quality=quality)
    try:
        record(BundlePolicy(bundle), fresh_task(bundle), seed, film)
    except ShopfloorError as error:  # no GL here, which must not spoil the rest
        return {"reason": str(error)}
    finally:
        film.close()
    (folder / "animation.webp").write_bytes(animation(film.pictures, film.times_s))
    kept = []
    for i, (time_s, data) in enumerate(stills(film.pictures, film.times_s)):
        name = f"still_{i}.webp"
        (folder / name).write_bytes(data)
        kept.append({"time_s": time_s, "file": name})
    return {"seed": seed, "animation": "animation.webp", "stills": kept}


# -- the end ------------------------------------------------------------------------------------------------------


def print_result(run: Path, report: Path, stages: Stages, seconds: float) -> None:
    """Headline figures, targets, times, and where the report is."""
    found = {k: run / EVALUATION_DIR / f"{k}.json" for k in KINDS}
    scores = {k: Scores.of(k, json.loads(p.read_text(encoding="utf-8"))) for k, p in found.items() if p.is_file()}
    policy = scores["policy"]
    task = fresh_task(Bundle.load(run))
    metric = task.metrics[task.main_metric]
    name = task.main_metric.replace("_", " ")
    print(f"\n{'':<15} {'success':>8}  {'95 % interval':>15}  median {name} ({metric.unit})  policy / this one")
    for kind, one in scores.items():
        summary = one.document["summary"]
        low, high = summary["success"]["wilson"]
        median = summary["metrics"][task.main_metric]["success_median"]
        ratio = compare(policy, one, task)
        width = len(name) + len(metric.unit) + 10
        print(
            f"{KINDS[kind]:<15} {100 * summary['success']['rate']:>6.1f} %  {100 * low:>5.1f} – {100 * high:>5.1f} %  "
            f"{'–' if median is None else f'{median:.3f}':>{width}}  "
            f"{'' if one is policy or not ratio.episodes else f'{ratio.ratio:.3f}':>17}".rstrip()
        )
    print()
    for check in judge(scores, task):
        print(f"{'met   ' if check.met else 'MISSED'}  {check.text}")
    times = ", ".join(f"{stage} {in_words(spent)}" for stage, spent in stages.seconds.items())
    print(f"\ntimes: {times}; together {in_words(seconds)}")
    print(f"report: {report.resolve()}")
