"""Motion limits, the command guard and rotations."""

from __future__ import annotations

import math

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shopfloor import frames
from shopfloor.errors import ShopfloorError
from shopfloor.limits import CommandFilter, MotionLimiter, MotionLimits

Array = NDArray[np.float64]
ROUNDING = 1.0 + 1e-9

ARM = MotionLimits.of(
    low=[-2.0, -6.3], high=[2.0, 6.3], velocity=[2.09, 3.14], acceleration=[8.0, 20.0], jerk=[160.0, 400.0]
)


@st.composite
def limits(draw: st.DrawFn) -> tuple[MotionLimits, float]:
    """Limits from sluggish to stiff, and a tick."""

    def spread(low: float, high: float) -> Array:
        return 10.0 ** np.array([draw(st.floats(low, high)) for _ in range(3)])

    span = spread(-1.5, 1.0)
    velocity = span * spread(-1.0, 1.0)
    acceleration = velocity * spread(-0.3, 1.5)
    jerk = acceleration * spread(0.3, 2.2)
    found = MotionLimits.of(low=-span, high=span, velocity=velocity, acceleration=acceleration, jerk=jerk)
    return found, 10.0 ** draw(st.floats(-3.0, -1.3))


def targets(kind: str, random: np.random.Generator, scale: Array, rows: int) -> Array:
    """One tick's targets, from well-behaved to hostile."""
    shape = (rows, scale.size)
    if kind == "random":
        return random.uniform(-2.0, 2.0, shape) * scale
    if kind == "bang-bang":
        return random.choice([-1e9, -1.0, 1.0, 1e9], shape) * scale
    return np.where(random.random(shape) < 0.3, random.choice([np.nan, np.inf, -np.inf], shape), scale)


@settings(max_examples=25, deadline=None)
@given(limits(), st.sampled_from(["random", "bang-bang", "not finite"]), st.booleans(), st.integers(0, 2**31))
def test_no_limit_is_ever_exceeded(found: tuple[MotionLimits, float], kind: str, by_position: bool, seed: int) -> None:
    lim, dt = found
    limiter, random, rows = MotionLimiter(lim, dt), np.random.default_rng(seed), 8
    p, v, a = random.uniform(lim.low, lim.high, (rows, lim.dof)), np.zeros((rows, lim.dof)), np.zeros((rows, lim.dof))
    advance = limiter.toward_position if by_position else limiter.toward_velocity
    scale = lim.high if by_position else lim.velocity
    goal = targets(kind, random, scale, rows)
    for _ in range(250):
        # most targets stay for a while, so that there is time to get fast
        goal = np.where(random.random(goal.shape) < 0.1, targets(kind, random, scale, rows), goal)
        p0, v0, a0 = p.copy(), v.copy(), a.copy()
        advance(p, v, a, goal)
        assert (np.abs(v) <= lim.velocity * ROUNDING).all()
        assert (np.abs(a) <= lim.acceleration * ROUNDING).all()
        assert (np.abs(a - a0) <= lim.jerk * dt * ROUNDING).all()
        np.testing.assert_allclose(v - v0, a * dt, rtol=0, atol=1e-9 * lim.velocity.max())
        np.testing.assert_allclose(p - p0, v * dt, rtol=0, atol=1e-9 * lim.high.max())
        if by_position:
            assert (p <= lim.high * ROUNDING).all() and (p >= lim.low * ROUNDING).all()


@settings(max_examples=25, deadline=None)
@given(limits(), st.floats(-1.0, 1.0))
def test_a_velocity_target_is_reached_without_overshoot(found: tuple[MotionLimits, float], share: float) -> None:
    lim, dt = found
    limiter = MotionLimiter(lim, dt)
    p, v, a = (np.zeros((1, lim.dof)) for _ in range(3))
    goal = share * lim.velocity[None]
    # ramping up and down at the jerk limit, twice, and the last bit exponentially
    time_s = 3.0 * float(np.max(lim.velocity / lim.acceleration + 2.0 * lim.acceleration / lim.jerk)) + 40.0 * dt
    for _ in range(min(20_000, math.ceil(time_s / dt))):
        limiter.toward_velocity(p, v, a, goal)
        assert (np.abs(v) <= np.abs(goal) + 1e-9 * lim.velocity).all()
    np.testing.assert_allclose(v, goal, rtol=0, atol=0.02 * lim.velocity.max())


