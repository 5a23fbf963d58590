"""`BatchedCell`: the one implementation of stepping and resetting, for n rows and without a Gymnasium type in sight.

`CellVectorEnv` and `CellEnv` are shells around it, and so is the twin that a deployed policy runs against.
"""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...assets import shapes
from ...errors import ShopfloorError
from ..randomization import NOMINAL, Episodes, Randomizer, choose, loosen_bodies
from ..randomization.sensor_errors import ChannelPlace
from ..randomness import MAX_SEED, KeyedRandom
from ..sensing import POLICY, PRIVILEGED, RGBD, SensorSuite
from ..sensing.camera import picture_size
from .samples import sample_channel
from .simulation import Simulation, compile_physics
from .start import sample
from .task import Array, RowIndex, Rows, Task

if TYPE_CHECKING:
    from .cameras import CameraSuite

RUNNING, SUCCESS, TIME_LIMIT, PHYSICS_ERROR = "", "success", "time_limit", "physics_error"


def as_seeds(seeds: Iterable[Any]) -> NDArray[np.int64]:
    """Seeds as an array.

    Raises:
        ShopfloorError: if one is not a whole number that fits.
    """
    values = list(seeds)
    for seed in values:
        if not isinstance(seed, (int, np.integer)) or not 0 <= seed <= MAX_SEED:
            raise ShopfloorError(f"a seed must be a whole number in [0, {MAX_SEED}], got {seed!r}")
    return np.array(values, dtype=np.int64)


class Forced(NamedTuple):
    """What a reset is told about its episodes instead of drawing it, for `BatchedCell.reset`."""

    params: Mapping[str, Any] | None = None
    randomization: Mapping[str, Any] | None = None
    split: str | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any] | None, *others: str) -> Forced:
        """From the options of Gymnasium's reset; `others` are options that the caller takes itself.

        Raises:
            ShopfloorError: if an option is unknown.
        """
        options = dict(options or {})
        forced = cls(options.pop("task_params", None), options.pop("randomization", None), options.pop("split", None))
        unknown = [k for k in options if k not in others]
        if unknown:
            known = ", ".join(("task_params", "randomization", "split", *others))
            raise ShopfloorError(f"unknown reset option {unknown[0]!r}; this environment takes {known}")
        return forced


