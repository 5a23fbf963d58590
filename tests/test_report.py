"""The HTML report: charts that show what they are given, a page that needs only itself, figures that are right."""

from __future__ import annotations

import io
import json
import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_checks import Balance, check_page

from shopfloor.envs.registry import make_task
from shopfloor.errors import ShopfloorError
from shopfloor.eval.evaluate import EpisodeRecord, evaluate, summarize
from shopfloor.eval.policies import scripted
from shopfloor.eval.report import without_nan
from shopfloor.report import pictures as pictures_module
from shopfloor.report.build import render, write_report
from shopfloor.report.material import Material, Scores
from shopfloor.report.page import Column, Html, Section, details, element, image, page, paragraph, table
from shopfloor.report.pictures import MIME, Film, animation, stills
from shopfloor.report.record import Recording, Transcript, record, typical
from shopfloor.report.sections import figure_of
from shopfloor.report.svg import MARGIN_LEFT, MARGIN_RIGHT, Axis, Chart, ecdf, log_ticks, nice_ticks
from shopfloor.report.verdict import Targets, compare, judge
from shopfloor.report.wafer import bound_times

SVG = "{http://www.w3.org/2000/svg}"
ENV = "shopfloor/WaferTransfer-v0"


# -- axes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0, 1.02), (-0.3, 0.3), (1.05, 1.31), (0, 3e6), (1e-4, 9e-4), (-7, 1200), (99.9, 100)]
)
def test_ticks_are_round_even_and_few(low: float, high: float) -> None:
    ticks = np.array(nice_ticks(low, high))
    assert 3 <= ticks.size <= 9 and ticks[0] >= low - 1e-12 and ticks[-1] <= high + 1e-12
    step = np.diff(ticks)
    assert np.allclose(step, step[0])
    mantissa = step[0] / 10 ** math.floor(math.log10(step[0]) + 1e-9)
    assert min(abs(mantissa - m) for m in (1, 2, 5, 10)) < 1e-6
    assert np.allclose(ticks / step[0], np.round(ticks / step[0]))  # multiples of the step, so 0 is one if inside


def test_logarithmic_ticks_are_decades_and_finer_where_there_are_few() -> None:
    assert log_ticks(1e-3, 5.0) == (0.001, 0.01, 0.1, 1.0)
    assert log_ticks(0.9, 30) == (1.0, 2.0, 5.0, 10.0, 20.0)
    with pytest.raises(ShopfloorError, match="positive"):
        log_ticks(0.0, 1.0)


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0), (0.0, math.nan), (0.0, math.inf)])
def test_an_empty_range_is_refused(bounds: tuple[float, float]) -> None:
    with pytest.raises(ShopfloorError, match="range"):
        nice_ticks(*bounds)


def test_an_axis_has_room_for_all_finite_values_whatever_they_are() -> None:
    axis = Axis.fit("x", [1.0, math.nan, 3.0], [5.0])
    assert axis.low < 1.0 and axis.high > 5.0
    assert Axis.fit("x", [2.0, 2.0]).low < 2.0 < Axis.fit("x", [2.0]).high
    assert (Axis.fit("x", [math.nan]).low, Axis.fit("x").high) == (0.0, 1.0)
    assert Axis.fit("x", [0.0, 0.0]).ticks
    logarithmic = Axis.fit("x", [-1.0, 0.0, 0.01, 10.0], log=True)
    assert 0 < logarithmic.low < 0.01 and logarithmic.share(10.0) < 1.0
    assert np.isnan(logarithmic.share([0.0, -1.0])).all()


def test_tick_labels() -> None:
    steps = Axis("steps", 0, 2e6)
    assert [steps.text(v) for v in (0, 5e5, 2e6)] == ["0", "0.5M", "2M"]
    assert [Axis("steps", 0, 12_000).text(v) for v in (0, 4000, 12_000)] == ["0", "4k", "12k"]
    assert Axis("deg", -1, 1).text(-0.5) == "−0.5"
    assert Axis("share", 0, 1, percent=True).text(0.95) == "95 %"


# -- charts -------------------------------------------------------------------------------------------------------


def drawn(chart: Chart) -> ET.Element:
    return ET.fromstring(chart.svg())


def data_of(points: str, chart: Chart) -> np.ndarray:
    """Data coordinates of a polyline of a linear chart, by what its own axes say."""
    pixels = np.array([[float(v) for v in pair.split(",")] for pair in points.split()])
    root = drawn(chart)
    frame = root.find(f"{SVG}clipPath/{SVG}rect")
    assert frame is not None
    left, top, width, height = (float(frame.attrib[k]) for k in ("x", "y", "width", "height"))
    x = chart.x.low + (pixels[:, 0] - left) / width * (chart.x.high - chart.x.low)
    y = chart.y.high - (pixels[:, 1] - top) / height * (chart.y.high - chart.y.low)
    return np.stack((x, y), axis=-1)


