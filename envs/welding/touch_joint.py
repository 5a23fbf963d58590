"""Joints that a robot finds by touch: their parts, the planes and the end that are touched, and how far the wire is.

Places are told in the drawing's seam frame: `station` along the seam from its middle, `across` towards the standing
plate, `up`. It lies still; the part does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.weld_cell import PART_QUAT, WORK_X, work_height
from ...assets.parts.weldments import Tack, Weldment, corner, lap, tee
from ...assets.parts.weldments_plates import BOX
from ...frames import quat_from_axis_angle, quat_multiply
from ..control.chain import transform_back
from ..engine.task import Rows
from .fit_up import rotation_matrix
from .seam_frame import shared

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

LENGTH = 0.250  # m, of the seam
TACKS = 2
TACK_LENGTH, TACK_THROAT = 0.020, 0.004  # m
ALONG, ACROSS, UP = np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])  # in the world


@dataclass(frozen=True)
class TouchJoint:
    """One kind of joint.

    Attributes:
        part: nominal weldment; the root of its seam runs along its x through its origin.
        flat_up: height of the plane that is touched downwards, over the root, m.
        flat_side: on which side of the root it is touched: -1 before the standing plate, 1 behind the edge.
        wall_across: the plane that is touched sideways, from the root, m.
        wall_side: 1 to touch it above the root, -1 below.
        wall_most: m, farthest from the root that there is wall to touch.
        end: (across, up) at which the end of the part is touched, m.
        origin: (3,) middle of the nominal root, world, m.
    """

    part: Weldment
    flat_up: float
    flat_side: float
    wall_across: float
    wall_side: float
    wall_most: float
    end: tuple[float, float]
    origin: Array = field(init=False)

    def __post_init__(self) -> None:
        """The part lies on the table."""
        origin = np.array([WORK_X, 0.0, work_height("table") - self.part.bottom])
        object.__setattr__(self, "origin", origin)


def _tacks() -> Sequence[Tack]:
    return [Tack(LENGTH * (k + 1) / (TACKS + 1), TACK_LENGTH, TACK_THROAT) for k in range(TACKS)]


def fillet_joint() -> TouchJoint:
    """A web on a plate."""
    web = 0.008
    part = tee(
        length=LENGTH, base_thickness=0.012, web_thickness=web, base_width=0.20, web_height=0.06, offset=-0.5 * web,
        tacks=_tacks(),
    )  # fmt: skip
    # the web's tee has a second seam behind it, which nobody searches here
    return TouchJoint(replace(part, seams=part.seams[:1]), 0.0, -1.0, 0.0, 1.0, 0.020, (0.3 * web, 0.008))


def lap_joint() -> TouchJoint:
    """A sheet on a sheet; its edge is all the wall there is."""
    sheet = 0.006
    part = lap(length=LENGTH, lower_thickness=0.008, upper_thickness=sheet, tacks=_tacks())
    return TouchJoint(part, 0.0, -1.0, 0.0, 1.0, 0.6 * sheet, (0.006, 0.5 * sheet))


def corner_joint() -> TouchJoint:
    """An outside corner, whose groove is too narrow to search in: both plates are touched on their outer faces."""
    plate = 0.006
    part = corner(length=LENGTH, top_thickness=plate, side_thickness=plate, height=0.080, tacks=_tacks())
    return TouchJoint(part, plate, 1.0, -plate, -1.0, 0.020, (0.010, 0.5 * plate))


JOINTS = {"fillet": fillet_joint, "lap": lap_joint, "corner": corner_joint}


class TouchedPart:
    """Pose of every row's part, its true root line, and the distance of points from its plates and tacks.

    The arrays belong to the rows: a task and its action interface have an object each, bound to the same arrays.

    Args:
        s: rows, whose model holds the joint's part as body `part`.
        joint: what it is.

    Attributes:
        root: (n, 5) of the true root in the unknowns of `touch_fit`: along, across, up, yaw, slope.
        root_ends: (n, 2, 3) places of its ends.
    """

    def __init__(self, s: Rows, joint: TouchJoint):
        self.joint = joint
        self._sim = sim = s.sim
        self._body = sim.id("body", "part")
        self._place, self._turn = sim.field("body_pos"), sim.field("body_quat")
        self._geom_pos = sim.field("geom_pos")
        solids = joint.part.solids
        self._boxes = [solid for solid in solids if solid.kind == BOX]
        self._tacks = [solid for solid in solids if solid.kind != BOX]
        self._tack_geoms = sim.ids("geom", [f"part_{solid.name}" for solid in self._tacks])
        self.position: Array = shared(s, "part_position", (3,))
        self.rotation: Array = shared(s, "part_rotation", (3, 3))
        self.rotation[:] = np.eye(3)
        self._tack_x: Array = shared(s, "tack_x", (len(self._tacks),))
        self.root: Array = shared(s, "true_root", (5,))
        self.root_ends: Array = shared(s, "true_root_ends", (2, 3))

    def lay(self, rows: RowIndex, shift: Array, turn: Array, tack_shift: Array) -> None:
        """Put the parts of `rows` (k,) down.

        Args:
            rows: (k,).
            shift: (k, 3) along, across and up, m.
            turn: (k, 3) yaw, slope (both as rise of the root along the seam) and roll about it, rad.
            tack_shift: (k, tacks) of the tacks along the seam, m.
        """
        k = len(shift)

        def about(axis: Array, angle: Array) -> Array:
            return quat_from_axis_angle(np.broadcast_to(axis, (k, 3)), angle)

        level = np.broadcast_to(np.array(PART_QUAT), (k, 4))
        tilt = quat_multiply(about(ACROSS, turn[:, 1]), about(ALONG, turn[:, 2]))
        # across is to the right of who looks along the seam, so that a root which drifts there turns about -z
        quat = quat_multiply(about(UP, -turn[:, 0]), quat_multiply(tilt, level))
        position = self.joint.origin + shift[:, :1] * ALONG + shift[:, 1:2] * ACROSS + shift[:, 2:] * UP
        self._place[rows, self._body], self._turn[rows, self._body] = position, quat
        self.position[rows], self.rotation[rows] = position, rotation_matrix(quat)
        for j, geom in enumerate(self._tack_geoms.tolist()):
            x = self._tacks[j].pos[0] + tack_shift[:, j]
            self._tack_x[rows, j] = x
            self._geom_pos[rows, geom, 0] = x
        self._sim.stale(rows)  # the tree of bounding boxes that collisions are looked up in
        self._write_root(rows)

    def _write_root(self, rows: RowIndex) -> None:
        direction = self.rotation[rows][:, :, 0]
        middle = self.position[rows] - self.joint.origin
        yaw, slope = (direction[:, i] / direction[:, 1] for i in (0, 2))
        half = 0.5 * LENGTH * direction[:, 1]
        station = middle[:, 1]
        across, up = middle[:, 0] - yaw * station, middle[:, 2] - slope * station
        self.root[rows] = np.stack((station - half + 0.5 * LENGTH, across, up, yaw, slope), axis=1)
        for end, at in enumerate((station - half, station + half)):
            self.root_ends[rows, end] = np.stack((at, across + yaw * at, up + slope * at), axis=1)

    def distance(self, point: Array) -> Array:
        """Signed distances (n,) of world points (n, 3) from the nearest plate or tack, m, negative inside."""
        p = transform_back(self.rotation, point - self.position)
        nearest = np.full(len(p), np.inf)
        for solid in self._boxes:
            np.minimum(nearest, _box(np.abs(p - solid.pos) - solid.size), out=nearest)
        for j, solid in enumerate(self._tacks):
            # tacks lie along the root
            beyond = np.maximum(np.abs(p[:, 0] - self._tack_x[:, j]) - solid.size[1], 0.0)
            y, z = p[:, 1] - solid.pos[1], p[:, 2] - solid.pos[2]
            np.minimum(nearest, np.sqrt(beyond * beyond + y * y + z * z) - solid.size[0], out=nearest)
        return nearest

    def seam(self, row: int) -> Array:
        """Ends of the true root (2, 3) of a row, world, m."""
        half = 0.5 * LENGTH * self.rotation[row, :, 0]
        return np.stack((self.position[row] - half, self.position[row] + half))


def _box(q: Array) -> Array:
    """Signed distance (n,) of points from a box, `q` (n, 3) beyond its faces."""
    out = np.maximum(q, 0.0)
    inside = np.minimum(np.maximum(np.maximum(q[:, 0], q[:, 1]), q[:, 2]), 0.0)
    distance: Array = np.sqrt(out[:, 0] ** 2 + out[:, 1] ** 2 + out[:, 2] ** 2) + inside
    return distance


def to_world(joint: TouchJoint, place: Array) -> Array:
    """World points (n, 3) of places (n, 3): station, across, up, m."""
    out: Array = place[:, _ORDER] + joint.origin
    return out


def to_place(joint: TouchJoint, point: Array) -> Array:
    """Inverse of `to_world`."""
    out: Array = (point - joint.origin)[:, _ORDER]
    return out


_ORDER = np.array([1, 0, 2])  # station is along the world's y, across along its x
