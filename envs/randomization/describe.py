"""Words for a spec: what the pages of the environments and the command line say about its terms."""

from __future__ import annotations

from .catalogue import INTERVAL, RESET, SCALE, SET, STARTUP, STEP
from .distributions import Distribution, Normal
from .spec import OOD_FAR, OOD_NEAR, SPLIT_TEXTS, Spec, Term

_DRAWN = {RESET: "each episode", STARTUP: "once for each seed", STEP: "each control step"}


def target_text(term: Term) -> str:
    """What a term acts on, and whether everything has one number."""
    if term.target is None:
        return ""
    return f"{term.target.kind} `{term.target.pattern}`" + (", one for all" if term.shared else "")


def distribution_text(term: Term) -> str:
    """The distribution of a term in training, with what is done with its value and the unit: "× uniform 0.9 to 1.1"."""
    unit = term.unit or term.info.unit
    unit = "" if unit == "1" or term.operation == SCALE else f" {unit}"
    sign = "" if term.operation == SET else "× " if term.operation == SCALE else "+ "
    return f"{sign}{_numbers(term.distribution, unit)}"


def _numbers(distribution: Distribution, unit: str) -> str:
    if isinstance(distribution, Normal):
        text = f"normal, mean {distribution.mean:g}{unit}, σ {distribution.std:g}{unit}"
        return f"{text}, within {distribution.cut:g} σ"
    low, high = distribution.support
    return f"{distribution.kind.replace('_', '-')} {low:g} to {high:g}{unit}".rstrip()


def drawn_text(term: Term) -> str:
    """When a term gets a new value, and how long that acts."""
    if term.mode != INTERVAL:
        return _DRAWN[term.mode]
    assert term.interval_s is not None
    low, high = (f"{v:g}" for v in term.interval_s)
    text = f"every {low} s" if low == high else f"every {low} to {high} s"
    duration = term.options.get("duration_s", 0.0)
    return f"{text}, for {duration:g} s" if duration else text


def split_texts(spec: Spec) -> dict[str, str]:
    """What each split draws, in words."""
    near, far = spec.near.widen, spec.far.widen
    shells = {OOD_NEAR: f"1 and {near:g}", OOD_FAR: f"{near:g} and {far:g}"}
    return {
        split: text + (f": between {shells[split]} times its width" if split in shells else "")
        for split, text in SPLIT_TEXTS.items()
    }
