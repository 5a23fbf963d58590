"""Seams as data: where the root of a joint runs, which faces meet there, and how well they fit.

A seam is a chain of straight pieces, or one circular arc, in the frame of its part. It runs so that the plate that
stands up (or lies on top) is on the right of who looks along the tangent with the first face underfoot:
`tangent x normal_2 = normal_1` where the faces are square to each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ShopfloorError

Array = NDArray[np.float64]

FILLET, LAP, BUTT, CORNER = "fillet", "lap", "butt", "corner"


@dataclass(frozen=True)
class SeamPoints:
    """A seam at k places. Vectors are unit vectors (k, 3) in the frame of the part, lengths in m.

    Attributes:
        position: the root (k, 3): where the two faces would meet if nothing gaped.
        tangent: direction of welding.
        normal_1, normal_2: out of the faces that form the joint; of a butt joint, out of its bevels.
        bisector: out of the joint, half way between the faces; a torch without work and travel angle looks against it.
        gap: root opening (k,).
        mismatch: how much the plate on the left of the tangent stands higher than the other (k,).
    """

    position: Array
    tangent: Array
    normal_1: Array
    normal_2: Array
    bisector: Array
    gap: Array
    mismatch: Array


@dataclass(frozen=True)
class Arc:
    """Circle about z through `points[0]`, counter-clockwise for a positive angle.

    Attributes:
        center: (3,) m.
        radius: m.
        start: direction of the first point, rad.
        angle: how far it goes, rad.
    """

    center: tuple[float, float, float]
    radius: float
    start: float
    angle: float


@dataclass(frozen=True)
class Seam:
    """One seam of a part.

    Attributes:
        name: unique within the part.
        kind: "fillet", "lap", "butt" or "corner".
        points: (m + 1, 3) corners of the chain of m pieces, m.
        normal_1, normal_2: (m, 3) of the faces at each piece.
        gap, mismatch: (m,) m.
        closed: the last point is the first.
        arc: the exact curve, where the pieces are chords of one.
    """

    name: str
    kind: str
    points: Array
    normal_1: Array
    normal_2: Array
    gap: Array
    mismatch: Array
    closed: bool = False
    arc: Arc | None = None

    @property
    def knots(self) -> Array:
        """(m + 1,) arc length of the corners, m."""
        if self.arc is not None:
            return np.linspace(0.0, abs(self.arc.angle) * self.arc.radius, len(self.points))
        piece = np.diff(self.points, axis=0)
        return np.concatenate([[0.0], np.cumsum(np.sqrt(np.sum(piece * piece, axis=1)))])

    @property
    def length(self) -> float:
        """Length of the root line, m."""
        return float(self.knots[-1])

    def at(self, s: ArrayLike) -> SeamPoints:
        """The seam at arc lengths `s` (k,), m; beyond an end its value there, round again on a closed one."""
        knots = self.knots
        at: Array = np.atleast_1d(np.asarray(s, np.float64))
        at = np.mod(at, knots[-1]) if self.closed else np.clip(at, 0.0, knots[-1])
        piece = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
        n1, n2 = self.normal_1[piece], self.normal_2[piece]
        if self.arc is None:
            chord = self.points[piece + 1] - self.points[piece]
            tangent: Array = chord / np.diff(knots)[piece, None]
            position: Array = self.points[piece] + tangent * (at - knots[piece])[:, None]
        else:
            sign = np.sign(self.arc.angle)
            angle = self.arc.start + sign * at / self.arc.radius
            cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros_like(angle)
            position = np.asarray(self.arc.center) + self.arc.radius * np.stack([cos, sin, zero], axis=1)
            tangent = sign * np.stack([-sin, cos, zero], axis=1)
            n2 = -sign * np.stack([cos, sin, zero], axis=1)
        middle = n1 + n2
        bisector = middle / np.sqrt(np.sum(middle * middle, axis=1, keepdims=True))
        return SeamPoints(position, tangent, n1, n2, bisector, self.gap[piece], self.mismatch[piece])

    def table(self, step: float = 0.5e-3) -> tuple[Array, SeamPoints]:
        """Arc lengths (k,) at most `step` m apart from end to end, and the seam there.

        Raises:
            ShopfloorError: if `step` is not positive.
        """
        if not step > 0.0:
            raise ShopfloorError(f"seam {self.name!r}: step={step!r} m must be positive")
        s = np.linspace(0.0, self.length, int(np.ceil(self.length / step)) + 1)
        return s, self.at(s if not self.closed else np.minimum(s, self.length * (1.0 - 1e-15)))


def chain(
    name: str, kind: str, points: ArrayLike, normal_1: ArrayLike, normal_2: ArrayLike, gap: ArrayLike = 0.0,
    mismatch: ArrayLike = 0.0, closed: bool = False,
) -> Seam:  # fmt: skip
    """Seam of straight pieces; what is the same for all pieces may be given once.

    Args:
        name, kind, closed: see `Seam`.
        points: (m + 1, 3) m.
        normal_1, normal_2: (3,) or (m, 3).
        gap, mismatch: number or (m,), m.
    """
    p = np.asarray(points, float)
    m = len(p) - 1

    def full(value: ArrayLike, *shape: int) -> Array:
        return np.broadcast_to(np.asarray(value, float), (m, *shape)).copy()

    return Seam(name, kind, p, full(normal_1, 3), full(normal_2, 3), full(gap), full(mismatch), closed)


def circle(name: str, kind: str, radius: float, height: float = 0.0, gap: float = 0.0, pieces: int = 72) -> Seam:
    """Closed seam once around a round post on a plate: clockwise from +x, the post on the right, exact at every point.

    Args:
        name, kind: see `Seam`.
        radius: of the post, m.
        height: of the plate's face, m.
        gap: between the two, m.
        pieces: chords in `points`.
    """
    angle = -np.linspace(0.0, 2.0 * np.pi, pieces + 1)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full_like(angle, height)], axis=1)
    middle = 0.5 * (angle[1:] + angle[:-1])
    outward = np.stack([np.cos(middle), np.sin(middle), np.zeros(pieces)], axis=1)
    up = np.broadcast_to(np.array([0.0, 0.0, 1.0]), (pieces, 3)).copy()
    arc = Arc((0.0, 0.0, height), radius, 0.0, -2.0 * np.pi)
    return Seam(name, kind, points, up, outward, np.full(pieces, gap), np.zeros(pieces), True, arc)
