"""Stages that combine several elements into one, or split one element."""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.composite import CompositeSpec
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.recording import call_unrecorded
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.data.batch import (
    element_groups,
    groups_between_failures,
    pad_and_stack,
    row_groups,
    stack_as_ragged,
    stack_elements,
)
from fastgrad._src.data.columns import row, rows_of_leaf
from fastgrad._src.data.compiling import TracedFunction, call_traced_with_element
from fastgrad._src.data.element_spec import (
    DatasetSpec,
    batched_spec,
    map_leaves,
    packer,
    placeholder,
    row_spec,
    spec_of,
)
from fastgrad._src.data.node import INFINITE, UNKNOWN, Chunk, Failure, Node, Stage, catching_failures
from fastgrad._src.data.sparse_rows import stack_as_sparse
from fastgrad._src.data.transformations import checked_function, node_of
from fastgrad._src.structures.extension_types.extension_type import ExtensionTypeSpec

BYTES_GATHERED_AT_ONCE = 131072  # bytes of batches of rows that are gathered at once, so that they stay in the L2 cache


class _FixedSizeGroups(Stage):
    """The base of stages that combine groups of ``size`` elements."""

    def __init__(self, source: Node, size: int, drop_remainder: bool) -> None:
        super().__init__(source)
        self._size, self._drop_remainder = size, drop_remainder

    def _element_groups(self) -> Iterator[Any]:
        return element_groups(self.source.elements(), itertools.repeat(self._size), self._drop_remainder)

    def count(self) -> int:
        count = self.source.count()
        if count < 0:
            return count
        return count // self._size if self._drop_remainder else -(-count // self._size)


