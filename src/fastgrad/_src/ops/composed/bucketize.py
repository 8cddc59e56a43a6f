"""Positions of numbers among boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import convert_to_tensor, is_tensor
from fastgrad._src.ops import shape_query
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.shaping import reshape
from fastgrad._src.ops.sorting import searchsorted


def bucketize(input: Any, boundaries: Sequence[float]) -> Any:
    """The number of ``boundaries`` that are at most each element of ``input``, int32."""
    if not is_tensor(boundaries) and np.any(np.diff(boundaries) < 0):
        raise InvalidArgumentError(
            None, None, f"Bucketize: boundaries must be in ascending order, got {list(boundaries)}. Sort them."
        )
    input = convert_to_tensor(input)
    precise = input if input.dtype.is_floating and input.dtype.size > 4 else cast(input, dtypes.float32)
    places = searchsorted(cast(boundaries, precise.dtype), reshape(precise, [-1]), side="right")
    return reshape(places, shape_query.shape(input))
