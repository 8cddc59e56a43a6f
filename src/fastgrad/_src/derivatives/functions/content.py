"""The content of a user's function as text: its bytecode, and the values that it reaches. The text is a part of the keys of derivatives on disk.

A function has no text if it reads objects other than numbers, strings, arrays, functions and modules. Its derivatives are not cached on disk.
"""

from __future__ import annotations

import sys
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np
from numba import types

from fastgrad._src.derivatives.functions.snapshot import Snapshot, globals_and_closure_values, is_user_function
from fastgrad._src.jit.dispatcher_cache import FunctionLines
from fastgrad._src.jit.key_texts import PLAIN, NoKeyError, array_text, dtype_text, type_text
from fastgrad._src.jit.libraries import hides_standard_module, is_of_library, package_of
from fastgrad._src.jit.numba_internals import captured_values_read, compiled_blocks, dispatcher

_CODE_FIELDS = (
    *("co_name", "co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_flags", "co_varnames", "co_names"),
    *("co_freevars", "co_cellvars", "co_code", "co_exceptiontable"),
)


class _Visited(NamedTuple):
    """The functions whose content is being made, and the lines of all functions that were reached."""

    functions: tuple[Any, ...]
    lines: list[FunctionLines]

    def with_function(self, function: Any) -> _Visited:
        """Returns the functions with one more."""
        return self._replace(functions=(*self.functions, function))


def content_of(function: Any) -> str:
    """Returns the text that tells a function from all others: its bytecode, and what it reaches.

    It is the same in all files and on all lines: `lines_of` tells these.

    Args:
        function: a Python function, one that Numba compiled, or a derivative.

    Raises:
        NoKeyError: it reaches a value that has no text.
    """
    return _content(function, _Visited((), []))


def lines_of(function: Any) -> list[FunctionLines]:
    """Returns the files and lines of a function and of all functions that it reaches; arguments and errors as for `content_of`."""
    visited = _Visited((), [])
    _content(function, visited)
    return visited.lines


def _content(function: Any, visited: _Visited) -> str:
    if function in visited.functions:
        return f"function {visited.functions.index(function)} of these"
    visited = visited.with_function(function)
    if hasattr(function, "recipe"):
        maker, inner, *options = function.recipe
        return f"{maker.__name__}{tuple(options)!r} of {_content(inner, visited)}"
    return _function_text(function, Snapshot([function]), visited)  # with reads of the functions that it calls


def _function_text(function: Any, snapshot: Snapshot, visited: _Visited) -> str:
    texts = [f"{read.label} = {_text(read.recorded, visited, True)}" for read in snapshot.reads]
    # A snapshot has each place once: the order tells which of the functions read it.
    return "\n".join([_text(function, visited, True), _adjoint_text(function, visited), *texts, f"{snapshot.order}"])


class Reached(NamedTuple):
    """All that a user's function reaches. Two of them are equal if it reaches the same objects, whose contents are equal.

    Equal contents are not enough for a result that has the objects: the elements of one of two equal arrays may change later.
    """

    content: str
    objects: tuple[ReachedObject, ...]


