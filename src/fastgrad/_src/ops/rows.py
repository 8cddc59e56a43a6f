"""Helpers for gradient rules of operations over the last axis: sums of rows, and columns of one number per row."""

from __future__ import annotations

from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.tensor import Tensor


def row_sum(x: Tensor, keepdims: bool = False) -> Tensor:
    """The sums over the last axis, which stays with size 1 if ``keepdims``."""
    return TABLE["reduce_sum"](x, axes=(x.ndim - 1,), keepdims=keepdims)


def as_column(x: Tensor) -> Tensor:
    """``x``, one number per row, with a new last axis of size 1, so that it broadcasts over the rows."""
    return TABLE["reshape"](x, shape=(*x._array.shape, 1))
