"""Learning from the scripted expert: what is collected, what the clone makes of it, and that PPO goes on from there."""

from __future__ import annotations

import itertools
import signal
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_resume import digest, interrupt_at, without_time

from shopfloor.errors import ShopfloorError
from shopfloor.train import cloning
from shopfloor.train.__main__ import help_text, main
from shopfloor.train.cloning import error, fit_actor, fit_critic, let_actor_learn
from shopfloor.train.config import Linear
from shopfloor.train.config_file import load, parse_overrides
from shopfloor.train.demonstrations import Demonstrations, Demonstrator, discounted_returns, make_demonstrator
from shopfloor.train.learner import make_cells, make_learner
from shopfloor.train.runner import resume, train
from shopfloor.train.sb3_adapter import CellVecEnv

SMALL = (
    "--num-envs 4 --threads 1 --network.sizes 32,32 --evaluation.episodes 2 --evaluation.every-steps 600 "
    "--checkpoint.every-steps 300 --ppo.n_steps 32 --ppo.batch_size 64 --ppo.n_epochs 2 --total-steps 500 "
    "--demonstrations.steps 640 --demonstrations.rounds 2 --demonstrations.epochs 3 --demonstrations.critic_steps 256 "
)


def config_of(*words: str) -> Any:
    return load("arm_reach_position", parse_overrides([*SMALL.split(), *words]))


def never() -> None:
    """Nobody wants to stop."""


@pytest.fixture
def cloning_setup():
    config = config_of("--seed", "5", "--num-envs", "8", "--demonstrations.epochs", "20")
    venv = CellVecEnv(make_cells(config, config.num_envs))
    yield config, make_learner(config, venv), Demonstrator(venv, config.ppo.gamma)
    venv.close()


# -- what is collected ----------------------------------------------------------------------------------------


def test_returns_are_discounted_sums_to_the_end_of_the_episode():
    rewards = np.array([[1.0, 1.0], [2.0, 1.0], [4.0, 1.0], [8.0, 1.0]])
    ends = np.array([[False, False], [True, False], [False, False], [False, True]])
    found = discounted_returns(rewards, ends, 0.5)
    np.testing.assert_array_equal(found[:2, 0], [2.0, 2.0])
    assert np.isnan(found[2:, 0]).all()  # the second episode of row 0 was still running
    np.testing.assert_array_equal(found[:, 1], [1.875, 1.75, 1.5, 1.0])


def test_the_expert_drives_and_succeeds_and_its_actions_are_written_down(cloning_setup):
    _, learner, demonstrator = cloning_setup
    found = demonstrator.collect(learner, 160, 1.0, never)
    assert found.teacher_success == 1.0 and found.learner_success is None
    assert found.steps.actions.shape == (8 * 160, 6) and found.steps.observations.dtype == np.float32
    assert np.abs(found.steps.actions).max() <= 1.0
    assert np.isfinite(found.steps.returns).mean() > 0.5


def test_actions_and_setpoints_are_inverse(cloning_setup):
    _, _, demonstrator = cloning_setup
    cell = demonstrator.cell
    actions = np.linspace(-1.0, 1.0, cell.n * len(cell.terms)).reshape(cell.n, -1)
    np.testing.assert_allclose(cell.actions(cell.setpoints(actions)), actions, atol=1e-12)
    np.testing.assert_array_equal(cell.actions(cell.setpoints(actions) * 1e3 + 1e3), np.ones_like(actions))


def test_the_expert_corrects_rows_that_the_learner_drives(cloning_setup):
    _, learner, demonstrator = cloning_setup
    found = demonstrator.collect(learner, 160, 0.5, never)
    assert found.teacher_success == 1.0 and found.learner_success is not None and found.learner_success < 1.0
    # the labels of the learner's rows are the expert's for the states in which they were written
    driven_by_learner = np.arange(8) >= 4
    actions = found.steps.actions.reshape(160, 8, -1)
    assert np.abs(actions[:, driven_by_learner]).max() > 0.1


