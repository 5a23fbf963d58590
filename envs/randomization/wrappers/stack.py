"""What single and vector wrappers share: one family of effects each, in one order, and all of one split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from ....errors import ShopfloorError
from ...engine.env import CellEnv
from ...engine.vector_env import CellVectorEnv
from ..catalogue import ACTUATION, DISTURBANCE, FAMILIES, MODEL, PROCESS, SENSING, VISUAL
from ..choice import Randomization, choose
from ..spec import NOMINAL, Spec
from ..spec_file import spec_from

#: names of the wrappers by family, from the environment outwards
WRAPPERS: Final = {
    PROCESS: "ProcessRandomization",
    MODEL: "ModelRandomization",
    ACTUATION: "ActuationRandomization",
    DISTURBANCE: "DisturbanceRandomization",
    SENSING: "SensingRandomization",
    VISUAL: "VisualRandomization",
}

Source = Spec | Randomization | Mapping[str, object] | str | Path


def requested(source: Source, split: str | None, default: str | None) -> Randomization:
    """What a user asks for.

    Args:
        source: a spec, plain data of one, its name or path (with or without a split), or a split of the task's own.
        split: the split; None for the one that the source names, and `train` where it names none.
        default: the task's own spec; None where there is none.

    Raises:
        ShopfloorError: if it is none of these, or names two splits.
    """
    if source is None:
        raise ShopfloorError("a wrapper needs a spec: a Spec, its data as a dictionary, or the path of a YAML file")
    found = choose(spec_from(source) if isinstance(source, Mapping) else source, default)
    if found is None:
        return Randomization(Spec("none", ()), NOMINAL)
    if split is None or split == found.split:
        return found
    names_one = isinstance(source, Randomization) or (isinstance(source, str) and source.endswith(found.split))
    if names_one:
        raise ShopfloorError(f"{source!r} names the split {found.split!r}, but split={split!r} was given besides")
    return Randomization(found.spec, split)


def check_part(spec: Spec, family: str) -> None:
    """Reject a spec with terms of another family.

    Raises:
        ShopfloorError: naming the term and the wrapper that takes it.
    """
    for term in spec.terms:
        other = term.info.family
        if other != family:
            raise ShopfloorError(
                f"{WRAPPERS[family]} takes terms of the family {family}, and {term.name!r} ({term.effect}) is one of "
                f'{other}: give it spec.part(["{family}"]), or let randomize(env, spec) stack the wrappers'
            )
    if not spec.terms:
        raise ShopfloorError(f"{WRAPPERS[family]}: the spec {spec.name!r} has no term of the family {family}")


def check_place(below: Sequence[str], family: str) -> None:
    """Reject a wrapper that is stacked twice, or inside of where it belongs.

    Args:
        below: families of the wrappers that are there, from the environment outwards.
        family: the new one's.

    Raises:
        ShopfloorError: telling the order.
    """
    if family in below:
        raise ShopfloorError(f"{WRAPPERS[family]} is stacked twice; put all terms of the family into one spec")
    later = [f for f in below if FAMILIES.index(f) > FAMILIES.index(family)]
    if later:
        raise ShopfloorError(
            f"{WRAPPERS[family]} is stacked outside {WRAPPERS[later[0]]}; the order from the environment outwards is "
            f"{', '.join(WRAPPERS.values())}"
        )


def joined(present: Randomization | None, part: Spec, split: str) -> Randomization:
    """A randomization with the terms of one more wrapper.

    Raises:
        ShopfloorError: if splits or their shells differ, or both have a term of one name.
    """
    if present is None:
        return Randomization(part, split)
    if present.split != split:
        raise ShopfloorError(
            f"the randomization of this environment is of the split {present.split!r}, this wrapper's of {split!r}; "
            "give all wrappers the same split"
        )
    there = {t.name: t for t in present.spec.terms}
    if all(there.get(t.name) == t for t in part.terms):
        return present
    for name, one, other in (("near", present.spec.near, part.near), ("far", present.spec.far, part.far)):
        if one.widen != other.widen:
            raise ShopfloorError(
                f"the wrappers' specs widen the split ood_{name} by {one.widen} and by {other.widen}; use one factor"
            )
    return Randomization(present.spec.joined(part), split)


def join(env: CellEnv | CellVectorEnv, part: Spec, split: str, first: bool) -> None:
    """Join a wrapper's terms to the randomization of one of the suite's environments.

    Args:
        env: the environment, without wrappers.
        part: the terms.
        split: their split.
        first: whether no other wrapper has joined, so that a nominal machine is still nobody's choice.

    Raises:
        ShopfloorError: see `joined`; or if episodes have begun.
    """
    present = env.cell.randomization
    if first and present is not None and present.split == NOMINAL:
        present = None
    chosen = joined(present, part, split)
    if chosen is not present:
        env.randomize(chosen)
