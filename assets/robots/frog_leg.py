"""Generic frog-leg wafer robot for a vacuum chamber: two motors, two upper arms, four forearms, two opposite paddles.

No vendor's machine. Its kinematics is in `frog_leg_kinematics`.

The model: both paddles slide on the platform, which is exactly what the gears enforce; forearms hang from the paddles
and are joined to the elbows on the left by `connect` constraints, the right side mirrors the left by joint equalities.
The engine includes the velocity terms of both, so the loop stays closed at speed. Springs and droop as described in
`efem_robot`, with the prefixes `front_` and `rear_`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import mujoco
import numpy as np
from numpy.typing import ArrayLike

from . import frog_leg_shapes
from .frog_leg_kinematics import (
    FOREARM,
    FOREARM_Z,
    NEUTRAL_RADIUS,
    PADDLE_Z,
    RADIUS_RANGE,
    UPPER,
    UPPER_Z,
    WRIST_HALF,
    WRIST_TO_WAFER,
    extension_angle,
    fold_angle,
    levers,
    radii,
)
from .vacuum_scara import SERVO_FREQUENCY_HZ, set_integrator
from .wafer_arm import (
    COUPLING_SOLIMP,
    COUPLING_SOLREF,
    Array,
    AxisLimit,
    Compliance,
    Droop,
    add_axis,
    add_paddle,
    add_servo,
    box_inertia,
    couple,
    require_in,
)

JOINTS = ("lift", "theta", "extension")  # those with a drive
PADDLES = ("front", "rear")

LIFT_RANGE = (0.0, 0.04)  # m

MOTION_LIMITS: Mapping[str, AxisLimit] = MappingProxyType(
    {
        "lift": AxisLimit(0.1, 1.0, 20.0),
        "theta": AxisLimit(np.deg2rad(180.0), np.deg2rad(400.0), np.deg2rad(5000.0)),
        "radius": AxisLimit(1.2, 3.0, 50.0),
    }
)
ENCODER_RESOLUTION: Mapping[str, float] = MappingProxyType({"lift": 1e-6, "theta": np.deg2rad(0.001), "radius": 1e-6})

COLUMN_MASS, PLATFORM_MASS = 5.0, 2.0  # kg
UPPER_MASS, FOREARM_MASS, HUB_MASS, PADDLE_MASS = 2.0, 1.5, 0.15, 0.35  # kg, each
ARMATURE = {"lift": 25.0, "theta": 4.0, "extension": 2.0}  # kg, kg m^2
SERVO_INERTIA = {"lift": 43.3, "theta": 5.9, "extension": 3.2}  # armature and what it moves, kg, kg m^2
FORCE_LIMIT = {"lift": 2500.0, "theta": 800.0, "extension": 400.0}  # N, N m; each servo term

FLEX_FREQUENCY_HZ, FLEX_DAMPING_RATIO = 12.0, 0.02  # at full extension


COMPLIANCE = Compliance(levers, RADIUS_RANGE[1], FLEX_FREQUENCY_HZ, FLEX_DAMPING_RATIO, PADDLE_MASS)
DROOP = Droop(sag=0.4e-3, full_radius=RADIUS_RANGE[1])


def frequency(radius: ArrayLike) -> Array:
    """Frequency (Hz) of the lowest mode of an extended paddle with a wafer, any shape of `radius` (m)."""
    return COMPLIANCE.frequency(radius)


def joint_positions(
    lift: float = 0.0, theta: float = 0.0, *, front: float | None = None, rear: float | None = None
) -> dict[str, float]:
    """Position of every joint but the springs, by name, with the loops closed.

    Args:
        lift: m.
        theta: direction of the front paddle, rad.
        front: front wafer centre to robot axis, m; or
        rear: the same of the rear paddle. Without either, both paddles are at `NEUTRAL_RADIUS`.

    Returns:
        m or rad by name of joint.

    Raises:
        ShopfloorError: a value that the machine cannot reach.
    """
    require_in(lift, LIFT_RANGE, "lift")
    if rear is not None:
        require_in(rear, RADIUS_RANGE, "rear")
        phi = np.pi - float(extension_angle(rear))
    else:
        front = NEUTRAL_RADIUS if front is None else front
        require_in(front, RADIUS_RANGE, "front")
        phi = float(extension_angle(front))
    beta = float(fold_angle(phi))
    values = {"lift": lift, "theta": theta, "extension": phi, "extension_mirror": phi}
    for paddle, radius in zip(PADDLES, radii(phi), strict=True):
        values |= {f"{paddle}_radius": float(radius), f"{paddle}_left": beta, f"{paddle}_right": beta}
    return values


def _add_upper(platform: mujoco.MjsBody, side: str, joint: str) -> mujoco.MjsBody:
    sign = 1.0 if side == "left" else -1.0
    upper = platform.add_body(name=f"upper_{side}", pos=[0.0, 0.0, UPPER_Z[side]], simple=False)
    box_inertia(upper, UPPER_MASS, (UPPER / 2, 0.0, 0.0), (UPPER + 0.12, 0.10, 0.028))
    add_axis(upper, joint, (0.0, 0.0, sign), armature=0.5 * ARMATURE["extension"])
    upper.add_site(name=f"{side}_elbow", pos=[UPPER, 0.0, 0.0], size=[0.003, 0.0, 0.0], group=4)
    return upper


def _add_paddle(
    spec: mujoco.MjSpec, platform: mujoco.MjsBody, which: str, flex_radius: float, droop: float
) -> dict[str, mujoco.MjsBody]:
    """Hub on its slide, both forearms and the paddle `which`; closes the loop on the left."""
    turn = [1.0, 0.0, 0.0, 0.0] if which == "front" else [0.0, 0.0, 0.0, 1.0]
    ahead = 1.0 if which == "front" else -1.0
    # Zero of the slide: the wafer centre on the axis.
    hub = platform.add_body(name=f"{which}_hub", pos=[-ahead * WRIST_TO_WAFER, 0.0, PADDLE_Z], quat=turn, simple=False)
    box_inertia(hub, HUB_MASS, (0.01, 0.0, -0.02), (0.08, 0.12, 0.03))
    add_axis(hub, f"{which}_radius", (1.0, 0.0, 0.0), slide=True)
    bodies = {"hub": hub}
    for side in ("left", "right"):
        own = ahead if side == "left" else -ahead  # side of the pivot in the frame of the hub
        fore = hub.add_body(
            name=f"{which}_forearm_{side}", pos=[0.0, own * WRIST_HALF, FOREARM_Z[which] - PADDLE_Z],
            quat=[0.0, 0.0, 0.0, 1.0], simple=False,
        )  # fmt: skip
        box_inertia(fore, FOREARM_MASS, (FOREARM / 2, 0.0, 0.0), (FOREARM + 0.08, 0.07, 0.024))
        add_axis(fore, f"{which}_{side}", (0.0, 0.0, -own))
        at = [FOREARM, 0.0, UPPER_Z[side] - FOREARM_Z[which]]
        fore.add_site(name=f"{which}_{side}_elbow", pos=at, size=[0.003, 0.0, 0.0], group=4)
        bodies[side] = fore
    couple(spec, f"{which}_right", f"{which}_left", 1.0)
    spec.add_equality(
        name=f"{which}_loop", type=mujoco.mjtEq.mjEQ_CONNECT, objtype=mujoco.mjtObj.mjOBJ_SITE, name1="left_elbow",
        name2=f"{which}_left_elbow", solref=COUPLING_SOLREF, solimp=COUPLING_SOLIMP,
    )  # fmt: skip
    bodies["paddle"] = add_paddle(
        hub, f"{which}_", COMPLIANCE, pos=(0.0, 0.0, 0.0), wrist_to_wafer=WRIST_TO_WAFER, radius=flex_radius,
        droop=droop,
    )  # fmt: skip
    return bodies


def add_frog_leg(
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

    Driven joints `JOINTS`, with actuators `<joint>_position` and `<joint>_velocity`. For each of `PADDLES`: slide
    `<paddle>_radius` (its value is the radius of the wafer centre, m), springs `<paddle>_flex_x` and
    `<paddle>_flex_y`, pads `<paddle>_pad_0` to `_2`, sites `<paddle>_tcp` and `<paddle>_wrist`. Start a model in a
    closed configuration, see `joint_positions`.

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
    platform = column.add_body(name="platform", simple=False)
    box_inertia(platform, PLATFORM_MASS, (0.0, 0.0, 0.03), (0.18, 0.18, 0.06))
    add_axis(platform, "theta", (0.0, 0.0, 1.0), armature=ARMATURE["theta"])
    uppers = [_add_upper(platform, "left", "extension"), _add_upper(platform, "right", "extension_mirror")]
    couple(spec, "extension_mirror", "extension", 1.0)
    paddles = {which: _add_paddle(spec, platform, which, flex_radius, droop) for which in PADDLES}
    arms = 2 * UPPER_MASS + 4 * FOREARM_MASS + 2 * (HUB_MASS + PADDLE_MASS)
    for joint in JOINTS:
        lifted = 9.81 * (COLUMN_MASS + PLATFORM_MASS + arms) if joint == "lift" else 0.0
        add_servo(spec, joint, SERVO_INERTIA[joint], servo_frequency_hz, FORCE_LIMIT[joint], lifted)
    if visual:
        frog_leg_shapes.add_robot(spec, (base, column, platform), uppers, paddles)
    return base


def frog_leg(
    *,
    timestep: float = 0.0005,
    flex_radius: float = RADIUS_RANGE[1],
    droop: float = 0.0,
    visual: bool = True,
) -> mujoco.MjSpec:
    """Specification that holds the robot alone, with a keyframe `home`; see `add_frog_leg` for names and arguments.

    Args:
        timestep: seconds; the bandwidth of the servos follows it.
        flex_radius: extension whose compliance the springs get, m.
        droop: tilt of both paddles, tip down, rad.
        visual: also add the drawn shapes.

    Returns:
        The specification.
    """
    spec = mujoco.MjSpec()
    spec.modelname = "frog_leg"
    spec.compiler.degree = False
    frequency_hz = set_integrator(spec, timestep)
    add_frog_leg(
        spec, spec.worldbody, servo_frequency_hz=frequency_hz, flex_radius=flex_radius, droop=droop, visual=visual
    )
    return spec
