"""Arithmetic: add, multiply, divide, power, extremes of two, and what is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad import dtypes
from fastgrad.errors import InvalidArgumentError
from fastgrad.operation import BOOLEAN, INEXACT, INTEGER, NUMERIC, REAL, STRING, TABLE, elementwise
from fastgrad.tensor import Tensor, convert_to_tensor

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
    gradient=(lambda g, z, x, y: multiply(g, _conj(y)), lambda g, z, x, y: multiply(g, _conj(x))),
)
negative = elementwise(
    "negative", "``-x``, element by element.", run=np.negative, code="-{0}", gradient=lambda g, y, x: negative(g)
)


def _conj(x: Tensor) -> Tensor:
    return TABLE["conj"](x) if x._array.dtype.kind == "c" else x
