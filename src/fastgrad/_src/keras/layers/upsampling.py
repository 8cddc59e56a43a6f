"""Upsampling of images, by repeated or interpolated elements."""

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


class UpSampling2D(SpatialLayer, rank=2):
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

    _leaf = True
    _config_names = ("size", "data_format", "interpolation")

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.size = spatial_integers(size, 2, "size")
        self.data_format = standardize_data_format(data_format)
        self.interpolation = interpolation.lower()
        if self.interpolation not in _INTERPOLATIONS:
            raise ValueError(f"`interpolation` must be one of {_INTERPOLATIONS}. Received: {interpolation=}")
        self.input_spec = InputSpec(ndim=4)
        self._build_at_init()

    def call(self, inputs: Tensor) -> Tensor:
        """Enlarges ``inputs``; interpolated integers are rounded once."""
        first_axis = 2 if self.data_format == "channels_first" else 1
        x = inputs if self.interpolation in _REPETITIONS else ops.cast_narrow_to_float32(inputs)
        for axis, times in enumerate(self.size, first_axis):
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
        output_sizes = [None if size is None else size * times for size, times in zip(sizes, self.size, strict=True)]
        return joined_shape(input_shape[0], output_sizes, channels, self.data_format)
