"""The U-cell of every row: how large it is, how it gapes, where it lies, and where touch sensing has found it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...assets.cells import weld_u_cell as cell
from ...frames import quat_from_axis_angle
from ..control.chain import transform_back
from ..engine.task import Rows
from .fit_up import rotation_matrix, shape_fields, write_geoms
from .u_cell_program import UCellProgram
from .u_cell_seams import BAR_MM, INSET_MM, RUN_MM

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

SOLIDS = ("floor", "longitudinal_right", "longitudinal_left", "transverse", "stiffener", "stiffener_web")
_HALF = 0.5 * cell.LENGTH  # m, from the part's origin to the transverse
THICKNESS_MM, SCALLOP_MM, WIDTH_M, LENGTH_M = (6.0, 25.0), (30.0, 55.0), (0.55, 1.40), (0.50, 1.40)


class UCellPart:
    """Geometry of every row.

    Attributes:
        half_width_mm: (n,) of the cell.
        gap_mm: (n, 3) root gap of the stiffener at its scallop and at its free end, and of the vertical corner.
    """

    def __init__(self, s: Rows, program: UCellProgram):
        self._sim, self._program = s.sim, program
        self._body = s.sim.id("body", "part")
        self._geoms = s.sim.ids("geom", [f"part_{name}" for name in SOLIDS])
        self._fields = shape_fields(s.sim)
        self._position, self._quat = s.sim.field("body_pos"), s.sim.field("body_quat")
        self._height = float(s.sim.model.body_pos[self._body][2])
        self.origin: Array = s.new("cell_origin", (3,))  # of the cell's frame, world, m
        self.rotation: Array = s.new("cell_rotation", (3, 3))
        self.half_width_mm: Array = s.new("half_width_mm")
        self.gap_mm: Array = s.new("root_gap_mm", (3,))
        self.rotation[:] = np.eye(3)

    def shape(self, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Give the cells of `rows` (k,) what their task parameters say, and the program what has been found of them."""
        program = self._program
        thickness = np.clip(params["stiffener"], *THICKNESS_MM)
        scallop = np.clip(params["scallop"], *SCALLOP_MM)
        width, length = np.clip(params["cell_width"], *WIDTH_M), np.clip(params["cell_length"], *LENGTH_M)
        self.half_width_mm[rows] = 500.0 * width
        self.gap_mm[rows] = np.maximum(params["gap"], 0.0)
        program.thickness[rows], program.scallop[rows] = thickness, scallop
        self._write(rows, thickness, scallop, width, length)
        self._lay(rows, params)

    def _write(self, rows: RowIndex, thickness: Array, scallop: Array, width: Array, length: Array) -> None:
        low, high = np.zeros((rows.size, len(SOLIDS), 3)), np.zeros((rows.size, len(SOLIDS), 3))
        t, half, front = cell.WALL, 0.5 * width, _HALF - length
        gap = 1e-3 * self.gap_mm[rows]
        bar, far = 0.5e-3 * thickness, _HALF - 1e-3 * scallop
        # the bar's gap is that of its free end, where it is seen; the transverse stands off the longitudinal by its own
        under = gap[:, 1]
        corners: tuple[tuple[tuple[Any, ...], tuple[Any, ...]], ...] = (
            ((front, -half - t, -cell.FLOOR), (_HALF + t, half + t, 0.0)),
            ((front, -half - t, 0.0), (_HALF + t, -half, cell.HEIGHT)),
            ((front, half, 0.0), (_HALF + t, half + t, cell.HEIGHT)),
            ((_HALF, -half, 0.0), (_HALF + t, half - gap[:, 2], cell.HEIGHT)),
            ((far - 1e-3 * BAR_MM, -bar, under), (far, bar, under + 1e-3 * scallop)),
            ((far - 1e-3 * BAR_MM, -bar, under + 1e-3 * scallop), (_HALF, bar, under + cell.STIFFENER_HEIGHT)),
        )
        for k, ends in enumerate(corners):
            for axis in range(3):
                low[:, k, axis], high[:, k, axis] = ends[0][axis], ends[1][axis]
        size = 0.5 * (high - low)
        write_geoms(self._fields, rows, self._geoms, 0.5 * (low + high), np.array([1.0, 0.0, 0.0, 0.0]), size, size)

    def _lay(self, rows: RowIndex, params: Mapping[str, Array]) -> None:
        k, up = rows.size, np.array([0.0, 0.0, 1.0])
        turn = np.radians(params["cell_turn"])
        quat = quat_from_axis_angle(np.broadcast_to(up, (k, 3)), turn)
        rotation = rotation_matrix(quat)
        origin = np.zeros((k, 3))
        origin[:, :2] = 1e-3 * params["cell_shift"]
        origin[:, :2] += (cell.TRANSVERSE_X, cell.MIDDLE_Y)
        origin[:, 2] = self._height
        self.origin[rows], self.rotation[rows] = origin, rotation
        self._position[rows, self._body] = origin - _HALF * rotation[:, :, 0]
        self._quat[rows, self._body] = quat
        self._sim.stale(rows)  # the tree of bounding boxes that collisions are looked up in
        program = self._program
        program.origin[rows] = origin - 1e-3 * params["found_error"]
        program.yaw[rows] = turn - np.radians(params["found_turn"])
        # the corner is found by touches of its own, in the world
        corner = np.zeros((k, 2))
        corner[:, 1] = self.half_width_mm[rows]
        corner -= params["corner_error"]
        at = origin + 1e-3 * (corner[:, :1] * rotation[:, :, 0] + corner[:, 1:] * rotation[:, :, 1])
        d = 1e3 * (at - program.origin[rows])
        c, s = np.cos(program.yaw[rows]), np.sin(program.yaw[rows])
        program.corner[rows] = np.stack((c * d[:, 0] + s * d[:, 1], c * d[:, 1] - s * d[:, 0]), axis=1)
        program.make(rows)

    def to_cell(self, point: Array) -> Array:
        """World points (n, 3) in the frame of the true cell, mm."""
        return 1e3 * transform_back(self.rotation, point - self.origin)

    def bar_gap(self, point: Array) -> Array:
        """Root gap (n,) under the stiffener beside points (n, 3) of the cell."""
        from_scallop = -point[:, 0] - self._program.scallop - INSET_MM
        share = np.clip(from_scallop / RUN_MM, 0.0, 1.0)
        out: Array = self.gap_mm[:, 0] * (1.0 - share) + self.gap_mm[:, 1] * share
        return out
