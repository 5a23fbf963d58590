"""Action interfaces of WaferTransfer beside the planner's limits: parameters, time scaling, joint set-points."""

from __future__ import annotations

import numpy as np
import pytest
from engine_checks import Case, assert_same
from numpy.typing import NDArray

from shopfloor.assets.robots.vacuum_scara import LINK_LENGTH, WRIST_TO_WAFER
from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.wafer.kinematics import joints_from_polar
from shopfloor.envs.wafer.profiles import GRAVITY
from shopfloor.envs.wafer.transfer_actions import CORRIDOR_M, JOINT_LIMITS, along_path

Array = NDArray[np.float64]
WAFER = "shopfloor/WaferTransfer-v0"
SURE = {"friction_error": 0.0, "frequency_error": 0.0}


def cell_of(action: str, n: int, **params: float) -> BatchedCell:
    cell = Case(WAFER, {"action": action, **SURE}).cell(n)
    cell.reset(seeds=np.arange(n), params=params)
    return cell


# -- parameters of a move --------------------------------------------------------------------------------------------


def test_parameters_are_read_once_and_move_like_the_planner():
    """One decision a move, whatever is asked for later, is the planner with constant limits."""
    one, other = cell_of("move_parameters", 6), cell_of("path_time_scaling", 6)
    for step in range(90):
        one.step(np.tile([0.6, 0.7, 1.05, 0.6] if step == 0 else [3.0, 0.3, 2.0, 0.3], (6, 1)))
        other.step(np.tile([0.6, 0.7, 1.05], (6, 1)))
        assert_same(one.s.path_distance, other.s.path_distance)
    assert one.s.path_complete.any()


def test_launch_lasts_one_filter_period():
    cell = cell_of("move_parameters", 4, move_kind=0.0, line_length=0.5)
    s = cell.s
    acceleration = []
    for _ in range(16):
        cell.step(np.tile([0.4, 0.4, 1.0, 0.9], (4, 1)))
        acceleration.append(s.plan_acceleration[:, -11:-1].copy())
    raw = np.concatenate(acceleration, axis=1)
    launch, base = 0.9 * s.acceleration_estimate, 0.4 * s.acceleration_estimate
    ticks = np.ceil(s.shaper_period / 0.002 - 1e-9).astype(int)
    for row in range(4):
        np.testing.assert_allclose(raw[row, : ticks[row]], launch[row], rtol=1e-9)
        np.testing.assert_allclose(raw[row, ticks[row] : 90], base[row], rtol=1e-9)


# -- time scaling ----------------------------------------------------------------------------------------------------


def test_accelerations_are_integrated_tick_by_tick():
    cell = cell_of("path_acceleration", 5)
    s, rng = cell.s, np.random.default_rng(0)
    speed = np.zeros(5)
    for _ in range(12):
        shares = rng.uniform(0.2, 0.5, (5, 4))
        cell.step(shares)
        speed = speed + 0.005 * shares.sum(axis=1) * s.acceleration_estimate
        np.testing.assert_allclose(s.raw_speed, speed, rtol=1e-12)
    # backwards it does not go
    for _ in range(40):
        cell.step(np.full((5, 4), -1.5))
    assert (s.raw_speed == 0.0).all() and (s.path_distance > 0.0).all()


@pytest.mark.parametrize("share", [1.5, 0.4])
def test_full_speed_ahead_still_stops_at_the_end(share: float):
    cell = cell_of("path_acceleration", 8)
    s = cell.s
    fastest = np.zeros(8)
    for _ in range(150):
        cell.step(np.full((8, 4), share))
        fastest = np.maximum(fastest, s.raw_speed)
    assert s.path_complete.all() and (s.raw_speed == 0.0).all()
    np.testing.assert_allclose(s.path_distance, s.path_length, atol=1e-7)
    assert (fastest <= 1.6 + 1e-12).all()


def test_expert_of_time_scaling_moves_like_the_planner():
    """The same law tick by tick, at another tick: the same motion up to the ticks."""
    one, other = cell_of("path_acceleration", 8), cell_of("path_time_scaling", 8)
    experts = [c.task.expert() for c in (one, other)]
    for _ in range(50):
        for cell, expert in zip((one, other), experts, strict=True):
            cell.step(expert.act(cell.s, cell.readings()))
        np.testing.assert_allclose(one.s.path_distance, other.s.path_distance, atol=6e-3)
    np.testing.assert_allclose(one.metrics()["move_time"], other.metrics()["move_time"], atol=0.015)


# -- joints ----------------------------------------------------------------------------------------------------------


