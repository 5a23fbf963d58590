"""Heat flow, cooling times, bead sections and distortion against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from shopfloor.envs.randomness import counter_uniform
from shopfloor.envs.welding import bead, defects, distortion, heat, penetration

# -- EN 1011-2 -------------------------------------------------------------------------------------------------------

# heat input kJ/mm, preheat degC, transition thickness mm, t8/5 thick, t8/5 thin at d = 6, 8, 10, 12, 15, 20 mm; the
# equations of annex D, evaluated independently
COOLING = (
    (0.5, 20.0, 10.4, 2.64, (7.9, 4.4, 2.8, 2.0, 1.3, 0.7)),
    (0.8, 20.0, 13.1, 4.23, (20.2, 11.4, 7.3, 5.1, 3.2, 1.8)),
    (1.0, 20.0, 14.7, 5.29, (31.6, 17.8, 11.4, 7.9, 5.1, 2.8)),
    (1.0, 150.0, 16.4, 7.85, (58.8, 33.1, 21.2, 14.7, 9.4, 5.3)),
    (1.5, 100.0, 19.2, 9.96, (101.8, 57.3, 36.7, 25.5, 16.3, 9.2)),
    (2.0, 20.0, 20.7, 10.58, (126.0, 71.0, 45.5, 31.6, 20.2, 11.4)),
)
THICKNESSES = np.array([6.0, 8.0, 10.0, 12.0, 15.0, 20.0])


@pytest.mark.parametrize(("q", "t0", "transition", "thick", "thin"), COOLING)
def test_cooling_times(q: float, t0: float, transition: float, thick: float, thin: tuple[float, ...]) -> None:
    preheat = np.array(t0)
    assert heat.cooling_time_thick(np.array(q), preheat) == pytest.approx(thick, rel=0.01)
    # the table is rounded to 0.1 s
    np.testing.assert_allclose(heat.cooling_time_thin(q, preheat, THICKNESSES), thin, rtol=0.01, atol=0.05)
    assert heat.transition_thickness(np.array(q), preheat) == pytest.approx(transition, rel=0.01)


@pytest.mark.parametrize("q", [0.4, 1.1, 2.6])
@pytest.mark.parametrize("t0", [5.0, 120.0, 240.0])
def test_the_two_formulas_meet_at_the_transition(q: float, t0: float) -> None:
    at = heat.transition_thickness(np.array(q), np.array(t0))
    thin, thick = heat.cooling_time_thin(q, np.array(t0), at), heat.cooling_time_thick(q, np.array(t0))
    assert thin == pytest.approx(float(thick), rel=1e-12)
    below, above = heat.cooling_time(q, np.array(t0), at * np.array([0.9, 1.1]))
    assert below > thick and above == pytest.approx(float(thick))


def test_shape_factors_act_on_their_own_formula() -> None:
    assert heat.cooling_time(1.0, np.array(20.0), 8.0, 0.5, 0.1) == pytest.approx(0.5 * 17.8, rel=0.01)
    assert heat.cooling_time(1.0, np.array(20.0), 50.0, 1.0, 0.67) == pytest.approx(0.67 * 5.29, rel=0.01)


def test_heat_input() -> None:
    assert heat.heat_input(30.5, 290.0, 6.25) == pytest.approx(0.8 * 30.5 * 290.0 / 6.25 * 1e-3)
    assert heat.PROCESS_FACTOR["141"] == 0.6 and heat.PROCESS_FACTOR["121"] == 1.0


# -- Rosenthal -------------------------------------------------------------------------------------------------------


def test_bessel_k0() -> None:
    x = np.array([0.01, 0.1, 0.5, 1.0, 1.9, 2.1, 3.0, 5.0, 10.0])
    # K0(x) = integral of exp(-x cosh u) over u > 0
    u = np.linspace(0.0, 12.0, 400001)
    step = u[1] - u[0]
    for value, argument in zip(heat.bessel_k0(x), x, strict=True):
        f = np.exp(-argument * np.cosh(u))
        assert value == pytest.approx(step * (f.sum() - 0.5 * f[0]), rel=2e-6, abs=2e-7)


def widest(net_w: float, travel: float, rise: float, thickness: float | None = None) -> float:
    """Width of an isotherm by search in the temperature field itself."""
    y = np.linspace(0.05, 30.0, 600)[:, None]
    behind = np.concatenate([np.linspace(-8.0, 0.0, 400), -np.geomspace(8.0, 400.0, 600)])[None, :]
    distance = np.hypot(y, behind)
    if thickness is None:
        field = heat.thick_temperature(behind, distance, net_w, travel, 0.0)
    else:
        field = heat.thin_temperature(behind, distance, net_w, travel, 0.0, thickness)
    hot = field.max(axis=1) >= rise
    return float(2.0 * y[hot].max())


@pytest.mark.parametrize(("net_w", "travel"), [(1500.0, 1.0), (3000.0, 3.0), (6000.0, 7.5), (9000.0, 15.0)])
def test_width_of_a_thick_plate_is_that_of_the_field(net_w: float, travel: float) -> None:
    assert heat.thick_width(net_w, travel, 1480.0) == pytest.approx(widest(net_w, travel, 1480.0), rel=0.02)


def test_thick_width_has_its_two_limits() -> None:
    fast = np.sqrt(8.0 * 6000.0 / (np.pi * np.e * heat.HEAT_CAPACITY * 400.0 * 1480.0))
    assert heat.thick_width(6000.0, 400.0, 1480.0) == pytest.approx(fast, rel=0.01)
    slow = 6000.0 / (np.pi * heat.CONDUCTIVITY * 1480.0)
    assert heat.thick_width(6000.0, 1e-3, 1480.0) == pytest.approx(slow, rel=0.01)


def test_width_of_a_thin_plate_is_that_of_the_field() -> None:
    assert heat.thin_width(4000.0, 15.0, 1480.0, 2.0) == pytest.approx(widest(4000.0, 15.0, 1480.0, 2.0), rel=0.05)


def test_fused_width_goes_over_from_thin_to_thick() -> None:
    thickness = np.linspace(1.5, 25.0, 200)
    width = heat.fused_width(5000.0, 7.5, thickness, np.array(20.0))
    assert (np.diff(width) <= 1e-12).all()
    assert width[-1] == pytest.approx(float(heat.thick_width(5000.0, 7.5, 1480.0)))
    assert width[0] == pytest.approx(float(heat.thin_width(5000.0, 7.5, 1480.0, 1.5)))


def test_peak_temperature_at_the_edge_of_the_fused_zone_is_the_melting_point() -> None:
    """Of a fast source, where both are closed forms."""
    half = 0.5 * heat.thick_width(6000.0, 400.0, heat.MELTING_C - 20.0)
    assert heat.peak_temperature(half, 6000.0, 400.0, 500.0, 20.0) == pytest.approx(heat.MELTING_C, rel=0.02)
    half = 0.5 * heat.thin_width(5000.0, 7.5, heat.MELTING_C - 20.0, 1.5)
    assert heat.peak_temperature(half, 5000.0, 7.5, 1.5, 20.0) == pytest.approx(heat.MELTING_C, rel=1e-9)


def test_residual_heat_decays_as_the_line_source_does() -> None:
    thick = heat.residual_rise(1000.0, np.array([100.0, 200.0]), 1e3)
    assert thick[0] == pytest.approx(2.0 * thick[1])
    thin = heat.residual_rise(1000.0, np.array([100.0, 400.0]), 5.0)
    assert thin[0] == pytest.approx(2.0 * thin[1])
    # energy in a thin plate: integral of rise * rho c * d across the line is the energy per length
    rise, age = float(thin[0]), 100.0
    spread = np.sqrt(4.0 * np.pi * heat.DIFFUSIVITY * age)
    assert rise * spread * 5.0 * heat.HEAT_CAPACITY == pytest.approx(1000.0, rel=1e-9)


# -- sections --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("difference", [-2.0, 0.0, 1.5])
@pytest.mark.parametrize("shape", [0.95, 1.0, 1.2])
def test_a_fillet_holds_what_was_laid(gap: float, difference: float, shape: float) -> None:
    deposit, fill = np.array([22.0]), np.array([1.5 * gap])
    s = bead.fillet_section(deposit, fill, np.array([shape]), np.array([difference]), np.array([gap]))
    triangle = 0.5 * (s.leg_1 + gap) * s.leg_2
    cap = bead.PARABOLA * s.width * s.convexity
    np.testing.assert_allclose(triangle + cap + fill, deposit, rtol=1e-12)
    np.testing.assert_allclose(s.leg_1 + gap - s.leg_2, difference, atol=1e-12)
    assert s.throat[0] <= np.minimum(s.leg_1, s.leg_2)[0] / np.sqrt(2.0) + 1e-12


def test_a_flat_symmetric_fillet() -> None:
    one, zero = np.array([1.0]), np.zeros(1)
    s = bead.fillet_section(np.array([18.0]), zero, one, zero, zero)
    np.testing.assert_allclose([s.leg_1[0], s.leg_2[0]], 6.0)
    np.testing.assert_allclose(s.throat, 6.0 / np.sqrt(2.0))
    np.testing.assert_allclose(s.toe_angle_deg, 135.0)
    np.testing.assert_allclose(s.convexity, 0.0)


def test_a_lap_keeps_the_metal_that_its_edge_cannot_hold() -> None:
    zero = np.zeros(1)
    s = bead.fillet_section(np.array([12.0]), zero, np.array([1.0]), zero, zero, np.array([3.0]))
    np.testing.assert_allclose([s.leg_1[0], s.leg_2[0]], [3.0, 8.0])


@pytest.mark.parametrize("deposit", [4.0, 20.0])
def test_a_butt_fills_its_groove_first(deposit: float) -> None:
    groove, opening = bead.groove_area(np.array([2.0]), np.array([6.0]), np.array([0.0]), np.array([0.0]))
    np.testing.assert_allclose([groove[0], opening[0]], [12.0, 2.0])
    s = bead.butt_section(np.array([deposit]), groove, opening, np.array([8.0]), np.array([6.0]))
    held = groove - s.underfill * opening + bead.PARABOLA * s.width * s.reinforcement
    np.testing.assert_allclose(held, deposit)
    assert (s.underfill[0] > 0.0) == (deposit < 12.0) == (s.reinforcement[0] == 0.0)


def test_v_groove_area() -> None:
    area, opening = bead.groove_area(np.array([3.0]), np.array([12.0]), np.array([60.0]), np.array([2.0]))
    np.testing.assert_allclose(area, 3.0 * 12.0 + np.tan(np.pi / 6) * 100.0)
    np.testing.assert_allclose(opening, 3.0 + 20.0 * np.tan(np.pi / 6))


def test_colder_beads_stand_up() -> None:
    fused = np.linspace(4.0, 20.0, 30)
    shape = bead.shape_factor(np.full(30, 18.0), fused, np.zeros(30), np.zeros(30))
    assert (np.diff(shape) <= 0.0).all() and shape[0] == bead.STEEPEST and shape[-1] == bead.FLATTEST


# -- flaws and distortion --------------------------------------------------------------------------------------------


def test_depth_follows_jackson_and_shrubsall() -> None:
    base = penetration.plate_depth(250.0, 7.5, 18.0)
    assert 2.8 < base < 3.8
    assert penetration.plate_depth(500.0, 7.5, 18.0) == pytest.approx(base * 2.0 ** (4 / 3))
    assert penetration.plate_depth(250.0, 60.0, 18.0) == pytest.approx(0.5 * base)
    drag, upright, push = penetration.technique_factor(np.array([-10.0, 0.0, 10.0]), np.zeros(3), 1.0)
    assert drag > upright == 1.0 > push


def test_an_open_root_needs_surface_tension() -> None:
    gap = np.linspace(0.0, 4.0, 41)
    hole = defects.butt_burn_through(np.full(41, 3.0), gap, np.full(41, 6.0))
    limit = defects.SPAN_SHARE * defects.CAPILLARY_MM
    assert 1.3 < limit < 2.0
    np.testing.assert_array_equal(hole > 0.0, gap > limit)


def test_pool_runs_ahead_when_slow_or_downhill() -> None:
    def cushion(speed: float, slope: float) -> float:
        return float(defects.pool_cushion(20.0, speed, 0.0, slope))

    assert cushion(6.0, 0.0) == cushion(6.0, 45.0) == 0.0
    assert cushion(1.5, 0.0) > 0.0 and cushion(6.0, -45.0) > cushion(6.0, -20.0) > 0.0


def test_counter_uniform_is_uniform_and_without_correlation() -> None:
    key = np.repeat(np.arange(200), 200)
    index = np.tile(np.arange(200), 200)
    u, v = counter_uniform(key, index, 0), counter_uniform(key, index, 1)
    assert u.min() > 0.0 and u.max() < 1.0
    assert abs(u.mean() - 0.5) < 0.005 and abs(u.var() - 1 / 12) < 0.002
    assert abs(np.corrcoef(u, v)[0, 1]) < 0.02
    grid = u.reshape(200, 200)
    assert abs(np.corrcoef(grid[:, :-1].ravel(), grid[:, 1:].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(grid[:-1].ravel(), grid[1:].ravel())[0, 1]) < 0.02


def test_blodgett_distortion() -> None:
    """A T-joint welded on both sides, flange 200 mm wide, leg 6 mm, thickness 10 mm: 0.02 W w^1.3 / t^2 in inches."""
    inches = 0.02 * (200 / 25.4) * (6 / 25.4) ** 1.3 / (10 / 25.4) ** 2
    both = 2.0 * distortion.angular_distortion(6.0, 10.0)
    assert 0.5 * 200.0 * both == pytest.approx(25.4 * inches, rel=2e-3)
    assert distortion.transverse_shrinkage(20.0, 10.0) == pytest.approx(0.2)
