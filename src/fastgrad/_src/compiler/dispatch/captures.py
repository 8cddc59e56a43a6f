"""Captured names: the values that a function reads besides its arguments, and the check that they are unchanged.

A recording depends on certain globals, closure cells and attributes. They are found in the bytecode of the function, of
the user's functions and methods that it calls, and of the layers that it uses. A capture describes how a value is read and
compared: numbers and strings by value, other objects with ``is``. The code of fast paths and the messages about changes are made from
captures. The content of a captured list, dict or array is not compared. But attributes of objects in it are compared, if the
function reads attributes of that name from a value without a known name.
"""

from __future__ import annotations

import functools
import keyword
import operator
import os
from collections.abc import Callable, Mapping, Sequence
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any, NamedTuple
from weakref import ref

import numpy as np

from fastgrad._src.compiler.dispatch.identity import weak_or_strong_reference
from fastgrad._src.core import python_state_version
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.jit.bytecode import NamePath, name_paths_of
from fastgrad._src.jit.captured_values import VALUE_TYPES, ReachedValue, has_changed, value_text

UNSEARCHED_LIBRARIES = {"fastgrad", "numpy", "scipy", "numba", "llvmlite", "ml_dtypes", "builtins"}
"""Packages in whose functions no captured names are searched.

An object of one may tell by ``_guarded_settings()`` what its functions read, and by ``_captured_code()`` which methods of a user they
call on which objects, and which functions of a user. Changes of the settings count in `python_state_version`.
"""

_STANDARD_LIBRARY_FOLDER = os.path.dirname(os.__file__)
_MOST_CAPTURED_NAMES = 1000
_MOST_SEARCHED_CONTAINER_ITEMS = 100
_HELD_HOLDERS = (dict, CellType)
"""The types of holders that are kept alive: the globals of a module, and a cell of the function."""

_NO_VALUE = object()
CALL_CHANGED = object()
"""The result of generated code if a value has changed."""


class _Read(NamedTuple):
    """How a value is read off its holder, in generated code and in a call.

    Attributes:
        expression: returns the text, from the holder's name and the key.
        get: returns the value, from the holder and the key.
    """

    expression: Callable[[str, Any], str]
    get: Callable[[Any, Any], Any]


def _attribute_expression(holder: str, attribute: str) -> str:
    """Returns an expression for an attribute; a name that is no identifier needs ``getattr``."""
    is_name = attribute.isascii() and attribute.isidentifier() and not keyword.iskeyword(attribute)
    return f"{holder}.{attribute}" if is_name else f"getattr({holder}, {attribute!r})"


_ITEM = _Read("{}[{!r}]".format, operator.getitem)
_ATTRIBUTE = _Read(_attribute_expression, getattr)
_CELL = _Read(
    "{}.__closure__[{}].cell_contents".format,
    lambda holder, number: holder.__closure__[number].cell_contents,
)


class Capture(NamedTuple):
    """A captured name, and its value at the recording.

    Attributes:
        label: as the user writes it, ``config.rate``.
        holder: returns the object that the value is read off.
        read: how it is read.
        key: the item, attribute or number of the cell.
        expression: the same as text.
        by_value: whether values are compared; else objects with ``is``.
        is_weak: whether only a weak reference to the object is kept.
        recorded: the value at the recording, or the weak reference.
        shown: its value at the recording, as text.
    """

    label: str
    holder: Callable[[], Any]
    read: _Read
    key: Any
    expression: str
    by_value: bool
    is_weak: bool
    recorded: Any
    shown: str

    @property
    def keeps_variable_alive(self) -> bool:
        """Whether the recording keeps the value alive: a variable."""
        return isinstance(self.recorded, Variable)

    def current_value(self) -> Any:
        """Returns the value now; None if it is deleted."""
        try:
            return self.read.get(self.holder(), self.key)
        except (AttributeError, KeyError, ValueError):
            return None

    def has_changed(self, value: Any) -> bool:
        """True if a value is not the one at the recording."""
        if self.by_value:
            return has_changed(value, self.recorded)
        return value is not (self.recorded() if self.is_weak else self.recorded)

    def check_lines(self, number: int) -> list[str]:
        """Returns the lines that read the value as ``v<number>`` and compare it with ``k<number>``."""
        value, recorded = f"v{number}", f"k{number}"
        changed = f"{value} is not {recorded}{'()' if self.is_weak else ''}"
        more = f" and differs({value}, {recorded})" if self.by_value else ""
        return [f"{value} = {self.expression}", f"if {changed}{more}: return CALL_CHANGED"]


