"""The shape of a tensor, as a tensor or checked; the shape that two broadcast to."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad import dtypes
from fastgrad.composite import CompositeOperand
from fastgrad.errors import InvalidArgumentError
from fastgrad.operation import refuse_dtype
from fastgrad.ops.arguments import integers, tensor_of
from fastgrad.shape import TensorShape
from fastgrad.tensor import Tensor, as_tensor_or_none, constant_tensor, convert_to_tensor

_SHAPE_TYPES = frozenset([dtypes.int32.numpy, dtypes.int64.numpy])


def _shape_type(name: str, out_type: Any) -> np.dtype:
    wanted = dtypes.int32.numpy if out_type is None else dtypes.as_dtype(out_type).numpy
    if wanted not in _SHAPE_TYPES:
        raise refuse_dtype(f"{name} (out_type)", wanted, _SHAPE_TYPES)
    return wanted


def shape(input: Any, out_type: Any = None, name: str | None = None) -> Tensor:
    """The sizes of the dimensions.

    Args:
        input: what converts to a tensor.
        out_type: int32 (the default) or int64.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (rank,).

    Raises:
        InvalidArgumentError: another ``out_type``.
    """
    return constant_tensor(np.array(tensor_of(input)._array.shape, _shape_type("shape", out_type)))


def shape_n(input: Any, out_type: Any = dtypes.int32, name: str | None = None) -> list[Tensor]:
    """``shape`` of each of a list of tensors; arguments and errors as there, and TypeError if ``input`` is no list."""
    if not isinstance(input, (list, tuple)):
        raise TypeError(f"shape_n: Argument `input` must be a list of tensors, got {input!r}.")
    return [shape(x, out_type) for x in input]


def rank(input: Any, name: str | None = None) -> Tensor:
    """The number of dimensions, an int32.

    Args:
        input: what converts to a tensor.
        name: kept for TensorFlow's signature.
    """
    try:
        x = tensor_of(input)
    except CompositeOperand as met:
        found: Tensor = met.call("rank", input)
        return found
    return constant_tensor(np.array(x._array.ndim, np.int32))


def size(input: Any, out_type: Any = None, name: str | None = None) -> Tensor:
    """The number of elements.

    Args:
        input: what converts to a tensor.
        out_type: int32 (the default) or int64.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: another ``out_type``.
    """
    dtype = _shape_type("size", out_type)
    try:
        x = tensor_of(input)
    except CompositeOperand as met:
        found: Tensor = met.call("size", input, dtype)
        return found
    return constant_tensor(np.array(x._array.size, dtype))


def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Tensor:
    """``x``, known to have a shape.

    Args:
        x: what converts to a tensor.
        shape: a shape whose Nones match any size; None matches any shape.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: it has another shape.
    """
    found = convert_to_tensor(x)
    wanted = TensorShape(shape)
    if not found.shape.is_compatible_with(wanted):
        raise InvalidArgumentError(
            f"ensure_shape: Shape of tensor input {list(found._array.shape)} is not compatible with expected shape {wanted}."
        )
    return found


def broadcast_static_shape(shape_x: TensorShape, shape_y: TensorShape) -> TensorShape:
    """The shape that tensors of two shapes broadcast to.

    Args:
        shape_x: a ``TensorShape``; a None dimension is unknown.
        shape_y: another one.

    Raises:
        ValueError: they do not broadcast.
    """
    x, y = TensorShape(shape_x), TensorShape(shape_y)
    if x.rank is None or y.rank is None:
        return TensorShape(None)
    longest = max(len(x), len(y))
    sizes: list[int | None] = []
    for a, b in zip([1] * (longest - len(x)) + list(x), [1] * (longest - len(y)) + list(y), strict=True):
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
    """The shape that tensors of two shapes broadcast to, as a tensor.

    Args:
        shape_x: a vector of integers.
        shape_y: another one; int64 if one of them is an int64 tensor, else int32.

    Raises:
        InvalidArgumentError: they do not broadcast.
    """
    x, y = integers(shape_x, "broadcast_dynamic_shape: shape_x"), integers(shape_y, "broadcast_dynamic_shape: shape_y")
    tensors = (as_tensor_or_none(shape_x), as_tensor_or_none(shape_y))
    wide = any(tensor is not None and tensor.dtype is dtypes.int64 for tensor in tensors)
    try:
        sizes = np.broadcast_shapes(x, y)
    except ValueError:
        raise InvalidArgumentError(f"broadcast_dynamic_shape: Incompatible shapes: {list(x)} vs. {list(y)}.") from None
    return constant_tensor(np.array(sizes, np.int64 if wide else np.int32))
