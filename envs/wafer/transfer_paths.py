"""The paths of WaferTransfer: lines, arcs, and moves by way of a via point.

A path knows where it lies (polar coordinates of the wafer's centre about the robot's axis), the joint angles along it,
where it ends, and the shortest time in which friction lets a wafer be carried along it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...assets.cells.transfer_chamber import STATIONS
from ...assets.robots.vacuum_scara import LINK_LENGTH, WRIST_TO_WAFER
from ..engine.task import Array, RowIndex, Rows
from .kinematics import joints_from_polar
from .profiles import arc_time, line_time
from .via_path import POINTS, phase_plane, profile_time, via_path

SHORTEST_REACH, LONGEST_REACH = 0.36, 0.98  # m, wafer centre; clear of the column and of full extension
AHEAD_M = (0.03, 0.06, 0.10, 0.15, 0.25, 0.40)  # where a policy sees the curvature of a path ahead


class SomeRows:
    """Some rows of the row arrays, for `joints`."""

    def __init__(self, s: Rows, rows: RowIndex):
        self._s, self._rows = s, rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s, name)[self._rows]


class LineOrArc:
    """A line along the axis of a station, or an arc about the robot's axis.

    Args:
        corridor_m: how far the tool may leave the path sideways, which makes the shortest time on an arc shorter.
    """

    arrays: tuple[tuple[str, tuple[int, ...]], ...] = ()
    profile = None

    def __init__(self, corridor_m: float = 0.0):
        self.corridor_m = corridor_m

    def choose(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """The path of an episode from its start parameters."""
        arc = params["move_kind"] > 0.5
        forward = params["direction"] > 0.5
        length = params["line_length"]
        nearest = SHORTEST_REACH + params["line_place"] * (LONGEST_REACH - SHORTEST_REACH - length)
        begin = np.where(forward, nearest, nearest + length)
        headings = np.array(list(STATIONS.values()))
        s.path_sign[rows] = np.where(forward, 1.0, -1.0)
        s.path_radius[rows] = np.where(arc, params["arc_radius"], begin)
        s.path_curvature[rows] = np.where(arc, 1.0 / params["arc_radius"], 0.0)
        s.path_length[rows] = np.where(arc, params["arc_radius"] * params["arc_angle"], length)
        s.path_angle[rows] = headings[params["station"].astype(np.intp)]

    def bound(self, s: Rows, rows: RowIndex, outward: Array, inward: Array) -> Array:
        """Shortest time (k,) in s; a bound must hold for the best case.

        Args:
            outward, inward: larger and smaller of the limits that droop leaves, m/s^2: on a line the tilt helps while
                speeding up or while slowing down, not in both.
        """
        line = line_time(s.path_length[rows], outward, inward)
        curved = s.path_curvature[rows] > 0
        radius = np.where(curved, s.path_radius[rows], 1.0)
        angle = np.where(curved, s.path_length[rows] / radius, 1.0)
        return np.where(curved, arc_time(radius - self.corridor_m, angle, outward), line)

    def joints(self, s: Any, distance: Array, speed: Array) -> tuple[Array, Array]:
        """Joint angles and rates (n, k, 3) at path distances in m and speeds in m/s, both (n, k)."""
        curved = (s.path_curvature > 0.0)[:, None]
        sign, start = s.path_sign[:, None], s.path_radius[:, None]
        radius = np.where(curved, start, start + sign * distance)
        radius_rate = np.where(curved, 0.0, sign * speed)
        turn = sign * s.path_curvature[:, None]
        angle, angle_rate = s.path_angle[:, None] + turn * distance, turn * speed
        return joints_from_polar(radius, angle, radius_rate, angle_rate, LINK_LENGTH, WRIST_TO_WAFER)

    def end(self, s: Rows) -> tuple[Array, Array]:
        """Radius (n,) in m and direction in rad of the end."""
        end = np.where(s.path_curvature > 0.0, s.path_radius, s.path_radius + s.path_sign * s.path_length)
        return end, s.path_angle + s.path_sign * s.path_curvature * s.path_length

    def follow(self, s: Rows) -> None:
        """Nothing changes along a line or an arc."""

    def drawn(self, s: Rows, row: int, points: int = 40) -> tuple[Array, Array]:
        """Polar coordinates (points,) of one row's path, for pictures."""
        distance = np.linspace(0.0, s.path_length[row], points)
        curved = s.path_curvature[row] > 0
        radius = s.path_radius[row] + (0.0 if curved else s.path_sign[row]) * distance
        return radius, s.path_angle[row] + s.path_sign[row] * s.path_curvature[row] * distance


