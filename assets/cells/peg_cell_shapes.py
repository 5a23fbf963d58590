"""Drawn parts of the insertion cell: the peg, the block with its hole on a base plate with clamps, a tray of pegs."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from .. import look
from ..parts.fits import Fit
from ..shapes import Assembly, Mesh, box, cylinder, extrude_ring, ring

BLOCK = 0.080  # m, edge of the block
PLATE = (0.20, 0.16, 0.016)  # m, base plate
STEPS = 64


def _outline(fit: Fit, grow: float = 0.0) -> NDArray[np.float64]:
    """Outline of the hole, widened by `grow`, as (STEPS, 2) points in equal order of direction."""
    angle = 2.0 * np.pi * np.arange(STEPS) / STEPS
    ray = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    a, b = fit.half[0] + grow, fit.half[1] + grow
    if fit.round:
        return a * ray
    return ray * np.minimum(a / np.maximum(np.abs(ray[:, 0]), 1e-9), b / np.maximum(np.abs(ray[:, 1]), 1e-9))[:, None]


def _square(half: float) -> NDArray[np.float64]:
    angle = 2.0 * np.pi * np.arange(STEPS) / STEPS
    ray = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return ray * (half / np.maximum(np.abs(ray[:, :1]), np.abs(ray[:, 1:])))


def peg_mesh(fit: Fit, length: float) -> Mesh:
    """The peg, tip at the origin and z into it."""
    if fit.round:
        return cylinder(fit.half[0], 0.0, length, edge=max(fit.edge, 0.0006))
    return box((2.0 * fit.half[0], 2.0 * fit.half[1], length), (0.0, 0.0, 0.5 * length), bevel=0.0006)


def add_peg(spec: mujoco.MjSpec, body: mujoco.MjsBody, fit: Fit) -> None:
    """Draw the peg on its body."""
    parts = Assembly()
    parts.add("brass", peg_mesh(fit, fit.length))
    parts.build(spec, body, "peg", look.GROUP_PART)


def add_fixture(spec: mujoco.MjSpec, body: mujoco.MjsBody, fit: Fit, height: float) -> None:
    """Draw block, base plate, clamps, dowels and a rack of further pegs; the body's frame is the hole's."""
    parts = Assembly()
    c, half = fit.chamfer, 0.5 * BLOCK
    floor = -fit.depth
    bore, mouth = _outline(fit), _outline(fit, c)
    parts.add(
        "machined_aluminium",
        extrude_ring(_square(half), mouth, -c, 0.0),
        extrude_ring(_square(half), bore, floor, -c),
        box((BLOCK, BLOCK, height - PLATE[2] - fit.depth), (0.0, 0.0, 0.5 * (floor + PLATE[2] - height))),
    )
    parts.add("brushed_plate", box(PLATE, (0.0, 0.0, -height + 0.5 * PLATE[2]), bevel=0.002))
    low = -height + PLATE[2]
    for x in (-1.0, 1.0):
        nut = cylinder(0.009, low + 0.024, low + 0.034, edge=0.001, segments=6)
        parts.add("dark_steel", box((0.030, 0.026, 0.012), (x * (half + 0.008), 0.0, low + 0.018), bevel=0.002))
        parts.add("bright_steel", cylinder(0.008, low, low + 0.012).moved((x * (half + 0.016), 0.0, 0.0)))
        parts.add("bright_steel", nut.moved((x * (half + 0.012), 0.0, 0.0)))
        parts.add("bright_steel", cylinder(0.005, -height, low + 0.014, edge=0.001).moved((x * 0.085, 0.065, 0.0)))
    _add_rack(parts, fit, height)
    parts.build(spec, body, "fixture", look.GROUP_PART)


def _add_rack(parts: Assembly, fit: Fit, height: float) -> None:
    """Tray beside the fixture, with the pegs that come next."""
    y0 = 0.17
    parts.add("graphite", box((0.19, 0.10, 0.020), (0.0, y0, -height + 0.010), bevel=0.003))
    peg = peg_mesh(fit, fit.length)
    for i in range(4):
        for j in range(2):
            x, y = -0.069 + 0.046 * i, y0 - 0.024 + 0.048 * j
            collar = ring(fit.half[0], fit.half[0] + 0.006, -height + 0.020, -height + 0.023)
            parts.add("black_rubber", collar.moved((x, y, 0.0)))
            if (i, j) != (3, 0):
                parts.add("brass", peg.moved((x, y, -height + 0.018)))
