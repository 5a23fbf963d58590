"""Scripted policies: experts, oracles and baselines that act on the rows of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .task import Rows

Array = NDArray[np.float64]


class Expert(Protocol):
    """A scripted policy. `act` returns set-points in the units of the action interface.

    Attributes:
        privileged: whether it reads what a policy cannot see. An expert must not; an oracle does.
    """

    privileged: bool

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Prepare for new episodes of `rows`."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """Set-points (n, size) from the policy-group readings, each (n, channel size)."""
