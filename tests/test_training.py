from __future__ import annotations

import contextlib
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from stable_baselines3 import PPO
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from shopfloor.contract import check_compatible
from shopfloor.deploy.bundle import Bundle
from shopfloor.envs.engine.describe import contract_of, fingerprint
from shopfloor.envs.randomization import load_spec
from shopfloor.envs.randomization.curriculum import Linear
from shopfloor.envs.registry import make_task, make_vector_env
from shopfloor.errors import ShopfloorError
from shopfloor.train.__main__ import main
from shopfloor.train.config_file import load, parse_overrides
from shopfloor.train.export import export_run
from shopfloor.train.learner import make_cells, make_learner
from shopfloor.train.policy import ChannelNormalizer, normalization
from shopfloor.train.progress import Lines, duration, short
from shopfloor.train.run_dir import RunDir
from shopfloor.train.runner import train
from shopfloor.train.sb3_adapter import CellVecEnv
from shopfloor.train.statistics import metric_tag
from shopfloor.train.validation import Validation, Validator

SMALL = (
    "--num-envs 4 --threads 1 --network.sizes 16,8 --evaluation.episodes 3 --ppo.n_steps 160 --ppo.batch_size 320 "
    "--ppo.n_epochs 2 --total-steps 1280 --evaluation.every-steps 640 --checkpoint.every-steps 640 --name try"
)


def config_of(*words: str, target: str = "arm_reach_position") -> Any:
    return load(target, parse_overrides([*SMALL.split(), *words]))


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[RunDir, str]:
    """A run trained through the command line, and what it printed."""
    root = tmp_path_factory.mktemp("runs")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["arm_reach_position", "--runs", str(root), *SMALL.split(), "--seed", "3"]) == 0
    (config,) = root.glob("ArmReach-v0/ppo/*_try_s3_*/config.yaml")
    return RunDir(config.parent), printed.getvalue()


# -- run directory --------------------------------------------------------------------------------------------


def test_a_run_directory_holds_config_manifest_and_status(finished):
    run, printed = finished
    assert run.path.name.endswith(run.config.digest()) and run.status == "finished"
    assert run.config == config_of("--seed", "3")
    manifest = run.manifest()
    task = make_task("ArmReach-v0", goal="position")
    assert manifest["environment"] == {"id": "shopfloor/ArmReach-v0", "fingerprint": fingerprint(task)}
    assert manifest["seeds"]["training_rows"] == [3000, 3003]
    assert manifest["seeds"]["validation"] == [2_000_000, 2_000_002]
    assert {"python", "mujoco", "gymnasium", "stable-baselines3", "torch", "numpy"} <= manifest["versions"].keys()
    assert manifest["machine"]["cores"] >= 1 and manifest["shopfloor"]
    assert f"run: {run.path}" in printed and printed.rstrip().endswith(f"next: shopfloor export {run.path}")


def test_validations_are_appended_and_the_best_is_kept(finished):
    run, _ = finished
    lines = run.evaluations()
    assert [e["step"] for e in lines] == [640, 1280] and all(e["episodes"] == 3 for e in lines)
    best = json.loads((run.path / "best" / "evaluation.json").read_text())
    assert {k: best[k] for k in ("step", "successes")} in [{k: e[k] for k in ("step", "successes")} for e in lines]
    assert [p.name for p in sorted(run.checkpoints.folder.glob("step_*"))] == ["step_0000000640", "step_0000001280"]


