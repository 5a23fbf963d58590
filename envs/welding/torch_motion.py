"""Leading a torch along a taught path, with corrections across and along the wire: what a seam tracker commands.

The controller moves along the path at the travel speed, adds its corrections and the weave, solves its kinematics for
the pose, and lets the joint servos follow. Nothing here knows where the arm really is: servo lag, misplaced parts and
errors of the arm are left to the sensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...assets.robots.arm import Arm
from ...errors import ShopfloorError
from ...limits import MotionLimiter, MotionLimits
from ..control.chain import SerialChain
from ..control.interface import ActionTerm
from ..control.joint import ramp
from ..engine.task import Rows
from .seam_frame import SeamFrames, TaughtPath, section_axes, shared
from .weave import Weave

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]


@dataclass(frozen=True)
class CorrectionLimits:
    """How far and how fast a tracker may correct, in the section (lateral and height alike).

    Attributes:
        range_mm: from the taught path.
        rate_mm_s: speed of a correction.
        acceleration_mm_s2: its acceleration.
    """

    range_mm: float = 15.0
    rate_mm_s: float = 6.0
    acceleration_mm_s2: float = 60.0

    def motion(self) -> MotionLimits:
        """As limits of two axes; the jerk lets the acceleration build up in a twentieth of a second."""
        return MotionLimits.of(
            low=[-self.range_mm] * 2, high=[self.range_mm] * 2, velocity=[self.rate_mm_s] * 2,
            acceleration=[self.acceleration_mm_s2] * 2, jerk=[20.0 * self.acceleration_mm_s2] * 2,
        )  # fmt: skip


@dataclass(frozen=True)
class SpeedLimits:
    """Range of the travel speed where it is an action.

    Attributes:
        low_mm_s, high_mm_s: range.
        acceleration_mm_s2: along the seam.
    """

    low_mm_s: float
    high_mm_s: float
    acceleration_mm_s2: float = 20.0


class Torch:
    """The torch at the end of an arm, and the poses that a path asks of it.

    Args:
        arm: the robot.
        lean: of the section, see `seam_frame`.
        travel_angle_deg: positive pushes.
        site: TCP, z along the wire.
    """

    def __init__(self, arm: Arm, lean: float = np.pi / 4, travel_angle_deg: float = 0.0, site: str = "tcp"):
        if not abs(travel_angle_deg) <= 30.0:
            raise ShopfloorError(f"travel_angle_deg={travel_angle_deg!r}: a torch is pushed or dragged by at most 30")
        self.arm = arm
        self.path = TaughtPath(lean)
        self.travel_angle = np.deg2rad(travel_angle_deg)
        self.site = site

    def bind(self, s: Rows) -> None:
        """Resolve names, and take or register the arrays of path and corrections."""
        self.path.bind(s)
        self.correction_mm: Array = shared(s, "correction_mm", (2,))
        self.travel_set_mm_s: Array = shared(s, "travel_set_mm_s")
        self.qpos = s.sim.qpos_index(self.arm.joints)
        self.ctrl = s.sim.ids("actuator", self.arm.joints)
        self.chain = SerialChain(s.sim.model, self.arm.joints, self.site)
        self.low, self.high = np.asarray(self.arm.low), np.asarray(self.arm.high)
        self._joint_step = np.asarray(self.arm.velocity) * s.timing.control_dt

    def approach(self, home: Array, position: Array, tangent: Array) -> Array:
        """Configuration (dof,) with the torch over a seam at `position` (3,), from `home`; for `place`.

        Raises:
            ShopfloorError: if the arm does not get there within its range.
        """
        lateral, out = section_axes(tangent[None], self.path.lean)
        target, rotation = self.pose(SeamFrames(position[None], tangent[None], lateral, out), np.zeros((1, 2)))
        angles = self.chain.solve(home[None], target, rotation, iterations=20)[0]
        reached, _ = self.chain.forward(angles[None])
        inside = ((angles > self.low) & (angles < self.high)).all()
        if not inside or np.abs(reached[0] - position).max() > 1e-6:
            raise ShopfloorError(f"{self.arm.name} does not reach the seam at {position.round(3).tolist()} m")
        return angles

    def place(self, s: Rows, rows: RowIndex, near: Array) -> None:
        """Put the arm of `rows` (k,) at the beginning of their paths with their corrections; for a task's `begin`.

        Args:
            s: rows, whose path and corrections are written.
            rows: (k,).
            near: (dof,) configuration from which the kinematics are solved, see `approach`.
        """
        target, rotation = self.pose(self.path.at(np.zeros(rows.size), rows), self.correction_mm[rows])
        angles = self.chain.solve(np.broadcast_to(near, (rows.size, self.arm.dof)), target, rotation, iterations=5)
        s.sim.qpos[np.ix_(rows, self.qpos)] = angles
        s.sim.ctrl[np.ix_(rows, self.ctrl)] = angles

    def follow(self, s: Rows, correction_mm: Array, rows: RowIndex | None) -> None:
        """Let the servos of `rows` (None for all) follow to `taught_mm` on the path, through one control step.

        Args:
            s: rows, with `taught_mm` and the joint set-points of the last step, `joint_reference` (n, dof).
            correction_mm: (n, 2) beside the path, lateral and height.
            rows: that move.
        """
        target, rotation = self.pose(self.path.at(s.taught_mm), correction_mm)
        wanted = self.chain.solve(s.joint_reference, target, rotation)
        start = s.joint_reference.copy()
        step = np.minimum(np.maximum(wanted - start, -self._joint_step), self._joint_step)
        s.joint_reference[...] = np.minimum(np.maximum(start + step, self.low), self.high)
        commands = np.repeat(s.sim.ctrl[:, None, :], s.timing.substeps, axis=1)
        commands[:, :, self.ctrl] = ramp(start, s.joint_reference, s.timing.substeps)
        s.sim.follow(commands if rows is None else commands[rows], rows)

    def pose(self, frames: SeamFrames, correction_mm: Array) -> tuple[Array, Array]:
        """Position (k, 3) and rotation (k, 3, 3) of the TCP: x lateral, y against the tangent, z along the wire."""
        target = frames.point(correction_mm[:, 0], correction_mm[:, 1])
        c, s = np.cos(self.travel_angle), np.sin(self.travel_angle)
        rotation = np.empty((len(target), 3, 3))
        rotation[:, :, 0] = frames.lateral
        rotation[:, :, 1] = -c * frames.tangent - s * frames.out
        # a pushed torch leans back, so that the wire points forward
        rotation[:, :, 2] = s * frames.tangent - c * frames.out
        return target, rotation


class TorchMotion:
    """Correction rates in the section frame of a taught path, and the travel speed if it is to be chosen.

    Both corrections are across the seam: sideways to the standing plate, and out of the joint against the wire. They
    are limited in acceleration and range; the torch moves along the taught path by itself.

    Args:
        torch: torch and arm, whose actuators are position servos.
        corrections: limits.
        speed: limits of the travel speed; None where the procedure fixes it.
        weave: swing about the seam; None for a stringer bead.
    """

    name = "torch_motion"

    def __init__(
        self,
        torch: Torch,
        corrections: CorrectionLimits | None = None,
        speed: SpeedLimits | None = None,
        weave: Weave | None = None,
    ):
        self.torch = torch
        self.corrections = CorrectionLimits() if corrections is None else corrections
        self.speed = speed
        self.weave = weave
        self.motion = self.corrections.motion()

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """Rates of the corrections, and the travel speed where it is chosen."""
        fastest = self.corrections.rate_mm_s
        terms = [
            ActionTerm("lateral_rate", "mm/s", -fastest, fastest, "seam", "towards the standing plate"),
            ActionTerm("height_rate", "mm/s", -fastest, fastest, "seam", "out of the joint, against the wire"),
        ]
        if self.speed is not None:
            terms.append(
                ActionTerm("travel_speed", "mm/s", self.speed.low_mm_s, self.speed.high_mm_s, "seam", "along the path")
            )
        return tuple(terms)

    def limits(self) -> dict[str, Any]:
        """Limits of the corrections, of the travel speed, and of the joints."""
        arm = self.torch.arm
        out: dict[str, Any] = {"corrections": self.motion.as_dict(), "joints": list(arm.joints)}
        out["joint_velocity"] = list(arm.velocity)
        if self.speed is not None:
            out["travel_mm_s2"] = self.speed.acceleration_mm_s2
        return out

    def bind(self, s: Rows) -> None:
        """Resolve the arm and register the arrays.

        Before an episode a task writes the path, `travel_set_mm_s` (speed of the procedure) and `correction_mm` (n, 2),
        with which the torch begins, and calls `Torch.place` of a torch of its own. It may read `taught_mm` (arc length
        on the path of the last set-point), `travel_mm_s`, `correction_mm`, `correction_rate_mm_s`, `weave_phase`,
        `weave_mm` and `joint_reference`.
        """
        self.torch.bind(s)
        self._limiter = MotionLimiter(self.motion, s.timing.control_dt)
        for name, shape in (
            ("taught_mm", ()), ("travel_mm_s", ()), ("correction_rate_mm_s", (2,)), ("correction_acceleration", (2,)),
            ("weave_phase", ()), ("weave_mm", ()), ("joint_reference", (self.torch.arm.dof,)),
        ):  # fmt: skip
            s.new(name, shape)

    def reset(self, s: Rows, rows: RowIndex) -> None:
        """At the beginning of the path, at rest in the section."""
        for name in ("taught_mm", "correction_rate_mm_s", "correction_acceleration", "weave_phase", "weave_mm"):
            getattr(s, name)[rows] = 0.0
        s.travel_mm_s[rows] = s.travel_set_mm_s[rows]
        s.joint_reference[rows] = s.sim.qpos[np.ix_(rows, self.torch.qpos)]

    def apply(self, s: Rows, setpoints: Array, rows: RowIndex | None) -> None:
        """Advance path, corrections and weave, solve the kinematics, let the servos follow."""
        dt = s.timing.control_dt
        if self.speed is not None:
            most = self.speed.acceleration_mm_s2 * dt
            change = np.minimum(np.maximum(setpoints[:, 2] - s.travel_mm_s, -most), most)
            s.travel_mm_s += change
        s.taught_mm += s.travel_mm_s * dt
        lim = self.motion
        room_up = self._limiter.approach_speed(np.maximum(lim.high - s.correction_mm, 0.0))
        room_down = self._limiter.approach_speed(np.maximum(s.correction_mm - lim.low, 0.0))
        rate = np.minimum(np.maximum(setpoints[:, :2], -room_down), room_up)
        self._limiter.toward_velocity(s.correction_mm, s.correction_rate_mm_s, s.correction_acceleration, rate)
        at = s.correction_mm
        if self.weave is not None:
            # set-points lie at the end of the step that begins now
            s.weave_phase[...] = self.weave.phase(s.step + 1)
            s.weave_mm[...] = self.weave.lateral_mm(s.weave_phase)
            at = at.copy()
            at[:, 0] += s.weave_mm
        self.torch.follow(s, at, rows)
