"""WeldPositioner: contours, gravity, the coordinated chain against the model, and how welds end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.welding.contour import AIM, BAR, BLEND, CONTOURS, PIPE_RADIUS
from shopfloor.envs.welding.coordinated_motion import FLAT_TILT, ROTATE, TILT, gravity
from shopfloor.envs.welding.positioner import GRAVITY_DEG, WeldPositioner
from shopfloor.envs.welding.positioner_terms import heading_rotation
from shopfloor.errors import ShopfloorError

QUIET: dict[str, Any] = {
    "tilt_error": 0.0, "rotate_error": 0.0, "part_shift": [0.0, 0.0, 0.0], "part_turn": 0.0, "start_error": [0.0, 0.0],
    "axis_offset": [0.0, 0.0], "travel_speed": 7.5,
}  # fmt: skip


def started(n: int, params: dict[str, Any] | None = None, **kwargs: Any) -> BatchedCell:
    cell = BatchedCell(WeldPositioner(**kwargs), n, 1)
    cell.reset(seeds=np.arange(n), params=params)
    return cell


def play(cell: BatchedCell) -> np.ndarray:
    """Reasons (n,) of one episode a row, under the expert."""
    expert, running, reason = cell.task.expert(), np.ones(cell.n, bool), np.zeros(cell.n, np.int64)
    while running.any():
        cell.step(expert.act(cell.s, cell.readings()), np.flatnonzero(running))
        over = running & (cell.terminated | cell.truncated)
        reason[over] = cell.reason[over]
        running &= ~over
    return np.array(cell.reasons, dtype=object)[reason]


# -- contour ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONTOURS)
def test_a_contour_is_a_curve_of_unit_speed_beside_what_stands(name: str) -> None:
    contour = CONTOURS[name]()
    s = np.linspace(0.0, contour.length, 2001)
    at, heading = contour.at(s)
    moved = np.hypot(*np.diff(at, axis=0).T)
    np.testing.assert_allclose(moved, np.diff(s), rtol=2e-2)
    tangent = np.diff(at, axis=0) / moved[:, None]
    middle = 0.5 * (heading[1:] + heading[:-1])
    np.testing.assert_allclose(tangent, np.stack((np.sin(middle), -np.cos(middle)), axis=1), atol=0.06)
    if name == "pipe":
        np.testing.assert_allclose(np.hypot(*at.T), PIPE_RADIUS + AIM, rtol=1e-5)
    else:
        beyond = np.maximum(np.abs(at) - 0.5 * np.array(BAR[:2]), 0.0)
        np.testing.assert_allclose(np.hypot(*beyond.T), AIM, atol=1e-5)
    # the torch turns as far as the joint does, more slowly, and not by more than the joint does within the blend
    torch = contour.torch_at(s)
    np.testing.assert_allclose(torch[[0, -1]], heading[[0, -1]], atol=0.06)
    assert np.abs(np.gradient(torch, s)).max() <= np.pi / 2 / (2 * BLEND) * 1.4
    # straight on beyond its ends
    outside, _ = contour.at(np.array([-0.01, contour.length + 0.01]))
    np.testing.assert_allclose(np.hypot(*(outside - at[[0, -1]]).T), 0.01)


def test_places_are_found_again_on_the_right_side_of_the_bar() -> None:
    contour = CONTOURS["bracket"]()
    rng = np.random.default_rng(0)
    s = rng.uniform(-0.005, contour.length + 0.005, 400)
    at, heading = contour.at(s)
    beside = rng.uniform(-0.001, 0.001, 400)
    point = at + beside[:, None] * np.stack((np.cos(heading), np.sin(heading)), axis=1)
    found = contour.locate(point, s + rng.uniform(-0.008, 0.008, 400))
    np.testing.assert_allclose(found, s, atol=3e-4)


# -- chain -----------------------------------------------------------------------------------------------------------


def test_flat_means_flat_and_a_level_table_is_the_horizontal_position() -> None:
    cell = started(1, QUIET)
    frames = cell.action.frames
    for heading in (np.pi / 2, 0.3, -1.2):
        angles = np.array([[FLAT_TILT, heading_rotation(np.array(heading))], [0.0, 1.0]])
        _, turn = frames.part(angles)
        roll, slope, off = gravity(frames.section(turn, np.full(2, heading)))
        np.testing.assert_allclose([roll[0], slope[0]], 0.0, atol=1e-9)
        assert off[0] == pytest.approx(0.0, abs=1e-6)
        np.testing.assert_allclose([roll[1], slope[1], off[1]], [np.pi / 4, 0.0, np.pi / 4], atol=1e-9)


@pytest.mark.parametrize("robot", ["ar1440", "arcmate100id"])
def test_the_arm_begins_on_the_seam_with_the_torch_in_the_joint(robot: str) -> None:
    cell = started(3, {**QUIET, "tilt_error": 6.0, "rotate_error": -9.0}, robot=robot)
    s = cell.s
    assert np.abs(s.deviation).max() < 1e-3 and np.abs(s.place_mm).max() < 1e-3
    assert s.torch_deg.max() < 1e-3 and not s.touched.any()
    # what the controller computes of gravity is what the model has
    np.testing.assert_allclose(cell.readings()["gravity"], s.gravity_deg, atol=1e-3)
    assert s.gravity_deg[0, 2] > 8.0


def test_the_controller_makes_up_for_the_lag_of_the_positioner() -> None:
    """At constant rates the wire stays where it is on the turning part; without the known lag it would not."""
    cell = started(1, QUIET, part="pipe")
    action = np.array([[0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0]])
    for rate in (0.0, 0.6):
        action[0, 1] = rate
        for _ in range(30):
            cell.step(action)
    radius = 1e3 * np.hypot(*cell.task.contour.at(np.zeros(1))[0][0])
    missed_without = radius * 0.6 * 0.0186
    assert np.abs(cell.s.deviation).max() < 0.25 * missed_without
    assert cell.s.axis_rate[0, 1] == pytest.approx(0.6)


def test_axes_stay_within_their_limits_whatever_is_asked() -> None:
    cell = started(2, QUIET)
    lim = cell.action.motion
    for k in range(40):
        sign = 1.0 if k % 16 < 8 else -1.0
        cell.step(np.tile(sign * cell.action_high, (2, 1)))
        assert (np.abs(cell.s.axis_rate) <= lim.velocity + 1e-9).all()
        assert (np.abs(cell.s.axis_acceleration) <= lim.acceleration + 1e-9).all()
        assert (cell.s.axis_reference >= lim.low).all() and (cell.s.axis_reference <= lim.high).all()


# -- episodes --------------------------------------------------------------------------------------------------------


def test_a_positioner_that_stands_still_leaves_the_flat_position() -> None:
    cell = started(1, QUIET)
    while not (cell.terminated | cell.truncated)[0]:
        cell.step(np.array([[0.0, 0.0, 12.0, 0.0, 0.0, 0.0, 0.0]]))
    # around the corner a joint that faced the robot faces sideways, and after the next one it looks away
    assert cell.metrics()["gravity_largest"][0] > 55.0
    assert cell.reasons[cell.reason[0]] in ("out_of_tolerance", "seam_lost", "collision", "arc_lost")


def test_coordinated_kinematics_weld_nearly_all_parts() -> None:
    cell = started(12)
    assert (play(cell) == "success").mean() >= 0.9
    metrics = cell.metrics()
    assert np.median(metrics["gravity_rms"]) < GRAVITY_DEG and np.median(metrics["tip_rms"]) < 0.25
    assert cell.s.axis_reference[:, TILT] == pytest.approx(FLAT_TILT, abs=0.02)
    turned = cell.s.axis_reference[:, ROTATE]
    np.testing.assert_allclose(turned, np.pi, atol=0.05)  # half a turn around the bar's end


def test_arguments() -> None:
    for kwargs in ({"part": "tee"}, {"robot": "ur10e"}):
        with pytest.raises(ShopfloorError, match="must be one of"):
            WeldPositioner(**kwargs)
