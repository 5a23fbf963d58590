"""WeldSeamTrack: keep the wire on a seam that a laser line sees ahead of the arc."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets.cells.weld_cell import CAMERAS, WELDERS, weld_cell
from ...assets.robots.arm import arm
from ...assets.tools.laser_tracker import add_laser_tracker
from ...errors import ShopfloorError
from ..engine.task import Array, Metric, Overlay, Reward, RowIndex, Rows, Task, Timing
from ..randomness import episode_key
from .fit_up import Plates
from .laying import draw_weld, laid_bead, ripple_places
from .seam_part import SeamPart
from .seam_track_expert import PreviewExpert
from .seam_track_terms import AHEAD_MM, FASTEST_MM_S, channels, start_terms
from .seam_weld import Procedure, SeamWeld
from .sensors.bead_profile import BeadProfile
from .sensors.laser import LaserErrors, LaserLine, world_point
from .sensors.profile import Features, Window
from .sensors.register import SeamRegister
from .sensors.trim import BeadTrim
from .torch_motion import CorrectionLimits, SpeedLimits, Torch, TorchMotion
from .tracking import Tracking

LENGTH_MM = 150.0
RUN_IN_MM = 5.0  # of seam that is not judged
RMS_MM, LARGEST_MM = 0.5, 1.2  # half of a 1.2 mm wire beside the root still fuses both plates
HEIGHT_RMS_MM, HEIGHT_LARGEST_MM = 0.8, 2.0
LOST_MM = 8.0  # from the root, where no bead joins the plates any more
SLOWEST_STEPS = 8  # of the sensor's latency
JOINTS = ("fillet", "lap")
SEAMS = ("straight", "curved")
TRAVEL = ("fixed", "action")

# Single-run fillets of sheet metal, 1.2 mm wire in M21: Daihen/OTC's table of horizontal fillets asks 190 to 230 A at
# 22 to 24 V and 7.5 to 9.2 mm/s for plates of 4.5 mm, with CO2.
PROCEDURE = Procedure(current_a=220.0, voltage_v=24.0, travel_mm_s=9.0, ctwd_mm=18.0, throat_mm=3.0)
PLATES = {
    "fillet": Plates("fillet", base=0.008, upper=0.006),
    "lap": Plates("lap", base=0.006, upper=0.006, height=0.050),
}


class WeldSeamTrack(Task):
    """A robot welds a seam that is not where it was taught, by what a laser line sees 35 mm ahead of the arc.

    The part lies askew on the table, its plate is bowed and wavy, gapes and is tacked. The sensor's line crosses the
    seam ahead of the torch: it tells, some frames late and with noise, spatter and lost points, where the root is. The
    controller keeps that in a register by arc length until the torch is there. What the sensor does not see has to
    come from elsewhere: the plates drift by heat after it has looked, its calibration is off by tenths of a millimetre,
    and the wire leaves its tip with a cast. The bead behind the arc shows all of that, late.

    The arm is position controlled; the weld is that of the process model, on plates whose true geometry the sensor's
    rays and the torch's collisions meet.

    Reward is paid by the millimetre of seam and not by the second, so that a slow weld earns what a fast one does. A
    discount by time would still favour the fast: with `travel="action"`, train with a discount close to 1 (0.998 a
    step is 0.994 to 0.997 a millimetre over the range of speeds), or discount by the metric `judged_length`.

    Args:
        joint: "fillet" (a web on a plate) or "lap" (a sheet on a sheet).
        seam: "straight" or "curved" (a radius of 150 to 400 mm, either way).
        travel: "fixed" by the procedure, or "action".
        robot: a robot of the welding cell.
        preview_mm: of the laser line ahead of the arc.
    """

    title: ClassVar[str] = "robot follows a seam with a laser line ahead of the arc"
    timing = Timing(control_hz=25.0, timestep_s=0.005, horizon_s=26.0)
    main_metric = "lateral_rms"
    success_text = (
        f"seam welded to its end; lateral deviation within {RMS_MM:g} mm RMS and {LARGEST_MM:g} mm at most, height "
        f"within {HEIGHT_RMS_MM:g} mm RMS and {HEIGHT_LARGEST_MM:g} mm, beyond the first {RUN_IN_MM:g} mm"
    )
    failure_texts = {
        "collision": "torch, sensor or arm touched something",
        "arc_lost": "the arc became too long to burn, or the wire ran into the pool",
        "seam_lost": f"the wire was more than {LOST_MM:g} mm from the root",
        "out_of_tolerance": "the seam was welded to its end, but not within the tolerance",
    }
    cameras = CAMERAS
    versions: ClassVar[Mapping[str, str]] = {"v0": "first version"}
    randomization = "weld_seam_track"
    references: ClassVar[tuple[str, ...]] = (
        "Riftek RF627 weld series user's manual: features in steps of 0.1 mm, robot waits 80 ms for them",
        "Daihen/OTC CPTX-I-400 manual: conditions of horizontal fillet welds",
        "Bolmsjo, Olsson: Sensors in robotic arc welding to support small series production, Industrial Robot 32, 2005",
        "Kaneko et al.: Reinforcement learning for laser welding speed control, ICRA 2023 (discount by length)",
    )
    rewards = {
        "lateral": Reward(0.06, "share of the fastest step's seam welded, times 1 / (1 + (lateral / 0.25 mm)^2)"),
        "height": Reward(0.015, "the same with height / 0.8 mm"),
        "near": Reward(0.015, "the same with 1 - tanh(distance from the root / 3 mm)"),
        "effort": Reward(-0.004, "mean square of the correction's acceleration, relative to its limit"),
        "failure": Reward(-2.0, "1 at the step in which the episode fails"),
        "success": Reward(4.0, "1 at the step in which success is reached"),
    }
    metrics = {
        "lateral_rms": Metric("mm", "lower", "RMS of the wire's lateral deviation from the root, by length"),
        "lateral_largest": Metric("mm", "lower", "largest lateral deviation"),
        "height_rms": Metric("mm", "lower", "RMS of the deviation along the wire"),
        "judged_length": Metric("mm", "higher", "seam welded beyond the run-in"),
        "weld_time": Metric("s", "lower", "time since the arc was struck"),
        "leg_difference": Metric("mm", "lower", "largest difference of the bead's legs so far"),
    }

    def __init__(
        self, joint: str = "fillet", seam: str = "straight", travel: str = "fixed", robot: str = "ar1440",
        preview_mm: float = 35.0,
    ):  # fmt: skip
        for name, value, known in (
            ("joint", joint, JOINTS), ("seam", seam, SEAMS), ("travel", travel, TRAVEL), ("robot", robot, WELDERS),
        ):  # fmt: skip
            if value not in known:
                raise ShopfloorError(f"{name} must be one of {', '.join(known)}, got {value!r}")
        self.joint, self.seam, self.travel, self.robot = joint, seam, travel, robot
        self.preview_mm = preview_mm
        self.plates = PLATES[joint]
        self.start = start_terms(self.plates.tacks, seam == "curved", (8.0, 10.0))
        self.channels = channels()

    # -- declaration ------------------------------------------------------------------------------------------

    def cell(self, visual: bool) -> mujoco.MjSpec:
        """Welding cell with the part on its table and the sensor on its torch."""
        ctwd = 1e-3 * PROCEDURE.ctwd_mm
        spec = weld_cell(
            robot=self.robot, weldment=self.plates.weldment(), ctwd=ctwd, stickout=ctwd - 0.003, visual=visual
        )
        add_laser_tracker(spec, preview=1e-3 * self.preview_mm, ctwd=ctwd, visual=visual)
        spec.option.timestep = self.timing.timestep_s
        return spec

    def _torch(self) -> Torch:
        return Torch(arm(self.robot))

    def make_action(self) -> TorchMotion:
        """Correction rates, and the travel speed where it is an action."""
        speed = SpeedLimits(6.0, FASTEST_MM_S) if self.travel == "action" else None
        return TorchMotion(self._torch(), CorrectionLimits(), speed)

    def expert(self) -> PreviewExpert:
        """Preview tracker that makes up for its delays."""
        return PreviewExpert(self.travel == "action")

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """Resolve names and register the rows' arrays."""
        sim = s.sim
        self._part = SeamPart(s, self.plates)
        self._motion = self._torch()
        self._motion.bind(s)
        self._ready = self._motion.approach(np.array(WELDERS[self.robot].home), *self._part.nominal_start())
        self._tcp = sim.output("site_xpos", "site", "tcp")
        self._tcp_matrix = sim.output("site_xmat", "site", "tcp")
        self._contacts = sim.batch.bind("ncon")
        upper = 1e3 * self.plates.upper
        self._weld = SeamWeld(
            s, self.joint, min(upper, 1e3 * self.plates.base), LENGTH_MM, PROCEDURE,
            edge_mm=upper if self.joint == "lap" else np.inf,
        )  # fmt: skip
        self._tracking = Tracking(s, RUN_IN_MM, LENGTH_MM - 1.0)
        window = Window.of(self.joint, upper if self.joint == "lap" else 1e3 * self.plates.height)
        self._laser = LaserLine(s, window, self.preview_mm)
        self._register = SeamRegister(s, LENGTH_MM + self.preview_mm + 20.0, SLOWEST_STEPS)
        self._bead = BeadProfile(self._weld.process)
        self._trim = BeadTrim(s, LENGTH_MM + 20.0)
        for name, shape in (
            ("place_mm", ()), ("place_before_mm", ()), ("deviation_mm", (2,)), ("laser_errors", (3,)),
            ("hand_eye_mm", (2,)), ("wire_cast_mm", ()), ("drift_rate", ()), ("moved_mm", ()), ("legs_mm", (3,)),
            ("worst_legs_mm", ()), ("gap_seen_mm", ()), ("restraint", ()),
        ):  # fmt: skip
            s.new(name, shape)
        s.new("latency_steps", dtype=np.int64)
        s.new("touched", dtype=bool)

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """The part of this episode, its seam, the sensor, and the arm over the beginning."""
        self._part.shape(s, rows, params)
        s.travel_set_mm_s[rows] = params["travel_speed"]
        s.correction_mm[rows] = 0.0
        s.hand_eye_mm[rows] = params["hand_eye"]
        s.wire_cast_mm[rows] = params["wire_cast"]
        s.drift_rate[rows] = 0.01 * params["heat_drift"]
        s.moved_mm[rows] = 0.0
        s.latency_steps[rows] = np.clip(params["latency"], 0, SLOWEST_STEPS).astype(np.int64)
        errors = np.stack([params[name] for name in ("laser_noise", "spatter", "dropout")], axis=-1)
        s.laser_errors[rows] = np.maximum(errors, 0.0)
        # the torch has searched the beginning of the seam and missed it by a little
        path = self._motion.path
        _, lateral, height = path.locate(self._part.line.at(np.zeros(s.n))[rows], rows)
        s.correction_mm[rows, 0] = lateral + params["start_error"][:, 0]
        s.correction_mm[rows, 1] = height + params["start_error"][:, 1]
        self._motion.place(s, rows, self._ready)
        s.restraint[rows] = params["restraint"]

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """Strike the arc, and fill the register from the approach over the first millimetres."""
        lateral, height = s.deviation_mm[rows].T
        self._weld.begin(rows, episode_key(s.seed[rows], s.episode[rows]), lateral, height)
        self._weld.process.inputs["restraint"][rows] = s.restraint[rows]
        s.place_before_mm[rows] = s.place_mm[rows]
        s.legs_mm[rows] = 0.0
        s.worst_legs_mm[rows] = 0.0
        s.gap_seen_mm[rows] = 0.0
        self._tracking.begin(rows, s.place_mm[rows])
        self._trim.begin(rows)
        self._scan(s, rows)

    def _scan(self, s: Rows, rows: RowIndex) -> None:
        """What the sensor has seen before the arc is struck, from the beginning of the seam to its present line."""
        k, laser = rows.size, self._laser
        stations = int(self.preview_mm) + 1
        back = np.arange(stations) - self.preview_mm
        every = np.repeat(rows, stations)
        frames = self._motion.path.at(np.tile(back, k), every)
        target, rotation = self._motion.pose(frames, s.correction_mm[every])
        position = self._laser.at_tcp(target, rotation)
        shape = (k, stations)
        distance = laser.distances_mm(s, position.reshape(*shape, 3), rotation.reshape(*shape, 3, 3), rows)
        frame = np.tile(np.arange(stations), k)
        key = np.repeat(episode_key(s.seed[rows], s.episode[rows]), stations)
        u, w, seen = laser.profile(distance.reshape(len(every), -1), self._errors(s, every), key, frame)
        place, values, valid, _ = self._located(s, laser.features(u, w, seen), position, rotation, every)
        self._register.begin(rows, place.reshape(shape), values.reshape(*shape, 2), valid.reshape(shape))

    def _errors(self, s: Rows, rows: RowIndex | slice) -> LaserErrors:
        noise, spatter, dropout = s.laser_errors[rows].T
        return LaserErrors(noise, spatter, dropout)

    def measure(self, s: Rows) -> None:
        """Where the wire is on the true seam."""
        place, lateral, height = self._part.line.locate(self._tcp)
        s.place_mm[...] = place
        s.deviation_mm[:, 0] = lateral + s.wire_cast_mm
        s.deviation_mm[:, 1] = height
        np.greater(self._contacts, 0, out=s.touched)

    def accumulate(self, s: Rows) -> None:
        """Weld, let the plates move, judge, and look ahead and back."""
        dt = s.timing.control_dt
        advance = s.place_mm - s.place_before_mm
        s.place_before_mm[...] = s.place_mm
        weld, process = self._weld, self._weld.process
        weld.surface["tack_mm"][...] = self._part.tack_mm(s.place_mm)
        process.inputs["gap_mm"][...] = self._part.gap_mm(s.place_mm)
        weld.step(s, s.deviation_mm[:, 0], s.deviation_mm[:, 1], advance / dt)
        self._tracking.add(s.place_mm, s.deviation_mm[:, 0], s.deviation_mm[:, 1])
        # heat moves the seam away from the standing plate, which leans over the bead
        s.moved_mm[...] = process.drift_mm + s.drift_rate * process.travelled_mm
        self._part.drift(s, s.moved_mm)
        self._look(s)
        self.measure(s)

    def _look(self, s: Rows) -> None:
        """The frame of this step into the register, and the bead behind."""
        laser = self._laser
        features = laser.expose(s, self._errors(s, slice(None)))
        place, values, valid, gap = self._located(s, features, *laser.frame(), slice(None))
        self._register.take(place, values, valid, s.latency_steps)
        s.gap_seen_mm[...] = np.where(valid, gap, s.gap_seen_mm)
        s.legs_mm[...] = self._bead.read(episode_key(s.seed, s.episode))
        slices = self._weld.process.slices
        newest = np.maximum(slices.frozen - 1, 0)
        row = np.arange(s.n)
        legs = np.abs(slices["leg_1_mm"][row, newest] - slices["leg_2_mm"][row, newest])
        np.maximum(s.worst_legs_mm, legs, out=s.worst_legs_mm)
        there = self._register.at(s.taught_mm[:, None])[:, 0, 0]
        self._trim.add(s.taught_mm, s.correction_mm[:, 0] - there, self._bead.behind_mm, s.legs_mm)

    def _located(
        self, s: Rows, features: Features, position: Array, rotation: Array, rows: RowIndex | slice
    ) -> tuple[Array, Array, NDArray[np.bool_], Array]:
        """Place along the taught path, lateral and height of features as the controller computes them, quantized."""
        point = world_point(position, rotation, features.u, features.w)
        place, lateral, height = self._motion.path.locate(point, rows)
        values = np.stack((lateral, height), axis=-1) + s.hand_eye_mm[rows]
        near = (np.abs(values) < 20.0).all(axis=-1)
        values = np.where(near[:, None], np.round(values / 0.1) * 0.1, 0.0)
        return np.where(near, place, 0.0), values, features.valid & near, features.gap

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """At the end of the seam, in tolerance."""
        t = self._tracking
        inside = (t.rms_mm(0) <= RMS_MM) & (t.largest_mm(0) <= LARGEST_MM)
        out: NDArray[np.bool_] = t.complete & inside & (t.rms_mm(1) <= HEIGHT_RMS_MM)
        return out & (t.largest_mm(1) <= HEIGHT_LARGEST_MM) & ~self._spoilt(s)

    def _spoilt(self, s: Rows) -> NDArray[np.bool_]:
        away = np.maximum(np.abs(s.deviation_mm[:, 0]), np.abs(s.deviation_mm[:, 1])) > LOST_MM
        out: NDArray[np.bool_] = s.touched | self._weld.lost() | away
        return out

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """What no seam comes back from, and a seam that is finished but bad."""
        away = np.maximum(np.abs(s.deviation_mm[:, 0]), np.abs(s.deviation_mm[:, 1])) > LOST_MM
        return {
            "collision": s.touched.copy(),
            "arc_lost": self._weld.lost(),
            "seam_lost": away,
            "out_of_tolerance": self._tracking.complete & ~self.succeeded(s),
        }

    def violations(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """Wire beside the tolerated band now."""
        return {"deviation": np.abs(s.deviation_mm[:, 0]) > LARGEST_MM}

    # -- observations, rewards, metrics -----------------------------------------------------------------------

    def observe_seam_ahead(self, s: Rows) -> Array:
        """The register relative to the correction, lateral then height."""
        ahead = self._register.at(s.taught_mm[:, None] + np.array(AHEAD_MM))
        return (ahead - s.correction_mm[:, :, None]).reshape(s.n, -1)

    def observe_feature(self, s: Rows) -> Array:
        """The newest feature; zeros where it is not valid."""
        newest = self._register.newest(s.latency_steps)
        valid = newest[:, :1]
        return np.concatenate((valid, valid * (newest[:, 2:] - s.correction_mm), s.gap_seen_mm[:, None]), axis=1)

    def observe_correction(self, s: Rows) -> Array:
        """Torch from the taught path."""
        out: Array = s.correction_mm
        return out

    def observe_correction_rate(self, s: Rows) -> Array:
        """Speed of the correction."""
        out: Array = s.correction_rate_mm_s
        return out

    def observe_travel_speed(self, s: Rows) -> Array:
        """Commanded speed."""
        return s.travel_mm_s[:, None]

    def observe_remaining(self, s: Rows) -> Array:
        """Taught path that is left."""
        return LENGTH_MM - s.taught_mm[:, None]

    def observe_arc(self, s: Rows) -> Array:
        """Current and voltage relative to the procedure."""
        arc = self._weld.process.arc
        return np.stack(
            (arc.mean_current_a / PROCEDURE.current_a - 1.0, arc.mean_voltage_v / PROCEDURE.voltage_v - 1.0), axis=1
        )

    def observe_bead(self, s: Rows) -> Array:
        """Legs behind the arc."""
        legs = s.legs_mm
        return np.stack((legs[:, 0] - legs[:, 1], legs[:, 0] + legs[:, 1], legs[:, 2]), axis=1)

    def observe_bead_bias(self, s: Rows) -> Array:
        """Estimate from the bead, and what it rests on."""
        return np.stack((self._trim.bias_mm, self._trim.weight), axis=1)

    def observe_deviation(self, s: Rows) -> Array:
        """Wire from root."""
        out: Array = s.deviation_mm
        return out

    def observe_true_bias(self, s: Rows) -> Array:
        """What neither register nor arm know: lateral and height."""
        return np.stack((s.hand_eye_mm[:, 0] + s.wire_cast_mm, s.hand_eye_mm[:, 1]), axis=1)

    def observe_drift(self, s: Rows) -> Array:
        """Motion of the part so far."""
        return s.moved_mm[:, None]

    def observe_latency(self, s: Rows) -> Array:
        """Of the sensor."""
        return s.latency_steps[:, None].astype(np.float64)

    def _share(self, s: Rows) -> Array:
        """Seam welded in this step as a share of the most that a step can weld; its end is reached with lag."""
        return np.minimum(self._tracking.step_mm / (1.2 * FASTEST_MM_S * s.timing.control_dt), 1.0)

    def reward_lateral(self, s: Rows) -> Array:
        """Fine lateral tracking by the millimetre."""
        share = s.deviation_mm[:, 0] / 0.25
        return self._share(s) / (1.0 + share * share)

    def reward_height(self, s: Rows) -> Array:
        """Height by the millimetre."""
        share = s.deviation_mm[:, 1] / 0.8
        return self._share(s) / (1.0 + share * share)

    def reward_near(self, s: Rows) -> Array:
        """Coarse tracking by the millimetre."""
        d = s.deviation_mm
        distance = np.sqrt(d[:, 0] * d[:, 0] + d[:, 1] * d[:, 1])
        return self._share(s) * (1.0 - np.tanh(distance / 3.0))

    def reward_effort(self, s: Rows) -> Array:
        """Accelerations of the corrections."""
        a = s.correction_acceleration / CorrectionLimits().acceleration_mm_s2
        return np.minimum(0.5 * (a[:, 0] * a[:, 0] + a[:, 1] * a[:, 1]), 1.0)

    def reward_failure(self, s: Rows) -> Array:
        """Any failure."""
        failed = self.failures(s)
        out = np.zeros(s.n, dtype=bool)
        for mask in failed.values():
            out |= mask
        return out.astype(np.float64)

    def reward_success(self, s: Rows) -> Array:
        """Success at this step."""
        return self.succeeded(s).astype(np.float64)

    def metric_lateral_rms(self, s: Rows) -> Array:
        """RMS by length."""
        return self._tracking.rms_mm(0)

    def metric_lateral_largest(self, s: Rows) -> Array:
        """Largest."""
        return self._tracking.largest_mm(0)

    def metric_height_rms(self, s: Rows) -> Array:
        """RMS by length."""
        return self._tracking.rms_mm(1)

    def metric_judged_length(self, s: Rows) -> Array:
        """Seam that has been judged."""
        return self._tracking.judged_mm

    def metric_weld_time(self, s: Rows) -> Array:
        """Time of the weld."""
        out: Array = s.time_s
        return out

    def metric_leg_difference(self, s: Rows) -> Array:
        """Worst slice so far."""
        out: Array = s.worst_legs_mm
        return out

    def overlay(self, s: Rows, row: int) -> Overlay:
        """The bead, the arc and the line of light."""
        overlay = Overlay()
        process = self._weld.process
        laid = ripple_places(float(process.slices.frozen[row]) * process.slices.slice_mm)
        if laid.size:
            frames = self._part.frames(row, laid)
            bead = laid_bead(process, row, laid, frames)
            draw_weld(overlay, bead, *self._arc(row), bool(process.inputs["arc_on"][row] > 0.5))
        overlay.traces.append((self._light(s, row), 0.0006, (1.0, 0.05, 0.05, 1.0)))
        return overlay

    def _arc(self, row: int) -> tuple[Array, Array]:
        wire = self._tcp_matrix[row].reshape(3, 3)[:, 2]
        return self._tcp[row].copy(), wire.copy()

    def _light(self, s: Rows, row: int) -> Array:
        """The line of light on the part (k, 3), without what misses it."""
        position, rotation = self._laser.frame()
        one = np.array([row])
        hit = self._laser.distances_mm(s, position[one, None], rotation[one, None], one)[0, 0]
        seen = hit[np.isfinite(hit)]
        u, w = (v[np.isfinite(hit)] for v in self._laser.fan)
        points = world_point(
            np.broadcast_to(position[row], (seen.size, 3)), np.broadcast_to(rotation[row], (seen.size, 3, 3)),
            seen * u, (seen - 0.3) * w,
        )  # fmt: skip
        return points
