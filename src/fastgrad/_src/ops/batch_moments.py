"""Mean and variance of a batch as one operation, and normalization by them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad._src.core.backward import sum_to_shape
from fastgrad._src.core.lowering import Elementwise
from fastgrad._src.core.operation import TABLE, Form, Operation, joint
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.batching import BatchArg, call_operation
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS, kernel_operation, launches_from
from fastgrad._src.ops.reduction import reduce_mean
from fastgrad._src.ops.shaping import reshape, transpose


def _batch_moments_gradient(needs: Any, g: Any, y: Any, x: Tensor) -> tuple[Tensor]:
    mean = y[0]
    share = 1.0 / max(x._array.shape[0], 1)
    gradient = None
    if g[1] is not None:
        gradient = (x - mean) * (g[1] * (2.0 * share))
    if g[0] is not None:
        mean_part = g[0] * share
        gradient = TABLE["broadcast_to"](mean_part, shape=x._array.shape) if gradient is None else gradient + mean_part
    return (gradient,)  # type: ignore[return-value]  # one of the two is there


def _rows_into_columns_rule(name: str, rows: int, /, x: BatchArg, **attributes: Any) -> Any:
    """The batching rule of operations that treat each column of a matrix alone: merges rows into the columns."""
    height, width = x.shape
    columns = call_operation(
        "reshape", call_operation("transpose", x.tensor, perm=(1, 0, 2)), shape=(height, rows * width)
    )
    return tuple(
        [call_operation("reshape", y, shape=(rows, width)) for y in call_operation(name, columns, **attributes)]
    )


_batch_moments_operation = kernel_operation(
    "batch_moments",
    Form.FUSED,
    gradient=joint(_batch_moments_gradient, zeros=False),
    dtypes=KERNEL_FLOATS,
    launches=launches_from("reduction.batch_moments", "batch_moments_launches"),
    batched=_rows_into_columns_rule,
    result=lambda x: (ArraySpec(x.shape[1:], x.dtype),) * 2,
)


def batch_moments(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Mean and population variance over all axes but one.

    Args:
        x: float32 or float64.
        axis: the axis that stays, not negative.

    Returns:
        Mean and variance, each a vector as long as the axis.
    """
    shape = x._array.shape
    other_axes = [other_axis for other_axis in range(len(shape)) if other_axis != axis]
    # After a convolution with channels first, the channels are last in memory, so the transpose is a view.
    if axis == len(shape) - 1 or x._array.transpose(*other_axes, axis).flags.c_contiguous:
        rows = x if axis == len(shape) - 1 else transpose(x, [*other_axes, axis])
        if len(shape) != 2:
            rows = reshape(rows, (math.prod([shape[other_axis] for other_axis in other_axes]), shape[axis]))
        mean, variance = _batch_moments_operation(rows)
        return mean, variance
    centre = reduce_mean(x, other_axes, True)
    deviation = x - centre
    return reshape(centre, (-1,)), reduce_mean(deviation * deviation, other_axes)


def _normalize(x: np.ndarray, mean: np.ndarray, scale: np.ndarray, offset: np.ndarray) -> np.ndarray:
    y: np.ndarray = np.subtract(x, mean)
    if y.shape != np.broadcast_shapes(y.shape, scale.shape, offset.shape) or y.dtype != scale.dtype:
        return np.add(np.multiply(y, scale), offset)
    np.multiply(y, scale, y)
    return np.add(y, offset, y)


def _normalize_gradient(
    needs: tuple[bool, ...], g: Tensor, y: Tensor, x: Tensor, mean: Tensor, scale: Tensor, offset: Tensor
) -> tuple[Tensor | None, ...]:
    """The mean's cotangent comes from the offset's, which is summed already, if both are vectors of one shape."""
    sums = sum_to_shape(g, offset._array.shape) if needs[1] or needs[3] else None
    mean_cotangent = None
    if needs[1]:
        assert sums is not None
        if mean._array.shape == offset._array.shape == scale._array.shape:
            mean_cotangent = TABLE["negative"](sums * scale)
        else:
            mean_cotangent = TABLE["negative"](sum_to_shape(g * scale, mean._array.shape))
    return (
        g * scale if needs[0] else None,
        mean_cotangent,
        sum_to_shape(g * (x - mean), scale._array.shape) if needs[2] else None,
        sums if needs[3] else None,
    )


_normalize_operation = Operation(
    "normalize",
    _normalize,
    joint(_normalize_gradient),
    form=Form.ELEMENTWISE,
    elementwise=Elementwise(lambda x, mean, scale, offset: (x - mean) * scale + offset),
    dtypes=KERNEL_FLOATS,
)


def normalized(
    x: Tensor, mean: Tensor, variance: Tensor, gamma: Tensor | None, beta: Tensor | None, epsilon: float, axis: int
) -> Tensor:
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, for vectors along an axis.

    Args:
        x: floating.
        mean, variance, gamma, beta: vectors as long as the axis; None means 1 for ``gamma`` and 0 for ``beta``.
        epsilon: added to the variance.
        axis: not negative.
    """
    scale = TABLE["rsqrt"](variance + epsilon)
    if gamma is not None:
        scale = scale * gamma
    trailing_rank = x.ndim - 1 - axis
    if trailing_rank:
        mean, scale = (reshape(vector, (-1, *(1,) * trailing_rank)) for vector in (mean, scale))
        beta = None if beta is None else reshape(beta, (-1, *(1,) * trailing_rank))
    if beta is None:
        return (x - mean) * scale
    if x.dtype.numpy in KERNEL_FLOATS:
        return _normalize_operation(x, mean, scale, beta)
    return (x - mean) * scale + beta
