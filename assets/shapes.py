"""Procedural triangle meshes: lathed, extruded, swept and rounded solids.

Every visual shape in the asset library is generated here from a few dimensions, so that the library ships no
mesh files and carries no foreign licence. A `Mesh` is plain numpy; `add_mesh_geom` hands it to MuJoCo.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import look

Array = NDArray[np.float64]

# Two facets that meet at a sharper angle than this are drawn as an edge, at a flatter angle as a smooth surface.
CREASE_ANGLE_RAD = np.deg2rad(35.0)
# Round shapes with fewer facets than this are meant to have edges: hexagon heads, for instance.
ROUND_FACETS = 16

_detail: ContextVar[float] = ContextVar("detail", default=1.0)


@contextmanager
def detail(share: float) -> Iterator[None]:
    """Build round shapes with this share of their facets, for pictures of so few pixels that nobody sees it."""
    token = _detail.set(share)
    try:
        yield
    finally:
        _detail.reset(token)


@dataclass(frozen=True)
class Mesh:
    """Triangle mesh.

    Attributes:
        vertices: (n, 3) positions in metres.
        faces: (m, 3) vertex indices, counter-clockwise seen from outside.
    """

    vertices: Array
    faces: NDArray[np.int32]

    def moved(self, pos: ArrayLike = (0.0, 0.0, 0.0), rot: ArrayLike | None = None) -> Mesh:
        """Rotate by the (3, 3) matrix `rot`, then shift by `pos` (3,), metres."""
        vertices = self.vertices if rot is None else self.vertices @ np.asarray(rot, float).T
        return Mesh(vertices + np.asarray(pos, float), self.faces)

    def along(self, axis: str) -> Mesh:
        """Turn a shape built along +z so that its z axis points along `axis`: one of x, y, z, -x, -y, -z."""
        return self.moved(rot=AXIS_ROTATIONS[axis])


# Proper rotations that take +z to the named axis.
AXIS_ROTATIONS: dict[str, Array] = {
    "z": np.eye(3),
    "-z": np.diag([1.0, -1.0, -1.0]),
    "x": np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]),
    "-x": np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
    "y": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
    "-y": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
}


def rot_z(angle: float) -> Array:
    """(3, 3) rotation about z by `angle` rad."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def join(*meshes: Mesh) -> Mesh:
    """One mesh out of several: a draw call and a material serve all of them."""
    offsets = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.faces + o for m, o in zip(meshes, offsets, strict=False)]).astype(np.int32),
    )


def _strip(rows: int, columns: int, *, close_rows: bool, close_columns: bool) -> NDArray[np.int32]:
    """Triangles over a (rows, columns) vertex grid; rows advance along the surface, columns around it."""
    i = np.arange(rows if close_rows else rows - 1)
    j = np.arange(columns if close_columns else columns - 1)
    ii, jj = (a.ravel() for a in np.meshgrid(i, j, indexing="ij"))
    i1, j1 = (ii + 1) % rows, (jj + 1) % columns
    a, b, c, d = ii * columns + jj, ii * columns + j1, i1 * columns + j1, i1 * columns + jj
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)


