"""WeldGapFill with a robot: an arm leads the torch along the path that it was taught, over a part that lies askew.

What the carriage of `Bench` takes as given, the arm makes: speed along the seam, distance of the contact tip and
aim of the arc follow from where its servos have brought the torch and where the part lies. The robot has searched
the beginning of the seam; what it has missed there, `ctwd_error` and `aim_error`, and the part's turn against the
taught path, which lets both wander along the seam, are the part's place in the cell. The weave is that of the process.
"""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.cells.weld_bench import bench_part
from ...assets.cells.weld_cell import PART_QUAT, WELDERS, weld_cell
from ...assets.robots.arm import arm
from ...frames import quat_from_axis_angle, quat_multiply
from ..engine.task import Rows
from .fit_up import rotation_matrix
from .gap_fill_bench import Bench
from .gap_fill_work import Work
from .joint import BUTT, LAP
from .seam_frame import SeamFrames, SeamLine, section_axes
from .torch_motion import Torch
from .work_surface import rise_mm

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

TIMESTEP_S = 0.005
STICKOUT_LESS_MM = 3.0  # by which the drawn wire ends before the work: the arc
CLAMPED_M = 0.10  # of plate beyond either end of the seam
_UP, _ACROSS = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])  # of the part's frame


def lean_of(kind: str) -> float:
    """Angle in rad of the torch from the vertical, in the section of a joint."""
    return 0.0 if kind == BUTT else np.pi / 4


def robot_cell(work: Work, robot: str, length_mm: float, visual: bool) -> mujoco.MjSpec:
    """The welding cell with the joint of a bench on its table, in plates that reach under the table's clamps."""
    ctwd = 1e-3 * work.ctwd_mm
    part = bench_part(work.kind, 1e-3 * work.thickness_mm, 1e-3 * length_mm, margin=CLAMPED_M)
    spec = weld_cell(robot=robot, weldment=part, ctwd=ctwd, stickout=ctwd - 1e-3 * STICKOUT_LESS_MM, visual=visual)
    spec.option.timestep = TIMESTEP_S
    return spec


class RobotBench(Bench):
    """A `Bench` whose torch is at the end of an arm.

    Args:
        s, work, length_mm: as of `Bench`.
        robot: key of `WELDERS`.
    """

    def __init__(self, s: Rows, work: Work, length_mm: float, robot: str):
        super().__init__(s, work, length_mm)
        self._robot = robot
        self._torch = Torch(arm(robot), lean_of(work.kind))
        self._torch.bind(s)
        self._ready = self._torch.approach(np.array(WELDERS[robot].home), self.root, self.along)
        self._line = SeamLine(s.new, 1, self._torch.path.lean)  # along x of the part from its position on
        self._tcp = s.sim.output("site_xpos", "site", "tcp")
        self._tcp_matrix = s.sim.output("site_xmat", "site", "tcp")
        self._contacts = s.sim.output("ncon")
        body = s.sim.id("body", "part")
        self._position, self._quat = s.sim.field("body_pos")[:, body], s.sim.field("body_quat")[:, body]
        first = self.root - s.sim.model.body_pos[body]
        # the beginning of the seam in the part's frame, which is turned by a quarter
        self._start = np.array([first[1], -first[0], first[2]])
        for name, shape in (
            ("taught_mm", ()), ("joint_reference", (self._torch.arm.dof,)), ("wire_mm", (2,)), ("along_mm", ()),
        ):  # fmt: skip
            self._arrays.append(s.new(name, shape))
        self._arrays += [s.distance_error, s.aim]
        self._nowhere = np.zeros((s.n, 2))
        self._edge_mm = work.thickness_mm if work.kind == LAP else np.inf

    def stand(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Lay the parts of `rows` on the table and put the torch over the beginning of the taught path."""
        path, k = self._torch.path, rows.size
        path.origin[rows], path.heading[rows] = self.root, np.pi / 2
        path.curvature[rows] = 0.0
        lateral, out = section_axes(self.along, path.lean)
        # the wire that is beside the root and too far from it: the part lies on the other side and too deep
        missed = params["aim_error"][:, None] * lateral + params["ctwd_error"][:, None] * out
        start = self.root - 1e-3 * missed
        yaw, slope = np.radians(params["part_turn"]).T
        turn = quat_multiply(
            quat_from_axis_angle(np.broadcast_to(_UP, (k, 3)), yaw),
            quat_from_axis_angle(np.broadcast_to(_ACROSS, (k, 3)), -slope),
        )
        quat = quat_multiply(np.broadcast_to(PART_QUAT, (k, 4)), turn)
        matrix = rotation_matrix(quat)
        self._position[rows] = start - np.einsum("kij,j->ki", matrix, self._start)
        self._quat[rows] = quat
        line = self._line
        line.rotation[rows] = matrix
        line.position[rows] = start
        self._torch.place(s, rows, self._ready)
        s.joint_reference[rows] = s.sim.qpos[np.ix_(rows, self._torch.qpos)]
        s.taught_mm[rows] = s.along_mm[rows] = 0.0
        s.wire_mm[rows, 0], s.wire_mm[rows, 1] = params["aim_error"], params["ctwd_error"]
        self._tell(s)

    def _rise(self, lateral_mm: Array) -> Array:
        """How much nearer (mm) the work is beside the root than over it."""
        if self.work.kind == BUTT:
            return np.zeros_like(lateral_mm)
        return rise_mm(lateral_mm, edge_mm=self._edge_mm) - rise_mm(np.zeros(1), edge_mm=self._edge_mm)

    def _tell(self, s: Rows) -> None:
        """What the process is told of the place of the wire."""
        lateral, height = s.wire_mm.T
        s.aim[...] = lateral
        s.distance_error[...] = height - self._rise(lateral)
        x = self.process.inputs
        x["offset_mm"][:] = s.aim
        x["ctwd_mm"][:] = np.maximum(self.work.ctwd_mm + s.distance_error, 1.0)

    def lead(self, s: Rows, travel_mm_s: Array, rows: RowIndex | None) -> Array:
        """Let the arm follow the path at the speed in force, and measure where the wire is on the part."""
        dt = s.timing.control_dt
        s.taught_mm += travel_mm_s * dt
        self._torch.follow(s, self._nowhere, rows)
        place, s.wire_mm[:, 0], s.wire_mm[:, 1] = self._line.locate(self._tcp)
        speed: Array = np.maximum(place - s.along_mm, 0.0) / dt
        s.along_mm[...] = place
        self._tell(s)
        return speed

    def move(self, s: Rows) -> None:
        """The arm has moved."""

    def touched(self, s: Rows) -> NDArray[np.bool_]:
        """Torch, arm or cable touch something."""
        out: NDArray[np.bool_] = self._contacts > 0
        return out

    def frames(self, row: int, s_mm: Array) -> SeamFrames:
        """On the part as it lies."""
        position = self._line.of_row(row, s_mm)
        tangent = np.broadcast_to(self._line.rotation[row, :, 0], position.shape)
        return SeamFrames(position, tangent, *section_axes(tangent, self._line.lean))

    def wire(self, row: int) -> tuple[Array, Array]:
        """At the end of the torch."""
        return self._tcp[row].copy(), self._tcp_matrix[row].reshape(3, 3)[:, 2].copy()
