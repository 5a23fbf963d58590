"""Drawn surroundings of the reach cell: room, pedestal, fixture table with vise, guards, controller cabinet."""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..shapes import Assembly, Mesh, box, cylinder, extrude, extrude_ring, join, ring, rot_z, rounded_outline, sweep

# Guard fence: line of posts behind and to the left of the robot (m).
FENCE_X, FENCE_Y, POST_PITCH_X, POST_PITCH_Y = -1.40, 1.85, 1.15, 1.235


def slab(
    body: mujoco.MjsBody, name: str, size: tuple[float, float, float], pos: tuple[float, float, float], material: str,
    group: int = look.GROUP_SCENE,
) -> None:  # fmt: skip
    """Box of full edge lengths `size`; a primitive, because only those can carry reflections and uniform textures."""
    body.add_geom(
        name=name, type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.5 * s for s in size], pos=pos, material=material,
        contype=0, conaffinity=0, mass=0.0, group=group,
    )  # fmt: skip


def add_room(spec: mujoco.MjSpec, world: mujoco.MjsBody) -> None:
    """Floor, two walls and the yellow line around the cell."""
    world.add_geom(
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[6.0, 6.0, 0.1], pos=[0.0, 0.0, 0.0],
        material=look.material(spec, "epoxy_floor"), contype=0, conaffinity=0, group=look.GROUP_SCENE,
    )  # fmt: skip
    wall, dado = look.material(spec, "workshop_wall"), look.material(spec, "wall_dado")
    slab(world, "wall_back", (0.1, 12.0, 4.0), (-3.4, 0.0, 2.0), wall)
    slab(world, "wall_back_dado", (0.1, 12.0, 1.1), (-3.385, 0.0, 0.55), dado)
    slab(world, "wall_left", (12.0, 0.1, 4.0), (0.0, 3.6, 2.0), wall)
    slab(world, "wall_left_dado", (12.0, 0.1, 1.1), (0.0, 3.585, 0.55), dado)
    line = look.material(spec, "safety_yellow")
    for name, size, pos in (
        ("line_front", (0.08, 3.48, 0.002), (1.85, 0.0, 0.001)),
        ("line_back", (0.08, 3.48, 0.002), (-1.25, 0.0, 0.001)),
        ("line_right", (3.02, 0.08, 0.002), (0.30, -1.70, 0.001)),
        ("line_left", (3.02, 0.08, 0.002), (0.30, 1.70, 0.001)),
    ):
        slab(world, name, size, pos, line)


def pedestal(height: float) -> Assembly:
    """Welded pedestal with ribs, its top at `height` m."""
    parts = Assembly()
    rib = extrude([(0.105, 0.0), (0.20, 0.0), (0.105, 0.24)], -0.006, 0.006).moved(
        rot=np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    )
    ribs = (rib.moved((0.0, 0.0, 0.022), rot_z(a)) for a in np.arange(4) * np.pi / 2)
    parts.add("machine_grey", box((0.22, 0.22, height - 0.05), (0.0, 0.0, 0.5 * height), bevel=0.012), *ribs)
    foot = box((0.44, 0.44, 0.022), (0.0, 0.0, 0.011), bevel=0.004)
    parts.add("dark_steel", foot, box((0.28, 0.28, 0.022), (0.0, 0.0, height - 0.011), bevel=0.004))
    anchor = join(cylinder(0.018, 0.022, 0.026), cylinder(0.011, 0.026, 0.044, edge=0.002, segments=6))
    parts.add("bright_steel", *(anchor.moved((x, y, 0.0)) for x in (-0.18, 0.18) for y in (-0.18, 0.18)))
    return parts


def table_frame(top: float, size: tuple[float, float]) -> Assembly:
    """Legs, rails and levelling feet of the fixture table, centred below its plate."""
    parts = Assembly()
    dx, dy = size[0] / 2 - 0.06, size[1] / 2 - 0.06
    for x in (-dx, dx):
        parts.add(
            "machine_grey", *(box((0.04, 2 * dy - 0.07, 0.07), (x, 0.0, z), bevel=0.005) for z in (top - 0.07, 0.16))
        )
        for y in (-dy, dy):
            parts.add("machine_grey", box((0.07, 0.07, top - 0.10), (x, y, 0.5 * (top - 0.06) + 0.01), bevel=0.006))
            parts.add("bright_steel", cylinder(0.010, 0.012, 0.06).moved((x, y, 0.0)))
            parts.add("black_rubber", cylinder(0.035, 0.0, 0.012, edge=0.003).moved((x, y, 0.0)))
    for y in (-dy, dy):
        parts.add(
            "machine_grey", *(box((2 * dx - 0.07, 0.04, 0.07), (0.0, y, z), bevel=0.005) for z in (top - 0.07, 0.16))
        )
    return parts


