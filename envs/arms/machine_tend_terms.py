"""What ArmMachineTend sees and where its episodes begin."""

from __future__ import annotations

from typing import Any

from ...assets.cells.tend_cell import DOOR_STROKE
from ...assets.fixtures.vise import STROKE
from ..engine.start import Term, Uniform
from ..sensing import PRIVILEGED, Channel

XYZ = ("x", "y", "z")
FORCE_RANGE = 250.0  # N, what the readings are clipped to


def channels() -> tuple[Channel, ...]:
    """Encoders, the camera over the tray, gripper, wrist sensor, the machine's switches and the order."""
    world: dict[str, Any] = {"frame": "world", "labels": XYZ}
    seen: dict[str, Any] = {"noise": 1e-4, "bias": 3e-4}
    return (
        Channel(
            "tip_position", 3, "m", -0.6, 0.6, scale=0.1, noise=1e-5, **world,
            description="tip relative to where it holds a part in the taught vise",
        ),
        Channel("tip_position_fine", 3, "m", -0.01, 0.01, noise=1e-5, **world,
                description="the same in a narrow range"),
        Channel(
            "tip_yaw", 1, "rad", -1.6, 1.6, scale=0.3, noise=5e-5,
            description="turn of the gripper about the vertical, from the taught vise's direction",
        ),
        Channel(
            "tip_velocity", 3, "m/s", -0.6, 0.6, scale=0.1, noise=2e-4, **world,
            description="speed of the tip, from joint speeds",
        ),
        Channel("lead", 3, "m", -0.2, 0.2, scale=0.01, **world, description="commanded position minus the tip"),
        Channel("yaw_lead", 1, "rad", -1.6, 1.6, scale=0.1, description="commanded turn minus the gripper's"),
        Channel("lead_fine", 3, "m", -0.002, 0.002, **world, description="the same in a narrow range"),
        Channel(
            "part_offset", 3, "m", -0.6, 0.6, scale=0.1, **seen, **world,
            description="grasping point of the part minus the tip: where the camera over the tray sees it, and when it "
            "has left the tray, where it has seen it last",
        ),
        Channel("part_offset_fine", 3, "m", -0.01, 0.01, **seen, **world, description="the same in a narrow range"),
        Channel(
            "part_yaw", 1, "rad", -1.6, 1.6, scale=0.3, noise=2e-3, bias=3e-3,
            description="turn from the gripper to the part in the tray, by the camera",
        ),
        Channel(
            "grip_width", 1, "m", 0.0, 0.09, scale=0.01, offset=0.05, noise=2e-5,
            description="between the pads, by the gripper's encoder",
        ),
        Channel(
            "force", 3, "N", -FORCE_RANGE, FORCE_RANGE, scale=10.0, frame="world", labels=XYZ, noise=0.1, bias=0.3,
            description="force on the gripper by the wrist sensor, filtered, the gripper's own weight taken off",
        ),
        Channel(
            "force_threshold", 1, "N", 0.0, 150.0, scale=50.0, offset=60.0,
            description="contact force that the order allows",
        ),
        Channel(
            "door", 1, "m", 0.0, DOOR_STROKE, scale=0.5 * DOOR_STROKE, offset=0.5 * DOOR_STROKE, noise=1e-4,
            description="how far the door is open, by its encoder",
        ),
        Channel("door_open", 1, "1", 0.0, 1.0, description="1 while the door's switch says that it is open"),
        Channel(
            "jaw", 1, "m", 0.0, STROKE, scale=0.5 * STROKE, offset=0.5 * STROKE, noise=1e-5,
            description="way of the vise's jaw from its open end",
        ),
        Channel("clamped", 1, "1", 0.0, 1.0, description="1 while the pressure switch says that the vise clamps"),
        Channel("inside", 1, "1", 0.0, 1.0, description="1 while the light curtain behind the door is interrupted"),
        Channel(
            "part_position_mm", 3, "mm", -500.0, 500.0, scale=50.0, group=PRIVILEGED, labels=XYZ,
            description="true position of the part from its seat, in the frame of the vise",
        ),
        Channel(
            "part_turn", 3, "rad", -3.2, 3.2, scale=0.1, group=PRIVILEGED, labels=XYZ,
            description="true rotation vector of the part from its seat",
        ),
        Channel(
            "friction", 1, "1", 0.0, 1.0, scale=0.2, group=PRIVILEGED,
            description="Coulomb friction of the part on tray and vise",
        ),
    )  # fmt: skip


def start_terms() -> tuple[Term, ...]:
    """Where part, vise and arm stand, what is taught wrongly, the machine and the order."""
    return (
        Uniform("friction", 0.15, 0.30, "1", 1, "Coulomb friction of the part on tray and vise"),
        Uniform("part_size", -0.5, 0.5, "mm", 2, "size of the blank less that of the drawing, x and y"),
        Uniform("part_place_x", -12.0, 12.0, "mm", 1, "part in the tray, from its middle, away from the robot"),
        Uniform("part_place_y", -45.0, 45.0, "mm", 1, "part in the tray, from its middle, along the tray"),
        Uniform("part_turn", -30.0, 30.0, "deg", 1, "part in the tray, from the vise's direction"),
        Uniform("vise_place", -2.0, 2.0, "mm", 2, "vise on the machine's table, from where it was designed, x and y"),
        Uniform("vise_turn", -1.0, 1.0, "deg", 1, "vise about the vertical"),
        Uniform("taught_position", -0.3, 0.3, "mm", 3, "error of the taught seat (work offset), world axes"),
        Uniform("taught_turn", -0.2, 0.2, "deg", 1, "error of the taught direction of the seat"),
        Uniform("door_time", 1.2, 2.0, "s", 1, "time that the door takes from end to end"),
        Uniform("start_offset", -20.0, 20.0, "mm", 3, "tip from above the tray at the start"),
        Uniform("force_threshold", 40.0, 80.0, "N", 1, "contact force that the order allows"),
    )
