"""From recordings to a verdict: fit some of them, predict the others, judge what was learned."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..envs.engine.core import BatchedCell
from ..envs.engine.task import Task
from ..envs.randomization import NOMINAL, Randomization, Spec
from ..errors import ShopfloorError
from .fit import Fit, Fitter, Progress
from .identifiability import Identifiability, identifiability
from .logs import LEAST_TICKS, Recording
from .parameters import Parameter, choose_terms, parameters_of
from .replay import POSITION, VELOCITY

Array = NDArray[np.float64]

_HELD_SHARE: Final = 0.25  # of the episodes
_HELD_TICKS: Final = 0.3  # of a single episode


@dataclass(frozen=True)
class HeldOut:
    """How well plants predict trajectories that the fit has not seen.

    Attributes:
        nominal, identified: reading name -> RMS error in the reading's unit. The noise of the first reading, at which
            a prediction starts, is taken out.
        improvement: RMS error of the nominal plant by that of the identified one, over all readings in their standard
            deviations.
    """

    nominal: dict[str, float]
    identified: dict[str, float]
    improvement: float


@dataclass(frozen=True)
class Identification:
    """What identification found.

    Attributes:
        fit: estimates and covariance.
        judged: what of it the data determine.
        held_out: prediction of unseen trajectories.
        fitted_ticks, held_ticks: how much data went where.
    """

    fit: Fit
    judged: Identifiability
    held_out: HeldOut
    fitted_ticks: int
    held_ticks: int

    @property
    def accepted(self) -> bool:
        """Whether unseen trajectories are predicted better than by the nominal plant."""
        return self.held_out.improvement > 1.0

    @property
    def refusal(self) -> str:
        """Why it is not accepted, by how much."""
        worse = 1.0 / self.held_out.improvement
        errors = ", ".join(
            f"{name} {self.held_out.nominal[name]:.3g} -> {value:.3g}"
            for name, value in self.held_out.identified.items()
        )
        return (
            f"held-out trajectories are predicted {worse:.3g} times as badly as by the nominal plant (RMS {errors}); "
            "record both parts on one plant, with more excitation, or identify other terms"
        )


def split(recordings: Sequence[Recording]) -> tuple[list[Recording], list[Recording]]:
    """Recordings to fit and to hold out: the last quarter of the episodes, or of one episode its end."""
    if len(recordings) > 1:
        held = max(1, round(_HELD_SHARE * len(recordings)))
        return list(recordings[:-held]), list(recordings[-held:])
    (only,) = recordings
    cut = round((1.0 - _HELD_TICKS) * only.ticks)
    if cut < LEAST_TICKS:
        raise ShopfloorError(f"{only.source}: {only.ticks} ticks are too few to hold some out; record more")
    first = Recording(only.source, only.commands[:cut], {k: v[:cut] for k, v in only.readings.items()})
    # the end is predicted from the beginning, with the readings between hidden
    hidden = {k: np.concatenate((v[:1], np.full_like(v[1:cut], np.nan), v[cut:])) for k, v in only.readings.items()}
    return [first], [dataclasses.replace(only, readings=hidden)]


def parameters_for(task: Task, spec: Spec, terms: Sequence[str] | None) -> tuple[Parameter, ...]:
    """The parameters that terms of a spec have on a task's plant."""
    chosen = choose_terms(spec, terms)
    own = Spec(spec.name, tuple(chosen))
    randomizer = BatchedCell(task, 1, randomization=Randomization(own, NOMINAL)).randomizer
    assert randomizer is not None
    nominal = {name: values[0] for name, values in randomizer.values.items()}
    return parameters_of(chosen, randomizer.component_names, nominal)


def identify(
    task: Task,
    parameters: Sequence[Parameter],
    recordings: Sequence[Recording],
    held_out: Sequence[Recording],
    *,
    position: str = POSITION,
    velocity: str = VELOCITY,
    progress: Progress = lambda line: None,
    threads: int | None = None,
) -> Identification:
    """Fit recordings and predict the ones held out.

    Args:
        task: the environment's task.
        parameters: what to identify; see `parameters_for`.
        recordings, held_out: trajectories; see `split`.
        position, velocity: names of the readings to compare.
        progress: told what is going on, a line at a time.
        threads: threads of physics; None for all cores.
    """
    fit = Fitter(task, parameters, recordings, position, velocity, progress, threads).run()
    return Identification(
        fit,
        identifiability(fit),
        _predict(task, fit, held_out, position, velocity),
        sum(r.ticks for r in recordings),
        sum(int(np.isfinite(r.readings[position]).all(axis=1).sum()) for r in held_out),
    )


def _predict(task: Task, fit: Fit, held_out: Sequence[Recording], position: str, velocity: str) -> HeldOut:
    judge = Fitter(task, fit.parameters, held_out, position, velocity)
    judge.sigma = dict(fit.sigma)
    nominal = np.array([p.nominal for p in fit.parameters])
    errors = judge.whitened_by_reading(np.stack((nominal, fit.values)))
    rms = {name: np.sqrt((e * e).sum(axis=1) / count) for name, (e, count) in errors.items()}
    total = np.sqrt(sum((e * e).sum(axis=1) for e, _ in errors.values()))
    return HeldOut(
        {name: float(r[0]) * fit.sigma[name] for name, r in rms.items()},
        {name: float(r[1]) * fit.sigma[name] for name, r in rms.items()},
        float(total[0] / total[1]) if total[1] > 0.0 else float("inf"),
    )
