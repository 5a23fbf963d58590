"""The expert of WeldUCell: a program, a seam sensor that corrects it, the procedure's table by position and gap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows
from .u_cell_seams import SEAMS
from .u_cell_table import qualify

Array = NDArray[np.float64]


TURNING_DEG = 40.0  # turn of the joint over 2 mm around the torch that is a corner
USUAL_GAP_MM = 1.4  # for which the settings stand while the torch is in the air


class UCellExpert:
    """Runs the program as taught, steers to where the sensor sees the joint, and sets what the table has for the gap.

    The wire is led beside the root by the aim of the table, towards the plate from whose leg the gap takes.

    Args:
        gain: 1/s, at which deviations of the wire are taken away.
        slower: share of the speed that is taken off around corners.
    """

    privileged = False

    def __init__(self, gain: float = 1.6, slower: float = 0.1):
        self.gain, self.slower = gain, slower
        self._tables = [qualify(seam) for seam in range(len(SEAMS))]

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """Corrections and set-points."""
        segment = np.argmax(readings["segment"], axis=1)
        on, seam = segment % 2 == 1, segment // 2
        gap = np.where(on, readings["gap"][:, 0], USUAL_GAP_MM)
        settings = np.stack([np.stack(table.at(gap), axis=1) for table in self._tables])
        speed, feed, weave, aim = settings[seam, np.arange(s.n)].T
        deviation = readings["tip_deviation"]
        act = np.zeros((s.n, 8))
        act[:, 0] = self.gain * (aim - deviation[:, 0]) * on
        act[:, 1] = -self.gain * deviation[:, 1] * on
        act[:, 2:4] = -2.0 * readings["torch_angle"]
        # around a corner the bead's outer edge is longer than the way of the wire
        turn = readings["turn_ahead"]
        turning = np.minimum((np.abs(turn[:, 0]) + np.abs(turn[:, 1])) / TURNING_DEG, 1.0)
        act[:, 4] = speed * (1.0 - self.slower * turning)
        act[:, 5], act[:, 7] = feed, weave
        return act
