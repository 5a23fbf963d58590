"""Policy networks: observations enter in physical units and are normalized inside the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

from ..envs.engine.core import BatchedCell
from ..envs.engine.task import Task
from ..envs.sensing import Channel

Affine = tuple[list[float], list[float]]


class ChannelNormalizer(BaseFeaturesExtractor):
    """A fixed affine map, `(observation - offset) / scale`, from the declaration of a task's channels.

    Its constants are buffers: they are saved with the policy, move with it to a device and end up inside an exported
    graph, and training never changes them. The parts of a Dict observation are normalized and concatenated in the
    order of its keys.

    Args:
        observation_space: a Box or a Dict of Boxes.
        normalization: offset and scale of every component, by the keys of the Dict; "" is the key of a Box.
    """

    def __init__(self, observation_space: spaces.Space[Any], normalization: Mapping[str, Affine]):
        parts = (
            dict(observation_space.spaces) if isinstance(observation_space, spaces.Dict) else {"": observation_space}
        )
        if parts.keys() != normalization.keys():
            raise ValueError(f"normalization of {sorted(normalization)} for observations of {sorted(parts)}")
        super().__init__(observation_space, sum(int(np.prod(p.shape or ())) for p in parts.values()))
        self.keys = list(parts)
        for index, key in enumerate(self.keys):
            offset, scale = (torch.tensor(values, dtype=torch.float32) for values in normalization[key])
            if offset.shape != parts[key].shape or scale.shape != parts[key].shape:
                raise ValueError(f"offset and scale of {key!r} must have shape {parts[key].shape}")
            self.register_buffer(f"offset_{index}", offset)
            self.register_buffer(f"scale_{index}", scale)

    def forward(self, observations: Any) -> torch.Tensor:
        """Normalized observations (batch, features)."""
        parts = [
            ((observations[key] if key else observations) - getattr(self, f"offset_{i}")) / getattr(self, f"scale_{i}")
            for i, key in enumerate(self.keys)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def normalization(source: BatchedCell | Task, groups: Sequence[str], space: spaces.Space[Any]) -> dict[str, Affine]:
    """Offset and scale of every observation component, as `ChannelNormalizer` takes them.

    Args:
        source: the cell, or its task where no privileged channel is observed: there the cell adds its randomization.
        groups: the channel groups in the observation, in order.
        space: the observation space. Goals are positions in m and quaternions, of order one, and stay as they are.
    """
    if not isinstance(space, spaces.Dict):
        return {"": _affine(_channels(source, groups[0]))}
    names = {g: g for g in groups}
    goal_size = (source.task if isinstance(source, BatchedCell) else source).goal_size
    if goal_size:
        names = {"observation": groups[0], **{g: g for g in groups[1:]}}
    unity = [0.0] * goal_size, [1.0] * goal_size
    return {key: _affine(_channels(source, names[key])) if key in names else unity for key in space.spaces}


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
