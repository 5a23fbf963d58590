"""Paths by way of a via point, the shortest time along any path, and WaferTransfer on them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from engine_checks import Case, assert_same
from numpy.typing import NDArray

from shopfloor.assets.cells.transfer_chamber import CLEAR_RADIUS
from shopfloor.assets.cells.transfer_chamber_shapes import SLIT_WIDTH, VALVE, WALL
from shopfloor.assets.parts import wafer
from shopfloor.envs.control.path import speed_ahead
from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.wafer.profiles import arc_time, line_time
from shopfloor.envs.wafer.transfer_paths import AHEAD_M, ByVia
from shopfloor.envs.wafer.via_path import path_time, phase_plane, via_path
from shopfloor.errors import ShopfloorError

Array = NDArray[np.float64]


def some_paths(n: int = 12) -> tuple[Array, ...]:
    rng = np.random.default_rng(3)
    low, high = [0.80, 0.42, 0.80, 0.9, 0.3], [0.98, 0.60, 0.98, 3.1, 0.9]
    start, via, end, turn, blend = rng.uniform(low, high, (n, 5)).T
    return start, via, end, turn * rng.choice([-1.0, 1.0], n), blend


@pytest.mark.parametrize("limit", [0.6, 1.962, 6.0])
def test_time_on_lines_and_arcs_is_the_closed_form(limit: float):
    length = np.array([0.25, 0.6])
    np.testing.assert_allclose(
        path_time(np.zeros((2, 401)), length, np.full(2, limit)), line_time(length, limit), rtol=1e-9
    )
    radius, angle = np.array([0.3, 0.6, 0.6, 0.45]), np.array([np.pi / 2, np.pi / 2, 3.1, 0.8])
    bent = np.broadcast_to(1.0 / radius[:, None], (4, 401))
    found = path_time(bent, radius * angle, np.full(4, limit))
    np.testing.assert_allclose(found, arc_time(radius, angle, limit), rtol=1e-3)


def test_sweeps_stay_on_the_friction_circle():
    path = via_path(*some_paths())
    step = path.length / 400
    forward, backward = phase_plane(path.curvature, step)
    z = np.minimum(forward, backward)
    slope = np.diff(z, axis=1) / step[:, None]
    middle = 0.5 * (z[:, 1:] + z[:, :-1]) * 0.5 * np.abs(path.curvature[:, 1:] + path.curvature[:, :-1])
    used = np.sqrt((0.5 * slope) ** 2 + middle**2)
    assert used.max() < 1.03 and (used > 0.97).mean() > 0.9
    assert (z[:, 0] == 0.0).all() and (z[:, -1] == 0.0).all()


def test_tables_belong_together():
    path = via_path(*some_paths())
    step = path.length[:, None] / 400
    x, y = path.radius * np.cos(path.angle), path.radius * np.sin(path.angle)
    np.testing.assert_allclose(np.hypot(np.diff(x), np.diff(y)), np.broadcast_to(step, (12, 400)), rtol=2e-3)
    for values, slopes in ((path.radius, path.radius_slope), (path.angle, path.angle_slope)):
        np.testing.assert_allclose(
            np.diff(values, axis=1)[:, 2:-2], (0.5 * step * (slopes[:, 1:] + slopes[:, :-1]))[:, 2:-2], atol=3e-5
        )
    # tangents have length one, and turn by the curvature
    np.testing.assert_allclose(np.hypot(path.radius_slope, path.radius * path.angle_slope), 1.0, atol=2e-3)
    heading = np.unwrap(path.angle + np.arctan2(path.radius * path.angle_slope, path.radius_slope), axis=1)
    turned = 0.5 * step * (path.curvature[:, 1:] + path.curvature[:, :-1])
    np.testing.assert_allclose(np.diff(heading, axis=1)[:, 2:-2], turned[:, 2:-2], atol=4e-3)


def test_curvature_is_continuous():
    """Between entries of a table four times as fine it changes far less (a jump would stay); it ends at nothing."""
    arguments = some_paths()
    largest = [np.abs(np.diff(via_path(*arguments, points=k).curvature, axis=1)).max(axis=1) for k in (401, 1601)]
    assert (largest[1] < 0.5 * largest[0]).all()
    bend = np.abs(via_path(*arguments).curvature)
    assert (bend[:, [0, -1]] == 0.0).all() and (bend[:, [1, -2]] < 0.05).all()


def test_path_goes_where_it_should():
    start, via, end, turn, blend = some_paths()
    path = via_path(start, via, end, turn, blend)
    np.testing.assert_allclose(path.radius[:, 0], start)
    np.testing.assert_allclose(path.radius[:, -1], end)
    np.testing.assert_allclose(path.angle[:, -1], turn)
    assert (path.radius >= via[:, None] - 1e-12).all() and (path.angle[:, 0] == 0.0).all()
    # more blending is shorter, and never longer than the three legs
    loose, tight = (via_path(start, via, end, turn, np.full(12, b)).length for b in (0.9, 0.3))
    assert (loose < tight).all() and (tight <= (start - via) + (end - via) + via * np.abs(turn) + 1e-9).all()


def test_blending_saves_time_against_three_moves():
    start, via, end, turn, _ = some_paths()
    limit = np.full(12, 1.962)
    legs = line_time(start - via, limit) + arc_time(via, np.abs(turn), limit) + line_time(end - via, limit)
    path = via_path(start, via, end, turn, np.full(12, 0.8))
    blended = path_time(path.curvature, path.length, limit)
    assert (blended < 0.95 * legs).all()
    assert (blended >= line_time(path.length, limit) * (1 - 1e-9)).all()


def test_a_row_does_not_depend_on_the_others():
    arguments = some_paths(5)
    whole, limit = via_path(*arguments), np.full(5, 2.0)
    times = path_time(whole.curvature, whole.length, limit)
    for row in range(5):
        alone = via_path(*(a[row : row + 1] for a in arguments))
        assert_same(alone.curvature[0], whole.curvature[row])
        assert_same(path_time(alone.curvature, alone.length, limit[:1])[0], times[row])


@pytest.mark.parametrize("changed", [{"via": 0.9}, {"turn": 0.0}, {"blend": 0.2}, {"blend": 1.0}])
def test_paths_with_corners_are_refused(changed: dict[str, float]):
    arguments = {"start": 0.9, "via": 0.5, "end": 0.8, "turn": 1.0, "blend": 0.5} | changed
    with pytest.raises(ShopfloorError, match="via path needs"):
        via_path(**arguments)


# -- the task -------------------------------------------------------------------------------------------------------

WAFER = "shopfloor/WaferTransfer-v0"


def via_cell(n: int, **kwargs: object) -> BatchedCell:
    return Case(WAFER, {"move": "via", **kwargs}).cell(n)


@pytest.fixture(scope="module")
def begun() -> BatchedCell:
    """A cell whose episodes have begun."""
    cell = via_cell(60)
    cell.reset(seeds=np.arange(60))
    return cell


def test_moves_lead_from_station_to_station(begun: BatchedCell):
    s, p = begun.s, begun.params
    np.testing.assert_allclose(s.via_radius[:, [0, -1]].T, (p["begin_reach"], p["end_reach"]), rtol=1e-12)
    np.testing.assert_allclose(s.via_radius.min(axis=1), p["via_radius"], atol=1e-3)
    turns = np.rad2deg(s.via_angle[:, -1] - s.via_angle[:, 0])
    assert set(np.round(np.abs(turns))) == {60.0, 120.0, 180.0} and (np.sign(turns) == s.path_sign).all()
    np.testing.assert_allclose(np.hypot(*s.target.T), p["end_reach"], atol=5e-3)
    np.testing.assert_allclose(np.sin(np.arctan2(*s.target.T[::-1]) - s.via_angle[:, -1]), 0.0, atol=1e-9)
    assert (s.path_curvature == 0.0).all() and (s.path_sharpest <= 60.0).all()


def test_wafers_leave_slits_before_they_turn(begun: BatchedCell):
    """The disc keeps a centimetre to the sides of the slits, from the chamber's wall to the far side of the valve."""
    s = begun.s
    for end in (0, -1):
        angle = s.via_angle - s.via_angle[:, [end]]
        x, y = s.via_radius * np.cos(angle), s.via_radius * np.sin(angle)
        for plane in np.linspace(CLEAR_RADIUS, CLEAR_RADIUS + WALL + VALVE, 5):
            chord_sq = wafer.RADIUS**2 - (plane - x) ** 2
            side = np.where(chord_sq > 0.0, np.abs(y) + np.sqrt(np.maximum(chord_sq, 0.0)), 0.0)
            near = np.abs(angle) < 0.5  # the other stations' slits lie elsewhere
            assert (side[near] < 0.5 * SLIT_WIDTH - 0.010).all()


