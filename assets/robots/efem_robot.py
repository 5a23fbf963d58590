"""Generic dual-arm atmospheric robot of an equipment front end: track, lift, rotation and two vacuum paddles.

No vendor's machine: proportions, masses and dynamics are typical of 300 mm front ends. The track runs along x, the
direction `theta` of both paddles is counted from +x. Each arm has one drive; belts keep the paddle on the radial line,
where the wafer centre is at radius `2 L cos(phi) + e` from the turning axis.

A model has constant springs, those of the extension it was built for. The mode of the real arm follows the extension:
an environment writes `COMPLIANCE.stiffness(radius)` and `COMPLIANCE.damping(radius)` to the joints `<arm>_flex_x` and
`<arm>_flex_y` of each row, and `DROOP.tilt(radius)` or its own value to the quaternion of body `<arm>_paddle`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import mujoco
import numpy as np
from numpy.typing import ArrayLike

from . import efem_robot_shapes
from .twin_arm import ARMS, ArmBodies, TwinArm, add_arm
from .vacuum_scara import SERVO_FREQUENCY_HZ, set_integrator
from .wafer_arm import (
    AxisLimit,
    BeltArm,
    Compliance,
    Droop,
    add_axis,
    add_servo,
    box_inertia,
    require_in,
)

JOINTS = ("track", "lift", "theta", "a_shoulder", "b_shoulder")  # those with a drive

GEOMETRY = BeltArm(link=0.24, wrist_to_wafer=0.26, offset=0.13)
RADIUS_RANGE = (0.16, 0.72)  # m, wafer centre to turning axis
TRACK_RANGE = (-0.60, 0.60)  # m
LIFT_RANGE = (0.0, 0.42)  # m
THETA_RANGE = (-np.deg2rad(170.0), np.deg2rad(170.0))  # rad

MOTION_LIMITS: Mapping[str, AxisLimit] = MappingProxyType(
    {
        "track": AxisLimit(1.5, 4.0, 40.0),
        "lift": AxisLimit(0.5, 3.0, 40.0),
        "theta": AxisLimit(np.deg2rad(360.0), np.deg2rad(1500.0), np.deg2rad(15000.0)),
        "radius": AxisLimit(1.5, 5.0, 100.0),
    }
)
ENCODER_RESOLUTION: Mapping[str, float] = MappingProxyType(
    {"track": 1e-6, "lift": 1e-6, "theta": np.deg2rad(0.001), "radius": 1e-6}
)  # m or rad

FLEX_FREQUENCY_HZ, FLEX_DAMPING_RATIO = 15.0, 0.02  # at full extension
PADDLE_MASS = 0.35  # kg
COMPLIANCE = Compliance(GEOMETRY.levers, RADIUS_RANGE[1], FLEX_FREQUENCY_HZ, FLEX_DAMPING_RATIO, PADDLE_MASS)
DROOP = Droop(sag=0.5e-3, full_radius=RADIUS_RANGE[1])

TWIN = TwinArm(
    geometry=GEOMETRY, compliance=COMPLIANCE, upper_mass=3.5, forearm_mass=2.0, hub_mass=0.25, upper_z=0.040,
    forearm_z={"a": 0.077, "b": 0.160}, paddle_z={"a": 0.112, "b": 0.127}, link_half=0.016,
    link_radii=(0.058, 0.048, 0.036), armature=0.6, servo_inertia=1.13, torque_limit=150.0,
)  # fmt: skip

CARRIAGE_MASS, COLUMN_MASS, PLATFORM_MASS = 38.0, 9.0, 6.0  # kg
ARMATURE = {"track": 60.0, "lift": 25.0, "theta": 3.0}  # kg, kg, kg m^2
SERVO_INERTIA = {"track": 126.0, "lift": 52.6, "theta": 4.7}  # armature and what it moves, kg, kg, kg m^2
FORCE_LIMIT = {"track": 4000.0, "lift": 3000.0, "theta": 600.0}  # N, N, N m; each servo term

# Heights above the rail with the lift down (m): top of the housing, top of the platform that carries the arms.
HOUSING_TOP, PLATFORM_TOP = 0.640, 0.755
PADDLE_HEIGHT = {arm: PLATFORM_TOP + TWIN.paddle_z[arm] for arm in ARMS}


def frequency(radius: ArrayLike) -> np.ndarray:
    """Frequency (Hz) of the lowest mode of an extended arm with a wafer, any shape of `radius` (m)."""
    return COMPLIANCE.frequency(radius)


def joint_positions(
    track: float = 0.0, lift: float = 0.0, theta: float = 0.0, radius_a: float = 0.31, radius_b: float = 0.31
) -> dict[str, float]:
    """Position of every joint but the springs, by name.

    Args:
        track: m.
        lift: m.
        theta: direction of the paddles, rad.
        radius_a: wafer centre of arm a to the turning axis, m.
        radius_b: the same of arm b.

    Returns:
        m or rad by name of joint.

    Raises:
        ShopfloorError: a value that the machine cannot reach.
    """
    require_in(track, TRACK_RANGE, "track")
    require_in(lift, LIFT_RANGE, "lift")
    require_in(theta, THETA_RANGE, "theta")
    values = {"track": track, "lift": lift, "theta": theta}
    for arm, radius in zip(ARMS, (radius_a, radius_b), strict=True):
        require_in(radius, RADIUS_RANGE, f"radius_{arm}")
        for joint, angle in zip(("shoulder", "elbow", "wrist"), GEOMETRY.joint_angles(radius), strict=True):
            values[f"{arm}_{joint}"] = float(angle)
    return values


def add_efem_robot(
    spec: mujoco.MjSpec,
    parent: mujoco.MjsBody,
    *,
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0),
    servo_frequency_hz: float = SERVO_FREQUENCY_HZ,
    flex_radius: float = RADIUS_RANGE[1],
    droop: float = 0.0,
    visual: bool = True,
) -> mujoco.MjsBody:
    """Mount the robot on `parent`, middle of its rail at `pos`.

    Joints, in order: track, lift (m), theta (rad), then those of arm a and arm b, see `twin_arm.add_arm`. Actuators
    `<joint>_position` and `<joint>_velocity` for each of `JOINTS`. The pads take part in no automatic contact.

    Args:
        spec: specification to extend.
        parent: body that carries the rail.
        pos: (3,) in `parent`, m.
        servo_frequency_hz: bandwidth of the servos, see `vacuum_scara.set_integrator`.
        flex_radius: extension whose compliance the springs get, m.
        droop: tilt of both paddles, tip down, rad.
        visual: also add the drawn shapes.

    Returns:
        The fixed rail.

    Raises:
        ShopfloorError: an extension that the arm cannot reach.
    """
    require_in(flex_radius, RADIUS_RANGE, "flex_radius")
    rail = parent.add_body(name="rail", pos=pos)
    carriage = rail.add_body(name="carriage", simple=False)
    box_inertia(carriage, CARRIAGE_MASS, (0.0, 0.0, 0.35), (0.30, 0.30, 0.6))
    add_axis(carriage, "track", (1.0, 0.0, 0.0), slide=True, armature=ARMATURE["track"], limits=TRACK_RANGE)
    column = carriage.add_body(name="column", simple=False)
    box_inertia(column, COLUMN_MASS, (0.0, 0.0, 0.45), (0.2, 0.2, 0.6))
    add_axis(column, "lift", (0.0, 0.0, 1.0), slide=True, armature=ARMATURE["lift"], limits=LIFT_RANGE)
    platform = column.add_body(name="platform", pos=[0.0, 0.0, PLATFORM_TOP], simple=False)
    box_inertia(platform, PLATFORM_MASS, (0.0, 0.0, -0.03), (0.20, 0.40, 0.06))
    add_axis(platform, "theta", (0.0, 0.0, 1.0), armature=ARMATURE["theta"], limits=THETA_RANGE)
    weight = 9.81 * (COLUMN_MASS + PLATFORM_MASS + TWIN.mass)
    for joint in JOINTS[:3]:
        lifted = weight if joint == "lift" else 0.0
        add_servo(spec, joint, SERVO_INERTIA[joint], servo_frequency_hz, FORCE_LIMIT[joint], lifted)
    arms: dict[str, ArmBodies] = {
        arm: add_arm(
            spec, platform, TWIN, arm, servo_frequency_hz=servo_frequency_hz, flex_radius=flex_radius, droop=droop
        )
        for arm in ARMS
    }
    if visual:
        efem_robot_shapes.add_robot(spec, (rail, carriage, column, platform), arms, TWIN, (HOUSING_TOP, PLATFORM_TOP))
    return rail


def efem_robot(
    *,
    timestep: float = 0.0005,
    flex_radius: float = RADIUS_RANGE[1],
    droop: float = 0.0,
    visual: bool = True,
) -> mujoco.MjSpec:
    """Specification that holds the robot alone; see `add_efem_robot` for names and arguments.

    Args:
        timestep: seconds; the bandwidth of the servos follows it.
        flex_radius: extension whose compliance the springs get, m.
        droop: tilt of both paddles, tip down, rad.
        visual: also add the drawn shapes.

    Returns:
        The specification.
    """
    spec = mujoco.MjSpec()
    spec.modelname = "efem_robot"
    spec.compiler.degree = False
    frequency_hz = set_integrator(spec, timestep)
    add_efem_robot(
        spec, spec.worldbody, servo_frequency_hz=frequency_hz, flex_radius=flex_radius, droop=droop, visual=visual
    )
    return spec
