"""Appearance: colours, materials, lights and cameras of the model that pictures are drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from .model_effects import ModelEffects
from .spec import Term

Array = NDArray[np.float64]

# what MuJoCo asks of these: shares stay shares, directions stay unit vectors
_SHARES = ("rgba", "diffuse", "ambient", "specular", "emission", "shininess", "reflectance", "metallic", "roughness")
_UNIT = ("light_dir", "cam_quat")


class VisualPlant:
    """The looks of a model, as designed, as a plant of one row."""

    n = 1

    def __init__(self, model: mujoco.MjModel):
        self.model = model
        self._fields: dict[str, Array] = {}

    def field(self, name: str) -> Array:
        """Float64 values of a field (1, ...); `flush` writes them into a model for pictures."""
        if name not in self._fields:
            self._fields[name] = np.array(getattr(self.model, name), dtype=np.float64)[None]
        return self._fields[name]

    def stale(self, rows: NDArray[np.intp]) -> None:
        """Nothing: the renderer brings its model up to date with every picture."""

    def flush(self, model: mujoco.MjModel) -> None:
        """Write the fields into a model of the same layout, within what they may be."""
        for name, values in self._fields.items():
            if name.endswith(_SHARES):
                values = np.clip(values, 0.0, 1.0)
            if name in _UNIT:
                values = values / np.maximum(np.sqrt((values * values).sum(axis=-1, keepdims=True)), 1e-12)
            getattr(model, name)[...] = values[0]


class Visuals:
    """The visual terms of a spec; `model` has the looks as designed and stays as it is."""

    def __init__(self, model: mujoco.MjModel, terms: Sequence[Term]):
        self._plant = VisualPlant(model)
        self._effects = ModelEffects(self._plant, terms)
        self.bound = self._effects.bound

    def apply(self, model: mujoco.MjModel, values: Mapping[str, Array], active: Mapping[str, bool]) -> None:
        """Give a model for pictures the values (size,) of the active terms, everything else as designed."""
        rows = np.zeros(1, dtype=np.intp)
        self._effects.apply(
            rows,
            {k: v[None] for k, v in values.items()},
            {k: np.array([v]) for k, v in active.items()},
        )
        self._plant.flush(model)
