"""Fit-up of every row: where its part lies, how its seam runs, where it gapes and where it is tacked.

A part is built once, with nominal dimensions; each row then writes the fields of the geoms that make it its own. Rays,
contacts and pictures all see the row's part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...assets.parts.weldments import Tack, Weldment, lap, tee
from ...assets.parts.weldments_plates import block
from ...errors import ShopfloorError
from ...frames import quat_from_axis_angle, quat_multiply
from ..engine.simulation import Simulation

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

_X, _Z = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
_LYING = np.array([np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0])  # turns z, the axis of a capsule, into x
_FIELDS = ("geom_pos", "geom_quat", "geom_size", "geom_rbound", "geom_aabb", "geom_sameframe")


@dataclass(frozen=True)
class Plates:
    """Nominal dimensions of a fillet or lap joint, m.

    Attributes:
        kind: "fillet" (a web on a base plate) or "lap" (a sheet on a sheet).
        length: of the seam.
        base, upper: thickness of base plate and web, or of lower and upper sheet.
        depth: extent of the base on either side of the seam.
        height: of the web; of a lap joint the width of the upper sheet.
        pieces: straight pieces of the seam.
        tacks: number of tacks on it.
    """

    kind: str = "fillet"
    length: float = 0.150
    base: float = 0.012
    upper: float = 0.006
    depth: float = 0.115
    height: float = 0.060
    pieces: int = 12
    tacks: int = 2

    def __post_init__(self) -> None:
        if self.kind not in ("fillet", "lap"):
            raise ShopfloorError(f"plates of kind {self.kind!r}: choose fillet or lap")

    def weldment(self) -> Weldment:
        """The nominal part, all pieces in a row; its origin is in the middle of the root of the seam on the left."""
        tacks = [Tack(self.length * (k + 1) / (self.tacks + 1), 0.02, 0.003) for k in range(self.tacks)]
        long = self.length + 2 * RUN_OUT
        if self.kind == "lap":
            part = lap(
                length=long, lower_thickness=self.base, upper_thickness=self.upper, width=self.depth + self.height,
                overlap=self.height, pieces=self.pieces, tacks=tacks,
            )  # fmt: skip
        else:
            part = tee(
                length=long, base_thickness=self.base, web_thickness=self.upper, web_height=self.height,
                base_width=2 * self.depth, pieces=self.pieces, tacks=tacks, offset=-0.5 * self.upper,
            )  # fmt: skip
        name = part.solids[0].name
        bed = block(name, (-0.5 * BED, -self.depth, -self.base), (0.5 * BED, self.depth, 0.0))
        return replace(part, solids=(bed, *part.solids[1:]))

    @property
    def seam(self) -> str:
        """Name of the seam in the weldment."""
        return "edge" if self.kind == "lap" else "left"

    @property
    def across(self) -> float:
        """Extent of the boxes that form the upper plate, at right angles to the seam."""
        return self.height if self.kind == "lap" else self.upper


BED = 0.40  # m, length of the plate below, which reaches under the clamps of the table
RUN_OUT = 0.012  # m of plate beyond either end of a seam
"""The plates are longer than their seam, as run-on and run-off need, and as a laser line ahead of the torch sees."""


def bent_line(length: Array, curvature: Array, deviation: Array) -> Array:
    """Corners (k, m + 1, 2) of a seam along an arc through the origin at its middle, +x there.

    Args:
        length: (k,) m.
        curvature: (k,) 1/m, positive to the left (+y).
        deviation: (k, m + 1) lateral deviation of the corners from the arc, to the left, m.
    """
    pieces = deviation.shape[1] - 1
    s = length[:, None] * np.linspace(-0.5, 0.5, pieces + 1)
    turn = curvature[:, None] * s
    straight = np.abs(turn) <= 1e-9
    safe = np.where(straight, 1.0, turn)
    half = np.sin(0.5 * turn)
    x = s * np.where(straight, 1.0, np.sin(turn) / safe)
    y = s * np.where(straight, 0.5 * turn, 2.0 * half * half / safe)
    return np.stack((x - np.sin(turn) * deviation, y + np.cos(turn) * deviation), axis=-1)


class FitUp:
    """Writes the geoms of every row's part.

    Args:
        sim: the simulation, whose model holds `plates.weldment()` as body `name`.
        plates: nominal dimensions.
        name: of the part.
    """

    def __init__(self, sim: Simulation, plates: Plates, name: str = "part"):
        self.plates = plates
        self._sim = sim
        weldment = plates.weldment()
        prefix = "upper" if plates.kind == "lap" else "web"
        self._body = sim.id("body", name)
        self._walls = sim.ids("geom", [f"{name}_{prefix}_{k}" for k in range(plates.pieces)])
        self._tacks = sim.ids("geom", [f"{name}_tack_{k}" for k in range(plates.tacks)])
        self._fields = shape_fields(sim)
        self._position, self._quat = sim.field("body_pos"), sim.field("body_quat")
        self.home_position = sim.model.body_pos[self._body].copy()
        self.home_quat = sim.model.body_quat[self._body].copy()
        assert len(weldment.seam(plates.seam).points) == plates.pieces + 1

    def write(self, rows: RowIndex, corners: Array, gap_m: Array, tack_m: Array, throat_m: Array, lean: Array) -> None:
        """Shape the parts of `rows`.

        Args:
            rows: (k,).
            corners: (k, m + 1, 2) of the root, part frame, m; see `bent_line`.
            gap_m: (k, m) opening under each piece.
            tack_m: (k, tacks, 2) middle of each tack along the seam, from its first corner, and its length.
            throat_m: (k, tacks) radius of the tacks; 0 for none.
            lean: (k,) of the upper plate about the root line, rad, away from the open side.
        """
        p = self.plates
        chord = corners[:, 1:] - corners[:, :-1]
        length = np.sqrt(chord[..., 0] ** 2 + chord[..., 1] ** 2)
        yaw = np.arctan2(chord[..., 1], chord[..., 0])
        # where the seam turns left, the back of a plate needs more length to close the corner; at its face, the
        # surplus is inside the next piece
        bend = np.maximum(np.sin(0.5 * (yaw[:, 1:] - yaw[:, :-1])), 0.0)
        none = np.zeros((len(rows), 1))
        ends = np.concatenate((none, p.across * bend, none), axis=1)
        before, after = ends[:, :-1], ends[:, 1:]
        t = chord / length[..., None]
        middle = 0.5 * (corners[:, 1:] + corners[:, :-1]) + 0.5 * (after - before)[..., None] * t
        size = np.empty((*length.shape, 3))
        size[..., 0] = 0.5 * (length + before + after)
        size[..., 1] = 0.5 * p.across
        size[..., 2] = 0.5 * (p.upper if p.kind == "lap" else p.height - gap_m)
        c, s = np.cos(lean)[:, None], np.sin(lean)[:, None]
        up = gap_m + size[..., 2]
        back, rise = -0.5 * p.across * c - up * s, up * c - 0.5 * p.across * s
        position = np.empty_like(size)
        position[..., 0] = middle[..., 0] - back * t[..., 1]
        position[..., 1] = middle[..., 1] + back * t[..., 0]
        position[..., 2] = rise
        heading = quat_from_axis_angle(np.broadcast_to(_Z, (*yaw.shape, 3)), yaw)
        tilt = quat_from_axis_angle(np.broadcast_to(_X, (*yaw.shape, 3)), np.broadcast_to(lean[:, None], yaw.shape))
        quat = quat_multiply(heading, tilt)
        write_geoms(self._fields, rows, self._walls, position, quat, size, size)
        if self._tacks.size:
            self._write_tacks(rows, corners, length, yaw, tack_m, throat_m)
        self._sim.stale(rows)  # the tree of bounding boxes that collisions are looked up in

    def _write_tacks(
        self, rows: RowIndex, corners: Array, length: Array, yaw: Array, tack_m: Array, throat_m: Array
    ) -> None:
        ends = np.cumsum(length, axis=1)
        at = tack_m[..., 0]
        piece = np.minimum(np.sum(ends[:, None, :] <= at[..., None], axis=2), length.shape[1] - 1)
        row = np.arange(len(rows))[:, None]
        along = at - ends[row, piece] + length[row, piece]
        turn = yaw[row, piece]
        radius = np.maximum(throat_m, 1e-4)
        position = np.zeros((*at.shape, 3))
        position[..., 0] = corners[row, piece, 0] + along * np.cos(turn)
        position[..., 1] = corners[row, piece, 1] + along * np.sin(turn)
        # without a tack, its geom hides under the plates
        position[..., 2] = np.where(throat_m > 0.0, 0.0, -0.5 * self.plates.base)
        size = np.zeros_like(position)
        size[..., 0], size[..., 1] = radius, np.maximum(0.5 * tack_m[..., 1] - radius, 1e-4)
        heading = quat_from_axis_angle(np.broadcast_to(_Z, (*at.shape, 3)), turn)
        quat = quat_multiply(heading, np.broadcast_to(_LYING, heading.shape))
        extent = np.stack((radius, radius, size[..., 1] + radius), axis=-1)
        bound = size[..., 0] + size[..., 1]
        write_geoms(self._fields, rows, self._tacks, position, quat, size, extent, bound)

    def move(self, rows: RowIndex | slice, position: Array, quat: Array | None = None) -> None:
        """Put the parts of `rows` at `position` (k, 3), m, with orientation `quat` (k, 4) unless that stays."""
        self._position[rows, self._body] = position
        if quat is not None:
            self._quat[rows, self._body] = quat


def shape_fields(sim: Simulation) -> dict[str, Any]:
    """The model fields that give every row's geoms a shape and a place of their own, for `write_geoms`."""
    return {field: sim.field(field) for field in _FIELDS}


