"""300 mm silicon wafer as a free rigid body.

Rigid is enough for handling: the first free-free mode of a 300 mm wafer is near 70 Hz, several times above the
10 to 20 Hz modes of the arm that carries it, and its sag on a rim is below 0.1 mm.
"""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ShopfloorError
from .. import look, shapes

RADIUS = 0.150  # m; nominal diameter 300 mm
THICKNESS = 775e-6  # m; nominal for the 300 mm class
DENSITY = 2329.0  # kg/m^3, single-crystal silicon
# The 0.1276 kg of a full disc: pi r^2 t rho. The notch removes about 2 mg.
MASS = 0.1276
INERTIA_AXIAL = 0.5 * MASS * RADIUS**2  # kg m^2 about the disc axis
INERTIA_DIAMETRAL = MASS * (RADIUS**2 / 4.0 + THICKNESS**2 / 12.0)  # kg m^2 about a diameter

# Notch of the 300 mm class: a V of 90 degrees, 1 mm deep, at this angle in the frame of the wafer.
NOTCH_DEPTH, NOTCH_HALF_ANGLE, NOTCH_DIRECTION = 1.0e-3, np.pi / 4.0, np.pi  # m, rad, rad

# Circles on which a wafer is held: pads, pins and chuck around the first, slots and shelves at the second (m). The
# collision shapes of a warped wafer are exact there.
INNER_CIRCLE, RIM_CIRCLE = 0.100, 0.1465
# Collision bits: what carries the wafer well inside its rim, and what carries it at the rim.
INNER_SUPPORT, RIM_SUPPORT = 1, 2

# The drawn notch is wider and deeper than the real one (1 mm) so that it can be seen in a picture of a whole cell.
_DRAWN_NOTCH_DEPTH = 3.0e-3
_DRAWN_NOTCH_HALF_ANGLE = 0.022  # rad


def mass(thickness: ArrayLike = THICKNESS) -> NDArray[np.float64]:
    """Mass (kg) of a 300 mm wafer of `thickness` (m), any shape; within 0.03 % of `MASS` for the nominal one."""
    return DENSITY * np.pi * RADIUS**2 * np.asarray(thickness, float)


def inertia(thickness: float = THICKNESS) -> tuple[float, float, float]:
    """Principal inertia (kg m^2) about two diameters and the axis of a homogeneous disc of `thickness` (m)."""
    if thickness == THICKNESS:
        return INERTIA_DIAMETRAL, INERTIA_DIAMETRAL, INERTIA_AXIAL
    m = float(mass(thickness))
    across = m * (RADIUS**2 / 4.0 + thickness**2 / 12.0)
    return across, across, 0.5 * m * RADIUS**2


def median_height(warp: ArrayLike, radius: ArrayLike) -> NDArray[np.float64]:
    """Height (m) of the median surface of a bowl-shaped wafer above its centre of mass.

    Args:
        warp: rim minus centre, m; positive when the rim is above the centre.
        radius: distance from the wafer's axis, m; broadcast against `warp`.

    Returns:
        warp ((radius / R)^2 - 1/2): the mean over the disc is zero, as it must be at the centre of mass.
    """
    return np.asarray(warp, float) * ((np.asarray(radius, float) / RADIUS) ** 2 - 0.5)


def edge_radius(angle: ArrayLike, notch_direction: ArrayLike = NOTCH_DIRECTION) -> NDArray[np.float64]:
    """Distance (m) of the rim from the wafer's centre, what a beam or the sensor of an aligner sees.

    Args:
        angle: direction in the frame of the wafer, rad, any shape.
        notch_direction: direction of the notch, rad; broadcast against `angle`.

    Returns:
        The radius of the disc, less inside the notch: a V with straight flanks. The rounding of its corners, below
        1 mm, is left out.
    """
    off = np.abs((np.asarray(angle, float) - np.asarray(notch_direction, float) + np.pi) % (2.0 * np.pi) - np.pi)
    flank = (RADIUS - NOTCH_DEPTH) / np.maximum(np.cos(off) - np.sin(off) / np.tan(NOTCH_HALF_ANGLE), 1e-9)
    return np.where(off < 0.1, np.minimum(flank, RADIUS), RADIUS)


def _outline() -> shapes.Array:
    """(n, 2) rim with a V notch at -x, the side that faces the robot."""
    half = _DRAWN_NOTCH_HALF_ANGLE
    angle = np.linspace(-np.pi + half, np.pi - half, 160)
    rim = RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.concatenate([rim, [[-(RADIUS - _DRAWN_NOTCH_DEPTH), 0.0]]])


def _bend(mesh: shapes.Mesh, warp: float) -> shapes.Mesh:
    """Lift every vertex of a flat wafer onto the bowl of `warp` (m)."""
    vertices = mesh.vertices.copy()
    vertices[:, 2] += median_height(warp, np.hypot(vertices[:, 0], vertices[:, 1]))
    return shapes.Mesh(vertices, mesh.faces)


