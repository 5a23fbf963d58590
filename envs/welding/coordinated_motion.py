"""A torch that follows a seam on a turning part: the positioner leads, the arm follows in the part's frame.

The controller advances along the seam, moves the positioner's axes, and solves the arm's kinematics for the torch where
the part will be. The servos of the positioner lag more than the arm's; the controller lets the arm wait for the
difference, which it knows from commissioning. Where a row's servos lag otherwise, the wire misses by the speed of the
part times what is not known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.weld_cell import PART_QUAT, WELDERS
from ...assets.fixtures.positioner import CLASSES
from ...assets.robots.arm import Arm
from ...errors import ShopfloorError
from ...limits import MotionLimiter, MotionLimits
from ..control.chain import SerialChain, transform
from ..control.interface import ActionTerm
from ..control.joint import ramp
from ..engine.task import Rows
from .contour import Contour
from .fit_up import rotation_matrix
from .seam_frame import dot

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

POSITIONER = ("positioner_tilt", "positioner_rotate")
FLAT_TILT = np.pi / 4  # rad, of a fillet on the table whose bisector is to point up
HIGHEST_RATE = (0.8, 2.2)  # rad/s, of tilt and rotation that a program asks for
TRAVEL_MM_S = (3.0, 12.0)
TRAVEL_ACCELERATION_MM_S2 = 20.0
CORRECTION_MM, CORRECTION_MM_S = 6.0, 6.0
ANGLE_DEG, ANGLE_DEG_S = (15.0, 20.0), 20.0  # ranges of work and travel angle, and their rate
LAG_DIFFERENCE_S = 0.0186  # by which the positioner's servos lag more than the arm's, from commissioning: kv / kp

TILT, ROTATE, LATERAL, HEIGHT, WORK, TRAVEL = range(6)


def axis_limits() -> MotionLimits:
    """Of tilt and rotation (rad), lateral and height corrections (mm), work and travel angle (rad)."""
    tilt, rotate = CLASSES[500].axes
    angle = np.radians(ANGLE_DEG)
    rate = float(np.radians(ANGLE_DEG_S))
    return MotionLimits.of(
        low=[tilt.low, rotate.low, -CORRECTION_MM, -CORRECTION_MM, *(-angle)],
        high=[tilt.high, rotate.high, CORRECTION_MM, CORRECTION_MM, *angle],
        velocity=[*HIGHEST_RATE, CORRECTION_MM_S, CORRECTION_MM_S, rate, rate],
        acceleration=[tilt.acceleration, rotate.acceleration, 60.0, 60.0, 5.0, 5.0],
        jerk=[tilt.jerk, rotate.jerk, 1200.0, 1200.0, 100.0, 100.0],
    )  # fmt: skip


class PartFrames:
    """Section frames of a contour on a part whose positioner stands at given angles.

    Args:
        s: rows, for the nominal dimensions of the cell.
        contour: the seam.
    """

    def __init__(self, s: Rows, contour: Contour):
        self.contour = contour
        self._chain = SerialChain(s.sim.model, POSITIONER, "positioner_table")
        self._offset = np.array([0.0, 0.0, -contour.part.bottom])
        self._turn = rotation_matrix(np.array(PART_QUAT))

    def part(self, angles: Array) -> tuple[Array, Array]:
        """Nominal position (k, 3) and rotation (k, 3, 3) of the part at positioner angles (k, 2)."""
        position, rotation = self._chain.forward(angles)
        position = position + transform(rotation, np.broadcast_to(self._offset, position.shape))
        turned = rotation[:, :, :, None] * self._turn[None, None]
        return position, turned[:, :, 0] + turned[:, :, 1] + turned[:, :, 2]

    def section(self, rotation: Array, heading: Array) -> tuple[Array, Array, Array]:
        """Tangent, lateral and out (k, 3), world, of sections that face `heading` (k,) on parts of `rotation`."""
        c, s = np.cos(heading)[:, None], np.sin(heading)[:, None]
        x, y, up = rotation[:, :, 0], rotation[:, :, 1], rotation[:, :, 2]
        away = c * x + s * y
        tangent = s * x - c * y
        half = np.sqrt(0.5)
        return tangent, half * (up - away), half * (up + away)


class CoordinatedMotion:
    """Rates of the positioner, the travel speed, and corrections of the torch in position and angle.

    Args:
        arm: the robot.
        contour: the seam.
    """

    name = "coordinated_motion"

    def __init__(self, arm: Arm, contour: Contour):
        self.arm, self.contour = arm, contour
        self.motion = axis_limits()

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """Two axes, the speed, two corrections, two angles."""
        tilt, rotate = HIGHEST_RATE
        c, a = CORRECTION_MM_S, ANGLE_DEG_S
        return (
            ActionTerm("tilt_rate", "rad/s", -tilt, tilt, "positioner", "of the tilt axis"),
            ActionTerm("rotate_rate", "rad/s", -rotate, rotate, "positioner", "of the table"),
            ActionTerm("travel_speed", "mm/s", *TRAVEL_MM_S, "seam", "of the wire along the seam"),
            ActionTerm("lateral_rate", "mm/s", -c, c, "seam", "of the wire towards what stands on the plate"),
            ActionTerm("height_rate", "mm/s", -c, c, "seam", "of the wire out of the joint"),
            ActionTerm("work_angle_rate", "deg/s", -a, a, "seam", "of the torch about the seam, down to the plate"),
            ActionTerm("travel_angle_rate", "deg/s", -a, a, "seam", "of the torch along the seam, positive pushes"),
        )

    def limits(self) -> dict[str, Any]:
        """Limits of the axes, of the travel speed and of the joints."""
        return {
            "axes": self.motion.as_dict(), "travel_mm_s2": TRAVEL_ACCELERATION_MM_S2, "joints": list(self.arm.joints),
            "joint_velocity": list(self.arm.velocity),
        }  # fmt: skip

    def bind(self, s: Rows) -> None:
        """Resolve arm and positioner and register the arrays.

        Before an episode a task writes `axis_reference` (n, 6) and `travel_mm_s`, and calls `place` of a motion of its
        own. It may read `taught_mm`, `axis_rate`, `joint_reference` and `joint_share` (largest joint speed of the arm
        as a share of its limit).
        """
        self._joints = (*self.arm.joints, *POSITIONER)
        self._limiter = MotionLimiter(self.motion, s.timing.control_dt)
        self.prepare(s)
        for name, shape in (
            ("axis_rate", (6,)), ("axis_acceleration", (6,)), ("taught_mm", ()), ("joint_reference", (self.arm.dof,)),
            ("joint_share", ()),
        ):  # fmt: skip
            s.new(name, shape)

    def prepare(self, s: Rows) -> None:
        """Resolve what `place` needs; for a task, whose motion is not bound."""
        joints = (*self.arm.joints, *POSITIONER)
        self._qpos, self._ctrl = s.sim.qpos_index(joints), s.sim.ids("actuator", joints)
        self._chain = SerialChain(s.sim.model, self.arm.joints, "tcp")
        self.frames = PartFrames(s, self.contour)
        self._low, self._high = np.asarray(self.arm.low), np.asarray(self.arm.high)
        self._joint_step = np.asarray(self.arm.velocity) * s.timing.control_dt
        if "axis_reference" not in s:
            s.new("axis_reference", (6,))
            s.new("travel_mm_s")

    def place(self, s: Rows, rows: RowIndex) -> None:
        """Put positioner and arm of `rows` at the beginning of the seam, with their `axis_reference`.

        Raises:
            ShopfloorError: if the arm does not reach it.
        """
        axes = s.axis_reference[rows]
        target, rotation = self._pose(axes, axes[:, :2], np.zeros(rows.size))
        home = np.broadcast_to(np.array(WELDERS[self.arm.name].home), (rows.size, self.arm.dof))
        angles = self._chain.solve(home, target, rotation, iterations=20)
        reached, _ = self._chain.forward(angles)
        bad = (angles < self._low).any(axis=1) | (angles > self._high).any(axis=1)
        bad |= np.abs(reached - target).max(axis=1) > 1e-6
        if bad.any():
            where = target[np.argmax(bad)].round(3).tolist()
            raise ShopfloorError(f"{self.arm.name} does not reach the seam at {where} m")
        both = np.concatenate((angles, axes[:, :2]), axis=1)
        s.sim.qpos[np.ix_(rows, self._qpos)] = both
        s.sim.ctrl[np.ix_(rows, self._ctrl)] = both

    def reset(self, s: Rows, rows: RowIndex) -> None:
        """At the beginning of the seam; the axes rest, the torch moves at its set speed."""
        for name in ("axis_rate", "axis_acceleration", "taught_mm", "joint_share"):
            getattr(s, name)[rows] = 0.0
        s.joint_reference[rows] = s.sim.qpos[np.ix_(rows, self._qpos[: self.arm.dof])]

    def _pose(self, axes: Array, angles: Array, s_mm: Array) -> tuple[Array, Array]:
        """TCP (k, 3) and its rotation (k, 3, 3) at arc lengths (k,) with the positioner at `angles` (k, 2)."""
        at, _ = self.contour.at(1e-3 * s_mm)
        heading = self.contour.torch_at(1e-3 * s_mm)
        part, turn = self.frames.part(angles)
        tangent, lateral, out = self.frames.section(turn, heading)
        point = part + at[:, :1] * turn[:, :, 0] + at[:, 1:] * turn[:, :, 1]
        point = point + 1e-3 * (axes[:, LATERAL, None] * lateral + axes[:, HEIGHT, None] * out)
        cw, sw = np.cos(axes[:, WORK])[:, None], np.sin(axes[:, WORK])[:, None]
        # a larger work angle leans the torch away from what stands, down to the plate
        across, up = cw * lateral + sw * out, cw * out - sw * lateral
        ct, st = np.cos(axes[:, TRAVEL])[:, None], np.sin(axes[:, TRAVEL])[:, None]
        return point, np.stack((across, -ct * tangent - st * up, st * tangent - ct * up), axis=2)

    def apply(self, s: Rows, setpoints: Array, rows: RowIndex | None) -> None:
        """Advance along the seam, move the axes within their limits, solve the arm for the torch on the moving part."""
        dt, lim = s.timing.control_dt, self.motion
        most = TRAVEL_ACCELERATION_MM_S2 * dt
        s.travel_mm_s += np.minimum(np.maximum(setpoints[:, 2] - s.travel_mm_s, -most), most)
        s.taught_mm += s.travel_mm_s * dt
        wanted = np.concatenate((setpoints[:, :2], setpoints[:, 3:5], np.radians(setpoints[:, 5:])), axis=1)
        before = s.axis_reference[:, :2].copy()
        room_up = self._limiter.approach_speed(np.maximum(lim.high - s.axis_reference, 0.0))
        room_down = self._limiter.approach_speed(np.maximum(s.axis_reference - lim.low, 0.0))
        rate = np.minimum(np.maximum(wanted, -room_down), room_up)
        self._limiter.toward_velocity(s.axis_reference, s.axis_rate, s.axis_acceleration, rate)
        angles = s.axis_reference[:, :2] - LAG_DIFFERENCE_S * s.axis_rate[:, :2]
        target, rotation = self._pose(s.axis_reference, angles, s.taught_mm)
        start = s.joint_reference.copy()
        step = self._chain.solve(start, target, rotation, iterations=2) - start
        s.joint_share[...] = np.max(np.abs(step) / self._joint_step, axis=1)
        step = np.minimum(np.maximum(step, -self._joint_step), self._joint_step)
        s.joint_reference[...] = np.minimum(np.maximum(start + step, self._low), self._high)
        commands = np.repeat(s.sim.ctrl[:, None, :], s.timing.substeps, axis=1)
        begin = np.concatenate((start, before), axis=1)
        end = np.concatenate((s.joint_reference, s.axis_reference[:, :2]), axis=1)
        commands[:, :, self._ctrl] = ramp(begin, end, s.timing.substeps)
        s.sim.follow(commands if rows is None else commands[rows], rows)

    def margin(self, s: Rows) -> Array:
        """Distance (n,) of the arm's nearest joint from the end of its range, rad."""
        room = np.minimum(self._high - s.joint_reference, s.joint_reference - self._low)
        out: Array = np.min(room, axis=1)
        return out


def gravity(section: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
    """Roll about the seam and slope of the seam (k,), signed, and the angle between joint and vertical (k,), rad.

    A roll of 45 degrees is the horizontal-vertical position PB, 0 the flat position PA (ISO 6947).
    """
    tangent, lateral, out = section
    up = np.array([0.0, 0.0, 1.0])
    vertical = dot(out, up)
    return (
        np.arctan2(dot(lateral, up), vertical), np.arcsin(np.clip(dot(tangent, up), -1.0, 1.0)),
        np.arccos(np.clip(vertical, -1.0, 1.0)),
    )  # fmt: skip
