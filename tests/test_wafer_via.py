"""Paths by way of a via point and the shortest time along any path."""

from __future__ import annotations

import numpy as np
import pytest
from engine_checks import assert_same
from numpy.typing import NDArray

from shopfloor.envs.wafer.profiles import arc_time, line_time
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
