"""Ragged and sparse tensors among the arguments and results of stored functions: their tensors, in TensorFlow's order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from fastgrad import dtypes
from fastgrad.core.composite import CompositeSpec
from fastgrad.core.tensor import Tensor
from fastgrad.core.tensor_spec import TensorSpec
from fastgrad.ragged.ragged_tensor import RaggedTensor
from fastgrad.ragged.spec import RaggedTensorSpec
from fastgrad.sparse.sparse_tensor import SparseTensor
from fastgrad.sparse.spec import SparseTensorSpec


class Leaf(NamedTuple):
    """A tensor among the arguments of a function: its number and its spec."""

    number: int
    spec: TensorSpec


class CompositeLeaf(NamedTuple):
    """A ragged or sparse tensor among the arguments or results of a function: its tensors, and its spec.

    Attributes:
        leaves: of a ragged tensor the flat values and the row splits, the outer ones first; of a sparse tensor the indices, the
            values and the dense shape.
        spec: a ``RaggedTensorSpec`` or ``SparseTensorSpec``.
    """

    leaves: tuple[Leaf, ...]
    spec: CompositeSpec

    def value(self, tensors: Sequence[Tensor]) -> Any:
        """Returns the ragged or sparse tensor; ``tensors`` are all of the function, by number."""
        parts = [tensors[leaf.number] for leaf in self.leaves]
        if isinstance(self.spec, RaggedTensorSpec):
            return RaggedTensor._from_components((None,) * (len(parts) - 1), parts)
        return SparseTensor(*parts)


def component_specs(spec: CompositeSpec) -> list[TensorSpec]:
    """Returns the specs of the tensors of a ragged or sparse tensor.

    Raises:
        ValueError: the spec is of another kind.
    """
    if isinstance(spec, RaggedTensorSpec):
        inner = [] if spec.shape.rank is None else spec.shape.as_list()[spec.ragged_rank + 1 :]
        splits = [TensorSpec([None], spec.row_splits_dtype) for _ in range(spec.ragged_rank)]
        return [TensorSpec(None if spec.shape.rank is None else [None, *inner], spec.dtype), *splits]
    if isinstance(spec, SparseTensorSpec):
        rank = spec.shape.rank
        return [
            TensorSpec([None, rank], dtypes.int64),
            TensorSpec([None], spec.dtype),
            TensorSpec([rank], dtypes.int64),
        ]
    raise ValueError(f"a stored function takes no {type(spec).__name__}; pass its tensors")


def component_tensors(value: Any) -> list[Tensor]:
    """Returns the tensors of a ragged or sparse tensor."""
    if isinstance(value, SparseTensor):
        return [value.indices, value.values, value.dense_shape]
    tensors: list[Tensor] = value._to_components()[1]
    return tensors
