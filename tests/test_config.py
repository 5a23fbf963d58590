from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from shopfloor.envs.randomization import SPLITS
from shopfloor.envs.registry import TASKS, make_declaration
from shopfloor.errors import ShopfloorError
from shopfloor.train.config import Linear, TrainConfig
from shopfloor.train.config_file import CONFIG_DIR, available, keys, load, parse_overrides

BASE = "env: {id: shopfloor/ArmReach-v0}\n"


@pytest.fixture
def write(tmp_path):
    def write_file(text: str, name: str = "x.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write_file


def error_of(call, *arguments) -> str:
    with pytest.raises(ShopfloorError) as caught:
        call(*arguments)
    return str(caught.value)


# -- files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", available())
def test_configs_of_the_package_load_and_fit_their_environment(name):
    config = load(name)
    make_declaration(config.env.id, **config.env.kwargs)
    assert config.seed == 0 and config.num_envs <= 1000


@pytest.mark.parametrize("name", available())
def test_a_resolved_config_reads_back_equal(name, write):
    config = load(name)
    again = load(write(config.to_yaml()))
    assert again.as_dict() == config.as_dict() and again.digest() == config.digest()


def test_every_environment_has_a_config_under_its_id():
    for name in TASKS:
        assert load(name) == load(f"shopfloor/{name}")
        assert load(name).env.id == f"shopfloor/{name}"


def test_an_id_without_a_config_trains_with_the_base(monkeypatch):
    monkeypatch.setitem(TASKS, "Unheard-v0", "arms.reach:ArmReach")
    assert load("Unheard-v0").env.id == "shopfloor/Unheard-v0"


def test_extends_merges_section_by_section_along_relative_paths(write):
    write(BASE + "ppo: {gamma: 0.9, n_steps: 64}\nnum_envs: 8\n", "base.yaml")
    write("extends: ../base.yaml\nppo: {gamma: 0.8, batch_size: 128}\n", "sub/middle.yaml")
    config = load(write("extends: sub/middle.yaml\nenv: {kwargs: {goal: position}}\n"))
    assert (config.ppo.gamma, config.ppo.n_steps, config.ppo.batch_size, config.num_envs) == (0.8, 64, 128, 8)
    assert config.env.id == "shopfloor/ArmReach-v0" and config.env.kwargs == {"goal": "position"}


def test_schedules_replace_each_other_whole(write):
    write(BASE + "ppo: {learning_rate: {linear: [1e-3, 0]}}\n", "base.yaml")
    assert load(write("extends: base.yaml\n")).ppo.learning_rate == Linear(0.001, 0.0)
    assert load(write("extends: base.yaml\nppo: {learning_rate: 2e-4}\n")).ppo.learning_rate == 2e-4
    schedule = Linear(1.0, 0.2)
    assert schedule(1.0) == 1.0 and schedule(0.0) == 0.2 and schedule(0.5) == pytest.approx(0.6)


def test_yaml_numbers_without_a_point_are_numbers(write):
    config = load(write(BASE + "total_steps: 1e6\nppo: {learning_rate: 3e-4}\n"))
    assert config.total_steps == 1_000_000 and isinstance(config.total_steps, int)
    assert config.ppo.learning_rate == 3e-4


# -- randomization --------------------------------------------------------------------------------------------


def test_the_splits_of_the_config_are_those_of_randomization():
    assert get_args(keys()["randomization.split"][0]) == SPLITS


def test_randomization_is_chosen_by_split_and_by_spec(write):
    assert load(write(BASE)).randomization.request() is None
    chosen = load("arm_reach_train").randomization
    assert (chosen.split, chosen.spec, chosen.request()) == ("train", None, "train")
    forces = load("wafer_transfer_forces").randomization.request()
    assert (forces.spec.name, forces.split) == ("wafer_transfer_forces", "train")
    with pytest.raises(ShopfloorError, match="no randomization 'nothing'"):
        load(write(BASE + "randomization: {spec: nothing}")).randomization.request()


@pytest.mark.parametrize("target", ["arm_reach", "wafer_transfer"])
def test_the_randomized_configs_differ_from_the_nominal_one_in_nothing_else(target):
    nominal = load(target).as_dict()
    for suffix in ("train", "forces"):
        other = load(f"{target}_{suffix}").as_dict()
        assert other.pop("randomization") != nominal["randomization"]
        assert other == {k: v for k, v in nominal.items() if k != "randomization"}


def test_the_path_of_a_spec_is_relative_to_its_file_or_to_the_working_directory(write, tmp_path, monkeypatch):
    base = write(BASE + "randomization: {split: train, spec: ../mine.yaml}\n", "sub/base.yaml")
    other = write("extends: sub/base.yaml\n", "other.yaml")
    assert load(base).randomization.spec == load(other).randomization.spec == str(tmp_path / "mine.yaml")
    monkeypatch.chdir(tmp_path / "sub")
    layer = parse_overrides(["randomization.spec=own.yaml"])
    assert load(base, layer).randomization.spec == str(tmp_path / "sub" / "own.yaml")
    assert parse_overrides(["--randomization.spec", "arm_reach"]) == {"randomization": {"spec": "arm_reach"}}


def test_a_resolved_config_holds_the_curriculum_that_is_chosen_and_no_other():
    assert load("arm_reach").as_dict()["randomization"]["curriculum"] == {"kind": "fixed"}
    chosen = load("arm_reach_curriculum").as_dict()["randomization"]
    assert chosen["split"] == "train" and list(chosen["curriculum"]) == ["kind", "doraemon"]
    assert chosen["curriculum"]["doraemon"]["success"] == 0.6


# -- mistakes in files ----------------------------------------------------------------------------------------


def test_an_unknown_key_names_file_key_and_the_right_word(write):
    path = write(BASE + "ppo: {learnig_rate: 0.001}\n")
    message = error_of(load, path)
    assert str(path) in message and "ppo.learnig_rate" in message and "did you mean ppo.learning_rate?" in message


def test_a_key_in_the_wrong_section_is_found(write):
    assert "did you mean ppo.n_epochs?" in error_of(load, write(BASE + "n_epochs: 3\n"))


def test_an_unknown_key_in_an_extended_file_names_that_file(write):
    base = write(BASE + "numenvs: 3\n", "base.yaml")
    message = error_of(load, write("extends: base.yaml\n"))
    assert str(base) in message and "did you mean num_envs?" in message


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("num_envs: many", ("num_envs must be a whole number", "'many'")),
        ("num_envs: 2.5", ("num_envs must be a whole number", "2.5")),
        ("num_envs: true", ("num_envs must be a whole number", "True")),
        ("algorithm: pppo", ("algorithm must be one of ppo, sac", "'pppo'")),
        ("ppo: {normalize_advantage: 1}", ("ppo.normalize_advantage must be true or false", "1")),
        ("ppo: {learning_rate: {linear: [1]}}", ("ppo.learning_rate must be a number or {linear: [start, end]}",)),
        ("ppo: {gamma: .nan}", ("ppo.gamma must be a number", "nan")),
        ("ppo: 3", ("ppo must be a section of keys", "3")),
        ("network: {sizes: 64}", ("network.sizes must be a list of whole numbers", "64")),
        ("randomization: {split: training}", ("randomization.split must be one of nominal, train", "'training'")),
        ("randomization: {splits: train}", ("unknown key randomization.splits; did you mean randomization.split?",)),
        ("env: {kwargs: [1]}", ("env.kwargs must be a section of keys", "[1]")),
        ("- 1", ("must hold keys and values", "[1]")),
        ("a: [", ("is not YAML",)),
    ],
)
def test_a_wrong_type_names_file_key_value_and_what_is_expected(text, parts, write):
    path = write(text)
    message = error_of(load, path)
    assert str(path) in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("env: {id: ArmReach-v0, kwargs: {randomization: train}}", "say it as randomization.split"),
        ("randomization: {curriculum: {kind: adr}}", "kind=adr needs randomization.split=train"),
        ("randomization: {curriculum: {adr: {step: 0}}}", "curriculum.adr.step must lie in"),
        ("randomization: {curriculum: {adr: {narrow_below: 0.9}}}", "narrow_below < widen_above, got 0.9 and 0.8"),
        ("ppo: {gamma: 1.5}", "ppo.gamma must lie in [0, 1], got 1.5"),
        ("num_envs: 0", "num_envs must lie in [1, 100000], got 0"),
        ("network: {sizes: []}", "network.sizes must hold positive numbers"),
        ("network: {resolutions: [1.0, 0.1]}", "network.resolutions must hold factors of at least 1"),
        ("ppo: {learning_rate: {linear: [0.001, -1]}}", "ppo.learning_rate must lie in [0, 1], got -1"),
        ("num_envs: 4\nppo: {batch_size: 1000}", "ppo.batch_size=1000 is more than an update has"),
        ("seed: 1000", "reaches the held-out seeds; use a seed of at most 999"),
        ("evaluation: {first_seed: 5}", "evaluation.first_seed must be at least 1000000"),
        ("sac: {ent_coef: car}", "sac.ent_coef must be a number or auto"),
    ],
)
def test_a_value_out_of_range_names_key_and_range(text, part, write):
    path = write(BASE + text)
    message = error_of(load, path)
    assert part in message and str(path) in message


