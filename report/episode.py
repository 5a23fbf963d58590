"""Sections on single episodes: pictures, traces, the controller runs on the twin."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .material import EPISODE_DIR, KINDS, Material
from .page import Column, Html, Section, element, figure, image, join, paragraph, side_by_side, table
from .pictures import MIME, SLOWER
from .record import Recording
from .sections import Focus, figure_of, with_unit
from .svg import Axis, Chart, ecdf

Array = NDArray[np.float64]

TRACE_HEIGHT = 220.0


def pictures_section(material: Material, focus: Focus) -> Section | None:
    """Animation and stills, or why there are none."""
    index = material.pictures
    if index is None:
        return None
    if "reason" in index:
        return Section("Pictures", paragraph(f"There are no pictures: {index['reason']}"))
    folder = material.path / EPISODE_DIR
    frames = [(frame["time_s"], (folder / frame["file"]).read_bytes()) for frame in index["stills"]]
    moving = (folder / index["animation"]).read_bytes()
    alt = f"{material.env_id}, episode of seed {index['seed']}, driven by the trained policy"
    film = figure(
        image(moving, MIME, alt, still=frames[-1][1]),
        f"The trained policy in the episode of seed {index['seed']}, {SLOWER:g} times slower than real time; "
        f"{why_this_one(material)}",
    )
    strip = [figure(image(data, MIME, f"at {time_s:.2f} s"), f"{time_s:.2f} s") for time_s, data in frames]
    return Section("The trained policy at work", join((film, element("div", *strip, cls="strip"))))


def why_this_one(material: Material) -> str:
    """How the recorded episode was chosen."""
    policy = material.scores.get("policy")
    if policy is None or not policy.success.any():
        return "the first of the held-out episodes, as none was a success."
    return "the episode whose result is nearest to the policy's median."


def trace(
    recordings: Mapping[str, Recording],
    values: Mapping[str, Array],
    label: str,
    height: float = TRACE_HEIGHT,
    floor: float | None = None,
    include: float | None = None,
    log: bool = False,
) -> Chart:
    """A quantity over the time of one episode, a line for each policy.

    Args:
        recordings: the episode by policy.
        values: (k,) by policy.
        label: of the y axis.
        height: of the chart.
        floor: low end of the y axis; fitted if None.
        include: a value that must lie on the y axis, such as a limit.
        log: logarithmic y axis.
    """
    extra = [np.array([include])] if include is not None else []
    y = Axis.fit(label, *values.values(), *extra, pad=0.08, log=log)
    if floor is not None:
        y = Axis(label, floor, y.high, log)
    chart = Chart(time_axis(recordings), y, f"{label} over time", height=height)
    for kind, data in values.items():
        chart.line(recordings[kind].time_s, data, kind, KINDS[kind])
    return chart


def time_axis(recordings: Mapping[str, Recording]) -> Axis:
    """Time of an episode, with room for labels after its end."""
    return Axis("time (s)", 0.0, 1.1 * max(float(r.time_s[-1]) for r in recordings.values()))


def trace_section(material: Material, focus: Focus) -> Section | None:
    """Set-points and every metric over one episode, for environments without a section of their own."""
    recordings = material.recordings
    if not recordings:
        return None
    task = material.task
    seed = next(iter(recordings.values())).seed
    charts = []
    for name, metric in task.metrics.items():
        values = {k: r.metrics[name] for k, r in recordings.items()}
        # the main metric is a figure of the whole episode
        if name != task.main_metric and any(np.isfinite(v).sum() > 1 for v in values.values()):
            charts.append(trace(recordings, values, with_unit(focus.name(name), metric.unit)))
    charts += setpoint_traces(material, focus)
    caption = f"The episode of seed {seed}, from the same start by each policy: figures as they stood at each time."
    return Section("One episode", figure(side_by_side([Html(c.svg()) for c in charts]), caption))


def setpoint_traces(material: Material, focus: Focus) -> list[Chart]:
    """What the policies command, one chart a set-point."""
    charts = []
    for i, term in enumerate(material.task.make_action().terms):
        label = with_unit(focus.name(term.name), term.unit)
        chart = Chart(
            time_axis(material.recordings),
            Axis(label, term.low, term.high),
            f"Set-point {label} over time",
            height=TRACE_HEIGHT,
        )
        for kind, recording in material.recordings.items():
            times = recording.time_s
            held = np.append(recording.setpoints[:, i], recording.setpoints[-1, i])
            chart.line(times, held, kind, KINDS[kind], step=True)
        charts.append(chart)
    return charts


# -- twin ---------------------------------------------------------------------------------------------------------


def twin_section(material: Material, focus: Focus) -> Section | None:
    """The controller runs: outcome, parity with evaluation, deadlines."""
    summary = material.twin
    if summary is None:
        return None
    period_ms = 1000.0 / summary["control_hz"]
    episodes = summary["episodes"]
    pace = "in real time" if summary["realtime"] else "as fast as possible, without deadlines"
    intro = paragraph(
        f"The exported bundle ran in the controller loop at {summary['control_hz']:g} Hz {pace}, against the "
        f"simulated cell behind the same interface as a machine, in {len(episodes)} of the held-out episodes. "
        "No learning library takes part in this."
    )
    parts = [intro, _parity(summary), _runs_table(material, focus), _deadline_table(summary, period_ms)]
    ticks = material.twin_ticks
    if ticks["busy_s"].size:
        chart = _tick_chart(ticks, period_ms, summary["realtime"])
        caption = (
            "How long the controller worked in each tick, the twin's simulation included, and how late a tick began "
            f"after its deadline. A tick must be done within the control period of {period_ms:g} ms."
        )
        parts.append(figure(Html(chart.svg()), caption))
    parts.append(paragraph(summary["safety"], soft=True))
    return Section("On the twin", join(parts))


def _parity(summary: Mapping[str, object]) -> Html:
    parity = summary.get("parity")
    if not isinstance(parity, Mapping):
        return Html()
    if parity["bit_equal"]:
        text = (
            f"All {parity['commands']} commands and all results are bit-equal to those of the evaluation of the same "
            "episodes: what was evaluated is what runs."
        )
    else:
        text = f"Commands differ from those of the evaluation: {parity['note']}"
    item = element("li", text, cls="met" if parity["bit_equal"] else "missed")
    return element("ul", item, cls="checks")


def _runs_table(material: Material, focus: Focus) -> Html:
    task = material.task
    main = task.metrics[task.main_metric]
    columns = [Column("seed", "number"), Column("end"), Column("ticks", "number")]
    columns.append(Column(with_unit(focus.name(task.main_metric), main.unit), "number"))
    rows = []
    for episode in (material.twin or {})["episodes"]:
        value = episode["metrics"].get(task.main_metric)
        rows.append([episode["seed"], episode["reason"].replace("_", " "), episode["ticks"], figure_of(value)])
    return table(columns, rows)


def _deadline_table(summary: Mapping[str, dict[str, object]], period_ms: float) -> Html:
    deadlines, interventions = summary["deadlines"], summary["interventions"]
    columns = [Column(""), Column("median", "number"), Column("99 %", "number"), Column("largest", "number")]
    rows: list[list[object]] = []
    for name, words in (("busy", "work in a tick (ms)"), ("lateness", "start after the deadline (ms)")):
        found = deadlines[name]
        assert isinstance(found, Mapping)
        rows.append([words, *(f"{found[key]:.3f}" for key in ("p50_ms", "p99_ms", "max_ms"))])
    if not summary["realtime"]:
        rows.pop()
    guard = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in interventions.items())
    missed = f"{deadlines['missed']} of {deadlines['ticks']} deadlines missed (period {period_ms:g} ms). " if (
        summary["realtime"]
    ) else ""  # fmt: skip
    return join((table(columns, rows), paragraph(f"{missed}Interventions of the command guard: {guard}.")))


def _tick_chart(ticks: Mapping[str, Array], period_ms: float, realtime: bool) -> Chart:
    shown = {"busy_s": ("policy", "work in a tick")}
    if realtime:
        shown["lateness_s"] = ("random", "start after the deadline")
    values = {name: np.maximum(1000.0 * ticks[name], 1e-4) for name in shown}
    x = Axis.fit("time (ms)", *values.values(), np.array([period_ms]), log=True)
    chart = Chart(
        x, Axis("share of ticks", 0.0, 1.02, percent=True), "Work and lateness of ticks", width=760, height=260
    )
    for name, (kind, words) in shown.items():
        xs, share = ecdf(values[name])
        chart.line(np.append(xs, x.high), np.append(share, 1.0), kind, words, step=True)
    chart.rule_x(period_ms, f"period {period_ms:g} ms")
    return chart
