"""Constructors made from lists of parameters, for classes that share parameters with a function or with another class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import Parameter
from typing import Any

from fastgrad._src.jit.generated_source import function_from_source


def make_constructor(module: str, class_name: str, parameters: Sequence[Parameter], body: Callable[..., None]) -> Any:
    """Returns the method ``__init__`` of a class. It calls ``body(self, **arguments)`` with the arguments by name.

    Args:
        module: the module of the class.
        class_name: the qualified name of the class.
        parameters: those after ``self``, with defaults and annotations; the last may be ``**kwargs``.
        body: gets all arguments, those in ``kwargs`` too.
    """
    keywords = [f"**{parameter.name}" for parameter in parameters if parameter.kind is Parameter.VAR_KEYWORD]
    names = [parameter.name for parameter in parameters if parameter.kind is not Parameter.VAR_KEYWORD]
    declared, passed = [*names, *keywords], [*[f"{name}={name}" for name in names], *keywords]
    source = f"def __init__(self, {', '.join(declared)}):\n    body(self, {', '.join(passed)})\n"
    scope = {"__name__": module, "body": body, "Any": Any}  # for those who evaluate annotations
    init = function_from_source("__init__", source, f"<fastgrad constructor of {module}.{class_name}>", scope)
    init.__qualname__ = f"{class_name}.__init__"
    init.__defaults__ = tuple(parameter.default for parameter in parameters if parameter.default is not Parameter.empty)
    init.__annotations__ = {**{parameter.name: parameter.annotation for parameter in parameters}, "return": "None"}
    return init
