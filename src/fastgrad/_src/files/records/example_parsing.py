"""``tf.io.parse_example`` and related functions: convert serialized examples to tensors, as features specify."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_rank, refuse
from fastgrad._src.core.errors import InvalidArgumentError, UnimplementedError
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.files.records.feature_columns import (
    COLUMN_CLASSES,
    Column,
    DensePaddedColumn,
    LengthColumn,
    RaggedColumn,
)
from fastgrad._src.files.records.features import (
    FixedLenFeature,
    FixedLenSequenceFeature,
    RaggedFeature,
    VarLenFeature,
)
from fastgrad._src.files.records.messages import message_class
from fastgrad._src.ops.python_function import call_of_strings
from fastgrad._src.structures.strings.rows import strings_of

_KINDS = {"int64_list": "int64", "float_list": "float32", "bytes_list": "string"}
_EXAMPLE_FEATURES = (VarLenFeature, FixedLenFeature, FixedLenSequenceFeature, RaggedFeature)
_CONTEXT_FEATURES = (VarLenFeature, FixedLenFeature, RaggedFeature)
_SEQUENCE_FEATURES = (VarLenFeature, FixedLenSequenceFeature, RaggedFeature)


def parse_single_example(
    serialized: Any, features: Any, example_names: Any = None, name: str | None = None
) -> dict[str, Any]:
    """The features of one serialized ``tf.train.Example``.

    Args:
        serialized: a string scalar.
        features: a dict from the name of each feature to a ``FixedLenFeature``, ``VarLenFeature``, ``FixedLenSequenceFeature`` or
            ``RaggedFeature``.
        example_names: a string scalar, for errors.
        name: kept for TensorFlow's signature.

    Returns:
        A dict. A ``FixedLenFeature`` gives a tensor of its shape. A ``FixedLenSequenceFeature`` gives one more leading dimension. A
        ``VarLenFeature`` gives a sparse tensor of rank 1. A ``RaggedFeature`` gives a ragged tensor; a vector without partitions.

    Raises:
        ValueError: ``features`` are empty, a feature is incomplete, or ``serialized`` is no string scalar.
        InvalidArgumentError: a string is no example, a feature is missing, has another dtype, or another number of values.
    """
    what = "parse_single_example"
    columns = _columns_of_features(what, "features", features, _EXAMPLE_FEATURES, True)
    return _parse_columns(what, _scalar_string(what, serialized), example_names, [(columns, _read_example)])[0]


def parse_example(serialized: Any, features: Any, example_names: Any = None, name: str | None = None) -> dict[str, Any]:
    """The features of a batch of serialized ``tf.train.Example``.

    Args:
        serialized: strings, shape (batch,), or a scalar.
        features, name: as in ``parse_single_example``.
        example_names: strings of the shape of ``serialized``, for errors.

    Returns:
        A dict, as from ``parse_single_example``, with a leading dimension for the batch. A ``FixedLenSequenceFeature`` is padded
        to the longest example.

    Raises:
        InvalidArgumentError, ValueError, ImportError: as in ``parse_single_example``.
    """
    what = "parse_example"
    strings = _scalar_or_vector_of_strings(what, serialized)
    columns = _columns_of_features(what, "features", features, _EXAMPLE_FEATURES, not strings.ndim)
    return _parse_columns(what, strings, example_names, [(columns, _read_example)])[0]


def parse_single_sequence_example(
    serialized: Any,
    context_features: Any = None,
    sequence_features: Any = None,
    example_name: Any = None,
    name: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The features of one serialized ``tf.train.SequenceExample``.

    Args:
        serialized: a string scalar.
        context_features: as ``features`` of ``parse_single_example``, without ``FixedLenSequenceFeature``.
        sequence_features: a dict to a ``FixedLenSequenceFeature``, ``VarLenFeature`` or ``RaggedFeature``: the items of a feature list.
        example_name: a string scalar, for errors.
        name: kept for TensorFlow's signature.

    Returns:
        Two dicts: the context features and the feature lists. A feature list has one more leading dimension: the items of the list.

    Raises:
        ValueError, InvalidArgumentError, ImportError: as in ``parse_single_example``.
        UnimplementedError: partitions in ``sequence_features``.
    """
    what = "parse_single_sequence_example"
    context, sequences = _sequence_columns(what, context_features, sequence_features, True)
    strings = _scalar_string(what, serialized)
    plans = [(context, _read_context), (sequences, _read_feature_lists)]
    context_values, sequence_values = _parse_columns(what, strings, example_name, plans)
    return context_values, sequence_values


