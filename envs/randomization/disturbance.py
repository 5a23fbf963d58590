"""Forces on joints and bodies that no model explains: pushes and random force injection."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from .spec import Term
from .targets import resolve

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

_AXES = ("x", "y", "z")


class Disturbances:
    """The applied forces of n rows.

    Args:
        model: the compiled model.
        terms: terms with `force.*` effects.
        joint_forces: (n, nv) generalized forces, a live view of the state.
        body_forces: (n, nbody, 6) forces and torques, a live view of the state.
    """

    def __init__(self, model: mujoco.MjModel, terms: Sequence[Term], joint_forces: Array, body_forces: Array):
        self.terms = tuple(terms)
        self._joint_forces = joint_forces
        self._body_forces = body_forces
        self._found = {t.name: resolve(model, t, "dof" if t.effect == "force.joint" else "") for t in terms}
        self._axes = {t.name: np.array((0, 1, 2) if t.components is None else t.components) for t in terms}
        joints = [self._found[t.name].index for t in terms if t.effect == "force.joint"]
        bodies = [self._found[t.name].index for t in terms if t.effect == "force.body"]
        self._joints = np.unique(np.concatenate(joints)) if joints else np.zeros(0, dtype=np.intp)
        self._bodies = np.unique(np.concatenate(bodies)) if bodies else np.zeros(0, dtype=np.intp)

    def names_of(self, term: Term) -> list[str]:
        """A name for each component of a term."""
        things = ["all"] if term.shared else list(self._found[term.name].names)
        if term.effect == "force.joint":
            return things
        return [f"{t}.{_AXES[a]}" for t in things for a in self._axes[term.name].tolist()]

    def write(self, rows: Rows, values: dict[str, Array]) -> None:
        """Apply the terms' values, name -> (k, size), in rows (k,); terms on one joint or body add up."""
        self._joint_forces[rows[:, None], self._joints] = 0.0
        self._body_forces[rows[:, None], self._bodies, :3] = 0.0
        for term in self.terms:
            index, value = self._found[term.name].index, values[term.name]
            if term.effect == "force.joint":
                self._joint_forces[rows[:, None], index] += value
            else:
                axes = self._axes[term.name]
                shaped = value.reshape(rows.size, -1, axes.size)
                self._body_forces[rows[:, None, None], index[:, None], axes] += shaped
