"""Layers that act on each vector of the last axis, applied to ragged tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.tensor import Tensor


def map_vectors(function: Callable[[Tensor], Tensor], x: Any, axes: tuple[int, ...]) -> Any:
    """Applies a function of vectors to the flat values of a ragged tensor.

    Args:
        function: a function of a tensor of shape (vectors, size), that keeps the shape.
        x: a ragged tensor whose last dimension is uniform.
        axes: the axes that ``function`` reduces, as the user gave them.

    Raises:
        CompositeOperand: ``x`` is sparse, its last dimension is ragged, or ``axes`` are not ``(-1,)``, which is the last of both.
    """
    if x.is_rectangular or len(x.flat_values.shape) != 2 or axes != (-1,):
        raise CompositeOperand(x)
    return x.with_flat_values(function(x.flat_values))
