"""What gradient rules of operations over the last axis are made of: sums of rows, and a number for each row."""

from __future__ import annotations

from fastgrad.operation import TABLE
from fastgrad.tensor import Tensor


def row_sum(x: Tensor, keepdims: bool = False) -> Tensor:
    """The sums over the last axis, which stays with size 1 if ``keepdims``."""
    return TABLE["reduce_sum"](x, axes=(x.ndim - 1,), keepdims=keepdims)


def column(x: Tensor) -> Tensor:
    """``x`` with a last axis of size 1, so that it broadcasts over the rows it has a number for."""
    return TABLE["reshape"](x, shape=(*x._array.shape, 1))
