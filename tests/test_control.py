"""Action interfaces: what a set-point does to the arm, and what it can never do."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from engine_checks import Case, assert_same

from shopfloor.envs.arms.reach import ACTIONS, ARM_LIMITS
from shopfloor.envs.control.joint import ramp
from shopfloor.envs.control.tcp import damped_least_squares
from shopfloor.envs.engine.core import BatchedCell
from shopfloor.frames import rotate
from shopfloor.limits import MotionLimiter

REACH = "shopfloor/ArmReach-v0"


def cell(action: str, n: int = 1, **kwargs: Any) -> BatchedCell:
    """An arm whose episodes do not end."""
    made = Case(REACH, {"action": action}).cell(n, max_steps=10**6, **kwargs)
    made.task.terminate_on_success = False
    object.__setattr__(made.task, "failures", lambda s: {k: np.zeros(s.n, bool) for k in made.task.failure_texts})
    made.reset(seeds=np.arange(n))
    return made


def limits_hold(c: BatchedCell, before: dict[str, np.ndarray], dt: float) -> None:
    """Between two control steps the reference changes within velocity, acceleration and jerk limits."""
    s = c.s
    slack = 1.0 + 1e-9
    velocity = (s.joint_reference - before["joint_reference"]) / dt
    acceleration = (s.joint_reference_velocity - before["joint_reference_velocity"]) / dt
    jerk = (s.joint_reference_acceleration - before["joint_reference_acceleration"]) / dt
    assert (np.abs(velocity) <= ARM_LIMITS.velocity * slack).all()
    assert (np.abs(acceleration) <= ARM_LIMITS.acceleration * slack).all()
    assert (np.abs(jerk) <= ARM_LIMITS.jerk * slack).all()
    assert (s.joint_reference >= ARM_LIMITS.low - 1e-9).all() and (s.joint_reference <= ARM_LIMITS.high + 1e-9).all()


@pytest.mark.parametrize("action", ACTIONS)
def test_declaration(action: str):
    c = cell(action, 2)
    assert c.action.name == action
    assert all(t.low == -t.high and t.unit and t.description for t in c.terms)
    assert len({t.name for t in c.terms}) == 6
    limits = json.loads(json.dumps(c.action.limits()))
    assert limits["velocity"] == ARM_LIMITS.velocity.tolist()
    assert len(limits["joints"]) == 6


@pytest.mark.parametrize("action", ["joint_position", "joint_velocity", "tcp_twist"])
@pytest.mark.parametrize("kind", ["noise", "bang-bang", "one end", "sweep"])
def test_references_stay_inside_the_motion_limits(action: str, kind: str):
    c = cell(action, 8, threads=1)
    rng = np.random.default_rng(3)
    ends = rng.choice([-1.0, 1.0], (8, 6))
    for step in range(260):
        if kind == "noise":
            command = rng.uniform(-1.0, 1.0, (8, 6))
        elif kind == "bang-bang":
            command = rng.choice([-1.0, 1.0], (8, 6))
        elif kind == "one end":
            command = ends
        else:
            command = ends * np.sin(0.02 * step * (1.0 + np.arange(6)))
        before = {k: v.copy() for k, v in c.s.get_state().items() if k.startswith("joint_reference")}
        c.step(c.setpoints(command))
        limits_hold(c, before, c.timing.control_dt)


@pytest.mark.parametrize("action", ["joint_position", "joint_velocity"])
def test_arm_stops_at_the_end_of_a_joint(action: str):
    c = cell(action, 2)
    command = np.zeros((2, 6))
    command[0, 2], command[1, 2] = 1.0, -1.0  # the elbow, whose range is the smallest
    for _ in range(150):
        c.step(c.setpoints(command))
    elbow = c.s.joint_reference[:, 2]
    assert (np.abs(elbow) <= ARM_LIMITS.high[2]).all()
    assert (np.abs(elbow) > ARM_LIMITS.high[2] - 0.02).all(), "the whole range can be used"
    assert (np.abs(c.s.joint_reference_velocity[:, 2]) < 0.01).all()


def test_increments_add_up():
    c = cell("joint_position")
    start = c.s.joint_target.copy()
    for _ in range(10):
        c.step(np.full((1, 6), 1e-3))
    np.testing.assert_allclose(c.s.joint_target, start + 10e-3, atol=1e-12)
    for _ in range(60):
        c.step(np.zeros((1, 6)))
    np.testing.assert_allclose(c.s.joint_reference, start + 10e-3, atol=1e-5)
    np.testing.assert_allclose(c.sim.qpos[:, :6], start + 10e-3, atol=1e-4)


def test_full_increments_sustain_full_speed():
    c = cell("joint_position")
    for _ in range(45):
        c.step(c.setpoints(np.array([[1.0, 0, 0, 0, 0, 0]])))
    speed = c.s.joint_reference_velocity[0, 0]
    assert 0.97 * ARM_LIMITS.velocity[0] < speed <= ARM_LIMITS.velocity[0] * (1 + 1e-12)


def test_target_does_not_wind_up():
    """After a long push in one direction the arm turns round as soon as it can stop, not after the push is undone."""
    c = cell("joint_position")
    forward, back = (c.setpoints(np.full((1, 6), a)) for a in (1.0, -1.0))
    for _ in range(60):
        c.step(forward)
        lead = np.abs(c.s.joint_target - c.s.joint_reference)
        assert (lead <= c.action._lead + 1e-12).all()
    velocity = c.s.joint_reference_velocity.copy()
    steps = 0
    while steps < 60 and not (c.s.joint_reference_velocity[0, :2] < 0.0).all():
        c.step(back)
        steps += 1
    # jerk-limited braking from full speed takes this long; undoing 60 increments would take 1.2 s
    stop_s = velocity[0, 0] / ARM_LIMITS.acceleration[0] + ARM_LIMITS.acceleration[0] / ARM_LIMITS.jerk[0]
    assert (steps - 1) * c.timing.control_dt < stop_s + 0.15


def test_target_at_the_end_of_the_range_comes_back_at_once():
    c = cell("joint_position")
    for _ in range(150):
        c.step(c.setpoints(np.array([[0.0, 0, 1.0, 0, 0, 0]])))
    assert c.s.joint_target[0, 2] == ARM_LIMITS.high[2]
    c.step(c.setpoints(np.array([[0.0, 0, -1.0, 0, 0, 0]])))
    assert c.s.joint_target[0, 2] < ARM_LIMITS.high[2]


def test_velocity_is_reached_and_held():
    c = cell("joint_velocity")
    wanted = np.array([[0.5, -0.4, 0.3, 0.6, -0.7, 0.8]])
    for _ in range(30):
        c.step(wanted)
    np.testing.assert_allclose(c.s.joint_reference_velocity, wanted, rtol=1e-3)
    np.testing.assert_allclose(c.sim.qvel[:, :6], wanted, rtol=0.03, atol=0.01)


def test_torque_accelerates_as_the_dynamics_say():
    import mujoco

    c = cell("joint_torque")
    wanted = np.array([[20.0, 15.0, 10.0, 3.0, 3.0, 3.0]])
    data = mujoco.MjData(c.model)
    mujoco.mj_setState(c.model, data, c.sim.batch.state[0], int(mujoco.mjtState.mjSTATE_INTEGRATION))
    c.step(wanted)
    start = np.zeros(6)
    end = np.minimum(wanted[0], c.action._torque_step)
    for command in ramp(start[None], end[None], c.timing.substeps)[0]:
        data.ctrl[:] = command
        mujoco.mj_step(c.model, data)
    np.testing.assert_allclose(c.sim.qvel[0], data.qvel, rtol=0, atol=1e-12)
    for _ in range(3):
        c.step(wanted)
    assert_same(c.s.joint_torque_reference, wanted)


def test_torque_is_bounded_in_rate_and_range():
    c = cell("joint_torque", 4)
    rng = np.random.default_rng(0)
    for _ in range(40):
        before = c.s.joint_torque_reference.copy()
        c.step(c.setpoints(rng.choice([-1.0, 1.0], (4, 6))))
        after = c.s.joint_torque_reference
        assert (np.abs(after) <= c.action.torque + 1e-12).all()
        driven = np.sign(after) == np.sign(after - before)  # a torque may be taken away at once
        assert (
            np.abs(after - before)[driven] <= np.broadcast_to(c.action._torque_step, after.shape)[driven] + 1e-9
        ).all()


def test_torque_does_not_drive_on_a_joint_that_is_too_fast():
    c = cell("joint_torque", 12, threads=1)
    for row in range(12):
        c.sim.qpos[row] = c.sim.qpos[0]
    c.sim.forward()
    command = np.concatenate([np.eye(6), -np.eye(6)])
    ever = np.zeros((12, 6), dtype=bool)
    for _ in range(60):
        velocity = c.sim.qvel[:, :6].copy()
        c.step(c.setpoints(command))
        fast = np.abs(velocity) > ARM_LIMITS.velocity
        assert (c.s.joint_torque_reference[fast] * np.sign(velocity[fast]) <= 0.0).all()
        ever |= fast
    assert ever[np.arange(12), np.arange(12) % 6].all(), "full torque makes every joint too fast"


def test_tcp_moves_as_commanded():
    """One component at a time: the TCP's velocity, measured on the arm, is the commanded twist."""
    c = cell("tcp_twist", 12, threads=1)
    for row in range(12):
        c.sim.qpos[row] = c.sim.qpos[0]
    c.sim.forward()
    rows = np.arange(12)
    c.action.reset(c.s, rows)
    twist = 0.2 * np.concatenate([np.eye(6), -np.eye(6)])
    position = c.sim.output("site_xpos", "site", "tcp")
    linear_body = c.sim.id("body", "tool")
    for _ in range(12):
        c.step(twist)
    velocity = np.zeros((12, 6))
    before = position.copy()
    jacobian_p, jacobian_r = c.sim.jacobian(linear_body, position)
    velocity[:, :3] = np.einsum("nij,nj->ni", jacobian_p, c.sim.qvel)
    velocity[:, 3:] = np.einsum("nij,nj->ni", jacobian_r, c.sim.qvel)
    np.testing.assert_allclose(velocity, twist, atol=0.012)
    c.step(twist)
    moved = (position - before) / c.timing.control_dt
    np.testing.assert_allclose(moved, twist[:, :3], atol=0.012)


