"""Softmax and log-softmax along any axis; axes other than the last have their own operations, without transposes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import FLOAT_DTYPES, TABLE, Form, Operation, Tensor, operation
from fastgrad._src.core.result_rules import same_as_first
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.kernels.reduction import softmax as kernels
from fastgrad._src.kernels.runtime.eager_launch import call_eagerly
from fastgrad._src.ops.activation import with_half_floats
from fastgrad._src.ops.arguments import as_python_int
from fastgrad._src.ops.batching import BatchingRule, leading_axes_rule, shift_axes_rule
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS, launches_from, make_kernel_run
from fastgrad._src.ops.references import gradient_of_reference, in_float32

# ---- kernels -------------------------------------------------------------------------------------------


def _kernels_over_rows(name: str) -> dict[str, Any]:
    """Returns the ``run`` and ``launches`` of softmax or a related operation over the last axis."""

    def run_over_rows(*arrays: np.ndarray) -> np.ndarray:
        first = arrays[0]
        if first.dtype not in KERNEL_FLOATS:
            return with_half_floats(run_over_rows, arrays)
        out = np.empty(first.shape, first.dtype)
        columns = first.shape[-1]
        rows, cost = first.size // columns if columns else 0, kernels.EXPONENTIAL_NANOSECONDS * columns
        call_eagerly(getattr(kernels, name)[first.dtype], arrays, out, columns, units=rows, unit_cost=cost)
        return out

    return {"run": run_over_rows, "launches": launches_from("reduction.softmax", f"{name}_launches")}


def _strided_kernels(name: str) -> dict[str, Any]:
    """Returns the ``run`` and ``launches`` of softmax or a related operation over an axis that is not the last."""
    launches = launches_from("reduction.softmax_across", f"{name}_launches")
    return {"run": make_kernel_run(launches, same_as_first), "launches": launches}


# ---- rows of the table ---------------------------------------------------------------------------------


def _greatest_along(x: Tensor, axis: int) -> Tensor:
    return TABLE["reduce_max"](x, axes=(axis % x.ndim,), keepdims=True)


def _sum_along(x: Tensor, axis: int) -> Tensor:
    return TABLE["reduce_sum"](x, axes=(axis % x.ndim,), keepdims=True)


def _softmax_by_operations(x: Tensor, axis: int = -1) -> Tensor:
    powers = TABLE["exp"](x - _greatest_along(x, axis))
    return powers / _sum_along(powers, axis)


def _log_softmax_by_operations(x: Tensor, axis: int = -1) -> Tensor:
    centred = x - _greatest_along(x, axis)
    return centred - TABLE["log"](_sum_along(TABLE["exp"](centred), axis))


def _softmax_gradient_by_operations(g: Tensor, y: Tensor, axis: int = -1) -> Tensor:
    return (g - _sum_along(g * y, axis)) * y


def _log_softmax_gradient_by_operations(g: Tensor, y: Tensor, axis: int = -1) -> Tensor:
    return g - TABLE["exp"](y) * _sum_along(g, axis)


def _declare_softmax(
    suffix: str, kernels_of: Callable[[str], dict[str, Any]], batched: BatchingRule
) -> tuple[Operation, ...]:
    """Declares softmax, log-softmax and their gradients, over the last axis or over the attribute ``axis``.

    Args:
        suffix: part of the names of the rows.
        kernels_of: returns the ``run`` and ``launches`` of a row, from its name.
        batched: the batching rule.

    Returns:
        The rows of softmax, its gradient, and log-softmax.
    """
    shared: dict[str, Any] = {"form": Form.FUSED, "dtypes": FLOAT_DTYPES, "batched": batched, "result": same_as_first}

    def declare(name: str, gradient: Any, reference: Callable[..., Tensor]) -> Operation:
        kernels_and_reference = {**kernels_of(name), "reference": in_float32(reference)}
        return operation(name, gradient=gradient, **shared, **kernels_and_reference)

    def declare_gradient(name: str, reference: Callable[..., Tensor]) -> Operation:
        return declare(name, gradient_of_reference(reference), reference)

    gradient = declare_gradient(f"softmax{suffix}_gradient", _softmax_gradient_by_operations)
    log_gradient = declare_gradient(f"log_softmax{suffix}_gradient", _log_softmax_gradient_by_operations)
    row = declare(f"softmax{suffix}", lambda g, y, x, **axis: gradient(g, y, **axis), _softmax_by_operations)
    log_row = declare(
        f"log_softmax{suffix}", lambda g, y, x, **axis: log_gradient(g, y, **axis), _log_softmax_by_operations
    )
    return row, gradient, log_row


_softmax, softmax_gradient, _log_softmax = _declare_softmax("", _kernels_over_rows, leading_axes_rule)
_softmax_across, _, _log_softmax_across = _declare_softmax("_across", _strided_kernels, shift_axes_rule("axis", "axes"))


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

    Example:
        >>> tf.nn.softmax([0.0, 0.0, 0.0, 0.0])
        <tf.Tensor: shape=(4,), dtype=float32, numpy=array([0.25, 0.25, 0.25, 0.25], dtype=float32)>
    """
    try:
        return _call_softmax("softmax", _softmax, _softmax_across, logits, axis)
    except CompositeOperand as met:
        return met.call("softmax", logits, axis)


def log_softmax(logits: Any, axis: int | None = -1, name: str | None = None) -> Tensor:
    """``logits - log(sum(exp(logits)))`` along an axis; arguments as in ``softmax``. TensorFlow: tf.nn.log_softmax."""
    return _call_softmax("log_softmax", _log_softmax, _log_softmax_across, logits, axis)


def _call_softmax(name: str, last_axis_operation: Any, any_axis_operation: Any, logits: Any, axis: Any) -> Tensor:
    x = convert_to_tensor(logits)
    last_axis_operation.check_dtype(x._array)
    rank = x.ndim
    axis = -1 if axis is None else axis if type(axis) is int else as_python_int(axis, f"{name}: axis")
    if not rank or not -rank <= axis < rank:
        raise InvalidArgumentError(f"{name}: axis must be in [{-rank}, {rank}) for logits {list(x.shape)}, got {axis}.")
    if axis in (-1, rank - 1):
        return last_axis_operation(x)
    return any_axis_operation(x, axis=axis % rank)
