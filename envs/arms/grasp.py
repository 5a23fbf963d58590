"""The approach of scripted experts to a part that a gripper takes from above."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ALIGNED, ALIGNED_TURN = 0.003, np.deg2rad(2.5)  # m, rad, from which the tip goes down
CLOSING = 0.0025, np.deg2rad(4.0)  # likewise, from which the gripper closes or goes on closing
CLOSING_HEIGHT, CLOSED_BY = 0.0025, 0.004  # m, of the tip from the grasp; of the width, from which it has begun


def grasp(readings: Mapping[str, Array], over: float, opened: float) -> tuple[Array, NDArray[np.bool_]]:
    """Way to a part: beside it above it, then down; and whether to close.

    Args:
        readings: `part_offset` (n, 3) from tip to grasp, m, `part_yaw` (n, 1) rad and `grip_width` (n, 1) m.
        over: height of the tip over the grasp where it goes sideways, m.
        opened: width that the gripper approaches with, m.

    Returns:
        Way (n, 3) in m, and rows (n,) in which the gripper closes.
    """
    offset = readings["part_offset"]
    beside = np.sqrt(offset[:, 0] ** 2 + offset[:, 1] ** 2)
    turned = np.abs(readings["part_yaw"][:, 0])
    aligned = (beside < ALIGNED) & (turned < ALIGNED_TURN)
    aim = offset.copy()
    above = offset[:, 2] + over
    aim[:, 2] = np.where(aligned, offset[:, 2], above)
    # up before sideways, where a finger would meet the part or a wall
    low = above > 0.5 * over
    aim[:, :2] = np.where((low & ~aligned)[:, None], 0.0, aim[:, :2])
    closing = (beside < CLOSING[0]) & (turned < CLOSING[1]) & (np.abs(offset[:, 2]) < CLOSING_HEIGHT)
    begun = readings["grip_width"][:, 0] < opened - CLOSED_BY
    aim[:, :2] = np.where((closing & begun)[:, None], 0.0, aim[:, :2])
    return aim, closing
