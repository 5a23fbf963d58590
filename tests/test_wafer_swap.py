"""WaferSwap: plans, clearances and the time bound against closed forms; what overlaps, and what ends an episode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco")

from shopfloor.assets.cells import swap as cell_of  # noqa: E402
from shopfloor.assets.parts import wafer  # noqa: E402
from shopfloor.assets.robots.wafer_arm import BLADE_HALF  # noqa: E402
from shopfloor.envs.engine.core import BatchedCell  # noqa: E402
from shopfloor.envs.engine.simulation import compile_physics  # noqa: E402
from shopfloor.envs.engine.task import Rows, Timing  # noqa: E402
from shopfloor.envs.wafer import swap_bound, swap_clearance, swap_motion  # noqa: E402
from shopfloor.envs.wafer.slot_clearance import BLADE_BOTTOM, HALF, PAD_PLANE  # noqa: E402
from shopfloor.envs.wafer.swap import SLIP_MM, WaferSwap  # noqa: E402
from shopfloor.envs.wafer.swap_axes import Axes, spread, zoned_speed  # noqa: E402
from shopfloor.envs.wafer.swap_hazards import seat_normal, seat_yaw  # noqa: E402
from shopfloor.envs.wafer.swap_motion import gate_share, gate_time_share, start_time  # noqa: E402

# A machine that is known exactly and stands where it was taught.
KNOWN = {
    "start_angle": 0.2, "gate_time": 1.2, "shut_ratio": 1.0, "gate_error": 0.0, "switch_delay": 0.04, "friction": 0.2,
    "hot_ratio": 1.0, "friction_error": [0.0, 0.0], "frequency": 18.0, "frequency_error": 0.0, "damping_ratio": 0.02,
    "paddle_tilt": [0.0, 0.0], "teach_error": [0.0, 0.0], "teach_height": 0.0, "processed_offset": [0.0, 0.0],
    "fresh_offset": [0.0, 0.0], "heating": 300.0,
}  # fmt: skip
SAFE = {
    "gate_margin": 0.2, "utilization_processed": 0.85, "utilization_fresh": 0.85, "follow_at": 0.5, "lower_at": 0.6,
    "handoff_speed": 15.0, "close_margin": 0.2,
}  # fmt: skip
NAMES = tuple(SAFE)


def played(recipes: list[dict[str, float]], params: dict[str, Any] | None = None) -> dict[str, np.ndarray]:
    """One episode a recipe, all on the same machine: how it ended, metrics, and when steps began."""
    cell = BatchedCell(WaferSwap(), len(recipes), 1)
    cell.reset(seeds=np.zeros(cell.n, np.int64), params={**KNOWN, **(params or {})})
    points = np.array([[{**SAFE, **r}[k] for k in NAMES] for r in recipes])
    running = np.ones(cell.n, bool)
    out: dict[str, np.ndarray] = {"reason": np.full(cell.n, "", dtype=object), "event": np.zeros((cell.n, 9)),
                                  "clearance": np.zeros((cell.n, 5)), "bound": np.zeros(cell.n)}  # fmt: skip
    while running.any():
        cell.step(points, np.flatnonzero(running))
        over = running & (cell.terminated | cell.truncated)
        if over.any():
            out["reason"][over] = np.array(cell.reasons, dtype=object)[cell.reason[over]]
            values = {"event": cell.s.event, "clearance": cell.s.clearance_now, "bound": cell.s.bound_time}
            for name, value in {**values, **cell.metrics()}.items():
                out.setdefault(name, np.full(cell.n, np.nan))[over] = value[over]
        running &= ~over
    return out


def nearest(out: dict[str, np.ndarray], row: int) -> str:
    return swap_clearance.HAZARDS[int(np.argmin(out["clearance"][row]))]


# --- plans --------------------------------------------------------------------------------------------------------


def planned(length: float, speed: float, limits: np.ndarray, window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position and rate (rows, steps) of one axis whose acceleration limit is `limits` (control steps, rows)."""
    rows = Rows(len(window), None, Timing(25.0, 0.001, 10.0))  # type: ignore[arg-type]
    axes = Axes(1, 0.004, 10, 40, np.array([2e-6]))
    axes.bind(rows)
    axes.stand(rows, np.arange(rows.n), np.zeros((rows.n, 1)), window[:, None])
    parts = []
    for limit in limits:
        axes.begin(rows)
        for k in range(10):
            axes.tick(rows, k, np.full((rows.n, 1), length), np.full((rows.n, 1), speed), limit[:, None])
        parts.append([spread(knot, 4)[..., 0] for knot in axes.averaged(rows)])
    position, rate = (np.concatenate([p[i] for p in parts], axis=1) for i in range(2))
    return position, rate


