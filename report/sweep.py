"""The picture of a sweep: success and main metric against one value of the start distribution, as standalone SVG."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from .svg import Axis, Chart
from .weld import STYLE

WIDTH, CHART, HEAD = 560.0, 270.0, 58.0
KINDS = {"expert": "expert", "oracle": "oracle", "random": "random"}  # whatever else is a policy
DECADE = 10.0  # from this ratio between the ends of the values on, the axis is logarithmic
MORE_STYLE = """
.whisker { fill: none; stroke-width: 1.3; } .dot.k-policy { fill: #0b62c4; } .dot.k-expert { fill: #c4540b; }
.dot.k-random { fill: #7d8590; } .dot.k-oracle { fill: #0a8462; }
"""


def sweep_picture(data: Mapping[str, Any]) -> str:
    """The text of an SVG file.

    Args:
        data: what `eval.sweep.sweep` returned.
    """
    parameter, main = data["parameter"], data["main_metric"]
    values = np.array(data["values"], dtype=np.float64)
    order = np.argsort(values)
    spread = values.min() > 0.0 and values.max() >= DECADE * values.min()
    name = f"{parameter['name'].removesuffix('_' + parameter['unit']).replace('_', ' ')} / {parameter['unit']}"
    x = Axis.fit(name, values, log=bool(spread))
    medians = [np.array([np.nan if m is None else m for m in p["success_median"]]) for p in data["policies"].values()]
    quantity = f"{main['name'].replace('_', ' ')} / {main['unit']}"
    success = Chart(x, Axis("success", 0.0, 1.02, percent=True), f"Success against {name}", WIDTH - 40, CHART)
    metric = Chart(x, Axis.fit(quantity, *medians), f"Median of {quantity} against {name}", WIDTH - 40, CHART)
    for (policy, curve), median in zip(data["policies"].items(), medians, strict=True):
        kind = KINDS.get(curve["kind"], "policy")
        rate = np.array(curve["successes"]) / data["episodes"]
        wilson = np.array(curve["wilson"])
        success.line(values[order], rate[order], kind, policy)
        success.dots(values, rate, kind)
        success.whiskers(values, wilson[:, 0], wilson[:, 1], kind)
        metric.line(values[order], median[order], kind, policy)
        metric.dots(values, median, kind)
    split = (data["randomization"] or {"split": "nominal"})["split"]
    title = f"{data['environment']['id'].rpartition('/')[2]}: {parameter['description'] or parameter['name']}"
    sub = f"{data['episodes']} held-out episodes at each value, {split}; bars are 95 % intervals, metrics of successes"
    height = HEAD + 2.0 * CHART + 8.0
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" width="{WIDTH:g}" '
        f'height="{height:g}" role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}{MORE_STYLE}</style>",
        f'<rect width="{WIDTH:g}" height="{height:g}" fill="#ffffff"/>',
        f'<text class="title" x="20" y="30" style="font-size:16px">{escape(title)}</text>',
        f'<text class="sub" x="20" y="49" style="font-size:11.5px">{escape(sub)}</text>',
    ]
    for i, chart in enumerate((success, metric)):
        place = f'<svg x="20" y="{HEAD + i * CHART:g}" width="{chart.width:g}" height="{chart.height:g}" '
        out.append(chart.svg().replace("<svg ", place, 1))
    return "".join([*out, "</svg>\n"])
