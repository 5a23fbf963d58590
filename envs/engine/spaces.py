"""Gymnasium spaces and observations, generated from a task's declaration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ...errors import ShopfloorError
from ..sensing import POLICY, PRIVILEGED, RGBD, STATE
from .core import BatchedCell


def observation_groups(cell: BatchedCell, observation: str | Sequence[str]) -> tuple[str, ...]:
    """The channel groups asked for, and `rgbd` for pictures, checked against those that the cell has."""
    groups = (observation,) if isinstance(observation, str) else tuple(observation)
    known = [g for g in (POLICY, PRIVILEGED) if cell.sensors[g] is not None]
    known += [RGBD] if cell.task.rgbd is not None else []
    if RGBD in groups and RGBD not in known:
        why = "with goals, which tell where the part is" if cell.task.goal_size else "which declares no cameras"
        raise ShopfloorError(
            f"observation={observation!r}: there are no pictures of {type(cell.task).__name__} {why}; "
            f"it has the groups {known}"
        )
    bad = [g for g in groups if g not in known]
    if bad or not groups or len(set(groups)) != len(groups):
        raise ShopfloorError(f"observation must name one or more of the groups {known}, got {observation!r}")
    return groups


def action_space(cell: BatchedCell) -> spaces.Box:
    """Actions in [-1, 1], float32."""
    return spaces.Box(-1.0, 1.0, (len(cell.terms),), np.float32)


def observation_space(cell: BatchedCell, groups: Sequence[str]) -> spaces.Space[Any]:
    """Space of one row: a Box for one group, a Dict for several; goals and pictures always come in a Dict."""
    boxes: dict[str, spaces.Space[Any]] = {}
    for group in groups:
        suite = cell.sensors[POLICY if group == RGBD else group]
        assert suite is not None  # observation_groups has checked
        low, high = suite.bounds()
        if group == RGBD:
            boxes |= _picture_spaces(cell, low, high)
        else:
            boxes[group] = spaces.Box(low, high, dtype=np.float32)
    if cell.task.goal_size:
        goal = spaces.Box(-10.0, 10.0, (cell.task.goal_size,), np.float64)
        rest = {"observation": boxes.pop(groups[0]), **boxes}
        return spaces.Dict({**rest, "achieved_goal": goal, "desired_goal": goal})
    return spaces.Dict(boxes) if RGBD in groups or len(groups) > 1 else boxes[groups[0]]


def _picture_spaces(
    cell: BatchedCell, low: NDArray[np.float32], high: NDArray[np.float32]
) -> dict[str, spaces.Space[Any]]:
    """Readings without those that the pictures replace, and the pictures."""
    cameras = cell.cameras
    assert cameras is not None
    out: dict[str, spaces.Space[Any]] = {STATE: spaces.Box(low[cameras.columns], high[cameras.columns])}
    shape = (cameras.height, cameras.width)
    for camera in cameras.rgbd.cameras:
        out[f"{camera.name}_rgb"] = spaces.Box(0, 255, (*shape, 3), np.uint8)
        out[f"{camera.name}_depth"] = spaces.Box(camera.near, camera.far, shape, np.float32)
    return out


def observe(cell: BatchedCell, groups: Sequence[str]) -> Any:
    """The batched observation that matches `observation_space`, in fresh arrays."""
    if cell.task.goal_size:
        goals = {"achieved_goal": cell.task.achieved_goal(cell.s), "desired_goal": cell.task.desired_goal(cell.s)}
        rest = {g: cell.observation(g) for g in groups[1:]}
        return {"observation": cell.observation(groups[0]), **rest, **goals}
    if RGBD not in groups:
        return cell.observation(groups[0]) if len(groups) == 1 else {g: cell.observation(g) for g in groups}
    cameras = cell.cameras
    assert cameras is not None
    parts: dict[str, Any] = {}
    for group in groups:
        parts |= (
            {STATE: cell.observation()[:, cameras.columns], **cameras.pictures()}
            if group == RGBD
            else {group: cell.observation(group)}
        )
    return parts


def select_row(observation: Any, row: int) -> Any:
    """One row of a batched observation, copied."""
    if isinstance(observation, dict):
        return {k: v[row].copy() for k, v in observation.items()}
    return observation[row].copy()
