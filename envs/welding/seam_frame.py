"""Where a torch is along a seam: the taught path, the true seam, and the section between them.

A section is seen along the tangent. `out` leads out of the joint, half way between its faces, and `lateral` is
`tangent x out`: to the plate that stands up or lies on top, which is on the right (see `assets.parts.weldments_seam`).
With `lean` the angle of `out` from the vertical to the left of the tangent,

    out = cos(lean) up + sin(lean) left        lateral = sin(lean) up - cos(lean) left

so that a fillet has a lean of 45 degrees and a butt joint of 0. Lateral and height (along `out`) are in mm, positions
in m. All arrays have the rows first; sums run in a fixed order, so a row does not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..control.chain import transform_back
from ..engine.task import Rows

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]
New = Callable[..., Any]  # `Rows.new`


@dataclass(frozen=True)
class SeamFrames:
    """Section frames of n rows, world.

    Attributes:
        position: (n, 3) m.
        tangent, lateral, out: (n, 3) unit vectors.
    """

    position: Array
    tangent: Array
    lateral: Array
    out: Array

    def point(self, lateral_mm: Array, height_mm: Array) -> Array:
        """World points (n, 3) at coordinates (n,) in the section."""
        return self.position + 1e-3 * (lateral_mm[:, None] * self.lateral + height_mm[:, None] * self.out)


def shared(s: Rows, name: str, shape: tuple[int, ...] = ()) -> Array:
    """The row array `name`, registered by whoever asks first: task or action interface."""
    array: Array = getattr(s, name) if name in s else s.new(name, shape)
    return array


def dot(a: Array, b: Array) -> Array:
    """Scalar product of vectors (..., 3), summed in a fixed order."""
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]


def section_axes(tangent: Array, lean: float) -> tuple[Array, Array]:
    """`lateral` and `out` (..., 3) of horizontal unit tangents (..., 3)."""
    c, s = float(np.cos(lean)), float(np.sin(lean))
    left = np.stack((-tangent[..., 1], tangent[..., 0], np.zeros_like(tangent[..., 0])), axis=-1)
    up = np.zeros_like(left)
    up[..., 2] = 1.0
    return s * up - c * left, c * up + s * left


class TaughtPath:
    """The path of n robot programs: one arc, or a straight line, in a horizontal plane.

    The arrays belong to the rows: a task and its action interface have an object each, bound to the same arrays.

    Args:
        lean: see the module, rad.

    Attributes:
        origin: (n, 3) start, m, world.
        heading: (n,) direction of the tangent there, rad from +x.
        curvature: (n,) 1/m, positive to the left, 0 for a straight seam.
    """

    def __init__(self, lean: float = np.pi / 4):
        self.lean = lean

    def bind(self, s: Rows) -> None:
        """Take the rows' arrays, or register them if nobody has."""
        self.origin: Array = shared(s, "path_origin", (3,))
        self.heading: Array = shared(s, "path_heading")
        self.curvature: Array = shared(s, "path_curvature")

    def at(self, s_mm: Array, rows: RowIndex | slice = slice(None)) -> SeamFrames:
        """Frames at arc lengths (k,) of `rows` (k,); the arc goes on beyond its ends."""
        s = 1e-3 * s_mm
        turn = self.curvature[rows] * s
        c0, s0 = np.cos(self.heading[rows]), np.sin(self.heading[rows])
        # sin(x) / x and (1 - cos(x)) / x, which are 1 and 0 on a straight line
        safe = np.where(np.abs(turn) > 1e-9, turn, 1.0)
        straight = np.abs(turn) <= 1e-9
        along = s * np.where(straight, 1.0, np.sin(turn) / safe)
        half = np.sin(0.5 * turn)
        left = s * np.where(straight, 0.0, 2.0 * half * half / safe)
        origin = self.origin[rows]
        position = np.stack(
            (origin[:, 0] + c0 * along - s0 * left, origin[:, 1] + s0 * along + c0 * left, origin[:, 2]), axis=1
        )
        angle = self.heading[rows] + turn
        tangent = np.stack((np.cos(angle), np.sin(angle), np.zeros_like(angle)), axis=1)
        lateral, out = section_axes(tangent, self.lean)
        return SeamFrames(position, tangent, lateral, out)

    def locate(self, point: Array, rows: RowIndex | slice = slice(None)) -> tuple[Array, Array, Array]:
        """Arc length, lateral and height in mm (k,) of points (k, 3) near the path of `rows`; inverse of `at`."""
        d = point - self.origin[rows]
        c0, s0 = np.cos(self.heading[rows]), np.sin(self.heading[rows])
        along, left = c0 * d[:, 0] + s0 * d[:, 1], c0 * d[:, 1] - s0 * d[:, 0]
        k = self.curvature[rows]
        # the centre is 1 / k to the left; written so that a straight line needs no case of its own
        forward, inward = k * along, 1.0 - k * left
        angle = np.arctan2(forward, inward)
        radius = np.sqrt(forward * forward + inward * inward)
        bent = np.abs(k) > 1e-9
        safe = np.where(bent, k, 1.0)
        s = np.where(bent, angle / safe, along)
        # (1 - radius) / k without the cancellation near k = 0
        beside = np.where(bent, (2.0 * left - k * (along * along + left * left)) / (1.0 + radius), left)
        c, sn = float(np.cos(self.lean)), float(np.sin(self.lean))
        return 1e3 * s, 1e3 * (sn * d[:, 2] - c * beside), 1e3 * (c * d[:, 2] + sn * beside)


