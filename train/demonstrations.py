"""Rollouts of a task's scripted expert on the machines of a run, as data to learn from.

The expert says at every step what it would do there; who drives a row, the expert or the learner, is another matter.
Rows that the learner drives show where its own mistakes lead, and what the expert does about them (DAgger, Ross, Gordon
and Bagnell 2011, https://arxiv.org/abs/1011.0686).

The task's oracle can teach in its place. It knows what the policy cannot see, so that the clone learns the mean of what
the oracle does where things look alike, and the observation has to tell machines apart (D. Chen, B. Zhou, V. Koltun and
P. Krähenbühl, "Learning by cheating", CoRL 2019, https://arxiv.org/abs/1912.12294).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO

from ..errors import ShopfloorError
from .config import TrainConfig
from .sb3_adapter import CellVecEnv

Array = NDArray[np.float32]


@dataclass
class Demonstrations:
    """Steps of some rounds, k in all.

    Attributes:
        observations: (k, width) in physical units, or a dictionary of such arrays, as the policy takes them.
        actions: (k, size) what the teacher does there, in [-1, 1]; or (k,) the numbers of what it decides there.
        returns: (k,) discounted sum of the rewards from there to the end of the episode, under whoever drove; NaN where
            the round was over before the episode. One that the time limit ends counts as ended.
    """

    observations: Any
    actions: Any
    returns: Array

    @classmethod
    def joined(cls, parts: Sequence[Demonstrations]) -> Demonstrations:
        """All steps of several rounds."""
        return cls(
            concatenated([p.observations for p in parts]),
            np.concatenate([p.actions for p in parts]),
            np.concatenate([p.returns for p in parts]),
        )


@dataclass(frozen=True)
class Round:
    """What a round gave.

    Attributes:
        steps: its demonstrations.
        teacher_success, learner_success: share of successful episodes by who drove; None where none ended.
    """

    steps: Demonstrations
    teacher_success: float | None
    learner_success: float | None


class Demonstrator:
    """Lets teacher and learner drive the training environment and writes down what the teacher would do.

    Where actions are decisions, each row plays no more than one episode in a round: an expert that schedules plans its
    lots all at once, and one after another would cost it a hundred times as much.

    Args:
        venv: the training environment, with its randomization.
        gamma: discount factor of returns.
        teacher: who is asked, the task's "expert" or "oracle".

    Raises:
        ShopfloorError: if the task has no such teacher, or an expert that knows what a policy cannot see.
    """

    def __init__(self, venv: CellVecEnv, gamma: float, teacher: str = "expert"):
        self.venv = venv
        self.gamma = gamma
        self.cell = venv.env.cell
        task, name = self.cell.task, type(self.cell.task).__name__
        self.decides = bool(task.decisions)
        self.name = teacher
        self.teacher: Any = task.expert() if teacher == "expert" else task.oracle()
        if self.teacher is None:
            raise ShopfloorError(f"demonstrations.teacher: {name} has no {teacher}; let its expert teach")
        if teacher == "expert" and self.teacher.privileged:
            raise ShopfloorError(f"demonstrations.steps: the expert of {name} knows what a policy cannot see")

    def collect(self, learner: PPO, steps: int, teacher_share: float, check: Callable[[], None]) -> Round:
        """One round from fresh episodes on.

        Args:
            learner: acts in the rows that it drives with its own exploration noise.
            steps: control steps of every row.
            teacher_share: share of the rows, the first ones, that the teacher drives.
            check: called at every step; what it raises ends the round.
        """
        venv, rows = self.venv, np.arange(self.venv.num_envs)
        by_teacher = rows < round(teacher_share * rows.size)
        observation = venv.reset()
        self._begin(rows)
        observations, actions, rewards, ends = [], [], [], []
        going = np.ones(rows.size, dtype=bool)
        lasting = []
        outcomes: dict[bool, list[bool]] = {True: [], False: []}
        for step in range(steps):
            check()
            if not going.any():
                break
            action = self._teacher_actions()
            lasting.append(going.copy())
            observations.append(observation)
            actions.append(action)
            driven = action
            mine = by_teacher & going
            if not mine.all():
                chosen = mine if self.decides else mine[:, None]
                driven = np.where(chosen, action, self._learner_actions(learner, observation, step))
            observation, reward, done, infos = venv.step(driven)
            rewards.append(reward)
            ends.append(done)
            if done.any():
                finished = np.flatnonzero(done & going)
                for row in finished.tolist():
                    outcomes[bool(by_teacher[row])].append(infos[row]["is_success"])
                if self.decides:
                    going[finished] = False
                else:
                    self._begin(finished)
        returns = discounted_returns(np.array(rewards), np.array(ends), self.gamma).reshape(-1)
        kept = np.concatenate(lasting)
        data = Demonstrations(selected(concatenated(observations), kept), np.concatenate(actions)[kept], returns[kept])
        return Round(data, _mean(outcomes[True]), _mean(outcomes[False]))

    def _begin(self, rows: NDArray[np.intp]) -> None:
        self.teacher.reset(self.cell if self.decides else self.cell.s, rows)

    def _teacher_actions(self) -> Any:
        cell = self.cell
        if self.decides:
            return self.teacher.act(cell)[:, 0]
        return cell.actions(self.teacher.act(cell.s, cell.readings())).astype(np.float32)

    def _learner_actions(self, learner: PPO, observation: Any, step: int) -> Any:
        policy: Any = learner.policy
        if learner.use_sde and (step == 0 or (learner.sde_sample_freq > 0 and step % learner.sde_sample_freq == 0)):
            policy.reset_noise(self.venv.num_envs)
        with torch.no_grad():
            sampled, _, _ = policy(policy.obs_to_tensor(observation)[0])
        if self.decides:
            return sampled.cpu().numpy()
        clipped: Array = np.clip(sampled.cpu().numpy(), -1.0, 1.0)
        return clipped


def make_demonstrator(config: TrainConfig, venv: CellVecEnv) -> Demonstrator | None:
    """The config's demonstrator; None where nothing is learned from demonstrations.

    Raises:
        ShopfloorError: if the task has no such teacher.
    """
    settings = config.demonstrations
    return Demonstrator(venv, config.ppo.gamma, settings.teacher) if settings.steps else None


def discounted_returns(rewards: NDArray[Any], ends: NDArray[np.bool_], gamma: float) -> Array:
    """Returns (steps, rows) of rewards (steps, rows) in episodes that end where `ends`; NaN where none does."""
    out = np.empty(rewards.shape, dtype=np.float32)
    later = np.full(rewards.shape[1], np.nan)
    for step in reversed(range(len(rewards))):
        later = rewards[step] + gamma * np.where(ends[step], 0.0, later)
        out[step] = later
    return out


def concatenated(parts: Sequence[Any]) -> Any:
    """Observations of several steps, arrays or dictionaries of arrays, one after another."""
    if isinstance(parts[0], dict):
        return {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
    return np.concatenate(list(parts))


def selected(observations: Any, kept: NDArray[np.bool_]) -> Any:
    """Observations of the steps that are kept, arrays or dictionaries of arrays."""
    if isinstance(observations, dict):
        return {key: value[kept] for key, value in observations.items()}
    return observations[kept]


def _mean(outcomes: Sequence[bool]) -> float | None:
    return float(np.mean(outcomes)) if outcomes else None
