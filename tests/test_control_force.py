"""Operational-space, impedance and admittance control against closed forms, walls and hostile set-points."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import pytest
from engine_checks import assert_same, row_of
from numpy.typing import NDArray

from shopfloor.assets.robots.arm import Arm, arm
from shopfloor.assets.tools.ft_sensor import add_ft_sensor
from shopfloor.envs.control import Admittance, OperationalSpace, TcpLimits, VariableImpedance
from shopfloor.envs.control.operational_space_model import geometric_mean
from shopfloor.envs.control.operational_space_reference import pose_error, small_turn
from shopfloor.envs.engine.simulation import Simulation, compile_physics
from shopfloor.envs.engine.task import Rows, Timing
from shopfloor.errors import ShopfloorError
from shopfloor.frames import quat_multiply
from shopfloor.limits import MotionLimits

Array = NDArray[np.float64]

TIMING = Timing(50.0, 0.002, 3.0)
SCARA_AXES = ("x", "y", "z", "rz")
INTERFACES = (OperationalSpace, VariableImpedance, Admittance)
STIFFNESS, TURNING = 1500.0, 60.0


def slow(*values: Any) -> Any:
    """Parameters of a test that is left to `make test-all`; others like them are always tested."""
    return pytest.param(*values, marks=pytest.mark.slow)


@dataclass
class Bench:
    """An arm at home under an interface, with nothing around it but perhaps a sprung wall."""

    robot: Arm
    s: Rows
    action: Any

    @property
    def size(self) -> int:
        return len(self.action.terms)

    def step(self, setpoints: Array, steps: int = 1) -> None:
        for _ in range(steps):
            self.action.apply(self.s, setpoints, None)

    def still(self, **values: float) -> Array:
        """Set-points that hold the pose; components by the beginning of their names."""
        out = np.zeros((self.s.n, self.size))
        for i, term in enumerate(self.action.terms):
            for start, value in values.items():
                if term.name.startswith(start):
                    out[:, i] = value
        return out

    def push(self, row: int, wrench: Array) -> None:
        """An outer force and moment (6,) about the TCP, world frame."""
        sim, body = self.s.sim, self.action.arm.body
        arm_of_force = self.action.arm.position[row] - sim.output("xipos")[row, body]
        applied = sim.batch.bind("xfrc_applied")
        applied[row, body, :3] = wrench[:3]
        applied[row, body, 3:] = wrench[3:] + np.cross(arm_of_force, wrench[:3])

    def displace(self, row: int, deflection: Array) -> None:
        """Move target and reference by (6,) away from the arm."""
        turn = small_turn(deflection[None, 3:])[0]
        for place, quaternion in (
            (self.action.reference.position, self.action.reference.quaternion),
            (self.action.target.position, self.action.target.quaternion),
        ):
            place[row] += deflection[:3]
            quaternion[row] = quat_multiply(turn, quaternion[row])

    def task_inertia(self, row: int = 0) -> Array:
        """Task inertia by MuJoCo's own functions, six axes."""
        sim = self.s.sim
        data = mujoco.MjData(sim.model)
        data.qpos[:] = sim.qpos[row]
        mujoco.mj_forward(sim.model, data)
        mass, jacobian = np.zeros((sim.model.nv, sim.model.nv)), np.zeros((6, sim.model.nv))
        mujoco.mj_fullM(sim.model, data, mass)
        mujoco.mj_jacSite(sim.model, data, jacobian[:3], jacobian[3:], sim.id("site", self.action.site))
        return np.linalg.inv(jacobian @ np.linalg.solve(mass, jacobian.T))


