"""Drawn parts of the pick cell: the part, the bin, the locating fixture with its clamp, a rack of finished parts."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from .. import look
from ..shapes import Assembly, box, cylinder, dome, extrude_ring, join

PLATE = (0.110, 0.140)  # m, x and y of the fixture's block
PLATE_DROP = 0.016  # m, its upper face below the buttons


def _block(size: tuple[float, float, float]) -> Assembly:
    """A machined block with a bore through it and two tapped holes, its lower face on z = 0."""
    x, y, z = size
    parts = Assembly()
    corners = np.array([(-x / 2, -y / 2), (x / 2, -y / 2), (x / 2, y / 2), (-x / 2, y / 2)])
    steps = 64
    angle = 2.0 * np.pi * np.arange(steps) / steps
    ray = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    reach = np.min(np.array([x / 2, y / 2]) / np.maximum(np.abs(ray), 1e-12), axis=1)
    # the corners take the places of the rays next to them
    outline = ray * reach[:, None]
    for corner in corners:
        outline[np.argmin(np.hypot(*(outline - corner).T))] = corner
    parts.add("bright_steel", extrude_ring(outline, 0.009 * ray, 0.0, z))
    parts.add("slit_dark", cylinder(0.009, 0.0005, 0.001))
    for side in (-1.0, 1.0):
        parts.add("slit_dark", cylinder(0.0028, z - 0.001, z + 0.0001).moved((0.0, side * 0.022, 0.0)))
    return parts


def add_part(spec: mujoco.MjSpec, body: mujoco.MjsBody, size: tuple[float, float, float]) -> None:
    """Draw the part on its body."""
    _block(size).build(spec, body, "part", look.GROUP_PART)


def add_bin(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, size: tuple[float, float, float], wall: float, floor: float
) -> None:
    """Draw the bin: floor, ribbed walls with a rim, and a label holder."""
    x, y, h = size
    parts = Assembly()
    outer = (x + 2.0 * wall, y + 2.0 * wall)
    parts.add("joint_blue", box((outer[0], outer[1], floor), (0.0, 0.0, -0.5 * floor), bevel=0.003))
    for side in (-1.0, 1.0):
        parts.add(
            "joint_blue",
            box((wall, outer[1], h), (side * 0.5 * (x + wall), 0.0, 0.5 * h), bevel=0.001),
            box((x, wall, h), (0.0, side * 0.5 * (y + wall), 0.5 * h), bevel=0.001),
            box((0.012, outer[1] + 0.010, 0.005), (side * (0.5 * x + wall), 0.0, h - 0.0005), bevel=0.001),
            box((outer[0], 0.012, 0.005), (0.0, side * (0.5 * y + wall), h - 0.0004), bevel=0.001),
        )
        for k in range(5):
            place = -0.4 * x + 0.2 * x * k
            parts.add("joint_blue", box((0.004, 0.004, h - 0.006), (side * (0.5 * x + wall + 0.002), place, 0.5 * h)))
            parts.add("joint_blue", box((0.004, 0.004, h - 0.006), (place, side * (0.5 * y + wall + 0.002), 0.5 * h)))
    parts.add("white_enamel", box((0.070, 0.001, 0.022), (0.0, -0.5 * y - wall - 0.0045, 0.5 * h)))
    parts.build(spec, body, "bin", look.GROUP_MACHINE)


def add_fixture(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, tips: Sequence[tuple[float, float, float, float]], height: float
) -> None:
    """Draw block, buttons and pins with (x, y, radius, z of the tip's middle), an open clamp and dowels."""
    parts = Assembly()
    top = -PLATE_DROP
    x, y = PLATE
    tall = height - PLATE_DROP - 0.014
    parts.add("machined_aluminium", box((x, y, tall), (0.0, 0.0, top - 0.5 * tall), bevel=0.002))
    parts.add("brushed_plate", box((x + 0.05, y + 0.04, 0.014), (0.0, 0.0, -height + 0.007), bevel=0.002))
    for px, py, radius, z in tips:
        base = cylinder(1.6 * radius, top, top + 0.004, edge=0.0008, segments=6)
        shank = join(cylinder(radius, top, z), dome(radius, z, radius))
        parts.add("dark_steel", base.moved((px, py, 0.0)))
        parts.add("bright_steel", shank.moved((px, py, 0.0)))
    for cx in (-1.0, 1.0):
        for cy in (-1.0, 1.0):
            screw = cylinder(0.006, -height + 0.014, -height + 0.021, edge=0.001)
            parts.add("dark_steel", screw.moved((cx * (0.5 * x + 0.015), cy * (0.5 * y + 0.008), 0.0)))
    # pneumatic clamp that would press the part against the pins, drawn back
    clamp_x = -0.5 * x + 0.012
    parts.add("graphite", box((0.022, 0.030, 0.022), (clamp_x, 0.0, top + 0.011), bevel=0.002))
    rod = cylinder(0.004, clamp_x + 0.010, clamp_x + 0.018).along("x")
    foot = cylinder(0.007, clamp_x + 0.018, clamp_x + 0.021, edge=0.001).along("x")
    parts.add("bright_steel", rod.moved((0.0, 0.0, top + 0.012)))
    parts.add("safety_yellow", foot.moved((0.0, 0.0, top + 0.012)))
    parts.build(spec, body, "fixture", look.GROUP_MACHINE)
