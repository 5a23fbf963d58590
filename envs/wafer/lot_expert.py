"""Scripted policies of WaferTransferLot: the careful engineer, and the oracle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows
from .lot_terms import HISTORY, MOVES
from .profiles import GRAVITY, pulse_slip
from .transfer_expert import TransferOracle

Array = NDArray[np.float64]

SEEN_MM = 0.08  # a measured offset that is hardly noise
_SHARES = np.linspace(0.2, 2.4, 111)  # friction by the data sheet's, on which an offset is looked up


class LotExpert:
    """What a careful process engineer would program: start low, ask for more each time, keep to what has held.

    An offset after a move, or that there was none to be seen, tells how large a share of the data sheet's friction the
    pads have held in its launch (`pulse_slip`, looked up backwards). That is safe for the next moves, less a margin for
    droop, the spin-up of the wafer on an arc and pads that fade as they warm. While nothing has slipped, each launch
    asks for one step more; after the first wafer that has, nothing more is asked.

    All numbers are one for each kind of pads: hard ones, elastomer.

    Args:
        floor: share that any pads hold.
        step: how much more than what has held a launch asks for.
        margin: share of what is known to hold that a move uses.
        arc_margin: share of that on an arc.
        period_margin: averaging period in estimated vibration periods.
    """

    privileged = False

    def __init__(
        self,
        floor: float = 0.33,
        step: tuple[float, ...] = (1.35, 1.15),
        margin: tuple[float, ...] = (0.88, 0.85),
        arc_margin: float = 0.93,
        period_margin: float = 1.05,
    ):
        self.floor, self.arc_margin, self.period_margin = floor, arc_margin, period_margin
        self.step, self.margin = np.asarray(step), np.asarray(margin)

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps: the readings hold the history of the lot."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """Settings for the move that is due, from the moves before."""
        kind = np.minimum(readings["pad_set"][:, 0].astype(np.intp), self.step.size - 1)
        held, known = self.evidence(readings)
        slipped = known < np.inf
        safe = np.where(slipped, known, np.maximum(held, self.floor))
        arc = np.where(readings["path_curvature"][:, 0] > 0.0, self.arc_margin, 1.0)
        base = self.margin[kind] * arc * safe
        last = readings["move_number"][:, 0] >= MOVES - 1
        launch = np.where(slipped | last, base, self.step[kind] * safe)
        return np.stack((base, base, np.full(base.size, self.period_margin), launch), axis=-1)

    def evidence(self, readings: dict[str, Array]) -> tuple[Array, Array]:
        """Largest share that has held, and the share that the slips suggest (infinite without one), both (n,)."""
        n = len(readings["past_launch"])
        held, known = np.zeros(n), np.full(n, np.inf)
        unit = GRAVITY * readings["nominal_friction"][:, 0]
        for k in range(HISTORY):
            launch, base = readings["past_launch"][:, k], readings["past_acceleration"][:, k]
            along, across = readings["past_offset_mm"][:, 2 * k], readings["past_offset_mm"][:, 2 * k + 1]
            offset = np.sqrt(along * along + across * across)
            made = launch > 0.0
            period = np.where(made, readings["past_period"][:, k], 1.0)
            slides = 1e3 * pulse_slip(
                (launch * unit)[:, None], (base * unit)[:, None], unit[:, None] * _SHARES, period[:, None]
            )
            # slides fall with friction: the least share at which the wafer slides no further than it was seen to
            share = _SHARES[np.argmax(slides <= np.maximum(offset, SEEN_MM)[:, None], axis=1)]
            slid = offset >= SEEN_MM
            held = np.where(made & ~slid, np.maximum(held, share), held)
            known = np.where(made & slid, np.minimum(known, share), known)
        return held, known


class LotOracle(TransferOracle):
    """The fastest jerk-limited profile of every move that neither slips nor rings, from its true friction.

    Its margin is larger than that of `TransferOracle`: at several m/s^2 the servos' errors use some of the friction.
    """

    def __init__(self, margin: float = 0.94):
        super().__init__(margin=margin)

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """True limits of speeding up and slowing down; a launch like the rest."""
        settings = super().act(s, readings)
        return np.concatenate((settings, settings[:, :1]), axis=1)
