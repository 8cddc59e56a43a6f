"""``tf.experimental.RowPartition``: how values are divided into rows, without the values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_at_least, check_choice, check_type, require
from fastgrad._src.core.composite import Composite, CompositeSpec
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged.partition import (
    as_partition,
    checked_count,
    checked_row_numbers,
    index_range,
    lengths_of,
    row_splits_to_segment_ids,
    splits_of_lengths,
    splits_of_row_numbers,
    uniform_splits,
)


class RowPartition(Composite):
    """A partition of a sequence of values into consecutive rows; the class methods ``from_...`` create it.

    Row i has the values ``row_splits[i]`` to ``row_splits[i + 1]``. Partitions are arguments and results of ``tf.function``.

    Raises:
        ValueError: the constructor is called directly.
    """

    __slots__ = ("_nvals", "_splits", "_uniform")

    counts_as_tensor = False
    remedy = "use its methods row_splits, row_lengths or value_rowids"

    _splits: Tensor
    _uniform: int | None
    _nvals: int | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ValueError(
            "RowPartition constructor is private; use a factory method, such as RowPartition.from_row_lengths."
        )

    @classmethod
    def _of(cls, splits: Tensor, uniform: int | None = None, nvals: int | None = None) -> RowPartition:
        """Creates a partition from valid row splits, with the length of all rows and the number of values if they are known."""
        partition = cls.__new__(cls)
        partition._splits, partition._uniform, partition._nvals = splits, uniform, nvals
        return partition

    @classmethod
    def from_row_splits(
        cls, row_splits: Any, validate: bool = True, dtype: Any = None, dtype_hint: Any = None
    ) -> RowPartition:
        """Creates a partition from the ends of rows.

        Args:
            row_splits: shape (rows + 1,), int32 or int64, ascending from 0.
            validate: whether the values are checked.
            dtype: of the partition; default: that of the argument, int64 for Python numbers.
            dtype_hint: the dtype for Python numbers.

        Raises:
            ValueError: the argument is empty or has another rank or dtype.
            InvalidArgumentError: the values don't begin with 0, or decrease.
        """
        splits = _partition_tensor(row_splits, "row_splits", dtype, dtype_hint)
        if not len(splits):
            raise ValueError("row_splits tensor may not be empty.")
        if _checked_flag(validate):
            ops.assert_equal(splits[0], 0, "from_row_splits: the first of row_splits must be 0")
            ops.assert_non_negative(lengths_of(splits), "from_row_splits: row_splits must not fall")
        return cls._of(splits)

    @classmethod
    def from_row_lengths(
        cls, row_lengths: Any, validate: bool = True, dtype: Any = None, dtype_hint: Any = None
    ) -> RowPartition:
        """Creates a partition from the lengths of rows, shape (rows,); see ``from_row_splits``."""
        lengths = _partition_tensor(row_lengths, "row_lengths", dtype, dtype_hint)
        if _checked_flag(validate):
            ops.assert_non_negative(lengths, "from_row_lengths: row_lengths must not be negative")
        return cls._of(splits_of_lengths(lengths))

    @classmethod
    def from_row_starts(
        cls, row_starts: Any, nvals: Any, validate: bool = True, dtype: Any = None, dtype_hint: Any = None
    ) -> RowPartition:
        """Creates a partition from the starts of rows, shape (rows,), and the number of values; see ``from_row_splits``."""
        starts = _partition_tensor(row_starts, "row_starts", dtype, dtype_hint)
        count = checked_count(nvals, "from_row_starts: nvals")
        if _checked_flag(validate):
            ops.assert_equal(starts[:1], 0, "from_row_starts: the first of row_starts must be 0")
            ops.assert_non_negative(lengths_of(starts), "from_row_starts: row_starts must not fall")
            ops.assert_less_equal(starts[-1:], count, "from_row_starts: row_starts must not exceed nvals")
        last = _numbers([count], starts.dtype)
        return cls._of(ops.concat([starts, last], 0), nvals=count)

    @classmethod
    def from_row_limits(
        cls, row_limits: Any, validate: bool = True, dtype: Any = None, dtype_hint: Any = None
    ) -> RowPartition:
        """Creates a partition from the ends of rows without the first 0, shape (rows,); see ``from_row_splits``."""
        limits = _partition_tensor(row_limits, "row_limits", dtype, dtype_hint)
        splits = ops.concat([_numbers([0], limits.dtype), limits], 0)
        if _checked_flag(validate):
            ops.assert_non_negative(lengths_of(splits), "from_row_limits: row_limits must not be negative or fall")
        return cls._of(splits)

    @classmethod
    def from_value_rowids(
        cls, value_rowids: Any, nrows: Any = None, validate: bool = True, dtype: Any = None, dtype_hint: Any = None
    ) -> RowPartition:
        """Creates a partition from the row number of each value, shape (values,), ascending; see ``from_row_splits``.

        Args:
            value_rowids: the row numbers.
            nrows: the number of rows; default: the last row number plus 1.
            validate: kept for TensorFlow's signature; the values are always checked.
            dtype, dtype_hint: see ``from_row_splits``.
        """
        _checked_flag(validate)
        ids = _partition_tensor(value_rowids, "value_rowids", dtype, dtype_hint)
        count = len(ids)
        return cls._of(splits_of_row_numbers(ids, checked_row_numbers(ids, nrows, count)), nvals=count)

    @classmethod
    def from_uniform_row_length(
        cls,
        uniform_row_length: Any,
        nvals: Any = None,
        nrows: Any = None,
        validate: bool = True,
        dtype: Any = None,
        dtype_hint: Any = None,
    ) -> RowPartition:
        """Creates a partition with rows of one length.

        Args:
            uniform_row_length: of all rows.
            nvals: the number of values; default: ``nrows * uniform_row_length``.
            nrows: the number of rows; default: ``nvals // uniform_row_length``, or 0 for rows of length 0.
            validate: whether the numbers are checked.
            dtype, dtype_hint: see ``from_row_splits``.

        Raises:
            ValueError: both numbers are missing; the length is negative; the numbers do not fit each other.
        """
        require(nrows is not None or nvals is not None, "from_uniform_row_length", "`nvals` or `nrows` must be given")
        known = next((value.dtype for value in (uniform_row_length, nvals, nrows) if hasattr(value, "dtype")), None)
        splits_dtype = dtypes.as_dtype(dtype or known or dtype_hint or dtypes.int64)
        if splits_dtype not in (dtypes.int32, dtypes.int64):
            raise ValueError(f"uniform_row_length must have dtype int32 or int64, got {splits_dtype.name}.")
        length = checked_count(uniform_row_length, "from_uniform_row_length: uniform_row_length")
        check_at_least("from_uniform_row_length", 0, uniform_row_length=length)
        values = None if nvals is None else checked_count(nvals, "from_uniform_row_length: nvals")
        rows = (
            (values or 0) // max(length, 1) if nrows is None else checked_count(nrows, "from_uniform_row_length: nrows")
        )
        rows = 0 if nrows is None and not length else rows
        if _checked_flag(validate) and values is not None and rows * length != values:
            raise ValueError(f"uniform_row_length={length} times nrows={rows} must equal nvals={values}.")
        return cls._of(uniform_splits(length, rows, splits_dtype), length, rows * length)

    @property
    def dtype(self) -> dtypes.DType:
        """The dtype of the row splits."""
        return self._splits.dtype

    @property
    def shape(self) -> TensorShape:
        """The number of rows, then the length of all rows; None if the partition was not made of one length."""
        return TensorShape([self.static_nrows, self._uniform])

    @property
    def static_nrows(self) -> int:
        """The number of rows."""
        return len(self._splits) - 1

    @property
    def static_nvals(self) -> int | None:
        """The number of values; None if it is known only from the row splits."""
        return self._nvals

    @property
    def static_uniform_row_length(self) -> int | None:
        """The length of all rows, if the partition was made of it."""
        return self._uniform

    def is_uniform(self) -> bool:
        """True if the partition was made of a length of all rows."""
        return self._uniform is not None

    def uniform_row_length(self) -> Tensor | None:
        """Returns the length of all rows, if the partition was made of it."""
        return None if self._uniform is None else _numbers(self._uniform, self.dtype)

    def row_splits(self) -> Tensor:
        """Returns the ends of rows, after a 0: shape (rows + 1,)."""
        return self._splits

    def row_starts(self) -> Tensor:
        """Returns the number of the first value of each row."""
        return self._splits[:-1]

    def row_limits(self) -> Tensor:
        """Returns the number after that of the last value of each row."""
        return self._splits[1:]

    def row_lengths(self) -> Tensor:
        """Returns the number of values of each row."""
        return lengths_of(self._splits)

    def value_rowids(self) -> Tensor:
        """Returns the row number of each value."""
        return row_splits_to_segment_ids(self._splits)

    def nrows(self) -> Tensor:
        """Returns the number of rows."""
        return _numbers(self.static_nrows, self.dtype)

    def nvals(self) -> Tensor:
        """Returns the number of values."""
        return self._splits[-1]

    def offsets_in_rows(self) -> Tensor:
        """Returns the position of each value in its row."""
        ids = self.value_rowids()
        return index_range(len(ids), self.dtype) - ops.gather(self._splits, ids)

    def with_dtype(self, dtype: Any) -> RowPartition:
        """Returns the partition with row splits of int32 or int64.

        Raises:
            ValueError: ``dtype`` is another one.
        """
        dtype = dtypes.as_dtype(dtype)
        check_choice("RowPartition.with_dtype", (dtypes.int32, dtypes.int64), dtype=dtype)
        return self._of(ops.cast(self._splits, dtype), self._uniform, self._nvals)

    def __repr__(self) -> str:
        if self._uniform is not None:
            return f"tf.RowPartition(nrows={self.static_nrows}, uniform_row_length={self._uniform})"
        return f"tf.RowPartition(row_splits={self._splits.numpy()})"

    @property
    def flat_values(self) -> Any:
        """Raises ValueError: a partition has no gradients."""
        raise ValueError("RowPartition is no source or target of a gradient: it has integers only.")

    def _to_components(self) -> tuple[Any, list[Any]]:
        return (self._uniform, self._nvals), [self._splits]

    @classmethod
    def _from_components(cls, form: Any, tensors: Sequence[Any]) -> Any:
        return cls._of(tensors[0], *form)

    def _spec(self) -> CompositeSpec:
        return RowPartitionSpec(self.static_nrows, self._nvals, self._uniform, self.dtype)

    def _text(self, text_of_array: Callable[[Any], str]) -> str:
        return repr(self)


class RowPartitionSpec(CompositeSpec):
    """The static type of a partition; None for what isn't known."""

    __slots__ = ("_numbers", "dtype")

    def __init__(
        self, nrows: int | None, nvals: int | None, uniform_row_length: int | None, dtype: dtypes.DType = dtypes.int64
    ) -> None:
        self._numbers = (nrows, nvals, uniform_row_length)
        self.dtype = dtype

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        other: Any = spec_or_value._spec() if isinstance(spec_or_value, RowPartition) else spec_or_value
        if not isinstance(other, RowPartitionSpec) or other.dtype is not self.dtype:
            return False
        return all(None in {a, b} or a == b for a, b in zip(self._numbers, other._numbers, strict=True))

    def most_specific_common_supertype(self, others: Iterable[Any]) -> RowPartitionSpec | None:
        """Returns the narrowest spec that includes this spec and all ``others``; None if the dtypes differ."""
        specs = [self, *others]
        if any(not isinstance(spec, RowPartitionSpec) or spec.dtype is not self.dtype for spec in specs):
            return None
        columns = zip(*[spec._numbers for spec in specs], strict=True)
        nrows, nvals, length = [column[0] if len(set(column)) == 1 else None for column in columns]
        return RowPartitionSpec(nrows, nvals, length, self.dtype)

    def __eq__(self, other: Any) -> bool:
        is_spec = isinstance(other, RowPartitionSpec)
        return is_spec and (self._numbers, self.dtype) == (other._numbers, other.dtype)

    def __hash__(self) -> int:
        return hash(self._numbers)

    def __repr__(self) -> str:
        nrows, nvals, length = self._numbers
        return f"RowPartitionSpec(nrows={nrows}, nvals={nvals}, uniform_row_length={length}, dtype={self.dtype.name})"


def _partition_tensor(value: Any, argument: str, dtype: Any, dtype_hint: Any) -> Tensor:
    return as_partition(value, argument, dtype if dtype is not None or hasattr(value, "dtype") else dtype_hint)


def _checked_flag(validate: Any) -> bool:
    check_type("RowPartition", "a bool", bool, validate=validate)
    return validate


def _numbers(numbers: Any, dtype: dtypes.DType) -> Tensor:
    return constant_tensor(np.array(numbers, dtype.numpy))
