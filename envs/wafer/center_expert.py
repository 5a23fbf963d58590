"""Scripted policies of WaferCenter: the process engineer's recipe, and the oracle's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.centering import BEAM_OFFSETS, BEAM_RADIUS
from ...assets.cells.transfer_chamber import STATION_RADIUS
from ...assets.parts import wafer
from ...assets.robots.vacuum_scara import WRIST_TO_WAFER
from ..engine.task import Rows
from .center_drift import reach_error
from .centering import Accuracy, edge_points, edge_positions, fit_with_notch, hot_radius, place_pose

Array = NDArray[np.float64]

_BEAMS_MM = 1e3 * np.array([(BEAM_RADIUS, y) for y in BEAM_OFFSETS])
_GOLDEN_MM = edge_positions(np.zeros(2), np.asarray(1e3 * wafer.RADIUS), _BEAMS_MM)

# probability of an edge in the notch where the aligner says that it is near, and elsewhere
NEAR_SHARE, FAR_SHARE = 0.25, 1e-6


class CenterExpert:
    """What an experienced engineer would program.

    One speed past the beams for every wafer, slow enough for the worst sensor. Where the wafer lies comes from least
    squares with the radius that the recipe's temperature gives, leaving out an edge that is in the notch; the mean of
    the last wafers' placements takes away what the beams do not see, and tells how much the arm has grown.

    Args:
        correction: "trim" or "total", as the task's.
        speed: past the beams, m/s.
        utilization: share of the estimated friction that is used.
        accuracy: what the fit assumes.
        notch_window_mm: distance along the rim within which an edge may have met the notch: half its width, three
            standard deviations of the aligner, and what an offset of the wafer moves its edges.
    """

    privileged = False

    def __init__(
        self,
        correction: str = "trim",
        speed: float = 0.40,
        utilization: float = 0.75,
        accuracy: Accuracy | None = None,
        notch_window_mm: float = 4.5,
    ):
        self.correction = correction
        self.speed, self.utilization = speed, utilization
        self.notch_window_mm = notch_window_mm
        # beams that have moved since the calibration look like a misfit of the edges and like another radius
        self.accuracy = accuracy if accuracy is not None else Accuracy(edge=0.03, radius=0.03)

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """The recipe's speed, and the correction from what has been latched."""
        points = edge_points(_GOLDEN_MM + readings["edge_deviation_mm"], np.zeros(4), _BEAMS_MM)
        past = readings["past_placement_mm"]
        unseen = (past[:, 0:2] + past[:, 2:4] + past[:, 4:6]) / 3.0
        # an arm that has grown moves the wafer past the beams in fewer of its own millimetres
        growth = 1e-3 * unseen[:, 0] / (STATION_RADIUS - BEAM_RADIUS)
        expected = 1e3 * hot_radius(readings["heating"][:, 0]) * (1.0 - growth)
        near = np.abs(readings["notch_arc_mm"]) < self.notch_window_mm
        offset, _, _ = fit_with_notch(points, expected, self.accuracy, np.where(near, NEAR_SHARE, FAR_SHARE))
        correction = -offset - unseen
        if self.correction == "trim":
            correction = correction + readings["fit_offset_mm"]
        known = readings["edges_latched"].min(axis=1, keepdims=True) > 0.5
        correction = np.where(known, correction, 0.0)
        n = len(correction)
        return np.concatenate((np.full((n, 1), self.speed), np.full((n, 1), self.utilization), correction), axis=1)


class CenterOracle:
    """The fastest move that does not slip, and the exact correction, from the true friction, offset and drift.

    Args:
        margin: share of the friction limit that is used, beside the correction's own acceleration.
    """

    privileged = True

    def __init__(self, correction: str = "trim", margin: float = 0.92):
        self.correction = correction
        self.margin = margin

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """True limits; the correction of an arm that reaches further and is turned."""
        radius, angle = place_pose(1e-3 * s.offset_mm, STATION_RADIUS)
        reach = radius - reach_error(s.arm_growth, radius, WRIST_TO_WAFER)
        # the set-point is an offset whose exact placement is the pose that the encoders must show
        turn = angle - s.arm_twist
        across = STATION_RADIUS * np.sin(turn)
        along = reach - np.sqrt(STATION_RADIUS**2 - across * across)
        correction = 1e3 * np.stack((along, across), axis=-1)
        if self.correction == "trim":
            correction = correction + s.fit_offset_mm
        share = self.margin * s.friction / s.friction_estimate
        return np.concatenate((np.full((s.n, 1), 0.80), share[:, None], correction), axis=1)
