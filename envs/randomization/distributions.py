"""Distributions of randomization terms: ranges that can be drawn from, widened, and left outside.

Every distribution has a bounded support, so that "inside training" and "outside training" mean something. A shell is
the difference of two supports, widened about a centre: what an out-of-distribution split draws from.
"""

from __future__ import annotations

import functools
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from .normal import normal_cdf, normal_quantile
from .posterior import read_posterior

Array = NDArray[np.float64]


class Distribution(ABC):
    """A distribution of one number with bounded support."""

    kind: ClassVar[str]
    logarithmic: ClassVar[bool] = False  # whether ratios, not differences, measure how far a value is from another

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """Smallest and largest value."""

    @abstractmethod
    def transform(self, u: Array) -> Array:
        """Numbers of this distribution from independent ones that are uniform on [0, 1), elementwise."""

    def draw(self, generator: np.random.Generator, size: int) -> Array:
        """`size` independent numbers."""
        return self.transform(generator.random(size))

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """Plain data that `distribution_from` reads back."""

    @property
    def draw_key(self) -> str | None:
        """What keys the draw instead of the term's name; terms of one key are drawn together."""
        return None

    @property
    def center(self) -> float:
        """Middle of the support, geometric where ratios matter."""
        low, high = self.support
        return math.sqrt(low * high) if self.logarithmic else 0.5 * (low + high)

    def widened(self, factor: float, about: float | None = None) -> tuple[float, float]:
        """The support with each end moved away from `about` by a factor; in ratios where those matter."""
        low, high = self.support
        middle = self.center if about is None else about
        if self.logarithmic:
            return middle * (low / middle) ** factor, middle * (high / middle) ** factor
        return middle + factor * (low - middle), middle + factor * (high - middle)

    def normalized(self, value: Array) -> Array:
        """Values mapped so that the support becomes [-1, 1]; 0 where the support is a point."""
        low, high = self.support
        if self.logarithmic:
            value = np.log(np.maximum(value, 1e-300))
            low, high = math.log(low), math.log(high)
        half = 0.5 * (high - low)
        return np.zeros_like(value) if half == 0.0 else (value - 0.5 * (low + high)) / half


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ShopfloorError(f"{where}: expected a finite number, got {value!r}")
    return float(value)


@dataclass(frozen=True)
class Uniform(Distribution):
    """Uniform on [low, high)."""

    low: float
    high: float

    kind = "uniform"

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ShopfloorError(f"{self.kind} needs low <= high, got [{self.low}, {self.high}]")

    @property
    def support(self) -> tuple[float, float]:
        """[low, high]."""
        return self.low, self.high

    def transform(self, u: Array) -> Array:
        """Uniform numbers."""
        return self.low + (self.high - self.low) * u

    def as_dict(self) -> dict[str, Any]:
        """`{uniform: [low, high]}`."""
        return {self.kind: [self.low, self.high]}


@dataclass(frozen=True)
class LogUniform(Uniform):
    """Log-uniform on [low, high), both positive."""

    kind = "log_uniform"
    logarithmic = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.low > 0.0:
            raise ShopfloorError(f"log_uniform needs positive ends, got [{self.low}, {self.high}]")

    def transform(self, u: Array) -> Array:
        """Log-uniform numbers."""
        return self.low * np.exp(math.log(self.high / self.low) * u)


@dataclass(frozen=True)
class Normal(Distribution):
    """Normal, truncated at `cut` standard deviations from its mean: what is cut off is spread over the rest."""

    mean: float
    std: float
    cut: float = 3.0

    kind = "normal"

    def __post_init__(self) -> None:
        if not self.std >= 0.0 or not self.cut > 0.0:
            raise ShopfloorError(f"normal needs std >= 0 and cut > 0, got std {self.std} and cut {self.cut}")

    @property
    def support(self) -> tuple[float, float]:
        """Mean minus and plus `cut` standard deviations."""
        return self.mean - self.cut * self.std, self.mean + self.cut * self.std

    def transform(self, u: Array) -> Array:
        """Truncated normal numbers."""
        below = normal_cdf(-self.cut)
        return self.mean + self.std * normal_quantile(below + (1.0 - 2.0 * below) * u)

    def as_dict(self) -> dict[str, Any]:
        """`{normal: [mean, std, cut]}`."""
        return {self.kind: [self.mean, self.std, self.cut]}


