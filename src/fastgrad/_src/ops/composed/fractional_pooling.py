"""Fractional pooling (Graham, 2015): windows whose sizes vary at random by one, so that sizes shrink by any ratio."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError, UnimplementedError
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops.arithmetic import minimum
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.creation import constant
from fastgrad._src.ops.division import truncatediv
from fastgrad._src.ops.indexing import gather
from fastgrad._src.ops.joining import concat
from fastgrad._src.ops.random_ops import uniform
from fastgrad._src.ops.random_stateless import stateless_uniform
from fastgrad._src.ops.reduction import reduce_max, reduce_sum
from fastgrad._src.ops.rounding import ceil
from fastgrad._src.ops.scan import cumsum
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shaping import reshape
from fastgrad._src.ops.sorting import argsort

_DTYPES = (dtypes.float32, dtypes.float64, dtypes.int32, dtypes.int64)


class FractionalMaxPool(NamedTuple):
    """The maxima of the windows, and the first rows and columns of the windows, with the size at the end."""

    output: Tensor
    row_pooling_sequence: Tensor
    col_pooling_sequence: Tensor


class FractionalAvgPool(NamedTuple):
    """The means of the windows, and the first rows and columns of the windows, with the size at the end."""

    output: Tensor
    row_pooling_sequence: Tensor
    col_pooling_sequence: Tensor


def fractional_max_pool(
    value: Any,
    pooling_ratio: Any,
    pseudo_random: bool = False,
    overlapping: bool = False,
    seed: int = 0,
    name: str | None = None,
) -> FractionalMaxPool:
    """The maxima of windows that shrink rows and columns by a ratio that need not be an integer.

    Args:
        value: float32, float64, int32 or int64, shape (batch, rows, columns, channels).
        pooling_ratio: the ratio of the sizes of input and output, at least 1; or ``[1.0, rows, columns, 1.0]``.
        pseudo_random: whether one random number determines the sizes of all windows (Graham, section 2); else they are shuffled.
        overlapping: whether a window also has the first row and column of the next window.
        seed: a number other than 0 gives the same windows at each call.

    Returns:
        A named tuple ``(output, row_pooling_sequence, col_pooling_sequence)``; the sequences are int64.

    Raises:
        ValueError: ``pooling_ratio`` is no number or list of numbers, is below 1, or does not begin and end with 1.0.
        InvalidArgumentError: ``value`` has another rank or dtype, or is smaller than the ratio.
    """
    x, sequences, windows = _pooling_windows(
        "fractional_max_pool", value, _checked_ratios(pooling_ratio), pseudo_random, overlapping, seed
    )
    lowest = constant(-np.inf if x.dtype.is_floating else x.dtype.min, x.dtype)
    for axis, (places, is_inside) in enumerate(windows, 1):
        x = reduce_max(where(_mask_along_axis(is_inside, axis), gather(x, places, axis=axis), lowest), axis + 1)
    return FractionalMaxPool(x, *sequences)


def fractional_avg_pool(
    value: Any,
    pooling_ratio: Any,
    pseudo_random: bool = False,
    overlapping: bool = False,
    seed: int = 0,
    name: str | None = None,
) -> FractionalAvgPool:
    """The means of windows; as ``fractional_max_pool``, but for the argument ``pooling_ratio``.

    Args:
        pooling_ratio: ``[1.0, rows, columns, 1.0]``, numbers that are at least 1.

    Raises:
        TypeError: ``pooling_ratio`` is no list.
        UnimplementedError: ``pooling_ratio`` does not begin and end with 1.0.
        InvalidArgumentError: it has another length or a number below 1; ``value`` has another rank or dtype, or is too small.
    """
    if not isinstance(pooling_ratio, (list, tuple)):
        raise TypeError(f"fractional_avg_pool: `pooling_ratio` should be a list, got {pooling_ratio!r}.")
    if len(pooling_ratio) != 4 or min(pooling_ratio) < 1.0:
        raise InvalidArgumentError(f"fractional_avg_pool: `pooling_ratio` should be 4 numbers >= 1: {pooling_ratio}.")
    if pooling_ratio[0] != 1.0 or pooling_ratio[-1] != 1.0:
        raise UnimplementedError(
            f"fractional_avg_pool: `pooling_ratio` of batch and channels must be 1.0, got {pooling_ratio}."
        )
    x, sequences, windows = _pooling_windows(
        "fractional_avg_pool", value, pooling_ratio[1:3], pseudo_random, overlapping, seed
    )
    count = constant(1, x.dtype)
    for axis, (places, is_inside) in enumerate(windows, 1):
        weights = cast(_mask_along_axis(is_inside, axis), x.dtype)
        x = reduce_sum(gather(x, places, axis=axis) * weights, axis + 1)
        count = count * reduce_sum(weights, axis + 1)
    return FractionalAvgPool(x / count if x.dtype.is_floating else truncatediv(x, count), *sequences)


def _mask_along_axis(is_inside: Tensor, axis: int) -> Tensor:
    """Returns the mask of windows (windows, positions) for an array that has both at ``axis`` of five dimensions."""
    windows, positions = is_inside.shape
    return reshape(is_inside, [1] * axis + [windows, positions] + [1] * (3 - axis))


def _pooling_windows(
    function: str, value: Any, ratios: Sequence[float], pseudo_random: bool, overlapping: bool, seed: int
) -> tuple[Tensor, list[Tensor], list[tuple[Tensor, Tensor]]]:
    """Returns the checked tensor, the sequences of rows and columns, and for both the positions of windows and their mask."""
    x = convert_to_tensor(value)
    if x.ndim != 4 or x.dtype not in _DTYPES:
        raise InvalidArgumentError(
            f"{function}: value must be 4-dimensional and float32, float64, int32 or int64, got {x.dtype.name} {x.shape}."
        )
    sequences, windows = [], []
    for axis, ratio_of_axis in enumerate(ratios, 1):
        size = x.shape[axis]
        if ratio_of_axis > size:
            raise InvalidArgumentError(
                f"{function}: Pooling ratio {ratio_of_axis} is higher than dimension {axis}'s size {size}."
            )
        count = math.floor(size / ratio_of_axis)
        sequence = _window_starts(size, count, pseudo_random, (int(seed), axis) if seed else None)
        widest = size // count + (size % count > 0) + bool(overlapping)
        positions = sequence[:-1, None] + np.arange(widest)
        last = minimum(sequence[1:, None] - (0 if overlapping else 1), size - 1)
        sequences.append(sequence)
        windows.append((minimum(positions, size - 1), positions <= last))
    return x, sequences, windows


def _checked_ratios(ratio: Any) -> list[float]:
    numbers = list(ratio) if isinstance(ratio, (list, tuple)) else [ratio]
    if not all(isinstance(number, (int, float)) for number in numbers) or len(numbers) not in {1, 2, 4}:
        raise ValueError(f"fractional_max_pool: `pooling_ratio` should have 1, 2 or 4 numbers, got {ratio!r}.")
    if isinstance(ratio, (list, tuple)) and (numbers[0] != 1.0 or numbers[-1] != 1.0):
        raise ValueError(f"fractional_max_pool: `pooling_ratio` should begin and end with 1.0, got {ratio!r}.")
    if min(numbers) < 1.0:
        raise ValueError(f"fractional_max_pool: `pooling_ratio` should be >= 1.0, got {ratio!r}.")
    return numbers[1:3] if len(numbers) == 4 else (numbers * 2)[:2]


def _window_starts(size: int, count: int, pseudo_random: bool, seed: tuple[int, int] | None) -> Tensor:
    """Returns the first positions of ``count`` windows, and ``size``."""

    def draws(shape: list[int]) -> Tensor:
        if seed is None:
            return uniform(shape, dtype=dtypes.float64)
        return stateless_uniform(shape, seed, dtype=dtypes.float64)

    if pseudo_random:
        alpha = size / count
        whole = int(alpha)
        highest = min((whole + 2) / alpha - 1, (size + 1 - whole) / alpha - (count - 1))
        inner = cast(ceil(alpha * (np.arange(1, count) + draws([]) * highest)), dtypes.int64) - 1
        return concat([[0], inner, [size]], 0)
    widths = np.full(count, size // count)
    widths[: size % count] += 1
    shuffled = gather(constant(widths, dtypes.int64), argsort(draws([count])))
    return concat([[0], cumsum(shuffled)], 0)
