"""What identification leaves: a posterior, a randomization spec that draws from it, and a report."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from numpy.typing import NDArray

from ..envs.randomization import Posterior, Term, load_spec
from ..envs.randomization.posterior import write_posterior
from .fit import Fit
from .identification import Identification
from .parameters import Parameter

Array = NDArray[np.float64]

POSTERIOR_FILE: Final = "posterior.npz"
SPEC_FILE: Final = "randomization.yaml"
REPORT_FILE: Final = "report.json"
TEXT_FILE: Final = "report.txt"
SAMPLES: Final = 1000
SCHEMA_VERSION: Final = 1
_ROUNDS: Final = 200


def posterior_samples(fit: Fit, count: int, widen: float = 1.0, seed: int = 0) -> Array:
    """Samples (count, parameters) of the normal posterior inside the search range.

    Draws outside are drawn again. Where next to none are inside, the rest is moved towards the estimate until it is,
    which keeps what the data say about combinations.

    Args:
        fit: the fit.
        count: number of samples.
        widen: factor on standard deviations, for safety against what the model leaves out.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    variances, vectors = np.linalg.eigh(fit.covariance)
    root = vectors * np.sqrt(np.maximum(variances, 0.0)) * widen
    low, high = np.array([p.bounds for p in fit.parameters]).T
    kept: list[Array] = []
    have = 0
    for _ in range(_ROUNDS):
        step = _spread(root, generator.standard_normal((count, len(low))))
        draw = fit.values + step
        inside = draw[((draw >= low) & (draw <= high)).all(axis=1)]
        kept.append(inside)
        have += len(inside)
        if have >= count:
            return np.concatenate(kept)[:count]
    step = _spread(root, generator.standard_normal((count - have, len(low))))
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(step > 0.0, (high - fit.values) / step, (low - fit.values) / step)
    share = np.clip(np.nanmin(np.where(step == 0.0, np.inf, room), axis=1), 0.0, 1.0)
    return np.clip(np.concatenate((*kept, fit.values + share[:, None] * step)), low, high)


def _spread(root: Array, z: Array) -> Array:
    return (z[:, None, :] * root[None]).sum(axis=2)


def spec_data(fit: Fit, title: str) -> dict[str, Any]:
    """A randomization spec as plain data: the identified terms, each drawing its column of the posterior beside it."""
    return {
        "version": 1,
        "name": "identified",
        "description": title,
        "terms": {p.name: _term_data(p.term) for p in fit.parameters},
    }


def _term_data(term: Term) -> dict[str, Any]:
    out: dict[str, Any] = {"effect": term.effect}
    if term.target is not None:
        out["target"] = {term.target.kind: term.target.pattern}
    out["operation"] = term.operation
    if term.shared:
        out["shared"] = True
    if term.components is not None:
        out["components"] = list(term.components)
    if term.per_component:
        out["per_component"] = True
    if term.nominal is not None and term.nominal != term.info.nominal.get(term.operation):
        out["nominal"] = term.nominal
    if term.options:
        out["options"] = dict(term.options)
    out["distribution"] = {"posterior": {"file": POSTERIOR_FILE, "parameter": term.name}}
    out |= {k: v for k, v in (("unit", term.unit), ("description", term.description)) if v}
    return out


def write_results(found: Identification, folder: Path, source: dict[str, Any], samples: int, widen: float) -> None:
    """Write report, and where the identification is accepted posterior and spec, into a folder.

    Args:
        found: what was found.
        folder: created if need be.
        source: where the data come from, as plain data, for report and posterior.
        samples, widen: see `posterior_samples`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = report_data(found, source)
    (folder / REPORT_FILE).write_text(_json(data), encoding="utf-8")
    (folder / TEXT_FILE).write_text(report_text(found) + "\n", encoding="utf-8")
    if not found.accepted:
        for name in (POSTERIOR_FILE, SPEC_FILE):  # of an earlier call, which would pass for this one's
            (folder / name).unlink(missing_ok=True)
        return
    fit = found.fit
    meta = {**source, "improvement": found.held_out.improvement, "widen": widen}
    write_posterior(
        folder / POSTERIOR_FILE,
        [p.name for p in fit.parameters],
        [unit_of(p) for p in fit.parameters],
        posterior_samples(fit, samples, widen),
        meta,
    )
    title = f"identified from {source.get('log', 'a log')}; see {TEXT_FILE}"
    text = yaml.safe_dump(spec_data(fit, title), sort_keys=False, allow_unicode=True, width=120)
    (folder / SPEC_FILE).write_text(text, encoding="utf-8")
    spec = load_spec(folder / SPEC_FILE)  # a spec that cannot be read back is to fail here, not in training
    assert all(isinstance(t.distribution, Posterior) for t in spec.terms)


def unit_of(parameter: Parameter) -> str:
    """Unit of a parameter's value."""
    term = parameter.term
    if term.unit:
        return term.unit
    return "1" if term.operation == "scale" else term.info.unit


