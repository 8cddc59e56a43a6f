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
from typing import Any, NamedTuple
from weakref import ref

import numpy as np

from fastgrad.compiler.dispatch.bytecode import NamePath, name_paths_of
from fastgrad.compiler.dispatch.identity import weak_or_strong_reference
from fastgrad.core import settings_version
from fastgrad.core.array_conversion import short_repr
from fastgrad.core.tensor import Tensor
from fastgrad.core.variable import Variable

_VALUE_TYPES = (bool, int, float, complex, str, bytes, type(None))
_UNSEARCHED_LIBRARIES = frozenset(["fastgrad", "numpy", "scipy", "numba", "llvmlite", "ml_dtypes", "builtins"])
_STANDARD_LIBRARY_FOLDER = os.path.dirname(os.__file__)
_MOST_CAPTURED_NAMES = 1000
_MOST_SEARCHED_CONTAINER_ITEMS = 100
_NO_VALUE = object()
CALL_CHANGED = object()
"""The result of generated code if a value has changed."""


def has_changed(found: Any, wanted: Any) -> bool:
    """True if a number or string has changed: other type, other value or another sign of zero."""
    if type(found) is not type(wanted):
        return True
    return bool(repr(found) != repr(wanted) if isinstance(wanted, (float, complex)) else found != wanted)


def value_text(value: Any) -> str:
    """Returns a value as text for a message: numbers and strings in full, objects by their type."""
    return short_repr(value) if isinstance(value, _VALUE_TYPES) else f"a {type(value).__name__} (at {id(value):#x})"


class Capture(NamedTuple):
    """A captured name, its value at the recording, and a test for changes.

    Attributes:
        label: as the user writes it, ``config.rate``.
        get: returns its value now; raises if it is deleted.
        shown: its value at the recording, as text.
        holds: whether a value is the one at the recording.
        held: whether the recording keeps the value alive, as it does with variables.
    """

    label: str
    get: Callable[[], Any]
    shown: str
    holds: Callable[[Any], bool]
    held: bool = False


