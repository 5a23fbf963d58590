"""The declaration of a domain randomization: typed, hashed, and free of code."""

from __future__ import annotations

import contextlib
import difflib
import functools
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ...errors import ShopfloorError
from .catalogue import EFFECTS, INTERVAL, PROCESS, RESET, SCALE, SET, STEP, Effect, effect
from .constraint import Constraint
from .distributions import Distribution, Posterior, shell

NOMINAL, TRAIN, CORNERS, OOD_NEAR, OOD_FAR, STRUCTURAL = (
    "nominal", "train", "corners", "ood_near", "ood_far", "structural",
)  # fmt: skip
SPLITS: Final = (NOMINAL, TRAIN, CORNERS, OOD_NEAR, OOD_FAR, STRUCTURAL)
SPLIT_TEXTS: Final = {
    NOMINAL: "the machine as designed; nothing but the task's own start distribution varies",
    TRAIN: "every term drawn from its distribution",
    CORNERS: "one term at an end of its range, the others nominal",
    OOD_NEAR: "every term drawn from a shell just outside its training range",
    OOD_FAR: "every term drawn from the next shell outside",
    STRUCTURAL: "as train, with one effect that training does not have",
}


@dataclass(frozen=True)
class Target:
    """What a term acts on: all things of a kind whose whole name matches a regular expression."""

    kind: str
    pattern: str

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ShopfloorError(f"target {self.kind}: {self.pattern!r} is no regular expression: {error}") from None


