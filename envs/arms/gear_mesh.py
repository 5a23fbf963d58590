"""ArmGearMesh: slide a gear onto its pin and into mesh with the gear beside it, by feel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import mujoco
import numpy as np

from ...assets.cells.gear_cell import BORE, ENGAGED, GEAR, GRIP, SEAT, gear_cell, pin_tip
from ...assets.parts.fits import pair_names, peg_geoms
from ...assets.tools import parallel_gripper
from ...frames import quat_from_axis_angle, quat_multiply, rotate
from ..engine.start import LogUniform, Uniform
from ..engine.task import Array, RowIndex, Rows
from ..sensing import PRIVILEGED, Channel
from .insertion import Insertion, X, Y
from .insertion_expert import InsertionExpert
from .reach_robot import home_station

CLEARANCE_MM = (0.05, 0.4)
Z = np.array([0.0, 0.0, 1.0])


class ArmGearMesh(Insertion):
    """An arm slides a spur gear onto its pin, finds the gap between the teeth of the gear beside it, and seats it.

    Module 1 mm, 40 teeth each, 8 mm wide, 0.1 mm of backlash, a bore of 12 mm. Two contacts have to be right at once:
    the bore on the pin, as in a peg insertion turned over, and the teeth, whose phase nobody knows: the mounted gear
    stands anyhow, turns under friction, and its train blocks it after 14 deg. Where tooth stands on tooth, pressing
    harder does not help; turning does. As in ArmPegInsert the arm is under admittance control with a force limit in
    every command, each order names the force that the parts may bear, and jams are counted.

    The yaw of the gear is free, and the bore's walls are modelled for small ones: turned by 4.5 deg, half a pitch, the
    gear has 0.02 mm more room on the pin than its clearance says.

    Args:
        robot: an arm of `shopfloor.assets.robots.arm`, such as "ur10e", "m10id12", "fr3", "iiwa14" or "scara".
    """

    title: ClassVar[str] = "arm slides a gear onto its pin and into mesh with another, by force"
    part = "the gear"
    goal = "the pin"
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    randomization = "arm_gear_mesh"
    references: ClassVar[tuple[str, ...]] = (
        "Whitney: Quasi-static assembly of compliantly supported rigid parts, J. Dyn. Sys. Meas. Control 104, 1982",
        "ISO 53: cylindrical gears, standard basic rack tooth profile; module and pitch",
        "Narang et al.: Factory, fast contact for robotic assembly, RSS 2022: a gear assembly of the NIST task boards",
    )
    seat_mm = 1e3 * SEAT

    def __init__(self, robot: str = "ur10e"):
        super().__init__(robot)
        self.channels = (
            *self.channels,
            Channel(
                "mesh_phase", 1, "1", -4.0, 4.0, scale=0.5, group=PRIVILEGED,
                description="how far the mounted gear's gap is from the held gear's tooth, in pitches",
            ),
        )  # fmt: skip
        self._position, self._yaw = home_station(self.robot, pin_tip)
        self.start = (
            LogUniform("clearance_mm", *CLEARANCE_MM, "mm", 1, "what the bore is wider than the pin"),
            *self.common_start(),
            Uniform("grasp_offset", -0.15, 0.15, "mm", 2, "gear off-centre in the gripper, x and y of the gear"),
            Uniform("grasp_tilt", -0.3, 0.3, "deg", 2, "gear askew in the gripper, about its x and y"),
            Uniform("phase", -0.5, 0.5, "1", 1, "mounted gear from where the teeth would mesh, in pitches"),
        )

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """The gear cell; the compiled pin is the widest one."""
        return gear_cell(
            self.robot, clearance=1e-3 * CLEARANCE_MM[0], yaw=self._yaw, timestep=self.timing.timestep_s, visual=visual
        )

    def expert(self) -> InsertionExpert:
        """As for a peg; where the teeth meet it turns the gear to and fro."""
        return InsertionExpert(self.make_action().terms, press=0.4, mesh=(-ENGAGED + 0.0025, -ENGAGED - 0.0015))

    @property
    def goal_position(self) -> tuple[float, float, float]:
        """Middle of the pin's tip."""
        return self._position

    @property
    def goal_yaw(self) -> float:
        """The tool's direction at home, in which the mounted gear stands."""
        return self._yaw

    def allocate(self, s: Rows) -> None:
        """Fields of pin and fit, a value a row, and the mounted gear."""
        super().allocate(s)
        side, rim = peg_geoms("pin", BORE)
        self._side, self._rim = s.sim.id("geom", side), s.sim.ids("geom", rim)
        self._gear = s.sim.id("body", "gear")
        self._pairs = s.sim.ids("pair", pair_names("bore", "pin", BORE, floor=False))
        self._driven = int(s.sim.qpos_index(["driven"])[0])
        for field in ("geom_size", "geom_pos", "pair_friction", "body_pos", "body_quat"):
            s.sim.field(field)
        s.new("phase")

    def prepare(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Size of the pin, friction, how the gripper holds the gear, and how the mounted one stands."""
        sim = s.sim
        clearance = 1e-3 * params["clearance_mm"]
        s.clearance_mm[rows] = params["clearance_mm"]
        sim.field("geom_size")[rows, self._side] = BORE.side(clearance)
        sim.field("geom_pos")[np.ix_(rows, self._rim)] = BORE.rim(clearance)
        sim.field("pair_friction")[np.ix_(rows, self._pairs, np.arange(2))] = params["friction"][:, None, None]
        tilt = np.deg2rad(params["grasp_tilt"])
        turned = quat_multiply(quat_from_axis_angle(X, tilt[:, 0]), quat_from_axis_angle(Y, tilt[:, 1]))
        held = quat_multiply(np.broadcast_to(np.array([0.0, 1.0, 0.0, 0.0]), turned.shape), turned)
        up = rotate(held, np.broadcast_to(np.array([0.0, 0.0, GRIP]), (rows.size, 3)))
        grip = np.zeros((rows.size, 3))
        grip[:, :2] = 1e-3 * params["grasp_offset"]
        grip[:, 2] = parallel_gripper.TCP
        sim.field("body_pos")[rows, self._gear] = grip - up
        sim.field("body_quat")[rows, self._gear] = held
        sim.stale(rows)
        s.phase[rows] = params["phase"]

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """As every insertion, with the mounted gear out of phase."""
        super().begin(s, rows, params)
        s.sim.qpos[rows, self._driven] = s.phase[rows] * GEAR.pitch

    def observe_mesh_phase(self, s: Rows) -> Array:
        """Gap of the mounted gear relative to the tooth of the held one, both turned from mesh."""
        # the held gear turns with its part's x axis; in mesh the two turn against each other
        x = self._part_matrix[:, 0::3]
        c, d = np.cos(self._yaw), np.sin(self._yaw)
        yaw = np.arctan2(c * x[:, 1] - d * x[:, 0], c * x[:, 0] + d * x[:, 1])
        phase: Array = (s.sim.qpos[:, self._driven] + yaw) / GEAR.pitch
        return phase[:, None]
