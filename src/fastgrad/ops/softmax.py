"""Softmax and log-softmax along any axis; axes other than the last have their own operations, without transposes."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad.composite import CompositeOperand
from fastgrad.errors import InvalidArgumentError
from fastgrad.kernels.reduction import softmax as kernels
from fastgrad.kernels.runtime.eager_launch import call_at_once, run_at_once
from fastgrad.operation import FLOATING, TABLE, Form, Operation, Tensor, operation
from fastgrad.ops.activation import through_float32
from fastgrad.ops.arguments import integer
from fastgrad.ops.batching import axes_after_rows, leading_axes
from fastgrad.ops.kernel_launches import launches_from, planned
from fastgrad.ops.rows import row_sum
from fastgrad.result_rules import same
from fastgrad.tensor import convert_to_tensor

_HAS_KERNEL = frozenset([np.dtype(np.float32), np.dtype(np.float64)])

# ---- softmax over the last axis ------------------------------------------------------------------------


def _rows(x: np.ndarray) -> tuple[int, int]:
    columns = x.shape[-1]
    return (x.size // columns if columns else 0), columns


def _row_kernel(name: str) -> Any:
    def run(*arrays: np.ndarray) -> np.ndarray:
        first = arrays[0]
        if first.dtype not in _HAS_KERNEL:
            return through_float32(run, arrays)
        out = np.empty(first.shape, first.dtype)
        rows, columns = _rows(first)
        cost = kernels.EXPONENTIAL * columns
        call_at_once(getattr(kernels, name)[first.dtype], arrays, out, columns, units=rows, unit_cost=cost)
        return out

    return run


softmax_gradient: Operation = operation(
    "softmax_gradient",
    Form.FUSED,
    run=_row_kernel("softmax_gradient"),
    # The result is y times (g minus the sum of g * y).
    gradient=(
        lambda gg, z, g, y: softmax_gradient(gg, y),
        lambda gg, z, g, y: gg * (g - row_sum(g * y, keepdims=True)) - g * row_sum(gg * y, keepdims=True),
    ),
    dtypes=FLOATING,
    launches=launches_from("reduction.softmax", "softmax_gradient_launches"),
    batched=leading_axes,
    result=same,
)
_softmax = operation(
    "softmax",
    Form.FUSED,
    run=_row_kernel("softmax"),
    gradient=lambda g, y, x: softmax_gradient(g, y),
    dtypes=FLOATING,
    launches=launches_from("reduction.softmax", "softmax_launches"),
    batched=leading_axes,
    result=same,
)
_log_softmax_gradient = operation(
    "log_softmax_gradient",
    Form.FUSED,
    run=_row_kernel("log_softmax_gradient"),
    # The result is g minus exp(y) times the sum of g.
    gradient=(
        lambda gg, z, g, y: gg - row_sum(gg * TABLE["exp"](y), keepdims=True),
        lambda gg, z, g, y: TABLE["negative"](gg * TABLE["exp"](y) * row_sum(g, keepdims=True)),
    ),
    dtypes=FLOATING,
    launches=launches_from("reduction.softmax", "log_softmax_gradient_launches"),
    batched=leading_axes,
    result=same,
)
_log_softmax = operation(
    "log_softmax",
    Form.FUSED,
    run=_row_kernel("log_softmax"),
    gradient=lambda g, y, x: _log_softmax_gradient(g, y),
    dtypes=FLOATING,
    launches=launches_from("reduction.softmax", "log_softmax_launches"),
    batched=leading_axes,
    result=same,
)


# ---- along another axis -----------------------------------------------------------------------------------


def _across(name: str) -> Any:
    """The `run` and `launches` of an operation whose kernels reduce over an axis that is not the last."""
    launches = launches_from("reduction.softmax_across", f"{name}_launches")

    def run(*arrays: np.ndarray, axis: int) -> np.ndarray:
        first = arrays[0]
        if first.dtype not in _HAS_KERNEL:
            return through_float32(run, arrays, axis=axis)
        out = np.empty(first.shape, first.dtype)
        plan = planned(launches, arrays, (out,), {"axis": axis}) if out.size else None
        if plan is not None:
            run_at_once(plan, [np.ascontiguousarray(array) for array in arrays], (out,))
        return out

    return {"run": run, "launches": launches}


def _sum_along(x: Tensor, axis: int) -> Tensor:
    return TABLE["reduce_sum"](x, axes=(axis,), keepdims=True)


_softmax_across_gradient: Operation = operation(
    "softmax_across_gradient",
    Form.FUSED,
    gradient=(
        lambda gg, z, g, y, axis: _softmax_across_gradient(gg, y, axis=axis),
        lambda gg, z, g, y, axis: gg * (g - _sum_along(g * y, axis)) - g * _sum_along(gg * y, axis),
    ),
    dtypes=FLOATING,
    **_across("softmax_across_gradient"),
    batched=axes_after_rows("axis", "axes"),
    result=same,
)
_softmax_across = operation(
    "softmax_across",
    Form.FUSED,
    gradient=lambda g, y, x, axis: _softmax_across_gradient(g, y, axis=axis),
    dtypes=FLOATING,
    **_across("softmax_across"),
    batched=axes_after_rows("axis", "axes"),
    result=same,
)
_log_softmax_across_gradient = operation(
    "log_softmax_across_gradient",
    Form.FUSED,
    gradient=(
        lambda gg, z, g, y, axis: gg - _sum_along(gg * TABLE["exp"](y), axis),
        lambda gg, z, g, y, axis: TABLE["negative"](gg * TABLE["exp"](y) * _sum_along(g, axis)),
    ),
    dtypes=FLOATING,
    **_across("log_softmax_across_gradient"),
    batched=axes_after_rows("axis", "axes"),
    result=same,
)
_log_softmax_across = operation(
    "log_softmax_across",
    Form.FUSED,
    gradient=lambda g, y, x, axis: _log_softmax_across_gradient(g, y, axis=axis),
    dtypes=FLOATING,
    **_across("log_softmax_across"),
    batched=axes_after_rows("axis", "axes"),
    result=same,
)


# ---- the public functions ---------------------------------------------------------------------------------


def softmax(logits: Any, axis: int | None = -1, name: str | None = None) -> Any:
    """``exp(logits) / sum(exp(logits))`` along an axis, without overflow.

    Args:
        logits: a floating tensor of rank 1 or more.
        axis: the axis that sums to one; default the last.

    Returns:
        A tensor of the same shape and dtype.

    Raises:
        InvalidArgumentError: ``axis`` is out of range, or the dtype is not floating. TensorFlow: tf.nn.softmax.
    """
    try:
        return _along("softmax", _softmax, _softmax_across, logits, axis)
    except CompositeOperand as met:
        return met.call("softmax", logits, axis)


def log_softmax(logits: Any, axis: int | None = -1, name: str | None = None) -> Tensor:
    """``logits - log(sum(exp(logits)))`` along an axis; arguments as in ``softmax``. TensorFlow: tf.nn.log_softmax."""
    return _along("log_softmax", _log_softmax, _log_softmax_across, logits, axis)


def _along(name: str, row: Any, across: Any, logits: Any, axis: Any) -> Tensor:
    x = convert_to_tensor(logits)
    row.check_dtype(x._array)
    rank = x.ndim
    axis = -1 if axis is None else axis if type(axis) is int else integer(axis, f"{name}: axis")
    if not rank or not -rank <= axis < rank:
        raise InvalidArgumentError(
            f"{name}: axis must be in [{-rank}, {rank}) for logits of shape {list(x.shape)}, got {axis}."
        )
    if axis in (-1, rank - 1):
        return row(x)
    return across(x, axis=axis % rank)
