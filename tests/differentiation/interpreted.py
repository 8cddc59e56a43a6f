"""Derivatives whose text runs as Python: without LLVM they are quick to try."""

from typing import Any

import numba
import numpy as np
from numba.core.dispatcher import Dispatcher

from fastgrad.differentiation import transforms
from fastgrad.differentiation.control_flow import ControlFlow
from fastgrad.differentiation.lowering import lower
from fastgrad.differentiation.reverse_mode import ReverseMode
from fastgrad.differentiation.simplification import simplify
from fastgrad.differentiation.tape_memory import INTERPRETED


def value_and_gradients(
    function: Any, arguments: tuple[Any, ...], cotangent: Any, positions: tuple[int, ...] | None = None
) -> tuple[Any, tuple[Any, ...]]:
    """Returns the result of a Python function, and the cotangents of its arguments, which are floats or arrays of floats.

    Args:
        function: returns a float or an array; it may be compiled by Numba.
        arguments: of the function.
        cotangent: of its result.
        positions: of the arguments that have cotangents. None for all.
    """
    return run(function, arguments, cotangent, positions)[:2]


def run(
    function: Any, arguments: tuple[Any, ...], cotangent: Any, positions: tuple[int, ...] | None = None
) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
    """Returns what ``value_and_gradients`` returns, and the arguments as the derivative leaves them."""
    positions = tuple(range(len(arguments))) if positions is None else positions
    python_function = transforms.wrapped_function(function, "test")
    options = getattr(function, "targetoptions", {})
    lowered = lower(python_function, tuple(map(numba.typeof, arguments)), options.get("error_model", "python"))
    simplify(lowered)
    mode = ReverseMode(lowered, ControlFlow(lowered), positions, None)
    derivative = mode.derivative(lambda value, cotangents: f"{value}, ({''.join(f'{text}, ' for text in cotangents)})")
    scope = {**derivative.scope, **INTERPRETED, "check_apart": transforms.check_apart}
    scope = {name: value.py_func if isinstance(value, Dispatcher) else value for name, value in scope.items()}
    exec(compile(derivative.source, "<interpreted derivative>", "exec"), scope)
    copies = [argument.copy() if isinstance(argument, np.ndarray) else argument for argument in arguments]
    result = scope[derivative.name](*copies, cotangent)
    return result[0], result[1], tuple(copies)
