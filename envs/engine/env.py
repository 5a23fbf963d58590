"""`CellEnv`: the single environment, a batch of one."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from .cameras import camera_parameters
from .core import BatchedCell, Forced, as_seeds
from .rendering import CellRenderer, HumanViewer, check_picture, check_render_mode
from .samples import sample_info
from .spaces import action_space, observation_groups, observation_space, observe, select_row
from .task import Array, Task
from .vector_env import env_metadata


class CellEnv(gym.Env[Any, Any]):
    """One row of a task as a `gymnasium.Env`. Episodes end by the task; the time limit is the registered one.

    Args:
        task: the task.
        observation: channel groups in the observation; one group is a flat Box, several are a Dict. "rgbd", where the
            task has cameras, is a Dict of the readings that need no camera and of pictures.
        camera_size: pixels of these pictures: a side, or width and height.
        render_mode: "rgb_array", "depth_array", "human" or None.
        width, height, camera, render_quality: see `CellRenderer`.
        dump_dir: where a failed simulation leaves its state.
        randomization: a split of the task's own randomization ("train", "ood_near", ...), the path of a spec with or
            without a split ("my.yaml:train"), a `Spec` or a `Randomization`; None for the nominal machine.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "depth_array", "human"], "render_fps": 50}

    def __init__(
        self,
        task: Task,
        *,
        observation: str | Sequence[str] = "policy",
        camera_size: int | tuple[int, int] = 64,
        render_mode: str | None = None,
        width: int = 960,
        height: int = 720,
        camera: str | None = None,
        render_quality: str = "full",
        dump_dir: str | None = None,
        randomization: object = None,
    ):
        check_render_mode(render_mode)
        check_picture(task, width, height, camera, render_quality)
        self._declaration = task
        self._arguments: dict[str, Any] = {
            "observation": observation,
            "camera_size": camera_size,
            "render_mode": render_mode,
            "width": width,
            "height": height,
            "camera": camera,
            "render_quality": render_quality,
            "dump_dir": dump_dir,
            "randomization": randomization,
        }
        self.metadata = env_metadata(task)
        self._build(task)
        self.render_mode = render_mode
        self._renderer: CellRenderer | None = None
        self._viewer: HumanViewer | None = None
        self._begun = False

    def _build(self, task: Task) -> None:
        a = self._arguments
        cell = BatchedCell(
            task,
            1,
            dump_dir=a["dump_dir"],
            randomization=a["randomization"],
            observed=a["observation"],
            camera_size=a["camera_size"],
        )
        self.groups = observation_groups(cell, a["observation"])
        self.cell = cell
        self.observation_space = observation_space(cell, self.groups)
        self.action_space = action_space(cell)

    def randomize(self, randomization: object) -> None:
        """Use another randomization from the next reset on; `randomization.choose` says what is understood.

        Raises:
            ShopfloorError: if an episode has begun, whose state would be lost.
        """
        if self._begun:
            raise ShopfloorError("randomize() after reset(): choose the randomization before the first episode")
        self._arguments["randomization"] = randomization
        self.cell.close()
        self._build(self._declaration)

    @property
    def task(self) -> Task:
        """The task."""
        return self.cell.task

    @property
    def control_dt(self) -> float:
        """Control period in s."""
        return self.cell.timing.control_dt

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode: the first of a seed if one is given, the next one of the present seed otherwise.

        Args:
            seed: non-negative seed.
            options: `task_params`, forced values of the start distribution; `randomization`, forced values of
                randomization terms; `split`, where the other terms are drawn from.

        Raises:
            ShopfloorError: if an option is unknown or malformed.
        """
        super().reset(seed=seed)
        forced = Forced.of(options)
        seeds = None
        if seed is not None:
            seeds = as_seeds([seed])
        elif not self._begun:
            seeds = self.np_random.integers(0, 2**31, size=1, dtype=np.int64)
        self.cell.reset(None, seeds, *forced)
        self._begun = True
        return self._observe(), self._info()

    def step(self, action: NDArray[Any]) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Advance one control step under an action (size,) in [-1, 1]."""
        return self._step(self.cell.setpoints(self._vector("the action", action)))

    def step_setpoints(self, setpoints: Array) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """As `step`, under set-points (size,) in the units of the action interface."""
        return self._step(self._vector("the vector of set-points", setpoints))

    def _vector(self, what: str, values: Any) -> Array:
        array = np.asarray(values, dtype=np.float64)
        if array.shape != self.action_space.shape:
            raise ShopfloorError(f"{what} must have shape {self.action_space.shape}, got {array.shape}")
        return array[None]

    def _step(self, setpoints: Array) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if not self._begun:
            raise ShopfloorError("step() before reset(): call reset() first")
        self.cell.step(setpoints)
        # the task's own time limit is the vector environment's; here Gymnasium's TimeLimit wrapper truncates
        return self._observe(), float(self.cell.reward[0]), bool(self.cell.terminated[0]), False, self._info()

    def compute_info(self) -> dict[str, Any]:
        """The info dictionary of the present state; a metric without a value is None."""
        return self._info()

    def render(self) -> Any:
        """A picture uint8 (height, width, 3), a depth image float32 (height, width) in m, or None in `human` mode."""
        if self.render_mode is None:
            gym.logger.warn("render() without a render_mode; pass render_mode='rgb_array' to gymnasium.make")
            return None
        if self.render_mode == "human":
            if self._viewer is None:
                self._viewer = HumanViewer(self.cell)
            self._viewer.render()
            return None
        return self.renderer().render(0, self.render_mode == "depth_array")

    def camera_parameters(self) -> dict[str, dict[str, Array]]:
        """Of each camera of `observation="rgbd"`: `intrinsic` (3, 3), in pixels, and `pose` (4, 4), to the world, m.

        The pose is that at which the picture in the last observation was taken, with x to the right, y down and z
        forward, as in OpenCV; `shopfloor.envs.sensing.camera` has functions that use both. Where a randomization moves
        cameras, this is where they really are, which no calibration knows.

        Raises:
            ShopfloorError: if no pictures are observed.
        """
        return {k: {"intrinsic": v["intrinsic"], "pose": v["pose"][0]} for k, v in camera_parameters(self.cell).items()}

    def renderer(self) -> CellRenderer:
        """The renderer, created on first use."""
        if self._renderer is None:
            a = self._arguments
            self._renderer = CellRenderer(self.cell, a["width"], a["height"], a["camera"], a["render_quality"])
        return self._renderer

    def close(self) -> None:
        """Free what rendering holds; may be called twice."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
        if self._viewer is not None:
            self._viewer.close()
            self._viewer = None
        self.cell.close()

    def get_state(self) -> dict[str, Any]:
        """Everything that the future depends on; picklable, restorable in another process."""
        return {
            "cell": self.cell.get_state(),
            "begun": self._begun,
            "np_random": self.np_random.bit_generator.state,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `get_state` returned; the next steps are bit-equal to those after the save."""
        self.cell.set_state(state["cell"])
        self._begun = state["begun"]
        self.np_random.bit_generator.state = state["np_random"]

    def __getstate__(self) -> dict[str, Any]:
        return {
            "task": self._declaration,
            "arguments": self._arguments,
            "state": self.get_state(),
            "spec": self.spec,
            "random": (self.np_random, self._np_random_seed),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        CellEnv.__init__(self, state["task"], **state["arguments"])
        self.spec = state["spec"]
        # a copy goes on by itself, so it must not draw from the original's generator
        self._np_random, self._np_random_seed = copy.deepcopy(state["random"])
        self.set_state(state["state"])

    def _observe(self) -> Any:
        return select_row(observe(self.cell, self.groups), 0)

    def _info(self) -> dict[str, Any]:
        cell = self.cell
        return {
            "is_success": bool(cell.success[0]),
            "termination_reason": cell.reasons[int(cell.reason[0])],
            "reward_terms": {k: float(v[0]) for k, v in cell.reward_terms.items()},
            "metrics": {k: None if math.isnan(v[0]) else float(v[0]) for k, v in cell.metrics().items()},
            "violations": {k: bool(v[0]) for k, v in cell.violations().items()},
            "task_params": {k: float(v[0]) if v.ndim == 1 else v[0].copy() for k, v in cell.params.items()},
            "randomization": {
                k: v[0].copy() if v.ndim > 1 else v[:1].tolist()[0] for k, v in sample_info(cell).items()
            },
        }


class GoalCellEnv(CellEnv):
    """A goal-conditioned `CellEnv`: its observations hold goals, and rewards can be recomputed for other goals."""

    def compute_reward(self, achieved_goal: Array, desired_goal: Array, info: Any) -> Any:
        """Reward of achieved and desired goals (..., goal_size); equals the step reward where they are the step's."""
        reward = self.task.goal_reward(np.asarray(achieved_goal), np.asarray(desired_goal))
        return float(reward) if np.ndim(reward) == 0 else reward
