"""Element-wise functions of ragged tensors with equal row splits: they run on the flat values."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import InvalidValueError
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_like
from fastgrad._src.ops.indexing import gather
from fastgrad._src.ops.shaping import broadcast_to, reshape
from fastgrad._src.structures.ragged import dense
from fastgrad._src.structures.ragged.indexing import rows_at
from fastgrad._src.structures.ragged.partition import check_equal_splits
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor


def map_elementwise(function: Callable[..., Any], *operands: Any) -> Any:
    """Applies an element-wise ``function`` to ``operands``, at least one of which is ragged.

    Dense operands broadcast: along a ragged dimension they have size 1, or the length that all rows share.

    Raises:
        InvalidArgumentError: operands have different row splits.
    """
    name = getattr(function, "__name__", "map_flat_values")
    rows = max(len(x.row_splits) for x in operands if isinstance(x, RaggedTensor)) - 1
    operands = tuple([_broadcast_rows(x, rows) if isinstance(x, RaggedTensor) else x for x in operands])
    ragged = [x for x in operands if isinstance(x, RaggedTensor)]
    first = ragged[0]
    _check_equal_splits(ragged, name)
    flat_operands = [
        x.flat_values if isinstance(x, RaggedTensor) else _broadcast_to_flat_values(first, x, name) for x in operands
    ]
    result = function(*flat_operands)
    return first._with_flat_values(result)


def _broadcast_rows(x: RaggedTensor, rows: int) -> RaggedTensor:
    """Broadcasts a ragged tensor of one row to ``rows`` rows."""
    if len(x.row_splits) != 2 or rows == 1:
        return x
    repeated: RaggedTensor = rows_at(x, constant_tensor(np.zeros(rows, x.row_splits.dtype.numpy)))
    return repeated


def _check_equal_splits(ragged: list[RaggedTensor], name: str) -> None:
    if len({x.ragged_rank for x in ragged}) > 1:
        raise InvalidValueError(f"{name}: Incompatible shapes: {[x.shape for x in ragged]}: ragged dimensions differ.")
    for level in zip(*[x.nested_row_splits for x in ragged], strict=True):
        check_equal_splits(list(level), name)


def _broadcast_to_flat_values(ragged: RaggedTensor, other: Any, name: str) -> Any:
    """Broadcasts a dense operand ``other`` to the flat values of ``ragged``."""
    if other is None or isinstance(other, (bool, int, float, complex, str, bytes)):
        return other
    x = other if isinstance(other, Tensor) else convert_like(other, ragged.flat_values._array.dtype)
    inner = ragged.flat_values.ndim - 1
    if x.ndim <= inner:
        return x
    rank = ragged.ragged_rank + 1 + inner
    if x.ndim > rank:
        raise InvalidArgumentError(f"{name}: Incompatible shapes: {ragged.shape} vs. {x.shape}.")
    x = reshape(x, [1] * (rank - x.ndim) + list(x._array.shape))
    return _gather_for_flat_values(ragged, x, name)


def _gather_for_flat_values(ragged: RaggedTensor, x: Tensor, name: str) -> Tensor:
    """Gathers the element of the dense ``x`` for each flat value of ``ragged``; axis 0 of ``x`` is the axis of rows."""
    rows, (outer, row_length, *inner_shape) = len(ragged.row_splits) - 1, x._array.shape
    if outer not in (1, rows):
        raise InvalidArgumentError(f"{name}: Incompatible shapes: {ragged.shape} vs. {x.shape}.")
    if row_length == 1:
        values = reshape(x, [outer, *inner_shape])
        if outer != 1:
            values = gather(values, ragged.value_rowids())
    else:
        ragged_x = dense.from_tensor(
            broadcast_to(x, [rows, row_length, *inner_shape]), None, None, 1, ragged.row_splits.dtype
        )
        check_equal_splits([ragged.row_splits, ragged_x.row_splits], name)
        values = ragged_x.values
    inner_values = ragged.values
    return _gather_for_flat_values(inner_values, values, name) if isinstance(inner_values, RaggedTensor) else values


def map_flat_values(op: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Applies ``op`` to the flat values of its ragged arguments; the result has their row splits.

    Args:
        op: a function whose result has as many rows as the flat values.
        *args: the arguments of ``op``; ``flat_values`` replace ragged tensors, also inside of lists.
        **kwargs: keyword arguments of ``op``, treated as ``args``.

    Returns:
        A ``RaggedTensor``, or the result of ``op`` if no argument is ragged. TensorFlow: tf.ragged.map_flat_values.

    Raises:
        InvalidArgumentError: the ragged tensors have different row splits.
        ValueError: the result has a different number of rows.
    """
    ragged: list[RaggedTensor] = []

    def flat(value: Any) -> Any:
        if isinstance(value, RaggedTensor):
            ragged.append(value)
            return value.flat_values
        if type(value) in (list, tuple):
            return type(value)([flat(item) for item in value])
        return value

    flat_args = [flat(value) for value in args]
    flat_kwargs = {name: flat(value) for name, value in kwargs.items()}
    result = op(*flat_args, **flat_kwargs)
    if not ragged:
        return result
    _check_equal_splits(ragged, "map_flat_values")
    count = len(ragged[0].flat_values)
    if not isinstance(result, RaggedTensor) and (not result.ndim or len(result) != count):
        raise ValueError(f"map_flat_values: `op` must keep the outer-dimension size {count}, got {result.shape}.")
    return ragged[0]._with_flat_values(result)


# ---- Python's operators --------------------------------------------------------------------------------------


def _install_operator(symbol: str, function: Callable[..., Any], is_reflected: bool = False) -> None:
    """Installs the method ``__symbol__`` of ragged tensors; with ``is_reflected`` also ``__rsymbol__``."""

    def forward(*operands: Any) -> Any:
        if operands[-1] is None and symbol in ("eq", "ne"):
            return symbol == "ne"
        return map_elementwise(function, *operands)

    setattr(RaggedTensor, f"__{symbol}__", forward)
    if is_reflected:
        setattr(RaggedTensor, f"__r{symbol}__", lambda x, y: map_elementwise(function, y, x))


for _symbol in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor"):
    _install_operator(_symbol, getattr(operator, f"__{_symbol}__"), is_reflected=True)
for _symbol in ("lt", "le", "gt", "ge", "eq", "ne", "neg", "abs", "invert"):
    _install_operator(_symbol, getattr(operator, _symbol))
