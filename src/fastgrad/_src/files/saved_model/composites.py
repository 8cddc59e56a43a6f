"""Ragged and sparse tensors among the arguments and results of stored functions: their tensors, in TensorFlow's order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core import dtypes, nest
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor
from fastgrad._src.structures.ragged.spec import RaggedTensorSpec
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor
from fastgrad._src.structures.sparse.spec import SparseTensorSpec


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
    spec: RaggedTensorSpec | SparseTensorSpec

    def value(self, tensors: Sequence[Tensor]) -> Any:
        """Returns the ragged or sparse tensor; ``tensors`` are all of the function, by number."""
        parts = [tensors[leaf.number] for leaf in self.leaves]
        if isinstance(self.spec, RaggedTensorSpec):
            return RaggedTensor._from_components((None,) * (len(parts) - 1), parts)
        return SparseTensor(*parts)


def map_leaves(function: Callable[[Any], Any], structure: Any) -> Any:
    """Returns a structure with ``function`` applied to its leaves; a ``Leaf`` and a ``CompositeLeaf`` are leaves."""
    if isinstance(structure, (Leaf, CompositeLeaf)) or not nest.is_nested(structure):
        return function(structure)
    if isinstance(structure, dict):
        return {key: map_leaves(function, item) for key, item in structure.items()}
    items = [map_leaves(function, item) for item in structure]
    return type(structure)(*items) if hasattr(structure, "_fields") else type(structure)(items)


def leaves_of(structure: Any) -> list[Any]:
    """Returns the leaves of a structure, in the order of ``map_leaves``."""
    leaves: list[Any] = []
    map_leaves(leaves.append, structure)
    return leaves


def tensor_leaves(structure: Any) -> list[Leaf]:
    """Returns the leaves of a structure that are tensors, and those of its ragged and sparse tensors."""
    leaves: list[Leaf] = []
    for leaf in leaves_of(structure):
        if isinstance(leaf, Leaf):
            leaves.append(leaf)
        elif isinstance(leaf, CompositeLeaf):
            leaves.extend(leaf.leaves)
    return leaves


def with_tensors(tensors: Sequence[Tensor], structure: Any) -> Any:
    """Returns a structure with the values of its leaves in their places."""

    def value(leaf: Any) -> Any:
        if isinstance(leaf, Leaf):
            return tensors[leaf.number]
        return leaf.value(tensors) if isinstance(leaf, CompositeLeaf) else leaf

    return map_leaves(value, structure)


def shapes_for_sizes(
    specs: Sequence[TensorSpec], symbols: Mapping[tuple[int, int], int], sizes: Sequence[int]
) -> list[tuple[int, ...]]:
    """Returns the shapes of all tensors of a function.

    Args:
        specs: of the tensors.
        symbols: the number of the size of each open axis, by the number of the tensor and the axis.
        sizes: by number.
    """
    return [
        tuple([sizes[symbols[i, axis]] if size is None else size for axis, size in enumerate(spec.shape.as_list())])
        for i, spec in enumerate(specs)
    ]


def component_specs(spec: RaggedTensorSpec | SparseTensorSpec) -> list[TensorSpec]:
    """Returns the specs of the tensors of a ragged or sparse tensor."""
    if isinstance(spec, RaggedTensorSpec):
        inner = [] if spec.shape.rank is None else spec.shape.as_list()[spec.ragged_rank + 1 :]
        rows = None if spec.shape.rank is None else spec.shape.as_list()[0]
        splits = [
            TensorSpec([None if axis or rows is None else rows + 1], spec.row_splits_dtype)
            for axis in range(spec.ragged_rank)
        ]
        return [TensorSpec(None if spec.shape.rank is None else [None, *inner], spec.dtype), *splits]
    rank = spec.shape.rank
    return [TensorSpec([None, rank], dtypes.int64), TensorSpec([None], spec.dtype), TensorSpec([rank], dtypes.int64)]


def component_tensors(value: Any) -> list[Tensor]:
    """Returns the tensors of a ragged or sparse tensor."""
    if isinstance(value, SparseTensor):
        return [value.indices, value.values, value.dense_shape]
    tensors: list[Tensor] = value._to_components()[1]
    return tensors


def spec_of_components(kind: str, specs: Sequence[TensorSpec]) -> RaggedTensorSpec | SparseTensorSpec:
    """Returns the spec of a ragged or sparse tensor with components of the given specs.

    Args:
        kind: ``"ragged"`` or ``"sparse"``.
        specs: of the components, in the order of ``CompositeLeaf.leaves``.

    Raises:
        ValueError: these are no components of such a tensor.
    """
    values, *splits = specs
    are_splits = all(other.shape.rank == 1 and other.dtype in (dtypes.int32, dtypes.int64) for other in splits)
    if kind == "ragged" and splits and are_splits and values.shape.rank:
        ends = splits[0].shape.as_list()[0]
        sizes = [None if ends is None else ends - 1, *[None] * len(splits), *values.shape.as_list()[1:]]
        return RaggedTensorSpec(sizes, values.dtype, len(splits), splits[0].dtype)
    ranks = [spec.shape.rank for spec in specs]
    if kind == "sparse" and ranks == [2, 1, 1] and specs[0].dtype is specs[2].dtype is dtypes.int64:
        rank = specs[0].shape.as_list()[1]
        if rank is not None:
            return SparseTensorSpec([None] * rank, specs[1].dtype)
    raise ValueError(f"a {kind!r:.100} tensor has no components {list(specs)!r:.200}")


def axes_of_equal_size(structure: Any) -> dict[tuple[int, int], tuple[int, int]]:
    """Returns, by tensor and axis, the axes of a structure that must have the size of another one: sparse indices and values."""
    return {
        (leaf.leaves[0].number, 0): (leaf.leaves[1].number, 0)
        for leaf in leaves_of(structure)
        if isinstance(leaf, CompositeLeaf) and isinstance(leaf.spec, SparseTensorSpec)
    }


def fit_components(leaf: CompositeLeaf, arrays: list[np.ndarray], number: int) -> None:
    """Replaces the made-up row splits, or indices and dense shape, of a composite in ``arrays`` by ones that fit its values.

    Args:
        leaf: the composite.
        arrays: the tensors of all arguments, by number.
        number: rows have other lengths for each number.
    """
    rng = np.random.default_rng([number, leaf.leaves[0].number])
    parts = [arrays[part.number] for part in leaf.leaves]
    if isinstance(leaf.spec, RaggedTensorSpec):
        ends = [*[len(splits) - 1 for splits in parts[2:]], len(parts[0])]
        for part, splits, end in zip(leaf.leaves[1:], parts[1:], ends, strict=True):
            # Weights that differ much, so that also the length of one certain row tells the recordings apart.
            lengths: Any = rng.multinomial(end, rng.dirichlet(np.full(len(splits) - 1, 0.5))) if len(splits) > 1 else []
            arrays[part.number] = np.cumsum([0, *lengths]).astype(splits.dtype)
        return
    count = len(parts[1])
    sizes = [
        count + 1 + int(rng.integers(0, 32)) if size is None else size
        for size in ([None] * len(parts[2]) if leaf.spec.shape.rank is None else leaf.spec.shape.as_list())
    ]
    total = int(np.prod(sizes))
    places = np.sort(rng.choice(total, count, replace=count > total)) if total else np.zeros(0, np.int64)
    arrays[leaf.leaves[0].number] = np.stack(np.unravel_index(places, sizes), 1).astype(np.int64)
    arrays[leaf.leaves[2].number] = np.array(sizes, np.int64)
