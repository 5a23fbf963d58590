"""What the arm tasks write down about force and smoothness: peak and mean of the felt force, jerk of the command."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.task import Metric, Rows

Array = NDArray[np.float64]

TOUCHING_N = 2.0  # from which a filtered reading of the wrist sensor counts as contact

METRICS = {
    "peak_force": Metric("N", "lower", "largest contact force at any tick of the control loop"),
    "mean_force": Metric("N", "lower", "contact force, averaged over the time in contact"),
    "peak_jerk": Metric("m/s^3", "lower", "largest jerk of the commanded tip, from differences over control steps"),
}


class ContactRecord:
    """Row arrays `peak_force`, `mean_force` (N) and `peak_jerk` (m/s^3) of a tool under admittance control.

    Args:
        s: the rows, which get the arrays.
    """

    def __init__(self, s: Rows):
        for name in ("peak_force", "mean_force", "force_sum", "contact_s", "peak_jerk"):
            s.new(name)
        for name in ("last_acceleration", "last_velocity"):
            s.new(name, (3,))

    def begin(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing felt yet, at rest."""
        for name in (
            "peak_force", "mean_force", "force_sum", "contact_s", "peak_jerk", "last_acceleration", "last_velocity",
        ):  # fmt: skip
            getattr(s, name)[rows] = 0.0

    def add(self, s: Rows) -> None:
        """A control step more."""
        dt = s.timing.control_dt
        np.maximum(s.peak_force, s.tcp_force_peak, out=s.peak_force)
        force = length(s.tcp_wrench[:, :3])
        touching = force > TOUCHING_N
        s.force_sum += np.where(touching, force * dt, 0.0)
        s.contact_s += np.where(touching, dt, 0.0)
        s.mean_force[...] = s.force_sum / np.maximum(s.contact_s, 1e-9)
        velocity = s.tcp_reference_velocity[:, :3]
        acceleration = (velocity - s.last_velocity) / dt
        np.maximum(s.peak_jerk, length(acceleration - s.last_acceleration) / dt, out=s.peak_jerk)
        s.last_acceleration[...] = acceleration
        s.last_velocity[...] = velocity


def length(v: Array) -> Array:
    """Lengths (...) of vectors (..., 3)."""
    square: Array = np.sqrt(v[..., 0] * v[..., 0] + v[..., 1] * v[..., 1] + v[..., 2] * v[..., 2])
    return square
