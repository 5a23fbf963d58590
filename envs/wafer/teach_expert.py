"""The recipe that an equipment engineer programs for auto-teaching: coarse and fast, then fine, slow and repeated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows

Array = NDArray[np.float64]


CHOSEN = 0.3  # what is done next; only the order counts, and a learner that starts from here must get at the others


class TeachExpert:
    """Coarse passes of the pin, coarse touches at three places, fine touches, fine passes; then declare.

    One recipe for all machines, sized for the worst: the fine passes are slow enough for the slowest input and as many
    out as in, so that play cancels; the threshold is above the friction of the worst drive. Reads how many probes have
    been made, and nothing else.

    Args:
        coarse_mm_s: speed of the first pass in either direction.
        fine_mm_s: speed of the others.
        passes: sweeps in all, even.
        touch_mm_s: search speeds of the first three touches and of the others.
        touches: in all.
        threshold: N.
    """

    privileged = False

    def __init__(
        self,
        coarse_mm_s: float = 100.0,
        fine_mm_s: float = 25.0,
        passes: int = 6,
        touch_mm_s: tuple[float, float] = (6.0, 3.0),
        touches: int = 6,
        threshold: float = 0.50,
    ):
        self.coarse_mm_s, self.fine_mm_s, self.passes = coarse_mm_s, fine_mm_s, passes
        self.touch_mm_s, self.touches, self.threshold = touch_mm_s, touches, threshold

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """The next entry of the recipe."""
        sweeps, touches = readings["sweeps"][:, 0], readings["touches"][:, 0]
        first = sweeps < 1.5
        touch = ~first & (touches < self.touches - 0.5)
        more = ~first & ~touch & (sweeps < self.passes - 0.5)
        # a full turn in three, the second round between the places of the first
        angle = 2.0 * np.pi / 3.0 * touches + np.where(touches > 2.5, np.pi / 3.0, 0.0)
        n = len(sweeps)
        act = np.empty((n, 8))
        act[:, 0] = np.where(first | more, CHOSEN, -CHOSEN)
        act[:, 1] = np.where(touch, CHOSEN, -CHOSEN)
        act[:, 2] = np.where(first | more | touch, -CHOSEN, CHOSEN)
        act[:, 3] = np.where(first, self.coarse_mm_s, self.fine_mm_s)
        act[:, 4] = np.where(touches < 2.5, self.touch_mm_s[0], self.touch_mm_s[1])
        act[:, 5] = self.threshold
        act[:, 6], act[:, 7] = np.cos(angle), np.sin(angle)
        return act