def test_projection_is_the_inverse_of_the_path():
    cell = cell_of("joint_motion", 40)
    s, task = cell.s, cell.task
    share = np.broadcast_to(np.linspace(0.0, 1.0, 9), (40, 9))
    distance = share * s.path_length[:, None]
    position, _ = task.joints(s, distance, 0.0 * distance)
    found, deviation, left = along_path(s, position)
    np.testing.assert_allclose(found, distance, atol=1e-12)
    assert (deviation < 1e-12).all()
    curved = s.path_curvature > 0.0
    np.testing.assert_allclose(left[~curved], (s.path_length[:, None] - distance)[~curved], atol=1e-12)
    assert (left[:, -1] < 1e-12).all()


def test_deviation_is_measured_across_the_path():
    cell = cell_of("joint_motion", 40)
    s = cell.s
    curved = s.path_curvature > 0.0
    middle = 0.5 * s.path_length
    radius = np.where(curved, s.path_radius, s.path_radius + s.path_sign * middle)
    angle = s.path_angle + s.path_sign * s.path_curvature * middle
    # 3 mm further out is beside an arc and along a line
    zero = np.zeros(40)
    position, _ = joints_from_polar(radius + 0.003, angle, zero, zero, LINK_LENGTH, WRIST_TO_WAFER)
    distance, deviation, _ = along_path(s, position[:, None])
    np.testing.assert_allclose(deviation[curved], 0.003, atol=1e-9)
    np.testing.assert_allclose(distance[~curved, 0], (middle + s.path_sign * 0.003)[~curved], atol=1e-9)
    # turned by the wrist alone the wafer leaves the path, and so does its heading
    position[:, 2] += 0.02
    assert (along_path(s, position[:, None])[1] > 0.0019).all()


def test_joints_arrive_at_their_velocities_with_uniform_acceleration():
    cell = cell_of("joint_motion", 3)
    s, dt = cell.s, 0.02
    for _ in range(10):
        before, speed = s.joint_reference.copy(), s.joint_reference_velocity.copy()
        cell.step(np.tile([0.1, -0.2, 0.05], (3, 1)))
        np.testing.assert_allclose(
            s.joint_reference, before + 0.5 * dt * (speed + s.joint_reference_velocity), atol=1e-15
        )
    np.testing.assert_allclose(s.joint_reference_velocity, np.tile([0.1, -0.2, 0.05], (3, 1)), atol=1e-9)


def test_wild_joint_set_points_stay_inside_the_limits():
    cell = cell_of("joint_motion", 6)
    s, rng = cell.s, np.random.default_rng(1)
    for _ in range(150):
        last = s.joint_reference_acceleration.copy()
        cell.step(JOINT_LIMITS.velocity * rng.choice([-1.0, 1.0], (6, 3)))
        assert (np.abs(s.joint_reference_velocity) <= JOINT_LIMITS.velocity + 1e-9).all()
        assert (np.abs(s.joint_reference_acceleration) <= JOINT_LIMITS.acceleration + 1e-9).all()
        assert (np.abs(s.joint_reference_acceleration - last) <= JOINT_LIMITS.jerk * 0.02 + 1e-9).all()
        assert ((s.joint_reference >= JOINT_LIMITS.low) & (s.joint_reference <= JOINT_LIMITS.high)).all()


def test_leaving_the_path_fails_and_pays_nothing():
    cell = cell_of("joint_motion", 4)
    while not cell.terminated.all():
        cell.step(np.tile([0.0, 0.0, 2.0], (4, 1)))
    assert {cell.reasons[r] for r in cell.reason} <= {"off_path", "wafer_lost"}
    assert (cell.s.path_deviation[cell.reason == cell.reasons.index("off_path")] > CORRIDOR_M).all()
    # to and fro is progress once
    cell = cell_of("joint_motion", 4, friction=0.35)
    gained = np.zeros(4)
    for step in range(60):
        cell.step(np.tile([0.0, 0.0, 0.004 * (-1) ** (step // 10)], (4, 1)))
        gained += cell.reward_terms["progress"]
    np.testing.assert_allclose(gained, cell.s.path_distance / cell.s.path_length, atol=1e-12)


def test_acceleration_on_the_wafer_is_the_commanded_one():
    """The joint expert's profile needs the share of friction that it was made for, not more."""
    cell = cell_of("joint_motion", 8, droop=0.0)
    expert = cell.task.expert()
    while not (cell.terminated | cell.truncated).all():
        cell.step(expert.act(cell.s, cell.readings()))
    limit = GRAVITY * cell.s.friction
    assert (cell.s.peak_acceleration < 0.8 * limit).all() and (cell.s.peak_acceleration > 0.4 * limit).all()
