"""Pictures of WeldUCell: the beads of its seams as far as they are laid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...assets.parts.weldments_bead import Bead
from .laying import laid_bead, ripple_places
from .process import WeldProcess
from .seam_frame import SeamFrames
from .u_cell_part import UCellPart
from .u_cell_program import UCellProgram
from .u_cell_seams import AIM_MM, AROUND, RISE_FROM_MM, SEAMS, SECOND, UP, around_at, second_at
from .u_cell_weld import FIRST, WINDOWS

Array = NDArray[np.float64]


WAY_RGBA = (0.25, 0.75, 1.0, 0.8)


def way_ahead(program: UCellProgram, row: int, at_mm: float) -> Array:
    """Points (k, 3) of the program of one row from a place in the air to where the next seam begins, world."""
    ends = program.bounds[row]
    end = float(ends[np.minimum(np.sum(at_mm >= ends), len(ends) - 1)])
    none, n = np.zeros((len(program.bounds), 3)), len(program.bounds)
    places = np.linspace(at_mm, end, 17)
    return np.stack([program.pose(np.full(n, place), none, none[:, :2])[0][row] for place in places])


def beads(process: WeldProcess, row: int, program: UCellProgram, part: UCellPart) -> list[Bead]:
    """The beads of one row, in the order in which they are laid."""
    frozen = int(process.slices.frozen[row])
    out = []
    for seam in range(len(SEAMS)):
        there = process.slices["deposit_mm2"][row, FIRST[seam] : FIRST[seam] + WINDOWS[seam]] > 0.0
        laid = min(int(there.sum()), max(frozen - FIRST[seam], 0))
        if laid:
            s_mm = ripple_places(float(laid))
            out.append(laid_bead(process, row, FIRST[seam] + s_mm, _frames(row, seam, s_mm, program, part)))
    return out


def _frames(row: int, seam: int, s_mm: Array, program: UCellProgram, part: UCellPart) -> SeamFrames:
    """Section frames (k,) of one row's true root, world."""
    t, scallop = np.full(s_mm.size, program.thickness[row]), np.full(s_mm.size, program.scallop[row])
    at, tangent, out = np.zeros((s_mm.size, 3)), np.zeros((s_mm.size, 3)), np.zeros((s_mm.size, 3))
    half = np.sqrt(0.5)
    if seam == UP:
        at[:, 1], at[:, 2] = part.half_width_mm[row], RISE_FROM_MM + s_mm
        tangent[:, 2] = 1.0
        out[:, :2] = -half
    else:
        if seam == AROUND:
            at[:, 0], at[:, 1], heading = around_at(s_mm, t, scallop)
            forward = heading - 0.5 * np.pi
        else:
            assert seam == SECOND
            at[:, 0], at[:, 1] = second_at(s_mm, t, scallop)
            heading = np.full(s_mm.size, 0.5 * np.pi)
            forward = np.full(s_mm.size, np.pi)
        away = np.stack((np.cos(heading), np.sin(heading)), axis=1)
        at[:, :2] -= AIM_MM * away  # the bead lies in the root, of which the wire is led outside
        tangent[:, 0], tangent[:, 1] = np.cos(forward), np.sin(forward)
        out[:, :2], out[:, 2] = half * away, half
    lateral = np.cross(tangent, out)
    r = part.rotation[row]

    def world(v: Array) -> Array:
        return np.stack([v[:, 0] * r[i, 0] + v[:, 1] * r[i, 1] + v[:, 2] * r[i, 2] for i in range(3)], axis=1)

    return SeamFrames(part.origin[row] + 1e-3 * world(at), world(tangent), world(lateral), world(out))
