"""Evaluation: intervals that cover, results that depend on nothing but policy, task and seeds, and the command."""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deploy_toy import ToyArm, export_untrained

from shopfloor.cli import main as command
from shopfloor.deploy.bundle import Bundle
from shopfloor.envs.engine.task import Task
from shopfloor.envs.registry import env_ids, make_task
from shopfloor.errors import ShopfloorError
from shopfloor.eval.__main__ import parse_kwargs
from shopfloor.eval.evaluate import EpisodeRecord, evaluate, held_out_seeds, summarize
from shopfloor.eval.policies import BundlePolicy, find_bundle, scripted
from shopfloor.eval.report import evaluate_named
from shopfloor.eval.statistics import (
    beta_quantile,
    bootstrap_median,
    clopper_pearson,
    incomplete_beta,
    wilson,
)

# -- intervals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "trials", "expected_wilson", "expected_exact"),
    [
        # Newcombe, Statistics in Medicine 17, 857-872, 1998
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_intervals_equal_published_ones(
    successes: int, trials: int, expected_wilson: tuple[float, float], expected_exact: tuple[float, float]
) -> None:
    assert wilson(successes, trials) == pytest.approx(expected_wilson, abs=5e-5)
    assert clopper_pearson(successes, trials) == pytest.approx(expected_exact, abs=5e-5)


@pytest.mark.parametrize("trials", [1, 10, 500])
def test_all_or_nothing_has_an_interval_too(trials: int) -> None:
    bound = 1.0 - 0.025 ** (1.0 / trials)  # closed form of the exact interval
    assert clopper_pearson(0, trials) == (0.0, pytest.approx(bound, rel=1e-9))
    assert clopper_pearson(trials, trials) == (pytest.approx(1.0 - bound, rel=1e-9), 1.0)
    assert wilson(trials, trials)[1] == 1.0 > wilson(trials, trials)[0]
    assert wilson(0, trials)[0] == 0.0 < wilson(0, trials)[1]


def binomial(trials: int, p: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Probability of each number of successes."""
    k = np.arange(trials + 1)
    choose = [math.lgamma(trials + 1) - math.lgamma(i + 1) - math.lgamma(trials - i + 1) for i in k.tolist()]
    return np.exp(np.array(choose) + k * math.log(p) + (trials - k) * math.log1p(-p))


@pytest.mark.parametrize("trials", [20, 100])
def test_intervals_cover_what_they_promise(trials: int) -> None:
    rates = np.linspace(0.02, 0.98, 97)
    coverage: dict[Callable[..., tuple[float, float]], list[float]] = {wilson: [], clopper_pearson: []}
    for interval, covered in coverage.items():
        bounds = np.array([interval(k, trials) for k in range(trials + 1)])
        for p in rates.tolist():
            inside = (bounds[:, 0] <= p) & (p <= bounds[:, 1])
            covered.append(float(binomial(trials, p)[inside].sum()))
    assert np.mean(coverage[wilson]) == pytest.approx(0.95, abs=0.01)
    assert min(coverage[clopper_pearson]) >= 0.95


@pytest.mark.parametrize(("a", "b"), [(1, 1), (3, 7), (40, 2), (200, 301)])
def test_the_incomplete_beta_function_is_the_binomial_tail(a: int, b: int) -> None:
    for x in (0.001, 0.2, 0.5, 0.93):
        tail = float(binomial(a + b - 1, x)[a:].sum())
        assert incomplete_beta(x, a, b) == pytest.approx(tail, rel=1e-9, abs=1e-13)
        quantile = beta_quantile(0.3, a, b)
        assert incomplete_beta(quantile, a, b) == pytest.approx(0.3, abs=1e-10)


def test_the_bootstrap_of_a_median_covers_and_repeats() -> None:
    random = np.random.default_rng(0)
    samples = random.lognormal(0.0, 0.5, (200, 60))
    intervals = [bootstrap_median(values, f"sample {i}") for i, values in enumerate(samples)]
    covered = np.mean([low <= 1.0 <= high for low, high in intervals])
    assert 0.90 <= covered <= 0.99
    assert bootstrap_median(samples[0], "sample 0") == intervals[0] == bootstrap_median(samples[0][::-1], "sample 0")
    assert bootstrap_median([2.0], "one") == (2.0, 2.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson(3, 2),
        lambda: wilson(0, 0),
        lambda: clopper_pearson(-1, 5),
        lambda: wilson(1, 2, 1.0),
        lambda: bootstrap_median([], "x"),
        lambda: bootstrap_median([1.0, math.nan], "x"),
    ],
)
def test_impossible_statistics_are_refused(call: Callable[[], Any]) -> None:
    with pytest.raises(ShopfloorError):
        call()


# -- results ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def toy_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    pytest.importorskip("onnx")
    return Bundle.load(export_untrained(tmp_path_factory.mktemp("eval") / "toy", ToyArm, "shopfloor/Toy-v0"))


def same(a: list[EpisodeRecord], b: list[EpisodeRecord]) -> bool:
    return repr(a) == repr(b)  # NaN equals NaN, and every digit counts


@pytest.mark.parametrize("kind", ["bundle", "expert", "random", "zero"])
def test_results_do_not_depend_on_how_many_run_together(kind: str, toy_bundle: Bundle) -> None:
    def once(seeds: list[int], **options: int) -> list[EpisodeRecord]:
        task = ToyArm()
        policy = BundlePolicy(toy_bundle) if kind == "bundle" else scripted(kind, task)
        return evaluate(policy, task, seeds, **options)

    seeds = held_out_seeds(17)
    serial = once(seeds, num_envs=1, threads=1)
    assert [r.seed for r in serial] == seeds
    assert same(serial, once(seeds, num_envs=5, threads=2))
    assert same(serial, once(seeds, num_envs=64))
    assert same(serial[::-1], once(seeds[::-1], num_envs=3))
    assert same(serial[4:5], once(seeds[4:5]))


@pytest.mark.parametrize("env_id", env_ids())
def test_results_of_registered_tasks_do_not_depend_on_it_either(env_id: str) -> None:
    def once(num_envs: int) -> list[EpisodeRecord]:
        task = make_task(env_id)
        return evaluate(scripted("random", task), task, held_out_seeds(2), num_envs=num_envs)

    assert same(once(1), once(2))


def test_a_record_is_the_end_of_the_first_episode_of_its_seed() -> None:
    from shopfloor.envs.engine.core import BatchedCell

    task = ToyArm()
    (record,) = evaluate(scripted("expert", task), task, [1_000_003])
    cell = BatchedCell(ToyArm(), 1, threads=1)
    expert = cell.task.expert()
    cell.reset(None, np.array([1_000_003]))
    total = 0.0
    while not (cell.terminated[0] or cell.truncated[0]):
        cell.step(expert.act(cell.s, cell.readings()))
        total += float(cell.reward[0])
    assert record.success == bool(cell.success[0])
    assert record.steps == int(cell.s.step[0])
    assert record.termination_reason == cell.reasons[int(cell.reason[0])]
    assert record.total_reward == total
    np.testing.assert_array_equal(record.metrics["distance"], cell.metrics()["distance"][0])
    assert record.task_params == {name: value[0].tolist() for name, value in cell.params.items()}


def records(*outcomes: tuple[bool, float, str]) -> list[EpisodeRecord]:
    return [
        EpisodeRecord(i, success, 25, reason, 2.0, {"distance": 0.1 * i, "duration": duration}, {})
        for i, (success, duration, reason) in enumerate(outcomes)
    ]


def test_the_summary_says_how_many_episodes_stand_behind_a_figure() -> None:
    summary = summarize(
        records((True, 1.0, "success"), (True, 3.0, "success"), (False, math.nan, "time_limit"), (False, 9.0, "spin")),
        ToyArm(),
    )
    assert summary["success"]["rate"] == 0.5 and summary["success"]["successes"] == 2
    assert summary["success"]["wilson"] == list(wilson(2, 4))
    assert summary["reasons"] == {"success": 2, "time_limit": 1, "spin": 1}
    duration = summary["metrics"]["duration"]
    assert (duration["n"], duration["median"], duration["success_median"], duration["unit"]) == (3, 3.0, 2.0, "s")
    assert duration["median_interval"][0] <= 3.0 <= duration["median_interval"][1]
    assert summary["metrics"]["distance"]["mean"] == pytest.approx(0.15)
    assert summary["duration_s"]["median"] == pytest.approx(0.5)
    assert summary["total_reward"]["mean"] == 2.0


def test_the_bad_tail_is_on_the_side_that_is_worse() -> None:
    task = ToyArm()
    task.metrics = {
        "distance": replace(ToyArm.metrics["distance"], better="higher"),
        "duration": ToyArm.metrics["duration"],
    }
    many = records(*[(False, math.nan, "time_limit")] * 101)
    summary = summarize(many, task)
    assert summary["metrics"]["distance"]["p95"] == pytest.approx(0.5)
    nothing = summary["metrics"]["duration"]
    assert (nothing["n"], nothing["median"], nothing["median_interval"], nothing["p95"]) == (0, None, None, None)


def test_a_random_policy_is_drawn_by_seed_and_step() -> None:
    task = ToyArm()
    first = evaluate(scripted("random", task), task, [7, 8])
    assert first[0].total_reward != first[1].total_reward


def test_the_expert_of_the_toy_is_better_than_chance() -> None:
    rates = {}
    for kind in ("expert", "random"):
        task = ToyArm()
        rates[kind] = sum(r.success for r in evaluate(scripted(kind, task), task, held_out_seeds(30)))
    assert rates["expert"] > rates["random"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: held_out_seeds(0), "episodes must be at least 1"),
        (lambda: held_out_seeds(2, -1), "seeds must lie between 0"),
        (lambda: evaluate(scripted("zero", ToyArm()), ToyArm(), [1, 1]), "each of them once"),
        (lambda: evaluate(scripted("zero", ToyArm()), ToyArm(), [1], num_envs=0), "num_envs must be at least 1"),
        (lambda: scripted("oracle", ToyArm()), "ToyArm has no oracle"),
        (lambda: find_bundle("exprt"), "no policy 'exprt': did you mean 'expert'"),
        (lambda: evaluate_named("expert"), "name the environment with --env; there are: shopfloor/Arm"),
        (lambda: evaluate_named("expert", "ArmReech-v0"), "did you mean shopfloor/ArmReach-v0"),
        (lambda: parse_kwargs(["goal"]), "--kwargs takes name=value, got 'goal'"),
        (lambda: parse_kwargs(["goal=[1"]), "is not a YAML value"),
    ],
)
def test_what_is_wrong_is_said_once_and_clearly(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(ShopfloorError, match=words):
        call()


# -- the command, from a run to its score -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few hundred steps, exported."""
    pytest.importorskip("onnx")
    pytest.importorskip("stable_baselines3")
    from shopfloor.train.__main__ import main as train

    root = tmp_path_factory.mktemp("runs")
    small = (
        "--num-envs 2 --threads 1 --network.sizes 8 --evaluation.episodes 2 --ppo.n_steps 32 --ppo.batch_size 64 "
        "--total-steps 64 --evaluation.every-steps 64 --checkpoint.every-steps 64 --seed 4"
    )
    with contextlib.redirect_stdout(io.StringIO()):
        assert train(["arm_reach_position", "--runs", str(root), *small.split()]) == 0
    (config,) = root.rglob("config.yaml")
    return config.parent


def test_a_run_is_exported_scored_and_executed(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["eval", str(trained)]) == 2
    assert f"has no bundle yet: `shopfloor export {trained}` writes it" in capsys.readouterr().err
    assert command(["export", str(trained)]) == 0
    assert "shopfloor eval" in capsys.readouterr().out
    bundle = Bundle.load(trained / "bundle")
    origin = bundle.contract.provenance
    assert (origin.run, origin.training_steps, origin.seed) == (trained.name, 64, 4)
    assert bundle.contract.task_kwargs["goal"] == "position"
    # `latest` is the same policy here, in a folder of its own
    assert command(["export", str(trained), "--checkpoint", "latest", "--out", str(trained / "other")]) == 0
    assert Bundle.load(trained / "other").contract.provenance.training_steps == 64

    assert command(["eval", str(trained), "--episodes", "3", "--num-envs", "2"]) == 0
    out = capsys.readouterr().out
    assert "0 of 3" in out and "reach_time" in out and "intervals of 95 %" in out
    document = json.loads((trained / "evaluation.json").read_text())
    assert document["environment"] == {
        "id": "shopfloor/ArmReach-v0",
        "task_kwargs": bundle.contract.task_kwargs,
        "fingerprint": bundle.contract.fingerprint,
        "control_hz": bundle.contract.control_hz,
    }
    assert document["policy"]["bundle"]["contract_sha256"] == bundle.contract.sha256
    assert document["policy"]["bundle"]["sha256"] == bundle.sha256
    assert [e["seed"] for e in document["episodes"]] == [1_000_000, 1_000_001, 1_000_002]
    assert document["episodes"][0]["metrics"]["reach_time"] is None

    log = trained.parent / "log"
    assert command(["run", str(trained / "bundle"), "--no-realtime", "--episodes", "3", "--log", str(log)]) == 0
    summary = json.loads((log / "summary.json").read_text())
    for ran, scored in zip(summary["episodes"], document["episodes"], strict=True):
        assert ran["metrics"] == scored["metrics"] and ran["ticks"] == scored["steps"]


def test_a_bundle_is_not_scored_on_what_it_was_not_trained_for(trained: Path, tmp_path: Path) -> None:
    if not (trained / "bundle").exists():
        assert command(["export", str(trained)]) == 0
    with pytest.raises(ShopfloorError, match="environment: the policy is for shopfloor/ArmReach-v0, this is"):
        evaluate_named(trained / "bundle", "WaferTransfer-v0", episodes=1)
    with pytest.raises(ShopfloorError, match="task arguments, goal: expected position, offered pose"):
        evaluate_named(trained / "bundle", task_kwargs={"goal": "pose"}, episodes=1)


def test_a_run_whose_environment_has_changed_is_not_exported(trained: Path, tmp_path: Path) -> None:
    import shutil

    from shopfloor.train.export import export_run

    copy = Path(shutil.copytree(trained, tmp_path / "run"))
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["environment"]["fingerprint"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ShopfloorError, match="was trained on another version of shopfloor/ArmReach-v0"):
        export_run(copy, tmp_path / "out")


def test_a_scripted_policy_is_scored_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "deep" / "result.json"
    words = ["eval", "expert", "--env", "ArmReach-v0", "--episodes", "4", "--seed-offset", "11", "--out", str(out)]
    assert command([*words, "--kwargs", "goal=position"]) == 0
    printed = capsys.readouterr().out
    assert "expert on shopfloor/ArmReach-v0" in printed and f"written to {out}" in printed
    document = json.loads(out.read_text())
    assert document["schema_version"] == 1
    assert document["environment"]["task_kwargs"]["goal"] == "position"
    assert document["protocol"]["first_seed"] == 11 and document["policy"]["bundle"] is None
    assert {"shopfloor", "mujoco", "onnxruntime", "python"} <= document["versions"].keys()
    low, high = document["summary"]["success"]["wilson"]
    assert 0.0 <= low <= document["summary"]["success"]["rate"] <= high <= 1.0
    for metric in document["summary"]["metrics"].values():
        assert metric["unit"] and metric["better"] in ("lower", "higher")


def test_arguments_are_read_as_yaml() -> None:
    words = ["goal=position", "scale=0.5", "count=3", "flag=true", "name='7'"]
    assert parse_kwargs(words) == {"goal": "position", "scale": 0.5, "count": 3, "flag": True, "name": "7"}


def test_progress_is_reported(toy_bundle: Bundle) -> None:
    seen: list[int] = []
    task: Task = ToyArm()
    evaluate(BundlePolicy(toy_bundle), task, held_out_seeds(9), num_envs=4, progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == 9
