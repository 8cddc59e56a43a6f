"""Quotients and remainders.

``//`` and ``%`` follow Python: the remainder has the sign of the divisor; ``truncatediv`` and ``truncatemod`` follow C.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack

import numpy as np

from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import (
    INEXACT_DTYPES,
    INTEGER_DTYPES,
    REAL_DTYPES,
    Binary,
    RowParts,
    convert_pair,
    elementwise,
)
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.ops.arguments import tensor_of
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.kernel_launches import launches_from
from fastgrad._src.scalars import terms

_QUOTIENT_DTYPES: dict[np.dtype, str] = {
    **{np.dtype(name): "float32" for name in ("int8", "int16", "uint8", "uint16")},
    **{np.dtype(name): "float64" for name in ("int32", "int64", "uint32", "uint64")},
}

realdiv: Binary = elementwise(
    "divide",
    "``x / y`` of floats or complex numbers, element by element, broadcast.",
    run=np.divide,
    term=terms.DIVIDE,
    dtypes=INEXACT_DTYPES,
    simplifications=lambda rules: (rules.drop_neutral_operand(1, REAL_DTYPES, 1),),
)


def _cast_to_quotient_dtype(name: str, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Casts integers to the float dtype of their quotients; leaves other dtypes unchanged."""
    quotient_dtype = _QUOTIENT_DTYPES.get(x._array.dtype)
    if quotient_dtype is None:
        return x, y
    if x._array.dtype != y._array.dtype:
        raise _dtype_mismatch_error(name, x, y)
    return cast(x, quotient_dtype), cast(y, quotient_dtype)


def _dtype_mismatch_error(name: str, x: Tensor, y: Tensor) -> TypeError:
    return TypeError(
        f"{name}: `x` and `y` must have the same dtype, got {x.dtype!r} != {y.dtype!r}; use tf.cast first."
    )


def divide(x: Any, y: Any, name: str | None = None) -> Any:
    """``x / y``, element by element, broadcast, as Python divides.

    Args:
        x, y: tensors of one numeric dtype. Integers of up to 16 bits give float32, larger ones float64.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: booleans, or two dtypes.
        InvalidArgumentError: shapes that do not broadcast.
    """
    if type(x) is not Tensor or type(y) is not Tensor:
        try:
            x, y = convert_pair(x, y, "divide")
        except CompositeOperand as met:
            return met.mapped(divide, x, y)
    if x._array.dtype not in INEXACT_DTYPES:
        if x._array.dtype not in REAL_DTYPES:
            raise TypeError(f"divide: Invalid dtype {x.dtype!r}; numbers can be divided, tf.cast makes some.")
        x, y = _cast_to_quotient_dtype("divide", x, y)
    try:
        return realdiv(x, y)
    except InvalidArgumentError:
        if x._array.dtype != y._array.dtype:
            raise _dtype_mismatch_error("divide", x, y) from None
        raise


truediv = divide


# ---- a divisor of zero gives zero ----------------------------------------------------------------------

_divide_no_nan: Binary = elementwise(
    "divide_no_nan",
    "``x / y``, and 0 where ``y`` is 0.",
    run=lambda x, y: np.where(y == 0, x.dtype.type(0), np.divide(x, y)),
    term=terms.divide_no_nan,
    dtypes=INEXACT_DTYPES,
    simplifications=lambda rules: (rules.drop_neutral_operand(1, REAL_DTYPES, 1),),
)


def divide_no_nan(x: Any, y: Any, name: str | None = None) -> Any:
    """``x / y``, and 0 where ``y`` is 0, even for NaN and infinity; the gradients are 0 there, too.

    Args:
        x, y: tensors of one numeric dtype that broadcast; integers give floats as ``divide`` does.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: booleans, or two dtypes.
    """
    if type(x) is not Tensor or type(y) is not Tensor:
        try:
            x, y = convert_pair(x, y, "divide_no_nan")
        except CompositeOperand as met:
            return met.mapped(divide_no_nan, x, y)
    if x._array.dtype != y._array.dtype:
        raise _dtype_mismatch_error("divide_no_nan", x, y)
    return _divide_no_nan(*_cast_to_quotient_dtype("divide_no_nan", x, y))


