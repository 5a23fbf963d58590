"""Model fields and start state of the rows of a swap: machine, module and wafers of an episode."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.swap import (
    HEADING,
    HOME_LIFT,
    HOME_RADIUS,
    MODULE,
    MODULE_HEIGHT,
    PAD_PAIRS,
    STATION_RADIUS,
    WAFERS,
)
from ...assets.fixtures.process_module import BUMP_HEIGHT
from ...assets.parts import wafer
from ...assets.robots.dual_scara import COMPLIANCE
from ...assets.robots.vacuum_scara import SEAT_PENETRATION
from ..engine.simulation import Simulation
from ..engine.task import Rows
from .slot_carrier import rotate

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

NOMINAL_FREQUENCY = float(COMPLIANCE.frequencies(STATION_RADIUS)[0])  # Hz, radial mode at the station
_FIELDS = ("pair_friction", "jnt_stiffness", "dof_damping", "body_pos", "body_quat")


class SwapPlant:
    """Names of the cell, resolved once, and what is written under them.

    Needs the row arrays that its methods write or read: those of `WaferSwap`.
    """

    def __init__(self, sim: Simulation):
        self.theta = int(sim.qpos_index(("theta",))[0])
        self.lift = int(sim.qpos_index(("lift",))[0])
        self.shoulders = sim.qpos_index(("a_shoulder", "b_shoulder"))
        self.shoulder_rates = sim.qvel_index(("a_shoulder", "b_shoulder"))
        self.pins = int(sim.qpos_index((f"{MODULE}_pins",))[0])
        self.gate = int(sim.qpos_index((f"{MODULE}_valve_gate",))[0])
        self.flex = sim.qpos_index(("a_flex_x", "b_flex_x"))
        self._theta_control = sim.id("actuator", "theta_position")
        self._flex_joints = {arm: sim.ids("joint", (f"{arm}_flex_x", f"{arm}_flex_y")) for arm in "ab"}
        self._flex_dofs = {arm: sim.qvel_index((f"{arm}_flex_x", f"{arm}_flex_y")) for arm in "ab"}
        self._wafers = {name: int(sim.qpos_index((f"{name}_free",))[0]) for name in WAFERS}
        self._pairs = {name: sim.ids("pair", PAD_PAIRS[name]) for name in WAFERS}
        self._paddles = {arm: sim.id("body", f"{arm}_paddle") for arm in "ab"}
        self._module = sim.id("body", MODULE)
        self._keyframe = sim.id("key", "home")
        self._module_place = sim.output("xpos", "body", MODULE)
        self.tcp = {arm: sim.output("site_xpos", "site", f"{arm}_tcp") for arm in "ab"}
        self._paddle_quaternion = sim.output("xquat", "body", "b_paddle")
        for field in _FIELDS:
            sim.field(field)

    def write(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Module where it really stands, paddles, friction and modes of this episode."""
        sim = s.sim
        along, across = 0.001 * params["teach_error"].T
        c, d = float(np.cos(HEADING)), float(np.sin(HEADING))
        position = sim.field("body_pos")
        position[rows, self._module, 0] = STATION_RADIUS * c + c * along - d * across
        position[rows, self._module, 1] = STATION_RADIUS * d + d * along + c * across
        position[rows, self._module, 2] = MODULE_HEIGHT + 0.001 * params["teach_height"]
        zero = np.zeros(rows.size)
        for k, (name, arm) in enumerate(WAFERS.items()):
            half = 0.5 * s.tilt[rows, k]
            quaternion = np.stack((np.cos(half), zero, np.sin(half), zero), axis=-1)
            sim.field("body_quat")[rows, self._paddles[arm]] = quaternion
            for pair in self._pairs[name].tolist():
                sim.field("pair_friction")[rows, pair, :2] = s.friction[rows, k, None]
        self.stiffen(s, rows)

    def stiffen(self, s: Rows, rows: RowIndex | slice) -> None:
        """Springs of both arms for the extension that they have."""
        ratio = s.frequency[rows] / NOMINAL_FREQUENCY
        damping = ratio * s.damping_ratio[rows] / COMPLIANCE.damping_ratio
        for k, arm in enumerate(WAFERS.values()):
            radius = s.reference[rows, 1 + k]
            stiffness, dampers = COMPLIANCE.stiffness(radius), COMPLIANCE.damping(radius)
            for axis in range(2):
                s.sim.field("jnt_stiffness")[rows, self._flex_joints[arm][axis]] = stiffness[axis] * ratio * ratio
                s.sim.field("dof_damping")[rows, self._flex_dofs[arm][axis]] = dampers[axis] * damping

    def stand(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Arms retracted, beside the direction of the module; gate shut, pins down; both wafers laid down."""
        sim, count = s.sim, rows.size
        theta = HEADING + params["start_angle"]
        radius = np.full(count, HOME_RADIUS)
        s.reference[rows] = np.stack((theta, radius, radius, np.full(count, HOME_LIFT), np.zeros(count)), axis=-1)
        self.write(s, rows, params)
        sim.reset(rows, self._keyframe)
        sim.qpos[rows, self.theta] = sim.ctrl[rows, self._theta_control] = theta
        sim.set_const(rows)
        sim.forward(rows)
        along, across = 0.001 * params["processed_offset"].T
        c, d = float(np.cos(HEADING)), float(np.sin(HEADING))
        seat = self._wafers["processed"]
        place = self._module_place[rows]
        height = BUMP_HEIGHT + 0.5 * wafer.THICKNESS - SEAT_PENETRATION
        shift = np.stack((c * along - d * across, d * along + c * across, np.full(count, height)), axis=-1)
        sim.qpos[rows, seat : seat + 3] = place + shift
        turned = np.array([np.cos(0.5 * HEADING), 0.0, 0.0, np.sin(0.5 * HEADING)])
        sim.qpos[rows, seat + 3 : seat + 7] = turned
        seat = self._wafers["fresh"]
        quaternion = self._paddle_quaternion[rows]
        offset = np.column_stack((0.001 * params["fresh_offset"], np.zeros(count)))
        sim.qpos[rows, seat : seat + 3] = self.tcp["b"][rows] + rotate(quaternion, offset)
        sim.qpos[rows, seat + 3 : seat + 7] = quaternion
