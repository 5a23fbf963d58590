"""Throughput of the environments as a share of what MuJoCo alone does on the same machine: `shopfloor bench`.

Every sample is gated and divided by the raw bound measured beside it, so numbers from different machines and from busy
ones can be compared; see `benchmarks.gate` and `benchmarks.bound`. The environments run with everything on: reward
terms, infos, noise, and episodes that end one after another and begin anew in the same step.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode

from .. import __version__
from ..envs.engine.vector_env import CellVectorEnv
from ..envs.registry import NAMESPACE, env_ids, event_driven_ids, make_vector_env
from ..errors import ShopfloorError
from .bound import ROWS, RawBound, record
from .decisions import EventBound, settled
from .gate import Gate, Result
from .load import Actions, staggered
from .page import PAGE, PICTURES, throughput_page
from .step_profile import print_profile

RESULTS = Path(__file__).parent / "results"
REACH, TRANSFER = "shopfloor/ArmReach-v0", "shopfloor/WaferTransfer-v0"
GAP_FILL = "shopfloor/WeldGapFill-v0"
RANDOMIZED = "..., randomized"
SEEING = "shopfloor/ArmPickPlace-v0", "shopfloor/ArmPegInsert-v0", "shopfloor/ArmConveyorPick-v0"
SEEING_ROWS = 8
PPO_STEPS = 49_152  # 12 updates of 4096 transitions

Sample = Callable[[float], float]


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        name: what is measured.
        env_id: environment, whose raw bound the samples are divided by.
        n: number of environments.
        make: context manager that gives the sample function, from `n` and the number of threads.
        target: share of the bound to reach, where there is a target.
    """

    name: str
    env_id: str
    n: int
    make: Callable[[Row, int], Any]
    target: float | None = None


# -- what is measured -----------------------------------------------------------------------------------------------


def cells(row: Row, threads: int, **kwargs: Any) -> CellVectorEnv:
    return make_vector_env(
        row.env_id, row.n, autoreset_mode=AutoresetMode.SAME_STEP, threads=min(threads, row.n), **kwargs
    )


def stepping(step: Callable[[], Any], n: int) -> Sample:
    """A sample function that steps n environments at a time."""

    def sample(seconds: float) -> float:
        count, begin = 0, time.perf_counter()
        while (now := time.perf_counter()) - begin < seconds:
            step()
            count += 1
        return count * n / (now - begin)

    return sample


@contextmanager
def vector_env(row: Row, threads: int) -> Iterator[Sample]:
    env = cells(row, threads)
    actions = Actions(env.action_space)
    staggered(env, actions)
    yield stepping(lambda: env.step(actions()), row.n)
    env.close()


@contextmanager
def vector_env_of_decisions(row: Row, threads: int) -> Iterator[Sample]:
    """Random decisions among the allowed ones; what chooses them is counted."""
    env = cells(row, threads)
    actions = settled(env)
    yield stepping(lambda: env.step(actions()), row.n)
    env.close()


@contextmanager
def vector_env_randomized(row: Row, threads: int) -> Iterator[Sample]:
    """Every term of the environment's randomization drawn anew in every episode."""
    env = cells(row, threads, randomization="train")
    actions = Actions(env.action_space)
    staggered(env, actions)
    yield stepping(lambda: env.step(actions()), row.n)
    env.close()


@contextmanager
def vector_env_seeing(row: Row, threads: int) -> Iterator[Sample]:
    """Through two RGB-D cameras, 64 pixels a side."""
    env = cells(row, threads, observation="rgbd", camera_size=64)
    actions = Actions(env.action_space)
    env.reset(seed=0)  # pictures take so much longer than everything else that it does not matter when episodes end
    yield stepping(lambda: env.step(actions()), row.n)
    env.close()


@contextmanager
def vector_env_in_step(row: Row, threads: int) -> Iterator[Sample]:
    """All episodes begin, and mostly end, at the same time, as in benchmarks that reset once and run on."""
    env = cells(row, threads)
    actions = Actions(env.action_space)
    env.reset(seed=0)
    yield stepping(lambda: env.step(actions()), row.n)
    env.close()


@contextmanager
def sb3_adapter(row: Row, threads: int) -> Iterator[Sample]:
    from ..train.sb3_adapter import CellVecEnv

    env = cells(row, threads)
    actions = Actions(env.action_space)
    staggered(env, actions)
    adapter = CellVecEnv(env)
    yield stepping(lambda: adapter.step(actions()), row.n)
    adapter.close()


