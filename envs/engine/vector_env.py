"""`CellVectorEnv`: the native Gymnasium vector environment around a `BatchedCell`."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ...errors import ShopfloorError
from .cameras import camera_parameters
from .core import BatchedCell, Forced, as_seeds
from .rendering import RENDER_MODES, CellRenderer, HumanViewer, check_picture, check_render_mode
from .samples import sample_info
from .spaces import action_space, observation_groups, observation_space, observe, select_row
from .task import Array, RowIndex, Task


class CellVectorEnv(VectorEnv):
    """n rows of one task as a `gymnasium.vector.VectorEnv`; row i is the single environment of its seed, bit for bit.

    Args:
        task: the task.
        num_envs: number of rows.
        max_episode_steps: time limit in control steps; None for the task's.
        autoreset_mode: when a finished row begins its next episode: at the next step (its action is ignored, its
            reward 0), at the same step (`final_obs` and `final_info` hold the end), or only by
            `reset(options={"reset_mask": mask})`.
        threads: size of the stepping pool; None chooses from the machine. Never changes a result.
        observation: channel groups in the observation; one group is a flat Box, several are a Dict. "rgbd", where the
            task has cameras, is a Dict of the readings that need no camera and of pictures.
        camera_size: pixels of these pictures: a side, or width and height.
        render_mode: "rgb_array", "depth_array", "human" or None.
        width, height, camera, render_quality: see `CellRenderer`.
        render_row: the row that `human` shows.
        dump_dir: where rows whose physics failed leave their state.
        randomization: a split of the task's own randomization ("train", "ood_near", ...), the path of a spec with or
            without a split ("my.yaml:train"), a `Spec` or a `Randomization`; None for the nominal machine.
    """

    def __init__(
        self,
        task: Task,
        num_envs: int = 1,
        *,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        threads: int | None = None,
        observation: str | Sequence[str] = "policy",
        camera_size: int | tuple[int, int] = 64,
        render_mode: str | None = None,
        width: int = 960,
        height: int = 720,
        camera: str | None = None,
        render_quality: str = "full",
        render_row: int = 0,
        dump_dir: str | None = None,
        randomization: object = None,
    ):
        check_render_mode(render_mode)
        if max_episode_steps is not None and max_episode_steps < 1:
            raise ShopfloorError(f"max_episode_steps must be at least 1, got {max_episode_steps}")
        try:
            self.autoreset_mode = AutoresetMode(autoreset_mode)
        except ValueError:
            known = ", ".join(m.value for m in AutoresetMode)
            raise ShopfloorError(f"autoreset_mode must be one of {known}, got {autoreset_mode!r}") from None
        check_picture(task, width, height, camera, render_quality)
        self._arguments: dict[str, Any] = {
            "num_envs": num_envs,
            "max_episode_steps": max_episode_steps,
            "autoreset_mode": self.autoreset_mode,
            "threads": threads,
            "observation": observation,
            "camera_size": camera_size,
            "render_mode": render_mode,
            "width": width,
            "height": height,
            "camera": camera,
            "render_quality": render_quality,
            "render_row": render_row,
            "dump_dir": dump_dir,
            "randomization": randomization,
        }
        self._declaration = task
        self._build(task)
        if not 0 <= render_row < num_envs:
            raise ShopfloorError(f"render_row must be in [0, {num_envs}), got {render_row}")
        self.render_mode = render_mode
        self.metadata = env_metadata(task, self.autoreset_mode)
        self._picture = (width, height, camera, render_quality)
        self._render_row = render_row
        self._renderer: CellRenderer | None = None
        self._viewer: HumanViewer | None = None
        self._done = np.zeros(num_envs, dtype=bool)
        self._begun = False
        self._all = np.ones(num_envs, dtype=bool)
        self._all.flags.writeable = False

    def _build(self, task: Task) -> None:
        a = self._arguments
        cell = BatchedCell(
            task,
            a["num_envs"],
            a["threads"],
            a["dump_dir"],
            a["max_episode_steps"],
            a["randomization"],
            a["observation"],
            a["camera_size"],
        )
        self.groups = observation_groups(cell, a["observation"])
        self.cell = cell
        self._reasons = np.array(cell.reasons, dtype=object)
        self.num_envs = cell.n
        self.max_episode_steps = cell.max_steps
        self.single_observation_space = observation_space(cell, self.groups)
        self.single_action_space = action_space(cell)
        self.observation_space = batch_space(self.single_observation_space, cell.n)
        self.action_space = batch_space(self.single_action_space, cell.n)

    def randomize(self, randomization: object) -> None:
        """Use another randomization from the next reset on; `randomization.choose` says what is understood.

        Raises:
            ShopfloorError: if episodes have begun, whose state would be lost.
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

    # -- Gymnasium --------------------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes.

        Args:
            seed: row i gets seed + i, or the i-th of a sequence (None leaves that row's seed and takes its next
                episode). Without a seed every row goes on to its next episode, the first time under a random seed.
            options: `reset_mask`, (n,) bool, the rows to reset; for those rows `task_params`, forced values of the
                start distribution, `randomization`, forced values of randomization terms, and `split`, where the other
                terms are drawn from.

        Raises:
            ShopfloorError: if an option is unknown or malformed.
        """
        options = dict(options or {})
        mask = self._check_mask(options.pop("reset_mask", None))
        forced = Forced.of(options, "reset_mask")
        rows = np.flatnonzero(mask)
        fresh = rows if not self._begun else np.zeros(0, dtype=np.intp)
        seeds = self._seeds(seed)
        if seed is None and fresh.size:
            self.cell.reset(rows, self._random_seeds(rows.size), *forced)
        elif seed is None:
            self.cell.reset(rows, None, *forced)
        else:
            self._reset_seeded(rows, seeds, forced)
        if not self._begun and rows.size < self.num_envs:
            others = np.flatnonzero(~mask)
            self.cell.reset(others, self._random_seeds(others.size))
        self._begun = True
        self._done[rows] = False
        return self._observe(), self._infos(None if mask.all() else mask)

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Advance every row one control step under actions (n, size) in [-1, 1]."""
        return self._step(self.cell.setpoints(actions))

    def step_setpoints(
        self, setpoints: Array
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """As `step`, under set-points (n, size) in the units of the action interface."""
        return self._step(np.asarray(setpoints, dtype=np.float64))

    def _step(self, setpoints: Array) -> tuple[Any, Array, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        if not self._begun:
            raise ShopfloorError("step() before reset(): call reset() first")
        cell, waiting = self.cell, self._done
        if self.autoreset_mode is AutoresetMode.NEXT_STEP and waiting.any():
            return self._step_and_reset(setpoints, waiting.copy())
        if self.autoreset_mode is AutoresetMode.DISABLED and waiting.any():
            rows = np.flatnonzero(waiting).tolist()
            raise ShopfloorError(
                f"rows {rows} have finished their episode; with autoreset disabled call "
                'reset(options={"reset_mask": mask}) for them before the next step'
            )
        cell.step(setpoints)
        terminated, truncated = cell.terminated.copy(), cell.truncated.copy()
        reward = cell.reward.copy()
        done = terminated | truncated
        if self.autoreset_mode is AutoresetMode.SAME_STEP and done.any():
            final_obs, final_info = self._observe(), self._infos(done)
            cell.reset(np.flatnonzero(done))
            info = self._infos(None)
            info["final_obs"], info["_final_obs"] = _final(final_obs, done), done.copy()
            info["final_info"], info["_final_info"] = final_info, done.copy()
            return self._observe(), reward, terminated, truncated, info
        self._done = done
        return self._observe(), reward, terminated, truncated, self._infos(None)

    def _step_and_reset(
        self, setpoints: Array, waiting: NDArray[np.bool_]
    ) -> tuple[Any, Array, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        cell = self.cell
        going = np.flatnonzero(~waiting)
        setpoints = np.where(waiting[:, None], cell.s.action, setpoints)
        if going.size:
            cell.step(setpoints, going)
        cell.reset(np.flatnonzero(waiting))
        reward, terminated, truncated = cell.reward.copy(), cell.terminated.copy(), cell.truncated.copy()
        self._done = terminated | truncated
        return self._observe(), reward, terminated, truncated, self._infos(None)

    def render(self) -> tuple[NDArray[Any], ...] | None:
        """A picture of every row; None in `human` mode, which shows `render_row`."""
        if self.render_mode is None:
            gym.logger.warn("render() without a render_mode; pass render_mode='rgb_array' to gymnasium.make_vec")
            return None
        if self.render_mode == "human":
            self.viewer().render(self._render_row)
            return None
        depth = self.render_mode == "depth_array"
        return tuple(self.renderer().render(row, depth) for row in range(self.num_envs))

    def render_row(self, row: int, camera: str | None = None, depth: bool = False) -> NDArray[Any]:
        """A picture of one row: uint8 (height, width, 3), or with `depth` float32 (height, width) in m."""
        return self.renderer().render(row, depth, camera)

    def close_extras(self, **kwargs: Any) -> None:
        """Free what rendering holds."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
        if self._viewer is not None:
            self._viewer.close()
            self._viewer = None
        self.cell.close()

    def camera_parameters(self) -> dict[str, dict[str, Array]]:
        """Of each camera of `observation="rgbd"`: `intrinsic` (3, 3), and `pose` (n, 4, 4); see `CellEnv`.

        Raises:
            ShopfloorError: if no pictures are observed.
        """
        return camera_parameters(self.cell)

    # -- state ------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Everything that the future depends on, as plain arrays; picklable, restorable in another process."""
        return {"cell": self.cell.get_state(), "done": self._done.copy(), "begun": self._begun}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `get_state` returned; the next steps are bit-equal to those after the save."""
        self.cell.set_state(state["cell"])
        self._done = state["done"].copy()
        self._begun = state["begun"]

    def __getstate__(self) -> dict[str, Any]:
        return {
            "task": self._declaration,
            "arguments": self._arguments,
            "state": self.get_state(),
            "spec": self.spec,
            "closed": self.closed,
            "random": (self.np_random, self._np_random_seed),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        CellVectorEnv.__init__(self, state["task"], **state["arguments"])
        self.spec, self.closed = state["spec"], state["closed"]
        # a copy goes on by itself, so it must not draw from the original's generator
        self._np_random, self._np_random_seed = copy.deepcopy(state["random"])
        self.set_state(state["state"])

    # -- parts ------------------------------------------------------------------------------------------------

    def renderer(self) -> CellRenderer:
        """The renderer, created on first use."""
        if self._renderer is None:
            width, height, camera, quality = self._picture
            self._renderer = CellRenderer(self.cell, width, height, camera, quality)
        return self._renderer

    def viewer(self) -> HumanViewer:
        """The interactive window, created on first use."""
        if self._viewer is None:
            self._viewer = HumanViewer(self.cell)
        return self._viewer

    def _check_mask(self, mask: Any) -> NDArray[np.bool_]:
        if mask is None:
            return self._all
        array = np.asarray(mask)
        if array.dtype != np.bool_ or array.shape != (self.num_envs,) or not array.any():
            raise ShopfloorError(
                f"options['reset_mask'] must be a bool array of shape ({self.num_envs},) with at least one True, "
                f"got {array.dtype} of shape {array.shape}"
            )
        return array

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, (int, np.integer)):
            return [int(seed) + i for i in range(self.num_envs)]
        if not isinstance(seed, (Sequence, np.ndarray)) or isinstance(seed, str) or len(seed) != self.num_envs:
            raise ShopfloorError(
                f"seed must be a whole number or a list with one for each of the {self.num_envs} rows, got {seed!r}"
            )
        return list(seed)

    def _random_seeds(self, count: int) -> NDArray[np.int64]:
        return self.np_random.integers(0, 2**31, size=count, dtype=np.int64)

    def _reset_seeded(self, rows: RowIndex, seeds: list[int | None], forced: Forced) -> None:
        seeded = np.array([r for r in rows.tolist() if seeds[r] is not None], dtype=np.intp)
        following = np.array([r for r in rows.tolist() if seeds[r] is None], dtype=np.intp)
        if seeded.size:
            self.cell.reset(seeded, as_seeds(seeds[r] for r in seeded.tolist()), *forced)
        if following.size:
            fresh = None if self._begun else self._random_seeds(following.size)
            self.cell.reset(following, fresh, *forced)

    def _observe(self) -> Any:
        return observe(self.cell, self.groups)

    def _infos(self, mask: NDArray[np.bool_] | None) -> dict[str, Any]:
        """Dense infos of the rows in `mask` (None for all): arrays and, beside each, who has it."""
        cell = self.cell
        have = self._all if mask is None else mask.copy()

        def nested(values: Mapping[str, NDArray[Any]], copy: bool) -> dict[str, Any]:
            out: dict[str, Any] = {}
            for key, value in values.items():
                out[key] = value.copy() if copy else value
                out[f"_{key}"] = have
            return out

        return {
            "is_success": cell.success.copy(),
            "_is_success": have,
            "termination_reason": self._reasons[cell.reason],
            "_termination_reason": have,
            "reward_terms": nested(cell.reward_terms, True),
            "_reward_terms": have,
            "metrics": nested(cell.metrics(), False),
            "_metrics": have,
            "violations": nested(cell.violations(), True),
            "_violations": have,
            "task_params": nested(cell.params, True),
            "_task_params": have,
            "randomization": nested(sample_info(cell), True),
            "_randomization": have,
        }


def _final(observations: Any, done: NDArray[np.bool_]) -> NDArray[Any]:
    """Final observations as Gymnasium gives them: an object array, None in rows that go on."""
    out = np.full(done.size, None, dtype=object)
    for row in np.flatnonzero(done).tolist():
        out[row] = select_row(observations, row)
    return out


def env_metadata(task: Task, autoreset_mode: AutoresetMode | None = None) -> dict[str, Any]:
    """Gymnasium metadata of a task's environments."""
    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": task.render_fps}
    if autoreset_mode is not None:
        metadata["autoreset_mode"] = autoreset_mode
    return metadata
