"""The wrappers of the suite's vector environments; names and arguments are those of the single ones."""

from __future__ import annotations

from typing import Any, ClassVar

from gymnasium.vector import VectorEnv, VectorWrapper

from ....errors import ShopfloorError
from ...engine.vector_env import CellVectorEnv
from ..catalogue import ACTUATION, DISTURBANCE, FAMILIES, MODEL, PROCESS, SENSING, VISUAL
from .stack import WRAPPERS, Source, check_part, check_place, join, requested


class FamilyVectorWrapper(VectorWrapper):
    """Randomizes all rows of a vector environment of the suite with the effects of one family.

    Args:
        env: the vector environment, before its first reset.
        spec: terms of the family: a `Spec`, its data, the name or path of one.
        split: where values are drawn from; None for the one that `spec` names, or `train`.

    Raises:
        ShopfloorError: if the spec has terms of another family, or the wrapper is stacked twice or in the wrong order.
    """

    family: ClassVar[str]

    def __init__(self, env: VectorEnv, spec: Source, split: str | None = None):
        base = _base(env)
        super().__init__(env)
        below = _below(env)
        check_place(below, self.family)
        chosen = requested(spec, split, base.task.randomization)
        check_part(chosen.spec, self.family)
        join(base, chosen.spec, chosen.split, first=not below)


def _base(env: Any) -> CellVectorEnv:
    base = env.unwrapped
    if not isinstance(base, CellVectorEnv):
        raise ShopfloorError(
            f"{type(base).__name__} is no vector environment of the suite; wrap each environment in the function that "
            "makes it, as in SyncVectorEnv([lambda: randomize(MyEnv(), spec)] * 8)"
        )
    return base


def _below(env: VectorEnv) -> list[str]:
    """Families of the wrappers that are there, from the environment outwards."""
    found = []
    while isinstance(env, VectorWrapper):
        if isinstance(env, FamilyVectorWrapper):
            found.append(env.family)
        env = env.env
    return found[::-1]


class ProcessRandomization(FamilyVectorWrapper):
    """Parameters of the task's start distribution: `task.<parameter>`."""

    family = PROCESS


class ModelRandomization(FamilyVectorWrapper):
    """The plant: masses, inertias, damping, friction, gravity, any float field of the MuJoCo model."""

    family = MODEL


class ActuationRandomization(FamilyVectorWrapper):
    """Drives and the way of a command to them: gains, torque limit, delay, loss, scale, offset, resolution, play."""

    family = ACTUATION


class DisturbanceRandomization(FamilyVectorWrapper):
    """Forces that no model explains, on joints and bodies: pushes and random force injection."""

    family = DISTURBANCE


class SensingRandomization(FamilyVectorWrapper):
    """Errors of readings: noise, bias, calibration, drift, loss, latency."""

    family = SENSING


class VisualRandomization(FamilyVectorWrapper):
    """Looks: colours, materials, lights and cameras."""

    family = VISUAL


_CLASSES: dict[str, type[FamilyVectorWrapper]] = {
    c.family: c
    for c in (
        ProcessRandomization,
        ModelRandomization,
        ActuationRandomization,
        DisturbanceRandomization,
        SensingRandomization,
        VisualRandomization,
    )
}
assert list(_CLASSES) == list(WRAPPERS)


def randomize(env: VectorEnv, spec: Source, split: str | None = None) -> VectorEnv:
    """Stack the wrappers that a spec needs on a vector environment; see `single.randomize`."""
    base = _base(env)
    chosen = requested(spec, split, base.task.randomization)
    base.randomize(chosen)  # whole, and the wrappers then find their terms there
    for family in FAMILIES:
        part = chosen.spec.part([family])
        if part.terms:
            env = _CLASSES[family](env, part, chosen.split)
    return env
