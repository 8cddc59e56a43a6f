"""Which of a program's own classes and functions a saved configuration may name."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from typing import Any

_by_name: dict[str, Any] = {}
_names: dict[Any, str] = {}


class _Scopes(threading.local):
    objects: dict[str, Any] = {}  # noqa: RUF012  # replaced, never changed
    safe_mode: bool | None = None


_scopes = _Scopes()


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Any], Any]:
    """A decorator that lets ``load_model`` and the like find a class or function again.

    Args:
        package: put in front of the name, ``package>name``, so that names of different programs don't clash.
        name: default: the class's or function's own.

    Returns:
        The decorator; it returns what it decorates.

    Raises:
        ValueError: (from the decorator) a class without ``get_config``.
    """

    def decorator(target: Any) -> Any:
        if inspect.isclass(target) and not hasattr(target, "get_config"):
            raise ValueError(f"Cannot register a class that does not have a get_config() method: {target}.")
        if not hasattr(target, "__name__"):
            raise AttributeError(
                f"register_keras_serializable: {target!r} is neither a class nor a function: it has no `__name__`."
            )
        registered = f"{package}>{name if name is not None else target.__name__}"
        _by_name[registered] = target
        _names[target] = registered
        return target

    return decorator


def get_custom_objects() -> dict[str, Any]:
    """The registered objects by name; the dict may be changed."""
    return _by_name


def get_registered_name(obj: Any) -> str:
    """The name under which a class or function is registered, else its own name."""
    return _names.get(obj) or obj.__name__


def get_registered_object(
    name: str, custom_objects: dict[str, Any] | None = None, module_objects: dict[str, Any] | None = None
) -> Any:
    """What ``name`` stands for in the active scopes, among the registered, in ``custom_objects`` or ``module_objects``."""
    for known in (_scopes.objects, _by_name, custom_objects, module_objects):
        if known and name in known:
            return known[name]
    return None


def custom_objects() -> dict[str, Any]:
    """The objects of the active scopes and the registered ones."""
    return {**_by_name, **_scopes.objects}


class CustomObjectScope:
    """A context in which the names of ``custom_objects`` are known to ``get``, ``deserialize`` and ``load_model``.

    Args:
        custom_objects: classes and functions by name.

    Raises:
        TypeError: ``custom_objects`` is no dict.
    """

    def __init__(self, custom_objects: dict[str, Any] | None) -> None:
        if custom_objects is not None and not isinstance(custom_objects, Mapping):
            raise TypeError(f"CustomObjectScope: Argument `custom_objects` must be a dict, got {custom_objects!r}.")
        self.custom_objects = custom_objects or {}

    def __enter__(self) -> Any:
        self._before = _scopes.objects
        _scopes.objects = {**self._before, **self.custom_objects}
        return self

    def __exit__(self, *exception: object) -> None:
        _scopes.objects = self._before


custom_object_scope = CustomObjectScope


class SafeModeScope:
    """A context in which code in configurations, that of lambdas, is refused or not.

    Args:
        safe_mode: whether it is refused.
    """

    def __init__(self, safe_mode: bool | None = True) -> None:
        self.safe_mode = safe_mode

    def __enter__(self) -> None:
        self._before = _scopes.safe_mode
        _scopes.safe_mode = self.safe_mode

    def __exit__(self, *exception: object) -> None:
        _scopes.safe_mode = self._before


def in_safe_mode() -> bool | None:
    """What the innermost ``SafeModeScope`` says; None, which counts as safe, outside of any."""
    return _scopes.safe_mode


def enable_unsafe_deserialization() -> None:
    """Lets this thread load lambdas, whose code may do anything, from all files from now on."""
    _scopes.safe_mode = False
