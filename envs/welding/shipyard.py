"""A shipyard's acceptance of hull welds: IACS Recommendation 47 and the visual criteria of Korean Register.

Levels: "standard" is what the yard aims at, "limit" what may stay, "remedied" a fillet over a wide gap whose leg was
enlarged for it. Values as commonly reproduced from IACS Rec. 47, "Shipbuilding and Repair Quality Standard", part A,
and KR Rules part 2 (surface pores); check the revision in force before using them on a hull.
"""

from __future__ import annotations

import math

from .joint import BUTT, FILLET, LAP
from .standard import NONE, Limit, Rule, Standard

LEVELS = ("standard", "limit", "remedied")
ALL, FILLETS, BUTTS = (FILLET, LAP, BUTT), (FILLET, LAP), (BUTT,)
GAP_FREE_MM, GAP_LIMIT_MM, GAP_REMEDY_MM = 2.0, 3.0, 5.0


def _same(limit: Limit) -> dict[str, Limit]:
    return dict.fromkeys(LEVELS, limit)


def _levels(standard: Limit, limit: Limit) -> dict[str, Limit]:
    return {"standard": standard, "limit": limit, "remedied": limit}


RULES = (
    Rule("100", "crack", "crack_mm", ALL, _same(NONE)),
    Rule("2017", "surface pore", "pore_mm", ALL, _same(Limit(0.0, 0.25, "a", 3.0))),
    Rule("2025", "end crater pipe", "crater_mm", ALL, _same(NONE)),
    Rule("401", "lack of fusion", "lack_of_fusion_mm", ALL, _same(NONE)),
    Rule("4021", "incomplete root penetration", "incomplete_root_mm", BUTTS, _same(NONE)),
    Rule("5011", "undercut", "undercut_mm", BUTTS, _same(Limit(0.5))),
    Rule("5011", "undercut", "undercut_mm", FILLETS, _same(Limit(0.8))),
    Rule("502", "excess weld metal", "reinforcement_mm", BUTTS, _same(Limit(6.0))),
    Rule("505", "incorrect weld toe", "toe_angle_deg", BUTTS, _levels(Limit(120.0), Limit(90.0)), least=True,
         unit="deg"),
    Rule("506", "overlap", "overlap_mm", ALL, _same(NONE)),
    Rule("507", "linear misalignment", "mismatch_mm", BUTTS,
         _levels(Limit(0.0, 0.15, "t", 4.0), Limit(0.0, 0.2, "t", 4.0))),
    Rule("510", "burn-through", "burn_through_mm", ALL, _same(NONE)),
    Rule("511", "incompletely filled groove", "underfill_mm", BUTTS, _same(NONE)),
    Rule("5213", "throat below 0.9 of the design", "throat_short_mm", FILLETS,
         _same(Limit(0.0, 0.1, "a", short=True))),
    Rule("5213", "leg below 0.9 of the design", "leg_short_mm", FILLETS,
         _same(Limit(0.0, 0.1 * math.sqrt(2.0), "a", short=True))),
    Rule("5213", "leg not enlarged for the gap", "gap_leg_short_mm", FILLETS, _same(NONE)),
    Rule("617", "incorrect root gap for fillet welds", "gap_mm", FILLETS,
         {"standard": Limit(GAP_FREE_MM), "limit": Limit(GAP_LIMIT_MM), "remedied": Limit(GAP_REMEDY_MM)}),
)  # fmt: skip

SHIPYARD = Standard(
    "IACS Rec. 47 / KR", LEVELS, RULES,
    "visual and dimensional; values as commonly reproduced, to be checked against the revision in force",
)  # fmt: skip
