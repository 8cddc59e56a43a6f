"""Images changed at random: flips, crops, brightness, contrast, hue, saturation, JPEG quality, as in ``tf.image``.

Functions named ``random_*`` draw from the generators of ``tf.random``, those named ``stateless_random_*`` from a seed of two integers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_at_least, checked_number
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.image.colors import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    checked_colors,
)
from fastgrad._src.image.geometry import checked_images
from fastgrad._src.ops import namespace as ops

Draw = Callable[..., Tensor]
"""Takes a shape, the bounds and a dtype; returns uniform numbers."""


def _stateful_draw_of(seed: Any) -> Draw:
    return lambda shape, low, high, dtype=dtypes.float32: ops.uniform(shape, low, high, dtype, seed)


def _stateless_draw_of(seed: Any) -> Draw:
    return lambda shape, low, high, dtype=dtypes.float32: ops.stateless_uniform(shape, seed, low, high, dtype)


def _check_range(name: str, lower: Any, upper: Any) -> None:
    low, high = checked_number(name, "lower", lower), checked_number(name, "upper", upper)
    if high <= low:
        raise ValueError(f"{name}: upper must be > lower, got {lower} and {upper}.")
    check_at_least(name, 0, lower=low)


def _check_max_delta(name: str, max_delta: Any, limit: float) -> None:
    delta = checked_number(name, "max_delta", max_delta)
    if delta > limit:
        raise ValueError(f"{name}: max_delta must be <= {limit}, got {max_delta}.")
    check_at_least(name, 0, max_delta=delta)


# ---- flips and crops ----------------------------------------------------------------------------------


def _flipped(name: str, image: Any, axis: int, draw: Draw) -> Tensor:
    x = checked_images(name, image)
    if x._array.ndim == 3:
        return ops.where(ops.less(draw([], 0.0, 1.0), 0.5), ops.reverse(x, [axis]), x)
    batch = x._array.shape[0]
    flips = ops.greater(draw([batch], 0.0, 1.0), 0.5)  # TensorFlow rounds the number of each image of a batch
    return ops.where(ops.reshape(flips, (batch, 1, 1, 1)), ops.reverse(x, [axis + 1]), x)


def random_flip_left_right(image: Any, seed: Any = None) -> Tensor:
    """``image``, or each image of a batch, with its columns in reverse order with probability 1/2.

    Args:
        image: shape (height, width, channels) or (batch, height, width, channels).
        seed: an integer, or None.

    Raises:
        ValueError: another rank, or no pixels.
    """
    return _flipped("random_flip_left_right", image, 1, _stateful_draw_of(seed))


def random_flip_up_down(image: Any, seed: Any = None) -> Tensor:
    """``image``, or each image of a batch, with its rows in reverse order with probability 1/2; see ``random_flip_left_right``."""
    return _flipped("random_flip_up_down", image, 0, _stateful_draw_of(seed))


def _random_part(name: str, value: Any, size: Any, draw: Draw) -> Tensor:
    x = convert_to_tensor(value)
    sizes, shape = ops.as_python_ints(size, f"{name}: size"), x._array.shape
    if (
        len(sizes) != len(shape)
        or any(n < part for n, part in zip(shape, sizes, strict=True))
        or min(sizes, default=0) < 0
    ):
        raise InvalidArgumentError(f"{name}: Need value.shape >= size, got {list(shape)} and {list(sizes)}.")
    limits = np.subtract(shape, sizes).astype(np.int32) + np.int32(1)
    numbers = draw([len(shape)], 0, dtypes.int32.max, dtypes.int32)
    offsets = ops.floormod(numbers, constant_tensor(limits))
    for axis, part in enumerate(sizes):
        if part != shape[axis]:
            # The offset is a tensor, so that a compiled step draws another one each time.
            x = ops.gather(x, ops.add(constant_tensor(np.arange(part, dtype=np.int32)), offsets[axis]), axis=axis)
    return x


def random_crop(value: Any, size: Any, seed: Any = None, name: str | None = None) -> Tensor:
    """A part of ``value`` at a random place.

    Args:
        value: any tensor.
        size: the shape of the part, with an entry for each axis.
        seed: an integer, or None.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: ``size`` has another length, or exceeds the shape.
    """
    return _random_part("random_crop", value, size, _stateful_draw_of(seed))


def stateless_random_crop(value: Any, size: Any, seed: Any, name: str | None = None) -> Tensor:
    """``random_crop`` with a seed of two integers."""
    return _random_part("stateless_random_crop", value, size, _stateless_draw_of(seed))


# ---- colours ------------------------------------------------------------------------------------------


def random_brightness(image: Any, max_delta: Any, seed: Any = None) -> Tensor:
    """``adjust_brightness`` by a number in [-max_delta, max_delta).

    Args:
        image: as for ``adjust_brightness``.
        max_delta: a number, not negative.
        seed: an integer, or None.

    Raises:
        ValueError: ``max_delta`` is negative.
    """
    _check_max_delta("random_brightness", max_delta, np.inf)
    x = checked_colors("random_brightness", image)
    return adjust_brightness(x, _stateful_draw_of(seed)([], -max_delta, max_delta))


def stateless_random_brightness(image: Any, max_delta: Any, seed: Any) -> Tensor:
    """``random_brightness`` with a seed of two integers."""
    _check_max_delta("stateless_random_brightness", max_delta, np.inf)
    x = checked_colors("stateless_random_brightness", image)
    return adjust_brightness(x, _stateless_draw_of(seed)([], -max_delta, max_delta))


def random_contrast(image: Any, lower: Any, upper: Any, seed: Any = None) -> Tensor:
    """``adjust_contrast`` by a factor in [lower, upper).

    Args:
        image: as for ``adjust_contrast``.
        lower, upper: numbers, not negative.
        seed: an integer, or None.

    Raises:
        ValueError: ``lower`` is negative, or ``upper`` is not greater.
    """
    _check_range("random_contrast", lower, upper)
    x = checked_colors("random_contrast", image, least_rank=3)
    return adjust_contrast(x, _stateful_draw_of(seed)([], lower, upper))


def stateless_random_contrast(image: Any, lower: Any, upper: Any, seed: Any) -> Tensor:
    """``random_contrast`` with a seed of two integers."""
    _check_range("stateless_random_contrast", lower, upper)
    x = checked_colors("stateless_random_contrast", image, least_rank=3)
    return adjust_contrast(x, _stateless_draw_of(seed)([], lower, upper))


def random_hue(image: Any, max_delta: Any, seed: Any = None) -> Tensor:
    """``adjust_hue`` by a number in [-max_delta, max_delta).

    Args:
        image: as for ``adjust_hue``.
        max_delta: a number in [0, 0.5].
        seed: an integer, or None.

    Raises:
        ValueError: another ``max_delta``.
    """
    _check_max_delta("random_hue", max_delta, 0.5)
    x = checked_colors("random_hue", image, least_rank=3, channels=3)
    return adjust_hue(x, _stateful_draw_of(seed)([], -max_delta, max_delta))


def random_saturation(image: Any, lower: Any, upper: Any, seed: Any = None) -> Tensor:
    """``adjust_saturation`` by a factor in [lower, upper); arguments and errors as for ``random_contrast``."""
    _check_range("random_saturation", lower, upper)
    x = checked_colors("random_saturation", image, least_rank=3, channels=3)
    return adjust_saturation(x, _stateful_draw_of(seed)([], lower, upper))
