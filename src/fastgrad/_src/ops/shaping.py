"""Shape changes: reshape, expand_dims, squeeze, bitcast, transpose, broadcast_to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.backward import sum_to_shape
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.lowering import IndexMap
from fastgrad._src.core.operation import NUMERIC_DTYPES, TABLE, Form, Operation, operation
from fastgrad._src.core.result_rules import ArraySpec, require_fitting_shapes
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.kernels.movement import layout as layouts
from fastgrad._src.kernels.movement.memory_order import in_row_major_order, is_view_of_shape
from fastgrad._src.kernels.movement.strided import single_result_layouts
from fastgrad._src.ops.arguments import as_python_ints, as_single_python_int, check_dtype, tensor_of
from fastgrad._src.ops.batching import call_operation, extend_sizes_rule, leading_axes_rule, pad_rank
from fastgrad._src.ops.kernel_launches import LEAST_MOVED_ELEMENTS, launches_from

# ---- reshape ---------------------------------------------------------------------------------------


def _run_large_reshape(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if x.flags.c_contiguous or is_view_of_shape(x, shape):
        return x.reshape(shape)
    return in_row_major_order(x).reshape(shape)


_reshape_operation: Operation = operation(
    "reshape",
    Form.INDEX_MAP,
    run=lambda x, shape: x.reshape(shape),
    large=LEAST_MOVED_ELEMENTS,
    run_if_large=_run_large_reshape,
    gradient=lambda g, y, x, shape: _reshape_operation(g, shape=x._array.shape),
    index_map=IndexMap(keeps_order=True, views=lambda layout, given, results, shape: [layout]),
    batched=extend_sizes_rule("shape"),
    simplifications=lambda rules: (rules.drop_inner_operation("reshape"), rules.remove_if_type_unchanged),
)


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Any:
    """The elements of ``tensor``, in row-major order, in another shape.

    Args:
        tensor: any tensor.
        shape: the new sizes; one size may be -1 and is then computed from the others. A ``DynamicRaggedShape`` gives ragged rows.
        name: kept for TensorFlow's signature.

    Returns:
        A tensor of ``shape``.

    Raises:
        InvalidArgumentError: the number of elements differs, or two sizes are negative.

    Example:
        >>> tf.reshape([1, 2, 3, 4, 5, 6], (2, -1))
        <tf.Tensor: shape=(2, 3), dtype=int32, numpy=
        array([[1, 2, 3],
               [4, 5, 6]], dtype=int32)>
    """
    try:
        x = tensor_of(tensor)
        sizes = as_python_ints(shape, "reshape: shape")
    except CompositeOperand as met:
        return met.call("reshape", tensor, shape)
    count = x._array.size
    requested_count = math.prod(sizes)
    if requested_count != count or requested_count == 0:
        sizes = _sizes_without_unknown(sizes, x._array.shape, count)
    return _reshape_operation(x, shape=sizes)


def _sizes_without_unknown(sizes: tuple[int, ...], shape: tuple[int, ...], count: int) -> tuple[int, ...]:
    known_count = math.prod([size for size in sizes if size != -1])
    unknown_axis = sizes.index(-1) if -1 in sizes else None
    if min(sizes, default=0) < -1:
        axis = next(axis for axis, size in enumerate(sizes) if size < -1)
        raise InvalidArgumentError(
            f"reshape: Size {axis} must be non-negative, not {sizes[axis]}; one size may be -1. Got {list(sizes)}."
        )
    if sizes.count(-1) > 1:
        raise InvalidArgumentError(f"reshape: only one size may be -1, got {list(sizes)}.")
    if unknown_axis is None:
        if known_count != count:
            raise InvalidArgumentError(
                f"reshape: Input to reshape is a tensor with {count} values, but the requested shape has {known_count}: "
                f"the tensor has shape {list(shape)}, {list(sizes)} is requested."
            )
        return sizes
    if known_count == 0 and count == 0:
        # An empty tensor: computes the unknown size from the dimensions that are not 0.
        unknown = math.prod([s for s in shape if s]) // math.prod([s for s in sizes if s > 0])
        return (*sizes[:unknown_axis], unknown, *sizes[unknown_axis + 1 :])
    if known_count == 0 or count % known_count:
        raise InvalidArgumentError(
            f"reshape: Input to reshape is a tensor with {count} values, but the requested shape requires a multiple of "
            f"{known_count}: the tensor has shape {list(shape)}, {list(sizes)} is requested."
        )
    return (*sizes[:unknown_axis], count // known_count, *sizes[unknown_axis + 1 :])


def expand_dims(input: Any, axis: Any, name: str | None = None) -> Any:
    """``input`` with a dimension of size 1 inserted before ``axis``.

    Args:
        input: any tensor.
        axis: in ``[-rank - 1, rank]``; -1 puts the new dimension last.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: ``axis`` is out of range.

    Example:
        >>> tf.expand_dims(tf.zeros((2, 3)), axis=0).shape
        TensorShape([1, 2, 3])
    """
    try:
        x = tensor_of(input)
    except CompositeOperand as met:
        return met.call("expand_dims", input, axis)
    shape = x._array.shape
    rank = len(shape)
    number = axis if type(axis) is int else as_single_python_int(axis, "expand_dims: axis")
    if not -rank - 1 <= number <= rank:
        raise InvalidArgumentError(f"expand_dims: Tried to expand dim index {number} for {rank} dimensions.")
    if number < 0:
        number += rank + 1
    return _reshape_operation(x, shape=(*shape[:number], 1, *shape[number:]))


def squeeze(input: Any, axis: Any = None, name: str | None = None) -> Any:
    """``input`` without dimensions of size 1.

    Args:
        input: any tensor.
        axis: the dimensions to remove, an int or several; None or [] means all of size 1.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: an axis is out of range or its size is not 1.

    Example:
        >>> tf.squeeze(tf.zeros((1, 3, 1))).shape
        TensorShape([3])
    """
    try:
        x = tensor_of(input)
    except CompositeOperand as met:
        return met.call("squeeze", input, axis)
    shape = x._array.shape
    if axis is None:
        return _reshape_operation(x, shape=tuple([size for size in shape if size != 1]))
    numbers = as_python_ints(axis, "squeeze: axis")
    if not numbers:
        return squeeze(x)
    rank = len(shape)
    for number in numbers:
        if not -rank <= number < rank:
            refuse("squeeze", f"axis {number} is out of range for {rank} dimensions", InvalidArgumentError)
        if shape[number] != 1:
            refuse("squeeze", f"dim[{number}] must be 1", InvalidArgumentError, shape=shape)
    dropped_axes = {number % rank for number in numbers}
    return _reshape_operation(
        x, shape=tuple([size for position, size in enumerate(shape) if position not in dropped_axes])
    )


# ---- bitcast -----------------------------------------------------------------------------------------


def _run_bitcast(x: np.ndarray, type: str) -> np.ndarray:
    target_dtype = dtypes.as_dtype(type).numpy
    x = np.ascontiguousarray(x).reshape(x.shape)
    if target_dtype.itemsize == x.dtype.itemsize:
        return x.view(target_dtype)
    if target_dtype.itemsize < x.dtype.itemsize:
        return x.reshape(*x.shape, 1).view(target_dtype)
    return x.view(target_dtype).reshape(x.shape[:-1])


def _bitcast_result(x: Any, type: str) -> ArraySpec:
    dtype = dtypes.as_dtype(type).numpy
    ratio = x.dtype.itemsize / dtype.itemsize
    require_fitting_shapes(ratio >= 1 or x.shape[-1] * ratio == 1)
    return ArraySpec(x.shape if ratio == 1 else (*x.shape, int(ratio)) if ratio > 1 else x.shape[:-1], dtype)


_bitcast_operation = operation(
    "bitcast",
    Form.EXTERN,
    run=_run_bitcast,
    launches=launches_from("runtime.copies_and_jumps", "bitcast_launches"),
    batched=leading_axes_rule,
    result=_bitcast_result,
)


def bitcast(input: Any, type: Any, name: str | None = None) -> Any:
    """The bytes of ``input``, reinterpreted as another dtype.

    Args:
        input: a numeric tensor.
        type: a numeric dtype. A smaller dtype adds a last dimension. A larger dtype removes the last dimension, whose
            elements must together have the size of one element of the new dtype.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a dtype is bool or string, or the last dimension has another size.
    """
    target_dtype = dtypes.as_dtype(type)
    try:
        x = tensor_of(input)
    except CompositeOperand as met:
        return met.mapped(lambda values: bitcast(values, target_dtype), input)
    for dtype in (x.dtype, target_dtype):
        check_dtype("bitcast", dtype.numpy, NUMERIC_DTYPES)
    ratio = target_dtype.size // x.dtype.size
    if ratio > 1 and x._array.shape[-1:] != (ratio,):
        refuse("bitcast", f"Cannot bitcast: the last dimension must be {ratio}", InvalidArgumentError, shape=x.shape)
    return _bitcast_operation(x, type=target_dtype.name)


# ---- transpose -------------------------------------------------------------------------------------


def inverse_permutation(perm: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the permutation that undoes ``perm``."""
    inverse = [0] * len(perm)
    for position, axis in enumerate(perm):
        inverse[axis] = position
    return tuple(inverse)


