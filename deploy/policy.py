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

    def _check_interface(self, source: str) -> None:
        def described(nodes: list[Any]) -> list[tuple[str, str, Any]]:
            return [(n.name, n.type, n.shape[-1] if len(n.shape) == 2 else n.shape) for n in nodes]

        expected = [(INPUT, "tensor(float)", self.width)], [(OUTPUT, "tensor(float)", self.size)]
        found = described(self._session.get_inputs()), described(self._session.get_outputs())
        if found != expected:
            raise ShopfloorError(f"{source} has inputs and outputs {found}, the contract demands {expected}")

    def __call__(self, observation: NDArray[np.float32]) -> NDArray[np.float64]:
        """Set-point (size,) for an observation (width,)."""
        (out,) = self._session.run((OUTPUT,), {INPUT: observation[None]})
        return out[0].astype(np.float64)


def arithmetic() -> str:
    """What the bits of a result depend on: ONNX Runtime's version and the instruction sets of this CPU."""
    found: Any = np.show_config(mode="dicts")
    return f"onnxruntime {ort.__version__}, {platform.machine()} {' '.join(found['SIMD Extensions']['found'])}"
