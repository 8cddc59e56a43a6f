"""Nested shapes: ``(None, 3)``, ``[(2, 3), (2,)]``, ``{"a": (2,)}``; a tuple or list of sizes is a leaf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import deferral, nest
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import constant_tensor


def is_shape(value: Any) -> bool:
    """True if ``value`` is one shape: a TensorShape, or a list or tuple of sizes, with None for unknown sizes."""
    return (isinstance(value, TensorShape) and value.rank is not None) or (
        isinstance(value, (list, tuple)) and all(size is None or isinstance(size, (int, np.integer)) for size in value)
    )


def map_shapes(function: Callable[..., Any], *structures: Any) -> Any:
    """Applies ``function`` to the corresponding shapes of ``structures``, which have the same nesting."""
    first = structures[0]
    if is_shape(first):
        return function(*[tuple(shape) for shape in structures])
    if isinstance(first, dict):
        return {key: map_shapes(function, *[structure[key] for structure in structures]) for key in first}
    mapped = [map_shapes(function, *items) for items in zip(*structures, strict=True)]
    return tuple(mapped) if isinstance(first, tuple) else mapped


def shapes_of(value: Any) -> Any:
    """The shapes of nested tensors, each a plain tuple of ints."""
    if isinstance(value, dict):
        return {key: shapes_of(item) for key, item in value.items()}
    if nest.is_nested(value):
        return [shapes_of(item) for item in value]
    return tuple(value.shape if isinstance(value, Composite) else value._array.shape)


def zeros_of(shapes: Any, dtype: np.dtype, unknown_size: int) -> Any:
    """Tensors of zeros of nested ``shapes``; ``unknown_size`` replaces sizes of None."""
    return map_shapes(
        lambda shape: constant_tensor(deferral.zeros(tuple([unknown_size if n is None else n for n in shape]), dtype)),
        shapes,
    )


def has_unknown_size(shapes: Any) -> bool:
    """True if a size in nested ``shapes`` is None."""
    unknown_flags: list[bool] = []
    map_shapes(lambda shape: unknown_flags.append(None in shape), shapes)
    return any(unknown_flags)


def shapes_with_common_sizes(first: Any, second: Any) -> Any:
    """The shapes ``first``, with None for each size that differs in ``second``."""
    return map_shapes(lambda a, b: tuple(x if x == y else None for x, y in zip(a, b, strict=True)), first, second)
