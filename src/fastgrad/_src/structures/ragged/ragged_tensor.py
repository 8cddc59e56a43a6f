"""``RaggedTensor``: rows of different lengths, stored as concatenated values and row splits.

One class with all of TensorFlow's methods; longer computations are in the other files of this folder.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrad._src.core import dtypes, tensor
from fastgrad._src.core.argument_checks import check_at_least, check_choice, check_length, require
from fastgrad._src.core.composite import Composite, CompositeOperand, CompositeSpec
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.names import missing_member_getattr
from fastgrad._src.core.recording import symbol_of
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged import partition
from fastgrad._src.structures.ragged.partition import as_partition

if TYPE_CHECKING:
    from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor


class RaggedTensor(Composite):
    """A tensor with ragged dimensions: their sizes vary from row to row.

    Its parts are ``values``, the concatenation of all rows, and ``row_splits``, the row boundaries. Row i is
    ``values[row_splits[i]:row_splits[i + 1]]``. With several ragged dimensions, ``values`` is a ``RaggedTensor`` too.
    Operations run on the parts; tapes and ``tf.function`` record them. ``tf.ragged.constant`` and the ``from_`` methods create it.

    Example:
        >>> rows = tf.ragged.constant([[1, 2, 3], [], [4]])
        >>> rows.values.numpy(), rows.row_splits.numpy()
        (array([1, 2, 3, 4], dtype=int32), array([0, 3, 3, 4]))
        >>> tf.reduce_sum(rows, axis=1).numpy()
        array([6, 0, 4], dtype=int32)
    """

    __getattr__ = missing_member_getattr

    __slots__ = ("__weakref__", "_row_splits", "_uniform", "_values")

    remedy = "use its to_tensor() or flat_values, or tf.ragged.map_flat_values"

    __array_ufunc__ = None  # so that operators of NumPy numbers and arrays defer to this class

    _values: Any
    _row_splits: Tensor
    _uniform: int | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ValueError(
            "RaggedTensor constructor is private; please use one of the factory methods instead "
            "(e.g., RaggedTensor.from_row_lengths())"
        )

    @classmethod
    def _of(cls, values: Any, row_splits: Tensor, uniform: int | None = None) -> RaggedTensor:
        """Creates a ragged tensor from valid parts, unchecked; ``uniform`` is the length of all rows, if fixed."""
        ragged = object.__new__(cls)
        ragged._values, ragged._row_splits, ragged._uniform = values, row_splits, uniform
        return ragged

    # ---- construction ------------------------------------------------------------------------------------

    @classmethod
    def from_row_splits(
        cls, values: Any, row_splits: Any, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Creates a ragged tensor from ``values`` and ``row_splits``.

        Args:
            values: a tensor or ``RaggedTensor`` of rank 1 or more: the concatenation of all rows.
            row_splits: int32 or int64, shape (rows + 1,): ascending from 0 to the number of values.
            name: kept for TensorFlow's signature.
            validate: whether to check the values of ``row_splits``.

        Raises:
            ValueError: ``row_splits`` has another dtype or rank, or is empty.
            InvalidArgumentError: ``row_splits`` does not begin with 0, decreases, or does not end with the number of
                values; ``values`` has rank 0.
        """
        values = _checked_values(values)
        splits = as_partition(row_splits, "row_splits")
        if not len(splits):
            raise ValueError("row_splits tensor may not be empty.")
        return cls._of_splits(values, splits, "from_row_splits", validate)

    @classmethod
    def from_row_lengths(
        cls, values: Any, row_lengths: Any, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Creates a ragged tensor from row lengths, int32 or int64, shape (rows,); see ``from_row_splits``."""
        lengths = as_partition(row_lengths, "row_lengths")
        return cls._of_splits(
            _checked_values(values), partition.splits_of_lengths(lengths), "from_row_lengths", validate
        )

    @classmethod
    def from_row_starts(
        cls, values: Any, row_starts: Any, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Creates a ragged tensor from row starts, int32 or int64, shape (rows,); see ``from_row_splits``."""
        values = _checked_values(values)
        starts = as_partition(row_starts, "row_starts")
        end = constant_tensor(np.array([row_count(values)], starts.dtype.numpy))
        return cls._of_splits(values, ops.concat([starts, end], 0), "from_row_starts", validate)

    @classmethod
    def from_row_limits(
        cls, values: Any, row_limits: Any, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Creates a ragged tensor from row ends, int32 or int64, shape (rows,); see ``from_row_splits``."""
        limits = as_partition(row_limits, "row_limits")
        zero = constant_tensor(np.zeros(1, limits.dtype.numpy))
        return cls._of_splits(_checked_values(values), ops.concat([zero, limits], 0), "from_row_limits", validate)

    @classmethod
    def from_value_rowids(
        cls, values: Any, value_rowids: Any, nrows: Any = None, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Creates a ragged tensor from the row number of each value.

        Args:
            values: a tensor or ``RaggedTensor`` of rank 1 or more.
            value_rowids: int32 or int64, shape (values,), ascending.
            nrows: the number of rows; default: the last row number plus 1.
            validate: kept for TensorFlow's signature; row numbers are always checked.

        Raises:
            ValueError: ``value_rowids`` and ``values`` differ in length, or ``nrows`` is too small.
            InvalidArgumentError: row numbers decrease or are negative.
        """
        values = _checked_values(values)
        ids = as_partition(value_rowids, "value_rowids")
        count = partition.checked_row_numbers(ids, nrows, row_count(values))
        return cls._with_checked_index_dtypes(values, partition.splits_of_row_numbers(ids, count))

    @classmethod
    def from_uniform_row_length(
        cls,
        values: Any,
        uniform_row_length: Any,
        nrows: Any = None,
        validate: bool = True,
        name: str | None = None,
    ) -> RaggedTensor:
        """Creates a ragged tensor with rows of one length; that length becomes part of the shape.

        Args:
            values: a tensor or ``RaggedTensor`` of rank 1 or more.
            uniform_row_length: the length of every row.
            nrows: the number of rows; needed for rows of length 0.
            validate: kept for TensorFlow's signature.

        Raises:
            ValueError: the values do not fill ``nrows`` rows exactly; the length has another dtype or rank.
            TypeError: ``nrows`` is not an integer.
        """
        values = _checked_values(values)
        if isinstance(uniform_row_length, float):
            raise ValueError(f"from_uniform_row_length: {uniform_row_length=} must have dtype int32 or int64.")
        length = partition.checked_count(uniform_row_length, "from_uniform_row_length: uniform_row_length")
        count = row_count(values)
        check_at_least("from_uniform_row_length", 0, uniform_row_length=length)
        rows = count // length if length else 0
        if nrows is not None:
            rows = partition.checked_count(nrows, "from_uniform_row_length: nrows")
        if rows * length != count:
            raise ValueError(f"uniform_row_length={length} times nrows={rows} must equal nvals={count}")
        dtype = values.row_splits.dtype if isinstance(values, RaggedTensor) else dtypes.int64
        return cls._of(values, partition.uniform_splits(length, rows, dtype), length)

    @classmethod
    def from_nested_row_splits(
        cls, flat_values: Any, nested_row_splits: Any, name: str | None = None, validate: bool = True
    ) -> Any:
        """Creates several ragged dimensions from a list of ``row_splits``, outermost first; see ``from_row_splits``."""
        return _from_nested(cls.from_row_splits, flat_values, nested_row_splits, "nested_row_splits", validate)

    @classmethod
    def from_nested_row_lengths(
        cls, flat_values: Any, nested_row_lengths: Any, name: str | None = None, validate: bool = True
    ) -> Any:
        """Creates several ragged dimensions from ``row_lengths`` lists, outermost first; see ``from_row_lengths``."""
        return _from_nested(cls.from_row_lengths, flat_values, nested_row_lengths, "nested_row_lengths", validate)

    @classmethod
    def from_nested_value_rowids(
        cls,
        flat_values: Any,
        nested_value_rowids: Any,
        nested_nrows: Any = None,
        name: str | None = None,
        validate: bool = True,
    ) -> Any:
        """Creates several ragged dimensions from ``value_rowids`` lists, outermost first; see ``from_value_rowids``."""
        counts = [None] * len(nested_value_rowids) if nested_nrows is None else list(nested_nrows)
        check_length("from_nested_value_rowids", len(nested_value_rowids), nested_nrows=counts)
        values = flat_values
        for ids, count in zip(reversed(list(nested_value_rowids)), reversed(counts), strict=True):
            values = cls.from_value_rowids(values, ids, count)
        return values

    @classmethod
    def from_tensor(
        cls,
        tensor: Any,
        lengths: Any = None,
        padding: Any = None,
        ragged_rank: int = 1,
        name: str | None = None,
        row_splits_dtype: Any = dtypes.int64,
    ) -> RaggedTensor:
        """Creates a ragged tensor from a tensor of rank 2 or more, without its padding.

        Args:
            tensor: the tensor.
            lengths: the number of values that each row keeps, shape (rows,); or a list of such vectors, one for each
                ragged dimension.
            padding: the value that is removed at the end of rows; it has the dtype of ``tensor`` and the shape of a row's
                element.
            ragged_rank: the number of ragged dimensions of the result.
            name: kept for TensorFlow's signature.
            row_splits_dtype: int32 or int64.

        Raises:
            ValueError: both ``lengths`` and ``padding`` are given, or the rank of ``tensor`` does not exceed ``ragged_rank``.
        """
        from fastgrad._src.structures.ragged import dense

        return dense.from_tensor(tensor, lengths, padding, ragged_rank, dtypes.as_dtype(row_splits_dtype))

    @classmethod
    def from_sparse(
        cls, st_input: SparseTensor, name: str | None = None, row_splits_dtype: Any = dtypes.int64
    ) -> RaggedTensor:
        """Creates a ragged tensor from a sparse matrix whose rows have no gaps.

        Args:
            st_input: a ``SparseTensor`` of rank 2.
            name: kept for TensorFlow's signature.
            row_splits_dtype: int32 or int64.

        Raises:
            TypeError: ``st_input`` is not sparse.
            ValueError: its rank is not 2.
            InvalidArgumentError: a row has a gap, or positions are out of order.
        """
        from fastgrad._src.structures.ragged import sparse

        return sparse.from_sparse(st_input, dtypes.as_dtype(row_splits_dtype))

    @classmethod
    def _of_splits(cls, values: Any, splits: Tensor, caller_name: str, validate: bool) -> RaggedTensor:
        if validate:
            partition.check_splits(splits, row_count(values), caller_name)
        return cls._with_checked_index_dtypes(values, splits)

    @classmethod
    def _with_checked_index_dtypes(cls, values: Any, splits: Tensor) -> RaggedTensor:
        if isinstance(values, RaggedTensor) and values.row_splits.dtype is not splits.dtype:
            raise ValueError(
                f"RaggedTensor: row_splits dtype mismatch: {splits.dtype.name}, the values' {values.row_splits.dtype.name}; use with_row_splits_dtype."
            )
        return cls._of(values, splits)

    # ---- parts -------------------------------------------------------------------------------------------

    @property
    def values(self) -> Any:
        """The concatenation of all rows: a tensor, or a ``RaggedTensor`` with one ragged dimension less."""
        return self._values

    @property
    def flat_values(self) -> Tensor:
        """The innermost values, without any ragged dimension."""
        values = self._values
        while not isinstance(values, Tensor):
            values = values._values
        return values

    @property
    def row_splits(self) -> Tensor:
        """The row boundaries in ``values``, shape (rows + 1,)."""
        return self._row_splits

    @property
    def nested_row_splits(self) -> tuple[Tensor, ...]:
        """The ``row_splits`` of all ragged dimensions, outermost first."""
        return tuple([level._row_splits for level in self._list_of_levels()])

    @property
    def uniform_row_length(self) -> Tensor | None:
        """The length of all rows if the shape fixes it, else None."""
        if self._uniform is None:
            return None
        return constant_tensor(np.array(self._uniform, self._row_splits.dtype.numpy))

    @property
    def ragged_rank(self) -> int:
        """The number of dimensions with row splits."""
        return len(self._list_of_levels())

    @property
    def dtype(self) -> DType:
        """The dtype of the values."""
        return self.flat_values.dtype

    @property
    def shape(self) -> TensorShape:
        """The sizes of the dimensions, None for a size that varies."""
        return TensorShape([len(self._row_splits) - 1, self._uniform, *self._values.shape[1:]])

    def get_shape(self) -> TensorShape:
        """Returns ``shape``."""
        return self.shape

    def nrows(self, out_type: Any = None, name: str | None = None) -> Tensor:
        """Returns the number of rows, in the dtype of ``row_splits`` or ``out_type``."""
        dtype = self._row_splits.dtype if out_type is None else dtypes.as_dtype(out_type)
        return constant_tensor(np.array(len(self._row_splits) - 1, dtype.numpy))

    def row_starts(self, name: str | None = None) -> Tensor:
        """Returns the start of each row in ``values``, shape (rows,)."""
        return self._row_splits[:-1]

    def row_limits(self, name: str | None = None) -> Tensor:
        """Returns the end of each row in ``values``, shape (rows,)."""
        return self._row_splits[1:]

    def row_lengths(self, axis: int = 1, name: str | None = None) -> Any:
        """Returns the lengths of rows along ``axis``: a scalar for axis 0, a vector for axis 1, else a ragged tensor.

        Raises:
            ValueError: ``axis`` is out of range.
        """
        rank = self.flat_values.ndim + self.ragged_rank
        require(-rank <= axis < rank, "row_lengths", f"`axis` is out of bounds [{-rank}, {rank})", axis=axis)
        axis %= rank
        if axis == 0:
            return self.nrows()
        if axis == 1:
            return partition.lengths_of(self._row_splits)
        values = self._values
        if isinstance(values, RaggedTensor):
            return self._with(values.row_lengths(axis - 1))
        sizes = np.full(len(values), values.shape[axis - 1], self._row_splits.dtype.numpy)
        return self._with(constant_tensor(sizes))

    def value_rowids(self, name: str | None = None) -> Tensor:
        """Returns, for each of ``values``, the number of its row."""
        return partition.row_numbers(self._row_splits, row_count(self._values))

    def nested_row_lengths(self, name: str | None = None) -> tuple[Tensor, ...]:
        """Returns the ``row_lengths`` of all ragged dimensions, outermost first."""
        return tuple([level.row_lengths() for level in self._list_of_levels()])

    def nested_value_rowids(self, name: str | None = None) -> tuple[Tensor, ...]:
        """Returns the ``value_rowids`` of all ragged dimensions, outermost first."""
        return tuple([level.value_rowids() for level in self._list_of_levels()])

    def bounding_shape(self, axis: Any = None, name: str | None = None, out_type: Any = None) -> Tensor:
        """Returns the shape of the smallest dense tensor that can hold all elements.

        Args:
            axis: a dimension, or a list of dimensions; default: all.
            out_type: int32 or int64; default the dtype of ``row_splits``.

        Returns:
            Sizes of shape (rank,), or of the shape of ``axis``.
        """
        axes = axis if isinstance(axis, (list, tuple)) else [] if axis is None else [axis]
        axes = [ops.as_python_int(axis_number, "bounding_shape: axis") for axis_number in axes]
        for axis_number in axes:
            if not 0 <= axis_number < self.shape.rank:
                raise InvalidArgumentError(f"bounding_shape: axis {axis_number} is not in [0, {self.shape.rank}).")
        dtype = self._row_splits.dtype if out_type is None else dtypes.as_dtype(out_type)
        longest_rows = [
            ops.reduce_max(lengths) if len(lengths) else constant_tensor(np.zeros((), dtype.numpy))
            for lengths in self.nested_row_lengths()
        ]
        inner_sizes = [constant_tensor(np.array(size, dtype.numpy)) for size in self.flat_values.shape[1:]]
        sizes = [ops.cast(size, dtype) for size in (self.nrows(), *longest_rows, *inner_sizes)]
        if axis is None:
            return convert_to_tensor(sizes)
        if isinstance(axis, (list, tuple)):
            return convert_to_tensor([sizes[axis_number] for axis_number in axes])
        return sizes[axes[0]]

    # ---- copies with other parts -------------------------------------------------------------------------

    def with_values(self, new_values: Any) -> RaggedTensor:
        """Returns a ragged tensor with ``new_values`` and the same rows.

        Raises:
            ValueError: the number of values differs.
        """
        values = _checked_values(new_values)
        if row_count(values) != row_count(self._values):
            raise ValueError(f"with_values: ({row_count(self._values)},) and ({row_count(values)},) are incompatible.")
        return self._with(values)

    def with_flat_values(self, new_values: Any) -> Any:
        """Returns a ragged tensor with ``new_values`` instead of ``flat_values``; errors as in ``with_values``."""
        if isinstance(self._values, RaggedTensor):
            return self._with(self._values.with_flat_values(new_values))
        return self.with_values(new_values)

    def with_row_splits_dtype(self, dtype: Any) -> RaggedTensor:
        """Returns an equal ragged tensor with ``row_splits`` of int32 or int64.

        Raises:
            ValueError: ``dtype`` is another one.
        """
        dtype = dtypes.as_dtype(dtype)
        check_choice("with_row_splits_dtype", partition.ROW_SPLITS_DTYPES, dtype=dtype)
        values = self._values.with_row_splits_dtype(dtype) if isinstance(self._values, RaggedTensor) else self._values
        return self._of(values, ops.cast(self._row_splits, dtype), self._uniform)

    def merge_dims(self, outer_axis: int, inner_axis: int) -> Any:
        """Merges the dimensions from ``outer_axis`` to ``inner_axis`` into one.

        Raises:
            ValueError: an axis is out of range, or ``outer_axis`` is greater than ``inner_axis``.
        """
        from fastgrad._src.structures.ragged import dense

        return dense.merge_dims(self, outer_axis, inner_axis)

    def to_tensor(self, default_value: Any = None, name: str | None = None, shape: Any = None) -> Tensor:
        """Returns a dense tensor with padded rows.

        Args:
            default_value: the padding; default: 0 or an empty string.
            name: kept for TensorFlow's signature.
            shape: the shape of the result; None for a size that holds all elements. Elements outside of the shape are dropped.

        Raises:
            InvalidArgumentError: ``default_value`` does not fit an element.
            ValueError: ``shape`` has another rank or other inner sizes.
        """
        from fastgrad._src.structures.ragged import dense

        return dense.to_tensor(self, default_value, shape)

    def to_sparse(self, name: str | None = None) -> SparseTensor:
        """Returns a sparse tensor with all elements, at their positions."""
        from fastgrad._src.structures.ragged import sparse

        return sparse.to_sparse(self)

    def to_list(self) -> list[Any]:
        """Returns the elements as nested Python lists."""
        rows = self._values.to_list() if isinstance(self._values, RaggedTensor) else self._values._elements().tolist()
        ends = self._row_splits._elements().tolist()
        return [rows[start:end] for start, end in itertools.pairwise(ends)]

    def numpy(self) -> np.ndarray:
        """Returns a NumPy array; if row lengths differ, an array of object dtype that holds one array per row."""
        values = self._values
        values = values.numpy() if isinstance(values, RaggedTensor) else values._elements().copy()
        ends = self._row_splits._elements().tolist()
        rows = [values[start:end] for start, end in itertools.pairwise(ends)]
        if not rows:
            return np.zeros((0, 0, *values.shape[1:]), values.dtype)
        if len({len(row) for row in rows}) == 1:
            return np.stack(rows)
        out = np.empty(len(rows), object)
        for number, row in enumerate(rows):  # `out[:] = rows` would try to stack the rows
            out[number] = row
        return out

    # ---- Python protocols --------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        from fastgrad._src.structures.ragged import indexing

        return indexing.getitem(self, key)

    def __iter__(self) -> Iterator[Any]:
        return (self[row] for row in range(len(self._row_splits) - 1))

    def __bool__(self) -> bool:
        raise TypeError("RaggedTensor may not be used as a boolean.")

    def __hash__(self) -> int:
        raise TypeError("RaggedTensor is unhashable.")

    def __repr__(self) -> str:
        if any(symbol_of(x) for x in self._to_components()[1]):
            return f"tf.RaggedTensor(values={self._values!s}, row_splits={self._row_splits!s})"
        return f"<tf.RaggedTensor {_array_text(self.numpy())}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _ragged_from_components, self._to_components()

    # ---- composite protocol ------------------------------------------------------------------------------

    def _list_of_levels(self) -> list[RaggedTensor]:
        """Returns this ragged tensor, its values, their values and so on, while these are ragged."""
        levels: list[RaggedTensor] = []
        level: Any = self
        while type(level) is RaggedTensor:
            levels.append(level)
            level = level._values
        return levels

    def _to_components(self) -> tuple[Any, list[Any]]:
        levels = self._list_of_levels()
        return tuple([level._uniform for level in levels]), [
            levels[-1]._values,
            *[level._row_splits for level in levels],
        ]

    @classmethod
    def _from_components(cls, form: Any, tensors: Sequence[Any]) -> Any:
        values, *nested = tensors
        for splits, uniform in zip(reversed(nested), reversed(form), strict=True):
            values = cls._of(values, splits, uniform)
        return values

    def _spec(self) -> CompositeSpec:
        from fastgrad._src.structures.ragged.spec import RaggedTensorSpec

        return RaggedTensorSpec.from_value(self)

    @classmethod
    def _spec_of_tensor(cls, tensor: Tensor) -> CompositeSpec:
        from fastgrad._src.structures.ragged.spec import RaggedTensorSpec

        return RaggedTensorSpec(tensor.shape, tensor.dtype, 0)

    def _text(self, text_of_array: Callable[[Any], str]) -> str:
        return _array_text(self.numpy())

    def _with(self, values: Any) -> RaggedTensor:
        """Returns a ragged tensor with the same rows; ``values`` has the same length as the old values."""
        return self._of(values, self._row_splits, self._uniform)

    def _with_flat_values(self, flat_values: Any) -> Any:
        form, parts = self._to_components()
        return self._from_components(form, [flat_values, *parts[1:]])


def _ragged_from_components(form: Any, component_tensors: list[Any]) -> RaggedTensor:
    return RaggedTensor._from_components(form, component_tensors)


def _checked_values(values: Any) -> Any:
    if isinstance(values, RaggedTensor):
        return values
    converted = convert_to_tensor(values)
    if not converted.ndim:
        raise InvalidArgumentError("RaggedTensor: Shape () of values must have rank at least 1.")
    return converted


def row_count(values: Any) -> int:
    """Returns the number of rows of a tensor or ragged tensor."""
    return len(values._row_splits) - 1 if isinstance(values, RaggedTensor) else len(values)


def _from_nested(make: Callable[..., Any], flat_values: Any, nested: Any, caller_name: str, validate: bool) -> Any:
    if isinstance(nested, Tensor) or not isinstance(nested, (list, tuple)):
        raise TypeError(f"{caller_name} must be a list of tensors, got {nested!r}.")
    values = flat_values
    for row_partition in reversed(nested):
        values = make(values, row_partition, validate=validate)
    return values


def _array_text(item: Any) -> str:
    """Returns the text of an element or of an array; commas separate elements."""
    if not isinstance(item, np.ndarray):
        return str(item)
    return np.array2string(item, separator=", ", formatter={"all": _array_text}) if item.size else repr(item.tolist())


def _refuse_conversion(ragged: RaggedTensor) -> Tensor:
    raise CompositeOperand(ragged)


tensor.converters.append((RaggedTensor, _refuse_conversion))
