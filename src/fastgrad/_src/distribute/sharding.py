"""The part of a dataset for one of several processes, by TensorFlow's policies (``tf.data.experimental.AutoShardPolicy``).

* DATA: every process makes all global batches and takes its rows of each.
* FILE: every process reads other files, and makes smaller batches of their rows.
* OFF: every process makes smaller batches of all rows.
* AUTO, the default: FILE if the dataset reads files, else DATA.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Sequence
from typing import Any

from fastgrad._src.core import nest
from fastgrad._src.core.composite import CompositeSpec
from fastgrad._src.core.errors import InvalidArgumentError, NotFoundError
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.data import cache, combining, grouping, ordering, prefetch, to_device, transformations
from fastgrad._src.data.batch import row_groups
from fastgrad._src.data.dataset import Dataset
from fastgrad._src.data.element_spec import map_leaves, placeholder
from fastgrad._src.data.files import CsvRecords, TextLines
from fastgrad._src.data.node import Node, Stage, catching_failures
from fastgrad._src.data.options import AutoShardPolicy, WithOptions, pipeline_options

_NODES_THAT_KEEP_BATCHES = (
    *(cache.MemoryCached, cache.FileCached, ordering.Repeated, ordering.Sharded, ordering.Shuffled, ordering.Skipped),
    *(ordering.Taken, prefetch.Prefetched, to_device.OnDevice, transformations.Filtered, WithOptions),
)


def shard_node(node: Node, shards: int, index: int) -> Node:
    """Returns the stage of the batches for process ``index`` of ``shards``, by the policy in the dataset's options.

    Args:
        node: the last stage of a dataset of global batches.
        shards: the number of processes.
        index: the number of the process.

    Raises:
        ValueError: the dataset is not batched, or the policy is HINT.
        NotFoundError: the policy is FILE, and no stage reads files.
        InvalidArgumentError: there are fewer files than processes.
    """
    policy = pipeline_options(node).experimental_distribute.auto_shard_policy
    policy = AutoShardPolicy.AUTO if policy is None else policy
    if policy is AutoShardPolicy.HINT:
        raise ValueError(
            "experimental_distribute_dataset: the policy HINT is not there: call dataset.shard(num_shards, index) and use "
            "AutoShardPolicy.OFF."
        )
    _check_batched(node, shards)
    if policy in (AutoShardPolicy.AUTO, AutoShardPolicy.FILE):
        part = _with_sharded_files(node, shards, index)
        if part is not None:
            return _split_into_shares(part, shards, index)
        if policy is AutoShardPolicy.FILE:
            raise NotFoundError(
                f"experimental_distribute_dataset: Found an unshardable source dataset: no stage of {type(node).__name__} reads "
                "files. Use AutoShardPolicy.DATA."
            )
    if policy is AutoShardPolicy.OFF:
        return _split_into_shares(node, shards, index)
    return _own_rows_of_batches(node, shards, index) or BatchParts(node, shards, index)


def _check_batched(node: Node, shards: int) -> None:
    leaves = [leaf for leaf in nest.flatten(node.spec()) if leaf is not None]
    if any(leaf.shape.rank == 0 for leaf in leaves):
        raise ValueError(
            f"Call the `batch` method on the input Dataset in order to be able to split your input across {shards} replicas. "
            f"Its elements are {node.spec()}."
        )


# ---- DATA --------------------------------------------------------------------------------------------


def part_of_rows(count: int, shards: int, index: int) -> slice:
    """Returns the rows of a batch of ``count`` rows for process ``index``, as TensorFlow divides them.

    All parts have the size of the first, except the last that has rows. Further parts are empty.
    """
    size = -(-count // shards)
    return slice(min(index * size, count), min((index + 1) * size, count))


def _with_unknown_leading_size(leaf: Any) -> Any:
    if isinstance(leaf, TensorSpec) and leaf.shape.rank:
        return TensorSpec(TensorShape([None, *leaf.shape[1:]]), leaf.dtype)
    return leaf


class _SplitStage(Stage):
    """The base of stages that divide batches into parts."""

    def __init__(self, source: Node, shards: int, index: int) -> None:
        super().__init__(source)
        self._shards, self._index = shards, index

    def _rows_of_shard(self, element: Any, index: int) -> Any:
        counts: set[Any] = {
            leaf.shape[0] if leaf.shape.rank else None for leaf in nest.flatten(element) if leaf is not None
        }
        if len(counts) != 1 or None in counts:
            raise InvalidArgumentError(
                f"experimental_distribute_dataset: all tensors of a batch need the same first dimension, got {counts}. "
                "Call `batch` on the dataset last."
            )
        rows = part_of_rows(next(iter(counts)), self._shards, index)
        return map_leaves(lambda leaf: None if leaf is None else leaf[rows], element)

    def make_spec(self) -> Any:
        return map_leaves(_with_unknown_leading_size, self.source.spec())


class BatchParts(_SplitStage):
    """The rows of one process of each batch."""

    name = "_AutoShardDataset"

    def elements(self) -> Iterator[Any]:
        return self.elements_after(0)

    def elements_after(self, position: int) -> Iterator[Any]:
        elements = self.source.elements_after(position) if position else self.source.elements()
        return map(catching_failures(functools.partial(self._rows_of_shard, index=self._index)), elements)


class OwnRows(ordering.ItemStage):
    """The row numbers of one process, of each group of ``size`` row numbers. Only these rows are gathered later."""

    name = "_AutoShardDataset"

    def __init__(self, source: Node, size: int, drop_remainder: bool, shards: int, index: int) -> None:
        super().__init__(source)
        self._size, self._drop_remainder, self._shards, self._index = size, drop_remainder, shards, index

    def chunks(self) -> Iterator[Any]:
        for group in row_groups(self.source.chunks(), self._size):
            if len(group) == self._size or not self._drop_remainder:
                yield group[part_of_rows(len(group), self._shards, self._index)]

    def count(self) -> int:
        count = self.source.count()
        if count < 0:
            return count
        groups, rest = divmod(count, self._size)
        rows = [self._size] * bool(groups) + [0 if self._drop_remainder else rest]
        own = [len(range(number)[part_of_rows(number, self._shards, self._index)]) for number in rows]
        return sum(own[:-1]) * groups + own[-1]


class OwnBatches(grouping.Batched):
    """The batches of the rows of one process. The last is left out if the process has no rows of it."""

    def __init__(self, source: OwnRows, size: int) -> None:
        super().__init__(source, size, drop_remainder=False)
        self._global_batches = grouping.Batched(source.source, source._size, source._drop_remainder)

    def count(self) -> int:
        return self._global_batches.count()


def _own_rows_of_batches(node: Node, shards: int, index: int) -> Node | None:
    """Returns the batches of one process's rows, if the rows are known before they are gathered; else None."""
    if isinstance(node, (prefetch.Prefetched, WithOptions)):
        source = _own_rows_of_batches(node.source, shards, index)
        return None if source is None else _with_sources(node, [source])
    if type(node) is not grouping.Batched or node.source.rows is None:
        return None
    size = len(range(node._size)[part_of_rows(node._size, shards, index)])
    if not size:
        return None
    rows = OwnRows(node.source, node._size, node._drop_remainder, shards, index)
    return OwnBatches(rows, size)


