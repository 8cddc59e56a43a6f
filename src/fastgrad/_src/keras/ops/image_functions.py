"""The functions of ``keras.ops.image``, by name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.image.colors import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from fastgrad._src.image.geometry import extract_patches
from fastgrad._src.image.quality import sobel_edges, ssim
from fastgrad._src.keras.affine_transform import affine_transform
from fastgrad._src.keras.image_axes import (
    apply_as_batch,
    apply_channels_last,
    check_image_rank,
    checked_images,
    with_channels_last,
)
from fastgrad._src.keras.image_resizing import check_proportions, checked_size, resized_images
from fastgrad._src.keras.ops.function import as_floats, tensor
from fastgrad._src.keras.settings import standardize_data_format
from fastgrad._src.ops.casting import cast


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
    "extract_patches": _extract_patches,
    "hsv_to_rgb": _image_function(hsv_to_rgb),
    "resize": _resize,
    "rgb_to_grayscale": _image_function(rgb_to_grayscale),
    "rgb_to_hsv": _image_function(rgb_to_hsv),
    "sobel_edges": _image_function(sobel_edges),
    "ssim": _ssim,
}
