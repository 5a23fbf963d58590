from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from stable_baselines3.common.utils import set_random_seed

from shopfloor.errors import ShopfloorError
from shopfloor.train.checkpoint import Checkpoints
from shopfloor.train.config_file import load, parse_overrides
from shopfloor.train.run_dir import RunDir
from shopfloor.train.runner import TrainResult, resume, train
from shopfloor.train.sb3_adapter import CellVecEnv
from shopfloor.train.state_file import load_state, save_state

SMALL = (
    "--num-envs 4 --threads 1 --network.sizes 16 --env.kwargs.goal position --evaluation.episodes 2 "
    "--evaluation.every-steps 400 --checkpoint.every-steps 300 "
)
PPO = SMALL + "--ppo.n_steps 32 --ppo.batch_size 64 --ppo.n_epochs 2 --total-steps 1000"
SAC = SMALL + "--sac.learning_starts 100 --sac.batch_size 32 --sac.buffer_size 500 --total-steps 700"
RANDOM = PPO + (
    " randomization.split=train randomization.curriculum.kind=doraemon"
    # so that the ranges move often in so short a run
    " randomization.curriculum.doraemon.episodes=2 randomization.curriculum.doraemon.success=0"
    " --env.kwargs.max_episode_steps 20"
)
FORCES = SAC + (" randomization.split=train randomization.spec=arm_reach_forces randomization.curriculum.kind=linear")
HER = SAC.replace("learning_starts 100", "learning_starts 120") + (
    " --env.kwargs.goal_conditioned true --env.kwargs.max_episode_steps 25 --sac.hindsight 4"
)
SDE = PPO + " --ppo.use_sde true --ppo.sde_sample_freq 8"
CONFIGS = {
    "ppo": ("arm_reach", PPO),
    "ppo_sde": ("arm_reach", SDE),
    "ppo_doraemon": ("arm_reach", RANDOM),
    "sac": ("arm_reach_sac", SAC),
    "sac_hindsight": ("arm_reach_sac", HER),
    "sac_linear_forces": ("arm_reach_sac", FORCES),
}


def config_of(algorithm: str):
    name, words = CONFIGS[algorithm]
    return load(name, parse_overrides(words.split()))


def digest(run: RunDir) -> str:
    """Of the last policy with its optimizers, the environment, the generators and the replay buffer."""
    folder = run.checkpoints.latest()
    assert folder is not None
    sha = hashlib.sha256()
    for value in run.load_learner("latest").policy.state_dict().values():
        sha.update(value.numpy().tobytes())
    state = load_state(folder / "state.npz")
    del state["episodes"], state["extra"]["milestones"]["trained_s"]  # wall clock

    def add(value) -> None:
        if isinstance(value, dict):
            for key in sorted(value, key=str):
                sha.update(str(key).encode())
                add(value[key])
        elif isinstance(value, (list, tuple)):
            for item in value:
                add(item)
        else:
            sha.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())

    add(state)
    return sha.hexdigest()


def without_time(evaluations: list[dict]) -> list[dict]:
    return [{k: v for k, v in e.items() if k not in ("seconds", "trained_s")} for e in evaluations]


ALWAYS = ("ppo_doraemon", "sac_linear_forces")  # both algorithms, with a curriculum; the others are slow tests


@pytest.fixture(scope="module", params=[n if n in ALWAYS else pytest.param(n, marks=pytest.mark.slow) for n in CONFIGS])
def uninterrupted(request, tmp_path_factory) -> tuple[str, TrainResult]:
    return request.param, train(config_of(request.param), tmp_path_factory.mktemp("whole"))


def interrupt_at(monkeypatch, step: int, number: int) -> None:
    """Let a signal arrive in the middle of a rollout."""
    plain, count = CellVecEnv.step_wait, [0]

    def step_wait(self):
        count[0] += 1
        if count[0] == step:
            signal.raise_signal(number)
        return plain(self)

    monkeypatch.setattr(CellVecEnv, "step_wait", step_wait)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_stopped_and_continued_run_equals_one_that_was_never_stopped(uninterrupted, number, monkeypatch, tmp_path):
    algorithm, whole = uninterrupted
    with monkeypatch.context() as patch:
        interrupt_at(patch, 117, number)
        stopped = train(config_of(algorithm), tmp_path)
    assert stopped.signal == number and stopped.run.status == "interrupted"
    assert stopped.steps < whole.steps
    # another process would start with other generators
    set_random_seed(99)
    continued = resume(stopped.run.path)
    assert continued.signal is None and continued.run.status == "finished" and continued.steps == whole.steps
    assert digest(continued.run) == digest(whole.run)
    assert without_time(continued.run.evaluations()) == without_time(whole.run.evaluations())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if algorithm == "ppo_doraemon":
        saved = load_state(whole.run.checkpoints.latest() / "state.npz")["extra"]["curriculum"]
        assert saved["curriculum"]["version"] > 8 and saved["versions"].min() > 8


def test_a_killed_run_continues_from_its_last_checkpoint(uninterrupted, monkeypatch, tmp_path):
    algorithm, whole = uninterrupted

    class Killed(BaseException):
        pass

    def kill(self, learner, extra):
        path = plain(self, learner, extra)
        if learner.num_timesteps > 300:
            raise Killed
        return path

    plain = Checkpoints.save
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", kill)
        with pytest.raises(Killed):
            train(config_of(algorithm), tmp_path)
    (config,) = tmp_path.glob("*/*/*/config.yaml")
    # validations and curves after the checkpoint belong to steps that are trained again
    with (config.parent / "evaluations.jsonl").open("a") as file:
        file.write('{"step": 600, "success_rate": 1.0}\n')
    continued = resume(config.parent)
    assert digest(continued.run) == digest(whole.run)
    assert without_time(continued.run.evaluations()) == without_time(whole.run.evaluations())
    assert len(continued.run.manifest()["resumed"]) == 1


