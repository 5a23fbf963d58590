"""What varies in WaferTransferLot and what a controller sees of it: start distribution and observation channels.

Ranges of pads come from `configs/wafer/pads.yaml`. The others are engineering judgement: temperatures of wafers that
come out of processes, what a beam sensor pair measures, droop and modes of vacuum arms.
"""

from __future__ import annotations

from ...assets.cells.transfer_chamber import STATIONS
from ..engine.start import Choice, Normal, Term, Uniform
from ..sensing import PRIVILEGED, Channel
from .pads import pad_terms

LEGS = ("retract", "turn", "extend")
TRANSFERS = 2
MOVES = TRANSFERS * len(LEGS)
HISTORY = MOVES - 1
OFFSET_SIGMA_MM = 0.03  # of each coordinate of a measured offset


def start_terms(first: int, last: int, offset_sigma_mm: float, frequency_error: float) -> tuple[Term, ...]:
    """What varies from lot to lot; pads are of one of the sets `first` to `last`."""

    def error(name: str, sigma: float, unit: str, text: str, size: int = 1, cut: float = 3.0) -> Term:
        return Normal(name, -cut * sigma, cut * sigma, unit, size, text, cut=cut)

    return (
        *pad_terms(first, last),
        Uniform("pad_celsius", 25.0, 150.0, "degC", description="temperature of the pads when the lot begins"),
        Uniform("wafer_celsius", 50.0, 300.0, "degC", description="temperature of the wafers, by the recipe"),
        Uniform("heat_share", 0.1, 0.4, "1", description="share of the difference that a move takes off the pads"),
        Choice("station", 0, len(STATIONS) - 1, "1", description="station at which the lot begins"),
        Choice("turn", 1, len(STATIONS) - 1, "1", size=TRANSFERS, description="stations further, each transfer"),
        Uniform("reach", 0.86, 0.98, "m", size=TRANSFERS + 1, description="wafer centre in the stations"),
        Uniform("retracted", 0.40, 0.60, "m", size=TRANSFERS, description="wafer centre during a turn"),
        Uniform("droop", -0.2, 0.2, "deg", description="tilt of the paddle, positive with the tip down"),
        Uniform("frequency", 10.0, 20.0, "Hz", description="frequency of the lowest mode"),
        Uniform("damping_ratio", 0.01, 0.03, "1", description="damping ratio of the lowest mode"),
        error("frequency_error", frequency_error, "1", "relative error of the frequency estimate"),
        error("offset_noise", offset_sigma_mm, "mm", "error of the measured offsets, two for each move", 2 * MOVES),
    )


def channels(sets: tuple[str, ...]) -> tuple[Channel, ...]:
    """What the policy sees, and what only simulation knows."""
    ago = tuple(f"{k} ago" for k in range(1, HISTORY + 1))
    both = tuple(f"{k}, {axis}" for k in ago for axis in ("along", "across"))
    return (
        Channel("move_number", 1, "1", 0.0, float(MOVES), offset=2.5, scale=1.7, description="moves of the lot before"),
        Channel("move_begins", 1, "1", 0.0, 1.0, offset=0.5, scale=0.5,
                description="1 when the coming set-points are those of a new move"),
        Channel("pad_set", 1, "1", 0.0, float(max(1, len(sets) - 1)), description="kind of pads: " + ", ".join(
            f"{k} {name}" for k, name in enumerate(sets))),
        Channel("pad_celsius", 1, "degC", 0.0, 400.0, offset=150.0, scale=80.0, noise=1.0,
                description="temperature of the pads"),
        Channel("wafer_celsius", 1, "degC", 0.0, 400.0, offset=175.0, scale=80.0,
                description="temperature of the wafers, by the recipe"),
        Channel("nominal_friction", 1, "1", 0.0, 1.5, offset=0.35, scale=0.2,
                description="friction of unworn average pads at their temperature, by the data sheet"),
        Channel("frequency_estimate", 1, "Hz", 2.0, 30.0, offset=15.0, scale=3.0,
                description="frequency of the lowest mode as past moves suggest it"),
        Channel("path_length", 1, "m", 0.0, 2.5, offset=0.7, scale=0.4, frame="path", description="length of move"),
        Channel("path_curvature", 1, "1/m", 0.0, 2.6, offset=1.0, scale=1.0, frame="path",
                description="0 on a line, 1/radius on an arc"),
        Channel("path_outward", 1, "1", -1.0, 1.0, scale=1.0, frame="path",
                description="1 on a line outward, -1 on a line inward, 0 on an arc"),
        Channel("path_remaining", 1, "m", 0.0, 2.5, offset=0.4, scale=0.4, frame="path",
                description="commanded distance to the target"),
        Channel("past_offset_mm", 2 * HISTORY, "mm", -20.0, 20.0, scale=0.5, frame="paddle", labels=both,
                description="measured offset of the wafer after each move of the lot, last move first; 0 before"),
        Channel("past_launch", HISTORY, "1", 0.0, 2.5, scale=0.6, offset=0.0, labels=ago,
                description="launch utilization of each move, last move first; 0 before"),
        Channel("past_acceleration", HISTORY, "1", 0.0, 2.5, scale=0.6, offset=0.0, labels=ago,
                description="acceleration utilization of each move, last move first; 0 before"),
        Channel("past_deceleration", HISTORY, "1", 0.0, 2.5, scale=0.6, offset=0.0, labels=ago,
                description="deceleration utilization of each move, last move first; 0 before"),
        Channel("past_period", HISTORY, "s", 0.0, 0.25, scale=0.07, offset=0.0, labels=ago,
                description="averaging period of each move, last move first; 0 before"),
        Channel("friction", 1, "1", 0.0, 1.5, offset=0.35, scale=0.2, group=PRIVILEGED, description="friction now"),
        Channel("droop", 1, "rad", -0.01, 0.01, group=PRIVILEGED, description="tilt of the paddle, tip down"),
        Channel("frequency", 1, "Hz", 2.0, 30.0, group=PRIVILEGED, description="frequency of the lowest mode"),
        Channel("damping_ratio", 1, "1", 0.0, 0.1, group=PRIVILEGED, description="damping ratio of that mode"),
        Channel("slip_mm", 1, "mm", 0.0, 20.0, scale=1.0, group=PRIVILEGED, description="largest slip in this move"),
        Channel("slipped", 1, "1", 0.0, float(MOVES), scale=1.0, offset=0.0, group=PRIVILEGED,
                description="wafers that slipped out of tolerance"),
    )  # fmt: skip
