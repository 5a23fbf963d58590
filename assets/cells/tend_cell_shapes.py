"""Drawn parts of the machine-tending cell: blanks, their tray, the milling machine around the vise, and its door."""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..shapes import Assembly, Mesh, box, cylinder, extrude_ring, lathe, sweep

Size = tuple[float, float, float]

DEPTH = 0.78  # m, of the machine behind its door
CABIN_BACK = 0.52  # m, rear wall of the working space
BEHIND = 3  # blanks that wait in the tray, out of the robot's way


def _blank(size: Size) -> Assembly:
    """A sawn blank: faces as drawn, end faces with the saw's marks, and a punched mark."""
    x, y, z = size
    parts = Assembly()
    parts.add("machined_aluminium", box((x, y - 0.0008, z), (0.0, 0.0, 0.5 * z), bevel=0.0008))
    for side in (-1.0, 1.0):
        for k in range(7):
            place = (0.0, side * (0.5 * y - 0.0002), 0.004 + k * (z - 0.008) / 6.0)
            parts.add("milled_pocket", box((x - 0.003, 0.0006, 0.0022), place))
    parts.add("slit_dark", cylinder(0.0022, z - 0.001, z + 0.0001).moved((0.3 * x, 0.34 * y, 0.0)))
    return parts


def add_blank(spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str, size: Size) -> None:
    """Draw a blank on its body."""
    _blank(size).build(spec, body, name, look.GROUP_PART)


def add_tray(spec: mujoco.MjSpec, body: mujoco.MjsBody, size: Size, floor: float, part: Size) -> None:
    """Draw the tray, its frame in the middle of the floor; a magazine behind it to the right holds further blanks."""
    x, y, rim = size
    t, parts = 0.005, Assembly()
    parts.add("joint_blue", box((x + 2 * t, y + 2 * t, floor - 0.004), (0.0, 0.0, -0.5 * (floor - 0.004)), bevel=0.001))
    parts.add("graphite", box((x - 0.002, y - 0.002, 0.0012), (0.0, 0.0, -0.0007)))
    for side in (-1.0, 1.0):
        parts.add("joint_blue", box((t, y + 2 * t, rim + 0.004), (side * 0.5 * (x + t), 0.0, 0.5 * rim), bevel=0.001))
        parts.add("joint_blue", box((x, t, rim + 0.004), (0.0, side * 0.5 * (y + t), 0.5 * rim), bevel=0.001))
    # magazine: a second tray at the right end, in which the next blanks stand in nests
    pitch, away = part[1] + 0.022, -0.5 * y - 0.020
    long = BEHIND * pitch + 0.012
    middle = away - 0.5 * long
    parts.add("brushed_plate", box((x + 2 * t, long, 0.010), (0.0, middle, -floor + 0.005), bevel=0.001))
    for k in range(BEHIND):
        place = away - 0.006 - (k + 0.5) * pitch
        for column in (-1.0, 1.0):
            at = (column * 0.027, place, -floor + 0.010)
            parts.place(_blank(part), at)
            for side in (-1.0, 1.0):
                parts.add("anodised", box((0.030, 0.004, 0.012), (at[0], place + side * 0.0285, at[2] + 0.006)))
    for cx in (-1.0, 1.0):
        screw = cylinder(0.005, -floor + 0.010, -floor + 0.015, segments=6)
        parts.add("dark_steel", screw.moved((cx * 0.045, away - 0.006, 0.0)))
    parts.build(spec, body, "tray", look.GROUP_MACHINE)