def test_a_line_goes_through_its_points() -> None:
    chart = Chart(Axis("time (s)", 0, 10), Axis("speed (m/s)", -1, 1), "speed")
    xs = np.linspace(0, 10, 30)
    chart.line(xs, np.sin(xs), "policy", "trained policy")
    (line,) = drawn(chart).iter(f"{SVG}polyline")
    assert np.allclose(data_of(line.attrib["points"], chart), np.stack((xs, np.sin(xs)), axis=-1), atol=0.02)
    assert "k-policy" in line.attrib["class"]


def test_a_line_breaks_where_there_is_no_number() -> None:
    chart = Chart(Axis("x", 0, 5), Axis("y", 0, 1), "gap")
    chart.line([0, 1, 2, 3, 4, 5], [0, 1, math.nan, 1, 0, 1], "expert")
    chart.line([0, 1], [math.nan, math.nan], "oracle", "nothing to see")
    lines = list(drawn(chart).iter(f"{SVG}polyline"))
    assert [len(line.attrib["points"].split()) for line in lines] == [2, 3]
    assert "nothing to see" not in chart.svg()


def test_steps_hold_a_value_until_the_next() -> None:
    chart = Chart(Axis("x", 0, 2), Axis("y", 0, 2), "steps")
    chart.line([0, 1, 2], [0, 1, 2], "policy", step=True)
    (line,) = drawn(chart).iter(f"{SVG}polyline")
    expected = [[0, 0], [1, 0], [1, 1], [2, 1], [2, 2]]
    assert np.allclose(data_of(line.attrib["points"], chart), expected, atol=0.02)


def test_dots_whiskers_bands_and_rules_are_drawn_where_they_belong() -> None:
    chart = Chart(Axis("x", 0, 4), Axis("y", 0, 1), "marks", width=400)
    chart.dots([1, 2, 3], [0.5, math.nan, 0.25], "policy", notes=["4 of 8", "-", "1 of 4 <&>"])
    chart.whiskers([1, 3], [0.4, 0.1], [0.6, math.nan], "policy")
    chart.band([0, 4], [0.1, 0.2], [0.3, 0.4], "policy")
    chart.rule_x(2.0, "limit")
    chart.rule_x(7.0, "outside")
    chart.rule_y(0.5, "half", left=True)
    root = drawn(chart)
    dots = list(root.iter(f"{SVG}circle"))
    assert [d.findtext(f"{SVG}title") for d in dots] == ["4 of 8", "1 of 4 <&>"]
    inner = 400 - MARGIN_LEFT - MARGIN_RIGHT
    assert [float(d.attrib["cx"]) for d in dots] == pytest.approx(
        [MARGIN_LEFT + inner * s for s in (0.25, 0.75)], abs=0.01
    )
    assert sum("whisker" in p.attrib["class"] for p in root.iter(f"{SVG}path")) == 1
    assert len(list(root.iter(f"{SVG}polygon"))) == 1
    rules = [p for p in root.iter(f"{SVG}path") if "rule" in p.attrib["class"]]
    assert len(rules) == 2 and f"M{MARGIN_LEFT + inner / 2:.2f}" in rules[0].attrib["d"]
    texts = [t.text for t in root.iter(f"{SVG}text")]
    assert "limit" in texts and "half" in texts and "outside" not in texts


def test_labels_units_and_legend_are_there_and_escaped() -> None:
    chart = Chart(Axis('a < b & "c" (m/s²)', 0, 1), Axis("y (mm)", 0.01, 1, log=True), "x < y & z")
    chart.line([0, 1], [0.02, 0.5], "oracle", "<oracle>")
    root = drawn(chart)
    texts = [t.text for t in root.iter(f"{SVG}text")]
    assert {'a < b & "c" (m/s²)', "y (mm)", "<oracle>", "0.01", "0.1", "1"} <= set(texts)
    assert root.attrib["aria-label"] == "x < y & z"


def test_marks_beyond_the_axes_are_clipped() -> None:
    chart = Chart(Axis("x", 0, 1), Axis("y", 0, 1), "clip")
    chart.line([0, 1], [0, 1e12], "policy")
    root = drawn(chart)
    (group,) = root.findall(f"{SVG}g")
    clip = root.find(f"{SVG}clipPath")
    assert clip is not None and group.attrib["clip-path"] == f"url(#{clip.attrib['id']})"
    assert all(abs(float(v)) <= 1e4 for v in re.split(r"[ ,]", group[0].attrib["points"]))


