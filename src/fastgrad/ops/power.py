"""Powers and roots."""

from __future__ import annotations

import numpy as np

from fastgrad.errors import InvalidArgumentError
from fastgrad.operation import COMPLEX, FLOATING, INEXACT, NUMERIC, SIGNED, elementwise
from fastgrad.ops.arithmetic import conjugate, multiply, subtract
from fastgrad.ops.comparison import greater, masked, not_equal
from fastgrad.tensor import Tensor


def _pow(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if y.dtype.kind == "i":
        if y.size and y.min() < 0:
            raise InvalidArgumentError(
                f"pow: Integers to negative integer powers are not allowed, got {y.dtype.name} exponents down to {y.min()}. "
                f"Convert the base with tf.cast(x, tf.float32) first."
            )
    elif not y.ndim:
        # The squares of losses and their gradients: NumPy's power is 20 times slower.
        exponent = y[()]
        if exponent == 2:
            return np.square(x)
        if exponent == 1:
            return np.array(x)
    return np.power(x, y)


def _log_of_base(x: Tensor) -> Tensor:
    """``log(x)``, and 0 where it has none: there the power does not move with the exponent as far as gradients tell."""
    from fastgrad.ops.exponential import log

    keep = not_equal(x, 0) if x._array.dtype.kind == "c" else greater(x, 0)
    return masked(log(x), keep)


pow = elementwise(
    "pow",
    """``x**y``, element by element, broadcast.

    Args:
        x, y: tensors of one dtype: signed integers, floats or complex numbers.

    Raises:
        InvalidArgumentError: an integer to a negative power.
    """,
    run=_pow,
    code="pow({0}, {1})",
    gradient=(
        lambda g, z, x, y: multiply(g, conjugate(multiply(y, pow(x, subtract(y, 1))))),
        lambda g, z, x, y: multiply(g, conjugate(multiply(z, _log_of_base(x)))),
    ),
    dtypes=SIGNED | FLOATING | COMPLEX,
)
square = elementwise(
    "square",
    "``x * x``, element by element.",
    run=np.square,
    code="{0} * {0}",
    gradient=lambda g, y, x: multiply(g, multiply(conjugate(x), 2)),
    dtypes=NUMERIC,
)
sqrt = elementwise(
    "sqrt",
    "The square root, element by element; NaN below 0. The gradient at 0 is infinite.",
    run=np.sqrt,
    code="sqrt({0})",
    gradient=lambda g, y, x: multiply(multiply(g, 0.5), conjugate(reciprocal(y))),
    dtypes=INEXACT,
    domain=(0.0, np.inf),
)
reciprocal = elementwise(
    "reciprocal",
    "``1 / x``, element by element.",
    run=lambda x: np.divide(x.dtype.type(1), x),
    code="1 / {0}",
    gradient=lambda g, y, x: multiply(g, conjugate(-square(y))),
    dtypes=INEXACT,
)
