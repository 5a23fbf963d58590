"""The policies that evaluation can score: an exported bundle, the scripted ones, and two baselines."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..deploy.bundle import Bundle
from ..envs.engine.core import BatchedCell
from ..envs.engine.expert import Expert
from ..envs.engine.task import Task
from ..envs.randomness import KeyedRandom
from ..errors import ShopfloorError
from .decisions import DecidingBundle, scripted_decisions

Array = NDArray[np.float64]
Index = NDArray[np.intp]

SCRIPTED = ("expert", "oracle", "random", "zero", "first_come")


class Policy(Protocol):
    """Something that commands the rows of a cell. A row's set-points must not depend on the other rows.

    Attributes:
        kind: "bundle", or one of `SCRIPTED`.
        privileged: whether it knows what a deployed policy cannot know.
    """

    kind: str
    privileged: bool

    def reset(self, cell: BatchedCell, rows: Index) -> None:
        """Prepare for the episodes that begin in `rows`."""

    def act(self, cell: BatchedCell, rows: Index) -> NDArray[Any]:
        """Set-points (n, size), or decisions (n, 1), of which those of `rows` are used."""


class BundlePolicy:
    """An exported policy, asked row by row at batch 1, as the controller does."""

    kind = "bundle"
    privileged = False

    def __init__(self, bundle: Bundle):
        self.bundle = bundle
        self._policy = bundle.policy

    def reset(self, cell: BatchedCell, rows: Index) -> None:
        """The observation holds all there is to remember."""

    def act(self, cell: BatchedCell, rows: Index) -> Array:
        """Set-points of the given rows; the others get the middle of the range."""
        observation = cell.observation()
        out = neutral(cell)
        for row in rows.tolist():
            out[row] = self._policy(observation[row])
        return out


class ScriptedPolicy:
    """A task's expert or oracle."""

    def __init__(self, kind: str, expert: Expert):
        self.kind = kind
        self.privileged = expert.privileged
        self._expert = expert

    def reset(self, cell: BatchedCell, rows: Index) -> None:
        """Pass on which rows begin."""
        self._expert.reset(cell.s, rows)

    def act(self, cell: BatchedCell, rows: Index) -> Array:
        """The script's set-points."""
        return self._expert.act(cell.s, cell.readings())


class RandomPolicy:
    """Actions uniform on [-1, 1], drawn by seed, episode and step."""

    kind = "random"
    privileged = False

    def __init__(self) -> None:
        self._random = KeyedRandom()

    def reset(self, cell: BatchedCell, rows: Index) -> None:
        """Draws are keyed: there is nothing to remember."""

    def act(self, cell: BatchedCell, rows: Index) -> Array:
        """Random set-points."""
        s = cell.s
        actions = np.zeros((cell.n, len(cell.terms)))
        for row in rows.tolist():
            generator = self._random.generator(int(s.seed[row]), "policy:random", int(s.episode[row]), int(s.step[row]))
            actions[row] = generator.uniform(-1.0, 1.0, actions.shape[1])
        return cell.setpoints(actions)


class ZeroPolicy:
    """Action 0 at every step."""

    kind = "zero"
    privileged = False

    def reset(self, cell: BatchedCell, rows: Index) -> None:
        """There is nothing to remember."""

    def act(self, cell: BatchedCell, rows: Index) -> Array:
        """The middle of every range."""
        return neutral(cell)


def neutral(cell: BatchedCell) -> Array:
    """Set-points (n, size) of action 0."""
    return cell.setpoints(np.zeros((cell.n, len(cell.terms))))


def find_bundle(name: str) -> Bundle | None:
    """The bundle that a command-line argument names: a bundle's folder or a run's; None for a scripted policy.

    Raises:
        ShopfloorError: if it is neither.
    """
    if name in SCRIPTED:
        return None
    folder = Path(name)
    if not folder.exists():
        close = difflib.get_close_matches(name, SCRIPTED, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ShopfloorError(f"no policy {name!r}: {hint}name a bundle, a run, or one of {', '.join(SCRIPTED)}")
    return Bundle.load(folder)


def has_scripted(kind: str, task: Task) -> bool:
    """Whether a task has a scripted policy of that kind."""
    try:
        scripted(kind, task)
    except ShopfloorError:
        return False
    return True


def bundle_policy(bundle: Bundle) -> Policy:
    """The policy of a bundle, which commands set-points or decides."""
    return DecidingBundle(bundle) if bundle.contract.decisions else BundlePolicy(bundle)


def scripted(kind: str, task: Task) -> Policy:
    """A scripted policy of a task.

    Raises:
        ShopfloorError: if the task has none of that kind.
    """
    if task.decisions:
        return scripted_decisions(kind, task)
    if kind == "random":
        return RandomPolicy()
    if kind == "zero":
        return ZeroPolicy()
    expert = {"expert": task.expert, "oracle": task.oracle}.get(kind, lambda: None)()
    if expert is None:
        raise ShopfloorError(f"{type(task).__name__} has no {kind}")
    return ScriptedPolicy(kind, expert)
