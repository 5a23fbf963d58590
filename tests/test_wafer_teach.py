"""WaferAutoTeach: fit and covariance against least squares and closed forms, beams, touch, and what speed costs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from engine_checks import assert_same
from numpy.typing import NDArray

from shopfloor.assets.cells.slot import SAG_LEVER
from shopfloor.assets.cells.teach import STATION
from shopfloor.assets.fixtures.teach_station import PIN_RADIUS
from shopfloor.assets.robots.efem_robot import GEOMETRY
from shopfloor.assets.tools.teach_jig import BEAM_ANGLES, CROSSING, HEAD_OFFSET, STYLUS
from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.wafer import teach_fit as fit
from shopfloor.envs.wafer.teach import FORCE_LIMIT_N, PRIOR, WaferAutoTeach, record_times
from shopfloor.envs.wafer.teach_geometry import (
    NOMINAL_COMPLIANCE,
    STYLUS_LEVER,
    ball_lift,
    beam_normals,
    droop_lever,
    nominal_tilt,
    place,
)
from shopfloor.envs.wafer.teach_motion import READY, SEARCH, TOUCH_CIRCLE
from shopfloor.envs.wafer.teach_sensing import crossings, distances

Array = NDArray[np.float64]

# a machine without errors, station as drawn
CLEAN: dict[str, Any] = {
    "station_offset": [0.0, 0.0, 0.0], "station_tilt": [0.0, 0.0], "jitter": 100.0, "delay_error": [0.0, 0.0],
    "edge_noise": 10.0, "touch_noise": 10.0, "play": 0.0, "force_noise": 0.02, "force_gain": 0.0,
    "stiffness_error": 0.0, "droop": 0.45, "frequency": 15.0, "damping_ratio": 0.03, "drift": [0.0, 0.0],
}  # fmt: skip
SWEEP, TOUCH, DECLARE = 0, 1, 2


def cell_of(n: int, quiet: bool = True, **params: Any) -> BatchedCell:
    """Rows of the clean machine but for `params`; `quiet` without noise, which the start terms cannot switch off."""
    cell = BatchedCell(WaferAutoTeach(), n, 1)
    cell.reset(seeds=np.arange(n), params=CLEAN | params)
    if quiet:
        for name in ("jitter_us", "edge_noise_um", "touch_noise_um", "force_noise"):
            getattr(cell.s, name)[...] = 0.0
    return cell


def probe(
    cell: BatchedCell,
    kind: int,
    sweep_mm_s: Any = 50.0,
    touch_mm_s: Any = 4.0,
    threshold: float = 0.4,
    angle: Any = 0.0,
) -> Array:
    """Make one probe in every row; the largest contact force (n,) on the way, N."""
    n = cell.n
    act = np.zeros((n, 8))
    act[:, :3] = -1.0
    act[:, kind] = 1.0
    act[:, 3], act[:, 4], act[:, 5] = sweep_mm_s, touch_mm_s, threshold
    act[:, 6], act[:, 7] = np.cos(angle), np.sin(angle)
    peak = np.zeros(n)
    waiting = np.ones(n, dtype=bool)
    for _ in range(100):
        before = cell.s.sweeps + cell.s.touches + cell.s.missed
        cell.step(act)
        np.maximum(peak, cell.s.contact_force, out=peak)
        waiting &= before == cell.s.sweeps + cell.s.touches + cell.s.missed
        if cell.s.declared.all() if kind == DECLARE else not waiting.any():
            return peak
    raise AssertionError("a probe did not end")


# -- the fit ---------------------------------------------------------------------------------------------------------


def some_measurements(n: int, seed: int) -> tuple[Array, Array]:
    """Rows (k, n, SIZE) of sweeps in both directions and touches around the centre, and standard deviations (k,)."""
    rng = np.random.default_rng(seed)
    rows, sigmas = [], []
    for direction in (1.0, -1.0, 1.0):
        theta = np.full(n, 0.01 * rng.normal())
        radial = np.stack((np.cos(theta), np.sin(theta)), axis=-1)
        for beam in (0, 0, 1, 1):
            normal = beam_normals(theta)[:, beam]
            rows.append(fit.edge_row(normal, np.full(n, 0.0135), np.full(n, direction), radial))
            sigmas.append(rng.uniform(10e-6, 40e-6))
    for k in range(5):
        angle = 2.0 * np.pi * k / 5.0
        at = np.tile(TOUCH_CIRCLE * np.array([math.cos(angle), math.sin(angle)]), (n, 1))
        force = np.full(n, rng.uniform(0.3, 0.7))
        rows.append(fit.touch_row(at, force, droop_lever(np.full(n, 0.51 + 0.1 * math.cos(angle)))))
        sigmas.append(rng.uniform(10e-6, 40e-6))
    return np.array(rows), np.array(sigmas)


def run_fit(rows: Array, sigmas: Array, values: Array) -> tuple[Array, Array]:
    n = rows.shape[1]
    mean, cov = np.zeros((n, fit.SIZE)), np.tile(np.diag(PRIOR * PRIOR), (n, 1, 1))
    for h, sigma, value in zip(rows, sigmas, values, strict=True):
        fit.update(mean, cov, h, value, np.full(n, sigma * sigma), np.ones(n, dtype=bool))
    return mean, cov


@pytest.mark.parametrize("seed", range(3))
def test_one_after_the_other_is_weighted_least_squares(seed: int):
    rows, sigmas = some_measurements(1, seed)
    values = np.random.default_rng(seed).normal(0.0, 1e-3, (len(rows), 1))
    mean, cov = run_fit(rows, sigmas, values)
    h = np.concatenate((rows[:, 0] / sigmas[:, None], np.diag(1.0 / PRIOR)))
    expected, *_ = np.linalg.lstsq(h * PRIOR, np.concatenate((values[:, 0] / sigmas, np.zeros(fit.SIZE))), rcond=None)
    np.testing.assert_allclose(mean[0] / PRIOR, expected, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(cov[0] / np.outer(PRIOR, PRIOR), np.linalg.inv((h * PRIOR).T @ (h * PRIOR)), atol=1e-9)
    order = np.random.default_rng(seed + 9).permutation(len(rows))
    other, _ = run_fit(rows[order], sigmas[order], values[order])
    np.testing.assert_allclose(other / PRIOR, mean / PRIOR, atol=1e-8)


def test_covariance_is_that_of_monte_carlo():
    """Poses and nuisances drawn from the prior, measurements with their noise: errors scatter as the fit says."""
    n = 20_000
    rows, sigmas = some_measurements(n, 3)
    rng = np.random.default_rng(4)
    truth = rng.normal(0.0, 1.0, (n, fit.SIZE)) * PRIOR
    values = np.einsum("knj,nj->kn", rows, truth) + rng.normal(0.0, 1.0, (len(rows), n)) * sigmas[:, None]
    mean, cov = run_fit(rows, sigmas, values)
    spread = np.sqrt(np.diag(cov[0]))
    sample = np.cov(((mean - truth) / spread).T)
    np.testing.assert_allclose(sample, cov[0] / np.outer(spread, spread), atol=0.03)


def test_rows_do_not_depend_on_the_batch():
    rows, sigmas = some_measurements(17, 5)
    values = np.random.default_rng(5).normal(0.0, 1e-3, (len(rows), 17))
    whole = run_fit(rows, sigmas, values)
    for k in (0, 8, 16):
        alone = run_fit(rows[:, k : k + 1], sigmas, values[:, k : k + 1])
        for a, b in zip(alone, whole, strict=True):
            assert_same(a, b[k : k + 1])


def test_rows_that_do_not_measure_stay():
    rows, _ = some_measurements(2, 6)
    mean, cov = np.zeros((2, fit.SIZE)), np.tile(np.diag(PRIOR * PRIOR), (2, 1, 1))
    before = cov.copy()
    found = fit.update(mean, cov, rows[0], np.full(2, 1e-3), np.full(2, 1e-10), np.array([False, True]))
    assert_same(cov[0], before[0])
    assert (mean[0] == 0.0).all() and found[0] == 0.0 and mean[1, fit.X] > 0.0


def only(free: tuple[int, ...]) -> Array:
    """A prior that knows all unknowns but these."""
    return np.array([1.0 if k in free else 1e-9 for k in range(fit.SIZE)])


def covariance_of(rows: Array, sigma: float, prior: Array) -> Array:
    cov = np.diag(prior * prior)[None].copy()
    for h in rows:
        fit.update(np.zeros((1, fit.SIZE)), cov, h, np.zeros(1), np.full(1, sigma * sigma), np.ones(1, dtype=bool))
    return cov[0]


def sweep_rows(direction: float) -> Array:
    normal, radial = beam_normals(np.zeros(1)), np.array([[1.0, 0.0]])
    return np.array(
        [fit.edge_row(normal[:, b], np.zeros(1), np.full(1, direction), radial) for b in (0, 0, 1, 1)]
    )  # fmt: skip


def test_accuracy_of_sweeps_in_closed_form():
    """Four edges at 45 degrees: sigma / sqrt 2 in x and y; play of unknown size needs the other direction."""
    one = covariance_of(sweep_rows(1.0), 1e-3, only((fit.X, fit.Y)))
    np.testing.assert_allclose(np.sqrt(np.diag(one)[:2]), 1e-3 * math.sqrt(0.5), rtol=1e-5)
    free = only((fit.X, fit.Y, fit.PLAY))
    stuck = covariance_of(sweep_rows(1.0), 1e-3, free)
    assert math.sqrt(stuck[fit.X, fit.X]) > 0.5 and math.sqrt(stuck[fit.Y, fit.Y]) == pytest.approx(
        1e-3 * math.sqrt(0.5)
    )
    both = covariance_of(np.concatenate((sweep_rows(1.0), sweep_rows(-1.0))), 1e-3, free)
    np.testing.assert_allclose(np.sqrt(np.diag(both))[[fit.X, fit.Y, fit.PLAY]], 0.5e-3, rtol=1e-5)


@pytest.mark.parametrize("count", [3, 5, 6])
def test_accuracy_of_touches_in_closed_form(count: int):
    """m touches spread evenly over a circle: sigma / sqrt m in height, sigma sqrt(2 / m) / R in either slope."""
    rows = []
    for k in range(count):
        angle = 2.0 * np.pi * k / count + 0.3
        at = TOUCH_CIRCLE * np.array([[math.cos(angle), math.sin(angle)]])
        rows.append(fit.touch_row(at, np.zeros(1), np.zeros(1)))
    cov = covariance_of(np.array(rows), 1e-3, only((fit.Z, fit.SLOPE_X, fit.SLOPE_Y)))
    assert math.sqrt(cov[fit.Z, fit.Z]) == pytest.approx(1e-3 / math.sqrt(count), rel=1e-3)
    slopes = np.sqrt(np.diag(cov))[[fit.SLOPE_X, fit.SLOPE_Y]]
    np.testing.assert_allclose(slopes, 1e-3 * math.sqrt(2.0 / count) / TOUCH_CIRCLE, rtol=1e-3)
    assert fit.variance_along(cov[None], rows[0])[0] < 1e-6


def test_two_forces_tell_the_compliance():
    """One force leaves height and compliance confused; a second one tells them apart: sigma sqrt 2 / (F2 - F1)."""
    free = only((fit.Z, fit.SOFTNESS))
    rows = [fit.touch_row(np.zeros((1, 2)), np.array([f]), np.zeros(1)) for f in (0.3, 0.6)]
    assert math.sqrt(covariance_of(np.array(rows[:1]), 1e-5, free)[fit.Z, fit.Z]) > 0.2
    cov = covariance_of(np.array(rows), 1e-5, free)
    assert math.sqrt(cov[fit.SOFTNESS, fit.SOFTNESS]) == pytest.approx(1e-5 * math.sqrt(2.0) / 0.3, rel=1e-3)


# -- geometry and latches --------------------------------------------------------------------------------------------


def test_controller_knows_where_its_jig_is():
    """Encoders and nominal sag give the crossing and the ball of the nominal machine, wherever the arm waits."""
    cell = cell_of(1)
    s, sim = cell.s, cell.sim

    def compare(tolerance: float) -> None:
        shoulder, theta, lift = (sim.sensor(f"{k}_encoder")[:, 0] for k in ("shoulder", "theta", "lift"))
        for point, name in ((CROSSING, "crossing_position"), (STYLUS, "stylus_position")):
            found = place(GEOMETRY.radius(shoulder), theta, lift, point)
            np.testing.assert_allclose(found, sim.sensor(name), rtol=0, atol=tolerance)

    compare(2e-6)
    for angle in (0.0, 2.0):
        act = np.array([[0.0, 1.0, 0.0, 50.0, 2.0, 0.4, math.cos(angle), math.sin(angle)]])
        while not (s.phase[0] == SEARCH and s.force[0] < 0.03 and s.phase_time[0] > 0.1):  # in the air still
            cell.step(act)
        compare(12e-6)
        while s.phase[0] != READY:
            cell.step(act)


def test_lift_for_a_height_of_the_ball():
    radius = np.linspace(0.4, 0.65, 5)
    lift = ball_lift(radius, np.full(5, 1.07))
    np.testing.assert_allclose(place(radius, np.zeros(5), lift, STYLUS)[:, 2], 1.07 + 0.003, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_beams_pass_a_leaning_pin_where_geometry_says(seed: int):
    """Distance of the crossing from the pin's axis at the height of the beams, along the normal of each beam."""
    rng = np.random.default_rng(seed)
    slope, height, theta = rng.uniform(-0.005, 0.005, 2), 0.0135, rng.uniform(-0.02, 0.02)
    axis = np.array([-slope[0], -slope[1], 1.0]) / math.sqrt(1.0 + slope @ slope)
    offset = rng.uniform(-0.004, 0.004, 2)
    along, left = np.array([math.cos(theta), math.sin(theta), 0.0]), np.array([-math.sin(theta), math.cos(theta), 0.0])
    gap, passed = distances(np.array([*offset, height]), along, left, np.zeros(3), axis)
    normals = beam_normals(np.asarray(theta))
    expected = normals @ (offset + height * slope)
    np.testing.assert_allclose(gap, expected, atol=2e-7)
    np.testing.assert_allclose(passed, height, atol=3e-5)


