"""The scripted expert of ArmConveyorPick: follow a part on the belt, touch it, lift, set it into the tray."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..control import ActionTerm
from ..engine.task import Rows

Array = NDArray[np.float64]

OVER, OVER_POCKET = 0.028, 0.048  # m, tip over parts on the belt and over parts in the tray while it goes sideways
WAIT = -0.12  # m, along the belt from the station, where it waits for a part
LEAD_S = 0.095  # by how much the aim at a moving part is ahead, for what the arm is late
ALIGNED, KEPT = 0.006, 0.010  # m, beside the part: goes down, and goes on down
VALVE = 0.010  # m over the part, from where the valve is open
PRESSED = 0.0035  # m, how far the lip's free position goes below the part's face
HOLDS, GONE = 0.5, 0.02  # vacuum that says that a part is held, and that it is let go
SETTLED, SET_DOWN = 0.0025, 0.0012  # m, beside the pocket's middle, and over its floor
HANGS = 0.009  # m, how far beside the cup's middle a part can hang
NEAR_FLOOR, SLOW = 0.010, 0.002  # m, under which the part goes down by so much a step
NEAR_POCKET = 0.006  # m, beside its middle, where a tip that holds nothing has just let go
TURNED, TURNED_KEPT = np.deg2rad(2.0), np.deg2rad(5.0)  # likewise
TOUCH = 0.0016  # m a step of the way down onto a part


class ConveyorExpert:
    """Tracks the next part by camera, age of the picture and belt encoder, picks it in motion and sets it down.

    It keeps no memory: what to do follows from where tip, part and pocket are, and from the vacuum.

    Args:
        terms: components of the action.
    """

    privileged = False

    def __init__(self, terms: Sequence[ActionTerm]):
        self._low, self._high = (np.array([getattr(t, end) for t in terms]) for end in ("low", "high"))

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """Increments and valve."""
        r = readings
        held = r["vacuum"][:, 0] > HOLDS
        chase, valve, turn_to = self._chase(r)
        carry, keep = self._carry(r)
        aim = np.where(held[:, None], carry, chase)
        turn = np.where(held, 0.0, turn_to) - r["tip_yaw"][:, 0]
        out = np.zeros((len(aim), self._low.size))
        out[:, :3] = aim - r["lead"]
        out[:, 3] = turn - r["yaw_lead"][:, 0]
        out[:, 4] = np.where(held, keep, valve)
        return np.minimum(np.maximum(out, self._low), self._high)

    def _chase(self, r: dict[str, Array]) -> tuple[Array, Array, Array]:
        """Way to the next part, the valve, and the turn to have there."""
        speed, tip, pocket = r["belt_speed"][:, 0], r["tip_position"], r["pocket_offset"]
        aim = r["part_offset"].copy()
        aim[:, 1] += speed * r["camera_latency"][:, 0]
        now = aim.copy()
        # where it waits, if the part is not yet there
        early = tip[:, 1] + now[:, 1] < WAIT
        aim[:, 1] = np.where(early, WAIT - tip[:, 1], now[:, 1] + speed * LEAD_S)
        beside = np.sqrt(now[:, 0] ** 2 + now[:, 1] ** 2)
        over = now[:, 2] + OVER
        near = (beside < ALIGNED) | ((beside < KEPT) & (over > 0.3 * OVER))
        down = ~early & near & (np.abs(r["tip_yaw"][:, 0] - r["part_yaw"][:, 0]) < TURNED)
        # slowly onto the part, so that the bellows do not come to their end
        onto = np.maximum(now[:, 2] - PRESSED, np.maximum(r["lead"][:, 2], -TOUCH) - TOUCH)
        fast = now[:, 2] + 0.5 * VALVE
        aim[:, 2] = np.where(down, np.where(now[:, 2] < -VALVE, fast, onto), over)
        valve = np.where(down & (now[:, 2] > -VALVE), 1.0, 0.0)
        # up before sideways, where the cup would meet ribs or parts
        aim[:, :2] = np.where(((over > 0.5 * OVER) & (beside > 2.0 * KEPT))[:, None], 0.0, aim[:, :2])
        # a tip that has just let go: straight up, or ribs and part are in its way
        left = np.sqrt(pocket[:, 0] ** 2 + pocket[:, 1] ** 2) < NEAR_POCKET
        rising = left & (pocket[:, 2] > -0.8 * OVER_POCKET)
        aim[:, :2] = np.where(rising[:, None], 0.0, aim[:, :2])
        aim[:, 2] = np.where(rising, pocket[:, 2] + OVER_POCKET, aim[:, 2])
        # until its vacuum is gone, the cup would lift the part again
        aim = np.where((left & (r["vacuum"][:, 0] > GONE))[:, None], 0.0, aim)
        last = r["parts_left"][:, 0] < 0.5
        aim = np.where((last & ~rising)[:, None], 0.0, aim)
        return aim, np.where(rising | last, 0.0, valve), r["part_yaw"][:, 0]

    def _carry(self, r: dict[str, Array]) -> tuple[Array, Array]:
        """Way of a held part into its pocket, and the valve."""
        aim = r["pocket_offset"].copy()
        height = -aim[:, 2]
        aim[:, :2] -= np.minimum(np.maximum(r["hang"], -HANGS), HANGS)
        beside = np.sqrt(aim[:, 0] ** 2 + aim[:, 1] ** 2)
        turned = np.abs(r["tip_yaw"][:, 0])
        settled = (beside < SETTLED) & (turned < TURNED)
        # up before sideways, and sideways before down
        low = height < 0.75 * OVER_POCKET
        into = settled | (low & (beside < KEPT) & (turned < TURNED_KEPT))
        slowly = np.maximum(r["lead"][:, 2], -0.002) - SLOW
        aim[:, 2] = np.where(
            into, np.where(height < NEAR_FLOOR, slowly, aim[:, 2] + 0.5 * NEAR_FLOOR), aim[:, 2] + OVER_POCKET
        )
        aim[:, :2] = np.where((low & ~into)[:, None], 0.0, aim[:, :2])
        return aim, np.where(into & (height < SET_DOWN), 0.0, 1.0)