def write_geoms(
    fields: Mapping[str, Any], rows: RowIndex, geoms: RowIndex, position: Array, quat: Array, size: Array,
    extent: Array, bound: Array | None = None,
) -> None:  # fmt: skip
    """Shape and place geoms of some rows, with the bounds that rays and contacts go by.

    Args:
        fields: of `shape_fields`.
        rows, geoms: (k,) and (m,).
        position, size: (k, m, 3), m.
        quat: (k, m, 4) or what broadcasts to it.
        extent: (k, m, 3) half edges of the boxes around the geoms.
        bound: (k, m) radius of the balls around them; default those around the boxes.
    """
    at = np.ix_(rows, geoms)
    if bound is None:
        bound = np.sqrt(extent[..., 0] ** 2 + extent[..., 1] ** 2 + extent[..., 2] ** 2)
    values: dict[str, Any] = {
        "geom_pos": position, "geom_quat": quat, "geom_size": size, "geom_rbound": bound,
        "geom_aabb": np.concatenate((np.zeros_like(extent), extent), axis=-1), "geom_sameframe": 0,
    }  # fmt: skip
    for name, value in values.items():
        fields[name][at] = value


def seam_deviation(u: Array, bow: Array, wave: Array, phase: Array, waves: Array) -> Array:
    """Lateral deviation (k, m + 1) at shares `u` (m + 1,) of a seam: bowed and wavy, as plates come.

    Args:
        u: 0 at the beginning of the seam, 1 at its end; beyond on the run-out.
        bow, wave: (k,) in the middle, and amplitude.
        phase: (k,) rad.
        waves: (k,) number of waves along the seam.
    """
    c = np.clip(u, 0.0, 1.0)
    turns = 2.0 * np.pi * waves[:, None] * u + phase[:, None]
    return 4.0 * bow[:, None] * c * (1.0 - c) + wave[:, None] * (np.sin(turns) - np.sin(phase)[:, None])


def rotation_matrix(quat: Array) -> Array:
    """(k, 3, 3) of unit quaternions (k, 4)."""
    w, x, y, z = (quat[..., i] for i in range(4))
    rows: Sequence[Sequence[Array]] = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