def test_the_empirical_distribution_counts_failures_as_never() -> None:
    x, share = ecdf([3.0, math.nan, 1.0, 2.0])
    assert x.tolist() == [1.0, 1.0, 2.0, 3.0] and share.tolist() == [0.0, 0.25, 0.5, 0.75]
    assert ecdf([math.nan])[0].size == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.2345, "1.23"), (0.1, "0.100"), (12345.6, "12,346"), (100.0, "100"), (None, "–"), (math.nan, "–")],
)
def test_figures_in_tables(value: float | None, text: str) -> None:
    assert figure_of(value) == text
    assert figure_of(1.5, "s") == "1.50 s" and figure_of(1.5, "1") == "1.50"


# -- page ---------------------------------------------------------------------------------------------------------


def test_everything_is_escaped_but_html() -> None:
    assert element("p", "<b>", Html("<i>x</i>"), cls='a"b') == '<p class="a&quot;b">&lt;b&gt;<i>x</i></p>'
    assert "&lt;script&gt;" in table([Column("<script>")], [["<script>"]])
    assert paragraph("a & b") == "<p>a &amp; b</p>"
    assert image(b"x", "image/png", '"<') == '<img src="data:image/png;base64,eA==" alt="&quot;&lt;">'


def test_a_page_is_one_file_with_links_to_its_sections() -> None:
    sections = [Section("One & two", paragraph("text")), Section("Three", details("more", "<hidden>"))]
    text = page("<title>", Html("<p>lead</p>"), sections, "foot")
    found = check_page(text)
    assert found.ids == ["one-two", "three"] and [r for r in found.references] == ["#one-two", "#three"]
    assert "<h1>&lt;title&gt;</h1>" in text and "default-src 'none'" in text.replace("&#x27;", "'")
    assert "prefers-color-scheme: dark" in text


def test_a_picture_has_a_still_for_those_who_want_one() -> None:
    text = image(b"moving", MIME, "robot", still=b"still")
    assert text.startswith('<picture><source media="(prefers-reduced-motion: reduce)"')
    Balance(text)


# -- scores and verdict -------------------------------------------------------------------------------------------

TASK = make_task(ENV)


def scores_of(kind: str, times: list[float], slip: float = 0.01, seed: int = 1_000_000) -> Scores:
    """An evaluation document with the given move times, NaN for a lost wafer."""
    random = np.random.default_rng(7)
    records = []
    for i, time_s in enumerate(times):
        good = math.isfinite(time_s)
        metrics = dict.fromkeys(TASK.metrics, 0.5) | {"move_time": time_s, "time_ratio": time_s / 0.9}
        metrics["slip"] = slip if good else 2.0
        params = {t.name: float(t.low + (t.high - t.low) * random.random()) for t in TASK.start}
        params |= {t.name: float(round(params[t.name])) for t in TASK.start if t.kind == "choice"}
        reason = "success" if good else "wafer_lost"
        records.append(EpisodeRecord(seed + i, good, 50, reason, 1.0, metrics, params))
    document = {
        "policy": {"name": kind, "kind": kind, "privileged": kind == "oracle", "bundle": None},
        "versions": {"shopfloor": "0", "numpy": "<2>"},
        "summary": summarize(records, TASK),
        "episodes": [without_nan(vars(r)) for r in records],
        "wall_s": 1.0,
    }
    return Scores.of(kind, json.loads(json.dumps(document)))


def test_scores_keep_what_the_document_says() -> None:
    scores = scores_of("policy", [1.0, math.nan, 1.2])
    assert scores.success.tolist() == [True, False, True] and scores.reasons[1] == "wafer_lost"
    assert np.array_equal(scores.of_successes("move_time"), [1.0, math.nan, 1.2], equal_nan=True)
    assert scores.metrics["slip"].tolist() == [0.01, 2.0, 0.01]
    assert set(scores.params) == {t.name for t in TASK.start}


def test_ratios_are_taken_on_the_episodes_that_both_achieve() -> None:
    policy = scores_of("policy", [1.1, 2.2, math.nan, 3.0])
    oracle = scores_of("oracle", [1.0, 2.0, 9.0, math.nan])
    found = compare(policy, oracle, TASK)
    assert found.episodes == 2 and found.ratio == pytest.approx(1.65 / 1.5) and found.paired == pytest.approx(1.1)
    assert found.better_share == 0.0
    assert compare(policy, scores_of("random", [math.nan] * 4), TASK).episodes == 0
    # where more is better, the ratio still says how many times worse the policy is
    task = make_task(ENV)
    task.metrics = {**TASK.metrics, "move_time": replace(TASK.metrics["move_time"], better="higher")}
    assert compare(policy, oracle, task).ratio == pytest.approx(1.5 / 1.65)


