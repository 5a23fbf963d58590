"""ArmPegInsert: put a peg into a hole that is hardly wider than the peg, by feel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import mujoco
import numpy as np

from ...assets.cells.peg_cell import FITS, GRIP, hole_position, peg_cell
from ...assets.parts.fits import pair_names, peg_geoms
from ...assets.tools import parallel_gripper
from ...assets.tools.rgbd_camera import CAMERAS as MODEL_CAMERAS
from ...errors import ShopfloorError
from ...frames import quat_from_axis_angle, quat_multiply, rotate
from ..engine.start import LogUniform, Term, Uniform
from ..engine.task import Array, RowIndex, Rows
from ..sensing import Rgbd
from .cell_cameras import CAMERAS as RGBD_CAMERAS
from .insertion import Insertion, X, Y
from .reach_robot import home_station

CLEARANCE_MM = (0.02, 1.0)


class ArmPegInsert(Insertion):
    """An arm puts a steel peg of 16 mm into a hole, 20 mm deep, with a clearance from 1 mm down to 0.02 mm.

    The fit is known from the drawing, the pose of the hole only as it was taught, with an error, and the gripper holds
    the peg askew. A wrist sensor feels the contact. The arm is under admittance control: the tip hangs on a virtual
    spring at a commanded position, so that contact moves it, and no lasting contact presses harder than the force
    limit, which is part of every command. Each order names the contact force that the part may bear; one peak above it
    ends the episode. Tilted in the hole a peg touches at two points, and friction can hold it there whatever presses
    on it (Whitney 1982): it jams.

    Peg and hole are true to micrometres (see `shopfloor.assets.parts.fits`): clearance is a length in the model, not a
    label.

    Args:
        peg: "round" or "rectangular" (16 mm by 12 mm; the arm turns it too).
        clearance_mm: diametral clearance, fixed; None draws it anew in every episode, log-uniform from 0.02 to 1 mm.
        robot: an arm of `shopfloor.assets.robots.arm`, such as "ur10e", "m10id12", "fr3", "iiwa14" or "scara".
    """

    title: ClassVar[str] = "arm inserts a peg with a clearance of 1 mm down to 0.02 mm, by force"
    part = "the peg"
    goal = "the hole"
    cameras = (*Insertion.cameras, *MODEL_CAMERAS)
    rgbd = Rgbd(RGBD_CAMERAS)
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    randomization = "arm_peg_insert"
    references: ClassVar[tuple[str, ...]] = (
        "Whitney: Quasi-static assembly of compliantly supported rigid parts, J. Dyn. Sys. Meas. Control 104, 1982",
        "Noseworthy et al.: FORGE, force-guided exploration for robust contact-rich manipulation, 2024: a force "
        "threshold as part of the command",
        "ISO 286: fits; H7/g6 on 16 mm leaves 0.006 to 0.035 mm",
    )

    def __init__(self, peg: str = "round", clearance_mm: float | None = None, robot: str = "ur10e"):
        if peg not in FITS:
            raise ShopfloorError(f"peg must be one of {', '.join(FITS)}, got {peg!r}")
        low, high = CLEARANCE_MM if clearance_mm is None else (clearance_mm, clearance_mm)
        if not CLEARANCE_MM[0] <= low <= high <= CLEARANCE_MM[1]:
            raise ShopfloorError(f"clearance_mm must lie in {list(CLEARANCE_MM)}, got {clearance_mm}")
        self.fit = FITS[peg]
        self.seat_mm = 1e3 * self.fit.depth
        self.turns = not self.fit.round
        super().__init__(robot)
        self._position, self._yaw = home_station(self.robot, hole_position)
        self.start = self._start(low, high)

    def _start(self, low: float, high: float) -> tuple[Term, ...]:
        turn: tuple[Term, ...] = ()
        if self.turns:
            turn = (Uniform("grasp_turn", -0.3, 0.3, "deg", 1, "peg turned about its axis in the gripper"),)
        return (
            LogUniform("clearance_mm", low, high, "mm", 1, "what the hole is wider than the peg"),
            *self.common_start(),
            Uniform("grasp_offset", -0.15, 0.15, "mm", 2, "peg off-centre in the gripper, x and y of the peg"),
            Uniform("grasp_tilt", -0.3, 0.3, "deg", 2, "peg askew in the gripper, about its x and y"),
            *turn,
        )

    @property
    def goal_position(self) -> tuple[float, float, float]:
        """Middle of the mouth."""
        return self._position

    @property
    def goal_yaw(self) -> float:
        """The tool's direction at home."""
        return self._yaw

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """The insertion cell; the compiled peg is the widest one."""
        return peg_cell(
            self.robot, self.fit, clearance=1e-3 * CLEARANCE_MM[0], yaw=self._yaw, timestep=self.timing.timestep_s,
            visual=visual,
        )  # fmt: skip

    def allocate(self, s: Rows) -> None:
        """Fields of peg and fit, a value a row."""
        super().allocate(s)
        side, rim = peg_geoms("peg", self.fit)
        self._side, self._rim = s.sim.id("geom", side), s.sim.ids("geom", rim)
        self._peg = s.sim.id("body", "peg")
        self._pairs = s.sim.ids("pair", pair_names("hole", "peg", self.fit))
        for field in ("geom_size", "geom_pos", "pair_friction", "body_pos", "body_quat"):
            s.sim.field(field)

    def prepare(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Size of the peg, friction, and how the gripper holds it."""
        sim = s.sim
        clearance = 1e-3 * params["clearance_mm"]
        s.clearance_mm[rows] = params["clearance_mm"]
        sim.field("geom_size")[rows, self._side] = self.fit.side(clearance)
        sim.field("geom_pos")[np.ix_(rows, self._rim)] = self.fit.rim(clearance)
        sim.field("pair_friction")[np.ix_(rows, self._pairs, np.arange(2))] = params["friction"][:, None, None]
        tilt = np.deg2rad(params["grasp_tilt"])
        turned = quat_multiply(quat_from_axis_angle(X, tilt[:, 0]), quat_from_axis_angle(Y, tilt[:, 1]))
        if self.turns:
            z = np.array([0.0, 0.0, 1.0])
            turned = quat_multiply(turned, quat_from_axis_angle(z, np.deg2rad(params["grasp_turn"])))
        held = quat_multiply(np.broadcast_to(np.array([0.0, 1.0, 0.0, 0.0]), turned.shape), turned)
        # the pads hold it GRIP above its tip
        up = rotate(held, np.broadcast_to(np.array([0.0, 0.0, GRIP]), (rows.size, 3)))
        grip = np.zeros((rows.size, 3))
        grip[:, :2] = 1e-3 * params["grasp_offset"]
        grip[:, 2] = parallel_gripper.TCP
        sim.field("body_pos")[rows, self._peg] = grip - up
        sim.field("body_quat")[rows, self._peg] = held
        sim.stale(rows)
