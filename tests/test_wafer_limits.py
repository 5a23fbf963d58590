"""Closed forms of friction and vibration, against independent sums and against MuJoCo."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from shopfloor.assets.cells.transfer_chamber import SOLIMP, SOLREF, friction_damping, transfer_chamber
from shopfloor.assets.parts import wafer
from shopfloor.assets.robots import vacuum_scara
from shopfloor.envs.wafer.friction_limits import (
    GYRATION_SQ,
    PADS,
    gripped_limit,
    lifted_limit,
    pad_loads,
    rate_limit,
    required_friction,
    spin_limit,
    turning_friction,
)
from shopfloor.envs.wafer.profiles import (
    GRAVITY,
    pulse_slip,
    ramp_residual,
    s_curve,
    shaper_residual,
    step_residual,
    tilt_limits,
    zv_shaper,
    zvd_shaper,
)
from shopfloor.errors import ShopfloorError

Array = NDArray[np.float64]
DT = 0.0005


def turned(degrees: float) -> Array:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return PADS @ np.array([[c, s], [-s, c]])


# -- the limit surface ----------------------------------------------------------------------------------------------


def test_worked_examples_of_turns():
    assert spin_limit([0.3, 0.6], 0.2, pads=turned(180)) == pytest.approx([5.933, 3.176], abs=1e-3)
    assert rate_limit(0.6, 0.2, [2.0, 3.0], pads=turned(180)) == pytest.approx([1.589, 1.029], abs=2e-3)
    # without a moment to be supplied the pads are one point
    assert rate_limit([0.3, 0.6, 0.9], 0.2) == pytest.approx([2.557, 1.808, 1.476], abs=1e-3)
    assert spin_limit(0.6, 0.2, gyration_sq=0.0) == pytest.approx(3.27, abs=1e-3)
    assert gripped_limit(0.2, 9.05) == pytest.approx(16.1, abs=0.06)
    assert lifted_limit(0.2, [-2.0, 1.0]) == pytest.approx([1.562, 2.162])


def test_pure_accelerations_need_what_a_point_needs():
    rng = np.random.default_rng(0)
    for a in rng.uniform(-3.0, 3.0, (20, 2)):
        assert required_friction(a) == pytest.approx(math.hypot(*a) / GRAVITY, rel=1e-5)
    # a pure spin slides all pads alike about the centre
    assert required_friction([0.0, 0.0], 5.0) == pytest.approx(5.0 * GYRATION_SQ / (0.1 * GRAVITY), rel=1e-5)


def test_required_friction_supplies_the_wrench():
    """Its dual: forces of at most mu N at each pad make up acceleration and moment, and no smaller ones do."""
    rng = np.random.default_rng(1)
    for _ in range(6):
        a, alpha = rng.uniform(-2.0, 2.0, 2), rng.uniform(-8.0, 8.0)
        center = rng.uniform(-0.01, 0.01, 2)
        loads, at = pad_loads(PADS, center), PADS - center
        wanted = np.array([*a, alpha * GYRATION_SQ])
        balance = np.array([[1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1],
                            [-at[0, 1], at[0, 0], -at[1, 1], at[1, 0], -at[2, 1], at[2, 0]]])  # fmt: skip
        particular = np.linalg.pinv(balance) @ wanted
        null = np.linalg.svd(balance)[2][3:]
        free, span = np.zeros(3), 3.0
        best = np.inf
        for _ in range(60):  # a shrinking search over the forces that cancel each other
            trial = free + span * np.concatenate((np.zeros((1, 3)), rng.standard_normal((400, 3))))
            forces = (particular + trial @ null).reshape(-1, 3, 2)
            worst = (np.hypot(forces[..., 0], forces[..., 1]) / loads).max(axis=1)
            if worst.min() < best:
                best, free = worst.min(), trial[worst.argmin()]
            else:
                span *= 0.7
        found = float(required_friction(a, alpha, center=tuple(center)))
        assert found == pytest.approx(best, rel=2e-3) and found <= best * (1 + 1e-6)


def test_tilt_is_the_closed_form():
    for friction, degrees in itertools.product((0.08, 0.2, 0.5), (-1.0, 0.3, 2.0)):
        tilt = math.radians(degrees)
        outward, inward = tilt_limits(np.array(friction), np.array(tilt))
        assert required_friction([outward, 0.0], tilt=tilt) == pytest.approx(friction, rel=1e-5)
        assert required_friction([-inward, 0.0], tilt=tilt) == pytest.approx(friction, rel=1e-5)


def test_loads_balance_the_weight():
    loads = pad_loads(PADS, (0.02, -0.01), (1.5, 0.5), 0.004, (1.0, 2.0, 3.0)) - np.array([1.0, 2.0, 3.0])
    assert loads.sum() == pytest.approx(GRAVITY)
    np.testing.assert_allclose(loads @ PADS, GRAVITY * np.array([0.02, -0.01]) - 0.004 * np.array([1.5, 0.5]))
    with pytest.raises(ShopfloorError, match="tips"):
        pad_loads(PADS, (0.2, 0.0))
    with pytest.raises(ShopfloorError, match="three points"):
        pad_loads(np.zeros((4, 2)))


# -- against MuJoCo: a stage that turns or travels --------------------------------------------------------------------


class Carrier:
    """A heavy carrier with the cell's pads and contacts: slides along x and turns about the world's z axis.

    The pads stand `radius` off the axis; the paddle hangs down by `tilt` and the wafer lies off its middle by `center`.
    """

    def __init__(
        self, friction: float, radius: float = 0.0, tilt: float = 0.0, center: tuple[float, float] = (0.0, 0.0),
        grip: float = 0.0, rise: bool = False,
    ):  # fmt: skip
        spec = mujoco.MjSpec()
        spec.compiler.degree = False
        source = transfer_chamber(timestep=DT, visual=False)
        for name in ("timestep", "integrator", "cone", "solver", "impratio", "tolerance", "disableflags"):
            setattr(spec.option, name, getattr(source.option, name))
        spec.option.gravity = [0.0, 0.0, -GRAVITY]
        body = spec.worldbody.add_body(name="carrier", mass=20.0, inertia=[1.0, 1.0, 1.0])
        kind = mujoco.mjtJoint
        self.armature = 1000.0
        axis = [0.0, 0.0, 1.0]
        body.add_joint(
            name="drive", type=kind.mjJNT_HINGE if radius else kind.mjJNT_SLIDE,
            axis=axis if radius or rise else [1.0, 0.0, 0.0], armature=self.armature,
        )  # fmt: skip
        paddle = body.add_body(name="paddle", pos=[radius, 0.0, 0.0], quat=vacuum_scara.droop_quat(tilt))
        size = vacuum_scara.PAD_RADIUS
        for k, (x, y) in enumerate(PADS):
            paddle.add_geom(
                name=f"pad_{k}", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[size, 0, 0], pos=[x, y, -size], mass=0.0,
                contype=0, conaffinity=0,
            )  # fmt: skip
            spec.add_pair(
                name=f"pair_{k}", geomname1="wafer_disc", geomname2=f"pad_{k}", condim=3,
                friction=[friction, friction, 0.005, 0.0001, 0.0001], solref=SOLREF, solimp=SOLIMP,
                solreffriction=[0.0, -friction_damping(DT)], adhesion=grip,
            )  # fmt: skip
        paddle.add_site(name="seat", pos=[0.0, 0.0, 0.5 * wafer.THICKNESS])
        height = 0.5 * wafer.THICKNESS - vacuum_scara.SEAT_PENETRATION
        c, s = math.cos(tilt), math.sin(tilt)
        at = (radius + center[0] * c + height * s, center[1], height * c - center[0] * s)
        wafer.add_wafer(spec, pos=at, visual=False)
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        self.data.qpos[4:8] = vacuum_scara.droop_quat(tilt)
        self.inertia = self.armature + 20.0 * 0.0
        self.run(lambda t, rate: 0.0, 0.05)

    def run(self, acceleration: Callable[[float, float], float], duration: float) -> float:
        """Follow an acceleration of time and rate; distance in m that the wafer's centre moves on the paddle."""
        model, data = self.model, self.data
        before = self.seat()
        for k in range(round(duration / DT)):
            # the carrier is so heavy that what the wafer does to it does not matter; its acceleration is imposed
            wanted = acceleration(k * DT, float(data.qvel[0]))
            mujoco.mj_forward(model, data)
            mass = np.zeros((model.nv, model.nv))
            mujoco.mj_fullM(model, data, mass)
            data.qfrc_applied[0] = mass[0, 0] * wanted + data.qfrc_bias[0] - data.qfrc_constraint[0]
            mujoco.mj_step(model, data)
        return float(np.linalg.norm(self.seat() - before))

    def seat(self) -> Array:
        """Place (2,) of the wafer's centre in the frame of the paddle."""
        mujoco.mj_kinematics(self.model, self.data)
        site = self.data.site("seat")
        return (site.xmat.reshape(3, 3).T @ (self.data.body("wafer").xpos - site.xpos))[:2]


