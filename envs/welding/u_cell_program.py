"""The robot program of a U-cell: where the torch goes, from the approach into the cell to the top of the last seam.

The program is made from the drawing and from where touch sensing has found stiffener and corner, for each row its own.
It runs along one coordinate, mm: over the three seams and, between them, over curves through the air that leave a seam
along its bisector and come down on the next one in the same way, with the torch turning on the way.

The arrays belong to the rows: a task and its action interface have an object each, bound to the same arrays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows
from .seam_frame import shared
from .u_cell_seams import (
    AROUND,
    RISE_FROM_MM,
    RISE_MM,
    SECOND,
    SECOND_MM,
    UP,
    around_at,
    around_length,
    around_torch,
    second_at,
)

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

# Segments of the program; seams are the odd ones.
APPROACH, ON_AROUND, TO_SECOND, ON_SECOND, TO_UP, ON_UP, DONE = range(7)
SEGMENTS = ("approach", "around", "to second", "second", "to up", "up", "done")
# The torch's body leans away from the transverse where a fillet begins beside it, and is upright from here on (mm).
LEAN, LEAN_MM = np.radians(14.0), 60.0
# In the corner the body leans up from the horizontal, clear of the floor.
RISE_LEAN = np.radians(20.0)
# Lateral aim of the program, up the plate that stands: gaps take from that plate's leg, and metal sags from it (mm).
TAUGHT_AIM_MM = (0.8, 0.8, 1.2)
RETRACT, LIFT = 0.110, 0.050  # m, of a curve's control points along the bisector and up
START_BACK, START_UP = 0.100, 0.140  # m, where the approach begins, from the first seam's start

# Axes of corrections in the torch's frame, by segment: work angle, travel angle. Through the air they are those of the
# seam before.
_Y, _X = np.array([0.0, -1.0, 0.0]), np.array([-1.0, 0.0, 0.0])
WORK_AXIS = np.stack([_Y, _Y, _Y, _Y, _Y, _X, _X])
TRAVEL_AXIS = np.stack([_X, _X, _X, -_X, -_X, _Y, _Y])


class UCellProgram:
    """Program of every row.

    Attributes:
        bounds: (n, 6) ends of the segments along the program, mm.
    """

    def __init__(self, s: Rows):
        self.origin: Array = shared(s, "found_origin", (3,))  # of the cell's frame, world, m
        self.yaw: Array = shared(s, "found_yaw")
        self.thickness: Array = shared(s, "stiffener_mm")
        self.scallop: Array = shared(s, "scallop_mm")
        self.corner: Array = shared(s, "found_corner_mm", (2,))
        self.bounds: Array = shared(s, "program_bounds", (6,))
        self._curve: Array = shared(s, "air_curve", (3, 4, 3))
        self._from: Array = shared(s, "air_from", (3, 3, 3))
        self._turn: Array = shared(s, "air_turn", (3, 3))
        self._axes: Array = shared(s, "air_axes", (3, 2, 3))
        self._from[:] = np.eye(3)
        self.bounds[:] = np.arange(1, 7)
        self._row = np.arange(s.n)

    def make(self, rows: RowIndex) -> None:
        """Write the curves through the air of `rows`, whose found places are written."""
        zero = np.zeros(rows.size)
        ends = (zero + SECOND_MM, zero + RISE_MM)
        length = around_length(self.thickness[rows])
        starts = [self.seam(k, zero, rows) for k in (AROUND, SECOND, UP)]
        stops = [self.seam(AROUND, length, rows), self.seam(SECOND, ends[0], rows)]
        at, turn, lateral, out = starts[AROUND]
        begin = at + START_BACK * out
        begin[:, 2] += START_UP
        lengths = []
        for k, (p0, r0, axes, p3, r3, out3) in enumerate((
            (begin, turn, (lateral, out), at, turn, out),
            (stops[0][0], stops[0][1], stops[0][2:], *starts[SECOND][:2], starts[SECOND][3]),
            (stops[1][0], stops[1][1], stops[1][2:], *starts[UP][:2], starts[UP][3]),
        )):  # fmt: skip
            lift = np.array([0.0, 0.0, LIFT])
            p1 = (p0 + 0.4 * (p3 - p0)) if k == 0 else p0 + RETRACT * axes[1] + lift
            curve = np.stack((p0, p1, p3 + (0.5 if k == 0 else 1.0) * (RETRACT * out3 + lift), p3), axis=1)
            self._curve[rows, k], self._from[rows, k] = curve, r0
            self._turn[rows, k] = _rotation_vector(r0, r3)
            self._axes[rows, k] = np.stack(axes, axis=1)
            lengths.append(1e3 * _curve_length(curve))
        self.bounds[rows] = np.cumsum(
            np.stack((lengths[0], length, lengths[1], ends[0], lengths[2], ends[1]), axis=1), axis=1
        )

    def segment(self, at_mm: Array) -> NDArray[np.int64]:
        """Segment (n,) at a place of the program (n,)."""
        segment: NDArray[np.int64] = np.sum(at_mm[:, None] >= self.bounds, axis=1)
        return segment

    def within(self, at_mm: Array, segment: NDArray[np.int64]) -> tuple[Array, Array]:
        """How far the segment is behind and before a place (n,), mm."""
        ends = self.bounds[self._row, np.minimum(segment, ON_UP)]
        begins = np.where(segment > 0, self.bounds[self._row, np.maximum(segment - 1, 0)], 0.0)
        return at_mm - begins, ends - at_mm

    # -- poses ------------------------------------------------------------------------------------------------

    def seam(self, seam: int, s: Array, rows: RowIndex | slice = slice(None)) -> tuple[Array, Array, Array, Array]:
        """Position (k, 3), rotation of the torch (k, 3, 3), lateral and out of the joint (k, 3) of `rows`, world."""
        yaw, t, scallop = self.yaw[rows], self.thickness[rows], self.scallop[rows]
        at = np.zeros((len(s), 3))
        if seam == UP:
            at[:, :2] = self.corner[rows]
            at[:, 2] = RISE_FROM_MM + s
            heading = -0.75 * np.pi + yaw
            # the longitudinal is the plate to which corrections are positive
            out, lateral = _level(heading), _level(heading - 0.5 * np.pi)
            along = np.zeros_like(out)
            along[:, 2] = 1.0
        else:
            if seam == AROUND:
                at[:, 0], at[:, 1], _ = around_at(s, t, scallop)
                heading = around_torch(s, t) + yaw
                along = _level(heading - 0.5 * np.pi)
            else:
                at[:, 0], at[:, 1] = second_at(s, t, scallop)
                heading = 0.5 * np.pi + yaw
                along = _level(heading + 0.5 * np.pi)
            away, half = _level(heading), np.sqrt(0.5)
            out, lateral = half * away, -half * away
            out[:, 2] += half
            lateral[:, 2] += half
        lean = planned_lean(np.full(len(s), seam), s)
        c, w = np.cos(lean)[:, None], np.sin(lean)[:, None]
        # a body that leans forward drags its wire
        back, forth = c * out + w * along, c * along - w * out
        x = -forth if seam == UP else -lateral
        z = -back
        y = np.stack([z[:, i] * x[:, j] - z[:, j] * x[:, i] for i, j in ((1, 2), (2, 0), (0, 1))], axis=1)
        cy, sy = np.cos(yaw), np.sin(yaw)
        point = np.stack((cy * at[:, 0] - sy * at[:, 1], sy * at[:, 0] + cy * at[:, 1], at[:, 2]), axis=1)
        position = self.origin[rows] + 1e-3 * (point + TAUGHT_AIM_MM[seam] * lateral)
        return position, np.stack((x, y, z), axis=2), lateral, out

    def pose(self, at_mm: Array, correction_mm: Array, angles: Array) -> tuple[Array, Array]:
        """Position (n, 3) and rotation (n, 3, 3) of the TCP.

        Args:
            at_mm: place of the program (n,).
            correction_mm: (n, 3) lateral and height, in the section of the seam, and along it.
            angles: (n, 2) corrections of work and travel angle, rad.
        """
        segment = self.segment(at_mm)
        done, _ = self.within(at_mm, segment)
        position, rotation = self._air(done, segment)
        which = np.minimum(segment // 2, 2)
        lateral, out = self._axes[self._row, which, 0], self._axes[self._row, which, 1]
        for seam in (AROUND, SECOND, UP):
            here = np.flatnonzero((segment == 2 * seam + 1) | ((segment == DONE) & (seam == UP)))
            if here.size:
                # at the end of the program the torch stays at the end of its last seam
                at = np.where(segment[here] == DONE, RISE_MM, done[here])
                position[here], rotation[here], lateral[here], out[here] = self.seam(seam, at, here)
        # on the floor, out less lateral leads away from what stands, and the seam goes to its right
        away = np.sqrt(0.5) * (out - lateral)
        along = np.stack((away[:, 1], -away[:, 0], np.zeros(len(away))), axis=1)
        a, b, c = (1e-3 * correction_mm[:, k, None] for k in range(3))
        position = position + a * lateral + b * out + c * along
        for axis, angle in ((WORK_AXIS, angles[:, 0]), (TRAVEL_AXIS, angles[:, 1])):
            rotation = _product(rotation, _rotation(axis[segment] * angle[:, None]))
        return position, rotation

    def _air(self, done: Array, segment: NDArray[np.int64]) -> tuple[Array, Array]:
        which = np.minimum(segment // 2, 2)
        length = self.bounds[self._row, 2 * which] - np.where(
            which > 0, self.bounds[self._row, np.maximum(2 * which - 1, 0)], 0.0
        )
        u = np.clip(done / np.maximum(length, 1e-6), 0.0, 1.0)[:, None]
        v = 1.0 - u
        p = self._curve[self._row, which]
        position = v * v * v * p[:, 0] + 3.0 * v * v * u * p[:, 1] + 3.0 * v * u * u * p[:, 2] + u * u * u * p[:, 3]
        turned = self._turn[self._row, which] * (u * u * u * (10.0 - 15.0 * u + 6.0 * u * u))
        return position, _product(self._from[self._row, which], _rotation(turned))


def planned_lean(seam: NDArray[np.int64], s: Array) -> Array:
    """Angle (n,), rad, by which the torch's body leans forward, dragging its wire, at places (n,) of seams (n,), mm."""
    lean: Array = np.where(seam == UP, RISE_LEAN, LEAN * np.clip(1.0 - s / LEAN_MM, 0.0, 1.0))
    return lean


