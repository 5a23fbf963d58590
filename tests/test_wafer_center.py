"""WaferCenter: geometry and estimators against closed forms and Monte Carlo, sub-step latches, drift, physics."""

from __future__ import annotations

import itertools
import math
from typing import Any

import mujoco
import numpy as np
import pytest
from engine_checks import Case, assert_same
from numpy.typing import NDArray

from shopfloor.assets.cells.centering import (
    BEAM_OFFSETS,
    BEAM_RADIUS,
    FRICTION_DAMPING_RATIO,
    beam_positions,
    centering,
)
from shopfloor.assets.cells.transfer_chamber import PAD_PAIRS, STATION_RADIUS, STATIONS
from shopfloor.assets.parts import wafer
from shopfloor.assets.robots.vacuum_scara import LINK_LENGTH, PADDLE_MASS, WRIST_TO_WAFER, vacuum_scara
from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.wafer.center import BEAMS, BEFORE, BEHIND, GOLDEN_EDGES, START_RADIUS, WaferCenter, latched_points
from shopfloor.envs.wafer.center_drift import ALUMINIUM, link_growth, placement_drift, reach_error, warming
from shopfloor.envs.wafer.center_latch import clearance, crossing_times, latch, record_times
from shopfloor.envs.wafer.center_motion import BeamPass, cruise_speed, min_jerk, move_time, smooth_trapezoid
from shopfloor.envs.wafer.centering import (
    FAR_SIDE,
    Accuracy,
    edge_points,
    edge_positions,
    fit_circle,
    fit_edges,
    fit_with_notch,
    hot_radius,
    notch_arcs,
    offset_covariance,
    place_pose,
    three_sigma,
    two_beam_offset,
)
from shopfloor.envs.wafer.kinematics import joints_from_polar
from shopfloor.envs.wafer.profiles import GRAVITY
from shopfloor.errors import ShopfloorError

Array = NDArray[np.float64]
CENTER = "shopfloor/WaferCenter-v0"
MM = 1e3 * BEAMS  # beams of the cell
EXAMPLE = np.array([(500.0, 75.0), (500.0, -75.0)])
FREE, KNOWN = (Accuracy(radius=r, offset=math.inf) for r in (math.inf, 1e-6))

# -- geometry --------------------------------------------------------------------------------------------------------


def test_worked_example():
    """Wafer of 150 mm at (0.80, -0.50) mm, beams 75 mm beside the way at 500 mm: every estimator gives it back."""
    latched = np.array([369.5862, 628.8138, 369.0088, 629.3912])
    np.testing.assert_allclose(edge_positions([0.8, -0.5], 150.0, EXAMPLE), latched, atol=5e-5)
    points = edge_points(latched, np.zeros(4), EXAMPLE)
    for offset, radius in (two_beam_offset(points), fit_circle(points), fit_edges(points, 150.0, FREE)[:2]):
        np.testing.assert_allclose(offset, [0.8, -0.5], atol=1e-4)
        assert float(radius) == pytest.approx(150.0, abs=1e-4)


@pytest.mark.parametrize("seed", range(8))
def test_edges_and_fits_are_inverse(seed: int):
    rng = np.random.default_rng(seed)
    n = 40
    beams = np.stack([rng.uniform(400, 800, (n, 2)), rng.uniform([40, -110], [110, -40], (n, 2))], axis=-1)
    beams[:, 1, 0] = beams[:, 0, 0] + rng.uniform(-20, 20, n)  # beams need not stand side by side
    offset, radius = rng.uniform(-4, 4, (n, 2)), rng.uniform(149, 151, n)
    points = edge_points(edge_positions(offset, radius, beams), np.zeros((n, 4)), beams)
    np.testing.assert_allclose(np.hypot(*np.moveaxis(points - offset[:, None], -1, 0)), radius[:, None] * np.ones(4))
    for found, size in (two_beam_offset(points), fit_circle(points), fit_edges(points, radius, FREE)[:2]):
        np.testing.assert_allclose(found, offset, atol=1e-8)
        np.testing.assert_allclose(size, radius, atol=1e-8)


def test_edge_points_turn_with_the_end_effector():
    """Whatever the pose at which an edge is latched, the edge lies on the wafer's rim in the paddle's frame."""
    rng = np.random.default_rng(1)
    offset, r, angle = np.array([1.3, -0.7]), rng.uniform(350, 650, 4), rng.uniform(-0.2, 0.2, 4)
    points = edge_points(r, angle, EXAMPLE)
    for k, beam in enumerate(EXAMPLE[[0, 0, 1, 1]]):
        c, s = math.cos(angle[k]), math.sin(angle[k])
        back = np.array([r[k] * c, r[k] * s]) + np.array([[c, -s], [s, c]]) @ points[k]
        np.testing.assert_allclose(back, beam, atol=1e-9)
        assert math.isclose(
            math.hypot(*(points[k] - offset)),
            math.hypot(*(beam - np.array([r[k] * c, r[k] * s]) - np.array([[c, -s], [s, c]]) @ offset)),
        )