def _spindle() -> Assembly:
    """Spindle head with a holder and an end mill, its nose at the origin."""
    parts = Assembly()
    parts.add("white_enamel", box((0.20, 0.20, 0.30), (0.05, 0.0, 0.25), bevel=0.012))
    parts.add("graphite", cylinder(0.055, 0.03, 0.11, edge=0.004))
    parts.add("bright_steel", cylinder(0.042, 0.0, 0.03, edge=0.003))
    holder = lathe([(0.0, -0.075), (0.014, -0.075), (0.016, -0.03), (0.026, -0.022), (0.026, 0.0), (0.0, 0.0)])
    parts.add("dark_steel", holder)
    parts.add("brass", cylinder(0.006, -0.135, -0.075, segments=24))
    for side in (-1.0, 1.0):
        hose = [(0.0, side * 0.06, 0.06), (-0.03, side * 0.065, 0.0), (-0.03, side * 0.04, -0.06)]
        parts.add("joint_blue", sweep(np.array(hose), 0.006))
    return parts


def _cabin(front: tuple[float, float], top: float, base: float) -> Assembly:
    """Walls of the working space, its floor with the table, and the housing around it."""
    right, left = front
    middle, wide = 0.5 * (right + left), left - right
    parts = Assembly()
    outer = top + 0.34
    # housing: base below the table's height, sides, back and roof
    parts.add("white_enamel", box((DEPTH, wide, base - 0.012), (0.03 + 0.5 * DEPTH, middle, -0.5 * base - 0.006), 0.01))
    for side in (right + 0.02, left - 0.02):
        parts.add("white_enamel", box((DEPTH - 0.02, 0.04, outer), (0.03 + 0.5 * DEPTH, side, 0.5 * outer), bevel=0.01))
    parts.add("white_enamel", box((0.10, wide - 0.082, outer - 0.01), (DEPTH - 0.03, middle, 0.5 * outer), bevel=0.004))
    parts.add("white_enamel", box((0.30, wide, 0.04), (DEPTH - 0.12, middle, outer), bevel=0.01))
    # working space
    for side in (right + 0.045, left - 0.045):
        parts.add("machine_grey", box((CABIN_BACK, 0.008, top), (0.02 + 0.5 * CABIN_BACK, side, 0.5 * top)))
    parts.add("machine_grey", box((0.008, wide - 0.08, top), (CABIN_BACK + 0.02, middle, 0.5 * top)))
    for k in range(9):  # folds of the cover behind the table
        parts.add("milled_pocket", box((0.012, wide - 0.10, 0.012), (CABIN_BACK + 0.012, middle, 0.10 + 0.075 * k)))
    # floor of the cabin over the cell's table, and the machine's table with its T-slots
    parts.add("machine_grey", box((CABIN_BACK, wide - 0.08, 0.0012), (0.022 + 0.5 * CABIN_BACK, middle, 0.0006)))
    parts.add("brushed_plate", box((0.34, 0.62, 0.0016), (0.215, 0.0, 0.0016)))
    for k in range(5):
        parts.add("slit_dark", box((0.012, 0.618, 0.0006), (0.09 + 0.062 * k, 0.0, 0.0025)))
    for side in (-1.0, 1.0):  # chip channels beside it
        parts.add("graphite", box((0.40, 0.05, 0.0008), (0.235, side * 0.345, 0.0016)))
    return parts


