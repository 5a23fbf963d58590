"""Specs and their files: typed, hashed, inherited, and with errors that say value, place and remedy."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from engine_checks import Case
from randomization_checks import ARM, REST, Preset, presets

from shopfloor.envs.randomization import (
    OOD_FAR,
    OOD_NEAR,
    SPLITS,
    Randomization,
    Spec,
    Target,
    Term,
    Uniform,
    available_specs,
    choose,
    load_spec,
    spec_from,
)
from shopfloor.envs.randomization.catalogue import (
    _INPUTS,
    _OUTPUTS,
    EFFECTS,
    FAMILIES,
    constant_inputs,
    derived_fields,
    effect,
)
from shopfloor.errors import ShopfloorError

MASS = {"effect": "mass", "target": {"body": "part"}, "distribution": {"uniform": [0.9, 1.1]}}


def one(**changes: Any) -> dict[str, Any]:
    """A spec of one term with some keys changed; None removes a key."""
    entry = {**copy.deepcopy(MASS), **changes}
    return {"terms": {"load": {k: v for k, v in entry.items() if v is not None}}}


# -- what is refused -----------------------------------------------------------------------------------------------

BAD: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    (one(effect="bodymass"), ("'load'", "unknown effect 'bodymass'", "did you mean 'body_mass'")),
    (one(effect="zzz"), ("unknown effect 'zzz'", "An effect is one of mass,", "task.<parameter>")),
    (one(effect="body_subtreemass"), ("'load'", "body_subtreemass is derived", "randomize those instead")),
    (one(effect="actuator_delay"), ("unknown effect 'actuator_delay'",)),
    (one(effect="task."), ("unknown effect 'task.'",)),
    (one(effect=None), ("terms.load", "effect is missing")),
    (one(distribution=None), ("terms.load", "distribution is missing")),
    (one(distributon={"uniform": [0, 1]}), ("terms.load", "unknown key 'distributon'", "did you mean 'distribution'")),
    (one(distribution=[0.9, 1.1]), ("terms.load.distribution", "expected one of uniform", "[0.9, 1.1]")),
    (one(distribution={"unifrom": [0, 1]}), ("terms.load.distribution", "unknown distribution 'unifrom'", "uniform")),
    (one(distribution={"uniform": [0.9]}), ("terms.load.distribution.uniform", "a list of 2 numbers", "[0.9]")),
    (one(distribution={"uniform": [0.9, "x"]}), ("terms.load.distribution.uniform", "finite number", "'x'")),
    (one(distribution={"uniform": [0.9, float("inf")]}), ("terms.load.distribution.uniform", "finite number", "inf")),
    (one(distribution={"uniform": [True, 2]}), ("finite number", "True")),
    (one(distribution={"uniform": [1.1, 0.9]}), ("terms.load.distribution", "low <= high", "[1.1, 0.9]")),
    (one(distribution={"log_uniform": [0.0, 1.0]}), ("log_uniform needs positive ends", "[0.0, 1.0]")),
    (one(distribution={"normal": [1.0, -0.1]}), ("std >= 0", "-0.1")),
    (one(distribution={"normal": [1.0, 0.1, 0.0]}), ("cut > 0", "0.0")),
    (one(distribution={"choice": []}), ("terms.load.distribution.choice", "at least 1")),
    (one(distribution={"beta": [0.5, 1.0, 0.0, 1.0]}), ("a, b > 0",)),
    (one(distribution={"posterior": "x.npz"}), ("posterior", "{file: ..., parameter: ...}")),
    (one(distribution={"posterior": {"file": "no.npz", "parameter": "m"}}), ("no posterior file", "no.npz")),
    (one(target=None), ("'load'", "mass needs a target", "{body: NAME}")),
    (one(target={"joint": "elbow"}), ("'load'", "mass takes body, not a joint")),
    (one(target="tool"), ("terms.load.target", "one kind with a pattern", "'tool'")),
    (one(target={"body": "a", "joint": "b"}), ("terms.load.target", "one kind with a pattern")),
    (one(target={"body": "(tool"}), ("terms.load.target", "'(tool' is no regular expression")),
    (one(effect="gravity_tilt", operation=None, distribution={"uniform": [0, 0.1]}),
     ("gravity_tilt takes no target, not a body",)),
    (one(operation="multiply"), ("'load'", "scale or add or set", "'multiply'")),
    (one(effect="servo_stiffness", target={"actuator": "x"}, operation="add"), ("takes scale, not 'add'",)),
    (one(mode="sometimes"), ("'load'", "mass can be drawn at", "'sometimes'")),
    (one(effect="sensor.bias", target={"channel": "q"}, mode="step"), ("sensor.bias can be drawn at", "'step'")),
    (one(mode={"interval": [1, 2]}), ("terms.load.mode", "{interval_s: [low, high]}")),
    (one(mode={"interval_s": [0.0, 2.0]}), ("'load'", "interval_s must be a positive range", "[0.0, 2.0]")),
    (one(mode={"interval_s": [2.0, 1.0]}), ("interval_s must be a positive range",)),
    (one(mode={"interval_s": 2}), ("terms.load.mode.interval_s", "two numbers", "2")),
    (one(mode="interval"), ("mode interval needs it",)),
    (one(shared="yes"), ("terms.load.shared", "true or false", "'yes'")),
    (one(structural=1), ("terms.load.structural", "true or false", "1")),
    (one(components=[0]), ("'load'", "components go with model fields and force.body, not with mass")),
    (one(per_component=True), ("'load'", "per_component goes with model fields, not with mass")),
    (one(effect="body_pos", operation="add", components=[]), ("terms.load.components", "component numbers", "[]")),
    (one(effect="body_pos", operation="add", components=[-1]), ("terms.load.components", "[-1]")),
    (one(effect="force.body", components=[0, 3]), ("components 0, 1 and 2", "[0, 3]")),
    (one(effect="force.body", options={"duration_s": 0.1}), ("duration_s goes with mode interval, not 'reset'",)),
    (one(options={"duration_s": 1}), ("mass takes no 'duration_s'", "it takes: []")),
    (one(options={"x": "y"}), ("terms.load.options.x", "expected a number", "'y'")),
    (one(nominal="one"), ("terms.load.nominal", "expected a number", "'one'")),
    (one(limits=[0.0]), ("terms.load.limits", "two numbers", "[0.0]")),
    (one(limits=[0.0, float("nan")]), ("terms.load.limits", "two numbers", "nan")),
    (one(limits=[0.95, 2.0]), ("'load'", "[0.9, 1.1] leaves what mass allows", "[0.95, 2]")),
    (one(distribution={"uniform": [-0.5, 1.0]}), ("'load'", "[-0.5, 1] leaves what mass allows with 'scale'")),
    (one(operation="set", distribution={"uniform": [-0.5, 1.0]}), ("[-0.5, 1] leaves what mass allows with 'set'",)),
    (one(effect="command.dropout", target={"actuator": "x"}, distribution={"uniform": [0.5, 1.5]}), ("[0, 1]",)),
    (one(effect="command.delay", target={"actuator": "x"}, distribution={"uniform": [-0.1, 0.1]}), ("[0, inf]",)),
    (one(effect="dof_damping", target={"joint": "x"}, operation="set", distribution={"uniform": [-1, 0]}),
     ("[-1, 0]",)),
    ({"terms": {"Load": MASS}}, ("'Load'", "lower-case letters")),
    ({"terms": {"load": None}}, ("terms.load", "effect is missing")),
    ({"terms": {"load": [1]}}, ("terms.load", "expected keys and values", "[1]")),
    ({"terms": [MASS]}, ("terms", "expected keys and values")),
    ({"terms": {}, "version": 2}, ("version 1", "2")),
    ({"term": {}}, ("unknown key 'term'", "did you mean 'terms'")),
    ({**one(), "constraints": {"c": "load <="}}, ("constraint 'c'", "'load <=' is not an expression")),
    ({**one(), "constraints": {"c": "load + 1"}}, ("constraint 'c'", "compares nothing", "<= or >=")),
    ({**one(), "constraints": {"c": "1 <= 2"}}, ("constraint 'c'", "names no term")),
    ({**one(), "constraints": {"c": "laod <= 2"}}, ("constraint 'c'", "no term 'laod'", "did you mean 'load'")),
    ({**one(), "constraints": {"c": "load.real <= 2"}}, ("'load.real' is not allowed", "use arithmetic")),
    ({**one(), "constraints": {"c": "__import__('os').getpid() <= 2"}}, ("constraint 'c'", "is not allowed")),
    ({**one(), "constraints": {"c": "(lambda: load)() <= 2"}}, ("constraint 'c'", "is not allowed")),
    ({**one(), "constraints": {"c": "[load][0] <= 2"}}, ("constraint 'c'", "is not allowed")),
    ({**one(), "constraints": {"c": "'load' <= 2"}}, ("constraint 'c'", "is not allowed")),
    ({**one(), "constraints": {"c": "load == 2"}}, ("constraint 'c'", "is not allowed")),
    ({**one(mode="step"), "constraints": {"c": "load <= 2"}}, ("constraint 'c'", "'load' changes within an episode")),
    ({**one(), "splits": {"ood_nearby": {}}}, ("splits", "unknown key 'ood_nearby'", "did you mean 'ood_near'")),
    ({**one(), "splits": {"ood_near": {"wide": 2}}}, ("splits.ood_near", "unknown key 'wide'", "'widen'")),
    ({**one(), "splits": {"ood_near": {"widen": "2"}}}, ("splits.ood_near.widen", "expected a number", "'2'")),
    ({**one(), "splits": {"ood_near": {"widen": 3.0}}}, ("1 < ood_near.widen < ood_far.widen", "3.0", "2.5")),
    ({**one(), "splits": {"ood_near": {"widen": 1.0}}}, ("1 < ood_near.widen", "1.0")),
    ({**one(), "splits": {"ood_near": {"ranges": {"laod": [0, 2]}}}}, ("no term 'laod'", "did you mean 'load'")),
    ({**one(), "splits": {"ood_near": {"ranges": {"load": [0.5]}}}}, ("splits.ood_near.ranges.load", "two numbers")),
    ({**one(), "splits": {"ood_near": {"ranges": {"load": [1.0, 1.2]}}}},
     ("ood_near", "'load'", "(0.9, 1.1) must lie inside", "(1.0, 1.2)")),
    ({**one(), "splits": {"ood_near": {"ranges": {"load": [0.9, 1.1]}}}}, ("ood_near", "'load'", "empty")),
    ({**one(), "splits": {"ood_near": {"ranges": {"load": [-0.5, 1.2]}}}},
     ("ood_near", "'load'", "[-0.5, 1.2] leaves what mass allows")),
    ({**one(), "splits": {"ood_far": {"ranges": {"load": [0.88, 1.12]}}}}, ("ood_far", "'load'", "must lie inside")),
]  # fmt: skip


@pytest.mark.parametrize("data, words", BAD, ids=[w[0] + w[-1] for _, w in BAD])
def test_bad_specs_are_refused_with_value_place_and_remedy(data: dict[str, Any], words: tuple[str, ...]):
    with pytest.raises(ShopfloorError) as caught:
        spec_from(data)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data, words", BAD[:8], ids=[w[0] for _, w in BAD[:8]])
def test_the_file_is_named_too(tmp_path: Path, data: dict[str, Any], words: tuple[str, ...]):
    path = tmp_path / "floor.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ShopfloorError) as caught:
        load_spec(path)
    assert str(path) in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_two_terms_of_one_name_are_refused():
    term = Term("load", "mass", Uniform(0.9, 1.1), Target("body", "part"))
    with pytest.raises(ShopfloorError, match="two terms 'load'"):
        Spec("twice", (term, term))


# -- against a model -----------------------------------------------------------------------------------------------

UNFIT: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"effect": "mass", "target": {"body": "tol"}}, ("'load'", "no body is called 'tol'", "tool")),
    ({"effect": "mass", "target": {"body": "ool"}}, ("no body is called 'ool'",)),  # whole names only
    ({"effect": "mass", "target": {"body": "tool"}, "operation": "add", "distribution": {"uniform": [-50.0, 0.0]}},
     ("'load'", "mass would become -4", "narrow the range")),
    ({"effect": "dof_damping", "target": {"joint": "elbow"}, "operation": "add",
      "distribution": {"uniform": [-1e4, 0.0]}}, ("'load'", "dof_damping would become -", "outside [0, inf]")),
    ({"effect": "jnt_stiffness", "target": {"joint": ".*"}}, ("jnt_stiffness is 0", "'add' or 'set'")),
    ({"effect": "task.frictoin", "target": None, "distribution": {"uniform": [0, 1]}},
     ("'load'", "no parameter 'frictoin'", "has:")),
    ({"effect": "sensor.bias", "target": {"channel": "torque"}}, ("no channel is called 'torque'", "joint_position")),
    ({"effect": "sensor.bias", "target": {"channel": "joint_position|last_.*|.*error.*"}, "shared": True},
     ("'load'", "channels of different sizes")),
    ({"effect": "body_pos", "target": {"body": "tool"}, "operation": "add", "components": [3]},
     ("'load'", "body_pos has 3 components", "got 3")),
    ({"effect": "servo_damping", "target": {"actuator": "nothing"}}, ("no actuator is called 'nothing'",)),
    ({"effect": "torque_limit", "target": {"actuator": ".*"}, "mode": "step", "components": [0]}, ("components",)),
]  # fmt: skip


@pytest.mark.parametrize("entry, words", UNFIT, ids=[w[-1] for _, w in UNFIT])
def test_terms_that_fit_no_model_are_refused(entry: dict[str, Any], words: tuple[str, ...]):
    with pytest.raises(ShopfloorError) as caught:
        Case(ARM).cell(1, randomization=spec_from(one(**entry)))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("name", ["command.delay", "command.offset", "sensor.bias", "sensor.noise", "sensor.latency"])
def test_two_terms_cannot_both_set_one_thing(name: str):
    """One of them would silently win."""
    target = {"actuator": "elbow"} if name.startswith("command") else {"channel": "joint_position"}
    entry = {"effect": name, "target": target, "distribution": {"uniform": [0.0, 0.01]}}
    several = {"actuator": ".*"} if name.startswith("command") else {"channel": "joint_.*"}
    with pytest.raises(ShopfloorError, match=f"'one' and 'two': both set {name} of"):
        Case(ARM).cell(1, randomization=spec_from({"terms": {"one": entry, "two": {**entry, "target": several}}}))


def test_a_field_that_the_task_sets_itself_is_refused():
    wafer = next(p for p in presets() if p.spec.name == "wafer_transfer").case
    entry = {"effect": "jnt_stiffness", "target": {"joint": "flex_x"}, "distribution": {"uniform": [0.9, 1.1]}}
    cell = wafer.cell(2, randomization=spec_from({"terms": {"weak": entry}}))
    with pytest.raises(
        ShopfloorError, match=r"'weak' writes jnt_stiffness, which the task sets itself.*task.<parameter>"
    ):
        cell.reset()


# -- shells --------------------------------------------------------------------------------------------------------


def test_a_point_has_no_shell_until_it_is_given_one():
    data = one(distribution={"uniform": [1.0, 1.0]})
    spec = spec_from(data)
    for split in (OOD_NEAR, OOD_FAR):
        with pytest.raises(ShopfloorError, match=f"{split}, term 'load'.*empty.*range of its own"):
            spec.distributions(split)
    assert list(spec.distributions("train")) == ["load"]
    spec = spec_from({**data, "splits": {"ood_near": {"ranges": {"load": [0.9, 1.1]}},
                                         "ood_far": {"ranges": {"load": [0.5, 1.1]}}}})  # fmt: skip
    assert spec.distributions(OOD_NEAR)["load"].sides == ((0.9, 1.0), (1.0, 1.1))
    assert spec.distributions(OOD_FAR)["load"].sides == ((0.5, 0.9), (1.1, 1.1))


def test_far_begins_where_near_ends():
    spec = spec_from({**one(), "splits": {"ood_near": {"widen": 2.0, "ranges": {"load": [0.7, 1.1]}},
                                          "ood_far": {"widen": 5.0}}})  # fmt: skip
    assert spec.distributions(OOD_NEAR)["load"].inner == pytest.approx((0.9, 1.1))
    assert spec.distributions(OOD_FAR)["load"].inner == (0.7, 1.1)
    assert spec.distributions(OOD_FAR)["load"].outer == pytest.approx((0.5, 1.5))


def test_a_term_without_a_shell_does_not_stop_others():
    """A delay needs a buffer for its shells; another term's empty one is no reason to refuse training."""
    terms = {
        "late": {"effect": "command.delay", "target": {"actuator": ".*"}, "distribution": {"uniform": [0.0, 0.01]}},
        "fixed": {"effect": "mass", "target": {"body": "tool"}, "distribution": {"uniform": [1.2, 1.2]}},
    }
    cell = Case(ARM).cell(1, randomization=spec_from({"terms": terms}))
    cell.reset()
    assert (cell.randomizer.values["fixed"] == 1.2).all()


