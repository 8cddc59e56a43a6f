"""Quotients and remainders."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad.operation import INEXACT, convert_pair, elementwise
from fastgrad.ops.arithmetic import conjugate, multiply, negative
from fastgrad.ops.casting import cast
from fastgrad.ops.power import reciprocal
from fastgrad.tensor import Tensor

_QUOTIENT = {
    **dict.fromkeys([np.dtype(t) for t in (np.int8, np.int16, np.uint8, np.uint16)], "float32"),
    **dict.fromkeys([np.dtype(t) for t in (np.int32, np.int64, np.uint32, np.uint64)], "float64"),
}

realdiv = elementwise(
    "divide",
    "``x / y`` of floats or complex numbers, element by element, broadcast.",
    run=np.divide,
    code="{0} / {1}",
    gradient=(
        lambda g, z, x, y: realdiv(g, conjugate(y)),
        lambda g, z, x, y: negative(multiply(g, conjugate(realdiv(z, y)))),
    ),
    dtypes=INEXACT,
)


def divide(x: Any, y: Any, name: str | None = None) -> Tensor:
    """``x / y``, element by element, broadcast, as Python divides.

    Args:
        x, y: tensors of one numeric dtype. Integers of up to 16 bits give float32, larger ones float64.
        name: kept for TensorFlow's signature.
    """
    if type(x) is not Tensor or type(y) is not Tensor:
        x, y = convert_pair(x, y)
    quotient = _QUOTIENT.get(x._array.dtype)
    if quotient is not None and x._array.dtype == y._array.dtype:
        x, y = cast(x, quotient), cast(y, quotient)
    return realdiv(x, y)


truediv = divide
