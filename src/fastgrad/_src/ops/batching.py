"""Batching rules: one call of an operation computes the results of many calls, one for each row.

A rule takes the name of its operation, the number of rows, the inputs and the attributes. An input is a `Batched`: a tensor, and
whether it has a leading axis of rows. The rule returns the results, all with the leading axis. An entry of the operation table has its
rule in `batched`; an operation without a rule can't be batched. This file holds the rules that many operations share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fastgrad._src.core.operation import Form, Operation, operation_named
from fastgrad._src.core.tensor import Tensor


class BatchArg(NamedTuple):
    """An argument of a batching rule: a tensor, and whether its first axis is the axis of rows.

    Attributes:
        tensor: the values.
        has_rows: whether the first axis is the axis of rows; else all rows have the same value.
    """

    tensor: Tensor
    has_rows: bool

    @property
    def rank(self) -> int:
        """The rank of one row's value."""
        return self.tensor._array.ndim - self.has_rows

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row's value."""
        return self.tensor._array.shape[self.has_rows :]


BatchingRule = Callable[..., Any]
"""A batching rule: a function of an operation's name, the number of rows, its inputs (``Batched``) and attributes."""


class NotBatched(Exception):
    """Raised if an operation can't be batched."""


def batching_rule_of(operation: Operation) -> BatchingRule | None:
    """Returns the batching rule of ``operation`` or None; by default an element-wise operation broadcasts."""
    if operation_named(operation.name) is not operation:
        return None
    return operation.batched or (broadcasting_rule if operation.form is Form.ELEMENTWISE else None)


def call_operation(name: str, /, *inputs: Tensor, **attributes: Any) -> Any:
    """Calls the operation ``name`` on tensors, without the checks and conversions of its public function."""
    row = operation_named(name)
    assert row is not None, name
    return Operation.__call__(row, *inputs, **attributes)


def broadcast_rows(x: BatchArg, rows: int) -> Tensor:
    """Returns the tensor of ``x`` with a leading axis of rows, broadcast if all rows have the same value."""
    if x.has_rows:
        return x.tensor
    return call_operation("broadcast_to", x.tensor, shape=(rows, *x.shape))


def pad_rank(x: BatchArg, rank: int) -> Tensor:
    """Inserts axes of size 1 after the axis of rows, so that the rows of ``x`` broadcast with values of ``rank``."""
    if not x.has_rows or x.rank >= rank:
        return x.tensor
    rows, *shape = x.tensor._array.shape
    return call_operation("reshape", x.tensor, shape=(rows, *[1] * (rank - len(shape)), *shape))


def broadcasting_rule(name: str, rows: int, /, *inputs: BatchArg, **attributes: Any) -> Any:
    """The batching rule of operations whose inputs broadcast."""
    rank = max([x.rank for x in inputs])
    return call_operation(name, *[pad_rank(x, rank) for x in inputs], **attributes)


def leading_axes_rule(name: str, rows: int, /, *inputs: BatchArg, **attributes: Any) -> Any:
    """The batching rule of operations that take any number of leading axes."""
    return call_operation(name, *[broadcast_rows(x, rows) for x in inputs], **attributes)


def first_input_leading_axes_rule(name: str, rows: int, /, *inputs: BatchArg, **attributes: Any) -> Any:
    """The batching rule of operations whose first input takes leading axes; all rows must share the other inputs."""
    if any(x.has_rows for x in inputs[1:]):
        raise NotBatched
    return call_operation(name, *[x.tensor for x in inputs], **attributes)


def axis_after_rows(axis: Any) -> Any:
    """Converts an axis (or a tuple of axes) of one row's value to an axis of the value with rows first."""
    if isinstance(axis, tuple):
        return tuple([axis_after_rows(single_axis) for single_axis in axis])
    if axis is None:
        raise NotBatched
    return axis + 1 if axis >= 0 else axis


def shift_axes_rule(*names: str, first_only: bool = False) -> BatchingRule:
    """Returns a batching rule that adds 1 to the axes in the attributes ``names``, for the axis of rows in front."""
    run = first_input_leading_axes_rule if first_only else leading_axes_rule

    def rule(name: str, rows: int, /, *inputs: BatchArg, **attributes: Any) -> Any:
        return run(name, rows, *inputs, **{k: axis_after_rows(v) if k in names else v for k, v in attributes.items()})

    return rule


def extend_sizes_rule(*names: str, row_entry: Any = None, first_only: bool = False) -> BatchingRule:
    """Returns a batching rule for attributes ``names`` with one entry for each axis.

    The entry for the axis of rows is ``row_entry``; None: the number of rows. ``first_only``: only the first input has rows.
    """
    axes_rule = shift_axes_rule("axis", "axes", first_only=first_only)

    def rule(name: str, rows: int, /, *inputs: BatchArg, **attributes: Any) -> Any:
        extended = {k: (rows if row_entry is None else row_entry, *v) for k, v in attributes.items() if k in names}
        return axes_rule(name, rows, *inputs, **{**attributes, **extended})

    return rule


def move_rows_to_front(x: Tensor, axis: int) -> Tensor:
    """Returns ``x`` with its axis of rows, which is at position ``axis``, moved to the front."""
    if not axis:
        return x
    other_axes = [other_axis for other_axis in range(x._array.ndim) if other_axis != axis]
    return call_operation("transpose", x, perm=(axis, *other_axes))


def rows_into_batch_rule(name: str, rows: int, /, *inputs: BatchArg, **attributes: Any) -> Any:
    """The batching rule of operations that treat each example alone: merges rows and examples into one axis."""
    inputs_with_rows = [broadcast_rows(x, rows) for x in inputs]
    merged_inputs = [
        call_operation("reshape", x, shape=(rows * x._array.shape[1], *x._array.shape[2:])) for x in inputs_with_rows
    ]
    return _unmerge_rows(call_operation(name, *merged_inputs, **attributes), rows, inputs[0].shape[0])


def first_rows_into_batch_rule(name: str, rows: int, /, x: BatchArg, *others: BatchArg, **attributes: Any) -> Any:
    """The batching rule of operations that treat each example of ``x`` alone, with the same ``others`` for all rows."""
    if any(other.has_rows for other in others):
        raise NotBatched
    examples, *shape = x.shape
    result = call_operation(
        name,
        call_operation("reshape", x.tensor, shape=(rows * examples, *shape)),
        *[y.tensor for y in others],
        **attributes,
    )
    return _unmerge_rows(result, rows, examples)


def _unmerge_rows(result: Any, rows: int, examples: int) -> tuple[Tensor, ...]:
    outputs = result if type(result) is tuple else (result,)
    return tuple([call_operation("reshape", y, shape=(rows, examples, *y._array.shape[1:])) for y in outputs])
