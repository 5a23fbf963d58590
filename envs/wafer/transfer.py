"""WaferTransfer: carry a wafer that only friction holds, fast, without slip and without ringing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.cells.transfer_chamber import CAMERAS, PAD_PAIRS, transfer_chamber
from ...assets.robots.vacuum_scara import (
    PAD_ANGLES,
    PAD_CIRCLE_RADIUS,
)
from ...errors import ShopfloorError
from ..control import ActionInterface
from ..control.path import ARRIVED_M
from ..engine.expert import Expert
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Task, Timing, column
from .pads import chosen_sets, drawn_pads, nominal_friction, pad_friction, pad_sets
from .profiles import GRAVITY, tilt_limits
from .transfer_actions import ACTIONS, CORRIDOR_M, along_path, make_action
from .transfer_expert import JointExpert, ScalingExpert, TransferExpert, TransferOracle
from .transfer_mode import MASS, frequencies, sag, write_mode
from .transfer_paths import ByVia, LineOrArc, SomeRows
from .transfer_terms import ARM_JOINTS, GENERIC, PAD_PARAMETERS, channels, start_terms

SLIP_TOLERANCE_MM = 0.1
SETTLE_TOLERANCE_MM = 0.1
LOST_MM = 1.0
MOVES = ("line", "arc", "via")
MODES = ("fixed", "extension")


class WaferTransfer(Task):
    """A vacuum SCARA robot carries a 300 mm wafer, which rests on three friction pads, from one place to another.

    The wafer stays where it is on the pads only while the acceleration in the plane of the paddle is below what
    friction gives, and the arm's lowest mode rings after every change of acceleration. Both set how fast the move may
    be. Friction, droop of the paddle, the mode's frequency and damping, and the move itself change from episode to
    episode; the policy knows friction and frequency only as estimates from past moves. There is no slip sensor.

    The robot moves along a line (extension through a slit valve or retraction from it) or along an arc about its axis;
    with `move="via"` out of one station and into another in one motion, the retraction running into the turn and the
    turn into the extension. By default the policy sets the motion planner's limits 50 times a second (see
    `PathTimeScaling`).

    By default friction is that of no pads in particular. With pads of a kind, `pads="ceramic"` or `pads="elastomer"`,
    it follows from their temperature and wear, and the estimate is what past moves say at the temperature that the pads
    had then, carried over to their temperature now with what a data sheet says; pads differ from their data sheet.

    Moves by way of a via point, and those on ceramic pads, take up to 8 s and have 25 decisions a second.

    What the model leaves out: friction has one coefficient, so that a wafer that slides is not held less than one that
    sticks; pads share their friction; the frequency of the arm's mode follows its extension with `mode="extension"`
    only; and the arm never touches anything.

    Args:
        move: "any" (a line or an arc), "line", "arc" or "via".
        action: "path_time_scaling"; "move_parameters", one decision a move; "path_acceleration", the acceleration along
            the path at 200 Hz, four set-points a control step (eight at 25 Hz); or "joint_motion", joint velocities
            through a limiter, which must keep the wafer within 5 mm of the path, a line or an arc, on generic pads.
        friction_error: standard deviation of the friction estimate, relative.
        frequency_error: standard deviation of the frequency estimate, relative.
        pads: "generic", "ceramic", "elastomer", or "any" of the two; their ranges are in `configs/wafer/pads.yaml`,
            nominal and unverified.
        mode: "fixed", the same frequency along and across the arm at every extension; or "extension", both frequencies
            follow the extension, and what is known and estimated is that at the end of the move in its direction.
    """

    title: ClassVar[str] = "vacuum robot carries a wafer on friction pads, fast, without slip or ringing"
    timing = Timing(control_hz=50.0, timestep_s=0.0005, horizon_s=4.0)
    main_metric = "move_time"
    success_hold_s = 0.06
    success_text = (
        f"motion complete, TCP within {SETTLE_TOLERANCE_MM:g} mm of the target for {success_hold_s:g} s, and the wafer "
        f"slipped by at most {SLIP_TOLERANCE_MM:g} mm on every pad"
    )
    failure_texts = {
        "wafer_lost": f"the wafer slipped by more than {LOST_MM:g} mm on a pad",
        "misplaced": f"the motion ended and settled, but the wafer had slipped by more than {SLIP_TOLERANCE_MM:g} mm",
    }
    cameras = CAMERAS
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    randomization = "wafer_transfer"
    path: LineOrArc | ByVia = LineOrArc()
    mode = "fixed"
    references: ClassVar[tuple[str, ...]] = (
        "Lucas et al., US patent 5655060 (Brooks Automation, 1997): friction limits acceleration, resonance jerk",
        "Goyal, Ruina, Papadopoulos: Planar sliding with dry friction, Wear 143, 1991",
        "SEMI M1: silicon wafers of 300 mm",
    )

    # Losing the wafer at once must never be better than carrying it slowly. Most of that price is due when it slips: a
    # policy does not see slip, and could not tell what it did wrong from a price at the end of the move.
    rewards = {
        "time": Reward(-2.0, "control period divided by the friction-limited time of the move"),
        "progress": Reward(1.0, "share of the path covered in this step"),
        "slip": Reward(-10.0, "share of the upper half of the tolerated slip that this step uses up; 1 in all"),
        "failure": Reward(-4.0, "1 at the step in which the wafer is lost or ends up misplaced"),
        "success": Reward(2.0, "1 at the step in which success is reached"),
    }
    metrics = {
        "move_time": Metric("s", "lower", "start until the motion is complete and settled for good; NaN if never"),
        "time_ratio": Metric("1", "lower", "move time divided by the friction-limited time of this move"),
        "slip": Metric("mm", "lower", "largest displacement of the wafer on a pad"),
        "settle_error": Metric("mm", "lower", "distance of the TCP from the target in the last step"),
        "peak_acceleration": Metric("m/s^2", "lower", "largest commanded acceleration in the plane of the paddle"),
        "peak_jerk": Metric("m/s^3", "lower", "largest commanded jerk along the path"),
        "residual_vibration": Metric("mm", "lower", "largest distance from the target after the motion is complete"),
    }

    def __init__(
        self,
        move: str = "any",
        action: str = "path_time_scaling",
        friction_error: float = 0.05,
        frequency_error: float = 0.03,
        pads: str = GENERIC,
        mode: str = "fixed",
    ):
        if move not in ("any", *MOVES):
            raise ShopfloorError(f"move must be one of any, {', '.join(MOVES)}, got {move!r}")
        if action not in ACTIONS:
            raise ShopfloorError(f"action must be one of {', '.join(ACTIONS)}, got {action!r}")
        for name, value in (("friction_error", friction_error), ("frequency_error", frequency_error)):
            if not 0.0 <= value <= 0.3:
                raise ShopfloorError(f"{name} must lie in [0, 0.3], got {value!r}")
        sets = None if pads == GENERIC else chosen_sets(pads, (GENERIC,))
        if action == "joint_motion" and (move == "via" or sets):
            raise ShopfloorError(
                f"action 'joint_motion' takes lines and arcs on pads {GENERIC!r}, got move={move!r}, pads={pads!r}; "
                f"with these, action is one of {', '.join(ACTIONS[:3])}"
            )
        if mode not in MODES:
            raise ShopfloorError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        self.move, self.action, self.pads, self.mode = move, action, pads, mode
        if move == "via" or (sets and pads != "elastomer"):
            # they may take twice as long; the time limit in steps stays the same
            self.timing = Timing(control_hz=25.0, timestep_s=0.0005, horizon_s=8.0)
        corridor = CORRIDOR_M if action == "joint_motion" else 0.0
        self.path = ByVia() if move == "via" else LineOrArc(corridor)
        self.start = start_terms(move, friction_error, frequency_error, sets)
        names = tuple(pad_sets()) if sets else ()
        self.channels = channels(action, via=move == "via", pads=names, follows=mode == "extension")
        if action == "joint_motion":
            off = f"the commanded paddle left the path by more than {1000.0 * CORRIDOR_M:g} mm, or turned away from it"
            self.failure_texts = {**self.failure_texts, "off_path": off}

    # -- declaration ------------------------------------------------------------------------------------------

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """The vacuum transfer chamber."""
        return transfer_chamber(timestep=self.timing.timestep_s, visual=visual)

    def make_action(self) -> ActionInterface:
        """The interface that was chosen."""
        return make_action(self.action, self, self.timing)

    def expert(self) -> Expert:
        """Profile with a process engineer's margins."""
        if self.action == "path_acceleration":
            return ScalingExpert(ticks=len(self.make_action().terms))
        return JointExpert() if self.action == "joint_motion" else TransferExpert(self.action)

    def oracle(self) -> Expert | None:
        """Profile with the true friction, droop and frequency."""
        if self.action not in ACTIONS[:2]:
            return None
        return TransferOracle(self.action, via=self.move == "via")

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Resolve names and register the rows' arrays."""
        sim = s.sim
        self._arm = sim.qpos_index(ARM_JOINTS)
        self._arm_rates = sim.qvel_index(ARM_JOINTS)
        self._flex = sim.qpos_index(("flex_x", "flex_y"))
        self._flex_dofs = sim.qvel_index(("flex_x", "flex_y"))
        self._flex_joints = sim.ids("joint", ("flex_x", "flex_y"))
        self._wafer = int(sim.qpos_index(("wafer_free",))[0])
        self._controls = sim.ids("actuator", [f"{j}_position" for j in ARM_JOINTS])
        self._paddle = sim.id("body", "paddle")
        self._pairs = sim.ids("pair", PAD_PAIRS)
        self._keyframe = sim.id("key", "home")
        self._tcp_position = sim.output("site_xpos", "site", "tcp")
        self._tcp_matrix = sim.output("site_xmat", "site", "tcp")
        self._seat_position = sim.sensor("wafer_in_paddle_position")
        self._seat_quaternion = sim.sensor("wafer_in_paddle_quaternion")
        self._tcp_record = sim.sensor_slice("tcp_position")
        angles = np.asarray(PAD_ANGLES)
        self._pads = PAD_CIRCLE_RADIUS * np.stack((np.cos(angles), np.sin(angles)), axis=-1)
        for field in ("pair_friction", "jnt_stiffness", "dof_damping", "body_quat"):
            sim.field(field)
        for name, shape in (
            ("path_length", ()), ("path_curvature", ()), ("path_radius", ()), ("path_angle", ()), ("path_sign", ()),
            ("friction", ()), ("droop", ()), ("frequency", ()), ("damping_ratio", ()),
            ("friction_estimate", ()), ("frequency_estimate", ()), ("bound_time", ()),
            ("acceleration_estimate", ()), ("period_estimate", ()), ("target", (2,)),
            ("seat", (2,)), ("seat_yaw", ()), ("slip_mm", ()), ("slip_step_mm", ()), ("settle_error_mm", ()),
            ("move_time", ()), ("peak_acceleration", ()), ("peak_jerk", ()), ("residual_mm", ()),
            ("progress", ()), ("previous_acceleration", ()), ("previous_distance", ()),
        ):  # fmt: skip
            s.new(name, shape)
        for name, size in self.path.arrays:
            s.new(name, size)
        if self.mode == "extension":
            s.new("full_frequency")
        if self._has_pads():
            for name in PAD_PARAMETERS:
                s.new(name)

    def _has_pads(self) -> bool:
        return any(term.name == PAD_PARAMETERS[-1] for term in self.start)

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """The move, the plant of this episode, and the wafer seated on the paddle at the start of the path."""
        sim = s.sim
        self._choose_move(s, rows, params)
        self._choose_plant(s, rows, params)
        sim.reset(rows, self._keyframe)
        zero = np.zeros((rows.size, 1))
        position, _ = self.joints(SomeRows(s, rows), zero, zero)
        sim.qpos[np.ix_(rows, self._arm)] = position[:, 0]
        sim.ctrl[np.ix_(rows, self._controls)] = position[:, 0]
        # the flexure hangs through under the paddle's own weight and the wafer's
        stiffness = sim.field("jnt_stiffness")[rows, self._flex_joints[0]]
        sim.qpos[rows, self._flex[0]] = MASS * GRAVITY * np.sin(s.droop[rows]) / stiffness
        sim.set_const(rows)
        sim.forward(rows)
        sim.qpos[rows, self._wafer : self._wafer + 3] = self._tcp_position[rows]
        sim.qpos[rows, self._wafer + 3 : self._wafer + 7] = _tilted_heading(s.path_angle[rows], s.droop[rows])

    def _choose_move(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        self.path.choose(s, rows, params)

    def _choose_plant(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        sim = s.sim
        friction, believed = self._friction(params)
        s.friction[rows] = friction
        for name in ("frequency", "damping_ratio", *(PAD_PARAMETERS if self._has_pads() else ())):
            getattr(s, name)[rows] = params[name]
        s.droop[rows] = np.deg2rad(params["droop"])
        s.friction_estimate[rows] = believed * (1.0 + params["friction_error"])
        radial = lateral = params["frequency"]
        if self.mode == "extension":
            s.full_frequency[rows] = params["frequency"]
            s.frequency[rows] = self._last_mode(s)[rows]
            radial, lateral = frequencies(params["frequency"], s.path_radius[rows])
        s.frequency_estimate[rows] = s.frequency[rows] * (1.0 + params["frequency_error"])
        s.acceleration_estimate[rows] = GRAVITY * s.friction_estimate[rows]
        s.period_estimate[rows] = 1.0 / s.frequency_estimate[rows]
        write_mode(sim, rows, self._flex_joints, self._flex_dofs, radial, lateral, params["damping_ratio"])
        for pair in self._pairs.tolist():
            sim.field("pair_friction")[rows, pair, :2] = friction[:, None]
        half = 0.5 * s.droop[rows]
        zero = np.zeros(rows.size)
        sim.field("body_quat")[rows, self._paddle] = np.stack((np.cos(half), zero, np.sin(half), zero), axis=-1)
        outward, inward = tilt_limits(s.friction[rows], np.abs(s.droop[rows]))
        s.bound_time[rows] = self.path.bound(s, rows, outward, inward)

    def _last_mode(self, s: Rows) -> Array:
        """Frequency (n,) in Hz of the mode that the end of the move excites: radial, but lateral on an arc."""
        radial, lateral = frequencies(s.full_frequency, self.path.end(s)[0])
        return np.where(s.path_curvature > 0.0, lateral, radial)

    def _friction(self, params: Mapping[str, Array]) -> tuple[Array, Array]:
        """Friction and what past moves say of it, but for their error: on pads that were at another temperature."""
        if "friction" in params:
            return params["friction"], params["friction"]
        pads = drawn_pads(params)
        cold, hot, fade, wear = (np.ascontiguousarray(pads[:, k]) for k in range(4))
        now = params["pad_celsius"]
        before = now - params["pads_warmed"]
        measured = pad_friction(before, cold, hot, fade, wear)
        which = params["pad_set"]
        carried = measured * nominal_friction(which, now) / nominal_friction(which, before)
        return pad_friction(now, cold, hot, fade, wear), carried

    def joints(self, s: Any, distance: Array, speed: Array) -> tuple[Array, Array]:
        """Joint angles and rates (n, k, 3) along the path, for the action interface."""
        return self.path.joints(s, distance, speed)

    def along(self, s: Rows, position: Array) -> tuple[Array, Array, Array]:
        """Joint angles (n, k, 3) projected on the path, for the action interface."""
        return along_path(s, position)

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """The target in the world, the wafer's seat, and zeros for what adds up."""
        end, angle = self.path.end(s)
        # the same robot stands at the target with the same deflection, so that only the radius and the angle change
        tcp_radius = np.sqrt(self._tcp_position[:, 0] ** 2 + self._tcp_position[:, 1] ** 2)
        reach = end + (tcp_radius - s.path_radius)
        if self.mode == "extension":
            radii = (end, s.path_radius)
            there, here = (sag(s.droop, frequencies(s.full_frequency, r)[0]) for r in radii)
            reach = reach + (there - here)
        s.target[rows] = np.stack((reach * np.cos(angle), reach * np.sin(angle)), axis=-1)[rows]
        s.seat[rows] = self._seat_position[rows, :2]
        s.seat_yaw[rows] = self._yaw()[rows]
        for name in (
            "slip_mm", "slip_step_mm", "peak_acceleration", "peak_jerk", "residual_mm", "progress",
            "previous_acceleration", "previous_distance",
        ):  # fmt: skip
            getattr(s, name)[rows] = 0.0
        s.move_time[rows] = np.nan
        self._measure_error(s, rows)

    def _yaw(self) -> Array:
        return 2.0 * np.arctan2(np.ascontiguousarray(self._seat_quaternion[:, 3]), self._seat_quaternion[:, 0].copy())

    def _measure_error(self, s: Rows, rows: RowIndex) -> None:
        d = self._tcp_position[rows, :2] - s.target[rows]
        s.settle_error_mm[rows] = 1000.0 * np.sqrt(d[:, 0] * d[:, 0] + d[:, 1] * d[:, 1])

    def measure(self, s: Rows) -> None:
        """Nothing beyond what `accumulate` needs: slip and settling are about the whole step, not its end."""

    def accumulate(self, s: Rows) -> None:
        """Slip on the pads, distance from the target during the step, peaks."""
        dt = s.timing.control_dt
        moved = self._seat_position[:, :2] - s.seat
        yaw = self._yaw() - s.seat_yaw
        slip = np.zeros(s.n)
        for px, py in self._pads.tolist():
            dx, dy = moved[:, 0] - yaw * py, moved[:, 1] + yaw * px
            np.maximum(slip, dx * dx + dy * dy, out=slip)
        slip_mm = np.maximum(s.slip_mm, 1000.0 * np.sqrt(slip))
        s.slip_step_mm[...] = slip_mm - s.slip_mm
        s.slip_mm[...] = slip_mm
        self._find_settling(s)
        s.residual_mm[...] = np.where(s.path_complete, np.maximum(s.residual_mm, s.settle_error_mm), 0.0)
        centripetal = s.path_speed * s.path_speed * s.path_curvature
        total = np.sqrt(s.path_acceleration * s.path_acceleration + centripetal * centripetal)
        np.maximum(s.peak_acceleration, total, out=s.peak_acceleration)
        jerk = np.abs(s.path_acceleration - s.previous_acceleration) / dt
        np.maximum(s.peak_jerk, jerk, out=s.peak_jerk)
        s.previous_acceleration[...] = s.path_acceleration
        s.progress[...] = (s.path_distance - s.previous_distance) / s.path_length
        s.previous_distance[...] = s.path_distance
        self.path.follow(s)
        if self.mode == "extension":
            tcp = self._tcp_position
            reach = np.sqrt(tcp[:, 0] * tcp[:, 0] + tcp[:, 1] * tcp[:, 1])
            radial, lateral = frequencies(s.full_frequency, reach)
            write_mode(s.sim, slice(None), self._flex_joints, self._flex_dofs, radial, lateral, s.damping_ratio)

    def _find_settling(self, s: Rows) -> None:
        """The physics step after which the motion is complete and the TCP stays in tolerance until now."""
        record = s.sensor_record[:, :, self._tcp_record]
        dx, dy = record[:, :, 0] - s.target[:, None, 0], record[:, :, 1] - s.target[:, None, 1]
        error_sq = dx * dx + dy * dy
        s.settle_error_mm[...] = 1000.0 * np.sqrt(np.max(error_sq, axis=1))
        moving = s.path_record < s.path_length[:, None] - ARRIVED_M
        out = moving | (error_sq > (0.001 * SETTLE_TOLERANCE_MM) ** 2)
        steps = out.shape[1]
        # physics steps since the last one out of tolerance; all of them when none was
        since = np.argmax(out[:, ::-1], axis=1)
        since = np.where(out.any(axis=1), since, steps)
        begin = s.time_s - since * s.timing.timestep_s
        kept = np.where(np.isnan(s.move_time) | (since < steps), begin, s.move_time)
        s.move_time[...] = np.where(since > 0, kept, np.nan)

    def _settled(self, s: Rows) -> NDArray[np.bool_]:
        settled: NDArray[np.bool_] = ~np.isnan(s.move_time)
        return settled

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """Motion complete, settled, wafer in place."""
        return self._settled(s) & (s.slip_mm <= SLIP_TOLERANCE_MM)

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Wafer lost, or misplaced at the end of a settled move."""
        failed = {
            "wafer_lost": s.slip_mm > LOST_MM,
            "misplaced": self._settled(s) & (s.slip_mm > SLIP_TOLERANCE_MM),
        }
        if self.action == "joint_motion":
            failed["off_path"] = s.path_deviation > CORRIDOR_M
        return failed

    def violations(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Slip beyond tolerance."""
        return {"slip": s.slip_mm > SLIP_TOLERANCE_MM}

    # -- observations, rewards, metrics -----------------------------------------------------------------------

    def observe_joint_position(self, s: Rows) -> Array:
        """Joint angles."""
        return s.sim.qpos[:, self._arm]

    def observe_joint_velocity(self, s: Rows) -> Array:
        """Joint speeds."""
        return s.sim.qvel[:, self._arm_rates]

    def observe_path_remaining(self, s: Rows) -> Array:
        """Commanded distance to go."""
        return column(s.path_length - s.path_distance)

    def observe_raw_remaining(self, s: Rows) -> Array:
        """Commanded distance to go before averaging."""
        return column(s.path_length - s.raw_distance)

    def observe_path_start(self, s: Rows) -> Array:
        """Where the path begins, and its sense."""
        return np.stack((s.path_radius, s.path_angle, s.path_sign), axis=-1)

    def observe_deflection_mm(self, s: Rows) -> Array:
        """Deflection of the flexure."""
        return 1000.0 * s.sim.qpos[:, self._flex]

    def reward_time(self, s: Rows) -> Array:
        """Every step costs, more in a move that could be short."""
        share: Array = s.timing.control_dt / s.bound_time
        return share

    def reward_progress(self, s: Rows) -> Array:
        """Share of the path."""
        progress: Array = np.maximum(s.progress, 0.0)
        return progress

    def reward_slip(self, s: Rows) -> Array:
        """What this step uses up of the upper half of the tolerance; the lower half is left to creep."""
        return _used_up(s.slip_mm) - _used_up(s.slip_mm - s.slip_step_mm)

    def metric_time_ratio(self, s: Rows) -> Array:
        """Against the friction-limited time."""
        ratio: Array = s.move_time / s.bound_time
        return ratio

    def metric_slip(self, s: Rows) -> Array:
        """Slip in mm."""
        slip: Array = s.slip_mm
        return slip

    def metric_settle_error(self, s: Rows) -> Array:
        """Distance from the target."""
        error: Array = s.settle_error_mm
        return error

    def metric_residual_vibration(self, s: Rows) -> Array:
        """Largest error after completion."""
        residual: Array = s.residual_mm
        return residual

    def overlay(self, s: Rows, row: int) -> Overlay:
        """The path of the wafer centre and its target."""
        radius, angle = self.path.drawn(s, row)
        height = np.full(radius.size, self._tcp_position[row, 2] + 0.004)
        points = np.stack((radius * np.cos(angle), radius * np.sin(angle), height), axis=-1)
        target = np.array([*s.target[row], height[0]])
        return Overlay(points=[(target, 0.012, (1.0, 0.55, 0.1, 1.0))], traces=[(points, 0.003, (0.1, 0.8, 1.0, 1.0))])


def _used_up(slip_mm: Array) -> Array:
    return np.minimum(np.maximum(2.0 * slip_mm / SLIP_TOLERANCE_MM - 1.0, 0.0), 1.0)


def _tilted_heading(heading: Array, droop: Array) -> Array:
    """Quaternions (k, 4): turned by `heading` about z, then tilted by `droop` about the lateral axis."""
    ch, sh, cd, sd = np.cos(0.5 * heading), np.sin(0.5 * heading), np.cos(0.5 * droop), np.sin(0.5 * droop)
    return np.stack((ch * cd, -sh * sd, ch * sd, sh * cd), axis=-1)
