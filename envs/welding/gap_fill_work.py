"""The work of WeldGapFill: joint, wire, gas, the ranges that a power source offers for them, and its synergic line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from .arc import SOURCE_RESISTANCE, load_line
from .consumables import CO2, M21, Gas, Wire, solid_wire
from .electrode import current_for_feed, melting_rate
from .joint import BUTT, FILLET, KINDS, LAP, Joint, make_joint

Array = NDArray[np.float64]

GASES = {"co2": CO2, "mix": M21}
MM_S_PER_M_MIN = 1000.0 / 60.0
# Plate thickness, wire and contact-tip distance unless others are asked for, and the thickness that one pass can join.
_USUAL = {FILLET: (6.0, 1.2, 18.0), LAP: (3.2, 1.0, 15.0), BUTT: (3.2, 1.0, 15.0)}
_THICKNESS = {FILLET: (3.0, 12.0), LAP: (2.0, 5.0), BUTT: (2.0, 4.0)}
# Gaps that occur, as shares of throat (fillet, lap) or thickness (butt). Beyond about 0.4 of the throat the missing leg
# of a fillet in one pass is no longer made up within ISO 5817-C, and yards chamfer or build up instead.
_GAPS = {FILLET: (0.0, 0.40), LAP: (0.0, 0.5), BUTT: (0.12, 0.45)}
_ROLL_DEG = {FILLET: 45.0, LAP: 0.0, BUTT: 0.0}
ARC_LENGTH_MM = 3.0  # for which the synergic line is made
TRIM_V, WEAVE_MM = 3.0, 3.0
TRAVEL_MM_S = (2.5, 14.0)


@dataclass(frozen=True)
class Work:
    """What is welded with what.

    Attributes:
        kind: of the joint, one of `joint.KINDS`.
        thickness_mm, throat_mm: of the plates, and nominal throat (nominal thickness of a butt weld).
        wire, gas: consumables.
        ctwd_mm: contact-tip distance that the procedure asks for.
        roll_deg: position of welding: 45 horizontal fillet (PB), 0 flat (PA).
        gap_mm: smallest and largest gap that occurs.
        feed_m_min: range of the wire feed.
    """

    kind: str
    thickness_mm: float
    throat_mm: float
    wire: Wire
    gas: Gas
    ctwd_mm: float
    roll_deg: float
    gap_mm: tuple[float, float]
    feed_m_min: tuple[float, float]

    def joint(self, n: int) -> Joint:
        """The joint of n rows."""
        return make_joint(n, self.kind, self.thickness_mm, self.throat_mm)

    def source_voltage(self, feed_m_min: Array, trim_v: Array) -> Array:
        """Open-circuit voltage (n,) of the synergic line: what the source adds to a wire feed by itself, and the trim.

        The line is the load line of IEC 60974-1 at the current that the feed takes at the nominal distance.
        """
        extension = np.full_like(feed_m_min, self.ctwd_mm - ARC_LENGTH_MM)
        current = current_for_feed(MM_S_PER_M_MIN * feed_m_min, extension, self.wire.alpha, self.wire.beta)  # type: ignore[arg-type]
        return load_line(current) + SOURCE_RESISTANCE * current + trim_v


def make_work(
    joint: str = FILLET, thickness_mm: float | None = None, wire_mm: float | None = None, gas: str = "co2"
) -> Work:
    """The work from the arguments of the task.

    Raises:
        ShopfloorError: for a joint or gas that is not known, or a thickness that one pass does not join.
    """
    if joint not in KINDS:
        raise ShopfloorError(f"joint must be one of {', '.join(KINDS)}, got {joint!r}")
    if gas not in GASES:
        raise ShopfloorError(f"gas must be one of {', '.join(GASES)}, got {gas!r}")
    usual_thickness, usual_wire, ctwd = _USUAL[joint]
    thickness = usual_thickness if thickness_mm is None else float(thickness_mm)
    low, high = _THICKNESS[joint]
    if not low <= thickness <= high:
        raise ShopfloorError(
            f"thickness_mm of a {joint} in one pass must lie in [{low:g}, {high:g}], got {thickness:g}"
        )
    throat = {FILLET: min(2.0 * thickness / 3.0, 5.0), LAP: 0.625 * thickness, BUTT: thickness}[joint]
    wire = solid_wire(usual_wire if wire_mm is None else wire_mm)
    size = wire.diameter_mm / 1.2
    # 100 to 310 A with 1.2 mm wire
    ends = np.array([100.0, 310.0]) * np.array([size**1.2, size**1.3])
    feeds = melting_rate(ends, np.full(2, ctwd - ARC_LENGTH_MM), wire.alpha, wire.beta) / MM_S_PER_M_MIN  # type: ignore[arg-type]
    share = throat if joint != BUTT else thickness
    gaps = (round(_GAPS[joint][0] * share, 2), round(_GAPS[joint][1] * share, 2))
    feed = (round(float(feeds[0]), 1), round(float(feeds[1]), 1))
    return Work(joint, thickness, throat, wire, GASES[gas], ctwd, _ROLL_DEG[joint], gaps, feed)
