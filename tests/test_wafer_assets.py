"""Machines of the wafer family: kinematics, couplings, compliance, clearances, moving parts, drawn models."""

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

from shopfloor.assets.cells import cluster_tool, efem  # noqa: E402
from shopfloor.assets.fixtures import (  # noqa: E402
    aligner,
    beam,
    foup,
    load_lock,
    load_port,
    process_module,
    slit_valve,
)
from shopfloor.assets.parts import wafer  # noqa: E402
from shopfloor.assets.robots import dual_scara, efem_robot, frog_leg, wafer_arm  # noqa: E402
from shopfloor.assets.robots import frog_leg_kinematics as frog  # noqa: E402
from shopfloor.errors import ShopfloorError  # noqa: E402

GRAVITY = 9.81
R, HALF = wafer.RADIUS, 0.5 * wafer.THICKNESS


def warped(*, visual: bool = True):
    spec = mujoco.MjSpec()
    wafer.add_wafer(spec, name="bowl", warp=4e-4, thickness=8e-4, rests=True, visual=visual)
    return spec


def cluster_with_frog_leg(*, visual: bool = True):
    return cluster_tool.cluster_tool(robot="frog_leg", wafers={"wafer": "paddle_front"}, visual=visual)


BUILDERS: dict[str, Callable[..., mujoco.MjSpec]] = {
    "wafer": warped,
    "efem_robot": efem_robot.efem_robot,
    "dual_scara": dual_scara.dual_scara,
    "frog_leg": frog_leg.frog_leg,
    "foup": foup.foup,
    "load_port": load_port.load_port,
    "aligner": aligner.aligner,
    "slit_valve": slit_valve.slit_valve,
    "load_lock": load_lock.load_lock,
    "process_module": process_module.process_module,
    "efem": efem.efem,
    "cluster_tool": cluster_tool.cluster_tool,
    "cluster_tool_frog_leg": cluster_with_frog_leg,
}
TWINS = {"efem_robot": efem_robot, "dual_scara": dual_scara}


@pytest.fixture(scope="module", params=list(BUILDERS))
def pair(request):
    """The physics model and the drawn model of one builder."""
    build = BUILDERS[request.param]
    return request.param, build(visual=False).compile(), build(visual=True).compile()


def at_home(model):
    data = mujoco.MjData(model)
    if model.nkey:
        mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    return data


def put(model, data, positions: dict[str, float]) -> None:
    for joint, value in positions.items():
        data.joint(joint).qpos[0] = value
    mujoco.mj_forward(model, data)


def servo(data, joint: str, position: float, velocity: float = 0.0) -> None:
    data.actuator(f"{joint}_position").ctrl[0] = position
    data.actuator(f"{joint}_velocity").ctrl[0] = velocity


def smooth(t: float, duration: float) -> tuple[float, float]:
    """Share of a minimum-jerk move done at time `t`, and its rate (1/s)."""
    u = min(t / duration, 1.0)
    return u**3 * (10 - 15 * u + 6 * u * u), 30 * u * u * (1 - u) ** 2 / duration


def names(model, kind, count: int) -> list[str]:
    return [mujoco.mj_id2name(model, kind, i) for i in range(count)]


def geom_distance(model, data, a: str, b: str) -> float:
    return mujoco.mj_geomDistance(model, data, model.geom(a).id, model.geom(b).id, 1.0, None)


# --- the physics model and the drawn model ----------------------------------------------------------------------


def test_drawn_model_has_the_state_layout_of_the_physics_model(pair):
    _, physics, drawn = pair
    for size in ("nq", "nv", "na", "nu", "nbody", "njnt", "nsite", "nsensor", "npair", "nkey", "neq"):
        assert getattr(physics, size) == getattr(drawn, size), size
    kinds = mujoco.mjtObj
    for kind, count in (
        (kinds.mjOBJ_BODY, physics.nbody), (kinds.mjOBJ_JOINT, physics.njnt), (kinds.mjOBJ_SITE, physics.nsite),
        (kinds.mjOBJ_ACTUATOR, physics.nu), (kinds.mjOBJ_PAIR, physics.npair), (kinds.mjOBJ_EQUALITY, physics.neq),
    ):  # fmt: skip
        assert names(physics, kind, count) == names(drawn, kind, count)
    for field in ("body_mass", "body_inertia", "body_ipos", "dof_armature", "key_qpos", "key_ctrl", "actuator_gainprm"):
        assert np.array_equal(getattr(physics, field), getattr(drawn, field)), field


def test_drawn_geoms_have_no_part_in_the_physics(pair):
    _, physics, drawn = pair
    seen = drawn.geom_group < 3
    assert not drawn.geom_contype[seen].any() and not drawn.geom_conaffinity[seen].any()
    assert (physics.geom_group == 3).all() and seen.sum() >= 2
    assert names(physics, mujoco.mjtObj.mjOBJ_GEOM, physics.ngeom) == [
        drawn.geom(i).name for i in range(drawn.ngeom) if not seen[i]
    ]
    a, b = at_home(physics), at_home(drawn)
    rng = np.random.default_rng(0)
    for _ in range(60):
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


def test_every_shape_and_texture_is_generated(pair):
    _, _, drawn = pair
    assert drawn.nmesh > 0 and (drawn.mesh_pathadr < 0).all() and (drawn.tex_pathadr < 0).all()


# --- twin arms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TWINS)
def test_paddles_are_where_the_closed_form_puts_them(name):
    robot = TWINS[name]
    model = getattr(robot, name)(visual=False).compile()
    data = mujoco.MjData(model)
    rng = np.random.default_rng(1)
    low, high = robot.RADIUS_RANGE
    for _ in range(40):
        theta, lift = rng.uniform(-2.9, 2.9), rng.uniform(0.0, robot.LIFT_RANGE[1])
        radius = dict(zip("ab", rng.uniform(low, high, 2), strict=True))
        track = rng.uniform(*efem_robot.TRACK_RANGE) if name == "efem_robot" else 0.0
        moved = {"track": track} if name == "efem_robot" else {}
        joints = robot.joint_positions(**moved, lift=lift, theta=theta, radius_a=radius["a"], radius_b=radius["b"])
        put(model, data, joints)
        for arm in "ab":
            tcp = data.site(f"{arm}_tcp")
            expected = [track + radius[arm] * np.cos(theta), radius[arm] * np.sin(theta)]
            assert np.allclose(tcp.xpos[:2], expected, atol=1e-12)
            assert np.allclose(tcp.xmat.reshape(3, 3)[:, 0], (np.cos(theta), np.sin(theta), 0.0), atol=1e-12)
            height = robot.PADDLE_HEIGHT[arm] + lift + 0.0035 + HALF
            assert tcp.xpos[2] == pytest.approx(height, abs=1e-6)