@dataclass(frozen=True)
class Term:
    """One randomized quantity.

    Attributes:
        name: the term's name, which keys its draws and names it in samples.
        effect: an effect of the catalogue, a model field or `task.<parameter>`.
        distribution: of one component, in the split `train`.
        target: what it acts on; None where the effect needs none.
        operation: `scale` and `add` start from the nominal value, `set` replaces it.
        mode: `startup` (once a seed), `reset` (each episode), `interval` (after times drawn from `interval_s`), `step`
            (each control step).
        interval_s: range of the simulated time between two draws, for the mode `interval`.
        shared: one draw for everything that the target matches, instead of one for each.
        components: for a field with several numbers a target, those that the term acts on; None for all.
        per_component: whether each of those has a number of its own; otherwise they have one together.
        nominal: the value that stands for the machine as designed; None where the model knows it.
        limits: physical range, at which shells are cut.
        options: numbers of the effect, such as a duration.
        structural: whether the term is nominal in every split but `structural`.
        unit: for tables.
        description: one line, for tables.
    """

    name: str
    effect: str
    distribution: Distribution
    target: Target | None = None
    operation: str = ""
    mode: str = RESET
    interval_s: tuple[float, float] | None = None
    shared: bool = False
    components: tuple[int, ...] | None = None
    per_component: bool = False
    nominal: float | None = None
    limits: tuple[float, float] | None = None
    options: Mapping[str, float] = field(default_factory=dict)
    structural: bool = False
    unit: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        where = f"term {self.name!r}"
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise ShopfloorError(f"{where}: a name is lower-case letters, digits and _, since constraints use it")
        info = self.info
        if not self.operation:
            object.__setattr__(self, "operation", info.operations[0])
        if self.operation not in info.operations:
            raise ShopfloorError(f"{where}: {self.effect} takes {_either(info.operations)}, not {self.operation!r}")
        if self.mode not in info.modes:
            raise ShopfloorError(f"{where}: {self.effect} can be drawn at {_either(info.modes)}, not {self.mode!r}")
        self._check_target(info, where)
        self._check_interval(where)
        self._check_components(info, where)
        if self.dynamic and isinstance(self.distribution, Posterior):
            raise ShopfloorError(f"{where}: a posterior says what a plant is, not how it changes within an episode")
        unknown = sorted(set(self.options) - set(info.options))
        if unknown:
            raise ShopfloorError(f"{where}: {self.effect} takes no {unknown[0]!r}; it takes: {list(info.options)}")
        object.__setattr__(self, "options", {**info.options, **self.options})
        if self.nominal is None:
            object.__setattr__(self, "nominal", info.nominal.get(self.operation))
        low, high = info.limits_of(self.operation)
        own = self.limits or (low, high)
        object.__setattr__(self, "limits", (max(low, own[0]), min(high, own[1])))
        self.check_range(self.distribution, where)

    def _check_target(self, info: Effect, where: str) -> None:
        if info.targets and self.target is None:
            raise ShopfloorError(f"{where}: {self.effect} needs a target, such as {{{info.targets[0]}: NAME}}")
        if self.target is not None and self.target.kind not in info.targets:
            kinds = _either(info.targets) if info.targets else "no target"
            raise ShopfloorError(f"{where}: {self.effect} takes {kinds}, not a {self.target.kind}")

    def _check_interval(self, where: str) -> None:
        if (self.mode == INTERVAL) != (self.interval_s is not None):
            raise ShopfloorError(f"{where}: interval_s goes with mode interval, and mode interval needs it")
        if self.interval_s is not None and not 0.0 < self.interval_s[0] <= self.interval_s[1] < math.inf:
            raise ShopfloorError(f"{where}: interval_s must be a positive range, got {list(self.interval_s)}")

    def _check_components(self, info: Effect, where: str) -> None:
        """Reject what the effect would not heed: it would look as if it did something."""
        field = info.name not in EFFECTS and info.family != PROCESS
        if self.per_component and not field:
            raise ShopfloorError(f"{where}: per_component goes with model fields, not with {self.effect}")
        if self.components is not None and not field and self.effect != "force.body":
            raise ShopfloorError(f"{where}: components go with model fields and force.body, not with {self.effect}")
        if self.effect == "force.body" and not set(self.components or ()) <= {0, 1, 2}:
            raise ShopfloorError(f"{where}: a force has components 0, 1 and 2, got {list(self.components or ())}")
        if "duration_s" in info.options and self.options.get("duration_s", 0.0) > 0.0 and self.mode != INTERVAL:
            raise ShopfloorError(f"{where}: duration_s goes with mode interval, not {self.mode!r}")

    def check_range(self, distribution: Distribution, where: str) -> None:
        """Reject a distribution that leaves the physical range."""
        assert self.limits is not None
        (low, high), (least, most) = distribution.support, self.limits
        if low < least or high > most:
            raise ShopfloorError(
                f"{where}: its range [{low:g}, {high:g}] leaves what {self.effect} allows with {self.operation!r}, "
                f"[{least:g}, {most:g}]"
            )

    @property
    def info(self) -> Effect:
        """The effect's entry in the catalogue."""
        try:
            return effect(self.effect)
        except ShopfloorError as error:
            raise ShopfloorError(f"term {self.name!r}: {error}") from None

    @property
    def dynamic(self) -> bool:
        """Whether the value changes within an episode."""
        return self.mode in (INTERVAL, STEP)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, everything that a sample and its effect depend on."""
        out: dict[str, Any] = {
            "effect": self.effect,
            "operation": self.operation,
            "distribution": self.distribution.as_dict(),
            "mode": self.mode,
            "shared": self.shared,
        }
        if self.target is not None:
            out["target"] = {self.target.kind: self.target.pattern}
        for name in ("interval_s", "components"):
            value = getattr(self, name)
            if value is not None:
                out[name] = list(value)
        if self.nominal is not None:
            out["nominal"] = self.nominal
        assert self.limits is not None
        out["limits"] = [v if math.isfinite(v) else None for v in self.limits]
        if self.per_component:
            out["per_component"] = True
        if self.options:
            out["options"] = dict(sorted(self.options.items()))
        if self.structural:
            out["structural"] = True
        return out


def _either(words: Sequence[str]) -> str:
    return " or ".join(words)


@dataclass(frozen=True)
class ShellSplit:
    """How far outside training a split draws.

    Attributes:
        widen: factor by which the training range is widened about the nominal value.
        ranges: outer ranges of single terms, where the factor does not say it well.
    """

    widen: float
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Spec:
    """A domain randomization.

    Attributes:
        name: for reports.
        terms: in the order in which they are applied.
        constraints: conditions on samples.
        near, far: the shells outside training.
        description: one line.
    """

    name: str
    terms: tuple[Term, ...]
    constraints: tuple[Constraint, ...] = ()
    near: ShellSplit = ShellSplit(1.5)
    far: ShellSplit = ShellSplit(2.5)
    description: str = ""

    def __post_init__(self) -> None:
        names = [t.name for t in self.terms]
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice is not None:
            raise ShopfloorError(f"randomization {self.name!r} has two terms {twice!r}")
        for constraint in self.constraints:
            for term in constraint.terms:
                if term not in names:
                    raise self._unknown(term, f"constraint {constraint.name!r}")
                if self.term(term).dynamic:
                    raise ShopfloorError(f"constraint {constraint.name!r}: {term!r} changes within an episode")
        for split in (self.near, self.far):
            for name in split.ranges:
                if name not in names:
                    raise self._unknown(name, "splits")
        if not 1.0 < self.near.widen < self.far.widen:
            raise ShopfloorError(
                f"randomization {self.name!r}: needs 1 < ood_near.widen < ood_far.widen, got {self.near.widen} and "
                f"{self.far.widen}"
            )
        for shell_name, own in ((OOD_NEAR, self.near), (OOD_FAR, self.far)):
            for name in own.ranges:
                self._shell(self.term(name), shell_name)
        self._check_files()

    def _check_files(self) -> None:
        """Terms of one posterior file share a draw, which they can only do at the same moment."""
        first: dict[str, Term] = {}
        for term in self.terms:
            key = term.distribution.draw_key
            other = term if key is None else first.setdefault(key, term)
            if term.mode != other.mode:
                raise ShopfloorError(
                    f"randomization {self.name!r}: {other.name!r} and {term.name!r} take the same sample of a "
                    f"posterior and must be drawn together, both at reset or both at startup, not at {other.mode!r} "
                    f"and {term.mode!r}"
                )

    def _unknown(self, name: str, where: str) -> ShopfloorError:
        names = [t.name for t in self.terms]
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return ShopfloorError(
            f"randomization {self.name!r}, {where}: no term {name!r}{hint} Terms: {', '.join(names) or 'none'}"
        )

    def term(self, name: str) -> Term:
        """A term by name.

        Raises:
            ShopfloorError: if there is none; names close ones.
        """
        for term in self.terms:
            if term.name == name:
                return term
        raise self._unknown(name, "a request")

    def distributions(self, split: str) -> dict[str, Distribution]:
        """The distribution of every term that is active in a split; `corners` and `structural` start from `train`.

        Raises:
            ShopfloorError: if the split is unknown or a shell is empty.
        """
        if split not in SPLITS:
            raise ShopfloorError(f"unknown split {split!r}; the splits are {', '.join(SPLITS)}")
        if split == NOMINAL:
            return {}
        regular = [t for t in self.terms if not t.structural]
        if split in (TRAIN, CORNERS):
            return {t.name: t.distribution for t in regular}
        if split == STRUCTURAL:
            return {t.name: t.distribution for t in self.terms}
        return {t.name: self._shell(t, split) for t in regular}

    def _shell(self, term: Term, split: str) -> Distribution:
        assert term.limits is not None

        def side(own: ShellSplit) -> float | tuple[float, float]:
            return own.ranges.get(term.name, own.widen)

        inside, outside = (1.0, side(self.near)) if split == OOD_NEAR else (side(self.near), side(self.far))
        low, high = term.distribution.support
        about = term.nominal if term.nominal is not None and low <= term.nominal <= high else None
        if term.distribution.logarithmic and about is not None and about <= 0.0:
            about = None
        try:
            found = shell(term.distribution, inside, outside, about, term.limits)
        except ShopfloorError as error:
            raise ShopfloorError(f"randomization {self.name!r}, {split}, term {term.name!r}: {error}") from None
        term.check_range(found, f"randomization {self.name!r}, {split}, term {term.name!r}")
        return found

    def extent(self, term: Term) -> tuple[float, float]:
        """The smallest and the largest value that any split draws for a term."""
        found = [term.distribution.support]
        for split in () if term.structural else (OOD_NEAR, OOD_FAR):
            with contextlib.suppress(ShopfloorError):  # a split without a shell draws nothing
                found.append(self._shell(term, split).support)
        return min(low for low, _ in found), max(high for _, high in found)

    @property
    def structural(self) -> tuple[str, ...]:
        """Names of the structural terms."""
        return tuple(t.name for t in self.terms if t.structural)

    def part(self, families: Sequence[str]) -> Spec:
        """The spec with the terms of some families only; constraints on other terms are left out."""
        terms = tuple(t for t in self.terms if t.info.family in families)
        names = {t.name for t in terms}
        kept = tuple(c for c in self.constraints if names.issuperset(c.terms))
        near, far = (
            ShellSplit(s.widen, {k: v for k, v in s.ranges.items() if k in names}) for s in (self.near, self.far)
        )
        return Spec(self.name, terms, kept, near, far, self.description)

    def joined(self, other: Spec) -> Spec:
        """This spec with the terms and constraints of another behind its own; splits are this one's."""
        near, far = (
            ShellSplit(a.widen, {**a.ranges, **b.ranges}) for a, b in ((self.near, other.near), (self.far, other.far))
        )
        name = self.name if self.name == other.name else f"{self.name}+{other.name}"
        constraints = self.constraints + tuple(c for c in other.constraints if c not in self.constraints)
        return Spec(name, self.terms + other.terms, constraints, near, far, self.description)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, in which equal randomizations are equal."""
        return {
            "terms": {t.name: t.as_dict() for t in self.terms},
            "constraints": {c.name: c.expression for c in self.constraints},
            "ood_near": {"widen": self.near.widen, "ranges": {k: list(v) for k, v in self.near.ranges.items()}},
            "ood_far": {"widen": self.far.widen, "ranges": {k: list(v) for k, v in self.far.ranges.items()}},
        }

    @functools.cached_property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that differ where two specs draw or do something else.

        The order of terms is part of it, because terms of one field act one after the other; that of constraints and
        what they are called is not.
        """
        data = self.as_dict()
        conditions = sorted(data["constraints"].values())
        shells = [[data[s]["widen"], sorted(data[s]["ranges"].items())] for s in (OOD_NEAR, OOD_FAR)]
        canonical = json.dumps(_plain([list(data["terms"].items()), conditions, *shells]), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """Data in which 2 and 2.0 are the same."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def operate(operation: str, nominal: Any, value: Any) -> Any:
    """What an operation makes of a nominal value and a drawn one."""
    if operation == SCALE:
        return nominal * value
    return value if operation == SET else nominal + value
