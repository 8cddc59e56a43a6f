"""Arithmetic: add, subtract, multiply, absolute values, signs and extremes of two."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastgrad._src.core.backward import zeros_of
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.gradient_of_terms import computes
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.lowering import Elementwise
from fastgrad._src.core.operation import (
    COMPLEX_DTYPES,
    FLOAT_DTYPES,
    INEXACT_DTYPES,
    LARGE,
    NUMERIC_DTYPES,
    REAL_DTYPES,
    SIGNED_DTYPES,
    STRING_DTYPES,
    TABLE,
    Binary,
    Form,
    Unary,
    convert_pair,
    elementwise,
    joint,
    operation,
)
from fastgrad._src.core.result_rules import broadcast_with_real_dtype
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.ops.arguments import check_dtype, tensors_of
from fastgrad._src.ops.batching import leading_axes_rule
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS
from fastgrad._src.scalars import terms

add = elementwise(
    "add",
    """``x + y``, element by element, broadcast.

    Args:
        x, y: tensors of one numeric dtype, or strings (joined).

    Example:
        >>> tf.add([1, 2], 10)
        <tf.Tensor: shape=(2,), dtype=int32, numpy=array([11, 12], dtype=int32)>
    """,
    run=np.add,
    term=terms.ADD,
    dtypes=NUMERIC_DTYPES | STRING_DTYPES,
    keeps_rows=True,
    # x + 0.0 is not x where x is -0.0, but x + -0.0 is.
    simplifications=lambda rules: (rules.drop_neutral_operand(-0.0, NUMERIC_DTYPES, 0, 1),),
)
subtract = elementwise(
    "subtract",
    "``x - y``, element by element, broadcast.",
    run=np.subtract,
    term=terms.SUBTRACT,
    keeps_rows=True,
    simplifications=lambda rules: (rules.drop_neutral_operand(0.0, NUMERIC_DTYPES, 1),),
)
multiply: Binary = elementwise(
    "multiply",
    """``x * y``, element by element, broadcast.

    Example:
        >>> tf.multiply([1.0, 2.0], [3.0, 4.0])
        <tf.Tensor: shape=(2,), dtype=float32, numpy=array([3., 8.], dtype=float32)>
    """,
    run=np.multiply,
    term=terms.MULTIPLY,
    # x * 1 is not x where x is complex and infinite.
    simplifications=lambda rules: (rules.drop_neutral_operand(1, REAL_DTYPES, 0, 1),),
)
negative: Unary = elementwise(
    "negative",
    "``-x``, element by element.",
    run=np.negative,
    term=terms.NEGATIVE,
    dtypes=SIGNED_DTYPES | FLOAT_DTYPES | COMPLEX_DTYPES,
    keeps_rows=True,
    simplifications=lambda rules: (rules.cancel_involution,),
)


@computes("conj")
def conjugate(x: Tensor) -> Tensor:
    """The complex conjugate of ``x``, or ``x`` itself if it is real; for gradient rules."""
    return TABLE["conj"](x) if x._array.dtype.kind == "c" else x


def square_of_modulus(x: Tensor) -> Tensor:
    """``|x|**2``, a real number also for complex ``x``."""
    if x._array.dtype.kind != "c":
        return TABLE["square"](x)
    return TABLE["real"](multiply(x, conjugate(x)))


def _sign_gradient(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    if x._array.dtype.kind != "c":
        return zeros_of(x)
    # Only the component of g perpendicular to y changes the angle of y.
    parallel = cast(TABLE["real"](multiply(conjugate(y), g)), x.dtype)
    return TABLE["divide_no_nan"](subtract(g, multiply(y, parallel)), cast(abs(x), x.dtype))


def _sign(x: np.ndarray) -> np.ndarray:
    if x.dtype.kind != "c":
        return np.sign(x)
    modulus = np.abs(x)  # NumPy before 2 defined the sign of complex numbers in another form
    return np.where(modulus == 0, x.dtype.type(0), x / modulus)


abs = elementwise(
    "abs",
    """``|x|``, element by element; the gradient at 0 is 0.

    Args:
        x: a signed number; complex numbers give their modulus, a real number.

    Example:
        >>> tf.abs([-1.5, 2.0])
        <tf.Tensor: shape=(2,), dtype=float32, numpy=array([1.5, 2. ], dtype=float32)>
    """,
    run=np.abs,
    term=terms.abs,
    dtypes=SIGNED_DTYPES | FLOAT_DTYPES | COMPLEX_DTYPES,
    result=broadcast_with_real_dtype,
    simplifications=lambda rules: (rules.drop_inner_operation("negative"), rules.merge_idempotent),
)
sign: Unary = elementwise(
    "sign",
    """-1, 0 or 1 with the sign of ``x``, element by element; ``x / |x|`` of complex numbers. Gradients of real signs are zeros.""",
    run=_sign,
    term=terms.sign,
    gradient=_sign_gradient,
    dtypes=SIGNED_DTYPES | FLOAT_DTYPES | COMPLEX_DTYPES,
)
maximum = elementwise(
    "maximum",
    """The larger of two, element by element, broadcast; NaN if one is NaN. At ties the gradient goes to ``x``.

    Example:
        >>> tf.maximum([1.0, 5.0], 2.0)
        <tf.Tensor: shape=(2,), dtype=float32, numpy=array([2., 5.], dtype=float32)>
    """,
    run=np.maximum,
    term=terms.maximum,
    dtypes=REAL_DTYPES,
    simplifications=lambda rules: (rules.merge_equal_inputs,),
)
minimum = elementwise(
    "minimum",
    """The smaller of two, element by element, broadcast; NaN if one is NaN. At ties the gradient goes to ``x``.

    Example:
        >>> tf.minimum([1.0, 5.0], 2.0)
        <tf.Tensor: shape=(2,), dtype=float32, numpy=array([1., 2.], dtype=float32)>
    """,
    run=np.minimum,
    term=terms.minimum,
    dtypes=REAL_DTYPES,
    simplifications=lambda rules: (rules.merge_equal_inputs,),
)


def _squared_difference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    difference = np.subtract(x, y)
    return np.multiply(difference, np.conjugate(difference)) if x.dtype.kind == "c" else np.square(difference)


squared_difference = elementwise(
    "squared_difference",
    "``(x - y)**2``, for complex numbers ``|x - y|**2``, element by element, broadcast.",
    run=_squared_difference,
    term=terms.squared_difference,
)
multiply_no_nan: Binary = elementwise(
    "multiply_no_nan",
    "``x * y``, and 0 where ``y`` is 0 even if ``x`` is infinite or NaN; element by element, broadcast.",
    run=lambda x, y: np.where(y == 0, x.dtype.type(0), np.multiply(x, y)),
    term=terms.multiply_no_nan,
    dtypes=INEXACT_DTYPES,
    simplifications=lambda rules: (rules.drop_neutral_operand(1, REAL_DTYPES, 1),),
)
_nextafter = elementwise(
    "nextafter",
    "The next number after ``x`` on the way to ``y``.",
    run=np.nextafter,
    term=terms.nextafter,
    dtypes=FLOAT_DTYPES,
)


def nextafter(x1: Any, x2: Any, name: str | None = None) -> Tensor:
    """The next number of the dtype after ``x1`` in the direction of ``x2``, element by element, broadcast.

    Args:
        x1, x2: float32 or float64.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: other dtypes, or shapes that do not go together.
    """
    x, y = convert_pair(x1, x2, "nextafter")
    check_dtype("nextafter", x._array.dtype, KERNEL_FLOATS)
    return _nextafter(x, y)


# ---- sums of several tensors -----------------------------------------------------------------------


def _add_n(*xs: np.ndarray) -> np.ndarray:
    first = xs[0]
    if not first.ndim:  # one call, which adds in the same order
        total: np.ndarray = np.add.accumulate(xs, dtype=first.dtype)[-1]
        return total
    total = np.add(first, xs[1])
    for x in xs[2:]:
        total = np.add(total, x)
    return total


def _add_n_code(scalars: Any, *xs: str) -> str:
    total, *others = xs
    for x in others:
        total = scalars.rounded_to_dtype(f"({total} + {x})")
    return total


_add_n_operation = operation(
    "add_n",
    Form.ELEMENTWISE,
    run=_add_n,
    gradient=joint(lambda needs, g, y, *xs: [g] * len(xs)),
    dtypes=NUMERIC_DTYPES,
    batched=leading_axes_rule,
    elementwise=Elementwise(kernel_code=_add_n_code),
    rounds_as_run=True,
    large=LARGE,
)


def add_n(inputs: Any, name: str | None = None) -> Any:
    """The sum of several tensors of one shape.

    Args:
        inputs: an iterable of tensors of the same shape and dtype, or a tensor, whose rows are added. Among them may be
            ``IndexedSlices``.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: ``inputs`` is empty or not iterable.
        InvalidArgumentError: different shapes or dtypes, or a dtype that has no sums.

    Example:
        >>> tf.add_n([[1, 2], [3, 4], [5, 6]])
        <tf.Tensor: shape=(2,), dtype=int32, numpy=array([ 9, 12], dtype=int32)>
    """
    if type(inputs) is not list:
        if inputs is None or isinstance(inputs, (str, bytes, dict)):
            raise TypeError(f"add_n: Argument `inputs` must be a list of tensors, got {inputs!r:.200}.")
        inputs = list(inputs) if isinstance(inputs, Iterable) else []
    if not inputs:
        raise ValueError(
            "add_n: Inputs must be an iterable of at least one Tensor/IndexedSlices with the same dtype and shape."
        )
    if len(inputs) > 1:  # the operands of a sum need no tensors of their own
        inputs = [value._read() if type(value) is Variable else value for value in inputs]
    try:
        xs = tensors_of(inputs, "add_n")
    except CompositeOperand as met:
        return met.call("add_n", inputs)
    first = xs[0]._array
    check_dtype("add_n", first.dtype, NUMERIC_DTYPES)
    shape = first.shape
    for position, x in enumerate(xs):
        if x._array.shape != shape:
            raise InvalidArgumentError(
                f"add_n: Inputs must have the same size and shape. Input 0: {list(shape)} != "
                f"input {position}: {list(x._array.shape)}; add_n does not broadcast, `+` does."
            )
    return xs[0] if len(xs) == 1 else _add_n_operation(*xs)


def scalar_mul(scalar: Any, x: Any, name: str | None = None) -> Any:
    """``scalar * x``, also for ``IndexedSlices``, whose values are multiplied.

    Raises:
        ValueError: ``scalar`` is not of shape ().
    """
    if isinstance(x, IndexedSlices):
        return IndexedSlices(scalar_mul(scalar, x.values), x.indices, x.dense_shape)
    scalar, x = convert_pair(scalar, x, "scalar_mul")
    if scalar._array.ndim:
        raise ValueError(f"The input scalar must be a 0-D value. Received shape {scalar.shape}.")
    return multiply(scalar, x)


def polyval(coeffs: Any, x: Any, name: str | None = None) -> Tensor:
    """The polynomial ``coeffs[0] * x**(n-1) + ... + coeffs[n-1]``, by Horner's rule.

    Args:
        coeffs: a list of tensors or numbers, each of which broadcasts with ``x``.
        x: the points of evaluation.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: ``coeffs`` is no list.
    """
    if not isinstance(coeffs, list):
        raise ValueError(f"polyval: Argument coeffs must be list type. Received type {type(coeffs)}.")
    x = convert_to_tensor(x)
    if not coeffs:
        return zeros_of(x)
    first = coeffs[0]
    total = first if isinstance(first, Tensor) else convert_to_tensor(first, x.dtype)
    for coefficient in coeffs[1:]:
        total = add(multiply(total, x), coefficient)
    return total
