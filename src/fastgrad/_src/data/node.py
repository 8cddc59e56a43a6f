"""``Node``: one stage of a dataset's pipeline."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

INFINITE = -1
UNKNOWN = -2

Chunk = Sequence[Any] | np.ndarray
"""Some items, in their order."""


class Failure:
    """A placeholder for an element that could not be made. Stages pass it on and continue with the next element.

    Attributes:
        error: the exception, which the iterator raises.
    """

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


def catching_failures(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Wraps ``function`` to return a ``Failure`` instead of raising, and to pass on a ``Failure`` argument."""

    def attempt(element: Any) -> Any:
        if type(element) is Failure:
            return element
        try:
            return function(element)
        except Exception as error:  # noqa: BLE001  # of whatever class a user's function raises
            return Failure(error)

    return attempt


def value_or_raise(element: Any) -> Any:
    """Returns ``element``, or raises the exception of a ``Failure``."""
    if type(element) is Failure:
        raise element.error
    return element


class Node:
    """A stage of a dataset's pipeline: elements, their count and their spec. A subclass defines ``chunks`` or ``elements``.

    Items travel in chunks, sequences of any length. Without ``rows`` the items are elements. With ``rows`` they are row numbers, in a
    ``range`` or an int64 array, so that a whole batch of rows is gathered at once. A ``Failure`` may replace a chunk or an
    element; rows have no ``Failure``.

    Attributes:
        rows: the rows that the items number, or None.
        in_order: whether the items are all rows, in their order.
        sources: the source stages.
        name: TensorFlow's name of the stage, shown in the dataset's repr.
        spec_calls_function: whether ``make_spec`` calls a user's function.
    """

    rows: Any = None
    in_order = False
    sources: Sequence[Node] = ()
    name = "Dataset"
    spec_calls_function = False
    _spec: Any = None

    def chunks(self) -> Iterator[Any]:
        """Yields the chunks of items from the start."""
        for element in self.elements():
            yield element if type(element) is Failure else [element]

    def elements(self) -> Iterator[Any]:
        """Yields the elements from the start."""
        rows = self.rows
        for chunk in self.chunks():
            if type(chunk) is Failure:
                yield chunk
            else:
                yield from chunk if rows is None else map(rows.element, chunk)

    def elements_after(self, position: int) -> Iterator[Any]:
        """Yields the elements from number ``position`` on. Earlier elements are not made where possible."""
        return itertools.islice(self.elements(), position, None)

    def fills_cache(self) -> bool:
        """True if this iteration fills a cache in memory; the cache is complete when the last item is requested."""
        return any(source.fills_cache() for source in self.sources)

    def random_state(self) -> list[tuple[int, ...]]:
        """Returns the random states of the next iteration: four numbers for each stage that draws, in a fixed order."""
        return [state for source in self.sources for state in source.random_state()]

    def restore_random_state(self, states: Iterator[tuple[int, ...]]) -> None:
        """Restores states that ``random_state`` returned."""
        for source in self.sources:
            source.restore_random_state(states)

    def count(self) -> int:
        """Returns the number of elements, or ``INFINITE`` or ``UNKNOWN``."""
        return UNKNOWN

    def spec(self) -> Any:
        """Returns the TensorSpecs of an element."""
        if self._spec is None:
            self._spec = self.make_spec()
        return self._spec

    def known_spec(self) -> Any:
        """Returns ``self.spec()``, or None if the method ``spec`` would call a user's function."""
        if self._spec is None and (
            self.spec_calls_function or any(source.known_spec() is None for source in self.sources)
        ):
            return None
        return self.spec()

    def make_spec(self) -> Any:
        """Computes the result of ``spec``, at its first call."""
        raise NotImplementedError


class Stage(Node):
    """A stage that reads one other stage.

    Args:
        source: the stage to read. Its number of elements and its spec are also this stage's, unless overridden.
    """

    def __init__(self, source: Node) -> None:
        self.source = source
        self.sources = (source,)

    def count(self) -> int:
        return self.source.count()

    def make_spec(self) -> Any:
        return self.source.spec()


class RandomStage(Node):
    """The base of stages that draw random numbers, which differ from iteration to iteration.

    Args:
        key: three non-negative integers.
        redraws: whether each iteration draws different numbers.
    """

    def __init__(self, key: tuple[int, ...], redraws: bool) -> None:
        self._key, self._redraws = key, redraws
        self._iteration = 0

    def next_generators(self) -> Callable[[int], np.random.Generator]:
        """Returns a function from a number to a random generator, for the iteration that begins now."""
        key, low, high = self._key
        key_words, iteration = np.array([key, low], np.uint64), self._iteration
        self._iteration += self._redraws

        def generator(number: int) -> np.random.Generator:
            counter = np.array([0, iteration, number, high], np.uint64)
            return np.random.Generator(np.random.Philox(key=key_words, counter=counter))

        return generator

    def random_state(self) -> list[tuple[int, ...]]:
        """Returns the random state of this stage, then the random states of its sources."""
        return [(*self._key, self._iteration), *super().random_state()]

    def restore_random_state(self, states: Iterator[tuple[int, ...]]) -> None:
        *key, self._iteration = next(states)
        self._key = tuple(key)
        super().restore_random_state(states)
