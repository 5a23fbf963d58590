"""The randomizer: one spec on one batch of simulations, from the sample of an episode to what it changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from .catalogue import ACTUATION, DISTURBANCE, MODEL, PROCESS, SENSING, SET, VISUAL
from .command_path import CommandPath
from .distributions import Distribution
from .disturbance import Disturbances
from .drawn import Curriculum, Drawn, Episodes
from .dynamic import DynamicValues
from .model_effects import ModelEffects, Plant
from .sampler import BLOCK, KEPT_BLOCKS, Sampler
from .sensor_errors import ChannelPlace, SensorErrors
from .spec import CORNERS, NOMINAL, OOD_FAR, OOD_NEAR, SPLITS, STRUCTURAL, TRAIN, Spec, Term, operate
from .visual import Visuals

Array = NDArray[np.float64]
Rows = NDArray[np.intp]


MOST_PREPARED = 4  # rows; more at once are cheaper drawn together


class Randomizer:
    """Randomizes n rows.

    A row whose values are all nominal is touched by nothing; as long as all rows are, the hooks into stepping and
    sensing stay out and the environment is bit for bit the one without randomization.

    Args:
        spec: the spec.
        split: the split of episodes for which `draw` is told none.
        plant: the simulations.
        channels: the channels of the policy, in order.
        control_hz, timestep: rates.
        applied: live views of the applied forces, (n, nv) on joints and (n, nbody, 6) on bodies.
        process: size of each parameter of the task's start distribution, by name.
        pictures: compiles the model that pictures are drawn from; called if a term acts on looks.

    Attributes:
        values: term -> (n, size), the values in force.
        split: (n,) index into `SPLITS`.
        rejected: (n,) infeasible draws before the present sample.
        component_names: term -> a name for each of its components; `width` counts them all.
        engaged: whether any row has ever been randomized.
    """

    def __init__(
        self,
        spec: Spec,
        split: str,
        plant: Plant,
        channels: Sequence[ChannelPlace],
        control_hz: float,
        timestep: float,
        applied: tuple[Array, Array],
        process: Mapping[str, int],
        pictures: Callable[[], mujoco.MjModel],
    ):
        self.spec = spec
        self.default_split = _checked_split(split)
        self.curriculum: Curriculum | None = None
        self._plant = plant
        self._control_hz = control_hz
        of = {f: [t for t in spec.terms if t.info.family == f] for f in (PROCESS, DISTURBANCE, SENSING, VISUAL)}
        of[MODEL] = [t for t in spec.terms if t.info.family == MODEL or t.effect in _ACTUATOR_FIELDS]
        of[ACTUATION] = [t for t in spec.terms if t.effect.startswith("command.")]
        self._of = of
        self.model = ModelEffects(plant, of[MODEL])
        self._slowest = {e: _largest(spec, e) for e in ("command.delay", "sensor.latency")}
        self.commands = CommandPath(plant.model, of[ACTUATION], plant.n, timestep, self._slowest["command.delay"])
        self.sensors = SensorErrors(channels, of[SENSING], plant.n, control_hz, self._slowest["sensor.latency"])
        self.disturbances = Disturbances(plant.model, of[DISTURBANCE], *applied)
        self._looks = Visuals(pictures(), of[VISUAL]) if of[VISUAL] else None
        self._seen = self._looks.bound if self._looks is not None else []
        self._process = {t.name: t.effect.removeprefix("task.") for t in of[PROCESS]}
        self.component_names = self._component_names(process)
        self.sampler = Sampler(spec, {k: len(v) for k, v in self.component_names.items()})
        self.dynamic = {
            t.name: DynamicValues(t, plant.n, len(self.component_names[t.name])) for t in spec.terms if t.dynamic
        }
        self._nominal = {t.name: self._nominal_of(t) for t in spec.terms}
        self._nominal_row = np.concatenate([np.zeros(0), *self._nominal.values()])
        self._term_of = np.repeat(np.arange(len(spec.terms)), [len(v) for v in self._nominal.values()]).astype(np.intp)
        self._flat = np.tile(self._nominal_row, (plant.n, 1))
        self._on = np.zeros((plant.n, len(spec.terms)), dtype=bool)
        self.values, self._active = self._views(self._flat, self._on)
        self.split = np.zeros(plant.n, dtype=np.int64)
        self.rejected = np.zeros(plant.n, dtype=np.int64)
        self.engaged = False
        self.told: dict[str, NDArray[Any]] | None = None  # what `info` says of the values, until one changes
        self._pushing_terms = [i for i, t in enumerate(spec.terms) if t.info.family == DISTURBANCE]
        self._pushing = False  # whether a force may still be applied
        self._moving = False  # whether a row has a term that changes within its episode
        model_terms = [b.term for b in self.model.bound]
        self._preparable = (
            bool(model_terms) and self.sampler.independent and not any(t.dynamic or t.structural for t in model_terms)
        )
        self._rehearsed: OrderedDict[tuple[str, int, int], dict[str, Array]] = OrderedDict()
        self._modelled = {b.term.name for b in self.model.bound}
        self._checked_clash = not self.model.bound
        self.width = self.sampler.width
        self._scales = _Scales([spec.terms[i].distribution for i in self._term_of.tolist()])
        self._normalized = self._scales.normalized(self._flat)

    # -- names and nominal values -----------------------------------------------------------------------------

    def _component_names(self, process: Mapping[str, int]) -> dict[str, list[str]]:
        bound = {b.term.name: list(b.names) for b in (*self.model.bound, *self._seen)}
        out: dict[str, list[str]] = {}
        for term in self.spec.terms:
            family = term.info.family
            if term.name in bound:
                out[term.name] = bound[term.name]
            elif family == ACTUATION:
                out[term.name] = self.commands.names_of(term)
            elif family == SENSING:
                out[term.name] = self.sensors.names_of(term)
            elif family == DISTURBANCE:
                out[term.name] = self.disturbances.names_of(term)
            else:
                out[term.name] = self._process_names(term, process)
        return out

    def _process_names(self, term: Term, process: Mapping[str, int]) -> list[str]:
        name = self._process[term.name]
        if name not in process:
            raise ShopfloorError(
                f"term {term.name!r}: the task has no parameter {name!r}; it has: {', '.join(process) or 'none'}"
            )
        return [name] if term.shared or process[name] == 1 else [f"{name}[{i}]" for i in range(process[name])]

    def _nominal_of(self, term: Term) -> Array:
        for bound in (*self.model.bound, *self._seen):
            if bound.term.name == term.name:
                return bound.nominal
        known = np.nan if term.nominal is None else term.nominal
        return np.full(len(self.component_names[term.name]), known)

    # -- the beginning of an episode --------------------------------------------------------------------------

    def draw(
        self,
        seeds: NDArray[np.int64],
        episodes: NDArray[np.int64],
        forced: Mapping[str, Any] | None = None,
        split: str | None = None,
    ) -> Drawn:
        """Values of episodes; changes nothing.

        Args:
            seeds, episodes: (k,) keys of the draws.
            forced: values by term that replace draws in all of them.
            split: the split; None for the default one.

        Raises:
            ShopfloorError: if a forced term or value, or the split, is unknown or impossible.
        """
        split = self.default_split if split is None else _checked_split(split)
        held = self._check_forced(forced)
        count = len(seeds)
        flat, on = np.tile(self._nominal_row, (count, 1)), np.zeros((count, len(self.spec.terms)), dtype=bool)
        rejected = np.zeros(count, dtype=np.int64)
        distributions: list[Mapping[str, Distribution]] = [{}] * count
        if split != NOMINAL:
            keys = list(zip(seeds.tolist(), episodes.tolist(), strict=True))
            chosen: list[Mapping[str, Distribution]] = [{}] * count
            if split == TRAIN and self.curriculum is not None:
                chosen = [self.curriculum.distributions(*key) for key in keys]
            drawn = self.sampler.rows(split, seeds, episodes, chosen)
            on, rejected = drawn.active, drawn.rejected
            flat = np.where(on[:, self._term_of], drawn.values, flat)
            if self.dynamic:
                distributions = [self._dynamic_distributions(split, *key, chosen[k]) for k, key in enumerate(keys)]
        values, active = self._views(flat, on)
        for name, value in held.items():
            values[name][:] = value
            active[name][:] = True
        return Drawn(flat, on, values, active, set(held), distributions, rejected, split)

    def _views(self, flat: Array, on: NDArray[np.bool_]) -> tuple[dict[str, Array], dict[str, NDArray[np.bool_]]]:
        """Rows of all components and of all terms, by term."""
        slices = self.sampler.slices
        return {k: flat[:, part] for k, part in slices.items()}, {k: on[:, i] for i, k in enumerate(slices)}

    def _dynamic_distributions(
        self, split: str, seed: int, episode: int, chosen: Mapping[str, Distribution]
    ) -> dict[str, Distribution]:
        if split == CORNERS:  # a corner holds its value
            return {}
        known = {**self.sampler.plan(split).distributions, **chosen}
        if split == STRUCTURAL and self.spec.structural:
            others = set(self.spec.structural) - {self.sampler.structural_term(seed, episode)}
            known = {k: v for k, v in known.items() if k not in others}
        return {name: known[name] for name in self.dynamic if name in known}

    def _check_forced(self, forced: Mapping[str, Any] | None) -> dict[str, Array]:
        if forced is not None and not isinstance(forced, Mapping):
            raise ShopfloorError(f"randomization must be a dictionary of values by term, got {forced!r}")
        out = {}
        for name, value in (forced or {}).items():
            term = self.spec.term(name)
            size = len(self.component_names[name])
            try:
                array = np.atleast_1d(np.asarray(value, dtype=np.float64))
            except (TypeError, ValueError):
                array = np.array([])
            if array.shape not in ((1,), (size,)) or not np.isfinite(array).all():
                raise ShopfloorError(f"randomization {name!r} takes a finite number or {size} of them, got {value!r}")
            assert term.limits is not None
            if (array < term.limits[0]).any() or (array > term.limits[1]).any():
                raise ShopfloorError(f"randomization {name!r} must lie in {list(term.limits)}, got {array.tolist()}")
            longest = self._slowest.get(term.effect)
            if longest is not None and array.max() > longest + 1e-9:
                raise ShopfloorError(
                    f"randomization {name!r} must not be beyond the longest of its splits, {longest:g} s, for which "
                    f"there is memory, got {array.tolist()}"
                )
            out[name] = np.broadcast_to(array, (size,))
        return out

    def process(self, drawn: Drawn, parameters: dict[str, Array], forced: Collection[str] = ()) -> None:
        """Put the process terms into a sample of the start distribution, name -> (k,) or (k, size), in place.

        Args:
            drawn: the values.
            parameters: the sample.
            forced: parameters that the user has given, which stay as they are.

        Raises:
            ShopfloorError: if a parameter and the term that acts on it are both forced.
        """
        for name, parameter in self._process.items():
            given, term, on = parameters[parameter], self.spec.term(name), drawn.active[name]
            if parameter in forced:
                if name in drawn.held:
                    raise ShopfloorError(
                        f"both the task parameter {parameter!r} and the randomization term {name!r}, which acts on it, "
                        "are forced; give one of them"
                    )
                on[...] = False
                drawn.values[name][...] = self._nominal[name]
            value = drawn.values[name]
            value = value[:, 0] if given.ndim == 1 else np.broadcast_to(value, given.shape)
            mask = on if given.ndim == 1 else on[:, None]
            parameters[parameter] = np.where(mask, operate(term.operation, given, value), given)
            if term.operation == SET:  # a row that is not randomized tells what the task itself has drawn
                now = parameters[parameter]
                drawn.values[name][...] = now.reshape(now.shape[0], -1)[:, : drawn.values[name].shape[1]]

    def apply(self, rows: Rows, seeds: NDArray[np.int64], episodes: NDArray[np.int64], drawn: Drawn) -> None:
        """Write the values into the plant, before the task writes its start state."""
        self.engaged = self.engaged or bool(drawn.on.any()) or any(drawn.distributions)
        self._flat[rows] = drawn.flat
        self._on[rows] = drawn.on
        self.rejected[rows] = drawn.rejected
        self.told = None
        self.split[rows] = SPLITS.index(drawn.split)
        if not self.engaged:
            self._normalize(rows)
            return
        for name, dynamic in self.dynamic.items():
            if drawn.active[name].any() or any(drawn.distributions):
                self._begin_dynamic(name, dynamic, rows, seeds, episodes, drawn)
            else:
                dynamic.begin(rows, seeds, episodes, None, self._nominal[name])
                self.values[name][rows] = self._nominal[name]
        self._moving = bool(self._on[:, [i for i, t in enumerate(self.spec.terms) if t.dynamic]].any())
        self._apply_drawn_model(rows, seeds, episodes, drawn)
        self.commands.neutral(rows)
        self.sensors.neutral(rows)
        for family, part in ((ACTUATION, self.commands), (SENSING, self.sensors)):
            for term in self._of[family]:
                on = self._active[term.name][rows]
                if on.any():
                    part.write(term, rows[on], self.values[term.name][rows[on]])
        self._normalize(rows)

    def _begin_dynamic(
        self,
        name: str,
        dynamic: DynamicValues,
        rows: Rows,
        seeds: NDArray[np.int64],
        episodes: NDArray[np.int64],
        drawn: Drawn,
    ) -> None:
        fixed = drawn.active[name]
        dynamic.hold(rows[fixed], drawn.values[name][fixed])
        for k in np.flatnonzero(~fixed).tolist():
            one = slice(k, k + 1)
            dynamic.begin(rows[one], seeds[one], episodes[one], drawn.distributions[k].get(name), self._nominal[name])
            if name in drawn.distributions[k]:
                self._active[name][rows[one]] = True
        self.values[name][rows] = dynamic.value[rows]

    def _prepared(self, seed: int, episode: int, split: str) -> dict[str, Array]:
        """Model fields of the episodes around this one; all of them cost little more than one."""
        key = (split, seed, episode // BLOCK)
        found = self._rehearsed.get(key)
        if found is None:
            values = self.sampler.block(*key)
            found = self.model.rehearse(
                {b.term.name: values[:, self.sampler.slices[b.term.name]] for b in self.model.bound}
            )
            self._rehearsed[key] = found
            if len(self._rehearsed) > KEPT_BLOCKS:
                self._rehearsed.popitem(last=False)
        return found

    def _apply_drawn_model(
        self, rows: Rows, seeds: NDArray[np.int64], episodes: NDArray[np.int64], drawn: Drawn
    ) -> None:
        """As `_apply_model`, with what has been prepared where few rows begin an episode that is plainly drawn."""
        plain = drawn.split in (TRAIN, OOD_NEAR, OOD_FAR) and not drawn.held and self._preparable
        if not plain or self.curriculum is not None or rows.size > MOST_PREPARED:
            self._apply_model(rows)
            return
        for row, seed, episode in zip(rows.tolist(), seeds.tolist(), episodes.tolist(), strict=True):
            self.model.put(row, self._prepared(seed, episode, drawn.split), episode % BLOCK)

    def _apply_model(self, rows: Rows) -> None:
        names = [b.term.name for b in self.model.bound]
        self.model.apply(rows, {k: self.values[k][rows] for k in names}, {k: self._active[k][rows] for k in names})

    def watch(self, rows: Rows) -> dict[str, Array] | None:
        """Field values before the task writes its start state; None once it is known that it leaves them alone."""
        if self._checked_clash or not self.engaged:
            return None
        return self.model.snapshot(rows)

    def check(self, rows: Rows, before: Mapping[str, Array] | None) -> None:
        """Reject terms whose field the task itself sets at every start: they would have no effect.

        Raises:
            ShopfloorError: naming the field and the term.
        """
        if before is None:
            return
        name = self.model.overwritten(before, rows)
        if name is not None:
            term = next(b.term.name for b in self.model.bound if name in b.fields)
            raise ShopfloorError(
                f"term {term!r} writes {name}, which the task sets itself at every start; "
                f"randomize the task's parameter with an effect task.<parameter>"
            )
        self._checked_clash = True

    def begin(self, rows: Rows, commands: Array, applied_from: Episodes) -> None:
        """Start the buffers of rows whose start state is known; `commands` (k, nu) are the ones that hold it."""
        if self.engaged:
            self.commands.begin(rows, commands)
            self._push(applied_from)

    # -- within an episode ------------------------------------------------------------------------------------

    def before_step(self, now: Episodes) -> Rows:
        """Bring dynamic terms up to date; returns rows whose model has changed."""
        changed_model = np.zeros(0, dtype=np.intp)
        if not self._moving:
            return changed_model
        for name, dynamic in self.dynamic.items():
            changed = dynamic.advance(now.rows, now.seeds, now.episodes, now.time_s)
            if changed.size:
                self.values[name][changed] = dynamic.value[changed]
                self._normalize(changed)
                self.told = None
                if name in self._modelled:
                    changed_model = np.union1d(changed_model, changed)
                elif dynamic.term.effect.startswith("command."):
                    self.commands.write(dynamic.term, changed, self.values[name][changed])
        if changed_model.size:
            self._apply_model(changed_model)
        self._push(now)
        return changed_model

    def _push(self, now: Episodes) -> None:
        terms = self._of[DISTURBANCE]
        if not terms:
            return
        live = bool(self._on[:, self._pushing_terms].any())
        if not live and not self._pushing:
            return
        self._pushing = live
        values = {}
        for term in terms:
            value = self.values[term.name][now.rows]
            length = term.options.get("duration_s", 0.0)
            if length > 0.0 and term.name in self.dynamic:
                dynamic = self.dynamic[term.name]
                # the last control step gives what is left of the impulse: force times duration, whatever the rate
                left = (dynamic.since_s[now.rows] + length - now.time_s) * self._control_hz
                share = np.where(left < 1e-6, 0.0, np.minimum(left, 1.0))
                value = np.where(np.isnan(value), 0.0, value) * share[:, None]
            values[term.name] = np.where(np.isnan(value), 0.0, value)
        self.disturbances.write(now.rows, values)

    def drive(self, commands: Array, now: Episodes) -> Array:
        """What arrives of commands (k, substeps, nu)."""
        return self.commands.pass_on(commands, now.rows, now.seeds, now.episodes, now.steps)

    # -- what can be read -------------------------------------------------------------------------------------

    def normalized(self) -> Array:
        """All values (n, components), each so that its training range is [-1, 1]; 0 where there is no value."""
        return self._normalized

    def _normalize(self, rows: Rows) -> None:
        self._normalized[rows] = self._scales.normalized(self._flat[rows])

    def visuals(self, model: mujoco.MjModel, row: int) -> None:
        """Give the model for pictures the looks of a row."""
        if self._looks is None or not self.engaged:
            return
        names = [t.name for t in self._of[VISUAL]]
        values, active = ({k: v[k][row] for k in names} for v in (self.values, self._active))
        self._looks.apply(model, values, {k: bool(v) for k, v in active.items()})

    # -- state ------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Everything that the future depends on, copied; model fields are the simulation's state."""
        return {
            "values": {k: v.copy() for k, v in self.values.items()},
            "active": {k: v.copy() for k, v in self._active.items()},
            "split": self.split.copy(),
            "rejected": self.rejected.copy(),
            "engaged": self.engaged,
            "pushing": self._pushing,
            "moving": self._moving,
            "commands": self.commands.get_state(),
            "sensors": self.sensors.get_state(),
            "dynamic": {k: v.get_state() for k, v in self.dynamic.items()},
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `get_state` returned."""
        for name, value in state["values"].items():
            self.values[name][...] = value
        self._normalize(np.arange(self._plant.n))
        for name, value in state["active"].items():
            self._active[name][...] = value
        self.split[...] = state["split"]
        self.rejected[...] = state["rejected"]
        self.engaged = state["engaged"]
        self.told = None
        self._pushing, self._moving = state["pushing"], state["moving"]
        self.commands.set_state(state["commands"])
        self.sensors.set_state(state["sensors"])
        for name, value in state["dynamic"].items():
            self.dynamic[name].set_state(value)


_ACTUATOR_FIELDS = ("servo_stiffness", "servo_damping", "torque_limit")


class _Scales:
    """Maps of values to numbers of order one, for columns of different distributions; see `Distribution.normalized`."""

    def __init__(self, distributions: Sequence[Distribution]):
        ends = np.array([d.support for d in distributions]).reshape(-1, 2)
        self._log = np.flatnonzero([d.logarithmic for d in distributions])
        ends[self._log] = np.log(ends[self._log])
        self._middle, half = 0.5 * (ends[:, 1] + ends[:, 0]), 0.5 * (ends[:, 1] - ends[:, 0])
        self._per_half = np.where(half > 0.0, 1.0 / np.where(half > 0.0, half, 1.0), 0.0)

    def normalized(self, values: Array) -> Array:
        """Values (k, columns), 0 where there is none."""
        out = values.copy()
        out[:, self._log] = np.log(np.maximum(out[:, self._log], 1e-300))
        out -= self._middle
        out *= self._per_half
        out[np.isnan(out)] = 0.0
        return out


def _checked_split(split: str) -> str:
    if split not in SPLITS:
        raise ShopfloorError(f"unknown split {split!r}; the splits are {', '.join(SPLITS)}")
    return split


def _largest(spec: Spec, effect: str) -> float:
    """The largest value that any split of a spec may draw for an effect."""
    return max((spec.extent(t)[1] for t in spec.terms if t.effect == effect), default=0.0)
