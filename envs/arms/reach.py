"""ArmReach: bring the TCP of a six-axis arm to a pose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.robots.arm import arm
from ...errors import ShopfloorError
from ...frames import (
    quat_conjugate,
    quat_from_matrix,
    quat_multiply,
    quat_to_rotation_vector,
    rotate,
)
from ..control import ActionInterface, JointPosition, JointTorque, JointVelocity, TcpTwist
from ..engine.start import Term, Uniform
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Task, Timing, with_failure
from ..sensing import Channel
from .reach_expert import ReachExpert
from .reach_robot import DEFAULT, motion_limits, reach_robot

POSITION_TOLERANCE_M = 0.005
ORIENTATION_TOLERANCE_RAD = np.deg2rad(1.0)
OVERSPEED = 1.5  # of a joint's speed limit
ACTIONS = ("joint_position", "joint_velocity", "joint_torque", "tcp_twist")
GOALS = ("pose", "position")

ARM_LIMITS = motion_limits(arm(DEFAULT))


class ArmReach(Task):
    """An arm, by default of the UR10e class, brings the tip of its touch probe to a target pose above a work table.

    The target is drawn anew in every episode, the arm starts near its home configuration. Motions are free of
    obstacles: the targets lie in a box above the table that the arm reaches elbow up. A SCARA keeps its tool upright,
    so its targets are not tilted; its third joint is a slide, and wherever joints are in rad it is in m.

    Args:
        robot: "ur10e", "m10id12", "fr3", "iiwa14", "scara", another arm of `shopfloor.assets.robots.arm`, or
            `menagerie:NAME` for an arm of MuJoCo Menagerie whose files are on this machine.
        action: "joint_position" (increments of the joint targets), "joint_velocity", "joint_torque" or "tcp_twist"
            (Cartesian velocity through damped least-squares inverse kinematics).
        goal: "pose" (position and orientation) or "position".
        goal_conditioned: observations as a Dict with `achieved_goal` and `desired_goal`, a sparse reward that
            `compute_reward` recomputes for other goals, and no end on success; for hindsight experience replay.
    """

    title: ClassVar[str] = "six-axis arm brings its TCP to a pose"
    timing = Timing(control_hz=50.0, timestep_s=0.002, horizon_s=3.0)
    main_metric = "reach_time"
    success_hold_s = 0.1
    failure_texts = {
        "joint_overspeed": f"a joint turns at more than {OVERSPEED:g} times its speed limit: runaway or collision",
    }
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    references: ClassVar[tuple[str, ...]] = (
        "Universal Robots: DH parameters for calculations of kinematics and dynamics (UR10e)",
        "Universal Robots: UR10e user manual, joint speeds and ranges",
    )

    def __init__(
        self,
        action: str = "joint_position",
        goal: str = "pose",
        goal_conditioned: bool = False,
        robot: str = DEFAULT,
    ):
        if action not in ACTIONS:
            raise ShopfloorError(f"action must be one of {', '.join(ACTIONS)}, got {action!r}")
        if goal not in GOALS:
            raise ShopfloorError(f"goal must be one of {', '.join(GOALS)}, got {goal!r}")
        self.robot = reach_robot(robot)
        self.cameras = self.robot.cameras
        self.action_name = action
        self.oriented = goal == "pose"
        self.goal_conditioned = goal_conditioned
        spec = "arm_reach" + ("" if self.oriented else "_position") + ("_torque" if action == "joint_torque" else "")
        self.randomization = self.robot.randomization(spec)
        self.terminate_on_success = not goal_conditioned
        self.goal_size = (7 if self.oriented else 3) if goal_conditioned else 0
        self.channels = self._channels()
        self.rewards = self._rewards()
        self.metrics = self._metrics()
        self.start = self._start()
        orientation = f" and its orientation within {np.rad2deg(ORIENTATION_TOLERANCE_RAD):g} deg"
        self.success_text = (
            f"TCP within {1000 * POSITION_TOLERANCE_M:g} mm of the target{orientation if self.oriented else ''}, "
            f"held for {self.success_hold_s:g} s"
        )

    # -- declaration ------------------------------------------------------------------------------------------

    def _channels(self) -> tuple[Channel, ...]:
        robot = self.robot.arm
        joint, dof = robot.joints, robot.dof
        speed = tuple(1.6 * v for v in robot.velocity)
        channels = [
            Channel(
                "joint_position", dof, "rad", list(robot.low), list(robot.high), scale=self.robot.stroke.tolist(),
                offset=self.robot.home.tolist(), frame="joint", noise=2e-5, labels=joint, description="encoder angles",
            ),
            Channel(
                "joint_velocity", dof, "rad/s", [-v for v in speed], list(speed), scale=1.0, frame="joint", noise=2e-3,
                labels=joint, description="joint speeds, from encoder differences",
            ),
            Channel(
                "joint_lag", dof, "rad", -1.0, 1.0, scale=0.1, frame="joint", labels=joint,
                description="reference of the motion limiter minus the encoder angle",
            ),
            Channel(
                "position_error", 3, "m", -2.5, 2.5, scale=0.3, frame="world", labels=("x", "y", "z"), noise=5e-5,
                description="target minus TCP",
            ),
            Channel(
                "position_error_fine", 3, "m", -0.02, 0.02, frame="world", labels=("x", "y", "z"), noise=5e-5,
                description="the same in a narrow range, so that a network resolves the tolerance",
            ),
        ]  # fmt: skip
        if self.oriented:
            channels += [
                Channel(
                    "orientation_error", 3, "rad", -3.2, 3.2, scale=0.5, frame="world", labels=("x", "y", "z"),
                    noise=1e-4, description="rotation vector from the TCP's orientation to the target's",
                ),
                Channel(
                    "orientation_error_fine", 3, "rad", -0.05, 0.05, frame="world", labels=("x", "y", "z"), noise=1e-4,
                    description="the same in a narrow range",
                ),
            ]  # fmt: skip
        return tuple(channels)

    def _rewards(self) -> dict[str, Reward]:
        if self.goal_conditioned:
            return {"miss": Reward(-1.0, "1 while the goal is outside the tolerance, else 0")}
        rewards = {
            "distance": Reward(-1.0, "tanh(distance / 0.3 m)"),
            "fine_distance": Reward(-1.0, "tanh(distance / 15 mm)"),
            "motion": Reward(-0.05, "mean square of the action, each component relative to its range"),
            "success": Reward(10.0, "1 at the step in which success is reached"),
        }
        if self.oriented:
            rewards["rotation"] = Reward(-0.5, "tanh(angle / 0.5 rad)")
            rewards["fine_rotation"] = Reward(-0.5, "tanh(angle / 0.05 rad)")
        return with_failure(rewards, self.timing.max_steps, "overspeed", "a joint overspeeds")

    def _metrics(self) -> dict[str, Metric]:
        metrics = {
            "reach_time": Metric("s", "lower", "time until the TCP is in tolerance and stays there; NaN if never"),
            "position_error": Metric("mm", "lower", "distance of the TCP from the target at the end"),
            "peak_joint_speed": Metric("1", "lower", "largest joint speed, as a share of its limit"),
            "path_ratio": Metric("1", "lower", "path length of the TCP divided by the straight distance"),
        }
        if self.oriented:
            metrics["orientation_error"] = Metric("deg", "lower", "angle between TCP and target orientation at the end")
        return metrics

    def _start(self) -> tuple[Term, ...]:
        low, high = self.robot.workspace
        terms: list[Term] = [
            Uniform("target_x", float(low[0]), float(high[0]), "m", description="target position, world frame"),
            Uniform("target_y", float(low[1]), float(high[1]), "m", description="target position, world frame"),
            Uniform("target_z", float(low[2]), float(high[2]), "m", description="target position, world frame"),
            Uniform(
                "joint_offset",
                -0.15,
                0.15,
                "rad",
                size=self.robot.arm.dof,
                description="start configuration relative to home",
            ),
        ]
        if self.oriented:
            largest_tilt = 0.4 if self.robot.tilts else 0.0
            terms += [
                Uniform("target_yaw", -0.8, 0.8, "rad", description="tool yaw relative to the home configuration's"),
                Uniform("target_tilt", 0.0, largest_tilt, "rad", description="tilt of the tool axis from vertical"),
                Uniform("target_tilt_direction", -np.pi, np.pi, "rad", description="direction of the tilt"),
            ]
        return tuple(terms)

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """The reach cell with the actuators that the action needs."""
        return self.robot.cell("torque" if self.action_name == "joint_torque" else "position", visual)

    def make_action(self) -> ActionInterface:
        """The action interface chosen at construction."""
        joints, limits = self.robot.arm.joints, self.robot.limits
        if self.action_name == "joint_position":
            return JointPosition(joints, limits, self.timing.control_hz)
        if self.action_name == "joint_velocity":
            return JointVelocity(joints, limits)
        if self.action_name == "joint_torque":
            return JointTorque(joints, limits, self.robot.arm.effort)
        return TcpTwist(joints, limits, "tcp")

    def expert(self) -> ReachExpert:
        """Resolved-rate motion to the target."""
        return ReachExpert(self.action_name, self.oriented, self.robot.arm)

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Row arrays: target pose, TCP pose and errors, and what the metrics add up."""
        sim, joints = s.sim, self.robot.arm.joints
        self._tcp_position = sim.output("site_xpos", "site", "tcp")
        self._tcp_matrix = sim.output("site_xmat", "site", "tcp")
        self._qpos, self._qvel = _span(sim.qpos_index(joints)), _span(sim.qvel_index(joints))
        self._speed_limit = np.asarray(self.robot.arm.velocity)
        for name, shape in (
            ("target_position", (3,)), ("target_quaternion", (4,)), ("tcp_quaternion", (4,)),
            ("position_error", (3,)), ("orientation_error", (3,)), ("previous_tcp", (3,)),
            ("distance", ()), ("angle", ()), ("start_distance", ()), ("path_length", ()), ("peak_speed", ()),
            ("joint_speed_ratio", ()), ("entered_s", ()),
        ):  # fmt: skip
            s.new(name, shape)
        s.new("inside", dtype=bool)
        tasks = np.array([t.low for t in self.make_action().terms])
        self._action_scale = 1.0 / np.abs(tasks)

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Start configuration and target."""
        configuration = self.robot.home + self.robot.stroke * params["joint_offset"]
        s.sim.qpos[rows, self._qpos] = configuration
        if self.action_name != "joint_torque":
            s.sim.ctrl[rows] = configuration
        s.target_position[rows] = np.stack([params[f"target_{a}"] for a in "xyz"], axis=-1)
        s.target_quaternion[rows] = (
            target_orientation(params, self.robot.yaw) if self.oriented else np.array([0.0, 1.0, 0.0, 0.0])
        )

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """Zero what adds up."""
        s.previous_tcp[rows] = self._tcp_position[rows]
        s.start_distance[rows] = s.distance[rows]
        s.path_length[rows] = 0.0
        s.peak_speed[rows] = 0.0
        s.inside[rows] = False
        s.entered_s[rows] = np.nan

    def measure(self, s: Rows) -> None:
        """Errors of the TCP and the largest joint speed."""
        e = s.position_error
        np.subtract(s.target_position, self._tcp_position, out=e)
        s.distance[...] = _length(e)
        np.max(np.abs(s.sim.qvel[:, self._qvel]) / self._speed_limit, axis=1, out=s.joint_speed_ratio)
        if self.oriented:
            s.tcp_quaternion[...] = quat_from_matrix(self._tcp_matrix)
            turn = quat_multiply(s.target_quaternion, quat_conjugate(s.tcp_quaternion))
            r = quat_to_rotation_vector(turn)
            s.orientation_error[...] = r
            s.angle[...] = _length(r)

    def accumulate(self, s: Rows) -> None:
        """Path length, peak speed and the time of entering the tolerance."""
        d = self._tcp_position - s.previous_tcp
        s.previous_tcp[...] = self._tcp_position
        s.path_length += _length(d)
        np.maximum(s.peak_speed, s.joint_speed_ratio, out=s.peak_speed)
        inside = self.succeeded(s)
        s.entered_s[...] = np.where(inside, np.where(s.inside, s.entered_s, s.time_s), np.nan)
        s.inside[...] = inside

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """In tolerance now."""
        inside: NDArray[np.bool_] = s.distance < POSITION_TOLERANCE_M
        return inside & (s.angle < ORIENTATION_TOLERANCE_RAD) if self.oriented else inside

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Runaway joints."""
        return {"joint_overspeed": s.joint_speed_ratio > OVERSPEED}

    def violations(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Joint speed above its limit; 1 % is left to the servo."""
        return {"joint_speed": s.joint_speed_ratio > 1.01}

    # -- observations, rewards, metrics -----------------------------------------------------------------------

    def observe_joint_position(self, s: Rows) -> Array:
        """Joint angles."""
        return s.sim.qpos[:, self._qpos]

    def observe_joint_velocity(self, s: Rows) -> Array:
        """Joint speeds."""
        return s.sim.qvel[:, self._qvel]

    def observe_joint_lag(self, s: Rows) -> Array:
        """Reference minus measured angle."""
        lag: Array = s.joint_reference - s.sim.qpos[:, self._qpos]
        return lag

    def observe_position_error(self, s: Rows) -> Array:
        """Target minus TCP."""
        error: Array = s.position_error
        return error

    observe_position_error_fine = observe_position_error

    def observe_orientation_error(self, s: Rows) -> Array:
        """Rotation vector to the target."""
        error: Array = s.orientation_error
        return error

    observe_orientation_error_fine = observe_orientation_error

    def reward_distance(self, s: Rows) -> Array:
        """Coarse distance."""
        return np.tanh(s.distance / 0.3)

    def reward_fine_distance(self, s: Rows) -> Array:
        """Fine distance."""
        return np.tanh(s.distance / 0.015)

    def reward_rotation(self, s: Rows) -> Array:
        """Coarse angle."""
        return np.tanh(s.angle / 0.5)

    def reward_fine_rotation(self, s: Rows) -> Array:
        """Fine angle."""
        return np.tanh(s.angle / 0.05)

    def reward_motion(self, s: Rows) -> Array:
        """Mean square action."""
        a = s.action * self._action_scale
        a *= a
        total = a[:, 0].copy()
        for i in range(1, a.shape[1]):
            total += a[:, i]
        return total / a.shape[1]

    def reward_overspeed(self, s: Rows) -> Array:
        """What is left of the episode that overspeed ends."""
        return np.where(s.joint_speed_ratio > OVERSPEED, 1.0 - s.step / self.timing.max_steps, 0.0)

    def reward_miss(self, s: Rows) -> Array:
        """Outside the tolerance."""
        return self._missed(self.achieved_goal(s), self.desired_goal(s))

    def metric_reach_time(self, s: Rows) -> Array:
        """Time of entering the tolerance."""
        time: Array = s.entered_s
        return time

    def metric_position_error(self, s: Rows) -> Array:
        """Distance in mm."""
        error: Array = 1000.0 * s.distance
        return error

    def metric_orientation_error(self, s: Rows) -> Array:
        """Angle in deg."""
        return np.rad2deg(s.angle)

    def metric_peak_joint_speed(self, s: Rows) -> Array:
        """Share of the limit."""
        speed: Array = s.peak_speed
        return speed

    def metric_path_ratio(self, s: Rows) -> Array:
        """Path length by start distance."""
        return s.path_length / np.maximum(s.start_distance, 1e-6)

    # -- goals ------------------------------------------------------------------------------------------------

    def achieved_goal(self, s: Rows) -> Array:
        """TCP position, and quaternion in the pose variant."""
        position = np.array(self._tcp_position)
        return np.concatenate((position, s.tcp_quaternion), axis=1) if self.oriented else position

    def desired_goal(self, s: Rows) -> Array:
        """Target position, and quaternion in the pose variant."""
        if self.oriented:
            return np.concatenate((s.target_position, s.target_quaternion), axis=1)
        position: Array = s.target_position.copy()
        return position

    def goal_reward(self, achieved: Array, desired: Array) -> Array:
        """0 in tolerance, -1 outside."""
        return self.rewards["miss"].weight * self._missed(achieved, desired)

    def _missed(self, achieved: Array, desired: Array) -> Array:
        missed = _length(desired[..., :3] - achieved[..., :3]) >= POSITION_TOLERANCE_M
        if self.oriented:
            r = quat_to_rotation_vector(quat_multiply(desired[..., 3:], quat_conjugate(achieved[..., 3:])))
            missed |= _length(r) >= ORIENTATION_TOLERANCE_RAD
        return np.asarray(missed, dtype=np.float64)

    def overlay(self, s: Rows, row: int) -> Overlay:
        """The target frame and the TCP's."""
        target, quaternion = s.target_position[row].copy(), s.target_quaternion[row]
        axes = np.stack([rotate(quaternion, e) for e in np.eye(3)], axis=1)
        tcp_axes = self._tcp_matrix[row].reshape(3, 3).copy()
        overlay = Overlay(points=[(target, POSITION_TOLERANCE_M * 2, (1.0, 0.6, 0.1, 0.9))])
        if self.oriented:
            overlay.frames.append((target, axes, 0.12))
        overlay.frames.append((self._tcp_position[row].copy(), tcp_axes, 0.07))
        return overlay


def _length(v: Array) -> Array:
    """Length of vectors (..., 3)."""
    square = v * v
    return np.sqrt(square[..., 0] + square[..., 1] + square[..., 2])


def _span(index: NDArray[np.intp]) -> slice:
    """Consecutive indices as a slice, which reads and writes several times faster than an index array."""
    first = int(index[0])
    if not np.array_equal(index, np.arange(first, first + index.size)):
        raise ShopfloorError(f"the arm's joints must follow one another in the model, got addresses {index.tolist()}")
    return slice(first, first + index.size)


def target_orientation(params: Mapping[str, Any], home_yaw: float) -> Array:
    """Quaternions (k, 4): the tool as at home, pointing down, turned by a yaw, then tilted about a horizontal axis."""
    half_yaw, half_tilt = 0.5 * (params["target_yaw"] + home_yaw), 0.5 * params["target_tilt"]
    direction = params["target_tilt_direction"]
    # down is (0, 1, 0, 0), down after the yaw (0, c, s, 0), the tilt (cos, sin * axis_x, sin * axis_y, 0)
    c, s = np.cos(half_yaw), np.sin(half_yaw)
    upright, lean = np.cos(half_tilt), np.sin(half_tilt)
    x, y = lean * np.cos(direction), lean * np.sin(direction)
    return np.stack((-x * c - y * s, upright * c, upright * s, x * s - y * c), axis=-1)
