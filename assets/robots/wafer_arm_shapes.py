"""Drawn shapes that the wafer robots share: links with screwed lids, wrist brackets, forks with pads or vacuum cups."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from .. import look
from ..shapes import Assembly, Mesh, box, cylinder, dome, extrude, join, ring, rounded_outline, stadium
from .vacuum_scara import PAD_TOP
from .wafer_arm import BLADE_HALF, PAD_RADIUS, pad_positions


def screws(spots: Sequence[tuple[float, float]], z: float, radius: float = 0.0028, height: float = 0.002) -> Mesh:
    """Screw heads standing on z at the (x, y) of `spots`, m."""
    head = cylinder(radius, z, z + height, edge=0.2 * radius, segments=12)
    return join(*(head.moved((x, y, 0.0)) for x, y in spots))


def link(
    length: float, r0: float, r1: float, half: float, body: str = "anodised", lid: str = "white_enamel"
) -> Assembly:
    """Link from a joint at x = 0 (radius r0) to x = `length` (r1), `half` thick both ways, with a screwed lid, m."""
    parts = Assembly()
    parts.add(body, extrude(stadium(0.0, length, r0, r1), -half, half, bevel=0.004))
    end = length - r1 - 0.012
    l0 = r0 - 0.011
    l1 = l0 + (r1 - 0.009 - l0) * end / length
    parts.add(lid, extrude(stadium(0.0, end, l0, l1), half - 0.001, half + 0.0015, bevel=0.0006))
    along = np.linspace(0.01, end, 4)
    spots = [(float(x), side * 0.87 * float(l0 + (l1 - l0) * x / end)) for x in along for side in (-1, 1)]
    spots += [(-0.86 * l0, 0.0), (end + 0.84 * l1, 0.0)]
    parts.add("dark_steel", screws(spots, half + 0.0015))
    parts.add(lid, cylinder(0.72 * r1, half - 0.001, half + 0.0012, edge=0.0006).moved((length, 0.0, 0.0)))
    return parts


def post(x: float, radius: float, z0: float, z1: float) -> Assembly:
    """Bearing housing between a link and the next one, with a seal ring at its upper end."""
    parts = Assembly()
    low, high = min(z0, z1), max(z0, z1)
    parts.add("anodised", cylinder(radius, low, high, edge=0.001).moved((x, 0.0, 0.0)))
    if high - low > 0.012:
        parts.add("graphite", ring(radius - 0.004, radius + 0.0015, high - 0.007, high - 0.003).moved((x, 0.0, 0.0)))
    return parts


def fork(wrist_to_wafer: float, root: float, *, cups: bool) -> Assembly:
    """Two-finger ceramic blade in the frame of the paddle, from x = `root` to behind the centre of the wafer.

    Args:
        wrist_to_wafer: m.
        root: x of the end that the bracket clamps, m.
        cups: vacuum cups with a line in the blade instead of bare seats for the pads.

    Returns:
        The shape without the pads themselves.
    """
    e = wrist_to_wafer
    right = [
        (root, -0.032), (e - 0.150, -0.040), (e - 0.105, -0.108), (e + 0.085, -0.108), (e + 0.090, -0.100),
        (e + 0.090, -0.068), (e - 0.032, -0.062), (e - 0.072, -0.030),
    ]  # fmt: skip
    radii = [0.004, 0.05, 0.04, 0.006, 0.006, 0.012, 0.05, 0.03]
    outline = rounded_outline(right + [(x, -y) for x, y in reversed(right)], radii + radii[::-1], steps=8)
    parts = Assembly()
    parts.add("alumina", extrude(outline, -BLADE_HALF, BLADE_HALF, bevel=0.0005))
    for x, y in pad_positions(e):
        if cups:
            parts.add("perfluoro_pad", ring(0.0045, 0.0085, BLADE_HALF - 0.0003, 0.0031, edge=0.0004).moved((x, y, 0)))
        parts.add("graphite", cylinder(0.0075, BLADE_HALF - 0.0002, 0.0022, edge=0.0002, segments=24).moved((x, y, 0)))
    if cups:  # covered groove of the vacuum line, from the root to the palm and along both fingers
        palm, tips = pad_positions(e)[0], pad_positions(e)[1:]
        top = BLADE_HALF + 0.0002
        parts.add("graphite", box((palm[0] - root, 0.004, 0.0004), (0.5 * (palm[0] + root), 0.0, top)))
        for x, y in tips:
            parts.add("graphite", box((x - e + 0.10, 0.003, 0.0004), (0.5 * (x + e - 0.10), y, top)))
    return parts


def bracket(offset: float, root: float, *, drop: float, radius: float) -> Assembly:
    """Cranked plate from the wrist at the origin to the root of the fork at y = -`offset`, in the frame of the hub.

    Args:
        offset: signed distance of the fork from the wrist's line, m.
        root: x where the fork begins, m.
        drop: height of the forearm's face that the wrist turns on, above (or below) the fork's mid-plane, m.
        radius: of the wrist, m.

    Returns:
        The shape.
    """
    parts = Assembly()
    side = 1.0 if offset > 0.0 else -1.0
    w = abs(offset)
    plan = [
        (-0.030, -w - 0.036), (root + 0.035, -w - 0.036), (root + 0.035, -w + 0.036), (0.042, -w + 0.044),
        (0.034, 0.010), (0.020, 0.030), (-0.020, 0.030), (-0.030, 0.0),
    ]  # fmt: skip
    outline = rounded_outline(plan, [0.008, 0.008, 0.008, 0.020, 0.010, 0.018, 0.018, 0.010], steps=5)
    if side < 0.0:
        outline = (outline * np.array([1.0, -1.0]))[::-1]
    low = (-0.0075, -BLADE_HALF) if drop < 0.0 else (BLADE_HALF, 0.0070)
    parts.add("machined_aluminium", extrude(outline, *low, bevel=0.001))
    clamp = rounded_outline([(root, -0.034), (root + 0.034, -0.034), (root + 0.034, 0.034), (root, 0.034)], 0.006)
    other = (BLADE_HALF, 0.0042) if drop < 0.0 else (-0.0042, -BLADE_HALF)
    parts.add("anodised", extrude(clamp, *other, bevel=0.0006).moved((0.0, -offset, 0.0)))
    if drop < 0.0:
        spots = [(root + 0.010, y - offset) for y in (-0.022, 0.022)] + [
            (root + 0.025, y - offset) for y in (-0.022, 0.022)
        ]
        parts.add("dark_steel", screws(spots, 0.0042, 0.003, 0.0014))
    face = low[0] if drop < 0.0 else low[1]
    parts.place(post(0.0, 0.78 * radius, face, drop))
    return parts


def add_fork(
    spec: mujoco.MjSpec, paddle: mujoco.MjsBody, prefix: str, wrist_to_wafer: float, root: float, *, cups: bool
) -> None:
    """Draw the fork of body `paddle` with its pads, geoms `<prefix>fork_*`.

    Of the spheres that stand for the pads in the physics, only the caps above the blade are drawn.
    """
    parts = fork(wrist_to_wafer, root, cups=cups)
    cap_radius = float(np.sqrt(PAD_RADIUS**2 - (BLADE_HALF - PAD_TOP + PAD_RADIUS) ** 2))
    cap = dome(cap_radius, BLADE_HALF, PAD_TOP - BLADE_HALF, segments=32)
    parts.add("perfluoro_pad", *(cap.moved((x, y, 0.0)) for x, y in pad_positions(wrist_to_wafer)))
    parts.build(spec, paddle, f"{prefix}fork", look.GROUP_PART)
