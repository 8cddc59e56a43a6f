"""``stateless_call``: a call of a layer with given values in place of its variables, which stay as they are."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fastgrad._src.core.argument_checks import check_length, require
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable


@functools.cache
def _substituted_class(variable_class: Any) -> type:
    """Returns the class of a variable while a tensor stands for its value: reads give it, assignments replace it."""

    class Substituted(variable_class):  # type: ignore[misc]
        _substitute: Tensor

        def _read(self) -> Tensor:
            # Layers read some weights in their own dtype.
            cast_for_layer = getattr(self, "_cast_for_running_layer", None)
            return self._substitute if cast_for_layer is None else cast_for_layer(self._substitute)

        def _read_as_stored(self) -> Tensor:
            return self._substitute

        def read_value(self) -> Tensor:
            return self._read()

        # As in Keras or as in TensorFlow.
        value = property(read_value) if isinstance(variable_class.value, property) else read_value

        def numpy(self) -> Any:
            return self._substitute.numpy()

        def _must_change_by_operations(self) -> bool:
            return True

        def assign(
            self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
        ) -> Any:
            self._substitute = self._converted("assign", value)
            return self if read_value else None

    return Substituted


@contextmanager
def substitute_values(variables: Sequence[Variable], values: Sequence[Any]) -> Iterator[None]:
    """Lets variables have other values in this context; at its end they are as before.

    Args:
        variables: the variables.
        values: a value for each, of its shape and dtype. Tapes watch tensors among them, not the variables.

    Raises:
        ValueError: a value has another shape.
    """
    tensors = [variable._converted("assign", value) for variable, value in zip(variables, values, strict=True)]
    classes: list[Any] = [type(variable) for variable in variables]
    for variable, tensor, variable_class in zip(variables, tensors, classes, strict=True):
        variable.__class__ = _substituted_class(variable_class)
        variable.__dict__["_substitute"] = TABLE["identity"](tensor)
    try:
        yield
    finally:
        for variable, variable_class in zip(variables, classes, strict=True):
            variable.__class__ = variable_class
            del variable.__dict__["_substitute"]


def stateless_call(
    layer: Any,
    trainable_variables: Sequence[Any],
    non_trainable_variables: Sequence[Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    return_losses: bool,
) -> tuple[Any, ...]:
    """Returns the results of ``Layer.stateless_call``."""
    require(layer.built, "stateless_call", f"{type(layer).__name__} must be built. Call it on data first")
    variables: dict[str, list[Variable]] = {}
    for name, values in (
        ("trainable_variables", trainable_variables),
        ("non_trainable_variables", non_trainable_variables),
    ):
        variables[name] = getattr(layer, name)
        check_length(layer.name, len(variables[name]), **{name: values})
    with substitute_values(
        [*variables["trainable_variables"], *variables["non_trainable_variables"]],
        [*trainable_variables, *non_trainable_variables],
    ):
        outputs = layer(*args, **kwargs)
        new_values = [variable._read_as_stored() for variable in variables["non_trainable_variables"]]
        return (outputs, new_values, layer.losses) if return_losses else (outputs, new_values)
