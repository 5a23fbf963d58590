"""What varies in WaferCenter and what is seen of it: start distribution and observation channels.

Ranges without a source in the task's references are engineering judgement: offsets that cassettes and load locks leave,
scatter and drift of photoelectric sensors, aligners to a few tenths of a degree, arms that warm by up to 20 K.
"""

from __future__ import annotations

import numpy as np

from ...assets.cells.transfer_chamber import STATIONS
from ..engine.start import Choice, LogUniform, Normal, Term, Uniform
from ..sensing import PRIVILEGED, Channel
from .centering import EDGES

MODULES = tuple(name for name in STATIONS if name.startswith("process"))
FAR_MM = 20.0  # a notch that is further from an edge is simply far
HISTORY = 3  # wafers of the lot whose placement is known


def start_terms() -> tuple[Term, ...]:
    """What varies from wafer to wafer, and from machine to machine."""

    def error(name: str, sigma: float, unit: str, text: str, size: int = 1, cut: float = 3.0) -> Term:
        return Normal(name, -cut * sigma, cut * sigma, unit, size, text, cut=cut)

    return (
        Choice("station", 0, len(MODULES) - 1, "1", description="process module"),
        error("offset", 0.6, "mm", "wafer's centre on the paddle, along and across", 2),
        Uniform("notch_angle", -np.pi, np.pi, "rad", description="direction of the notch on the paddle"),
        Choice("notch_edge", 0, 39, "1", description="0 to 3: this edge passes its beam near the notch; else any"),
        Uniform("notch_place", -1.2, 1.2, "mm", description="how near, along the rim"),
        error("notch_error", 0.2, "deg", "direction of the notch, as the aligner and two hand-offs leave it"),
        Uniform("heating", 0.0, 400.0, "K", description="wafer above room temperature, by the recipe"),
        error("heating_error", 10.0, "K", "true temperature less the recipe's"),
        error("radius_error", 0.01, "mm", "deviation of the cold wafer's radius"),
        Uniform("friction", 0.10, 0.35, "1", description="Coulomb friction of the pads"),
        error("friction_error", 0.05, "1", "relative error of the friction estimate"),
        Uniform("frequency", 10.0, 20.0, "Hz", description="frequency of the arm's lowest mode"),
        Uniform("damping_ratio", 0.01, 0.03, "1", description="damping ratio of that mode"),
        error("frequency_error", 0.03, "1", "relative error of the frequency estimate"),
        LogUniform("jitter", 2.0, 50.0, "us", description="standard deviation of a sensor's response time"),
        error("edge_noise", 1.0, "1", "jitter of each edge, in standard deviations", 4, cut=4.0),
        error("delay_error", 15.0, "us", "constant error of each edge's response time", 4),
        error("encoder_noise", 2.0, "um", "error of each latched position", 4),
        error("beam_error", 0.03, "mm", "motion of each beam since the calibration, along and across", 4),
        Uniform("arm_rise", 0.0, 20.0, "K", description="steady-state warming of the links"),
        Uniform("arm_twist", -0.3, 0.3, "mrad", description="steady-state twist of the column"),
        Uniform("time_constant", 900.0, 3600.0, "s", description="of the arm's warming"),
        Uniform("cycle", 40.0, 120.0, "s", description="time from wafer to wafer"),
        Choice("wafer_number", HISTORY, 24, "1", description="wafers of the lot before this one"),
        error("metrology_noise", 0.02, "mm", "error of each coordinate of each past placement", 2 * HISTORY),
    )


def channels() -> tuple[Channel, ...]:
    """What the policy sees, and what only simulation knows."""
    axes = ("along", "across")
    past = tuple(f"{ago} ago, {axis}" for ago in range(HISTORY, 0, -1) for axis in axes)
    return (
        Channel("friction_estimate", 1, "1", 0.02, 0.5, offset=0.225, scale=0.08,
                description="friction coefficient as past moves suggest it"),
        Channel("frequency_estimate", 1, "Hz", 2.0, 30.0, offset=15.0, scale=3.0,
                description="frequency of the lowest mode as past moves suggest it"),
        Channel("jitter_us", 1, "us", 0.0, 250.0, offset=20.0, scale=20.0,
                description="standard deviation of the sensors' response time, from commissioning"),
        Channel("heating", 1, "K", -50.0, 600.0, offset=200.0, scale=120.0,
                description="wafer above room temperature, by the recipe"),
        Channel("notch_arc_mm", 4, "mm", -FAR_MM, FAR_MM, scale=4.0, labels=EDGES,
                description="from the edge of a centred wafer to its notch along the rim, by the aligner"),
        Channel("wafer_number", 1, "1", 0.0, 25.0, offset=13.0, scale=7.0, description="wafers of the lot before"),
        Channel("past_placement_mm", 2 * HISTORY, "mm", -1.0, 1.0, scale=0.06, frame="station", labels=past,
                description="placement errors of the wafers before by the controller's correction, from metrology"),
        Channel("path_remaining", 1, "m", -0.01, 0.7, offset=0.3, scale=0.2, frame="path",
                description="commanded distance to the station"),
        Channel("path_speed", 1, "m/s", 0.0, 0.9, offset=0.3, scale=0.2, frame="path", description="commanded speed"),
        Channel("pass_speed", 1, "m/s", 0.0, 0.9, offset=0.35, scale=0.2, frame="path",
                description="speed past the beams in force, 0 before the first step"),
        Channel("edges_latched", 4, "1", 0.0, 1.0, labels=EDGES, description="1 once the edge has been latched"),
        Channel("edge_deviation_mm", 4, "mm", -20.0, 20.0, scale=1.0, frame="path", labels=EDGES,
                description="latched position less that of the golden wafer, response time taken off; 0 before"),
        Channel("fit_offset_mm", 2, "mm", -20.0, 20.0, scale=0.7, frame="paddle", labels=axes,
                description="wafer's centre by the controller's circle fit; 0 before the last edge"),
        Channel("fit_radius_mm", 1, "mm", -20.0, 20.0, scale=0.3, frame="paddle",
                description="radius of that fit less the one that the recipe's temperature gives"),
        Channel("fit_skew_mm", 1, "mm", -20.0, 20.0, scale=0.3, frame="paddle",
                description="centre of the chord at beam 0 less that at beam 1: 0 on a circle"),
        Channel("offset_mm", 2, "mm", -3.0, 3.0, scale=0.7, frame="paddle", labels=axes, group=PRIVILEGED,
                description="wafer's centre on the paddle at the start"),
        Channel("drift_mm", 2, "mm", -0.6, 0.6, scale=0.1, frame="station", labels=axes, group=PRIVILEGED,
                description="drift of the arm that the beams do not see"),
        Channel("growth_mm", 1, "mm", -0.2, 0.6, scale=0.1, group=PRIVILEGED, description="growth of the radius"),
        Channel("notch_edge", 1, "1", -1.0, 3.0, scale=2.0, group=PRIVILEGED,
                description="edge that passes near the notch, -1 for none on purpose"),
        Channel("friction", 1, "1", 0.02, 0.5, group=PRIVILEGED, description="friction coefficient"),
        Channel("frequency", 1, "Hz", 2.0, 30.0, group=PRIVILEGED, description="frequency of the lowest mode"),
        Channel("slip_mm", 1, "mm", 0.0, 20.0, scale=1.0, group=PRIVILEGED, description="largest slip so far"),
        Channel("error_mm", 2, "mm", -900.0, 900.0, scale=200.0, frame="station", labels=axes, group=PRIVILEGED,
                description="wafer's centre from the station's centre"),
    )  # fmt: skip