def test_extent_covers_all_splits():
    spec = spec_from(one())
    low, high = spec.extent(spec.term("load"))
    assert (low, high) == pytest.approx((0.75, 1.25))


# -- hash ----------------------------------------------------------------------------------------------------------

FULL = {
    "terms": {
        "load": MASS,
        "push": {"effect": "force.body", "target": {"body": "part"}, "mode": {"interval_s": [0.1, 0.2]},
                 "options": {"duration_s": 0.05}, "components": [0, 1], "distribution": {"normal": [0.0, 1.0]}},
        "pose": {"effect": "body_pos", "target": {"body": "part"}, "operation": "add",
                 "distribution": {"uniform": [0.0, 0.1]}},
        "late": {"effect": "command.delay", "target": {"actuator": ".*"}, "distribution": {"uniform": [0.0, 0.01]}},
    },
    "constraints": {"one": "load <= 2", "two": "load + late <= 3"},
    "splits": {"ood_near": {"widen": 1.4, "ranges": {"load": [0.8, 1.2], "late": [0.0, 0.02]}}},
}  # fmt: skip


def changed(*path: Any, to: Any) -> dict[str, Any]:
    data = copy.deepcopy(FULL)
    at: Any = data
    for key in path[:-1]:
        at = at.setdefault(key, {})
    if to is None:
        del at[path[-1]]
    else:
        at[path[-1]] = to
    return data


