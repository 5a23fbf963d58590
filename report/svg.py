"""Charts as inline SVG: axes with units, lines, steps, dots with whiskers, bands and rules.

Colours come from the page's style sheet through classes (`k-policy` and so on), so that a chart follows the reader's
light or dark scheme. Nothing here draws outside the frame of its axes: what lies beyond them is clipped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ShopfloorError

Array = NDArray[np.float64]

MARGIN_LEFT, MARGIN_RIGHT, MARGIN_BOTTOM = 62.0, 14.0, 44.0
TOP, LEGEND_ROW = 10.0, 20.0
CHARACTER = 6.6  # mean width of a character at the font size of labels


def nice_ticks(low: float, high: float, count: int = 5) -> tuple[float, ...]:
    """Round numbers (1, 2 or 5 times a power of ten apart) in [low, high], about `count` of them.

    Raises:
        ShopfloorError: if the range is empty or not finite.
    """
    _check_range(low, high)
    rough = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((m * power for m in (1.0, 2.0, 5.0, 10.0)), key=lambda s: abs(math.log(s / rough)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(i * step, 12) for i in range(first, last + 1))


def log_ticks(low: float, high: float) -> tuple[float, ...]:
    """Powers of ten in [low, high], with their double and fivefold where the range has few decades."""
    _check_range(low, high)
    if low <= 0:
        raise ShopfloorError(f"a logarithmic axis needs positive bounds, got {low:g}")
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1.0, 2.0, 5.0) if math.log10(high / low) <= 2.0 else (1.0,)
    ticks = (float(f"{m}e{d}") for d in decades for m in steps)
    return tuple(t for t in ticks if low * (1 - 1e-9) <= t <= high * (1 + 1e-9))


def _check_range(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ShopfloorError(f"an axis needs a range of finite numbers, got [{low}, {high}]")


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        label: what it shows, with its unit.
        low, high: range.
        log: logarithmic.
        percent: label ticks of a share as percent.
    """

    label: str
    low: float
    high: float
    log: bool = False
    percent: bool = False

    @classmethod
    def fit(cls, label: str, *values: ArrayLike, pad: float = 0.04, log: bool = False, percent: bool = False) -> Axis:
        """An axis on which all finite values have room; 0 to 1 where there are none.

        Args:
            label: what it shows, with its unit.
            values: numbers that must lie on it; those that are not positive are left out on a logarithmic axis.
            pad: free space at both ends, as a share of the range.
            log, percent: see the class.
        """
        data = np.concatenate([np.asarray(v, dtype=np.float64).reshape(-1) for v in values]) if values else np.zeros(0)
        data = data[np.isfinite(data) & ((data > 0) | (not log))]
        if not data.size:
            return cls(label, 0.1 if log else 0.0, 1.0, log, percent)
        if log:
            low, high = math.log10(data.min()), math.log10(data.max())
            room = pad * (high - low) or 0.5
            return cls(label, 10 ** (low - room), 10 ** (high + room), log, percent)
        low, high = float(data.min()), float(data.max())
        room = pad * (high - low) or max(1e-12, 0.5 * abs(high)) or 0.5
        return cls(label, low - room, high + room, log, percent)

    @property
    def ticks(self) -> tuple[float, ...]:
        """Where the axis is labelled."""
        return log_ticks(self.low, self.high) if self.log else nice_ticks(self.low, self.high)

    def share(self, values: ArrayLike) -> Array:
        """Positions as shares of the axis, 0 at its low end; NaN where a logarithm does not exist."""
        data = np.asarray(values, dtype=np.float64)
        if not self.log:
            return (data - self.low) / (self.high - self.low)
        safe = np.where(data > 0, data, np.nan)
        return np.log(safe / self.low) / math.log(self.high / self.low)

    def text(self, value: float) -> str:
        """The label of a tick."""
        if self.percent:
            return signed(100 * value, " %")
        if self.log:
            return f"{value:.6g}"
        largest = max(abs(self.low), abs(self.high))
        for reached, size, suffix in ((1e6, 1e6, "M"), (1e4, 1e3, "k")):
            if largest >= reached and value:
                return signed(value / size, suffix)
        return signed(value)


def signed(value: float, suffix: str = "") -> str:
    """A number in up to six digits, with a minus sign that is one."""
    return f"{value:.6g}{suffix}".replace("-", "−")


