"""What varies in WaferAutoTeach and what is seen of it: start distribution and observation channels.

Ranges without a source in the task's references are engineering judgement: where a station stands after installation by
drawing and tape, photoelectric sensors and their inputs, drives without force sensors, arms that have not warmed up.
"""

from __future__ import annotations

from ..engine.start import LogUniform, Normal, Term, Uniform
from ..sensing import PRIVILEGED, Channel

POSE = ("x", "y", "z", "slope along", "slope across")
ERRORS = ("centre", "height", "rim")
OFFSET_MM, TILT_DEG = 2.0, 0.3

START: tuple[Term, ...] = (
    LogUniform("jitter", 100.0, 1000.0, "us", description="scatter of a beam's response, with the scan of its input"),
    Normal("delay_error", -300.0, 300.0, "us", size=2, cut=3.0,
           description="mean response time of each beam less the 2 ms that the controller takes off"),
    Uniform("edge_noise", 10.0, 40.0, "um", description="scatter of an edge at no speed: finish of the pin, spot"),
    Uniform("touch_noise", 10.0, 40.0, "um", description="scatter of a touch: finish of the plane, seat of the ball"),
    Uniform("play", 0.0, 0.12, "mm", description="play of the radial drive"),
    Uniform("force_noise", 0.02, 0.10, "N", description="friction noise of the force that the drives tell"),
    Normal("force_gain", -0.06, 0.06, "1", cut=3.0, description="relative error of that force"),
    Normal("stiffness_error", -0.15, 0.15, "1", cut=3.0, description="stiffness of the sag over the commissioned one"),
    Uniform("droop", 0.35, 0.55, "mm", description="sag of the empty arm at full extension; it is taught for 0.45 mm"),
    Uniform("frequency", 12.0, 18.0, "Hz", description="lateral mode of the arm at full extension"),
    Uniform("damping_ratio", 0.01, 0.04, "1", description="damping ratio of its modes"),
    Uniform("drift", -0.5, 0.5, "um/s", size=2, description="warming: radius and height that the encoders gain"),
    Uniform("station_offset", -OFFSET_MM, OFFSET_MM, "mm", size=3, description="station from the drawing: x, y, z"),
    Uniform("station_tilt", -TILT_DEG, TILT_DEG, "deg", size=2, description="slopes of its plane along x and y"),
)  # fmt: skip

CHANNELS: tuple[Channel, ...] = (
    Channel("ready", 1, "1", 0.0, 1.0, description="1: the robot waits for a decision"),
    Channel("probing", 2, "1", 0.0, 1.0, labels=("sweep", "touch"), description="what it is doing"),
    Channel("pose_estimate", 5, "mm", -5.0, 5.0, scale=1.2, frame="station", labels=POSE,
            description="the fit's pose less the drawing's; slopes as rise from the centre to the rim"),
    Channel("uncertainty", 5, "1", -3.0, 1.0, offset=-1.3, scale=0.6, labels=POSE,
            description="standard deviation of each by the fit, as the decimal logarithm of millimetres"),
    Channel("doubt", 3, "1", -3.0, 1.0, offset=-1.0, scale=0.6, labels=ERRORS,
            description="the same for what success asks: centre, height, rim (two standard deviations)"),
    Channel("innovation", 2, "1", -6.0, 6.0, scale=1.5, labels=("edge", "touch"),
            description="newest measurement less what the fit expected, in standard deviations"),
    Channel("sweeps", 1, "1", 0.0, 60.0, offset=4.0, scale=4.0, description="sweeps that are over"),
    Channel("edges", 1, "1", 0.0, 240.0, offset=12.0, scale=12.0, description="edges latched"),
    Channel("touches", 1, "1", 0.0, 60.0, offset=3.0, scale=3.0, description="touches taken"),
    Channel("missed", 1, "1", 0.0, 20.0, scale=1.0, description="searches that found nothing"),
    Channel("touch_balance", 2, "1", -10.0, 10.0, scale=1.0, labels=("along", "across"), frame="station",
            description="sum of the directions of the touches taken"),
    Channel("last_force", 1, "N", 0.0, 2.0, offset=0.4, scale=0.2, description="force at rest of the newest touch"),
    Channel("force", 1, "N", -2.0, 4.0, offset=0.0, scale=0.4, description="force at the stylus now, by the drives"),
    Channel("jitter_us", 1, "us", 0.0, 3000.0, offset=400.0, scale=300.0,
            description="scatter of the beams' response, from commissioning"),
    Channel("force_noise", 1, "N", 0.0, 0.4, offset=0.05, scale=0.03,
            description="scatter of the force in free motion, from commissioning"),
    Channel("edge_noise_um", 1, "um", 0.0, 150.0, offset=25.0, scale=10.0,
            description="scatter of an edge at no speed, from commissioning"),
    Channel("touch_noise_um", 1, "um", 0.0, 150.0, offset=25.0, scale=10.0,
            description="scatter of a touch, from commissioning"),
    Channel("elapsed", 1, "s", 0.0, 60.0, offset=10.0, scale=8.0, description="time since the start"),
    Channel("above", 1, "1", 0.0, 1.0, description="1: the jig is above the pin"),
    Channel("outside", 1, "1", 0.0, 1.0, description="1: the newest sweep ended on the far side"),
    Channel("true_pose", 5, "mm", -5.0, 5.0, scale=1.2, frame="station", labels=POSE, group=PRIVILEGED,
            description="the station in the robot's coordinates, as `pose_estimate`"),
    Channel("error_mm", 3, "mm", 0.0, 10.0, scale=1.0, labels=ERRORS, group=PRIVILEGED,
            description="errors of the fit's pose"),
    Channel("play_mm", 1, "mm", 0.0, 0.3, scale=0.05, group=PRIVILEGED, description="play of the radial drive"),
    Channel("stiffness_ratio", 1, "1", 0.3, 2.0, offset=1.0, scale=0.1, group=PRIVILEGED,
            description="stiffness of the sag over the commissioned one"),
    Channel("contact_force", 1, "N", 0.0, 20.0, offset=0.0, scale=0.5, group=PRIVILEGED,
            description="largest force between ball and plane in the last step"),
)  # fmt: skip
