"""Pooling: the largest element or the mean of windows, or of all positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.layers.input_spec import InputSpec
from fastgrad._src.keras.layers.spatial_layer import SpatialLayer
from fastgrad._src.keras.layers.window_arguments import (
    joined_shape,
    padding_name,
    spatial_integers,
    split_shape,
    tensor_format,
    window_counts,
)
from fastgrad._src.keras.settings import floatx, standardize_data_format
from fastgrad._src.ops import namespace as ops


class _Pooling(SpatialLayer):
    """The base of layers that pool windows of each channel; ``MaxPooling2D`` describes the arguments."""

    _leaf = True
    _pool: Callable[..., Tensor]
    _config_names = ("pool_size", "padding", "strides", "data_format")

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.pool_size = spatial_integers(pool_size, self.rank, "pool_size")
        self.strides = self.pool_size if strides is None else spatial_integers(strides, self.rank, "strides")
        self.padding = padding_name(padding)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._build_at_init()

    def call(self, inputs: Tensor) -> Tensor:
        format = tensor_format(self.data_format, self.rank)
        pooled = type(self)._pool(inputs, self.pool_size, self.strides, self.padding.upper(), format)
        if not pooled._array.size:
            self.compute_output_shape(inputs._array.shape)  # raises ValueError if windows are larger than the input
        return pooled

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of the output; ValueError if windows are larger than the input."""
        sizes, channels = split_shape(input_shape, self.data_format)
        no_dilation = (1,) * self.rank
        counts = window_counts(sizes, self.pool_size, self.strides, self.padding, no_dilation, self.name)
        return joined_shape(input_shape[0], counts, channels, self.data_format)


class _MaxPooling(_Pooling):
    """The largest element of windows; the default window has size 2 along each dimension."""

    _pool = ops.max_pool

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class MaxPooling1D(_MaxPooling, rank=1):
    """The largest element of windows along one dimension, (batch, steps, channels); arguments as in ``MaxPooling2D``."""


class MaxPooling2D(_MaxPooling, rank=2):
    """The largest element of each window of images, for each channel.

    Args:
        pool_size: the height and width of the window, or one size for both; default 2.
        strides: the distance from one window to the next; default ``pool_size``.
        padding: ``"valid"`` or ``"same"``.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        name, **kwargs: as in ``Layer``.

    Inputs and outputs have shape (batch, height, width, channels), with ``"channels_first"`` (batch, channels, height, width).

    Raises:
        ValueError: an argument has another value.

    Example:
        >>> tf.keras.layers.MaxPooling2D(2)(tf.zeros((1, 8, 8, 3))).shape
        TensorShape([1, 4, 4, 3])
    """


class MaxPooling3D(_MaxPooling, rank=3):
    """The largest element of windows of volumes, (batch, depth, height, width, channels); arguments as in ``MaxPooling2D``."""


class _AveragePooling(_Pooling):
    """The mean of windows; padding does not count."""

    _pool = ops.avg_pool


class AveragePooling1D(_AveragePooling, rank=1):
    """The mean of windows along one dimension, (batch, steps, channels); padding does not count; arguments as in ``AveragePooling2D``."""


class AveragePooling2D(_AveragePooling, rank=2):
    """The mean of windows of images, (batch, height, width, channels); padding does not count.

    Arguments as in ``MaxPooling2D``; ``pool_size`` has no default.
    """


class AveragePooling3D(_AveragePooling, rank=3):
    """The mean of windows of volumes, (batch, depth, height, width, channels); padding does not count; arguments as in ``AveragePooling2D``."""


class _GlobalPooling(SpatialLayer):
    """The base of layers that pool all positions of each channel; ``GlobalAveragePooling2D`` describes the arguments."""

    _leaf = True
    _reduce: Callable[..., Tensor]
    _config_names = ("data_format", "keepdims")

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._build_at_init()

    def _spatial_axes(self) -> list[int]:
        first_axis = 2 if self.data_format == "channels_first" else 1
        return list(range(first_axis, first_axis + self.rank))

    def call(self, inputs: Tensor) -> Tensor:
        return type(self)._reduce(inputs, self._spatial_axes(), self.keepdims)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        _, channels = split_shape(input_shape, self.data_format)
        if not self.keepdims:
            return (input_shape[0], channels)
        return joined_shape(input_shape[0], (1,) * self.rank, channels, self.data_format)


def _as_floats(x: Tensor) -> Tensor:
    return x if x.dtype.is_floating else ops.cast(x, floatx())


class _GlobalAveragePooling(_GlobalPooling):
    """The mean of all positions; a float also for integer inputs."""

    _reduce = ops.reduce_mean

    def call(self, inputs: Tensor) -> Tensor:
        return super().call(_as_floats(inputs))


class _GlobalMaxPooling(_GlobalPooling):
    """The largest element of all positions."""

    _reduce = ops.reduce_max


class GlobalAveragePooling1D(_GlobalAveragePooling, rank=1):
    """The mean of all steps of (batch, steps, channels); with a mask, of the steps where it is True; arguments as in ``GlobalAveragePooling2D``.

    Example:
        >>> tf.keras.layers.GlobalAveragePooling1D()(tf.ones((2, 5, 3))).shape
        TensorShape([2, 3])
    """

    def call(self, inputs: Tensor, mask: Any = None) -> Tensor:
        if mask is None:
            return super().call(inputs)
        inputs = _as_floats(inputs)
        (axis,) = self._spatial_axes()
        shape = (-1, 1, inputs._array.shape[2]) if axis == 2 else (-1, inputs._array.shape[1], 1)
        visible = ops.reshape(ops.cast(mask, "bool"), shape)
        total = ops.reduce_sum(ops.where(visible, inputs, ops.zeros_like(inputs)), axis, self.keepdims)
        return total / ops.reduce_sum(ops.cast(visible, inputs.dtype), axis, self.keepdims)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Returns None: the output has no steps."""
        return None


class GlobalAveragePooling2D(_GlobalAveragePooling, rank=2):
    """The mean of all positions of images, for each channel; a float also for integer inputs.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        keepdims: whether the spatial dimensions stay, with size 1.
        **kwargs: as in ``Layer``.

    Inputs have shape (batch, height, width, channels), with ``"channels_first"`` (batch, channels, height, width); outputs (batch, channels).

    Example:
        >>> tf.keras.layers.GlobalAveragePooling2D()(tf.ones((2, 8, 8, 3))).shape
        TensorShape([2, 3])
    """


class GlobalAveragePooling3D(_GlobalAveragePooling, rank=3):
    """The mean of all positions of volumes, for each channel; arguments as in ``GlobalAveragePooling2D``."""


class GlobalMaxPooling1D(_GlobalMaxPooling, rank=1):
    """The largest element of all steps, for each channel; arguments as in ``GlobalAveragePooling2D``."""


class GlobalMaxPooling2D(_GlobalMaxPooling, rank=2):
    """The largest element of all positions of images, for each channel; arguments as in ``GlobalAveragePooling2D``."""


class GlobalMaxPooling3D(_GlobalMaxPooling, rank=3):
    """The largest element of all positions of volumes, for each channel; arguments as in ``GlobalAveragePooling2D``."""
