"""From true values to readings: the sensor suite of a batch of rows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from ..randomness import KeyedRandom
from .channel import Channel

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Integers = NDArray[np.int64]
NOISE_BLOCK = 64  # control steps of noise drawn at a time


class ReadingErrors(Protocol):
    """Errors beyond the declared ones, in two places of the chain; a control step 0 begins an episode.

    Arguments are readings (k, size) and, all (k,), their rows, seeds, episode numbers and control steps.
    """

    terms: tuple[Any, ...]

    def measure(self, value: Array, rows: Index, seeds: Integers, episodes: Integers, steps: Integers) -> Array:
        """What the transducer adds, before quantization, in place."""

    def transmit(self, value: Array, rows: Index, seeds: Integers, episodes: Integers, steps: Integers) -> Array:
        """What the line adds, before history."""


class SensorSuite:
    """Readings of all channels of one group, for n rows.

    Rows are independent: a row's readings depend on its true values, its seed and its episode only.

    Args:
        channels: the group's channels, in observation order.
        observe: one function a channel that returns the true value (n, size).
        n: number of rows.
        control_hz: control rate.
        errors: errors beyond the declared ones.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        observe: Sequence[Callable[[], Array]],
        n: int,
        control_hz: float,
        errors: ReadingErrors | None = None,
    ):
        self._errors = errors if errors is not None and errors.terms else None
        self.channels = tuple(channels)
        # groups draw apart: what a critic sees must not tell the noise of what the policy sees
        group = self.channels[0].group
        self._bias_key, self._noise_key = f"sensor:bias:{group}", f"sensor:noise:{group}"
        self.n = n
        self._all_rows = np.arange(n)
        self._observe = tuple(observe)
        self.size = sum(c.size for c in self.channels)
        self.width = sum(c.width for c in self.channels)
        self._slices = _slices([c.size for c in self.channels])
        self._out_slices = _slices([c.width for c in self.channels])
        self.low = np.concatenate([c.bounds[0] for c in self.channels])
        self.high = np.concatenate([c.bounds[1] for c in self.channels])
        self._resolve_chain(control_hz)
        self.truth = np.zeros((n, self.size))
        self.readings = np.zeros((n, self.size))
        self._sampled = np.zeros((n, self.size))
        self._bias = np.zeros((n, self.size))
        self._delay_line = np.zeros((n, self._depth + 1, self.size)) if self._depth else None
        longest = max((c.history for c in self.channels), default=1)
        self._history = np.zeros((n, longest, self.size)) if longest > 1 else None
        noisy = self._noisy.size
        self._noise = np.zeros((n, NOISE_BLOCK, noisy)) if noisy else None
        self._random = KeyedRandom()

    def _resolve_chain(self, control_hz: float) -> None:
        def spread(values: list[float]) -> Array:
            return np.concatenate([np.full(c.size, v) for c, v in zip(self.channels, values, strict=True)])

        noise = spread([c.noise for c in self.channels])
        bias = spread([c.bias for c in self.channels])
        quantum = spread([c.quantization for c in self.channels])
        self._noisy = np.flatnonzero(noise > 0)
        self._noise_std = noise[self._noisy]
        self._noise_parts = _runs(self._noisy)
        self._biased = np.flatnonzero(bias > 0)
        self._bias_std = bias[self._biased]
        self._quantized = np.flatnonzero(quantum > 0)
        self._quantum = quantum[self._quantized]
        every, delay = [], []
        for c in self.channels:
            ratio = 1.0 if c.rate_hz is None else control_hz / c.rate_hz if c.rate_hz > 0.0 else 0.0
            if ratio < 1.0 or abs(ratio - round(ratio)) > 1e-9:
                raise ShopfloorError(
                    f"channel {c.name!r}: rate_hz={c.rate_hz} must divide the control rate {control_hz} Hz"
                )
            every.append(round(ratio))
            delay.append(round(c.latency_s * control_hz))
        self._slow = [(s, k) for s, k in zip(self._slices, every, strict=True) if k > 1]
        self._delayed = [(s, k) for s, k in zip(self._slices, delay, strict=True) if k > 0]
        self._depth = max(delay, default=0)

    # -- one control step -------------------------------------------------------------------------------------

    def reset(self, rows: NDArray[np.intp], seeds: NDArray[np.int64], episodes: NDArray[np.int64]) -> None:
        """Begin an episode in the given rows: new biases, buffers filled with the first reading."""
        if self._biased.size:
            for row, seed, episode in zip(rows.tolist(), seeds.tolist(), episodes.tolist(), strict=True):
                z = self._random.generator(seed, self._bias_key, episode).standard_normal(self._biased.size)
                self._bias[row, self._biased] = z * self._bias_std
        step = np.zeros(len(rows), dtype=np.int64)
        reading = self._sense(rows, seeds, episodes, step, first=True)
        if self._delay_line is not None:
            self._delay_line[rows] = reading[:, None]
        if self._errors is not None:
            reading = self._errors.transmit(reading, rows, seeds, episodes, step)
        self.readings[rows] = reading
        if self._history is not None:
            self._history[rows] = reading[:, None]

    def update(
        self,
        rows: NDArray[np.intp] | slice,
        seeds: NDArray[np.int64],
        episodes: NDArray[np.int64],
        steps: NDArray[np.int64],
    ) -> None:
        """Take the readings of one control step in the given rows (a full slice for all of them)."""
        reading = self._sense(rows, seeds, episodes, steps, first=False)
        if self._delay_line is not None:
            line = self._delay_line[rows]
            line[:, :-1] = line[:, 1:].copy()
            line[:, -1] = reading
            self._delay_line[rows] = line
            reading = reading.copy()
            for part, delay in self._delayed:
                reading[:, part] = line[:, -1 - delay, part]
        if self._errors is not None:
            index = self._all_rows if isinstance(rows, slice) else rows
            reading = self._errors.transmit(reading, index, seeds, episodes, steps)
        self.readings[rows] = reading
        if self._history is not None:
            past = self._history[rows]
            past[:, :-1] = past[:, 1:].copy()
            past[:, -1] = reading
            self._history[rows] = past

    def _sense(
        self,
        rows: NDArray[np.intp] | slice,
        seeds: NDArray[np.int64],
        episodes: NDArray[np.int64],
        steps: NDArray[np.int64],
        first: bool,
    ) -> Array:
        for part, observe in zip(self._slices, self._observe, strict=True):
            self.truth[:, part] = observe()
        value = self.truth[rows]
        if isinstance(rows, slice):
            value = value.copy()
        if self._noise is not None:
            noise = self._noise_of(rows, seeds, episodes, steps) * self._noise_std
            for part, source in self._noise_parts:
                value[:, part] += noise[:, source]
        if self._biased.size:
            value[:, self._biased] += self._bias[rows][:, self._biased]
        if self._errors is not None:
            index = self._all_rows if isinstance(rows, slice) else rows
            value = self._errors.measure(value, index, seeds, episodes, steps)
        if self._quantized.size:
            value[:, self._quantized] = np.round(value[:, self._quantized] / self._quantum) * self._quantum
        np.minimum(np.maximum(value, self.low, out=value), self.high, out=value)
        if self._slow:
            held = self._sampled[rows]
            for part, every in self._slow:
                stale = (steps % every != 0)[:, None] if not first else np.zeros((len(steps), 1), bool)
                value[:, part] = np.where(stale, held[:, part], value[:, part])
            self._sampled[rows] = value
        return value

    def _noise_of(
        self,
        rows: NDArray[np.intp] | slice,
        seeds: NDArray[np.int64],
        episodes: NDArray[np.int64],
        steps: NDArray[np.int64],
    ) -> Array:
        assert self._noise is not None
        index = self._all_rows if isinstance(rows, slice) else rows
        phase = steps % NOISE_BLOCK
        due = np.flatnonzero(phase == 0)
        for k in due.tolist():
            block = int(steps[k]) // NOISE_BLOCK
            self._random.fill_normal(int(seeds[k]), self._noise_key, int(episodes[k]), block, self._noise[index[k]])
        # `take` of whole lines is faster than an index for each of two axes
        noise: Array = self._noise.reshape(-1, self._noise.shape[2]).take(index * NOISE_BLOCK + phase, axis=0)
        return noise

    # -- results ----------------------------------------------------------------------------------------------

    def vector(self) -> NDArray[np.float32]:
        """The observation (n, width), float32, a fresh array."""
        if self._history is None:
            return self.readings.astype(np.float32)
        out = np.empty((self.n, self.width), dtype=np.float32)
        for c, part, where in zip(self.channels, self._slices, self._out_slices, strict=True):
            out[:, where] = self._history[:, self._history.shape[1] - c.history :, part].reshape(self.n, c.width)
        return out

    def by_name(self, row: int) -> dict[str, Array]:
        """One row's readings by channel name, each (size,)."""
        return {c.name: self.readings[row, s].copy() for c, s in zip(self.channels, self._slices, strict=True)}

    def bounds(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Range of the observation vector, two arrays (width,)."""
        low = [np.tile(self.low[s], c.history) for c, s in zip(self.channels, self._slices, strict=True)]
        high = [np.tile(self.high[s], c.history) for c, s in zip(self.channels, self._slices, strict=True)]
        return np.concatenate(low).astype(np.float32), np.concatenate(high).astype(np.float32)

    def get_state(self) -> dict[str, Any]:
        """Everything that later readings depend on, copied."""
        names = ("readings", "_sampled", "_bias", "_delay_line", "_history", "_noise")
        return {k: None if getattr(self, k) is None else getattr(self, k).copy() for k in names}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned."""
        for name, value in state.items():
            if value is not None:
                getattr(self, name)[...] = value


def _slices(sizes: Sequence[int]) -> list[slice]:
    ends = np.cumsum([0, *sizes])
    return [slice(a, b) for a, b in itertools.pairwise(ends.tolist())]


def _runs(index: NDArray[np.intp]) -> list[tuple[slice, slice]]:
    """Sorted indices as slices, one for each run of consecutive ones, and where each run stands in `index`."""
    parts = np.split(np.arange(index.size), np.flatnonzero(np.diff(index) > 1) + 1) if index.size else []
    return [(slice(int(index[p[0]]), int(index[p[-1]]) + 1), slice(int(p[0]), int(p[-1]) + 1)) for p in parts]
