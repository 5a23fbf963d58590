"""Sections that every environment's report has, from what its task declares."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..envs.engine.task import Task
from ..eval.statistics import wilson
from .material import KINDS, Material, Scores
from .page import Column, Html, Section, element, figure, join, paragraph, side_by_side, swatch, table
from .svg import Axis, Chart, ecdf
from .verdict import compare

Array = NDArray[np.float64]

BINS = 6


@dataclass(frozen=True)
class Focus:
    """What the report of one environment points out.

    Attributes:
        ratio_metric: metric that compares episodes of different difficulty; "" for the main metric.
        slices: continuous parameters along which success is shown; empty for all.
        choices: words for the values of categorical parameters, by parameter.
        names: words for names of metrics and parameters.
    """

    ratio_metric: str = ""
    slices: Sequence[str] = ()
    choices: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def name(self, name: str) -> str:
        """A declared name in words."""
        return self.names.get(name, name.replace("_", " "))


def with_unit(name: str, unit: str) -> str:
    """A quantity as axes name it: "slip (mm)"; ratios have no unit to show."""
    return f"{name} ({unit})" if unit not in ("", "1") else name


def figure_of(value: float | None, unit: str = "", digits: int = 3) -> str:
    """A number with significant digits and its unit; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.{digits}g}".rstrip(".")
    return f"{text} {unit}" if unit not in ("", "1") else text


# -- verdict ------------------------------------------------------------------------------------------------------


def verdict_table(material: Material, focus: Focus) -> Html:
    """Success and the main metric of every policy, one row each."""
    task, scores = material.task, material.scores
    main = task.metrics[task.main_metric]
    columns = [Column("", ""), Column("success", "number"), Column("95 % interval", "number")]
    columns.append(Column(f"median {with_unit(focus.name(task.main_metric), main.unit)}", "number"))
    references = [kind for kind in ("oracle", "expert") if kind in scores]
    columns += [Column(f"ratio to {kind}", "number") for kind in references]
    rows = []
    for kind, one in scores.items():
        success = one.document["summary"]["success"]
        low, high = success["wilson"]
        known = " (knows what no sensor tells)" if one.document["policy"]["privileged"] else ""
        row: list[object] = [
            join((swatch(kind), f"{KINDS[kind]}{known}")),
            f"{100 * success['rate']:.1f} %",
            f"{100 * low:.1f} – {100 * high:.1f} %",
            figure_of(one.document["summary"]["metrics"][task.main_metric]["success_median"], digits=4),
        ]
        for other in references:
            found = compare(one, scores[other], task)
            row.append("1" if other == kind else f"{found.ratio:.3f}" if found.episodes else "–")
        rows.append(row)
    return table(columns, rows, strong=list(scores).index("policy") if "policy" in scores else None)


def metric_table(material: Material, focus: Focus) -> Html:
    """Median and the bad end of every metric of every policy."""
    task, scores = material.task, material.scores
    columns = [Column("metric"), Column("unit")]
    for kind in scores:
        columns += [Column(f"{KINDS[kind]}, median", "number"), Column("95 %", "number")]
    rows = []
    for name, metric in task.metrics.items():
        row: list[object] = [focus.name(name), metric.unit if metric.unit != "1" else ""]
        for one in scores.values():
            found = one.document["summary"]["metrics"][name]
            row += [figure_of(found["median"]), figure_of(found["p95"])]
        rows.append(row)
    return table(columns, rows)


# -- distributions ------------------------------------------------------------------------------------------------


def distribution(
    values: Mapping[str, Array],
    label: str,
    description: str,
    *,
    bound: str = "",
    include: Sequence[float] = (),
    log: bool = False,
    width: float = 520,
) -> Chart:
    """Empirical distribution of one quantity for several policies; shares refer to all episodes of each.

    Args:
        values: (n,) by kind, NaN where an episode has none; a further kind "bound" may be among them.
        label: of the x axis.
        description: of the chart.
        bound: what the legend calls the kind "bound".
        include: values that must lie on the x axis.
        log: logarithmic x axis.
        width: of the chart.
    """
    x_axis = Axis.fit(label, *values.values(), np.asarray(include), log=log)
    chart = Chart(x_axis, Axis("share of episodes", 0.0, 1.03, percent=True), description, width=width)
    for kind, data in values.items():
        x, share = ecdf(data)
        if x.size:
            # the curve stays at its level to the end of the axis
            x, share = np.append(x, chart.x.high), np.append(share, share[-1])
        chart.line(x, share, kind, KINDS.get(kind, bound), step=True)
    return chart


