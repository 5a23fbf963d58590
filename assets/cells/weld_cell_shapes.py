"""Drawn surroundings of the welding cell: room, pedestal, welding table with clamps, fume hood, curtains, controller.

Curtains and windows are tinted like the plastics and glasses that keep the light of the arc in.
"""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..fixtures.weld_finishes import add_finishes
from ..shapes import Assembly, Mesh, box, cylinder, extrude, join, lathe, rot_z, rounded_outline, sweep

# Guard fence behind and to the left, curtains to the right (m).
FENCE_X, FENCE_Y, PITCH = -1.45, 1.75, 1.10
TABLE = ((0.95, 0.0), (0.90, 1.20), 0.70)  # middle, depth and width, height (m)


def _slab(
    body: mujoco.MjsBody, name: str, size: tuple[float, float, float], pos: tuple[float, float, float], material: str,
    group: int = look.GROUP_SCENE,
) -> None:  # fmt: skip
    """Box of full edge lengths `size`; a primitive, because only those can carry reflections and uniform textures."""
    body.add_geom(
        name=name, type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.5 * s for s in size], pos=pos, material=material,
        contype=0, conaffinity=0, mass=0.0, group=group,
    )  # fmt: skip


def _add_room(spec: mujoco.MjSpec, world: mujoco.MjsBody) -> None:
    world.add_geom(
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[6.0, 6.0, 0.1], contype=0, conaffinity=0,
        material=look.material(spec, "epoxy_floor"), group=look.GROUP_SCENE,
    )  # fmt: skip
    wall, dado = look.material(spec, "workshop_wall"), look.material(spec, "wall_dado")
    _slab(world, "wall_back", (0.1, 12.0, 4.0), (-3.4, 0.0, 2.0), wall)
    _slab(world, "wall_back_dado", (0.1, 12.0, 1.1), (-3.385, 0.0, 0.55), dado)
    _slab(world, "wall_left", (12.0, 0.1, 4.0), (0.0, 3.6, 2.0), wall)
    _slab(world, "wall_left_dado", (12.0, 0.1, 1.1), (0.0, 3.585, 0.55), dado)
    line = look.material(spec, "safety_yellow")
    for name, size, pos in (
        ("line_front", (0.08, 3.40, 0.002), (1.95, 0.0, 0.001)),
        ("line_right", (3.30, 0.08, 0.002), (0.34, -1.66, 0.001)),
    ):
        _slab(world, name, size, pos, line)


def _pedestal(height: float = 0.35) -> Assembly:
    parts = Assembly()
    parts.add("machine_grey", box((0.34, 0.34, height - 0.04), (0.0, 0.0, 0.5 * height), bevel=0.012))
    foot, head = (
        box((0.62, 0.62, 0.025), (0.0, 0.0, 0.0125), bevel=0.004),
        box((0.42, 0.42, 0.025), (0, 0, height - 0.0125)),
    )
    parts.add("dark_steel", foot, head)
    anchor = join(cylinder(0.020, 0.025, 0.030), cylinder(0.012, 0.030, 0.050, edge=0.002, segments=6))
    parts.add("bright_steel", *(anchor.moved((x, y, 0.0)) for x in (-0.26, 0.26) for y in (-0.26, 0.26)))
    return parts


def _clamp(plate: float) -> Assembly:
    """Screw clamp that stands in a bore of the table and presses on a plate, 0.12 m along +x from its column."""
    parts, screw = Assembly(), Assembly()
    parts.add("dark_steel", cylinder(0.012, 0.0, 0.20, edge=0.002, segments=32))
    parts.add("dark_steel", box((0.155, 0.022, 0.030), (0.060, 0.0, 0.115), bevel=0.006))
    screw.add("bright_steel", cylinder(0.007, 0.008, 0.153, segments=24))
    screw.add("copper", cylinder(0.013, 0.0, 0.012, edge=0.002, segments=32))
    screw.add("welder_red", cylinder(0.010, -0.042, 0.042, edge=0.004, segments=24).along("y").moved((0, 0, 0.156)))
    parts.place(screw, (0.125, 0.0, plate))
    return parts


