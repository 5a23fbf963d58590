"""Drawn transfer chamber of the cluster tool: hexagonal body with slits, viewports, beams, drive, pump and frame."""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np

from .. import look
from ..fixtures.finishes import add_finishes
from ..fixtures.load_port_shapes import plate_with_window
from ..shapes import (
    Array,
    Assembly,
    add_mesh_geom,
    box,
    cylinder,
    extrude,
    extrude_ring,
    polygon,
    ring,
    rot_z,
)

SIDES, TURN = 6, np.pi / 6  # the facets look at 30, 90, ... degrees
WALL_TOP = 0.330  # m above the chamber floor
SLIT_HALF, SLIT_HALF_HEIGHT = 0.176, 0.036  # m, opening in the wall, wider than that of the valve


def _hexagon(apothem: float) -> Array:
    return polygon(SIDES, apothem, TURN)


def _walls(apothem: float, wall: float, stations: Mapping[str, float], slit: float) -> Assembly:
    """Six facets; those with a station have an opening at height `slit` above the floor, the others a viewport."""
    parts = Assembly()
    half = apothem * np.tan(np.pi / SIDES)
    mitre = (apothem + wall) / apothem
    for k in range(SIDES):
        facet = TURN + 2.0 * np.pi * k / SIDES
        at = Assembly()
        if any(np.cos(facet - theta) > 0.999 for theta in stations.values()):
            window = (-SLIT_HALF, SLIT_HALF, slit - SLIT_HALF_HEIGHT, slit + SLIT_HALF_HEIGHT)
            plate = plate_with_window((apothem, apothem + wall), (-half, half, 0.0, WALL_TOP), window, 0.003)
            at.add("machined_aluminium", plate)
        else:
            plan = [(apothem, -half), (apothem + wall, -half * mitre), (apothem + wall, half * mitre), (apothem, half)]
            at.add("machined_aluminium", extrude(np.array(plan), 0.0, WALL_TOP))
            centre = (apothem + wall, 0.0, 0.17)
            at.add("bright_steel", ring(0.055, 0.090, 0.0, 0.018, edge=0.002).along("x").moved(centre))
            at.add("glass", cylinder(0.056, 0.004, 0.010).along("x").moved(centre))
        parts.place(at, rot=rot_z(facet))
        # The corner between this facet and the next.
        corner = rot_z(facet + np.pi / SIDES)
        tip = apothem / np.cos(np.pi / SIDES)
        lean = np.array([np.cos(np.pi / SIDES), np.sin(np.pi / SIDES)])
        wedge = np.array(
            [(tip, 0.0), tip * np.array([1.0, 0.0]) + wall * lean * np.array([1.0, -1.0]),
             (tip + wall / np.cos(np.pi / SIDES), 0.0), tip * np.array([1.0, 0.0]) + wall * lean]
        )  # fmt: skip
        parts.add("machined_aluminium", extrude(wedge, 0.0, WALL_TOP).moved(rot=corner))
    return parts


def _rim(apothem: float, wall: float) -> Assembly:
    parts = Assembly()
    parts.add(
        "anodised",
        extrude_ring(
            _hexagon(apothem + wall + 0.012), _hexagon(apothem - 0.006), WALL_TOP, WALL_TOP + 0.018, bevel=0.002
        ),
    )
    parts.add(
        "black_rubber",
        extrude_ring(_hexagon(apothem + 0.016), _hexagon(apothem + 0.009), WALL_TOP + 0.018, WALL_TOP + 0.0205),
    )
    bolt = cylinder(0.0065, WALL_TOP + 0.018, WALL_TOP + 0.026, edge=0.0015, segments=18)
    corners = _hexagon(apothem + 0.036)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        spots = [a + (b - a) * t for t in np.arange(0.5, 9) / 9]
        parts.add("dark_steel", *(bolt.moved((x, y, 0.0)) for x, y in spots))
    return parts


