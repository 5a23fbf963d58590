"""What ArmPickPlace sees and where its episodes begin."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.start import Term, Uniform
from ..sensing import PRIVILEGED, Channel

XYZ = ("x", "y", "z")
FORCE_RANGE = 250.0  # N, what the readings are clipped to
TURN = float(np.deg2rad(40.0))  # rad, how far the part is turned in the bin, at most


def channels() -> tuple[Channel, ...]:
    """Encoders, a camera over the cell, gripper, wrist sensor and the order."""
    world: dict[str, Any] = {"frame": "world", "labels": XYZ}
    seen: dict[str, Any] = {"noise": 1e-4, "bias": 2e-4}
    return (
        Channel(
            "tip_position", 3, "m", -0.5, 0.5, scale=0.1, noise=1e-5, **world,
            description="tip relative to where it grasps a part in the taught fixture",
        ),
        Channel(
            "tip_yaw", 1, "rad", -1.5, 1.5, scale=0.3, noise=5e-5,
            description="turn of the gripper about the vertical, from the taught fixture's direction",
        ),
        Channel(
            "tip_velocity", 3, "m/s", -0.6, 0.6, scale=0.1, noise=2e-4, **world,
            description="speed of the tip, from joint speeds",
        ),
        Channel(
            "lead", 3, "m", -0.2, 0.2, scale=0.01, **world, description="commanded position minus the tip",
        ),
        Channel("lead_fine", 3, "m", -0.002, 0.002, **world, description="the same in a narrow range"),
        Channel(
            "part_offset", 3, "m", -0.5, 0.5, scale=0.1, **seen, **world,
            description="grasping point of the part, as the cell camera sees it, minus the tip",
        ),
        Channel(
            "part_offset_fine", 3, "m", -0.01, 0.01, **seen, **world, description="the same in a narrow range",
        ),
        Channel(
            "part_yaw", 1, "rad", -1.5, 1.5, scale=0.3, noise=2e-3, bias=2e-3,
            description="turn from the gripper to the part, by the camera",
        ),
        Channel(
            "seat_offset", 3, "m", -0.5, 0.5, scale=0.1, **seen, **world,
            description="part, as the camera sees it, minus the taught seat",
        ),
        Channel(
            "seat_offset_fine", 3, "m", -0.01, 0.01, **seen, **world, description="the same in a narrow range",
        ),
        Channel(
            "grip_width", 1, "m", 0.0, 0.08, scale=0.01, offset=0.03, noise=2e-5,
            description="between the pads, by the gripper's encoder",
        ),
        Channel(
            "force", 3, "N", -FORCE_RANGE, FORCE_RANGE, scale=10.0, frame="world", labels=XYZ, noise=0.1, bias=0.3,
            description="force on the gripper by the wrist sensor, filtered, the gripper's own weight taken off",
        ),
        Channel(
            "force_threshold", 1, "N", 0.0, 150.0, scale=50.0, offset=50.0,
            description="contact force that the order allows",
        ),
        Channel(
            "part_position_mm", 3, "mm", -500.0, 500.0, scale=50.0, group=PRIVILEGED, labels=XYZ,
            description="true position of the part in the frame of the seat",
        ),
        Channel(
            "part_turn", 3, "rad", -3.2, 3.2, scale=0.1, group=PRIVILEGED, labels=XYZ,
            description="true rotation vector of the part from its seat",
        ),
        Channel(
            "friction", 1, "1", 0.0, 1.0, scale=0.2, group=PRIVILEGED,
            description="Coulomb friction of the part on bin and fixture",
        ),
    )  # fmt: skip


def start_terms() -> tuple[Term, ...]:
    """Where part, fixture and arm stand, what is taught wrongly, and the order."""
    return (
        Uniform("friction", 0.12, 0.25, "1", 1, "Coulomb friction of the part on bin and fixture"),
        Uniform("part_place", -30.0, 30.0, "mm", 2, "part in the bin, from its middle, x and y"),
        Uniform("part_turn", -np.rad2deg(TURN), np.rad2deg(TURN), "deg", 1, "part from the fixture's direction"),
        Uniform("fixture_place", -10.0, 10.0, "mm", 2, "fixture on the table, from where it was designed, x and y"),
        Uniform("fixture_turn", -3.0, 3.0, "deg", 1, "fixture about the vertical"),
        Uniform("taught_position", -0.3, 0.3, "mm", 3, "error of the taught seat, world axes"),
        Uniform("taught_turn", -0.2, 0.2, "deg", 1, "error of the taught direction of the seat"),
        Uniform("start_offset", -30.0, 30.0, "mm", 3, "tip from above the middle of bin and fixture at the start"),
        Uniform("force_threshold", 40.0, 80.0, "N", 1, "contact force that the order allows"),
    )
