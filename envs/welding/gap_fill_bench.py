"""The welding of WeldGapFill: the process along its seam, by a carriage that the set-points drive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Rows
from ..randomness import episode_key
from .gap_fill_fit_up import FitUp
from .gap_fill_work import MM_S_PER_M_MIN, Work
from .process import WeldProcess

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]


class Bench:
    """A welding process of n rows over the gaps of their seams, moved by a carriage without dynamics of its own.

    Attributes:
        process: the weld.
        fit_up: the gaps.
        deposit_factor: (n,) metal that arrives over metal that the set-points promise.
    """

    def __init__(self, s: Rows, work: Work, length_mm: float):
        self.work = work
        self._arrays: list[NDArray[Any]] = []

        def new(name: str, shape: tuple[int, ...] = (), dtype: Any = np.float64, fill: float = 0) -> NDArray[Any]:
            self._arrays.append(s.new(name, shape, dtype, fill))
            return self._arrays[-1]

        self.process = WeldProcess(
            s.n, work.joint(s.n), length_mm, work.wire, work.gas, allocate=new, precision=np.float32
        )
        self.fit_up = FitUp(s.n, length_mm, work.gap_mm, s.new)
        for name in ("feed_slip", "distance_error", "aim", "plate", "deposit_factor"):
            s.new(name)

    def begin(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """New plates and the machine of this episode."""
        process, p = self.process, self.process.parameters
        key = episode_key(s.seed[rows], s.episode[rows])
        self.fit_up.begin(rows, params, key)
        wire = self.work.wire
        p.efficiency_factor[rows] = 1.0 + params["efficiency_error"]
        p.alpha[rows] = wire.alpha * (1.0 + params["burn_off_error"])
        p.beta[rows] = wire.beta * (1.0 + params["burn_off_error"])
        s.feed_slip[rows], s.distance_error[rows] = params["feed_slip"], params["ctwd_error"]
        s.aim[rows], s.plate[rows] = params["aim_error"], params["plate_temperature"]
        s.deposit_factor[rows] = (1.0 - params["feed_slip"]) * (1.0 + params["efficiency_error"])
        process.begin(rows, key)
        x = process.inputs
        for name, value in (
            ("ctwd_mm", self.work.ctwd_mm + params["ctwd_error"]), ("offset_mm", params["aim_error"]),
            ("plate_c", params["plate_temperature"]), ("roll_deg", self.work.roll_deg), ("arc_on", 1.0),
        ):  # fmt: skip
            x[name][rows] = value
        process.arc.ignite(rows, x["ctwd_mm"][rows])

    def weld(self, s: Rows, rows: RowIndex | None) -> None:
        """One control step under the set-points in force; rows that do not take part stay as they are."""
        process = self.process
        idle = None if rows is None else np.setdiff1d(np.arange(s.n), rows)
        kept = [] if idle is None else [array[idle].copy() for array in self._arrays]
        feed, travel, trim, weave = s.in_force.T
        dt = s.timing.control_dt
        x = process.inputs
        x["wire_feed_mm_s"][:] = MM_S_PER_M_MIN * feed * (1.0 - s.feed_slip)
        x["voltage_v"][:] = self.work.source_voltage(feed, trim)
        x["travel_mm_s"][:] = travel
        x["weave_mm"][:] = weave
        x["gap_mm"][:] = self.fit_up.at(process.travelled_mm + 0.5 * dt * travel)
        first = np.flatnonzero(s.step == 0)
        if first.size:
            process.run_on(first)
        process.step(dt)
        for array, values in zip(self._arrays, kept, strict=False):
            array[idle] = values
        self.move(s)

    def move(self, s: Rows) -> None:
        """Put the carriage where the arc is."""
        s.sim.qpos[:, 0] = 1e-3 * self.process.travelled_mm