class Chart:
    """A chart with two axes; add marks, then `svg()`.

    Marks carry a kind, which is their colour class: "policy", "expert", "oracle", "random", "bound" or "limit".

    Args:
        x, y: the axes.
        description: one sentence for readers who do not see the chart.
        width, height: in pixels; the page shows it a little larger at most, and smaller where there is less room.
    """

    def __init__(self, x: Axis, y: Axis, description: str, width: float = 520, height: float = 280):
        self.x, self.y = x, y
        self.description = description
        self.width, self.height = width, height
        self._marks: list[str] = []
        self._over: list[str] = []
        self._legend: list[tuple[str, str, str]] = []

    # -- marks ------------------------------------------------------------------------------------------------

    def line(self, xs: ArrayLike, ys: ArrayLike, kind: str, name: str = "", step: bool = False) -> None:
        """A line through points in their order, broken where one is not finite.

        Args:
            xs, ys: (n,) coordinates.
            kind: colour class.
            name: entry in the legend; none if empty.
            step: hold each y until the next x.
        """
        x, y = np.asarray(xs, dtype=np.float64), np.asarray(ys, dtype=np.float64)
        if step and x.size:
            x, y = np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
        parts = _runs(self._place(x, y))
        for part in parts:
            points = " ".join(f"{px:.2f},{py:.2f}" for px, py in part)
            self._marks.append(f'<polyline class="line k-{kind}" points="{points}"/>')
        self._name(name if parts else "", kind, "line")

    def dots(self, xs: ArrayLike, ys: ArrayLike, kind: str, name: str = "", notes: Sequence[str] = ()) -> None:
        """Dots; `notes` appear when the pointer rests on them."""
        for i, (px, py) in enumerate(self._place(np.asarray(xs, np.float64), np.asarray(ys, np.float64))):
            if math.isfinite(px) and math.isfinite(py):
                note = f"<title>{escape(notes[i])}</title>" if notes else ""
                self._marks.append(f'<circle class="dot k-{kind}" cx="{px:.2f}" cy="{py:.2f}" r="3">{note}</circle>')
        self._name(name, kind, "dot")

    def whiskers(self, xs: ArrayLike, lows: ArrayLike, highs: ArrayLike, kind: str) -> None:
        """Vertical intervals."""
        bottom = self._place(np.asarray(xs, np.float64), np.asarray(lows, np.float64))
        top = self._place(np.asarray(xs, np.float64), np.asarray(highs, np.float64))
        for (px, low), (_, high) in zip(bottom, top, strict=True):
            if math.isfinite(px + low + high):
                self._marks.append(f'<path class="whisker k-{kind}" d="M{px:.2f} {low:.2f}V{high:.2f}"/>')

    def band(self, xs: ArrayLike, lows: ArrayLike, highs: ArrayLike, kind: str) -> None:
        """A shaded band between two lines of finite numbers."""
        x = np.asarray(xs, np.float64)
        edge = np.concatenate((self._place(x, np.asarray(lows)), self._place(x, np.asarray(highs))[::-1]))
        points = " ".join(f"{px:.2f},{py:.2f}" for px, py in edge)
        self._marks.append(f'<polygon class="band k-{kind}" points="{points}"/>')

    def rule_x(self, value: float, label: str, kind: str = "limit", top: bool = False) -> None:
        """A vertical line across the chart, labelled at its foot or its top."""
        share = float(self.x.share(value))
        if 0.0 <= share <= 1.0:
            at = self._left + share * self._inner_width
            self._marks.append(f'<path class="rule k-{kind}" d="M{at:.2f} {self._top:.2f}V{self._bottom:.2f}"/>')
            fits = at + CHARACTER * len(label) + 8 < self.width - MARGIN_RIGHT
            anchor, shift = ("start", 5) if fits else ("end", -5)
            height = self._top + 14 if top else self._bottom - 7
            self._over.append(_text(at + shift, height, label, anchor, f"note k-{kind}"))

    def rule_y(self, value: float, label: str, kind: str = "limit", below: bool = False, left: bool = False) -> None:
        """A horizontal line across the chart, labelled above or below it at its right or left end."""
        share = float(self.y.share(value))
        if 0.0 <= share <= 1.0:
            at = self._bottom - share * (self._bottom - self._top)
            right = self.width - MARGIN_RIGHT
            self._marks.append(f'<path class="rule k-{kind}" d="M{self._left:.2f} {at:.2f}H{right:.2f}"/>')
            end, anchor = (self._left + 6, "start") if left else (right - 4, "end")
            self._over.append(_text(end, at + (14 if below else -5), label, anchor, f"note k-{kind}"))

    # -- layout -----------------------------------------------------------------------------------------------

    @property
    def _left(self) -> float:
        return MARGIN_LEFT

    @property
    def _inner_width(self) -> float:
        return self.width - MARGIN_LEFT - MARGIN_RIGHT

    @property
    def _top(self) -> float:
        return TOP + LEGEND_ROW  # the legend's row is kept free, so that charts side by side line up

    @property
    def _bottom(self) -> float:
        return self.height - MARGIN_BOTTOM

    def _place(self, x: Array, y: Array) -> Array:
        """Pixel coordinates (n, 2); a little beyond the frame at most, so that clipped lines keep their slope."""
        px = self._left + self.x.share(x) * self._inner_width
        py = self._bottom - self.y.share(y) * (self._bottom - self._top)
        return np.stack((np.clip(px, -1e4, 1e4), np.clip(py, -1e4, 1e4)), axis=-1)

    def _name(self, name: str, kind: str, sample: str) -> None:
        if name and (name, kind, sample) not in self._legend:
            self._legend.append((name, kind, sample))

    # -- output -----------------------------------------------------------------------------------------------

    def svg(self) -> str:
        """The chart as an `<svg>` element."""
        clip = f"c{abs(hash_text(self.description + self.x.label + self.y.label)):x}"
        frame = (
            f'x="{self._left:.2f}" y="{self._top:.2f}" width="{self._inner_width:.2f}" '
            f'height="{self._bottom - self._top:.2f}"'
        )
        return "".join(
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {self.width:g} {self.height:g}" '
                f'style="max-width:{1.1 * self.width:.0f}px" '
                f'role="img" aria-label="{escape(self.description)}">',
                f'<clipPath id="{clip}"><rect {frame}/></clipPath>',
                *self._axes(),
                f'<g clip-path="url(#{clip})">{"".join(self._marks)}</g>',
                *self._over,
                *self._legend_entries(),
                "</svg>",
            )
        )

    def _axes(self) -> list[str]:
        out = []
        right = self._left + self._inner_width
        for value in self.x.ticks:
            at = self._left + float(self.x.share(value)) * self._inner_width
            out.append(f'<path class="grid" d="M{at:.2f} {self._top:.2f}V{self._bottom:.2f}"/>')
            out.append(_text(at, self._bottom + 16, self.x.text(value), "middle", "tick"))
        for value in self.y.ticks:
            at = self._bottom - float(self.y.share(value)) * (self._bottom - self._top)
            out.append(f'<path class="grid" d="M{self._left:.2f} {at:.2f}H{right:.2f}"/>')
            out.append(_text(self._left - 7, at + 4, self.y.text(value), "end", "tick"))
        out.append(f'<path class="axis" d="M{self._left:.2f} {self._top:.2f}V{self._bottom:.2f}H{right:.2f}"/>')
        centre = self._left + 0.5 * self._inner_width
        out.append(_text(centre, self.height - 8, self.x.label, "middle", "label"))
        middle = 0.5 * (self._top + self._bottom)
        out.append(
            f'<text class="label" text-anchor="middle" transform="translate(13 {middle:.2f}) rotate(-90)">'
            f"{escape(self.y.label)}</text>"
        )
        return out

    def _legend_entries(self) -> list[str]:
        out, at = [], self._left
        for name, kind, sample in self._legend:
            middle = TOP + 4
            if sample == "line":
                out.append(f'<path class="line k-{kind}" d="M{at:.2f} {middle:.2f}h22"/>')
            else:
                out.append(f'<circle class="dot k-{kind}" cx="{at + 11:.2f}" cy="{middle:.2f}" r="3"/>')
            out.append(_text(at + 28, middle + 4, name, "start", "tick"))
            at += 28 + CHARACTER * len(name) + 14
        return out


def ecdf(values: ArrayLike) -> tuple[Array, Array]:
    """Points (x, share) of the empirical distribution of numbers, to be drawn as steps.

    NaN stands for an episode that has no number: shares refer to all, so that the curve of a policy that fails in 2 %
    of its episodes ends at 98 %.
    """
    data = np.asarray(values, dtype=np.float64)
    finite = np.sort(data[np.isfinite(data)])
    if not finite.size:
        return np.zeros(0), np.zeros(0)
    return np.concatenate((finite[:1], finite)), np.arange(finite.size + 1) / data.size


def hash_text(text: str) -> int:
    """A number that is the same for equal text in every process."""
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 % 2**32
    return value


def _runs(points: Array) -> list[Array]:
    """Stretches of finite points, at least two long."""
    good = np.isfinite(points).all(axis=1)
    parts = np.split(points, np.flatnonzero(np.diff(good.astype(np.int8))) + 1) if len(points) else []
    return [p for p in parts if len(p) > 1 and np.isfinite(p).all()]


def _text(x: float, y: float, content: str, anchor: str, cls: str) -> str:
    return f'<text class="{cls}" x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}">{escape(content)}</text>'