def _table(plate: float) -> Assembly:
    (cx, cy), (depth, width), top = TABLE
    parts = Assembly()
    dx, dy = 0.5 * depth, 0.5 * width
    parts.add(
        "table_steel", *(box((0.03, width, 0.13), (sx * (dx - 0.015), 0.0, top - 0.095), bevel=0.004) for sx in (-1, 1))
    )
    parts.add(
        "table_steel", *(box((depth, 0.03, 0.13), (0.0, sy * (dy - 0.015), top - 0.095), bevel=0.004) for sy in (-1, 1))
    )
    legs = [(sx * (dx - 0.08), sy * (dy - 0.08)) for sx in (-1, 1) for sy in (-1, 1)]
    parts.add("graphite", *(box((0.09, 0.09, top - 0.20), (x, y, 0.5 * top - 0.04), bevel=0.008) for x, y in legs))
    parts.add("dark_steel", *(cylinder(0.045, 0.0, 0.025, edge=0.004).moved((x, y, 0.0)) for x, y in legs))
    rows = [box((0.0012, 0.020, 0.020), (-dx - 0.0004, 0.10 * k, top - 0.095)) for k in range(-5, 6)]
    parts.add("slit_dark", *rows)
    # earth clamp on the front edge
    parts.add("copper", box((0.05, 0.03, 0.03), (-dx + 0.015, dy - 0.12, top + 0.013), bevel=0.003))
    parts.add("black_rubber", sweep([(-dx, dy - 0.12, top + 0.01), (-dx - 0.08, dy - 0.10, top - 0.05),
                                     (-dx - 0.08, dy, 0.2), (-dx - 0.1, dy + 0.1, 0.012)], 0.011))  # fmt: skip
    for y in (-0.16, 0.16):
        parts.place(_clamp(plate), (0.215, y, top), rot_z(np.pi))
    placed = Assembly()
    placed.place(parts, (cx, cy, 0.0))
    return placed


def _hood() -> Assembly:
    """Fume hood over the work, with its duct to the back wall."""
    low, high, bottom, top = 0.62, 0.17, 2.02, 2.40
    corners = np.array([(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)])
    rings = [corners * low, corners * low, corners * high, corners * high]
    heights = [bottom, bottom + 0.10, top, top + 0.05]
    vertices = np.concatenate([np.column_stack([xy, np.full(4, z)]) for xy, z in zip(rings, heights, strict=True)])
    faces = []
    for k in range(3):
        for i in range(4):
            a, b = 4 * k + i, 4 * k + (i + 1) % 4
            faces += [(a, b, b + 4), (a, b + 4, a + 4), (b, a, b + 4), (b + 4, a, a + 4)]
    parts = Assembly()
    parts.add("hood_grey", Mesh(vertices, np.array(faces, np.int32)))
    parts.add("hood_grey", lathe([(0.0, top + 0.02), (0.15, top + 0.02), (0.15, top + 0.30), (0.0, top + 0.30)], 40))
    duct = [(0.0, 0.0, top + 0.2), (0.0, 0.0, 3.0), (-0.5, 0.0, 3.25), (-1.6, 0.0, 3.25), (-4.3, 0.0, 3.25)]
    parts.add("hood_grey", sweep(duct, 0.15, 32, 64))
    parts.add("graphite", *(box((0.035, 0.035, 1.2), (sx * 0.56, sy * 0.56, 2.7)) for sx in (-1, 1) for sy in (-1, 1)))
    return parts


def _panel(width: float, glass: bool) -> Assembly:
    """Fence panel in the y-z plane: sheet metal below, arc glass or curtain above, all tinted."""
    parts = Assembly()
    low, high, frame = 0.16, 2.0, 0.035
    for y in (-0.5 * (width - frame), 0.5 * (width - frame)):
        parts.add("graphite", box((frame, frame, high - low), (0.0, y, 0.5 * (low + high)), bevel=0.003))
    rails = (low + 0.015, 0.95, high - 0.015) if glass else (low + 0.015, high - 0.015)
    parts.add("graphite", *(box((frame, width, frame), (0.0, 0.0, z), bevel=0.003) for z in rails))
    if glass:
        parts.add("machine_grey", box((0.006, width - 0.05, 0.78), (0.0, 0.0, 0.56)))
        parts.add("arc_glass", box((0.008, width - 0.05, high - 0.97), (0.0, 0.0, 0.5 * (high + 0.95))))
    else:
        parts.add("curtain_red", _folds(width - 0.06, low + 0.03, high - 0.03))
    return parts


def _folds(width: float, low: float, high: float) -> Mesh:
    """Welding curtain that hangs in folds."""
    y = np.linspace(-0.5 * width, 0.5 * width, 90)
    x = 0.022 * np.sin(2.0 * np.pi * y / 0.13) + 0.006 * np.sin(2.0 * np.pi * y / 0.37)
    column = np.arange(len(y) - 1)
    faces = []
    vertices = []
    for layer, offset in enumerate((0.0015, -0.0015)):
        for z in (low, high):
            vertices.append(np.column_stack([x + offset, y, np.full(len(y), z)]))
        a = column + 2 * layer * len(y)
        quad = np.stack([a, a + 1, a + 1 + len(y), a + len(y)], axis=1)
        quad = quad if layer == 0 else quad[:, ::-1]
        faces += [quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]]
    return Mesh(np.concatenate(vertices), np.concatenate(faces).astype(np.int32))


