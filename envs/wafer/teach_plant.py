"""Model fields and start state of the rows of an auto-teaching: where the station stands, and how soft the arm is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.slot import SAG_INERTIA, SAG_LEVER
from ...assets.cells.teach import START_LIFT, START_RADIUS, STATION
from ...assets.parts import wafer
from ...assets.robots import efem_robot
from ..engine.simulation import Simulation
from ..engine.task import Rows
from .profiles import GRAVITY
from .slot_carrier import tilt_quaternion
from .teach_geometry import NOMINAL_STIFFNESS, nominal_tilt, sag_share
from .teach_motion import hang

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

FIELDS = ("jnt_stiffness", "dof_damping", "body_pos", "body_quat", "actuator_gainprm", "actuator_biasprm")


class TeachPlant:
    """Names of the cell, resolved once, and what is written under them.

    Needs the row arrays that its methods write or read: those of `WaferAutoTeach`.
    """

    def __init__(self, sim: Simulation):
        self.joints = sim.qpos_index(("lift", "theta", "a_shoulder", "a_elbow", "a_wrist"))
        self._sag = int(sim.qpos_index(("a_sag",))[0])
        self._sag_actuator = sim.id("actuator", "a_sag")
        self._controls = sim.ids("actuator", ("lift_position", "theta_position", "a_shoulder_position"))
        self._flex_joints = sim.ids("joint", ("a_flex_x", "a_flex_y"))
        self._flex_dofs = sim.qvel_index(("a_flex_x", "a_flex_y"))
        self._station = sim.id("body", "station")
        self._keyframe = sim.id("key", "home")
        for field in FIELDS:
            sim.field(field)

    def write_station(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Pose of the station; its pin as a line in the world."""
        at = np.array(STATION) + 0.001 * params["station_offset"]
        slope = np.tan(np.deg2rad(params["station_tilt"]))
        s.sim.field("body_pos")[rows, self._station] = at
        # a plane that rises along x is turned about -y
        s.sim.field("body_quat")[rows, self._station] = tilt_quaternion(slope[:, 0], slope[:, 1])
        length = np.sqrt(1.0 + slope[:, 0] * slope[:, 0] + slope[:, 1] * slope[:, 1])
        s.pin_foot[rows] = at
        s.pin_axis[rows] = np.stack((-slope[:, 0], -slope[:, 1], np.ones(rows.size)), axis=-1) / length[:, None]
        s.slope[rows] = slope

    def write_arm(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Springs of the arm, and the rows' own numbers of drives and sensors."""
        sim = s.sim
        stiffness = NOMINAL_STIFFNESS * (1.0 + params["stiffness_error"])
        damping = 2.0 * params["damping_ratio"] * np.sqrt(stiffness * SAG_INERTIA)
        gain, bias = sim.field("actuator_gainprm"), sim.field("actuator_biasprm")
        gain[rows, self._sag_actuator, 0] = stiffness
        bias[rows, self._sag_actuator, 1], bias[rows, self._sag_actuator, 2] = -stiffness, -damping
        s.sag_stiffness[rows], s.sag_full[rows] = stiffness, 0.001 * params["droop"]
        radius = np.full(rows.size, STATION[0])
        lateral = params["frequency"] / efem_robot.FLEX_FREQUENCY_HZ
        damped = lateral * params["damping_ratio"] / efem_robot.FLEX_DAMPING_RATIO
        springs, dampers = efem_robot.COMPLIANCE.stiffness(radius), efem_robot.COMPLIANCE.damping(radius)
        for axis in range(2):
            sim.field("jnt_stiffness")[rows, self._flex_joints[axis]] = springs[axis] * lateral * lateral
            sim.field("dof_damping")[rows, self._flex_dofs[axis]] = dampers[axis] * damped

    def true_sag(self, s: Rows, rows: RowIndex, radius: Array) -> Array:
        """Tilt (k,) of the paddle at rest with the jig, tip down, at `radius` (k,) m, rad."""
        load = wafer.MASS * GRAVITY * SAG_LEVER / s.sag_stiffness[rows]
        tilt: Array = s.sag_full[rows] / SAG_LEVER * sag_share(radius) + load
        return tilt

    def taught_height(self, s: Rows, rows: RowIndex) -> Array:
        """Height (k,) of the station in the robot's coordinates, which contain the sag beyond the taught one."""
        radius = np.full(rows.size, STATION[0])
        unknown = SAG_LEVER * (self.true_sag(s, rows, radius) - nominal_tilt(radius))
        height: Array = s.pin_foot[rows, 2] + unknown
        return height

    def stand(self, s: Rows, rows: RowIndex) -> None:
        """Arm before the pin and above it, hanging as it does at rest."""
        sim, zero = s.sim, np.zeros(rows.size)
        sim.reset(rows, self._keyframe)
        phi = float(efem_robot.GEOMETRY.extension_angle(START_RADIUS))
        for joint, value in zip(self.joints.tolist(), (START_LIFT, 0.0, phi, -2.0 * phi, phi), strict=True):
            sim.qpos[rows, joint] = value
        sim.ctrl[np.ix_(rows, self._controls)] = np.array([START_LIFT, 0.0, phi])
        radius = zero + START_RADIUS
        sim.qpos[rows, self._sag] = self.true_sag(s, rows, radius)
        sim.ctrl[rows, self._sag_actuator] = hang(s, rows, radius[:, None])[:, 0]
        s.reference[rows] = np.stack((radius, zero, zero + START_LIFT), axis=-1)
        sim.set_const(rows)
        sim.forward(rows)
