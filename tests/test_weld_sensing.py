"""Sensors of the welding cell against closed forms: laser profiles, register, arc signals, bead behind the arc."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engine_checks import Case
from numpy.typing import NDArray

from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.engine.task import Rows
from shopfloor.envs.randomness import counter_normal, counter_uniform, episode_key
from shopfloor.envs.welding.bead import AIM_SHARE, ROOT2
from shopfloor.envs.welding.sensors.laser import RAYS, STANDOFF, VIEW_MM, LaserErrors, world_point
from shopfloor.envs.welding.sensors.profile import Window, extract
from shopfloor.envs.welding.sensors.register import GATE, SeamRegister
from shopfloor.envs.welding.sensors.trim import BeadTrim
from shopfloor.envs.welding.work_surface import POOL_MM, rise_mm
from shopfloor.errors import ShopfloorError

Array = NDArray[np.float64]
TRACK, ARC = Case("shopfloor/WeldSeamTrack-v0"), Case("shopfloor/WeldArcSense-v0")


class Arrays:
    """Rows without an engine."""

    def __init__(self, n: int):
        self.n = n

    def new(self, name: str, shape: tuple[int, ...] = (), dtype: Any = np.float64, fill: float = 0) -> Any:
        return np.full((self.n, *shape), fill, dtype=dtype)


def rows(n: int) -> Rows:
    return Arrays(n)  # type: ignore[return-value]


# -- profiles --------------------------------------------------------------------------------------------------------

ANGLE = np.linspace(-1.0, 1.0, RAYS) * np.arctan(0.5 * VIEW_MM / (1e3 * STANDOFF))


def meet(root: Array, start: Array, along: Array, low: float, high: float) -> Array:
    """Distances (rays,) to the piece `start + q along`, q in [low, high], inf beside it."""
    direction = np.stack((np.sin(ANGLE), np.cos(ANGLE)))
    at = root + start
    cross = direction[0] * along[1] - direction[1] * along[0]
    distance = (at[0] * along[1] - at[1] * along[0]) / cross
    q = (at[0] * direction[1] - at[1] * direction[0]) / cross
    return np.where((q >= low) & (q <= high) & (distance > 0.0), distance, np.inf)


def drawn(u: float, w: float, kind: str, gap: float = 0.0, thick: float = 6.0, tack: float = 0.0) -> Array:
    """True ranges of a joint at 45 degrees whose root is at (u, w)."""
    root, away, up = np.array([u, w]), np.array([-1.0, -1.0]) / ROOT2, np.array([1.0, -1.0]) / ROOT2
    nothing = np.zeros(2)
    faces = [meet(root, nothing, away, -60.0, 60.0)]
    if kind == "lap":
        faces += [meet(root, nothing, up, gap, gap + thick), meet(root, (gap + thick) * up, -away, 0.0, 80.0)]
    else:
        faces.append(meet(root, nothing, up, gap, 60.0))
    if tack:
        direction = np.stack((np.sin(ANGLE), np.cos(ANGLE)))
        along = direction[0] * u + direction[1] * w
        room = tack * tack - (u * u + w * w - along * along)
        faces.append(np.where(room > 0.0, along - np.sqrt(np.maximum(room, 0.0)), np.inf))
    return np.min(faces, axis=0)


def found(distance: Array, kind: str) -> Any:
    seen = np.isfinite(distance)
    d = np.where(seen, distance, 0.0)
    return extract(d * np.sin(ANGLE), d * np.cos(ANGLE), seen, Window.of(kind, 6.0 if kind == "lap" else 60.0))


@pytest.mark.parametrize("kind", ["fillet", "lap"])
@pytest.mark.parametrize("gap", [0.0, 1.2])
def test_features_of_clean_profiles_are_exact(kind: str, gap: float):
    roots = np.random.default_rng(0).uniform(-4.0, 4.0, (40, 2)) + np.array([0.0, 90.0])
    f = found(np.stack([drawn(u, w, kind, gap) for u, w in roots]), kind)
    assert f.valid.all()
    np.testing.assert_allclose(f.u, roots[:, 0], atol=2e-3)
    np.testing.assert_allclose(f.w, roots[:, 1], atol=2e-3)
    if kind == "lap":
        np.testing.assert_allclose(f.step, gap + 6.0, atol=2e-3)


@pytest.mark.parametrize("gap", [0.0, 0.5, 1.5, 3.0])
def test_mean_of_many_gaps_is_right_to_a_tenth(gap: float):
    roots = np.random.default_rng(1).uniform(-4.0, 4.0, (400, 2)) + np.array([0.0, 90.0])
    f = found(np.stack([drawn(u, w, "fillet", gap) for u, w in roots]), "fillet")
    assert f.gap.mean() == pytest.approx(gap, abs=0.12)


def test_noise_spatter_and_lost_points_cost_a_tenth_of_a_millimetre():
    rng = np.random.default_rng(2)
    roots = rng.uniform(-4.0, 4.0, (300, 2)) + np.array([0.0, 90.0])
    d = np.stack([drawn(u, w, "fillet") for u, w in roots]) + rng.normal(0.0, 0.1, (300, RAYS))
    d += np.where(rng.random(d.shape) < 0.05, rng.uniform(-15.0, 15.0, d.shape), 0.0)
    d[rng.random(d.shape) < 0.08] = np.inf
    f = found(d, "fillet")
    assert f.valid.mean() > 0.98
    error = np.hypot(f.u - roots[:, 0], f.w - roots[:, 1])[f.valid]
    assert np.sqrt(np.mean(error**2)) < 0.15 and error.max() < 1.0


def test_a_tack_hides_no_fillet_and_is_not_taken_for_an_edge():
    """The fillet's faces are seen beside the tack; of a lap joint only the edge could be, and a tack is not one."""
    roots = np.random.default_rng(3).uniform(-3.0, 3.0, (40, 2)) + np.array([0.0, 90.0])
    fillet = found(np.stack([drawn(u, w, "fillet", tack=3.0) for u, w in roots]), "fillet")
    assert fillet.valid.all()
    np.testing.assert_allclose(fillet.u, roots[:, 0], atol=2e-3)
    lap = found(np.stack([drawn(u, w, "lap", tack=5.0) for u, w in roots]), "lap")
    wrong = lap.valid & (np.abs(lap.u - roots[:, 0]) > 0.3)
    assert not wrong.any()


