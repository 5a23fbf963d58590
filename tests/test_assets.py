"""Robots, cells and parts: kinematics, inertia, servos, contacts, and the split into a physics and a drawn model."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco")

from shopfloor.assets import shapes  # noqa: E402
from shopfloor.assets.cells import reach, transfer_chamber  # noqa: E402
from shopfloor.assets.parts import wafer  # noqa: E402
from shopfloor.assets.robots import ur10e, vacuum_scara  # noqa: E402
from shopfloor.errors import ShopfloorError  # noqa: E402

BUILDERS: dict[str, Callable[..., mujoco.MjSpec]] = {
    "ur10e": ur10e.ur10e,
    "vacuum_scara": vacuum_scara.vacuum_scara,
    "wafer": wafer.wafer_300mm,
    "reach_cell": reach.reach_cell,
    "transfer_chamber": transfer_chamber.transfer_chamber,
}
CELLS = {"reach_cell": reach.CAMERAS, "transfer_chamber": transfer_chamber.CAMERAS}
GRAVITY = 9.81


@pytest.fixture(scope="module", params=list(BUILDERS))
def pair(request):
    """The physics model and the drawn model of one builder."""
    build = BUILDERS[request.param]
    return request.param, build(visual=False).compile(), build(visual=True).compile()


@pytest.fixture(scope="module")
def arm():
    return ur10e.ur10e(visual=False).compile()


@pytest.fixture(scope="module")
def chamber():
    return transfer_chamber.transfer_chamber(visual=False).compile()


def fresh(model, keyframe: bool = True):
    data = mujoco.MjData(model)
    if keyframe and model.nkey:
        mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    return data


def names(model, kind, count: int) -> list[str]:
    return [mujoco.mj_id2name(model, kind, i) for i in range(count)]


# --- the physics model and the drawn model ---------------------------------------------------------------------


def test_drawn_model_has_the_state_layout_of_the_physics_model(pair):
    _, physics, drawn = pair
    for size in ("nq", "nv", "na", "nu", "nbody", "njnt", "nsite", "nsensor", "nsensordata", "npair", "nkey", "neq"):
        assert getattr(physics, size) == getattr(drawn, size), size
    kinds = mujoco.mjtObj
    for kind, count in (
        (kinds.mjOBJ_BODY, physics.nbody), (kinds.mjOBJ_JOINT, physics.njnt), (kinds.mjOBJ_SITE, physics.nsite),
        (kinds.mjOBJ_ACTUATOR, physics.nu), (kinds.mjOBJ_SENSOR, physics.nsensor), (kinds.mjOBJ_PAIR, physics.npair),
    ):  # fmt: skip
        assert names(physics, kind, count) == names(drawn, kind, count)
    for field in (
        "body_mass",
        "body_inertia",
        "body_ipos",
        "dof_armature",
        "key_qpos",
        "actuator_gainprm",
        "opt.timestep",
    ):
        a, b = physics, drawn
        for part in field.split("."):
            a, b = getattr(a, part), getattr(b, part)
        assert np.array_equal(a, b), field


def test_drawn_geoms_have_no_part_in_the_physics(pair):
    _, physics, drawn = pair
    seen = drawn.geom_group < 3
    assert not drawn.geom_contype[seen].any() and not drawn.geom_conaffinity[seen].any()
    assert (physics.geom_group == 3).all()
    assert seen.sum() >= 2
    a, b = fresh(physics), fresh(drawn)
    rng = np.random.default_rng(0)
    for _ in range(200):
        if physics.nu:
            a.ctrl[:] = b.ctrl[:] = a.ctrl + rng.normal(0.0, 2e-5, physics.nu)
        mujoco.mj_step(physics, a)
        mujoco.mj_step(drawn, b)
    assert np.array_equal(a.qpos, b.qpos) and np.array_equal(a.qvel, b.qvel)
    assert np.isfinite(a.qpos).all() and not any(w.number for w in a.warning)


def test_two_builds_are_the_same_model(pair):
    name, physics, _ = pair
    again = BUILDERS[name](visual=False).compile()
    buffers = [np.empty(mujoco.mj_sizeModel(m), np.uint8) for m in (physics, again)]
    for model, buffer in zip((physics, again), buffers, strict=True):
        mujoco.mj_saveModel(model, None, buffer)
    assert np.array_equal(*buffers)


@pytest.mark.parametrize("cell", CELLS)
def test_cell_has_its_cameras_and_offscreen_buffer(cell):
    model = BUILDERS[cell]().compile()
    cameras = names(model, mujoco.mjtObj.mjOBJ_CAMERA, model.ncam)
    assert set(CELLS[cell]) == set(cameras)
    assert model.vis.global_.offwidth >= 1920 and model.vis.global_.offheight >= 1080


PICTURES = """
import sys, json, mujoco
from shopfloor.assets.cells import reach, transfer_chamber
statistics = {}
for build in (reach.reach_cell, transfer_chamber.transfer_chamber):
    model = build().compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    try:
        renderer = mujoco.Renderer(model, 96, 128)
    except Exception as error:
        sys.exit(f"no GL: {error}")
    for i in range(model.ncam):
        renderer.update_scene(data, camera=i)
        picture = renderer.render().astype(float)
        statistics[f"{build.__name__} {model.camera(i).name}"] = (picture.mean(), picture.std())
    renderer.close()
