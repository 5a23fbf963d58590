"""Acceptance limits as data: what a standard allows of each imperfection at each of its levels.

A limit is `min(base + share * dimension, most)`, of plate thickness t, nominal throat a (nominal butt thickness s) or
width b of the weld; it may be "not permitted", "no limit", and may hold for short imperfections only.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError

Array = NDArray[np.float64]

# What a weld gauge tells: an imperfection that is "not permitted" counts from here on
MEASURABLE_MM = 0.05
THIN_MM = 3.0  # plates up to here have limits of their own
LEAST_THICKNESS_MM = 0.5
DIMENSIONS = ("t", "a", "b")
# Short imperfections (ISO 5817, 3.2): together at most 25 mm in any 100 mm, or a quarter of a shorter weld
SHORT_SHARE, SHORT_WINDOW_MM = 0.25, 100.0


@dataclass(frozen=True)
class Limit:
    """Largest permitted value of an imperfection, or smallest one of a toe angle.

    Attributes:
        base, share, of, most: `min(base + share * dimension, most)`, dimension "t", "a" or "b".
        short: whether only short imperfections may reach it.
        permitted: False if none is permitted at all.
    """

    base: float = 0.0
    share: float = 0.0
    of: str = "t"
    most: float = float("inf")
    short: bool = False
    permitted: bool = True

    def value(self, t: Array, a: Array, b: Array) -> Array:
        """The limit in the unit of the imperfection, broadcast over the dimensions in mm."""
        return np.broadcast_to(self.bound(t, a, b), np.broadcast_shapes(t.shape, a.shape, b.shape))

    def bound(self, t: Array, a: Array, b: Array) -> Array | float:
        """As `value`, in the shape of the dimension that it depends on."""
        if not self.permitted:
            return MEASURABLE_MM
        if self.share == 0.0:
            return min(self.base, self.most)
        bound: Array = self.base + self.share * {"t": t, "a": a, "b": b}[self.of]
        return bound if self.most == float("inf") else np.minimum(bound, self.most)


NONE = Limit(permitted=False)
FREE = Limit(base=float("inf"))


@dataclass(frozen=True)
class Rule:
    """One imperfection.

    Attributes:
        number: ISO 6520-1 reference.
        name: in words.
        quantity: what is measured, a name of `inspection.measure`.
        joints: kinds of joint that it applies to.
        limits: by level, for plates above 3 mm.
        thin: by level, for plates of 0.5 to 3 mm; None where the same limits hold.
        least: whether the limit is a smallest value, as for toe angles.
        unit: of quantity and limit.
    """

    number: str
    name: str
    quantity: str
    joints: tuple[str, ...]
    limits: Mapping[str, Limit]
    thin: Mapping[str, Limit] | None = None
    least: bool = False
    unit: str = "mm"

    def limit(self, level: str, t: Array, a: Array, b: Array) -> Array:
        """The limit at `level`, broadcast over thickness, throat and width in mm."""
        thick = self.limits[level].value(t, a, b)
        if self.thin is None:
            return thick
        return np.where(t > THIN_MM, thick, self.thin[level].value(t, a, b))

    @functools.cached_property
    def limits_length(self) -> bool:
        """Whether some limit is for short imperfections only."""
        return any(limit.short for limits in (self.limits, self.thin or {}) for limit in limits.values())

    def short_only(self, level: str, t: Array) -> NDArray[np.bool_]:
        """Whether the limit at `level` is for short imperfections only, for each thickness."""
        thin = self.limits if self.thin is None else self.thin
        return np.where(t > THIN_MM, self.limits[level].short, thin[level].short)

    def within(self, level: str, measured: Array, t: Array, a: Array, b: Array) -> NDArray[np.bool_]:
        """Whether measured values keep the limit; a value equal to it does."""
        limit = self.limits[level].bound(t, a, b)
        if self.thin is not None:
            thick = t > THIN_MM
            if not thick.all():
                limit = np.where(thick, limit, self.thin[level].bound(t, a, b))
        return measured >= limit if self.least else measured <= limit


@dataclass(frozen=True)
class Standard:
    """A set of rules with its levels.

    Attributes:
        name: for reports.
        levels: strictest first.
        rules: one an imperfection.
        note: what a reader of a report should know.
    """

    name: str
    levels: tuple[str, ...]
    rules: Sequence[Rule]
    note: str = ""

    def grade(self, level: str) -> int:
        """Number of `level`: 0 is rejected, 1 the most lenient, len(levels) the strictest."""
        if level not in self.levels:
            raise ShopfloorError(f"{self.name} has the levels {', '.join(self.levels)}, not {level!r}")
        return len(self.levels) - self.levels.index(level)

    def level(self, grade: int) -> str:
        """Name of a grade; "rejected" for 0."""
        return "rejected" if grade == 0 else self.levels[len(self.levels) - grade]
