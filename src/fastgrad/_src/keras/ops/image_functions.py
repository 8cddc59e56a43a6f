"""The functions of ``keras.ops.image``, by name."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.image.colors import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from fastgrad._src.image.geometry import extract_patches
from fastgrad._src.image.projection import projective_transform
from fastgrad._src.image.quality import sobel_edges, ssim
from fastgrad._src.keras.affine_transform import (
    FILL_MODES,
    FILL_MODES_OF_TENSORFLOW,
    INTERPOLATIONS,
    affine_transform,
    check_choice,
    homography,
)
from fastgrad._src.keras.elastic_transform import elastic_shift, interpolated_values, shift_pixels
from fastgrad._src.keras.image_axes import (
    apply_as_batch,
    apply_channels_last,
    check_image_rank,
    checked_images,
    with_channels_last,
)
from fastgrad._src.keras.image_resizing import check_proportions, checked_size, resized_images
from fastgrad._src.keras.ops.function import as_common_dtype, as_floats, tensor
from fastgrad._src.keras.ops.nn_functions import TABLE as NN_FUNCTIONS
from fastgrad._src.keras.random import _seed_of_draw
from fastgrad._src.keras.settings import standardize_data_format
from fastgrad._src.ops import arithmetic, creation, rounding
from fastgrad._src.ops import padding as padding_ops
from fastgrad._src.ops.arithmetic import maximum
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.clipping import clip_by_value
from fastgrad._src.ops.comparison import logical_and
from fastgrad._src.ops.convolution import depthwise_conv2d
from fastgrad._src.ops.creation import constant, eye, ones_like, zeros_like
from fastgrad._src.ops.einsum import tensordot
from fastgrad._src.ops.exponential import exp, sin
from fastgrad._src.ops.joining import unstack
from fastgrad._src.ops.power import square
from fastgrad._src.ops.reduction import reduce_max, reduce_min, reduce_sum
from fastgrad._src.ops.repeating import tile
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shaping import reshape, transpose


def _resize(
    images: Any,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Any:
    height, width = size
    target = checked_size("Resizing", "height", height), checked_size("Resizing", "width", width)
    form = standardize_data_format(data_format)
    check_proportions(crop_to_aspect_ratio, pad_to_aspect_ratio, fill_mode)
    x = convert_to_tensor(images)
    check_image_rank(tuple(x.shape))
    options = crop_to_aspect_ratio, pad_to_aspect_ratio, fill_value, bool(antialias)

    def resized(x: Any) -> Any:
        return resized_images(x, target, interpolation, *options)

    return apply_channels_last(functools.partial(apply_as_batch, resized), x, form)


def _image_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function of images with the channels last, for both data formats."""

    def call(images: Any, data_format: str | None = None) -> Any:
        return apply_channels_last(function, tensor(images), standardize_data_format(data_format))

    return call