@pytest.mark.parametrize("speed", [0.02, -0.09, 0.2])
def test_edges_are_exact_between_steps(speed: float):
    """At constant speed the instants are those of the straight line, none of them on an entry of the record."""
    times = record_times(WaferAutoTeach().timing)
    begin = -0.5 * speed * times[-1] + 1.7e-4
    x = begin + speed * times
    normals = beam_normals(np.zeros(()))
    gap = x[None, :, None] * normals[:, 0]
    found = crossings(times, gap, np.full_like(gap, 0.01), PIN_RADIUS)
    reach = math.sqrt(2.0) * PIN_RADIUS
    exact = [(sign * math.copysign(reach, speed) - begin) / speed for sign in (-1.0, 1.0)]
    inside = [0.0 < t < times[-1] for t in exact]
    for k in range(2):
        for beam in range(2):
            if inside[k]:
                assert found[0, 2 * beam + k] == pytest.approx(exact[k], abs=1e-12)
            else:
                assert math.isnan(found[0, 2 * beam + k])
    over = crossings(times, gap, np.full_like(gap, 0.03), PIN_RADIUS)
    assert np.isnan(over).all(), "a beam above the pin is not cut"


def test_touches_keep_the_jig_clear_of_the_pin():
    """Wherever on the circle the stylus stands, the pin stays a centimetre and more from stylus and heads."""
    angle = np.linspace(-np.pi, np.pi, 721)
    pin = np.array(STYLUS[:2]) - TOUCH_CIRCLE * np.stack((np.cos(angle), np.sin(angle)), axis=-1)
    heads = [(CROSSING[0] + sx * HEAD_OFFSET, sy * HEAD_OFFSET) for sx in (-1, 1) for sy in (-1, 1)]
    for at in [*heads, STYLUS[:2]]:
        assert np.hypot(*(pin - np.array(at[:2])).T).min() > 0.010 + PIN_RADIUS
    assert len(BEAM_ANGLES) == 2


