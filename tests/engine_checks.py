"""What the property tests share: the environments they run over, and comparisons to the last bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from shopfloor.envs.engine.core import BatchedCell
from shopfloor.envs.engine.task import Task
from shopfloor.envs.engine.vector_env import CellVectorEnv
from shopfloor.envs.registry import env_ids, make_task, make_vector_env, task_arguments

# Arguments under which an environment runs other code than by default. A new id is tested by being registered; what
# stands here is tested besides.
VARIANTS: dict[str, tuple[dict[str, Any], ...]] = {
    "shopfloor/ArmPegInsert-v0": ({"peg": "rectangular"},),
    "shopfloor/ArmPickPlace-v0": ({"goal_conditioned": True},),
    "shopfloor/ArmReach-v0": (
        {"action": "joint_velocity"},
        {"action": "joint_torque"},
        {"action": "tcp_twist"},
        {"goal": "position"},
        {"goal_conditioned": True},
        {"goal": "position", "goal_conditioned": True},
        {"robot": "scara"},
        {"robot": "iiwa14", "action": "tcp_twist"},
    ),
    "shopfloor/WaferTransfer-v0": (
        {"move": "line"},
        {"move": "arc"},
        {"move": "via"},
        {"pads": "any"},
        {"mode": "extension"},
        {"move": "via", "action": "path_acceleration"},
        {"action": "move_parameters"},
        {"action": "path_acceleration"},
        {"action": "joint_motion"},
        {"observation": ("policy", "privileged")},
        {"observation": "privileged"},
    ),
    "shopfloor/WeldGapFill-v0": ({"joint": "lap"}, {"joint": "butt", "gas": "mix"}, {"robot": "arcmate100id"}),
    "shopfloor/WeldArcSense-v0": ({"pattern": "triangle", "robot": "arcmate100id"},),
    "shopfloor/WeldPositioner-v0": ({"part": "pipe", "robot": "arcmate100id"},),
    "shopfloor/WeldSeamTrack-v0": (
        {"joint": "lap", "seam": "curved", "robot": "arcmate100id"},
        {"travel": "action", "seam": "curved"},
    ),
    "shopfloor/WeldTouchSense-v0": ({"joint": "corner", "robot": "arcmate100id"},),
}


@dataclass(frozen=True)
class Case:
    """A registered id with arguments."""

    env_id: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        name = self.env_id.partition("/")[2]
        return "-".join([name, *(f"{k}={'+'.join(v) if isinstance(v, tuple) else v}" if not isinstance(v, bool) else k
                                 for k, v in self.kwargs.items())])  # fmt: skip

    @property
    def task_kwargs(self) -> dict[str, Any]:
        """The arguments that the task takes."""
        return {k: v for k, v in self.kwargs.items() if k in task_arguments(self.env_id)}

    def task(self) -> Task:
        """A fresh task."""
        return make_task(self.env_id, **self.task_kwargs)

    def cell(self, n: int, threads: int = 1, **kwargs: Any) -> BatchedCell:
        """A batched cell of n rows; one thread, as tests run beside each other."""
        return BatchedCell(self.task(), n, threads, **kwargs)

    def single(self, **kwargs: Any) -> gym.Env[Any, Any]:
        """The environment that `gymnasium.make` gives."""
        return gym.make(self.env_id, **self.kwargs, **kwargs)

    def vector(self, n: int, threads: int = 1, **kwargs: Any) -> CellVectorEnv:
        """A vector environment of n rows."""
        return make_vector_env(self.env_id, n, threads=threads, **self.kwargs, **kwargs)


def registered_cases() -> list[Case]:
    """Every registered id with its default arguments."""
    return [Case(env_id) for env_id in env_ids()]


def variant_cases() -> list[Case]:
    """The variants."""
    return [Case(env_id, kwargs) for env_id, many in VARIANTS.items() for kwargs in many]


def all_cases() -> list[Case]:
    """Every registered id with its default arguments, and the variants."""
    return [*registered_cases(), *variant_cases()]


def differences(a: Any, b: Any, path: str = "") -> Iterator[str]:
    """Places at which two nested structures differ; bits count, NaN equals NaN, None equals NaN."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        if list(a) != list(b):
            yield f"{path}: keys {sorted(map(str, set(a) ^ set(b)))} (or their order)"
            return
        for key in a:
            yield from differences(a[key], b[key], f"{path}/{key}")
    elif isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        if len(a) != len(b):
            yield f"{path}: lengths {len(a)} and {len(b)}"
            return
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            yield from differences(x, y, f"{path}[{i}]")
    elif isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        yield from _array_differences(a, b, path)
    elif not (a == b or (_is_nan(a) and _is_nan(b))):
        yield f"{path}: {a!r} and {b!r}"


