"""Settings of the curricula, as they stand in the config of a training run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ....errors import ShopfloorError


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


def _section(cls: type, text: str) -> Any:
    return field(default_factory=cls, metadata={"help": text})


def _check(settings: object, section: str, **ranges: tuple[float, float]) -> None:
    for name, (low, high) in ranges.items():
        value = getattr(settings, name)
        if not low <= value <= high:  # also false for NaN
            raise ShopfloorError(f"curriculum.{section}.{name} must lie in [{low:g}, {high:g}], got {value}")


@dataclass(frozen=True)
class LinearSettings:
    """Ranges that grow with the steps trained, whatever the policy can do."""

    start: float = _option(0.0, "share of every range at the beginning")
    until: float = _option(0.5, "share of the training after which ranges are whole")

    def __post_init__(self) -> None:
        _check(self, "linear", start=(0.0, 1.0), until=(1e-6, 1.0))


@dataclass(frozen=True)
class AdrSettings:
    """Automatic domain randomization."""

    boundary_share: float = _option(0.5, "share of episodes that hold one term at an end of its range")
    episodes: int = _option(16, "episodes at an end before it is judged")
    widen_above: float = _option(0.8, "success rate from which the end moves outwards")
    narrow_below: float = _option(0.5, "success rate up to which it moves inwards")
    step: float = _option(0.1, "share of the spec's range by which it moves")
    start: float = _option(0.05, "share of every range at the beginning, and at least")

    def __post_init__(self) -> None:
        _check(
            self, "adr", boundary_share=(0.01, 1.0), episodes=(1, 1e6), widen_above=(0.0, 1.0), narrow_below=(0.0, 1.0),
            step=(1e-6, 1.0), start=(1e-6, 1.0),
        )  # fmt: skip
        if not self.narrow_below < self.widen_above:
            raise ShopfloorError(
                f"curriculum.adr needs narrow_below < widen_above, got {self.narrow_below} and {self.widen_above}"
            )


@dataclass(frozen=True)
class DoraemonSettings:
    """Domain randomization via entropy maximization."""

    success: float = _option(0.5, "success rate that must be kept")
    episodes: int = _option(256, "episodes between two updates")
    kl: float = _option(0.5, "largest KL divergence of an update, in nats over all terms together")
    concentration: float = _option(100.0, "how narrow the distributions are at the beginning, and at most")

    def __post_init__(self) -> None:
        _check(self, "doraemon", success=(0.0, 1.0), episodes=(2, 1e6), kl=(1e-6, 100.0), concentration=(1.0, 500.0))


@dataclass(frozen=True)
class CurriculumSettings:
    """How the split `train` opens up during training."""

    kind: Literal["fixed", "linear", "adr", "doraemon"] = _option("fixed", "how the ranges of training grow")
    linear: LinearSettings = _section(LinearSettings, "linear curriculum")
    adr: AdrSettings = _section(AdrSettings, "automatic domain randomization")
    doraemon: DoraemonSettings = _section(DoraemonSettings, "DORAEMON")
