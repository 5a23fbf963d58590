"""Drawn parts of the conveyor cell: belt with its frame, rollers, drive and camera bridge, tray, parts."""

from __future__ import annotations

import mujoco

from .. import look
from ..shapes import Assembly, box, cylinder, ring

ROLLER = 0.020  # m, radius of the end rollers


def add_part(spec: mujoco.MjSpec, body: mujoco.MjsBody, size: tuple[float, float, float]) -> None:
    """Draw a part on its body: a flat housing cover with screws in its corners."""
    x, y, z = size
    parts = Assembly()
    parts.add("machined_aluminium", box((x, y, z - 0.003), (0.0, 0.0, 0.5 * (z - 0.003)), bevel=0.0015))
    parts.add("anodised", box((x - 0.006, y - 0.006, 0.003), (0.0, 0.0, z - 0.0015), bevel=0.0008))
    for cx in (-1.0, 1.0):
        for cy in (-1.0, 1.0):
            screw = cylinder(0.0022, z - 0.001, z + 0.0002)
            parts.add("dark_steel", screw.moved((cx * (0.5 * x - 0.0065), cy * (0.5 * y - 0.0065), 0.0)))
    parts.add("joint_blue", box((0.012, 0.003, 0.0004), (0.0, 0.5 * y - 0.009, z)))
    parts.build(spec, body, body.name, look.GROUP_PART)


def add_belt(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, belt: tuple[float, float, float], height: float, over_table: float
) -> None:
    """Draw the conveyor; the body's frame is in the belt's upper face, x across it and y along it.

    Args:
        spec, body: specification and body.
        belt: width, and its ends along y, m.
        height: of the upper face over the floor, m.
        over_table: the same over the table, m.
    """
    width, low, high = belt
    middle, long = 0.5 * (low + high), high - low
    parts = Assembly()
    parts.add(
        "graphite", box((width, long, 0.003), (0.0, middle, -0.0015)), box((width, long, 0.003), (0.0, middle, -0.0385))
    )
    for end in (low, high):
        roller = cylinder(ROLLER, -0.5 * width, 0.5 * width).along("x")
        parts.add("graphite", roller.moved((0.0, end, -ROLLER)))
        hub = cylinder(0.008, -0.5 * width - 0.016, 0.5 * width + 0.016, edge=0.001).along("x")
        parts.add("bright_steel", hub.moved((0.0, end, -ROLLER)))
    for side in (-1.0, 1.0):
        rail = side * (0.5 * width + 0.009)
        parts.add("anodised", box((0.012, long + 0.06, 0.044), (rail, middle, -0.024), bevel=0.002))
        parts.add("dark_steel", box((0.002, long + 0.05, 0.006), (rail + side * 0.006, middle, -0.024)))
        # low guides beside the belt, where nothing reaches in
        parts.add("bright_steel", box((0.003, 0.55, 0.010), (side * (0.5 * width + 0.004), low + 0.35, 0.008)))
        for y in (high - 0.10, -0.20):
            foot = over_table - 0.046
            parts.add("machine_grey", box((0.026, 0.05, foot), (rail, y, -0.046 - 0.5 * foot), bevel=0.002))
        leg = height - 0.046
        parts.add("machine_grey", box((0.04, 0.04, leg), (rail, low + 0.15, -0.046 - 0.5 * leg), bevel=0.003))
        parts.add("black_rubber", cylinder(0.03, -height, -height + 0.012).moved((rail, low + 0.15, 0.0)))
    drive = 0.5 * width + 0.055
    parts.add("joint_blue", box((0.07, 0.075, 0.075), (drive, high - 0.10, -0.028), bevel=0.006))
    parts.add("graphite", cylinder(0.030, -0.16, -0.065, edge=0.003).moved((drive, high - 0.10, 0.0)))
    _add_camera_bridge(parts, width)
    parts.build(spec, body, "conveyor", look.GROUP_MACHINE)


def _add_camera_bridge(parts: Assembly, width: float) -> None:
    """Portal over the incoming belt, with a camera and its ring light."""
    y, top = -0.52, 0.30
    for side in (-1.0, 1.0):
        parts.add(
            "anodised", box((0.030, 0.030, top + 0.04), (side * (0.5 * width + 0.032), y, 0.5 * (top - 0.04)), 0.002)
        )
    parts.add("anodised", box((width + 0.094, 0.030, 0.030), (0.0, y, top), bevel=0.002))
    parts.add("graphite", box((0.045, 0.045, 0.065), (0.0, y, top - 0.048), bevel=0.003))
    parts.add("black_rubber", cylinder(0.016, top - 0.110, top - 0.080, edge=0.001).moved((0.0, y, 0.0)))
    parts.add("white_enamel", ring(0.026, 0.045, top - 0.116, top - 0.108, edge=0.001).moved((0.0, y, 0.0)))
    parts.add("status_green", box((0.004, 0.002, 0.004), (0.012, y - 0.0235, top - 0.035)))


def add_tray(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, count: int, pocket: float, rib: tuple[float, float], height: float
) -> None:
    """Draw the tray on its stand; the body's frame is in the middle of the pockets' floor, `height` over the table."""
    t, h = rib
    pitch = pocket + t
    length, width = pitch * count + t, pocket + 2.0 * t
    parts = Assembly()
    parts.add("joint_blue", box((width, length, 0.010), (0.0, 0.0, -0.005), bevel=0.001))
    for k in range(count + 1):
        parts.add("joint_blue", box((width, t, h), (0.0, pitch * (k - 0.5 * count), 0.5 * h), bevel=0.0008))
    for side in (-1.0, 1.0):
        parts.add("joint_blue", box((t, length, h), (side * 0.5 * pitch, 0.0, 0.5 * h), bevel=0.0008))
    parts.add("brushed_plate", box((width + 0.03, length + 0.04, 0.012), (0.0, 0.0, -0.016), bevel=0.001))
    tall = height - 0.022
    for side in (-1.0, 1.0):
        parts.add(
            "machined_aluminium",
            box((0.05, 0.016, tall), (0.0, side * (0.5 * length - 0.02), -0.022 - 0.5 * tall), bevel=0.001),
        )
        pin = cylinder(0.004, -0.010, 0.004, edge=0.001)
        parts.add("bright_steel", pin.moved((0.0, side * (0.5 * length + 0.010), 0.0)))
    parts.build(spec, body, "tray", look.GROUP_MACHINE)
