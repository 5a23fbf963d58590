"""The environments of the suite and the functions that `gymnasium.make` and `gymnasium.make_vec` call."""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ShopfloorError

if TYPE_CHECKING:
    from .engine.core import BatchedCell
    from .engine.env import CellEnv
    from .engine.task import Task
    from .engine.vector_env import CellVectorEnv
    from .wafer.cluster.task import ClusterTool

NAMESPACE = "shopfloor"

# id without namespace -> task class, relative to this package; a class itself where `register_task` has added one
TASKS: dict[str, str | type[Task]] = {
    "ArmConveyorPick-v0": "arms.conveyor_pick:ArmConveyorPick",
    "ArmGearMesh-v0": "arms.gear_mesh:ArmGearMesh",
    "ArmMachineTend-v0": "arms.machine_tend:ArmMachineTend",
    "ArmPegInsert-v0": "arms.peg_insert:ArmPegInsert",
    "ArmPickPlace-v0": "arms.pick_place:ArmPickPlace",
    "ArmPolish-v0": "arms.polish:ArmPolish",
    "ArmReach-v0": "arms.reach:ArmReach",
    "WaferAutoTeach-v0": "wafer.teach:WaferAutoTeach",
    "WaferCenter-v0": "wafer.center:WaferCenter",
    "WaferSlotPick-v0": "wafer.slot:WaferSlotPick",
    "WaferSlotPlace-v0": "wafer.slot:WaferSlotPlace",
    "WaferSwap-v0": "wafer.swap:WaferSwap",
    "WaferTransfer-v0": "wafer.transfer:WaferTransfer",
    "WaferTransferLot-v0": "wafer.lot:WaferTransferLot",
    "WeldArcSense-v0": "welding.arc_sense:WeldArcSense",
    "WeldGapFill-v0": "welding.gap_fill:WeldGapFill",
    "WeldMultipass-v0": "welding.multipass:WeldMultipass",
    "WeldPositioner-v0": "welding.positioner:WeldPositioner",
    "WeldSeamTrack-v0": "welding.seam_track:WeldSeamTrack",
    "WeldTouchSense-v0": "welding.touch_sense:WeldTouchSense",
    "WeldUCell-v0": "welding.u_cell:WeldUCell",
}


class EventDriven(NamedTuple):
    """An environment whose steps are decisions, which take as long as they take, instead of control periods.

    It has no control rate, no set-points and no physics, so that what is built on those (the twin and the controller
    runtime, identification, reports) does not take it; `gymnasium.make` and `make_vec`, training, evaluation, export,
    pictures, films and the browser view do.

    Attributes:
        task, cell, env, vector_env: classes, relative to this package.
        max_steps: time limit in decisions.
    """

    task: str
    cell: str
    env: str
    vector_env: str
    max_steps: int


EVENT_DRIVEN: dict[str, EventDriven] = {
    "ClusterTool-v0": EventDriven(
        "wafer.cluster.task:ClusterTool",
        "wafer.cluster.cell:ClusterCell",
        "wafer.cluster.env:ClusterToolEnv",
        "wafer.cluster.env:ClusterToolVectorEnv",
        1000,
    ),
}


def env_ids() -> list[str]:
    """All registered ids of tasks with a control rate, with namespace."""
    return [f"{NAMESPACE}/{name}" for name in TASKS]


def event_driven_ids() -> list[str]:
    """All registered ids of event-driven environments, with namespace."""
    return [f"{NAMESPACE}/{name}" for name in EVENT_DRIVEN]


def task_class(env_id: str) -> type[Task]:
    """The task class of an id, with or without namespace.

    Raises:
        ShopfloorError: if there is no such id, naming close ones, or if its environment is event driven.
    """
    name = _plain(env_id)
    if name in EVENT_DRIVEN:
        raise ShopfloorError(
            f"{NAMESPACE}/{name} is event driven: it has no control rate, which this needs; "
            "it can be made, trained, evaluated, exported, rendered and viewed"
        )
    if name not in TASKS:
        close = difflib.get_close_matches(name, [*TASKS, *EVENT_DRIVEN], n=1, cutoff=0.3)
        hint = f"did you mean {NAMESPACE}/{close[0]}? " if close else ""
        known = ", ".join([*env_ids(), *event_driven_ids()])
        raise ShopfloorError(f"no environment {env_id!r}; {hint}registered: {known}")
    entry = TASKS[name]
    if not isinstance(entry, str):
        return entry
    found: type[Task] = _load(entry)
    return found


def declaration_class(env_id: str) -> type[Task]:
    """What declares an environment, be it driven by a control rate or by events.

    Raises:
        ShopfloorError: if there is no such id.
    """
    if _plain(env_id) in EVENT_DRIVEN:
        declaration: Any = event_driven_class(env_id)
        found: type[Task] = declaration
        return found
    return task_class(env_id)


def event_driven_class(env_id: str) -> type[ClusterTool]:
    """The declaration of an event-driven environment, by its id with or without namespace."""
    found: type[ClusterTool] = _load(EVENT_DRIVEN[_plain(env_id)].task)
    return found


def _plain(env_id: str) -> str:
    return env_id.removeprefix(f"{NAMESPACE}:").removeprefix(f"{NAMESPACE}/")


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(f".{module}", __package__), name)


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
    if name in EVENT_DRIVEN or TASKS.get(name, task) is not task:
        raise ShopfloorError(f"the name {name!r} is taken by another task; use another name or the next version")
    TASKS[name] = task
    MAX_STEPS[name] = task.timing.max_steps
    register_all()
    return f"{NAMESPACE}/{name}"


def task_arguments(env_id: str) -> dict[str, inspect.Parameter]:
    """The keyword arguments that a task takes, by name."""
    return arguments_of(task_class(env_id))


