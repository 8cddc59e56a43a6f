"""Combines the masks of an attention layer's inputs and its arguments into one mask of queries and keys."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad.core.tensor import Tensor, constant_tensor
from fastgrad.ops.casting import cast
from fastgrad.ops.comparison import logical_and
from fastgrad.ops.shaping import expand_dims


def combined_mask(
    query_mask: Any, value_mask: Any, key_mask: Any, attention_mask: Any, window: int | None, lengths: tuple[int, int]
) -> Tensor | None:
    """The mask of visible keys by query, which broadcasts with (batch, queries, keys); None if all keys are visible.

    Args:
        query_mask, value_mask, key_mask: masks of steps, (batch, length), or None.
        attention_mask: the user's mask, or None.
        window: the bound of the distance to a key: fewer steps than this number; None for no bound.
        lengths: the numbers of queries and keys.
    """
    visible = None if attention_mask is None else cast(attention_mask, "bool")
    for mask, axis in ((query_mask, -1), (value_mask, -2), (key_mask, -2)):
        if mask is not None:
            visible = _and_masks(visible, expand_dims(cast(mask, "bool"), axis))
    if window is not None:
        in_window = np.abs(np.subtract.outer(np.arange(lengths[0]), np.arange(lengths[1]))) < window
        visible = _and_masks(visible, constant_tensor(in_window))
    return visible


def _and_masks(one: Tensor | None, other: Tensor) -> Tensor:
    return other if one is None else logical_and(one, other)
