"""`shopfloor demo`: the whole road with a tiny budget, and what happens when it is left half way."""

from __future__ import annotations

import contextlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_checks import check_page

from shopfloor import cli, demo
from shopfloor.deploy.bundle import Bundle
from shopfloor.deploy.runtime import ControllerRuntime
from shopfloor.deploy.twin import MujocoTwin
from shopfloor.errors import ShopfloorError
from shopfloor.eval.evaluate import HELD_OUT_SEED
from shopfloor.report.material import Scores

CONFIG = """
env: {id: shopfloor/WaferTransfer-v0}
algorithm: ppo
num_envs: 8
threads: 1
network: {sizes: [8], log_std_init: -2.5}
ppo: {n_steps: 32, batch_size: 128, n_epochs: 1}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The run directory of a small demo, and what it printed."""
    root = tmp_path_factory.mktemp("demo")
    (root / "tiny.yaml").write_text(CONFIG)
    words = f"--fast --config {root / 'tiny.yaml'} --steps 512 --episodes 10 --runs-dir {root / 'runs'}"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert cli.main(["demo", *words.split()]) == 0
    (report,) = root.glob("runs/WaferTransfer-v0/ppo/*/report.html")
    return report.parent, printed.getvalue()


def test_the_console_numbers_stages_and_ends_with_the_report(finished: tuple[Path, str]) -> None:
    run, printed = finished
    assert re.findall(r"^\[(\d)/6\]", printed, re.MULTILINE) == list("123456")
    assert len(re.findall(r"^      took [\d.]+ s$", printed, re.MULTILINE)) == 6
    assert printed.rstrip().endswith(f"report: {run / 'report.html'}")
    assert len(re.findall(r"^(?:met   |MISSED)  ", printed, re.MULTILINE)) == 3
    for name in ("trained policy", "expert", "oracle", "random"):
        assert re.search(rf"^{name} +[\d.]+ % +[\d.]+ – +[\d.]+ %", printed, re.MULTILINE)
    stages = json.loads((run / "stages.json").read_text())
    assert [s["name"] for s in stages] == ["train", "export", "evaluate", "twin", "pictures"]


def test_all_policies_met_the_same_held_out_episodes(finished: tuple[Path, str]) -> None:
    run, _ = finished
    documents = {k: json.loads((run / "evaluation" / f"{k}.json").read_text()) for k in ("policy", "oracle", "random")}
    starts = [[(e["seed"], e["task_params"]) for e in d["episodes"]] for d in documents.values()]
    assert starts[0] == starts[1] == starts[2] and len(starts[0]) == 10
    assert starts[0][0][0] == HELD_OUT_SEED
    assert documents["oracle"]["summary"]["success"]["rate"] == 1.0
    assert documents["policy"]["policy"]["bundle"]["path"] == str((run / "bundle").resolve())


def test_the_twin_ran_what_was_evaluated(finished: tuple[Path, str]) -> None:
    run, _ = finished
    summary = json.loads((run / "twin" / "summary.json").read_text())
    assert summary["realtime"] and summary["parity"]["bit_equal"] and summary["parity"]["commands"] > 10
    scored = json.loads((run / "evaluation" / "policy.json").read_text())["episodes"][0]
    assert summary["episodes"][0]["metrics"] == scored["metrics"]
    with np.load(run / "twin" / f"episode_{HELD_OUT_SEED}.npz") as log:
        assert len(log["command"]) == summary["parity"]["commands"]


def test_the_report_is_complete_and_needs_nothing_else(finished: tuple[Path, str]) -> None:
    run, _ = finished
    text = (run / "report.html").read_text()
    found = check_page(text)
    parts = (
        "result", "move-time", "slip", "how-episodes-ended", "where-it-works-and-where-not", "one-move-in-detail",
        "learning", "on-the-twin", "provenance",
    )  # fmt: skip
    assert [i for i in found.ids if i in parts] == list(parts)
    pictures = json.loads((run / "episode" / "pictures.json").read_text())
    if "reason" in pictures:  # a machine without GL: the report says so
        assert "There are no pictures" in text
    else:
        assert sum(r.startswith("data:image/webp") for r in found.references) == 2 + len(pictures["stills"])
    assert "bit-equal" in text and json.loads((run / "manifest.json").read_text())["environment"]["fingerprint"] in text
    assert not re.search(r">(nan|None|inf)<", text)


