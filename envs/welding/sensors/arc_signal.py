"""Through-arc sensing: what current and voltage tell of the joint while the torch weaves.

The source's signals are averaged over a control step, noisy by the short circuits and drops that the process model
averages over, and late. From the last weave the controller computes what makers of robots offer as arc tracking: the
part of the current that swings with the weave, from which side the wall comes closer, and the mean, which falls with
the distance. Sums over whole weaves leave out what the joint itself makes of the weave, its even harmonics.

Sources: noise and delays of signals in commercial arc tracking (DUCO and HD Hyundai manuals: samples of 10 ms, lags of
165 ms by default, the height's reference learned after the first cycles); G. E. Cook et al., "Arc sensing for seam
tracking", in J. Norrish, "Advanced Welding Processes".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...engine.task import Rows
from ...randomness import counter_normal
from ..process import WeldProcess
from ..weave import Weave

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

_STREAM = 151
VOLT_NOISE = 0.02  # V a A of noise: a source that swings in current swings in voltage by its slope and inductance


class ArcSignal:
    """Signals and their demodulation for all rows; every array is a row array.

    Args:
        s: rows.
        process: the weld.
        weave: swing of the torch.
        expected_lag: control steps by which the controller takes current to follow the commanded swing.
        slowest: control steps of the longest delay.
        learn: weaves after which, and by which, the reference of the mean is known.

    Attributes:
        current_a, voltage_v: newest readings (n,).
        swing_a: in phase with the swing and a quarter period later, amplitude over the last weave (n, 2).
        mean_a: over the last weave (n,).
        reference_a: mean that counts as the right height (n,), 0 before it is known.
    """

    def __init__(
        self, s: Rows, process: WeldProcess, weave: Weave, expected_lag: int, slowest: int = 8,
        learn: tuple[int, int] = (2, 5),
    ):  # fmt: skip
        self.process = process
        self.weave = weave
        self.expected_lag = expected_lag
        self.learn = learn
        self._line: Array = s.new("signal_line", (slowest + 1, 2))
        self._period: Array = s.new("signal_period_a", (weave.steps,))
        self.current_a: Array = s.new("current_seen_a")
        self.voltage_v: Array = s.new("voltage_seen_v")
        self.swing_a: Array = s.new("swing_a", (2,))
        self.mean_a: Array = s.new("mean_seen_a")
        self.reference_a: Array = s.new("reference_a")
        self._sum: Array = s.new("reference_sum_a")
        self._row = np.arange(s.n)
        self._share = np.arange(weave.steps) / weave.steps

    def begin(self, rows: RowIndex, current_a: float, voltage_v: float) -> None:
        """Signals of `rows` at what the procedure says."""
        self._line[rows, :, 0], self._line[rows, :, 1] = current_a, voltage_v
        self._period[rows] = current_a
        for array, value in (
            (self.current_a, current_a), (self.voltage_v, voltage_v), (self.mean_a, current_a), (self.swing_a, 0.0),
            (self.reference_a, 0.0), (self._sum, 0.0),
        ):  # fmt: skip
            array[rows] = value

    def read(self, step: NDArray[np.int64], noise_a: Array, lag: NDArray[np.int64], key: NDArray[np.int64]) -> None:
        """Take the signals of the control step that has just been welded, in all rows.

        Args:
            step: number of that control step, from 1 (n,).
            noise_a: standard deviation of its mean current (n,).
            lag: control steps until it is known (n,), at most `slowest`.
            key: of the episode (n,), see `randomness.episode_key`.
        """
        arc, line = self.process.arc, self._line
        noise = noise_a * counter_normal(key, step, _STREAM)
        line[:, :-1] = line[:, 1:].copy()
        line[:, -1, 0] = np.maximum(arc.mean_current_a + noise, 0.0)
        line[:, -1, 1] = np.maximum(arc.mean_voltage_v - VOLT_NOISE * noise, 0.0)
        now = line[self._row, line.shape[1] - 1 - lag]
        self.current_a[...], self.voltage_v[...] = now[:, 0], now[:, 1]
        period = self.weave.steps
        slot = step % period
        self._period[self._row, slot] = now[:, 0]
        # the swing that a reading in slot k belongs to, as far as the controller knows
        angle = 2.0 * np.pi * (self._share - self.expected_lag / period)
        full = step >= period
        for axis, template in enumerate((np.sin(angle), -np.cos(angle))):
            amplitude = np.sum(self._period * template, axis=1) * (2.0 / period)
            self.swing_a[:, axis] = np.where(full, amplitude, 0.0)
        self.mean_a[...] = np.sum(self._period, axis=1) / period
        first, last = (weaves * period for weaves in self.learn)
        learning = (step > first) & (step <= last)
        self._sum += np.where(learning, now[:, 0], 0.0)
        self.reference_a[...] = np.where(step >= last, self._sum / (last - first), 0.0)
