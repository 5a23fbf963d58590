"""WaferCenter: find out on the way where the wafer lies on the paddle, and set it down in the middle of the station."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.cells.centering import BEAM_HIGH, BEAM_LOW, BEAM_OFFSETS, BEAM_RADIUS, CAMERAS, centering
from ...assets.cells.transfer_chamber import BASE_HEIGHT, PAD_PAIRS, STATION_RADIUS, STATIONS
from ...assets.parts import wafer
from ...assets.robots.vacuum_scara import LINK_LENGTH, PADDLE_MASS, WRIST_TO_WAFER
from ...errors import ShopfloorError
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Task, Timing
from .center_drift import link_growth, placement_drift, warming
from .center_expert import CenterExpert, CenterOracle
from .center_latch import crossing_times, latch, record_times
from .center_motion import BeamPass
from .center_terms import FAR_MM, HISTORY, MODULES, channels, start_terms
from .centering import EDGES, edge_points, edge_positions, fit_circle, hot_radius, notch_arcs
from .kinematics import joints_from_polar
from .profiles import GRAVITY

ARM_JOINTS = ("shoulder", "elbow", "wrist")
TOLERANCE_MM = 0.1
LOST_MM = 10.0  # beyond this the rim is no longer clear of the slit and the pedestal
GIVEN_UP_S = 0.4  # after the end of the move a wafer that is not in place will not get there

START_RADIUS = 0.38  # m, retracted: the wafer turns with the arm without touching the beams
HALF_CHORD = float(np.sqrt(wafer.RADIUS**2 - BEAM_OFFSETS[0] ** 2))
# Radii between which speed is constant: both edges of a wafer that is 4 mm off, hot, with a sensor that answers late.
BEFORE, BEHIND = BEAM_RADIUS - HALF_CHORD - 0.0045, BEAM_RADIUS + HALF_CHORD + 0.0050
BEAMS = np.array([(BEAM_RADIUS, y) for y in BEAM_OFFSETS])
# Where the golden wafer, centred and cold, has its edges.
GOLDEN_EDGES = edge_positions(np.zeros(2), np.asarray(wafer.RADIUS), BEAMS)

RESPONSE_S = 250e-6  # of a sensor, as its data sheet says; the controller takes it off
CALIBRATION_SPEED = 0.20  # m/s, of the golden wafer: delays that the data sheet does not know cancel at this speed
RESOLUTION = 1e-6  # m, of latched positions
# What a robot does besides this move for each wafer of a robot-bound tool: fetch, turn, retract, hand off (s).
HANDLING_S = 5.0

CORRECTION_MM = {"trim": 0.8, "total": 4.0}


class WaferCenter(Task):
    """A vacuum robot brings a wafer that lies off-centre on its paddle into a process module, centred to 0.1 mm.

    On the way in the wafer cuts two through-beams. The controller latches the encoders at each of the four edges, when
    the sensor responds: after a delay, with jitter, so that an error in time is an error in place that grows with
    speed. An edge may run into the wafer's notch, whose direction the aligner tells roughly; the wafer is hot and
    larger than at room temperature, by an amount that the recipe tells roughly; and the arm's flexible mode, which no
    encoder sees, rings. Friction alone holds the wafer: if it slips before the beams, the beams see it; if it slips
    while the robot brakes behind them, nobody does.

    The arm warms up over the lot. Its links grow and its column twists, which the beams see only as far as they stand:
    the part that grows between beams and station stays, together with what the beams themselves have moved since they
    were calibrated. The only evidence are the placements of the last three wafers, as metrology found them, had they
    been placed by the controller's correction alone.

    An episode is one wafer of a lot, with the state of the drift hidden. What earlier wafers tell about it does not
    depend on how they were carried, so a lot in one episode would cost many times the steps for the same lesson.

    The policy chooses the speed past the beams and how much of the friction to use when the move begins, and corrects
    the place position once the edges are known (see `BeamPass`).

    What the model leaves out: friction has one coefficient, so that a wafer that slides is not held less than one that
    sticks; and the frequency of the arm's mode does not follow its extension.

    Args:
        correction: "trim" to correct the controller's own correction, which is minus a circle fit through the four
            edges, or "total" to replace it.
    """

    title: ClassVar[str] = "vacuum robot centres a wafer on the fly from latched beam edges, over a warming lot"
    # the rate at which a host talks to a controller: two decisions a move leave little to do in between
    timing = Timing(control_hz=10.0, timestep_s=0.001, horizon_s=6.0)
    main_metric = "move_time"
    success_hold_s = 0.2
    success_text = (
        f"move complete and the wafer's centre within {TOLERANCE_MM:g} mm of the station's (radially) for 0.2 s"
    )
    failure_texts = {
        "wafer_lost": f"the wafer slipped by more than {LOST_MM:g} mm on the paddle",
        "misplaced": f"the move was complete for {GIVEN_UP_S:g} s without the wafer in tolerance",
    }
    cameras = CAMERAS
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    randomization = "wafer_center"
    references: ClassVar[tuple[str, ...]] = (
        "US patent 5706201 (Fortrend Engineering, 1998): wafer centre from beam edges, points on the notch rejected",
        "US patent 11633854 (Persimmon Technologies, 2023): wafer offset from three or more edges",
        "Kasa: A circle fitting procedure and its error analysis, IEEE Trans. Instrum. Meas. 25, 1976",
        "SEMI M1: silicon wafers of 300 mm",
    )

    # Success is worth more than all the time of the slowest move, so that speed never pays for a wafer out of place.
    rewards = {
        "time": Reward(-2.0, "control period in s"),
        "placement": Reward(2.0, "at the end of the move: 1 / (1 + (error / 0.1 mm)^2)"),
        "slip": Reward(-1.0, "share of the slip at which a wafer is lost that this step uses up"),
        "failure": Reward(-6.0, "1 at the step in which the wafer is lost or found misplaced"),
        "success": Reward(4.0, "1 at the step in which success is reached"),
    }
    metrics = {
        "move_time": Metric("s", "lower", "start until the wafer is in place for good; NaN if never"),
        "placement_error": Metric("mm", "lower", "largest distance of wafer and station centre in the last step"),
        "placement_along": Metric("mm", "lower", "that error along the direction of the station, signed"),
        "placement_across": Metric("mm", "lower", "that error across the direction of the station, signed"),
        "pass_time": Metric("s", "lower", "from the first to the last edge; NaN if not all were latched"),
        "wafers_per_hour": Metric("1/h", "higher", f"of a robot-bound tool with {HANDLING_S:g} s of other handling"),
        "slip": Metric("mm", "lower", "largest displacement of the wafer on the paddle"),
    }

    def __init__(self, correction: str = "trim"):
        if correction not in CORRECTION_MM:
            raise ShopfloorError(f"correction must be one of {', '.join(CORRECTION_MM)}, got {correction!r}")
        self.correction = correction
        self.start = start_terms()
        self.channels = channels()

    # -- declaration ------------------------------------------------------------------------------------------

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """Transfer chamber with beams."""
        return centering(timestep=self.timing.timestep_s, visual=visual)

    def make_action(self) -> BeamPass:
        """Speed, share of friction and correction."""
        return BeamPass(
            ARM_JOINTS, self.correction, (START_RADIUS, BEFORE, BEHIND, STATION_RADIUS),
            (LINK_LENGTH, WRIST_TO_WAFER), speed=(0.15, 0.80), utilization=(0.3, 1.2),
            correction_mm=CORRECTION_MM[self.correction],
        )  # fmt: skip

    def expert(self) -> CenterExpert:
        """One recipe speed, least squares with notch rejection, mean of past placements."""
        return CenterExpert(self.correction)

    def oracle(self) -> CenterOracle:
        """True offset, drift and friction."""
        return CenterOracle(self.correction)

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Resolve names and register the rows' arrays."""
        sim = s.sim
        self._arm = sim.qpos_index(ARM_JOINTS)
        self._flex_joints = sim.ids("joint", ("flex_x", "flex_y"))
        self._flex_dofs = sim.qvel_index(("flex_x", "flex_y"))
        self._wafer = int(sim.qpos_index(("wafer_free",))[0])
        self._controls = sim.ids("actuator", [f"{j}_position" for j in ARM_JOINTS])
        self._links = sim.ids("body", ("forearm", "wrist_hub"))
        self._column = sim.id("body", "column")
        self._pairs = sim.ids("pair", PAD_PAIRS)
        self._keyframe = sim.id("key", "home")
        self._tcp_position = sim.output("site_xpos", "site", "tcp")
        self._seat_position = sim.sensor("wafer_in_paddle_position")
        self._records = {k: sim.sensor_slice(k) for k in ("wafer_position", "wafer_quaternion")}
        self._encoders = [sim.sensor_slice(f"{j}_position") for j in ARM_JOINTS]
        self._times = record_times(s.timing.substeps, s.timing.timestep_s)
        self._headings = np.array([STATIONS[name] for name in MODULES])
        for field in ("pair_friction", "jnt_stiffness", "dof_damping", "body_pos", "body_quat"):
            sim.field(field)
        for name, shape in (
            ("station_angle", ()), ("friction", ()), ("frequency", ()), ("friction_estimate", ()),
            ("frequency_estimate", ()), ("acceleration_estimate", ()), ("period_estimate", ()),
            ("offset_mm", (2,)), ("growth_mm", ()), ("heating", ()), ("notch_edge", ()), ("notch_arc_mm", (4,)),
            ("arm_growth", ()), ("arm_twist", ()), ("wafer_number", ()), ("past_placement_mm", (2 * HISTORY,)),
            ("beams", (2, 2)), ("jitter_us", ()), ("edge_delay", (4,)), ("edge_jitter", (4,)), ("edge_bias", (4,)),
            ("edge_time", (4,)), ("edge_deviation_mm", (4,)), ("edges_latched", (4,)),
            ("fit_offset_mm", (2,)), ("fit_radius_mm", ()), ("fit_skew_mm", ()),
            ("seat", (2,)), ("slip_mm", ()), ("slip_step_mm", ()), ("error_mm", (2,)), ("error_largest_mm", ()),
            ("move_time", ()), ("complete_s", ()),
        ):  # fmt: skip
            s.new(name, shape)

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """The station, the machine of this episode, and the wafer off-centre on the paddle."""
        sim = s.sim
        s.station_angle[rows] = self._headings[params["station"].astype(np.intp)]
        self._choose_wafer(s, rows, params)
        self._choose_machine(s, rows, params)
        self._choose_drift(s, rows, params)
        sim.reset(rows, self._keyframe)
        angle, zero = s.station_angle[rows], np.zeros(rows.size)
        position, _ = joints_from_polar(zero + START_RADIUS, angle, zero, zero, LINK_LENGTH, WRIST_TO_WAFER)
        sim.qpos[np.ix_(rows, self._arm)] = position
        sim.ctrl[np.ix_(rows, self._controls)] = position
        sim.set_const(rows)
        sim.forward(rows)
        heading = angle + s.arm_twist[rows]
        x, y = 1e-3 * s.offset_mm[rows, 0], 1e-3 * s.offset_mm[rows, 1]
        c, d = np.cos(heading), np.sin(heading)
        sim.qpos[rows, self._wafer : self._wafer + 3] = self._tcp_position[rows]
        sim.qpos[rows, self._wafer] += c * x - d * y
        sim.qpos[rows, self._wafer + 1] += d * x + c * y
        notch = self._notch(s, rows, params)
        told = notch + np.deg2rad(params["notch_error"])
        arcs = notch_arcs(told, 1e3 * hot_radius(s.heating[rows]), 1e3 * BEAMS)
        s.notch_arc_mm[rows] = np.minimum(np.maximum(arcs, -FAR_MM), FAR_MM)
        half = 0.5 * (heading + notch - wafer.NOTCH_DIRECTION)
        sim.qpos[rows, self._wafer + 3 : self._wafer + 7] = np.stack((np.cos(half), zero, zero, np.sin(half)), axis=-1)

    def _choose_wafer(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        s.offset_mm[rows] = params["offset"]
        true_heating = params["heating"] + params["heating_error"]
        s.growth_mm[rows] = 1e3 * (hot_radius(true_heating) - wafer.RADIUS) + params["radius_error"]
        s.heating[rows] = params["heating"]

    def _notch(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> Array:
        """Direction (k,) of the notch in the frame of the paddle."""
        edge = params["notch_edge"].astype(np.intp)
        hit = edge < len(EDGES)
        s.notch_edge[rows] = np.where(hit, edge, -1)
        radius = wafer.RADIUS + 1e-3 * s.growth_mm[rows]
        # directions of the edges: the arcs to a notch that points along the travel, reversed
        edges = -notch_arcs(np.zeros(rows.size), radius, BEAMS, 1e-3 * s.offset_mm[rows]) / radius[:, None]
        at_edge = np.take_along_axis(edges, np.where(hit, edge, 0)[:, None], axis=1)[:, 0]
        return np.where(hit, at_edge + 1e-3 * params["notch_place"] / radius, params["notch_angle"])

    def _choose_machine(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        sim = s.sim
        for name in ("friction", "frequency"):
            getattr(s, name)[rows] = params[name]
        s.friction_estimate[rows] = np.maximum(params["friction"] * (1.0 + params["friction_error"]), 0.02)
        s.frequency_estimate[rows] = np.maximum(params["frequency"] * (1.0 + params["frequency_error"]), 2.0)
        s.acceleration_estimate[rows] = GRAVITY * s.friction_estimate[rows]
        s.period_estimate[rows] = 1.0 / s.frequency_estimate[rows]
        mass, omega = PADDLE_MASS + wafer.MASS, 2.0 * np.pi * params["frequency"]
        for axis in range(2):
            sim.field("jnt_stiffness")[rows, self._flex_joints[axis]] = mass * omega * omega
            sim.field("dof_damping")[rows, self._flex_dofs[axis]] = 2.0 * params["damping_ratio"] * mass * omega
        for pair in self._pairs.tolist():
            sim.field("pair_friction")[rows, pair, :2] = params["friction"][:, None]
        moved = 1e-3 * params["beam_error"].reshape(-1, 2, 2)
        s.beams[rows] = BEAMS + moved
        s.jitter_us[rows] = params["jitter"]
        unknown = 1e-6 * params["delay_error"]
        s.edge_delay[rows] = RESPONSE_S + unknown
        s.edge_jitter[rows] = 1e-6 * params["jitter"][:, None] * params["edge_noise"]
        # the golden wafer has shown what the delays do at its speed
        s.edge_bias[rows] = 1e-6 * params["encoder_noise"] - CALIBRATION_SPEED * unknown

    def _choose_drift(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """State of the arm at this wafer of the lot, and the placements of the wafers before it."""
        sim = s.sim
        number = params["wafer_number"]
        ago = np.concatenate((np.arange(HISTORY, 0, -1), [0]))
        share = warming((number[:, None] - ago) * params["cycle"][:, None], params["time_constant"][:, None])
        growth = link_growth(params["arm_rise"][:, None] * share)
        twist = 1e-3 * params["arm_twist"][:, None] * share
        s.arm_growth[rows], s.arm_twist[rows] = growth[:, -1], twist[:, -1]
        s.wafer_number[rows] = number
        moved = 0.5 * (params["beam_error"][:, :2] + params["beam_error"][:, 2:])
        past = 1e3 * placement_drift(growth[:, :-1], twist[:, :-1], BEAM_RADIUS, STATION_RADIUS) + moved[:, None, :]
        s.past_placement_mm[rows] = past.reshape(rows.size, -1) + params["metrology_noise"]
        for body in self._links.tolist():
            sim.field("body_pos")[rows, body, 0] = LINK_LENGTH * (1.0 + growth[:, -1])
        half, zero = 0.5 * twist[:, -1], np.zeros(rows.size)
        sim.field("body_quat")[rows, self._column] = np.stack((np.cos(half), zero, zero, np.sin(half)), axis=-1)

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """The wafer's seat, and zeros for what adds up."""
        s.seat[rows] = self._seat_position[rows, :2]
        for name in (
            "edge_deviation_mm", "edges_latched", "fit_offset_mm", "fit_radius_mm", "fit_skew_mm", "slip_mm",
            "slip_step_mm", "error_mm", "error_largest_mm",
        ):  # fmt: skip
            getattr(s, name)[rows] = 0.0
        for name in ("edge_time", "move_time", "complete_s"):
            getattr(s, name)[rows] = np.nan

    def measure(self, s: Rows) -> None:
        """Nothing beyond what `accumulate` needs: edges, slip and settling are about the whole step, not its end."""

    def accumulate(self, s: Rows) -> None:
        """Edges of the beams, latched positions, slip, and where the wafer is."""
        centre = self._in_station(s)
        self._sense_beams(s, centre)
        self._latch_edges(s)
        moved = self._seat_position[:, :2] - s.seat
        slip_mm = np.maximum(s.slip_mm, 1e3 * np.sqrt(moved[:, 0] * moved[:, 0] + moved[:, 1] * moved[:, 1]))
        s.slip_step_mm[...] = slip_mm - s.slip_mm
        s.slip_mm[...] = slip_mm
        self._find_placement(s, centre)

    def _in_station(self, s: Rows) -> Array:
        """Centre of the wafer (n, m, 2) in the frame of the station's direction, at the entries of the record."""
        at = s.sensor_record[:, :, self._records["wafer_position"]]
        c, d = np.cos(s.station_angle)[:, None], np.sin(s.station_angle)[:, None]
        return np.stack((c * at[:, :, 0] + d * at[:, :, 1], c * at[:, :, 1] - d * at[:, :, 0]), axis=-1)

    def _sense_beams(self, s: Rows, centre: Array) -> None:
        """Times at which the sensors respond to the edges of this control step."""
        quat = s.sensor_record[:, :, self._records["wafer_quaternion"]]
        turned = np.arctan2(np.ascontiguousarray(quat[:, :, 3]), np.ascontiguousarray(quat[:, :, 0]))
        yaw = 2.0 * turned - s.station_angle[:, None]
        into, out_of = crossing_times(self._times, centre, yaw, 1e-3 * s.growth_mm, s.beams)
        begin = (s.time_s - s.timing.control_dt)[:, None]
        response = np.maximum(s.edge_delay + s.edge_jitter, 0.0)
        for edges, found in (((0, 2), into), ((1, 3), out_of)):
            for beam, edge in enumerate(edges):
                seen = begin[:, 0] + found[:, beam] + response[:, edge]
                first = np.isnan(s.edge_time[:, edge])
                if edge in (1, 3):  # light that comes back before it was cut is no edge of a wafer
                    first &= ~np.isnan(s.edge_time[:, edge - 1])
                s.edge_time[:, edge] = np.where(first, seen, s.edge_time[:, edge])

    def _latch_edges(self, s: Rows) -> None:
        """Positions by the encoders at the instants at which the sensors responded."""
        since = s.edge_time - (s.time_s - s.timing.control_dt)[:, None]
        due = (s.edges_latched == 0.0) & (since >= 0.0) & (since <= self._times[-1])
        if not due.any():
            return
        encoders = np.concatenate([s.sensor_record[:, :, part] for part in self._encoders], axis=-1)
        angles = latch(self._times, encoders, np.where(due, since, np.nan))
        shoulder = angles[..., 0] - s.station_angle[:, None]
        elbow, wrist = shoulder + angles[..., 1], shoulder + angles[..., 1] + angles[..., 2]
        reach = LINK_LENGTH * (np.cos(shoulder) + np.cos(elbow)) + WRIST_TO_WAFER * np.cos(wrist)
        reach = np.round((reach + s.edge_bias) / RESOLUTION) * RESOLUTION
        deviation = reach - GOLDEN_EDGES - RESPONSE_S * s.pass_speed[:, None]
        s.edge_deviation_mm[...] = np.where(due, 1e3 * deviation, s.edge_deviation_mm)
        s.edges_latched[...] = np.where(due, 1.0, s.edges_latched)
        self._fit(s, due.any(axis=1) & s.edges_latched.all(axis=1))

    def _fit(self, s: Rows, rows: NDArray[np.bool_]) -> None:
        """The controller's own fit, in rows whose edges are complete."""
        if not rows.any():
            return
        points = latched_points(s.edge_deviation_mm)
        offset, radius = fit_circle(points)
        expected = 1e3 * hot_radius(s.heating)
        x = points[..., 0]
        skew = 0.5 * ((x[:, 0] + x[:, 1]) - (x[:, 2] + x[:, 3]))
        for name, values in (("fit_offset_mm", offset), ("fit_radius_mm", radius - expected), ("fit_skew_mm", skew)):
            array = getattr(s, name)
            array[...] = np.where(rows[:, None] if array.ndim == 2 else rows, values, array)

    def _find_placement(self, s: Rows, centre: Array) -> None:
        """Error of placement, and the instant from which on it has been in tolerance."""
        dx, dy = centre[:, :, 0] - STATION_RADIUS, centre[:, :, 1]
        error_sq = dx * dx + dy * dy
        s.error_mm[:, 0], s.error_mm[:, 1] = 1e3 * dx[:, -1], 1e3 * dy[:, -1]
        s.error_largest_mm[...] = 1e3 * np.sqrt(np.max(error_sq, axis=1))
        begin = s.time_s - s.timing.control_dt
        planned = np.maximum(s.pass_time, s.correction_start + s.correction_time)
        end = np.where(s.corrected, planned, np.inf)
        s.complete_s[...] = np.where(s.path_complete, end, np.nan)
        out = (begin[:, None] + self._times < end[:, None] - 1e-9) | (error_sq > (1e-3 * TOLERANCE_MM) ** 2)
        entries = out.shape[1]
        last = entries - 1 - np.argmax(out[:, ::-1], axis=1)
        some, ends_out = out.any(axis=1), out[:, -1]
        since = begin + self._times[np.minimum(last + 1, entries - 1)]
        kept = np.where(np.isnan(s.move_time), begin, s.move_time)
        s.move_time[...] = np.where(ends_out, np.nan, np.where(some, since, kept))

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """Move complete, wafer in place throughout the control step."""
        done: NDArray[np.bool_] = s.path_complete & (s.error_largest_mm <= TOLERANCE_MM)
        return done

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Wafer lost, or out of place when nothing moves any more."""
        late = s.time_s >= s.complete_s + GIVEN_UP_S  # NaN compares as not yet
        return {"wafer_lost": s.slip_mm > LOST_MM, "misplaced": late & ~self.succeeded(s)}

    def violations(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Slip beyond the placement tolerance."""
        return {"slip": s.slip_mm > TOLERANCE_MM}

    # -- observations, rewards, metrics -----------------------------------------------------------------------

    def observe_path_remaining(self, s: Rows) -> Array:
        """Commanded distance to the station."""
        remaining: Array = (STATION_RADIUS - START_RADIUS - s.path_distance)[:, None]
        return remaining

    def observe_drift_mm(self, s: Rows) -> Array:
        """What the beams do not see of the arm's drift."""
        return 1e3 * placement_drift(s.arm_growth, s.arm_twist, BEAM_RADIUS, STATION_RADIUS)

    def reward_time(self, s: Rows) -> Array:
        """Every step costs its time."""
        return np.full(s.n, s.timing.control_dt)

    def _ending(self, s: Rows) -> NDArray[np.bool_]:
        needed = max(1, round(self.success_hold_s * self.timing.control_hz))
        return self.succeeded(s) & (s.success_held_steps + 1 >= needed)

    def reward_placement(self, s: Rows) -> Array:
        """How close, once, when the episode ends with the move complete."""
        share = s.error_largest_mm / TOLERANCE_MM
        ended = self._ending(s) | self.failures(s)["misplaced"]
        return np.where(ended, 1.0 / (1.0 + share * share), 0.0)

    def reward_slip(self, s: Rows) -> Array:
        """Slip of this step."""
        return np.minimum(s.slip_step_mm / LOST_MM, 1.0)

    def reward_failure(self, s: Rows) -> Array:
        """Any failure."""
        failed = self.failures(s)
        return (failed["wafer_lost"] | failed["misplaced"]).astype(np.float64)

    def reward_success(self, s: Rows) -> Array:
        """Success reached at this step."""
        return self._ending(s).astype(np.float64)

    def metric_placement_error(self, s: Rows) -> Array:
        """Distance of the centres, once the move is complete."""
        return np.where(s.path_complete, s.error_largest_mm, np.nan)

    def metric_placement_along(self, s: Rows) -> Array:
        """Along the direction of the station."""
        return np.where(s.path_complete, s.error_mm[:, 0], np.nan)

    def metric_placement_across(self, s: Rows) -> Array:
        """Across it."""
        return np.where(s.path_complete, s.error_mm[:, 1], np.nan)

    def metric_pass_time(self, s: Rows) -> Array:
        """Between the sensors' first and last response."""
        return np.max(s.edge_time, axis=1) - np.min(s.edge_time, axis=1)

    def metric_wafers_per_hour(self, s: Rows) -> Array:
        """Moves like this one and the rest of the handling, one after the other."""
        rate: Array = 3600.0 / (HANDLING_S + s.move_time)
        return rate

    def metric_slip(self, s: Rows) -> Array:
        """Slip in mm."""
        slip: Array = s.slip_mm
        return slip

    def overlay(self, s: Rows, row: int) -> Overlay:
        """The beams, the station's centre, and the edges that have been latched, on the wafer."""
        c, d = np.cos(s.station_angle[row]), np.sin(s.station_angle[row])
        turn = np.array([[c, -d], [d, c]])
        low, high = BASE_HEIGHT + BEAM_LOW, BASE_HEIGHT + BEAM_HIGH
        red, amber, cyan = (1.0, 0.12, 0.10, 1.0), (1.0, 0.55, 0.1, 1.0), (0.1, 0.8, 1.0, 1.0)
        traces = []
        for beam in s.beams[row]:
            x, y = turn @ beam
            traces.append((np.array([[x, y, low], [x, y, high]]), 0.002, red))
        height = float(self._tcp_position[row, 2]) + 0.003
        points = [(np.array([*(turn @ [STATION_RADIUS, 0.0]), height]), 0.008, amber)]
        edges = latched_points(s.edge_deviation_mm[row]) * 1e-3
        tcp = self._tcp_position[row, :2]
        for edge in np.flatnonzero(s.edges_latched[row]).tolist():
            points.append((np.array([*(tcp + turn @ edges[edge]), height]), 0.006, cyan))
        return Overlay(points=points, traces=traces)


def latched_points(deviation_mm: Array) -> Array:
    """Edges (..., 4, 2) in the frame of the paddle, mm, from deviations (..., 4) of the latched positions."""
    return edge_points(1e3 * GOLDEN_EDGES + deviation_mm, np.zeros(4), 1e3 * BEAMS)
