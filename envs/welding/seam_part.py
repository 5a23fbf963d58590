"""The part of a tracking task: misplaced, bowed, wavy, gaping and tacked, with the path that was taught for a good one.

Task parameters are those of `seam_track_terms` and `arc_sense_terms`; what a task does not vary is left out of its
start distribution and counts as zero.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...frames import quat_from_axis_angle, quat_multiply
from ..engine.task import Rows
from .fit_up import RUN_OUT, FitUp, Plates, bent_line, rotation_matrix, seam_deviation
from .seam_frame import SeamFrames, SeamLine, TaughtPath, section_axes

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

TACK_MM = 20.0  # length of a tack


class SeamPart:
    """Part, true seam and taught path of every row.

    Args:
        s: rows, whose model holds the weldment of `plates` on a table.
        plates: nominal dimensions.

    Attributes:
        line: true seam; arc length 0 is where the weld begins.
        path: taught path.
    """

    def __init__(self, s: Rows, plates: Plates):
        self.plates = plates
        self._fit_up = FitUp(s.sim, plates)
        self.line = SeamLine(s.new, plates.pieces, start_mm=1e3 * RUN_OUT)
        self.path = TaughtPath()
        self.path.bind(s)
        self._home: Array = s.new("part_home", (3,))
        self._quat = self._fit_up.home_quat
        self._frame = rotation_matrix(self._quat)
        self._yaw = float(np.arctan2(self._frame[1, 0], self._frame[0, 0]))
        self._share = (
            np.linspace(0.0, 1.0, plates.pieces + 1) * (plates.length + 2 * RUN_OUT) - RUN_OUT
        ) / plates.length
        count = max(plates.tacks, 1)
        self._tack_at: Array = s.new("tack_at_mm", (count,))
        self._throat: Array = s.new("tack_throat_mm", (count,))
        self._gap: Array = s.new("gap_ends_mm", (2,))

    def nominal_start(self) -> tuple[Array, Array]:
        """Where a straight seam begins on a part that lies where it should, and its tangent: (3,) and (3,)."""
        tangent = self._frame[:, 0]
        return self._fit_up.home_position - 0.5 * self.plates.length * tangent, tangent

    def shape(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Make the parts of `rows` (k,) what their task parameters say, and teach their paths."""
        k, p = rows.size, self.plates

        def of(name: str, *shape: int) -> Array:
            value: Array = params.get(name, np.zeros((k, *shape)))
            return value

        curvature = np.zeros(k)
        if "radius" in params:
            curvature = (2.0 * params["bend"] - 1.0) * 1e3 / params["radius"]
        self._teach(rows, curvature)
        deviation = seam_deviation(self._share, of("bow"), of("wave"), of("wave_phase"), of("waves"))
        corners = bent_line(np.full(k, p.length + 2 * RUN_OUT), curvature, 1e-3 * deviation)
        self._gap[rows] = np.maximum(of("gap", 2), 0.0)
        middle = np.clip(0.5 * (self._share[1:] + self._share[:-1]), 0.0, 1.0)
        gap = self._gap[rows, :1] * (1.0 - middle) + self._gap[rows, 1:] * middle
        even = 1e3 * p.length * (np.arange(p.tacks) + 1.0) / (p.tacks + 1)
        self._tack_at[rows, : p.tacks] = even + of("tack_place", p.tacks).reshape(k, -1)
        self._throat[rows, : p.tacks] = of("tack_throat", p.tacks).reshape(k, -1)
        tacks = np.empty((k, p.tacks, 2))
        tacks[..., 0] = 1e-3 * self._tack_at[rows, : p.tacks] + RUN_OUT
        tacks[..., 1] = 1e-3 * TACK_MM
        throat = 1e-3 * self._throat[rows, : p.tacks]
        self._fit_up.write(rows, corners, 1e-3 * gap, tacks, throat, np.radians(of("lean")))
        self._lay(rows, of("part_shift", 3), of("part_turn", 2))
        self.line.points[rows] = corners

    def _teach(self, rows: RowIndex, curvature: Array) -> None:
        """The path along a part without faults: an arc through the part's origin at its middle."""
        half = 0.5 * self.plates.length
        turn = curvature * half
        straight = np.abs(turn) <= 1e-9
        safe = np.where(straight, 1.0, turn)
        x = -half * np.where(straight, 1.0, np.sin(turn) / safe)
        y = half * np.where(straight, 0.0, 2.0 * np.sin(0.5 * turn) ** 2 / safe)
        f = self._frame
        self.path.origin[rows] = self._fit_up.home_position + x[:, None] * f[:, 0] + y[:, None] * f[:, 1]
        self.path.heading[rows] = self._yaw - turn
        self.path.curvature[rows] = curvature

    def _lay(self, rows: RowIndex, shift_mm: Array, turn_deg: Array) -> None:
        """Put the parts of `rows` on the table, shifted along, across and up, turned and sloping."""
        turn = np.radians(turn_deg)
        k = len(turn)
        axes = np.eye(3)
        yaw = quat_from_axis_angle(np.broadcast_to(axes[2], (k, 3)), turn[:, 0])
        slope = quat_from_axis_angle(np.broadcast_to(axes[1], (k, 3)), -turn[:, 1])
        quat = quat_multiply(np.broadcast_to(self._quat, (k, 4)), quat_multiply(yaw, slope))
        f, shift = self._frame, 1e-3 * shift_mm
        moved = shift[:, :1] * f[:, 0] + shift[:, 1:2] * f[:, 1] + shift[:, 2:] * f[:, 2]
        position = self._fit_up.home_position + moved
        self._home[rows] = position
        self.line.position[rows] = position
        self.line.rotation[rows] = rotation_matrix(quat)
        self._fit_up.move(rows, position, quat)

    def drift(self, s: Rows, moved_mm: Array) -> None:
        """Move all parts by (n,) towards the open side of the seam, from where they were laid."""
        position = self._home + 1e-3 * moved_mm[:, None] * self._frame[:, 1]
        self.line.position[...] = position
        self._fit_up.move(slice(None), position)

    def tack_mm(self, place_mm: Array) -> Array:
        """Throat (n,) of the tack under the arc at `place_mm` (n,), 0 between tacks."""
        over = np.abs(place_mm[:, None] - self._tack_at) < 0.5 * TACK_MM
        return np.max(np.where(over, self._throat, 0.0), axis=1)

    def gap_mm(self, place_mm: Array) -> Array:
        """Root gap (n,) at `place_mm` (n,)."""
        share = np.clip(place_mm / (1e3 * self.plates.length), 0.0, 1.0)
        out: Array = self._gap[:, 0] * (1.0 - share) + self._gap[:, 1] * share
        return out

    def frames(self, row: int, place_mm: Array) -> SeamFrames:
        """Section frames of one row's true seam at places (k,), for pictures."""
        line = self.line
        position = line.of_row(row, place_mm)
        ahead = line.of_row(row, place_mm + 0.5)
        tangent = (ahead - position) / 0.5e-3
        lateral, out = section_axes(tangent, line.lean)
        return SeamFrames(position, tangent, lateral, out)
