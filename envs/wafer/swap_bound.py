"""A lower bound of the time of a swap that no set-points of `SwapSequence` can beat, in closed form.

The steps that cannot overlap, one after the other: arm a in, hand-off, exchange, hand-off, arm b out and gate shut.
Averaging over vibration periods, which only adds time, is left out, and so is the turn.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.swap import PASSING
from ...assets.fixtures.slit_valve import GATE_STROKE
from .profiles import line_time, tilt_limits
from .swap_motion import (
    LIFT_ACCELERATION,
    PARTED,
    PASSABLE,
    RADIAL,
    RADIAL_ACCELERATION,
    TO_GATE,
    WAY,
    gate_time_share,
)

Array = NDArray[np.float64]

BEHIND_GATE = WAY - TO_GATE  # m, from where a paddle's tip meets the gate to the station
ALLOWANCE = 0.0018  # m, by which errors of height and tilt may let a paddle pass earlier than `PASSABLE`


def rest_time(distance: float) -> float:
    """Shortest time (s) over `distance` (m) that begins or ends at rest, not both, at the arm's limits."""
    ramp = RADIAL.speed**2 / (2.0 * RADIAL_ACCELERATION)
    if distance <= ramp:
        return math.sqrt(2.0 * distance / RADIAL_ACCELERATION)
    return (distance - ramp) / RADIAL.speed + RADIAL.speed / RADIAL_ACCELERATION


def handoff_time(contact: float) -> float:
    """Shortest time (s) from rest to where the arm may leave, touching at most at `contact` (m/s)."""
    a = LIFT_ACCELERATION
    peak = math.sqrt(a * PASSING + 0.5 * contact**2)
    meet = peak / a + (peak - contact) / a
    part = (math.sqrt(contact**2 + 2.0 * a * (PASSING - PARTED)) - contact) / a
    return meet + part


def bound_time(gate: Array, friction: Array, tilt: Array, contact: float) -> Array:
    """Lower bound (n,) in s.

    Args:
        gate: (n, 2) s, of opening and of shutting.
        friction: (n, 2) of arms a and b.
        tilt: (n, 2) of their paddles, rad.
        contact: fastest contact that is allowed, m/s.
    """
    whole = WAY / RADIAL.speed + RADIAL.speed / RADIAL_ACCELERATION
    share = gate_time_share((PASSABLE - ALLOWANCE) / GATE_STROKE)
    enter = np.maximum(whole, share * gate[:, 0] + rest_time(BEHIND_GATE))
    outward, inward = tilt_limits(friction, np.abs(tilt))
    moves = line_time(WAY, np.minimum(outward, RADIAL_ACCELERATION), np.minimum(inward, RADIAL_ACCELERATION))
    exchange = np.maximum(np.maximum(moves[:, 0], moves[:, 1]), whole)
    shut = np.maximum(gate[:, 1], rest_time(BEHIND_GATE) + share * gate[:, 1])
    bound: Array = enter + exchange + np.maximum(shut, whole) + 2.0 * handoff_time(contact)
    return bound
