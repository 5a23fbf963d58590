"""From a term's target to index arrays, once, at build."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from .spec import Target, Term

Index = NDArray[np.intp]

_OBJECTS = {
    "body": (mujoco.mjtObj.mjOBJ_BODY, "nbody"),
    "joint": (mujoco.mjtObj.mjOBJ_JOINT, "njnt"),
    "geom": (mujoco.mjtObj.mjOBJ_GEOM, "ngeom"),
    "site": (mujoco.mjtObj.mjOBJ_SITE, "nsite"),
    "pair": (mujoco.mjtObj.mjOBJ_PAIR, "npair"),
    "actuator": (mujoco.mjtObj.mjOBJ_ACTUATOR, "nu"),
    "camera": (mujoco.mjtObj.mjOBJ_CAMERA, "ncam"),
    "light": (mujoco.mjtObj.mjOBJ_LIGHT, "nlight"),
    "material": (mujoco.mjtObj.mjOBJ_MATERIAL, "nmat"),
    "tendon": (mujoco.mjtObj.mjOBJ_TENDON, "ntendon"),
    "equality": (mujoco.mjtObj.mjOBJ_EQUALITY, "neq"),
}
# coordinates and degrees of freedom of a joint, by joint type
_POSITIONS = {0: 7, 1: 4, 2: 1, 3: 1}
_FREEDOMS = {0: 6, 1: 3, 2: 1, 3: 1}


@dataclass(frozen=True)
class Found:
    """What a target matches: names, and where their values stand in a field's first index."""

    names: tuple[str, ...]
    index: Index


def matching(names: Sequence[str], target: Target, what: str) -> list[int]:
    """Positions of the names that the whole pattern matches.

    Raises:
        ShopfloorError: if there is none; lists what there is.
    """
    pattern = re.compile(target.pattern)
    found = [i for i, name in enumerate(names) if name and pattern.fullmatch(name)]
    if not found:
        there = ", ".join(filter(None, names)) or "none"
        raise ShopfloorError(f"{what}: no {target.kind} is called {target.pattern!r}; there are: {there}")
    return found


def check_apart(terms: Sequence[Term], things: Mapping[str, Sequence[str]]) -> None:
    """Reject two terms of one effect on one thing, given by term, where only one value can be in force.

    Raises:
        ShopfloorError: naming both terms and the thing.
    """
    first: dict[tuple[str, str], str] = {}
    for term in terms:
        for thing in things[term.name]:
            other = first.setdefault((term.effect, thing), term.name)
            if other != term.name:
                raise ShopfloorError(
                    f"terms {other!r} and {term.name!r}: both set {term.effect} of {thing!r}, and only one value can "
                    f"be in force; leave one out or let their targets differ"
                )


def resolve(model: mujoco.MjModel, term: Term, field: str = "") -> Found:
    """What a term acts on in a model.

    Args:
        model: the compiled model.
        term: the term.
        field: the model field, which decides whether a joint means its id, its coordinates or its freedoms.

    Raises:
        ShopfloorError: if the target matches nothing.
    """
    if term.target is None:
        return Found((), np.zeros(1, dtype=np.intp))
    kind, count = _OBJECTS[term.target.kind]
    names = [mujoco.mj_id2name(model, int(kind), i) or "" for i in range(int(getattr(model, count)))]
    ids = matching(names, term.target, f"term {term.name!r}")
    # a field of actuators counts outputs, of which an actuator has one in all models of the suite
    if term.target.kind != "joint" or field.startswith("jnt_") or not field:
        return Found(tuple(names[i] for i in ids), np.array(ids, dtype=np.intp))
    start = model.jnt_qposadr if field.startswith("qpos") else model.jnt_dofadr
    counts = _POSITIONS if field.startswith("qpos") else _FREEDOMS
    labels: list[str] = []
    index: list[int] = []
    for i in ids:
        width = counts[int(model.jnt_type[i])]
        labels += [names[i]] if width == 1 else [f"{names[i]}[{j}]" for j in range(width)]
        index += list(range(int(start[i]), int(start[i]) + width))
    return Found(tuple(labels), np.array(index, dtype=np.intp))
