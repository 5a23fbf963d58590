"""The expert of WeldMultipass: a layer planner that goes by the area that is left."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows
from . import heat
from .arc import SOURCE_RESISTANCE
from .consumables import STEEL_DENSITY
from .electrode import GLOBULAR_EFFICIENCY, current_for_feed
from .gap_fill_work import MM_S_PER_M_MIN
from .multipass_terms import PROFILE_MM
from .multipass_weld import CTWD_MM, WIRE, WORK

Array = NDArray[np.float64]

FEED_M_MIN, INTERPASS_C = 8.5, 150.0
LAYER_MM, CAP_MM = 3.2, 1.0  # height of a layer, and of the cap over the plate
LOW_MM = 1.2  # faces this much above the lowest belong to the same layer
SINGLE_MM = 11.0  # width that one bead fills with a weave
BESIDE_MM = 4.0  # middle of a bead from the wall or bead that it leans on
T85_S = (6.0, 20.0)


class MultipassExpert:
    """Fills the groove layer by layer, from the left, and caps it.

    The lowest part of the face that the scan shows is filled next: in one bead with a weave where one reaches from wall
    to wall, else with a bead beside what stands to its left. The speed follows from the height of the layer, within
    what the cooling time of EN 1011-2 allows at the temperature of the weld.

    Args:
        thickness_mm: of the plates.
    """

    privileged = False

    def __init__(self, thickness_mm: float):
        self.thickness_mm = thickness_mm
        feed = MM_S_PER_M_MIN * FEED_M_MIN
        one = np.ones(1)
        self._current = float(current_for_feed(feed * one, (CTWD_MM - 3.0) * one, WIRE.alpha * one, WIRE.beta * one)[0])
        source = float(WORK.source_voltage(FEED_M_MIN * one, 0.0 * one)[0])
        self._voltage = source - SOURCE_RESISTANCE * self._current
        self._metal = feed * WIRE.density_g_mm / STEEL_DENSITY * GLOBULAR_EFFICIENCY  # mm^3/s

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between beads."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """The next bead."""
        face, half = readings["section"], readings["fit_up"][:, 2]
        inside = np.abs(PROFILE_MM) <= (half - 0.5)[:, None]
        lowest = np.where(inside, face, 1e3).min(axis=1)
        low = inside & (face <= (lowest + LOW_MM)[:, None])
        left = np.argmax(low, axis=1)
        # the first run of low places
        ended = ~low & (np.arange(PROFILE_MM.size) > left[:, None])
        right = np.where(ended.any(axis=1), np.argmax(ended, axis=1), PROFILE_MM.size) - 1
        start, end = PROFILE_MM[left] - 0.5, PROFILE_MM[right] + 0.5
        width = end - start
        single = width <= SINGLE_MM
        place = np.where(single, 0.5 * (start + end), start + BESIDE_MM)
        weave = np.where(single, np.clip(0.5 * (width - 6.0), 0.0, 3.0), 1.0)
        height = np.minimum(LAYER_MM, CAP_MM - lowest)
        spread = np.where(single, width + 2.0, 8.0)
        area = np.clip(height * spread, 12.0, 42.0)
        speed = self._within_cooling_time(self._metal / area, np.minimum(readings["temperature"][:, 0], INTERPASS_C))
        n = len(place)
        return np.stack((place, np.full(n, FEED_M_MIN), speed, weave, np.full(n, INTERPASS_C)), axis=1)

    def _within_cooling_time(self, speed: Array, interpass_c: Array) -> Array:
        """Travel speed (n,) nearest to the one wanted whose cooling time lies in the window."""
        speeds = np.linspace(3.0, 12.0, 37)
        q = heat.heat_input(np.array(self._voltage), np.array(self._current), speeds)
        preheat = np.maximum(interpass_c, 20.0)[:, None]
        t85 = heat.cooling_time(q[None, :], preheat, np.array(self.thickness_mm), 0.9, 0.9)
        allowed = (t85 > T85_S[0]) & (t85 < T85_S[1])
        cost = np.abs(speeds - speed[:, None]) + 100.0 * ~allowed
        return speeds[np.argmin(cost, axis=1)]
