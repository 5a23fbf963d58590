"""WeldGapFill: the gap and its reading, the table of the procedure, the steady bead, whole welds, episode ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("mujoco")

from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.welding.arc import Parameters, load_line, source_voltage
from shopfloor.envs.welding.consumables import CO2, solid_wire
from shopfloor.envs.welding.gap_fill import SEAM_MM, WeldGapFill
from shopfloor.envs.welding.gap_fill_fit_up import AHEAD_MM, QUANTUM_MM
from shopfloor.envs.welding.gap_fill_table import qualify
from shopfloor.envs.welding.gap_fill_work import TRAVEL_MM_S, make_work
from shopfloor.envs.welding.inspection import FIT_UP, crowded, grade_welds, inspect, lasting
from shopfloor.envs.welding.iso5817 import ISO_5817
from shopfloor.envs.welding.joint import make_joint
from shopfloor.envs.welding.process import WeldProcess
from shopfloor.envs.welding.reserve import reserve
from shopfloor.envs.welding.slices import Slices
from shopfloor.envs.welding.steady import steady_bead
from shopfloor.envs.welding.work_surface import POOL_MM
from shopfloor.errors import ShopfloorError

EXACT = {
    "scan_bias": 0.0, "scan_shift": 0.0, "efficiency_error": 0.0, "feed_slip": 0.0, "burn_off_error": 0.0,
    "ctwd_error": 0.0, "aim_error": 0.0, "plate_temperature": 20.0,
}  # fmt: skip


def started(n: int = 1, seed: int = 0, params: dict[str, Any] | None = None, **kwargs: Any) -> BatchedCell:
    cell = BatchedCell(WeldGapFill(**kwargs), n, 1)
    cell.reset(seeds=seed + np.arange(n), params=params)
    return cell


def play(cell: BatchedCell, by: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Reasons and returns of one episode a row, by the expert, another script, or constant set-points."""
    script = cell.task.expert() if by is None else by
    running, total, reason = np.ones(cell.n, bool), np.zeros(cell.n), np.zeros(cell.n, np.int64)
    while running.any():
        action = np.tile(by, (cell.n, 1)) if isinstance(by, tuple) else script.act(cell.s, cell.readings())
        cell.step(action)
        total[running] += cell.reward[running]
        over = running & (cell.terminated | cell.truncated)
        reason[over] = cell.reason[over]
        running &= ~over
    return np.array(cell.reasons, dtype=object)[reason], total


# --- the bead of steady set-points --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind,thickness,wire,current", [("fillet", 6.0, 1.2, 250.0), ("lap", 3.2, 1.0, 150.0),
                                                          ("butt", 3.2, 1.0, 140.0)])  # fmt: skip
def test_steady_bead_is_where_the_process_ends(kind: str, thickness: float, wire: float, current: float) -> None:
    n = 12
    rng = np.random.default_rng(1)
    joint = make_joint(n, kind, thickness)
    process = WeldProcess(n, joint, 40.0, solid_wire(wire), CO2)
    process.begin(np.arange(n))
    p = process.parameters
    feed = rng.uniform(90.0, 160.0, n)
    voltage = source_voltage(p, load_line(np.full(n, current)), np.full(n, current))
    inputs = {
        "wire_feed_mm_s": feed, "voltage_v": voltage, "travel_mm_s": rng.uniform(4.0, 9.0, n), "ctwd_mm": 16.0,
        "gap_mm": rng.uniform(0.0, 1.0, n), "weave_mm": rng.uniform(0.0, 2.0, n), "offset_mm": 0.2,
    }  # fmt: skip
    for name, value in inputs.items():
        process.inputs[name][:] = value
    process.inputs["arc_on"][:] = 1.0
    for _ in range(120):
        process.step(0.1)
    steady = steady_bead(p, joint, CO2.co2_share, inputs)
    for name in steady:
        if name in ("time_s", "pore_mm"):
            continue
        np.testing.assert_allclose(steady[name][:, 0], process.slices[name][:, 30], rtol=3e-3, atol=3e-3, err_msg=name)