def test_a_run_is_a_function_of_its_seed(tmp_path):
    words = PPO.replace("--total-steps 1000", "--total-steps 256").split()
    digests = [
        digest(train(load("arm_reach", parse_overrides([*words, "--seed", seed])), tmp_path).run) for seed in "112"
    ]
    assert digests[0] == digests[1] != digests[2]


def test_sigterm_ends_the_command_with_143_and_resume_finishes_it(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "shopfloor.train", "arm_reach", "--runs", str(tmp_path), *PPO.split()]
    command[command.index("--total-steps") + 1] = "100000000"
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("*/*/*/checkpoints/LATEST")) and time.monotonic() < deadline:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 143, err
    (latest,) = tmp_path.glob("*/*/*/checkpoints/LATEST")
    run = latest.parent.parent
    assert f"shopfloor resume {run}" in out and "stopping after this update" in err
    assert (run / "STATUS").read_text() == "interrupted\n"
    # shorten what is left, so that continuing ends soon
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("total_steps: 100000000", "total_steps: 1"))
    done = subprocess.run(
        [sys.executable, "-m", "shopfloor", "resume", str(run)],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"next: shopfloor export {run}" in done.stdout


def test_a_run_continues_only_under_the_randomization_in_which_it_began(tmp_path, monkeypatch):
    spec = tmp_path / "mine.yaml"
    text = "terms: {load: {effect: mass, target: {body: wrist_3}, distribution: {uniform: [0.9, 1.1]}}}\n"
    spec.write_text(text)
    monkeypatch.chdir(tmp_path)
    words = [*PPO.split(), "randomization.split=train", "randomization.spec=mine.yaml"]
    with monkeypatch.context() as patch:
        interrupt_at(patch, 1, signal.SIGTERM)
        run = train(load("arm_reach", parse_overrides(words)), "runs").run
    path = run.path.resolve()
    # a relative path means the same from everywhere
    monkeypatch.chdir("/")
    spec.write_text(text.replace("1.1", "1.2"))
    with pytest.raises(ShopfloorError, match=r"the randomization has changed since .* split train spec mine hash"):
        resume(path)
    spec.write_text(text)
    assert resume(path).run.status == "finished"


# -- mistakes -------------------------------------------------------------------------------------------------


def test_what_cannot_be_continued_says_why(uninterrupted, tmp_path):
    _, whole = uninterrupted
    with pytest.raises(ShopfloorError, match="is finished: nothing is left to train"):
        resume(whole.run.path)
    with pytest.raises(ShopfloorError, match=r"is no run directory: it has no config\.yaml"):
        resume(tmp_path)


def test_a_run_that_is_being_trained_cannot_be_continued(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_at(patch, 1, signal.SIGTERM)
        run = train(config_of("ppo"), tmp_path).run
    with run.claimed(), pytest.raises(ShopfloorError, match="being trained by another process"):
        resume(run.path)
    manifest = run.manifest()
    manifest["environment"]["fingerprint"] = "0" * 64
    run.write_manifest(manifest)
    with pytest.raises(ShopfloorError, match="has changed since"):
        resume(run.path)
    state = run.checkpoints.latest() / "state.npz"
    state.write_bytes(state.read_bytes()[:1000])
    manifest["environment"]["fingerprint"] = resumed_fingerprint(run)
    run.write_manifest(manifest)
    with pytest.raises(ShopfloorError, match="cannot read the saved state"):
        resume(run.path)


def resumed_fingerprint(run: RunDir) -> str:
    from shopfloor.envs.engine.describe import fingerprint
    from shopfloor.envs.registry import make_task

    return fingerprint(make_task(run.config.env.id, **run.config.env.kwargs))


# -- parts ----------------------------------------------------------------------------------------------------


def test_a_state_file_gives_back_types_and_bits(tmp_path):
    state = {
        "array": np.array([1.0, np.nan, -0.0], np.float32),
        "empty": np.zeros((0, 3), np.int16),
        "flags": np.array([True, False]),
        "text": np.array(["a", "bc"]),
        "nested": [None, True, 3, 2**100, 0.1, float("-inf"), "x", (1, [2, ()])],
        7: {"key of another kind": np.float64(1 / 3)},
    }
    save_state(tmp_path / "s.npz", state)
    back = load_state(tmp_path / "s.npz")
    for key in ("array", "empty", "flags", "text"):
        assert back[key].dtype == state[key].dtype and back[key].tobytes() == state[key].tobytes()
    assert back["nested"] == state["nested"] and type(back["nested"][7]) is tuple
    assert back[7] == {"key of another kind": 1 / 3}
    for bad in ({"x": object()}, {"x": np.array([object()])}):
        with pytest.raises(TypeError, match="cannot"):
            save_state(tmp_path / "bad.npz", bad)


def test_an_interrupted_save_leaves_the_previous_checkpoint(tmp_path):
    class Learner:
        num_timesteps = 5

        def save(self, path: Path) -> None:
            raise OSError("disk full")

    checkpoints = Checkpoints(tmp_path, keep=2)
    (tmp_path / "step_0000000003").mkdir()
    with pytest.raises(OSError, match="disk full"):
        checkpoints.save(Learner(), OrderedDict())
    assert checkpoints.latest() == tmp_path / "step_0000000003"
