"""Environments whose actions are decisions, from training to the function that decides for a machine."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("stable_baselines3")
pytest.importorskip("onnx")

from test_resume import digest, interrupt_at, without_time  # noqa: E402

from shopfloor.cli import main as command  # noqa: E402
from shopfloor.contract import Contract, check_compatible  # noqa: E402
from shopfloor.deploy.bundle import Bundle  # noqa: E402
from shopfloor.deploy.decision import DecisionFunction, choose  # noqa: E402
from shopfloor.deploy.runtime import ControllerRuntime  # noqa: E402
from shopfloor.envs.engine.describe import contract_of, fingerprint  # noqa: E402
from shopfloor.envs.registry import make_cell, make_declaration  # noqa: E402
from shopfloor.envs.wafer.cluster.channels import readings  # noqa: E402
from shopfloor.envs.wafer.cluster.task import ClusterTool  # noqa: E402
from shopfloor.errors import ShopfloorError  # noqa: E402
from shopfloor.eval.evaluate import evaluate, held_out_seeds  # noqa: E402
from shopfloor.eval.policies import has_scripted, scripted  # noqa: E402
from shopfloor.train.config_file import load, parse_overrides  # noqa: E402
from shopfloor.train.demonstrations import Demonstrator  # noqa: E402
from shopfloor.train.learner import make_cells, make_learner  # noqa: E402
from shopfloor.train.run_dir import RunDir  # noqa: E402
from shopfloor.train.runner import resume, train  # noqa: E402
from shopfloor.train.sb3_adapter import CellVecEnv  # noqa: E402

ID = "shopfloor/ClusterTool-v0"
SMALL = (
    "--num-envs 4 --network.sizes 16 --env.kwargs.lot_size 3 --evaluation.episodes 4 --evaluation.every-steps 400 "
    "--checkpoint.every-steps 256 --ppo.n_steps 32 --ppo.batch_size 64 --ppo.n_epochs 2 --total-steps 640 "
    "--demonstrations.steps 160 --demonstrations.rounds 2 --demonstrations.epochs 2 --demonstrations.batch_size 64 "
    "--demonstrations.critic_steps 128 --update-threads 1"
)


def config_of(*words: str) -> Any:
    return load("cluster_tool", parse_overrides([*SMALL.split(), *words]))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return train(config_of(), tmp_path_factory.mktemp("runs")).run


@pytest.fixture(scope="module")
def bundle(run: RunDir) -> Bundle:
    assert command(["export", str(run.path)]) == 0
    return Bundle.load(run.path)


@pytest.fixture
def learner():
    config = config_of()
    venv = CellVecEnv(make_cells(config, 4))
    yield make_learner(config, venv)
    venv.close()


def observed(n: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Readings and masks of n lots in the middle."""
    cell: Any = make_cell(ClusterTool(lot_size=3), n, randomization="train")
    cell.reset(seeds=np.arange(n))
    expert = cell.task.expert()
    expert.reset(cell, np.arange(n))
    for _ in range(9):
        cell.step(expert.act(cell))
    return {"observation": cell.observation(), "action_mask": cell.mask.astype(np.int8)}, cell.mask.copy()


# -- the policy ---------------------------------------------------------------------------------------------------


def test_what_is_masked_is_never_drawn_and_has_no_gradient(learner):
    observation, mask = observed(16)
    policy = learner.policy
    tensors, _ = policy.obs_to_tensor(observation)
    distribution = policy.get_distribution(tensors)
    chances = distribution.distribution.probs.detach().numpy()
    assert (chances[~mask] == 0.0).all()
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-6)
    for _ in range(50):
        actions, _, _ = policy(tensors)
        assert mask[np.arange(16), actions.numpy()].all()
    # entropy as if only the allowed ones existed
    kept = [row[row > 0.0] for row in chances.astype(np.float64)]
    np.testing.assert_allclose(distribution.entropy().detach(), [-(p * np.log(p)).sum() for p in kept], rtol=1e-5)
    _, log_prob, entropy = policy.evaluate_actions(tensors, torch.as_tensor(mask.argmax(axis=1)))
    (log_prob.sum() + entropy.sum()).backward()
    never = ~mask.any(axis=0)
    assert never.any()
    gradient = policy.action_net.weight.grad
    assert (gradient[torch.as_tensor(never)] == 0.0).all() and (gradient != 0.0).any()


