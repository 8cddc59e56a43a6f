"""Compares the classes of expected errors and notes where only the words of the message differ."""

from __future__ import annotations

import unittest.case
from typing import Any


class Wording:
    """Replaces the check of an error's message in `unittest` by a note.

    Attributes:
        differences: for each error of the right class with other words, the pattern and the message.
    """

    def __init__(self) -> None:
        self.differences: list[str] = []

    def install(self) -> None:
        """Changes ``assertRaisesRegex`` of all test cases."""
        differences = self.differences
        context = unittest.case._AssertRaisesContext  # type: ignore[attr-defined]
        leave = context.__exit__

        def compare_class(self: Any, kind: Any, value: Any, traceback: Any) -> Any:
            pattern, self.expected_regex = self.expected_regex, None
            handled = leave(self, kind, value, traceback)
            if pattern is not None and handled and not pattern.search(str(value)):
                differences.append(f"{pattern.pattern!r} against {str(value)!r}"[:240])
            return handled

        context.__exit__ = compare_class
