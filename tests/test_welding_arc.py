"""Burn-off and the arc on its source, against closed forms and published figures."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shopfloor.envs.welding.arc import (
    SUBSTEP_S,
    Arc,
    Parameters,
    feed_for,
    load_line,
    source_voltage,
    steady_arc,
    terminal_arc_length,
)
from shopfloor.envs.welding.consumables import (
    CO2,
    FLUX_CORED_GUIDE,
    M21,
    METAL_CORED_1_6,
    Gas,
    Wire,
    argon_co2,
    flux_cored_wire,
    solid_wire,
)
from shopfloor.envs.welding.electrode import (
    GLOBULAR,
    SHORT,
    SHORT_CHARGE,
    SPRAY,
    current_for_feed,
    deposition_efficiency,
    extension_sensitivity,
    melting_rate,
    short_charge,
    short_feeds,
    spray_current,
    transfer_mode,
)
from shopfloor.errors import ShopfloorError

Array = NDArray[np.float64]


def new_arc(n: int = 1, wire: Wire | None = None, gas: Gas = M21, precision: Any = np.float64) -> Arc:
    def allocate(name: str, shape: tuple[int, ...] = (), dtype: Any = np.float64, fill: float = 0) -> Any:
        return np.full((n, *shape), fill, dtype=dtype)

    return Arc(Parameters(n, wire or solid_wire(1.2), gas), allocate, precision)


def open_arc(current: float, ctwd: float = 18.0, length: float = 3.0) -> tuple[Arc, Array, Array]:
    """An arc settled at a current and arc length, with the feed and source voltage that hold it there."""
    arc = new_arc()
    p = arc.parameters
    extension = ctwd - length
    feed = melting_rate(np.array([current]), np.array([extension]), p.alpha, p.beta)
    drop = (p.source_ohm + p.arc_ohm + p.wire_ohm_mm * extension) * current
    voltage = p.fall_v + p.field_v_mm * length + drop
    arc.ignite(np.array([0]), np.array([ctwd]))
    arc.advance(feed, voltage, np.array([ctwd]), 2000)
    return arc, feed, voltage


# -- burn-off -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("diameter", [0.8, 0.9, 1.0, 1.2, 1.4, 1.6])
@pytest.mark.parametrize("short", [0.0, 0.2, SHORT_CHARGE])
def test_current_for_feed_inverts_burn_off(diameter: float, short: float) -> None:
    wire = solid_wire(diameter)
    current = np.linspace(40.0, 450.0, 50)
    for extension in (0.0, 8.0, 15.0, 30.0):
        feed = melting_rate(current, extension, wire.alpha, wire.beta, short)
        back = current_for_feed(feed, extension, wire.alpha, wire.beta, short)
        np.testing.assert_allclose(back, current, rtol=1e-12)


def test_extension_sensitivity_is_the_derivative_and_has_the_published_size() -> None:
    wire = solid_wire(1.2)
    feed = melting_rate(250.0, 15.0, wire.alpha, wire.beta)
    step = 1e-4
    numeric = (
        current_for_feed(feed, 15.0 + step, wire.alpha, wire.beta)
        - current_for_feed(feed, 15.0 - step, wire.alpha, wire.beta)
    ) / (2 * step)
    closed = extension_sensitivity(250.0, 15.0, wire.alpha, wire.beta)
    assert closed == pytest.approx(numeric, rel=1e-6)
    assert -6.0 < closed < -4.0


def test_heat_balance_scales_wires() -> None:
    """At equal current density and extension all solid wires melt at one speed."""
    density = 200.0  # A/mm^2
    speeds = []
    for diameter in (0.9, 1.2, 1.6):
        wire = solid_wire(diameter)
        current = density * wire.metal_section_mm2
        speeds.append(melting_rate(current, 12.0, wire.alpha, wire.beta))
    np.testing.assert_allclose(speeds, speeds[0], rtol=1e-12)


def test_metal_cored_table() -> None:
    """Lincoln MC-715, 1.6 mm: feed in m/min over current, contact-tip distance 25 to 32 mm."""
    feed = np.array([2.0, 2.1, 2.3, 3.8, 6.4, 8.9, 11.4]) / 0.06
    current = np.array([145.0, 160.0, 170.0, 235.0, 325.0, 400.0, 460.0])
    wire = METAL_CORED_1_6
    predicted = melting_rate(current, 24.0, wire.alpha, wire.beta)
    np.testing.assert_allclose(predicted, feed, rtol=0.07)


def test_flux_cored_wire_melts_faster_and_the_guide_is_in_reach() -> None:
    for diameter in (1.2, 1.4, 1.6):
        solid, cored = solid_wire(diameter), flux_cored_wire(diameter)
        assert melting_rate(280.0, 18.0, cored.alpha, cored.beta) > melting_rate(280.0, 18.0, solid.alpha, solid.beta)
    assert {row.leg_mm for row in FLUX_CORED_GUIDE} == {4, 5, 6, 7, 8, 9}
    for row in FLUX_CORED_GUIDE:
        assert abs(row.voltage_v - load_line(np.array(row.current_a))) < 4.0


def test_short_circuits_need_more_current_for_the_same_feed() -> None:
    """A maker's rule for short-circuiting welding, 1.6 (1.0) inch/min per ampere with 0.9 (1.1) mm wire: between the
    law of the open arc and that of an arc which is out as often as it can be."""
    for diameter, current, rule, extension in ((0.9, 150.0, 1.6, 10.0), (1.14, 180.0, 1.0, 12.0)):
        wire = solid_wire(diameter)
        feed = rule * current * 25.4 / 60.0
        open_current = current_for_feed(feed, extension, wire.alpha, wire.beta)
        shorting = current_for_feed(feed, extension, wire.alpha, wire.beta, SHORT_CHARGE)
        assert open_current < current < shorting < 1.35 * open_current


def test_short_charge_is_monotonic_and_bounded() -> None:
    length = np.linspace(-3.0, 6.0, 200)
    share = short_charge(length, 1.2)
    assert (np.diff(share) <= 0.0).all() and share[0] == SHORT_CHARGE and share[-1] == 0.0
    assert short_charge(np.array([2.4]), 1.2)[0] == 0.0 < short_charge(np.array([2.3]), 1.2)[0]


@pytest.mark.parametrize("gas", [CO2, M21])
def test_strong_arcs_do_not_short_circuit(gas: Gas) -> None:
    wire = solid_wire(1.2)
    slow, fast = short_feeds(wire, gas)
    assert 60.0 < slow < 110.0 < fast < 170.0  # 1.2 mm: up to some 6 m/min
    p = Parameters(3, wire, gas)
    np.testing.assert_allclose(
        p.most_short(np.array([slow, 0.5 * (slow + fast), fast])) / SHORT_CHARGE, [1.0, 0.5, 0.0]
    )


def test_feed_for_a_procedure_gives_its_current_and_voltage() -> None:
    n = 60
    rng = np.random.default_rng(5)
    for gas in (CO2, M21):
        arc = new_arc(n, solid_wire(1.2), gas)
        p = arc.parameters
        current, ctwd = rng.uniform(120.0, 330.0, n), rng.uniform(12.0, 22.0, n)
        terminal = load_line(current) + rng.uniform(0.0, 4.0, n)
        feed = feed_for(p, current, terminal, ctwd)
        arc.ignite(np.arange(n), ctwd)
        arc.advance(feed, source_voltage(p, terminal, current), ctwd, 5000)
        np.testing.assert_allclose(arc.current_a, current, rtol=1e-3)
        np.testing.assert_allclose(arc.mean_voltage_v, terminal, rtol=2e-3)


def test_transfer_modes() -> None:
    wire = solid_wire(1.2)
    assert spray_current(wire, CO2) == float("inf")
    limit = spray_current(wire, M21)
    assert 240.0 < limit < 265.0
    current = np.array([150.0, limit - 1.0, limit + 1.0, 150.0])
    short = SHORT_CHARGE * np.array([0.5, 0.0, 0.0, 0.49])
    np.testing.assert_array_equal(transfer_mode(current, short, limit), [SHORT, GLOBULAR, SPRAY, GLOBULAR])
    efficiency = deposition_efficiency(np.array([180.0, 400.0]), np.zeros(2), np.array([limit, limit]))
    np.testing.assert_allclose(efficiency, [0.89, 0.98])


@pytest.mark.parametrize("build", [lambda: solid_wire(2.4), lambda: solid_wire(0.6), lambda: argon_co2(0.0)])
def test_consumables_out_of_range(build: Any) -> None:
    with pytest.raises(ShopfloorError, match="must lie in"):
        build()


# -- arc ------------------------------------------------------------------------------------------------------------


def test_arc_settles_where_burn_off_and_circuit_meet() -> None:
    arc, feed, voltage = open_arc(250.0)
    np.testing.assert_allclose(arc.current_a, 250.0, rtol=1e-6)
    np.testing.assert_allclose(arc.extension_mm, 15.0, rtol=1e-6)
    current, extension = steady_arc(arc.parameters, feed, voltage, np.array([18.0]))
    np.testing.assert_allclose([current[0], extension[0]], [250.0, 15.0], rtol=1e-6)


@pytest.mark.parametrize("gas", [CO2, M21])
@pytest.mark.parametrize("diameter", [0.9, 1.2, 1.6])
def test_steady_arc_is_where_the_integration_ends(gas: Gas, diameter: float) -> None:
    n = 40
    rng = np.random.default_rng(0)
    arc = new_arc(n, solid_wire(diameter), gas)
    current = np.array([110.0, 200.0, 300.0])[[0.9, 1.2, 1.6].index(diameter)] * rng.uniform(0.8, 1.3, n)
    ctwd = rng.uniform(12.0, 22.0, n)
    feed = melting_rate(current, ctwd - 3.0, arc.parameters.alpha, arc.parameters.beta)
    voltage = load_line(current) + rng.uniform(0.0, 6.0, n)
    arc.ignite(np.arange(n), ctwd)
    arc.advance(feed, voltage, ctwd, 4000)
    expected, extension = steady_arc(arc.parameters, feed, voltage, ctwd)
    np.testing.assert_allclose(arc.current_a, expected, rtol=5e-4)
    np.testing.assert_allclose(arc.extension_mm, extension, rtol=5e-4, atol=1e-3)


def test_a_step_of_the_distance_shows_large_at_first_and_small_in_the_end() -> None:
    arc, feed, voltage = open_arc(250.0)
    course = []
    for _ in range(1000):
        arc.advance(feed, voltage, np.array([[19.0]]), 1)
        course.append(float(arc.current_a[0]))
    change = np.array(course) - 250.0
    assert -22.0 < change.min() < -12.0 and np.argmin(change) < 40
    assert -6.0 < change[-1] < -4.0


def weave_gain(frequency: float) -> float:
    """Amplitude of the current in A per mm of sinusoidal contact-tip distance at 250 A."""
    arc, feed, voltage = open_arc(250.0)
    steps = round(2.0 / frequency / SUBSTEP_S)
    t = SUBSTEP_S * np.arange(1, steps + 1)
    phase = 2.0 * np.pi * frequency * t
    current = []
    for k in range(2 * steps):
        arc.advance(feed, voltage, np.array([[18.0 + np.sin(phase[k % steps])]]), 1)
        current.append(float(arc.current_a[0]))
    return float(2.0 * abs(np.mean(np.array(current)[steps:] * np.exp(-1j * phase))))


def test_through_arc_gain_grows_with_weave_frequency() -> None:
    gains = [weave_gain(f) for f in (0.25, 1.0, 2.0, 4.0)]
    assert gains == sorted(gains)
    assert 4.0 < gains[0] < 7.0
    assert 10.0 < gains[2] < 18.0


def test_gain_is_that_of_the_linearized_circuit() -> None:
    """At 2 Hz, from the transfer function of the two states about 250 A."""
    p = Parameters(1, solid_wire(1.2), M21)
    current, extension, s = 250.0, 15.0, 2j * np.pi * 2.0
    field, rl = p.field_v_mm[0], p.wire_ohm_mm[0]
    resistance = p.source_ohm[0] + p.arc_ohm[0] + rl * extension
    melt_i = p.alpha[0] + 2.0 * p.beta[0] * extension * current
    melt_l = p.beta[0] * current**2
    matrix = np.array([[p.inductance_h[0] * s + resistance, rl * current - field], [melt_i, s + melt_l]])
    gain = abs(np.linalg.solve(matrix, np.array([-field, 0.0]))[0])
    assert weave_gain(2.0) == pytest.approx(gain, rel=0.03)


def test_more_voltage_lengthens_the_arc_and_more_feed_raises_the_current() -> None:
    p = Parameters(20, solid_wire(1.2), CO2)
    ctwd = np.full(20, 18.0)
    ramp = np.linspace(0.0, 1.0, 20)
    current, extension = steady_arc(p, np.full(20, 130.0), 27.0 + 8.0 * ramp, ctwd)
    assert (np.diff(extension) < 0.0).all()
    current, _ = steady_arc(p, 80.0 + 100.0 * ramp, np.full(20, 33.0), ctwd)
    assert (np.diff(current) > 0.0).all()
    current, _ = steady_arc(p, np.full(20, 130.0), np.full(20, 31.0), 12.0 + 12.0 * ramp)
    assert (np.diff(current) < 0.0).all()


def test_terminal_quantities_agree_with_the_circuit() -> None:
    arc, feed, voltage = open_arc(220.0, 20.0, 4.0)
    p = arc.parameters
    arc.advance(feed, voltage, np.array([20.0]), 100)
    np.testing.assert_allclose(arc.mean_voltage_v, voltage - p.source_ohm * 220.0, rtol=1e-6)
    np.testing.assert_allclose(arc.power_w, arc.mean_voltage_v * 220.0, rtol=1e-6)
    length = terminal_arc_length(p, np.array([220.0]), arc.mean_voltage_v, np.array([20.0]))
    np.testing.assert_allclose(length, 4.0, rtol=1e-5)


def test_mean_power_holds_while_the_distance_moves() -> None:
    """Energy between tip and work is that of the source less its resistance and what the inductance stores."""
    arc, feed, voltage = open_arc(250.0)
    p = arc.parameters
    energy = 0.0
    before = float(arc.current_a[0])
    twin, *_ = open_arc(250.0)
    course = 18.0 + np.linspace(0.0, 2.0, 200)[:, None]
    for k in range(200):
        start = float(twin.current_a[0])
        twin.advance(feed, voltage, course[k : k + 1], 1)
        now = float(twin.current_a[0])
        stored = 0.5 * p.inductance_h[0] * (now**2 - start**2)
        energy += (voltage[0] - p.source_ohm[0] * now) * now * SUBSTEP_S - stored
    arc.advance(feed, voltage, course, 200)
    assert float(arc.power_w[0]) * 0.2 == pytest.approx(energy, rel=1e-9)
    assert float(arc.current_a[0]) == float(twin.current_a[0]) != before


def test_rows_do_not_see_each_other() -> None:
    n = 7
    arc = new_arc(n)
    ctwd = np.linspace(14.0, 20.0, n)
    feed, voltage = np.linspace(90.0, 150.0, n), np.linspace(24.0, 32.0, n)
    arc.ignite(np.arange(n), ctwd)
    arc.advance(feed, voltage, ctwd, 300)
    for k in range(n):
        one = new_arc(1)
        one.ignite(np.array([0]), ctwd[k : k + 1])
        one.advance(feed[k : k + 1], voltage[k : k + 1], ctwd[k : k + 1], 300)
        assert one.current_a[0] == arc.current_a[k] and one.extension_mm[0] == arc.extension_mm[k]


def test_single_precision_gives_the_same_arc() -> None:
    """Through changes of feed, voltage and distance, with wires that stub and others that burn back."""
    random, n = np.random.default_rng(3), 64
    arcs = [new_arc(n, precision=precision) for precision in (np.float64, np.float32)]
    for arc in arcs:
        arc.ignite(np.arange(n), np.full(n, 18.0))
    melted = np.zeros((2, n))
    for _ in range(20):
        feed, voltage, distance = (
            random.uniform(10.0, 200.0, n),
            random.uniform(16.0, 60.0, n),
            random.uniform(14, 22, n),
        )
        for k, arc in enumerate(arcs):
            arc.advance(feed, voltage, distance, 100)
            melted[k] += arc.melted_mm
        for name in ("mean_current_a", "mean_voltage_v", "extension_mm"):
            np.testing.assert_allclose(*(getattr(arc, name) for arc in arcs), atol=0.01, rtol=1e-4, err_msg=name)
    assert arcs[0].arc_length_mm.min() < 0.0 and arcs[0].extension_mm.min() < 2.0
    np.testing.assert_allclose(*melted, atol=1e-3)


def test_a_substep_is_a_few_nanoseconds_a_row() -> None:
    n = 4096
    arc = new_arc(n)
    feed, voltage, ctwd = np.full(n, 125.0), np.full(n, 30.0), np.full(n, 18.0)
    arc.ignite(np.arange(n), ctwd)
    arc.advance(feed, voltage, ctwd, 20)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        arc.advance(feed, voltage, ctwd, 200)
        best = min(best, time.perf_counter() - start)
    assert best < 0.1  # s; about 8 ms on a quiet core
