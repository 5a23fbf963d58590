"""Drawn shapes of the AR1440-class arm: blue castings, hollow forearm, generated from dimensions.

Joint spacing follows the published kinematics; all other dimensions are chosen by eye and describe no vendor's part.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from ..shapes import Array, Assembly, Mesh, box, cylinder, extrude, join, lathe, ring, rounded_outline, sweep

BLUE, COVER, MOTOR, METAL = "joint_blue", "white_enamel", "black_rubber", "bright_steel"

LOWER_ARM = 0.614  # m
ARM_SIDE = (-0.146, -0.064)  # m, the lower arm lies beside turret and elbow
ELBOW_TO_FOREARM = 0.200  # m

# Turns a drawing in the x-y plane upright: its y becomes z, its thickness runs along -y.
_UPRIGHT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def _plate(outline: Array, y0: float, y1: float, bevel: float) -> Mesh:
    """Casting with the outline (n, 2) in the x-z plane, from y0 to y1."""
    return extrude(outline, -y1, -y0, bevel).moved(rot=_UPRIGHT)


def _motor(length: float, radius: float) -> Mesh:
    """Servomotor along z: finned square body and round encoder cap."""
    r = 0.88 * radius
    square = rounded_outline([(-r, -r), (r, -r), (r, r), (-r, r)], 0.3 * r)
    body = extrude(square, 0.0, 0.70 * length, 0.003)
    return join(body, cylinder(0.80 * radius, 0.68 * length, length, edge=0.006, segments=40))


def _base() -> Assembly:
    parts = Assembly()
    plate = rounded_outline([(-0.17, -0.15), (0.15, -0.15), (0.15, 0.15), (-0.17, 0.15)], 0.02)
    parts.add("graphite", extrude(plate, 0.0, 0.024, 0.003))
    parts.add(BLUE, lathe([(0.0, 0.02), (0.145, 0.02), (0.142, 0.06), (0.118, 0.11), (0.118, 0.150), (0.0, 0.150)]))
    parts.add(BLUE, box((0.11, 0.20, 0.125), (-0.125, 0.0, 0.084), bevel=0.012))
    parts.add("graphite", box((0.010, 0.16, 0.09), (-0.184, 0.0, 0.088), bevel=0.004))
    for y in (-0.045, 0.04):
        parts.add(MOTOR, sweep([(-0.185, y, 0.09), (-0.235, y, 0.083), (-0.26, y, 0.03), (-0.265, y, -0.02)], 0.015))
    bolt = cylinder(0.011, 0.022, 0.034, edge=0.002, segments=6)
    parts.add(METAL, *(bolt.moved((x, y, 0.0)) for x in (-0.145, 0.125) for y in (-0.125, 0.125)))
    return parts


def _turret() -> Assembly:
    """Link 1; joint 2 runs along y, 155 mm in front of and 185 mm above this frame."""
    parts = Assembly()
    parts.add(MOTOR, cylinder(0.112, -0.117, -0.106))
    parts.add(BLUE, lathe([(0.0, -0.107), (0.128, -0.107), (0.134, -0.098), (0.134, -0.040), (0.0, -0.040)]))
    outline = rounded_outline(
        [(-0.120, -0.06), (0.125, -0.06), (0.225, 0.09), (0.248, 0.185), (0.210, 0.270), (0.110, 0.275),
         (-0.020, 0.150), (-0.120, 0.06)],
        [0.02, 0.06, 0.08, 0.07, 0.07, 0.07, 0.10, 0.05],
    )  # fmt: skip
    parts.add(BLUE, _plate(outline, -0.050, 0.118, 0.016))
    hub = (0.155, 0.0, 0.185)
    parts.add(COVER, cylinder(0.094, -0.062, -0.040, edge=0.004).along("y").moved(hub))
    parts.add(MOTOR, _motor(0.16, 0.062).along("y").moved((0.155, 0.110, 0.185)))
    parts.add(MOTOR, _motor(0.17, 0.062).moved((-0.070, 0.02, 0.05)))
    return parts


def _lower_arm() -> Assembly:
    """Straight box beam beside the machine with round ends."""
    y0, y1 = ARM_SIDE
    outline = rounded_outline(
        [(-0.100, -0.08), (0.0, -0.125), (0.100, -0.08), (0.094, 0.12), (0.074, 0.50), (0.080, 0.66), (0.0, 0.712),
         (-0.080, 0.66), (-0.074, 0.50), (-0.094, 0.12)],
        [0.08, 0.09, 0.08, 0.15, 0.15, 0.06, 0.07, 0.06, 0.15, 0.15],
    )  # fmt: skip
    window = rounded_outline([(-0.042, 0.15), (0.042, 0.15), (0.034, 0.47), (-0.034, 0.47)], 0.02)
    top = (0.0, 0.0, LOWER_ARM)
    parts = Assembly()
    parts.add(BLUE, _plate(outline, y0, y1, 0.018))
    parts.add("graphite", _plate(window, y0 - 0.003, y0 + 0.01, 0.002))
    parts.add(COVER, cylinder(0.066, y0 - 0.010, y0 + 0.004, edge=0.004).along("y"))
    parts.add(COVER, cylinder(0.054, y0 - 0.010, y0 + 0.004, edge=0.004).along("y").moved(top))
    return parts


def _elbow() -> Assembly:
    """Link 3: casing of joints 3 and 4, its motors to the left, hollow shaft of the forearm in front."""
    at = (0.0, 0.0, ELBOW_TO_FOREARM)
    outline = rounded_outline(
        [(-0.080, -0.05), (0.0, -0.085), (0.080, -0.05), (0.105, 0.09), (0.178, 0.112), (0.178, 0.288), (-0.10, 0.290),
         (-0.150, 0.230), (-0.130, 0.10)],
        [0.06, 0.06, 0.06, 0.04, 0.02, 0.03, 0.05, 0.05, 0.06],
    )  # fmt: skip
    parts = Assembly()
    parts.add(BLUE, _plate(outline, -0.056, 0.105, 0.018))
    parts.add(MOTOR, cylinder(0.074, -0.066, -0.052).along("y"))
    parts.add(BLUE, cylinder(0.086, 0.165, 0.212, edge=0.006).along("x").moved(at))
    parts.add(MOTOR, cylinder(0.076, 0.209, 0.222).along("x").moved(at))
    parts.add(MOTOR, _motor(0.15, 0.053).along("y").moved((0.0, 0.098, 0.0)))
    parts.add(MOTOR, _motor(0.12, 0.044).along("-x").moved((-0.125, 0.045, 0.215)))
    for y in (0.03, 0.07):
        path = [(-0.13, y, 0.165), (-0.185, y, 0.13), (-0.19, y, 0.05), (-0.13, y, 0.01), (-0.06, y, 0.0)]
        parts.add(MOTOR, sweep(path, 0.010))
    return parts


def _forearm() -> Assembly:
    """Link 4: round hollow tube that ends in a one-sided yoke, so that the torch cable passes beside the wrist axis."""
    tube = [
        (0.0, 0.0), (0.080, 0.0), (0.082, 0.005), (0.082, 0.040), (0.066, 0.075), (0.058, 0.26), (0.062, 0.300),
        (0.058, 0.318), (0.0, 0.318),
    ]  # fmt: skip
    cheek = rounded_outline(
        [(0.20, -0.050), (0.40, -0.054), (0.475, -0.036), (0.475, 0.036), (0.40, 0.054), (0.20, 0.050)],
        [0.02, 0.03, 0.033, 0.033, 0.03, 0.02],
    )
    parts = Assembly()
    parts.add(BLUE, lathe(tube, 56).along("x"))
    parts.add(BLUE, _plate(cheek, 0.044, 0.078, 0.010), _plate(cheek, -0.078, -0.044, 0.010))
    for axis in ("y", "-y"):
        parts.add(COVER, cylinder(0.038, 0.076, 0.084, edge=0.003).along(axis).moved((0.415, 0.0, 0.0)))
    return parts


def _wrist() -> Assembly:
    parts = Assembly()
    parts.add(BLUE, cylinder(0.045, -0.042, 0.042, edge=0.008).along("y"))
    parts.add(BLUE, lathe([(0.0, 0.0), (0.045, 0.0), (0.047, 0.060), (0.044, 0.070), (0.0, 0.070)]).along("x"))
    parts.add(MOTOR, cylinder(0.040, 0.068, 0.078).along("x"))
    return parts


def _flange() -> Assembly:
    parts = Assembly()
    parts.add("dark_steel", ring(0.021, 0.042, -0.024, 0.0, edge=0.0015).along("x"))
    parts.add(METAL, ring(0.0165, 0.0225, -0.022, 0.0005).along("x"))
    return parts


def add_arm(spec: mujoco.MjSpec, base: mujoco.MjsBody, links: Sequence[mujoco.MjsBody]) -> None:
    """Add the drawn shapes of base and links (in joint order) to their bodies."""
    drawn = (_base(), _turret(), _lower_arm(), _elbow(), _forearm(), _wrist(), _flange())
    for body, parts in zip((base, *links), drawn, strict=True):
        parts.build(spec, body, f"ar1440_{body.name}")
