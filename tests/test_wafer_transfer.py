"""WaferTransfer: closed-form times, the motion planner, and that nothing beats the optimum."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from engine_checks import Case, assert_same
from numpy.typing import NDArray

from shopfloor.assets.parts import wafer
from shopfloor.assets.robots.vacuum_scara import PAD_ANGLES, PAD_CIRCLE_RADIUS
from shopfloor.envs.control.path import ARRIVED_M, PathTimeScaling
from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.engine.task import Rows, Timing
from shopfloor.envs.wafer.profiles import (
    GRAVITY,
    arc_half_time,
    arc_time,
    line_time,
    s_curve,
    stopping_speed_squared,
    tangential_limit,
    tilt_limits,
    yaw_friction_factor,
    zv_shaper,
)
from shopfloor.errors import ShopfloorError

Array = NDArray[np.float64]
WAFER = "shopfloor/WaferTransfer-v0"

# -- closed forms ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "velocity", "acceleration", "jerk", "time", "regime"),
    [
        (0.6, 1.0, 1.962, 20.0, 1.2084, "acceleration"),
        (0.6, 1.0, 0.981, 10.0, 1.6653, "acceleration"),
        (0.6, 1.0, 2.943, 50.0, 0.9986, "velocity"),
        (0.010, 0.1, 1.0, 20.0, 0.2562, "acceleration"),
        (0.001, 0.1, 1.0, 20.0, 0.1170, "jerk"),
        (0.6, 1.0, 1.962, 23.544, 1.193, "velocity"),
    ],
)
def test_s_curve_times(length: float, velocity: float, acceleration: float, jerk: float, time: float, regime: str):
    curve = s_curve(length, velocity, acceleration, jerk)
    assert curve.time == pytest.approx(time, rel=1e-3)
    assert curve.regime == regime


def seven_segments(time: float, jerk_time: float, ramp: float, jerk: float) -> tuple[float, float, float]:
    """Length, peak speed and peak acceleration of an S-curve, by integrating its jerk."""
    dt = time / 400_000
    t = (np.arange(400_000) + 0.5) * dt
    signs = np.zeros_like(t)
    for begin, sign in (
        (0.0, 1), (ramp - jerk_time, -1), (time - ramp, -1), (time - jerk_time, 1),
    ):  # fmt: skip
        signs[(t >= begin) & (t < begin + jerk_time)] += sign
    acceleration = np.cumsum(signs * jerk) * dt
    speed = np.cumsum(acceleration) * dt
    assert abs(speed[-1]) < 1e-4
    return float(speed.sum() * dt), float(speed.max()), float(acceleration.max())


@pytest.mark.parametrize("seed", range(12))
def test_s_curve_covers_its_length_within_its_limits(seed: float):
    length, velocity, acceleration, jerk = np.exp(np.random.default_rng(seed).uniform(
        np.log([0.005, 0.05, 0.3, 3.0]), np.log([1.0, 2.0, 5.0, 200.0])
    ))  # fmt: skip
    curve = s_curve(length, velocity, acceleration, jerk)
    ramp = curve.peak_velocity / curve.peak_acceleration + curve.jerk_time
    covered, fastest, hardest = seven_segments(curve.time, curve.jerk_time, ramp, jerk)
    assert covered == pytest.approx(length, rel=1e-3)
    assert fastest == pytest.approx(curve.peak_velocity, rel=1e-3)
    assert hardest == pytest.approx(curve.peak_acceleration, rel=1e-3)
    assert curve.peak_velocity <= velocity * (1 + 1e-12) and curve.peak_acceleration <= acceleration * (1 + 1e-12)


@pytest.mark.parametrize(("length", "limit", "time"), [(0.6, 0.981, 1.5641), (0.6, 1.962, 1.1060)])
def test_line_times(length: float, limit: float, time: float):
    assert line_time(length, limit) == pytest.approx(time, rel=1e-4)
    # unequal limits: v^2 / 2a + v^2 / 2d = L
    speed = math.sqrt(2 * length / (1 / limit + 1 / 3.0))
    assert line_time(length, limit, 3.0) == pytest.approx(speed / limit + speed / 3.0, rel=1e-12)


@pytest.mark.parametrize(
    ("radius", "degrees", "time"),
    [
        (0.3, 90, 1.0253), (0.6, 90, 1.4500), (0.3, 180, 1.6395), (0.6, 180, 2.3187), (0.3, 60, 0.8156),
        (0.6, 60, 1.1535),
    ],
)  # fmt: skip
def test_arc_times(radius: float, degrees: float, time: float):
    assert arc_time(radius, math.radians(degrees), 0.2 * GRAVITY) == pytest.approx(time, rel=1e-3)


@pytest.mark.parametrize("angle", [0.05, 0.3, 0.8, 1.4, 1.6, 2.5, 3.1])
def test_arc_time_by_integration(angle: float):
    """Bang-bang inside the friction circle, integrated in the square of the angular speed."""
    rate_sq, radius = 0.2 * GRAVITY / 0.5, 0.5
    theta = np.linspace(0.0, 0.5 * angle, 400_001)
    middle = 0.5 * (theta[1:] + theta[:-1])
    # w^2 = c sin(2 theta) while d(w^2)/d theta = 2 sqrt(c^2 - w^4), then at its largest value
    speed = np.sqrt(rate_sq * np.where(middle < math.pi / 4, np.sin(2 * middle), 1.0))
    first = math.sqrt(2 * theta[1] / (2 * rate_sq)) * 2  # the first cell starts from rest
    total = 2.0 * (first + np.sum(np.diff(theta)[1:] / speed[1:]))
    assert arc_time(radius, angle, 0.2 * GRAVITY) == pytest.approx(total, rel=1e-3)
    slope = np.gradient(rate_sq * np.sin(2 * theta), theta)
    w4 = (rate_sq * np.sin(2 * theta)) ** 2
    inside = theta < math.pi / 4 - 0.01
    np.testing.assert_allclose(
        (0.5 * slope[inside]) ** 2 + w4[inside], rate_sq**2, rtol=1e-3, err_msg="on the friction circle"
    )


def test_half_the_lemniscate_constant():
    assert float(arc_half_time(np.array(math.pi / 4))) == pytest.approx(1.3110287771460599, rel=1e-12)


def test_short_arcs_are_lines():
    for radius in (0.4, 5.0):
        assert arc_time(radius, 1e-3, 2.0) == pytest.approx(line_time(1e-3 * radius, 2.0), rel=1e-4)


def test_closed_forms_round_alike_in_every_shape():
    """A row's bound must not depend on how many rows are computed with it."""
    rng = np.random.default_rng(0)
    radius, angle, limit = rng.uniform(0.3, 0.7, 37), rng.uniform(0.1, 3.1, 37), rng.uniform(0.5, 4.0, 37)
    remaining, speed = rng.uniform(0.0, 2.0, 37), rng.uniform(0.0, 1.5, 37)
    functions: dict[str, Any] = {
        "arc_time": (arc_time, (radius, angle, limit)),
        "line_time": (line_time, (angle, limit, radius)),
        "tilt": (lambda a, b: np.stack(tilt_limits(a, b), -1), (radius, 0.01 * angle)),
        "stopping": (stopping_speed_squared, (remaining, 1.0 / radius, limit)),
        "tangential": (tangential_limit, (speed, 1.0 / radius, limit)),
    }
    for name, (function, arguments) in functions.items():
        whole = function(*arguments)
        for row in range(37):
            assert_same(function(*(a[row : row + 1] for a in arguments)), whole[row : row + 1], name)
        strided = function(*(np.stack([a, a])[:, :].T[:, 0] for a in arguments))
        assert_same(strided, whole, f"{name}, strided")


