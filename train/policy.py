"""Policy networks: observations enter in physical units and are normalized inside the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.policies import MultiInputActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

from ..envs.engine.core import BatchedCell
from ..envs.engine.task import Task
from ..envs.sensing import Channel

Affine = tuple[list[float], list[float]]

MASK = "action_mask"  # key of the mask in the observations of environments whose actions are decisions
MASKED = 1e8  # by which the logit of a decision that is not allowed is lowered: its probability is 0 in float32


class ChannelNormalizer(BaseFeaturesExtractor):
    """A fixed affine map, `(observation - offset) / scale`, from the declaration of a task's channels.

    Its constants are buffers: they are saved with the policy, move with it to a device and end up inside an exported
    graph, and training never changes them. The parts of a Dict observation are normalized and concatenated in the
    order of its keys.

    A handling task goes from decimetres to tenths of a millimetre, of which a network of order one sees nothing. More
    than one resolution gives it copies of everything, magnified and clipped to [-1, 1].

    Args:
        observation_space: a Box or a Dict of Boxes.
        normalization: offset and scale of every component, by the keys of the Dict; "" is the key of a Box.
        resolutions: factor of each copy; 1 stands for what the affine map gives, which is not clipped.
    """

    def __init__(
        self, observation_space: spaces.Space[Any], normalization: Mapping[str, Affine],
        resolutions: Sequence[float] = (1.0,),
    ):  # fmt: skip
        parts = (
            dict(observation_space.spaces) if isinstance(observation_space, spaces.Dict) else {"": observation_space}
        )
        if parts.keys() != normalization.keys():
            raise ValueError(f"normalization of {sorted(normalization)} for observations of {sorted(parts)}")
        width = sum(int(np.prod(p.shape or ())) for p in parts.values())
        super().__init__(observation_space, width * len(resolutions))
        self.resolutions = tuple(resolutions)
        self.keys = list(parts)
        for index, key in enumerate(self.keys):
            offset, scale = (torch.tensor(values, dtype=torch.float32) for values in normalization[key])
            if offset.shape != parts[key].shape or scale.shape != parts[key].shape:
                raise ValueError(f"offset and scale of {key!r} must have shape {parts[key].shape}")
            self.register_buffer(f"offset_{index}", offset)
            self.register_buffer(f"scale_{index}", scale)

    def forward(self, observations: Any) -> torch.Tensor:
        """Normalized observations (batch, features), one resolution after another."""
        parts = [
            ((observations[key] if key else observations) - getattr(self, f"offset_{i}")) / getattr(self, f"scale_{i}")
            for i, key in enumerate(self.keys)
        ]
        whole = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
        copies = [whole if factor == 1.0 else (factor * whole).clamp(-1.0, 1.0) for factor in self.resolutions]
        return copies[0] if len(copies) == 1 else torch.cat(copies, dim=1)


class MaskedPolicy(MultiInputActorCriticPolicy):
    """A policy that decides among the actions that the mask in its observation allows.

    The logits of the others are lowered so far that they are never drawn, add nothing to the entropy and get no
    gradient (S. Huang and S. Ontañón, "A closer look at invalid action masking in policy gradient algorithms", FLAIRS
    2022). The mask is part of the observation, so that a learner collects, stores and updates with it as with any
    other reading; it is also an input of the networks.
    """

    def forward(self, obs: Any, deterministic: bool = False) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Actions (batch,), values (batch, 1) and log-probabilities (batch,)."""
        latent, latent_vf = self.mlp_extractor(self.extract_features(obs))
        distribution = self._decision(latent, obs)
        actions = distribution.get_actions(deterministic=deterministic)
        return actions, self.value_net(latent_vf), distribution.log_prob(actions)

    def evaluate_actions(
        self, obs: Any, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Values (batch, 1), log-probabilities (batch,) of given actions, and entropies (batch,)."""
        latent, latent_vf = self.mlp_extractor(self.extract_features(obs))
        distribution = self._decision(latent, obs)
        return self.value_net(latent_vf), distribution.log_prob(actions), distribution.entropy()

    def get_distribution(self, obs: Any) -> Distribution:
        """The distribution of actions."""
        latent, _ = self.mlp_extractor(self.extract_features(obs))
        return self._decision(latent, obs)

    def _decision(self, latent: torch.Tensor, obs: Any) -> Distribution:
        logits = self.action_net(latent) + MASKED * (obs[MASK].to(latent.dtype) - 1.0)
        return self.action_dist.proba_distribution(action_logits=logits)


def normalization(source: BatchedCell | Task, groups: Sequence[str], space: spaces.Space[Any]) -> dict[str, Affine]:
    """Offset and scale of every observation component, as `ChannelNormalizer` takes them.

    Args:
        source: the cell, or its task where no privileged channel is observed: there the cell adds its randomization.
        groups: the channel groups in the observation, in order.
        space: the observation space. Goals are positions in m and quaternions, of order one, and stay as they are, and
            so do masks.
    """
    if not isinstance(space, spaces.Dict):
        return {"": _affine(_channels(source, groups[0]))}
    names = {g: g for g in groups}
    if "observation" in space.spaces:  # beside goals, or beside a mask
        names = {"observation": groups[0], **{g: g for g in groups[1:]}}
    sizes = {key: int(np.prod(part.shape or ())) for key, part in space.spaces.items()}
    return {
        key: _affine(_channels(source, names[key])) if key in names else ([0.0] * size, [1.0] * size)
        for key, size in sizes.items()
    }


def _channels(source: BatchedCell | Task, group: str) -> Sequence[Channel]:
    if isinstance(source, BatchedCell):
        suite = source.sensors[group]
        return () if suite is None else suite.channels
    return [c for c in source.channels if c.group == group]


def _affine(channels: Sequence[Channel]) -> Affine:
    offsets: list[float] = []
    scales: list[float] = []
    for channel in channels:
        offset, scale = channel.normalization
        offsets += offset.tolist() * channel.history
        scales += scale.tolist() * channel.history
    return offsets, scales