def test_joint_rates_are_the_derivatives_of_joint_angles(begun: BatchedCell):
    s, task = begun.s, begun.task
    distance = s.path_length[:, None] * np.linspace(0.01, 0.99, 37)
    h = 1e-6
    _, rate = task.joints(s, distance, np.ones_like(distance))
    ahead, behind = (task.joints(s, distance + d, np.ones_like(distance))[0] for d in (h, -h))
    np.testing.assert_allclose((ahead - behind) / (2.0 * h), rate, atol=2e-4 * np.abs(rate).max())


def planned(rows: Any, limit: Array, dt: float = 0.002) -> tuple[Array, Array, Array]:
    """Distances and speeds (n, ticks + 1) of the planner's motion, and largest accelerations along it (n, ticks)."""
    x = v = np.zeros(len(limit))
    xs, vs, pulls = [x], [v], []
    while (rows.path_length - x > 1e-6).any():
        after = np.maximum(speed_ahead(ByVia(), rows, x, v, limit, limit, 9.9, dt), 0.0)
        lands = 2.0 * (rows.path_length - x) <= v * dt
        pulls.append(np.where(lands, 0.0, (after - v) / dt))
        x, v = np.where(lands, rows.path_length, x + 0.5 * (v + after) * dt), np.where(lands, 0.0, after)
        xs.append(x)
        vs.append(v)
        assert len(xs) < 5000
    return np.stack(xs, axis=1), np.stack(vs, axis=1), np.stack(pulls, axis=1)


