"""Recording an excitation through the controller runtime, as a policy would be run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..contract import Contract
from ..deploy.bundle import SelfTest
from ..deploy.control_layer import ControlLayer
from ..deploy.log import write_json
from ..deploy.runtime import NOT_SAFETY, ControllerRuntime, Episode, deadline_statistics, intervention_counts
from ..deploy.twin import MujocoTwin
from ..envs.engine.core import Forced
from ..envs.randomization import NOMINAL
from ..errors import ShopfloorError
from .logs import SUMMARY

Array = NDArray[np.float64]


class Excitation:
    """A program for the controller runtime that plays a table of set-points, whatever it observes."""

    def __init__(self, contract: Contract):
        self.contract = contract
        self.path = Path("excitation")
        self._table = np.zeros((0, len(contract.action)))
        self._next = 0

    def load(self, table: Array) -> None:
        """Play this table (ticks, size) in the next episode."""
        self._table, self._next = table, 0

    @property
    def policy(self) -> Callable[[NDArray[np.float32]], Array]:
        """Set-points (size,) tick by tick; at rest after the last."""
        return self._play

    def _play(self, observation: NDArray[np.float32]) -> Array:
        row = self._table[self._next] if self._next < len(self._table) else np.zeros(self._table.shape[1])
        self._next += 1
        return np.asarray(row, dtype=np.float64)

    def self_test(self) -> SelfTest:
        """Nothing to compare."""
        return SelfTest(True, 0, 0.0, "a table of set-points; nothing to test")


@dataclass(frozen=True)
class Recorded:
    """What was recorded.

    Attributes:
        episodes: one for each table.
        plant: the values that the twin's plant was given, by randomization term; empty for the nominal one.
    """

    episodes: list[Episode]
    plant: dict[str, Any]


def hide_plant(twin: MujocoTwin, seed: int, forced: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Give a twin one plant for all of its episodes: a sample of its randomization, with some values forced.

    Terms that change within an episode stay out, since they are no property of a plant.

    Returns:
        The values, by term.
    """
    randomizer = twin.cell.randomizer
    if randomizer is None:
        if forced:
            raise ShopfloorError("this environment declares no randomization, so its plant cannot be changed")
        return {}
    drawn = randomizer.draw(np.array([seed]), np.array([0]), forced)
    dynamic = {t.name for t in randomizer.spec.terms if t.dynamic}
    plant = {k: v[0].tolist() for k, v in drawn.values.items() if drawn.active[k][0] and k not in dynamic}
    twin.forced = Forced(randomization=plant, split=NOMINAL)
    return plant


def record(
    layer: ControlLayer, tables: list[Array], seeds: list[int], folder: Path, *, realtime: bool = False
) -> list[Episode]:
    """Run one episode for each table and write `episode_<seed>.npz`, the log of the controller runtime.

    Raises:
        ShopfloorError: if the runtime had to stop an episode.
    """
    program = Excitation(layer.describe())
    runtime = ControllerRuntime(program, layer, realtime=realtime)
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {t.name: t.size for t in program.contract.observation}
    episodes = []
    for seed, table in zip(seeds, tables, strict=True):
        program.load(table)
        episode = runtime.run_episode(seed)
        if episode.fault or episode.reason == "interrupted":
            raise ShopfloorError(f"episode {seed} was stopped: {episode.reason}")
        episode.log.save(folder / f"episode_{seed}.npz", sizes)
        episodes.append(episode)
    return episodes


def write_summary(folder: Path, contract: Contract, recorded: Recorded, excitation: Mapping[str, Any]) -> None:
    """Write what the recording is of, beside its episodes."""
    write_json(
        folder / SUMMARY,
        {
            "schema_version": 1,
            "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
            "environment": {
                "id": contract.env_id,
                "task_kwargs": contract.task_kwargs,
                "fingerprint": contract.fingerprint,
            },
            "versions": {"shopfloor": __version__, "numpy": np.__version__},
            "control_hz": contract.control_hz,
            "excitation": dict(excitation),
            "plant": recorded.plant,
            "deadlines": deadline_statistics(recorded.episodes),
            "interventions": intervention_counts(recorded.episodes),
            "episodes": [{"seed": e.seed, "ticks": len(e.log.ticks), "reason": e.reason} for e in recorded.episodes],
            "safety": NOT_SAFETY,
        },
    )
