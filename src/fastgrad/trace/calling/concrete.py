"""``get_concrete_function``: a function for one set of Python arguments, called with tensors alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad import nest
from fastgrad.tensor import Tensor
from fastgrad.tensor_spec import TensorSpec
from fastgrad.variable import Variable


class ConcreteFunction:
    """A function whose Python arguments are chosen; made by ``get_concrete_function``.

    It is called with its tensors, by position or by the names of the arguments.

    Attributes:
        arguments: what was chosen, by the names of the parameters, with ``TensorSpec`` for tensors.
    """

    def __init__(self, call: Callable[[dict[str, Any]], Any], name: str, arguments: dict[str, Any]) -> None:
        self._call = call
        self.__name__ = self.name = name
        self.arguments = {key: nest.map_structure(_spec, value) for key, value in arguments.items()}
        self._open = [
            key for key, value in self.arguments.items() if any(isinstance(x, TensorSpec) for x in nest.flatten(value))
        ]

    @property
    def structured_input_signature(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The specs of the arguments, as a tuple, and an empty dict."""
        return tuple(self.arguments.values()), {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result for these tensors.

        Raises:
            TypeError: another number of tensors, or one that does not fit its spec.
        """
        if len(args) > len(self._open):
            raise TypeError(f"{self.name}(): takes {len(self._open)} tensors, got {len(args)}.")
        given = dict(zip(self._open, args, strict=False))
        for key, value in kwargs.items():
            if key not in self.arguments or key in given:
                raise TypeError(f"{self.name}(): got an unexpected or repeated argument {key!r}.")
            if key in self._open:
                given[key] = value
        missing = [key for key in self._open if key not in given]
        if missing:
            raise TypeError(f"{self.name}(): missing tensors for {missing}.")
        for key, value in given.items():
            for spec, item in zip(nest.flatten(self.arguments[key]), nest.flatten(value), strict=True):
                if (
                    isinstance(spec, TensorSpec)
                    and isinstance(item, (Tensor, Variable))
                    and not spec.is_compatible_with(item)
                ):
                    raise TypeError(
                        f"{self.name}(): {key!r} has shape {item.shape} and dtype {item.dtype.name}, which does not fit {spec}."
                    )
        return self._call({**self.arguments, **given})


def _spec(value: Any) -> Any:
    return TensorSpec(value.shape, value.dtype) if isinstance(value, Tensor) else value