@pytest.mark.parametrize("name", TWINS)
def test_radius_and_angle_are_inverse_and_the_rate_is_the_derivative(name):
    g, limits = TWINS[name].GEOMETRY, TWINS[name].RADIUS_RANGE
    radius = np.linspace(*limits, 31)
    phi = g.extension_angle(radius)
    assert np.allclose(g.radius(phi), radius, atol=1e-14)
    assert np.all(np.diff(phi) < 0) and phi.min() > 0.05  # away from the singular stretched arm
    h = 1e-6
    assert np.allclose((g.radius(phi + h) - g.radius(phi - h)) / (2 * h), g.rate(phi), rtol=1e-8)


@pytest.mark.parametrize("name", TWINS)
def test_arms_pass_each_other(name):
    """What may overlap in plan keeps apart in height, what does not keeps apart sideways."""
    robot = TWINS[name]
    model = getattr(robot, name)(visual=True).compile()
    data = mujoco.MjData(model)
    low, high = robot.RADIUS_RANGE
    put(model, data, robot.joint_positions(radius_a=low, radius_b=high))

    def span(*bodies: str) -> tuple[float, float]:
        z = []
        for g in range(model.ngeom):
            if model.geom_group[g] < 3 and model.body(model.geom_bodyid[g]).name in bodies:
                m = model.geom_dataid[g]
                if m < 0:
                    z += [data.geom_xpos[g, 2] - model.geom_size[g, 0], data.geom_xpos[g, 2] + model.geom_size[g, 0]]
                    continue
                first, count = model.mesh_vertadr[m], model.mesh_vertnum[m]
                points = model.mesh_vert[first : first + count] @ data.geom_xmat[g].reshape(3, 3).T
                z += (points[:, 2] + data.geom_xpos[g, 2]).tolist()
        return min(z), max(z)

    carried = data.site("a_tcp").xpos[2] + HALF
    below = max(carried, span("a_forearm", "a_wrist_hub", "a_paddle")[1])
    above = min(span("b_paddle", "b_wrist_hub")[0], span("b_forearm")[0])
    assert above - below > 0.005
    assert span("b_paddle", "b_wrist_hub")[0] - carried > 0.005
    # The post under the elbow of arm b against a wafer on arm a, at every pair of extensions.
    g, post = robot.GEOMETRY, robot.TWIN.link_radii[1] - 0.014
    a, b = np.meshgrid(np.linspace(low, high, 40), np.linspace(low, high, 40))
    phi = g.extension_angle(b)
    elbow = np.hypot(g.link * np.cos(phi) - a, g.offset + g.link * np.sin(phi))
    assert elbow.min() - R - post > 0.010


@pytest.mark.parametrize("name", TWINS)
def test_belts_hold_while_the_arms_swing(name):
    robot = TWINS[name]
    model = getattr(robot, name)(visual=False).compile()
    data = mujoco.MjData(model)
    low, high = robot.RADIUS_RANGE
    start, stop = low + 0.02, high - 0.02
    put(model, data, robot.joint_positions(radius_a=start, radius_b=stop))
    worst = tilt = 0.0
    dt = model.opt.timestep
    for k in range(int(0.9 / dt)):
        s, rate = smooth(k * dt, 0.7)
        for arm, begin, end in (("a", start, stop), ("b", stop, start)):
            phi = float(robot.GEOMETRY.extension_angle(begin + s * (end - begin)))
            servo(data, f"{arm}_shoulder", phi, rate * (end - begin) / float(robot.GEOMETRY.rate(phi)))
        servo(data, "theta", 0.8 * s, 0.8 * rate)
        mujoco.mj_step(model, data)
        mujoco.mj_kinematics(model, data)
        for arm in "ab":
            shoulder, elbow, wrist = (data.joint(f"{arm}_{j}").qpos[0] for j in ("shoulder", "elbow", "wrist"))
            worst = max(worst, abs(elbow + 2.0 * shoulder), abs(wrist - shoulder))
            heading = data.site(f"{arm}_tcp").xmat.reshape(3, 3)[:, 0]
            tilt = max(tilt, abs(np.arctan2(heading[1], heading[0]) - data.joint("theta").qpos[0]))
    assert worst < 2e-7 and tilt < 2e-7  # rad: below 0.1 um at the wafer
    assert np.linalg.norm(data.site("a_tcp").xpos[:2]) == pytest.approx(stop, abs=1e-3)
    assert not any(w.number for w in data.warning)


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("timestep", [0.0005, 0.001])
def test_servos_settle_without_overshoot(name, timestep):
    robot = TWINS[name]
    model = getattr(robot, name)(timestep=timestep, visual=False).compile()
    for radius in robot.RADIUS_RANGE:
        data = mujoco.MjData(model)
        joints = robot.joint_positions(radius_a=radius, radius_b=radius)
        put(model, data, joints)
        for joint in robot.JOINTS:
            servo(data, joint, joints[joint] + 1e-4)
        worst = 0.0
        for _ in range(int(0.15 / timestep)):
            mujoco.mj_step(model, data)
            share = [(data.joint(j).qpos[0] - joints[j]) / 1e-4 for j in robot.JOINTS]
            worst = max(worst, *share)
        # The lift alone carries a load that is there without a wafer's weight: its feed-forward is exact.
        assert worst < 1.05
        assert np.allclose(share, 1.0, atol=0.02), share