@dataclass(frozen=True)
class Choice(Distribution):
    """One of several numbers, each as likely."""

    values: tuple[float, ...]

    kind = "choice"

    def __post_init__(self) -> None:
        if not self.values:
            raise ShopfloorError("choice needs at least one value")

    @property
    def support(self) -> tuple[float, float]:
        """Smallest and largest of the values."""
        return min(self.values), max(self.values)

    def transform(self, u: Array) -> Array:
        """Some of the values."""
        return np.array(self.values)[(u * len(self.values)).astype(np.intp)]

    def as_dict(self) -> dict[str, Any]:
        """`{choice: [values]}`."""
        return {self.kind: list(self.values)}


@dataclass(frozen=True)
class Beta(Distribution):
    """Beta(a, b) stretched to [low, high]; what the DORAEMON curriculum adapts."""

    low: float
    high: float
    a: float
    b: float

    kind = "beta"

    def __post_init__(self) -> None:
        if not self.low <= self.high or not (self.a > 0.0 and self.b > 0.0):
            raise ShopfloorError(f"beta needs low <= high and a, b > 0, got {[self.low, self.high, self.a, self.b]}")

    @property
    def support(self) -> tuple[float, float]:
        """[low, high]."""
        return self.low, self.high

    def transform(self, u: Array) -> Array:
        """Beta numbers, by a table of the distribution function."""
        x, cumulative = _beta_table(self.a, self.b)
        return self.low + (self.high - self.low) * np.interp(u, cumulative, x)

    def as_dict(self) -> dict[str, Any]:
        """`{beta: [low, high, a, b]}`."""
        return {self.kind: [self.low, self.high, self.a, self.b]}


@functools.lru_cache(maxsize=1024)
def _beta_table(a: float, b: float) -> tuple[Array, Array]:
    """Points in [0, 1] and the distribution function there, from the density in the middle of 4096 cells."""
    edges = np.linspace(0.0, 1.0, 4097)
    middle = 0.5 * (edges[1:] + edges[:-1])
    log_density = (a - 1.0) * np.log(middle) + (b - 1.0) * np.log1p(-middle)
    mass = np.cumsum(np.exp(log_density - log_density.max()))
    return edges, np.concatenate(([0.0], mass / mass[-1]))


@dataclass(frozen=True)
class Posterior(Distribution):
    """A parameter of an identified posterior: samples from a file.

    Terms that name the same file take their numbers from the same sample, so that what identification found to be
    correlated stays correlated.

    Attributes:
        samples: the parameter's samples.
        parameter: its name in the file.
        digest: hash of the file, which stands in the spec's hash.
        file: the file's path, for messages.
    """

    samples: tuple[float, ...]
    parameter: str
    digest: str
    file: str = ""

    kind = "posterior"

    @property
    def support(self) -> tuple[float, float]:
        """Smallest and largest sample."""
        return min(self.samples), max(self.samples)

    @property
    def draw_key(self) -> str:
        """The file: its terms share a draw."""
        return f"posterior:{self.digest}"

    def transform(self, u: Array) -> Array:
        """One sample for the whole last axis, since the parameter is one number."""
        pick = (u[..., :1] * len(self.samples)).astype(np.intp)
        return np.broadcast_to(np.array(self.samples)[pick], u.shape).copy()

    def as_dict(self) -> dict[str, Any]:
        """The parameter and the file's hash; not its path, which says nothing about what is drawn."""
        return {self.kind: {"parameter": self.parameter, "digest": self.digest}}