def bench(
    robot: str, interface: Any, n: int = 1, wall: float | None = None, gap: float = 0.003, **kwargs: Any
) -> Bench:
    """An arm at home; `wall` is the stiffness of a plate on a spring, `gap` below the tip."""
    machine = arm(robot)
    positioned = interface is Admittance
    spec = machine.spec(actuators="position" if positioned else "torque", visual=False)
    site = add_ft_sensor(spec, visual=False) if positioned else machine.flange
    if wall is not None:
        add_wall(spec, machine, site, wall, gap)
    sim = Simulation(compile_physics(spec), n, 1)
    s = Rows(n, sim, TIMING)
    limits = MotionLimits.of(
        low=machine.low, high=machine.high, velocity=machine.velocity, acceleration=machine.acceleration,
        jerk=machine.jerk,
    )  # fmt: skip
    if machine.dof < 6:
        kwargs.setdefault("axes", SCARA_AXES)
    drives = () if positioned else (machine.effort,)
    box = kwargs.pop("tcp", TcpLimits((-2.0, -2.0, -2.0), (2.0, 2.0, 2.0)))
    action = interface(machine.joints, limits, *drives, site, box, TIMING.control_hz, **kwargs)
    action.bind(s)
    rows = np.arange(n)
    sim.reset(rows)
    sim.qpos[:, sim.qpos_index(machine.joints)] = machine.home
    if positioned:
        sim.ctrl[:] = machine.home
    sim.forward(rows)
    action.reset(s, rows)
    return Bench(machine, s, action)


def add_wall(spec: mujoco.MjSpec, machine: Arm, site: str, stiffness: float, gap: float) -> None:
    """A plate on a spring below a spherical tip, both hard."""
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[:] = machine.home
    mujoco.mj_forward(model, data)
    x, y, z = data.site(site).xpos
    hard = {
        "contype": 4, "conaffinity": 4, "solref": [0.004, 1.0], "solimp": [0.95, 0.99, 0.001, 0.5, 2.0],
        "friction": [1e-4, 0.0, 0.0],
    }  # fmt: skip
    tip = spec.site(site)
    tip.parent.add_geom(name="tip", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.02, 0, 0], pos=tip.pos, mass=0, **hard)
    plate = spec.worldbody.add_body(name="wall", pos=[x, y, z - 0.02 - gap], gravcomp=1.0)
    plate.add_joint(
        name="wall", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 0, 1], stiffness=stiffness,
        damping=np.sqrt(2.0 * stiffness),
    )  # fmt: skip
    plate.add_geom(
        name="wall", type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.3, 0.3, 0.02], pos=[0, 0, -0.02], mass=2.0, **hard
    )
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC


def on_wall(b: Bench) -> Array:
    """Contact force on the plate, (n,)."""
    dof = b.s.sim.qvel_index(["wall"])[0]
    return np.asarray(-b.s.sim.output("qfrc_constraint")[:, dof])


def ratios(b: Bench) -> dict[str, float]:
    """Set-points of the middle of things, for whichever interface."""
    return {
        "stiffness": STIFFNESS, "stiffness_r": TURNING, "damping": 1.0, "force_limit": 500.0,
    }  # fmt: skip


# -- declarations -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interface", INTERFACES)
def test_declaration(interface: Any) -> None:
    b = bench("ur10e", interface)
    terms = b.action.terms
    assert len({t.name for t in terms}) == len(terms)
    assert all(t.low < t.high and t.unit and t.description for t in terms)
    limits = json.loads(json.dumps(b.action.limits()))
    assert limits["inner_hz"] == 500.0 and limits["tcp"]["velocity"] == [0.5] * 3 + [1.5] * 3
    assert limits["velocity"] == list(b.robot.velocity)


@pytest.mark.parametrize(
    ("interface", "change", "words"),
    [
        (OperationalSpace, {"axes": ("x", "w")}, "axes="),
        (OperationalSpace, {"axes": ("y", "x")}, "in this order"),
        (OperationalSpace, {"frame": "flange"}, "choose one of world, tool"),
        (OperationalSpace, {"inner_hz": 330.0}, "multiple of the control rate"),
        (OperationalSpace, {"inner_hz": 1000.0}, "divide the physics rate"),
        (OperationalSpace, {"hz": 0.0}, "must be positive"),
        (OperationalSpace, {"friction": 1.5}, "friction must be a share"),
        (VariableImpedance, {"stiffness": (900.0, 100.0)}, "low must not exceed high"),
        (VariableImpedance, {"tank_j": -1.0}, "the tank holds"),
        (VariableImpedance, {"axes": ("x", "y"), "frame": "tool"}, "all six for frame"),
        (Admittance, {"force_limit": (5.0, 5.0)}, "range of positive forces"),
        (Admittance, {"sensors": ("ft_force", "ft_missing")}, "no sensor 'ft_missing'"),
    ],
)
def test_what_makes_no_sense_is_refused(interface: Any, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ShopfloorError, match=words):
        bench("ur10e", interface, **change)


