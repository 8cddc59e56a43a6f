"""The functions of ``keras.ops`` that sort or count elements, by name: quantiles, unique elements, histograms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import fastgrad as tf
from fastgrad._src.keras.ops.function import floats, tensor


def _quantile(x: Any, q: Any, axis: Any, method: str, keepdims: bool, skips_nan: bool = False) -> Any:
    x, q = floats(x), floats(q)
    axes = list(range(x.ndim)) if axis is None else [a % x.ndim for a in np.atleast_1d(axis).tolist()]
    rest = [a for a in range(x.ndim) if a not in axes]
    rows = tf.reshape(tf.transpose(x, rest + axes), [*[x.shape[a] for a in rest], -1])
    is_missing = tf.math.is_nan(rows)
    if skips_nan:
        counts = tf.reduce_sum(tf.cast(tf.logical_not(is_missing), x.dtype), -1, keepdims=True)
        rows = tf.sort(tf.where(is_missing, tf.constant(np.inf, x.dtype), rows), -1)
        place = tf.maximum(tf.reshape(tf.cast(q, x.dtype), [-1]) * (counts - 1), tf.zeros((), x.dtype))
    else:
        rows = tf.sort(rows, -1)
        place = tf.cast(q, x.dtype) * (rows.shape[-1] - 1)

    def elements(position: Any) -> Any:
        return tf.gather(rows, tf.cast(position, tf.int32), axis=-1, batch_dims=len(rest) if skips_nan else 0)

    low, high = tf.floor(place), tf.math.ceil(place)
    if method in ("lower", "higher", "nearest"):
        y = elements({"lower": low, "higher": high, "nearest": tf.round(place)}[method])
    elif method in ("linear", "midpoint"):
        below, above = elements(low), elements(high)
        y = below + (above - below) * (place - low if method == "linear" else tf.constant(0.5, x.dtype))
    else:
        raise ValueError(
            f"quantile: method {method!r} is none of 'linear', 'lower', 'higher', 'midpoint' and 'nearest'."
        )
    unknown = tf.equal(counts, 0.0) if skips_nan else tf.reduce_any(is_missing, -1, keepdims=True)
    sizes = [x.shape[a] for a in rest]
    y = tf.where(unknown, tf.constant(np.nan, x.dtype), tf.reshape(y, [*sizes, math.prod(q.shape)]))
    y = tf.reshape(y, [*sizes, *q.shape])
    y = tf.transpose(y, [*range(len(rest), y.ndim), *range(len(rest))])
    return tf.reshape(y, [*q.shape, *[1 if a in axes else x.shape[a] for a in range(x.ndim)]]) if keepdims else y


def _argpartition(x: Any, kth: int, axis: Any = -1) -> Any:
    x = tensor(x)
    x, axis = (tf.reshape(x, [-1]), 0) if axis is None else (x, axis)
    order = tf.argsort(x, axis, stable=True)
    size = x.shape[axis]
    first, rest = tf.split(order, [min(max(int(kth), 0), size - 1) + 1, -1], axis)
    return tf.concat([first, tf.reverse(rest, [axis])], axis)  # Keras has the larger elements in descending order


def _histogram(x: Any, bins: int = 10, range: Any = None) -> Any:  # Keras's name
    if not isinstance(bins, int):
        raise TypeError(f"histogram: `bins` must be of type `int`. Received: bins={bins} of type {type(bins).__name__}")
    if bins < 1:
        raise tf.errors.InvalidArgumentError(None, None, f"histogram: bins must be at least 1, got {bins}.")
    if range is not None and (len(range) != 2 or range[0] >= range[1]):
        raise ValueError(f"Argument `range` must be a tuple of two elements, the lower first. Received: range={range}")
    values = tensor(x)
    if values.ndim != 1:
        raise ValueError(f"histogram: Input tensor must be 1-dimensional. Received: input.shape={tuple(values.shape)}")
    low, high = (tf.reduce_min(values), tf.reduce_max(values)) if range is None else range
    low, high = tf.cast(low, values.dtype), tf.cast(high, values.dtype)
    values = tf.boolean_mask(values, tf.logical_and(values >= low, values <= high))
    step_dtype = values.dtype if values.dtype.is_floating else tf.float64
    edges = tf.cast(tf.linspace(tf.cast(low, step_dtype), tf.cast(high, step_dtype), bins + 1), values.dtype)
    places = tf.searchsorted(edges[1:-1], values, side="right")
    return tf.math.bincount(places, minlength=bins, maxlength=bins, dtype=values.dtype), edges


def _row_numbers(rows: Any) -> Any:
    """Returns for each row of a matrix the number of its kind: rows are of one kind if all their elements are equal."""
    numbers = tf.zeros([rows.shape[0]], tf.int64)
    for column in tf.unstack(rows, axis=1):
        keys = tf.unique(column, tf.int64)[1]
        numbers = tf.unique(numbers * rows.shape[0] + keys, tf.int64)[1]
    return tf.cast(numbers, tf.int32)


def _row_order(rows: Any) -> Any:
    """Returns the positions that sort the rows of a matrix, the first column first."""
    order = tf.range(rows.shape[0])
    for column in reversed(tf.unstack(rows, axis=1)):
        order = tf.gather(order, tf.argsort(tf.gather(column, order), stable=True))
    return order


def _unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    x = tensor(x)
    original_shape, is_flat = x.shape, axis is None
    x, axis = (tf.reshape(x, [-1]), 0) if axis is None else (x, axis)
    places = list(range(x.ndim))
    places[0], places[axis] = places[axis], places[0]
    rows = tf.reshape(tf.transpose(x, places), [x.shape[axis], -1])
    inverse = _row_numbers(rows)
    kinds = tf.unique(inverse)[0].shape[0]
    index = tf.math.unsorted_segment_min(tf.range(rows.shape[0]), inverse, kinds)
    counts = tf.math.unsorted_segment_sum(tf.ones_like(inverse), inverse, kinds)
    if sorted:
        order = _row_order(tf.gather(rows, index))
        index, counts = tf.gather(index, order), tf.gather(counts, order)
        inverse = tf.gather(tf.math.invert_permutation(order), inverse)
    y = tf.gather(x, index, axis=axis)
    if size is not None:
        missing = max(size - kinds, 0)
        y = tf.gather(y, tf.range(min(kinds, size)), axis=axis)
        fill = tf.cast(0 if fill_value is None else fill_value, y.dtype)
        y = tf.pad(y, [[0, missing if place == axis % x.ndim else 0] for place in range(x.ndim)], constant_values=fill)
        index = tf.pad(index[:size], [[0, missing]], constant_values=1)  # Keras has index 1 for what is filled
        counts = tf.pad(counts[:size], [[0, missing]])
    inverse = tf.reshape(inverse, original_shape) if is_flat else inverse
    results = (
        y,
        *[x for x, is_asked in ((index, return_index), (inverse, return_inverse), (counts, return_counts)) if is_asked],
    )
    return results if len(results) > 1 else y


TABLE: dict[str, Callable[..., Any]] = {
    "argpartition": _argpartition,
    "histogram": _histogram,
    "median": lambda x, axis=None, keepdims=False: _quantile(x, 0.5, axis, "linear", keepdims),
    "nanmedian": lambda x, axis=None, keepdims=False: _quantile(x, 0.5, axis, "linear", keepdims, True),
    "nanpercentile": lambda x, q, axis=None, method="linear", keepdims=False: _quantile(
        x, floats(q) / 100.0, axis, method, keepdims, True
    ),
    "nanquantile": lambda x, q, axis=None, method="linear", keepdims=False: _quantile(
        x, q, axis, method, keepdims, True
    ),
    "percentile": lambda x, q, axis=None, method="linear", keepdims=False: _quantile(
        x, floats(q) / 100.0, axis, method, keepdims
    ),
    "quantile": lambda x, q, axis=None, method="linear", keepdims=False: _quantile(x, q, axis, method, keepdims),
    "unique": _unique,
}