def test_record_times_are_those_of_the_record():
    """The radius on a sweep at constant speed is linear in them."""
    cell = cell_of(1)
    part = cell.sim.sensor_slice("crossing_position")
    act = np.array([[1.0, 0.0, 0.0, 10.0, 4.0, 0.4, 1.0, 0.0]])
    while not (cell.s.phase[0] == 8 and cell.s.phase_time[0] > 0.5):
        cell.step(act)
    times = record_times(cell.task.timing)
    x = cell.s.sensor_record[0, :, part.start]
    assert x.shape == times.shape
    np.testing.assert_allclose(np.diff(x) / np.diff(times), 0.010, rtol=0.05)


# -- sweeps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [20.0, 60.0])
def test_unknown_delay_shifts_the_pin_by_speed_times_delay(speed: float):
    """Outward passes see it further out, inward ones further in; the fit sees play instead once it has both."""
    delay = 250e-6
    cell = cell_of(1, delay_error=[1e6 * delay] * 2)
    cell.s.fit_cov[:, fit.PLAY] = cell.s.fit_cov[:, :, fit.PLAY] = 0.0  # as if there were none
    probe(cell, SWEEP, sweep_mm_s=speed)
    reference = cell_of(1)
    reference.s.fit_cov[:, fit.PLAY] = reference.s.fit_cov[:, :, fit.PLAY] = 0.0
    probe(reference, SWEEP, sweep_mm_s=speed)
    shift = cell.s.fit_mean[0, fit.X] - reference.s.fit_mean[0, fit.X]
    assert shift == pytest.approx(1e-3 * speed * delay, abs=1.5e-6)
    assert abs(reference.s.fit_mean[0, fit.X]) < 8e-6
    for one in (cell, reference):
        probe(one, SWEEP, sweep_mm_s=speed)
    shift = cell.s.fit_mean[0, fit.X] - reference.s.fit_mean[0, fit.X]
    assert abs(shift) < 6e-6


