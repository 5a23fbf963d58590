"""Drawn shapes of the vacuum SCARA robot: flange, column, links with screwed lids, and a ceramic fork."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from .. import look
from ..shapes import Assembly, Mesh, cylinder, extrude, join, ring, rounded_outline, stadium

LINK = 0.36  # m
UPPER_BOTTOM = 0.055  # m, lower face of the upper arm above the base flange
BLADE_HALF_THICKNESS = 0.002  # m


def _screws(spots: Sequence[tuple[float, float]], z: float, radius: float, height: float) -> Mesh:
    head = cylinder(radius, z, z + height, edge=0.2 * radius, segments=12)
    return join(*(head.moved((x, y, 0.0)) for x, y in spots))


def _base() -> Assembly:
    parts = Assembly()
    parts.add("machined_aluminium", cylinder(0.155, 0.0, 0.014, edge=0.003))
    parts.add("machined_aluminium", ring(0.088, 0.118, 0.014, 0.022, edge=0.002))
    angle = 2.0 * np.pi * (np.arange(16) + 0.5) / 16
    spots = [(0.138 * float(np.cos(a)), 0.138 * float(np.sin(a))) for a in angle]
    parts.add("dark_steel", _screws(spots, 0.014, 0.0045, 0.004))
    return parts


def _column() -> Assembly:
    parts = Assembly()
    parts.add("bright_steel", cylinder(0.080, -0.06, UPPER_BOTTOM, edge=0.002))
    parts.add("joint_blue", cylinder(0.0815, UPPER_BOTTOM - 0.012, UPPER_BOTTOM - 0.004))
    return parts


def _link(r0: float, r1: float, half: float, lid_end: float) -> Assembly:
    """Link body from the joint at x = 0 (radius r0) to x = LINK (r1), with a screwed lid from x = 0 to `lid_end`."""
    parts = Assembly()
    parts.add("anodised", extrude(stadium(0.0, LINK, r0, r1), -half, half, bevel=0.004))
    l0, l1 = r0 - 0.014, r1 - 0.008
    parts.add("machined_aluminium", extrude(stadium(0.0, lid_end, l0, l1), half - 0.001, half + 0.0015, bevel=0.0006))
    along = np.linspace(0.01, lid_end, 4)
    spots = [(float(x), side * 0.86 * float(l0 + (l1 - l0) * x / lid_end)) for x in along for side in (-1, 1)]
    spots += [(-0.86 * l0, 0.0), (lid_end + 0.84 * l1, 0.0)]
    parts.add("dark_steel", _screws(spots, half + 0.0015, 0.0028, 0.002))
    return parts


def _upper_arm() -> Assembly:
    parts = _link(0.085, 0.068, 0.021, LINK - 0.09)
    parts.add("anodised", cylinder(0.055, 0.021, 0.0275, edge=0.001).moved((LINK, 0.0, 0.0)))
    return parts


def _forearm() -> Assembly:
    parts = _link(0.068, 0.046, 0.0185, LINK - 0.065)
    parts.add("anodised", cylinder(0.036, 0.018, 0.036, edge=0.001).moved((LINK, 0.0, 0.0)))
    parts.add("graphite", cylinder(0.053, -0.0235, -0.018))
    return parts


def _hub() -> Assembly:
    """Clamp that holds the stem of the fork between two plates."""
    parts = Assembly()
    low = rounded_outline([(-0.030, -0.033), (0.062, -0.028), (0.062, 0.028), (-0.030, 0.033)], 0.008)
    high = rounded_outline([(-0.028, -0.030), (0.056, -0.026), (0.056, 0.026), (-0.028, 0.030)], 0.008)
    parts.add("anodised", cylinder(0.038, -0.0135, -0.0025, edge=0.002), extrude(low, -0.008, -0.002, bevel=0.001))
    parts.add("machined_aluminium", extrude(high, 0.002, 0.007, bevel=0.001))
    parts.add("dark_steel", _screws([(x, y) for x in (-0.016, 0.042) for y in (-0.017, 0.017)], 0.007, 0.0035, 0.003))
    return parts


def _fork() -> Assembly:
    """Two-finger blade in the paddle frame: stem from the wrist, palm below the wafer's near side, fingers ahead."""
    right = [
        (0.028, -0.030), (0.150, -0.040), (0.195, -0.108), (0.385, -0.108), (0.390, -0.100), (0.390, -0.068),
        (0.268, -0.062), (0.228, -0.030),
    ]  # fmt: skip
    radii = [0.004, 0.05, 0.04, 0.006, 0.006, 0.012, 0.05, 0.03]
    outline = rounded_outline(right + [(x, -y) for x, y in reversed(right)], radii + radii[::-1], steps=8)
    parts = Assembly()
    parts.add("alumina", extrude(outline, -BLADE_HALF_THICKNESS, BLADE_HALF_THICKNESS, bevel=0.0006))
    return parts


def add_robot(
    spec: mujoco.MjSpec, bodies: Sequence[mujoco.MjsBody], pads: Sequence[tuple[float, float]], pad_radius: float,
    pad_top: float,
) -> None:  # fmt: skip
    """Add the drawn shapes.

    Args:
        spec: specification to extend.
        bodies: base, column, upper arm, forearm, wrist hub and paddle.
        pads: (x, y) of each pad in the paddle frame, m.
        pad_radius: radius of the pad balls, m.
        pad_top: height of their tops above the mid-plane of the blade, m.
    """
    fork = _fork()
    seat = cylinder(0.0075, 0.0018, 0.0024, edge=0.0003, segments=24)
    for x, y in pads:
        fork.add("graphite", seat.moved((x, y, 0.0)))
    drawn = (_base(), _column(), _upper_arm(), _forearm(), _hub(), fork)
    names = ("base", "column", "upper_arm", "forearm", "hub", "fork")
    for name, body, parts in zip(names, bodies, drawn, strict=True):
        parts.build(spec, body, f"scara_{name}", look.GROUP_PART if name == "fork" else look.GROUP_MACHINE)
    for k, (x, y) in enumerate(pads):
        bodies[-1].add_geom(
            name=f"scara_pad_{k}", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[pad_radius, 0.0, 0.0],
            pos=[x, y, pad_top - pad_radius], material=look.material(spec, "perfluoro_pad"), contype=0, conaffinity=0,
            mass=0.0, group=look.GROUP_PART,
        )  # fmt: skip
