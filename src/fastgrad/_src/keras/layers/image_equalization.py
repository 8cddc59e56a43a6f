"""Histogram equalization of parts of images."""

from __future__ import annotations

import functools
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.keras.image_axes import apply_as_batch, apply_channels_last
from fastgrad._src.keras.layers.image_arguments import CHECKED_VALUE_RANGE, DATA_FORMAT, Argument
from fastgrad._src.keras.layers.image_colors import rescaled
from fastgrad._src.keras.layers.image_layer import ImageLayer
from fastgrad._src.ops import creation
from fastgrad._src.ops.arithmetic import minimum
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.clipping import clip_by_value
from fastgrad._src.ops.comparison import equal
from fastgrad._src.ops.creation import ones_like
from fastgrad._src.ops.indexing import gather
from fastgrad._src.ops.padding import pad
from fastgrad._src.ops.reduction import reduce_min, reduce_sum
from fastgrad._src.ops.rounding import floor
from fastgrad._src.ops.scan import cumsum
from fastgrad._src.ops.segments import unsorted_segment_sum
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shaping import reshape, transpose

_LEVELS = 256


def _tile_counts(layer: str, argument: str, value: Any) -> Any:
    sizes = value if isinstance(value, (tuple, list)) else ()
    if len(sizes) != 2 or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ValueError(f"{layer}: `{argument}` must be two positive integers, (height, width). Received: {value}")
    return value


class ContrastLimitedAdaptiveHistogramEqualization(
    ImageLayer,
    arguments=(
        CHECKED_VALUE_RANGE,
        Argument("clip_limit", "float", 4.0),
        Argument("tile_grid_size", default=(8, 8), check=_tile_counts),
        DATA_FORMAT,
    ),
):
    """Equalizes the histogram of each tile of an image, in training and in inference; a limit keeps it from amplifying noise (CLAHE).

    Between the centres of tiles, a value is interpolated linearly from the results of the four nearest tiles. The histograms have
    256 levels, so each tile and channel needs memory for 256 counts.

    Args:
        value_range: the least and the greatest value of images.
        clip_limit: the greatest count of a level, as a multiple of the tile's average count; no limit unless it is positive.
        tile_grid_size: the number of tiles along the height and along the width.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``value_range`` or ``tile_grid_size``; at a call another rank.
        InvalidArgumentError: at a call a side is shorter than the padding that completes its last tiles.
    """

    clip_limit: float
    tile_grid_size: Any

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """Equalizes the histograms of tiles, in training or not.

        Args:
            images: shape (batch, height, width, channels), or with the channels first; or a single image.
            transformation, training: without effect.

        Returns:
            The shape and dtype of ``images``.
        """
        x = convert_to_tensor(images)

        def equalize(batch: Tensor) -> Tensor:
            is_other_range = tuple(self.value_range) != (0, 255)
            values = rescaled(cast(batch, dtypes.float32) if is_other_range else batch, self.value_range, (0, 255))
            return rescaled(self._equalized(values), (0, 255), self.value_range)

        return cast(apply_channels_last(functools.partial(apply_as_batch, equalize), x, self.data_format), x.dtype)

    def _equalized(self, x: Tensor) -> Tensor:
        count, height, width, channels = x.shape
        rows, columns = self.tile_grid_size
        tall, wide = -(-height // rows), -(-width // columns)
        paddings = [[0, 0], [0, tall * rows - height], [0, wide * columns - width], [0, 0]]
        pixels = cast(clip_by_value(cast(x, dtypes.float32), 0.0, 255.0), dtypes.int32)
        pixels = pad(pixels, paddings, "SYMMETRIC")
        table = reshape(self._levels(pixels, rows, tall, columns, wide), [-1])

        (top, below), (left, beside) = _tile_neighbors(tall, rows), _tile_neighbors(wide, columns)
        image = reshape(creation.range(count), [-1, 1, 1, 1]) * (rows * columns)
        channel = creation.range(channels) * _LEVELS + pixels

        def mapped(row: Tensor, column: Tensor) -> Tensor:
            tile = image + (row[:, None, None] * columns + column[:, None])
            index = cast(tile, dtypes.int64) * (channels * _LEVELS) + cast(channel, dtypes.int64)
            return gather(table, index)

        across, down = beside[:, None], below[:, None, None]
        upper = mapped(top[0], left[0]) * (1.0 - across) + mapped(top[0], left[1]) * across
        lower = mapped(top[1], left[0]) * (1.0 - across) + mapped(top[1], left[1]) * across
        return (upper * (1.0 - down) + lower * down)[:, :height, :width]

    def _levels(self, pixels: Tensor, rows: int, tall: int, columns: int, wide: int) -> Tensor:
        """Returns what each level becomes in each tile: shape (batch, rows, columns, channels, levels)."""
        count, channels = pixels.shape[0], pixels.shape[-1]
        tiles = transpose(reshape(pixels, [count, rows, tall, columns, wide, channels]), [0, 1, 3, 5, 2, 4])
        shape = [count, rows, columns, channels]
        histograms = count * rows * columns * channels
        places = reshape(creation.range(histograms), [-1, 1]) * _LEVELS + reshape(tiles, [histograms, tall * wide])
        counts = unsorted_segment_sum(ones_like(places, dtypes.float32), places, histograms * _LEVELS)
        counts = reshape(counts, [*shape, _LEVELS])
        if self.clip_limit > 0:
            clipped = minimum(counts, self.clip_limit * (tall * wide) / _LEVELS)
            counts = clipped + reduce_sum(counts - clipped, -1, keepdims=True) / _LEVELS
        below = cumsum(counts, -1)
        least = reduce_min(below, -1, keepdims=True)
        others = float(tall * wide) - least
        others = where(equal(others, 0.0), ones_like(others), others)
        return clip_by_value((below - least) * 255.0 / others, 0.0, 255.0)


def _tile_neighbors(size: int, tiles: int) -> tuple[list[Tensor], Tensor]:
    """Returns for each pixel along an axis the tiles whose middles are before and after it, and the weight of the second."""
    place = (creation.range(size * tiles, dtype=dtypes.float32) - size / 2.0) / float(size)
    before = floor(place)
    first = cast(before, dtypes.int32)
    return [clip_by_value(first + step, 0, tiles - 1) for step in (0, 1)], place - before
