"""Drawn surroundings of the reach cell: floor, wall, pedestal, fixture table, fence, controller cabinet."""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..shapes import Mesh, add_mesh_geom, box, cylinder, join, ring, rot_z, sweep


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
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[6.0, 6.0, 0.1], pos=[0.0, 0.0, 0.0],
        material=look.material(spec, "epoxy_floor"), contype=0, conaffinity=0, group=look.GROUP_SCENE,
    )  # fmt: skip
    wall, dado = look.material(spec, "workshop_wall"), look.material(spec, "wall_dado")
    _slab(world, "wall_back", (0.1, 12.0, 4.0), (-3.4, 0.0, 2.0), wall)
    _slab(world, "wall_back_dado", (0.1, 12.0, 1.1), (-3.385, 0.0, 0.55), dado)
    _slab(world, "wall_left", (12.0, 0.1, 4.0), (0.0, 3.6, 2.0), wall)
    _slab(world, "wall_left_dado", (12.0, 0.1, 1.1), (0.0, 3.585, 0.55), dado)
    line = look.material(spec, "safety_yellow")
    for name, size, pos in (
        ("line_front", (0.08, 3.48, 0.002), (1.85, 0.0, 0.001)),
        ("line_back", (0.08, 3.48, 0.002), (-1.25, 0.0, 0.001)),
        ("line_right", (3.02, 0.08, 0.002), (0.30, -1.70, 0.001)),
        ("line_left", (3.02, 0.08, 0.002), (0.30, 1.70, 0.001)),
    ):
        _slab(world, name, size, pos, line)


def _add_pedestal(spec: mujoco.MjSpec, world: mujoco.MjsBody, height: float) -> None:
    column = box((0.22, 0.22, height - 0.05), (0.0, 0.0, 0.5 * height), bevel=0.012)
    ribs = [box((0.012, 0.10, 0.22)).moved((0.0, 0.15, 0.13), None) for _ in range(1)]
    ribs = [Mesh(r.vertices, r.faces).moved(rot=rot_z(a)) for r in ribs for a in np.arange(4) * np.pi / 2]
    add_mesh_geom(spec, world, "pedestal", join(column, *ribs), look.material(spec, "machine_grey"))
    plates = join(box((0.44, 0.44, 0.022), (0.0, 0.0, 0.011), bevel=0.004), box((0.28, 0.28, 0.022), (0.0, 0.0, height - 0.011), bevel=0.004))
    add_mesh_geom(spec, world, "pedestal_plates", plates, look.material(spec, "dark_steel"))
    anchor = join(cylinder(0.018, 0.022, 0.026), cylinder(0.011, 0.026, 0.044, edge=0.002, segments=6))
    anchors = join(*(anchor.moved((x, y, 0.0)) for x in (-0.18, 0.18) for y in (-0.18, 0.18)))
    add_mesh_geom(spec, world, "pedestal_anchors", anchors, look.material(spec, "bright_steel"))


def _add_table(
    spec: mujoco.MjSpec, world: mujoco.MjsBody, top: float, center: tuple[float, float], size: tuple[float, float]
) -> None:
    cx, cy = center
    sx, sy = size
    _slab(world, "table_plate", (sx, sy, 0.03), (cx, cy, top - 0.015), look.material(spec, "fixture_plate"), look.GROUP_MACHINE)
    legs = [box((0.07, 0.07, top - 0.10), (cx + i * (sx / 2 - 0.06), cy + j * (sy / 2 - 0.06), 0.5 * (top - 0.06) + 0.01), bevel=0.006)
            for i in (-1, 1) for j in (-1, 1)]  # fmt: skip
    rails = [box((sx - 0.19, 0.04, 0.07), (cx, cy + j * (sy / 2 - 0.06), z), bevel=0.005) for j in (-1, 1) for z in (top - 0.07, 0.16)]
    rails += [box((0.04, sy - 0.19, 0.07), (cx + i * (sx / 2 - 0.06), cy, z), bevel=0.005) for i in (-1, 1) for z in (top - 0.07, 0.16)]
    add_mesh_geom(spec, world, "table_frame", join(*legs, *rails), look.material(spec, "machine_grey"))
    feet = [cylinder(0.035, 0.0, 0.012, edge=0.003).moved((cx + i * (sx / 2 - 0.06), cy + j * (sy / 2 - 0.06), 0.0)) for i in (-1, 1) for j in (-1, 1)]
    feet += [cylinder(0.010, 0.012, 0.06).moved((cx + i * (sx / 2 - 0.06), cy + j * (sy / 2 - 0.06), 0.0)) for i in (-1, 1) for j in (-1, 1)]
    add_mesh_geom(spec, world, "table_feet", join(*feet), look.material(spec, "black_rubber"))


