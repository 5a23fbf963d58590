"""Drawn surroundings of the transfer chamber: chamber, slit valves, process modules, load locks, frame, clean room.

Heights are measured from the robot's base flange (the chamber floor) unless said otherwise; stations are built along
+x and turned into place.
"""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np

from .. import look
from ..shapes import (
    Array,
    Assembly,
    Mesh,
    add_mesh_geom,
    box,
    cylinder,
    extrude,
    extrude_ring,
    lathe,
    polygon,
    ring,
    rot_z,
    rounded_outline,
    sweep,
)

SIDES = 6
WALL, VALVE = 0.040, 0.045  # m, thickness of chamber wall and of a slit-valve body
WALL_TOP = 0.285  # m
SLIT_WIDTH, SLIT_LOW, SLIT_HIGH = 0.336, 0.150, 0.215  # m
PEDESTAL_TOP = 0.140  # m, below the transfer plane
POCKET = 0.178  # m, half-width of the station bores


def _rectangle(half: float, low: float, high: float) -> Array:
    return np.array([(-half, low), (half, low), (half, high), (-half, high)])


def _pierced_plate(
    x0: float, x1: float, half: float, low: float, high: float, slit: tuple[float, float, float], mitre: float = 1.0
) -> Mesh:
    """Plate between x0 and x1, +-half wide, with a slit (half-width, low, high); `mitre` widens its outer face."""
    plate = extrude_ring(_rectangle(half, low, high), _rectangle(*slit), x0, x1)
    y, z, x = plate.vertices.T
    y = np.where((np.abs(y) >= half - 1e-9) & (x > 0.5 * (x0 + x1)), y * mitre, y)
    return Mesh(np.stack([x, y, z], axis=1), plate.faces)


def _chamber(apothem: float, stations: Mapping[str, float]) -> Assembly:
    parts = Assembly()
    parts.add("machined_aluminium", extrude(polygon(SIDES, apothem + WALL), -0.05, -0.0005))
    facets = 2.0 * np.pi * np.arange(SIDES) / SIDES
    half, mitre = apothem * np.tan(np.pi / SIDES), (apothem + WALL) / apothem
    slit = (SLIT_WIDTH / 2 + 0.008, SLIT_LOW, SLIT_HIGH)
    for facet in facets:
        if any(abs(np.angle(np.exp(1j * (facet - s)))) < 1e-6 for s in stations.values()):
            wall = _pierced_plate(apothem, apothem + WALL, half, 0.0, WALL_TOP, slit, mitre)
        else:
            plan = np.array(
                [(apothem, -half), (apothem + WALL, -half * mitre), (apothem + WALL, half * mitre), (apothem, half)]
            )
            wall = extrude(plan, 0.0, WALL_TOP)
            parts.place(_viewport(apothem + WALL), rot=rot_z(facet))
        parts.add("machined_aluminium", wall.moved(rot=rot_z(facet)))
    rim_in, rim_out = polygon(SIDES, apothem - 0.006), polygon(SIDES, apothem + WALL + 0.018)
    parts.add("anodised", extrude_ring(rim_out, rim_in, WALL_TOP, WALL_TOP + 0.018, bevel=0.002))
    seal = extrude_ring(
        polygon(SIDES, apothem + 0.016), polygon(SIDES, apothem + 0.009), WALL_TOP + 0.018, WALL_TOP + 0.0205
    )
    parts.add("black_rubber", seal)
    bolt = cylinder(0.0065, WALL_TOP + 0.018, WALL_TOP + 0.026, edge=0.0015, segments=18)
    corners = polygon(SIDES, apothem + 0.038)
    spots = [
        a + (b - a) * t
        for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)
        for t in np.arange(0.5, 9) / 9
    ]
    parts.add("dark_steel", *(bolt.moved((x, y, 0.0)) for x, y in spots))
    parts.add("dark_steel", ring(0.158, 0.185, 0.0, 0.003, edge=0.001))
    port = Assembly()
    port.add("slit_dark", cylinder(0.075, 0.0, 0.0015))
    port.add("machined_aluminium", ring(0.075, 0.095, 0.0, 0.005, edge=0.001))
    for angle in (np.pi / 2, -np.pi / 2):  # pumping ports in the floor
        parts.place(port, (0.52 * np.cos(angle), 0.52 * np.sin(angle), 0.0))
    return parts


