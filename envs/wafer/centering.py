"""Active wafer centring: from the robot's positions at beam edges to where the wafer lies on the paddle.

A wafer that is carried radially past two vertical beams cuts each of them twice. In the frame of the end effector the
four edges are points of one circle, whose centre is the wafer's offset. Edges are in the order beam 0 in, beam 0 out,
beam 1 in, beam 1 out; the leading edge of a wafer lies on the far side of its centre.

What an edge knows is a time, so that its error lies along the travel: the estimators here weigh that error, not the
distance from the circle. An edge that runs into the notch comes late (in) or early (out) by up to a millimetre and has
to be left out. That there is one shows as chords that are not centred on one line, but with beams at equal distances
from the way two edges explain it equally well, the one in the notch and the one diametrically opposite: which one it is
takes the direction of the notch as the aligner has left it, and what is left takes a radius that is known.

All functions take any leading shape and sum in fixed order, so that a row's result does not depend on other rows.
Lengths are in one unit of the caller's choice, except where a name says mm.

Sources: candidate centres of point pairs and rejection of those on a notch, US patent 5706201 (Fortrend, 1998);
algebraic circle fit, I. Kasa, "A circle fitting procedure and its error analysis", IEEE Trans. Instrum. Meas. 25, 1976;
errors in one coordinate, Gauss-Newton and model choice by posterior odds are textbook matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...assets.parts import wafer

Array = NDArray[np.float64]

EDGES = ("beam_0_in", "beam_0_out", "beam_1_in", "beam_1_out")
BEAM_OF_EDGE = (0, 0, 1, 1)
FAR_SIDE = (1.0, -1.0, 1.0, -1.0)  # side of the centre on which an edge of the wafer lies, along the travel
HEAT_EXPANSION = 3.6e-6  # 1/K, silicon, mean from room temperature to about 700 K


def hot_radius(heating: ArrayLike, radius: float = wafer.RADIUS) -> Array:
    """Radius (m) of a wafer that is `heating` (K) above the temperature at which it has `radius` (m)."""
    return radius * (1.0 + HEAT_EXPANSION * np.asarray(heating, float))


def edge_points(radius: ArrayLike, angle: ArrayLike, beams: ArrayLike) -> Array:
    """Edges in the frame of the end effector.

    Args:
        radius, angle: (..., 4) polar coordinates of the end effector's centre when each edge was latched, the angle
            relative to the direction of travel.
        beams: (..., 2, 2) positions x, y of the two beams, x along the travel.

    Returns:
        (..., 4, 2) points `Rot(-angle) (beam - centre)`.
    """
    r, a = np.asarray(radius, float), np.asarray(angle, float)
    at = np.asarray(beams, float)[..., BEAM_OF_EDGE, :]
    dx, dy = at[..., 0] - r * np.cos(a), at[..., 1] - r * np.sin(a)
    return np.stack((np.cos(a) * dx + np.sin(a) * dy, np.cos(a) * dy - np.sin(a) * dx), axis=-1)


def edge_positions(offset: ArrayLike, radius: ArrayLike, beams: ArrayLike) -> Array:
    """Where the end effector stands, moving radially, when the wafer's edges pass the beams; inverse of the fits.

    Args:
        offset: (..., 2) of the wafer's centre on the paddle.
        radius: (...) of the wafer.
        beams: (..., 2, 2) positions of the beams.

    Returns:
        (..., 4) radii of the end effector.
    """
    o, at = np.asarray(offset, float), np.asarray(beams, float)[..., BEAM_OF_EDGE, :]
    across = at[..., 1] - o[..., 1:2]
    half = np.sqrt(np.asarray(radius, float)[..., None] ** 2 - across * across)
    return at[..., 0] - o[..., 0:1] - np.asarray(FAR_SIDE) * half


def two_beam_offset(points: ArrayLike) -> tuple[Array, Array]:
    """Closed form for two beams and a purely radial move: the radius cancels.

    Args:
        points: (..., 4, 2) edges in the frame of the end effector, both of a beam with the same y.

    Returns:
        Offset (..., 2) and radius (...).
    """
    p = np.asarray(points, float)
    x, y1, y2 = p[..., 0], p[..., 0, 1], p[..., 2, 1]
    c1, c2 = 0.5 * (x[..., 0] - x[..., 1]), 0.5 * (x[..., 2] - x[..., 3])
    x0 = 0.25 * (((x[..., 0] + x[..., 1]) + x[..., 2]) + x[..., 3])
    y0 = 0.5 * (y1 + y2) + (c1 * c1 - c2 * c2) / (2.0 * (y1 - y2))
    return np.stack((x0, y0), axis=-1), np.sqrt(c1 * c1 + (y1 - y0) ** 2)


def _sum(values: Array) -> Array:
    """Sum over the last axis, left to right."""
    total = values[..., 0]
    for k in range(1, values.shape[-1]):
        total = total + values[..., k]
    return total


def _solve(columns: Array, target: Array, weights: Array, prior: tuple[float, ...] = (0.0, 0.0, 0.0)) -> Array:
    """Weighted least squares of three unknowns: columns (..., k, 3), target and weights (..., k); prior adds weight
    about zero. Normal equations by Cramer's rule.
    """  # noqa: D205
    u, v, w = columns[..., 0], columns[..., 1], columns[..., 2]
    a, b, c = _sum(weights * u * u) + prior[0], _sum(weights * u * v), _sum(weights * u * w)
    d, e, f = _sum(weights * v * v) + prior[1], _sum(weights * v * w), _sum(weights * w * w) + prior[2]
    p, q, r = (_sum(weights * k * target) for k in (u, v, w))
    m00, m01, m02 = d * f - e * e, c * e - b * f, b * e - c * d
    m11, m12, m22 = a * f - c * c, b * c - a * e, a * d - b * b
    det = a * m00 + b * m01 + c * m02
    det = np.where(np.abs(det) > 1e-300, det, np.inf)
    return (
        np.stack((m00 * p + m01 * q + m02 * r, m01 * p + m11 * q + m12 * r, m02 * p + m12 * q + m22 * r), -1)
        / (det[..., None])
    )


def fit_circle(points: ArrayLike, weights: ArrayLike | None = None) -> tuple[Array, Array]:
    """Algebraic circle fit through three or more points: `x^2 + y^2 = 2 x0 x + 2 y0 y + c`, what controllers compute.

    Args:
        points: (..., k, 2).
        weights: (..., k), 0 leaves a point out.

    Returns:
        Centre (..., 2) and radius (...).
    """
    p = np.asarray(points, float)
    x, y = p[..., 0], p[..., 1]
    w = np.ones(x.shape) if weights is None else np.broadcast_to(np.asarray(weights, float), x.shape)
    # about the mean of all points: the normal equations lose digits far from the origin
    n = x.shape[-1]
    mx, my = _sum(x)[..., None] / n, _sum(y)[..., None] / n
    scale = np.sqrt(_sum((x - mx) ** 2 + (y - my) ** 2) / n)[..., None]
    u, v = (x - mx) / scale, (y - my) / scale
    found = _solve(np.stack((2.0 * u, 2.0 * v, np.ones_like(u)), axis=-1), u * u + v * v, w)
    cx, cy = found[..., 0], found[..., 1]
    size = np.sqrt(np.maximum(found[..., 2] + cx * cx + cy * cy, 0.0))
    scale = scale[..., 0]
    return np.stack((mx[..., 0] + scale * cx, my[..., 0] + scale * cy), axis=-1), scale * size


@dataclass(frozen=True)
class Accuracy:
    """What an estimator may assume; standard deviations in mm.

    Attributes:
        edge: of one edge along the travel.
        radius: of the wafer's radius about the expected one; inf for a free radius, small for a known one.
        offset: of the wafer's offset about zero, each coordinate.
        notch: share of edges that run into the notch.
    """

    edge: float = 0.012
    radius: float = 0.02
    offset: float = 1.0
    notch: float = 0.01


def _edge_model(offset: Array, radius: Array, y: Array) -> tuple[Array, Array]:
    """Predicted x (..., 4) of edges at height y, and its derivatives (..., 4, 3) by x0, y0 and R."""
    across = y - offset[..., 1:2]
    half = np.sqrt(np.maximum(radius[..., None] ** 2 - across * across, 1e-3 * radius[..., None] ** 2))
    side = np.broadcast_to(np.asarray(FAR_SIDE), half.shape)
    slopes = np.stack((np.ones_like(half), side * across / half, side * radius[..., None] / half), axis=-1)
    return offset[..., 0:1] + side * half, slopes


def fit_edges(
    points_mm: ArrayLike, radius_mm: ArrayLike, accuracy: Accuracy, weights: ArrayLike | None = None
) -> tuple[Array, Array, Array]:
    """Most likely offset and radius under errors along the travel and what is known beforehand, by Gauss-Newton.

    Args:
        points_mm: (..., 4, 2) edges in the frame of the end effector, mm.
        radius_mm: (...) expected radius, mm.
        accuracy: standard deviations.
        weights: (..., 4), 0 leaves an edge out.

    Returns:
        Offset (..., 2) in mm, radius (...) in mm, and misfit (...): squared errors of edges and prior in standard
        deviations, summed.
    """
    p, expected = np.asarray(points_mm, float), np.asarray(radius_mm, float)
    w = np.ones(p.shape[:-1]) if weights is None else np.broadcast_to(np.asarray(weights, float), p.shape[:-1])
    per_edge = w / accuracy.edge**2
    prior = (1.0 / accuracy.offset**2, 1.0 / accuracy.offset**2, 1.0 / accuracy.radius**2)
    x, y = p[..., 0], p[..., 1]
    state = np.zeros((*x.shape[:-1], 3))
    for _ in range(6):  # quadratic convergence from an offset of millimetres
        predicted, slopes = _edge_model(state[..., :2], expected + state[..., 2], y)
        # the prior is about zero offset and the expected radius, so the unknown is the state itself
        linear = x - predicted + _sum(slopes * state[..., None, :])
        state = _solve(slopes, linear, per_edge, prior)
    predicted, _ = _edge_model(state[..., :2], expected + state[..., 2], y)
    misfit = _sum(per_edge * (x - predicted) ** 2) + _sum(np.asarray(prior) * state * state)
    return state[..., :2], expected + state[..., 2], misfit


def offset_covariance(
    beams: ArrayLike, radius: float, accuracy: Accuracy, weights: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Covariance (3, 3) of offset x, y and radius that `fit_edges` reaches for a centred wafer, all in mm.

    Args:
        beams: (2, 2) positions of the beams, mm.
        radius: of the wafer, mm.
        accuracy: standard deviations; an infinite one is no prior.
        weights: (4,) 0 leaves an edge out.
    """
    y = np.asarray(beams, float)[list(BEAM_OF_EDGE), 1]
    _, slopes = _edge_model(np.zeros(2), np.asarray(radius, float), y)
    w = (np.ones(4) if weights is None else np.asarray(weights, float)) / accuracy.edge**2
    prior = np.diag([1.0 / accuracy.offset**2, 1.0 / accuracy.offset**2, 1.0 / accuracy.radius**2])
    information = prior + np.einsum("k,ki,kj->ij", w, slopes, slopes)
    return np.linalg.inv(information)


