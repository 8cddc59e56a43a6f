"""Images seen in perspective: each pixel is one of another place of the image."""

from __future__ import annotations

from typing import Any

import fastgrad as tf
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.image.interpolation import interpolate


def projective_transform(x: Tensor, matrices: Tensor, interpolation: str, fill_mode: str, fill_value: Any) -> Tensor:
    """Returns images (batch, height, width, channels) whose pixels are at other places of ``x``.

    Args:
        x: floats, shape (batch, height, width, channels).
        matrices: float32, shape (batch, 8) or (1, 8): a0, a1, a2, b0, b1, b2, c0, c1. The pixel at (column, row) is that of ``x``
            at ((a0 column + a1 row + a2) / k, (b0 column + b1 row + b2) / k), where k = c0 column + c1 row + 1.
        interpolation: ``"nearest"`` or ``"bilinear"``.
        fill_mode: what is outside of ``x``: ``"constant"``, ``"nearest"``, ``"wrap"`` or ``"reflect"``.
        fill_value: the constant.
    """
    images, height, width, _ = x.shape
    columns = tf.range(width, dtype=tf.float32)[None, None, :]
    rows = tf.range(height, dtype=tf.float32)[None, :, None]
    a0, a1, a2, b0, b1, b2, c0, c1 = [matrices[:, position, None, None] for position in range(8)]
    k = c0 * columns + c1 * rows + 1.0
    is_finite = tf.not_equal(k, 0.0)
    k = tf.where(is_finite, k, tf.ones((), tf.float32))
    source_columns = _mapped((a0 * columns + a1 * rows + a2) / k, width, fill_mode)
    source_rows = _mapped((b0 * columns + b1 * rows + b2) / k, height, fill_mode)
    compute_dtype = x.dtype if x.dtype is tf.float64 else tf.float32
    if interpolation == "nearest":
        source_rows, source_columns = _round(source_rows), _round(source_columns)
    outside = tf.constant(-2.0)
    places = [tf.where(is_finite, place, outside) for place in (source_rows, source_columns)]
    y = interpolate(
        tf.cast(x, compute_dtype),
        tf.range(images, dtype=tf.int32),
        *[tf.reshape(tf.broadcast_to(place, (images, height, width)), (images, height * width)) for place in places],
        method=interpolation,
        fill=float(fill_value),
    )
    return tf.cast(tf.reshape(y, x.shape), x.dtype)


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
