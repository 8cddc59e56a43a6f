"""Dispatch of operation calls: at once on the host, later in a deferral, or on a GPU.

A program that uses neither deferrals nor GPUs has no dispatchers. A call of an operation then pays one test of the list.
"""

from __future__ import annotations

from typing import Any


class Dispatcher:
    """The base of dispatchers, which run calls of operations later or on a GPU instead of now on the host."""

    def result(self, operation: Any, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
        """Returns what ``operation.run`` returns, an array or a tuple of arrays; ``NotImplemented`` leaves the call to others.

        Args:
            operation: the row of the operation table.
            inputs: tensors.
            attributes: the attributes of the call.
        """
        raise NotImplementedError

    def mark_unplaced_results(self, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        """Marks the results of an operation call that have no fixed device, also of calls of other dispatchers."""


dispatchers: list[Dispatcher] = []
"""The dispatchers of the process. The first that takes a call runs it; by default calls run at once on the host."""


def dispatched(operation: Any, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    """Returns the result of the first dispatcher that takes the call, else of ``operation.run``."""
    for dispatcher in tuple(dispatchers):  # another thread may remove a dispatcher
        result = dispatcher.result(operation, inputs, attributes)
        if result is not NotImplemented:
            return result
    return operation.run(*[x._array for x in inputs], **attributes)


def report_results(inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
    """Calls ``mark_unplaced_results`` of all dispatchers with the inputs and results of an operation's call."""
    for dispatcher in tuple(dispatchers):
        dispatcher.mark_unplaced_results(inputs, outputs)
