"""The scripted expert of ArmPolish: touch down before the seam, feed by the scan, hold force, lift off behind it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...assets.tools.compliant_spindle import STIFFNESS
from ..engine.task import Rows
from .polish_removal import RATE_MM3, pass_depth

Array = NDArray[np.float64]

LEAD_IN, LEAD_OUT = 0.013, 0.013  # m, before and behind the seam, a little more than the footprint
FORCE_GAIN = 4.0  # 1/s, of the normal speed for what the spring lacks in deflection
TURN_GAIN, CROSS_GAIN = 4.0, 4.0  # 1/s
TOUCH_SPEED, REACH_SPEED, LIFT_SPEED = 0.03, 0.05, 0.04  # m/s
SOME_MM, USUAL_MM = 0.04, 0.14  # a bead that is one, and a usual one
FASTEST, SLOWEST = 0.045, 0.008  # m/s of the feed


class PolishExpert:
    """One pass whose feed takes off what the scan shows, by Preston's law at the force that is felt.

    It keeps no memory: force, position and scan say what is next.

    Args:
        seam: length of the seam, m.
        radius: of the taught surface, m.
    """

    privileged = False

    def __init__(self, seam: float, radius: float):
        self.seam, self.radius = seam, radius

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """Twist: feed, cross and normal speed, and rotation about the seam's axes."""
        reading = {k: v[:, 0] for k, v in readings.items()}
        place, force, target = reading["feed_position"], reading["force"], reading["force_target"]
        start, end = -0.5 * self.seam - LEAD_IN, 0.5 * self.seam + LEAD_OUT
        behind = place > end
        touching = force > 0.5 * target
        scan = readings["bead_ahead"]
        # with the disc half beyond an end of the seam, the height at that end counts
        nearest = np.where(scan[:, 0] > SOME_MM, scan[:, 0], np.max(scan[:, 1:], axis=1))
        bead = 1e-3 * np.where(nearest > SOME_MM, nearest, USUAL_MM)
        feed = pass_depth(np.maximum(force, 5.0), np.ones_like(force), np.full_like(force, RATE_MM3)) / bead
        feed = np.minimum(np.maximum(feed, SLOWEST), FASTEST)
        off_seam = (place < -0.5 * self.seam - 0.010) | (place > 0.5 * self.seam + 0.010)
        feed = np.where(off_seam, FASTEST, feed)
        back = np.minimum(np.maximum(4.0 * (start - place), -REACH_SPEED), REACH_SPEED)
        # before the seam without contact: to the point of touching down; in contact: feed
        forward = np.where(behind, 0.0, np.where(touching, feed, np.where(place < start + 0.002, back, 0.0)))
        lack = (target - force) / STIFFNESS
        down = -FORCE_GAIN * lack
        near = reading["height"] < 0.002
        falling = np.where(near, np.maximum(down, -0.5 * TOUCH_SPEED), -TOUCH_SPEED)
        normal = np.where(behind, LIFT_SPEED, np.where(touching, down, falling))
        # wait for the place before coming down, unless the disc is on the seam already
        away = ~touching & (np.abs(place - start) > 0.004) & (reading["height"] > 0.003) & (place < start)
        normal = np.where(away, 0.0, normal)
        cross = -CROSS_GAIN * reading["cross_position"]
        turn = TURN_GAIN * readings["tilt"]
        turn[:, 1] += forward / self.radius
        return np.concatenate((np.stack((forward, cross, normal), axis=1), turn), axis=1)
