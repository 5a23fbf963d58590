"""WaferAutoTeach: find out where a station stands, by cutting two beams with its pin and touching its plane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.cells.teach import CAMERAS, STATION, teach
from ...assets.parts import wafer
from ...assets.tools.teach_jig import BEAM_ANGLES, HEAD_OFFSET
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Task, Timing, column
from . import teach_fit as fit
from .teach_edges import RESPONSE_S, Edges
from .teach_expert import TeachExpert
from .teach_geometry import NOMINAL_COMPLIANCE, NOMINAL_STIFFNESS
from .teach_motion import CHUNK, READY, SWEEPS, TOUCHES, TeachMotion
from .teach_plant import TeachPlant
from .teach_terms import CHANNELS, OFFSET_MM, START, TILT_DEG

TOLERANCE_MM = 0.1
BY_HAND_MM = 0.25  # what a technician who teaches by eye achieves
FORCE_LIMIT_N = 1.0
GOAL_MM = 0.05  # doubt (two standard deviations) at which more measuring counts as no more progress

# Prior of the fit, in the order of `teach_fit.NAMES`: the installation's tolerance, and what commissioning leaves open.
PRIOR = np.array([
    *(1e-3 * OFFSET_MM / np.sqrt(3.0) for _ in range(3)), *(np.deg2rad(TILT_DEG) / np.sqrt(3.0) for _ in range(2)),
    40e-6, 0.06 * NOMINAL_COMPLIANCE, 0.06e-3,
])  # fmt: skip


class WaferAutoTeach(Task):
    """A front-end robot with a teaching jig on its paddle finds the pose of a station, to 0.1 mm, within a minute.

    After installation a station stands within 2 mm and 0.3 degrees of the drawing. A technician who moves the arm by
    hand and looks gets to a quarter of a millimetre. Here the jig brings two crossed through-beams, which a pin in the
    middle of the station cuts at four instants of every pass, and a stylus, which touches the station's plane.

    Every measurement has its price. The faster the beams pass, the more the scatter of their sensors' response is worth
    in place; drives have play, which one direction of passing does not tell from the station's place; a touch at speed
    bends the paddle and hits the plane; a low threshold trips over the friction of the drives, a high one bends the
    paddle by more, and its stiffness is known to some percent only; the arm sags by an amount that is known to a
    fraction; and it warms up, so that what was measured first has moved when the pose is declared. A force of more than
    1 N on the station ends the episode.

    The controller's own least-squares fit of pose, play, compliance and sag runs along and tells its covariance. What
    it does not do is to decide: what to probe next, where, how fast, with which force, and when it is enough (see
    `TeachMotion`).

    What the model leaves out: the jig is true, so that its beams and its ball are where the fit takes them to be; of
    the arm's kinematics only play, sag and a steady drift are uncertain; and beams are cut by the pin alone.
    """

    title: ClassVar[str] = "front-end robot teaches itself where a station stands, by beams and by touch"
    # a probe takes about a second, and a decision is read where one is over: at a higher rate most would mean nothing
    timing = Timing(control_hz=2.5, timestep_s=0.002, horizon_s=40.0)
    main_metric = "teach_time"
    success_text = (
        f"a pose is declared whose centre, height and rise at the rim of a wafer are each within {TOLERANCE_MM:g} mm, "
        f"and no force was above {FORCE_LIMIT_N:g} N"
    )
    failure_texts = {
        "hard_contact": f"a force of more than {FORCE_LIMIT_N:g} N between stylus and station",
        "mistaught": f"the declared pose is off by more than {TOLERANCE_MM:g} mm",
    }
    channels = CHANNELS
    start = START
    cameras = CAMERAS
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    randomization: str | None = "wafer_auto_teach"
    references: ClassVar[tuple[str, ...]] = (
        "US patent 11673275 (Yaskawa America, 2023): through-beam auto teaching; the effector's beam senses a pin",
        "US patent 10056282 (2018): robot fork calibration, height and level of a dummy wafer over a station",
        "Plackett: Some theorems in least squares, Biometrika 37, 1950 (one observation after the other)",
        "SEMI M1: silicon wafers of 300 mm",
    )
    # A failure costs more than all the time that an episode can take: to try is never worse than to fail at once.
    rewards = {
        "time": Reward(-6.0, "control period over the time limit; 1 in all"),
        "progress": Reward(
            3.0, "doubt of centre, height and rim that a measurement takes away, on a logarithmic scale"
        ),
        "accuracy": Reward(1.0, "at the declaration: 1 / (1 + (largest error / 0.1 mm)^2)"),
        "failure": Reward(-7.0, "1 at the step of a hard contact or of a pose that is off"),
        "success": Reward(3.0, "1 at the step in which success is reached"),
    }
    metrics = {
        "teach_time": Metric("s", "lower", "start until the pose is declared; NaN if it never was"),
        "error_centre": Metric("mm", "lower", "declared centre off the station's, in the plane; NaN before"),
        "error_height": Metric("mm", "lower", "declared height off the station's; NaN before"),
        "error_rim": Metric(
            "mm", "lower", "declared tilt off the station's, as rise at the rim of a wafer; NaN before"
        ),
        "error_x": Metric("mm", "lower", "declared centre, outward, signed"),
        "error_y": Metric("mm", "lower", "declared centre, to the left, signed"),
        "error_z": Metric("mm", "lower", "declared height, signed"),
        "by_hand": Metric("1", "lower", f"largest of the three errors over the {BY_HAND_MM:g} mm of teaching by eye"),
        "peak_force": Metric("N", "lower", "largest force between stylus and station"),
        "probes": Metric("1", "lower", "sweeps, touches and searches that found nothing"),
        "sweeps": Metric("1", "lower", "passes of the beams over the pin"),
        "touches": Metric("1", "lower", "touches taken"),
    }

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """A robot with a teaching jig and a station."""
        return teach(timestep=self.timing.timestep_s, visual=visual)

    def make_action(self) -> TeachMotion:
        """What to probe, how, and when it is enough."""
        return TeachMotion()

    def expert(self) -> TeachExpert:
        """The recipe of an equipment engineer."""
        return TeachExpert()

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Resolve names and register the rows' arrays."""
        self._plant = TeachPlant(s.sim)
        for name, shape in (
            ("pin_foot", (3,)), ("pin_axis", (3,)), ("slope", (2,)), ("station_height", ()), ("sag_full", ()),
            ("sag_stiffness", ()), ("jitter_us", ()),
            ("edge_noise_um", ()), ("touch_noise_um", ()), ("edge_delay", (2,)), ("play", ()), ("force_noise", ()),
            ("force_gain", ()), ("drift", (2,)), ("fit_mean", (fit.SIZE,)), ("fit_cov", (fit.SIZE, fit.SIZE)),
            ("edge_innovation", ()), ("touch_innovation", ()), ("error", (5,)), ("error_mm", (3,)),
            ("doubt_mm", (3,)), ("best", ()), ("progress_step", ()), ("peak_force", ()), ("teach_time", ()),
        ):  # fmt: skip
            s.new(name, shape)
        self._edges = Edges()
        self._edges.bind(s, record_times(self.timing))
        self._rows = np.arange(s.n)
        self._views = {k: s.sim.output("site_xpos", "site", k) for k in ("crossing", "stylus")}
        self._turn = s.sim.output("site_xmat", "site", "crossing")

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """Station, arm, sensors and drives of this episode; a fit that knows the drawing."""
        self._plant.write_station(s, rows, params)
        self._plant.write_arm(s, rows, params)
        s.jitter_us[rows] = params["jitter"]
        s.edge_noise_um[rows], s.touch_noise_um[rows] = params["edge_noise"], params["touch_noise"]
        s.edge_delay[rows] = RESPONSE_S + 1e-6 * params["delay_error"]
        s.play[rows] = 0.001 * params["play"]
        s.force_noise[rows], s.force_gain[rows] = params["force_noise"], params["force_gain"]
        s.drift[rows] = 1e-6 * params["drift"]
        s.station_height[rows] = self._plant.taught_height(s, rows)
        self._plant.stand(s, rows)
        s.fit_mean[rows] = 0.0
        s.fit_cov[rows] = np.diag(PRIOR * PRIOR)
        self._edges.reset(s, rows)

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """Zero what adds up."""
        for name in ("edge_innovation", "touch_innovation", "progress_step", "peak_force"):
            getattr(s, name)[rows] = 0.0
        s.teach_time[rows] = np.nan
        self._weigh(s)
        s.best[rows] = _progress(s.doubt_mm[rows])

    def measure(self, s: Rows) -> None:
        """Nothing beyond what `accumulate` needs: edges and forces are about the whole step, not its end."""

    def accumulate(self, s: Rows) -> None:
        """Edges of the step, the errors and the doubt of the fit, forces."""
        self._edges.see(s)
        self._weigh(s)
        progress = _progress(s.doubt_mm)
        s.progress_step[...] = np.maximum(progress - s.best, 0.0)
        np.maximum(s.best, progress, out=s.best)
        np.maximum(s.peak_force, s.contact_force, out=s.peak_force)
        s.teach_time[...] = np.where(s.declared, np.fmin(s.teach_time, s.time_s), np.nan)

    def _weigh(self, s: Rows) -> None:
        """Errors of the fit against the truth, and what the fit itself says of them."""
        mean, cov = s.fit_mean, s.fit_cov
        s.error[...] = mean[:, :5] - self._truth(s)
        squares = s.error * s.error
        s.error_mm[:, 0] = 1e3 * np.sqrt(squares[:, 0] + squares[:, 1])
        s.error_mm[:, 1] = 1e3 * np.abs(s.error[:, 2])
        s.error_mm[:, 2] = 1e3 * wafer.RADIUS * np.sqrt(squares[:, 3] + squares[:, 4])
        spread = [np.maximum(cov[:, k, k], 0.0) for k in range(5)]
        s.doubt_mm[:, 0] = 2e3 * np.sqrt(0.5 * (spread[0] + spread[1]))
        s.doubt_mm[:, 1] = 2e3 * np.sqrt(spread[2])
        s.doubt_mm[:, 2] = 2e3 * wafer.RADIUS * np.sqrt(0.5 * (spread[3] + spread[4]))

    def _truth(self, s: Rows) -> Array:
        """The station (n, 5) in the robot's coordinates of the moment, less the drawing, in the order of the fit."""
        truth = np.zeros((s.n, 5))
        truth[:, :2] = s.pin_foot[:, :2] - np.array(STATION[:2])
        truth[:, 2] = s.station_height - STATION[2]
        truth[:, 3:] = s.slope
        truth[:, 0] += s.drift[:, 0] * s.time_s
        truth[:, 2] += s.drift[:, 1] * s.time_s
        return truth

    # -- ends -------------------------------------------------------------------------------------------------

    def _exact(self, s: Rows) -> NDArray[np.bool_]:
        largest = np.maximum(np.maximum(s.error_mm[:, 0], s.error_mm[:, 1]), s.error_mm[:, 2])
        exact: NDArray[np.bool_] = largest <= TOLERANCE_MM
        return exact

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """Declared, and close enough."""
        return s.declared & self._exact(s) & (s.peak_force <= FORCE_LIMIT_N)

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Pressed too hard, or declared a pose that is off."""
        hard = s.peak_force > FORCE_LIMIT_N
        return {"hard_contact": hard, "mistaught": s.declared & ~self._exact(s) & ~hard}

    def violations(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """A force that is close to the limit."""
        return {"force": s.peak_force > 0.8 * FORCE_LIMIT_N}

    # -- observations, rewards, metrics -----------------------------------------------------------------------

    def observe_ready(self, s: Rows) -> Array:
        """Whether a decision is due."""
        return column(s.phase == READY)

    def observe_probing(self, s: Rows) -> Array:
        """Kind of the probe under way."""
        busy = s.phase != READY
        return np.stack((busy & (s.kind == SWEEPS), busy & (s.kind == TOUCHES)), axis=-1).astype(np.float64)

    def observe_pose_estimate(self, s: Rows) -> Array:
        """The fit."""
        return _in_mm(s.fit_mean[:, :5])

    def observe_uncertainty(self, s: Rows) -> Array:
        """Standard deviations of the fit."""
        spread = np.stack([np.sqrt(np.maximum(s.fit_cov[:, k, k], 1e-18)) for k in range(5)], axis=-1)
        return np.log10(_in_mm(spread))

    def observe_doubt(self, s: Rows) -> Array:
        """Doubt of what success asks."""
        return np.log10(np.maximum(s.doubt_mm, 1e-3))

    def observe_innovation(self, s: Rows) -> Array:
        """Newest edge and newest touch."""
        return np.stack((s.edge_innovation, s.touch_innovation), axis=-1)

    def observe_elapsed(self, s: Rows) -> Array:
        """The clock."""
        return column(s.time_s)

    def observe_above(self, s: Rows) -> Array:
        """Whether the jig is above the pin."""
        return column(s.up)

    def observe_true_pose(self, s: Rows) -> Array:
        """The truth."""
        return _in_mm(self._truth(s))

    def observe_play_mm(self, s: Rows) -> Array:
        """Play in mm."""
        return column(1e3 * s.play)

    def observe_stiffness_ratio(self, s: Rows) -> Array:
        """Against the commissioned one."""
        return column(s.sag_stiffness / NOMINAL_STIFFNESS)

    def reward_time(self, s: Rows) -> Array:
        """Every step costs."""
        return np.full(s.n, self.timing.control_dt / self.timing.horizon_s)

    def reward_progress(self, s: Rows) -> Array:
        """What this step has found out."""
        step: Array = s.progress_step
        return step

    def reward_accuracy(self, s: Rows) -> Array:
        """How close, once."""
        share = np.max(s.error_mm, axis=1) / TOLERANCE_MM
        return np.where(s.declared & (s.peak_force <= FORCE_LIMIT_N), 1.0 / (1.0 + share * share), 0.0)

    def _declared(self, s: Rows, values: Array) -> Array:
        return np.where(s.declared, values, np.nan)

    def metric_error_centre(self, s: Rows) -> Array:
        """In the plane."""
        return self._declared(s, s.error_mm[:, 0])

    def metric_error_height(self, s: Rows) -> Array:
        """Along z."""
        return self._declared(s, s.error_mm[:, 1])

    def metric_error_rim(self, s: Rows) -> Array:
        """Of the tilt."""
        return self._declared(s, s.error_mm[:, 2])

    def metric_error_x(self, s: Rows) -> Array:
        """Outward."""
        return self._declared(s, 1e3 * s.error[:, 0])

    def metric_error_y(self, s: Rows) -> Array:
        """To the left."""
        return self._declared(s, 1e3 * s.error[:, 1])

    def metric_error_z(self, s: Rows) -> Array:
        """Upward."""
        return self._declared(s, 1e3 * s.error[:, 2])

    def metric_by_hand(self, s: Rows) -> Array:
        """Largest error against teaching by eye."""
        return self._declared(s, np.max(s.error_mm, axis=1) / BY_HAND_MM)

    def metric_peak_force(self, s: Rows) -> Array:
        """So far."""
        force: Array = s.peak_force
        return force

    def metric_probes(self, s: Rows) -> Array:
        """So far."""
        count: Array = s.sweeps + s.touches + s.missed
        return count

    def metric_sweeps(self, s: Rows) -> Array:
        """So far."""
        count: Array = s.sweeps
        return count

    def metric_touches(self, s: Rows) -> Array:
        """So far."""
        count: Array = s.touches
        return count

    def overlay(self, s: Rows, row: int) -> Overlay:
        """The beams, and the centre that the fit has found, on a line with the axis that the drawing has."""
        at, turn = self._views["crossing"][row], np.reshape(self._turn[row], (3, 3))
        red, amber, cyan = (1.0, 0.12, 0.10, 1.0), (1.0, 0.55, 0.1, 1.0), (0.1, 0.8, 1.0, 1.0)
        traces = []
        for angle in BEAM_ANGLES:
            arm = np.sqrt(2.0) * HEAD_OFFSET * (turn @ np.array([np.cos(angle), np.sin(angle), 0.0]))
            traces.append((np.stack((at - arm, at + arm)), 0.0012, red))
        drawing = np.array(STATION)
        found = drawing + s.fit_mean[row, :3]
        up = np.array([0.0, 0.0, 0.06])
        traces.append((np.stack((found + 0.4 * up, found + up)), 0.0010, cyan))
        return Overlay(points=[(found + up, 0.003, cyan), (drawing + up, 0.0025, amber)], traces=traces)


def record_times(timing: Timing) -> Array:
    """Times (m,) in s since the control step began of the entries of the record that `TeachMotion` leaves."""
    dt = timing.timestep_s
    ends = [*range(1, CHUNK - 1), CHUNK]  # the last entry of a chunk is at its end, the one before a step earlier
    chunks = timing.substeps // CHUNK
    return dt * np.array([0.0, *(float(CHUNK * k + j) for k in range(chunks) for j in ends)])


def _progress(doubt_mm: Array) -> Array:
    """Share (k,) of the way from the prior's doubt to the goal, on a logarithmic scale, averaged over the three."""
    start = 2e3 * np.array([PRIOR[0], PRIOR[2], wafer.RADIUS * PRIOR[3]])
    share = np.log(start / np.maximum(doubt_mm, GOAL_MM)) / np.log(start / GOAL_MM)
    share = np.minimum(np.maximum(share, 0.0), 1.0)
    mean: Array = (share[:, 0] + share[:, 1] + share[:, 2]) / 3.0
    return mean


def _in_mm(values: Array) -> Array:
    """Lengths in m and slopes (n, 5) in mm, slopes as the rise from the centre to the rim of a wafer."""
    scale: Array = 1e3 * np.array([1.0, 1.0, 1.0, wafer.RADIUS, wafer.RADIUS])
    return values * scale