@pytest.mark.parametrize(
    ("degrees", "outward", "inward"),
    [(0.2, 1.998, 1.926), (0.5, 2.051, 1.873), (1.0, 2.141, 1.785), (0.0, 1.962, 1.962)],
)
def test_tilt_limits(degrees: float, outward: float, inward: float):
    found = tilt_limits(np.array(0.2), np.array(math.radians(degrees)))
    np.testing.assert_allclose(found, (outward, inward), rtol=1e-3)
    np.testing.assert_allclose(tilt_limits(np.array(0.2), np.array(-math.radians(degrees))), found[::-1], rtol=1e-12)


def test_stopping_speed_is_the_reverse_of_the_fastest_start():
    """Integrating the friction-limited start backward from the end of the path gives the braking curve."""
    for curvature in (0.0, 1.0 / 0.6, 1.0 / 0.3):
        limit, dt = 1.8, 2e-6
        speed = distance = 0.0
        for _ in range(200_000):
            rise = math.sqrt(max(limit**2 - (speed**2 * curvature) ** 2, 0.0))
            distance += dt * (speed + 0.5 * dt * rise)
            speed += dt * rise
        found = float(stopping_speed_squared(np.array(distance), np.array(curvature), np.array(limit)))
        assert math.sqrt(found) == pytest.approx(speed, rel=1e-4)


def test_zv_shaper():
    amplitudes, times = zv_shaper(12.0, 0.02)
    np.testing.assert_allclose(amplitudes, [0.5157, 0.4843], atol=1e-4)
    np.testing.assert_allclose(times, [0.0, 0.041675], atol=1e-6)
    amplitudes, times = zv_shaper(15.0, 0.05)
    np.testing.assert_allclose(amplitudes, [0.5392, 0.4608], atol=1e-4)
    assert times[1] == pytest.approx(0.033375, abs=1e-6)


GYRATION_SQ = wafer.INERTIA_AXIAL / wafer.MASS


