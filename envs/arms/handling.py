"""What the handling tasks share: an arm under admittance control that carries parts with a gripper, looking down.

A concrete task builds the cell, declares its tool and judges parts; arm, start pose, felt force and jerk are here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.work_cell import TABLE_TOP, home_configuration
from ...assets.robots.arm import PREFIX, Arm, arm
from ...frames import quat_conjugate, quat_from_matrix, quat_multiply, quat_to_rotation_vector
from ..control import ActionInterface, ActionTerm, Admittance, TcpLimits
from ..engine.task import Array, Reward, RowIndex, Rows, Task
from .contact_record import ContactRecord
from .inverse_kinematics import PoseSolver
from .reach_robot import home_station, motion_limits
from .tool_motion import ToolMotion

JOINT_ACCELERATION = 8.0  # rad/s^2, of the joints near the base, at which `speed` is followed
STIFFNESS = 15000.0  # N/m, of the virtual spring


class Handling(Task):
    """An arm that carries parts with a tool that looks down: the base of concrete tasks.

    The tool's tip is the site `tip`. Concrete tasks set the class attributes and write the abstract methods.

    Attributes:
        tool: the component of the action that commands the tool.
        speed: of the tip: velocity (m/s), acceleration (m/s^2) and jerk (m/s^3) along each axis.
        turn: about the vertical, likewise in rad.
        damping: of the virtual tool, N s/m: force limit / damping is the speed at which a contact may begin.
        force_limit: range of the commanded force limit, N.
        reach: half extents of the box of commanded tips around the station in x and y, m.
        heights: lowest and highest commanded tip over the table, m.
        suction: name of the sensor of a vacuum gripper's pull, None for other tools.
        fixed: components of the arm's action that are not commanded, and their values.
    """

    main_metric = "cycle_time"
    tool: ClassVar[ActionTerm]
    speed: ClassVar[tuple[float, float, float]]
    turn: ClassVar[tuple[float, float, float]] = (1.5, 12.0, 240.0)
    damping: ClassVar[float]
    force_limit: ClassVar[tuple[float, float]]
    reach: ClassVar[tuple[float, float]]
    heights: ClassVar[tuple[float, float]]
    suction: ClassVar[str | None] = None
    fixed: ClassVar[Mapping[str, float]] = {}
    rewards: Mapping[str, Reward]

    def __init__(self, robot: str):
        self.robot: Arm = arm(robot)
        self.randomization = None if robot.startswith(PREFIX) else self.randomization
        self._station, self.yaw = home_station(self.robot, lambda cell: (*cell.station, TABLE_TOP))

    @property
    def station(self) -> tuple[float, float]:
        """Point of the table below the flange at home, m."""
        return self._station[:2]

    @property
    def pace(self) -> float:
        """Share of the tip's acceleration that this arm's joints can follow: 1 unless those near the base are slow."""
        arm = self.robot
        slow = [a for a, slides in zip(arm.acceleration[:3], arm.slides[:3], strict=True) if not slides]
        return min(1.0, min(slow) / JOINT_ACCELERATION)

    def make_action(self) -> ActionInterface:
        """Increments of the tip along x, y, z and about z, what else of the arm is commanded, and the tool."""
        (x, y), (low, high), pace = self.station, self.heights, self.pace
        box = TcpLimits(
            (x - self.reach[0], y - self.reach[1], TABLE_TOP + low),
            (x + self.reach[0], y + self.reach[1], TABLE_TOP + high),
            linear=(pace**0.5 * self.speed[0], pace * self.speed[1], pace * self.speed[2]), angular=self.turn,
        )  # fmt: skip
        tilts = self.robot.dof >= 6
        inner = Admittance(
            self.robot.joints, motion_limits(self.robot), "tip", box, self.timing.control_hz, force=0.0,
            axes=("x", "y", "z", "rx", "ry", "rz") if tilts else ("x", "y", "z", "rz"), damping=(self.damping, 20.0),
            force_limit=self.force_limit, torque_limit=10.0, stiffness=(STIFFNESS, 60.0), inner_hz=125.0,
            interpolate=True, headroom=3.0, suction=self.suction,
        )  # fmt: skip
        upright = {"increment_rx": 0.0, "increment_ry": 0.0} if tilts else {}
        decades = () if "force_limit" in self.fixed else ("force_limit",)
        return ToolMotion(inner, self.tool, {**upright, **self.fixed}, decades)

    @abstractmethod
    def lay_out(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> Array:
        """Place what the episodes of `rows` are about; returns where their tips start, (k, 3), world frame, m."""

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Row arrays of the tip, and of force and jerk."""
        sim = s.sim
        self._arm_qpos, self._arm_qvel = sim.qpos_index(self.robot.joints), sim.qvel_index(self.robot.joints)
        self._controls = sim.ids("actuator", self.robot.joints)
        self._tip_position = sim.output("site_xpos", "site", "tip")
        self._tip_matrix = sim.output("site_xmat", "site", "tip")
        self._tip_body = int(sim.model.site_bodyid[sim.id("site", "tip")])
        self._solver = PoseSolver(sim.model, self.robot.joints, "tip")
        self._home = home_configuration(sim.model, self.robot)
        half = 0.5 * self.yaw
        self._tool_quaternion = np.array([0.0, np.cos(half), np.sin(half), 0.0])
        for name, shape in (("tip_turn", (3,)), ("tip_speed", (3,)), ("force_threshold", ())):
            s.new(name, shape)
        self._record = ContactRecord(s)
        free = [t for t in self.make_action().terms if t.name.startswith("increment")]
        self._increment_scale = np.array([1.0 / t.high for t in free])

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """The cell of the episode, and the arm at its start with the tool as it was at home."""
        s.force_threshold[rows] = params["force_threshold"]
        s.sim.qpos[rows] = self._home
        start = self.lay_out(s, rows, params)
        for k, row in enumerate(rows.tolist()):
            q = self._solver.solve(self.robot.home, start[k], self._tool_quaternion)
            s.sim.qpos[row, self._arm_qpos] = q
            s.sim.ctrl[row, self._controls] = q

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """Zero what adds up."""
        self._record.begin(s, rows)

    def measure(self, s: Rows) -> None:
        """Turn of the tip from home, and its speed."""
        wanted = np.broadcast_to(quat_conjugate(self._tool_quaternion), (s.n, 4))
        s.tip_turn[...] = quat_to_rotation_vector(quat_multiply(quat_from_matrix(self._tip_matrix), wanted))
        linear, _ = s.sim.jacobian(self._tip_body, self._tip_position)
        speed = linear[:, :, self._arm_qvel[0]] * s.sim.qvel[:, self._arm_qvel[0], None]
        for dof in self._arm_qvel[1:].tolist():
            speed += linear[:, :, dof] * s.sim.qvel[:, dof, None]
        s.tip_speed[...] = speed

    def accumulate(self, s: Rows) -> None:
        """Force and jerk."""
        self._record.add(s)

    def over_force(self, s: Rows) -> NDArray[np.bool_]:
        """Whether the contact force has exceeded what the order allows."""
        exceeded: NDArray[np.bool_] = s.peak_force > s.force_threshold
        return exceeded

    # -- observations and rewards -----------------------------------------------------------------------------

    def observe_tip_velocity(self, s: Rows) -> Array:
        """Speed of the tip."""
        speed: Array = s.tip_speed
        return speed

    def observe_lead(self, s: Rows) -> Array:
        """What is left to the commanded position."""
        lead: Array = s.tcp_target_position - self._tip_position
        return lead

    observe_lead_fine = observe_lead

    def observe_yaw_lead(self, s: Rows) -> Array:
        """What is left to the commanded turn about the vertical."""
        turn = quat_multiply(s.tcp_target_quaternion, quat_conjugate(quat_from_matrix(self._tip_matrix)))
        return quat_to_rotation_vector(turn)[:, 2:]

    def observe_force(self, s: Rows) -> Array:
        """Contact force."""
        force: Array = s.tcp_wrench[:, :3]
        return force

    def reward_force(self, s: Rows) -> Array:
        """Force by what is allowed."""
        share = np.minimum(s.tcp_force_peak / s.force_threshold, 1.0)
        return share * share

    def reward_motion(self, s: Rows) -> Array:
        """Mean square of the increments."""
        a = s.action[:, : self._increment_scale.size] * self._increment_scale
        a *= a
        total = a[:, 0].copy()
        for i in range(1, a.shape[1]):
            total += a[:, i]
        return total / a.shape[1]

    def reward_failed(self, s: Rows) -> Array:
        """What is left of the episode that a failure ends."""
        return np.where(self.failed(s), 1.0 - s.step / self.timing.max_steps, 0.0)
