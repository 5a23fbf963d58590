"""Drawn frame of the front end: base, posts, panels, windows, service door, fan filter unit, signal tower."""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np

from .. import look
from ..fixtures.finishes import add_finishes
from ..fixtures.load_lock import SLIT_MIDDLE
from ..fixtures.load_port import LOAD_HEIGHT, PITCH
from ..fixtures.slit_valve import SLIT_HEIGHT, SLIT_WIDTH
from ..shapes import Array, Assembly, Mesh, box, cylinder, extrude_ring

HEIGHT = 2.10  # m, floor to the fan filter unit
FAN_HEIGHT = 0.36  # m
PANEL_TOP = LOAD_HEIGHT + 0.405  # m, top of the panels of the load ports
POST = 0.05  # m

Ranges = tuple[tuple[float, float], tuple[float, float]]


def _wall_with_window(
    x: tuple[float, float], z: tuple[float, float], window: tuple[float, float, float, float], y: tuple[float, float]
) -> Mesh:
    """Plate in the x-z plane between the planes y[0] and y[1] with a window (x0, x1, z0, z1), m."""

    def outline(x0: float, x1: float, z0: float, z1: float) -> Array:
        return np.array([(x0, z0), (x1, z0), (x1, z1), (x0, z1)])

    plate = extrude_ring(outline(*x, *z), outline(*window), -y[1], -y[0])
    a, b, c = plate.vertices.T
    return Mesh(np.stack([a, -c, b], axis=1), plate.faces)


def _base(inside: Ranges, rail: float) -> Assembly:
    (x0, x1), (y0, y1) = inside
    mx, my = 0.5 * (x0 + x1), 0.5 * (y0 + y1)
    parts = Assembly()
    parts.add(
        "machined_aluminium",
        box((x1 - x0 + 0.05, y1 - y0 + 0.05, rail - 0.013), (mx, my, 0.013 + 0.5 * (rail - 0.013))),
    )
    for x in (x0 + 0.1, mx, x1 - 0.1):
        for y in (y0 + 0.06, y1 - 0.06):
            parts.add("black_rubber", cylinder(0.04, 0.0, 0.013).moved((x, y, 0.0)))
    return parts


def _posts(inside: Ranges, wall: float) -> Assembly:
    (x0, x1), (y0, y1) = inside
    parts = Assembly()
    for x in (x0 - wall / 2, x1 + wall / 2):
        for y in (y0 - wall / 2, y1 + wall / 2):
            parts.add("machined_aluminium", box((POST, POST, HEIGHT - 0.02), (x, y, 0.5 * HEIGHT), bevel=0.004))
    for y in (y0 - wall / 2, y1 + wall / 2):
        parts.add("machined_aluminium", box((x1 - x0, POST, POST), (0.5 * (x0 + x1), y, HEIGHT - 0.025), bevel=0.004))
    for x in (x0 - wall / 2, x1 + wall / 2):
        parts.add("machined_aluminium", box((POST, y1 - y0, POST), (x, 0.5 * (y0 + y1), HEIGHT - 0.025), bevel=0.004))
    return parts


