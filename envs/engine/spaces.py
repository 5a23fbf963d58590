"""Gymnasium spaces and observations, generated from a task's declaration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from ...errors import ShopfloorError
from ..sensing import POLICY, PRIVILEGED
from .core import BatchedCell


def observation_groups(cell: BatchedCell, observation: str | Sequence[str]) -> tuple[str, ...]:
    """The channel groups asked for, checked against those that the cell has."""
    groups = (observation,) if isinstance(observation, str) else tuple(observation)
    known = [g for g in (POLICY, PRIVILEGED) if cell.sensors[g] is not None]
    bad = [g for g in groups if g not in known]
    if bad or not groups or len(set(groups)) != len(groups):
        raise ShopfloorError(f"observation must name one or more of the groups {known}, got {observation!r}")
    return groups


def action_space(cell: BatchedCell) -> spaces.Box:
    """Actions in [-1, 1], float32."""
    return spaces.Box(-1.0, 1.0, (len(cell.terms),), np.float32)


def observation_space(cell: BatchedCell, groups: Sequence[str]) -> spaces.Space[Any]:
    """Space of one row: a Box for one group, a Dict for several; goal tasks always have a Dict."""
    boxes: dict[str, spaces.Space[Any]] = {}
    for group in groups:
        suite = cell.sensors[group]
        assert suite is not None  # observation_groups has checked
        low, high = suite.bounds()
        boxes[group] = spaces.Box(low, high, dtype=np.float32)
    if cell.task.goal_size:
        goal = spaces.Box(-10.0, 10.0, (cell.task.goal_size,), np.float64)
        rest = {"observation": boxes.pop(groups[0]), **boxes}
        return spaces.Dict({**rest, "achieved_goal": goal, "desired_goal": goal})
    return boxes[groups[0]] if len(groups) == 1 else spaces.Dict(boxes)


def observe(cell: BatchedCell, groups: Sequence[str]) -> Any:
    """The batched observation that matches `observation_space`, in fresh arrays."""
    if cell.task.goal_size:
        goals = {"achieved_goal": cell.task.achieved_goal(cell.s), "desired_goal": cell.task.desired_goal(cell.s)}
        rest = {g: cell.observation(g) for g in groups[1:]}
        return {"observation": cell.observation(groups[0]), **rest, **goals}
    if len(groups) == 1:
        return cell.observation(groups[0])
    return {g: cell.observation(g) for g in groups}


def select_row(observation: Any, row: int) -> Any:
    """One row of a batched observation, copied."""
    if isinstance(observation, dict):
        return {k: v[row].copy() for k, v in observation.items()}
    return observation[row].copy()
