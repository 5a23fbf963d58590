"""Plates of weldments as boxes and cylinders, whose faces rays meet exactly.

Primitives and not meshes: their faces are exact in double precision, and an environment can give every row its own
gaps and bends by writing the geoms' fields (`Weldment.fields`).
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...frames import quat_from_matrix

Array = NDArray[np.float64]

BOX, CYLINDER, CAPSULE = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_CAPSULE


@dataclass(frozen=True)
class Solid:
    """One geom of a part, in the part's frame.

    Attributes:
        name: unique within the part.
        pos: (3,) m.
        rotation: (3, 3).
        size: (3,) as MuJoCo has it: half edges; radius and half length.
        kind: type of geom.
        finish: what it looks like.
    """

    name: str
    pos: Array
    rotation: Array
    size: Array
    kind: mujoco.mjtGeom = BOX
    finish: str = "plate_steel"

    @property
    def quat(self) -> Array:
        """(4,) wxyz."""
        return quat_from_matrix(self.rotation.reshape(9))


def block(name: str, low: ArrayLike, high: ArrayLike, finish: str = "plate_steel") -> Solid:
    """Upright box between two corners (3,), m."""
    a, b = np.asarray(low, float), np.asarray(high, float)
    return Solid(name, 0.5 * (a + b), np.eye(3), 0.5 * (b - a), finish=finish)


def frame(tangent: Array) -> Array:
    """(3, 3) rotation with x along the horizontal `tangent` (2,) and z up."""
    x, y = tangent
    return np.array([[x, -y, 0.0], [y, x, 0.0], [0.0, 0.0, 1.0]])


@dataclass(frozen=True)
class Wall:
    """A plate on edge that follows a bent line, as a chain of boxes whose side faces meet at mitred corners.

    Attributes:
        midline: (k + 1, 2) in the x-y plane, m.
        thickness: m.
        bottom: (k,) height of the lower edge of each piece, m.
        top: (k,) height of the upper edge, m.
    """

    midline: Array
    thickness: float
    bottom: Array
    top: Array

    @property
    def tangents(self) -> Array:
        """(k, 2) directions of the pieces."""
        chord = np.diff(self.midline, axis=0)
        return np.asarray(chord / np.sqrt(np.sum(chord * chord, axis=1, keepdims=True)))

    @property
    def normals(self) -> Array:
        """(k, 3) out of the left faces."""
        t = self.tangents
        return np.stack([-t[:, 1], t[:, 0], np.zeros(len(t))], axis=1)

    def edge(self, side: float) -> Array:
        """(k + 1, 2) corners of the face on the left (`side` 1) or right (-1) of the midline."""
        n = self.normals[:, :2]
        before, after = np.concatenate([n[:1], n]), np.concatenate([n, n[-1:]])
        mitre = (before + after) / (1.0 + np.sum(before * after, axis=1, keepdims=True))
        return np.asarray(self.midline + side * 0.5 * self.thickness * mitre)

    def solids(self, name: str, lean: float = 0.0) -> list[Solid]:
        """The boxes `<name>_0`, ...; `lean` (rad) turns each about the lower edge line of its left face at z = 0."""
        t, n = self.tangents, self.normals
        cos = np.clip(np.sum(t[1:] * t[:-1], axis=1), -1.0, 1.0)
        # beyond each corner by what its outer face needs to reach the mitre; the surplus is inside the neighbour
        surplus = 0.5 * self.thickness * np.sqrt((1.0 - cos) / (1.0 + cos))
        first, last = np.concatenate([[0.0], surplus]), np.concatenate([surplus, [0.0]])
        c, s = np.cos(lean), np.sin(lean)
        tilt = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
        solids = []
        for k, direction in enumerate(t):
            rotation = frame(direction) @ tilt
            start, stop = self.midline[k] - first[k] * direction, self.midline[k + 1] + last[k] * direction
            half = 0.5 * np.array([np.hypot(*(stop - start)), self.thickness, self.top[k] - self.bottom[k]])
            root = np.append(0.5 * (start + stop), 0.0) + 0.5 * self.thickness * n[k]
            pos = root + rotation @ np.array([0.0, -half[1], self.bottom[k] + half[2]])
            solids.append(Solid(f"{name}_{k}", pos, rotation, half))
        return solids


def bevelled(
    name: str, x: tuple[float, float], side: float, opening: float, width: float, thickness: float, root_face: float,
    bevel: float, raised: float, steps: int = 4,
) -> list[Solid]:  # fmt: skip
    """One plate of a V-groove between two x, as boxes: body, stairs under the bevel, and a thin slab that is the bevel.

    Args:
        name: prefix.
        x: ends, m.
        side: 1 for the plate at +y, -1 for the one at -y.
        opening: root face to the middle plane, m.
        width: of the plate, from the middle plane, m.
        thickness, root_face: m.
        bevel: angle of the bevel from the vertical, rad.
        raised: height of the underside, m.
        steps: of the stairs.
    """
    x0, x1 = x
    run = (thickness - root_face) * np.tan(bevel)

    def part(label: str, y0: float, y1: float, height: float) -> Solid:
        low, high = sorted((side * y0, side * y1))
        return block(f"{name}_{label}", (x0, low, raised), (x1, high, raised + height))

    solids = [part("body", opening + run, width, thickness)]
    for j in range(steps):
        height = root_face + (thickness - root_face) * j / steps
        solids.append(part(f"step_{j}", opening + run * j / steps, opening + run * (j + 1) / steps, height))
    up = np.array([0.0, side * np.sin(bevel), np.cos(bevel)])
    out = np.array([0.0, -side * np.cos(bevel), np.sin(bevel)])
    depth = min(1e-3, root_face / np.sin(bevel))
    middle = np.array([0.5 * (x0 + x1), side * (opening + 0.5 * run), raised + 0.5 * (thickness + root_face)])
    rotation = np.stack([np.array([side, 0.0, 0.0]), up, out], axis=1)
    slope = (thickness - root_face) / np.cos(bevel)
    size = 0.5 * np.array([x1 - x0, slope, depth])
    solids.append(Solid(f"{name}_bevel", middle - 0.5 * depth * out, rotation, size, finish="ground_steel"))
    return solids
