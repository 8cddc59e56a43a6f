"""Calls of Python from a program: a function without another form is called at each replay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.compiler.recording.unlisted_operation import UnlistedOperation
from fastgrad._src.core.recording import hide_from_recorders


class HostCall(UnlistedOperation):
    """A Python function of arrays as an operation, called at each replay.

    Args:
        name: shown in graphs, errors and reports.
        function: takes arrays and attributes, returns an array or a tuple of arrays.
        acts: whether it is called for its effect, even if its result is not read.
        computes_nothing: whether the function returns nothing: the operation's result is then True.

    Attributes:
        function: as given.
        counts_results: whether it returns the number of results of the operation after it.
    """

    counts_results = False

    def __init__(
        self, name: str, function: Callable[..., Any], acts: bool = False, computes_nothing: bool = False
    ) -> None:
        super().__init__(name)
        self.function = function
        self.checks = acts
        self.computes_nothing = computes_nothing

    def run(self, *arrays: Any, **attributes: Any) -> Any:
        """Calls the Python function on arrays, hidden from recorders."""
        with hide_from_recorders():
            results = self.function(*arrays, **attributes)
        return np.ones((), bool) if self.computes_nothing else results
