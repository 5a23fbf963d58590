"""Drawn surroundings of the U-cell: shop floor, skid with its runners and magnets, hose package, the block around."""

from __future__ import annotations

import mujoco

from .. import look
from ..fixtures.weld_finishes import add_finishes
from ..shapes import Assembly, box, cylinder, sweep


def _skid(base: float, plate: float) -> Assembly:
    """Top plate, posts, two runners with switchable magnets, and a handle; `base` and `plate` are heights (m)."""
    parts = Assembly()
    top = base - 0.002
    parts.add("safety_yellow", box((0.36, 0.26, 0.03), (0.0, 0.0, top - 0.015), bevel=0.006))
    runner = plate + 0.022
    for y in (-0.10, 0.10):
        parts.add("dark_steel", box((0.52, 0.034, 0.020), (-0.02, y, runner), bevel=0.005))
        for x in (-0.13, 0.13):
            height = top - 0.03 - runner
            parts.add("machine_grey", box((0.045, 0.03, height), (x, y, runner + 0.5 * height), bevel=0.003))
            parts.add("black_rubber", cylinder(0.020, 0.0, 0.012, edge=0.003).moved((x, y, plate)))
    handle = [(-0.17, -0.09, top), (-0.30, -0.09, top + 0.10), (-0.30, 0.09, top + 0.10), (-0.17, 0.09, top)]
    parts.add("graphite", sweep(handle, 0.010, 14, 64))
    parts.add("graphite", box((0.12, 0.16, 0.14), (-0.235, 0.0, top + 0.02), bevel=0.008))
    parts.add("status_green", cylinder(0.008, 0.0, 0.006).moved((-0.20, 0.05, top + 0.09)))
    return parts


def _hoses(base: float) -> Assembly:
    """From the power source over the shop floor to the skid."""
    parts = Assembly()
    for k, finish in enumerate(("black_rubber", "foil_blue", "black_rubber")):
        y = 0.05 * (k - 1)
        path = [(-0.95, 0.72 + y, 0.35), (-0.80, 0.60 + y, 0.03), (-0.55, 0.20 + y, 0.026), (-0.36, 0.4 * y, 0.06),
                (-0.29, 0.4 * y, base - 0.01)]  # fmt: skip
        parts.add(finish, sweep(path, 0.012 - 0.002 * (k == 1), 12, 72))
    return parts


def add_scene(spec: mujoco.MjSpec, base: float, plate: float) -> None:
    """Add everything around arm and work that is only seen, in the world frame.

    Args:
        spec: to extend.
        base: height of the robot's base, m.
        plate: height of the plate that the skid stands on, m.
    """
    world = spec.worldbody
    add_finishes(spec)
    world.add_geom(
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[6.0, 6.0, 0.1], contype=0, conaffinity=0,
        material=look.material(spec, "epoxy_floor"), group=look.GROUP_SCENE,
    )  # fmt: skip
    scene = Assembly()
    scene.place(_skid(base, plate))
    scene.place(_hoses(base))
    scene.build(spec, world, "cell")