def _image_function_of_batches(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function of a batch of images with the channels last, for single images and both data formats, too."""
    return _image_function(functools.partial(apply_as_batch, function))


def _extract_patches(
    images: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    def pair(value: Any) -> tuple[int, int]:
        return (value, value) if isinstance(value, int) else tuple(value)

    steps, rates = pair(size if strides is None else strides), pair(dilation_rate)

    def patches(x: Any) -> Any:
        return extract_patches(x, (1, *pair(size), 1), (1, *steps, 1), (1, *rates, 1), padding.upper())

    return _image_function_of_batches(patches)(images, data_format)


def _checked_sizes(**sizes: int | None) -> None:
    """ValueError unless exactly two of the three sizes are there, and none is negative."""
    received = ", ".join(f"{name}={value}" for name, value in sizes.items())
    if list(sizes.values()).count(None) != 1:
        raise ValueError(f"Must specify exactly two of {', '.join(sizes)}. Received: {received}")
    if any(value is not None and value < 0 for value in sizes.values()):
        raise ValueError(f"{', '.join(sizes)} must be >= 0. Received: {received}")


def _crop_images(
    images: Any,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    x = checked_images(images)
    _checked_sizes(top_cropping=top_cropping, bottom_cropping=bottom_cropping, target_height=target_height)
    _checked_sizes(left_cropping=left_cropping, right_cropping=right_cropping, target_width=target_width)

    def bounds(before: Any, after: Any, target: Any, size: int) -> slice:
        before = size - target - after if before is None else before
        target = size - before - after if target is None else target
        if before < 0 or target < 0 or before + target > size:
            raise ValueError(f"crop_images: {before} + {target} pixels are not in an image of {size}.")
        return slice(before, before + target)

    def crop(x: Any) -> Any:
        rows = bounds(top_cropping, bottom_cropping, target_height, x.shape[-3])
        return x[..., rows, bounds(left_cropping, right_cropping, target_width, x.shape[-2]), :]

    return _image_function(crop)(x, data_format)


def _pad_images(
    images: Any,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    x = checked_images(images)
    _checked_sizes(top_padding=top_padding, bottom_padding=bottom_padding, target_height=target_height)
    _checked_sizes(left_padding=left_padding, right_padding=right_padding, target_width=target_width)

    def widths(before: Any, after: Any, target: Any, size: int) -> list[int]:
        before = target - after - size if before is None else before
        after = target - before - size if after is None else after
        if before < 0 or after < 0:
            raise ValueError(f"pad_images: an image of {size} pixels can't be padded to {target}.")
        return [before, after]

    def pad(x: Any) -> Any:
        rows = widths(top_padding, bottom_padding, target_height, x.shape[-3])
        columns = widths(left_padding, right_padding, target_width, x.shape[-2])
        return padding_ops.pad(x, [*[[0, 0]] * (x.ndim - 3), rows, columns, [0, 0]])

    return _image_function(pad)(x, data_format)


def _extract_patches_3d(
    volumes: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    x = tensor(volumes)
    if not isinstance(size, int) and len(size) != 3:
        raise TypeError(f"Invalid `size` argument. Expected an int or a tuple of length 3. Received: size={size}")
    sizes = (size,) * 3 if isinstance(size, int) else tuple(size)
    form = standardize_data_format(data_format)
    batch = x if x.ndim == 5 else x[None]
    channels = batch.shape[-1 if form == "channels_last" else 1]
    elements = math.prod(sizes) * channels
    kernel = reshape(eye(elements, dtype=x.dtype), [*sizes, channels, elements])
    y = NN_FUNCTIONS["conv"](batch, kernel, sizes if strides is None else strides, padding, form, dilation_rate)
    return y if x.ndim == 5 else y[0]


def _gaussian_kernel(sizes: Any, sigma: Any, dtype: Any) -> Any:
    rows = []
    for size, deviation in zip(sizes, sigma, strict=True):
        x = np.arange(size) - (size - 1) / 2
        weights = exp(-0.5 * square(constant(x, dtype) / cast(deviation, dtype)))
        rows.append(weights / reduce_sum(weights))
    return reshape(rows[1][:, None] * rows[0][None, :], [*sizes, 1, 1])  # Keras has this order of width and height


def _gaussian_blur(
    images: Any, kernel_size: Any = (3, 3), sigma: Any = (1.0, 1.0), data_format: str | None = None
) -> Any:
    x = checked_images(images)

    def blur(x: Any) -> Any:
        kernel = tile(_gaussian_kernel(kernel_size, sigma, x.dtype), [1, 1, x.shape[-1], 1])
        return depthwise_conv2d(x, kernel, [1, 1, 1, 1], "SAME")

    return _image_function_of_batches(blur)(x, data_format)


def _map_coordinates(
    inputs: Any, coordinates: Any, order: int, fill_mode: str = "constant", fill_value: Any = 0
) -> Any:
    x, places = tensor(inputs), tensor(coordinates)
    if not places.ndim or places.shape[0] != x.ndim:
        raise ValueError(
            f"`coordinates` must have a row for each axis of `inputs`, got coordinates.shape={places.shape}, inputs.shape={x.shape}"
        )
    if places.ndim < 2:
        raise ValueError(f"Invalid coordinates rank: expected at least rank 2. Received shape: {tuple(places.shape)}")
    check_choice("fill_mode", fill_mode, FILL_MODES)
    if order not in (0, 1):
        raise NotImplementedError(f"map_coordinates currently requires order<=1. Received: order={order}")
    return interpolated_values(x, unstack(places), order, fill_mode, fill_value)


def _elastic_transform(
    images: Any,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: Any = None,
    data_format: str | None = None,
) -> Any:
    check_choice("interpolation", interpolation, INTERPOLATIONS)
    check_choice("fill_mode", fill_mode, FILL_MODES_OF_TENSORFLOW)
    x = checked_images(images)

    def transform(batch: Any) -> Any:
        shift = elastic_shift(batch.shape[:3], alpha, sigma, sigma, _seed_of_draw(seed), batch.dtype)
        return shift_pixels(batch, shift, interpolation, fill_mode, fill_value)

    return _image_function_of_batches(transform)(x, data_format)


def _perspective_transform(
    images: Any,
    start_points: Any,
    end_points: Any,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Any:
    check_choice("interpolation", interpolation, INTERPOLATIONS)
    x, start, end = checked_images(images), tensor(start_points, "float32"), tensor(end_points, "float32")
    if start.shape != end.shape or start.ndim not in (2, 3) or tuple(start.shape[-2:]) != (4, 2):
        raise ValueError(
            f"`start_points` and `end_points` must have one shape, (4, 2) or (batch, 4, 2). Received: {start.shape}, {end.shape}"
        )
    matrices = homography(start, end)

    def transform(x: Any) -> Any:
        return projective_transform(x, matrices, interpolation, "constant", fill_value)

    return _image_function_of_batches(transform)(x, data_format)


def _lanczos(radius: float) -> Callable[..., Any]:
    def kernel(x: Any) -> Any:
        angle = math.pi * where(x > 1e-3, x, ones_like(x))
        y = radius * sin(angle) * sin(angle / radius) / square(angle)
        return where(x > radius, zeros_like(x), where(x > 1e-3, y, ones_like(x)))

    return kernel


def _cubic(x: Any) -> Any:
    """Keys's cubic convolution with a = -0.5."""
    near, far = ((1.5 * x - 2.5) * x) * x + 1.0, ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return where(x >= 2.0, zeros_like(x), where(x >= 1.0, far, near))


_RESAMPLING_KERNELS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("linear", "bilinear", "trilinear", "triangle"), lambda x: maximum(1.0 - x, zeros_like(x))),
    **dict.fromkeys(("cubic", "bicubic", "tricubic"), _cubic),
    "lanczos3": _lanczos(3.0),
    "lanczos5": _lanczos(5.0),
}


