"""Drawn shapes of the dual-arm vacuum SCARA robot: flange, bellows column and turning platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import mujoco
import numpy as np

from ..shapes import Assembly, cylinder, extrude, join, ring, rounded_outline
from . import twin_arm_shapes
from .twin_arm import ArmBodies, TwinArm
from .wafer_arm_shapes import screws


def flange() -> Assembly:
    """Bolted flange that a vacuum robot hangs from in the floor of its chamber."""
    parts = Assembly()
    parts.add("machined_aluminium", cylinder(0.175, 0.0, 0.012, edge=0.003))
    parts.add("machined_aluminium", ring(0.112, 0.142, 0.012, 0.019, edge=0.002))
    angle = 2.0 * np.pi * (np.arange(16) + 0.5) / 16
    parts.add(
        "dark_steel", screws([(0.158 * float(np.cos(a)), 0.158 * float(np.sin(a))) for a in angle], 0.012, 0.0045)
    )
    return parts


def column(top: float) -> Assembly:
    """Lifted sleeve with a ferrofluid seal ring, up to `top` (m)."""
    parts = Assembly()
    parts.add("bright_steel", cylinder(0.095, -0.06, top, edge=0.002))
    parts.add("joint_blue", ring(0.093, 0.0965, top - 0.009, top - 0.004))
    return parts


def _platform(offset: float, top: float) -> Assembly:
    parts = Assembly()
    w = offset + 0.070
    plan = rounded_outline([(-0.090, -w), (0.090, -w), (0.090, w), (-0.090, w)], 0.072, steps=12)
    parts.add("anodised", extrude(plan, 0.022 - top, 0.0, bevel=0.004))
    parts.add("machined_aluminium", extrude(0.86 * plan, -0.001, 0.0018, bevel=0.0006))
    parts.add("dark_steel", join(screws([(x, y) for x in (-0.06, 0.06) for y in (-0.055, 0.055)], 0.0018)))
    return parts


def add_robot(
    spec: mujoco.MjSpec, bodies: Sequence[mujoco.MjsBody], arms: Mapping[str, ArmBodies], twin: TwinArm, top: float
) -> None:
    """Add the drawn shapes.

    Args:
        spec: specification to extend.
        bodies: base, column and platform.
        arms: bodies of each arm.
        twin: dimensions of the arms.
        top: height of the platform above the base flange with the lift down, m.
    """
    base, lifted, platform = bodies
    flange().build(spec, base, "flange")
    column(0.022).build(spec, lifted, "column")
    _platform(twin.geometry.offset, top).build(spec, platform, "platform")
    for arm, parts in arms.items():
        twin_arm_shapes.add_arm(spec, parts, twin, arm, cups=False, lid="machined_aluminium")
