"""WaferSlotPick and WaferSlotPlace: clearances, vacuum, sag, mapping against closed forms; what ends an episode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco")

from shopfloor.assets.cells import slot as cell_of  # noqa: E402
from shopfloor.assets.fixtures import foup, load_port  # noqa: E402
from shopfloor.assets.parts import wafer  # noqa: E402
from shopfloor.assets.robots import efem_robot  # noqa: E402
from shopfloor.envs.engine.core import BatchedCell  # noqa: E402
from shopfloor.envs.engine.simulation import compile_physics  # noqa: E402
from shopfloor.envs.wafer import slot_clearance as clearance  # noqa: E402
from shopfloor.envs.wafer import slot_vacuum as vacuum  # noqa: E402
from shopfloor.envs.wafer.slot import CLEARANCE_MM, CONTACT_MM_S, WaferSlot, WaferSlotPick, WaferSlotPlace  # noqa: E402
from shopfloor.envs.wafer.slot_motion import cup_force  # noqa: E402
from shopfloor.errors import ShopfloorError  # noqa: E402

G, R, T = 9.81, wafer.RADIUS, wafer.THICKNESS
TASKS = {"get": WaferSlotPick, "put": WaferSlotPlace}
LEVEL = {"tilt": [0.0, 0.0], "shelf_skew": 0.0}
SOUND = {"fault_draw": 0.5}


def started(mode: str, n: int = 1, params: dict[str, Any] | None = None, seed: int = 0) -> BatchedCell:
    cell = BatchedCell(TASKS[mode](), n, 1)
    cell.reset(seeds=seed + np.arange(n), params={**SOUND, **(params or {})})
    return cell


def act(cell: BatchedCell, speed: float, height: float, valve: float = -1.0, abort: float = -1.0) -> None:
    cell.step(np.tile([speed, height, valve, abort], (cell.n, 1)))


def reason(cell: BatchedCell) -> list[str]:
    return [cell.reasons[i] for i in cell.reason]


def play(cell: BatchedCell, steps: int = 300) -> None:
    """The expert's episode in all rows; rows that have ended stay as they were."""
    expert = cell.task.expert()
    running = np.ones(cell.n, bool)
    ended = np.zeros(cell.n, np.int64)
    for _ in range(steps):
        cell.step(expert.act(cell.s, cell.readings()), np.flatnonzero(running))
        over = running & (cell.terminated | cell.truncated)
        ended[over] = cell.reason[over]
        running &= ~over
        if not running.any():
            break
    cell.reason[...] = ended


# --- distances ----------------------------------------------------------------------------------------------------


def turned(x: float, y: float) -> np.ndarray:
    """Rotation about x, then about y."""
    cx, sx, cy, sy = np.cos(x), np.sin(x), np.cos(y), np.sin(y)
    return np.array([[cy, sy * sx, sy * cx], [0.0, cx, -sx], [-sy, cy * sx, cy * cx]])


