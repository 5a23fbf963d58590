"""Drawn surroundings of the work cell: room, pedestal or plinth, fixture table, guards, controller cabinet."""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..shapes import Assembly, box, cylinder, join, sweep
from .reach_shapes import (
    FENCE_X,
    POST_PITCH_Y,
    add_room,
    controller,
    fence,
    pedestal,
    signal_tower,
    slab,
    table_frame,
)

LOWEST_PEDESTAL = 0.32  # m; a robot that stands lower is bolted to a plinth


def plinth(height: float) -> Assembly:
    """Steel plinth with anchors for a robot that stands on the floor, its top at `height` m."""
    parts = Assembly()
    parts.add("machine_grey", box((0.52, 0.52, max(height - 0.03, 0.01)), (0.0, 0.0, 0.5 * (height - 0.03)), 0.01))
    parts.add("dark_steel", box((0.58, 0.58, 0.03), (0.0, 0.0, height - 0.015), bevel=0.004))
    anchor = join(cylinder(0.020, 0.0, 0.006), cylinder(0.012, 0.006, 0.026, edge=0.002, segments=6))
    spots = [(x, y) for x in (-0.24, 0.24) for y in (-0.24, 0.24)]
    parts.add("bright_steel", *(anchor.moved((x, y, height)) for x, y in spots))
    return parts


def add_scene(
    spec: mujoco.MjSpec, base: float, table_top: float, table_center: tuple[float, float],
    table_size: tuple[float, float],
) -> None:  # fmt: skip
    """Add everything around the arm that is only seen; dimensions in metres, in the world frame."""
    world = spec.worldbody
    add_room(spec, world)
    cx, cy = table_center
    slab(
        world, "table_plate", (*table_size, 0.03), (cx, cy, table_top - 0.015), look.material(spec, "fixture_plate"),
        look.GROUP_MACHINE,
    )  # fmt: skip
    scene = Assembly()
    tall = base >= LOWEST_PEDESTAL
    scene.place(pedestal(base) if tall else plinth(base))
    scene.place(table_frame(table_top, table_size), (cx, cy, 0.0))
    scene.place(fence())
    scene.place(controller(), (-0.85, 0.95, 0.0))
    scene.place(signal_tower(), (FENCE_X, -1.5 * POST_PITCH_Y, 0.0))
    side = -0.178 if tall else -0.30
    end = 0.5 * base
    cable = [(-0.75, 0.76, 0.15), (-0.70, 0.55, 0.02), (-0.45, 0.25, 0.012), (side - 0.02, 0.0, 0.012),
             (side - 0.015, 0.0, 0.4 * end), (side, 0.0, end)]  # fmt: skip
    scene.add("black_rubber", sweep(np.array(cable), 0.012))
    scene.build(spec, world, "cell")