@dataclass(frozen=True)
class Shell(Distribution):
    """Uniform (log-uniform where ratios matter) on `outer` without the inside of `inner`."""

    inner: tuple[float, float]
    outer: tuple[float, float]
    log: bool = False

    kind = "shell"

    def __post_init__(self) -> None:
        if not (self.outer[0] <= self.inner[0] <= self.inner[1] <= self.outer[1]):
            raise ShopfloorError(f"a shell's inner range {self.inner} must lie inside its outer range {self.outer}")

    @property
    def support(self) -> tuple[float, float]:
        """The outer range."""
        return self.outer

    @property
    def sides(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The ranges below and above the inner one."""
        return (self.outer[0], self.inner[0]), (self.inner[1], self.outer[1])

    def transform(self, u: Array) -> Array:
        """Numbers of either side, as likely as the side is wide."""
        scale = math.log if self.log else float
        (a, b), (c, d) = ((scale(low), scale(high)) for low, high in self.sides)
        u = u * ((b - a) + (d - c))
        # from each side's far end towards the inner range, which a number in [0, 1) times the width never reaches
        below = u < b - a
        value = np.where(below, a + u, d - (u - (b - a)))
        value = np.exp(value) if self.log else value
        # rounding may still land on the inner range's end
        value = np.where(below & (value >= self.inner[0]), self.outer[0], value)
        return np.where(~below & (value <= self.inner[1]), self.outer[1], value)

    def as_dict(self) -> dict[str, Any]:
        """Both ranges."""
        return {self.kind: {"inner": list(self.inner), "outer": list(self.outer), "log": self.log}}


Range = tuple[float, float]


def shell(
    distribution: Distribution,
    inside: float | Range,
    outside: float | Range,
    about: float | None,
    limits: Range,
) -> Shell:
    """The shell between two ranges: given ones, or the support widened by a factor and cut at physical limits.

    Raises:
        ShopfloorError: if nothing is left of it.
    """

    def side(given: float | Range) -> Range:
        if isinstance(given, tuple):
            return given
        low, high = distribution.widened(given, about)
        return max(low, limits[0]), min(high, limits[1])

    inner, outer = side(inside), side(outside)
    if outer == inner:
        raise ShopfloorError(
            f"the shell between {list(inner)} and {list(outer)} is empty: the range {list(distribution.support)} is a "
            f"point or fills its limits {list(limits)}; give the split a range of its own for this term"
        )
    return Shell(inner, outer, distribution.logarithmic)


_PAIRS: dict[str, type[Uniform]] = {"uniform": Uniform, "log_uniform": LogUniform}


def distribution_from(data: Any, where: str, folder: Path | None = None) -> Distribution:
    """A distribution from plain data such as `{uniform: [0.8, 1.2]}`.

    Args:
        data: a mapping of one kind to its numbers.
        where: place, for messages.
        folder: folder to which a posterior's path is relative.

    Raises:
        ShopfloorError: naming the place and what would be right.
    """
    kinds = "uniform, log_uniform, normal, choice, beta, posterior"
    if not isinstance(data, Mapping) or len(data) != 1:
        raise ShopfloorError(f"{where}: expected one of {kinds} with its numbers, got {data!r}")
    kind, numbers = next(iter(data.items()))
    if kind == "posterior":
        return _posterior_from(numbers, where, folder)
    counts = {"uniform": (2, 2), "log_uniform": (2, 2), "normal": (2, 3), "choice": (1, 10**6), "beta": (4, 4)}
    if kind not in counts:
        raise ShopfloorError(f"{where}: unknown distribution {kind!r}; known: {kinds}")
    least, most = counts[kind]
    if not isinstance(numbers, (list, tuple)) or not least <= len(numbers) <= most:
        count = str(least) if least == most else f"at least {least}"
        raise ShopfloorError(f"{where}.{kind}: expected a list of {count} numbers, got {numbers!r}")
    values = [_number(v, f"{where}.{kind}") for v in numbers]
    try:
        if kind in _PAIRS:
            return _PAIRS[kind](*values)
        if kind == "choice":
            return Choice(tuple(values))
        return Normal(*values) if kind == "normal" else Beta(*values)
    except ShopfloorError as error:
        raise ShopfloorError(f"{where}: {error}") from None


def saved(distribution: Distribution) -> str:
    """A distribution as text, for the state of an environment; `restored` reads it."""
    return json.dumps(distribution.as_dict())


def restored(text: str) -> Distribution:
    """The distribution that `saved` wrote."""
    data = json.loads(text)
    if Shell.kind in data:
        ranges = data[Shell.kind]
        return Shell(tuple(ranges["inner"]), tuple(ranges["outer"]), ranges["log"])
    return distribution_from(data, "saved distribution")


def _posterior_from(data: Any, where: str, folder: Path | None) -> Posterior:
    if not isinstance(data, Mapping) or set(data) != {"file", "parameter"}:
        raise ShopfloorError(f"{where}.posterior: expected {{file: ..., parameter: ...}}, got {data!r}")
    path = Path(str(data["file"]))
    if not path.is_absolute() and folder is not None:
        path = folder / path
    posterior = read_posterior(path)
    name = str(data["parameter"])
    if name not in posterior.names:
        raise ShopfloorError(f"{where}: {path} has no parameter {name!r}; it has: {', '.join(posterior.names)}")
    column = posterior.samples[:, posterior.names.index(name)]
    return Posterior(tuple(column.tolist()), name, posterior.digest, str(path))
