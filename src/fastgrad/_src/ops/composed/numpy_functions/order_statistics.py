"""NumPy's functions that sort or count elements of tensors: quantiles, unique elements, histograms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_rank, check_type
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.ops import creation, rounding
from fastgrad._src.ops.arithmetic import maximum
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.comparison import equal, is_nan, logical_and, logical_not
from fastgrad._src.ops.composed.numpy_functions.operands import flattened, tensor
from fastgrad._src.ops.creation import constant, linspace, ones_like, zeros
from fastgrad._src.ops.indexing import gather
from fastgrad._src.ops.joining import concat, split, unstack
from fastgrad._src.ops.padding import pad
from fastgrad._src.ops.reduction import reduce_any, reduce_max, reduce_min, reduce_sum
from fastgrad._src.ops.reordering import reverse
from fastgrad._src.ops.rounding import ceil, floor
from fastgrad._src.ops.segments import unsorted_segment_min, unsorted_segment_sum
from fastgrad._src.ops.selection import boolean_mask, where
from fastgrad._src.ops.shaping import reshape, transpose
from fastgrad._src.ops.sorting import argsort, invert_permutation, searchsorted, sort
from fastgrad._src.ops.sorting import unique as _unique
from fastgrad._src.ops.statistics import bincount


def quantile(x: Any, q: Any, axis: Any, method: str, keepdims: bool, skips_nan: bool = False) -> Any:
    """Quantiles along one axis or several.

    Args:
        x, q: tensors of floats; ``q`` in [0, 1]. The axes of ``q`` are the first of the result.
        axis: an axis, several, or None for all.
        method: ``"linear"``, ``"lower"``, ``"higher"``, ``"midpoint"`` or ``"nearest"``.
        keepdims: whether the axes stay, with size 1.
        skips_nan: whether NaNs do not count; else a NaN makes the result NaN.

    Raises:
        ValueError: another ``method``.
    """
    axes = list(range(x.ndim)) if axis is None else [a % x.ndim for a in np.atleast_1d(axis).tolist()]
    rest = [a for a in range(x.ndim) if a not in axes]
    rows = reshape(transpose(x, rest + axes), [*[x.shape[a] for a in rest], -1])
    is_missing = is_nan(rows)
    if skips_nan:
        counts = reduce_sum(cast(logical_not(is_missing), x.dtype), -1, keepdims=True)
        rows = sort(where(is_missing, constant(np.inf, x.dtype), rows), -1)
        place = maximum(reshape(cast(q, x.dtype), [-1]) * (counts - 1), zeros((), x.dtype))
    else:
        rows = sort(rows, -1)
        place = cast(q, x.dtype) * (rows.shape[-1] - 1)

    def elements(position: Any) -> Any:
        return gather(rows, cast(position, dtypes.int32), axis=-1, batch_dims=len(rest) if skips_nan else 0)

    low, high = floor(place), ceil(place)
    if method in ("lower", "higher", "nearest"):
        y = elements({"lower": low, "higher": high, "nearest": rounding.round(place)}[method])
    elif method in ("linear", "midpoint"):
        below, above = elements(low), elements(high)
        y = below + (above - below) * (place - low if method == "linear" else constant(0.5, x.dtype))
    else:
        raise ValueError(
            f"quantile: method {method!r} is none of 'linear', 'lower', 'higher', 'midpoint' and 'nearest'."
        )
    unknown = equal(counts, 0.0) if skips_nan else reduce_any(is_missing, -1, keepdims=True)
    sizes = [x.shape[a] for a in rest]
    y = where(unknown, constant(np.nan, x.dtype), reshape(y, [*sizes, math.prod(q.shape)]))
    y = reshape(y, [*sizes, *q.shape])
    y = transpose(y, [*range(len(rest), y.ndim), *range(len(rest))])
    return reshape(y, [*q.shape, *[1 if a in axes else x.shape[a] for a in range(x.ndim)]]) if keepdims else y


def argpartition(x: Any, kth: int, axis: Any = -1) -> Any:
    """Positions that bring the ``kth`` smallest element to its place, smaller ones before it."""
    x, axis = flattened(x, axis)
    order = argsort(x, axis, stable=True)
    size = x.shape[axis]
    first, rest = split(order, [min(max(int(kth), 0), size - 1) + 1, -1], axis)
    return concat([first, reverse(rest, [axis])], axis)  # Keras has the larger elements in descending order


def histogram(x: Any, bins: int = 10, range: Any = None) -> Any:  # NumPy's name
    """Returns the number of elements of a vector in each of ``bins`` equal intervals, and their ends; errors as in Keras."""
    check_type("histogram", "an int", int, bins=bins)
    if bins < 1:
        raise InvalidArgumentError(None, None, f"histogram: bins must be at least 1, got {bins}.")
    if range is not None and (len(range) != 2 or range[0] >= range[1]):
        raise ValueError(f"Argument `range` must be a tuple of two elements, the lower first. Received: range={range}")
    values = tensor(x)
    check_rank("histogram", 1, input=values)
    low, high = (reduce_min(values), reduce_max(values)) if range is None else range
    low, high = cast(low, values.dtype), cast(high, values.dtype)
    values = boolean_mask(values, logical_and(values >= low, values <= high))
    step_dtype = values.dtype if values.dtype.is_floating else dtypes.float64
    edges = cast(linspace(cast(low, step_dtype), cast(high, step_dtype), bins + 1), values.dtype)
    places = searchsorted(edges[1:-1], values, side="right")
    return bincount(places, minlength=bins, maxlength=bins, dtype=values.dtype), edges


def _distinct_row_numbers(rows: Any) -> Any:
    """Returns for each row of a matrix the number of its kind: rows are of one kind if all their elements are equal."""
    numbers = zeros([rows.shape[0]], dtypes.int64)
    for column in unstack(rows, axis=1):
        keys = _unique(column, dtypes.int64)[1]
        numbers = _unique(numbers * rows.shape[0] + keys, dtypes.int64)[1]
    return cast(numbers, dtypes.int32)


def _row_order(rows: Any) -> Any:
    """Returns the positions that sort the rows of a matrix, the first column first."""
    order = creation.range(rows.shape[0])
    for column in reversed(unstack(rows, axis=1)):
        order = gather(order, argsort(gather(column, order), stable=True))
    return order


def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """Unique elements, or with ``axis`` unique parts; with ``size``, cut or filled to that number of them.

    Returns:
        The elements; with ``return_index`` also the first position of each, with ``return_inverse`` the number of each element of ``x``
        among them, with ``return_counts`` how often each occurs.
    """
    x = tensor(x)
    original_shape, is_flat = x.shape, axis is None
    x, axis = flattened(x, axis)
    places = list(range(x.ndim))
    places[0], places[axis] = places[axis], places[0]
    rows = reshape(transpose(x, places), [x.shape[axis], -1])
    inverse = _distinct_row_numbers(rows)
    kinds = _unique(inverse)[0].shape[0]
    index = unsorted_segment_min(creation.range(rows.shape[0]), inverse, kinds)
    counts = unsorted_segment_sum(ones_like(inverse), inverse, kinds)
    if sorted:
        order = _row_order(gather(rows, index))
        index, counts = gather(index, order), gather(counts, order)
        inverse = gather(invert_permutation(order), inverse)
    y = gather(x, index, axis=axis)
    if size is not None:
        missing = max(size - kinds, 0)
        y = gather(y, creation.range(min(kinds, size)), axis=axis)
        fill = cast(0 if fill_value is None else fill_value, y.dtype)
        y = pad(y, [[0, missing if place == axis % x.ndim else 0] for place in range(x.ndim)], constant_values=fill)
        index = pad(index[:size], [[0, missing]], constant_values=1)  # Keras has index 1 for what is filled
        counts = pad(counts[:size], [[0, missing]])
    inverse = reshape(inverse, original_shape) if is_flat else inverse
    results = (
        y,
        *[x for x, is_asked in ((index, return_index), (inverse, return_inverse), (counts, return_counts)) if is_asked],
    )
    return results if len(results) > 1 else y
