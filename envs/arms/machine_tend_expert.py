"""The scripted expert of ArmMachineTend: pick the blank, in through the door, seat it by feel, clamp, let go, out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..control import ActionTerm
from ..engine.task import Rows
from .grasp import grasp

Array = NDArray[np.float64]

OPEN = 0.072  # m, width to approach with, and to leave with
LEAVING = 0.065  # m, from which the gripper counts as open beside a part in the vise
OVER_TRAY = 0.060  # m, tip over the grasp where it goes sideways to the part
CARRY = 0.036  # m, part over its seat on the way in, and tip on the way out
HELD = 0.0022  # m, of the width from the part's length, which says that it is held
GATE, OUT = -0.190, -0.200  # m, tip from the taught grasp along x: waits before the door, and is out of the machine
ENTRY, LINED_UP = 0.05, 0.012  # m, across, from which the tip goes in; and m over or under the height to go in at
ASIDE = 0.0018  # m, from fixed jaw and stop, where the part comes down
READY, READY_TURN = 0.0006, np.deg2rad(0.4)  # m, rad, from the way down
STARTED = 0.002  # m, of the way down, from where on it goes on unless something is well off
BETWEEN = 0.020  # m, over the seat, where the part is about to come between the jaws
NEAR_SEAT, SLOW = 0.0028, 0.00018  # m, under which the part goes down by so much a step
AHEAD = 0.0004  # m, of the command before the tip on that way
LOW = 0.0018  # m over the seat, from which on contact decides
SINKING_N = 130.0  # force limit on the way down, which bounds its speed
# Down on the parallels: the force, what says that the part touches them, and what says that it stands, which the
# friction of a part that is pushed against jaw and stop cannot be; and what says that it is stopped there.
PRESS_N, TOUCHING_N, STANDING_N, STOPPED_N = 10.0, 2.5, 5.0, 9.0
STILL = 0.0012  # m/s, along each axis, of a part that is stopped
GIVE = 0.3  # increment a step, of the target, as a share of what would change the spring's force by the error
MOVING = 0.0003  # m, of the jaw, which says that the vise has been told to clamp


class MachineTendExpert:
    """Grips where the camera sees the blank, seats it by feel against stop, fixed jaw and parallels, has it clamped.

    It keeps no memory: what to do follows from where the tip is, from the gripper's width, from the force and from what
    the machine's switches say. The door is asked for at once, so that it opens while the blank is picked.

    Args:
        terms: components of the action.
        length: of the part between the pads, m.
        stiffness: of the virtual spring, N/m.
        allowance: force limits (N) for free motion and for seating, and the push against stop and jaw.
    """

    privileged = False

    def __init__(
        self, terms: Sequence[ActionTerm], length: float, stiffness: float,
        allowance: tuple[float, float, float] = (800.0, 25.0, 13.0),
    ):  # fmt: skip
        self._low, self._high = (np.array([getattr(t, end) for t in terms]) for end in ("low", "high"))
        self.length, self.stiffness, self.allowance = length, stiffness, allowance

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Nothing is kept between steps."""

    def act(self, s: Rows, readings: dict[str, Array]) -> Array:
        """Increments, force limit, width, and the commands of vise and door."""
        r = readings
        width, clamped, inside = r["grip_width"][:, 0], r["clamped"][:, 0] > 0.5, r["inside"][:, 0] > 0.5
        held = (np.abs(width - self.length) < HELD) & ~clamped
        approach, closing = grasp(r, OVER_TRAY, OPEN)
        carry, seated, limit = self._carry(r)
        out = np.zeros((len(width), self._low.size))
        # (n, 3) where the commanded position ought to be, relative to the tip
        aim = np.where(held[:, None], carry, approach)
        aim = np.where(clamped[:, None], self._leave(r), aim)
        out[:, :3] = aim - r["lead"]
        turn = np.where(held | clamped | inside, -r["tip_yaw"][:, 0], r["part_yaw"][:, 0])
        out[:, 3] = np.where(clamped, 0.0, turn - r["yaw_lead"][:, 0])
        free, gentle, _ = self.allowance
        limit = np.where(held, limit, np.where(clamped & (width < LEAVING), gentle, free))
        out[:, 4] = np.log10(limit)
        out[:, 5] = np.where(held | (closing & ~clamped), 0.0, OPEN)
        out[:, 6] = np.where(clamped | (held & (seated | (r["jaw"][:, 0] > MOVING))), 1.0, -1.0)
        out[:, 7] = np.where(clamped & (width > LEAVING) & ~inside, -1.0, 1.0)
        return np.minimum(np.maximum(out, self._low), self._high)

    def _carry(self, r: dict[str, Array]) -> tuple[Array, NDArray[np.bool_], Array]:
        """Way of a held part into the vise; whether it is seated; and the force limit."""
        tip, opened = r["tip_position"], r["door_open"][:, 0] > 0.5
        height = tip[:, 2]
        aim = -tip
        aim[:, :2] -= ASIDE
        outside = tip[:, 0] < GATE + 0.01
        # before the door: up, then across, and in once the door is open
        enters = (np.abs(tip[:, 1]) < ENTRY) & opened & (np.abs(height - CARRY) < LINED_UP)
        aim[:, 0] = np.where(outside & ~enters, GATE - tip[:, 0], aim[:, 0])
        rising = outside & (height < CARRY - LINED_UP)
        aim[:, :2] = np.where(rising[:, None], 0.0, aim[:, :2])
        beside = np.sqrt(aim[:, 0] ** 2 + aim[:, 1] ** 2)
        ready = (beside < READY) & (np.abs(r["tip_yaw"][:, 0]) < READY_TURN)
        sinking = ~outside & (ready | ((height < CARRY - STARTED) & (beside < 2.0 * READY)) | (height < BETWEEN))
        free, gentle, _ = self.allowance
        # a command that has run ahead is called back, or the part would come down faster than it
        slowly = np.maximum(r["lead"][:, 2], -AHEAD) - SLOW
        down = np.where(height < NEAR_SEAT, slowly, -height)
        aim[:, 2] = np.where(sinking, down, CARRY - height)
        feel = sinking & (height < LOW)
        pushed, seated = self._feel(r)
        # while the jaw comes, the command stays
        pushed = np.where((r["jaw"] > MOVING), r["lead"], pushed)
        aim = np.where(feel[:, None], pushed, aim)
        limit = np.where(height < NEAR_SEAT, gentle, SINKING_N)
        return aim, feel & seated, np.where(sinking, limit, free)

    def _feel(self, r: dict[str, Array]) -> tuple[Array, NDArray[np.bool_]]:
        """Down on the parallels, against fixed jaw and stop; and whether the part is at all three."""
        force, lead, give, push = r["force"], r["lead"], GIVE / self.stiffness, self.allowance[2]
        aim = lead + np.where((force[:, 2] > TOUCHING_N)[:, None], give * (push + force), 0.0)
        aim[:, 2] = np.maximum(lead[:, 2], -2.0 * AHEAD) - give * (PRESS_N - force[:, 2])
        seated = (force[:, 2] > STANDING_N) & (-force[:, 0] > STOPPED_N) & (-force[:, 1] > STOPPED_N)
        # a part that is still on its way rubs, perhaps as hard as a stop would press
        seated &= (np.abs(r["tip_velocity"][:, :2]) < STILL).all(axis=1)
        return aim, seated

    def _leave(self, r: dict[str, Array]) -> Array:
        """Way out, once the vise has the part: open the gripper, straight up, back."""
        tip = r["tip_position"]
        aim = np.zeros_like(tip)
        rises = (tip[:, 2] < CARRY - LINED_UP) & (tip[:, 0] > 0.5 * GATE)
        aim[:, 2] = CARRY - tip[:, 2]
        aim[:, 0] = np.where(rises, 0.0, OUT - tip[:, 0])
        return np.where((r["grip_width"][:, 0] > LEAVING)[:, None], aim, 0.0)
