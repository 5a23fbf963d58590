"""ISO 5817:2014, quality levels for imperfections in fusion-welded joints of steel: B strict, C medium, D moderate.

Limits as they are publicly documented for the 2014 edition; numbers are ISO 6520-1. A grade from here is a training
signal and a way to read a weld, not a certificate: buy the standard before claiming conformity to it.

`a` stands for the nominal throat of a fillet and for the nominal thickness s of a butt weld.
"""

from __future__ import annotations

from .joint import BUTT, FILLET, LAP
from .standard import FREE, NONE, Limit, Rule, Standard

LEVELS = ("B", "C", "D")
ALL, FILLETS, BUTTS = (FILLET, LAP, BUTT), (FILLET, LAP), (BUTT,)


def _levels(d: Limit, c: Limit, b: Limit) -> dict[str, Limit]:
    return {"B": b, "C": c, "D": d}


def _t(share: float, most: float = float("inf"), base: float = 0.0, short: bool = False) -> Limit:
    return Limit(base, share, "t", most, short)


def _a(share: float, most: float = float("inf"), base: float = 0.0, short: bool = False) -> Limit:
    return Limit(base, share, "a", most, short)


def _b(share: float, most: float = float("inf"), base: float = 1.0) -> Limit:
    return Limit(base, share, "b", most)


_NEVER = _levels(NONE, NONE, NONE)
_HOLLOW = _levels(_t(0.2, 2.0, short=True), _t(0.1, 1.0, short=True), _t(0.05, 0.5, short=True))

RULES = (
    Rule("100", "crack", "crack_mm", ALL, _NEVER),
    Rule("104", "crater crack", "crater_crack_mm", ALL, _NEVER),
    Rule("2011", "gas pore, single", "internal_pore_mm", ALL, _levels(_a(0.4, 5.0), _a(0.3, 4.0), _a(0.2, 3.0))),
    Rule(
        "2017", "surface pore", "pore_mm", ALL,
        _levels(_a(0.3, 3.0), _a(0.2, 2.0), NONE), _levels(_a(0.3), NONE, NONE),
    ),
    Rule(
        "2025", "end crater pipe", "crater_mm", ALL,
        _levels(_t(0.2, 2.0), _t(0.1, 1.0), NONE), _levels(_t(0.2), NONE, NONE),
    ),
    Rule("401", "lack of fusion", "lack_of_fusion_mm", ALL, _NEVER),
    Rule(
        "4021", "incomplete root penetration", "incomplete_root_mm", BUTTS,
        _levels(_t(0.2, 2.0, short=True), NONE, NONE),
    ),
    Rule(
        "5011", "undercut", "undercut_mm", ALL,
        _levels(_t(0.2, 1.0), _t(0.1, 0.5), _t(0.05, 0.5)),
        _levels(_t(0.2, short=True), _t(0.1, short=True), NONE),
    ),
    Rule(
        "5013", "shrinkage groove", "shrinkage_groove_mm", BUTTS, _HOLLOW,
        _levels(_t(0.1, base=0.2, short=True), _t(0.1, short=True), NONE),
    ),
    Rule("502", "excess weld metal", "reinforcement_mm", BUTTS, _levels(_b(0.25, 10.0), _b(0.15, 7.0), _b(0.1, 5.0))),
    Rule("503", "excessive convexity", "convexity_mm", FILLETS, _levels(_b(0.25, 5.0), _b(0.15, 4.0), _b(0.1, 3.0))),
    Rule(
        "504", "excess penetration", "excess_root_mm", BUTTS,
        _levels(_b(1.0, 5.0), _b(0.6, 4.0), _b(0.2, 3.0)), _levels(_b(0.6), _b(0.3), _b(0.1)),
    ),
    Rule(
        "505", "incorrect weld toe", "toe_angle_deg", BUTTS,
        _levels(Limit(90.0), Limit(110.0), Limit(150.0)), least=True, unit="deg",
    ),
    Rule(
        "505", "incorrect weld toe", "toe_angle_deg", FILLETS,
        _levels(Limit(90.0), Limit(100.0), Limit(110.0)), least=True, unit="deg",
    ),
    Rule("506", "overlap", "overlap_mm", ALL, _levels(_b(0.2, base=0.0), NONE, NONE)),
    Rule("507", "linear misalignment", "mismatch_mm", BUTTS,
         _levels(_t(0.25, 5.0), _t(0.15, 4.0), _t(0.1, 3.0)),
         _levels(_t(0.25, base=0.2), _t(0.15, base=0.2), _t(0.1, base=0.2))),
    Rule("510", "burn-through", "burn_through_mm", ALL, _NEVER),
    Rule(
        "511", "incompletely filled groove", "underfill_mm", BUTTS,
        _levels(_t(0.25, 2.0, short=True), _t(0.1, 1.0, short=True), _t(0.05, 0.5, short=True)),
        _levels(_t(0.25, short=True), _t(0.1, short=True), NONE),
    ),
    Rule(
        "512", "excessive asymmetry of fillet weld", "asymmetry_mm", FILLETS,
        _levels(_a(0.2, base=2.0), _a(0.15, base=2.0), _a(0.15, base=1.5)),
    ),
    Rule(
        "515", "root concavity", "root_concavity_mm", BUTTS, _HOLLOW,
        _levels(_t(0.1, base=0.2, short=True), _t(0.1, short=True), NONE),
    ),
    Rule(
        "5213", "insufficient throat thickness", "throat_short_mm", FILLETS,
        _levels(_a(0.1, 2.0, 0.3, short=True), _a(0.1, 1.0, 0.3, short=True), NONE),
        _levels(_a(0.1, base=0.2, short=True), Limit(0.2, short=True), NONE),
    ),
    Rule(
        "5214", "excessive throat thickness", "throat_over_mm", FILLETS,
        _levels(FREE, _a(0.2, 4.0, 1.0), _a(0.15, 3.0, 1.0)),
    ),
    Rule(
        "617", "incorrect root gap for fillet welds", "gap_mm", FILLETS,
        _levels(_a(0.3, 4.0, 1.0), _a(0.2, 3.0, 0.5), _a(0.1, 2.0, 0.5)),
        _levels(_a(0.1, base=0.5), _a(0.1, base=0.3), _a(0.1, base=0.2)),
    ),
)  # fmt: skip

ISO_5817 = Standard(
    "ISO 5817:2014", LEVELS, RULES,
    "visual and dimensional; cracks, internal pores, root concavity and shrinkage grooves are outside the model",
)  # fmt: skip
