"""Joint set-points for a tool that has to follow a path: velocities at the end of each control step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...limits import MotionLimiter, MotionLimits
from ..engine.task import Rows
from .interface import ActionTerm
from .path import ARRIVED_M

Array = NDArray[np.float64]

ON_TARGET_M, AT_REST_RAD_S = 5e-5, 2e-3  # distance from the end and joint speeds at which a motion is complete


class PathProjection(Protocol):
    """Where joint angles put the tool with respect to the path."""

    def along(self, s: Rows, position: Array) -> tuple[Array, Array, Array]:
        """From joint angles (n, k, dof): distance along the path, distance from the path, distance from its end.

        All are (n, k) in m; the first may be negative or longer than the path.
        """


class JointMotion:
    """Set-points: the velocity that each joint has at the end of the control step.

    Within a control step the joints accelerate uniformly toward it, so that a smooth motion needs no more than its
    velocities; `MotionLimiter` keeps speed, acceleration and jerk (from step to step) inside the limits and the joints
    inside their ranges. Positions and velocities of that motion go to the servos at every physics step.

    Nothing keeps the tool on the path. How far it has come is the largest distance along the path so far; the motion
    is complete while the commanded tool stands at the end of the path.

    After `apply`, `sensor_record`, `path_record` and the row arrays `path_distance`, `path_speed`, `path_acceleration`,
    `path_complete` are as those of `PathTimeScaling`; `path_deviation` (m) is the largest distance from the path in
    the step.

    Args:
        projection: of joint angles on the path.
        joints: driven joints; each has actuators `<joint>_position` and `<joint>_velocity`.
        limits: of the joints, rad and s.
    """

    name = "joint_motion"

    def __init__(self, projection: PathProjection, joints: Sequence[str], limits: MotionLimits):
        self.projection, self.joints, self.motion = projection, tuple(joints), limits

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """One velocity a joint."""
        return tuple(
            ActionTerm(
                f"{j}_velocity", "rad/s", -float(v), float(v), "joint", f"velocity of {j} at the end of the step"
            )
            for j, v in zip(self.joints, self.motion.velocity, strict=True)
        )

    def limits(self) -> dict[str, Any]:
        """Motion limits as plain data."""
        return {"joints": list(self.joints), **self.motion.as_dict()}

    def bind(self, s: Rows) -> None:
        """Resolve names and register the reference."""
        self._qpos = s.sim.qpos_index(self.joints)
        self._positions = s.sim.ids("actuator", [f"{j}_position" for j in self.joints])
        self._velocities = s.sim.ids("actuator", [f"{j}_velocity" for j in self.joints])
        self._times = np.arange(1, s.timing.substeps + 1) * s.timing.timestep_s
        self._limiter = MotionLimiter(self.motion, s.timing.control_dt)
        for name in ("joint_reference", "joint_reference_velocity", "joint_reference_acceleration"):
            s.new(name, (self.motion.dof,))
        for name in ("path_distance", "path_speed", "path_acceleration", "path_deviation"):
            s.new(name)
        s.new("path_complete", dtype=bool)

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Reference = commanded position, at rest."""
        s.joint_reference[rows] = s.sim.ctrl[np.ix_(rows, self._positions)]
        for name in (
            "joint_reference_velocity", "joint_reference_acceleration", "path_distance", "path_speed",
            "path_acceleration", "path_deviation", "path_complete",
        ):  # fmt: skip
            getattr(s, name)[rows] = 0

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Limit the velocities, accelerate uniformly toward them, and let the servos follow."""
        position, rate = self._motion(s, setpoints)
        self._project(s, position, rate)
        commands = np.repeat(s.sim.ctrl[:, None, :], self._times.size, axis=1)
        commands[:, :, self._positions] = position
        commands[:, :, self._velocities] = rate
        records = s.sim.follow(commands if rows is None else commands[rows], rows, record=True)
        if rows is not None and records is not None:
            full = np.repeat(s.sim.output("sensordata")[:, None], records.shape[1], axis=1)
            full[rows] = records
            records = full
        s.sensor_record = records

    def _motion(self, s: Rows, setpoints: Array) -> tuple[Array, Array]:
        """Angles and rates (n, substeps, dof) of the coming control step."""
        lim, dt = self.motion, s.timing.control_dt
        start, before = s.joint_reference.copy(), s.joint_reference_velocity.copy()
        fastest = self._limiter.approach_speed(np.maximum(lim.high - start, 0.0))
        slowest = -self._limiter.approach_speed(np.maximum(start - lim.low, 0.0))
        target = np.minimum(np.maximum(setpoints, slowest), fastest)
        self._limiter.toward_velocity(start.copy(), s.joint_reference_velocity, s.joint_reference_acceleration, target)
        slope = (s.joint_reference_velocity - before) / dt
        s.joint_reference += 0.5 * (before + s.joint_reference_velocity) * dt
        t = self._times[None, :, None]
        first, rise = before[:, None], slope[:, None]
        return start[:, None] + t * (first + 0.5 * t * rise), first + t * rise

    def _project(self, s: Rows, position: Array, rate: Array) -> None:
        """What the commanded tool does along the path and beside it."""
        distance, deviation, left = self.projection.along(s, position)
        speed = np.abs(distance[:, -1] - distance[:, -2]) / s.timing.timestep_s
        s.path_acceleration[...] = (speed - s.path_speed) / s.timing.control_dt
        s.path_speed[...] = speed
        arrived = (left < ON_TARGET_M) & (np.max(np.abs(rate), axis=2) < AT_REST_RAD_S)
        s.path_complete[...] = arrived[:, -1]
        nearly = s.path_length - 2.0 * ARRIVED_M
        furthest = np.maximum(s.path_distance, np.minimum(np.max(distance, axis=1), nearly))
        s.path_distance[...] = np.where(s.path_complete, s.path_length, furthest)
        s.path_record = np.where(arrived, s.path_length[:, None], nearly[:, None])
        s.path_deviation[...] = np.max(deviation, axis=1)
