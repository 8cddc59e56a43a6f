"""Image resizing for the layer ``Resizing`` and for ``keras.ops.image.resize``."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import checked_integer, require
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.image.geometry import crop_to_bounding_box, resize
from fastgrad._src.ops import namespace as ops


def checked_size(owner: str, argument: str, value: Any) -> int:
    """Returns a height or width as an int; ValueError if it is not positive, TypeError if it is no integer."""
    size = checked_integer(owner, argument, value)
    if size < 1:
        raise ValueError(f"{owner}: `{argument}` must be positive. Received: {argument}={value}")
    return size


def check_proportions(crop_to_aspect_ratio: bool, pad_to_aspect_ratio: bool, fill_mode: str) -> None:
    """ValueError if both proportions are asked for, or another ``fill_mode`` than ``"constant"``."""
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be `True`.")
    require(fill_mode == "constant", "Resizing", "fill_mode must be 'constant'", fill_mode=fill_mode)


def center_crop_box(size: tuple[Any, Any], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """Returns top, left, height and width of the largest middle part of images of ``size`` with the proportions of ``target``."""
    height, width = (int(length) for length in size)
    part_height = max(1, min(height, int(width * target[0] / target[1])))
    part_width = max(1, min(width, int(height * target[1] / target[0])))
    return (height - part_height) // 2, (width - part_width) // 2, part_height, part_width


def padding_offsets(size: tuple[Any, Any], target: tuple[int, int]) -> tuple[int, int]:
    """Returns the borders at the top and at the left that give images of ``size`` the proportions of ``target``; the others are as wide."""
    height, width = (int(length) for length in size)
    whole_height = max(height, int(width * target[0] / target[1]))
    whole_width = max(width, int(height * target[1] / target[0]))
    return (whole_height - height) // 2, (whole_width - width) // 2


def resized_images(
    x: Tensor,
    target: tuple[int, int],
    interpolation: str,
    crop_to_aspect_ratio: bool,
    pad_to_aspect_ratio: bool,
    fill_value: Any,
    antialias: bool,
) -> Tensor:
    """Resizes images with the channels last; arguments as in the layer ``Resizing``. Integers are rounded; the result has their dtype."""
    dtype = x.dtype
    if crop_to_aspect_ratio:
        x = crop_to_bounding_box(x, *center_crop_box(x.shape[-3:-1], target))
    elif pad_to_aspect_ratio:
        top, left = padding_offsets(x.shape[-3:-1], target)
        widths = [(top, top), (left, left), (0, 0)]  # equal ones, as in Keras
        if dtype.is_integer and float(fill_value).is_integer():
            fill_value = int(fill_value)  # of bytes and masks
        x = ops.pad(x, [*[(0, 0)] * (x.ndim - 3), *widths], constant_values=fill_value)
    resized = resize(x, target, interpolation, antialias=antialias)
    if dtype.is_integer and resized.dtype.is_floating:
        resized = ops.round(resized)
    return ops.saturate_cast(resized, dtype)
