"""Excitation: motions that show what a plant is made of, inside its motion limits and clear of its surroundings.

Three parts. Wide motions, up to 1 Hz, meet many postures and speeds: gravity, viscous friction. Quick ones, up to
several Hz and scaled to the limits of acceleration and jerk, show inertia and tell delay from damping, which slow
motions cannot: to first order both are a lag. Slow reversals at constant speed show dry friction.

Every joint has frequencies of its own, so that responses of different joints do not look alike; sums of sines for this
are due to Swevers et al., "Optimal robot excitation and identification", IEEE Transactions on Robotics and Automation
13 (1997).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..envs.control import ActionInterface
from ..envs.engine.core import BatchedCell
from ..envs.engine.task import Task
from ..errors import ShopfloorError

Array = NDArray[np.float64]

# share of an episode, and frequency band in Hz
WIDE: Final = (0.5, 0.4, 1.0)
QUICK: Final = (0.3, 1.2, 4.0)
_LINES: Final = 3  # frequencies a joint and part
_SHARE: Final = 0.9  # of each motion limit
_SLOW: Final = 0.06  # speed of slow reversals, as a share of the speed limit
_SLOW_TURN_S: Final = 0.5  # between two reversals
_SHRINK: Final = 0.75
_DRAWS_A_REACH: Final = 4
_MOST_DRAWS: Final = 40


@dataclass(frozen=True)
class Axes:
    """What an action interface lets one command: rates of change of some coordinates.

    Attributes:
        rate: (size,) largest rate.
        acceleration, jerk: (size,) their limits; infinite where the interface states none.
        per_tick: whether a set-point is the change in a control period rather than a rate.
    """

    rate: Array
    acceleration: Array
    jerk: Array
    per_tick: bool


def axes_of(action: ActionInterface, control_dt: float) -> Axes:
    """The coordinates that an action interface moves.

    Raises:
        ShopfloorError: if its set-points are not rates or increments.
    """
    high = np.array([t.high for t in action.terms])
    limits = action.limits()
    if action.name in ("joint_position", "joint_velocity"):
        per_tick = action.name == "joint_position"
        rate = np.minimum(high / control_dt if per_tick else high, limits["velocity"])
        return Axes(rate, np.array(limits["acceleration"]), np.array(limits["jerk"]), per_tick)
    if action.name == "tcp_twist":
        unlimited = np.full(high.size, np.inf)
        return Axes(high, unlimited, unlimited, per_tick=False)
    raise ShopfloorError(
        f"no excitation for the action interface {action.name!r}: its set-points are neither rates nor increments. "
        "Record with an interface that commands joint positions or velocities"
    )


def excitation(axes: Axes, ticks: int, control_dt: float, reach: float, generator: np.random.Generator) -> Array:
    """Set-points (ticks, size) of one episode, beginning and ending at rest.

    Args:
        axes: what is commanded.
        ticks: length of the episode.
        control_dt: control period, s.
        reach: largest excursion from the start, in the axes' unit.
        generator: draws phases and frequencies.
    """
    size = axes.rate.size
    wide, quick = (round(share * ticks) for share in (WIDE[0], QUICK[0]))
    parts = [
        _multisine(axes, wide, control_dt, WIDE[1:], reach, generator),
        _multisine(axes, quick, control_dt, QUICK[1:], reach, generator),
        _reversals(axes, ticks - wide - quick, control_dt, reach, generator),
    ]
    rates = np.concatenate([p for p in parts if len(p)]).reshape(-1, size)
    return rates * control_dt if axes.per_tick else rates


def _multisine(
    axes: Axes, ticks: int, control_dt: float, band: tuple[float, float], reach: float, generator: np.random.Generator
) -> Array:
    """Rates (ticks, size) of sums of sines that start and end at zero, as large as limits and reach allow."""
    size = axes.rate.size
    time = np.arange(ticks)[:, None] * control_dt
    span = ticks * control_dt
    ramp = np.clip(np.minimum(time, span - control_dt - time) / (0.1 * span), 0.0, 1.0)
    window = ramp * ramp * (3.0 - 2.0 * ramp)
    # neighbouring frequencies belong to different joints
    grid = np.geomspace(max(band[0], 0.5 / span), band[1], _LINES * size).reshape(_LINES, size)
    frequency = generator.permuted(grid, axis=1)
    phase = generator.uniform(0.0, 2.0 * np.pi, (_LINES, size))
    rate = np.zeros((ticks, size))
    for f, p in zip(frequency, phase, strict=True):
        rate += np.sin(2.0 * np.pi * f * time + p)
    rate = window * rate
    rate -= window * (rate.sum(axis=0) / window.sum())  # comes back to where it began
    path = np.cumsum(rate, axis=0) * control_dt
    acceleration = np.gradient(rate, control_dt, axis=0)
    jerk = np.gradient(acceleration, control_dt, axis=0)
    allowed = [
        _SHARE * limit / np.maximum(np.abs(series).max(axis=0), 1e-12)
        for series, limit in (
            (rate, axes.rate), (acceleration, axes.acceleration), (jerk, axes.jerk), (path, np.full(size, reach)),
        )
    ]  # fmt: skip
    return rate * np.min(allowed, axis=0)


def _reversals(axes: Axes, ticks: int, control_dt: float, reach: float, generator: np.random.Generator) -> Array:
    """Rates (ticks, size) of slow motions to and fro at constant speed."""
    time = np.arange(ticks)[:, None] * control_dt
    half = _SLOW_TURN_S * generator.uniform(0.8, 1.25, axes.rate.size)
    speed = np.minimum(_SLOW * axes.rate, 0.5 * reach / half)
    # the first leg is half as long, so that the motion is about where it began
    rate = np.where(np.floor(time / half + 0.5) % 2 == 0, speed, -speed)
    rate[-5:] = 0.0
    return rate


def clear_excitation(task: Task, seeds: Sequence[int], ticks: int, reach: float) -> tuple[list[Array], list[float]]:
    """Excitations of several episodes during which the nominal plant touches nothing and no episode ends early.

    Args:
        task: the environment's task.
        seeds: seeds of the episodes, which fix start states and excitations.
        ticks: length of each.
        reach: largest excursion to begin with; where an episode touches something it is drawn anew, and then smaller.

    Returns:
        Set-points (ticks, size) of each episode, and the reach of each.

    Raises:
        ShopfloorError: if even small motions touch something.
    """
    cell = BatchedCell(task, len(seeds), max_steps=ticks + 1)
    dt = task.timing.control_dt
    axes = axes_of(cell.action, dt)
    generators = [np.random.default_rng(seed) for seed in seeds]
    tables, reaches = np.zeros((ticks, len(seeds), axes.rate.size)), np.full(len(seeds), reach)
    waiting = np.ones(len(seeds), dtype=bool)
    for attempt in range(_MOST_DRAWS):
        for k in np.flatnonzero(waiting).tolist():
            reaches[k] = reach * _SHRINK ** (attempt // _DRAWS_A_REACH)
            tables[:, k] = excitation(axes, ticks, dt, float(reaches[k]), generators[k])
        waiting &= ~_clear(cell, tables, seeds)
        if not waiting.any():
            return [tables[:, k] for k in range(len(seeds))], reaches.tolist()
    seed = seeds[int(np.argmax(waiting))]
    raise ShopfloorError(
        f"even excursions of {reaches.min():.2g} from the start state of seed {seed} touch something or end the "
        "episode; choose other seeds"
    )


def _clear(cell: BatchedCell, tables: Array, seeds: Sequence[int]) -> NDArray[np.bool_]:
    """Which episodes (n,) run to their end under tables (ticks, n, size) without new contacts."""
    cell.reset(None, np.array(seeds, dtype=np.int64))
    contacts = cell.sim.output("ncon").reshape(-1)
    first, clear = contacts.copy(), np.ones(len(seeds), dtype=bool)
    for setpoints in tables:
        cell.step(setpoints)
        clear &= ~cell.terminated & (contacts <= first)
    return clear