class Captures:
    """The captured names of a function at the time of a recording.

    Args:
        function: the recorded function.
        arguments: its arguments by name.
        objects: those arguments that are known by identity; the generated code gets them as ``o``.
        settled: labels of numbers that are not compared, because the function itself changes them.

    Attributes:
        lines: statements that return ``CALL_CHANGED`` if a value has changed; they use ``o`` and ``scope``.
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
        self.scope: dict[str, Any] = {
            "CALL_CHANGED": CALL_CHANGED,
            "differs": has_changed,
            "mutations": settings_version.change_count,
        }
        self._found: list[Capture] = []
        self._names: dict[int, str] = {}  # by object: its name in the generated code
        self._captured_expressions: set[Any] = set()
        self._analysed_functions: set[Any] = set()
        self._held: set[int] = set()
        self._alive: list[Any] = []  # keeps objects alive while ids are keys
        self._settings: list[Callable[[], Any]] = []
        self._labels: dict[int, str] = {}
        self._gone_callbacks: list[Callable[[], None]] = []
        self._root = _innermost_python_function(function)
        for position, item in enumerate(objects):
            self._names[id(item)] = f"o[{position}]"
            self._alive.append(item)
        for name, value in arguments.items():
            self._labels.setdefault(id(value), name)
            self._capture_names_read_by(value)
        self._capture_function(function, arguments)
        self._add_settings_check()
        for state in (self._names, self._captured_expressions, self._analysed_functions, self._held, self._labels):
            state.clear()
        self._alive, self._root = [], None
        self._check: Callable[[Sequence[Any]], Any] | None = None

    def are_unchanged(self, objects: Sequence[Any]) -> bool:
        """True if all captured values are unchanged; ``objects`` are the call's arguments known by identity."""
        if self._check is None:
            body = "\n        ".join([*self.lines, "return True"])
            text = f"def check(o):\n    try:\n        {body}\n    except (AttributeError, KeyError, ValueError):\n        return CALL_CHANGED\n"
            exec(text, self.scope)  # noqa: S102 - our own text
            self._check = self.scope["check"]
        return self._check(objects) is True

    def call_on_deletion(self, callback: Callable[[], None]) -> None:
        """Registers a callback for the deletion of a captured object."""
        self._gone_callbacks.append(callback)

    def changed_values(self) -> dict[str, Any]:
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

    def keeps_replaced_variable_alive(self) -> bool:
        """True if a captured variable is kept alive although its name now refers to another object."""
        changes = self.changed_values()
        return any(capture.held and capture.label in changes for capture in self._found)

    def first_change(self) -> tuple[str, str, str] | None:
        """Returns the first captured name that has changed: its label, its old and its new value."""
        changes = self.changed_values()
        return next(((c.label, c.shown, value_text(changes[c.label])) for c in self._found if c.label in changes), None)

    # ---- reads -------------------------------------------------------------------------------------------

    def _capture_function(self, function: Any, bound: dict[str, Any]) -> None:
        """Captures the names that a Python function reads; ``bound`` are its known arguments."""
        while isinstance(function, functools.partial):
            bound = {**_bound_arguments(function), **bound}
            function = function.func
        if isinstance(function, MethodType):
            bound = {**bound, **_self_argument(function.__func__, function.__self__)}
            function = function.__func__
        function = _undecorated_function(function)
        if not isinstance(function, FunctionType):
            self._capture_call_method(function)
            return
        code = function.__code__
        key = (id(function), tuple([(name, id(value)) for name, value in bound.items()]))
        if (
            key in self._analysed_functions
            or not _is_user_function(function)
            or len(self._found) > _MOST_CAPTURED_NAMES
        ):
            return
        self._analysed_functions.add(key)
        self._alive += [function, *bound.values()]
        containers: list[Any] = []
        for path in name_paths_of(code):
            if path.kind != "held":
                containers += [
                    value for value in self._capture_path(path, function, code, bound) if _is_filled_container(value)
                ]
        held_paths = [path for path in name_paths_of(code) if path.kind == "held"]
        if held_paths:
            for item in _contained_objects(containers):
                for path in held_paths:
                    self._capture_attributes(item, path.attributes, f"a held {type(item).__name__}")

    def _capture_path(self, path: NamePath, function: FunctionType, code: CodeType, bound: dict[str, Any]) -> list[Any]:
        """Captures the values of a path; returns them."""
        name = path.name
        if path.kind == "local":
            value = bound.get(name, _NO_VALUE)
            if value is _NO_VALUE:
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
            weak = weak_or_strong_reference(function)
            if function is self._root:  # it stays alive anyway, with its cells
                holder = self._holder_name((function.__closure__ or ())[number])
            else:
                holder = f"{self._holder_name(function)}.__closure__[{number}]"
            self._capture_value(
                f"{holder}.cell_contents", name, value, lambda: weak().__closure__[number].cell_contents
            )
        return self._capture_attributes(value, path.attributes, name)

    def _capture_attributes(self, value: Any, attributes: Sequence[str], label: str) -> list[Any]:
        """Captures a chain of attributes ``a.b.c`` of a value; returns the values along it."""
        values = [value]
        for attribute in attributes:
            holder, label = value, f"{label}.{attribute}"
            value = self._plain_attribute(holder, attribute)
            if value is _NO_VALUE:
                break
            get = functools.partial(_current_attribute, weak_or_strong_reference(holder), attribute)
            self._capture_value(_attribute_expression(self._holder_name(holder), attribute), label, value, get)
            values.append(value)
        return values

    def _plain_attribute(self, holder: Any, name: str) -> Any:
        """Returns a plain attribute's value; for a user's method or property, captures what that reads instead."""
        if isinstance(holder, ModuleType):
            library = holder.__name__.partition(".")[0] in _UNSEARCHED_LIBRARIES or _is_in_standard_library(
                getattr(holder, "__file__", None)
            )
            return _NO_VALUE if library else holder.__dict__.get(name, _NO_VALUE)
        owner = holder if isinstance(holder, type) else type(holder)
        declared = next((kind.__dict__[name] for kind in owner.__mro__ if name in kind.__dict__), _NO_VALUE)
        if isinstance(declared, property):
            if declared.fget is not None:
                self._capture_method(declared.fget, holder)
            return _NO_VALUE
        if isinstance(declared, MemberDescriptorType):
            return getattr(holder, name, _NO_VALUE)
        if hasattr(type(declared), "__set__"):
            return _NO_VALUE
        instance_attributes = getattr(holder, "__dict__", {})
        if not isinstance(holder, type) and name in instance_attributes:
            return instance_attributes[name]
        if isinstance(declared, (staticmethod, classmethod)):
            self._capture_method(declared.__func__, owner)
            return _NO_VALUE
        if hasattr(type(declared), "__get__"):
            self._capture_method(declared, holder)
            return _NO_VALUE
        return declared

    def _capture_method(self, function: Any, holder: Any) -> None:
        function = _undecorated_function(function)
        if hasattr(function, "__code__"):
            self._capture_function(function, _self_argument(function, holder))

    # ---- comparisons -------------------------------------------------------------------------------------

    def _capture_value(self, expression: str, label: str, value: Any, get: Callable[[], Any]) -> None:
        if expression in self._captured_expressions:
            return
        self._captured_expressions.add(expression)
        if isinstance(value, (ModuleType, BuiltinFunctionType)):
            return
        if isinstance(value, _VALUE_TYPES) and label in self._settled:
            return
        number = len(self._found)
        self.lines.append(f"v{number} = {expression}")
        if isinstance(value, _VALUE_TYPES):
            self.scope[f"k{number}"] = value
            self.lines.append(f"if v{number} is not k{number} and differs(v{number}, k{number}): return CALL_CHANGED")
            self._found.append(Capture(label, get, short_repr(value), lambda found: not has_changed(found, value)))
            return
        weak = weak_or_strong_reference(value, _DeletionCallback(self._gone_callbacks))
        is_variable = isinstance(value, Variable)
        # Programs hold variables, too; containers have no weak references.
        is_held = is_variable or not isinstance(weak, ref)
        self.scope[f"k{number}"] = value if is_held else weak
        self.lines.append(f"if v{number} is not k{number}{'' if is_held else '()'}: return CALL_CHANGED")
        self._found.append(Capture(label, get, value_text(value), lambda found: found is weak(), is_variable))
        self._labels.setdefault(id(value), label)
        self._names.setdefault(id(value), f"v{number}")
        self._alive.append(value)
        self._capture_names_read_by(value)

    def _capture_names_read_by(self, value: Any) -> None:
        """Captures the names that a captured function or object reads when it is called."""
        if (
            isinstance(value, (FunctionType, MethodType, functools.partial))
            or _undecorated_function(value) is not value
        ):
            self._capture_function(value, {})
            for gradient in getattr(value, "gradient_functions", ()):
                self._capture_function(gradient, {})
        elif isinstance(value, (list, tuple, dict)):
            # The objects in a container are not compared, but the names that they read when they are called are.
            for item in list(value.values() if isinstance(value, dict) else value)[:_MOST_SEARCHED_CONTAINER_ITEMS]:
                if not isinstance(item, (*_VALUE_TYPES, Tensor, Variable, np.ndarray)) and id(item) not in self._held:
                    self._held.add(id(item))
                    self._alive.append(item)
                    self._capture_names_read_by(item)
        elif not isinstance(value, (ModuleType, type)):
            self._capture_call_method(value)

    def _capture_call_method(self, value: Any) -> None:
        kind = type(value)
        if isinstance(value, Variable):
            weak = weak_or_strong_reference(value)
            self._settings.append(lambda: weak()._trainable)
            return
        settings = getattr(kind, "_guarded_settings", None)
        if settings is not None:
            weak = weak_or_strong_reference(value)
            self._settings.append(lambda: settings(weak()))
            for part in value._layers_with_user_code():
                self._capture_function(getattr(type(part), "call", None), _self_argument(type(part).call, part))
            return
        for name in ("__call__", "call"):
            method = getattr(kind, name, None)
            if isinstance(method, FunctionType):
                self._capture_method(method, value)

    def _holder_name(self, holder: Any) -> str:
        name = self._names.get(id(holder))
        if name is None:
            number = len(self.scope)
            name = self._names[id(holder)] = f"h{number}"
            self._alive.append(holder)
            if isinstance(holder, (dict, CellType)):
                self.scope[name] = holder  # the globals of a module, or a cell of the function
            else:
                self.scope[f"w{number}"] = weak_or_strong_reference(holder)
                self.lines.append(f"{name} = w{number}()")
        return name

    def _add_settings_check(self) -> None:
        settings = self._settings
        recorded = [get() for get in settings], dict(settings_version.settings)
        count_now = settings_version.change_count[0]

        def settled() -> bool:
            """True if these settings are unchanged, although some setting has changed."""
            try:
                same = ([get() for get in settings], settings_version.settings) == recorded
            except AttributeError:
                return False
            if same:
                last_count[0] = settings_version.change_count[0]
            return same

        last_count = self.scope["seen"] = [count_now]
        self.scope["settled"] = settled
        self.lines.append("if mutations[0] != seen[0] and not settled(): return CALL_CHANGED")


