"""Randomized bodies, servos and gravity against physics; and the ways in which a field can fool its user."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import mujoco
import numpy as np
import pytest
from engine_checks import assert_same
from randomization_checks import Preset, presets

from shopfloor.envs.randomization import CORNERS, OOD_FAR, OOD_NEAR, STRUCTURAL, TRAIN, spec_from
from shopfloor.envs.randomization.inertia import perturbed_inertia
from shopfloor.envs.randomization.model_effects import ModelEffects
from shopfloor.errors import ShopfloorError
from shopfloor.frames import rotate

FREE = int(mujoco.mjtJoint.mjJNT_FREE)
DRAWN = (TRAIN, CORNERS, OOD_NEAR, OOD_FAR, STRUCTURAL)


class Plain:
    """One ordinary MuJoCo model as a plant: what effects need of a simulation, in ten lines."""

    n = 1

    def __init__(self, model: mujoco.MjModel):
        self.model = model.__copy__()
        self.live = model
        self.stale_rows = 0

    def field(self, name: str) -> Any:
        owner: Any = self.live
        for part in name.split("."):
            owner = getattr(owner, part)
        return owner[None]

    def stale(self, rows: Any) -> None:
        self.stale_rows += 1


def effects(xml: str, entry: dict[str, Any]) -> tuple[Plain, ModelEffects]:
    plant = Plain(mujoco.MjModel.from_xml_string(xml))
    terms = spec_from({"terms": {"t": {"distribution": {"uniform": [0.9, 1.1]}, **entry}}}).terms
    return plant, ModelEffects(plant, terms)


def apply(bound: ModelEffects, *values: float) -> None:
    bound.apply(np.arange(1), {"t": np.array([values])}, {"t": np.array([True])})


# -- possible bodies -----------------------------------------------------------------------------------------------


def cloud(n: int, points: int = 12, seed: int = 0) -> tuple[Any, Any]:
    """Point masses (n, points) and their places (n, points, 3)."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0.1, 2.0, (n, points)), rng.normal(0.2, 0.3, (n, points, 3))


def body_of(masses: Any, places: Any) -> tuple[Any, Any, Any, Any]:
    """Mass, centre of mass, principal inertia and its orientation of point masses."""
    mass = masses.sum(axis=1)
    center = (masses[..., None] * places).sum(axis=1) / mass[:, None]
    r = places - center[:, None]
    square = (r * r).sum(axis=-1)
    tensor = np.einsum("np,np,ij->nij", masses, square, np.eye(3)) - np.einsum("np,npi,npj->nij", masses, r, r)
    moments, axes = np.linalg.eigh(tensor)
    axes[..., 2] *= np.linalg.det(axes)[:, None]
    quat = np.empty((mass.size, 4))
    for k in range(mass.size):
        mujoco.mju_mat2Quat(quat[k], axes[k].reshape(-1))
    return mass, center, moments, quat


def tensor_of(inertia: Any, iquat: Any) -> Any:
    axes = np.stack([rotate(iquat, np.broadcast_to(e, inertia.shape)) for e in np.eye(3)], axis=-1)
    return np.einsum("nij,nj,nkj->nik", axes, inertia, axes)


