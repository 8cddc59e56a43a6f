"""Colours of images: dtypes, brightness, contrast, hue, saturation, and the colour spaces, as in ``tf.image``.

Values of floating-point images are in [0, 1]; values of integer images are between 0 and the maximum of their dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import checked_number, refuse, require
from fastgrad._src.core.errors import FailedPreconditionError, InvalidArgumentError
from fastgrad._src.core.operand_errors import InvalidTypeError
from fastgrad._src.core.operation import FLOAT_DTYPES, Form, Operation
from fastgrad._src.core.result_rules import same_as_first
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, constant_tensor, convert_to_tensor
from fastgrad._src.image.geometry import checked_images
from fastgrad._src.jit.build import Kernel
from fastgrad._src.kernels.elementwise.colors import (
    adjusted_contrast,
    adjusted_hue,
    adjusted_saturation,
    hsv_of_rgb,
    rgb_of_hsv,
)
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.runtime.launch import Input, Launches, Output, Spec, single_launch
from fastgrad._src.ops import namespace as ops

# ---- dtypes -------------------------------------------------------------------------------------------


def convert_image_dtype(image: Any, dtype: Any, saturate: bool = False, name: str | None = None) -> Tensor:
    """``image`` in another dtype, with its numbers scaled from the range of one dtype to that of the other.

    Args:
        image: floats in [0, 1], or integers.
        dtype: a floating-point or integer dtype.
        saturate: whether numbers beyond the range of ``dtype`` are clipped to it first.
        name: kept for TensorFlow's signature.

    Raises:
        AttributeError: one of the dtypes is neither floating-point nor integer.
    """
    x, target = convert_to_tensor(image), dtypes.as_dtype(dtype)
    source = x.dtype
    for what, candidate in (("dtype", target), ("image dtype", source)):
        if not candidate.is_floating and not candidate.is_integer:
            raise AttributeError(
                f"convert_image_dtype: {what} must be either floating point or integer, got {candidate.name}."
            )
    if source is target:
        return ops.identity(x)
    to_target = ops.saturate_cast if saturate else ops.cast
    if source.is_floating and target.is_floating:
        return ops.cast(x, target)
    if source.is_integer and target.is_floating:
        return ops.multiply(ops.cast(x, target), _constant(1.0 / int(source.max), target))
    if source.is_floating:
        return to_target(ops.multiply(x, _constant(int(target.max) + 0.5, source)), target)
    steps_in, steps_out = int(source.max) + 1, int(target.max) + 1
    if steps_in > steps_out:
        return to_target(x // _constant(steps_in // steps_out, source), target)
    return ops.multiply(to_target(x, target), _constant(steps_out // steps_in, target))


def _constant(value: Any, dtype: dtypes.DType) -> Tensor:
    return constant_tensor(np.asarray(value).astype(dtype.numpy))


def _adjust_as_floats(image: Any, adjust: Callable[[Tensor], Tensor], saturate: bool = False) -> Tensor:
    """``adjust`` of ``image`` as floats, in the dtype of ``image`` again."""
    x = convert_to_tensor(image)
    if x.dtype not in (dtypes.float16, dtypes.float32):
        return convert_image_dtype(adjust(convert_image_dtype(x, dtypes.float32)), x.dtype, saturate)
    return adjust(x)


def checked_colors(name: str, images: Any, least_rank: int = 0, channels: int | None = None) -> Tensor:
    """Converts images to a tensor; makes the checks of the functions that change colours, for callers that draw numbers first.

    Raises:
        AttributeError: ``images`` holds no numbers.
        InvalidArgumentError: a rank below ``least_rank``, or another number of channels.
    """
    x = convert_to_tensor(images)
    if not x.dtype.is_floating and not x.dtype.is_integer:
        raise AttributeError(f"{name}: images must be floating point or integers, got {x.dtype.name}.")
    shape = x._array.shape
    if len(shape) < least_rank:
        raise InvalidArgumentError(f"{name}: input must be at least {least_rank}-D, got shape {TensorShape(shape)}.")
    if channels is not None and shape[-1] != channels:
        refuse(name, f"the last dimension must be {channels}, the channels", InvalidArgumentError, shape=shape)
    return x


# ---- brightness, contrast, gamma ----------------------------------------------------------------------


def adjust_brightness(image: Any, delta: Any) -> Tensor:
    """``image + delta``, clipped to the range of an integer dtype.

    Args:
        image: any shape, floats or integers.
        delta: a number, in the scale of floating-point images.

    Raises:
        AttributeError: ``image`` holds no numbers.
    """
    return _adjust_as_floats(image, lambda x: ops.add(x, ops.cast(delta, x.dtype)), saturate=True)


def adjust_contrast(images: Any, contrast_factor: Any) -> Tensor:
    """``(images - mean) * contrast_factor + mean``, with the mean of each channel of each image.

    Args:
        images: shape (..., height, width, channels).
        contrast_factor: a number.

    Raises:
        InvalidArgumentError: a rank below 3, or a factor that is no scalar.
        AttributeError: ``images`` holds no numbers.
    """
    factor = ops.scalar_of_dtype(contrast_factor, dtypes.float32, "adjust_contrast", "contrast_factor")

    def adjust(x: Tensor) -> Tensor:
        checked_colors("adjust_contrast", x, least_rank=3)
        wide = ops.cast(x, dtypes.float32)
        mean = ops.reduce_mean(wide, [-3, -2], keepdims=True)
        return ops.cast(_adjust_contrast(wide, mean, factor), x.dtype)

    return _adjust_as_floats(images, adjust, saturate=True)


def _adjust_contrast_by_operations(x: Tensor, means: Tensor, factor: Tensor) -> Tensor:
    return ops.add(ops.multiply(ops.subtract(x, means), factor), means)


def _adjust_contrast_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches:
    x = inputs[0]
    images, (pixels, channels) = math.prod(x.shape[:-3]), (math.prod(x.shape[-3:-1]), x.shape[-1])
    cost = pixels * channels * (0.3 if channels == 3 else 1.0)
    operands = Input(0), Input(1), Input(2), Output(0), pixels, channels
    return single_launch(adjusted_contrast[x.dtype], *operands, units=images, unit_cost=cost)


_adjust_contrast: Operation = ops.kernel_operation(
    "adjust_contrast",
    Form.FUSED,
    launches=_adjust_contrast_launches,
    result=lambda x, *numbers: same_as_first(x),
    gradient=ops.gradient_of_reference(_adjust_contrast_by_operations),
    dtypes=ops.KERNEL_FLOATS,
    reference=_adjust_contrast_by_operations,
)


def per_image_standardization(image: Any) -> Tensor:
    """``image``, or each image of a batch, with mean 0 and variance 1.

    Args:
        image: shape (..., height, width, channels).

    Returns:
        float32. The divisor is at least 1/sqrt(the number of elements), so that images of one colour are 0.

    Raises:
        ValueError: a rank below 3, or no pixels.
    """
    rank = convert_to_tensor(image)._array.ndim
    x = ops.cast(checked_images("per_image_standardization", image, ranks=(max(rank, 3),)), dtypes.float32)
    axes = [-1, -2, -3]
    least = np.float32(1) / np.sqrt(np.float32(np.prod(x._array.shape[-3:])))
    deviation = ops.maximum(ops.reduce_std(x, axes, keepdims=True), constant_tensor(np.asarray(least)))
    return ops.divide(ops.subtract(x, ops.reduce_mean(x, axes, keepdims=True)), deviation)


# ---- hue and saturation -------------------------------------------------------------------------------


def _checked_pixels(name: str, images: Any, error: type[Exception] = InvalidArgumentError) -> Tensor:
    """Returns the tensor of ``images``, floats with three channels; raises ``error`` for other channels."""
    x = convert_to_tensor(images)
    if x.dtype not in (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64):
        refuse(name, "images must be floating point: use convert_image_dtype", InvalidTypeError, dtype=x.dtype.name)
    shape = x._array.shape
    if shape[-1:] != (3,):
        kind = error if shape else InvalidArgumentError
        raise kind(f"{name}: the last dimension must be 3, the channels, got shape {TensorShape(shape)}.")
    return x


def _channel_extremes(red: Tensor, green: Tensor, blue: Tensor) -> tuple[Tensor, Tensor]:
    """The greatest and the least channel of each pixel; among equals, the gradient goes to one, as in TensorFlow."""
    greatest = ops.where(
        ops.logical_and(ops.greater_equal(red, green), ops.greater_equal(red, blue)),
        red,
        ops.where(ops.greater_equal(green, blue), green, blue),
    )
    least = ops.where(
        ops.logical_and(ops.less_equal(blue, red), ops.less_equal(blue, green)),
        blue,
        ops.where(ops.less_equal(green, red), green, red),
    )
    return greatest, least


def _hue(red: Tensor, green: Tensor, blue: Tensor, greatest: Tensor, spread: Tensor) -> Tensor:
    """The hue in [0, 1): 0 for red, 1/3 for green, 2/3 for blue."""
    has_hue = ops.greater(spread, _constant(0, spread.dtype))
    sixth = ops.divide(_constant(1 / 6, spread.dtype), ops.where(has_hue, spread, _constant(1, spread.dtype)))
    hue = ops.where(
        ops.equal(red, greatest),
        ops.multiply(sixth, ops.subtract(green, blue)),
        ops.where(
            ops.equal(green, greatest),
            ops.add(ops.multiply(sixth, ops.subtract(blue, red)), _constant(2 / 6, spread.dtype)),
            ops.add(ops.multiply(sixth, ops.subtract(red, green)), _constant(4 / 6, spread.dtype)),
        ),
    )
    hue = ops.where(ops.less(hue, _constant(0, hue.dtype)), ops.add(hue, _constant(1, hue.dtype)), hue)
    return ops.where(has_hue, hue, _constant(0, hue.dtype))


def _hue_weights(hue: Tensor) -> list[Tensor]:
    """How much of red, green and blue the pure colour of a hue has, in [0, 1]."""
    sextant = ops.multiply(hue, _constant(6, hue.dtype))
    ramps = [
        ops.add(
            ops.multiply(ops.abs(ops.subtract(sextant, _constant(centre, hue.dtype))), _constant(slope, hue.dtype)),
            _constant(offset, hue.dtype),
        )
        for centre, slope, offset in ((3, 1, -1), (2, -1, 2), (4, -1, 2))
    ]
    return [ops.clip_by_value(ramp, 0.0, 1.0) for ramp in ramps]


def _hsv_of(red: Tensor, green: Tensor, blue: Tensor) -> list[Tensor]:
    value, least = _channel_extremes(red, green, blue)
    spread = ops.subtract(value, least)
    zero, one = _constant(0, value.dtype), _constant(1, value.dtype)
    is_positive = ops.greater(value, zero)
    saturation = ops.where(is_positive, ops.divide(spread, ops.where(is_positive, value, one)), zero)
    return [_hue(red, green, blue, value, spread), saturation, value]


def _rgb_of(hue: Tensor, saturation: Tensor, value: Tensor) -> list[Tensor]:
    white = ops.subtract(_constant(1, value.dtype), saturation)
    return [ops.multiply(ops.add(white, ops.multiply(saturation, weight)), value) for weight in _hue_weights(hue)]


def _adjust_hue_by_operations(x: Tensor, delta: Tensor) -> Tensor:
    red, green, blue = ops.unstack(x, axis=-1)
    greatest, least = _channel_extremes(red, green, blue)
    spread = ops.subtract(greatest, least)
    hue = ops.add(_hue(red, green, blue, greatest, spread), delta)
    weights = _hue_weights(ops.floormod(hue, _constant(1, hue.dtype)))
    return ops.stack([ops.add(least, ops.multiply(spread, weight)) for weight in weights], axis=-1)


def _adjust_saturation_by_operations(x: Tensor, factor: Tensor) -> Tensor:
    hue, saturation, value = _hsv_of(*ops.unstack(x, axis=-1))
    return ops.stack(_rgb_of(hue, ops.clip_by_value(ops.multiply(saturation, factor), 0.0, 1.0), value), axis=-1)


def _row_of_pixels(name: str, kernel: Kernel, reference: Callable[..., Tensor]) -> Operation:
    """Declares an operation on pixels, whose kernel takes the inputs and computes each pixel alone."""

    @with_half_floats
    def launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches:
        x, operands = inputs[0], map(Input, range(len(inputs)))
        return single_launch(kernel[x.dtype], *operands, Output(0), units=math.prod(x.shape[:-1]), unit_cost=8.0)

    return ops.kernel_operation(
        name,
        Form.FUSED,
        launches=launches,
        result=lambda x, *numbers: same_as_first(x),
        gradient=ops.gradient_of_reference(ops.in_float32(reference)),
        dtypes=FLOAT_DTYPES,
        reference=ops.in_float32(reference),
    )


_rgb_to_hsv = _row_of_pixels("rgb_to_hsv", hsv_of_rgb, lambda x: ops.stack(_hsv_of(*ops.unstack(x, axis=-1)), axis=-1))
_hsv_to_rgb = _row_of_pixels("hsv_to_rgb", rgb_of_hsv, lambda x: ops.stack(_rgb_of(*ops.unstack(x, axis=-1)), axis=-1))
_adjust_hue = _row_of_pixels("adjust_hue", adjusted_hue, _adjust_hue_by_operations)
_adjust_saturation = _row_of_pixels("adjust_saturation", adjusted_saturation, _adjust_saturation_by_operations)


def rgb_to_hsv(images: Any, name: str | None = None) -> Tensor:
    """Hue, saturation and value, each in [0, 1], of red, green and blue in [0, 1].

    Args:
        images: floats, shape (..., 3).
        name: kept for TensorFlow's signature.

    Raises:
        FailedPreconditionError: another last dimension.
        InvalidArgumentError: another dtype.
    """
    return _rgb_to_hsv(_checked_pixels("rgb_to_hsv", images, FailedPreconditionError))


def hsv_to_rgb(images: Any, name: str | None = None) -> Tensor:
    """The inverse of ``rgb_to_hsv``; arguments and errors as there."""
    return _hsv_to_rgb(_checked_pixels("hsv_to_rgb", images, FailedPreconditionError))


def adjust_hue(image: Any, delta: Any, name: str | None = None) -> Tensor:
    """``image`` with ``delta`` added to its hue, which is cyclic with period 1.

    Args:
        image: red, green and blue, shape (..., height, width, 3), floats or integers.
        delta: a number in [-1, 1].
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: ``delta`` is out of range; InvalidArgumentError if it is a tensor.
        InvalidArgumentError: a rank below 3, or another last dimension.
    """
    offset = as_tensor_or_none(delta)
    if offset is not None:
        in_range = ops.logical_and(ops.greater_equal(offset, -1), ops.less_equal(offset, 1))
        ops.Assert(in_range, ["adjust_hue: delta must be in the interval [-1, 1]"])
    elif not -1 <= checked_number("adjust_hue", "delta", delta) <= 1:
        raise ValueError(f"adjust_hue: delta must be in the interval [-1, 1], got {delta}.")
    distance = ops.scalar_of_dtype(delta, dtypes.float32, "adjust_hue", "delta")

    def adjust(x: Tensor) -> Tensor:
        checked_colors("adjust_hue", x, least_rank=3)
        return ops.cast(_adjust_hue(_checked_pixels("adjust_hue", ops.cast(x, dtypes.float32)), distance), x.dtype)

    return _adjust_as_floats(image, adjust)


def adjust_saturation(image: Any, saturation_factor: Any, name: str | None = None) -> Tensor:
    """``image`` with its saturation multiplied by a factor, and clipped to [0, 1].

    Args:
        image: red, green and blue, shape (..., height, width, 3), floats or integers.
        saturation_factor: a number.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a rank below 3, another last dimension, or a factor that is no scalar.
    """
    factor = ops.scalar_of_dtype(saturation_factor, dtypes.float32, "adjust_saturation", "saturation_factor")

    def adjust(x: Tensor) -> Tensor:
        checked_colors("adjust_saturation", x, least_rank=3)
        pixels = _checked_pixels("adjust_saturation", ops.cast(x, dtypes.float32))
        return ops.cast(_adjust_saturation(pixels, factor), x.dtype)

    return _adjust_as_floats(image, adjust)


# ---- linear colour spaces -----------------------------------------------------------------------------

# The matrices are those of TensorFlow: a row for each channel of the argument.
_YUV_OF_RGB = [[0.299, -0.14714119, 0.61497538], [0.587, -0.28886916, -0.51496512], [0.114, 0.43601035, -0.10001026]]
_RGB_OF_YUV: Sequence[Sequence[float]] = [[1, 1, 1], [0, -0.394642334, 2.03206185], [1.13988303, -0.58062185, 0]]
_GRAY_OF_RGB = [[0.2989], [0.5870], [0.1140]]


def _multiply_channels(name: str, images: Any, matrix: Sequence[Sequence[float]]) -> Tensor:
    x = _checked_pixels(name, images)
    return ops.tensordot(x, _constant(matrix, x.dtype), [[x._array.ndim - 1], [0]])


def rgb_to_yuv(images: Any) -> Tensor:
    """Luma and two chroma channels of the PAL system.

    Args:
        images: floats in [0, 1], shape (..., 3).

    Raises:
        InvalidArgumentError: another last dimension or dtype.
    """
    return _multiply_channels("rgb_to_yuv", images, _YUV_OF_RGB)


def rgb_to_grayscale(images: Any, name: str | None = None) -> Tensor:
    """The luma 0.2989 red + 0.587 green + 0.114 blue.

    Args:
        images: shape (..., 3), floats or integers.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (..., 1), of the dtype of ``images``.

    Raises:
        InvalidArgumentError: another last dimension.
    """
    x = convert_to_tensor(images)
    gray = _multiply_channels("rgb_to_grayscale", convert_image_dtype(x, dtypes.float32), _GRAY_OF_RGB)
    return convert_image_dtype(gray, x.dtype)


def grayscale_to_rgb(images: Any, name: str | None = None) -> Tensor:
    """``images`` of shape (..., 1) with their channel three times.

    Raises:
        ValueError: a rank below 2, or another last dimension.
    """
    x = convert_to_tensor(images)
    shape = x._array.shape
    require(len(shape) >= 2, "grayscale_to_rgb", "A grayscale image must be at least two-dimensional", shape=shape)
    require(shape[-1] == 1, "grayscale_to_rgb", "Last dimension should be size 1", shape=shape)
    return ops.tile(x, [*[1] * (len(shape) - 1), 3])
