"""Rows at once: for each operation, how one call does what as many calls as there are rows do, one a row.

A rule takes the inputs (tensors, each with whether it has a leading axis of rows), the number of rows and the
attributes; it gives the results, all with the leading axis. An operation without one is not done at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastgrad.operation import Form, Operation, row_named
from fastgrad.tensor import Tensor, constant_tensor


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
    """The rule of an operation, if it has one."""
    if row_named(operation.name) is not operation:
        return None
    own: Rule | None = getattr(operation, "batched", None)  # of a user's function of arrays
    if own is not None:
        return own
    return RULES.get(operation.name, _broadcasting if operation.form is Form.ELEMENTWISE else None)


def call(name: str, /, *inputs: Tensor, **attributes: Any) -> Any:
    """A row as a primitive."""
    row = row_named(name)
    assert row is not None, name
    return Operation.__call__(row, *inputs, **attributes)


def spread_rows(x: Batched, rows: int) -> Tensor:
    """The value with a leading axis, whether all rows have the same or not."""
    if x.has_rows:
        return x.tensor
    return call("broadcast_to", x.tensor, shape=(rows, *x.shape))


def _aligned(x: Batched, rank: int, last: int = 0) -> Tensor:
    """The value so that its rows broadcast with values of this rank; the ``last`` axes stay where they are."""
    if not x.has_rows or x.rank >= rank:
        return x.tensor
    rows, *shape = x.tensor._array.shape
    return call("reshape", x.tensor, shape=(rows, *[1] * (rank - len(shape)), *shape))


def _broadcasting(name: str, rows: int, /, *inputs: Batched, **attributes: Any) -> Any:
    rank = max([x.rank for x in inputs])
    return call(name, *[_aligned(x, rank) for x in inputs], **attributes)


def _leading(name: str, rows: int, /, *inputs: Batched, **attributes: Any) -> Any:
    """Operations that take any number of leading axes."""
    return call(name, *[spread_rows(x, rows) for x in inputs], **attributes)


def _first_leads(name: str, rows: int, /, *inputs: Batched, **attributes: Any) -> Any:
    """Operations whose first input may have more axes, and whose other inputs are the same for all rows."""
    if any(x.has_rows for x in inputs[1:]):
        raise NotBatched
    return call(name, *[x.tensor for x in inputs], **attributes)


def _moved(axis: Any) -> Any:
    if isinstance(axis, tuple):
        return tuple([_moved(one) for one in axis])
    if axis is None:
        raise NotBatched
    return axis + 1 if axis >= 0 else axis


def _with(*names: str, first: bool = False) -> Rule:
    """Operations whose attributes ``names`` are axes, which stand one further on; if ``first``, of the first input alone."""
    run = _first_leads if first else _leading

    def rule(name: str, rows: int, /, *inputs: Batched, **attributes: Any) -> Any:
        return run(name, rows, *inputs, **{k: _moved(v) if k in names else v for k, v in attributes.items()})

    return rule


def _shaped(*names: str, before: Any = None, first: bool = False) -> Rule:
    """Operations whose attributes ``names`` say something of each axis; ``before`` is said of the axis of rows, its size if None."""
    axes = _with("axis", "axes", first=first)

    def rule(name: str, rows: int, /, *inputs: Batched, **attributes: Any) -> Any:
        more = {k: (rows if before is None else before, *v) for k, v in attributes.items() if k in names}
        return axes(name, rows, *inputs, **{**attributes, **more})

    return rule


# ---- one by one --------------------------------------------------------------------------------------


def _matmul(name: str, rows: int, /, a: Batched, b: Batched, transpose_a: bool, transpose_b: bool) -> Any:
    if a.rank == 2 and b.rank == 2 and not b.has_rows and not transpose_a:
        m, k = a.shape  # one large product instead of many small ones
        y = call(
            name,
            call("reshape", a.tensor, shape=(rows * m, k)),
            b.tensor,
            transpose_a=False,
            transpose_b=transpose_b,
        )
        return call("reshape", y, shape=(rows, m, y._array.shape[-1]))
    rank = max(a.rank, b.rank)
    return call(name, _aligned(a, rank), _aligned(b, rank), transpose_a=transpose_a, transpose_b=transpose_b)


def _broadcast_to(name: str, rows: int, /, x: Batched, shape: tuple[int, ...]) -> Any:
    return call(name, _aligned(x, len(shape)), shape=(rows, *shape))


def _transpose(name: str, rows: int, /, x: Batched, perm: tuple[int, ...]) -> Any:
    return call(name, x.tensor, perm=(0, *[axis + 1 for axis in perm]))


def _whole(rows: int) -> tuple[int, int, int]:
    """What a key says of the axis of rows: all of it."""
    return 0, rows, 1


def _slice(name: str, rows: int, /, x: Batched, key: tuple[Any, ...]) -> Any:
    return call(name, x.tensor, key=(_whole(rows), *key))


def _slice_gradient(name: str, rows: int, /, g: Batched, key: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    return call(name, g.tensor, key=(_whole(rows), *key), shape=(rows, *shape))


def _slice_assign(name: str, rows: int, /, x: Batched, part: Batched, key: tuple[Any, ...]) -> Any:
    rank = x.rank - sum([isinstance(item, int) for item in key]) + sum([item is None for item in key])
    return call(name, spread_rows(x, rows), _aligned(part, rank), key=(_whole(rows), *key))


def _in_front(x: Tensor, axis: int) -> Tensor:
    """The axis of rows, found at ``axis``, as the first."""
    if not axis:
        return x
    others = [one for one in range(x._array.ndim) if one != axis]
    return call("transpose", x, perm=(axis, *others))


def _gather(name: str, rows: int, /, x: Batched, ids: Batched, axis: int, batch_dims: int) -> Any:
    if not batch_dims and not ids.has_rows:
        return call(name, x.tensor, ids.tensor, axis=axis + 1, batch_dims=0)
    if not batch_dims and not x.has_rows:
        return _in_front(call(name, x.tensor, ids.tensor, axis=axis, batch_dims=0), axis)
    return call(name, spread_rows(x, rows), spread_rows(ids, rows), axis=axis + 1, batch_dims=batch_dims + 1)


def _gather_gradient(
    name: str, rows: int, /, g: Batched, ids: Batched, shape: tuple[int, ...], axis: int, batch_dims: int
) -> Any:
    both = spread_rows(g, rows), spread_rows(ids, rows)
    return call(name, *both, shape=(rows, *shape), axis=axis + 1, batch_dims=batch_dims + 1)


def _with_row_numbers(ids: Batched, rows: int) -> Tensor:
    """Positions in a tensor with a leading axis: the number of the row before each."""
    array = spread_rows(ids, rows)
    shape = (*array._array.shape[:-1], 1)
    numbers = np.arange(rows, dtype=array._array.dtype).reshape(rows, *[1] * (len(shape) - 1))
    spread = call("broadcast_to", constant_tensor(numbers), shape=shape)
    return call("concat", spread, array, axis=len(shape) - 1)


def _gather_nd(name: str, rows: int, /, x: Batched, ids: Batched, **attributes: Any) -> Any:
    if not x.has_rows:
        return call(name, x.tensor, ids.tensor, **attributes)
    return call(name, x.tensor, _with_row_numbers(ids, rows), **attributes)


def _scatter_nd(
    name: str, rows: int, /, ids: Batched, updates: Batched, shape: tuple[int, ...], **attributes: Any
) -> Any:
    given = _with_row_numbers(ids, rows), spread_rows(updates, rows)
    return call(name, *given, shape=(rows, *shape), **attributes)


def _tensor_scatter(name: str, rows: int, /, x: Batched, ids: Batched, updates: Batched, **attributes: Any) -> Any:
    return call(name, spread_rows(x, rows), _with_row_numbers(ids, rows), spread_rows(updates, rows), **attributes)


def _segments(name: str, rows: int, /, data: Batched, ids: Batched, **attributes: Any) -> Any:
    if ids.has_rows:
        raise NotBatched
    last = data.rank  # rows are the last axis of what is added up
    found = call(name, call("transpose", data.tensor, perm=(*range(1, last + 1), 0)), ids.tensor, **attributes)
    return _in_front(found, found._array.ndim - 1)


def _one_hot(name: str, rows: int, /, ids: Batched, on: Batched, off: Batched, depth: int, axis: int) -> Any:
    if on.has_rows or off.has_rows:
        raise NotBatched
    return call(name, ids.tensor, on.tensor, off.tensor, depth=depth, axis=_moved(axis))


def _as_one_batch(name: str, rows: int, /, *inputs: Batched, **attributes: Any) -> Any:
    """Operations whose inputs have a first axis of examples, each of which is treated alone: rows are more of them."""
    given = [spread_rows(x, rows) for x in inputs]
    merged = [call("reshape", x, shape=(rows * x._array.shape[1], *x._array.shape[2:])) for x in given]
    found = call(name, *merged, **attributes)
    outputs = found if type(found) is tuple else (found,)
    examples = inputs[0].shape[0]
    return tuple([call("reshape", y, shape=(rows, examples, *y._array.shape[1:])) for y in outputs])


def _more_examples(name: str, rows: int, /, x: Batched, *others: Batched, **attributes: Any) -> Any:
    """As ``_as_one_batch``, where all examples are treated by the same other inputs."""
    if any(other.has_rows for other in others):
        raise NotBatched
    examples, *shape = x.shape
    found = call(
        name, call("reshape", x.tensor, shape=(rows * examples, *shape)), *[y.tensor for y in others], **attributes
    )
    outputs = found if type(found) is tuple else (found,)
    return tuple([call("reshape", y, shape=(rows, examples, *y._array.shape[1:])) for y in outputs])


def _more_columns(name: str, rows: int, /, x: Batched, **attributes: Any) -> Any:
    """Operations that treat each column of a matrix alone: rows are more of them."""
    height, width = x.shape
    columns = call("reshape", call("transpose", x.tensor, perm=(1, 0, 2)), shape=(height, rows * width))
    return tuple([call("reshape", y, shape=(rows, width)) for y in call(name, columns, **attributes)])


def _attention(name: str, rows: int, /, *inputs: Batched, masked: bool, rate: float, **attributes: Any) -> Any:
    if rate:
        raise NotBatched  # what is dropped depends on the number of the example
    if masked:
        *arrays, mask = inputs
        spread = call("broadcast_to", mask.tensor, shape=(rows, inputs[0].shape[0], *mask.shape[1:]))
        inputs = (*arrays, Batched(spread, True))
    return _as_one_batch(name, rows, *inputs, masked=masked, rate=rate, **attributes)


def _sequences(*shared: int) -> Rule:
    """Recurrent layers, time steps first, whose inputs at these places are the same for all rows: rows are more sequences."""

    def rule(name: str, rows: int, /, *inputs: Batched, **attributes: Any) -> Any:
        given = []
        for place, x in enumerate(inputs):
            if place in shared:
                if x.has_rows:
                    raise NotBatched
                given.append(x.tensor)
                continue
            y = spread_rows(x, rows)
            if x.rank == 3 or x.tensor._array.dtype.kind == "b":  # a mask has time steps, too
                steps, count, *width = x.shape
                y = call("transpose", y, perm=(1, 0, *range(2, y._array.ndim)))
                given.append(call("reshape", y, shape=(steps, rows * count, *width)))
            else:
                given.append(call("reshape", y, shape=(rows * x.shape[0], *x.shape[1:])))
        found = call(name, *given, **attributes)
        return tuple([_apart(y, rows) for y in (found if type(found) is tuple else (found,))])

    return rule


def _apart(y: Tensor, rows: int) -> Tensor:
    """The sequences of each row, with an axis of rows in front."""
    *steps, count, width = y._array.shape
    return _in_front(call("reshape", y, shape=(*steps, rows, count // rows, width)), len(steps))


def _layer_normalization_gradient(
    name: str, rows: int, /, g: Batched, x: Batched, gamma: Batched, mean: Batched, inverse: Batched
) -> Any:
    if gamma.has_rows:
        raise NotBatched
    each = [spread_rows(one, rows) for one in (g, x, mean, inverse)]
    merged = [call("reshape", y, shape=(rows * x.shape[0], *y._array.shape[2:])) for y in each]
    dx, _, _ = call(name, *merged[:2], gamma.tensor, *merged[2:])
    columns = [call("reshape", y, shape=(rows, x.shape[0], 1)) for y in each[2:]]
    normal = call("multiply", call("subtract", each[1], columns[0]), columns[1])
    sums = [call("reduce_sum", y, axes=(1,), keepdims=False) for y in (call("multiply", each[0], normal), each[0])]
    return (call("reshape", dx, shape=(rows, *x.shape)), *sums)


def _searchsorted(name: str, rows: int, /, sequence: Batched, values: Batched, **attributes: Any) -> Any:
    if sequence.rank == 1 and not sequence.has_rows:
        return call(name, sequence.tensor, values.tensor, **attributes)
    if sequence.rank != values.rank:
        raise NotBatched
    return _leading(name, rows, sequence, values, **attributes)


def _reverse_sequence(name: str, rows: int, /, x: Batched, lengths: Batched, seq_axis: int, batch_axis: int) -> Any:
    if lengths.has_rows:
        raise NotBatched  # only the first row's were looked at
    return call(name, x.tensor, lengths.tensor, seq_axis=seq_axis + 1, batch_axis=batch_axis + 1)


def _max_pool_argmax(name: str, rows: int, /, *inputs: Batched, with_batch: bool, **attributes: Any) -> Any:
    if with_batch:
        raise NotBatched
    return _as_one_batch(name, rows, *inputs, with_batch=False, **attributes)


def _unravel_index(name: str, rows: int, /, ids: Batched, **attributes: Any) -> Any:
    return _in_front(call(name, ids.tensor, **attributes), 1)


RULES: dict[str, Rule] = {
    "attention": _attention,
    "attention_gradient": _attention,
    "lstm": _sequences(1, 2),
    "lstm_gradient": _sequences(2),
    "gru": _sequences(1, 2),
    "gru_gradient": _sequences(3),
    "simple_rnn": _sequences(1, 2),
    "simple_rnn_gradient": _sequences(1),
    "layer_normalization_gradient": _layer_normalization_gradient,
    "searchsorted": _searchsorted,
    "reverse_sequence": _reverse_sequence,
    "max_pool_argmax": _max_pool_argmax,
    "unravel_index": _unravel_index,
    "batch_moments": _more_columns,
    "copy_to_device": _broadcasting,
    "matmul": _matmul,
    "wide_product": _matmul,
    "broadcast_to": _broadcast_to,
    "transpose": _transpose,
    "strided_slice": _slice,
    "strided_slice_gradient": _slice_gradient,
    "strided_slice_assign": _slice_assign,
    "gather": _gather,
    "gather_gradient": _gather_gradient,
    "gather_nd": _gather_nd,
    "scatter_nd": _scatter_nd,
    "one_hot": _one_hot,
    "reshape": _shaped("shape"),
    "spread": _shaped("shape"),
    "tile": _shaped("multiples", before=1),
    "pad": _shaped("paddings", before=(0, 0), first=True),
    "mirror_pad": _shaped("paddings", before=(0, 0)),
    "mirror_pad_gradient": _shaped("paddings", before=(0, 0)),
    "clip_by_norm": _with("axes", first=True),
}
"""By the name of the row of the table; element-wise rows that are not here broadcast."""


def _each(names: str, rule: Rule) -> None:
    RULES.update(dict.fromkeys(names.split(), rule))


_each(
    "argmax argmin count_nonzero finite_maximum reduce_all reduce_any reduce_euclidean_norm reduce_logsumexp reduce_max "
    "reduce_mean reduce_min reduce_prod reduce_sum concat reverse roll shifted split stack unstack cumprod cumsum "
    "cumulative_logsumexp softmax_across softmax_across_gradient log_softmax_across log_softmax_across_gradient "
    "linear_recurrence take_along_axis put_along_axis argsort sort",
    _with("axis", "axes"),
)
_each(
    "add_n recomputed_input stop_gradient check_numerics band_part diag diag_part set_diag softmax softmax_gradient "
    "log_softmax log_softmax_gradient cholesky cross det eig eigh expm inv lu qr slogdet solve svd triangular_solve top_k "
    "bitcast logm pinv sqrtm",
    _leading,
)
_each(
    "tensor_scatter_nd_add tensor_scatter_nd_max tensor_scatter_nd_min tensor_scatter_nd_update",
    _tensor_scatter,
)
_each(
    "gather_segments unsorted_segment_max unsorted_segment_min unsorted_segment_prod unsorted_segment_sum",
    _segments,
)
_each(
    "sparse_softmax_cross_entropy sparse_softmax_cross_entropy_gradient softmax_cross_entropy softmax_cross_entropy_gradient "
    "in_top_k avg_pool avg_pool_gradient max_pool max_pool_gather max_pool_scatter",
    _as_one_batch,
)
_each("convolution convolution_backprop_input layer_normalization", _more_examples)
