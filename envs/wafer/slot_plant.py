"""Model fields and start state of the rows of a get or put: carrier, arm and wafer of an episode."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.slot import HOME_RADIUS, PAD_PAIRS, PADDLE_MOMENT, SAG_INERTIA, SAG_LEVER
from ...assets.fixtures.foup import PITCH, SLOTS, seat_height
from ...assets.parts import wafer
from ...assets.robots import efem_robot
from ..engine.simulation import Simulation
from ..engine.task import Rows
from . import slot_clearance as clearance
from .profiles import GRAVITY
from .slot_carrier import Carrier, compose, rotate, tilt_quaternion
from .slot_motion import cup_force

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

FIELDS = (
    "pair_friction", "jnt_stiffness", "dof_damping", "body_pos", "body_quat", "geom_pos", "actuator_gainprm",
    "actuator_biasprm",
)  # fmt: skip


class SlotPlant:
    """Names of the cell, resolved once, and what is written under them.

    Needs the row arrays that its methods write or read: those of `WaferSlot`.
    """

    def __init__(self, sim: Simulation):
        self.joints = sim.qpos_index(("lift", "a_shoulder", "a_elbow", "a_wrist"))
        self.rates = sim.qvel_index(("lift", "a_shoulder"))
        self.tcp = sim.output("site_xpos", "site", "a_tcp")
        self._sag = int(sim.qpos_index(("a_sag",))[0])
        self._flex_joints = sim.ids("joint", ("a_flex_x", "a_flex_y"))
        self._flex_dofs = sim.qvel_index(("a_flex_x", "a_flex_y"))
        self._wafer = int(sim.qpos_index(("wafer_free",))[0])
        names = ("lift_position", "a_shoulder_position", "a_sag", "vacuum")
        self._lift_control, self._shoulder_control, self._sag_actuator, self._vacuum = sim.ids("actuator", names)
        self._bodies = {k: sim.id("body", k) for k in ("foup", "slot_left", "slot_right", "wafer_below", "wafer_above")}
        self._discs = {k: sim.id("geom", f"wafer_{k}") for k in ("disc", "rim")}
        self._pairs = sim.ids("pair", PAD_PAIRS)
        self._keyframe = sim.id("key", "home")
        self._paddle_quaternion = sim.output("xquat", "body", "a_paddle")
        self._foup = sim.output("xpos", "body", "foup"), sim.output("xquat", "body", "foup")
        for field in FIELDS:
            sim.field(field)

    def write_carrier(self, s: Rows, rows: RowIndex, params: Mapping[str, Array], found: Carrier) -> None:
        """Pose of the carrier, heights of its slot and of what is seen beside it, warp of the wafer."""
        sim, bodies = s.sim, self._bodies
        seat = seat_height(params["slot"])
        position = sim.field("body_pos")
        position[rows, bodies["foup"]] = found.position
        sim.field("body_quat")[rows, bodies["foup"]] = found.quaternion
        for side, name in enumerate(("slot_left", "slot_right")):
            position[rows, bodies[name], 2] = found.tops[:, side]
        for side, name in enumerate(("wafer_below", "wafer_above")):
            # a neighbour that is not there is drawn in a slot far away
            elsewhere = seat_height((params["slot"] + 11 + side) % SLOTS + 1)
            height = found.neighbours[:, side] - 0.5 * wafer.THICKNESS
            position[rows, bodies[name], 2] = np.where(found.neighbours[:, side] > 0.0, height, elsewhere)
        for part, circle in (("disc", wafer.INNER_CIRCLE), ("rim", wafer.RIM_CIRCLE)):
            sim.field("geom_pos")[rows, self._discs[part], 2] = wafer.median_height(found.warp[:, 0], circle)
        s.warp_m[rows], s.tops[rows], s.neighbours[rows] = found.warp, found.tops, found.neighbours
        own = clearance.shelf_top(found.tops)
        above = clearance.shelf_top(seat + PITCH + 0.001 * params["slot_error"][:, 2])
        s.shelf_tops[rows] = np.stack((own, np.column_stack((above, above))), axis=1)
        s.slot_height[rows], s.tilt[rows] = seat, params["tilt"]

    def write_arm(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Vertical spring, friction and vacuum of the episode's robot; `stiffen` follows with the lateral springs."""
        sim = s.sim
        omega = 2.0 * np.pi * params["sag_frequency"]
        stiffness = SAG_INERTIA * omega * omega
        gain, bias = sim.field("actuator_gainprm"), sim.field("actuator_biasprm")
        gain[rows, self._sag_actuator, 0] = stiffness
        bias[rows, self._sag_actuator, 1] = -stiffness
        bias[rows, self._sag_actuator, 2] = -2.0 * params["damping_ratio"] * SAG_INERTIA * omega
        s.sag_stiffness[rows], s.sag_full[rows] = stiffness, 0.001 * params["droop"]
        for pair in self._pairs.tolist():
            sim.field("pair_friction")[rows, pair, :2] = params["friction"][:, None]
        for name in ("friction", "frequency", "damping_ratio", "vacuum_tau", "seal_leak"):
            getattr(s, name)[rows] = params[name]
        s.supply_kpa[rows], s.vent_tau[rows] = params["supply"], 0.5 * params["vacuum_tau"]

    def stiffen(self, s: Rows, rows: RowIndex | slice) -> None:
        """Springs of the lateral modes for the extension that the arm has."""
        radius = efem_robot.GEOMETRY.radius(s.sim.qpos[rows, self.joints[1]])
        ratio = s.frequency[rows] / efem_robot.FLEX_FREQUENCY_HZ
        damping = ratio * s.damping_ratio[rows] / efem_robot.FLEX_DAMPING_RATIO
        stiffness, dampers = efem_robot.COMPLIANCE.stiffness(radius), efem_robot.COMPLIANCE.damping(radius)
        for axis in range(2):
            s.sim.field("jnt_stiffness")[rows, self._flex_joints[axis]] = stiffness[axis] * ratio * ratio
            s.sim.field("dof_damping")[rows, self._flex_dofs[axis]] = dampers[axis] * damping

    def stand(self, s: Rows, rows: RowIndex, lift: Array, carries: bool) -> None:
        """Arm retracted at `lift` (k,) m, hanging as it does at rest, with the vacuum that `s.pressure_kpa` says."""
        sim = s.sim
        sim.reset(rows, self._keyframe)
        phi = float(efem_robot.GEOMETRY.extension_angle(HOME_RADIUS))
        angles = (np.full(rows.size, share * phi) for share in (1.0, -2.0, 1.0))
        sim.qpos[np.ix_(rows, self.joints)] = np.column_stack((lift, *angles))
        tilt = s.sag_full[rows] / SAG_LEVER * (HOME_RADIUS / efem_robot.RADIUS_RANGE[1]) ** 2
        load = wafer.MASS * GRAVITY * SAG_LEVER if carries else 0.0
        sim.qpos[rows, self._sag] = tilt + load / s.sag_stiffness[rows]
        sim.ctrl[rows, self._lift_control], sim.ctrl[rows, self._shoulder_control] = lift, phi
        sim.ctrl[rows, self._sag_actuator] = tilt - PADDLE_MOMENT / s.sag_stiffness[rows]
        sim.ctrl[rows, self._vacuum] = cup_force(s.pressure_kpa[rows], s.sealed[rows])
        s.reference[rows] = np.column_stack((np.full(rows.size, HOME_RADIUS), lift))
        self.stiffen(s, rows)
        sim.set_const(rows)
        sim.forward(rows)

    def lay_in_slot(self, s: Rows, rows: RowIndex, found: Carrier) -> None:
        """The wafer at rest in the slot."""
        quaternion = self._foup[1][rows]
        slope = -found.wafer_normal / found.wafer_normal[:, 2:]
        turned = compose(quaternion, tilt_quaternion(slope[:, 0], slope[:, 1]))
        self._put(s, rows, self._foup[0][rows] + rotate(quaternion, found.wafer_position), turned)

    def lay_on_paddle(self, s: Rows, rows: RowIndex, offset: Array, warp: Array) -> None:
        """The wafer on the pads, its centre `offset` (k, 2) m beside the TCP."""
        turned = self._paddle_quaternion[rows]
        lowered = np.column_stack((offset, -wafer.median_height(warp, wafer.INNER_CIRCLE)))
        self._put(s, rows, self.tcp[rows] + rotate(turned, lowered), turned)

    def _put(self, s: Rows, rows: RowIndex, position: Array, quaternion: Array) -> None:
        s.sim.qpos[rows, self._wafer : self._wafer + 3] = position
        s.sim.qpos[rows, self._wafer + 3 : self._wafer + 7] = quaternion