@pytest.mark.parametrize(("radius", "alpha"), [(0.3, 5.933), (0.6, 3.176)])
def test_yaw_friction_factor_known_values(radius: float, alpha: float):
    """Largest angular acceleration from rest at mu = 0.2 with a pad on the outward radius, by linear programming."""
    share = yaw_friction_factor(radius, PAD_CIRCLE_RADIUS, GYRATION_SQ, 0.0)
    assert float(share) * 0.2 * GRAVITY / radius == pytest.approx(alpha, rel=1e-3)


@pytest.mark.parametrize("phase", [*PAD_ANGLES, 0.0, 0.4])
@pytest.mark.parametrize("radius", [0.4, 0.6])
def test_yaw_friction_factor_against_forces(radius: float, phase: float):
    """From below: pad forces that exist. From above: no sliding motion may do positive work beyond friction."""
    found = float(yaw_friction_factor(radius, PAD_CIRCLE_RADIUS, GYRATION_SQ, phase))
    lower = largest_tangential_force(radius, phase)
    assert found == pytest.approx(lower, rel=2e-3)


def largest_tangential_force(radius: float, phase: float) -> float:
    """Brute force over directions of the three pad forces, each mu m g / 3, that spin the wafer up as it turns."""
    angles = phase + np.arange(3) * 2.0 * np.pi / 3.0
    px, py = PAD_CIRCLE_RADIUS * np.cos(angles), PAD_CIRCLE_RADIUS * np.sin(angles)
    best = 0.0
    center, width = np.full(3, 0.5 * np.pi), np.pi
    for _ in range(14):  # zoom in on the best direction of each force
        grid = [c + np.linspace(-width, width, 41) for c in center]
        a = np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1)
        fx, fy = np.cos(a) / 3.0, np.sin(a) / 3.0
        force = fy.sum(-1)
        moment = (px * fy - py * fx).sum(-1)
        # tangential force F accelerates at F / m and needs the moment I F / (m R); forces may be scaled down, so what
        # is missing in balance counts against the gain
        unbalanced = np.abs(fx.sum(-1)) + np.abs(moment - GYRATION_SQ / radius * force) / PAD_CIRCLE_RADIUS
        score = force - 3.0 * unbalanced
        index = np.unravel_index(np.argmax(score), score.shape)
        center = a[index]
        best = float(score[index])
        width *= 0.35
    return best


# -- the planner ----------------------------------------------------------------------------------------------------


class FakeDrive:
    """Stands in for the simulation: keeps the commands, moves nothing."""

    def __init__(self, n: int):
        self.ctrl = np.zeros((n, 2))
        self.commands: list[Array] = []

    def ids(self, kind: str, names: list[str]) -> NDArray[np.intp]:
        return np.array([0]) if names[0].endswith("_position") else np.array([1])

    def follow(self, commands: Array, rows: Any, record: bool) -> Array:
        self.commands.append(commands.copy())
        return np.zeros((len(commands), commands.shape[1], 0))


class Straight:
    """A joint that is the path."""

    def joints(self, s: Any, distance: Array, speed: Array) -> tuple[Array, Array]:
        return distance[:, :, None], speed[:, :, None]


class Planner:
    """The planner alone: paths in, commanded motion out. Set-points are accelerations in m/s^2 and periods in s."""

    VELOCITY = 1.6

    def __init__(self, length: Any, curvature: Any, **limits: Any):
        self.length, self.curvature = np.broadcast_arrays(
            np.atleast_1d(np.asarray(length, float)), np.asarray(curvature, float)
        )
        self.n = len(self.length)
        self.timing = Timing(control_hz=50.0, timestep_s=0.0005, horizon_s=4.0)
        self.drive = FakeDrive(self.n)
        self.s = Rows(self.n, self.drive, self.timing)
        arguments = {"velocity": self.VELOCITY, "acceleration": 7.0, "shaper_period": (0.02, 0.25)} | limits
        self.action = PathTimeScaling(Straight(), ["x"], utilization=(0.1, 9.0), periods=(0.01, 1.0), **arguments)
        for name in ("path_length", "path_curvature", "acceleration_estimate", "period_estimate"):
            self.s.new(name)
        self.action.bind(self.s)
        self.s.path_length, self.s.path_curvature = self.length, self.curvature
        self.s.acceleration_estimate, self.s.period_estimate = 1.0, 1.0
        self.action.reset(self.s, np.arange(self.n))
        self.raw: list[tuple[Array, Array, Array]] = []

    def step(self, speeding: Any, slowing: Any, period: Any) -> None:
        setpoints = np.stack(np.broadcast_arrays(speeding, slowing, period, np.zeros(self.n))[:3], axis=-1)
        self.action.apply(self.s, setpoints, None)
        ticks = self.action._ticks
        knots = (self.s.plan_distance[:, -ticks:], self.s.plan_speed[:, -ticks:])
        self.raw.append((*(k.copy() for k in knots), self.s.plan_acceleration[:, -ticks - 1 : -1].copy()))

    def run(self, policy: Any, steps: int = 400) -> None:
        for k in range(steps):
            self.step(*policy(k))
            if self.s.path_complete.all():
                return
        raise AssertionError("the path was never completed")

    def commanded(self) -> tuple[Array, Array]:
        """Distance and speed (n, physics steps) as sent to the servos."""
        commands = np.concatenate(self.drive.commands, axis=1)
        return commands[:, :, 0], commands[:, :, 1]

    def bang_bang(self) -> tuple[Array, Array]:
        """Distance and speed (n, ticks + 1) before shaping, from rest."""
        zero = np.zeros((self.n, 1))
        distance, speed = (np.concatenate([zero, *parts], axis=1) for parts in list(zip(*self.raw, strict=True))[:2])
        return distance, speed