def parse_sequence_example(
    serialized: Any,
    context_features: Any = None,
    sequence_features: Any = None,
    example_names: Any = None,
    name: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The features of a batch of serialized ``tf.train.SequenceExample``.

    Args:
        serialized: strings, shape (batch,), or a scalar.
        context_features, sequence_features, name: as in ``parse_single_sequence_example``.
        example_names: strings of the shape of ``serialized``, for errors.

    Returns:
        The two dicts of ``parse_single_sequence_example`` with a leading dimension for the batch, and a dict of the lengths, int64, of the
        feature lists that a ``FixedLenSequenceFeature`` pads to the longest.

    Raises:
        ValueError, InvalidArgumentError, ImportError, UnimplementedError: as in ``parse_single_sequence_example``.
    """
    what = "parse_sequence_example"
    strings = _scalar_or_vector_of_strings(what, serialized)
    context, sequences = _sequence_columns(what, context_features, sequence_features, not strings.ndim)
    lengths: list[Column] = [
        LengthColumn(what, column.key, column.dtype, column.single, column.feature)
        for column in sequences
        if isinstance(column, DensePaddedColumn)
    ]
    plans = [(context, _read_context), (sequences, _read_feature_lists), (lengths, _read_feature_lists)]
    context_values, sequence_values, length_values = _parse_columns(what, strings, example_names, plans)
    return context_values, sequence_values, length_values


# ---- arguments -----------------------------------------------------------------------------------------------


def _scalar_string(what: str, serialized: Any) -> Tensor:
    strings = strings_of(what, serialized, any_dtype=True, dtype_error=ValueError)
    check_rank(what, 0, serialized=strings)
    return strings


def _scalar_or_vector_of_strings(what: str, serialized: Any) -> Tensor:
    strings = strings_of(what, serialized, any_dtype=True, dtype_error=ValueError)
    if strings.ndim > 1:
        raise InvalidArgumentError(f"{what}: Expected serialized to be a scalar or vector, got shape: {strings.shape}")
    return strings


def _columns_of_features(
    what: str, argument: str, features: Any, supported: tuple[Any, ...], single: bool
) -> list[Column]:
    """Returns the columns of examples, in TensorFlow's order: sparse, dense, ragged ones, each by name."""
    if not features or not isinstance(features, dict):
        raise ValueError(f"{what}: Invalid argument: {argument} must be a dict with features, got {features!r}.")
    return _sort_columns(
        [_column_of_feature(what, key, feature, supported, single) for key, feature in features.items()]
    )


def _sort_columns(columns: list[Column]) -> list[Column]:
    return sorted(columns, key=lambda column: (column.order, column.key))


def _column_of_feature(what: str, key: Any, feature: Any, supported: tuple[Any, ...], single: bool) -> Column:
    if not isinstance(feature, supported):
        raise ValueError(f"{what}: Unsupported {type(feature).__name__} {feature} for key {key!r}")
    if feature.dtype is None:
        raise ValueError(f"{what}: Missing type for feature {key}. Received feature={feature}.")
    dtype = dtypes.as_dtype(feature.dtype)
    if dtype.name not in _KINDS.values():
        kind = ValueError if isinstance(feature, RaggedFeature) else InvalidArgumentError
        raise kind(f"{what}: dtype of feature {key} must be int64, float32 or string; got {dtype.name}.")
    if isinstance(feature, FixedLenSequenceFeature) and not feature.allow_missing:
        raise ValueError(f"{what}: Unsupported: FixedLenSequenceFeature requires allow_missing to be True.")
    return COLUMN_CLASSES[type(feature)](what, key, dtype, single, feature)


def _sequence_columns(what: str, context: Any, sequences: Any, single: bool) -> tuple[list[Column], list[Column]]:
    if not context and not sequences:
        raise ValueError(f"{what}: context_features or sequence_features must have values, both are None.")
    context_columns = (
        _columns_of_features(what, "context_features", context, _CONTEXT_FEATURES, single) if context else []
    )
    columns: list[Column] = []
    for key, feature in (sequences or {}).items():
        if isinstance(feature, FixedLenSequenceFeature):
            if feature.default_value is not None:
                raise ValueError(f"{what}: Value default_value of the feature list {key} must be None.")
            feature = feature._replace(allow_missing=True)
        column = _column_of_feature(what, key, feature, _SEQUENCE_FEATURES, single)
        if isinstance(column, RaggedColumn) and column.partitions:
            raise UnimplementedError(f"{what}: Partitions of {key} are not supported; use VarLenFeature.")
        column.is_list = True
        if isinstance(column, DensePaddedColumn):
            column.is_required = not sequences[key].allow_missing
        columns.append(column)
    return context_columns, _sort_columns(columns)


# ---- messages ------------------------------------------------------------------------------------------------

Reader = Callable[[Any, Column, str], Any]


def _parse_columns(
    what: str, strings: Tensor, names: Any, plans: Sequence[tuple[list[Column], Reader]]
) -> list[dict[str, Any]]:
    """Returns a dict of results for each list of columns."""
    message = message_class("SequenceExample" if len(plans) > 1 else "Example")
    inputs: tuple[Tensor, ...] = (strings,) if names is None else (strings, strings_of(what, names))
    if names is not None and inputs[1].shape != strings.shape:
        refuse(what, f"`names` must have the shape of serialized, {strings.shape}", InvalidArgumentError, got=inputs[1])
    key = repr([[column.feature for column in columns] for columns, _ in plans])
    all_columns = [column for columns, _ in plans for column in columns]

    def run(texts: np.ndarray, names_of_texts: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
        labels = None if names_of_texts is None else names_of_texts.reshape(-1).tolist()
        examples = [_parse_message(what, message, text) for text in texts.reshape(-1).tolist()]
        arrays = []
        for columns, read in plans:
            for column in columns:
                rows = []
                for number, example in enumerate(examples):
                    where = f"{what}: Name: {labels[number].decode(errors='replace') if labels else '<unknown>'}, Index: {number}, "
                    rows.append(read(example, column, where))
                arrays.extend(column.arrays(rows))
        return tuple(arrays)

    def sample(size: int) -> tuple[np.ndarray, ...]:
        return tuple([array for column in all_columns for array in column.samples(strings._array.size, size)])

    parts = iter(call_of_strings(what, run, inputs, sample, (what, key)))
    return [{column.key: column.result(parts) for column in columns} for columns, _ in plans]


def _parse_message(what: str, message: Any, text: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return message.FromString(text)
    except DecodeError:
        raise InvalidArgumentError(
            f"{what}: Could not parse example input, value: {text[:100]!r}; it is no {message.__name__}."
        ) from None


def _feature_values(feature: Any, dtype: dtypes.DType, key: str, where: str) -> Any:
    """Returns the values of a feature as a vector; None if it has no values of any kind.

    Raises:
        InvalidArgumentError: it has values of another dtype.
    """
    kind = feature.WhichOneof("kind")
    if kind is None:
        return None
    if _KINDS[kind] != dtype.name:
        raise InvalidArgumentError(
            f"{where}Key: {key}.  Data types don't match. Expected type: {dtype.name}, but it has {_KINDS[kind]}."
        )
    values = getattr(feature, kind).value
    return np.fromiter(values, dtype.numpy, len(values))


def _read_features(features: Any, column: Column, where: str) -> Any:
    """Returns the values of each feature that a column reads: of its own, then of its partitions."""

    def read(key: str, dtype: dtypes.DType) -> Any:
        return _feature_values(features[key], dtype, key, where) if key in features else None

    return (where, read(column.value_key, column.dtype), *[read(key, dtypes.int64) for key in column.partition_keys])


def _read_example(example: Any, column: Column, where: str) -> Any:
    return _read_features(example.features.feature, column, where)


def _read_context(example: Any, column: Column, where: str) -> Any:
    return _read_features(example.context.feature, column, where)


def _read_feature_lists(example: Any, column: Column, where: str) -> Any:
    """Returns the values of each item of a feature list; no list gives None."""
    lists = example.feature_lists.feature_list
    if column.value_key not in lists:
        return where, None
    items: Iterator[Any] = iter(lists[column.value_key].feature)
    empty = np.array([], column.dtype.numpy)
    rows: Sequence[Any] = [_feature_values(item, column.dtype, column.key, where) for item in items]
    return where, [empty if row is None else row for row in rows]
