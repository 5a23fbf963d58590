"""The wafer on its pads, the flexible arm and the servos, against closed forms.

The rows of one `Batch` or plain MuJoCo loops are used directly here: it is the model that is tested, not the task.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import mujoco
import numpy as np
import pytest
from engine_checks import Case

from shopfloor.assets.cells.transfer_chamber import (
    BASE_HEIGHT,
    PAD_PAIRS,
    SOLIMP,
    SOLREF,
    friction_damping,
    home_qpos,
    transfer_chamber,
)
from shopfloor.assets.parts import wafer
from shopfloor.assets.robots import vacuum_scara
from shopfloor.assets.robots.vacuum_scara import LINK_LENGTH, WRIST_TO_WAFER, flexure
from shopfloor.envs.wafer.kinematics import joints_from_polar
from shopfloor.envs.wafer.profiles import GRAVITY, tilt_limits

FRICTIONS = [0.05, 0.1, 0.2, 0.4, 0.7, 1.0]
TIMESTEP = 0.0005

# -- a linear stage with the cell's pads ----------------------------------------------------------------------------


class Stage:
    """A 20 kg stage on rails along x and y that carries the wafer on the pads of the transfer chamber."""

    MASS = 20.0

    def __init__(self, friction: float, timestep: float = TIMESTEP, tilt: float = 0.0):
        spec = mujoco.MjSpec()
        spec.compiler.degree = False
        source = transfer_chamber(timestep=timestep, visual=False)
        for name in ("timestep", "integrator", "cone", "solver", "impratio", "tolerance", "disableflags"):
            setattr(spec.option, name, getattr(source.option, name))
        spec.option.gravity = [GRAVITY * math.sin(tilt), 0.0, -GRAVITY * math.cos(tilt)]
        stage = spec.worldbody.add_body(name="stage", mass=self.MASS, inertia=[1.0, 1.0, 1.0])
        for name, axis in (("x", [1, 0, 0]), ("y", [0, 1, 0])):
            stage.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=axis)
            spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        radius, circle = vacuum_scara.PAD_RADIUS, vacuum_scara.PAD_CIRCLE_RADIUS
        for k, angle in enumerate(vacuum_scara.PAD_ANGLES):
            at = [circle * math.cos(angle), circle * math.sin(angle), -radius]
            stage.add_geom(
                name=f"pad_{k}", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[radius, 0, 0], pos=at, mass=0.0,
                contype=0, conaffinity=0,
            )  # fmt: skip
            spec.add_pair(
                name=PAD_PAIRS[k], geomname1="wafer_disc", geomname2=f"pad_{k}", condim=3,
                friction=[friction, friction, 0.005, 0.0001, 0.0001], solref=SOLREF, solimp=SOLIMP,
                solreffriction=[0.0, -friction_damping(timestep)],
            )  # fmt: skip
        height = 0.5 * wafer.THICKNESS - vacuum_scara.SEAT_PENETRATION
        wafer.add_wafer(spec, pos=(0.0, 0.0, height), visual=False)
        self.model = spec.compile()
        chamber = source.compile()
        np.testing.assert_array_equal(self.model.pair_solref, chamber.pair_solref)
        np.testing.assert_array_equal(self.model.pair_solimp, chamber.pair_solimp)
        np.testing.assert_array_equal(self.model.pair_solreffriction, chamber.pair_solreffriction)
        self.data = mujoco.MjData(self.model)
        self.run(0.0, 0.0, 0.05)

    def run(self, ax: float, ay: float, duration: float) -> np.ndarray:
        """Accelerate for a time; displacement (2,) of the wafer on the stage, m, gained on the way."""
        total = self.MASS + wafer.MASS
        before = self.slip()
        # gravity along a tilted stage is carried by the drive
        self.data.ctrl[:] = total * (np.array([ax, ay]) - self.model.opt.gravity[:2])
        for _ in range(round(duration / self.model.opt.timestep)):
            mujoco.mj_step(self.model, self.data)
        return self.slip() - before

    def slip(self) -> np.ndarray:
        return self.data.qpos[2:4] - self.data.qpos[:2]


@pytest.mark.parametrize("friction", FRICTIONS)
def test_slip_threshold_on_a_stage_is_within_one_percent(friction: float):
    limit, duration = friction * GRAVITY, 0.4
    slipped = 0.5 * 0.01 * limit * duration**2  # what one percent too much amounts to
    for heading in (0.0, 2.0):
        direction = np.array([math.cos(heading), math.sin(heading)])
        holds = Stage(friction).run(*(0.99 * limit * direction), duration)
        slips = Stage(friction).run(*(1.01 * limit * direction), duration)
        assert np.linalg.norm(holds) < 0.05 * slipped
        assert 0.5 * slipped < -(slips @ direction) < 2.0 * slipped


@pytest.mark.parametrize("friction", FRICTIONS)
def test_creep_at_half_the_threshold(friction: float):
    stage = Stage(friction)
    stage.run(0.5 * friction * GRAVITY, 0.0, 0.1)
    assert np.linalg.norm(stage.run(0.5 * friction * GRAVITY, 0.0, 1.0)) <= 1e-6


def test_creep_on_a_tilted_paddle():
    """A tilt pulls for ever, so this is where creep would add up."""
    friction = 0.2
    stage = Stage(friction, tilt=math.atan(0.5 * friction))
    stage.run(0.0, 0.0, 0.1)
    assert np.linalg.norm(stage.run(0.0, 0.0, 1.0)) <= 1e-6


@pytest.mark.parametrize("sense", [1.0, -1.0])
def test_tilt_shifts_the_threshold_as_the_closed_form_says(sense: float):
    """Accelerating along a paddle whose tip hangs down helps, against it hurts."""
    friction, tilt = 0.2, math.radians(1.0)
    outward, inward = tilt_limits(np.array(friction), np.array(tilt))
    # in the frame of the tilted stage, +x points down the slope; the closed form is about horizontal acceleration
    limit = float(outward if sense > 0 else inward)
    for share, slips in ((0.99, False), (1.01, True)):
        stage = Stage(friction, tilt=tilt)
        # horizontal acceleration a has the components a cos(tilt) along the stage and -a sin(tilt) across it
        along, across = sense * share * limit * math.cos(tilt), sense * share * limit * math.sin(tilt)
        stage.model.opt.gravity[2] = -GRAVITY * math.cos(tilt) + across
        gained = np.linalg.norm(stage.run(along, 0.0, 0.4))
        assert (gained > 0.3 * 0.5 * 0.01 * limit * 0.16) == slips, (share, gained)


@pytest.mark.parametrize("friction", [0.1, 0.2, 0.35])
def test_sliding_wafer_is_pulled_by_its_friction(friction: float):
    """On average: sliding contacts chatter in this engine, the more the faster they slide."""
    stage = Stage(friction)
    stage.run(1.05 * friction * GRAVITY, 0.0, 0.05)
    before = stage.data.qvel[2]
    stage.run(1.05 * friction * GRAVITY, 0.0, 0.2)
    assert (stage.data.qvel[2] - before) / 0.2 == pytest.approx(friction * GRAVITY, rel=0.02)


# -- the robot --------------------------------------------------------------------------------------------------


class Chamber:
    """The transfer chamber, driven along polar paths through its servos."""

    def __init__(self, friction: float = 0.2, radius: float = 0.6, theta: float = 0.0, **kwargs: Any):
        self.model = transfer_chamber(timestep=TIMESTEP, visual=False, **kwargs).compile()
        self.data = mujoco.MjData(self.model)
        self.model.pair_friction[:, :2] = friction
        mujoco.mj_resetDataKeyframe(self.model, self.data, self.model.key("home").id)
        position, _ = self.joints(radius, theta, 0.0, 0.0)
        names = ("shoulder", "elbow", "wrist")
        self.arm = [self.model.joint(n).qposadr[0] for n in names]
        self.position = [self.model.actuator(f"{n}_position").id for n in names]
        self.velocity = [self.model.actuator(f"{n}_velocity").id for n in names]
        self.data.qpos[self.arm] = position
        self.data.ctrl[self.position] = position
        free = self.model.joint("wafer_free").qposadr[0]
        self.data.qpos[free : free + 2] = radius * math.cos(theta), radius * math.sin(theta)
        self.data.qpos[free + 3 : free + 7] = math.cos(theta / 2), 0.0, 0.0, math.sin(theta / 2)
        self.step(100)

    @staticmethod
    def joints(radius: float, theta: float, radius_rate: float, theta_rate: float) -> tuple[np.ndarray, np.ndarray]:
        arguments = (np.array([x]) for x in (radius, theta, radius_rate, theta_rate))
        position, rate = joints_from_polar(*arguments, LINK_LENGTH, WRIST_TO_WAFER)
        return position[0], rate[0]

    def step(self, steps: int = 1) -> None:
        for _ in range(steps):
            mujoco.mj_step(self.model, self.data)

    def command(self, radius: float, theta: float, radius_rate: float, theta_rate: float) -> None:
        """One physics step toward a point of the path, reached at its end."""
        position, rate = self.joints(radius, theta, radius_rate, theta_rate)
        self.data.ctrl[self.position], self.data.ctrl[self.velocity] = position, rate
        self.step()

    def seat(self) -> np.ndarray:
        """Displacement (2,) of the wafer on the paddle, m, up to date."""
        mujoco.mj_forward(self.model, self.data)
        sensor = self.model.sensor("wafer_in_paddle_position")
        return self.data.sensordata[sensor.adr[0] : sensor.adr[0] + 2].copy()


@pytest.mark.parametrize("friction", FRICTIONS)
@pytest.mark.parametrize(("start", "sense"), [(0.45, 1.0), (0.90, -1.0)], ids=["out", "in"])
def test_slip_threshold_on_the_paddle_is_within_one_percent(friction: float, start: float, sense: float):
    """Along the radius of the real arm; its mode is damped here, so that the acceleration is the commanded one."""
    limit, onset, length = friction * GRAVITY, 0.2, 0.45
    slips = []
    for share in (0.99, 1.01):
        chamber = Chamber(friction, radius=start, soft=flexure(40.0, 1.0))
        seat = chamber.seat()
        distance = speed = sliding_s = 0.0
        while distance < length:
            t = sliding_s + 0.5 * TIMESTEP
            wanted = share * limit * math.sin(0.5 * math.pi * min(1.0, t / onset)) ** 2
            distance += TIMESTEP * (speed + 0.5 * TIMESTEP * wanted)
            speed += TIMESTEP * wanted
            sliding_s += TIMESTEP
            chamber.command(start + sense * distance, 0.0, sense * speed, 0.0)
        slips.append(np.linalg.norm(chamber.seat() - seat))
    assert slips[0] < 25e-6
    assert slips[1] > 0.5 * 0.5 * 0.01 * limit * (sliding_s - onset) ** 2


def test_creep_on_the_paddle_of_a_drooping_arm():
    """A quarter of the friction angle for 3 s: far beyond any droop of the task."""
    friction = 0.2
    model = Chamber(friction)
    angle = math.atan(0.25 * friction)
    paddle = model.model.body("paddle").id
    model.model.body_quat[paddle] = vacuum_scara.droop_quat(angle)
    mujoco.mj_setConst(model.model, mujoco.MjData(model.model))
    mujoco.mj_forward(model.model, model.data)
    free = model.model.joint("wafer_free").qposadr[0]
    tcp = model.data.site("tcp")
    model.data.qpos[free : free + 3] = tcp.xpos
    model.data.qpos[free + 3 : free + 7] = vacuum_scara.droop_quat(angle)
    model.step(2000)
    before = model.seat()
    model.step(4000)
    assert np.linalg.norm(model.seat() - before) / 2.0 <= 1e-6


def test_radial_drift_on_a_steady_turn():
    """1 rad/s at 0.6 m: the engine leaves a term of rotating contacts out, the contact parameters make up for it."""
    chamber = Chamber(0.2, radius=0.6)
    angle, rate = 0.0, 0.0
    for k in range(round(0.6 / TIMESTEP)):
        rate = min(1.0, (k + 1) * TIMESTEP / 0.5)
        angle += rate * TIMESTEP
        chamber.command(0.6, angle, 0.0, rate)
    start = chamber.seat()
    for _ in range(round(2.0 / TIMESTEP)):
        angle += rate * TIMESTEP
        chamber.command(0.6, angle, 0.0, rate)
    drift = (chamber.seat() - start) / 2.0
    assert abs(drift[0]) <= 20e-6 and abs(drift[1]) <= 20e-6
    tcp = chamber.data.site("tcp").xpos
    assert math.hypot(tcp[0], tcp[1]) == pytest.approx(0.6, abs=3e-4)


@pytest.mark.parametrize("axis", [0, 1], ids=["radial", "lateral"])
@pytest.mark.parametrize(("frequency", "damping"), [(10.0, 0.01), (14.0, 0.02), (20.0, 0.03)])
@pytest.mark.parametrize("held", [True, False], ids=["wrist held", "on servos"])
def test_mode_rings_at_its_frequency_and_with_its_damping(frequency: float, damping: float, axis: int, held: bool):
    """Ring-down with the wafer seated, through the task's own randomized fields.

    The declared values are those with the wrist held. The servos give way a little, across the arm more than along it,
    and take energy out: 16 % more damping at most.
    """
    cell = Case("shopfloor/WaferTransfer-v0").cell(1)
    params = {"frequency": frequency, "damping_ratio": damping, "droop": 0.0, "friction": 0.35, "move_kind": 0}
    params |= {"line_place": 0.5, "line_length": 0.25, "direction": 1, "station": 1}
    cell.reset(seeds=np.array([0]), params=params)
    sim = cell.sim
    if held:
        sim.field("dof_armature")[:, sim.qvel_index(("shoulder", "elbow", "wrist"))] = 1e6
        sim.set_const(np.array([0]))
    sim.step(200)
    joint = int(sim.qpos_index(("flex_x", "flex_y"))[axis])
    free = int(sim.qpos_index(("wafer_free",))[0])
    rest = float(sim.qpos[0, joint])
    sim.qpos[0, joint] += 2e-4
    sim.qpos[0, free + axis] += 2e-4
    trace = np.empty(4000)
    for k in range(trace.size):
        sim.step(1)
        trace[k] = sim.qpos[0, joint] - rest
    found, ratio = ring_down(trace, cell.sim.timestep)
    assert found == pytest.approx(frequency, rel=0.005 if held else 0.02)
    assert ratio == pytest.approx(damping, rel=0.02 if held else 0.17)


def ring_down(trace: np.ndarray, dt: float) -> tuple[float, float]:
    """Undamped frequency in Hz and damping ratio from successive maxima, each refined by a parabola."""
    inner = np.flatnonzero((trace[1:-1] > trace[:-2]) & (trace[1:-1] >= trace[2:])) + 1
    a, b, c = trace[inner - 1], trace[inner], trace[inner + 1]
    offset = 0.5 * (a - c) / (a - 2.0 * b + c)
    times, heights = (inner + offset) * dt, b - 0.25 * (a - c) * offset
    keep = heights > 0.05 * heights[0]
    times, heights = times[keep], heights[keep]
    period = (times[-1] - times[0]) / (len(times) - 1)
    decrement = math.log(heights[0] / heights[-1]) / (len(times) - 1)
    ratio = decrement / math.hypot(2.0 * math.pi, decrement)
    return 1.0 / (period * math.sqrt(1.0 - ratio**2)), ratio


def test_ringing_never_grows():
    cell = Case("shopfloor/WaferTransfer-v0").cell(1)
    cell.reset(seeds=np.array([3]))
    sim = cell.sim
    flex = sim.qpos_index(("flex_x", "flex_y"))
    sim.step(10)
    rest = sim.qpos[0, flex].copy()
    sim.qpos[0, flex[0]] += 1e-4
    peaks = []
    for _ in range(12):
        highest = 0.0
        for _ in range(400):
            sim.step(1)
            highest = max(highest, float(np.abs(sim.qpos[0, flex] - rest).max()))
        peaks.append(highest)
    assert all(b < a for a, b in itertools.pairwise(peaks)), peaks


@pytest.mark.parametrize("radius", [0.40, 0.6, 0.9])
def test_servos_follow_within_their_bandwidth(radius: float):
    """References of position at the start and velocity at the end of a step: acceleration / omega^2, nothing stays."""
    chamber = Chamber(1.0, radius=radius)
    omega = 2.0 * math.pi * vacuum_scara.SERVO_FREQUENCY_HZ
    peak, duration, sense = 2.0, 0.3, 1.0 if radius < 0.7 else -1.0

    def path(t: float) -> tuple[float, float]:
        """A smooth bump of acceleration, as a shaped profile gives: forward and back."""
        share = duration / (2.0 * math.pi)
        speed = peak * share * (1.0 - math.cos(t / share))
        return radius + sense * peak * share * (t - share * math.sin(t / share)), sense * speed

    references, errors = [], []
    for k in range(round(duration / TIMESTEP)):
        (position, _), (end, speed) = path(k * TIMESTEP), path((k + 1) * TIMESTEP)
        target, _ = chamber.joints(position, 0.0, 0.0, 0.0)
        following, rate = chamber.joints(end, 0.0, speed, 0.0)
        chamber.data.ctrl[chamber.position], chamber.data.ctrl[chamber.velocity] = target, rate
        chamber.step()
        references.append(following)
        errors.append(chamber.data.qpos[chamber.arm] - following)
    acceleration = np.abs(np.diff(references, 2, axis=0)).max(axis=0) / TIMESTEP**2
    assert (np.abs(errors).max(axis=0) < 1.5 * acceleration / omega**2).all()
    chamber.command(end, 0.0, 0.0, 0.0)
    chamber.step(400)
    np.testing.assert_allclose(chamber.data.qpos[chamber.arm], references[-1], atol=2e-6)


# -- kinematics ---------------------------------------------------------------------------------------------------


def test_kinematics_agree_with_the_model():
    model = transfer_chamber(visual=False).compile()
    data = mujoco.MjData(model)
    arm = [model.joint(n).qposadr[0] for n in ("shoulder", "elbow", "wrist")]
    rng = np.random.default_rng(0)
    for _ in range(50):
        radius, theta, radius_rate, theta_rate = rng.uniform([0.33, -3.0, -1.0, -2.0], [1.01, 3.0, 1.0, 2.0])
        position, rate = Chamber.joints(radius, theta, radius_rate, theta_rate)
        data.qpos[:6] = home_qpos()
        data.qpos[arm] = position
        data.qvel[:] = 0.0
        data.qvel[arm] = rate
        mujoco.mj_forward(model, data)
        at = data.site("tcp").xpos
        np.testing.assert_allclose(at[:2], [radius * math.cos(theta), radius * math.sin(theta)], atol=1e-12)
        assert at[2] > BASE_HEIGHT
        outward = data.site("tcp").xmat.reshape(3, 3)[:, 0]
        np.testing.assert_allclose(outward, [math.cos(theta), math.sin(theta), 0.0], atol=1e-12)
        velocity = np.zeros(6)
        mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_SITE, model.site("tcp").id, velocity, 0)
        tangent = np.array([-math.sin(theta), math.cos(theta), 0.0])
        np.testing.assert_allclose(velocity[3:], radius_rate * outward + radius * theta_rate * tangent, atol=1e-11)
        np.testing.assert_allclose(velocity[:3], [0.0, 0.0, theta_rate], atol=1e-11)
        np.testing.assert_allclose(position, np.ravel(vacuum_scara.joint_angles(theta, radius)), atol=1e-15)
