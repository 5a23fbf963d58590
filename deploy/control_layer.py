"""The control layer: what a controller runtime talks to, be it a twin or a machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..contract import Contract

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StateFrame:
    """All readings of one control tick.

    Attributes:
        seq: number of the frame, rising by one a tick; a frame that comes twice is stale.
        time_s: the layer's own clock.
        readings: reading name -> (size,), in the contract's units.
        finished: whether the layer has ended the episode; no command is expected any more.
    """

    seq: int
    time_s: float
    readings: Mapping[str, Array]
    finished: bool = False


@dataclass(frozen=True)
class Outcome:
    """How an episode ended, where the layer can tell.

    Attributes:
        success: whether the task was achieved.
        reason: why the episode ended.
        metrics: figures of the episode, NaN where they have no meaning.
        units: unit of each metric.
        main_metric: the one that ranks policies.
    """

    success: bool
    reason: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    main_metric: str = ""


class ControlLayer(Protocol):
    """What a twin or a machine offers. A failing connection raises OSError, which the runtime counts as a lost tick."""

    def describe(self) -> Contract:
        """Readings, set-points, rate and limits on offer, to be compared with a policy's contract."""

    def start(self, seed: int) -> None:
        """Begin an episode; a twin draws its start state from the seed, a machine may ignore it."""

    def read(self) -> StateFrame:
        """The newest frame; frame 0 is the start state."""

    def write(self, seq: int, setpoint: Array) -> None:
        """Command set-points (size,), numbered from 0 in each episode."""

    def stop(self) -> None:
        """Bring everything to a safe standstill, by the layer's own means. May be called at any time, also twice."""

    def outcome(self) -> Outcome | None:
        """How the last episode ended, or None where the layer does not know."""
