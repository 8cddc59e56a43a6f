"""``Configured``: the base of objects that a dict of their constructor arguments describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

from fastgrad._src.core import python_state_version
from fastgrad._src.keras.constructor import make_constructor


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


class SetByInit:
    """A class attribute that stands for one of objects: reading it says that the base's ``__init__`` has not run."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        raise RuntimeError(
            f"In '{type(instance).__name__}', you forgot to call `super().__init__()` as the first statement in the `__init__()` "
            f"method, which sets `{self._name}`. Go add it!"
        )


class ConfiguredFunction(Configured):
    """A callable object that layers and weights have as an attribute, whose own attributes recorded programs compare."""

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        python_state_version.count_change()


def add_get_config(cls: Any, names: tuple[str, ...]) -> None:
    """Defines ``cls.get_config``, which adds the attributes ``names`` to the base class's configuration."""

    def get_config(self: Any) -> dict[str, Any]:
        """The constructor arguments by name."""
        return {**super(cls, self).get_config(), **self._config_of(names)}

    get_config.__module__, get_config.__qualname__ = cls.__module__, f"{cls.__qualname__}.get_config"
    cls.get_config = get_config


class FunctionOptionsMixin:
    """The part of built-in losses and metrics that stores the keyword options of their function.

    The options are attributes and in the configuration. Class keywords describe a built-in class, as in
    ``class Huber(NamedLoss, function=huber, name="huber_loss")``: the options of ``function`` are arguments of the constructor.
    ``order`` lists the arguments if they are in another order than ``_order``. Other keywords are defaults of arguments; the
    default name of objects is that of the function.

    Attributes:
        _order: the arguments of constructors; ``*options`` stands for those of the function.
        _shared_parameters: the parameters of the other arguments, by name.
    """

    _order: tuple[str, ...]
    _shared_parameters: Mapping[str, Parameter]
    _fn_kwargs: dict[str, Any]

    def __init_subclass__(
        cls, function: Callable[..., Any] | None = None, order: tuple[str, ...] = (), **defaults: Any
    ) -> None:
        if function is None:
            super().__init_subclass__(**defaults)
            return
        super().__init_subclass__()
        options = dict(list(signature(function).parameters.items())[2:])
        known = {**cls._shared_parameters, **options}
        for name, default in {"name": function.__name__, **defaults}.items():
            known[name] = known[name].replace(default=default)
        names = order or [n for entry in cls._order for n in (options if entry == "*options" else [entry])]

        def body(self: Any, **arguments: Any) -> None:
            super(cls, self).__init__(function, **arguments)  # type: ignore[call-arg]  # of the next base

        cls.__init__ = make_constructor(cls.__module__, cls.__qualname__, [known[name] for name in names], body)  # type: ignore[method-assign]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__dict__.update(self._fn_kwargs)
