"""Weaves: the torch's swing across the seam, on which through-arc sensing lives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError

Array = NDArray[np.float64]

PATTERNS = ("sine", "triangle")


@dataclass(frozen=True)
class Weave:
    """A periodic swing about the seam, a whole number of control steps long.

    Attributes:
        amplitude_mm: to each side.
        steps: control steps of a period, a multiple of 4 so that the ends of the swing fall on steps.
        pattern: one of `PATTERNS`.
    """

    amplitude_mm: float
    steps: int
    pattern: str = "sine"

    def __post_init__(self) -> None:
        if self.amplitude_mm < 0.0 or self.steps < 4 or self.steps % 4:
            raise ShopfloorError(
                f"a weave has an amplitude of 0 or more and a multiple of 4 steps, got {self.amplitude_mm} mm and "
                f"{self.steps}"
            )
        if self.pattern not in PATTERNS:
            raise ShopfloorError(f"a weave is one of {', '.join(PATTERNS)}, got {self.pattern!r}")

    def phase(self, step: NDArray[np.int64]) -> Array:
        """Share of the period that has passed after a number of control steps (n,); 0.25 is the lateral end."""
        return (step % self.steps) / self.steps

    def lateral_mm(self, phase: Array) -> Array:
        """Swing at a phase (n,), positive to the standing plate in the first half."""
        if self.pattern == "sine":
            return self.amplitude_mm * np.sin(2.0 * np.pi * phase)
        return self.amplitude_mm * (1.0 - np.abs((4.0 * phase + 1.0) % 4.0 - 2.0))