def in_plane(speed: Array, curvature: Array, dt: float) -> Array:
    """Total acceleration between samples, with the larger centripetal part of each pair."""
    tangential = np.diff(speed, axis=1) / dt
    fastest = np.maximum(speed[:, 1:], speed[:, :-1])
    return np.hypot(tangential, fastest * fastest * curvature[:, None])


PATHS = {"line": 0.0, "wide arc": 1 / 0.6, "tight arc": 1 / 0.3}


@pytest.mark.parametrize("curvature", PATHS.values(), ids=PATHS.keys())
@pytest.mark.parametrize(("speeding", "slowing"), [(2.0, 2.0), (3.0, 1.0), (0.7, 4.0), (7.0, 7.0)])
def test_planner_is_as_fast_as_the_closed_form_and_no_faster(curvature: float, speeding: float, slowing: float):
    """Constant limits: the bang-bang profile of the closed form, plus one filter period."""
    length, period = 0.9, 0.07
    planner = Planner(length, curvature)
    planner.run(lambda k: (speeding, slowing, period))
    planner.step(speeding, slowing, period)  # the run ends a hair's breadth early
    distance, _ = planner.commanded()
    arrived = (np.argmax(distance[0] >= length - 1e-10) + 1) * 0.0005
    if speeding == slowing and curvature:
        bound = float(arc_time(1 / curvature, length * curvature, speeding))
    elif not curvature:
        bound = float(line_time(length, speeding, slowing))
        top = math.sqrt(2 * length / (1 / speeding + 1 / slowing))
        if top > planner.VELOCITY:
            v = planner.VELOCITY
            bound = length / v + 0.5 * v * (1 / speeding + 1 / slowing)
    else:
        bound = float(arc_time(1 / curvature, length * curvature, max(speeding, slowing)))
        assert arrived >= bound + period
        return
    if curvature and math.sqrt(speeding / curvature) > planner.VELOCITY:
        return  # the speed limit of the machine is not in the closed form of an arc
    assert bound + period - 0.0005 <= arrived <= bound + period + 0.012


@pytest.mark.parametrize("curvature", PATHS.values(), ids=PATHS.keys())
def test_commanded_acceleration_keeps_to_its_limits(curvature: float):
    rng = np.random.default_rng(1)
    n = 40
    planner = Planner(rng.uniform(0.05, 1.8, n), curvature)
    speeding, slowing = rng.uniform(0.4, 6.0, (2, n))
    period = rng.uniform(0.02, 0.25, n)
    planner.run(lambda k: (speeding, slowing, period))
    _, speed = planner.bang_bang()
    largest = np.maximum(speeding, slowing)
    total = in_plane(speed, planner.curvature, 0.002)
    assert (total.max(axis=1) <= largest * (1 + 1e-9)).all()
    # speeding up keeps to its own limit, slowing down to its own
    rising = np.diff(speed, axis=1) > 1e-12
    assert (np.where(rising, total, 0.0).max(axis=1) <= speeding * (1 + 1e-9)).all()
    falling = np.diff(speed, axis=1) < -1e-12
    assert (np.where(falling, total, 0.0).max(axis=1) <= slowing * (1 + 1e-9)).all()
    knots = np.concatenate([a for _, _, a in planner.raw], axis=1)
    assert (-knots.min(axis=1) <= slowing * (1 + 1e-5)).all(), "the last stop, within a tick"
    # averaging never needs more
    _, shaped = planner.commanded()
    shaped = np.concatenate([np.zeros((n, 1)), shaped], axis=1)
    assert (in_plane(shaped, planner.curvature, 0.0005).max(axis=1) <= largest * (1 + 1e-6)).all()
    assert speed.max() <= planner.VELOCITY * (1 + 1e-12)


