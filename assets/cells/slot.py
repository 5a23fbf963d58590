"""One load port of an equipment front end: a carrier, one arm of the robot in front of it, one wafer to handle.

World frame: that of `efem`, z up, origin on the clean-room floor below the turning axis of the robot; the carrier
stands at -y. What stands still during a get or a put has no joint: track and turning axis are at the port, and the
second arm is not there. Contact settings: see `transfer_chamber`.

What differs from one carrier to the next is a model field that an environment writes to each row: pose of body
`foup`, heights of `slot_left` and `slot_right`, which carry the supports of the slot in question, and of
`wafer_below` and `wafer_above`, which are only seen. The arm's sag is a joint: see `add_sag`.
"""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..fixtures import foup, load_port
from ..fixtures.support import SHELF_POINTS, add_support
from ..parts import wafer
from ..robots import efem_robot
from ..robots.vacuum_scara import PAD_TOP
from ..robots.wafer_arm import add_axis
from . import efem_shapes
from .efem import FRICTION, INSIDE_Y, LOAD_LOCKS, LOCK_SEAT, RAIL_HEIGHT, WALL
from .wafer_cell import add_clean_room, new_cell, pair_pads, set_home

CAMERAS = ("carrier", "side", "overview")

INSIDE_X = (-0.95, 0.95)  # m, clean space of the front end
STATION_RADIUS = load_port.PANEL[1] - INSIDE_Y[0]  # m, turning axis to the datum point of the carrier
HOME_RADIUS = 0.20  # m, wafer centre to turning axis with the arm retracted
PADS = tuple(f"a_pad_{k}" for k in range(3))
PAD_PAIRS = tuple(f"wafer_{pad}" for pad in PADS)
SUPPORTS = tuple(f"slot_support_{k}" for k in range(4))
PORT, SLOT = "load_port", 13
CUP_AREA = 0.25 * np.pi * 0.008**2  # m^2, three cups of 8 mm

# The sag of an arm that carries something: a hinge at the wrist whose spring gives the vertical mode.
SAG_LEVER = efem_robot.GEOMETRY.wrist_to_wafer  # m, hinge to the wafer's centre
SAG_FREQUENCY_HZ, SAG_DAMPING_RATIO = 18.0, 0.03
_PADDLE_LENGTH = efem_robot.GEOMETRY.wrist_to_wafer + 0.06  # m, see `wafer_arm.add_paddle`
PADDLE_MOMENT = 9.81 * efem_robot.PADDLE_MASS * 0.55 * _PADDLE_LENGTH  # N m, weight of the paddle about the hinge
SAG_INERTIA = (
    efem_robot.PADDLE_MASS * ((_PADDLE_LENGTH**2 + 0.004**2) / 12.0 + (0.55 * _PADDLE_LENGTH) ** 2)
    + wafer.MASS * SAG_LEVER**2
)  # kg m^2, paddle and wafer about the hinge


def lift_at(height: float) -> float:
    """Lift position (m) that brings the tops of the pads of an arm without sag to `height` (m) above the floor."""
    return height - RAIL_HEIGHT - efem_robot.PADDLE_HEIGHT["a"] - PAD_TOP


def add_sag(spec: mujoco.MjSpec, frequency_hz: float = SAG_FREQUENCY_HZ, ratio: float = SAG_DAMPING_RATIO) -> None:
    """Give the paddle of arm a the vertical mode of the arm: joint and actuator `a_sag`, tip down positive.

    The actuator is the spring; its control is the tilt (rad) at which an unloaded, weightless paddle would hang, which
    follows the extension. Weight adds moment over stiffness: a wafer of mass m lowers its own centre by
    m g lever^2 / k.

    Args:
        spec: specification that holds the robot.
        frequency_hz: of the mode with a wafer on the paddle, Hz.
        ratio: fraction of critical damping.
    """
    add_axis(spec.body("a_paddle"), "a_sag", (0.0, 1.0, 0.0))
    omega = 2.0 * np.pi * frequency_hz
    actuator = spec.add_actuator(
        name="a_sag", target="a_sag", trntype=mujoco.mjtTrn.mjTRN_JOINT, biastype=mujoco.mjtBias.mjBIAS_AFFINE
    )
    actuator.gainprm[0] = SAG_INERTIA * omega**2
    actuator.biasprm[1], actuator.biasprm[2] = -SAG_INERTIA * omega**2, -2.0 * ratio * SAG_INERTIA * omega


def _add_robot(spec: mujoco.MjSpec, frequency_hz: float, visual: bool) -> None:
    efem_robot.add_efem_robot(
        spec, spec.worldbody, pos=(0.0, 0.0, RAIL_HEIGHT), servo_frequency_hz=frequency_hz, visual=visual
    )
    spec.delete(spec.body("b_upper_arm"))
    for joint in ("track", "theta"):
        for term in ("position", "velocity"):
            spec.delete(spec.actuator(f"{joint}_{term}"))
        spec.delete(spec.joint(joint))
    spec.body("platform").quat = [np.sqrt(0.5), 0.0, 0.0, -np.sqrt(0.5)]  # towards the port
    add_sag(spec)
    # Vacuum: a force that all touching cups share. Not the field `pair_adhesion`, which is no control.
    vacuum = spec.add_actuator(name="vacuum", target="a_paddle", trntype=mujoco.mjtTrn.mjTRN_BODY)
    vacuum.set_to_adhesion(gain=1.0)
    vacuum.ctrllimited, vacuum.ctrlrange = True, [0.0, 3.0 * CUP_AREA * 101_325.0]


