"""One-hot vectors and sequence masks: one_hot, sequence_mask."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import TABLE, Form
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import (
    Tensor,
    as_tensor_or_none,
    constant_tensor,
    convert_like,
    convert_to_tensor,
    from_python,
)
from fastgrad._src.ops.arguments import as_python_int, check_dtype, numbers_below, tensor_of
from fastgrad._src.ops.batching import BatchArg, NotBatched, axis_after_rows, call_operation
from fastgrad._src.ops.kernel_launches import kernel_operation, launches_from

_ONE_HOT_DTYPES = frozenset(d.numpy for d in (dtypes.uint8, dtypes.int8, dtypes.int32, dtypes.int64))


def _one_hot_result(ids: Any, on: Any, off: Any, depth: int, axis: int) -> ArraySpec:
    at = axis if axis >= 0 else len(ids.shape) + 1 + axis
    return ArraySpec((*ids.shape[:at], depth, *ids.shape[at:]), on.dtype)


def _batched_one_hot(name: str, rows: int, /, ids: BatchArg, on: BatchArg, off: BatchArg, depth: int, axis: int) -> Any:
    if on.has_rows or off.has_rows:
        raise NotBatched
    return call_operation(name, ids.tensor, on.tensor, off.tensor, depth=depth, axis=axis_after_rows(axis))


_one_hot_operation = kernel_operation(
    "one_hot",
    Form.EXTERN,
    moves_elements=True,
    launches=launches_from("movement.gathering", "one_hot_launches"),
    batched=_batched_one_hot,
    result=_one_hot_result,
)


def one_hot(
    indices: Any,
    depth: Any,
    on_value: Any = None,
    off_value: Any = None,
    axis: Any = None,
    dtype: Any = None,
    name: str | None = None,
) -> Any:
    """``on_value`` at each index along a new axis, ``off_value`` elsewhere.

    Args:
        indices: uint8, int8, int32 or int64; an index outside ``[0, depth)`` gives only ``off_value``.
        depth: the size of the new axis.
        on_value, off_value: scalars, default 1 and 0.
        axis: the position of the new axis, default last.
        dtype: the dtype of the result; default that of ``on_value`` and ``off_value``, or float32 without them.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: ``on_value``, ``off_value`` and ``dtype`` do not agree.
        InvalidArgumentError: ``indices`` have another dtype, ``depth`` is negative, ``axis`` is out of range, or a value is
            no scalar.

    Example:
        >>> tf.one_hot([0, 2], depth=3)
        <tf.Tensor: shape=(2, 3), dtype=float32, numpy=
        array([[1., 0., 0.],
               [0., 0., 1.]], dtype=float32)>
    """
    try:
        ids = tensor_of(indices)
    except CompositeOperand as met:
        return met.call("one_hot", indices, depth, on_value, off_value, axis, dtype)
    if ids._array.dtype.kind == "b":
        ids = TABLE["cast"](ids, dtype="uint8")
    check_dtype("one_hot (indices)", ids._array.dtype, _ONE_HOT_DTYPES)
    size = as_python_int(depth, "one_hot: depth")
    if size < 0:
        raise InvalidArgumentError(f"one_hot: depth must be non-negative, got: {size}.")
    rank = ids._array.ndim
    position = -1 if axis is None else as_python_int(axis, "one_hot: axis")
    if not -1 <= position <= rank:
        raise InvalidArgumentError(f"one_hot: Expected axis to be -1 or between [0, {rank + 1}), got {position}.")
    on, off = _on_and_off_values(on_value, off_value, None if dtype is None else dtypes.as_dtype(dtype))
    return _one_hot_operation(ids, on, off, depth=size, axis=rank if position == -1 else position)


def _on_and_off_values(on_value: Any, off_value: Any, dtype: DType | None) -> tuple[Tensor, Tensor]:
    scalars = []
    for argument, value in (("on_value", on_value), ("off_value", off_value)):
        if value is None:
            continue
        x = as_tensor_or_none(value)
        x = from_python(value, dtype) if x is None else x
        if x._array.ndim:
            raise InvalidArgumentError(f"one_hot: {argument} must be a scalar, but got shape {list(x._array.shape)}.")
        if dtype is not None and x.dtype is not dtype:
            raise TypeError(f"one_hot: dtype {x.dtype!r} of {argument} does not match dtype parameter {dtype!r}.")
        scalars.append(x)
    if len(scalars) == 2 and scalars[0].dtype is not scalars[1].dtype:
        raise TypeError(
            f"one_hot: dtype {scalars[0].dtype!r} of on_value does not match dtype {scalars[1].dtype!r} of off_value."
        )
    result_dtype = scalars[0].dtype if scalars else dtype or dtypes.float32
    if (result_dtype is dtypes.string and len(scalars) < 2) or (result_dtype is dtypes.bool and not scalars):
        raise TypeError(f"one_hot: Cannot convert 1 to dtype {result_dtype.name}: give on_value and off_value.")
    on = scalars[0] if on_value is not None else constant_tensor(np.ones((), result_dtype.numpy))
    off = scalars[-1] if off_value is not None else constant_tensor(np.zeros((), result_dtype.numpy))
    return on, off


def _rounded_up(length: Any) -> int:
    """Rounds ``length`` up to a whole number; raises InvalidArgumentError unless it is finite."""
    if not math.isfinite(length):
        raise InvalidArgumentError(f"sequence_mask: lengths must be finite, got {length}.")
    return math.ceil(length)


def sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = dtypes.bool, name: str | None = None) -> Tensor:
    """True at the first ``lengths`` positions of a new last axis.

    Args:
        lengths: integers or floats, any shape; converted to the dtype of ``maxlen`` if ``maxlen`` is given.
        maxlen: the size of the new axis, a scalar; default the largest length.
        dtype: the dtype of the result.
        name: kept for TensorFlow's signature.

    Returns:
        Shape ``lengths.shape + [maxlen]``.

    Raises:
        ValueError: ``maxlen`` is no scalar.
        InvalidArgumentError: ``maxlen`` is negative, or ``maxlen`` or the largest length is not finite.
    """
    x = tensor_of(lengths)
    if maxlen is None:
        count = max(0, _rounded_up(x._elements().max())) if x._array.size else 0
    else:
        limit = convert_to_tensor(maxlen)
        if limit._array.ndim:
            raise ValueError(f"sequence_mask: Argument `maxlen` must be scalar, received shape {limit.shape} instead.")
        count = _rounded_up(limit._elements()[()])
        if count < 0:
            raise InvalidArgumentError(f"sequence_mask: maxlen must be >= 0, got {count}.")
        x = TABLE["cast"](x, dtype=limit.dtype.name)
    positions = convert_like(numbers_below(count, "sequence_mask"), x._array.dtype)
    mask = TABLE["less"](positions, TABLE["reshape"](x, shape=(*x._array.shape, 1)))
    mask_dtype = dtypes.as_dtype(dtype)
    return mask if mask_dtype is dtypes.bool else TABLE["cast"](mask, dtype=mask_dtype.name)
