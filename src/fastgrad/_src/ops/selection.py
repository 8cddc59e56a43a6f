"""Selection by conditions: where, boolean_mask, dynamic_partition."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.lowering import Elementwise, ResultSize, complex_launches
from fastgrad._src.core.operand_errors import InvalidValueError, mixed_dtypes_error
from fastgrad._src.core.operation import TABLE, Form, Operation, operation
from fastgrad._src.core.result_rules import ArraySpec, broadcast
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, constant_tensor, convert_to_tensor
from fastgrad._src.ops.arguments import as_python_int, tensor_of
from fastgrad._src.ops.indexing import check_index_dtype, check_indices
from fastgrad._src.ops.kernel_launches import launches_from
from fastgrad._src.ops.python_function import with_sample_rows
from fastgrad._src.scalars import terms


def _zero_like(x: Tensor) -> Tensor:
    return constant_tensor(np.zeros((), x._array.dtype))


_where_operation: Operation = Operation(
    "where",
    np.where,
    (
        None,
        lambda g, z, c, x, y: _where_operation(c, g, _zero_like(g)),
        lambda g, z, c, x, y: _where_operation(c, _zero_like(g), g),
    ),
    form=Form.ELEMENTWISE,
    dtypes=frozenset([np.dtype(bool)]),
    result=lambda c, x, y: ArraySpec(broadcast(c, x, y).shape, broadcast(x, y).dtype),
    simplifications=lambda rules: (rules.select_by_constant, rules.merge_equal_inputs),
    elementwise=Elementwise(terms.where, complex_launches=complex_launches("where")),
)


def _run_true_positions(condition: np.ndarray) -> np.ndarray:
    if condition.ndim < 2 or not condition.size:
        return np.argwhere(condition).astype(np.int64, copy=False)
    numbers = np.flatnonzero(condition)  # `np.argwhere` of a matrix takes ten times as long
    positions = np.empty((numbers.size, condition.ndim), np.int64)
    for axis in range(condition.ndim - 1, 0, -1):
        outer = numbers // condition.shape[axis]  # faster than `divmod`, which does not multiply by the inverse
        np.subtract(numbers, outer * condition.shape[axis], out=positions[:, axis])
        numbers = outer
    positions[:, 0] = numbers
    return positions


_true_positions = operation(
    "true_positions",  # tf.where of one argument
    Form.EXTERN,
    run=_run_true_positions,
    launches=launches_from("movement.selecting", "positions_launches"),
    result=lambda condition: ArraySpec((None, len(condition.shape)), np.dtype(np.int64)),
    result_size=ResultSize(
        count=np.count_nonzero, launches=launches_from("movement.selecting", "positions_count_launches")
    ),
)


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    """``x`` where ``condition`` is true and ``y`` elsewhere; without ``x`` and ``y``, the positions of true elements.

    Args:
        condition: bool; without ``x`` and ``y`` also numeric, where nonzero elements are true.
        x, y: tensors of one dtype, which broadcast with each other and ``condition``.
        name: kept for TensorFlow's signature.

    Returns:
        The broadcast shape; or int64, shape (n, rank of ``condition``).

    Raises:
        ValueError: only one of ``x`` and ``y`` is given.
        TypeError: a Python condition is no bool, or a Python value does not fit the dtype of the other argument.
        InvalidArgumentError: dtypes differ, shapes do not broadcast, or ``condition`` is scalar without ``x`` and ``y``.

    Example:
        >>> x = tf.constant([-1.0, 2.0])
        >>> tf.where(x > 0, x, 0.0)
        <tf.Tensor: shape=(2,), dtype=float32, numpy=array([0., 2.], dtype=float32)>
        >>> tf.where(x > 0)
        <tf.Tensor: shape=(1, 1), dtype=int64, numpy=array([[1]])>
    """
    if x is None and y is None:
        try:
            condition_tensor = tensor_of(condition)
        except CompositeOperand as met:
            return met.call("where", condition)
        if not condition_tensor._array.ndim:
            raise InvalidArgumentError("where: the positions in a scalar condition are not defined; give x and y.")
        return with_sample_rows(_true_positions(condition_tensor))
    if x is None or y is None:
        raise ValueError("where: x and y must both be non-None or both be None.")
    try:
        mask, a, b = as_tensor_or_none(condition), as_tensor_or_none(x), as_tensor_or_none(y)
    except CompositeOperand as met:
        return met.mapped(where, condition, x, y)
    if mask is None:
        mask = convert_to_tensor(condition, dtypes.bool)
    if mask._array.dtype != bool:
        refuse("where", "the condition must be bool; compare it", InvalidArgumentError, dtype=mask.dtype.name)
    if a is None:
        a = convert_to_tensor(x, None if b is None else b.dtype)
    if b is None:
        b = convert_to_tensor(y, a.dtype)
    if a._array.dtype != b._array.dtype:
        raise mixed_dtypes_error("where", a._array.dtype, b._array.dtype)
    try:
        return _where_operation(mask, a, b)
    except ValueError:
        shapes = f"condition {list(mask._array.shape)}, x {list(a._array.shape)}, and y {list(b._array.shape)}"
        raise InvalidArgumentError(f"where: {shapes} must be broadcastable to one shape.") from None


def boolean_mask(tensor: Any, mask: Any, axis: Any = None, name: str | None = "boolean_mask") -> Tensor:
    """The elements or slices of ``tensor`` where ``mask`` is true, in row-major order.

    Args:
        tensor: shape (..., d1, ..., dk, ...).
        mask: bool (or numbers, true unless 0), shape (d1, ..., dk), rank 1 or more.
        axis: the first axis of ``tensor`` that ``mask`` covers; default 0.
        name: kept for TensorFlow's signature.

    Returns:
        ``tensor`` with the dimensions of the mask replaced by one, whose size is the number of true elements.

    Raises:
        ValueError: the mask is a scalar, or its shape differs from that of ``tensor`` from ``axis`` on.
    """
    x, mask_tensor = tensor_of(tensor), tensor_of(mask)
    shape, mask_shape = x._array.shape, mask_tensor._array.shape
    if not mask_shape:
        raise ValueError("boolean_mask: mask cannot be scalar.")
    first_axis = 0 if axis is None else as_python_int(axis, "boolean_mask: axis")
    first_axis += len(shape) if first_axis < 0 else 0
    end_axis = first_axis + len(mask_shape)
    if shape[first_axis:end_axis] != mask_shape:
        refuse("boolean_mask", f"from axis {first_axis} on the shapes are incompatible", tensor=shape, mask=mask_shape)
    count = int(np.prod(mask_shape))
    reshape = TABLE["reshape"]
    # Always reshapes, so that the gradient is dense: a mask is not a table look-up.
    x = reshape(x, shape=(*shape[:first_axis], count, *shape[end_axis:]))
    positions = with_sample_rows(_true_positions(reshape(mask_tensor, shape=(count,))))
    return TABLE["gather"](x, reshape(positions, shape=(len(positions._array),)), axis=first_axis, batch_dims=0)


_MAX_PARTITIONS = 1 << 20  # TensorFlow accepts more, and runs out of memory


def dynamic_partition(data: Any, partitions: Any, num_partitions: int, name: str | None = None) -> list[Tensor]:
    """Distributes the slices of ``data`` over ``num_partitions`` tensors and keeps their order.

    Args:
        data: any tensor whose shape starts with that of ``partitions``.
        partitions: int32, the number of the output tensor for each slice.
        num_partitions: the number of output tensors, at least 1.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a partition is out of range, or shapes do not fit.
        ValueError: ``num_partitions`` is larger than 2^20.
    """
    try:
        x, ids = tensor_of(data), tensor_of(partitions)
    except CompositeOperand as met:
        return met.call("dynamic_partition", data, partitions, num_partitions)
    shape, ids_shape = x._array.shape, ids._array.shape
    num_partitions = as_python_int(num_partitions, "dynamic_partition: num_partitions")
    if num_partitions < 1:
        raise InvalidArgumentError(f"dynamic_partition: num_partitions must be at least 1, got {num_partitions}.")
    if num_partitions > _MAX_PARTITIONS:
        raise ValueError(f"dynamic_partition: Number of outputs is too big: {num_partitions}.")
    if shape[: len(ids_shape)] != ids_shape:
        refuse("dynamic_partition", f"data.shape must start with {list(ids_shape)}", InvalidValueError, shape=shape)
    check_index_dtype("dynamic_partition", ids._array)
    check_indices("dynamic_partition", ids._array, num_partitions)
    if not ids_shape:
        x, ids = TABLE["reshape"](x, shape=(1, *shape)), TABLE["reshape"](ids, shape=(1,))
    numbers = [constant_tensor(np.asarray(number, ids._array.dtype)) for number in range(num_partitions)]
    return [boolean_mask(x, TABLE["equal"](ids, number)) for number in numbers]
