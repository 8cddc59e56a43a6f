"""Turns a function and argument types into its derivative: a function of code that Numba can compile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

from fastgrad._src.derivatives.analysis.control_flow import ControlFlow
from fastgrad._src.derivatives.analysis.searches import find_searches
from fastgrad._src.derivatives.frontend.lowering import Lowering, lower, lowering_of
from fastgrad._src.derivatives.frontend.splicing import Spliced
from fastgrad._src.derivatives.functions.argument_types import (
    Specialization,
    check_directions,
    check_parts_of_result,
    check_result,
    specialize,
)
from fastgrad._src.derivatives.functions.options import ARGUMENTS, Options
from fastgrad._src.derivatives.functions.parameters import Types, parameter_names, wrapped_function
from fastgrad._src.derivatives.ir.representation import Function
from fastgrad._src.derivatives.outlined_functions import function_to_compile, tangents_of
from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.derivatives.transform.constant_sizes import sizes_to_assume
from fastgrad._src.derivatives.transform.emission import Derivative
from fastgrad._src.derivatives.transform.forward_mode import ForwardMode
from fastgrad._src.derivatives.transform.parallel_loops import outline_parallel_loops
from fastgrad._src.derivatives.transform.reverse_mode import ReverseMode
from fastgrad._src.derivatives.transform.simplification import simplify
from fastgrad._src.jit.user_lines import warn_at
from fastgrad._src.scalars.formulas import Term
from fastgrad._src.scalars.terms import EQUAL

Form = Callable[[Term, list[Term]], Term]
"""Maps a function's result and the cotangents to what the derivative returns."""


def reverse_mode(
    function: Any,
    positions: tuple[int, ...],
    owner: str,
    form: Form,
    argument_types: Types,
    has_aux: bool = False,
    seed: int | None = 0,
) -> FunctionType:
    """Returns a derivative by reverse mode.

    Args:
        function: the user's function.
        positions: the numbers of the arguments that have cotangents.
        owner: the transformation's name, for errors.
        form: what the derivative returns.
        argument_types: of the function; those of cotangents may follow.
        has_aux: whether the function returns other results than the one of number ``seed``.
        seed: the number of the result whose cotangent is 1. None: the cotangents of all results are further arguments.

    Raises:
        DifferentiationError: the function can't be differentiated; the message has file and line.
    """
    specialization = specialize(function, argument_types, positions, owner)
    lowered = _lowering_for(specialization, is_reverse=True).result
    flow = ControlFlow(lowered)
    if seed == 0:
        check_result(lowered.result, specialization.function, owner, has_aux)
    if seed is None or has_aux:
        check_parts_of_result(lowered.result, specialization.function, owner)
    _warn_of_searches(lowered, flow, positions, seed)
    flow = outline_parallel_loops(lowered, flow, positions, seed)
    return _to_compile(ReverseMode(lowered, flow, positions, seed).derivative(form), "gradient", lowered)


def forward_mode(
    function: Any, positions: tuple[int, ...], owner: str, argument_types: Types, width: int = 1
) -> FunctionType:
    """Returns a derivative by forward mode, a function of the arguments and the tangents of some.

    Tangents of arrays have one more axis, of size ``width``, if this is not 1. Arguments and errors are those of ``reverse_mode``.
    """
    lowered = _lowering_for_forward_mode(function, positions, owner, argument_types, width).result
    flow = ControlFlow(lowered)
    _warn_of_searches(lowered, flow, positions)
    flow = outline_parallel_loops(lowered, flow, positions, is_forward=True)
    return _to_compile(ForwardMode(lowered, flow, positions, width=width).derivative(), "tangent", lowered)


def splice_of_forward_mode(
    function: Any, positions: tuple[int, ...], owner: str, argument_types: Types, width: int = 1
) -> Spliced:
    """Returns how calls of a derivative by forward mode are differentiated. Arguments and errors are those of ``forward_mode``."""

    def function_of(caller: Lowering, values: list[Any]) -> Function:
        lowering = _lowering_for_forward_mode(function, positions, owner, argument_types, width, caller, values)
        flow = ControlFlow(lowering.result)
        _warn_of_searches(lowering.result, flow, positions)
        return tangents_of(lowering, flow, positions, width=width)

    return Spliced(function_of, len(parameter_names(wrapped_function(function, owner))))


def reverse_over_forward(
    function: Any,
    tangents: tuple[int, ...],
    positions: tuple[int, ...],
    owner: str,
    form: Form,
    argument_types: Types,
    seed: int | None = None,
) -> FunctionType:
    """Returns the reverse mode of the forward mode with the ``tangents``. Arguments and errors are those of ``reverse_mode``."""
    count = len(parameter_names(wrapped_function(function, owner))) + len(tangents)
    lowering = _lowering_for_forward_mode(function, tangents, owner, argument_types[:count])
    if seed is not None:
        check_result(lowering.result.result, wrapped_function(function, owner), owner)
    flow = ControlFlow(lowering.result)
    _warn_of_searches(lowering.result, flow, tangents)
    lowered = tangents_of(lowering, flow, tangents)
    simplify(lowered, is_reverse=True)
    mode = ReverseMode(lowered, ControlFlow(lowered), positions, seed)
    return _to_compile(mode.derivative(form), "second derivative", lowered)


