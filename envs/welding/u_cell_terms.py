"""What varies in WeldUCell and what is seen of it: start distribution and observation channels.

Sizes are those of double-hull cells of handy to Panamax ships as shipyards describe them; gaps up to 2 mm are what
IACS Recommendation 47 calls standard and 3 mm its limit. The rest is engineering judgement: parts found by touch to
about a millimetre, a seam sensor that sees the joint under a torch with noise and delay.
"""

from __future__ import annotations

from ..engine.start import Normal, Term, Uniform
from ..sensing import PRIVILEGED, Channel

AHEAD_MM = (-1.0, 1.0, 3.0, 6.0, 10.0)  # places relative to the torch at which the turn of the joint is told
PLANES = ("floor", "transverse", "left longitudinal", "right longitudinal")
SECTION = ("lateral", "height")
ANGLES = ("work", "travel")

START: tuple[Term, ...] = (
    Uniform("cell_width", 0.60, 1.20, "m", description="clear distance of the longitudinals"),
    Uniform("cell_length", 0.60, 1.20, "m", description="from the opening to the transverse"),
    Uniform("stiffener", 8.0, 15.0, "mm", description="thickness of the flat bar"),
    Uniform("scallop", 35.0, 50.0, "mm", description="between the foot of the bar and the transverse"),
    Uniform("gap", 0.0, 2.0, "mm", size=3, description="root gap at scallop and free end of the bar, and in the "
            "vertical corner"),
    Uniform("cell_shift", -10.0, 10.0, "mm", size=2, description="cell from where the skid expects it, along and "
            "across; touch sensing finds it"),
    Uniform("cell_turn", -1.0, 1.0, "deg", description="of the cell to the skid, likewise"),
    Normal("found_error", -0.9, 0.9, "mm", size=3, description="of the stiffener from where it has been found"),
    Normal("found_turn", -0.3, 0.3, "deg", description="of the stiffener, likewise"),
    Normal("corner_error", -0.9, 0.9, "mm", size=2, description="of the vertical corner, likewise, along and across"),
    Normal("wire_cast", -0.2, 0.2, "mm", description="arc beside the calibrated wire, lateral"),
    Normal("feed_error", -0.03, 0.03, "1", description="metal that arrives over metal that is asked for, less 1"),
)  # fmt: skip


def channels() -> tuple[Channel, ...]:
    """What the policy sees, and what only simulation knows."""
    return (
        Channel("segment", 6, "1", 0.0, 1.0,
                labels=("approach", "around", "to second", "second", "to up", "up"),
                description="1 for the segment of the program that is being run"),
        Channel("progress", 2, "mm", -5.0, 800.0, offset=60.0, scale=60.0, frame="seam", labels=("behind", "left"),
                description="of the segment, by the program"),
        Channel("turn_ahead", len(AHEAD_MM), "deg", -180.0, 180.0, scale=45.0, frame="seam",
                labels=tuple(f"at {v:g} mm" for v in AHEAD_MM),
                description="direction of the joint there less that here, by the program; 0 but around the bar"),
        Channel("travel_speed", 1, "mm/s", 0.0, 200.0, offset=5.0, scale=3.0, frame="seam",
                description="commanded, along the program"),
        Channel("arc_set", 3, "1", (0.0, -5.0, 0.0), (2.0, 5.0, 5.0), offset=(1.0, 0.0, 1.5),
                scale=(0.15, 1.5, 1.5), labels=("feed", "trim", "weave"),
                description="set-points in force: share of the procedure's feed, V, mm"),
        Channel("correction", 2, "mm", -12.0, 12.0, scale=1.0, frame="seam", labels=SECTION,
                description="of the wire from the program"),
        Channel("torch_angle", 2, "deg", -30.0, 30.0, scale=5.0, frame="seam", labels=ANGLES,
                description="of the torch from the program's"),
        Channel("tip_deviation", 2, "mm", -20.0, 20.0, scale=0.8, frame="seam", labels=SECTION, noise=0.12,
                latency_s=0.2, description="of the wire, the middle of its weave, from the joint, by the seam sensor; "
                "0 through the air"),
        Channel("gap", 1, "mm", 0.0, 10.0, offset=1.0, scale=1.0, frame="seam", noise=0.10,
                description="root gap as the seam sensor sees it; 0 through the air"),
        Channel("current", 1, "A", 0.0, 700.0, offset=220.0, scale=60.0, noise=4.0, description="mean of the step"),
        Channel("clearance", 4, "mm", -100.0, 1300.0, offset=40.0, scale=40.0, frame="world", labels=PLANES,
                description="of the torch from the plates where they have been found"),
        Channel("joint_margin", 1, "deg", -10.0, 360.0, offset=150.0, scale=60.0,
                description="of the arm's nearest joint from the end of its range"),
        Channel("deviation", 2, "mm", -40.0, 40.0, scale=1.0, frame="seam", labels=SECTION, group=PRIVILEGED,
                description="of the wire from the true joint, now"),
        Channel("true_gap", 1, "mm", 0.0, 10.0, offset=1.0, scale=1.0, group=PRIVILEGED,
                description="root gap under the arc"),
        Channel("feed_factor", 1, "1", 0.5, 1.5, offset=1.0, scale=0.02, group=PRIVILEGED,
                description="metal that arrives over metal that is asked for"),
        Channel("last_legs", 2, "mm", 0.0, 30.0, offset=5.5, scale=1.0, group=PRIVILEGED,
                labels=("standing plate", "base plate"), description="of the newest millimetre"),
        Channel("accepted_share", 1, "1", 0.0, 1.0, group=PRIVILEGED,
                description="share of the inspected length that is welded and sound"),
    )  # fmt: skip