def reciprocal_no_nan(x: Any, name: str | None = None) -> Tensor:
    """``1 / x``, and 0 where ``x`` is 0, element by element.

    Raises:
        InvalidArgumentError: ``x`` is neither floating nor complex.
    """
    x = tensor_of(x)
    return _divide_no_nan(constant_tensor(np.ones((), x._array.dtype)), x)


xdivy: Binary = elementwise(
    "xdivy",
    "``x / y``, and 0 where ``x`` is 0, even beside 0, NaN and infinity; element by element, broadcast.",
    run=lambda x, y: np.where(x == 0, x.dtype.type(0), np.divide(x, y)),
    term=terms.xdivy,
    dtypes=INEXACT_DTYPES,
)


# ---- whole quotients and remainders --------------------------------------------------------------------


def _checking_zero_divisors(name: str, divide: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a ``run`` that raises InvalidArgumentError for an integer divided by zero, and calls ``divide``."""

    def divide_checked(x: np.ndarray, y: np.ndarray) -> Any:
        if y.dtype.kind in "iu" and not y.all():
            raise InvalidArgumentError(f"{name}: Integer division by zero; the divisor of dtype {y.dtype} has a 0.")
        return divide(x, y)

    return divide_checked


def _integer_division_operation(
    name: str,
    summary: str,
    divide: Callable[..., Any],
    term: Callable[..., Any],
    like: str = "",
    **row: Unpack[RowParts],
) -> Any:
    """Declares a quotient or remainder; ``like`` names an operation with the same kernels and errors."""
    return elementwise(
        name,
        f"""{summary}

    Raises:
        InvalidArgumentError: an integer is divided by 0.
    """,
        run=_checking_zero_divisors(like or name, divide),
        term=term,
        dtypes=REAL_DTYPES,
        launches=launches_from("elementwise.elementwise", f"{like or name}_launches"),
        **row,
    )


def _truncated_quotient(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    correction = (np.remainder(x, y) != 0) & ((x < 0) != (y < 0))
    return np.add(np.floor_divide(x, y), correction.astype(x.dtype))


floordiv = _integer_division_operation(
    "floordiv",
    "``floor(x / y)``, element by element, broadcast; of floats the rounded quotient, so that ``1.0 // 0.1`` is 10. No gradient flows.",
    lambda x, y: np.floor_divide(x, y) if x.dtype.kind in "iu" else np.floor(np.divide(x, y)),
    terms.floordiv,
    simplifications=lambda rules: (rules.drop_neutral_operand(1, INTEGER_DTYPES, 1),),
)
floor_divide = _integer_division_operation(
    "floor_divide",
    "``x // y`` as in Python and NumPy, whose functions users write: of floats the exact quotient rounded down, ``1.0 // 0.1`` is 9.",
    np.floor_divide,
    terms.FLOOR_DIVIDE,
    like="floordiv",
)
floormod = _integer_division_operation(
    "floormod",
    "``x % y`` as in Python: the remainder has the sign of ``y``; element by element, broadcast.",
    np.remainder,
    terms.REMAINDER,
)
mod = floormod
truncatediv = _integer_division_operation(
    "truncatediv",
    "``x / y`` rounded towards 0, element by element, broadcast. No gradient flows.",
    _truncated_quotient,
    terms.truncatediv,
    simplifications=lambda rules: (rules.drop_neutral_operand(1, INTEGER_DTYPES, 1),),
)
truncatemod = _integer_division_operation(
    "truncatemod",
    "The remainder of ``truncatediv``: it has the sign of ``x``; element by element, broadcast.",
    np.fmod,
    terms.fmod,
)
