"""Stages that read several datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.data.element_spec import map_leaves
from fastgrad._src.data.node import INFINITE, UNKNOWN, Chunk, Failure, Node, RandomStage, value_or_raise
from fastgrad._src.data.rows import ZippedRows


class Zipped(Node):
    """The elements of several datasets side by side.

    Args:
        pack: gives a list of elements the structure of the result.
        sources: the source stages.
    """

    name = "_ZipDataset"

    def __init__(self, pack: Callable[[list[Any]], Any], sources: list[Node]) -> None:
        self._pack, self.sources = pack, sources
        if all(source.rows is not None and source.in_order for source in sources):
            self.rows = ZippedRows(pack, [source.rows for source in sources])
            self.in_order = True

    def chunks(self) -> Iterator[Chunk | Failure]:
        if self.rows is not None:
            yield range(self.rows.count)
            return
        pack = self._pack
        iterators, end = [source.elements() for source in self.sources], object()
        while True:
            # All sources are asked, also after the end of one: a cache among them may have reached its end, too.
            elements = [next(source, end) for source in iterators]
            if any(element is end for element in elements):
                return
            failures = [element for element in elements if type(element) is Failure]
            yield failures[0] if failures else [pack(elements)]

    def count(self) -> int:
        counts = [source.count() for source in self.sources]
        if UNKNOWN in counts:
            return 0 if 0 in counts else UNKNOWN
        return min((count for count in counts if count != INFINITE), default=INFINITE)

    def make_spec(self) -> Any:
        return self._pack([source.spec() for source in self.sources])


class Concatenated(Node):
    """The elements of one dataset, then the elements of another dataset.

    Raises:
        TypeError: the elements differ in structure or dtype.
    """

    name = "_ConcatenateDataset"

    def __init__(self, first: Node, second: Node) -> None:
        self.sources = first, second
        self._spec = common_spec("Dataset.concatenate", self.sources)

    def elements(self) -> Iterator[Any]:
        for source in self.sources:
            yield from source.elements()

    def count(self) -> int:
        counts = [source.count() for source in self.sources]
        if INFINITE in counts:
            return INFINITE
        return UNKNOWN if UNKNOWN in counts else sum(counts)


class DirectedInterleaved(Node):
    """Elements of several datasets in the order of a sequence of dataset numbers.

    Args:
        sources: the datasets.
        stop_on_empty: whether the end of one dataset is the end of all. Otherwise numbers of ended datasets are skipped.
        choices: the numbers of the datasets.
    """

    name = "_DirectedInterleaveDataset"

    def __init__(self, sources: list[Node], stop_on_empty: bool, choices: Node | None) -> None:
        self._choosable_sources, self._stop_on_empty, self._choices = sources, stop_on_empty, choices
        self.sources = sources if choices is None else [choices, *sources]
        self._spec = common_spec("Dataset.choose_from_datasets", sources)

    def source_numbers(self) -> Iterator[int]:
        """Yields for each element the number of the dataset to take it from."""
        assert self._choices is not None
        return (int(value_or_raise(choice)) for choice in self._choices.elements())

    def count(self) -> int:
        return INFINITE if any(source.count() == INFINITE for source in self._choosable_sources) else UNKNOWN

    def source_iterators(self) -> list[Iterator[Any] | None]:
        """Returns iterators of the datasets' elements; None for a dataset that is never chosen."""
        return [source.elements() for source in self._choosable_sources]

    def elements(self) -> Iterator[Any]:
        iterators = self.source_iterators()
        end = object()
        for number in self.source_numbers():
            if not 0 <= number < len(iterators):
                raise InvalidArgumentError(
                    f"Selector index out of range: there are {len(iterators)} datasets, and number {number} was chosen."
                )
            iterator = iterators[number]
            if iterator is None:
                continue
            element = next(iterator, end)
            if element is not end:
                yield element
            elif self._stop_on_empty:
                return
            else:
                iterators[number] = None
                if not any(iterators):
                    return


class RandomlyInterleaved(RandomStage, DirectedInterleaved):
    """Elements of several datasets in a random order, with a given probability of each dataset."""

    def __init__(
        self, sources: list[Node], stop_on_empty: bool, weights: np.ndarray | Node, key: tuple[int, ...], redraws: bool
    ) -> None:
        DirectedInterleaved.__init__(self, sources, stop_on_empty, weights if isinstance(weights, Node) else None)
        RandomStage.__init__(self, key, redraws)
        self._weights = weights

    def count(self) -> int:
        if isinstance(self._weights, Node):
            return super().count()
        counts = [
            source.count() for source, weight in zip(self._choosable_sources, self._weights, strict=True) if weight
        ]
        if len(counts) < 2:
            return counts[0] if counts else 0
        return INFINITE if INFINITE in counts else UNKNOWN

    def source_iterators(self) -> list[Iterator[Any] | None]:
        weights = self._weights
        iterators = super().source_iterators()
        return (
            iterators
            if isinstance(weights, Node)
            else [iterator if weight else None for iterator, weight in zip(iterators, weights, strict=True)]
        )

    def source_numbers(self) -> Iterator[int]:
        generator, weights = self.next_generators()(0), self._weights
        if isinstance(weights, Node):
            for element in weights.elements():
                element_weights = np.asarray(convert_to_tensor(value_or_raise(element)).numpy(), np.float64)
                yield from _draw_source_numbers(element_weights, generator, 1)
            return
        while weights.any():
            yield from _draw_source_numbers(weights, generator, 256)


def _draw_source_numbers(weights: np.ndarray, generator: np.random.Generator, count: int) -> list[int]:
    """Draws ``count`` numbers by weight; none if all weights are 0."""
    if not weights.any():
        return []
    cumulative_weights, last_number = np.cumsum(weights / weights.sum()), int(np.flatnonzero(weights)[-1])
    numbers: list[int] = np.minimum(
        np.searchsorted(cumulative_weights, generator.random(count), "right"), last_number
    ).tolist()
    return numbers


def common_spec(method_name: str, sources: Any) -> Any:
    """Returns the spec that all datasets fit; TypeError if their elements differ in structure or dtype."""
    spec = sources[0].spec()
    for source in sources[1:]:
        other = source.spec()
        try:
            nest.assert_same_structure(spec, other)
            spec = map_leaves(_common_leaf_spec, spec, other)
        except (TypeError, ValueError):
            raise TypeError(f"{method_name}: Incompatible dataset elements:\n  {spec} vs.   {other}") from None
    return spec


def _common_leaf_spec(first: Any, second: Any) -> Any:
    if first is None and second is None:
        return None
    common = first.most_specific_common_supertype([second])
    if common is None:
        raise TypeError("dtypes differ")
    return common
