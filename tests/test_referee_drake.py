"""Our robots move as Drake says: seconds of motion, integrated by the same rule at the same step in both engines.

Needs the extra `referee` (`make test-referee`). Without the engine these tests fail: they are asked for by name.
"""

from __future__ import annotations

from types import ModuleType

import mujoco
import numpy as np
import pytest
from referee_cases import Array, joint_ranges, moving_models, rigid_model

pytestmark = pytest.mark.referee

SECONDS = 2.0
TOLERANCE = 1e-9  # rad (m for slides)

# Drake's free bodies have coordinates of their own; what has one is compared in Pinocchio.
MODELS = moving_models(free_bodies=False)


@pytest.fixture(scope="module")
def engine() -> ModuleType:
    """Imported here and not above, so that collecting the tests needs no Drake."""
    import referee_drake

    return referee_drake


class OpenLoop:
    """Holding torque of the start and sines on top, that would swing each joint alone at a few rad/s^2."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self.hold = data.qfrc_bias - data.qfrc_gravcomp
        self.amplitude = 6.0 * model.dof_M0
        self.omega = 2.0 * np.pi * (0.5 + 0.15 * np.arange(model.nv))

    def __call__(self, t: float, qpos: Array, qvel: Array) -> Array:
        return self.hold + self.amplitude * np.sin(self.omega * t)


class Servo(OpenLoop):
    """PD servo (2 Hz) after a target that moves by 0.5 rad (m) back and forth."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        super().__init__(model, data)
        self.start = data.qpos.copy()
        self.kp, self.kd = model.dof_M0 * (4.0 * np.pi) ** 2, model.dof_M0 * 8.0 * np.pi

    def __call__(self, t: float, qpos: Array, qvel: Array) -> Array:
        return self.hold + self.kp * (self.start + 0.5 * np.sin(self.omega * t) - qpos) - self.kd * qvel


def swung(name: str, compensated: bool) -> mujoco.MjModel:
    """A model that MuJoCo integrates as Drake's semi-explicit Euler does: every force from the start of the step."""
    model = rigid_model(name)
    model.opt.integrator = mujoco.mjtIntegrator.mjINT_EULER
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_EULERDAMP
    if not compensated:
        model.body_gravcomp[:] = 0.0
    return model


def start(model: mujoco.MjModel) -> mujoco.MjData:
    """The home pose, or one about the middle of the joint ranges, slowly moving."""
    data = mujoco.MjData(model)
    rng = np.random.default_rng(0)
    low, high = joint_ranges(model).T
    data.qpos[:] = model.key_qpos[0] if model.nkey else low + (high - low) * rng.uniform(0.4, 0.6, model.nq)
    data.qvel[:] = rng.uniform(-0.1, 0.1, model.nv)
    mujoco.mj_forward(model, data)
    return data


def our_motion(model: mujoco.MjModel, force: OpenLoop, steps: int) -> Array:
    """(steps + 1, nv) positions in MuJoCo."""
    data, out = start(model), np.empty((steps + 1, model.nv))
    for k in range(steps + 1):
        out[k] = data.qpos
        data.qfrc_applied[:] = force(data.time, data.qpos, data.qvel)
        mujoco.mj_step(model, data)
    return out


@pytest.mark.parametrize("law", [OpenLoop, Servo])
@pytest.mark.parametrize("compensated", [True, False], ids=["gravity_compensated", "under_gravity"])
@pytest.mark.parametrize("name", MODELS)
def test_two_seconds_of_motion_agree(engine: ModuleType, name: str, compensated: bool, law: type[OpenLoop]) -> None:
    model = swung(name, compensated)
    data = start(model)
    force, steps = law(model, data), round(SECONDS / model.opt.timestep)
    ours = our_motion(model, force, steps)
    theirs = engine.motion(model, force, data.qpos, data.qvel, steps)
    assert np.ptp(ours, axis=0).max() > 0.3, "it moves"
    assert np.abs(ours - theirs).max() <= TOLERANCE


@pytest.mark.parametrize("field", ["body_mass", "body_inertia", "body_ipos", "dof_armature", "dof_damping"])
def test_a_wrong_number_is_noticed(engine: ModuleType, field: str) -> None:
    """One part in a thousand of what the elbow carries or turns is far above the tolerance."""
    model = swung("ur10e", compensated=False)
    data = start(model)
    force, steps = OpenLoop(model, data), round(SECONDS / model.opt.timestep)
    elbow = model.joint("elbow")
    wrong = model.__copy__()
    getattr(wrong, field)[elbow.bodyid[0] if field.startswith("body") else elbow.dofadr[0]] *= 1.001
    theirs = engine.motion(wrong, force, data.qpos, data.qvel, steps)
    assert np.abs(our_motion(model, force, steps) - theirs).max() > 1e3 * TOLERANCE
