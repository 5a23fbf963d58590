"""Drawn shapes of the M-10iD/12-class arm: yellow castings, black motors, hollow forearm, generated from dimensions.

Joint spacing follows the published kinematics; all other dimensions are chosen by eye and describe no vendor's part.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from ..shapes import Array, Assembly, Mesh, box, cylinder, extrude, join, lathe, ring, rounded_outline, sweep

YELLOW, COVER, MOTOR, METAL = "safety_yellow", "machine_grey", "black_rubber", "bright_steel"

UPPER_ARM = 0.640  # m
ARM_SIDE = (0.062, 0.148)  # m, the upper arm lies beside turret and elbow
ELBOW_TO_FOREARM = 0.195  # m

# Turns a drawing in the x-y plane upright: its y becomes z, its thickness runs along -y.
_UPRIGHT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def _plate(outline: Array, y0: float, y1: float, bevel: float) -> Mesh:
    """Casting with the outline (n, 2) in the x-z plane, from y0 to y1."""
    return extrude(outline, -y1, -y0, bevel).moved(rot=_UPRIGHT)


def _bolts(circle: float, count: int, z: float, radius: float = 0.005) -> Mesh:
    angle = 2.0 * np.pi * (np.arange(count) + 0.5) / count
    head = cylinder(radius, z, z + 0.006, edge=0.001, segments=12)
    return join(*(head.moved((circle * np.cos(a), circle * np.sin(a), 0.0)) for a in angle))


def _motor(length: float, radius: float) -> Mesh:
    """Servomotor along z: square body with cut corners, round encoder cap, connector."""
    r = 0.9 * radius
    square = [(-r, -r), (r, -r), (r, r), (-r, r)]
    return join(
        extrude(rounded_outline(square, 0.4 * r), 0.0, 0.72 * length, 0.003),
        cylinder(0.86 * radius, 0.72 * length, length, edge=0.006, segments=40),
        box((0.6 * r, 0.5 * r, 0.03), (0.0, 1.15 * r, 0.8 * length), bevel=0.003),
    )


def _base() -> Assembly:
    parts = Assembly()
    plate = rounded_outline([(-0.16, -0.15), (0.14, -0.15), (0.14, 0.15), (-0.16, 0.15)], 0.035)
    parts.add("graphite", extrude(plate, 0.0, 0.026, 0.003))
    column = lathe([(0.0, 0.02), (0.142, 0.02), (0.136, 0.05), (0.128, 0.15), (0.128, 0.176), (0.0, 0.176)])
    parts.add("graphite", column)
    parts.add("graphite", box((0.10, 0.19, 0.135), (-0.135, 0.0, 0.088), bevel=0.010))
    parts.add(MOTOR, box((0.012, 0.15, 0.09), (-0.188, 0.0, 0.09), bevel=0.004))
    for y in (-0.04, 0.04):
        path = [(-0.19, y, 0.09), (-0.235, y, 0.085), (-0.255, y, 0.03), (-0.26, y, -0.02)]
        parts.add(MOTOR, sweep(path, 0.014))
    corners = ((-0.135, -0.125), (0.115, -0.125), (0.115, 0.125), (-0.135, 0.125))
    parts.add(METAL, *(cylinder(0.011, 0.024, 0.036, edge=0.002, segments=24).moved((x, y, 0.0)) for x, y in corners))
    return parts


def _turret() -> Assembly:
    """Link 1; its frame is 0.1465 m below joint 2, whose axis runs along y at x = 75 mm."""
    parts = Assembly()
    parts.add(MOTOR, cylinder(0.124, -0.129, -0.118))
    disc = [(0.0, -0.119), (0.130, -0.119), (0.134, -0.114), (0.134, -0.050), (0.120, -0.028), (0.0, -0.028)]
    parts.add(YELLOW, lathe(disc))
    outline = rounded_outline(
        [(-0.125, -0.06), (0.120, -0.06), (0.180, 0.10), (0.180, 0.20), (0.10, 0.255), (-0.01, 0.255), (-0.085, 0.10),
         (-0.125, 0.06)],
        [0.02, 0.03, 0.06, 0.06, 0.08, 0.06, 0.08, 0.03],
    )  # fmt: skip
    parts.add(YELLOW, _plate(outline, -0.125, 0.045, 0.014))
    hub = (0.075, 0.0, 0.1465)
    parts.add(YELLOW, cylinder(0.098, 0.03, 0.056, edge=0.004).along("y").moved(hub))
    parts.add(MOTOR, cylinder(0.088, 0.054, 0.064).along("y").moved(hub))
    parts.add(MOTOR, _motor(0.15, 0.062).along("-y").moved((0.075, -0.115, 0.1465)))
    parts.add(MOTOR, _motor(0.17, 0.060).moved((-0.085, -0.02, 0.06)))
    return parts


def _upper_arm() -> Assembly:
    """Waisted plate beside the machine, with a rib and bearing covers."""
    y0, y1 = ARM_SIDE
    outline = rounded_outline(
        [(-0.108, -0.075), (0.0, -0.135), (0.108, -0.075), (0.108, 0.07), (0.068, 0.30), (0.082, 0.55), (0.082, 0.69),
         (0.0, 0.745), (-0.082, 0.69), (-0.082, 0.55), (-0.068, 0.30), (-0.108, 0.07)],
        [0.09, 0.09, 0.09, 0.07, 0.30, 0.07, 0.07, 0.08, 0.07, 0.07, 0.30, 0.07],
    )  # fmt: skip
    rib = rounded_outline(
        [(-0.058, 0.10), (0.058, 0.10), (0.040, 0.30), (0.050, 0.55), (-0.050, 0.55), (-0.040, 0.30)], 0.025
    )
    top = (0.0, 0.0, UPPER_ARM)
    parts = Assembly()
    parts.add(YELLOW, _plate(outline, y0, y1, 0.016), _plate(rib, y1 - 0.004, y1 + 0.014, 0.010))
    parts.add(COVER, cylinder(0.070, y1 - 0.002, y1 + 0.012, edge=0.004).along("y"))
    parts.add(COVER, cylinder(0.058, y1 - 0.002, y1 + 0.012, edge=0.004).along("y").moved(top))
    parts.add(METAL, _bolts(0.054, 6, y1 + 0.011).along("y"), _bolts(0.044, 6, y1 + 0.011).along("y").moved(top))
    return parts


def _elbow() -> Assembly:
    """Link 3: casing of joints 3 and 4, motors behind it, hollow shaft of the forearm in front."""
    at = (0.0, 0.0, ELBOW_TO_FOREARM)
    outline = rounded_outline(
        [(-0.085, -0.05), (0.0, -0.09), (0.085, -0.05), (0.115, 0.08), (0.205, 0.105), (0.205, 0.285), (-0.10, 0.285),
         (-0.145, 0.22), (-0.145, 0.10)],
        [0.07, 0.07, 0.06, 0.04, 0.02, 0.03, 0.05, 0.04, 0.06],
    )  # fmt: skip
    parts = Assembly()
    parts.add(YELLOW, _plate(outline, -0.105, 0.050, 0.016))
    parts.add(YELLOW, _plate(rounded_outline([(-0.06, 0.12), (0.20, 0.12), (0.20, 0.27), (-0.06, 0.27)], 0.03), 0.04,
                             0.100, 0.014))  # fmt: skip
    parts.add(MOTOR, cylinder(0.078, 0.048, 0.064).along("y"))
    parts.add(YELLOW, cylinder(0.088, 0.19, 0.247, edge=0.006).along("x").moved(at))
    parts.add(MOTOR, cylinder(0.080, 0.244, 0.256).along("x").moved(at))
    parts.add(MOTOR, _motor(0.16, 0.055).along("-y").moved((0.0, -0.095, 0.0)))
    parts.add(MOTOR, _motor(0.12, 0.045).along("-x").moved((-0.13, -0.055, 0.225)))
    parts.add(MOTOR, _motor(0.12, 0.040).along("-x").moved((-0.13, 0.035, 0.225)))
    parts.add("status_red", cylinder(0.016, 0.283, 0.322, edge=0.005, segments=32).moved((-0.07, 0.0, 0.0)))
    # Motor cables that leave the casing behind and enter it below.
    for y in (-0.055, 0.035):
        path = [(-0.135, y, 0.150), (-0.185, y, 0.125), (-0.190, y, 0.050), (-0.135, y, 0.010), (-0.075, y, 0.0)]
        parts.add(MOTOR, sweep(path, 0.011))
    return parts


def _forearm() -> Assembly:
    """Link 4: hollow tube, then a fork that holds the wrist from both sides."""
    tube = [
        (0.0, 0.002), (0.082, 0.002), (0.084, 0.006), (0.084, 0.050), (0.074, 0.075), (0.064, 0.270), (0.068, 0.300),
        (0.070, 0.325), (0.060, 0.345), (0.0, 0.345),
    ]  # fmt: skip
    cheek = rounded_outline(
        [(0.25, -0.052), (0.42, -0.056), (0.50, -0.04), (0.50, 0.04), (0.42, 0.056), (0.25, 0.052)],
        [0.02, 0.03, 0.035, 0.035, 0.03, 0.02],
    )
    parts = Assembly()
    parts.add(YELLOW, lathe(tube, 56).along("x"))
    parts.add(YELLOW, _plate(cheek, 0.046, 0.080, 0.010), _plate(cheek, -0.080, -0.046, 0.010))
    for axis in ("y", "-y"):
        parts.add(COVER, cylinder(0.040, 0.078, 0.086, edge=0.003).along(axis).moved((0.4445, 0.0, 0.0)))
    return parts


def _wrist() -> Assembly:
    parts = Assembly()
    parts.add(YELLOW, cylinder(0.047, -0.043, 0.043, edge=0.008).along("y"))
    parts.add(YELLOW, lathe([(0.0, 0.0), (0.046, 0.0), (0.046, 0.044), (0.043, 0.050), (0.0, 0.050)]).along("x"))
    parts.add(MOTOR, cylinder(0.041, 0.048, 0.056).along("x"))
    return parts


def _flange() -> Assembly:
    parts = Assembly()
    parts.add("dark_steel", ring(0.020, 0.040, -0.020, 0.0, edge=0.0015).along("x"))
    parts.add(METAL, ring(0.0155, 0.0215, -0.018, 0.0005).along("x"))
    return parts


def add_arm(spec: mujoco.MjSpec, base: mujoco.MjsBody, links: Sequence[mujoco.MjsBody]) -> None:
    """Add the drawn shapes of base and links (in joint order) to their bodies."""
    drawn = (_base(), _turret(), _upper_arm(), _elbow(), _forearm(), _wrist(), _flange())
    for body, parts in zip((base, *links), drawn, strict=True):
        parts.build(spec, body, f"m10id12_{body.name}")