def _face(outline: shapes.Array, height: float, rings: int) -> shapes.Mesh:
    """Upper face as `rings` rings around the centre, so that it can bend."""
    share = np.linspace(0.0, 1.0, rings + 1)
    grid = np.concatenate([outline * s for s in share])
    count = len(outline)
    i, j = (a.ravel() for a in np.meshgrid(np.arange(rings), np.arange(count), indexing="ij"))
    a, b, c, d = (r * count + k % count for r, k in ((i, j), (i, j + 1), (i + 1, j + 1), (i + 1, j)))
    faces = np.concatenate([np.stack([a, d, c], 1), np.stack([a, c, b], 1)]).astype(np.int32)
    return shapes.Mesh(np.column_stack([grid, np.full(len(grid), height)]), faces)


def draw_wafer(
    spec: mujoco.MjSpec,
    body: mujoco.MjsBody,
    name: str,
    thickness: float = THICKNESS,
    warp: float = 0.0,
    height: float = 0.0,
) -> None:
    """Draw a wafer that is only seen: geoms `<name>_body` and `<name>_top`.

    Args:
        spec: specification to extend.
        body: that it belongs to.
        name: prefix of the geoms.
        thickness, warp: m, as of `add_wafer`.
        height: of its middle above the body's origin, m.
    """
    outline = _outline()
    half = 0.5 * thickness
    edge = shapes.extrude(outline, -half, half - 2e-5)
    top = shapes.Mesh(np.column_stack([outline, np.full(len(outline), half)]), shapes.triangulate(outline))
    if warp != 0.0:
        under = _face(outline, -half, 12)
        under = shapes.Mesh(under.vertices, under.faces[:, ::-1])
        rim = shapes.extrude_ring(outline, 0.999 * outline, -half, half - 2e-5)
        edge, top = _bend(shapes.join(under, rim), warp), _bend(_face(outline, half, 12), warp)
    edge, top = edge.moved((0.0, 0.0, height)), top.moved((0.0, 0.0, height))
    shapes.add_mesh_geom(spec, body, f"{name}_body", edge, look.material(spec, "silicon_edge"), group=look.GROUP_PART)
    texcoord = top.vertices[:, :2] / (2.0 * RADIUS) + 0.5
    shapes.add_mesh_geom(
        spec, body, f"{name}_top", top, look.material(spec, "silicon"), texcoord=texcoord, group=look.GROUP_PART
    )


def add_wafer(
    spec: mujoco.MjSpec,
    *,
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0),
    visual: bool = True,
    name: str = "wafer",
    thickness: float = THICKNESS,
    warp: float = 0.0,
    rests: bool = False,
) -> mujoco.MjsBody:
    """Add the free body `name` to the world of `spec`.

    The collision geom `<name>_disc` takes part in no automatic contact: cells pair it with what may touch it. With
    `rests`, it also lies on fixtures: `<name>_disc` on what carries it well inside the rim, and a second geom
    `<name>_rim` on slots and shelves. Both are flat discs, at the heights that the bowl of a warped wafer has on
    `INNER_CIRCLE` and on `RIM_CIRCLE`; write `median_height` to their z positions to change the warp of a model.

    Args:
        spec: specification to extend.
        pos: (3,) position of the wafer's centre of mass (a flat wafer's centre, at mid-thickness), in metres.
        visual: also add the drawn shape.
        name: name of the body and prefix of its parts.
        thickness: m; the mass follows it.
        warp: rim minus centre of a bowl-shaped wafer, m.
        rests: also collide with the supports of fixtures.

    Returns:
        The body; joint `<name>_free`, geom `<name>_disc` and site `<name>_centre` belong to it.

    Raises:
        ShopfloorError: thickness or warp that no 300 mm wafer has.
    """
    if not 1e-4 <= thickness <= 2e-3:
        raise ShopfloorError(f"thickness={thickness!r} m of wafer {name!r}: choose a value in [0.0001, 0.002]")
    if not abs(warp) <= 5e-3:
        raise ShopfloorError(f"warp={warp!r} m of wafer {name!r}: choose a value in [-0.005, 0.005]")
    body = spec.worldbody.add_body(name=name, pos=pos, simple=False)
    body.add_freejoint(name=f"{name}_free")
    body.explicitinertial = True
    body.mass = MASS if thickness == THICKNESS else float(mass(thickness))
    body.ipos = [0.0, 0.0, 0.0]
    body.inertia = inertia(thickness)
    discs = [("disc", INNER_CIRCLE, INNER_SUPPORT if rests else 0)]
    if rests:
        discs.append(("rim", RIM_CIRCLE, RIM_SUPPORT))
    for part, circle, bits in discs:
        body.add_geom(
            name=f"{name}_{part}", type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=[RADIUS, 0.5 * thickness, 0.0], mass=0.0,
            pos=[0.0, 0.0, float(median_height(warp, circle))], contype=0, conaffinity=bits,
            group=look.GROUP_COLLISION,
        )  # fmt: skip
    body.add_site(name=f"{name}_centre", size=[0.002, 0.0, 0.0], group=4)
    if visual:
        draw_wafer(spec, body, name, thickness, warp)
    return body


def wafer_300mm(*, visual: bool = True) -> mujoco.MjSpec:
    """Specification that holds one free 300 mm wafer, ready to be attached or compiled.

    Args:
        visual: also add the drawn shape.

    Returns:
        The specification.
    """
    spec = mujoco.MjSpec()
    spec.modelname = "wafer_300mm"
    add_wafer(spec, visual=visual)
    return spec