class ByVia:
    """Out of one station and into another by way of a via point, in one motion; see `via_path`.

    `path_curvature` is that of the place where the commanded tool is. The path is tabulated when an episode begins.
    """

    arrays = (
        *((f"via_{name}", (POINTS,)) for name in ("radius", "angle", "radius_slope", "angle_slope", "curvature")),
        ("via_stop", (POINTS,)),
        ("via_bound", ()),
        ("path_sharpest", ()),
        ("path_by_via", (5,)),
        ("path_curvature_ahead", (len(AHEAD_M),)),
    )

    @property
    def profile(self) -> ByVia:
        """Speeds along the path are its own."""
        return self

    def choose(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """The path of an episode from its start parameters."""
        headings = np.array(list(STATIONS.values()))
        station = params["station"].astype(np.intp)
        there = (station + params["turn"].astype(np.intp)) % headings.size
        # the shorter way round
        turn = headings[there] - headings[station]
        turn -= 2.0 * np.pi * np.round(turn / (2.0 * np.pi))
        points = (params["begin_reach"], params["via_radius"], params["end_reach"], turn, params["via_blend"])
        s.path_by_via[rows] = np.stack(points, axis=-1)
        path = via_path(*points)
        s.via_radius[rows], s.via_radius_slope[rows] = path.radius, path.radius_slope
        s.via_angle[rows] = headings[station][:, None] + path.angle
        s.via_angle_slope[rows], s.via_curvature[rows] = path.angle_slope, np.abs(path.curvature)
        s.path_sharpest[rows] = np.max(np.abs(path.curvature), axis=1)
        step = path.length / (POINTS - 1)
        forward, backward = phase_plane(path.curvature, step)
        s.via_stop[rows] = backward
        s.via_bound[rows] = profile_time(forward, backward, step, np.ones(rows.size))
        s.path_sign[rows], s.path_length[rows] = np.sign(turn), path.length
        s.path_radius[rows], s.path_angle[rows] = params["begin_reach"], headings[station]
        s.path_curvature[rows] = 0.0
        self._look_ahead(s, rows, np.zeros(rows.size))

    def bound(self, s: Rows, rows: RowIndex, outward: Array, inward: Array) -> Array:
        """Shortest time (k,) in s, as `LineOrArc.bound`: a point mass with the larger limit in every direction."""
        time: Array = s.via_bound[rows] / np.sqrt(outward)
        return time

    def joints(self, s: Any, distance: Array, speed: Array) -> tuple[Array, Array]:
        """Joint angles and rates (n, k, 3) at path distances in m and speeds in m/s, both (n, k)."""
        index, share, step = _place(s.path_length[:, None], distance)
        radius, radius_slope = _hermite(s.via_radius, s.via_radius_slope, index, share, step)
        angle, angle_slope = _hermite(s.via_angle, s.via_angle_slope, index, share, step)
        return joints_from_polar(radius, angle, radius_slope * speed, angle_slope * speed, LINK_LENGTH, WRIST_TO_WAFER)

    def end(self, s: Rows) -> tuple[Array, Array]:
        """Radius (n,) in m and direction in rad of the end."""
        return s.via_radius[:, -1].copy(), s.via_angle[:, -1].copy()

    def ahead(self, s: Any, distance: Array, reach: Array) -> tuple[Array, Array, Array]:
        """See `PathProfile.ahead`."""
        there = np.minimum(distance + reach, s.path_length)
        places = np.stack((distance, there), axis=-1)
        index, share, _ = _place(s.path_length[:, None], places)
        curvature, stop = (_linear(table, index, share) for table in (s.via_curvature, s.via_stop))
        fall = 0.5 * (stop[:, 0] - stop[:, 1]) / np.maximum(there - distance, 1e-9)
        return np.maximum(curvature[:, 0], curvature[:, 1]), stop[:, 0].copy(), fall

    def follow(self, s: Rows) -> None:
        """Curvature where the commanded tool is now, and ahead of it."""
        self._look_ahead(s, np.arange(s.n), s.path_distance)

    def _look_ahead(self, s: Rows, rows: RowIndex, distance: Array) -> None:
        places = distance[:, None] + np.array((0.0, *AHEAD_M))
        index, share, _ = _place(s.path_length[rows, None], places)
        curvature = _linear(s.via_curvature[rows], index, share)
        s.path_curvature[rows], s.path_curvature_ahead[rows] = curvature[:, 0], curvature[:, 1:]

    def drawn(self, s: Rows, row: int, points: int = 40) -> tuple[Array, Array]:
        """Polar coordinates (points,) of one row's path, for pictures."""
        picked = np.round(np.linspace(0.0, POINTS - 1, points)).astype(np.intp)
        return s.via_radius[row, picked], s.via_angle[row, picked]


class SeenPaths:
    """Profiles of paths from the five numbers that a policy sees of them, for scripts; see `ByVia.ahead`.

    Attributes:
        path_length: (n,) m.
        via_curvature, via_stop: (n, k) tables as those of the row arrays.
    """

    def __init__(self) -> None:
        self._points = np.empty((0, 5))
        self.path_length = np.empty(0)
        self.via_curvature = self.via_stop = np.empty((0, POINTS))

    def look(self, points: Array) -> None:
        """Take note of the paths (n, 5) of the present moves; tables are made where a move is another one."""
        if len(points) != len(self._points):
            n = len(points)
            self._points, self.path_length = np.full((n, 5), np.nan), np.empty(n)
            self.via_curvature, self.via_stop = np.empty((n, POINTS)), np.empty((n, POINTS))
        rows = np.flatnonzero((points != self._points).any(axis=1))
        if rows.size == 0:
            return
        path = via_path(*points[rows].T)
        self._points[rows], self.path_length[rows] = points[rows], path.length
        self.via_curvature[rows] = np.abs(path.curvature)
        self.via_stop[rows] = phase_plane(path.curvature, path.length / (POINTS - 1))[1]


def _place(length: Array, distance: Array) -> tuple[Any, Array, Array]:
    """Entry before a path distance (n, k), share of the way to the next one, and the distance between entries."""
    step = length / (POINTS - 1)
    at = np.minimum(np.maximum(distance / step, 0.0), POINTS - 1.0)
    index = np.minimum(at.astype(np.intp), POINTS - 2)
    return index, at - index, step


def _linear(table: Array, index: Any, share: Array) -> Array:
    before, after = np.take_along_axis(table, index, axis=1), np.take_along_axis(table, index + 1, axis=1)
    value: Array = before + share * (after - before)
    return value


def _hermite(values: Array, slopes: Array, index: Any, share: Array, step: Array) -> tuple[Array, Array]:
    """Value and derivative of the cubic through tabulated values and slopes."""
    v0, v1 = np.take_along_axis(values, index, axis=1), np.take_along_axis(values, index + 1, axis=1)
    m0, m1 = np.take_along_axis(slopes, index, axis=1), np.take_along_axis(slopes, index + 1, axis=1)
    rise = (v1 - v0) / step
    b, c = 3.0 * rise - 2.0 * m0 - m1, m0 + m1 - 2.0 * rise
    return v0 + step * share * (m0 + share * (b + share * c)), m0 + share * (2.0 * b + 3.0 * share * c)
