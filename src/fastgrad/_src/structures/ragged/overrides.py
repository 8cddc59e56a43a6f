"""The ragged implementations of short public functions; importing the other modules registers theirs."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core.composite import OVERRIDES, overrides
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged import (  # noqa: F401  # modules register their overrides
    array_ops,
    contraction,
    dense,
    dynamic_ragged_shape,
    elementwise,
    indexing,
    reductions,
)
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor

OVERRIDES[RaggedTensor]["element-wise"] = elementwise.map_elementwise


@overrides(RaggedTensor, ops.one_hot)
def _one_hot(indices: Any, depth: Any, on_value: Any, off_value: Any, axis: Any, dtype: Any) -> Any:
    axis = None if axis is None else ops.as_python_int(axis, "one_hot: axis")
    if axis is not None and 0 <= axis <= indices.ragged_rank:
        raise ValueError(f"one_hot: axis {axis} must be greater than the ragged rank, {indices.ragged_rank}.")
    if axis is not None and axis > 0:
        axis -= indices.ragged_rank
    return indices._with_flat_values(ops.one_hot(indices.flat_values, depth, on_value, off_value, axis, dtype))


@overrides(RaggedTensor, ops.size)
def _size(x: Any, dtype: Any) -> Tensor:
    return constant_tensor(np.array(x.flat_values._array.size, dtype))


def _add_n_of_arguments(*inputs: Any) -> Any:
    return ops.add_n(list(inputs))


@overrides(RaggedTensor, ops.add_n)
def _add_n(inputs: Any) -> Any:
    return elementwise.map_elementwise(_add_n_of_arguments, *inputs)


overrides(RaggedTensor, ops.zeros_like)(lambda x, dtype: x._with_flat_values(ops.zeros_like(x.flat_values, dtype)))
overrides(RaggedTensor, ops.ones_like)(lambda x, dtype: x._with_flat_values(ops.ones_like(x.flat_values, dtype)))
overrides(RaggedTensor, ops.rank)(lambda x: constant_tensor(np.array(x.shape.rank, np.int32)))