def test_axis_takes_the_time_of_the_closed_form_and_ends_exactly():
    """Bang-bang takes 2 sqrt(L / a), the average over a window that much longer, with a jerk of 2 a / window."""
    length, a, window = 0.58, np.array([0.9, 1.7, 2.5, 2.5]), np.array([1, 13, 27, 40])
    position, rate = planned(length, 9.0, np.tile(a, (50, 1)), window)
    acceleration = np.diff(rate, axis=1) / 0.001
    for row in range(4):
        ends = (np.flatnonzero(position[row] == length)[0] + 1) * 0.001
        assert ends == pytest.approx(2.0 * np.sqrt(length / a[row]) + 0.004 * window[row], abs=0.009)  # two ticks
        assert np.abs(acceleration[row]).max() <= a[row] * (1 + 1e-6)
        if window[row] > 1:
            steps = acceleration[row][::4]
            assert np.abs(np.diff(steps)).max() / 0.004 <= 2.0 * a[row] / (0.004 * window[row]) * (1 + 1e-6)
    assert position.max() < length + 2e-6 and (position[:, -1] == length).all() and (rate[:, -1] == 0.0).all()


def test_limits_that_tighten_on_the_way_do_not_carry_an_axis_past_its_target():
    limits = np.full((60, 3), 2.5)
    limits[12:] = [0.3, 0.8, 2.5]
    position, _ = planned(0.58, 1.2, limits, np.array([1, 20, 27]))
    assert position.max() < 0.58 + 1e-5 and (position[:, -1] == 0.58).all()


def test_time_to_a_place_on_the_way_is_that_of_the_plan():
    for window, a, way in ((27, 2.5, 0.284), (20, 1.1, 0.2), (1, 2.0, 0.3)):
        position, _ = planned(5.0, 9.0, np.full((40, 1), a), np.array([window]))
        passes = (np.flatnonzero(position[0] >= way)[0] + 1) * 0.001
        assert passes == pytest.approx(float(start_time(way, np.array(a), np.array(0.004 * window))), abs=0.004)


def test_speed_is_slow_inside_the_zone_and_can_be_reached_before_it():
    x = np.linspace(-0.006, 0.006, 200)
    up = zoned_speed(x, np.full(200, 0.006), (-0.0015, 0.0015), np.full(200, 0.01), 0.1, 0.5)
    inside = np.abs(x) <= 0.0015
    assert (up[inside] == 0.01).all() and (up[x > 0.0015] == 0.1).all()
    before = x < -0.0015
    # v dv/dx is the deceleration
    assert np.allclose(np.diff(0.5 * up[before] ** 2) / np.diff(x[before]), -0.5, atol=1e-6)
    down = zoned_speed(-x, np.full(200, -0.006), (-0.0015, 0.0015), np.full(200, 0.01), 0.1, 0.5)
    assert np.array_equal(up, down)