@pytest.mark.parametrize("dt", [0.002, 0.008, 0.02])
@pytest.mark.parametrize("distance", [1e-4, 0.01, 0.1, 0.4, 1.0, 3.9])
def test_a_position_target_is_reached_without_overshoot(dt: float, distance: float) -> None:
    limiter = MotionLimiter(ARM, dt)
    p, v, a = np.full((1, 2), -2.0), np.zeros((1, 2)), np.zeros((1, 2))
    goal = p + distance
    for _ in range(round(5.0 / dt)):
        limiter.toward_position(p, v, a, goal)
        assert (p <= goal + 1e-9).all()
    np.testing.assert_allclose(p, goal, rtol=0, atol=1e-6)
    np.testing.assert_allclose(v, 0.0, atol=1e-5)


def test_a_target_outside_the_range_means_its_end() -> None:
    limiter = MotionLimiter(ARM, 0.008)
    p, v, a = (np.zeros((1, 2)) for _ in range(3))
    for _ in range(1000):
        limiter.toward_position(p, v, a, np.array([[100.0, -100.0]]))
    np.testing.assert_allclose(p, [[2.0, -6.3]], atol=1e-6)


def test_a_target_that_is_no_number_stops_its_axis_and_no_other() -> None:
    limiter = MotionLimiter(ARM, 0.008)
    p, v, a = (np.zeros((1, 2)) for _ in range(3))
    for _ in range(60):
        limiter.toward_velocity(p, v, a, np.array([[1.0, 1.0]]))
    for _ in range(200):
        limiter.toward_velocity(p, v, a, np.array([[np.nan, 1.0]]))
    np.testing.assert_allclose(v, [[0.0, 1.0]], atol=1e-9)
    for _ in range(200):
        limiter.toward_position(p, v, a, np.full((1, 2), np.nan))
    np.testing.assert_allclose(v, 0.0, atol=1e-9)
    assert np.isfinite(p).all()


def test_rows_do_not_see_each_other() -> None:
    random = np.random.default_rng(1)
    goals = random.uniform(-3.0, 3.0, (50, 7, 2))
    whole = [np.zeros((7, 2)) for _ in range(3)]
    alone = [np.zeros((1, 2)) for _ in range(3)]
    limiter = MotionLimiter(ARM, 0.01)
    for goal in goals:
        limiter.toward_position(*whole, goal)
        limiter.toward_position(*alone, goal[4:5])
    for many, one in zip(whole, alone, strict=True):
        np.testing.assert_array_equal(many[4:5], one)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"velocity": [0.0, 1.0]}, "velocity must hold positive"),
        ({"jerk": [1.0]}, "jerk must be a vector of 2"),
        ({"low": [3.0, -1.0]}, "low must be below high"),
        ({"acceleration": [np.nan, 1.0]}, "acceleration must hold positive"),
    ],
)
def test_impossible_limits_are_refused(change: dict[str, list[float]], words: str) -> None:
    with pytest.raises(ShopfloorError, match=words):
        MotionLimits.of(**{**ARM.as_dict(), **change})


def test_limits_survive_plain_data() -> None:
    again = MotionLimits.of(**ARM.as_dict())
    assert again.as_dict() == ARM.as_dict()
    with pytest.raises(ShopfloorError, match="dt must be positive"):
        MotionLimiter(ARM, 0.0)


# -- the guard of commands ----------------------------------------------------------------------------------------


def test_a_command_inside_range_and_rate_passes_unchanged() -> None:
    guard = CommandFilter([-1.0, 0.0], [1.0, 2.0], 0.1, rate=[5.0, 5.0])
    command = np.array([0.3, 1.2])
    out, changed = guard(command, np.array([0.1, 1.0]))
    np.testing.assert_array_equal(out, command)
    assert not changed


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=2, max_size=2), st.floats(-0.9, 0.9))
def test_whatever_comes_in_a_safe_command_goes_out(command: list[float], start: float) -> None:
    guard = CommandFilter([-1.0, -1.0], [1.0, 1.0], 0.1, rate=[2.0, 2.0])
    previous = np.array([start, -start])
    out, changed = guard(np.array(command), previous)
    assert (np.abs(out) <= 1.0).all() and (np.abs(out - previous) <= 0.2 + 1e-12).all()
    assert changed == (not np.array_equal(out, command))
    if not np.isfinite(command).all():
        np.testing.assert_array_equal(out, previous)