def test_distances_of_points_are_those_of_the_engine():
    """A point is a sphere of one micrometre; wafers are cylinders, shelves are boxes."""
    spec = mujoco.MjSpec()
    kinds = mujoco.mjtGeom
    spec.worldbody.add_geom(name="disc", type=kinds.mjGEOM_CYLINDER, size=[R, T / 2, 0])
    half = [foup.SHELF_HALF_LENGTH, 0.5 * (foup.SHELF_OUTER - foup.SHELF_INNER), 0.5 * foup.SHELF_THICKNESS]
    middle = 0.5 * (foup.SHELF_OUTER + foup.SHELF_INNER)
    for name, side in (("left", 1.0), ("right", -1.0)):
        spec.worldbody.add_geom(name=name, type=kinds.mjGEOM_BOX, size=half, pos=[0, side * middle, -half[2]])
    probe = spec.worldbody.add_body(name="probe", mocap=True)
    probe.add_geom(name="point", type=kinds.mjGEOM_SPHERE, size=[1e-6, 0, 0])
    model = spec.compile()
    data = mujoco.MjData(model)
    rng = np.random.default_rng(3)
    points = rng.uniform(-1.0, 1.0, (300, 3)) * [0.17, 0.2, 0.01]
    zero, up = np.zeros((300, 3)), np.tile([0.0, 0.0, 1.0], (300, 1))
    columns = tuple(points[:, None, i] for i in range(3))
    ours = clearance.disc_distance(columns, 0.0, zero, up, np.zeros(300))[:, 0]
    shelf = clearance.shelf_distance(columns, 0.0, np.zeros((300, 2)))[:, 0]
    for k, point in enumerate(points):
        data.mocap_pos[0] = point
        mujoco.mj_kinematics(model, data)

        def engine(name: str) -> float:
            ids = model.geom(name).id, model.geom("point").id
            return mujoco.mj_geomDistance(model, data, *ids, 1.0, None) + 1e-6

        if ours[k] > 1e-5:
            assert ours[k] == pytest.approx(engine("disc"), abs=2e-6)
        side = "left" if point[1] > 0 else "right"
        if shelf[k] > 1e-5:
            assert shelf[k] == pytest.approx(engine(side), abs=2e-6)


@pytest.mark.parametrize("tilt", [-4e-3, 0.0, 1e-3, 5e-3])
@pytest.mark.parametrize("roll", [0.0, 3e-3])
def test_clearance_of_a_tilted_paddle_over_a_flat_wafer(tilt, roll):
    """The lowest corner of the outline decides: height less the tilts times its levers."""
    height = 3.0e-3  # of the paddle's underside at the TCP above the wafer's upper face
    rotation = turned(roll, tilt)
    origin = np.array([0.0, 0.0, T / 2 + height - clearance.BLADE_BOTTOM])
    points = clearance.place(origin[None], rotation[None, :, 0], rotation[None, :, 2], clearance.PADDLE)
    up = np.array([[0.0, 0.0, 1.0]])
    gap = clearance.disc_distance(points, clearance.PADDLE_HALF, np.zeros((1, 3)), up, np.zeros(1)).min()
    drops = np.tan(tilt) * clearance.OUTLINE[:, 0] - np.tan(roll) * clearance.OUTLINE[:, 1]
    beside = np.maximum(np.hypot(*clearance.OUTLINE.T) - R, 0.0)  # corners that hang over the edge of the wafer
    assert gap == pytest.approx(np.hypot(beside, height - drops).min(), abs=1e-5)
    assert gap <= height + 1e-9


@pytest.mark.parametrize("warp", [-8e-4, -1e-4, 3e-4, 8e-4])
def test_clearance_to_a_warped_wafer(warp):
    """Over the rim a bowl takes half of its warp from the clearance, over the centre it gives half."""
    up = np.array([[0.0, 0.0, 1.0]])
    for radius in (0.0, 0.05, 0.1, 0.1499):
        point = tuple(np.array([[v]]) for v in (radius, 0.0, 2e-3))
        gap = clearance.disc_distance(point, 0.0, np.zeros((1, 3)), up, np.array([warp]))[0, 0]
        assert gap == pytest.approx(2e-3 - T / 2 - warp * ((radius / R) ** 2 - 0.5), abs=1e-12)


def test_blunt_approach_is_seen_before_it_hits():
    """In front of an edge the distance is the way to it, whatever the height within the thickness."""
    up = np.array([[0.0, 0.0, 1.0]])
    for dz in (-T / 2, 0.0, T / 2):
        point = tuple(np.array([[v]]) for v in (R + 1.7e-3, 0.0, dz))
        assert clearance.disc_distance(point, 0.0, np.zeros((1, 3)), up, np.zeros(1))[0, 0] == pytest.approx(1.7e-3)


