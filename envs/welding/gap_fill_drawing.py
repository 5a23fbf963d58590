"""Pictures of WeldGapFill: the bead as far as it is laid, and the arc."""

from __future__ import annotations

import numpy as np

from ...assets.cells.weld_bench import bench_part, seam_frame
from ..engine.task import Overlay
from .gap_fill_work import Work
from .joint import BUTT
from .laying import draw_weld, laid_bead, ripple_places
from .process import WeldProcess
from .seam_frame import SeamFrames

ARC_MM = 2.0  # over the root, where a picture shows the arc


def weld_drawing(process: WeldProcess, row: int, work: Work) -> Overlay:
    """What a picture of one row shows on top of the model; the newest metal glows."""
    overlay, slices = Overlay(), process.slices
    part = bench_part(work.kind, 1e-3 * work.thickness_mm, 1e-3 * slices.count * slices.slice_mm)
    root, along, out = seam_frame(part)
    if work.kind == BUTT:
        root = root + np.array([0.0, 0.0, 1e-3 * work.thickness_mm])
    laid_mm = float(process.travelled_mm[row])
    s_mm = ripple_places(laid_mm) if slices.frozen[row] > 0 else np.zeros(0)
    shape = (s_mm.size, 3)
    frames = SeamFrames(
        root + 1e-3 * s_mm[:, None] * along,
        np.broadcast_to(along, shape),
        np.broadcast_to(np.cross(out, along), shape),
        np.broadcast_to(out, shape),
    )
    burning = bool(process.arc.mean_current_a[row] > 0.0)
    at = root + 1e-3 * laid_mm * along + 1e-3 * ARC_MM * out
    draw_weld(overlay, laid_bead(process, row, s_mm, frames), at, -out, burning)
    return overlay
