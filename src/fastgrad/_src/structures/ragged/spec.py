"""``RaggedTensorSpec``: the static type of a ragged tensor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_type
from fastgrad._src.core.composite import CompositeSpec
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor, tensor_of_data
from fastgrad._src.core.tensor_spec import ShapedSpec, common_shape
from fastgrad._src.structures.ragged.array_ops import concat, cut_into_rows
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor, row_count


class RaggedTensorSpec(ShapedSpec, CompositeSpec):
    """The shape, dtype and ragged rank of a dataset element or of an argument.

    Args:
        shape: the dimensions, None for a size that varies; None if all are unknown.
        dtype: the element type.
        ragged_rank: the number of dimensions with row splits; default: all but the first. With 0 the values are
            tensors, and ``Dataset.batch`` makes ragged tensors of them.
        row_splits_dtype: int32 or int64.
        flat_values_spec: kept for TensorFlow's signature.

    Raises:
        ValueError: ``ragged_rank`` is not below the rank, or neither is known; ``dtype`` is None.
    """

    __slots__ = ("_ragged_rank", "_row_splits_dtype")

    def __init__(
        self,
        shape: Any = None,
        dtype: Any = dtypes.float32,
        ragged_rank: int | None = None,
        row_splits_dtype: Any = dtypes.int64,
        flat_values_spec: Any = None,
    ) -> None:
        self._shape = TensorShape(shape)
        if dtype is None:
            raise ValueError("At least one of dtype or flat_values_spec must be provided")
        self._dtype = dtypes.as_dtype(dtype)
        self._row_splits_dtype = dtypes.as_dtype(row_splits_dtype)
        rank = self._shape.rank
        if ragged_rank is None:
            if rank is None:
                raise ValueError("Must specify ragged_rank or a shape with a known rank.")
            ragged_rank = rank - 1
        check_type("RaggedTensorSpec", "an int", int, ragged_rank=ragged_rank)
        if rank is not None and ragged_rank >= rank:
            raise ValueError(f"Argument `ragged_rank` ({ragged_rank}) must be less than rank ({rank}).")
        self._ragged_rank = ragged_rank

    @property
    def ragged_rank(self) -> int:
        """The number of dimensions with row splits."""
        return self._ragged_rank

    @property
    def row_splits_dtype(self) -> DType:
        """The dtype of ``row_splits``."""
        return self._row_splits_dtype

    @property
    def value_type(self) -> type:
        """The class of values of this spec."""
        return RaggedTensor if self._ragged_rank else Tensor

    @classmethod
    def from_value(cls, value: Any) -> RaggedTensorSpec:
        """Returns the spec of the ragged tensor ``value``.

        Raises:
            AttributeError: ``value`` is not a ragged tensor.
        """
        check_type("RaggedTensorSpec.from_value", "a RaggedTensor", RaggedTensor, AttributeError, value=value)
        return cls(value.shape, value.dtype, value.ragged_rank, value.row_splits.dtype)

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        other = spec_or_value
        if isinstance(other, RaggedTensor):
            other = RaggedTensorSpec.from_value(other)
        elif isinstance(other, Tensor) and not self._ragged_rank:
            return self._dtype is other.dtype and self._shape.is_compatible_with(other.shape)
        return (
            isinstance(other, RaggedTensorSpec)
            and self._identifying_parts() == other._identifying_parts()
            and self._shape.is_compatible_with(other._shape)
        )

    def most_specific_common_supertype(self, others: Iterable[Any]) -> RaggedTensorSpec | None:
        """Returns the narrowest spec that includes this spec and all ``others``; None if they differ in more than sizes."""
        shape = self._shape
        for other in others:
            if not isinstance(other, RaggedTensorSpec) or self._identifying_parts() != other._identifying_parts():
                return None
            shape = common_shape(shape, other._shape)
        return RaggedTensorSpec(shape, *self._identifying_parts())

    def batched(self, size: int | None) -> RaggedTensorSpec:
        shape = TensorShape([size]).concatenate(self._shape)
        return RaggedTensorSpec(shape, self._dtype, self._ragged_rank + 1, self._row_splits_dtype)

    def of_rows(self) -> RaggedTensorSpec:
        return RaggedTensorSpec(self._shape[1:], self._dtype, max(self._ragged_rank - 1, 0), self._row_splits_dtype)

    def rows(self, value: Any) -> list[Any]:
        """Returns the rows of ``value``: tensors, or ragged tensors whose ragged rank is smaller by 1."""
        return [value[row] for row in range(row_count(value))]

    def stack(self, values: list[Any]) -> Any:
        lengths = [row_count(value) for value in values]
        return cut_into_rows(concat(values, 0), lengths, self._row_splits_dtype)

    def placeholder(self, unknown_size: int, fill_value: Any) -> Any:
        rank = self._ragged_rank + 1 if self._shape.rank is None else self._shape.rank
        static_sizes = [None] * rank if self._shape.rank is None else list(self._shape)
        sizes = [unknown_size if size is None else size for size in static_sizes]
        levels = self._ragged_rank
        values: Any = tensor_of_data(
            np.full((int(np.prod(sizes[: levels + 1])), *sizes[levels + 1 :]), fill_value, self._dtype.numpy)
        )
        for level in range(levels, 0, -1):
            rows = int(np.prod(sizes[:level]))
            splits = np.arange(rows + 1, dtype=self._row_splits_dtype.numpy) * sizes[level]
            values = RaggedTensor._of(
                values, tensor_of_data(splits.astype(self._row_splits_dtype.numpy)), static_sizes[level]
            )
        return values

    def fitted(self, value: Any) -> Any:
        """Returns ``value``, converted to a tensor if it is not a ragged tensor; ValueError if it does not fit this spec."""
        converted = value if isinstance(value, RaggedTensor) else convert_to_tensor(value, self._dtype)
        if not self.is_compatible_with(converted):
            raise ValueError(f"a value of shape {converted.shape} and {converted.dtype} does not fit {self}.")
        return converted

    def _identifying_parts(self) -> tuple[Any, ...]:
        return self._dtype, self._ragged_rank, self._row_splits_dtype

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, RaggedTensorSpec):
            return NotImplemented
        return self._identifying_parts() == other._identifying_parts() and self._shape == other._shape

    def __hash__(self) -> int:
        return hash((self._shape, self._ragged_rank))

    def __repr__(self) -> str:
        shape = "None" if self._shape.rank is None else list(self._shape)
        return (
            f"RaggedTensorSpec(TensorShape({shape}), {self._dtype!r}, {self._ragged_rank}, {self._row_splits_dtype!r})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return RaggedTensorSpec, (self._shape, *self._identifying_parts())
