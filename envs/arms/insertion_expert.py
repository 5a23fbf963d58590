"""The scripted expert of the insertion tasks: guarded approach, spiral search, compliant insertion.

What a programmer of force-controlled assembly writes: drive to above the taught pose, lower until there is contact,
search on a spiral with light pressure until the part falls in, then press and give way to lateral forces and moments.
It keeps no memory: what to do follows from pose, force and the clock.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..control import ActionTerm
from ..engine.task import Rows

Array = NDArray[np.float64]

STIFFNESS = 6000.0  # N/m, of the virtual spring
NEAR = 0.0013  # m over the taught mouth, where the search begins
ALIGNED, APPROACH = 0.0005, 0.002  # m, beside the axis when the tip comes down; lead of the command on its way
INSIDE = -0.0016  # m, depth at which the part must be in, whatever the teaching's error
SEARCH_N, SIDE_N = 8.0, 5.0  # forces of the search, along and across
SPIRAL_PITCH, SPIRAL_SPEED, SPIRAL_S = 0.0007, 0.003, 2.6  # m, m/s, s
MESH_SWING, MESH_PERIOD_S = np.deg2rad(6.0), 1.6
# Increment a step, of the target, for each unit of contact force or moment: a third of what relaxes the spring.
GIVE, GIVE_TURN = 0.3 / STIFFNESS, 0.3 / 60.0


class InsertionExpert:
    """Inserts by feel, from readings.

    Args:
        terms: components of the action.
        press: share of the allowed force with which it presses once the part is in.
        mesh: (upper, lower) height of the tip, m, between which it turns the part to and fro so that teeth find gaps.
    """

    privileged = False

    def __init__(self, terms: Sequence[ActionTerm], press: float = 0.5, mesh: tuple[float, float] | None = None):
        self._index = {t.name.removeprefix("increment_"): k for k, t in enumerate(terms)}
        self._low, self._high = (np.array([getattr(t, end) for t in terms]) for end in ("low", "high"))
        self.press, self.mesh = press, mesh

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """Increments and force limit."""
        tip, lead = readings["tip_position"], readings["lead"]
        force, torque = readings["force"], readings["torque"]
        allowed = readings["force_threshold"][:, 0]
        inside = tip[:, 2] < INSIDE
        near = ~inside & (tip[:, 2] < NEAR)
        # where the commanded position ought to be, relative to the taught pose; while searching not further aside
        # of the tip than light side forces allow, or a tip that has found the chamfer would be held out of the hole
        aside = self._spiral(s.time_s) - tip[:, :2]
        aside = np.minimum(np.maximum(aside, -SIDE_N / STIFFNESS), SIDE_N / STIFFNESS)
        aim = np.zeros_like(tip)
        aim[:, :2] = np.where(near[:, None], tip[:, :2] + aside, 0.0)
        push = np.where(inside, self.press * allowed, SEARCH_N)
        aligned = tip[:, 0] ** 2 + tip[:, 1] ** 2 < ALIGNED**2
        free = np.where(aligned, tip[:, 2] - APPROACH, np.maximum(NEAR, tip[:, 2] - APPROACH))
        aim[:, 2] = np.where(inside | near, tip[:, 2] - push / STIFFNESS, free)
        move = aim - (tip + lead)
        move[:, :2] = np.where(inside[:, None], GIVE * force[:, :2], move[:, :2])
        turn = np.where(inside[:, None], GIVE_TURN * torque, -0.2 * readings["tip_rotation"])
        if self.mesh is not None:
            meshing = (tip[:, 2] < self.mesh[0]) & (tip[:, 2] > self.mesh[1])
            phase = 2.0 * np.pi * s.time_s / MESH_PERIOD_S
            swing = MESH_SWING * np.sin(phase)
            # toward the swing while meshing, then stay as it is
            turn[:, 2] = np.where(meshing, 0.5 * (swing - readings["tip_rotation"][:, 2]), 0.0)
        out = np.zeros((len(tip), self._low.size))
        for name, value in zip(("x", "y", "z", "rx", "ry", "rz"), (*move.T, *turn.T), strict=True):
            if name in self._index:
                out[:, self._index[name]] = value
        out[:, -1] = np.minimum(0.7 * allowed, 30.0)
        return np.minimum(np.maximum(out, self._low), self._high)

    def _spiral(self, time: Array) -> Array:
        """Point (n, 2) on an Archimedean spiral run at constant speed, out and again."""
        way = SPIRAL_SPEED * np.mod(time, SPIRAL_S)
        angle = np.sqrt(4.0 * np.pi * way / SPIRAL_PITCH)
        radius = SPIRAL_PITCH * angle / (2.0 * np.pi)
        return np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=-1)
