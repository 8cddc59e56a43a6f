"""``tf.contrib.eager``: TensorFlow 1's names of eager execution (``import fastgrad.contrib.eager as tfe``)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from fastgrad._src.core import nest
from fastgrad._src.core.argument_checks import checked_callable
from fastgrad._src.core.eager import enable_eager_execution as enable_eager_execution
from fastgrad._src.core.eager import executing_eagerly as executing_eagerly
from fastgrad._src.core.tape import GradientTape as GradientTape
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.core.variable import Variable as Variable
from fastgrad._src.ops.custom_gradient import custom_gradient as custom_gradient


def Iterator(dataset: Any) -> Any:
    """Returns ``iter(dataset)``; TypeError if ``dataset`` is not iterable."""
    try:
        return iter(dataset)
    except TypeError:
        raise TypeError(f"contrib.eager.Iterator: Argument `dataset` must be a dataset, got {dataset!r}.") from None


def gradients_function(f: Callable[..., Any], params: Iterable[int | str] | None = None) -> Callable[..., list[Any]]:
    """Returns a function that computes the gradients of ``f`` with respect to its arguments.

    Args:
        f: a function of positional arguments that returns a tensor or several tensors, which are summed.
        params: the positions or names of the arguments to differentiate by; None for all.

    Returns:
        A function of the arguments of ``f`` and of ``dy`` (the weight of the result, default 1). It returns the list of
        gradients: None for an integer argument, and for an argument that the result does not depend on.

    Raises:
        ValueError: (from the result) ``f`` returned None, got keyword arguments, or lacks an argument name of ``params``.
        IndexError: (from the result) ``f`` lacks an argument position of ``params``.
    """
    return _gradients_only(value_and_gradients_function(f, params))


def _gradients_only(value_and_gradients: Callable[..., tuple[Any, list[Any]]]) -> Callable[..., list[Any]]:
    def gradients(*args: Any, **kwargs: Any) -> list[Any]:
        return value_and_gradients(*args, **kwargs)[1]

    return gradients


def value_and_gradients_function(
    f: Callable[..., Any], params: Iterable[int | str] | None = None
) -> Callable[..., tuple[Any, list[Any]]]:
    """Returns a function that computes the value of ``f`` and its gradients by arguments; TypeError without a callable."""
    checked_callable("value_and_gradients_function", "f", f)

    def value_and_gradients(*args: Any, **kwargs: Any) -> tuple[Any, list[Any]]:
        dy = kwargs.pop("dy", None)
        if kwargs:
            raise ValueError("Functions to be differentiated cannot receive keyword arguments.")
        positions = _argument_positions(f, params, args)
        tensors = [convert_to_tensor(x) for x in args]
        sources = [tensors[position] for position in positions]
        with GradientTape() as tape:
            tape.watch([x for x in sources if x.dtype.is_differentiable])
            value = _checked_value(f, f(*tensors))
        weights = None if dy is None else nest.map_structure(lambda y: convert_to_tensor(dy, y.dtype), value)
        return value, tape.gradient(value, sources, weights)

    return value_and_gradients


def implicit_gradients(f: Callable[..., Any]) -> Callable[..., list[tuple[Any, Variable]]]:
    """Returns a function that computes the gradients of ``f`` by all trainable variables that ``f`` reads.

    Args:
        f: a function that returns a tensor or several tensors, which are summed.

    Returns:
        A function of the arguments of ``f``. It returns pairs of a gradient (or None) and a variable, for
        ``optimizer.apply_gradients``.

    Raises:
        ValueError: (from the result) ``f`` returned None or read no trainable variable.
    """
    return _gradients_only(implicit_value_and_gradients(f))


def implicit_value_and_gradients(f: Callable[..., Any]) -> Callable[..., tuple[Any, list[tuple[Any, Variable]]]]:
    """Returns a function that computes the value of ``f`` and its gradients by variables; TypeError without a callable."""
    checked_callable("implicit_value_and_gradients", "f", f)

    def value_and_gradients(*args: Any, **kwargs: Any) -> tuple[Any, list[tuple[Any, Variable]]]:
        with GradientTape() as tape:
            value = _checked_value(f, f(*args, **kwargs))
        variables = tape.watched_variables()
        if not variables:
            raise ValueError("No trainable variables were accessed while the function was being computed.")
        return value, list(zip(tape.gradient(value, variables), variables, strict=True))

    return value_and_gradients


def _checked_value(f: Callable[..., Any], value: Any) -> Any:
    if value is None:
        name = getattr(f, "__name__", repr(f))
        raise ValueError(
            f"Cannot differentiate a function that returns None; did you forget to return a value from {name}?"
        )
    return value


def _argument_positions(f: Callable[..., Any], params: Iterable[int | str] | None, args: tuple[Any, ...]) -> list[int]:
    if params is None:
        return list(range(len(args)))
    names = list(inspect.signature(f).parameters)
    positions = []
    for param in params:
        if isinstance(param, str):
            if param not in names:
                raise ValueError(f"{param!r} is not an argument of {getattr(f, '__name__', f)!r}: it has {names}.")
            param = names.index(param)
        if not 0 <= param < len(args):
            raise IndexError(
                f"params: there is no argument {param} of {getattr(f, '__name__', f)!r}: {len(args)} were given."
            )
        positions.append(param)
    return positions
