"""``affine_transform``: images rotated, zoomed, moved or seen in perspective."""

from __future__ import annotations

from typing import Any

import fastgrad as tf
from fastgrad.core.tensor import Tensor, convert_to_tensor
from fastgrad.keras.settings import standardize_data_format

INTERPOLATIONS = ("nearest", "bilinear")
FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
_TENSORFLOW_FILL_MODES = ("constant", "nearest", "wrap", "reflect")


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
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"Invalid value for argument `interpolation`. Expected of one {INTERPOLATIONS}. Received: interpolation={interpolation}"
        )
    if fill_mode not in FILL_MODES:
        raise ValueError(
            f"Invalid value for argument `fill_mode`. Expected of one {FILL_MODES}. Received: fill_mode={fill_mode}"
        )
    if fill_mode not in _TENSORFLOW_FILL_MODES:
        raise tf.errors.InvalidArgumentError(
            None, None, f"affine_transform: fill_mode {fill_mode!r} is none of {_TENSORFLOW_FILL_MODES}; use 'reflect'."
        )
    x, matrices = convert_to_tensor(images), tf.stop_gradient(tf.cast(convert_to_tensor(transform), tf.float32))
    if x.ndim not in (3, 4):
        raise ValueError(
            "Invalid images rank: expected rank 3 (single image) or rank 4 (batch of images). Received input with shape: "
            f"images.shape={tuple(x.shape)}"
        )
    if matrices.ndim not in (1, 2):
        raise ValueError(
            "Invalid transform rank: expected rank 1 (single transform) or rank 2 (batch of transforms). Received input with shape: "
            f"transform.shape={tuple(matrices.shape)}"
        )
    is_single = x.ndim == 3
    batch = x[None] if is_single else x
    matrices = matrices[None] if matrices.ndim == 1 else matrices
    if matrices.shape[1] != 8 or matrices.shape[0] not in (1, batch.shape[0]):
        raise tf.errors.InvalidArgumentError(
            None,
            None,
            f"affine_transform: Input transform should be num_images x 8 or 1 x 8, got shape {list(matrices.shape)} for "
            f"{batch.shape[0]} images.",
        )
    if data_format == "channels_first":
        batch = tf.transpose(batch, (0, 2, 3, 1))
    y = projective_transform(batch, matrices, interpolation, fill_mode, fill_value)
    if data_format == "channels_first":
        y = tf.transpose(y, (0, 3, 1, 2))
    return y[0] if is_single else y


def projective_transform(x: Tensor, matrices: Tensor, interpolation: str, fill_mode: str, fill_value: Any) -> Tensor:
    """Returns images (batch, height, width, channels) whose pixels are at other places of ``x``; arguments as above.

    Args:
        matrices: (batch, 8) or (1, 8), as the ``transform`` of ``affine_transform``.
    """
    images, height, width, channels = x.shape
    columns = tf.range(width, dtype=tf.float32)[None, None, :]
    rows = tf.range(height, dtype=tf.float32)[None, :, None]
    a0, a1, a2, b0, b1, b2, c0, c1 = [matrices[:, position, None, None] for position in range(8)]
    k = c0 * columns + c1 * rows + 1.0
    is_finite = tf.not_equal(k, 0.0)
    k = tf.where(is_finite, k, tf.ones((), tf.float32))
    source_columns = _mapped((a0 * columns + a1 * rows + a2) / k, width, fill_mode)
    source_rows = _mapped((b0 * columns + b1 * rows + b2) / k, height, fill_mode)
    compute_dtype = x.dtype if x.dtype is tf.float64 else tf.float32
    fill = tf.cast(tf.constant(fill_value, compute_dtype), compute_dtype)
    flat = tf.cast(tf.reshape(x, (images, height * width, channels)), compute_dtype)

    def pixels(row: Tensor, column: Tensor) -> Tensor:
        is_inside = (row >= 0.0) & (row < float(height)) & (column >= 0.0) & (column < float(width)) & is_finite
        row, column = [tf.cast(tf.where(is_inside, x, tf.zeros((), tf.float32)), tf.int32) for x in (row, column)]
        position = tf.broadcast_to(row * width + column, (images, height, width))
        values = tf.gather(flat, position, axis=1, batch_dims=1)
        return tf.where(is_inside[..., None], values, fill)

    if interpolation == "nearest":
        y = pixels(_round(source_rows), _round(source_columns))
    else:
        top, left = tf.floor(source_rows), tf.floor(source_columns)
        down = tf.cast(source_rows - top, compute_dtype)[..., None]
        right = tf.cast(source_columns - left, compute_dtype)[..., None]
        upper = (1.0 - right) * pixels(top, left) + right * pixels(top, left + 1.0)
        lower = (1.0 - right) * pixels(top + 1.0, left) + right * pixels(top + 1.0, left + 1.0)
        y = (1.0 - down) * upper + down * lower
        y = tf.where(is_finite[..., None], y, fill)
    return tf.cast(y, x.dtype)


def _round(x: Tensor) -> Tensor:
    """Rounds halves away from 0, as C does."""
    return tf.sign(x) * tf.floor(tf.abs(x) + 0.5)


def _mapped(x: Tensor, size: int, fill_mode: str) -> Tensor:
    """Returns the coordinates inside of an axis of ``size`` pixels that coordinates outside of it stand for."""
    if fill_mode == "constant":
        return x
    last = float(size - 1)
    if fill_mode == "reflect" and size > 1:
        period = 2.0 * size
        below = tf.where(x < period, period * _whole(-x / period) + x, x)
        below = tf.where(below < -float(size), below + period, -below - 1.0)
        above = x - period * _whole(x / period)
        above = tf.where(above >= float(size), period - above - 1.0, above)
        x = tf.where(x < 0.0, below, tf.where(x > last, above, x))
    elif fill_mode == "wrap" and size > 1:
        x = tf.where(
            x < 0.0,
            x + size * (_whole(-x / last) + 1.0),
            tf.where(x > last, x - size * _whole(x / last), x),
        )
    return tf.clip_by_value(x, 0.0, last)


def _whole(x: Tensor) -> Tensor:
    """Drops the fraction."""
    return tf.sign(x) * tf.floor(tf.abs(x))
