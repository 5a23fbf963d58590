"""The oracle of WeldGapFill: a table that was qualified on the very machine, and looked up with the true gap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows
from .arc import Parameters
from .gap_fill_bench import Bench
from .gap_fill_work import MM_S_PER_M_MIN, TRAVEL_MM_S, WEAVE_MM
from .inspection import FIT_UP
from .joint import BUTT, FILLET, LAP
from .reserve import reserve
from .steady import steady_bead

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

KNOTS = 9  # gaps for which settings are sought
FEEDS, SPEEDS = 10, 30
# Reserve in steps that is given up for a speed e times as high. A fillet over a wide gap has none to give; sheet has.
SPEED_WORTH = {FILLET: 0.5, LAP: 3.0, BUTT: 3.0}
# Spread of reserve over which settings are averaged: the mean of good ones lies within them and moves with the machine,
# where the best of a grid jumps.
SPREAD = 0.15
AHEAD_MM = (0.0, 3.0, 6.0)  # places of which the widest gap counts
WEAVE = 0.5 * WEAVE_MM
ROWS_AT_ONCE = 16


class GapFillOracle:
    """Feed and speed that stay furthest from every limit of inspection, for this machine and the true gap.

    It knows what no controller can: how much metal arrives, distance and aim of the torch, the temperature of the
    plates, the gap. For the weld of an episode it tries all settings of a grid on test plates (`steady_bead`) of that
    machine and keeps, for each gap, the mean of those with the largest reserve. Weave and trim stay: what they could
    add is little, and a setting that moves less is easier to learn from.

    Args:
        level: of ISO 5817 that the weld has to reach.
    """

    privileged = True

    def __init__(self, level: str):
        self.level = level
        self._settings: Array = np.zeros((0, KNOTS, 2))

    def reset(self, s: Rows, rows: RowIndex) -> None:
        """Qualify the table of the machines of `rows`."""
        bench: Bench = s.welder
        if len(self._settings) != s.n:
            self._settings = np.zeros((s.n, KNOTS, 2))
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            self._settings[some] = self._qualify(s, bench, some)

    def _qualify(self, s: Rows, bench: Bench, rows: RowIndex) -> Array:
        """Feed and speed (m, KNOTS, 2)."""
        work = bench.work
        gaps = np.linspace(*work.gap_mm, KNOTS)
        feeds, speeds = np.linspace(*work.feed_m_min, FEEDS), np.geomspace(*TRAVEL_MM_S, SPEEDS)
        shape = (rows.size, KNOTS, FEEDS, SPEEDS)

        def full(values: Array, axis: int) -> Array:
            at = [1] * len(shape)
            at[axis] = -1
            return np.broadcast_to(values.reshape(at), shape).reshape(-1)

        feed, speed, gap = full(feeds, 2), full(speeds, 3), full(gaps, 1)
        n = feed.size
        owner = np.repeat(rows, n // rows.size)
        parameters: Parameters = bench.process.parameters.of(owner)
        joint = work.joint(n)
        slices = steady_bead(
            parameters, joint, work.gas.co2_share,
            {
                "wire_feed_mm_s": MM_S_PER_M_MIN * feed * (1.0 - s.feed_slip[owner]),
                "voltage_v": work.source_voltage(feed, np.zeros(n)), "travel_mm_s": speed,
                "ctwd_mm": work.ctwd_mm + s.distance_error[owner], "weave_mm": WEAVE,
                "offset_mm": s.aim[owner], "gap_mm": gap, "roll_deg": work.roll_deg, "plate_c": s.plate[owner],
            },
        )  # fmt: skip
        merit = reserve(slices, joint, self.level, FIT_UP)[:, 0] + SPEED_WORTH[work.kind] * np.log(speed)
        merit = merit.reshape(rows.size, KNOTS, -1)
        weight = np.exp((merit - merit.max(axis=2, keepdims=True)) / SPREAD)
        weight /= weight.sum(axis=2, keepdims=True)
        mean = [weight @ np.broadcast_to(x, (FEEDS, SPEEDS)).reshape(-1) for x in (feeds[:, None], speeds)]
        return np.stack(mean, axis=2)

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """Set-points for the widest gap that the arc meets soon."""
        bench: Bench = s.welder
        low, high = bench.work.gap_mm
        at = bench.process.travelled_mm
        gap = np.max([bench.fit_up.at(at + ahead) for ahead in AHEAD_MM], axis=0)
        place = np.clip((gap - low) / (high - low), 0.0, 1.0) * (KNOTS - 1)
        left = np.minimum(place.astype(np.intp), KNOTS - 2)
        share = (place - left)[:, None]
        row = np.arange(s.n)
        feed, speed = (self._settings[row, left] * (1.0 - share) + self._settings[row, left + 1] * share).T
        return np.stack((feed, speed, np.zeros(s.n), np.full(s.n, WEAVE)), axis=1)
