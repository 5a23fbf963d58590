"""The welding of WeldGapFill: the process along its seam, by a carriage that the set-points drive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.weld_bench import bench_part, seam_frame
from ..engine.task import Rows
from ..randomness import episode_key
from .gap_fill_fit_up import FitUp
from .gap_fill_work import MM_S_PER_M_MIN, Work
from .joint import BUTT
from .process import WeldProcess
from .seam_frame import SeamFrames

Array = NDArray[np.float64]
RowIndex = NDArray[np.intp]

ARC_MM = 2.0  # over the root, where a picture shows the arc


class Bench:
    """A welding process of n rows over the gaps of their seams, moved by a carriage without dynamics of its own.

    Attributes:
        process: the weld.
        fit_up: the gaps.
        deposit_factor: (n,) metal that arrives over metal that the set-points promise.
        part: what lies on the table.
        root, along, out: beginning of its seam, direction of welding and direction out of the joint, world, m.
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
        self.part = bench_part(work.kind, 1e-3 * work.thickness_mm, 1e-3 * length_mm)
        root, along, out = seam_frame(self.part)
        if work.kind == BUTT:  # the cap is laid on the upper side
            root = root + np.array([0.0, 0.0, 1e-3 * work.thickness_mm])
        self.root, self.along, self.out = root, along, out

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
        self.stand(s, rows, params)

    def stand(self, s: Rows, rows: RowIndex, params: Mapping[str, Array]) -> None:
        """The carriage at the beginning of the seam."""
        s.sim.qpos[rows, 0] = 0.0

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
        x["travel_mm_s"][:] = self.lead(s, travel, rows)
        x["weave_mm"][:] = weave
        x["gap_mm"][:] = self.fit_up.at(process.travelled_mm + 0.5 * dt * x["travel_mm_s"])
        first = np.flatnonzero(s.step == 0)
        if first.size:
            process.run_on(first)
        process.step(dt)
        for array, values in zip(self._arrays, kept, strict=False):
            array[idle] = values
        self.move(s)

    def lead(self, s: Rows, travel_mm_s: Array, rows: RowIndex | None) -> Array:
        """Move the torch of `rows` through the step; returns the speed (n,) along the seam that comes of it."""
        return travel_mm_s

    def move(self, s: Rows) -> None:
        """Put the carriage where the arc is."""
        s.sim.qpos[:, 0] = 1e-3 * self.process.travelled_mm

    def touched(self, s: Rows) -> NDArray[np.bool_]:
        """Rows (n,) in which something has touched something that it should not: none, the carriage is on its track."""
        return np.zeros(s.n, dtype=bool)

    def frames(self, row: int, s_mm: Array) -> SeamFrames:
        """Section frames of one row's seam at places (k,), where the bead lies; for pictures."""
        axes = (np.broadcast_to(v, (s_mm.size, 3)) for v in (self.along, np.cross(self.along, self.out), self.out))
        return SeamFrames(self.root + 1e-3 * s_mm[:, None] * self.along, *axes)

    def wire(self, row: int) -> tuple[Array, Array]:
        """Where the wire of one row meets the work and where it points, (3,) and (3,); for pictures."""
        laid_mm = float(self.process.travelled_mm[row])
        return self.root + 1e-3 * laid_mm * self.along + 1e-3 * ARC_MM * self.out, -self.out