def test_fits_do_not_depend_on_batch_or_units():
    rng = np.random.default_rng(2)
    points = edge_points(1e3 * GOLDEN_EDGES + rng.normal(0, 0.5, (33, 4)), np.zeros(4), MM)
    radius = np.full(33, 150.1)
    whole = (*fit_circle(points), *fit_edges(points, radius, Accuracy()), *fit_with_notch(points, radius, Accuracy()))
    for row in range(33):
        one = (slice(row, row + 1), radius[row : row + 1])
        alone = (
            *fit_circle(points[one[0]]), *fit_edges(points[one[0]], one[1], Accuracy()),
            *fit_with_notch(points[one[0]], one[1], Accuracy()),
        )  # fmt: skip
        for a, b in zip(alone, whole, strict=True):
            assert_same(a, b[row : row + 1])
    offset, size = fit_circle(points * 1e-3)
    np.testing.assert_allclose(offset * 1e3, whole[0], atol=1e-9)
    np.testing.assert_allclose(size * 1e3, whole[1], atol=1e-9)


def test_place_pose_puts_the_centre_of_the_wafer_into_the_station():
    rng = np.random.default_rng(3)
    offset = rng.uniform(-0.006, 0.006, (50, 2))
    radius, angle = place_pose(offset, 1.0)
    c, s = np.cos(angle), np.sin(angle)
    x = radius * c + c * offset[:, 0] - s * offset[:, 1]
    y = radius * s + s * offset[:, 0] + c * offset[:, 1]
    np.testing.assert_allclose(x, 1.0, atol=1e-15)
    np.testing.assert_allclose(y, 0.0, atol=1e-15)


def test_hot_wafer():
    """400 K above room temperature a 300 mm wafer is 0.216 mm larger in radius; centring does not notice."""
    assert float(hot_radius(400.0)) - wafer.RADIUS == pytest.approx(0.216e-3, rel=1e-3)
    for heating in (0.0, 250.0, 400.0):
        radius = 1e3 * float(hot_radius(heating))
        points = edge_points(edge_positions([1.0, 0.6], radius, MM), np.zeros(4), MM)
        offset, size = fit_circle(points)
        np.testing.assert_allclose(offset, [1.0, 0.6], atol=1e-9)
        assert float(size) == pytest.approx(radius, abs=1e-9)


# -- accuracy of the estimators --------------------------------------------------------------------------------------


def scattered(sigma: float, n: int, offset: Any = (0.0, 0.0), seed: int = 0, beams: Array = EXAMPLE) -> Array:
    """Edges of n wafers with errors along the travel."""
    noise = np.random.default_rng(seed).normal(0.0, sigma, (n, 4))
    return edge_points(edge_positions(offset, 150.0, beams) + noise, np.zeros(4), beams)


def test_two_beams_have_the_textbook_accuracy():
    """Errors along the travel: sigma / 2 along, c sigma / |y1 - y2| across, for the two-beam closed form."""
    sigma = 0.05
    offset, _ = two_beam_offset(scattered(sigma, 40_000))
    half = math.sqrt(150.0**2 - 75.0**2)
    np.testing.assert_allclose(offset.std(axis=0), [sigma / 2, half * sigma / 150.0], rtol=0.02)
    np.testing.assert_allclose(offset.std(axis=0), [0.0251, 0.0433], rtol=0.02)
    np.testing.assert_allclose(offset.mean(axis=0), 0.0, atol=4 * sigma / 200)


@pytest.mark.parametrize(
    ("beams", "accuracy", "weights"),
    [
        (EXAMPLE, Accuracy(edge=0.03, radius=math.inf, offset=math.inf), None),
        (EXAMPLE, Accuracy(edge=0.03, radius=1e-5, offset=math.inf), None),
        (EXAMPLE, Accuracy(edge=0.03, radius=1e-5, offset=math.inf), (1.0, 1.0, 0.0, 1.0)),
        (np.array([(480.0, 100.0), (510.0, -40.0)]), Accuracy(edge=0.02, radius=math.inf, offset=math.inf), None),
        (np.array([(480.0, 100.0), (510.0, -40.0)]), Accuracy(0.02, math.inf, math.inf), (1.0, 0.0, 1.0, 1.0)),
    ],
)
def test_covariance_is_that_of_monte_carlo(beams: Array, accuracy: Accuracy, weights: Any):
    points = scattered(accuracy.edge, 30_000, beams=beams, seed=5)
    offset, radius, _ = fit_edges(points, 150.0, accuracy, weights)
    sample = np.cov(np.column_stack([offset, radius]).T)
    expected = offset_covariance(beams, 150.0, accuracy, weights)
    known = 2 if math.isfinite(accuracy.radius) else 3  # a radius that is given does not scatter
    sample, expected = sample[:known, :known], expected[:known, :known]
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(sample / scale, expected / scale, atol=0.03)


def test_prior_on_the_radius_counts_as_a_measurement():
    """With a radius that scatters as the prior says, the covariance holds too, and lies between free and known."""
    accuracy = Accuracy(edge=0.02, radius=0.03, offset=math.inf)
    rng = np.random.default_rng(6)
    radii = 150.0 + rng.normal(0, accuracy.radius, 30_000)
    positions = edge_positions(np.zeros((30_000, 2)), radii, EXAMPLE) + rng.normal(0, accuracy.edge, (30_000, 4))
    weights = (1.0, 1.0, 1.0, 0.0)
    offset, radius, _ = fit_edges(edge_points(positions, np.zeros(4), EXAMPLE), 150.0, accuracy, weights)
    errors = np.column_stack([offset, radius - radii])
    expected = offset_covariance(EXAMPLE, 150.0, accuracy, weights)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(np.cov(errors.T) / scale, expected / scale, atol=0.03)
    known, free = (
        offset_covariance(EXAMPLE, 150.0, Accuracy(0.02, r, math.inf), weights) for r in (1e-6, math.inf)
    )  # fmt: skip
    assert known[1, 1] < expected[1, 1] < free[1, 1]


