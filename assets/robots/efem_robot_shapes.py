"""Drawn shapes of the front-end robot: linear rail, carriage, telescopic column and turning platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import mujoco
import numpy as np

from ..shapes import Assembly, box, cylinder, extrude, ring, rounded_outline, sweep
from . import twin_arm_shapes
from .twin_arm import ArmBodies, TwinArm
from .wafer_arm_shapes import screws

RAIL_HALF = 0.90  # m, half length of the rail


def _rail() -> Assembly:
    parts = Assembly()
    parts.add("machined_aluminium", box((2 * RAIL_HALF, 0.30, 0.05), (0.0, 0.0, 0.025), bevel=0.004))
    for y in (-0.10, 0.10):
        parts.add("bright_steel", box((2 * RAIL_HALF - 0.04, 0.024, 0.022), (0.0, y, 0.061), bevel=0.002))
        spots = [(float(a), y) for a in np.arange(-RAIL_HALF + 0.06, RAIL_HALF, 0.12)]
        parts.add("dark_steel", screws(spots, 0.072, 0.004, 0.001))
    parts.add("graphite", box((2 * RAIL_HALF - 0.04, 0.05, 0.012), (0.0, 0.0, 0.056)))
    for x in (-RAIL_HALF + 0.012, RAIL_HALF - 0.012):
        parts.add("safety_yellow", box((0.020, 0.16, 0.05), (x, 0.0, 0.075), bevel=0.004))
    # Cable chain: a row of links beside the rail.
    chain = [box((0.026, 0.05, 0.026), (float(x), -0.185, 0.018), bevel=0.003) for x in np.arange(-0.85, 0.86, 0.030)]
    parts.add("black_rubber", *chain)
    return parts


def _carriage(housing_top: float) -> Assembly:
    parts = Assembly()
    parts.add("cast_aluminium", box((0.34, 0.30, 0.05), (0.0, 0.0, 0.108), bevel=0.006))
    parts.add(
        "dark_steel", *(box((0.09, 0.050, 0.030), (x, y, 0.072), bevel=0.003) for x in (-0.1, 0.1) for y in (-0.1, 0.1))
    )
    plan = rounded_outline([(-0.135, -0.125), (0.135, -0.125), (0.135, 0.125), (-0.135, 0.125)], 0.045, steps=8)
    parts.add("white_enamel", extrude(plan, 0.133, housing_top - 0.03, bevel=0.004))
    lid = rounded_outline([(-0.140, -0.130), (0.140, -0.130), (0.140, 0.130), (-0.140, 0.130)], 0.048, steps=8)
    parts.add("anodised", extrude(lid, housing_top - 0.03, housing_top, bevel=0.003))
    parts.add("graphite", ring(0.090, 0.100, housing_top, housing_top + 0.004, edge=0.001))
    parts.add("joint_blue", box((0.2705, 0.14, 0.012), (0.0, 0.0, housing_top - 0.08)))
    for y in (-0.1255, 0.1255):  # ventilated service panels
        parts.add("machined_aluminium", box((0.16, 0.002, 0.30), (0.0, y, 0.36), bevel=0.0006))
        parts.add("slit_dark", *(box((0.11, 0.003, 0.006), (0.0, y, z)) for z in np.arange(0.26, 0.33, 0.014)))
    hose = [(-0.13, -0.06, 0.20), (-0.20, -0.10, 0.17), (-0.20, -0.16, 0.08), (-0.10, -0.185, 0.035)]
    parts.add("black_rubber", sweep(hose, 0.012))
    return parts


def _column(housing_top: float, platform_top: float) -> Assembly:
    parts = Assembly()
    low = housing_top - 0.45
    parts.add("bright_steel", cylinder(0.088, low, platform_top - 0.070, edge=0.002))
    parts.add("anodised", cylinder(0.100, platform_top - 0.072, platform_top - 0.060, edge=0.002))
    return parts


def _platform(offset: float) -> Assembly:
    parts = Assembly()
    w = offset + 0.062
    plan = rounded_outline([(-0.075, -w), (0.075, -w), (0.075, w), (-0.075, w)], 0.060, steps=10)
    parts.add("anodised", extrude(plan, -0.058, 0.0, bevel=0.004))
    parts.add("white_enamel", extrude(0.86 * plan, -0.001, 0.002, bevel=0.0006))
    parts.add("joint_blue", extrude(1.004 * plan, -0.020, -0.014))
    spots = [(x, y) for x in (-0.05, 0.05) for y in (-0.06, 0.06)]
    parts.add("dark_steel", screws(spots, 0.002))
    return parts


def add_robot(
    spec: mujoco.MjSpec,
    bodies: Sequence[mujoco.MjsBody],
    arms: Mapping[str, ArmBodies],
    twin: TwinArm,
    tops: tuple[float, float],
) -> None:
    """Add the drawn shapes.

    Args:
        spec: specification to extend.
        bodies: rail, carriage, column and platform.
        arms: bodies of each arm.
        twin: dimensions of the arms.
        tops: heights above the rail of the housing and, with the lift down, of the platform, m.
    """
    rail, carriage, column, platform = bodies
    _rail().build(spec, rail, "rail")
    _carriage(tops[0]).build(spec, carriage, "carriage")
    _column(*tops).build(spec, column, "column")
    _platform(twin.geometry.offset).build(spec, platform, "platform")
    for arm, parts in arms.items():
        twin_arm_shapes.add_arm(spec, parts, twin, arm, cups=True, lid="white_enamel")