@pytest.mark.parametrize("name", [*TWINS, "frog_leg"])
def test_stated_servo_inertia_is_the_largest_of_the_machine(name):
    """Inertia that each drive feels, both paddles loaded, over the range of motion."""
    robot = {**TWINS, "frog_leg": frog_leg}[name]
    model = getattr(robot, name)(visual=False).compile()
    for arm in ("front", "rear") if name == "frog_leg" else ("a", "b"):
        model.body(f"{arm}_paddle").mass += wafer.MASS
    mujoco.mj_setConst(model, mujoco.MjData(model))
    data = mujoco.MjData(model)

    def positions(r: float) -> dict[str, float]:
        return robot.joint_positions(front=r) if name == "frog_leg" else robot.joint_positions(radius_a=r, radius_b=r)

    largest = dict.fromkeys(robot.JOINTS, 0.0)
    mass = np.zeros((model.nv, model.nv))
    low, high = frog.RADIUS_RANGE if name == "frog_leg" else robot.RADIUS_RANGE
    for r in np.linspace(low + 1e-3, high - 1e-3, 15):
        now, then = positions(r), positions(r + 1e-6)
        put(model, data, now)
        mujoco.mj_fullM(model, data, mass)
        for joint in robot.JOINTS:
            tangent = np.zeros(model.nv)
            if joint in ("extension", "a_shoulder", "b_shoulder"):
                mine = [j for j in now if joint == "extension" or j.startswith(joint[:2])]
                for j in mine:
                    tangent[model.joint(j).dofadr[0]] = (then[j] - now[j]) / (then[joint] - now[joint])
                tangent = np.where(np.isfinite(tangent), tangent, 0.0)
            else:
                tangent[model.joint(joint).dofadr[0]] = 1.0
            largest[joint] = max(largest[joint], float(tangent @ mass @ tangent))
    for joint, value in largest.items():
        stated = -model.actuator(f"{joint}_velocity").biasprm[2] / (2 * 1.2 * 2 * np.pi * 80.0)
        assert 0.97 * stated < value < 1.01 * stated, joint


# --- compliance and droop ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("robot", [efem_robot, dual_scara, frog_leg])
def test_mode_follows_the_extension(robot):
    c = robot.COMPLIANCE
    low, high = frog.RADIUS_RANGE if robot is frog_leg else robot.RADIUS_RANGE
    radius = np.linspace(low, high, 50)
    f = robot.frequency(radius)
    assert f[-1] == pytest.approx(robot.FLEX_FREQUENCY_HZ, rel=1e-12)
    # below its neutral radius, the elbow of a frog leg moves away from the wafer again
    falling = f[radius >= (frog.NEUTRAL_RADIUS if robot is frog_leg else low)]
    assert np.all(np.diff(falling) < 0) and f.argmin() == len(f) - 1 and f.max() < 30.0
    radial, lateral = c.frequencies(radius)
    assert np.array_equal(lateral, f) and np.all(radial > lateral[-1])
    mass = c.paddle_mass + wafer.MASS
    for k, d, mode in zip(c.stiffness(radius), c.damping(radius), (radial, lateral), strict=True):
        assert np.allclose(np.sqrt(k / mass) / (2 * np.pi), mode)
        assert np.allclose(d / (2 * np.sqrt(k * mass)), c.damping_ratio)
    grid = radius.reshape(5, 10)
    assert np.array_equal(c.stiffness(grid)[1].ravel(), c.stiffness(radius)[1])


@pytest.mark.parametrize("radius", [0.25, 0.70])
def test_paddle_rings_at_the_stated_frequency_and_damping(radius):
    model = efem_robot.efem_robot(flex_radius=radius, visual=False).compile()
    model.body("a_paddle").mass += wafer.MASS
    mujoco.mj_setConst(model, mujoco.MjData(model))
    data = mujoco.MjData(model)
    joints = efem_robot.joint_positions(radius_a=radius)
    put(model, data, joints)
    for joint in efem_robot.JOINTS:
        servo(data, joint, joints[joint])
    data.joint("a_flex_y").qpos[0] = 1e-4
    trace = np.empty(1200)
    for k in range(len(trace)):
        mujoco.mj_step(model, data)
        trace[k] = data.joint("a_flex_y").qpos[0]
    up = np.flatnonzero((trace[:-1] < 0) & (trace[1:] >= 0))
    crossing = up - trace[up] / (trace[up + 1] - trace[up])
    measured = 1.0 / (np.diff(crossing).mean() * model.opt.timestep)
    assert measured == pytest.approx(float(efem_robot.frequency(radius)), rel=0.02)
    peaks = [trace[a:b].max() for a, b in itertools.pairwise(up)]
    decay = -np.diff(np.log(peaks)).mean() / (2 * np.pi)
    assert decay == pytest.approx(efem_robot.FLEX_DAMPING_RATIO, rel=0.25)


def test_droop_lowers_the_tip_by_the_closed_form():
    angle = np.deg2rad(0.3)
    level, bent = (efem_robot.efem_robot(droop=d, visual=False).compile() for d in (0.0, angle))
    z = [at_home(m).site("a_tcp").xpos[2] for m in (level, bent)]
    stand = 0.0035 + HALF
    drop = efem_robot.GEOMETRY.wrist_to_wafer * np.sin(angle) + stand * (1 - np.cos(angle))
    assert z[0] - z[1] == pytest.approx(drop, abs=1e-6)
    droop = efem_robot.DROOP
    assert droop.drop(droop.full_radius) == pytest.approx(droop.sag)
    radius = np.linspace(0.2, droop.full_radius, 5)
    assert np.allclose(droop.drop(radius), droop.tilt(radius) * radius)


# --- frog leg ---------------------------------------------------------------------------------------------------


def elbow_gaps(data) -> list[float]:
    return [
        float(np.linalg.norm(data.site(f"{side}_elbow").xpos - data.site(f"{which}_{side}_elbow").xpos))
        for side in ("left", "right")
        for which in frog_leg.PADDLES
    ]


def test_frog_leg_closes_by_the_closed_form_over_its_range():
    model = frog_leg.frog_leg(visual=False).compile()
    data = mujoco.MjData(model)
    for radius in np.linspace(*frog.RADIUS_RANGE, 12):
        for which in frog_leg.PADDLES:
            put(model, data, frog_leg.joint_positions(theta=0.4, **{which: float(radius)}))
            assert max(elbow_gaps(data)) < 1e-12
            sign = 1.0 if which == "front" else -1.0
            expected = sign * radius * np.array([np.cos(0.4), np.sin(0.4)])
            assert np.allclose(data.site(f"{which}_tcp").xpos[:2], expected, atol=1e-12)
    phi = np.linspace(0.35, np.pi - 0.35, 40)
    front, rear = frog.radii(phi)
    assert np.allclose(frog.extension_angle(front), phi) and np.allclose(rear, front[::-1])
    # While one paddle runs all the way out, the other stays within its retracted sixth of the range.
    out = frog.radii(frog.extension_angle(np.linspace(frog.NEUTRAL_RADIUS, 1.02, 30)))[1]
    assert out.max() - out.min() < 0.17 and out.max() <= frog.NEUTRAL_RADIUS + 1e-12
    left, right = frog.motor_angles(0.3, phi)
    assert np.allclose(left + right, 0.6) and np.allclose(left - right, 2 * phi)


