"""Generic dual-arm SCARA wafer robot for a vacuum transfer chamber: two independent arms over one turning axis.

No vendor's machine: the arm of `vacuum_scara` twice, side by side, with one paddle above the other, so that a module's
wafer can be swapped without turning. Springs and droop as described in `efem_robot`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import mujoco
import numpy as np
from numpy.typing import ArrayLike

from . import dual_scara_shapes
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

JOINTS = ("lift", "theta", "a_shoulder", "b_shoulder")  # those with a drive

GEOMETRY = BeltArm(link=0.36, wrist_to_wafer=0.30, offset=0.13)
RADIUS_RANGE = (0.32, 1.00)  # m, wafer centre to robot axis
LIFT_RANGE = (0.0, 0.05)  # m

MOTION_LIMITS: Mapping[str, AxisLimit] = MappingProxyType(
    {
        "lift": AxisLimit(0.1, 1.0, 20.0),
        "theta": AxisLimit(np.deg2rad(180.0), np.deg2rad(400.0), np.deg2rad(5000.0)),
        "radius": AxisLimit(1.2, 3.0, 50.0),
    }
)
ENCODER_RESOLUTION: Mapping[str, float] = MappingProxyType({"lift": 1e-6, "theta": np.deg2rad(0.001), "radius": 1e-6})

FLEX_FREQUENCY_HZ, FLEX_DAMPING_RATIO = 12.0, 0.015  # at full extension
PADDLE_MASS = 0.35  # kg
COMPLIANCE = Compliance(GEOMETRY.levers, RADIUS_RANGE[1], FLEX_FREQUENCY_HZ, FLEX_DAMPING_RATIO, PADDLE_MASS)
DROOP = Droop(sag=0.5e-3, full_radius=RADIUS_RANGE[1])

TWIN = TwinArm(
    geometry=GEOMETRY, compliance=COMPLIANCE, upper_mass=3.0, forearm_mass=2.0, hub_mass=0.20, upper_z=0.032,
    forearm_z={"a": 0.073, "b": 0.164}, paddle_z={"a": 0.113, "b": 0.128}, link_half=0.0175,
    link_radii=(0.064, 0.052, 0.040), armature=1.2, servo_inertia=2.33, torque_limit=300.0,
)  # fmt: skip

COLUMN_MASS, PLATFORM_MASS = 6.0, 6.0  # kg
ARMATURE = {"lift": 30.0, "theta": 6.0}  # kg, kg m^2
SERVO_INERTIA = {"lift": 54.0, "theta": 9.0}  # armature and what it moves, kg, kg m^2
FORCE_LIMIT = {"lift": 3000.0, "theta": 800.0}  # N, N m; each servo term

PLATFORM_TOP = 0.062  # m above the base flange with the lift down
PADDLE_HEIGHT = {arm: PLATFORM_TOP + TWIN.paddle_z[arm] for arm in ARMS}


def frequency(radius: ArrayLike) -> np.ndarray:
    """Frequency (Hz) of the lowest mode of an extended arm with a wafer, any shape of `radius` (m)."""
    return COMPLIANCE.frequency(radius)


def joint_positions(
    lift: float = 0.0, theta: float = 0.0, radius_a: float = 0.45, radius_b: float = 0.45
) -> dict[str, float]:
    """Position of every joint but the springs, by name.

    Args:
        lift: m.
        theta: direction of the paddles, rad.
        radius_a: wafer centre of arm a to the robot axis, m.
        radius_b: the same of arm b.

    Returns:
        m or rad by name of joint.

    Raises:
        ShopfloorError: a value that the machine cannot reach.
    """
    require_in(lift, LIFT_RANGE, "lift")
    values = {"lift": lift, "theta": theta}
    for arm, radius in zip(ARMS, (radius_a, radius_b), strict=True):
        require_in(radius, RADIUS_RANGE, f"radius_{arm}")
        for joint, angle in zip(("shoulder", "elbow", "wrist"), GEOMETRY.joint_angles(radius), strict=True):
            values[f"{arm}_{joint}"] = float(angle)
    return values


def add_dual_scara(
    spec: mujoco.MjSpec,
    parent: mujoco.MjsBody,
    *,
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0),
    servo_frequency_hz: float = SERVO_FREQUENCY_HZ,
    flex_radius: float = RADIUS_RANGE[1],
    droop: float = 0.0,
    visual: bool = True,
) -> mujoco.MjsBody:
    """Mount the robot on `parent`, base flange at `pos`.

    Joints, in order: lift (m), theta (rad, endless), then those of arm a and arm b, see `twin_arm.add_arm`. Actuators
    `<joint>_position` and `<joint>_velocity` for each of `JOINTS`. The pads take part in no automatic contact.

    Args:
        spec: specification to extend.
        parent: body that carries the base flange.
        pos: (3,) in `parent`, m.
        servo_frequency_hz: bandwidth of the servos, see `vacuum_scara.set_integrator`.
        flex_radius: extension whose compliance the springs get, m.
        droop: tilt of both paddles, tip down, rad.
        visual: also add the drawn shapes.

    Returns:
        The fixed base.

    Raises:
        ShopfloorError: an extension that the arm cannot reach.
    """
    require_in(flex_radius, RADIUS_RANGE, "flex_radius")
    base = parent.add_body(name="base", pos=pos)
    column = base.add_body(name="column", simple=False)
    box_inertia(column, COLUMN_MASS, (0.0, 0.0, -0.1), (0.2, 0.2, 0.3))
    add_axis(column, "lift", (0.0, 0.0, 1.0), slide=True, armature=ARMATURE["lift"], limits=LIFT_RANGE)
    platform = column.add_body(name="platform", pos=[0.0, 0.0, PLATFORM_TOP], simple=False)
    box_inertia(platform, PLATFORM_MASS, (0.0, 0.0, -0.02), (0.22, 0.40, 0.04))
    add_axis(platform, "theta", (0.0, 0.0, 1.0), armature=ARMATURE["theta"])
    weight = 9.81 * (COLUMN_MASS + PLATFORM_MASS + TWIN.mass)
    for joint in JOINTS[:2]:
        lifted = weight if joint == "lift" else 0.0
        add_servo(spec, joint, SERVO_INERTIA[joint], servo_frequency_hz, FORCE_LIMIT[joint], lifted)
    arms: dict[str, ArmBodies] = {
        arm: add_arm(
            spec, platform, TWIN, arm, servo_frequency_hz=servo_frequency_hz, flex_radius=flex_radius, droop=droop
        )
        for arm in ARMS
    }
    if visual:
        dual_scara_shapes.add_robot(spec, (base, column, platform), arms, TWIN, PLATFORM_TOP)
    return base


def dual_scara(
    *,
    timestep: float = 0.0005,
    flex_radius: float = RADIUS_RANGE[1],
    droop: float = 0.0,
    visual: bool = True,
) -> mujoco.MjSpec:
    """Specification that holds the robot alone; see `add_dual_scara` for names and arguments.

    Args:
        timestep: seconds; the bandwidth of the servos follows it.
        flex_radius: extension whose compliance the springs get, m.
        droop: tilt of both paddles, tip down, rad.
        visual: also add the drawn shapes.

    Returns:
        The specification.
    """
    spec = mujoco.MjSpec()
    spec.modelname = "dual_scara"
    spec.compiler.degree = False
    frequency_hz = set_integrator(spec, timestep)
    add_dual_scara(
        spec, spec.worldbody, servo_frequency_hz=frequency_hz, flex_radius=flex_radius, droop=droop, visual=visual
    )
    return spec
