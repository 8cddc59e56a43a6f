"""Registers the ragged implementations of public functions in ``OVERRIDES``, by function name."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fastgrad.core.composite import OVERRIDES
from fastgrad.core.tensor import Tensor, constant_tensor
from fastgrad.ops import arithmetic, creation
from fastgrad.ops.arguments import as_python_int
from fastgrad.ops.one_hot import one_hot
from fastgrad.ragged import array_ops, contraction, dense, elementwise, indexing, reductions

OVERRIDES["element-wise"] = elementwise.map_elementwise
for _name in ("sum", "prod", "max", "min", "mean", "any", "all", "logsumexp"):
    OVERRIDES[f"reduce_{_name}"] = functools.partial(reductions.reduced, f"reduce_{_name}")
OVERRIDES["matmul"] = contraction.matmul
OVERRIDES["cast"] = dense.cast_values
OVERRIDES["concat"] = array_ops.concat
OVERRIDES["stack"] = array_ops.stack
OVERRIDES["expand_dims"] = array_ops.expand_dims
OVERRIDES["gather"] = indexing.gather_along
OVERRIDES["gather_nd"] = indexing.gather_nd
OVERRIDES["where"] = indexing.true_positions
for _name in ("tile", "reverse", "squeeze", "split", "dynamic_partition"):
    OVERRIDES[_name] = getattr(array_ops, _name)
for _name in ("sum", "prod", "max", "min", "mean", "sqrt_n"):
    OVERRIDES[f"unsorted_segment_{_name}"] = functools.partial(reductions.unsorted_segment, _name)
for _name in ("reduce_variance", "softmax", "bincount"):
    OVERRIDES[_name] = getattr(reductions, _name)


def _one_hot(indices: Any, depth: Any, on_value: Any, off_value: Any, axis: Any, dtype: Any) -> Any:
    axis = None if axis is None else as_python_int(axis, "one_hot: axis")
    if axis is not None and 0 <= axis <= indices.ragged_rank:
        raise ValueError(
            f"one_hot: axis {axis} must be greater than the ragged rank of indices, {indices.ragged_rank}."
        )
    if axis is not None and axis > 0:
        axis -= indices.ragged_rank
    return indices._with_flat_values(one_hot(indices.flat_values, depth, on_value, off_value, axis, dtype))


OVERRIDES["one_hot"] = _one_hot


def _size(x: Any, dtype: Any) -> Tensor:
    return constant_tensor(np.array(x.flat_values._array.size, dtype))


def _sum_of_inputs(*inputs: Any) -> Any:
    return arithmetic.add_n(list(inputs))


OVERRIDES["zeros_like"] = lambda x, dtype: x._with_flat_values(creation.zeros_like(x.flat_values, dtype))
OVERRIDES["ones_like"] = lambda x, dtype: x._with_flat_values(creation.ones_like(x.flat_values, dtype))
OVERRIDES["add_n"] = lambda inputs: elementwise.map_elementwise(_sum_of_inputs, *inputs)
OVERRIDES["size"] = _size
OVERRIDES["rank"] = lambda x: constant_tensor(np.array(x.shape.rank, np.int32))