def test_what_is_not_a_joint_gives_no_feature():
    assert not found(np.full((1, RAYS), 90.0) / np.cos(ANGLE), "fillet").valid[0]  # a plate square to the light
    assert not found(np.full((1, RAYS), np.inf), "fillet").valid[0]
    assert not found(np.random.default_rng(4).uniform(60.0, 120.0, (30, RAYS)), "fillet").valid.any()


# -- rays ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kwargs", [{}, {"joint": "lap", "seam": "curved"}])
def test_rays_find_the_root_of_the_part_that_lies_on_the_table(kwargs: dict[str, Any]):
    """Without errors of the sensor, the feature's point is on the true seam, to the straightness of its pieces."""
    cell = Case(TRACK.env_id, kwargs).cell(12)
    cell.reset(seeds=np.arange(12))
    task, s = cell.task, cell.s
    none = LaserErrors(*np.zeros((3, 12)))
    task._laser.arc_dropout = 0.0
    f = task._laser.expose(s, none)
    point = world_point(*task._laser.frame(), f.u, f.w)
    place, lateral, height = task._part.line.locate(point)
    assert f.valid.mean() > 0.9  # the rest looks across a tack of the lap joint
    assert np.abs(lateral[f.valid]).max() < 0.08 and np.abs(height[f.valid]).max() < 0.08
    # along the seam it is where the plane of light crosses, which a curve brings nearer or takes further
    assert np.abs(place[f.valid] - task.preview_mm).max() < 5.0


def test_errors_of_the_sensor_are_those_of_its_row():
    cell = TRACK.cell(4)
    cell.reset(seeds=np.arange(4))
    laser = cell.task._laser
    distance = np.full((4, RAYS), 100.0)
    key = episode_key(cell.s.seed, cell.s.episode)
    frame = np.arange(2000)
    errors = LaserErrors(np.full(2000, 0.08), np.full(2000, 0.1), np.full(2000, 0.05))
    u, w, seen = laser.profile(np.full((2000, RAYS), 100.0), errors, np.full(2000, key[0]), frame)
    assert seen.mean() == pytest.approx(0.95 - laser.arc_dropout, abs=0.005)
    off = np.hypot(u, w)[seen] - 100.0
    assert off[np.abs(off) < 0.5].std() == pytest.approx(0.08, rel=0.05)
    assert (np.abs(off) > 1.0).mean() == pytest.approx(0.1 * 0.2, rel=0.2)
    np.testing.assert_allclose(np.round((off + 100.0) / 0.02), (off + 100.0) / 0.02, atol=1e-6)
    same = LaserErrors(*np.full((3, 4), 0.05))
    whole = laser.profile(distance, same, key, np.full(4, 7))[1]
    part = laser.profile(distance[2:3], LaserErrors(*np.full((3, 1), 0.05)), key[2:3], np.full(1, 7))[1]
    np.testing.assert_array_equal(whole[2:3], part)


