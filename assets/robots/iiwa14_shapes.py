"""Drawn shapes of the iiwa-class arm: silver shells that wind around the joint axes, generated from dimensions.

Joint spacing follows the published kinematics; all other dimensions are chosen by eye and describe no vendor's part.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco

from ..shapes import Assembly, box, cylinder, dome, extrude, join, lathe, ring, rounded_outline, sweep

SHELL, COVER, SEAM, ACCENT = "cast_aluminium", "white_enamel", "black_rubber", "status_amber"


def _lower_shell(height: float, radius: float, side: float) -> Assembly:
    """Link between a seam at z = 0 and a cross joint at `height`, whose housing it carries on `side` (1: +y)."""
    axis = "y" if side > 0.0 else "-y"
    at = (0.0, 0.0, height)
    r = 0.94 * radius
    parts = Assembly()
    tube = [
        (0.0, 0.002),
        (radius - 0.002, 0.002),
        (radius, 0.006),
        (radius, 0.060),
        (r, 0.090),
        (0.6 * r, 0.120),
        (0.0, 0.125),
    ]
    parts.add(SHELL, lathe(tube, 64))
    path = [(0.0, 0.0, 0.050), (0.0, 0.10 * side * radius, 0.50 * height), (0.0, 0.26 * side * radius, 0.78 * height),
            (0.0, 0.34 * side * radius, height)]  # fmt: skip
    parts.add(SHELL, sweep(path, 0.82 * radius, segments=48, samples=24))
    parts.add(SHELL, cylinder(r, 0.004, 1.22 * radius, edge=0.32 * radius, segments=64).along(axis).moved(at))
    cap = join(cylinder(0.66 * r, 1.20 * radius, 1.225 * radius, segments=56), dome(0.66 * r, 1.225 * radius, 0.006))
    parts.add(COVER, cap.along(axis).moved(at))
    parts.add(ACCENT, ring(0.665 * r, 0.70 * r, 1.19 * radius, 1.232 * radius).along(axis).moved(at))
    parts.add(SEAM, cylinder(radius - 0.003, -0.002, 0.004))
    parts.add(SEAM, cylinder(0.9 * r, -0.002, 0.006).along(axis).moved(at))
    return parts


def _upper_shell(height: float, radius: float, top: float, side: float) -> Assembly:
    """Link from a cross joint at z = 0, gripped on `side`, to a seam of radius `top` at `height`."""
    axis = "y" if side > 0.0 else "-y"
    r = 0.94 * radius
    parts = Assembly()
    parts.add(SHELL, cylinder(r, -0.002, 1.18 * radius, edge=0.32 * radius, segments=64).along(axis))
    path = [(0.0, 0.30 * side * radius, 0.0), (0.0, 0.24 * side * radius, 0.22 * height), (0.0, 0.10 * side * radius,
            0.50 * height), (0.0, 0.0, 0.80 * height)]  # fmt: skip
    parts.add(SHELL, sweep(path, 0.82 * radius, segments=48, samples=24))
    collar = [(0.0, 0.45 * height), (0.6 * top, 0.48 * height), (0.95 * top, 0.62 * height), (top, 0.74 * height),
              (top, height - 0.006), (top - 0.003, height - 0.002), (0.0, height - 0.002)]  # fmt: skip
    parts.add(SHELL, lathe(collar, 64))
    cap = join(cylinder(0.66 * r, 1.16 * radius, 1.185 * radius, segments=56), dome(0.66 * r, 1.185 * radius, 0.006))
    parts.add(COVER, cap.along(axis))
    return parts


def _base() -> Assembly:
    foot = rounded_outline([(-0.120, -0.085), (0.04, -0.100), (0.095, -0.045), (0.095, 0.045), (0.04, 0.100),
                            (-0.120, 0.085)], [0.02, 0.07, 0.06, 0.06, 0.07, 0.02])  # fmt: skip
    parts = Assembly()
    parts.add(SHELL, extrude(foot, 0.0, 0.045, 0.006))
    parts.add(
        SHELL, lathe([(0.0, 0.03), (0.090, 0.03), (0.082, 0.070), (0.074, 0.110), (0.074, 0.1555), (0.0, 0.1555)])
    )
    parts.add(SHELL, box((0.10, 0.12, 0.07), (-0.09, 0.0, 0.060), bevel=0.014))
    parts.add(SEAM, box((0.008, 0.09, 0.045), (-0.141, 0.0, 0.060), bevel=0.003))
    for y in (-0.022, 0.022):
        path = [(-0.140, y, 0.060), (-0.175, y, 0.058), (-0.195, y, 0.03), (-0.205, y, -0.03)]
        parts.add(SEAM, sweep(path, 0.009))
    return parts


def _wrist() -> Assembly:
    """Link 6: egg-shaped, gripped by the forearm on +y; joint 7 leaves it upwards."""
    parts = Assembly()
    parts.add(SHELL, cylinder(0.056, -0.062, 0.004, edge=0.026, segments=64).along("y"))
    body = [(0.0, -0.058), (0.030, -0.052), (0.050, -0.034), (0.059, -0.005), (0.059, 0.045), (0.055, 0.070),
            (0.052, 0.079), (0.0, 0.079)]  # fmt: skip
    parts.add(SHELL, lathe(body, 64))
    parts.add(COVER, join(cylinder(0.034, 0.060, 0.064), dome(0.034, 0.064, 0.005)).along("-y"))
    return parts


def _flange() -> Assembly:
    parts = Assembly()
    parts.add(SEAM, cylinder(0.049, -0.003, 0.002))
    parts.add(SHELL, cylinder(0.052, 0.001, 0.034, edge=0.004))
    parts.add(ACCENT, ring(0.050, 0.0526, 0.012, 0.018))
    parts.add("bright_steel", ring(0.0157, 0.036, 0.032, 0.045, edge=0.001))
    return parts


def add_arm(spec: mujoco.MjSpec, base: mujoco.MjsBody, links: Sequence[mujoco.MjsBody]) -> None:
    """Add the drawn shapes of base and links (in joint order) to their bodies."""
    drawn = (
        _base(), _lower_shell(0.2025, 0.074, -1.0), _upper_shell(0.2045, 0.072, 0.070, 1.0),
        _lower_shell(0.2155, 0.070, 1.0), _upper_shell(0.1845, 0.066, 0.062, -1.0), _lower_shell(0.2155, 0.062, 1.0),
        _wrist(), _flange(),
    )  # fmt: skip
    for body, parts in zip((base, *links), drawn, strict=True):
        parts.build(spec, body, f"iiwa14_{body.name}")
