"""Curricula: from machines that are alike to the whole of a randomization, as fast as the policy can follow.

All work on the split `train` of a spec and end at its distributions at the latest, never outside:

- `fixed`: the spec's distributions from the beginning;
- `linear`: every range grows from the nominal value, over a share of the training;
- `adr`: every end of every range moves by itself, outwards where the policy succeeds at it, inwards where it fails;
- `doraemon`: all distributions together are as wide as a required success rate allows.

What differs between terms:

- A term that is drawn at every reset, from a range, is adapted.
- A term that changes within an episode (`interval`, `step`) has no single value to which a success could be credited.
  `linear` lets it grow like all others; under `adr` and `doraemon` it grows by the mean share that the adapted terms
  have reached. Under `adr` so do terms in a constraint, because an end of their range may be infeasible.
- A `choice` or a posterior has no range that could grow, and a term drawn at `startup` says what a machine is for its
  whole life: they are as the spec declares from the beginning.
- Structural terms are nominal in training, with a curriculum as without.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..spec import Spec
from .adr import ADR
from .base import Curriculum, Finished
from .doraemon import Doraemon
from .linear import Fixed, Linear
from .settings import AdrSettings, CurriculumSettings, DoraemonSettings, LinearSettings

__all__ = [
    "ADR",
    "AdrSettings",
    "Curriculum",
    "CurriculumSettings",
    "Doraemon",
    "DoraemonSettings",
    "Finished",
    "Fixed",
    "Linear",
    "LinearSettings",
    "make_curriculum",
]


def make_curriculum(settings: CurriculumSettings, spec: Spec, sizes: Mapping[str, int]) -> Curriculum:
    """The curriculum that settings ask for.

    Args:
        settings: kind and numbers.
        spec: what is randomized.
        sizes: number of components of each term.

    Raises:
        ShopfloorError: if the spec has nothing that the curriculum could adapt.
    """
    if settings.kind == "linear":
        return Linear(spec, settings.linear)
    if settings.kind == "adr":
        return ADR(spec, sizes, settings.adr)
    if settings.kind == "doraemon":
        return Doraemon(spec, sizes, settings.doraemon)
    return Fixed()
