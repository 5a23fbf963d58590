"""Equipment front end: three load ports with carriers, a dual-arm robot on a track, an aligner and two load locks.

World frame: z up, origin on the clean-room floor below the middle of the track; the track runs along x, operators
stand at -y, the vacuum side is at +y. Contact settings: see `transfer_chamber`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

import mujoco
import numpy as np

from ...errors import ShopfloorError
from .. import look
from ..fixtures import aligner, foup, load_lock, load_port
from ..fixtures.support import add_boundary
from ..parts.wafer import THICKNESS, add_wafer
from ..robots import efem_robot
from ..robots.twin_arm import ARMS
from ..robots.vacuum_scara import PAD_TOP, SEAT_PENETRATION
from . import efem_shapes
from .wafer_cell import Placement, add_clean_room, new_cell, pair_pads, place_wafers, set_home, turn_quat

CAMERAS = ("overview", "inside", "carrier", "stations", "paddle")

INSIDE_X, INSIDE_Y = (-0.95, 1.44), (-0.45, 0.45)  # m, clean space of the front end
WALL = 0.025  # m
RAIL_HEIGHT = 0.033  # m, floor to the underside of the rail: paddle a is 0.90 m above the floor with the lift down

LOAD_PORTS: Mapping[str, float] = MappingProxyType(
    {f"load_port_{k + 1}": load_port.PITCH * (k - 1) for k in range(3)}
)  # x of each, m
PORT_Y = INSIDE_Y[0] - load_port.PANEL[1]  # m, datum points of the carriers
LOAD_LOCKS: Mapping[str, float] = MappingProxyType({"load_lock_1": -0.30, "load_lock_2": 0.30})  # x of each, m
LOCK_Y = INSIDE_Y[1] + WALL + load_lock.DEPTH / 2  # m
LOCK_SEAT = 1.100  # m, underside of a wafer in a load lock above the floor
ALIGNER_POSITION = (1.17, 0.0, 1.100)  # m, centre of the underside of a wafer on the chuck

# Direction of the robot at each kind of station (rad).
TO_LOAD_PORT, TO_LOAD_LOCK, TO_ALIGNER = -np.pi / 2, np.pi / 2, 0.0

FRICTION = 0.3
CUP_FORCE = 3.0  # N: 60 kPa on a cup of 8 mm
PADS = tuple(f"{arm}_pad_{k}" for arm in ARMS for k in range(3))
CHUCK_PADS = tuple(f"aligner_pad_{k}" for k in range(aligner.PADS))
# Arms retracted, above the carriers.
HOME = MappingProxyType(efem_robot.joint_positions(track=0.0, lift=0.36, theta=0.0, radius_a=0.18, radius_b=0.18))
CARRIER_OPEN = MappingProxyType(
    {"door_back": load_port.DOOR_BACK_STROKE, "door_down": load_port.DOOR_DOWN_STROKE, "mapper": 0.0}
)


def stations() -> dict[str, Placement]:
    """Centre (m) and turn (rad) of a flat wafer at every place: `load_port_<n>:<slot>`, load locks, `aligner`,
    `paddle_a` and `paddle_b` with the robot at home.
    """  # noqa: D205
    half = 0.5 * THICKNESS
    places: dict[str, Placement] = {}
    for name, x in LOAD_PORTS.items():
        for slot in range(1, foup.SLOTS + 1):
            z = load_port.LOAD_HEIGHT + float(foup.seat_height(slot)) + half
            places[f"{name}:{slot}"] = ((x, PORT_Y, z), TO_LOAD_PORT)
    for name, x in LOAD_LOCKS.items():
        places[name] = ((x, LOCK_Y, LOCK_SEAT + half), TO_LOAD_LOCK)
    x, y, z = ALIGNER_POSITION
    places["aligner"] = ((x, y, z + half - SEAT_PENETRATION), TO_ALIGNER)
    for arm in ARMS:
        radius = float(efem_robot.GEOMETRY.radius(HOME[f"{arm}_shoulder"]))
        z = RAIL_HEIGHT + efem_robot.PADDLE_HEIGHT[arm] + HOME["lift"] + PAD_TOP + half - SEAT_PENETRATION
        theta = HOME["theta"]
        at = (HOME["track"] + radius * float(np.cos(theta)), radius * float(np.sin(theta)), z)
        places[f"paddle_{arm}"] = (at, theta)
    return places


def _carrier_slots(wafers: Mapping[str, str], slots: Mapping[str, Iterable[int]] | None) -> dict[str, set[int]]:
    """Slots of each carrier that exist in the physics: those asked for, those with a wafer and their neighbours."""
    chosen: dict[str, set[int]] = {name: set() for name in LOAD_PORTS}
    for name, wanted in (slots or {}).items():
        if name not in chosen:
            raise ShopfloorError(f"slots: {name!r}: choose one of {', '.join(chosen)}")
        chosen[name] |= set(wanted)
    for station in wafers.values():
        name, _, slot = station.partition(":")
        if slot:
            chosen[name] |= {k for k in range(int(slot) - 1, int(slot) + 2) if 1 <= k <= foup.SLOTS}
    return chosen


def _add_stations(
    spec: mujoco.MjSpec,
    wafers: Mapping[str, str],
    carrier_slots: Mapping[str, Iterable[int]],
    moving: Collection[str],
    frequency_hz: float,
    visual: bool,
) -> None:
    world = spec.worldbody
    rng = np.random.default_rng(12)
    for name, x in LOAD_PORTS.items():
        port = load_port.add_load_port(
            spec, world, name, pos=(x, PORT_Y, load_port.LOAD_HEIGHT), quat=turn_quat(np.pi / 2),
            moving=name in moving, opened=True, visual=visual,
        )  # fmt: skip
        real = {int(s.partition(":")[2]) for s in wafers.values() if s.startswith(f"{name}:")}
        near = {k + d for k in real for d in (-1, 0, 1)}
        drawn = [k for k in range(1, foup.SLOTS + 1) if rng.random() < 0.55 and k not in near]
        foup.add_foup(spec, port.table, f"{name}_foup", slots=carrier_slots[name], drawn_wafers=drawn, visual=visual)
    for name, x in LOAD_LOCKS.items():
        load_lock.add_load_lock(
            spec, world, name, pos=(x, LOCK_Y, LOCK_SEAT), quat=turn_quat(-np.pi / 2), height=LOCK_SEAT,
            moving=name in moving, opened=(False, True), visual=visual,
        )  # fmt: skip
    aligner.add_aligner(
        spec, world, pos=ALIGNER_POSITION, quat=turn_quat(np.pi), servo_frequency_hz=frequency_hz,
        stand=ALIGNER_POSITION[2] - 0.177 - RAIL_HEIGHT, visual=visual,
    )  # fmt: skip


def _add_walls(world: mujoco.MjsBody) -> None:
    (x0, x1), (y0, y1), top = INSIDE_X, INSIDE_Y, efem_shapes.HEIGHT
    frame = world.add_body(name="efem_frame")
    add_boundary(frame, "efem_wall_left", (x0 - WALL, y0, 0.0), (x0, y1, top))
    add_boundary(frame, "efem_wall_right", (x1, y0, 0.0), (x1 + WALL, y1, top))
    edges = [x0, *(x for c in sorted(LOAD_LOCKS.values()) for x in (c - 0.235, c + 0.235)), x1]
    for k in range(0, len(edges), 2):  # between the valves, which bring their own boundaries
        add_boundary(frame, f"efem_wall_rear_{k // 2}", (edges[k], y1, 0.0), (edges[k + 1], y1 + WALL, top))


def _add_view(spec: mujoco.MjSpec) -> None:
    world = spec.worldbody
    look.render_settings(
        spec, center=(0.2, 0.0, 1.1), extent=3.0, horizon=(0.90, 0.92, 0.93), zenith=(0.72, 0.78, 0.82), headlight=0.12
    )
    look.add_light(
        spec, "key", (-1.8, -3.6, 4.6), (0.2, -0.3, 1.0), 0.36, specular=0.3, shadow=True, spot=True, cutoff=45.0
    )
    look.add_light(spec, "ceiling", (0.3, 0.1, 5.0), (0.2, 0.0, 1.0), 0.12, specular=0.15)
    look.add_light(spec, "fill", (2.5, -2.4, 3.0), (0.2, 0.0, 1.0), 0.14, specular=0.2)
    look.add_light(spec, "back", (-1.5, 2.5, 3.2), (0.2, 0.0, 1.0), 0.12, specular=0.2)
    look.add_light(
        spec, "inside", (0.2, 0.0, 2.06), (0.2, 0.0, 1.0), 0.30, specular=0.1, spot=True, cutoff=85.0, exponent=0.5
    )
    look.add_camera(world, "overview", (-1.95, -3.60, 2.45), (0.20, -0.30, 1.27), 40.0)
    look.add_camera(world, "inside", (-0.90, 0.06, 2.04), (0.42, -0.06, 1.00), 62.0)
    look.add_camera(world, "carrier", (0.30, 0.08, 1.17), (0.0, -0.66, 1.04), 50.0)
    look.add_camera(world, "stations", (0.25, -0.42, 1.86), (0.42, 0.50, 1.00), 66.0)
    look.add_camera(spec.body("a_paddle"), "paddle", (-0.10, -0.34, 0.24), (0.24, 0.0, 0.0), 50.0)


def efem(
    *,
    wafers: Mapping[str, str] = MappingProxyType({"wafer": "load_port_2:13"}),
    slots: Mapping[str, Iterable[int]] | None = None,
    moving: Collection[str] = (*LOAD_PORTS, *LOAD_LOCKS),
    timestep: float = 0.0005,
    flex_radius: float = efem_robot.RADIUS_RANGE[1],
    droop: float = 0.0,
    friction: float = FRICTION,
    cup_force: float = CUP_FORCE,
    visual: bool = True,
) -> mujoco.MjSpec:
    """Build the cell.

    Names: see `add_efem_robot`, `add_foup` (`<load port>_foup`), `add_load_port`, `add_load_lock`, `add_aligner` and
    `add_wafer`; contact pairs `<wafer>_<pad>` for each of `PADS` and `CHUCK_PADS`; cameras `CAMERAS`; keyframe `home`
    with carriers open, the outer gates of the load locks open, the vacuum gates shut and the robot in the middle.

    Without the visual part everything that is part of the state or of the dynamics is the same, in the same order.

    Args:
        wafers: where each wafer starts, by name; keys of `stations()`.
        slots: further slots that exist in the physics, by load port; those around the wafers always do.
        moving: load ports and load locks whose doors have joints; the others are fixed, open.
        timestep: seconds; servos and contacts follow it.
        flex_radius: extension whose compliance the springs of the arms get, m.
        droop: tilt of both paddles, tip down, rad.
        friction: of the cups of paddles and chuck on a wafer.
        cup_force: of each cup of paddles and chuck, N; switch it by writing `pair_adhesion`.
        visual: also build what is only seen.

    Returns:
        The specification, not yet compiled.

    Raises:
        ShopfloorError: unknown names, or a timestep for which the contacts would be unstable.
    """
    strangers = set(moving) - set(LOAD_PORTS) - set(LOAD_LOCKS)
    if strangers:
        known = ", ".join((*LOAD_PORTS, *LOAD_LOCKS))
        raise ShopfloorError(f"moving: {sorted(strangers)[0]!r}: choose from {known}")
    placed = place_wafers(wafers, stations())
    carrier_slots = _carrier_slots(wafers, slots)
    spec, frequency_hz = new_cell("efem", timestep)
    world = spec.worldbody
    efem_robot.add_efem_robot(
        spec, world, pos=(0.0, 0.0, RAIL_HEIGHT), servo_frequency_hz=frequency_hz, flex_radius=flex_radius,
        droop=droop, visual=visual,
    )  # fmt: skip
    _add_stations(spec, wafers, carrier_slots, moving, frequency_hz, visual)
    _add_walls(world)
    for name, (at, turn) in placed.items():
        add_wafer(spec, name=name, pos=at, rests=True, visual=visual).quat = turn_quat(turn)
    pair_pads(spec, placed, (*PADS, *CHUCK_PADS), timestep=timestep, friction=friction, adhesion=cup_force)
    home = dict(HOME)
    for name in moving:
        if name in LOAD_PORTS:
            home |= {f"{name}_{joint}": position for joint, position in CARRIER_OPEN.items()}
        else:
            home[f"{name}_atmosphere_gate"] = 0.070
    set_home(spec, home)
    if visual:
        efem_shapes.add_frame(spec, (INSIDE_X, INSIDE_Y), WALL, LOAD_PORTS, LOAD_LOCKS, (LOCK_SEAT, RAIL_HEIGHT))
        add_clean_room(spec, 4.2, 3.4)
        _add_view(spec)
    return spec