# -- the report ---------------------------------------------------------------------------------------------------


def report_data(found: Identification, source: dict[str, Any]) -> dict[str, Any]:
    """Everything that was found, as plain data with finite numbers."""
    fit, judged, held = found.fit, found.judged, found.held_out
    parameters = {}
    for i, p in enumerate(fit.parameters):
        parameters[p.name] = {
            "term": p.source,
            "effect": p.term.effect,
            "operation": p.term.operation,
            "unit": unit_of(p),
            "nominal": _finite(p.nominal),
            "prior": list(p.prior),
            "estimate": float(fit.values[i]),
            "half_width_95": float(judged.half_width[i]),
            "uncertainty_left": float(judged.uncertainty[i]),
            "determined": p.name not in judged.undetermined,
            "group": judged.group_of(p.name) or None,
        }
    return {
        "schema_version": SCHEMA_VERSION,
        "source": source,
        "accepted": found.accepted,
        "refusal": None if found.accepted else found.refusal,
        "parameters": parameters,
        "groups": [
            {
                "label": g.label,
                "members": list(g.members),
                "correlation": g.correlation,
                "combination": list(g.combination),
                "deviation": g.deviation,
            }
            for g in judged.groups
        ],
        "undetermined": list(judged.undetermined),
        "condition_number": _finite(judged.condition),
        "correlation": judged.correlation.tolist(),
        "held_out": {
            "nominal_rms": held.nominal,
            "identified_rms": held.identified,
            "improvement": _finite(held.improvement),
        },
        "residual_rms": fit.sigma,
        "residual_correlation_ticks": fit.inflation,
        "delay_profile": [{"delay_s": d, "cost": c} for d, c in fit.profile],
        "ticks": {"fitted": found.fitted_ticks, "held_out": found.held_ticks},
        "simulated_trajectories": fit.evaluations,
    }


def report_text(found: Identification) -> str:
    """A table for people."""
    fit, judged, held = found.fit, found.judged, found.held_out
    width = max(len(p.name) for p in fit.parameters)
    lines = [f"{'parameter':<{width}}  {'nominal':>9}  {'estimate':>9}  {'± (95 %)':>9}  unit    remark"]
    for i, p in enumerate(fit.parameters):
        group, remark = judged.group_of(p.name), ""
        if p.name in judged.undetermined:
            remark = f"not determined: {100 * judged.uncertainty[i]:.0f} % of the prior uncertainty is left"
        elif group:
            remark = f"group {group}: not to be read alone"
        lines.append(
            f"{p.name:<{width}}  {_number(p.nominal):>9}  {_number(float(fit.values[i])):>9}  "
            f"{_number(float(judged.half_width[i])):>9}  {unit_of(p):<6}  {remark}".rstrip()
        )
    for g in judged.groups:
        sum_of = " ".join(f"{c:+.2f} {m}" for c, m in zip(g.combination, g.members, strict=True))
        lines += [
            "",
            f"group {g.label}  correlated up to {g.correlation:.3f}: {', '.join(g.members)}",
            f"         known together, each in half its prior range: {sum_of} to ± {_number(1.96 * g.deviation)}",
        ]
    lines += ["", f"condition number  {_number(judged.condition)}"]
    left = ", ".join(f"{name} {_number(value)}" for name, value in fit.sigma.items())
    lines.append(f"unexplained RMS   {left} (correlated over {fit.inflation:.1f} ticks)")
    for name, value in held.identified.items():
        better = held.nominal[name] / value if value > 0.0 else math.inf
        lines.append(
            f"held-out RMS      {name} {_number(held.nominal[name])} -> {_number(value)} ({better:.3g} times better)"
        )
    verdict = "accepted" if found.accepted else f"REFUSED: {found.refusal}"
    return "\n".join([*lines, f"verdict           {verdict}"])


def _number(value: float) -> str:
    return f"{value:.4g}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