def test_without_a_past_a_bad_command_becomes_the_nearest_to_rest() -> None:
    out, changed = CommandFilter([0.5, -1.0], [4.5, 1.0], 0.02)(np.array([np.nan, 0.7]))
    np.testing.assert_array_equal(out, [0.5, 0.0])
    assert changed


def test_the_range_comes_before_the_rate() -> None:
    guard = CommandFilter([0.0], [1.0], 0.1, rate=[1.0])
    assert guard(np.array([0.5]), np.array([9.0]))[0] == [1.0]
    assert guard(np.array([0.5]), np.array([np.nan]))[0] == [0.1]


def test_rows_are_guarded_one_by_one() -> None:
    guard = CommandFilter([-1.0], [1.0], 0.1)
    out, changed = guard(np.array([[0.5], [np.inf], [3.0]]), np.array([[0.0], [0.2], [0.0]]))
    np.testing.assert_array_equal(out, [[0.5], [0.2], [1.0]])
    np.testing.assert_array_equal(changed, [False, True, True])
    with pytest.raises(ShopfloorError, match="low must not exceed high"):
        CommandFilter([1.0], [0.0], 0.1)


# -- rotations ----------------------------------------------------------------------------------------------------

quaternions = (
    st.lists(st.floats(-1.0, 1.0), min_size=4, max_size=4)
    .filter(lambda q: sum(x * x for x in q) > 1e-3)
    .map(lambda q: np.array(q) / math.sqrt(sum(x * x for x in q)))
)
vectors = st.lists(st.floats(-10.0, 10.0), min_size=3, max_size=3).map(np.array)


@settings(max_examples=100, deadline=None)
@given(quaternions, quaternions, vectors)
def test_rotations_agree_with_mujoco(a: Array, b: Array, v: Array) -> None:
    product, rotated, matrix = np.zeros(4), np.zeros(3), np.zeros(9)
    mujoco.mju_mulQuat(product, a, b)
    mujoco.mju_rotVecQuat(rotated, v, a)
    mujoco.mju_quat2Mat(matrix, a)
    np.testing.assert_allclose(frames.quat_multiply(a, b), product, atol=1e-12)
    np.testing.assert_allclose(frames.rotate(a, v), rotated, atol=1e-10)
    back = frames.quat_from_matrix(matrix)
    assert back[0] >= 0.0
    np.testing.assert_allclose(back * np.sign(back @ a), a, atol=1e-7)
    np.testing.assert_allclose(frames.quat_multiply(a, frames.quat_conjugate(a)), [1.0, 0.0, 0.0, 0.0], atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(vectors.filter(lambda v: np.linalg.norm(v) > 1e-3), st.floats(0.0, math.pi), quaternions)
def test_angles_survive_the_way_through_quaternions(axis: Array, angle: float, q: Array) -> None:
    unit = axis / np.linalg.norm(axis)
    turn = frames.quat_from_axis_angle(unit, np.array(angle))
    vector = frames.quat_to_rotation_vector(turn)
    np.testing.assert_allclose(np.linalg.norm(vector), angle, atol=1e-9)
    if 1e-6 < angle < math.pi - 1e-6:
        np.testing.assert_allclose(vector, unit * angle, atol=1e-7)
    np.testing.assert_allclose(frames.quat_angle_between(q, frames.quat_multiply(q, turn)), angle, atol=1e-7)
    # q and -q are one rotation
    np.testing.assert_allclose(frames.quat_angle_between(q, -q), 0.0, atol=1e-7)


def test_rotations_of_rows_do_not_depend_on_their_number() -> None:
    random = np.random.default_rng(0)
    q, v = random.normal(size=(33, 4)), random.normal(size=(33, 3))
    q /= np.sqrt((q * q).sum(axis=1, keepdims=True))
    for function, arguments in (
        (frames.rotate, (q, v)),
        (frames.quat_multiply, (q, q[::-1].copy())),
        (frames.quat_to_rotation_vector, (q,)),
        (frames.quat_angle_between, (q, q[::-1].copy())),
    ):
        many = function(*arguments)
        for row in (0, 16, 32):
            np.testing.assert_array_equal(many[row : row + 1], function(*(x[row : row + 1] for x in arguments)))
