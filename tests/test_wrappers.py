"""Randomization wrappers: on the suite's environments the keyword's samples, on others the same terms and seeds."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv, VectorWrapper

import shopfloor
from shopfloor.envs.randomization import SPLITS, Sampler, Spec, load_spec, spec_from
from shopfloor.envs.randomization.catalogue import FAMILIES
from shopfloor.envs.randomization.wrappers import (
    ActuationRandomization,
    DisturbanceRandomization,
    ModelRandomization,
    ProcessRandomization,
    SensingRandomization,
    VisualRandomization,
    randomize,
    single,
    vector,
)
from shopfloor.envs.registry import env_ids, make_task
from shopfloor.errors import ShopfloorError

IN_ORDER = (
    ProcessRandomization,
    ModelRandomization,
    ActuationRandomization,
    DisturbanceRandomization,
    SensingRandomization,
    VisualRandomization,
)
RANDOM_SPLITS = [s for s in SPLITS if s != "nominal"]


def preset(env_id: str) -> Spec:
    spec = make_task(env_id).randomization
    assert spec is not None
    return load_spec(spec)


def same(a: Any, b: Any) -> None:
    np.testing.assert_equal(a, b)


def stacked(env: Any, spec: Spec, split: str, module: Any = single) -> Any:
    """All wrappers that a spec needs, each with its part."""
    for family in FAMILIES:
        part = spec.part([family])
        if part.terms:
            env = module._CLASSES[family](env, part, split)
    return env


def values(info: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in info["randomization"].items() if k not in ("spec", "_spec")}


# -- the suite's environments ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("env_id", env_ids())
@pytest.mark.parametrize("split", RANDOM_SPLITS)
def test_single_wrappers_are_the_keyword(env_id: str, split: str) -> None:
    keyword = gym.make(env_id, randomization=split)
    whole = randomize(gym.make(env_id), split)
    parts = stacked(gym.make(env_id), preset(env_id), split)
    keyword.action_space.seed(0)
    for seed in (7, None):
        reading, info = keyword.reset(seed=seed)
        for env in (whole, parts):
            other, told = env.reset(seed=seed)
            same(other, reading)
            same(values(told), values(info))
        for _ in range(10):
            action = keyword.action_space.sample()
            expected = keyword.step(action)
            for env in (whole, parts):
                got = env.step(action)
                same(got[:4], expected[:4])
                same(values(got[4]), values(expected[4]))
    assert whole.unwrapped.cell.randomization.spec.hash == keyword.unwrapped.cell.randomization.spec.hash


@pytest.mark.parametrize("env_id", env_ids())
def test_vector_wrappers_are_the_keyword(env_id: str) -> None:
    n = 3
    keyword = gym.make_vec(env_id, num_envs=n, randomization="train")
    whole = randomize(gym.make_vec(env_id, num_envs=n), "train")
    parts = stacked(gym.make_vec(env_id, num_envs=n), preset(env_id), "train", vector)
    assert isinstance(whole, VectorWrapper)
    keyword.action_space.seed(0)
    reading, info = keyword.reset(seed=4)
    single_env = randomize(gym.make(env_id), "train")
    same(single_env.reset(seed=5)[0], reading[1])
    for env in (whole, parts):
        other, told = env.reset(seed=4)
        same(other, reading)
        same(values(told), values(info))
    for _ in range(10):
        action = keyword.action_space.sample()
        expected = keyword.step(action)
        for env in (whole, parts):
            got = env.step(action)
            same(got[:4], expected[:4])
            same(values(got[4]), values(expected[4]))


def test_names_and_order_are_those_of_the_catalogue() -> None:
    assert [w.family for w in IN_ORDER] == list(FAMILIES)
    for wrapper in IN_ORDER:
        assert getattr(vector, wrapper.__name__).family == wrapper.family


def test_privileged_observation_has_the_sample() -> None:
    kwargs = {"observation": ("policy", "privileged")}
    keyword = gym.make("shopfloor/ArmReach-v0", randomization="train", **kwargs)
    wrapped = randomize(gym.make("shopfloor/ArmReach-v0", **kwargs), "train")
    same(wrapped.reset(seed=0)[0], keyword.reset(seed=0)[0])
    assert wrapped.observation_space == keyword.observation_space


def test_a_spec_of_ones_own_replaces_the_preset_of_a_nominal_environment() -> None:
    part = load_spec("arm_reach").part(["model"])
    env = ModelRandomization(gym.make("shopfloor/ArmReach-v0"), part)
    assert [t.name for t in env.unwrapped.cell.randomization.spec.terms] == [t.name for t in part.terms]
    # and joins one that was asked for
    own = spec_from({"terms": {"own": {"effect": "opt.wind", "operation": "set", "distribution": {"uniform": [0, 1]}}}})
    env = ModelRandomization(gym.make("shopfloor/ArmReach-v0", randomization="train"), own)
    assert [t.name for t in env.unwrapped.cell.randomization.spec.terms][-1] == "own"
    assert len(env.unwrapped.cell.randomization.spec.terms) == len(load_spec("arm_reach").terms) + 1


def test_constraints_between_families_hold() -> None:
    data = {
        "terms": {
            "load": {"effect": "mass", "target": {"body": "tool"}, "distribution": {"uniform": [0.5, 2.0]}},
            "weak": {
                "effect": "torque_limit", "target": {"actuator": ".*"}, "shared": True,
                "distribution": {"uniform": [0.5, 1.0]},
            },
        },
        "constraints": {"strong enough": "load <= 2 * weak - 0.4"},
    }  # fmt: skip
    env = randomize(gym.make("shopfloor/ArmReach-v0"), data)
    seen = [env.reset(seed=s)[1]["randomization"] for s in range(40)]
    assert all(s["load"] <= 2 * s["weak"] - 0.4 for s in seen)
    assert any(s["rejected"] for s in seen)


def test_a_stack_can_be_made_again_from_its_spec() -> None:
    env = randomize(gym.make("shopfloor/ArmReach-v0"), "ood_near")
    again = gym.make(env.spec)
    assert str(again) == str(env)
    same(values(again.reset(seed=1)[1]), values(env.reset(seed=1)[1]))


def test_a_stack_can_be_copied() -> None:
    env = randomize(gym.make("shopfloor/ArmReach-v0"), "train")
    env.reset(seed=1)
    twin = pickle.loads(pickle.dumps(env))
    action = np.full(6, 0.3, dtype=np.float32)
    same(env.step(action)[0], twin.step(action)[0])


@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
def test_misuse_is_an_error_that_tells_the_way(make: Any) -> None:
    module = single if make is gym.make else vector
    spec = load_spec("arm_reach")

    def env() -> Any:
        return make("shopfloor/ArmReach-v0")

    with pytest.raises(ShopfloorError, match=r"'servo_stiffness' \(servo_stiffness\) is one of actuation"):
        module.ModelRandomization(env(), spec)
    with pytest.raises(ShopfloorError, match="has no term of the family process"):
        module.ProcessRandomization(env(), Spec("empty", ()))
    sensing = module.SensingRandomization(env(), spec.part(["sensing"]))
    with pytest.raises(ShopfloorError, match="outwards is ProcessRandomization, ModelRandomization, Actuation"):
        module.ModelRandomization(sensing, spec.part(["model"]))
    with pytest.raises(ShopfloorError, match="stacked twice"):
        module.SensingRandomization(sensing, spec.part(["sensing"]))
    model = module.ModelRandomization(env(), spec.part(["model"]), "ood_near")
    with pytest.raises(ShopfloorError, match="give all wrappers the same split"):
        module.SensingRandomization(model, spec.part(["sensing"]), "ood_far")
    with pytest.raises(ShopfloorError, match="unknown split 'trian'"):
        module.ModelRandomization(env(), spec.part(["model"]), "trian")
    with pytest.raises(ShopfloorError, match="names the split 'ood_far', but split='train'"):
        module.ModelRandomization(env(), "arm_reach:ood_far", "train")
    with pytest.raises(ShopfloorError, match="needs a spec"):
        module.ModelRandomization(env(), None)
    begun = env()
    begun.reset(seed=0)
    with pytest.raises(ShopfloorError, match="before the first episode"):
        module.ModelRandomization(begun, spec.part(["model"]))


def test_single_and_vector_wrappers_are_not_mixed_up() -> None:
    part = load_spec("arm_reach").part(["model"])
    with pytest.raises(ShopfloorError, match=r"take shopfloor\.envs\.randomization\.wrappers\.vector\.ModelRandomi"):
        ModelRandomization(gym.make_vec("shopfloor/ArmReach-v0"), part)
    with pytest.raises(ShopfloorError, match="channels is for plain MuJoCo environments"):
        randomize(gym.make_vec("shopfloor/ArmReach-v0"), "train", channels={})
    with pytest.raises(ShopfloorError, match="channels is for plain MuJoCo environments"):
        randomize(gym.make("shopfloor/ArmReach-v0"), "train", channels={"a": slice(0, 1)})
    with pytest.raises(ShopfloorError, match=r"SyncVectorEnv\(\[lambda: randomize\(MyEnv\(\), spec\)\]"):
        randomize(SyncVectorEnv([Axis, Axis]), MASS)


# -- environments of others -----------------------------------------------------------------------------------------

MJCF = """
<mujoco>
  <option timestep="0.002"/>
  <worldbody>
    <light name="lamp" pos="0 0 3"/>
    <body name="arm" pos="0 0 1">
      <joint name="hinge" axis="0 1 0" damping="0.5"/>
      <geom name="link" type="capsule" size="0.03" fromto="0 0 0 0.5 0 0" rgba="1 0.5 0 1"/>
      <body name="part" pos="0.5 0 0"><geom name="box" type="box" size="0.05 0.05 0.05"/></body>
    </body>
  </worldbody>
  <actuator><position name="servo" joint="hinge" kp="200" kv="10" ctrlrange="-2 2" forcerange="-90 90"/></actuator>
