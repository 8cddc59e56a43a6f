"""Derivatives of gradients: rules for calls of ``grad`` and ``value_and_grad`` within a function that is differentiated."""

from __future__ import annotations

from types import FunctionType
from typing import Any

import numba
import numpy as np
from numba import types

from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives.derivation import Form, lowered_function, written_positions
from fastgrad._src.derivatives.frontend.adjoint_calls import bound_name
from fastgrad._src.derivatives.functions.argument_types import has_random_generator, is_differentiable
from fastgrad._src.derivatives.functions.numba_types import number_type
from fastgrad._src.derivatives.functions.parameters import Types, parameter_names, place, wrapped_function
from fastgrad._src.derivatives.functions.snapshot import draws_random_numbers
from fastgrad._src.derivatives.ir.call_rules import CallRule
from fastgrad._src.derivatives.ir.operands import Constant, leaf_types_of, zero_text
from fastgrad._src.derivatives.ir.representation import Function
from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.derivatives.output.text import term_text
from fastgrad._src.derivatives.transforms import (
    forward_dispatcher,
    grad,
    gradient_and_tangent,
    second_pullback,
    value_and_grad,
)
from fastgrad._src.jit.generated_source import generated_function
from fastgrad._src.jit.numba_internals import dispatcher
from fastgrad._src.scalars.formulas import Term


def rule_of_gradient(
    f: Any,
    positions: tuple[int, ...],
    is_single: bool,
    has_value: bool,
    has_aux: bool,
    form: Form,
    argument_types: Types,
) -> FunctionType | tuple[CallRule, types.Type]:
    """Returns the derivatives of a gradient, and the type of its result; for numbers a Python function that computes it by forward mode.

    With the cotangent v of the value and u of the gradient, the cotangent of the arguments x is the gradient by x of v f(x) + f'(x) u, whose second
    term is a tangent in the direction u. The gradient of f'(x) t by x is the tangent of the gradient in the direction t; that by t is the gradient.
    """
    python_function = wrapped_function(f, "grad")
    # The derivative would run it again, with other draws.
    if draws_random_numbers(f) or any(map(has_random_generator, argument_types)):
        raise DifferentiationError(
            f"{place(python_function)}: {python_function.__name__} draws random numbers, so that its gradient can't be differentiated: "
            "draw them before, and pass them."
        )
    names = [f"a_{name}" for name in parameter_names(python_function)]
    if all(isinstance(argument_types[position], (types.Float, types.Complex)) for position in positions):
        return _derivatives(f, names, positions, argument_types, form, has_aux)
    lowered = _lowered_for_gradient(f, python_function, argument_types, has_aux)
    if any(isinstance(type, (types.BaseTuple, types.Dispatcher, types.NoneType)) for type in argument_types):
        return _gradient_of_leaves(f, names, positions, is_single, has_value, argument_types)
    active = tuple(number for number, type in enumerate(argument_types) if is_differentiable(type))
    gradient_types = [
        types.Array(type.dtype, type.ndim, "C") if isinstance(type, types.Array) else types.unliteral(type)
        for type in map(argument_types.__getitem__, positions)
    ]
    value_types = [lowered.result] if has_value else []
    u = [f"u_{position}" for position in positions]
    v = ["v"] if has_value else []
    t_of = {position: f"t_{position}" for position in active}
    zeros = {
        position: f"np.zeros_like({names[position]})" if isinstance(type, types.Array) else zero_text(type)
        for position, type in enumerate(argument_types)
        if position in active
    }
    known = [f"known_{number}" for number in range(len([*value_types, *gradient_types]))]
    cotangents = ", ".join([*names, *u, "v" if has_value else "0.0", "1.0"])
    adjoint = numba.njit(
        generated_function(
            "adjoint",
            f"def adjoint({', '.join([*v, *u, *known, *names])}):\n    return pull({cotangents})[1]\n",
            "adjoint",
            {"pull": second_pullback(f, positions, active, 1)},
        )
    )

    def with_tangent(known: tuple[int, ...]) -> Any:
        directed = tuple(sorted({*known, *positions}))
        directions = [t_of[number] if number in known else zeros[number] for number in directed]
        parameters = [*[t_of[number] for number in known], *names]
        text = f"def push({', '.join(parameters)}):\n    return pull({', '.join([*names, *directions])})\n"
        scope = {"np": np, "_float32": np.float32, "pull": gradient_and_tangent(f, directed, positions, has_value)}
        return numba.njit(generated_function("push", text, "tangent", scope))

    flat = value_and_grad(f, positions) if has_value else grad(f, positions)
    function = _flat_gradient(flat, names, has_value, len(positions))
    gradients = gradient_types[0] if is_single else types.Tuple(gradient_types)
    type = types.Tuple([*value_types, gradients]) if has_value else gradients
    return CallRule(function, adjoint, None, active, with_tangent=with_tangent), type


