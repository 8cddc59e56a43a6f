"""Blocks of pixels moved to channels or to the batch: space_to_depth, space_to_batch and their inverses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.arguments import as_python_ints, tensor_of
from fastgrad._src.ops.padding import pad


def _channels_last_image(name: str, input: Any, block_size: int, data_format: str) -> Tensor:
    if block_size < 2:
        raise InvalidArgumentError(f"{name}: block_size must be at least 2, got {block_size}.")
    if data_format not in {"NHWC", "NCHW"}:
        raise InvalidArgumentError(f'{name}: data_format must be "NHWC" or "NCHW", got {data_format!r}.')
    x = tensor_of(input)
    if x._array.ndim != 4:
        raise InvalidArgumentError(f"{name}: Input rank should be 4 instead of {x._array.ndim}.")
    return TABLE["transpose"](x, perm=(0, 2, 3, 1)) if data_format == "NCHW" else x


def _to_data_format(y: Tensor, data_format: str) -> Tensor:
    return TABLE["transpose"](y, perm=(0, 3, 1, 2)) if data_format == "NCHW" else y


def space_to_depth(input: Any, block_size: int, data_format: str = "NHWC", name: str | None = None) -> Tensor:
    """Merges each block of ``block_size`` x ``block_size`` pixels into one pixel with all their channels.

    Args:
        input: shape (batch, height, width, channels), or (batch, channels, height, width) for ``"NCHW"``.
        block_size: 2 or more; divides height and width.
        data_format: ``"NHWC"`` or ``"NCHW"``.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (batch, height / b, width / b, channels * b * b) for ``"NHWC"``.

    Raises:
        InvalidArgumentError: another rank, or sizes that ``block_size`` does not divide.
    """
    x = _channels_last_image("space_to_depth", input, block_size, data_format)
    n, height, width, channels = x._array.shape
    b = block_size
    if height % b or width % b:
        raise InvalidArgumentError(f"space_to_depth: image {height} x {width} should be divisible by block_size: {b}.")
    x = TABLE["reshape"](x, shape=(n, height // b, b, width // b, b, channels))
    x = TABLE["transpose"](x, perm=(0, 1, 3, 2, 4, 5))
    return _to_data_format(TABLE["reshape"](x, shape=(n, height // b, width // b, b * b * channels)), data_format)


def depth_to_space(input: Any, block_size: int, data_format: str = "NHWC", name: str | None = None) -> Tensor:
    """Splits the channels of each pixel among a block of ``block_size`` x ``block_size`` pixels.

    Args:
        input: shape (batch, height, width, channels), or (batch, channels, height, width) for ``"NCHW"``.
        block_size: 2 or more; its square divides the channels.
        data_format: ``"NHWC"`` or ``"NCHW"``.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (batch, height * b, width * b, channels / b / b) for ``"NHWC"``.

    Raises:
        InvalidArgumentError: another rank, or channels that the block does not divide.
    """
    x = _channels_last_image("depth_to_space", input, block_size, data_format)
    n, height, width, channels = x._array.shape
    b = block_size
    if channels % (b * b):
        raise InvalidArgumentError(f"depth_to_space: Input depth dimension {channels} should be divisible by: {b * b}.")
    x = TABLE["reshape"](x, shape=(n, height, width, b, b, channels // (b * b)))
    x = TABLE["transpose"](x, perm=(0, 1, 3, 2, 4, 5))
    return _to_data_format(TABLE["reshape"](x, shape=(n, height * b, width * b, channels // (b * b))), data_format)


def _checked_blocks(
    name: str, x: Tensor, block_shape: Any, margins: Any, what: str
) -> tuple[tuple[int, ...], np.ndarray]:
    if isinstance(block_shape, int):
        raise InvalidArgumentError(f"{name}: block_shape rank should be 1 instead of 0, got {block_shape}.")
    blocks = as_python_ints(block_shape, f"{name}: block_shape")
    table = tensor_of(margins)._elements()
    if table.shape != (len(blocks), 2):
        raise InvalidArgumentError(f"{name}: {what} should have shape [{len(blocks)}, 2], got {list(table.shape)}.")
    if table.min(initial=0) < 0 or min(blocks, default=1) < 1:
        raise InvalidArgumentError(f"{name}: block_shape must be >= 1, {what} >= 0, got {blocks} and {table.tolist()}.")
    if x._array.ndim < 1 + len(blocks):
        refuse(name, f"input rank should be >= {1 + len(blocks)} for {blocks}", InvalidArgumentError, shape=x.shape)
    return blocks, table


def space_to_batch(input: Any, block_shape: Any, paddings: Any, name: str | None = None) -> Tensor:
    """Moves blocks of the spatial dimensions to the batch, after padding with zeros.

    Args:
        input: shape (batch, spatial ..., rest ...).
        block_shape: M integers, the size of a block in each of the first M spatial dimensions.
        paddings: shape (M, 2), the number of zeros before and after each of these dimensions.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (batch * prod(block_shape), padded spatial / block_shape ..., rest ...).

    Raises:
        InvalidArgumentError: paddings of another shape, or padded sizes that the blocks do not divide.
    """
    x = tensor_of(input)
    blocks, table = _checked_blocks("space_to_batch", x, block_shape, paddings, "paddings")
    count = len(blocks)
    trailing_rank = x._array.ndim - 1 - count
    x = pad(x, np.concatenate((np.zeros((1, 2), int), table.reshape(count, 2), np.zeros((trailing_rank, 2), int))))
    batch, *sizes = x._array.shape
    split_sizes = []
    for axis, (size, block) in enumerate(zip(sizes, blocks, strict=False)):
        if size % block:
            refuse("space_to_batch", f"axis {axis} must be divisible by {block}", InvalidArgumentError, size=size)
        split_sizes += [size // block, block]
    x = TABLE["reshape"](x, shape=(batch, *split_sizes, *sizes[count:]))
    inner = tuple(range(2, 2 * count + 1, 2))
    outer = tuple(range(1, 2 * count + 1, 2))
    x = TABLE["transpose"](x, perm=(*inner, 0, *outer, *range(2 * count + 1, x._array.ndim)))
    return TABLE["reshape"](x, shape=(batch * math.prod(blocks), *split_sizes[::2], *sizes[count:]))


def batch_to_space(input: Any, block_shape: Any, crops: Any, name: str | None = None) -> Tensor:
    """Interleaves parts of the batch in space and crops the result: the inverse of ``space_to_batch``.

    Args:
        input: shape (batch, spatial ..., rest ...).
        block_shape: M integers, whose product divides the batch.
        crops: shape (M, 2), the number of elements to cut off before and after each of the first M spatial dimensions.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: crops of another shape or too large, or a batch that the blocks do not divide.
    """
    x = tensor_of(input)
    blocks, table = _checked_blocks("batch_to_space", x, block_shape, crops, "crops")
    count, product = len(blocks), math.prod(blocks)
    batch, *sizes = x._array.shape
    if batch % product:
        raise InvalidArgumentError(f"batch_to_space: {batch=} is not divisible by product of block sizes ({product}).")
    merged_sizes = [size * block for size, block in zip(sizes, blocks, strict=False)]
    slices: list[tuple[int, int, int]] = [(0, batch // product, 1)]
    for axis, (size, (low, high)) in enumerate(zip(merged_sizes, table.tolist(), strict=True)):
        if low + high > size:
            raise InvalidArgumentError(f"batch_to_space: cropped_shape[{axis}]={size - low - high} must be >= 0.")
        slices.append((low, size - high, 1))
    x = TABLE["reshape"](x, shape=(*blocks, batch // product, *sizes))
    interleaved_axes = [axis for number in range(count) for axis in (count + 1 + number, number)]
    x = TABLE["transpose"](x, perm=(count, *interleaved_axes, *range(2 * count + 1, x._array.ndim)))
    x = TABLE["reshape"](x, shape=(batch // product, *merged_sizes, *sizes[count:]))
    return TABLE["strided_slice"](x, key=(*slices, *[(0, size, 1) for size in sizes[count:]]))