def _fence() -> Assembly:
    parts = Assembly()
    post = join(
        box((0.06, 0.06, 2.05), (0.0, 0.0, 1.025), bevel=0.006), box((0.14, 0.14, 0.012), (0, 0, 0.006), bevel=0.003)
    )
    back = [(FENCE_X, (k - 1.5) * PITCH) for k in range(4)]
    side = [(FENCE_X + (k + 1) * PITCH, FENCE_Y) for k in range(3)]
    parts.add("safety_yellow", *(post.moved((x, y, 0.0)) for x, y in [*back, *side, (FENCE_X, FENCE_Y)]))
    for k in range(3):
        parts.place(_panel(PITCH - 0.08, glass=k == 1), (FENCE_X, (k - 1) * PITCH, 0.0))
        parts.place(_panel(PITCH - 0.08, glass=k == 1), (FENCE_X + (k + 0.5) * PITCH, FENCE_Y, 0.0), rot_z(np.pi / 2))
    return parts


def _controller() -> Assembly:
    """Robot controller, pendant on its hook, signal tower."""
    parts = Assembly()
    parts.add("white_enamel", box((0.50, 0.60, 0.86), (0.0, 0.0, 0.53), bevel=0.015))
    parts.add("graphite", box((0.44, 0.54, 0.10), (0.0, 0.0, 0.05)), box((0.004, 0.52, 0.74), (0.251, 0.0, 0.54)))
    parts.add("status_red", cylinder(0.020, 0.25, 0.285, edge=0.004).along("x").moved((0.0, 0.18, 0.84)))
    parts.add("dark_steel", cylinder(0.024, 0.25, 0.275, edge=0.003).along("x").moved((0.0, -0.18, 0.84)))
    outline = rounded_outline([(-0.15, -0.10), (0.15, -0.10), (0.15, 0.10), (-0.15, 0.10)], 0.025)
    tilt = np.array([[0.0, -0.5, 0.866], [1.0, 0.0, 0.0], [0.0, 0.866, 0.5]])
    at = (0.10, 0.0, 1.05)
    parts.add("graphite", extrude(outline, -0.02, 0.02, bevel=0.006).moved(at, tilt))
    parts.add("screen", box((0.20, 0.14, 0.004), (-0.02, 0.0, 0.021)).moved(at, tilt))
    for k, finish in enumerate(("status_green", "status_amber", "status_red")):
        parts.add(finish, cylinder(0.028, 1.12 + 0.06 * k, 1.175 + 0.06 * k, edge=0.003).moved((-0.18, 0.22, 0.0)))
    parts.add("bright_steel", cylinder(0.009, 0.96, 1.13).moved((-0.18, 0.22, 0.0)))
    return parts


def add_scene(spec: mujoco.MjSpec, table: bool, rail: bool, clamped: float) -> None:
    """Add everything around arm and work that is only seen; `clamped` m of plate are under the clamps."""
    world = spec.worldbody
    add_finishes(spec)
    _add_room(spec, world)
    scene = Assembly()
    if not rail:
        scene.place(_pedestal())
    if table:
        (cx, cy), size, top = TABLE
        plate = look.material(spec, "fixture_plate")
        _slab(world, "table_plate", (*size, 0.03), (cx, cy, top - 0.015), plate, look.GROUP_MACHINE)
        scene.place(_table(clamped))
    scene.place(_hood(), (0.95, 0.0, 0.0))
    scene.place(_fence())
    scene.place(_controller(), (-1.05, -1.05, 0.0))
    cables = [
        [(-0.72, 0.90, 0.45), (-0.60, 0.75, 0.05), (-0.40, 0.35, 0.014), (-0.26, 0.03, 0.05), (-0.255, 0.02, 0.40)],
        [
            (-0.80, -0.90, 0.15),
            (-0.60, -0.70, 0.014),
            (-0.40, -0.30, 0.014),
            (-0.26, -0.04, 0.05),
            (-0.255, -0.03, 0.40),
        ],
    ]
    if not rail:
        scene.add("black_rubber", *(sweep(path, 0.015, 12, 64) for path in cables))
    scene.build(spec, world, "cell")
