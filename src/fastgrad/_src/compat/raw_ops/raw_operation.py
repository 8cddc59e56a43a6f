"""The class of raw operations: a name, TensorFlow's arguments, and the public function that computes the results."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections import namedtuple
from collections.abc import Callable
from types import EllipsisType
from typing import Any, cast

PublicArguments = Callable[..., tuple[Any, ...] | EllipsisType]
"""A function of a raw operation's arguments that returns those of the public function; ``...`` for the same."""


class RawOperation:
    """A raw operation of TensorFlow: a callable that takes keyword arguments only.

    Args:
        name: TensorFlow's name, such as ``"MatMul"``.
        arguments: a function with the names and defaults of TensorFlow's arguments; returns the positional arguments of
            ``function``, or ``...`` for all of its own in their order.
        function: a public function, or its name after ``tf.``, such as ``"linalg.matmul"``.
        results: the names of several results, which become a named tuple; empty for one result or a list.

    Attributes:
        result_names: the list of these names.
    """

    def __init__(self, name: str, arguments: PublicArguments, function: str | Callable[..., Any], results: str) -> None:
        self.__name__ = self.__qualname__ = name
        self._arguments = arguments
        self._function = function
        self._result_class = namedtuple(name, results) if results else None  # noqa: PYI024
        self.result_names = results.split()
        composed = function.func if isinstance(function, functools.partial) else function
        target = f"tf.{function}" if isinstance(function, str) else composed.__doc__
        self.__doc__ = f"The raw operation {name}{self.__signature__}, keyword arguments only: {target}"

    @property
    def __signature__(self) -> inspect.Signature:
        parameters = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in inspect.signature(self._arguments).parameters.values()
        ]
        return inspect.Signature([*parameters, inspect.Parameter("name", inspect.Parameter.KEYWORD_ONLY, default=None)])

    @functools.cached_property
    def _resolved_function(self) -> Callable[..., Any]:
        if not isinstance(self._function, str):
            return self._function
        function: Any = functools.reduce(getattr, self._function.split("."), importlib.import_module("fastgrad"))
        return cast("Callable[..., Any]", function)

    def __call__(self, *positional: Any, **arguments: Any) -> Any:
        """Returns the result, or a named tuple or list of several.

        Raises:
            TypeError: an argument is positional, unknown or missing.
        """
        code = self._arguments.__code__
        known = code.co_varnames[: code.co_argcount]
        if positional:
            raise TypeError(
                f"{self.__name__} only takes keyword args (possible keys: {[*known, 'name']}). "
                f"Please pass these args as kwargs instead."
            )
        arguments.pop("name", None)
        for name in arguments:
            if name not in known:
                raise TypeError(f"{self.__name__}() got an unexpected keyword argument {name!r}; it takes {known}.")
        defaults = self._arguments.__defaults__ or ()
        required = known[: len(known) - len(defaults)]
        for name in required:
            if name not in arguments:
                raise TypeError(f"{self.__name__}() lacks the argument {name!r}; it takes {known}.")
        public_arguments = self._arguments(**arguments)
        if isinstance(public_arguments, EllipsisType):
            arguments = dict(zip(known[len(required) :], defaults, strict=True)) | arguments
            public_arguments = tuple([arguments[name] for name in known])
        result = self._resolved_function(*public_arguments)
        return result if self._result_class is None else self._result_class(*result)

    def __repr__(self) -> str:
        return f"<raw operation {self.__name__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _named, (self.__name__,)


def _named(name: str) -> RawOperation:  # named in pickles
    operation: RawOperation = getattr(importlib.import_module("fastgrad.raw_ops"), name)
    return operation