def _scale_and_translate(
    images: Any,
    output_shape: Any,
    scale: Any,
    translation: Any,
    spatial_dims: Any,
    method: str,
    antialias: bool = True,
) -> Any:
    check_choice("method", method, tuple(_RESAMPLING_KERNELS))
    x, (scales, shifts) = tensor(images), as_common_dtype(scale, translation)
    y = x if x.dtype.is_floating else cast(x, dtypes.float32)
    for number, dimension in enumerate(spatial_dims):
        axis = dimension % x.ndim
        size, inverse = x.shape[axis], 1.0 / scales[number]
        places = (
            (creation.range(output_shape[axis], dtype=inverse.dtype) + 0.5) * inverse - shifts[number] * inverse - 0.5
        )
        distance = arithmetic.abs(places[None, :] - creation.range(size, dtype=places.dtype)[:, None])
        widened = maximum(inverse, ones_like(inverse)) if antialias else ones_like(inverse)
        weights = _RESAMPLING_KERNELS[method](distance / widened)
        total = reduce_sum(weights, 0, keepdims=True)
        is_there = arithmetic.abs(total) > 1000.0 * float(np.finfo(np.float32).eps)
        weights = where(is_there, weights / where(is_there, total, ones_like(total)), zeros_like(weights))
        is_inside = logical_and(places >= -0.5, places <= size - 0.5)
        weights = where(is_inside[None, :], weights, zeros_like(weights))
        y = tensordot(y, cast(weights, y.dtype), [[axis], [0]])
        y = transpose(y, [*range(axis), x.ndim - 1, *range(axis, x.ndim - 1)])
    if x.dtype.is_floating:
        return y
    low, high = [cast(limit(x), y.dtype) for limit in (reduce_min, reduce_max)]
    return cast(clip_by_value(rounding.round(y), low, high), x.dtype)


def _ssim(
    image1: Any,
    image2: Any,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> Any:
    first, second = checked_images(image1, "image1"), checked_images(image2, "image2")

    form = standardize_data_format(data_format)
    pictures = with_channels_last(as_floats(first), form), with_channels_last(as_floats(second), form)
    y = ssim(*pictures, max_val, filter_size, filter_sigma, k1, k2)
    return cast(y, first.dtype)


TABLE: dict[str, Callable[..., Any]] = {
    "affine_transform": affine_transform,
    "crop_images": _crop_images,
    "elastic_transform": _elastic_transform,
    "extract_patches": _extract_patches,
    "extract_patches_3d": _extract_patches_3d,
    "gaussian_blur": _gaussian_blur,
    "hsv_to_rgb": _image_function(hsv_to_rgb),
    "map_coordinates": _map_coordinates,
    "pad_images": _pad_images,
    "perspective_transform": _perspective_transform,
    "resize": _resize,
    "rgb_to_grayscale": _image_function(rgb_to_grayscale),
    "rgb_to_hsv": _image_function(rgb_to_hsv),
    "scale_and_translate": _scale_and_translate,
    "sobel_edges": _image_function(sobel_edges),
    "ssim": _ssim,
}
