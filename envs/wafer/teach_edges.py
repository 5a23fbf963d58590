"""Edges of the beams: when the sensors respond, what the encoders show then, and what it tells the fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.teach import STATION
from ...assets.fixtures.teach_station import PIN_RADIUS
from ...assets.robots.efem_robot import GEOMETRY
from ...assets.tools.teach_jig import CROSSING
from ..engine.task import Rows
from . import teach_fit as fit
from .center_latch import latch
from .teach_geometry import beam_normals, place
from .teach_sensing import EDGES, StepNoise, crossings, distances
from .teach_touch import encoder

Array = NDArray[np.float64]

RESPONSE_S = 2e-3  # of a sensor and the scan of its input; the controller takes it off
EDGE_FLOOR = 5e-6  # m, what the fit adds to the scatter of an edge: floor, ringing, steps of the encoders


class Edges:
    """Latched edges of all rows.

    Needs the row arrays `pin_foot` (3,) (m) and `pin_axis` (3,), `jitter_us`, `edge_noise_um`, `edge_delay` (2,) (s, of
    each beam), `play` (m), `drift` (2,) (m/s), `fit_mean`, `fit_cov`, `edge_innovation`, and those of `TeachMotion`.
    """

    def bind(self, s: Rows, times: Array) -> None:
        """Resolve sensors and register arrays; `times` (m,) are those of the record, s."""
        sim = s.sim
        self._times = times
        names = ("crossing_position", "crossing_along", "crossing_left")
        self._pose = [sim.sensor_slice(k) for k in names]
        self._encoders = [sim.sensor_slice(k) for k in ("shoulder_encoder", "theta_encoder", "lift_encoder")]
        self._noise = StepNoise(s, "edge_numbers", 2 * len(EDGES))
        s.new("edge_time", (len(EDGES),))
        s.new("edge_error", (len(EDGES),))
        s.new("edge_latched", (len(EDGES),))
        s.new("edge_sweep")
        s.new("edges")

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """No edge has been seen."""
        s.edge_time[rows] = np.nan
        for name in ("edge_error", "edge_latched", "edge_sweep", "edges"):
            getattr(s, name)[rows] = 0.0

    def see(self, s: Rows) -> None:
        """Take in the record of a control step: find edges, latch the encoders, update the fit."""
        numbers = self._noise.at(s, s.step - 1)
        begin = s.time_s - s.timing.control_dt
        active = (s.sweep_end > begin) & (s.sweep_begin < s.time_s)
        if not active.any():
            return
        fresh = active & (s.edge_sweep != s.sweep_begin)
        s.edge_sweep[...] = np.where(active, s.sweep_begin, s.edge_sweep)
        s.edge_time[fresh] = np.nan
        s.edge_latched[fresh] = 0.0
        position, along, left = (s.sensor_record[:, :, part] for part in self._pose)
        gap, height = distances(position, along, left, s.pin_foot[:, None], s.pin_axis[:, None])
        found = begin[:, None] + crossings(self._times, gap, height, PIN_RADIUS)
        inside = (found >= s.sweep_begin[:, None]) & (found <= s.sweep_end[:, None]) & active[:, None]
        response = np.maximum(
            np.repeat(s.edge_delay, 2, axis=1) + 1e-6 * s.jitter_us[:, None] * numbers[:, : len(EDGES)], 0.0
        )
        new = inside & np.isnan(s.edge_time)
        s.edge_time[...] = np.where(new, found + response, s.edge_time)
        new_error = 1e-6 * s.edge_noise_um[:, None] * numbers[:, len(EDGES) :]
        s.edge_error[...] = np.where(new, new_error, s.edge_error)
        self._latch(s, begin)

    def _latch(self, s: Rows, begin: Array) -> None:
        since = s.edge_time - begin[:, None]
        due = (s.edge_latched == 0.0) & (since >= 0.0) & (since <= self._times[-1])
        if not due.any():
            return
        record = np.concatenate([s.sensor_record[:, :, part] for part in self._encoders], axis=-1)
        angles = latch(self._times, record, np.where(due, since, np.nan))
        for edge in range(len(EDGES)):
            rows = due[:, edge]
            if rows.any():
                self._take(s, rows, edge, angles[:, edge], s.edge_time[:, edge])
        s.edge_latched[...] = np.where(due, 1.0, s.edge_latched)
        s.edges += np.sum(due, axis=1)

    def _take(self, s: Rows, rows: NDArray[np.bool_], edge: int, angles: Array, time: Array) -> None:
        """Tell the fit of one edge, with the encoders' positions (n, 3) when the sensor responded."""
        direction = s.sweep_direction
        angles = np.where(rows[:, None], angles, 0.5)
        shown = GEOMETRY.radius(angles[:, 0]) + 0.5 * direction * s.play + s.drift[:, 0] * np.where(rows, time, 0.0)
        radius = encoder(shown, "radius") - direction * s.probe_speed * RESPONSE_S
        theta = encoder(angles[:, 1], "theta")
        at = place(radius, theta, encoder(angles[:, 2], "lift"), CROSSING)
        normal = beam_normals(theta)[:, edge // 2]
        height = at[:, 2] - STATION[2] - s.fit_mean[:, fit.Z]
        side = direction * (1.0 if edge % 2 == 0 else -1.0)
        off = at[:, :2] - np.array(STATION[:2])
        value = normal[:, 0] * off[:, 0] + normal[:, 1] * off[:, 1] + side * PIN_RADIUS + s.edge_error[:, edge]
        radial = np.stack((np.cos(theta), np.sin(theta)), axis=-1)
        row = fit.edge_row(normal, height, direction, radial)
        jitter = 1e-6 * s.jitter_us * s.probe_speed * normal[:, 0]
        noise = 1e-6 * s.edge_noise_um
        variance = EDGE_FLOOR**2 + noise * noise + jitter * jitter
        innovation = fit.update(s.fit_mean, s.fit_cov, row, value, variance, rows)
        s.edge_innovation[...] = np.where(rows, innovation, s.edge_innovation)
