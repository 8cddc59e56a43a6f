"""Sums of arrays over axes, as accurate whichever axes they run over.

NumPy adds pairs of blocks (its rounding errors grow with the logarithm of the number of terms) only along the axis
that is contiguous in memory; along others it adds one row after the other. Here rows are added in groups, and then
the groups' sums in groups. How terms are grouped depends on the shape alone, of large transposes on that in memory. Large arrays of floats are summed by kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from fastgrad.kernels.movement.in_order import memory_order
from fastgrad.kernels.runtime.eager_launch import call_at_once, run_at_once
from fastgrad.kernels.runtime.launch import Launches

_HALVES = frozenset(np.dtype(name) for name in ("float16", "bfloat16"))
_FLOAT32 = np.dtype(np.float32)
_add_reduce: Any = np.add.reduce
_ROWS = 16  # rows added one after the other
_WIDTH = 256  # elements of a row that make NumPy's inner loop worth its start
LARGE = 8192  # elements from which on kernels are faster
KERNEL_FLOATS = frozenset([np.dtype(np.float32), np.dtype(np.float64)])


def sum_over(x: np.ndarray, axes: tuple[int, ...], keepdims: bool, divisor: int = 1) -> np.ndarray:
    """The sum of ``x`` over axes, divided by a number: of floats a mean.

    Args:
        x: numbers.
        axes: sorted, counted from the front.
        keepdims: whether they stay, with size 1.
        divisor: 1, unless these are floats.

    Returns:
        The sum, never a view, in the dtype of ``x`` or in float32 for half-width floats; perhaps a NumPy scalar if no axis is left.
    """
    if x.size >= LARGE and not x.flags.c_contiguous and (order := memory_order(x)) is not None:
        inner = tuple([place for place, axis in enumerate(order) if axis in axes])
        total = sum_over(x.transpose(order), inner, True, divisor).transpose(np.argsort(order))
        return total if keepdims else total.reshape([n for axis, n in enumerate(x.shape) if axis not in axes])
    if x.size >= LARGE and x.dtype in KERNEL_FLOATS:
        found = _by_kernels(x, axes, keepdims, divisor)
        if found is not None:
            return found
    total = _by_numpy(x, axes, keepdims)
    return total if divisor == 1 else total / total.dtype.type(divisor)


def _by_kernels(x: np.ndarray, axes: tuple[int, ...], keepdims: bool, divisor: int) -> np.ndarray | None:
    from fastgrad.kernels.reduction.large_sums import large_sum

    return reduced_by(large_sum, x, axes, keepdims, divisor)


def reduced_by(
    launches: Callable[..., Launches | None], x: np.ndarray, axes: tuple[int, ...], keepdims: bool, *numbers: int
) -> np.ndarray | None:
    """A reduction by kernels.

    Args:
        launches: gives them for a dtype, the sizes before, of and behind the axes, and `numbers`; or None.
        x, axes, keepdims: as for `sum_over`; x has elements.
        numbers: what else `launches` takes.

    Returns:
        The result; None where the axes have others between them, nothing is to combine, or there are no launches.
    """
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
    found = None if terms == 1 else launches(x.dtype, outer, terms, inner, *numbers)
    if found is None:
        return None
    shape = [1 if axis in axes else size for axis, size in enumerate(x.shape) if keepdims or axis not in axes]
    y, given = np.empty(shape, x.dtype), np.ascontiguousarray(x)
    if len(found.launches) > 1:
        run_at_once(found, (given,), (y,))
    else:
        (one,) = found.launches
        sizes: Any = one.operands[2:]
        call_at_once(one.kernel, (given,), y, *sizes, units=one.units, unit_cost=one.unit_cost)
    return y


def _by_numpy(x: np.ndarray, axes: tuple[int, ...], keepdims: bool) -> np.ndarray:
    dtype = x.dtype
    if dtype in _HALVES:
        dtype = _FLOAT32
    if x.size <= 2048 or dtype.kind in "iu" or not axes or (len(axes) == x.ndim and x.flags.c_contiguous):
        return _add_reduce(x, axes, dtype, None, keepdims)
    shape, rank = x.shape, x.ndim
    total = np.ascontiguousarray(x)
    # Neighbouring axes that are reduced together count as one; the last run of axes goes first, as it is contiguous.
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
    """Shape (batch, rows, columns) summed over the rows."""
    batch, rows, columns = x.shape
    while rows > 4 * _ROWS:
        # A group is _ROWS rows, each as long as is worth it: several rows of x side by side.
        beside = max(1, min(_WIDTH // max(columns, 1), rows // _ROWS))
        groups = rows // (_ROWS * beside)
        whole = groups * _ROWS * beside
        parts = x[:, :whole].reshape(batch * groups, _ROWS, beside * columns)
        sums = _add_reduce(parts, 1, dtype).reshape(batch, groups * beside, columns)
        x = sums if whole == rows else np.concatenate([sums, _sum_rows(x[:, whole:], dtype)[:, None]], axis=1)
        rows = x.shape[1]
    return _add_reduce(x, 1, dtype)
