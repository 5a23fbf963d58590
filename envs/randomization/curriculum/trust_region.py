"""One step of a maximization under linearized constraints, inside a ball."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
INWARDS = 0.05  # slope at which a step leaves an active constraint, so that its curvature does not stop the next one


class HalfSpace(NamedTuple):
    """Steps d with `gradient` . d >= `least`."""

    gradient: Array
    least: float


def best_step(metric: Array, objective: Array, constraints: Sequence[HalfSpace], radius: float) -> Array | None:
    """The step that increases a linear objective most.

    Every set of active constraints gives one candidate: along them, to the end of the ball.

    Args:
        metric: (k, k) positive definite; the ball is d . metric d <= radius^2.
        objective: (k,) gradient.
        constraints: half spaces that the step must lie in.
        radius: of the ball.

    Returns:
        The step (k,); None if the ball has no point in all half spaces.
    """
    factor = np.linalg.cholesky(metric)
    goal = np.linalg.solve(factor, objective)
    normals = [np.linalg.solve(factor, c.gradient) for c in constraints]
    least = [c.least + INWARDS * radius * float(np.linalg.norm(n)) for c, n in zip(constraints, normals, strict=True)]
    best: Array | None = None
    for count in range(len(normals) + 1):
        for active in itertools.combinations(range(len(normals)), count):
            y = _along(goal, [normals[i] for i in active], [least[i] for i in active], radius)
            if y is None or any(n @ y < m - 1e-9 * (1.0 + abs(m)) for n, m in zip(normals, least, strict=True)):
                continue
            if best is None or goal @ y > goal @ best:
                best = y
    return None if best is None else np.linalg.solve(factor.T, best)


def _along(goal: Array, normals: list[Array], least: list[float], radius: float) -> Array | None:
    """The point of the ball on some hyperplanes that is farthest along `goal`."""
    at, direction = np.zeros_like(goal), goal
    if normals:
        rows = np.array(normals)
        inverse = np.linalg.pinv(rows)
        at = inverse @ np.array(least)
        direction = goal - inverse @ (rows @ goal)
    room, length = radius**2 - float(at @ at), float(np.linalg.norm(direction))
    if room < 0.0:
        return None
    return at if length < 1e-12 else at + direction * (np.sqrt(room) / length)