def test_curves_carry_success_reward_terms_metrics_and_speed(finished):
    run, _ = finished
    events = EventAccumulator(str(run.path / "tensorboard"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    assert {
        "rollout/success_rate",
        "rollout/return",
        "speed/steps_per_s",
        "speed/env_share",
        "speed/update_share",
    } <= tags
    assert {f"reward/{name}" for name in make_task("ArmReach-v0", goal="position").rewards} <= tags
    assert {"metrics/position_error_mm", "metrics/path_ratio", "evaluation/success_rate", "train/value_loss"} <= tags
    # the terms of a step sum to its reward, so their means sum to the return over the length
    first = {tag: events.Scalars(tag)[0].value for tag in tags if tag.startswith(("reward/", "rollout/"))}
    steps = first["rollout/length_s"] * 50
    total = sum(value for tag, value in first.items() if tag.startswith("reward/"))
    assert total == pytest.approx(first["rollout/return"] / steps, rel=0.2)


def test_the_best_policy_loads_and_acts_like_the_saved_model(finished):
    run, _ = finished
    policy = run.load_learner("best").policy
    model = PPO.load(run.model_path("best"), device="cpu")
    env = make_cells(run.config, 4)
    observation, _ = env.reset(seed=0)
    ours, _ = policy.predict(observation, deterministic=True)
    theirs, _ = model.predict(observation, deterministic=True)
    assert np.array_equal(ours, theirs) and np.abs(ours).max() <= 1.0
    with pytest.raises(ShopfloorError, match="best or latest"):
        run.load_learner("worst")


def test_a_policy_of_another_network_or_a_damaged_one_is_refused(finished, tmp_path):
    run, _ = finished
    text = run.config.to_yaml()
    for folder, config in (("other", text.replace("sizes: [16, 8]", "sizes: [16, 9]")), ("torn", text)):
        (tmp_path / folder / "best").mkdir(parents=True)
        (tmp_path / folder / "config.yaml").write_text(config)
        data = run.model_path().read_bytes()
        (tmp_path / folder / "best" / "model.zip").write_bytes(data if folder == "other" else data[: len(data) // 2])
        with pytest.raises(ShopfloorError, match="cannot load the policy"):
            RunDir(tmp_path / folder).load_learner()
    with pytest.raises(ShopfloorError, match="has no latest policy yet"):
        RunDir(tmp_path / "torn").load_learner("latest")


# -- randomization --------------------------------------------------------------------------------------------


def test_training_and_validation_draw_from_the_chosen_split_and_it_is_recorded(tmp_path):
    words = "--num-envs 4 --threads 1 --ppo.n_steps 16 --ppo.batch_size 64 --total-steps 64 --evaluation.episodes 2"
    config = load("ArmReach-v0", parse_overrides([*words.split(), "randomization.split=train"]))
    run = train(config, tmp_path).run
    spec = load_spec("arm_reach")
    recorded = {"split": "train", "spec": "arm_reach", "hash": spec.hash, "curriculum": "fixed"}
    assert run.manifest()["randomization"] == recorded
    for cells in (make_cells(config, 2), Validator(config).env):
        _, info = cells.reset(seed=0)
        assert set(info["randomization"]["split"]) == {"train"}
        assert set(info["randomization"]["spec"]) == {spec.hash}
    folder, _ = export_run(run.path)
    contract = Bundle.load(folder).contract
    assert contract.provenance.randomization == recorded
    # a machine is what the policy meets, not what it asks for
    task = make_task("ArmReach-v0")
    assert "randomization" not in contract.task_kwargs and contract.fingerprint == fingerprint(task)
    assert check_compatible(contract, contract_of(task, "shopfloor/ArmReach-v0")) == []


def test_a_curriculum_hears_of_every_finished_episode_and_is_drawn(tmp_path, monkeypatch):
    heard = []
    update = Linear.update
    monkeypatch.setattr(Linear, "update", lambda self, finished: heard.append(finished) or update(self, finished))
    words = (
        "--num-envs 4 --threads 1 --ppo.n_steps 160 --ppo.batch_size 320 --ppo.n_epochs 1 --total-steps 1280 "
        "--evaluation.episodes 2 randomization.split=train randomization.curriculum.kind=linear "
        "randomization.curriculum.linear.until=1"
    )
    run = train(load("ArmReach-v0", parse_overrides(words.split())), tmp_path).run
    assert run.manifest()["randomization"]["curriculum"] == "linear"
    events = EventAccumulator(str(run.path / "tensorboard"))
    events.Reload()
    # at the beginning of every rollout and at the end
    assert [round(e.value, 6) for e in events.Scalars("curriculum/share")] == [0.5, 0.5]
    spec, seen = load_spec("arm_reach"), set()
    for finished in heard:
        seen |= set(zip(finished.seeds.tolist(), finished.episodes.tolist(), strict=True))
        assert finished.success.dtype == np.bool_ and finished.versions.shape == finished.seeds.shape
        for name, value in finished.values.items():
            assert value.shape[0] == finished.seeds.size and value.ndim == 2, name
    # 1,280 steps of 4 rows are two whole episodes of each; the first was drawn while every range was a point
    assert seen == {(seed, episode) for seed in range(4) for episode in (0, 1)}
    payload = np.concatenate([f.values["payload"][f.episodes == 0].ravel() for f in heard])
    assert (payload == spec.term("payload").nominal).all() and payload.size == 4


def test_a_nominal_run_says_so(finished):
    run, _ = finished
    assert run.manifest()["randomization"] == {"split": "nominal"}


def test_a_policy_may_observe_the_randomization():
    words = "--num-envs 2 --ppo.n_steps 8 --ppo.batch_size 16 --total-steps 16 --threads 1 randomization.split=train"
    privileged = "--env.kwargs.observation policy,privileged"
    config = load("wafer_transfer", parse_overrides([*words.split(), *privileged.split()]))
    venv = CellVecEnv(make_cells(config, 2))
    make_learner(config, venv).learn(16)
    width = venv.env.cell.randomizer.width
    scale = normalization(venv.env.cell, venv.env.groups, venv.observation_space)["privileged"][1]
    assert width > 10 and scale[-width:] == [1.0] * width


# -- command line ---------------------------------------------------------------------------------------------


def test_a_dry_run_prints_the_resolved_config_and_trains_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["ArmReach-v0", "--dry-run", "--ppo.gamma", "0.5"]) == 0
    out = capsys.readouterr().out
    Path("again.yaml").write_text(out)
    assert load("again.yaml") == load("ArmReach-v0", {"ppo": {"gamma": 0.5}})
    assert not Path("runs").exists()


def test_help_lists_every_option(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert "--ppo.learning_rate" in out and "arm_reach_position" in out and "--resume RUN" in out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--seed", "1"], "the first argument is an environment id or a config"),
        (["ArmReach-v0", "--sac.tau", "0.1"], "--sac.tau has no effect: the algorithm is ppo"),
        (
            ["ArmReach-v0", "randomization.split=train", "randomization.curriculum.adr.step=0.2"],
            "randomization.curriculum.adr.step has no effect: the algorithm is ppo, the curriculum fixed",
        ),
        (
            ["arm_reach_forces", "randomization.curriculum.kind=adr"],
            "'arm_reach_forces' has no term that the curriculum adr could adapt",
        ),
        (["ArmReach-v0", "--env.kwargs.gaol", "pose"], "takes no argument 'gaol'; did you mean 'goal'?"),
        (["ArmReach-v0", "--env.kwargs.goal", "5"], "goal must be one of pose, position, got 5"),
        (["--resume"], "--resume needs a value"),
        (["--resume", "a", "b"], "takes one run directory"),
    ],
)
def test_a_wrong_command_line_is_one_clear_error(words, part, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ShopfloorError) as caught:
        main(words)
    assert part in str(caught.value)
    assert not Path("runs").exists()  # nothing is left behind


# -- normalization --------------------------------------------------------------------------------------------


def test_the_normalizer_is_the_affine_map_that_the_channels_declare():
    env = make_vector_env("ArmReach-v0", 2)
    space = env.single_observation_space
    extractor = ChannelNormalizer(space, normalization(env.cell, env.groups, space))
    observation = env.reset(seed=0)[0]
    offset = np.concatenate([np.tile(c.normalization[0], c.history) for c in env.task.channels])
    scale = np.concatenate([np.tile(c.normalization[1], c.history) for c in env.task.channels])
    expected = (observation - offset.astype(np.float32)) / scale.astype(np.float32)
    assert np.array_equal(extractor(torch.as_tensor(observation)).numpy(), expected.astype(np.float32))
    assert list(extractor.parameters()) == [] and len(extractor.state_dict()) == 2


def test_resolutions_are_clipped_copies_of_the_normalized_reading():
    space = spaces.Box(-10.0, 10.0, (2,), np.float32)
    extractor = ChannelNormalizer(space, {"": ([1.0, 0.0], [2.0, 1.0])}, (1.0, 10.0))
    features = extractor(torch.tensor([[1.1, 7.0]]))
    assert features.shape == (1, extractor.features_dim)
    np.testing.assert_allclose(features.numpy(), [[0.05, 7.0, 0.5, 1.0]], rtol=1e-5)


def test_dict_observations_are_normalized_and_joined():
    env = make_vector_env("WaferTransfer-v0", 2, observation=("policy", "privileged"))
    space = env.single_observation_space
    assert isinstance(space, spaces.Dict)
    extractor = ChannelNormalizer(space, normalization(env.cell, env.groups, space))
    observation = {k: torch.as_tensor(v) for k, v in env.reset(seed=0)[0].items()}
    features = extractor(observation)
    assert features.shape == (2, extractor.features_dim) and extractor.features_dim == sum(
        v.shape[1] for v in observation.values()
    )
    with pytest.raises(ValueError, match="normalization of"):
        ChannelNormalizer(space, {"policy": ([0.0], [1.0])})


@pytest.mark.parametrize("target", ["arm_reach", "arm_reach_sac"])
def test_goal_conditioned_observations_train(target):
    words = ["--num-envs", "2", "--env.kwargs.goal_conditioned", "true", "--total-steps", "100"]
    words += ["--ppo.n_steps", "16", "--ppo.batch_size", "16", "--sac.learning_starts", "20", "--threads", "1"]
    config = load(target, parse_overrides(words))
    venv = CellVecEnv(make_cells(config, 2))
    learner = make_learner(config, venv)
    before = [p.clone() for p in learner.policy.parameters()]
    learner.learn(64)
    assert any(not torch.equal(a, b) for a, b in zip(before, learner.policy.parameters(), strict=True))
    assert [int(s) for s in venv.env.cell.s.seed] == [0, 1]


HINDSIGHT = "--num-envs 2 --threads 1 --env.kwargs.max_episode_steps 20 --network.sizes 16 --sac.buffer_size 200"


def test_hindsight_learns_from_goals_that_were_reached_later():
    words = f"{HINDSIGHT} --sac.learning_starts 42 --sac.batch_size 64"
    config = load("arm_pick_place_her", parse_overrides(words.split()))
    learner = make_learner(config, CellVecEnv(make_cells(config, 2)))
    before = [p.clone() for p in learner.policy.parameters()]
    learner.learn(120)
    assert any(not torch.equal(a, b) for a, b in zip(before, learner.policy.parameters(), strict=True))
    batch = learner.replay_buffer.sample(200)
    same = batch.observations["desired_goal"][:, :3] - batch.next_observations["desired_goal"][:, :3]
    assert not same.any() and set(batch.rewards.flatten().tolist()) <= {-1.0, 0.0}
    at_rest = batch.rewards.flatten() == 0.0  # the part has not moved: its place is the goal that was reached
    assert 0.5 < at_rest.float().mean() < 0.95, "four out of five are judged by a goal of their own episode"


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("--sac.learning_starts 40", r"sac\.learning_starts=40.*num_envs \* steps of an episode = 40"),
        ("--env.kwargs.goal_conditioned false", r"sac\.hindsight=4: .*ArmPickPlace-v0 sets no goals"),
    ],
)
def test_hindsight_says_what_it_needs(words: str, part: str):
    config = load("arm_pick_place_her", parse_overrides([*HINDSIGHT.split(), *words.split()]))
    venv = CellVecEnv(make_cells(config, 2))
    with pytest.raises(ShopfloorError, match=part):
        make_learner(config, venv)
    venv.close()


