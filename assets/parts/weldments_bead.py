"""What welding looks like: the bead as it is laid and the glow of the arc, added to a picture and not to the model.

A bead is a row of overlapping ellipsoids, one for each ripple, appended to the scene when a picture is drawn: it costs
the physics nothing, whatever its length, and every row of a batch can have its own. The same for the arc, whose light
falls on what is near.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

RIPPLE = 1.6e-3  # m, distance of the ripples that are drawn
RIPPLE_TILT = 0.45  # rad, each leans back over the one before
ROOM_C, MELTING_C = 20.0, 1500.0
# Spheres whose haze adds up towards the core; all touch the root, so that they do not shine through a plate (m).
GLOW_RADIUS, GLOW_SHELLS = 0.040, 24
# Colour (rgb) and glow of steel over temperature (deg C): oxide grey, then incandescence.
_HEAT = np.array(
    [(20.0, 0.47, 0.46, 0.46, 0.0), (450.0, 0.36, 0.34, 0.36, 0.0), (620.0, 0.45, 0.16, 0.12, 0.25),
     (850.0, 0.85, 0.26, 0.08, 0.7), (1100.0, 1.0, 0.55, 0.16, 1.0), (1500.0, 1.0, 0.90, 0.62, 1.0)]
)  # fmt: skip


@dataclass(frozen=True)
class Bead:
    """Ripples of a bead, world frame.

    Attributes:
        position: (k, 3) centres of the ellipsoids, m.
        rotation: (k, 3, 3), x along the weld, z out of it.
        size: (k, 3) semi-axes, m.
        rgba: (k, 4).
        emission: (k,) own light, 0 to 1.
    """

    position: Array
    rotation: Array
    size: Array
    rgba: Array
    emission: Array


def heat_color(temperature: ArrayLike) -> tuple[Array, Array]:
    """Colour (k, 4) and glow (k,) of steel at `temperature` (k,), deg C."""
    t = np.atleast_1d(np.asarray(temperature, float))
    rgb = np.stack([np.interp(t, _HEAT[:, 0], _HEAT[:, c]) for c in (1, 2, 3)], axis=1)
    return np.column_stack([rgb, np.ones(len(t))]), np.interp(t, _HEAT[:, 0], _HEAT[:, 4])


def cooling(age: ArrayLike, halving_s: float = 2.5) -> Array:
    """Temperature (deg C) of a bead `age` seconds after it was laid, for pictures: falls as 1 / (1 + age / halving)."""
    return ROOM_C + (MELTING_C - ROOM_C) / (1.0 + np.maximum(np.asarray(age, float), 0.0) / halving_s)


def _bead(position: Array, tangent: Array, out: Array, middle: Array, across: Array, up: Array, t: ArrayLike) -> Bead:
    """Ellipsoids around `position + middle * out` with semi-axes `across` and `up`, leaning back along the weld."""
    side = np.cross(out, tangent)
    c, s = np.cos(RIPPLE_TILT), np.sin(RIPPLE_TILT)
    x, z = c * tangent + s * out, c * out - s * tangent
    rotation = np.stack([x, side, z], axis=2)
    size = np.stack([np.maximum(0.45 * up, 1.3 * RIPPLE), across, up], axis=1)
    temperature = np.broadcast_to(np.asarray(t, float), (len(position),))
    rgba, emission = heat_color(temperature)
    return Bead(position + middle[:, None] * out, rotation, size, rgba, emission)


def fillet_bead(
    position: Array, tangent: Array, bisector: Array, leg: ArrayLike, convexity: ArrayLike = 0.0,
    temperature: ArrayLike = ROOM_C,
) -> Bead:  # fmt: skip
    """Bead in the corner of two faces at right angles.

    Args:
        position, tangent, bisector: (k, 3) of the seam, one for each ripple, about `RIPPLE` apart.
        leg: length of both legs (k,), m.
        convexity: height of the bead over the line between its toes (k,), m.
        temperature: (k,) deg C.
    """
    leg, convexity = (np.broadcast_to(np.asarray(v, float), (len(position),)) for v in (leg, convexity))
    half = leg / np.sqrt(2.0)  # toe to toe, and root to the line between the toes
    up = 0.55 * half + convexity
    middle = half + convexity - up
    # the ellipse through the toes
    across = half / np.sqrt(np.maximum(1.0 - ((half - middle) / up) ** 2, 0.15))
    return _bead(position, tangent, bisector, middle, across, up, temperature)


def butt_bead(
    position: Array, tangent: Array, normal: Array, width: ArrayLike, height: ArrayLike, temperature: ArrayLike = ROOM_C
) -> Bead:
    """Cap of `width` (k,) and `height` (k,), m, on a face with `normal` (k, 3) at `position` (k, 3)."""
    width, height = (np.broadcast_to(np.asarray(v, float), (len(position),)) for v in (width, height))
    return _bead(position, tangent, normal, np.zeros(len(position)), 0.5 * width, height, temperature)


def _append(scene: mujoco.MjvScene, kind: mujoco.mjtGeom, size: Array, pos: Array, rotation: Array, rgba: Array) -> int:
    """Index of a new geom, -1 if the scene is full."""
    if scene.ngeom >= scene.maxgeom:
        return -1
    mujoco.mjv_initGeom(scene.geoms[scene.ngeom], kind, size, pos, rotation.ravel(), rgba.astype(np.float32))
    scene.ngeom += 1
    return scene.ngeom - 1


def draw_bead(scene: mujoco.MjvScene, bead: Bead) -> None:
    """Append a bead to a scene, as far as it has room."""
    for k in range(len(bead.position)):
        index = _append(
            scene, mujoco.mjtGeom.mjGEOM_ELLIPSOID, bead.size[k], bead.position[k], bead.rotation[k], bead.rgba[k]
        )
        if index < 0:
            return
        geom = scene.geoms[index]
        geom.specular, geom.shininess, geom.emission = 0.8, 0.5, float(bead.emission[k])


def draw_arc(scene: mujoco.MjvScene, position: ArrayLike, out: ArrayLike, power: float = 1.0) -> None:
    """Append a burning arc: a white core, a bluish glow around it, and a lamp that lights what is near.

    Args:
        scene: to draw into.
        position: (3,) where the arc meets the work, m.
        out: (3,) unit vector towards the contact tip.
        power: brightness, 1 for a usual arc.
    """
    at, up = np.asarray(position, float), np.asarray(out, float)
    radii = GLOW_RADIUS * np.geomspace(0.05, 1.0, GLOW_SHELLS) * np.sqrt(power)
    share = np.linspace(0.0, 1.0, GLOW_SHELLS)[:, None]
    colors = (1.0 - share) * (1.0, 1.0, 1.0, 1.0) + share * (0.60, 0.76, 1.0, 1.0)
    colors[:, 3] = np.append(1.0, 0.30 * (1.0 - share[1:, 0]) ** 2 + 0.006)
    for radius, color in zip(radii, colors, strict=True):
        index = _append(scene, mujoco.mjtGeom.mjGEOM_SPHERE, np.full(3, radius), at + radius * up, np.eye(3), color)
        if index >= 0:
            geom = scene.geoms[index]
            geom.emission, geom.specular, geom.shininess = 1.0, 0.0, 0.0
    if scene.nlight >= len(scene.lights):
        return
    light = scene.lights[scene.nlight]
    scene.nlight += 1
    light.id, light.headlight, light.castshadow = -1, 0, 0
    light.type = int(mujoco.mjtLightType.mjLIGHT_SPOT)
    # out of the joint, or the faces would be lit at grazing angles only; dim enough to let the core stand out
    light.pos, light.dir = at + 0.05 * up, -up
    light.attenuation = [0.45, 0.0, 40.0 / power]
    light.cutoff, light.exponent, light.intensity, light.range, light.bulbradius = 89.0, 1.5, 0.0, 10.0, 0.01
    light.ambient, light.diffuse, light.specular = [0.0] * 3, [0.48, 0.55, 0.66], [0.05, 0.06, 0.07]