def test_fixed_components_are_no_setpoints() -> None:
    b = bench("ur10e", VariableImpedance, damping_ratio=(1.0, 1.0), stiffness=(100.0, [500.0] * 3 + [100.0] * 3))
    assert [t.name for t in b.action.terms][6:] == ["stiffness_x", "stiffness_y", "stiffness_z"]
    b.step(b.still(stiffness=300.0))
    assert_same(b.s.tcp_stiffness, np.array([[300.0] * 3 + [100.0] * 3]))


# -- springs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("robot", "frame"), [slow("ur10e", "world"), ("fr3", "world"), ("ur10e", "tool"), ("scara", "world")]
)
def test_an_outer_force_deflects_by_its_share_of_the_stiffness(robot: str, frame: str) -> None:
    """One row per axis, pushed along it: F / k there within 1 %, nothing elsewhere."""
    b = bench(robot, VariableImpedance, n=6, frame=frame)
    axes = b.action.axes
    held = b.still(**ratios(b))
    b.step(held, 3)
    wrenches = np.diag([10.0] * 3 + [1.0] * 3)
    for _ in range(75):
        for row in axes:
            b.push(row, wrenches[row])
        b.step(held)
    yielded = pose_error(
        b.action.arm.position, b.action.arm.quaternion, b.action.reference.position, b.action.reference.quaternion
    )
    expected = np.diag([10.0 / STIFFNESS] * 3 + [1.0 / TURNING] * 3)
    for row in axes:
        np.testing.assert_allclose(yielded[row][axes], expected[row][axes], rtol=0.01, atol=1e-4)


def test_inertia_shaped_springs_yield_by_mobility() -> None:
    b = bench("fr3", OperationalSpace, n=6, hz=2.0)
    wrenches = np.diag([5.0] * 3 + [0.3] * 3)
    for _ in range(75):
        for row in range(6):
            b.push(row, wrenches[row])
        b.step(b.still())
    for row in range(6):
        expected = np.linalg.solve(b.task_inertia(row), wrenches[row]) / (4.0 * np.pi) ** 2
        yielded = pose_error(
            b.action.arm.position, b.action.arm.quaternion, b.action.reference.position, b.action.reference.quaternion
        )[row]
        np.testing.assert_allclose(yielded, expected, rtol=0.01, atol=0.01 * np.abs(expected).max())


def oscillation(omega: float, zeta: float, time: Array) -> Array:
    """Free motion from 1, at rest, of an oscillator with zeta < 1."""
    fast = omega * np.sqrt(1.0 - zeta * zeta)
    swing = np.cos(fast * time) + zeta * omega / fast * np.sin(fast * time)
    return np.exp(-zeta * omega * time) * swing


@pytest.mark.parametrize(("robot", "zeta"), [("ur10e", 0.3), ("fr3", 0.7), slow("ur10e", 0.7), slow("fr3", 0.3)])
def test_every_mode_has_the_damping_ratio_asked_for(robot: str, zeta: float) -> None:
    """One row per mode of task inertia and stiffness, let go of: frequency and decay of a single oscillator."""
    b = bench(robot, VariableImpedance, n=6, damping_ratio=(0.2, 1.5))
    held = b.still(**{**ratios(b), "damping": zeta})
    b.step(held, 3)
    factor = np.linalg.cholesky(b.task_inertia())
    stiffness = np.diag([STIFFNESS] * 3 + [TURNING] * 3)
    values, vectors = np.linalg.eigh(np.linalg.solve(factor, np.linalg.solve(factor, stiffness).T))
    modes = factor @ vectors
    shapes = np.linalg.inv(modes).T
    for row in range(6):
        size = 1e-3 / np.abs(shapes[:, row]).max()
        b.displace(row, size * shapes[:, row])
    seen = []
    for step in range(26):
        error = pose_error(
            b.action.reference.position, b.action.reference.quaternion, b.action.arm.position, b.action.arm.quaternion
        )
        seen.append(np.einsum("ij,ni->nj", modes, error)[np.arange(6), np.arange(6)])
        if step < 25:
            b.step(held)
    swings = np.array(seen) / seen[0]
    time = np.arange(26) * TIMING.control_dt
    for mode in range(6):
        expected = oscillation(np.sqrt(values[mode]), zeta, time)
        assert np.abs(swings[:, mode] - expected).max() < 0.04, f"mode {mode} at {np.sqrt(values[mode]):.1f} rad/s"


