"""Variances, moments and histograms."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_at_least, check_choice, refuse
from fastgrad._src.core.composite import Composite, CompositeOperand
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import HALF_DTYPES, REAL_DTYPES, Form, operation
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor, convert_like, convert_to_tensor
from fastgrad._src.ops.arguments import as_python_int, check_dtype, tensor_of
from fastgrad._src.ops.arithmetic import minimum, square_of_modulus, squared_difference, subtract
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.comparison import is_nan, less
from fastgrad._src.ops.custom_gradient import stop_gradient
from fastgrad._src.ops.kernel_launches import launches_from
from fastgrad._src.ops.power import sqrt
from fastgrad._src.ops.reduction import reduce_any, reduce_max, reduce_mean, reduce_min
from fastgrad._src.ops.shaping import reshape

# ---- variances -----------------------------------------------------------------------------------------


def reduce_variance(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
    """The population variance over axes: the mean of the squared distances from the mean.

    Args:
        input_tensor: a floating or complex tensor; variances are real.
        axis: an int or several; None means all axes.
        keepdims: whether the reduced dimensions stay, with size 1.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: ``input_tensor`` is neither floating nor complex.
        InvalidArgumentError: an axis is out of range.
    """
    try:
        x = tensor_of(input_tensor)
    except CompositeOperand as met:
        return met.call("reduce_variance", input_tensor, axis, keepdims)
    if not x.dtype.is_differentiable:
        raise TypeError(f"reduce_variance: Input must be either real or complex, got type {x.dtype!r}; use tf.cast.")
    distance = subtract(x, reduce_mean(x, axis, True))
    squares = reduce_mean(square_of_modulus(distance), axis, keepdims)
    return _corrected_variance(squares, reduce_mean(stop_gradient(distance), axis, keepdims))


def _corrected_variance(squares: Tensor, mean_error: Tensor) -> Tensor:
    """``squares`` minus the squared rounding error of the mean, ``mean_error`` (Chan, Golub and LeVeque 1983).

    ``squares`` is the mean square of distances from a rounded mean, ``mean_error`` the mean of these distances. The distances add
    up to 0 except for rounding, so the derivative of the correction is 0. Without it the variance of values near 10^6 has
    two digits in float32.
    """
    return subtract(squares, stop_gradient(minimum(square_of_modulus(mean_error), squares)))


def reduce_std(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
    """The population standard deviation over axes: the root of ``reduce_variance``. Its gradient at 0 is NaN.

    Args:
        input_tensor: a floating or complex tensor; deviations are real.
        axis: an int or several; None means all axes.
        keepdims: whether the reduced dimensions stay, with size 1.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: ``input_tensor`` is neither floating nor complex.
        InvalidArgumentError: an axis is out of range.
    """
    if getattr(input_tensor, "dtype", None) == dtypes.float16:  # its squares may be infinite
        return cast(reduce_std(cast(input_tensor, dtypes.float32), axis, keepdims), dtypes.float16)
    return sqrt(reduce_variance(input_tensor, axis, keepdims))


def moments(
    x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """The mean and the population variance over axes.

    Args:
        x: a numeric tensor; half-width floats are computed in float32.
        axes: an int or several; None means all axes.
        shift: not used, as in TensorFlow.
        keepdims: whether the reduced dimensions stay, with size 1.
        name: kept for TensorFlow's signature.

    Returns:
        ``(mean, variance)`` in the dtype of ``x``.

    Raises:
        InvalidArgumentError: an axis is out of range.
    """
    x = tensor_of(x)
    y = cast(x, dtypes.float32) if x._array.dtype in HALF_DTYPES else x
    mean = reduce_mean(y, axes, True)
    variance = _corrected_variance(
        reduce_mean(squared_difference(y, mean), axes, keepdims),
        reduce_mean(stop_gradient(subtract(y, mean)), axes, keepdims),
    )
    if not keepdims:
        mean = reduce_mean(mean, axes)  # removes the dimensions, whose size is 1
    return cast(mean, x.dtype), cast(variance, x.dtype)


# ---- histograms ----------------------------------------------------------------------------------------


def _run_bincount(ids: np.ndarray, *weights: np.ndarray, size: int, dtype: str, binary: bool) -> np.ndarray:
    result_dtype = dtypes.as_dtype(dtype).numpy
    rows = ids.reshape(prod(ids.shape[:-1]), ids.shape[-1])
    # Each row counts in its own bins: with 5 bins, row 2 uses bins 10 to 14.
    in_range = rows < size
    bins = rows if len(rows) == 1 else rows + size * np.arange(len(rows))[:, None]
    bins = bins.reshape(-1) if in_range.all() else bins[in_range]
    if weights:
        counts = np.zeros(len(rows) * size, result_dtype)
        np.add.at(counts, bins, weights[0].reshape(rows.shape)[in_range])
    else:
        counts = np.bincount(bins, minlength=len(rows) * size)
    if binary:
        counts = counts != 0
    return counts.astype(result_dtype).reshape((*ids.shape[:-1], size))


_bincount_operation = operation(
    "bincount",
    Form.SCATTER,
    run=_run_bincount,
    launches=launches_from("movement.scattering", "bincount_launches"),
    result=lambda ids, *weights, size, dtype, binary: ArraySpec((*ids.shape[:-1], size), dtypes.as_dtype(dtype).numpy),
)


def bincount(
    arr: Any,
    weights: Any = None,
    minlength: Any = None,
    maxlength: Any = None,
    dtype: Any = dtypes.int32,
    name: str | None = None,
    axis: int | None = None,
    binary_output: bool = False,
) -> Any:
    """The number of occurrences of each of the numbers 0, 1, 2 ...

    Args:
        arr: non-negative whole numbers, any shape.
        weights: the weight of each occurrence, of the shape of ``arr``; the counts have its dtype.
        minlength: the minimum length of the result.
        maxlength: the maximum length of the result; numbers from ``maxlength`` on are ignored.
        dtype: the dtype of the counts, if there are no weights.
        name: kept for TensorFlow's signature.
        axis: None or 0 counts over everything, -1 along the last axis of a matrix.
        binary_output: whether to give 1 for each number that occurs and 0 otherwise, instead of counts.

    Returns:
        Shape (n,), or (rows, n) for axis -1.

    Raises:
        InvalidArgumentError: a number is negative, or the shape of the weights differs.
        ValueError: ``axis`` has another value.
    """
    check_choice("bincount", (None, 0, -1), axis=axis)
    if isinstance(arr, Composite):
        return CompositeOperand(arr).call("bincount", arr, weights, minlength, maxlength, dtype, axis, binary_output)
    ids = cast(arr, dtypes.int64)
    count = ids._array.size
    if count and reduce_any(less(ids, 0)):
        raise InvalidArgumentError(f"bincount: Input arr must be non-negative! It holds {int(reduce_min(ids))}.")
    inputs = [ids if axis == -1 and ids.ndim else reshape(ids, [-1])]
    if weights is not None:
        weights = convert_to_tensor(weights)
        if weights._array.shape != ids._array.shape:
            refuse("bincount", "`weights` must be of the same shape as `arr`", InvalidArgumentError, got=weights.shape)
        inputs.append(weights)
        dtype = weights.dtype
    size = int(reduce_max(ids)) + 1 if count else 0
    if minlength is not None:
        size = max(size, as_python_int(minlength, "bincount: minlength"))
    if maxlength is not None:
        max_length = as_python_int(maxlength, "bincount: maxlength")
        check_at_least("bincount", 0, InvalidArgumentError, maxlength=max_length)
        size = min(size, max_length)
    return _bincount_operation(*inputs, size=size, dtype=dtypes.as_dtype(dtype).name, binary=bool(binary_output))


def _run_histogram_bins(x: np.ndarray, low: float, high: float, nbins: int, dtype: str) -> np.ndarray:
    wide_dtype = x.dtype if x.dtype.kind in "fV" else np.dtype(np.float64)
    scaled = np.divide(np.subtract(x.astype(wide_dtype), wide_dtype.type(low)), wide_dtype.type(high - low))
    return np.clip(np.floor(scaled * nbins), 0, nbins - 1).astype(dtype)


_histogram_bins_operation = operation(
    "histogram_fixed_width_bins",
    Form.EXTERN,
    run=_run_histogram_bins,
    launches=launches_from("movement.numbering", "histogram_bins_launches"),
    result=lambda x, low, high, nbins, dtype: ArraySpec(x.shape, np.dtype(dtype)),
)


def histogram_fixed_width_bins(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = dtypes.int32, name: str | None = None
) -> Tensor:
    """The bin of each value, out of ``nbins`` bins of equal width; values outside go to the first or last bin.

    Args:
        values: real numbers, any shape.
        value_range: a pair: the lower edge of the first bin and the upper edge of the last bin.
        nbins: the number of bins.
        dtype: the dtype of the result, int32 or int64.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a value is NaN, there are no bins, or the edges are not two in ascending order.
    """
    x = tensor_of(values)
    check_dtype("histogram_fixed_width", x._array.dtype, REAL_DTYPES)
    edges = convert_like(value_range, x._array.dtype)._elements()
    count = as_python_int(nbins, "histogram_fixed_width: nbins")
    if edges.shape != (2,) or not edges[0] < edges[1]:
        refuse("histogram_fixed_width", "value_range[0] < value_range[1] is wanted", InvalidArgumentError, got=edges)
    check_at_least("histogram_fixed_width", 1, InvalidArgumentError, nbins=count)
    if x.dtype.is_floating and reduce_any(is_nan(x)):
        raise InvalidArgumentError("histogram_fixed_width: values must not contain NaN")
    return _histogram_bins_operation(
        x, low=float(edges[0]), high=float(edges[1]), nbins=count, dtype=dtypes.as_dtype(dtype).name
    )


def histogram_fixed_width(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = dtypes.int32, name: str | None = None
) -> Tensor:
    """The number of values in each of ``nbins`` bins of equal width; values outside count in the first or last bin.

    Args:
        values: real numbers, any shape.
        value_range: a pair: the lower edge of the first bin and the upper edge of the last bin.
        nbins: the number of bins.
        dtype: the dtype of the counts, int32 or int64.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (nbins,).

    Raises:
        InvalidArgumentError: as in ``histogram_fixed_width_bins``.
    """
    bins = reshape(histogram_fixed_width_bins(values, value_range, nbins, dtypes.int64), [-1])
    count = as_python_int(nbins, "histogram_fixed_width: nbins")
    return _bincount_operation(bins, size=count, dtype=dtypes.as_dtype(dtype).name, binary=False)