class ReachedObject:
    """An object that is equal to itself only. Numbers and texts have an equal content instead."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReachedObject) and self._value is other._value

    def __hash__(self) -> int:
        return id(self._value)


def reached_content(function: Any) -> Reached | None:
    """Returns what a function reaches, which is no derivative; None if something has no text, or a container has objects."""
    snapshot = Snapshot([function])
    values = [read.recorded for read in snapshot.reads if not _is_plain(read.recorded)]
    if any(isinstance(value, (tuple, list, frozenset)) for value in values):
        return None
    try:
        content = _function_text(function, snapshot, _Visited((function,), []))
    except NoKeyError:
        return None
    return Reached(content, tuple(map(ReachedObject, values)))


def _is_plain(value: Any) -> bool:
    """True for numbers and texts, and for tuples of them."""
    return type(value) in PLAIN or (type(value) is tuple and all(map(_is_plain, value)))


def _text(value: Any, visited: _Visited, has_snapshot: bool = False) -> str:
    """Returns the text of a value; ``has_snapshot`` says that what it reads is told elsewhere."""
    kind = type(value)
    if kind in PLAIN:
        return f"{kind.__name__} {value!r}"
    if kind in {tuple, list}:
        return f"{kind.__name__} ({', '.join([_text(item, visited) for item in value])})"
    if kind is frozenset:
        return f"frozenset {sorted(_text(item, visited) for item in value)}"
    if kind in {slice, range}:
        return f"{kind.__name__} {_text((value.start, value.stop, value.step), visited)}"
    if isinstance(value, (np.ndarray, np.generic)):
        return array_text(value)
    if isinstance(value, np.dtype):
        return f"dtype {dtype_text(value)}"
    if isinstance(value, types.Type):
        return type_text(value)
    if isinstance(value, CodeType):
        visited.lines.append(FunctionLines(value.co_filename, tuple(value.co_lines())))
        fields = [getattr(value, field, None) for field in _CODE_FIELDS]
        return f"code {fields} {[_text(constant, visited) for constant in value.co_consts]}"
    if isinstance(value, ModuleType):
        _check_library(value.__name__)
        return f"module {value.__name__} {_version(value.__name__)}"
    if hasattr(value, "recipe"):
        return _content(value, visited)
    if not has_snapshot and (is_user_function(value) or isinstance(value, dispatcher.Dispatcher)):
        return _content(value, visited)
    if isinstance(value, dispatcher.Dispatcher):
        return _dispatcher_text(value, visited)
    if isinstance(value, (FunctionType, BuiltinFunctionType, np.ufunc, type)) or callable(value):
        return _callable_text(value, visited)
    raise NoKeyError(repr(value))


def _dispatcher_text(value: Any, visited: _Visited) -> str:
    options = sorted(f"{name}={option!r}" for name, option in value.targetoptions.items())
    signatures = [] if value._can_compile else value.signatures  # those that the decorator gave
    frozen = [captured_values_read(compiled_blocks(value, signature)) for signature in signatures]
    frozen_text = [_text(sorted(part.items()), visited) for parts in frozen for part in parts]
    own = _text(value.py_func, visited, True)
    local_types = sorted(f"{name}={type}" for name, type in value.locals.items() if name.isidentifier())  # no versions
    return f"compiled {options} {local_types} {signatures} {frozen_text} {own} {_adjoint_text(value, visited)}"


def _callable_text(value: Any, visited: _Visited) -> str:
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", getattr(value, "__name__", ""))
    if module is not None and is_of_library(module):
        _check_library(module)
        known: Any = sys.modules.get(module)
        for part in name.split("."):
            known = getattr(known, part, None)
        if known is value:
            return f"{module}.{name} {_version(module)}"
    if not isinstance(value, FunctionType):
        raise NoKeyError(repr(value))
    defaults = _text((value.__defaults__, *sorted((value.__kwdefaults__ or {}).items())), visited)
    text = f"function {_text(value.__code__, visited)} {defaults} {_adjoint_text(value, visited)}"
    if (
        is_user_function(value) or value in visited.functions[:-1]
    ):  # a snapshot tells what it reads, or this is told already
        return text
    return (
        f"{text} {_text([*map(list, sorted(globals_and_closure_values(value).items()))], visited.with_function(value))}"
    )


def _adjoint_text(function: Any, visited: _Visited) -> str:
    """Returns the text of the derivatives that a function got by ``fg.adjoint``."""
    rule = getattr(function, "own_adjoint", None)
    if rule is None:
        return ""
    parts = rule.function, rule.adjoint, rule.tangent
    own = [_content(part, visited) for part in parts if part is not None]
    return f"adjoint {rule.is_constant} {rule.tangent is None} {own}"


def _check_library(module: str) -> None:
    """Raises NoKeyError if a user's module has the name of one in Python's library."""
    if hides_standard_module(package_of(module)):
        raise NoKeyError(module)


def _version(module: str) -> str:
    package = sys.modules.get(package_of(module))
    return str(getattr(package, "__version__", "")) if is_of_library(module) else ""


def argument_text(type: types.Type) -> str:
    """Returns the text of the type of an argument, which may be a default value.

    Raises:
        NoKeyError: it belongs to an object of this process.
    """
    return type_text(type, lambda value: _text(value, _Visited((), [])))
