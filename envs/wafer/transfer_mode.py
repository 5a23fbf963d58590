"""The flexible mode of the transfer robot's arm: at a fixed frequency, or following the extension of the arm."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...assets.parts import wafer
from ...assets.robots.vacuum_scara import LINK_LENGTH, PADDLE_MASS, WRIST_TO_WAFER
from ...assets.robots.wafer_arm import BeltArm, Compliance
from ..engine.task import Array, RowIndex
from .profiles import GRAVITY

FULL_REACH = 2.0 * LINK_LENGTH + WRIST_TO_WAFER  # m, wafer centre with the arm stretched out
MASS = PADDLE_MASS + wafer.MASS
# per Hz of the lateral mode at full extension
_ARM = Compliance(BeltArm(LINK_LENGTH, WRIST_TO_WAFER).levers, FULL_REACH, 1.0, 1.0, PADDLE_MASS)


def frequencies(full: Array, radius: Array) -> tuple[Array, Array]:
    """Frequencies in Hz of the radial and the lateral mode.

    Equal springs in the joints of the arm, and a column and a frame that give way the same at any extension; see
    `Compliance`.

    Args:
        full: of the lateral mode at full extension, the lowest of all, Hz.
        radius: robot axis to the wafer's centre, m.
    """
    radial, lateral = _ARM.frequencies(np.minimum(radius, FULL_REACH))
    return full * radial, full * lateral


def write_mode(
    sim: Any, rows: RowIndex | slice, joints: Any, dofs: Any, radial: Array, lateral: Array, damping_ratio: Array
) -> None:
    """Springs and dampers of the two slides (along and across the paddle) for frequencies in Hz, all (k,)."""
    for axis, frequency in enumerate((radial, lateral)):
        omega = 2.0 * np.pi * frequency
        sim.field("jnt_stiffness")[rows, joints[axis]] = MASS * omega * omega
        sim.field("dof_damping")[rows, dofs[axis]] = 2.0 * damping_ratio * MASS * omega


def sag(droop: Array, radial: Array) -> Array:
    """How far in m a paddle that is tilted by `droop` rad hangs through along itself, on a mode of `radial` Hz."""
    omega = 2.0 * np.pi * radial
    return GRAVITY * np.sin(droop) / (omega * omega)
