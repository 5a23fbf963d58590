"""Inspection of a finished bead: what a surveyor measures, how each millimetre grades, and the report.

`measure` turns frozen slices into the quantities that a standard limits, `grade` grades every slice of n rows, and
`inspect` writes the report of one weld, with the rule that short imperfections must stay short.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from .iso5817 import ISO_5817
from .joint import BUTT, Joint
from .shipyard import GAP_FREE_MM, GAP_LIMIT_MM
from .slices import COLUMN, Slices
from .standard import (
    LEAST_THICKNESS_MM,
    MEASURABLE_MM,
    SHORT_SHARE,
    SHORT_WINDOW_MM,
    Rule,
    Standard,
)

Array = NDArray[np.float64]
Quantities = NDArray[np.floating[Any]]

# Quantities that are limited as they were frozen
_DIRECT = (
    "pore_mm", "crater_mm", "lack_of_fusion_mm", "undercut_mm", "overlap_mm", "burn_through_mm", "toe_angle_deg",
)  # fmt: skip
_DIRECT_BUTT = ("incomplete_root_mm", "reinforcement_mm", "excess_root_mm", "mismatch_mm", "underfill_mm")
_DIRECT_FILLET = ("convexity_mm", "gap_mm")
# Imperfections of the fit-up, which were there before the arc: what a judgement of the welding alone leaves out. ISO
# 5817 says of the gap that a larger throat may make up for it.
FIT_UP = ("507", "617")
# Area below which a slice is no weld
NO_WELD_MM2 = 1e-2


def measure(slices: Mapping[str, Quantities] | Slices, joint: Joint) -> dict[str, Array]:
    """Quantities that a standard limits.

    Args:
        slices: quantities (n, k) by name, such as `Slices`.
        joint: of the n rows.

    Returns:
        Arrays (n, k) by the names that `Rule.quantity` uses, and "width_mm". Where nothing was welded the throat, the
        leg or the groove is short by all of it.
    """
    names = _DIRECT + (_DIRECT_BUTT if joint.kind == BUTT else _DIRECT_FILLET)
    found = {name: np.asarray(slices[name], dtype=np.float64) for name in (*names, "width_mm")}
    bare = np.asarray(slices["deposit_mm2"], dtype=np.float64) < NO_WELD_MM2
    found["toe_angle_deg"] = np.where(bare, 180.0, found["toe_angle_deg"])
    if joint.kind == BUTT:
        found["underfill_mm"] = np.where(bare, joint.thickness_mm[:, None], found["underfill_mm"])
        return found
    design = joint.throat_mm[:, None]
    throat, leg_1, leg_2 = (np.asarray(slices[k], dtype=np.float64) for k in ("throat_mm", "leg_1_mm", "leg_2_mm"))
    least = np.minimum(leg_1, leg_2)
    gap = found["gap_mm"]
    found["asymmetry_mm"] = np.abs(leg_1 - leg_2)
    found["throat_short_mm"] = np.maximum(design - throat, 0.0)
    found["throat_over_mm"] = np.maximum(throat + np.maximum(found["convexity_mm"], 0.0) - design, 0.0)
    found["leg_short_mm"] = np.maximum(math.sqrt(2.0) * design - least, 0.0)
    enlarged = math.sqrt(2.0) * design + gap - GAP_FREE_MM
    found["gap_leg_short_mm"] = np.where(gap > GAP_LIMIT_MM, np.maximum(enlarged - least, 0.0), 0.0)
    return found


def rules_of(
    standard: Standard, joint: Joint, measured: Mapping[str, Array], without: Collection[str] = ()
) -> list[Rule]:
    """Rules of a standard for a kind of joint whose quantities are measured, but for the numbers to leave out."""
    rules = [r for r in standard.rules if joint.kind in r.joints]
    unknown = set(without) - {r.number for r in standard.rules}
    if unknown:
        raise ShopfloorError(f"{standard.name} has no rule {', '.join(sorted(unknown))} to leave out")
    return [r for r in rules if r.quantity in measured and r.number not in without]


def _dimensions(joint: Joint, measured: Mapping[str, Array]) -> tuple[Array, Array, Array]:
    """Thickness, throat and width that limits depend on, broadcast against (n, k)."""
    thickness, throat = joint.thickness_mm, joint.throat_mm
    thinnest = float(thickness.min())
    if thinnest < LEAST_THICKNESS_MM:
        raise ShopfloorError(f"limits begin at {LEAST_THICKNESS_MM} mm of plate, the joint has {thinnest:g} mm")
    if (thickness == thinnest).all() and (throat == throat[0]).all():
        # rows alike have one limit
        thickness, throat = thickness[:1], throat[:1]
    return thickness[:, None], throat[:, None], measured["width_mm"]


def grade_rule(rule: Rule, standard: Standard, joint: Joint, measured: Mapping[str, Array]) -> NDArray[np.int8]:
    """Grade (n, k) of one imperfection in every slice: 0 rejected, len(levels) the strictest level."""
    return _grade((rule,), standard, measured, _dimensions(joint, measured))


def _grade(
    rules: Sequence[Rule], standard: Standard, measured: Mapping[str, Array], dimensions: tuple[Array, Array, Array]
) -> NDArray[np.int8]:
    """Grade (n, k) of the worst of some imperfections."""
    shape = measured["width_mm"].shape
    grades, kept = np.zeros(shape, dtype=np.int8), np.ones(shape, dtype=bool)
    for level in reversed(standard.levels):
        # a level counts only if every more lenient one is kept
        for rule in rules:
            kept &= rule.within(level, measured[rule.quantity], *dimensions)
        grades += kept
    return grades


def grade(
    slices: Mapping[str, Quantities] | Slices,
    joint: Joint,
    standard: Standard = ISO_5817,
    without: Collection[str] = (),
) -> NDArray[np.int8]:
    """Grade (n, k) of every slice by its own: the worst of its imperfections, short ones at their limit included.

    Args:
        slices: quantities (n, k); those not frozen yet grade as missing weld.
        joint: of the n rows.
        standard: with len(levels) grades above "rejected".
        without: ISO 6520-1 numbers to leave out, such as `FIT_UP`.
    """
    measured = measure(slices, joint)
    return _grade(rules_of(standard, joint, measured, without), standard, measured, _dimensions(joint, measured))


def lasting(
    slices: Mapping[str, Quantities] | Slices,
    joint: Joint,
    level: str,
    standard: Standard = ISO_5817,
    without: Collection[str] = (),
) -> NDArray[np.bool_]:
    """Slices (n, k) that keep a level over any length: what is permitted over short lengths only does not count.

    Args:
        slices, joint, without: as of `grade`.
        level: of `standard`.
    """
    measured = measure(slices, joint)
    dimensions = _dimensions(joint, measured)
    rules = rules_of(standard, joint, measured, without)
    kept = np.ones(measured["width_mm"].shape, dtype=bool)
    for lenient in standard.levels[-standard.grade(level) :]:
        for rule in rules:
            kept &= rule.within(lenient, measured[rule.quantity], *dimensions)
    for rule in rules:
        if rule.limits_length:
            short_only = rule.short_only(level, dimensions[0])
            kept &= ~(short_only & (measured[rule.quantity] > MEASURABLE_MM))
    return kept


def crowded(imperfect: NDArray[np.bool_], slice_mm: float) -> NDArray[np.bool_]:
    """Imperfect slices (..., k) that are no longer short: more than 25 mm in some 100 mm around them.

    Args:
        imperfect: slices with the imperfection, in order along the last axis.
        slice_mm: length of a slice.
    """
    count = imperfect.shape[-1]
    window = min(max(round(SHORT_WINDOW_MM / slice_mm), 1), count)
    allowed = SHORT_SHARE * window * slice_mm
    sums = np.zeros((*imperfect.shape[:-1], count + 1), dtype=np.int64)
    np.cumsum(imperfect, axis=-1, out=sums[..., 1:])
    too_many = (sums[..., window:] - sums[..., :-window]) * slice_mm > allowed + 1e-9
    # slices covered by a window that has too many
    edges = np.zeros_like(sums)
    edges[..., : count + 1 - window] += too_many
    edges[..., window:] -= too_many
    return imperfect & (np.cumsum(edges, axis=-1)[..., :-1] > 0)


def grade_welds(
    slices: Mapping[str, Quantities] | Slices,
    joint: Joint,
    slice_mm: float,
    standard: Standard = ISO_5817,
    without: Collection[str] = (),
) -> NDArray[np.int8]:
    """Grade (n,) of n whole welds, as `inspect` finds it, short imperfections that are no longer short included.

    Args:
        slices: quantities (n, k) of all slices of the welds.
        joint: of the n rows.
        slice_mm: length of a slice.
        standard: with len(levels) grades above "rejected".
        without: ISO 6520-1 numbers to leave out, such as `FIT_UP`.
    """
    measured = measure(slices, joint)
    rules = rules_of(standard, joint, measured, without)
    grades: NDArray[np.int8] = _grade(rules, standard, measured, _dimensions(joint, measured)).min(axis=1)
    for rule in rules:
        if rule.limits_length and (measured[rule.quantity] > MEASURABLE_MM).any():
            np.minimum(grades, _with_length(rule, standard, joint, measured, slice_mm).min(axis=1), out=grades)
    return grades


@dataclass(frozen=True)
class Imperfection:
    """One line of the report: an imperfection over a stretch of the weld.

    Attributes:
        number: ISO 6520-1 reference.
        name: in words.
        start_mm, end_mm: along the weld.
        worst: measured value that is furthest from acceptable.
        unit: of it.
        limit: at the required level, where the worst value is; None if none is permitted or there is no limit.
        level: the level that the stretch still meets, "rejected" if none.
        accepted: whether that is the required level or better.
    """

    number: str
    name: str
    start_mm: float
    end_mm: float
    worst: float
    unit: str
    limit: float | None
    level: str
    accepted: bool


@dataclass(frozen=True)
class Report:
    """The inspection of one weld, plain data.

    Attributes:
        standard, required: by which it was inspected, and the level the drawing asks for.
        joint, thickness_mm, throat_mm: what was welded.
        length_mm, slice_mm: inspected.
        level: that the whole weld meets.
        accepted: whether that is the required level or better.
        grades: of each slice, 0 rejected; `levels` names them from 1 upwards.
        levels: from the most lenient to the strictest.
        share: share of the length that meets each level.
        imperfections: below the strictest level, by place.
        figures: means over the welded slices, by quantity.
        not_inspected: ISO 6520-1 numbers that the model does not know, or that were left out.
        note: of the standard.
    """

    standard: str
    required: str
    joint: str
    thickness_mm: float
    throat_mm: float
    length_mm: float
    slice_mm: float
    level: str
    accepted: bool
    grades: tuple[int, ...]
    levels: tuple[str, ...]
    share: dict[str, float]
    imperfections: tuple[Imperfection, ...]
    figures: dict[str, float]
    not_inspected: tuple[str, ...]
    note: str

    def to_dict(self) -> dict[str, Any]:
        """The report as nested dictionaries and lists of plain values."""
        return asdict(self)


FIGURES = ("throat_mm", "leg_1_mm", "leg_2_mm", "heat_kj_mm", "t85_s", "current_a", "voltage_v", "travel_mm_s")


def inspect(
    slices: Slices,
    joint: Joint,
    row: int = 0,
    standard: Standard = ISO_5817,
    required: str | None = None,
    start_mm: float = 0.0,
    end_mm: float | None = None,
    without: Collection[str] = (),
) -> Report:
    """Inspect the weld of one row.

    Args:
        slices: frozen slices; those not frozen within the inspected length count as missing weld.
        joint: of all rows.
        row: which weld.
        standard, required: by what and to which level; default the middle level of three, ISO 5817-C.
        start_mm, end_mm: inspected length; default the whole seam.
        without: ISO 6520-1 numbers to leave out, such as `FIT_UP`; the report lists them as not inspected.

    Raises:
        ShopfloorError: for an unknown level, or a length outside the seam.
    """
    required = standard.levels[1] if required is None else required
    needed = standard.grade(required)
    size = slices.slice_mm
    first, last = round(start_mm / size), slices.count if end_mm is None else round(end_mm / size)
    if not 0 <= first < last <= slices.count:
        raise ShopfloorError(
            f"cannot inspect {start_mm:g} to {end_mm or slices.count * size:g} mm of a seam of "
            f"{slices.count * size:g} mm; give a stretch inside it"
        )
    here: dict[str, Quantities] = {name: slices[name][row : row + 1, first:last] for name in _needed(joint)}
    one = joint.of(np.array([row]))
    measured = measure(here, one)
    rules = rules_of(standard, one, measured, without)
    grades = np.full(last - first, len(standard.levels), dtype=np.int8)
    lines: list[Imperfection] = []
    for rule in rules:
        graded = _with_length(rule, standard, one, measured, size)[0]
        np.minimum(grades, graded, out=grades)
        lines += _lines(rule, standard, needed, one, measured, graded, first * size, size)
    found = int(grades.min())
    names = tuple(reversed(standard.levels))
    welded = here["deposit_mm2"][0] >= NO_WELD_MM2
    return Report(
        standard=standard.name,
        required=required,
        joint=joint.kind,
        thickness_mm=float(one.thickness_mm[0]),
        throat_mm=float(one.throat_mm[0]),
        length_mm=(last - first) * size,
        slice_mm=size,
        level=standard.level(found),
        accepted=found >= needed,
        grades=tuple(int(g) for g in grades),
        levels=names,
        share={name: float(np.mean(grades >= k + 1)) for k, name in enumerate(names)},
        imperfections=tuple(sorted(lines, key=lambda line: (line.start_mm, line.number))),
        figures={k: float(here[k][0][welded].mean()) if welded.any() else 0.0 for k in FIGURES},
        not_inspected=tuple(
            sorted({r.number for r in standard.rules if joint.kind in r.joints} - {r.number for r in rules})
        ),
        note=standard.note,
    )


@dataclass(frozen=True)
class Stretch:
    """A length of one row's weld that is inspected as one.

    Attributes:
        slices, joint: of all rows.
        row: which weld.
        start_mm, end_mm: along the slices.
    """

    slices: Slices
    joint: Joint
    row: int
    start_mm: float
    end_mm: float

    def report(
        self, standard: Standard = ISO_5817, required: str | None = None, without: Collection[str] = FIT_UP
    ) -> Report:
        """Inspection of the stretch, as of `inspect`; by default without the fit-up, which no welder answers for."""
        return inspect(
            self.slices, self.joint, self.row, standard, required, self.start_mm, self.end_mm, without=without
        )

    def quantities(self) -> dict[str, NDArray[np.float32]]:
        """Every quantity (k,) of the slices of the stretch, by name."""
        size = self.slices.slice_mm
        here = slice(round(self.start_mm / size), round(self.end_mm / size))
        return {name: self.slices[name][self.row, here].copy() for name in COLUMN}


def _needed(joint: Joint) -> tuple[str, ...]:
    kind = _DIRECT_BUTT if joint.kind == BUTT else _DIRECT_FILLET
    return tuple(dict.fromkeys((*_DIRECT, *kind, "width_mm", "deposit_mm2", *FIGURES)))


def _with_length(
    rule: Rule, standard: Standard, joint: Joint, measured: Mapping[str, Array], slice_mm: float
) -> NDArray[np.int8]:
    """Grades (n, k) of one imperfection, where a limit for short imperfections fails longer ones."""
    graded = grade_rule(rule, standard, joint, measured)
    if not rule.limits_length:
        return graded
    long = crowded(measured[rule.quantity] > MEASURABLE_MM, slice_mm)
    for level in reversed(standard.levels):
        fails = long & rule.short_only(level, joint.thickness_mm)[:, None]
        graded = np.where(fails, np.minimum(graded, standard.grade(level) - 1), graded).astype(np.int8)
    return graded


def _lines(
    rule: Rule,
    standard: Standard,
    needed: int,
    joint: Joint,
    measured: Mapping[str, Array],
    graded: NDArray[np.int8],
    origin_mm: float,
    slice_mm: float,
) -> list[Imperfection]:
    """Report lines of one imperfection: each stretch of slices with one grade below the strictest."""
    value = measured[rule.quantity][0]
    limit = rule.limit(standard.level(needed), *_dimensions(joint, measured))[0]
    permitted = limit > MEASURABLE_MM
    edges = np.flatnonzero(np.diff(graded, prepend=-1, append=-1))
    lines = []
    for start, end in itertools.pairwise(edges.tolist()):
        reached = int(graded[start])
        if reached == len(standard.levels):
            continue
        stretch = value[start:end]
        at = start + int(np.argmin(stretch) if rule.least else np.argmax(stretch))
        bound = float(limit[at]) if permitted[at] and math.isfinite(limit[at]) else None
        lines.append(
            Imperfection(
                number=rule.number,
                name=rule.name,
                start_mm=float(origin_mm + start * slice_mm),
                end_mm=float(origin_mm + end * slice_mm),
                worst=float(value[at]),
                unit=rule.unit,
                limit=bound,
                level=standard.level(reached),
                accepted=reached >= needed,
            )
        )
    return lines
