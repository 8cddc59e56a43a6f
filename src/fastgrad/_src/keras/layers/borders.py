"""Zero padding and cropping of images."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.layers.input_spec import InputSpec
from fastgrad._src.keras.layers.spatial_layer import SpatialLayer
from fastgrad._src.keras.layers.window_arguments import joined_shape, spatial_integers, split_shape
from fastgrad._src.keras.settings import standardize_data_format
from fastgrad._src.ops.padding import pad


def _border_pairs(value: Any, name: str) -> tuple[tuple[int, int], ...]:
    """Converts ``value`` to a pair (before, after) for each of two dimensions; ValueError for other values."""
    try:
        items = [value] * 2 if isinstance(value, int) else list(value)
        if len(items) != 2:
            raise TypeError
        before, after = zip(*[(item, item) if isinstance(item, int) else tuple(item) for item in items], strict=True)
    except (TypeError, ValueError):
        raise ValueError(
            f"`{name}` should be an integer or have 2 elements, each a pair (before, after) or an integer. "
            f"Received: {name}={value}."
        ) from None
    checked = spatial_integers(before, 2, name, min_value=0), spatial_integers(after, 2, name, min_value=0)
    return tuple(zip(*checked, strict=True))


class _Borders(SpatialLayer):
    """The base of layers that grow or shrink the spatial dimensions at both ends."""

    _leaf = True
    _argument = ""  # Keras's name of the sizes
    _sign = 1

    def __init__(self, sizes: Any, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self._sizes = _border_pairs(sizes, self._argument)
        setattr(self, self._argument, self._sizes)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._build_at_init()

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of the output; ValueError if a spatial size is not positive."""
        sizes, channels = split_shape(input_shape, self.data_format)
        output_sizes = [
            None if size is None else size + self._sign * sum(border)
            for size, border in zip(sizes, self._sizes, strict=True)
        ]
        if any(size is not None and size <= 0 for size in output_sizes):
            refuse(self, f"`{self._argument}` must be smaller than the axes of {input_shape}", got=self._sizes)
        return joined_shape(input_shape[0], output_sizes, channels, self.data_format)


class ZeroPadding2D(_Borders, rank=2):
    """Zeros around images, (batch, height, width, channels).

    Args:
        padding: one number for all sides, a pair for height and width, or a pair of pairs ((top, bottom), (left, right)).
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.
    """

    _argument = "padding"
    _config_names = ("padding", "data_format")

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)

    def call(self, inputs: Tensor) -> Tensor:
        return pad(inputs, joined_shape((0, 0), self._sizes, (0, 0), self.data_format))  # type: ignore[arg-type]


class Cropping2D(_Borders, rank=2):
    """Cuts rows and columns off images, (batch, height, width, channels).

    Args:
        cropping: one number for all sides, a pair for height and width, or a pair of pairs ((top, bottom), (left, right)).
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: ``cropping`` has another form. (At a call: nothing would remain.)
    """

    _argument = "cropping"
    _sign = -1
    _config_names = ("cropping", "data_format")

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)

    def call(self, inputs: Tensor) -> Tensor:
        shape = inputs._array.shape
        self.compute_output_shape(shape)
        sizes, _ = split_shape(shape, self.data_format)
        slices = [slice(low, (size or 0) - high) for size, (low, high) in zip(sizes, self._sizes, strict=True)]
        return inputs[joined_shape(slice(None), slices, slice(None), self.data_format)]  # type: ignore[arg-type]
