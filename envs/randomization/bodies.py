"""Bodies whose shape of mass is randomized."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco

from .spec import Term
from .targets import resolve

SHAPE_EFFECTS = ("pseudo_inertia", "body_ipos", "body_iquat", "body_inertia")


def loosen_bodies(spec: mujoco.MjSpec, model: mujoco.MjModel, terms: Sequence[Term]) -> bool:
    """Let the bodies that terms act on change shape: MuJoCo compiles some with a fixed centre of mass.

    Returns:
        Whether the spec has changed and must be compiled again.
    """
    changed = False
    for term in terms:
        if term.effect not in SHAPE_EFFECTS:
            continue
        for name, index in zip(*bodies_of(model, term), strict=True):
            if model.body_simple[index]:
                spec.body(name).simple = False
                changed = True
    return changed


def bodies_of(model: mujoco.MjModel, term: Term) -> tuple[tuple[str, ...], list[int]]:
    """Names and indices of the bodies that a term acts on."""
    found = resolve(model, term)
    return found.names, found.index.tolist()