def test_a_missing_environment_file_and_circle_are_explained(write, tmp_path):
    assert "env.id is missing" in error_of(load, write("num_envs: 2\n"))
    assert "no config file" in error_of(load, tmp_path / "none.yaml")
    missing = error_of(load, write("extends: none.yaml\n"))
    assert "none.yaml" in missing and "x.yaml" in missing
    write("extends: b.yaml\n", "a.yaml")
    write("extends: a.yaml\n", "b.yaml")
    assert "a.yaml -> b.yaml -> a.yaml" in error_of(load, tmp_path / "a.yaml")


def test_a_bad_id_lists_environments_and_configs():
    message = error_of(load, "ArmReech-v0")
    assert "did you mean ArmReach-v0?" in message and "WaferTransfer-v0" in message and "arm_reach_position" in message


def test_nothing_in_a_file_is_evaluated(write):
    assert "is not YAML" in error_of(load, write(BASE + "name: !!python/object/apply:os.getcwd []\n"))
    assert load(write(BASE + "name: __import__('os').getcwd()\n")).name == "__import__('os').getcwd()"


# -- command line ---------------------------------------------------------------------------------------------


def test_every_value_can_be_overridden():
    words = "--ppo.learning_rate 1e-3 --total-steps=2e5 --network.sizes 32,16 --env.kwargs.goal position --name 007"
    config = load("ArmReach-v0", parse_overrides(words.split()))
    assert config.ppo.learning_rate == 1e-3 and config.total_steps == 200_000
    assert config.network.sizes == (32, 16) and config.env.kwargs["goal"] == "position" and config.name == "007"
    layer = parse_overrides(
        ["--ppo.learning-rate", "{linear: [1e-3, 1e-4]}", "--ppo.ent_coef", "-0.1", "--threads", "null"]
    )
    assert layer == {"ppo": {"learning_rate": Linear(1e-3, 1e-4), "ent_coef": -0.1}, "threads": None}


