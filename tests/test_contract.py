"""The contract: strict parsing, observations as in training, differences in words, fingerprints."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deploy_toy import ToyArm

from shopfloor.contract import (
    Contract,
    ObservationAssembler,
    Provenance,
    check_compatible,
    plain,
    sha256_of,
)
from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.engine.describe import canonical_id, contract_of, fingerprint
from shopfloor.envs.engine.task import Task
from shopfloor.envs.registry import env_ids, make_task, task_arguments
from shopfloor.errors import ShopfloorError

TOY = contract_of(ToyArm(), "shopfloor/Toy-v0", {"tolerance_m": 0.05})


def edited(change: Callable[[dict[str, Any]], Any]) -> str:
    """The toy's contract as JSON after a change to its data."""
    data = json.loads(TOY.to_json())
    change(data)
    return json.dumps(data)


# -- JSON ---------------------------------------------------------------------------------------------------------


def test_a_contract_survives_json() -> None:
    contract = replace(TOY, provenance=Provenance({"numpy": "2.4"}, "abc", "run 1", 1000, 3, "2026-01-01T00:00:00"))
    again = Contract.from_json(contract.to_json())
    assert again == contract
    assert again.sha256 == contract.sha256 != TOY.sha256
    # layout and order of keys do not matter to the hash
    shuffled = json.dumps(dict(reversed(json.loads(contract.to_json()).items())), indent=7)
    assert Contract.from_json(shuffled).sha256 == contract.sha256


def test_a_contract_without_the_entry_of_randomization_is_read_and_keeps_its_hash() -> None:
    data = json.loads(TOY.to_json())
    assert "randomization" not in data["provenance"]  # as in bundles of the first releases
    assert Contract.from_json(json.dumps(data)) == TOY and sha256_of(data) == TOY.sha256
    trained = {"split": "train", "spec": "toy", "hash": "0123456789abcdef"}
    randomized = replace(TOY, provenance=Provenance(randomization=trained))
    assert Contract.from_json(randomized.to_json()) == randomized and randomized.sha256 != TOY.sha256
    assert check_compatible(randomized, TOY) == []


def delete(data: dict[str, Any], *path: Any) -> None:
    for key in path[:-1]:
        data = data[key]
    del data[path[-1]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(colour="red"), r"\$\.colour is unknown"),
        (
            lambda d: d.update(control_hertz=d.pop("control_hz")),
            r"\$\.control_hertz is unknown; did you mean 'control_hz'",
        ),
        (lambda d: delete(d, "observation", 1, "unit"), r"\$\.observation\[1\]\.unit is missing"),
        (lambda d: d["observation"][0].update(size="2"), r"\$\.observation\[0\]\.size must be an integer, got \"2\""),
        (lambda d: d["observation"][0].update(size=True), r"\$\.observation\[0\]\.size must be an integer, got true"),
        (lambda d: d["observation"][0].update(size=2.0), r"\$\.observation\[0\]\.size must be an integer"),
        (lambda d: d["observation"][2].update(low=[0, None]), r"\$\.observation\[2\]\.low\[1\] must be a number"),
        (lambda d: d["observation"][2].update(low=[0.0]), r"\$\.observation\[2\]\.low must hold 2 numbers, got 1"),
        (lambda d: d["observation"][1].update(scale=[0.0, 1.0]), r"\$\.observation\[1\].*scale that is not 0"),
        (lambda d: d["observation"][1].update(name="angle"), r"\$\.observation must hold terms of different names"),
        (lambda d: d["action"][1].update(low=9.0), r"\$\.action\[1\].*low < high"),
        (lambda d: d.update(action={}), r"\$\.action must be a list, got \{\}"),
        (lambda d: d.update(limits=[1]), r"\$\.limits must be an object"),
        (lambda d: d.update(control_hz=0), r"\$\.control_hz must be positive"),
        (lambda d: d["provenance"]["packages"].update(numpy=2), r"\$\.provenance\.packages\.numpy must be text, got 2"),
        (lambda d: d.update(schema_version=99), r"schema version 99, this shopfloor reads 1"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(change: Callable[[dict[str, Any]], Any], words: str) -> None:
    with pytest.raises(ShopfloorError, match=words):
        Contract.from_json(edited(change))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        (b"\xff\xfe{}", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", r"\$ must be an object"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        (TOY.to_json().replace('"control_hz": 50.0', '"control_hz": NaN'), "NaN is not a number"),
        (TOY.to_json().replace('"control_hz": 50.0', '"control_hz": 1e999'), r"\$\.control_hz must be a finite number"),
    ],
)
def test_text_that_is_no_contract_is_refused(text: str | bytes, words: str) -> None:
    with pytest.raises(ShopfloorError, match=words):
        Contract.from_json(text)