def test_targets_are_judged_one_by_one() -> None:
    scores = {
        "policy": scores_of("policy", [1.0] * 19 + [math.nan]),
        "oracle": scores_of("oracle", [0.9] * 20),
        "expert": scores_of("expert", [1.0] * 20),
    }
    checks = judge(scores, TASK)
    assert [c.met for c in checks] == [True, True, False]  # as fast as the expert is not faster
    assert "19 of 20 held-out episodes (95.0 %)" in checks[0].text and "1.111 × the oracle's" in checks[1].text
    assert [c.met for c in judge(scores, TASK, Targets(success=0.96, oracle_ratio=1.1, expert_ratio=1.2))] == [
        False, False, True,
    ]  # fmt: skip
    scores["policy"] = scores_of("policy", [math.nan] * 20)
    assert [c.met for c in judge(scores, TASK)] == [False, False, False]
    assert "no episode was achieved by both" in judge(scores, TASK)[1].text


def test_the_bound_comes_from_whichever_policy_arrived() -> None:
    scores = {"policy": scores_of("policy", [1.0, math.nan]), "oracle": scores_of("oracle", [0.95, 1.9])}
    assert np.allclose(bound_times(scores), 0.9)


def test_the_typical_episode_is_nearest_to_the_median() -> None:
    assert typical(np.array([math.nan, 1.0, 5.0, 2.1, 9.0, 2.0])) == 3
    assert typical(np.array([math.nan, math.nan])) == 0


# -- recording ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recording() -> Recording:
    return record(scripted("expert", TASK), make_task(ENV), 1_000_001)


def test_a_recording_is_the_episode_of_evaluation(recording: Recording) -> None:
    transcript = Transcript(scripted("expert", TASK))
    first, second = evaluate(transcript, make_task(ENV), [1_000_000, 1_000_001], threads=1)
    assert first.success and (recording.success, recording.reason) == (second.success, second.termination_reason)
    assert recording.time_s.size == second.steps + 1 and recording.time_s[0] == 0.0
    assert np.array_equal(recording.setpoints, transcript.setpoints[1_000_001])
    for name, value in second.metrics.items():
        assert recording.metrics[name][-1] == value
    assert recording.params == second.task_params
    assert recording.channels["path_speed"].shape == (second.steps + 1, 1)
    assert recording.channels["slip_mm"][-1, 0] == pytest.approx(second.metrics["slip"])  # privileged ones as well


def test_a_recording_survives_json(recording: Recording) -> None:
    text = json.dumps(recording.to_plain(), allow_nan=False)
    again = Recording.from_plain(json.loads(text))
    assert again.seed == recording.seed and np.array_equal(again.setpoints, recording.setpoints)
    for name, values in recording.metrics.items():
        assert np.array_equal(again.metrics[name], values, equal_nan=True)
    assert math.isnan(again.metrics["move_time"][0])


# -- pictures -----------------------------------------------------------------------------------------------------


def frames(count: int) -> list[np.ndarray]:
    return [np.full((60, 80, 3), 10 * i, dtype=np.uint8) for i in range(count)]


def test_an_animation_is_slow_motion_that_holds_its_end() -> None:
    Image = pytest.importorskip("PIL.Image")
    film = Image.open(io.BytesIO(animation(frames(4), [0.0, 0.04, 0.08, 0.1], hold_s=1.0)))
    assert film.format == "WEBP" and film.n_frames == 4 and film.size == (80, 60)
    durations = []
    for i in range(4):
        film.seek(i)
        film.load()
        durations.append(film.info["duration"])
    assert durations == [100, 100, 50, 1000]


def test_stills_begin_at_the_start_and_end_at_the_end() -> None:
    pytest.importorskip("PIL")
    kept = stills(frames(9), [0.1 * i for i in range(9)], count=5)
    assert [round(t, 3) for t, _ in kept] == [0.0, 0.2, 0.4, 0.6, 0.8]
    assert all(data[:4] == b"RIFF" for _, data in kept)
    assert len(stills(frames(2), [0.0, 0.1], count=5)) == 2