def test_the_greatest_logit_that_is_allowed_decides_the_first_of_equal_ones():
    assert choose([3.0, 2.0, 2.0], [False, True, True]) == 1
    assert choose([0.0, -1e8, 0.0], [True, True, True]) == 0


def test_only_ppo_decides():
    config = replace(config_of("--demonstrations.steps", "0"), algorithm="sac")
    venv = CellVecEnv(make_cells(config, 2))
    with pytest.raises(ShopfloorError, match="use algorithm: ppo"):
        make_learner(config, venv)


def test_demonstrations_are_the_experts_decisions_of_one_lot_a_row(learner):
    venv = learner.env
    found = Demonstrator(venv, 1.0).collect(learner, 200, 1.0, lambda: None)
    data = found.steps
    mask = data.observations["action_mask"]
    assert mask[np.arange(len(mask)), data.actions].all()
    assert found.teacher_success is not None and found.learner_success is None
    # undiscounted, a lot's first return is the lot's
    task: Any = ClusterTool(lot_size=3)
    returns = [r.total_reward for r in evaluate(scripted("expert", task), task, range(4), randomization="train")]
    np.testing.assert_allclose(data.returns[:4], returns, atol=1e-6)


# -- training -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [80, 130])
def test_a_stopped_and_continued_run_equals_one_that_was_never_stopped(run: RunDir, step, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        interrupt_at(patch, step, signal.SIGTERM)
        stopped = train(config_of(), tmp_path)
    assert stopped.signal == signal.SIGTERM
    continued = resume(stopped.run.path)
    assert continued.run.status == "finished"
    assert digest(continued.run) == digest(run)
    assert without_time(continued.run.evaluations()) == without_time(run.evaluations())


# -- contract and bundle ------------------------------------------------------------------------------------------


def test_the_contract_speaks_of_decisions_and_of_no_rates(bundle: Bundle):
    contract, task = bundle.contract, ClusterTool(lot_size=3)
    assert contract.decisions == task.decisions and len(set(contract.decisions)) == 24
    assert contract.control_hz == contract.timestep_s == contract.decimation == 0 and contract.action == ()
    assert all(term.rate_hz == 0 for term in contract.observation)
    assert contract.task_kwargs == {"robot": "single", "lot_size": 3, "tolerance": None}
    assert (contract.width, contract.inputs, contract.outputs) == (86, 110, 24)
    assert not check_compatible(contract, contract_of(task, ID, {"lot_size": 3}))
    assert contract.fingerprint == fingerprint(task)
    again = Contract.from_json(contract.to_json())
    assert again == contract and again.sha256 == contract.sha256


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"control_hz": 10.0}, "control_hz must be 0 for a policy that decides"),
        ({"decisions": ["wait", "wait"]}, "different names"),
        ({"decisions": ["wait"]}, "two"),
        ({"decisions": []}, "must be positive"),
    ],
)
def test_contracts_that_mix_decisions_and_rates_are_refused(bundle: Bundle, changes: dict[str, Any], words: str):
    data = json.loads(bundle.contract.to_json()) | changes
    with pytest.raises(ShopfloorError, match=words):
        Contract.from_json(json.dumps(data))


def test_other_decisions_do_not_fit(bundle: Bundle):
    other = replace(bundle.contract, decisions=(*bundle.contract.decisions[:-1], "rest"))
    assert any("decisions" in line for line in check_compatible(bundle.contract, other))


def test_the_bundle_decides_as_the_learner_does(run: RunDir, bundle: Bundle):
    assert bundle.self_test().bit_equal
    observation, mask = observed(32)
    expected, _ = run.load_learner().predict(observation, deterministic=True)
    inputs = np.concatenate((observation["observation"], mask), axis=1, dtype=np.float32)
    np.testing.assert_array_equal([choose(bundle.policy(x), m) for x, m in zip(inputs, mask, strict=True)], expected)


