"""`CellVecEnv`: a native vector environment as Stable-Baselines3 wants it, in this process.

It behaves like `DummyVecEnv` around `Monitor(gymnasium.make(id))` environments, bit for bit, at the speed of the batch:
infos of rows whose episode goes on are empty dictionaries, and only finished rows are looked at.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv

from ..envs.engine.vector_env import CellVectorEnv
from ..errors import ShopfloorError

Indices = None | int | Iterable[int]


class CellVecEnv(VecEnv):
    """A `CellVectorEnv` behind SB3's interface.

    Args:
        env: a vector environment with `autoreset_mode=AutoresetMode.SAME_STEP`.

    Attributes:
        env: the vector environment.
        step_info: dense infos of the last step, as the vector environment gave them.
        env_seconds: wall clock spent inside the environment's `step`, for the speed report.

    Raises:
        ShopfloorError: if the environment resets in another mode.
    """

    def __init__(self, env: CellVectorEnv):
        if env.autoreset_mode is not AutoresetMode.SAME_STEP:
            raise ShopfloorError(
                f"CellVecEnv needs autoreset_mode=AutoresetMode.SAME_STEP, got {env.autoreset_mode.name}"
            )
        self.env = env
        self.step_info: dict[str, Any] = {}
        self.env_seconds = 0.0
        self._actions: NDArray[Any] = np.zeros(0)
        self._returns = np.zeros(env.num_envs)
        self._lengths = np.zeros(env.num_envs, dtype=np.int64)
        self._started = time.time()
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self.metadata = env.metadata

    # -- episodes ---------------------------------------------------------------------------------------------

    def reset(self) -> Any:
        """Begin an episode in every row, with the seeds and options set before; both are used once."""
        if any(options != self._options[0] for options in self._options):
            observation = self._reset_one_by_one()
        else:
            observation, info = self.env.reset(seed=self._seeds, options=self._options[0] or None)
            self.reset_infos = [row_info(info, row) for row in range(self.num_envs)]
        self._returns[:] = 0.0
        self._lengths[:] = 0
        self._reset_seeds()
        self._reset_options()
        return observation

    def _reset_one_by_one(self) -> Any:
        observation: Any = None
        for row, (seed, options) in enumerate(zip(self._seeds, self._options, strict=True)):
            mask = np.arange(self.num_envs) == row
            seeds = [seed if i == row else None for i in range(self.num_envs)]
            observation, info = self.env.reset(seed=seeds, options={**options, "reset_mask": mask})
            self.reset_infos[row] = row_info(info, row)
        return observation

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take the actions (n, size) of the next step."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Advance all rows; a finished row's info holds the end of its episode, its observation the next start."""
        begin = time.perf_counter()
        observation, reward, terminated, truncated, info = self.env.step(self._actions)
        self.env_seconds += time.perf_counter() - begin
        self.step_info = info
        self._returns += reward
        self._lengths += 1
        done = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if done.any():
            for row in np.flatnonzero(done).tolist():
                infos[row] = self._final_info(row, info, bool(truncated[row] and not terminated[row]))
                self.reset_infos[row] = row_info(info, row)
            self._returns[done] = 0.0
            self._lengths[done] = 0
        return observation, reward.astype(np.float32), done, infos

    def _final_info(self, row: int, info: Mapping[str, Any], timed_out: bool) -> dict[str, Any]:
        final = row_info(info["final_info"], row)
        final["episode"] = {
            "r": round(float(self._returns[row]), 6),
            "l": int(self._lengths[row]),
            "t": round(time.time() - self._started, 6),
        }
        final["TimeLimit.truncated"] = timed_out
        final["terminal_observation"] = info["final_obs"][row]
        return final

    # -- pictures ---------------------------------------------------------------------------------------------

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """A picture of every row; None where the environment was not made with `render_mode="rgb_array"`."""
        if self.env.render_mode != "rgb_array":
            return [None] * self.num_envs
        return list(self.env.render() or ())

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    # -- attributes -------------------------------------------------------------------------------------------

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """An attribute of the vector environment, once for each index: rows share one environment."""
        value = getattr(self.env, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Set an attribute of the vector environment, for all rows.

        Raises:
            ShopfloorError: if `indices` leaves rows out, since rows share one environment.
        """
        if set(self._get_indices(indices)) != set(range(self.num_envs)):
            raise ShopfloorError(f"the rows share one environment, so {attr_name!r} can only be set for all of them")
        setattr(self.env, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Indices = None, **kwargs: Any) -> list[Any]:
        """Call a method of the vector environment once; its result stands once for each index.

        `compute_reward` is the task's vectorized goal reward, as hindsight replay calls it.
        """
        owner = self if method_name == "compute_reward" else self.env
        result = getattr(owner, method_name)(*args, **kwargs)
        return [result for _ in self._get_indices(indices)]

    def compute_reward(self, achieved: NDArray[Any], desired: NDArray[Any], infos: Any) -> NDArray[np.float64]:
        """Rewards (k,) of achieved and desired goals (k, goal_size)."""
        return self.env.task.goal_reward(np.asarray(achieved), np.asarray(desired))

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: Indices = None
    ) -> list[bool]:
        """True for `Monitor`, whose episode figures this class reports, False for every other wrapper."""
        return [issubclass(Monitor, wrapper_class) for _ in self._get_indices(indices)]

    # -- state ------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Everything that the future depends on, as plain arrays and numbers."""
        return {
            "env": self.env.get_state(),
            "returns": self._returns.copy(),
            "lengths": self._lengths.copy(),
            "seeds": list(self._seeds),
            "options": [dict(options) for options in self._options],
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `get_state` returned, here or in another process."""
        self.env.set_state(state["env"])
        self._returns[:] = state["returns"]
        self._lengths[:] = state["lengths"]
        self._seeds = list(state["seeds"])
        self._options = [dict(options) for options in state["options"]]


def row_info(info: Mapping[str, Any], row: int) -> dict[str, Any]:
    """One row of a dense info dictionary, as the single environment gives it: plain numbers, None for no metric."""
    out = _row(info, row)
    out["metrics"] = {name: None if math.isnan(value) else value for name, value in out["metrics"].items()}
    return out


def _row(info: Mapping[str, Any], row: int) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in info.items():
        if key.startswith("_") or key in ("final_obs", "final_info"):
            continue
        if isinstance(value, Mapping):
            out[key] = _row(value, row)
        else:
            item = value[row]
            out[key] = item.copy() if isinstance(item, np.ndarray) else item.item() if hasattr(item, "item") else item
    return out
