"""Vacuum transfer chamber: a hexagonal cluster-tool chamber with a SCARA wafer robot, slit valves and stations.

World frame: z up, origin on the clean-room floor below the robot axis, theta = 0 along +x.

Contact between wafer and pads. MuJoCo's soft contacts need four settings here, each checked by a test: an elliptic
cone with impratio 100 and a solver tolerance of 1e-12 (slip threshold, creep), a stiff normal direction (creep), and
`friction_damping_ratio` (drift on a rotating arm). The engine leaves the velocity-product term J-dot*v of contacts out,
so a wafer that is carried round a circle drifts outwards with a_c (1 / b - dt / 2), where a_c is the centripetal
acceleration and b the damping rate of the contact's friction directions. b = 2 / dt would cancel it but is where the
discrete contact becomes unstable; b is therefore set to a fraction of 2 / dt just below.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import mujoco
import numpy as np

from ...errors import ShopfloorError
from .. import look
from ..parts.wafer import add_wafer
from ..robots.vacuum_scara import (
    JOINTS,
    PADDLE_Z,
    WRIST_TO_WAFER,
    Flexure,
    add_vacuum_scara,
    joint_angles,
    set_integrator,
)
from . import transfer_chamber_shapes

CAMERAS = ("overview", "top", "side", "wafer")

BASE_HEIGHT = 0.85  # m, clean-room floor to robot base flange (the chamber floor)
STATION_RADIUS = 1.00  # m, robot axis to the wafer centre in a station
# Direction of each station from the robot axis (rad).
STATIONS: Mapping[str, float] = MappingProxyType(
    {
        "process_1": np.pi / 3,
        "process_2": 0.0,
        "process_3": -np.pi / 3,
        "load_lock_1": -2 * np.pi / 3,
        "load_lock_2": 2 * np.pi / 3,
    }
)
CLEAR_RADIUS = 0.76  # m, apothem of the chamber: a wafer whose centre stays within 0.60 m clears the walls

HOME_THETA, HOME_RADIUS = 0.0, 0.60  # rad, m

PAD_PAIRS = ("wafer_pad_0", "wafer_pad_1", "wafer_pad_2")
FRICTION = 0.2
SOLREF = (0.004, 1.0)
SOLIMP = (0.99, 0.999, 0.0001, 0.5, 2.0)
FRICTION_DAMPING_RATIO = 1.9


def friction_damping(timestep: float, ratio: float = FRICTION_DAMPING_RATIO) -> float:
    """Second number of `pair_solreffriction` (its sign apart) for damping rate b = ratio / timestep.

    Args:
        timestep: seconds.
        ratio: b times the timestep; drift falls as the ratio approaches 2, where the contact becomes unstable.

    Returns:
        Damping in MuJoCo's direct format, 1/s: b = damping / dmax.
    """
    return ratio / timestep * SOLIMP[1]


def home_qpos() -> np.ndarray:
    """(6,) robot joint positions of keyframe `home`: lift, shoulder, elbow, wrist, flex_x, flex_y."""
    return np.array([0.0, *joint_angles(HOME_THETA, HOME_RADIUS), 0.0, 0.0])


def _add_pairs(spec: mujoco.MjSpec, timestep: float, ratio: float) -> None:
    for k, name in enumerate(PAD_PAIRS):
        spec.add_pair(
            name=name, geomname1="wafer_disc", geomname2=f"pad_{k}", condim=3,
            friction=[FRICTION, FRICTION, 0.005, 0.0001, 0.0001], solref=SOLREF, solimp=SOLIMP,
            # Direct format: no stiffness (friction rows have no position), damping as is.
            solreffriction=[0.0, -friction_damping(timestep, ratio)],
        )  # fmt: skip


def _add_sensors(spec: mujoco.MjSpec) -> None:
    site, joint = mujoco.mjtObj.mjOBJ_SITE, mujoco.mjtObj.mjOBJ_JOINT
    kind = mujoco.mjtSensor
    spec.add_sensor(name="tcp_position", type=kind.mjSENS_FRAMEPOS, objtype=site, objname="tcp")
    for name, which in (
        ("wafer_in_paddle_position", kind.mjSENS_FRAMEPOS),
        ("wafer_in_paddle_quaternion", kind.mjSENS_FRAMEQUAT),
    ):
        spec.add_sensor(name=name, type=which, objtype=site, objname="wafer_centre", reftype=site, refname="tcp")
    for name in JOINTS[1:]:
        spec.add_sensor(name=f"{name}_position", type=kind.mjSENS_JOINTPOS, objtype=joint, objname=name)
        spec.add_sensor(name=f"{name}_velocity", type=kind.mjSENS_JOINTVEL, objtype=joint, objname=name)
    for name in ("flex_x", "flex_y"):
        spec.add_sensor(name=name, type=kind.mjSENS_JOINTPOS, objtype=joint, objname=name)


def _add_view(spec: mujoco.MjSpec) -> None:
    z = BASE_HEIGHT + PADDLE_Z
    world = spec.worldbody
    look.render_settings(
        spec, center=(0.1, 0.0, z), extent=2.4, horizon=(0.90, 0.92, 0.93), zenith=(0.72, 0.78, 0.82), headlight=0.12
    )
    look.add_light(
        spec, "key", (-0.9, -1.5, 4.2), (0.15, 0.05, z), 0.42, specular=0.45, shadow=True, spot=True, cutoff=42.0
    )
    look.add_light(spec, "ceiling", (0.4, 0.3, 5.0), (0.0, 0.0, z), 0.13, specular=0.25)
    look.add_light(spec, "fill", (2.5, 2.4, 3.0), (0.0, 0.0, z), 0.14, specular=0.25)
    look.add_light(spec, "back", (-2.5, 1.5, 2.2), (0.0, 0.0, z), 0.14, specular=0.2)
    look.add_camera(world, "overview", (-1.30, -1.52, 2.55), (0.20, 0.03, z - 0.09), 40.0)
    look.add_camera(world, "top", (0.10, 0.0, 4.1), (0.10, 0.0, z), 42.0, up=(1.0, 0.0, 0.0))
    look.add_camera(world, "side", (0.10, -2.75, 1.95), (0.16, 0.0, z - 0.16), 37.0)
    look.add_camera(spec.body("paddle"), "wafer", (-0.16, -0.36, 0.26), (0.26, 0.0, 0.0), 40.0)


def transfer_chamber(
    *,
    timestep: float = 0.0005,
    friction_damping_ratio: float = FRICTION_DAMPING_RATIO,
    soft: Flexure | None = None,
    visual: bool = True,
) -> mujoco.MjSpec:
    """Build the cell.

    Names: see `add_vacuum_scara` and `add_wafer`; contact pairs `PAD_PAIRS`; cameras `CAMERAS`; a site
    `station_<name>` for each of `STATIONS`; keyframe `home` with the wafer seated on the pads; sensors
    `tcp_position` (world, m), `wafer_in_paddle_position` and `wafer_in_paddle_quaternion` (relative to site `tcp`),
    `<joint>_position` and `<joint>_velocity` for shoulder, elbow and wrist, `flex_x`, `flex_y` (m).

    Without the visual part there are no drawn geoms, lights, textures and cameras; everything that is part of the
    state or of the dynamics is the same, in the same order, so that states can be copied between the two models.

    Args:
        timestep: seconds; the contact parameters follow it.
        friction_damping_ratio: damping rate of the friction directions times the timestep, below 2.
        soft: flexure of the wrist; by default 14 Hz and 2 % damping.
        visual: also build what is only seen.

    Returns:
        The specification, not yet compiled.

    Raises:
        ShopfloorError: timestep or damping ratio for which the contact would be unstable.
    """
    if not 0.0 < timestep <= 0.002:
        raise ShopfloorError(f"timestep={timestep!r} s: choose a value in (0, 0.002], the contact springs need it")
    if not 0.0 < friction_damping_ratio < 2.0:
        raise ShopfloorError(
            f"friction_damping_ratio={friction_damping_ratio!r}: choose a value in (0, 2), 2 is unstable"
        )
    spec = mujoco.MjSpec()
    spec.modelname = "transfer_chamber"
    spec.compiler.degree = False
    option = spec.option
    servo_frequency = set_integrator(spec, timestep)
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    option.impratio = 100.0
    option.tolerance = 1e-12  # the wafer is light against the robot, by which the engine scales the tolerance
    spec.memory = 2**18  # bytes of arena; a batch allocates one for every row
    world = spec.worldbody
    for name, theta in STATIONS.items():
        at = (STATION_RADIUS * float(np.cos(theta)), STATION_RADIUS * float(np.sin(theta)), BASE_HEIGHT + PADDLE_Z)
        world.add_site(name=f"station_{name}", pos=at, size=[0.003, 0.0, 0.0], group=4)
    add_vacuum_scara(
        spec, world, pos=(0.0, 0.0, BASE_HEIGHT), servo_frequency_hz=servo_frequency, soft=soft, visual=visual
    )
    seat = spec.site("tcp").pos
    reach = 2 * 0.36 + WRIST_TO_WAFER
    add_wafer(spec, pos=(reach, 0.0, BASE_HEIGHT + PADDLE_Z + float(seat[2])), visual=visual)
    _add_pairs(spec, timestep, friction_damping_ratio)
    _add_sensors(spec)
    robot = home_qpos()
    wafer = [
        HOME_RADIUS * np.cos(HOME_THETA),
        HOME_RADIUS * np.sin(HOME_THETA),
        BASE_HEIGHT + PADDLE_Z + float(seat[2]),
    ]
    turn = [np.cos(HOME_THETA / 2), 0.0, 0.0, np.sin(HOME_THETA / 2)]
    ctrl = np.array([(q, 0.0) for q in robot[: len(JOINTS)]]).ravel()
    spec.add_key(name="home", qpos=np.concatenate([robot, wafer, turn]), ctrl=ctrl)
    if visual:
        transfer_chamber_shapes.add_scene(spec, BASE_HEIGHT, CLEAR_RADIUS, STATION_RADIUS, STATIONS)
        _add_view(spec)
    return spec
