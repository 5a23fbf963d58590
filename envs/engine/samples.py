"""What an episode's randomization is told as: the entries of `info`, and a privileged channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..randomization import SPLITS, Randomizer
from ..sensing import PRIVILEGED, Channel

if TYPE_CHECKING:
    from .core import BatchedCell

_SPLITS = np.array(SPLITS, dtype=object)


def sample_info(cell: BatchedCell) -> dict[str, NDArray[Any]]:
    """The randomization of every row for `info`: split, spec, rejected draws and all values, (n,) or (n, size)."""
    randomizer = cell.randomizer
    if randomizer is None:
        return {}
    if randomizer.told is None:
        values = {k: v[:, 0] if v.shape[1] == 1 else v for k, v in randomizer.values.items()}
        told: dict[str, NDArray[Any]] = {
            "split": _SPLITS[randomizer.split],
            "spec": np.full(cell.n, randomizer.spec.hash, dtype=object),
            "rejected": randomizer.rejected,
            **values,
        }
        randomizer.told = told
    return randomizer.told


def sample_channel(randomizer: Randomizer) -> Channel:
    """The privileged channel that tells the values of all randomization terms."""
    names = tuple(f"{t}.{c}" for t, cs in randomizer.component_names.items() for c in cs)
    return Channel(
        "randomization", len(names), "1", -100.0, 100.0, scale=1.0, group=PRIVILEGED, labels=names,
        description="randomized values; the training range of each is -1 to 1",
    )  # fmt: skip
