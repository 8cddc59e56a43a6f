"""``SparseTensorSpec``: the static type of a sparse tensor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_type, named_argument
from fastgrad._src.core.composite import CompositeSpec
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import tensor_of_data
from fastgrad._src.core.tensor_spec import ShapedSpec, common_shape
from fastgrad._src.structures.sparse.array_ops import concat, expand_dims, reshape, slice
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor


class SparseTensorSpec(ShapedSpec, CompositeSpec):
    """The shape and dtype of a dataset element or of an argument.

    Args:
        shape: the dimensions, None for a size that varies; None if all are unknown.
        dtype: the element type.
    """

    __slots__ = ()

    value_type = SparseTensor

    def __init__(self, shape: Any = None, dtype: Any = dtypes.float32) -> None:
        with named_argument("SparseTensorSpec", "shape", "a shape"):
            self._shape = TensorShape(shape)
        self._dtype = dtypes.as_dtype(dtype)

    @classmethod
    def from_value(cls, value: Any) -> SparseTensorSpec:
        """Returns the spec of the sparse tensor ``value``.

        Raises:
            TypeError: ``value`` is not a sparse tensor.
        """
        check_type("SparseTensorSpec.from_value", "a SparseTensor", SparseTensor, value=value)
        return cls(value.shape, value.dtype)

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        return (
            isinstance(spec_or_value, (SparseTensor, SparseTensorSpec))
            and self._dtype is spec_or_value.dtype
            and self._shape.is_compatible_with(spec_or_value.shape)
        )

    def takes_argument(self, value: Any) -> bool:
        """True for a sparse tensor of the dtype and the rank: TensorFlow compares its parts, not its shape."""
        return (
            isinstance(value, SparseTensor)
            and self._dtype is value.dtype
            and (self._shape.rank is None or self._shape.rank == value.shape.rank)
        )

    def most_specific_common_supertype(self, others: Iterable[Any]) -> SparseTensorSpec | None:
        """Returns the narrowest spec that includes this spec and all ``others``; None if they differ in more than sizes."""
        shape = self._shape
        for other in others:
            if not isinstance(other, SparseTensorSpec) or self._dtype is not other._dtype:
                return None
            shape = common_shape(shape, other._shape)
        return SparseTensorSpec(shape, self._dtype)

    def batched(self, size: int | None) -> SparseTensorSpec:
        return SparseTensorSpec(TensorShape([size]).concatenate(self._shape), self._dtype)

    def of_rows(self) -> SparseTensorSpec:
        """Returns the spec of a row of a value of this spec; ValueError if values of this spec have rank 0."""
        if self._shape.rank == 0:
            raise ValueError("SparseTensorSpec: Unbatching a tensor is only supported for rank >= 1.")
        return SparseTensorSpec(self._shape[1:], self._dtype)

    def rows(self, value: Any) -> list[Any]:
        count, *sizes = value.shape
        starts = [[row] + [0] * len(sizes) for row in range(count)]
        return [reshape(slice(value, start, [1, *sizes]), sizes) for start in starts]

    def stack(self, values: list[Any]) -> SparseTensor:
        """Returns the sparse tensor with the rows ``values``, which have one shape."""
        return concat(0, [expand_dims(value, 0) for value in values])

    def placeholder(self, unknown_size: int, fill_value: Any) -> SparseTensor:
        """Returns a value of this spec without elements; unknown sizes become ``unknown_size``."""
        sizes = [unknown_size if size is None else size for size in self._shape]
        return SparseTensor._of(
            tensor_of_data(np.zeros((0, len(sizes)), np.int64)), tensor_of_data(np.zeros(0, self._dtype.numpy)), sizes
        )

    def fitted(self, value: Any) -> Any:
        if not self.is_compatible_with(value):
            raise ValueError(f"{value!r} does not fit {self}.")
        return value

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, SparseTensorSpec):
            return NotImplemented
        return self._dtype is other._dtype and self._shape == other._shape

    def __hash__(self) -> int:
        return hash((self._shape, self._dtype))

    def __repr__(self) -> str:
        shape = "None" if self._shape.rank is None else list(self._shape)
        return f"SparseTensorSpec(TensorShape({shape}), {self._dtype!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return SparseTensorSpec, (self._shape, self._dtype)