</mujoco>
"""


class Axis(gym.Env[Any, Any]):
    """An environment as users write them."""

    dt = 0.02

    def __init__(self, mjcf: str = MJCF):
        self.model = mujoco.MjModel.from_xml_string(mjcf)
        self.data = mujoco.MjData(self.model)
        self.action_space = gym.spaces.Box(-2.0, 2.0, (1,), np.float64)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float64)
        self.received: list[float] = []
        self.options: Any = None

    def observe(self) -> Any:
        return np.concatenate([self.data.qpos, self.data.qvel])

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.options, self.received = options, []
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:] = self.np_random.uniform(-0.5, 0.5)
        mujoco.mj_forward(self.model, self.data)
        return self.observe(), {"own": 1}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.received.append(float(action[0]))
        self.data.ctrl[:] = action
        mujoco.mj_step(self.model, self.data, 10)
        return self.observe(), 0.0, False, False, {"own": 2}


class Nameless(Axis):
    """The same without a control period."""

    dt = None  # type: ignore[assignment]


def spec_of(**terms: Any) -> Spec:
    return spec_from({"terms": terms})


MASS = spec_of(part={"effect": "mass", "target": {"body": "part"}, "distribution": {"uniform": [0.5, 2.0]}})
DELAY = spec_of(late={"effect": "command.delay", "target": {"actuator": ".*"}, "distribution": {"uniform": [0, 0.08]}})
NOISE = spec_of(
    noise={"effect": "sensor.noise", "target": {"channel": "observation"}, "distribution": {"uniform": [0.0, 0.2]}}
)
PUSH = spec_of(
    push={
        "effect": "force.joint", "target": {"joint": ".*"}, "distribution": {"normal": [0.0, 3.0]},
        "mode": {"interval_s": [0.05, 0.2]},
    }
)  # fmt: skip
COLOUR = spec_of(
    colour={
        "effect": "geom_rgba", "target": {"geom": "link"}, "components": [0, 1], "operation": "set",
        "distribution": {"uniform": [0.0, 1.0]},
    }
)  # fmt: skip
ALL = MASS.joined(DELAY).joined(PUSH).joined(NOISE).joined(COLOUR)
ACTION = np.array([0.8])


def run(env: Any, steps: int = 20) -> Any:
    return np.array([env.step(ACTION)[0] for _ in range(steps)])


def test_samples_are_the_samplers() -> None:
    env, sampler = randomize(Axis(), ALL), Sampler(ALL)
    assert str(env).startswith(
        "<VisualRandomization<SensingRandomization<DisturbanceRandomization<ActuationRandomization<ModelRandomization<"
    )
    _, info = env.reset(seed=5)
    for episode in range(4):
        sample = sampler.sample("train", 5, episode)
        told = info["randomization"]
        assert told["spec"] == ALL.hash
        assert told["split"] == "train"
        for name, value in sample.values.items():
            assert told[name] == value[0], name
        _, info = env.reset()
    _, info = env.reset(seed=5)
    assert info["randomization"]["part"] == sampler.sample("train", 5, 0).values["part"][0]
    assert info["own"] == 1
    assert env.step(ACTION)[4]["own"] == 2


def test_each_family_alone_draws_the_same() -> None:
    _, together = randomize(Axis(), ALL).reset(seed=2)
    for part in (MASS, DELAY, PUSH, NOISE, COLOUR):
        _, info = randomize(Axis(), part).reset(seed=2)
        name = part.terms[0].name
        assert info["randomization"][name] == together["randomization"][name]


def test_nominal_is_the_environment_itself() -> None:
    env, plain = randomize(Axis(), ALL, "nominal"), Axis()
    same(env.reset(seed=1)[0], plain.reset(seed=1)[0])
    same(run(env), run(plain))


def test_after_a_randomized_episode_nominal_is_restored() -> None:
    env, plain = randomize(Axis(), ALL), Axis()
    env.reset(seed=1)
    run(env)
    _, info = env.reset(seed=1, options={"split": "nominal"})
    assert info["randomization"]["split"] == "nominal"
    plain.reset(seed=1)
    same(run(env), run(plain))
    for field in mujoco.MjModel.__dict__:
        value = getattr(env.unwrapped.model, field, None)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            np.testing.assert_allclose(value, getattr(plain.model, field), rtol=1e-12, atol=1e-15, err_msg=field)


def test_derived_constants_are_those_of_a_fresh_compile() -> None:
    env = randomize(Axis(), MASS)
    masses = set()
    for seed in range(5):
        _, info = env.reset(seed=seed)
        factor = info["randomization"]["part"]
        masses.add(factor)
        nominal = mujoco.MjModel.from_xml_string(MJCF)
        part = int(nominal.body("part").id)
        spec = mujoco.MjSpec.from_string(MJCF)
        spec.geom("box").density *= factor
        fresh, live = spec.compile(), env.unwrapped.model
        assert live.body_mass[part] == nominal.body_mass[part] * factor  # from nominal, not from the episode before
        for field in ("body_mass", "body_inertia", "body_subtreemass", "dof_M0", "dof_invweight0", "body_invweight0"):
            np.testing.assert_allclose(getattr(live, field), getattr(fresh, field), rtol=1e-12, err_msg=field)
    assert len(masses) == 5


@pytest.mark.parametrize("part", [MASS, DELAY, PUSH, NOISE])
def test_a_term_changes_what_the_policy_meets(part: Spec) -> None:
    env, plain = randomize(Axis(), part), Axis()
    plain.reset(seed=3)
    env.reset(seed=3)
    assert not np.array_equal(run(env), run(plain))


def test_commands_arrive_late_and_do_not_kick_at_the_start() -> None:
    env = randomize(Axis(), DELAY)
    base = env.unwrapped
    for steps in (0.0, 1.0, 2.5):
        env.reset(seed=0, options={"randomization": {"late": 0.02 * steps}})
        start = float(base.data.qpos[0])
        commands = [0.1, 0.2, 0.4, 0.8, 1.6]
        for command in commands:
            env.step(np.array([command]))
        line = np.concatenate([np.full(9, start), commands])
        expected = np.interp(np.arange(5) + 9 - steps, np.arange(14), line)
        np.testing.assert_allclose(base.received, expected, rtol=1e-12)


def test_the_start_action_can_be_given() -> None:
    env = randomize(Axis(), DELAY, start_action=[0.25])
    env.reset(seed=0, options={"randomization": {"late": 0.04}})
    run(env, 3)
    assert env.unwrapped.received == [0.25, 0.25, 0.8]


def test_actions_stay_in_the_action_space() -> None:
    offset = spec_of(
        offset={"effect": "command.offset", "target": {"actuator": ".*"}, "distribution": {"uniform": [5.0, 6.0]}}
    )
    env = randomize(Axis(), offset)
    env.reset(seed=0)
    run(env, 2)
    assert env.unwrapped.received == [2.0, 2.0]


def test_noise_has_the_declared_spread_on_the_named_channel() -> None:
    noise = spec_of(
        noise={"effect": "sensor.noise", "target": {"channel": "speed"}, "distribution": {"uniform": [0.0, 0.2]}}
    )
    env, plain = randomize(Axis(), noise, channels={"speed": slice(1, 2)}), Axis()
    env.reset(seed=3, options={"randomization": {"noise": 0.1}})
    plain.reset(seed=3)
    error = run(env, 1000) - run(plain, 1000)
    assert (error[:, 0] == 0.0).all()
    assert 0.092 < error[:, 1].std() < 0.108  # 3.5 standard errors


def test_forces_are_applied_and_end() -> None:
    push = spec_of(
        push={
            "effect": "force.body", "target": {"body": "part"}, "components": [2],
            "distribution": {"uniform": [40.0, 50.0]}, "mode": {"interval_s": [0.1, 0.1]},
            "options": {"duration_s": 0.04},
        }
    )  # fmt: skip
    env = randomize(Axis(), push)
    env.reset(seed=0)
    part = int(env.unwrapped.model.body("part").id)
    force = []
    for _ in range(15):
        force.append(float(env.unwrapped.data.xfrc_applied[part, 2]))
        env.step(ACTION)
    on = np.array(force) > 0.0
    assert on.tolist() == [False] * 5 + [True] * 2 + [False] * 3 + [True] * 2 + [False] * 3
    assert 40.0 <= force[5] <= 50.0


def test_looks_change_and_return() -> None:
    env = randomize(Axis(), COLOUR)
    model = env.unwrapped.model
    link = int(model.geom("link").id)
    before = model.geom_rgba.copy()
    _, info = env.reset(seed=0)
    value = info["randomization"]["colour"]
    np.testing.assert_allclose(model.geom_rgba[link], [value, value, 0.0, 1.0], rtol=1e-6)
    same(np.delete(model.geom_rgba, link, 0), np.delete(before, link, 0))
    env.reset(options={"split": "nominal"})
    same(model.geom_rgba, before)


def test_an_environments_own_options_pass() -> None:
    env = randomize(Axis(), ALL)
    _, info = env.reset(seed=0, options={"randomization": {"part": 1.5}, "split": "ood_far", "mine": 3})
    assert env.unwrapped.options == {"mine": 3}
    assert info["randomization"]["part"] == 1.5
    assert info["randomization"]["split"] == "ood_far"
    env.reset(options={"split": "train"})
    assert env.unwrapped.options is None
    with pytest.raises(ShopfloorError, match="did you mean 'part'"):
        env.reset(options={"randomization": {"prt": 1.5}})


def test_a_new_stack_begins_at_the_machine_as_designed() -> None:
    env = randomize(Axis(), MASS.joined(COLOUR).joined(PUSH))
    base, designed = env.unwrapped, Axis().model
    env.reset(seed=0)
    run(env, 3)
    again = randomize(base, MASS, "nominal")
    again.reset(seed=0)
    for field in ("body_mass", "body_inertia", "geom_rgba", "dof_M0"):
        np.testing.assert_allclose(getattr(base.model, field), getattr(designed, field), rtol=1e-12)
    assert not base.data.qfrc_applied.any()
    again.reset(seed=1, options={"split": "train"})
    part = int(designed.body("part").id)
    factor = again.reset(seed=1, options={"split": "train"})[1]["randomization"]["part"]
    assert base.model.body_mass[part] == designed.body_mass[part] * factor
    with pytest.raises(ShopfloorError, match="use the newer wrappers"):
        env.reset()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_a_copy_goes_on_by_itself(duplicate: Any) -> None:
    env = randomize(Axis(), ALL)
    env.reset(seed=1)
    run(env, 3)
    twin = duplicate(env)
    expected = run(env, 30)
    same(run(twin, 30), expected)
    same(values(twin.reset()[1]), values(env.reset()[1]))
    twin.reset(options={"split": "nominal"})
    same(twin.unwrapped.model.geom_rgba, Axis().model.geom_rgba)


def test_rows_of_a_vector_environment_have_their_own_seeds() -> None:
    envs = SyncVectorEnv([lambda: randomize(Axis(), ALL)] * 3)
    _, info = envs.reset(seed=10)
    for row in range(3):
        expected = Sampler(ALL).sample("train", 10 + row, 0).values["part"][0]
        assert info["randomization"]["part"][row] == expected
    envs.close()


def test_without_a_seed_every_environment_takes_one() -> None:
    env = randomize(Axis(), MASS)
    first, second = (env.reset()[1]["randomization"]["part"] for _ in range(2))
    assert first != second
    assert randomize(Axis(), MASS).reset()[1]["randomization"]["part"] != first


def test_corner_has_one_term_at_its_end() -> None:
    env = randomize(Axis(), ALL, "corners")
    for seed in range(12):
        told = env.reset(seed=seed)[1]["randomization"]
        away = [t.name for t in ALL.terms if told[t.name] == pytest.approx(t.distribution.support[0])]
        away += [t.name for t in ALL.terms if told[t.name] == pytest.approx(t.distribution.support[1])]
        assert away


class Modelless(gym.Env[Any, Any]):
    action_space = observation_space = gym.spaces.Box(-1.0, 1.0, (1,))


class Recompiling(Axis):
    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        out = super().reset(seed=seed)
        self.model = mujoco.MjModel.from_xml_string(MJCF)
        return out


class Settling(Axis):
    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.model.body_mass[2] = 3.0
        return super().reset(seed=seed)


def test_what_cannot_be_randomized_is_said() -> None:
    process = spec_of(mu={"effect": "task.friction", "distribution": {"uniform": [0.1, 0.2]}})
    with pytest.raises(ShopfloorError, match=r"task\.friction is a parameter of a task of the suite, and Axis is none"):
        ProcessRandomization(Axis(), process)
    with pytest.raises(ShopfloorError, match="Modelless has no `model`"):
        randomize(Modelless(), MASS)
    with pytest.raises(ShopfloorError, match="no body is called 'prt'; there are: world, arm, part"):
        randomize(Axis(), spec_of(m={"effect": "mass", "target": {"body": "prt"}, "distribution": {"uniform": [1, 2]}}))
    with pytest.raises(ShopfloorError, match="'late' needs the control period, and Nameless has no `dt`"):
        randomize(Nameless(), DELAY)
    randomize(Nameless(), DELAY, control_dt=0.02).reset(seed=0)
    randomize(Nameless(), MASS).reset(seed=0)
    with pytest.raises(ShopfloorError, match="control_dt must be a positive time"):
        randomize(Axis(), DELAY, control_dt=0.0)
    recompiling = randomize(Recompiling(), MASS)
    recompiling.reset(seed=0)
    with pytest.raises(ShopfloorError, match="has replaced its model or data"):
        recompiling.reset()
    with pytest.raises(ShopfloorError, match="'part' writes body_mass, which Settling sets itself at every reset"):
        randomize(Settling(), MASS).reset(seed=0)
    begun = ModelRandomization(Axis(), MASS)
    begun.reset(seed=0)
    with pytest.raises(ShopfloorError, match="wrap before the first reset"):
        SensingRandomization(begun, NOISE)
    with pytest.raises(ShopfloorError, match="a seed must be a whole number"):
        begun.reset(seed=-1)


def test_channels_and_spaces_are_checked() -> None:
    for channels, message in (
        ({"speed": slice(1, 5)}, "the observation has 2 components"),
        ({"a": slice(0, 2), "b": slice(1, 2)}, "'b' begins at 1, inside 'a'"),
        ({"a": slice(0, 2, 2)}, "a slice of neighbours"),
        ({"a": 1}, "a slice of neighbours"),
        ({"speed": slice(1, 2)}, "no channel is called 'observation'; there are: speed"),
    ):
        with pytest.raises(ShopfloorError, match=message):
            SensingRandomization(Axis(), NOISE, channels=channels)  # type: ignore[arg-type]
    env = Axis()
    env.observation_space = gym.spaces.Dict({"x": env.observation_space})  # type: ignore[assignment]
    with pytest.raises(ShopfloorError, match=r"put .*FlattenObservation below it"):
        SensingRandomization(env, NOISE)
    env.action_space = gym.spaces.Discrete(2)  # type: ignore[assignment]
    with pytest.raises(ShopfloorError, match="one number for each of the model's 1 actuators"):
        ActuationRandomization(env, DELAY)
    with pytest.raises(ShopfloorError, match="start_action must be 1 finite numbers"):
        ActuationRandomization(Axis(), DELAY, start_action=[0.0, 0.0])
    with pytest.raises(ShopfloorError, match="channels is for SensingRandomization"):
        randomize(Axis(), MASS, channels={"speed": slice(1, 2)})


def test_wrappers_act_where_they_stand() -> None:
    """Normalized actions and flattened observations are the wrapper's where others stand below it."""
    env = gym.wrappers.RescaleAction(Axis(), np.array([-1.0]), np.array([1.0]))
    gain = spec_of(
        offset={"effect": "command.offset", "target": {"actuator": ".*"}, "distribution": {"uniform": [0.1, 0.2]}}
    )
    env = ActuationRandomization(env, gain)
    _, info = env.reset(seed=0)
    env.step(np.array([0.5]))
    assert env.unwrapped.received[0] == pytest.approx(2.0 * (0.5 + info["randomization"]["offset"]))


FREE_BODY = """
<mujoco>
  <worldbody><body name="arm"><freejoint name="hinge"/><geom type="sphere" size="0.1"/></body></worldbody>
</mujoco>
"""


def test_bodies_that_cannot_move_their_centre_are_named() -> None:
    shift = {"effect": "body_ipos", "target": {"body": "arm"}, "operation": "add", "components": [0]}
    with pytest.raises(ShopfloorError, match="set `simple` of the body to false"):
        randomize(Axis(FREE_BODY), spec_of(shift={**shift, "distribution": {"uniform": [-0.01, 0.01]}}))


# -- the example ----------------------------------------------------------------------------------------------------

EXAMPLE = Path(shopfloor.__file__).parent / "examples" / "randomize_your_own.py"


@pytest.mark.skipif(not EXAMPLE.parent.is_dir(), reason="not a checkout")
def test_the_example_takes_ten_lines() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    block = text.partition("# -- ten lines\n")[2].partition("# --\n")[0]
    lines = [line for line in block.splitlines() if line.strip()]
    assert 0 < len(lines) <= 10
    assert "randomize(" in block
    assert "shopfloor" not in text.partition("# -- ten lines\n")[0].partition('"""\n')[2]  # the model knows nothing