class SeamLine:
    """The true seams of n rows: chains of m straight pieces in the frame of a part whose pose may change.

    Args:
        new: makes the row arrays.
        pieces: m.
        lean: see the module, rad.
        start_mm: arc length 0 of the seam lies that far from the first corner.

    Attributes:
        points: (n, m + 1, 2) corners of the root in the part's x-y plane at z = 0, m.
        position: (n, 3) of the part, m, world.
        rotation: (n, 3, 3) of the part.
    """

    def __init__(self, new: New, pieces: int, lean: float = np.pi / 4, start_mm: float = 0.0):
        self.lean = lean
        self.start_mm = start_mm
        self.points: Array = new("seam_points", (pieces + 1, 2))
        self.position: Array = new("part_position", (3,))
        self.rotation: Array = new("part_rotation", (3, 3))
        # before its first episode a row has a seam of 1 m, so that it can be measured
        self.points[..., 0] = np.linspace(0.0, 1.0, pieces + 1)
        self.rotation[:] = np.eye(3)

    @property
    def length_mm(self) -> Array:
        """Length of each seam (n,)."""
        return self._pieces()[3][:, -1]

    def _pieces(self) -> tuple[Array, Array, Array, Array]:
        """Starts (n, m, 2), directions (n, m, 2), lengths (n, m) in m; their ends in mm from the first corner."""
        chord = self.points[:, 1:] - self.points[:, :-1]
        length = np.sqrt(chord[..., 0] * chord[..., 0] + chord[..., 1] * chord[..., 1])
        return self.points[:, :-1], chord / length[..., None], length, 1e3 * np.cumsum(length, axis=1)

    def locate(self, point: Array) -> tuple[Array, Array, Array]:
        """Arc length, lateral and height in mm (n,) of world points (n, 3), at the nearest place of each seam."""
        p = transform_back(self.rotation, point - self.position)
        start, direction, length, ends = self._pieces()
        dx, dy = p[:, None, 0] - start[..., 0], p[:, None, 1] - start[..., 1]
        along = dx * direction[..., 0] + dy * direction[..., 1]
        low, high = np.zeros_like(length), length.copy()
        low[:, 0], high[:, -1] = -np.inf, np.inf  # the first and last piece go on
        along = np.minimum(np.maximum(along, low), high)
        rx, ry = dx - along * direction[..., 0], dy - along * direction[..., 1]
        nearest = np.argmin(rx * rx + ry * ry, axis=1)
        row = np.arange(len(p))
        t, rx, ry = direction[row, nearest], rx[row, nearest], ry[row, nearest]
        left = t[:, 0] * ry - t[:, 1] * rx
        c, s = float(np.cos(self.lean)), float(np.sin(self.lean))
        place = ends[row, nearest] - 1e3 * length[row, nearest] + 1e3 * along[row, nearest]
        return place - self.start_mm, 1e3 * (s * p[:, 2] - c * left), 1e3 * (c * p[:, 2] + s * left)

    def at(self, s_mm: Array) -> Array:
        """Root points (n, 3), m, world, at arc lengths (n,)."""
        row = np.arange(len(s_mm))
        return self._root(row, s_mm)

    def of_row(self, row: int, s_mm: Array) -> Array:
        """Root points (k, 3), m, world, of one row at arc lengths (k,)."""
        return self._root(np.full(len(s_mm), row), s_mm)

    def _root(self, row: RowIndex, s_mm: Array) -> Array:
        start, direction, length, ends = self._pieces()
        s_mm = s_mm + self.start_mm
        # the piece in which s lies: as many as have ended before it
        piece = np.minimum(np.sum(ends[row] <= s_mm[:, None], axis=1), length.shape[1] - 1)
        along = 1e-3 * (s_mm - ends[row, piece]) + length[row, piece]
        xy = start[row, piece] + along[:, None] * direction[row, piece]
        r = self.rotation[row]
        return self.position[row] + r[..., 0] * xy[:, :1] + r[..., 1] * xy[:, 1:]
