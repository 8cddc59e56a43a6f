"""Categories as rows of zeros and ones or of counts, for all layers that number categories."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_choice, require
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.dtypes import as_dtype
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.symbolic import KerasTensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor
from fastgrad._src.structures.sparse.conversion import from_dense
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor


def checked_output_mode(layer: str, output_mode: Any, choices: tuple[str, ...], sparse: Any) -> str:
    """Returns the mode by its present name.

    Raises:
        ValueError: the mode is none of ``choices``, or it is ``"int"`` and the results are to be sparse.
    """
    mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(output_mode, output_mode)
    check_choice(layer, choices, output_mode=mode)
    require(not sparse or mode != "int", layer, "`sparse` needs another `output_mode`", output_mode=output_mode)
    return str(mode)


def encode_categories(
    numbers: Any, output_mode: str, depth: int, dtype: Any, sparse: bool = False, weights: Any = None
) -> Any:
    """Encodes numbers of categories.

    Args:
        numbers: int32 or int64, a tensor, ``RaggedTensor`` or ``SparseTensor``. Numbers outside of [0, depth) count for nothing.
        output_mode: ``"int"``: the numbers; ``"one_hot"``: a row for each number; ``"multi_hot"``: a row for each sample, with ones at
            all its numbers; ``"count"``: a row for each sample, with the number of occurrences of each category.
        depth: the number of categories.
        dtype: the dtype of the result.
        sparse: whether the result is a ``SparseTensor``.
        weights: the weight of each number in mode ``"count"``, of the shape of ``numbers``.

    Returns:
        (..., depth); in mode ``"one_hot"`` a last dimension of 1 is left out before, and rows of a ``RaggedTensor`` are ragged.
    """
    if output_mode == "int":
        return ops.cast(numbers, dtype)
    if not isinstance(numbers, Composite) and not numbers.ndim:
        numbers = ops.expand_dims(numbers, 0)
    if output_mode == "one_hot":
        if isinstance(numbers, RaggedTensor) and not sparse:
            return numbers.with_flat_values(ops.one_hot(numbers.flat_values, depth, dtype=dtype))
        if isinstance(numbers, Composite):
            raise ValueError(f"output_mode 'one_hot' takes tensors, got a {type(numbers).__name__}. Use .to_tensor().")
        if numbers.ndim > 1 and numbers.shape[-1] == 1:
            numbers = ops.squeeze(numbers, -1)
        rows = ops.one_hot(numbers, depth, dtype=dtype)
    elif not isinstance(numbers, Composite) and numbers.ndim > 2:
        rows = ops.one_hot(numbers, depth, dtype=dtype)
        if weights is not None:
            rows = rows * ops.expand_dims(ops.cast(weights, dtype), -1)
        rows = ops.reduce_max(rows, 1) if output_mode == "multi_hot" else ops.reduce_sum(rows, 1)
    else:
        rows = _counts(numbers, depth, dtype, weights)
        if output_mode == "multi_hot":
            rows = ops.minimum(rows, ops.ones((), dtype))
    return from_dense(rows) if sparse else rows


def _counts(numbers: Any, depth: int, dtype: Any, weights: Any) -> Tensor:
    """Returns how often each number below ``depth`` occurs in each row: (rows, depth), or (depth,) for a vector."""
    count: Any = None
    if isinstance(numbers, RaggedTensor):
        flat, samples, count = numbers.flat_values, numbers.value_rowids(), len(numbers.row_splits) - 1
    elif isinstance(numbers, SparseTensor):
        flat, samples, count = numbers.values, numbers.indices[:, 0], numbers.shape[0]
    else:
        flat, samples = ops.reshape(numbers, [-1]), ops.zeros((), dtypes.int64)
        if numbers.ndim == 2:
            count = numbers.shape[0]
            samples = ops.reshape(ops.broadcast_to(ops.range(count, dtype=dtypes.int64)[:, None], numbers.shape), [-1])
    flat = ops.cast(flat, dtypes.int64)
    is_counted = ops.logical_and(flat >= 0, flat < depth)
    positions = ops.where(is_counted, ops.cast(samples, dtypes.int64) * depth + flat, ops.constant(-1, dtypes.int64))
    ones = ops.ones(flat.shape, dtype) if weights is None else ops.reshape(ops.cast(weights, dtype), [-1])
    sums = ops.unsorted_segment_sum(ones, positions, depth * (1 if count is None else count))
    return sums if count is None else ops.reshape(sums, (count, depth))


def encoded_shape(shape: Any, output_mode: str, depth: int | None) -> tuple[int | None, ...]:
    """Returns the shape of the results of ``encode_categories`` for numbers of ``shape``."""
    sizes = tuple(shape)
    if output_mode == "int":
        return sizes
    if output_mode == "one_hot":
        return (*(sizes[:-1] if len(sizes) > 1 and sizes[-1] == 1 else sizes), depth)
    return (*(sizes[:1] + sizes[2:] if len(sizes) > 1 else ()), depth)


def as_categories(value: Any, dtype: Any) -> Any:
    """Converts strings or numbers, also Python's and NumPy's, to a tensor of ``dtype``; composite tensors stay such.

    Raises:
        TypeError, ValueError: the value does not make a tensor of ``dtype``.
    """
    x: Any = value if isinstance(value, Composite) else convert_to_tensor(value)
    return x if dtype is None or as_dtype(x.dtype) is as_dtype(dtype) else ops.cast(x, dtype)


class CategoricalLayer(Layer):
    """The base of layers that take strings or numbers of any dtype, also in lists, and make categories of them."""

    _key_dtype: Any = None

    def _converted_inputs(self, value: Any) -> Any:
        return value if value is None or isinstance(value, bool) else as_categories(value, self._key_dtype)

    def _spec(self, inputs: KerasTensor, dtype: Any) -> KerasTensor:
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype)


class CategoryEncoding(Layer):
    """Encodes category numbers as rows of zeros and ones, or of counts.

    Args:
        num_tokens: the number of categories.
        output_mode: ``"one_hot"``: a row for each number; ``"multi_hot"``: a row for each sample, with ones at all its numbers;
            ``"count"``: a row for each sample, with the number of occurrences of each category.
        sparse: whether the rows are a ``SparseTensor``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: the mode is unknown, or ``num_tokens`` is missing. (At a call: weights in a mode other than ``"count"``.)
        InvalidArgumentError: (at a call) a number is outside [0, num_tokens).
    """

    _leaf = True
    _config_names = ("num_tokens", "output_mode", "sparse")

    _takes_python_values = True

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", sparse: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.output_mode = checked_output_mode(
            "CategoryEncoding", output_mode, ("one_hot", "multi_hot", "count"), sparse
        )
        if num_tokens is None or num_tokens < 1:
            raise ValueError(f"CategoryEncoding: `num_tokens` must be set, and >= 1. Received: {num_tokens=}.")
        self.num_tokens, self.sparse = num_tokens, sparse
        self.autocast = False
        self._build_at_init()

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        """Returns the encoded rows, of shape (..., num_tokens).

        Args:
            inputs: integers, (batch,), (batch, n) or more.
            count_weights: the weight of each number in mode ``"count"``, of the shape of ``inputs``.
        """
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(f"`count_weights` needs output_mode='count'. Received: output_mode={self.output_mode!r}")
        numbers = ops.cast(inputs, dtypes.int64)
        message = f"CategoryEncoding '{self.name}': input values must be in [0, num_tokens={self.num_tokens})"
        values = (
            numbers.flat_values
            if isinstance(numbers, RaggedTensor)
            else numbers.values
            if isinstance(numbers, SparseTensor)
            else numbers
        )
        ops.assert_non_negative(values, message)
        ops.assert_less(values, ops.constant(self.num_tokens, dtypes.int64), message)
        return encode_categories(numbers, self.output_mode, self.num_tokens, self.dtype, self.sparse, count_weights)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape = tuple(input_shape)
        if self.output_mode == "one_hot" and (len(shape) == 1 or shape[-1:] != (1,)):
            return (*shape, self.num_tokens)
        return (*shape[:-1], self.num_tokens)
