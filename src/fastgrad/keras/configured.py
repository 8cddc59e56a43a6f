"""``Configured``: the base of objects that a dict of their constructor arguments describes."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any


class Configured:
    """An object that ``from_config`` makes again from the result of ``get_config``.

    A built-in class with arguments either defines ``get_config``, or lists in ``_config_names`` those of its own arguments
    that are attributes: its ``get_config`` then adds them to its base's.
    """

    _config_names: tuple[str, ...]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = cls.__dict__
        if "_config_names" in own and "get_config" not in own and cls.__module__.startswith("fastgrad."):
            add_get_config(cls, cls._config_names)

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments by name."""
        return {}

    def _config_of(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Returns the attributes ``names`` by name."""
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Makes the object from ``config``, the result of ``get_config()``, without its state."""
        return cls(**config)


def add_get_config(cls: Any, names: tuple[str, ...]) -> None:
    """Defines ``cls.get_config``, which adds the attributes ``names`` to the base class's configuration."""

    def get_config(self: Any) -> dict[str, Any]:
        """The constructor arguments by name."""
        return {**super(cls, self).get_config(), **self._config_of(names)}

    get_config.__module__, get_config.__qualname__ = cls.__module__, f"{cls.__qualname__}.get_config"
    cls.get_config = get_config


class FunctionOptionsMixin:
    """The part of built-in losses and metrics that stores the keyword options of their function.

    The options are attributes and in the configuration. A class whose function has no options may name the function by class
    keywords: ``class Poisson(FunctionLoss, function=poisson)``; the keyword ``name`` is the default name of its objects,
    unless it is the name of the function.

    Attributes:
        _omitted: the options that are neither attributes nor in the configuration.
    """

    _omitted: tuple[str, ...] = ()
    _shown_options: dict[str, Any]
    _function: Callable[..., Any]

    def __init_subclass__(cls, function: Callable[..., Any] | None = None, name: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        if function is not None:
            cls._function = staticmethod(function)
            cls.__init__ = _init_with_name(cls, cls.__mro__[1], name or function.__name__)  # type: ignore[method-assign]

    def _show_options(self, options: dict[str, Any]) -> None:
        shown_options = {name: value for name, value in options.items() if name not in self._omitted}
        self.__dict__.update(shown_options, _shown_options=shown_options)


def _init_with_name(cls: type, base: type, name: str) -> Any:
    """Returns ``base.__init__`` as the method of the subclass ``cls``, with ``name`` as the default of its argument ``name``."""
    init = vars(base)["__init__"]
    parameters = init.__code__.co_varnames[1 : init.__code__.co_argcount]
    defaults = tuple(name if key == "name" else old for key, old in zip(parameters, init.__defaults__, strict=True))
    copy = FunctionType(init.__code__, init.__globals__, "__init__", defaults, init.__closure__)
    copy.__module__, copy.__qualname__ = cls.__module__, f"{cls.__qualname__}.__init__"
    copy.__annotations__ = init.__annotations__
    return copy