def _lowered_for_gradient(f: Any, python_function: FunctionType, argument_types: Types, has_aux: bool) -> Function:
    """Returns a function in the intermediate representation; raises DifferentiationError if its gradient has no derivatives."""
    for name, type in zip(parameter_names(python_function), argument_types, strict=True):
        numbers = [number_type(leaf) for leaf in leaf_types_of(type)]
        if not all(isinstance(number, (types.Number, types.Boolean, types.Dispatcher)) for number in numbers):
            raise DifferentiationError(
                f"{place(python_function)}: {name} is of type {type}; a gradient of {python_function.__name__} can be differentiated only if its "
                "arguments are numbers, arrays of numbers and tuples of them: pass the fields of records and the items of lists as arguments of their own."
            )
    lowered, _ = lowered_function(f, argument_types)
    if written_positions(lowered):
        raise DifferentiationError(
            f"{place(python_function)}: {python_function.__name__} writes its arguments, so that its gradient can't be differentiated: copy them."
        )
    if has_aux:
        raise DifferentiationError("a gradient with has_aux=True can't be differentiated: return the value alone.")
    return lowered


def _derivatives(
    f: Any, names: list[str], positions: tuple[int, ...], argument_types: Types, form: Form, has_aux: bool
) -> FunctionType:
    """Returns the Python function that computes a gradient with respect to numbers by forward mode, which can be differentiated again."""

    def tangent(position: int, direction: Term) -> Term:
        return code.call(f"tangent_{position}", *map(code.Variable, names), direction)

    def derivative(position: int) -> Term:
        type, directions = argument_types[position], [one]
        if isinstance(type, types.Complex):
            directions = [code.call("complex", 1.0, 0.0), code.call("complex", 0.0, 1.0)]
        elif type == types.float32:
            directions = [one_of_float32]
        parts = [code.item(tangent(position, direction), 1) for direction in directions]
        parts = [code.item(part, 0) for part in parts] if has_aux else parts
        return code.call(str(type), code.call("complex", *parts)) if isinstance(type, types.Complex) else parts[0]

    one, one_of_float32 = Constant(1.0, types.float64).term, Constant(1.0, types.float32).term
    direction = one if argument_types[positions[0]] != types.float32 else one_of_float32
    value = code.item(tangent(positions[0], direction), 0)
    result = form(value, [derivative(position) for position in positions])
    source = f"def derivatives({', '.join(names)}):\n    return {term_text(result)}\n"
    scope: dict[str, Any] = {f"tangent_{position}": forward_dispatcher(f, (position,)) for position in positions}
    scope |= {"_float32": np.float32, "complex64": np.complex64, "complex128": np.complex128}
    return generated_function("derivatives", source, "derivative", scope)


def _gradient_of_leaves(
    f: Any, names: list[str], positions: tuple[int, ...], is_single: bool, has_value: bool, argument_types: Types
) -> FunctionType:
    """Returns the Python function that computes a gradient by that of a function of the numbers and arrays in the arguments, one by one."""
    scope: dict[str, Any] = {"function": f if isinstance(f, dispatcher.Dispatcher) else numba.njit(f)}
    leaves: list[str] = []
    active: list[int] = []

    def walk(type: types.Type, text: str, is_active: bool) -> tuple[str, str]:
        """Returns the texts of a value made of the leaves, and of its gradient."""
        type = types.unliteral(type)
        if isinstance(type, types.BaseTuple):
            items = [walk(item, f"{text}[{number}]", is_active) for number, item in enumerate(type)]
            make = bound_name(scope, type.instance_class) if isinstance(type, types.BaseNamedTuple) else ""
            value, gradient = ["".join(f"{part}, " for part in parts) for parts in zip(*items, strict=True)] or ["", ""]
            return f"{make}({value})", f"({gradient})"
        if isinstance(type, types.Dispatcher):
            return bound_name(scope, type.dispatcher), "None"
        if type == types.none:
            return "None", "None"
        leaves.append(text)
        name = f"leaf_{len(leaves) - 1}"
        if not is_active or not is_differentiable(type):
            return name, "None"
        active.append(len(leaves) - 1)
        return name, f"gradients[{len(active) - 1}]"

    walked = [
        walk(type, name, position in positions)
        for position, (name, type) in enumerate(zip(names, argument_types, strict=True))
    ]
    parameters = ", ".join(f"leaf_{number}" for number in range(len(leaves)))
    source = f"def of_leaves({parameters}):\n    return function({', '.join(value for value, _ in walked)})\n"
    of_leaves = numba.njit(generated_function("of_leaves", source, "gradient", scope))
    derivative = (value_and_grad if has_value else grad)(of_leaves, tuple(active))
    gradients = [walked[position][1] for position in positions]
    value = "value, " if has_value else ""
    result = gradients[0] if is_single else f"({''.join(f'{text}, ' for text in gradients)})"
    source = f"def gradient({', '.join(names)}):\n    {value}gradients = derivative({', '.join(leaves)})\n    return {value}{result}\n"
    return generated_function("gradient", source, "gradient", {"derivative": derivative})


def _flat_gradient(function: Any, names: list[str], has_value: bool, count: int) -> Any:
    """Returns a compiled function that returns the value and the gradients as one tuple, or the only one of them."""
    call = f"function({', '.join(names)})"
    lines = [f"def flat({', '.join(names)}):"]
    if has_value:
        lines += [
            f"    value, gradients = {call}",
            f"    return (value, {''.join(f'gradients[{k}], ' for k in range(count))})",
        ]
    else:
        lines += [f"    gradients = {call}", f"    return {'gradients[0]' if count == 1 else 'gradients'}"]
    return numba.njit(generated_function("flat", "\n".join([*lines, ""]), "gradient", {"function": function}))