def test_plain_data_says_what_it_cannot_write() -> None:
    assert plain({"a": np.float64(0.1), "b": (1, np.array([1.0, np.inf]))}) == {"a": 0.1, "b": [1, [1.0, None]]}
    with pytest.raises(ShopfloorError, match=r"limits\.mass\[1\] is not a number"):
        plain({"mass": [1.0, float("nan")]}, "limits")
    with pytest.raises(ShopfloorError, match=r"limits\.hook is a function"):
        plain({"hook": test_plain_data_says_what_it_cannot_write}, "limits")


# -- observations -------------------------------------------------------------------------------------------------


def cells() -> list[tuple[str, Callable[[], Task]]]:
    """Every registered task, and the toy, whose channels use history, rate, latency and quantization together."""
    return [("toy", ToyArm), *((env_id, lambda i=env_id: make_task(i)) for env_id in env_ids())]


@pytest.mark.parametrize(("name", "make"), cells())
def test_the_assembler_equals_the_sensors_bit_for_bit(name: str, make: Callable[[], Task]) -> None:
    cell = BatchedCell(make(), 3, threads=1)
    cell.reset(None, np.array([5, 6, 7]))
    contract = contract_of(cell, name)
    assemblers = [ObservationAssembler(contract.observation) for _ in range(cell.n)]
    random = np.random.default_rng(0)
    for step in range(120):
        expected, readings = cell.observation(), cell.readings()
        for row, assemble in enumerate(assemblers):
            got = assemble({name: value[row] for name, value in readings.items()})
            assert got.dtype == np.float32 and got.shape == (contract.width,)
            assert got.tobytes() == expected[row].tobytes(), f"row {row}, step {step}"
        cell.step(cell.setpoints(random.uniform(-1.0, 1.0, (cell.n, len(cell.terms)))))
        done = np.flatnonzero(cell.terminated | cell.truncated)
        if done.size:
            cell.reset(done)
            for row in done.tolist():
                assemblers[row].reset()


def test_a_bad_reading_is_named_and_leaves_the_past_as_it_was() -> None:
    assemble = ObservationAssembler(TOY.observation)
    good = {"angle": [0.1, 0.2], "speed": [0.0, 0.0], "target": [0.3, 0.1]}
    first = assemble(good)
    for bad, words in (
        ({"angle": [0.1, 0.2], "speed": [0.0, 0.0]}, "the reading 'target' is missing"),
        ({**good, "speed": [1.0]}, "the reading 'speed' must hold 2 numbers, got shape"),
        ({**good, "target": [np.nan, 0.0]}, "the reading 'target' is not finite"),
    ):
        with pytest.raises(ShopfloorError, match=words):
            assemble(bad)
    np.testing.assert_array_equal(assemble(good), first)


def test_readings_outside_their_range_are_clipped_and_reported() -> None:
    assemble = ObservationAssembler(TOY.observation)
    out = assemble({"angle": [9.0, 0.0], "speed": [0.0, -9.0], "target": [0.0, 0.0]})
    assert assemble.saturated == ("angle", "speed")
    assert out[0] == np.float32(3.2) and out[7] == -4.0
    assemble({"angle": [0.0, 0.0], "speed": [0.0, 0.0], "target": [0.5, 0.5]})
    assert assemble.saturated == ()


# -- compatibility ------------------------------------------------------------------------------------------------