# edges that each hypothesis uses: all of them, or all but the one in the notch
_HYPOTHESES = np.array([[1.0, 1.0, 1.0, 1.0], *(1.0 - np.eye(4)).tolist()])


def fit_with_notch(
    points_mm: ArrayLike, radius_mm: ArrayLike, accuracy: Accuracy, likely: ArrayLike | None = None
) -> tuple[Array, Array, NDArray[np.intp]]:
    """Offset from four edges of which one may have run into the notch.

    Five hypotheses are compared by posterior odds: no notch, or a notch of uniformly distributed depth at one edge. An
    edge can only be in the notch if it lies inside the rim of the circle through the others.

    Args:
        points_mm: (..., 4, 2) edges in the frame of the end effector, mm.
        radius_mm: (...) expected radius, mm.
        accuracy: standard deviations and share of notch hits.
        likely: (..., 4) probability of the notch at each edge beforehand; by default `accuracy.notch` at all of them,
            which leaves the edge in the notch and its opposite undecided.

    Returns:
        Offset (..., 2) in mm, radius (...) in mm, and the edge in the notch (...), -1 for none.
    """
    p = np.asarray(points_mm, float)[..., None, :, :]
    expected = np.asarray(radius_mm, float)[..., None]
    shape = (*p.shape[:-3], 5)
    p, expected = np.broadcast_to(p, (*shape, 4, 2)), np.broadcast_to(expected, shape)
    offset, radius, cost = fit_edges(p, expected, accuracy, _HYPOTHESES)
    predicted, _ = _edge_model(offset, radius, p[..., 1])
    inside = np.asarray(FAR_SIDE) * (predicted - p[..., 0])  # of every edge, under every hypothesis
    # along the travel a notch takes away at most its depth over the cosine of the edge's direction
    half = np.abs(predicted - offset[..., 0:1])
    deepest = 1.1 * 1e3 * wafer.NOTCH_DEPTH * radius[..., None] / half
    share = np.broadcast_to(np.asarray(accuracy.notch if likely is None else likely, float), (*shape[:-1], 4))
    odds = 2.0 * np.log(np.maximum(1.0 - _sum(share), 1e-9)[..., None] / np.maximum(share, 1e-12))
    cost = cost.copy()
    for edge in range(4):
        depth, most = inside[..., edge + 1, edge], deepest[..., edge + 1, edge]
        density = 2.0 * np.log(most / (accuracy.edge * math.sqrt(2.0 * math.pi)))
        possible = (depth > 0.0) & (depth < most)
        cost[..., edge + 1] += np.where(possible, odds[..., edge] + density, np.inf)
    best = np.argmin(cost, axis=-1)
    pick = best[..., None]
    chosen = np.take_along_axis(offset, pick[..., None], axis=-2)[..., 0, :]
    return chosen, np.take_along_axis(radius, pick, axis=-1)[..., 0], best - 1


