"""Operations on sets, which are the values along the last dimension of a tensor."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.lowering import ResultSize
from fastgrad._src.core.operation import Form, Operation, operation
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.sparse.elementwise import positions_of
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor, check_positions, linear_positions

_DTYPES = frozenset([dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64, dtypes.uint8, dtypes.uint16, dtypes.string])
_COMBINATIONS: dict[str, Callable[..., np.ndarray]] = {
    "intersection": np.intersect1d,
    "union": np.union1d,
    "difference": np.setdiff1d,
}


def _run_combination(
    a_rows: np.ndarray, a: np.ndarray, b_rows: np.ndarray, b: np.ndarray, combination: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    distinct, ranks = np.unique(np.concatenate([a, b]), return_inverse=True)
    count = max(len(distinct), 1)
    keys = np.concatenate([a_rows, b_rows]) * count + ranks.reshape(-1)
    keys = np.unique(_COMBINATIONS[combination](keys[: len(a)], keys[len(a) :]))
    rows = keys // count
    places = np.arange(len(keys), dtype=np.int64) - np.searchsorted(rows, rows)
    return rows, places, distinct[keys % count].astype(a.dtype, copy=False)


_combine: Operation = operation(
    "combine_sets",  # the row, the place in it and the value of each element of the combined sets
    Form.EXTERN,
    run=_run_combination,
    in_python="NumPy computes it",
    result=lambda a_rows, a, b_rows, b, combination: (
        ArraySpec((None,), np.dtype(np.int64)),
        ArraySpec((None,), np.dtype(np.int64)),
        ArraySpec((None,), a.dtype),
    ),
    result_size=ResultSize(
        count=lambda a_rows, a, b_rows, b, combination: len(_run_combination(a_rows, a, b_rows, b, combination)[0])
    ),
)


def _as_sets(value: Any, name: str, validate_indices: bool) -> tuple[tuple[int, ...], Tensor, Tensor]:
    """Returns the shape without the last dimension, the number of each value's set, and the values."""
    if isinstance(value, SparseTensor):
        check_positions(name, value, in_order=validate_indices)
        outer = value._shape[:-1]
        return outer, linear_positions(value.indices[:, :-1], outer), value.values
    x = convert_to_tensor(value)
    shape = x._array.shape
    if not shape:
        raise InvalidArgumentError(f"{name}: sets are along the last dimension, got a scalar.")
    rows = np.repeat(np.arange(math.prod(shape[:-1]), dtype=np.int64), shape[-1])
    return shape[:-1], constant_tensor(rows), ops.reshape(x, [-1])


def _check_dtypes(name: str, *values: Any) -> None:
    value_dtypes = [x.dtype for x in values]
    if value_dtypes[0] not in _DTYPES:
        raise TypeError(f"{name}: 'a' has invalid dtype {value_dtypes[0].name}; use integers or strings.")
    if len(set(value_dtypes)) > 1:
        raise TypeError(f"{name}: Types don't match, {value_dtypes[0].name} vs {value_dtypes[1].name}.")


def _combine_sets(name: str, combination: str, a: Any, b: Any, validate_indices: bool) -> SparseTensor:
    a, b = (x if isinstance(x, SparseTensor) else convert_to_tensor(x) for x in (a, b))
    _check_dtypes(name, a, b)
    if len(a.shape) != len(b.shape) or len(a.shape) < 2:
        raise InvalidArgumentError(f"{name}: both inputs need one rank, at least 2: {list(a.shape)}, {list(b.shape)}.")
    (a_outer, a_rows, a_values), (b_outer, b_rows, b_values) = (_as_sets(x, name, validate_indices) for x in (a, b))
    if tuple(a_outer) != tuple(b_outer):
        refuse(name, "Mismatched group shapes, all but the last", InvalidArgumentError, shapes=[[*a_outer], [*b_outer]])
    rows, places, values = _combine(a_rows, a_values, b_rows, b_values, combination=combination)
    size = int(ops.reduce_max(places)) + 1 if len(places) else 0
    return SparseTensor._of(ops.concat([positions_of(rows, a_outer), places[:, None]], 1), values, (*a_outer, size))


def intersection(a: Any, b: Any, validate_indices: bool = True) -> SparseTensor:
    """The values that are in both sets, for each pair of sets along the last dimension.

    Args:
        a, b: tensors or sparse tensors of one dtype, integers or strings, and of one shape but for the last dimension.
        validate_indices: whether positions of sparse tensors must be in row-major order.

    Returns:
        A ``SparseTensor`` of sets, each in ascending order.

    Raises:
        TypeError: dtypes differ or are floats.
        InvalidArgumentError: shapes do not fit, or positions are out of order.
    """
    return _combine_sets("intersection", "intersection", a, b, validate_indices)


def union(a: Any, b: Any, validate_indices: bool = True) -> SparseTensor:
    """The values that are in at least one of the sets; see ``intersection``."""
    return _combine_sets("union", "union", a, b, validate_indices)


def difference(a: Any, b: Any, aminusb: bool = True, validate_indices: bool = True) -> SparseTensor:
    """The values of ``a`` that are not in ``b``, or with ``aminusb=False`` those of ``b``; see ``intersection``."""
    return _combine_sets("difference", "difference", *((a, b) if aminusb else (b, a)), validate_indices)


def size(a: Any, validate_indices: bool = True) -> Tensor:
    """The number of distinct values along the last dimension.

    Args:
        a: a ``SparseTensor`` of integers or strings.
        validate_indices: whether positions must be in row-major order.

    Returns:
        int32, the shape of ``a`` without the last dimension.

    Raises:
        TypeError: ``a`` is not sparse or holds floats.
        ValueError: ``a`` does not convert to a tensor.
        InvalidArgumentError: positions are out of order.
    """
    if not isinstance(a, SparseTensor):
        convert_to_tensor(a)
        raise TypeError(f"size: Expected `SparseTensor`, got {type(a).__name__}.")
    _check_dtypes("size", a)
    outer, rows, values = _as_sets(a, "size", validate_indices)
    distinct_rows = _combine(rows, values, rows, values, combination="union")[0]
    ones = constant_tensor(np.ones(len(distinct_rows), np.int32))
    return ops.reshape(ops.unsorted_segment_sum(ones, distinct_rows, math.prod(outer)), outer)