def main_metric_section(material: Material, focus: Focus) -> Section | None:
    """Distribution of the main metric of all policies."""
    task = material.task
    values = {k: s.of_successes(task.main_metric) for k, s in material.scores.items()}
    values = {k: v for k, v in values.items() if np.isfinite(v).any()}
    if not values:
        return None
    name = focus.name(task.main_metric)
    label = with_unit(name, task.metrics[task.main_metric].unit)
    chart = distribution(values, label, f"Distribution of {name} by policy")
    caption = (
        f"Share of all episodes that were achieved with at most this {name}. "
        "A curve that ends below 100 % belongs to a policy that fails in the rest."
    )
    return Section(name.capitalize(), figure(Html(chart.svg()), caption))


# -- failures -----------------------------------------------------------------------------------------------------


def reasons_section(material: Material, focus: Focus) -> Section | None:
    """Why episodes ended, by policy."""
    task, scores = material.task, material.scores
    if not scores:
        return None
    texts = {
        "success": task.success_text,
        **task.failure_texts,
        "time_limit": f"not done within {task.timing.horizon_s:g} s",
        "physics_error": "the simulation failed",
    }
    seen = {reason for one in scores.values() for reason in one.reasons}
    columns = [Column("end"), Column("meaning", "prose"), *(Column(KINDS[kind], "number") for kind in scores)]
    rows = [
        [reason.replace("_", " "), text, *(one.reasons.count(reason) or "–" for one in scores.values())]
        for reason, text in texts.items()
        if reason in seen or reason in task.failure_texts
    ]
    total = len(next(iter(scores.values())).seeds)
    caption = f"Episodes by how they ended, of {total} each; every policy met the same {total} start conditions."
    return Section("How episodes ended", join((table(columns, rows), paragraph(caption, soft=True))))


# -- slices -------------------------------------------------------------------------------------------------------


def slices_section(material: Material, focus: Focus) -> Section | None:
    """Success and the ratio metric along the parameters of the start distribution."""
    task, scores = material.task, material.scores
    if "policy" not in scores:
        return None
    metric = focus.ratio_metric or task.main_metric
    continuous = [t for t in task.start if t.size == 1 and t.kind != "choice" and t.high > t.low]
    chosen = [t for t in continuous if t.name in focus.slices] if focus.slices else continuous
    shown = {k: s for k, s in scores.items() if np.isfinite(s.of_successes(metric)).any()}
    parts = []
    for term in chosen:
        label = with_unit(focus.name(term.name), term.unit)
        edges = np.linspace(term.low, term.high, BINS + 1)
        charts = (
            success_along(scores["policy"], term.name, label, edges),
            metric_along(shown, term.name, label, edges, metric, task, focus),
        )
        parts.append(element("div", *(Html(c.svg()) for c in charts)))
    content = [
        paragraph(
            f"The start conditions change from episode to episode. Each dot stands for the episodes in one of {BINS} "
            f"equal parts of a parameter's range: above, the trained policy's success rate with its 95 % interval; "
            f"below, the median {focus.name(metric)} of each policy's successful episodes."
        ),
        side_by_side(parts, 3),
    ]
    if (choices := choice_table(material, focus, metric)) is not None:
        content += [element("h3", "By kind of episode (medians over successful ones)"), choices]
    return Section("Where it works and where not", join(content))


def _bins(values: Array, edges: Array) -> NDArray[np.intp]:
    return np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)


def success_along(one: Scores, param: str, label: str, edges: Array) -> Chart:
    """Success rate by bins of a parameter."""
    index = _bins(one.params[param], edges)
    centre = 0.5 * (edges[:-1] + edges[1:])
    counts = np.bincount(index, minlength=centre.size)
    wins = np.bincount(index[one.success], minlength=centre.size)
    used = np.flatnonzero(counts)
    rate = wins[used] / counts[used]
    interval = np.array([wilson(int(wins[i]), int(counts[i])) for i in used])
    lowest = math.floor(10 * min(0.9, interval[:, 0].min())) / 10
    chart = Chart(
        Axis(label, edges[0], edges[-1]),
        Axis("success", lowest, 1.01, percent=True),
        f"Success rate by {label}", width=340, height=190,
    )  # fmt: skip
    notes = [f"{wins[i]} of {counts[i]}" for i in used]
    chart.whiskers(centre[used], interval[:, 0], interval[:, 1], "policy")
    chart.dots(centre[used], rate, "policy", notes=notes)
    return chart


