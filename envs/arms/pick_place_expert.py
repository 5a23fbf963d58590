"""The scripted expert of ArmPickPlace: over the part, down, grip, over the fixture, down, against its pins, let go."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..control import ActionTerm
from ..engine.task import Rows
from .grasp import grasp

Array = NDArray[np.float64]

OPEN = 0.066  # m, width to approach with
OVER_BIN, OVER_SEAT = 0.055, 0.035  # m, tip over the part, and part over the seat, where it goes sideways
HELD, NEAR = 0.0006, 0.012  # m, width over the part's that counts as held; part from the tip at most
ASIDE = 0.0015  # m, from both sets of pins, where the part comes down
HOVER, HOVER_NEAR = 0.018, 0.006  # m, over the seat, just higher than the pins, and from when on there
READY, READY_TURN = 0.0005, np.deg2rad(0.4)  # m, rad, from the way down
NEAR_SEAT, SLOW = 0.0028, 0.00018  # m, under which the part goes down by so much a step
AHEAD = 0.0004  # m, of the command before the tip on that way
LOW = 0.0018  # m over the seat, from which on contact decides
SINKING_N = 130.0  # force limit on the way down, which bounds its speed
PRESS_N, STANDING_N, STOPPED_N = 5.0, 1.0, 5.0  # down on the buttons; what says that it stands, and is stopped
GIVE = 0.3  # increment a step, of the target, as a share of what would change the spring's force by the error
IN_PLACE = 0.0016  # m, by the camera, of a part that is let go and left alone


class PickPlaceExpert:
    """Grips where the camera sees the part, sets it down beside the pins, pushes it against them by feel, lets go.

    It keeps no memory: what to do follows from where part and tip are, from the gripper's width and from the force.

    Args:
        terms: components of the action.
        width: of the part between the pads, m.
        yaw: direction of the fixture's x axis, rad; its two pins stop a part that moves along it, its third pin one
            that moves along y.
        stiffness: of the virtual spring, N/m.
        allowance: force limits (N) for free motion and for setting down, and the push against the pins.
    """

    privileged = False

    def __init__(
        self, terms: Sequence[ActionTerm], width: float, yaw: float, stiffness: float,
        allowance: tuple[float, float, float] = (800.0, 18.0, 8.0),
    ):  # fmt: skip
        self._low, self._high = (np.array([getattr(t, end) for t in terms]) for end in ("low", "high"))
        self.width, self.stiffness, self.allowance = width, stiffness, allowance
        c, d = np.cos(yaw), np.sin(yaw)
        self._along, self._across = np.array([c, d]), np.array([-d, c])
        self._pins = self._along + self._across  # from a part to the corner that the pins make

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """Increments, force limit and width."""
        r = readings
        width, offset, seat = r["grip_width"][:, 0], r["part_offset"], r["seat_offset"]
        far = _length(offset) > NEAR
        held = (width < self.width + HELD) & ~far
        placed = (_length(seat) < IN_PLACE) & ~held
        approach, closing = grasp(r, OVER_BIN, OPEN)
        carry, release, limit = self._carry(r)
        # (n, 3) where the commanded position ought to be, relative to the tip
        aim = np.where(held[:, None], carry, approach)
        up = np.zeros_like(aim)
        up[:, 2] = OVER_SEAT
        # fingers that are not yet open would take the part along
        clear = np.where(width[:, None] > self.width + 0.012, up, 0.0)
        aim = np.where(placed[:, None], clear, aim)
        wanted = np.where(held, np.where(release, OPEN, 0.0), np.where(closing & ~placed, 0.0, OPEN))
        turn = np.where(held, -r["tip_yaw"][:, 0], r["part_yaw"][:, 0])
        turn = np.where(placed, 0.0, turn)
        limit = np.where(held, limit, self.allowance[0])
        out = np.zeros((len(aim), self._low.size))
        out[:, :3] = aim - r["lead"]
        out[:, 3] = 0.5 * turn
        out[:, 4] = np.log10(limit)
        out[:, 5] = wanted
        return np.minimum(np.maximum(out, self._low), self._high)

    def _carry(self, r: dict[str, Array]) -> tuple[Array, NDArray[np.bool_], Array]:
        """Way of a held part to its seat; whether to let go; and the force limit."""
        seat, force, lead = r["seat_offset"], r["force"], r["lead"]
        free, down, push = self.allowance
        aim = -seat
        aim[:, :2] -= ASIDE * self._pins
        beside = np.sqrt(aim[:, 0] ** 2 + aim[:, 1] ** 2)
        turned = np.abs(r["tip_yaw"][:, 0])
        height = seat[:, 2]
        low, ready = height < LOW, (beside < READY) & (turned < READY_TURN)
        # up before sideways, where the part would meet the bin's wall or a pin
        hover = np.where(beside < HOVER_NEAR, HOVER, OVER_SEAT)
        aim[:, 2] = hover - height
        aim[:, :2] = np.where((height < 0.7 * hover)[:, None] & (beside > HOVER_NEAR)[:, None], 0.0, aim[:, :2])
        # a command that has run ahead is called back, or the part would come down faster than it
        slowly = np.maximum(lead[:, 2], -AHEAD) - SLOW
        # beside the pins straight down, slowly where contact is near
        between = (height < HOVER + 0.003) & (beside < HOVER_NEAR)
        sinking = between & (ready | (height < HOVER - 0.003))
        aim[:, 2] = np.where(sinking, np.where(height < NEAR_SEAT, slowly, -height), aim[:, 2])
        # down on the buttons and against the pins, by feel, once it is low
        feel, give = sinking & low, GIVE / self.stiffness
        pushed = lead[:, :2] + give * (push * self._pins + force[:, :2])
        aim[:, :2] = np.where(feel[:, None], pushed, aim[:, :2])
        pressed = np.maximum(lead[:, 2], -2.0 * AHEAD) - give * (PRESS_N - force[:, 2])
        aim[:, 2] = np.where(feel, pressed, aim[:, 2])
        stopped = feel & (force[:, 2] > STANDING_N)
        for axis in (self._along, self._across):
            stopped &= -(force[:, 0] * axis[0] + force[:, 1] * axis[1]) > STOPPED_N
        limit = np.where(height < NEAR_SEAT, down, SINKING_N)
        return aim, stopped, np.where(sinking, limit, free)


def _length(v: Array) -> Array:
    return np.asarray(np.sqrt(v[:, 0] * v[:, 0] + v[:, 1] * v[:, 1] + v[:, 2] * v[:, 2]))