def _array_differences(a: Any, b: Any, path: str) -> Iterator[str]:
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
        yield f"{path}: {type(a).__name__} and {type(b).__name__}"
    elif a.shape != b.shape or a.dtype != b.dtype:
        yield f"{path}: {a.dtype}{a.shape} and {b.dtype}{b.shape}"
    elif a.dtype == object:
        for i, (x, y) in enumerate(zip(a.ravel(), b.ravel(), strict=True)):
            yield from differences(x, y, f"{path}[{i}]")
    elif not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
        where = np.argwhere(~((a == b) | ((a != a) & (b != b))))[0].tolist()
        yield f"{path}{where}: {a[tuple(where)]!r} and {b[tuple(where)]!r}"


def _is_nan(value: Any) -> bool:
    return value is None or (isinstance(value, (float, np.floating)) and bool(np.isnan(value)))


def assert_same(a: Any, b: Any, what: str = "") -> None:
    """Fail with the first differences unless two nested structures are equal to the bit."""
    found = list(differences(a, b))
    assert not found, f"{what} {found[:5]}"


def row_of(value: Any, row: int) -> Any:
    """One row of batched data, nested or not."""
    if isinstance(value, Mapping):
        return {k: row_of(v, row) for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(row_of(v, row) for v in value)
    return value[row]


def row_info(info: Mapping[str, Any], row: int) -> dict[str, Any]:
    """One row of dense infos as the single environment gives it."""
    out: dict[str, Any] = {}
    for key, value in info.items():
        if key.startswith("_") or key in ("final_obs", "final_info"):
            continue
        assert info[f"_{key}"][row], f"row {row} has no {key}"
        if isinstance(value, Mapping):
            out[key] = row_info(value, row)
        else:
            item = value[row]
            out[key] = item.item() if isinstance(item, np.generic) else item
    return out


def break_with_nan(env: Any, row: int) -> None:
    """Put a position into the physics of a row that is no number."""
    env.cell.sim.qpos[row, 0] = np.nan


def break_with_speed(env: Any, row: int) -> None:
    """Put speeds into the physics of a row that no step survives."""
    env.cell.sim.qvel[row] = 1e12


def break_with_error(env: Any, row: int) -> None:
    """Let MuJoCo raise an error in a row."""
    env.cell.sim.field("opt.integrator")[row] = 99


def break_process(env: Any, row: int) -> None:
    """Put a number that is none into the process of a row, which the task integrates itself."""
    getattr(env.cell.s, env.cell.task.process_state[0])[row] = np.nan


def breakers(env: Any) -> tuple[Any, ...]:
    """What can break a row of an environment that has made a step: MuJoCo's physics, the task's own, or both."""
    found: list[Any] = []
    if (env.cell.sim.output("time") > 0.0).any():
        found += [break_with_nan, break_with_speed, break_with_error]
    if env.cell.task.process_state:
        found.append(break_process)
    return tuple(found)


def endless(env: CellVectorEnv) -> CellVectorEnv:
    """The same environment with episodes that end by the time limit or broken physics alone."""
    task = env.task
    object.__setattr__(task, "succeeded", lambda s: np.zeros(s.n, dtype=bool))
    object.__setattr__(task, "failures", lambda s: {k: np.zeros(s.n, dtype=bool) for k in task.failure_texts})
    return env


def actions(case: Case, n: int, steps: int, seed: int = 0) -> NDArray[np.float32]:
    """Random actions (steps, n, size) that hold still for a few steps, so that the rows get somewhere."""
    size = len(case.task().make_action().terms)
    rng = np.random.default_rng([seed, 7])
    held = rng.uniform(-1.0, 1.0, (steps // 5 + 1, n, size))
    jitter = rng.uniform(-0.2, 0.2, (steps, n, size))
    return np.clip(np.repeat(held, 5, axis=0)[:steps] + jitter, -1.0, 1.0).astype(np.float32)


def copied(value: Any) -> Any:
    """A deep copy of nested arrays."""
    if isinstance(value, Mapping):
        return {k: copied(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(copied(v) for v in value)
    return value.copy() if isinstance(value, np.ndarray) else value


def leaves(value: Any) -> Iterator[NDArray[Any]]:
    """All arrays of a nested structure."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, np.ndarray):
        if value.dtype == object:
            for item in value.ravel():
                yield from leaves(item)
        yield value


def play(cell: BatchedCell, until: Any = lambda cell: False) -> NDArray[np.bool_]:
    """The expert until episodes have ended, or a condition is met; which have succeeded."""
    expert = cell.task.expert()
    ended, success = np.zeros(cell.n, bool), np.zeros(cell.n, bool)
    while not ended.all() and not until(cell):
        cell.step(expert.act(cell.s, cell.readings()), None if not ended.any() else np.flatnonzero(~ended))
        success |= cell.success & ~ended
        ended |= cell.terminated | cell.truncated
    return success