@pytest.mark.parametrize("robot", [slow("ur10e"), "fr3"])
def test_operational_space_decouples(robot: str) -> None:
    """One row per axis, displaced along it: an oscillator of its own there, rest elsewhere."""
    zeta, hz = 0.5, 3.0
    b = bench(robot, OperationalSpace, n=6, hz=hz, damping_ratio=zeta)
    for row in range(6):
        b.displace(row, np.eye(6)[row] * 2e-3)
    time = np.arange(1, 26) * TIMING.control_dt
    for expected in oscillation(2.0 * np.pi * hz, zeta, time):
        b.step(b.still())
        error = pose_error(
            b.action.reference.position, b.action.reference.quaternion, b.action.arm.position, b.action.arm.quaternion
        )
        np.testing.assert_allclose(np.diag(error) / 2e-3, expected, atol=0.03)
        assert np.abs(error - np.diag(np.diag(error))).max() < 0.01 * 2e-3


def test_spare_joints_move_without_the_tcp() -> None:
    home = np.array(arm("fr3").home)
    elsewhere = home + np.array([0.0, 0.0, 0.6, 0.0, 0.0, 0.0, 0.0])
    for interface in (OperationalSpace, VariableImpedance):
        b = bench("fr3", interface, posture=elsewhere)
        start = b.action.arm.position.copy(), b.action.arm.quaternion.copy()
        worst = 0.0
        for _ in range(75):
            b.step(b.still(**ratios(b)))
            worst = max(worst, np.abs(pose_error(b.action.arm.position, b.action.arm.quaternion, *start)).max())
        assert np.abs(b.s.sim.qpos[0] - home).max() > 0.1, "the posture pulls"
        assert worst < 5e-4


def test_geometric_mean() -> None:
    rng = np.random.default_rng(0)
    a, b = (np.einsum("nij,nkj->nik", x, x) + 0.1 * np.eye(5) for x in rng.normal(size=(2, 4, 5, 5)))
    mean = geometric_mean(a, b)
    for i in range(4):
        np.testing.assert_allclose(mean[i] @ np.linalg.solve(a[i], mean[i]), b[i], atol=1e-9)
    np.testing.assert_allclose(mean, geometric_mean(b, a), atol=1e-9)


# -- energy -------------------------------------------------------------------------------------------------------


def stored(b: Bench, wall: float) -> float:
    """Kinetic energy of arm and plate, energy in the springs of impedance and plate."""
    sim, action = b.s.sim, b.action
    dofs = sim.qvel_index(b.robot.joints)
    action.arm.measure()
    mass, _ = action.arm.inertia()
    plate, speed = sim.qpos[0, sim.qpos_index(["wall"])[0]], sim.qvel[0, sim.qvel_index(["wall"])[0]]
    spring, _ = action.deflection()
    motion = 0.5 * sim.qvel[0, dofs] @ mass[0] @ sim.qvel[0, dofs] + speed * speed
    return float(motion + 0.5 * wall * plate * plate + 0.5 * (b.s.tcp_stiffness[0] * spring[0] ** 2).sum())