def test_profile_of_a_straight_path_is_that_of_a_line():
    length, flat, limit = np.array([0.5, 0.8]), np.zeros((2, 401)), np.array([1.5, 2.0])
    rows = SimpleNamespace(path_length=length, via_curvature=flat, via_stop=phase_plane(flat, length / 400)[1])
    x, v, _ = planned(rows, limit)
    np.testing.assert_allclose(v.max(axis=1), np.sqrt(length * limit), rtol=5e-3)
    ticks = (x < length[:, None]).sum(axis=1)
    np.testing.assert_allclose(0.002 * ticks, line_time(length, limit), atol=0.006)


def test_planned_motion_keeps_to_the_friction_circle_and_is_as_fast_as_the_phase_plane(begun: BatchedCell):
    rows, limit = begun.s, 9.81 * begun.s.friction
    x, v, pull = planned(rows, limit)
    ends = np.maximum(v[:, 1:], v[:, :-1])
    bend = np.stack([np.interp(at, np.linspace(0.0, d, 401), k)
                     for at, d, k in zip(x[:, :-1], rows.path_length, rows.via_curvature, strict=True)])  # fmt: skip
    used = np.hypot(pull, ends * ends * bend) / limit[:, None]
    # a table entry is some millimetres, which the sharpest curves notice
    assert used.max() < 1.12 and (used > 1.03).mean() < 0.02
    taken = 0.002 * (x < rows.path_length[:, None] - 1e-9).sum(axis=1)
    shortest = rows.via_bound / np.sqrt(limit)
    assert (taken > 0.995 * shortest).all() and (taken < 1.03 * shortest).all()


def test_expert_carries_the_wafer_and_nothing_beats_the_bound():
    cell = via_cell(24)
    cell.reset(seeds=np.arange(24))
    expert = cell.task.expert()
    ended = np.zeros(24, bool)
    ratio, success = np.full(24, np.nan), np.zeros(24, bool)
    while not ended.all():
        cell.step(expert.act(cell.s, cell.readings()), np.flatnonzero(~ended))
        new = (cell.terminated | cell.truncated) & ~ended
        ratio[new], success[new] = cell.metrics()["time_ratio"][new], cell.success[new]
        ended |= new
    assert success.mean() >= 0.95
    assert ratio[success].min() > 1.0 and np.median(ratio[success]) < 1.35


def test_curvature_is_observed_here_and_ahead(begun: BatchedCell):
    cell = via_cell(4)
    cell.reset(seeds=np.arange(4))
    for _ in range(30):
        cell.step(np.tile([0.6, 0.6, 1.0], (4, 1)))
    s = cell.s
    for row in range(4):
        at = s.path_distance[row] + np.array([0.0, *AHEAD_M])
        expected = np.interp(at, np.linspace(0.0, s.path_length[row], 401), s.via_curvature[row])
        readings = cell.readings()
        np.testing.assert_allclose(readings["path_curvature"][row, 0], expected[0], atol=1e-9)
        np.testing.assert_allclose(readings["path_curvature_ahead"][row], expected[1:], atol=1e-9)
    assert (s.path_distance > 0.05).all()


def test_joint_set_points_take_no_via_points():
    with pytest.raises(ShopfloorError, match=r"joint_motion' takes lines and arcs.*action is one of path_time_scaling"):
        Case(WAFER, {"move": "via", "action": "joint_motion"}).task()
