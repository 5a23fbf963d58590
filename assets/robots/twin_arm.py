"""Two belt-driven SCARA arms side by side on a turning platform, one paddle above the other.

Both paddles run along the same line through the turning axis, which is what lets a robot swap wafers at a station
without turning. The arms are mirror images except for their heights: the elbow of arm `a` swings out to the left and
its paddle lies on the forearm; the elbow of arm `b` swings out to the right and its forearm runs above the wafer of
arm `a`, with the paddle hung below it.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco

from .wafer_arm import BeltArm, Compliance, add_axis, add_paddle, add_servo, box_inertia, couple

ARMS = ("a", "b")
SIDE = {"a": 1.0, "b": -1.0}  # sign of y of shoulder and elbow


@dataclass(frozen=True)
class TwinArm:
    """Dimensions (m), masses (kg) and drives of the pair; heights above the top of the platform.

    Attributes:
        geometry: of each arm; its offset is the distance of the shoulders from the middle.
        compliance: of each arm.
        upper_mass: of an upper arm.
        forearm_mass: of a forearm.
        hub_mass: of the bracket between wrist and paddle.
        upper_z: mid-plane of the upper arms.
        forearm_z: mid-plane of the forearm, by arm.
        paddle_z: mid-plane of the paddle, by arm.
        link_half: half thickness of the links.
        link_radii: half width of the links at shoulder, elbow and wrist.
        armature: rotor inertia of the R drive at the shoulder, kg m^2.
        servo_inertia: largest inertia at the shoulder, rotor included, kg m^2.
        torque_limit: of each term of the R drive, N m.
    """

    geometry: BeltArm
    compliance: Compliance
    upper_mass: float
    forearm_mass: float
    hub_mass: float
    upper_z: float
    forearm_z: dict[str, float]
    paddle_z: dict[str, float]
    link_half: float
    link_radii: tuple[float, float, float]
    armature: float
    servo_inertia: float
    torque_limit: float

    @property
    def mass(self) -> float:
        """Mass of both arms, kg."""
        return 2.0 * (self.upper_mass + self.forearm_mass + self.hub_mass + self.compliance.paddle_mass)


@dataclass(frozen=True)
class ArmBodies:
    """Moving bodies of one arm."""

    upper: mujoco.MjsBody
    forearm: mujoco.MjsBody
    hub: mujoco.MjsBody
    paddle: mujoco.MjsBody


def add_arm(
    spec: mujoco.MjSpec,
    platform: mujoco.MjsBody,
    twin: TwinArm,
    arm: str,
    *,
    servo_frequency_hz: float,
    flex_radius: float,
    droop: float,
) -> ArmBodies:
    """Add arm `arm` of `ARMS` to the turning platform.

    Joints `<arm>_shoulder`, `<arm>_elbow`, `<arm>_wrist` (positive shoulder angles swing the elbow outwards; the belt
    keeps elbow = -2 shoulder and wrist = shoulder), `<arm>_flex_x`, `<arm>_flex_y`; actuators
    `<arm>_shoulder_position` and `<arm>_shoulder_velocity`; pads, sites and bodies with the prefix `<arm>_`.

    Args:
        spec: specification to extend.
        platform: body that turns, x along the direction of the paddles.
        twin: the pair.
        arm: which of the two.
        servo_frequency_hz: bandwidth of the drive.
        flex_radius: extension whose compliance the springs get, m.
        droop: tilt of the paddle, tip down, rad.

    Returns:
        The bodies.
    """
    g, side, p = twin.geometry, SIDE[arm], f"{arm}_"
    out = (0.0, 0.0, side)
    r0, r1, r2 = twin.link_radii
    thick = 2.0 * twin.link_half
    upper = platform.add_body(name=f"{p}upper_arm", pos=[0.0, side * g.offset, twin.upper_z], simple=False)
    box_inertia(upper, twin.upper_mass, (g.link / 2, 0.0, 0.0), (g.link + r0 + r1, r0 + r1, thick))
    add_axis(upper, f"{p}shoulder", out, armature=twin.armature)
    rise = twin.forearm_z[arm] - twin.upper_z
    forearm = upper.add_body(name=f"{p}forearm", pos=[g.link, 0.0, rise], simple=False)
    box_inertia(forearm, twin.forearm_mass, (g.link / 2, 0.0, 0.0), (g.link + r1 + r2, r1 + r2, thick))
    add_axis(forearm, f"{p}elbow", out)
    hub = forearm.add_body(
        name=f"{p}wrist_hub", pos=[g.link, 0.0, twin.paddle_z[arm] - twin.forearm_z[arm]], simple=False
    )
    box_inertia(hub, twin.hub_mass, (0.02, -side * g.offset / 2, 0.0), (0.08, g.offset + 0.08, 0.012))
    add_axis(hub, f"{p}wrist", out)
    paddle = add_paddle(
        hub, p, twin.compliance, pos=(0.0, -side * g.offset, 0.0), wrist_to_wafer=g.wrist_to_wafer,
        radius=flex_radius, droop=droop,
    )  # fmt: skip
    couple(spec, f"{p}elbow", f"{p}shoulder", -2.0)
    couple(spec, f"{p}wrist", f"{p}shoulder", 1.0)
    add_servo(spec, f"{p}shoulder", twin.servo_inertia, servo_frequency_hz, twin.torque_limit)
    return ArmBodies(upper, forearm, hub, paddle)