def with_reading(index: int, **changes: Any) -> Contract:
    terms = list(TOY.observation)
    terms[index] = replace(terms[index], **changes)
    return replace(TOY, observation=tuple(terms))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (with_reading(0, name="angles"), ["reading 'angle' is expected but not offered", "'angles' is offered"]),
        (with_reading(0, unit="deg"), ["reading 'angle', unit: expected rad, offered deg"]),
        (with_reading(2, frame=""), ["reading 'target', frame: expected base, offered nothing"]),
        (with_reading(1, size=3), ["reading 'speed', size: expected 2, offered 3"]),
        (with_reading(0, high=(3.2, 3.0)), ["reading 'angle', high: expected [3.2, 3.2], offered [3.2, 3.0]"]),
        (with_reading(1, rate_hz=50.0), ["reading 'speed', rate_hz: expected 25.0, offered 50.0"]),
        (with_reading(2, latency_s=0.1), ["reading 'target', latency_s: expected 0.04, offered 0.1"]),
        (
            replace(TOY, observation=TOY.observation[::-1]),
            ["readings are in another order: expected angle, speed, target"],
        ),
        (replace(TOY, action=TOY.action[:1]), ["set-point 'elbow_velocity' is expected but not offered"]),
        (replace(TOY, action=TOY.action[::-1]), ["set-points are in another order"]),
        (replace(TOY, control_hz=100.0), ["control rate (Hz): expected 50.0, offered 100.0"]),
        (replace(TOY, interface="joint_torque"), ["action interface: expected joint_velocity, offered joint_torque"]),
        (
            replace(TOY, limits={**TOY.limits, "jerk": [1.0, 1.0]}),
            ["limits, jerk: expected [800.0, 900.0], offered [1.0"],
        ),
        (replace(TOY, env_id="shopfloor/Other-v0"), ["environment: the policy is for shopfloor/Toy-v0, this is"]),
        (replace(TOY, task_kwargs={}), ["task arguments, tolerance_m: expected 0.05, offered nothing"]),
        (replace(TOY, task_kwargs={"tolerance_m": 0.05, "younger": 1}), []),
        (
            replace(TOY, fingerprint="0" * 64, task_kwargs={"tolerance_m": 0.05, "younger": 1}),
            ["task arguments, younger: expected nothing, offered 1", "environment fingerprint"],
        ),
        (
            replace(TOY, fingerprint="0" * 64, task_kwargs={"tolerance_m": 0.1}),
            ["task arguments, tolerance_m: expected 0.05, offered 0.1", "environment fingerprint"],
        ),
    ],
)
def test_every_difference_is_listed_in_words(other: Contract, words: list[str]) -> None:
    differences = check_compatible(TOY, other)
    assert len(differences) == len(words), differences
    for difference, expected in zip(differences, words, strict=True):
        assert expected in difference


def test_what_does_not_matter_is_not_a_difference() -> None:
    assert check_compatible(TOY, TOY) == []
    machine = replace(TOY, env_id="", fingerprint="", task_kwargs={}, timestep_s=1.0, provenance=Provenance(run="x"))
    assert check_compatible(TOY, machine) == []
    # an argument left at its default is the argument given, and stays what it was when the default changes
    env_id = "shopfloor/ArmReach-v0"
    spelled = {k: p.default for k, p in task_arguments(env_id).items()}
    assert contract_of(make_task(env_id), env_id) == contract_of(make_task(env_id, **spelled), env_id, spelled)
    several = replace(with_reading(0, unit="deg"), control_hz=20.0, interface="other")
    assert len(check_compatible(TOY, several)) == 3


# -- fingerprints -------------------------------------------------------------------------------------------------


def test_the_fingerprint_follows_model_and_declaration() -> None:
    base = fingerprint(ToyArm())
    assert base == fingerprint(ToyArm())
    variants: list[Task] = [ToyArm(gravity=9.80), ToyArm(latency_s=0.02)]
    for attribute, value in (
        ("rewards", {"closeness": replace(ToyArm.rewards["closeness"], weight=2.0)}),
        ("success_hold_s", 0.1),
        ("start", ToyArm.start[::-1]),
        ("success_text", "another"),
    ):
        variants.append(ToyArm())
        setattr(variants[-1], attribute, value)
    found = {fingerprint(task) for task in variants}
    assert len(found) == len(variants) and base not in found


def test_prose_does_not_change_the_fingerprint() -> None:
    task = ToyArm()
    task.channels = tuple(replace(c, description="said otherwise") for c in task.channels)
    assert fingerprint(task) == fingerprint(ToyArm())


def test_fingerprints_are_the_same_in_another_process() -> None:
    program = (
        "import json\n"
        "from shopfloor.envs.registry import env_ids, make_task\n"
        "from shopfloor.envs.engine.describe import fingerprint\n"
        "print(json.dumps({env_id: fingerprint(make_task(env_id)) for env_id in env_ids()}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "LC_ALL": "C", "PATH": str(Path(sys.executable).parent)},
    )
    assert json.loads(done.stdout) == {env_id: fingerprint(make_task(env_id)) for env_id in env_ids()}


def test_ids_have_one_spelling() -> None:
    spellings = ("ArmReach-v0", "shopfloor/ArmReach-v0", "shopfloor:ArmReach-v0")
    assert {canonical_id(s) for s in spellings} == {"shopfloor/ArmReach-v0"}


def test_a_contract_without_readings_makes_no_sense() -> None:
    task = ToyArm()
    task.channels = tuple(c for c in task.channels if c.group == "privileged")
    with pytest.raises(ShopfloorError, match="no channels in the group 'policy'"):
        contract_of(task, "x")


def test_hashes_do_not_depend_on_the_order_of_keys() -> None:
    assert sha256_of({"a": 1, "b": [0.1, 1e-9]}) == sha256_of({"b": [0.1, 1e-9], "a": 1})
    assert sha256_of({"a": 0.1}) != sha256_of({"a": 0.1 + 1e-17 * 2})