def test_frog_leg_paddle_runs_on_a_radial_line():
    model = frog_leg.frog_leg(visual=False).compile()
    data = mujoco.MjData(model)
    start, stop, theta = 0.50, 1.00, -0.7
    put(model, data, frog_leg.joint_positions(theta=theta, front=start))
    servo(data, "theta", theta)
    dt = model.opt.timestep
    across = turn = gap = 0.0
    for k in range(int(1.0 / dt)):
        angles = [frog.extension_angle(start + smooth(k * dt + h, 0.8)[0] * (stop - start)) for h in (0.0, 1e-5)]
        servo(data, "extension", angles[0], (angles[1] - angles[0]) / 1e-5)
        mujoco.mj_step(model, data)
        mujoco.mj_kinematics(model, data)
        angle = data.joint("theta").qpos[0]
        hub = data.body("front_hub").xpos
        across = max(across, abs(hub[1] * np.cos(angle) - hub[0] * np.sin(angle)))
        heading = data.body("front_hub").xmat.reshape(3, 3)[:, 0]
        turn = max(turn, abs(np.arctan2(heading[1], heading[0]) - angle))
        gap = max(gap, *elbow_gaps(data))
        assert abs(angle - theta) < 2e-6  # the mirrored arms do not push the turning axis
    assert across < 1e-12 and turn < 1e-12
    assert gap < 3e-6  # a loop of 0.7 m, half a metre in 0.8 s
    assert data.joint("front_radius").qpos[0] == pytest.approx(stop, abs=2e-4)


def test_frog_leg_has_two_drives_for_its_plane():
    model = frog_leg.frog_leg(visual=False).compile()
    assert {model.actuator(i).name.rsplit("_", 1)[0] for i in range(model.nu)} == set(frog_leg.JOINTS)
    kinds = {int(t) for t in model.eq_type}
    assert kinds == {int(mujoco.mjtEq.mjEQ_JOINT), int(mujoco.mjtEq.mjEQ_CONNECT)}


# --- wafer ------------------------------------------------------------------------------------------------------


def test_notch_is_a_v_of_one_millimetre():
    direction = wafer.NOTCH_DIRECTION
    assert wafer.edge_radius(direction) == pytest.approx(R - 1e-3)
    assert wafer.edge_radius(direction + 0.02) == R and wafer.edge_radius(0.0) == R
    # A point on a flank at 45 degrees: as far from the notch's axis as from its tip along it.
    off = 0.003
    rho = float(wafer.edge_radius(direction + off))
    assert rho * np.sin(off) == pytest.approx(rho * np.cos(off) - (R - 1e-3), abs=1e-12)
    angle = np.linspace(-np.pi, np.pi, 20001)
    assert np.all(wafer.edge_radius(angle + direction) == pytest.approx(wafer.edge_radius(direction - angle)))
    opening = np.ptp(angle[wafer.edge_radius(angle + direction) < R]) * R
    assert opening == pytest.approx(2e-3, rel=0.02)


def test_mass_and_inertia_follow_the_thickness():
    assert wafer.mass() == pytest.approx(wafer.MASS, rel=3e-4)
    assert np.allclose(wafer.mass(np.array([7e-4, 1.4e-3])) / wafer.mass(7e-4), (1.0, 2.0))
    spec = mujoco.MjSpec()
    wafer.add_wafer(spec, name="thin", thickness=5e-4, visual=False)
    model = spec.compile()
    mass = model.body("thin").mass[0]
    assert mass == pytest.approx(np.pi * R**2 * 5e-4 * 2329.0)
    assert np.sort(model.body("thin").inertia)[-1] == pytest.approx(0.5 * mass * R**2)


def test_warp_is_rim_minus_centre_about_the_centre_of_mass():
    warp = np.array([-3e-4, 0.0, 8e-4])
    assert np.allclose(wafer.median_height(warp, R) - wafer.median_height(warp, 0.0), warp)
    rho = (np.arange(4000) + 0.5) / 4000 * R
    assert abs(np.average(wafer.median_height(8e-4, rho), weights=rho)) < 1e-10
    drawn = warped(visual=True).compile()
    top = drawn.mesh("bowl_top")
    vertices = drawn.mesh_vert[top.vertadr[0] : top.vertadr[0] + top.vertnum[0]]
    # the compiler turns a mesh into its principal axes
    assert np.ptp(vertices, axis=0).min() == pytest.approx(4e-4, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"thickness": 0.0}, "thickness=0.0 m of wafer 'x'"), ({"warp": 0.01}, "warp=0.01 m of wafer 'x'")],
)
def test_wafer_rejects_what_no_wafer_is(arguments, message):
    with pytest.raises(ShopfloorError, match=message):
        wafer.add_wafer(mujoco.MjSpec(), name="x", **arguments)


# --- carrier ----------------------------------------------------------------------------------------------------


def carrier_with_wafer(slot: int, warp: float = 0.0, shift: tuple[float, float] = (0.0, 0.0), visual: bool = False):
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    option = spec.option
    option.timestep, option.cone, option.impratio = 0.0005, mujoco.mjtCone.mjCONE_ELLIPTIC, 100.0
    option.tolerance = 1e-12
    foup.add_foup(spec, spec.worldbody, visual=visual)
    rest = float(foup.seat_height(slot)) + HALF - float(wafer.median_height(warp, wafer.RIM_CIRCLE))
    wafer.add_wafer(spec, pos=(*shift, rest), warp=warp, rests=True, visual=visual)
    return spec.compile(), rest


def test_slots_have_the_pitch_and_the_free_gap_of_a_carrier():
    slots = np.arange(1, foup.SLOTS + 1)
    assert len(slots) == 25 and np.allclose(np.diff(foup.seat_height(slots)), 0.010)
    low, high = foup.wafer_gap(slots[1:])
    assert np.allclose(high - low, 0.010 - 775e-6)  # 9.225 mm between neighbours
    low, high = foup.shelf_opening(slots)
    assert np.all(low < foup.seat_height(slots)) and np.all(high - low > 0.0069)
    # A paddle of 3.5 mm with 1.75 mm of pads above its mid-plane goes in with room on both sides.
    assert (0.010 - 775e-6 - 0.0035) / 2 > 2.8e-3