def onset(t: float, rise: float = 0.08) -> float:
    return math.sin(0.5 * math.pi * min(1.0, t / rise)) ** 2


@pytest.mark.parametrize(
    ("friction", "radius", "tilt", "center"),
    [
        (0.2, 0.6, 0.0, (0.0, 0.0)),
        (0.1, 0.3, 0.0, (0.0, 0.0)),
        (0.35, 0.9, 0.0, (0.002, -0.0015)),
        (0.2, 0.45, math.radians(0.5), (0.0, 0.0)),
        (0.6, 0.5, math.radians(-0.5), (-0.003, 0.002)),
    ],
)
def test_wafer_slips_on_a_turn_where_the_limit_surface_says(
    friction: float, radius: float, tilt: float, center: tuple[float, float]
):
    """Spun up along the limit of 0.99 mu it stays, along that of 1.01 mu it goes: spin and rate change all the time."""
    c = math.hypot(radius + center[0], center[1])
    rates = np.linspace(0.0, math.sqrt(0.8 * friction * GRAVITY / radius), 25)
    slips = []
    for share in (0.99, 1.01):
        # acceleration of the wafer's own centre, in the frame of the paddle
        low, high = np.zeros(rates.size), np.full(rates.size, 1.5 * friction * GRAVITY / radius)
        for _ in range(28):
            alpha = 0.5 * (low + high)
            ax = -(rates**2) * (radius + center[0]) - alpha * center[1]
            ay = -(rates**2) * center[1] + alpha * (radius + center[0])
            need = required_friction(np.stack((ax, ay), -1), alpha, center=center, tilt=tilt)
            low, high = np.where(need <= share * friction, alpha, low), np.where(need <= share * friction, high, alpha)
        limit = low
        carrier = Carrier(friction, radius, tilt, center)

        def spin(t: float, rate: float, limit: Array = limit) -> float:
            return onset(t) * float(np.interp(rate, rates, limit))

        slips.append(carrier.run(spin, 0.9 * rates[-1] / limit[0]))
    assert c > 0.0 and slips[0] < 15e-6, slips
    held = 0.9 * rates[-1] / limit[0] - 0.08
    assert slips[1] > 0.3 * 0.5 * 0.01 * friction * GRAVITY * held**2, slips