def test_play_cancels_out_and_in_and_is_found():
    cell = cell_of(1, play=0.10)
    probe(cell, SWEEP)
    first = cell.s.fit_mean[0].copy()
    probe(cell, SWEEP)
    second = cell.s.fit_mean[0]
    assert cell.s.sweeps[0] == 2 and cell.s.edges[0] == 8
    assert abs(second[fit.X]) < 8e-6 and second[fit.PLAY] == pytest.approx(50e-6, abs=8e-6)
    assert abs(first[fit.X]) > 15e-6


def test_slower_passes_are_more_accurate_as_their_formula_says():
    """Four edges at 45 degrees, each off by its own scatter and, along the arm, by speed times that of the response."""
    spread = {}
    for speed in (20.0, 80.0, 180.0):
        cell = cell_of(48, quiet=False, jitter=400.0, edge_noise=15.0)
        for k in (fit.SLOPE_X, fit.SLOPE_Y):  # a pin that may lean would be part of the doubt
            cell.s.fit_cov[:, k] = cell.s.fit_cov[:, :, k] = 0.0
        probe(cell, SWEEP, sweep_mm_s=speed)
        got = 1e6 * cell.s.fit_mean[:, fit.Y].std()
        sigma = math.hypot(15.0, 1e-3 * speed * 400.0 * math.sqrt(0.5))
        assert got == pytest.approx(sigma * math.sqrt(0.5), rel=0.35), speed
        spread[speed] = got
        claimed = 1e6 * np.sqrt(cell.s.fit_cov[0, fit.Y, fit.Y])
        assert claimed == pytest.approx(math.hypot(sigma, 5.0) * math.sqrt(0.5), rel=0.05)
    assert spread[20.0] < spread[80.0] < spread[180.0]


