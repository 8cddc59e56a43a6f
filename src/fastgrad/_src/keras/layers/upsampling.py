"""Upsampling of sequences, images and volumes, by repeated or interpolated elements."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.tensor import Tensor
from fastgrad._src.image.resampling import resized_axis
from fastgrad._src.keras.layers.input_spec import InputSpec
from fastgrad._src.keras.layers.spatial_layer import SpatialLayer
from fastgrad._src.keras.layers.window_arguments import joined_shape, spatial_integers, split_shape
from fastgrad._src.keras.settings import standardize_data_format
from fastgrad._src.ops import namespace as ops

_INTERPOLATIONS = ("area", "bicubic", "bilinear", "lanczos3", "lanczos5", "nearest")

_REPETITIONS = ("area", "nearest")  # the mean over the area of an element of a whole multiple in size is one element


class _UpSampling(SpatialLayer):
    """The base of upsampling layers, which repeats elements along the spatial dimensions."""

    _leaf = True
    data_format = "channels_last"
    interpolation = "nearest"
    size: Any
    _config_names: tuple[str, ...] = ("size",)

    def __init__(self, size: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._times = spatial_integers(size, self.rank, "size")
        self.size = self._times[0] if self.rank == 1 else self._times
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._build_at_init()

    def call(self, inputs: Tensor) -> Tensor:
        """Enlarges ``inputs``; interpolated integers are rounded once."""
        first_axis = 2 if self.data_format == "channels_first" else 1
        x = inputs if self.interpolation in _REPETITIONS else ops.cast_narrow_to_float32(inputs)
        for axis, times in enumerate(self._times, first_axis):
            x = self._enlarge_axis(x, times, axis)
        if x.dtype is inputs.dtype:
            return x
        return ops.cast(x, inputs.dtype) if inputs.dtype.is_floating else ops.saturate_cast(ops.round(x), inputs.dtype)

    def _enlarge_axis(self, x: Tensor, times: int, axis: int) -> Tensor:
        if self.interpolation in _REPETITIONS:
            return ops.repeat(x, times, axis)
        return resized_axis(x, x._array.shape[axis] * times, axis, self.interpolation)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        sizes, channels = split_shape(input_shape, self.data_format)
        output_sizes = [None if size is None else size * times for size, times in zip(sizes, self._times, strict=True)]
        return joined_shape(input_shape[0], output_sizes, channels, self.data_format)


class UpSampling1D(_UpSampling, rank=1):
    """Repeats each step of (batch, steps, channels) ``size`` times.

    Args:
        size: the number of repetitions.
        **kwargs: as in ``Layer``.

    Raises:
        TypeError: ``size`` is not an integer.
        ValueError: ``size`` is not positive.
    """

    def __init__(self, size: Any = 2, **kwargs: Any) -> None:
        if not isinstance(size, int) or isinstance(size, bool):
            raise TypeError(f"Expected an integer value for `size`, got {size!r} of type {type(size).__name__}.")
        super().__init__(size, **kwargs)


class UpSampling2D(_UpSampling, rank=2):
    """Enlarges images (batch, height, width, channels) to ``size`` times as many rows and columns.

    Args:
        size: the factors for height and width, or one factor for both.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        interpolation: ``"nearest"`` or ``"area"``, which repeat elements, or ``"bilinear"``, ``"bicubic"``, ``"lanczos3"`` or ``"lanczos5"`` between the centres of
            neighbouring elements.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: ``interpolation`` is unknown.
    """

    _config_names = ("data_format", "interpolation")

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(size, **kwargs)
        self.data_format = standardize_data_format(data_format)
        self.interpolation = interpolation.lower()
        if self.interpolation not in _INTERPOLATIONS:
            raise ValueError(f"`interpolation` must be one of {_INTERPOLATIONS}. Received: {interpolation=}")


class UpSampling3D(_UpSampling, rank=3):
    """Enlarges volumes (batch, depth, height, width, channels) ``size`` times along each dimension.

    Args:
        size: the factors for the three dimensions, or one factor for all.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.
    """

    _config_names = ("data_format",)

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(size, **kwargs)
        self.data_format = standardize_data_format(data_format)
