"""Captured names: the values that a function reads besides its arguments, and the check that they are unchanged.

A recording depends on certain globals, closure cells and attributes. They come from the bytecode of the function, of
the user's functions and methods that it calls, and of the layers that it uses. Each entry contains straight-line code that
compares them with ``is`` (numbers and strings by value). The content of a captured list, dict or array is not compared. But
attributes of objects in it are compared, if the function reads attributes of that name from a value without a known name.
"""

from __future__ import annotations

import functools
import keyword
import os
from collections.abc import Callable, Sequence
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any
from weakref import ref

import numpy as np

from fastgrad.compiler.dispatch.bytecode import Path, paths_of
from fastgrad.compiler.dispatch.identity import reference
from fastgrad.core import settings_version
from fastgrad.core.array_conversion import short_repr
from fastgrad.core.tensor import Tensor
from fastgrad.core.variable import Variable

_VALUE_TYPES = (bool, int, float, complex, str, bytes, type(None))
_LIBRARIES = frozenset(["fastgrad", "numpy", "scipy", "numba", "llvmlite", "ml_dtypes", "builtins"])
_STDLIB = os.path.dirname(os.__file__)
_MOST_CAPTURES = 1000
_MOST_HELD = 100
_ABSENT = object()
MISS = object()
"""The result of generated code if a value has changed."""


def differs(found: Any, wanted: Any) -> bool:
    """True if a number or string has changed: other type, other value or another sign of zero."""
    if type(found) is not type(wanted):
        return True
    return bool(repr(found) != repr(wanted) if isinstance(wanted, (float, complex)) else found != wanted)


def shown(value: Any) -> str:
    """Returns a value as text for a message: numbers and strings in full, objects by their type."""
    return short_repr(value) if isinstance(value, _VALUE_TYPES) else f"a {type(value).__name__} (at {id(value):#x})"


class Capture:
    """One captured name.

    Attributes:
        label: as the user writes it, ``config.rate``.
        get: returns its value now; raises if it is deleted.
        shown: its value at the recording, as text.
        holds: whether a value is the one at the recording.
        held: whether the recording keeps the value alive, as it does with variables.
    """

    __slots__ = ("get", "held", "holds", "label", "shown")

    def __init__(
        self, label: str, get: Callable[[], Any], shown: str, holds: Callable[[Any], bool], held: bool = False
    ) -> None:
        self.label, self.get, self.shown, self.holds, self.held = label, get, shown, holds, held