def test_a_value_can_be_given_without_dashes():
    words = ["--seed", "1", "randomization.split=train", "ppo.ent_coef=-0.1", "env.kwargs.goal=position"]
    assert parse_overrides(words) == {
        "seed": 1,
        "randomization": {"split": "train"},
        "ppo": {"ent_coef": -0.1},
        "env": {"kwargs": {"goal": "position"}},
    }


@pytest.mark.parametrize("key", [k for k in keys() if k != "env.kwargs"])
def test_a_key_of_the_help_text_is_a_flag(key):
    value = TrainConfig.__dataclass_fields__
    for part in key.split("."):
        field = value[part]
        value = getattr(field.default_factory, "__dataclass_fields__", None)
    default = field.default
    text = ",".join(map(str, default)) if isinstance(default, tuple) else "null" if default is None else str(default)
    layer = parse_overrides([f"--{key}", text])
    for part in key.split("."):
        layer = layer[part]
    assert layer == default


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--ppo.learnig_rate", "1"], "unknown option --ppo.learnig_rate; did you mean --ppo.learning_rate?"),
        (["--learning-rate", "1"], "did you mean --ppo.learning_rate?"),
        (["--total-steps", "soon"], "--total-steps must be a whole number, got 'soon'"),
        (["--total-steps"], "--total-steps needs a value"),
        (["--total-steps", "--seed", "1"], "--total-steps needs a value"),
        (["200000"], "unexpected argument '200000'"),
        (["randomization.spilt=train"], "unknown option --randomization.spilt; did you mean --randomization.split?"),
    ],
)
def test_a_wrong_flag_says_what_would_be_right(words, part):
    assert part in error_of(parse_overrides, words)


def test_base_configs_are_no_choice_of_their_own():
    assert {p.stem for p in CONFIG_DIR.glob("base_*.yaml")}.isdisjoint(available())
