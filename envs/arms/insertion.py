"""What the insertion tasks share: an arm under admittance control brings a held part onto its goal, by feel.

A concrete task builds the cell and says what varies in its geometry; pose, wrench, jams, rewards and ends are here. The
goal's frame has z out of the way of insertion: the depth of the part is how far its tip is below the goal's origin.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.work_cell import CAMERAS, home_configuration
from ...assets.robots.arm import PREFIX, Arm, arm
from ...frames import (
    quat_conjugate,
    quat_from_axis_angle,
    quat_from_matrix,
    quat_multiply,
    quat_to_rotation_vector,
    rotate,
)
from ..control import ActionInterface, Admittance, TcpLimits
from ..engine.start import Term, Uniform
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Task, Timing, with_failure
from .contact_record import METRICS, ContactRecord
from .insertion_expert import InsertionExpert
from .insertion_terms import channels
from .inverse_kinematics import PoseSolver
from .reach_robot import motion_limits

SEATED_MM = 0.3  # from the stop at which a part counts as seated
# A jam: pressed along the way of insertion by more than this share of the allowed force, without moving.
JAM_SHARE, JAM_SPEED, JAM_S = 0.35, 4e-4, 0.25
LATERAL_M = 0.0032  # how far the commanded tip may be from the nominal axis of the goal
ABOVE_M, BELOW_M = 0.030, 0.010  # commanded tip over the mouth and below the stop, at most
START_HEIGHT_MM = (6.0, 12.0)
X, Y = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])


class Insertion(Task):
    """An arm that inserts a part: the base of concrete tasks, which set `part`, `goal` and `seat_mm`."""

    timing = Timing(control_hz=25.0, timestep_s=0.002, horizon_s=8.0)
    main_metric = "cycle_time"
    success_hold_s = 0.2
    cameras = ("close", *(c for c in CAMERAS if c != "close"))
    part: ClassVar[str]
    goal: ClassVar[str]
    seat_mm: float
    turns: bool = True  # whether the arm may turn the part about the way of insertion

    rewards: Mapping[str, Reward]
    metrics = {
        "cycle_time": Metric("s", "lower", "time until the part is seated for good; NaN if never"),
        "peak_force": METRICS["peak_force"],
        "mean_force": METRICS["mean_force"],
        "jams": Metric("1", "lower", "times the part stood still under load on its way"),
        "depth": Metric("mm", "higher", "how deep the part is at the end"),
        "peak_jerk": METRICS["peak_jerk"],
    }

    def __init__(self, robot: str):
        self.robot: Arm = arm(robot)
        self.randomization = None if robot.startswith(PREFIX) else self.randomization
        self.channels = channels(self.part, self.goal)
        self.rewards = self._rewards()
        self.failure_texts = {"over_force": "the contact force exceeds what the order allows"}
        self.success_text = (
            f"{self.part} within {SEATED_MM:g} mm of its stop, {self.seat_mm:g} mm deep, for "
            f"{self.success_hold_s:g} s, and no contact force above the allowed one before"
        )

    # -- declaration ------------------------------------------------------------------------------------------

    def _rewards(self) -> dict[str, Reward]:
        rewards = {
            "way_left": Reward(-0.04, "share of the way to the stop that is left, from 10 mm above the mouth"),
            "misalignment": Reward(-0.02, "tanh(lateral error of the part / 1 mm) while it is not inside"),
            "force": Reward(-0.02, "square of contact force / allowed force"),
            "jam": Reward(-0.2, "1 at the step in which a jam is noticed"),
            "motion": Reward(-0.005, "mean square of the increments, each relative to its range"),
            "success": Reward(10.0, "1 at the step in which success is reached"),
        }
        return with_failure(rewards, self.timing.max_steps, "over_force", "the force is exceeded")

    def common_start(self) -> tuple[Term, ...]:
        """What varies in every insertion: teaching, start pose and the force that is allowed."""
        return (
            Uniform("taught_position", -0.5, 0.5, "mm", 3, "error of the taught pose, world axes"),
            Uniform("taught_tilt", -0.3, 0.3, "deg", 2, "error of the taught direction, about x and y"),
            Uniform("start_offset", -1.5, 1.5, "mm", 2, "tip beside the taught axis at the start, x and y"),
            Uniform("start_height", *START_HEIGHT_MM, "mm", 1, "tip above the taught mouth at the start"),
            Uniform("force_threshold", 30.0, 80.0, "N", 1, "contact force that the order allows"),
            Uniform("friction", 0.10, 0.20, "1", 1, "Coulomb friction of the fit"),
        )

    @property
    def tilts(self) -> bool:
        """Whether the arm can tilt the part."""
        return self.robot.dof >= 6

    def make_action(self) -> ActionInterface:
        """Increments of the tip's pose and the force limit of an admittance-controlled tool."""
        axes = ["x", "y", "z", *(("rx", "ry") if self.tilts else ()), *(("rz",) if self.turns else ())]
        x, y, z = self.goal_position
        low = (x - LATERAL_M, y - LATERAL_M, z - 1e-3 * self.seat_mm - BELOW_M)
        box = TcpLimits(
            low, (x + LATERAL_M, y + LATERAL_M, z + ABOVE_M), linear=(0.025, 0.5, 20.0), angular=(0.1, 2.0, 60.0)
        )
        return Admittance(
            self.robot.joints, motion_limits(self.robot), "tip", box, self.timing.control_hz, axes=axes, force=0.0,
            force_limit=(5.0, 100.0), torque_limit=10.0, stiffness=(6000.0, 60.0), inner_hz=125.0,
        )  # fmt: skip

    def expert(self) -> InsertionExpert:
        """Guarded approach, spiral search, compliant insertion."""
        return InsertionExpert(self.make_action().terms)

    @property
    @abstractmethod
    def goal_position(self) -> tuple[float, float, float]:
        """Origin of the goal's frame, world frame, m."""

    @property
    @abstractmethod
    def goal_yaw(self) -> float:
        """Direction of the goal's x axis, rad about the vertical; the tool's x axis is parallel to it."""

    @abstractmethod
    def prepare(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Write the geometry of the episodes of `rows` into the simulation's fields; set `clearance_mm`."""

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Row arrays: taught pose, pose of tip and part, wrench record."""
        sim = s.sim
        self._arm_qpos = sim.qpos_index(self.robot.joints)
        self._arm_qvel = sim.qvel_index(self.robot.joints)
        self._controls = sim.ids("actuator", self.robot.joints)
        self._tip_position = sim.output("site_xpos", "site", "tip")
        self._tip_matrix = sim.output("site_xmat", "site", "tip")
        self._tip_body = int(sim.model.site_bodyid[sim.id("site", "tip")])
        self._part_position = sim.output("site_xpos", "site", "part")
        self._part_matrix = sim.output("site_xmat", "site", "part")
        self._solver = PoseSolver(sim.model, self.robot.joints, "tip")
        self._home = home_configuration(sim.model, self.robot)
        half = 0.5 * self.goal_yaw
        self._goal_quaternion = np.array([np.cos(half), 0.0, 0.0, np.sin(half)])
        # the tool looks down: its x is the goal's, its z the other way
        self._tool_quaternion = np.array([0.0, np.cos(half), np.sin(half), 0.0])
        for name, shape in (
            ("taught", (3,)), ("taught_quaternion", (4,)), ("tip", (3,)), ("tip_turn", (3,)), ("tip_speed", (3,)),
            ("part_position_mm", (3,)), ("part_tilt", (2,)), ("clearance_mm", ()), ("friction", ()),
            ("force_threshold", ()), ("jams", ()), ("standing_s", ()), ("new_jam", ()), ("entered_s", ()),
        ):  # fmt: skip
            s.new(name, shape)
        self._record = ContactRecord(s)
        s.new("jammed", dtype=bool)
        s.new("seated", dtype=bool)

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Geometry, the taught pose and its error, and the arm above it."""
        s.force_threshold[rows] = params["force_threshold"]
        s.friction[rows] = params["friction"]
        self.prepare(s, rows, params)
        s.taught[rows] = np.array(self.goal_position) + 1e-3 * params["taught_position"]
        tilt = np.deg2rad(params["taught_tilt"]) if self.tilts else np.zeros((rows.size, 2))
        turned = quat_multiply(quat_from_axis_angle(X, tilt[:, 0]), quat_from_axis_angle(Y, tilt[:, 1]))
        s.taught_quaternion[rows] = quat_multiply(turned, np.broadcast_to(self._tool_quaternion, (rows.size, 4)))
        start = s.taught[rows].copy()
        start[:, :2] += 1e-3 * params["start_offset"]
        start[:, 2] += 1e-3 * params["start_height"]
        for k, row in enumerate(rows.tolist()):
            q = self._solver.solve(self.robot.home, start[k], s.taught_quaternion[row])
            s.sim.qpos[row] = self._home
            s.sim.qpos[row, self._arm_qpos] = q
            s.sim.ctrl[row, self._controls] = q

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """Zero what adds up."""
        self._record.begin(s, rows)
        for name in ("jams", "standing_s", "new_jam"):
            getattr(s, name)[rows] = 0.0
        s.jammed[rows] = False
        s.seated[rows] = False
        s.entered_s[rows] = np.nan

    def measure(self, s: Rows) -> None:
        """Tip in the taught frame, part in the goal's."""
        np.subtract(self._tip_position, s.taught, out=s.tip)
        turn = quat_multiply(quat_from_matrix(self._tip_matrix), quat_conjugate(s.taught_quaternion))
        s.tip_turn[...] = quat_to_rotation_vector(turn)
        linear, _ = s.sim.jacobian(self._tip_body, self._tip_position)
        speed = linear[:, :, self._arm_qvel[0]] * s.sim.qvel[:, self._arm_qvel[0], None]
        for dof in self._arm_qvel[1:].tolist():
            speed += linear[:, :, dof] * s.sim.qvel[:, dof, None]
        s.tip_speed[...] = speed
        back = np.broadcast_to(quat_conjugate(self._goal_quaternion), (s.n, 4))
        s.part_position_mm[...] = 1e3 * rotate(back, self._part_position - np.array(self.goal_position))
        axis = rotate(back, np.ascontiguousarray(self._part_matrix[:, 2::3]))
        s.part_tilt[:, 0], s.part_tilt[:, 1] = -axis[:, 1], axis[:, 0]

    @property
    def stop_mm(self) -> float:
        """Depth from which a part counts as seated."""
        return self.seat_mm - SEATED_MM

    def accumulate(self, s: Rows) -> None:
        """Peak and mean force, jams, jerk and the time of seating."""
        dt = s.timing.control_dt
        self._record.add(s)
        s.seated[...] = -s.part_position_mm[:, 2] >= self.stop_mm
        still = np.abs(s.tip_speed[:, 2]) < JAM_SPEED
        pressed = s.tcp_wrench[:, 2] > JAM_SHARE * s.force_threshold
        inside = s.part_position_mm[:, 2] < -0.2
        s.standing_s[...] = np.where(still & pressed & inside & ~s.seated, s.standing_s + dt, 0.0)
        jammed = (s.standing_s >= JAM_S - 1e-9) | (s.jammed & still)
        s.new_jam[...] = jammed & ~s.jammed
        s.jams += s.new_jam
        s.jammed[...] = jammed
        s.entered_s[...] = np.where(s.seated, np.where(np.isnan(s.entered_s), s.time_s, s.entered_s), np.nan)

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """Seated, and never pressed too hard."""
        seated: NDArray[np.bool_] = s.seated & (s.peak_force <= s.force_threshold)
        return seated

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """More force than allowed."""
        return {"over_force": s.peak_force > s.force_threshold}

    def violations(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Nine tenths of the allowed force, and jams."""
        return {"force": s.tcp_force_peak > 0.9 * s.force_threshold, "jam": s.jammed.copy()}

    # -- observations, rewards, metrics -----------------------------------------------------------------------

    def observe_tip_position(self, s: Rows) -> Array:
        """Tip in the taught frame."""
        tip: Array = s.tip
        return tip

    observe_tip_position_fine = observe_tip_position

    def observe_tip_rotation(self, s: Rows) -> Array:
        """Rotation from the taught orientation."""
        turn: Array = s.tip_turn
        return turn

    def observe_tip_velocity(self, s: Rows) -> Array:
        """Speed of the tip."""
        speed: Array = s.tip_speed
        return speed

    def observe_lead(self, s: Rows) -> Array:
        """Deflection of the virtual spring."""
        lead: Array = s.tcp_reference_position[:, :3] - self._tip_position
        return lead

    def observe_force(self, s: Rows) -> Array:
        """Contact force."""
        force: Array = s.tcp_wrench[:, :3]
        return force

    def observe_torque(self, s: Rows) -> Array:
        """Contact moment."""
        torque: Array = s.tcp_wrench[:, 3:]
        return torque

    def reward_way_left(self, s: Rows) -> Array:
        """Share of the way to the stop."""
        left = (self.stop_mm + s.part_position_mm[:, 2]) / (self.stop_mm + 10.0)
        return np.minimum(np.maximum(left, 0.0), 1.0)

    def reward_misalignment(self, s: Rows) -> Array:
        """Lateral error of a part that is not inside."""
        p = s.part_position_mm
        off = np.sqrt(p[:, 0] * p[:, 0] + p[:, 1] * p[:, 1])
        return np.where(p[:, 2] < -1.0, 0.0, np.tanh(off))

    def reward_force(self, s: Rows) -> Array:
        """Force by what is allowed."""
        share = np.minimum(s.tcp_force_peak / s.force_threshold, 1.0)
        return share * share

    def reward_jam(self, s: Rows) -> Array:
        """A jam begins."""
        jam: Array = s.new_jam
        return jam

    def reward_motion(self, s: Rows) -> Array:
        """Mean square of the increments."""
        scale = self._increment_scale
        a = s.action[:, : scale.size] * scale
        a *= a
        total = a[:, 0].copy()
        for i in range(1, a.shape[1]):
            total += a[:, i]
        return total / a.shape[1]

    @property
    def _increment_scale(self) -> Array:
        terms = [t for t in self.make_action().terms if t.name.startswith("increment")]
        return np.array([1.0 / t.high for t in terms])

    def reward_over_force(self, s: Rows) -> Array:
        """What is left of the episode that too much force ends."""
        return np.where(s.peak_force > s.force_threshold, 1.0 - s.step / self.timing.max_steps, 0.0)

    def metric_cycle_time(self, s: Rows) -> Array:
        """Time of seating."""
        time: Array = s.entered_s
        return time

    def metric_depth(self, s: Rows) -> Array:
        """Depth of the part."""
        return -s.part_position_mm[:, 2]

    def overlay(self, s: Rows, row: int) -> Overlay:
        """The taught frame."""
        quaternion = s.taught_quaternion[row]
        axes = np.stack([rotate(quaternion, e) for e in np.eye(3)], axis=1)
        return Overlay(frames=[(s.taught[row].copy(), axes, 0.03)])