# -- validation -----------------------------------------------------------------------------------------------


class Still:
    """A learner whose policy does nothing."""

    num_timesteps = 7

    def predict(self, observation: Any, deterministic: bool) -> tuple[Any, None]:
        assert deterministic
        return np.zeros((len(observation), 6), np.float32), None


def test_every_held_out_seed_is_played_once_and_to_its_end(monkeypatch):
    """Equal to single episodes of the same seeds, although rows finish at different times and rounds are uneven."""
    monkeypatch.setattr("shopfloor.train.validation.MOST_ROWS", 4)
    config = config_of("--evaluation.episodes", "6")
    result = Validator(config)(Still())
    env = make_vector_env("ArmReach-v0", 1, goal="position", autoreset_mode=AutoresetMode.DISABLED)
    successes, returns = 0, []
    for i in range(6):
        env.reset(seed=2_000_000 + i)
        total, done = 0.0, np.array([False])
        while not done[0]:
            _, reward, terminated, truncated, info = env.step(np.zeros((1, 6)))
            total += reward[0]
            done = terminated | truncated
        returns.append(total)
        successes += int(info["is_success"][0])
    assert result.episodes == 6 and result.successes == successes and result.step == 7
    assert result.mean_return == pytest.approx(np.mean(returns), abs=1e-12)


