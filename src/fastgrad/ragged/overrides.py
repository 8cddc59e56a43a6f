"""What public functions mean for ragged tensors, by their names."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fastgrad.composite import OVERRIDES
from fastgrad.ops import arithmetic, creation
from fastgrad.ragged import arranging, dense, elementwise, indexing, reductions
from fastgrad.tensor import Tensor, constant_tensor

OVERRIDES["element-wise"] = elementwise.mapped
for _name in ("sum", "prod", "max", "min", "mean", "any", "all"):
    OVERRIDES[f"reduce_{_name}"] = functools.partial(reductions.reduced, f"reduce_{_name}")
OVERRIDES["cast"] = dense.cast_values
OVERRIDES["concat"] = arranging.concat
OVERRIDES["stack"] = arranging.stack
OVERRIDES["expand_dims"] = arranging.expand_dims


def _gather(params: Any, indices: Any, axis: Any, batch_dims: Any) -> Any:
    if batch_dims or (axis is not None and int(axis)):
        raise ValueError("gather: of ragged tensors rows are taken: axis and batch_dims must be 0.")
    return indexing.gathered(params, indices)


OVERRIDES["gather"] = _gather


def _like(name: str, x: Any, dtype: Any) -> Any:
    return x._with_flat(getattr(creation, name)(x.flat_values, dtype))


OVERRIDES["zeros_like"] = functools.partial(_like, "zeros_like")
OVERRIDES["ones_like"] = functools.partial(_like, "ones_like")


def _size(x: Any, dtype: Any) -> Tensor:
    return constant_tensor(np.array(x.flat_values._array.size, dtype))


def _rank(x: Any) -> Tensor:
    return constant_tensor(np.array(x.shape.rank, np.int32))


def _add_n(inputs: Any) -> Any:
    return elementwise.mapped(_sum_of, *inputs)


def _sum_of(*inputs: Any) -> Any:
    return arithmetic.add_n(list(inputs))


OVERRIDES["add_n"] = _add_n
OVERRIDES["size"] = _size
OVERRIDES["rank"] = _rank
