"""300 mm silicon wafer as a free rigid body.

Rigid is enough for handling: the first free-free mode of a 300 mm wafer is near 70 Hz, several times above the
10 to 20 Hz modes of the arm that carries it, and its sag on a rim is below 0.1 mm.
"""

from __future__ import annotations

import mujoco
import numpy as np

from .. import look, shapes

RADIUS = 0.150  # m; nominal diameter 300 mm
THICKNESS = 775e-6  # m; nominal for the 300 mm class
DENSITY = 2329.0  # kg/m^3, single-crystal silicon
# The 0.1276 kg of a full disc: pi r^2 t rho. The notch removes about 2 mg.
MASS = 0.1276
INERTIA_AXIAL = 0.5 * MASS * RADIUS**2  # kg m^2 about the disc axis
INERTIA_DIAMETRAL = MASS * (RADIUS**2 / 4.0 + THICKNESS**2 / 12.0)  # kg m^2 about a diameter

# The drawn notch is wider and deeper than the real one (1 mm) so that it can be seen in a picture of a whole cell.
_DRAWN_NOTCH_DEPTH = 3.0e-3
_DRAWN_NOTCH_HALF_ANGLE = 0.022  # rad


def _outline() -> shapes.Array:
    """(n, 2) rim with a V notch at -x, the side that faces the robot."""
    half = _DRAWN_NOTCH_HALF_ANGLE
    angle = np.linspace(-np.pi + half, np.pi - half, 160)
    rim = RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.concatenate([rim, [[-(RADIUS - _DRAWN_NOTCH_DEPTH), 0.0]]])


def _add_visual(spec: mujoco.MjSpec, body: mujoco.MjsBody) -> None:
    outline = _outline()
    half = 0.5 * THICKNESS
    edge = shapes.extrude(outline, -half, half - 2e-5)
    shapes.add_mesh_geom(spec, body, "wafer_body", edge, look.material(spec, "silicon_edge"), group=look.GROUP_PART)
    top = shapes.Mesh(np.column_stack([outline, np.full(len(outline), half)]), shapes.triangulate(outline))
    texcoord = outline / (2.0 * RADIUS) + 0.5
    shapes.add_mesh_geom(
        spec, body, "wafer_top", top, look.material(spec, "silicon"), texcoord=texcoord, group=look.GROUP_PART
    )


def add_wafer(
    spec: mujoco.MjSpec,
    *,
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0),
    visual: bool = True,
) -> mujoco.MjsBody:
    """Add the free body `wafer` to the world of `spec`.

    The collision geom `wafer_disc` takes part in no automatic contact: cells pair it with what may touch it.

    Args:
        spec: specification to extend.
        pos: (3,) position of the wafer centre, at mid-thickness, in metres.
        visual: also add the drawn shape.

    Returns:
        The body; joint `wafer_free`, geom `wafer_disc` and site `wafer_centre` belong to it.
    """
    body = spec.worldbody.add_body(name="wafer", pos=pos, simple=False)
    body.add_freejoint(name="wafer_free")
    body.explicitinertial = True
    body.mass = MASS
    body.ipos = [0.0, 0.0, 0.0]
    body.inertia = [INERTIA_DIAMETRAL, INERTIA_DIAMETRAL, INERTIA_AXIAL]
    body.add_geom(
        name="wafer_disc", type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=[RADIUS, 0.5 * THICKNESS, 0.0], mass=0.0,
        contype=0, conaffinity=0, group=look.GROUP_COLLISION,
    )  # fmt: skip
    body.add_site(name="wafer_centre", size=[0.002, 0.0, 0.0], group=4)
    if visual:
        _add_visual(spec, body)
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
