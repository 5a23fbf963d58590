"""Our robots move as Pinocchio says: forward dynamics of every model, nominal and randomized.

Needs the extra `referee` (`make test-referee`). Without the engine these tests fail: they are asked for by name.
"""

from __future__ import annotations

from types import ModuleType

import mujoco
import numpy as np
import pytest
from referee_cases import accelerations, moving_models, random_states, randomized, relative_error, rigid_model

pytestmark = pytest.mark.referee

MODELS = moving_models()
STATES = 200
TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def engine() -> ModuleType:
    """Imported here and not above, so that collecting the tests needs no Pinocchio."""
    import referee_pinocchio

    return referee_pinocchio


@pytest.mark.parametrize("name", MODELS)
def test_accelerations_agree(engine: ModuleType, name: str) -> None:
    model = rigid_model(name)
    states = random_states(model, STATES, np.random.default_rng(0))
    error = relative_error(engine.PinocchioReferee(model).accelerations(states), accelerations(model, states))
    assert error <= TOLERANCE


@pytest.mark.parametrize("name", MODELS)
def test_accelerations_of_randomized_models_agree(engine: ModuleType, name: str) -> None:
    rng = np.random.default_rng(1)
    nominal = rigid_model(name)
    errors = []
    for _ in range(10):
        model = randomized(nominal, rng)
        states = random_states(model, STATES // 10, rng)
        expected = accelerations(model, states)
        errors.append(relative_error(engine.PinocchioReferee(model).accelerations(states), expected))
        # the randomization is large, and the rebuilt referee follows it
        assert relative_error(engine.PinocchioReferee(nominal).accelerations(states), expected) > 1e-2
    assert max(errors) <= TOLERANCE


def test_gravity_compensation_stops_at_the_actuators_limit(engine: ModuleType) -> None:
    model = rigid_model("ur10e")
    model.jnt_actfrcrange[:] = [-20.0, 20.0]
    states = random_states(model, STATES, np.random.default_rng(3))
    expected = accelerations(model, states)
    assert relative_error(engine.PinocchioReferee(model).accelerations(states), expected) <= TOLERANCE
    model.jnt_actfrcrange[:] = [-300.0, 300.0]
    assert relative_error(engine.PinocchioReferee(model).accelerations(states), expected) > 1e-2


# What a robot of ours may come to use: a moving base, ref, springref, joints off the body's origin, several on a body,
# oblique axes, a body that is fixed to a moving one. No number in it is without effect.
OBLIQUE = """
<mujoco>
  <compiler angle="radian" inertiafromgeom="false"/>
  <option gravity="1 -2 -9"><flag constraint="disable"/></option>
  <worldbody>
    <body name="base" pos="1 2 3" quat="0.5 0.5 -0.5 0.5">
      <freejoint/>
      <inertial pos="0.1 0.2 -0.1" mass="5" fullinertia="0.3 0.4 0.5 0.02 0.03 -0.04"/>
      <body pos="0.3 -0.1 0.2" quat="0.9 0.1 -0.3 0.2" gravcomp="0.4">
        <joint type="hinge" pos="0.1 0.1 -0.2" axis="1 2 -1" ref="0.4" stiffness="30" springref="-0.3" damping="2"/>
        <joint type="slide" axis="0 1 1" ref="0.1" armature="0.7"/>
        <joint type="hinge" pos="-0.1 0.2 0" axis="0 -1 3" armature="0.2"/>
        <inertial pos="0.2 0.3 0.1" quat="0.8 0.4 -0.2 0.3" mass="2" diaginertia="0.05 0.06 0.07"/>
        <body pos="0.1 0.4 -0.2" quat="0.7 0 0.7 0" gravcomp="1">
          <inertial pos="0.1 0.2 0.1" mass="1" quat="0.5 0.1 0.7 0.4" diaginertia="0.01 0.02 0.025"/>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>"""


@pytest.fixture
def oblique() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(OBLIQUE)


def test_a_moving_base_references_and_oblique_joints_agree(engine: ModuleType, oblique: mujoco.MjModel) -> None:
    states = random_states(oblique, STATES, np.random.default_rng(4))
    error = relative_error(engine.PinocchioReferee(oblique).accelerations(states), accelerations(oblique, states))
    assert error <= TOLERANCE


FIELDS = (
    "body_mass", "body_inertia", "body_ipos", "body_iquat", "body_pos", "body_quat", "body_gravcomp", "jnt_pos",
    "jnt_axis", "jnt_stiffness", "dof_armature", "dof_damping", "qpos0", "qpos_spring",
)  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_a_wrong_number_is_noticed(engine: ModuleType, oblique: mujoco.MjModel, field: str) -> None:
    """One part in a thousand of any single number is far above the tolerance."""
    states = random_states(oblique, 20, np.random.default_rng(2))
    expected = accelerations(oblique, states)
    values = getattr(oblique, field)
    # the world and where a free body is drawn or referred to have no part in the dynamics
    first = {"body_pos": 2, "body_quat": 2, "jnt_pos": 1, "jnt_axis": 1, "qpos0": 7, "qpos_spring": 7}.get(
        field, 1 if field.startswith("body") else 0
    )
    candidates = [index for index in zip(*np.nonzero(values), strict=True) if index[0] >= first]
    assert candidates
    for index in candidates:
        wrong = oblique.__copy__()
        changed = getattr(wrong, field)
        changed[index] *= 1.001
        if "quat" in field or "axis" in field:
            changed[index[0]] /= np.linalg.norm(changed[index[0]])
        error = relative_error(engine.PinocchioReferee(wrong).accelerations(states), expected)
        assert error > 1e4 * TOLERANCE, f"{field}{index}"