def test_leading_edges_alone_need_the_radius():
    free = Accuracy(edge=1.0, radius=1e4, offset=math.inf)
    leading = (1.0, 0.0, 1.0, 0.0)
    assert math.sqrt(offset_covariance(EXAMPLE, 150.0, free, leading)[0, 0]) > 1000.0
    known = Accuracy(edge=1.0, radius=1e-6, offset=math.inf)
    assert math.sqrt(offset_covariance(EXAMPLE, 150.0, known, leading)[0, 0]) == pytest.approx(math.sqrt(0.5))


def test_algebraic_fit_leaves_out_what_it_is_told_to():
    points = scattered(0.0, 1, (0.4, -0.9), beams=MM)
    points[0, 2, 0] -= 0.8
    offset, radius = fit_circle(points, (1.0, 1.0, 0.0, 1.0))
    np.testing.assert_allclose(offset[0], [0.4, -0.9], atol=1e-9)
    assert float(radius[0]) == pytest.approx(150.0, abs=1e-9)


# -- the notch -------------------------------------------------------------------------------------------------------


def in_notch(edge: int, depth: Any, offset: Any, radius: Any = 150.0) -> Array:
    """Edges of wafers one of which is `depth` mm further in along the travel."""
    points = edge_points(edge_positions(offset, radius, MM), np.zeros(4), MM)
    points[..., edge, 0] -= FAR_SIDE[edge] * np.asarray(depth)
    return points


@pytest.mark.parametrize("edge", range(4))
def test_notch_is_found_where_the_aligner_says_it_may_be(edge: int):
    rng = np.random.default_rng(edge)
    n = 400
    offset, depth = rng.normal(0, 0.6, (n, 2)), rng.uniform(0.1, 1.0, n)
    points = in_notch(edge, depth, offset) + np.stack([rng.normal(0, 0.008, (n, 4)), np.zeros((n, 4))], axis=-1)
    likely = np.full(4, 1e-6)
    likely[edge] = 0.25
    found, radius, where = fit_with_notch(points, np.full(n, 150.0), Accuracy(), likely)
    assert (where == edge).mean() > 0.98
    error = np.hypot(*(found - offset).T)
    assert np.quantile(error, 0.95) < 0.06
    spoiled = np.hypot(*(fit_circle(points)[0] - offset).T)
    assert np.median(spoiled) > 4.0 * np.median(error)
    np.testing.assert_allclose(radius, 150.0, atol=0.1)


@pytest.mark.parametrize("edge", range(4))
def test_the_opposite_edge_explains_a_notch_as_well(edge: int):
    """Why the notch's direction is needed: two edges, left out in turn, both leave a perfect circle of known size."""
    points = in_notch(edge, 0.5, np.array([0.3, 0.2]))
    misfits = []
    for out in range(4):
        weights = np.ones(4)
        weights[out] = 0.0
        misfits.append(float(fit_edges(points, 150.0, Accuracy(edge=0.012, radius=0.02, offset=5.0), weights)[2]))
    order = np.argsort(misfits)
    assert {int(order[0]), int(order[1])} == {edge, 3 - edge}
    assert misfits[order[1]] < 0.2 < 20.0 < misfits[order[2]]
    for believed in (edge, 3 - edge):
        likely = np.full(4, 1e-9)
        likely[believed] = 0.25
        assert int(fit_with_notch(points, 150.0, Accuracy(), likely)[2]) == believed


def test_no_notch_is_found_where_there_is_none():
    rng = np.random.default_rng(9)
    points = scattered(0.01, 2000, rng.normal(0, 0.6, (2000, 2)), beams=MM)
    _, _, where = fit_with_notch(points, np.full(2000, 150.0), Accuracy())
    assert (where == -1).mean() > 0.97
    # an edge that stands out of the circle is not in a notch, whatever the aligner says
    outward = in_notch(1, -0.5, np.zeros(2))
    likely = np.array([1e-9, 0.25, 1e-9, 1e-9])
    assert int(fit_with_notch(outward, 150.0, Accuracy(), likely)[2]) != 1


def test_notch_arcs_are_zero_at_the_edge():
    offset = np.array([0.8, -0.5])
    points = edge_points(edge_positions(offset, 150.0, MM), np.zeros(4), MM) - offset
    direction = np.arctan2(points[:, 1], points[:, 0])
    for k in range(4):
        arcs = notch_arcs(direction[k], 150.0, MM, offset)
        assert arcs[k] == pytest.approx(0.0, abs=1e-9)
        assert notch_arcs(direction[k] + 0.01, 150.0, MM, offset)[k] == pytest.approx(1.5, abs=1e-9)
        assert np.delete(np.abs(arcs), k).min() > 100.0


# -- latching --------------------------------------------------------------------------------------------------------