def _add_carrier(spec: mujoco.MjSpec, visual: bool) -> None:
    port = load_port.add_load_port(
        spec, spec.worldbody, PORT, pos=(0.0, -STATION_RADIUS, load_port.LOAD_HEIGHT),
        quat=(np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)), moving=False, opened=True, visual=visual,
    )  # fmt: skip
    carrier = foup.add_foup(spec, port.table, "foup", slots=(), visual=visual)
    # Its own inertial frame, or that would follow from nothing once an environment has turned it.
    carrier.explicitinertial, carrier.mass, carrier.ipos, carrier.inertia = True, 4.5, [0.0, 0.0, 0.16], [0.1] * 3
    seat = float(foup.seat_height(SLOT))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        shelf = carrier.add_body(name=f"slot_{side}", pos=[0.0, 0.0, seat])
        for k, (x, y) in enumerate(SHELF_POINTS):
            if y * sign > 0.0:
                add_support(shelf, SUPPORTS[k], (x, y, 0.0), 0.002)
    for name, slot in (("wafer_below", SLOT - 1), ("wafer_above", SLOT + 1)):
        body = carrier.add_body(name=name, pos=[0.0, 0.0, float(foup.seat_height(slot))])
        if visual:
            wafer.draw_wafer(spec, body, name, height=0.5 * wafer.THICKNESS)


def _add_sensors(spec: mujoco.MjSpec) -> None:
    site, body = mujoco.mjtObj.mjOBJ_SITE, mujoco.mjtObj.mjOBJ_XBODY
    kind = mujoco.mjtSensor
    for name, what, of, kind_of, reference in (
        ("wafer_position", kind.mjSENS_FRAMEPOS, "wafer_centre", body, "foup"),
        ("wafer_normal", kind.mjSENS_FRAMEZAXIS, "wafer_centre", body, "foup"),
        ("paddle_position", kind.mjSENS_FRAMEPOS, "a_tcp", body, "foup"),
        ("paddle_along", kind.mjSENS_FRAMEXAXIS, "a_tcp", body, "foup"),
        ("paddle_normal", kind.mjSENS_FRAMEZAXIS, "a_tcp", body, "foup"),
        ("seat_position", kind.mjSENS_FRAMEPOS, "wafer_centre", site, "a_tcp"),
        ("seat_normal", kind.mjSENS_FRAMEZAXIS, "wafer_centre", site, "a_tcp"),
    ):
        spec.add_sensor(name=name, type=what, objtype=site, objname=of, reftype=kind_of, refname=reference)


def _add_view(spec: mujoco.MjSpec) -> None:
    world = spec.worldbody
    look.render_settings(
        spec, center=(0.0, -0.3, 1.1), extent=2.4, horizon=(0.90, 0.92, 0.93), zenith=(0.72, 0.78, 0.82), headlight=0.12
    )
    look.add_light(
        spec, "key", (-1.6, -3.4, 4.4), (0.0, -0.4, 1.0), 0.36, specular=0.3, shadow=True, spot=True, cutoff=45.0
    )
    look.add_light(spec, "ceiling", (0.1, 0.1, 5.0), (0.0, 0.0, 1.0), 0.14, specular=0.15)
    look.add_light(spec, "fill", (2.3, -2.4, 3.0), (0.0, -0.3, 1.0), 0.14, specular=0.2)
    look.add_light(
        spec, "inside", (0.0, 0.1, 2.06), (0.0, -0.4, 1.0), 0.34, specular=0.1, spot=True, cutoff=85.0, exponent=0.5
    )
    look.add_camera(world, "carrier", (-0.62, 0.30, 1.62), (0.04, -0.50, 1.06), 44.0)
    look.add_camera(world, "side", (0.52, -0.12, 1.11), (-0.05, -0.52, 1.06), 40.0)
    look.add_camera(world, "overview", (-1.75, -3.10, 2.35), (0.05, -0.35, 1.22), 38.0)


def slot_cell(*, timestep: float = 0.001, visual: bool = True) -> mujoco.MjSpec:
    """Build the cell.

    Names: see `add_efem_robot` (arm a only), `add_load_port` (`load_port`), `add_foup` (`foup`) and `add_wafer`
    (`wafer`); joint and actuator `a_sag`; actuator `vacuum`, the force of all cups together in N; sensors that tell
    poses of wafer and paddle in the frame of the carrier, and of the wafer on the paddle; keyframe `home` with the arm
    retracted at slot 13.

    Args:
        timestep: seconds; servos and contacts follow it.
        visual: also build what is only seen.

    Returns:
        The specification, not yet compiled.
    """
    spec, frequency_hz = new_cell("slot", timestep)
    _add_robot(spec, frequency_hz, visual)
    _add_carrier(spec, visual)
    height = load_port.LOAD_HEIGHT + float(foup.seat_height(SLOT))
    wafer.add_wafer(spec, pos=(0.0, -STATION_RADIUS, height + 0.5 * wafer.THICKNESS), rests=True, visual=visual)
    pair_pads(spec, ["wafer"], PADS, timestep=timestep, friction=FRICTION)
    _add_sensors(spec)
    lift = lift_at(height - 0.003)
    joints = efem_robot.joint_positions(lift=lift, radius_a=HOME_RADIUS)
    set_home(spec, {k: v for k, v in joints.items() if k == "lift" or k.startswith("a_")})
    if visual:
        efem_shapes.add_frame(spec, (INSIDE_X, INSIDE_Y), WALL, {PORT: 0.0}, LOAD_LOCKS, (LOCK_SEAT, RAIL_HEIGHT))
        add_clean_room(spec, 4.2, 3.4)
        _add_view(spec)
    return spec
