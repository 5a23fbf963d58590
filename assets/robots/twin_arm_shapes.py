"""Drawn shapes of a pair of belt-driven arms: links, the post that lifts the forearm of arm b, brackets and forks."""

from __future__ import annotations

import mujoco

from .twin_arm import SIDE, ArmBodies, TwinArm
from .wafer_arm_shapes import add_fork, bracket, link, post

FORK_ROOT = 0.028  # m, in front of the wrist


def add_arm(spec: mujoco.MjSpec, bodies: ArmBodies, twin: TwinArm, arm: str, *, cups: bool, lid: str) -> None:
    """Draw arm `arm`.

    Args:
        spec: specification to extend.
        bodies: of the arm.
        twin: its dimensions.
        arm: which of the two.
        cups: vacuum cups on the fork.
        lid: finish of the lids of the links.
    """
    g, (r0, r1, r2), half = twin.geometry, twin.link_radii, twin.link_half
    p = f"{arm}_"
    upper = link(g.link, r0, r1, half, lid=lid)
    upper.place(post(0.0, r0 - 0.010, -twin.upper_z, -half))
    rise = twin.forearm_z[arm] - twin.upper_z
    upper.place(post(g.link, r1 - 0.014, half, rise - half))
    upper.build(spec, bodies.upper, f"{p}upper_arm")
    link(g.link, r1, r2, half, lid=lid).build(spec, bodies.forearm, f"{p}forearm")
    # The face of the forearm that carries the wrist: its top for arm a, its bottom for arm b.
    gap = twin.forearm_z[arm] - twin.paddle_z[arm]
    face = gap + half if gap < 0.0 else gap - half
    bracket(SIDE[arm] * g.offset, FORK_ROOT, drop=face, radius=r2).build(spec, bodies.hub, f"{p}bracket")
    add_fork(spec, bodies.paddle, p, g.wrist_to_wafer, FORK_ROOT, cups=cups)
