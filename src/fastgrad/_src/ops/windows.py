"""Sliding windows of convolution and pooling: strides, dilations, paddings, data formats.

Inside, arrays are (batch, *spatial, channels), and ``padding`` is a pair (before, after) for each spatial dimension.
"""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.errors import InvalidArgumentError, UnimplementedError
from fastgrad._src.core.operand_errors import InvalidValueError
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.arguments import as_python_ints
from fastgrad._src.ops.shaping import reshape, transpose

Sizes = tuple[int, ...]
Padding = tuple[tuple[int, int], ...]

DATA_FORMATS_BY_RANK = {1: ("NWC", "NCW"), 2: ("NHWC", "NCHW"), 3: ("NDHWC", "NCDHW")}
"""The data formats with channels last and channels first, by the number of spatial dimensions."""


# ---- reading arguments -------------------------------------------------------------------------------


def channels_come_first(data_format: str | None, rank: int, name: str) -> bool:
    """True if ``data_format``, for ``rank`` spatial dimensions, has channels first; None has channels last.

    Raises:
        InvalidArgumentError: ``data_format`` is unknown.
    """
    if data_format is None or data_format == DATA_FORMATS_BY_RANK[rank][0]:
        return False
    if data_format != DATA_FORMATS_BY_RANK[rank][1]:
        raise InvalidArgumentError(f"{name}: data_format must be in {DATA_FORMATS_BY_RANK[rank]}, got {data_format!r}.")
    return True


_MAX_WINDOW_SIZE = 2**31 - 1


def per_dimension(value: Any, rank: int, channels_first: bool, what: str) -> Sizes:
    """A stride, dilation or window size for each spatial dimension.

    Args:
        value: a number, a list of 1, ``rank`` or ``rank + 2`` numbers (those of batch and channels must be 1), or None
            for 1.
        rank: the number of spatial dimensions.
        channels_first: whether channels come before the spatial dimensions in a list of ``rank + 2`` numbers.
        what: the operation and the argument, for the error.

    Raises:
        ValueError: the list has another length.
        InvalidArgumentError: a number is below 1, or does not fit in 32 bits.
        UnimplementedError: a number for batch or channels is above 1.
    """
    if value is None:
        return (1,) * rank
    numbers = as_python_ints(value, what)
    if len(numbers) not in (1, rank, rank + 2):
        raise ValueError(f"{what} should be of length 1, {rank} or {rank + 2}. Received: {value}")
    if len(numbers) == 1:
        numbers *= rank
    elif len(numbers) == rank + 2:
        outer_numbers = numbers[:2] if channels_first else (numbers[0], numbers[-1])
        if outer_numbers != (1, 1):
            raise UnimplementedError(f"{what} in the batch and depth dimensions must be 1, got {list(numbers)}.")
        numbers = numbers[2:] if channels_first else numbers[1:-1]
    if min(numbers) < 1:
        raise InvalidArgumentError(f"{what} must be > 0, but got {min(numbers)} in {value}.")
    if max(numbers) > _MAX_WINDOW_SIZE:
        raise InvalidArgumentError(f"{what} must be at most {_MAX_WINDOW_SIZE}, but got {max(numbers)} in {value}.")
    return numbers


def padding_sizes(
    padding: Any, sizes: Sizes, kernel: Sizes, strides: Sizes, dilations: Sizes, channels_first: bool, name: str
) -> Padding:
    """The number of cells to add before and after each spatial dimension.

    Args:
        padding: ``"VALID"`` adds none; ``"SAME"`` adds enough for ``ceil(size / stride)`` windows, with the odd cell at the
            end; or a list of pairs (before, after), one for each dimension of the input, zero for batch and channels.
        sizes, kernel, strides, dilations: one number for each spatial dimension.
        channels_first: whether channels come before the spatial dimensions in a list of pairs.
        name: the operation, for the error.

    Raises:
        InvalidArgumentError: the string is unknown, or padding is negative or not zero for batch or channels.
        ValueError: the number of pairs is wrong.
        TypeError: ``padding`` is neither a string nor a list.
    """
    if padding == "VALID":
        return ((0, 0),) * len(sizes)
    if padding == "SAME":
        paddings = []
        for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
            total = max((-(-size // stride) - 1) * stride + (width - 1) * dilation + 1 - size, 0)
            paddings.append((total // 2, total - total // 2))
        return tuple(paddings)
    if isinstance(padding, str):
        raise InvalidArgumentError(f"{name}: padding must be 'SAME', 'VALID' or a list of pairs, got {padding!r}.")
    if not isinstance(padding, (list, tuple)):
        raise TypeError(f"{name}: Expected string or list for argument 'padding' not {padding!r}.")
    if len(padding) != len(sizes) + 2:
        raise ValueError(
            f"{name}: When padding is a list, it must be of size {len(sizes) + 2}, a pair for each dimension. Received: "
            f"padding={padding} of size {len(padding)}"
        )
    pairs = [as_python_ints(pair, f"{name}: padding") for pair in padding]
    if any(len(pair) != 2 or min(pair) < 0 for pair in pairs):
        raise InvalidArgumentError(f"{name}: padding must consist of pairs of non-negative numbers, got {padding}.")
    outer_pairs = pairs[:2] if channels_first else [pairs[0], pairs[-1]]
    if outer_pairs != [(0, 0), (0, 0)]:
        raise InvalidArgumentError(f"{name}: padding of batch and channels must be (0, 0), got {padding}.")
    return tuple([(pair[0], pair[1]) for pair in (pairs[2:] if channels_first else pairs[1:-1])])


def output_sizes(sizes: Sizes, kernel: Sizes, strides: Sizes, padding: Padding, dilations: Sizes, name: str) -> Sizes:
    """The number of windows along each spatial dimension.

    Raises:
        InvalidValueError: a window is larger than the padded input.
    """
    counts = []
    for size, width, stride, pair, dilation in zip(sizes, kernel, strides, padding, dilations, strict=True):
        reach = (width - 1) * dilation + 1
        room = size + sum(pair) - reach
        if room < 0 and (size or room + stride < 0):  # an empty input with padding="SAME" has no window
            raise InvalidValueError(
                f"{name}: Computed output size would be negative: a window of {reach} does not fit into an input of "
                f"{size + sum(pair)} [input_size: {size}, padding: {pair}, effective_filter_size: {reach}, stride: {stride}]. "
                f"padding='SAME' makes room for it."
            )
        counts.append(room // stride + 1)
    return tuple(counts)


# ---- data formats --------------------------------------------------------------------------------------


def channels_to_end(x: Tensor, rank: int, channels_first: bool) -> Tensor:
    """``x`` with shape (batch, *spatial, channels); merges all leading dimensions into one batch."""
    ndim = x._array.ndim
    if channels_first:
        batch = ndim - rank - 1
        x = transpose(x, (*range(batch), *range(batch + 1, ndim), batch))
    return x if ndim == rank + 2 else reshape(x, (-1, *x._array.shape[-rank - 1 :]))


def restore_channels(y: Tensor, batch: Sizes, rank: int, channels_first: bool) -> Tensor:
    """Returns a channels-last result with its channels and leading dimensions as before ``channels_to_end``."""
    if channels_first:
        y = transpose(y, (0, rank + 1, *range(1, rank + 1)))
    return y if len(batch) == 1 else reshape(y, (*batch, *y._array.shape[1:]))
