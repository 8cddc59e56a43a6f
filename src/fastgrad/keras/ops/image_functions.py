"""The functions of ``keras.ops.image``, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fastgrad as tf
from fastgrad.keras.affine_transform import affine_transform
from fastgrad.keras.layers.image_preprocessing import Resizing
from fastgrad.keras.ops.function import tensor
from fastgrad.keras.settings import standardize_data_format


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
    proportions = crop_to_aspect_ratio, pad_to_aspect_ratio
    layer = Resizing(height, width, interpolation, *proportions, fill_mode, fill_value, antialias, data_format)
    return layer.call(tensor(images))


def _channels_last(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function of images with the channels last, for both data formats."""

    def call(images: Any, data_format: str | None = None) -> Any:
        x = tensor(images)
        if standardize_data_format(data_format) == "channels_last":
            return function(x)
        axes = list(range(x.ndim))
        y = function(tf.transpose(x, [*axes[:-3], *axes[-2:], axes[-3]]))
        return tf.transpose(y, [*axes[:-3], axes[-1], *axes[-3:-1]])

    return call


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
        batch = x if x.ndim == 4 else x[None]
        y = tf.image.extract_patches(batch, (1, *pair(size), 1), (1, *steps, 1), (1, *rates, 1), padding.upper())
        return y if x.ndim == 4 else y[0]

    return _channels_last(patches)(images, data_format)


TABLE: dict[str, Callable[..., Any]] = {
    "affine_transform": affine_transform,
    "extract_patches": _extract_patches,
    "hsv_to_rgb": _channels_last(tf.image.hsv_to_rgb),
    "resize": _resize,
    "rgb_to_grayscale": _channels_last(tf.image.rgb_to_grayscale),
    "rgb_to_hsv": _channels_last(tf.image.rgb_to_hsv),
}
