"""Layers that make images and sequences larger: zeros around, and repeated or interpolated elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad.keras.layers.input_spec import InputSpec
from fastgrad.keras.layers.layer import Layer
from fastgrad.keras.layers.window_arguments import joined_shape, numbers, split_shape
from fastgrad.keras.settings import standardize_data_format
from fastgrad.ops.contraction import matmul
from fastgrad.ops.padding import pad
from fastgrad.ops.repeating import repeat
from fastgrad.ops.shaping import reshape
from fastgrad.tensor import Tensor, constant_tensor


def _pairs(padding: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """A pair (before, after) for each dimension; ValueError if ``padding`` says something else."""
    if isinstance(padding, int):
        return tuple([(padding, padding)] * rank)
    try:
        given = list(padding)
        if rank == 1 and len(given) == 2 and all(isinstance(one, int) for one in given):
            given = [given]
        if len(given) != rank:
            raise TypeError
        before, after = zip(*[(one, one) if isinstance(one, int) else tuple(one) for one in given], strict=True)
    except (TypeError, ValueError):
        raise ValueError(
            f"`padding` should be an integer or have {rank} elements, each a pair (before, after)"
            f"{' or an integer' if rank > 1 else ''}. Received: padding={padding}."
        ) from None
    checked = numbers(before, rank, "padding", least=0), numbers(after, rank, "padding", least=0)
    return tuple(zip(*checked, strict=True))


class _ZeroPadding(Layer):
    """Zeros around the spatial dimensions."""

    _leaf = True
    rank = 0
    data_format: str

    def __init__(self, padding: Any, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        pairs = _pairs(padding, self.rank)
        self.padding = pairs[0] if self.rank == 1 else pairs
        self._pads = pairs
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """``inputs`` with zeros around."""
        return pad(inputs, joined_shape((0, 0), self._pads, (0, 0), self.data_format))  # type: ignore[arg-type]

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of the output."""
        sizes, channels = split_shape(input_shape, self.data_format)
        grown = [None if size is None else size + sum(pair) for size, pair in zip(sizes, self._pads, strict=True)]
        return joined_shape(input_shape[0], grown, channels, self.data_format)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}


class ZeroPadding1D(_ZeroPadding):
    """Zeros before and after the steps of (batch, steps, channels).

    Args:
        padding: how many on both sides, or a pair.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.
    """

    rank = 1

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


class ZeroPadding2D(_ZeroPadding):
    """Zeros around images, (batch, height, width, channels).

    Args:
        padding: one number for all sides, a pair for height and width, or a pair of pairs ((top, bottom), (left, right)).
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.
    """

    rank = 2

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


class UpSampling1D(Layer):
    """Each step of (batch, steps, channels) ``size`` times.

    Args:
        size: how often.
        **kwargs: as in ``Layer``.
    """

    _leaf = True

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = int(size)
        self.input_spec = InputSpec(ndim=3)
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """``inputs`` with repeated steps."""
        return repeat(inputs, self.size, 1)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of the output."""
        steps = input_shape[1]
        return (input_shape[0], None if steps is None else self.size * steps, input_shape[2])

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "size": self.size}


class UpSampling2D(Layer):
    """Images (batch, height, width, channels) with ``size`` times as many rows and columns.

    Args:
        size: for height and width, or one number for both.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        interpolation: ``"nearest"``, or ``"bilinear"`` between the centres of the four next elements.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another interpolation.
    """

    _leaf = True

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.size = numbers(size, 2, "size")
        self.data_format = standardize_data_format(data_format)
        self.interpolation = interpolation.lower()
        if self.interpolation not in ("nearest", "bilinear"):
            raise ValueError(
                f"UpSampling2D: `interpolation` must be 'nearest' or 'bilinear'. Received: interpolation={interpolation}"
            )
        self.input_spec = InputSpec(ndim=4)
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """The larger images."""
        x, first = inputs, 2 if self.data_format == "channels_first" else 1
        for axis, times in zip((first, first + 1), self.size, strict=True):
            x = repeat(x, times, axis) if self.interpolation == "nearest" else _interpolated(x, times, axis)
        return x

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of the output."""
        sizes, channels = split_shape(input_shape, self.data_format)
        grown = [None if size is None else size * times for size, times in zip(sizes, self.size, strict=True)]
        return joined_shape(input_shape[0], grown, channels, self.data_format)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        names = ("size", "data_format", "interpolation")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _interpolated(x: Tensor, times: int, axis: int) -> Tensor:
    """``times`` as many elements along an axis, each between the two whose centres are next (tf.image.resize, bilinear)."""
    shape = x._array.shape
    size = shape[axis]
    at = np.clip((np.arange(size * times) + 0.5) / times - 0.5, 0, max(size - 1, 0))
    below = np.minimum(np.floor(at).astype(np.int64), max(size - 2, 0))
    share = at - below
    weights = np.zeros((size * times, size))
    rows = np.arange(size * times)
    weights[rows, below] = 1 - share
    weights[rows, np.minimum(below + 1, size - 1)] += share
    outer, inner = int(np.prod(shape[:axis])), int(np.prod(shape[axis + 1 :]))
    mixed = matmul(constant_tensor(weights.astype(x._array.dtype)), reshape(x, (outer, size, inner)))
    return reshape(mixed, (*shape[:axis], size * times, *shape[axis + 1 :]))
