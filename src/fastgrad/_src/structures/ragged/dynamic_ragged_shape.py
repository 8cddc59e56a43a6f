"""``tf.experimental.DynamicRaggedShape``: the shape of a ragged or dense tensor, with the lengths of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes, tensor
from fastgrad._src.core.argument_checks import check_choice, check_length, check_type, refuse, require
from fastgrad._src.core.composite import Composite, CompositeOperand, CompositeSpec, overrides
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged.partition import index_range, uniform_splits
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor
from fastgrad._src.structures.ragged.row_partition import RowPartition


class DynamicRaggedShape(Composite):
    """The shape of a ragged or dense tensor: the partitions of its ragged dimensions, and the shape of its flat values.

    ``tf.shape`` of a ragged tensor returns it; ``tf.broadcast_to``, ``tf.reshape``, ``tf.ones``, ``tf.zeros`` and ``tf.fill`` take it.

    Args:
        row_partitions: the ``RowPartition`` of each ragged dimension, outermost first; none for a dense tensor.
        inner_shape: the shape of the flat values, a vector of integers.
        dtype: int32 or int64; default: that of the partitions or of ``inner_shape``, else int64.
        validate: whether the values of partitions are checked, too.
        static_inner_shape: a ``TensorShape`` that ``inner_shape`` must fit.

    Raises:
        TypeError: ``row_partitions`` are no partitions.
        ValueError: partitions or sizes do not fit each other, or have another dtype.
        InvalidArgumentError: with ``validate``, values of partitions do not fit each other.
    """

    __slots__ = ("_dtype", "_partitions", "_sizes")

    counts_as_tensor = False
    remedy = "use its inner_shape and row_partitions"

    _partitions: tuple[RowPartition, ...]
    _sizes: tuple[int, ...]
    _dtype: dtypes.DType

    def __init__(
        self,
        row_partitions: Sequence[RowPartition],
        inner_shape: Any,
        dtype: Any = None,
        validate: bool = False,
        static_inner_shape: Any = None,
    ) -> None:
        check_type("DynamicRaggedShape", "a list of RowPartition", Iterable, row_partitions=row_partitions)
        partitions = tuple(row_partitions)
        for partition in partitions:
            check_type("DynamicRaggedShape", "a RowPartition", RowPartition, partition=partition)
        known = [partition.dtype for partition in partitions]
        if isinstance(inner_shape, (Tensor, np.ndarray)):
            known.append(dtypes.as_dtype(inner_shape.dtype))
        self._dtype = dtypes.as_dtype(dtype or next(iter(known), dtypes.int64))
        check_choice("DynamicRaggedShape", (dtypes.int32, dtypes.int64), dtype=self._dtype)
        if dtype is None and len(set(known)) > 1:
            raise ValueError(f"DynamicRaggedShape: dtypes {[item.name for item in known]} differ; name one by dtype.")
        self._partitions = tuple([partition.with_dtype(self._dtype) for partition in partitions])
        self._sizes = ops.as_python_ints(inner_shape, "DynamicRaggedShape: inner_shape")
        if static_inner_shape is not None:
            TensorShape(static_inner_shape).assert_is_compatible_with(self._sizes)
        for axis, (before, after) in enumerate(zip(self._partitions, self._partitions[1:], strict=False)):
            message = f"RowPartitions in DynamicRaggedShape do not align between {axis} and {axis + 1}"
            _check_number_of_values(before, after.static_nrows, validate, message)
        if partitions:
            require(self._sizes, self, "`inner_shape` must have a size for the values of row_partitions")
            message = "Last row partition does not match inner_shape."
            _check_number_of_values(self._partitions[-1], self._sizes[0], validate, message)

    @classmethod
    def from_lengths(
        cls, lengths: Sequence[Any], num_row_partitions: int | None = None, dtype: Any = dtypes.int64
    ) -> DynamicRaggedShape:
        """Returns a shape from the size of each dimension: an integer, or a tuple of the lengths of all its rows.

        Args:
            lengths: a list; ``[2, (3, 2)]`` is the shape of ``[[0, 0, 0], [0, 0]]``.
            num_row_partitions: the number of ragged dimensions; default: as few as needed.
            dtype: int32 or int64.

        Raises:
            ValueError: ``lengths`` is no such list, or its numbers do not fit each other.
        """
        check_type("DynamicRaggedShape.from_lengths", "a list", list, ValueError, lengths=lengths)
        for item in lengths:
            numbers = item if isinstance(item, (tuple, list)) else [item]
            if not all(isinstance(number, int) for number in numbers):
                refuse("DynamicRaggedShape.from_lengths", "an element must be an int or a tuple of ints", element=item)
        ragged_axes = [axis for axis, item in enumerate(lengths) if not isinstance(item, int)]
        count: Any = max(ragged_axes, default=0) if num_row_partitions is None else num_row_partitions
        if not isinstance(count, int) or count < 0 or count >= max(len(lengths), 1):
            raise ValueError(f"from_lengths: num_row_partitions must be an int below {len(lengths)}, got {count!r}.")
        partitions = []
        size = lengths[0] if lengths else 0
        for item in lengths[1 : count + 1]:
            if isinstance(item, int):
                partitions.append(RowPartition.from_uniform_row_length(item, size * item, nrows=size, dtype=dtype))
                size *= item
            else:
                check_length("DynamicRaggedShape.from_lengths", size, lengths=item)
                partitions.append(RowPartition.from_row_lengths(item, dtype=dtype))
                size = sum(item)
        return cls(partitions, [size, *lengths[count + 1 :]] if count else lengths, dtype=dtype)

    @classmethod
    def from_row_partitions(cls, row_partitions: Sequence[RowPartition], dtype: Any = None) -> DynamicRaggedShape:
        """Returns the shape whose flat values are a vector; ValueError if ``row_partitions`` is empty."""
        require(row_partitions, "DynamicRaggedShape.from_row_partitions", "row_partitions cannot be empty")
        return cls(row_partitions, [row_partitions[-1].nvals()], dtype=dtype)

    @classmethod
    def from_tensor(cls, t: Any, dtype: Any = None) -> DynamicRaggedShape:
        """Returns the shape of a ragged or dense tensor; its dtype is that of ``row_splits``, or int32, if ``dtype`` is None."""
        if not isinstance(t, RaggedTensor):
            return cls([], convert_to_tensor(t)._array.shape, dtype=dtype or dtypes.int32)
        partitions = [RowPartition._of(level._row_splits, level._uniform) for level in t._list_of_levels()]
        return cls(partitions, t.flat_values._array.shape, dtype=dtype)

    @property
    def row_partitions(self) -> tuple[RowPartition, ...]:
        """The partitions of the ragged dimensions, outermost first."""
        return self._partitions

    @property
    def num_row_partitions(self) -> int:
        """The number of partitions."""
        return len(self._partitions)

    @property
    def dtype(self) -> dtypes.DType:
        """int32 or int64."""
        return self._dtype

    @property
    def inner_shape(self) -> Tensor:
        """The shape of the flat values, a vector."""
        return self._number(self._sizes)

    @property
    def inner_rank(self) -> int:
        """The rank of the flat values."""
        return len(self._sizes)

    @property
    def rank(self) -> int:
        """The number of dimensions."""
        return len(self._partitions) + len(self._sizes)

    def static_lengths(self, ragged_lengths: bool = True) -> list[Any]:
        """Returns the size of each dimension: an int, or for a ragged one the lengths of its rows, or None.

        Args:
            ragged_lengths: whether the lengths of rows are returned.
        """
        if not self._partitions:
            return list(self._sizes)
        lengths: list[Any] = [self._partitions[0].static_nrows]
        for partition in self._partitions:
            if partition.is_uniform():
                lengths.append(partition.static_uniform_row_length)
            else:
                lengths.append(tuple(partition.row_lengths().numpy().tolist()) if ragged_lengths else None)
        return lengths + list(self._sizes[1:])

    def is_uniform(self, axis: int) -> bool:
        """True if all rows of the dimension have one length.

        Raises:
            TypeError: ``axis`` is no integer.
            IndexError: there is no such dimension.
        """
        check_type("DynamicRaggedShape.is_uniform", "an integer", int, axis=axis)
        require(0 <= axis < self.rank, self, f"`axis` must be in [0, {self.rank})", IndexError, axis=axis)
        return axis == 0 or axis > len(self._partitions) or self._partitions[axis - 1].is_uniform()

    def with_dtype(self, dtype: Any) -> DynamicRaggedShape:
        """Returns the shape in int32 or int64; ValueError for another dtype."""
        return DynamicRaggedShape(self._partitions, self._sizes, dtype=dtype)

    def __getitem__(self, index: Any) -> Any:
        """Returns the size of a uniform dimension, or the shape of a range of dimensions.

        Raises:
            TypeError: ``index`` is no int or slice.
            IndexError: there is no such dimension, or the slice has a step.
            ValueError: the dimension is ragged, or the slice has ragged dimensions without the first.
        """
        if isinstance(index, slice):
            require(index.step in (None, 1), self, "Cannot stride through it", IndexError, step=index.step)
            start, stop, _ = index.indices(self.rank)
            return self._slice(start, stop)
        check_type("DynamicRaggedShape", "an int or a slice", int, index=index)
        axis = index + self.rank if index < 0 else index
        require(0 <= axis < self.rank, self, f"the index must be in range [0, {self.rank})", IndexError, index=index)
        require(self.is_uniform(axis), self, "it has no size for a dimension that is not uniform", dimension=axis)
        return self._number(self.static_lengths(ragged_lengths=False)[axis])

    def _slice(self, start: int, stop: int) -> DynamicRaggedShape:
        count = len(self._partitions)
        if stop <= start:
            return DynamicRaggedShape([], [], dtype=dtypes.int64)
        if start or stop == 1:
            lengths = self.static_lengths(ragged_lengths=False)[:stop]
            if None in lengths:
                raise ValueError("DynamicRaggedShape: all dimensions of a slice without the first must be uniform.")
            return DynamicRaggedShape([], lengths[start:], dtype=self._dtype)
        if stop > count:
            return DynamicRaggedShape(self._partitions, self._sizes[: stop - count], dtype=self._dtype)
        return DynamicRaggedShape.from_row_partitions(self._partitions[: stop - 1])

    def _number(self, numbers: Any) -> Tensor:
        return constant_tensor(np.array(numbers, self._dtype.numpy))

    def _all_partitions(self) -> tuple[int, list[RowPartition]]:
        """Returns the number of rows, and a partition of each further dimension, also of the uniform ones."""
        rows = self._partitions[0].static_nrows if self._partitions else self._sizes[0]
        partitions = list(self._partitions)
        size = self._sizes[0]
        for length in self._sizes[1:]:
            partitions.append(RowPartition._of(uniform_splits(length, size, self._dtype), length, size * length))
            size *= length
        return rows, partitions

    def _with_values(self, flat_values: Any) -> Any:
        """Returns the tensor of this shape with these flat values."""
        values = ops.reshape(flat_values, self._sizes)
        for partition in reversed(self._partitions):
            values = RaggedTensor._of(values, partition.row_splits(), partition.static_uniform_row_length)
        return values

    def __eq__(self, other: Any) -> Any:
        """Whether the shapes are equal: a tensor if all static sizes are, else False."""
        if not isinstance(other, DynamicRaggedShape):
            return NotImplemented
        if self._spec() != other._spec():
            return False
        pairs = zip(self._partitions, other._partitions, strict=True)
        return ops.reduce_all([True, *[ops.reduce_all(ops.equal(a.row_splits(), b.row_splits())) for a, b in pairs]])

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        lengths = ", ".join(map(str, self.static_lengths()))
        return f"<DynamicRaggedShape lengths=[{lengths}] num_row_partitions={len(self._partitions)}>"

    @property
    def flat_values(self) -> Any:
        """Raises ValueError: a shape has no gradients."""
        raise ValueError("DynamicRaggedShape is no source or target of a gradient: it has integers only.")

    def _to_components(self) -> tuple[Any, list[Any]]:
        parts = [partition._to_components() for partition in self._partitions]
        return (self._sizes, self._dtype.name, tuple([form for form, _ in parts])), [splits for _, (splits,) in parts]

    @classmethod
    def _from_components(cls, form: Any, tensors: Sequence[Any]) -> Any:
        shape = cls.__new__(cls)
        shape._sizes, name, partitions = form
        shape._dtype = dtypes.as_dtype(name)
        pairs = zip(partitions, tensors, strict=True)
        shape._partitions = tuple([RowPartition._from_components(part, [splits]) for part, splits in pairs])
        return shape

    def _spec(self) -> CompositeSpec:
        return DynamicRaggedShapeSpec(
            tuple([partition._spec() for partition in self._partitions]), self._sizes, self._dtype
        )

    def _text(self, text_of_array: Callable[[Any], str]) -> str:
        return repr(self)


class DynamicRaggedShapeSpec(CompositeSpec):
    """The static type of a ``DynamicRaggedShape``."""

    __slots__ = ("_parts",)

    def __init__(self, partitions: tuple[Any, ...], sizes: tuple[int, ...], dtype: dtypes.DType) -> None:
        self._parts = partitions, sizes, dtype

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        is_value = isinstance(spec_or_value, DynamicRaggedShape)
        return bool(self == (spec_or_value._spec() if is_value else spec_or_value))

    def most_specific_common_supertype(self, others: Iterable[Any]) -> DynamicRaggedShapeSpec | None:
        """Returns this spec if all ``others`` are equal, else None."""
        return self if all(other == self for other in others) else None

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, DynamicRaggedShapeSpec) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self._parts)

    def __repr__(self) -> str:
        partitions, sizes, dtype = self._parts
        return f"DynamicRaggedShapeSpec(row_partitions={partitions}, inner_shape={sizes}, dtype={dtype.name})"


def _check_number_of_values(partition: RowPartition, count: int, validate: bool, message: str) -> None:
    if partition.static_nvals is not None and partition.static_nvals != count:
        raise ValueError(message)
    if validate:
        ops.assert_equal(partition.nvals(), constant_tensor(np.array(count, partition.dtype.numpy)), message=message)


def _broadcast_to(value: Any, shape: Any) -> Any:
    """Returns ``value``, ragged or dense, repeated up to a ``DynamicRaggedShape``, from the first dimension on.

    Dimensions that have size 1 by their shape are repeated, and ragged ones are not.

    Raises:
        TypeError: ``shape`` is no ``DynamicRaggedShape``.
        ValueError: ``row_splits`` of the value and of the shape have different dtypes.
        InvalidArgumentError: other lengths differ.
    """
    check_type("broadcast_to", "a tf.experimental.DynamicRaggedShape", DynamicRaggedShape, ValueError, shape=shape)
    is_ragged = isinstance(value, RaggedTensor)
    if is_ragged and shape.num_row_partitions and value.row_splits.dtype is not shape.dtype:
        refuse("broadcast_to", f"use with_row_splits_dtype({shape.dtype!r}) first", dtype=value.row_splits.dtype)
    target = shape.with_dtype(value.row_splits.dtype) if is_ragged else shape
    flat = value.flat_values if is_ragged else convert_to_tensor(value)
    source = DynamicRaggedShape.from_tensor(value if is_ragged else flat, dtype=target.dtype)
    require(source.rank <= shape.rank, "broadcast_to", "the input must not have more axes than the shape", shape=shape)
    numbers = ops.reshape(flat, [-1])
    if source.rank:
        numbers = ops.gather(numbers, _source_positions(source, target))
        return target._with_values(numbers)
    return target._with_values(ops.broadcast_to(numbers, [prod(target._sizes)]))


def _source_positions(source: DynamicRaggedShape, target: DynamicRaggedShape) -> Tensor:
    """Returns for each element of ``target`` the position of its element among the flat elements of ``source``."""
    source_rows, source_partitions = source._all_partitions()
    target_rows, target_partitions = target._all_partitions()
    for _ in range(target.rank - source.rank):
        whole = RowPartition._of(uniform_splits(source_rows, 1, target.dtype), source_rows, source_rows)
        source_partitions, source_rows = [whole, *source_partitions], 1
    if source_rows not in (1, target_rows):
        ops.assert_equal(source_rows, target_rows, message="broadcast_to: Cannot broadcast the first dimension")
    positions = index_range(target_rows, target.dtype)
    if source_rows == 1:
        positions = positions * 0
    for axis, (before, after) in enumerate(zip(source_partitions, target_partitions, strict=True)):
        rows, offsets = after.value_rowids(), after.offsets_in_rows()
        if before.static_uniform_row_length == 1:
            offsets = offsets * 0
        else:
            message = (
                f"broadcast_to: Cannot broadcast rows of dimension {axis + 1}, whose lengths are not all 1 by its shape"
            )
            ops.assert_equal(ops.gather(before.row_lengths(), positions), after.row_lengths(), message)
        positions = ops.gather(ops.gather(before.row_starts(), positions), rows) + offsets
    return positions


def _refuse_conversion(value: DynamicRaggedShape) -> Tensor:
    raise CompositeOperand(value)


def _reshape(value: Any, shape: Any) -> Any:
    check_type("reshape", "a tf.experimental.DynamicRaggedShape", DynamicRaggedShape, ValueError, shape=shape)
    return shape._with_values(value.flat_values if isinstance(value, RaggedTensor) else value)


def _shape(value: Any, dtype: Any) -> DynamicRaggedShape:
    return DynamicRaggedShape.from_tensor(value, dtype=dtypes.as_dtype(dtype))


tensor.converters.append((DynamicRaggedShape, _refuse_conversion))
overrides(RaggedTensor, ops.shape)(_shape)
for _composite in (RaggedTensor, DynamicRaggedShape):
    overrides(_composite, ops.broadcast_to)(_broadcast_to)
    overrides(_composite, ops.reshape)(_reshape)
overrides(DynamicRaggedShape, ops.ones)(lambda shape, dtype: shape._with_values(ops.ones(shape._sizes, dtype)))
overrides(DynamicRaggedShape, ops.zeros)(lambda shape, dtype: shape._with_values(ops.zeros(shape._sizes, dtype)))
overrides(DynamicRaggedShape, ops.fill)(lambda shape, value: shape._with_values(ops.fill(shape._sizes, value)))
