"""ArmConveyorPick: pick parts from a moving belt with a vacuum cup and put them into a tray."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.cells.conveyor_cell import (
    BELT_TOP,
    BELT_X,
    CAMERAS,
    CUP_DIAMETER,
    PART,
    PARTS,
    TIMESTEP,
    VACUUM_KPA,
    conveyor_cell,
    pockets,
)
from ...assets.cells.work_cell import TABLE_TOP
from ...assets.tools.vacuum_gripper import rated_force
from ...frames import quat_from_axis_angle, rotate
from ..control import ActionTerm
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Timing, with_failure
from ..sensing import Rgbd
from .cell_cameras import CAMERAS as RGBD_CAMERAS
from .contact_record import METRICS, length
from .conveyor_expert import ConveyorExpert
from .conveyor_terms import channels, start_terms
from .handling import Handling

# m beside in x and y, rad about the vertical, m over the pocket's floor: what ribs and floor leave of room
PLACE_TOLERANCE = (0.0045, np.deg2rad(9.0), 0.0015)
UPRIGHT = np.cos(np.deg2rad(5.0))
SEAL = (0.0015, 0.5 * (PART[0] - CUP_DIAMETER))  # m, lip over the part's face, and beside its middle
OUT_OF_REACH = 0.24  # m, along the belt from the station
FALLEN = 0.012  # m, under the belt
HISTORY = 8  # control steps that pictures are kept for: older ones are not asked for by any station
Z = np.array([0.0, 0.0, 1.0])


class ArmConveyorPick(Handling):
    """An arm with a vacuum cup picks covers off a moving belt and puts them into the pockets of a tray.

    Three parts come along, two to three seconds apart, anyhow across the belt and turned. A camera upstream says where
    each is; its findings are 40 to 120 ms old, as a time stamp tells, and the belt has an encoder. The cup has to move
    with the part while its bellows give way and the vacuum builds up. A part that leaves the arm's reach is missed, one
    that falls beside belt and tray is dropped, and a contact force above what the order allows spoils it; each ends the
    episode. The belt is modelled by the velocity of its surface, so that friction carries the parts.

    Args:
        robot: an arm of `shopfloor.assets.robots.arm`, such as "ur10e", "m10id12", "fr3", "iiwa14" or "scara"; the belt
            is slower before an arm with slow joints.
    """

    title: ClassVar[str] = "arm picks parts from a moving belt with a vacuum cup into a tray"
    timing = Timing(control_hz=25.0, timestep_s=TIMESTEP, horizon_s=12.0)
    main_metric = "parts_per_minute"
    success_hold_s = 0.2
    success_text = (
        f"all {PARTS} parts flat in their pockets and let go, for {success_hold_s:g} s, and no contact force above the "
        "allowed one before"
    )
    failure_texts = {
        "over_force": "the contact force exceeds what the order allows",
        "missed": f"a part on the belt is {1e3 * OUT_OF_REACH:g} mm past the robot",
        "dropped": "a part falls beside belt and tray, or tips over",
    }
    cameras = CAMERAS
    rgbd = Rgbd(RGBD_CAMERAS, ("part_offset", "part_offset_fine", "part_yaw", "camera_latency", "hang"))
    picture_steps = 112
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    randomization: str | None = "arm_conveyor_pick"
    references: ClassVar[tuple[str, ...]] = (
        "Mattone, Divona, Wolf: Sorting of items on a moving conveyor belt, part 2: performance evaluation and "
        "optimization of pick-and-place operations, Robotics and Computer-Integrated Manufacturing 16, 2000",
        "ISO 9283: manipulating industrial robots, performance criteria; pose and path accuracy",
    )
    metrics = {
        "parts_per_minute": Metric(
            "1/min", "higher", "parts in the tray by the time until the last of them; NaN if none"
        ),
        "cycle_time": Metric("s", "lower", "time until all parts are in the tray; NaN if never"),
        "misses": Metric("1", "lower", "parts that are not in the tray at the end"),
        "place_error": Metric("mm", "lower", "distance of parts in the tray from the middles of their pockets, mean"),
        **METRICS,
    }
    tool = ActionTerm("vacuum", "1", 0.0, 1.0, "", "opening of the vacuum's valve")
    speed = (0.4, 2.5, 50.0)
    turn = (2.0, 16.0, 320.0)
    damping = 1800.0
    force_limit = (10.0, 1000.0)
    reach = (0.14, 0.24)
    heights = (0.050, 0.185)
    suction = "suction"
    fixed = {"force_limit": 1000.0}

    def __init__(self, robot: str = "ur10e"):
        super().__init__(robot)
        self.channels = channels()
        self.start = start_terms(self.pace**0.5)
        self.rewards = self._rewards()
        self._pockets = np.array(pockets(self.station))
        x, y = self.station
        self._belt = np.array([x + BELT_X, y, TABLE_TOP + BELT_TOP])

    def _rewards(self) -> dict[str, Reward]:
        rewards = {
            "approach": Reward(-0.02, "tanh(tip from the next part / 0.1 m) while no part is held"),
            "carry": Reward(-0.02, "tanh(held part from its pocket / 0.1 m), 1 while none is held"),
            "left": Reward(-0.02, "share of the parts that are not yet in the tray"),
            "force": Reward(-0.01, "square of contact force / allowed force"),
            "motion": Reward(-0.005, "mean square of the increments, each relative to its range"),
            "placed": Reward(3.0, "1 at the step in which a part is found in the tray"),
            "success": Reward(10.0, "1 at the step in which success is reached"),
        }
        return with_failure(rewards, self.timing.max_steps)

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """The conveyor cell."""
        return conveyor_cell(self.robot, timestep=self.timing.timestep_s, visual=visual)

    def expert(self) -> ConveyorExpert:
        """Track, pick in motion, set down."""
        return ConveyorExpert(self.make_action().terms)

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Row arrays of parts, pictures and vacuum."""
        super().allocate(s)
        sim = s.sim
        joints = [f"part_{k}_free" for k in range(PARTS)]
        self._part_qpos, self._part_qvel = sim.qpos_index(joints), sim.qvel_index(joints)
        self._part_geoms = sim.ids("geom", [f"part_{k}" for k in range(PARTS)])
        self._belt_geom, self._valve = sim.id("geom", "belt"), sim.id("actuator", "vacuum")
        self._lip = sim.output("site_xpos", "site", "tcp")
        self._suction, self._rated = sim.sensor("suction"), rated_force(CUP_DIAMETER, VACUUM_KPA)
        for field in ("geom_surfacevel", "geom_friction"):
            sim.field(field)
        for name, shape in (
            ("belt_speed", ()), ("friction", ()), ("camera_latency", ()), ("part", (PARTS, 3)), ("yaw", (PARTS,)),
            ("up", (PARTS,)), ("pictures", (HISTORY, PARTS, 4)), ("tips", (HISTORY, 3)), ("vacuum", ()),
            ("new_placed", ()), ("last_placed_s", ()), ("target", (3,)), ("pocket", (3,)), ("part_speed", (3,)),
            ("tip_yaw", ()), ("entered_s", ()),
        ):  # fmt: skip
            s.new(name, shape)
        s.new("next", dtype=np.int64)
        s.new("latency_steps", dtype=np.int64)
        for name in ("in_tray", "found"):
            s.new(name, (PARTS,), dtype=bool)
        s.new("sealed", dtype=bool)

    def lay_out(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> Array:
        """Parts on the running belt."""
        sim = s.sim
        s.belt_speed[rows] = speed = params["belt_speed"]
        sim.field("geom_surfacevel")[rows, self._belt_geom, 1] = speed
        s.friction[rows] = params["friction"]
        sim.field("geom_friction")[rows[:, None], self._part_geoms, 0] = params["friction"][:, None]
        steps = np.rint(params["camera_latency"] * self.timing.control_hz)
        s.latency_steps[rows] = np.minimum(steps, HISTORY - 1).astype(np.int64)
        s.camera_latency[rows] = s.latency_steps[rows] * self.timing.control_dt
        along = 1e-3 * params["first_place"]
        for k in range(PARTS):
            at, dof = self._part_qpos[k], self._part_qvel[k]
            if k > 0:
                along = along - speed * params["interval"][:, k - 1]
            sim.qpos[rows, at] = self._belt[0] + 1e-3 * params["part_place"][:, k]
            sim.qpos[rows, at + 1] = self._belt[1] + along
            sim.qpos[rows, at + 2] = self._belt[2]
            sim.qpos[rows, at + 3 : at + 7] = quat_from_axis_angle(Z, np.deg2rad(params["part_turn"][:, k]))
            sim.qvel[rows, dof + 1] = speed
        start = np.empty((rows.size, 3))
        start[:] = self._belt + np.array([0.0, -0.08, PART[2] + 0.035])
        return start + 1e-3 * params["start_offset"]

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """No part is in the tray, and all pictures show the start."""
        super().commence(s, rows)
        s.found[rows] = False
        s.next[rows] = 0
        s.new_placed[rows] = 0.0
        s.vacuum[rows] = 0.0
        s.last_placed_s[rows] = np.nan
        s.entered_s[rows] = np.nan
        s.pictures[rows] = self._picture(s)[rows, None]
        s.tips[rows] = self._tip_position[rows, None]
        self._aim(s)

    def measure(self, s: Rows) -> None:
        """Where the parts are, and what the cup holds."""
        super().measure(s)
        qpos = s.sim.qpos
        for k, at in enumerate(self._part_qpos.tolist()):
            s.part[:, k] = qpos[:, at : at + 3]
            w, x, y, z = (qpos[:, at + 3 + i] for i in range(4))
            s.yaw[:, k] = np.arctan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
            s.up[:, k] = 1.0 - 2.0 * (x * x + y * y)
        s.tip_yaw[...] = s.tip_turn[:, 2]
        gap = self._lip[:, None, :] - s.part
        gap[:, :, 2] -= PART[2]
        beside = np.sqrt(gap[:, :, 0] ** 2 + gap[:, :, 1] ** 2)
        s.sealed[...] = ((np.abs(gap[:, :, 2]) < SEAL[0]) & (beside < SEAL[1])).any(axis=1)
        off = np.abs(s.part - self._pockets)
        inside = (off[:, :, :2] < PLACE_TOLERANCE[0]).all(axis=2) & (off[:, :, 2] < PLACE_TOLERANCE[2])
        s.in_tray[...] = inside & (s.up > UPRIGHT) & (np.abs(s.yaw) < PLACE_TOLERANCE[1])
        self._aim(s)

    def _aim(self, s: Rows) -> None:
        """The next part's upper face and speed, and where the tip sets it down."""
        which = np.minimum(s.next, PARTS - 1)
        row = np.arange(s.n)
        s.target[...] = s.part[row, which]
        s.target[:, 2] += PART[2]
        s.pocket[...] = self._pockets[which]
        s.pocket[:, 2] += PART[2]
        dof = self._part_qvel[which]
        for i in range(3):
            s.part_speed[:, i] = s.sim.qvel[row, dof + i]

    def _picture(self, s: Rows) -> Array:
        """What a picture shows now: (n, PARTS, 4), positions and yaw."""
        return np.concatenate((s.part, s.yaw[:, :, None]), axis=2)

    def accumulate(self, s: Rows) -> None:
        """A new picture, and parts that have come into the tray."""
        super().accumulate(s)
        # forces are computed while stepping, and no saved state holds them: what acts is read once and kept
        s.vacuum[...] = np.where(s.sealed, np.minimum(np.abs(self._suction[:, 0]) / self._rated, 1.0), 0.0)
        s.pictures[:, 1:] = s.pictures[:, :-1].copy()
        s.pictures[:, 0] = self._picture(s)
        s.tips[:, 1:] = s.tips[:, :-1].copy()
        s.tips[:, 0] = self._tip_position
        before = s.next.copy()
        which = np.minimum(s.next, PARTS - 1)
        row = np.arange(s.n)
        placed = s.in_tray[row, which] & (s.vacuum < 0.1) & (s.next < PARTS)
        s.found[row, which] |= placed
        s.next += placed
        s.new_placed[...] = s.next - before
        s.last_placed_s[...] = np.where(placed, s.time_s, s.last_placed_s)
        self._aim(s)
        done = self.succeeded(s)
        s.entered_s[...] = np.where(done, np.where(np.isnan(s.entered_s), s.time_s, s.entered_s), np.nan)

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """All parts in the tray, and never pressed too hard."""
        done: NDArray[np.bool_] = s.found.all(axis=1) & s.in_tray.all(axis=1) & ~self.over_force(s)
        return done

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Too much force, misses and drops."""
        off = s.part - self._belt
        on_belt = (np.abs(off[:, :, 2]) < 0.004) & (np.abs(off[:, :, 0]) < 0.06)
        missed = (on_belt & (off[:, :, 1] > OUT_OF_REACH)).any(axis=1)
        home = s.part - self._pockets.mean(axis=0)
        over_tray = (np.abs(home[:, :, 0]) < 0.05) & (np.abs(home[:, :, 1]) < 0.12)
        dropped = (((off[:, :, 2] < -FALLEN) & ~over_tray) | (s.up < 0.7)).any(axis=1)
        return {"over_force": self.over_force(s), "missed": missed, "dropped": dropped}

    def violations(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Nine tenths of the allowed force."""
        return {"force": s.tcp_force_peak > 0.9 * s.force_threshold}

    # -- observations, rewards, metrics -----------------------------------------------------------------------

    def observe_tip_position(self, s: Rows) -> Array:
        """Tip from the belt before the robot."""
        return self._tip_position - self._belt

    def observe_part_offset(self, s: Rows) -> Array:
        """Upper face of the next part in the picture that has been evaluated, minus the tip."""
        seen = self._seen(s)[:, :3] - self._tip_position
        seen[:, 2] += PART[2]
        return seen

    observe_part_offset_fine = observe_part_offset

    def observe_part_yaw(self, s: Rows) -> Array:
        """Its turn there."""
        return self._seen(s)[:, 3:]

    def observe_hang(self, s: Rows) -> Array:
        """Held part beside the tip, both in that picture."""
        beside = self._seen(s)[:, :2] - s.tips[np.arange(s.n), s.latency_steps, :2]
        return np.where((s.vacuum > 0.5)[:, None], beside, 0.0)

    def _seen(self, s: Rows) -> Array:
        """(n, 4) position and yaw of the next part in that picture."""
        seen: Array = s.pictures[np.arange(s.n), s.latency_steps, np.minimum(s.next, PARTS - 1)]
        return seen

    def observe_pocket_offset(self, s: Rows) -> Array:
        """Pocket from the tip."""
        offset: Array = s.pocket - self._tip_position
        return offset

    observe_pocket_offset_fine = observe_pocket_offset

    def observe_parts_left(self, s: Rows) -> Array:
        """Parts that are not yet in the tray."""
        return (PARTS - s.next).astype(np.float64)[:, None]

    def observe_part_to_pocket(self, s: Rows) -> Array:
        """Part from its pocket."""
        offset: Array = s.target - s.pocket
        return offset

    def reward_approach(self, s: Rows) -> Array:
        """Tip from the part."""
        away = np.tanh(length(s.target - self._tip_position) / 0.1)
        return np.where((s.vacuum > 0.5) | (s.next >= PARTS), 0.0, away)

    def reward_carry(self, s: Rows) -> Array:
        """Part from its pocket."""
        away = np.where(s.vacuum > 0.5, np.tanh(length(s.target - s.pocket) / 0.1), 1.0)
        return np.where(s.next >= PARTS, 0.0, away)

    def reward_left(self, s: Rows) -> Array:
        """Share of parts left."""
        left: Array = (PARTS - s.next) / PARTS
        return left

    def reward_placed(self, s: Rows) -> Array:
        """A part has come into the tray."""
        placed: Array = s.new_placed
        return placed

    def metric_parts_per_minute(self, s: Rows) -> Array:
        """Rate until the last part."""
        return 60.0 * s.next / s.last_placed_s

    def metric_cycle_time(self, s: Rows) -> Array:
        """Time of the last part."""
        time: Array = s.entered_s
        return time

    def metric_misses(self, s: Rows) -> Array:
        """Parts outside the tray."""
        return PARTS - np.count_nonzero(s.in_tray, axis=1).astype(np.float64)

    def metric_place_error(self, s: Rows) -> Array:
        """Mean distance from the pockets' middles."""
        off = s.part - self._pockets
        distance = np.where(s.in_tray, np.sqrt(off[:, :, 0] ** 2 + off[:, :, 1] ** 2), 0.0)
        total = distance[:, 0] + distance[:, 1] + distance[:, 2]
        count = np.count_nonzero(s.in_tray, axis=1)
        return np.where(count > 0, 1e3 * total / np.maximum(count, 1), np.nan)

    def overlay(self, s: Rows, row: int) -> Overlay:
        """Where the camera has seen the next part, and its pocket."""
        seen = self._seen(s)[row]
        quaternion = quat_from_axis_angle(Z, seen[3:4])[0]
        axes = np.stack([rotate(quaternion, e) for e in np.eye(3)], axis=1)
        place = seen[:3] + np.array([0.0, 0.0, PART[2]])
        return Overlay(frames=[(place, axes, 0.03), (s.pocket[row].copy(), np.eye(3), 0.03)])