@pytest.mark.parametrize("switching", [False, True])
def test_energy_does_not_grow_in_contact(switching: bool) -> None:
    """The reference rests inside the wall; whatever stiffness is asked for, energy with the tank only falls."""
    wall = 2e4
    b = bench("ur10e", VariableImpedance, wall=wall, gap=0.001, tank_j=0.2)
    held = b.still(**ratios(b))
    b.step(held, 2)
    b.displace(0, np.array([0.01, -0.01, -0.03, 0.05, 0.0, 0.1]))
    rng = np.random.default_rng(1)
    low, high = (np.array([getattr(t, k) for t in b.action.terms]) for k in ("low", "high"))
    energy, springs = [stored(b, wall) + float(b.s.tcp_tank_energy[0])], [stored(b, wall)]
    touched = False
    for _ in range(120):
        setpoints = held.copy()
        if switching:
            setpoints[0, 6:] = np.where(rng.random(12) < 0.5, low[6:], high[6:])
        b.step(setpoints)
        springs.append(stored(b, wall))
        energy.append(springs[-1] + float(b.s.tcp_tank_energy[0]))
        touched |= bool(on_wall(b)[0] > 1.0)
    assert touched
    # the tank begins full; beside it the contact's own spring stores what cannot be seen here, in the 1 %
    assert (np.diff(energy) < 0.01 * energy[0]).all() and energy[-1] < energy[0]
    assert max(springs) <= springs[0] + 0.2 + 0.01 * energy[0]
    assert (b.s.tcp_stiffness <= b.action.stiffness_high).all() and (b.s.tcp_stiffness >= b.action.stiffness_low).all()


def test_it_is_the_tank_that_keeps_energy_from_growing() -> None:
    """The same springs, stiffened whenever they are loaded and softened when not, with all the energy of the world."""
    peak = {}
    for tank in (0.05, 1e9):
        b = bench("ur10e", VariableImpedance, tank_j=tank, damping_ratio=(0.05, 0.05))
        b.step(b.still(stiffness=500.0), 2)
        b.displace(0, np.array([0.03, 0.0, 0.0, 0.0, 0.0, 0.0]))
        last, peak[tank] = 0.03, 0.0
        for _ in range(60):
            gap = abs(float(b.action.deflection()[0][0, 0]))
            b.step(b.still(stiffness=3000.0 if gap < last else 500.0, stiffness_r=60.0))
            last = gap
            spring, _ = b.action.deflection()
            energy = 0.5 * (b.s.tcp_stiffness * spring**2).sum()
            peak[tank] = max(peak[tank], float(energy))
    start = 0.5 * 500.0 * 0.03**2
    assert peak[0.05] <= start + 0.05 * 1.01
    assert peak[1e9] > start + 0.1


def test_without_energy_a_loaded_spring_does_not_stiffen() -> None:
    b = bench("ur10e", VariableImpedance, tank_j=0.0)
    b.step(b.still(**ratios(b)), 2)
    b.displace(0, np.array([0.02, 0.0, 0.0, 0.0, 0.0, 0.0]))
    b.s.tcp_tank_energy[...] = 0.0
    before = b.s.tcp_stiffness.copy()
    b.action.command(b.s, b.still(**{**ratios(b), "stiffness": 3000.0}))
    assert b.s.tcp_stiffness[0, 0] == before[0, 0], "stiffening along the deflection would add energy"
    assert b.s.tcp_stiffness[0, 1] == 3000.0, "across it, it costs nothing"
    b.action.command(b.s, b.still(**{**ratios(b), "stiffness": 200.0}))
    assert b.s.tcp_stiffness[0, 0] == 200.0, "softening never costs"


# -- force against walls ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("robot", "wall"),
    [
        ("ur10e", 1e5),
        ("fr3", 1e5),
        ("scara", 1e5),
        slow("ur10e", 2e4),
        slow("m10id12", 1e5),
        slow("iiwa14", 6e4),
    ],
)
def test_the_force_limit_holds_against_a_stiff_wall(robot: str, wall: float) -> None:
    """Commanded 30 mm into the wall: the force settles at the limit within 2 %, and never was far above it."""
    b = bench(robot, Admittance, n=2, wall=wall)
    setpoints = b.still(increment_z=-4e-4)
    setpoints[:, -1] = [20.0, 45.0]
    peak = np.zeros(2)
    for step in range(110):
        if step == 75:
            setpoints[:, 2] = 0.0
        b.step(setpoints)
        peak = np.maximum(peak, on_wall(b))
    np.testing.assert_allclose(on_wall(b), [20.0, 45.0], rtol=0.02)
    assert (peak < 1.15 * np.array([20.0, 45.0])).all()
    assert np.abs(b.s.sim.qvel).max() < 1e-3


