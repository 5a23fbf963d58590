"""What varies in WeldGapFill and what is seen of it: start distribution and observation channels.

Ranges without a source in the task's references are engineering judgement: fit-up of tacked plates, a seam sensor that
gives gaps in steps of 0.1 mm, wire and contact tips from new to worn.
"""

from __future__ import annotations

from ..engine.start import Normal, Term, Uniform
from ..sensing import PRIVILEGED, Channel
from .gap_fill_fit_up import AHEAD_MM, WAVES
from .gap_fill_work import TRIM_V, WEAVE_MM, Work
from .joint import BUTT

BEHIND_MM = 15.0  # place of the trailing profile behind the arc


def start_terms(robot: bool = False) -> tuple[Term, ...]:
    """What varies from seam to seam, and from machine to machine; with a robot, how the part lies as well."""

    def error(name: str, sigma: float, unit: str, text: str) -> Term:
        return Normal(name, -3.0 * sigma, 3.0 * sigma, unit, 1, text)

    return (
        Uniform("gap_mean", 0.1, 0.8, "1", description="mean gap, as a share of the range that the joint can have"),
        Uniform("gap_slope", -0.5, 0.5, "1", description="opening from end to end, as a share of that range"),
        Uniform("gap_variation", 0.0, 0.25, "1", description="waviness of the gap, as a share of that range"),
        Normal("gap_waves", -2.0, 2.0, "1", WAVES, "waviness at knots along the seam", cut=2.0),
        Uniform("step_place", 0.1, 0.9, "1", description="where a plate edge has a nick, as a share of the length"),
        Uniform("step_size", -0.3, 0.3, "1", description="change of the gap there, as a share of the range"),
        error("scan_bias", 0.02, "mm", "gap read too wide, from calibration and edge radius"),
        Uniform("scan_noise", 0.04, 0.08, "mm", description="standard deviation of a reading of the gap"),
        Uniform("scan_shift", -0.5, 0.5, "mm", description="readings stored too far ahead, from latency and mounting"),
        error("efficiency_error", 0.005, "1", "relative error of the deposition efficiency"),
        Uniform("feed_slip", 0.0, 0.01, "1", description="wire that the drive rolls turn for and do not feed"),
        error("burn_off_error", 0.01, "1", "relative error of the burn-off, from wire batch and contact tip"),
        error("ctwd_error", 0.2, "mm", "contact tip further from the work than the procedure says"),
        error("aim_error", 0.1, "mm", "arc beside the root, towards the standing or upper plate"),
        Uniform("plate_temperature", 15.0, 30.0, "degC", description="of the plates before the weld"),
        *((Uniform("part_turn", -0.1, 0.1, "deg", 2, "turn of the part from the taught path: about the vertical, "
                   "which moves the aim along the seam, and uphill, which moves the distance"),) if robot else ()),
    )  # fmt: skip


def channels(work: Work, length_mm: float) -> tuple[Channel, ...]:
    """What the controller sees, and what only simulation knows."""
    widest = work.gap_mm[1]
    ahead = tuple(f"{x:g} mm ahead" for x in AHEAD_MM)
    feed_low, feed_high = work.feed_m_min
    if work.kind == BUTT:
        profile = Channel("bead_profile", 2, "mm", (0.0, -5.0), (30.0, 8.0), offset=(6.0, 0.5), scale=(2.0, 1.0),
                          noise=0.05, labels=("width", "height"),
                          description=f"cap {BEHIND_MM:g} mm behind the arc; 0 before there is one")  # fmt: skip
    else:
        leg = 1.4 * work.throat_mm
        profile = Channel("bead_profile", 3, "mm", 0.0, 30.0, offset=(leg, leg, work.throat_mm),
                          scale=(1.5, 1.5, 1.0), noise=0.05, labels=("leg 1", "leg 2", "height"),
                          description=f"legs and height over the root {BEHIND_MM:g} mm behind the arc, as a laser line "
                                      "measures them; 0 before there is a bead")  # fmt: skip
    return (
        Channel("gap_ahead", len(AHEAD_MM), "mm", 0.0, 10.0, offset=0.5 * widest, scale=0.5 * widest, frame="seam",
                labels=ahead, description="gap as the laser line has read it, by place"),
        Channel("wire_feed", 1, "m/min", 0.0, 30.0, offset=0.5 * (feed_low + feed_high),
                scale=0.5 * (feed_high - feed_low), description="from the encoder of the drive rolls"),
        Channel("travel_speed", 1, "mm/s", 0.0, 30.0, offset=8.0, scale=5.0, frame="seam",
                description="of the torch along the seam"),
        Channel("voltage_trim", 1, "V", -TRIM_V, TRIM_V, description="in force, over the synergic line"),
        Channel("weave", 1, "mm", 0.0, WEAVE_MM, description="amplitude in force, to each side"),
        Channel("current", 1, "A", 0.0, 700.0, offset=200.0, scale=80.0, noise=4.0,
                description="mean of the last step"),
        Channel("voltage", 1, "V", 0.0, 60.0, offset=26.0, scale=6.0, noise=0.2,
                description="between contact tip and work, mean of the last step"),
        profile,
        Channel("seam_position", 1, "mm", 0.0, length_mm, description="of the arc along the seam"),
        Channel("gap_now", 1, "mm", 0.0, 10.0, offset=0.5 * widest, scale=0.5 * widest, group=PRIVILEGED,
                description="true gap at the arc"),
        Channel("throat_now", 1, "mm", 0.0, 30.0, offset=work.throat_mm, scale=1.0, group=PRIVILEGED,
                description="throat, or filled thickness, of the last millimetre"),
        Channel("deposit_factor", 1, "1", 0.5, 1.5, offset=1.0, scale=0.05, group=PRIVILEGED,
                description="metal that arrives over metal that the set-points promise"),
        Channel("distance_error", 1, "mm", -10.0, 10.0, scale=1.0, group=PRIVILEGED,
                description="contact-tip distance over that of the procedure"),
        Channel("aim", 1, "mm", -5.0, 5.0, scale=0.5, group=PRIVILEGED, description="arc beside the root"),
        Channel("plate", 1, "degC", -20.0, 400.0, offset=20.0, scale=50.0, group=PRIVILEGED,
                description="temperature of the plates"),
        Channel("accepted_share", 1, "1", 0.0, 1.0, group=PRIVILEGED,
                description="share of the welded length that keeps the required level millimetre by millimetre"),
    )  # fmt: skip
