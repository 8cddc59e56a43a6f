"""``check_gradients``: reverse mode, forward mode and central differences of a function, compared number by number."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from numba.core import dispatcher

from fastgrad.differentiation.compilation import (
    parameter_positions,
    takes_any_number,
    with_parameters,
    wrapped_function,
)
from fastgrad.differentiation.random_states import copy_of_states, drawing_from
from fastgrad.differentiation.transforms import forward_dispatcher, pullback, result_leaves

_LEVELS = 4
_MOST_CERTAIN = 0.05
"""The error of a central difference, relative to its size, above which it says nothing."""


def check_gradients(f: Callable[..., Any], *arguments: Any, argnums: int | Sequence[int] | None = None) -> None:
    """Compares the derivatives of ``f`` by reverse mode, by forward mode and by central differences.

    The differences are extrapolated to a step of 0 (Richardson), with an estimate of their error. Results that are arrays or tuples are
    weighted and summed first. Complex numbers are compared along the real and the imaginary axis.

    Args:
        f: a function that Numba compiles; it returns a real or complex float, an array of floats or a tuple of these.
        *arguments: where to compare; away from kinks and jumps, where differences are no derivatives.
        argnums: the number of the argument to check, or several. Default: all floats and arrays of floats.

    Raises:
        AssertionError: they differ; the message names the argument and the index and has the three numbers.
        DifferentiationError: ``f`` can't be differentiated.
    """
    if takes_any_number(f):
        f = with_parameters(f, len(arguments))
    python_function = wrapped_function(f, "check_gradients")
    bound = inspect.signature(python_function).bind(*arguments)
    bound.apply_defaults()
    values = [
        np.array(value, order="K") if isinstance(value, np.ndarray) else value for value in bound.arguments.values()
    ]
    names = list(bound.arguments)
    if argnums is None:
        positions = tuple(number for number, value in enumerate(values) if _is_float(value))
        if not positions:
            raise ValueError(f"check_gradients: {python_function.__name__} got no float and no array of floats.")
    else:
        positions = parameter_positions(argnums, python_function, "check_gradients")
    compiled = f if isinstance(f, dispatcher.Dispatcher) else numba.njit(python_function)
    states = copy_of_states()

    def run(function: Any, *directions: Any, at: Sequence[Any] = values) -> Any:
        """Returns the result for copies of the arguments, with the same random draws in all runs."""
        with drawing_from(states):
            return function(*map(_copy, at), *directions)

    results = result_leaves(run(compiled))
    random = np.random.default_rng(0)
    weights = [
        1.0
        if len(results) == 1 and isinstance(y, (float, np.floating))
        else _typed(random.uniform(0.5, 1.5, np.shape(y)), y)
        for y in results
    ]

    def weighted(y: Any) -> np.ndarray:
        pairs = zip(result_leaves(y), weights, strict=True)
        parts = [
            np.ravel(np.real(np.asarray(part, np.result_type(part, np.float64)) * np.conj(weight)))
            for part, weight in pairs
            if _is_float(part)
        ]
        return np.concatenate(parts)

    reverse = run(pullback(f, positions, len(results)), *weights)
    forward = forward_dispatcher(f, positions)
    for place, position in enumerate(positions):
        value = values[position]
        axes: tuple[complex, ...] = (1.0, 1j) if np.iscomplexobj(value) else (1.0,)
        for index, axis in itertools.product(np.ndindex(np.shape(value)), axes):

            def shifted(
                step: float, position: int = position, index: tuple[int, ...] = index, axis: complex = axis
            ) -> np.ndarray:
                moved = [_copy(other) for other in values]
                moved[position] = _moved(moved[position], index, step * axis)
                return weighted(run(compiled, at=moved))

            tangents = [_zeros(values[number]) for number in positions]
            tangents[place] = _moved(tangents[place], index, axis)
            slope = float(weighted(run(forward, *tangents)[1]).sum())
            cotangent = float(np.real(np.conj(axis) * np.asarray(reverse[place])[index]))
            eps = float(np.finfo(np.asarray(value).dtype).eps)
            difference, error = _central_difference(shifted, float(np.abs(np.asarray(value)[index])), eps)
            scale = max(abs(cotangent), abs(slope), abs(difference))
            is_equal = abs(cotangent - slope) <= 1e3 * eps * scale + 1e3 * eps
            is_known = error <= _MOST_CERTAIN * max(scale, 1.0)
            is_close = abs(cotangent - difference) <= 10 * error + 100 * np.sqrt(eps) * scale
            if not (is_equal and is_known and is_close):
                text = f"{names[position]}[{', '.join(map(str, index))}]" if index else names[position]
                text = text if len(axes) == 1 else f"the {'real' if axis == 1 else 'imaginary'} part of {text}"
                raise AssertionError(
                    f"check_gradients: the derivatives of {python_function.__name__} with respect to {text} differ: reverse mode {cotangent!r}, "
                    f"forward mode {slope!r}, central differences {difference!r} with an error of about {error:.1e}. "
                    "Where the function has a kink or a jump, differences are no derivatives."
                )


def _central_difference(function: Callable[[float], np.ndarray], x: float, eps: float) -> tuple[float, float]:
    """Returns the derivative of a sum at a shift of 0 by Richardson's extrapolation of central differences, and its approximate error."""
    step = eps**0.25 * max(abs(x), 0.01) * 2.0
    row: list[float] = []
    best, error = np.nan, np.inf
    for _ in range(_LEVELS):
        previous = row
        above, below = function(step), function(-step)
        row = [float((above - below).sum()) / (2.0 * step)]
        size = float(np.abs(above[above != below]).sum())
        for order, coarse in enumerate(previous, start=1):
            row.append(row[-1] + (row[-1] - coarse) / (4.0**order - 1.0))
            found = max(abs(row[-1] - row[-2]), abs(row[-1] - coarse)) + eps * size / step
            if found < error:
                best, error = row[-1], found
        step /= 2.0
    return best, error


def _is_float(value: Any) -> bool:
    return isinstance(value, (float, complex, np.inexact)) or (
        isinstance(value, np.ndarray) and value.dtype.kind in "fc"
    )


def _copy(value: Any) -> Any:
    return value.copy(order="K") if isinstance(value, np.ndarray) else value


def _typed(weights: Any, like: Any) -> Any:
    if not isinstance(like, np.ndarray):
        return weights * (1.0 + 0.7j) if np.iscomplexobj(like) else float(weights)
    if like.dtype.kind == "c":
        weights = weights * (1.0 + 0.7j)
    return weights.astype(like.dtype) if like.dtype.kind in "fc" else weights


def _zeros(value: Any) -> Any:
    return np.zeros_like(value) if isinstance(value, np.ndarray) else type(value)(0.0)


def _moved(value: Any, index: tuple[int, ...], step: complex) -> Any:
    """Returns a number, or an array that may be written to, with ``step`` added to the element at ``index``."""
    if not isinstance(value, np.ndarray):
        return type(value)(value + step)
    value[index] += step
    return value