def test_side_stops_leave_the_play_of_the_slot():
    at = np.zeros((3, 3))
    at[1, 1], at[2, 0] = 4e-4, 0.3
    gaps = clearance.stop_distance(at)
    assert gaps[0] == pytest.approx(foup.LATERAL_PLAY, abs=1e-12)
    assert gaps[1] == pytest.approx(foup.LATERAL_PLAY - 4e-4, abs=1e-6)
    assert gaps[2] == clearance.FAR  # far out of the carrier
    corner = np.array([[-5e-4, 5e-4, 0.0]])  # towards the stop at the back
    assert clearance.stop_distance(corner)[0] == pytest.approx(foup.LATERAL_PLAY - np.sqrt(0.5) * 1e-3, abs=1e-6)


def test_gaps_of_pads_and_supports_on_a_plane():
    rng = np.random.default_rng(5)
    for _ in range(20):
        sx, sy, dz, warp = *rng.uniform(-4e-3, 4e-3, 2), rng.uniform(-1e-3, 1e-3), rng.uniform(-8e-4, 8e-4)
        normal = np.array([-sx, -sy, 1.0]) / np.sqrt(1.0 + sx * sx + sy * sy)
        at = np.array([0.0, 0.0, dz])
        pads = clearance.pad_gaps(at, normal, np.array(warp))
        bowl = wafer.median_height(warp, wafer.INNER_CIRCLE)
        expected = [dz + bowl + sx * x + sy * y for x, y in clearance.PADS]
        assert np.allclose(pads, expected, atol=1e-12)


# --- vacuum -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leak", [0.0, 0.3, 2.7])
@pytest.mark.parametrize("opened", [True, False])
def test_pressure_follows_the_differential_equation(leak, opened):
    supply, tau, vent, start = -61.0, 0.083, 0.037, -17.0
    p, dt = start, 1e-6
    steps = 40_000
    for _ in range(steps):
        flow = (supply - p) / tau if opened else -p / vent
        p += dt * (flow - leak * p / tau)
    rows = (np.array([v]) for v in (start, opened, supply, leak, tau, vent))
    exact = vacuum.pressures(*rows, np.array([0.0, steps * dt]))[0]
    assert exact[0] == pytest.approx(start) and exact[1] == pytest.approx(p, abs=2e-3)


def test_time_constant_and_end_of_a_leaking_manifold():
    """After (1 + leak) / tau seconds 63 % of the way to supply / (1 + leak) is done."""
    for leak in (0.0, 0.05, 0.4):
        rows = [np.array([v]) for v in (0.0, True, -60.0, leak, 0.1, 0.05)]
        p = vacuum.pressures(*rows, np.array([0.1 / (1 + leak), 50.0]))[0]
        assert p[1] == pytest.approx(-60.0 / (1.0 + leak), rel=1e-12)
        assert p[0] / p[1] == pytest.approx(1.0 - np.exp(-1.0), rel=1e-12)


def test_leaks_grow_with_warp_and_open_cups():
    gap = vacuum.lip_gap(np.array([0.0, 2e-4, -4e-4, 8e-4]), wafer.INNER_CIRCLE, R, 0.008)
    assert gap[2] == pytest.approx(2 * gap[1]) and gap[3] == pytest.approx(5.7e-5, rel=0.01)
    leaks = vacuum.manifold_leak(np.full(4, 3.0), np.full(4, 0.01), gap)
    assert leaks[0] == pytest.approx(0.03) and (np.diff(leaks) > 0).all()
    open_cups = [vacuum.manifold_leak(np.array([k]), np.array([0.01]), np.zeros(1))[0] for k in (3.0, 2.0, 0.0)]
    assert open_cups == pytest.approx([0.03, 1.03, 3.03])


def rigid_paddle(friction: float) -> mujoco.MjModel:
    """The cell with an arm that does not give way, and the wafer on the paddle."""
    spec = cell_of.slot_cell(visual=False)
    for key in list(spec.keys):
        spec.delete(key)
    spec.delete(spec.actuator("a_sag"))
    for joint in ("a_flex_x", "a_flex_y", "a_sag"):
        spec.delete(spec.joint(joint))
    for pair in spec.pairs:
        pair.friction[:2] = friction
    return compile_physics(spec)


