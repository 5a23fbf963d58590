"""What varies between gets and puts, and what a controller sees of it: start terms and channels of `WaferSlot`.

Ranges of carrier, slot and teaching errors are engineering judgement around the tolerances of SEMI E47.1 and E62;
a manual teaching is accurate to about 0.25 mm.
"""

from __future__ import annotations

from ..engine.start import Choice, LogUniform, Normal, Term, Uniform
from ..sensing import PRIVILEGED, Channel
from .slot_clearance import HAZARDS

NEIGHBOURS = ("wafer", "below", "above")
IN_POSITION_M = 0.3e-3  # of the station, of the arm's in-position signal

START: tuple[Term, ...] = (
    Choice("slot", 2, 24, "1", description="slot of the carrier, counted from below"),
    Choice("below", 0, 1, "1", description="1: the slot below is taken"),
    Choice("above", 0, 1, "1", description="1: the slot above is taken"),
    Uniform("start_height", -6.0, 6.0, "mm", description="pads above where a wafer is expected, at the start"),
    Uniform("tilt", -0.15, 0.15, "deg", size=2, description="roll and pitch of the carrier about the slot"),
    Uniform("teach_error", -0.2, 0.2, "mm", size=3, description="carrier against its taught place"),
    Uniform("slot_error", -0.15, 0.15, "mm", size=3, description="heights of the slot, the one below, the one above"),
    Uniform("shelf_skew", -0.1, 0.1, "mm", description="left shelf above the right one"),
    Normal("mapping_error", -0.3, 0.3, "mm", size=3, cut=3.0, description="error of each mapped height"),
    Uniform("warp", -0.3, 0.3, "mm", size=3, description="rim minus centre of the wafer and of its neighbours"),
    Uniform("wafer_offset", -0.3, 0.3, "mm", size=2, description="wafer off the middle of slot (get) or paddle (put)"),
    Uniform("droop", 0.3, 0.6, "mm", description="sag of the empty arm at full extension; it is taught for 0.45 mm"),
    Uniform("friction", 0.25, 0.50, "1", description="Coulomb friction of the cups"),
    Uniform("frequency", 12.0, 20.0, "Hz", description="lateral mode of the arm at full extension"),
    Uniform("sag_frequency", 15.0, 24.0, "Hz", description="vertical mode of the arm with a wafer"),
    Uniform("damping_ratio", 0.01, 0.04, "1", description="damping ratio of both modes"),
    Uniform("supply", -66.0, -54.0, "kPa", description="vacuum supply against the atmosphere"),
    Uniform("vacuum_tau", 0.05, 0.12, "s", description="time constant of the manifold without leaks"),
    LogUniform("seal_leak", 0.003, 0.03, "1", description="leak of a sealed cup and its line over the supply's"),
    Uniform("fault_draw", 0.0, 1.0, "1", description="below 0.02: cross-slotted wafer (get) or slot taken (put)"),
)  # fmt: skip

CHANNELS: tuple[Channel, ...] = (
    Channel("to_station", 1, "m", -0.01, 0.55, offset=0.22, scale=0.15, frame="station", noise=2e-6, quantization=1e-6,
            description="way of the paddle to the taught station, from the encoders"),
    Channel("at_station", 1, "1", 0.0, 1.0,
            description=f"1: the arm reports itself in position, within {1000 * IN_POSITION_M:g} mm of the station"),
    Channel("radial_speed", 1, "m/s", -2.0, 2.0, scale=0.7, frame="station", noise=1e-3,
            description="speed of the paddle towards the station"),
    Channel("height", 1, "mm", -40.0, 40.0, scale=3.0, frame="station", noise=2e-3, quantization=1e-3,
            description="pads above where a wafer in the slot is expected, from lift, mapping and teaching"),
    Channel("height_rate", 1, "mm/s", -600.0, 600.0, scale=40.0, frame="station", noise=1.0,
            description="speed of the lift"),
    Channel("pressure", 1, "kPa", -101.0, 5.0, offset=-25.0, scale=25.0, noise=0.2,
            description="gauge pressure in the manifold of the cups"),
    Channel("vacuum_switch", 1, "1", 0.0, 1.0, description="1: the pressure says that a wafer is held"),
    Channel("mapped_gap", 2, "mm", -2.0, 12.0, offset=9.2, scale=2.0, labels=("below", "above"),
            description="free height below and above a wafer in the slot as mapped; 12 beside an empty slot"),
    Channel("taken", 2, "1", 0.0, 1.0, labels=("below", "above"), description="whether the mapper saw a neighbour"),
    Channel("mapped_thickness", 1, "mm", 0.0, 12.0, offset=1.0, scale=1.0,
            description="what the mapper saw of the slot: about 0.8 a wafer, much more a cross-slotted one, 0 empty"),
    Channel("abort_request", 1, "1", 0.0, 1.0, description="share of the time for which an abort must be requested"),
    Channel("tilt", 2, "deg", -1.0, 1.0, group=PRIVILEGED, labels=("roll", "pitch"), description="of the carrier"),
    Channel("touch_height", 1, "mm", -5.0, 5.0, group=PRIVILEGED, frame="station",
            description="height at which the pads really meet a level wafer in the slot"),
    Channel("warp", 3, "mm", -2.0, 2.0, group=PRIVILEGED, labels=NEIGHBOURS, description="rim minus centre"),
    Channel("friction", 1, "1", 0.0, 1.0, group=PRIVILEGED, description="friction of the cups"),
    Channel("leak", 1, "1", 0.0, 10.0, group=PRIVILEGED, description="present leak as a share of the supply's"),
    Channel("clearance_now", len(HAZARDS), "mm", -12.0, 50.0, group=PRIVILEGED, labels=HAZARDS,
            description="smallest distance from each hazard during the last step"),
    Channel("slip_mm", 1, "mm", 0.0, 20.0, group=PRIVILEGED, description="slip of the wafer on the paddle"),
)  # fmt: skip
