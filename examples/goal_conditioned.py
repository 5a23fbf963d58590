"""Hindsight experience replay: SAC on the goal-conditioned variant, where the reward says only hit or miss.

python examples/goal_conditioned.py [STEPS]
"""

from __future__ import annotations

import sys

import gymnasium
import torch
from gymnasium.vector import AutoresetMode
from stable_baselines3 import SAC, HerReplayBuffer

import shopfloor  # noqa: F401  (registers the environments)
from shopfloor.train.policy import ChannelNormalizer, normalization
from shopfloor.train.sb3_adapter import CellVecEnv


def main(steps: int = 20_000, num_envs: int = 8) -> None:
    torch.set_num_threads(1)
    envs = gymnasium.make_vec(
        "shopfloor/ArmReach-v0",
        num_envs=num_envs,
        goal="position",
        goal_conditioned=True,
        autoreset_mode=AutoresetMode.SAME_STEP,
    ).unwrapped
    episode = envs.max_episode_steps
    model = SAC(
        "MultiInputPolicy",
        CellVecEnv(envs),
        replay_buffer_class=HerReplayBuffer,
        replay_buffer_kwargs={"n_sampled_goal": 4, "goal_selection_strategy": "future"},
        learning_starts=num_envs * (episode + 1),  # hindsight needs episodes that have ended
        gamma=0.95,
        gradient_steps=num_envs,
        policy_kwargs={
            "features_extractor_class": ChannelNormalizer,
            "features_extractor_kwargs": {
                "normalization": normalization(envs.task, envs.groups, envs.single_observation_space)
            },
        },
        seed=0,
        verbose=1,
        device="cpu",
    )
    model.learn(steps, log_interval=num_envs)
    model.get_env().close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
