"""``approx_max_k`` and ``approx_min_k``: the largest and smallest elements along an axis, exact as TensorFlow's on a CPU."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.arguments import as_python_int, check_dtype, nonnegative_axis, tensor_of
from fastgrad._src.ops.shaping import transpose
from fastgrad._src.ops.sorting import top_k

_DTYPES = frozenset([dtypes.float16.numpy, dtypes.bfloat16.numpy, dtypes.float32.numpy])


class ApproxTopK(NamedTuple):
    """The result of ``approx_max_k`` and ``approx_min_k``."""

    values: Tensor
    indices: Tensor


def approx_max_k(
    operand: Any,
    k: Any,
    reduction_dimension: Any = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
    name: str | None = None,
) -> ApproxTopK:
    """The ``k`` largest elements along an axis, with their positions; gradients flow to them.

    Args:
        operand: float16, bfloat16 or float32, rank 1 or more.
        k: the number of elements, at most the size of the axis.
        reduction_dimension: the axis.
        recall_target, reduction_input_size_override, aggregate_to_topk: kept for TensorFlow's signature; the result is exact.
        name: kept for TensorFlow's signature.

    Returns:
        ``(values, indices)``, the values in descending order, the indices int32. Both have the shape of ``operand`` with ``k``
        in place of the axis's size.

    Raises:
        InvalidArgumentError: a scalar or another dtype, ``k`` or the axis is out of range.
    """
    return _approx_top_k("approx_max_k", operand, k, reduction_dimension, largest=True)


def approx_min_k(
    operand: Any,
    k: Any,
    reduction_dimension: Any = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
    name: str | None = None,
) -> ApproxTopK:
    """The ``k`` smallest elements along an axis in ascending order; arguments, results and errors as of ``approx_max_k``."""
    return _approx_top_k("approx_min_k", operand, k, reduction_dimension, largest=False)


def _approx_top_k(caller: str, operand: Any, k: Any, axis: Any, largest: bool) -> ApproxTopK:
    x, count = tensor_of(operand), as_python_int(k, f"{caller}: k")
    check_dtype(caller, x._array.dtype, _DTYPES)
    rank = x._array.ndim
    if not rank:
        raise InvalidArgumentError(f"{caller}: operand must be >= 1-D, got a scalar.")
    position = nonnegative_axis(axis, rank, caller)
    size = x._array.shape[position]
    if not 0 <= count <= size:
        raise InvalidArgumentError(f"{caller}: k must be from 0 to the size of the axis, {size}, got {count}.")
    perm = list(range(rank))
    perm[position], perm[-1] = perm[-1], perm[position]
    rows = transpose(x, perm) if position != rank - 1 else x
    values, indices = top_k(rows if largest else -rows, count)
    values = values if largest else -values
    return (
        ApproxTopK(transpose(values, perm), transpose(indices, perm)) if rows is not x else ApproxTopK(values, indices)
    )