@pytest.mark.parametrize(("friction", "force"), [(0.3, 0.0), (0.2, 9.05), (0.45, 3.0), (0.15, 1.2)])
def test_vacuum_holds_up_to_the_friction_limit(friction, force):
    """A wafer slides at mu (g + F / m), within half a percent on both sides."""
    model = rigid_paddle(friction)
    joints = efem_robot.joint_positions(lift=0.1, radius_a=0.4)
    limit = friction * (G + force / wafer.MASS)

    def moved(acceleration: float) -> float:
        data = mujoco.MjData(model)
        for name in ("lift", "a_shoulder", "a_elbow", "a_wrist"):
            data.joint(name).qpos[0] = joints[name]
        for name in ("lift", "a_shoulder"):
            data.actuator(f"{name}_position").ctrl[0] = joints[name]
        data.actuator("vacuum").ctrl[0] = force
        mujoco.mj_forward(model, data)
        data.joint("wafer_free").qpos[:3] = data.site("a_tcp").xpos
        model.opt.gravity[:] = 0.0, 0.0, -G
        mujoco.mj_step(model, data, 200)
        start = data.sensor("seat_position").data[:2].copy()
        model.opt.gravity[0] = acceleration
        mujoco.mj_step(model, data, 300)
        return float(np.hypot(*(data.sensor("seat_position").data[:2] - start)))

    assert moved(0.995 * limit) < 2e-5
    assert moved(1.005 * limit) > 1e-4


# --- arm ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["get", "put"])
def test_arm_sags_by_droop_and_load(mode):
    """At the station: droop with the square of the extension, and m g lever^2 / k of a wafer."""
    cell = started(mode, 4, {**LEVEL, "start_height": 0.0})
    height = 3.0 if mode == "put" else -2.0
    for _ in range(90):
        act(cell, 1.0, height, 1.0)
    s = cell.s
    assert np.allclose(s.reference[:, 0], cell_of.STATION_RADIUS, atol=1e-6)
    straight = cell_of.RAIL_HEIGHT + efem_robot.PADDLE_HEIGHT["a"] + cell.sim.qpos[:, 0] + 0.0035 + T / 2
    sag = straight - cell.task._plant.tcp[:, 2]
    droop = s.sag_full * (cell_of.STATION_RADIUS / efem_robot.RADIUS_RANGE[1]) ** 2
    load = wafer.MASS * G * cell_of.SAG_LEVER**2 / s.sag_stiffness if mode == "put" else 0.0
    assert np.allclose(sag, droop + load, atol=1.5e-5)


@pytest.mark.parametrize("mode", ["get", "put"])
def test_hand_off_happens_at_the_height_that_errors_add_up_to(mode):
    """Teaching, mapping, droop, warp and slot errors: the pads meet a level wafer at `touch_height`."""
    cell = started(mode, 6, {**LEVEL, "wafer_offset": [0.0, 0.0], "teach_error": [0.0, 0.0, 0.17]}, seed=40)
    expert = cell.task.expert()
    seen = np.full(6, np.nan)
    for _ in range(140):
        cell.step(expert.act(cell.s, cell.readings()))
        met = np.isnan(seen) & (cell.s.contact_speed > 0.0)
        seen[met] = 1000.0 * (cell.sim.qpos[met, 0] - cell.s.lift_zero[met])
    load = 1000.0 * wafer.MASS * G * cell_of.SAG_LEVER**2 / cell.s.sag_stiffness if mode == "put" else 0.0
    assert np.allclose(seen, cell.s.touch_height + load, atol=0.3)  # a control step at 12 mm/s, ringing