def test_an_arc_that_was_struck_on_a_run_on_plate_welds_the_first_millimetre_like_the_others() -> None:
    process = WeldProcess(1, make_joint(1, "fillet", 6.0), 30.0)
    rows = np.array([0])
    process.begin(rows)
    for name, value in (("wire_feed_mm_s", 130.0), ("voltage_v", 31.0), ("travel_mm_s", 6.0), ("arc_on", 1.0)):
        process.inputs[name][:] = value
    process.run_on(rows)
    start = float(process.arc.extension_mm[0])
    for _ in range(40):
        process.step(0.1)
    throat = process.slices["throat_mm"][0, : int(process.slices.frozen[0])]
    np.testing.assert_allclose(throat, throat[-1], rtol=1e-3)
    # the ledger of the wire still closes: what was fed and has not melted is in the extension
    in_extension = process.fed_mm[0] - process.melted_mm[0]
    assert in_extension == pytest.approx(process.arc.extension_mm[0] - process_start(), abs=1e-9)
    assert start == pytest.approx(process.arc.extension_mm[0], rel=1e-6)


def process_start() -> float:
    """Extension with which `begin` leaves the wire."""
    process = WeldProcess(1, make_joint(1, "fillet", 6.0), 30.0)
    process.begin(np.array([0]))
    return float(process.arc.extension_mm[0])