@pytest.mark.parametrize(
    "data",
    [
        changed("terms", "load", "effect", to="body_mass"),
        changed("terms", "load", "target", to={"body": "part2"}),
        changed("terms", "load", "distribution", to={"uniform": [0.9, 1.1000000001]}),
        changed("terms", "load", "distribution", to={"normal": [0.9, 0.01]}),
        changed("terms", "load", "operation", to="add"),
        changed("terms", "load", "mode", to="startup"),
        changed("terms", "load", "shared", to=True),
        changed("terms", "load", "structural", to=True),
        changed("terms", "load", "limits", to=[0.5, 1.5]),
        changed("terms", "load", "nominal", to=1.01),
        changed("terms", "push", "options", "duration_s", to=0.06),
        changed("terms", "push", "mode", "interval_s", to=[0.1, 0.21]),
        changed("terms", "push", "components", to=[1, 0]),
        changed("terms", "pose", "per_component", to=True),
        changed("terms", "late", to=None) | {"constraints": {"one": "load <= 2"}, "splits": {}},
        changed("constraints", "one", to="load <= 2.1"),
        changed("constraints", "one", to=None),
        changed("splits", "ood_near", "widen", to=1.45),
        changed("splits", "ood_near", "ranges", "load", to=[0.8, 1.21]),
        {**FULL, "terms": dict(reversed(FULL["terms"].items()))},
    ],
)
def test_hash_changes_with_meaning(data: dict[str, Any]):
    assert spec_from(data).hash != spec_from(FULL).hash


