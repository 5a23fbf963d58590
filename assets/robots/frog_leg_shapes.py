"""Drawn shapes of the frog-leg robot: coaxial hub, upper arms, slender forearms, geared wrists and forks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import mujoco

from ..shapes import Assembly, cylinder, extrude, ring, rounded_outline
from . import dual_scara_shapes
from . import frog_leg_kinematics as kinematics
from .wafer_arm_shapes import add_fork, link, post, screws

UPPER_HALF, FORE_HALF = 0.014, 0.0115  # m, half thickness
FORK_ROOT = 0.034  # m, in front of the wrist's line


def _hub() -> Assembly:
    parts = Assembly()
    parts.add("anodised", cylinder(0.090, 0.024, 0.050, edge=0.003))
    parts.add("machined_aluminium", cylinder(0.050, 0.050, 0.114, edge=0.002))
    return parts


def _upper(side: str) -> Assembly:
    parts = link(kinematics.UPPER, 0.072, 0.046, UPPER_HALF, lid="machined_aluminium")
    own = kinematics.UPPER_Z[side]
    parts.place(post(kinematics.UPPER, 0.034, UPPER_HALF, kinematics.FOREARM_Z["front"] - own - FORE_HALF))
    parts.place(
        post(
            kinematics.UPPER, 0.022, kinematics.FOREARM_Z["front"] - own + FORE_HALF,
            kinematics.FOREARM_Z["rear"] - own - FORE_HALF,
        )
    )  # fmt: skip
    if side == "right":
        parts.add("machined_aluminium", cylinder(0.052, UPPER_HALF, UPPER_HALF + 0.006, edge=0.002))
    return parts


def _wrist(which: str) -> Assembly:
    """Bracket over the two geared pivots, with a post down to each forearm."""
    parts = Assembly()
    plan = [(-0.030, -0.056), (0.020, -0.056), (0.068, -0.034), (0.068, 0.034), (0.020, 0.056), (-0.030, 0.056)]
    outline = rounded_outline(plan, 0.014, steps=6)
    parts.add("machined_aluminium", extrude(outline, -0.009, -0.002, bevel=0.001))
    clamp = rounded_outline([(FORK_ROOT, -0.034), (0.066, -0.034), (0.066, 0.034), (FORK_ROOT, 0.034)], 0.006)
    parts.add("anodised", extrude(clamp, 0.0018, 0.0058, bevel=0.0006))
    parts.add("dark_steel", screws([(x, y) for x in (0.044, 0.058) for y in (-0.022, 0.022)], 0.0058, 0.003))
    top = kinematics.FOREARM_Z[which] - kinematics.PADDLE_Z + FORE_HALF
    w = kinematics.WRIST_HALF
    for y in (-w, w):
        parts.add("anodised", cylinder(0.017, top, -0.008, edge=0.001).moved((0.0, y, 0.0)))
        gear = ring(0.015, 0.0292, top + 0.002, top + 0.007, edge=0.001, segments=48)
        parts.add("dark_steel", gear.moved((0.0, y, 0.0)))
        parts.add("bright_steel", cylinder(0.010, -0.002, 0.0005, edge=0.0005).moved((-0.005, y, 0.0)))
    return parts


def add_robot(
    spec: mujoco.MjSpec,
    bodies: Sequence[mujoco.MjsBody],
    uppers: Sequence[mujoco.MjsBody],
    paddles: Mapping[str, Mapping[str, mujoco.MjsBody]],
) -> None:
    """Add the drawn shapes.

    Args:
        spec: specification to extend.
        bodies: base, column and platform.
        uppers: left and right upper arm.
        paddles: bodies `hub`, `left`, `right` (forearms) and `paddle` of each paddle.
    """
    base, column, platform = bodies
    dual_scara_shapes.flange().build(spec, base, "flange")
    dual_scara_shapes.column(0.024).build(spec, column, "column")
    _hub().build(spec, platform, "hub")
    for side, body in zip(("left", "right"), uppers, strict=True):
        _upper(side).build(spec, body, f"upper_{side}")
    for which, parts in paddles.items():
        for side in ("left", "right"):
            fore = link(kinematics.FOREARM, 0.029, 0.040, FORE_HALF, lid="anodised")
            fore.build(spec, parts[side], f"{which}_forearm_{side}")
        _wrist(which).build(spec, parts["hub"], f"{which}_wrist")
        add_fork(spec, parts["paddle"], f"{which}_", kinematics.WRIST_TO_WAFER, FORK_ROOT, cups=False)