def lathe(profile: Sequence[tuple[float, float]], segments: int = 72) -> Mesh:
    """Solid of revolution about z.

    Args:
        profile: (radius, z) points from the bottom to the top; a radius of zero closes the surface.
        segments: facets around the axis.
    """
    if segments > ROUND_FACETS:
        segments = max(ROUND_FACETS, round(_detail.get() * segments))
    p = np.asarray(profile, float)
    angle = np.linspace(0.0, 2.0 * np.pi, segments, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    vertices = np.empty((len(p), segments, 3))
    vertices[..., :2] = p[:, None, :1] * ring
    vertices[..., 2] = p[:, None, 1]
    return Mesh(vertices.reshape(-1, 3), _strip(len(p), segments, close_rows=False, close_columns=True))


def _arc(center: tuple[float, float], radius: float, start: float, stop: float, n: int) -> list[tuple[float, float]]:
    angle = np.linspace(start, stop, n)
    return [(center[0] + radius * float(np.cos(a)), center[1] + radius * float(np.sin(a))) for a in angle]


def cylinder(radius: float, z0: float, z1: float, edge: float = 0.0, segments: int = 72) -> Mesh:
    """Solid cylinder from z0 to z1 whose rims are rounded with radius `edge` (m)."""
    if edge <= 0.0:
        return lathe([(0.0, z0), (radius, z0), (radius, z1), (0.0, z1)], segments)
    bottom = _arc((radius - edge, z0 + edge), edge, -np.pi / 2, 0.0, 5)
    top = _arc((radius - edge, z1 - edge), edge, 0.0, np.pi / 2, 5)
    return lathe([(0.0, z0), *bottom, *top, (0.0, z1)], segments)


def dome(radius: float, z0: float, height: float, segments: int = 72) -> Mesh:
    """Shallow elliptic cap that rises from a rim of `radius` at z0 by `height` (negative: downwards)."""
    angle = np.linspace(0.0, np.pi / 2, 9)
    rim = [(radius * float(np.cos(a)), z0 + height * float(np.sin(a))) for a in angle]
    profile = [(0.0, z0), *rim]
    return lathe(profile if height > 0.0 else profile[::-1], segments)


def ring(inner: float, outer: float, z0: float, z1: float, edge: float = 0.0, segments: int = 72) -> Mesh:
    """Flat ring (washer, flange, rim) with chamfered outer and inner edges of `edge` (m)."""
    e = edge
    profile = [
        (inner + e, z0), (outer - e, z0), (outer, z0 + e), (outer, z1 - e), (outer - e, z1), (inner + e, z1),
        (inner, z1 - e), (inner, z0 + e), (inner + e, z0),
    ]  # fmt: skip
    return lathe(profile, segments)


def tube_between(start: ArrayLike, stop: ArrayLike, r0: float, r1: float | None = None, segments: int = 32) -> Mesh:
    """Straight round bar from `start` to `stop` (3,), radius r0 to r1 (m)."""
    p0, p1 = np.asarray(start, float), np.asarray(stop, float)
    length = float(np.linalg.norm(p1 - p0))
    bar = lathe([(0.0, 0.0), (r0, 0.0), (r1 if r1 is not None else r0, length), (0.0, length)], segments)
    return bar.moved(p0, _frame_to((p1 - p0) / length))


def _frame_to(direction: Array) -> Array:
    """(3, 3) rotation whose third column is `direction`."""
    helper = np.array([1.0, 0.0, 0.0]) if abs(direction[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    x = np.cross(helper, direction)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(direction, x), direction], axis=1)


def sweep(points: ArrayLike, radius: float, segments: int = 12, samples: int = 48) -> Mesh:
    """Round hose of `radius` along a Catmull-Rom spline through `points` (n, 3), n >= 2."""
    p = np.asarray(points, float)
    padded = np.concatenate([[2 * p[0] - p[1]], p, [2 * p[-1] - p[-2]]])
    s = np.linspace(0.0, len(p) - 1 - 1e-9, samples)
    k, t = s.astype(int), (s - s.astype(int))[:, None]
    a, b, c, d = padded[k], padded[k + 1], padded[k + 2], padded[k + 3]
    path = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    frame = _frame_to(tangent[0])
    angle = np.linspace(0.0, 2.0 * np.pi, segments, endpoint=False)
    rings = []
    for point, direction in zip(path, tangent, strict=True):
        # Parallel transport: project the previous normal so that the hose does not twist.
        x = frame[:, 0] - direction * (frame[:, 0] @ direction)
        x /= np.linalg.norm(x)
        frame = np.stack([x, np.cross(direction, x), direction], axis=1)
        rings.append(point + radius * (np.cos(angle)[:, None] * frame[:, 0] + np.sin(angle)[:, None] * frame[:, 1]))
    vertices = np.concatenate([[path[0]] * segments, *rings, [path[-1]] * segments])
    return Mesh(vertices, _strip(samples + 2, segments, close_rows=False, close_columns=True))


def _inset(outline: Array, distance: float) -> Array:
    """Move every corner of a counter-clockwise outline inwards by `distance` along both its edges."""
    edge = np.roll(outline, -1, axis=0) - outline
    edge /= np.linalg.norm(edge, axis=1, keepdims=True)
    inward = np.stack([-edge[:, 1], edge[:, 0]], axis=1)
    before = np.roll(inward, 1, axis=0)
    bisector = (inward + before) / (1.0 + np.sum(inward * before, axis=1, keepdims=True))
    return outline + distance * bisector


def _cross(o: Array, a: Array, b: Array) -> float:
    return float((a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]))


