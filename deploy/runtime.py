"""The controller runtime: a policy bundle in a fixed-rate loop against a control layer.

It needs numpy, ONNX Runtime and the standard library; no simulator, no learning library.

This is not a safety function. Range, rate and plausibility checks here protect a process against a bad policy or a bad
reading; they are not designed or certified for the protection of people. That is the task of the machine's own safety
controller (ISO 10218-1, ISO 13849-1, IEC 61508), which must work whatever this program does.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..contract import Contract, ObservationAssembler, check_compatible
from ..errors import ShopfloorError
from ..limits import CommandFilter
from .bundle import SelfTest
from .control_layer import Array, ControlLayer, Outcome, StateFrame
from .log import EpisodeLog, Flag, State, Tick, quantiles_ms

NOT_SAFETY = (
    "This runtime is not a safety function: protecting people is the task of the machine's own safety controller "
    "(ISO 10218-1, ISO 13849-1)."
)
# time before a deadline that is spent waiting awake: sleeping through it would wake up late
SPIN_S = 0.0005


class Program(Protocol):
    """What the runtime executes: a policy bundle, or anything else that turns observations into set-points."""

    @property
    def path(self) -> Path:
        """Where it comes from, for messages."""

    @property
    def contract(self) -> Contract:
        """What it demands of the control layer."""

    @property
    def policy(self) -> Callable[[NDArray[np.float32]], Array]:
        """Set-points (size,) for an observation (width,)."""

    def self_test(self) -> SelfTest:
        """Whether it computes what it should on this machine."""


@dataclass(frozen=True)
class Episode:
    """Result of one episode.

    Attributes:
        seed: as given to the control layer.
        log: every tick.
        outcome: how it ended, where the layer could tell.
        reason: why the loop ended: the layer's reason, "interrupted", or the fault that stopped it.
        fault: whether the runtime stopped it.
        missed: deadlines by which a tick had not finished its work.
        skipped: deadlines that passed without a tick because of that.
        lost_frames: frames that the layer produced and the runtime never saw.
    """

    seed: int
    log: EpisodeLog
    outcome: Outcome | None
    reason: str
    fault: bool
    missed: int
    skipped: int
    lost_frames: int


class ControllerRuntime:
    """Runs a bundle, or another program, against a control layer.

    At every tick it reads a frame, checks that it is new, builds the observation, asks the policy, guards the command
    and writes it. When a frame is missing, stale or implausible, or the policy's output is not finite, it repeats the
    last command it wrote, and after `max_holds` such ticks in a row it stops the layer for good.

    Deadlines are absolute (t0 + k T). A tick that finishes late makes the loop skip the deadlines it has missed; it
    never catches up with a burst of commands.

    Args:
        bundle: the policy, or another program.
        layer: the twin or the machine.
        realtime: keep deadlines; otherwise run as fast as possible.
        max_holds: ticks without a valid command after which the layer is stopped.
        rate: largest change of each set-point component a second, below what the policy may ask for; None for no
            such bound.
        clock, sleep: time sources, exchangeable for tests.

    Raises:
        ShopfloorError: if the layer does not offer what the contract demands (all differences are listed), or the
            policy does not reproduce its golden pairs.
    """

    def __init__(
        self,
        bundle: Program,
        layer: ControlLayer,
        *,
        realtime: bool = True,
        max_holds: int = 5,
        rate: Sequence[float] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ):
        if bundle.contract.decisions:
            raise ShopfloorError(
                f"{bundle.path} decides when it is asked and has no control rate, so that no fixed-rate loop can run "
                "it; call it through shopfloor.deploy.decision.DecisionFunction"
            )
        if max_holds < 1:
            raise ShopfloorError(f"max_holds must be at least 1, got {max_holds}")
        self.bundle = bundle
        self.layer = layer
        self.realtime = realtime
        self.max_holds = max_holds
        self.period_s = 1.0 / bundle.contract.control_hz
        self._clock, self._sleep = clock, sleep
        self._log = EpisodeLog()
        self._fault = ""
        self._enter(State.INIT)
        self._assemble = ObservationAssembler(bundle.contract.observation)
        low, high = bundle.contract.setpoint_bounds
        self._filter = CommandFilter(low, high, self.period_s, rate)
        self._blank = np.full(bundle.contract.width, np.nan, dtype=np.float32)
        self._no_output = np.full(len(bundle.contract.action), np.nan)
        differences = check_compatible(bundle.contract, layer.describe())
        if differences:
            listed = "".join(f"\n  - {d}" for d in differences)
            raise ShopfloorError(f"the control layer does not offer what {bundle.path} was trained for:{listed}")
        self._enter(State.SELFTEST)
        self.self_test = bundle.self_test()

    def _enter(self, state: State) -> None:
        self.state = state
        self._log.enter(self._clock(), state)

    # -- episodes ---------------------------------------------------------------------------------------------

    def run_episode(self, seed: int) -> Episode:
        """Start the layer, control it until it has finished or a fault stops it, and stop it.

        Raises:
            ShopfloorError: if an earlier fault has stopped this runtime; build a new one after finding the cause.
        """
        if self._fault:
            raise ShopfloorError(f"a fault has stopped this runtime; remove its cause and start anew: {self._fault}")
        self._assemble.reset()
        if self._log.ticks:
            self._log = EpisodeLog()
        self._previous: Array | None = None
        self._last_seq, self._last_time = -1, -np.inf
        self._commands = self._holds = self._missed = self._skipped = self._lost = 0
        reason = ""
        try:
            self.layer.start(seed)
            with _steady():
                self._loop()
        except KeyboardInterrupt:
            reason = "interrupted"
        finally:
            self.layer.stop()
            self._enter(State.STOPPED)
        outcome = self.layer.outcome()
        reason = self._fault or reason or (outcome.reason if outcome is not None else "finished")
        return Episode(seed, self._log, outcome, reason, bool(self._fault), self._missed, self._skipped, self._lost)

    def _loop(self) -> None:
        """Tick until the layer has finished or a fault is found."""
        origin, index = self._clock(), 0
        self._log.origin_s = origin
        while True:
            deadline = origin + index * self.period_s
            if self.realtime:
                self._wait(deadline)
            note = self._tick(origin, index, deadline)
            if note is None:
                return
            if self._holds >= self.max_holds:
                self._fault = f"{self._holds} ticks in a row without a valid command: {note}"
                return
            index = self._next(origin, index)

    def _wait(self, deadline: float) -> None:
        ahead = deadline - self._clock() - SPIN_S
        if ahead > 0:
            self._sleep(ahead)
        while self._clock() < deadline:
            pass

    def _next(self, origin: float, index: int) -> int:
        """Number of the next deadline that can be met."""
        if not self.realtime:
            return index + 1
        passed = int((self._clock() - origin) / self.period_s)
        if passed <= index:
            return index + 1
        self._missed += 1
        self._skipped += passed - index
        return passed + 1

    # -- one tick ---------------------------------------------------------------------------------------------

    def _tick(self, origin: float, index: int, deadline: float) -> str | None:
        """Read, decide, write, log. Returns "" or why the command was held; None when the layer has finished."""
        begin = self._clock()
        frame, note = self._read()
        if frame is not None and frame.finished:
            return None
        observation, flags = self._blank, Flag(0)
        output = self._no_output
        if not note and frame is not None:
            try:
                observation = self._assemble(frame.readings)
            except ShopfloorError as error:
                note = str(error)
            else:
                flags |= Flag.SATURATED if self._assemble.saturated else Flag(0)
                output = self.bundle.policy(observation)
                if not np.isfinite(output).all():
                    note = f"the policy's output is not finite: {output.tolist()}"
        # a row that is not finite makes the filter repeat the previous command
        command, changed = self._filter(self._no_output if note else output, self._previous)
        refused = self._write(command)
        note = note or refused
        if note:
            flags |= Flag.HELD
            self._holds += 1
        else:
            flags |= Flag.LIMITED if changed else Flag(0)
            self._holds = 0
        state = State.HOLD if note else State.ACTIVE
        if state is not self.state:
            self._enter(state)
        self._log.ticks.append(
            Tick(
                index=index,
                start_s=begin - origin,
                lateness_s=begin - deadline if self.realtime else 0.0,
                busy_s=self._clock() - begin,
                seq=-1 if frame is None else frame.seq,
                frame_time_s=float("nan") if frame is None else frame.time_s,
                readings={} if frame is None else dict(frame.readings),
                observation=observation,
                output=output,
                command=command,
                flags=flags,
                state=self.state,
                note=note,
            )
        )
        return note

    def _read(self) -> tuple[StateFrame | None, str]:
        """The newest frame and "", or what is wrong with it."""
        try:
            frame = self.layer.read()
        except OSError as error:
            return None, f"no frame: {error}"
        if frame.seq <= self._last_seq:
            return frame, f"frame {frame.seq} is stale: frame {self._last_seq} was read before"
        if not frame.time_s > self._last_time:
            return frame, f"the clock of frame {frame.seq} stands still at {frame.time_s} s"
        self._lost += frame.seq - self._last_seq - 1
        self._last_seq, self._last_time = frame.seq, frame.time_s
        return frame, ""

    def _write(self, command: Array) -> str:
        try:
            self.layer.write(self._commands, command)
        except OSError as error:
            return f"command not accepted: {error}"
        self._commands += 1
        self._previous = command
        return ""


@contextmanager
def _steady() -> Iterator[None]:
    """Keep the garbage collector, whose pauses are longer than a control period, out of the loop."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def deadline_statistics(episodes: Sequence[Episode]) -> dict[str, Any]:
    """Deadline accounting over all ticks of some episodes, as plain data."""
    lateness = np.concatenate([np.zeros(0), *(e.log.column("lateness_s") for e in episodes)])
    busy = np.concatenate([np.zeros(0), *(e.log.column("busy_s") for e in episodes)])
    return {
        "ticks": int(lateness.size),
        "missed": sum(e.missed for e in episodes),
        "skipped": sum(e.skipped for e in episodes),
        "lateness": quantiles_ms(lateness),
        "busy": quantiles_ms(busy),
    }


def intervention_counts(episodes: Sequence[Episode]) -> dict[str, int]:
    """Ticks on which the runtime did not simply pass the policy's command on, by kind, and other irregularities."""
    return {
        "held": sum(e.log.count(Flag.HELD) for e in episodes),
        "limited": sum(e.log.count(Flag.LIMITED) for e in episodes),
        "saturated_readings": sum(e.log.count(Flag.SATURATED) for e in episodes),
        "lost_frames": sum(e.lost_frames for e in episodes),
    }
