"""What happens to a command between controller and servo: resolution, loss, delay, gain, offset, play."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from .keyed import StepNumbers, fill_uniform, whole
from .spec import Term
from .targets import check_apart, resolve

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

_NEUTRAL = {"delay": 0.0, "dropout": 0.0, "gain": 1.0, "offset": 0.0, "quantization": 0.0, "backlash": 0.0}

_BUFFERS = ("_past", "_start", "_sent", "_play")


class CommandPath:
    """The command path of n rows, between the action interface and the actuators of the model.

    In the order of a real chain: the word that the controller sends has a resolution, may be lost (the drive keeps the
    one before), arrives late, is turned into motion with a gain and an offset, and passes a gear with play. The delay
    is a real number of physics steps, interpolated between them, and its buffer holds the command at which the
    episode starts: nothing jumps at a reset.

    Args:
        model: the compiled model.
        terms: terms with `command.*` effects.
        n: number of rows.
        timestep: time between two commands, s.
        slowest: largest delay that will be asked for, s.
    """

    def __init__(self, model: mujoco.MjModel, terms: Sequence[Term], n: int, timestep: float, slowest: float):
        self.terms = tuple(terms)
        self._timestep = timestep
        self._found = {t.name: resolve(model, t) for t in terms}
        check_apart(terms, {k: v.names for k, v in self._found.items()})
        kinds = {t.effect.removeprefix("command.") for t in terms}
        self._values = {k: np.full((n, model.nu), _NEUTRAL[k]) for k in _NEUTRAL if k in kinds}
        self._depth = int(np.ceil(slowest / timestep - 1e-9)) + 1 if "delay" in kinds else 0
        # most specs delay all commands of a controller together
        delays = [t for t in terms if t.effect == "command.delay"]
        self._one_delay = all(t.shared and self._found[t.name].index.size == model.nu for t in delays)
        self._first = np.zeros((n, 1, 1 if self._one_delay else model.nu), dtype=np.intp)
        self._fraction = np.zeros(self._first.shape)
        self._reach = self._depth
        self._delay_changed = np.ones(n, dtype=bool)
        self._past = np.zeros((n, self._depth, model.nu))
        self._start = np.zeros((n, model.nu))
        self._sent = np.zeros((n, model.nu))
        self._play = np.zeros((n, model.nu))
        self._lost = {
            t.name: StepNumbers(t.name, n, self.size_of(t), fill_uniform)
            for t in terms
            if t.effect == "command.dropout"
        }

    def size_of(self, term: Term) -> int:
        """Number of components of a term."""
        return 1 if term.shared else self._found[term.name].index.size

    def names_of(self, term: Term) -> list[str]:
        """A name for each component of a term."""
        return ["all"] if term.shared else list(self._found[term.name].names)

    def write(self, term: Term, rows: Rows, values: Array) -> None:
        """Set a term's values (k, size) in rows (k,).

        Raises:
            ShopfloorError: if a delay is longer than the buffer.
        """
        kind = term.effect.removeprefix("command.")
        if kind == "delay" and values.size and values.max() > (self._depth - 1) * self._timestep + 1e-9:
            raise ShopfloorError(
                f"term {term.name!r}: a delay of {values.max():g} s is beyond the longest of its splits, "
                f"{(self._depth - 1) * self._timestep:g} s"
            )
        if kind == "delay":
            self._delay_changed[rows] = True
        index = self._found[term.name].index
        self._values[kind][rows[:, None], index] = np.broadcast_to(values, (rows.size, index.size))

    def neutral(self, rows: Rows) -> None:
        """A path that changes nothing, in the given rows."""
        for kind, array in self._values.items():
            array[rows] = _NEUTRAL[kind]
        self._delay_changed[rows] = True

    def begin(self, rows: Rows, commands: Array) -> None:
        """Start episodes of rows (k,) at commands (k, nu), which have stood for ever."""
        self._past[rows] = commands[:, None]
        self._start[rows] = commands
        self._sent[rows] = commands
        self._play[rows] = commands

    def pass_on(
        self,
        commands: Array,
        rows: Rows,
        seeds: NDArray[np.int64],
        episodes: NDArray[np.int64],
        steps: NDArray[np.int64],
    ) -> Array:
        """What arrives at the actuators, (k, substeps, nu), of commands of that shape sent in one control step."""
        values, out = self._values, commands
        if "quantization" in values:
            step = values["quantization"][rows][:, None]
            out = np.where(step > 0.0, np.round(out / np.where(step > 0.0, step, 1.0)) * step, out)
        if self._lost:
            out = self._drop(out, rows, seeds, episodes, steps)
        if self._depth:
            out = self._delayed(out, rows)
        if "gain" in values:
            start, gain = self._start[rows][:, None], values["gain"][rows][:, None]
            # the detour over the start position rounds, which a row without this error must not feel
            out = np.where(gain == 1.0, out, start + gain * (out - start))
        if "offset" in values:
            out = out + values["offset"][rows][:, None]
        if "backlash" in values:
            out = self._with_play(out, rows)
        return out

    def _drop(
        self, out: Array, rows: Rows, seeds: NDArray[np.int64], episodes: NDArray[np.int64], steps: NDArray[np.int64]
    ) -> Array:
        at = whole(rows, len(self._sent))
        for term in self.terms:
            numbers = self._lost.get(term.name)
            if numbers is None:
                continue
            index = self._found[term.name].index[:1] if term.shared else self._found[term.name].index
            lost = numbers.at(rows, seeds, episodes, steps) < self._values["dropout"][at][:, index]
            if lost.any():
                index = self._found[term.name].index
                out = out.copy()
                out[:, :, index] = np.where(lost[:, None], self._sent[at][:, None, index], out[:, :, index])
        self._sent[at] = out[:, -1]
        return out

    def _delayed(self, out: Array, rows: Rows) -> Array:
        substeps = out.shape[1]
        at = whole(rows, len(self._past))
        self._find_delays()
        # what is older than any row's delay is not carried along; an episode with a longer one fills its buffer anew
        past = self._past[:, self._depth - self._reach :]
        # the last command twice, so that one that is not late has a successor and is not rounded
        line = np.concatenate((past[at], out, out[:, -1:]), axis=1)
        past[at] = line[:, substeps:-1]
        # a delay is constant over the step, so that each row reads one piece of its line
        window = self._first[at] - (self._depth - self._reach) + np.arange(substeps + 1)[:, None]
        if self._one_delay:
            window += (np.arange(rows.size) * line.shape[1])[:, None, None]
            piece = line.reshape(-1, line.shape[2]).take(window[:, :, 0], axis=0)
        else:
            piece = np.take_along_axis(line, window, axis=1)
        early = piece[:, :-1]
        return early + self._fraction[at] * (piece[:, 1:] - early)

    def _find_delays(self) -> None:
        """Where in the line of commands each row begins to read, for rows whose delay has changed."""
        rows = np.flatnonzero(self._delay_changed)
        if not rows.size:
            return
        self._delay_changed[rows] = False
        at = self._depth - self._values["delay"][rows, None, : self._first.shape[2]] / self._timestep
        # a whole number of steps must not be blurred by rounding
        nearest = np.round(at)
        at = np.where(np.abs(at - nearest) < 1e-9, nearest, at)
        first = np.clip(np.floor(at), 0, self._depth).astype(np.intp)
        self._first[rows], self._fraction[rows] = first, at - first
        self._reach = self._depth - int(self._first.min())

    def _with_play(self, out: Array, rows: Rows) -> Array:
        if not self._values["backlash"].any():  # without play the servo is where the command is
            self._play[whole(rows, len(self._play))] = out[:, -1]
            return out
        half = 0.5 * self._values["backlash"][rows]
        position = self._play[rows]
        moved = np.empty_like(out)
        for j in range(out.shape[1]):
            position = np.minimum(np.maximum(position, out[:, j] - half), out[:, j] + half)
            moved[:, j] = position
        self._play[rows] = position
        return moved

    def get_state(self) -> dict[str, Any]:
        """Everything that later commands depend on, copied."""
        return {
            "values": {k: v.copy() for k, v in self._values.items()},
            "buffers": {k: getattr(self, k).copy() for k in _BUFFERS},
            "lost": {k: v.get_state() for k, v in self._lost.items()},
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `get_state` returned."""
        for key, value in state["values"].items():
            self._values[key][...] = value
        self._delay_changed[...] = True
        for key, value in state["buffers"].items():
            getattr(self, key)[...] = value
        for key, value in state["lost"].items():
            self._lost[key].set_state(value)
