"""`ClusterCell`: n lots that are scheduled at once, with what the shells of the engine need of a cell.

It stands where `envs.engine.core.BatchedCell` stands for tasks of a fixed control rate: keyed seeds, start
distribution and randomization, rewards, episode ends and state are handled by the same parts in the same way. There
is no physics behind it; `sim` only poses the machine for pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from ....errors import ShopfloorError
from ...engine.core import RUNNING, SUCCESS, TIME_LIMIT, as_seeds
from ...engine.start import sample
from ...randomization import NOMINAL, Randomizer, choose
from ...randomness import KeyedRandom
from .bounds import SECONDS_PER_HOUR, lot_bound
from .channels import readings
from .layout import Array, Bools, Ints
from .pictures import Scene
from .simulator import TOLERANCE, ClusterSimulator
from .task import WAITS, ClusterTool
from .tool import Tool

Rows = NDArray[np.intp]


class Counters:
    """Arrays (n,) that name the episode of every row, and the last actions (n, 1)."""

    def __init__(self, n: int) -> None:
        self.seed, self.step = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.episode = np.full(n, -1, np.int64)
        self.action = np.zeros((n, 1), np.int64)


class ClusterCell:
    """n rows of `ClusterTool`. One step is one decision in every row, each at its own time.

    Actions are those of `ClusterSimulator`, followed by a rest of each of `WAITS`. After `reset` or `step` the arrays
    below describe the present; they are overwritten by the next call.

    Attributes:
        simulator: the event simulation; `tools` are the declarations of its rows.
        bound: (n,) bound on the lot time for mean process times, s.
        mask: (n, actions) which actions are allowed; all False where the lot is done.
        reward, reward_terms, success, terminated, truncated, reason, params, randomizer: see `BatchedCell`.
        sim: poses a model for pictures.
    """

    def __init__(self, task: ClusterTool, n: int, max_steps: int | None = None, randomization: object = None) -> None:
        task.check()
        if n < 1:
            raise ShopfloorError(f"num_envs must be at least 1, got {n}")
        self.task, self.n = task, n
        self.max_steps = task.max_steps if max_steps is None else max_steps
        self.s = Counters(n)
        self._random = KeyedRandom()
        self.randomization = choose(randomization, task.randomization)
        self.randomizer = self._make_randomizer()
        zero = np.zeros(1, np.int64)
        first = {k: np.repeat(v, n, axis=0) for k, v in sample(task.start, self._random, zero, zero).items()}
        self.params: dict[str, Array] = first
        self.tools: list[Tool] = [task.tool(first, k) for k in range(n)]
        self.simulator = ClusterSimulator(self.tools, task.shape)
        self.bound = np.array([lot_bound(tool) for tool in self.tools])
        self.num_actions = len(task.decisions)
        self.mask = np.zeros((n, self.num_actions), bool)
        self.sim = Scene(self.simulator)
        self.reasons = (RUNNING, SUCCESS, TIME_LIMIT, *task.failure_texts)
        self.reward = np.zeros(n)
        self.reward_terms = {k: np.zeros(n) for k in task.rewards}
        self.success, self.terminated, self.truncated = (np.zeros(n, bool) for _ in range(3))
        self.reason = np.zeros(n, np.int64)
        self.rejected = np.zeros(n, np.int64)
        self.refused = np.zeros(n, bool)
        self._all_rows = np.arange(n)
        self._low, self._high = (np.concatenate([c.bounds[i] for c in task.channels]) for i in (0, 1))

    def _make_randomizer(self) -> Randomizer | None:
        if self.randomization is None:
            return None
        strangers = [t.name for t in self.randomization.spec.terms if not t.effect.startswith("task.")]
        if strangers:
            raise ShopfloorError(
                f"term {strangers[0]!r} acts on physics, of which a schedule has none; "
                "ClusterTool takes terms with an effect task.<parameter>"
            )
        plant = _NoPlant(self.n)
        return Randomizer(
            self.randomization.spec,
            self.randomization.split,
            plant=plant,
            channels=(),
            control_hz=1.0,
            timestep=1.0,
            applied=(np.zeros((self.n, 0)), np.zeros((self.n, 1, 6))),
            process={t.name: t.size for t in self.task.start},
            pictures=lambda: plant.model,
        )

    # -- episodes ---------------------------------------------------------------------------------------------

    def reset(
        self,
        rows: Rows | None = None,
        seeds: NDArray[np.int64] | None = None,
        params: Mapping[str, Any] | None = None,
        randomization: Mapping[str, Any] | None = None,
        split: str | None = None,
    ) -> None:
        """Begin a lot in `rows` (None for all); arguments and errors as in `BatchedCell.reset`."""
        s, randomizer = self.s, self.randomizer
        rows = self._all_rows if rows is None else rows
        if seeds is not None:
            s.seed[rows] = as_seeds(seeds.tolist())
            s.episode[rows] = -1
        seeds, episodes = s.seed[rows], s.episode[rows] + 1
        sampled = sample(self.task.start, self._random, seeds, episodes, params)
        if randomizer is not None:
            drawn = randomizer.draw(seeds, episodes, randomization, split)
            randomizer.process(drawn, sampled, params or ())
            randomizer.apply(rows, seeds, episodes, drawn)
        elif randomization or split not in (None, NOMINAL):
            raise ShopfloorError("this ClusterTool declares no randomization")
        s.episode[rows], s.step[rows], s.action[rows] = episodes, 0, 0
        for name, values in sampled.items():
            self.params[name][rows] = values
        self._declare(rows)
        self.simulator.reset(rows, seeds, episodes)
        self.sim.reset(rows)
        for array in (self.reward, self.success, self.terminated, self.truncated, self.reason, self.rejected):
            array[rows] = 0
        self.refused[rows] = False
        for term in self.reward_terms.values():
            term[rows] = 0.0
        self._update_mask()

    def _declare(self, rows: Rows) -> None:
        for row in rows.tolist():
            self.tools[row] = self.task.tool(self.params, row)
            self.bound[row] = lot_bound(self.tools[row])
        self.simulator.declare(rows, [self.tools[row] for row in rows.tolist()])

    def setpoints(self, actions: NDArray[Any]) -> Ints:
        """Actions (n,) or (n, 1) as whole numbers (n, 1).

        Raises:
            ShopfloorError: if the shape is wrong or one is not the number of an action.
        """
        array = np.asarray(actions)
        if array.shape not in ((self.n,), (self.n, 1)):
            raise ShopfloorError(f"actions must have shape {(self.n,)}, got {array.shape}")
        array = array.reshape(self.n, 1)
        bad = np.argwhere(~((array >= 0) & (array < self.num_actions) & (array == np.floor(array))))
        if len(bad):
            row = int(bad[0, 0])
            raise ShopfloorError(
                f"the action of row {row} is {array[row, 0]}; "
                f"an action is a whole number from 0 to {self.num_actions - 1}"
            )
        return array.astype(np.int64)

    def encode(self, choice: Ints, until: Array) -> Ints:
        """Actions (n, 1) for decisions of a scheduler: of the simulator, with the latest end (n,) of a WAIT in s.

        The longest rest that does not go beyond the end is taken, the shortest one where all do.
        """
        wait = self.simulator.num_actions - 1
        left = until - self.simulator.state.time
        rest = np.maximum(np.searchsorted(np.array(WAITS), left + 1e-9, side="right") - 1, 0)
        return np.where((choice == wait) & (until < np.inf), wait + 1 + rest, choice)[:, None]

    def step(self, setpoints: Ints, rows: Rows | None = None) -> None:
        """Carry out one decision (n, 1) in each of `rows` (None for all).

        A masked action is rejected: a second passes, or less if a station becomes ready before.
        """
        s, sim = self.s, self.simulator
        state = sim.state
        resting = None
        deciding = np.ones(self.n, bool)
        if rows is not None:
            deciding[:] = False
            deciding[rows] = True
            resting = ~deciding
        s.action[...] = setpoints
        chosen = setpoints[:, 0]
        self.refused[...] = ~self.mask[self._all_rows, chosen] & deciding & ~sim.done
        self.rejected += self.refused
        before = state.time.copy(), state.delivered.copy(), state.violations.copy()
        chosen = np.where(self.refused, sim.num_actions, chosen)
        length = np.array([*(np.inf for _ in range(sim.num_actions)), *WAITS])[chosen]
        decisions = np.minimum(chosen, sim.num_actions - 1)
        self.sim.remember(deciding, decisions)
        sim.step(decisions, state.time + length, resting)
        s.step += deciding
        weights = {name: reward.weight for name, reward in self.task.rewards.items()}
        np.multiply(weights["progress"], (state.delivered - before[1]) / self.task.lot_size,
                    out=self.reward_terms["progress"])  # fmt: skip
        np.multiply(weights["time"], (state.time - before[0]) / self.bound, out=self.reward_terms["time"])
        np.multiply(weights["residency"], state.violations - before[2], out=self.reward_terms["residency"])
        self._finish_step()
        unfinished = np.where(self.truncated, 1.0 - state.delivered / self.task.lot_size, 0.0)
        np.multiply(weights["unfinished"], unfinished, out=self.reward_terms["unfinished"])
        self.reward[...] = 0.0
        for term in self.reward_terms.values():
            self.reward += term
        self._update_mask()

    def _finish_step(self) -> None:
        state, done = self.simulator.state, self.simulator.done
        missed = state.violations > 0
        slow = state.time > (1.0 + self.task.tolerance) * self.bound
        self.success[...] = done & ~missed & ~slow
        self.terminated[...] = done
        np.greater_equal(self.s.step, self.max_steps, out=self.truncated)
        self.truncated &= ~done
        self.reason[...] = np.select([~done & self.truncated, ~done, missed, slow], [2, 0, 3, 4], 1)

    def _update_mask(self) -> None:
        sim = self.simulator
        self.mask[:, : sim.num_actions] = sim.mask
        self.mask[:, sim.num_actions :] = ~sim.done[:, None]

    # -- what can be read -------------------------------------------------------------------------------------

    def observation(self) -> NDArray[np.float32]:
        """Readings (n, width), clipped to the ranges of the channels; a fresh array."""
        values = readings(self.simulator, self.bound)
        row = np.concatenate([values[c.name] for c in self.task.channels], axis=1)
        return np.clip(row, self._low, self._high).astype(np.float32)

    def metrics(self) -> dict[str, Array]:
        """All metrics of all rows now, name -> (n,), NaN where they have no meaning yet."""
        state, done = self.simulator.state, self.simulator.done
        hours = state.time / SECONDS_PER_HOUR
        some = hours > 0.0
        rate = np.divide(state.delivered, hours, out=np.full(self.n, np.nan), where=some)
        busy = np.divide(state.robot_busy, state.time, out=np.full(self.n, np.nan), where=some)
        return {
            "lot_time_ratio": np.where(done, state.time / self.bound, np.nan),
            "wafers_per_hour": rate,
            "residency_misses": state.violations.astype(np.float64),
            "scrapped": (self.simulator.overstays() > TOLERANCE).any(axis=2).sum(axis=1).astype(np.float64),
            "overstay": state.overstay.copy(),
            "cleans": state.cleans.astype(np.float64),
            "robot_utilization": busy,
            "rejected": self.rejected.astype(np.float64),
        }

    def violations(self) -> dict[str, Bools]:
        """Limits violated now, name -> (n,)."""
        state, tools = self.simulator.state, self.simulator.tools
        late: Bools = (state.module_wafer >= 0) & (state.time[:, None] - state.ready > tools.residency)
        return {"residency_window": np.asarray(late.any(axis=1)), "masked_action": self.refused}

    # -- state ------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Nothing is held that would have to be freed."""

    def get_state(self) -> dict[str, Any]:
        """Everything that the future depends on, as copies."""
        return {
            "rows": {k: v.copy() for k, v in vars(self.s).items()},
            "params": {k: v.copy() for k, v in self.params.items()},
            "simulator": self.simulator.save(),
            "picture": self.sim.get_state(),
            "results": {k: getattr(self, k).copy() for k in _RESULTS},
            "reward_terms": {k: v.copy() for k, v in self.reward_terms.items()},
            "randomizer": None if self.randomizer is None else self.randomizer.get_state(),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `get_state` returned, here or in another process.

        Raises:
            ShopfloorError: if the state was saved with another number of rows.
        """
        rows = len(state["rows"]["step"])
        if rows != self.n:
            raise ShopfloorError(f"the saved state has {rows} rows, this cell has {self.n}")
        for name, values in state["rows"].items():
            getattr(self.s, name)[...] = values
        for name, values in state["params"].items():
            self.params[name][...] = values
        self._declare(self._all_rows)
        self.simulator.restore(state["simulator"])
        self.sim.set_state(state["picture"])
        for name, values in state["results"].items():
            getattr(self, name)[...] = values
        for name, values in state["reward_terms"].items():
            self.reward_terms[name][...] = values
        if self.randomizer is not None and state["randomizer"] is not None:
            self.randomizer.set_state(state["randomizer"])
        self._update_mask()

    def render_model(self) -> mujoco.MjModel:
        """The machine with its looks."""
        return self.task.cell(visual=True).compile()


_RESULTS = ("reward", "success", "terminated", "truncated", "reason", "rejected", "refused")


class _NoPlant:
    """A plant for `Randomizer` in which there is nothing to change: the machine's figures are task parameters."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.model = mujoco.MjSpec().compile()

    def field(self, name: str) -> Array:
        """There are no model fields of rows."""
        raise ShopfloorError(f"a schedule has no model field {name!r}")

    def stale(self, rows: Rows) -> None:
        """Nothing is derived from a model."""