def _level(heading: Array) -> Array:
    return np.stack((np.cos(heading), np.sin(heading), np.zeros_like(heading)), axis=1)


def _product(a: Array, b: Array) -> Array:
    """`a @ b` of matrices (n, 3, 3), summed in a fixed order."""
    out: Array = a[:, :, 0, None] * b[:, None, 0] + a[:, :, 1, None] * b[:, None, 1] + a[:, :, 2, None] * b[:, None, 2]
    return out


def _rotation(vector: Array) -> Array:
    """(n, 3, 3) rotations about vectors (n, 3) by their lengths, rad."""
    angle = np.sqrt(vector[:, 0] ** 2 + vector[:, 1] ** 2 + vector[:, 2] ** 2)
    axis = vector / np.maximum(angle, 1e-12)[:, None]
    c, s = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    x, y, z = axis.T
    zero = np.zeros_like(x)
    skew = np.stack(
        (np.stack((zero, -z, y), axis=1), np.stack((z, zero, -x), axis=1), np.stack((-y, x, zero), axis=1)), axis=1
    )
    out: Array = c * np.eye(3) + s * skew + (1.0 - c) * axis[:, :, None] * axis[:, None, :]
    return out


def _rotation_vector(a: Array, b: Array) -> Array:
    """Vectors (k, 3), in the frame of `a`, that turn rotations `a` into `b` (k, 3, 3), by less than half a turn."""
    r = _product(np.ascontiguousarray(a.transpose(0, 2, 1)), b)
    twice = np.stack((r[:, 2, 1] - r[:, 1, 2], r[:, 0, 2] - r[:, 2, 0], r[:, 1, 0] - r[:, 0, 1]), axis=1)
    sine = 0.5 * np.sqrt(twice[:, 0] ** 2 + twice[:, 1] ** 2 + twice[:, 2] ** 2)
    cosine = 0.5 * (r[:, 0, 0] + r[:, 1, 1] + r[:, 2, 2] - 1.0)
    angle = np.arctan2(sine, cosine)
    return 0.5 * twice * (angle / np.maximum(sine, 1e-12))[:, None]


def _curve_length(curve: Array) -> Array:
    """Lengths (k,) of cubic curves from their control points (k, 4, 3), by chords."""
    u = np.linspace(0.0, 1.0, 33)[None, :, None]
    v = 1.0 - u
    p = curve[:, None]
    at = v * v * v * p[:, :, 0] + 3 * v * v * u * p[:, :, 1] + 3 * v * u * u * p[:, :, 2] + u * u * u * p[:, :, 3]
    d = at[:, 1:] - at[:, :-1]
    out: Array = np.sum(np.sqrt(d[..., 0] ** 2 + d[..., 1] ** 2 + d[..., 2] ** 2), axis=1)
    return out
