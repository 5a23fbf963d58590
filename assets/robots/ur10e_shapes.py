"""Drawn shapes of the UR10e-class arm: cast housings, tubes, caps and a touch probe, generated from dimensions.

Joint spacing follows the published kinematics; all other dimensions are chosen by eye and describe no vendor's part.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from .. import look
from ..shapes import Assembly, Mesh, box, cylinder, dome, join, lathe, ring, sweep

# Lateral planes in which the tubes lie, along the shoulder_lift axis from the base axis (m).
UPPER_ARM_PLANE, FOREARM_PLANE = 0.176, 0.039
UPPER_ARM, FOREARM = 0.6127, 0.57155  # m between joint axes
SHOULDER_R, ELBOW_R, WRIST_R = 0.084, 0.068, 0.047  # m, housing radii


def _housing(radius: float, z0: float, z1: float) -> Mesh:
    """Cast joint housing with a machined step near either end."""
    step, e = 0.02 * radius, 0.006
    return lathe(
        [
            (0.0, z0), (radius - 2 * step, z0), (radius - step, z0 + 0.002), (radius - step, z0 + 0.008),
            (radius, z0 + 0.010), (radius, z1 - e), (radius - 0.3 * e, z1 - 0.3 * e), (radius - e, z1), (0.0, z1),
        ]
    )  # fmt: skip


def _cap(radius: float, z: float) -> Mesh:
    """Screwed-on cover of a joint: rim, shallow dome."""
    r = radius - 0.007
    return join(cylinder(r, z - 0.002, z + 0.010, edge=0.003), dome(r - 0.003, z + 0.010, 0.010))


def _seam(radius: float, z: float) -> Mesh:
    """Dark sealing ring between two links."""
    return cylinder(radius - 0.004, z - 0.004, z + 0.004)


def _bolts(circle: float, count: int, z: float, radius: float = 0.004, height: float = 0.004) -> Mesh:
    angle = 2.0 * np.pi * (np.arange(count) + 0.5) / count
    head = cylinder(radius, z, z + height, edge=0.001, segments=12)
    return join(*(head.moved((circle * np.cos(a), circle * np.sin(a), 0.0)) for a in angle))


def _tube(length: float, r0: float, r1: float) -> Mesh:
    """Arm tube along -x with collars at both ends."""
    profile = [
        (0.0, 0.03), (r0 + 0.008, 0.03), (r0 + 0.008, 0.105), (r0 + 0.006, 0.110), (r0 + 0.001, 0.112), (r0, 0.118),
        (r1, length - 0.098), (r1 + 0.001, length - 0.092), (r1 + 0.006, length - 0.090), (r1 + 0.008, length - 0.085),
        (r1 + 0.008, length - 0.03), (0.0, length - 0.03),
    ]  # fmt: skip
    return lathe(profile, 56).along("-x")


def _base() -> Assembly:
    foot = lathe(
        [
            (0.0, 0.0), (0.094, 0.0), (0.095, 0.001), (0.095, 0.013), (0.092, 0.016), (0.088, 0.022), (0.086, 0.034),
            (0.086, 0.094), (0.084, 0.097), (0.0, 0.097),
        ],
    )  # fmt: skip
    path = [(0.105, 0.0, 0.052), (0.15, 0.0, 0.050), (0.175, 0.0, 0.015), (0.178, 0.0, -0.06), (0.178, 0.0, -0.30)]
    parts = Assembly()
    parts.add("cast_aluminium", foot, box((0.03, 0.062, 0.05), (0.092, 0.0, 0.052), bevel=0.006))
    parts.add("black_rubber", _seam(SHOULDER_R, 0.099), sweep(path, 0.009))
    parts.add("black_rubber", box((0.006, 0.044, 0.032), (0.107, 0.0, 0.052), bevel=0.002))
    parts.add("bright_steel", _bolts(0.0905, 4, 0.0155, 0.0035))
    return parts


def _shoulder() -> Assembly:
    at = (0.0, 0.0, 0.1807)
    parts = Assembly()
    parts.add("cast_aluminium", _housing(SHOULDER_R, 0.103, at[2]))
    parts.add("cast_aluminium", _housing(SHOULDER_R, -0.0860, 0.0885).along("-y").moved(at))
    parts.add("joint_blue", _cap(SHOULDER_R, 0.084).along("y").moved(at))
    parts.add("black_rubber", _seam(SHOULDER_R, 0.0905).along("-y").moved(at))
    return parts


def _upper_arm() -> Assembly:
    h, far = UPPER_ARM_PLANE, (-UPPER_ARM, 0.0, 0.0)
    parts = Assembly()
    parts.add("cast_aluminium", _housing(SHOULDER_R, 0.093, h + 0.083))
    parts.add("cast_aluminium", _tube(UPPER_ARM, 0.062, 0.054).moved((0.0, 0.0, h)))
    parts.add("cast_aluminium", _housing(ELBOW_R, -(h + 0.070), -0.1105).along("-z").moved(far))
    parts.add("joint_blue", _cap(SHOULDER_R, h + 0.083), _cap(ELBOW_R, h + 0.070).moved(far))
    parts.add("black_rubber", _seam(ELBOW_R, 0.1080).moved(far))
    return parts


def _forearm() -> Assembly:
    h, far = FOREARM_PLANE, (-FOREARM, 0.0, 0.0)
    parts = Assembly()
    parts.add("cast_aluminium", _housing(ELBOW_R, h - 0.066, 0.1055))
    parts.add("cast_aluminium", _tube(FOREARM, 0.050, 0.043).moved((0.0, 0.0, h)))
    parts.add("cast_aluminium", _housing(WRIST_R, h - 0.048, 0.1085).moved(far))
    parts.add("joint_blue", _cap(ELBOW_R, 0.066 - h).along("-z"), _cap(WRIST_R, 0.048 - h).along("-z").moved(far))
    parts.add("black_rubber", _seam(WRIST_R, 0.1105).moved(far))
    return parts


def _wrist_elbow(start: float, center: float, inward: str, outward: str) -> Assembly:
    """Elbow piece of the wrist: a housing along z through `center`, one along `outward`, the axis of the next joint."""
    at = (0.0, 0.0, center)
    parts = Assembly()
    parts.add("cast_aluminium", _housing(WRIST_R, start + 0.002, center + 0.046))
    parts.add("cast_aluminium", _housing(WRIST_R, -0.0565, 0.0).along(inward).moved(at))
    parts.add("joint_blue", _cap(WRIST_R, center + 0.046))
    parts.add("black_rubber", _seam(WRIST_R, 0.0580).along(outward).moved(at))
    return parts


def _wrist_3() -> Assembly:
    parts = Assembly()
    parts.add("cast_aluminium", _housing(WRIST_R - 0.001, 0.0600, 0.1040))
    parts.add("bright_steel", cylinder(0.0375, 0.1030, 0.1100, edge=0.001))
    parts.add("bright_steel", ring(0.0157, 0.0315, 0.1095, 0.11655, edge=0.0008))
    return parts


def add_arm(spec: mujoco.MjSpec, base: mujoco.MjsBody, links: Sequence[mujoco.MjsBody]) -> None:
    """Add the drawn shapes of base and links (in joint order) to their bodies."""
    drawn = (
        _base(), _shoulder(), _upper_arm(), _forearm(), _wrist_elbow(0.1105, 0.17415, "y", "-y"),
        _wrist_elbow(0.0580, 0.11985, "-y", "y"), _wrist_3(),
    )  # fmt: skip
    for body, parts in zip((base, *links), drawn, strict=True):
        parts.build(spec, body, f"ur10e_{body.name}")


def add_tool(spec: mujoco.MjSpec, tool: mujoco.MjsBody, length: float) -> None:
    """Touch probe: adapter, body with status ring, stylus, ruby ball whose far point is the TCP at `length` (m)."""
    ball, end = 0.004, 0.58 * length
    parts = Assembly()
    parts.add("dark_steel", cylinder(0.0315, 0.0, 0.007, edge=0.001), _bolts(0.025, 4, 0.007, 0.003, 0.003))
    shell = lathe(
        [
            (0.0, 0.006), (0.021, 0.006), (0.022, 0.010), (0.022, end - 0.022), (0.020, end - 0.018),
            (0.0135, end - 0.003), (0.012, end), (0.0, end),
        ]
    )  # fmt: skip
    stylus = lathe(
        [
            (0.0, end), (0.005, end), (0.0042, end + 0.006), (0.0018, end + 0.009), (0.0015, length - 2 * ball),
            (0.0, length - 2 * ball),
        ],
        20,
    )  # fmt: skip
    parts.add("graphite", shell)
    parts.add("status_green", cylinder(0.0223, end - 0.028, end - 0.024))
    parts.add("bright_steel", stylus)
    parts.build(spec, tool, "probe", look.GROUP_PART)
    tool.add_geom(
        name="probe_ball", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[ball, 0.0, 0.0], pos=[0.0, 0.0, length - ball],
        material=look.material(spec, "ruby"), contype=0, conaffinity=0, mass=0.0, group=look.GROUP_PART,
    )  # fmt: skip
