"""``affine_transform``: images rotated, zoomed, moved or seen in perspective."""

from __future__ import annotations

import functools
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_choice
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.image.projection import projective_transform
from fastgrad._src.keras.image_axes import apply_as_batch, apply_channels_last, checked_images
from fastgrad._src.keras.settings import standardize_data_format
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.custom_gradient import stop_gradient

INTERPOLATIONS = ("nearest", "bilinear")
FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
FILL_MODES_OF_TENSORFLOW = ("constant", "nearest", "wrap", "reflect")


def affine_transform(
    images: Any,
    transform: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: Any = 0,
    data_format: str | None = None,
) -> Tensor:
    """Images whose pixel (x, y) is the pixel ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k), k = c0 x + c1 y + 1, of the input.

    The gradient of ``images`` is the exact one; TensorFlow's transforms the cotangent by the inverse matrix.

    Args:
        images: one image of rank 3, or a batch of rank 4.
        transform: the numbers (a0, a1, a2, b0, b1, b2, c0, c1), (8,), or a row for each image, (batch, 8). It has no gradient.
        interpolation: ``"nearest"`` or ``"bilinear"``.
        fill_mode: what is outside of the image: ``"constant"`` for ``fill_value``, ``"nearest"``, ``"wrap"`` or ``"reflect"``.
        fill_value: the value outside.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.

    Returns:
        The shape and dtype of ``images``.

    Raises:
        ValueError: an argument is none of these, or has another rank.
        InvalidArgumentError: the fill mode is ``"mirror"``, which TensorFlow lacks, or there are neither one nor ``batch`` transforms.
    """
    data_format = standardize_data_format(data_format)
    check_choice("affine_transform", INTERPOLATIONS, interpolation=interpolation)
    check_choice("affine_transform", FILL_MODES, fill_mode=fill_mode)
    if fill_mode not in FILL_MODES_OF_TENSORFLOW:
        text = f"affine_transform: fill_mode {fill_mode!r} is none of {FILL_MODES_OF_TENSORFLOW}; use 'reflect'."
        raise InvalidArgumentError(text)
    x, matrices = checked_images(images), stop_gradient(cast(convert_to_tensor(transform), dtypes.float32))
    if matrices.ndim not in (1, 2):
        raise ValueError(f"`transform` must have rank 1, or rank 2 for a batch. Received: {tuple(matrices.shape)}")
    matrices = matrices[None] if matrices.ndim == 1 else matrices
    images = x.shape[0] if x.ndim == 4 else 1
    if matrices.shape[1] != 8 or matrices.shape[0] not in (1, images):
        text = f"affine_transform: Input transform should be num_images x 8 or 1 x 8, got {list(matrices.shape)}"
        raise InvalidArgumentError(f"{text} for {images} images.")

    def transformed(batch: Tensor) -> Tensor:
        return projective_transform(batch, matrices, interpolation, fill_mode, fill_value)

    return apply_channels_last(functools.partial(apply_as_batch, transformed), x, data_format)
