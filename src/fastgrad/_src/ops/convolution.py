"""Convolutions of one to three spatial dimensions; also depthwise, grouped and transposed convolutions.

Three primitives, each the gradient of the others, for any number of spatial dimensions and any number of groups:
``convolution(x, w)``, and its transposes ``convolution_backprop_input(g, w)`` and ``convolution_backprop_filter(x, g)``.
Arrays are (batch, *spatial, channels), filters (*kernel, channels per group, channels out).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import FLOAT_DTYPES, Form, Operation
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.kernels.runtime.launch import Spec
from fastgrad._src.ops.arguments import check_dtype, tensor_of, tensors_of
from fastgrad._src.ops.batching import first_rows_into_batch_rule
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

_CONVOLUTION_DTYPES = FLOAT_DTYPES | {dtypes.int32.numpy}


# ---- the primitives ------------------------------------------------------------------------------------


def _convolution_result(x: Any, w: Any, strides: Sizes, padding: Padding, dilations: Sizes) -> ArraySpec:
    outputs = output_sizes(x.shape[1:-1], w.shape[:-2], strides, padding, dilations, "convolution")
    return ArraySpec((x.shape[0], *outputs, w.shape[-1]), x.dtype)


def _flops(windows: Spec, filters: Spec) -> int:
    """The arithmetic of one product with all filters for each window; ``windows`` has the shape of the result."""
    return 2 * math.prod(windows.shape[:-1]) * math.prod(filters.shape)


convolution_operation: Operation = kernel_operation(
    "convolution",
    Form.CONVOLVE,
    gradient=(
        lambda g, y, x, w, **window: backprop_input(g, w, input_shape=x._array.shape[1:], **window),
        lambda g, y, x, w, **window: backprop_filter(x, g, filter_shape=w._array.shape, **window),
    ),
    dtypes=_CONVOLUTION_DTYPES,
    launches=launches_from("convolution.convolution", "convolution_launches"),
    batched=first_rows_into_batch_rule,
    result=_convolution_result,
    launches_with_epilogue=launches_from("convolution.convolution", "convolution_launches_with_epilogue"),
    flops=lambda inputs, outputs, **window: _flops(outputs[0], inputs[1]),
)
backprop_input: Operation = kernel_operation(
    "convolution_backprop_input",
    Form.CONVOLVE,
    gradient=(
        lambda g, y, x, w, input_shape, **window: convolution_operation(g, w, **window),
        lambda g, y, x, w, input_shape, **window: backprop_filter(g, x, filter_shape=w._array.shape, **window),
    ),
    dtypes=_CONVOLUTION_DTYPES,
    launches=launches_from("convolution.convolution", "convolution_input_launches"),
    batched=first_rows_into_batch_rule,
    result=lambda g, w, input_shape, **window: ArraySpec((g.shape[0], *input_shape), g.dtype),
    flops=lambda inputs, outputs, **window: _flops(inputs[0], inputs[1]),
)
backprop_filter: Operation = kernel_operation(
    "convolution_backprop_filter",
    Form.CONVOLVE,
    gradient=(
        lambda g, y, x, c, filter_shape, **window: backprop_input(c, g, input_shape=x._array.shape[1:], **window),
        lambda g, y, x, c, filter_shape, **window: convolution_operation(x, g, **window),
    ),
    dtypes=_CONVOLUTION_DTYPES,
    launches=launches_from("convolution.convolution", "convolution_filter_launches"),
    result=lambda x, g, filter_shape, **window: ArraySpec(filter_shape, x.dtype),
    flops=lambda inputs, outputs, **window: _flops(inputs[1], outputs[0]),
)


# ---- checks --------------------------------------------------------------------------------------------


def checked_operands(
    name: str, input: Any, filters: Any, rank: int, allowed: frozenset[np.dtype] = _CONVOLUTION_DTYPES
) -> tuple[Tensor, Tensor]:
    """Converts an input and filters to tensors for ``rank`` spatial dimensions.

    Raises InvalidArgumentError if their dtypes or ranks do not fit.
    """
    x, w = tensors_of((input, filters), name)
    check_dtype(name, x._array.dtype, allowed)
    shapes_text = f"got input shape {list(x._array.shape)} and filter shape {list(w._array.shape)}"
    if w._array.ndim != rank + 2:
        raise InvalidArgumentError(f"{name}: filter must be {rank + 2}-dimensional, {shapes_text}.")
    if x._array.ndim < rank + 2:
        raise InvalidArgumentError(f"{name}: input must have at least {rank + 2} dimensions, {shapes_text}.")
    if not w._array.size:
        raise InvalidArgumentError(f"{name}: filter must not have zero elements (sizes must be > 0), {shapes_text}.")
    return x, w


def check_channels(name: str, channels: int, filter_shape: Sizes, grouped: bool) -> None:
    """Raises InvalidArgumentError unless filters fit an input of ``channels``, in groups if ``grouped``."""
    depth, channels_out = filter_shape[-2:]
    if channels % depth or not channels or (not grouped and channels != depth):
        requirement = "be evenly divisible by" if grouped else "equal"
        raise InvalidArgumentError(
            f"{name}: input depth must {requirement} filter depth: {channels} vs {depth} (filter shape {list(filter_shape)})."
        )
    if channels_out % (channels // depth):
        raise InvalidArgumentError(
            f"{name}: output depth must be evenly divisible by number of groups: {channels_out} vs {channels // depth} "
            f"(filter shape {list(filter_shape)}, input depth {channels})."
        )


def check_padding_is_string(name: str, padding: Any) -> None:
    """Raises TypeError if ``padding`` is no string."""
    if not isinstance(padding, str):
        raise TypeError(f"{name}: Expected string for argument 'padding' not {padding!r}; tf.pad the input instead.")


_LARGEST_FILTER = 2**20
"""Positions in a padded image are numbers of 64 bits."""


def window_attributes(
    name: str, input_shape: Sizes, filter_shape: Sizes, strides: Any, padding: Any, dilations: Any, first: bool
) -> dict[str, Any]:
    """Returns the primitives' attributes for a channels-last input; raises as per_dimension and padding_sizes do."""
    rank = len(filter_shape) - 2
    stride_per_axis = per_dimension(strides, rank, first, f"{name}: strides")
    dilation_per_axis = per_dimension(dilations, rank, first, f"{name}: dilations")
    if any(
        dilation > 1 and size * dilation > _LARGEST_FILTER
        for size, dilation in zip(filter_shape, dilation_per_axis, strict=False)
    ):
        requirement = f"a filter with its dilations must cover at most {_LARGEST_FILTER:,} elements of an axis"
        refuse(name, requirement, InvalidArgumentError, dilations=dilations)
    pads = padding_sizes(padding, input_shape[1:-1], filter_shape[:-2], stride_per_axis, dilation_per_axis, first, name)
    return {"strides": stride_per_axis, "padding": pads, "dilations": dilation_per_axis}