def test_a_function_decides_for_a_machine(bundle: Bundle):
    decide = DecisionFunction(bundle)
    cell: Any = make_cell(ClusterTool(lot_size=3), 1)
    cell.reset(seeds=np.array([1_000_000]))
    decide.begin()
    total = 0.0
    while not (cell.terminated[0] or cell.truncated[0]):
        now = {name: values[0] for name, values in readings(cell.simulator, cell.bound).items()}
        decision = decide(now, cell.mask[0])
        assert cell.mask[0, decision.number] and decision.name == cell.task.decisions[decision.number]
        cell.step(np.array([[decision.number]]))
        total += cell.reward[0]
    from shopfloor.eval.policies import bundle_policy

    (record,) = evaluate(bundle_policy(bundle), ClusterTool(lot_size=3), [1_000_000])
    assert record.total_reward == total and record.steps == cell.s.step[0]


def test_questions_that_make_no_sense_are_refused(bundle: Bundle):
    decide = DecisionFunction(bundle)
    cell: Any = make_cell(ClusterTool(lot_size=3), 1)
    cell.reset(seeds=np.array([0]))
    now = {name: values[0] for name, values in readings(cell.simulator, cell.bound).items()}
    for mask, words in ((np.zeros(24), "nothing to decide"), (np.ones(3), "24 decisions"), (np.full(24, 2), "truth")):
        with pytest.raises(ShopfloorError, match=words):
            decide(now, mask)
    with pytest.raises(ShopfloorError, match="not finite"):
        decide(now | {"elapsed": np.array([np.nan])}, cell.mask[0])


def test_fixed_rate_loops_do_not_take_it(bundle: Bundle, capsys: pytest.CaptureFixture[str]):
    assert command(["run", str(bundle.path)]) == 2
    assert "no fixed-rate loop can run it" in capsys.readouterr().err
    layer: Any = None
    with pytest.raises(ShopfloorError, match="DecisionFunction"):
        ControllerRuntime(bundle, layer)


# -- evaluation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["expert", "first_come", "random"])
def test_results_do_not_depend_on_how_many_lots_run_together(kind: str):
    def once(num_envs: int) -> list[Any]:
        task = make_declaration(ID, lot_size=2)
        return evaluate(scripted(kind, task), task, held_out_seeds(5), num_envs=num_envs, randomization="train")

    assert repr(once(1)) == repr(once(3)) == repr(once(5))


def test_scripted_policies_of_decisions_are_named():
    task: Any = ClusterTool()
    assert [k for k in ("expert", "oracle", "random", "zero", "first_come") if has_scripted(k, task)] == [
        "expert", "random", "first_come"]  # fmt: skip
    with pytest.raises(ShopfloorError, match="it has: random, expert, first_come"):
        scripted("zero", task)


def test_a_run_is_scored_by_the_command(
    bundle: Bundle, run: RunDir, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    out = tmp_path / "evaluation.json"
    words = ["--episodes", "6", "--randomization", "train", "--out", str(out)]
    assert command(["eval", str(run.path), *words]) == 0
    document = json.loads(out.read_text())
    assert document["environment"]["id"] == ID and document["environment"]["control_hz"] == 0.0
    assert set(document["summary"]["metrics"]) >= {"lot_time_ratio", "wafers_per_hour", "residency_misses"}
    assert document["summary"]["unfinished"] == document["summary"]["reasons"].get("time_limit", 0)
    assert document["summary"]["decisions"]["median"] > 10 and "duration_s" not in document["summary"]
    assert "lot_time_ratio" in capsys.readouterr().out


def test_resting_never_pays():
    """Whoever does nothing until the time limit gets less than whoever tries, however badly."""
    cell: Any = make_cell(ClusterTool(lot_size=3), 8)
    cell.reset(seeds=np.arange(8))
    total = np.zeros(8)
    while not cell.truncated.all():
        cell.step(np.full((8, 1), len(cell.task.decisions) - 3))
        total += cell.reward
    trying = evaluate(scripted("random", ClusterTool(lot_size=3)), ClusterTool(lot_size=3), list(range(8)))
    assert (total < -10.0).all() and min(r.total_reward for r in trying) > total.max()
