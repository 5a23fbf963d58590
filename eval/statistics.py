"""Intervals for success rates and medians, in numpy and the standard library.

Use `wilson` to show a success rate and `clopper_pearson` to claim one: the first covers its confidence level on
average, the second never less.
"""

from __future__ import annotations

import hashlib
import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ShopfloorError

CONFIDENCE = 0.95
RESAMPLES = 2000
_CHUNK = 500  # resamples at a time, which bounds memory

Interval = tuple[float, float]


def wilson(successes: int, trials: int, confidence: float = CONFIDENCE) -> Interval:
    """Wilson score interval of a success rate (Wilson 1927)."""
    _check(successes, trials, confidence)
    z = NormalDist().inv_cdf(0.5 + 0.5 * confidence)
    p, zz = successes / trials, z * z / trials
    centre = (p + 0.5 * zz) / (1.0 + zz)
    half = z * math.sqrt(p * (1.0 - p) / trials + 0.25 * zz / trials) / (1.0 + zz)
    # exact at the ends, where rounding would leave 1e-17
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return low, high


def clopper_pearson(successes: int, trials: int, confidence: float = CONFIDENCE) -> Interval:
    """Exact interval of a success rate (Clopper and Pearson 1934)."""
    _check(successes, trials, confidence)
    tail = 0.5 * (1.0 - confidence)
    low = 0.0 if successes == 0 else beta_quantile(tail, successes, trials - successes + 1)
    high = 1.0 if successes == trials else beta_quantile(1.0 - tail, successes + 1, trials - successes)
    return low, high


def _check(successes: int, trials: int, confidence: float) -> None:
    if not 0 <= successes <= trials or trials < 1:
        raise ShopfloorError(f"{successes} successes of {trials} trials is not a success rate")
    if not 0.0 < confidence < 1.0:
        raise ShopfloorError(f"confidence must lie between 0 and 1, got {confidence}")


def beta_quantile(probability: float, a: float, b: float) -> float:
    """The x at which the regularized incomplete beta function I_x(a, b) is `probability`, by bisection."""
    low, high = 0.0, 1.0
    while high - low > 1e-15 and low < (middle := 0.5 * (low + high)) < high:
        if incomplete_beta(middle, a, b) < probability:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Regularized incomplete beta function I_x(a, b), for a, b > 0."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    # the continued fraction converges fast on this side; the other follows from symmetry
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - incomplete_beta(1.0 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) / (a * _beta_fraction(x, a, b))


def _beta_fraction(x: float, a: float, b: float) -> float:
    """Continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's algorithm."""
    tiny = 1e-300
    value, c, d = 1.0, 1.0, 0.0
    for step in range(1, 10_000):
        m, odd = divmod(step, 2)
        if odd:
            coefficient = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            coefficient = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1.0 + coefficient * d
        c = 1.0 + coefficient / c
        d, c = 1.0 / (d or tiny), c or tiny
        value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return value


def bootstrap_median(values: ArrayLike, key: str, confidence: float = CONFIDENCE) -> Interval:
    """Percentile bootstrap interval of a median.

    Args:
        values: (n,) finite numbers, at least one.
        key: names the random numbers, so that the same values give the same interval everywhere.
        confidence: of the interval.
    """
    data: NDArray[np.float64] = np.sort(np.asarray(values, dtype=np.float64))
    if data.ndim != 1 or not data.size or not np.isfinite(data).all():
        raise ShopfloorError(f"a median needs at least one number and only finite ones, got shape {data.shape}")
    digest = hashlib.blake2b(f"bootstrap:{key}".encode(), digest_size=16).digest()
    random = np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
    medians = np.concatenate(
        [
            np.median(data[random.integers(0, data.size, (_CHUNK, data.size))], axis=1)
            for _ in range(RESAMPLES // _CHUNK)
        ]
    )
    tail = 0.5 * (1.0 - confidence)
    low, high = np.quantile(medians, (tail, 1.0 - tail))
    return float(low), float(high)