def _front(inside: Ranges, wall: float, ports: Mapping[str, float]) -> Assembly:
    """Operator side: load-port panels are there; blank panels beside them, a window above, a screen."""
    (x0, x1), (y0, _) = inside
    left, right = min(ports.values()) - PITCH / 2, max(ports.values()) + PITCH / 2
    y = y0 - wall / 2
    parts = Assembly()
    for a, b in ((x0, left), (right, x1)):
        parts.add(
            "cabinet", box((b - a, wall, PANEL_TOP - 0.02), (0.5 * (a + b), y, 0.5 * PANEL_TOP + 0.01), bevel=0.003)
        )
    outer_y = (y0 - wall, y0)
    high = HEIGHT - POST
    parts.add(
        "cabinet",
        _wall_with_window((x0, x1), (PANEL_TOP, high), (x0 + 0.12, x1 - 0.12, PANEL_TOP + 0.07, high - 0.07), outer_y),
    )
    for x in (left + 0.02, right - 0.02):
        parts.add("cabinet", box((0.05, wall, high - PANEL_TOP - 0.1), (x, y, 0.5 * (high + PANEL_TOP))))
    # Screen with keyboard tray on the right panel, emergency stop below.
    x, front = 0.5 * (right + x1), y0 - wall
    parts.add("cabinet_dark", box((0.36, 0.030, 0.26), (x, front - 0.035, 1.36), bevel=0.006))
    parts.add("screen", box((0.33, 0.004, 0.225), (x, front - 0.051, 1.365)))
    for k, (w, z) in enumerate(((0.10, 1.45), (0.14, 1.42), (0.08, 1.39), (0.12, 1.36))):
        parts.add("display", box((w, 0.002, 0.010), (x - 0.15 + 0.5 * w, front - 0.0535, z - 0.01)))
        parts.add("status_green", box((0.016, 0.002, 0.010), (x + 0.12, front - 0.0535, 1.44 - 0.03 * k)))
    parts.add("cabinet_dark", box((0.05, 0.04, 0.12), (x, front - 0.02, 1.20), bevel=0.004))
    parts.add("cabinet_dark", box((0.36, 0.15, 0.018), (x, front - 0.085, 1.11), bevel=0.005))
    parts.add("safety_yellow", box((0.07, 0.03, 0.07), (x + 0.10, front - 0.015, 0.98), bevel=0.004))
    parts.add("status_red", cylinder(0.020, 0.0, 0.028, edge=0.004).along("-y").moved((x + 0.10, front - 0.028, 0.98)))
    return parts


def _rear(inside: Ranges, wall: float, locks: Mapping[str, float], seat: float) -> Assembly:
    (x0, x1), (_, y1) = inside
    parts = Assembly()
    middle = seat + SLIT_MIDDLE
    w, h = SLIT_WIDTH / 2 + 0.006, SLIT_HEIGHT / 2 + 0.006
    low, high, y = middle - 0.20, middle + 0.20, (y1, y1 + wall)
    edges = sorted(locks.values())
    bounds = [edges[0] - 0.28, 0.5 * (edges[0] + edges[1]), edges[1] + 0.28]
    for k, x in enumerate(edges):
        parts.add(
            "cabinet",
            _wall_with_window((bounds[k], bounds[k + 1]), (low, high), (x - w, x + w, middle - h, middle + h), y),
        )
    for a, b in ((x0, bounds[0]), (bounds[-1], x1)):
        parts.add("cabinet", box((b - a, wall, high - low), (0.5 * (a + b), y1 + wall / 2, middle)))
    mx, top = 0.5 * (x0 + x1), HEIGHT - POST
    parts.add("cabinet", box((x1 - x0, wall, low - 0.02), (mx, y1 + wall / 2, 0.5 * low + 0.01)))
    parts.add("cabinet", box((x1 - x0, wall, top - high), (mx, y1 + wall / 2, 0.5 * (top + high))))
    # Cable duct and exhaust slots at the foot of the wall, seen through the windows.
    parts.add("machined_aluminium", box((x1 - x0 - 0.2, 0.05, 0.09), (mx, y1 - 0.025, 0.62), bevel=0.004))
    slots = [
        box((0.14, 0.004, 0.008), (x, y1 - 0.001, 0.20 + 0.03 * k))
        for x in np.arange(x0 + 0.2, x1, 0.3)
        for k in range(6)
    ]
    parts.add("slit_dark", *slots)
    return parts


def _sides(inside: Ranges, wall: float) -> Assembly:
    """End walls; the left one is a service door with a window, hinges and a handle."""
    (x0, x1), (y0, y1) = inside
    parts = Assembly()
    top = HEIGHT - POST
    plate = _wall_with_window((y0, y1), (0.03, top), (y0 + 0.14, y1 - 0.14, 1.00, top - 0.16), (0.0, wall))
    for x in (x0 - wall, x1):
        turned = np.stack([plate.vertices[:, 1] + x, plate.vertices[:, 0], plate.vertices[:, 2]], axis=1)
        parts.add("cabinet", Mesh(turned, plate.faces[:, ::-1]))
    x = x0 - wall
    parts.add("graphite", box((0.030, 0.030, 0.16), (x - 0.014, y0 + 0.07, 1.00), bevel=0.005))
    hinge = cylinder(0.012, -0.05, 0.05, edge=0.002, segments=24)
    parts.add("dark_steel", *(hinge.moved((x - 0.004, y1 - 0.03, z)) for z in (0.35, 1.05, 1.75)))
    parts.add("safety_yellow", box((0.003, 0.09, 0.07), (x - 0.001, y0 + 0.07, 1.25)))
    return parts


