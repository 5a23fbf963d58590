"""From a config to a training environment and a Stable-Baselines3 learner."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from stable_baselines3 import PPO, SAC, HerReplayBuffer
from torch import nn

from ..envs.engine.core import BatchedCell
from ..envs.engine.task import Task
from ..envs.engine.vector_env import CellVectorEnv
from ..envs.registry import make_vector_env
from ..envs.sensing import POLICY, RGBD
from ..errors import ShopfloorError
from .config import TrainConfig
from .policy import MASK, ChannelNormalizer, MaskedPolicy, normalization
from .sb3_adapter import CellVecEnv

Learner = PPO | SAC
ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU, "elu": nn.ELU, "silu": nn.SiLU}


def make_cells(config: TrainConfig, num_envs: int) -> CellVectorEnv:
    """The config's environment, with rows that reset at the step in which they finish.

    Raises:
        ShopfloorError: if it is to observe pictures, for which there is no network here.
    """
    observation = config.env.kwargs.get("observation", POLICY)
    if RGBD in ((observation,) if isinstance(observation, str) else observation):
        raise ShopfloorError(
            f"env.kwargs.observation={observation!r}: what is trained here reads numbers, and so does an exported "
            "policy. For pictures use Stable-Baselines3's MultiInputPolicy on the environment itself: docs/cameras.md "
            "shows how"
        )
    return make_vector_env(
        config.env.id,
        num_envs,
        autoreset_mode=AutoresetMode.SAME_STEP,
        threads=config.threads,
        randomization=config.randomization.request(),
        **config.env.kwargs,
    )


def make_learner(config: TrainConfig, venv: CellVecEnv) -> Learner:
    """The learner of a config, with fresh weights; seeds Python, numpy, torch and the environment."""
    ppo = config.algorithm == "ppo"
    learner: Learner = (PPO if ppo else SAC)(
        policy=policy_class(config, venv.observation_space),
        env=venv,
        policy_kwargs=policy_arguments(config, venv.env),
        seed=config.seed,
        device=config.device,
        **(_values(config.ppo) if ppo else _values(config.sac) | _replay(config, venv)),
    )
    venv.seed(config.row_seeds.start)  # SB3 has passed on the bare seed
    return learner


def _values(section: Any) -> dict[str, Any]:
    return {f.name: getattr(section, f.name) for f in fields(section) if f.name != "hindsight"}


def _replay(config: TrainConfig, venv: CellVecEnv) -> dict[str, Any]:
    """What makes SAC replay its episodes with hindsight, if the config says so.

    Raises:
        ShopfloorError: if the environment sets no goals, or learning is to start before an episode has ended.
    """
    if not config.sac.hindsight:
        return {}
    if not isinstance(venv.observation_space, spaces.Dict) or "desired_goal" not in venv.observation_space.spaces:
        raise ShopfloorError(
            f"sac.hindsight={config.sac.hindsight}: {config.env.id} sets no goals; ArmReach and ArmPickPlace do with "
            "env.kwargs.goal_conditioned=true"
        )
    first = venv.num_envs * venv.env.max_episode_steps
    if config.sac.learning_starts <= first:
        raise ShopfloorError(
            f"sac.learning_starts={config.sac.learning_starts}: goals are those of episodes that have ended, so more "
            f"than num_envs * steps of an episode = {first} are needed"
        )
    return {
        "replay_buffer_class": HerReplayBuffer,
        "replay_buffer_kwargs": {"n_sampled_goal": config.sac.hindsight, "goal_selection_strategy": "future"},
    }


def policy_class(config: TrainConfig, space: spaces.Space[Any]) -> Any:
    """The policy of Stable-Baselines3 that an observation space asks for.

    Raises:
        ShopfloorError: if the algorithm cannot decide among numbered actions.
    """
    if not isinstance(space, spaces.Dict):
        return "MlpPolicy"
    if MASK not in space.spaces:
        return "MultiInputPolicy"
    if config.algorithm != "ppo":
        raise ShopfloorError(
            f"{config.env.id} decides among numbered actions, which {config.algorithm} cannot; use algorithm: ppo"
        )
    return MaskedPolicy


def policy_arguments(config: TrainConfig, env: CellVectorEnv) -> dict[str, Any]:
    """`policy_kwargs` of the config's network for an environment."""
    arguments: dict[str, Any] = {
        "net_arch": list(config.network.sizes),
        "activation_fn": ACTIVATIONS[config.network.activation],
        "features_extractor_class": ChannelNormalizer,
        "features_extractor_kwargs": {
            "normalization": normalization(_declaring(env), env.groups, env.single_observation_space),
            "resolutions": config.network.resolutions,
        },
    }
    if config.algorithm == "ppo":
        arguments["log_std_init"] = config.network.log_std_init
        # one fused kernel an optimizer step; networks this small spend more time on calls than on numbers
        arguments["optimizer_kwargs"] = {"eps": 1e-5, "fused": True}
    return arguments


def _declaring(env: CellVectorEnv) -> BatchedCell | Task:
    """What declares the channels: the cell, and for decisions, which have no physics to randomize, the task."""
    return env.cell if isinstance(env.cell, BatchedCell) else env.task
