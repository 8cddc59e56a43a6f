"""Images in both data formats and single images, for functions of batches with the channels last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops.shaping import transpose


def checked_images(images: Any, name: str = "images") -> Tensor:
    """Converts an image or a batch of images to a tensor; ValueError for another rank."""
    x = convert_to_tensor(images)
    if x.ndim not in (3, 4):
        raise ValueError(f"`{name}` must have rank 3 (single image) or rank 4 (batch of images), got {tuple(x.shape)}")
    return x


def check_image_rank(shape: tuple[int, ...]) -> None:
    """ValueError unless ``shape`` is that of an image or a batch of images."""
    if len(shape) not in (3, 4):
        wanted = "the input image to be rank 3 (single image) or 4 (batch of images)"
        raise ValueError(f"Expected {wanted}. Received: data.shape={shape}")


def with_channels_last(x: Tensor, data_format: str) -> Tensor:
    """Returns images (..., channels, height, width) of ``"channels_first"`` as (..., height, width, channels)."""
    if data_format == "channels_last":
        return x
    batch = x.ndim - 3
    return transpose(x, [*range(batch), batch + 1, batch + 2, batch])


def apply_channels_last(function: Callable[[Tensor], Tensor], x: Tensor, data_format: str) -> Tensor:
    """Returns ``function(x)`` for a function of images with the channels last; ``x`` and the result have ``data_format``.

    Args:
        function: its result has the axes of its argument, and maybe more behind.
        x: images, shape (..., height, width, channels) or (..., channels, height, width).
        data_format: ``"channels_last"`` or ``"channels_first"``.
    """
    y = function(with_channels_last(x, data_format))
    if data_format == "channels_last":
        return y
    batch = x.ndim - 3
    return transpose(y, [*range(batch), batch + 2, batch, batch + 1, *range(x.ndim, y.ndim)])


def apply_as_batch(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Returns ``function(x)`` for a function of batches of images; a single image is a batch of one."""
    return function(x) if x.ndim == 4 else function(x[None])[0]