# --- inspection of many welds at once -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["fillet", "lap", "butt"])
@pytest.mark.parametrize("slice_mm", [1.0, 2.0])
def test_whole_welds_grade_as_their_reports_say(kind: str, slice_mm: float) -> None:
    n, length = 40, 160.0
    rng = np.random.default_rng(7)
    joint = make_joint(n, kind, rng.choice([2.0, 6.0, 10.0], n))
    slices = Slices(
        n, length, slice_mm, lambda name, shape=(), dtype=np.float64, fill=0: np.full((n, *shape), fill, dtype)
    )
    good = {"deposit_mm2": 20.0, "throat_mm": joint.throat_mm[:, None] + 0.1, "leg_1_mm": 6.0, "leg_2_mm": 6.0,
            "toe_angle_deg": 160.0, "width_mm": 9.0, "root_mm": 1.0}  # fmt: skip
    for name, value in good.items():
        slices[name][...] = value
    # flaws over stretches of any length, so that some are short and some are not
    for row in range(n):
        for name, size in (("throat_mm", -0.4), ("underfill_mm", 0.3), ("undercut_mm", 0.4), ("gap_mm", 1.0)):
            if rng.random() < 0.6:
                start, width = rng.integers(0, slices.count), rng.integers(1, slices.count // 2)
                slices[name][row, start : start + width] += size * rng.random()
    slices.frozen[:] = slices.count
    grades = grade_welds(slices, joint, slice_mm, ISO_5817, FIT_UP)
    expected = [inspect(slices, joint, row, ISO_5817, without=FIT_UP).level for row in range(n)]
    assert [ISO_5817.level(int(g)) for g in grades] == expected
    assert len(set(expected)) >= 2


def test_crowding_of_many_welds_is_that_of_each() -> None:
    flawed = np.random.default_rng(3).random((20, 230)) < 0.3
    together = crowded(flawed, 1.0)
    for row, marks in zip(flawed, together, strict=True):
        np.testing.assert_array_equal(crowded(row, 1.0), marks)


# --- gap and reading ----------------------------------------------------------------------------------------------


def test_gaps_keep_to_what_the_joint_can_have() -> None:
    for joint in ("fillet", "lap", "butt"):
        cell = started(64, joint=joint)
        low, high = cell.task.work.gap_mm
        gap = cell.task.bench.fit_up.gap
        assert gap.min() >= low - 1e-6 and gap.max() <= high + 1e-6
        assert gap.max() - gap.min() > 0.7 * (high - low)


def test_the_reading_is_shifted_biased_and_in_steps() -> None:
    exact = started(32, params={**EXACT, "scan_noise": 0.04})
    gap, scan = exact.task.bench.fit_up.gap, exact.task.bench.fit_up.scan
    error = (scan - gap)[:, 10:-10]
    assert abs(error.mean()) < 0.005 and 0.01 < error.std() < 0.1
    biased = BatchedCell(WeldGapFill(), 32, 1, randomization="train")
    biased.reset(seeds=np.arange(32), randomization={"scan_bias": 0.3, "scan_shift": 0.0})
    fit_up = biased.task.bench.fit_up
    inside = fit_up.gap > 0.2  # a reading cannot be negative
    assert (fit_up.scan - fit_up.gap)[inside].mean() == pytest.approx(0.3, abs=0.02)
    averaged = scan * 5.0 / QUANTUM_MM
    np.testing.assert_allclose(averaged, np.round(averaged), atol=2e-3)


def test_the_controller_sees_the_gap_before_the_arc_gets_there() -> None:
    cell = started(8, params=EXACT)
    for _ in range(50):
        cell.step(cell.task.expert().act(cell.s, cell.readings()))
    at = cell.task.bench.process.travelled_mm
    seen = cell.readings()["gap_ahead"]
    for column, ahead in enumerate(AHEAD_MM):
        true = cell.task.bench.fit_up.at(at + ahead)
        assert np.abs(seen[:, column] - true).max() < 0.2


# --- the procedure ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("joint,gas", [("fillet", "co2"), ("fillet", "mix"), ("lap", "co2"), ("butt", "co2")])
def test_the_table_joins_every_gap_and_lays_more_metal_over_wider_ones(joint: str, gas: str) -> None:
    work = make_work(joint, gas=gas)
    table = qualify(work, "C")
    assert (table.forgiven > 0.3).all() and table.forgiven[0] == 1.0
    metal = table.feed_m_min / table.travel_mm_s
    if joint != "butt":  # a butt joint needs more depth, not more metal, where it does not gape
        assert metal[-1] > 1.2 * metal[0]
    low, high = work.feed_m_min
    assert ((table.feed_m_min >= low) & (table.feed_m_min <= high)).all()
    assert ((table.travel_mm_s >= TRAVEL_MM_S[0]) & (table.travel_mm_s <= TRAVEL_MM_S[1] + 1e-9)).all()


def test_a_stricter_level_costs_speed_or_forgiveness() -> None:
    work = make_work()
    strict, medium = qualify(work, "B"), qualify(work, "C")
    assert (strict.forgiven <= medium.forgiven).all()


@pytest.fixture(scope="module")
def welded() -> tuple[BatchedCell, np.ndarray]:
    """Nominal seams as the expert has welded them, and how that ended."""
    cell = started(24)
    return cell, play(cell)[0]


def test_the_expert_welds_nominal_seams(welded: tuple[BatchedCell, np.ndarray]) -> None:
    assert (welded[1] == "success").mean() >= 0.90


@pytest.mark.slow
@pytest.mark.parametrize("joint,split,share", [("lap", None, 0.9), ("butt", None, 0.9), ("fillet", "train", 0.8)])
def test_the_expert_welds_other_joints_and_on_other_machines(joint: str, split: str | None, share: float) -> None:
    cell = BatchedCell(WeldGapFill(joint), 96, 1, randomization=split)
    cell.reset(seeds=np.arange(96))
    assert (play(cell)[0] == "success").mean() >= share


def test_success_is_what_the_report_says(welded: tuple[BatchedCell, np.ndarray]) -> None:
    cell, reasons = welded
    process, levels = cell.task.bench.process, cell.metrics()["quality_level"]
    for row in np.flatnonzero(process.slices.frozen == process.slices.count).tolist():
        report = inspect(process.slices, process.joint, row, ISO_5817, "C", without=FIT_UP)
        assert report.accepted == (reasons[row] == "success")
        assert levels[row] == (0 if report.level == "rejected" else ISO_5817.grade(report.level))


# --- the oracle ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["fillet", "lap", "butt"])
def test_reserve_has_the_sign_of_what_inspection_says(kind: str) -> None:
    n, rng = 4000, np.random.default_rng(5)
    work = make_work(kind)
    joint, feed = work.joint(n), rng.uniform(*work.feed_m_min, n)
    slices = steady_bead(
        Parameters(n, work.wire, work.gas), joint, work.gas.co2_share,
        {
            "wire_feed_mm_s": 1000.0 / 60.0 * feed, "voltage_v": work.source_voltage(feed, np.zeros(n)),
            "travel_mm_s": rng.uniform(*TRAVEL_MM_S, n), "ctwd_mm": work.ctwd_mm + rng.uniform(-2.0, 2.0, n),
            "weave_mm": rng.uniform(0.0, 3.0, n), "offset_mm": rng.normal(0.0, 0.4, n),
            "gap_mm": rng.uniform(*work.gap_mm, n), "roll_deg": work.roll_deg, "plate_c": 80.0,
        },
    )  # fmt: skip
    left = reserve(slices, joint, "C", FIT_UP)[:, 0]
    good = lasting(slices, joint, "C", ISO_5817, FIT_UP)[:, 0]
    assert 0.02 < good.mean() < 0.9
    # a smooth minimum of a dozen quantities lies below the least of them by no more than log(12)
    assert good[left > 0.0].all()
    assert not good[left < -np.log(12.0)].any()


def test_the_oracle_is_accepted_on_machines_on_which_the_table_is_not() -> None:
    shares = {}
    for who in ("expert", "oracle"):
        cell = BatchedCell(WeldGapFill(), 96, 1, randomization="train")
        cell.reset(seeds=np.arange(96))
        script = getattr(cell.task, who)()
        script.reset(cell.s, np.arange(96))
        shares[who] = (play(cell, script)[0] == "success").mean()
    assert shares["oracle"] >= 0.90 and shares["oracle"] > shares["expert"]


# --- episodes -----------------------------------------------------------------------------------------------------


def test_constant_settings_do_not_fill_a_gap_that_varies() -> None:
    reasons, _ = play(started(24), (8.0, 8.0, 0.0, 0.0))
    assert (reasons == "success").mean() < 0.1


def test_holes_end_an_episode_and_never_pay() -> None:
    wide = {"gap_mean": 0.8, "gap_slope": 0.0, "gap_variation": 0.25, "step_size": 0.0}
    reasons, burnt = play(started(8, params=wide, joint="butt"), (10.8, 4.0, 3.0, 0.0))
    assert (reasons == "burn_through").all()
    reasons, poor = play(started(8, params=wide, joint="butt"), (4.0, 12.0, 0.0, 0.0))
    assert (reasons == "rejected").all()
    assert poor.min() > burnt.max()


def test_set_points_move_no_faster_than_the_machine() -> None:
    cell = started(1)
    cell.step(np.array([[9.0, 5.0, 0.0, 0.0]]))
    np.testing.assert_array_equal(cell.s.in_force[0], [9.0, 5.0, 0.0, 0.0])  # the arc is struck with the first ones
    cell.step(np.array([[3.0, 14.0, 3.0, 3.0]]))
    np.testing.assert_allclose(cell.s.in_force[0], [8.7, 7.0, 1.0, 0.5])


def test_rows_that_do_not_take_part_stay_as_they_are() -> None:
    cell = started(3)
    action = np.tile([8.0, 6.0, 0.0, 1.0], (3, 1))
    for _ in range(10):
        cell.step(action)
    before = cell.s.get_state()
    cell.step(action, np.array([0, 2]))
    after = cell.s.get_state()
    for name in ("travelled_mm", "slices", "current_a", "in_force", "deposited_mm3", "weld_time_s", "inputs"):
        np.testing.assert_array_equal(after[name][1], before[name][1], err_msg=name)
    assert (after["travelled_mm"] > before["travelled_mm"]).tolist() == [True, False, True]


def test_metal_of_an_episode_is_accounted_for() -> None:
    cell = started(3, joint="butt", seed=3)
    process = cell.task.bench.process
    while not (cell.terminated | cell.truncated).all():
        cell.step(cell.task.expert().act(cell.s, cell.readings()))
    p = process.parameters
    metal = process.melted_mm * p.metal_mm2
    np.testing.assert_allclose(process.deposited_mm3 + process.spatter_mm3, metal, rtol=1e-12)
    in_slices = process.slices["deposit_mm2"].sum(axis=1) * process.slices.slice_mm
    np.testing.assert_allclose(
        in_slices + process.run_off_mm3 + cell.s.open_sums[:, 1], process.deposited_mm3, rtol=1e-5
    )


# --- with a robot -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("joint", ["fillet", "butt"])
def test_an_arm_leads_the_torch_and_the_part_lies_askew(joint: str) -> None:
    turn = np.array([[0.1, 0.0], [0.0, 0.1], [0.1, -0.1]])
    cell = BatchedCell(WeldGapFill(joint, robot="arcmate100id"), 3, 1)
    task, s = cell.task, cell.s
    for row in range(3):
        cell.reset(
            np.array([row]), np.array([3]), {**EXACT, "aim_error": 0.2, "ctwd_error": 0.5, "part_turn": turn[row]}
        )
    process = task.bench.process
    rise = 0.0 if joint == "butt" else np.hypot(0.2, POOL_MM) - POOL_MM
    np.testing.assert_allclose(s.aim, 0.2, atol=1e-3)
    np.testing.assert_allclose(process.inputs["ctwd_mm"], task.work.ctwd_mm + 0.5 - rise, atol=1e-3)
    feed = 0.5 * sum(task.work.feed_m_min)
    for _ in range(40):
        cell.step(np.tile([feed, 10.0, 0.0, 0.0], (3, 1)))
    # servos lag by some hundredths of a second, and keep the speed
    welded = process.travelled_mm
    assert ((welded > 37.0) & (welded < 40.0)).all() and not task.bench.touched(s).any()
    np.testing.assert_allclose(process.inputs["travel_mm_s"], 10.0, rtol=1e-2)
    # over the length that was welded, a turn moves the aim by its yaw and the distance by its slope, leaning at 45 deg
    yaw, slope = np.tan(np.radians(turn)).T * welded
    lean = 0.0 if joint == "butt" else np.pi / 4
    beside, above = s.wire_mm.T - np.array([[0.2], [0.5]])
    np.testing.assert_allclose(beside, np.cos(lean) * yaw - np.sin(lean) * slope, atol=0.01)
    np.testing.assert_allclose(above, -np.sin(lean) * yaw - np.cos(lean) * slope, atol=0.01)
    np.testing.assert_array_equal(cell.readings("privileged")["aim"][:, 0], s.aim)


def test_with_and_without_a_robot_a_policy_sees_and_does_the_same() -> None:
    alone, led = WeldGapFill(), WeldGapFill(robot="ar1440")
    assert alone.channels == led.channels and alone.make_action().terms == led.make_action().terms
    assert "collision" in led.failure_texts and "collision" not in alone.failure_texts


def test_rows_that_do_not_take_part_stay_as_they_are_with_a_robot() -> None:
    cell = started(3, robot="ar1440")
    action = np.tile([8.0, 6.0, 0.0, 1.0], (3, 1))
    for _ in range(3):
        cell.step(action)
    before = cell.s.get_state()
    cell.step(action, np.array([0, 2]))
    after = cell.s.get_state()
    for name in ("travelled_mm", "taught_mm", "along_mm", "wire_mm", "aim", "joint_reference", "inputs"):
        np.testing.assert_array_equal(after[name][1], before[name][1], err_msg=name)
    assert (after["travelled_mm"] > before["travelled_mm"]).tolist() == [True, False, True]


def test_the_work_says_what_it_cannot_do() -> None:
    for kwargs, text in (
        ({"joint": "corner"}, "fillet, lap, butt"), ({"gas": "argon"}, "co2, mix"),
        ({"thickness_mm": 40.0}, "one pass"), ({"wire_mm": 3.0}, "wire diameter"), ({"quality_level": "A"}, "B, C, D"),
        ({"robot": "scara"}, "ar1440, arcmate100id"),
    ):  # fmt: skip
        with pytest.raises(ShopfloorError, match=text):
            WeldGapFill(**kwargs)


def test_seams_are_longer_than_the_window_of_short_imperfections() -> None:
    assert SEAM_MM >= 2 * 100.0
    assert Parameters(1, solid_wire(1.2), CO2).n == 1
