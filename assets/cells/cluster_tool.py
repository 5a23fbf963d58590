"""Cluster tool: a hexagonal vacuum chamber with a two-armed robot, four process modules and two load locks.

World frame: z up, origin on the clean-room floor below the robot axis. Stations sit behind slit valves, in directions
counted from +x. Contact settings: see `transfer_chamber`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

import mujoco
import numpy as np

from ...errors import ShopfloorError
from .. import look
from ..fixtures import load_lock, process_module
from ..fixtures.beam import add_through_beam
from ..fixtures.slit_valve import GATE_STROKE
from ..fixtures.slit_valve import THICKNESS as VALVE
from ..parts.wafer import THICKNESS, add_wafer
from ..robots import dual_scara, frog_leg
from ..robots.frog_leg_kinematics import NEUTRAL_RADIUS
from ..robots.frog_leg_kinematics import PADDLE_Z as FROG_PADDLE_Z
from ..robots.twin_arm import ARMS
from ..robots.vacuum_scara import PAD_TOP, SEAT_PENETRATION
from . import cluster_tool_shapes
from .wafer_cell import Placement, add_clean_room, new_cell, pair_pads, place_wafers, set_home, turn_quat

CAMERAS = ("overview", "top", "module", "paddle")
ROBOTS = ("dual_scara", "frog_leg")

BASE_HEIGHT = 0.85  # m, clean-room floor to the floor of the chamber
APOTHEM, WALL = 0.74, 0.04  # m, inner radius of the hexagon, thickness of its walls
STATION_RADIUS = APOTHEM + WALL + VALVE + process_module.HALF_LENGTH  # m, robot axis to the wafer centre in a station
PROCESS_MODULES: Mapping[str, float] = MappingProxyType(
    {"process_1": np.pi / 2, "process_2": np.pi / 6, "process_3": -np.pi / 6, "process_4": -np.pi / 2}
)  # direction from the robot axis, rad
LOAD_LOCKS: Mapping[str, float] = MappingProxyType({"load_lock_1": 5 * np.pi / 6, "load_lock_2": -5 * np.pi / 6})
STATIONS: Mapping[str, float] = MappingProxyType({**PROCESS_MODULES, **LOAD_LOCKS})
HANDOFF_HEIGHT = 1.055  # m, underside of a wafer on lifted pins or on the shelf of a load lock
BEAM_RADIUS, BEAM_OFFSET = 0.70, 0.075  # m, two beams in front of each valve, either side of the wafer's way

FRICTION = 0.2
HOME_THETA = 0.0  # rad
HOME_RADIUS = 0.42  # m, both arms of the dual SCARA
PADS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "dual_scara": tuple(f"{arm}_pad_{k}" for arm in ARMS for k in range(3)),
        "frog_leg": tuple(f"{which}_pad_{k}" for which in frog_leg.PADDLES for k in range(3)),
    }
)


def home_positions(robot: str) -> dict[str, float]:
    """Joints of `robot` at home, arms retracted, by name."""
    if robot == "frog_leg":
        return frog_leg.joint_positions(theta=HOME_THETA)
    return dual_scara.joint_positions(theta=HOME_THETA, radius_a=HOME_RADIUS, radius_b=HOME_RADIUS)


def stations(robot: str) -> dict[str, Placement]:
    """Centre (m) and turn (rad) of a flat wafer at every place: the stations, process modules with their pins up, and
    the paddles of `robot` at home (`paddle_a`, `paddle_b`, or `paddle_front`, `paddle_rear`).
    """  # noqa: D205
    half = 0.5 * THICKNESS
    places: dict[str, Placement] = {}
    for name, theta in STATIONS.items():
        x, y = STATION_RADIUS * float(np.cos(theta)), STATION_RADIUS * float(np.sin(theta))
        places[name] = ((x, y, HANDOFF_HEIGHT + half), theta)
    seat = BASE_HEIGHT + PAD_TOP + half - SEAT_PENETRATION
    c, s = float(np.cos(HOME_THETA)), float(np.sin(HOME_THETA))
    if robot == "frog_leg":
        for which, ahead in zip(frog_leg.PADDLES, (1.0, -1.0), strict=True):
            at = (ahead * NEUTRAL_RADIUS * c, ahead * NEUTRAL_RADIUS * s, seat + FROG_PADDLE_Z)
            places[f"paddle_{which}"] = (at, HOME_THETA + (0.0 if ahead > 0.0 else np.pi))
    else:
        for arm in ARMS:
            at = (HOME_RADIUS * c, HOME_RADIUS * s, seat + dual_scara.PADDLE_HEIGHT[arm])
            places[f"paddle_{arm}"] = (at, HOME_THETA)
    return places


def add_stations(
    spec: mujoco.MjSpec, present: Collection[str], moving: Collection[str], lids: Mapping[str, str], visual: bool
) -> None:
    """Put the stations `present` behind the chamber's slits, those of `moving` with joints, and beams before each."""
    world = spec.worldbody
    for name, theta in STATIONS.items():
        if name not in present:
            continue
        x, y = STATION_RADIUS * float(np.cos(theta)), STATION_RADIUS * float(np.sin(theta))
        if name in PROCESS_MODULES:
            z = HANDOFF_HEIGHT - process_module.PINS_UP
            process_module.add_process_module(
                spec, world, name, pos=(x, y, z), quat=turn_quat(theta), height=z, moving=name in moving,
                lid=lids.get(name, "shut"), visual=visual,
            )  # fmt: skip
        else:
            load_lock.add_load_lock(
                spec, world, name, pos=(x, y, HANDOFF_HEIGHT), quat=turn_quat(theta), height=HANDOFF_HEIGHT,
                moving=name in moving, opened=(True, False), visual=visual,
            )  # fmt: skip
        chamber = world.add_body(name=f"{name}_beams", quat=turn_quat(theta))
        for k, side in enumerate((1.0, -1.0)):
            low, high = BASE_HEIGHT + 0.02, BASE_HEIGHT + cluster_tool_shapes.WALL_TOP - 0.02
            at = (BEAM_RADIUS, side * BEAM_OFFSET)
            add_through_beam(spec, chamber, f"{name}_beam_{k}", (*at, high), (*at, low), visual=False)


