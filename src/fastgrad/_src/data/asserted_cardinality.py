"""``tf.data.experimental.assert_cardinality``: a number of elements that the iteration checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastgrad._src.core.errors import FailedPreconditionError
from fastgrad._src.data.node import INFINITE, Failure, Node, Stage


class AssertedCardinality(Stage):
    """The elements of the source, with an error in place of the first that is too many, or at an end that comes too soon.

    Args:
        source: the source stage.
        count: the number of elements, or ``INFINITE``.
    """

    name = "_AssertCardinalityDataset"

    def __init__(self, source: Node, count: int) -> None:
        super().__init__(source)
        self._count = count

    def count(self) -> int:
        return self._count

    def elements(self) -> Iterator[Any]:
        count, element_count = self._count, 0
        for element in self.source.elements():
            element_count += type(element) is not Failure
            if count != INFINITE and element_count > count:
                yield self._cardinality_failure(f"at least {_elements_text(element_count)}")
                return
            yield element
        if count == INFINITE or element_count < count:
            yield self._cardinality_failure(f"only {_elements_text(element_count)}")

    def _cardinality_failure(self, found_text: str) -> Failure:
        expected = "an infinite number of elements" if self._count == INFINITE else _elements_text(self._count)
        return Failure(
            FailedPreconditionError(f"Input dataset was expected to contain {expected} but contained {found_text}.")
        )


def _elements_text(count: int) -> str:
    return f"{count} element{'' if count == 1 else 's'}"
