"""WaferTransferLot: carry the wafers of a lot on pads whose friction nobody knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.transfer_chamber import STATIONS
from ...errors import ShopfloorError
from ..control.path_parameters import MoveParameters
from ..engine.task import Array, Metric, Reward, RowIndex, Rows, Timing
from .lot_expert import LotExpert, LotOracle
from .lot_terms import HISTORY, LEGS, MOVES, OFFSET_SIGMA_MM, TRANSFERS, channels, start_terms
from .pads import chosen_sets, drawn_pads, nominal_friction, pad_friction, pad_sets
from .profiles import GRAVITY, tilt_limits
from .transfer import SLIP_TOLERANCE_MM, WaferTransfer
from .transfer_terms import ARM_JOINTS

LOST_MM = 10.0  # as in WaferCenter: beyond this the rim is no longer clear of slits and pedestals
# What a robot does besides these moves for each wafer of a robot-bound tool (fetch, hand off, way back), and for one
# that has slipped, which goes by the aligner (s).
HANDLING_S, REALIGNMENT_S = 5.0, 4.0
ALLOWED_SLIPS = 1
_HISTORY = ("past_launch", "past_acceleration", "past_deceleration", "past_period")


class WaferTransferLot(WaferTransfer):
    """A vacuum SCARA robot moves the wafers of a lot, on pads whose friction is hidden.

    An episode is a lot of six moves, one after the other: retract from a station, turn to the next one, extend into it,
    and once more. The pads are of one of two kinds, hard ceramic or perfluoroelastomer; which one is known, and so is
    their temperature, which follows that of the wafers. What this batch of pads grips with, how that fades with
    temperature and what wear has left of it is not known, and there is no slip sensor and no estimate. After every move
    the beams at the station measure how far the wafer has moved on the paddle; it is centred again before the next
    move. Those offsets, and the settings that caused them, are the only evidence.

    Once per lot a wafer may slip out of tolerance: it costs time at the aligner, and it tells what the friction is. A
    second one ends the lot, and so does one that slips so far that it is lost; either is found when it arrives. A short
    triangle of acceleration at the beginning of a move (`launch_utilization`) asks how much the pads hold at little
    risk: a wafer that slides in it is caught again within millimetres.

    The policy sets the parameters of each move when it begins, one decision a move (see `MoveParameters`), in shares
    of the friction that a data sheet would give for unworn average pads of the kind at their temperature.

    What the model leaves out: friction has one coefficient, so that a wafer that slides is not held less than one that
    sticks; the three pads are equally worn and equally warm; the frequency of the arm's mode does not follow its
    extension; and the arm never touches anything.

    Args:
        pads: "any" kind, "ceramic" or "elastomer"; their ranges are in `configs/wafer/pads.yaml`, nominal and
            unverified.
        offset_sigma_mm: standard deviation of each coordinate of a measured offset.
        frequency_error: standard deviation of the frequency estimate, relative.
    """

    title: ClassVar[str] = "vacuum robot carries a lot of wafers on pads of hidden friction: explore, adapt, stay safe"
    timing = Timing(control_hz=10.0, timestep_s=0.001, horizon_s=30.0)
    main_metric = "wafers_per_hour"
    success_hold_s = 0.0
    success_text = (
        f"all {MOVES} moves made, no wafer lost, and at most {ALLOWED_SLIPS} slipped by more than "
        f"{SLIP_TOLERANCE_MM:g} mm on a pad"
    )
    failure_texts = {
        "wafer_lost": f"a wafer arrived that had slipped by more than {LOST_MM:g} mm on a pad",
        "slipped_again": f"a second wafer arrived that had slipped by more than {SLIP_TOLERANCE_MM:g} mm on a pad",
    }
    randomization = "wafer_transfer_lot"
    references: ClassVar[tuple[str, ...]] = (
        "Lucas et al., US patent 5655060 (Brooks Automation, 1997): friction limits acceleration, resonance jerk",
        "Grosch: The relation between the friction and visco-elastic properties of rubber, Proc. R. Soc. A 274, 1963",
        "US patent 5706201 (Fortrend Engineering, 1998): wafer offset from beam edges",
        "SEMI M1: silicon wafers of 300 mm",
    )

    # The slowest lot that ends well is worth more than any that ends early.
    rewards = {
        "time": Reward(-0.6, "control period divided by the friction-limited time of the present move"),
        "progress": Reward(6.0, "share of the lot's paths covered in this step"),
        "slip": Reward(-1.0, "1 at the step in which a wafer arrives that has slipped out of tolerance"),
        "failure": Reward(-6.0, "1 at the step in which a lost wafer arrives, or one too many that has slipped"),
        "success": Reward(3.0, "1 at the step in which success is reached"),
    }
    metrics = {
        "wafers_per_hour": Metric(
            "1/h", "higher",
            f"of a robot-bound tool: {HANDLING_S:g} s of other handling a wafer, {REALIGNMENT_S:g} s for one that "
            "slipped; NaN until the lot is complete",
        ),
        "moving_time": Metric("s", "lower", "sum of the moves, each until it is complete and settled for good"),
        "time_ratio": Metric("1", "lower", "that sum divided by the friction-limited time of these moves"),
        "moves": Metric("1", "higher", "moves completed"),
        "slipped": Metric("1", "lower", "wafers that slipped out of tolerance"),
        "largest_slip": Metric("mm", "lower", "largest displacement of a wafer on a pad"),
        "peak_acceleration": Metric("m/s^2", "lower", "largest commanded acceleration in the plane of the paddle"),
        "peak_jerk": Metric("m/s^3", "lower", "largest commanded jerk along the path, mean over a control step"),
    }  # fmt: skip

    def __init__(
        self, pads: str = "any", offset_sigma_mm: float = OFFSET_SIGMA_MM, frequency_error: float = 0.03
    ):  # fmt: skip
        first, last = chosen_sets(pads)
        for name, value, most in (("offset_sigma_mm", offset_sigma_mm, 1.0), ("frequency_error", frequency_error, 0.3)):
            if not 0.0 <= value <= most:
                raise ShopfloorError(f"{name} must lie in [0, {most:g}], got {value!r}")
        self.action = "move_parameters"
        self.start = start_terms(first, last, offset_sigma_mm, frequency_error)
        self.channels = channels(tuple(pad_sets()))

    # -- declaration ------------------------------------------------------------------------------------------

    def make_action(self) -> MoveParameters:
        """Parameters of each move; kept, because a move that ends resets it."""
        self._planner = MoveParameters(
            self, ARM_JOINTS, utilization=(0.2, 2.0), periods=(0.5, 2.0), velocity=1.6, acceleration=8.0,
            shaper_period=(0.025, 0.25), interpolator_hz=250.0,
        )  # fmt: skip
        return self._planner

    def expert(self) -> LotExpert:
        """Careful start, then what the measured offsets allow."""
        return LotExpert()

    def oracle(self) -> LotOracle:
        """True friction of every move."""
        return LotOracle()

    # -- episode ----------------------------------------------------------------------------------------------

    def allocate(self, s: Rows) -> None:
        """The row arrays of one move, and those of the lot."""
        super().allocate(s)
        self._wafer_rates = int(s.sim.qvel_index(("wafer_free",))[0])
        self._paddle_quaternion = s.sim.output("xquat", "body", "paddle")
        for name, shape in (
            ("move_number", ()), ("pad_set", ()), ("pad_celsius", ()), ("wafer_celsius", ()), ("heat_share", ()),
            ("pads", (4,)), ("nominal_friction", ()), ("heading", (TRANSFERS + 1,)), ("reach", (TRANSFERS + 1,)),
            ("retracted", (TRANSFERS,)), ("sag", ()), ("offset_noise", (2 * MOVES,)), ("move_begin_s", ()),
            ("moving_time", ()), ("bound_total", ()), ("slipped", ()), ("largest_slip", ()),
            ("slip_event", ()), ("found_slipped", ()), ("time_share", ()), ("path_outward", ()),
            ("past_offset_mm", (2 * HISTORY,)),
            *((name, (HISTORY,)) for name in _HISTORY),
        ):  # fmt: skip
            s.new(name, shape)

    def _choose_move(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        headings = np.array(list(STATIONS.values()))
        station = params["station"].astype(np.intp)[:, None]
        further = np.cumsum(params["turn"].astype(np.intp), axis=1)
        order = np.concatenate((station, station + further), axis=1) % headings.size
        # the shorter way round each time, so that the joints go on where they were
        turns = np.diff(headings[order], axis=1)
        turns -= 2.0 * np.pi * np.round(turns / (2.0 * np.pi))
        s.heading[rows] = np.cumsum(np.concatenate((headings[order][:, :1], turns), axis=1), axis=1)
        for name in ("reach", "retracted", "pad_set", "pad_celsius", "wafer_celsius", "heat_share", "offset_noise"):
            getattr(s, name)[rows] = params[name]
        s.move_number[rows] = 0.0
        self._set_path(s, rows)

    def _set_path(self, s: Rows, rows: RowIndex) -> None:
        """The path of the present move: the three legs of each transfer in turn; at the end of the lot it stays."""
        number = np.minimum(s.move_number[rows], MOVES - 1.0).astype(np.intp)
        transfer, leg = number // len(LEGS), number % len(LEGS)

        def of(name: str, index: NDArray[np.intp]) -> Array:
            return np.take_along_axis(getattr(s, name)[rows], index[:, None], axis=1)[:, 0]

        turning = leg == 1
        inner, here, there = of("retracted", transfer), of("heading", transfer), of("heading", transfer + 1)
        begin = np.where(leg == 0, of("reach", transfer), inner)
        end = np.where(leg == 2, of("reach", transfer + 1), inner)
        angle = there - here
        s.path_outward[rows] = np.where(turning, 0.0, np.sign(end - begin))
        s.path_sign[rows] = np.sign(np.where(turning, angle, end - begin))
        s.path_radius[rows] = begin
        s.path_curvature[rows] = np.where(turning, 1.0 / inner, 0.0)
        s.path_length[rows] = np.where(turning, inner * np.abs(angle), np.abs(end - begin))
        s.path_angle[rows] = np.where(leg == 2, there, here)

    def _choose_plant(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        s.pads[rows] = drawn_pads(params)
        self._set_friction(s, rows)
        known = {"friction": s.friction[rows], "friction_error": np.zeros(rows.size)}
        super()._choose_plant(s, rows, {**params, **known})
        # what the planner goes by is the data sheet, not the truth
        s.friction_estimate[rows] = s.nominal_friction[rows]
        s.acceleration_estimate[rows] = GRAVITY * s.nominal_friction[rows]

    def _set_friction(self, s: Rows, rows: RowIndex) -> None:
        """True friction and the data sheet's at the present temperature, and the bound of the present move."""
        pads, celsius = s.pads[rows], s.pad_celsius[rows]
        cold, hot, fade, wear = (np.ascontiguousarray(pads[:, k]) for k in range(4))
        s.friction[rows] = pad_friction(celsius, cold, hot, fade, wear)
        s.nominal_friction[rows] = nominal_friction(s.pad_set[rows], celsius)
        for pair in self._pairs.tolist():
            s.sim.field("pair_friction")[rows, pair, :2] = s.friction[rows][:, None]

    def _set_bound(self, s: Rows, rows: RowIndex) -> None:
        outward, inward = tilt_limits(s.friction[rows], np.abs(s.droop[rows]))
        s.bound_time[rows] = self.path.bound(s, rows, outward, inward)

    def commence(self, s: Rows, rows: RowIndex) -> None:
        """The first target, what the arm sags by, and zeros for what adds up."""
        tcp = self._tcp_position[rows]
        s.sag[rows] = np.sqrt(tcp[:, 0] ** 2 + tcp[:, 1] ** 2) - s.path_radius[rows]
        for name in (
            "move_begin_s", "moving_time", "bound_total", "slipped", "largest_slip", "slip_event", "time_share",
            "past_offset_mm", "progress", "peak_acceleration", "peak_jerk", *_HISTORY,
        ):  # fmt: skip
            getattr(s, name)[rows] = 0.0
        self._begin_move(s, rows)

    def _begin_move(self, s: Rows, rows: RowIndex) -> None:
        """Target and seat of a move whose path is set, with up-to-date physics."""
        end, angle = self.path.end(s)
        reach = end + s.sag
        s.target[rows] = np.stack((reach * np.cos(angle), reach * np.sin(angle)), axis=-1)[rows]
        s.seat[rows] = self._seat_position[rows, :2]
        s.seat_yaw[rows] = self._yaw()[rows]
        for name in (
            "slip_mm", "slip_step_mm", "found_slipped", "residual_mm", "previous_acceleration", "previous_distance",
        ):  # fmt: skip
            getattr(s, name)[rows] = 0.0
        s.move_time[rows] = np.nan
        s.move_begin_s[rows] = s.time_s[rows]
        self._measure_error(s, rows)

    def accumulate(self, s: Rows) -> None:
        """Slip and settling of the move, and the next move where one has ended."""
        running = s.move_number < MOVES
        super().accumulate(s)
        s.time_share[...] = np.where(running, s.timing.control_dt / s.bound_time, 0.0)
        # nobody sees a wafer slip before it has arrived
        s.slip_event[...] = running & s.path_complete & (s.slip_mm > SLIP_TOLERANCE_MM) & (s.found_slipped == 0.0)
        s.found_slipped += s.slip_event
        s.slipped += s.slip_event
        np.maximum(s.largest_slip, s.slip_mm, out=s.largest_slip)
        done = running & self._settled(s) & (s.slip_mm <= LOST_MM)
        if done.any():
            self._end_move(s, np.flatnonzero(done))

    def _end_move(self, s: Rows, rows: RowIndex) -> None:
        """Measure the offset, and go on with the next move where there is one."""
        s.moving_time[rows] += s.move_time[rows] - s.move_begin_s[rows]
        s.bound_total[rows] += s.bound_time[rows]
        number = s.move_number[rows].astype(np.intp)
        moved = 1e3 * (self._seat_position[rows, :2] - s.seat[rows])
        noise = np.take_along_axis(s.offset_noise[rows], np.stack((2 * number, 2 * number + 1), axis=-1), axis=1)
        s.past_offset_mm[rows] = np.concatenate((moved + noise, s.past_offset_mm[rows][:, :-2]), axis=1)
        settings = s.move_settings[rows]
        latest = (settings[:, 3], settings[:, 0], settings[:, 1], s.shaper_period[rows])
        for name, values in zip(_HISTORY, latest, strict=True):
            array = getattr(s, name)
            array[rows] = np.concatenate((values[:, None], array[rows][:, :-1]), axis=1)
        s.move_number[rows] += 1.0
        if (rows := rows[s.move_number[rows] < MOVES]).size:
            self._next_move(s, rows)

    def _next_move(self, s: Rows, rows: RowIndex) -> None:
        """The pads have warmed or cooled, the next wafer is seated, the next path is set."""
        s.pad_celsius[rows] += s.heat_share[rows] * (s.wafer_celsius[rows] - s.pad_celsius[rows])
        self._set_path(s, rows)
        self._set_friction(s, rows)
        self._set_bound(s, rows)
        s.acceleration_estimate[rows] = GRAVITY * s.nominal_friction[rows]
        self._seat_wafer(s, rows)
        self._planner.reset(s, rows)
        self._begin_move(s, rows)

    def _seat_wafer(self, s: Rows, rows: RowIndex) -> None:
        """A wafer at rest, centred on the paddle where the arm stands."""
        sim, free, rates = s.sim, self._wafer, self._wafer_rates
        sim.qpos[rows, free : free + 3] = self._tcp_position[rows]
        sim.qpos[rows, free + 3 : free + 7] = self._paddle_quaternion[rows]
        sim.qvel[rows, rates : rates + 6] = 0.0
        sim.forward(rows)

    def succeeded(self, s: Rows) -> NDArray[np.bool_]:
        """Lot complete, wafers where they should be."""
        done: NDArray[np.bool_] = (s.move_number >= MOVES) & (s.slipped <= ALLOWED_SLIPS) & (s.largest_slip <= LOST_MM)
        return done

    def failures(self, s: Rows) -> dict[str, NDArray[np.bool_]]:
        """A wafer lost, or one too many out of tolerance."""
        return {
            "wafer_lost": s.path_complete & (s.slip_mm > LOST_MM),
            "slipped_again": s.slipped > ALLOWED_SLIPS,
        }

    # -- observations, rewards, metrics -----------------------------------------------------------------------

    def observe_move_begins(self, s: Rows) -> Array:
        """Whether settings are about to be read."""
        return (s.shaper_period == 0.0).astype(np.float64)[:, None]

    def reward_time(self, s: Rows) -> Array:
        """Every step of a move costs, more in a move that could be short."""
        share: Array = s.time_share
        return share

    def reward_progress(self, s: Rows) -> Array:
        """Share of the lot."""
        share: Array = np.maximum(s.progress, 0.0) / MOVES
        return share

    def reward_slip(self, s: Rows) -> Array:
        """A wafer that has slipped out of tolerance in this step."""
        event: Array = s.slip_event
        return event

    def metric_wafers_per_hour(self, s: Rows) -> Array:
        """Moves, other handling and the aligner, one after the other."""
        total = s.moving_time + TRANSFERS * HANDLING_S + REALIGNMENT_S * s.slipped
        return np.where(s.move_number >= MOVES, 3600.0 * TRANSFERS / total, np.nan)

    def metric_moving_time(self, s: Rows) -> Array:
        """Sum over the lot."""
        return np.where(s.move_number >= MOVES, s.moving_time, np.nan)

    def metric_time_ratio(self, s: Rows) -> Array:
        """Against the friction-limited time."""
        total = np.where(s.bound_total > 0.0, s.bound_total, 1.0)
        return np.where(s.move_number >= MOVES, s.moving_time / total, np.nan)

    def metric_moves(self, s: Rows) -> Array:
        """Moves completed."""
        moves: Array = s.move_number
        return moves
