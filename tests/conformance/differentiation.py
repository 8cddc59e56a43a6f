"""Tape calls that many programs share; they work on whichever module they are handed."""

from collections.abc import Callable
from typing import Any


def gradients(tf: Any, function: Callable[..., Any], *inputs: Any, **tape_arguments: Any) -> Any:
    """Gradients of `function(*inputs)` for the inputs, which are watched; a single input gives a single gradient."""
    with tf.GradientTape() as tape:
        for value in inputs:
            tape.watch(value)
        result = function(*inputs)
    found = tape.gradient(result, list(inputs), **tape_arguments)
    return found[0] if len(inputs) == 1 else found


def value_and_gradients(tf: Any, function: Callable[..., Any], *inputs: Any) -> list[Any]:
    """`[function(*inputs), gradient for each input]`, the inputs being watched."""
    with tf.GradientTape() as tape:
        for value in inputs:
            tape.watch(value)
        result = function(*inputs)
    return [result, *tape.gradient(result, list(inputs))]


def second_derivative(tf: Any, function: Callable[[Any], Any], value: Any) -> Any:
    """The gradient of the gradient of `function`, by nested tapes."""
    return gradients(tf, lambda x: gradients(tf, function, x), value)
