"""WaferTransferLot: pads, what a pulse makes a wafer slide, and lots of moves with hidden friction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_checks import Case, assert_same
from numpy.typing import NDArray

from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.wafer.lot_expert import LotExpert
from shopfloor.envs.wafer.lot_terms import HISTORY, MOVES
from shopfloor.envs.wafer.pads import PADS_FILE, in_range, pad_friction, pad_sets
from shopfloor.envs.wafer.profiles import GRAVITY, pulse_slip
from shopfloor.errors import ShopfloorError

Array = NDArray[np.float64]
LOT = "shopfloor/WaferTransferLot-v0"

# -- pads -----------------------------------------------------------------------------------------------------------


def test_friction_of_pads_between_its_levels():
    celsius = np.array([-50.0, 25.0, 60.0, 125.0, 300.0, 5000.0])
    friction = pad_friction(celsius, 0.85, 0.55, 105.0)
    assert friction[0] == friction[1] == 0.85 and friction[-1] == pytest.approx(0.85 * 0.55)
    assert (np.diff(friction[1:]) < 0.0).all()
    np.testing.assert_allclose(pad_friction(celsius, 0.85, 0.55, 105.0, 0.7), 0.7 * friction, rtol=1e-15)
    assert (pad_friction(celsius, 0.2, 1.0, 105.0) == 0.2).all()
    # one fade above room temperature, 1/e of the difference is left
    assert pad_friction(25.0 + 105.0, 0.85, 0.55, 105.0) == pytest.approx(0.85 * (0.55 + 0.45 / np.e))


def test_ranges_of_the_two_kinds_are_what_engineers_quote():
    ceramic, elastomer = pad_sets()["ceramic"], pad_sets()["elastomer"]
    hot = [pad_friction(300.0, cold, share, fade) for cold, share, fade in
           ((0.5, 0.65, 150.0), (1.2, 0.45, 60.0))]  # fmt: skip
    assert min(hot) >= 0.3 and max(hot) <= 0.65
    assert ceramic.nominal(25.0) == pytest.approx(0.175)
    assert (
        ceramic.nominal(300.0) / ceramic.nominal(25.0) > 0.95 > 0.7 > elastomer.nominal(300.0) / elastomer.nominal(25.0)
    )
    assert in_range((2.0, 4.0), [0.0, 0.25, 1.0]).tolist() == [2.0, 2.5, 4.0]
    assert "unverified" in PADS_FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hot_share: [0.45, 0.65]", "hot_share: [0.65, 0.45]", "elastomer.hot_share must be two positive numbers"),
        ("fade_K: [60.0, 150.0]", "fade: [60.0, 150.0]", "elastomer needs exactly"),
        ("version: 1", "version: 2", "needs exactly version: 1"),
    ],
)
def test_bad_pads_file(tmp_path: Path, old: str, new: str, message: str):
    path = tmp_path / "pads.yaml"
    path.write_text(PADS_FILE.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ShopfloorError, match=message):
        pad_sets(path)


# -- how far a wafer slides in a pulse ------------------------------------------------------------------------------


def slide(launch: float, base: float, limit: float, period: float, parts: int, mode: bool = False) -> float:
    """The same by small time steps, of the averaged profile as it is defined.

    With `mode`, of the paddle behind an undamped mode of that period: it answers a ramp of one period with a smooth
    step, `u - sin(2 pi u) / (2 pi)`, and is quiet afterwards.
    """
    dt = 6.0 * period / parts
    u = (np.arange(parts) + 0.5) * (dt / period)

    def step(u: Array) -> Array:
        u = np.clip(u, 0.0, 1.0)
        return u - np.sin(2.0 * np.pi * u) / (2.0 * np.pi) if mode else u

    behind = slid = 0.0
    for a in launch * step(u) + (base - launch) * step(u - 1.0):
        if behind > 0.0 or a > limit:
            behind = max(behind + (a - limit) * dt, 0.0)
        slid += behind * dt
    return slid


@pytest.mark.parametrize(
    ("launch", "base", "limit", "period"),
    [
        (1.5, 0.5, 1.2, 0.07),
        (1.5, 1.1, 1.2, 0.07),
        (3.0, 0.4, 0.6, 0.1),
        (6.0, 4.0, 5.0, 0.05),
        (2.0, 1.99, 1.995, 0.1),
    ],
)
def test_pulse_slip_by_integration(launch: float, base: float, limit: float, period: float):
    found = pulse_slip(*(np.array(x) for x in (launch, base, limit, period)))
    reference = slide(launch, base, limit, period, 60_000)
    if 0.5 * (limit - base) * (4.0 * period) ** 2 > 20.0 * reference:  # caught within what was integrated
        assert float(found) == pytest.approx(reference, rel=3e-3, abs=1e-7)
    else:
        assert float(found) >= 0.99 * reference


def test_pulse_slip_without_a_pulse():
    one = np.array(1.0)
    assert float(pulse_slip(one, 0.5 * one, one, 0.1 * one)) == 0.0
    assert float(pulse_slip(0.5 * one, 0.9 * one, one, 0.1 * one)) == 0.0
    assert np.isinf(float(pulse_slip(1.5 * one, 1.1 * one, one, 0.1 * one)))
    friction = np.linspace(0.6, 2.0, 40)
    assert (np.diff(pulse_slip(1.5 * one, 0.5 * one, friction, 0.1 * one)) <= 0.0).all()


# -- lots -----------------------------------------------------------------------------------------------------------


def settings(cell: BatchedCell, base: float, launch: float | None = None) -> Array:
    return np.broadcast_to([base, base, 1.05, base if launch is None else launch], (cell.n, 4)).copy()


def run_moves(cell: BatchedCell, act: Any, moves: float = MOVES, ended: Any = None) -> None:
    """Step until all rows have made so many moves; `ended` is called with the rows that have just ended one."""
    for _ in range(cell.max_steps):
        before = cell.s.move_number.copy()
        cell.step(act)
        if ended is not None and (rows := np.flatnonzero(cell.s.move_number > before)).size:
            ended(rows)
        if (cell.s.move_number >= moves).all() or (cell.terminated & (cell.reason > 1)).any():
            return


def test_measured_slide_in_a_launch_is_the_closed_form():
    """A pulse beyond friction on the real arm, on a line without droop. Its mode makes the peak of the pulse blunt."""
    cell = Case(LOT, {"pads": "ceramic", "offset_sigma_mm": 0.0, "frequency_error": 0.0}).cell(8)
    cell.reset(seeds=np.arange(8), params={"droop": 0.0, "damping_ratio": 0.01, "frequency": 14.0})
    s = cell.s
    limit = GRAVITY * s.friction
    unit = GRAVITY * s.nominal_friction
    base, launch = 0.6 * limit, np.linspace(1.1, 1.3, 8) * limit
    act = np.stack((base / unit, base / unit, np.ones(8), launch / unit), axis=-1)
    assert (act[:, 3] < 2.0).all()
    slid, period = np.zeros(8), np.zeros(8)

    def first(rows: NDArray[np.intp]) -> None:
        rows = rows[s.move_number[rows] == 1]
        slid[rows], period[rows] = s.past_offset_mm[rows, 0], s.past_period[rows, 0]

    run_moves(cell, act, 1, first)
    rows = zip(launch, base, limit, period, strict=True)
    expected = [1e3 * slide(*row, 20_000, mode=True) for row in rows]
    # the wafer falls behind: it stays where it was while the paddle retracts inward
    np.testing.assert_allclose(slid, expected, rtol=0.08, atol=0.02)
    # without the mode the slide would be shorter, so that reading friction off it is careful
    assert (slid > 1e3 * pulse_slip(launch, base, limit, period)).all()


def test_legs_follow_each_other_and_wafers_are_centred_again():
    cell = Case(LOT, {"pads": "elastomer"}).cell(6)
    cell.reset(seeds=np.arange(6))
    s = cell.s
    seat = cell.sim.sensor("wafer_in_paddle_position")

    def ends() -> tuple[Array, Array]:
        start = np.stack((s.path_radius * np.cos(s.path_angle), s.path_radius * np.sin(s.path_angle)), axis=-1)
        curved = s.path_curvature > 0
        assert (curved == (np.minimum(s.move_number, MOVES - 1) % 3 == 1)).all()
        radius = np.where(curved, s.path_radius, s.path_radius + s.path_sign * s.path_length)
        angle = s.path_angle + s.path_sign * s.path_curvature * s.path_length
        return start, np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=-1)

    last = ends()[1].copy()

    def ended(rows: NDArray[np.intp]) -> None:
        tcp = cell.sim.output("site_xpos", "site", "tcp")[:, :2]
        np.testing.assert_allclose(tcp[rows], last[rows], atol=3e-4)
        start, end = ends()
        on = rows[s.move_number[rows] < MOVES]
        np.testing.assert_allclose(start[on], last[on], atol=1e-12)
        assert (np.abs(seat[on, :2]) < 3e-6).all()
        last[on] = end[on]

    run_moves(cell, settings(cell, 0.3), MOVES, ended)
    assert (s.move_number == MOVES).all() and (s.slipped == 0).all() and (s.largest_slip < 0.1).all()


def test_friction_follows_the_temperature_of_the_pads():
    cell = Case(LOT, {"pads": "elastomer"}).cell(4)
    cell.reset(seeds=np.arange(4), params={"pad_celsius": 40.0, "wafer_celsius": 300.0, "heat_share": 0.4})
    s = cell.s
    pair = int(cell.sim.ids("pair", ["wafer_pad_1"])[0])
    before = s.friction.copy()

    def ended(rows: NDArray[np.intp]) -> None:
        rows = rows[s.move_number[rows] < MOVES]
        assert_same(cell.sim.field("pair_friction")[rows, pair, 0], s.friction[rows])
        np.testing.assert_allclose(300.0 - s.pad_celsius[rows], 260.0 * 0.6 ** s.move_number[rows])
        assert (s.friction[rows] < before[rows]).all()
        before[rows] = s.friction[rows]

    run_moves(cell, settings(cell, 0.25), MOVES, ended)
    assert (s.move_number == MOVES).all()


def test_nothing_that_the_policy_sees_tells_friction_before_a_wafer_has_slipped():
    """Two lots that differ in hidden friction alone look the same until one of them slips."""
    one, two = (Case(LOT, {"pads": "ceramic"}).cell(2) for _ in range(2))
    for cell, wear in ((one, 0.2), (two, 1.0)):
        cell.reset(seeds=np.arange(2), params={"wear_place": wear, "cold_place": 0.8, "droop": 0.0})
    for _ in range(25):
        for cell in (one, two):
            cell.step(settings(cell, 0.3))
        assert_same(one.s.move_number, two.s.move_number)
        for name, values in one.readings().items():
            # what is left is microns of creep, far below the noise of the measurement
            np.testing.assert_allclose(values, two.readings()[name], atol=5e-3, err_msg=name)
    assert (one.s.friction < 0.8 * two.s.friction).all() and (one.s.move_number > 0).all()


def test_settings_are_read_once_a_move():
    cell, other = (Case(LOT, {"pads": "ceramic"}).cell(2) for _ in range(2))
    for c in (cell, other):
        c.reset(seeds=np.arange(2))
    for step in range(12):
        begins = cell.readings()["move_begins"][:, 0] > 0.5
        wild = np.where(begins[:, None], settings(cell, 0.3), [2.0, 2.0, 0.5, 2.0])
        assert begins.all() == (step == 0)
        cell.step(wild)
        other.step(settings(other, 0.3))
        assert_same(cell.s.get_state()["path_distance"], other.s.get_state()["path_distance"])


def test_history_is_newest_first():
    cell = Case(LOT, {"pads": "elastomer", "offset_sigma_mm": 0.0}).cell(1)
    cell.reset(seeds=np.arange(1))
    for move, share in enumerate((0.2, 0.25, 0.3)):
        run_moves(cell, settings(cell, share, 0.01 + share), move + 1)
    readings = {k: v[0] for k, v in cell.readings().items()}
    np.testing.assert_allclose(readings["past_acceleration"], [0.3, 0.25, 0.2, 0.0, 0.0])
    np.testing.assert_allclose(readings["past_launch"], [0.31, 0.26, 0.21, 0.0, 0.0])
    assert (readings["past_period"][:3] > 0.04).all() and (readings["past_period"][3:] == 0.0).all()
    assert readings["past_offset_mm"].shape == (2 * HISTORY,) and (readings["past_offset_mm"][6:] == 0.0).all()


def test_second_slip_ends_the_lot():
    cell = Case(LOT, {"pads": "ceramic", "frequency_error": 0.0}).cell(4)
    cell.reset(seeds=np.arange(4), params={"droop": 0.0})
    s = cell.s
    unit, limit = GRAVITY * s.nominal_friction, GRAVITY * s.friction
    act = np.stack([0.5 * limit / unit, 0.5 * limit / unit, np.ones(4), 1.3 * limit / unit], axis=-1)
    run_moves(cell, act, 1)
    assert (s.slipped == 1).all() and not cell.terminated.any()
    for _ in range(40):
        cell.step(act)
        if (cell.reason > 3).all():
            break
    assert {cell.reasons[r] for r in cell.reason} == {"slipped_again"} and not cell.success.any()


def test_expert_reads_friction_from_an_offset():
    """The share that a pulse has shown comes back out of the offset that it caused."""
    n, share = 9, np.linspace(0.4, 1.2, 9)
    unit, period = GRAVITY * 0.17, 0.07
    launch, base = 1.3 * share, 0.8 * share
    offset = 1e3 * pulse_slip(launch * unit, base * unit, share * unit, np.full(n, period))
    readings = {
        "nominal_friction": np.full((n, 1), 0.17),
        "past_offset_mm": np.zeros((n, 2 * HISTORY)),
        **{f"past_{k}": np.zeros((n, HISTORY)) for k in ("launch", "acceleration", "deceleration", "period")},
    }
    for name, values in (("launch", launch), ("acceleration", base), ("deceleration", base), ("period", period)):
        readings[f"past_{name}"][:, 0] = values
    readings["past_offset_mm"][:, 0] = offset
    held, known = LotExpert().evidence(readings)
    np.testing.assert_allclose(known, share, atol=0.021)
    assert (held == 0.0).all()
    readings["past_offset_mm"][:, 0] = 0.0
    held, known = LotExpert().evidence(readings)
    assert np.isinf(known).all() and (held > 1.1 * share).all() and (held <= launch).all()
