"""What a log can tell about each parameter, and what only about several together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .fit import Fit

Array = NDArray[np.float64]

CORRELATED: Final = 0.9
UNDETERMINED: Final = 0.5  # share of what was uncertain before that is still uncertain
_QUANTILE: Final = 1.959964  # of a normal distribution, for 95 %


@dataclass(frozen=True)
class Group:
    """Parameters that the data tell apart badly.

    Attributes:
        label: "A", "B", ...
        members: their names.
        correlation: largest absolute correlation between two of them.
        combination: (members,) the best determined combination of them, a unit vector in prior ranges.
        deviation: its standard deviation, in prior ranges.
    """

    label: str
    members: tuple[str, ...]
    correlation: float
    combination: tuple[float, ...]
    deviation: float


@dataclass(frozen=True)
class Identifiability:
    """How well parameters are determined.

    Attributes:
        condition: condition number of the Jacobian, parameters measured in their prior ranges.
        correlation: (parameters, parameters) of the estimates.
        half_width: (parameters,) half a 95 % interval.
        uncertainty: (parameters,) standard deviation as a share of what it was before; 0 for what is known exactly.
        groups: parameters that are correlated by more than `CORRELATED`.
        undetermined: names of parameters about which the data say next to nothing.
    """

    condition: float
    correlation: Array
    half_width: Array
    uncertainty: Array
    groups: tuple[Group, ...]
    undetermined: tuple[str, ...]

    def group_of(self, name: str) -> str:
        """Label of the group that a parameter is in, "" for none."""
        return next((g.label for g in self.groups if name in g.members), "")


def identifiability(fit: Fit) -> Identifiability:
    """Judge a fit."""
    scale = np.array([p.scale for p in fit.parameters])
    names = [p.name for p in fit.parameters]
    deviation = np.sqrt(np.diag(fit.covariance))
    correlation = fit.covariance / (deviation[:, None] * deviation)
    share = deviation / scale
    normalized = fit.covariance / (scale[:, None] * scale)
    groups = []
    for label, members in zip(_labels(), _components(np.abs(correlation) > CORRELATED), strict=False):
        block = np.ix_(members, members)
        variances, vectors = np.linalg.eigh(normalized[block])
        best = vectors[:, 0] * np.sign(vectors[np.argmax(np.abs(vectors[:, 0])), 0])
        off = np.abs(correlation[block])[~np.eye(len(members), dtype=bool)]
        groups.append(
            Group(
                label,
                tuple(names[i] for i in members),
                float(off.max()),
                tuple(best.tolist()),
                float(np.sqrt(max(variances[0], 0.0))),
            )
        )
    return Identifiability(
        float(np.linalg.cond(fit.jacobian * scale)),
        correlation,
        _QUANTILE * deviation,
        share,
        tuple(groups),
        tuple(n for n, s in zip(names, share.tolist(), strict=True) if s > UNDETERMINED),
    )


def _labels() -> list[str]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [*letters, *(a + b for a in letters for b in letters)]


def _components(linked: NDArray[np.bool_]) -> Sequence[list[int]]:
    """Connected components of two or more things, from a symmetric relation (n, n)."""
    waiting, out = set(range(len(linked))), []
    while waiting:
        found, edge = set(), {min(waiting)}
        while edge:
            found |= edge
            edge = {j for i in edge for j in np.flatnonzero(linked[i]).tolist()} - found
        waiting -= found
        if len(found) > 1:
            out.append(sorted(found))
    return out
