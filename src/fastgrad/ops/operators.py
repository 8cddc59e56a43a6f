"""Python's operators on tensors and variables: each calls the public function of its operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad.ops.arithmetic import abs as absolute
from fastgrad.ops.arithmetic import add, multiply, negative, subtract
from fastgrad.ops.comparison import equal, greater, greater_equal, less, less_equal, not_equal
from fastgrad.ops.division import divide
from fastgrad.ops.power import pow as power
from fastgrad.tensor import Tensor
from fastgrad.variable import Variable


def _binary(symbol: str, function: Callable[[Any, Any], Tensor]) -> None:
    """Installs ``x symbol y`` and its reflection."""
    reflected = f"__r{symbol}__"

    def forward(x: Any, y: Any) -> Any:
        try:
            return function(x, y)
        except (TypeError, ValueError):
            # What does not convert may know what to do itself.
            if hasattr(type(y), reflected):
                return NotImplemented
            raise

    def backward(x: Any, y: Any) -> Any:
        return function(y, x)

    for kind in (Tensor, Variable):
        setattr(kind, f"__{symbol}__", forward)
        setattr(kind, reflected, backward)


def _comparison(symbol: str, function: Callable[[Any, Any], Tensor]) -> None:
    def compare(x: Any, y: Any) -> Any:
        return function(x, y)

    for kind in (Tensor, Variable):
        setattr(kind, f"__{symbol}__", compare)


def _matmul(x: Any, y: Any) -> Any:
    from fastgrad.ops.contraction import matmul

    return matmul(x, y)


_binary("add", add)
_binary("sub", subtract)
_binary("mul", multiply)
_binary("truediv", divide)
_binary("pow", power)
_binary("matmul", _matmul)
_comparison("lt", less)
_comparison("le", less_equal)
_comparison("gt", greater)
_comparison("ge", greater_equal)
for _kind in (Tensor, Variable):
    _kind.__neg__ = lambda x: negative(x)
    _kind.__abs__ = lambda x: absolute(x)
    _kind.__pos__ = lambda x: x
