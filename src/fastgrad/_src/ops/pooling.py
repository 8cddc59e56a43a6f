"""Maxima and means over sliding windows of one to three spatial dimensions.

The primitives take arrays of shape (batch, *spatial, channels), with one to three spatial dimensions. The gradient of a
maximum goes to one cell of each window, the first of its largest cells. ``max_pool_scatter`` adds a number per window to
these cells and ``max_pool_gather`` reads these cells, so each is the gradient of the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_choice, refuse
from fastgrad._src.core.backward import zeros_of
from fastgrad._src.core.errors import InvalidArgumentError, UnimplementedError
from fastgrad._src.core.operation import FLOAT_DTYPES, Form, Operation
from fastgrad._src.core.result_rules import ArraySpec, Rule
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.arguments import as_python_ints, check_dtype, tensor_of
from fastgrad._src.ops.batching import BatchArg, NotBatched, rows_into_batch_rule
from fastgrad._src.ops.kernel_launches import kernel_operation, launches_from
from fastgrad._src.ops.shaping import reshape
from fastgrad._src.ops.windows import (
    Padding,
    Sizes,
    channels_come_first,
    channels_to_end,
    output_sizes,
    padding_sizes,
    per_dimension,
    restore_channels,
)

_MAX_POOL_DTYPES = FLOAT_DTYPES | {np.dtype(name) for name in ("int8", "int16", "int32", "int64", "uint8", "uint16")}


# ---- the primitives --------------------------------------------------------------------------------------


def _pool_result(x: Any, kernel: Sizes, strides: Sizes, padding: Padding, dilations: Sizes) -> ArraySpec:
    outputs = output_sizes(x.shape[1:-1], kernel, strides, padding, dilations, "pooling")
    return ArraySpec((x.shape[0], *outputs, x.shape[-1]), x.dtype)


def _pooling_operation(
    name: str, gradient: Any, result: Rule, dtypes: Any = FLOAT_DTYPES, batched: Any = rows_into_batch_rule
) -> Operation:
    return kernel_operation(
        name,
        Form.POOL,
        gradient=gradient,
        dtypes=dtypes,
        launches=launches_from("convolution.pooling", f"{name}_launches"),
        batched=batched,
        result=result,
    )


_max_pool_scatter = _pooling_operation(
    "max_pool_scatter",
    # The cotangent of x is zeros and not None, as in TensorFlow: the positions of the maxima depend on x.
    (
        lambda g, out, x, y, v, **window: zeros_of(x),
        None,
        lambda g, out, x, y, v, **window: _max_pool_gather(x, y, g, **window),
    ),
    lambda x, y, g, **window: ArraySpec(x.shape, g.dtype),
)
_max_pool_gather: Operation = _pooling_operation(
    "max_pool_gather",
    (None, None, lambda g, out, x, y, v, **window: _max_pool_scatter(x, y, g, **window)),
    lambda x, y, v, **window: ArraySpec(y.shape, v.dtype),
)
_max_operation = _pooling_operation(
    "max_pool", lambda g, y, x, **window: _max_pool_scatter(x, y, g, **window), _pool_result, _MAX_POOL_DTYPES
)
_avg_gradient = _pooling_operation(
    "avg_pool_gradient",
    lambda g, y, x, input_shape, **window: _avg_operation(g, **window),
    lambda g, input_shape, **window: ArraySpec((g.shape[0], *input_shape), g.dtype),
)
_avg_operation: Operation = _pooling_operation(
    "avg_pool", lambda g, y, x, **window: _avg_gradient(g, input_shape=x._array.shape[1:], **window), _pool_result
)


# ---- reading arguments -------------------------------------------------------------------------------------


def _checked_input(name: str, input: Any, rank: int, allowed: frozenset[np.dtype]) -> Tensor:
    x = tensor_of(input)
    check_dtype(name, x._array.dtype, allowed)
    if x._array.ndim != rank + 2:
        refuse(name, f"input must have {rank + 2} dimensions, {rank} spatial ones", InvalidArgumentError, shape=x.shape)
    return x


def _call_pooling(
    operation: Any,
    name: str,
    x: Tensor,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str | None,
    dilations: Any = None,
) -> Tensor:
    rank = x._array.ndim - 2
    channels_first = channels_come_first(data_format, rank, name)
    x = channels_to_end(x, rank, channels_first)
    window = _window_attributes(name, x._array.shape, ksize, strides, padding, channels_first, dilations)
    return restore_channels(operation(x, **window), x._array.shape[:1], rank, channels_first)


def _window_attributes(
    name: str, shape: Sizes, ksize: Any, strides: Any, padding: Any, channels_first: bool, dilations: Any = None
) -> dict[str, Any]:
    rank, sizes = len(shape) - 2, shape[1:-1]
    kernel = per_dimension(ksize, rank, channels_first, f"{name}: ksize")
    steps = per_dimension(strides, rank, channels_first, f"{name}: strides")
    rates = per_dimension(dilations, rank, channels_first, f"{name}: dilations")
    pads = padding_sizes(padding, sizes, kernel, steps, rates, channels_first, name)
    for pair, width in zip(pads, kernel, strict=True):
        if not isinstance(padding, str) and max(pair) >= width:
            raise InvalidArgumentError(f"{name}: padding {max(pair)} needs to be smaller than the window size {width}.")
    output_sizes(sizes, kernel, steps, pads, rates, name)
    return {"kernel": kernel, "strides": steps, "padding": pads, "dilations": rates}


def _check_padding_is_string(name: str, padding: Any) -> None:
    if not isinstance(padding, str):
        raise TypeError(f"{name}: Expected string for argument 'padding' not {padding!r}.")


# ---- maxima --------------------------------------------------------------------------------------------------


def max_pool2d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NHWC", name: str | None = None
) -> Tensor:
    """The largest element of each window.

    Args:
        input: shape (batch, height, width, channels), a real dtype; ``"NCHW"``: (batch, channels, height, width).
        ksize: the size of the windows: one number, two, or one for each dimension of the input.
        strides: the distance between windows, in the forms of ``ksize``; None means 1.
        padding: ``"SAME"``, ``"VALID"``, or a pair (before, after) for each dimension of the input; padding is never the
            maximum.
        data_format: ``"NHWC"`` or ``"NCHW"``.
        name: kept for TensorFlow's signature.

    Returns:
        A tensor of the dtype and format of ``input``. NaN counts as the largest number. The gradient goes to the first
        of several largest elements.

    Raises:
        InvalidArgumentError: shapes, dtypes, strides, paddings or formats do not fit.
        ValueError: the number of sizes, strides or paddings is wrong.
        UnimplementedError: windows or strides cover the batch, cover channels together with height or width, or do not
            divide the channels into equal parts.
    """
    x = _checked_input("max_pool2d", input, 2, _MAX_POOL_DTYPES)
    if data_format in (None, "NHWC"):
        widths = as_python_ints(ksize, "max_pool2d: ksize")
        if len(widths) == 4 and widths[3] != 1:
            return _max_over_channels(x, widths, as_python_ints(strides, "max_pool2d: strides"))
    return _call_pooling(_max_operation, "max_pool2d", x, ksize, strides, padding, data_format)


def _max_over_channels(x: Tensor, window_sizes: Sizes, strides: Sizes) -> Tensor:
    """The largest element of each group of ``window_sizes[3]`` channels of ``x``."""
    batch, height, width, channels = x._array.shape
    group_size = window_sizes[3]
    if window_sizes[:3] != (1, 1, 1) or strides != window_sizes or group_size < 1 or channels % group_size:
        raise UnimplementedError(
            f"max_pool2d: over channels, ksize must be [1, 1, 1, n] with the same strides, and n must divide {channels} "
            f"channels; got ksize {list(window_sizes)} and strides {list(strides)}. Pool over height and width in a call of its own."
        )
    rows = reshape(x, (batch, height * width, channels, 1))
    largest = _max_operation(
        rows, kernel=(1, group_size), strides=(1, group_size), padding=((0, 0), (0, 0)), dilations=(1, 1)
    )
    return reshape(largest, (batch, height, width, channels // group_size))


def max_pool1d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NWC", name: str | None = None
) -> Tensor:
    """``tf.nn.max_pool2d`` along one dimension.

    Args:
        input: shape (batch, width, channels), a real dtype; ``"NCW"``: (batch, channels, width).
        ksize, strides, padding, name: as in ``tf.nn.max_pool2d``.
        data_format: ``"NWC"`` or ``"NCW"``.

    Raises:
        InvalidArgumentError, ValueError, UnimplementedError: as in ``tf.nn.max_pool2d``.
    """
    x = _checked_input("max_pool1d", input, 1, _MAX_POOL_DTYPES)
    return _call_pooling(_max_operation, "max_pool1d", x, ksize, strides, padding, data_format)


def max_pool3d(
    input: Any, ksize: Any, strides: Any, padding: str, data_format: str | None = "NDHWC", name: str | None = None
) -> Tensor:
    """``tf.nn.max_pool2d`` over three dimensions.

    Args:
        input: shape (batch, depth, height, width, channels), float; ``"NCDHW"``: (batch, channels, depth, height, width).
        ksize, strides, name: as in ``tf.nn.max_pool2d``.
        padding: ``"SAME"`` or ``"VALID"``.
        data_format: ``"NDHWC"`` or ``"NCDHW"``.

    Raises:
        InvalidArgumentError, ValueError, UnimplementedError: as in ``tf.nn.max_pool2d``.
        TypeError: ``padding`` is no string.
    """
    x = _checked_input("max_pool3d", input, 3, FLOAT_DTYPES)
    _check_padding_is_string("max_pool3d", padding)
    return _call_pooling(_max_operation, "max_pool3d", x, ksize, strides, padding, data_format)


def max_pool(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = None, name: str | None = None
) -> Tensor:
    """``tf.nn.max_pool1d``, ``max_pool2d`` or ``max_pool3d``, by the rank of ``input``.

    Args:
        input, ksize, strides, padding, data_format, name: as in these functions.

    Raises:
        ValueError: ``input`` does not have 3, 4 or 5 dimensions.
        InvalidArgumentError, TypeError, UnimplementedError: as in these functions.
    """
    rank = _spatial_rank("max_pool", input)
    return (max_pool1d, max_pool2d, max_pool3d)[rank - 1](input, ksize, strides, padding, data_format)


def _spatial_rank(name: str, input: Any) -> int:
    rank = tensor_of(input)._array.ndim - 2
    if rank not in (1, 2, 3):
        raise ValueError(
            f"{name}: input must have 3, 4 or 5 dimensions, got shape {list(tensor_of(input)._array.shape)}."
        )
    return rank


class MaxPoolWithArgmax(NamedTuple):
    """The result of ``tf.nn.max_pool_with_argmax``."""

    output: Tensor
    argmax: Tensor


def _batched_max_pool_argmax(name: str, rows: int, /, *inputs: BatchArg, with_batch: bool, **attributes: Any) -> Any:
    if with_batch:
        raise NotBatched
    return rows_into_batch_rule(name, rows, *inputs, with_batch=False, **attributes)


_argmax_operation = _pooling_operation(
    "max_pool_argmax",
    None,
    lambda x, y, dtype, **attributes: ArraySpec(y.shape, np.dtype(dtype)),
    _MAX_POOL_DTYPES,
    _batched_max_pool_argmax,
)


def max_pool_with_argmax(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: str,
    data_format: str = "NHWC",
    output_dtype: Any = dtypes.int64,
    include_batch_in_index: bool = False,
    name: str | None = None,
) -> MaxPoolWithArgmax:
    """``tf.nn.max_pool2d`` with the position of each maximum.

    Args:
        input: shape (batch, height, width, channels), a real dtype.
        ksize, strides, padding, name: as in ``tf.nn.max_pool2d``.
        data_format: only ``"NHWC"``.
        output_dtype: the dtype of the positions, int32 or int64.
        include_batch_in_index: whether positions count from the start of the batch; otherwise from that of each image.

    Returns:
        ``output`` and ``argmax``: the position ``(y * width + x) * channels + channel`` of the first maximum.

    Raises:
        InvalidArgumentError, ValueError, UnimplementedError: as in ``tf.nn.max_pool2d``.
        TypeError: ``padding`` is no string.
    """
    what = "max_pool_with_argmax"
    x = _checked_input(what, input, 2, _MAX_POOL_DTYPES)
    _check_padding_is_string(what, padding)
    check_choice(what, ("NHWC",), InvalidArgumentError, data_format=data_format)
    dtype = dtypes.as_dtype(output_dtype)
    check_choice(what, (dtypes.int32, dtypes.int64), InvalidArgumentError, output_dtype=dtype)
    window = _window_attributes(what, x._array.shape, ksize, strides, padding, False)
    y = _max_operation(x, **window)
    return MaxPoolWithArgmax(
        y, _argmax_operation(x, y, dtype=dtype.name, with_batch=bool(include_batch_in_index), **window)
    )


# ---- means ---------------------------------------------------------------------------------------------------


def avg_pool2d(
    input: Any, ksize: Any, strides: Any, padding: str, data_format: str | None = "NHWC", name: str | None = None
) -> Tensor:
    """The mean of each window; padding does not count.

    Args:
        input: shape (batch, height, width, channels), float; ``"NCHW"``: (batch, channels, height, width).
        ksize, strides: as in ``tf.nn.max_pool2d``.
        padding: ``"SAME"`` or ``"VALID"``.
        data_format: ``"NHWC"`` or ``"NCHW"``.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError, ValueError, UnimplementedError: as in ``tf.nn.max_pool2d``.
        TypeError: ``padding`` is no string.
    """
    return _call_avg_pool("avg_pool2d", input, 2, ksize, strides, padding, data_format)


def avg_pool1d(
    input: Any, ksize: Any, strides: Any, padding: str, data_format: str | None = "NWC", name: str | None = None
) -> Tensor:
    """``tf.nn.avg_pool2d`` along one dimension.

    Args:
        input: shape (batch, width, channels), float; ``"NCW"``: (batch, channels, width).
        ksize, strides, padding, name: as in ``tf.nn.avg_pool2d``.
        data_format: ``"NWC"`` or ``"NCW"``.

    Raises:
        InvalidArgumentError, ValueError, TypeError, UnimplementedError: as in ``tf.nn.avg_pool2d``.
    """
    return _call_avg_pool("avg_pool1d", input, 1, ksize, strides, padding, data_format)


def avg_pool3d(
    input: Any, ksize: Any, strides: Any, padding: str, data_format: str | None = "NDHWC", name: str | None = None
) -> Tensor:
    """``tf.nn.avg_pool2d`` over three dimensions.

    Args:
        input: shape (batch, depth, height, width, channels), float; ``"NCDHW"``: (batch, channels, depth, height, width).
        ksize, strides, padding, name: as in ``tf.nn.avg_pool2d``.
        data_format: ``"NDHWC"`` or ``"NCDHW"``.

    Raises:
        InvalidArgumentError, ValueError, TypeError, UnimplementedError: as in ``tf.nn.avg_pool2d``.
    """
    return _call_avg_pool("avg_pool3d", input, 3, ksize, strides, padding, data_format)


def _call_avg_pool(
    name: str, input: Any, rank: int, ksize: Any, strides: Any, padding: Any, data_format: str | None
) -> Tensor:
    x = _checked_input(name, input, rank, FLOAT_DTYPES)
    _check_padding_is_string(name, padding)
    return _call_pooling(_avg_operation, name, x, ksize, strides, padding, data_format)


def avg_pool(
    input: Any, ksize: Any, strides: Any, padding: str, data_format: str | None = None, name: str | None = None
) -> Tensor:
    """``tf.nn.avg_pool1d``, ``avg_pool2d`` or ``avg_pool3d``, by the rank of ``input``.

    Args:
        input, ksize, strides, padding, data_format, name: as in these functions.

    Raises:
        ValueError: ``input`` does not have 3, 4 or 5 dimensions.
        InvalidArgumentError, TypeError, UnimplementedError: as in these functions.
    """
    rank = _spatial_rank("avg_pool", input)
    return (avg_pool1d, avg_pool2d, avg_pool3d)[rank - 1](input, ksize, strides, padding, data_format)


# ---- either --------------------------------------------------------------------------------------------------


def pool(
    input: Any,
    window_shape: Sequence[int],
    pooling_type: str,
    strides: Sequence[int] | None = None,
    padding: Any = "VALID",
    data_format: str | None = None,
    dilations: Sequence[int] | None = None,
    name: str | None = None,
) -> Tensor:
    """The maximum or the mean of windows of one to three dimensions, which may be dilated.

    Args:
        input: shape (batch, *spatial, channels).
        window_shape: the size of the windows, one number per spatial dimension.
        pooling_type: ``"MAX"`` or ``"AVG"``.
        strides, dilations: one number per spatial dimension, not both above 1; None means 1.
        padding: ``"VALID"``, or ``"SAME"`` without dilations; for maxima also a list of pairs.
        data_format: as in ``tf.nn.max_pool1d``, ``max_pool2d`` and ``max_pool3d``.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: the pooling type is unknown, ranks do not fit, or dilations go with strides or ``"SAME"``.
        InvalidArgumentError, TypeError, UnimplementedError: as in ``tf.nn.max_pool2d``.
    """
    rank = len(window_shape)
    if pooling_type not in ("MAX", "AVG") or rank not in (1, 2, 3):
        raise ValueError(f"pool: {rank}-D {pooling_type} pooling is not supported; there are 1-D to 3-D MAX and AVG.")
    x = tensor_of(input)
    if x._array.ndim != rank + 2:
        raise ValueError(f"pool: Shape {x.shape} must have rank {rank + 2} for a window_shape of {list(window_shape)}.")
    steps = per_dimension(strides, rank, False, "pool: strides")
    rates = per_dimension(dilations, rank, False, "pool: dilations")
    if math.prod(rates) > 1 and math.prod(steps) > 1:
        raise ValueError(
            f"pool: `strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: strides={list(steps)} "
            f"and dilation_rate={list(rates)}"
        )
    if math.prod(rates) > 1 and padding != "VALID":
        raise ValueError(
            f"pool: pooling with 'SAME' padding is not implemented for `dilation_rate` > 1. Received: padding={padding} "
            f"and dilation_rate={list(rates)}"
        )
    is_max = pooling_type == "MAX"
    if not is_max or rank == 3:
        _check_padding_is_string("pool", padding)
    x = _checked_input("pool", x, rank, _MAX_POOL_DTYPES if is_max else FLOAT_DTYPES)
    return _call_pooling(
        _max_operation if is_max else _avg_operation, "pool", x, window_shape, steps, padding, data_format, rates
    )
