"""The expert of WeldPositioner: kinematics of the coordinated chain with look-ahead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows
from .positioner_terms import AHEAD_MM

Array = NDArray[np.float64]


class PositionerExpert:
    """Turns the table as the torch's direction turns, by its slope around the torch, and slows down in corners.

    The arm's motion follows from that by inverse kinematics, which the controller does. A corner begins before the
    torch is there and ends after it, so that the speed of the part has no jump. What the sensor sees of the
    wire beside the seam is taken away at a rate that its delay allows.

    Args:
        fastest: rad/s, of the table, above which the torch travels slower.
        gain: 1/s, at which errors of the positioner are taken away.
        tip_gain: 1/s, at which deviations of the wire are.
    """

    privileged = False

    def __init__(self, fastest: float = 1.0, gain: float = 3.0, tip_gain: float = 2.5):
        self.fastest, self.gain, self.tip_gain = fastest, gain, tip_gain
        self._here, self._before, self._after = (AHEAD_MM.index(at) for at in (0.0, -4.0, 4.0))

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """Rates, speed and corrections."""
        ahead = np.radians(readings["heading_ahead"])
        slope = (ahead[:, self._after] - ahead[:, self._before]) / (AHEAD_MM[self._after] - AHEAD_MM[self._before])
        procedure = readings["procedure_speed"][:, 0]
        speed = np.minimum(procedure, self.fastest / np.maximum(np.abs(slope), 1e-6))
        travel = readings["travel_speed"][:, 0]
        act = np.zeros((len(ahead), 7))
        act[:, 0] = self.gain * np.radians(readings["tilt_error"][:, 0])
        act[:, 1] = slope * travel + self.gain * ahead[:, self._here]
        act[:, 2] = speed
        act[:, 3:5] = -self.tip_gain * readings["tip_deviation"]
        act[:, 5:7] = -2.0 * readings["torch_angle"]
        return act