def _attribute_expression(holder: str, attribute: str) -> str:
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
        for item in list(container.values() if isinstance(container, dict) else container)[
            :_MOST_SEARCHED_CONTAINER_ITEMS
        ]:
            if _is_filled_container(item) and len(queue) < _MOST_SEARCHED_CONTAINER_ITEMS:
                queue.append(item)
            elif not isinstance(item, (*_VALUE_TYPES, Tensor, Variable, np.ndarray, list, tuple, dict)):
                objects[id(item)] = item
    return list(objects.values())[:_MOST_SEARCHED_CONTAINER_ITEMS]


def _current_attribute(holder: Callable[[], Any], name: str) -> Any:
    return getattr(holder(), name)


class _DeletionCallback:
    """The callback of a weak reference, which calls each function in a list when the object is deleted."""

    def __init__(self, told: list[Callable[[], None]]) -> None:
        self._callbacks = told

    def __call__(self, _: Any) -> None:
        for tell in self._callbacks:
            tell()


def _bound_arguments(function: functools.partial[Any]) -> dict[str, Any]:
    """Returns the arguments that a partial function has already, by the names of the parameters."""
    code = getattr(_undecorated_function(function.func), "__code__", None)
    names = code.co_varnames[: code.co_argcount] if code is not None else ()
    return {**dict(zip(names, function.args, strict=False)), **function.keywords}


def _innermost_python_function(function: Any) -> Any:
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
    return module not in _UNSEARCHED_LIBRARIES and not _is_in_standard_library(function.__code__.co_filename)


def _is_in_standard_library(filename: str | None) -> bool:
    return filename is not None and filename.startswith(_STANDARD_LIBRARY_FOLDER) and "site-packages" not in filename