def passing(speed: float, acceleration: float, offset: Any, step: float = 1e-3, entries: int = 900) -> Any:
    """Record of a wafer that moves along x from 0.38 m: times, centres and distance as a function of time."""
    times = np.arange(entries) * step
    distance = START_RADIUS + speed * times + 0.5 * acceleration * times**2
    centre = np.stack([distance + offset[0], np.full(entries, offset[1])], axis=-1)[None]
    return times, centre


def all_edges(times: Array, centre: Array, yaw: float, growth: float = 0.0) -> Array:
    n, m = centre.shape[:2]
    into, out_of = crossing_times(times, centre, np.full((n, m), yaw), np.full(n, growth), np.tile(BEAMS, (n, 1, 1)))
    return np.stack([into[:, 0], out_of[:, 0], into[:, 1], out_of[:, 1]], axis=-1)


@pytest.mark.parametrize("seed", range(10))
def test_edges_are_exact_between_steps(seed: int):
    """At constant speed the straight line between entries is the motion itself: exact to rounding."""
    rng = np.random.default_rng(seed)
    speed, offset, growth = rng.uniform(0.55, 0.8), rng.uniform(-2e-3, 2e-3, 2), rng.uniform(0.0, 2e-4)
    times, centre = passing(speed, 0.0, offset)
    found = all_edges(times, centre, yaw=0.5 * np.pi, growth=growth)[0]
    exact = (edge_positions(offset, np.asarray(wafer.RADIUS + growth), BEAMS) - START_RADIUS) / speed
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-12)
    # none of them on a step
    assert np.abs(found / 1e-3 - np.round(found / 1e-3)).max() > 1e-3


@pytest.mark.parametrize("acceleration", [-1.0, 0.5, 2.0])
def test_acceleration_costs_no_more_than_the_chord(acceleration: float):
    """Linear between entries: position off by at most a dt^2 / 8, tenths of a micrometre."""
    speed, step = 0.75, 1e-3
    times, centre = passing(speed, acceleration, (1e-3, 5e-4), step, 700)
    found = all_edges(times, centre, yaw=0.5 * np.pi)[0]
    edges = edge_positions([1e-3, 5e-4], np.asarray(wafer.RADIUS), BEAMS)
    inside = ~np.isnan(found)
    assert inside.sum() >= 2
    reached = START_RADIUS + speed * found + 0.5 * acceleration * found**2
    assert np.abs(reached - edges)[inside].max() <= abs(acceleration) * step**2 / 8 + 1e-9


@pytest.mark.parametrize("edge", range(4))
@pytest.mark.parametrize("place", [-0.8, -0.3, 0.0, 0.5])
def test_an_edge_in_the_notch_comes_from_its_flank(edge: int, place: float):
    """The latched point lies on the outline of the notch, and the edge is late (in) or early (out)."""
    offset, speed = np.array([4e-4, -7e-4]), 0.6
    times, centre = passing(speed, 0.0, offset, entries=1000)
    plain = all_edges(times, centre, yaw=0.5 * np.pi)[0]
    rim = edge_points(START_RADIUS + speed * plain, np.zeros(4), BEAMS)[edge] - offset
    notch = math.atan2(rim[1], rim[0]) + 1e-3 * place / wafer.RADIUS
    found = all_edges(times, centre, yaw=notch - wafer.NOTCH_DIRECTION)[0]
    others = np.delete(np.arange(4), edge)
    np.testing.assert_allclose(found[others], plain[others], atol=1e-12)
    assert (found[edge] - plain[edge]) * FAR_SIDE[edge] > 0.0
    point = edge_points(START_RADIUS + speed * found, np.zeros(4), BEAMS)[edge] - offset
    x, y = (
        point[0] * math.cos(notch) + point[1] * math.sin(notch),
        -point[0] * math.sin(notch) + point[1] * math.cos(notch),
    )
    # flanks at 45 degrees from a tip 1 mm inside the rim
    assert abs(abs(y) - (x - (wafer.RADIUS - wafer.NOTCH_DEPTH))) < 1e-9
    assert math.hypot(*point) < wafer.RADIUS


def test_latch_reads_between_entries():
    times = record_times(40, 0.001)
    assert times[0] == 0.0 and times[-1] == pytest.approx(0.04) and times[-2] == pytest.approx(0.038)
    values = np.stack([3.0 + 2.0 * times, -times], axis=-1)[None].repeat(2, axis=0)
    at = np.array([[0.0, 0.0123, 0.0391, 0.04], [np.nan, 0.0005, 0.041, -0.001]])
    found = latch(times, values, at)
    np.testing.assert_allclose(found[0, :, 0], 3.0 + 2.0 * at[0], atol=1e-14)
    np.testing.assert_allclose(found[1, 1], [3.001, -0.0005], atol=1e-14)
    assert np.isnan(found[1, [0, 2, 3]]).all()