def test_pseudo_inertia_is_that_of_the_same_body_stretched_sheared_and_moved():
    """Rucker and Wensing: the perturbation is an affine map of the body's matter, and exp(2 alpha) more of it."""
    rng = np.random.default_rng(1)
    masses, places = cloud(20)
    theta = rng.uniform(-0.3, 0.3, (20, 10))
    alpha, d, (s12, s23, s13), t = theta[:, 0], theta[:, 1:4], theta[:, 4:7].T, theta[:, 7:]
    matrix = np.zeros((20, 3, 3))
    matrix[:, [0, 1, 2], [0, 1, 2]] = np.exp(d)
    matrix[:, 0, 1], matrix[:, 1, 2], matrix[:, 0, 2] = s12, s23, s13
    moved = np.einsum("nij,npj->npi", matrix, places) + t[:, None]
    expected = body_of(masses * np.exp(2.0 * alpha)[:, None], moved)
    got = perturbed_inertia(*body_of(masses, places), theta)
    np.testing.assert_allclose(got[0], expected[0], rtol=1e-12)
    np.testing.assert_allclose(got[1], expected[1], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(tensor_of(*got[2:]), tensor_of(*expected[2:]), rtol=1e-9, atol=1e-10)


def test_every_perturbation_is_a_possible_body():
    rng = np.random.default_rng(2)
    for scale in (0.01, 0.3, 1.5):
        mass, _, inertia, iquat = perturbed_inertia(*body_of(*cloud(500)), rng.normal(0.0, scale, (500, 10)))
        assert (mass > 0.0).all() and (inertia > 0.0).all()
        largest = inertia.max(axis=1)
        assert (largest <= (inertia.sum(axis=1) - largest) * (1.0 + 1e-9)).all(), "triangle inequality"
        np.testing.assert_allclose((iquat * iquat).sum(axis=1), 1.0, rtol=1e-12)


def test_no_perturbation_is_the_same_body_to_the_bit():
    body = body_of(*cloud(30))
    theta = np.zeros((30, 10))
    theta[7, 3] = 0.1
    same = np.arange(30) != 7
    for got, nominal in zip(perturbed_inertia(*body, theta), body, strict=True):
        assert_same(got[same], nominal[same])
    assert not np.array_equal(perturbed_inertia(*body, theta)[2][7], body[2][7])


def test_small_perturbations_are_continuous():
    body = body_of(*cloud(30))
    nominal = tensor_of(*body[2:])
    got = perturbed_inertia(*body, np.full((30, 10), 1e-9))
    np.testing.assert_allclose(tensor_of(*got[2:]), nominal, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(got[1], body[1], atol=1e-8)


def test_bodies_whose_shape_varies_are_not_compiled_as_simple_ones():
    preset = next(p for p in presets() if p.spec.name == "rest" and "Wafer" in str(p))
    cell = preset.cell(1)
    assert not cell.model.body_simple[cell.model.body("wafer").id]
    simple = "<mujoco><worldbody><body name='part'><freejoint/><geom size='0.1' mass='1'/></body></worldbody></mujoco>"
    with pytest.raises(ShopfloorError, match=r"compiled body 'part' as one whose centre of mass cannot move.*simple="):
        effects(simple, {"effect": "pseudo_inertia", "target": {"body": "part"},
                         "distribution": {"uniform": [-0.1, 0.1]}})  # fmt: skip


# -- mass ----------------------------------------------------------------------------------------------------------

COMPENSATED = """<mujoco><worldbody><body name="part" gravcomp="1"><joint name="j" type="slide" axis="0 0 1"/>
<geom size="0.1" mass="2" pos="0.3 0.2 0.1"/></body></worldbody></mujoco>"""


@pytest.mark.parametrize("operation, value, mass", [("scale", 1.5, 3.0), ("add", 0.7, 2.7), ("set", 1.1, 1.1)])
def test_inertia_follows_mass_and_compensation_does_not(operation: str, value: float, mass: float):
    """A controller compensates the machine that it knows: the additional weight is felt."""
    plant, bound = effects(COMPENSATED, {"effect": "mass", "target": {"body": "part"}, "operation": operation,
                                         "distribution": {"uniform": [0.5, 1.5]}})  # fmt: skip
    inertia = plant.model.body_inertia[1].copy()
    for _ in range(3):
        apply(bound, value)
    model = plant.live
    assert model.body_mass[1] == pytest.approx(mass, rel=1e-14)
    np.testing.assert_allclose(model.body_inertia[1], inertia * mass / 2.0, rtol=1e-14)
    assert plant.stale_rows >= 3
    data = mujoco.MjData(model)
    mujoco.mj_setConst(model, data)
    mujoco.mj_forward(model, data)
    assert data.qfrc_gravcomp[0] == pytest.approx(2.0 * 9.81, rel=1e-12)
    assert data.qacc[0] == pytest.approx(-9.81 * (mass - 2.0) / mass, rel=1e-9)
    bound.apply(np.arange(1), {"t": np.zeros((1, 1))}, {"t": np.array([False])})
    for name in ("body_mass", "body_inertia", "body_gravcomp"):
        assert_same(np.array(getattr(model, name)), np.array(getattr(plant.model, name)))


def test_masses_that_no_body_has_are_refused():
    world = "<mujoco><worldbody><body name='frame'><site/></body></worldbody></mujoco>"
    with pytest.raises(ShopfloorError, match="body 'frame' has no mass to randomize"):
        effects(world, {"effect": "mass", "target": {"body": "frame"}})
    entry = {"effect": "mass", "target": {"body": "part"}, "operation": "add"}
    with pytest.raises(ShopfloorError, match=r"mass would become -1, outside .* narrow the range"):
        effects(COMPENSATED, {**entry, "distribution": {"uniform": [-3.0, 0.0]}})
    _, bound = effects(COMPENSATED, {**entry, "distribution": {"uniform": [-1.0, 0.0]}})
    with pytest.raises(ShopfloorError, match=r"mass would become -0\.5"):
        apply(bound, -2.5)  # a shell may reach where training does not


# -- gravity -------------------------------------------------------------------------------------------------------


def test_a_tilted_floor_has_the_same_gravity():
    plant, bound = effects(COMPENSATED, {"effect": "gravity_tilt", "distribution": {"uniform": [-0.1, 0.1]}})
    for x, y in ((0.0, 0.0), (0.1, 0.0), (0.0, -0.1), (0.07, 0.05)):
        apply(bound, x, y)
        gravity = np.array(plant.live.opt.gravity)
        assert np.linalg.norm(gravity) == pytest.approx(9.81, rel=1e-14)
        # turned about x the floor's normal leans to y, turned about y it leans to x
        assert gravity[1] == pytest.approx(9.81 * np.sin(x), abs=1e-12)
        assert -gravity[0] == pytest.approx(9.81 * np.cos(x) * np.sin(y), abs=1e-12)
    apply(bound, 0.0, 0.0)
    assert_same(np.array(plant.live.opt.gravity), np.array([0.0, 0.0, -9.81]))


@functools.cache
def falling_presets() -> list[Preset]:
    own = [p for p in presets() if not p.case.kwargs]
    return [p for p in own if (p.cell(1).model.jnt_type == FREE).any()]


def free_fall(preset: Preset, split: str, rows: int) -> None:
    """Loose bodies in the air: nothing but gravity, which every sample has as much of."""
    cell = preset.cell(rows, split)
    cell.reset(seeds=np.arange(rows))
    model, sim = cell.model, cell.sim
    joints = np.flatnonzero(model.jnt_type == FREE)
    at, speed = model.jnt_qposadr[joints], model.jnt_dofadr[joints]
    sim.qpos[:, at + 2] += 5.0
    for k in range(3):
        sim.qvel[:, speed + k] = sim.qvel[:, speed + 3 + k] = 0.0
    for name in ("xfrc_applied", "qfrc_applied"):
        sim.batch.bind(name)[...] = 0.0
    sim.forward()
    fields = sim._fields
    gravity = fields.get("opt.gravity", np.tile(model.opt.gravity, (rows, 1)))
    np.testing.assert_allclose(np.sqrt((gravity * gravity).sum(axis=1)), 9.81, rtol=1e-12)
    start, steps = sim.qpos.copy(), 60
    # the frame falls as the centre of mass does as long as the body does not turn
    sim.step(steps)
    dt = model.opt.timestep
    for k in range(3):
        moved = sim.qpos[:, at + k] - start[:, at + k]
        want = np.broadcast_to((gravity[:, k] * dt * dt * steps * (steps + 1) / 2)[:, None], moved.shape)
        np.testing.assert_allclose(moved, want, rtol=1e-9, atol=1e-10)
    for row in range(min(rows, 4)):
        own, data = sim.batch.get_model(row), mujoco.MjData(model)
        mujoco.mj_setState(own, data, sim.batch.state[row], int(mujoco.mjtState.mjSTATE_INTEGRATION))
        mujoco.mj_forward(own, data)
        for joint in speed:
            acceleration = data.qacc[joint : joint + 3]
            assert np.linalg.norm(acceleration) == pytest.approx(9.81, rel=1e-9), f"{split} row {row}"


def test_there_is_something_that_falls():
    assert {p.case.env_id for p in falling_presets()} >= {"shopfloor/WaferTransfer-v0"}


@pytest.mark.parametrize("split", DRAWN)
@pytest.mark.parametrize("falling", falling_presets(), ids=str)
def test_free_fall_is_the_same_under_every_sample(falling: Preset, split: str):
    free_fall(falling, split, 24)


@pytest.mark.slow
@pytest.mark.parametrize("falling", falling_presets(), ids=str)
def test_free_fall_is_the_same_under_thousands_of_samples(falling: Preset):
    for split in DRAWN:
        free_fall(falling, split, 1000)


# -- servos --------------------------------------------------------------------------------------------------------

SERVOS = """<mujoco><worldbody><body name="part"><joint name="j" axis="0 1 0"/><geom size="0.1" mass="1" pos="0.3 0 0"/>
</body></worldbody><actuator><position name="p" joint="j" kp="50" kv="4" forcerange="-9 9"/><velocity name="v" joint="j"
kv="3"/><motor name="m" joint="j"/></actuator></mujoco>"""


def test_stiffness_moves_gain_and_bias_together():
    plant, bound = effects(SERVOS, {"effect": "servo_stiffness", "target": {"actuator": "p"}})
    apply(bound, 1.3)
    model = plant.live
    assert model.actuator_gainprm[0, 0] == -model.actuator_biasprm[0, 1] == 50.0 * 1.3
    assert model.actuator_biasprm[0, 2] == -4.0
    assert_same(np.array(model.actuator_gainprm[1:]), np.array(plant.model.actuator_gainprm[1:]))


@pytest.mark.parametrize("name, gain, bias", [("p", 50.0, -4.0), ("v", 3.0, -3.0)])
def test_damping_is_a_bias_of_a_position_servo_and_both_of_a_velocity_servo(name: str, gain: float, bias: float):
    plant, bound = effects(SERVOS, {"effect": "servo_damping", "target": {"actuator": name}})
    apply(bound, 1.2)
    index = plant.live.actuator(name).id
    assert plant.live.actuator_gainprm[index, 0] == pytest.approx(gain * (1.2 if name == "v" else 1.0), rel=1e-15)
    assert plant.live.actuator_biasprm[index, 2] == pytest.approx(1.2 * bias, rel=1e-15)


def test_torque_limits_scale_at_both_ends():
    plant, bound = effects(SERVOS, {"effect": "torque_limit", "target": {"actuator": "p"}})
    apply(bound, 0.5)
    assert plant.live.actuator_forcerange[0].tolist() == [-4.5, 4.5]


@pytest.mark.parametrize(
    "effect, name, message",
    [
        ("servo_stiffness", "m", "actuator 'm' is no position servo"),
        ("servo_stiffness", "v", "actuator 'v' is no position servo"),
        ("servo_damping", "m", "actuator 'm' is no servo with velocity feedback"),
        ("torque_limit", "m", "actuator 'm' has no force range to scale"),
    ],
)
def test_actuators_that_have_no_such_gain_are_refused(effect: str, name: str, message: str):
    with pytest.raises(ShopfloorError, match=message):
        effects(SERVOS, {"effect": effect, "target": {"actuator": name}})


def test_position_servos_of_all_presets_rest_at_their_command():
    """Gain and bias of a servo that disagree would pull every pose towards or away from zero."""
    cells = {str(p): p.cell(4) for p in presets() if not p.case.kwargs}
    for (preset, cell), split in itertools.product(cells.items(), DRAWN):
        cell.reset(seeds=np.arange(4), split=split)
        fields = cell.sim._fields
        if "actuator_biasprm" not in fields:
            continue
        servo = cell.model.actuator_biasprm[:, 1] != 0.0
        gain = fields.get("actuator_gainprm", np.tile(cell.model.actuator_gainprm, (4, 1, 1)))
        assert_same(gain[:, servo, 0], -fields["actuator_biasprm"][:, servo, 1], f"{preset} {split}")


# -- fields that fool ----------------------------------------------------------------------------------------------

CONTACT = """<mujoco><worldbody><geom name="floor" type="plane" size="1 1 1" friction="{floor}"/><body name="part">
<freejoint/><geom name="box" type="box" size=".1 .1 .1" friction="{box}" priority="{priority}"/></body></worldbody>
</mujoco>"""
SLIP = {"effect": "geom_friction", "target": {"geom": "box"}, "components": [0]}


@pytest.mark.parametrize(
    "operation, values, box, floor, priority, hidden",
    [
        ("scale", [0.8, 1.2], 0.5, 0.45, 0, True),  # the floor's 0.45 hides everything below
        ("scale", [0.8, 1.2], 0.5, 0.39, 0, False),
        ("scale", [0.8, 1.2], 0.5, 0.9, 1, False),  # priority decides alone
        ("scale", [0.8, 1.2], 0.5, 0.1, -1, True),
        ("set", [0.3, 0.6], 0.5, 0.31, 0, True),
        ("set", [0.3, 0.6], 0.5, 0.29, 0, False),
        ("add", [-0.1, 0.1], 0.5, 0.45, 0, True),
        ("add", [-0.1, 0.1], 0.5, 0.39, 0, False),
    ],
)
def test_friction_that_a_contact_would_not_feel_is_refused(
    operation: str, values: Any, box: float, floor: float, priority: int, hidden: bool
):
    xml = CONTACT.format(floor=floor, box=box, priority=priority)
    entry = {**SLIP, "operation": operation, "distribution": {"uniform": values}}
    if not hidden:
        effects(xml, entry)
        return
    with pytest.raises(ShopfloorError, match="that of geom 'box' can stay hidden behind 'floor'; give 'box' a higher"):
        effects(xml, entry)


@pytest.mark.parametrize("field, target", [("body_quat", {"body": "part"}), ("jnt_axis", {"joint": "j"})])
def test_what_must_be_a_unit_vector_stays_one(field: str, target: dict[str, str]):
    plant, bound = effects(SERVOS, {"effect": field, "target": target, "operation": "add", "per_component": True,
                                    "distribution": {"uniform": [-0.3, 0.3]}})  # fmt: skip
    values = np.random.default_rng(0).uniform(-0.3, 0.3, bound.bound[0].size)
    apply(bound, *values)
    index = 1 if field == "body_quat" else 0
    got, nominal = np.array(getattr(plant.live, field)[index]), np.array(getattr(plant.model, field)[index])
    assert np.linalg.norm(got) == pytest.approx(1.0, rel=1e-14)
    expected = nominal + values
    np.testing.assert_allclose(got, expected / np.linalg.norm(expected), rtol=1e-14)
    bound.restore(np.arange(1))
    assert_same(np.array(getattr(plant.live, field)), np.array(getattr(plant.model, field)))


def test_terms_of_one_field_act_one_after_the_other():
    plant = Plain(mujoco.MjModel.from_xml_string(COMPENSATED))
    base = {"effect": "mass", "target": {"body": "part"}}
    terms = spec_from({"terms": {
        "load": {**base, "operation": "add", "distribution": {"uniform": [0.0, 1.0]}},
        "density": {**base, "distribution": {"uniform": [0.9, 1.1]}},
    }}).terms  # fmt: skip
    both = {"load": np.array([[0.5]]), "density": np.array([[1.1]])}
    on = {k: np.array([True]) for k in both}
    for order, mass in ((terms, (2.0 + 0.5) * 1.1), (terms[::-1], 2.0 * 1.1 + 0.5)):
        bound = ModelEffects(plant, order)
        for _ in range(2):
            bound.apply(np.arange(1), both, on)
        assert plant.live.body_mass[1] == pytest.approx(mass, rel=1e-14)
        bound.restore(np.arange(1))