@pytest.mark.parametrize("slot", [1, 12, 24])
def test_collision_shapes_of_a_slot_have_the_stated_clearances(slot):
    model, rest = carrier_with_wafer(slot)
    data = at_home(model)
    low, high = foup.shelf_opening(slot)
    upper, lower = f"foup_shelf_{slot + 1}_left", f"foup_shelf_{slot}_right"
    assert geom_distance(model, data, "wafer_rim", upper) == pytest.approx(float(high) - rest - HALF, abs=1e-9)
    assert geom_distance(model, data, "wafer_rim", lower) == pytest.approx(rest - HALF - float(low), abs=1e-9)
    for k in range(4):
        seat = model.geom(f"foup_seat_{slot}_{k}")
        assert seat.pos[2] + seat.size[0] == pytest.approx(float(foup.seat_height(slot)), abs=1e-15)
        assert np.hypot(*seat.pos[:2]) == pytest.approx(wafer.RIM_CIRCLE)
        assert abs(seat.pos[1]) - seat.size[0] > 0.108 + 0.010  # beside the fingers of the fork
    # the side stops leave the stated play, the opening leaves the way out free
    data.joint("wafer_free").qpos[:3] = (0.0, foup.LATERAL_PLAY - 1e-5, rest + 1e-3)
    mujoco.mj_forward(model, data)
    assert data.ncon == 0
    data.joint("wafer_free").qpos[1] = foup.LATERAL_PLAY + 1e-4
    mujoco.mj_forward(model, data)
    assert data.ncon > 0
    data.joint("wafer_free").qpos[:3] = (0.35, 0.0, rest + 1e-3)
    mujoco.mj_forward(model, data)
    assert data.ncon == 0


@pytest.mark.parametrize(("warp", "shift"), [(0.0, (0.0, 0.0)), (0.0, (0.0006, -0.0005)), (8e-4, (0.0, 0.0))])
def test_wafer_in_a_slot_does_not_drift(warp, shift):
    model, rest = carrier_with_wafer(7, warp, shift)
    data = at_home(model)
    mujoco.mj_step(model, data, nstep=300)
    seated = data.joint("wafer_free").qpos.copy()
    assert data.ncon == 4 and seated[2] == pytest.approx(rest, abs=2e-6)
    mujoco.mj_step(model, data, nstep=2000)
    assert np.abs(data.joint("wafer_free").qpos - seated).max() < 1e-9
    assert np.abs(seated[:2] - shift).max() < 1e-8


def test_cross_slotted_wafer_lies_on_two_shelves():
    model, _ = carrier_with_wafer(8)
    data = mujoco.MjData(model)
    height, quat = foup.cross_slot_pose(8)
    start = np.array([0.0, 0.0, height, *quat])
    data.joint("wafer_free").qpos[:] = start
    mujoco.mj_step(model, data, nstep=1000)
    touching = {model.geom(g).name for c in data.contact for g in c.geom} - {"wafer_rim"}
    assert touching == {f"foup_seat_{slot}_{k}" for slot, k in ((8, 0), (8, 2), (9, 1), (9, 3))}
    assert np.abs(data.joint("wafer_free").qpos - start).max() < 5e-6
    with pytest.raises(ShopfloorError, match="slot=25"):
        foup.cross_slot_pose(25)


def test_carrier_with_few_slots_costs_few_shapes_and_keeps_the_others_drawn():
    spec = mujoco.MjSpec()
    foup.add_foup(spec, spec.worldbody, slots=(3, 4), drawn_wafers=(1, 9), visual=False)
    model = spec.compile()
    seats = [n for n in names(model, mujoco.mjtObj.mjOBJ_GEOM, model.ngeom) if "_seat_" in n]
    assert len(seats) == 8 and model.nsite == 2
    with pytest.raises(ShopfloorError, match=r"slots of foup=26"):
        foup.add_foup(mujoco.MjSpec(), mujoco.MjSpec().worldbody, slots=(26,))


# --- load port, beams, aligner ------------------------------------------------------------------------------------


def test_mapping_beam_passes_every_slot_and_the_fingers_pass_no_wafer():
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    port = load_port.add_load_port(spec, spec.worldbody, "port", visual=False)
    foup.add_foup(spec, port.table, visual=False)
    model = spec.compile()
    data = mujoco.MjData(model)
    heights = []
    for down in (load_port.MAPPER_CLEARANCE, load_port.DOOR_DOWN_STROKE):
        put(model, data, {"port_door_back": 0.045, "port_door_down": down, "port_mapper": load_port.MAPPER_STROKE})
        ends = np.array([data.site(f"port_map_{end}").xpos for end in ("emitter", "receiver")])
        assert np.allclose(ends[0, [0, 2]], ends[1, [0, 2]])
        heights.append(ends[0, 2] - load_port.LOAD_HEIGHT)
        # across the axis of the wafers, closer than their radius; the fingers themselves stay outside
        assert ends[0, 0] < R < np.hypot(*ends[0, :2])
    assert load_port.OPENING_HIGH > heights[0] > foup.seat_height(25) + 0.01
    assert heights[1] < foup.seat_height(1) - 0.01


def test_mapping_beam_sees_thickness_warp_and_nothing_beside_the_wafer():
    low, high = beam.horizontal_beam_span(0.14)
    assert high - low == pytest.approx(775e-6)
    low, high = beam.horizontal_beam_span(np.array([0.0, 0.14, 0.151]), warp=6e-4)
    assert np.allclose((high - low)[:2], [775e-6 + 6e-4, 775e-6 + 6e-4 * (1 - (0.14 / R) ** 2)])
    assert np.isnan(low[2]) and np.isnan(high[2])
    up, down = beam.horizontal_beam_span(0.14, warp=6e-4), beam.horizontal_beam_span(0.14, warp=-6e-4)
    assert np.allclose(up, (-down[1], -down[0]))


def test_vertical_beam_is_blocked_inside_the_rim_but_not_in_the_notch():
    centre = np.array([0.5, -0.2])
    for angle in (0.0, 1.3):
        for direction in np.linspace(0.0, 6.0, 13):
            way = np.array([np.cos(direction), np.sin(direction)])
            assert beam.vertical_beam_blocked(centre, angle, centre + (R - 1e-6) * way)
            assert not beam.vertical_beam_blocked(centre, angle, centre + (R + 1e-6) * way)
        notch = angle + wafer.NOTCH_DIRECTION
        way = np.array([np.cos(notch), np.sin(notch)])
        assert not beam.vertical_beam_blocked(centre, angle, centre + (R - 0.9e-3) * way)
        assert beam.vertical_beam_blocked(centre, angle, centre + (R - 1.1e-3) * way)
    assert beam.vertical_beam_blocked(centre, 0.0, centre + np.array([R + 1e-4, 0.0]), radius_gain=2e-4)


