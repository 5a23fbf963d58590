"""Settings of a U-cell's procedure by position and gap, qualified on test plates.

As in `gap_fill_table`, but where a gap takes the leg of the standing plate, a welder also aims the wire up that plate;
so the aim is one of the settings. Speed is a share of the procedure's, as in the action.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arc import Parameters
from .inspection import FIT_UP, grade, measure
from .iso5817 import ISO_5817
from .joint import make_joint
from .shipyard import SHIPYARD
from .standard import MEASURABLE_MM
from .steady import steady_bead
from .u_cell_motion import FEED_M_MIN, FEED_SHARE, SHARE, TRAVEL_MM_S, WEAVE_MM
from .u_cell_weld import LEVEL, MM_S_PER_M_MIN, PROCEDURE, ROLL_DEG, SLOPE_DEG, YARD_LEVEL, synergic_voltage

Array = NDArray[np.float64]

GAPS_MM = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
SPEEDS, FEEDS = 24, (0.9, 1.0, 1.1)
AIMS_MM = (0.0, 0.4, 0.8, 1.2, 1.6)
WEAVES_MM = ((0.0,), (0.0,), (2.0, 3.0, WEAVE_MM))  # by seam; only the vertical one is woven
STEADINESS = 0.3  # worth of settings that stay as they are from gap to gap
# What a setting should forgive: gap read wrong by (mm), metal off by, arc beside the aim by (mm), plate (mm)
ERRORS = ((-0.2, 0.2), (0.9, 1.1), (-0.4, 0.4), (8.0, 14.0))


@dataclass(frozen=True)
class PositionTable:
    """Settings over gaps, linear between, of one position.

    Attributes:
        speed, feed: (gaps,) shares of the procedure's.
        weave_mm, aim_mm: (gaps,) amplitude, and lateral aim towards the standing plate.
        forgiven: (gaps,) share of the disturbed test plates that were accepted.
    """

    speed: Array
    feed: Array
    weave_mm: Array
    aim_mm: Array
    forgiven: Array

    def at(self, gap_mm: Array) -> tuple[Array, Array, Array, Array]:
        """Speed, feed, weave and aim for gaps of any shape."""
        gaps = np.array(GAPS_MM)
        return (
            np.interp(gap_mm, gaps, self.speed), np.interp(gap_mm, gaps, self.feed),
            np.interp(gap_mm, gaps, self.weave_mm), np.interp(gap_mm, gaps, self.aim_mm),
        )  # fmt: skip


@functools.cache
def qualify(seam: int) -> PositionTable:
    """The table of one seam's position."""
    settings = np.array(list(itertools.product(np.geomspace(*SHARE, SPEEDS), FEEDS, WEAVES_MM[seam], AIMS_MM)))
    errors = np.array(list(itertools.product(*ERRORS)))
    span = np.array([SHARE[1] - SHARE[0], FEED_SHARE[1] - FEED_SHARE[0], WEAVE_MM, AIMS_MM[-1]])
    best = np.zeros((len(GAPS_MM), 5))
    # from the widest gap, which leaves the least choice
    for k in reversed(range(len(GAPS_MM))):
        share = _accepted(seam, GAPS_MM[k], settings, errors).mean(axis=1)
        merit = settings[:, 0] / SHARE[1]
        if k < len(GAPS_MM) - 1:
            merit = merit - STEADINESS * np.sum(np.abs(settings - best[k + 1, :4])[:, 1:] / span[1:], axis=1)
        order = np.lexsort((merit, share))
        best[k] = (*settings[order[-1]], share[order[-1]])
    return PositionTable(*best.T)


def _accepted(seam: int, gap: float, settings: Array, errors: Array) -> NDArray[np.bool_]:
    """Test plates (settings, errors) accepted by both standards without using up what short lengths are allowed."""
    n = len(settings) * len(errors)
    speed, feed, weave, aim = (np.repeat(settings[:, k], len(errors)) for k in range(4))
    wrong, metal, miss, thickness = (np.tile(errors[:, k], len(settings)) for k in range(4))
    feed = feed * FEED_M_MIN[seam == 2]
    parameters = Parameters(n, PROCEDURE.wire, PROCEDURE.gas)
    joint = make_joint(n, "fillet", thickness, PROCEDURE.throat_mm)
    slices = steady_bead(
        parameters, joint, PROCEDURE.gas.co2_share,
        {
            "wire_feed_mm_s": MM_S_PER_M_MIN * feed * metal, "voltage_v": synergic_voltage(feed, np.zeros(n)),
            "travel_mm_s": speed * TRAVEL_MM_S[seam == 2], "ctwd_mm": PROCEDURE.ctwd_mm, "weave_mm": weave,
            "offset_mm": aim + miss, "gap_mm": np.maximum(gap + wrong, 0.0), "roll_deg": ROLL_DEG[seam],
            "slope_deg": SLOPE_DEG[seam], "travel_angle_deg": -20.0 if seam == 2 else 0.0,
        },
    )  # fmt: skip
    good = grade(slices, joint, ISO_5817, FIT_UP)[:, 0] >= ISO_5817.grade(LEVEL)
    good &= grade(slices, joint, SHIPYARD, FIT_UP)[:, 0] >= SHIPYARD.grade(YARD_LEVEL)
    measured = measure(slices, joint)
    for short in ("throat_short_mm", "leg_short_mm"):
        good &= measured[short][:, 0] <= MEASURABLE_MM
    return good.reshape(len(settings), len(errors))