def test_a_film_takes_pictures_at_its_rate_and_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Renderer:
        def __init__(self, cell: Any, width: int, height: int, quality: str):
            self.picture = np.zeros((height, width, 3), dtype=np.uint8)

        def render(self, row: int) -> np.ndarray:
            return self.picture

        def close(self) -> None:
            self.picture = np.zeros(0)

    monkeypatch.setattr(pictures_module, "CellRenderer", Renderer)
    film = Film(rate_hz=10.0, width=8, height=6)
    played = record(scripted("expert", TASK), make_task(ENV), 1_000_000, film)
    film.close()
    assert film.times_s[:3] == pytest.approx([0.0, 0.1, 0.2]) and film.times_s[-1] == played.time_s[-1]
    assert len(film.pictures) == len(film.times_s) and film.pictures[0].shape == (6, 8, 3)


# -- the whole ----------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run directory with a config and nothing else."""
    (tmp_path / "config.yaml").write_text(f"env: {{id: {ENV}}}\nname: <b>bold</b>\n")
    return tmp_path


def add_evaluations(run: Path, **times: list[float]) -> None:
    (run / "evaluation").mkdir(exist_ok=True)
    for kind, values in times.items():
        (run / "evaluation" / f"{kind}.json").write_text(json.dumps(dict(scores_of(kind, values).document)))


def test_a_bare_run_has_a_report(run: Path) -> None:
    path = write_report(run)
    assert path == run / "report.html"
    text = path.read_text()
    assert [i for i in check_page(text).ids if not i.startswith("c")] == ["provenance"]
    assert "&lt;b&gt;bold&lt;/b&gt;" in text and "<b>bold" not in text


def test_what_is_no_run_has_none(tmp_path: Path) -> None:
    with pytest.raises(ShopfloorError, match="no run directory"):
        write_report(tmp_path)


def test_the_report_shows_the_figures_of_the_evaluations(run: Path) -> None:
    add_evaluations(run, policy=[1.0, 1.1, 1.2, math.nan], oracle=[0.95, 1.0, 1.05, 1.1], random=[math.nan] * 4)
    text = render(Material(run))
    found = check_page(text)
    assert [i for i in found.ids if i in ("result", "move-time", "slip", "where-it-works-and-where-not")] == [
        "result", "move-time", "slip", "where-it-works-and-where-not",
    ]  # fmt: skip
    assert "misses 1 of 2 targets" in text and "3 of 4 held-out episodes (75.0 %)" in text
    assert "1.10" in text and "100.0 %" in text and "tolerance 0.1 mm" in text
    assert TASK.success_text in text and "seeds 1000000 to 1000003" in text
    assert not re.search(r">(nan|None|inf)<", text)
    assert len(set(found.ids)) == len(found.ids)


def test_a_report_of_failures_alone_says_so_and_stands(run: Path) -> None:
    add_evaluations(run, policy=[math.nan] * 5, expert=[math.nan] * 5)
    text = render(Material(run))
    check_page(text)
    assert "misses 2 of 2 targets" in text and "no episode was achieved by both" in text


def test_learning_and_the_trace_are_shown(run: Path, recording: Recording) -> None:
    add_evaluations(run, policy=[1.0] * 6, expert=[1.1] * 6, oracle=[0.95] * 6)
    lines = [
        {"step": step, "episodes": 8, "successes": wins, "success_rate": wins / 8, "trained_s": 0.1 * step,
         "median_metrics_of_successes": {"move_time": None if wins == 0 else 1.2}}
        for step, wins in ((100, 0), (200, 5), (300, 8))
    ]  # fmt: skip
    (run / "evaluations.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run / "best").mkdir()
    (run / "best" / "evaluation.json").write_text(json.dumps(lines[-1]))
    (run / "episode").mkdir()
    (run / "episode" / "expert.json").write_text(json.dumps(recording.to_plain()))
    (run / "episode" / "pictures.json").write_text(json.dumps({"reason": "no GL <here>"}))
    text = render(Material(run))
    check_page(text)
    assert "meets all targets" in text and "exported" in text and "5 of 8" in text
    assert "There are no pictures: no GL &lt;here&gt;" in text
    assert "friction limit" in text and "acceleration (m/s²)" in text and f"Seed {recording.seed}" in text


def test_other_environments_get_a_report_from_their_declaration(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("env: {id: ArmReach-v0, kwargs: {goal: position}}\n")
    task = make_task("ArmReach-v0", goal="position")
    (tmp_path / "episode").mkdir()
    played = record(scripted("expert", task), make_task("ArmReach-v0", goal="position"), 3)
    (tmp_path / "episode" / "expert.json").write_text(json.dumps(played.to_plain()))
    text = render(Material(tmp_path))
    check_page(text)
    assert "ArmReach-v0" in text and "One episode" in text and "position error (mm)" in text
