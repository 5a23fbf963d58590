"""What ArmConveyorPick sees and where its episodes begin."""

from __future__ import annotations

from typing import Any

from ...assets.cells.conveyor_cell import PARTS
from ..engine.start import Term, Uniform
from ..sensing import PRIVILEGED, Channel

XYZ = ("x", "y", "z")
FORCE_RANGE = 150.0  # N, what the readings are clipped to
LATENCY_S = (0.04, 0.12)
BELT_SPEED = (0.06, 0.12)  # m/s


def channels() -> tuple[Channel, ...]:
    """Encoders, the camera's last finding, belt, gripper, wrist sensor and the order."""
    world: dict[str, Any] = {"frame": "world", "labels": XYZ}
    seen: dict[str, Any] = {"noise": 2e-4, "bias": 3e-4}
    return (
        Channel(
            "tip_position", 3, "m", -0.4, 0.4, scale=0.1, noise=1e-5, **world,
            description="lip of the free cup, from the point of the belt's surface before the robot",
        ),
        Channel(
            "tip_yaw", 1, "rad", -1.5, 1.5, scale=0.3, noise=5e-5,
            description="turn of the gripper about the vertical, from home",
        ),
        Channel(
            "tip_velocity", 3, "m/s", -1.0, 1.0, scale=0.2, noise=2e-4, **world,
            description="speed of the tip, from joint speeds",
        ),
        Channel("lead", 3, "m", -0.2, 0.2, scale=0.01, **world, description="commanded position minus the tip"),
        Channel("yaw_lead", 1, "rad", -1.5, 1.5, scale=0.1, description="commanded turn minus the gripper's"),
        Channel(
            "part_offset", 3, "m", -1.3, 1.3, scale=0.1, **seen, **world,
            description="upper face of the next part minus the tip, where the camera saw it; the picture is "
            "`camera_latency` old, the tip's position is not",
        ),
        Channel("part_offset_fine", 3, "m", -0.02, 0.02, **seen, **world, description="the same in a narrow range"),
        Channel(
            "part_yaw", 1, "rad", -1.5, 1.5, scale=0.3, noise=3e-3, bias=3e-3,
            description="turn of that part from the tray, in the same picture",
        ),
        Channel(
            "camera_latency", 1, "s", 0.0, 0.3, scale=0.04, offset=0.08, description="age of the picture, by its stamp",
        ),
        Channel("belt_speed", 1, "m/s", 0.0, 0.3, scale=0.03, offset=0.09, noise=5e-4, description="by its encoder"),
        Channel(
            "pocket_offset", 3, "m", -0.5, 0.5, scale=0.1, **world,
            description="where the tip sets the next part down in the tray, minus the tip",
        ),
        Channel("pocket_offset_fine", 3, "m", -0.02, 0.02, **world, description="the same in a narrow range"),
        Channel(
            "vacuum", 1, "1", 0.0, 1.0, offset=0.5, scale=0.5,
            description="vacuum in the cup as a share of the ejector's; a cup that is not on a part has none",
        ),
        Channel(
            "hang", 2, "m", -0.02, 0.02, scale=0.005, frame="world", labels=XYZ[:2], noise=2e-4, bias=3e-4,
            description="middle of a held part minus the tip, when the picture was taken; 0 while none is held",
        ),
        Channel(
            "force", 3, "N", -FORCE_RANGE, FORCE_RANGE, scale=10.0, frame="world", labels=XYZ, noise=0.1, bias=0.2,
            description="force on the gripper by the wrist sensor, filtered, the gripper's own weight taken off",
        ),
        Channel(
            "force_threshold", 1, "N", 0.0, 100.0, scale=20.0, offset=40.0,
            description="contact force that the order allows",
        ),
        Channel(
            "parts_left", 1, "1", 0.0, float(PARTS), description="parts that are not yet in the tray",
        ),
        Channel(
            "part_speed", 3, "m/s", -2.0, 2.0, scale=0.2, group=PRIVILEGED, labels=XYZ,
            description="true speed of the next part",
        ),
        Channel(
            "part_to_pocket", 3, "m", -1.3, 1.3, scale=0.1, group=PRIVILEGED, labels=XYZ,
            description="true position of the next part from its pocket",
        ),
        Channel(
            "friction", 1, "1", 0.0, 1.0, scale=0.2, group=PRIVILEGED, description="Coulomb friction of parts and belt",
        ),
    )  # fmt: skip


def start_terms(pace: float) -> tuple[Term, ...]:
    """Belt, parts on it, camera, arm and order; `pace` slows the belt for slow arms."""
    low, high = (v * pace for v in BELT_SPEED)
    return (
        Uniform("belt_speed", low, high, "m/s", 1, "speed of the belt"),
        Uniform("interval", 1.8 / pace, 2.6 / pace, "s", PARTS - 1, "time between a part and the next"),
        Uniform("first_place", -260.0, -160.0, "mm", 1, "first part along the belt at the start, from the station"),
        Uniform("part_place", -20.0, 20.0, "mm", PARTS, "parts across the belt, from its middle"),
        Uniform("part_turn", -25.0, 25.0, "deg", PARTS, "parts on the belt about the vertical"),
        Uniform("camera_latency", *LATENCY_S, "s", 1, "age of a picture when it has been evaluated"),
        Uniform("start_offset", -20.0, 20.0, "mm", 3, "tip from its place at the start"),
        Uniform("force_threshold", 25.0, 50.0, "N", 1, "contact force that the order allows"),
        Uniform("friction", 0.25, 0.5, "1", 1, "Coulomb friction of parts and belt"),
    )
