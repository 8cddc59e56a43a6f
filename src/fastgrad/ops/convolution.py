"""Convolutions of one to three spatial dimensions, depthwise, grouped and transposed ones.

Three primitives, each the gradient of the others, for any number of spatial dimensions and any number of groups:
``convolution(x, w)``, and its transposes ``convolution_backprop_input(g, w)`` and ``convolution_backprop_filter(x, g)``.
Arrays are (batch, *spatial, channels), filters (*kernel, channels a group, channels out).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastgrad import dtypes
from fastgrad.errors import InvalidArgumentError
from fastgrad.operation import FLOATING, Form, Operation, operation, refuse_dtype
from fastgrad.ops.arguments import tensors_of
from fastgrad.ops.native_form import launches_from
from fastgrad.ops.shaping import reshape
from fastgrad.ops.windows import (
    Padding,
    Sizes,
    channels_back,
    channels_come_first,
    channels_to_end,
    meetings,
    output_sizes,
    padding_sizes,
    per_dimension,
)
from fastgrad.tensor import Tensor

_HALF = (dtypes.float16.numpy, dtypes.bfloat16.numpy)
_CONVOLVED = FLOATING | {dtypes.int32.numpy}
_COLUMNS = 1 << 20  # numbers in a block of unfolded windows: 4 MB of float32, about a core's cache


# ---- on arrays -----------------------------------------------------------------------------------------


def _in_float32(run: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """``run`` for half precision, too: summed in float32, rounded once."""

    def wide(a: np.ndarray, b: np.ndarray, **attributes: Any) -> np.ndarray:
        if a.dtype in _HALF:
            return run(a.astype(np.float32), b.astype(np.float32), **attributes).astype(a.dtype)
        return run(a, b, **attributes)

    return wide


def _columns(
    x: np.ndarray, kernel: Sizes, outputs: Sizes, strides: Sizes, padding: Padding, dilations: Sizes
) -> Iterator[tuple[slice, np.ndarray]]:
    """The windows unfolded into rows of a matrix, a block of the batch at a time: (which images, matrix)."""
    batch, channels = x.shape[0], x.shape[-1]
    if math.prod(kernel) == 1 and not any(map(any, padding)) and max(strides) == 1:
        yield slice(batch), x.reshape(batch * math.prod(outputs), channels)
        return
    if any(map(any, padding)):
        inner = x
        grown = [size + sum(pair) for size, pair in zip(x.shape[1:-1], padding, strict=True)]
        x = np.zeros((batch, *grown, channels), x.dtype)
        spans = [slice(pair[0], pair[0] + size) for pair, size in zip(padding, inner.shape[1:-1], strict=True)]
        inside = (slice(None), *spans)
        x[inside] = inner
    steps = x.strides[1:-1]
    by_window = [step * stride for step, stride in zip(steps, strides, strict=True)]
    by_cell = [step * dilation for step, dilation in zip(steps, dilations, strict=True)]
    # Few channels: whole lines of windows are longer pieces to copy than what a window has of a line.
    lines = channels < 8
    images, cells, windows = (batch,), (*kernel, channels), outputs
    strided = np.lib.stride_tricks.as_strided
    if lines:
        unfolded = strided(
            x, cells + images + windows, (*by_cell, x.strides[-1], x.strides[0], *by_window), writeable=False
        )
    else:
        unfolded = strided(
            x, images + windows + cells, (x.strides[0], *by_window, *by_cell, x.strides[-1]), writeable=False
        )
    width, height = math.prod(cells), math.prod(windows)
    step = max(1, _COLUMNS // max(1, width * height))
    block = np.empty(0)
    front = (slice(None),) * len(cells) if lines else ()
    for first in range(0, batch, step):
        some = slice(first, min(first + step, batch))
        where = (*front, some)
        part = unfolded[where]
        if block.shape != part.shape:
            block = np.empty(part.shape, x.dtype)
        block[...] = part
        rows = (some.stop - some.start) * height
        yield some, block.reshape(width, rows).T if lines else block.reshape(rows, width)


def _groups(channels: int, filter_shape: Sizes) -> list[tuple[slice, slice]]:
    """For each group its channels of the input, and of the output."""
    count = channels // filter_shape[-2]
    inside, outside = filter_shape[-2], filter_shape[-1] // count
    return [(slice(i * inside, (i + 1) * inside), slice(i * outside, (i + 1) * outside)) for i in range(count)]


@_in_float32
def _convolution(x: np.ndarray, w: np.ndarray, strides: Sizes, padding: Padding, dilations: Sizes) -> np.ndarray:
    kernel, channels = w.shape[:-2], w.shape[-1]
    outputs = output_sizes(x.shape[1:-1], kernel, strides, padding, dilations, "convolution")
    groups = _groups(x.shape[-1], w.shape)
    if len(groups) > 1 and w.shape[-2] == 1:
        each = (x.shape[-1], channels // x.shape[-1])
        out = np.zeros((x.shape[0], *outputs, *each), x.dtype)
        for position in np.ndindex(kernel):
            windows, cells = meetings(position, x.shape[1:-1], outputs, strides, padding, dilations)
            out[windows] += x[cells][..., None] * w[position].reshape(each)
        return out.reshape(x.shape[0], *outputs, channels)
    if len(groups) > 1:
        parts = [
            _convolution(x[..., i], w[..., o], strides=strides, padding=padding, dilations=dilations) for i, o in groups
        ]
        return np.concatenate(parts, -1)
    out = np.empty((x.shape[0], *outputs, channels), x.dtype)
    matrix = w.reshape(-1, channels)
    for some, columns in _columns(x, kernel, outputs, strides, padding, dilations):
        np.dot(columns, matrix, out=out[some].reshape(columns.shape[0], channels))
    return out


@_in_float32
def _backprop_filter(
    x: np.ndarray, g: np.ndarray, filter_shape: Sizes, strides: Sizes, padding: Padding, dilations: Sizes
) -> np.ndarray:
    kernel, outputs = filter_shape[:-2], g.shape[1:-1]
    groups = _groups(x.shape[-1], filter_shape)
    out = np.zeros(filter_shape, x.dtype)
    if len(groups) > 1 and filter_shape[-2] == 1:
        each = (x.shape[-1], filter_shape[-1] // x.shape[-1])
        g = g.reshape(*g.shape[:-1], *each)
        for position in np.ndindex(kernel):
            windows, cells = meetings(position, x.shape[1:-1], outputs, strides, padding, dilations)
            products = x[cells][..., None] * g[windows]
            out[position] = products.sum(tuple(range(products.ndim - 2))).reshape(filter_shape[-2:])
    elif len(groups) > 1:
        shape = (*filter_shape[:-1], filter_shape[-1] // len(groups))
        for i, o in groups:
            out[..., o] = _backprop_filter(
                x[..., i], g[..., o], filter_shape=shape, strides=strides, padding=padding, dilations=dilations
            )
    else:
        matrix = out.reshape(-1, filter_shape[-1])
        for some, columns in _columns(x, kernel, outputs, strides, padding, dilations):
            matrix += columns.T.dot(g[some].reshape(columns.shape[0], filter_shape[-1]))
    return out


@_in_float32
def _backprop_input(
    g: np.ndarray, w: np.ndarray, input_shape: Sizes, strides: Sizes, padding: Padding, dilations: Sizes
) -> np.ndarray:
    sizes, channels = input_shape[:-1], input_shape[-1]
    kernel, outputs, batch = w.shape[:-2], g.shape[1:-1], g.shape[0]
    groups = _groups(channels, w.shape)
    if len(groups) > 1 and w.shape[-2] == 1:
        each = (channels, w.shape[-1] // channels)
        g = g.reshape(*g.shape[:-1], *each)
        out = np.zeros((batch, *input_shape), g.dtype)
        for position in np.ndindex(kernel):
            windows, cells = meetings(position, sizes, outputs, strides, padding, dilations)
            out[cells] += (g[windows] * w[position].reshape(each)).sum(-1)
        return out
    if len(groups) > 1:
        shape = (*sizes, w.shape[-2])
        parts = [
            _backprop_input(
                g[..., o], w[..., o], input_shape=shape, strides=strides, padding=padding, dilations=dilations
            )
            for _, o in groups
        ]
        return np.concatenate(parts, -1)
    turned = _mirrored_padding(sizes, kernel, outputs, padding, dilations)
    if max(strides) == 1 and min(map(min, turned), default=0) >= 0 and w.shape[-1] <= 4 * channels:
        mirrored = np.flip(w, tuple(range(len(kernel)))).swapaxes(-1, -2)
        return _convolution(g, mirrored, strides=strides, padding=turned, dilations=dilations)
    out = np.zeros((batch, *input_shape), g.dtype)
    for position in np.ndindex(kernel):
        windows, cells = meetings(position, sizes, outputs, strides, padding, dilations)
        part = g[windows]
        rows = part.reshape(math.prod(part.shape[:-1]), part.shape[-1])
        out[cells] += rows.dot(w[position].T).reshape(*part.shape[:-1], channels)
    return out


def _mirrored_padding(sizes: Sizes, kernel: Sizes, outputs: Sizes, padding: Padding, dilations: Sizes) -> Padding:
    """The padding by which a convolution of stride 1 with the mirrored filter undoes one of these sizes."""
    found = []
    for size, width, count, pair, dilation in zip(sizes, kernel, outputs, padding, dilations, strict=True):
        before = (width - 1) * dilation - pair[0]
        found.append((before, size - count + (width - 1) * dilation - before))
    return tuple(found)


# ---- the primitives ------------------------------------------------------------------------------------


def _input_cotangent(g: Tensor, y: Tensor, x: Tensor, w: Tensor, **window: Any) -> Tensor:
    return backprop_input(g, w, input_shape=x._array.shape[1:], **window)


def _filter_cotangent(g: Tensor, y: Tensor, x: Tensor, w: Tensor, **window: Any) -> Tensor:
    return backprop_filter(x, g, filter_shape=w._array.shape, **window)


convolution_row: Operation = operation(
    "convolution",
    Form.CONVOLVE,
    run=_convolution,
    gradient=(_input_cotangent, _filter_cotangent),
    dtypes=_CONVOLVED,
    launches=launches_from("windows.convolution", "convolution_launches"),
)
backprop_input: Operation = operation(
    "convolution_backprop_input",
    Form.CONVOLVE,
    run=_backprop_input,
    gradient=(
        lambda g, y, x, w, input_shape, **window: convolution_row(g, w, **window),
        lambda g, y, x, w, input_shape, **window: backprop_filter(g, x, filter_shape=w._array.shape, **window),
    ),
    dtypes=_CONVOLVED,
    launches=launches_from("windows.convolution", "convolution_input_launches"),
)
backprop_filter: Operation = operation(
    "convolution_backprop_filter",
    Form.CONVOLVE,
    run=_backprop_filter,
    gradient=(
        lambda g, y, x, c, filter_shape, **window: backprop_input(c, g, input_shape=x._array.shape[1:], **window),
        lambda g, y, x, c, filter_shape, **window: convolution_row(x, g, **window),
    ),
    dtypes=_CONVOLVED,
    launches=launches_from("windows.convolution", "convolution_filter_launches"),
)


# ---- checks --------------------------------------------------------------------------------------------


def operands(
    name: str, input: Any, filters: Any, rank: int, allowed: frozenset[np.dtype] = _CONVOLVED
) -> tuple[Tensor, Tensor]:
    """An input and filters for ``rank`` spatial dimensions; InvalidArgumentError if their dtypes or ranks do not fit."""
    x, w = tensors_of((input, filters), name)
    if x._array.dtype not in allowed:
        raise refuse_dtype(name, x._array.dtype, allowed)
    got = f"got input shape {list(x._array.shape)} and filter shape {list(w._array.shape)}"
    if w._array.ndim != rank + 2:
        raise InvalidArgumentError(f"{name}: filter must be {rank + 2}-dimensional, {got}.")
    if x._array.ndim < rank + 2:
        raise InvalidArgumentError(f"{name}: input must have at least {rank + 2} dimensions, {got}.")
    if not w._array.size:
        raise InvalidArgumentError(
            f"{name}: filter must not have zero elements (all dimensions must be non-zero), {got}."
        )
    return x, w


def check_channels(name: str, channels: int, filter_shape: Sizes, grouped: bool) -> None:
    """Raises InvalidArgumentError unless filters fit an input of so many channels, in groups where ``grouped``."""
    depth, outside = filter_shape[-2:]
    if channels % depth or not channels or (not grouped and channels != depth):
        wanted = "be evenly divisible by" if grouped else "equal"
        raise InvalidArgumentError(
            f"{name}: input depth must {wanted} filter depth: {channels} vs {depth} (filter shape {list(filter_shape)})."
        )
    if outside % (channels // depth):
        raise InvalidArgumentError(
            f"{name}: output depth must be evenly divisible by number of groups: {outside} vs {channels // depth} "
            f"(filter shape {list(filter_shape)}, input depth {channels})."
        )


def only_strings(name: str, padding: Any) -> None:
    """Raises TypeError for a padding that is no string."""
    if not isinstance(padding, str):
        raise TypeError(f"{name}: Expected string for argument 'padding' not {padding!r}; tf.pad the input instead.")


def window_of(
    name: str, input_shape: Sizes, filter_shape: Sizes, strides: Any, padding: Any, dilations: Any, first: bool
) -> dict[str, Any]:
    """The attributes of the primitives, for an input with the channels last; the errors of per_dimension and padding_sizes."""
    rank = len(filter_shape) - 2
    steps = per_dimension(strides, rank, first, f"{name}: strides")
    rates = per_dimension(dilations, rank, first, f"{name}: dilations")
    pads = padding_sizes(padding, input_shape[1:-1], filter_shape[:-2], steps, rates, first, name)
    return {"strides": steps, "padding": pads, "dilations": rates}


def _convolved(
    name: str,
    x: Tensor,
    w: Tensor,
    strides: Any,
    padding: Any,
    data_format: str | None,
    dilations: Any,
    grouped: bool = True,
) -> Tensor:
    rank = w._array.ndim - 2
    first = channels_come_first(data_format, rank, name)
    batch = x._array.shape[: -rank - 1]
    x = channels_to_end(x, rank, first)
    check_channels(name, x._array.shape[-1], w._array.shape, grouped)
    window = window_of(name, x._array.shape, w._array.shape, strides, padding, dilations, first)
    output_sizes(x._array.shape[1:-1], w._array.shape[:-2], name=name, **window)
    return channels_back(convolution_row(x, w, **window), batch, rank, first)


# ---- convolutions --------------------------------------------------------------------------------------


def conv1d(
    input: Any,
    filters: Any,
    stride: Any,
    padding: str,
    data_format: str | None = "NWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """Convolution along one dimension (cross-correlation: the filter is not mirrored).

    Args:
        input: shape (..., width, channels), float or int32; ``"NCW"``: (..., channels, width).
        filters: shape (width, channels / groups, channels out), the dtype of ``input``.
        stride, dilations: a number.
        padding: ``"SAME"`` or ``"VALID"``.
        data_format: ``"NWC"`` or ``"NCW"``.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError, ValueError, UnimplementedError: as ``tf.nn.conv2d``.
        TypeError: ``padding`` is no string.
    """
    x, w = operands("conv1d", input, filters, 1)
    only_strings("conv1d", padding)
    if data_format not in (None, "NWC", "NCW"):
        raise ValueError(f"conv1d: `data_format` must be 'NWC' or 'NCW'. Received: data_format={data_format}")
    return _convolved("conv1d", x, w, stride, padding, data_format, dilations)


def conv2d(
    input: Any,
    filters: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = "NHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """Convolution of images (cross-correlation: the filter is not mirrored).

    Args:
        input: shape (..., height, width, channels), float or int32; ``"NCHW"``: (..., channels, height, width).
        filters: shape (height, width, channels / groups, channels out), the dtype of ``input``. Fewer channels than the
            input's mean several groups.
        strides, dilations: one number, two, or one for each dimension of the input.
        padding: ``"SAME"`` (an output for each stride; the odd cell of padding is at the end), ``"VALID"`` (no padding), or
            a pair (before, after) for each dimension of the input.
        data_format: ``"NHWC"`` or ``"NCHW"``.
        name: kept for TensorFlow's signature.

    Returns:
        A tensor of the dtype and format of ``input``; half precision is summed in float32.

    Raises:
        InvalidArgumentError: shapes, dtypes, strides, paddings or formats that do not fit.
        ValueError: a wrong number of strides, dilations or paddings.
        UnimplementedError: strides or dilations over batch or channels.
    """
    x, w = operands("conv2d", input, filters, 2)
    return _convolved("conv2d", x, w, strides, padding, data_format, dilations)


def conv3d(
    input: Any,
    filters: Any,
    strides: Any,
    padding: str,
    data_format: str | None = "NDHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """Convolution of volumes.

    Args:
        input: shape (..., depth, height, width, channels), float; ``"NCDHW"``: (..., channels, depth, height, width).
        filters: shape (depth, height, width, channels, channels out), the dtype of ``input``.
        strides, dilations: one number, three, or one for each dimension of the input.
        padding: ``"SAME"`` or ``"VALID"``.
        data_format: ``"NDHWC"`` or ``"NCDHW"``.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError, ValueError, UnimplementedError: as ``tf.nn.conv2d``.
        TypeError: ``padding`` is no string.
    """
    x, w = operands("conv3d", input, filters, 3, FLOATING)
    only_strings("conv3d", padding)
    return _convolved("conv3d", x, w, strides, padding, data_format, dilations, grouped=False)


def convolution(
    input: Any,
    filters: Any,
    strides: Any = None,
    padding: str = "VALID",
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """Convolution along one, two or three dimensions: as many as ``filters`` has before its channels.

    Args:
        input: shape (..., *spatial, channels).
        filters: shape (*kernel, channels / groups, channels out), the dtype of ``input``.
        strides, dilations: one number, or one for each spatial dimension; not both above 1.
        padding: ``"SAME"`` or ``"VALID"``.
        data_format: as in ``tf.nn.conv1d``, ``conv2d`` and ``conv3d``.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: strides and dilations above 1, filters of another rank.
        InvalidArgumentError, UnimplementedError: as ``tf.nn.conv2d``.
        TypeError: ``padding`` is no string.
    """
    _, w = tensors_of((input, filters), "convolution")
    rank = w._array.ndim - 2
    if rank not in (1, 2, 3):
        raise ValueError(f"convolution: filters must have 3, 4 or 5 dimensions, got shape {list(w._array.shape)}.")
    only_strings("convolution", padding)
    first = channels_come_first(data_format, rank, "convolution")
    steps = per_dimension(strides, rank, first, "convolution: strides")
    rates = per_dimension(dilations, rank, first, "convolution: dilations")
    if max(steps) > 1 and max(rates) > 1:
        raise ValueError(
            f"convolution: `strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: "
            f"strides={list(steps)} and dilation_rate={list(rates)}"
        )
    x, w = operands("convolution", input, filters, rank)
    return _convolved("convolution", x, w, steps, padding, data_format, rates, grouped=rank < 3)


def atrous_conv2d(value: Any, filters: Any, rate: int, padding: str, name: str | None = None) -> Tensor:
    """``tf.nn.conv2d`` with stride 1 and the dilation ``rate``.

    Args:
        value: shape (..., height, width, channels).
        filters: shape (height, width, channels, channels out), the dtype of ``value``.
        rate: the distance between the cells that a filter looks at.
        padding: ``"SAME"`` or ``"VALID"``.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError, TypeError: as ``tf.nn.convolution``.
    """
    return convolution(value, filters, padding=padding, dilations=rate)


# ---- depthwise and separable convolutions ----------------------------------------------------------------


def depthwise_conv2d(
    input: Any,
    filter: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """Convolution of each channel on its own, with several filters a channel.

    Args:
        input: shape (batch, height, width, channels), float.
        filter: shape (height, width, channels, filters a channel), the dtype of ``input``.
        strides, padding, data_format, dilations: as in ``tf.nn.conv2d``.
        name: kept for TensorFlow's signature.

    Returns:
        Channels ``c * filters + f`` for channel c and filter f.

    Raises:
        InvalidArgumentError, ValueError, UnimplementedError: as ``tf.nn.conv2d``.
    """
    x, w = operands("depthwise_conv2d", input, filter, 2, FLOATING)
    first = channels_come_first(data_format, 2, "depthwise_conv2d")
    channels = x._array.shape[-3 if first else -1]
    if w._array.shape[2] != channels:
        raise InvalidArgumentError(
            f"depthwise_conv2d: input depth must equal filter depth: {channels} vs {w._array.shape[2]} (shapes "
            f"{list(x._array.shape)} and {list(w._array.shape)})."
        )
    kernel = w._array.shape[:2]
    w = reshape(w, (*kernel, 1, -1))
    return _convolved("depthwise_conv2d", x, w, strides, padding, data_format, dilations)


def separable_conv2d(
    input: Any,
    depthwise_filter: Any,
    pointwise_filter: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """A depthwise convolution, whose channels are then mixed at each place.

    Args:
        input: shape (batch, height, width, channels), float.
        depthwise_filter: shape (height, width, channels, filters a channel).
        pointwise_filter: shape (1, 1, channels * filters a channel, channels out).
        strides, padding, data_format, dilations: of the depthwise convolution, as in ``tf.nn.conv2d``.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: a pointwise filter that is not 1 x 1.
        InvalidArgumentError, UnimplementedError: as ``tf.nn.conv2d``.
    """
    x, w = operands("separable_conv2d", input, depthwise_filter, 2, FLOATING)
    _, mixing = operands("separable_conv2d", x, pointwise_filter, 2, FLOATING)
    if mixing._array.shape[:2] != (1, 1):
        raise ValueError(f"separable_conv2d: pointwise_filter must be 1 x 1, got shape {list(mixing._array.shape)}.")
    check_channels("separable_conv2d", math.prod(w._array.shape[2:]), mixing._array.shape, grouped=False)
    y = depthwise_conv2d(x, w, strides, padding, data_format, dilations)
    return conv2d(y, mixing, 1, "VALID", data_format or "NHWC")
