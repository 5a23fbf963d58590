"""The commands of a machine that a robot tends, vise and door, beside those of the robot."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...assets.cells.tend_cell import DOOR_STROKE
from ...assets.fixtures.vise import JAW_SPEED, OVERTRAVEL, STROKE
from ..control import ActionTerm
from ..engine.task import Rows
from .tool_motion import ToolMotion

Array = NDArray[np.float64]

TOLD = 0.5  # of a component, beyond which it is a command


class MachineCommands:
    """A robot's set-points, followed by the commands of vise and door.

    The machine's controller does what it was told last: above 0.5 the vise clamps and the door opens, below -0.5 the
    vise opens and the door shuts, and between nothing changes. Vise and door move at their own speeds.

    Args:
        motion: the robot's interface.

    Row arrays: `vise_told` and `door_told`, 1 or -1; the task registers `door_speed`, m/s.
    """

    def __init__(self, motion: ToolMotion):
        self.motion = motion
        self.name = f"{motion.name}_machine"

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """The robot's, the vise's and the door's."""
        return (
            *self.motion.terms,
            ActionTerm("vise", "1", -1.0, 1.0, "", f"above {TOLD:g} the vise clamps, below {-TOLD:g} it opens"),
            ActionTerm("door", "1", -1.0, 1.0, "", f"above {TOLD:g} the door opens; below {-TOLD:g} it shuts, which "
                       "starts the machine's cycle"),
        )  # fmt: skip

    def limits(self) -> dict[str, Any]:
        """Those of the robot and the vise's speed."""
        return {**self.motion.limits(), "vise": {"stroke": STROKE, "speed": JAW_SPEED}, "door": {"stroke": DOOR_STROKE}}

    def bind(self, s: Rows) -> None:
        """Resolve the machine's actuators."""
        self._vise, self._door = s.sim.id("actuator", "vise"), s.sim.id("actuator", "door")
        s.new("vise_told")
        s.new("door_told")
        self.motion.bind(s)

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """Vise open, door shut."""
        s.vise_told[rows] = -1.0
        s.door_told[rows] = -1.0
        self.motion.reset(s, rows)

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Take the commands, move the set-points of vise and door by a step, and let the robot step the physics."""
        rows_or_all: Any = slice(None) if rows is None else rows
        dt, ctrl = s.timing.control_dt, s.sim.ctrl
        for told, column, index, speed, end in (
            (s.vise_told, -2, self._vise, JAW_SPEED, STROKE + OVERTRAVEL),
            (s.door_told, -1, self._door, s.door_speed[rows_or_all], DOOR_STROKE),
        ):
            command = setpoints[rows_or_all, column]
            told[rows_or_all] = np.where(np.abs(command) > TOLD, np.sign(command), told[rows_or_all])
            moved = ctrl[rows_or_all, index] + dt * speed * told[rows_or_all]
            ctrl[rows_or_all, index] = np.minimum(np.maximum(moved, 0.0), end)
        self.motion.apply(s, setpoints[:, :-2], rows)