def test_gate_runs_from_end_to_end():
    x = np.linspace(-0.2, 1.2, 1401)
    way = gate_share(x)
    assert way[0] == 0.0 and way[-1] == pytest.approx(1.0, abs=1e-15) and (np.diff(way) >= -1e-15).all()
    assert np.abs(np.diff(way, 2)).max() < 1e-4
    assert float(gate_share(np.array(0.3))) + float(gate_share(np.array(0.7))) == pytest.approx(1.0)
    for share in (0.2, 0.41, 0.6):
        assert float(gate_share(np.array(gate_time_share(share)))) == pytest.approx(share, abs=1e-12)


# --- distances ----------------------------------------------------------------------------------------------------


def test_slabs_keep_the_distances_of_the_engine():
    """Tilted plates beside, over and under a block, and over one another, against boxes of MuJoCo."""
    spec = mujoco.MjSpec()
    box = mujoco.mjtGeom.mjGEOM_BOX
    faces, edge = (-0.02, 0.03), 0.004
    spec.worldbody.add_geom(name="low", type=box, size=[0.025, 0.2, 0.05], pos=[0.005, 0.0, edge - 0.05])
    spec.worldbody.add_geom(name="high", type=box, size=[0.025, 0.2, 0.05], pos=[0.005, 0.0, edge + 0.05])
    for name in ("a", "b"):
        body = spec.worldbody.add_body(name=name, mocap=True)
        body.add_geom(name=f"plate_{name}", type=box, size=[0.15, 0.1, HALF])
    model = spec.compile()
    data = mujoco.MjData(model)

    def engine(one: str, other: str) -> float:
        return mujoco.mj_geomDistance(model, data, model.geom(one).id, model.geom(other).id, 1.0, None)

    rng = np.random.default_rng(7)
    seen = 0
    for _ in range(200):
        x, z, tilt = rng.uniform(-0.3, 0.3), rng.uniform(0.005, 0.02), rng.uniform(-3e-3, 3e-3)
        data.mocap_pos[0], data.mocap_pos[1] = [x, 0.0, edge + z], [rng.uniform(-0.3, 0.3), 0.0, edge + z + 0.011]
        data.mocap_quat[0] = [np.cos(tilt / 2), 0.0, np.sin(tilt / 2), 0.0]
        mujoco.mj_kinematics(model, data)
        normal = np.array([np.sin(tilt), 0.0, np.cos(tilt)])
        slab = swap_clearance.wafer_slab(data.mocap_pos[0], normal, np.array(0.15))
        other = swap_clearance.wafer_slab(data.mocap_pos[1], np.array([0.0, 0.0, 1.0]), np.array(0.15))
        assert swap_clearance.block_distance(slab, faces, edge, above=False) == pytest.approx(
            engine("plate_a", "low"), abs=4e-6
        )
        assert swap_clearance.stacked_distance(slab, other) == pytest.approx(engine("plate_a", "plate_b"), abs=4e-6)
        data.mocap_pos[0][2] = edge - z
        mujoco.mj_kinematics(model, data)
        slab = swap_clearance.wafer_slab(data.mocap_pos[0], normal, np.array(0.15))
        assert swap_clearance.block_distance(slab, faces, edge, above=True) == pytest.approx(
            engine("plate_a", "high"), abs=4e-6
        )
        seen += abs(x) < 0.17
    assert seen > 50


def test_wafer_over_pins_and_a_paddle_under_it():
    level = np.array([0.0, 0.0, 1.0])
    over = np.array([0.0, 0.0, 0.023 + 0.004 + HALF])
    radius, up = np.array(wafer.RADIUS), np.array(0.025)
    assert swap_clearance.pin_distance(over, level, radius, up) == pytest.approx(0.004)
    x, y = cell_of.PIN_SPOTS[1]
    for back in (0.16, 0.18):  # retracted past the rear pins
        beside = np.hypot(x + back, y) - wafer.RADIUS - 0.0025
        gap = swap_clearance.pin_distance(over - [back, 0.0, 0.0], level, radius, up)
        assert gap == pytest.approx(np.hypot(beside, 0.004))
    low = over - [0.1, 0.0, 0.005]
    assert swap_clearance.pin_distance(low, level, radius, up) == pytest.approx(-0.001)
    tcp = np.array([0.0, 0.0, -0.004])  # pads 4 mm below the underside of a wafer at z = 0
    gap = swap_clearance.paddle_wafer_distance((tcp, level), np.zeros(3), level, radius)
    assert gap == pytest.approx(0.004, abs=1e-9)
    assert swap_clearance.seat_gap(np.array([0.0, 0.0, 0.0015]), level) == pytest.approx(0.0015)
    slab = swap_clearance.paddle_slab(np.zeros(3), level)
    assert 2 * slab.half == pytest.approx(PAD_PLANE - BLADE_BOTTOM) and slab.half > BLADE_HALF
    assert float(slab.at(np.array(0.0))) - slab.half == pytest.approx(BLADE_BOTTOM)


