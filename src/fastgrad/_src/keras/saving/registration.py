"""The registry of a user's classes and functions that a saved configuration may name."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from typing import Any

from fastgrad._src.core.argument_checks import check_type

_registered_objects: dict[str, Any] = {}
_registered_names: dict[Any, str] = {}


class _ThreadScopes(threading.local):
    objects: dict[str, Any] = {}  # noqa: RUF012  # replaced, never changed
    safe_mode: bool | None = None


_thread_scopes = _ThreadScopes()


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Any], Any]:
    """Returns a decorator that registers a class or function for ``load_model`` and similar functions.

    Args:
        package: prefix of the name, ``package>name``, so that names of different programs do not clash.
        name: default: the name of the class or function.

    Returns:
        The decorator; it returns what it decorates.

    Raises:
        ValueError: (from the decorator) the class has no ``get_config``.

    Example:
        >>> @tf.keras.utils.register_keras_serializable(package="shapes")
        ... class Twice(tf.keras.layers.Layer):
        ...     def call(self, inputs):
        ...         return 2 * inputs
        >>> tf.keras.utils.get_registered_name(Twice)
        'shapes>Twice'
    """

    def decorator(target: Any) -> Any:
        if inspect.isclass(target) and not hasattr(target, "get_config"):
            raise ValueError(f"Cannot register a class that does not have a get_config() method: {target}.")
        if not hasattr(target, "__name__"):
            raise AttributeError(f"register_keras_serializable: {target!r} is neither a class nor a function.")
        registered = f"{package}>{name if name is not None else target.__name__}"
        _registered_objects[registered] = target
        _registered_names[target] = registered
        return target

    return decorator


def get_custom_objects() -> dict[str, Any]:
    """Returns the registered objects by name; the caller may change the dict."""
    return _registered_objects


def get_registered_name(obj: Any) -> str:
    """Returns the registered name of a class or function, else its own name."""
    return _registered_names.get(obj) or obj.__name__


def get_registered_object(
    name: str, custom_objects: dict[str, Any] | None = None, module_objects: dict[str, Any] | None = None
) -> Any:
    """Returns the object of ``name`` in the active scopes, the registry, ``custom_objects`` or ``module_objects``."""
    for namespace in (_thread_scopes.objects, _registered_objects, custom_objects, module_objects):
        if namespace and name in namespace:
            return namespace[name]
    return None


def custom_objects() -> dict[str, Any]:
    """Returns the objects of the active scopes and the registered ones."""
    return {**_registered_objects, **_thread_scopes.objects}


class CustomObjectScope:
    """A context in which the names of ``custom_objects`` are known to ``get``, ``deserialize`` and ``load_model``.

    Args:
        custom_objects: classes and functions by name.

    Raises:
        TypeError: ``custom_objects`` is not a dict.
    """

    def __init__(self, custom_objects: dict[str, Any] | None) -> None:
        check_type(self, "a dict", (Mapping, type(None)), custom_objects=custom_objects)
        self.custom_objects = custom_objects or {}

    def __enter__(self) -> Any:
        self._before = _thread_scopes.objects
        _thread_scopes.objects = {**self._before, **self.custom_objects}
        return self

    def __exit__(self, *exception: object) -> None:
        _thread_scopes.objects = self._before


custom_object_scope = CustomObjectScope


class SafeModeScope:
    """A context that allows or refuses code in configurations, which is the code of lambdas.

    Args:
        safe_mode: True refuses it.
    """

    def __init__(self, safe_mode: bool | None = True) -> None:
        self.safe_mode = safe_mode

    def __enter__(self) -> None:
        self._before = _thread_scopes.safe_mode
        _thread_scopes.safe_mode = self.safe_mode

    def __exit__(self, *exception: object) -> None:
        _thread_scopes.safe_mode = self._before


def in_safe_mode() -> bool | None:
    """Returns the mode of the innermost ``SafeModeScope``; outside of any scope None, which counts as safe."""
    return _thread_scopes.safe_mode
