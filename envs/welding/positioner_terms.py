"""What varies in WeldPositioner and what is seen of it: start distribution and observation channels.

Ranges are engineering judgement: parts clamped against stops and found by touch to a millimetre, servos as they are
commissioned, a seam sensor at the torch.
"""

from __future__ import annotations

import numpy as np

from ..engine.start import Normal, Term, Uniform
from ..sensing import PRIVILEGED, Channel

AHEAD_MM = (-8.0, -4.0, 0.0, 4.0, 8.0, 13.0, 20.0)  # places relative to the torch at which the seam's heading is read

START: tuple[Term, ...] = (
    Uniform("travel_speed", 6.0, 9.0, "mm/s", description="travel speed of the procedure"),
    Uniform("tilt_error", -8.0, 8.0, "deg", description="of the positioner at the start, from the flat position"),
    Uniform("rotate_error", -12.0, 12.0, "deg", description="of its table at the start, from the flat position"),
    Normal("part_shift", -1.2, 1.2, "mm", size=3, description="part from where touch sensing has found it"),
    Normal("part_turn", -0.4, 0.4, "deg", description="of the part about the table's axis, likewise"),
    Normal("start_error", -0.5, 0.5, "mm", size=2, description="torch from the seam's beginning, lateral and height"),
    Normal("axis_offset", -0.6, 0.6, "mm", size=2, description="axis of the table from where the robot believes it"),
)

SECTION = ("lateral", "height")
ANGLES = ("work", "travel")

CHANNELS: tuple[Channel, ...] = (
    Channel("heading_ahead", len(AHEAD_MM), "deg", -360.0, 360.0, scale=30.0, frame="positioner",
            labels=tuple(f"at {v:g} mm" for v in AHEAD_MM),
            description="rotation of the table that would bring each place, blended, into the flat position, less "
            "the present one"),
    Channel("tilt_error", 1, "deg", -180.0, 180.0, scale=5.0, frame="positioner",
            description="tilt that the flat position asks for, less the present one"),
    Channel("gravity", 3, "deg", -180.0, 180.0, scale=15.0, frame="seam", labels=("roll", "slope", "angle"),
            description="roll and slope of the joint under the torch, and its angle to the vertical, by the encoders"),
    Channel("axis_rate", 2, "rad/s", -4.0, 4.0, scale=0.5, frame="positioner", labels=("tilt", "rotate"),
            description="commanded rates of the positioner"),
    Channel("travel_speed", 1, "mm/s", 0.0, 15.0, offset=7.5, scale=2.0, frame="seam",
            description="commanded travel speed"),
    Channel("procedure_speed", 1, "mm/s", 0.0, 15.0, offset=7.5, scale=1.0, frame="seam",
            description="travel speed of the procedure"),
    Channel("remaining", 1, "mm", -30.0, 200.0, offset=55.0, scale=40.0, frame="seam",
            description="seam that is left"),
    Channel("correction", 2, "mm", -8.0, 8.0, scale=1.0, frame="seam", labels=SECTION,
            description="of the wire from the taught path"),
    Channel("torch_angle", 2, "deg", -30.0, 30.0, scale=6.0, frame="seam", labels=ANGLES,
            description="of the torch from the procedure's"),
    Channel("tip_deviation", 2, "mm", -20.0, 20.0, scale=0.6, frame="seam", labels=SECTION, noise=0.08, latency_s=0.08,
            description="of the wire from the seam, from a sensor at the torch"),
    Channel("joint_share", 1, "1", 0.0, 20.0, scale=0.3,
            description="largest joint speed of the arm, as a share of its limit"),
    Channel("joint_margin", 1, "deg", -10.0, 180.0, offset=60.0, scale=30.0,
            description="of the arm's nearest joint from the end of its range"),
    Channel("deviation", 2, "mm", -300.0, 300.0, scale=4.0, frame="seam", labels=SECTION, group=PRIVILEGED,
            description="of the wire from the true seam, now"),
    Channel("true_speed", 1, "mm/s", -50.0, 200.0, offset=7.5, scale=2.0, frame="seam", group=PRIVILEGED,
            description="of the wire along the true seam"),
    Channel("part_error", 4, "1", -20.0, 20.0, scale=0.5, group=PRIVILEGED, labels=("x", "y", "z", "turn"),
            description="of the part on the table from where it was found, mm and degrees"),
)  # fmt: skip


def heading_rotation(heading: np.ndarray) -> np.ndarray:
    """Rotation of the table (rad) that brings a joint which faces `heading` (rad) to the upper side of the tilt."""
    return 0.5 * np.pi - heading
