"""Whatever a loose body weighs, it falls with 9.81 m/s^2: the simplest thing that a careless randomization breaks."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from referee_cases import FREE, moving_models, rigid_model

GRAVITY = np.array([0.0, 0.0, -9.81])
MASS_FACTORS = [0.05, 0.5, 2.0, 5.0, 20.0]
LOOSE = sorted(set(moving_models()) - set(moving_models(free_bodies=False)))


def loose_bodies(model: mujoco.MjModel) -> np.ndarray:
    return model.jnt_bodyid[model.jnt_type == FREE]


def scaled(model: mujoco.MjModel, factor: float, *, recomputed: bool) -> mujoco.MjModel:
    """A copy whose loose bodies have `factor` times the mass, with or without the constants that follow from it."""
    other = model.__copy__()
    other.body_mass[loose_bodies(other)] *= factor
    other.body_inertia[loose_bodies(other)] *= factor
    if recomputed:
        mujoco.mj_setConst(other, mujoco.MjData(other))
    return other


def falling(model: mujoco.MjModel) -> np.ndarray:
    """(bodies, 3) linear acceleration of each loose body, m/s^2."""
    data = mujoco.MjData(model)
    if model.nkey:
        mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    return np.stack([data.qacc[at : at + 3] for at in model.jnt_dofadr[model.jnt_type == FREE]])


def test_there_are_loose_bodies() -> None:
    assert {"transfer_chamber", "wafer_300mm"} <= set(LOOSE)


@pytest.mark.parametrize("factor", MASS_FACTORS)
@pytest.mark.parametrize("name", LOOSE)
def test_a_loose_body_of_any_mass_falls_with_gravity(name: str, factor: float) -> None:
    model = scaled(rigid_model(name), factor, recomputed=True)
    np.testing.assert_array_equal(model.opt.gravity, GRAVITY)
    found = falling(model)
    np.testing.assert_allclose(found, np.broadcast_to(GRAVITY, found.shape), rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("name", LOOSE)
def test_it_falls_as_far_as_the_closed_form_says(name: str) -> None:
    """Semi-implicit Euler, n steps from rest: g dt^2 n (n + 1) / 2."""
    model = scaled(rigid_model(name), 5.0, recomputed=True)
    data = mujoco.MjData(model)
    heights = model.jnt_qposadr[model.jnt_type == FREE] + 2
    start, steps = data.qpos[heights].copy(), 200
    mujoco.mj_step(model, data, steps)
    drop = 9.81 * model.opt.timestep**2 * steps * (steps + 1) / 2
    np.testing.assert_allclose(start - data.qpos[heights], drop, rtol=1e-11)


# What ours are not: MuJoCo compiles a free body whose frame is at its centre of mass, along its principal axes, to a
# "simple" one, whose inertia it reads from a constant.
SIMPLE = '<mujoco><worldbody><body name="part"><freejoint/><geom size="0.1" mass="1"/></body></worldbody></mujoco>'


def test_without_mj_setconst_a_simple_body_falls_with_the_factor_of_its_mass() -> None:
    """The trap: gravity pulls at the new mass, the old inertia answers."""
    model = mujoco.MjModel.from_xml_string(SIMPLE)
    assert model.body_simple[1]
    np.testing.assert_allclose(falling(scaled(model, 5.0, recomputed=False)), [5.0 * GRAVITY], rtol=1e-12)
    np.testing.assert_allclose(falling(scaled(model, 5.0, recomputed=True)), [GRAVITY], rtol=1e-12)


@pytest.mark.parametrize("name", LOOSE)
def test_our_loose_bodies_are_not_simple(name: str) -> None:
    """They fall rightly even if somebody forgets; what contacts go by would still be that of the old mass."""
    model = rigid_model(name)
    bodies = loose_bodies(model)
    assert not model.body_simple[bodies].any(), "add it with simple=False: loose things have their mass randomized"
    forgotten, right = (scaled(model, 5.0, recomputed=r) for r in (False, True))
    np.testing.assert_allclose(falling(forgotten), falling(right), rtol=0.0, atol=1e-9)
    np.testing.assert_array_equal(forgotten.body_invweight0, model.body_invweight0)
    np.testing.assert_allclose(right.body_invweight0[bodies], model.body_invweight0[bodies] / 5.0, rtol=1e-9)