def test_crossings_do_not_depend_on_other_rows():
    rng = np.random.default_rng(4)
    n = 17
    times = record_times(400, 0.001)
    speed, offset = rng.uniform(0.3, 0.8, n), rng.uniform(-2e-3, 2e-3, (n, 2))
    centre = np.stack([0.5 + speed[:, None] * times + offset[:, :1], np.tile(offset[:, 1:], times.size)], axis=-1)
    yaw, growth = np.tile(rng.uniform(-3, 3, (n, 1)), times.size), rng.uniform(0, 2e-4, n)
    beams = BEAMS + rng.normal(0, 1e-5, (n, 2, 2))
    whole = crossing_times(times, centre, yaw, growth, beams)
    assert sum(int((~np.isnan(w)).sum()) for w in whole) > n
    for row in range(n):
        one = slice(row, row + 1)
        alone = crossing_times(times, centre[one], yaw[one], growth[one], beams[one])
        assert_same(alone, tuple(w[one] for w in whole))


def test_clearance_changes_sign_at_the_rim():
    angle = np.linspace(-3.0, 3.0, 25)
    rim = wafer.edge_radius(angle - 0.4)
    for gap in (-1e-6, 1e-6):
        d = rim + gap
        found = clearance(d * np.cos(angle), d * np.sin(angle), np.full(25, 0.4), np.zeros(25))
        np.testing.assert_allclose(found, gap, atol=1e-12)


# -- drift -----------------------------------------------------------------------------------------------------------


def test_warming_is_first_order():
    assert warming(0.0, 1800.0) == 0.0
    assert float(warming(1800.0, 1800.0)) == pytest.approx(1.0 - math.exp(-1.0))
    t = np.linspace(0.0, 20_000.0, 4001)
    share = warming(t, 1500.0)
    np.testing.assert_allclose(np.gradient(share, t)[1:-1], ((1.0 - share) / 1500.0)[1:-1], rtol=1e-3, atol=1e-9)
    assert (np.diff(share) > 0).all() and share[-1] < 1.0
    assert warming(-5.0, 1500.0) == 0.0


def test_an_arm_of_one_metre_that_is_20_k_warmer_is_half_a_millimetre_longer():
    assert float(reach_error(link_growth(20.0), 1.0, 0.0)) == pytest.approx(0.46e-3)
    assert float(link_growth(1.0)) == ALUMINIUM
    drift = placement_drift(link_growth(20.0), 1e-4, BEAM_RADIUS, STATION_RADIUS)
    reach = [float(reach_error(link_growth(20.0), r, WRIST_TO_WAFER)) for r in (BEAM_RADIUS, STATION_RADIUS)]
    np.testing.assert_allclose(drift, [reach[1] - reach[0], 1e-4 * (STATION_RADIUS - BEAM_RADIUS)], rtol=1e-12)


def test_links_that_grow_reach_further_by_the_closed_form():
    """The same joint angles on an arm with longer links, in the engine."""
    spec = vacuum_scara(visual=False)
    growth = 4.0e-4
    for name in ("forearm", "wrist_hub"):
        body = spec.body(name)
        body.pos = [LINK_LENGTH * (1.0 + growth), *body.pos[1:]]
    model = spec.compile()
    data = mujoco.MjData(model)
    for radius in (0.4, 0.7, 0.95):
        position, _ = joints_from_polar(
            *(np.asarray(v) for v in (radius, 0.3, 0.0, 0.0)), LINK_LENGTH, WRIST_TO_WAFER
        )  # fmt: skip
        data.qpos[1:4] = position
        mujoco.mj_kinematics(model, data)
        reached = math.hypot(*data.site("tcp").xpos[:2])
        assert reached - radius == pytest.approx(float(reach_error(growth, radius, WRIST_TO_WAFER)), abs=1e-9)


# -- the motion ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_profile_is_smooth_bounded_and_ends_where_and_when_it_should(seed: int):
    rng = np.random.default_rng(seed)
    length, acceleration, period = rng.uniform(0.3, 1.0), rng.uniform(0.3, 4.0), rng.uniform(0.04, 0.2)
    speed = float(cruise_speed(*(np.array(v) for v in (rng.uniform(0.1, 0.9), acceleration, period, 0.3 * length))))
    duration = float(move_time(*(np.array(v) for v in (length, speed, acceleration, period))))
    t = np.linspace(0.0, 1.1 * duration, 200_001)
    distance, rate = smooth_trapezoid(t, *(np.array(v) for v in (length, speed, acceleration, period)))
    dt = t[1]
    np.testing.assert_allclose(np.diff(distance) / dt, 0.5 * (rate[1:] + rate[:-1]), atol=1e-4)
    assert rate.max() <= speed * (1 + 1e-9) and rate.min() >= -1e-12
    assert np.abs(np.diff(rate)).max() / dt <= acceleration * (1 + 1e-6)
    assert np.abs(np.diff(rate, n=2)).max() / dt**2 <= acceleration / period * 1.01 + 1e-3
    assert distance[0] == 0.0 and distance[-1] == length
    arrived = t[np.argmax(distance >= length - 1e-9)]
    assert arrived == pytest.approx(duration, rel=5e-3)


def test_speed_is_constant_past_the_beams_whatever_is_asked_for():
    speed, acceleration = np.meshgrid(np.linspace(0.1, 0.8, 8), np.linspace(0.3, 5.0, 8))
    period = np.full(speed.shape, 0.1)
    room = np.full(speed.shape, min(BEFORE - START_RADIUS, STATION_RADIUS - BEHIND))
    got = cruise_speed(speed, acceleration, period, room)
    assert (got <= speed).all() and (got > 0.0).all() and (got < speed).any()
    t = np.linspace(0.0, 12.0, 6001)
    length = STATION_RADIUS - START_RADIUS
    for v, a in zip(got.ravel(), acceleration.ravel(), strict=True):
        distance, rate = smooth_trapezoid(t, *(np.array(x) for x in (length, v, a, 0.1)))
        inside = (distance + START_RADIUS > BEFORE) & (distance + START_RADIUS < BEHIND)
        np.testing.assert_allclose(rate[inside], v, rtol=1e-9)