def test_moving_parts_reach_both_ends_and_stay():
    model = load_port.load_port(visual=False).compile()
    data = mujoco.MjData(model)
    for share in (1.0, 0.0):
        data.ctrl[:] = share * model.actuator_ctrlrange[:, 1]
        mujoco.mj_step(model, data, nstep=1500)
        assert np.allclose(data.qpos, data.ctrl, atol=2e-5) and np.abs(data.qvel).max() < 1e-4


def efem_with(**wafers: str):
    model = efem.efem(wafers=wafers, moving=(), visual=False).compile()
    return model, at_home(model)


def test_aligner_turns_the_wafer_with_its_chuck():
    model, data = efem_with(wafer="aligner")
    dt = model.opt.timestep
    for k in range(1600):
        s, rate = smooth(k * dt, 0.7)
        servo(data, "aligner_chuck", 0.5 * np.pi * s, 0.5 * np.pi * rate)
        mujoco.mj_step(model, data)
    w, _, _, z = data.joint("wafer_free").qpos[3:]
    start = efem.stations()["aligner"]
    turned = 2.0 * np.arctan2(z, w) - start[1]
    assert turned == pytest.approx(np.pi / 2, abs=1e-4)
    assert np.abs(data.joint("wafer_free").qpos[:2] - start[0][:2]).max() < 1e-6


# --- valve and pins -----------------------------------------------------------------------------------------------


def test_valve_shuts_and_opens_the_slit():
    model = slit_valve.slit_valve(visual=False).compile()
    data = mujoco.MjData(model)
    for position, clear in ((slit_valve.GATE_STROKE, True), (0.0, False)):
        data.ctrl[0] = position
        mujoco.mj_step(model, data, nstep=800)
        assert data.joint("valve_gate").qpos[0] == pytest.approx(position, abs=1e-5)
        gate = model.geom("valve_gate_plate")
        top = data.geom("valve_gate_plate").xpos[2] + gate.size[2]
        assert (top < -slit_valve.SLIT_HEIGHT / 2) == clear
        if not clear:
            assert gate.size[1] > slit_valve.SLIT_WIDTH / 2 and gate.size[2] > slit_valve.SLIT_HEIGHT / 2
    frame = [model.geom(f"valve_frame_{side}") for side in ("left", "right", "low", "high")]
    assert frame[0].pos[1] - frame[0].size[1] == pytest.approx(0.336 / 2)
    assert frame[3].pos[2] - frame[3].size[2] == pytest.approx(0.050 / 2)


def test_pins_lift_the_wafer_off_the_pedestal_and_put_it_back():
    name = "process_2"
    model = cluster_tool.cluster_tool(present=(name,), visual=False).compile()
    data = at_home(model)
    dt, stroke, speed = model.opt.timestep, process_module.PIN_STROKE, process_module.PIN_SPEED
    mujoco.mj_step(model, data, nstep=200)
    up = data.joint("wafer_free").qpos.copy()
    assert up[2] == pytest.approx(cluster_tool.HANDOFF_HEIGHT + HALF, abs=1e-5)
    steps = int(stroke / speed / dt)
    for k in range(steps + 400):
        data.actuator(f"{name}_pins").ctrl[0] = max(0.0, stroke - speed * k * dt)
        mujoco.mj_step(model, data)
    down = data.joint("wafer_free").qpos.copy()
    pedestal = data.site(f"{name}_pedestal").xpos
    assert down[2] == pytest.approx(pedestal[2], abs=1e-5)
    touching = {model.geom(g).name for c in data.contact for g in c.geom} - {"wafer_disc", "wafer_rim"}
    assert touching == {f"{name}_bump_{k}" for k in range(3)}
    for k in range(steps + 400):
        data.actuator(f"{name}_pins").ctrl[0] = min(stroke, speed * k * dt)
        mujoco.mj_step(model, data)
    again = data.joint("wafer_free").qpos
    assert np.abs(again[:3] - up[:3]).max() < 5e-6


def test_pins_stand_clear_of_the_fork():
    """The outline of the fork around the centre of a wafer, see `wafer_arm_shapes.fork`."""
    for angle in process_module.PIN_ANGLES:
        x, y = process_module.PIN_CIRCLE * np.cos(angle), process_module.PIN_CIRCLE * np.sin(angle)
        between = abs(y) + process_module.PIN_RADIUS < 0.060 and x - process_module.PIN_RADIUS > -0.030
        outside = abs(y) - process_module.PIN_RADIUS > 0.108 + 0.005
        assert between or outside


# --- cells --------------------------------------------------------------------------------------------------------


def test_every_station_of_the_front_end_is_in_reach():
    model, data = efem_with(wafer="aligner")
    low, high = efem_robot.RADIUS_RANGE
    for name, (at, turn) in efem.stations().items():
        if name.startswith("paddle"):
            continue
        along, lift_range = np.cos(turn), efem_robot.LIFT_RANGE
        track = float(np.clip(at[0] - 0.62 * along, *efem_robot.TRACK_RANGE))
        radius = float(np.hypot(at[0] - track, at[1]))
        assert low < radius < high, name
        assert abs(turn) < efem_robot.THETA_RANGE[1]
        for arm in "ab":
            lift = at[2] - HALF - 0.0035 - efem.RAIL_HEIGHT - efem_robot.PADDLE_HEIGHT[arm]
            assert lift_range[0] + 0.003 < lift < lift_range[1] - 0.006, name  # approach below, lift off above
        joints = efem_robot.joint_positions(track=track, lift=lift, theta=turn, radius_b=radius)
        put(model, data, joints)
        assert np.allclose(data.site("b_tcp").xpos, at, atol=2e-6), name


