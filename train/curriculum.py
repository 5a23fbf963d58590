"""The curriculum of a run: attached to the training environment, and told of every finished episode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..envs.randomization.curriculum import Curriculum, Finished, make_curriculum
from .config import TrainConfig
from .sb3_adapter import CellVecEnv


class CurriculumFeed:
    """Carries finished episodes from the training environment to its curriculum.

    A row begins its next episode inside the step that ends the last one, under the distributions of that moment; which
    version of them that was is remembered here for every row.

    Args:
        curriculum: the curriculum, which the environment draws from as of now.
        venv: the training environment.
    """

    def __init__(self, curriculum: Curriculum, venv: CellVecEnv):
        randomizer = venv.env.cell.randomizer
        assert randomizer is not None
        randomizer.curriculum = curriculum
        self.curriculum = curriculum
        self._venv = venv
        self._terms = [t.name for t in randomizer.spec.terms]
        self._versions = np.zeros(venv.num_envs, dtype=np.int64)

    def add(self) -> None:
        """Pass on the episodes that ended in the last step of the environment."""
        info, cell = self._venv.step_info, self._venv.env.cell
        rows = np.flatnonzero(info.get("_final_info", ()))
        if not rows.size:
            return
        final = info["final_info"]
        sample = final["randomization"]
        finished = Finished(
            seeds=cell.s.seed[rows],
            episodes=cell.s.episode[rows] - 1,  # the row is in its next one already
            success=final["is_success"][rows],
            values={name: sample[name][rows].reshape(rows.size, -1) for name in self._terms},
            versions=self._versions[rows],
        )
        begun_under = self.curriculum.version
        self.curriculum.update(finished)
        self._versions[rows] = begun_under

    def report(self) -> dict[str, float]:
        """The curriculum's figures by TensorBoard tag."""
        return {f"curriculum/{name}": value for name, value in self.curriculum.progress().items()}

    def state_dict(self) -> dict[str, Any]:
        """The curriculum's state and the rows' versions, as plain data."""
        return {"curriculum": self.curriculum.state_dict(), "versions": self._versions.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.curriculum.load_state_dict(state["curriculum"])
        self._versions[...] = state["versions"]


def make_feed(config: TrainConfig, venv: CellVecEnv) -> CurriculumFeed | None:
    """The config's curriculum in its training environment; None where distributions stay as they are.

    Raises:
        ShopfloorError: if the environment has no randomization that the curriculum could adapt.
    """
    settings, randomizer = config.randomization.curriculum, venv.env.cell.randomizer
    if settings.kind == "fixed" or randomizer is None:
        return None
    sizes = {name: len(components) for name, components in randomizer.component_names.items()}
    return CurriculumFeed(make_curriculum(settings, randomizer.spec, sizes), venv)