class BatchedCell:
    """n rows of one task: physics, actions, sensors, rewards, episode ends.

    The cell works on its own copy of the task, which may therefore serve several cells. `max_steps` is the time limit
    in control steps, by default the task's. `randomization` is what `randomization.choose` takes; None is nominal.
    Readings are taken of the policy's channels and of the groups `observed`; the pictures of "rgbd" have `camera_size`
    pixels, a side or width and height.

    After `reset` or `step` the arrays below describe the present; they are overwritten by the next call.

    Attributes:
        s: all row arrays.
        reward: (n,) float64; `reward_terms` holds the weighted terms, which sum to it.
        success: (n,) whether the success condition has held for its hold time.
        terminated, truncated: (n,) bool.
        reason: (n,) index into `reasons`.
        params: the sample of the start distribution of every row.
        randomization: the spec and split in use, None for a task without.
        randomizer: applies it, None for a task without.
        cameras: what takes pictures, None where they are not observed.
    """

    def __init__(
        self,
        task: Task,
        n: int,
        threads: int | None = None,
        dump_dir: str | os.PathLike[str] | None = None,
        max_steps: int | None = None,
        randomization: object = None,
        observed: str | Sequence[str] = (POLICY, PRIVILEGED),
        camera_size: int | tuple[int, int] = 64,
    ):
        task.check()
        # `allocate` leaves views of this cell's physics in the task, which a second cell would replace
        self.task = task = copy.copy(task)
        self.n = n
        self.timing = task.timing
        self.max_steps = task.timing.max_steps if max_steps is None else max_steps
        self.randomization = choose(randomization, task.randomization)
        self.model = self._compile()
        if abs(self.model.opt.timestep - task.timing.timestep_s) > 1e-12:
            raise ShopfloorError(
                f"the cell's timestep is {self.model.opt.timestep} s, the task declares {task.timing.timestep_s} s"
            )
        self.sim = Simulation(self.model, n, threads, dump_dir)
        self.s = Rows(n, self.sim, task.timing)
        self.action = task.make_action()
        self.terms = self.action.terms
        self.action_low = np.array([t.low for t in self.terms])
        self.action_high = np.array([t.high for t in self.terms])
        self._center = 0.5 * (self.action_high + self.action_low)
        self._half = 0.5 * (self.action_high - self.action_low)
        self.s.new("action", (len(self.terms),))
        task.allocate(self.s)
        self.action.bind(self.s)
        self.randomizer = self._make_randomizer()
        self.sensors = {g: self._suite(g) for g in (POLICY, PRIVILEGED)}
        groups = {POLICY, *((observed,) if isinstance(observed, str) else observed)}
        self._observed = [suite for g, suite in self.sensors.items() if g in groups and suite is not None]
        self._process_state = [(name, self._row_array(name)) for name in task.process_state]
        self._reward_functions = [(k, r.weight, self._quantity("reward", k)) for k, r in task.rewards.items()]
        self._metric_functions = [(k, self._quantity("metric", k)) for k in task.metrics]
        self.reasons = (RUNNING, SUCCESS, TIME_LIMIT, PHYSICS_ERROR, *task.failure_texts)
        self._random = KeyedRandom()
        self._hold_steps = max(1, round(task.success_hold_s * task.timing.control_hz))
        self._held = self.s.new("success_held_steps", dtype=np.int64)
        self._all_rows = np.arange(n)
        self.reward = np.zeros(n)
        self.reward_terms = {k: np.zeros(n) for k in task.rewards}
        self.success = np.zeros(n, dtype=bool)
        self.terminated = np.zeros(n, dtype=bool)
        self.truncated = np.zeros(n, dtype=bool)
        self.reason = np.zeros(n, dtype=np.int64)
        self.params: dict[str, Array] = {
            t.name: np.zeros(n) if t.size == 1 else np.zeros((n, t.size)) for t in task.start
        }
        size = picture_size(camera_size)
        self.cameras = self._camera_suite(size) if RGBD in groups else None

    def _camera_suite(self, size: tuple[int, int]) -> CameraSuite | None:
        """What takes pictures, None for a task without cameras.

        Made now and not with the first picture, so that a machine without OpenGL says so when the environment is made;
        and imported here, since nothing else of a cell knows OpenGL.
        """
        from .cameras import CameraSuite

        return None if self.task.rgbd is None else CameraSuite(self, self.task.rgbd, size)

    def _compile(self) -> mujoco.MjModel:
        spec = self.task.cell(visual=False)
        model = compile_physics(spec)
        if self.randomization is not None and loosen_bodies(spec, model, self.randomization.spec.terms):
            model = compile_physics(spec)
        return model

    def _make_randomizer(self) -> Randomizer | None:
        if self.randomization is None:
            return None
        places, start = [], 0
        for channel in self.task.channels:
            if channel.group == POLICY:
                places.append(ChannelPlace(channel.name, start, channel.size))
                start += channel.size
        return Randomizer(
            self.randomization.spec,
            self.randomization.split,
            plant=self.sim,
            channels=places,
            control_hz=self.timing.control_hz,
            timestep=self.timing.timestep_s,
            applied=(self.sim.batch.bind("qfrc_applied"), self.sim.batch.bind("xfrc_applied")),
            process={t.name: t.size for t in self.task.start},
            pictures=lambda: self.task.cell(visual=True).compile(),
        )

    def _suite(self, group: str) -> SensorSuite | None:
        channels = [c for c in self.task.channels if c.group == group]
        functions = [self._quantity("observe", c.name) for c in channels]
        if group == PRIVILEGED and self.randomizer is not None and self.randomizer.width:
            channels.append(sample_channel(self.randomizer))
            functions.append(self.randomizer.normalized)
        if not channels:
            return None
        errors = self.randomizer.sensors if group == POLICY and self.randomizer is not None else None
        return SensorSuite(channels, functions, self.n, self.timing.control_hz, errors)

    def _row_array(self, name: str) -> Array:
        if name not in self.s:
            raise ShopfloorError(f"{type(self.task).__name__} names {name!r} in process_state, which is no row array")
        array: Array = getattr(self.s, name)
        return array

    def _quantity(self, prefix: str, name: str) -> Callable[[], Array]:
        """The function behind a declared name: the task's method, or else the row array of that name."""
        s, method = self.s, getattr(self.task, f"{prefix}_{name}", None)
        if method is not None:
            return functools.partial(method, s)
        if name not in s:
            raise ShopfloorError(
                f"{type(self.task).__name__} declares {name!r} but has neither a method {prefix}_{name} nor a row "
                f"array {name!r}"
            )
        array: Array = getattr(s, name)
        column = array[:, None] if prefix == "observe" and array.ndim == 1 else array
        return lambda: column

    # -- episodes ---------------------------------------------------------------------------------------------

    def reset(
        self,
        rows: RowIndex | None = None,
        seeds: NDArray[np.int64] | None = None,
        params: Mapping[str, Any] | None = None,
        randomization: Mapping[str, Any] | None = None,
        split: str | None = None,
    ) -> None:
        """Begin an episode in `rows` (None for all).

        Args:
            rows: sorted row indices.
            seeds: (k,) new seeds, which restart episode numbers at 0; None continues with each row's next episode.
            params: forced values of the start distribution, for all of these rows.
            randomization: forced values of randomization terms, for all of these rows.
            split: where the other terms are drawn from; None for the cell's split.

        Raises:
            ShopfloorError: if a forced value or the split is not one that the task has; nothing has changed then.
        """
        s, randomizer = self.s, self.randomizer
        rows = self._all_rows if rows is None else rows
        if seeds is not None:
            s.seed[rows] = as_seeds(seeds.tolist())
            s.episode[rows] = -1
        # sampled before anything changes, so that a bad forced value leaves the rows as they were
        seeds, episodes = s.seed[rows], s.episode[rows] + 1
        sampled = sample(self.task.start, self._random, seeds, episodes, params)
        drawn = None
        if randomizer is not None:
            drawn = randomizer.draw(seeds, episodes, randomization, split)
            randomizer.process(drawn, sampled, params or ())
        elif randomization or split not in (None, NOMINAL):
            raise ShopfloorError(f"{type(self.task).__name__} declares no randomization")
        s.episode[rows] = episodes
        s.step[rows] = 0
        s.time_s[rows] = 0.0
        s.action[rows] = 0.0
        self._held[rows] = 0
        for name, values in sampled.items():
            self.params[name][rows] = values
        self.sim.reset(rows)
        written = None
        if randomizer is not None and drawn is not None:
            randomizer.apply(rows, seeds, episodes, drawn)
            written = randomizer.watch(rows)
        self.task.begin(s, rows, sampled)
        if randomizer is not None:
            randomizer.check(rows, written)
            randomizer.begin(rows, self.sim.ctrl[rows], self._episodes(rows))
            self._engage()
        self.sim.forward(rows)
        self.action.reset(s, rows)
        self.task.measure(s)
        self.task.commence(s, rows)
        for suite in self._observed:
            suite.reset(rows, s.seed[rows], s.episode[rows])
        if self.cameras is not None:
            self.cameras.reset(rows, s.seed, s.episode)
        for array in (self.reward, self.success, self.terminated, self.truncated, self.reason):
            array[rows] = 0
        for term in self.reward_terms.values():
            term[rows] = 0.0

    def _episodes(self, rows: RowIndex | None) -> Episodes:
        s = self.s
        if rows is None:
            return Episodes(self._all_rows, s.seed, s.episode, s.step, s.time_s)
        return Episodes(rows, s.seed[rows], s.episode[rows], s.step[rows], s.time_s[rows])

    def _engage(self) -> None:
        """Let the randomizer into commands and readings once it has something to do there."""
        randomizer = self.randomizer
        if randomizer is None or not randomizer.engaged:
            return
        if self.sim.drive is None and randomizer.commands.terms:
            self.sim.drive = lambda commands, rows: randomizer.drive(commands, self._episodes(rows))

    def setpoints(self, actions: NDArray[Any]) -> Array:
        """Set-points (n, size) in the interface's units, from actions in [-1, 1]; values outside are clipped.

        Raises:
            ShopfloorError: if the shape is wrong or a value is not finite.
        """
        array = np.asarray(actions, dtype=np.float64)
        if array.shape != (self.n, len(self.terms)):
            raise ShopfloorError(f"actions must have shape {(self.n, len(self.terms))}, got {array.shape}")
        self._reject_non_finite(array)
        return self._center + self._half * np.minimum(np.maximum(array, -1.0), 1.0)

    def actions(self, setpoints: Array) -> Array:
        """Actions (n, size) in [-1, 1] whose set-points are `setpoints`, or the nearest within their ranges."""
        array: Array = (setpoints - self._center) / self._half
        return np.minimum(np.maximum(array, -1.0), 1.0)

    def _reject_non_finite(self, array: Array) -> None:
        if not np.isfinite(array).all():
            row, column = (int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise ShopfloorError(
                f"action component {self.terms[column].name!r} of row {row} is {array[row, column]}; "
                "every action must be a finite number"
            )

    def step(self, setpoints: Array, rows: RowIndex | None = None) -> None:
        """Advance `rows` (None for all) one control step under set-points (n, size) in the interface's units.

        Raises:
            ShopfloorError: if the shape is wrong or a set-point is not finite.
        """
        s, task = self.s, self.task
        if setpoints.shape != (self.n, len(self.terms)):
            raise ShopfloorError(f"set-points must have shape {(self.n, len(self.terms))}, got {setpoints.shape}")
        self._reject_non_finite(setpoints)
        setpoints = np.minimum(np.maximum(setpoints, self.action_low), self.action_high)
        s.action[...] = setpoints
        if self.randomizer is not None and self.randomizer.engaged:
            changed = self.randomizer.before_step(self._episodes(rows))
            if changed.size:
                self.sim.forward(changed)
        self.action.apply(s, setpoints, rows)
        s.step += 1
        np.multiply(s.step, self.timing.control_dt, out=s.time_s)
        task.measure(s)
        task.accumulate(s)
        self._watch_process()
        self.reward[...] = 0.0
        for name, weight, function in self._reward_functions:
            term = self.reward_terms[name]
            np.multiply(function(), weight, out=term)
            self.reward += term
        self._finish_step()
        for suite in self._observed:
            self._update(suite)
        if self.cameras is not None:
            seen = self._all_rows if rows is None else rows
            self.cameras.update(seen[~self.sim.failed[seen]], s.seed, s.episode, s.step)

    def _watch_process(self) -> None:
        """Let rows fail whose process is not finite any more; MuJoCo watches its own state only."""
        for name, array in self._process_state:
            # one reduction finds any non-finite number, since a sum that meets NaN or inf stays non-finite
            if not np.isfinite(array.sum()):
                sound = np.isfinite(array.reshape(self.n, -1)).all(axis=1)
                self.sim.fail(np.flatnonzero(~sound), f"the process failed: {name} is not finite", {name: array})

    def _update(self, suite: SensorSuite) -> None:
        """New readings, except in rows whose physics failed: what they have measured since may be anything."""
        s = self.s
        if not self.sim.failed.any():
            suite.update(slice(None), s.seed, s.episode, s.step)
        elif (rows := np.flatnonzero(~self.sim.failed)).size:
            suite.update(rows, s.seed[rows], s.episode[rows], s.step[rows])

    def _finish_step(self) -> None:
        s, task = self.s, self.task
        holds = task.succeeded(s)
        self._held += 1
        self._held *= holds
        np.greater_equal(self._held, self._hold_steps, out=self.success)
        self.reason[...] = 0
        if task.terminate_on_success:
            self.terminated[...] = self.success
            self.reason[self.success] = 1
        else:
            self.terminated[...] = False
        np.greater_equal(s.step, self.max_steps, out=self.truncated)
        for index, (name, mask) in enumerate(task.failures(s).items(), start=4):
            if self.reasons[index] != name:
                raise ShopfloorError(f"failures() returned {name!r} where failure_texts has {self.reasons[index]!r}")
            if mask.any():
                self._fail(mask, index)
        if self.sim.failed.any():
            self._fail(self.sim.failed, 3)
        self.truncated &= ~self.terminated
        if self.truncated.any():
            self.reason[self.truncated & (self.reason == 0)] = 2

    def _fail(self, mask: NDArray[np.bool_], index: int) -> None:
        self.terminated |= mask
        self.success &= ~mask
        self.reason[mask] = index
        if index == 3:  # rewards of a row whose physics failed mean nothing
            self.reward[mask] = 0.0
            for term in self.reward_terms.values():
                term[mask] = 0.0

    # -- what can be read -------------------------------------------------------------------------------------

    def observation(self, group: str = POLICY) -> NDArray[np.float32]:
        """Observation vector (n, width) of a group; a fresh array."""
        suite = self.sensors[group]
        if suite is None:
            raise ShopfloorError(f"{type(self.task).__name__} has no channels in group {group!r}")
        self._check_observed(suite, group)
        return suite.vector()

    def _check_observed(self, suite: SensorSuite, group: str) -> None:
        if suite not in self._observed:
            raise ShopfloorError(f"the group {group!r} is not observed here; name it in `observation`")

    def readings(self, group: str = POLICY) -> dict[str, Array]:
        """Newest readings of a group, name -> (n, size), copied."""
        suite = self.sensors[group]
        if suite is None:
            return {}
        self._check_observed(suite, group)
        return {c.name: suite.readings[:, part].copy() for c, part in zip(suite.channels, suite._slices, strict=True)}

    def metrics(self) -> dict[str, Array]:
        """All metrics of all rows now, name -> (n,), fresh arrays."""
        return {name: np.array(function(), dtype=np.float64) for name, function in self._metric_functions}

    def violations(self) -> dict[str, NDArray[np.bool_]]:
        """Limits violated now, name -> (n,)."""
        return self.task.violations(self.s)

    # -- state ------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Everything that the future depends on, as copies: physics, row arrays, sensors, episode ends."""
        return {
            "simulation": self.sim.get_state(),
            "rows": self.s.get_state(),
            "sensors": {k: v.get_state() for k, v in self.sensors.items() if v is not None},
            "params": {k: v.copy() for k, v in self.params.items()},
            "results": {k: getattr(self, k).copy() for k in _RESULTS},
            "reward_terms": {k: v.copy() for k, v in self.reward_terms.items()},
            "randomizer": None if self.randomizer is None else self.randomizer.get_state(),
            "cameras": None if self.cameras is None else self.cameras.get_state(),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `get_state` returned, here or in another process.

        Raises:
            ShopfloorError: if the state was saved with another number of rows.
        """
        rows = len(state["rows"]["step"])
        if rows != self.n:
            raise ShopfloorError(f"the saved state has {rows} rows, this cell has {self.n}")
        self.s.set_state(state["rows"])
        self.sim.set_state(state["simulation"])
        for name, values in state["sensors"].items():
            suite = self.sensors[name]
            if suite is not None:
                suite.set_state(values)
        for name, values in state["params"].items():
            self.params[name][...] = values
        for name, values in state["results"].items():
            getattr(self, name)[...] = values
        for name, values in state["reward_terms"].items():
            self.reward_terms[name][...] = values
        if self.randomizer is not None and state["randomizer"] is not None:
            self.randomizer.set_state(state["randomizer"])
            self._engage()
        self.task.measure(self.s)
        if self.cameras is not None:
            self._set_pictures(state.get("cameras"))

    def _set_pictures(self, state: dict[str, NDArray[Any]] | None) -> None:
        assert self.cameras is not None
        if state is None:  # saved without cameras: these begin now
            self.cameras.reset(self._all_rows, self.s.seed, self.s.episode)
        else:
            self.cameras.set_state(state)

    def close(self) -> None:
        """Free what cameras hold; a cell without needs no closing."""
        if self.cameras is not None:
            self.cameras.close()

    def render_model(self, detail: float = 1.0) -> mujoco.MjModel:
        """The cell with visual geometry, of the same state layout as the physics model.

        Args:
            detail: share of the facets that round shapes have.

        Raises:
            ShopfloorError: if the two models differ in layout.
        """
        with shapes.detail(detail):
            model = self.task.cell(visual=True).compile()
        for size in ("nq", "nv", "nu", "na", "nbody", "njnt", "nsite", "nsensor"):
            ours, theirs = getattr(self.model, size), getattr(model, size)
            if ours != theirs:
                raise ShopfloorError(f"the cell's visual model has {size}={theirs}, its physics model {ours}")
        return model


_RESULTS = ("reward", "success", "terminated", "truncated", "reason")