def test_motion_obeys_the_machine_whatever_is_asked():
    cell = started("get", 6)
    rng = np.random.default_rng(0)
    low, high = cell.action_low, cell.action_high
    positions, rates = [], []
    for k in range(120):
        if k % 7 == 0:
            command = rng.choice([0.0, 1.0], (6, 4)) * (high - low) + low
            command[:, 3] = -1.0
        cell.step(command)
        positions.append(cell.s.radius_record)
        rates.append(cell.s.lift_rate_record)
    radius, lift_rate = np.concatenate(positions, axis=1), np.concatenate(rates, axis=1)
    tick = 0.002
    speed = np.diff(radius[:, 1::2], axis=1) / tick
    bounds = efem_robot.MOTION_LIMITS
    for rate, limit in ((speed, bounds["radius"]), (lift_rate[:, 1::2], bounds["lift"])):
        acceleration = np.diff(rate, axis=1) / tick
        assert np.abs(rate).max() <= limit.speed * 1.001
        assert np.abs(acceleration).max() <= limit.acceleration * 1.001
        assert np.abs(np.diff(acceleration, axis=1)).max() / tick <= limit.jerk * 1.01
    assert np.abs(speed).max() > 1.0  # it did move
    assert radius.max() <= cell_of.STATION_RADIUS + 1e-5 and radius.min() >= cell_of.HOME_RADIUS - 1e-5


# --- carrier and mapper -------------------------------------------------------------------------------------------


def test_mapper_sees_the_front_of_a_tilted_carrier():
    """What is mapped is the wafer's middle where the beam passes, at the front, not where the pads meet it."""
    quiet = {"mapping_error": [0.0, 0.0, 0.0], "warp": [0.0, 0.0, 0.0], "start_height": 0.0}
    cell = started("get", 5, quiet, seed=7)
    s = cell.s
    centre = np.array(cell.sim.output("site_xpos", "site", "wafer_centre"))
    normal = np.array(cell.sim.output("site_xmat", "site", "wafer_centre"))[:, 2::3]
    beam = -cell_of.STATION_RADIUS + load_port.MAPPER_CHORD  # y of the beam in the world
    height = centre[:, 2] - normal[:, 1] / normal[:, 2] * (beam - centre[:, 1]) + normal[:, 0] * centre[:, 0]
    expected = load_port.LOAD_HEIGHT + s.slot_height + T / 2
    drop = 0.45e-3 * (cell_of.STATION_RADIUS / efem_robot.RADIUS_RANGE[1]) ** 2
    mapped = s.lift_zero - drop - cell_of.lift_at(load_port.LOAD_HEIGHT + s.slot_height)
    assert np.allclose(mapped, height - expected, atol=1.5e-5)


def test_a_resting_wafer_stays_where_it_was_laid():
    cell = started("get", 8, seed=3)
    position, normal = (np.array(cell.task._now[k]) for k in ("wafer_position", "wafer_normal"))
    for _ in range(10):
        act(cell, 0.0, -3.0)
    assert np.allclose(cell.task._now["wafer_position"], position, atol=5e-6)
    assert np.allclose(cell.task._now["wafer_normal"], normal, atol=5e-5)
    gaps = clearance.support_gaps(cell.task._now["wafer_position"], cell.task._now["wafer_normal"],
                                  cell.s.warp_m[:, 0], cell.s.tops)  # fmt: skip
    assert np.abs(gaps).max() < 5e-6


@pytest.mark.parametrize("mode", ["get", "put"])
def test_faults_show_in_the_map_and_make_the_expert_abort(mode):
    cell = started(mode, 8, {"fault_draw": 0.01}, seed=11)
    sound = started(mode, 8, seed=11)
    seen, usual = (c.readings()["mapped_thickness"][:, 0] for c in (cell, sound))
    if mode == "get":
        assert (seen > 4.0).all() and (usual < 2.2).all() and (usual > 0.7).all()
    else:
        assert (seen > 0.7).all() and (usual == 0.0).all()
    play(cell, 30)
    assert reason(cell) == ["aborted"] * 8
    assert np.isclose(cell.metrics()["aborted"], 1.0).all()


@pytest.mark.parametrize("mode", ["get", "put"])
def test_who_ignores_a_fault_does_damage(mode):
    cell = started(mode, 6, {"fault_draw": 0.01, "start_height": 0.0}, seed=11)
    ended = set()
    for _ in range(120):
        act(cell, 1.0 if (cell.s.step[0] > 25) else 0.0, -2.0 if mode == "get" else 2.5, 1.0)
        ended |= {r for r in reason(cell) if r}
    assert "edge_contact" in ended and "success" not in ended