def vise() -> Assembly:
    """Machine vise that clamps a brass block with a bore."""
    parts = Assembly()
    parts.add(
        "dark_steel",
        box((0.13, 0.26, 0.028), (0.0, 0.0, 0.014), bevel=0.004),
        box((0.10, 0.24, 0.03), (0.0, 0.0, 0.04), bevel=0.003),
    )
    for y in (-0.085, 0.065):
        parts.add("machine_grey", box((0.12, 0.045, 0.05), (0.0, y, 0.079), bevel=0.004))
    parts.add(
        "bright_steel",
        box((0.11, 0.006, 0.042), (0.0, -0.0595, 0.079)),
        box((0.11, 0.006, 0.042), (0.0, 0.0395, 0.079)),
    )
    parts.add("bright_steel", cylinder(0.009, 0.088, 0.165, edge=0.002).along("y").moved((0.0, 0.0, 0.058)))
    parts.add("bright_steel", cylinder(0.005, -0.06, 0.06, edge=0.002).along("x").moved((0.0, 0.158, 0.058)))
    outline = np.array([(-0.045, -0.0565), (0.045, -0.0565), (0.045, 0.0365), (-0.045, 0.0365)])
    parts.add("brass", extrude(outline, 0.060, 0.088), bored_top(outline, 0.088, 0.118, 0.022))
    return parts


def bored_top(outline: np.ndarray, z0: float, z1: float, radius: float, steps: int = 64) -> Mesh:
    """Upper part of a block, with a round blind hole in its middle."""
    center = outline.mean(axis=0)
    angle = 2.0 * np.pi * np.arange(steps) / steps
    ray = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    half = 0.5 * (outline.max(axis=0) - outline.min(axis=0))
    reach = np.min(half / np.maximum(np.abs(ray), 1e-12), axis=1)
    return extrude_ring(center + ray * reach[:, None], center + ray * radius, z0, z1)


def fixture_nest() -> Assembly:
    """Locating plate with dowels, and a ring gauge."""
    parts = Assembly()
    parts.add("brushed_plate", box((0.20, 0.16, 0.020), (0.0, 0.0, 0.010), bevel=0.003))
    dowel = cylinder(0.012, 0.020, 0.058, edge=0.003)
    parts.add("bright_steel", *(dowel.moved((x, y, 0.0)) for x in (-0.07, 0.07) for y in (-0.05, 0.05)))
    parts.add("joint_blue", ring(0.022, 0.040, 0.020, 0.046, edge=0.002))
    parts.add(
        "dark_steel",
        *(cylinder(0.007, 0.020, 0.027, edge=0.001, segments=6).moved((x, 0.0, 0.0)) for x in (-0.085, 0.085)),
    )
    return parts


def fence() -> Assembly:
    """Yellow posts with clear panels in dark frames."""
    parts = Assembly()
    post = join(
        box((0.06, 0.06, 1.95), (0.0, 0.0, 0.975), bevel=0.006),
        box((0.14, 0.14, 0.012), (0.0, 0.0, 0.006), bevel=0.003),
    )
    back = [(FENCE_X, (k - 1.5) * POST_PITCH_Y) for k in range(4)]
    side = [(FENCE_X + (k + 1) * POST_PITCH_X, FENCE_Y) for k in range(3)]
    parts.add("safety_yellow", *(post.moved((x, y, 0.0)) for x, y in back + side))
    for k in range(3):
        parts.place(_guard_panel(POST_PITCH_Y - 0.08), (FENCE_X, (k - 1) * POST_PITCH_Y, 0.0))
        parts.place(
            _guard_panel(POST_PITCH_X - 0.08), (FENCE_X + (k + 0.5) * POST_PITCH_X, FENCE_Y, 0.0), rot_z(np.pi / 2)
        )
    return parts