def _viewport(x: float) -> Assembly:
    """Bolted round window in a blank facet."""
    parts = Assembly()
    at = (x, 0.0, 0.14)
    parts.add("bright_steel", ring(0.055, 0.090, 0.0, 0.018, edge=0.002).along("x").moved(at))
    parts.add("glass", cylinder(0.056, 0.004, 0.010).along("x").moved(at))
    screw = cylinder(0.005, 0.018, 0.024, edge=0.001, segments=12)
    angle = 2.0 * np.pi * np.arange(8) / 8
    parts.add(
        "dark_steel", *(screw.moved((0.073 * np.cos(a), 0.073 * np.sin(a), 0.0)).along("x").moved(at) for a in angle)
    )
    return parts


def _slit_valve(x0: float) -> Assembly:
    """Slit valve between chamber and station, gate lowered, pneumatic actuator underneath."""
    parts = Assembly()
    slit = (SLIT_WIDTH / 2, SLIT_LOW + 0.004, SLIT_HIGH - 0.004)
    parts.add("brushed_plate", _pierced_plate(x0, x0 + VALVE, 0.235, 0.03, WALL_TOP - 0.01, slit))
    mid = x0 + VALVE / 2
    parts.add("graphite", box((0.05, 0.16, 0.20), (mid + 0.004, 0.0, -0.10), bevel=0.006))
    rods = [cylinder(0.008, -0.02, 0.04).moved((mid, s * 0.05, 0.0)) for s in (-1, 1)]
    parts.add("bright_steel", *rods, cylinder(0.035, -0.32, -0.20, edge=0.004).moved((mid + 0.004, 0.0, 0.0)))
    hose = sweep(
        [(mid + 0.03, 0.05, -0.28), (mid + 0.10, 0.06, -0.30), (mid + 0.12, 0.06, -0.45), (mid + 0.10, 0.05, -0.60)],
        0.005,
    )
    parts.add("joint_blue", hose)
    return parts


def _bore(x0: float, center: float, length: float, half: float, corner: float) -> tuple[Array, Array]:
    """U-shaped plan of a station body, open towards the valve, and the plan of its bore."""
    arc = np.linspace(-np.pi / 2, np.pi / 2, 33)
    inner = np.concatenate(
        [[[x0, -POCKET]], np.stack([center + POCKET * np.cos(arc), POCKET * np.sin(arc)], 1), [[x0, POCKET]]]
    )
    outer = rounded_outline(
        [(x0, -half), (x0 + length, -half), (x0 + length, half), (x0, half)], [0.0, corner, corner, 0.0], steps=14
    )
    return np.concatenate([outer, inner[::-1]]), inner


def _process_module(x0: float, center: float) -> Assembly:
    """Process module with its lid off: body, bore, heated pedestal with lift pins, gas box and pump below."""
    parts = Assembly()
    plan, bore = _bore(x0, center, 0.415, 0.235, 0.17)
    parts.add("machined_aluminium", extrude(plan, 0.0, WALL_TOP - 0.02, bevel=0.0))
    parts.add("susceptor", extrude(bore, -0.02, 0.035))
    top = PEDESTAL_TOP
    pedestal = lathe(
        [
            (0.0, 0.03), (0.055, 0.03), (0.055, top - 0.03), (0.15, top - 0.022), (0.160, top - 0.018),
            (0.160, top - 0.003), (0.157, top), (0.0, top),
        ]
    )  # fmt: skip
    parts.add("graphite", pedestal.moved((center, 0.0, 0.0)))
    parts.add(
        "alumina",
        ring(0.1535, 0.168, PEDESTAL_TOP - 0.006, PEDESTAL_TOP + 0.0015, edge=0.0008).moved((center, 0.0, 0.0)),
    )
    pin = cylinder(0.003, PEDESTAL_TOP - 0.01, PEDESTAL_TOP + 0.008, edge=0.001, segments=16)
    angle = np.pi + 2.0 * np.pi * np.arange(3) / 3 + np.pi / 3
    parts.add("alumina", *(pin.moved((center + 0.115 * np.cos(a), 0.115 * np.sin(a), 0.0)) for a in angle))
    parts.add("black_rubber", ring(0.1865, 0.1925, WALL_TOP - 0.02, WALL_TOP - 0.0175).moved((center, 0.0, 0.0)))
    bolt = cylinder(0.006, WALL_TOP - 0.02, WALL_TOP - 0.012, edge=0.0015, segments=18)
    spots = np.linspace(-np.pi * 0.62, np.pi * 0.62, 9)
    parts.add("dark_steel", *(bolt.moved((center + 0.212 * np.cos(a), 0.212 * np.sin(a), 0.0)) for a in spots))
    parts.add("white_enamel", box((0.36, 0.40, 0.34), (center + 0.03, 0.0, -0.23), bevel=0.012))
    parts.add("bright_steel", cylinder(0.065, -0.06, 0.0).moved((center + 0.02, 0.0, 0.0)))
    parts.add("graphite", box((0.004, 0.22, 0.12), (center + 0.212, 0.0, -0.17), bevel=0.002))
    parts.add("status_green", box((0.006, 0.03, 0.008), (center + 0.213, 0.07, -0.085)))
    parts.add("bright_steel", *_gas_line(center))
    return parts