@pytest.mark.parametrize(
    "data",
    [
        FULL,
        {**FULL, "name": "other", "description": "words", "version": 1},
        changed("terms", "load", "description", to="words"),
        changed("terms", "load", "unit", to="kg"),
        changed("terms", "load", "operation", to="scale"),
        changed("terms", "load", "mode", to="reset"),
        changed("terms", "load", "shared", to=False),
        changed("terms", "load", "nominal", to=1),
        changed("terms", "late", "distribution", to={"uniform": [0, 0.01]}),
        {**FULL, "constraints": {"renamed": "load + late <= 3", "one": "load <= 2"}},
        changed("splits", "ood_near", "ranges", to={"late": [0, 0.02], "load": [0.8, 1.2]}),
        changed("splits", "ood_far", to={"widen": 2.5}),
    ],
)
def test_hash_does_not_change_with_prose_or_spelling(data: dict[str, Any]):
    assert spec_from(data).hash == spec_from(FULL).hash


def test_python_and_yaml_say_the_same():
    spec = Spec("typed", (Term("load", "mass", Uniform(1, 2), Target("body", "part")),))
    assert spec.hash == spec_from(one(distribution={"uniform": [1.0, 2.0]})).hash


def test_hashes_of_all_presets_differ():
    specs = [load_spec(name) for name in available_specs()]
    assert len({s.hash for s in specs}) == len(specs) >= 7


