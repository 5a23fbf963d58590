"""What the insertion tasks see: channels of pose, wrench and command, common to all of them."""

from __future__ import annotations

from ..sensing import PRIVILEGED, Channel

XYZ = ("x", "y", "z")
FORCE_RANGE, TORQUE_RANGE = 250.0, 20.0  # N, N m: what the readings are clipped to


def channels(part: str, goal: str) -> tuple[Channel, ...]:
    """Channels of a task that brings `part` onto or into `goal`, both in words."""
    about = f"relative to the taught pose of {goal}, world axes"
    return (
        Channel(
            "tip_position", 3, "m", -0.06, 0.06, scale=0.005, frame="world", labels=XYZ, noise=1e-5,
            description=f"tip of {part}, where the gripper should hold it, {about}",
        ),
        Channel(
            "tip_position_fine", 3, "m", -0.002, 0.002, frame="world", labels=XYZ, noise=1e-5,
            description="the same in a narrow range",
        ),
        Channel(
            "tip_rotation", 3, "rad", -0.2, 0.2, scale=0.01, frame="world", labels=XYZ, noise=5e-5,
            description=f"rotation vector {about}",
        ),
        Channel(
            "tip_velocity", 3, "m/s", -0.2, 0.2, scale=0.01, frame="world", labels=XYZ, noise=2e-4,
            description="speed of the tip, from joint speeds",
        ),
        Channel(
            "lead", 3, "m", -0.05, 0.05, scale=0.003, frame="world", labels=XYZ,
            description="commanded position minus the tip: the deflection of the virtual spring",
        ),
        Channel(
            "force", 3, "N", -FORCE_RANGE, FORCE_RANGE, scale=20.0, frame="world", labels=XYZ, noise=0.1, bias=0.3,
            description="contact force on the tool by the wrist sensor, filtered, weight taken off",
        ),
        Channel(
            "torque", 3, "N m", -TORQUE_RANGE, TORQUE_RANGE, scale=1.0, frame="world", labels=XYZ, noise=0.005,
            bias=0.01, description="contact moment about the tip, likewise",
        ),
        Channel(
            "clearance_mm", 1, "mm", 0.0, 1.5, scale=0.3, offset=0.0,
            description="diametral clearance of the fit by the drawing",
        ),
        Channel(
            "force_threshold", 1, "N", 0.0, 150.0, scale=50.0, offset=50.0,
            description="contact force that the order allows",
        ),
        Channel(
            "part_position_mm", 3, "mm", -60.0, 60.0, scale=2.0, group=PRIVILEGED, labels=XYZ,
            description=f"true tip of {part} in the frame of {goal}",
        ),
        Channel(
            "part_tilt", 2, "rad", -0.3, 0.3, scale=0.01, group=PRIVILEGED, labels=("x", "y"),
            description=f"true direction of {part}'s axis in that frame",
        ),
        Channel(
            "friction", 1, "1", 0.0, 1.0, scale=0.2, group=PRIVILEGED, description="Coulomb friction of the fit",
        ),
    )  # fmt: skip
