"""Moves by way of a via point: retraction, turn and extension that run into each other, and their shortest times.

On a path of varying curvature kappa(s) the friction circle leaves `a_t^2 + (v^2 kappa)^2 <= limit^2`. In the square of
the speed, `z = v^2 / limit`, that is `|z'| <= 2 sqrt(1 - (z kappa)^2)` whatever the limit: one profile for the path, by
the two sweeps of the phase plane (Bobrow, Dubowsky and Gibson, "Time-optimal control of robotic manipulators along
specified paths", Int. J. Robotics Research 4(3), 1985): forward as fast as it goes from rest, backward from rest at the
end, the lower of both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ShopfloorError

Array = NDArray[np.float64]

POINTS, FINE = 401, 4001  # of a table along the path, and of the curve that it is made from


@dataclass(frozen=True)
class ViaPath:
    """Paths of n rows, tabulated at equal distances.

    Attributes:
        length: (n,) m.
        radius, angle: (n, k) polar coordinates of the wafer's centre, m and rad.
        radius_slope, angle_slope: (n, k) their derivatives along the path, 1 and rad/m.
        curvature: (n, k) 1/m, positive to the left.
    """

    length: Array
    radius: Array
    angle: Array
    radius_slope: Array
    angle_slope: Array
    curvature: Array


def _smooth(x: Array) -> tuple[Array, Array, Array]:
    """Quintic step from 0 to 1 and its two derivatives; continuous in all of them."""
    u = np.minimum(np.maximum(x, 0.0), 1.0)
    rest = 1.0 - u
    return u**3 * (10.0 - 15.0 * u + 6.0 * u * u), 30.0 * (u * rest) ** 2, 60.0 * u * rest * (1.0 - 2.0 * u)


def via_path(
    start: ArrayLike, via: ArrayLike, end: ArrayLike, turn: ArrayLike, blend: ArrayLike, points: int = POINTS
) -> ViaPath:
    """Retract from radius `start` to `via`, turn by `turn`, extend to `end`, each blended with the next.

    Radius and angle are quintic steps of a common parameter; the turn begins when `1 - blend` of the retraction's
    parameter is over and ends alike in the extension, so that the tangent turns and the curvature varies continuously.

    Args:
        start, via, end: (n,) radii of the wafer's centre, m; the via radius must be the smallest.
        turn: (n,) angle, rad, not 0.
        blend: (n,) share of retraction and extension during which the arm turns as well, in [0.3, 0.9]: with less
            the corners are too sharp for the tables, with more the path does not begin along a radius.
        points: k, of the tables.

    Raises:
        ShopfloorError: if the path would have a corner.
    """
    r0, r1, r2, phi, b = (np.atleast_1d(np.asarray(x, float))[:, None] for x in (start, via, end, turn, blend))
    if not ((r1 < r0) & (r1 < r2) & (r1 > 0.0) & (phi != 0.0) & (b >= 0.3) & (b <= 0.9)).all():
        raise ShopfloorError("a via path needs 0 < via < start, end, a turn, and a blend in [0.3, 0.9]")
    u = np.linspace(0.0, 1.0, FINE)[None, :]
    third = 1.0 / 3.0
    into, into1, into2 = _smooth(u / third)
    out, out1, out2 = _smooth((u - 2.0 * third) / third)
    first, width = third * (1.0 - b), third * (1.0 + 2.0 * b)
    round_, round1, round2 = _smooth((u - first) / width)
    r = r0 + (r1 - r0) * into + (r2 - r1) * out
    dr, ddr = (((r1 - r0) * i + (r2 - r1) * o) / third**k for k, i, o in ((1, into1, out1), (2, into2, out2)))
    da, dda = phi * round1 / width, phi * round2 / width**2
    speed = np.sqrt(dr * dr + (r * da) ** 2)
    # curvature of a curve in polar coordinates; where it begins and ends at rest it runs along a radius
    bend = 2.0 * dr * dr * da + r * (dr * dda - ddr * da) + r * r * da**3
    curvature = np.where(speed > 1e-9, bend / np.maximum(speed, 1e-9) ** 3, 0.0)
    gone = np.concatenate((np.zeros_like(r0), np.cumsum(0.5 * (speed[:, 1:] + speed[:, :-1]), axis=1)), axis=1)
    gone /= FINE - 1
    length = gone[:, -1].copy()
    share = np.linspace(0.0, 1.0, points)
    slopes = [x / np.maximum(speed, 1e-12) for x in (dr, da)]
    for slope, at_ends in zip(slopes, ((-1.0, 1.0), (0.0, 0.0)), strict=True):
        slope[:, 0], slope[:, -1] = at_ends
    tables = [
        np.stack([np.interp(share * total, g, x) for total, g, x in zip(length, gone, column, strict=True)])
        for column in (r, phi * round_, *slopes, curvature)
    ]
    return ViaPath(length, *tables)


def phase_plane(curvature: Array, step: ArrayLike) -> tuple[Array, Array]:
    """Largest squared speeds per friction limit on a path (m): speeding up from rest, and still able to stop.

    Args:
        curvature: (n, k) 1/m, at equal distances; linear in between.
        step: (n,) that distance, m.

    Returns:
        Two arrays (n, k): the forward and the backward sweep. The fastest motion is the lower of both.
    """
    bend, ds = np.abs(curvature), np.asarray(step, float)
    n = len(bend)
    # both at once: the loop over the path is what costs
    swept = _sweep(np.concatenate((bend, bend[:, ::-1])), np.concatenate((ds, ds)))
    return swept[:n], swept[n:, ::-1]


def _sweep(bend: Array, step: Array) -> Array:
    columns = np.ascontiguousarray(bend.T)
    highest = 1.0 / np.maximum(columns, 1e-9)
    out = np.zeros_like(columns)
    z = out[0]
    for i in range(1, len(columns)):
        # Heun's rule, under the speed at which the turn alone takes all friction
        first = np.sqrt(np.maximum(1.0 - (z * columns[i - 1]) ** 2, 0.0))
        ahead = np.minimum(z + 2.0 * first * step, highest[i])
        second = np.sqrt(np.maximum(1.0 - (ahead * columns[i]) ** 2, 0.0))
        z = out[i] = np.minimum(z + (first + second) * step, highest[i])
    return out.T


def path_time(curvature: Array, length: ArrayLike, limit: ArrayLike) -> Array:
    """Shortest rest-to-rest time (n,) in s along paths of any curvature under the friction circle of a point mass.

    `line_time` and `arc_time` are its closed forms for no and for constant curvature. A disc, which must be spun up
    where the path turns, needs more; a lower bound remains one.

    Args:
        curvature: (n, k) 1/m, at equal distances from start to end.
        length: (n,) m.
        limit: (n,) largest acceleration in the plane, m/s^2.
    """
    step = np.asarray(length, float) / (curvature.shape[1] - 1)
    return profile_time(*phase_plane(curvature, step), step, limit)


def profile_time(forward: Array, backward: Array, step: ArrayLike, limit: ArrayLike) -> Array:
    """Time (n,) in s of the lower of two sweeps (n, k) in m, `step` m apart, at friction limits in m/s^2."""
    root = np.sqrt(np.minimum(forward, backward))
    times = 2.0 / np.maximum(root[:, 1:] + root[:, :-1], 1e-12)
    # one after the other, so that the sum of a row does not depend on how many there are
    total = np.cumsum(times, axis=1)[:, -1]
    time: Array = np.asarray(step, float) * total / np.sqrt(np.asarray(limit, float))
    return time
