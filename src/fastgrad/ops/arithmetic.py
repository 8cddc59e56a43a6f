"""Arithmetic: add, subtract, multiply, absolute values, signs and extremes of two."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad.operation import COMPLEX, FLOATING, NUMERIC, REAL, SIGNED, STRING, TABLE, elementwise
from fastgrad.ops.casting import cast
from fastgrad.ops.comparison import greater_equal, less_equal, logical_not, masked
from fastgrad.tensor import Tensor

add = elementwise(
    "add",
    """``x + y``, element by element, broadcast.

    Args:
        x, y: tensors of one numeric dtype, or strings (joined).
    """,
    run=np.add,
    code="{0} + {1}",
    gradient=(lambda g, z, x, y: g, lambda g, z, x, y: g),
    dtypes=NUMERIC | STRING,
)
subtract = elementwise(
    "subtract",
    "``x - y``, element by element, broadcast.",
    run=np.subtract,
    code="{0} - {1}",
    gradient=(lambda g, z, x, y: g, lambda g, z, x, y: negative(g)),
)
multiply = elementwise(
    "multiply",
    "``x * y``, element by element, broadcast.",
    run=np.multiply,
    code="{0} * {1}",
    gradient=(lambda g, z, x, y: multiply(g, conjugate(y)), lambda g, z, x, y: multiply(g, conjugate(x))),
)
negative = elementwise(
    "negative",
    "``-x``, element by element.",
    run=np.negative,
    code="-{0}",
    gradient=lambda g, y, x: negative(g),
    dtypes=SIGNED | FLOATING | COMPLEX,
)


def conjugate(x: Tensor) -> Tensor:
    """The complex conjugate; ``x`` itself if it is real. In gradient rules."""
    return TABLE["conj"](x) if x._array.dtype.kind == "c" else x


def zeros_as(x: Tensor) -> Tensor:
    """Zeros of the shape and dtype of ``x``. In gradient rules."""
    return Tensor(np.zeros(x._array.shape, x._array.dtype))


def _sign(x: np.ndarray) -> np.ndarray:
    if x.dtype.kind != "c":
        return np.sign(x)
    size = np.abs(x)  # NumPy before 2 had another sign of complex numbers
    return np.where(size == 0, x.dtype.type(0), x / size)


def _abs_gradient(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    return multiply(cast(g, x.dtype), sign(x))


abs = elementwise(
    "abs",
    """``|x|``, element by element; the gradient at 0 is 0.

    Args:
        x: a signed number; complex numbers give their modulus, a real number.
    """,
    run=np.abs,
    code="abs({0})",
    gradient=_abs_gradient,
    dtypes=SIGNED | FLOATING | COMPLEX,
)
sign = elementwise(
    "sign",
    """-1, 0 or 1 with the sign of ``x``, element by element; ``x / |x|`` of complex numbers. Its gradient is zeros.""",
    run=_sign,
    code="sign({0})",
    gradient=lambda g, y, x: zeros_as(x),
    dtypes=SIGNED | FLOATING | COMPLEX,
)
maximum = elementwise(
    "maximum",
    "The larger of two, element by element, broadcast; NaN if one is NaN. At ties the gradient goes to ``x``.",
    run=np.maximum,
    code="maximum({0}, {1})",
    gradient=(
        lambda g, z, x, y: masked(g, greater_equal(x, y)),
        lambda g, z, x, y: masked(g, logical_not(greater_equal(x, y))),
    ),
    dtypes=REAL,
)
minimum = elementwise(
    "minimum",
    "The smaller of two, element by element, broadcast; NaN if one is NaN. At ties the gradient goes to ``x``.",
    run=np.minimum,
    code="minimum({0}, {1})",
    gradient=(
        lambda g, z, x, y: masked(g, less_equal(x, y)),
        lambda g, z, x, y: masked(g, logical_not(less_equal(x, y))),
    ),
    dtypes=REAL,
)
squared_difference = elementwise(
    "squared_difference",
    "``(x - y)**2`` (times its conjugate for complex numbers), element by element, broadcast.",
    run=lambda x, y: np.square(np.subtract(x, y)),
    code="({0} - {1}) * ({0} - {1})",
    gradient=(
        lambda g, z, x, y: multiply(g, multiply(subtract(x, y), 2)),
        lambda g, z, x, y: multiply(g, multiply(subtract(y, x), 2)),
    ),
)