def _gas_line(center: float) -> list[Mesh]:
    """Two bent stainless tubes from the gas box up the back of a module, with a block valve each."""
    tubes = []
    for y in (-0.075, -0.045):
        path = [
            (center + 0.215, y, -0.10),
            (center + 0.270, y, -0.08),
            (center + 0.275, y, 0.10),
            (center + 0.270, y, 0.20),
            (center + 0.235, y, 0.215),
        ]
        tubes.append(sweep(path, 0.005))
        tubes.append(box((0.022, 0.020, 0.045), (center + 0.275, y, 0.06), bevel=0.003))
    return tubes


def _load_lock(x0: float, center: float) -> Assembly:
    """Single-wafer load lock: square body, glass lid with hinges, wafer shelf, atmospheric door."""
    parts = Assembly()
    plan, bore = _bore(x0, center, 0.40, 0.225, 0.025)
    top = WALL_TOP - 0.035
    parts.add("machined_aluminium", extrude(plan, 0.0, top))
    parts.add("milled_pocket", extrude(bore, -0.02, 0.06))
    for y in (-0.128, 0.128):
        parts.add("alumina", box((0.12, 0.018, 0.10), (center, y, 0.11), bevel=0.003))
    parts.add("black_rubber", ring(0.1865, 0.1925, top, top + 0.0025).moved((center, 0.0, 0.0)))
    lid = extrude(
        rounded_outline([(x0 + 0.012, -0.210), (x0 + 0.385, -0.210), (x0 + 0.385, 0.210), (x0 + 0.012, 0.210)], 0.03),
        top + 0.003,
        top + 0.021,
        bevel=0.002,
    )
    parts.add("glass", lid)
    hinge = cylinder(0.012, -0.04, 0.04, edge=0.002, segments=32).along("y")
    parts.add("dark_steel", *(hinge.moved((x0 + 0.392, y, top + 0.012)) for y in (-0.13, 0.13)))
    for x, y in ((0.03, -0.195), (0.03, 0.195), (0.37, -0.195), (0.37, 0.195)):
        parts.add(
            "dark_steel", cylinder(0.009, top + 0.021, top + 0.030, edge=0.002, segments=24).moved((x0 + x, y, 0.0))
        )
    parts.add("brushed_plate", box((0.03, 0.44, 0.20), (x0 + 0.415, 0.0, 0.13), bevel=0.004))
    parts.add("slit_dark", box((0.004, SLIT_WIDTH, 0.05), (x0 + 0.4305, 0.0, 0.18)))
    parts.add("white_enamel", box((0.30, 0.34, 0.16), (center + 0.02, 0.0, -0.09), bevel=0.010))
    return parts