@pytest.mark.parametrize("curvature", PATHS.values(), ids=PATHS.keys())
def test_jerk_is_bounded_by_the_filter(curvature: float):
    """Twice the largest acceleration over the period, on a line; an arc adds the turning of the acceleration."""
    planner = Planner([0.3, 0.6, 1.2], curvature)
    limit, period = 2.5, np.array([0.03, 0.08, 0.2])
    planner.run(lambda k: (limit, limit, period))
    _, speed = planner.commanded()
    speed = np.concatenate([np.zeros((3, 2)), speed], axis=1)
    jerk = np.abs(np.diff(speed, 2, axis=1)) / 0.0005**2
    assert (jerk.max(axis=1) <= 2.0 * limit / period * (1 + 1e-6)).all()


@pytest.mark.parametrize("curvature", PATHS.values(), ids=PATHS.keys())
@pytest.mark.parametrize("seed", range(3))
def test_it_lands_exactly_whatever_is_asked_for(curvature: float, seed: int):
    """New limits at every step, jumping from end to end of their range."""
    rng = np.random.default_rng(seed)
    n = 60
    planner = Planner(rng.uniform(0.02, 1.9, n), curvature)
    period = rng.uniform(0.02, 0.25, n)

    def policy(k: int) -> tuple[Array, Array, Array]:
        extreme = rng.random(n) < 0.5
        speeding, slowing = (np.where(extreme, rng.choice([0.3, 7.0], n), rng.uniform(0.3, 7.0, n)) for _ in range(2))
        return speeding, slowing, np.where(k == 0, period, rng.uniform(0.02, 0.25, n))

    planner.run(policy, 800)
    distance, speed = planner.commanded()
    assert (np.diff(distance, axis=1) >= -1e-11).all(), "never backward"
    assert (speed >= -1e-11).all()
    assert (distance <= planner.length[:, None] + 1e-11).all(), "never beyond the end"
    np.testing.assert_allclose(distance[:, -1], planner.length, atol=ARRIVED_M)
    np.testing.assert_allclose(planner.bang_bang()[0][:, -1], planner.length, atol=1e-15)
    np.testing.assert_allclose(np.diff(distance, axis=1).max(axis=1) / 0.0005, speed.max(axis=1), rtol=1e-3)
    assert (speed.max(axis=1) <= planner.VELOCITY + 1e-12).all()
    # motion ends with speed and acceleration at rest
    planner.step(1.0, 1.0, 0.1)
    assert (planner.commanded()[1][:, -20:] == 0.0).all() or np.abs(planner.commanded()[1][:, -20:]).max() < 1e-9
    assert (planner.s.path_complete).all()


def test_distance_and_speed_belong_together():
    planner = Planner([0.7, 0.4], [0.0, 2.0])
    planner.run(lambda k: (2.0, 1.5, 0.09))
    distance, speed = planner.commanded()
    np.testing.assert_allclose(np.diff(distance, axis=1) / 0.0005, 0.5 * (speed[:, 1:] + speed[:, :-1]), atol=2e-4)


@pytest.mark.parametrize("period", [0.02, 0.0333, 0.1, 0.25])
def test_shaped_motion_is_the_moving_average_of_the_profile(period: float):
    planner = Planner([0.5, 0.9], [0.0, 1.7])
    planner.run(lambda k: (2.2, 3.1, period))
    for _ in range(14):
        planner.step(2.2, 3.1, period)
    raw_distance, raw_speed = planner.bang_bang()
    distance, shaped_speed = planner.commanded()
    # distance at any time from knots and accelerations, then (x(t) - x(t - T)) / T by definition
    knots = [np.concatenate(parts, axis=1) for parts in list(zip(*planner.raw, strict=True))]
    times = (np.arange(distance.shape[1]) + 1) * 0.0005
    for row in range(2):

        def travelled(at: Array, row: int = row) -> Array:
            tick = np.clip(np.floor(at / 0.002 + 1e-9).astype(int), 0, knots[2].shape[1] - 1)
            start, speed, pull = raw_distance[row, tick], raw_speed[row, tick], knots[2][row, tick]
            tau = at - tick * 0.002
            tau = np.minimum(tau, np.where(pull < 0, -speed / np.minimum(pull, -1e-12), np.inf))
            return np.where(at > 0, start + tau * (speed + 0.5 * tau * pull), 0.0)

        average = (travelled(times) - travelled(times - period)) / period
        np.testing.assert_allclose(shaped_speed[row], average, atol=1e-9)
        np.testing.assert_allclose(np.gradient(distance[row], 0.0005)[5:-5], average[5:-5], atol=1e-3)
        assert raw_distance[row, -1] == planner.length[row]


def test_period_is_read_once():
    planner = Planner([0.5], 0.0)
    planner.step(2.0, 2.0, 0.1)
    planner.step(2.0, 2.0, 0.02)
    assert planner.s.shaper_period[0] == 0.1
    planner.action.reset(planner.s, np.array([0]))
    planner.step(2.0, 2.0, 0.05)
    assert planner.s.shaper_period[0] == 0.05