def test_twist_that_is_too_fast_keeps_its_direction():
    """Joint speeds are scaled together where one would exceed its limit."""
    c = cell("tcp_twist")
    jacobian_p, jacobian_r = c.sim.jacobian(c.sim.id("body", "tool"), c.sim.output("site_xpos", "site", "tcp"))
    jacobian = np.concatenate([jacobian_p, jacobian_r], axis=1)
    # near the axis of the pan joint, a sideways motion needs more than it has
    twist = np.array([[0.0, 0.5, 0.0, 0.0, 0.0, 0.0]]) * 8.0
    velocity = damped_least_squares(jacobian, twist, c.action.damping, c.action.threshold)
    excess = np.max(np.abs(velocity) / ARM_LIMITS.velocity)
    assert excess > 1.0
    scaled = velocity / excess
    achieved = np.einsum("nij,nj->ni", jacobian, scaled)
    np.testing.assert_allclose(achieved[0] / achieved[0, 1], twist[0] / twist[0, 1], atol=1e-3)


def test_damped_least_squares():
    rng = np.random.default_rng(1)
    jacobian = rng.normal(size=(20, 6, 6))
    twist = rng.normal(size=(20, 6))
    regular = damped_least_squares(jacobian, twist, 0.05, 1e-6)
    np.testing.assert_allclose(np.einsum("nij,nj->ni", jacobian, regular), twist, atol=1e-4)
    singular = jacobian.copy()
    singular[:, :, 5] = singular[:, :, 4]
    bounded = damped_least_squares(singular, twist, 0.05, 0.02)
    # the gain of damped least squares is at most 1 / (2 lambda)
    assert (np.linalg.norm(bounded, axis=1) <= np.linalg.norm(twist, axis=1) / (2 * 0.05) + 1e-9).all()
    redundant = rng.normal(size=(3, 6, 7))
    shortest = damped_least_squares(redundant, twist[:3], 0.05, 1e-6)
    for i in range(3):
        np.testing.assert_allclose(shortest[i], np.linalg.pinv(redundant[i]) @ twist[i], atol=1e-5)


