"""From a laser profile to the features of a joint, as a seam tracker's firmware finds them; for n profiles at once.

The base plate is found first, from the points on the open side, then everything is seen from it: `a` along the base,
`h` over it. Points over a window of heights belong to the standing plate; where its face meets the base is the root. A
fillet's window begins above what a tack covers, so that the root is found across tacks; a lap joint has only its edge.

Points are in the plane of light, in mm: `u` along the line, positive to the standing plate, `w` away from the sensor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ROOT2 = float(np.sqrt(2.0))  # rays along the bisector meet either face of a square joint at 45 degrees
GATE_MM = 0.4  # points further off a line are not of it
STEEPEST = 0.35  # lean of an edge that counts as upright, run over rise
BASE_FROM_MM = 6.0  # from the middle of the line: surely on the base plate, whatever the part's misplacement


@dataclass(frozen=True)
class Window:
    """What is known of the joint.

    Attributes:
        low_mm, high_mm: heights over the base between which the standing plate's face is looked for.
        upright: the face is too short to have a direction of its own: it stands square on the base.
        fewest: points on either face that make a feature.
        scatter_mm: of the points about the faces; a profile that scatters more is not this joint.
    """

    low_mm: float = 5.0
    high_mm: float = 16.0
    upright: bool = False
    fewest: int = 5
    scatter_mm: float = 0.35

    @classmethod
    def of(cls, kind: str, upper_mm: float) -> Window:
        """For a "fillet" or "lap" joint with a standing or upper plate of this height or thickness."""
        if kind == "lap":
            return cls(0.25 * upper_mm, 0.75 * upper_mm, True, 2, 0.35)
        return cls(high_mm=min(16.0, 0.8 * upper_mm))


@dataclass(frozen=True)
class Features:
    """Features of n profiles, mm; what they say where `valid` is false means nothing.

    Attributes:
        u, w: (n,) root in the plane of light.
        gap: (n,) opening under the standing plate.
        step: (n,) height of the upper face over the base, for a lap joint.
        valid: (n,) whether the profile was one of this joint.
    """

    u: Array
    w: Array
    gap: Array
    step: Array
    valid: Mask


def despiked(w: Array, valid: Mask) -> Array:
    """Profile (n, k) with gaps filled from the left and single spikes removed by a median of three."""
    index = np.where(valid, np.arange(w.shape[1]), 0)
    filled = np.take_along_axis(w, np.maximum.accumulate(index, axis=1), axis=1)
    left, right = np.empty_like(filled), np.empty_like(filled)
    left[:, 1:], left[:, 0] = filled[:, :-1], filled[:, 0]
    right[:, :-1], right[:, -1] = filled[:, 1:], filled[:, -1]
    low, high = np.minimum(left, right), np.maximum(left, right)
    return np.minimum(np.maximum(filled, low), high)


def fit_line(x: Array, y: Array, use: Mask) -> tuple[Array, Array, Array]:
    """Least squares `y = c + m x` over the points (n, k) in use: c, m (n,) and their number (n,)."""
    weight = use.astype(np.float64)
    count = np.sum(weight, axis=1)
    safe = np.maximum(count, 1.0)
    mean_x, mean_y = np.sum(weight * x, axis=1) / safe, np.sum(weight * y, axis=1) / safe
    dx, dy = x - mean_x[:, None], y - mean_y[:, None]
    spread = np.sum(weight * dx * dx, axis=1)
    slope = np.sum(weight * dx * dy, axis=1) / np.where(spread > 1e-9, spread, 1.0)
    return mean_y - slope * mean_x, slope, count


def _fit_robustly(x: Array, y: Array, first: Array, use: Mask, rounds: int) -> tuple[Array, Array, Array, Mask]:
    """Line through points whose outliers are taken off against the fit before; `first` (n, k) is despiked y."""
    near = use & (np.abs(y - first) < GATE_MM)
    c, m, count = fit_line(x, first, near)
    for _ in range(rounds):
        near = use & (np.abs(y - c[:, None] - m[:, None] * x) < GATE_MM)
        c, m, count = fit_line(x, y, near)
    return c, m, count, near


def extract(u: Array, w: Array, valid: Mask, window: Window) -> Features:
    """Features of profiles.

    Args:
        u, w: (n, k) points from the base side to the standing side.
        valid: (n, k) whether the sensor saw the point.
        window: the joint.
    """
    smooth = despiked(w, valid)
    c, m, base_count, _ = _fit_robustly(u, w, smooth, valid & (u < -BASE_FROM_MM), rounds=2)
    length = np.sqrt(1.0 + m * m)
    cos, sin = 1.0 / length, m / length
    h = (c[:, None] + m[:, None] * u - w) * cos[:, None]
    a = u * cos[:, None] + (w - c[:, None]) * sin[:, None]
    wall = valid & (h > window.low_mm) & (h < window.high_mm) & (u > -BASE_FROM_MM)
    root, lean, count, used = _wall(a, h, wall, window)
    off = np.abs(a - root[:, None] - lean[:, None] * h)
    number = np.maximum(count, 1.0)
    scatter = np.sqrt(np.sum(np.where(used, off * off, 0.0), axis=1) / number)
    good = (base_count >= window.fewest) & (count >= window.fewest) & (scatter < window.scatter_mm)
    # more of the window's points off the face than on it: a tack, a clamp, spatter
    good &= 2.0 * count >= np.sum(wall, axis=1)
    gap = _gap(u, w, a, h, valid, root, lean)
    upper = valid & (a > root[:, None] + 2.0) & (h > window.low_mm)
    step = np.zeros_like(gap)
    if window.upright:
        step = np.sum(np.where(upper, h, 0.0), axis=1) / np.maximum(np.sum(upper, axis=1), 1)
    return Features(root * cos, c + root * sin, np.where(good, gap, 0.0), np.where(good, step, 0.0), good)


def _wall(a: Array, h: Array, wall: Mask, window: Window) -> tuple[Array, Array, Array, Mask]:
    """Where the standing plate's face meets the base (n,), its lean, the number of points on it, and which."""
    if not window.upright:
        # a line through the face may be found from either end; the median of its points keeps a spike from tilting it
        c, m, count, used = _fit_robustly(h, a, _clipped(a, wall), wall, rounds=2)
        return c, m, count, used
    middle = _median(a, wall)[:, None]
    # a front that leans is the round face of a tack, or spatter
    _, lean, _ = fit_line(h, a, wall & (np.abs(a - middle) < 3.0))
    used = wall & (np.abs(a - middle) < GATE_MM) & (np.abs(lean) < STEEPEST)[:, None]
    count = np.sum(used, axis=1).astype(np.float64)
    mean = np.sum(np.where(used, a, 0.0), axis=1) / np.maximum(count, 1.0)
    return mean, np.zeros_like(mean), count, used


