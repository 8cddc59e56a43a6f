"""Operands of NumPy's functions as tensors."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.composite import Composite
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.ops.shaping import reshape


def tensor(x: Any) -> Any:
    """Converts ``x`` to a tensor; composite tensors stay such."""
    return x if isinstance(x, Composite) else convert_to_tensor(x)


def flattened(x: Any, axis: Any) -> tuple[Any, Any]:
    """Returns ``x`` and the axis; without an axis, the elements in a vector and axis 0."""
    x = tensor(x)
    return (reshape(x, [-1]), 0) if axis is None else (x, axis)
