"""Feasibility of samples: conditions on the drawn values, written as arithmetic and therefore data."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ShopfloorError

Array = NDArray[np.float64]

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}  # fmt: skip
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
_CALLS: dict[str, Callable[..., Any]] = {
    "abs": np.abs, "sqrt": np.sqrt, "exp": np.exp, "log": np.log, "sin": np.sin, "cos": np.cos, "min": np.minimum,
    "max": np.maximum,
}  # fmt: skip
_NAMES = {"pi": math.pi}


@dataclass(frozen=True)
class Constraint:
    """A condition that a sample must meet, such as `payload * 9.81 * 1.2 <= 0.8 * 330 * torque_limit`.

    Arithmetic, comparisons (also chained), abs, sqrt, exp, log, sin, cos, min, max and pi; names are terms. A term with
    several components must meet it in every one.

    Attributes:
        name: what is asked, for messages.
        expression: the condition.
        terms: names of the terms in it, sorted.
    """

    name: str
    expression: str
    terms: tuple[str, ...] = field(init=False)
    _tree: ast.expr = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        where = f"constraint {self.name!r}"
        try:
            tree = ast.parse(self.expression, mode="eval").body
        except SyntaxError as error:
            raise ShopfloorError(f"{where}: {self.expression!r} is not an expression: {error.msg}") from None
        if not isinstance(tree, ast.Compare):
            raise ShopfloorError(f"{where}: {self.expression!r} compares nothing; write a condition with <= or >=")
        names: set[str] = set()
        _check(tree, names, where)
        if not names:
            raise ShopfloorError(f"{where}: {self.expression!r} names no term")
        object.__setattr__(self, "terms", tuple(sorted(names)))
        object.__setattr__(self, "_tree", tree)

    def holds(self, values: Mapping[str, Array]) -> bool:
        """Whether a sample, name -> (size,), meets the condition."""
        with np.errstate(all="ignore"):
            return bool(np.all(_evaluate(self._tree, values)))


def _check(node: ast.AST, names: set[str], where: str) -> None:
    known = True
    if isinstance(node, ast.Name):
        if node.id not in _NAMES and node.id not in _CALLS:
            names.add(node.id)
    elif isinstance(node, ast.Constant):
        known = isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
    elif isinstance(node, ast.BinOp):
        known = type(node.op) in _BINARY
    elif isinstance(node, ast.UnaryOp):
        known = isinstance(node.op, ast.USub)
    elif isinstance(node, ast.Compare):
        known = all(type(op) in _COMPARE for op in node.ops)
    elif isinstance(node, ast.Call):
        known = isinstance(node.func, ast.Name) and node.func.id in _CALLS and not node.keywords
    else:
        known = False
    if not known:
        raise ShopfloorError(
            f"{where}: {ast.unparse(node)!r} is not allowed; use arithmetic, comparisons, pi and {', '.join(_CALLS)}"
        )
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            _check(child, names, where)


def _evaluate(node: ast.expr, values: Mapping[str, Array]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return _NAMES[node.id] if node.id in _NAMES else values[node.id]
    if isinstance(node, ast.UnaryOp):
        return -_evaluate(node.operand, values)
    if isinstance(node, ast.BinOp):
        return _BINARY[type(node.op)](_evaluate(node.left, values), _evaluate(node.right, values))
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        return _CALLS[node.func.id](*(_evaluate(a, values) for a in node.args))
    assert isinstance(node, ast.Compare)
    sides = [_evaluate(n, values) for n in (node.left, *node.comparators)]
    result: Any = True
    for op, left, right in zip(node.ops, sides[:-1], sides[1:], strict=True):
        result = np.logical_and(result, _COMPARE[type(op)](left, right))
    return result
