"""A compiled step sees changes of Keras's objects, and does not compare them at each call.

Each change of an attribute is counted. After a change a compiled function compares all attributes of the objects of its model with
those at its recording.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

from fastgrad._src.compiler.dispatch.captures import UNSEARCHED_LIBRARIES
from fastgrad._src.core import python_state_version

_UNREAD_ATTRIBUTES = frozenset(
    [
        *["_eval_epoch_iterator", "_initial_epoch", "history", "stop_evaluating", "stop_predicting", "stop_training"],
        *["predict_function", "test_function", "train_function"],
        *["_inbound_nodes", "_outbound_nodes", "_lock", "_tracker", "_tracked", "_obj_type", "_saved_model_arg_spec"],
        *["_saved_model_inputs_spec", "_build_shapes_dict", "_layers"],
    ]
)
"""Attributes that no step reads: ``fit`` sets them, or other attributes have the same objects."""

_VALUE_TYPES = (bool, int, float, complex, str, bytes, type(None))
_counting_classes: list[type] = []


def override_attributes(class_name: str, module: ModuleType) -> None:
    """Counts the changes of attributes of a class and its subclasses, and lets compiled functions compare them."""
    UNSEARCHED_LIBRARIES.update(["keras", "keras_fastgrad", "optree", "tensorflow"])
    kind = getattr(module, class_name)
    _counting_classes.append(kind)
    kind.__setattr__ = _counting(kind.__setattr__)
    kind.__delattr__ = _counting(kind.__delattr__)
    kind._guarded_settings = guarded_settings
    kind._captured_code = captured_code


def _counting(change: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(change)
    def change_and_count(self: Any, name: str, *value: Any) -> None:
        change(self, name, *value)
        if name not in _UNREAD_ATTRIBUTES:
            python_state_version.change_count[0] += 1

    return change_and_count


def override_config(module: ModuleType) -> None:
    """Makes Keras's settings, such as ``floatx``, settings that recorded programs depend on."""

    def noting(name: str, function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def set_and_note(*args: Any, **kwargs: Any) -> None:
            function(*args, **kwargs)
            python_state_version.settings[f"keras {name}"] = repr((args, kwargs))
            python_state_version.count_change()

        return set_and_note

    for name in ("epsilon", "floatx", "image_data_format"):
        vars(module)[f"set_{name}"] = noting(name, vars(module)[f"set_{name}"])


class _Same:
    """An object that equals only itself."""

    __slots__ = ("_object",)

    def __init__(self, item: Any) -> None:
        self._object = item

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._object is other._object

    __hash__ = None  # type: ignore[assignment]


def guarded_settings(self: Any) -> list[Any]:
    """Returns the attributes of an object of Keras and of all objects in them, to be compared with those at another time."""
    return [{name: _comparable(value) for name, value in _attributes_of(part)} for part in _parts_of(self)]


def captured_code(self: Any) -> tuple[list[tuple[Any, Any]], list[Any]]:
    """Returns the methods of users' classes in the object and its parts, each with its object, and the functions in their attributes."""
    parts = _parts_of(self)
    methods = [
        (method, part)
        for part in parts
        for kind in type(part).__mro__
        if not kind.__module__.startswith(("keras.", "keras_fastgrad.")) and kind is not object
        for method in vars(kind).values()
        if isinstance(method, FunctionType)
    ]
    return methods, [
        value
        for part in parts
        for _, value in _attributes_of(part)
        if isinstance(value, (FunctionType, MethodType, functools.partial))
    ]


def _attributes_of(part: Any) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in vars(part).items() if name not in _UNREAD_ATTRIBUTES)


def _parts_of(root: Any) -> list[Any]:
    """Returns an object and all counting objects that its attributes hold, at any depth, each once."""
    kinds = tuple(_counting_classes)
    parts = {id(root): root}
    queue = [root]
    for part in queue:
        values = [value for _, value in _attributes_of(part)]
        for value in values:
            if isinstance(value, kinds):
                if id(value) not in parts:
                    parts[id(value)] = value
                    queue.append(value)
            elif isinstance(value, (list, tuple, set)):
                values.extend(value)
            elif isinstance(value, dict):
                values.extend(value.values())
    return list(parts.values())


def _comparable(value: Any) -> Any:
    """Returns what equals its like at another time if the value is the same: numbers by value and type, objects by identity."""
    if isinstance(value, _VALUE_TYPES):
        return type(value), repr(value) if isinstance(value, (float, complex)) else value
    if isinstance(value, (list, tuple, set)):
        return type(value), [_comparable(item) for item in value]
    if isinstance(value, dict):
        return type(value), [(key, _comparable(item)) for key, item in value.items()]
    return _Same(value)