@pytest.mark.parametrize(("friction", "force"), [(0.1, 0.5), (0.2, 1.5), (0.2, 9.0), (0.5, 3.0), (0.8, 6.0)])
def test_gripped_wafer_slips_at_its_limit(friction: float, force: float):
    """Adhesion of the pads: mu (g + F / m), within 0.5 %."""
    limit = float(gripped_limit(friction, force))
    slips = [
        Carrier(friction, grip=force / 3.0).run(lambda t, v, a=share * limit: onset(t, 0.05) * a, 0.25)
        for share in (0.995, 1.005)
    ]
    assert slips[0] < 0.05 * slips[1] and slips[1] > 0.3 * 0.5 * 0.005 * limit * 0.2**2


@pytest.mark.parametrize(("friction", "vertical"), [(0.1, -3.0), (0.2, 1.0), (0.5, 4.0)])
def test_rising_paddle_changes_the_load_of_the_pads(friction: float, vertical: float):
    carrier = Carrier(friction, rise=True)
    carrier.run(lambda t, v: onset(t, 0.05) * vertical, 0.15)
    mujoco.mj_forward(carrier.model, carrier.data)
    force = np.zeros(6)
    pressed = 0.0
    for k in range(carrier.data.ncon):
        mujoco.mj_contactForce(carrier.model, carrier.data, k, force)
        pressed += force[0]
    assert friction * pressed / wafer.MASS == pytest.approx(float(lifted_limit(friction, vertical)), rel=5e-3)