# -- touches ---------------------------------------------------------------------------------------------------------


def test_force_is_compliance_times_depth():
    """Contact, spring of the sag, and what the drives tell agree: F = overdrive / compliance, in stillness."""
    cell = cell_of(1)
    s, sim = cell.s, cell.sim
    act = np.array([[0.0, 1.0, 0.0, 50.0, 2.0, 0.5, 0.0, 1.0]])
    started = None
    while s.touches[0] < 1:
        cell.step(act)
        record = s.sensor_record[0]
        pressed = record[:, sim.sensor_slice("contact").start] > 0.02
        if started is None and pressed.any():
            started = record[int(np.argmax(pressed)), sim.sensor_slice("lift_encoder").start]
    depth = started - s.hold_encoders[0, 2]
    assert s.last_force[0] == pytest.approx(depth / NOMINAL_COMPLIANCE, rel=0.06)
    assert pytest.approx(STYLUS_LEVER**2 / s.sag_stiffness[0]) == NOMINAL_COMPLIANCE
    assert pytest.approx(SAG_LEVER + STYLUS[0]) == STYLUS_LEVER


def test_drives_tell_the_contact_force():
    cell = cell_of(1)
    part = cell.sim.sensor_slice("contact").start
    act = np.array([[0.0, 1.0, 0.0, 50.0, 3.0, 0.5, -1.0, 0.0]])
    seen = []
    while cell.s.touches[0] < 1:
        cell.step(act)
        seen.append(cell.s.sensor_record[0, 1:, part])
    force = np.concatenate(seen)
    at_rest = float(np.median(force[force > 0.8 * force.max()]))  # most of the time in contact is the wait at its end
    assert cell.s.last_force[0] == pytest.approx(at_rest, rel=0.05) and at_rest > 0.45


def test_faster_touches_press_harder_until_they_fail():
    speeds = np.array([2.0, 4.0, 6.0, 10.0, 16.0, 30.0])
    cell = cell_of(6)
    act = np.tile([0.0, 1.0, 0.0, 50.0, 2.0, 0.4, 1.0, 0.0], (6, 1))
    act[:, 4] = speeds
    peak = np.zeros(6)
    for _ in range(60):
        if (cell.s.touches >= 1).all():
            break
        cell.step(act)
        peak = np.where(cell.s.touches <= 1, np.maximum(peak, cell.s.contact_force), peak)
    assert (peak[:3] < 0.75).all() and peak[-1] > FORCE_LIMIT_N
    assert (peak > 0.4).all() and peak[3] < peak[4] < peak[5]
    assert cell.task.failures(cell.s)["hard_contact"][-1]


