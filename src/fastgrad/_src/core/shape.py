"""``TensorShape``: the dimensions of a tensor, a tuple of ints (None for an unknown dimension). Sizes that follow from shapes."""

from __future__ import annotations

from collections.abc import Iterable
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


@declare_missing("as_proto")
class TensorShape(tuple):  # noqa: SLOT001  # an unknown rank is an attribute
    """The shape of a tensor or of a TensorSpec.

    It is a tuple of ints, so NumPy accepts it. It equals lists and tuples of the same dimensions. A dimension of None is
    unknown; ``TensorShape(None)`` has unknown rank.

    Args:
        dims: an iterable of ints or Nones, one int, or None for unknown rank.

    Raises:
        ValueError: a dimension is negative.
        TypeError: a dimension is not an integer.

    Example:
        >>> tf.TensorShape([2, None]).is_compatible_with((2, 5))
        True
    """

    _unknown_rank = False

    def __new__(cls, dims: Iterable[Any] | int | None = ()) -> TensorShape:  # noqa: PYI034  # another TensorShape may return
        """Creates the shape of ``dims``; returns a TensorShape unchanged."""
        if type(dims) is TensorShape:
            return dims
        if dims is None:
            unknown = super().__new__(cls, ())
            unknown._unknown_rank = True
            return unknown
        if not isinstance(dims, Iterable):
            dims = (dims,)
        return super().__new__(cls, [_dimension(size) for size in dims])

    @classmethod
    def of(cls, sizes: tuple[int, ...]) -> TensorShape:
        """Creates the shape of an array without a check of ``sizes``."""
        return tuple.__new__(cls, sizes)

    @property
    def rank(self) -> int | None:
        """The number of dimensions, None if unknown."""
        return None if self._unknown_rank else len(self)

    ndims = rank

    @property
    def dims(self) -> list[int | None] | None:
        """The dimensions as a list, None if the rank is unknown."""
        return None if self._unknown_rank else list(self)

    def as_list(self) -> list[int | None]:
        """Returns the dimensions as a list.

        Raises:
            ValueError: the rank is unknown.
        """
        if self._unknown_rank:
            raise ValueError("as_list() is not defined on an unknown TensorShape.")
        return list(self)

    def is_fully_defined(self) -> bool:
        """True if the rank and all dimensions are known."""
        return not self._unknown_rank and None not in tuple(self)

    def num_elements(self) -> int | None:
        """Returns the number of elements, None if the shape is not fully defined."""
        return prod(self) if self.is_fully_defined() else None

    def is_compatible_with(self, other: Any) -> bool:
        """True if a fully defined shape can match both this shape and ``other``."""
        other = TensorShape(other)
        if self._unknown_rank or other._unknown_rank:
            return True
        return len(self) == len(other) and all(
            a is None or b is None or a == b for a, b in zip(self, other, strict=True)
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
        return TensorShape([None] * rank) if self._unknown_rank else self

    def with_rank_at_least(self, rank: int) -> TensorShape:
        """Returns this shape; ValueError if its rank is known and below ``rank``."""
        if not self._unknown_rank and len(self) < rank:
            raise ValueError(f"Shape {self} must have rank at least {rank}")
        return self

    def with_rank_at_most(self, rank: int) -> TensorShape:
        """Returns this shape; ValueError if its rank is known and above ``rank``."""
        if not self._unknown_rank and len(self) > rank:
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
        if other._unknown_rank:
            return True
        return self.rank == len(other) and all(wanted in (None, size) for size, wanted in zip(self, other, strict=True))

    def most_specific_compatible_shape(self, other: Any) -> TensorShape:
        """Returns the narrowest shape that includes this shape and ``other``: dimensions that differ become unknown."""
        other = TensorShape(other)
        if self._unknown_rank or self.rank != other.rank:
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
        self.assert_is_compatible_with(other)
        if self._unknown_rank:
            return other
        if other._unknown_rank:
            return self
        return TensorShape([b if a is None else a for a, b in zip(self, other, strict=True)])

    def concatenate(self, other: Any) -> TensorShape:
        """Returns the dimensions of this shape followed by those of ``other``."""
        other = TensorShape(other)
        if self._unknown_rank or other._unknown_rank:
            return TensorShape(None)
        return TensorShape(tuple(self) + tuple(other))

    def __getitem__(self, key: Any) -> Any:
        if self._unknown_rank:
            return TensorShape(None) if isinstance(key, slice) else None
        item = tuple.__getitem__(self, key)
        return TensorShape.of(item) if isinstance(key, slice) else item

    def __add__(self, other: Any) -> TensorShape:
        return self.concatenate(other)

    def __radd__(self, other: Any) -> TensorShape:
        return TensorShape(other).concatenate(self)

    def __bool__(self) -> bool:
        return not self._unknown_rank

    def __len__(self) -> int:
        if self._unknown_rank:
            raise ValueError("Cannot take the length of shape with unknown rank.")
        return tuple.__len__(self)

    def __eq__(self, other: Any) -> bool:
        if isinstance(other, TensorShape):
            return self._unknown_rank == other._unknown_rank and tuple.__eq__(self, other)
        if other is None:
            return self._unknown_rank
        if not isinstance(other, (tuple, list)):
            return NotImplemented
        return not self._unknown_rank and tuple.__eq__(self, tuple(other))

    def __ne__(self, other: Any) -> bool:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self) -> int:
        return tuple.__hash__(self)

    def __str__(self) -> str:
        if self._unknown_rank:
            return "<unknown>"
        return f"({self[0]},)" if len(self) == 1 else "(" + ", ".join(map(str, self)) + ")"

    def __repr__(self) -> str:
        return "TensorShape(None)" if self._unknown_rank else f"TensorShape({list(self)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return TensorShape, (None if self._unknown_rank else list(self),)


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
