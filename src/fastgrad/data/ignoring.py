"""``Dataset.ignore_errors``: elements that fail to be made are left out."""

from __future__ import annotations

import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from fastgrad.data.node import UNKNOWN, Node, Stage
from fastgrad.data.structure import spec_of
from fastgrad.data.transformations import Mapped, common_spec

_FAILED = object()


class IgnoringErrors(Stage):
    """The elements that are made without an error.

    A ``map`` before is asked for each element on its own. Other stages go on after an error if they can; where one ends by it, such
    as the function of ``from_generator``, the error is raised: else elements would be missing that nobody has tried to make.
    """

    name = "_IgnoreErrorsDataset"

    def __init__(self, source: Node, warns: bool) -> None:
        super().__init__(source)
        self._warns = warns

    def elements(self) -> Iterator[Any]:
        source = self.source
        elements = source.guarded(self._tried) if isinstance(source, Mapped) else source.elements()
        while True:
            try:
                element = next(elements)
            except StopIteration:
                return
            except Exception as error:
                if _ended_a_generator(error.__traceback__):
                    raise
                self._report(error)
                continue
            if element is not _FAILED:
                yield element

    def _tried(self, function: Callable[[Any], Any], element: Any) -> Any:
        try:
            return function(element)
        except Exception as error:  # noqa: BLE001  # errors of users' functions are what this stage is for
            self._report(error)
            return _FAILED

    def _report(self, error: Exception) -> None:
        if self._warns:
            warnings.warn(f"Dataset.ignore_errors: left out an element: {type(error).__name__}: {error}", stacklevel=3)

    def count(self) -> int:
        return UNKNOWN

    def make_spec(self) -> Any:
        try:
            return self.source.spec()
        except Exception:  # the first elements, which are tried for it, may be those that fail
            samples = [spec_of(element) for element in itertools.islice(self.elements(), 2)]
            if not samples:
                raise
            return common_spec(samples)


def _ended_a_generator(traceback: TracebackType | None) -> bool:
    """Whether an error has passed a generator since it left the frame that has caught it."""
    frame = traceback.tb_next if traceback is not None else None
    while frame is not None:
        if frame.tb_frame.f_code.co_flags & inspect.CO_GENERATOR:
            return True
        frame = frame.tb_next
    return False
