"""Drawn shapes of the UR10e-class arm: cast housings, tubes, caps and a touch probe, generated from dimensions.

Joint spacing follows the published kinematics; all other dimensions are chosen by eye and describe no vendor's part.
"""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..shapes import Mesh, add_mesh_geom, box, cylinder, dome, join, lathe, ring, sweep

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


def _add_base(spec: mujoco.MjSpec, base: mujoco.MjsBody) -> None:
    foot = lathe([(0.0, 0.0), (0.094, 0.0), (0.095, 0.001), (0.095, 0.013), (0.092, 0.016), (0.088, 0.022), (0.086, 0.034),
                  (0.086, 0.094), (0.084, 0.097), (0.0, 0.097)], 56)  # fmt: skip
    socket = box((0.03, 0.062, 0.05), (0.092, 0.0, 0.052), bevel=0.006)
    add_mesh_geom(spec, base, "ur10e_base", join(foot, socket), look.material(spec, "cast_aluminium"))
    dark = join(_seam(SHOULDER_R, 0.099), box((0.006, 0.044, 0.032), (0.107, 0.0, 0.052), bevel=0.002))
    cable = sweep([(0.105, 0.0, 0.052), (0.15, 0.0, 0.050), (0.175, 0.0, 0.015), (0.178, 0.0, -0.06), (0.178, 0.0, -0.30)], 0.009)
    add_mesh_geom(spec, base, "ur10e_base_dark", join(dark, cable), look.material(spec, "black_rubber"))
    add_mesh_geom(spec, base, "ur10e_base_bolts", _bolts(0.0905, 4, 0.0155, 0.0035), look.material(spec, "bright_steel"))


def _add_shoulder(spec: mujoco.MjSpec, body: mujoco.MjsBody) -> None:
    d1 = 0.1807
    upright = _housing(SHOULDER_R, 0.103, d1)
    across = _housing(SHOULDER_R, -0.0860, 0.0885).along("-y").moved((0.0, 0.0, d1))
    add_mesh_geom(spec, body, "ur10e_shoulder", join(upright, across), look.material(spec, "cast_aluminium"))
    cap = _cap(SHOULDER_R, 0.084).along("y").moved((0.0, 0.0, d1))
    add_mesh_geom(spec, body, "ur10e_shoulder_cap", cap, look.material(spec, "joint_blue"))
    seam = _seam(SHOULDER_R, 0.0905).along("-y").moved((0.0, 0.0, d1))
    add_mesh_geom(spec, body, "ur10e_shoulder_seam", seam, look.material(spec, "black_rubber"))


def _add_upper_arm(spec: mujoco.MjSpec, body: mujoco.MjsBody) -> None:
    h, far = UPPER_ARM_PLANE, (-UPPER_ARM, 0.0, 0.0)
    shell = join(
        _housing(SHOULDER_R, 0.093, h + 0.083),
        _tube(UPPER_ARM, 0.062, 0.054).moved((0.0, 0.0, h)),
        _housing(ELBOW_R, -(h + 0.070), -0.1105).along("-z").moved(far),
    )
    add_mesh_geom(spec, body, "ur10e_upper_arm", shell, look.material(spec, "cast_aluminium"))
    caps = join(_cap(SHOULDER_R, h + 0.083), _cap(ELBOW_R, h + 0.070).moved(far))
    add_mesh_geom(spec, body, "ur10e_upper_arm_caps", caps, look.material(spec, "joint_blue"))
    add_mesh_geom(spec, body, "ur10e_upper_arm_seam", _seam(ELBOW_R, 0.1080).moved(far), look.material(spec, "black_rubber"))


def _add_forearm(spec: mujoco.MjSpec, body: mujoco.MjsBody) -> None:
    h, far = FOREARM_PLANE, (-FOREARM, 0.0, 0.0)
    shell = join(
        _housing(ELBOW_R, h - 0.066, 0.1055),
        _tube(FOREARM, 0.050, 0.043).moved((0.0, 0.0, h)),
        _housing(WRIST_R, h - 0.048, 0.1085).moved(far),
    )
    add_mesh_geom(spec, body, "ur10e_forearm", shell, look.material(spec, "cast_aluminium"))
    caps = join(_cap(ELBOW_R, 0.066 - h).along("-z"), _cap(WRIST_R, 0.048 - h).along("-z").moved(far))
    add_mesh_geom(spec, body, "ur10e_forearm_caps", caps, look.material(spec, "joint_blue"))
    add_mesh_geom(spec, body, "ur10e_forearm_seam", _seam(WRIST_R, 0.1105).moved(far), look.material(spec, "black_rubber"))