def test_tcp_twist_through_a_singularity():
    """Stretching the arm out is a singularity of the elbow: nothing breaks, no joint exceeds its limits."""
    c = cell("tcp_twist", 2)
    for _ in range(150):
        before = {k: v.copy() for k, v in c.s.get_state().items() if k.startswith("joint_reference")}
        c.step(c.setpoints(np.array([[1.0, 0, 0, 0, 0, 0], [0.0, 0, 1.0, 0, 0, 0]])))
        limits_hold(c, before, c.timing.control_dt)
        assert np.isfinite(c.sim.qpos).all()


@pytest.mark.parametrize("action", ACTIONS)
def test_zero_holds_still(action: str):
    c = cell(action, 3)
    start = c.sim.qpos.copy()
    for _ in range(50):
        c.step(np.zeros((3, 6)))
    assert np.abs(c.sim.qpos - start).max() < 2e-3
    np.testing.assert_allclose(c.sim.qvel, 0.0, atol=5e-3)


@pytest.mark.parametrize("action", ["joint_position", "joint_velocity", "tcp_twist"])
def test_servos_follow_the_reference(action: str):
    """The arm follows its reference as closely as servos of this bandwidth do."""
    c = cell(action, 6, threads=1)
    rng = np.random.default_rng(2)
    worst = 0.0
    for step in range(80):
        if step % 16 == 0:  # gently, so that the arm does not run into the table
            command = rng.uniform(-0.3, 0.3, (6, 6))
        c.step(c.setpoints(command))
        lag = np.abs(c.s.joint_reference - c.sim.qpos[:, :6])
        # a moving set-point is followed 37 ms late
        allowed = 0.045 * ARM_LIMITS.velocity + 0.01
        worst = max(worst, (lag / allowed).max())
    assert worst < 1.0