# -- files ---------------------------------------------------------------------------------------------------------


def write(folder: Path, **files: Any) -> None:
    for name, data in files.items():
        (folder / f"{name}.yaml").write_text(data if isinstance(data, str) else yaml.safe_dump(data, sort_keys=False))


def test_extends_replaces_joins_and_leaves_out(tmp_path: Path):
    write(tmp_path, base=FULL, child={
        "extends": "base.yaml",
        "terms": {"pose": None, "load": {**MASS, "distribution": {"uniform": [0.5, 1.5]}}, "more": MASS},
        "constraints": {"two": None},
        "splits": {"ood_near": {"widen": 1.3}},
    })  # fmt: skip
    spec = load_spec(tmp_path / "child.yaml")
    assert [t.name for t in spec.terms] == ["load", "push", "late", "more"]
    assert spec.term("load").distribution == Uniform(0.5, 1.5)
    assert [c.name for c in spec.constraints] == ["one"]
    assert spec.near.widen == 1.3 and not spec.near.ranges
    assert spec.name == "child"


def test_extends_over_folders_and_generations(tmp_path: Path):
    (tmp_path / "below").mkdir()
    write(tmp_path / "below", base=FULL)
    write(tmp_path, middle={"extends": "below/base.yaml", "terms": {"push": None}}, top={"extends": "middle.yaml"})
    assert [t.name for t in load_spec(tmp_path / "top.yaml").terms] == ["load", "pose", "late"]
    unchanged = spec_from({**FULL, "terms": {k: v for k, v in FULL["terms"].items() if k != "push"}})
    assert load_spec(tmp_path / "top.yaml").hash == unchanged.hash


