"""``Dataset.ignore_errors``: leaves out elements that could not be made."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from fastgrad._src.data.element_spec import spec_of
from fastgrad._src.data.node import Failure, Node, Stage
from fastgrad._src.data.transformations import common_spec
from fastgrad._src.jit.user_lines import warn


class IgnoringErrors(Stage):
    """The elements of the source without the failed elements."""

    name = "_IgnoreErrorsDataset"
    count = Node.count  # unknown

    def __init__(self, source: Node, warns: bool) -> None:
        super().__init__(source)
        self._warns = warns

    def elements(self) -> Iterator[Any]:
        for element in self.source.elements():
            if type(element) is not Failure:
                yield element
            elif self._warns:
                error = element.error
                message = f"Dataset.ignore_errors: left out an element: {type(error).__name__}: {error}"
                warn(message)

    def make_spec(self) -> Any:
        try:
            return self.source.spec()
        except Exception:  # ``spec`` tries the first elements, and these may fail
            samples = [spec_of(element) for element in itertools.islice(self.elements(), 2)]
            if not samples:
                raise
            return common_spec(samples)
