"""What is identified: terms of a randomization spec, taken apart until each is one number."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..envs.randomization import Spec, Target, Term, Uniform
from ..envs.randomization.catalogue import ADD, MODEL, SCALE
from ..errors import ShopfloorError

Array = NDArray[np.float64]

DELAY: Final = "command.delay"
# effects on the motion of joints under servo commands, in the order in which they are looked for by default
_DEFAULT_EFFECTS: Final = ("dof_damping", "dof_armature", "dof_frictionloss", DELAY)
_ACTUATION: Final = (
    "servo_stiffness", "servo_damping", "torque_limit", DELAY, "command.gain", "command.offset", "command.backlash",
)  # fmt: skip
# how far beyond the range of training a parameter is looked for, and the smallest factor on a nominal value
_WIDEN: Final = 3.0
_SMALLEST_SCALE: Final = 0.05


@dataclass(frozen=True)
class Parameter:
    """One number to identify.

    Attributes:
        term: the term of which it is the value, with one component; its distribution is the search range.
        source: the term of the environment's spec that it comes from.
        nominal: the value of the machine as designed.
        prior: range of the environment's spec: how much was known before.
    """

    term: Term
    source: str
    nominal: float
    prior: tuple[float, float]

    @property
    def name(self) -> str:
        """The term's name, and the posterior's column."""
        return self.term.name

    @property
    def bounds(self) -> tuple[float, float]:
        """Where it is looked for."""
        return self.term.distribution.support

    @property
    def scale(self) -> float:
        """Half the width of the prior range."""
        return 0.5 * (self.prior[1] - self.prior[0])

    @property
    def is_delay(self) -> bool:
        """Whether it is profiled outside the least squares."""
        return self.term.effect == DELAY


def choose_terms(spec: Spec, names: Sequence[str] | None) -> list[Term]:
    """The terms to identify.

    Args:
        spec: the environment's spec.
        names: their names; None for added masses, joint damping, armature, dry friction and command delay, as far as
            the spec varies them.

    Raises:
        ShopfloorError: if a term is unknown, or is nothing that shows in the motion of a plant.
    """
    if names is None:
        terms = [t for t in spec.terms if not t.structural and not t.dynamic and _by_default(t)]
        if not terms:
            raise ShopfloorError(
                f"randomization {spec.name!r} has no added mass, joint damping, armature, friction or delay; choose "
                f"with --terms among {', '.join(t.name for t in spec.terms if _possible(t)) or 'none'}"
            )
        return terms
    terms = [spec.term(name) for name in names]
    for term in terms:
        if not _possible(term):
            raise ShopfloorError(
                f"term {term.name!r} ({term.effect}) cannot be identified from motion; can be: "
                f"{', '.join(t.name for t in spec.terms if _possible(t)) or 'none'}"
            )
    if sum(t.effect == DELAY for t in terms) > 1:
        raise ShopfloorError("only one delay can be identified at a time: the others would be shifted with it")
    return terms


def _by_default(term: Term) -> bool:
    return term.effect in _DEFAULT_EFFECTS or (term.effect == "mass" and term.operation == ADD)


def _possible(term: Term) -> bool:
    if term.effect in ("gravity_tilt", "pseudo_inertia"):  # several numbers that cannot be terms of their own
        return False
    if term.effect == DELAY and not term.shared:
        return False
    return not term.dynamic and (term.info.family == MODEL or term.effect in _ACTUATION)


def parameters_of(
    terms: Sequence[Term], components: Mapping[str, Sequence[str]], nominal: Mapping[str, Array]
) -> tuple[Parameter, ...]:
    """One parameter for each component of each term.

    Args:
        terms: terms of the environment's spec.
        components: names of each term's components.
        nominal: (components,) values of the machine as designed, by term.

    Raises:
        ShopfloorError: if a range is a point, or two parameters would have one name.
    """
    out: list[Parameter] = []
    for term in terms:
        labels = components[term.name]
        for label, value in zip(labels, nominal[term.name].tolist(), strict=True):
            out.append(_parameter(term, label if len(labels) > 1 else None, value))
    names = [p.name for p in out]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise ShopfloorError(f"two parameters would be called {twice!r}; rename a term of the spec")
    return tuple(out)


def _parameter(term: Term, label: str | None, nominal: float) -> Parameter:
    low, high = term.distribution.support
    if not low < high:
        raise ShopfloorError(f"term {term.name!r}: its range [{low:g}, {high:g}] is a point; nothing to look for")
    assert term.limits is not None
    about = nominal if low <= nominal <= high else None
    least, most = term.distribution.widened(_WIDEN, about)
    least, most = max(least, term.limits[0]), min(most, term.limits[1])
    if term.operation == SCALE:
        least = max(least, _SMALLEST_SCALE)
    own = dataclasses.replace(term, distribution=Uniform(least, most), structural=False, mode="reset")
    if label is not None:
        own = _single(own, label)
    return Parameter(own, term.name, nominal, (low, high))


def _single(term: Term, label: str) -> Term:
    """The term for one of its components, whose name is that of a target, with an index where a target has several."""
    target, index = re.fullmatch(r"(.*?)(?:\[(\d+)\])?", label).groups()  # type: ignore[union-attr]
    name = f"{term.name}_{re.sub(r'[^a-z0-9]+', '_', label.lower()).strip('_')}"
    changes: dict[str, object] = {"name": name}
    if term.target is not None and not term.shared:
        changes["target"] = Target(term.target.kind, re.escape(target))
    if index is not None:
        chosen = term.components if term.components is not None else range(int(index) + 1)
        changes |= {"components": (tuple(chosen)[int(index)],), "per_component": False}
    return dataclasses.replace(term, **changes)  # type: ignore[arg-type]
