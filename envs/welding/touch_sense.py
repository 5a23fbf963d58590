"""WeldTouchSense: find out where a joint lies, by touching its plates with the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.cells.weld_cell import CAMERAS, TABLE_TOP, WELDERS, weld_cell
from ...assets.fixtures.wire_cutter import add_wire_cutter
from ...assets.robots.arm import arm
from ...errors import ShopfloorError
from ..control.chain import SerialChain
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Task, Timing, column
from . import touch_fit as fit
from .touch_expert import TouchExpert
from .touch_joint import JOINTS, LENGTH, TouchedPart, to_world
from .touch_motion import CUTTER, CUTTING, READY, TouchMotion, start_angles
from .touch_terms import BEND_MM, CHANNELS, ENDS, PRIOR, PRIOR_FRESH, START
from .touch_wire import CUT_BEND, CUT_STICKOUT, STICKOUT

TOLERANCE_MM, ALONG_TOLERANCE_MM = 0.5, 1.5
GOAL_MM = 0.3  # doubt (two standard deviations) at which more touching counts as no more progress


class WeldTouchSense(Task):
    """A robot finds a joint that was laid by hand, by touching its plates with the welding wire, within seconds.

    The part lies up to 15 mm beside the drawing and turned by up to 3 degrees. The wire carries a low voltage, which
    breaks down where it touches. A search has a place, a direction, a speed and a stop distance; it tells one number,
    and the controller's own least squares of joint and wire runs along. What it does not do is to decide: what to
    touch next, where, how fast, how far to search, and when it is enough (see `TouchMotion`).

    Every touch has its price and its errors. The position is latched some milliseconds after the contact: at speed, the
    scatter of that is distance. The robot overtravels by what its servos lag, and a wire that is pushed sideways beyond
    its elastic limit stays bent, so that all later touches are off. A wire that has welded is too long or too short
    and bent anyway; the cutter trims it, on the other side of the table. Mill scale lets the wire press in before its
    circuit closes, the more the lower the threshold; a high threshold trips over noise. Spatter on a plate is touched
    as if it were the plate. A search that starts too near begins inside the part, one that stops too early finds
    nothing, and one that starts far away takes long.

    The joint is judged at both ends of the seam as a line for the nominal TCP: what a bent wire has found is wrong for
    the straight one that is fed while welding.

    Args:
        joint: "fillet" (a web on a plate), "lap" (a sheet on a sheet) or "corner" (outside corner, touched on its outer
            faces).
        robot: a robot of the welding cell.
    """

    title: ClassVar[str] = "robot finds a misplaced joint by touching its plates with the wire"
    # a search takes one to three seconds, and a decision is read where one is over
    timing = Timing(control_hz=2.5, timestep_s=0.005, horizon_s=40.0)
    main_metric = "search_time"
    success_text = (
        f"a joint is declared whose root is within {TOLERANCE_MM:g} mm across and up at both ends of the seam, and "
        f"whose start is within {ALONG_TOLERANCE_MM:g} mm along it"
    )
    failure_texts = {
        "collision": "torch or arm touched something",
        "mislocated": "the declared joint is off by more than the tolerance",
    }
    channels = CHANNELS
    start = START
    cameras = ("work", *(name for name in CAMERAS if name != "work"))
    picture_steps = 29
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    randomization: str | None = "weld_touch_sense"
    references: ClassVar[tuple[str, ...]] = (
        "Lincoln Electric: touch sensing schedules of arc-welding robots (search speed 50 mm/s, distance 100 mm)",
        "Hyundai Robotics Hi5a controller manual: touch sensing (fillet, groove, wall and end searches)",
        "Plackett: Some theorems in least squares, Biometrika 37, 1950 (one observation after the other)",
        "Timoshenko: Strength of Materials (elastic limit of a cantilever, by which the wire stays straight)",
    )
    # A failure costs more than all the time that an episode can take: to try is never worse than to fail at once.
    rewards = {
        "time": Reward(-6.0, "control period over the time limit; 1 in all"),
        "progress": Reward(3.0, "doubt of start, across and up that a touch takes away, on a logarithmic scale"),
        "accuracy": Reward(1.0, "at the declaration: 1 / (1 + (largest error / tolerance)^2)"),
        "failure": Reward(-7.0, "1 at the step of a collision or of a joint that is off"),
        "success": Reward(3.0, "1 at the step in which success is reached"),
    }
    metrics = {
        "search_time": Metric("s", "lower", "start until the joint is declared; NaN if it never was"),
        "error_along": Metric("mm", "lower", "declared start off the seam's, along it; NaN before"),
        "error_across": Metric("mm", "lower", "declared root off the true one at its worse end, across; NaN before"),
        "error_up": Metric("mm", "lower", "the same upward; NaN before"),
        "touches_taken": Metric("1", "lower", "touches on which the fit rests"),
        "missed": Metric("1", "lower", "searches that found nothing"),
        "cuts": Metric("1", "lower", "cuts of the wire"),
        "wire_bent": Metric("mm", "lower", "permanent bend that searches have added"),
    }

    def __init__(self, joint: str = "fillet", robot: str = "ar1440"):
        for name, value, known in (("joint", joint, tuple(JOINTS)), ("robot", robot, tuple(WELDERS))):
            if value not in known:
                raise ShopfloorError(f"{name} must be one of {', '.join(known)}, got {value!r}")
        self.joint, self.robot = JOINTS[joint](), robot

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """Welding cell with the part and a wire cutter on its table."""
        spec = weld_cell(
            robot=self.robot, weldment=self.joint.part, ctwd=STICKOUT, stickout=STICKOUT, visual=visual
        )  # fmt: skip
        spec.option.timestep = self.timing.timestep_s
        add_wire_cutter(spec, spec.worldbody, pos=(float(CUTTER[0]), float(CUTTER[1]), TABLE_TOP), visual=visual)
        return spec

    def make_action(self) -> TouchMotion:
        """What to touch, how, and when it is enough."""
        return TouchMotion(arm(self.robot), self.joint)

    def expert(self) -> TouchExpert:
        """The schedule of a robot programmer."""
        return TouchExpert()

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Resolve names and register the rows' arrays."""
        robot = arm(self.robot)
        self._part = TouchedPart(s, self.joint)
        self._qpos, self._ctrl = s.sim.qpos_index(robot.joints), s.sim.ids("actuator", robot.joints)
        self._angles = start_angles(SerialChain(s.sim.model, robot.joints, "tcp"), robot, self.joint)
        self._contacts = s.sim.output("ncon")
        for name, shape in (
            ("latency", ()), ("touch_noise", ()), ("voltage_noise", ()), ("scale_share", ()), ("spatter_share", ()),
            ("ends_error", (2, 2)), ("error_mm", (3,)), ("doubt_mm", (3,)), ("best", ()), ("progress_step", ()),
            ("search_time", ()),
        ):  # fmt: skip
            s.new(name, shape)
        s.new("touched", dtype=bool)

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Part, wire and circuit of this episode; a fit that knows the drawing; the torch above the seam."""
        shift = 1e-3 * np.column_stack((params["part_shift"], params["part_height"]))
        turn = np.radians(np.column_stack([params[f"part_{name}"] for name in ("yaw", "slope", "roll")]))
        self._part.lay(rows, shift, turn, 1e-3 * params["tack_place"])
        fresh = params["fresh_wire"] > 0.5
        used = 1e-3 * np.column_stack((params["stickout_error"], params["wire_bend"]))
        # a fresh wire is off by as much less as cutting scatters less than welding
        cut = np.array([CUT_STICKOUT, CUT_BEND, CUT_BEND]) / PRIOR[fit.STICKOUT :]
        wire = used * np.where(fresh[:, None], cut, 1.0)
        s.stickout[rows], s.bend[rows] = wire[:, 0], wire[:, 1:]
        s.latency[rows], s.touch_noise[rows] = 1e-3 * params["latency_error"], 1e-3 * params["touch_noise"]
        for name in ("voltage_noise", "scale_share", "spatter_share"):
            getattr(s, name)[rows] = np.maximum(params[name], 0.0)
        prior = np.where(fresh[:, None], PRIOR_FRESH, PRIOR)
        s.fit_mean[rows] = 0.0
        s.fit_cov[rows] = (prior * prior)[:, :, None] * np.eye(fit.SIZE)
        s.sim.qpos[np.ix_(rows, self._qpos)] = self._angles
        s.sim.ctrl[np.ix_(rows, self._ctrl)] = self._angles

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """Zero what adds up."""
        s.progress_step[rows] = 0.0
        s.search_time[rows] = np.nan
        self._weigh(s)
        s.best[rows] = _progress(s.doubt_mm[rows])

    def measure(self, s: Rows) -> None:
        """Whether anything but the wire touches."""
        np.greater(self._contacts, 0, out=s.touched)

    def accumulate(self, s: Rows) -> None:
        """Errors and doubt of the fit."""
        self._weigh(s)
        progress = _progress(s.doubt_mm)
        s.progress_step[...] = np.maximum(progress - s.best, 0.0)
        np.maximum(s.best, progress, out=s.best)
        s.search_time[...] = np.where(s.declared, np.fmin(s.search_time, s.time_s), np.nan)

    def _weigh(self, s: Rows) -> None:
        """Errors of the fit against the truth, and what the fit itself says of them."""
        mean, ends = s.fit_mean, s.true_root_ends
        s.error_mm[:, 0] = 1e3 * np.abs(mean[:, fit.ALONG] - s.true_root[:, fit.ALONG])
        for axis, place, turn in ((1, fit.ACROSS, fit.YAW), (2, fit.UP, fit.SLOPE)):
            off = mean[:, place, None] + mean[:, turn, None] * ends[:, :, 0] - ends[:, :, axis]
            s.error_mm[:, axis] = 1e3 * np.maximum(np.abs(off[:, 0]), np.abs(off[:, 1]))
        s.doubt_mm[...] = 1e3 * fit.doubt(s.fit_cov, ENDS)

    # -- ends -------------------------------------------------------------------------------------------------

    def _share(self, s: Rows) -> Array:
        """Largest error (n,) over its tolerance."""
        section = np.maximum(s.error_mm[:, 1], s.error_mm[:, 2]) / TOLERANCE_MM
        return np.maximum(section, s.error_mm[:, 0] / ALONG_TOLERANCE_MM)

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """Declared, and close enough."""
        out: NDArray[np.bool_] = s.declared & (self._share(s) <= 1.0) & ~s.touched
        return out

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """A crash, or a joint that is off."""
        return {"collision": s.touched.copy(), "mislocated": s.declared & (self._share(s) > 1.0) & ~s.touched}

    def violations(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """A wire that is bent by more than welding leaves."""
        bend = s.bend[:, 0] ** 2 + s.bend[:, 1] ** 2
        return {"wire_bend": bend > (1e-3 * BEND_MM) ** 2}

    # -- observations, rewards, metrics -----------------------------------------------------------------------

    def observe_ready(self, s: Rows) -> Array:
        """Whether a decision is due."""
        return column(s.phase == READY)

    def observe_probing(self, s: Rows) -> Array:
        """Kind of the cycle under way."""
        busy = (s.phase != READY)[:, None]
        return (busy & (s.kind[:, None] == np.arange(CUTTING + 1))).astype(np.float64)

    def observe_joint_estimate(self, s: Rows) -> Array:
        """The fit."""
        return _in_mm(s.fit_mean[:, : fit.STICKOUT])

    def observe_uncertainty(self, s: Rows) -> Array:
        """Standard deviations of the fit."""
        spread = np.stack([np.sqrt(np.maximum(s.fit_cov[:, k, k], 1e-18)) for k in range(fit.SIZE)], axis=-1)
        return np.log10(_in_mm(spread))

    def observe_doubt(self, s: Rows) -> Array:
        """Doubt of what success asks."""
        return np.log10(np.maximum(s.doubt_mm, 1e-3))

    def observe_elapsed(self, s: Rows) -> Array:
        """The clock."""
        return column(s.time_s)

    def observe_true_joint(self, s: Rows) -> Array:
        """The truth."""
        return _in_mm(s.true_root)

    def observe_wire_error(self, s: Rows) -> Array:
        """Stick-out and bend."""
        return 1e3 * np.column_stack((s.stickout, s.bend))

    def observe_latency_error(self, s: Rows) -> Array:
        """In ms."""
        return column(1e3 * s.latency)

    def reward_time(self, s: Rows) -> Array:
        """Every step costs."""
        return np.full(s.n, self.timing.control_dt / self.timing.horizon_s)

    def reward_progress(self, s: Rows) -> Array:
        """What this step has found out."""
        step: Array = s.progress_step
        return step

    def reward_accuracy(self, s: Rows) -> Array:
        """How close, once."""
        share = self._share(s)
        return np.where(s.declared & ~s.touched, 1.0 / (1.0 + share * share), 0.0)

    def _declared(self, s: Rows, column: int) -> Array:
        return np.where(s.declared, s.error_mm[:, column], np.nan)

    def metric_error_along(self, s: Rows) -> Array:
        """Of the start."""
        return self._declared(s, 0)

    def metric_error_across(self, s: Rows) -> Array:
        """Of the root."""
        return self._declared(s, 1)

    def metric_error_up(self, s: Rows) -> Array:
        """Of the root."""
        return self._declared(s, 2)

    def metric_touches_taken(self, s: Rows) -> Array:
        """So far."""
        count: Array = s.touches[:, 0] + s.touches[:, 1] + s.touches[:, 2]
        return count

    def metric_wire_bent(self, s: Rows) -> Array:
        """So far."""
        return 1e3 * s.bent

    def overlay(self, s: Rows, row: int) -> Overlay:
        """The joint as the drawing has it, and as the fit has it."""
        amber, cyan = (1.0, 0.55, 0.1, 1.0), (0.1, 0.8, 1.0, 1.0)
        stations = np.array(ENDS)
        drawing = to_world(self.joint, np.stack((stations, 0.0 * stations, 0.0 * stations), axis=1))
        mean = s.fit_mean[row]
        at = stations + mean[fit.ALONG]
        found = np.stack(
            (at, mean[fit.ACROSS] + mean[fit.YAW] * at, mean[fit.UP] + mean[fit.SLOPE] * at), axis=1
        )  # fmt: skip
        found = to_world(self.joint, found)
        return Overlay(
            points=[(point, 0.0025, amber) for point in drawing] + [(point, 0.003, cyan) for point in found],
            traces=[(drawing, 0.0007, amber), (found, 0.0010, cyan)],
        )


def _progress(doubt_mm: Array) -> Array:
    """Share (k,) of the way from the prior's doubt to the goal, on a logarithmic scale, averaged over the three."""
    prior = (PRIOR * PRIOR)[None, :, None] * np.eye(fit.SIZE)
    start = 1e3 * fit.doubt(prior, ENDS)
    share = np.log(start / np.maximum(doubt_mm, GOAL_MM)) / np.log(start / GOAL_MM)
    share = np.minimum(np.maximum(share, 0.0), 1.0)
    mean: Array = (share[:, 0] + share[:, 1] + share[:, 2]) / 3.0
    return mean


def _in_mm(values: Array) -> Array:
    """Lengths in m and slopes (n, k) in mm, slopes as what they are worth at the end of the seam."""
    scale = 1e3 * np.array([1.0, 1.0, 1.0, 0.5 * LENGTH, 0.5 * LENGTH, 1.0, 1.0, 1.0])
    scaled: Array = values * scale[: values.shape[1]]
    return scaled