def _add_wrist_joint(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str, start: float, center: float, next_axis: str
) -> None:
    """Elbow piece of the wrist: one housing along z through `center`, one along the next joint's axis."""
    at = (0.0, 0.0, center)
    shell = join(
        _housing(WRIST_R, start + 0.002, center + 0.046),
        _housing(WRIST_R, -0.0565, 0.0).along(_OPPOSITE[next_axis]).moved(at),
    )
    add_mesh_geom(spec, body, f"ur10e_{name}", shell, look.material(spec, "cast_aluminium"))
    add_mesh_geom(spec, body, f"ur10e_{name}_cap", _cap(WRIST_R, center + 0.046), look.material(spec, "joint_blue"))
    seam = _seam(WRIST_R, 0.0580).along(next_axis).moved(at)
    add_mesh_geom(spec, body, f"ur10e_{name}_seam", seam, look.material(spec, "black_rubber"))


_OPPOSITE = {"y": "-y", "-y": "y"}


def _add_wrist_3(spec: mujoco.MjSpec, body: mujoco.MjsBody) -> None:
    add_mesh_geom(spec, body, "ur10e_wrist_3", _housing(WRIST_R - 0.001, 0.0600, 0.1040), look.material(spec, "cast_aluminium"))
    flange = join(cylinder(0.0375, 0.1030, 0.1100, edge=0.001), ring(0.0157, 0.0315, 0.1095, 0.11655, edge=0.0008))
    add_mesh_geom(spec, body, "ur10e_flange", flange, look.material(spec, "bright_steel"))


def add_arm(spec: mujoco.MjSpec, base: mujoco.MjsBody, links: list[mujoco.MjsBody]) -> None:
    """Add the drawn shapes of base and links (in joint order) to their bodies."""
    _add_base(spec, base)
    _add_shoulder(spec, links[0])
    _add_upper_arm(spec, links[1])
    _add_forearm(spec, links[2])
    _add_wrist_joint(spec, links[3], "wrist_1", 0.1105, 0.17415, "-y")
    _add_wrist_joint(spec, links[4], "wrist_2", 0.0580, 0.11985, "y")
    _add_wrist_3(spec, links[5])


def add_tool(spec: mujoco.MjSpec, tool: mujoco.MjsBody, length: float) -> None:
    """Touch probe: adapter plate, probe body with status ring, ceramic stylus, ruby ball whose far point is the TCP."""
    ball = 0.004
    body_end = 0.58 * length
    adapter = join(cylinder(0.0315, 0.0, 0.007, edge=0.001), _bolts(0.025, 4, 0.007, 0.003, 0.003))
    add_mesh_geom(spec, tool, "probe_adapter", adapter, look.material(spec, "dark_steel"), group=look.GROUP_PART)
    shell = lathe([(0.0, 0.006), (0.021, 0.006), (0.022, 0.010), (0.022, body_end - 0.022), (0.020, body_end - 0.018),
                   (0.0135, body_end - 0.003), (0.012, body_end), (0.0, body_end)])  # fmt: skip
    add_mesh_geom(spec, tool, "probe_body", shell, look.material(spec, "graphite"), group=look.GROUP_PART)
    lamp = cylinder(0.0223, body_end - 0.028, body_end - 0.024)
    add_mesh_geom(spec, tool, "probe_lamp", lamp, look.material(spec, "status_green"), group=look.GROUP_PART)
    stylus = lathe([(0.0, body_end), (0.005, body_end), (0.0042, body_end + 0.006), (0.0018, body_end + 0.009),
                    (0.0015, length - 2 * ball), (0.0, length - 2 * ball)], 20)  # fmt: skip
    add_mesh_geom(spec, tool, "probe_stylus", stylus, look.material(spec, "bright_steel"), group=look.GROUP_PART)
    tool.add_geom(
        name="probe_ball", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[ball, 0.0, 0.0], pos=[0.0, 0.0, length - ball],
        material=look.material(spec, "ruby"), contype=0, conaffinity=0, mass=0.0, group=look.GROUP_PART,
    )  # fmt: skip
