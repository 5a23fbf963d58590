"""Beta distributions on [0, 1] as an exponential family: entropies, divergences and their gradients.

A row of `eta` (terms, 2) holds a and b of one term. Beta(1, 1) is uniform and has the largest entropy, 0.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Bernoulli numbers B2, B4, ...
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730)
_FAR = 12.0  # from where the asymptotic series are exact to double precision


def digamma(x: Array) -> Array:
    """Derivative of the log of the gamma function, for x > 0, elementwise."""
    x = np.array(x, dtype=np.float64)
    out = np.zeros_like(x)
    while (near := x < _FAR).any():
        out -= np.where(near, 1.0 / x, 0.0)
        x = np.where(near, x + 1.0, x)
    series = sum(b / (2 * k * x ** (2 * k)) for k, b in enumerate(_BERNOULLI, start=1))
    result: Array = out + np.log(x) - 0.5 / x - series
    return result


def trigamma(x: Array) -> Array:
    """Derivative of `digamma`, for x > 0, elementwise."""
    x = np.array(x, dtype=np.float64)
    out = np.zeros_like(x)
    while (near := x < _FAR).any():
        out += np.where(near, 1.0 / x**2, 0.0)
        x = np.where(near, x + 1.0, x)
    series = sum(b / x ** (2 * k + 1) for k, b in enumerate(_BERNOULLI, start=1))
    result: Array = out + 1.0 / x + 0.5 / x**2 + series
    return result


def log_beta(eta: Array) -> Array:
    """Log of the beta function (terms,), the family's log normalizer."""
    return np.array([math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b) for a, b in eta.tolist()])


def mean_logs(eta: Array) -> Array:
    """Expectations (terms, 2) of log z and log (1 - z), the gradient of `log_beta`."""
    return digamma(eta) - digamma(eta.sum(axis=1, keepdims=True))


def fisher(eta: Array) -> Array:
    """Fisher information (terms, 2, 2), the Hessian of `log_beta`."""
    out = np.repeat(-trigamma(eta.sum(axis=1))[:, None, None], 4, axis=1).reshape(-1, 2, 2)
    own = trigamma(eta)
    out[:, 0, 0] += own[:, 0]
    out[:, 1, 1] += own[:, 1]
    return out


def entropy(eta: Array) -> Array:
    """Differential entropies (terms,), in nats."""
    return log_beta(eta) - ((eta - 1.0) * mean_logs(eta)).sum(axis=1)


def divergence(eta: Array, other: Array) -> Array:
    """KL divergences (terms,) of `eta` from `other`, in nats."""
    return ((eta - other) * mean_logs(eta)).sum(axis=1) - log_beta(eta) + log_beta(other)