def _guard_panel(width: float, low: float = 0.18, high: float = 1.90) -> Assembly:
    """Framed clear panel in the y-z plane, sheet metal below."""
    parts = Assembly()
    frame = 0.03
    for y in (-0.5 * (width - frame), 0.5 * (width - frame)):
        parts.add("graphite", box((frame, frame, high - low), (0.0, y, 0.5 * (low + high)), bevel=0.003))
    parts.add(
        "graphite", *(box((frame, width, frame), (0.0, 0.0, z), bevel=0.003) for z in (low + 0.015, 0.62, high - 0.015))
    )
    parts.add("machine_grey", box((0.004, width - 0.05, 0.40), (0.0, 0.0, 0.41)))
    parts.add("guard_panel", box((0.006, width - 0.05, high - 0.66), (0.0, 0.0, 0.5 * (high + 0.62))))
    return parts


def controller() -> Assembly:
    """Robot controller with teach pendant on its hook, and the cable that leads to the pedestal."""
    parts = Assembly()
    parts.add("white_enamel", box((0.46, 0.42, 0.62), (0.0, 0.0, 0.40), bevel=0.015))
    parts.add(
        "graphite", box((0.38, 0.34, 0.08), (0.0, 0.0, 0.05)), box((0.004, 0.36, 0.54), (0.231, 0.0, 0.40), bevel=0.003)
    )
    parts.add("dark_steel", box((0.03, 0.02, 0.12), (0.24, -0.14, 0.42), bevel=0.005))
    parts.add("joint_blue", box((0.003, 0.30, 0.03), (0.2335, 0.0, 0.62)))
    pendant = extrude(
        rounded_outline([(-0.14, -0.10), (0.14, -0.10), (0.14, 0.10), (-0.14, 0.10)], 0.025), -0.02, 0.02, bevel=0.006
    )
    screen = extrude(
        rounded_outline([(-0.105, -0.075), (0.105, -0.075), (0.105, 0.075), (-0.105, 0.075)], 0.006), 0.019, 0.0215
    )
    tilt = np.array([[0.0, -0.5, 0.866], [1.0, 0.0, 0.0], [0.0, 0.866, 0.5]])
    at = (0.05, 0.0, 0.82)
    parts.add("graphite", pendant.moved(at, tilt), box((0.05, 0.10, 0.10), (0.02, 0.0, 0.75), bevel=0.008))
    parts.add("screen", screen.moved(at, tilt))
    parts.add("status_red", cylinder(0.014, 0.018, 0.034, edge=0.003).moved((0.122, 0.062, 0.0)).moved(at, tilt))
    return parts


def signal_tower() -> Assembly:
    """Three signal lamps on the top of a fence post."""
    parts = Assembly()
    parts.add("bright_steel", cylinder(0.010, 1.95, 2.05))
    for k, finish in enumerate(("status_green", "status_amber", "status_red")):
        parts.add(finish, cylinder(0.030, 2.05 + 0.06 * k, 2.105 + 0.06 * k, edge=0.003))
    parts.add("graphite", cylinder(0.031, 2.225, 2.24, edge=0.002))
    return parts


def add_scene(
    spec: mujoco.MjSpec, pedestal_height: float, table_top: float, table_center: tuple[float, float],
    table_size: tuple[float, float],
) -> None:  # fmt: skip
    """Add everything around the arm that is only seen; dimensions in metres, in the world frame."""
    world = spec.worldbody
    add_room(spec, world)
    cx, cy = table_center
    slab(
        world,
        "table_plate",
        (*table_size, 0.03),
        (cx, cy, table_top - 0.015),
        look.material(spec, "fixture_plate"),
        look.GROUP_MACHINE,
    )
    scene = Assembly()
    scene.place(pedestal(pedestal_height))
    scene.place(table_frame(table_top, table_size), (cx, cy, 0.0))
    scene.place(fence())
    scene.place(controller(), (-0.85, 0.95, 0.0))
    scene.place(signal_tower(), (FENCE_X, -1.5 * POST_PITCH_Y, 0.0))
    cable = sweep(
        [
            (-0.75, 0.76, 0.15),
            (-0.70, 0.55, 0.02),
            (-0.35, 0.25, 0.012),
            (-0.178, 0.0, 0.012),
            (-0.178, 0.0, 0.10),
            (-0.178, 0.0, 0.32),
        ],
        0.012,
    )
    scene.add("black_rubber", cable)
    scene.build(spec, world, "cell")
    fixtures = Assembly()
    fixtures.place(vise(), (cx + 0.16, cy + 0.36, table_top))
    fixtures.place(fixture_nest(), (cx + 0.13, cy - 0.38, table_top), rot_z(np.pi / 2))
    fixtures.build(spec, world, "fixture", look.GROUP_PART)
