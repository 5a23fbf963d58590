"""Touching: force through the drives, its zero, the trigger, and what a touch at rest tells the fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.teach import STATION
from ...assets.robots.efem_robot import ENCODER_RESOLUTION, GEOMETRY
from ...assets.tools.teach_jig import BALL_RADIUS, STYLUS
from ..engine.task import Rows
from . import teach_fit as fit
from .teach_geometry import NOMINAL_COMPLIANCE, STYLUS_LEVER, droop_lever, place
from .teach_sensing import StepNoise, contact_force

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

FORCE_RESOLUTION = 0.01  # N, of the torque that a drive reports
TOUCH_FLOOR = 5e-6  # m, what the fit adds to the scatter of a touch: floor, steps of the encoders
CONFIRMED = 0.5  # share of the threshold that must be there at rest
QUIET_S = 0.03  # s, after the stop until force and height are averaged


class Touch:
    """Force and touches of all rows.

    The drives tell the moment that the wrist carries, in steps, with the noise of friction; less the moment before the
    search it is the force at the stylus, up to an error of the torque constant. Needs the row arrays `fit_mean`,
    `fit_cov`, `sag_stiffness` (N m/rad), `touch_noise_um`, `force_noise` (N), `force_gain` (1), `drift` (2,) (m/s) and
    `touch_innovation`.
    """

    def bind(self, s: Rows, chunks: int, chunk: int) -> None:
        """Resolve sensors and register arrays."""
        sim = s.sim
        self._chunk, self._dt = chunk, chunk * s.timing.timestep_s
        self._sag, self._contact, self._theta, self._shoulder, self._lift = (
            sim.sensor_slice(k) for k in ("sag_encoder", "contact", "theta_encoder", "shoulder_encoder", "lift_encoder")
        )
        self._noise = StepNoise(s, "force_numbers", chunks * chunk + 1)
        for name in ("force", "tare", "tare_count", "hold_force", "hold_count", "last_force", "contact_force"):
            s.new(name)
        s.new("hold_encoders", (3,))

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """No force has been felt."""
        for name in ("force", "tare", "tare_count", "hold_force", "hold_count", "last_force", "contact_force"):
            getattr(s, name)[rows] = 0.0
        s.hold_encoders[rows] = 0.0

    def begin_step(self, s: Rows) -> None:
        """Numbers of the control step."""
        self._numbers = self._noise.at(s, s.step)
        s.contact_force[...] = 0.0

    def zero(self, s: Rows, rows: Mask) -> None:
        """Begin to take the zero of the force."""
        s.tare[rows] = s.tare_count[rows] = 0.0

    def hold(self, s: Rows, rows: Mask) -> None:
        """Begin to take the force at rest."""
        s.hold_force[rows] = s.hold_count[rows] = 0.0

    def feel(self, s: Rows, record: Array, chunk: int, searching: Mask, holding: Mask) -> None:
        """Take in one chunk of the record (n, chunk, sensors): zero, trigger, rest."""
        np.maximum(s.contact_force, np.max(record[:, :, self._contact.start], axis=1), out=s.contact_force)
        sag = record[:, :, self._sag.start]
        taring = ~searching & ~holding
        # running mean while the robot waits; what it was before a wait began does not count
        settled = taring & (s.phase_time > QUIET_S + 1e-9)
        s.tare_count += settled
        step = (_mean(sag) - s.tare) / np.maximum(s.tare_count, 1.0)
        s.tare += np.where(settled, step, 0.0)
        numbers = self._numbers[:, chunk * self._chunk : (chunk + 1) * self._chunk]
        true = contact_force(sag, s.tare, s.sag_stiffness, STYLUS_LEVER)
        told = (1.0 + s.force_gain)[:, None] * true + s.force_noise[:, None] * numbers
        told = np.round(told / FORCE_RESOLUTION) * FORCE_RESOLUTION
        s.force[...] = np.where(searching | holding, told[:, -1], 0.0)
        # the first entry repeats the last one of the chunk before
        over = (told[:, 1:] >= s.threshold[:, None]).any(axis=1)
        s.triggered[...] = np.where(searching & over & (s.phase_time > 0.015), 1.0, s.triggered)
        quiet = holding & (s.phase_time > QUIET_S + 1e-9)
        s.hold_count += quiet
        s.hold_force += np.where(quiet, (_mean(told) - s.hold_force) / np.maximum(s.hold_count, 1.0), 0.0)
        end = record[:, -1]
        for k, part in enumerate((self._shoulder, self._theta, self._lift)):
            s.hold_encoders[:, k] = np.where(holding, end[:, part.start], s.hold_encoders[:, k])

    def confirmed(self, s: Rows) -> Mask:
        """Whether the force at rest is no noise."""
        there: Mask = s.hold_force >= CONFIRMED * s.threshold
        return there

    def take(self, s: Rows, rows: Mask) -> None:
        """Tell the fit where the ball rests, by encoders and force."""
        if not rows.any():
            return
        radius = encoder(GEOMETRY.radius(s.hold_encoders[:, 0]) + s.drift[:, 0] * s.time_s, "radius")
        theta = encoder(s.hold_encoders[:, 1], "theta")
        lift = encoder(s.hold_encoders[:, 2] + s.drift[:, 1] * s.time_s, "lift")
        ball = place(radius, theta, lift, STYLUS)
        force = s.hold_force
        value = ball[:, 2] - BALL_RADIUS - STATION[2] + force * NOMINAL_COMPLIANCE
        value += 1e-6 * s.touch_noise_um * self._numbers[:, -1]
        at = ball[:, :2] - np.array(STATION[:2]) - s.fit_mean[:, fit.X : fit.Y + 1]
        row = fit.touch_row(at, force, droop_lever(radius))
        samples = 5.0 * self._chunk
        noise, finish = s.force_noise * NOMINAL_COMPLIANCE, 1e-6 * s.touch_noise_um
        variance = TOUCH_FLOOR**2 + finish * finish + 2.0 * noise * noise / samples
        found = fit.update(s.fit_mean, s.fit_cov, row, value, variance, rows)
        s.touch_innovation[...] = np.where(rows, found, s.touch_innovation)
        s.last_force[...] = np.where(rows, force, s.last_force)


def encoder(value: Array, axis: str) -> Array:
    """Value in whole steps of the axis's encoder."""
    step = ENCODER_RESOLUTION[axis]
    rounded: Array = np.round(value / step) * step
    return rounded


def _mean(values: Array) -> Array:
    """Mean (n,) over the short axis, in a fixed order."""
    total = values[:, 0].copy()
    for k in range(1, values.shape[1]):
        total += values[:, k]
    return total / values.shape[1]
