"""Derivatives whose text runs as Python: without LLVM they are quick to try."""

from typing import Any

import numba
import numpy as np

from fastgrad._src.derivatives import derivation, outlined_functions
from fastgrad._src.derivatives.analysis.control_flow import ControlFlow
from fastgrad._src.derivatives.frontend.lowering import lower, lowering_of
from fastgrad._src.derivatives.functions import parameters
from fastgrad._src.derivatives.functions.options import Options
from fastgrad._src.derivatives.ir.representation import Function
from fastgrad._src.derivatives.output.text import text_of_code
from fastgrad._src.derivatives.output.tree import tuple_of
from fastgrad._src.derivatives.transform.forward_mode import ForwardMode, tangents_per_run
from fastgrad._src.derivatives.transform.parallel_loops import outline_parallel_loops
from fastgrad._src.derivatives.transform.reverse_mode import ReverseMode
from fastgrad._src.derivatives.transform.simplification import simplify
from tests.derivatives.plain_python import interpreted_function
from tests.derivatives.table import copy_of


def value_and_gradients(
    function: Any, arguments: tuple[Any, ...], cotangent: Any, positions: tuple[int, ...] | None = None
) -> tuple[Any, tuple[Any, ...]]:
    """Returns the result of a Python function, and the cotangents of its arguments, which are floats or arrays of floats.

    Args:
        function: returns a float or an array; it may be compiled by Numba.
        arguments: of the function.
        cotangent: of its result; of a tuple's items a tuple.
        positions: of the arguments that have cotangents. None for all.
    """
    return run_derivative(function, arguments, cotangent, positions)[:2]


def run_derivative(
    function: Any, arguments: tuple[Any, ...], cotangent: Any, positions: tuple[int, ...] | None = None
) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
    """Returns what ``value_and_gradients`` returns, and the arguments as the derivative leaves them."""
    positions = tuple(range(len(arguments))) if positions is None else positions
    python_function = parameters.wrapped_function(function, "test")
    lowered = lower(python_function, tuple(map(numba.typeof, arguments)), Options.of(function))
    simplify(lowered, is_reverse=True)
    flow = outline_parallel_loops(lowered, ControlFlow(lowered), positions)
    return _run_backward(lowered, flow, positions, arguments, cotangent)


def tangent_and_gradients(
    function: Any,
    arguments: tuple[Any, ...],
    tangents: tuple[Any, ...],
    cotangent: tuple[Any, Any],
    places: tuple[int, ...] | None = None,
) -> tuple[Any, tuple[Any, ...]]:
    """Returns the result of a function with its tangent, and the cotangents of the arguments that have tangents, then of the tangents.

    Args:
        function, arguments: see ``value_and_gradients``.
        tangents: of the arguments numbered ``places``.
        cotangent: of the result and of its tangent.
        places: None for all arguments.
    """
    places = tuple(range(len(arguments))) if places is None else places
    positions = (*places, *range(len(arguments), len(arguments) + len(places)))
    python_function = parameters.wrapped_function(function, "test")
    lowering = lowering_of(python_function, tuple(map(numba.typeof, arguments)), Options.of(function))
    simplify(lowering.result)
    lowered = outlined_functions.tangents_of(lowering, ControlFlow(lowering.result), places)
    simplify(lowered, is_reverse=True)
    return _run_backward(lowered, ControlFlow(lowered), positions, (*arguments, *tangents), cotangent)[:2]


def _run_backward(
    lowered: Function, flow: ControlFlow, positions: tuple[int, ...], arguments: tuple[Any, ...], cotangent: Any
) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
    mode = ReverseMode(lowered, flow, positions, None)
    derivative = mode.derivative(lambda value, cotangents: tuple_of([value, tuple_of(cotangents)]))
    run = interpreted_function(derivative)
    copies = [argument.copy() if isinstance(argument, np.ndarray) else argument for argument in arguments]
    result = run(*copies, *(cotangent if isinstance(cotangent, tuple) else (cotangent,)))
    return result[0], result[1], tuple(copies)


def value_and_tangent_of(function: Any, arguments: tuple[Any, ...], positions: tuple[int, ...]) -> Any:
    """Returns the function of arguments and tangents that returns the result and its tangent, by forward mode.

    Args:
        function, arguments: see ``value_and_gradients``.
        positions: of the arguments that have tangents.
    """
    lowered, flow = derivation.lowered_function(function, tuple(map(numba.typeof, arguments)))
    run = interpreted_function(ForwardMode(lowered, flow, positions).derivative())
    return lambda *values: run(*map(copy_of, values))


def text_of_reverse_mode(function: Any, arguments: tuple[Any, ...], positions: tuple[int, ...]) -> str:
    """Returns the text that reverse mode writes for a function of a number as its result, with the cotangent 1."""
    lowered, flow = derivation.lowered_function(function, tuple(map(numba.typeof, arguments)), is_reverse=True)
    derivative = ReverseMode(lowered, flow, positions, 0).derivative(lambda _, cotangents: tuple_of(cotangents))
    return text_of_code(derivative.code)


def several_tangents(function: Any, arguments: tuple[Any, ...], directions: list[tuple[Any, ...]]) -> list[Any] | None:
    """Returns the tangents of a function's result along several directions by one run; None if a run has one tangent.

    Args:
        function: returns a float or an array; it may be compiled by Numba.
        arguments: of the function.
        directions: for each tangent the directions of those arguments that are arrays of floats.
    """
    positions = array_positions(arguments)
    python_function = parameters.wrapped_function(function, "test")
    lowered = lower(python_function, tuple(map(numba.typeof, arguments)), Options.of(function))
    simplify(lowered)
    flow = ControlFlow(lowered)
    if tangents_per_run(lowered, flow) == 1:
        return None
    run = interpreted_function(ForwardMode(lowered, flow, positions, width=len(directions)).derivative())
    copies = [argument.copy() if isinstance(argument, np.ndarray) else argument for argument in arguments]
    with np.errstate(all="ignore"):  # compiled code warns of nothing
        if len(directions) == 1:
            return [run(*copies, *directions[0])[1]]
        tangents = run(*copies, *[np.stack(each, axis=-1) for each in zip(*directions, strict=True)])[1]
    return list(np.moveaxis(tangents, -1, 0))


def array_positions(arguments: tuple[Any, ...]) -> tuple[int, ...]:
    """Returns the positions of arrays of floats."""
    return tuple(
        position
        for position, value in enumerate(arguments)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
    )


def forward(function: Any, arguments: tuple[Any, ...]) -> Any:
    """Returns the Python function of arguments, and tangents of all of them, that returns the result and its tangent."""
    positions = tuple(range(len(arguments)))
    return value_and_tangent_of(function, arguments, positions)