@pytest.mark.parametrize(
    ("friction", "launch", "base", "period"),
    [(0.2, 1.2, 0.5, 0.07), (0.12, 1.15, 0.7, 0.1), (0.6, 1.1, 0.6, 0.05)],
)
def test_slide_in_a_pulse_on_a_rigid_carrier(friction: float, launch: float, base: float, period: float):
    """Launch and base in friction limits."""
    limit = friction * GRAVITY

    def pulse(t: float, rate: float) -> float:
        u = t / period
        return limit * (launch * min(u, 1.0) + (base - launch) * min(max(u - 1.0, 0.0), 1.0))

    slid = Carrier(friction).run(pulse, 8.0 * period)
    expected = float(pulse_slip(*(np.array(x) for x in (launch * limit, base * limit, limit, period))))
    assert slid == pytest.approx(expected, rel=0.05, abs=3e-6)


# -- vibration ------------------------------------------------------------------------------------------------------


def test_worked_examples_of_shapers():
    amplitudes, times = zv_shaper(12.0, 0.02)
    assert amplitudes == pytest.approx([0.5157, 0.4843], abs=1e-4) and times[1] == pytest.approx(0.041675, abs=1e-6)
    zvd = zvd_shaper(12.0, 0.02)
    assert zvd[0] == pytest.approx([0.2660, 0.4995, 0.2345], abs=1e-4) and zvd[1][2] == pytest.approx(0.08335, abs=1e-6)
    off = 12.0 * np.array([0.9, 1.1, 0.8, 1.2])
    zv = shaper_residual(amplitudes, times, off, 0.02)
    assert zv == pytest.approx([0.151, 0.151, 0.30, 0.30], abs=5e-3)
    assert shaper_residual(*zvd, off, 0.02) == pytest.approx([0.023, 0.023, 0.09, 0.09], abs=2e-3)
    for frequency, damping in ((12.0, 0.02), (15.0, 0.05), (20.0, 0.0)):
        for shaper in (zv_shaper, zvd_shaper):
            assert shaper_residual(*shaper(frequency, damping), frequency, damping) < 1e-14
            assert sum(shaper(frequency, damping)[0]) == pytest.approx(1.0)


def s_curve_jerks(length: float, velocity: float, acceleration: float, jerk: float) -> tuple[Array, Array]:
    """Changes of jerk of an S-curve and when they happen."""
    c = s_curve(length, velocity, acceleration, jerk)
    ramp = c.peak_velocity / c.peak_acceleration + c.jerk_time
    half = np.array([0.0, c.jerk_time, ramp - c.jerk_time, ramp])
    return jerk * np.array([1.0, -1, -1, 1, -1, 1, 1, -1]), np.concatenate((half, c.time - ramp + half))


