"""Where rows of the table find their kernels: in modules that are imported when the first program needs them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from fastgrad.kernels.running.launch import Launches, Spec


def launches_from(module: str, function: str, *arguments: Any) -> Callable[..., Launches | None]:
    """The ``launches`` of a row, by the name of the function that gives them.

    Args:
        module: of ``fastgrad.kernels``.
        function: in it, ``(inputs, outputs, **attributes)`` to launches; with ``arguments`` a function of those that makes it.
    """

    def launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **attributes: Any) -> Launches | None:
        given = getattr(importlib.import_module(f"fastgrad.kernels.{module}"), function)
        found: Launches | None = (given(*arguments) if arguments else given)(inputs, outputs, **attributes)
        return found

    return launches
