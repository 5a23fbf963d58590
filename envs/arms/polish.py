"""ArmPolish: grind a weld seam flush on a bent shell, with a force, at a speed that takes off what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.cells.polish_cell import CAMERAS, PAD_CROWN, RADIUS, SEAM_LENGTH, TIMESTEP, polish_cell, seam_top
from ...assets.cells.work_cell import home_configuration, work_cell
from ...assets.robots.arm import PREFIX, Arm, arm
from ...errors import ShopfloorError
from ...frames import (
    quat_conjugate,
    quat_from_axis_angle,
    quat_from_matrix,
    quat_multiply,
    quat_to_rotation_vector,
    rotate,
)
from ..control import ActionInterface
from ..control.admittance import WristSensor
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Task, Timing, with_failure
from .inverse_kinematics import PoseSolver
from .polish_expert import LEAD_IN, PolishExpert
from .polish_motion import SeamTwist
from .polish_removal import RATE_MM3, removal_rate
from .polish_terms import AHEAD_M, WAVES, channels, start_terms
from .reach_robot import motion_limits

CELLS = 60  # along the seam
TOLERANCE_MM = 0.05  # of what is left of the bead, either way
COVERAGE = 0.95  # share of the seam that has to be in tolerance
GOUGE_MM = 0.15  # ground into the shell: scrap
FORCE_LIMIT_N = 120.0
BEHIND_M = 0.012
Y = np.array([0.0, 1.0, 0.0])


class ArmPolish(Task):
    """An arm grinds what roughing has left of a weld bead, 0.1 to 0.2 mm, flush with a bent shell.

    A compliant spindle presses its disc with a preloaded spring; the arm sets how far the spring is pushed in, and
    keeps the disc normal to the surface, which it knows as taught, with errors of height, place and slope. What the
    disc takes off follows Preston's law: more force or less feed, more depth. Before the pass a laser line has scanned
    the bead, a trailing sensor sees what is left, and how well the disc cuts is known to a few per cent. Ground too
    little the seam is not flush, ground too much the shell is thinned, and nothing brings that back.

    Args:
        robot: an arm with six or seven joints of `shopfloor.assets.robots.arm`: "ur10e", "m10id12", "fr3", "iiwa14".
    """

    title: ClassVar[str] = "arm grinds a weld seam flush on a bent shell, by force and feed"
    timing = Timing(control_hz=25.0, timestep_s=TIMESTEP, horizon_s=12.0)
    main_metric = "process_time"
    success_hold_s = 0.2
    success_text = (
        f"at least {100 * COVERAGE:g} % of the seam within {TOLERANCE_MM:g} mm of flush, and the disc off the surface, "
        "for 0.2 s"
    )
    failure_texts = {
        "gouged": f"the shell is ground by more than {GOUGE_MM:g} mm under its surface",
        "over_force": f"the contact force exceeds {FORCE_LIMIT_N:g} N: disc or part are damaged",
    }
    cameras = ("close", *(c for c in CAMERAS if c != "close"))
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    randomization: str | None = "arm_polish"
    references: ClassVar[tuple[str, ...]] = (
        "Preston: The theory and design of plate glass polishing machines, J. Soc. Glass Technol. 11, 1927",
        "Hertz: Ueber die Beruehrung fester elastischer Koerper, 1881, for a footprint that presses less at its edge",
    )
    metrics = {
        "process_time": Metric("s", "lower", "time until the seam is flush and the disc is off; NaN if never"),
        "coverage": Metric("1", "higher", f"share of the seam within {TOLERANCE_MM:g} mm of flush at the end"),
        "force_error": Metric("N", "lower", "root mean square of force less target, while on the seam"),
        "residual": Metric("mm", "lower", "root mean square of what is left, or ground too much, along the seam"),
        "gouge": Metric("mm", "lower", "deepest grinding under the surface"),
        "peak_force": Metric("N", "lower", "largest contact force, at control steps"),
        "peak_jerk": Metric("m/s^3", "lower", "largest jerk of the tool, from differences over control steps"),
    }

    def __init__(self, robot: str = "ur10e"):
        self.robot: Arm = arm(robot)
        if self.robot.dof < 6:
            raise ShopfloorError(f"robot={robot!r}: the tool must tilt with the surface, which takes six joints")
        if robot.startswith(PREFIX):
            self.randomization = None
        self.channels = channels(SEAM_LENGTH)
        self.start = start_terms()
        self.rewards = self._rewards()
        cell = work_cell(self.robot, visual=False)
        self._top = np.array(seam_top(cell))
        model = cell.spec.compile()
        _, home = PoseSolver(model, self.robot.joints, self.robot.flange).pose(self.robot.home)
        self._home_quaternion = home

    def _rewards(self) -> dict[str, Reward]:
        rewards = {
            "unfinished": Reward(-0.04, "share of the seam that is not within tolerance"),
            "gouge": Reward(-0.1, "deepest grinding under the surface / 0.15 mm"),
            "force": Reward(-0.02, "tanh of the relative error of the force squared, while on the seam"),
            "tilt": Reward(-0.01, "tanh(tilt from the taught normal / 0.1 rad)"),
            "motion": Reward(-0.002, "mean square of the twist, each component relative to its range"),
            "finished": Reward(3.0, "increase of the best share of the seam in tolerance"),
            "success": Reward(10.0, "1 at the step in which success is reached"),
        }
        return with_failure(rewards, self.timing.max_steps, "spoiled", extra=3.0)

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """The finishing cell."""
        return polish_cell(self.robot, timestep=self.timing.timestep_s, visual=visual)

    def make_action(self) -> ActionInterface:
        """Twist of the tool along feed, cross and normal."""
        return SeamTwist(self.robot.joints, motion_limits(self.robot), "mount")

    def expert(self) -> PolishExpert:
        """Touch down, feed by the scan, lift off."""
        return PolishExpert(SEAM_LENGTH, RADIUS)

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Row arrays: taught surface, bead and what is taken off, force record."""
        sim = s.sim
        self._qpos, self._qvel = sim.qpos_index(self.robot.joints), sim.qvel_index(self.robot.joints)
        self._controls = sim.ids("actuator", self.robot.joints)
        self._mount = sim.output("site_xpos", "site", "mount")
        self._mount_matrix = sim.output("site_xmat", "site", "mount")
        self._mount_body = int(sim.model.site_bodyid[sim.id("site", "mount")])
        self._pad = sim.output("geom_xpos", "geom", "pad")
        self._deflection = sim.sensor("spindle_deflection")
        self._sensor = WristSensor(s, ("ft_force", "ft_torque"))
        self._solver = PoseSolver(sim.model, self.robot.joints, "mount")
        self._home = home_configuration(sim.model, self.robot)
        self._along = (np.arange(CELLS) + 0.5) / CELLS * SEAM_LENGTH - 0.5 * SEAM_LENGTH
        order = np.arange(1, WAVES + 1)
        self._waves = np.sin(np.pi * order[:, None] * (self._along / SEAM_LENGTH + 0.5))
        self._scale = 1.0 / np.array([t.high for t in self.make_action().terms])
        for name, shape in (
            ("seam_quaternion", (4,)), ("taught_shift", (3,)), ("taught_pitch", ()), ("bead_mm", (CELLS,)),
            ("left_mm", (CELLS,)), ("removal_rate", ()), ("force_target", ()), ("place", (3,)), ("tool_tilt", (3,)),
            ("tool_velocity", (3,)), ("contact", (2,)), ("normal_force", ()), ("coverage", ()),
            ("best_coverage", ()), ("new_coverage", ()), ("gouge_mm", ()), ("peak_force", ()),
            ("force_square", ()), ("force_time", ()), ("entered_s", ()), ("peak_jerk", ()),
            ("last_velocity", (3,)), ("last_acceleration", (3,)),
        ):  # fmt: skip
            s.new(name, shape)

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Bead, taught surface, and the disc above the beginning of the seam."""
        bead = np.repeat(params["bead_height"][:, None], CELLS, axis=1)
        for k in range(WAVES):
            bead += params["bead_wave"][:, k : k + 1] * self._waves[k]
        s.bead_mm[rows] = bead
        s.left_mm[rows] = bead
        s.removal_rate[rows] = RATE_MM3 * (1.0 + params["removal_error"])
        s.force_target[rows] = params["force_target"]
        s.taught_shift[rows, 0] = 0.0
        s.taught_shift[rows, 1] = 1e-3 * params["taught_offset"]
        s.taught_shift[rows, 2] = 1e-3 * params["taught_height"]
        s.taught_pitch[rows] = np.deg2rad(params["taught_pitch"])
        feed = np.full(rows.size, -0.5 * SEAM_LENGTH - LEAD_IN)
        point, turned = self._taught(s, rows, feed, 1e-3 * params["start_height"])
        for k, row in enumerate(rows.tolist()):
            q = self._solver.solve(self.robot.home, point[k], turned[k])
            s.sim.qpos[row] = self._home
            s.sim.qpos[row, self._qpos] = q
            s.sim.ctrl[row, self._controls] = q

    def _taught(self, s: Rows, rows: RowIndex, feed: Array, height: Array) -> tuple[Array, Array]:
        """Points (k, 3) over the taught seam, and orientations (k, 4) of a tool that is normal to it there."""
        angle = feed / RADIUS
        tilted = quat_from_axis_angle(Y, s.taught_pitch[rows])
        reach = RADIUS + height
        zero = np.zeros_like(feed)
        local = np.stack((reach * np.sin(angle), zero, reach * np.cos(angle) - RADIUS), axis=-1)
        point = self._top + s.taught_shift[rows] + rotate(tilted, local)
        turn = quat_multiply(tilted, quat_from_axis_angle(Y, angle))
        return point, quat_multiply(turn, np.broadcast_to(self._home_quaternion, (len(feed), 4)))

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """Zero what adds up; the disc is above the surface, so there is no force."""
        for name in (
            "normal_force", "new_coverage", "peak_force", "force_square", "force_time", "peak_jerk", "last_velocity",
            "last_acceleration",
        ):  # fmt: skip
            getattr(s, name)[rows] = 0.0
        s.best_coverage[rows] = s.coverage[rows]
        s.entered_s[rows] = np.nan

    def measure(self, s: Rows) -> None:
        """Disc relative to the taught surface, true contact, and the state of the seam."""
        tilted = quat_from_axis_angle(Y, s.taught_pitch)
        local = rotate(quat_conjugate(tilted), self._mount - (self._top + s.taught_shift))
        up = local[:, 2] + RADIUS
        angle = np.arctan2(np.ascontiguousarray(local[:, 0]), np.ascontiguousarray(up))
        s.place[:, 0] = RADIUS * angle
        s.place[:, 1] = local[:, 1]
        s.place[:, 2] = np.sqrt(local[:, 0] * local[:, 0] + up * up) - RADIUS
        s.seam_quaternion[...] = quat_multiply(tilted, quat_from_axis_angle(Y, angle))
        wanted = quat_multiply(s.seam_quaternion, np.broadcast_to(self._home_quaternion, (s.n, 4)))
        turn = quat_multiply(wanted, quat_conjugate(quat_from_matrix(self._mount_matrix)))
        s.tool_tilt[...] = quat_to_rotation_vector(turn)
        linear, _ = s.sim.jacobian(self._mount_body, self._mount)
        speed = linear[:, :, self._qvel[0]] * s.sim.qvel[:, self._qvel[0], None]
        for dof in self._qvel[1:].tolist():
            speed += linear[:, :, dof] * s.sim.qvel[:, dof, None]
        s.tool_velocity[...] = rotate(quat_conjugate(s.seam_quaternion), speed)
        # the crown of the pad touches the true shell where its centre is closest to the shell's axis
        pad = self._pad - self._top
        true_angle = np.arctan2(np.ascontiguousarray(pad[:, 0]), np.ascontiguousarray(pad[:, 2] + RADIUS))
        s.contact[:, 0], s.contact[:, 1] = RADIUS * true_angle, pad[:, 1]
        self._judge(s)

    def _feel(self, s: Rows) -> None:
        """Normal force by the wrist sensor.

        MuJoCo computes a force sensor while it steps, and a saved state holds none of its readings: what is felt is
        read once after each control step and kept.
        """
        force = self._sensor.contact(self._mount)[:, :3]
        true_angle = s.contact[:, 0] / RADIUS
        s.normal_force[...] = force[:, 0] * np.sin(true_angle) + force[:, 2] * np.cos(true_angle)

    def _judge(self, s: Rows) -> None:
        """Share of the seam in tolerance, and the deepest gouge."""
        s.coverage[...] = np.count_nonzero(np.abs(s.left_mm) <= TOLERANCE_MM, axis=1) / CELLS
        s.gouge_mm[...] = np.maximum(-np.min(s.left_mm, axis=1), 0.0)

    def accumulate(self, s: Rows) -> None:
        """Feel the force, take off what the disc grinds in a control step, and keep the records."""
        self._feel(s)
        dt = s.timing.control_dt
        off = self._along[None, :] - s.contact[:, :1]
        distance_sq = off * off + s.contact[:, 1:] * s.contact[:, 1:]
        force = np.where(self._pressed(s), s.normal_force, 0.0)
        s.left_mm -= 1e3 * dt * removal_rate(distance_sq, force, s.removal_rate)
        self._judge(s)
        s.new_coverage[...] = np.maximum(s.coverage - s.best_coverage, 0.0)
        np.maximum(s.best_coverage, s.coverage, out=s.best_coverage)
        np.maximum(s.peak_force, s.normal_force, out=s.peak_force)
        on_seam = self._on_seam(s)
        error = s.normal_force - s.force_target
        s.force_square += np.where(on_seam, error * error * dt, 0.0)
        s.force_time += np.where(on_seam, dt, 0.0)
        acceleration = (s.tool_velocity - s.last_velocity) / dt
        jerk = (acceleration - s.last_acceleration) / dt
        np.maximum(s.peak_jerk, _length(jerk), out=s.peak_jerk)
        s.last_velocity[...] = s.tool_velocity
        s.last_acceleration[...] = acceleration
        done = self.succeeded(s)
        s.entered_s[...] = np.where(done, np.where(np.isnan(s.entered_s), s.time_s, s.entered_s), np.nan)

    def _pressed(self, s: Rows) -> NDArray[np.bool_]:
        """Whether the disc touches the shell: the pad's crown reaches its surface."""
        pad = self._pad - self._top
        up = pad[:, 2] + RADIUS
        gap = np.sqrt(pad[:, 0] * pad[:, 0] + up * up) - RADIUS - PAD_CROWN
        pressed: NDArray[np.bool_] = gap < 2e-5
        return pressed

    def _on_seam(self, s: Rows) -> NDArray[np.bool_]:
        on: NDArray[np.bool_] = self._pressed(s) & (np.abs(s.contact[:, 0]) < 0.5 * SEAM_LENGTH)
        return on

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """Flush, and the disc off."""
        done: NDArray[np.bool_] = (s.coverage >= COVERAGE) & ~self._pressed(s)
        return done

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Gouges and crushing."""
        return {"gouged": s.gouge_mm > GOUGE_MM, "over_force": s.normal_force > FORCE_LIMIT_N}

    def violations(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Force far from the order's, and grinding under the surface."""
        far = np.abs(s.normal_force - s.force_target) > 0.3 * s.force_target
        return {"force": far & self._on_seam(s), "undercut": s.gouge_mm > TOLERANCE_MM}

    # -- observations, rewards, metrics -----------------------------------------------------------------------

    def observe_feed_position(self, s: Rows) -> Array:
        """Along the taught seam."""
        return s.place[:, :1]

    def observe_cross_position(self, s: Rows) -> Array:
        """Beside it."""
        return s.place[:, 1:2]

    def observe_height(self, s: Rows) -> Array:
        """Above the taught surface."""
        return s.place[:, 2:]

    def observe_tilt(self, s: Rows) -> Array:
        """To the taught normal."""
        tilt: Array = s.tool_tilt
        return tilt

    def observe_velocity(self, s: Rows) -> Array:
        """Along feed, cross and normal."""
        velocity: Array = s.tool_velocity
        return velocity

    def observe_force(self, s: Rows) -> Array:
        """Normal force."""
        return s.normal_force[:, None]

    def observe_deflection(self, s: Rows) -> Array:
        """Of the spindle."""
        return self._deflection

    def observe_bead_ahead(self, s: Rows) -> Array:
        """Scanned bead at the disc and ahead."""
        return np.stack([self._at(s.bead_mm, s.contact[:, 0] + ahead) for ahead in AHEAD_M], axis=1)

    def observe_residual_behind(self, s: Rows) -> Array:
        """What is left behind the disc."""
        return self._at(s.left_mm, s.contact[:, 0] - BEHIND_M)[:, None]

    def _at(self, profile: Array, along: Array) -> Array:
        """Values (n,) of profiles (n, CELLS) at places (n,) along the seam; 0 beyond its ends."""
        index = np.floor((along / SEAM_LENGTH + 0.5) * CELLS).astype(np.intp)
        inside = (index >= 0) & (index < CELLS)
        found = profile[np.arange(len(along)), np.minimum(np.maximum(index, 0), CELLS - 1)]
        return np.where(inside, found, 0.0)

    def observe_residual(self, s: Rows) -> Array:
        """Mean, highest and lowest."""
        left = s.left_mm
        total = left[:, 0].copy()
        for i in range(1, CELLS):
            total += left[:, i]
        return np.stack((total / CELLS, np.max(left, axis=1), np.min(left, axis=1)), axis=1)

    def reward_unfinished(self, s: Rows) -> Array:
        """Share that is not in tolerance."""
        return 1.0 - s.coverage

    def reward_gouge(self, s: Rows) -> Array:
        """Deepest gouge."""
        return np.minimum(s.gouge_mm / GOUGE_MM, 1.0)

    def reward_force(self, s: Rows) -> Array:
        """Error of the force on the seam."""
        error = s.normal_force / s.force_target - 1.0
        return np.where(self._on_seam(s), np.tanh(error * error), 0.0)

    def reward_tilt(self, s: Rows) -> Array:
        """Tilt of the tool."""
        return np.tanh(_length(s.tool_tilt) / 0.1)

    def reward_motion(self, s: Rows) -> Array:
        """Mean square of the twist."""
        a = s.action * self._scale
        a *= a
        total = a[:, 0].copy()
        for i in range(1, a.shape[1]):
            total += a[:, i]
        return total / a.shape[1]

    def reward_finished(self, s: Rows) -> Array:
        """Progress of the best coverage."""
        gain: Array = s.new_coverage
        return gain

    def reward_spoiled(self, s: Rows) -> Array:
        """What is left of the episode that a failure ends."""
        failed = self.failures(s)
        return np.where(failed["gouged"] | failed["over_force"], 1.0 - s.step / self.timing.max_steps, 0.0)

    def metric_process_time(self, s: Rows) -> Array:
        """When the seam was flush and the disc off."""
        time: Array = s.entered_s
        return time

    def metric_force_error(self, s: Rows) -> Array:
        """Root mean square over the time on the seam."""
        return np.where(s.force_time > 0.0, np.sqrt(s.force_square / np.maximum(s.force_time, 1e-9)), np.nan)

    def metric_residual(self, s: Rows) -> Array:
        """Root mean square along the seam."""
        total = s.left_mm[:, 0] ** 2
        for i in range(1, CELLS):
            total += s.left_mm[:, i] ** 2
        return np.sqrt(total / CELLS)

    def metric_gouge(self, s: Rows) -> Array:
        """Deepest gouge."""
        gouge: Array = s.gouge_mm
        return gouge

    def overlay(self, s: Rows, row: int) -> Overlay:
        """The seam, coloured by what is left."""
        overlay = Overlay()
        for along, left in zip(self._along.tolist(), s.left_mm[row].tolist(), strict=True):
            angle = along / RADIUS
            point = self._top + np.array([RADIUS * np.sin(angle), 0.0, RADIUS * np.cos(angle) - RADIUS + 0.001])
            good = abs(left) <= TOLERANCE_MM
            colour = (0.2, 0.85, 0.3, 0.9) if good else (0.95, 0.55, 0.1, 0.9) if left > 0 else (0.9, 0.1, 0.1, 0.9)
            overlay.points.append((point, 0.0014, colour))
        return overlay


def _length(v: Array) -> Array:
    length: Array = np.sqrt(v[:, 0] * v[:, 0] + v[:, 1] * v[:, 1] + v[:, 2] * v[:, 2])
    return length
