"""The environments of the suite and the functions that `gymnasium.make` and `gymnasium.make_vec` call."""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
from typing import TYPE_CHECKING, Any

from ..errors import ShopfloorError

if TYPE_CHECKING:
    from .engine.env import CellEnv
    from .engine.task import Task
    from .engine.vector_env import CellVectorEnv

NAMESPACE = "shopfloor"

# id without namespace -> task class, relative to this package; a class itself where `register_task` has added one
TASKS: dict[str, str | type[Task]] = {
    "ArmReach-v0": "arms.reach:ArmReach",
    "WaferCenter-v0": "wafer.center:WaferCenter",
    "WaferSlotPick-v0": "wafer.slot:WaferSlotPick",
    "WaferSlotPlace-v0": "wafer.slot:WaferSlotPlace",
    "WaferTransfer-v0": "wafer.transfer:WaferTransfer",
}


def env_ids() -> list[str]:
    """All registered ids, with namespace."""
    return [f"{NAMESPACE}/{name}" for name in TASKS]


def task_class(env_id: str) -> type[Task]:
    """The task class of an id, with or without namespace.

    Raises:
        ShopfloorError: if there is no such id; names close ones.
    """
    name = env_id.removeprefix(f"{NAMESPACE}:").removeprefix(f"{NAMESPACE}/")
    if name not in TASKS:
        close = difflib.get_close_matches(name, TASKS, n=1, cutoff=0.3)
        hint = f"did you mean {NAMESPACE}/{close[0]}? " if close else ""
        raise ShopfloorError(f"no environment {env_id!r}; {hint}registered: {', '.join(env_ids())}")
    entry = TASKS[name]
    if not isinstance(entry, str):
        return entry
    module, _, cls = entry.partition(":")
    found: type[Task] = getattr(importlib.import_module(f".{module}", __package__), cls)
    return found


def register_task(name: str, task: type[Task]) -> str:
    """Add a task of your own, in this process: to Gymnasium, and to everything here that takes an id.

    Args:
        name: name and version, such as "Gantry-v0".
        task: the class. Its time limit is the one that its `timing` declares.

    Returns:
        The id, with namespace.

    Raises:
        ShopfloorError: if the name is malformed or another task has it.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*-v\d+", name):
        raise ShopfloorError(f"a task's name is letters and digits with a version, such as Gantry-v0, got {name!r}")
    if TASKS.get(name, task) is not task:
        raise ShopfloorError(f"the name {name!r} is taken by another task; use another name or the next version")
    TASKS[name] = task
    MAX_STEPS[name] = task.timing.max_steps
    register_all()
    return f"{NAMESPACE}/{name}"


def task_arguments(env_id: str) -> dict[str, inspect.Parameter]:
    """The keyword arguments that a task takes, by name."""
    parameters = inspect.signature(task_class(env_id).__init__).parameters
    return {k: p for k, p in parameters.items() if k != "self" and p.kind is not inspect.Parameter.VAR_KEYWORD}


def make_task(env_id: str, **kwargs: Any) -> Task:
    """Build a task.

    Raises:
        ShopfloorError: if the id or an argument is unknown.
    """
    known = task_arguments(env_id)
    for key in kwargs:
        if key not in known:
            raise _unknown_argument(env_id, key, list(known))
    return task_class(env_id)(**kwargs)


def make_env(env_id: str, **kwargs: Any) -> CellEnv:
    """Entry point of `gymnasium.make`: task arguments and environment arguments together."""
    from .engine.env import CellEnv, GoalCellEnv

    task, rest = _split(env_id, kwargs, CellEnv)
    return GoalCellEnv(task, **rest) if task.goal_size else CellEnv(task, **rest)


def make_vector_env(env_id: str, num_envs: int = 1, **kwargs: Any) -> CellVectorEnv:
    """Entry point of `gymnasium.make_vec`."""
    from .engine.vector_env import CellVectorEnv

    task, rest = _split(env_id, kwargs, CellVectorEnv)
    return CellVectorEnv(task, num_envs, **rest)


def _split(env_id: str, kwargs: dict[str, Any], env: type) -> tuple[Task, dict[str, Any]]:
    ours = task_arguments(env_id)
    theirs = [k for k in inspect.signature(env).parameters if k not in ("task", "num_envs")]
    for key in kwargs:
        if key not in ours and key not in theirs:
            raise _unknown_argument(env_id, key, [*ours, *theirs])
    task = make_task(env_id, **{k: v for k, v in kwargs.items() if k in ours})
    return task, {k: v for k, v in kwargs.items() if k not in ours}


def _unknown_argument(env_id: str, key: str, known: list[str]) -> ShopfloorError:
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return ShopfloorError(f"{env_id} takes no argument {key!r}; {hint}it takes: {', '.join(known)}")


def register_all() -> None:
    """Register every id with Gymnasium; called when `shopfloor` is imported."""
    import gymnasium as gym

    for name in TASKS:
        env_id = f"{NAMESPACE}/{name}"
        if env_id in gym.registry:
            continue
        gym.register(
            id=env_id,
            entry_point="shopfloor.envs.registry:make_env",
            vector_entry_point="shopfloor.envs.registry:make_vector_env",
            max_episode_steps=MAX_STEPS[name],
            kwargs={"env_id": env_id},
        )


# time limits in control steps, here so that registration imports no task; a test compares them with the tasks
MAX_STEPS: dict[str, int] = {
    "ArmReach-v0": 150,
    "WaferCenter-v0": 150,
    "WaferSlotPick-v0": 300,
    "WaferSlotPlace-v0": 300,
    "WaferTransfer-v0": 200,
}