print(json.dumps(statistics))
"""


def test_every_camera_of_a_cell_shows_a_picture():
    # the backend is chosen when mujoco is imported, hence a process of its own
    environment = {**os.environ, "MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl")}
    done = subprocess.run(
        [sys.executable, "-c", PICTURES], env=environment, capture_output=True, text=True, timeout=120
    )
    if "no GL" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    statistics = json.loads(done.stdout)
    assert len(statistics) == sum(len(cameras) for cameras in CELLS.values())
    for camera, (mean, spread) in statistics.items():
        assert 60.0 < mean < 225.0 and spread > 15.0, camera


# --- UR10e ------------------------------------------------------------------------------------------------------


def dh_frames(q: np.ndarray) -> list[np.ndarray]:
    """Frames 0 to 6 by the textbook product of Denavit-Hartenberg matrices, written out independently."""
    d = (0.1807, 0.0, 0.0, 0.17415, 0.11985, 0.11655)
    a = (0.0, -0.6127, -0.57155, 0.0, 0.0, 0.0)
    alpha = (np.pi / 2, 0.0, 0.0, np.pi / 2, -np.pi / 2, 0.0)
    frames = [np.eye(4)]
    for i in range(6):
        ct, st, ca, sa = np.cos(q[i]), np.sin(q[i]), np.cos(alpha[i]), np.sin(alpha[i])
        step = [[ct, -st * ca, st * sa, a[i] * ct], [st, ct * ca, -ct * sa, a[i] * st], [0, sa, ca, d[i]], [0, 0, 0, 1]]
        frames.append(frames[-1] @ np.array(step))
    return frames


def test_arm_reproduces_the_published_kinematics_and_centres_of_mass(arm):
    data = mujoco.MjData(arm)
    rng = np.random.default_rng(1)
    for _ in range(50):
        q = rng.uniform(-np.pi, np.pi, 6)
        data.qpos[:] = q
        mujoco.mj_kinematics(arm, data)
        mujoco.mj_comPos(arm, data)
        frames = dh_frames(q)
        flange, tcp = data.site("flange"), data.site("tcp")
        assert np.allclose(flange.xpos, frames[6][:3, 3], atol=1e-9)
        assert np.allclose(flange.xmat.reshape(3, 3), frames[6][:3, :3], atol=1e-9)
        assert np.allclose(tcp.xpos, frames[6][:3, 3] + ur10e.TOOL_LENGTH * frames[6][:3, 2], atol=1e-9)
        for link, frame in zip(ur10e.LINKS, frames[1:], strict=True):
            expected = frame[:3, :3] @ np.array(link.com) + frame[:3, 3]
            assert np.allclose(data.body(link.body).xipos, expected, atol=1e-9)


def test_arm_has_the_published_masses_and_limits(arm):
    masses = [arm.body(link.body).mass[0] for link in ur10e.LINKS]
    assert masses == [7.369, 13.051, 3.989, 2.1, 1.98, 0.615]
    # 33.5 kg in the data sheet, which counts the cable
    assert np.sum(masses) + ur10e.BASE_MASS == pytest.approx(33.5, abs=0.5)
    assert arm.body_mass.sum() == pytest.approx(np.sum(masses) + ur10e.BASE_MASS + ur10e.TOOL_MASS)
    for i, joint in enumerate(ur10e.JOINTS):
        span = np.pi if joint == "elbow" else 2 * np.pi
        assert np.allclose(arm.joint(joint).range, (-span, span))
        assert np.allclose(arm.jnt_actfrcrange[i], np.array([-1, 1]) * (330, 330, 150, 56, 56, 56)[i])
    assert np.allclose(np.rad2deg(ur10e.JOINT_SPEED_LIMIT), (120, 120, 180, 180, 180, 180))


@pytest.mark.parametrize("kind", ["position", "velocity", "torque"])
def test_arm_actuators_are_named_like_the_joints_and_bounded(kind):
    model = ur10e.ur10e(actuators=kind, visual=False).compile()
    assert tuple(names(model, mujoco.mjtObj.mjOBJ_ACTUATOR, model.nu)) == ur10e.JOINTS
    limit = {
        "position": ur10e.JOINT_RANGE, "velocity": ur10e.JOINT_SPEED_LIMIT, "torque": ur10e.JOINT_TORQUE_LIMIT,
    }[kind]  # fmt: skip
    assert np.allclose(model.actuator_ctrlrange[:, 1], limit) and np.allclose(
        model.actuator_ctrlrange[:, 0], -np.array(limit)
    )
    assert np.allclose(model.actuator_forcerange[:, 1], ur10e.JOINT_TORQUE_LIMIT)


def test_arm_stays_where_it_is_without_command(arm):
    model = ur10e.ur10e(actuators="torque", visual=False).compile()
    data = mujoco.MjData(model)
    data.qpos[:] = start = np.array([0.3, -1.0, 1.2, -0.4, 0.7, 0.1])
    mujoco.mj_step(model, data, nstep=500)
    assert np.abs(data.qpos - start).max() < 1e-9


@pytest.mark.parametrize("posture", [(0, 0, 0, 0, 0, 0), (0, -1.75, 1.9, -1.72, -1.57, 0), (1, -0.5, 2.2, 0.5, 1, 2)])
def test_position_servo_settles_without_overshoot(arm, posture):
    data = mujoco.MjData(arm)
    data.qpos[:] = posture
    target = data.qpos + np.array([0.004, -0.003, 0.005, 0.02, -0.02, 0.03])
    data.ctrl[:] = target
    step = target - data.qpos
    worst = np.zeros(6)
    for _ in range(500):
        mujoco.mj_step(arm, data)
        worst = np.maximum(worst, (data.qpos - target) / step)
        assert data.ncon == 0
    assert worst.max() < 0.03
    assert np.abs((data.qpos - target) / step).max() < 0.01


def test_position_servo_follows_a_ramp_with_the_stated_lag(arm):
    data = mujoco.MjData(arm)
    speed = np.array([0.4, 0.3, 0.4, 0.8, -0.8, 1.0])
    for k in range(750):
        data.ctrl[:] = speed * arm.opt.timestep * k
        mujoco.mj_step(arm, data)
    lag = (data.ctrl - data.qpos) / speed
    # kv / kp, plus what joint damping adds
    assert np.all((lag > 0.030) & (lag < 0.045))


def test_velocity_servo_reaches_its_speed():
    model = ur10e.ur10e(actuators="velocity", visual=False).compile()
    data = mujoco.MjData(model)
    data.ctrl[:] = speed = 0.5 * np.array(ur10e.JOINT_SPEED_LIMIT)
    mujoco.mj_step(model, data, nstep=250)
    assert np.abs(data.qvel / speed - 1.0).max() < 0.15


def test_arm_rejects_impossible_arguments():
    with pytest.raises(ShopfloorError, match=r"'servo'.*position, velocity, torque"):
        ur10e.ur10e(actuators="servo")
    with pytest.raises(ShopfloorError, match=r"tool_length=2\.0"):
        ur10e.ur10e(tool_length=2.0)


def test_tool_length_moves_the_tcp():
    model = ur10e.ur10e(tool_length=0.25, visual=True).compile()
    data = fresh(model)
    assert np.linalg.norm(data.site("tcp").xpos - data.site("flange").xpos) == pytest.approx(0.25)


# --- reach cell -------------------------------------------------------------------------------------------------


def test_home_points_the_tool_down_over_the_table():
    model = reach.reach_cell(visual=False).compile()
    data = fresh(model)
    assert data.ncon == 0
    tcp = data.site("tcp")
    assert np.allclose(tcp.xmat.reshape(3, 3)[:, 2], (0.0, 0.0, -1.0), atol=1e-9)
    x, y, z = tcp.xpos
    assert abs(x - reach.TABLE_CENTER[0]) < reach.TABLE_SIZE[0] / 2 and abs(y) < reach.TABLE_SIZE[1] / 2
    assert 0.3 < z - reach.TABLE_TOP < 0.5
    mujoco.mj_step(model, data, nstep=500)
    assert np.abs(data.qpos - reach.HOME_QPOS).max() < 1e-9


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"shoulder_lift": 0.7}, "table_collision"),
        ({"shoulder_pan": 2.5, "shoulder_lift": 2.5, "elbow": -1.9}, "floor_collision"),
        ({"elbow": 1.2, "shoulder_lift": -1.0}, "base_collision"),
    ],
)
def test_arm_collides_with_what_is_in_its_way(change, expected):
    model = reach.reach_cell(visual=False).compile()
    data = fresh(model)
    hit = set()
    for share in np.linspace(0.0, 1.0, 40):
        data.qpos[:] = reach.HOME_QPOS
        for joint, amount in change.items():
            data.joint(joint).qpos += share * amount
        mujoco.mj_fwdPosition(model, data)
        hit |= {model.geom(g).name for c in data.contact for g in c.geom}
    assert expected in hit


# --- wafer ------------------------------------------------------------------------------------------------------


def test_wafer_is_a_silicon_disc():
    volume = np.pi * wafer.RADIUS**2 * wafer.THICKNESS
    assert pytest.approx(wafer.DENSITY * volume, rel=5e-4) == wafer.MASS
    model = wafer.wafer_300mm(visual=True).compile()
    assert model.body_mass.sum() == pytest.approx(0.1276)
    assert np.sort(model.body("wafer").inertia)[-1] == pytest.approx(1.435e-3, rel=1e-3)
    assert np.allclose(model.geom("wafer_disc").size[:2], (0.15, 0.0003875))


def test_wafer_falls_freely():
    model = wafer.wafer_300mm(visual=False).compile()
    data = mujoco.MjData(model)
    n, dt = 200, model.opt.timestep
    mujoco.mj_step(model, data, nstep=n)
    # semi-implicit Euler: z = -g dt^2 n (n + 1) / 2
    assert data.qpos[2] == pytest.approx(-GRAVITY * dt * dt * n * (n + 1) / 2, rel=1e-12)
    assert np.allclose(data.qpos[3:], (1, 0, 0, 0))


# --- vacuum SCARA -----------------------------------------------------------------------------------------------


def test_scara_places_the_wafer_centre_by_the_closed_form(chamber):
    data = mujoco.MjData(chamber)
    for theta in (-2.0, 0.0, 0.7):
        for radius in (0.33, 0.6, 1.0):
            data.qpos[1:4] = vacuum_scara.joint_angles(theta, radius)
            mujoco.mj_kinematics(chamber, data)
            tcp = data.site("tcp")
            assert np.allclose(tcp.xpos[:2], radius * np.array([np.cos(theta), np.sin(theta)]), atol=1e-12)
            assert np.allclose(tcp.xmat.reshape(3, 3)[:2, 0], (np.cos(theta), np.sin(theta)), atol=1e-12)
    low, high = vacuum_scara.RADIUS_RANGE
    assert vacuum_scara.extension_angle(high) == pytest.approx(0.0, abs=1e-6)
    assert vacuum_scara.extension_angle(low) < np.pi / 2


def test_stations_are_in_reach_and_the_chamber_is_clear():
    low, high = vacuum_scara.RADIUS_RANGE
    assert low < transfer_chamber.STATION_RADIUS < high
    assert len(transfer_chamber.STATIONS) >= 2
    model = transfer_chamber.transfer_chamber(visual=False).compile()
    data = mujoco.MjData(model)
    for name, theta in transfer_chamber.STATIONS.items():
        data.qpos[1:4] = vacuum_scara.joint_angles(theta, transfer_chamber.STATION_RADIUS)
        mujoco.mj_kinematics(model, data)
        assert np.allclose(data.site("tcp").xpos[:2], data.site(f"station_{name}").xpos[:2], atol=1e-9)


def test_only_the_three_pads_can_touch_the_wafer(chamber):
    assert not chamber.geom_contype.any() and not chamber.geom_conaffinity.any()
    assert tuple(names(chamber, mujoco.mjtObj.mjOBJ_PAIR, chamber.npair)) == transfer_chamber.PAD_PAIRS
    for k in range(3):
        touching = {chamber.geom(chamber.pair_geom1[k]).name, chamber.geom(chamber.pair_geom2[k]).name}
        assert touching == {"wafer_disc", f"pad_{k}"}
    assert np.allclose(chamber.pair_friction[:, :2], 0.2)
    assert np.allclose(chamber.pair_solref, (0.004, 1.0))


@pytest.mark.parametrize("droop_deg", [0.0, 0.3])
def test_wafer_starts_seated_in_equilibrium(chamber, droop_deg):
    model = transfer_chamber.transfer_chamber(visual=False).compile()
    model.body("paddle").quat = vacuum_scara.droop_quat(np.deg2rad(droop_deg))
    data = fresh(model)
    tcp = data.site("tcp")
    tip = data.site("wrist").xpos[2] - tcp.xpos[2]
    level = fresh(chamber)
    lower = level.site("tcp").xpos[2] - tcp.xpos[2]
    assert lower == pytest.approx(0.30 * np.sin(np.deg2rad(droop_deg)), abs=1e-6), tip
    data.joint("wafer_free").qpos[:3] = tcp.xpos
    mujoco.mju_mat2Quat(data.joint("wafer_free").qpos[3:], tcp.xmat)
    slide = 0.0
    for _ in range(400):
        mujoco.mj_step(model, data)
        slide = max(slide, np.abs(data.sensor("wafer_in_paddle_position").data).max())
    assert data.ncon == 3
    # level: rounding only; tilted: the flexure gives way and the pads creep a little
    assert slide < (1e-9 if droop_deg == 0.0 else 2e-6)


def test_flexure_rings_at_its_frequency_and_damping():
    for frequency, ratio in ((14.0, 0.02), (11.0, 0.01)):
        soft = vacuum_scara.flexure(frequency, ratio, payload=0.0)
        model = vacuum_scara.vacuum_scara(soft=soft, visual=False).compile()
        data = mujoco.MjData(model)
        data.qpos[1:4] = vacuum_scara.joint_angles(0.0, 0.6)
        mujoco.mj_forward(model, data)
        data.ctrl[2::2] = data.qpos[1:4]
        data.joint("flex_x").qpos[0] = 1e-4
        trace = np.empty(1000)
        for k in range(len(trace)):
            mujoco.mj_step(model, data)
            trace[k] = data.joint("flex_x").qpos[0]
        up = np.flatnonzero((trace[:-1] < 0) & (trace[1:] >= 0))
        crossing = up - trace[up] / (trace[up + 1] - trace[up])
        measured = 1.0 / (np.diff(crossing).mean() * model.opt.timestep)
        assert measured == pytest.approx(frequency, rel=0.01)
        peaks = [trace[a:b].max() for a, b in itertools.pairwise(up)]
        decay = -np.diff(np.log(peaks)).mean() / (2 * np.pi)
        assert decay == pytest.approx(ratio, rel=0.1)


def radial_reference(start: float, stop: float, theta: float, turn: float, duration: float):
    """Function t -> (3,) joint angles of a minimum-jerk move from `start` to `stop` (m) that turns by `turn` (rad)."""

    def reference(t: float) -> np.ndarray:
        s = np.clip(t / duration, 0.0, 1.0)
        p = s**3 * (10 - 15 * s + 6 * s**2)
        return np.array(vacuum_scara.joint_angles(theta + turn * p, start + (stop - start) * p))

    return reference


@pytest.mark.parametrize("timestep", [0.0005, 0.001])
@pytest.mark.parametrize("move", [(0.40, 0.90, 0.0, 0.0, 1.6), (0.60, 0.60, 0.2, 1.5, 2.0)])
def test_servo_follows_a_move_within_acceleration_over_omega_squared(timestep, move):
    model = transfer_chamber.transfer_chamber(timestep=timestep, visual=False).compile()
    data = mujoco.MjData(model)
    reference = radial_reference(*move)
    data.qpos[1:4] = reference(0.0)
    mujoco.mj_kinematics(model, data)
    data.joint("wafer_free").qpos[:3] = data.site("tcp").xpos
    mujoco.mju_mat2Quat(data.joint("wafer_free").qpos[3:], data.site("tcp").xmat)
    steps = int(move[4] / timestep)
    error, acceleration, slip = np.zeros((steps, 3)), np.zeros((steps, 3)), np.zeros((steps, 2))
    for k in range(steps):
        t, h = k * timestep, 1e-4
        now, then = reference(t), reference(t + timestep)
        data.ctrl[2::2] = now
        data.ctrl[3::2] = (reference(t + timestep + h) - reference(t + timestep - h)) / (2 * h)
        acceleration[k] = (reference(t + h) - 2 * now + reference(t - h)) / h**2
        mujoco.mj_step(model, data)
        error[k] = then - data.qpos[1:4]
        slip[k] = data.sensor("wafer_in_paddle_position").data[:2]
    omega = 2 * np.pi * min(vacuum_scara.SERVO_FREQUENCY_HZ, vacuum_scara.MAX_SERVO_CYCLES_PER_STEP / timestep)
    assert np.abs(error).max() < np.abs(acceleration).max() / omega**2
    # below the friction limit the wafer stays put: radial drift of the turn, nothing sideways
    assert np.abs(slip[:, 0]).max() < 30e-6
    assert np.abs(slip[:, 1]).max() < 1e-6


@pytest.mark.parametrize("timestep", [0.0005, 0.001])
def test_scara_survives_wild_commands(timestep):
    model = transfer_chamber.transfer_chamber(timestep=timestep, visual=False).compile()
    data = fresh(model)
    rng = np.random.default_rng(0)
    for _ in range(200):
        data.ctrl[2::2] = rng.uniform(-3, 3, 3)
        data.ctrl[3::2] = rng.uniform(-3, 3, 3)
        mujoco.mj_step(model, data, nstep=10)
        assert np.abs(data.qvel[:4]).max() < 60.0
    assert not any(w.number for w in data.warning)


def test_chamber_rejects_unstable_contact_settings():
    with pytest.raises(ShopfloorError, match=r"timestep=0\.01"):
        transfer_chamber.transfer_chamber(timestep=0.01)
    with pytest.raises(ShopfloorError, match=r"friction_damping_ratio=2\.0"):
        transfer_chamber.transfer_chamber(friction_damping_ratio=2.0)


# --- wafer on pads: what the contact settings are for -----------------------------------------------------------


@pytest.mark.parametrize(("timestep", "ratio"), [(0.0005, 1.0), (0.0005, 1.9), (0.001, 1.9)])
def test_wafer_on_a_turning_arm_drifts_as_the_formula_says(timestep, ratio):
    model = transfer_chamber.transfer_chamber(timestep=timestep, friction_damping_ratio=ratio, visual=False).compile()
    data = fresh(model)
    radius, omega, ramp = 0.6, 1.0, 0.5
    start = np.array(vacuum_scara.joint_angles(0.0, radius))
    data.ctrl[2::2] = start
    angle, drift = 0.0, []
    for k in range(int(1.5 / timestep)):
        s = min(k * timestep / ramp, 1.0)
        speed = omega * s**3 * (10 - 15 * s + 6 * s**2)
        data.ctrl[2], data.ctrl[3] = start[0] + angle, speed
        angle += speed * timestep
        mujoco.mj_step(model, data)
        if k * timestep >= ramp + 0.2:
            drift.append(data.sensor("wafer_in_paddle_position").data[0])
    measured = (drift[-1] - drift[0]) / ((len(drift) - 1) * timestep)
    predicted = omega**2 * radius * timestep * (1.0 / ratio - 0.5)
    assert measured == pytest.approx(predicted, rel=0.02)
    assert ratio != transfer_chamber.FRICTION_DAMPING_RATIO or measured < 20e-6


def shift_under_acceleration(model, acceleration: float, duration: float) -> float:
    """Distance (m) that the wafer moves in `duration` s under a steady radial acceleration (m/s^2) of the paddle.

    In the frame of the paddle a steady acceleration is a tilt of gravity, which needs no room to move.
    """
    data = fresh(model)
    steps, ramp = int(duration / model.opt.timestep), int(0.15 / model.opt.timestep)
    before = np.zeros(3)
    for k in range(ramp + steps):
        s = min((k + 1) / ramp, 1.0)
        model.opt.gravity[0] = -acceleration * s**3 * (10 - 15 * s + 6 * s**2)
        mujoco.mj_step(model, data)
        if k == ramp:
            before = data.sensor("wafer_in_paddle_position").data.copy()
    model.opt.gravity[0] = 0.0
    return float(np.linalg.norm((data.sensor("wafer_in_paddle_position").data - before)[:2]))


@pytest.mark.parametrize("friction", [0.05, 0.2, 1.0])
def test_wafer_slips_at_the_friction_limit_and_does_not_creep_below(friction):
    # stiff and well damped, so that the ringing of the flexure does not add to the acceleration
    model = transfer_chamber.transfer_chamber(soft=vacuum_scara.flexure(60.0, 0.3), visual=False).compile()
    model.pair_friction[:, :2] = friction
    limit = friction * GRAVITY
    assert shift_under_acceleration(model, 0.99 * limit, 0.3) < 1e-5
    assert shift_under_acceleration(model, 1.01 * limit, 0.3) > 1e-4
    assert shift_under_acceleration(model, 0.5 * limit, 1.0) < 1e-6


# --- generated shapes -------------------------------------------------------------------------------------------


def volume(mesh: shapes.Mesh) -> float:
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    return float(np.sum(a * np.cross(b, c)) / 6.0)


def test_generated_solids_are_closed_and_face_outwards():
    square = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    small = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]
    bent = [(0, 0), (2, 0), (2, 2), (1, 2), (1, 1), (0, 1)]
    assert volume(shapes.cylinder(1.0, 0.0, 2.0, segments=400)) == pytest.approx(2 * np.pi, rel=1e-3)
    assert volume(shapes.ring(0.5, 1.0, 0.0, 1.0, segments=400)) == pytest.approx(0.75 * np.pi, rel=1e-3)
    assert volume(shapes.extrude(square, 0.0, 3.0)) == pytest.approx(12.0)
    assert volume(shapes.extrude(bent, 0.0, 1.0)) == pytest.approx(3.0)
    assert volume(shapes.extrude_ring(square, small, 0.0, 1.0)) == pytest.approx(3.0)
    assert volume(shapes.box((1.0, 2.0, 3.0))) == pytest.approx(6.0)
    assert volume(shapes.tube_between((0, 0, 0), (1, 1, 0), 0.1, segments=200)) == pytest.approx(
        np.sqrt(2) * np.pi * 0.01, rel=1e-3
    )
    hose = shapes.sweep([(0, 0, 0), (0, 0, 1), (0, 0, 2)], 0.1, segments=100)
    assert volume(hose) == pytest.approx(2 * np.pi * 0.01, rel=5e-3)


def test_normals_are_smooth_across_flat_edges_and_split_at_sharp_ones():
    mesh = shapes.cylinder(1.0, 0.0, 1.0, segments=48)
    corners = mesh.vertices[mesh.faces]
    edges = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    proper = np.linalg.norm(edges, axis=1) > 1e-12  # on the axis, lathe rings shrink to points
    normals, corners = shapes.corner_normals(mesh)[proper], corners[proper]
    side = np.abs(normals[..., 2]) < 0.5
    radial = corners[..., :2] / np.maximum(np.linalg.norm(corners[..., :2], axis=-1, keepdims=True), 1e-12)
    assert np.all(np.sum(normals[..., :2] * radial, axis=-1)[side] > 0.999)
    assert np.allclose(np.abs(normals[..., 2])[~side], 1.0)


def test_outline_that_crosses_itself_is_refused():
    with pytest.raises(ValueError, match="simple counter-clockwise"):
        shapes.triangulate(np.array([(0, 0), (0, 1), (1, 1), (1, 0)], float))
