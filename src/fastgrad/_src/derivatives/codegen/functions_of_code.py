"""Python functions of the code of derivatives, for Numba's dispatchers and for Python."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from fastgrad._src.derivatives.output.text import text_of_code
from fastgrad._src.derivatives.output.tree import Code
from fastgrad._src.jit.generated_source import function_from_source, generated_function

_ATTRIBUTE = "fastgrad_code"


def function_of_code(written: Code, what: str, scope: dict[str, Any]) -> FunctionType:
    """Returns a function with the parameters of code; tracebacks call it ``what``, and ``scope`` has what the names in the code stand for.

    LLVM IR is written from the code itself, so the function has no text. ``with_text`` gives it one.
    """
    parameters = ", ".join(parameter.name for parameter in written.parameters)
    source = f"def {written.name}({parameters}):\n    raise NotImplementedError\n"
    function = generated_function(written.name, source, what, scope)
    setattr(function, _ATTRIBUTE, written)
    return function


def code_of(function: FunctionType) -> Code | None:
    """Returns the code that a Python function was made of; None for others."""
    return getattr(function, _ATTRIBUTE, None)


def with_text(function: FunctionType) -> FunctionType:
    """Returns a function of code after its code has been printed: Python can run it, Numba can compile it, and ``inspect`` shows its text."""
    written: Code = getattr(function, _ATTRIBUTE)
    printed = function_from_source(written.name, text_of_code(written), function.__code__.co_filename, {})
    function.__code__ = printed.__code__
    return function
