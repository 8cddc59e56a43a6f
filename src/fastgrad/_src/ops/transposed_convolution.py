"""Transposed convolutions."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import FLOAT_DTYPES
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.arguments import as_python_ints
from fastgrad._src.ops.convolution import (
    backprop_input,
    check_channels,
    check_padding_is_string,
    checked_operands,
    window_attributes,
)
from fastgrad._src.ops.windows import Sizes, channels_come_first, channels_to_end, output_sizes, restore_channels


def _convolution_transpose(
    name: str, g: Tensor, w: Tensor, shape: Sizes, strides: Any, padding: Any, data_format: str | None, dilations: Any
) -> Tensor:
    """The cotangent of the input of a convolution with filters ``w``, given the cotangent ``g`` of its result."""
    rank = w._array.ndim - 2
    channels_first = channels_come_first(data_format, rank, name)
    x = channels_to_end(g, rank, channels_first)
    if len(shape) == rank:
        batch, depth = x._array.shape[0], w._array.shape[-2]
        shape = (batch, depth, *shape) if channels_first else (batch, *shape, depth)
    shapes_text = (
        f"got input shape {list(g._array.shape)}, filter shape {list(w._array.shape)} and output shape {list(shape)}"
    )
    if len(shape) != rank + 2 or min(shape) < 0:
        raise InvalidArgumentError(f"{name}: output_shape must have {rank} or {rank + 2} sizes, {shapes_text}.")
    shape_channels_last = (shape[0], *shape[2:], shape[1]) if channels_first else shape
    check_channels(name, shape_channels_last[-1], w._array.shape, grouped=rank < 3)
    window = window_attributes(name, shape_channels_last, w._array.shape, strides, padding, dilations, channels_first)
    outputs = output_sizes(shape_channels_last[1:-1], w._array.shape[:-2], name=name, **window)
    if x._array.shape != (shape_channels_last[0], *outputs, w._array.shape[-1]):
        raise InvalidArgumentError(
            f"{name}: a convolution with strides {window['strides']}, padding {padding} would turn the output shape into "
            f"{[shape_channels_last[0], *outputs, w._array.shape[-1]]} (channels last), which must be the input shape; {shapes_text}."
        )
    y = backprop_input(x, w, input_shape=shape_channels_last[1:], **window)
    return restore_channels(y, shape_channels_last[:1], rank, channels_first)


def conv1d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: str = "SAME",
    data_format: str | None = "NWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The transpose of ``tf.nn.conv1d``: its gradient with respect to the input.

    Args:
        input: shape (batch, width, channels), float.
        filters: shape (width, channels out, channels): the filters of the convolution that is transposed.
        output_shape: the whole shape of the result, or its width.
        strides, padding, data_format, dilations: the arguments of the convolution that is transposed.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError, ValueError, TypeError: as in ``tf.nn.conv2d_transpose``.
    """
    g, w = checked_operands("conv1d_transpose", input, filters, 1)
    check_padding_is_string("conv1d_transpose", padding)
    shape = as_python_ints(output_shape, "conv1d_transpose: output_shape")
    return _convolution_transpose("conv1d_transpose", g, w, shape, strides, padding, data_format, dilations)


def conv2d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: str | None = "NHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The transpose of ``tf.nn.conv2d`` ("deconvolution"): its gradient with respect to the input.

    Args:
        input: shape (batch, height, width, channels), float; ``"NCHW"``: (batch, channels, height, width).
        filters: shape (height, width, channels out, channels): the filters of the convolution that is transposed.
        output_shape: the whole shape of the result, or its height and width.
        strides, padding, data_format, dilations: the arguments of the convolution that is transposed.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: the convolution does not map ``output_shape`` to the input's shape, or dtypes differ.
        ValueError: the number of strides, dilations or paddings is wrong.
    """
    g, w = checked_operands("conv2d_transpose", input, filters, 2)
    shape = as_python_ints(output_shape, "conv2d_transpose: output_shape")
    return _convolution_transpose("conv2d_transpose", g, w, shape, strides, padding, data_format, dilations)


def conv3d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: str = "SAME",
    data_format: str | None = "NDHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The transpose of ``tf.nn.conv3d``: its gradient with respect to the input.

    Args:
        input: shape (batch, depth, height, width, channels), float.
        filters: shape (depth, height, width, channels out, channels).
        output_shape: the whole shape of the result, or its depth, height and width.
        strides, padding, data_format, dilations: the arguments of the convolution that is transposed.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError, ValueError, TypeError: as in ``tf.nn.conv2d_transpose``.
    """
    g, w = checked_operands("conv3d_transpose", input, filters, 3, FLOAT_DTYPES)
    check_padding_is_string("conv3d_transpose", padding)
    shape = as_python_ints(output_shape, "conv3d_transpose: output_shape")
    return _convolution_transpose("conv3d_transpose", g, w, shape, strides, padding, data_format, dilations)


def conv_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """``tf.nn.conv1d_transpose``, ``conv2d_transpose`` or ``conv3d_transpose``, by the length of ``output_shape``.

    Args:
        input, filters, strides, padding, data_format, dilations: as in these functions.
        output_shape: the whole shape of the result: 3, 4 or 5 sizes.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: ``output_shape`` has another number of sizes.
        InvalidArgumentError, TypeError: as in these functions.
    """
    shape = as_python_ints(output_shape, "conv_transpose: output_shape")
    transposed = {3: conv1d_transpose, 4: conv2d_transpose, 5: conv3d_transpose}.get(len(shape))
    if transposed is None:
        raise ValueError(f"conv_transpose: output_shape must have 3, 4 or 5 sizes, got {list(shape)}.")
    return transposed(input, filters, shape, strides, padding, data_format, dilations)


def atrous_conv2d_transpose(
    value: Any, filters: Any, output_shape: Any, rate: int, padding: str, name: str | None = None
) -> Tensor:
    """The transpose of ``tf.nn.atrous_conv2d``.

    Args:
        value: shape (batch, height, width, channels), float.
        filters: shape (height, width, channels out, channels).
        output_shape: the shape of the result.
        rate: the dilation of the convolution that is transposed.
        padding: ``"SAME"`` or ``"VALID"``.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError, TypeError: as in ``tf.nn.conv2d_transpose``.
    """
    check_padding_is_string("atrous_conv2d_transpose", padding)
    return conv2d_transpose(value, filters, output_shape, 1, padding, dilations=rate)
