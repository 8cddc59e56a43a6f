"""Python functions of the code of derivatives, for Numba's dispatchers and for Python."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from fastgrad._src.derivatives.code.text import text_of_code
from fastgrad._src.derivatives.code.tree import Code
from fastgrad._src.jit.generated_source import generated_function

_ATTRIBUTE = "fastgrad_code"


def function_of_code(written: Code, what: str, scope: dict[str, Any]) -> FunctionType:
    """Returns the Python function of code, which tracebacks call ``what``; ``scope`` has what its names stand for."""
    text, locations = text_of_code(written)
    lines = {number: (location.filename, location.line) for number, location in locations.items()}
    function = generated_function(written.name, text, what, scope, lines)
    setattr(function, _ATTRIBUTE, written)
    return function


def code_of(function: FunctionType) -> Code | None:
    """Returns the code that a Python function was made of; None for others."""
    return getattr(function, _ATTRIBUTE, None)
