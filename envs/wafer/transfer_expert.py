"""Scripted policies of WaferTransfer: the process engineer's profile, and the oracle's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...assets.parts import wafer
from ...assets.robots.vacuum_scara import PAD_ANGLES, PAD_CIRCLE_RADIUS
from ..engine.task import Rows
from .profiles import tilt_limits, yaw_friction_factor

Array = NDArray[np.float64]


class TransferExpert:
    """The profile that a process engineer would set up from the same estimates as the policy's.

    Args:
        friction_margin: share of the estimated friction that is used. A quarter is held back: three standard
            deviations of the estimate, the droop, and the moment that spins the wafer up on an arc.
        period_margin: shaper period in estimated vibration periods; a little long rather than short.
    """

    privileged = False

    def __init__(self, friction_margin: float = 0.75, period_margin: float = 1.05):
        self.friction_margin = friction_margin
        self.period_margin = period_margin

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """The same margins throughout the move."""
        margin = np.full(s.n, self.friction_margin)
        return np.stack((margin, margin, np.full(s.n, self.period_margin)), axis=-1)


class TransferOracle:
    """The fastest jerk-limited profile that neither slips nor rings, from the true friction, droop and frequency.

    It averages the friction-limited profile over one vibration period, which neither needs more friction nor excites
    the mode (see `profiles`). On a line the droop makes the limits of the two halves differ; on an arc the wafer's
    own angular acceleration and the droop's part across the motion are taken off.

    Args:
        margin: share of the friction limit that is used. The rest covers the overshoot of the damped mode, whose
            response to a ramp of one period is not perfectly flat: 1.5 % of the step at a damping ratio of 0.01.
    """

    privileged = True

    def __init__(self, margin: float = 0.97):
        self.margin = margin
        radii = np.linspace(0.2, 1.1, 46)
        gyration_sq = wafer.RADIUS**2 / 2.0  # of a thin disc about its axis
        factors = yaw_friction_factor(radii, PAD_CIRCLE_RADIUS, gyration_sq, PAD_ANGLES[0])
        mirrored = yaw_friction_factor(radii, PAD_CIRCLE_RADIUS, gyration_sq, -PAD_ANGLES[0])
        self._radii, self._factors = radii, np.minimum(factors, mirrored)

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """True limits of speeding up and slowing down."""
        outward, inward = tilt_limits(s.friction, s.droop)
        extending = s.path_sign > 0
        curved = s.path_curvature > 0
        speeding = np.where(extending, outward, inward)
        slowing = np.where(extending, inward, outward)
        turning = np.minimum(outward, inward) * np.interp(s.path_radius, self._radii, self._factors)
        first, second = np.where(curved, turning, speeding), np.where(curved, turning, slowing)
        share = self.margin / s.acceleration_estimate
        return np.stack((share * first, share * second, 1.0 / (s.frequency * s.period_estimate)), axis=-1)