def _add_fixtures(spec: mujoco.MjSpec, world: mujoco.MjsBody, top: float, center: tuple[float, float]) -> None:
    """Vise, calibration sphere and a bored block: things that one finds on a fixture plate."""
    at = np.array([center[0], center[1], top])
    block = join(box((0.12, 0.16, 0.045), (0.16, 0.36, 0.0225), bevel=0.004), ring(0.030, 0.045, 0.045, 0.060, 0.002).moved((0.16, 0.36, 0.0)))
    plate = join(box((0.20, 0.14, 0.02), (0.13, -0.38, 0.010), bevel=0.003), *(cylinder(0.016, 0.02, 0.055, edge=0.002).moved((0.13 + dx, -0.38 + dy, 0.0)) for dx in (-0.07, 0.07) for dy in (-0.04, 0.04)))
    add_mesh_geom(spec, world, "fixture_blocks", join(block, plate).moved(at), look.material(spec, "brushed_plate"), group=look.GROUP_PART)


def _fence_panel(width: float, height: float, pitch: float = 0.05) -> Mesh:
    """Welded wire mesh in the y-z plane, lower edge at z = 0, wires 3.5 mm thick."""
    wire = 0.0035
    uprights = [box((wire, wire, height), (0.0, y, height / 2)) for y in np.arange(-width / 2, width / 2 + 1e-6, pitch)]
    bars = [box((wire, width, wire), (0.0, 0.0, z)) for z in np.arange(0.0, height + 1e-6, 4 * pitch)]
    return join(*uprights, *bars)


def _add_fence(spec: mujoco.MjSpec, world: mujoco.MjsBody) -> None:
    post = join(box((0.06, 0.06, 1.95), (0.0, 0.0, 0.975), bevel=0.006), box((0.14, 0.14, 0.012), (0.0, 0.0, 0.006)))
    back_x, side_y, pitch = -1.40, 1.85, 1.235
    back_posts = [(back_x, (k - 1.5) * pitch) for k in range(4)]
    side_posts = [(back_x + (k + 1) * 1.15, side_y) for k in range(3)]
    add_mesh_geom(spec, world, "fence_posts", join(*(post.moved((x, y, 0.0)) for x, y in back_posts + side_posts)), look.material(spec, "safety_yellow"))
    panel = _fence_panel(pitch - 0.08, 1.70)
    side = _fence_panel(1.15 - 0.08, 1.70).moved(rot=rot_z(np.pi / 2))
    panels = [panel.moved((back_x, (k - 1) * pitch, 0.18)) for k in range(3)]
    panels += [side.moved((back_x + (k + 0.5) * 1.15, side_y, 0.18)) for k in range(3)]
    add_mesh_geom(spec, world, "fence_mesh", join(*panels), look.material(spec, "fence_mesh"))


def _add_cabinet(spec: mujoco.MjSpec, world: mujoco.MjsBody) -> None:
    """Robot controller beside the pedestal, its cable to the arm, and a signal tower."""
    x, y = -0.85, 0.95
    shell = join(box((0.46, 0.42, 0.62), (x, y, 0.40), bevel=0.015), box((0.38, 0.34, 0.08), (x, y, 0.05)))
    add_mesh_geom(spec, world, "controller", shell, look.material(spec, "white_enamel"))
    face = join(box((0.004, 0.36, 0.54), (x + 0.231, y, 0.40), bevel=0.003), box((0.03, 0.02, 0.12), (x + 0.24, y - 0.14, 0.42), bevel=0.005))
    cable = sweep([(x + 0.1, y - 0.19, 0.15), (x + 0.15, y - 0.4, 0.02), (-0.35, 0.25, 0.012), (-0.178, 0.0, 0.012), (-0.178, 0.0, 0.10), (-0.178, 0.0, 0.32)], 0.012)
    add_mesh_geom(spec, world, "controller_dark", join(face, cable), look.material(spec, "graphite"))
    mast = (-1.40, -1.8525)
    add_mesh_geom(spec, world, "tower_mast", cylinder(0.010, 1.95, 2.05).moved((*mast, 0.0)), look.material(spec, "bright_steel"))
    for k, finish in enumerate(("status_green", "status_amber", "status_red")):
        lamp = cylinder(0.030, 2.05 + 0.06 * k, 2.105 + 0.06 * k, edge=0.003).moved((*mast, 0.0))
        add_mesh_geom(spec, world, f"tower_{finish}", lamp, look.material(spec, finish))


def add_scene(
    spec: mujoco.MjSpec, pedestal_height: float, table_top: float, table_center: tuple[float, float],
    table_size: tuple[float, float],
) -> None:  # fmt: skip
    """Add everything around the arm that is only seen; dimensions in metres, in the world frame."""
    world = spec.worldbody
    _add_room(spec, world)
    _add_pedestal(spec, world, pedestal_height)
    _add_table(spec, world, table_top, table_center, table_size)
    _add_fixtures(spec, world, table_top, table_center)
    _add_fence(spec, world)
    _add_cabinet(spec, world)