@contextmanager
def single_env(row: Row, threads: int) -> Iterator[Sample]:
    env = gymnasium.make(row.env_id, disable_env_checker=True)
    actions = Actions(env.action_space)

    def step() -> None:
        _, _, terminated, truncated, _ = env.step(actions())
        if terminated or truncated:
            env.reset()

    env.reset(seed=0)
    yield stepping(step, 1)
    env.close()


def monitored(env_id: str) -> gymnasium.Env[Any, Any]:
    """What SB3's `make_vec_env` puts into each slot."""
    from stable_baselines3.common.monitor import Monitor

    return Monitor(gymnasium.make(env_id, disable_env_checker=True))


@contextmanager
def dummy_vec_env(row: Row, threads: int) -> Iterator[Sample]:
    from stable_baselines3.common.vec_env import DummyVecEnv

    env = DummyVecEnv([partial(monitored, row.env_id)] * row.n)
    with sb3_vec_env(env) as sample:
        yield sample


@contextmanager
def subproc_vec_env(row: Row, threads: int) -> Iterator[Sample]:
    from stable_baselines3.common.vec_env import SubprocVecEnv

    env = SubprocVecEnv([partial(monitored, row.env_id)] * row.n)
    with sb3_vec_env(env) as sample:
        yield sample


@contextmanager
def sb3_vec_env(env: Any) -> Iterator[Sample]:
    actions = Actions(gymnasium.vector.utils.batch_space(env.action_space, env.num_envs))
    env.reset()
    for _ in range(20):
        env.step(actions())
    yield stepping(lambda: env.step(actions()), env.num_envs)
    env.close()


@contextmanager
def sb3_ppo(row: Row, threads: int) -> Iterator[Sample]:
    """Training as `shopfloor train arm_reach` does it: collecting, updates, curves, progress."""
    from ..train.config import CheckpointSection, EvaluationSection
    from ..train.config_file import load
    from ..train.runner import train

    config = dataclasses.replace(
        load("arm_reach", {}),
        total_steps=PPO_STEPS,
        num_envs=row.n,
        threads=threads,
        evaluation=EvaluationSection(every_steps=10 * PPO_STEPS),
        checkpoint=CheckpointSection(every_steps=10 * PPO_STEPS),
    )

    def sample(seconds: float) -> float:
        quiet = io.StringIO()
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(quiet), redirect_stderr(quiet):
            result = train(config, folder)
        # validation and checkpoints are as frequent as a config says
        return result.trained / sum(result.seconds[phase] for phase in ("setup", "rollout", "update", "report"))

    yield sample


ROWS_OF_REACH = (
    Row("CellVectorEnv", REACH, 1, vector_env),
    Row("CellVectorEnv", REACH, 8, vector_env),
    Row("CellVectorEnv", REACH, 64, vector_env, target=0.80),
    Row("CellVectorEnv", REACH, 128, vector_env, target=0.85),
    Row("..., ends together", REACH, 64, vector_env_in_step),
    Row("..., ends together", REACH, 128, vector_env_in_step),
    Row(RANDOMIZED, REACH, 64, vector_env_randomized),
    Row(RANDOMIZED, TRANSFER, 64, vector_env_randomized),
    Row("SB3 through CellVecEnv", REACH, 128, sb3_adapter),
    Row("gymnasium.make", REACH, 1, single_env),
    Row("SB3 DummyVecEnv", REACH, 8, dummy_vec_env),
    Row("SB3 SubprocVecEnv", REACH, 8, subproc_vec_env),
    Row("SB3 PPO, end to end", REACH, 128, sb3_ppo),
    Row("CellVectorEnv", GAP_FILL, 4096, vector_env),
)


def table() -> list[Row]:
    """All rows: every registered environment at n = 64, and more of the two that the design was measured with."""
    rest = [Row("CellVectorEnv", env_id, 64, vector_env) for env_id in env_ids() if env_id != REACH]
    for env_id in SEEING:
        rest += [
            Row("CellVectorEnv", env_id, SEEING_ROWS, vector_env),
            Row(PICTURES, env_id, SEEING_ROWS, vector_env_seeing),
        ]
    events = [Row("event driven", env_id, 64, vector_env_of_decisions) for env_id in event_driven_ids()]
    return [*ROWS_OF_REACH, *rest, *events]


# -- running, printing, writing -------------------------------------------------------------------------------------


