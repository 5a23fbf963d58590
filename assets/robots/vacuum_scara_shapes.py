"""Drawn shapes of the vacuum SCARA robot: flange, column, hollow-looking links with lids, and a ceramic fork."""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look
from ..shapes import Mesh, add_mesh_geom, cylinder, extrude, join, ring, rounded_outline, stadium

LINK = 0.36  # m
BLADE_HALF_THICKNESS = 0.002  # m


def _bolt_circle(circle: float, count: int, z: float, radius: float = 0.003, height: float = 0.003) -> Mesh:
    angle = 2.0 * np.pi * (np.arange(count) + 0.5) / count
    head = cylinder(radius, z, z + height, edge=0.0006, segments=12)
    return join(*(head.moved((circle * np.cos(a), circle * np.sin(a), 0.0)) for a in angle))


def _fork() -> Mesh:
    """Two-finger blade in the paddle frame: stem from the wrist, palm below the wafer's near side, fingers ahead."""
    right = [(0.028, -0.030), (0.150, -0.040), (0.195, -0.108), (0.385, -0.108), (0.390, -0.100), (0.390, -0.068),
             (0.268, -0.062), (0.228, -0.030)]  # fmt: skip
    left = [(x, -y) for x, y in reversed(right)]
    radii = [0.004, 0.05, 0.04, 0.006, 0.006, 0.012, 0.05, 0.03]
    outline = rounded_outline(right + left, radii + radii[::-1], steps=8)
    return extrude(outline, -BLADE_HALF_THICKNESS, BLADE_HALF_THICKNESS, bevel=0.0006)


def add_robot(
    spec: mujoco.MjSpec, base: mujoco.MjsBody, column: mujoco.MjsBody, upper: mujoco.MjsBody, forearm: mujoco.MjsBody,
    hub: mujoco.MjsBody, paddle: mujoco.MjsBody,
) -> None:  # fmt: skip
    """Add the drawn shapes to the bodies of the robot."""
    aluminium, dark = look.material(spec, "anodised"), look.material(spec, "dark_steel")
    bright = look.material(spec, "bright_steel")
    flange = join(cylinder(0.155, 0.0, 0.014, edge=0.003), ring(0.088, 0.118, 0.014, 0.022, edge=0.002))
    add_mesh_geom(spec, base, "scara_flange", flange, look.material(spec, "machined_aluminium"))
    add_mesh_geom(spec, base, "scara_flange_bolts", _bolt_circle(0.138, 16, 0.014, 0.0045, 0.004), dark)
    shaft = cylinder(0.080, -0.06, UPPER_BOTTOM, edge=0.002)
    add_mesh_geom(spec, column, "scara_column", shaft, bright)
    band = cylinder(0.0815, UPPER_BOTTOM - 0.012, UPPER_BOTTOM - 0.004)
    add_mesh_geom(spec, column, "scara_column_band", band, look.material(spec, "joint_blue"))

    arm = join(
        extrude(stadium(0.0, LINK, 0.085, 0.068), -0.021, 0.021, bevel=0.004),
        cylinder(0.055, 0.021, 0.0275, edge=0.001).moved((LINK, 0.0, 0.0)),
    )
    add_mesh_geom(spec, upper, "scara_upper_arm", arm, aluminium)
    lid = extrude(stadium(0.0, LINK - 0.085, 0.070, 0.058), 0.020, 0.0225, bevel=0.0006).moved((0.0, 0.0, 0.0))
    add_mesh_geom(spec, upper, "scara_upper_lid", lid, look.material(spec, "machined_aluminium"))
    add_mesh_geom(spec, upper, "scara_upper_bolts", _lid_bolts(LINK - 0.085, 0.062, 0.0225), dark)

    arm = join(
        extrude(stadium(0.0, LINK, 0.068, 0.046), -0.0185, 0.0185, bevel=0.004),
        cylinder(0.036, 0.018, 0.036, edge=0.001).moved((LINK, 0.0, 0.0)),
        cylinder(0.055, -0.0235, -0.018),
    )
    add_mesh_geom(spec, forearm, "scara_forearm", arm, aluminium)
    lid = extrude(stadium(0.0, LINK - 0.06, 0.056, 0.040), 0.018, 0.020, bevel=0.0006)
    add_mesh_geom(spec, forearm, "scara_forearm_lid", lid, look.material(spec, "machined_aluminium"))
    add_mesh_geom(spec, forearm, "scara_forearm_bolts", _lid_bolts(LINK - 0.06, 0.047, 0.020), dark)

    clamp = join(
        cylinder(0.038, -0.0135, -0.0025, edge=0.002),
        extrude(rounded_outline([(-0.030, -0.033), (0.062, -0.028), (0.062, 0.028), (-0.030, 0.033)], 0.008), -0.008, -0.002, bevel=0.001),
    )
    add_mesh_geom(spec, hub, "scara_hub", clamp, aluminium)
    top = extrude(rounded_outline([(-0.028, -0.030), (0.056, -0.026), (0.056, 0.026), (-0.028, 0.030)], 0.008), 0.002, 0.007, bevel=0.001)
    add_mesh_geom(spec, hub, "scara_clamp", top, look.material(spec, "machined_aluminium"))
    screws = join(*(cylinder(0.0035, 0.007, 0.010, edge=0.0008, segments=12).moved((x, y, 0.0)) for x in (-0.016, 0.042) for y in (-0.017, 0.017)))
    add_mesh_geom(spec, hub, "scara_clamp_screws", screws, dark)

    add_mesh_geom(spec, paddle, "scara_fork", _fork(), look.material(spec, "alumina"), group=look.GROUP_PART)
    for k, (x, y) in enumerate(PAD_POSITIONS):
        button = join(
            cylinder(0.0075, 0.0018, 0.0024, edge=0.0003, segments=24),
        ).moved((x, y, 0.0))
        add_mesh_geom(spec, paddle, f"scara_pad_seat_{k}", button, look.material(spec, "graphite"), group=look.GROUP_PART)
        paddle.add_geom(
            name=f"scara_pad_{k}", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.005, 0.0, 0.0], pos=[x, y, -0.0015],
            material=look.material(spec, "perfluoro_pad"), contype=0, conaffinity=0, mass=0.0, group=look.GROUP_PART,
        )  # fmt: skip


UPPER_BOTTOM = 0.055  # m, lower face of the upper arm above the base flange
PAD_POSITIONS = tuple((0.30 + 0.10 * float(np.cos(a)), 0.10 * float(np.sin(a))) for a in (np.pi, np.pi / 3, -np.pi / 3))


def _lid_bolts(length: float, half_width: float, z: float) -> Mesh:
    """Two rows of screws along a lid, and one at either end."""
    head = cylinder(0.0028, z, z + 0.002, edge=0.0005, segments=12)
    spots = [(x, s * half_width * 0.88) for x in np.linspace(0.01, length - 0.01, 4) for s in (-1, 1)]
    spots += [(-0.9 * half_width, 0.0), (length + 0.72 * half_width, 0.0)]
    return join(*(head.moved((x, y, 0.0)) for x, y in spots))
