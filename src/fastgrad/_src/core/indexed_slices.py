"""``IndexedSlices``: a sparse gradient that is zero except for some rows."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import tensor as tensors
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.names import missing_member_getattr
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor


class IndexedSlices:
    """A tensor that is zero except for the rows ``values`` at positions ``indices``; repeated rows add up.

    Args:
        values: shape (n, ...), one row for each index.
        indices: shape (n,), int32 or int64.
        dense_shape: the shape of the dense tensor.
    """

    __getattr__ = missing_member_getattr

    __slots__ = ("dense_shape", "indices", "values")

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self.values = convert_to_tensor(values)
        self.indices = convert_to_tensor(indices)
        self.dense_shape = None if dense_shape is None else convert_to_tensor(dense_shape)

    @property
    def dtype(self) -> DType:
        """The dtype of the rows ``values``."""
        return self.values.dtype

    @property
    def shape(self) -> TensorShape:
        """The shape of the dense tensor, unknown without ``dense_shape``."""
        return TensorShape(None) if self.dense_shape is None else TensorShape(self.dense_shape._elements().tolist())

    @property
    def device(self) -> str:
        """The device of the values."""
        return self.values.device

    def _to_components(self) -> tuple[type, list[Tensor]]:
        parts = [self.values, self.indices]
        return IndexedSlices, parts if self.dense_shape is None else [*parts, self.dense_shape]

    @staticmethod
    def _from_components(form: type, parts: list[Any]) -> Any:
        return form(*parts)

    def to_dense(self) -> Tensor:
        """Returns the dense tensor with the sum of the rows at each position, zero elsewhere.

        Raises:
            ValueError: ``dense_shape`` is missing.
            InvalidArgumentError: indices, values and ``dense_shape`` do not match.
        """
        if self.dense_shape is None:
            raise ValueError("IndexedSlices has no dense_shape: give one to convert it to a tensor.")
        try:
            return TABLE["unsorted_segment_sum"](
                self.values, self.indices, num_segments=int(self.dense_shape._on_host()[0])
            )
        except (ValueError, IndexError, InvalidArgumentError) as error:
            raise InvalidArgumentError(
                f"IndexedSlices: indices of shape {list(self.indices.shape)} and values of shape "
                f"{list(self.values.shape)} make no tensor of shape {self.dense_shape._on_host().tolist()}: {error}."
            ) from None

    def joined(self, other: IndexedSlices) -> IndexedSlices:
        """Returns the sum of two ``IndexedSlices``: the rows of both, one after the other."""
        indices = [self.indices, other.indices]
        if self.indices.dtype is not other.indices.dtype:
            indices = [TABLE["cast"](x, dtype="int64") for x in indices]
        concat = TABLE["concat"]
        return IndexedSlices(concat(self.values, other.values, axis=0), concat(*indices, axis=0), self.dense_shape)

    def __neg__(self) -> IndexedSlices:
        return IndexedSlices(-self.values, self.indices, self.dense_shape)

    def __repr__(self) -> str:
        dense = "" if self.dense_shape is None else f", dense_shape={self.dense_shape!s}"
        return f"IndexedSlices(indices={self.indices!s}, values={self.values!s}{dense})"


tensors.converters.append((IndexedSlices, IndexedSlices.to_dense))