def test_observations_with_a_privileged_part_are_collected_and_learned_from():
    config = config_of("--env.kwargs.observation", "[policy, privileged]", "--demonstrations.epochs", "1")
    venv = CellVecEnv(make_cells(config, config.num_envs))
    learner, demonstrator = make_learner(config, venv), make_demonstrator(config, venv)
    found = demonstrator.collect(learner, 40, 0.5, never)
    assert set(found.steps.observations) == {"policy", "privileged"}
    joined = Demonstrations.joined([found.steps, found.steps])
    assert len(joined.observations["policy"]) == len(joined.actions) == 320
    before = error(learner, joined)
    fit_actor(learner, joined, config.demonstrations, never)
    assert error(learner, joined) < before
    venv.close()


# -- the clone ------------------------------------------------------------------------------------------------


def test_the_error_of_the_clone_falls_also_where_it_has_not_learned(cloning_setup):
    config, learner, demonstrator = cloning_setup
    seen = demonstrator.collect(learner, 160, 1.0, never).steps
    unseen = demonstrator.collect(learner, 160, 1.0, never).steps
    before = error(learner, seen), error(learner, unseen)
    std = learner.policy.log_std.detach().clone()
    fit_actor(learner, seen, config.demonstrations, never)
    assert error(learner, seen) < 0.3 * before[0] and error(learner, unseen) < 0.4 * before[1]
    assert torch.equal(std, learner.policy.log_std)


def test_least_absolute_errors_choose_what_the_expert_does_most_and_least_squares_the_mean(cloning_setup):
    config, learner, demonstrator = cloning_setup
    observations = np.repeat(demonstrator.venv.reset()[:1], 300, axis=0)
    actions = np.full((300, 6), -0.5, dtype=np.float32)
    actions[:200] = 0.5  # in one and the same place: two times out of three up, else down
    data = Demonstrations(observations, actions, np.zeros(300, dtype=np.float32))
    settings = replace(config.demonstrations, epochs=100, batch_size=300, learning_rate=Linear(3e-3, 0.0))
    found = {}
    for loss in ("squared", "absolute"):
        fit_actor(learner, data, replace(settings, loss=loss), never)
        found[loss] = learner.predict(observations[:1], deterministic=True)[0][0]
    np.testing.assert_allclose(found["squared"], 1.0 / 6.0, atol=0.03)
    np.testing.assert_allclose(found["absolute"], 0.5, atol=0.03)


def test_the_step_size_of_a_fit_follows_its_schedule(cloning_setup, monkeypatch):
    config, learner, demonstrator = cloning_setup
    data = demonstrator.collect(learner, 40, 1.0, never).steps
    rates = []
    step = torch.optim.Adam.step

    def watched(optimizer, *arguments):
        rates.append(optimizer.param_groups[0]["lr"])
        return step(optimizer, *arguments)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    settings = replace(config.demonstrations, epochs=2, batch_size=80, learning_rate=Linear(1e-3, 0.0))
    fit_actor(learner, data, settings, never)
    np.testing.assert_allclose(rates, np.linspace(1e-3, 0.0, 9)[:8], rtol=1e-6)


def test_the_critic_learns_returns_and_leaves_the_actor_alone(cloning_setup):
    config, learner, demonstrator = cloning_setup
    data = demonstrator.collect(learner, 160, 1.0, never).steps
    before = error(learner, data)
    rest = fit_critic(learner, data, replace(config.demonstrations, batch_size=128), never)
    assert rest < 0.4 * np.nanstd(data.returns)
    assert error(learner, data) == before


# -- a run ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(config_of(), tmp_path_factory.mktemp("whole"))


def test_a_run_reports_its_demonstrations_and_validates_the_clone(whole):
    assert [e["step"] for e in whole.run.evaluations()] == [0, 512]
    events = EventAccumulator(str(whole.run.path / "tensorboard"))
    events.Reload()
    figures = {tag: [e.value for e in events.Scalars(tag)] for tag in events.Tags()["scalars"] if "demonst" in tag}
    assert figures["demonstrations/steps"] == [640.0, 1280.0]
    assert figures["demonstrations/expert_success_rate"] == [1.0, 1.0]
    assert len(figures["demonstrations/action_error"]) == 2
    assert len(figures["demonstrations/value_error"]) == len(figures["demonstrations/learner_success_rate"]) == 1
    assert whole.steps == 512 and whole.seconds["demonstrations"] > 0.0 and whole.seconds["policy"] > 0.0


