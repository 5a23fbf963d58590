"""WaferTransfer on pads of a kind: friction by temperature and wear, and what an estimate is worth at another one."""

from __future__ import annotations

import numpy as np
import pytest
from engine_checks import Case
from numpy.typing import NDArray

from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.wafer.pads import least_carried_over, nominal_friction, pad_friction, pad_sets
from shopfloor.errors import ShopfloorError

Array = NDArray[np.float64]
WAFER = "shopfloor/WaferTransfer-v0"


def begun(n: int, **kwargs: object) -> BatchedCell:
    cell = Case(WAFER, kwargs).cell(n)
    cell.reset(seeds=np.arange(n))
    return cell


def at(limits: tuple[float, float], place: Array) -> Array:
    return limits[0] + place * (limits[1] - limits[0])


@pytest.mark.parametrize("name", ["ceramic", "elastomer"])
def test_friction_is_that_of_the_drawn_pads_at_their_temperature(name: str):
    cell = begun(30, pads=name, friction_error=0.0)
    s, p, pads = cell.s, cell.params, pad_sets()[name]
    own = [at(limits, p[place]) for limits, place in (
        (pads.friction_cold, "cold_place"), (pads.hot_share, "hot_place"), (pads.fade_K, "fade_place"),
        (pads.wear, "wear_place"),
    )]  # fmt: skip
    now, before = p["pad_celsius"], p["pad_celsius"] - p["pads_warmed"]
    np.testing.assert_allclose(s.friction, pad_friction(now, *own), rtol=1e-12)
    pairs = cell.sim.field("pair_friction")[:, cell.task._pairs, 0]
    np.testing.assert_allclose(pairs, np.repeat(s.friction[:, None], 3, axis=1), rtol=1e-12)
    # the estimate was right at the temperature of the past moves
    expected = pad_friction(before, *own) * pads.nominal(now) / pads.nominal(before)
    np.testing.assert_allclose(s.friction_estimate, expected, rtol=1e-12)
    off = np.abs(s.friction_estimate / s.friction - 1.0).max()
    assert off < 0.05 if name == "ceramic" else 0.05 < off < 0.3
    readings = cell.readings()
    np.testing.assert_allclose(readings["pad_celsius"][:, 0], now, atol=5.0)
    assert (readings["pads_warmed"][:, 0] == p["pads_warmed"]).all()


def test_any_is_both_kinds():
    cell = begun(24, pads="any")
    kinds = cell.readings()["pad_set"][:, 0]
    assert set(kinds) == {0.0, 1.0}
    assert cell.s.friction[kinds == 1.0].min() > cell.s.friction[kinds == 0.0].max() * 0.5
    nominal = nominal_friction(kinds, cell.s.pad_celsius)
    for k, pads in enumerate(pad_sets().values()):
        np.testing.assert_allclose(nominal[kinds == k], pads.nominal(cell.s.pad_celsius[kinds == k]))


def test_carried_over_friction_is_bounded_for_every_pad_of_a_set():
    rng = np.random.default_rng(0)
    n = 4000
    kind = rng.integers(0, 2, n).astype(float)
    now = rng.uniform(25.0, 150.0, n)
    before = now - rng.uniform(-20.0, 60.0, n)
    least = least_carried_over(kind, now, before)
    sets = list(pad_sets().values())
    share, fade = (
        np.where(kind == 0.0, *(at(getattr(p, name), rng.uniform(size=n)) for p in sets))
        for name in ("hot_share", "fade_K")
    )
    actual = pad_friction(now, 1.0, share, fade) / pad_friction(before, 1.0, share, fade)
    actual /= nominal_friction(kind, now) / nominal_friction(kind, before)
    assert (actual >= least - 3e-3).all() and (least <= 1.0).all()
    # and it is no idle bound: some come close to it
    assert (actual - least)[kind == 1.0].min() < 5e-3


def test_same_temperature_needs_no_caution():
    kind, celsius = np.array([0.0, 1.0]), np.array([80.0, 120.0])
    assert least_carried_over(kind, celsius, celsius).tolist() == [1.0, 1.0]


def test_pads_that_do_not_exist_are_refused():
    with pytest.raises(ShopfloorError, match="pads must be one of generic, any, ceramic, elastomer, got 'teflon'"):
        Case(WAFER, {"pads": "teflon"}).task()
    with pytest.raises(ShopfloorError, match="pads 'generic', got move='any', pads='ceramic'"):
        Case(WAFER, {"pads": "ceramic", "action": "joint_motion"}).task()
