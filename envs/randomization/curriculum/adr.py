"""Automatic domain randomization: each end of each range moves by itself.

OpenAI et al., "Solving Rubik's Cube with a Robot Hand", arXiv 1910.07113 (2019), section 5 and algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...randomness import KeyedRandom
from ..distributions import Distribution
from ..spec import Spec
from .base import Array, Curriculum, Finished, adapted, contracted, origin_quantile
from .settings import AdrSettings

LOW, HIGH = 0, 1
_ARRAYS = ("ends", "_tested", "_succeeded", "_moved", "_rates")


@dataclass(frozen=True)
class Part(Distribution):
    """The part of a distribution between two of its quantiles, on request with one component held at a quantile."""

    of: Distribution
    low: float
    high: float
    component: int | None = None
    held: float = 0.0

    kind = "part"

    @property
    def support(self) -> tuple[float, float]:
        """Values at both quantiles."""
        low, high = self.of.transform(np.array([self.low, self.high])).tolist()
        return low, high

    def transform(self, u: Array) -> Array:
        """Numbers of the part; components are along the last axis."""
        z = np.minimum(self.low + (self.high - self.low) * u, self.high)
        if self.component is not None:
            z[..., self.component] = self.held
        return self.of.transform(z)

    def as_dict(self) -> dict[str, Any]:
        """All of it."""
        return {self.kind: {"of": self.of.as_dict(), "quantiles": [self.low, self.high], "held": self.held}}


class ADR(Curriculum):
    """Automatic domain randomization, on quantiles of the spec's distributions.

    A share of the episodes holds one component of one term at one end of its range, and draws everything else from the
    present ranges. Once an end has been tried often enough its success rate decides whether it moves. Which end an
    episode tries follows from its seed and number alone. An episode counts for its end unless the end has moved since
    it began.

    Args:
        spec: what is randomized.
        sizes: number of components of each term.
        settings: thresholds and step.

    Attributes:
        ends: (terms, 2) present range of each adapted term, as quantiles.
    """

    kind = "adr"

    def __init__(self, spec: Spec, sizes: Mapping[str, int], settings: AdrSettings):
        self._settings = settings
        self.terms, self._followers = adapted(spec, self.kind, constrained=False)
        self._sizes = [sizes[t.name] for t in self.terms]
        start = np.array([origin_quantile(t) for t in self.terms])
        self._least = np.stack([start * (1.0 - settings.start), start + (1.0 - start) * settings.start], axis=1)
        # an end at which the nominal value lies has nowhere to go
        self._boundaries = [(i, side) for i, z in enumerate(start.tolist()) for side in (LOW, HIGH) if z != side]
        self.ends = self._least.copy()
        self._tested = np.zeros(self.ends.shape, dtype=np.int64)
        self._succeeded = np.zeros(self.ends.shape, dtype=np.int64)
        self._moved = np.zeros(self.ends.shape, dtype=np.int64)  # version since which an end is where it is
        self._rates = np.full(self.ends.shape, math.nan)
        self._random = KeyedRandom()
        self._now = self._parts()

    def _parts(self) -> dict[str, Distribution]:
        own = {t.name: Part(t.distribution, *self.ends[i].tolist()) for i, t in enumerate(self.terms)}
        return own | {t.name: contracted(t, self.share) for t in self._followers}

    @property
    def share(self) -> float:
        """Mean share of the ranges that is open."""
        return float((self.ends[:, HIGH] - self.ends[:, LOW]).mean())

    @property
    def entropy(self) -> float:
        """Mean over terms of the logarithm of the open share, in nats; 0 for the whole of the spec."""
        return float(np.log(self.ends[:, HIGH] - self.ends[:, LOW]).mean())

    def boundary(self, seed: int, episode: int) -> tuple[int, int, int] | None:
        """Term, side and component that an episode tries; None for most."""
        u = self._random.uniform(seed, "curriculum:boundary", episode, 3).tolist()
        if u[0] >= self._settings.boundary_share:
            return None
        term, side = self._boundaries[int(u[1] * len(self._boundaries))]
        return term, side, int(u[2] * self._sizes[term])

    def distributions(self, seed: int, episode: int) -> Mapping[str, Distribution]:
        """The present ranges, in an episode that tries an end with one component there."""
        tried = self.boundary(seed, episode)
        if tried is None:
            return self._now
        term, side, component = tried
        low, high = self.ends[term].tolist()
        part = Part(self.terms[term].distribution, low, high, component, high if side == HIGH else low)
        return {**self._now, self.terms[term].name: part}

    def update(self, finished: Finished) -> None:
        """Count the episodes that tried an end, and move the ends that have been tried often enough."""
        keys = zip(finished.seeds.tolist(), finished.episodes.tolist(), strict=True)
        before = self.version
        for k, (seed, episode) in enumerate(keys):
            tried = self.boundary(seed, episode)
            if tried is None or finished.versions[k] < self._moved[tried[:2]]:
                continue
            self._tested[tried[:2]] += 1
            self._succeeded[tried[:2]] += bool(finished.success[k])
            if self._tested[tried[:2]] >= self._settings.episodes:
                self._judge(tried[0], tried[1])
        if self.version != before:
            self._now = self._parts()

    def _judge(self, term: int, side: int) -> None:
        at = term, side
        rate = self._succeeded[at] / self._tested[at]
        self._rates[at] = rate
        self._tested[at] = self._succeeded[at] = 0
        outwards = 1.0 if side == HIGH else -1.0
        end = self.ends[at]
        if rate >= self._settings.widen_above:
            end = min(max(end + outwards * self._settings.step, 0.0), 1.0)
        elif rate <= self._settings.narrow_below:
            end = end - outwards * self._settings.step
            end = max(end, self._least[at]) if side == HIGH else min(end, self._least[at])
        if end != self.ends[at]:
            self.ends[at] = end
            self.version += 1
            self._moved[at] = self.version

    def progress(self) -> dict[str, float]:
        """Entropy and share, success at the ends that were judged last, and each term's share."""
        out = {"entropy": self.entropy, "share": self.share}
        if np.isfinite(self._rates).any():
            out["success_at_ends"] = float(np.nanmean(self._rates))
        widths = self.ends[:, HIGH] - self.ends[:, LOW]
        return out | {f"share/{t.name}": float(w) for t, w in zip(self.terms, widths, strict=True)}

    def state_dict(self) -> dict[str, Any]:
        """Version, ends and the counts at each."""
        return {**super().state_dict(), **{k.lstrip("_"): getattr(self, k).copy() for k in _ARRAYS}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        super().load_state_dict(state)
        for name in _ARRAYS:
            getattr(self, name)[...] = state[name.lstrip("_")]
        self._now = self._parts()