def test_ramp_ends_at_its_end():
    commands = ramp(np.array([[1.0, -2.0]]), np.array([[2.0, 2.0]]), 4)
    np.testing.assert_allclose(commands[0, :, 0], [1.25, 1.5, 1.75, 2.0])
    assert_same(commands[0, -1], np.array([2.0, 2.0]))


def test_rotation_of_the_tcp_is_about_world_axes():
    c = cell("tcp_twist")
    quaternion = c.s.tcp_quaternion[0].copy()
    axis_before = rotate(quaternion, np.array([1.0, 0.0, 0.0]))
    for _ in range(20):
        c.step(np.array([[0.0, 0, 0, 0, 0, 0.5]]))
    axis = rotate(c.s.tcp_quaternion[0], np.array([1.0, 0.0, 0.0]))
    turned = np.arctan2(axis[1], axis[0]) - np.arctan2(axis_before[1], axis_before[0])
    assert 0.08 < (turned + np.pi) % (2 * np.pi) - np.pi < 0.2, "positive about world z is to the left seen from above"


def test_approach_distance_is_the_inverse_of_approach_speed():
    limiter = MotionLimiter(ARM_LIMITS, 0.02)
    for share in (0.0, 0.01, 0.3, 1.0):
        speed = share * ARM_LIMITS.velocity
        np.testing.assert_allclose(limiter.approach_speed(limiter.approach_distance(speed)), speed, atol=1e-12)
