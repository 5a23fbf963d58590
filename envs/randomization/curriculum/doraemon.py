"""DORAEMON: the widest distributions under which the policy still succeeds often enough.

Tiboni, Klink, Peters, Tommasi, D'Eramo and Chalvatzaki, "Domain Randomization via Entropy Maximization", ICLR 2024
(arXiv 2311.01885).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..distributions import Beta, Distribution
from ..spec import Spec
from .base import Array, Curriculum, Finished, Integers, adapted, contracted, origin_quantile, quantiles
from .beta import divergence, entropy, fisher, log_beta
from .settings import DoraemonSettings
from .trust_region import HalfSpace, best_step

WIDEST = 1.0  # a = b = 1 is uniform
REMEMBERED = 32  # past versions under which an episode that ends now may have begun
MOST_STEPS = 200
FINEST = 1e-4  # radius at which an update ends, as a share of the largest
_INSIDE = 1e-12


@dataclass(frozen=True)
class Reshaped(Distribution):
    """A distribution whose quantiles are Beta(a, b) instead of uniform; Beta(1, 1) leaves it as it is."""

    of: Distribution
    a: float
    b: float

    kind = "reshaped"

    @property
    def support(self) -> tuple[float, float]:
        """That of the distribution."""
        return self.of.support

    def transform(self, u: Array) -> Array:
        """Numbers of the reshaped distribution."""
        if self.a == WIDEST and self.b == WIDEST:
            return self.of.transform(u)
        return self.of.transform(Beta(0.0, 1.0, self.a, self.b).transform(u))

    def as_dict(self) -> dict[str, Any]:
        """All of it."""
        return {self.kind: {"of": self.of.as_dict(), "beta": [self.a, self.b]}}


@dataclass(frozen=True)
class Outcomes:
    """Finished episodes, as the estimate of success needs them.

    Attributes:
        logs: (k, terms, 2) sums over a term's components of log z and log (1 - z), z the quantiles that were drawn.
        log_density: (k,) of the quantiles under the distributions that they were drawn from.
        success: (k,) whether the episodes succeeded.
    """

    logs: Array
    log_density: Array
    success: NDArray[np.bool_]

    def weights(self, eta: Array) -> Array:
        """Self-normalized importance weights (k,) of the distributions `eta`; they sum to 1.

        Without the common factor, so that draws rejected by a constraint need no correction.
        """
        log_weight = (self.logs * (eta - 1.0)).sum(axis=(1, 2)) - self.log_density
        weight = np.exp(log_weight - log_weight.max())
        out: Array = weight / weight.sum()
        return out

    def success_rate(self, eta: Array) -> float:
        """The success rate to expect under the distributions `eta`."""
        return float((self.weights(eta) * self.success).sum())

    def success_gradient(self, eta: Array) -> Array:
        """Gradient (terms, 2) of `success_rate`."""
        weight = self.weights(eta)
        excess = weight * (self.success - (weight * self.success).sum())
        out: Array = (excess[:, None, None] * self.logs).sum(axis=0)
        return out


class Problem:
    """One update: distributions near the present ones that are as wide as the success rate allows.

    maximize H(eta) subject to success(eta) >= required and KL(eta || present) <= kl; if the present distributions miss
    the required rate, first maximize success(eta) within the same KL.

    Args:
        present: (terms, 2) Beta parameters now.
        sizes: (terms,) components of each term, which are independent and alike.
        outcomes: episodes.
        settings: what is required.
    """

    def __init__(self, present: Array, sizes: Array, outcomes: Outcomes, settings: DoraemonSettings):
        self.present = present
        self.outcomes = outcomes
        self._sizes = sizes
        self._settings = settings
        self._narrowest = 1.0 + settings.concentration

    def entropy(self, eta: Array) -> float:
        """Entropy of all components together."""
        return float((self._sizes * entropy(eta)).sum())

    def divergence(self, eta: Array) -> float:
        """KL divergence from the present distributions, all components together."""
        return float((self._sizes * divergence(eta, self.present)).sum())

    def solve(self) -> Array:
        """The new parameters (terms, 2)."""
        eta = self.present
        if self.outcomes.success_rate(eta) < self._settings.success:
            eta = self._climb(eta, recover=True)
            if self.outcomes.success_rate(eta) < self._settings.success:
                return eta
        return self._climb(eta, recover=False)

    def _climb(self, eta: Array, recover: bool) -> Array:
        """Steps inside a ball that shrinks whenever a step leaves the constraints or gains nothing."""
        largest = radius = math.sqrt(2.0 * self._settings.kl)
        value = self._value(eta, recover)
        for _ in range(MOST_STEPS):
            if radius < FINEST * largest:
                break
            trial = self._step(eta, recover, radius)
            gained = trial is not None and self._allowed(trial, recover) and self._value(trial, recover) > value + 1e-9
            if not gained or trial is None:
                radius *= 0.5
                continue
            eta, value = trial, self._value(trial, recover)
            radius = min(1.5 * radius, largest)
            if recover and value >= self._settings.success:
                break  # what is left of the KL is for widening
        return eta

    def _value(self, eta: Array, recover: bool) -> float:
        return self.outcomes.success_rate(eta) if recover else self.entropy(eta)

    def _allowed(self, eta: Array, recover: bool) -> bool:
        near = self.divergence(eta) <= self._settings.kl
        return near and (recover or self.outcomes.success_rate(eta) >= self._settings.success)

    def _step(self, eta: Array, recover: bool, radius: float) -> Array | None:
        """A step of the linearized problem, without parameters that it would push out of their bounds."""
        information = self._sizes[:, None, None] * fisher(eta)
        metric = np.zeros((eta.size, eta.size))
        for i, block in enumerate(information):
            metric[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = block
        success = self.outcomes.success_gradient(eta).ravel()
        wider = -_product(information, eta - 1.0)
        farther = _product(information, eta - self.present)
        slack = self._settings.kl - self.divergence(eta)
        constraints = [HalfSpace(-farther, -slack)] if farther.any() else []
        if not recover:
            constraints.append(HalfSpace(success, self._settings.success - self.outcomes.success_rate(eta)))
        free = np.ones(eta.size, dtype=bool)
        flat = eta.ravel()
        for _ in range(eta.size):
            at = np.ix_(free, free)
            reduced = [HalfSpace(c.gradient[free], c.least) for c in constraints]
            found = best_step(metric[at], (success if recover else wider)[free], reduced, radius)
            if found is None:
                return None
            step = np.zeros(eta.size)
            step[free] = found
            outside = ((flat <= WIDEST) & (step < 0.0)) | ((flat >= self._narrowest) & (step > 0.0))
            if not outside.any():
                bounded: Array = np.clip(flat + step, WIDEST, self._narrowest).reshape(eta.shape)
                return bounded
            free &= ~outside
            if not free.any():
                break
        return None


def _product(blocks: Array, vectors: Array) -> Array:
    """Block-diagonal matrix (terms, 2, 2) times vectors (terms, 2), flat."""
    out: Array = (blocks * vectors[:, None, :]).sum(axis=2).ravel()
    return out


class Doraemon(Curriculum):
    """DORAEMON, on quantiles of the spec's distributions.

    The quantiles of each adapted term are Beta(a, b), at first narrow about the nominal value. After every so many
    episodes the parameters of all terms move together: entropy as large as possible, success under the new
    distributions, estimated from these episodes by importance weights, at least what is required, and no farther than
    a KL divergence within which the weights can be trusted. Each episode is weighted from the distributions under which
    it began. An entropy of 0 is the spec itself.

    Args:
        spec: what is randomized.
        sizes: number of components of each term, which share their term's distribution.
        settings: required success, size and frequency of updates.

    Attributes:
        eta: (terms, 2) Beta parameters a and b of each adapted term.
    """

    kind = "doraemon"

    def __init__(self, spec: Spec, sizes: Mapping[str, int], settings: DoraemonSettings):
        self._settings = settings
        self.terms, self._followers = adapted(spec, self.kind, constrained=True)
        self._sizes = np.array([sizes[t.name] for t in self.terms], dtype=np.float64)
        start = np.array([origin_quantile(t) for t in self.terms])
        self.eta = 1.0 + settings.concentration * np.stack([start, 1.0 - start], axis=1)
        self._past = {0: self.eta.copy()}
        self._waiting = self._none()  # episodes since the last update
        self._figures: dict[str, float] = {}
        self._now = self._reshaped()

    def _reshaped(self) -> dict[str, Distribution]:
        own = {t.name: Reshaped(t.distribution, *self.eta[i].tolist()) for i, t in enumerate(self.terms)}
        return own | {t.name: contracted(t, self.share) for t in self._followers}

    @property
    def entropy(self) -> float:
        """Mean entropy of a component's quantile, in nats."""
        return float((self._sizes * entropy(self.eta)).sum() / self._sizes.sum())

    @property
    def share(self) -> float:
        """Mean over terms of the width of a uniform distribution of the same entropy, as a share of the whole."""
        return min(1.0, float(np.exp(entropy(self.eta)).mean()))

    def distributions(self, seed: int, episode: int) -> Mapping[str, Distribution]:
        """The same in every episode."""
        return self._now

    def update(self, finished: Finished) -> None:
        """Take up episodes, and update the distributions when there are enough."""
        known = np.array([v in self._past for v in finished.versions.tolist()], dtype=bool)
        values = np.concatenate([finished.values[t.name] for t in self.terms], axis=1)
        new = {"values": values[known], "versions": finished.versions[known], "success": finished.success[known]}
        self._waiting = {k: np.concatenate([v, new[k]]) for k, v in self._waiting.items()}
        if self._waiting["success"].size >= self._settings.episodes:
            self._improve()

    def _none(self) -> dict[str, NDArray[Any]]:
        width = int(self._sizes.sum())
        return {
            "values": np.zeros((0, width)),
            "versions": np.zeros(0, dtype=np.int64),
            "success": np.zeros(0, dtype=bool),
        }

    def outcomes(self, values: Array, versions: Integers, success: NDArray[np.bool_]) -> Outcomes:
        """What episodes tell: values (k, components) of the adapted terms, the version of each, and its success."""
        logs = np.zeros((len(success), len(self.terms), 2))
        at = 0
        for i, (term, size) in enumerate(zip(self.terms, self._sizes.astype(int).tolist(), strict=True)):
            z = np.clip(quantiles(term.distribution, values[:, at : at + size]), _INSIDE, 1.0 - _INSIDE)
            logs[:, i, 0], logs[:, i, 1] = np.log(z).sum(axis=1), np.log1p(-z).sum(axis=1)
            at += size
        eta = np.array([self._past[v] for v in versions.tolist()])
        norm = {v: float((self._sizes * log_beta(self._past[v])).sum()) for v in set(versions.tolist())}
        density = ((eta - 1.0) * logs).sum(axis=(1, 2)) - np.array([norm[v] for v in versions.tolist()])
        return Outcomes(logs, density, success)

    def _improve(self) -> None:
        outcomes = self.outcomes(**self._waiting)
        problem = Problem(self.eta, self._sizes, outcomes, self._settings)
        eta = problem.solve()
        weight = outcomes.weights(eta)
        self._figures = {
            "success_before": outcomes.success_rate(self.eta),
            "success_expected": outcomes.success_rate(eta),
            "kl": problem.divergence(eta),
            "effective_episodes": float(1.0 / (weight**2).sum()),
        }
        self._waiting = self._none()
        self.version += 1
        self.eta = eta
        self._past[self.version] = eta.copy()
        self._past = {v: e for v, e in self._past.items() if v > self.version - REMEMBERED}
        self._now = self._reshaped()

    def progress(self) -> dict[str, float]:
        """Entropy and share, figures of the last update, and each term's share."""
        widths = np.exp(entropy(self.eta)).tolist()
        own = {f"share/{t.name}": w for t, w in zip(self.terms, widths, strict=True)}
        return {"entropy": self.entropy, "share": self.share} | self._figures | own

    def state_dict(self) -> dict[str, Any]:
        """Version, parameters now and in the past, and the episodes since the last update."""
        return {
            **super().state_dict(),
            "eta": self.eta.copy(),
            "past": {v: e.copy() for v, e in self._past.items()},
            "waiting": {k: v.copy() for k, v in self._waiting.items()},
            "figures": dict(self._figures),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        super().load_state_dict(state)
        self.eta = state["eta"].copy()
        self._past = {int(v): e.copy() for v, e in state["past"].items()}
        self._waiting = {k: v.copy() for k, v in state["waiting"].items()}
        self._figures = dict(state["figures"])
        self._now = self._reshaped()