def test_turn_and_axis_of_a_seated_wafer():
    for yaw, sign in ((0.02, 1.0), (-0.7, -1.0)):
        q = sign * np.array([np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)])  # both signs mean the same turn
        assert seat_yaw(q) == pytest.approx(yaw, abs=1e-12)
    tilt = 1e-3
    assert seat_normal(np.array([np.cos(tilt / 2), np.sin(tilt / 2), 0.0, 0.0])) == pytest.approx(
        [0.0, -np.sin(tilt), np.cos(tilt)], abs=1e-12
    )


# --- cell ---------------------------------------------------------------------------------------------------------


def test_wafers_meet_their_own_arm_pins_and_pedestal_alone():
    model = compile_physics(cell_of.swap_cell(visual=False))
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
    mujoco.mj_step(model, data, nstep=300)
    touching = {frozenset(model.geom(g).name for g in c.geom) for c in data.contact}
    expected = {frozenset(("fresh_disc", f"b_pad_{k}")) for k in range(3)}
    expected |= {frozenset(("processed_disc", f"{cell_of.MODULE}_bump_{k}")) for k in range(3)}
    assert touching == expected
    assert np.abs(data.sensor("processed_position").data[:2]).max() < 1e-6
    assert np.abs(data.sensor("fresh_seat_position").data).max() < 2e-6
    assert model.npair == 6


def test_places_of_the_cell_are_where_the_clearances_believe_them():
    model = compile_physics(cell_of.swap_cell(visual=False))
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
    mujoco.mj_forward(model, data)
    module = data.body(cell_of.MODULE)
    turn = module.xmat.reshape(3, 3)

    def corners(name: str) -> tuple[np.ndarray, np.ndarray]:
        geom = data.geom(f"{cell_of.MODULE}_{name}")
        middle = turn.T @ (geom.xpos - module.xpos)
        return middle - model.geom(geom.name).size, middle + model.geom(geom.name).size

    low, high = corners("valve_gate_plate")
    assert (low[0], high[0]) == pytest.approx(cell_of.GATE_FACES) and high[2] == pytest.approx(cell_of.GATE_TOP)
    assert corners("valve_frame_low")[1][2] == pytest.approx(cell_of.SLIT_LOW)
    assert corners("valve_frame_high")[0][2] == pytest.approx(cell_of.SLIT_HIGH)
    assert corners("valve_frame_left")[0][1] == pytest.approx(cell_of.SLIT_HALF_WIDTH)
    low, high = corners("valve_frame_left")
    assert (low[0], high[0]) == pytest.approx(cell_of.VALVE_X)
    for k in range(3):
        for name, spots in (("pin", cell_of.PIN_SPOTS), ("bump", cell_of.BUMP_SPOTS)):
            at = turn.T @ (data.geom(f"{cell_of.MODULE}_{name}_{k}").xpos - module.xpos)
            assert at[:2] == pytest.approx(spots[k], abs=1e-9)


# --- bound --------------------------------------------------------------------------------------------------------


