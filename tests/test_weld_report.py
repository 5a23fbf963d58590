"""The inspection report as a picture."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from shopfloor.envs.welding.inspection import Report, inspect
from shopfloor.envs.welding.joint import make_joint
from shopfloor.envs.welding.process import WeldProcess
from shopfloor.errors import ShopfloorError
from shopfloor.report.weld import weld_picture
from shopfloor.report.weld_cli import main


def welded(kind: str, travel: float) -> tuple[Report, dict[str, np.ndarray]]:
    """A weld of 120 mm whose gap opens, and its report."""
    process = WeldProcess(1, make_joint(1, kind, 6.0 if kind == "fillet" else 3.2), 120.0)
    process.begin(np.array([0]))
    for name, value in (("wire_feed_mm_s", 130.0), ("voltage_v", 31.0), ("travel_mm_s", travel), ("arc_on", 1.0)):
        process.inputs[name][:] = value
    while process.slices.frozen[0] < process.slices.count:
        process.inputs["gap_mm"][:] = 1.5 * process.travelled_mm / 120.0
        process.step(0.1)
    return inspect(process.slices, process.joint), {k: process.slices[k][0] for k in _NAMES}


_NAMES = (
    "leg_1_mm", "leg_2_mm", "throat_mm", "convexity_mm", "gap_mm", "width_mm", "reinforcement_mm", "underfill_mm",
    "penetration_mm", "root_mm",
)  # fmt: skip


@pytest.mark.parametrize("kind,travel", [("fillet", 7.5), ("butt", 10.0)])
def test_the_picture_shows_every_imperfection_with_its_number_level_and_place(kind: str, travel: float) -> None:
    report, slices = welded(kind, travel)
    assert report.imperfections
    root = ET.fromstring(weld_picture(report, slices, "a < b"))
    texts = ["".join(e.itertext()) for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "a < b" in texts
    assert any(report.standard in t and f"level {report.required} required" in t for t in texts)
    for line in report.imperfections:
        assert line.number in texts
        assert any(t.startswith(line.name) and f"level {line.level}" in t for t in texts)


def test_bars_lie_where_the_imperfections_are_and_the_strip_shows_every_grade() -> None:
    report, slices = welded("fillet", 7.5)
    svg = weld_picture(report, slices)
    strip = [float(w) for w in re.findall(r'y="82" width="([\d.]+)" height="14"', svg)]
    changes = 1 + int(np.count_nonzero(np.diff(report.grades)))
    assert len(strip) == changes
    width = sum(strip)
    bars = re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="15" fill="#(?!f6f7f9)', svg)
    for (_, length), line in zip(bars, report.imperfections, strict=True):
        assert float(length) == pytest.approx(width * (line.end_mm - line.start_mm) / report.length_mm, abs=0.2)


def test_the_command_writes_picture_and_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fast = ["WeldGapFill-v0", "--policy", "zero", "--kwargs", "joint=butt", "--seed", "2"]
    assert main([*fast, "--out", str(tmp_path / "weld.svg")]) == 0
    assert "ISO 5817:2014, level" in capsys.readouterr().out
    ET.parse(tmp_path / "weld.svg")
    assert main([*fast, "--out", str(tmp_path / "weld.json")]) == 0
    data = json.loads((tmp_path / "weld.json").read_text())
    assert data["required"] == "C" and len(data["grades"]) == 200


@pytest.mark.parametrize("env", ["WeldSeamTrack-v0", "WeldArcSense-v0", "WeldPositioner-v0"])
def test_a_robot_s_weld_is_inspected_from_arc_to_arc(env: str, tmp_path: Path) -> None:
    """Followed to its end the weld has no part missing and keeps its throat; given up it lacks the rest."""
    out = tmp_path / "weld.json"
    assert main([env, "--seed", "1", "--out", str(out)]) == 0
    good = json.loads(out.read_text())
    assert good["accepted"] and good["throat_mm"] < good["figures"]["throat_mm"] < 1.3 * good["throat_mm"]
    assert main([env, "--policy", "random", "--seed", "1", "--standard", "shipyard", "--out", str(out)]) == 0
    bad = json.loads(out.read_text())
    assert not bad["accepted"] and bad["required"] == "limit" and bad["length_mm"] >= good["length_mm"]
    assert bad["figures"]["throat_mm"] > 0.0 and bad["grades"][-1] == 0


def test_each_seam_of_a_cell_has_its_report(tmp_path: Path) -> None:
    out = tmp_path / "weld.json"
    lengths = []
    for seam in ("around", "second", "up"):
        main(["WeldUCell-v0", "--seed", "1", "--seam", seam, "--standard", "shipyard", "--out", str(out)])
        data = json.loads(out.read_text())
        assert data["accepted"]
        lengths.append(data["length_mm"])
    assert lengths[0] > lengths[1] > lengths[2]


def test_fit_up_is_judged_on_request(tmp_path: Path) -> None:
    out = tmp_path / "weld.json"
    for words, left_out in (((), True), (("--fit-up",), False)):
        main(["WeldGapFill-v0", "--policy", "zero", "--standard", "shipyard", *words, "--out", str(out)])
        assert ("617" in json.loads(out.read_text())["not_inspected"]) is left_out


def test_wrong_questions(tmp_path: Path) -> None:
    for env in ("ArmReach-v0", "WeldMultipass-v0"):
        with pytest.raises(ShopfloorError, match="no bead along a seam"):
            main([env])
    with pytest.raises(ShopfloorError, match="no seam 'root'; the seams are seam"):
        main(["WeldGapFill-v0", "--seam", "root"])
    with pytest.raises(ShopfloorError, match="levels standard, limit, remedied, not 'C'"):
        main(["WeldGapFill-v0", "--standard", "shipyard", "--level", "C"])
    with pytest.raises(ShopfloorError, match=r"\.svg or \.json"):
        main(["WeldGapFill-v0", "--out", str(tmp_path / "weld.pdf")])
