"""What an ONNX file contains, read without the `onnx` package, so that a controller can refuse it before loading it.

The file is walked as plain protobuf; field numbers are those of onnx.proto (ONNX 1.x, all compatible).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import ShopfloorError

# all that `shopfloor export` writes: arithmetic and activations, nothing that loops, branches or calls out
ALLOWED_OPS = frozenset(
    {"Add", "Clip", "Concat", "Div", "Elu", "Gemm", "LeakyRelu", "Max", "Min", "Mul", "Relu", "Sigmoid", "Sub", "Tanh"}
)
MAX_BYTES = 64 * 2**20

# field numbers of onnx.proto
_MODEL_OPSETS, _MODEL_GRAPH, _MODEL_TRAINING, _MODEL_FUNCTIONS = 8, 7, 20, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_NODE_OP, _NODE_DOMAIN, _NODE_ATTRIBUTE = 4, 7, 5
_ATTRIBUTE_NOT_PLAIN = {5, 6, 10, 11, 22, 23}  # tensors and graphs
_TENSOR_EXTERNAL = {13, 14}
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class GraphSummary:
    """Operators in order of execution and the opset version they are of."""

    ops: tuple[str, ...]
    opset: int


def audit(model: bytes, source: str = "policy.onnx") -> GraphSummary:
    """Check that a model is self-contained and consists of allowed operators only.

    Raises:
        ShopfloorError: if it is too large, malformed, refers to other files, or holds anything but allowed operators.
    """
    if len(model) > MAX_BYTES:
        raise ShopfloorError(f"{source} has {len(model)} bytes, at most {MAX_BYTES} are allowed")
    try:
        return _audit_model(model, source)
    except (IndexError, UnicodeDecodeError):
        raise ShopfloorError(f"{source} is not an ONNX file") from None


def _audit_model(model: bytes, source: str) -> GraphSummary:
    ops: list[str] = []
    opset = 0
    for number, value in _fields(model):
        if number in (_MODEL_TRAINING, _MODEL_FUNCTIONS):
            raise ShopfloorError(f"{source} holds functions or training data, which a policy must not")
        if number == _MODEL_OPSETS and isinstance(value, bytes):
            entry = dict(_fields(value))
            if entry.get(_OPSET_DOMAIN):
                raise ShopfloorError(f"{source} uses operators of the domain {entry[_OPSET_DOMAIN]!r}")
            opset = int(entry.get(_OPSET_VERSION, 0))
        if number == _MODEL_GRAPH and isinstance(value, bytes):
            ops += _audit_graph(value, source)
    if not ops or not opset:
        raise ShopfloorError(f"{source} is not an ONNX file")
    return GraphSummary(tuple(ops), opset)


def _audit_graph(graph: bytes, source: str) -> Iterator[str]:
    for number, value in _fields(graph):
        if number == _GRAPH_SPARSE:
            raise ShopfloorError(f"{source} holds sparse weights, which a policy must not")
        if not isinstance(value, bytes):
            continue
        if number == _GRAPH_INITIALIZER and any(n in _TENSOR_EXTERNAL and v for n, v in _fields(value)):
            raise ShopfloorError(f"{source} keeps weights in another file; a policy must be one file")
        if number == _GRAPH_NODE:
            yield _audit_node(value, source)


def _audit_node(node: bytes, source: str) -> str:
    op, domain, plain = "", "", True
    for number, value in _fields(node):
        if number == _NODE_OP and isinstance(value, bytes):
            op = value.decode()
        elif number == _NODE_DOMAIN and isinstance(value, bytes):
            domain = value.decode()
        elif number == _NODE_ATTRIBUTE and isinstance(value, bytes):
            plain = plain and not any(n in _ATTRIBUTE_NOT_PLAIN for n, _ in _fields(value))
    if op not in ALLOWED_OPS or domain:
        name = f"{domain}.{op}" if domain else op
        raise ShopfloorError(f"{source} uses the operator {name!r}; a policy may use: {', '.join(sorted(ALLOWED_OPS))}")
    if not plain:
        raise ShopfloorError(f"{source}: the operator {op} holds a tensor or a graph of its own, which it must not")
    return op


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of a protobuf message; IndexError if it is malformed."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        kind = tag & 7
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            size, position = _varint(data, position)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise IndexError(f"wire type {kind}")
        if position + size > len(data):
            raise IndexError("truncated")
        yield tag >> 3, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise IndexError("varint")
