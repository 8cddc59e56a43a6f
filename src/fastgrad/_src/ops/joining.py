"""Joining and splitting of tensors: concat, stack, unstack, split."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_list, refuse
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.lowering import IndexMap
from fastgrad._src.core.operand_errors import InvalidValueError
from fastgrad._src.core.operation import Form, Operation, joint, operation
from fastgrad._src.core.result_rules import ArraySpec, require_fitting_shapes
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, convert_to_tensor
from fastgrad._src.kernels.movement import layout as layouts
from fastgrad._src.kernels.movement.strided import copy_into_slices_launches
from fastgrad._src.kernels.runtime.launch import Launches, Spec
from fastgrad._src.ops.arguments import as_python_ints, as_single_python_int, nonnegative_axis, tensor_of, tensors_of
from fastgrad._src.ops.batching import shift_axes_rule
from fastgrad._src.ops.kernel_launches import LEAST_MOVED_ELEMENTS, make_move_run

# ---- concat and split ------------------------------------------------------------------------------


def _piece_cotangents(g: Any) -> tuple[Tensor, ...]:
    """The cotangents of the pieces as a tuple; ``g`` is no tuple if there is one piece."""
    return g if type(g) is tuple else (g,)


def _run_concat(*xs: np.ndarray, axis: int) -> np.ndarray:
    return np.concatenate(xs, axis)


def _run_split(x: np.ndarray, sizes: tuple[int, ...], axis: int) -> tuple[np.ndarray, ...]:
    front = (slice(None),) * axis
    starts = itertools.accumulate(sizes, initial=0)
    keys = [(*front, slice(start, start + size)) for start, size in zip(starts, sizes, strict=False)]
    return tuple([x[key] for key in keys])


def _concat_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], axis: int) -> Launches | None:
    shape = outputs[0].shape
    piece_layouts = layouts.pieces(layouts.of_shape(shape), shape, [x.shape[axis] for x in inputs], axis)
    return (
        None
        if piece_layouts is None
        else copy_into_slices_launches(outputs[0], [], list(zip(inputs, piece_layouts, strict=True)))
    )


def _concat_result(*xs: Any, axis: int) -> ArraySpec:
    before, after, dtype = xs[0].shape[:axis], xs[0].shape[axis + 1 :], xs[0].dtype
    require_fitting_shapes(
        axis >= 0 and all((x.shape[:axis], x.shape[axis + 1 :], x.dtype) == (before, after, dtype) for x in xs)
    )
    return ArraySpec((*before, sum([x.shape[axis] for x in xs]), *after), dtype)


def _stack_result(*xs: Any, axis: int) -> ArraySpec:
    shape, dtype = xs[0].shape, xs[0].dtype
    require_fitting_shapes(0 <= axis <= len(shape) and all((x.shape, x.dtype) == (shape, dtype) for x in xs))
    return ArraySpec((*shape[:axis], len(xs), *shape[axis:]), dtype)


_concat: Operation = operation(
    "concat",
    Form.INDEX_MAP,
    run=_run_concat,
    large=LEAST_MOVED_ELEMENTS,
    run_if_large=make_move_run(_run_concat, _concat_launches, _concat_result),
    gradient=joint(
        lambda needs, g, y, *xs, axis: _split(g, sizes=tuple([x._array.shape[axis] for x in xs]), axis=axis)
    ),
    launches=_concat_launches,
    batched=shift_axes_rule("axis", "axes"),
    result=_concat_result,
    simplifications=lambda rules: (rules.unwrap_single_input, rules.drop_join_of_split("split")),
    index_map=IndexMap(transposed=lambda perm, given, axis: {"axis": perm[axis]}),
)
_split: Operation = operation(
    "split",
    Form.INDEX_MAP,
    run=_run_split,
    gradient=lambda g, y, x, sizes, axis: _concat(*_piece_cotangents(g), axis=axis),
    index_map=IndexMap(
        views=lambda layout, given, results, sizes, axis: layouts.pieces(layout, given, sizes, axis),
        transposed=lambda perm, given, sizes, axis: {"axis": perm[axis]},
    ),
    batched=shift_axes_rule("axis", "axes"),
    simplifications=lambda rules: (rules.drop_split_of_join("concat"),),
)


def concat(values: Any, axis: Any, name: str | None = "concat") -> Any:
    """Tensors joined along an existing axis.

    Args:
        values: a list of tensors of one dtype, whose shapes differ at most on ``axis``; a single tensor is returned
            unchanged.
        axis: an integer in ``[-rank, rank)``.
        name: kept for TensorFlow's signature.

    Returns:
        A tensor whose size on ``axis`` is the sum of the sizes of the tensors.

    Raises:
        InvalidArgumentError: there are no tensors, a tensor is a scalar, ranks, sizes or dtypes differ, or ``axis`` is out
            of range.

    Example:
        >>> tf.concat([[[1, 2]], [[3, 4]]], axis=0)
        <tf.Tensor: shape=(2, 2), dtype=int32, numpy=
        array([[1, 2],
               [3, 4]], dtype=int32)>
    """
    try:
        if not isinstance(values, (list, tuple)):
            check_list("concat", "values", values)
            return convert_to_tensor(values)
        if not values:
            raise InvalidArgumentError("concat: got an empty list of tensors, wants at least one.")
        if len(values) == 1:
            return convert_to_tensor(values[0])
        xs = tensors_of(values, "concat")
    except CompositeOperand as met:
        return met.call("concat", values, axis)
    shape = xs[0]._array.shape
    rank = len(shape)
    if not rank:
        raise InvalidArgumentError("concat: Can't concatenate scalars (use tf.stack instead).")
    position = nonnegative_axis(as_single_python_int(axis, "concat: axis"), rank, "concat")
    before, after = shape[:position], shape[position + 1 :]
    for number, x in enumerate(xs):
        other_shape = x._array.shape
        if other_shape == shape:
            continue
        if len(other_shape) != rank:
            raise InvalidArgumentError(
                f"concat: Ranks of all input tensors should match: shape[0] = {list(shape)} vs. shape[{number}] = {list(other_shape)}."
            )
        if other_shape[:position] != before or other_shape[position + 1 :] != after:
            refuse("concat", f"all axes but {position} must be equal", InvalidArgumentError, got=(shape, other_shape))
    return _concat(*xs, axis=position)


# ---- stack and unstack -----------------------------------------------------------------------------


def _run_stack(*xs: np.ndarray, axis: int) -> np.ndarray:
    shape = xs[0].shape
    shape = (*shape[:axis], 1, *shape[axis:])
    return np.concatenate([x.reshape(shape) for x in xs], axis)


def _run_unstack(x: np.ndarray, axis: int) -> tuple[np.ndarray, ...]:
    front = (slice(None),) * axis
    keys: list[Any] = [(*front, position, ...) for position in range(x.shape[axis])]
    return tuple([x[key] for key in keys])


def _stack_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], axis: int) -> Launches | None:
    slice_layouts = layouts.slices(layouts.of_shape(outputs[0].shape), outputs[0].shape, axis)
    return (
        None
        if slice_layouts is None
        else copy_into_slices_launches(outputs[0], [], list(zip(inputs, slice_layouts, strict=True)))
    )


_stack: Operation = operation(
    "stack",
    Form.INDEX_MAP,
    run=_run_stack,
    large=LEAST_MOVED_ELEMENTS,
    run_if_large=make_move_run(_run_stack, _stack_launches, _stack_result),
    gradient=joint(lambda needs, g, y, *xs, axis: _unstack(g, axis=axis)),
    launches=_stack_launches,
    batched=shift_axes_rule("axis", "axes"),
    result=_stack_result,
    simplifications=lambda rules: (rules.drop_join_of_split("unstack"),),
)
_unstack: Operation = operation(
    "unstack",
    Form.INDEX_MAP,
    run=_run_unstack,
    gradient=lambda g, y, x, axis: _stack(*_piece_cotangents(g), axis=axis),
    index_map=IndexMap(views=lambda layout, given, results, axis: layouts.slices(layout, given, axis)),
    batched=shift_axes_rule("axis", "axes"),
    simplifications=lambda rules: (rules.drop_split_of_join("stack"),),
)


def stack(values: Any, axis: Any = 0, name: str | None = "stack") -> Any:
    """Tensors of one shape, joined along a new axis.

    Args:
        values: a list of tensors of one shape and dtype, or a tensor, which is unstacked along its first axis.
        axis: the position of the new axis, in ``[-rank - 1, rank + 1)``.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: ``axis`` is out of range.
        InvalidArgumentError: shapes or dtypes differ.

    Example:
        >>> tf.stack([[1, 2], [3, 4]], axis=1)
        <tf.Tensor: shape=(2, 2), dtype=int32, numpy=
        array([[1, 3],
               [2, 4]], dtype=int32)>
    """
    if not isinstance(values, (list, tuple)):
        check_list("stack", "values", values)
        x = convert_to_tensor(values)
        if not x._array.ndim or axis == 0:
            return x
        values = unstack(x)
    if not values:
        return tensor_of(values)
    try:
        if axis == 0 and all(as_tensor_or_none(value) is None for value in values):
            try:
                return convert_to_tensor(values)
            except ValueError:
                pass  # nested lists of different lengths: the error below names their shapes
        xs = tensors_of(values, "stack")
    except CompositeOperand as met:
        return met.call("stack", values, axis)
    shape = xs[0]._array.shape
    position = nonnegative_axis(axis, len(shape) + 1, "stack", ValueError)
    for x in xs:
        if x._array.shape != shape:
            refuse("stack", "Shapes of all inputs must match", InvalidArgumentError, shapes=(shape, x._array.shape))
    return _stack(*xs, axis=position)


def unstack(value: Any, num: int | None = None, axis: Any = 0, name: str | None = "unstack") -> list[Tensor]:
    """The slices of ``value`` along an axis; the slices do not have this axis.

    Args:
        value: a tensor of rank 1 or more.
        num: the expected number of slices, checked if given.
        axis: an integer in ``[-rank, rank)``.
        name: kept for TensorFlow's signature.

    Returns:
        A list of tensors; their number is the size of ``axis``.

    Raises:
        ValueError: ``axis`` is out of range.
        InvalidArgumentError: ``num`` is not the size of the axis.

    Example:
        >>> [row.numpy() for row in tf.unstack([[1, 2], [3, 4]])]
        [array([1, 2], dtype=int32), array([3, 4], dtype=int32)]
    """
    x = tensor_of(value)
    shape = x._array.shape
    position = nonnegative_axis(axis, len(shape), "unstack", ValueError)
    if num is not None and num != shape[position]:
        raise InvalidArgumentError(f"unstack: Input shape axis {position} must equal {num}, got shape {list(shape)}.")
    return list(_unstack(x, axis=position)) if shape[position] else []


def split(
    value: Any, num_or_size_splits: Any, axis: Any = 0, num: int | None = None, name: str | None = "split"
) -> list[Tensor]:
    """The pieces of ``value`` along an axis.

    Args:
        value: a tensor of rank 1 or more.
        num_or_size_splits: the number of equal pieces, a Python int; or the sizes of the pieces. One size may be -1, for
            all remaining elements.
        axis: an integer in ``[-rank, rank)``.
        num: the expected number of sizes, checked if given.
        name: kept for TensorFlow's signature.

    Returns:
        A list of tensors.

    Raises:
        InvalidArgumentError: the pieces do not add up to the size of the axis, or ``axis`` is out of range.
        ValueError: ``num_or_size_splits`` is a scalar tensor or a float.

    Example:
        >>> [part.numpy() for part in tf.split([1, 2, 3, 4, 5], [2, 3])]
        [array([1, 2], dtype=int32), array([3, 4, 5], dtype=int32)]
    """
    try:
        x = tensor_of(value)
    except CompositeOperand as met:
        return met.call("split", value, num_or_size_splits, axis)
    shape = x._array.shape
    position = nonnegative_axis(axis, len(shape), "split")
    length = shape[position]
    if isinstance(num_or_size_splits, (int, np.integer)):
        count = int(num_or_size_splits)
        if count < 1:
            raise InvalidValueError(f"split: num_or_size_splits must be at least 1, got {count}.")
        if length % count:
            raise InvalidArgumentError(
                "split: Number of ways to split should evenly divide the split dimension, "
                f"but got axis {position} (size = {length}) and num_or_size_splits = {count}."
            )
        sizes = (length // count,) * count
    else:
        if not isinstance(num_or_size_splits, (list, tuple)) and tensor_of(num_or_size_splits)._array.ndim == 0:
            raise ValueError(
                "split: Rank-0 tensors are not supported as the num_or_size_splits argument, "
                f"got {num_or_size_splits!r}: give a Python int or a vector of sizes."
            )
        sizes = _split_sizes(as_python_ints(num_or_size_splits, "split: num_or_size_splits"), length, num)
    return list(_split(x, sizes=sizes, axis=position))


def _split_sizes(sizes: tuple[int, ...], length: int, num: int | None) -> tuple[int, ...]:
    if not sizes or (num is not None and num != len(sizes)):
        refuse("split", f"num_or_size_splits needs {num or 'some'} sizes", InvalidArgumentError, got=sizes)
    if sizes.count(-1) > 1:
        raise InvalidArgumentError(f"split: There can only be one -1 in the sizes, got {list(sizes)}.")
    unknown_size = length - sum([size for size in sizes if size != -1])
    known_sizes = tuple([unknown_size if size == -1 else size for size in sizes])
    if min(known_sizes) < 0 or sum(known_sizes) != length:
        raise InvalidArgumentError(f"split: sizes must be >= 0 and add up to the axis' {length}, got {list(sizes)}.")
    return known_sizes
