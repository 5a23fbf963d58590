"""The raw bound: what MuJoCo alone does with the same physics model, the same motions and no Python in the loop.

An environment's speed in steps per second says more about the machine than about the environment. Divided by the speed
at which the same thread count runs the same `mj_step` calls in C, it says what the environment costs beside physics.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from ..envs.engine.vector_env import CellVectorEnv
from .load import Actions, staggered

Array = NDArray[np.float64]
WINDOW = 10  # control steps that are recorded and replayed
ROWS = 64  # simulations of the bound; its speed a simulation is the same from one to hundreds


@dataclass(frozen=True)
class Workload:
    """Motions recorded in a running environment.

    Attributes:
        model: the physics model.
        state: (rows, nstate) at the beginning.
        controls: (rows, steps, nu), one for each physics step.
        fields: model fields that differ from row to row.
        substeps: physics steps a control step.
    """

    model: mujoco.MjModel
    state: Array
    controls: Array
    fields: dict[str, Array]
    substeps: int


def record(env: CellVectorEnv) -> Workload:
    """Run an environment into its steady state and record `WINDOW` control steps of it."""
    actions = Actions(env.action_space)
    staggered(env, actions)
    sim = env.cell.sim
    state = sim.batch.state.copy()
    fields = {name: values.copy() for name, values in sim.get_state()["fields"].items()}
    recorded: list[Array] = []
    follow = sim.follow

    def listen(controls: Array, rows: NDArray[np.intp] | None = None, record: bool = False) -> Array | None:
        recorded.append(controls.copy())
        return follow(controls, rows, record)

    fresh = np.zeros(env.num_envs, dtype=bool)
    sim.follow = listen
    try:
        for _ in range(WINDOW):
            _, _, terminated, truncated, _ = env.step(actions())
            if recorded and fresh.any():
                # a row that has begun anew would be wrenched to its new start: it stays where it was
                recorded[-1][fresh] = recorded[-2][fresh][:, -1:]
            fresh |= terminated | truncated
    finally:
        del sim.follow
    substeps = env.cell.timing.substeps
    if not recorded:  # a task of a process alone: the bound is what the same time of its idle model would cost
        recorded = [np.zeros((env.num_envs, WINDOW * substeps, env.cell.model.nu))]
    controls = np.ascontiguousarray(np.concatenate(recorded, axis=1))
    return Workload(env.cell.model, state, controls, fields, substeps)


class RawBound:
    """Runs a workload as fast as MuJoCo can, in two ways: `mujoco.batch`'s pool in C, and threads that call `mj_step`.

    Args:
        workload: what to run.
        threads: number of threads of the bound; one thread is measured beside it.

    Attributes:
        way: which of the two is the faster one here, and therefore the bound.
        best: the highest rate reached with all threads.
    """

    def __init__(self, workload: Workload, threads: int):
        self.workload = workload
        self.threads = threads
        self.env_steps = workload.state.shape[0] * WINDOW
        self._batches = {t: self._batch(t) for t in {1, threads}}
        self._pool = ThreadPoolExecutor(threads)
        self._data = [mujoco.MjData(workload.model) for _ in range(workload.state.shape[0])]
        ways: list[Callable[[int], float]] = [self._by_batch]
        if not workload.fields:  # one shared model is all that this way knows
            ways.append(self._by_threads)
        trials = {way: max(way(threads) for _ in range(5)) for way in ways}
        self.best = 0.0
        self._way = max(trials, key=lambda way: trials[way])
        self.way = self._way.__name__.removeprefix("_by_")

    def rate(self, threads: int, seconds: float) -> float:
        """Control steps of physics a second, over at least `seconds`."""
        rates = [self._way(threads)]
        spent = self.env_steps / rates[0]
        while spent < seconds:
            rates.append(self._way(threads))
            spent += self.env_steps / rates[-1]
        rate = len(rates) * self.env_steps / spent
        if threads == self.threads:
            self.best = max(self.best, rate)
        return rate

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown()

    def _batch(self, threads: int) -> Batch:
        batch = Batch(self.workload.model, self.workload.state.shape[0], threads, persistent=True)
        for name, values in self.workload.fields.items():
            batch.expand(name)[...] = values
        if self.workload.fields:
            batch.set_const()
        return batch

    def _by_batch(self, threads: int) -> float:
        batch, controls = self._batches[threads], self.workload.controls
        batch.state[...] = self.workload.state
        begin = time.perf_counter()
        batch.rollout(controls.shape[1], controls, record=())
        return self.env_steps / (time.perf_counter() - begin)

    def _by_threads(self, threads: int) -> float:
        work = self.workload
        for row, data in enumerate(self._data):
            mujoco.mj_setState(work.model, data, work.state[row], mujoco.mjtState.mjSTATE_INTEGRATION)
            data.ctrl[:] = work.controls[row, -1]

        def run(share: list[mujoco.MjData]) -> None:
            for data in share:
                mujoco.mj_step(work.model, data, work.controls.shape[1])  # releases the interpreter lock

        shares = [self._data[k::threads] for k in range(threads)]
        begin = time.perf_counter()
        list(self._pool.map(run, shares))
        return self.env_steps / (time.perf_counter() - begin)
