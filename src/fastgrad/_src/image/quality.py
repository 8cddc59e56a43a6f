"""Differences of neighbouring pixels and of images: edges, total variation, PSNR, SSIM, as in ``tf.image``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_at_least, check_rank, check_shapes, checked_number, refuse
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import InvalidValueError
from fastgrad._src.core.operation import Form, Operation
from fastgrad._src.core.result_rules import ArraySpec, require_fitting_shapes
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.image.colors import convert_image_dtype
from fastgrad._src.kernels.convolution.resampling import LEAST_VECTOR_WIDTH, window_sums
from fastgrad._src.kernels.runtime.launch import Constant, Input, Launches, Output, Spec, single_launch
from fastgrad._src.ops import namespace as ops

# ---- neighbouring pixels ------------------------------------------------------------------------------


def total_variation(images: Any, name: str | None = None) -> Tensor:
    """The sum of the absolute differences of neighbouring pixels.

    Args:
        images: shape (height, width, channels) or (batch, height, width, channels).
        name: kept for TensorFlow's signature.

    Returns:
        A scalar, or one number for each image of the batch.

    Raises:
        ValueError: another rank.
    """
    x = convert_to_tensor(images)
    rank = x._array.ndim
    check_rank("total_variation", (3, 4), images=x)
    axes = None if rank == 3 else [1, 2, 3]
    vertical = ops.subtract(x[..., 1:, :, :], x[..., :-1, :, :])
    horizontal = ops.subtract(x[..., :, 1:, :], x[..., :, :-1, :])
    return ops.add(ops.reduce_sum(ops.abs(vertical), axes), ops.reduce_sum(ops.abs(horizontal), axes))


def image_gradients(image: Any) -> tuple[Tensor, Tensor]:
    """The pixel below minus the pixel, and the pixel to the right minus the pixel; 0 in the last row or column.

    Args:
        image: shape (batch, height, width, channels).

    Returns:
        ``(dy, dx)``, of the shape and dtype of ``image``.

    Raises:
        ValueError: another rank.
    """
    x = convert_to_tensor(image)
    check_shapes("image_gradients", "image (batch_size, height, width, depth)", ValueError, x)
    vertical = ops.subtract(x[:, 1:], x[:, :-1])
    horizontal = ops.subtract(x[:, :, 1:], x[:, :, :-1])
    return ops.pad(vertical, [(0, 0), (0, 1), (0, 0), (0, 0)]), ops.pad(horizontal, [(0, 0), (0, 0), (0, 1), (0, 0)])


def sobel_edges(image: Any) -> Tensor:
    """The derivatives of images by Sobel's filters.

    Args:
        image: floats, shape (batch, height, width, channels), of at least 2 rows and columns.

    Returns:
        Shape (batch, height, width, channels, 2): along the height, and along the width.

    Raises:
        InvalidArgumentError: another rank or dtype, or fewer rows or columns.
    """
    x = convert_to_tensor(image)
    check_shapes("sobel_edges", "image (batch_size, height, width, depth)", InvalidArgumentError, x)
    smooth, slope = np.array([1.0, 2.0, 1.0]), np.array([-1.0, 0.0, 1.0])
    filters = np.stack([np.outer(slope, smooth), np.outer(smooth, slope)], -1)[:, :, None]
    channels = x._array.shape[-1]
    kernels = constant_tensor(np.tile(filters, (1, 1, channels, 1)).astype(x._array.dtype))
    padded = ops.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="REFLECT")
    return ops.reshape(ops.depthwise_conv2d(padded, kernels, [1, 1, 1, 1], "VALID"), (*x._array.shape, 2))


# ---- two images ---------------------------------------------------------------------------------------


def _checked_image_pair(name: str, images: Sequence[Any], max_val: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Returns two images and their greatest value, in float32.

    Raises:
        ValueError: the images have other shapes; the axes before the last three broadcast.
    """
    x, y = (convert_to_tensor(image) for image in images)
    shapes = x._array.shape, y._array.shape
    for shape in shapes:
        if len(shape) < 3:
            raise InvalidValueError(f"{name}: Shape {TensorShape(shape)} must have rank at least 3")
    pairs = zip(shapes[0][-4::-1], shapes[1][-4::-1], strict=False)
    if shapes[0][-3:] != shapes[1][-3:] or any(m != n and 1 not in (m, n) for m, n in pairs):
        refuse(name, "Two images are not compatible", InvalidValueError, shapes=shapes)
    greatest = ops.cast(max_val, x.dtype)
    return tuple(convert_image_dtype(value, dtypes.float32) for value in (x, y, greatest))  # type: ignore[return-value]


def psnr(a: Any, b: Any, max_val: Any, name: str | None = None) -> Tensor:
    """The peak signal-to-noise ratio of two images, in decibels: 20 log10(max_val) - 10 log10(mean squared error).

    Args:
        a, b: images of the same shape (..., height, width, channels); the axes before broadcast.
        max_val: the difference of the greatest and the least value of images, such as 255.
        name: kept for TensorFlow's signature.

    Returns:
        float32, of the shape of the axes before the last three.

    Raises:
        ValueError: the shapes are not compatible.
    """
    x, y, greatest = _checked_image_pair("psnr", (a, b), max_val)
    error = ops.reduce_mean(ops.squared_difference(x, y), [-3, -2, -1])
    return ops.subtract(
        ops.divide(ops.multiply(20.0, ops.log(greatest)), np.float32(math.log(10.0))),
        ops.multiply(np.float32(10 / math.log(10)), ops.log(error)),
    )