def test_machine_limits_hold_whatever_the_estimate_says():
    planner = Planner([1.5, 1.5], [0.0, 1.0], acceleration=3.0, velocity=1.2, shaper_period=(0.05, 0.2))
    planner.run(lambda k: (9.0, 9.0, 0.01))
    _, speed = planner.commanded()
    assert (planner.s.shaper_period == 0.05).all()
    assert speed.max() <= 1.2 + 1e-12
    raw = planner.bang_bang()[1]
    assert in_plane(raw, planner.curvature, 0.002).max() <= 3.0 * (1 + 1e-9)


def test_rows_that_wait_do_not_disturb_the_others():
    both, alone = Planner([0.5, 0.8], [0.0, 2.0]), Planner([0.8], [2.0])
    both.run(lambda k: (2.0, 2.0, 0.1))
    alone.run(lambda k: (2.0, 2.0, 0.1))
    length = alone.commanded()[0].shape[1]
    assert_same(both.commanded()[0][1:, :length], alone.commanded()[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"interpolator_hz": 333.0}, "interpolator_hz"),
        ({"shaper_period": (0.1, 0.05)}, "shaper_period must be a range"),
        ({"shaper_period": (0.0, 0.05)}, "shaper_period must be a range"),
    ],
)
def test_bad_planner(arguments: dict[str, Any], message: str):
    with pytest.raises(ShopfloorError, match=message):
        Planner([0.5], 0.0, **arguments)


# -- the task -------------------------------------------------------------------------------------------------------


def episodes(cell: BatchedCell, act: Any, seeds: Any, params: Any = None) -> SimpleNamespace:
    """One episode of each seed; what stood at its end."""
    cell.reset(seeds=np.asarray(seeds), params=params)
    n = cell.n
    out = SimpleNamespace(success=np.zeros(n, bool), reason=np.zeros(n, int), steps=np.zeros(n, int))
    out.metrics = {k: np.full(n, np.nan) for k in cell.task.metrics}
    running = np.ones(n, bool)
    while running.any():
        cell.step(act(cell), None if running.all() else np.flatnonzero(running))
        ended = running & (cell.terminated | cell.truncated)
        out.success[ended], out.reason[ended] = cell.success[ended], cell.reason[ended]
        out.steps[ended] = cell.s.step[ended]
        for k, v in cell.metrics().items():
            out.metrics[k][ended] = v[ended]
        running &= ~ended
    return out


def constant(utilization: Any, periods: Any) -> Any:
    def act(cell: BatchedCell) -> Array:
        return np.stack(np.broadcast_arrays(utilization, utilization, periods, np.zeros(cell.n))[:3], axis=-1)

    return act


def test_bound_is_the_closed_form_of_the_episode():
    cell = Case(WAFER).cell(64)
    cell.reset(seeds=np.arange(64))
    p = cell.params
    for row in range(64):
        outward, inward = tilt_limits(p["friction"][row], np.deg2rad(abs(p["droop"][row])))
        if p["move_kind"][row]:
            expected = arc_time(p["arc_radius"][row], p["arc_angle"][row], outward)
        else:
            expected = line_time(p["line_length"][row], outward, inward)
        assert cell.s.bound_time[row] == pytest.approx(float(expected), rel=1e-12)
    assert (cell.s.path_curvature > 0).sum() not in (0, 64)


def test_episode_begins_at_rest_on_the_pads():
    """The wafer is seated without a jolt, whatever the droop: nothing moves when nothing is commanded."""
    cell = Case(WAFER).cell(32)
    cell.reset(seeds=np.arange(32))
    seat = cell.sim.sensor("wafer_in_paddle_position").copy()
    tcp = cell.sim.output("site_xpos", "site", "tcp").copy()
    cell.sim.step(400)
    moved = 1e6 * np.abs(cell.sim.sensor("wafer_in_paddle_position") - seat).max()
    assert moved < 2.0, f"{moved:.2f} um"
    assert 1e6 * np.abs(cell.sim.output("site_xpos", "site", "tcp")[:, :2] - tcp[:, :2]).max() < 20.0
    assert np.abs(cell.sim.qvel).max() < 2e-3


def test_slip_is_what_the_wafer_moved_on_its_pads():
    """Against the contact-free truth: positions of the pad centres in the wafer's frame, at the start and now."""
    cell = Case(WAFER).cell(12)
    cell.reset(seeds=np.arange(12))

    def pads_in_wafer() -> Array:
        ids = cell.sim.ids("geom", [f"pad_{k}" for k in range(3)])
        body = cell.sim.id("body", "wafer")
        center = cell.sim.output("xpos")[:, body]
        rotation = cell.sim.output("xmat")[:, body].reshape(-1, 3, 3)
        return np.einsum("nji,npj->npi", rotation, cell.sim.output("geom_xpos")[:, ids] - center[:, None])

    start = pads_in_wafer()
    largest = np.zeros(12)
    for _ in range(25):
        cell.step(constant(1.1, 1.0)(cell))
        moved = np.linalg.norm((pads_in_wafer() - start)[:, :, :2], axis=2).max(axis=1)
        largest = np.maximum(largest, 1000.0 * moved)
        np.testing.assert_allclose(cell.s.slip_mm, largest, rtol=0.02, atol=2e-3)
    assert largest.max() > 0.2