def test_only_the_critic_learns_at_first(tmp_path, monkeypatch):
    changed = []

    def watch(learner, learns):
        weights = [p.detach().clone() for p in cloning.actor_parameters(learner)]
        critic = [p.detach().clone() for p in cloning.critic_parameters(learner)]
        changed.append((learner.num_timesteps, weights, critic))
        let_actor_learn(learner, learns)

    monkeypatch.setattr("shopfloor.train.callbacks.let_actor_learn", watch)
    train(config_of(), tmp_path)
    for (_, actor, critic), (step, later_actor, later_critic) in itertools.pairwise(changed):
        same = all(torch.equal(a, b) for a, b in zip(actor, later_actor, strict=True))
        assert same == (step <= 256)
        assert not all(torch.equal(a, b) for a, b in zip(critic, later_critic, strict=True))


@pytest.mark.parametrize("step", [100, 350])
def test_a_run_stopped_in_its_demonstrations_or_later_reaches_the_same_end(step, whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_at(patch, step, signal.SIGTERM)
        stopped = train(config_of(), tmp_path)
    assert stopped.signal == signal.SIGTERM and stopped.run.status == "interrupted"
    assert (stopped.run.checkpoints.latest() is None) == (step == 100)
    continued = resume(stopped.run.path)
    assert continued.run.status == "finished" and digest(continued.run) == digest(whole.run)
    assert without_time(continued.run.evaluations()) == without_time(whole.run.evaluations())


def test_a_warm_start_depends_on_the_seed(whole, tmp_path):
    assert digest(train(config_of("--seed", "1"), tmp_path).run) != digest(whole.run)


# -- mistakes -------------------------------------------------------------------------------------------------


def test_errors_name_the_key():
    for words, message in (
        (["--demonstrations.beta", "1.5"], r"demonstrations\.beta must lie in \[0, 1\]"),
        (["--demonstrations.round", "3"], r"did you mean --demonstrations\.rounds"),
        (["--algorithm", "sac"], r"demonstrations\.steps needs algorithm=ppo"),
    ):
        with pytest.raises(ShopfloorError, match=message):
            config_of(*words)
    with pytest.raises(ShopfloorError, match=r"--demonstrations\.epochs has no effect"):
        main(["arm_reach_sac", "--dry-run", "--demonstrations.epochs", "3"])
    assert "--demonstrations.critic_steps" in help_text()


def test_an_expert_that_knows_what_a_policy_cannot_see_is_refused(monkeypatch):
    class Oracle:
        privileged = True

    config = config_of()
    venv = CellVecEnv(make_cells(config, 2))
    monkeypatch.setattr(type(venv.env.cell.task), "expert", lambda self: Oracle())
    with pytest.raises(ShopfloorError, match=r"demonstrations\.steps: the expert of ArmReach knows"):
        make_demonstrator(config, venv)
    venv.close()


def test_an_oracle_teaches_where_a_task_has_one():
    words = "--num-envs 4 --threads 1 --demonstrations.steps 40 --demonstrations.rounds 1 --ppo.batch_size 64"
    config = load("weld_gap_fill", parse_overrides([*words.split(), "--ppo.n_steps", "16"]))
    assert config.demonstrations.teacher == "oracle"
    venv = CellVecEnv(make_cells(config, 4))
    demonstrator = make_demonstrator(config, venv)
    oracle, said = demonstrator.teacher, []
    assert oracle.privileged and isinstance(oracle, type(venv.env.cell.task.oracle()))
    act = oracle.act
    oracle.act = lambda s, readings: said.append(act(s, readings)) or said[-1]
    found = demonstrator.collect(make_learner(config, venv), 3, 0.5, never)
    assert len(said) == 3 and found.teacher_success is None
    np.testing.assert_allclose(venv.env.cell.setpoints(found.steps.actions[:4]), said[0], rtol=1e-5, atol=1e-5)
    venv.close()
    without = config_of("--demonstrations.teacher", "oracle")
    venv = CellVecEnv(make_cells(without, 2))
    with pytest.raises(ShopfloorError, match=r"demonstrations\.teacher: ArmReach has no oracle"):
        make_demonstrator(without, venv)
    venv.close()
