"""``get_concrete_function``: a function for one set of Python arguments, called with tensors only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any

import numpy as np

from fastgrad.core import nest
from fastgrad.core.tensor import Tensor
from fastgrad.core.tensor_spec import TensorSpec
from fastgrad.core.variable import Variable


class ConcreteFunction:
    """A function whose Python arguments are fixed; made by ``get_concrete_function``.

    It takes the function's arguments, with the fixed value of each Python argument or without it; or only its tensors, by
    position. Those of ``*args`` are named ``args_0``, ``args_1`` ...

    Attributes:
        arguments: the fixed values, by the names of the parameters, with ``TensorSpec`` for tensors.
    """

    def __init__(
        self, call: Callable[[dict[str, Any]], Any], name: str, arguments: dict[str, Any], kinds: Mapping[str, Any]
    ) -> None:
        self._call = call
        self.__name__ = self.name = name
        self.arguments = {key: nest.map_structure(_spec_of_tensor, value) for key, value in arguments.items()}
        self._places: dict[str, tuple[str, Any]] = {}  # for each argument of a call its parameter, and its place there
        self._positional_names: list[str] = []
        for key, value in self.arguments.items():
            several: dict[str, tuple[str, Any]]
            if kinds[key] is Parameter.VAR_POSITIONAL:
                several = {f"{key}_{i}": (key, i) for i in range(len(value))}
            elif kinds[key] is Parameter.VAR_KEYWORD:
                several = {other: (key, other) for other in value}
            else:
                several = {key: (key, None)}
            self._places |= several
            if kinds[key] not in {Parameter.VAR_KEYWORD, Parameter.KEYWORD_ONLY}:
                self._positional_names += several
        self._open = [key for key in self._places if _has_spec(self._fixed_value(key))]

    @property
    def structured_input_signature(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The specs of the arguments, as a tuple, and an empty dict."""
        return tuple(self.arguments.values()), {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function with these tensors and the fixed Python values.

        Raises:
            TypeError: another number of tensors, one that does not fit its spec, or another value than the fixed one.
        """
        names = self._positional_names
        if len(args) > len(names) or any(
            not _has_spec(self._fixed_value(key)) and not _equals_fixed_value(value, self._fixed_value(key))
            for key, value in zip(names, args, strict=False)
        ):
            names = self._open
        if len(args) > len(names):
            raise TypeError(f"{self.name}(): takes {len(names)} tensors, got {len(args)}.")
        passed = dict(zip(names, args, strict=False))
        for key, value in kwargs.items():
            if key not in self._places or key in passed:
                raise TypeError(f"{self.name}(): got an unexpected or repeated argument {key!r}.")
            passed[key] = value
        missing = [key for key in self._open if key not in passed]
        if missing:
            raise TypeError(f"{self.name}(): missing tensors for {missing}.")
        for key, value in passed.items():
            self._check_argument(key, value)
        return self._call(self._arguments_by_parameter(passed))

    def call_with_arguments(self, arguments: dict[str, Any]) -> Any:
        """Calls the function with arguments by the names of the parameters."""
        return self._call(arguments)

    def _fixed_value(self, key: str) -> Any:
        name, index = self._places[key]
        return self.arguments[name] if index is None else self.arguments[name][index]

    def _check_argument(self, key: str, value: Any) -> None:
        chosen = self._fixed_value(key)
        if not _has_spec(chosen):
            if not _equals_fixed_value(value, chosen):
                raise TypeError(f"{self.name}(): {key!r} is {chosen!r} in this concrete function, got {value!r}.")
            return
        for spec, item in zip(nest.flatten(chosen), nest.flatten(value), strict=True):
            tensor = isinstance(spec, TensorSpec) and isinstance(item, (Tensor, Variable))
            if tensor and not spec.is_compatible_with(item):
                raise TypeError(
                    f"{self.name}(): {key!r} has shape {item.shape} and dtype {item.dtype.name}, which does not fit {spec}."
                )

    def _arguments_by_parameter(self, given: dict[str, Any]) -> dict[str, Any]:
        """Returns the arguments by the names of the parameters."""
        result = dict(self.arguments)
        for key, value in given.items():
            name, index = self._places[key]
            if index is None:
                result[name] = value
            elif isinstance(index, int):
                result[name] = (*result[name][:index], value, *result[name][index + 1 :])
            else:
                result[name] = {**result[name], index: value}
        return result


def _has_spec(value: Any) -> bool:
    return any(isinstance(leaf, TensorSpec) for leaf in nest.flatten(value))


def _equals_fixed_value(value: Any, chosen: Any) -> bool:
    """True if a value equals a fixed Python value; tensors never do."""
    return value is chosen or (type(value) is type(chosen) and not isinstance(value, Tensor) and bool(value == chosen))


def _spec_of_tensor(value: Any) -> Any:
    return TensorSpec(value.shape, value.dtype) if isinstance(value, (Tensor, np.ndarray)) else value
