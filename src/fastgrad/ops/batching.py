"""Vectorisation: for each operation, how one call does what as many calls as there are rows do, one a row.

A rule takes the name of its operation, the number of rows, the inputs (`Batched`: tensors, each with whether it has a leading axis of
rows) and the attributes. It gives the results, all with the leading axis. Rows of the operation table have their rule (`batched`); an
operation without a rule is not done for all rows at once. This file has the rules that many operations share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fastgrad.operation import Form, Operation, row_named
from fastgrad.tensor import Tensor


class Batched(NamedTuple):
    """A value.

    Attributes:
        tensor: its values.
        has_rows: whether the first axis is that of rows; else all rows have the same.
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


Rule = Callable[..., Any]


class NotBatched(Exception):
    """The operation can't be done for all rows at once."""


def rule_of(operation: Operation) -> Rule | None:
    """The rule of an operation, if it has one; an element-wise operation without its own broadcasts."""
    if row_named(operation.name) is not operation:
        return None
    return operation.batched or (broadcasting if operation.form is Form.ELEMENTWISE else None)


def call_row(name: str, /, *inputs: Tensor, **attributes: Any) -> Any:
    """A row as a primitive."""
    row = row_named(name)
    assert row is not None, name
    return Operation.__call__(row, *inputs, **attributes)


def spread_rows(x: Batched, rows: int) -> Tensor:
    """The value with a leading axis, whether all rows have the same or not."""
    if x.has_rows:
        return x.tensor
    return call_row("broadcast_to", x.tensor, shape=(rows, *x.shape))


def aligned(x: Batched, rank: int, last: int = 0) -> Tensor:
    """The value so that its rows broadcast with values of this rank; the ``last`` axes stay where they are."""
    if not x.has_rows or x.rank >= rank:
        return x.tensor
    rows, *shape = x.tensor._array.shape
    return call_row("reshape", x.tensor, shape=(rows, *[1] * (rank - len(shape)), *shape))


def broadcasting(name: str, rows: int, /, *inputs: Batched, **attributes: Any) -> Any:
    """A rule of operations whose inputs broadcast."""
    rank = max([x.rank for x in inputs])
    return call_row(name, *[aligned(x, rank) for x in inputs], **attributes)


def leading_axes(name: str, rows: int, /, *inputs: Batched, **attributes: Any) -> Any:
    """A rule of operations that take any number of leading axes."""
    return call_row(name, *[spread_rows(x, rows) for x in inputs], **attributes)


def leading_axes_of_first(name: str, rows: int, /, *inputs: Batched, **attributes: Any) -> Any:
    """Operations whose first input may have more axes, and whose other inputs are the same for all rows."""
    if any(x.has_rows for x in inputs[1:]):
        raise NotBatched
    return call_row(name, *[x.tensor for x in inputs], **attributes)


def axis_after_rows(axis: Any) -> Any:
    """An axis of one row's value, or a tuple of them, where rows are the first axis."""
    if isinstance(axis, tuple):
        return tuple([axis_after_rows(one) for one in axis])
    if axis is None:
        raise NotBatched
    return axis + 1 if axis >= 0 else axis


def axes_after_rows(*names: str, first: bool = False) -> Rule:
    """Operations whose attributes ``names`` are axes, which stand one further on; if ``first``, of the first input alone."""
    run = leading_axes_of_first if first else leading_axes

    def rule(name: str, rows: int, /, *inputs: Batched, **attributes: Any) -> Any:
        return run(name, rows, *inputs, **{k: axis_after_rows(v) if k in names else v for k, v in attributes.items()})

    return rule


def sizes_after_rows(*names: str, before: Any = None, first: bool = False) -> Rule:
    """Operations whose attributes ``names`` say something of each axis; ``before`` is said of the axis of rows, its size if None."""
    axes = axes_after_rows("axis", "axes", first=first)

    def rule(name: str, rows: int, /, *inputs: Batched, **attributes: Any) -> Any:
        more = {k: (rows if before is None else before, *v) for k, v in attributes.items() if k in names}
        return axes(name, rows, *inputs, **{**attributes, **more})

    return rule


def rows_in_front(x: Tensor, axis: int) -> Tensor:
    """The axis of rows, found at ``axis``, as the first."""
    if not axis:
        return x
    others = [one for one in range(x._array.ndim) if one != axis]
    return call_row("transpose", x, perm=(axis, *others))


def as_one_batch(name: str, rows: int, /, *inputs: Batched, **attributes: Any) -> Any:
    """Operations whose inputs have a first axis of examples, each of which is treated alone: rows are more of them."""
    given = [spread_rows(x, rows) for x in inputs]
    merged = [call_row("reshape", x, shape=(rows * x._array.shape[1], *x._array.shape[2:])) for x in given]
    found = call_row(name, *merged, **attributes)
    outputs = found if type(found) is tuple else (found,)
    examples = inputs[0].shape[0]
    return tuple([call_row("reshape", y, shape=(rows, examples, *y._array.shape[1:])) for y in outputs])


def as_more_examples(name: str, rows: int, /, x: Batched, *others: Batched, **attributes: Any) -> Any:
    """As ``as_one_batch``, where all examples are treated by the same other inputs."""
    if any(other.has_rows for other in others):
        raise NotBatched
    examples, *shape = x.shape
    found = call_row(
        name, call_row("reshape", x.tensor, shape=(rows * examples, *shape)), *[y.tensor for y in others], **attributes
    )
    outputs = found if type(found) is tuple else (found,)
    return tuple([call_row("reshape", y, shape=(rows, examples, *y._array.shape[1:])) for y in outputs])
