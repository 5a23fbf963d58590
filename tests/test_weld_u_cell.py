"""WeldUCell: seams and program of a double-hull cell, its welds from seam to seam, and how jobs end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.welding.consumables import CO2, solid_wire
from shopfloor.envs.welding.joint import make_joint
from shopfloor.envs.welding.process import WeldProcess
from shopfloor.envs.welding.u_cell import OVERLAP_RANGE_MM, WeldUCell
from shopfloor.envs.welding.u_cell_program import APPROACH, ON_AROUND, ON_SECOND, TO_SECOND
from shopfloor.envs.welding.u_cell_seams import (
    AIM_MM,
    BAR_MM,
    OVERLAP_MM,
    SECOND_MM,
    around_at,
    around_length,
    around_torch,
    locate_around,
    overlap_mm,
)
from shopfloor.envs.welding.u_cell_table import GAPS_MM, qualify
from shopfloor.envs.welding.u_cell_weld import NOMINAL_LEG_MM

QUIET: dict[str, Any] = {
    "cell_width": 0.8, "cell_length": 0.8, "stiffener": 11.0, "scallop": 42.0, "gap": [0.5, 0.5, 0.5],
    "cell_shift": [0.0, 0.0], "cell_turn": 0.0, "found_error": [0.0, 0.0, 0.0], "found_turn": 0.0,
    "corner_error": [0.0, 0.0], "wire_cast": 0.0, "feed_error": 0.0,
}  # fmt: skip
STILL = np.array([[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]])  # set-points: no correction, the procedure


def started(n: int = 1, **params: Any) -> BatchedCell:
    cell = BatchedCell(WeldUCell(), n, 1)
    cell.reset(seeds=np.arange(n), params={**QUIET, **params})
    return cell


def reason(cell: BatchedCell) -> str:
    return cell.reasons[cell.reason[0]]


# -- seams and program -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("thickness", [8.0, 15.0])
def test_the_seam_around_runs_beside_the_bar_and_is_found_again(thickness: float) -> None:
    t = np.full(2001, thickness)
    s = np.linspace(0.0, around_length(t[:1])[0], t.size)
    x, y, heading = around_at(s, t, np.full_like(t, 40.0))
    moved = np.hypot(np.diff(x), np.diff(y))
    np.testing.assert_allclose(moved, np.diff(s), rtol=2e-2)
    beyond, beside = np.maximum(-40.0 - BAR_MM - x, 0.0), np.maximum(np.abs(y) - 0.5 * thickness, 0.0)
    np.testing.assert_allclose(np.hypot(beyond, beside), AIM_MM, atol=1e-9)
    rng = np.random.default_rng(0)
    off = rng.uniform(-1.5, 3.0, t.size)
    point = np.stack((x + off * np.cos(heading), y + off * np.sin(heading), np.zeros_like(x)), axis=1)
    place, outside = locate_around(point, t, np.full_like(t, 40.0))
    np.testing.assert_allclose(place, s, atol=1e-6)
    np.testing.assert_allclose(outside, off, atol=1e-6)
    # the torch turns by the half turn of the joint, and begins before it
    torch = around_torch(s, t)
    np.testing.assert_allclose(torch[[0, -1]], [-0.5 * np.pi, -1.5 * np.pi], atol=1e-9)
    assert np.abs(np.gradient(torch, s)).max() < 0.5 * np.abs(np.gradient(heading, s)).max()


def test_the_second_weld_is_planned_to_lap_over_the_first() -> None:
    t = np.array([8.0, 12.0])
    np.testing.assert_allclose(overlap_mm(around_length(t), np.full(2, SECOND_MM), t), OVERLAP_MM)
    assert overlap_mm(around_length(t), np.full(2, SECOND_MM - 4.0), t)[0] == pytest.approx(OVERLAP_MM - 4.0)


def test_the_program_has_no_jumps_and_ends_on_the_seams_of_the_true_cell() -> None:
    cell = started(2, cell_shift=[6.0, -8.0], cell_turn=0.8)
    program, n = cell.task._program, 2
    at = np.append(np.arange(0.0, program.bounds[0, -1], 1.0), program.bounds[0, -1])
    poses = [program.pose(np.full(n, p), np.zeros((n, 3)), np.zeros((n, 2))) for p in at]
    position = np.stack([p[0] for p, _ in poses])
    rotation = np.stack([r[0] for _, r in poses])
    assert 1e3 * np.linalg.norm(np.diff(position, axis=0), axis=1).max() < 2.5
    turned = np.einsum("kij,kil->kjl", rotation[1:], rotation[:-1])
    assert np.degrees(np.arccos(np.clip(0.5 * (np.trace(turned, axis1=1, axis2=2) - 1.0), -1.0, 1.0))).max() < 8.0
    np.testing.assert_allclose(np.linalg.det(rotation), 1.0, atol=1e-9)
    # a corner that was found where it is: the wire stands in it, but for the taught aim up the longitudinal
    end = cell.task._part.to_cell(np.repeat(position[-1:], n, axis=0))[0]
    half = cell.task._part.half_width_mm[0]
    np.testing.assert_allclose([end[0], half - end[1]], np.array([-1.0, -1.0]) * 1.2 * np.sqrt(0.5), atol=1e-6)


def test_corrections_stay_where_they_are_in_the_cell_while_the_torch_turns() -> None:
    cell = started()
    s, half = cell.s, np.sqrt(0.5)
    while s.segment[0] == APPROACH:
        cell.step(STILL)
    s.correction[0, :2] = (-half, half)  # a millimetre away from the right side of the bar
    while s.segment[0] == ON_AROUND and not cell.terminated[0]:
        cell.step(STILL)
        last = s.correction[0, :2].copy(), s.along_mm[0]
    assert s.segment[0] == TO_SECOND or cell.terminated[0]
    # on the left side the same displacement is towards the bar
    np.testing.assert_allclose(last[0], [half, -half], atol=0.02)
    assert last[1] == pytest.approx(0.0, abs=0.02)


# -- welds -----------------------------------------------------------------------------------------------------------


def test_a_process_goes_on_with_the_next_seam_and_loses_nothing() -> None:
    process = WeldProcess(2, make_joint(2, "fillet", 10.0, 4.0), 40.0, solid_wire(1.2), CO2)
    rows = np.arange(2)
    process.begin(rows)
    x = process.inputs
    x["wire_feed_mm_s"][:], x["voltage_v"][:], x["travel_mm_s"][:], x["arc_on"][:] = 150.0, 30.0, 6.0, 1.0
    process.arc.ignite(rows, x["ctwd_mm"])
    for _ in range(25):
        process.step(0.1)
    first = process.slices.values.copy()
    assert (process.slices.frozen == 15).all() or (process.slices.frozen == 14).all()
    process.next_seam(rows[:1], np.array([20]))
    x["travel_mm_s"][:] = 6.1
    for _ in range(20):
        process.step(0.1)
    assert (process.slices.values[0, :14] == first[0, :14]).all()
    assert (process.slices.values[0, 15:20] == 0.0).all()
    assert process.slices["deposit_mm2"][0, 20:30].min() > 5.0
    laid = process.slices["deposit_mm2"].astype(float).sum(axis=1)
    total = laid + process.run_off_mm3 + process._sums[:, 1]
    np.testing.assert_allclose(total, process.deposited_mm3, rtol=1e-5)


def test_the_table_slows_down_and_aims_higher_over_wider_gaps() -> None:
    for seam in (0, 2):
        table = qualify(seam)
        assert (np.diff(table.speed) <= 0.0).all() and table.speed[0] > 1.4 * table.speed[-1]
        assert table.aim_mm[-1] >= table.aim_mm[0]
        assert table.forgiven[np.array(GAPS_MM) <= 2.0].min() == 1.0


def test_a_job_by_the_table_is_accepted_in_narrow_and_wide_cells() -> None:
    cell = BatchedCell(WeldUCell(), 2, 1)
    for row, width in enumerate((0.6, 1.2)):
        cell.reset(np.array([row]), np.array([row]), params={**QUIET, "cell_width": width, "cell_shift": [9.0, -9.0]})
    expert, s = cell.task.expert(), cell.s
    running, metrics = np.ones(2, bool), {}
    while running.any():
        cell.step(expert.act(s, cell.readings()), np.flatnonzero(running))
        over = running & (cell.terminated | cell.truncated)
        for name, values in cell.metrics().items():
            metrics.setdefault(name, np.zeros(2))[over] = values[over]
        assert (cell.reason[over] == 1).all(), cell.reasons[cell.reason[0]]
        running &= ~over
    assert (metrics["seams_accepted"] == 3.0).all()
    assert (metrics["corner_leg"] >= 0.9 * NOMINAL_LEG_MM).all()
    assert (metrics["overlap"] > OVERLAP_RANGE_MM[0]).all() and (metrics["overlap"] < OVERLAP_RANGE_MM[1]).all()
    assert (metrics["clearance"] > 1.0).all() and (metrics["accepted_share"] > 0.97).all()


def test_metal_missing_in_the_corner_is_a_rejected_weld() -> None:
    cell = started()
    expert = cell.task.expert()
    while not cell.terminated[0]:
        act = expert.act(cell.s, cell.readings())
        behind = cell.readings()["progress"][0, 0]
        if cell.s.segment[0] == ON_AROUND and 80.0 < behind < 110.0:
            act[0, 4:6] = (1.5, 0.75)
        cell.step(act)
    assert reason(cell) == "rejected" and cell.metrics()["corner_leg"][0] < 0.9 * NOMINAL_LEG_MM
    assert cell.s.segment[0] < ON_SECOND


@pytest.mark.parametrize(("rates", "expected"), [((6.0, -6.0), {"collision", "arc_lost", "seam_lost"}),
                                                ((0.0, 6.0), {"arc_lost", "seam_lost"})])  # fmt: skip
def test_a_torch_that_is_led_away_ends_the_job(rates: tuple[float, float], expected: set[str]) -> None:
    cell = started()
    act = STILL.copy()
    act[0, :2] = rates
    while not cell.terminated[0]:
        cell.step(act)
    assert reason(cell) in expected


def test_a_torch_that_leans_into_the_transverse_touches_it() -> None:
    cell = started(scallop=35.0)
    act = STILL.copy()
    act[0, 3:5] = (15.0, 0.35)  # pushes its body back to the transverse that it has just left
    while not cell.terminated[0]:
        cell.step(act)
    assert reason(cell) == "collision"