def _floor_ports(apothem: float, wall: float) -> Assembly:
    parts = Assembly()
    parts.add("machined_aluminium", extrude(_hexagon(apothem + wall), -0.05, -0.0005))
    parts.add("dark_steel", ring(0.176, 0.196, 0.0, 0.003, edge=0.001))
    for angle in (0.0, np.pi):  # pumping ports
        at = (0.56 * np.cos(angle), 0.56 * np.sin(angle), 0.0)
        parts.add("slit_dark", cylinder(0.075, 0.0, 0.0015).moved(at))
        parts.add("machined_aluminium", ring(0.075, 0.095, 0.0, 0.005, edge=0.001).moved(at))
        parts.add(
            "bright_steel",
            cylinder(0.10, -0.075, -0.05, edge=0.003).moved(at),
            cylinder(0.085, -0.30, -0.075, edge=0.006).moved(at),
        )
        parts.add("joint_blue", cylinder(0.087, -0.22, -0.19).moved(at))
    return parts


def _beams(stations: Mapping[str, float], beam: tuple[float, float]) -> Assembly:
    """Sight glasses in the floor where the beams in front of each valve leave the chamber."""
    parts = Assembly()
    for theta in stations.values():
        one = Assembly()
        for side in (-1.0, 1.0):
            at = (beam[0], side * beam[1], 0.0)
            one.add("bright_steel", ring(0.007, 0.015, 0.0, 0.006, edge=0.001, segments=32).moved(at))
            one.add("ruby", cylinder(0.007, 0.0, 0.004, segments=24).moved(at))
        parts.place(one, rot=rot_z(theta))
    return parts


def _support(base: float, apothem: float) -> Assembly:
    parts = Assembly()
    for x, y in _hexagon(apothem - 0.06):
        parts.add("machine_grey", box((0.08, 0.08, base - 0.09), (x, y, -0.5 * base - 0.005), bevel=0.006))
        parts.add("black_rubber", cylinder(0.045, -base, -base + 0.035, edge=0.004).moved((x, y, 0.0)))
    for z in (-0.085, -base + 0.16):
        parts.add(
            "machine_grey", extrude_ring(_hexagon(apothem - 0.03), _hexagon(apothem - 0.09), z - 0.035, z + 0.035)
        )
    parts.add("cast_aluminium", cylinder(0.165, -0.46, -0.05, edge=0.008), cylinder(0.13, -0.54, -0.455, edge=0.006))
    parts.add("graphite", cylinder(0.1655, -0.30, -0.27))
    return parts


def add_chamber(
    spec: mujoco.MjSpec,
    base: float,
    size: tuple[float, float],
    stations: Mapping[str, float],
    handoff: float,
    beam: tuple[float, float],
) -> None:
    """Draw the chamber without a lid.

    Args:
        spec: specification to extend.
        base: height of the chamber floor above the clean-room floor, m.
        size: inner radius of the hexagon and thickness of its walls, m.
        stations: direction of each station, rad.
        handoff: height of the transfer plane above the clean-room floor, m.
        beam: distance of the beams from the axis and from the way of the wafer, m.
    """
    add_finishes(spec)
    apothem, wall = size
    tool = Assembly()
    for part in (
        _walls(apothem, wall, stations, handoff - base), _rim(apothem, wall), _floor_ports(apothem, wall),
        _beams(stations, beam), _support(base, apothem),
    ):  # fmt: skip
        tool.place(part, (0.0, 0.0, base))
    tool.build(spec, spec.worldbody, "chamber", look.GROUP_MACHINE)
    plan = _hexagon(apothem + 0.01)
    plate = extrude(plan, base - 0.0005, base)
    texcoord = plate.vertices[:, :2] / (2.0 * np.max(np.abs(plan))) + 0.5
    add_mesh_geom(spec, spec.worldbody, "chamber_floor", plate, look.material(spec, "chamber_floor"), texcoord=texcoord)