class Captures:
    """The captured names of a function at the time of a recording.

    Args:
        function: the recorded function.
        arguments: its arguments by name.
        objects: those arguments that are known by identity; the generated code gets them as ``o``.
        settled: labels of numbers that are not compared, because the function itself changes them.

    Attributes:
        lines: statements that return ``MISS`` if a value has changed; they use ``o`` and ``scope``.
        scope: the names for ``lines``.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: dict[str, Any],
        objects: Sequence[Any],
        settled: frozenset[str] = frozenset(),
    ) -> None:
        self._settled = settled
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {"MISS": MISS, "differs": differs, "mutations": settings_version.count}
        self._found: list[Capture] = []
        self._names: dict[int, str] = {}  # by object: its name in the generated code
        self._captured_expressions: set[Any] = set()
        self._analysed_functions: set[Any] = set()
        self._held: set[int] = set()
        self._alive: list[Any] = []  # keeps objects alive while ids are keys
        self._settings: list[Callable[[], Any]] = []
        self._labels: dict[int, str] = {}
        self._gone_callbacks: list[Callable[[], None]] = []
        self._root = _innermost(function)
        for position, item in enumerate(objects):
            self._names[id(item)] = f"o[{position}]"
            self._alive.append(item)
        for name, value in arguments.items():
            self._labels.setdefault(id(value), name)
            self._enter(value)
        self._function(function, arguments)
        self._watch_settings()
        self._names, self._captured_expressions, self._analysed_functions, self._alive, self._labels = (
            {},
            set(),
            set(),
            [],
            {},
        )
        self._held = set()
        self._root = None
        self._check: Callable[[Sequence[Any]], Any] | None = None

    def hold(self, objects: Sequence[Any]) -> bool:
        """True if all values are unchanged; ``objects`` are those of the call, in the same order."""
        if self._check is None:
            body = "\n        ".join([*self.lines, "return True"])
            text = f"def check(o):\n    try:\n        {body}\n    except (AttributeError, KeyError, ValueError):\n        return MISS\n"
            exec(text, self.scope)  # noqa: S102 - our own text
            self._check = self.scope["check"]
        return self._check(objects) is True

    def on_gone(self, told: Callable[[], None]) -> None:
        """Calls ``told`` when a captured object is deleted."""
        self._gone_callbacks.append(told)

    def moved(self) -> dict[str, Any]:
        """Returns the captured names that have changed, with their values now; None for deleted ones."""
        changes: dict[str, Any] = {}
        for capture in self._found:
            try:
                current = capture.get()
            except (AttributeError, KeyError, ValueError):
                current = None
            if not capture.holds(current):
                changes[capture.label] = current
        return changes

    def holds_on(self) -> bool:
        """True if it keeps a variable alive that its name no longer refers to."""
        changes = self.moved()
        return any(capture.held and capture.label in changes for capture in self._found)

    def change(self) -> tuple[str, str, str] | None:
        """Returns the first captured name that has changed: its label, its old and its new value."""
        changes = self.moved()
        return next(((c.label, c.shown, shown(changes[c.label])) for c in self._found if c.label in changes), None)

    # ---- reads -------------------------------------------------------------------------------------------

    def _function(self, function: Any, bound: dict[str, Any]) -> None:
        """Captures the names that a Python function reads; ``bound`` are its known arguments."""
        while isinstance(function, functools.partial):
            bound = {**_bound(function), **bound}
            function = function.func
        if isinstance(function, MethodType):
            code = getattr(function.__func__, "__code__", None)
            if code is not None and code.co_argcount:
                bound = {**bound, code.co_varnames[0]: function.__self__}
            function = function.__func__
        function = _undecorated_function(function)
        if not isinstance(function, FunctionType):
            self._called(function)
            return
        code = function.__code__
        key = (id(function), tuple([(name, id(value)) for name, value in bound.items()]))
        if key in self._analysed_functions or not _is_user_function(function) or len(self._found) > _MOST_CAPTURES:
            return
        self._analysed_functions.add(key)
        self._alive += [function, *bound.values()]
        containers: list[Any] = []
        for path in paths_of(code):
            if path.kind != "held":
                containers += [
                    value for value in self._path(path, function, code, bound) if _is_filled_container(value)
                ]
        held_paths = [path for path in paths_of(code) if path.kind == "held"]
        if held_paths:
            for item in _contained_objects(containers):
                for path in held_paths:
                    self._attributes(item, path.attributes, f"a held {type(item).__name__}")

    def _path(self, path: Path, function: FunctionType, code: CodeType, bound: dict[str, Any]) -> list[Any]:
        """Captures the values of a path; returns them."""
        name = path.name
        if path.kind == "local":
            value = bound.get(name, _ABSENT)
            if value is _ABSENT:
                return []
        elif path.kind == "global":
            table = function.__globals__
            if name not in table:
                return []
            value = table[name]
            self._capture_value(f"{self._holder_name(table)}[{name!r}]", name, value, lambda: table[name])
        else:
            number = code.co_freevars.index(name)
            try:
                value = (function.__closure__ or ())[number].cell_contents
            except ValueError:
                return []
            weak = reference(function)
            if function is self._root:  # it stays alive anyway, with its cells
                holder = self._holder_name((function.__closure__ or ())[number])
            else:
                holder = f"{self._holder_name(function)}.__closure__[{number}]"
            self._capture_value(
                f"{holder}.cell_contents", name, value, lambda: weak().__closure__[number].cell_contents
            )
        return self._attributes(value, path.attributes, name)

    def _attributes(self, value: Any, attributes: Sequence[str], label: str) -> list[Any]:
        """Captures attributes one after the other; returns their values."""
        values = [value]
        for attribute in attributes:
            holder, label = value, f"{label}.{attribute}"
            value = self._plain_attribute(holder, attribute)
            if value is _ABSENT:
                break
            get = functools.partial(_current_attribute, reference(holder), attribute)
            self._capture_value(_access(self._holder_name(holder), attribute), label, value, get)
            values.append(value)
        return values

    def _plain_attribute(self, holder: Any, name: str) -> Any:
        """Returns a plain attribute's value; for a user's method or property, captures what that reads instead."""
        if isinstance(holder, ModuleType):
            library = holder.__name__.partition(".")[0] in _LIBRARIES or _is_in_stdlib(
                getattr(holder, "__file__", None)
            )
            return _ABSENT if library else holder.__dict__.get(name, _ABSENT)
        owner = holder if isinstance(holder, type) else type(holder)
        declared = next((kind.__dict__[name] for kind in owner.__mro__ if name in kind.__dict__), _ABSENT)
        if isinstance(declared, property):
            if declared.fget is not None:
                self._method(declared.fget, holder)
            return _ABSENT
        if isinstance(declared, MemberDescriptorType):
            return getattr(holder, name, _ABSENT)
        if hasattr(type(declared), "__set__"):
            return _ABSENT
        instance_attributes = getattr(holder, "__dict__", {})
        if not isinstance(holder, type) and name in instance_attributes:
            return instance_attributes[name]
        if isinstance(declared, (staticmethod, classmethod)):
            self._method(declared.__func__, owner)
            return _ABSENT
        if declared is _ABSENT or hasattr(type(declared), "__get__"):
            if declared is not _ABSENT:
                self._method(declared, holder)
            return _ABSENT
        return declared

    def _method(self, function: Any, holder: Any) -> None:
        function = _undecorated_function(function)
        code = getattr(function, "__code__", None)
        if code is not None:
            self._function(function, {code.co_varnames[0]: holder} if code.co_argcount else {})

    # ---- comparisons -------------------------------------------------------------------------------------

    def _capture_value(self, expression: str, label: str, value: Any, get: Callable[[], Any]) -> None:
        if expression in self._captured_expressions:
            return
        self._captured_expressions.add(expression)
        if isinstance(value, (ModuleType, BuiltinFunctionType)):
            return
        number = len(self._found)
        self.lines.append(f"v{number} = {expression}")
        if isinstance(value, _VALUE_TYPES) and label in self._settled:
            self.lines.pop()
            return
        if isinstance(value, _VALUE_TYPES):
            self.scope[f"k{number}"] = value
            self.lines.append(f"if v{number} is not k{number} and differs(v{number}, k{number}): return MISS")
            self._found.append(Capture(label, get, short_repr(value), lambda found: not differs(found, value)))
            return
        weak = reference(value, _GoneCallback(self._gone_callbacks))
        # Programs hold variables, too; containers have no weak references.
        if isinstance(value, Variable) or not isinstance(weak, ref):
            self.scope[f"k{number}"] = value
            self.lines.append(f"if v{number} is not k{number}: return MISS")
        else:
            self.scope[f"k{number}"] = weak
            self.lines.append(f"if v{number} is not k{number}(): return MISS")
        is_variable = isinstance(value, Variable)
        self._found.append(Capture(label, get, shown(value), lambda found: found is weak(), is_variable))
        self._labels.setdefault(id(value), label)
        self._names.setdefault(id(value), f"v{number}")
        self._alive.append(value)
        self._enter(value)

    def _enter(self, value: Any) -> None:
        """Captures the names that a captured function or object reads when it is called."""
        if (
            isinstance(value, (FunctionType, MethodType, functools.partial))
            or _undecorated_function(value) is not value
        ):
            self._function(value, {})
            for gradient in getattr(value, "gradient_functions", ()):
                self._function(gradient, {})
        elif isinstance(value, (list, tuple, dict)):
            # The objects in a container are not compared, but the names that they read when they are called are.
            for item in list(value.values() if isinstance(value, dict) else value)[:_MOST_HELD]:
                if not isinstance(item, (*_VALUE_TYPES, Tensor, Variable, np.ndarray)) and id(item) not in self._held:
                    self._held.add(id(item))
                    self._alive.append(item)
                    self._enter(item)
        elif not isinstance(value, (ModuleType, type)):
            self._called(value)

    def _called(self, value: Any) -> None:
        kind = type(value)
        if isinstance(value, Variable):
            weak = reference(value)
            self._settings.append(lambda: weak()._trainable)
            return
        settings = getattr(kind, "_recorded_settings", None)
        if settings is not None:
            weak = reference(value)
            self._settings.append(lambda: settings(weak()))
            for part in value._recorded_parts():
                self._function(getattr(type(part), "call", None), _self_argument(type(part).call, part))
            return
        for name in ("__call__", "call"):
            method = getattr(kind, name, None)
            if isinstance(method, FunctionType):
                self._method(method, value)

    def _holder_name(self, holder: Any) -> str:
        name = self._names.get(id(holder))
        if name is None:
            number = len(self.scope)
            name = self._names[id(holder)] = f"h{number}"
            self._alive.append(holder)
            if isinstance(holder, (dict, CellType)):
                self.scope[name] = holder  # the globals of a module, or a cell of the function
            else:
                self.scope[f"w{number}"] = reference(holder)
                self.lines.append(f"{name} = w{number}()")
        return name

    def _watch_settings(self) -> None:
        settings = self._settings
        recorded = [get() for get in settings], dict(settings_version.settings)
        count_now = settings_version.count[0]

        def settled() -> bool:
            """True if these settings are unchanged, although some setting has changed."""
            try:
                same = ([get() for get in settings], settings_version.settings) == recorded
            except AttributeError:
                return False
            if same:
                last_count[0] = settings_version.count[0]
            return same

        last_count = self.scope["seen"] = [count_now]
        self.scope["settled"] = settled
        self.lines.append("if mutations[0] != seen[0] and not settled(): return MISS")


def _access(holder: str, attribute: str) -> str:
    """Returns an expression for an attribute; a name that is no identifier needs ``getattr``."""
    is_name = attribute.isascii() and attribute.isidentifier() and not keyword.iskeyword(attribute)
    return f"{holder}.{attribute}" if is_name else f"getattr({holder}, {attribute!r})"


def _is_filled_container(value: Any) -> bool:
    return isinstance(value, (list, tuple, dict)) and bool(value)


def _contained_objects(containers: Sequence[Any]) -> list[Any]:
    """Returns the objects in containers, nested ones included, whose attributes code may read in any way."""
    objects: dict[int, Any] = {}
    queue = list(containers)
    for container in queue:
        for item in list(container.values() if isinstance(container, dict) else container)[:_MOST_HELD]:
            if _is_filled_container(item) and len(queue) < _MOST_HELD:
                queue.append(item)
            elif not isinstance(item, (*_VALUE_TYPES, Tensor, Variable, np.ndarray, list, tuple, dict)):
                objects[id(item)] = item
    return list(objects.values())[:_MOST_HELD]


def _current_attribute(holder: Callable[[], Any], name: str) -> Any:
    return getattr(holder(), name)


class _GoneCallback:
    """Calls the functions in a list when an object is deleted; it refers to nothing else."""

    def __init__(self, told: list[Callable[[], None]]) -> None:
        self._callbacks = told

    def __call__(self, _: Any) -> None:
        for tell in self._callbacks:
            tell()


def _bound(function: functools.partial[Any]) -> dict[str, Any]:
    """Returns the arguments that a partial function has already, by the names of the parameters."""
    code = getattr(_undecorated_function(function.func), "__code__", None)
    names = code.co_varnames[: code.co_argcount] if code is not None else ()
    return {**dict(zip(names, function.args, strict=False)), **function.keywords}


def _innermost(function: Any) -> Any:
    """Returns the Python function inside partial functions and methods."""
    while isinstance(function, functools.partial):
        function = function.func
    return _undecorated_function(function.__func__ if isinstance(function, MethodType) else function)


def _undecorated_function(function: Any) -> Any:
    """Returns the Python function of a function under ``tf.function``, or of a user's operation."""
    kind = type(function)
    is_made = getattr(kind, "records_graphs", False) or getattr(kind, "compiles_function", False)
    return function.python_function if is_made else function


def _self_argument(function: Any, holder: Any) -> dict[str, Any]:
    code = getattr(function, "__code__", None)
    return {code.co_varnames[0]: holder} if code is not None and code.co_argcount else {}


def _is_user_function(function: FunctionType) -> bool:
    module = (function.__globals__.get("__name__") or "").partition(".")[0]
    return module not in _LIBRARIES and not _is_in_stdlib(function.__code__.co_filename)


def _is_in_stdlib(filename: str | None) -> bool:
    return filename is not None and filename.startswith(_STDLIB) and "site-packages" not in filename
