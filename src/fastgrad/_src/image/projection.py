"""Projective transformations: each pixel of the result is read from another position of the image."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.image.interpolation import interpolate
from fastgrad._src.ops import namespace as ops


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
    columns = ops.range(width, dtype=dtypes.float32)[None, None, :]
    rows = ops.range(height, dtype=dtypes.float32)[None, :, None]
    a0, a1, a2, b0, b1, b2, c0, c1 = [matrices[:, position, None, None] for position in range(8)]
    k = c0 * columns + c1 * rows + 1.0
    is_finite = ops.not_equal(k, 0.0)
    k = ops.where(is_finite, k, ops.ones((), dtypes.float32))
    source_columns = _map_outside_coordinates((a0 * columns + a1 * rows + a2) / k, width, fill_mode)
    source_rows = _map_outside_coordinates((b0 * columns + b1 * rows + b2) / k, height, fill_mode)
    compute_dtype = x.dtype if x.dtype is dtypes.float64 else dtypes.float32
    if interpolation == "nearest":
        source_rows, source_columns = _round_half_away(source_rows), _round_half_away(source_columns)
    outside = ops.constant(-2.0)
    places = [ops.where(is_finite, place, outside) for place in (source_rows, source_columns)]
    y = interpolate(
        ops.cast(x, compute_dtype),
        ops.range(images, dtype=dtypes.int32),
        *[ops.reshape(ops.broadcast_to(place, (images, height, width)), (images, height * width)) for place in places],
        method=interpolation,
        fill=float(fill_value),
    )
    return ops.cast(ops.reshape(y, x.shape), x.dtype)


def _round_half_away(x: Tensor) -> Tensor:
    """Rounds halves away from 0, as C does."""
    return ops.sign(x) * ops.floor(ops.abs(x) + 0.5)


def _map_outside_coordinates(x: Tensor, size: int, fill_mode: str) -> Tensor:
    """Returns the coordinates inside of an axis of ``size`` pixels that coordinates outside of it stand for."""
    if fill_mode == "constant":
        return x
    last = float(size - 1)
    if fill_mode == "reflect" and size > 1:
        period = 2.0 * size
        below = ops.where(x < period, period * _truncate(-x / period) + x, x)
        below = ops.where(below < -float(size), below + period, -below - 1.0)
        above = x - period * _truncate(x / period)
        above = ops.where(above >= float(size), period - above - 1.0, above)
        x = ops.where(x < 0.0, below, ops.where(x > last, above, x))
    elif fill_mode == "wrap" and size > 1:
        x = ops.where(
            x < 0.0,
            x + size * (_truncate(-x / last) + 1.0),
            ops.where(x > last, x - size * _truncate(x / last), x),
        )
    return ops.clip_by_value(x, 0.0, last)


def _truncate(x: Tensor) -> Tensor:
    """Drops the fraction."""
    return ops.sign(x) * ops.floor(ops.abs(x))
