"""What goes wrong between a quantity and its reading, beyond what a channel declares."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from .keyed import StepNumbers, fill_normal, fill_uniform, whole
from .spec import Term
from .targets import check_apart, matching

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

_NEUTRAL = {"noise": 0.0, "bias": 0.0, "gain": 1.0, "drift": 0.0, "dropout": 0.0, "latency": 0.0}
_VECTOR = ("bias", "gain")  # a number for each component of a channel; the other effects have one for the channel


@dataclass(frozen=True)
class ChannelPlace:
    """Where a channel stands in the vector of readings."""

    name: str
    start: int
    size: int


_BUFFERS = ("_drift", "_kept", "_line")


class SensorErrors:
    """Sensing errors of n rows, on vectors of readings (n, width).

    Two places of the chain: `measure` adds what the transducer adds (calibration factor, bias, drift, noise), before
    quantization; `transmit` adds what the line adds (lost and late readings), before history is stacked.

    Args:
        channels: the channels, in order.
        terms: terms with `sensor.*` effects.
        n: number of rows.
        control_hz: control rate.
        slowest: largest latency that will be asked for, s.
    """

    def __init__(
        self, channels: Sequence[ChannelPlace], terms: Sequence[Term], n: int, control_hz: float, slowest: float
    ):
        self.terms = tuple(terms)
        self._hz = control_hz
        width = sum(c.size for c in channels)
        names = [c.name for c in channels]
        self._channels: dict[str, list[ChannelPlace]] = {}
        for term in terms:
            assert term.target is not None
            found = [channels[i] for i in matching(names, term.target, f"term {term.name!r}")]
            if term.shared and _kind(term) in _VECTOR and len({c.size for c in found}) > 1:
                raise ShopfloorError(
                    f"term {term.name!r} is shared by channels of different sizes: "
                    f"{', '.join(f'{c.name} ({c.size})' for c in found)}"
                )
            self._channels[term.name] = found
        check_apart(terms, {k: [c.name for c in v] for k, v in self._channels.items()})
        kinds = {_kind(t) for t in terms}
        self._values = {k: np.full((n, width), v) for k, v in _NEUTRAL.items() if k in kinds}
        self._terms = {k: [t for t in terms if _kind(t) == k] for k in _NEUTRAL}
        self._columns = {t.name: _columns(self._channels[t.name]) for t in terms}
        self._widths = {t.name: sum(c.size for c in self._channels[t.name]) for t in terms}
        fills = {"noise": fill_normal, "drift": fill_normal, "dropout": fill_uniform}
        self._numbers = {
            t.name: StepNumbers(
                t.name, n, self._widths[t.name] if k != "dropout" else len(self._channels[t.name]), fill
            )
            for k, fill in fills.items()
            for t in self._terms[k]
        }
        self._drift = np.zeros((n, width))
        self._kept = np.zeros((n, width))
        self._depth = round(slowest * control_hz) if "latency" in kinds else 0
        self._line = np.zeros((n, self._depth + 1, width))

    def names_of(self, term: Term) -> list[str]:
        """A name for each component of a term."""
        found = self._channels[term.name]
        things = ["all"] if term.shared else [c.name for c in found]
        if _kind(term) not in _VECTOR:
            return things
        sizes = [found[0].size] if term.shared else [c.size for c in found]
        return [t if size == 1 else f"{t}[{i}]" for t, size in zip(things, sizes, strict=True) for i in range(size)]

    def write(self, term: Term, rows: Rows, values: Array) -> None:
        """Set a term's values (k, size) in rows (k,).

        Raises:
            ShopfloorError: if a latency is longer than the buffer.
        """
        found, kind = self._channels[term.name], _kind(term)
        if kind == "latency" and values.size and round(float(values.max()) * self._hz) > self._depth:
            raise ShopfloorError(
                f"term {term.name!r}: a latency of {values.max():g} s is beyond the longest of its splits, "
                f"{self._depth / self._hz:g} s"
            )
        at = 0
        for channel in found:
            size = channel.size if kind in _VECTOR else 1
            part = values[:, at : at + size]
            self._values[kind][rows, channel.start : channel.start + channel.size] = part
            at += 0 if term.shared else size

    def neutral(self, rows: Rows) -> None:
        """Sensors as declared, in the given rows."""
        for kind, array in self._values.items():
            array[rows] = _NEUTRAL[kind]

    def measure(
        self,
        value: Array,
        rows: Rows,
        seeds: NDArray[np.int64],
        episodes: NDArray[np.int64],
        steps: NDArray[np.int64],
    ) -> Array:
        """Readings (k, width) with the transducer's errors, in place; step 0 begins an episode."""
        values, at = self._values, whole(rows, len(self._drift))
        if "gain" in values:
            value *= values["gain"][at]
        if "bias" in values:
            value += values["bias"][at]
        for term in self._terms["drift"]:
            cols = self._columns[term.name]
            z = self._numbers[term.name].at(rows, seeds, episodes, steps)
            decay = math.exp(-1.0 / (self._hz * term.options["time_constant_s"]))
            # stationary from the first step on: a drift has been there before the episode
            first = (steps == 0)[:, None]
            std = values["drift"][at][:, cols]
            kick = np.where(first, std, std * math.sqrt(1.0 - decay * decay))
            drift = self._drift[at]
            drift[:, cols] = np.where(first, 0.0, decay * drift[:, cols]) + kick * z
            self._drift[at] = drift
            value[:, cols] += drift[:, cols]
        for term in self._terms["noise"]:
            cols = self._columns[term.name]
            z = self._numbers[term.name].at(rows, seeds, episodes, steps)
            value[:, cols] += values["noise"][at][:, cols] * z
        return value

    def transmit(
        self,
        value: Array,
        rows: Rows,
        seeds: NDArray[np.int64],
        episodes: NDArray[np.int64],
        steps: NDArray[np.int64],
    ) -> Array:
        """Readings (k, width) that arrive; step 0 begins an episode, at which nothing is lost or late."""
        first = (steps == 0)[:, None]
        # errors that no row has cost nothing: a row that gets one fills its buffers at the start of its episode
        if self._terms["dropout"] and self._values["dropout"].any():
            lost = np.zeros(value.shape, dtype=bool)
            for term in self._terms["dropout"]:
                drawn = self._numbers[term.name].at(rows, seeds, episodes, steps)
                for j, c in enumerate(self._channels[term.name]):
                    part = slice(c.start, c.start + c.size)
                    lost[:, part] |= drawn[:, j : j + 1] < self._values["dropout"][rows, part]
            value = np.where(lost & ~first, self._kept[rows], value)
            self._kept[rows] = value
        if self._depth and self._values["latency"].any():
            line = self._line[rows]
            line[:, :-1] = line[:, 1:].copy()
            line[:, -1] = value
            line = np.where(first[:, None], value[:, None], line)
            self._line[rows] = line
            age = np.round(self._values["latency"][rows] * self._hz).astype(np.intp)
            value = np.take_along_axis(line, (self._depth - age)[:, None], axis=1)[:, 0]
        return value

    def get_state(self) -> dict[str, Any]:
        """Everything that later readings depend on, copied."""
        return {
            "values": {k: v.copy() for k, v in self._values.items()},
            "buffers": {k: getattr(self, k).copy() for k in _BUFFERS},
            "numbers": {k: v.get_state() for k, v in self._numbers.items()},
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `get_state` returned."""
        for key, value in state["values"].items():
            self._values[key][...] = value
        for key, value in state["buffers"].items():
            getattr(self, key)[...] = value
        for key, value in state["numbers"].items():
            self._numbers[key].set_state(value)


def _kind(term: Term) -> str:
    return term.effect.removeprefix("sensor.")


def _columns(channels: Sequence[ChannelPlace]) -> Rows | slice:
    if len(channels) == 1:
        return slice(channels[0].start, channels[0].start + channels[0].size)
    return np.concatenate([np.arange(c.start, c.start + c.size) for c in channels])