def test_min_jerk_is_rest_to_rest():
    x = np.linspace(-0.2, 1.2, 14_001)
    share, slope = min_jerk(x)
    np.testing.assert_allclose(np.gradient(share, x)[1:-1], slope[1:-1], atol=1e-5)
    assert share[0] == 0.0 and share[-1] == 1.0 and slope[0] == slope[-1] == 0.0
    assert np.abs(np.gradient(slope, x)).max() == pytest.approx(10.0 / math.sqrt(3.0), rel=1e-3)


def test_bad_arguments():
    with pytest.raises(ShopfloorError, match="correction must be one of trim, total"):
        WaferCenter(correction="both")
    with pytest.raises(ShopfloorError, match="mode must be"):
        BeamPass(("a",), "x", (0.1, 0.2, 0.3, 0.4), (0.3, 0.3), (0.1, 0.2), (0.3, 1.0), 1.0)
    with pytest.raises(ShopfloorError, match="rising"):
        BeamPass(("a",), "trim", (0.1, 0.3, 0.2, 0.4), (0.3, 0.3), (0.1, 0.2), (0.3, 1.0), 1.0)


# -- the cell --------------------------------------------------------------------------------------------------------


def test_beams_stand_where_the_task_believes_them():
    model = centering(visual=False).compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    for name, theta in STATIONS.items():
        turn = np.array([[math.cos(theta), -math.sin(theta)], [math.sin(theta), math.cos(theta)]])
        for k, y in enumerate(BEAM_OFFSETS):
            for end in ("emitter", "receiver"):
                site = data.site(f"{name}_beam_{k}_{end}").xpos
                np.testing.assert_allclose(site[:2], turn @ [BEAM_RADIUS, y], atol=1e-12)
                np.testing.assert_allclose(site[:2], beam_positions(name)[k], atol=1e-12)
            top, bottom = (data.site(f"{name}_beam_{k}_{end}").xpos[2] for end in ("emitter", "receiver"))
            assert bottom < data.body("wafer").xpos[2] < top
    # a wafer at the start turns with the arm without cutting a beam
    nearest = math.hypot(BEAM_RADIUS, BEAM_OFFSETS[0])
    assert nearest > START_RADIUS + wafer.RADIUS + 0.1


def carried(model: mujoco.MjModel, friction: float, share: float) -> tuple[float, float]:
    """Slip and its rate (m, m/s) of a wafer under a share of the friction limit along the travel."""
    data = mujoco.MjData(model)
    for name in PAD_PAIRS:
        model.pair_friction[model.pair(name).id, :2] = friction
    mass, omega, dt = PADDLE_MASS + wafer.MASS, 2.0 * np.pi * 30.0, model.opt.timestep
    for name in ("flex_x", "flex_y"):  # stiff and damped, so that the paddle does what it is told
        model.jnt_stiffness[model.joint(name).id] = mass * omega**2
        model.dof_damping[model.joint(name).dofadr[0]] = 1.4 * mass * omega
    mujoco.mj_resetDataKeyframe(model, data, 0)
    ids = [
        [model.actuator(f"{j}_{kind}").id for j in ("shoulder", "elbow", "wrist")] for kind in ("position", "velocity")
    ]
    radius, speed = 0.45, 0.0
    slip = []
    for k in range(round(0.35 / dt)):
        x = min(1.0, (k + 1) * dt / 0.08)
        speed += share * friction * GRAVITY * x * x * (3.0 - 2.0 * x) * dt if k else 0.0
        radius += speed * dt
        angle, rate = joints_from_polar(
            *(np.asarray(v) for v in (radius, 0.0, speed, 0.0)), LINK_LENGTH, WRIST_TO_WAFER
        )  # fmt: skip
        if k == 0:
            data.qpos[1:4] = angle
            mujoco.mj_forward(model, data)
            data.qpos[6:9] = data.site("tcp").xpos
        data.ctrl[ids[0]], data.ctrl[ids[1]] = angle, rate
        mujoco.mj_step(model, data)
        slip.append(float(data.sensor("wafer_in_paddle_position").data[0]))
    return slip[-1] - slip[0], (slip[-1] - slip[-101]) / (100 * dt)


@pytest.mark.parametrize("friction", [0.1, 0.3])
def test_friction_holds_to_within_one_percent(friction: float):
    """The cell's timestep and contact damping differ from the transfer chamber's; Coulomb's limit must not."""
    model = centering(visual=False).compile()
    assert model.opt.timestep == WaferCenter().timing.timestep_s
    for share in (0.5, 0.98):
        slip, rate = carried(model, friction, share)
        assert abs(slip) < 2e-5 and abs(rate) < 1e-5, share
    slip, rate = carried(model, friction, 1.02)
    assert slip < -2e-4 and rate < -2e-3
    assert FRICTION_DAMPING_RATIO < 2.0


