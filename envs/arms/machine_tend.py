"""ArmMachineTend: load a blank into the vise of a milling machine, behind a door that must not shut on the robot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.cells.tend_cell import (
    CAMERAS,
    DOOR_STROKE,
    DOOR_X,
    GRIP_HEIGHT,
    PART,
    SEAT,
    TIMESTEP,
    TRAY,
    TRAY_FLOOR,
    station,
    tend_cell,
)
from ...assets.cells.work_cell import TABLE_TOP
from ...assets.fixtures.vise import CLAMP_FORCE, SERVO
from ...frames import quat_conjugate, quat_from_axis_angle, quat_multiply, quat_to_rotation_vector, rotate, wrap_angle
from ..control import ActionInterface, ActionTerm
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Timing, with_failure
from .contact_record import METRICS, length
from .handling import STIFFNESS, Handling
from .machine_commands import MachineCommands
from .machine_tend_expert import OPEN, MachineTendExpert
from .machine_tend_terms import channels, start_terms
from .reach_robot import home_station
from .tool_motion import ToolMotion

# A blank is sawn with 1 mm to be milled off each face. 0.3 mm of it may be lost to a bad seat, and 0.3 deg are as
# much over the 50 mm of the part.
TOLERANCE_MM, TOLERANCE_DEG = 0.3, 0.3
CURTAIN = 0.075  # m, before the door, from where on a tip is so far in that gripper or part are in the door's way
DOOR_SWITCH = (0.002, 0.004)  # m from the ends, where its switches say that it is shut and open
PRESSURE, PRESSURE_STEPS = 0.9, 3  # share of the clamping force, and control steps, from which the vise says clamped
LIFTED = 0.010  # m over the tray's floor
LET_GO = 0.0025  # m, of the width over the part's
OUT_OF_HAND = 0.020  # m, part's grasping point from the tip
Z = np.array([0.0, 0.0, 1.0])


class ArmMachineTend(Handling):
    """An arm with a parallel gripper loads a sawn blank into the vise of a milling machine and starts its cycle.

    Blanks lie in a tray before the machine, where a camera sees them. The machine's door, its vise and the start of the
    cycle are commanded too, and take their time, so that a good programme asks for the door before it needs it. The
    blank has to be set between the jaws, down on the parallels, against the fixed jaw and the stop, by feel, since the
    vise is taught with an error of some tenths of a millimetre; a vise that is told to clamp grips what is there, and a
    blank that then sits more than 0.3 mm or 0.3 deg off would be milled wrong.

    The machine's interlocks end an episode that violates them: a robot inside while the door is not open or is told to
    shut, a vise that clamps on nothing or on a blank that is not seated, a gripper that lets go before the vise has
    clamped. So does touching door, sill or panels, and a contact force above what the order allows. The episode
    succeeds when the vise holds the blank where it should, the robot is out, and the door has shut.

    Args:
        robot: an arm of `shopfloor.assets.robots.arm`, such as "ur10e", "m10id12", "fr3", "iiwa14" or "scara".
    """

    title: ClassVar[str] = "arm loads a blank into a vise behind a machine's door, with interlocks"
    timing = Timing(control_hz=25.0, timestep_s=TIMESTEP, horizon_s=16.0)
    success_hold_s = 0.2
    success_text = (
        f"vise clamped on the blank, {TOLERANCE_MM:g} mm and {TOLERANCE_DEG:g} deg from its seat at most, robot out of "
        f"the machine and door shut, for {success_hold_s:g} s, and no contact force above the allowed one before"
    )
    failure_texts: Mapping[str, str] = {
        "over_force": "the contact force exceeds what the order allows",
        "collision": "door, sill or panels of the machine are touched",
        "interlock": "the robot is inside while the door is not open or is told to shut",
        "misclamped": "the vise has clamped on nothing, or on a blank that is not seated",
        "released": "the blank is let go, or slips out of the gripper, before the vise has clamped it",
    }
    cameras = CAMERAS
    picture_steps = 92
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    randomization: str | None = "arm_machine_tend"
    references: ClassVar[tuple[str, ...]] = (
        "ISO 23125: machine tools, safety, turning machines; ISO 16090-1: machining centres: interlocking guards",
        "ISO 10218-2: robot systems and integration: the safeguarding of machines that a robot tends",
    )
    metrics = {
        "cycle_time": Metric("s", "lower", "time until the door is shut on a well clamped blank; NaN if never"),
        "load_time": Metric("s", "lower", "time until the vise has clamped the blank; NaN if never"),
        "position_error": Metric("mm", "lower", "distance of the blank from its seat at the end"),
        "angle_error": Metric("deg", "lower", "rotation of the blank from its seat at the end"),
        **METRICS,
    }
    tool = ActionTerm("gripper", "m", 0.0, 0.08, "", "width between the pads that the gripper's servo goes to")
    speed = (0.35, 2.5, 50.0)
    damping = 1800.0
    force_limit = (10.0, 800.0)
    reach = (0.150, 0.260)
    heights = (0.040, 0.190)

    def __init__(self, robot: str = "ur10e"):
        super().__init__(robot)
        self._station, home = home_station(self.robot, station)
        # the gripper lies across the way in, whichever of its two such directions is nearer to its home
        self.yaw = float(np.copysign(0.5 * np.pi, np.sin(home)))
        self.channels = channels()
        self.start = start_terms()
        self.rewards = self._rewards()

    def _rewards(self) -> dict[str, Reward]:
        rewards = {
            "approach": Reward(-0.02, "tanh(tip from the blank / 0.1 m) until it is clamped, then what is left to go"),
            "carry": Reward(-0.04, "share of the way to the seat that is left"),
            "misplaced": Reward(-0.02, "tanh(distance from the seat / 5 mm)"),
            "turned": Reward(-0.01, "tanh(angle from the seat / 5 deg)"),
            "loose": Reward(-0.02, "1 until the blank is clamped"),
            "waiting": Reward(-0.02, "1 until the blank is clamped, then how far the door is open"),
            "force": Reward(-0.01, "square of contact force / allowed force"),
            "motion": Reward(-0.005, "mean square of the increments, each relative to its range"),
            "success": Reward(10.0, "1 at the step in which success is reached"),
        }
        return with_failure(rewards, self.timing.max_steps)

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """The machine-tending cell."""
        return tend_cell(self.robot, timestep=self.timing.timestep_s, visual=visual)

    def make_action(self) -> ActionInterface:
        """The robot's set-points, and the commands of vise and door."""
        motion = super().make_action()
        assert isinstance(motion, ToolMotion)
        return MachineCommands(motion)

    def expert(self) -> MachineTendExpert:
        """By camera to the blank, by switches through the door, by feel into the vise."""
        return MachineTendExpert(self.make_action().terms, PART[1], STIFFNESS)

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Row arrays of blank, vise, door and gripper."""
        super().allocate(s)
        sim = s.sim
        self._part_qpos = int(sim.qpos_index(["part_free"])[0])
        self._fingers = sim.qpos_index(["finger_left", "finger_right"])
        self._door, self._jaw = int(sim.qpos_index(["door"])[0]), int(sim.qpos_index(["vise_jaw"])[0])
        self._grip, self._drive = sim.id("actuator", "gripper"), sim.id("actuator", "vise")
        self._vise, self._part_geom = sim.id("body", "vise"), sim.id("geom", "part")
        self._touched = sim.sensor("machine_touched")
        for field in ("body_pos", "body_quat", "geom_friction", "geom_size"):
            sim.field(field)
        for name, shape in (
            ("seat", (3,)), ("seat_quaternion", (4,)), ("taught", (3,)), ("taught_yaw", ()), ("friction", ()),
            ("door_speed", ()), ("part_length", ()), ("part_position", (3,)), ("part_quaternion", (4,)),
            ("part_yaw", ()), ("tip_yaw", ()), ("grasp_point", (3,)), ("seen", (3,)), ("seen_yaw", ()),
            ("part_position_mm", (3,)), ("part_turn", (3,)), ("position_error", ()), ("angle_error", ()),
            ("start_distance", ()), ("grip_width", ()), ("door", ()), ("jaw", ()), ("clamped_s", ()),
            ("entered_s", ()),
        ):  # fmt: skip
            s.new(name, shape)
        s.new("pressed_steps", dtype=np.int64)
        for name in (
            "located", "clamped", "inside", "door_open", "lifted", "collided", "interlocked", "misclamped", "released",
        ):  # fmt: skip
            s.new(name, dtype=bool)

    def lay_out(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> Array:
        """Vise, what is taught of it, the blank in the tray, the open gripper and the shut door."""
        sim, k = s.sim, rows.size
        origin = np.array([*self.station, TABLE_TOP])
        vise = np.empty((k, 3))
        vise[:] = origin + np.array(SEAT)
        vise[:, :2] += 1e-3 * params["vise_place"]
        yaw = np.deg2rad(params["vise_turn"])
        s.seat_quaternion[rows] = turned = quat_from_axis_angle(Z, yaw)
        sim.field("body_pos")[rows, self._vise] = vise
        sim.field("body_quat")[rows, self._vise] = turned
        sim.field("geom_friction")[rows, self._part_geom, 0] = s.friction[rows] = params["friction"]
        larger = 1e-3 * params["part_size"]
        sim.field("geom_size")[rows, self._part_geom, :2] = 0.5 * (np.array(PART[:2]) + larger)
        sim.stale(rows)
        # a larger blank has its middle farther from fixed jaw and stop
        shift = np.zeros((k, 3))
        shift[:, :2] = -0.5 * larger
        s.seat[rows] = vise + rotate(turned, shift)
        s.part_length[rows] = PART[1] + larger[:, 1]
        s.taught[rows] = vise + 1e-3 * params["taught_position"]
        s.taught_yaw[rows] = yaw + np.deg2rad(params["taught_turn"])
        s.door_speed[rows] = DOOR_STROKE / params["door_time"]
        at = self._part_qpos
        sim.qpos[rows, at] = origin[0] + TRAY[0] + 1e-3 * params["part_place_x"]
        sim.qpos[rows, at + 1] = origin[1] + TRAY[1] + 1e-3 * params["part_place_y"]
        sim.qpos[rows, at + 2] = origin[2] + TRAY_FLOOR
        sim.qpos[rows, at + 3 : at + 7] = quat_from_axis_angle(Z, np.deg2rad(params["part_turn"]))
        sim.qpos[np.ix_(rows, self._fingers)] = 0.5 * OPEN
        sim.ctrl[rows, self._grip] = OPEN
        start = np.empty((k, 3))
        start[:] = origin + np.array([TRAY[0], TRAY[1] + 0.10, 0.135])
        return start + 1e-3 * params["start_offset"]

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """Zero what adds up."""
        super().commence(s, rows)
        s.start_distance[rows] = s.position_error[rows]
        s.seen[rows], s.seen_yaw[rows] = s.grasp_point[rows], s.part_yaw[rows]
        s.pressed_steps[rows] = 0
        for name in ("clamped", "lifted", "collided", "interlocked", "misclamped", "released"):
            getattr(s, name)[rows] = False
        s.clamped_s[rows] = np.nan
        s.entered_s[rows] = np.nan

    def measure(self, s: Rows) -> None:
        """Blank relative to its seat and to the tip, door, jaw and gripper."""
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
        s.tip_yaw[...] = wrap_angle(np.arctan2(self._tip_matrix[:, 3], self._tip_matrix[:, 0]) - self.yaw)
        s.grasp_point[...] = s.part_position
        s.grasp_point[:, 2] += GRIP_HEIGHT
        s.located[...] = (s.position_error <= TOLERANCE_MM) & (s.angle_error <= TOLERANCE_DEG)
        s.grip_width[...] = qpos[:, self._fingers[0]] + qpos[:, self._fingers[1]]
        s.door[...], s.jaw[...] = qpos[:, self._door], qpos[:, self._jaw]
        s.door_open[...] = s.door > DOOR_STROKE - DOOR_SWITCH[1]
        s.inside[...] = self._tip_position[:, 0] > self.station[0] + DOOR_X - CURTAIN

    def accumulate(self, s: Rows) -> None:
        """What the machine's switches say, what the camera has seen, and violations."""
        super().accumulate(s)
        # contacts are found while stepping, and no saved state holds them
        s.collided |= self._touched[:, 0] > 0.0
        presses = (SERVO * (s.sim.ctrl[:, self._drive] - s.jaw) > PRESSURE * CLAMP_FORCE) & (s.vise_told > 0.0)
        s.pressed_steps[...] = np.where(presses, s.pressed_steps + 1, 0)
        s.clamped[...] = s.pressed_steps >= PRESSURE_STEPS
        s.misclamped |= s.clamped & ~s.located
        height = s.part_position[:, 2] - (TABLE_TOP + TRAY_FLOOR)
        in_tray = ~s.lifted & (height < LIFTED)
        s.seen[...] = np.where(in_tray[:, None], s.grasp_point, s.seen)
        s.seen_yaw[...] = np.where(in_tray, s.part_yaw, s.seen_yaw)
        s.lifted |= height > LIFTED
        away = length(s.grasp_point - self._tip_position) > OUT_OF_HAND
        s.released |= s.lifted & ~s.clamped & ((s.grip_width > s.part_length + LET_GO) | away)
        s.interlocked |= s.inside & (~s.door_open | (s.door_told < 0.0))
        loaded = s.clamped & s.located
        s.clamped_s[...] = np.where(loaded, np.where(np.isnan(s.clamped_s), s.time_s, s.clamped_s), np.nan)
        done = self.succeeded(s)
        s.entered_s[...] = np.where(done, np.where(np.isnan(s.entered_s), s.time_s, s.entered_s), np.nan)

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """Clamped in place, robot out, door shut, and never pressed too hard."""
        shut = (s.door < DOOR_SWITCH[0]) & (s.door_told < 0.0)
        done: NDArray[np.bool_] = s.clamped & s.located & ~s.inside & shut & ~self.over_force(s)
        return done

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Too much force, collisions, and violated interlocks."""
        return {
            "over_force": self.over_force(s),
            "collision": s.collided.copy(),
            "interlock": s.interlocked.copy(),
            "misclamped": s.misclamped.copy(),
            "released": s.released.copy(),
        }

    def violations(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Nine tenths of the allowed force, and the interlocks."""
        return {
            "force": s.tcp_force_peak > 0.9 * s.force_threshold,
            "interlock": s.interlocked.copy(),
            "misclamped": s.misclamped.copy(),
            "released": s.released.copy(),
        }

    # -- observations, rewards, metrics -----------------------------------------------------------------------

    def observe_tip_position(self, s: Rows) -> Array:
        """Tip from the taught grasp."""
        return self._tip_position - s.taught - np.array([0.0, 0.0, GRIP_HEIGHT])

    observe_tip_position_fine = observe_tip_position

    def observe_tip_yaw(self, s: Rows) -> Array:
        """Gripper from the taught direction."""
        return wrap_angle(s.tip_yaw - s.taught_yaw)[:, None]

    def observe_part_offset(self, s: Rows) -> Array:
        """Blank, where it has been seen, from the tip."""
        offset: Array = s.seen - self._tip_position
        return offset

    observe_part_offset_fine = observe_part_offset

    def observe_part_yaw(self, s: Rows) -> Array:
        """Blank, as it has been seen, from the gripper."""
        return wrap_angle(s.seen_yaw - s.tip_yaw)[:, None]

    def reward_approach(self, s: Rows) -> Array:
        """Tip from the blank, or what it has left to go out of the machine."""
        out = np.maximum(self._tip_position[:, 0] - (self.station[0] + DOOR_X - CURTAIN), 0.0)
        return np.tanh(np.where(s.clamped, out, length(s.grasp_point - self._tip_position)) / 0.1)

    def reward_carry(self, s: Rows) -> Array:
        """Share of the way."""
        return np.minimum(s.position_error / s.start_distance, 1.0)

    def reward_misplaced(self, s: Rows) -> Array:
        """Fine distance."""
        return np.tanh(s.position_error / 5.0)

    def reward_turned(self, s: Rows) -> Array:
        """Fine angle."""
        return np.tanh(s.angle_error / 5.0)

    def reward_loose(self, s: Rows) -> Array:
        """Not clamped."""
        return 1.0 - s.clamped

    def reward_waiting(self, s: Rows) -> Array:
        """Not clamped, or the door not yet shut."""
        share = np.minimum(np.maximum(s.door / DOOR_STROKE, 0.0), 1.0)
        return np.where(s.clamped, share, 1.0)

    def metric_cycle_time(self, s: Rows) -> Array:
        """Time of the door's shutting."""
        time: Array = s.entered_s
        return time

    def metric_load_time(self, s: Rows) -> Array:
        """Time of clamping."""
        time: Array = s.clamped_s
        return time

    def overlay(self, s: Rows, row: int) -> Overlay:
        """The taught seat."""
        quaternion = quat_from_axis_angle(Z, s.taught_yaw[row : row + 1])[0]
        axes = np.stack([rotate(quaternion, e) for e in np.eye(3)], axis=1)
        return Overlay(frames=[(s.taught[row].copy(), axes, 0.03)])
