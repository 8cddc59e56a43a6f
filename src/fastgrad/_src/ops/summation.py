"""Sums of arrays over axes, with the same accuracy for all axes.

NumPy uses pairwise summation (rounding errors grow with the logarithm of the number of terms) only along the axis that is
contiguous in memory; along other axes it adds row after row. This module adds rows in groups, and then the sums of the
groups in groups. The grouping depends only on the shape; for large transposed arrays, on the shape in memory. Kernels sum
large arrays of floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.core.operation import HALF_DTYPES
from fastgrad._src.kernels.movement.memory_order import memory_order
from fastgrad._src.kernels.runtime.eager_launch import call_eagerly, run_on_thread_pool
from fastgrad._src.kernels.runtime.launch import Launches, Spec
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS

_FLOAT32 = np.dtype(np.float32)
_add_reduce: Any = np.add.reduce
_ROWS_PER_GROUP = 16  # rows of a group, added in sequence
_MOST_ADDED_COLUMNS = 8  # of integers, for which NumPy's inner loop over a row costs more than passes over columns
_MIN_INNER_LOOP_ELEMENTS = 256  # row length that amortises the start of NumPy's inner loop
KERNEL_MIN_ELEMENTS = 8192  # number of elements from which kernels are faster


def sum_over(x: np.ndarray, axes: tuple[int, ...], keepdims: bool, divisor: int = 1) -> np.ndarray:
    """The sum of ``x`` over ``axes``, divided by ``divisor``, which gives means of floats.

    Args:
        x: a numeric array.
        axes: sorted axes, counted from the front.
        keepdims: whether the reduced axes stay, with size 1.
        divisor: a number; 1 unless ``x`` is floating.

    Returns:
        The sum, never a view, in the dtype of ``x`` or in float32 for half-width floats. It may be a NumPy scalar if no
        axis is left.
    """
    if x.size >= KERNEL_MIN_ELEMENTS and not x.flags.c_contiguous and (order := memory_order(x)) is not None:
        inner = tuple([position for position, axis in enumerate(order) if axis in axes])
        total = sum_over(x.transpose(order), inner, True, divisor).transpose(np.argsort(order))
        return total if keepdims else total.reshape([n for axis, n in enumerate(x.shape) if axis not in axes])
    if x.size >= KERNEL_MIN_ELEMENTS and x.dtype in KERNEL_FLOATS:
        kernel_total = reduce_by_kernels(_large_sum_launches(), x, axes, keepdims, divisor)
        if kernel_total is not None:
            return kernel_total
    total = _sum_by_numpy(x, axes, keepdims)
    return total if divisor == 1 else total / total.dtype.type(divisor)


def in_row_order(x: np.ndarray) -> np.ndarray:
    """Returns ``x``, or a contiguous copy: NumPy's order of additions follows the memory, so that a view has other bits."""
    return x if x.ndim < 2 or x.flags.c_contiguous else np.ascontiguousarray(x)


def _large_sum_launches() -> Callable[..., Launches | None]:
    from fastgrad._src.kernels.reduction.large_sums import large_sum_launches

    return large_sum_launches


def reduce_by_kernels(
    launches: Callable[..., Launches | None], x: np.ndarray, axes: tuple[int, ...], keepdims: bool, *numbers: int
) -> np.ndarray | None:
    """Reduces the axes `axes` of the array `x` by the kernels of `launches`.

    Args:
        launches: returns the launches, or None, from a dtype, the number of elements before, on and after the reduced
            axes, and `numbers`.
        x, axes, keepdims: as for `sum_over`; x is not empty.
        numbers: more arguments of `launches`.

    Returns:
        The result; None if the reduced axes are not adjacent, all have size 1, or there are no launches.
    """
    plan = _reduction_launches(launches, x, axes, *numbers)
    if plan is None:
        return None
    shape = [1 if axis in axes else size for axis, size in enumerate(x.shape) if keepdims or axis not in axes]
    y, contiguous = np.empty(shape, x.dtype), np.ascontiguousarray(x)
    if len(plan.launches) > 1:
        run_on_thread_pool(plan, (contiguous,), (y,))
    else:
        (launch,) = plan.launches
        sizes: Any = launch.operands[2:]
        call_eagerly(launch.kernel, (contiguous,), y, *sizes, units=launch.units, unit_cost=launch.unit_cost)
    return y