def _to_compile(derivative: Derivative, what: str, lowered: Function) -> FunctionType:
    """Returns the function of a derivative, for Numba to compile. It leaves arguments of other sizes than those assumed to another derivative."""
    sizes = {root.name: root.term for root in lowered.roots if root.kind == "parameter"}
    if lowered.assumed_sizes:
        derivative.code.guard = code.conjunction(
            [EQUAL(code.size_along(sizes[name], axis), value) for (name, axis), value in lowered.assumed_sizes.items()]
        )
        derivative.scope[code.GENERAL] = None  # the dispatcher knows it
    return function_to_compile(derivative, what)


def _lowering_for_forward_mode(
    function: Any,
    positions: tuple[int, ...],
    owner: str,
    argument_types: Types,
    width: int = 1,
    caller: Lowering | None = None,
    values: Sequence[Any] = (),
) -> Lowering:
    """Returns the lowering of a function, of whose argument types those of tangents may follow."""
    python_function, function_types, options = specialize(function, argument_types, positions, owner)
    names = parameter_names(python_function)
    directions = argument_types[len(names) :]
    primals = [function_types[position] for position in positions]
    if width > 1:
        primals = [type.copy(ndim=type.ndim + 1) for type in primals]
    names_of_directions = [f"the tangent of {names[position]}" for position in positions]
    given = len(directions)
    check_directions(python_function, names_of_directions[:given], tuple(primals[:given]), directions, owner)
    values = values[: len(names)]
    lowering = _lowering_for(Specialization(python_function, function_types, options), False, caller, values)
    check_parts_of_result(lowering.result.result, python_function, owner)
    return lowering


def _lowering_for(
    specialization: Specialization, is_reverse: bool, caller: Lowering | None = None, values: Sequence[Any] = ()
) -> Lowering:
    """Returns the lowering of a function, with the sizes of arguments that keep its small arrays small."""
    lowering = lowering_of(*specialization, caller, values)
    simplify(lowering.result, is_reverse)
    given = ARGUMENTS.get()
    if caller is None and given is not None:
        sizes = sizes_to_assume(lowering.result)
        if sizes and _have_sizes(given, lowering.result, sizes):
            lowering = lowering_of(*specialization)
            lowering.result.assumed_sizes = sizes
            simplify(lowering.result, is_reverse)
    return lowering


def lowered_function(function: Any, argument_types: Types, is_reverse: bool = False) -> tuple[Function, ControlFlow]:
    """Returns a function in the intermediate representation, and its control flow; ``is_reverse`` says that reverse mode follows."""
    specialization = Specialization(wrapped_function(function, ""), argument_types, Options.of(function))
    lowered = lower(*specialization)
    simplify(lowered, is_reverse)
    return lowered, ControlFlow(lowered)


def _have_sizes(given: Sequence[Any], lowered: Function, sizes: dict[tuple[str, int], int]) -> bool:
    """True if those arguments that are known have the sizes."""
    positions = {root.name: root.position for root in lowered.roots if root.kind == "parameter"}
    arrays = {name: given[position] for name, position in positions.items() if position < len(given)}  # type: ignore[operator, index]
    return all(arrays[name].shape[axis] == size for (name, axis), size in sizes.items() if name in arrays)


WARNED_OF: set[tuple[str, int, str]] = set()
"""The lines and parameters of searches that were warned of. Python's own record is lost each time that Numba compiles."""


def _warn_of_searches(
    lowered: Function, flow: ControlFlow, positions: tuple[int, ...], leaf: int | None = None
) -> None:
    """Warns of derivatives that are 0 because the function searches for its result."""
    for search in find_searches(lowered, flow, positions, leaf):
        file, line = search.location.filename, search.location.line
        name = lowered.names[search.position]
        if (file, line, name) in WARNED_OF:
            continue
        WARNED_OF.add((file, line, name))
        message = (
            f"{file}:{line}: the result of {lowered.name} depends on {name} only through comparisons such as this one, so its derivative with "
            f"respect to {name} is 0. A search for a root, a fixed point or a minimum has the derivative of its equation: see fg.implicit_root, "
            "fg.fixed_point and fg.adjoint."
        )
        warn_at(file, line, message)


def written_positions(lowered: Function) -> set[int | None]:
    """Returns the numbers of the parameters, arrays, that a function writes."""
    return {root.position for root in lowered.roots if root.kind == "parameter" and root.is_written}