def test_noise_that_trips_the_threshold_is_no_touch():
    """At three times the noise the search stops in the air now and then; what is taken is the plane all the same."""
    cell = cell_of(6, quiet=False, force_noise=0.10, station_offset=[0.0, 0.0, -1.5])
    stops = np.zeros(6)
    act = np.tile([0.0, 1.0, 0.0, 50.0, 3.0, 0.25, 1.0, 0.0], (6, 1))
    while (cell.s.touches < 1).any() and cell.s.step[0] < 80:
        before = cell.s.phase.copy()
        cell.step(act)
        stops += (cell.s.phase == 6) & (before != 6)
        act[cell.s.touches > 0, :3] = -1.0, -1.0, -0.9
        if (cell.s.declared | (cell.s.touches < 1)).all() and (cell.s.touches > 0).any():
            break
    felt = cell.s.touches > 0
    assert felt.any()
    np.testing.assert_allclose(1e3 * cell.s.fit_mean[felt, fit.Z], -1.5, atol=0.15)


def test_plane_is_found_by_three_touches():
    """A plane that stands off and leans, and a pin that leans with it: found to 15 um without noise."""
    cell = cell_of(1, station_offset=[0.8, -1.1, 1.2], station_tilt=[0.2, -0.15])
    for _ in range(2):
        probe(cell, SWEEP, sweep_mm_s=30.0)
    for k in range(3):
        probe(cell, TOUCH, touch_mm_s=2.0, angle=2.0 * np.pi * k / 3.0)
    assert (cell.s.error_mm[0] < 0.015).all(), cell.s.error_mm
    probe(cell, DECLARE)
    assert cell.success[0] and cell.terminated[0]


# -- the whole -------------------------------------------------------------------------------------------------------


def test_height_is_that_of_the_robot():
    """An arm that sags by more than was taught teaches a station that is higher by what it sags more."""
    low, high = (cell_of(1, droop=d).s.station_height[0] for d in (0.35, 0.55))
    share = (STATION[0] / 0.72) ** 2
    assert high - low == pytest.approx(0.2e-3 * share, rel=1e-6)
    assert nominal_tilt(np.array(STATION[0])) * SAG_LEVER > 0.4e-3 * share


def test_what_was_measured_first_has_moved_when_it_is_declared():
    cell = cell_of(1, drift=[0.5, -0.5])
    for _ in range(2):
        probe(cell, SWEEP)
    early = cell.s.error[0].copy()
    wait = np.array([[-1.0, 1.0, -1.0, 50.0, 4.0, 0.4, 1.0, 0.0]])
    begun = cell.s.time_s[0]
    while cell.s.time_s[0] < begun + 1.0:
        cell.step(wait)
    moved = cell.s.error[0] - early
    assert moved[0] == pytest.approx(-0.5e-6 * (cell.s.time_s[0] - begun), abs=1e-8)


def test_to_declare_too_early_fails():
    """A declaration before anything has been measured is not taken; one without a touch is off."""
    cell = cell_of(4, station_offset=[0.6, 0.6, 0.6])
    cell.step(np.tile([-1.0, -1.0, 1.0, 50.0, 4.0, 0.4, 1.0, 0.0], (4, 1)))
    assert not cell.s.declared.any() and not cell.terminated.any()
    probe(cell, SWEEP)
    probe(cell, DECLARE)
    assert (np.array(cell.reasons, dtype=object)[cell.reason] == "mistaught").all() and cell.terminated.all()
    assert (cell.reward < -6.0).all()


def test_to_fail_at_once_is_never_better_than_to_try():
    """The worst that an honest try can cost, all of the time without a result, is less than the smallest failure."""
    rewards = WaferAutoTeach().rewards
    assert -rewards["failure"].weight > -rewards["time"].weight
    assert rewards["success"].weight > 0.0 and rewards["progress"].weight > 0.0


def test_sweeps_alternate():
    cell = cell_of(1)
    seen = []
    for _ in range(4):
        probe(cell, SWEEP, sweep_mm_s=120.0)
        seen.append(cell.s.sweep_direction[0])
    assert seen == [1.0, -1.0, 1.0, -1.0]
    assert cell.s.edges[0] == 16
