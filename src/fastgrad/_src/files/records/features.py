"""The features for ``tf.io.parse_example`` and related functions: their shapes, dtypes and defaults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Self

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_choice, check_type


class FixedLenFeature(NamedTuple):
    """A feature with the same number of values in every example; parsed to a dense tensor.

    Attributes:
        shape: the shape of the values of an example.
        dtype: float32, int64 or string.
        default_value: the values of an example without the feature. None: each example must have it.

    Example:
        >>> tf.io.FixedLenFeature(shape=[2], dtype=tf.float32)
        FixedLenFeature(shape=[2], dtype=tf.float32, default_value=None)
    """

    shape: Any
    dtype: Any
    default_value: Any = None


class VarLenFeature(NamedTuple):
    """A feature with any number of values; parsed to a sparse tensor. ``dtype`` is float32, int64 or string."""

    dtype: Any


class FixedLenSequenceFeature(NamedTuple):
    """A feature whose values are any number of items of one shape; parsed to a dense tensor that is padded.

    Attributes:
        shape: the shape of an item.
        dtype: float32, int64 or string.
        allow_missing: whether an example may be without the feature, which is then empty.
        default_value: the value of the padding; None for zeros and empty strings.
    """

    shape: Any
    dtype: Any
    allow_missing: bool = False
    default_value: Any = None


class RowSplits(NamedTuple):
    """The feature ``key`` has the splits of rows."""

    key: str


class RowLengths(NamedTuple):
    """The feature ``key`` has the lengths of rows."""

    key: str


class RowStarts(NamedTuple):
    """The feature ``key`` has the start of each row."""

    key: str


class RowLimits(NamedTuple):
    """The feature ``key`` has the end of each row."""

    key: str


class ValueRowIds(NamedTuple):
    """The feature ``key`` has the row number of each value."""

    key: str


class UniformRowLength(NamedTuple):
    """All rows have the length ``length``."""

    length: int


class _RaggedFields(NamedTuple):
    dtype: Any
    value_key: str | None
    partitions: Sequence[Any]
    row_splits_dtype: Any
    validate: bool


class RaggedFeature(_RaggedFields):
    """A feature with any number of values; parsed to a ragged tensor.

    Args:
        dtype: float32, int64 or string.
        value_key: the name of the feature that has the values. Default: the key in the dict of features.
        partitions: partitions of the values of an example to rows, from the outermost: ``RaggedFeature.RowSplits("key")``,
            ``RowLengths``, ``RowStarts``, ``RowLimits``, ``ValueRowIds``, ``UniformRowLength(length)``.
        row_splits_dtype: int32 or int64.
        validate: kept for TensorFlow's signature: partitions are always checked.

    Raises:
        ValueError: ``value_key`` is no string, or another dtype of splits.
        TypeError: an argument of another class.
    """

    __slots__ = ()

    RowSplits: ClassVar[Any] = RowSplits
    RowLengths: ClassVar[Any] = RowLengths
    RowStarts: ClassVar[Any] = RowStarts
    RowLimits: ClassVar[Any] = RowLimits
    ValueRowIds: ClassVar[Any] = ValueRowIds
    UniformRowLength: ClassVar[Any] = UniformRowLength

    def __new__(
        cls,
        dtype: Any,
        value_key: str | None = None,
        partitions: Sequence[Any] = (),
        row_splits_dtype: Any = dtypes.int32,
        validate: bool = False,
    ) -> Self:
        dtype, splits_dtype = dtypes.as_dtype(dtype), dtypes.as_dtype(row_splits_dtype)
        if value_key is not None and not isinstance(value_key, str):
            raise ValueError(f"RaggedFeature: Argument `value_key` must be a string; got {value_key!r}")
        check_type("RaggedFeature", "a list or tuple", (list, tuple), partitions=partitions)
        for partition in partitions:
            check_type("RaggedFeature", "such as RaggedFeature.RowSplits(key)", PARTITIONS, partitions=partition)
        check_choice("RaggedFeature", (dtypes.int32, dtypes.int64), row_splits_dtype=splits_dtype)
        check_type("RaggedFeature", "a bool", bool, validate=validate)
        return super().__new__(cls, dtype, value_key, tuple(partitions), splits_dtype, validate)


PARTITIONS = (RowSplits, RowLengths, RowStarts, RowLimits, ValueRowIds, UniformRowLength)
