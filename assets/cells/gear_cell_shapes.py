"""Drawn parts of the gear cell: the held gear with its hub, the open gearbox with pin and mounted gear."""

from __future__ import annotations

import mujoco

from .. import look
from ..parts.gears import Gear, outline
from ..shapes import Assembly, box, cylinder, extrude, ring


def add_held(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, gear: Gear, bore: float, hub: float, grip: float
) -> None:  # fmt: skip
    """Draw the gear on its body, lower face at the origin."""
    parts = Assembly()
    parts.add("brass", extrude(outline(gear, 0.0), 0.0, gear.width))
    parts.add("machined_aluminium", ring(bore + 0.001, hub, gear.width, grip + 0.010, edge=0.001))
    parts.add("black_rubber", cylinder(bore + 0.0005, -0.0002, 0.0))
    parts.build(spec, body, "held_gear", look.GROUP_PART)


def add_fixture(
    spec: mujoco.MjSpec,
    body: mujoco.MjsBody,
    driven: mujoco.MjsBody,
    gear: Gear,
    pin: float,
    seat: float,
    height: float,
) -> None:
    """Draw the gearbox; the origin of `body` is in the tip of the pin, that of `driven` in its gear's lower face."""
    parts, turning = Assembly(), Assembly()
    floor, x = -seat - 0.004, 2.0 * gear.radius
    parts.add("bright_steel", cylinder(pin, floor, 0.0, edge=0.0008))
    parts.add("dark_steel", cylinder(0.011, floor, -seat, edge=0.0005))
    parts.add("bright_steel", cylinder(pin, floor, 0.004, edge=0.0008).moved((x, 0.0, 0.0)))
    parts.add("dark_steel", cylinder(0.011, floor, -seat, edge=0.0005).moved((x, 0.0, 0.0)))
    # housing: floor plate, low walls, feet with screws
    low = -height
    center, size = 0.5 * x, (x + 0.080, 0.086)
    parts.add("machine_grey", box((*size, 0.012), (center, 0.0, floor - 0.006), bevel=0.003))
    for y in (-1.0, 1.0):
        parts.add(
            "machine_grey",
            box((size[0], 0.006, 0.022), (center, y * (0.5 * size[1] - 0.003), floor + 0.005), bevel=0.002),
        )
    for side in (-1.0, 1.0):
        parts.add(
            "machine_grey",
            box((0.006, size[1], 0.022), (center + side * (0.5 * size[0] - 0.003), 0.0, floor + 0.005), bevel=0.002),
        )
        foot = (center + side * (0.5 * size[0] + 0.010), 0.0)
        parts.add("dark_steel", box((0.034, 0.060, 0.010), (*foot, low + 0.021), bevel=0.002))
        for y in (-0.018, 0.018):
            parts.add(
                "bright_steel",
                cylinder(0.006, low + 0.026, low + 0.034, edge=0.001, segments=6).moved((foot[0], y, 0.0)),
            )
    parts.add(
        "graphite",
        box((size[0], size[1], floor - 0.012 - low - 0.016), (center, 0.0, 0.5 * (floor - 0.012 + low + 0.016)), 0.004),
    )
    parts.add("brushed_plate", box((0.26, 0.15, 0.016), (center, 0.0, low + 0.008), bevel=0.002))
    parts.build(spec, body, "gearbox", look.GROUP_PART)
    turning.add("brass", extrude(outline(gear, 0.5), 0.0, gear.width))
    turning.add("machined_aluminium", ring(pin + 0.0005, 0.012, gear.width, gear.width + 0.005, edge=0.001))
    turning.build(spec, driven, "mounted_gear", look.GROUP_PART)
