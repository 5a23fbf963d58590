"""Profile of the bead behind the arc: what a second line, or a camera, measures of the legs once the pool is solid.

The difference of the legs tells where the metal went, and so by how much the wire missed the root: with the bias of the
sensor ahead in it, and with what the plates have moved since that one looked. It comes late, by the distance at which
the bead can be seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...randomness import counter_normal
from ..process import WeldProcess

Array = NDArray[np.float64]

QUANTUM_MM = 0.05
_STREAM = 131


class BeadProfile:
    """Reads the newest slice that lies far enough behind the arc.

    Args:
        process: the weld.
        behind_mm: distance from the arc at which the bead is measured.
        noise_mm: standard deviation of each leg.
    """

    def __init__(self, process: WeldProcess, behind_mm: float = 20.0, noise_mm: float = 0.12):
        self.process = process
        self.behind_mm = behind_mm
        self.noise_mm = noise_mm
        self._rows = np.arange(process.n)

    def read(self, key: NDArray[np.int64]) -> Array:
        """Leg on the standing plate, leg on the base (mm), and 1 where there is a bead to be seen: (n, 3).

        The error belongs to the place, so that reading it twice tells no more.

        Args:
            key: (n,) of the episodes, see `randomness.episode_key`.
        """
        slices = self.process.slices
        at = np.floor((self.process.travelled_mm - self.behind_mm) / slices.slice_mm).astype(np.int64)
        seen = (at >= 0) & (at < slices.frozen)
        index = np.minimum(np.maximum(at, 0), slices.count - 1)
        out = np.zeros((len(at), 3))
        for k, name in enumerate(("leg_1_mm", "leg_2_mm")):
            leg = slices[name][self._rows, index].astype(np.float64)
            leg = leg + self.noise_mm * counter_normal(key, index, _STREAM + 2 * k)
            out[:, k] = np.where(seen, np.round(leg / QUANTUM_MM) * QUANTUM_MM, 0.0)
        out[:, 2] = seen
        return out