def test_a_commanded_force_is_pressed_with() -> None:
    b = bench("ur10e", Admittance, n=2, wall=3e4, stiffness=[3000.0, 3000.0, 0.0, 60.0, 60.0, 60.0])
    setpoints = b.still(force_limit=100.0)
    setpoints[:, [t.name for t in b.action.terms].index("force_z")] = [-15.0, -40.0]
    b.step(setpoints, 110)
    np.testing.assert_allclose(on_wall(b), [15.0, 40.0], rtol=0.02)
    np.testing.assert_allclose(b.s.tcp_wrench[:, 2], [15.0, 40.0], rtol=0.02)
    setpoints[:, 8] = 0.0
    b.step(setpoints, 75)
    assert (np.abs(on_wall(b)) < 1.0).all()


def test_the_virtual_tool_yields_like_its_spring() -> None:
    b = bench("fr3", Admittance, n=6, damping=(600.0, 10.0), stiffness=(3000.0, 60.0))
    wrenches = np.diag([12.0] * 3 + [0.6] * 3)
    for _ in range(100):
        for row in range(6):
            b.push(row, wrenches[row])
        b.step(b.still(force_limit=500.0))
    virtual, commanded = b.action.virtual, b.action.reference
    yielded = pose_error(virtual.position, virtual.quaternion, commanded.position, commanded.quaternion)
    np.testing.assert_allclose(yielded, np.diag([12.0 / 3000.0] * 3 + [0.6 / 60.0] * 3), rtol=0.01, atol=4e-5)
    arm_pose = pose_error(b.action.arm.position, b.action.arm.quaternion, commanded.position, commanded.quaternion)
    assert (np.diag(arm_pose) > 0.99 * np.diag(yielded)).all(), "the servos' own give comes on top"


def test_without_contact_the_virtual_tool_is_where_it_is_commanded_to_be() -> None:
    b = bench("ur10e", Admittance)
    moving = b.still(increment_x=0.002, increment_rz=0.01, force_limit=500.0)
    b.step(moving, 25)
    lag = b.action.reference.error(b.action.virtual.position, b.action.virtual.quaternion)
    assert np.abs(lag).max() < 3e-3
    b.step(b.still(force_limit=500.0), 60)
    np.testing.assert_allclose(b.action.arm.position, b.action.target.position, atol=2e-4)
    left = pose_error(
        b.action.arm.position, b.action.arm.quaternion, b.action.target.position, b.action.target.quaternion
    )
    assert np.abs(left).max() < 5e-4


def test_a_low_force_limit_makes_slow() -> None:
    b = bench("ur10e", Admittance)
    b.step(b.still(increment_x=0.01, force_limit=30.0), 40)
    np.testing.assert_allclose(b.action.virtual.velocity[0, 0], 30.0 / b.action.damping[0], rtol=0.05)


def test_the_weight_of_the_tool_is_no_contact() -> None:
    b = bench("ur10e", Admittance, n=8)
    rng = np.random.default_rng(4)
    sim = b.s.sim
    sim.qpos[:, :6] = b.robot.home + rng.uniform(-0.8, 0.8, (8, 6))
    sim.ctrl[:] = sim.qpos[:, :6]
    sim.forward()
    b.action.reset(b.s, np.arange(8))
    b.step(b.still(force_limit=100.0), 30)
    assert np.abs(b.s.tcp_wrench[:, :3]).max() < 0.05 and np.abs(b.s.tcp_wrench[:, 3:]).max() < 0.01


# -- what can never happen ----------------------------------------------------------------------------------------