def permuted_back(items: tuple[Any, ...], perm: tuple[int, ...]) -> tuple[Any, ...]:
    """Returns items, one for each dimension after a transpose, in the order of the dimensions before it."""
    return tuple([items[axis] for axis in inverse_permutation(perm)])


_transpose_operation: Operation = operation(
    "transpose",
    Form.INDEX_MAP,
    run=lambda x, perm: x.transpose(perm),
    gradient=lambda g, y, x, perm: _transpose_operation(g, perm=inverse_permutation(perm)),
    index_map=IndexMap(
        views=lambda layout, given, results, perm: single_result_layouts(layouts.transposed(layout, given, perm))
    ),
    batched=lambda name, rows, x, perm: call_operation(name, x.tensor, perm=(0, *[axis + 1 for axis in perm])),
    simplifications=lambda rules: (rules.compose_transposes, rules.drop_identity_transpose),
)


def transpose(a: Any, perm: Any = None, conjugate: bool = False, name: str | None = "transpose") -> Tensor:
    """``a`` with its dimensions in another order: dimension i of the result is dimension ``perm[i]`` of ``a``.

    Args:
        a: any tensor.
        perm: a permutation of the axes; negative axes count from the end, and None reverses the axes.
        conjugate: whether to take also the complex conjugate.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: ``perm`` is no permutation of the axes.

    Example:
        >>> tf.transpose([[1, 2], [3, 4]])
        <tf.Tensor: shape=(2, 2), dtype=int32, numpy=
        array([[1, 3],
               [2, 4]], dtype=int32)>
    """
    x = tensor_of(a)
    rank = x._array.ndim
    if perm is None:
        order = tuple(range(rank - 1, -1, -1))
    else:
        order = as_python_ints(perm, "transpose: perm")
        if len(order) != rank:
            refuse("transpose", f"perm must name each of {rank} axes once", InvalidArgumentError, perm=order)
        for axis in order:
            if not -rank <= axis < rank:
                raise InvalidArgumentError(f"transpose: {axis} is out of range [0 .. {rank}) in perm {list(order)}.")
        order = tuple([axis % rank for axis in order])
        if len(set(order)) != rank:
            raise InvalidArgumentError(f"transpose: perm must name each of {rank} axes once, got {list(order)}.")
    y = _transpose_operation(x, perm=order)
    return TABLE["conj"](y) if conjugate and y._array.dtype.kind == "c" else y


