"""What varies in WeldSeamTrack and what is seen of it: start distribution and observation channels.

Ranges are engineering judgement unless a source is given: fit-up of sheet-metal shops, calibration of a sensor by hand,
wire that comes curved from its spool, plates that move by millimetres over half a metre while they are welded.
"""

from __future__ import annotations

import numpy as np

from ..engine.start import Choice, Normal, Term, Uniform
from ..sensing import PRIVILEGED, Channel

AHEAD_MM = (0.0, 2.0, 5.0, 10.0, 18.0, 28.0)  # places ahead of the torch at which the register is read
FASTEST_MM_S = 12.0


def start_terms(tacks: int, curved: bool, speed: tuple[float, float]) -> tuple[Term, ...]:
    """What varies from part to part, and from cell to cell."""

    def error(name: str, most: float, unit: str, text: str, size: int = 1) -> Term:
        return Normal(name, -most, most, unit, size, text, cut=2.0)

    terms = [
        Uniform("travel_speed", *speed, "mm/s", description="travel speed of the procedure"),
        error("part_shift", 3.0, "mm", "part's position on the table, along and across the seam, and its height", 3),
        error("part_turn", 1.5, "deg", "part's rotation about the vertical, and slope of its seam", 2),
        error("bow", 2.0, "mm", "lateral bow of the standing plate in the middle of the seam"),
        Uniform("wave", 0.0, 0.4, "mm", description="amplitude of the waviness of its edge"),
        Uniform("wave_phase", -np.pi, np.pi, "rad", description="phase of the waviness"),
        Uniform("waves", 1.0, 2.5, "1", description="waves along the seam"),
        Uniform("gap", 0.0, 0.6, "mm", description="root gap at either end of the seam", size=2),
        Uniform("tack_place", -8.0, 8.0, "mm", description="of each tack from its even place", size=tacks),
        Uniform("tack_throat", 1.5, 3.0, "mm", description="throat of each tack", size=tacks),
        error("start_error", 0.4, "mm", "torch from the seam's beginning, lateral and height", 2),
        error("hand_eye", 0.3, "mm", "error of the sensor's calibration, lateral and height", 2),
        error("wire_cast", 0.3, "mm", "arc beside the calibrated wire, lateral, from the curvature of the wire"),
        error("heat_drift", 0.4, "mm", "lateral motion of the seam by 100 mm of weld, beside shrinkage"),
        Uniform("restraint", 0.3, 0.9, "1", description="how firmly the plates are clamped"),
        Uniform("laser_noise", 0.03, 0.10, "mm", description="standard deviation of a point of the profile"),
        Uniform("spatter", 0.01, 0.06, "1", description="share of frames that spatter crosses"),
        Uniform("dropout", 0.0, 0.06, "1", description="share of points that reflect nothing back"),
        Choice("latency", 1, 3, "1", description="control steps from an exposure to its features"),
    ]
    if curved:
        terms += [
            Uniform("radius", 150.0, 400.0, "mm", description="radius of the seam"),
            Choice("bend", 0, 1, "1", description="0: the seam turns right, 1: left"),
        ]
    return tuple(terms)


def channels() -> tuple[Channel, ...]:
    """What the policy sees, and what only simulation knows."""
    section = ("lateral", "height")
    ahead = tuple(f"{axis} {place:g} mm ahead" for axis in section for place in AHEAD_MM)
    return (
        Channel("seam_ahead", len(ahead), "mm", -20.0, 20.0, scale=1.0, frame="seam", labels=ahead,
                description="root as the sensor saw it, from the register, less the present correction"),
        Channel("feature", 4, "mm", -30.0, 30.0, scale=2.0, frame="seam", labels=("valid", *section, "gap"),
                description="newest feature: 1 if valid, root less the present correction, root gap"),
        Channel("correction", 2, "mm", -15.5, 15.5, scale=3.0, frame="seam", labels=section,
                description="torch from the taught path"),
        Channel("correction_rate", 2, "mm/s", -7.0, 7.0, scale=3.0, frame="seam", labels=section,
                description="speed of that correction"),
        Channel("travel_speed", 1, "mm/s", 0.0, 15.0, offset=9.0, scale=2.0, frame="seam",
                description="commanded travel speed"),
        Channel("remaining", 1, "mm", -20.0, 300.0, offset=75.0, scale=75.0, frame="seam",
                description="taught path that is left"),
        Channel("arc", 2, "1", -3.0, 3.0, scale=0.2, labels=("current", "voltage"), noise=0.02, latency_s=0.04,
                description="mean current and voltage of the control step over those of the procedure, less 1"),
        Channel("bead", 3, "mm", -15.0, 15.0, scale=[1.0, 3.0, 1.0], labels=("leg difference", "leg sum", "seen"),
                frame="seam", description="legs 20 mm behind the arc: standing less base, their sum, 1 once seen"),
        Channel("bead_bias", 2, "mm", -10.0, 10.0, scale=[0.3, 1.0], labels=("bias", "weight"), frame="seam",
                description="where the bead lies to the standing side of where the register and the torch would have "
                "put it, averaged, and 0 to 1 for how much bead that rests on"),
        Channel("deviation", 2, "mm", -300.0, 300.0, scale=20.0, frame="seam", labels=section, group=PRIVILEGED,
                description="wire from the true root"),
        Channel("true_bias", 2, "mm", -5.0, 5.0, scale=0.5, frame="seam", labels=("lateral", "height"),
                group=PRIVILEGED, description="hand-eye error and cast of the wire"),
        Channel("drift", 1, "mm", -5.0, 5.0, scale=0.5, frame="seam", group=PRIVILEGED,
                description="lateral motion of the part by heat and shrinkage so far"),
        Channel("latency", 1, "1", 0.0, 8.0, scale=2.0, group=PRIVILEGED, description="control steps of the sensor"),
    )  # fmt: skip
