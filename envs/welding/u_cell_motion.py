"""A torch that runs its program through a U-cell, with corrections, and the set-points of the arc."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.weld_u_cell import HOME
from ...assets.robots.arm import Arm
from ...errors import ShopfloorError
from ...limits import MotionLimiter, MotionLimits
from ..control.chain import SerialChain
from ..control.interface import ActionTerm
from ..control.joint import ramp
from ..engine.task import Rows
from .u_cell_program import DONE, ON_AROUND, ON_UP, UCellProgram
from .u_cell_seams import QUARTER, around_torch

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

# The procedure of horizontal and vertical fillets: travel speed (mm/s) and wire feed (m/min).
TRAVEL_MM_S, FEED_M_MIN = (6.5, 3.4), (11.5, 7.5)
SHARE, FEED_SHARE = (0.35, 1.5), (0.75, 1.25)  # of these, that may be asked for
TRIM_V, WEAVE_MM, WEAVE_HZ = 3.0, 4.0, 1.0
CORRECTION_MM, CORRECTION_MM_S = 10.0, 6.0
ANGLE_DEG, ANGLE_DEG_S = (15.0, 20.0), 15.0  # ranges of work and travel angle, and their rate
AIR_MM_S, AIR_MM_S2, BRAKE_MM_S2, SEAM_MM_S2 = 110.0, 300.0, 120.0, 20.0
# What drive rolls, source and weave change in a second: shares, V, mm
SLEW = (0.5, 10.0, 5.0)
CHUNKS = 2  # poses that the controller computes in a control step
SERVO_LAG_S = 0.037  # of the arm's position servos, from commissioning: kv / kp


def correction_limits() -> MotionLimits:
    """Of lateral and height corrections (mm), work and travel angle (rad)."""
    c, rate, angle = CORRECTION_MM, float(np.radians(ANGLE_DEG_S)), np.radians(ANGLE_DEG)
    return MotionLimits.of(
        low=[-c, -c, *(-angle)], high=[c, c, *angle], velocity=[CORRECTION_MM_S, CORRECTION_MM_S, rate, rate],
        acceleration=[60.0, 60.0, 4.0, 4.0], jerk=[1200.0, 1200.0, 80.0, 80.0],
    )  # fmt: skip


class UCellMotion:
    """Corrections of the torch from its program, the speed along it, and the arc, relative to the procedure.

    The controller runs the program. On a seam the corrections are those of the action; through the air the controller
    takes them back, and only the speed counts. Around the bar a correction stays where it is in the cell while the
    torch turns, since it is the bar that is displaced. The arc burns on the seams. Speed and feed are shares of the
    procedure's for the position: a horizontal fillet, or the vertical one, on which the torch weaves about the seam.

    Args:
        arm: the robot.
    """

    name = "u_cell_motion"

    def __init__(self, arm: Arm):
        self.arm = arm
        self.motion = correction_limits()

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """Four corrections, speed, feed, trim, weave."""
        c, a = CORRECTION_MM_S, ANGLE_DEG_S
        return (
            ActionTerm("lateral_rate", "mm/s", -c, c, "seam", "of the wire towards the standing plate"),
            ActionTerm("height_rate", "mm/s", -c, c, "seam", "of the wire out of the joint"),
            ActionTerm("work_angle_rate", "deg/s", -a, a, "seam", "of the torch about the seam, down to the base"),
            ActionTerm("travel_angle_rate", "deg/s", -a, a, "seam", "of the torch along the seam, positive pushes"),
            ActionTerm("travel_speed", "1", *SHARE, "seam", "share of the procedure's; through the air of the usual"),
            ActionTerm("wire_feed", "1", *FEED_SHARE, "", "share of the procedure's"),
            ActionTerm("voltage_trim", "V", -TRIM_V, TRIM_V, "", "over the source's synergic line"),
            ActionTerm("weave", "mm", 0.0, WEAVE_MM, "seam", "amplitude to each side, on the vertical seam"),
        )

    def limits(self) -> dict[str, Any]:
        """Limits of the corrections, of the speeds, and of the joints."""
        return {
            "corrections": self.motion.as_dict(), "travel_mm_s2": SEAM_MM_S2, "air_mm_s": AIR_MM_S,
            "air_mm_s2": AIR_MM_S2, "joints": list(self.arm.joints), "joint_velocity": list(self.arm.velocity),
        }  # fmt: skip

    def bind(self, s: Rows) -> None:
        """Resolve the arm and register the arrays.

        Before an episode a task makes the program and calls `place` of a motion of its own. It may read `program_mm`,
        `segment`, `travel_mm_s`, `arc_set` (n, 3: shares of feed, trim, weave), `correction` (n, 4), `weave_mm` and
        `weave_amplitude_mm`, `joint_reference` and `joint_share`.
        """
        self._limiter = MotionLimiter(self.motion, s.timing.control_dt)
        self.prepare(s)
        for name, shape in (
            ("program_mm", ()), ("travel_mm_s", ()), ("arc_set", (3,)), ("correction", (4,)),
            ("correction_rate", (4,)), ("correction_acceleration", (4,)), ("weave_mm", ()),
            ("joint_reference", (self.arm.dof,)), ("joint_share", ()), ("along_mm", ()), ("torch_heading", ()),
        ):  # fmt: skip
            s.new(name, shape)
        s.new("segment", dtype=np.int64)

    def prepare(self, s: Rows) -> None:
        """Resolve what `place` needs; for a task, whose motion is not bound."""
        self.program = UCellProgram(s)
        self._qpos, self._ctrl = s.sim.qpos_index(self.arm.joints), s.sim.ids("actuator", self.arm.joints)
        self._chain = SerialChain(s.sim.model, self.arm.joints, "tcp")
        self._low, self._high = np.asarray(self.arm.low), np.asarray(self.arm.high)
        self._joint_step = np.asarray(self.arm.velocity) * s.timing.control_dt / CHUNKS

    def place(self, s: Rows, rows: RowIndex) -> None:
        """Put the arm of `rows` at the beginning of their programs.

        Raises:
            ShopfloorError: if the arm does not reach it.
        """
        every = np.zeros(s.n)
        position, rotation = self.program.pose(every, np.zeros((s.n, 3)), np.zeros((s.n, 2)))
        target, turn = position[rows], rotation[rows]
        home = np.broadcast_to(np.array(HOME), (rows.size, self.arm.dof))
        angles = self._chain.solve(home, target, turn, iterations=20)
        reached, _ = self._chain.forward(angles)
        bad = (angles < self._low).any(axis=1) | (angles > self._high).any(axis=1)
        bad |= np.abs(reached - target).max(axis=1) > 1e-6
        if bad.any():
            where = target[np.argmax(bad)].round(3).tolist()
            raise ShopfloorError(f"{self.arm.name} does not reach the approach at {where} m")
        s.sim.qpos[np.ix_(rows, self._qpos)] = angles
        s.sim.ctrl[np.ix_(rows, self._ctrl)] = angles

    def reset(self, s: Rows, rows: RowIndex) -> None:
        """At the beginning of the program, at rest."""
        for name in (
            "program_mm", "travel_mm_s", "correction", "correction_rate", "correction_acceleration", "weave_mm",
            "joint_share", "segment", "along_mm",
        ):  # fmt: skip
            getattr(s, name)[rows] = 0
        s.arc_set[rows] = (1.0, 0.0, 0.0)
        s.torch_heading[rows] = -QUARTER
        s.joint_reference[rows] = s.sim.qpos[np.ix_(rows, self._qpos)]

    # -- one control step -------------------------------------------------------------------------------------

    def apply(self, s: Rows, setpoints: Array, rows: RowIndex | None) -> None:
        """Advance program, corrections and weave, solve the kinematics, let the servos follow."""
        dt = s.timing.control_dt
        air = s.segment % 2 == 0
        change = -s.correction
        self._correct(s, setpoints[:, :4], air)
        change += s.correction
        reach = np.array(SLEW) * dt
        s.arc_set += np.minimum(np.maximum(setpoints[:, 5:8] - s.arc_set, -reach), reach)
        start = s.joint_reference.copy()
        share, commands = s.timing.substeps // CHUNKS, np.repeat(s.sim.ctrl[:, None, :], s.timing.substeps, axis=1)
        s.joint_share[...] = 0.0
        for chunk in range(CHUNKS):
            part = (chunk + 1) / CHUNKS
            self._advance(s, setpoints[:, 4], dt / CHUNKS)
            s.weave_mm[...] = self.weave(s, s.time_s + part * dt)
            self._turn(s)
            at = s.correction - (1.0 - part) * change
            at[:, 0] += s.weave_mm
            shift = np.concatenate((at[:, :2], s.along_mm[:, None]), axis=1)
            target, rotation = self.program.pose(s.program_mm, shift, at[:, 2:])
            step = self._chain.solve(start, target, rotation, iterations=2) - start
            np.maximum(s.joint_share, np.max(np.abs(step) / self._joint_step, axis=1), out=s.joint_share)
            step = np.minimum(np.maximum(step, -self._joint_step), self._joint_step)
            end = np.minimum(np.maximum(start + step, self._low), self._high)
            commands[:, chunk * share : (chunk + 1) * share, self._ctrl] = ramp(start, end, share)
            start = end
        s.joint_reference[...] = start
        s.sim.follow(commands if rows is None else commands[rows], rows)

    def _correct(self, s: Rows, wanted: Array, air: NDArray[np.bool_]) -> None:
        lim = self.motion
        asked = np.concatenate((wanted[:, :2], np.radians(wanted[:, 2:])), axis=1)
        # through the air, back to the program
        asked = np.where(air[:, None], np.clip(-2.0 * s.correction, -lim.velocity, lim.velocity), asked)
        room_up = self._limiter.approach_speed(np.maximum(lim.high - s.correction, 0.0))
        room_down = self._limiter.approach_speed(np.maximum(s.correction - lim.low, 0.0))
        rate = np.minimum(np.maximum(asked, -room_down), room_up)
        self._limiter.toward_velocity(s.correction, s.correction_rate, s.correction_acceleration, rate)

    def _turn(self, s: Rows) -> None:
        """Keep corrections where they are in the cell while the torch turns around the bar: the part is displaced."""
        around = s.segment == ON_AROUND
        done, _ = self.program.within(s.program_mm, s.segment)
        heading = np.where(around, around_torch(done, self.program.thickness), -QUARTER)
        turn = np.where(around, heading - s.torch_heading, 0.0)
        s.torch_heading[...] = heading
        half, (c, w) = np.sqrt(0.5), (np.cos(turn), np.sin(turn))
        lateral, height = s.correction[:, 0], s.correction[:, 1]
        away, up = half * (height - lateral), half * (height + lateral)
        turned = c * away - w * s.along_mm
        s.along_mm[...] = np.where(around, w * away + c * s.along_mm, 0.9 * s.along_mm)
        s.correction[:, 0] = np.where(around, half * (up - turned), lateral)
        s.correction[:, 1] = np.where(around, half * (up + turned), height)

    def _advance(self, s: Rows, share: Array, dt: float) -> None:
        """Along the program: as asked on a seam, and through the air no faster than the next seam can be met."""
        vertical = s.segment >= ON_UP - 1
        seam = share * np.where(vertical, TRAVEL_MM_S[1], TRAVEL_MM_S[0])
        _, left = self.program.within(s.program_mm, s.segment)
        meet = np.sqrt(seam * seam + 2.0 * BRAKE_MM_S2 * np.maximum(left - s.travel_mm_s * dt, 0.0))
        air = s.segment % 2 == 0
        wanted = np.where(air, np.minimum(AIR_MM_S * share, meet), seam)
        most = np.where(air, AIR_MM_S2, SEAM_MM_S2) * dt
        change = np.minimum(np.maximum(wanted - s.travel_mm_s, -AIR_MM_S2 * dt), most)
        s.travel_mm_s += change
        s.program_mm += s.travel_mm_s * dt
        np.minimum(s.program_mm, self.program.bounds[:, -1], out=s.program_mm)
        s.segment[...] = self.program.segment(s.program_mm)

    @staticmethod
    def weave(s: Rows, time_s: Array) -> Array:
        """Swing (n,) at a time: on the vertical seam alone, beginning in its middle."""
        on = (s.segment == ON_UP) | (s.segment == DONE)
        out: Array = on * s.arc_set[:, 2] * np.sin(2.0 * np.pi * WEAVE_HZ * time_s)
        return out

    def margin(self, s: Rows) -> Array:
        """Distance (n,) of the arm's nearest joint from the end of its range, rad."""
        room = np.minimum(self._high - s.joint_reference, s.joint_reference - self._low)
        out: Array = np.min(room, axis=1)
        return out
