"""The scripted expert of WeldSeamTrack: a preview tracker, as the makers of seam trackers build them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows
from .seam_track_terms import AHEAD_MM

Array = NDArray[np.float64]

SERVO_LAG_S = 0.037  # of the arm's position servos, from commissioning: kv / kp
USUAL_MM_S = 9.0
ENOUGH_BEAD = 0.15  # weight of an estimate from which on it is believed


class PreviewExpert:
    """Steers along the register: its slope ahead fed forward, and what the torch is off it taken away at a rate.

    The register holds the seam by arc length, so that the delay between look and arc is made up for exactly. What is
    left are the delays of the torch itself, for which the expert reads the register that far ahead. Once there is bead
    to go by, it aims by as much to the other side as the bead lies off.

    Args:
        speed: whether the travel speed is an action, which is then held at its usual value.
        gain: 1/s, rate at which a deviation is taken away.
        bead: whether to use the bead.
    """

    privileged = False

    def __init__(self, speed: bool, gain: float = 5.0, bead: bool = True):
        self.speed = speed
        self.gain = gain
        self.bead = bead
        self._places = np.array(AHEAD_MM)

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """Correction rates, and the speed where it is an action."""
        ahead = readings["seam_ahead"].reshape(s.n, 2, -1)
        travel = readings["travel_speed"][:, 0]
        lead = travel * (SERVO_LAG_S + 1.5 * s.timing.control_dt)
        near = np.stack([read_between(self._places, ahead[:, axis], lead) for axis in (0, 1)], axis=1)
        later = np.stack([read_between(self._places, ahead[:, axis], lead + 4.0) for axis in (0, 1)], axis=1)
        slope = (later - near) / 4.0
        if self.bead:
            bias, weight = readings["bead_bias"].T
            near[:, 0] -= np.where(weight > ENOUGH_BEAD, bias, 0.0)
        rate = slope * travel[:, None] + self.gain * near
        out = np.zeros((s.n, 3 if self.speed else 2))
        out[:, :2] = rate
        if self.speed:
            out[:, 2] = USUAL_MM_S
        return out


def read_between(places: Array, values: Array, at: Array) -> Array:
    """Linear interpolation of rows of `values` (n, j) over `places` (j,) at `at` (n,), held beyond the ends."""
    inside = np.minimum(np.maximum(at, places[0]), places[-1])
    right = np.clip(np.searchsorted(places, inside), 1, len(places) - 1)
    share = (inside - places[right - 1]) / (places[right] - places[right - 1])
    row = np.arange(len(values))
    below = values[row, right - 1]
    return below + share * (values[row, right] - below)