def _add_view(spec: mujoco.MjSpec, paddle: str) -> None:
    z = HANDOFF_HEIGHT
    world = spec.worldbody
    look.render_settings(
        spec, center=(0.0, 0.0, z), extent=3.0, horizon=(0.90, 0.92, 0.93), zenith=(0.72, 0.78, 0.82), headlight=0.14
    )
    look.add_light(
        spec, "key", (-1.6, -2.2, 4.6), (0.1, 0.05, z), 0.42, specular=0.4, shadow=True, spot=True, cutoff=45.0
    )
    look.add_light(spec, "ceiling", (0.4, 0.3, 5.0), (0.0, 0.0, z), 0.15, specular=0.25)
    look.add_light(spec, "fill", (2.5, 2.4, 3.0), (0.0, 0.0, z), 0.13, specular=0.25)
    look.add_light(spec, "back", (-2.5, 1.5, 2.2), (0.0, 0.0, z), 0.13, specular=0.2)
    look.add_camera(world, "overview", (-2.10, -1.95, 2.95), (0.06, 0.02, z - 0.12), 42.0)
    look.add_camera(world, "top", (0.0, 0.0, 4.9), (0.0, 0.0, z), 42.0, up=(1.0, 0.0, 0.0))
    look.add_camera(world, "module", (0.18, -0.55, 1.75), (0.92, 0.42, z), 50.0)
    look.add_camera(spec.body(paddle), "paddle", (-0.16, -0.40, 0.28), (0.26, 0.0, 0.0), 45.0)


def cluster_tool(
    *,
    robot: str = "dual_scara",
    wafers: Mapping[str, str] = MappingProxyType({"wafer": "process_2"}),
    present: Collection[str] = tuple(STATIONS),
    moving: Collection[str] | None = None,
    timestep: float = 0.0005,
    flex_radius: float = 1.0,
    droop: float = 0.0,
    friction: float = FRICTION,
    visual: bool = True,
) -> mujoco.MjSpec:
    """Build the cell.

    Names: see `add_dual_scara` or `add_frog_leg`, `add_process_module`, `add_load_lock` and `add_wafer`; contact pairs
    `<wafer>_<pad>` for each of `PADS`; two through-beams `<station>_beam_0` and `_1` in front of every valve; cameras
    `CAMERAS`; keyframe `home` with gates to the chamber open, outer gates shut, pins up and arms retracted.

    Without the visual part everything that is part of the state or of the dynamics is the same, in the same order.

    Args:
        robot: one of `ROBOTS`.
        wafers: where each wafer starts, by name; keys of `stations(robot)`.
        present: stations that the tool has.
        moving: those whose gates and pins have joints; the others are fixed, open, pins up. By default all.
        timestep: seconds; servos and contacts follow it.
        flex_radius: extension whose compliance the springs of the arms get, m.
        droop: tilt of both paddles, tip down, rad.
        friction: of the pads on a wafer.
        visual: also build what is only seen.

    Returns:
        The specification, not yet compiled.

    Raises:
        ShopfloorError: unknown names, or a timestep for which the contacts would be unstable.
    """
    if robot not in ROBOTS:
        raise ShopfloorError(f"robot={robot!r}: choose one of {', '.join(ROBOTS)}")
    moving = tuple(present) if moving is None else tuple(moving)
    for what, chosen, known in (("present", present, tuple(STATIONS)), ("moving", moving, tuple(present))):
        strangers = sorted(set(chosen) - set(known))
        if strangers:
            raise ShopfloorError(f"{what}: {strangers[0]!r}: choose from {', '.join(known)}")
    places = {k: v for k, v in stations(robot).items() if k in present or k not in STATIONS}
    placed = place_wafers(wafers, places)
    spec, frequency_hz = new_cell("cluster_tool", timestep)
    add_robot = frog_leg.add_frog_leg if robot == "frog_leg" else dual_scara.add_dual_scara
    add_robot(
        spec, spec.worldbody, pos=(0.0, 0.0, BASE_HEIGHT), servo_frequency_hz=frequency_hz, flex_radius=flex_radius,
        droop=droop, visual=visual,
    )  # fmt: skip
    lids = {"process_1": "raised", "process_2": "raised"}
    add_stations(spec, present, moving, lids, visual)
    for name, (at, turn) in placed.items():
        add_wafer(spec, name=name, pos=at, rests=True, visual=visual).quat = turn_quat(turn)
    pair_pads(spec, placed, PADS[robot], timestep=timestep, friction=friction)
    home = home_positions(robot)
    for name in moving:
        if name in PROCESS_MODULES:
            home |= {f"{name}_pins": process_module.PIN_STROKE, f"{name}_valve_gate": GATE_STROKE}
        else:
            home[f"{name}_vacuum_gate"] = GATE_STROKE
    set_home(spec, home)
    if visual:
        cluster_tool_shapes.add_chamber(
            spec, BASE_HEIGHT, (APOTHEM, WALL), {n: STATIONS[n] for n in present}, HANDOFF_HEIGHT,
            (BEAM_RADIUS, BEAM_OFFSET),
        )  # fmt: skip
        add_clean_room(spec, 3.6, 3.6)
        _add_view(spec, "front_paddle" if robot == "frog_leg" else "a_paddle")
    return spec