@pytest.mark.parametrize(
    "files, words",
    [
        ({"top": {"extends": "gone.yaml"}}, ("gone.yaml", "extended by", "top.yaml", "No such file")),
        ({"top": {"extends": "b.yaml"}, "b": {"extends": "top.yaml"}}, ("extend each other in a circle",)),
        (
            {"top": {"extends": "b.yaml", "terms": {"lod": None}}, "b": FULL},
            ("terms.lod is null", "b.yaml has no such"),
        ),
        ({"top": {"extends": "b.yaml", "terms": {"late": None}}, "b": FULL}, ("top.yaml", "'two'", "no term 'late'")),
        ({"top": "terms: [unclosed"}, ("top.yaml", "is not YAML")),
        ({"top": "- 1"}, ("top.yaml", "must hold keys and values", "[1]")),
        ({"top": {"extend": "b.yaml"}}, ("top.yaml", "unknown key 'extend'", "did you mean 'extends'")),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, files: dict[str, Any], words: tuple[str, ...]):
    write(tmp_path, **files)
    with pytest.raises(ShopfloorError) as caught:
        load_spec(tmp_path / "top.yaml")
    for word in words:
        assert word in str(caught.value)


def test_missing_specs_name_what_there_is():
    with pytest.raises(ShopfloorError, match=r"no randomization 'arm_raech'; give the path.*arm_reach"):
        load_spec("arm_raech")


def test_presets_load_describe_themselves_and_have_every_split():
    for name in available_specs():
        spec = load_spec(name)
        assert spec.terms, name
        for split in SPLITS:
            spec.distributions(split)
        assert all(t.description for t in spec.terms), name


# -- what a user asks for ------------------------------------------------------------------------------------------


def test_requests(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(FULL))
    mine = load_spec(path)
    assert choose(None, None) is None
    assert choose("nominal", None) is None
    assert choose(None, "arm_reach") == Randomization(load_spec("arm_reach"), "nominal")
    assert choose("ood_far", "arm_reach") == Randomization(load_spec("arm_reach"), "ood_far")
    assert choose(str(path), None) == choose(path, "arm_reach") == choose(mine, None) == Randomization(mine, "train")
    assert choose(f"{path}:corners", None) == Randomization(mine, "corners")
    assert choose("arm_reach_forces:ood_near", None) == Randomization(load_spec("arm_reach_forces"), "ood_near")
    for request, words in (
        ("train", "declares no randomization"),
        ("trian", "or one of the splits nominal, train"),
        (7, "must be a split"),
        ("missing.yaml", "missing.yaml"),
    ):
        with pytest.raises(ShopfloorError, match=words):
            choose(request, None)
    with pytest.raises(ShopfloorError, match="unknown split 'trian'; the splits are nominal"):
        Randomization(mine, "trian")


# -- the catalogue -------------------------------------------------------------------------------------------------


def test_mujoco_still_tells_which_fields_are_derived():
    """The fallback tables hold what matters of what MuJoCo says, in case it stops saying it."""
    assert set(_INPUTS) <= constant_inputs()
    physical = {"body_subtreemass", "body_invweight0", "dof_M0", "dof_invweight0", "actuator_acc0", "actuator_length0",
                "tendon_length0", "tendon_invweight0"}  # fmt: skip
    assert physical <= set(_OUTPUTS) and set(_OUTPUTS) - constant_inputs() <= derived_fields()
    for name in ("body_mass", "body_inertia", "body_ipos", "body_pos", "dof_armature", "geom_size", "qpos0"):
        assert name in constant_inputs()
    for name in ("dof_damping", "actuator_gainprm", "geom_friction"):
        assert name not in constant_inputs()


def test_every_effect_is_described_and_every_one_is_tested():
    for name, info in EFFECTS.items():
        assert info.family in FAMILIES and info.description, name
        assert set(info.operations) <= set(info.nominal) | {"set"}, name
    used = {t.effect for p in presets() for t in p.spec.terms}
    assert set(EFFECTS) <= used
    assert all(name in {p.case.env_id for p in presets()} for name in REST)


def test_model_fields_are_effects_of_their_objects():
    for name, kind in (("dof_damping", "joint"), ("geom_friction", "geom"), ("pair_friction", "pair"),
                       ("site_pos", "site"), ("actuator_gear", "actuator"), ("qpos0", "joint")):  # fmt: skip
        assert effect(name).targets == (kind,) and effect(name).family == "model"
    assert effect("opt.wind").targets == ()
    assert effect("light_diffuse").family == effect("mat_rgba").family == "visual"


def test_parts_and_joins():
    spec = next(p for p in presets() if p.spec.name == "rest").spec
    sensing = spec.part(["sensing"])
    assert {t.info.family for t in sensing.terms} == {"sensing"} and not sensing.constraints
    rest = spec.part([f for f in FAMILIES if f != "sensing"])
    joined = rest.joined(sensing)
    assert {t.name for t in joined.terms} == {t.name for t in spec.terms}
    assert {c.name for c in joined.constraints} == {c.name for c in spec.constraints}
    assert isinstance(Preset(Case(ARM), joined).cell(1).randomizer.width, int)
