"""What the jig senses: beams that a pin cuts, between physics steps, and the force on the stylus through the drives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...assets.fixtures.teach_station import PIN_HEIGHT
from ...assets.tools.teach_jig import BEAM_ANGLES
from ..engine.task import Rows
from ..randomness import KeyedRandom

Array = NDArray[np.float64]

EDGES = ("first beam cut", "first beam free", "second beam cut", "second beam free")
BLOCK = 16  # control steps of noise drawn at a time


class StepNoise:
    """Standard normal numbers for each row and control step, from keyed blocks that are part of the rows' state.

    Args:
        s: the rows; the block is registered with them.
        name: of the array and of the draw.
        size: numbers a step.
    """

    def __init__(self, s: Rows, name: str, size: int):
        self._key = f"task:{name}"
        self._block = s.new(name, (BLOCK, size))
        self._random = KeyedRandom()
        self._all = np.arange(s.n)

    def at(self, s: Rows, step: NDArray[np.int64]) -> Array:
        """The numbers (n, size) of the control steps (n,), which come in order, from 0."""
        phase = step % BLOCK
        for k in np.flatnonzero(phase == 0).tolist():
            self._random.fill_normal(
                int(s.seed[k]), self._key, int(s.episode[k]), int(step[k]) // BLOCK, self._block[k]
            )
        numbers: Array = self._block[self._all, phase]
        return numbers


def distances(crossing: Array, along: Array, left: Array, foot: Array, axis: Array) -> tuple[Array, Array]:
    """Signed distances of the two beams from the axis of the pin, and heights at which they pass it.

    Args:
        crossing: (..., 3) of the beams, m.
        along, left: (..., 3) axes of the jig.
        foot: (..., 3) of the pin, m.
        axis: (..., 3) of the pin, unit vector.

    Returns:
        Two arrays (..., 2): distance (m), which grows as the jig moves outward, and height of the crossing above the
        foot along the axis (m).
    """
    gap = crossing - foot
    out = []
    for angle in BEAM_ANGLES:
        beam = np.cos(angle) * along + np.sin(angle) * left
        # common normal of the beam and the pin, so turned that it points outward
        sign = -np.sign(np.sin(angle))
        n0 = sign * (axis[..., 1] * beam[..., 2] - axis[..., 2] * beam[..., 1])
        n1 = sign * (axis[..., 2] * beam[..., 0] - axis[..., 0] * beam[..., 2])
        n2 = sign * (axis[..., 0] * beam[..., 1] - axis[..., 1] * beam[..., 0])
        length = np.sqrt(n0 * n0 + n1 * n1 + n2 * n2)
        out.append((gap[..., 0] * n0 + gap[..., 1] * n1 + gap[..., 2] * n2) / length)
    height = gap[..., 0] * axis[..., 0] + gap[..., 1] * axis[..., 1] + gap[..., 2] * axis[..., 2]
    return np.stack(out, axis=-1), np.stack((height, height), axis=-1)


def crossings(times: Array, distance: Array, height: Array, radius: float) -> Array:
    """Instants at which each beam is cut by the pin and becomes free again.

    Between entries of the record the distance is taken as linear in time; at 2 m/s^2 and 4 ms that is off by 4 um.

    Args:
        times: (m,) of the record, s.
        distance: (n, m, 2) of each beam from the axis of the pin, m.
        height: (n, m, 2) at which it passes, m.
        radius: of the pin, m.

    Returns:
        (n, 4), in the order of `EDGES`, NaN where there is no such edge.
    """
    level = np.abs(distance) - radius
    dark = (level <= 0.0) & (height > 0.0) & (height < PIN_HEIGHT)
    n = distance.shape[0]
    found = np.full((n, 4), np.nan)
    for kind, edge in enumerate((~dark[:, :-1] & dark[:, 1:], dark[:, :-1] & ~dark[:, 1:])):
        row, beam = np.nonzero(edge.any(axis=1))
        if not row.size:
            continue
        entry = np.argmax(edge, axis=1)[row, beam]
        before, after = level[row, entry, beam], level[row, entry + 1, beam]
        moved = before - after
        share = np.minimum(np.maximum(before / np.where(moved == 0.0, 1.0, moved), 0.0), 1.0)
        found[row, 2 * beam + kind] = times[entry] + share * (times[entry + 1] - times[entry])
    return found


def contact_force(sag: Array, tare: Array, stiffness: Array, lever: float) -> Array:
    """Upward force (N) at the stylus that bends the paddle from `tare` to `sag` (rad, tip down); static.

    Args:
        sag: (n, m).
        tare: (n,).
        stiffness: (n,) of the sag, N m/rad.
        lever: hinge to stylus, m.
    """
    force: Array = stiffness[:, None] / lever * (tare[:, None] - sag)
    return force
