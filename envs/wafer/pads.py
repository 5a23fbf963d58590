"""Pads that a wafer rests on: sets of pads, and their Coulomb friction as a function of temperature and wear.

    mu(T) = wear * mu_cold * (h + (1 - h) * exp(-(T - 25 degC) / fade)),    h = hot_share

Hard pads have h near 1. Elastomers lose friction as they get hotter: above the glass transition their friction follows
their viscoelastic loss, which at the low sliding speeds of a wafer that begins to slip falls with temperature (Grosch,
"The relation between the friction and visco-elastic properties of rubber", Proc. R. Soc. A 274, 1963). The
exponential itself is a heuristic with the two levels that engineers quote, cold and hot, and so are the ranges in
`configs/wafer/pads.yaml`: nominal, unverified.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from numpy.typing import ArrayLike, NDArray

from ...errors import ShopfloorError
from ..engine.start import Choice, Term, Uniform

Array = NDArray[np.float64]
Range = tuple[float, float]

COLD_CELSIUS = 25.0
PADS_FILE: Final = Path(__file__).resolve().parent.parent.parent / "configs" / "wafer" / "pads.yaml"


@dataclass(frozen=True)
class PadSet:
    """Ranges of one kind of pads.

    Attributes:
        name: as in the file.
        description: one line.
        friction_cold: unworn at 25 degC.
        hot_share: share of it that is left far above `fade_K`.
        fade_K: temperature rise over which the difference fades to 1/e.
        wear: factor that wear and contamination leave.
        max_celsius: highest temperature the pads stand.
    """

    name: str
    description: str
    friction_cold: Range
    hot_share: Range
    fade_K: Range
    wear: Range
    max_celsius: float

    def nominal(self, celsius: ArrayLike) -> Array:
        """What a data sheet says at a temperature (...): the middle of every range, unworn."""
        cold, share, fade = (0.5 * (low + high) for low, high in (self.friction_cold, self.hot_share, self.fade_K))
        return pad_friction(celsius, cold, share, fade)


def pad_friction(
    celsius: ArrayLike, cold: ArrayLike, hot_share: ArrayLike, fade_K: ArrayLike, wear: ArrayLike = 1.0
) -> Array:
    """Coulomb friction coefficient of pads at a temperature; all arguments broadcast.

    Args:
        celsius: pad temperature, degC; below 25 it counts as 25.
        cold: friction of unworn pads at 25 degC.
        hot_share: share of it that is left far above `fade_K`.
        fade_K: temperature rise over which the difference fades to 1/e, K.
        wear: factor that wear and contamination leave.
    """
    rise = np.maximum(np.asarray(celsius, float) - COLD_CELSIUS, 0.0)
    left = np.asarray(hot_share, float)
    return np.asarray(wear, float) * np.asarray(cold, float) * (left + (1.0 - left) * np.exp(-rise / fade_K))


def in_range(limits: tuple[ArrayLike, ArrayLike], place: ArrayLike) -> Array:
    """The value at `place`, 0 at the low end of a range and 1 at the high one; all broadcast."""
    low, high = (np.asarray(limit, float) for limit in limits)
    return low + (high - low) * np.asarray(place, float)


def chosen_sets(pads: str, others: Sequence[str] = ()) -> tuple[int, int]:
    """First and last index of the sets that the task argument `pads` stands for: "any" or the name of one.

    Args:
        pads: the argument.
        others: further values that the task takes, for the message.

    Raises:
        ShopfloorError: if there is no such set.
    """
    names = list(pad_sets())
    if pads != "any" and pads not in names:
        raise ShopfloorError(f"pads must be one of {', '.join((*others, 'any', *names))}, got {pads!r}")
    return (0, len(names) - 1) if pads == "any" else (names.index(pads),) * 2


def pad_terms(first: int, last: int) -> tuple[Term, ...]:
    """Start parameters that draw pads of the sets `first` to `last`, see `drawn_pads`."""
    place = "place in the range of the pad set, 0 to 1"
    return (
        Choice("pad_set", first, last, "1", description="kind of pads, by their order in the file"),
        Uniform("cold_place", 0.0, 1.0, "1", description=f"friction of the cold, unworn pads: {place}"),
        Uniform("hot_place", 0.0, 1.0, "1", description=f"share that is left of it when hot: {place}"),
        Uniform("fade_place", 0.0, 1.0, "1", description=f"temperature rise over which it fades: {place}"),
        Uniform("wear_place", 0.0, 1.0, "1", description=f"what wear and contamination leave: {place}"),
    )


def drawn_pads(params: Mapping[str, Array]) -> Array:
    """Pads (n, 4) that start parameters stand for: arguments of `pad_friction` but the temperature, in their order."""
    sets, which = tuple(pad_sets().values()), params["pad_set"].astype(np.intp)
    columns = []
    for place, field in (
        ("cold_place", "friction_cold"),
        ("hot_place", "hot_share"),
        ("fade_place", "fade_K"),
        ("wear_place", "wear"),
    ):
        limits = np.array([getattr(p, field) for p in sets])[which]
        columns.append(in_range((limits[:, 0], limits[:, 1]), params[place]))
    return np.stack(columns, axis=-1)


def nominal_friction(pad_set: Array, celsius: Array) -> Array:
    """What data sheets say of pads (n,) of these sets at these temperatures."""
    nominal = np.stack([p.nominal(celsius) for p in pad_sets().values()])
    found: Array = np.take_along_axis(nominal, pad_set.astype(np.intp)[None], axis=0)[0]
    return found


def least_carried_over(pad_set: Array, celsius: Array, measured_celsius: Array) -> Array:
    """How far friction (n,) may fall short of a measured one that was carried over to another temperature, at most 1.

    A data sheet's ratio of nominal frictions carries a measurement over; pads at the ends of their ranges change by
    another one. Wear cancels.

    Args:
        pad_set: index of the set.
        celsius, measured_celsius: temperatures of the pads now and when their friction was measured.
    """
    least = []
    for p in pad_sets().values():
        expected = p.nominal(celsius) / p.nominal(measured_celsius)
        ratios = [
            pad_friction(celsius, 1.0, share, fade) / pad_friction(measured_celsius, 1.0, share, fade) / expected
            for share in p.hot_share
            for fade in (p.fade_K[0], 0.5 * (p.fade_K[0] + p.fade_K[1]), p.fade_K[1])
        ]
        least.append(np.minimum(np.min(ratios, axis=0), 1.0))
    found: Array = np.take_along_axis(np.stack(least), pad_set.astype(np.intp)[None], axis=0)[0]
    return found


@functools.cache
def pad_sets(path: str | Path = PADS_FILE) -> Mapping[str, PadSet]:
    """The pad sets of a YAML file by name, in its order.

    Raises:
        ShopfloorError: if the file is malformed; the message names file and key.
    """
    data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    if not isinstance(data, dict) or set(data) != {"version", "remark", "sets"} or data["version"] != 1:
        raise ShopfloorError(f"{path}: needs exactly version: 1, remark and sets")
    return {str(name): _pad_set(str(name), entry, path) for name, entry in data["sets"].items()}


def _pad_set(name: str, entry: Any, path: str | Path) -> PadSet:
    keys = {f.name for f in fields(PadSet)} - {"name"}
    if not isinstance(entry, dict) or set(entry) != keys:
        raise ShopfloorError(f"{path}: {name} needs exactly {', '.join(sorted(keys))}")
    ranges = {key: _range(entry[key], f"{path}: {name}.{key}") for key in keys - {"description", "max_celsius"}}
    return PadSet(name, str(entry["description"]), max_celsius=float(entry["max_celsius"]), **ranges)


def _range(value: Any, where: str) -> Range:
    numbers = isinstance(value, list) and len(value) == 2 and all(isinstance(v, int | float) for v in value)
    if not numbers or not 0.0 < value[0] <= value[1]:
        raise ShopfloorError(f"{where} must be two positive numbers in rising order, got {value!r}")
    return float(value[0]), float(value[1])
