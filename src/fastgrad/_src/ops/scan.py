"""Cumulative sums, products and logsumexps along an axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import (
    FLOAT_DTYPES,
    HALF_DTYPES,
    INEXACT_DTYPES,
    NUMERIC_DTYPES,
    Form,
    Operation,
    operation,
)
from fastgrad._src.core.result_rules import same_as_first
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.arguments import check_dtype, nonnegative_axis, tensor_of
from fastgrad._src.ops.arithmetic import conjugate, minimum, multiply, subtract
from fastgrad._src.ops.batching import shift_axes_rule
from fastgrad._src.ops.comparison import masked, not_equal
from fastgrad._src.ops.exponential import exp
from fastgrad._src.ops.kernel_launches import kernel_operation, launches_from


def _accumulate(ufunc: Any, x: np.ndarray, axis: int, exclusive: bool, reverse: bool, first: float) -> np.ndarray:
    """``ufunc.accumulate`` along an axis, in float32 for half-width floats; exclusive results start with ``first``."""
    if reverse:
        x = np.flip(x, axis)
    dtype = np.dtype(np.float32) if x.dtype in HALF_DTYPES else x.dtype
    y = ufunc.accumulate(x.astype(dtype, copy=False), axis, dtype)
    if exclusive:
        y = _shifted_by_one(y, axis, first)
    if y.dtype != x.dtype:
        y = y.astype(x.dtype)
    return np.asarray(np.flip(y, axis), order="C") if reverse else y


def _shifted_by_one(x: np.ndarray, axis: int, first: float) -> np.ndarray:
    """``x`` shifted by one towards larger indices along an axis; position 0 becomes ``first``."""
    y = np.empty_like(x)
    target, source = np.moveaxis(y, axis, 0), np.moveaxis(x, axis, 0)
    target[:1] = first
    target[1:] = source[:-1]
    return y


shifted: Operation = kernel_operation(
    "shifted",
    Form.INDEX_MAP,
    gradient=lambda g, y, x, axis, reverse: shifted(g, axis=axis, reverse=not reverse),
    dtypes=NUMERIC_DTYPES,
    launches=launches_from("movement.boxes", "shift_by_one_launches"),
    batched=shift_axes_rule("axis", "axes"),
    result=same_as_first,
)
shifted.__doc__ = "``y[k] = x[k - 1]`` along an axis, 0 in the first place; from the other end if ``reverse``."


def _run_recurrence(a: np.ndarray, b: np.ndarray, axis: int, reverse: bool) -> np.ndarray:
    if b.dtype in HALF_DTYPES:  # rounds once, not at each step
        return _run_recurrence(a.astype(np.float32), b.astype(np.float32), axis, reverse).astype(b.dtype)
    if reverse:
        a, b = np.flip(a, axis), np.flip(b, axis)
    y = np.array(b)
    rows, factors = np.moveaxis(y, axis, 0), np.moveaxis(a, axis, 0)
    for k in range(1, len(rows)):
        rows[k] += factors[k] * rows[k - 1]
    return np.asarray(np.flip(y, axis), order="C") if reverse else y


linear_recurrence: Operation = operation(
    "linear_recurrence",
    Form.SCAN,
    run=_run_recurrence,
    gradient=(
        lambda g, y, a, b, axis, reverse: multiply(
            linear_recurrence(conjugate(shifted(a, axis=axis, reverse=not reverse)), g, axis=axis, reverse=not reverse),
            conjugate(shifted(y, axis=axis, reverse=reverse)),
        ),
        lambda g, y, a, b, axis, reverse: linear_recurrence(
            conjugate(shifted(a, axis=axis, reverse=not reverse)), g, axis=axis, reverse=not reverse
        ),
    ),
    dtypes=INEXACT_DTYPES,
    launches=launches_from("reduction.scanning", "recurrence_launches"),
    batched=shift_axes_rule("axis", "axes"),
    result=lambda a, b, axis, reverse: same_as_first(b),
)
linear_recurrence.__doc__ = (
    "``y[k] = a[k] * y[k - 1] + b[k]`` along an axis, ``y[0] = b[0]``; from the other end if ``reverse``."
)


def _call_scan(operation: Operation, x: Any, axis: Any, exclusive: Any, reverse: Any) -> Tensor:
    x = tensor_of(x)
    check_dtype(operation.name, x._array.dtype, operation.dtypes)
    if axis is None:
        raise ValueError(f"{operation.name}: axis is None; a running total has one axis, an integer.")
    return operation(
        x,
        axis=nonnegative_axis(axis, x._array.ndim, operation.name, InvalidArgumentError),
        exclusive=bool(exclusive),
        reverse=bool(reverse),
    )


_cumsum: Operation = kernel_operation(
    "cumsum",
    Form.SCAN,
    gradient=lambda g, y, x, axis, exclusive, reverse: _cumsum(g, axis=axis, exclusive=exclusive, reverse=not reverse),
    dtypes=NUMERIC_DTYPES,
    launches=launches_from("reduction.scanning", "cumsum_launches"),
    batched=shift_axes_rule("axis", "axes"),
    result=same_as_first,
)


def cumsum(x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Tensor:
    """Cumulative sums along an axis.

    Args:
        x: a numeric tensor.
        axis: the axis, an integer.
        exclusive: whether each sum excludes its own element, so that the first sum is 0.
        reverse: whether to start from the end.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: ``x`` is not numeric, or ``axis`` is out of range.
    """
    return _call_scan(_cumsum, x, axis, exclusive, reverse)


def _scan_operation(
    name: str, function: np.ufunc, identity: float, gradient: Callable[..., Tensor], dtypes: frozenset[np.dtype]
) -> Operation:
    """Declares a scan by a function of two numbers, of which ``identity`` changes none."""
    return operation(
        name,
        Form.SCAN,
        run=lambda x, axis, exclusive, reverse: _accumulate(function, x, axis, exclusive, reverse, identity),
        gradient=gradient,
        dtypes=dtypes,
        launches=launches_from("reduction.scanning", f"{name}_launches"),
        batched=shift_axes_rule("axis", "axes"),
        result=same_as_first,
    )


def _cumprod_gradient(g: Tensor, y: Tensor, x: Tensor, axis: int, exclusive: bool, reverse: bool) -> Tensor:
    # Avoids division, because x may have zeros: dy[j]/dx[k] is the product of x[:k] and of x[k+1:j].
    before = _cumprod(x, axis=axis, exclusive=True, reverse=reverse)
    if exclusive:
        after = shifted(
            linear_recurrence(conjugate(x), g, axis=axis, reverse=not reverse), axis=axis, reverse=not reverse
        )
    else:
        factors = conjugate(shifted(x, axis=axis, reverse=not reverse))
        after = linear_recurrence(factors, g, axis=axis, reverse=not reverse)
    return multiply(conjugate(before), after)


_cumprod = _scan_operation("cumprod", np.multiply, 1, _cumprod_gradient, NUMERIC_DTYPES)


def cumprod(x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Tensor:
    """Cumulative products along an axis; gradients are exact where elements are zero.

    Args:
        x: a numeric tensor.
        axis: the axis, an integer.
        exclusive: whether each product excludes its own element, so that the first product is 1.
        reverse: whether to start from the end.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: ``x`` is not numeric, or ``axis`` is out of range.
    """
    return _call_scan(_cumprod, x, axis, exclusive, reverse)


def _cumulative_logsumexp_gradient(
    g: Tensor, y: Tensor, x: Tensor, axis: int, exclusive: bool, reverse: bool
) -> Tensor:
    # dx[k] = sum over j >= k of g[j] exp(x[k] - y[j]), as exp(x[k] - y[k]) times a recurrence with factors of at most 1.
    if exclusive:
        y = _cumulative_logsumexp(x, axis=axis, exclusive=False, reverse=reverse)
        g = shifted(g, axis=axis, reverse=not reverse)
    after = shifted(y, axis=axis, reverse=not reverse)
    # Equal totals may be infinite, and inf - inf is NaN.
    steps = masked(minimum(subtract(y, after), 0.0), not_equal(y, after))
    shares = exp(masked(subtract(x, y), not_equal(y, -np.inf)))  # an empty sum is all its own
    return multiply(shares, linear_recurrence(exp(steps), g, axis=axis, reverse=not reverse))


_cumulative_logsumexp = _scan_operation(
    "cumulative_logsumexp", np.logaddexp, -np.inf, _cumulative_logsumexp_gradient, FLOAT_DTYPES
)


def cumulative_logsumexp(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Tensor:
    """``log(cumsum(exp(x)))`` along an axis, without overflow.

    Args:
        x: a floating tensor.
        axis: the axis, an integer.
        exclusive: whether each result excludes its own element, so that the first result is -inf.
        reverse: whether to start from the end.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: ``x`` is not floating, or ``axis`` is out of range.
    """
    return _call_scan(_cumulative_logsumexp, x, axis, exclusive, reverse)