class CheckCode(NamedTuple):
    """The comparisons of captured values as code.

    Attributes:
        lines: statements that return ``CALL_CHANGED`` if a value has changed.
        scope: the values of their names.
        reads_objects: whether they read ``o``, the arguments that are known by identity.
    """

    lines: list[str]
    scope: dict[str, Any]
    reads_objects: bool


class Captures:
    """The captured names of a function at the time of a recording.

    Args:
        function: the recorded function.
        arguments: its arguments by name.
        objects: those arguments that are known by identity; the generated code gets them as ``o``.
        settled: labels of numbers that are not compared, because the function itself changes them.
        reached: what the recorded operations of users reach; see ``add_snapshots``.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: dict[str, Any],
        objects: Sequence[Any],
        settled: frozenset[str] = frozenset(),
        reached: Mapping[int, Any] = MappingProxyType({}),
    ) -> None:
        self._settled = settled
        self._captures: list[Capture] = []
        self._holders: list[Any] = []  # what captures read off, other than arguments and captured values
        self._reads_objects = False
        self._names: dict[int, str] = {}  # by object: its name in the generated code
        self._captured_expressions: set[Any] = set()
        self._analysed_functions: set[Any] = set()
        self._held: set[int] = set()
        self._alive: list[Any] = []  # keeps objects alive while ids are keys
        self._settings: list[Callable[[], Any]] = []
        self._gone_callbacks: list[Callable[[], None]] = []
        self._root = _innermost_python_function(function)
        for position, item in enumerate(objects):
            self._names[id(item)] = f"o[{position}]"
            self._alive.append(item)
        for value in arguments.values():
            self._capture_names_read_by(value)
        self._capture_function(function, arguments)
        for part in getattr(self._root, "runs", ()):  # what a step of the library runs
            self._capture_names_read_by(part)
        self._settings_check = _SettingsCheck(self._settings)
        for state in (self._names, self._captured_expressions, self._analysed_functions, self._held):
            state.clear()
        self._alive, self._root = [], None
        self._reached: dict[int, Any] = {}
        self.add_snapshots(reached)

    def add_snapshots(self, reached: Mapping[int, Any]) -> bool:
        """Adds comparisons of what users' operations reach (``Snapshot``, derivatives/functions/snapshot.py); returns whether any is new."""
        added = [snapshot for key, snapshot in reached.items() if key not in self._reached]
        self._reached |= reached
        for snapshot in added:
            self._settings_check.add(functools.partial(getattr, snapshot.owner, "given_gradients"))
        for name in ("code", "_compiled_check"):
            self.__dict__.pop(name, None)
        return bool(added)

    @functools.cached_property
    def code(self) -> CheckCode:
        """The comparisons as code."""
        scope = {
            "CALL_CHANGED": CALL_CHANGED,
            "differs": has_changed,
            "mutations": python_state_version.change_count,
            "settings": self._settings_check,
        }
        lines = []
        for number, holder in enumerate(self._holders):
            if isinstance(holder, _HELD_HOLDERS):
                scope[f"h{number}"] = holder
            else:
                scope[f"w{number}"] = holder
                lines.append(f"h{number} = w{number}()")
        for number, capture in enumerate(self._captures):
            scope[f"k{number}"] = capture.recorded
            lines += capture.check_lines(number)
        for snapshot in self._reached.values():
            scope |= snapshot.scope
            lines += [f"if {condition}: return CALL_CHANGED" for condition in snapshot.conditions]
        lines.append("if mutations[0] != settings.last_count and not settings.are_unchanged(): return CALL_CHANGED")
        return CheckCode(lines, scope, self._reads_objects)

    @functools.cached_property
    def _compiled_check(self) -> Callable[[Sequence[Any]], Any]:
        lines, scope, _ = self.code
        body = "\n        ".join([*lines, "return True"])
        text = f"def check(o):\n    try:\n        {body}\n    except (AttributeError, KeyError, ValueError):\n        return CALL_CHANGED\n"
        scope = dict(scope)
        exec(text, scope)  # noqa: S102 - our own text
        return scope.pop("check")

    def are_unchanged(self, objects: Sequence[Any]) -> bool:
        """True if all captured values are unchanged; ``objects`` are the call's arguments known by identity."""
        return self._compiled_check(objects) is True

    def call_on_deletion(self, callback: Callable[[], None]) -> None:
        """Registers a callback for the deletion of a captured object."""
        self._gone_callbacks.append(callback)

    def changed_values(self) -> dict[str, Any]:
        """Returns the captured names that have changed, with their values now; None for deleted ones."""
        values = [(capture, capture.current_value()) for capture in self._all_captures]
        return {capture.label: value for capture, value in values if capture.has_changed(value)}

    def tensors(self) -> dict[str, list[Tensor]]:
        """Returns the tensors that captured names refer to now, by label, those in a list, tuple or dict too."""
        found = {}
        for capture in self._captures:
            value = capture.current_value()
            items = (
                value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else [value]
            )
            found[capture.label] = [item for item in items if isinstance(item, Tensor)]
        return found

    @property
    def _all_captures(self) -> list[Capture | ReachedValue]:
        return [*self._captures, *[read for snapshot in self._reached.values() for read in snapshot.reads]]

    def keeps_replaced_variable_alive(self) -> bool:
        """True if a captured variable is kept alive although its name now refers to another object."""
        changes = self.changed_values()
        return any(capture.keeps_variable_alive and capture.label in changes for capture in self._captures)

    def first_change(self) -> tuple[str, str, str] | None:
        """Returns the first captured name that has changed: its label, its old and its new value."""
        changes = self.changed_values()
        shown = ((c.label, c.shown, value_text(changes[c.label])) for c in self._all_captures if c.label in changes)
        return next(shown, None)

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
            or len(self._captures) > _MOST_CAPTURED_NAMES
        ):
            return
        self._analysed_functions.add(key)
        self._alive += [function, *bound.values()]
        values = [
            value
            for path in name_paths_of(code)
            if path.kind != "held"
            for value in self._capture_path(path, function, code, bound)
        ]
        held_paths = [path for path in name_paths_of(code) if path.kind == "held"]
        if held_paths:
            for item in _held_objects(values):
                for path in held_paths:
                    self._capture_attributes(item, path.attributes, f"a held {type(item).__name__}")

    def _capture_path(self, path: NamePath, function: FunctionType, code: CodeType, bound: dict[str, Any]) -> list[Any]:
        """Captures the values of a path; returns them."""
        name = path.name
        if path.kind == "passed":
            if name not in bound:
                return []
            self._capture_names_read_by(bound[name])
            return [bound[name]]
        if path.kind == "local":
            value = bound.get(name, _NO_VALUE)
            if value is _NO_VALUE:
                return []
        elif path.kind == "global":
            table = function.__globals__
            if name not in table:
                return []
            value = table[name]
            self._capture_value(table, _ITEM, name, name, value)
        else:
            number = code.co_freevars.index(name)
            try:
                value = (function.__closure__ or ())[number].cell_contents
            except ValueError:
                return []
            if function is self._root:  # it stays alive anyway, with its cells
                self._capture_value((function.__closure__ or ())[number], _ATTRIBUTE, "cell_contents", name, value)
            else:
                self._capture_value(function, _CELL, number, name, value)
        return self._capture_attributes(value, path.attributes, name)

    def _capture_attributes(self, value: Any, attributes: Sequence[str], label: str) -> list[Any]:
        """Captures a chain of attributes ``a.b.c`` of a value; returns the values along it."""
        values = [value]
        for attribute in attributes:
            holder, label = value, f"{label}.{attribute}"
            value = self._plain_attribute(holder, attribute)
            if value is _NO_VALUE:
                break
            if not isinstance(holder, Composite) or holder.can_change:  # the parts of others are in the key of a call
                self._capture_value(holder, _ATTRIBUTE, attribute, label, value)
            values.append(value)
        return values

    def _plain_attribute(self, holder: Any, name: str) -> Any:
        """Returns a plain attribute's value; for a user's method or property, captures what that reads instead."""
        if isinstance(holder, ModuleType):
            library = holder.__name__.partition(".")[0] in UNSEARCHED_LIBRARIES or _is_in_standard_library(
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

    def _capture_value(self, holder: Any, read: _Read, key: Any, label: str, value: Any) -> None:
        expression = read.expression(self._holder_expression(holder), key)
        if expression in self._captured_expressions:
            return
        self._captured_expressions.add(expression)
        if isinstance(value, (ModuleType, BuiltinFunctionType)):
            return
        if isinstance(value, VALUE_TYPES) and label in self._settled:
            return
        by_value, is_weak, recorded = isinstance(value, VALUE_TYPES), False, value
        if not by_value:
            self._names.setdefault(id(value), f"v{len(self._captures)}")
            reference = weak_or_strong_reference(value, _DeletionCallback(self._gone_callbacks))
            # Programs hold variables, too; containers have no weak references.
            is_weak = isinstance(reference, ref) and not isinstance(value, Variable)
            recorded = reference if is_weak else value
        weak_holder, shown = weak_or_strong_reference(holder), value_text(value)
        self._captures.append(Capture(label, weak_holder, read, key, expression, by_value, is_weak, recorded, shown))
        if by_value:
            return
        self._alive.append(value)
        self._capture_names_read_by(value)

    def _capture_names_read_by(self, value: Any) -> None:
        """Captures the names that a captured function or object reads when it is called."""
        if (
            isinstance(value, (FunctionType, MethodType, functools.partial))
            or _undecorated_function(value) is not value
        ):
            self._capture_function(value, {})
        elif isinstance(value, (list, tuple, dict)):
            # The objects in a container are not compared, but the names that they read when they are called are.
            for item in list(value.values() if isinstance(value, dict) else value)[:_MOST_SEARCHED_CONTAINER_ITEMS]:
                if not isinstance(item, (*VALUE_TYPES, Tensor, Variable, np.ndarray)) and id(item) not in self._held:
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
            methods, functions = value._captured_code()
            for method, owner in methods:
                self._capture_method(method, owner)
            for function in functions:
                self._capture_names_read_by(function)
            return
        for name in ("__call__", "call"):
            method = getattr(kind, name, None)
            if isinstance(method, FunctionType):
                self._capture_method(method, value)

    def _holder_expression(self, holder: Any) -> str:
        name = self._names.get(id(holder))
        if name is None:
            name = self._names[id(holder)] = f"h{len(self._holders)}"
            self._alive.append(holder)
            self._holders.append(holder if isinstance(holder, _HELD_HOLDERS) else weak_or_strong_reference(holder))
        self._reads_objects = self._reads_objects or name.startswith("o")
        return name


class _SettingsCheck:
    """A comparison of settings, such as ``trainable``, with those at the recording.

    Args:
        settings: functions that return the settings of captured objects.

    Attributes:
        last_count: the counter of changes when the settings were the same last.
    """

    def __init__(self, settings: Sequence[Callable[[], Any]]) -> None:
        self._settings = list(settings)
        self._recorded = self._current(), dict(python_state_version.settings)
        self.last_count = python_state_version.change_count[0]

    def add(self, setting: Callable[[], Any]) -> None:
        """Adds a setting, with its value now."""
        self._settings.append(setting)
        self._recorded[0].append(setting())

    def _current(self) -> list[Any]:
        return [get() for get in self._settings]

    def are_unchanged(self) -> bool:
        """True if these settings are unchanged, although some setting has changed."""
        try:
            is_same = (self._current(), python_state_version.settings) == self._recorded
        except AttributeError:
            return False
        if is_same:
            self.last_count = python_state_version.change_count[0]
        return is_same


def _is_filled_container(value: Any) -> bool:
    return isinstance(value, (list, tuple, dict)) and bool(value)


def _held_objects(values: Sequence[Any]) -> list[Any]:
    """Returns the objects whose attributes code may read in any way: those in containers, nested ones included, and users' own among ``values``."""
    objects = {id(value): value for value in values if _is_users_object(value)}
    queue = [value for value in values if _is_filled_container(value)]
    for container in queue:
        for item in list(container.values() if isinstance(container, dict) else container)[
            :_MOST_SEARCHED_CONTAINER_ITEMS
        ]:
            if _is_filled_container(item) and len(queue) < _MOST_SEARCHED_CONTAINER_ITEMS:
                queue.append(item)
            elif not isinstance(item, (*VALUE_TYPES, Tensor, Variable, np.ndarray, list, tuple, dict)):
                objects[id(item)] = item
    return list(objects.values())[:_MOST_SEARCHED_CONTAINER_ITEMS]


def _is_users_object(value: Any) -> bool:
    """True for an object of a user's class: it may get a local name that the bytecode hides, as in ``a, b = self.config, x``."""
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    return (
        (hasattr(value, "__dict__") or hasattr(kind, "__slots__"))
        and not isinstance(value, (ModuleType, FunctionType, type))
        and library not in UNSEARCHED_LIBRARIES
    )


class _DeletionCallback:
    """The callback of a weak reference, which calls each function in a list when the object is deleted."""

    def __init__(self, callbacks: list[Callable[[], None]]) -> None:
        self._callbacks = callbacks

    def __call__(self, _: Any) -> None:
        for callback in self._callbacks:
            callback()


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
    """Returns the Python function of a function under ``tf.function``."""
    return function.python_function if getattr(type(function), "records_graphs", False) else function


def _self_argument(function: Any, holder: Any) -> dict[str, Any]:
    code = getattr(function, "__code__", None)
    return {code.co_varnames[0]: holder} if code is not None and code.co_argcount else {}


def _is_user_function(function: FunctionType) -> bool:
    module = (function.__globals__.get("__name__") or "").partition(".")[0]
    return module not in UNSEARCHED_LIBRARIES and not _is_in_standard_library(function.__code__.co_filename)


def _is_in_standard_library(filename: str | None) -> bool:
    return filename is not None and filename.startswith(_STANDARD_LIBRARY_FOLDER) and "site-packages" not in filename