def recorded(b: Bench) -> list[dict[str, Array]]:
    """What every physics step was commanded with, from here on."""
    steps: list[dict[str, Array]] = []
    follow = b.s.sim.follow
    names = [k for k in b.s.get_state() if k.startswith(("tcp_reference", "tcp_virtual", "joint_reference"))]

    def watch(controls: Array, rows: Any = None, record: bool = False) -> Any:
        steps.append({"ctrl": controls[:, 0].copy(), **{k: getattr(b.s, k).copy() for k in names}})
        steps[-1]["drives"] = controls[:, 0] + b.s.sim.output("qfrc_gravcomp")[:, : b.robot.dof]
        return follow(controls, rows, record)

    b.s.sim.follow = watch  # type: ignore[method-assign]
    return steps


def motion_holds(steps: list[dict[str, Array]], name: str, limits: MotionLimits, dt: float) -> None:
    """A recorded reference changes within its limits between physics steps."""
    slack = 1.0 + 1e-9
    velocity = np.array([step[f"{name}_velocity"] for step in steps])
    acceleration = np.array([step[f"{name}_acceleration"] for step in steps])
    assert (np.abs(velocity) <= limits.velocity * slack).all()
    assert (np.abs(acceleration) <= limits.acceleration * slack).all()
    assert (np.abs(np.diff(acceleration, axis=0)) <= limits.jerk * dt * slack + 1e-12).all()


@pytest.mark.parametrize("robot", [slow("ur10e"), "fr3", slow("scara")])
@pytest.mark.parametrize("interface", INTERFACES)
def test_limits_hold_at_every_physics_step(robot: str, interface: Any) -> None:
    b = bench(robot, interface, n=4)
    steps = recorded(b)
    rng = np.random.default_rng(2)
    low, high = (np.array([getattr(t, k) for t in b.action.terms]) for k in ("low", "high"))
    for _ in range(50):
        b.step(np.where(rng.random((4, b.size)) < 0.5, low, high))
    assert len(steps) == 50 * TIMING.substeps
    dt = TIMING.timestep_s
    motion_holds(steps, "tcp_reference", b.action.reference.limits, dt)
    if interface is Admittance:
        motion_holds(steps, "tcp_virtual", b.action.virtual.limits, dt)
        motion_holds(steps, "joint_reference", b.action.motion, dt)
        place = np.array([step["joint_reference"] for step in steps])
        assert (place >= b.action.motion.low - 1e-9).all() and (place <= b.action.motion.high + 1e-9).all()
    else:
        torque = np.array([step["ctrl"] for step in steps])
        drives = np.array([step["drives"] for step in steps])
        assert (np.abs(drives) <= b.action.torque * (1 + 1e-9)).all()
        assert (np.abs(torque) <= b.action.torque * (1 + 1e-9)).all()
        assert (np.abs(np.diff(torque, axis=0)) <= b.action.rate * dt * (1 + 1e-9)).all()
    assert np.isfinite(b.s.sim.qpos).all() and not b.s.sim.failed.any()


def test_the_reference_stays_in_its_box() -> None:
    home = bench("ur10e", OperationalSpace).action.arm.position[0]
    box = TcpLimits(tuple(home - 0.05), tuple(home + np.array([0.1, 0.05, 0.05])))
    b = bench("ur10e", OperationalSpace, tcp=box)
    for _ in range(60):
        b.step(b.still(increment_x=0.01, increment_y=-0.01))
        assert (b.action.reference.position <= np.array(box.high) + 1e-9).all()
        assert (b.action.reference.position >= np.array(box.low) - 1e-9).all()
    np.testing.assert_allclose(b.action.arm.position[0, :2], home[:2] + np.array([0.1, -0.05]), atol=1e-3)


@pytest.mark.parametrize("interface", [OperationalSpace, VariableImpedance])
def test_no_joint_is_driven_beyond_its_range(interface: Any) -> None:
    """Turned on about the tool's axis, the last joint stops in front of its end."""
    b = bench("fr3", interface)
    turning = b.still(**{**ratios(b), "increment_rz": -0.03})
    for _ in range(150):
        b.step(turning)
        assert (b.s.sim.qpos[0] < b.action.motion.high + 0.005).all()
        assert (b.s.sim.qpos[0] > b.action.motion.low - 0.005).all()
    assert b.s.sim.qpos[0, 6] > b.action.motion.high[6] - 0.1, "the range can be used"