def test_hand_off_time_is_that_of_the_fastest_profile():
    """Integrated: speed up, slow down to the contact speed in time, speed up again."""
    a, contact, dt, x, v, t = 0.5, 0.02, 1e-5, 0.0, 0.0, 0.0
    while x < swap_motion.PASSING - swap_motion.PARTED + swap_motion.PASSING:
        ahead = swap_motion.PASSING - x
        cap = np.sqrt(contact**2 + 2 * a * ahead) if ahead > 0 else np.inf
        v = min(v + a * dt, cap)
        x, t = x + v * dt, t + dt
    assert swap_bound.handoff_time(contact) == pytest.approx(t, rel=2e-3)


def test_bound_grows_with_the_gate_and_falls_with_friction():
    gate = np.array([[0.5, 0.5], [2.0, 2.0], [2.0, 2.0]])
    friction = np.array([[0.2, 0.2], [0.2, 0.2], [0.1, 0.3]])
    bounds = swap_bound.bound_time(gate, friction, np.zeros((3, 2)), 0.02)
    assert bounds[0] < bounds[1] < bounds[2]
    # by hand, gate slow: passable, in; exchange under 0.2 g; out, gate
    way, a = swap_motion.WAY, swap_motion.RADIAL_ACCELERATION
    into = way / 1.2 + 1.2 / a
    exchange = 2.0 * np.sqrt(way / (0.2 * 9.81))
    assert bounds[0] == pytest.approx(2 * into + exchange + 2 * swap_bound.handoff_time(0.02), rel=1e-6)


# --- what happens -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recipes() -> dict[str, dict[str, float]]:
    return {
        "safe": {},
        "waits": {"gate_margin": 1.5, "follow_at": 0.0, "lower_at": 0.0, "close_margin": 1.5},
        "early": {"gate_margin": -0.5},
        "late": {"gate_margin": 0.6},
        "hard": {"handoff_speed": 24.0},
        "soft": {"handoff_speed": 8.0},
        "drops": {"lower_at": 1.0},
        "slips_a": {"utilization_processed": 1.03},
        "slips_b": {"utilization_fresh": 1.03},
        "sinks": {"utilization_processed": 0.97, "lower_at": 0.3, "follow_at": 0.0},
        "stays": {"utilization_processed": 0.97, "lower_at": 0.0, "follow_at": 0.0},
        "bold": {"gate_margin": 0.08, "utilization_processed": 0.90, "utilization_fresh": 0.90, "follow_at": 0.9,
                 "lower_at": 0.76, "handoff_speed": 18.0, "close_margin": 0.08},
    }  # fmt: skip


@pytest.fixture(scope="module")
def known(recipes: dict[str, dict[str, float]]) -> dict[str, Any]:
    out = played(list(recipes.values()))
    return {name: {k: v[i] for k, v in out.items()} | {"near": nearest(out, i)} for i, name in enumerate(recipes)}


def test_overlap_saves_time_and_the_bound_holds(known: dict[str, Any]):
    for name in ("safe", "waits", "late", "soft", "bold"):
        assert known[name]["reason"] == "success", name
        assert known[name]["swap_time"] > known[name]["bound"]
    times = [known[name]["swap_time"] for name in ("bold", "safe", "soft", "waits")]
    assert times == sorted(times) and times[-1] - times[0] > 2.0
    assert known["late"]["event"][swap_motion.A_OUT] > known["safe"]["event"][swap_motion.A_OUT] + 0.15
    assert known["bold"]["wafers_per_hour"] == pytest.approx(3600.0 / (known["bold"]["swap_time"] + 5.0))


def test_who_waits_sets_off_at_the_switch(known: dict[str, Any]):
    event = known["waits"]["event"]
    assert event[swap_motion.A_OUT] == pytest.approx(1.24, abs=0.005)
    assert event[swap_motion.B_OUT] >= event[swap_motion.A_BACK] + 1.0
    assert known["waits"]["valve_wait"] > known["safe"]["valve_wait"]


