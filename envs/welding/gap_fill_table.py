"""The table of a welding procedure specification: settings by gap, qualified on test plates.

A welding engineer welds test plates with spacers of known gap under settings of a grid, has them inspected, and keeps
for each gap the setting that forgives most; of those that forgive alike, a fast one whose feed is near that of the next
gap, since feed follows more slowly than the carriage. The test plates are `steady_bead`, with the process as it is
meant to be: no scatter between machines, wires and plates.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arc import Parameters
from .gap_fill_work import MM_S_PER_M_MIN, TRAVEL_MM_S, Work
from .inspection import FIT_UP, grade, measure
from .iso5817 import ISO_5817
from .joint import BUTT
from .standard import MEASURABLE_MM
from .steady import steady_bead

Array = NDArray[np.float64]

KNOTS = 5  # gaps for which settings are qualified
STEADINESS = 2.0  # worth of a feed that stays over that of speed
FEEDS, SPEEDS, WEAVES_MM = 9, 14, (0.0, 1.5, 3.0)
# What a setting should forgive: gap read wrong by (mm), deposit off by, arc beside the root by (mm), plates at (degC)
GAP_ERRORS_MM, DEPOSIT_ERRORS, AIM_ERRORS_MM, PLATES_C = (
    (-0.25, 0.0, 0.25),
    (0.95, 1.0, 1.05),
    (-0.3, 0.3),
    (20.0, 80.0),
)


@dataclass(frozen=True)
class ProcedureTable:
    """Settings over gaps, linear between.

    Attributes:
        gap_mm: (KNOTS,) qualified gaps.
        feed_m_min, travel_mm_s, weave_mm: (KNOTS,) settings.
        forgiven: (KNOTS,) share of the disturbed test plates that were accepted.
    """

    gap_mm: Array
    feed_m_min: Array
    travel_mm_s: Array
    weave_mm: Array
    forgiven: Array

    def at(self, gap_mm: Array) -> tuple[Array, Array, Array]:
        """Wire feed, travel speed and weave for gaps of any shape."""
        return (
            np.interp(gap_mm, self.gap_mm, self.feed_m_min),
            np.interp(gap_mm, self.gap_mm, self.travel_mm_s),
            np.interp(gap_mm, self.gap_mm, self.weave_mm),
        )


@functools.cache
def qualify(work: Work, level: str) -> ProcedureTable:
    """The table for one kind of work at a quality level of ISO 5817."""
    feeds = np.linspace(*work.feed_m_min, FEEDS)
    speeds = np.geomspace(*TRAVEL_MM_S, SPEEDS)
    settings = np.array(list(itertools.product(feeds, speeds, WEAVES_MM)))
    errors = np.array(list(itertools.product(GAP_ERRORS_MM, DEPOSIT_ERRORS, AIM_ERRORS_MM, PLATES_C)))
    gaps = np.linspace(*work.gap_mm, KNOTS)
    best = np.zeros((KNOTS, 4))
    span = feeds[-1] - feeds[0]
    # from the widest gap, which leaves the least choice
    for k in reversed(range(KNOTS)):
        share = _accepted(work, level, float(gaps[k]), settings, errors).mean(axis=1)
        merit = settings[:, 1] / TRAVEL_MM_S[1]
        if k < KNOTS - 1:
            merit = merit - STEADINESS * np.abs(settings[:, 0] - best[k + 1, 0]) / span
        order = np.lexsort((merit, share))
        best[k] = (*settings[order[-1]], share[order[-1]])
    return ProcedureTable(gaps, *best.T)


def _accepted(work: Work, level: str, gap: float, settings: Array, errors: Array) -> NDArray[np.bool_]:
    """Test plates (settings, errors) that reach the level without using up what it allows over short lengths."""
    n = len(settings) * len(errors)
    feed, travel, weave = (np.repeat(settings[:, k], len(errors)) for k in range(3))
    wrong, deposit, aim, plate = (np.tile(errors[:, k], len(settings)) for k in range(4))
    parameters = Parameters(n, work.wire, work.gas)
    parameters.efficiency_factor[:] = deposit
    slices = steady_bead(
        parameters, work.joint(n), work.gas.co2_share,
        {
            "wire_feed_mm_s": MM_S_PER_M_MIN * feed, "voltage_v": work.source_voltage(feed, np.zeros(n)),
            "travel_mm_s": travel, "ctwd_mm": work.ctwd_mm, "weave_mm": weave, "offset_mm": aim,
            "gap_mm": np.maximum(gap + wrong, 0.0), "roll_deg": work.roll_deg, "plate_c": plate,
        },
    )  # fmt: skip
    joint = work.joint(n)
    good = grade(slices, joint, ISO_5817, FIT_UP)[:, 0] >= ISO_5817.grade(level)
    measured = measure(slices, joint)
    short = "underfill_mm" if work.kind == BUTT else "throat_short_mm"
    good &= measured[short][:, 0] <= MEASURABLE_MM
    return good.reshape(len(settings), len(errors))