def _convolve_tensors(
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
    channels_first = channels_come_first(data_format, rank, name)
    batch = x._array.shape[: -rank - 1]
    x = channels_to_end(x, rank, channels_first)
    check_channels(name, x._array.shape[-1], w._array.shape, grouped)
    window = window_attributes(name, x._array.shape, w._array.shape, strides, padding, dilations, channels_first)
    output_sizes(x._array.shape[1:-1], w._array.shape[:-2], name=name, **window)
    return restore_channels(convolution_operation(x, w, **window), batch, rank, channels_first)


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
    x, w = checked_operands("conv1d", input, filters, 1)
    check_padding_is_string("conv1d", padding)
    if data_format not in (None, "NWC", "NCW"):
        raise ValueError(f"conv1d: `data_format` must be 'NWC' or 'NCW'. Received: data_format={data_format}")
    return _convolve_tensors("conv1d", x, w, stride, padding, data_format, dilations)


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
        filters: shape (height, width, channels / groups, channels out), the dtype of ``input``. The number of groups is the
            number of the input's channels divided by that of the filters.
        strides, dilations: one number, two, or one for each dimension of the input.
        padding: ``"SAME"`` (one output for each stride; an odd cell of padding goes at the end), ``"VALID"`` (no padding), or
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
    x, w = checked_operands("conv2d", input, filters, 2)
    return _convolve_tensors("conv2d", x, w, strides, padding, data_format, dilations)


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
    x, w = checked_operands("conv3d", input, filters, 3, FLOAT_DTYPES)
    check_padding_is_string("conv3d", padding)
    return _convolve_tensors("conv3d", x, w, strides, padding, data_format, dilations, grouped=False)


def convolution(
    input: Any,
    filters: Any,
    strides: Any = None,
    padding: str = "VALID",
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """Convolution along the one, two or three spatial dimensions of ``filters``.

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
    return convolution_in_groups(input, filters, strides, padding, data_format, dilations, of_volumes=False)


def convolution_in_groups(
    input: Any,
    filters: Any,
    strides: Any,
    padding: str,
    data_format: str | None,
    dilations: Any,
    of_volumes: bool = True,
) -> Tensor:
    """Computes ``convolution`` for filters that may have fewer channels than the input, for several groups.

    ``of_volumes``: whether groups may have three spatial dimensions; TensorFlow's functions refuse this, Keras's layers allow it.
    """
    _, w = tensors_of((input, filters), "convolution")
    rank = w._array.ndim - 2
    if rank not in (1, 2, 3):
        raise ValueError(f"convolution: filters must have 3, 4 or 5 dimensions, got shape {list(w._array.shape)}.")
    check_padding_is_string("convolution", padding)
    channels_first = channels_come_first(data_format, rank, "convolution")
    stride_per_axis = per_dimension(strides, rank, channels_first, "convolution: strides")
    dilation_per_axis = per_dimension(dilations, rank, channels_first, "convolution: dilations")
    if max(stride_per_axis) > 1 and max(dilation_per_axis) > 1:
        raise ValueError(
            f"convolution: `strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: "
            f"strides={list(stride_per_axis)} and dilation_rate={list(dilation_per_axis)}"
        )
    x, w = checked_operands("convolution", input, filters, rank)
    return _convolve_tensors(
        "convolution", x, w, stride_per_axis, padding, data_format, dilation_per_axis, grouped=rank < 3 or of_volumes
    )


def atrous_conv2d(value: Any, filters: Any, rate: int, padding: str, name: str | None = None) -> Tensor:
    """``tf.nn.conv2d`` with stride 1 and the dilation ``rate``.

    Args:
        value: shape (..., height, width, channels).
        filters: shape (height, width, channels, channels out), the dtype of ``value``.
        rate: the distance between the input elements that a filter reads.
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
    """Convolution of each channel on its own, with several filters per channel.

    Args:
        input: shape (batch, height, width, channels), float.
        filter: shape (height, width, channels, filters per channel), the dtype of ``input``.
        strides, padding, data_format, dilations: as in ``tf.nn.conv2d``.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (batch, height, width, channels * filters per channel). Filter f of channel c gives channel ``c * filters per channel + f``.

    Raises:
        InvalidArgumentError, ValueError, UnimplementedError: as ``tf.nn.conv2d``.
    """
    x, w = checked_operands("depthwise_conv2d", input, filter, 2, FLOAT_DTYPES)
    channels_first = channels_come_first(data_format, 2, "depthwise_conv2d")
    channels = x._array.shape[-3 if channels_first else -1]
    if w._array.shape[2] != channels:
        raise InvalidArgumentError(
            f"depthwise_conv2d: input depth must equal filter depth: {channels} vs {w._array.shape[2]} (shapes "
            f"{list(x._array.shape)} and {list(w._array.shape)})."
        )
    kernel = w._array.shape[:2]
    w = reshape(w, (*kernel, 1, -1))
    stride_count = len(strides) if isinstance(strides, (list, tuple)) else tensor_of(strides)._array.size
    if stride_count != 4:
        raise InvalidArgumentError(f"depthwise_conv2d: strides must hold 4 numbers, got {strides!r}.")
    return _convolve_tensors("depthwise_conv2d", x, w, strides, padding, data_format, dilations)


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
    """A depthwise convolution, followed by a 1 x 1 convolution that mixes its channels.

    Args:
        input: shape (batch, height, width, channels), float.
        depthwise_filter: shape (height, width, channels, filters per channel).
        pointwise_filter: shape (1, 1, channels * filters per channel, channels out).
        strides, padding, data_format, dilations: for the depthwise convolution, as in ``tf.nn.conv2d``.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: a pointwise filter that is not 1 x 1.
        InvalidArgumentError, UnimplementedError: as ``tf.nn.conv2d``.
    """
    x, w = checked_operands("separable_conv2d", input, depthwise_filter, 2, FLOAT_DTYPES)
    _, pointwise = checked_operands("separable_conv2d", x, pointwise_filter, 2, FLOAT_DTYPES)
    if pointwise._array.shape[:2] != (1, 1):
        raise ValueError(f"separable_conv2d: pointwise_filter must be 1 x 1, got shape {list(pointwise._array.shape)}.")
    check_channels("separable_conv2d", math.prod(w._array.shape[2:]), pointwise._array.shape, grouped=False)
    y = depthwise_conv2d(x, w, strides, padding, data_format, dilations)
    return conv2d(y, pointwise, 1, "VALID", data_format or "NHWC")
