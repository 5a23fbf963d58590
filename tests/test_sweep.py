"""Success against one value of the start distribution: forced for all episodes, on the same seeds, and drawn."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shopfloor.envs.registry import make_task
from shopfloor.errors import ShopfloorError
from shopfloor.eval.evaluate import evaluate
from shopfloor.eval.policies import scripted
from shopfloor.eval.sweep import sweep
from shopfloor.report.sweep import sweep_picture
from shopfloor.report.sweep_cli import main

WAFER = "WaferTransfer-v0"
SVG = "{http://www.w3.org/2000/svg}"


def test_forced_values_hold_in_every_episode_and_leave_the_rest():
    free, forced = (
        evaluate(scripted("zero", task := make_task(WAFER)), task, [1, 2, 3], num_envs=2, threads=1, task_params=params)
        for params in (None, {"friction": 0.2})
    )
    assert [r.task_params["friction"] for r in forced] == [0.2] * 3
    assert len({str(r.task_params["friction"]) for r in free}) == 3
    for a, b in zip(free, forced, strict=True):
        assert {**a.task_params, "friction": 0} == {**b.task_params, "friction": 0}


def test_a_sweep_is_its_evaluations_and_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "new" / "friction.svg"
    words = ["expert", "zero", "--env", WAFER, "--parameter", "friction", "--values", "0.3", "0.12"]
    assert main([*words, "--episodes", "2", "--threads", "1", "--out", str(out)]) == 0
    data = json.loads(out.with_suffix(".json").read_text())
    assert data["values"] == [0.3, 0.12] and set(data["policies"]) == {"expert", "zero"}
    assert data["parameter"]["unit"] == "1" and data["main_metric"] == {"name": "move_time", "unit": "s"}
    assert data["policies"]["expert"]["successes"][0] == 2, "with friction the expert moves both wafers"
    assert data["policies"]["zero"]["success_median"][1] is None or data["policies"]["zero"]["successes"][1] > 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and lines[0].startswith("expert, friction = 0.3: 100.0 %")
    picture = ET.fromstring(out.read_text())
    assert (
        sum("dot" in c.get("class", "") and "k-expert" in c.get("class", "") for c in picture.iter(SVG + "circle")) >= 2
    )
    texts = "".join(t.text or "" for t in picture.iter(SVG + "text"))
    assert "friction" in texts and "move time / s" in texts


def test_a_wide_range_is_drawn_logarithmically():
    curve = {"kind": "bundle", "successes": [3, 4], "wilson": [[0.2, 0.9], [0.4, 1.0]], "success_median": [2.0, None]}
    data: dict[str, Any] = {
        "environment": {"id": "shopfloor/ArmPegInsert-v0"}, "randomization": {"split": "train"}, "episodes": 4,
        "parameter": {"name": "clearance_mm", "unit": "mm", "description": ""}, "values": [0.02, 1.0],
        "main_metric": {"name": "cycle_time", "unit": "s"}, "policies": {"mine": curve},
    }  # fmt: skip
    wide = sweep_picture(data)
    assert ">0.1<" in wide and "clearance / mm" in wide and "train" in wide
    assert ">0.1<" not in sweep_picture({**data, "values": [0.5, 1.0]})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sweep([], "friction", [0.1]), "needs a policy and a value"),
        (lambda: sweep(["zero"], "friction", []), "needs a policy and a value"),
        (lambda: sweep(["zero"], "friction", [0.1]), "name the environment with --env"),
        (lambda: sweep(["zero"], "friction", [float("nan")], WAFER), "must be finite"),
        (lambda: sweep(["zero"], "frictoin", [0.1], WAFER), "no start parameter 'frictoin'; there are: .*friction"),
        (lambda: sweep(["zero"], "start_offset", [0.1], "ArmPegInsert-v0"), "start_offset has 2 components"),
        (lambda: main(["zero", "--parameter", "a", "--values", "1", "--out", "a.png"]), "--out takes an .svg file"),
    ],
)
def test_what_is_wrong_is_said(call: Callable[[], Any], words: str):
    with pytest.raises(ShopfloorError, match=words):
        call()
