"""PPO from Stable-Baselines3 on a native vector environment, written out; `shopfloor train` does this and more.

python examples/train_sb3.py [STEPS]
"""

from __future__ import annotations

import sys

import gymnasium
import torch
from gymnasium.vector import AutoresetMode
from stable_baselines3 import PPO

import shopfloor  # noqa: F401  (registers the environments)
from shopfloor.train.policy import ChannelNormalizer, normalization
from shopfloor.train.sb3_adapter import CellVecEnv


def main(steps: int = 200_000, num_envs: int = 128) -> None:
    torch.set_num_threads(1)  # torch's threads would take the cores from physics
    envs = gymnasium.make_vec(
        "shopfloor/ArmReach-v0", num_envs=num_envs, goal="position", autoreset_mode=AutoresetMode.SAME_STEP
    ).unwrapped
    # observations are physical quantities; the declared scales turn them into numbers of order one, inside the network
    scales = normalization(envs.task, envs.groups, envs.single_observation_space)
    model = PPO(
        "MlpPolicy",
        CellVecEnv(envs),
        n_steps=32,
        batch_size=32 * num_envs // 4,
        n_epochs=5,
        gamma=0.97,
        learning_rate=1e-3,
        policy_kwargs={
            "features_extractor_class": ChannelNormalizer,
            "features_extractor_kwargs": {"normalization": scales},
        },
        seed=0,
        verbose=1,
        device="cpu",
    )
    model.learn(steps)
    model.get_env().close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