def _support(base: float, apothem: float, stations: Mapping[str, float], radius: float) -> Assembly:
    """Steel frame under the chamber, robot drive housing, turbo pumps and posts under the stations."""
    parts = Assembly()
    corners = polygon(SIDES, apothem - 0.06)
    for x, y in corners:
        parts.add("machine_grey", box((0.08, 0.08, base - 0.09), (x, y, -0.5 * base - 0.005), bevel=0.006))
        parts.add("black_rubber", cylinder(0.045, -base, -base + 0.035, edge=0.004).moved((x, y, 0.0)))
    for z in (-0.085, -base + 0.16):
        beam = extrude_ring(polygon(SIDES, apothem - 0.03), polygon(SIDES, apothem - 0.09), z - 0.035, z + 0.035)
        parts.add("machine_grey", beam)
    parts.add("cast_aluminium", cylinder(0.145, -0.46, -0.05, edge=0.008), cylinder(0.12, -0.52, -0.455, edge=0.006))
    parts.add("graphite", cylinder(0.1455, -0.30, -0.27))
    for angle in (np.pi / 2, -np.pi / 2):
        at = (0.52 * np.cos(angle), 0.52 * np.sin(angle), 0.0)
        parts.add(
            "bright_steel",
            cylinder(0.10, -0.075, -0.05, edge=0.003).moved(at),
            cylinder(0.085, -0.30, -0.075, edge=0.006).moved(at),
        )
        parts.add("joint_blue", cylinder(0.087, -0.22, -0.19).moved(at))
        parts.add("graphite", cylinder(0.055, -0.36, -0.30, edge=0.004).moved(at))
    post = Assembly()
    post.add(
        "machine_grey",
        *(box((0.06, 0.06, base - 0.40), (radius + 0.02, y, -0.5 * (base + 0.40)), bevel=0.005) for y in (-0.13, 0.13)),
    )
    post.add(
        "black_rubber",
        *(cylinder(0.035, -base, -base + 0.03, edge=0.004).moved((radius + 0.02, y, 0.0)) for y in (-0.13, 0.13)),
    )
    for name, theta in stations.items():
        if name.startswith("process"):
            parts.place(post, rot=rot_z(theta))
    return parts


def _add_room(spec: mujoco.MjSpec, world: mujoco.MjsBody) -> None:
    world.add_geom(
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[6.0, 6.0, 0.1],
        material=look.material(spec, "clean_floor"), contype=0, conaffinity=0, group=look.GROUP_SCENE,
    )  # fmt: skip
    room = Assembly()
    for k in range(9):
        y = -4.8 + 1.2 * k
        room.add("machined_aluminium", box((0.05, 0.05, 3.2), (3.02, y, 1.6)), box((0.05, 0.05, 3.2), (y, 3.02, 1.6)))
    for z in (0.10, 1.05, 2.25):
        room.add("machined_aluminium", box((0.05, 9.6, 0.05), (3.02, 0.0, z)), box((9.6, 0.05, 0.05), (0.0, 3.02, z)))
    room.build(spec, world, "room", look.GROUP_SCENE)
    for name, size, pos, finish in (
        ("wall_x", (0.08, 9.6, 3.2), (3.09, 0.0, 1.6), "clean_wall"),
        ("wall_y", (9.6, 0.08, 3.2), (0.0, 3.09, 1.6), "clean_wall"),
        ("window_x", (0.012, 9.6, 1.2), (3.045, 0.0, 1.65), "window"),
        ("window_y", (9.6, 0.012, 1.2), (0.0, 3.045, 1.65), "window"),
    ):
        world.add_geom(
            name=name, type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.5 * s for s in size], pos=pos, contype=0, conaffinity=0,
            material=look.material(spec, finish), mass=0.0, group=look.GROUP_SCENE,
        )  # fmt: skip


def add_scene(
    spec: mujoco.MjSpec, base: float, apothem: float, station_radius: float, stations: Mapping[str, float]
) -> None:
    """Add everything around the robot that is only seen.

    Args:
        spec: specification to extend.
        base: height of the chamber floor above the clean-room floor, m.
        apothem: inner radius of the hexagonal chamber, m.
        station_radius: robot axis to station centres, m.
        stations: direction of each station, rad; process modules and load locks are told apart by name.
    """
    world = spec.worldbody
    tool = Assembly()
    tool.place(_chamber(apothem, stations))
    tool.place(_support(base, apothem, stations, station_radius))
    x0 = apothem + WALL
    valve, module, lock = (
        _slit_valve(x0),
        _process_module(x0 + VALVE, station_radius),
        _load_lock(x0 + VALVE, station_radius),
    )
    for name, theta in stations.items():
        tool.place(valve, rot=rot_z(theta))
        tool.place(module if name.startswith("process") else lock, rot=rot_z(theta))
    placed = Assembly()
    placed.place(tool, (0.0, 0.0, base))
    placed.build(spec, world, "chamber")
    plan = polygon(SIDES, apothem + 0.01)
    plate = extrude(plan, base - 0.0005, base)
    texcoord = plate.vertices[:, :2] / (2.0 * np.max(np.abs(plan))) + 0.5
    add_mesh_geom(spec, world, "chamber_floor", plate, look.material(spec, "chamber_floor"), texcoord=texcoord)
    _add_room(spec, world)