def test_a_stopped_validation_has_no_result():
    assert Validator(config_of(), stopped=lambda: True)(Still()) is None


def validation(successes: int, time_s: float, lower: bool = True) -> Validation:
    return Validation(0, 10, successes, 0.0, {"t": time_s}, 0.0, "t", lower)


def test_policies_rank_by_success_then_by_the_main_metric():
    ranked = [validation(0, math.nan), validation(8, 0.1), validation(9, 2.0), validation(9, 1.0)]
    assert sorted(ranked, key=lambda v: v.rank) == ranked
    assert validation(5, 2.0, lower=False).rank > validation(5, 1.0, lower=False).rank
    assert validation(0, math.nan).record()["median_metrics_of_successes"] == {"t": None}


# -- display --------------------------------------------------------------------------------------------------


def test_lines_come_every_ten_seconds_with_the_time_left(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr("shopfloor.train.progress.time.monotonic", lambda: now[0])
    lines = Lines(total=1_000_000, step=100_000)
    for now[0], step in ((105.0, 150_000), (110.0, 200_000), (115.0, 250_000)):
        lines.update(step, 10_000.0, 0.875, -3.25)
    assert capsys.readouterr().out == " 20%  200k steps  10k steps/s  success 88%  return -3.25  0:01:20 left\n"


def test_numbers_are_short_and_units_are_in_tags():
    assert [short(x) for x in (999, 12_345, 1_234_567)] == ["999", "12.3k", "1.23M"]
    assert duration(3723.4) == "1:02:03"
    assert metric_tag("metrics", "peak_jerk", "m/s^3") == "metrics/peak_jerk_m_per_s3"
    assert metric_tag("metrics", "ratio", "1") == "metrics/ratio"
