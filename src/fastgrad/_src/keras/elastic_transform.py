"""Elastic transformations: each pixel moves a little, and neighbours move nearly alike; values between pixels are interpolated."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Sequence
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import settings
from fastgrad._src.keras.affine_transform import INTERPOLATIONS
from fastgrad._src.ops import arithmetic, creation, rounding
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.clipping import clip_by_value
from fastgrad._src.ops.comparison import logical_and
from fastgrad._src.ops.convolution import conv2d
from fastgrad._src.ops.creation import ones, zeros_like
from fastgrad._src.ops.division import divide_no_nan, floormod
from fastgrad._src.ops.exponential import exp
from fastgrad._src.ops.indexing import gather_nd
from fastgrad._src.ops.joining import stack
from fastgrad._src.ops.power import square
from fastgrad._src.ops.random_stateless import stateless_normal
from fastgrad._src.ops.reduction import reduce_sum
from fastgrad._src.ops.rounding import floor
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shaping import reshape


def elastic_shift(
    shape: Sequence[int], alpha: Any, sigma: Any, greatest_sigma: float, seed: Tensor, dtype: Any
) -> Tensor:
    """Returns by how many pixels each pixel moves, down as far as to the right, as in Keras: smooth noise.

    Args:
        shape: (batch, height, width).
        alpha: the noise is multiplied by it; a number or a tensor.
        sigma: the standard deviation of the noise, and of the Gaussian that smooths it; a number or a tensor.
        greatest_sigma: a number that ``sigma`` does not exceed.
        seed: of ``tf.random.stateless_normal``.
        dtype: a float dtype.
    """
    sigma = cast(sigma, dtype)
    noise = stateless_normal((*shape, 1), seed, dtype=dtype) * sigma
    # The kernel has the size for the greatest sigma, with zeros beyond that of this sigma: a compiled step keeps its shapes.
    radius = 3 * int(greatest_sigma + 1e-3)
    distance = arithmetic.abs(creation.range(-radius, radius + 1))
    weights = exp(-0.5 * square(divide_no_nan(cast(distance, dtype), sigma)))  # no noise: no change
    weights = where(distance <= 3 * cast(sigma, dtypes.int32), weights, zeros_like(weights))
    weights /= reduce_sum(weights)
    for axis in (0, 1):
        kernel = reshape(weights, [-1, 1, 1, 1] if axis == 0 else [1, -1, 1, 1])
        noise = conv2d(noise, kernel, [1, 1, 1, 1], "SAME")
    return noise[..., 0] * cast(alpha, dtype)


def shift_pixels(x: Tensor, shift: Tensor, interpolation: str, fill_mode: str, fill_value: Any) -> Tensor:
    """Returns images (batch, height, width, channels) with the values ``shift`` rows below and columns to the right."""
    rows = creation.range(x.shape[1], dtype=shift.dtype)[None, :, None] + shift
    columns = creation.range(x.shape[2], dtype=shift.dtype)[None, None, :] + shift
    order = INTERPOLATIONS.index(interpolation)
    return interpolated_values(x, [rows, columns], order, fill_mode, fill_value, is_batch=True)


def interpolated_values(
    x: Tensor, places: Sequence[Tensor], order: int, fill_mode: str, fill_value: Any, is_batch: bool = False
) -> Tensor:
    """Returns the values of ``x`` at places between its elements.

    Args:
        x: any dtype.
        places: the coordinates along each axis, tensors of one shape; those of a batch are along the axes after the first one.
        order: 0 for the nearest element, 1 for linear interpolation.
        fill_mode: how points outside of the image are filled: ``"constant"`` with ``fill_value``, ``"nearest"``, ``"wrap"``, ``"mirror"`` or ``"reflect"``.
        fill_value: the value outside.
        is_batch: whether the first axes of ``x`` and of the coordinates are the same, and the last one of ``x`` is of channels.

    Returns:
        The dtype of ``x``; the shape of the coordinates, followed by the channels, if ``x`` has any.
    """
    axes = []
    sizes = x.shape[1 : 1 + len(places)] if is_batch else x.shape
    for position, size in zip(places, sizes, strict=True):
        if order == 0:
            nearest = position if position.dtype.is_integer else rounding.round(position)
            nodes = [(cast(nearest, dtypes.int32), ones((), position.dtype))]
        else:
            position = position if position.dtype.is_floating else cast(position, settings.floatx())
            lower = floor(position)
            index, weight = cast(lower, dtypes.int32), position - lower
            nodes = [(index, 1.0 - weight), (index + 1, weight)]
        axes.append([(*_inside(index, size, fill_mode), weight) for index, weight in nodes])
    y: Any = 0.0
    for corner in itertools.product(*axes):
        indices, is_inside, weights = zip(*corner, strict=True)
        weight, is_valid = functools.reduce(operator.mul, weights), functools.reduce(logical_and, is_inside)
        if is_batch:
            is_valid = is_valid[..., None]
            weight = weight[..., None] if weight.ndim else weight
        values = cast(gather_nd(x, stack(indices, -1), batch_dims=int(is_batch)), weight.dtype)
        if fill_mode == "constant":
            values = where(is_valid, values, cast(fill_value, values.dtype))
        y = weight * values + cast(y, values.dtype)
    return cast(rounding.round(y) if x.dtype.is_integer and y.dtype.is_floating else y, x.dtype)


def _inside(index: Tensor, size: int, fill_mode: str) -> tuple[Tensor, Tensor]:
    """Returns the indices inside of an axis that ``index`` stands for, and where it was inside."""
    is_inside = logical_and(index >= 0, index < size)
    if fill_mode == "wrap":
        index = floormod(index, size)
    elif fill_mode in ("mirror", "reflect"):
        index = floormod(arithmetic.abs(index), 2 * size)
        index = where(index < size, index, 2 * size - index - (1 if fill_mode == "reflect" else 0))
    else:
        index = clip_by_value(index, 0, size - 1)
    return index, is_inside