def add_machine(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, base: float, front: tuple[float, float], opening: Size, vise: float
) -> None:
    """Draw the machine, its frame on the table in the door's plane before the vise.

    Args:
        spec, body: specification and body.
        base: height of the table over the floor, m.
        front: ends of its front along y, m.
        opening: half width, lower and upper edge of the opening, m.
        vise: how far the vise is behind the door, m.
    """
    (right, left), (half, sill, top) = front, opening
    parts = _cabin(front, top, base)
    face = 0.017
    for low, high in ((right, -half), (half, left)):
        wide, middle = high - low, 0.5 * (low + high)
        parts.add("white_enamel", box((0.014, wide, top), (face, middle, 0.5 * top), bevel=0.003))
    parts.add("white_enamel", box((0.030, left - right, 0.24), (0.026, 0.5 * (left + right), top + 0.12), bevel=0.006))
    parts.add("joint_blue", box((0.004, left - right - 0.06, 0.05), (0.010, 0.5 * (left + right), top + 0.16)))
    parts.add("graphite", box((0.022, 2.0 * half, sill), (0.004, 0.0, 0.5 * sill), bevel=0.002))
    parts.add("safety_yellow", box((0.003, 2.0 * half - 0.02, 0.012), (-0.0085, 0.0, sill - 0.010)))
    # rails of the door above and below
    for z in (sill - 0.001, top + 0.006):
        parts.add("bright_steel", box((0.010, left + half, 0.008), (0.001, 0.5 * (left - half), z)))
    # operator panel on the right front, lamp on top
    parts.add("graphite", box((0.030, 0.115, 0.22), (-0.004, right + 0.075, 0.56), bevel=0.005))
    parts.add("screen", box((0.003, 0.090, 0.075), (-0.0198, right + 0.075, 0.61)))
    for row in range(4):
        for column in range(4):
            key = (-0.0195, right + 0.042 + 0.022 * column, 0.472 + 0.022 * row)
            parts.add("white_enamel", box((0.004, 0.014, 0.014), key))
    stop = cylinder(0.012, 0.0, 0.014, edge=0.003).along("-x")
    parts.add("status_red", stop.moved((-0.019, right + 0.036, 0.565)))
    parts.place(_lamp(), (0.30, right + 0.10, top + 0.36))
    parts.place(_spindle(), (vise + 0.16, 0.0, 0.50))
    parts.add("machine_grey", box((0.16, 0.24, 0.55), (CABIN_BACK - 0.07, 0.0, 0.55), bevel=0.01))
    parts.build(spec, body, "machine", look.GROUP_MACHINE)


def _lamp() -> Assembly:
    parts = Assembly()
    parts.add("bright_steel", cylinder(0.010, -0.02, 0.05))
    for k, finish in enumerate(("status_green", "status_amber", "status_red")):
        parts.add(finish, cylinder(0.024, 0.05 + 0.045 * k, 0.092 + 0.045 * k, edge=0.003))
    parts.add("graphite", cylinder(0.024, 0.185, 0.20, edge=0.003))
    return parts


def _frame(width: float, height: float, border: float, x0: float, x1: float) -> Mesh:
    """Frame of a window, across x."""
    o = np.array([(-width / 2, 0.0), (width / 2, 0.0), (width / 2, height), (-width / 2, height)])
    i = np.array(
        [(-width / 2 + border, border), (width / 2 - border, border), (width / 2 - border, height - border),
         (-width / 2 + border, height - border)]
    )  # fmt: skip
    turned = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    return extrude_ring(o, i, x0, x1, bevel=0.001).moved(rot=turned)


def add_door(spec: mujoco.MjSpec, body: mujoco.MjsBody, size: Size) -> None:
    """Draw the door on its body: a sheet-metal frame, a window, a handle and the tongue of its switch."""
    t, width, height = size
    parts = Assembly()
    parts.add("joint_blue", _frame(width, height, 0.055, -0.5 * t, 0.5 * t).moved((0.0, 0.0, 0.004)))
    parts.add("black_rubber", _frame(width - 0.10, height - 0.10, 0.008, -0.004, 0.004).moved((0.0, 0.0, 0.054)))
    parts.add("guard_panel", box((0.005, width - 0.11, height - 0.11), (0.0, 0.0, 0.5 * height + 0.004)))
    grip = cylinder(0.008, 0.0, 0.20, edge=0.002).moved((-0.040, -0.5 * width + 0.028, 0.32))
    parts.add("bright_steel", grip)
    for z in (0.335, 0.505):
        parts.add("bright_steel", cylinder(0.006, 0.0, 0.040).along("-x").moved((0.0, -0.5 * width + 0.028, z)))
    parts.add("safety_yellow", box((0.010, 0.030, 0.018), (-0.012, -0.5 * width + 0.03, height - 0.05), bevel=0.002))
    parts.build(spec, body, "door", look.GROUP_MACHINE)
