"""What the report of WaferTransfer adds: the friction-limited bound, slip against its tolerance, a move in detail."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..envs.wafer.profiles import GRAVITY
from ..envs.wafer.transfer import LOST_MM, SETTLE_TOLERANCE_MM, SLIP_TOLERANCE_MM
from .episode import setpoint_traces, trace
from .material import KINDS, Material, Scores
from .page import Column, Html, Section, figure, join, paragraph, side_by_side, table
from .record import Recording
from .sections import Focus, distribution, figure_of
from .verdict import compare

Array = NDArray[np.float64]

FOCUS = Focus(
    ratio_metric="time_ratio",
    slices=("friction", "frequency", "droop", "friction_error", "frequency_error", "damping_ratio"),
    choices={"move_kind": {0: "line", 1: "arc"}, "direction": {0: "retract or right", 1: "extend or left"}},
    names={
        "move_kind": "move",
        "time_ratio": "time ratio",
        "friction": "friction coefficient",
        "frequency": "vibration frequency",
        "friction_error": "relative error of the friction estimate",
        "frequency_error": "relative error of the frequency estimate",
        "droop": "droop of the paddle",
        "slip": "largest slip",
        "settle_error": "final distance from target",
        "peak_acceleration": "peak acceleration",
        "residual_vibration": "vibration after the move",
    },
)
RATIO = "move time / friction-limited time"
GLOSSARY = (
    "A vacuum robot carries a 300 mm wafer that only friction holds. Too much acceleration and the wafer slips; too "
    "abrupt a motion and the arm rings at its target. The trained policy tunes the motion planner's margins from "
    "estimates of friction (5 % error) and vibration frequency (3 % error). The expert is the profile that a process "
    "engineer would set up from the same estimates. The oracle knows the true values and plays the fastest profile "
    "that neither slips nor rings. The friction-limited time is the closed-form lower bound of each move: no motion, "
    "however jerky, can be faster without slip."
)


def bound_times(scores: dict[str, Scores]) -> Array:
    """Friction-limited time (n,) of each episode in s, from whichever policy finished it; NaN where none did."""
    out: Array = np.full(len(next(iter(scores.values())).seeds), np.nan)
    for one in scores.values():
        found = one.metrics["move_time"] / one.metrics["time_ratio"]
        out = np.where(np.isnan(out), found, out)
    return out


def move_time_section(material: Material, focus: Focus) -> Section | None:
    """Move times against the bound, absolutely and as ratios."""
    scores = material.scores
    achieving = {k: s for k, s in scores.items() if s.success.any()}
    if not achieving:
        return None
    times = {k: s.of_successes("move_time") for k, s in achieving.items()}
    ratios = {k: s.of_successes("time_ratio") for k, s in achieving.items()}
    absolute = distribution(
        {**times, "bound": bound_times(scores)}, "move time (s)", "Distribution of move times by policy",
        bound="friction-limited time",
    )  # fmt: skip
    relative = distribution(ratios, f"time ratio: {RATIO}", "Distribution of time ratios by policy", include=[0.99])
    relative.rule_x(1.0, "lower bound", "bound", top=True)
    caption = (
        "First the share of all episodes that were achieved within this time. A curve that ends below 100 % belongs to "
        "a policy that fails in the rest. Then the same moves measured by their own friction-limited time, so that "
        "long and short moves compare; no policy can get below 1."
    )
    parts = [figure(side_by_side([Html(absolute.svg()), Html(relative.svg())]), caption)]
    if "policy" in achieving:
        parts.append(_paired(material, achieving))
    return Section("Move time", join(parts))


def _paired(material: Material, scores: dict[str, Scores]) -> Html:
    """Episode by episode against the references."""
    policy, rows = scores["policy"], []
    for kind in ("oracle", "expert"):
        if kind in scores and (found := compare(policy, scores[kind], material.task)).episodes:
            rows.append(
                [
                    KINDS[kind],
                    found.episodes,
                    f"{found.ratio:.3f}",
                    f"{found.paired:.3f}",
                    f"{100 * found.better_share:.0f} %",
                ]
            )
    columns = [Column("trained policy against"), Column("episodes both achieve", "number")]
    columns += [Column("ratio of medians", "number"), Column("median of ratios", "number")]
    columns.append(Column("policy faster in", "number"))
    return table(columns, rows) if rows else Html()


def slip_section(material: Material, focus: Focus) -> Section | None:
    """Distribution of slip with the tolerance."""
    scores = material.scores
    if not scores:
        return None
    floor = 1e-3  # mm; below a micrometre nobody cares
    slip = {k: np.maximum(s.metrics["slip"], floor) for k, s in scores.items()}
    chart = distribution(
        slip, "largest slip of the wafer on a pad (mm)", "Distribution of slip by policy", include=[SLIP_TOLERANCE_MM],
        log=True, width=760,
    )  # fmt: skip
    chart.rule_x(SLIP_TOLERANCE_MM, f"tolerance {SLIP_TOLERANCE_MM:g} mm")
    rows = []
    for kind, one in scores.items():
        values = one.metrics["slip"]
        rows.append(
            [
                KINDS[kind],
                f"{100 * float(np.mean(values <= SLIP_TOLERANCE_MM)):.1f} %",
                *(figure_of(1000 * float(np.quantile(values, q))) for q in (0.5, 0.95, 0.99)),
                figure_of(1000 * float(values.max())),
            ]
        )
    columns = [Column(""), Column("within tolerance", "number"), Column("median (µm)", "number")]
    columns += [Column(f"{q} % (µm)", "number") for q in (95, 99)] + [Column("largest (µm)", "number")]
    caption = (
        "Share of episodes in which the wafer slipped by at most this much, failures included, on a logarithmic "
        f"axis. Right of the dashed line the wafer is misplaced; beyond {LOST_MM:g} mm it counts as lost."
    )
    return Section("Slip", join((figure(Html(chart.svg()), caption), table(columns, rows))))


def trace_section(material: Material, focus: Focus) -> Section | None:
    """Speed, acceleration against friction, slip and distance from the target over one move."""
    recordings = {k: r for k, r in material.recordings.items() if k != "random"}
    if not recordings:
        return None
    one = recordings.get("policy") or next(iter(recordings.values()))
    limit = GRAVITY * float(one.params["friction"])
    estimate = GRAVITY * float(one.channels["friction_estimate"][0, 0])
    speed = trace(
        recordings, {k: r.channels["path_speed"][:, 0] for k, r in recordings.items()}, "speed (m/s)", floor=0.0
    )
    pull = trace(
        recordings, {k: in_plane_acceleration(r) for k, r in recordings.items()}, "acceleration (m/s²)",
        floor=0.0, include=1.12 * max(limit, estimate),
    )  # fmt: skip
    pull.rule_y(limit, "friction limit", below=limit < estimate)
    pull.rule_y(estimate, "as estimated", "bound", below=estimate <= limit)
    slip = trace(
        recordings, {k: r.metrics["slip"] for k, r in recordings.items()}, "largest slip so far (mm)", floor=0.0,
        include=1.15 * SLIP_TOLERANCE_MM,
    )  # fmt: skip
    slip.rule_y(SLIP_TOLERANCE_MM, f"tolerance {SLIP_TOLERANCE_MM:g} mm", left=True)
    error = trace(
        recordings, {k: np.maximum(r.metrics["settle_error"], 1e-3) for k, r in recordings.items()},
        "distance from target (mm)", log=True,
    )  # fmt: skip
    error.rule_y(SETTLE_TOLERANCE_MM, f"tolerance {SETTLE_TOLERANCE_MM:g} mm", left=True)
    charts = [Html(c.svg()) for c in (speed, pull, slip, error, *setpoint_traces(material, focus)[:2])]
    caption = (
        "Speed and acceleration are the commanded ones, the latter in the plane of the paddle and with the centripetal "
        "part of an arc, beside the friction limit μg of this episode and the estimate of it that policy and expert "
        "go by. The distance of the tool from its target has a logarithmic axis. The last two charts show what was "
        "commanded: the share of the estimated friction limit to be used while speeding up and while slowing down."
    )
    return Section(
        "One move in detail", join((paragraph(describe(one, recordings)), figure(side_by_side(charts), caption)))
    )


def describe(one: Recording, recordings: dict[str, Recording]) -> str:
    """The move and how long each policy took, in words."""
    params = one.params
    arc = params["move_kind"] > 0.5
    length = f"{one.channels['path_length'][0, 0]:.2f} m"
    if arc:
        move = (
            f"an arc of {np.degrees(params['arc_angle']):.0f}° at a radius of {params['arc_radius']:.2f} m ({length})"
        )
    else:
        move = f"a line of {length}, {'extending' if params['direction'] > 0.5 else 'retracting'}"
    times = (
        f"{KINDS[k]} {figure_of(float(r.metrics['move_time'][-1]), 's')}{'' if r.success else ' (failed)'}"
        for k, r in recordings.items()
    )
    return (
        f"Seed {one.seed}: {move}, friction {params['friction']:.3f}, vibration {params['frequency']:.1f} Hz. "
        f"Move times: {', '.join(times)}."
    )


def in_plane_acceleration(recording: Recording) -> Array:
    """Commanded acceleration (k,) in the plane of the paddle in m/s^2, the centripetal part included."""
    channels = recording.channels
    along = channels["path_acceleration"][:, 0]
    centripetal = channels["path_speed"][:, 0] ** 2 * channels["path_curvature"][:, 0]
    total: Array = np.sqrt(along**2 + centripetal**2)
    return total
