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
    """What stands for an element that could not be made. Stages pass it on, and go on with the next element.

    Attributes:
        error: the exception, which the iterator raises.
    """

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


def attempted(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """``function`` of elements, with a ``Failure`` for its exceptions and for elements that are one."""

    def attempt(element: Any) -> Any:
        if type(element) is Failure:
            return element
        try:
            return function(element)
        except Exception as error:  # noqa: BLE001  # of whatever class a user's function raises
            return Failure(error)

    return attempt


def succeeded(element: Any) -> Any:
    """``element``; raises the exception of a ``Failure``."""
    if type(element) is Failure:
        raise element.error
    return element


class Node:
    """A stage: what it gives, how much of it, and of what form. A subclass defines ``chunks`` or ``elements``.

    Items travel in chunks, sequences of any length. They are elements, unless ``rows`` is set: then they are
    numbers of its rows, in a ``range`` or an int64 array, so that a whole batch of rows is gathered at once. In the place of
    a chunk or an element there may be a ``Failure``; rows have none.

    Attributes:
        rows: what the items are numbers of, or None.
        in_order: whether the items are all rows, in their order.
        sources: the stages before.
        name: TensorFlow's name of the stage, shown in the dataset's repr.
    """

    rows: Any = None
    in_order = False
    sources: Sequence[Node] = ()
    name = "Dataset"
    _spec: Any = None

    def chunks(self) -> Iterator[Any]:
        """The items from the start."""
        for element in self.elements():
            yield element if type(element) is Failure else [element]

    def elements(self) -> Iterator[Any]:
        """The elements from the start."""
        rows = self.rows
        for chunk in self.chunks():
            if type(chunk) is Failure:
                yield chunk
            else:
                yield from chunk if rows is None else map(rows.element, chunk)

    def elements_after(self, position: int) -> Iterator[Any]:
        """The elements from number ``position`` on: those before are not made, where that can be done."""
        return itertools.islice(self.elements(), position, None)

    def is_filling(self) -> bool:
        """True if this iteration fills a cache in memory, which is complete when its last item is asked for."""
        return any(source.is_filling() for source in self.sources)

    def random_state(self) -> list[tuple[int, ...]]:
        """From what the next iteration's orders are drawn: four numbers for each stage that draws, in a fixed order."""
        return [state for source in self.sources for state in source.random_state()]

    def restore_random_state(self, states: Iterator[tuple[int, ...]]) -> None:
        """Takes from ``states`` what ``random_state`` gave."""
        for source in self.sources:
            source.restore_random_state(states)

    def count(self) -> int:
        """How many elements there are: ``INFINITE`` or ``UNKNOWN`` if that is no number."""
        return UNKNOWN

    def spec(self) -> Any:
        """The TensorSpecs of an element."""
        if self._spec is None:
            self._spec = self.make_spec()
        return self._spec

    def known_spec(self) -> Any:
        """``spec``, or None where a user's function would have to be called for it."""
        if self._spec is None and any(source.known_spec() is None for source in self.sources):
            return None
        return self.spec()

    def make_spec(self) -> Any:
        """What ``spec`` gives, computed when it is first asked for."""
        raise NotImplementedError


class Stage(Node):
    """A stage that reads another one.

    Args:
        source: the stage before; its number of elements and their form are this one's unless overridden.
    """

    def __init__(self, source: Node) -> None:
        self.source = source
        self.sources = (source,)

    def count(self) -> int:
        """That of the stage before."""
        return self.source.count()

    def make_spec(self) -> Any:
        """That of the stage before."""
        return self.source.spec()


class Drawing(Node):
    """The part of a stage that draws: other numbers in each iteration.

    Args:
        key: three non-negative integers.
        anew: whether each iteration has numbers of its own.
    """

    def __init__(self, key: tuple[int, ...], anew: bool) -> None:
        self._key, self._anew = key, anew
        self._iteration = 0

    def next_draws(self) -> Callable[[int], np.random.Generator]:
        """Generators of the random numbers of the iteration that begins now, by numbers."""
        key, low, high = self._key
        words, iteration = np.array([key, low], np.uint64), self._iteration
        self._iteration += self._anew

        def generator(number: int) -> np.random.Generator:
            counter = np.array([0, iteration, number, high], np.uint64)
            return np.random.Generator(np.random.Philox(key=words, counter=counter))

        return generator

    def random_state(self) -> list[tuple[int, ...]]:
        """Its own, then that of what is before."""
        return [(*self._key, self._iteration), *super().random_state()]

    def restore_random_state(self, states: Iterator[tuple[int, ...]]) -> None:
        """Its own, then that of what is before."""
        *key, self._iteration = next(states)
        self._key = tuple(key)
        super().restore_random_state(states)