def triangulate(outline: Array) -> NDArray[np.int32]:
    """Ear clipping of a simple counter-clockwise polygon (n, 2); returns (n - 2, 3) indices."""
    todo = list(range(len(outline)))
    faces: list[tuple[int, int, int]] = []
    while len(todo) > 3:
        for k, b in enumerate(todo):
            a, c = todo[k - 1], todo[(k + 1) % len(todo)]
            if _cross(outline[a], outline[b], outline[c]) <= 1e-14:
                continue
            rest = outline[[v for v in todo if v not in (a, b, c)]]
            corners = outline[[a, b, c]]
            inside = np.ones(len(rest), bool)
            for p, q in zip(corners, np.roll(corners, -1, axis=0), strict=True):
                inside &= (q[0] - p[0]) * (rest[:, 1] - p[1]) - (q[1] - p[1]) * (rest[:, 0] - p[0]) >= 0.0
            if not inside.any():
                faces.append((a, b, c))
                del todo[k]
                break
        else:
            raise ValueError("outline is not a simple counter-clockwise polygon")
    faces.append((todo[0], todo[1], todo[2]))
    return np.array(faces, np.int32)


def extrude(outline: ArrayLike, z0: float, z1: float, bevel: float = 0.0) -> Mesh:
    """Prism over a simple counter-clockwise outline (n, 2) from z0 to z1, with edges chamfered by `bevel` (m)."""
    base = np.asarray(outline, float)
    n = len(base)
    layers = [(base, z0), (base, z1)]
    if bevel > 0.0:
        small = _inset(base, bevel)
        layers = [(small, z0), (base, z0 + bevel), (base, z1 - bevel), (small, z1)]
    vertices = np.concatenate([np.column_stack([xy, np.full(n, z)]) for xy, z in layers])
    cap = triangulate(layers[0][0])
    side = _strip(len(layers), n, close_rows=False, close_columns=True)
    return Mesh(vertices, np.concatenate([side, cap[:, ::-1], cap + n * (len(layers) - 1)]).astype(np.int32))


def extrude_ring(outer: ArrayLike, inner: ArrayLike, z0: float, z1: float, bevel: float = 0.0) -> Mesh:
    """Prism between two counter-clockwise outlines with the same number of corners (n, 2)."""
    o, i = np.asarray(outer, float), np.asarray(inner, float)
    rows: list[tuple[Array, float]] = [(i, z0), (o, z0), (o, z1), (i, z1)]
    if bevel > 0.0:
        o_small, i_large = _inset(o, bevel), _inset(i, -bevel)
        rows = [
            (i_large, z0), (o_small, z0), (o, z0 + bevel), (o, z1 - bevel), (o_small, z1), (i_large, z1),
            (i, z1 - bevel), (i, z0 + bevel),
        ]  # fmt: skip
    vertices = np.concatenate([np.column_stack([xy, np.full(len(o), z)]) for xy, z in rows])
    return Mesh(vertices, _strip(len(rows), len(o), close_rows=True, close_columns=True))