def _check_window(name: str, images: Sequence[Tensor], size: int) -> None:
    for image in images:
        if min(image._array.shape[-3:-1]) < size:
            raise InvalidArgumentError(f"{name}: images of {image.shape} are smaller than filter_size {size}.")


def _gaussian_window(name: str, images: Sequence[Tensor], filter_size: Any, filter_sigma: Any) -> tuple[float, ...]:
    """Returns the weights of a line of pixels, whose sum is 1; InvalidArgumentError if there are none, or more than an image has."""
    size = ops.as_python_int(filter_size, f"{name}: filter_size")
    sigma = checked_number(name, "filter_sigma", filter_sigma)
    check_at_least(name, 1, InvalidArgumentError, filter_size=size)
    _check_window(name, images, size)
    line = np.exp(-0.5 * np.square((np.arange(size) - (size - 1) / 2) / sigma))
    return tuple((line / line.sum()).tolist())


def _window_sum_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], axis: int, weights: tuple[float, ...]
) -> Launches:
    x, y = inputs[0], outputs[0]
    outer, inner, sums = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :]), y.shape[axis]
    # Neighbours of pixels with few channels are near, so that a line has all sums of a row of pixels.
    lines, length = (sums, inner) if inner >= LEAST_VECTOR_WIDTH else (1, sums * inner)
    numbers = lines, x.shape[axis] * inner, inner, length, len(weights)
    cost = 0.1 * length * len(weights)
    arrays = Input(0), Constant(np.array(weights, x.dtype)), Output(0)
    return single_launch(window_sums[x.dtype], *arrays, *numbers, units=outer * lines, unit_cost=cost)


def _window_sum_result(x: Any, axis: int, weights: tuple[float, ...]) -> ArraySpec:
    require_fitting_shapes(x.shape[axis] >= len(weights))
    return ArraySpec((*x.shape[:axis], x.shape[axis] - len(weights) + 1, *x.shape[axis + 1 :]), x.dtype)


def _window_sum_gradient(g: Tensor, y: Tensor, x: Tensor, axis: int, weights: tuple[float, ...]) -> Tensor:
    paddings = [(0, 0)] * x._array.ndim
    paddings[axis] = (len(weights) - 1, len(weights) - 1)
    return _window_sums(ops.pad(g, paddings), axis=axis, weights=weights[::-1])


_window_sums: Operation = ops.kernel_operation(
    "window_sums",
    Form.FUSED,
    launches=_window_sum_launches,
    result=_window_sum_result,
    gradient=_window_sum_gradient,
    dtypes=ops.KERNEL_FLOATS,
    batched=ops.shift_axes_rule("axis"),
)
"""Weighted sums of neighbours along an axis, of windows that lie inside: ``window_sums(x, axis=, weights=)``."""


def _similarities(
    name: str, x: Tensor, y: Tensor, greatest: Tensor, window: tuple[float, ...], k1: float, k2: float
) -> tuple[Tensor, Tensor]:
    """Returns the maps of luminance, and of contrast with structure: number 6 of Wang and others (2004), in two factors."""
    _check_window(name, (x, y), len(window))

    def mean(values: Tensor) -> Tensor:
        rank = values._array.ndim
        return _window_sums(_window_sums(values, axis=rank - 3, weights=window), axis=rank - 2, weights=window)

    c1, c2 = ops.square(ops.multiply(k1, greatest)), ops.square(ops.multiply(k2, greatest))
    mean_x, mean_y = mean(x), mean(y)
    products = ops.multiply(ops.multiply(mean_x, mean_y), 2.0)
    squares = ops.add(ops.square(mean_x), ops.square(mean_y))
    luminance = ops.divide(ops.add(products, c1), ops.add(squares, c1))
    covariances = ops.subtract(ops.multiply(mean(ops.multiply(x, y)), 2.0), products)
    variances = ops.subtract(mean(ops.add(ops.square(x), ops.square(y))), squares)
    return luminance, ops.divide(ops.add(covariances, c2), ops.add(variances, c2))


def ssim(
    img1: Any,
    img2: Any,
    max_val: Any,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    return_index_map: bool = False,
) -> Tensor:
    """The structural similarity of two images, at most 1, in luma or each channel.

    Args:
        img1, img2, max_val: as for ``psnr``.
        filter_size, filter_sigma: the size and the standard deviation of the Gaussian window.
        k1, k2: small numbers that keep divisors from 0.
        return_index_map: whether to return the similarity at each position of the window instead of the mean.

    Returns:
        float32, of the shape of the axes before the last three; with ``return_index_map`` two axes more.

    Raises:
        ValueError: the shapes are not compatible.
        InvalidArgumentError: images smaller than the window, or an empty window. Source of the formula: Wang, Bovik, Sheikh and
            Simoncelli, "Image quality assessment: from error visibility to structural similarity" (2004).
    """
    x, y, greatest = _checked_image_pair("ssim", (img1, img2), max_val)
    window = _gaussian_window("ssim", (x, y), filter_size, filter_sigma)
    luminance, structure = _similarities("ssim", x, y, greatest, window, k1, k2)
    similarity = ops.multiply(luminance, structure)
    return ops.reduce_mean(similarity if return_index_map else ops.reduce_mean(similarity, [-3, -2]), [-1])