def run(rows: Sequence[Row], gate: Gate, threads: int) -> list[tuple[Row, Result]]:
    """Measure rows, printing each as it is done."""
    bounds: dict[str, RawBound | EventBound] = {}
    results: dict[Row, Result] = {row: Result() for row in rows}
    print(HEADER)
    for again in (False, True):
        for row, result in results.items():
            if row.env_id not in bounds:
                env = make_vector_env(row.env_id, ROWS, autoreset_mode=AutoresetMode.SAME_STEP, threads=threads)
                events = row.env_id in event_driven_ids()
                bounds[row.env_id] = EventBound(env) if events else RawBound(record(env), threads)
            bound = bounds[row.env_id]
            # a machine that has been slow from the beginning shows only when it has become faster
            if again and not gate.drop_slow(bound, result) and result.rates:
                continue
            with row.make(row, threads) as sample:
                gate.measure(bound, sample, result)
            print(line(row, result) + (" (again)" if again else ""), flush=True)
    for bound in bounds.values():
        bound.close()
    return list(results.items())


HEADER = (
    f"{'':24}{'environment':16}{'n':>5}{'steps/s':>10}{'bound':>10}{'of bound':>10}   {'range':13}"
    f"{'samples':>9}{'target':>9}"
)


def line(row: Row, result: Result) -> str:
    """One line of the table."""
    name = row.env_id.partition("/")[2]
    taken = f"{len(result.rates)}/{len(result.rates) + result.rejected}"
    if not result.rates:
        return f"{row.name:24}{name:16}{row.n:5}   no sample counted: the machine did not have its cores ({taken})"
    bound = result.rate / result.ratio
    spread = f"{min(result.ratios):.2f} - {max(result.ratios):.2f}"
    target = "" if row.target is None else f"{row.target:.2f} {'ok' if result.ratio >= row.target else 'no'}"
    return (
        f"{row.name:24}{name:16}{row.n:5}{result.rate:10,.0f}{bound:10,.0f}{result.ratio:10.2f}   {spread:13}"
        f"{taken:>9}{target:>9}"
    )


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    packages = ("mujoco", "numpy", "gymnasium", "stable-baselines3", "torch")
    return {
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "shopfloor": __version__,
        "commit": commit(),
        **{name: installed(name) for name in packages},
    }


def cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    names = [entry.partition(":")[2].strip() for entry in text.splitlines() if entry.startswith("model name")]
    return names[0] if names else platform.processor()


def commit() -> str:
    """The checkout's commit, with a mark if files differ from it; empty outside of a checkout."""
    root = Path(__file__).parent.parent
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def installed(name: str) -> str:
    try:
        return version(name)
    except ModuleNotFoundError:
        return ""


def document(results: Sequence[tuple[Row, Result]], gate: Gate, threads: int) -> dict[str, Any]:
    """Everything measured, as plain data."""
    return {
        "schema_version": 1,
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "threads": threads,
        "gate": dataclasses.asdict(gate),
        "rows": [
            {
                "name": row.name,
                "env_id": row.env_id,
                "n": row.n,
                "measured": datetime.now(UTC).date().isoformat(),
                "steps_per_s": round(result.rate, 1) if result.rates else None,
                "share_of_bound": round(result.ratio, 4) if result.rates else None,
                "target": row.target,
                "samples": [
                    {"steps_per_s": round(rate, 1), "bound_per_s": round(bound, 1)}
                    for rate, bound in zip(result.rates, result.bounds, strict=True)
                ],
                "rejected": result.rejected,
            }
            for row, result in results
        ],
    }


