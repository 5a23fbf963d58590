"""What varies in ArmPolish and what is seen of it: start distribution and observation channels."""

from __future__ import annotations

from ..engine.start import Term, Uniform
from ..sensing import PRIVILEGED, Channel

WAVES = 3  # half waves of the bead's height along the seam
AHEAD_M = (0.0, 0.005, 0.010, 0.015)  # where the scan is shown, along the feed from the disc


def start_terms() -> tuple[Term, ...]:
    """Bead, teaching, disc and order of an episode."""
    return (
        Uniform("bead_height", 0.11, 0.18, "mm", 1, "mean height of the bead that roughing has left"),
        Uniform("bead_wave", -0.02, 0.02, "mm", WAVES, "half waves of that height along the seam, by order"),
        Uniform("force_target", 22.0, 34.0, "N", 1, "normal force that the order asks for"),
        Uniform("removal_error", -0.06, 0.06, "1", 1, "relative error of the disc's removal rate"),
        Uniform("taught_height", -0.8, 0.8, "mm", 1, "error of the taught surface along its normal"),
        Uniform("taught_offset", -0.8, 0.8, "mm", 1, "error of the taught seam across it"),
        Uniform("taught_pitch", -0.7, 0.7, "deg", 1, "error of the taught surface's slope along the seam"),
        Uniform("start_height", 6.0, 14.0, "mm", 1, "disc above the taught surface at the start"),
    )


def channels(seam: float) -> tuple[Channel, ...]:
    """Channels for a seam of that length, m."""
    frame = "seam"
    return (
        Channel(
            "feed_position", 1, "m", -0.15, 0.15, scale=0.05, frame=frame, noise=2e-5,
            description=f"disc along the taught seam, which runs from {-seam / 2:g} to {seam / 2:g} m",
        ),
        Channel(
            "cross_position", 1, "m", -0.1, 0.1, scale=0.002, frame=frame, noise=2e-5,
            description="disc beside the taught seam",
        ),
        Channel(
            "height", 1, "m", -0.05, 0.1, scale=0.003, offset=0.0, frame=frame, noise=2e-5,
            description="disc above the taught surface; below zero the spindle is pushed in",
        ),
        Channel(
            "tilt", 3, "rad", -0.5, 0.5, scale=0.03, frame="world", labels=("x", "y", "z"), noise=1e-4,
            description="rotation vector from the tool to the taught normal",
        ),
        Channel(
            "velocity", 3, "m/s", -0.3, 0.3, scale=0.02, frame=frame, labels=("feed", "cross", "normal"), noise=5e-4,
            description="speed of the disc's housing, from joint speeds",
        ),
        Channel(
            "force", 1, "N", -50.0, 200.0, scale=15.0, offset=25.0, frame=frame, noise=0.3, bias=0.4,
            description="normal force by the wrist sensor, weight taken off",
        ),
        Channel(
            "deflection", 1, "m", -0.013, 0.001, scale=0.004, offset=-0.006, noise=2e-5,
            description="of the spindle's spring, inwards negative",
        ),
        Channel(
            "force_target", 1, "N", 0.0, 60.0, scale=10.0, offset=25.0, description="force that the order asks for",
        ),
        Channel(
            "bead_ahead", len(AHEAD_M), "mm", 0.0, 0.5, scale=0.1, offset=0.15, noise=0.003,
            labels=tuple(f"{1e3 * a:g} mm" for a in AHEAD_M),
            description="bead as a laser line has scanned it before the pass, from the disc onward",
        ),
        Channel(
            "residual_behind", 1, "mm", -0.3, 0.5, scale=0.05, offset=0.0, noise=0.003,
            description="what is left of the bead 12 mm behind the disc, by a trailing sensor",
        ),
        Channel(
            "residual", 3, "mm", -1.0, 1.0, scale=0.1, group=PRIVILEGED, labels=("mean", "highest", "lowest"),
            description="true height left along the seam",
        ),
        Channel(
            "contact", 2, "m", -0.2, 0.2, scale=0.01, frame=frame, group=PRIVILEGED, labels=("feed", "cross"),
            description="true point of contact, relative to the true seam",
        ),
    )  # fmt: skip
