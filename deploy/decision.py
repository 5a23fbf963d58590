"""A policy bundle that decides, as a function for whoever dispatches: readings and what is possible in, a decision out.

There is no loop around it, no clock and no deadline: the host asks when its machine is ready for the next decision,
carries the answer out and asks again. Needs numpy, ONNX Runtime and the standard library.

Not supported, and refused by the parts concerned: the fixed-rate `runtime`, its rate limits and holds, and the twin.
Like the runtime, this is no safety function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..contract import ObservationAssembler
from ..errors import ShopfloorError
from .bundle import Bundle


@dataclass(frozen=True)
class Decision:
    """What a policy has decided.

    Attributes:
        number: of the decision.
        name: what the number means, from the contract.
        saturated: names of readings that were outside their range and have been clipped to it.
    """

    number: int
    name: str
    saturated: tuple[str, ...]


class DecisionFunction:
    """Decides for a machine, one question at a time.

    Args:
        bundle: a bundle that was trained to decide.

    Raises:
        ShopfloorError: if the bundle commands set-points instead, or does not reproduce its golden pairs.
    """

    def __init__(self, bundle: Bundle):
        if not bundle.contract.decisions:
            raise ShopfloorError(
                f"{bundle.path} commands set-points at {bundle.contract.control_hz:g} Hz instead of deciding; "
                f"`shopfloor run {bundle.path}` or ControllerRuntime execute it"
            )
        self.bundle = bundle
        self.self_test = bundle.self_test()
        self._assemble = ObservationAssembler(bundle.contract.observation)

    def begin(self) -> None:
        """Forget the past: the next readings are the first of an episode."""
        self._assemble.reset()

    def __call__(self, readings: Mapping[str, ArrayLike], allowed: ArrayLike) -> Decision:
        """Decide.

        Args:
            readings: by name, each (size,), in the units of the contract.
            allowed: (decisions,) which decisions are possible now.

        Raises:
            ShopfloorError: if a reading is missing, of another size or not finite, the mask is no mask of the
                contract's decisions, or nothing is allowed.
        """
        names = self.bundle.contract.decisions
        mask = np.asarray(allowed)
        if mask.shape != (len(names),) or not np.isin(mask, (0, 1)).all():
            raise ShopfloorError(f"allowed must hold a truth value for each of {len(names)} decisions, got {allowed!r}")
        if not mask.any():
            raise ShopfloorError("no decision is allowed: there is nothing to decide")
        observation = self._assemble(readings)
        logits = self.bundle.policy(np.concatenate((observation, mask), dtype=np.float32))
        if not np.isfinite(logits).all():
            raise ShopfloorError(f"the policy's output is not finite: {logits.tolist()}")
        number = choose(logits, mask.astype(bool))
        return Decision(number, names[number], self._assemble.saturated)


def choose(logits: ArrayLike, allowed: ArrayLike) -> int:
    """Number of the allowed decision with the largest logit, the first of equal ones."""
    return int(np.argmax(np.where(allowed, logits, -np.inf)))
