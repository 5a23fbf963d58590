"""What varies in WeldArcSense and what is seen of it: start distribution and observation channels.

Ranges are engineering judgement unless a source is given: fit-up as in WeldSeamTrack, signals as in `arc_signal`.
"""

from __future__ import annotations

import numpy as np

from ..engine.start import Choice, Normal, Term, Uniform
from ..sensing import PRIVILEGED, Channel


def start_terms(tacks: int, speed: tuple[float, float]) -> tuple[Term, ...]:
    """What varies from part to part, and from cell to cell."""

    def error(name: str, most: float, unit: str, text: str, size: int = 1) -> Term:
        return Normal(name, -most, most, unit, size, text, cut=2.0)

    return (
        Uniform("travel_speed", *speed, "mm/s", description="travel speed of the procedure"),
        error("part_shift", 3.0, "mm", "part's position on the table, along and across the seam, and its height", 3),
        error("part_turn", 2.0, "deg", "part's rotation about the vertical, and slope of its seam", 2),
        error("bow", 2.0, "mm", "lateral bow of the standing plate in the middle of the seam"),
        Uniform("wave", 0.0, 0.3, "mm", description="amplitude of the waviness of its edge"),
        Uniform("wave_phase", -np.pi, np.pi, "rad", description="phase of the waviness"),
        Uniform("waves", 0.5, 1.5, "1", description="waves along the seam"),
        error("lean", 5.0, "deg", "angle between the plates over a right angle"),
        Uniform("gap", 0.0, 0.6, "mm", description="root gap at either end of the seam", size=2),
        Uniform("tack_place", -8.0, 8.0, "mm", description="of each tack from its even place", size=tacks),
        Uniform("tack_throat", 1.5, 3.0, "mm", description="throat of each tack", size=tacks),
        error("start_error", 0.8, "mm", "torch from the seam's beginning, lateral and height", 2),
        error("wire_cast", 0.3, "mm", "arc beside the calibrated wire, lateral, from the curvature of the wire"),
        error("heat_drift", 0.4, "mm", "lateral motion of the seam by 100 mm of weld, beside shrinkage"),
        Uniform("restraint", 0.3, 0.9, "1", description="how firmly the plates are clamped"),
        Uniform("pool", 0.9, 1.8, "mm", description="height of the pool over the root, which rounds the corner"),
        Uniform("current_noise", 5.0, 14.0, "A", description="standard deviation of a control step's mean current"),
        Choice("signal_lag", 1, 3, "1", description="control steps from the arc to the reading"),
        error("melting", 0.03, "1", "relative error of the wire's melting coefficient"),
    )


def channels(period: int, current_a: float) -> tuple[Channel, ...]:
    """What the policy sees, and what only simulation knows."""
    section = ("lateral", "height")
    return (
        Channel("current", 1, "A", 0.0, 700.0, offset=current_a, scale=30.0, history=period,
                description="mean current of a control step, late, over one weave"),
        Channel("voltage", 1, "V", 0.0, 60.0, offset=26.0, scale=2.0, description="mean voltage, late"),
        Channel("weave", 2, "1", -1.0, 1.0, scale=1.0, labels=("sine", "cosine"),
                description="phase of the commanded swing"),
        Channel("swing", 2, "A", -300.0, 300.0, scale=15.0, labels=("in phase", "quadrature"),
                description="part of the last weave's current that swings with the torch, at the expected lag; "
                "positive in phase where the standing plate comes closer"),
        Channel("mean_current", 2, "A", -700.0, 700.0, scale=[15.0, 50.0], labels=("over reference", "reference"),
                offset=[0.0, current_a],
                description="last weave's mean current over its reference, 0 before that is learned; the reference"),
        Channel("correction", 2, "mm", -15.5, 15.5, scale=3.0, frame="seam", labels=section,
                description="torch from the taught path"),
        Channel("correction_rate", 2, "mm/s", -7.0, 7.0, scale=1.0, frame="seam", labels=section,
                description="speed of that correction"),
        Channel("trend", 2, "mm/s", -7.0, 7.0, scale=0.3, frame="seam", labels=section,
                description="that speed, averaged over the last seconds: the slope of the seam"),
        Channel("travel_speed", 1, "mm/s", 0.0, 15.0, offset=6.0, scale=1.0, frame="seam",
                description="commanded travel speed"),
        Channel("remaining", 1, "mm", -20.0, 300.0, offset=60.0, scale=60.0, frame="seam",
                description="taught path that is left"),
        Channel("deviation", 2, "mm", -300.0, 300.0, scale=20.0, frame="seam", labels=section, group=PRIVILEGED,
                description="middle of the weave from the true root"),
        Channel("drift", 1, "mm", -5.0, 5.0, scale=0.5, frame="seam", group=PRIVILEGED,
                description="lateral motion of the part by heat and shrinkage so far"),
        Channel("tack", 1, "mm", 0.0, 10.0, scale=3.0, group=PRIVILEGED,
                description="throat of the tack under the arc"),
        Channel("signal_lag", 1, "1", 0.0, 8.0, scale=2.0, group=PRIVILEGED,
                description="control steps of the signal"),
    )  # fmt: skip