@pytest.mark.parametrize(("name", "hazard"), [("early", "gate"), ("drops", "pins")])
def test_overlap_that_goes_too_far_is_a_collision(known: dict[str, Any], name: str, hazard: str):
    assert known[name]["reason"] == "collision" and known[name]["near"] == hazard


def test_contacts_have_the_speed_that_is_asked_for(known: dict[str, Any]):
    assert known["hard"]["reason"] == "hard_contact" and known["hard"]["contact_speed"] == pytest.approx(24.0, rel=0.02)
    for name, speed in (("safe", 15.0), ("soft", 8.0), ("bold", 18.0)):
        assert known[name]["contact_speed"] == pytest.approx(speed, rel=0.02)


def test_each_wafer_has_a_friction_limit_of_its_own(known: dict[str, Any]):
    """0.9 of the true limit holds, 1.03 does not, on either arm."""
    assert known["bold"]["slip_processed"] < SLIP_MM and known["bold"]["slip_fresh"] < SLIP_MM
    for name, slips, holds in (("slips_a", "processed", "fresh"), ("slips_b", "fresh", "processed")):
        assert known[name]["reason"] in ("misplaced", "wafer_lost")
        assert known[name][f"slip_{slips}"] > SLIP_MM
        assert known[name][f"slip_{holds}"] < SLIP_MM


def test_lift_takes_from_the_friction_of_what_moves_above_it(known: dict[str, Any]):
    """0.97 of mu g is too much while the lift accelerates downwards with 0.5 m/s^2: mu (g - 0.5) = 0.95 mu g."""
    assert known["stays"]["reason"] == "success" and known["stays"]["slip_processed"] < SLIP_MM
    assert known["sinks"]["slip_processed"] > SLIP_MM


def test_second_arm_that_follows_too_early_meets_the_frame_and_a_gate_that_shuts_too_early_the_paddle():
    out = played(
        [{"follow_at": 1.0, "lower_at": 0.0}, {"close_margin": -0.4}, {}], {"teach_height": -0.2, "gate_time": 0.7}
    )
    assert list(out["reason"]) == ["collision", "collision", "success"]
    assert nearest(out, 0) == "frame" and nearest(out, 1) == "gate"


def test_hot_pads_hold_less_and_an_estimate_that_is_too_high_slips():
    cases = [{"utilization_processed": 0.92}, {"utilization_fresh": 0.92}]
    sure = played(cases, {"hot_ratio": 0.7})
    assert list(sure["reason"]) == ["success", "success"]
    wrong = played(cases, {"hot_ratio": 0.7, "friction_error": [0.15, 0.15]})
    assert wrong["slip_processed"][0] > SLIP_MM and wrong["slip_fresh"][1] > SLIP_MM
    assert wrong["slip_processed"][1] < SLIP_MM and wrong["slip_fresh"][0] < SLIP_MM


def test_a_gate_that_is_slower_than_expected_is_met():
    out = played([{"gate_margin": 0.05}, {"gate_margin": 0.35}], {"gate_time": 2.0, "gate_error": -0.15})
    assert out["reason"][0] == "collision" and nearest(out, 0) == "gate"
    assert out["reason"][1] == "success"


def test_pins_that_are_late_are_met():
    """With a quick gate it is the pins that arm a must wait for."""
    quick = {"gate_time": 0.5, "start_angle": 0.0}
    out = played([{"gate_margin": -0.4, "handoff_speed": 6.0}, {"gate_margin": 0.05, "handoff_speed": 6.0}], quick)
    assert out["reason"][0] == "collision" and nearest(out, 0) == "wafer"
    assert out["reason"][1] == "success"


def test_station_that_is_not_where_it_was_taught_shows_in_the_placement():
    out = played([{}], {"teach_error": [0.06, -0.05], "fresh_offset": [0.02, 0.03]})
    assert out["reason"][0] == "success"
    assert out["placement_error"][0] == pytest.approx(1.0 * np.hypot(0.02 - 0.06, 0.03 + 0.05), abs=0.03)