def test_counter_numbers_are_normal_and_differ_between_episodes():
    key = episode_key(np.arange(100), np.zeros(100, np.int64))
    again = episode_key(np.arange(100), np.ones(100, np.int64))
    assert len({*key.tolist(), *again.tolist()}) == 200
    z = counter_normal(key[:, None], np.arange(300)[None], 5)
    assert abs(z.mean()) < 0.02 and z.std() == pytest.approx(1.0, abs=0.02)
    assert np.abs(np.corrcoef(z[:, :-1].ravel(), z[:, 1:].ravel())[0, 1]) < 0.02
    u = counter_uniform(key[:, None], np.arange(300)[None], 6)
    assert abs(np.corrcoef(z.ravel(), u.ravel())[0, 1]) < 0.02


# -- register --------------------------------------------------------------------------------------------------------


def filled(n: int, value: float = 0.0) -> SeamRegister:
    register = SeamRegister(rows(n), 120.0, 8)
    place = np.broadcast_to(np.arange(36.0), (n, 36))
    register.begin(np.arange(n), place, np.full((n, 36, 3), value), np.ones((n, 36), bool))
    return register


@pytest.mark.parametrize("latency", [0, 1, 3, 8])
def test_features_arrive_exactly_when_their_latency_has_passed(latency: int):
    register, late = filled(2), np.full(2, latency)
    for step in range(20):
        values = np.full((2, 3), float(step))
        register.take(np.full(2, 36.0 + step), values, np.ones(2, bool), late)
        arrived = register.newest(late)
        if step < latency:
            assert (arrived[:, 0] == 0.0).all()
        else:
            np.testing.assert_array_equal(arrived, [[1.0, 36.0 + step - latency, *[step - latency] * 3]] * 2)