def _median(a: Array, use: Mask) -> Array:
    """Lower median (n,) of the points in use; 0 where there is none."""
    ordered = np.sort(np.where(use, a, np.inf), axis=1)
    count = np.sum(use, axis=1)
    index = np.maximum((count - 1) // 2, 0)
    return np.where(count > 0, np.take_along_axis(ordered, index[:, None], axis=1)[:, 0], 0.0)


def _clipped(a: Array, use: Mask) -> Array:
    """`a` (n, k) with what is more than 3 mm from the median of the points in use moved out of every gate."""
    return np.where(np.abs(a - _median(a, use)[:, None]) < 3.0, a, a + 1e3)


def _gap(u: Array, w: Array, a: Array, h: Array, valid: Mask, root: Array, lean: Array) -> Array:
    """Opening (n,) under the standing plate: the rays that pass under it, times what they are apart there.

    One profile counts in steps of that distance, nearly a millimetre; the mean of many, as the sensor moves, is right
    to a tenth or two. Light that reaches in by less than it scatters off the plates is not told from light that does
    not, which makes small gaps a little smaller.

    Args:
        u, w: (n, k) points in the plane of light.
        a, h: (n, k) along and over the base.
        valid: (n, k).
        root, lean: (n,) of the standing plate's face.
    """
    inside = a - root[:, None] - lean[:, None] * h
    under = valid & (np.abs(h) < GATE_MM) & (inside > np.abs(h)) & (u > -BASE_FROM_MM)
    row, k = np.arange(len(u)), u.shape[1]
    nearest = np.argmin(np.where(valid, np.abs(a - root[:, None]) + np.abs(h), np.inf), axis=1)
    first, last = np.argmax(valid, axis=1), k - 1 - np.argmax(valid[:, ::-1], axis=1)
    fan = np.arctan2(u[row, last], w[row, last]) - np.arctan2(u[row, first], w[row, first])
    angle = fan / np.maximum(last - first, 1)
    distance = np.sqrt(u[row, nearest] ** 2 + w[row, nearest] ** 2)
    return np.sum(under, axis=1) * distance * angle * ROOT2
