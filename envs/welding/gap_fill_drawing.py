"""Pictures of WeldGapFill: the bead as far as it is laid, and the arc."""

from __future__ import annotations

import numpy as np

from ..engine.task import Overlay
from .gap_fill_bench import Bench
from .laying import draw_weld, laid_bead, ripple_places


def weld_drawing(bench: Bench, row: int) -> Overlay:
    """What a picture of one row shows on top of the model; the newest metal glows."""
    overlay, process = Overlay(), bench.process
    laid_mm = float(process.travelled_mm[row])
    s_mm = ripple_places(laid_mm) if process.slices.frozen[row] > 0 else np.zeros(0)
    burning = bool(process.arc.mean_current_a[row] > 0.0)
    draw_weld(overlay, laid_bead(process, row, s_mm, bench.frames(row, s_mm)), *bench.wire(row), burning)
    return overlay