@pytest.mark.parametrize(("jerk", "residual_um"), [(20.0, 32.0), (23.544, 0.05), (50.0, 195.0), (100.0, 264.0)])
def test_worked_examples_of_s_curves(jerk: float, residual_um: float):
    found = 1e6 * ramp_residual(*s_curve_jerks(0.6, 1.0, 1.962, jerk), 12.0)
    assert found == pytest.approx(residual_um, abs=0.5)
    time = math.sqrt(0.6 / 1.962)
    assert 1e6 * step_residual([1.962, -3.924, 1.962], [0.0, time, 2.0 * time], 12.0) == pytest.approx(1143, abs=1)


class Mode:
    """The task's flexure on a carrier whose acceleration is imposed, without contacts."""

    def __init__(self, frequency: float, damping: float):
        spec = mujoco.MjSpec()
        source = transfer_chamber(timestep=DT, visual=False)
        for name in ("timestep", "integrator", "disableflags"):
            setattr(spec.option, name, getattr(source.option, name))
        spec.option.gravity = [0.0, 0.0, 0.0]
        soft = vacuum_scara.flexure(frequency, damping)
        mass = vacuum_scara.PADDLE_MASS + wafer.MASS
        paddle = spec.worldbody.add_body(name="paddle", mass=mass, inertia=[1e-3, 1e-3, 1e-3])
        joint = paddle.add_joint(name="flex", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[1.0, 0.0, 0.0])
        joint.stiffness[0], joint.damping[0] = soft.stiffness, soft.damping
        self.model = spec.compile()
        self.data, self.mass, self.frequency, self.damping = mujoco.MjData(self.model), mass, frequency, damping

    def amplitude(self, acceleration: Callable[[float], float], duration: float) -> float:
        """Amplitude in m of what rings at the end, from deflection and its speed in the accelerated frame."""
        mujoco.mj_resetData(self.model, self.data)
        for k in range(round(duration / DT)):
            self.data.qfrc_applied[0] = -self.mass * acceleration((k + 0.5) * DT)
            mujoco.mj_step(self.model, self.data)
        omega = 2.0 * math.pi * self.frequency
        x, v = float(self.data.qpos[0]), float(self.data.qvel[0])
        return math.hypot(x, (v + self.damping * omega * x) / (omega * math.sqrt(1.0 - self.damping**2)))


@pytest.mark.parametrize(("frequency", "damping"), [(12.0, 0.02), (10.0, 0.0), (18.0, 0.05)])
def test_residual_vibration_of_steps_shapers_and_s_curves(frequency: float, damping: float):
    mode = Mode(frequency, damping)
    scale = 2.0 / (2.0 * math.pi * frequency) ** 2
    for error, shaper in itertools.product((1.0, 0.9, 1.15), (zv_shaper, zvd_shaper)):
        amplitudes, times = shaper(frequency * error, damping)

        def steps(t: float, amplitudes: Array = amplitudes, times: Array = times) -> float:
            return 2.0 * float(amplitudes[times <= t].sum())

        mode.amplitude(steps, times[-1])
        # what rings is the deflection less the one that the acceleration holds
        omega = 2.0 * math.pi * frequency
        x, v = float(mode.data.qpos[0]) + scale, float(mode.data.qvel[0])
        found = math.hypot(x, (v + damping * omega * x) / (omega * math.sqrt(1.0 - damping**2)))
        expected = float(step_residual(2.0 * amplitudes, times, frequency, damping))
        assert found == pytest.approx(expected, abs=0.02 * scale)
    for jerk in (15.0, 2.0 * frequency, 60.0):
        slopes, times = s_curve_jerks(0.6, 1.0, 2.0, jerk)

        def acceleration(t: float, slopes: Array = slopes, times: Array = times) -> float:
            return float((slopes * np.maximum(t - times, 0.0)).sum())

        found = mode.amplitude(acceleration, times[-1])
        assert found == pytest.approx(float(ramp_residual(slopes, times, frequency, damping)), abs=0.02 * scale)


def test_turning_friction_is_that_of_its_accelerations():
    found = turning_friction(0.5, [0.0, 1.0], [2.0, 2.0])
    assert found[0] == required_friction([0.0, 1.0], 2.0) and found[1] > found[0]
