"""Pooling to a fixed output size, whatever the size of the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.layers.input_spec import InputSpec
from fastgrad._src.keras.layers.spatial_layer import SpatialLayer
from fastgrad._src.keras.layers.window_arguments import joined_shape, spatial_integers, split_shape, tensor_format
from fastgrad._src.keras.settings import standardize_data_format
from fastgrad._src.ops.indexing import gather
from fastgrad._src.ops.joining import concat
from fastgrad._src.ops.pooling import avg_pool, max_pool


class _AdaptivePooling(SpatialLayer):
    """The base of layers that divide each spatial dimension into ``output_size`` windows of about the same size.

    Window ``i`` of ``m`` windows over ``n`` elements goes from ``floor(i n / m)`` to ``ceil((i + 1) n / m)``.

    Args:
        output_size: the number of windows for each dimension, or one number for all.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Inputs have shape (batch, *sizes, channels), outputs (batch, *output_size, channels); with ``"channels_first"`` the channels
    come after the batch.

    Raises:
        TypeError: ``output_size`` is neither an integer nor a list or tuple.
        ValueError: ``output_size`` has another length, or a number that is not positive; ``data_format`` is unknown.
    """

    _leaf = True
    _pool: Callable[..., Tensor]
    _config_names = ("output_size", "data_format")

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(output_size, (int, tuple, list)):
            raise TypeError(f"`output_size` must be an integer or a tuple of {self.rank} integers, got {output_size=}")
        self.output_size = spatial_integers(output_size, self.rank, "output_size")
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._build_at_init()

    def call(self, inputs: Tensor) -> Tensor:
        for dimension, count in enumerate(self.output_size):
            inputs = self._pool_dimension(inputs, dimension, count)
        return inputs

    def _pool_dimension(self, x: Tensor, dimension: int, count: int) -> Tensor:
        axis = dimension + (2 if self.data_format == "channels_first" else 1)
        size = x._array.shape[axis]
        starts = [i * size // count for i in range(count)]
        widths = [-(-(i + 1) * size // count) - start for i, start in enumerate(starts)]
        format = tensor_format(self.data_format, self.rank)

        def windows(width: int, stride: int) -> Tensor:
            sizes, strides = [1] * self.rank, [1] * self.rank
            sizes[dimension], strides[dimension] = width, stride
            return type(self)._pool(x, sizes, strides, "VALID", format)

        if size % count == 0:
            return windows(size // count, size // count)
        results, first_index, length = [], {}, 0
        for width in sorted(set(widths)):  # at most two
            first_index[width] = length
            length += size - width + 1
            results.append(windows(width, 1))
        indices = [start + first_index[width] for start, width in zip(starts, widths, strict=True)]
        return gather(concat(results, axis), indices, axis=axis)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        _, channels = split_shape(input_shape, self.data_format)
        return joined_shape(input_shape[0], self.output_size, channels, self.data_format)


class _AdaptiveAveragePooling(_AdaptivePooling):
    _pool = avg_pool


class _AdaptiveMaxPooling(_AdaptivePooling):
    _pool = max_pool


class AdaptiveAveragePooling1D(_AdaptiveAveragePooling, rank=1):
    """The means of ``output_size`` windows along the steps of (batch, steps, channels)."""


class AdaptiveAveragePooling2D(_AdaptiveAveragePooling, rank=2):
    """The means of ``output_size`` windows of images, (batch, height, width, channels)."""


class AdaptiveAveragePooling3D(_AdaptiveAveragePooling, rank=3):
    """The means of ``output_size`` windows of volumes, (batch, depth, height, width, channels)."""


class AdaptiveMaxPooling1D(_AdaptiveMaxPooling, rank=1):
    """The largest elements of ``output_size`` windows along the steps of (batch, steps, channels)."""


class AdaptiveMaxPooling2D(_AdaptiveMaxPooling, rank=2):
    """The largest elements of ``output_size`` windows of images, (batch, height, width, channels)."""


class AdaptiveMaxPooling3D(_AdaptiveMaxPooling, rank=3):
    """The largest elements of ``output_size`` windows of volumes, (batch, depth, height, width, channels)."""