def polygon(sides: int, apothem: float, first_facet: float = 0.0) -> Array:
    """(sides, 2) corners of a regular polygon; a facet's outward normal points along `first_facet` rad."""
    angle = first_facet + np.pi / sides + 2.0 * np.pi * np.arange(sides) / sides
    return apothem / np.cos(np.pi / sides) * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def rounded_outline(corners: Sequence[tuple[float, float]], radii: float | Sequence[float], steps: int = 6) -> Array:
    """Counter-clockwise outline whose corners are replaced by fillets of `radii` (m), convex or concave."""
    c = np.asarray(corners, float)
    r = np.broadcast_to(np.asarray(radii, float), (len(c),))
    points: list[Array] = []
    for k, corner in enumerate(c):
        back, ahead = c[k - 1] - corner, c[(k + 1) % len(c)] - corner
        back, ahead = back / np.linalg.norm(back), ahead / np.linalg.norm(ahead)
        half = 0.5 * np.arccos(np.clip(back @ ahead, -1.0, 1.0))
        if r[k] <= 0.0 or half > np.pi / 2 - 1e-3:
            points.append(corner[None])
            continue
        middle = (back + ahead) / np.linalg.norm(back + ahead)
        center = corner + middle * r[k] / np.sin(half)
        first, last = corner + back * r[k] / np.tan(half), corner + ahead * r[k] / np.tan(half)
        a0 = np.arctan2(*(first - center)[::-1])
        turn = (np.arctan2(*(last - center)[::-1]) - a0 + np.pi) % (2.0 * np.pi) - np.pi
        angle = a0 + turn * np.linspace(0.0, 1.0, steps)
        points.append(center + r[k] * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    return np.concatenate(points)


def stadium(x0: float, x1: float, r0: float, r1: float, steps: int = 20) -> Array:
    """Outline of a link seen from above: discs of radius r0 at x0 and r1 at x1 (x1 > x0) joined by tangents."""
    lean = float(np.arcsin((r0 - r1) / (x1 - x0)))
    right = np.linspace(-np.pi / 2 + lean, np.pi / 2 - lean, steps)
    left = np.linspace(np.pi / 2 - lean, 3 * np.pi / 2 + lean, steps)
    return np.concatenate(
        [
            np.stack([x1 + r1 * np.cos(right), r1 * np.sin(right)], axis=1),
            np.stack([x0 + r0 * np.cos(left), r0 * np.sin(left)], axis=1),
        ]
    )


def box(size: ArrayLike, pos: ArrayLike = (0.0, 0.0, 0.0), bevel: float = 0.0) -> Mesh:
    """Box of full edge lengths `size` (3,) centred at `pos`, vertical and horizontal edges chamfered."""
    x, y, z = np.asarray(size, float)
    corners = [(-x / 2, -y / 2), (x / 2, -y / 2), (x / 2, y / 2), (-x / 2, y / 2)]
    bevel = min(bevel, 0.4 * x, 0.4 * y, 0.4 * z)
    outline = rounded_outline(corners, bevel, steps=4) if bevel > 0.0 else np.asarray(corners)
    return extrude(outline, -z / 2, z / 2, 0.7 * bevel).moved(pos)


def corner_normals(mesh: Mesh, crease: float = CREASE_ANGLE_RAD) -> Array:
    """(m, 3, 3) unit normal at each corner of each face, smoothed over neighbours flatter than `crease` rad."""
    triangle = mesh.vertices[mesh.faces]
    weighted = np.cross(triangle[:, 1] - triangle[:, 0], triangle[:, 2] - triangle[:, 0])
    area = np.linalg.norm(weighted, axis=1, keepdims=True)
    unit = weighted / np.maximum(area, 1e-18)
    # Vertices that coincide are one corner of the surface, whichever part of the mesh they came from.
    _, vertex = np.unique(np.round(mesh.vertices, 7), axis=0, return_inverse=True)
    corner_vertex = vertex.ravel()[mesh.faces.ravel()]
    corner_face = np.repeat(np.arange(len(mesh.faces)), 3)
    order = np.argsort(corner_vertex, kind="stable")
    starts = np.flatnonzero(np.diff(corner_vertex[order], prepend=-1))
    counts = np.diff(np.append(starts, len(order)))
    group_start, group_count = np.repeat(starts, counts), np.repeat(counts, counts)
    face = corner_face[order]
    total = np.zeros((len(order), 3))
    for k in range(int(counts.max())):
        active = np.flatnonzero(k < group_count)
        neighbour = face[group_start[active] + k]
        flat = np.sum(unit[face[active]] * unit[neighbour], axis=1) > np.cos(crease)
        total[active[flat]] += weighted[neighbour[flat]]
    normals = np.empty_like(total)
    normals[order] = total
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    fallback = unit[corner_face]
    return np.where(length > 1e-18, normals / np.maximum(length, 1e-18), fallback).reshape(-1, 3, 3)


@functools.lru_cache(maxsize=2048)
def _split_vertices(vertices: bytes, faces: bytes) -> tuple[NDArray[np.int32], Array, NDArray[np.int32]]:
    """Vertices that a mesh needs to have one normal each, from its float64 vertices and int32 faces.

    This is most of the work of building a cell to look at, and every picture of a cell needs the same shapes again.

    Returns:
        Which old vertex each new one is, its normal (m, 3), and the faces (3 * faces,) by new vertices.
    """
    corner = np.frombuffer(faces, np.int32)
    mesh = Mesh(np.frombuffer(vertices).reshape(-1, 3), corner.reshape(-1, 3))
    normals = corner_normals(mesh).reshape(-1, 3)
    # One vertex for each different (position, normal): hard edges are where the two sides do not share vertices.
    key = np.column_stack([corner, np.round(normals, 4)])
    _, first, index = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return corner[first], normals[first], index.ravel().astype(np.int32)


def add_mesh_geom(
    spec: mujoco.MjSpec,
    body: mujoco.MjsBody,
    name: str,
    mesh: Mesh,
    material: str,
    *,
    texcoord: Array | None = None,
    group: int = 1,
) -> None:
    """Add `mesh` to `body` as a visual geom: no mass, no contact.

    Args:
        spec: specification that owns the mesh asset.
        body: body whose frame the mesh is given in.
        name: unique name of the mesh asset and of the geom.
        mesh: the shape.
        material: name of a material of `spec`.
        texcoord: (n, 2) texture coordinates, one per vertex.
        group: visual group of the geom, 0 to 2.
    """
    vertices = np.ascontiguousarray(mesh.vertices, dtype=np.float64)
    faces = np.ascontiguousarray(mesh.faces[_nondegenerate(mesh)], dtype=np.int32)
    source, normals, index = _split_vertices(vertices.tobytes(), faces.tobytes())
    asset = spec.add_mesh(name=name)
    asset.uservert = vertices[source].ravel()
    asset.usernormal = normals.ravel()
    asset.userface = index
    if texcoord is not None:
        asset.usertexcoord = texcoord[source].ravel()
    # Open or thin surfaces have no usable volume; the geom carries no mass anyway.
    asset.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
    body.add_geom(
        name=name, type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, material=material, group=group,
        contype=0, conaffinity=0, mass=0.0,
    )  # fmt: skip


@dataclass
class Assembly:
    """Meshes of one rigid part, grouped by material so that each material costs one geom."""

    parts: dict[str, list[Mesh]] = field(default_factory=dict)

    def add(self, material: str, *meshes: Mesh) -> None:
        """Add `meshes` with the finish named `material`."""
        self.parts.setdefault(material, []).extend(meshes)

    def place(self, other: Assembly, pos: ArrayLike = (0.0, 0.0, 0.0), rot: ArrayLike | None = None) -> None:
        """Add a copy of `other`, rotated by `rot` (3, 3) and shifted by `pos` (3,), metres."""
        for material, meshes in other.parts.items():
            self.add(material, *(mesh.moved(pos, rot) for mesh in meshes))

    def build(self, spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str, group: int = look.GROUP_MACHINE) -> None:
        """Add the visual geoms `<name>_<material>` to `body`."""
        for material, meshes in self.parts.items():
            add_mesh_geom(spec, body, f"{name}_{material}", join(*meshes), look.material(spec, material), group=group)


def _nondegenerate(mesh: Mesh) -> NDArray[np.bool_]:
    triangle = mesh.vertices[mesh.faces]
    twice_area = np.linalg.norm(np.cross(triangle[:, 1] - triangle[:, 0], triangle[:, 2] - triangle[:, 0]), axis=1)
    return twice_area > 1e-12
