"""Every baseline of the repository is what its files say, today; and how baselines are written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from shopfloor.contract import check_compatible
from shopfloor.deploy.bundle import Bundle
from shopfloor.envs.engine.describe import contract_of
from shopfloor.envs.registry import make_declaration
from shopfloor.errors import ShopfloorError
from shopfloor.eval.baselines import BUNDLE, FOLDER, Baseline, load_baselines, results_table
from shopfloor.eval.document import compact, json_text
from shopfloor.eval.report import evaluate_named
from shopfloor.train import baseline as command
from shopfloor.train.config import TrainConfig
from shopfloor.train.config_file import build, load, parse_overrides, typed
from shopfloor.train.runner import train

FOLDERS = sorted(p.parent for p in FOLDER.glob("*/evaluation.json"))
AGAIN = 4  # episodes that are played again
LARGEST = 64_000  # bytes of an evaluation

each = pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)


@each
def test_a_bundle_is_the_one_that_was_evaluated(folder: Path):
    baseline, bundle = Baseline.load(folder), Bundle.load(folder / BUNDLE)
    told = baseline.evaluation["policy"]["bundle"]
    assert told["sha256"] == bundle.sha256 and told["contract_sha256"] == bundle.contract.sha256
    assert bundle.self_test().pairs > 100
    assert bundle.contract.provenance.training_steps == baseline.training["policy_steps"]


@each
def test_a_baseline_fits_the_environment_and_the_config_of_today(folder: Path):
    baseline, contract = Baseline.load(folder), Bundle.load(folder / BUNDLE).contract
    task = make_declaration(contract.env_id, **contract.task_kwargs)
    offered = contract_of(task, contract.env_id, contract.task_kwargs)
    assert not check_compatible(contract, offered)
    assert baseline.evaluation["environment"]["fingerprint"] == offered.fingerprint
    recorded = build(TrainConfig, typed(baseline.training["config"], TrainConfig, "training.json"))
    assert recorded == command.repeatable(load(folder.name)), "train it anew: its config has changed"


@each
def test_the_first_episodes_end_again_as_recorded(folder: Path):
    baseline = Baseline.load(folder)
    protocol, chosen = baseline.evaluation["protocol"], baseline.evaluation["randomization"]
    environment = baseline.evaluation["environment"]
    assert protocol["first_seed"] == 1_000_000 and protocol["episodes"] >= 500
    randomization = None if chosen is None else f"{chosen['spec']}:{chosen['split']}"
    recorded = {str(folder / BUNDLE): baseline.evaluation, "expert": baseline.references["expert"]}
    for policy, told in recorded.items():
        document = evaluate_named(
            policy,
            environment["id"],
            environment["task_kwargs"],
            episodes=AGAIN,
            threads=1,
            randomization=randomization,
        )
        found = compact(document, "again")
        assert found["randomization"] == chosen
        for name, values in found["episodes"].items():
            expected = told["episodes"][name][:AGAIN]
            if name in ("success", "termination_reason"):
                assert values == expected
            else:  # another processor rounds the policy's sums in another way
                numbers = [np.array([np.nan if v is None else v for v in x]) for x in (values, expected)]
                np.testing.assert_allclose(*numbers, rtol=0.03)


@each
def test_files_stay_small(folder: Path):
    for path in folder.glob("*.json"):
        assert path.stat().st_size < LARGEST, f"{path} is large for a repository"
    assert str(FOLDER.parent) not in (folder / "evaluation.json").read_text()


def test_the_table_of_the_readme_is_that_of_the_baselines():
    if not command.README.is_file():
        pytest.skip("not a checkout")
    text = command.README.read_text(encoding="utf-8")
    assert command.refreshed(text, results_table(load_baselines())) == text, "run `shopfloor baseline`"


# -- how they are written -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A baseline of a config that trains for a moment."""
    root = tmp_path_factory.mktemp("baselines")
    words = "--num-envs 4 --threads 1 --ppo.n_steps 32 --ppo.batch_size 64 --total-steps 128 --evaluation.episodes 2"
    config = load("arm_reach_position", parse_overrides(words.split()))
    run = train(config, root / "runs").run
    with pytest.MonkeyPatch.context() as patch:
        with pytest.raises(ShopfloorError, match=r"no file of configs/train says what this run of .*ArmReach"):
            command.write_baseline(run, root)
        patch.setattr(command, "config_name", lambda config: "arm_reach_position")
        return command.write_baseline(run, root, episodes=4, threads=1)


def test_a_written_baseline_reads_back(written: Path):
    baseline = Baseline.load(written)
    assert baseline.name == "arm_reach_position" and baseline.training["steps"] == 128
    assert baseline.training["wall_s"] > 0.0 and baseline.training["machine"]["cores"] >= 1
    assert baseline.evaluation["policy"]["bundle"]["sha256"] == Bundle.load(written / BUNDLE).sha256
    assert "path" not in baseline.evaluation["policy"]["bundle"]
    assert baseline.references["expert"]["summary"]["success"]["rate"] == 1.0
    assert len(baseline.evaluation["episodes"]["success"]) == 4
    table = results_table([baseline])
    assert "128 steps" in table and "| 100.0 % |" in table


def test_paired_differences_are_over_the_episodes_that_both_achieve(written: Path, tmp_path: Path):
    for path in written.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for name, success, values in (
        ("evaluation", [1, 1, 0, 1], [1.0, 2.0, 3.0, 9.0]),
        ("expert", [1, 1, 1, 0], [1.5, 2.1, 0.1, 0.1]),
    ):
        document = json.loads((tmp_path / f"{name}.json").read_text())
        main = document["summary"]["main_metric"]
        document["episodes"] |= {"success": success, main: values}
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    median, (low, high), count = Baseline.load(tmp_path).paired() or pytest.fail("nothing is paired")
    assert median == pytest.approx(-0.3) and count == 2
    assert low == pytest.approx(-0.5) and high == pytest.approx(-0.1)
    document["randomization"] = {"spec": "arm_reach", "hash": "0", "split": "train"}
    (tmp_path / "expert.json").write_text(json.dumps(document))
    with pytest.raises(ShopfloorError, match="was evaluated in another randomization"):
        Baseline.load(tmp_path)


def test_json_text_reads_back_and_keeps_an_episode_in_a_line():
    data = {"a": {"b": [1, 2.5, None], "c": "µm"}, "episodes": [{"x": [1, 2]}, {"x": []}], "none": {}, "empty": []}
    text = json_text(data)
    assert json.loads(text) == data
    assert '"b": [1, 2.5, null]' in text and '\n  {"x": [1, 2]},\n' in text and "µm" in text
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text({"x": float("nan")})


def test_the_readme_needs_its_marks():
    with pytest.raises(ShopfloorError, match="no place for the table"):
        command.refreshed("# nothing", "| table |")
