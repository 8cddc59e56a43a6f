"""Images whose pixels move a little, neighbours nearly alike; and values between pixels."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Sequence
from typing import Any

import fastgrad as tf
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import settings


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
    sigma = tf.cast(sigma, dtype)
    noise = tf.random.stateless_normal((*shape, 1), seed, dtype=dtype) * sigma
    # The kernel has the size for the greatest sigma, with zeros beyond that of this sigma: a compiled step keeps its shapes.
    radius = 3 * int(greatest_sigma + 1e-3)
    distance = tf.abs(tf.range(-radius, radius + 1))
    weights = tf.exp(-0.5 * tf.square(tf.math.divide_no_nan(tf.cast(distance, dtype), sigma)))  # no noise: no change
    weights = tf.where(distance <= 3 * tf.cast(sigma, tf.int32), weights, tf.zeros_like(weights))
    weights /= tf.reduce_sum(weights)
    for axis in (0, 1):
        kernel = tf.reshape(weights, [-1, 1, 1, 1] if axis == 0 else [1, -1, 1, 1])
        noise = tf.nn.conv2d(noise, kernel, [1, 1, 1, 1], "SAME")
    return noise[..., 0] * tf.cast(alpha, dtype)


def shifted(x: Tensor, shift: Tensor, interpolation: str, fill_mode: str, fill_value: Any) -> Tensor:
    """Returns images (batch, height, width, channels) with the values ``shift`` rows below and columns to the right."""
    rows = tf.range(x.shape[1], dtype=shift.dtype)[None, :, None] + shift
    columns = tf.range(x.shape[2], dtype=shift.dtype)[None, None, :] + shift
    order = ("nearest", "bilinear").index(interpolation)
    return values_at(x, [rows, columns], order, fill_mode, fill_value, is_batch=True)


def values_at(
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
            nearest = position if position.dtype.is_integer else tf.round(position)
            nodes = [(tf.cast(nearest, tf.int32), tf.ones((), position.dtype))]
        else:
            position = position if position.dtype.is_floating else tf.cast(position, settings.floatx())
            lower = tf.floor(position)
            index, weight = tf.cast(lower, tf.int32), position - lower
            nodes = [(index, 1.0 - weight), (index + 1, weight)]
        axes.append([(*_inside(index, size, fill_mode), weight) for index, weight in nodes])
    y: Any = 0.0
    for corner in itertools.product(*axes):
        indices, is_inside, weights = zip(*corner, strict=True)
        weight, is_valid = functools.reduce(operator.mul, weights), functools.reduce(tf.logical_and, is_inside)
        if is_batch:
            is_valid = is_valid[..., None]
            weight = weight[..., None] if weight.ndim else weight
        values = tf.cast(tf.gather_nd(x, tf.stack(indices, -1), batch_dims=int(is_batch)), weight.dtype)
        if fill_mode == "constant":
            values = tf.where(is_valid, values, tf.cast(fill_value, values.dtype))
        y = weight * values + tf.cast(y, values.dtype)
    return tf.cast(tf.round(y) if x.dtype.is_integer and y.dtype.is_floating else y, x.dtype)


def _inside(index: Tensor, size: int, fill_mode: str) -> tuple[Tensor, Tensor]:
    """Returns the indices inside of an axis that ``index`` stands for, and where it was inside."""
    is_inside = tf.logical_and(index >= 0, index < size)
    if fill_mode == "wrap":
        index = tf.math.floormod(index, size)
    elif fill_mode in ("mirror", "reflect"):
        index = tf.math.floormod(tf.abs(index), 2 * size)
        index = tf.where(index < size, index, 2 * size - index - (1 if fill_mode == "reflect" else 0))
    else:
        index = tf.clip_by_value(index, 0, size - 1)
    return index, is_inside