def _reduction_launches(
    launches: Callable[..., Launches | None], x: Any, axes: tuple[int, ...], *numbers: int
) -> Launches | None:
    outer = terms = inner = 1
    for axis, size in enumerate(x.shape):
        if size == 1:
            continue
        if axis in axes:
            if inner != 1:
                return None
            terms *= size
        elif terms == 1:
            outer *= size
        else:
            inner *= size
    return None if terms == 1 else launches(x.dtype, outer, terms, inner, *numbers)


def sum_runs_kernels(inputs: Sequence[Spec], outputs: Sequence[Spec], axes: tuple[int, ...], keepdims: bool) -> bool:
    """True if kernels sum an array in row-major order; they give the bits of programs."""
    (x,) = inputs
    if prod(x.shape) < KERNEL_MIN_ELEMENTS or x.dtype not in KERNEL_FLOATS:
        return False
    return _reduction_launches(_large_sum_launches(), x, axes, 1) is not None


def _sum_by_numpy(x: np.ndarray, axes: tuple[int, ...], keepdims: bool) -> np.ndarray:
    dtype = x.dtype
    if dtype in HALF_DTYPES:
        dtype = _FLOAT32
    if dtype.kind in "iu" and x.size > 2048 and axes == (x.ndim - 1,) and 1 < x.shape[-1] <= _MOST_ADDED_COLUMNS:
        total = np.add(x[..., 0], x[..., 1])  # integers have the same sum in any order
        for column in range(2, x.shape[-1]):
            np.add(total, x[..., column], out=total)
        return total[..., None] if keepdims else total
    if x.size <= 2048 or dtype.kind in "iu" or not axes or (len(axes) == x.ndim and x.flags.c_contiguous):
        x = in_row_order(x)
        return _add_reduce(x, axes, dtype, None, keepdims)
    shape, rank = x.shape, x.ndim
    total = np.ascontiguousarray(x)
    # Merges adjacent reduced axes. Reduces the last group of axes first, because it is contiguous.
    sizes = list(shape)
    stop = rank
    while stop:
        if stop - 1 not in axes:
            stop -= 1
            continue
        start = stop - 1
        while start - 1 in axes:
            start -= 1
        terms = prod(sizes[start:stop])
        view = total.reshape(prod(sizes[:start]), terms, prod(sizes[stop:]))
        total = _sum_rows(view, dtype) if view.shape[2] != 1 else _add_reduce(view[:, :, 0], 1, dtype)
        sizes[start:stop] = [1] * (stop - start)
        stop = start
    if keepdims:
        return total.reshape(sizes)
    return total.reshape([size for axis, size in enumerate(shape) if axis not in axes])


def _sum_rows(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Sums ``x``, shape (batch, rows, columns), over its rows."""
    batch, rows, columns = x.shape
    while rows > 4 * _ROWS_PER_GROUP:
        # A group has _ROWS_PER_GROUP rows; each joins several rows of x, up to about _MIN_INNER_LOOP_ELEMENTS elements.
        joined_rows = max(1, min(_MIN_INNER_LOOP_ELEMENTS // max(columns, 1), rows // _ROWS_PER_GROUP))
        groups = rows // (_ROWS_PER_GROUP * joined_rows)
        grouped_rows = groups * _ROWS_PER_GROUP * joined_rows
        grouped = x[:, :grouped_rows].reshape(batch * groups, _ROWS_PER_GROUP, joined_rows * columns)
        sums = _add_reduce(grouped, 1, dtype).reshape(batch, groups * joined_rows, columns)
        x = (
            sums
            if grouped_rows == rows
            else np.concatenate([sums, _sum_rows(x[:, grouped_rows:], dtype)[:, None]], axis=1)
        )
        rows = x.shape[1]
    return _add_reduce(x, 1, dtype)
