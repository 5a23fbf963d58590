"""Auto-teaching: a front-end robot with a teaching jig on its paddle, in front of the station that it is to find.

World frame: z up, origin on the clean-room floor below the turning axis of the robot; the station stands at +x. What
stands still while a station is taught has no joint: the track, and the second arm is not there. Contact settings: see
`transfer_chamber`. Body `station` is where the drawing has it; an environment moves and tilts it in each row.
"""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..fixtures import load_port
from ..fixtures.teach_station import add_teach_station
from ..parts import wafer
from ..robots import efem_robot
from ..robots.vacuum_scara import PAD_TOP, SEAT_PENETRATION
from ..tools.teach_jig import CROSSING, add_teach_jig
from . import efem_shapes
from .efem import LOAD_LOCKS, LOCK_SEAT, RAIL_HEIGHT, WALL
from .slot import INSIDE_X, add_sag
from .wafer_cell import add_clean_room, new_cell, set_home, turn_quat

CAMERAS = ("jig", "overview", "side")

INSIDE_Y = (-0.45, 0.45)  # m, clean space of the front end
STATION = (0.62, 0.0, 1.060)  # m, centre of the fixture's upper face by the drawing
TCP_Z = PAD_TOP + 0.5 * wafer.THICKNESS - SEAT_PENETRATION  # m, centre of a seated wafer above the paddle's mid-plane
TCP_HEIGHT = RAIL_HEIGHT + efem_robot.PADDLE_HEIGHT["a"] + TCP_Z  # m, the same above the floor with the lift down
START_RADIUS = STATION[0] - CROSSING[0] - 0.012  # m, crossing of the beams before the pin
START_LIFT = STATION[2] + 0.056 - TCP_HEIGHT  # m, everything of the jig above the pin
BALL_FRICTION = 0.15
BALL_SOLREF, BALL_SOLIMP = (0.01, 1.0), (0.99, 0.99, 0.001, 0.5, 2.0)
PORT = "load_port"


def _add_robot(spec: mujoco.MjSpec, frequency_hz: float, visual: bool) -> None:
    efem_robot.add_efem_robot(
        spec, spec.worldbody, pos=(0.0, 0.0, RAIL_HEIGHT), servo_frequency_hz=frequency_hz, visual=visual
    )
    spec.delete(spec.body("b_upper_arm"))
    for term in ("position", "velocity"):
        spec.delete(spec.actuator(f"track_{term}"))
    spec.delete(spec.joint("track"))
    add_sag(spec)
    add_teach_jig(spec, spec.body("a_paddle"), "", pos=(efem_robot.GEOMETRY.wrist_to_wafer, 0.0, TCP_Z), visual=visual)


def _add_sensors(spec: mujoco.MjSpec) -> None:
    kind, site = mujoco.mjtSensor, mujoco.mjtObj.mjOBJ_SITE
    for name, what, of in (
        ("crossing_position", kind.mjSENS_FRAMEPOS, "crossing"),
        ("crossing_along", kind.mjSENS_FRAMEXAXIS, "crossing"),
        ("crossing_left", kind.mjSENS_FRAMEYAXIS, "crossing"),
        ("stylus_position", kind.mjSENS_FRAMEPOS, "stylus"),
    ):
        spec.add_sensor(name=name, type=what, objtype=site, objname=of)
    for name, joint in (("theta", "theta"), ("shoulder", "a_shoulder"), ("lift", "lift"), ("sag", "a_sag")):
        spec.add_sensor(
            name=f"{name}_encoder", type=kind.mjSENS_JOINTPOS, objtype=mujoco.mjtObj.mjOBJ_JOINT, objname=joint
        )
    spec.add_sensor(name="contact", type=kind.mjSENS_TOUCH, objtype=site, objname="stylus")


def _add_view(spec: mujoco.MjSpec) -> None:
    world = spec.worldbody
    look.render_settings(
        spec, center=(0.3, 0.0, 1.1), extent=2.0, horizon=(0.90, 0.92, 0.93), zenith=(0.72, 0.78, 0.82), headlight=0.22
    )
    look.add_light(
        spec, "key", (-1.2, -2.2, 4.2), (0.4, 0.0, 1.0), 0.36, specular=0.3, shadow=True, spot=True, cutoff=45.0
    )
    look.add_light(spec, "ceiling", (0.3, 0.1, 5.0), (0.3, 0.0, 1.0), 0.14, specular=0.15)
    look.add_light(spec, "fill", (2.4, -2.0, 2.8), (0.4, 0.0, 1.0), 0.14, specular=0.2)
    look.add_light(
        spec, "inside", (0.35, 0.0, 2.06), (0.45, 0.0, 1.0), 0.42, specular=0.1, spot=True, cutoff=85.0, exponent=0.5
    )
    x, y, z = STATION
    look.add_camera(world, "jig", (x + 0.20, y - 0.40, z + 0.27), (x - 0.02, y + 0.01, z + 0.01), 42.0)
    look.add_camera(world, "overview", (-0.55, -0.36, 2.00), (0.44, 0.03, 0.98), 62.0)
    look.add_camera(world, "side", (x + 0.02, y - 0.42, z + 0.06), (x - 0.03, y, z + 0.015), 30.0)


def teach(*, timestep: float = 0.002, visual: bool = True) -> mujoco.MjSpec:
    """Build the cell.

    Names: see `add_efem_robot` (arm a only, no track), `add_teach_station` (`station`) and `add_teach_jig`; joint and
    actuator `a_sag`, see `slot.add_sag`; contact pair `touch` of ball and disc; sensors that tell where the crossing
    and the stylus are and how the jig is turned, the encoders, the angle of the sag, and the contact force; keyframe
    `home` with the jig before the pin of the drawing and above it.

    Args:
        timestep: seconds; servos and contacts follow it.
        visual: also build what is only seen.

    Returns:
        The specification, not yet compiled.

    Raises:
        ShopfloorError: timestep for which the contact would be unstable.
    """
    spec, frequency_hz = new_cell("teach", timestep)
    _add_robot(spec, frequency_hz, visual)
    add_teach_station(spec, spec.worldbody, pos=STATION, floor=RAIL_HEIGHT, visual=visual)
    spec.add_pair(
        name="touch", geomname1="station_disc", geomname2="ball", condim=3,
        friction=[BALL_FRICTION, BALL_FRICTION, 0.005, 0.0001, 0.0001], solref=BALL_SOLREF, solimp=BALL_SOLIMP,
    )  # fmt: skip
    load_port.add_load_port(
        spec, spec.worldbody, PORT, pos=(0.0, INSIDE_Y[0] - load_port.PANEL[1], load_port.LOAD_HEIGHT),
        quat=turn_quat(np.pi / 2.0), moving=False, visual=visual,
    )  # fmt: skip
    _add_sensors(spec)
    joints = efem_robot.joint_positions(lift=START_LIFT, radius_a=START_RADIUS)
    set_home(spec, {k: v for k, v in joints.items() if k in ("lift", "theta") or k.startswith("a_")})
    if visual:
        efem_shapes.add_frame(spec, (INSIDE_X, INSIDE_Y), WALL, {PORT: 0.0}, LOAD_LOCKS, (LOCK_SEAT, RAIL_HEIGHT))
        add_clean_room(spec, 4.2, 3.4)
        _add_view(spec)
    return spec