class Batched(_FixedSizeGroups):
    """A stage that stacks groups of ``size`` elements."""

    name = "_BatchDataset"

    def elements(self) -> Iterator[Any]:
        return self.elements_after(0)

    def elements_after(self, position: int) -> Iterator[Any]:
        rows = self.source.rows
        if rows is None:
            stack = catching_failures(
                functools.partial(stack_elements, ragged=_ragged_leaves(self.source.known_spec()))
            )
            elements = map(stack, self._element_groups())
            return itertools.islice(elements, position, None) if position else elements
        batches_at_once = (
            1 if self.source.fills_cache() else max(1, BYTES_GATHERED_AT_ONCE // max(1, self._size * rows.row_bytes))
        )
        groups = row_groups(self.source.chunks(), self._size * batches_at_once)
        batches = rows.batches(
            itertools.islice(groups, position // batches_at_once, None), self._size, self._drop_remainder
        )
        return itertools.islice(batches, position % batches_at_once, None) if position else batches

    def make_spec(self) -> Any:
        size = self._size if self._drop_remainder else None
        return map_leaves(lambda leaf: batched_spec(leaf, size), self.source.spec())


def _ragged_leaves(spec: Any) -> tuple[Any, ...]:
    """Returns the ``ragged`` argument of ``stack_elements`` for a spec; empty without ragged leaves or without a spec."""
    if spec is None:
        return ()
    uniform_lengths = tuple([_lengths_of_composite(leaf) for leaf in nest.flatten(spec)])
    return uniform_lengths if any(uniform_lengths) else ()


def _lengths_of_composite(leaf: Any) -> list[Any] | None:
    """Returns the lengths of a ragged tensor's rows; for an extension type a list for the tensors that encode it."""
    if isinstance(leaf, ExtensionTypeSpec):
        return list(map(_lengths_of_composite, leaf.encoding_specs()))
    return _uniform_row_lengths(leaf) if isinstance(leaf, CompositeSpec) else None


class RaggedBatched(_FixedSizeGroups):
    """A stage that batches groups of ``size`` elements; tensors of unknown sizes become ragged tensors.

    Args:
        splits_dtype: the dtype of the splits, int32 or int64.
    """

    name = "_RaggedBatchDataset"

    def __init__(self, source: Node, size: int, drop_remainder: bool, splits_dtype: DType) -> None:
        super().__init__(source, size, drop_remainder)
        self._splits_dtype = splits_dtype

    def elements(self) -> Iterator[Any]:
        ragged = [_uniform_row_lengths(leaf) for leaf in nest.flatten(self.source.spec())]
        return map(
            catching_failures(lambda group: stack_as_ragged(group, ragged, self._splits_dtype.numpy)),
            self._element_groups(),
        )

    def make_spec(self) -> Any:
        size = self._size if self._drop_remainder else None
        return map_leaves(lambda leaf: self._batched_leaf_spec(leaf, size), self.source.spec())

    def _batched_leaf_spec(self, leaf: Any, size: int | None) -> Any:
        levels = len(_uniform_row_lengths(leaf))
        if not levels:
            return batched_spec(leaf, size)
        from fastgrad._src.structures.ragged.spec import RaggedTensorSpec

        return RaggedTensorSpec(TensorShape([size]).concatenate(leaf.shape), leaf.dtype, levels, self._splits_dtype)


def _uniform_row_lengths(leaf: Any) -> list[int | None]:
    """Returns the sizes of the dimensions of ``leaf`` that a batch makes ragged: up to the last unknown size.

    Raises:
        ValueError: the rank is not known.
    """
    if leaf is None or (isinstance(leaf, CompositeSpec) and leaf.ragged_rank is None):
        return []
    if leaf.shape.rank is None:
        raise ValueError(f"Dataset.ragged_batch: elements of unknown rank can't be batched: {leaf}.")
    if isinstance(leaf, CompositeSpec):
        levels = leaf.ragged_rank + 1
    else:
        levels = max([axis + 1 for axis, size in enumerate(leaf.shape) if size is None], default=0)
    return list(leaf.shape[:levels])


class SparseBatched(_FixedSizeGroups):
    """A stage that batches groups of ``size`` dense tensors as sparse tensors, which store all their elements.

    Args:
        row_shape: the sizes of a row of a batch, None for that of the largest element.
    """

    name = "_DenseToSparseBatchDataset"

    def __init__(self, source: Node, size: int, row_shape: Sequence[int | None]) -> None:
        super().__init__(source, size, drop_remainder=False)
        self._row_shape = row_shape

    def elements(self) -> Iterator[Any]:
        return map(
            catching_failures(lambda group: stack_as_sparse([x._on_host() for x in group], self._row_shape)),
            groups_between_failures(self.source.elements(), itertools.repeat(self._size), drop_remainder=False),
        )

    def make_spec(self) -> Any:
        from fastgrad._src.structures.sparse.spec import SparseTensorSpec

        return SparseTensorSpec([None, *self._row_shape], self.source.spec().dtype)


class PaddedBatched(_FixedSizeGroups):
    """A stage that pads groups of ``size`` elements to one shape and stacks them.

    Args:
        shapes: for each leaf the sizes to pad to, None for that of the longest.
        values: for each leaf the padding value, a scalar array.
    """

    name = "_PaddedBatchDataset"

    def __init__(
        self, source: Node, size: int, drop_remainder: bool, shapes: Sequence[Any], values: Sequence[np.ndarray]
    ) -> None:
        super().__init__(source, size, drop_remainder)
        self._shapes, self._values = shapes, values

    def elements(self) -> Iterator[Any]:
        elements, sizes = self.source.elements(), itertools.repeat(self._size)
        return map(catching_failures(self._pad_group), groups_between_failures(elements, sizes, self._drop_remainder))

    def _pad_group(self, group: list[Any]) -> Any:
        columns = zip(*[nest.flatten(element) for element in group], strict=True)
        return packer(group[0])(
            [pad_and_stack(*leaf_arguments) for leaf_arguments in zip(columns, self._shapes, self._values, strict=True)]
        )

    def make_spec(self) -> Any:
        rows = self._size if self._drop_remainder else None
        spec = self.source.spec()
        leaves = zip(nest.flatten(spec), self._shapes, strict=True)
        return packer(spec)([TensorSpec([rows, *shape], leaf.dtype) for leaf, shape in leaves])


class Unbatched(Stage):
    """A stage that splits each element into its rows."""

    name = "_UnbatchDataset"

    def chunks(self) -> Iterator[Chunk | Failure]:
        return map(catching_failures(_element_rows), self.source.elements())

    def count(self) -> int:
        count = self.source.count()
        if count in (0, INFINITE, UNKNOWN):
            return count
        row_count = _known_row_count(self.source.known_spec())
        return UNKNOWN if row_count is None else count * row_count

    def make_spec(self) -> Any:
        return map_leaves(row_spec, self.source.spec())


def _element_rows(element: Any) -> list[Any]:
    """Returns the rows of an element as a list of elements."""
    leaves, pack = nest.flatten(element), packer(element)
    columns = [None if leaf is None else rows_of_leaf(leaf) for leaf in leaves]
    counts = {len(column) if getattr(column, "ndim", 1) else -1 for column in columns if column is not None}
    if len(counts) != 1 or -1 in counts:
        shapes = [getattr(leaf, "shape", None) for leaf in leaves if leaf is not None]
        raise InvalidArgumentError(
            f"Dataset.unbatch: Input tensors must be at least rank 1 and have the same first dimension, got {shapes}."
        )
    return [
        pack([None if column is None else row(column, number) for column in columns]) for number in range(counts.pop())
    ]


class Rebatched(Stage):
    """The rows of all elements in groups, whose sizes are used in turn."""

    name = "_RebatchDataset"

    def __init__(self, source: Node, sizes: list[int], drop_remainder: bool) -> None:
        super().__init__(source)
        self._sizes, self._drop_remainder = sizes, drop_remainder

    def count(self) -> int:
        return UNKNOWN if self.source.count() else 0

    def elements(self) -> Iterator[Any]:
        source_spec, source = self.source.known_spec(), self.source.elements()
        if source_spec is None:  # then by the first element: it is enough to know which tensors are ragged
            first_elements = list(itertools.islice(source, 1))
            source = itertools.chain(first_elements, source)
            source_spec = (
                spec_of(first_elements[0]) if first_elements and type(first_elements[0]) is not Failure else None
            )
        ragged: Any = () if source_spec is None else _ragged_leaves(map_leaves(row_spec, source_spec))

        def batch(rows: list[Any]) -> Any:
            return stack_elements(rows, ragged) if rows else placeholder(map_leaves(_zero_row_spec, self.spec()), 0)

        chunks = map(catching_failures(_element_rows), source)
        rows = (row for chunk in chunks for row in ((chunk,) if type(chunk) is Failure else chunk))
        yield from map(
            catching_failures(batch), groups_between_failures(rows, itertools.cycle(self._sizes), self._drop_remainder)
        )

    def make_spec(self) -> Any:
        size = self._sizes[0] if len(set(self._sizes)) == 1 else None
        if size is not None and not self._drop_remainder:
            # All batches are full if the incoming batches have a known number of rows that the size divides.
            row_count = _known_row_count(self.source.spec())
            size = size if row_count is not None and (not size or not row_count % size) else None
        return map_leaves(lambda leaf: batched_spec(row_spec(leaf), size), self.source.spec())


def _zero_row_spec(leaf: Any) -> Any:
    return TensorSpec([0, *leaf.shape[1:]], leaf.dtype) if isinstance(leaf, TensorSpec) else leaf


def _known_row_count(spec: Any) -> int | None:
    """Returns the number of rows of an element of ``spec``; None if it is unknown or leaves differ."""
    row_counts = {leaf.shape[0] for leaf in nest.flatten(spec) if hasattr(leaf, "shape") and leaf.shape.rank} - {None}
    return row_counts.pop() if len(row_counts) == 1 else None


class ElementListNode(Node):
    """A list of elements as a stage: one window or one group.

    Args:
        elements: the elements, a list.
        spec: the spec of the elements.
    """

    name = "_VariantDataset"

    def __init__(self, elements: list[Any], spec: Any) -> None:
        self._elements, self._spec = elements, spec

    def chunks(self) -> Iterator[Chunk | Failure]:
        yield self._elements

    def count(self) -> int:
        return len(self._elements)


class Windowed(Stage):
    """Datasets of ``size`` elements, ``stride`` apart. The next window begins ``shift`` elements later.

    Args:
        made: makes a dataset of a stage.
    """

    name = "_WindowDataset"

    def __init__(
        self, source: Node, size: int, shift: int, stride: int, drop_remainder: bool, made: Callable[[Node], Any]
    ) -> None:
        super().__init__(source)
        self._size, self._shift, self._stride, self._drop_remainder = size, shift, stride, drop_remainder
        self._dataset_of = made

    def elements(self) -> Iterator[Any]:
        window_span = (self._size - 1) * self._stride + 1
        buffer: deque[Any] = deque()
        source_elements = self.source.elements()
        while True:
            buffer.extend(itertools.islice(source_elements, window_span - len(buffer)))
            if not buffer or (len(buffer) < window_span and self._drop_remainder):
                return
            window = list(itertools.islice(buffer, 0, None, self._stride))
            yield next((element for element in window if type(element) is Failure), None) or self._datasets_of_window(
                window
            )
            for _ in range(min(self._shift, len(buffer))):
                buffer.popleft()
            if self._shift > window_span:
                next(itertools.islice(source_elements, self._shift - window_span, self._shift - window_span), None)

    def _datasets_of_window(self, items: list[Any]) -> Any:
        spec = self.source.spec()
        columns = zip(*[nest.flatten(item) for item in items], strict=True)
        leaves = zip(columns, nest.flatten(spec), strict=True)
        return packer(spec)([self._dataset_of(ElementListNode(list(column), leaf)) for column, leaf in leaves])

    def count(self) -> int:
        count = self.source.count()
        if count < 0:
            return count
        window_span = (self._size - 1) * self._stride + 1
        last_start = count - window_span if self._drop_remainder else count - 1
        return last_start // self._shift + 1 if last_start >= 0 else 0

    def make_spec(self) -> Any:
        return map_leaves(DatasetSpec, self.source.spec())


class Grouped(Stage):
    """The elements of the datasets that ``reduce`` returns for groups of elements with the same key.

    Args:
        key: maps an element to an int64 scalar.
        reduce: maps a key and a dataset to a dataset.
        size: maps a key to the largest number of elements in a group.
        made: makes a dataset from a stage.
    """

    name = "_GroupByWindowDataset"
    spec_calls_function = True

    def __init__(
        self,
        source: Node,
        key: Callable[..., Any],
        reduce: Callable[..., Any],
        size: Callable[[Any], Any],
        made: Callable[[Node], Any],
    ) -> None:
        super().__init__(source)
        self._key = TracedFunction(checked_function(key, "Dataset.group_by_window"))
        self._reduce = checked_function(reduce, "Dataset.group_by_window")
        self._size, self._dataset_of = size, made

    def elements(self) -> Iterator[Any]:
        groups: dict[int, list[Any]] = {}
        sizes: dict[int, int] = {}
        key_of = catching_failures(lambda element: int(call_traced_with_element(self._key, element)))
        size_of = catching_failures(self._group_size)
        for element in self.source.elements():
            key = key_of(element)
            size = sizes.get(key) or size_of(key)
            if type(size) is Failure:
                yield size
                continue
            sizes[key] = size
            group = groups.setdefault(key, [])
            group.append(element)
            if len(group) == size:
                del groups[key], sizes[key]
                yield from self._reduced_elements(key, group)
        for key in sorted(groups):
            yield from self._reduced_elements(key, groups[key])

    def _group_size(self, key: int) -> int:
        size = int(call_unrecorded(self._size, _key_tensor(key)))
        if size < 1:
            raise InvalidArgumentError(f"Dataset.group_by_window: window size must be greater than zero, got {size}.")
        return size

    def _reduced_elements(self, key: int, group: list[Any]) -> Iterator[Any]:
        node = catching_failures(lambda elements: self._node_of_reduced_group(key, elements))(group)
        return iter([node]) if type(node) is Failure else node.elements()

    def _node_of_reduced_group(self, key: int, elements: list[Any]) -> Node:
        dataset = self._dataset_of(ElementListNode(elements, self.source.spec()))
        return node_of(call_unrecorded(self._reduce, _key_tensor(key), dataset), "reduce_func")

    def count(self) -> int:
        return INFINITE if self.source.count() == INFINITE else UNKNOWN

    def make_spec(self) -> Any:
        return self._node_of_reduced_group(0, [placeholder(self.source.spec(), 2)]).spec()


def _key_tensor(key: int) -> Tensor:
    return Tensor(np.array(key, np.int64))
