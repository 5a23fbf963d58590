"""Twist of a tool in the axes of a bent seam: feed along it, cross, and along the normal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...frames import rotate
from ...limits import MotionLimits
from ..control import ActionTerm, TcpTwist
from ..engine.task import Rows

Array = NDArray[np.float64]


class SeamTwist(TcpTwist):
    """TCP twist whose linear part is along feed, cross and normal of the taught seam where the tool is.

    The task keeps the row array `seam_quaternion` (n, 4), the orientation of these axes. Rotations are about world
    axes, which the seam's differ from by the slope of the surface only.

    Args:
        joints: joint names; actuators of the same names are position servos.
        limits: motion limits, rad and s.
        site: name of the TCP site.
        feed_m_s, cross_m_s, normal_m_s, angular_rad_s: largest speeds.
    """

    name = "seam_twist"

    def __init__(
        self,
        joints: Sequence[str],
        limits: MotionLimits,
        site: str,
        feed_m_s: float = 0.06,
        cross_m_s: float = 0.03,
        normal_m_s: float = 0.04,
        angular_rad_s: float = 0.3,
    ):
        super().__init__(joints, limits, site, angular_rad_s=angular_rad_s)
        self.speeds = (feed_m_s, cross_m_s, normal_m_s)

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """Feed, cross and normal speed, and three rotations."""
        names = ("feed", "cross", "normal")
        linear = tuple(
            ActionTerm(f"velocity_{name}", "m/s", -v, v, "seam", f"speed of the tool along the seam's {name} direction")
            for name, v in zip(names, self.speeds, strict=True)
        )
        return (*linear, *super().terms[3:])

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Turn the twist into the world and command it."""
        world = setpoints.copy()
        world[:, :3] = rotate(s.seam_quaternion, setpoints[:, :3])
        super().apply(s, world, rows)
