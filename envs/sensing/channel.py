"""The declaration of one observation channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError

POLICY = "policy"
PRIVILEGED = "privileged"
GROUPS = (POLICY, PRIVILEGED)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Channel:
    """One named vector that a policy may see.

    The task's method `observe_<name>` returns the true value (n, size); the sensor suite adds what the sensor adds,
    in the order in which a real chain does: rate (a new sample only every 1/rate), noise and bias, quantization,
    latency, clipping to the range.

    Attributes:
        name: channel name.
        size: number of components.
        unit: SI unit of every component, "1" for a ratio.
        low, high: range of the sensor; readings are clipped to it. A number, or one a component.
        scale: typical magnitude, used to normalise the reading for a network; default half the range.
        offset: value that normalises to zero; default the middle of the range.
        frame: frame in which a vector is expressed, "" where that means nothing.
        rate_hz: sampling rate; None for a new sample at every control step. Must divide the control rate.
        noise: standard deviation of white noise a sample, in `unit`.
        bias: standard deviation of an error that is drawn once an episode, in `unit`.
        quantization: step of the reading, in `unit`; 0 for none.
        latency_s: age of the newest reading that the policy gets; rounded to whole control steps.
        history: number of successive readings in the observation, oldest first.
        group: `policy`, or `privileged` for what only simulation knows.
        labels: a name for each component, for tables; default the index.
        description: one line for the documentation page.
    """

    name: str
    size: int
    unit: str
    low: float | Sequence[float]
    high: float | Sequence[float]
    scale: float | Sequence[float] | None = None
    offset: float | Sequence[float] | None = None
    frame: str = ""
    rate_hz: float | None = None
    noise: float = 0.0
    bias: float = 0.0
    quantization: float = 0.0
    latency_s: float = 0.0
    history: int = 1
    group: str = POLICY
    labels: tuple[str, ...] = ()
    description: str = ""

    def __post_init__(self) -> None:
        where = f"channel {self.name!r}"
        if self.group not in GROUPS:
            raise ShopfloorError(f"{where}: group must be one of {GROUPS}, got {self.group!r}")
        if self.size < 1 or self.history < 1:
            raise ShopfloorError(f"{where}: size and history must be at least 1, got {self.size} and {self.history}")
        if not all(0 <= x < np.inf for x in (self.noise, self.bias, self.quantization, self.latency_s)):
            raise ShopfloorError(f"{where}: noise, bias, quantization and latency_s must be finite and not negative")
        for name in ("low", "high", "scale", "offset"):
            value = getattr(self, name)
            if value is not None and np.shape(value) not in ((), (1,), (self.size,)):
                raise ShopfloorError(f"{where}: {name} must be a number or one for each of {self.size} components")
        if self.scale is not None and not (self._vector(self.scale) > 0).all():
            raise ShopfloorError(f"{where}: scale must be positive, got {self.scale}")
        low, high = self.bounds
        if not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
            raise ShopfloorError(f"{where}: needs finite low < high, got {self.low} and {self.high}")
        if self.labels and len(self.labels) != self.size:
            raise ShopfloorError(f"{where}: {len(self.labels)} labels for {self.size} components")

    def _vector(self, value: float | Sequence[float]) -> Array:
        return np.broadcast_to(np.asarray(value, dtype=np.float64), (self.size,)).copy()

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Range of one reading, two arrays (size,)."""
        return self._vector(self.low), self._vector(self.high)

    @property
    def normalization(self) -> tuple[Array, Array]:
        """Offset and scale (size,) such that `(reading - offset) / scale` is of order one."""
        low, high = self.bounds
        offset = 0.5 * (low + high) if self.offset is None else self._vector(self.offset)
        scale = 0.5 * (high - low) if self.scale is None else self._vector(self.scale)
        return offset, scale

    @property
    def width(self) -> int:
        """Components in the observation vector, history included."""
        return self.size * self.history

    def component_names(self) -> tuple[str, ...]:
        """A name for each component of one reading."""
        if self.labels:
            return self.labels
        return (self.name,) if self.size == 1 else tuple(f"{self.name}[{i}]" for i in range(self.size))
