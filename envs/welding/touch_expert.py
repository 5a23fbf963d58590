"""The expert of WeldTouchSense: the touch schedule that a robot programmer writes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows
from .touch_fit import BEND, BEND_ALONG, END, FLAT, STICKOUT, WALL
from .touch_motion import CHOICES, CUTTING, DECLARING

Array = NDArray[np.float64]

CHOSEN = 0.3  # what is done next; only the order counts, and a learner that starts from here must get at the others


class TouchExpert:
    """Cut a wire that is not fresh; touch plate, wall, wall, plate and end; again what is in doubt; then declare.

    The three-dimensional search with rotation of the robots' touch-sensing packages: the plate first, so that the wall
    is touched at the right height, the wall at two places for the seam's direction, and the end of the part last, for
    which the wire must find the edge of a plate. Search distances are those of the parts' tolerances. What the fit
    doubts afterwards, as after a touch on mill scale, is touched again at another place.

    Args:
        speed_mm_s: of all searches; the wire bears the overtravel.
        clearance_mm: of touches on the wall from the root.
        threshold: share of the open-circuit voltage.
        enough_mm: doubt across and up at which a joint is declared.
        most: touches after which it is declared whatever the doubt.
    """

    privileged = False

    def __init__(
        self,
        speed_mm_s: float = 20.0,
        clearance_mm: float = 8.0,
        threshold: float = 0.75,
        enough_mm: float = 0.46,
        most: int = 9,
    ):
        self.speed_mm_s, self.clearance_mm, self.threshold = speed_mm_s, clearance_mm, threshold
        self.enough_mm, self.most = enough_mm, most

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """The next entry of the schedule."""
        flat, wall, end = readings["touches"].T
        n = len(flat)
        sigma = 10.0 ** readings["uncertainty"]
        doubt = 10.0 ** readings["doubt"]
        wire = np.maximum(sigma[:, STICKOUT], sigma[:, BEND])
        # the end is judged less strictly, and touched last
        cut = (wire > 0.25) | (sigma[:, BEND_ALONG] > 0.5) & (end < 0.5)
        kind = np.full(n, DECLARING)
        place, stop = np.zeros(n), np.full(n, 17.0)
        # a search that found nothing is made again, from farther away
        more = np.minimum(8.0 * readings["missed"][:, 0], 8.0)
        late = flat + wall + end > self.most - 0.5
        # from the last entry of the schedule to the first, so that the first that is due stays
        for chosen, due, at, way in (
            (FLAT, (doubt[:, 2] > self.enough_mm) & ~late, np.where(flat % 2 < 0.5, -0.6, 0.6), 3.0),
            (WALL, (doubt[:, 1] > self.enough_mm) & ~late, np.where(wall % 2 < 0.5, -0.6, 0.6), 3.0),
            (END, end < 0.5, 0.0, 17.0),
            (FLAT, flat < 1.5, 0.9, 5.0),
            (WALL, wall < 1.5, 0.9, 13.0),
            (WALL, wall < 0.5, -0.9, 22.0),
            (FLAT, flat < 0.5, -0.9, 6.0),
        ):
            kind = np.where(due, chosen, kind)
            place, stop = np.where(due, at, place), np.where(due, way, stop)
        kind = np.where(cut, CUTTING, kind)
        act = np.empty((n, len(CHOICES) + 5))
        act[:, : len(CHOICES)] = np.where(np.arange(len(CHOICES)) == kind[:, None], CHOSEN, -CHOSEN)
        act[:, 5] = place
        act[:, 6] = self.speed_mm_s
        act[:, 7] = stop + more
        # as long as nobody knows where the wall is, the plate is touched well away from it
        act[:, 8] = np.where((kind == FLAT) & (wall < 0.5), 20.0, self.clearance_mm)
        act[:, 9] = self.threshold
        return act