# ---- FILE and OFF ------------------------------------------------------------------------------------


class BatchSplits(_SplitStage):
    """All parts of all batches, one after the other."""

    name = "_RebatchDataset"

    def elements(self) -> Iterator[Any]:
        for element in self.source.elements():
            for index in range(self._shards):
                yield catching_failures(functools.partial(self._rows_of_shard, index=index))(element)

    def count(self) -> int:
        count = self.source.count()
        return count if count < 0 else count * self._shards


def _split_into_shares(node: Node, shards: int, index: int) -> Node:
    """Returns all rows in batches of one process's share of a global batch. In each step, the shares add up to a global batch."""
    size = _batch_size(node)
    if size is None:
        return BatchSplits(node, shards, index)
    smallest, larger = divmod(size, shards)
    sizes = [smallest + 1] * larger + [smallest] * (shards - larger)
    return grouping.Rebatched(node, sizes[index:] + sizes[:index], drop_remainder=False)


def _batch_size(node: Node) -> int | None:
    """Returns the size of full batches, None if it is unknown."""
    sizes = [leaf.shape[0] if leaf.shape.rank else None for leaf in nest.flatten(node.known_spec()) if leaf is not None]
    if sizes and None not in sizes:
        return sizes[0] if len(set(sizes)) == 1 else None
    if isinstance(node, grouping._FixedSizeGroups):
        return node._size
    if isinstance(node, (*_NODES_THAT_KEEP_BATCHES, combining.Zipped, combining.Concatenated)):
        source_sizes = {_batch_size(source) for source in node.sources}
        return source_sizes.pop() if len(source_sizes) == 1 else None
    return None