def notch_arcs(notch: ArrayLike, radius: ArrayLike, beams: ArrayLike, offset: ArrayLike = (0.0, 0.0)) -> Array:
    """Distance along the rim from each edge to the notch, positive where the notch lies to the left of the edge.

    Args:
        notch: (...) direction of the notch in the frame of the end effector, rad.
        radius: (...) of the wafer.
        beams: (..., 2, 2) positions of the beams.
        offset: (..., 2) of the wafer's centre on the paddle.

    Returns:
        (..., 4) in the unit of the radius.
    """
    r = np.asarray(radius, float)[..., None]
    across = np.asarray(beams, float)[..., BEAM_OF_EDGE, 1] - np.asarray(offset, float)[..., 1:2]
    edge = np.arctan2(across, np.asarray(FAR_SIDE) * np.sqrt(r * r - across * across))
    turn = np.asarray(notch, float)[..., None] - edge
    return r * ((turn + np.pi) % (2.0 * np.pi) - np.pi)


def place_pose(offset: ArrayLike, station_radius: ArrayLike) -> tuple[Array, Array]:
    """Where a radially pointing end effector must stand for a wafer with `offset` to be centred in a station.

    Args:
        offset: (..., 2) of the wafer's centre on the paddle.
        station_radius: robot axis to the centre of the station, same unit.

    Returns:
        Radius (...) and angle (...) in rad relative to the station's direction: exact, with the turn of the paddle.
    """
    o, s = np.asarray(offset, float), np.asarray(station_radius, float)
    along = np.sqrt(s * s - o[..., 1] * o[..., 1])
    return along - o[..., 0], -np.arctan2(o[..., 1], along)


def three_sigma(errors: ArrayLike) -> tuple[float, float]:
    """Mean and three standard deviations of placement errors, NaN left out: the figures of a placement report.

    Args:
        errors: (k,) radial errors or one coordinate.

    Returns:
        Mean and 3 sigma (sample standard deviation), in the unit of the errors.
    """
    finite = np.asarray(errors, float)
    finite = finite[np.isfinite(finite)]
    if finite.size < 2:
        return (float(finite[0]) if finite.size else math.nan), math.nan
    return float(finite.mean()), 3.0 * float(finite.std(ddof=1))