def _fan_filter(inside: Ranges, wall: float) -> Assembly:
    (x0, x1), (y0, y1) = inside
    parts = Assembly()
    mx, my = 0.5 * (x0 + x1), 0.5 * (y0 + y1)
    width, depth = x1 - x0 + 2 * wall, y1 - y0 + 2 * wall
    parts.add(
        "cabinet",
        box(
            (width + 0.02, depth + 0.02, FAN_HEIGHT - 0.06),
            (mx, my, HEIGHT + 0.06 + 0.5 * (FAN_HEIGHT - 0.06)),
            bevel=0.012,
        ),
    )
    parts.add("cabinet_dark", box((width, depth, 0.06), (mx, my, HEIGHT + 0.03)))
    # Filter media and lamps, seen from inside.
    parts.add("white_enamel", box((x1 - x0 - 0.04, y1 - y0 - 0.16, 0.012), (mx, my, HEIGHT - 0.012)))
    parts.add(
        "machined_aluminium",
        *(box((0.020, y1 - y0 - 0.16, 0.006), (x, my, HEIGHT - 0.021)) for x in np.linspace(x0 + 0.05, x1 - 0.05, 6)),
    )
    parts.add(
        "lamp",
        *(box((x1 - x0 - 0.10, 0.045, 0.020), (mx, y, HEIGHT - 0.020), bevel=0.004) for y in (y0 + 0.05, y1 - 0.05)),
    )
    for k in range(3):  # fans with grilles on the roof, labels on the front
        x = mx + (k - 1) * width / 3
        parts.add(
            "graphite", cylinder(0.22, HEIGHT + FAN_HEIGHT, HEIGHT + FAN_HEIGHT + 0.015, edge=0.003).moved((x, my, 0.0))
        )
        grille = [box((0.60, 0.004, 0.010), (x, y0 - wall - 0.011, HEIGHT + 0.12 + 0.025 * i)) for i in range(6)]
        parts.add("slit_dark", *grille)
    x = x1 - 0.10  # signal tower
    base = HEIGHT + FAN_HEIGHT
    parts.add("bright_steel", cylinder(0.012, base, base + 0.08).moved((x, y0 + 0.08, 0.0)))
    for k, finish in enumerate(("status_green", "status_amber", "status_red")):
        low = base + 0.08 + 0.062 * k
        parts.add(finish, cylinder(0.030, low, low + 0.055, edge=0.003).moved((x, y0 + 0.08, 0.0)))
        parts.add("graphite", cylinder(0.031, low + 0.055, low + 0.062).moved((x, y0 + 0.08, 0.0)))
    return parts


def _glass(inside: Ranges, wall: float) -> Assembly:
    (x0, x1), (y0, y1) = inside
    high = HEIGHT - POST
    parts = Assembly()
    parts.add(
        "acrylic",
        box((x1 - x0 - 0.2, 0.008, high - PANEL_TOP - 0.1), (0.5 * (x0 + x1), y0 - wall / 2, 0.5 * (high + PANEL_TOP))),
    )
    for x in (x0 - wall / 2, x1 + wall / 2):
        parts.add("acrylic", box((0.008, y1 - y0 - 0.26, high - 1.14), (x, 0.5 * (y0 + y1), 0.5 * (high + 0.84))))
    return parts


def add_frame(
    spec: mujoco.MjSpec,
    inside: Ranges,
    wall: float,
    ports: Mapping[str, float],
    locks: Mapping[str, float],
    heights: tuple[float, float],
) -> None:
    """Draw the enclosure.

    Args:
        spec: specification to extend.
        inside: x and y range of the clean space, m.
        wall: thickness of the panels, m.
        ports: x of each load port, m.
        locks: x of each load lock, m.
        heights: seat of the load locks and underside of the rail above the floor, m.
    """
    add_finishes(spec)
    seat, rail = heights
    frame = Assembly()
    for part in (
        _base(inside, rail), _posts(inside, wall), _front(inside, wall, ports), _rear(inside, wall, locks, seat),
        _sides(inside, wall), _fan_filter(inside, wall),
    ):  # fmt: skip
        frame.place(part)
    frame.build(spec, spec.worldbody, "efem", look.GROUP_MACHINE)
    _glass(inside, wall).build(spec, spec.worldbody, "efem_glass", look.GROUP_MACHINE)
