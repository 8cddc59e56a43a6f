"""Reordering of elements along an axis: reverse, roll, reverse_sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.lowering import IndexMap
from fastgrad._src.core.operation import Form, Operation, operation
from fastgrad._src.core.result_rules import same_as_first
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.kernels.movement import layout as layouts
from fastgrad._src.kernels.movement.strided import single_result_layouts
from fastgrad._src.ops.arguments import as_python_ints, check_dtype, tensor_of
from fastgrad._src.ops.batching import BatchArg, NotBatched, call_operation, shift_axes_rule
from fastgrad._src.ops.kernel_launches import kernel_operation, launches_from

_LENGTH_DTYPES = frozenset([dtypes.int32.numpy, dtypes.int64.numpy])


def _run_reverse(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return x[tuple([slice(None, None, -1 if axis in axes else 1) for axis in range(x.ndim)])]


_reverse_operation: Operation = operation(
    "reverse",
    Form.INDEX_MAP,
    run=_run_reverse,
    gradient=lambda g, y, x, axes: _reverse_operation(g, axes=axes),
    index_map=IndexMap(
        views=lambda layout, given, results, axes: single_result_layouts(layouts.reversed_layout(layout, given, axes))
    ),
    batched=shift_axes_rule("axis", "axes"),
    simplifications=lambda rules: (rules.compose_reverses, rules.remove_empty_reverse),
)


def reverse(tensor: Any, axis: Any, name: str | None = None) -> Any:
    """``tensor`` with elements in reverse order along some axes.

    Args:
        tensor: any tensor.
        axis: a vector of axes.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: ``axis`` is a scalar, or an axis is out of range or comes twice.
    """
    try:
        x = tensor_of(tensor)
    except CompositeOperand as met:
        return met.call("reverse", tensor, axis)
    rank = x._array.ndim
    if isinstance(axis, (int, np.integer)):
        raise InvalidArgumentError(f"reverse: 'axis' must be a vector of axes, got {axis}: write [{axis}].")
    numbers = as_python_ints(axis, "reverse: axis")
    axes = set()
    for number in numbers:
        if not -rank <= number < rank:
            raise InvalidArgumentError(f"reverse: 'axis' = {number} is out of valid range [{-rank}, {rank}).")
        if number % rank in axes:
            raise InvalidArgumentError(f"reverse: axis {number % rank} specified more than once in {list(numbers)}.")
        axes.add(number % rank)
    return _reverse_operation(x, axes=tuple(sorted(axes)))


_roll_operation: Operation = kernel_operation(
    "roll",
    Form.INDEX_MAP,
    moves_elements=True,
    gradient=lambda g, y, x, shift, axis: _roll_operation(g, shift=tuple([-number for number in shift]), axis=axis),
    launches=launches_from("movement.boxes", "roll_launches"),
    batched=shift_axes_rule("axis", "axes"),
    result=same_as_first,
)


def roll(input: Any, shift: Any, axis: Any, name: str | None = None) -> Tensor:
    """``input`` shifted cyclically along axes.

    Args:
        input: a tensor of rank 1 or more.
        shift: the number of elements to shift towards larger indices: an integer, or one per axis.
        axis: an axis, or as many axes as shifts; shifts of a repeated axis add up.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: ``input`` is a scalar, an axis is out of range, or numbers of shifts and axes differ.
    """
    x = tensor_of(input)
    rank = x._array.ndim
    if not rank:
        raise InvalidArgumentError("roll: input must be 1-D or higher, got a scalar.")
    shifts, axes = as_python_ints(shift, "roll: shift"), as_python_ints(axis, "roll: axis")
    if len(shifts) != len(axes) or _is_scalar(shift) != _is_scalar(axis):
        raise InvalidArgumentError(f"roll: shift and axis must have the same size, got {shift!r} and {axis!r}.")
    for number in axes:
        if not -rank <= number < rank:
            raise InvalidArgumentError(f"roll: axis {number} is out of range [{-rank}, {rank}).")
    return _roll_operation(x, shift=shifts, axis=tuple([number % rank for number in axes]))


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, (list, tuple)) and (isinstance(value, int) or tensor_of(value)._array.ndim == 0)


# ---- reverse_sequence ------------------------------------------------------------------------------


def _check_lengths(array: np.ndarray, size: int) -> None:
    """Raises InvalidArgumentError if a length is negative or above ``size``."""
    invalid = np.flatnonzero((array < 0) | (array > size))
    if len(invalid):
        raise InvalidArgumentError(
            f"reverse_sequence: seq_lengths[{invalid[0]}] = {array[invalid[0]]} is not in [0, {size}]."
        )


def _batched_reverse_sequence(
    name: str, rows: int, /, x: BatchArg, lengths: BatchArg, seq_axis: int, batch_axis: int
) -> Any:
    if lengths.has_rows:
        raise NotBatched  # only the lengths of the first row were checked
    return call_operation(name, x.tensor, lengths.tensor, seq_axis=seq_axis + 1, batch_axis=batch_axis + 1)


_reverse_sequence_operation: Operation = kernel_operation(
    "reverse_sequence",
    Form.GATHER,
    moves_elements=True,
    raise_error=lambda x, lengths, seq_axis, batch_axis: _check_lengths(lengths, x.shape[seq_axis]),
    gradient=(lambda g, y, x, lengths, **axes: _reverse_sequence_operation(g, lengths, **axes), None),
    launches=launches_from("movement.gathering", "reverse_sequence_launches"),
    batched=_batched_reverse_sequence,
    result=same_as_first,
)


def reverse_sequence(
    input: Any, seq_lengths: Any, seq_axis: Any = None, batch_axis: Any = None, name: str | None = None
) -> Tensor:
    """``input`` with the first ``seq_lengths[i]`` elements of batch element i reversed along ``seq_axis``.

    Args:
        input: any tensor.
        seq_lengths: int32 or int64, shape (batch,), each in ``[0, input.shape[seq_axis]]``.
        seq_axis: the axis of the sequences.
        batch_axis: the axis of the batch, default 0.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: lengths are out of range or not one per batch element, or axes are equal or out of range.
    """
    x, lengths = tensor_of(input), tensor_of(seq_lengths)
    rank, array = x._array.ndim, lengths._array
    batch = 0 if batch_axis is None else batch_axis
    for argument, axis in (("seq_axis", seq_axis), ("batch_axis", batch)):
        if axis is None or not -rank <= axis < rank:
            raise InvalidArgumentError(f"reverse_sequence: {argument} = {axis} must be < input rank {rank}.")
    sequence, batch = seq_axis % rank, batch % rank
    if sequence == batch:
        raise InvalidArgumentError(f"reverse_sequence: seq_axis and batch_axis are both {batch}.")
    check_dtype("reverse_sequence (seq_lengths)", array.dtype, _LENGTH_DTYPES)
    shape = x._array.shape
    if array.shape != (shape[batch],):
        refuse("reverse_sequence", f"seq_lengths needs shape [{shape[batch]}]", InvalidArgumentError, got=array.shape)
    return _reverse_sequence_operation(x, lengths, seq_axis=sequence, batch_axis=batch)
