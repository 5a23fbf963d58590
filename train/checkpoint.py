"""Checkpoints from which training continues bit for bit, and the policies a run leaves behind.

A checkpoint is `model.zip`, which `PPO.load` and `SAC.load` read, and `state.npz`: the generators of Python, numpy,
torch and the action space, the environment with its sensors and counters, the replay buffer, and the learner's
own counters. Continuing rebuilds the learner from the run's config and fills it from these, without unpickling.

Exact on CPU with the same number of threads and the same versions; on a GPU the continuation is only statistically
equal. `model.zip` holds pickled data that `PPO.load` executes: treat a stranger's checkpoint like a stranger's code.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from ..errors import ShopfloorError
from .learner import Learner
from .sb3_adapter import CellVecEnv
from .state_file import load_state, save_state

MODEL = "model.zip"
STATE = "state.npz"
LATEST = "LATEST"
_COUNTERS = ("num_timesteps", "_total_timesteps", "_episode_num", "_n_updates", "_current_progress_remaining")
_BUFFER_ARRAYS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
_EPISODE_ARRAYS = ("ep_start", "ep_length")  # where the episode of a transition begins, and how long it is


# -- the learner's state --------------------------------------------------------------------------------------


def learner_state(learner: Learner) -> dict[str, Any]:
    """Everything that the future of training depends on and `model.zip` does not give back by itself."""
    assert isinstance(learner.env, CellVecEnv)
    state: dict[str, Any] = {
        "counters": {name: getattr(learner, name) for name in _COUNTERS},
        "last_observation": learner._last_obs,
        "last_episode_starts": learner._last_episode_starts,
        "episodes": [list(learner.ep_info_buffer or ()), [bool(x) for x in learner.ep_success_buffer or ()]],
        "env": learner.env.get_state(),
        "random": {
            "python": random.getstate(),
            "numpy": np.random.get_state(),  # noqa: NPY002 (SB3 draws from this one)
            "torch": torch.get_rng_state().numpy(),
            "actions": learner.action_space.np_random.bit_generator.state,
        },
    }
    if learner.use_sde:
        noise: Any = learner.policy.action_dist
        state["exploration"] = [x.detach().cpu().numpy() for x in (noise.exploration_mat, noise.exploration_matrices)]
    if isinstance(learner, OffPolicyAlgorithm):
        log_ent_coef = getattr(learner, "log_ent_coef", None)
        state["log_ent_coef"] = None if log_ent_coef is None else log_ent_coef.detach().cpu().numpy()
        state["replay"] = _replay_state(learner.replay_buffer)
    return state


def restore_learner(learner: Learner, folder: Path) -> dict[str, Any]:
    """Bring a fresh learner of the same config to the state of a checkpoint; returns the checkpoint's extra state.

    Raises:
        ShopfloorError: if the checkpoint is damaged or belongs to another network.
    """
    state: dict[str, Any] = load_state(folder / STATE)
    load_weights(learner, folder / MODEL)
    for name, value in state["counters"].items():
        setattr(learner, name, value)
    learner._last_obs = state["last_observation"]
    learner._last_episode_starts = state["last_episode_starts"]
    window = learner._stats_window_size
    learner.ep_info_buffer, learner.ep_success_buffer = (deque(x, maxlen=window) for x in state["episodes"])
    assert isinstance(learner.env, CellVecEnv)
    learner.env.set_state(state["env"])
    if isinstance(learner, OffPolicyAlgorithm):
        log_ent_coef = getattr(learner, "log_ent_coef", None)
        if log_ent_coef is not None:
            log_ent_coef.data.copy_(torch.as_tensor(state["log_ent_coef"]))
        _restore_replay(learner.replay_buffer, state["replay"])
    if learner.use_sde:
        _restore_exploration(learner, state["exploration"])
    generators = state["random"]
    random.setstate(generators["python"])
    np.random.set_state(generators["numpy"])  # noqa: NPY002
    torch.set_rng_state(torch.as_tensor(generators["torch"]))
    learner.action_space.np_random.bit_generator.state = generators["actions"]
    extra: dict[str, Any] = state["extra"]
    return extra


def _restore_exploration(learner: Learner, saved: list[np.ndarray[Any, Any]]) -> None:
    """Put exploration matrices back when the next rollout begins.

    SB3 draws them at the very beginning of a rollout, before a checkpoint can be written; so the first draw after a
    continuation must not happen: its numbers are those of the checkpoint, and the generator is beyond them already.
    """
    policy: Any = learner.policy
    noise = policy.action_dist

    def put_back(n_envs: int = 1) -> None:
        del policy.reset_noise  # the method itself shows again
        noise.exploration_mat, noise.exploration_matrices = (torch.as_tensor(x) for x in saved)

    policy.reset_noise = put_back


def load_weights(learner: Learner, path: Path) -> None:
    """Networks and optimizers of a learner from a `model.zip`, read as plain tensors.

    Raises:
        ShopfloorError: if the file is missing, damaged, or of another network.
    """
    try:
        learner.set_parameters(str(path), exact_match=True, device=learner.device)
    except Exception as error:  # SB3 lets out whatever zipfile, torch and its own checks raise
        reason = " ".join(str(error).split())[:300]
        raise ShopfloorError(f"cannot load the policy {path}: {reason}") from error


def _replay_state(buffer: ReplayBuffer | None) -> dict[str, Any]:
    assert buffer is not None
    filled = buffer.buffer_size if buffer.full else buffer.pos

    def used(value: Any) -> Any:
        return {k: v[:filled] for k, v in value.items()} if isinstance(value, dict) else value[:filled]

    names = (*_BUFFER_ARRAYS, *(_EPISODE_ARRAYS if isinstance(buffer, HerReplayBuffer) else ()))
    state = {"pos": buffer.pos, "full": buffer.full, "arrays": {name: used(getattr(buffer, name)) for name in names}}
    if isinstance(buffer, HerReplayBuffer):
        state["began"] = buffer._current_ep_start
    return state


def _restore_replay(buffer: ReplayBuffer | None, state: Mapping[str, Any]) -> None:
    assert buffer is not None
    buffer.pos, buffer.full = state["pos"], state["full"]
    for name, saved in state["arrays"].items():
        target = getattr(buffer, name)
        parts = saved.items() if isinstance(saved, dict) else [(None, saved)]
        for key, values in parts:
            (target if key is None else target[key])[: len(values)] = values
    if isinstance(buffer, HerReplayBuffer):
        buffer._current_ep_start = np.array(state["began"])


# -- folders --------------------------------------------------------------------------------------------------


class Checkpoints:
    """The checkpoints of a run: written whole or not at all, the newest `keep` of them kept.

    Args:
        folder: `checkpoints/` of the run.
        keep: how many to keep.
    """

    def __init__(self, folder: Path, keep: int):
        self.folder = folder
        self.keep = keep

    def save(self, learner: Learner, extra: Mapping[str, Any]) -> Path:
        """Write a checkpoint of the present state and point LATEST to it; returns its folder."""
        name = f"step_{learner.num_timesteps:010d}"
        draft = self.folder / f".{name}.tmp"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        learner.save(draft / MODEL)
        save_state(draft / STATE, {**learner_state(learner), "extra": dict(extra)})
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        draft.replace(target)
        write_atomically(self.folder / LATEST, f"{name}\n")
        for old in self._all()[: -self.keep]:
            shutil.rmtree(old, ignore_errors=True)
        return target

    def latest(self) -> Path | None:
        """The newest checkpoint; None where there is none."""
        pointer = self.folder / LATEST
        if pointer.is_file():
            named = self.folder / pointer.read_text().strip()
            if named.is_dir():
                return named
        found = self._all()  # a crash between the folder and the pointer leaves the folder whole
        return found[-1] if found else None

    def _all(self) -> list[Path]:
        return sorted(p for p in self.folder.glob("step_*") if p.is_dir())


def write_atomically(path: Path, text: str) -> None:
    """Replace a text file in one step, so that a reader or a crash never meets half of it."""
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)
