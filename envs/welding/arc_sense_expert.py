"""The scripted expert of WeldArcSense: weave-synchronous arc tracking as robot makers offer it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows

Array = NDArray[np.float64]

SWING_A_MM = 17.0  # A of swing for a mm of lateral deviation, at the procedure's current and weave
MEAN_A_MM = -5.0  # A of mean current for a mm of distance
DEADBAND_A = 1.0
TACK_A = 7.0  # mean current over its reference that no change of height makes so fast: a tack
STILL = 0.6  # mm/s


class ArcTracker:
    """Integral action on the weave's current difference, and on the mean current for the height.

    A tack brings the work closer under the whole weave and hides the corner: where the mean current jumps, the tracker
    goes on as it went. The trend, averaged over seconds by the controller, is the integral part: on a slope the torch
    follows without a standing error.

    Args:
        gain, height_gain: 1/s, rate at which a deviation is taken away.
    """

    privileged = False

    def __init__(self, gain: float = 0.9, height_gain: float = 0.5):
        self.gain = gain
        self.height_gain = height_gain

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """Correction rates."""
        swing, trend = readings["swing"], readings["trend"]
        over, known = readings["mean_current"][:, 0], readings["mean_current"][:, 1] > 0.0
        tack = known & (over > TACK_A)
        # closer to the standing plate there is more current on that side: back off
        lateral = -_beyond(swing[:, 0], DEADBAND_A) / SWING_A_MM
        height = np.where(known, -over / MEAN_A_MM, 0.0)
        out = np.empty((s.n, 2))
        for axis, (error, gain) in enumerate(((lateral, self.gain), (height, self.height_gain))):
            slope = np.minimum(np.maximum(trend[:, axis], -STILL), STILL)
            out[:, axis] = slope + np.where(tack, 0.0, gain * error)
        return out


def _beyond(value: Array, band: float) -> Array:
    """What a value exceeds a dead band by."""
    return np.sign(value) * np.maximum(np.abs(value) - band, 0.0)
