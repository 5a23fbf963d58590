"""The inspection report of one weld as a picture: what was measured along the seam, and what was found, drawn to scale.

A standalone SVG: bead in plan view, dimensions over the length with what the drawing asks for, fusion and heat, and one
bar for each imperfection with its ISO 6520-1 number, its worst value against the limit, and the level that it leaves.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.welding.inspection import Imperfection, Report
from ..envs.welding.joint import BUTT
from .svg import MARGIN_LEFT, MARGIN_RIGHT, Axis, Chart

Array = NDArray[np.float64]
Slices = Mapping[str, NDArray[np.floating[Any]]]  # quantities (k,) by name

WIDTH, MARGIN = 960.0, 20.0
HEAD, PANEL, LINE = 116.0, 190.0, 21.0
# from rejected to the strictest level
COLORS = ("#c62828", "#ef8f00", "#3f8f3f", "#1565c0")
STYLE = """
text { font-family: system-ui, 'Segoe UI', Roboto, Arial, sans-serif; fill: #1b1f24; }
.title { font-size: 20px; font-weight: 600; } .sub { font-size: 13px; fill: #59636e; }
.tick, .note, .row { font-size: 12px; } .tick { fill: #59636e; } .label { font-size: 12px; }
.grid { stroke: #e6e9ed; } .axis { stroke: #59636e; fill: none; }
.line { fill: none; stroke-width: 1.6; } .band { opacity: 0.30; stroke: none; } .rule { stroke-dasharray: 5 4; }
.k-policy { stroke: #0b62c4; } .k-expert { stroke: #c4540b; } .k-oracle { stroke: #0a8462; }
.k-random { stroke: #7d8590; }
.k-limit { stroke: #b3261e; } .k-bound { stroke: #1b1f24; } text.note { stroke: none; }
.over { paint-order: stroke; stroke: #ffffff; stroke-width: 3px; }
.band.k-policy { fill: #0b62c4; } .band.k-random { fill: #7d8590; }
"""


def weld_picture(
    report: Report, slices: Mapping[str, NDArray[np.floating[Any]]], title: str = "Weld inspection"
) -> str:
    """The report as the text of an SVG file.

    Args:
        report: of the weld.
        slices: quantities (k,) of the inspected slices of this weld, by name.
        title: first line.
    """
    place: Array = report.slice_mm * (np.arange(len(report.grades), dtype=np.float64) + 0.5)
    axis = Axis("along the seam / mm", 0.0, report.length_mm)
    charts = _charts(report, slices, place, axis)
    lines = max(len(report.imperfections), 1)
    height = HEAD + PANEL * len(charts) + 46.0 + LINE * lines + 58.0
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" width="{WIDTH:g}" '
        f'height="{height:g}" role="img" aria-label="{escape(_summary(report))}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH:g}" height="{height:g}" fill="#ffffff"/>',
        *_head(report, title),
    ]
    top = HEAD
    for chart in charts:
        inner = chart.svg().replace("<svg ", f'<svg x="{MARGIN:g}" y="{top:g}" width="{chart.width:g}" '
                                    f'height="{chart.height:g}" ', 1)  # fmt: skip
        out.append(inner)
        top += PANEL
    out += _list(report, top)
    note = f"not inspected: {', '.join(report.not_inspected)}. {report.note}" if report.not_inspected else report.note
    out.append(f'<text class="sub" x="{MARGIN:g}" y="{height - 14:.1f}">{escape(note)}</text>')
    return "".join([*out, "</svg>\n"])


def _summary(report: Report) -> str:
    verdict = "accepted" if report.accepted else "not accepted"
    return f"{report.standard}, level {report.required} required, {report.level} found: {verdict}"


def _head(report: Report, title: str) -> list[str]:
    color = COLORS[2] if report.accepted else COLORS[0]
    figures = report.figures
    dimension = "nominal throat" if report.joint != BUTT else "nominal thickness"
    detail = (
        f"{report.joint}, plate {report.thickness_mm:.3g} mm, {dimension} {report.throat_mm:.3g} mm, "
        f"{report.length_mm:g} mm of weld; means: {figures['current_a']:.0f} A, {figures['voltage_v']:.1f} V, "
        f"{figures['travel_mm_s']:.1f} mm/s, {figures['heat_kj_mm']:.2f} kJ/mm, t8/5 {figures['t85_s']:.0f} s"
    )
    left, width = MARGIN + MARGIN_LEFT, WIDTH - 2 * MARGIN - MARGIN_LEFT - MARGIN_RIGHT
    out = [
        f'<text class="title" x="{MARGIN:g}" y="30">{escape(title)}</text>',
        f'<text class="row" x="{MARGIN:g}" y="50" style="fill:{color}; font-weight:600; font-size:15px">'
        f"{escape(_summary(report))}</text>",
        f'<text class="sub" x="{MARGIN:g}" y="70">{escape(detail)}</text>',
    ]
    # one colour a stretch of equal grade
    grades = np.array(report.grades)
    edges = [0, *(np.flatnonzero(np.diff(grades)) + 1).tolist(), len(grades)]
    scale = width / len(grades)
    for start, end in itertools.pairwise(edges):
        shown = _color(int(grades[start]), len(report.levels))
        out.append(
            f'<rect x="{left + scale * start:.2f}" y="82" width="{scale * (end - start):.2f}" height="14" '
            f'fill="{shown}"/>'
        )
    out.append(f'<text class="tick" x="{MARGIN:g}" y="94">level</text>')
    key = left
    for grade, name in enumerate(("rejected", *report.levels)):
        out.append(f'<rect x="{key:.1f}" y="101" width="10" height="10" fill="{_color(grade, len(report.levels))}"/>')
        out.append(f'<text class="tick" x="{key + 14:.1f}" y="110">{escape(name)}</text>')
        key += 28 + 7 * len(name)
    return out


def _color(grade: int, levels: int) -> str:
    return COLORS[round(grade * (len(COLORS) - 1) / levels)]


def _charts(report: Report, slices: Mapping[str, NDArray[np.floating[Any]]], place: Array, axis: Axis) -> list[Chart]:
    def of(name: str) -> Array:
        return np.asarray(slices[name], dtype=np.float64)

    size = {"width": WIDTH - 2 * MARGIN, "height": PANEL}
    zero = np.zeros_like(place)
    if report.joint == BUTT:
        half = 0.5 * of("width_mm")
        plan = Chart(axis, Axis.fit("across / mm", half, -half), "plan view of the cap", **size)
        plan.band(place, -half, half, "random")
        shape = Chart(axis, Axis.fit("height / mm", of("reinforcement_mm"), -of("underfill_mm")), "cap", **size)
        shape.line(place, of("reinforcement_mm"), "policy", "reinforcement")
        shape.line(place, -of("underfill_mm"), "expert", "underfill")
        shape.rule_y(0.0, "plate")
    else:
        upper, lower = of("leg_1_mm"), -of("leg_2_mm")
        plan = Chart(axis, Axis.fit("toes / mm", upper, lower), "toes on both plates", **size)
        plan.band(place, zero, upper, "policy")
        plan.band(place, lower, zero, "random")
        plan.line(place, upper, "policy", "leg on the standing plate")
        plan.line(place, lower, "random", "leg on the base plate")
        convexity, throat = np.maximum(of("convexity_mm"), 0.0), of("throat_mm")
        shape = Chart(
            axis, Axis.fit("mm", throat + convexity, throat, report.throat_mm, of("gap_mm")), "throat", **size
        )
        shape.line(place, throat, "policy", "throat")
        shape.line(place, throat + convexity, "oracle", "with convexity")
        shape.line(place, of("gap_mm"), "expert", "gap")
        shape.rule_y(report.throat_mm, f"nominal throat {report.throat_mm:.3g} mm", below=True)
    depth, root = of("penetration_mm"), of("root_mm")
    fusion = Chart(axis, Axis.fit("mm", depth, root, 0.0), "fusion", **size)
    fusion.line(place, depth, "policy", "penetration under the arc")
    fusion.line(place, root, "expert", "fusion past the root")
    return [plan, shape, fusion]


def _list(report: Report, top: float) -> list[str]:
    left, width = MARGIN + MARGIN_LEFT, WIDTH - 2 * MARGIN - MARGIN_LEFT - MARGIN_RIGHT
    found = f"Imperfections below the strictest level ({report.levels[-1]})"
    out = [f'<text class="row" x="{MARGIN:g}" y="{top + 16:.1f}" style="font-weight:600">{escape(found)}</text>']
    if not report.imperfections:
        out.append(f'<text class="row" x="{left:.1f}" y="{top + 16 + LINE:.1f}">none</text>')
    for k, line in enumerate(report.imperfections):
        y = top + 16 + LINE * (k + 1)
        start = left + width * line.start_mm / report.length_mm
        end = left + width * line.end_mm / report.length_mm
        names = ("rejected", *report.levels)
        color = _color(names.index(line.level), len(report.levels))
        out.append(f'<rect x="{left:.1f}" y="{y - 12:.1f}" width="{width:.1f}" height="15" fill="#f6f7f9"/>')
        out.append(
            f'<rect x="{start:.1f}" y="{y - 12:.1f}" width="{max(end - start, 2.0):.1f}" height="15" fill="{color}"/>'
        )
        out.append(f'<text class="row" x="{MARGIN:g}" y="{y:.1f}">{escape(line.number)}</text>')
        out.append(f'<text class="row over" x="{left + 6:.1f}" y="{y:.1f}">{escape(_words(line))}</text>')
    return out


def _words(line: Imperfection) -> str:
    limit = "none permitted" if line.limit is None else f"limit {line.limit:.3g} {line.unit}"
    verdict = "" if line.accepted else ", not accepted"
    return (
        f"{line.name}: {line.worst:.3g} {line.unit} ({limit}), {line.start_mm:g} to {line.end_mm:g} mm, "
        f"level {line.level}{verdict}"
    )