def test_register_keeps_a_slope_and_bridges_what_was_not_seen():
    """A slope is kept without lag: the median of five is at the place of the middle one."""
    register = filled(1)
    for step in range(160):
        place = 35.0 + 0.36 * (step + 1)
        seen = not 60.0 < place < 70.0
        value = max(0.0, 0.1 * (place - 45.0))
        register.take(np.array([place]), np.full((1, 3), value), np.array([seen]), np.zeros(1, np.int64))
    places = np.array([[40.0, 48.0, 55.0, 65.0, 72.0, 85.0]])
    np.testing.assert_allclose(register.at(places)[0, 0], 0.1 * np.maximum(places[0] - 45.0, 0.0), atol=0.04)
    assert register.known_mm[0] == pytest.approx(35.0 + 0.36 * (160 - GATE // 2), abs=1e-9)


def test_two_bad_features_in_five_leave_no_trace():
    register, rng = filled(1), np.random.default_rng(0)
    for step in range(120):
        bad = step % 5 in (1, 3)
        value = rng.uniform(-15.0, 15.0) if bad else 0.5
        register.take(np.array([36.0 + 0.4 * step]), np.full((1, 3), value), np.array([True]), np.zeros(1, np.int64))
    np.testing.assert_allclose(register.at(np.array([[45.0, 60.0, 80.0]]))[0, 0], 0.5)


# -- bead behind the arc ---------------------------------------------------------------------------------------------


def test_trim_finds_a_bias_whatever_the_torch_does():
    """Legs of a bead that lies where aim + bias put it; the aim wanders, the estimate does not."""
    trim = BeadTrim(rows(3), 160.0)
    trim.begin(np.arange(3))
    bias, behind = np.array([-0.4, 0.0, 0.6]), 20.0
    aim = {}
    for place in np.arange(0.0, 150.0, 0.36):
        aim[place] = 0.8 * np.sin(0.1 * place) * np.ones(3)
        legs = np.zeros((3, 3))
        if place > behind:
            laid = min(aim, key=lambda p: abs(p - (place - behind)))
            difference = ROOT2 * AIM_SHARE * (aim[laid] + bias)
            legs[:, 0], legs[:, 1], legs[:, 2] = 4.0 + 0.5 * difference, 4.0 - 0.5 * difference, 1.0
        trim.add(np.full(3, place), aim[place], np.zeros(3), behind, legs)
    np.testing.assert_allclose(trim.bias_mm, bias, atol=0.03)
    assert (trim.weight > 0.9).all()


# -- arc -------------------------------------------------------------------------------------------------------------


def test_work_rises_towards_the_faces_and_is_flat_over_the_pool():
    e = np.linspace(-8.0, 8.0, 33)
    rise = rise_mm(e)
    assert rise[16] == pytest.approx(POOL_MM)
    np.testing.assert_allclose(rise, rise[::-1])
    np.testing.assert_allclose(rise[[0, -1]], 8.0, atol=0.1)
    np.testing.assert_allclose(rise_mm(e, pool_mm=0.0), np.abs(e))
    # 100 degrees between the plates, the wire at 45 to the base: 55 to the other
    leaning = rise_mm(e, angle_deg=100.0, tilt_deg=5.0, pool_mm=0.0)
    np.testing.assert_allclose(leaning[e < 0], -e[e < 0])
    np.testing.assert_allclose(leaning[e > 0], e[e > 0] / np.tan(np.deg2rad(55.0)))
    # beyond the edge of a lap joint it does not rise further
    np.testing.assert_allclose(rise_mm(e, pool_mm=0.0, edge_mm=4.0)[e > 3.0], 4.0 / ROOT2)
    assert rise_mm(np.zeros(1), tack_mm=3.0)[0] > rise_mm(np.zeros(1))[0] + 1.0


def swings(lateral: list[float], height: list[float], **forced: float) -> tuple[Array, Array]:
    """Swing (n, 2) and mean current (n,) of weaves held at a deviation from the root, without noise."""
    n = len(lateral)
    cell = ARC.cell(n)
    params = {"wave": 0.0, "gap": [0.0, 0.0], "tack_throat": [1.5, 1.5], "start_error": [0.0, 0.0], **forced}
    cell.reset(seeds=np.zeros(n, np.int64), params=params)
    task, s = cell.task, cell.s
    s.current_noise_a[:] = 0.0
    for _ in range(72):
        cell.step(np.clip(-1.5 * (s.deviation_mm - np.stack((lateral, height), axis=1)), -3.0, 3.0))
    return task._signal.swing_a.copy(), task._signal.mean_a.copy()


def test_swing_tells_the_side_and_the_mean_the_height():
    swing, mean = swings([-1.0, -0.5, 0.0, 0.5, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 1.0], lean=0.0)
    side = swing[:5, 0]
    assert (np.diff(side) > 4.0).all(), "monotonic in the lateral deviation, more current where the wall is nearer"
    gain = (side[3] - side[1]) / 1.0
    assert 10.0 < gain < 30.0, "10 to 18 A/mm of distance at 2 Hz, times 4 / pi for a wall at 45 degrees"
    assert mean[5] > mean[2] + 3.0 > mean[6] + 6.0, "some 5 A/mm, falling with the distance"
    assert abs(swing[5, 0] - swing[6, 0]) < 4.0


def test_plates_that_are_not_square_pull_the_weave_aside():
    """The steeper wall is met sooner: the bias that no arc sensor can tell from a deviation."""
    narrow, _ = swings([0.0], [0.0], lean=-4.0)
    square, _ = swings([0.0], [0.0], lean=0.0)
    wide, _ = swings([0.0], [0.0], lean=4.0)
    assert narrow[0, 0] > square[0, 0] + 1.0 > wide[0, 0] + 2.0


@pytest.mark.parametrize("lag", [1, 3])
def test_signals_are_late_by_their_lag(lag: int):
    cell = ARC.cell(2)
    cell.reset(seeds=np.arange(2), params={"signal_lag": lag})
    cell.s.current_noise_a[:] = 0.0
    true, seen = [], []
    for _ in range(20):
        cell.step(np.zeros((2, 2)))
        true.append(cell.task._weld.process.arc.mean_current_a.copy())
        seen.append(cell.task._signal.current_a.copy())
    np.testing.assert_array_equal(seen[lag:], true[: 20 - lag])


def test_a_sensor_of_no_joint_is_refused():
    from shopfloor.envs.welding.fit_up import Plates

    with pytest.raises(ShopfloorError, match="fillet or lap"):
        Plates("pipe")
    with pytest.raises(ShopfloorError, match=r"0\.02"):
        BatchedCell(Case(TRACK.env_id, {"preview_mm": 5.0}).task(), 1, 1)