def declaration_arguments(env_id: str) -> dict[str, inspect.Parameter]:
    """The keyword arguments that any environment's declaration takes, by name."""
    return arguments_of(declaration_class(env_id))


def arguments_of(declaration: type) -> dict[str, inspect.Parameter]:
    """The keyword arguments that a class takes, by name."""
    parameters = inspect.signature(declaration.__init__).parameters  # type: ignore[misc]
    gathered = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {k: p for k, p in parameters.items() if k != "self" and p.kind not in gathered}


def make_task(env_id: str, **kwargs: Any) -> Task:
    """Build a task.

    Raises:
        ShopfloorError: if the id or an argument is unknown.
    """
    task_class(env_id)  # refuses what is driven by events
    return make_declaration(env_id, **kwargs)


def make_declaration(env_id: str, **kwargs: Any) -> Task:
    """Build what declares an environment: a task, or its counterpart that is driven by events (`task.decisions`).

    Raises:
        ShopfloorError: if the id or an argument is unknown.
    """
    known = declaration_arguments(env_id)
    for key in kwargs:
        if key not in known:
            raise _unknown_argument(env_id, key, list(known))
    return declaration_class(env_id)(**kwargs)


def make_cell(task: Task, n: int, threads: int | None = None, randomization: object = None) -> BatchedCell:
    """The cell of a declaration: n rows that physics steps, or that decide."""
    from .engine.core import BatchedCell

    if not task.decisions:
        return BatchedCell(task, n, threads, randomization=randomization)
    place = next(entry.cell for entry in EVENT_DRIVEN.values() if _load(entry.task) is type(task))
    cell: BatchedCell = _load(place)(task, n, randomization=randomization)
    return cell


def make_env(env_id: str, **kwargs: Any) -> CellEnv:
    """Entry point of `gymnasium.make`: task arguments and environment arguments together."""
    from .engine.env import CellEnv, GoalCellEnv

    if (event_driven := EVENT_DRIVEN.get(_plain(env_id))) is not None:
        return _make_event_driven(env_id, event_driven.env, kwargs)
    task, rest = _split(env_id, kwargs, CellEnv)
    return GoalCellEnv(task, **rest) if task.goal_size else CellEnv(task, **rest)


def make_vector_env(env_id: str, num_envs: int = 1, **kwargs: Any) -> CellVectorEnv:
    """Entry point of `gymnasium.make_vec`."""
    from .engine.vector_env import CellVectorEnv

    if (event_driven := EVENT_DRIVEN.get(_plain(env_id))) is not None:
        return _make_event_driven(env_id, event_driven.vector_env, {**kwargs, "num_envs": num_envs})
    task, rest = _split(env_id, kwargs, CellVectorEnv)
    return CellVectorEnv(task, num_envs, **rest)


def _make_event_driven(env_id: str, place: str, kwargs: dict[str, Any]) -> Any:
    env, declaration = _load(place), event_driven_class(env_id)
    ours, theirs = _sorted(env_id, kwargs, arguments_of(declaration), env)
    return env(declaration(**ours), **theirs)


def _split(env_id: str, kwargs: dict[str, Any], env: type) -> tuple[Task, dict[str, Any]]:
    ours, theirs = _sorted(env_id, kwargs, task_arguments(env_id), env)
    return make_task(env_id, **ours), theirs


def _sorted(
    env_id: str, kwargs: dict[str, Any], ours: Mapping[str, Any], env: type
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of the task, and those of the environment."""
    theirs = [k for k in inspect.signature(env).parameters if k != "task"]
    for key in kwargs:
        if key not in ours and key not in theirs:
            raise _unknown_argument(env_id, key, [*ours, *(k for k in theirs if k != "num_envs")])
    return {k: v for k, v in kwargs.items() if k in ours}, {k: v for k, v in kwargs.items() if k not in ours}


def _unknown_argument(env_id: str, key: str, known: list[str]) -> ShopfloorError:
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return ShopfloorError(f"{env_id} takes no argument {key!r}; {hint}it takes: {', '.join(known)}")


def register_all() -> None:
    """Register every id with Gymnasium; called when `shopfloor` is imported."""
    import gymnasium as gym

    limits = {**{name: MAX_STEPS[name] for name in TASKS}, **{k: v.max_steps for k, v in EVENT_DRIVEN.items()}}
    for name, max_steps in limits.items():
        env_id = f"{NAMESPACE}/{name}"
        if env_id in gym.registry:
            continue
        gym.register(
            id=env_id,
            entry_point="shopfloor.envs.registry:make_env",
            vector_entry_point="shopfloor.envs.registry:make_vector_env",
            max_episode_steps=max_steps,
            kwargs={"env_id": env_id},
        )


# time limits in control steps, here so that registration imports no task; a test compares them with the tasks
MAX_STEPS: dict[str, int] = {
    "ArmConveyorPick-v0": 300,
    "ArmGearMesh-v0": 200,
    "ArmMachineTend-v0": 400,
    "ArmPegInsert-v0": 200,
    "ArmPickPlace-v0": 250,
    "ArmPolish-v0": 300,
    "ArmReach-v0": 150,
    "WaferAutoTeach-v0": 100,
    "WaferCenter-v0": 60,
    "WaferSlotPick-v0": 300,
    "WaferSlotPlace-v0": 300,
    "WaferSwap-v0": 350,
    "WaferTransfer-v0": 200,
    "WaferTransferLot-v0": 300,
    "WeldArcSense-v0": 650,
    "WeldGapFill-v0": 900,
    "WeldMultipass-v0": 30,
    "WeldPositioner-v0": 650,
    "WeldSeamTrack-v0": 650,
    "WeldTouchSense-v0": 100,
    "WeldUCell-v0": 900,
}