def test_expert_margins_by_regime():
    """Far inside the limits nothing slips; far beyond them everything does."""
    cell = Case(WAFER, {"friction_error": 0.0, "frequency_error": 0.0}).cell(12)
    careful = episodes(cell, constant(0.5, 1.0), 500 + np.arange(12))
    assert careful.success.all()
    assert careful.metrics["slip"].max() < 0.06
    bold = episodes(cell, constant(1.4, 1.0), 500 + np.arange(12))
    assert not bold.success.any()
    reasons = {cell.reasons[r] for r in bold.reason}
    assert reasons <= {"wafer_lost", "misplaced"} and len(reasons) >= 1


def test_filter_of_one_period_leaves_no_vibration():
    cell = Case(WAFER, {"friction_error": 0.0, "frequency_error": 0.0}).cell(12)
    residual = {}
    for periods in (1.0, 1.5):
        residual[periods] = episodes(cell, constant(0.6, periods), np.arange(12)).metrics["residual_vibration"]
    assert np.median(residual[1.0]) < 0.35 * np.median(residual[1.5])


def test_move_time_is_when_it_settles_for_good():
    """Recomputed from a record of the TCP at every physics step."""
    cell = Case(WAFER).cell(8)
    expert = cell.task.expert()
    cell.reset(seeds=40 + np.arange(8))
    tcp = cell.sim.sensor_slice("tcp_position")
    record: list[Array] = []
    ended = np.zeros(8, bool)
    times = np.full(8, np.nan)
    while not ended.all():
        cell.step(expert.act(cell.s, cell.readings()))
        error = np.linalg.norm(cell.s.sensor_record[:, :, tcp][:, :, :2] - cell.s.target[:, None], axis=2)
        record.append((error > 1e-4) | (cell.s.path_record < cell.s.path_length[:, None] - ARRIVED_M))
        new = (cell.terminated | cell.truncated) & ~ended
        for row in np.flatnonzero(new).tolist():
            last_out = np.flatnonzero(np.concatenate(record, axis=1)[row])[-1]
            times[row] = cell.metrics()["move_time"][row]
            assert times[row] == pytest.approx((last_out + 1) * 0.0005, abs=1e-9)
        ended |= new
    assert np.isfinite(times).all()


def test_hold_is_counted_from_settling():
    cell = Case(WAFER).cell(10)
    expert = cell.task.expert()
    result = episodes(cell, lambda c: expert.act(c.s, c.readings()), 70 + np.arange(10))
    held = result.steps * 0.02 - result.metrics["move_time"]
    assert (held[result.success] >= 0.06 - 0.02 - 1e-9).all() and (held[result.success] <= 0.10).all()


# -- nothing beats the optimum ----------------------------------------------------------------------------------------


def check_bound(result: SimpleNamespace) -> float:
    """The smallest ratio of move time and bound among successes, which must not be below one."""
    ratios = result.metrics["time_ratio"][result.success]
    if ratios.size:
        assert ratios.min() >= 1.0, f"an episode took {ratios.min():.4f} of the shortest possible time"
    return float(ratios.min()) if ratios.size else math.inf


MANY = pytest.param(96, marks=pytest.mark.slow)


@pytest.mark.parametrize("n", [24, MANY])
@pytest.mark.parametrize("kind", ["expert", "oracle"])
def test_scripts_do_not_beat_the_optimum(kind: str, n: int):
    cell = Case(WAFER).cell(n)
    script = getattr(cell.task, kind)()
    result = episodes(cell, lambda c: script.act(c.s, c.readings()), 2_000_000 + np.arange(n))
    assert result.success.mean() >= 0.95
    assert check_bound(result) < 1.5


@pytest.mark.parametrize("n", [24, MANY])
def test_no_constant_setting_beats_the_optimum(n: int):
    """All friction there is and more, and every filter: the fastest that still succeed."""
    cell = Case(WAFER, {"friction_error": 0.0}).cell(n)
    rng = np.random.default_rng(0)
    fastest = []
    for _ in range(2):
        utilization, periods = rng.uniform(0.95, 1.03, n), rng.uniform(0.5, 1.1, n)
        fastest.append(check_bound(episodes(cell, constant(utilization, periods), rng.integers(0, 10**6, n))))
    assert min(fastest) < 1.2, "some of these must succeed, or nothing was tested"


