"""Replay: what plants with other parameters would have done under the commands of a log.

All plants are rows of one batch of simulations, in which randomization effects put the parameters: what is identified
is by construction what can be randomized. Commands pass through the environment's own action interface, so that servos
get what they got when the log was written, at every physics step.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Final

import mujoco
import numpy as np
from numpy.typing import NDArray

from ..envs.engine.core import BatchedCell
from ..envs.engine.task import Task
from ..envs.randomization import NOMINAL, Episodes, Randomization, Spec
from ..envs.sensing import POLICY
from ..errors import ShopfloorError
from .logs import Recording
from .parameters import Parameter

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

POSITION: Final = "joint_position"
VELOCITY: Final = "joint_velocity"
# a first velocity reading below this share of the sensor's range is noise of a joint at rest
_AT_REST: Final = 0.01
_AFFINE: Final = int(mujoco.mjtBias.mjBIAS_AFFINE)


class Replay:
    """Plants under the commands of some recordings.

    A replay starts where the log's first reading says, at rest unless that reading says otherwise, with servos that
    hold the position: action interfaces begin every episode that way.

    Args:
        task: the environment's task.
        parameters: what varies between plants.
        recordings: the trajectories.
        plants: number of plants that `predict` takes at a time.
        position, velocity: names of the readings of joint positions and velocities; one value a commanded joint.
        threads: threads of physics; None for all cores. Never changes a result.

    Attributes:
        readings: names of the compared readings, positions first.
        measured: name -> (trajectories, ticks, size), NaN where there is no reading; tick 0, at which the replay
            starts, is left out.

    Raises:
        ShopfloorError: if the environment does not command joints whose positions it reads.
    """

    def __init__(
        self,
        task: Task,
        parameters: Sequence[Parameter],
        recordings: Sequence[Recording],
        plants: int,
        position: str = POSITION,
        velocity: str = VELOCITY,
        threads: int | None = None,
    ):
        self.parameters = tuple(parameters)
        self.plants = plants
        self.count = len(recordings)
        self.readings = compared_readings(task, position, velocity)
        spec = Spec("identification", tuple(p.term for p in parameters))
        ticks = max(r.ticks for r in recordings)
        randomization = Randomization(spec, NOMINAL)
        self.cell = BatchedCell(
            _bare(task, self.readings), plants * self.count, threads, None, ticks + 1, randomization
        )
        self.cell.reset(None, np.zeros(self.cell.n, dtype=np.int64))
        self._joints = joints_of(self.cell)
        sim = self.cell.sim
        self._qpos, self._qvel = sim.qpos_index(self._joints), sim.qvel_index(self._joints)
        self._servos = _position_servos(self.cell, self._joints)
        self._start_position = np.stack([r.readings[position][0] for r in recordings])
        if self._start_position.shape[1] != len(self._joints):
            raise ShopfloorError(
                f"{position} has {self._start_position.shape[1]} values for {len(self._joints)} commanded joints"
            )
        self._start_velocity = np.zeros_like(self._start_position)
        if velocity in self.readings:
            first = np.stack([r.readings[velocity][0] for r in recordings])
            low, high = next(c for c in task.channels if c.name == velocity).bounds
            moving = np.isfinite(first) & (np.abs(first) > _AT_REST * 0.5 * (high - low))
            self._start_velocity[moving] = first[moving]
        self._commands = np.stack([_padded(r.commands, ticks, 0.0) for r in recordings], axis=1)
        self.measured = {
            name: np.stack([_padded(r.readings[name], ticks, np.nan)[1:] for r in recordings]) for name in self.readings
        }

    def predict(self, values: Array) -> dict[str, Array]:
        """True readings of plants with the given parameters.

        Args:
            values: (k, parameters), k at most `plants`.

        Returns:
            reading name -> (k, trajectories, ticks - 1, size); NaN for a plant whose physics failed.
        """
        k = len(values)
        rows = np.arange(k * self.count)
        self._begin(values)
        cell, ticks = self.cell, len(self._commands)
        out = {name: np.empty((k, *measured.shape)) for name, measured in self.measured.items()}
        setpoints = np.zeros((cell.n, self._commands.shape[2]))
        everything = None if k == self.plants else rows
        for tick in range(ticks - 1):
            setpoints[rows] = np.tile(self._commands[tick], (k, 1))
            cell.step(setpoints, everything)
            for name, reading in cell.readings().items():
                out[name][:, :, tick] = reading[rows].reshape(k, self.count, -1)
        failed = cell.sim.failed[rows].reshape(k, self.count).any(axis=1)
        for value in out.values():
            value[failed] = np.nan
        return out

    def residuals(self, values: Array) -> dict[str, Array]:
        """Predicted minus measured readings of plants, of `predict`'s shape; NaN where nothing was measured."""
        return {name: value - self.measured[name][None] for name, value in self.predict(values).items()}

    def _begin(self, values: Array) -> None:
        """Start the trajectories of each plant; rows of a plant follow one another."""
        cell, each = self.cell, self.count
        seeds = np.zeros(each, dtype=np.int64)
        for plant, row in enumerate(values.tolist()):
            forced = {p.name: v for p, v in zip(self.parameters, row, strict=True)}
            cell.reset(np.arange(plant * each, (plant + 1) * each), seeds, randomization=forced)
        rows = np.arange(len(values) * each)
        sim, s = cell.sim, cell.s
        sim.qpos[rows[:, None], self._qpos] = np.tile(self._start_position, (len(values), 1))
        sim.qvel[rows[:, None], self._qvel] = np.tile(self._start_velocity, (len(values), 1))
        for joint, actuator in self._servos:
            sim.ctrl[rows, actuator] = np.tile(self._start_position[:, joint], len(values))
        if cell.randomizer is not None:
            episodes = Episodes(rows, s.seed[rows], s.episode[rows], s.step[rows], s.time_s[rows])
            cell.randomizer.begin(rows, sim.ctrl[rows], episodes)
        sim.forward(rows)
        cell.action.reset(s, rows)
        cell.task.measure(s)


