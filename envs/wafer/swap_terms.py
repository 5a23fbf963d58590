"""What varies from swap to swap, and what a controller sees of it: start terms and channels of `WaferSwap`.

Ranges are engineering judgement around usual figures of 300 mm tools and unverified where no source is named: vendors
keep pad friction to themselves, and elastomer pads lose friction when they are hot. Slit valves take 0.5 to 2 s; manual
teaching is good to about 0.25 mm.
"""

from __future__ import annotations

from ..engine.start import Normal, Term, Uniform
from ..sensing import PRIVILEGED, Channel
from .swap_clearance import HAZARDS
from .swap_motion import EVENTS

ARMS = ("a", "b")
HANDOFFS = ("pins_processed", "pads_processed", "pins_fresh", "pedestal_fresh")


def start_terms() -> tuple[Term, ...]:
    """What varies from swap to swap, and from tool to tool."""

    def error(name: str, sigma: float, unit: str, text: str, size: int = 1) -> Term:
        return Normal(name, -3.0 * sigma, 3.0 * sigma, unit, size, text)

    return (
        Uniform("start_angle", -0.6, 0.6, "rad", description="paddles off the direction of the module, at the start"),
        Uniform("gate_time", 0.5, 2.0, "s", description="opening time of the slit valve"),
        Uniform("shut_ratio", 0.85, 1.15, "1", description="its shutting time over its opening time"),
        error("gate_error", 0.05, "1", "relative error of the estimated gate time"),
        Uniform("switch_delay", 0.02, 0.06, "s", description="from the end of the gate's way to its switch"),
        Uniform("friction", 0.14, 0.35, "1", description="Coulomb friction of arm b's pads on a cold wafer"),
        Uniform("hot_ratio", 0.6, 1.0, "1", description="friction of arm a's pads on the hot wafer over that"),
        error("friction_error", 0.05, "1", "relative error of the friction estimates of arms a and b", 2),
        Uniform("frequency", 15.0, 22.0, "Hz", description="radial mode of the arms at the station"),
        error("frequency_error", 0.03, "1", "relative error of the frequency estimate"),
        Uniform("damping_ratio", 0.01, 0.03, "1", description="damping ratio of the arms' modes"),
        Uniform("paddle_tilt", -0.08, 0.08, "deg", 2, "tilt of each paddle, positive with the tip down"),
        Uniform("teach_error", -0.08, 0.08, "mm", 2, "module against its taught place, along and across"),
        Uniform("teach_height", -0.25, 0.25, "mm", description="module above its taught height"),
        Uniform("processed_offset", -0.1, 0.1, "mm", 2, "processed wafer off the middle of the pedestal"),
        Uniform("fresh_offset", -0.08, 0.08, "mm", 2, "fresh wafer off the middle of its paddle, after centring"),
        Uniform("heating", 50.0, 400.0, "K", description="processed wafer above room temperature"),
    )


def channels() -> tuple[Channel, ...]:
    """What the policy sees, and what only simulation knows."""
    return (
        Channel("gate_switches", 2, "1", 0.0, 1.0, labels=("open", "shut"), description="end switches of the gate"),
        Channel("gate_clock", 1, "s", 0.0, 15.0, offset=1.0, scale=1.0,
                description="time since the gate was last told to move"),
        Channel("gate_estimate", 1, "s", 0.2, 4.0, offset=1.25, scale=0.5,
                description="time that the gate is expected to take, from past cycles"),
        Channel("pin_switches", 2, "1", 0.0, 1.0, labels=("up", "down"), description="end switches of the pins"),
        Channel("turn_left", 1, "rad", -0.8, 0.8, scale=0.3, frame="station", noise=2e-5, quantization=1.745e-5,
                description="from the paddles to the direction of the module, encoder"),
        Channel("to_station", 2, "m", -0.01, 0.7, offset=0.3, scale=0.25, frame="station", noise=2e-6,
                quantization=1e-6, labels=ARMS, description="way of each paddle to the taught station, encoders"),
        Channel("radial_speed", 2, "m/s", -1.5, 1.5, scale=0.6, frame="station", noise=1e-3, labels=ARMS,
                description="speed of each paddle towards the station"),
        Channel("lift_height", 1, "mm", -30.0, 30.0, offset=-4.0, scale=8.0, frame="station", noise=2e-3,
                quantization=1e-3, description="pads of arm a above the tips of the lifted pins, as taught"),
        Channel("begun", len(EVENTS), "1", 0.0, 1.0, labels=EVENTS,
                description="steps of the sequence that have begun"),
        Channel("friction_estimate", 2, "1", 0.02, 0.6, offset=0.22, scale=0.08, labels=ARMS,
                description="friction of each end effector as past swaps suggest it"),
        Channel("frequency_estimate", 1, "Hz", 8.0, 35.0, offset=18.5, scale=3.0,
                description="radial mode of the arms as past moves suggest it"),
        Channel("friction", 2, "1", 0.02, 0.6, offset=0.22, scale=0.08, labels=ARMS, group=PRIVILEGED,
                description="friction of each end effector"),
        Channel("gate_time", 2, "s", 0.1, 5.0, labels=("open", "shut"), group=PRIVILEGED,
                description="time that the gate takes"),
        Channel("gate_opening", 1, "m", -0.01, 0.08, scale=0.04, group=PRIVILEGED, description="way of the gate"),
        Channel("slip_mm", 2, "mm", 0.0, 20.0, scale=0.5, labels=("processed", "fresh"), group=PRIVILEGED,
                description="slip of each wafer on its paddle"),
        Channel("clearance_now", len(HAZARDS), "mm", -50.0, 50.0, labels=HAZARDS, group=PRIVILEGED,
                description="smallest distance from each hazard during the last step"),
        Channel("deflection_mm", 2, "mm", -20.0, 20.0, scale=0.3, frame="paddle", labels=ARMS, group=PRIVILEGED,
                description="radial deflection of each arm"),
        Channel("teach_height", 1, "mm", -1.0, 1.0, scale=0.25, group=PRIVILEGED,
                description="module above its taught height"),
    )  # fmt: skip
