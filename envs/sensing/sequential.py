"""Least squares, one scalar measurement after the other.

Plackett, Some theorems in least squares, Biometrika 37, 1950: measurements that are linear in the unknowns may be taken
in as they come, and give what weighted least squares over all of them gives.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def update(mean: Array, cov: Array, h: Array, value: Array, variance: Array, rows: NDArray[np.bool_]) -> Array:
    """Take one scalar measurement into the fit of the rows chosen, in place.

    Sums run in a fixed order, so that a row's result does not depend on the batch.

    Args:
        mean: (n, k) unknowns.
        cov: (n, k, k) their covariance.
        h: (n, k) row of the measurement matrix.
        value: (n,) what was measured.
        variance: (n,) of its error.
        rows: (n,) which rows measure.

    Returns:
        (n,) innovation in standard deviations, 0 in other rows.
    """
    gain = np.zeros_like(mean)
    for j in range(mean.shape[1]):
        gain += cov[:, :, j] * h[:, j, None]
    innovation = value.copy()
    spread = variance.copy()
    for j in range(mean.shape[1]):
        innovation -= h[:, j] * mean[:, j]
        spread += h[:, j] * gain[:, j]
    innovation, spread = np.where(rows, innovation, 0.0), np.where(rows, spread, 1.0)
    gain = np.where(rows[:, None], gain, 0.0)
    mean += gain * (innovation / spread)[:, None]
    cov -= gain[:, :, None] * (gain / spread[:, None])[:, None, :]
    normalized: Array = innovation / np.sqrt(spread)
    return normalized


def variance_along(cov: Array, h: Array) -> Array:
    """Variance (n,) of the combination `h` (n, k) of the unknowns with covariance (n, k, k)."""
    size = h.shape[1]
    total = np.zeros(len(h))
    for i in range(size):
        for j in range(size):
            total = total + h[:, i] * cov[:, i, j] * h[:, j]
    return np.maximum(total, 0.0)
