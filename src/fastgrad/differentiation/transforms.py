"""Derivatives of functions that Numba compiles: ``grad``, ``value_and_grad``, ``jvp``, ``vjp``, ``jacobian``, ``hessian`` and ``hvp``.

The names and meanings are JAX's. What the functions return is compiled by Numba for each combination of argument types, when it is called
first; functions that Numba compiles may call it.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numba
import numpy as np
from numba.core import dispatcher, types
from numba.core.dispatcher import _FunctionCompiler
from numba.core.registry import CPUDispatcher

from fastgrad.differentiation.callees import OPTIONS, compiled_text
from fastgrad.differentiation.control_flow import ControlFlow
from fastgrad.differentiation.forward_mode import ForwardMode
from fastgrad.differentiation.ir import CallRule, Constant, literal
from fastgrad.differentiation.jumps import DirectJumpCompiler
from fastgrad.differentiation.lowering import lower
from fastgrad.differentiation.reverse_mode import ReverseMode
from fastgrad.differentiation.simplification import simplify
from fastgrad.errors import DifferentiationError
from fastgrad.kernels.codegen.generated_source import function_from_source
from fastgrad.kernels.codegen.jit_switch import DISABLE_JIT_VARIABLE, jit_is_disabled

_numbers = itertools.count()
Types = tuple[types.Type, ...]


class _DerivedFunctionCompiler(_FunctionCompiler):  # type: ignore[misc]  # Numba has no types
    """Compiles a derivative, whose Python function depends on the argument types."""

    def __init__(self, other: Any, derive: Callable[[Types], FunctionType]) -> None:
        super().__init__(other.py_func, other.targetdescr, other.targetoptions, other.locals, other.pipeline_class)
        self._derive = derive

    def _get_implementation(self, args: Any, kws: Any) -> FunctionType:
        return self._derive(tuple(args))


def _dispatcher(stub: FunctionType, derive: Callable[[Types], FunctionType], call_rule: Any = None) -> Any:
    """Returns a dispatcher with the signature of ``stub`` whose code for argument types is that of ``derive`` of them.

    Args:
        stub: a function of the same parameters.
        derive: returns the Python function for argument types.
        call_rule: how a call of the dispatcher is differentiated (``Lowering._call_with_rule``).
    """
    if jit_is_disabled():
        raise RuntimeError(
            f"{stub.__name__}: Numba compiles derivatives, and {DISABLE_JIT_VARIABLE} forbids it; unset it."
        )
    derive = functools.lru_cache(maxsize=64)(derive)
    result = CPUDispatcher(stub, targetoptions=OPTIONS, pipeline_class=DirectJumpCompiler)
    result._compiler = _DerivedFunctionCompiler(result._compiler, derive)
    result.derive = derive
    result.call_rule = derive if call_rule is None else call_rule
    return result


def wrapped_function(function: Any, owner: str) -> FunctionType:
    """Returns the Python function of ``function``, which may be one that Numba compiled, or a derivative."""
    if hasattr(function, "derive"):
        return _caller_of(function)
    python_function = getattr(function, "py_func", function)
    if not isinstance(python_function, FunctionType):
        raise TypeError(f"{owner}: expected a Python function or one compiled by numba.njit, got {function!r}.")
    kinds = {parameter.kind for parameter in inspect.signature(python_function).parameters.values()}
    if kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        raise TypeError(f"{owner}: {python_function.__name__} takes *args or **kwargs. Give each parameter a name.")
    return python_function


@functools.lru_cache(maxsize=256)
def _caller_of(derived: Any) -> FunctionType:
    """Returns a Python function that calls a derivative, so that it can be differentiated as any other function."""
    parameters = ", ".join(inspect.signature(derived.py_func).parameters)
    name = derived.py_func.__name__
    source = f"def {name}({parameters}):\n    return derived({parameters})\n"
    return function_from_source(name, source, f"<call of {name} {next(_numbers)}>", {"derived": derived})


def parameter_positions(argnums: int | Sequence[int], function: FunctionType, owner: str) -> tuple[int, ...]:
    """Returns the numbers of the parameters that ``argnums`` names."""
    count = len(inspect.signature(function).parameters)
    numbers: tuple[Any, ...] = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or not -count <= number < count:
            raise ValueError(
                f"{owner}: argnums is {argnums!r}, but {function.__name__} has {count} parameters: use numbers from 0 to {count - 1}."
            )
    numbers = tuple(int(number) % count for number in numbers)
    if len(set(numbers)) != len(numbers) or not numbers:
        raise ValueError(f"{owner}: argnums is {argnums!r}: use different numbers, at least one.")
    return numbers


def _place(function: FunctionType) -> str:
    """Returns the file and the line of a function."""
    return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"


def _is_differentiable(type: types.Type) -> bool:
    type = types.unliteral(type)
    if isinstance(type, types.BaseTuple):
        return any(map(_is_differentiable, type))
    return isinstance(type.dtype if isinstance(type, types.Array) else type, types.Float)


def _check_types(function: FunctionType, argument_types: Types, positions: tuple[int, ...], owner: str) -> None:
    names = list(inspect.signature(function).parameters)
    for position in positions:
        if not _is_differentiable(argument_types[position]):
            raise DifferentiationError(
                f"{_place(function)}: {owner}: the argument {names[position]} of {function.__name__} is of type {argument_types[position]}, which has no derivative. "
                "Pass floats, or choose other arguments with argnums."
            )


def _stub(function: FunctionType, name: str, more: Sequence[str] = ()) -> FunctionType:
    """Returns a function with the parameters of ``function``, with ``more`` after them."""
    parameters = [*inspect.signature(function).parameters, *more]
    source = f"def {name}({', '.join(parameters)}):\n    raise NotImplementedError\n"
    stub = function_from_source(name, source, f"<signature {next(_numbers)}>", {})
    if not more:
        stub.__defaults__ = function.__defaults__
    stub.__doc__ = function.__doc__
    stub.__module__ = function.__module__
    return stub


def _function_types(argument_types: Types, count: int) -> Types:
    return tuple(types.unliteral(type) for type in argument_types[:count])


def _error_model(function: Any) -> str:
    options = getattr(function, "targetoptions", {})
    return str(options.get("error_model", "python"))


def _lowered(function: Any, argument_types: Types) -> tuple[Any, ControlFlow]:
    python_function = wrapped_function(function, "")
    lowered = lower(python_function, argument_types, _error_model(function))
    simplify(lowered)
    return lowered, ControlFlow(lowered)


def _check_result(result: types.Type, function: FunctionType, owner: str, has_aux: bool) -> None:
    value = result
    if has_aux:
        if not isinstance(result, types.BaseTuple) or len(result) != 2:
            raise DifferentiationError(
                f"{_place(function)}: {owner}: with has_aux=True {function.__name__} returns (value, aux); it returns {result}."
            )
        value = result[0]
    if not isinstance(value, types.Float):
        raise DifferentiationError(
            f"{_place(function)}: {owner}: {function.__name__} returns {value}; the gradient of one float is defined. For arrays use vjp, jvp or jacobian."
        )


def _reverse_function(
    function: Any,
    positions: tuple[int, ...],
    owner: str,
    form: Callable[[str, list[str]], str],
    has_aux: bool = False,
    seed: int | None = 0,
) -> Callable[[Types], FunctionType]:
    """Returns the function from argument types to the text of a reverse-mode derivative."""
    python_function = wrapped_function(function, owner)
    count = len(inspect.signature(python_function).parameters)

    def derive(argument_types: Types) -> FunctionType:
        function_types = _function_types(argument_types, count)
        _check_types(python_function, function_types, positions, owner)
        lowered, flow = _lowered(function, function_types)
        if seed == 0:
            _check_result(lowered.result, python_function, owner, has_aux)
        derivative = ReverseMode(lowered, flow, positions, seed).derivative(form)
        return compiled_text(derivative, "gradient")

    return derive


def _forward_function(function: Any, positions: tuple[int, ...], owner: str) -> Callable[[Types], FunctionType]:
    """Returns the function from argument types to the text of a forward-mode derivative."""
    python_function = wrapped_function(function, owner)
    count = len(inspect.signature(python_function).parameters)

    def derive(argument_types: Types) -> FunctionType:
        function_types = _function_types(argument_types, count)
        _check_types(python_function, function_types, positions, owner)
        for position in positions:
            if isinstance(function_types[position], types.BaseTuple):
                raise DifferentiationError(
                    f"{_place(python_function)}: {owner}: a tuple has no tangent here: pass its items one by one."
                )
        lowered, flow = _lowered(function, function_types)
        return compiled_text(ForwardMode(lowered, flow, positions).derivative(), "tangent")

    return derive


def _grouped(texts: list[str], is_single: bool) -> str:
    return texts[0] if is_single else f"({''.join(text + ', ' for text in texts)})"


def value_and_grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Any:
    """Returns a compiled function that computes ``f`` and its gradient.

    Args:
        f: a function that ``numba.njit`` compiled, or that Numba can compile. It returns a float, or with ``has_aux`` a pair of a float and
            other results.
        argnums: the number of the argument to differentiate with respect to, or several. These are floats or arrays of floats.
        has_aux: whether ``f`` returns other results, too.

    Returns:
        a function of the arguments of ``f`` that returns (value, gradient): of several argnums a tuple of gradients. An array's gradient has
        its shape and dtype.

    Raises:
        ValueError: ``argnums`` are no numbers of parameters.
        DifferentiationError: when it is called: ``f`` has a construct that can't be differentiated; the message has file and line.
    """
    python_function = wrapped_function(f, "value_and_grad")
    positions = parameter_positions(argnums, python_function, "value_and_grad")
    is_single = isinstance(argnums, int)

    def form(result: str, cotangents: list[str]) -> str:
        return f"{result}, {_grouped(cotangents, is_single)}"

    derive = _reverse_function(f, positions, "value_and_grad", form, has_aux)
    rule = functools.partial(_rule_of_gradient, f, positions, is_single, True, has_aux, form)
    return _dispatcher(_stub(python_function, f"value_and_grad_{_identifier(python_function)}"), derive, rule)


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Any:
    """Returns a compiled function that computes the gradient of ``f``. Arguments and errors are those of ``value_and_grad``.

    Returns:
        a function of the arguments of ``f`` that returns the gradient; with ``has_aux`` (gradient, aux).
    """
    python_function = wrapped_function(f, "grad")
    positions = parameter_positions(argnums, python_function, "grad")
    is_single = isinstance(argnums, int)

    def form(result: str, cotangents: list[str]) -> str:
        gradient = _grouped(cotangents, is_single)
        return f"{gradient}, {result}[1]" if has_aux else gradient

    derive = _reverse_function(f, positions, "grad", form, has_aux)
    rule = functools.partial(_rule_of_gradient, f, positions, is_single, False, has_aux, form)
    return _dispatcher(_stub(python_function, f"grad_{_identifier(python_function)}"), derive, rule)


def _rule_of_gradient(
    f: Any,
    positions: tuple[int, ...],
    is_single: bool,
    has_value: bool,
    has_aux: bool,
    form: Callable[[str, list[str]], str],
    argument_types: Types,
) -> FunctionType | tuple[CallRule, types.Type]:
    """Returns the derivatives of a gradient, and the type of its result; for numbers a Python function that computes it by forward mode.

    With the cotangent v of the value and u of the gradient, the cotangent of the arguments x is the gradient by x of v f(x) + f'(x) u, whose second
    term is a tangent in the direction u. The tangent of the gradient in the direction t is the gradient of f'(x) t.
    """
    python_function = wrapped_function(f, "grad")
    names = list(inspect.signature(python_function).parameters)
    if all(isinstance(argument_types[position], types.Float) for position in positions):
        return _slopes(f, names, positions, argument_types, form, has_aux)
    if _written_positions(f, argument_types):
        raise DifferentiationError(
            f"{_place(python_function)}: {python_function.__name__} writes its arguments, so that its gradient can't be differentiated: copy them."
        )
    if has_aux:
        raise DifferentiationError("a gradient with has_aux=True can't be differentiated: return the value alone.")
    active = tuple(number for number, type in enumerate(argument_types) if _is_differentiable(type))
    gradient_types = [_gradient_type(argument_types[position]) for position in positions]
    value_types = [types.float64] if has_value else []
    if has_value:
        result = _lowered(f, argument_types)[0].result
        value_types = [result]
    results = [*value_types, *gradient_types]
    u = [f"u_{position}" for position in positions]
    v = ["v"] if has_value else []
    known = [f"known_{number}" for number in range(len(results))]
    pull = _second_order_dispatcher(f, positions, active)
    adjoint_source = (
        f"def adjoint({', '.join([*v, *u, *known, *names])}):\n"
        f"    return pull({', '.join([*names, *u, 'v' if has_value else '0.0', '1.0'])})\n"
    )
    t = [f"t_{position}" for position in active]
    pull_back = _second_order_dispatcher(f, active, positions)
    value_tangent = f"(push({', '.join([*names, *t])})[1],) + " if has_value else ""
    tangent_source = (
        f"def tangent({', '.join([*t, *known, *names])}):\n"
        f"    return {value_tangent}pull({', '.join([*names, *t, '0.0', '1.0'])})\n"
    )
    adjoint = numba.njit(function_from_source("adjoint", adjoint_source, f"<adjoint {next(_numbers)}>", {"pull": pull}))
    scope = {"pull": pull_back, "push": forward_dispatcher(f, active)}
    tangent = numba.njit(function_from_source("tangent", tangent_source, f"<tangent {next(_numbers)}>", scope))
    flat = value_and_grad(f, positions) if has_value else grad(f, positions)
    function = _flat_gradient(flat, names, has_value, len(positions))
    gradients = gradient_types[0] if is_single else types.Tuple(gradient_types)
    type = types.Tuple([*value_types, gradients]) if has_value else gradients
    return CallRule(function, adjoint, tangent, active), type


def _slopes(
    f: Any,
    names: list[str],
    positions: tuple[int, ...],
    argument_types: Types,
    form: Callable[[str, list[str]], str],
    has_aux: bool,
) -> FunctionType:
    """Returns the Python function that computes a gradient with respect to numbers by forward mode, which can be differentiated again."""
    calls = [
        f"tangent_{position}({', '.join(names)}, {literal(Constant(1.0, argument_types[position]))})"
        for position in positions
    ]
    slopes = [f"{call}[1]{'[0]' if has_aux else ''}" for call in calls]
    source = f"def slopes({', '.join(names)}):\n    return {form(f'{calls[0]}[0]', slopes)}\n"
    scope = {f"tangent_{position}": forward_dispatcher(f, (position,)) for position in positions}
    return function_from_source("slopes", source, f"<slope {next(_numbers)}>", {**scope, "_float32": np.float32})


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
    source = "\n".join([*lines, ""])
    return numba.njit(function_from_source("flat", source, f"<gradient {next(_numbers)}>", {"function": function}))


def _gradient_type(type: types.Type) -> types.Type:
    return types.Array(type.dtype, type.ndim, "C") if isinstance(type, types.Array) else types.unliteral(type)


@functools.lru_cache(maxsize=256)
def _second_order_dispatcher(f: Any, tangents: tuple[int, ...], positions: tuple[int, ...]) -> Any:
    """Returns the reverse mode of a forward mode: the compiled function of the arguments, their tangents, and the cotangents of value and tangent."""
    python_function = wrapped_function(f, "grad")
    forward = _forward_function(f, tangents, "grad")
    count = len(inspect.signature(python_function).parameters)

    def derive(argument_types: Types) -> FunctionType:
        function_types = _function_types(argument_types, count + len(tangents))
        tangent = forward(function_types[:count])
        lowered, flow = _lowered(tangent, function_types)
        derivative = ReverseMode(lowered, flow, positions, seed=None).derivative(
            lambda result, cotangents: _grouped(cotangents, False)
        )
        return compiled_text(derivative, "second derivative")

    more = [*[f"tangent_{number}" for number in tangents], "cotangent_of_value", "cotangent_of_tangent"]
    return _dispatcher(_stub(python_function, f"second_{_identifier(python_function)}", more), derive, _no_rule)


def _no_rule(argument_types: Types) -> None:
    """Says that a derivative is not differentiated again."""


def _identifier(function: FunctionType) -> str:
    return function.__name__ if function.__name__.isidentifier() else "function"


def jvp(
    f: Callable[..., Any],
    primals: Sequence[Any] | None = None,
    tangents: Sequence[Any] | None = None,
    *,
    argnums: int | Sequence[int] = 0,
) -> Any:
    """Computes ``f`` and its directional derivative by forward mode.

    Args:
        f: as for ``value_and_grad``; it may return floats, arrays of floats and tuples of them.
        primals: the arguments.
        tangents: the directions, one for each argument, of its shape.
        argnums: without ``primals``: the numbers of the arguments that have tangents.

    Returns:
        (result, tangent of the result). Without ``primals`` a compiled function of the arguments and tangents that returns them.
    """
    python_function = wrapped_function(f, "jvp")
    if primals is not None:
        if tangents is None or len(primals) != len(tangents):
            raise ValueError(f"jvp: {len(primals)} primals need as many tangents.")
        return forward_dispatcher(f, tuple(range(len(primals))))(*primals, *tangents)
    return forward_dispatcher(f, parameter_positions(argnums, python_function, "jvp"))


@functools.lru_cache(maxsize=256)
def forward_dispatcher(f: Any, positions: tuple[int, ...]) -> Any:
    """Returns the compiled function of the arguments and the tangents of some that returns (result, tangent)."""
    python_function = wrapped_function(f, "jvp")
    names = list(inspect.signature(python_function).parameters)
    tangents = [f"tangent_of_{names[position]}" for position in positions]
    return _dispatcher(
        _stub(python_function, f"jvp_{_identifier(python_function)}", tangents), _forward_function(f, positions, "jvp")
    )


def pullback(f: Any, positions: Sequence[int], count: int) -> Any:
    """Returns the compiled function of the arguments and the cotangents of ``count`` results that returns those of arguments, a tuple."""
    python_function = wrapped_function(f, "vjp")
    names = [f"cotangent_{number}" for number in range(count)]
    derive = _reverse_function(f, tuple(positions), "vjp", lambda _, cotangents: _grouped(cotangents, False), seed=None)
    return _dispatcher(_stub(python_function, f"pullback_{_identifier(python_function)}", names), derive, _no_rule)


_kept_pullback = functools.lru_cache(maxsize=256)(pullback)


def second_pullback(f: Any, positions: Sequence[int], count: int) -> Any:
    """Returns the compiled function that runs forward mode forward and backward.

    It takes the arguments, the tangents of some, the cotangents of the ``count`` results and the cotangents of their tangents. It
    returns a pair: the tangents of the results, and the cotangents of the arguments that have tangents.
    """
    python_function = wrapped_function(f, "vjp")
    names = [f"tangent_{position}" for position in positions]
    names += [f"cotangent_{number}" for number in range(2 * count)]
    forward = _forward_function(f, tuple(positions), "vjp")
    parameters = len(inspect.signature(python_function).parameters)

    def form(result: str, cotangents: list[str]) -> str:
        tangents = f"({result}[1],)" if count == 1 else f"{result}[1]"
        return f"{tangents}, {_grouped(cotangents, False)}"

    def derive(argument_types: Types) -> FunctionType:
        types_of_tangent = _function_types(argument_types, parameters + len(positions))
        lowered, flow = _lowered(forward(types_of_tangent[:parameters]), types_of_tangent)
        derivative = ReverseMode(lowered, flow, tuple(positions), None).derivative(form)
        return compiled_text(derivative, "second derivative")

    return _dispatcher(
        _stub(python_function, f"second_pullback_{_identifier(python_function)}", names), derive, _no_rule
    )


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., tuple[Any, ...]]]:
    """Computes ``f`` and returns the function from cotangents of its result to those of its arguments.

    Args:
        f: as for ``jvp``.
        *primals: the arguments, floats and arrays of floats.

    Returns:
        (result, pullback). ``pullback(cotangent)`` takes a cotangent with the structure of the result and returns a tuple, one cotangent for
        each argument. It runs ``f`` once more.
    """
    python_function = wrapped_function(f, "vjp")
    result = (f if isinstance(f, dispatcher.Dispatcher) else numba.njit(python_function))(*_copies(primals))
    results = result_leaves(result)
    count = len(results)
    pull = _kept_pullback(f, tuple(range(len(primals))), count)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        cotangents = result_leaves(cotangent)
        if len(cotangents) != count:
            raise ValueError(f"vjp of {python_function.__name__}: {len(cotangents)} cotangents for {count} results.")
        for given, value in zip(cotangents, results, strict=True):
            if np.shape(given) != np.shape(value):
                raise ValueError(
                    f"vjp of {python_function.__name__}: a cotangent has the shape {np.shape(given)}, its result {np.shape(value)}."
                )
        gradients: tuple[Any, ...] = pull(*_copies(primals), *[_as_float(given) for given in cotangents])
        return gradients

    return result, pullback


def result_leaves(result: Any) -> list[Any]:
    """Returns the numbers and arrays of a result, from left to right."""
    return [leaf for part in result for leaf in result_leaves(part)] if isinstance(result, tuple) else [result]


def _as_float(value: Any) -> Any:
    return value if isinstance(value, np.ndarray) else float(value)


def _copies(values: Sequence[Any]) -> list[Any]:
    return [value.copy() if isinstance(value, np.ndarray) else value for value in values]


def hvp(f: Callable[..., Any], argnums: int = 0) -> Any:
    """Returns a compiled function that computes products of the Hessian matrix of ``f`` and a vector, by reverse mode over forward mode.

    Args:
        f: as for ``value_and_grad``.
        argnums: the number of the argument.

    Returns:
        a function of the arguments of ``f`` and a vector, of the shape of the argument, that returns the product.
    """
    python_function = wrapped_function(f, "hvp")
    (position,) = parameter_positions(argnums, python_function, "hvp")
    forward = _forward_function(f, (position,), "hvp")
    count = len(inspect.signature(python_function).parameters)

    def derive(argument_types: Types) -> FunctionType:
        function_types = _function_types(argument_types, count + 1)
        tangent = forward(function_types[:count])
        lowered, flow = _lowered(tangent, function_types)
        derivative = ReverseMode(lowered, flow, (position,), seed=1).derivative(
            lambda result, cotangents: cotangents[0]
        )
        return compiled_text(derivative, "second derivative")

    return _dispatcher(_stub(python_function, f"hvp_{_identifier(python_function)}", ["vector"]), derive, _no_rule)


def _written_positions(f: Any, argument_types: Types) -> set[int | None]:
    """Returns the numbers of the parameters, arrays, that a function writes."""
    return {
        root.position for root in _lowered(f, argument_types)[0].roots if root.kind == "parameter" and root.is_written
    }


def _columns(f: Any, columns: dict[int, Any], owner: str, result: str, is_single: bool) -> Any:
    """Returns the dispatcher of matrices whose columns come from unit vectors in the place of an argument's direction.

    Args:
        f: the user's function.
        columns: for the number of each argument the function that takes the arguments of ``f`` and a direction.
        owner: the transformation's name.
        result: the text of the column, from the text of the call.
        is_single: whether one matrix is returned, not a tuple of them.
    """
    python_function = wrapped_function(f, owner)
    name = f"{owner}_{_identifier(python_function)}"
    names = list(inspect.signature(python_function).parameters)

    def derive(argument_types: Types) -> FunctionType:
        argument_types = _function_types(argument_types, len(names))
        _check_types(python_function, argument_types, tuple(columns), owner)
        lines, scope = [], {"np": np, "as_array": _as_array, "_float32": np.float32}
        written = _written_positions(f, argument_types)  # each column runs the function once more
        given = [f"{argument}.copy()" if number in written else argument for number, argument in enumerate(names)]
        for position, column in columns.items():
            type, argument = argument_types[position], names[position]
            scope[f"column_{position}"] = column
            call = result.format(f"column_{position}({', '.join(given)}, {{}})")
            if not isinstance(type, types.Array):
                lines.append(f"result_{position} = {call.format(literal(Constant(1.0, type)))}")
                continue
            call = f"as_array({call.format(f'direction_{position}.reshape({argument}.shape)')})"
            lines += [
                f"direction_{position} = np.zeros({argument}.size, {argument}.dtype)",
                f"first_{position} = {call}",
                f"columns_{position} = np.zeros((first_{position}.size, {argument}.size), first_{position}.dtype)",
                f"for number in range({argument}.size):",
                f"    direction_{position}[:] = 0.0",
                f"    direction_{position}[number] = 1.0",
                f"    column = {call}.ravel()",
                "    for row in range(column.size):",  # an assignment to a slice compiles texts of errors
                f"        columns_{position}[row, number] = column[row]",
                f"result_{position} = columns_{position}.reshape(first_{position}.shape + {argument}.shape)",
            ]
        lines.append(f"return {_grouped([f'result_{position}' for position in columns], is_single)}")
        source = "\n    ".join([f"def {name}({', '.join(names)}):", *lines]) + "\n"
        return function_from_source(name, source, f"<{name} {next(_numbers)}>", scope)

    return _dispatcher(_stub(python_function, name), derive)


@numba.extending.register_jitable
def _as_array(value):  # type: ignore[no-untyped-def]
    return np.asarray(value)


def jacobian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Any:
    """Returns a compiled function that computes the Jacobian matrix of ``f``, column by column in forward mode.

    Args:
        f: as for ``jvp``; it returns a float or an array of floats.
        argnums: the number of the argument, an array of floats or a float, or several numbers.

    Returns:
        a function of the arguments of ``f`` that returns an array of the result's shape followed by the argument's shape. For an argument
        that is a float it returns what ``f`` returns: the tangent of the result. Of several argnums it returns a tuple.
    """
    python_function = wrapped_function(f, "jacobian")
    positions = parameter_positions(argnums, python_function, "jacobian")
    columns = {position: forward_dispatcher(f, (position,)) for position in positions}
    return _columns(f, columns, "jacobian", "{}[1]", isinstance(argnums, int))


def hessian(f: Callable[..., Any], argnums: int = 0) -> Any:
    """Returns a compiled function that computes the Hessian matrix of ``f``, column by column by ``hvp``.

    Args:
        f: as for ``value_and_grad``.
        argnums: the number of the argument, an array of floats or a float.

    Returns:
        a function of the arguments of ``f`` that returns an array of twice the argument's shape; a float for a float.
    """
    python_function = wrapped_function(f, "hessian")
    (position,) = parameter_positions(argnums, python_function, "hessian")
    return _columns(f, {position: hvp(f, position)}, "hessian", "{}", True)
