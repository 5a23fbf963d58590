"""Curricula that take no notice of what the policy can do: none at all, and one by the clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..distributions import Distribution
from ..spec import Spec
from .base import Curriculum, contracted, growing
from .settings import LinearSettings


class Fixed(Curriculum):
    """The spec's own distributions from the beginning to the end."""

    kind = "fixed"

    def distributions(self, seed: int, episode: int) -> Mapping[str, Distribution]:
        """Nothing: the spec's stay."""
        return {}


class Linear(Curriculum):
    """Ranges that grow from the nominal value in proportion to the steps trained.

    Args:
        spec: what is randomized.
        settings: where they begin and when they are whole.

    Attributes:
        share: present share of every range.
    """

    kind = "linear"

    def __init__(self, spec: Spec, settings: LinearSettings):
        self._settings = settings
        self._terms = growing(spec)
        self.share = settings.start
        self._now = self._contracted()

    def _contracted(self) -> dict[str, Distribution]:
        return {t.name: contracted(t, self.share) for t in self._terms}

    def distributions(self, seed: int, episode: int) -> Mapping[str, Distribution]:
        """The same in every episode."""
        return self._now

    def advance(self, share: float) -> None:
        """Widen the ranges."""
        start = self._settings.start
        self._set(min(1.0, start + (1.0 - start) * share / self._settings.until))

    def _set(self, share: float) -> None:
        if share != self.share:
            self.share = share
            self.version += 1
            self._now = self._contracted()

    def progress(self) -> dict[str, float]:
        """The share of every range."""
        return {"share": self.share}

    def state_dict(self) -> dict[str, Any]:
        """Version and share."""
        return {**super().state_dict(), "share": self.share}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._set(state["share"])
        super().load_state_dict(state)
