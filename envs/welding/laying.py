"""Pictures of a weld: the bead as far as it is laid, and the arc, from the slices of the process."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...assets.parts.weldments_bead import RIPPLE, Bead, butt_bead, cooling, draw_arc, draw_bead, fillet_bead
from ..engine.task import Overlay
from .joint import BUTT
from .process import WeldProcess
from .seam_frame import SeamFrames

Array = NDArray[np.float64]


def ripple_places(laid_mm: float) -> Array:
    """Arc lengths (k,) in mm at which a bead of that length has its ripples."""
    return np.arange(0.5e3 * RIPPLE, laid_mm, 1e3 * RIPPLE)


def laid_bead(process: WeldProcess, row: int, s_mm: Array, frames: SeamFrames) -> Bead:
    """The bead of one row, a ripple at each of `s_mm` (k,), where the frames (k,) of the root are; see `ripple_places`.

    A fillet that was laid beside the root is drawn beside it. The newest metal glows.
    """
    slices = process.slices
    index = np.minimum((s_mm / slices.slice_mm).astype(np.intp), max(int(slices.frozen[row]) - 1, 0))

    def of(name: str) -> Array:
        return slices[name][row, index].astype(np.float64)

    age = np.maximum(process.time_s[row] - of("time_s"), 0.0)
    hot = cooling(age)
    if process.joint.kind == BUTT:
        return butt_bead(
            frames.position, frames.tangent, frames.out, 1e-3 * of("width_mm"), 1e-3 * of("reinforcement_mm"), hot
        )
    miss = np.clip(of("offset_mm"), -2.0, 2.0)
    leg = 0.5e-3 * (of("leg_1_mm") + of("leg_2_mm"))
    position = frames.point(miss, -0.5 * np.abs(miss))
    return fillet_bead(position, frames.tangent, frames.out, leg, 1e-3 * np.maximum(of("convexity_mm"), 0.0), hot)


def draw_weld(overlay: Overlay, bead: Bead, arc_at: Array, wire: Array, burning: bool) -> None:
    """Add a bead, and the arc if it burns, to a picture.

    Args:
        overlay: to add to.
        bead: see `laid_bead`.
        arc_at: (3,) where the arc meets the work, m, world.
        wire: (3,) direction of the wire, towards the work.
        burning: whether there is an arc.
    """
    overlay.drawings.append(lambda scene: draw_bead(scene, bead))
    if burning:
        overlay.drawings.append(lambda scene: draw_arc(scene, arc_at, -wire))