def test_every_station_of_the_cluster_tool_is_in_reach_of_both_robots():
    for robot in cluster_tool.ROBOTS:
        model = cluster_tool.cluster_tool(robot=robot, visual=False).compile()
        data = mujoco.MjData(model)
        for name, (at, theta) in cluster_tool.stations(robot).items():
            if name.startswith("paddle"):
                continue
            assert np.allclose(data_site(model, data, f"{name}_station"), at, atol=1e-9)
            for arm in frog_leg.PADDLES if robot == "frog_leg" else "ab":
                radius = cluster_tool.STATION_RADIUS
                if robot == "frog_leg":
                    joints = frog_leg.joint_positions(theta=theta if arm == "front" else theta - np.pi, **{arm: radius})
                else:
                    joints = dual_scara.joint_positions(theta=theta, **{f"radius_{arm}": radius})
                put(model, data, joints)
                lift = at[2] - data.site(f"{arm}_tcp").xpos[2]
                top = model.joint("lift").range[1]
                assert 0.004 < lift < top - 0.004, (robot, name, arm)
                put(model, data, {"lift": float(lift)})
                assert np.allclose(data.site(f"{arm}_tcp").xpos, at, atol=2e-6)


def data_site(model, data, name: str) -> np.ndarray:
    mujoco.mj_forward(model, data)
    return data.site(name).xpos.copy()


def test_wafer_passes_the_slit_with_room_on_all_sides():
    robot_mid = cluster_tool.HANDOFF_HEIGHT - 0.0035  # paddle that holds a wafer at hand-off height
    for station, middle in (
        ("process", cluster_tool.HANDOFF_HEIGHT - process_module.PINS_UP + process_module.SLIT_MIDDLE),
        ("load_lock", cluster_tool.HANDOFF_HEIGHT + load_lock.SLIT_MIDDLE),
    ):
        low, high = middle - slit_valve.SLIT_HEIGHT / 2, middle + slit_valve.SLIT_HEIGHT / 2
        for travel in (-0.004, 0.004):  # below a resting wafer, above it with the next
            assert robot_mid + travel - 0.002 - low > 0.008, station
            assert high - (cluster_tool.HANDOFF_HEIGHT + travel + wafer.THICKNESS) > 0.008, station
    assert pytest.approx(0.018) == (slit_valve.SLIT_WIDTH - 2 * R) / 2


@pytest.mark.parametrize("cell", ["efem", "cluster_tool", "frog_leg"])
def test_nothing_touches_at_home_but_what_carries_the_wafers(cell):
    if cell == "efem":
        places = {
            "one": "load_port_1:25",
            "two": "load_lock_2",
            "three": "aligner",
            "four": "paddle_a",
            "five": "paddle_b",
        }
        model = efem.efem(wafers=places, visual=False).compile()
    elif cell == "cluster_tool":
        places = {"one": "process_1", "two": "load_lock_2", "four": "paddle_a", "five": "paddle_b"}
        model = cluster_tool.cluster_tool(wafers=places, visual=False).compile()
    else:
        places = {"one": "process_1", "two": "load_lock_2", "four": "paddle_front", "five": "paddle_rear"}
        model = cluster_tool.cluster_tool(robot="frog_leg", wafers=places, visual=False).compile()
    data = at_home(model)
    start = {name: data.body(name).xpos.copy() for name in places}
    carriers = {"load_port": "seat", "load_lock": "seat", "aligner": "aligner_pad", "process": "pin", "paddle": "pad"}
    for contact in data.contact:
        assert contact.dist > -1e-6
    mujoco.mj_step(model, data, nstep=400)
    for contact in data.contact:
        a, b = (model.geom(g).name for g in contact.geom)
        name, other = (a, b) if a.rsplit("_", 1)[0] in places else (b, a)
        station = places[name.rsplit("_", 1)[0]]
        assert carriers[next(k for k in carriers if station.startswith(k))] in other
    for name, at in start.items():
        assert np.abs(data.body(name).xpos - at).max() < 1e-5
    boundaries = [
        g for g in range(model.ngeom)
        if model.geom_type[g] == mujoco.mjtGeom.mjGEOM_BOX and not model.geom_contype[g]
    ]  # fmt: skip
    assert len(boundaries) > 10
    for name in places:
        rim = model.geom(f"{name}_rim").id
        nearest = min(mujoco.mj_geomDistance(model, data, rim, g, 0.05, None) for g in boundaries)
        assert nearest > 0.0004


def test_machines_weigh_what_such_machines_weigh():
    def moving(model, *bodies: str) -> float:
        return float(sum(model.body(b).subtreemass[0] for b in bodies))

    model = efem.efem(visual=False).compile()
    assert 12.0 < moving(model, "platform") - efem_robot.PLATFORM_MASS < 13.0
    assert 60.0 < moving(model, "carriage") < 80.0
    assert model.body("wafer").mass[0] == pytest.approx(0.1276)
    assert moving(model, "load_port_1_door_back") == pytest.approx(6.3)
    model = cluster_tool.cluster_tool(robot="frog_leg", visual=False).compile()
    assert 15.0 < moving(model, "column") < 20.0
    assert pytest.approx(0.5) == frog_leg.HUB_MASS + frog_leg.PADDLE_MASS


@pytest.mark.parametrize("cups", [0.0, 1.0, 3.0])
def test_vacuum_cups_hold_a_wafer_up_to_friction_times_weight_and_suction(cups):
    """Slowly leaning gravity pulls the wafer sideways: it must go at mu (g + 3 F / m)."""
    friction = 0.3
    model = efem.efem(wafers={"wafer": "paddle_a"}, moving=(), friction=friction, cup_force=3.0, visual=False).compile()
    model.pair_adhesion[:] = cups
    data = at_home(model)
    limit = friction * (GRAVITY + 3 * cups / wafer.MASS)
    mujoco.mj_step(model, data, nstep=100)
    start = data.joint("wafer_free").qpos[0] - data.site("a_tcp").xpos[0]
    steps = 6000
    for k in range(steps):
        pull = limit * (0.94 * min(2.0 * k / steps, 1.0) + 0.12 * max(2.0 * k / steps - 1.0, 0.0))
        model.opt.gravity[0] = pull
        mujoco.mj_step(model, data)
        if abs(data.joint("wafer_free").qpos[0] - data.site("a_tcp").xpos[0] - start) > 2e-5:
            break
    assert pull / limit == pytest.approx(1.0, abs=0.01)


