"""Gated samples: a sample counts only if the machine had all of its cores before and after it.

Machines lose cores for minutes without saying so, to other tenants, other processes or their power budget, and what is
measured then says nothing. Each sample therefore stands between two probes of the raw bound with one thread and with
all of them. If the threads do not scale as they should, or the bound is below the best that it has reached in this run,
before or after, the sample is thrown away and taken again.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .bound import RawBound
from .decisions import EventBound


@dataclass
class Result:
    """Samples of one row of the table.

    Attributes:
        rates: environment steps a second, of the samples that count.
        bounds: the bound beside each, in the same unit.
        rejected: number of samples thrown away.
    """

    rates: list[float] = field(default_factory=list)
    bounds: list[float] = field(default_factory=list)
    rejected: int = 0

    @property
    def ratios(self) -> list[float]:
        """Each sample divided by its bound."""
        return [rate / bound for rate, bound in zip(self.rates, self.bounds, strict=True)]

    @property
    def rate(self) -> float:
        """Median rate; NaN without samples."""
        return statistics.median(self.rates) if self.rates else float("nan")

    @property
    def ratio(self) -> float:
        """Median ratio; NaN without samples."""
        return statistics.median(self.ratios) if self.rates else float("nan")


@dataclass(frozen=True)
class Gate:
    """How samples are taken.

    Attributes:
        samples: how many have to count.
        seconds: length of a sample; a probe takes a third of that.
        tolerance: how far the bound may stay behind perfect scaling and behind its best, relative.
        patience: seconds after which a row goes with the samples it has.
    """

    samples: int
    seconds: float
    tolerance: float
    patience: float

    def measure(self, bound: RawBound | EventBound, sample: Callable[[float], float], result: Result) -> None:
        """Add samples: `sample(seconds)` runs for about that long and returns environment steps a second."""
        give_up = time.monotonic() + self.patience
        before = self._probe(bound)
        while len(result.rates) < self.samples and time.monotonic() < give_up:
            if before is None:
                time.sleep(0.1)
                before = self._probe(bound)
                continue
            rate = sample(self.seconds)
            after = self._probe(bound)
            if after is None:
                result.rejected += 1
            else:
                result.rates.append(rate)
                result.bounds.append(0.5 * (before + after))
            before = after

    def drop_slow(self, bound: RawBound | EventBound, result: Result) -> bool:
        """Throw away samples beside which the bound was below the best that it has reached since; whether any were."""
        good = [i for i, beside in enumerate(result.bounds) if beside >= bound.best * (1.0 - self.tolerance)]
        dropped = len(result.bounds) - len(good)
        result.rates, result.bounds = [result.rates[i] for i in good], [result.bounds[i] for i in good]
        result.rejected += dropped
        return dropped > 0

    def _probe(self, bound: RawBound | EventBound) -> float | None:
        """The bound now, or None while the machine does not have its cores."""
        seconds = self.seconds / 6.0
        single = bound.rate(1, seconds)
        full = bound.rate(bound.threads, seconds)
        enough = max(bound.threads * single, bound.best) * (1.0 - self.tolerance)
        return full if full >= enough else None