def merged(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """A measurement of some rows put into an older one of the same machine; the order is that of the table.

    Raises:
        ShopfloorError: if the machines differ.
    """
    for name in ("cpu", "cores", "system"):
        if new["machine"][name] != old["machine"][name]:
            raise ShopfloorError(
                f"the rows were measured with {name} {new['machine'][name]}, those of before with "
                f"{old['machine'][name]}: measure all of them, or name a file of its own with --out"
            )
    rows = {(r["name"], r["env_id"], r["n"]): {"measured": old["created_utc"][:10], **r} for r in old["rows"]}
    rows |= {(r["name"], r["env_id"], r["n"]): r for r in new["rows"]}
    order = [(row.name, row.env_id, row.n) for row in table()]
    return {**new, "rows": [rows[key] for key in order if key in rows]}


def summary(results: Sequence[tuple[Row, Result]]) -> list[str]:
    """What follows from several rows together."""
    found = {(row.name, row.n): result for row, result in results if row.env_id == REACH and result.rates}
    lines = []
    ours, subproc = found.get(("CellVectorEnv", 128)), found.get(("SB3 SubprocVecEnv", 8))
    if ours and subproc:
        lines.append(f"CellVectorEnv, n = 128: {ours.ratio / subproc.ratio:.1f} times SubprocVecEnv (target 4)")
    for env_id in (REACH, TRANSFER):
        here = {row.name: result for row, result in results if row.env_id == env_id and row.n == 64 and result.rates}
        if "CellVectorEnv" in here and RANDOMIZED in here:
            cost = 1.0 - here[RANDOMIZED].ratio / here["CellVectorEnv"].ratio
            lines.append(f"randomization of {env_id.partition('/')[2]}: {cost:.1%} of the throughput (target 5 %)")
    for env_id in SEEING:
        here = {row.name: result for row, result in results if row.env_id == env_id and row.n == SEEING_ROWS}
        if all(here[name].rates if name in here else False for name in ("CellVectorEnv", PICTURES)):
            times = here["CellVectorEnv"].ratio / here[PICTURES].ratio
            lines.append(f"pictures of {env_id.partition('/')[2]}: a step takes {times:.1f} times as long")
    if ppo := found.get(("SB3 PPO, end to end", 128)):
        lines.append(f"PPO: {ppo.rate:,.0f} steps/s (target 15,000 on 2 cores)")
    return lines


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(prog="shopfloor bench", description=__doc__.partition("\n")[0])
    out.add_argument("--only", metavar="WORD", help="rows whose name, environment or n= contains this word")
    out.add_argument("--env", nargs="+", metavar="ID", help="rows of these environments")
    out.add_argument("--threads", type=int, default=2, help="threads of physics and of the bound (%(default)s)")
    out.add_argument("--samples", type=int, default=5, help="samples a row (%(default)s)")
    out.add_argument("--seconds", type=float, default=0.3, help="length of a sample (%(default)s)")
    out.add_argument(
        "--tolerance", type=float, default=0.1, help="how far the bound may stay behind perfect scaling (%(default)s)"
    )
    out.add_argument("--patience", type=float, default=120.0, help="most seconds a row (%(default)s)")
    out.add_argument("--profile", action="store_true", help="print where the time of a vector step goes, and stop")
    out.add_argument(
        "--out", type=Path, help="where the numbers go; those of all rows to benchmarks/results/, of some nowhere"
    )
    out.add_argument("--merge", action="store_true", help="put the rows into benchmarks/results/, beside those there")
    return out


def select(word: str | None, ids: Sequence[str] | None = None) -> list[Row]:
    """Rows that contain a word, of some environments.

    Raises:
        ShopfloorError: if there is no such environment, or no such row.
    """
    known = [*env_ids(), *event_driven_ids()]
    wanted = known if ids is None else [f"{NAMESPACE}/{i.removeprefix(f'{NAMESPACE}/')}" for i in ids]
    unknown = [env_id for env_id in wanted if env_id not in known]
    if unknown:
        raise ShopfloorError(f"no environment {unknown[0]!r}; there are: {', '.join(known)}")
    names = {row: f"{row.name} {row.env_id} n={row.n}" for row in table() if row.env_id in wanted}
    rows = [row for row, name in names.items() if word is None or word.lower() in name.lower()]
    if not rows:
        raise ShopfloorError(f"no row contains {word!r}; the rows are: {'; '.join(names.values())}")
    return rows


def main(argv: Sequence[str]) -> int:
    """Measure and print; returns 0 whatever the numbers, 1 if a row got no sample."""
    options = parser().parse_args(argv)
    if not 1 <= options.threads <= (os.cpu_count() or 1):
        raise ShopfloorError(f"--threads must lie in [1, {os.cpu_count()}] on this machine, got {options.threads}")
    rows = select(options.only, options.env)
    if options.profile:
        for row in rows:
            if row.make is vector_env:
                print_profile(cells(row, options.threads), f"{row.env_id}, n = {row.n}, {options.threads} threads")
        return 0
    gate = Gate(options.samples, options.seconds, options.tolerance, options.patience)
    results = run(rows, gate, options.threads)
    print("\n".join(summary(results)))
    everything = options.only is None and options.env is None
    out = options.out or (RESULTS / "throughput.json" if everything else None)
    if options.merge:
        out = RESULTS / "throughput.json"
    if out is not None:
        measured = document(results, gate, options.threads)
        if options.merge and out.is_file():
            measured = merged(measured, json.loads(out.read_text(encoding="utf-8")))
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
        print(f"written to {out}")
        if options.merge or (everything and options.out is None):
            PAGE.write_text(throughput_page(measured, [*env_ids(), *event_driven_ids()]), encoding="utf-8")
            print(f"written to {PAGE}")
    return 0 if all(result.rates for _, result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