def run_move(model, data, start: dict, stop: dict, duration: float, watch=lambda: None) -> None:
    """Drive the named joints from `start` to `stop` and let them settle; `watch` is called after every step."""
    dt = model.opt.timestep
    for k in range(int((duration + 0.1) / dt)):
        s, rate = smooth(k * dt, duration)
        for joint, end in stop.items():
            servo(data, joint, start[joint] + s * (end - start[joint]), rate * (end - start[joint]))
        mujoco.mj_step(model, data)
        watch()


@pytest.mark.parametrize("slot", [2, 24])
def test_robot_gets_a_wafer_from_a_slot(slot):
    """Reach in below the wafer, lift it off, take it out: it keeps its place on the paddle and clears the shelves."""
    places = {"wafer": f"load_port_2:{slot}", "above": f"load_port_2:{slot + 1}", "below": f"load_port_2:{slot - 1}"}
    model = efem.efem(wafers=places, moving=(), visual=False).compile()
    data = at_home(model)
    reach, height = -efem.PORT_Y, efem.stations()[places["wafer"]][0][2] - HALF
    low = height - 0.0035 - efem.RAIL_HEIGHT - efem_robot.PADDLE_HEIGHT["a"] - 0.0020  # in the middle of the gap
    joints = efem_robot.joint_positions(lift=low, theta=efem.TO_LOAD_PORT, radius_a=0.18, radius_b=0.18)
    put(model, data, joints)
    for joint in efem_robot.JOINTS:
        servo(data, joint, joints[joint])
    back, out = (float(efem_robot.GEOMETRY.extension_angle(r)) for r in (0.18, reach))
    others = [model.geom(f"{w}_disc").id for w in ("above", "below")]
    others += [model.geom(f"load_port_2_foup_shelf_{s}_left").id for s in (slot, slot + 1)]
    rim, cup = model.geom("wafer_rim").id, model.geom("a_pad_1").id
    nearest = {"paddle": 1.0, "wafer": 1.0}

    def watch(which: str, geom: int):
        def check() -> None:
            distance = min(mujoco.mj_geomDistance(model, data, geom, g, 0.1, None) for g in others)
            nearest[which] = min(nearest[which], distance)

        return check

    run_move(model, data, {"a_shoulder": back}, {"a_shoulder": out}, 1.0, watch("paddle", cup))
    assert {model.geom(g).name for c in data.contact for g in c.geom} >= {f"load_port_2_foup_seat_{slot}_0"}
    run_move(model, data, {"lift": low}, {"lift": low + 0.0046}, 0.6)
    carried = {model.geom(g).name for c in data.contact for g in c.geom if "wafer_disc" in
               (model.geom(c.geom[0]).name, model.geom(c.geom[1]).name)}  # fmt: skip
    assert carried == {"wafer_disc", "a_pad_0", "a_pad_1", "a_pad_2"}
    run_move(model, data, {"a_shoulder": out}, {"a_shoulder": back}, 1.0, watch("wafer", rim))
    offset = data.body("wafer").xpos - data.site("a_tcp").xpos
    assert np.abs(offset[:2]).max() < 5e-5
    assert nearest["wafer"] > 0.0025 and nearest["paddle"] > 0.0018
    for name in ("above", "below"):
        assert np.abs(data.body(name).xpos - efem.stations()[places[name]][0]).max() < 1e-6


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: efem.efem(wafers={"w": "load_port_4:1"}), "w at 'load_port_4:1'"),
        (lambda: efem.efem(wafers={"w": "aligner", "v": "aligner"}), "two of them at 'aligner'"),
        (lambda: efem.efem(wafers={"a b": "aligner"}), "name 'a b'"),
        (lambda: efem.efem(slots={"port": (1,)}), "slots: 'port'"),
        (lambda: efem.efem(moving=("aligner",)), "moving: 'aligner'"),
        (lambda: efem.efem(timestep=0.003), "timestep=0.003"),
        (lambda: cluster_tool.cluster_tool(robot="arm"), "robot='arm'"),
        (lambda: cluster_tool.cluster_tool(present=("process_9",)), "present: 'process_9'"),
        (lambda: cluster_tool.cluster_tool(present=("process_1",), wafers={"w": "process_2"}), "w at 'process_2'"),
        (lambda: efem_robot.joint_positions(radius_a=0.9), "radius_a=0.9"),
        (lambda: dual_scara.dual_scara(flex_radius=2.0), "flex_radius=2.0"),
        (lambda: frog_leg.joint_positions(rear=0.2), "rear=0.2"),
    ],
)
def test_wrong_arguments_are_explained(build, message):
    with pytest.raises(ShopfloorError, match=message):
        build()


def test_fixed_doors_leave_fewer_joints_but_the_same_robot():
    full, few = efem.efem(visual=False).compile(), efem.efem(moving=(), visual=False).compile()
    assert full.nv - few.nv == 3 * 3 + 2 * 2
    robot = [n for n in names(few, mujoco.mjtObj.mjOBJ_JOINT, few.njnt) if not n.startswith("load")]
    assert robot == [n for n in names(full, mujoco.mjtObj.mjOBJ_JOINT, full.njnt) if not n.startswith("load")]


def test_coupled_joint_model_names_its_couplings():
    model = efem_robot.efem_robot(visual=False).compile()
    assert names(model, mujoco.mjtObj.mjOBJ_EQUALITY, model.neq) == [
        f"{arm}_{joint}_coupling" for arm in "ab" for joint in ("elbow", "wrist")
    ]
    assert wafer_arm.COUPLING_SOLIMP[0] > 0.999


PICTURES = """
import sys, json, mujoco
from shopfloor.assets.cells import cluster_tool, efem
statistics = {}
for name, spec in (("efem", efem.efem()), ("cluster_tool", cluster_tool.cluster_tool())):
    model = spec.compile()
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
        statistics[f"{name} {model.camera(i).name}"] = (picture.mean(), picture.std())
    renderer.close()
print(json.dumps(statistics))
"""


def test_every_camera_of_a_cell_shows_a_picture():
    # the backend is chosen when mujoco is imported, hence a process of its own
    environment = {**os.environ, "MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl")}
    done = subprocess.run(
        [sys.executable, "-c", PICTURES], env=environment, capture_output=True, text=True, timeout=300
    )
    if "no GL" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    statistics = json.loads(done.stdout)
    expected = {f"efem {c}" for c in efem.CAMERAS} | {f"cluster_tool {c}" for c in cluster_tool.CAMERAS}
    assert set(statistics) == expected
    for camera, (mean, spread) in statistics.items():
        assert 60.0 < mean < 225.0 and spread > 15.0, camera