def _bare(task: Task, readings: Sequence[str]) -> Task:
    """The task with the compared readings only, free of errors but as late and as rare as they are, and no rewards."""
    bare = copy.copy(task)
    bare.channels = tuple(
        dataclasses.replace(c, noise=0.0, bias=0.0, quantization=0.0, history=1)
        for c in task.channels
        if c.name in readings
    )
    bare.rewards = {}
    return bare


def compared_readings(task: Task, position: str = POSITION, velocity: str = VELOCITY) -> tuple[str, ...]:
    """The readings of a task that identification compares.

    Raises:
        ShopfloorError: if the task does not read joint positions.
    """
    names = [c.name for c in task.channels if c.group == POLICY]
    if position not in names:
        raise ShopfloorError(f"the environment has no reading {position!r}; identification needs joint positions")
    return (position, velocity) if velocity in names else (position,)


def joints_of(cell: BatchedCell) -> tuple[str, ...]:
    """The joints that an environment's action commands.

    Raises:
        ShopfloorError: if its action interface does not command joints.
    """
    joints = getattr(cell.action, "joints", None)
    if not joints or not hasattr(cell.s, "joint_reference"):
        raise ShopfloorError(
            f"the action interface {cell.action.name!r} does not command joints, so its logs cannot be replayed; "
            "identify with an environment of the same plant that does"
        )
    return tuple(joints)


def _position_servos(cell: BatchedCell, joints: Sequence[str]) -> list[tuple[int, int]]:
    """Joints whose actuator is a position servo: (place in the joints, actuator)."""
    out = []
    for place, actuator in enumerate(cell.sim.ids("actuator", joints).tolist()):
        if cell.model.actuator_biastype[actuator] == _AFFINE and cell.model.actuator_biasprm[actuator, 1] != 0.0:
            out.append((place, actuator))
    return out


def _padded(values: Array, ticks: int, fill: float) -> Array:
    """Values (t, ...) with `fill` behind them up to `ticks` entries."""
    out = np.full((ticks, *values.shape[1:]), fill)
    out[: len(values)] = values
    return out
