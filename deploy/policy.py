"""An exported policy in ONNX Runtime, one observation at a time."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ..errors import ShopfloorError
from .graph import audit

INPUT, OUTPUT = "observation", "setpoint"
MASK_INPUT, LOGITS = "action_mask", "logits"

Interface = tuple[list[tuple[str, int]], list[tuple[str, int]]]


class OnnxPolicy:
    """A policy graph: raw readings in, set-points in physical units out, always at batch 1.

    Batch 1 is part of the meaning: matrix products round differently at other batch sizes, and evaluation, runtime
    and golden pairs are to agree in every bit.

    Args:
        model: the ONNX file's bytes; nothing is read from disk.
        width, size: components of observation and set-point.
        source: what errors call the file.

    Raises:
        ShopfloorError: if the graph is not one that `shopfloor export` could have written, or has other shapes.
    """

    def __init__(self, model: bytes, width: int, size: int, source: str = "policy.onnx"):
        self.graph = audit(model, source)
        self.width = width
        self.size = size
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        # a spinning worker takes a core from the control loop
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exception classes share no public base
            raise ShopfloorError(f"{source} does not load in ONNX Runtime {ort.__version__}: {error}") from None
        self._check_interface(source)

    @property
    def interface(self) -> Interface:
        """Inputs and outputs of the graph: name and components."""
        return [(INPUT, self.width)], [(OUTPUT, self.size)]

    def _check_interface(self, source: str) -> None:
        def described(nodes: list[Any]) -> list[tuple[str, str, Any]]:
            return [(n.name, n.type, n.shape[-1] if len(n.shape) == 2 else n.shape) for n in nodes]

        expected = tuple([(name, "tensor(float)", size) for name, size in nodes] for nodes in self.interface)
        found = described(self._session.get_inputs()), described(self._session.get_outputs())
        if found != expected:
            raise ShopfloorError(f"{source} has inputs and outputs {found}, the contract demands {expected}")

    def __call__(self, observation: NDArray[np.float32]) -> NDArray[np.float64]:
        """Set-point (size,) for an observation (width,)."""
        (out,) = self._session.run((OUTPUT,), {INPUT: observation[None]})
        return out[0].astype(np.float64)


class DecisionPolicy(OnnxPolicy):
    """A policy graph that decides: raw readings and a mask in, a logit for each decision out, again at batch 1.

    The policy's choice is the decision of the largest logit, the first of equal ones. The graph itself lowers the
    logits of what the mask does not allow by 1e8.

    Args:
        model: the ONNX file's bytes; nothing is read from disk.
        width, size: components of the observation, and number of decisions.
        source: what errors call the file.

    Raises:
        ShopfloorError: as `OnnxPolicy`.
    """

    @property
    def interface(self) -> Interface:
        """Inputs and outputs of the graph: name and components."""
        return [(INPUT, self.width), (MASK_INPUT, self.size)], [(LOGITS, self.size)]

    def __call__(self, observation: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits (size,) for an observation followed by a mask of 0 and 1, (width + size,)."""
        row = observation[None]
        (out,) = self._session.run((LOGITS,), {INPUT: row[:, : self.width], MASK_INPUT: row[:, self.width :]})
        return out[0].astype(np.float64)


def arithmetic() -> str:
    """What the bits of a result depend on: ONNX Runtime's version and the instruction sets of this CPU."""
    found: Any = np.show_config(mode="dicts")
    return f"onnxruntime {ort.__version__}, {platform.machine()} {' '.join(found['SIMD Extensions']['found'])}"