@pytest.mark.parametrize("interface", INTERFACES)
def test_through_singularities(interface: Any) -> None:
    """Stretched out as far as the arm goes, and straight up over its base: finite, and not wild."""
    b = bench("ur10e", interface, n=3)
    b.s.sim.qpos[2, :6] = [0.0, -np.pi / 2, 0.0, -np.pi / 2, 0.0, 0.0]
    if interface is Admittance:
        b.s.sim.ctrl[2] = b.s.sim.qpos[2, :6]
    b.s.sim.forward()
    b.action.reset(b.s, np.array([2]))
    moving = b.still(**ratios(b))
    moving[0, 0], moving[1, 2], moving[2, 0] = 0.01, 0.01, 0.01
    for _ in range(150):
        b.step(moving)
        assert np.isfinite(b.s.sim.qpos).all() and np.isfinite(b.s.sim.ctrl).all()
        assert (np.abs(b.s.sim.qvel) < 1.5 * np.array(b.robot.velocity)).all()
    assert not b.s.sim.failed.any()


# -- rows and states ----------------------------------------------------------------------------------------------


def drive(b: Bench, steps: int, seed: int, rows: slice = slice(None)) -> None:
    """Random set-points, the same for a row wherever it is."""
    rng = np.random.default_rng(seed)
    low, high = (np.array([getattr(t, k) for t in b.action.terms]) for k in ("low", "high"))
    for _ in range(steps):
        b.step(rng.uniform(low, high, (5, b.size))[rows])


@pytest.mark.parametrize("robot", [slow("ur10e"), "fr3"])
@pytest.mark.parametrize("interface", INTERFACES)
def test_a_row_does_not_depend_on_its_neighbours(robot: str, interface: Any) -> None:
    many, one = bench(robot, interface, n=5, wall=2e4), bench(robot, interface, n=1, wall=2e4)
    drive(many, 25, 3)
    drive(one, 25, 3, slice(3, 4))
    assert_same(row_of(many.s.get_state(), 3), row_of(one.s.get_state(), 0))
    assert_same(many.s.sim.batch.state[3], one.s.sim.batch.state[0])


@pytest.mark.parametrize("interface", INTERFACES)
def test_a_saved_state_goes_on_as_it_would_have(interface: Any) -> None:
    b = bench("fr3", interface, n=5, wall=2e4)
    drive(b, 12, 5)
    saved = b.s.get_state(), b.s.sim.get_state()
    drive(b, 12, 6)
    expected = b.s.get_state(), b.s.sim.batch.state.copy()
    for again in (b, bench("fr3", interface, n=5, wall=2e4)):
        again.s.sim.set_state(saved[1])
        again.s.set_state(saved[0])
        drive(again, 12, 6)
        assert_same(again.s.get_state(), expected[0])
        assert_same(again.s.sim.batch.state, expected[1])


@pytest.mark.parametrize("interface", INTERFACES)
def test_only_the_asked_rows_move(interface: Any) -> None:
    b = bench("ur10e", interface, n=3)
    whole = bench("ur10e", interface, n=3)
    still = b.s.sim.qpos[1].copy()
    rows = np.array([0, 2])
    for _ in range(5):
        moving = b.still(**ratios(b), increment_x=0.005)
        b.action.apply(b.s, moving, rows)
        whole.step(moving)
    assert_same(b.s.sim.qpos[1], still)
    assert_same(b.s.sim.batch.state[rows], whole.s.sim.batch.state[rows])


def test_a_slower_inner_loop_does_the_same_within_reason() -> None:
    fast, slow = bench("ur10e", OperationalSpace), bench("ur10e", OperationalSpace, inner_hz=250.0)
    for b in (fast, slow):
        b.step(b.still(increment_x=0.004, increment_rz=0.01), 20)
        b.step(b.still(), 30)
    np.testing.assert_allclose(fast.s.sim.qpos, slow.s.sim.qpos, atol=2e-3)
