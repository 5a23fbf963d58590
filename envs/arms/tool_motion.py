"""An arm's action interface and the command of its tool as one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError
from ..control import ActionInterface, ActionTerm
from ..engine.task import Rows

Array = NDArray[np.float64]


class ToolMotion:
    """Set-points of an arm, of which some may be fixed, followed by that of its gripper or valve.

    The arm is under admittance control: its tip hangs on a virtual spring at the commanded position, no lasting contact
    presses harder than the commanded force limit, and contact begins no faster than limit / damping. The tool's
    set-point goes to its actuator as it is, held over the control step: how fast a gripper or a vacuum answers is the
    business of its model. Components of the arm that are fixed are no part of the action, such as rotations of a tool
    that always looks down.

    Args:
        arm: the arm's interface, such as `shopfloor.envs.control.Admittance`.
        tool: the tool's component; its name is that of the actuator.
        fixed: set-points of the arm's components that are not commanded, by name.
        decades: components whose set-point is the decimal logarithm of the arm's: where the small values of a range
            over decades matter, and a policy's noise should be a share of them.

    Raises:
        ShopfloorError: if a component is named that the arm's interface does not have, or a logarithm of values that
            are not positive.
    """

    def __init__(
        self, arm: ActionInterface, tool: ActionTerm, fixed: Mapping[str, float] | None = None,
        decades: Sequence[str] = (),
    ):  # fmt: skip
        self.arm, self.tool, self.fixed = arm, tool, dict(fixed or {})
        self.name = f"{arm.name}_{tool.name}"
        names = [t.name for t in arm.terms]
        unknown = [name for name in self.fixed if name not in names]
        if unknown:
            raise ShopfloorError(f"fixed={unknown!r}: the components of {arm.name} are {', '.join(names)}")
        refused = [n for n in decades if n not in names or arm.terms[names.index(n)].low <= 0.0]
        if refused:
            raise ShopfloorError(f"decades={refused!r}: name components of {arm.name} whose range is positive")
        self._decades = frozenset(decades)
        self._free = np.array([k for k, name in enumerate(names) if name not in self.fixed], dtype=np.intp)
        self._logs = np.array([names[k] in self._decades for k in self._free.tolist()])
        self._held = np.array([self.fixed.get(name, 0.0) for name in names])

    @property
    def terms(self) -> tuple[ActionTerm, ...]:
        """What is commanded of the arm, and the tool."""
        arm = self.arm.terms
        return (*(self._term(arm[k]) for k in self._free.tolist()), self.tool)

    def _term(self, term: ActionTerm) -> ActionTerm:
        if term.name not in self._decades:
            return term
        low, high = math.log10(term.low), math.log10(term.high)
        name, unit = f"log10_{term.name}", f"log10({term.unit})"
        return ActionTerm(name, unit, low, high, term.frame, f"decimal logarithm of the {term.description}")

    def limits(self) -> dict[str, Any]:
        """Those of the arm, what is fixed, and the range of the tool."""
        return {**self.arm.limits(), "fixed": self.fixed, "tool": [self.tool.low, self.tool.high]}

    def bind(self, s: Rows) -> None:
        """Resolve the tool's actuator and what the arm needs."""
        self._ctrl = s.sim.id("actuator", self.tool.name)
        self.arm.bind(s)

    def reset(self, s: Rows, rows: NDArray[np.intp]) -> None:
        """The arm from its present state; the tool's command is what the task has begun with."""
        self.arm.reset(s, rows)

    def apply(self, s: Rows, setpoints: Array, rows: NDArray[np.intp] | None) -> None:
        """Command the tool, then the arm, which steps the physics."""
        if rows is None:
            s.sim.ctrl[:, self._ctrl] = setpoints[:, -1]
        else:
            s.sim.ctrl[rows, self._ctrl] = setpoints[rows, -1]
        whole = np.broadcast_to(self._held, (s.n, self._held.size)).copy()
        whole[:, self._free] = np.where(self._logs, 10.0 ** setpoints[:, :-1], setpoints[:, :-1])
        self.arm.apply(s, whole, rows)