# --- ends ---------------------------------------------------------------------------------------------------------


def test_an_abort_must_be_meant():
    cell = started("get", 1)
    for _ in range(9):
        act(cell, 0.0, -2.0, abort=0.9)
    act(cell, 0.0, -2.0, abort=0.4)  # interrupted
    for _ in range(9):
        act(cell, 0.0, -2.0, abort=0.6)
        assert not cell.terminated[0]
    act(cell, 0.0, -2.0, abort=0.6)
    assert cell.terminated[0] and reason(cell) == ["aborted"] and not cell.success[0]
    assert cell.reward_terms["abort"][0] < 0.0 and cell.reward_terms["failure"][0] == 0.0


def test_values_are_in_order():
    """Damage costs most, an abort less, doing nothing until the time limit least; success pays."""
    task = WaferSlotPick()
    weight = {k: r.weight for k, r in task.rewards.items()}
    idle = weight["time"] * task.timing.horizon_s / 1.25
    assert weight["failure"] < weight["abort"] < idle < 0.0 < weight["success"]


def test_reaching_in_at_the_height_of_the_wafer_fails_before_it_hits():
    cell = started("get", 4, {**LEVEL, "start_height": 0.0}, seed=2)
    for _ in range(80):
        act(cell, 0.3, -0.4)
        if cell.terminated.all():
            break
    assert reason(cell) == ["edge_contact"] * 4
    assert (cell.s.min_clearance_mm < CLEARANCE_MM).all() and (cell.s.min_clearance_mm > -0.6).all()
    assert cell.task._now["wafer_position"][:, 2] == pytest.approx(cell.s.slot_height, abs=2e-3)


def test_a_hard_hand_off_fails_and_a_soft_one_does_not():
    for creep, fails in ((0.6, False), (6.0, True)):
        cell = started("get", 3, {**LEVEL, "start_height": -2.0}, seed=5)
        for _ in range(90):
            act(cell, 1.0, -2.0)
        for _ in range(60):
            height = cell.readings()["height"][:, 0]
            command = np.stack([np.ones(3), np.minimum(height + creep, 3.0), np.ones(3), -np.ones(3)], axis=1)
            cell.step(command)
            if fails and cell.terminated.any():
                break
        assert (cell.s.contact_speed > CONTACT_MM_S).all() if fails else (cell.s.contact_speed <= CONTACT_MM_S).all()
        assert (cell.s.contact_speed > 0.0).all()


def test_without_vacuum_the_wafer_stays_behind():
    """5 m/s^2 is beyond what friction alone holds and far below what the cups hold."""
    cell = started("put", 4, {"start_height": 2.5, "friction": 0.3})
    slipped = started("put", 4, {"start_height": 2.5, "friction": 0.3})
    for k in range(40):
        act(cell, 1.5, 2.5, valve=1.0)
        act(slipped, 0.0 if k < 20 else 1.5, 2.5, valve=-1.0)
    assert (cell.s.slip_mm < 0.1).all()
    assert (slipped.s.slip_mm > 1.0).all()


@pytest.mark.parametrize("mode", ["get", "put"])
def test_expert_moves_the_wafer_where_it_belongs(mode):
    cell = started(mode, 6, seed=1_000_000)
    play(cell)
    assert reason(cell) == ["success"] * 6
    figures = cell.metrics()
    assert (figures["min_clearance"] > CLEARANCE_MM).all() and (figures["contact_speed"] <= CONTACT_MM_S).all()
    assert (figures["placement_error"] < 1.0).all() and (figures["time_ratio"] > 1.0).all()
    assert np.isfinite(figures["vacuum_time"]).all()
    if mode == "get":
        limit = cup_force(cell.s.pressure_kpa, cell.s.sealed)
        assert (limit > 4.0).all() and (cell.s.sealed == 3.0).all()


def test_bad_mode():
    with pytest.raises(ShopfloorError, match="mode must be one of get, put"):
        WaferSlot("swap")
