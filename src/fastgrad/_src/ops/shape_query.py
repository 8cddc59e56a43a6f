"""Shapes of tensors: queries, checks, and broadcast shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import dtype_error
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, constant_tensor, convert_to_tensor
from fastgrad._src.ops.arguments import as_python_ints, tensor_of

_SHAPE_DTYPES = frozenset([dtypes.int32.numpy, dtypes.int64.numpy])


def _shape_dtype(name: str, out_type: Any) -> np.dtype:
    result_dtype = dtypes.int32.numpy if out_type is None else dtypes.as_dtype(out_type).numpy
    if result_dtype not in _SHAPE_DTYPES:
        raise dtype_error(f"{name} (out_type)", result_dtype, _SHAPE_DTYPES)
    return result_dtype


def shape(input: Any, out_type: Any = None, name: str | None = None) -> Tensor:
    """The shape of ``input``, as a tensor.

    Args:
        input: a tensor, or a value that converts to one.
        out_type: int32 (the default) or int64.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (rank,).

    Raises:
        InvalidArgumentError: ``out_type`` is another dtype.

    Example:
        >>> tf.shape(tf.zeros((2, 3)))
        <tf.Tensor: shape=(2,), dtype=int32, numpy=array([2, 3], dtype=int32)>
    """
    dtype = _shape_dtype("shape", out_type)
    try:
        x = tensor_of(input)
    except CompositeOperand as met:
        result: Tensor = met.call("shape", input, dtype)
        return result
    return constant_tensor(np.array(x._array.shape, dtype))


def shape_n(input: Any, out_type: Any = dtypes.int32, name: str | None = None) -> list[Tensor]:
    """``shape`` of each tensor of a list; arguments and errors as in ``shape``; TypeError if ``input`` is no list."""
    if not isinstance(input, (list, tuple)):
        raise TypeError(f"shape_n: Argument `input` must be a list of tensors, got {input!r}.")
    return [shape(x, out_type) for x in input]


def rank(input: Any, name: str | None = None) -> Tensor:
    """The number of dimensions of ``input``, an int32 scalar.

    Args:
        input: a tensor, or a value that converts to one.
        name: kept for TensorFlow's signature.

    Example:
        >>> tf.rank(tf.zeros((2, 3))).numpy()
        np.int32(2)
    """
    try:
        x = tensor_of(input)
    except CompositeOperand as met:
        result: Tensor = met.call("rank", input)
        return result
    return constant_tensor(np.array(x._array.ndim, np.int32))


def size(input: Any, out_type: Any = None, name: str | None = None) -> Tensor:
    """The number of elements of ``input``.

    Args:
        input: a tensor, or a value that converts to one.
        out_type: int32 (the default) or int64.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: ``out_type`` is another dtype.

    Example:
        >>> tf.size([[1, 2], [3, 4]]).numpy()
        np.int32(4)
    """
    dtype = _shape_dtype("size", out_type)
    try:
        x = tensor_of(input)
    except CompositeOperand as met:
        result: Tensor = met.call("size", input, dtype)
        return result
    return constant_tensor(np.array(x._array.size, dtype))


def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Tensor:
    """Returns ``x`` if it has the given shape.

    Args:
        x: a tensor, or a value that converts to one.
        shape: a shape; a dimension of None matches any size, and None matches any shape.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: ``x`` has another shape.
    """
    tensor = convert_to_tensor(x)
    expected_shape = TensorShape(shape)
    if not tensor.shape.is_compatible_with(expected_shape):
        raise InvalidArgumentError(
            f"ensure_shape: Shape of tensor input {list(tensor._array.shape)} is not compatible with expected shape {expected_shape}."
        )
    return tensor


def broadcast_static_shape(shape_x: TensorShape, shape_y: TensorShape) -> TensorShape:
    """The shape that two tensors broadcast to.

    Args:
        shape_x, shape_y: each a ``TensorShape``; a dimension of None is unknown.

    Raises:
        ValueError: the shapes do not broadcast.
    """
    x, y = TensorShape(shape_x), TensorShape(shape_y)
    if x.rank is None or y.rank is None:
        return TensorShape(None)
    max_rank = max(len(x), len(y))
    sizes: list[int | None] = []
    for a, b in zip([1] * (max_rank - len(x)) + list(x), [1] * (max_rank - len(y)) + list(y), strict=True):
        if a == 1 or b == 1:
            sizes.append(b if a == 1 else a)
        elif a is None or b is None:
            sizes.append(b if a is None else a)
        elif a == b:
            sizes.append(a)
        else:
            raise ValueError(
                "Incompatible shapes for broadcasting. Two shapes are compatible if for each dimension pair they are "
                f"either equal or one of them is 1. Received: {x} and {y}."
            )
    return TensorShape(sizes)


def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Tensor:
    """The shape that two tensors broadcast to, as a tensor: int64 if an argument is an int64 tensor, else int32.

    Args:
        shape_x, shape_y: the shapes, vectors of integers.

    Raises:
        InvalidArgumentError: the shapes do not broadcast.
    """
    x, y = (
        as_python_ints(shape_x, "broadcast_dynamic_shape: shape_x"),
        as_python_ints(shape_y, "broadcast_dynamic_shape: shape_y"),
    )
    tensors = (as_tensor_or_none(shape_x), as_tensor_or_none(shape_y))
    needs_int64 = any(tensor is not None and tensor.dtype is dtypes.int64 for tensor in tensors)
    try:
        sizes = np.broadcast_shapes(x, y)
    except ValueError:
        raise InvalidArgumentError(f"broadcast_dynamic_shape: Incompatible shapes: {list(x)} vs. {list(y)}.") from None
    return constant_tensor(np.array(sizes, np.int64 if needs_int64 else np.int32))