class SlipSpender:
    """Knows everything and spends the tolerated slip: as fast as it goes until `share` of it is used up.

    It speeds up beyond friction in a burst at the start and brakes beyond friction at the end, where the wafer need
    not have come to rest when the arm has, and keeps just below friction in between.
    """

    def __init__(self, n: int, rng: np.random.Generator):
        self.share = rng.uniform(0.1, 0.9, n)
        self.base = rng.uniform(0.82, 1.0, n)
        self.burst = self.base + rng.uniform(0.0, 0.25, n)
        self.periods = rng.uniform(0.5, 1.0, n)
        self.late_mm = rng.uniform(5.0, 100.0, n)

    def __call__(self, cell: BatchedCell) -> Array:
        s = cell.s
        budget = s.slip_mm < 0.1 * self.share
        remaining_mm = 1000.0 * (s.path_length - s.plan_distance[:, -1])
        speeding = np.where(budget & (s.step < 3), self.burst, self.base)
        slowing = np.where(remaining_mm < self.late_mm, self.burst, self.base)
        return np.stack([speeding, slowing, self.periods], axis=-1)


@pytest.mark.parametrize("n", [24, MANY])
@pytest.mark.parametrize("move", ["line", "arc"])
def test_spending_the_tolerated_slip_does_not_beat_the_optimum(move: str, n: int):
    cell = Case(WAFER, {"move": move, "friction_error": 0.0, "frequency_error": 0.0}).cell(n)
    rng = np.random.default_rng(3)
    fastest = [
        check_bound(episodes(cell, SlipSpender(n, rng), rng.integers(0, 10**6, n))) for _ in range(2)
    ]  # fmt: skip
    assert min(fastest) < 1.2


def test_lost_and_misplaced_wafers_are_told_apart():
    """A wafer that is lost has no move time; a misplaced one has arrived, but out of tolerance."""
    cell = Case(WAFER, {"friction_error": 0.0, "frequency_error": 0.0}).cell(30)
    result = episodes(cell, constant(np.linspace(0.95, 1.05, 30), 1.0), np.arange(30))
    reason = np.array(cell.reasons)[result.reason]
    lost, misplaced, slip = reason == "wafer_lost", reason == "misplaced", result.metrics["slip"]
    assert lost.any() and misplaced.any() and not result.success[lost | misplaced].any()
    assert np.isnan(result.metrics["move_time"][lost]).all() and (slip[lost] > 1.0).all()
    assert ((slip[misplaced] > 0.1) & (slip[misplaced] <= 1.0)).all()
    assert (slip[result.success] <= 0.1).all()


@pytest.mark.slow
def test_search_does_not_beat_the_optimum():
    """Hill climbing over piecewise set-points with the time ratio as the goal, on single moves."""
    cell = Case(WAFER, {"friction_error": 0.0, "frequency_error": 0.0}).cell(64)
    rng = np.random.default_rng(5)
    for episode in range(3):
        seeds = np.full(64, 10_000 + episode)
        best, best_ratio = np.column_stack([np.full((64, 8), 0.9), np.full(64, 0.95)]), np.inf
        scale = np.array([0.05] * 8 + [0.2])
        for _ in range(15):
            trial = np.clip(best + scale * rng.standard_normal(best.shape), 0.3, 1.5)

            def act(c: BatchedCell, trial: Array = trial) -> Array:
                share = np.minimum((4 * c.s.plan_distance[:, -1] / c.s.path_length).astype(int), 3)
                rows = np.arange(64)
                return np.stack([trial[rows, share], trial[rows, 4 + share], trial[:, 8]], axis=-1)

            result = episodes(cell, act, seeds)
            check_bound(result)
            ratio = np.where(result.success, result.metrics["time_ratio"], np.inf)
            winner = int(np.argmin(ratio))
            if ratio[winner] < best_ratio:
                best_ratio, best = ratio[winner], np.repeat(trial[winner : winner + 1], 64, axis=0)
            scale = scale * 0.9
        assert 1.0 <= best_ratio < 1.2


def test_moves_stay_inside_the_chamber():
    """Arcs clear the walls, lines lie on the axis of a station, and every path can be reached."""
    cell = Case(WAFER).cell(400)
    cell.reset(seeds=np.arange(400))
    s = cell.s
    arc = s.path_curvature > 0
    end = np.where(arc, s.path_radius, s.path_radius + s.path_sign * s.path_length)
    assert s.path_radius[arc].max() <= 0.60
    for radius in (s.path_radius, end):
        assert (radius > 0.33).all() and (radius < 1.0).all()
    from shopfloor.assets.cells.transfer_chamber import STATIONS

    headings = np.array(list(STATIONS.values()))
    assert np.abs(s.path_angle[:, None] - headings).min(axis=1).max() < 1e-12
    assert all(len(set(np.sign(s.path_sign[part]))) == 2 for part in (arc, ~arc))
    assert len(list(itertools.chain(STATIONS))) == 5
