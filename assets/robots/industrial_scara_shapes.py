"""Drawn shapes of the assembly SCARA: cast column and arms, motor hood, ball-screw spline, generated from dimensions.

Joint spacing follows the published kinematics; all other dimensions are chosen by eye and describe no vendor's part.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from ..shapes import (
    Assembly,
    Mesh,
    box,
    cylinder,
    extrude,
    extrude_ring,
    join,
    lathe,
    ring,
    rounded_outline,
    stadium,
    sweep,
)

SHELL, COVER, DARK, METAL = "white_enamel", "machine_grey", "graphite", "bright_steel"

ARM_1, ARM_2 = 0.325, 0.275  # m
ARM_1_TOP = 0.052  # m over joint 1's frame; joint 2's frame is 3 mm above it
SHAFT_LENGTH = 0.42  # m


def _screws(circle: float, count: int, z: float) -> Mesh:
    angle = 2.0 * np.pi * np.arange(count) / count
    head = cylinder(0.0035, z, z + 0.003, edge=0.0008, segments=12)
    return join(*(head.moved((circle * np.cos(a), circle * np.sin(a), 0.0)) for a in angle))


def _base() -> Assembly:
    foot = rounded_outline([(-0.125, -0.080), (0.075, -0.080), (0.075, 0.080), (-0.125, 0.080)], 0.018)
    trunk = rounded_outline([(-0.115, -0.066), (0.020, -0.066), (0.062, -0.03), (0.062, 0.03), (0.020, 0.066),
                             (-0.115, 0.066)], [0.016, 0.04, 0.03, 0.03, 0.04, 0.016])  # fmt: skip
    parts = Assembly()
    parts.add(SHELL, extrude(foot, 0.0, 0.016, 0.003), extrude(trunk, 0.012, 0.128, 0.006))
    parts.add(SHELL, lathe([(0.0, 0.120), (0.064, 0.120), (0.062, 0.150), (0.058, 0.156), (0.0, 0.156)]))
    # Connector panel at the back.
    parts.add(DARK, box((0.008, 0.11, 0.085), (-0.117, 0.0, 0.066), bevel=0.003), cylinder(0.056, 0.154, 0.161))
    for y, z in ((-0.033, 0.085), (0.033, 0.085), (-0.033, 0.045), (0.0, 0.045), (0.033, 0.045)):
        parts.add(METAL, cylinder(0.009, 0.118, 0.130, segments=24).along("-x").moved((0.0, y, z)))
    corners = ((-0.110, -0.066), (0.060, -0.066), (0.060, 0.066), (-0.110, 0.066))
    parts.add(METAL, *(cylinder(0.006, 0.014, 0.022, edge=0.001, segments=20).moved((x, y, 0.0)) for x, y in corners))
    return parts


def _arm_1() -> Assembly:
    outline = stadium(0.0, ARM_1, 0.068, 0.056)
    parts = Assembly()
    parts.add(SHELL, extrude(outline, 0.002, ARM_1_TOP, 0.010))
    parts.add(SHELL, cylinder(0.052, ARM_1_TOP - 0.004, ARM_1_TOP + 0.010, edge=0.004))
    # Rim of the bottom cover, and the sealing ring under joint 2.
    parts.add(DARK, extrude_ring(stadium(0.0, ARM_1, 0.064, 0.052), stadium(0.0, ARM_1, 0.058, 0.046), -0.001, 0.004))
    parts.add(DARK, cylinder(0.047, ARM_1_TOP - 0.002, ARM_1_TOP + 0.004).moved((ARM_1, 0.0, 0.0)))
    parts.add(METAL, _screws(0.044, 6, ARM_1_TOP + 0.009))
    # Corrugated cable duct: it swivels on the axes of joints 1 and 2, so it belongs to this arm.
    parts.add(DARK, cylinder(0.026, ARM_1_TOP + 0.008, ARM_1_TOP + 0.026, edge=0.004, segments=40))
    path = [(0.0, 0.0, 0.070), (0.004, 0.0, 0.20), (0.07, 0.0, 0.335), (0.20, 0.0, 0.375), (0.30, 0.0, 0.335),
            (ARM_1, 0.0, 0.250)]  # fmt: skip
    parts.add(DARK, sweep(path, 0.016, segments=24, samples=60))
    return parts


def _arm_2() -> Assembly:
    """Flat arm casting, tall hood over motors and belts, guide of the shaft at its end, bellows clamp."""
    parts = Assembly()
    parts.add(SHELL, extrude(stadium(0.0, ARM_2, 0.060, 0.046), 0.001, 0.050, 0.008))
    hood = rounded_outline([(-0.060, -0.052), (0.190, -0.052), (0.235, -0.030), (0.235, 0.030), (0.190, 0.052),
                            (-0.060, 0.052)], [0.045, 0.03, 0.02, 0.02, 0.03, 0.045])  # fmt: skip
    parts.add(SHELL, extrude(hood, 0.046, 0.150, 0.014))
    lid = rounded_outline([(-0.048, -0.045), (0.120, -0.045), (0.120, 0.045), (-0.048, 0.045)], 0.03)
    parts.add(SHELL, extrude(lid, 0.146, 0.196, 0.012))
    # Coloured band around the hood, duct flange on top, guide and nut around the shaft.
    band = rounded_outline([(-0.0605, -0.0525), (0.1905, -0.0525), (0.2355, -0.0305), (0.2355, 0.0305),
                            (0.1905, 0.0525), (-0.0605, 0.0525)], [0.045, 0.03, 0.02, 0.02, 0.03, 0.045])  # fmt: skip
    parts.add("joint_blue", extrude(band, 0.062, 0.076))
    parts.add(DARK, cylinder(0.026, 0.194, 0.206, edge=0.003, segments=40))
    end = (ARM_2, 0.0, 0.0)
    parts.add(
        COVER,
        cylinder(0.026, 0.046, 0.112, edge=0.003).moved(end),
        cylinder(0.024, -0.022, 0.004, edge=0.002).moved(end),
    )
    parts.add(DARK, cylinder(0.019, -0.030, -0.020).moved(end), cylinder(0.020, 0.110, 0.118).moved(end))
    parts.add("status_amber", cylinder(0.008, 0.148, 0.166, edge=0.003, segments=24).moved((0.165, 0.025, 0.0)))
    return parts


def _shaft() -> Assembly:
    """Ball-screw spline; its frame is the lower end."""
    parts = Assembly()
    profile = [(0.0, 0.0), (0.0085, 0.0), (0.0095, 0.001), (0.0095, 0.030), (0.010, 0.031)]
    grooves = np.arange(0.034, SHAFT_LENGTH - 0.01, 0.006)
    for z in grooves:
        profile += [(0.010, float(z)), (0.0092, float(z) + 0.002), (0.010, float(z) + 0.004)]
    profile += [(0.010, SHAFT_LENGTH - 0.002), (0.009, SHAFT_LENGTH), (0.0, SHAFT_LENGTH)]
    parts.add(METAL, lathe(profile, 32))
    parts.add("dark_steel", ring(0.0095, 0.018, 0.040, 0.052, edge=0.001))
    return parts


def add_arm(spec: mujoco.MjSpec, base: mujoco.MjsBody, links: Sequence[mujoco.MjsBody]) -> None:
    """Add the drawn shapes of base, arms and shaft to their bodies (base; arm 1, arm 2, nut, shaft)."""
    for body, parts in ((base, _base()), (links[0], _arm_1()), (links[1], _arm_2()), (links[3], _shaft())):
        parts.build(spec, body, f"industrial_scara_{body.name}")
