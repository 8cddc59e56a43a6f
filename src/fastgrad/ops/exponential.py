"""Exponentials, logarithms, circular and hyperbolic functions, and the sigmoid family."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad.operation import FLOATING, INEXACT, elementwise
from fastgrad.ops.arithmetic import add, conjugate, multiply, negative, subtract
from fastgrad.ops.power import reciprocal, square
from fastgrad.tensor import Tensor

exp = elementwise(
    "exp",
    "``e**x``, element by element.",
    run=np.exp,
    code="exp({0})",
    gradient=lambda g, y, x: multiply(g, conjugate(y)),
    dtypes=INEXACT,
)
log = elementwise(
    "log",
    "The natural logarithm, element by element: -inf at 0, NaN below.",
    run=np.log,
    code="log({0})",
    gradient=lambda g, y, x: multiply(g, conjugate(reciprocal(x))),
    dtypes=INEXACT,
    domain=(0.0, np.inf),
)
tanh = elementwise(
    "tanh",
    "The hyperbolic tangent, element by element.",
    run=np.tanh,
    code="tanh({0})",
    gradient=lambda g, y, x: multiply(g, conjugate(subtract(1.0, square(y)))),
    dtypes=INEXACT,
)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    one = x.dtype.type(1)
    return np.divide(one, np.add(one, np.exp(np.negative(x))))


sigmoid = elementwise(
    "sigmoid",
    "``1 / (1 + exp(-x))``, element by element.",
    run=_sigmoid,
    code="1 / (1 + exp(-{0}))",
    gradient=lambda g, y, x: multiply(g, conjugate(multiply(y, subtract(1.0, y)))),
    dtypes=INEXACT,
)
