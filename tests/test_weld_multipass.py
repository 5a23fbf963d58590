"""WeldMultipass: the section of a groove, what is fused, heat between beads, and how welds end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("mujoco")

from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.welding import groove, heat
from shopfloor.envs.welding.multipass import INTERPASS_LIMIT_C, WeldMultipass
from shopfloor.envs.welding.multipass_weld import SEAM_MM
from shopfloor.errors import ShopfloorError

Y = groove.ACROSS_MM


def started(n: int = 1, params: dict[str, Any] | None = None, **kwargs: Any) -> BatchedCell:
    cell = BatchedCell(WeldMultipass(**kwargs), n, 1)
    cell.reset(seeds=np.arange(n), params=params)
    return cell


def play(cell: BatchedCell, setpoints: Any = None) -> np.ndarray:
    """Reasons of one episode a row, under the expert or constant set-points."""
    expert = cell.task.expert()
    running, reason = np.ones(cell.n, bool), np.zeros(cell.n, np.int64)
    while running.any():
        action = expert.act(cell.s, cell.readings()) if setpoints is None else np.tile(setpoints, (cell.n, 1))
        cell.step(action, np.flatnonzero(running))
        over = running & (cell.terminated | cell.truncated)
        reason[over] = cell.reason[over]
        running &= ~over
    return np.array(cell.reasons, dtype=object)[reason]


# --- section ------------------------------------------------------------------------------------------------------


def test_an_empty_groove_has_the_area_of_its_drawing() -> None:
    angle, face, gap = np.array([45.0, 60.0]), np.array([1.0, 0.0]), np.array([6.0, 4.0])
    t = 16.0
    empty = groove.groove_profile(t, angle, face, gap)
    area = groove.area_below(np.full_like(empty, t), empty, t)
    expected = gap * t + np.tan(np.radians(0.5 * angle)) * (t - face) ** 2
    np.testing.assert_allclose(area, expected, rtol=0.02)  # columns of 0.25 mm
    half = groove.half_opening(t, angle, face, gap)
    for row in range(2):
        assert (empty[row][np.abs(Y) < half[row] - 0.3] < t).all() and (
            empty[row][np.abs(Y) > half[row] + 0.3] == t
        ).all()


def test_a_bead_holds_what_was_deposited_wherever_it_is_laid() -> None:
    rng = np.random.default_rng(0)
    n = 50
    empty = groove.groove_profile(16.0, rng.uniform(45, 60, n), rng.uniform(0, 1.5, n), rng.uniform(4, 7, n))
    height = empty
    total = np.zeros(n)
    for _ in range(6):
        area = rng.uniform(5.0, 45.0, n)
        height = groove.lay(height, rng.uniform(-8.0, 8.0, n), rng.uniform(4.0, 9.0, n), area)
        total += area
    np.testing.assert_allclose(groove.area_below(height, empty, 100.0), total, rtol=1e-6)
    assert (height >= empty).all()


def test_metal_runs_to_one_level_in_the_lowest_places() -> None:
    flat = np.zeros((1, groove.COLUMNS))
    flat[0, (Y > -2.0) & (Y < 2.0)] = 5.0  # a ridge between two troughs
    after = groove.lay(flat, np.zeros(1), np.full(1, 6.0), np.full(1, 10.0))
    crown = groove.CROWN_PER_MM * Y**2
    wet = after[0] > flat[0]
    assert wet[(Y < -2.5) & (Y > -5.5)].all() and not wet[(Y > -1.5) & (Y < 1.5)].any()
    np.testing.assert_allclose((after[0] + crown)[wet], (after[0] + crown)[wet][0])


def test_a_steep_notch_is_not_fused_and_a_later_bead_may_remelt_it() -> None:
    face = np.zeros((1, groove.COLUMNS))
    face[0, Y > 0.0] = np.minimum(8.0 * Y[Y > 0.0], 6.0)  # a flank of 83 degrees
    depth = groove.fusion_depth(np.zeros(1), np.full(1, 4.0), np.full(1, 0.8))
    after = groove.lay(face, np.zeros(1), np.full(1, 4.0), np.full(1, 12.0))
    none = np.full_like(face, groove.NEVER)
    first = groove.interfaces(face, after, depth, none)
    assert groove.unfused_mm(first)[0] > 0.0
    assert (first[0][(Y < -0.5) & (Y > -3.0)] == groove.NEVER).all()  # the flat face is
    deep = groove.fusion_depth(np.zeros(1), np.full(1, 6.0), np.full(1, 9.0))
    healed = groove.interfaces(after, after, deep, first)  # what the next bead remelts, its own metal aside
    assert groove.unfused_mm(healed)[0] == 0.0


def test_toes_are_no_lack_of_fusion() -> None:
    line = np.full((1, groove.COLUMNS), groove.NEVER)
    line[0, 50:53] = 1.0
    assert groove.unfused_mm(line)[0] == 0.0
    line[0, 50:55] = 1.0
    assert groove.unfused_mm(line)[0] == pytest.approx(1.0)
    line[0, 100:103] = [0.0, 2.0, 4.0]  # up a steep flank
    assert groove.unfused_mm(line)[0] == pytest.approx(2.0 * np.hypot(groove.PITCH_MM, 2.0))


# --- heat and time -------------------------------------------------------------------------------------------------


def test_waiting_ends_when_the_weld_has_cooled_to_what_was_asked() -> None:
    cell = started(4, {"pyrometer_error": 0.0})
    cell.step(np.tile([0.0, 9.0, 6.0, 2.0, 300.0], (4, 1)))
    weld, s = cell.task.weld, cell.s
    now = weld.temperature(s, s.clock_s)
    for limit in (120.0, 80.0):
        wait = weld.wait(s, np.full(4, limit))
        assert (wait[now <= limit] == 0.0).all()
        later = weld.temperature(s, s.clock_s + wait)
        np.testing.assert_allclose(later[now > limit], limit, atol=0.5)
    # of two beads the weld is warmer than of one, by what the second leaves
    before = float(s.clock_s[0])
    cell.step(np.tile([0.0, 9.0, 6.0, 2.0, 300.0], (4, 1)))
    one = s.ambient[0] + heat.residual_rise(weld.energy[0, 0], np.array(before), np.array(16.0))
    assert weld.temperature(s, s.clock_s)[0] > one


def test_slow_beads_fill_more_and_cool_longer() -> None:
    cell = started(1)
    found = []
    for speed in (10.0, 7.0, 4.0):
        cell = started(1)
        cell.step(np.array([[0.0, 8.0, speed, 1.0, 150.0]]))
        found.append((cell.s.filled[0], cell.s.t85[0], cell.s.arc_s[0]))
    assert found == sorted(found)
    assert found[0][2] == pytest.approx(SEAM_MM / 10.0)


# --- episodes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("thickness", [10.0, 16.0, 25.0])
def test_the_planner_fills_grooves_of_all_thicknesses(thickness: float) -> None:
    cell = started(48, thickness_mm=thickness)
    reasons = play(cell)
    assert (reasons == "success").mean() >= 0.9
    done = reasons == "success"
    assert (cell.s.hottest_interpass[done] <= INTERPASS_LIMIT_C).all()
    assert (cell.s.unfused[done] == 0.0).all() and (cell.s.underfill_mm[done] <= 0.0).all()


def test_the_planner_copes_with_other_machines() -> None:
    cell = BatchedCell(WeldMultipass(), 48, 1, randomization="train")
    cell.reset(seeds=np.arange(48))
    assert (play(cell) == "success").mean() >= 0.8


def test_one_place_for_all_beads_piles_up() -> None:
    reasons = play(started(4), (8.0, 9.0, 3.5, 0.0, 200.0))
    assert set(reasons) == {"overfilled"}


def test_hot_and_slow_is_not_accepted_even_where_it_fills() -> None:
    cell = started(8, thickness_mm=10.0)
    reasons = play(cell, (0.0, 10.0, 3.0, 4.0, 300.0))
    assert not (reasons == "success").any()
    assert (cell.s.longest_t85 > 25.0).all()


def test_an_arc_far_from_the_root_leaves_it_open() -> None:
    cell = started(2, {"root_face": 1.5, "root_gap": 7.0})
    cell.step(np.tile([6.0, 6.0, 9.0, 0.0, 150.0], (2, 1)))
    assert (cell.s.root_open[:, 0] > 1.0).all()


def test_arguments() -> None:
    for kwargs in ({"thickness_mm": 6.0}, {"quality_level": "A"}):
        with pytest.raises(ShopfloorError, match="must be"):
            WeldMultipass(**kwargs)