# -- the environment -------------------------------------------------------------------------------------------------

CLEAN = {
    "notch_edge": 39, "notch_angle": 1.6, "notch_error": 0.0, "heating_error": 0.0, "radius_error": 0.0,
    "friction": 0.3, "friction_error": 0.0, "frequency": 18.0, "frequency_error": 0.0, "damping_ratio": 0.03,
    "edge_noise": [0.0] * 4, "delay_error": [0.0] * 4, "encoder_noise": [0.0] * 4, "beam_error": [0.0] * 4,
    "arm_rise": 0.0, "arm_twist": 0.0, "metrology_noise": [0.0] * 6,
}  # fmt: skip


def episode(
    n: int = 1, speed: Any = 0.4, correction: Any = (0.0, 0.0), seeds: Any = None, **params: Any
) -> BatchedCell:
    """One wafer under fixed set-points; rows may differ in speed."""
    cell = BatchedCell(WaferCenter(), n, 1)
    cell.reset(seeds=np.arange(n) if seeds is None else seeds, params=CLEAN | params)
    setpoints = np.tile([0.0, 0.6, *correction], (n, 1))
    setpoints[:, 0] = speed
    running = np.ones(n, dtype=bool)
    while running.any():
        cell.step(setpoints, None if running.all() else np.flatnonzero(running))
        running &= ~(cell.terminated | cell.truncated)
    return cell


def test_measured_offset_is_the_true_one_on_a_perfect_machine():
    cell = episode(offset=[1.1, -0.8], heating=300.0)
    s = cell.s
    np.testing.assert_allclose(s.fit_offset_mm[0], [1.1, -0.8], atol=0.004)
    assert abs(s.fit_radius_mm[0]) < 0.004 and abs(s.fit_skew_mm[0]) < 0.004
    assert cell.success[0] and s.error_largest_mm[0] < 0.015
    assert float(cell.metrics()["wafers_per_hour"][0]) == pytest.approx(3600.0 / (5.0 + float(s.move_time[0])))
    # edges in order, a chord apart
    gap = s.edge_time[0, 1] - s.edge_time[0, 0]
    chord = GOLDEN_EDGES[1] - GOLDEN_EDGES[0]
    assert gap * float(s.pass_speed[0]) == pytest.approx(chord, abs=2e-3)


def test_drift_reaches_the_station_by_the_closed_form():
    """Drift, twist and beams that have moved: what is left when the controller's own correction is right."""
    params: dict[str, Any] = {
        "arm_rise": 20.0, "arm_twist": 0.12, "time_constant": 900.0, "cycle": 120.0, "wafer_number": 20, "station": 0,
        "beam_error": [0.03, -0.02, -0.01, -0.03], "offset": [-0.9, 0.7],
    }  # fmt: skip
    cell, plain = episode(**params), episode(station=0, offset=[-0.9, 0.7])
    s = cell.s
    share = float(warming(2400.0, 900.0))
    drift = 1e3 * placement_drift(link_growth(20.0 * share), 0.12e-3 * share, BEAM_RADIUS, STATION_RADIUS)
    np.testing.assert_allclose(cell.task.observe_drift_mm(s)[0], drift, rtol=1e-9)
    # the residual of the machine without drift is taken off: following error, slip and creep of some micrometres
    beams = np.array([0.01, -0.025])
    np.testing.assert_allclose(s.error_mm[0] - plain.s.error_mm[0], drift + beams, atol=0.004)
    # metrology found the same at the wafers before, as far as the arm had warmed
    ago = warming((20 - np.array([3, 2, 1])) * 120.0, 900.0) / share
    np.testing.assert_allclose(s.past_placement_mm[0].reshape(3, 2), ago[:, None] * drift + beams, atol=1e-9)


@pytest.mark.parametrize(("term", "value"), [("delay_error", [40.0] * 4), ("delay_error", [40.0, 40.0, -40.0, -40.0])])
def test_unknown_delay_counts_in_proportion_to_speed_beyond_the_calibration(term: str, value: list[float]):
    """A delay moves its edge by (v - v_cal) delay: a wafer at the calibration's speed shows nothing."""
    speeds = np.array([0.2, 0.4, 0.7])
    late = episode(3, speeds, offset=[0.3, 0.2], station=1, **{term: value})
    exact = episode(3, speeds, offset=[0.3, 0.2], station=1)
    moved = late.s.edge_deviation_mm - exact.s.edge_deviation_mm
    expected = (late.s.pass_speed[:, None] - 0.2) * 1e-3 * np.array(value)
    np.testing.assert_allclose(moved, expected, atol=0.003)


