"""``TensorShape``: the dimensions of a tensor, ints or None for an unknown dimension. Sizes that follow from shapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from typing import Any

from fastgrad._src.core.names import declare_missing


class ArrayLike:
    """The sizes of an array that is not NumPy's, from its ``shape`` and ``dtype``, as a NumPy array has them."""

    __slots__ = ()

    shape: tuple[int, ...]
    dtype: Any

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def itemsize(self) -> int:
        """The bytes of an element."""
        return int(self.dtype.itemsize)

    @property
    def nbytes(self) -> int:
        """The bytes of all elements."""
        return self.size * self.itemsize

    def __len__(self) -> int:
        return self.shape[0]


_new_object = object.__new__


@declare_missing("as_proto", "experimental_as_proto", "experimental_from_proto", "experimental_type_proto")
class TensorShape:
    """The shape of a tensor or of a TensorSpec.

    It is no tuple, but ``len``, iteration, subscripts and ``+`` work, and NumPy accepts it. It equals lists and tuples of the
    same dimensions, and has the hash of the tuple. A dimension of None is unknown; ``TensorShape(None)`` has unknown rank.

    Args:
        dims: an iterable of ints or Nones, one int, or None for unknown rank.

    Raises:
        ValueError: a dimension is negative.
        TypeError: a dimension is not an integer.

    Example:
        >>> tf.TensorShape([2, None]).is_compatible_with((2, 5))
        True
    """

    __slots__ = ("_dims",)

    _dims: tuple[int | None, ...] | None

    def __new__(cls, dims: Iterable[Any] | int | None) -> TensorShape:  # noqa: PYI034  # another TensorShape may return
        """Creates the shape of ``dims``; returns a TensorShape unchanged."""
        if type(dims) is TensorShape:
            return dims
        if dims is None:
            return cls.of(None)
        return cls.of(tuple([_dimension(size) for size in dims] if isinstance(dims, Iterable) else (_dimension(dims),)))

    @classmethod
    def of(cls, dims: tuple[int | None, ...] | None) -> TensorShape:
        """Creates the shape of ``dims`` without a check."""
        shape = _new_object(cls)
        shape._dims = dims
        return shape

    @property
    def rank(self) -> int | None:
        """The number of dimensions, None if unknown."""
        return None if self._dims is None else len(self._dims)

    ndims = rank

    @property
    def dims(self) -> list[int | None] | None:
        """The dimensions as a list, None if the rank is unknown."""
        return None if self._dims is None else list(self._dims)

    def as_list(self) -> list[int | None]:
        """Returns the dimensions as a list.

        Raises:
            ValueError: the rank is unknown.
        """
        if self._dims is None:
            raise ValueError("as_list() is not defined on an unknown TensorShape.")
        return list(self._dims)

    def is_fully_defined(self) -> bool:
        """True if the rank and all dimensions are known."""
        return self._dims is not None and None not in self._dims

    def num_elements(self) -> int | None:
        """Returns the number of elements, None if the shape is not fully defined."""
        return prod(self._dims) if self.is_fully_defined() else None  # type: ignore[arg-type]

    def is_compatible_with(self, other: Any) -> bool:
        """True if a fully defined shape can match both this shape and ``other``."""
        dims, other_dims = self._dims, TensorShape(other)._dims
        if dims is None or other_dims is None:
            return True
        return len(dims) == len(other_dims) and all(
            a is None or b is None or a == b for a, b in zip(dims, other_dims, strict=True)
        )

    def assert_is_compatible_with(self, other: Any) -> None:
        """Raises ValueError unless ``is_compatible_with(other)``."""
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {TensorShape(other)} are incompatible")

    def assert_has_rank(self, rank: int) -> None:
        """Raises ValueError unless the rank is ``rank`` or unknown."""
        if self.rank not in (None, rank):
            raise ValueError(f"Shape {self} must have rank {rank}")

    def with_rank(self, rank: int) -> TensorShape:
        """Returns this shape with rank ``rank``; ValueError if it has another rank."""
        self.assert_has_rank(rank)
        return TensorShape.of((None,) * rank) if self._dims is None else self

    def with_rank_at_least(self, rank: int) -> TensorShape:
        """Returns this shape; ValueError if its rank is known and below ``rank``."""
        if self._dims is not None and len(self._dims) < rank:
            raise ValueError(f"Shape {self} must have rank at least {rank}")
        return self

    def with_rank_at_most(self, rank: int) -> TensorShape:
        """Returns this shape; ValueError if its rank is known and above ``rank``."""
        if self._dims is not None and len(self._dims) > rank:
            raise ValueError(f"Shape {self} must have rank at most {rank}")
        return self

    def assert_same_rank(self, other: Any) -> None:
        """Raises ValueError if the ranks of this shape and of ``other`` are known and differ."""
        other = TensorShape(other)
        if None not in (self.rank, other.rank) and self.rank != other.rank:
            raise ValueError(f"Shapes {self} and {other} must have the same rank")

    def assert_is_fully_defined(self) -> None:
        """Raises ValueError unless the rank and all dimensions are known."""
        if not self.is_fully_defined():
            raise ValueError(f"Shape {self} is not fully defined")

    def is_subtype_of(self, other: Any) -> bool:
        """True if each shape that fits this shape also fits ``other``; False if ``other`` is not a TensorShape."""
        if not isinstance(other, TensorShape):
            return False
        if other._dims is None:
            return True
        return self.rank == other.rank and all(
            general in (None, size) for size, general in zip(self, other, strict=True)
        )

    def most_specific_compatible_shape(self, other: Any) -> TensorShape:
        """Returns the narrowest shape that includes this shape and ``other``: dimensions that differ become unknown."""
        other = TensorShape(other)
        if self._dims is None or self.rank != other.rank:
            return TensorShape(None)
        return TensorShape([a if a == b else None for a, b in zip(self, other, strict=True)])

    def most_specific_common_supertype(self, others: Iterable[Any]) -> TensorShape | None:
        """Returns the narrowest shape that includes this and all ``others``; None if one of them is not a TensorShape."""
        shape = self
        for other in others:
            if not isinstance(other, TensorShape):
                return None
            shape = shape.most_specific_compatible_shape(other)
        return shape

    def merge_with(self, other: Any) -> TensorShape:
        """Combines the known dimensions of both shapes; ValueError if they conflict."""
        other = TensorShape(other)
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {other} are not compatible")
        if self._dims is None:
            return other
        if other._dims is None:
            return self
        return TensorShape([b if a is None else a for a, b in zip(self, other, strict=True)])

    def concatenate(self, other: Any) -> TensorShape:
        """Returns the dimensions of this shape followed by those of ``other``."""
        dims, other_dims = self._dims, TensorShape(other)._dims
        return TensorShape.of(None if dims is None or other_dims is None else dims + other_dims)

    def __getitem__(self, key: Any) -> Any:
        dims = self._dims
        if dims is None:
            return _slice_of_unknown_rank(key) if isinstance(key, slice) else None
        item = dims[key]
        return TensorShape.of(item) if type(item) is tuple else item

    def __iter__(self) -> Iterator[Any]:
        if self._dims is None:
            raise ValueError("Cannot iterate over a shape with unknown rank.")
        return iter(self._dims)

    def __len__(self) -> int:
        if self._dims is None:
            raise ValueError("Cannot take the length of shape with unknown rank.")
        return len(self._dims)

    def __add__(self, other: Any) -> TensorShape:
        return self.concatenate(other)

    def __radd__(self, other: Any) -> TensorShape:
        return TensorShape(other).concatenate(self)

    def __bool__(self) -> bool:
        return self._dims is not None

    def __eq__(self, other: Any) -> bool:
        if type(other) is not TensorShape:
            try:
                other = TensorShape(other)
            except TypeError:
                return NotImplemented
        return bool(self._dims == other._dims)

    def __hash__(self) -> int:
        return hash(self._dims)

    def __str__(self) -> str:
        return "<unknown>" if self._dims is None else str(self._dims)

    def __repr__(self) -> str:
        return f"TensorShape({self.dims})"

    def __reduce__(self) -> tuple[Any, ...]:
        return TensorShape, (self.dims,)


def _slice_of_unknown_rank(key: slice) -> TensorShape:
    """Returns the slice ``key`` of a shape of unknown rank: its rank is known if it has a nonnegative start and stop."""
    if key.step is not None:
        raise ValueError("Steps are not yet handled")
    start = 0 if key.start is None else key.start
    is_rank_known = key.stop is not None and min(start, key.stop) >= 0
    return TensorShape.of((None,) * (key.stop - start) if is_rank_known else None)


def _dimension(size: Any) -> int | None:
    if size is None:
        return None
    try:
        whole = size.__index__()
    except (AttributeError, TypeError):
        raise TypeError(
            f"Dimension value must be integer or None or have an __index__ method, got value '{size!r}'"
        ) from None
    if whole < 0:
        raise ValueError(f"Dimension {whole} must be >= 0")
    return whole
