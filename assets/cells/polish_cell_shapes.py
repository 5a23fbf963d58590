"""Drawn parts of the finishing cell: the bent shell with its weld seam, on a saddle with clamps."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from .. import look
from ..shapes import Assembly, box, cylinder, extrude, sweep

THICKNESS = 0.008  # m, of the shell
HALF_ARC = 0.16  # m, of the shell along the seam, either side of the top


def _arc(radius: float, half_angle: float, steps: int = 40) -> NDArray[np.float64]:
    angle = np.linspace(-half_angle, half_angle, steps)
    return np.stack([radius * np.sin(angle), radius * (np.cos(angle) - 1.0)], axis=1)


def add_shell(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, radius: float, half_width: float, seam: float, height: float
) -> None:  # fmt: skip
    """Draw shell, seam, saddle and clamps; the body's origin is in the middle of the seam, x along it."""
    parts = Assembly()
    half = HALF_ARC / radius
    outer = _arc(radius, half)
    inner = outer * (1.0 - THICKNESS / radius) + np.array([0.0, -THICKNESS])
    # an outline in x and z, drawn out along y
    upright = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    section = np.concatenate([inner, outer[::-1]])
    parts.add("brushed_plate", extrude(section, -half_width, half_width).moved(rot=upright))
    drop = inner[0, 1]
    saddle = np.concatenate([inner[4:-4:2][::-1], [[inner[4, 0], -height + 0.012], [inner[-5, 0], -height + 0.012]]])
    for y in (-0.055, 0.055):
        parts.add("machine_grey", extrude(saddle, -0.006, 0.006).moved((0.0, y, -0.0005), upright))
    parts.add("machine_grey", box((0.36, 0.24, 0.012), (0.0, 0.0, -height + 0.006), bevel=0.002))
    for x in (-1.0, 1.0):
        for y in (-0.06, 0.06):
            at = (x * (HALF_ARC + 0.004), y, 0.0)
            parts.add("dark_steel", box((0.034, 0.024, 0.010), (at[0], y, drop + 0.012), bevel=0.002))
            parts.add("bright_steel", cylinder(0.006, -height + 0.012, drop + 0.020).moved(at))
            parts.add("bright_steel", cylinder(0.010, drop + 0.017, drop + 0.026, edge=0.001, segments=6).moved(at))
    angle = np.linspace(-0.5 * seam / radius, 0.5 * seam / radius, 60)
    ripple = 0.0002 * np.cos(angle * radius * 2.0 * np.pi / 0.004)
    r = radius - 0.0022 + ripple
    line = np.stack([r * np.sin(angle), 0.0 * angle, r * np.cos(angle) - radius], axis=1)
    parts.add("dark_steel", sweep(line, 0.0036, samples=160))
    parts.build(spec, body, "shell", look.GROUP_PART)