def test_a_trained_run_can_be_gone_on_from(finished: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = finished
    before = (run / "evaluation" / "policy.json").read_text()
    assert demo.main(["--run", str(run), "--fast", "--episodes", "3", "--no-video"]) == 0
    assert "[5/5] Write the report" in capsys.readouterr().out
    assert "they were not asked for" in (run / "report.html").read_text()
    again = json.loads((run / "evaluation" / "policy.json").read_text())["episodes"]
    assert again == json.loads(before)["episodes"][:3]


def test_without_gl_the_reason_is_given(monkeypatch: pytest.MonkeyPatch, finished: tuple[Path, str], tmp_path) -> None:
    run, _ = finished

    class NoGL:
        def __init__(self, *_: Any, **__: Any):
            raise ShopfloorError("cannot create a GL context")

    monkeypatch.setattr("shopfloor.report.pictures.CellRenderer", NoGL)
    bundle = Bundle.load(run)
    assert demo.take_pictures(tmp_path, bundle, 1, "fast") == {"reason": "cannot create a GL context"}
    assert not list(tmp_path.iterdir())


def test_a_difference_in_one_bit_is_found(finished: tuple[Path, str]) -> None:
    run, _ = finished
    bundle = Bundle.load(run)
    twin = MujocoTwin(bundle.contract.env_id, bundle.contract.task_kwargs)
    episode = ControllerRuntime(bundle, twin, realtime=False).run_episode(HELD_OUT_SEED)
    scores = Scores.of("policy", json.loads((run / "evaluation" / "policy.json").read_text()))
    assert demo.parity(bundle, [episode], scores)["bit_equal"]
    tick = episode.log.ticks[3]
    episode.log.ticks[3] = replace(tick, command=np.nextafter(tick.command, 2.0))
    found = demo.parity(bundle, [episode], scores)
    assert not found["bit_equal"] and str(HELD_OUT_SEED) in found["note"]


# -- left half way ------------------------------------------------------------------------------------------------


def test_wrong_command_lines_are_refused_before_anything_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--run", "somewhere", "--steps", "5"]) == 2
    assert "--config and --steps do not apply" in capsys.readouterr().err
    assert cli.main(["demo", "--config", "wafer_transfr"]) == 2
    assert "did you mean wafer_transfer?" in capsys.readouterr().err
    for words in (["--steps", "0"], ["--episodes", "many"], ["--fats"]):
        with pytest.raises(SystemExit) as stopped:
            demo.main(words)
        assert stopped.value.code == 2


def test_a_stage_that_fails_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--run", "/nowhere"]) == 1
    assert "error: stage 1 of 5, export: /nowhere is no run directory" in capsys.readouterr().err


def test_a_stopped_training_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(demo, "train_stage", lambda plan, stages: (tmp_path / "run", 2))
    assert demo.main([]) == 130
    printed = capsys.readouterr().out
    assert f"shopfloor resume {tmp_path / 'run'}" in printed and f"shopfloor demo --run {tmp_path / 'run'}" in printed


def test_an_interrupt_later_says_where_and_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupted(run: Path, plan: demo.Plan, stages: demo.Stages) -> Path:
        with stages.stage("evaluate", "Evaluate"):
            raise KeyboardInterrupt

    monkeypatch.setattr(demo, "after_training", interrupted)
    assert demo.main(["--run", str(tmp_path)]) == 130
    error = capsys.readouterr().err
    assert "interrupted in stage 1 of 5, evaluate" in error and f"shopfloor demo --run {tmp_path}" in error


def test_the_plan_of_a_command_line() -> None:
    plan = demo.parse([])
    assert (plan.config, plan.steps, plan.episodes, plan.twin_episodes, plan.pictures) == (
        "wafer_transfer", None, 500, 5, "full",
    )  # fmt: skip
    assert demo.parse(["--no-video", "--steps", "2_000", "--episodes", "3"]).twin_episodes == 3
    fast = demo.parse(["--fast"])
    assert fast.steps and fast.episodes < 100 and fast.twin_episodes == 1 and fast.pictures == "fast"
