"""Raw operations on ragged and sparse tensors, strings and serialized examples that no public function computes alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.compat.raw_ops.composed import sparse_parts
from fastgrad._src.core import dtypes
from fastgrad._src.core.eager import get_static_value
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.files.records.example_parsing import parse_example
from fastgrad._src.files.records.features import FixedLenFeature, FixedLenSequenceFeature, RaggedFeature, VarLenFeature
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor
from fastgrad._src.structures.sparse.array_ops import fill_empty_rows
from fastgrad._src.structures.sparse.crossing import cross, cross_hashed
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor
from fastgrad._src.structures.strings import splitting
from fastgrad._src.structures.strings.unicode import unicode_decode_with_offsets


def nested_rows(splits: Sequence[Any], values: Any) -> Any:
    """Returns the ragged tensor of nested row splits, the outer ones first."""
    return RaggedTensor.from_nested_row_splits(
        convert_to_tensor(values), [convert_to_tensor(part) for part in splits], validate=False
    )


def dense_rows(
    shape: Any,
    values: Any,
    default_value: Any,
    row_partition_tensors: Sequence[Any],
    row_partition_types: Sequence[str],
) -> Any:
    """The tensor of a ragged tensor, with ``default_value`` behind its rows.

    Raises:
        InvalidArgumentError: the types of partitions are others than TensorFlow's, or are in another order.
    """
    types, partitions = list(row_partition_types), list(row_partition_tensors)
    if types[:1] == ["FIRST_DIM_SIZE"] and set(types[1:]) == {"VALUE_ROWIDS"}:
        row_counts = [
            partitions[0],
            *[ops.size(ids, out_type=ids.dtype) for ids in map(convert_to_tensor, partitions[1:-1])],
        ]
        for ids, count in zip(partitions[:0:-1], row_counts[::-1], strict=True):
            values = RaggedTensor.from_value_rowids(values, ids, ops.cast(count, dtypes.int64), validate=False)
    elif types and set(types) == {"ROW_SPLITS"}:
        values = nested_rows(partitions, values)
    else:
        raise InvalidArgumentError(
            None,
            None,
            "RaggedTensorToTensor: row_partition_types must be ROW_SPLITS, or FIRST_DIM_SIZE and then VALUE_ROWIDS; got "
            f"{types}.",
        )
    sizes = convert_to_tensor(shape)
    known = [
        None if size < 0 else size
        for size in ops.as_python_ints(ops.reshape(sizes, [-1]), "RaggedTensorToTensor: shape")
    ]
    return values.to_tensor(default_value, shape=known if sizes.shape.rank else None)


def sparse_rows(splits: Sequence[Any], values: Any) -> tuple[Any, Any, Any]:
    """The parts of the sparse tensor of a ragged tensor."""
    return sparse_parts(nested_rows(splits, values).to_sparse())


def ragged_bincount(splits: Any, values: Any, size: Any, weights: Any, binary_output: bool) -> Any:
    """The counts, or sums of weights, of the numbers from 0 to ``size`` - 1 in each row."""
    weights = convert_to_tensor(weights)
    rows = nested_rows([splits], values)
    factors = rows.with_flat_values(weights) if weights.shape[0] else None
    return ops.bincount(
        rows, factors, minlength=size, maxlength=size, dtype=weights.dtype, axis=-1, binary_output=binary_output
    )


def ngrams(
    data: Any,
    data_splits: Any,
    separator: str,
    ngram_widths: Sequence[int],
    left_pad: str,
    right_pad: str,
    pad_width: int,
    preserve_short_sequences: bool,
) -> tuple[Any, Any]:
    """The n-grams of the strings of each row, and their row splits; a negative ``pad_width`` pads as far as needed."""
    result = splitting.ngrams(
        nested_rows([data_splits], data),
        list(ngram_widths),
        separator,
        (left_pad, right_pad) if pad_width else None,
        pad_width if pad_width > 0 else None,
        preserve_short_sequences,
    )
    return result.flat_values, ops.cast(result.row_splits, convert_to_tensor(data_splits).dtype)


def crossed(
    indices: Sequence[Any],
    values: Sequence[Any],
    shapes: Sequence[Any],
    dense_inputs: Sequence[Any],
    hashed_output: bool,
    num_buckets: int,
    hash_key: int,
) -> tuple[Any, Any, Any]:
    """The parts of the sparse matrix of crossed features: texts, or their hashes."""
    inputs = [*map(SparseTensor, indices, values, shapes), *map(convert_to_tensor, dense_inputs)]
    if not hashed_output:
        return sparse_parts(cross(inputs))
    return sparse_parts(cross_hashed(inputs, num_buckets, hash_key))


def broadcast_gradient_axes(s0: Any, s1: Any) -> tuple[Any, Any]:
    """The axes of a result along which the cotangent of each of two operands of these shapes is summed."""
    shapes = [ops.as_python_ints(shape, "BroadcastGradientArgs: shape") for shape in (s0, s1)]
    rank = len(np.broadcast_shapes(*shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    axes = [[axis for axis in range(rank) if sizes[axis] == 1 and shapes[0] != shapes[1]] for sizes in padded]
    dtype = convert_to_tensor(s0).dtype
    return ops.constant(axes[0], dtype, [len(axes[0])]), ops.constant(axes[1], dtype, [len(axes[1])])


def parsed_examples(  # noqa: PLR0913  # TensorFlow's arguments
    serialized: Any,
    names: Any,
    sparse_keys: Any,
    dense_keys: Any,
    ragged_keys: Any,
    dense_defaults: Sequence[Any],
    sparse_types: Sequence[Any],
    ragged_value_types: Sequence[Any],
    ragged_split_types: Sequence[Any],
    dense_shapes: Sequence[Any],
) -> tuple[Any, ...]:
    """The features of serialized examples: lists of the parts of sparse, then of dense, then of ragged ones."""
    sparse, dense, ragged = [_decode_keys(keys) for keys in (sparse_keys, dense_keys, ragged_keys)]
    features: dict[str, Any] = {key: VarLenFeature(kind) for key, kind in zip(sparse, sparse_types, strict=True)}
    for key, default, sizes in zip(dense, dense_defaults, dense_shapes, strict=True):
        features[key] = _dense_feature(convert_to_tensor(default), TensorShape(sizes))
    for key, kind, splits in zip(ragged, ragged_value_types, ragged_split_types, strict=True):
        features[key] = RaggedFeature(kind, row_splits_dtype=splits)
    parsed = parse_example(serialized, features)
    parts = [sparse_parts(parsed[key]) for key in sparse]
    return (
        *[[part[position] for part in parts] for position in range(3)],
        [parsed[key] for key in dense],
        [parsed[key].flat_values for key in ragged],
        [parsed[key].row_splits for key in ragged],
    )


def _decode_keys(keys: Any) -> list[str]:
    names = convert_to_tensor(keys, dtypes.string)
    return [key.decode() for key in get_static_value(names).reshape(-1).tolist()]


def _dense_feature(default: Any, shape: Any) -> Any:
    if shape.rank and shape[0] is None:
        return FixedLenSequenceFeature(
            shape[1:],
            default.dtype,
            allow_missing=True,
            default_value=default if default.shape.num_elements() else None,
        )
    has_default = default.shape.num_elements() or not shape.num_elements()
    return FixedLenFeature(shape, default.dtype, ops.reshape(default, shape) if has_default else None)


def parsed_single_example(
    serialized: Any,
    dense_defaults: Sequence[Any],
    sparse_keys: Sequence[str],
    dense_keys: Sequence[str],
    sparse_types: Sequence[Any],
    dense_shapes: Sequence[Any],
) -> tuple[Any, ...]:
    """The features of one serialized example: lists of the parts of sparse ones, and a list of dense ones."""
    return parsed_examples(
        serialized, [], sparse_keys, dense_keys, [], dense_defaults, sparse_types, [], [], dense_shapes
    )[:4]


def code_points_with_offsets(text: Any, *options: Any) -> tuple[Any, Any, Any]:
    """The row splits and values of the code points of each string, and the offsets of their first bytes."""
    points, offsets = unicode_decode_with_offsets(ops.reshape(text, [-1]), *options)
    return points.row_splits, points.flat_values, offsets.flat_values


def filled_rows(sparse: Any, default_value: Any) -> tuple[Any, Any, Any, Any]:
    """The indices and values of a matrix with an element in each empty row, which rows these are, and where elements went."""
    filled, is_empty = fill_empty_rows(sparse, default_value)
    empty_before = ops.cumsum(ops.cast(is_empty, dtypes.int64))
    places = ops.range(ops.size(sparse.values, dtypes.int64)) + ops.gather(empty_before, sparse.indices[:, 0])
    return filled.indices, filled.values, is_empty, places


def dense_elements(dense: Any, indices: Any, shape: Any) -> Any:
    """Returns the elements of a tensor, broadcast to ``shape``, at indices."""
    return ops.gather_nd(ops.broadcast_to(dense, shape), indices)


def gathered_rows(rows: Any, indices: Any) -> tuple[list[Any], Any]:
    """The nested row splits and the values of rows of a ragged tensor."""
    result = ops.gather(rows, indices)
    return list(result.nested_row_splits), result.flat_values