# ---- broadcasting ----------------------------------------------------------------------------------


def broadcast_view_or_small_copy(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Returns ``x`` broadcast to ``shape``: a view, or a copy if that is small."""
    # A small copy is faster to make and to read than a view.
    if math.prod(shape) > 4096:
        return np.broadcast_to(x, shape)
    out = np.empty(shape, x.dtype)
    out[...] = x
    return out


_broadcast_to_operation = operation(
    "broadcast_to",
    Form.INDEX_MAP,
    run=broadcast_view_or_small_copy,
    gradient=lambda g, y, x, shape: sum_to_shape(g, x._array.shape),
    index_map=IndexMap(
        views=lambda layout, given, results, shape: single_result_layouts(layouts.broadcast(layout, given, shape)),
        broadcasts=True,
        transposed=lambda perm, given, shape: (
            {"shape": permuted_back(shape, perm)} if len(given) == len(shape) else None
        ),
    ),
    batched=lambda name, rows, x, shape: call_operation(name, pad_rank(x, len(shape)), shape=(rows, *shape)),
    simplifications=lambda rules: (rules.drop_inner_operation("broadcast_to"), rules.remove_if_type_unchanged),
)


def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Any:
    """``input`` repeated along dimensions of size 1, and along new leading dimensions, up to ``shape``.

    Args:
        input: any tensor.
        shape: the shape of the result; a ``DynamicRaggedShape`` gives a ragged result.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: the shape of ``input`` does not broadcast to ``shape``.

    Example:
        >>> tf.broadcast_to([1, 2], (2, 2))
        <tf.Tensor: shape=(2, 2), dtype=int32, numpy=
        array([[1, 2],
               [1, 2]], dtype=int32)>
    """
    try:
        x = tensor_of(input)
        sizes = as_python_ints(shape, "broadcast_to: shape")
    except CompositeOperand as met:
        return met.call("broadcast_to", input, shape)
    input_shape = x._array.shape
    if input_shape == sizes:
        return _reshape_operation(x, shape=sizes)
    if len(input_shape) > len(sizes):
        refuse("broadcast_to", f"Rank of input {input_shape} is above that of {list(sizes)}", InvalidArgumentError)
    if min(sizes) < 0:
        raise InvalidArgumentError(f"broadcast_to: sizes must be >= 0, got {list(sizes)}.")
    for size, target_size in zip(input_shape, sizes[len(sizes) - len(input_shape) :], strict=True):
        if size not in (1, target_size):
            raise InvalidArgumentError(f"broadcast_to: Incompatible shapes: {list(input_shape)} vs. {list(sizes)}.")
    return _broadcast_to_operation(x, shape=sizes)
