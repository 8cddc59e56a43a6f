"""Powers, roots and reciprocals."""

from __future__ import annotations

import numpy as np

from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.gradient_of_terms import computes
from fastgrad._src.core.operation import (
    COMPLEX_DTYPES,
    FLOAT_DTYPES,
    INEXACT_DTYPES,
    NUMERIC_DTYPES,
    SIGNED_DTYPES,
    TABLE,
    Binary,
    Unary,
    elementwise,
)
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.ops.comparison import greater, not_equal
from fastgrad._src.ops.kernel_launches import launches_from
from fastgrad._src.scalars import terms


def _run_pow(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if y.dtype.kind == "i":
        if y.size and y.min() < 0:
            raise InvalidArgumentError(
                f"pow: Integers to negative integer powers are not allowed, got {y.dtype.name} exponents down to "
                f"{y.min()}. Convert the base with tf.cast(x, tf.float32) first."
            )
    elif not y.ndim:
        # Squares and their gradients are common in training programs; NumPy's power is 20 times slower.
        exponent = y[()]
        if exponent == 2:
            return np.square(x) if x.size < square.large else square.run_arrays(x)
        if exponent == 1:
            return np.array(x)
        if exponent == 0.5 and x.dtype.kind != "c":
            # NumPy computes the square root, which differs from the power at -0 and -inf.
            return np.where(np.isneginf(x), x.dtype.type(np.inf), np.add(np.sqrt(x), x.dtype.type(0)))
    return np.power(x, y)


@computes("log_of_base")
def _log_of_base(x: Tensor) -> Tensor:
    """``log(x)``, or 0 where the logarithm is not finite or not real, as in TensorFlow's gradient of exponents."""
    keep = not_equal(x, 0) if x._array.dtype.kind == "c" else greater(x, 0)
    # Replaces the other elements by 1 before the logarithm: a mask after it would keep the infinite derivative at 0.
    return TABLE["log"](TABLE["where"](keep, x, constant_tensor(np.ones((), x._array.dtype))))


pow: Binary = elementwise(
    "pow",
    """``x**y``, element by element, broadcast.

    Args:
        x, y: tensors of one dtype: signed integers, floats or complex numbers.

    Raises:
        InvalidArgumentError: an integer to a negative power.

    Example:
        >>> tf.pow([2.0, 3.0], 2.0)
        <tf.Tensor: shape=(2,), dtype=float32, numpy=array([4., 9.], dtype=float32)>
    """,
    run=_run_pow,
    term=terms.pow,
    rounds_as_run=False,
    dtypes=SIGNED_DTYPES | FLOAT_DTYPES | COMPLEX_DTYPES,
    domain=(0.0, np.inf),
    launches=launches_from("elementwise.elementwise", "pow_launches"),
    simplifications=lambda rules: (rules.replace_small_power,),
)
square = elementwise(
    "square",
    """``x * x``, element by element.

    Example:
        >>> tf.square([1.0, -3.0])
        <tf.Tensor: shape=(2,), dtype=float32, numpy=array([1., 9.], dtype=float32)>
    """,
    run=np.square,
    term=terms.square,
    dtypes=NUMERIC_DTYPES,
)
sqrt_gradient = elementwise(
    "sqrt_gradient",
    "``g / (2 * y)``, and 0 where the cotangent ``g`` is 0: what is masked out does not count, as in TensorFlow.",
    run=lambda g, y: np.where(g == 0, g, np.divide(np.multiply(g, g.dtype.type(0.5)), y)),
    term=terms.sqrt_gradient,
    dtypes=INEXACT_DTYPES,
)
sqrt = elementwise(
    "sqrt",
    """The square root, element by element: NaN below 0. The gradient at 0 is infinite.

    Example:
        >>> tf.sqrt([4.0, 9.0])
        <tf.Tensor: shape=(2,), dtype=float32, numpy=array([2., 3.], dtype=float32)>
    """,
    run=np.sqrt,
    term=terms.sqrt,
    dtypes=INEXACT_DTYPES,
    domain=(0.0, np.inf),
)
rsqrt_gradient = elementwise(
    "rsqrt_gradient",
    "``g * -0.5 * y**3``, and 0 where the cotangent ``g`` is 0, as in TensorFlow.",
    run=lambda g, y: np.where(g == 0, g, np.multiply(np.multiply(g, g.dtype.type(-0.5)), np.multiply(np.square(y), y))),
    term=terms.rsqrt_gradient,
    dtypes=INEXACT_DTYPES,
)
rsqrt = elementwise(
    "rsqrt",
    "``1 / sqrt(x)``, element by element: infinite at 0, NaN below.",
    run=lambda x: np.divide(x.dtype.type(1), np.sqrt(x)),
    term=terms.rsqrt,
    dtypes=INEXACT_DTYPES,
    domain=(0.0, np.inf),
)
one_minus_square = elementwise(
    "one_minus_square",
    "``1 - x**2`` with all digits near 1 and -1: the factor of the gradients of `asin`, `acos` and `atanh`.",
    run=lambda x: np.multiply(np.subtract(x.dtype.type(1), x), np.add(x, x.dtype.type(1))),
    term=terms.one_minus_square,
    dtypes=INEXACT_DTYPES,
)
reciprocal_gradient = elementwise(
    "reciprocal_gradient",
    "``-g * y**2``, and 0 where the cotangent ``g`` is 0, as in TensorFlow.",
    run=lambda g, y: np.where(g == 0, g, np.negative(np.multiply(g, np.square(y)))),
    term=terms.reciprocal_gradient,
    dtypes=INEXACT_DTYPES,
)
reciprocal: Unary = elementwise(
    "reciprocal",
    "``1 / x``, element by element.",
    run=lambda x: np.divide(x.dtype.type(1), x),
    term=terms.reciprocal,
    dtypes=INEXACT_DTYPES,
)
