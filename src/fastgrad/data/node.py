"""``Node``: one stage of a dataset's pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

INFINITE = -1
UNKNOWN = -2

Chunk = Sequence[Any] | np.ndarray
"""Some items, in their order."""


class Node:
    """A stage: what it gives, how much of it, and of what form. A subclass defines ``chunks`` or ``elements``.

    Items travel in chunks, sequences of any length. They are elements, unless ``rows`` is set: then they are
    numbers of its rows, in a ``range`` or an int64 array, so that a whole batch of rows is gathered at once.

    Attributes:
        rows: what the items are numbers of, or None.
        in_order: whether the items are all rows, in their order.
        name: TensorFlow's name of the stage, shown in the dataset's repr.
    """

    rows: Any = None
    in_order = False
    name = "Dataset"
    _spec: Any = None

    def chunks(self) -> Iterator[Chunk]:
        """The items from the start."""
        for element in self.elements():
            yield [element]

    def elements(self) -> Iterator[Any]:
        """The elements from the start."""
        rows = self.rows
        for chunk in self.chunks():
            yield from chunk if rows is None else map(rows.element, chunk)

    def count(self) -> int:
        """How many elements there are: ``INFINITE`` or ``UNKNOWN`` if that is no number."""
        return UNKNOWN

    def spec(self) -> Any:
        """The TensorSpecs of an element."""
        if self._spec is None:
            self._spec = self.make_spec()
        return self._spec

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

    def count(self) -> int:
        """That of the stage before."""
        return self.source.count()

    def make_spec(self) -> Any:
        """That of the stage before."""
        return self.source.spec()
