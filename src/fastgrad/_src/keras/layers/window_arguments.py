"""Argument checks and output shapes of layers with sliding windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastgrad._src.ops.windows import DATA_FORMATS_BY_RANK

Shape = tuple[int | None, ...]


def spatial_integers(value: Any, rank: int, name: str, min_value: int = 1) -> tuple[int, ...]:
    """Returns one integer for each spatial dimension.

    Args:
        value: one number, or ``rank`` numbers.
        rank: the number of spatial dimensions.
        name: the argument's name, for the error.
        min_value: the smallest allowed number.

    Raises:
        ValueError: ``value`` has another form.
    """
    items = (value,) * rank if isinstance(value, int) else value
    try:
        items = tuple(items)
        fits = len(items) == rank and all(int(number) == number and number >= min_value for number in items)
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(f"`{name}` must be a tuple of {rank} integers >= {min_value}. Received: {name}={value}")
    return tuple([int(number) for number in items])


def padding_name(value: Any, causal: bool = False) -> str:
    """Returns ``"valid"``, ``"same"`` or, if ``causal``, ``"causal"``; ValueError for other values."""
    allowed = {"valid", "same", "causal"} if causal else {"valid", "same"}
    name = value.lower() if isinstance(value, str) else value
    if name not in allowed:
        raise ValueError(f"The `padding` argument must be one of {allowed}. Received: {value}")
    return str(name)


def tensor_format(data_format: str, rank: int) -> str:
    """TensorFlow's name of a data format, such as ``"NHWC"``."""
    return DATA_FORMATS_BY_RANK[rank][data_format == "channels_first"]


def split_shape(shape: Sequence[int | None], data_format: str) -> tuple[Shape, int | None]:
    """Splits a shape into its spatial sizes and its number of channels."""
    return (tuple(shape[2:]), shape[1]) if data_format == "channels_first" else (tuple(shape[1:-1]), shape[-1])


def joined_shape(batch: int | None, sizes: Sequence[int | None], channels: int | None, data_format: str) -> Shape:
    """Joins batch, spatial sizes and channels into a shape."""
    return (batch, channels, *sizes) if data_format == "channels_first" else (batch, *sizes, channels)


def window_counts(
    sizes: Shape,
    window_sizes: Sequence[int],
    strides: Sequence[int],
    padding: str,
    dilations: Sequence[int],
    owner: str,
) -> Shape:
    """The number of windows along each dimension; None for a dimension of unknown size.

    Raises:
        ValueError: a window is larger than the input.
    """
    counts: list[int | None] = []
    for size, width, stride, rate in zip(sizes, window_sizes, strides, dilations, strict=True):
        span = (width - 1) * rate + 1 if padding == "valid" else 1
        counts.append(None if size is None else (size - span) // stride + 1)
    if any(count is not None and count <= 0 for count in counts):
        raise ValueError(f"{owner}: windows are larger than inputs: {window_sizes=}, {dilations=}, {sizes=}.")
    return tuple(counts)