def test_scatter_grows_with_jitter_and_with_speed():
    """Standard deviation of the measured offset: jitter times speed, by the factors of two beams."""
    seeds = np.arange(32)
    noise = {"edge_noise": None}
    spread = {}
    for jitter, speed in itertools.product((10.0, 50.0), (0.25, 0.7)):
        params = {k: v for k, v in CLEAN.items() if k not in noise} | {"jitter": jitter, "offset": [0.2, -0.4]}
        cell = BatchedCell(WaferCenter(), seeds.size, 1)
        cell.reset(seeds=seeds, params=params)
        setpoints = np.tile([speed, 0.6, 0.0, 0.0], (seeds.size, 1))
        while not cell.s.edges_latched.all():
            cell.step(setpoints)
        spread[jitter, speed] = cell.s.fit_offset_mm.std(axis=0)
        got = float(cell.s.pass_speed.mean())
        sigma = jitter * 1e-3 * got
        across = math.sqrt(wafer.RADIUS**2 - BEAM_OFFSETS[0] ** 2) / (BEAM_OFFSETS[0] - BEAM_OFFSETS[1])
        expected = np.hypot([0.5 * sigma, across * sigma], 0.0006)
        np.testing.assert_allclose(spread[jitter, speed], expected, rtol=0.45)
    for axis in range(2):
        assert spread[10.0, 0.25][axis] < spread[10.0, 0.7][axis] < spread[50.0, 0.7][axis]
        assert spread[10.0, 0.25][axis] < spread[50.0, 0.25][axis] < spread[50.0, 0.7][axis]


def test_notch_on_a_beam_is_seen_and_left_out():
    """The whole chain: outline of the wafer, latch, direction from the aligner, rejection by the expert."""
    for edge in range(4):
        cell = BatchedCell(WaferCenter(), 1, 1)
        params = CLEAN | {"notch_edge": edge, "notch_place": 0.1, "offset": [0.5, 0.4], "heating": 200.0}
        cell.reset(seeds=np.array([3]), params=params)
        expert = cell.task.expert()
        while not (cell.terminated | cell.truncated).any():
            cell.step(expert.act(cell.s, cell.readings()))
        s = cell.s
        assert abs(s.notch_arc_mm[0, edge]) < 1.5
        assert abs(s.fit_skew_mm[0]) > 0.3 and np.hypot(*(s.fit_offset_mm[0] - [0.5, 0.4])) > 0.2
        assert cell.success[0], (edge, s.error_mm[0])


def test_fast_moves_slip_and_only_slip_behind_the_beams_is_lost():
    """Beyond the friction limit the wafer slips; what happens before the beams is measured with the rest."""
    cell = BatchedCell(WaferCenter(), 2, 1)
    cell.reset(seeds=np.array([1, 2]), params=CLEAN | {"friction": 0.12, "offset": [0.0, 0.0]})
    setpoints = np.array([[0.6, 0.7, 0.0, 0.0], [0.6, 1.2, 0.0, 0.0]])
    before = np.zeros(2)
    running = np.ones(2, dtype=bool)
    while running.any():
        cell.step(setpoints, None if running.all() else np.flatnonzero(running))
        passing_now = cell.s.edges_latched.any(axis=1) & (before == 0.0)
        before = np.where(passing_now, cell.task._seat_position[:, 0], before)
        running &= ~(cell.terminated | cell.truncated)
    s = cell.s
    assert s.slip_mm[0] < 0.05 and cell.success[0]
    assert s.slip_mm[1] > 0.3
    if s.edges_latched[1].all():
        assert s.fit_offset_mm[1, 0] == pytest.approx(1e3 * before[1], abs=0.05)
    assert not cell.success[1]


def test_set_points_are_read_once():
    """Speed at the first step, the correction at the step after the last edge; nothing in between or after."""
    cells = [BatchedCell(WaferCenter(), 1, 1) for _ in range(2)]
    for cell in cells:
        cell.reset(seeds=np.array([5]))
    rng = np.random.default_rng(0)
    for step in range(200):
        quiet = np.array([[0.5, 0.6, 0.1, -0.2]])
        noisy = quiet.copy()
        if step > 0:
            noisy[0, :2] = rng.uniform([0.1, 0.3], [0.8, 1.5])
        decides = cells[0].s.edges_latched.all() and not cells[0].s.corrected[0]
        if not decides:
            noisy[0, 2:] = rng.uniform(-0.8, 0.8, 2)
        cells[0].step(quiet), cells[1].step(noisy)
        assert_same(cells[0].sim.qpos.copy(), cells[1].sim.qpos.copy())
        if cells[0].terminated[0] or cells[0].truncated[0]:
            break
    np.testing.assert_allclose(cells[0].s.correction_mm[0], [0.1, -0.2] - cells[0].s.fit_offset_mm[0], atol=1e-12)


def test_total_correction_is_the_trim_plus_the_controllers():
    ends = []
    for mode in ("trim", "total"):
        cell = BatchedCell(WaferCenter(correction=mode), 3, 1)
        cell.reset(seeds=np.arange(3))
        expert = cell.task.expert()
        while not cell.s.corrected.all():
            cell.step(expert.act(cell.s, cell.readings()))
        ends.append(cell.s.correction_mm.copy())
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-9)


def test_latched_points_of_the_golden_wafer():
    points = latched_points(np.zeros(4))
    np.testing.assert_allclose(np.hypot(points[:, 0], points[:, 1]), 150.0, atol=1e-9)
    np.testing.assert_allclose(fit_circle(points)[0], 0.0, atol=1e-9)


def test_three_sigma():
    mean, spread = three_sigma([0.01, 0.03, np.nan, 0.05])
    assert mean == pytest.approx(0.03) and spread == pytest.approx(0.06)
    assert math.isnan(three_sigma([np.nan])[0]) and math.isnan(three_sigma([0.1])[1])


def test_registered_case_is_this_task():
    assert isinstance(Case(CENTER).task(), WaferCenter)
