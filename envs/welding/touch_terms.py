"""What varies in WeldTouchSense and what is seen of it: start distribution and observation channels.

Ranges without a source in the task's references are engineering judgement: parts laid against stops by hand, wires as
the last weld has left them, plates with mill scale and spatter.
"""

from __future__ import annotations

import numpy as np

from ..engine.start import Choice, Normal, Term, Uniform
from ..sensing import PRIVILEGED, Channel
from .touch_joint import LENGTH, TACKS
from .touch_wire import CUT_BEND, CUT_STICKOUT

POSE = ("along", "across", "up", "yaw", "slope")
WIRE = ("stick-out", "bend", "bend along")
ERRORS = ("start along", "across", "up")
SHIFT_MM, HEIGHT_MM, YAW_DEG, SLOPE_DEG = 15.0, 3.0, 3.0, 0.6
STICKOUT_MM, BEND_MM = 2.0, 1.0  # three standard deviations of a wire as the last weld has left it

# Standard deviations of the prior in the order of `touch_fit.NAMES`, of a wire that was used, and of one just cut.
_PART = (
    *(1e-3 * SHIFT_MM / np.sqrt(3.0) for _ in range(2)), 1e-3 * HEIGHT_MM / np.sqrt(3.0),
    *(np.radians(v) / np.sqrt(3.0) for v in (YAW_DEG, SLOPE_DEG)),
)  # fmt: skip
PRIOR = np.array([*_PART, 1e-3 * STICKOUT_MM / 3.0, 1e-3 * BEND_MM / 3.0, 1e-3 * BEND_MM / 3.0])
PRIOR_FRESH = np.array([*_PART, CUT_STICKOUT, CUT_BEND, CUT_BEND])

START: tuple[Term, ...] = (
    Uniform("part_shift", -SHIFT_MM, SHIFT_MM, "mm", size=2, description="part from the drawing, along and across"),
    Uniform("part_height", -HEIGHT_MM, HEIGHT_MM, "mm", description="part from the drawing, upward"),
    Uniform("part_yaw", -YAW_DEG, YAW_DEG, "deg", description="by which the seam leads away sideways"),
    Uniform("part_slope", -SLOPE_DEG, SLOPE_DEG, "deg", description="by which it rises"),
    Normal("part_roll", -0.6, 0.6, "deg", description="of the part about its seam, which the fit does not know"),
    Uniform("tack_place", -20.0, 20.0, "mm", size=TACKS, description="tacks from their regular places"),
    Choice("fresh_wire", 0, 1, "1", description="1: the wire has just been cut"),
    Normal("stickout_error", -STICKOUT_MM, STICKOUT_MM, "mm", description="stick-out of a wire that has welded"),
    Normal("wire_bend", -BEND_MM, BEND_MM, "mm", size=2, description="bend of its end, in the section and along"),
    Normal("latency_error", -3.0, 3.0, "ms", description="mean latency of the touch circuit over the nominal one"),
    Uniform("touch_noise", 0.02, 0.08, "mm", description="scatter of a touch: finish of plates, repeatability of the "
            "arm"),
    Uniform("voltage_noise", 0.02, 0.08, "1", description="noise of the wire's voltage, share of the open circuit"),
    Uniform("scale_share", 0.0, 0.15, "1", description="probability that a touch meets mill scale"),
    Uniform("spatter_share", 0.0, 0.006, "1", description="probability that a touch meets spatter on the plate"),
)  # fmt: skip

CHANNELS: tuple[Channel, ...] = (
    Channel("ready", 1, "1", 0.0, 1.0, description="1: the robot waits for a decision"),
    Channel("probing", 4, "1", 0.0, 1.0, labels=("flat", "wall", "end", "cut"), description="what it is doing"),
    Channel("joint_estimate", 5, "mm", -40.0, 40.0, scale=6.0, frame="seam", labels=POSE,
            description="the fit's joint less the drawing's; yaw and slope as what they are worth at the seam's end"),
    Channel("uncertainty", 8, "1", -3.0, 2.0, offset=-0.5, scale=0.8, labels=(*POSE, *WIRE),
            description="standard deviation of each by the fit, as the decimal logarithm of millimetres"),
    Channel("doubt", 3, "1", -3.0, 2.0, offset=0.0, scale=0.8, labels=ERRORS,
            description="the same for what success asks, at the seam's worse end (two standard deviations)"),
    Channel("innovation", 1, "1", -8.0, 8.0, scale=1.5,
            description="newest touch less what the fit expected, in standard deviations"),
    Channel("rest_voltage", 1, "1", 0.0, 1.0, offset=0.1, scale=0.15,
            description="of the wire at rest on the newest touch, share of the open circuit; high on mill scale"),
    Channel("touches", 3, "1", 0.0, 60.0, offset=1.0, scale=1.0, labels=("flat", "wall", "end"),
            description="touches taken"),
    Channel("balance", 2, "1", -20.0, 20.0, scale=1.0, labels=("flat", "wall"),
            description="sum of the places of the touches taken"),
    Channel("missed", 1, "1", 0.0, 30.0, scale=1.0, description="searches that found nothing"),
    Channel("cuts", 1, "1", 0.0, 30.0, scale=1.0, description="cuts of the wire"),
    Channel("voltage_noise", 1, "1", 0.0, 0.5, offset=0.05, scale=0.03,
            description="noise of the wire's voltage in free air, from commissioning"),
    Channel("elapsed", 1, "s", 0.0, 60.0, offset=10.0, scale=8.0, description="time since the start"),
    Channel("true_joint", 5, "mm", -40.0, 40.0, scale=6.0, frame="seam", labels=POSE, group=PRIVILEGED,
            description="the joint, as `joint_estimate`"),
    Channel("error_mm", 3, "mm", 0.0, 60.0, scale=2.0, labels=ERRORS, group=PRIVILEGED,
            description="errors of the fit's joint"),
    Channel("wire_error", 3, "mm", -30.0, 30.0, scale=0.6, labels=WIRE, group=PRIVILEGED,
            description="end of the wire from where the controller thinks it is"),
    Channel("latency_error", 1, "ms", -20.0, 20.0, scale=1.0, group=PRIVILEGED,
            description="of the touch circuit over the nominal one"),
    Channel("scale_share", 1, "1", 0.0, 1.0, offset=0.08, scale=0.05, group=PRIVILEGED,
            description="probability that a touch meets mill scale"),
)  # fmt: skip

ENDS = (-0.5 * LENGTH, 0.5 * LENGTH)