def metric_along(
    scores: Mapping[str, Scores], param: str, label: str, edges: Array, metric: str, task: Task, focus: Focus
) -> Chart:
    """Median of a metric of successful episodes by bins of a parameter, one line a policy."""
    centre = 0.5 * (edges[:-1] + edges[1:])
    medians = {}
    for kind, one in scores.items():
        index, values = _bins(one.params[param], edges), one.of_successes(metric)
        medians[kind] = np.array([_median(values[index == i]) for i in range(centre.size)])
    y = Axis.fit(with_unit(focus.name(metric), task.metrics[metric].unit), *medians.values(), pad=0.12)
    chart = Chart(Axis(label, edges[0], edges[-1]), y, f"{focus.name(metric)} by {label}", width=340, height=200)
    for kind, values in medians.items():
        chart.line(centre, values, kind, _short(kind))
        chart.dots(centre, values, kind)
    return chart


def _median(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else math.nan


def choice_table(material: Material, focus: Focus, metric: str) -> Html | None:
    """Success of the policy and the metric of all, for each value of the categorical parameters."""
    policy = material.scores["policy"]
    shown = {k: s for k, s in material.scores.items() if np.isfinite(s.of_successes(metric)).any()}
    head = with_unit(focus.name(metric), material.task.metrics[metric].unit)
    columns = [Column(""), Column(""), Column("episodes", "number"), Column("policy's success", "number")]
    columns += [Column(f"{head}, {_short(k)}", "number") for k in shown]
    rows: list[list[object]] = []
    for term in material.task.start:
        if term.kind != "choice" or term.size != 1 or (focus.choices and term.name not in focus.choices):
            continue
        for value in range(round(term.low), round(term.high) + 1):
            chosen = policy.params[term.name] == value
            if not chosen.any():
                continue
            rate = f"{100 * float(np.mean(policy.success[chosen])):.1f} %"
            word = focus.choices.get(term.name, {}).get(value, str(value))
            medians = [figure_of(_median(s.of_successes(metric)[chosen])) for s in shown.values()]
            rows.append([focus.name(term.name), word, int(chosen.sum()), rate, *medians])
    return table(columns, rows) if rows else None


def _short(kind: str) -> str:
    return KINDS[kind].removeprefix("trained ")


# -- training -----------------------------------------------------------------------------------------------------


def learning_section(material: Material, focus: Focus) -> Section | None:
    """Success rate and main metric of the validations during training."""
    lines, task = material.validations, material.task
    if not lines:
        return None
    metric = task.metrics[task.main_metric]
    steps = np.array([e["step"] for e in lines], dtype=np.float64)
    rate = np.array([e["success_rate"] for e in lines])
    interval = np.array([wilson(e["successes"], e["episodes"]) for e in lines])
    x = Axis("environment steps", 0.0, float(steps.max()) * 1.02)
    lowest = max(0.0, math.floor(5 * interval.min() - 0.5) / 5)
    success = Chart(x, Axis("success in validation", lowest, 1.01, percent=True), "Success rate against training steps")
    success.band(steps, interval[:, 0], interval[:, 1], "policy")
    success.line(steps, rate, "policy", "trained policy")
    success.dots(steps, rate, "policy", notes=[f"{e['successes']} of {e['episodes']}" for e in lines])
    medians = np.array([_none_is_nan(e["median_metrics_of_successes"].get(task.main_metric)) for e in lines])
    references = {
        kind: _none_is_nan(one.document["summary"]["metrics"][task.main_metric]["success_median"])
        for kind, one in material.scores.items()
        if kind in ("expert", "oracle")
    }
    name = focus.name(task.main_metric)
    y = Axis.fit(with_unit(f"median {name}", metric.unit), medians, list(references.values()), pad=0.1)
    main = Chart(x, y, f"Median {name} against training steps")
    main.line(steps, medians, "policy", "trained policy")
    main.dots(steps, medians, "policy", notes=[figure_of(v, metric.unit) for v in medians])
    for kind, value in references.items():
        main.rule_y(value, kind, kind, below=kind == "oracle")
    for chart in (success, main):
        if material.best_step is not None:
            chart.rule_x(material.best_step, "exported" if chart is success else "", "bound")
    episodes = lines[-1]["episodes"]
    caption = (
        f"Validation during training: {episodes} episodes each, on seeds that are neither trained on nor among the "
        f"held-out ones above. First the success rate with its 95 % interval, then the median {name} of the "
        "successful episodes; the dashed lines are the references' medians on the held-out episodes. The policy of the "
        "best validation (success first, then the median) is the one that was exported."
    )
    charts = side_by_side([Html(success.svg()), Html(main.svg())])
    trained = paragraph(f"{steps[-1]:,.0f} environment steps in {_minutes(lines[-1]['trained_s'])}.")
    return Section("Learning", join((trained, figure(charts, caption))))


def _none_is_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{seconds:.1f} s"
