"""Stages that select and reorder items. They never read an item."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from fastgrad._src.data.node import INFINITE, UNKNOWN, Failure, Node, RandomStage, Stage
from fastgrad._src.data.shuffle import shuffle_items


class ItemStage(Stage):
    """The base of stages that select or reorder items of the source, without reading an item."""

    def __init__(self, source: Node) -> None:
        super().__init__(source)
        self.rows = source.rows

    def elements_after(self, position: int) -> Iterator[Any]:
        if self.rows is None:
            return super().elements_after(position)
        numbers = itertools.chain.from_iterable(self.chunks())  # rows have no Failure
        return map(self.rows.element, itertools.islice(numbers, position, None))


class Shuffled(RandomStage, ItemStage):
    """A stage that passes on the items of the source in random order.

    Args:
        source: the source stage.
        buffer_size: the number of items in the buffer.
        key: the seed, as three non-negative integers.
        reshuffle: whether each iteration has a different order.
    """

    name = "_ShuffleDataset"

    def __init__(self, source: Node, buffer_size: int, key: tuple[int, ...], reshuffle: bool) -> None:
        ItemStage.__init__(self, source)
        RandomStage.__init__(self, key, reshuffle)
        self._buffer_size = buffer_size

    def chunks(self) -> Iterator[Any]:
        draws = self.next_generators()
        return shuffle_items(self.source.chunks(), self._buffer_size, draws)


class Repeated(ItemStage):
    """The source repeated ``times`` times; infinite if ``times`` is negative."""

    name = "_RepeatDataset"

    def __init__(self, source: Node, times: int) -> None:
        super().__init__(source)
        self._times = max(times, -1)

    def chunks(self) -> Iterator[Any]:
        remaining = self._times
        while remaining:
            remaining -= 1
            is_empty = True
            for chunk in self.source.chunks():
                is_empty = is_empty and type(chunk) is not Failure and not len(chunk)
                yield chunk
            if is_empty and (remaining < 0 or self.count() == 0):
                return

    def count(self) -> int:
        count = self.source.count()
        if self._times == 0 or count == 0:
            return 0
        if self._times < 0:
            return INFINITE
        return count if count < 0 else count * self._times


class Taken(ItemStage):
    """A stage that passes on the first ``number`` items of the source; all items if ``number`` is negative."""

    name = "_TakeDataset"

    def __init__(self, source: Node, number: int) -> None:
        super().__init__(source)
        self._number = number

    def chunks(self) -> Iterator[Any]:
        if self._number < 0:
            yield from self.source.chunks()
            return
        remaining = self._number
        if not remaining:
            return
        for chunk in self.source.chunks():
            if type(chunk) is Failure:
                yield chunk
                continue
            if len(chunk) >= remaining:
                yield chunk[:remaining]
                return
            remaining -= len(chunk)
            yield chunk

    def count(self) -> int:
        count = self.source.count()
        if self._number < 0 or count == UNKNOWN:
            return count
        return self._number if count == INFINITE else min(count, self._number)


class Skipped(ItemStage):
    """The items after the first ``number``; none if ``number`` is negative. As in TensorFlow, a failure restarts the count."""

    name = "_SkipDataset"

    def __init__(self, source: Node, number: int) -> None:
        super().__init__(source)
        self._number = number

    def chunks(self) -> Iterator[Any]:
        if self._number < 0:
            return
        remaining = self._number
        for chunk in self.source.chunks():
            if type(chunk) is Failure:
                remaining = self._number if remaining else 0
                yield chunk
                continue
            if remaining < len(chunk):
                yield chunk[remaining:]
            remaining = max(remaining - len(chunk), 0)

    def count(self) -> int:
        count = self.source.count()
        if self._number < 0:
            return 0
        return count if count < 0 else max(count - self._number, 0)


class Sharded(ItemStage):
    """A stage that passes on every ``shards``-th item from number ``index`` on."""

    name = "_ShardDataset"

    def __init__(self, source: Node, shards: int, index: int) -> None:
        super().__init__(source)
        self._shards, self._index = shards, index

    def chunks(self) -> Iterator[Any]:
        first = before = self._index
        for chunk in self.source.chunks():
            if type(chunk) is Failure:
                first = before if first else 0  # as in TensorFlow, a failure discards the count since the last item
                yield chunk
                continue
            if first < len(chunk):
                before = self._shards - 1
                items = np.arange(chunk.start, chunk.stop) if type(chunk) is range else chunk
                yield items[first :: self._shards]
            first = (first - len(chunk)) % self._shards if first < len(chunk) else first - len(chunk)

    def count(self) -> int:
        count = self.source.count()
        return count if count < 0 else len(range(self._index, count, self._shards))
