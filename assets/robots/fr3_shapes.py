"""Drawn shapes of the FR3-class arm: white shells with dark joint caps, generated from dimensions.

Joint spacing follows the published kinematics; all other dimensions are chosen by eye and describe no vendor's part.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from ..shapes import Assembly, Mesh, box, cylinder, dome, extrude, join, lathe, ring, rounded_outline, sweep

SHELL, CAP, SEAM = "white_enamel", "graphite", "black_rubber"


def _housing(radius: float, z0: float, z1: float) -> Mesh:
    """Joint housing along z with softly rounded ends."""
    return cylinder(radius, z0, z1, edge=0.30 * radius, segments=64)


def _cap(radius: float, z: float) -> Mesh:
    """Shallow dark cover of a joint, facing +z."""
    return join(cylinder(radius, z - 0.004, z + 0.001), dome(radius, z + 0.001, 0.006))


def _limb(points: Sequence[tuple[float, float, float]], radius: float) -> Mesh:
    """Thick curved shell between two joints."""
    return sweep(points, radius, segments=40, samples=24)


def _seam(radius: float, z: float) -> Mesh:
    return cylinder(radius, z - 0.003, z + 0.003)


def _base() -> Assembly:
    foot = rounded_outline([(-0.135, -0.095), (0.02, -0.095), (0.075, -0.05), (0.075, 0.05), (0.02, 0.095),
                            (-0.135, 0.095)], [0.03, 0.06, 0.05, 0.05, 0.06, 0.03])  # fmt: skip
    parts = Assembly()
    parts.add(SHELL, extrude(foot, 0.004, 0.050, 0.014))
    parts.add(SHELL, lathe([(0.0, 0.03), (0.078, 0.03), (0.070, 0.075), (0.066, 0.100), (0.066, 0.136), (0.0, 0.136)]))
    parts.add(SHELL, box((0.11, 0.10, 0.07), (-0.085, 0.0, 0.075), bevel=0.025))
    parts.add(CAP, extrude(foot, 0.0, 0.005, 0.0), box((0.006, 0.07, 0.04), (-0.141, 0.0, 0.07), bevel=0.002))
    parts.add(SEAM, _seam(0.063, 0.138))
    cable = [(-0.14, 0.0, 0.06), (-0.17, 0.0, 0.058), (-0.19, 0.0, 0.03), (-0.20, 0.0, -0.05)]
    parts.add(SEAM, sweep(cable, 0.008))
    return parts


def _shoulder() -> Assembly:
    """Link 1: stands upright below its frame; joint 2 runs along its y axis."""
    parts = Assembly()
    parts.add(
        SHELL, lathe([(0.0, -0.192), (0.063, -0.192), (0.066, -0.186), (0.066, -0.10), (0.060, -0.03), (0.0, 0.0)])
    )
    parts.add(SHELL, _housing(0.064, -0.066, 0.062).along("y"))
    parts.add(CAP, _cap(0.050, 0.066).along("-y"))
    parts.add(SEAM, _seam(0.058, 0.063).along("y"))
    return parts


def _upper_arm() -> Assembly:
    """Link 2: the tube leaves joint 2 along -y, towards joint 3."""
    parts = Assembly()
    parts.add(SHELL, _housing(0.064, 0.065, 0.115), _housing(0.064, -0.062, 0.062))
    parts.add(CAP, _cap(0.050, 0.115))
    tube = [(0.0, 0.0), (0.060, 0.0), (0.066, 0.060), (0.066, 0.170), (0.064, 0.189), (0.0, 0.189)]
    parts.add(SHELL, lathe(tube).along("-y"))
    parts.add(SHELL, _limb([(0.0, -0.006, 0.068), (0.0, -0.045, 0.062), (0.0, -0.095, 0.030)], 0.046))
    parts.add(SEAM, _seam(0.061, 0.192).along("-y"))
    return parts


def _upper_elbow() -> Assembly:
    """Link 3: continues the tube, then steps out by 82.5 mm to joint 4, which runs along -y."""
    parts = Assembly()
    tube = [(0.0, -0.121), (0.063, -0.121), (0.066, -0.116), (0.066, -0.070), (0.062, -0.050), (0.052, -0.034),
            (0.034, -0.022), (0.0, -0.017)]  # fmt: skip
    parts.add(SHELL, lathe(tube))
    parts.add(
        SHELL, _limb([(0.006, 0.0, -0.080), (0.030, 0.0, -0.055), (0.062, 0.0, -0.018), (0.0825, 0.0, 0.0)], 0.054)
    )
    parts.add(SHELL, _housing(0.061, -0.062, 0.060).along("-y").moved((0.0825, 0.0, 0.0)))
    parts.add(CAP, _cap(0.048, 0.062).along("y").moved((0.0825, 0.0, 0.0)))
    parts.add(SEAM, _seam(0.056, 0.061).along("-y").moved((0.0825, 0.0, 0.0)))
    return parts


def _lower_elbow() -> Assembly:
    """Link 4: from joint 4 back by 82.5 mm to the axis of joint 5, which runs along y."""
    parts = Assembly()
    parts.add(SHELL, _housing(0.061, 0.063, 0.108), _housing(0.060, -0.058, 0.060))
    parts.add(CAP, _cap(0.048, 0.108))
    parts.add(SHELL, _limb([(0.0, 0.0, 0.0), (-0.030, 0.020, 0.0), (-0.062, 0.055, 0.0), (-0.0825, 0.090, 0.0)], 0.052))
    parts.add(SHELL, _limb([(-0.006, 0.004, 0.064), (-0.035, 0.030, 0.056), (-0.072, 0.075, 0.020)], 0.042))
    tube = [(0.0, 0.045), (0.050, 0.050), (0.062, 0.075), (0.063, 0.118), (0.061, 0.123), (0.0, 0.123)]
    parts.add(SHELL, lathe(tube).along("y").moved((-0.0825, 0.0, 0.0)))
    parts.add(SEAM, _seam(0.058, 0.126).along("y").moved((-0.0825, 0.0, 0.0)))
    return parts


def _forearm() -> Assembly:
    """Link 5: from the elbow down to the wrist in its origin, thicker on the side of +y."""
    parts = Assembly()
    tube = [(0.0, -0.255), (0.061, -0.255), (0.064, -0.250), (0.064, -0.215), (0.050, -0.175), (0.0, -0.165)]
    parts.add(SHELL, lathe(tube))
    parts.add(
        SHELL, _limb([(0.0, 0.012, -0.225), (0.0, 0.048, -0.150), (0.0, 0.062, -0.075), (0.0, 0.064, 0.0)], 0.042)
    )
    parts.add(SHELL, _limb([(0.0, 0.0, -0.200), (0.0, 0.020, -0.150), (0.0, 0.040, -0.090)], 0.048))
    parts.add(SHELL, _housing(0.050, 0.052, 0.104).along("y"))
    parts.add(CAP, _cap(0.040, 0.104).along("y"))
    parts.add(SEAM, _seam(0.045, 0.050).along("y"))
    return parts


def _wrist() -> Assembly:
    """Link 6: joint 6 runs along its z axis, joint 7 is 88 mm ahead and runs along -y."""
    parts = Assembly()
    parts.add(
        SHELL, _housing(0.050, -0.052, 0.048), _limb([(0.0, 0.0, 0.0), (0.045, 0.0, 0.0), (0.088, 0.0, 0.0)], 0.047)
    )
    parts.add(CAP, _cap(0.040, 0.052).along("-z"))
    parts.add(SHELL, _housing(0.049, -0.062, 0.036).along("-y").moved((0.088, 0.0, 0.0)))
    parts.add(CAP, _cap(0.038, 0.062).along("y").moved((0.088, 0.0, 0.0)))
    parts.add(SEAM, _seam(0.044, 0.039).along("-y").moved((0.088, 0.0, 0.0)))
    return parts


def _flange() -> Assembly:
    parts = Assembly()
    body = [(0.0, 0.042), (0.044, 0.042), (0.047, 0.046), (0.047, 0.078), (0.040, 0.086), (0.0, 0.086)]
    parts.add(SHELL, lathe(body))
    # Pilot knob with the status light.
    parts.add(SHELL, box((0.035, 0.05, 0.034), (0.045, 0.0, 0.064), bevel=0.010))
    parts.add("joint_blue", cylinder(0.0475, 0.0775, 0.0805))
    parts.add("bright_steel", ring(0.011, 0.0315, 0.085, 0.107, edge=0.001))
    angle = 2.0 * np.pi * np.arange(4) / 4 + np.pi / 4
    hole = cylinder(0.003, 0.1068, 0.1074, segments=16)
    parts.add(SEAM, *(hole.moved((0.025 * np.cos(a), 0.025 * np.sin(a), 0.0)) for a in angle))
    return parts


def add_arm(spec: mujoco.MjSpec, base: mujoco.MjsBody, links: Sequence[mujoco.MjsBody]) -> None:
    """Add the drawn shapes of base and links (in joint order) to their bodies."""
    drawn = (
        _base(), _shoulder(), _upper_arm(), _upper_elbow(), _lower_elbow(), _forearm(), _wrist(), _flange(),
    )  # fmt: skip
    for body, parts in zip((base, *links), drawn, strict=True):
        parts.build(spec, body, f"fr3_{body.name}")
