"""The arguments of layers whose windows slide, checked, and the shapes that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastgrad.ops.windows import FORMATS

Shape = tuple[int | None, ...]


def numbers(value: Any, rank: int, name: str, least: int = 1) -> tuple[int, ...]:
    """One whole number for each spatial dimension.

    Args:
        value: one number, or as many as ``rank``.
        rank: how many spatial dimensions there are.
        name: of the argument, for the error.
        least: the smallest number that is allowed.

    Raises:
        ValueError: it is something else.
    """
    found = (value,) * rank if isinstance(value, int) else value
    try:
        found = tuple(found)
        fits = len(found) == rank and all(int(one) == one and one >= least for one in found)
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(
            f"The `{name}` argument must be a tuple of {rank} integers that are at least {least}. Received {name}={value}"
        )
    return tuple([int(one) for one in found])


def padding_name(value: Any, causal: bool = False) -> str:
    """``"valid"``, ``"same"`` or, where that is allowed, ``"causal"``; ValueError for anything else."""
    allowed = {"valid", "same", "causal"} if causal else {"valid", "same"}
    name = value.lower() if isinstance(value, str) else value
    if name not in allowed:
        raise ValueError(f"The `padding` argument must be one of {allowed}. Received: {value}")
    return str(name)


def tensor_format(data_format: str, rank: int) -> str:
    """TensorFlow's name of a data format, ``"NHWC"`` and its kin."""
    return FORMATS[rank][data_format == "channels_first"]


def split_shape(shape: Sequence[int | None], data_format: str) -> tuple[Shape, int | None]:
    """The spatial sizes of a shape, and its channels."""
    return (tuple(shape[2:]), shape[1]) if data_format == "channels_first" else (tuple(shape[1:-1]), shape[-1])


def joined_shape(batch: int | None, sizes: Sequence[int | None], channels: int | None, data_format: str) -> Shape:
    """A whole shape."""
    return (batch, channels, *sizes) if data_format == "channels_first" else (batch, *sizes, channels)


def window_counts(
    sizes: Shape, cells: Sequence[int], strides: Sequence[int], padding: str, dilations: Sequence[int], owner: str
) -> Shape:
    """How many windows there are along each dimension, None where its size is None.

    Raises:
        ValueError: a window is larger than the input.
    """
    found: list[int | None] = []
    for size, width, stride, rate in zip(sizes, cells, strides, dilations, strict=True):
        span = (width - 1) * rate + 1 if padding == "valid" else 1
        found.append(None if size is None else (size - span) // stride + 1)
    if any(count is not None and count <= 0 for count in found):
        raise ValueError(
            f"{owner}: computed output size would be zero or negative: windows of {tuple(cells)} with dilation "
            f"{tuple(dilations)} are larger than the spatial sizes {sizes} of the input."
        )
    return tuple(found)
