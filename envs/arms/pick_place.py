"""ArmPickPlace: take a part out of a bin and locate it in a fixture, to a millimetre and a degree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.cells.pick_cell import APART, BIN_FLOOR, CAMERAS, GRIP_HEIGHT, PART, SEAT_HEIGHT, TIMESTEP, pick_cell
from ...assets.cells.work_cell import TABLE_TOP
from ...frames import quat_conjugate, quat_from_axis_angle, quat_multiply, quat_to_rotation_vector, rotate, wrap_angle
from ..control import ActionTerm
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Timing, with_failure
from ..sensing import Rgbd
from .cell_cameras import CAMERAS as RGBD_CAMERAS
from .contact_record import METRICS, length
from .handling import STIFFNESS, Handling
from .pick_place_expert import OPEN, PickPlaceExpert
from .pick_place_terms import channels, start_terms

TOLERANCE_MM, TOLERANCE_DEG = 1.0, 1.0
CLEAR = 0.025  # m, tip from the part's grasping point when the gripper has left it
CLEAR_SHARE = 0.8  # of that, which counts as left
LET_GO_MM = 5.0  # from the seat: a part that is let go farther off is dropped
LIFTED = 0.010  # m over the bin's floor
OUT_OF_HAND = 0.045  # m, part's grasping point from the tip
FALL = 0.55  # m/s, no command moves a part down so fast
Z = np.array([0.0, 0.0, 1.0])


class ArmPickPlace(Handling):
    """An arm with a parallel gripper takes a machined block out of a bin and locates it in a fixture.

    The fixture has three buttons and three pins (3-2-1); a part is in place within 1 mm and 1 deg of where they locate
    it. A camera sees the part with an error of some tenths of a millimetre, the fixture stands anywhere within a
    centimetre and is taught with such an error too, so that in the end the wrist sensor has to say that the part
    touches: a part that is set down on a pin, or pushed too hard, exceeds the contact force that the order allows, and
    that ends the episode, as a part does that is dropped. The arm is under admittance control; who wants to go fast
    allows more force (`shopfloor.envs.control.Admittance`).

    Args:
        goal_conditioned: observations as a Dict with `achieved_goal` and `desired_goal` (position and quaternion of
            the part, and how far the gripper has left it, 0 to 1), a sparse reward that `compute_reward` recomputes for
            other goals, and no end before the time limit, since where every step costs an end would be a way out; for
            hindsight experience replay (`shopfloor train arm_pick_place_her`).
        robot: an arm of `shopfloor.assets.robots.arm`, such as "ur10e", "m10id12", "fr3", "iiwa14" or "scara".
    """

    title: ClassVar[str] = "arm takes a part out of a bin and locates it in a fixture"
    timing = Timing(control_hz=25.0, timestep_s=TIMESTEP, horizon_s=10.0)
    success_hold_s = 0.2
    success_text = (
        f"part within {TOLERANCE_MM:g} mm and {TOLERANCE_DEG:g} deg of where the fixture locates it, the gripper "
        f"{1e3 * CLEAR_SHARE * CLEAR:g} mm away from it, for {success_hold_s:g} s, and no contact force above the "
        "allowed one before"
    )
    failure_texts: Mapping[str, str] = {
        "over_force": "the contact force exceeds what the order allows",
        "dropped": f"the part falls, or is let go more than {LET_GO_MM:g} mm away from its seat",
    }
    cameras = CAMERAS
    rgbd: Rgbd | None = Rgbd(
        RGBD_CAMERAS, ("part_offset", "part_offset_fine", "part_yaw", "seat_offset", "seat_offset_fine")
    )
    picture_steps = 62
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    randomization: str | None = "arm_pick_place"
    references: ClassVar[tuple[str, ...]] = (
        "Plappert et al.: Multi-goal reinforcement learning, 2018: pick and place with a sparse reward, to 50 mm",
        "Andrychowicz et al.: Hindsight experience replay, NeurIPS 2017",
        "ISO/TS 15066: contact force of collaborative robots grows with the speed at which contact begins",
    )
    metrics = {
        "cycle_time": Metric("s", "lower", "time until the part is located and left for good; NaN if never"),
        "position_error": Metric("mm", "lower", "distance of the part from its located position at the end"),
        "angle_error": Metric("deg", "lower", "rotation of the part from its located orientation at the end"),
        **METRICS,
    }
    tool = ActionTerm("gripper", "m", 0.0, 0.08, "", "width between the pads that the gripper's servo goes to")
    speed = (0.35, 2.5, 50.0)
    damping = 1800.0
    force_limit = (10.0, 800.0)
    reach = (0.12, 0.24)
    heights = (0.024, 0.185)

    def __init__(self, goal_conditioned: bool = False, robot: str = "ur10e"):
        super().__init__(robot)
        self.goal_conditioned = goal_conditioned
        self.terminate_on_success = not goal_conditioned
        self.goal_size = 8 if goal_conditioned else 0
        if goal_conditioned:
            self.failure_texts = {}
            self.rgbd = None  # the achieved goal tells what the pictures are to be searched for
        self.channels = channels()
        self.start = start_terms()
        self.rewards = self._rewards()

    def _rewards(self) -> dict[str, Reward]:
        if self.goal_conditioned:
            return {"miss": Reward(-1.0, "1 while the goal is outside the tolerance, else 0")}
        rewards = {
            "approach": Reward(-0.02, "tanh(tip from the part / 0.1 m) until it is in place, then what is left to go"),
            "carry": Reward(-0.04, "share of the way to the seat that is left"),
            "misplaced": Reward(-0.02, "tanh(distance from the seat / 5 mm)"),
            "turned": Reward(-0.01, "tanh(angle from the seat / 5 deg)"),
            "force": Reward(-0.01, "square of contact force / allowed force"),
            "motion": Reward(-0.005, "mean square of the increments, each relative to its range"),
            "success": Reward(10.0, "1 at the step in which success is reached"),
        }
        return with_failure(rewards, self.timing.max_steps)

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """The pick cell."""
        return pick_cell(self.robot, yaw=self.yaw, timestep=self.timing.timestep_s, visual=visual)

    def expert(self) -> PickPlaceExpert:
        """By camera to the part, by feel into the fixture."""
        return PickPlaceExpert(self.make_action().terms, PART[0], self.yaw, STIFFNESS)

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Row arrays of part, seat and gripper."""
        super().allocate(s)
        sim = s.sim
        self._part_qpos, self._part_qvel = int(sim.qpos_index(["part_free"])[0]), int(sim.qvel_index(["part_free"])[0])
        self._fingers = sim.qpos_index(["finger_left", "finger_right"])
        self._grip = sim.id("actuator", "gripper")
        self._fixture = sim.id("body", "fixture")
        self._part_geom = sim.id("geom", "part")
        for field in ("body_pos", "body_quat", "geom_friction"):
            sim.field(field)
        for name, shape in (
            ("seat", (3,)), ("seat_quaternion", (4,)), ("taught", (3,)), ("taught_yaw", ()), ("friction", ()),
            ("part_position", (3,)), ("part_quaternion", (4,)), ("part_yaw", ()), ("tip_yaw", ()),
            ("grasp_point", (3,)), ("part_position_mm", (3,)), ("part_turn", (3,)), ("position_error", ()),
            ("angle_error", ()), ("clear", ()), ("start_distance", ()), ("lift", ()), ("entered_s", ()),
        ):  # fmt: skip
            s.new(name, shape)
        s.new("placed", dtype=bool)
        s.new("dropped", dtype=bool)

    def lay_out(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> Array:
        """Fixture, what is taught of it, the part in the bin and the open gripper."""
        sim, k = s.sim, rows.size
        x, y = self.station
        seat = np.empty((k, 3))
        seat[:] = (x, y + APART, TABLE_TOP + SEAT_HEIGHT)
        seat[:, :2] += 1e-3 * params["fixture_place"]
        yaw = self.yaw + np.deg2rad(params["fixture_turn"])
        s.seat[rows], s.seat_quaternion[rows] = seat, quat_from_axis_angle(Z, yaw)
        sim.field("body_pos")[rows, self._fixture] = seat
        sim.field("body_quat")[rows, self._fixture] = s.seat_quaternion[rows]
        sim.field("geom_friction")[rows, self._part_geom, 0] = s.friction[rows] = params["friction"]
        sim.stale(rows)
        s.taught[rows] = seat + 1e-3 * params["taught_position"]
        s.taught_yaw[rows] = yaw + np.deg2rad(params["taught_turn"])
        at = self._part_qpos
        sim.qpos[rows, at] = x + 1e-3 * params["part_place"][:, 0]
        sim.qpos[rows, at + 1] = y - APART + 1e-3 * params["part_place"][:, 1]
        sim.qpos[rows, at + 2] = TABLE_TOP + BIN_FLOOR
        part = quat_from_axis_angle(Z, self.yaw + np.deg2rad(params["part_turn"]))
        sim.qpos[rows, at + 3 : at + 7] = part
        sim.qpos[np.ix_(rows, self._fingers)] = 0.5 * OPEN
        sim.ctrl[rows, self._grip] = OPEN
        start = np.empty((k, 3))
        start[:] = (x, y, TABLE_TOP + 0.145)
        return start + 1e-3 * params["start_offset"]

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """Zero what adds up."""
        super().commence(s, rows)
        s.start_distance[rows] = s.position_error[rows]
        s.lift[rows] = 0.0
        s.dropped[rows] = False
        s.entered_s[rows] = np.nan

    def measure(self, s: Rows) -> None:
        """Part relative to its seat and to the tip."""
        super().measure(s)
        qpos, at = s.sim.qpos, self._part_qpos
        s.part_position[...] = qpos[:, at : at + 3]
        s.part_quaternion[...] = qpos[:, at + 3 : at + 7]
        back = quat_conjugate(s.seat_quaternion)
        s.part_position_mm[...] = 1e3 * rotate(back, s.part_position - s.seat)
        s.part_turn[...] = quat_to_rotation_vector(quat_multiply(back, s.part_quaternion))
        s.position_error[...] = length(s.part_position_mm)
        s.angle_error[...] = np.rad2deg(length(s.part_turn))
        axis = rotate(s.part_quaternion, np.broadcast_to(np.array([1.0, 0.0, 0.0]), (s.n, 3)))
        s.part_yaw[...] = np.arctan2(axis[:, 1], axis[:, 0])
        s.tip_yaw[...] = np.arctan2(self._tip_matrix[:, 3], self._tip_matrix[:, 0])
        s.grasp_point[...] = s.part_position
        s.grasp_point[:, 2] += GRIP_HEIGHT
        s.clear[...] = np.minimum(length(s.grasp_point - self._tip_position) / CLEAR, 1.0)
        s.placed[...] = (s.position_error <= TOLERANCE_MM) & (s.angle_error <= TOLERANCE_DEG)

    def accumulate(self, s: Rows) -> None:
        """Drops, and the time of placing."""
        super().accumulate(s)
        np.maximum(s.lift, s.part_position[:, 2] - (TABLE_TOP + BIN_FLOOR), out=s.lift)
        away = length(s.grasp_point - self._tip_position) > OUT_OF_HAND
        let_go = away & (s.lift > LIFTED) & (s.position_error > LET_GO_MM)
        s.dropped |= let_go | (s.sim.qvel[:, self._part_qvel + 2] < -FALL)
        done = self.succeeded(s)
        s.entered_s[...] = np.where(done, np.where(np.isnan(s.entered_s), s.time_s, s.entered_s), np.nan)

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """In place, left alone, and never pressed too hard."""
        done: NDArray[np.bool_] = s.placed & (s.clear >= CLEAR_SHARE) & ~self.over_force(s)
        return done

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Too much force, and drops."""
        if self.goal_conditioned:
            return {}
        return {"over_force": self.over_force(s), "dropped": s.dropped.copy()}

    def violations(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Nine tenths of the allowed force."""
        return {"force": s.tcp_force_peak > 0.9 * s.force_threshold}

    # -- observations, rewards, metrics -----------------------------------------------------------------------

    def observe_tip_position(self, s: Rows) -> Array:
        """Tip from the taught grasp."""
        return self._tip_position - s.taught - np.array([0.0, 0.0, GRIP_HEIGHT])

    def observe_tip_yaw(self, s: Rows) -> Array:
        """Gripper from the taught direction."""
        return wrap_angle(s.tip_yaw - s.taught_yaw)[:, None]

    def observe_part_offset(self, s: Rows) -> Array:
        """Part from the tip."""
        offset: Array = s.grasp_point - self._tip_position
        return offset

    observe_part_offset_fine = observe_part_offset

    def observe_part_yaw(self, s: Rows) -> Array:
        """Part from the gripper."""
        return wrap_angle(s.part_yaw - s.tip_yaw)[:, None]

    def observe_seat_offset(self, s: Rows) -> Array:
        """Part from the taught seat."""
        offset: Array = s.part_position - s.taught
        return offset

    observe_seat_offset_fine = observe_seat_offset

    def observe_grip_width(self, s: Rows) -> Array:
        """Between the pads."""
        width: Array = s.sim.qpos[:, self._fingers[0]] + s.sim.qpos[:, self._fingers[1]]
        return width[:, None]

    def reward_approach(self, s: Rows) -> Array:
        """Tip from the part, or what it has left to go away from it."""
        return np.where(s.placed, 1.0 - s.clear, np.tanh(length(s.grasp_point - self._tip_position) / 0.1))

    def reward_carry(self, s: Rows) -> Array:
        """Share of the way."""
        return np.minimum(s.position_error / s.start_distance, 1.0)

    def reward_misplaced(self, s: Rows) -> Array:
        """Fine distance."""
        return np.tanh(s.position_error / 5.0)

    def reward_turned(self, s: Rows) -> Array:
        """Fine angle."""
        return np.tanh(s.angle_error / 5.0)

    def reward_miss(self, s: Rows) -> Array:
        """Outside the tolerance."""
        return _missed(self.achieved_goal(s), self.desired_goal(s))

    def metric_cycle_time(self, s: Rows) -> Array:
        """Time of placing."""
        time: Array = s.entered_s
        return time

    # -- goals ------------------------------------------------------------------------------------------------

    def achieved_goal(self, s: Rows) -> Array:
        """Position and quaternion of the part, and how far the gripper is from it."""
        return np.concatenate((s.part_position, s.part_quaternion, s.clear[:, None]), axis=1)

    def desired_goal(self, s: Rows) -> Array:
        """The seat, with the gripper away."""
        return np.concatenate((s.seat, s.seat_quaternion, np.ones((s.n, 1))), axis=1)

    def goal_reward(self, achieved: Array, desired: Array) -> Array:
        """0 in tolerance, -1 outside."""
        return self.rewards["miss"].weight * _missed(achieved, desired)

    def overlay(self, s: Rows, row: int) -> Overlay:
        """The taught seat."""
        quaternion = quat_from_axis_angle(Z, s.taught_yaw[row : row + 1])[0]
        axes = np.stack([rotate(quaternion, e) for e in np.eye(3)], axis=1)
        return Overlay(frames=[(s.taught[row].copy(), axes, 0.04)])


def _missed(achieved: Array, desired: Array) -> Array:
    missed = length(desired[..., :3] - achieved[..., :3]) > 1e-3 * TOLERANCE_MM
    turn = quat_to_rotation_vector(quat_multiply(desired[..., 3:7], quat_conjugate(achieved[..., 3:7])))
    missed |= length(turn) > np.deg2rad(TOLERANCE_DEG)
    missed |= np.abs(desired[..., 7] - achieved[..., 7]) > 1.0 - CLEAR_SHARE
    return np.asarray(missed, dtype=np.float64)