def _with_sharded_files(node: Node, shards: int, index: int) -> Node | None:
    """Returns the stage with every ``shards``-th file in its sources; None if a source reads no files."""
    if isinstance(node, (TextLines, CsvRecords)) or (
        isinstance(node, transformations.FlatMapped) and _reads_files_inside(node)
    ):
        return _with_sources(node, [_sharded_files(node.sources[0], shards, index)])
    if isinstance(node, cache.FileCached) or not node.sources:
        return None  # processes would write the same folder
    sources = [_with_sharded_files(source, shards, index) for source in node.sources]
    return None if None in sources else _with_sources(node, sources)  # type: ignore[arg-type]


def _sharded_files(files: Node, shards: int, index: int) -> Node:
    count = files.count()
    if 0 <= count < shards:
        raise InvalidArgumentError(
            f"Could not apply FILE based sharding: the dataset only has {count} file(s), which is not enough for the required "
            f"{shards} shards/workers. If you are using datasets with distribution strategy, consider setting the auto sharding "
            "policy to DATA."
        )
    return ordering.Sharded(files, shards, index)


def _reads_files_inside(node: transformations.FlatMapped) -> bool:
    """Returns whether the datasets that the function of ``flat_map`` or ``interleave`` makes read files."""
    try:
        inner = node.dataset_node_of(placeholder(node.source.spec(), 1))
    except Exception:  # noqa: BLE001  # the user's function needs a real element
        return False
    return _reads_files(inner)


def _reads_files(node: Node) -> bool:
    return isinstance(node, (TextLines, CsvRecords)) or any(map(_reads_files, node.sources))


def _with_sources(node: Node, sources: Sequence[Node]) -> Any:
    """Returns a copy of a stage that reads other sources."""
    twin: Any = copy.copy(node)
    twin.sources = tuple(sources)
    if isinstance(node, Stage):
        twin.source = sources[0]
    if isinstance(node, ordering.ItemStage):
        twin.rows = sources[0].rows
    if isinstance(node, cache.MemoryCached):
        twin._cached_chunks = None
    return twin


def empty_batch(spec: Any) -> Any:
    """Returns a batch without rows."""

    def zero_rows(leaf: Any) -> Any:
        if isinstance(leaf, CompositeSpec) or leaf is None or not leaf.shape.rank:
            return leaf
        return TensorSpec(TensorShape([0, *leaf.shape[1:]]), leaf.dtype)

    return placeholder(map_leaves(zero_rows, spec), 0)


def shard_dataset(dataset: Dataset, shards: int, index: int) -> Dataset:
    """Returns the dataset of the batches for process ``index`` of ``shards``; errors as in ``shard_node``."""
    return dataset if shards == 1 else Dataset(shard_node(dataset._node, shards, index))
