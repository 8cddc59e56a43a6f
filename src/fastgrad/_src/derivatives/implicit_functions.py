"""``fg.implicit_root`` and ``fg.fixed_point``: solutions of equations, differentiated by the implicit function theorem."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numba
import numpy as np
from numba import types

from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives.adjoints import OwnAdjoint, read_only
from fastgrad._src.derivatives.codegen.compilation import DerivedDispatcher
from fastgrad._src.derivatives.frontend.typed_functions import typed_function
from fastgrad._src.derivatives.functions.argument_types import is_differentiable
from fastgrad._src.derivatives.functions.numba_types import number_type
from fastgrad._src.derivatives.functions.parameters import (
    Types,
    make_stub,
    parameter_names,
    place,
    with_location_of,
    wrapped_function,
)
from fastgrad._src.derivatives.matrices import jacobian
from fastgrad._src.derivatives.transforms import forward_dispatcher, pullback
from fastgrad._src.jit.generated_source import generated_function, name_in_source
from fastgrad._src.jit.numba_internals import Dispatcher, NumbaError


def implicit_root(f: Callable[..., Any], solver: Callable[..., Any]) -> Any:
    """Returns a compiled function that solves ``f(x, *parameters) = 0`` for ``x``; its derivative is that of the root, not of the solver's steps.

    By the implicit function theorem the root changes by dx = -J⁻¹ df. J is the Jacobian matrix of ``f`` with respect to ``x``. ``df`` is the
    change of ``f`` when the parameters change. Forward mode computes J. Each derivative factorizes J (LU) once. A derivative is as accurate
    as the root is. The solver itself must check that it has converged.

    Args:
        f: a function that ``numba.njit`` compiled, or that Numba can compile. It takes the unknown ``x`` and at least one parameter. The
            unknown is a float or an array of floats. The result has as many elements as the unknown.
        solver: a function of the same kind. It takes a start value and the same parameters, returns the root, and does not write its arguments.

    Returns:
        a function of the arguments of ``solver`` that returns the root. Compiled functions may call it. It has first and second derivatives, in
        both modes, with respect to parameters that are floats, arrays of floats or tuples of them. The derivative with respect to the start
        value is 0.

    Raises:
        TypeError: ``f`` or ``solver`` is not a function, or has ``*args``.
        ValueError: ``f`` and ``solver`` have different numbers of parameters, or fewer than two.
        DifferentiationError: when a derivative is compiled: ``f`` has a construct that can't be differentiated, ``solver`` writes its arguments,
            or the root is neither a float nor an array of floats.
        numpy.linalg.LinAlgError: when a derivative runs: J is singular, so the root has no derivative.

    Example:
        >>> def residual(x, a):
        ...     return x * x - a
        >>> def newton(x, a):
        ...     for _ in range(20):
        ...         x = x - (x * x - a) / (2 * x)
        ...     return x
        >>> root = fg.implicit_root(residual, newton)
        >>> root(1.0, 4.0), fg.grad(root, argnums=1)(1.0, 4.0)
        (2.0, 0.25)
    """
    return _implicit_function(implicit_root, f, f, solver)


def fixed_point(f: Callable[..., Any], solver: Callable[..., Any]) -> Any:
    """Returns a compiled function that solves ``x = f(x, *parameters)`` for ``x``, with the derivative of the fixed point.

    The result equals ``implicit_root`` of ``f(x, *parameters) - x``. Arguments, results and errors are those of ``implicit_root``. ``f`` returns the shape of ``x``.

    Example:
        >>> def step(x, a):
        ...     return (x + a / x) / 2
        >>> def solve(x, a):
        ...     for _ in range(20):
        ...         x = (x + a / x) / 2
        ...     return x
        >>> root = fg.fixed_point(step, solve)
        >>> root(1.0, 4.0), fg.grad(root, argnums=1)(1.0, 4.0)
        (2.0, 0.25)
    """
    function = wrapped_function(f, "fixed_point")
    name, given = name_in_source(function.__name__), [f"p_{n}" for n in range(1, len(parameter_names(function)))]
    source = f"def {name}({', '.join(['x', *given])}):\n    return callee({', '.join(['x', *given])}) - x\n"
    residual = with_location_of(
        generated_function(name, source, "fixed_point", {"callee": _dispatcher_of(f)}), function
    )
    return _implicit_function(fixed_point, f, residual, solver)


def _dispatcher_of(f: Any) -> Any:
    return f if isinstance(f, Dispatcher) else numba.njit(f)


def _implicit_function(maker: Callable[..., Any], f: Any, residual: Any, solver: Any) -> Any:
    """Returns the function of the solver's arguments whose adjoint and tangent are those of a root of ``residual``, which comes of the user's ``f``."""
    owner, function = maker.__name__, wrapped_function(f, maker.__name__)
    solving = wrapped_function(solver, owner)
    names = parameter_names(solving)
    if len(names) != len(parameter_names(function)) or len(names) < 2:
        raise ValueError(
            f"{place(function)}: {owner}: {function.__name__} has {len(parameter_names(function))} parameters and {solving.__name__} has {len(names)}: "
            "both take the unknown, or its start, and the same parameters after it, at least one."
        )
    name, given = name_in_source(solving.__name__), [f"p_{number}" for number in range(1, len(names))]
    source = f"def {name}({', '.join(names)}):\n    return callee_({', '.join(names)})\n"
    root = with_location_of(generated_function(name, source, owner, {"callee_": _dispatcher_of(solver)}), solving)
    root.__defaults__, root.__doc__ = solving.__defaults__, solving.__doc__
    compiled = numba.njit(root)
    parameters, cotangents = ", ".join(given), ", ".join(["None", *[f"e[{n}]" for n in range(len(given))]])
    source = (
        f"def {name}_adjoint(g, x, start, {parameters}):\n    e = rule(g, x, {parameters})\n    return {cotangents}\n"
    )
    own_adjoint = generated_function(f"{name}_adjoint", source, owner, {"rule": _adjoint_of_root(residual)})
    tangents = ", ".join(f"t_{parameter}" for parameter in given)
    source = f"def {name}_tangent(t_start, {tangents}, x, start, {parameters}):\n    return rule(x, {parameters}, {tangents})\n"
    own_tangent = generated_function(f"{name}_tangent", source, owner, {"rule": _tangent_of_root(residual)})
    rule = _RootRule(
        compiled, numba.njit(own_adjoint), numba.njit(own_tangent), signature=inspect.signature(root), equation=residual
    )
    compiled.own_adjoint = vars(root)["own_adjoint"] = rule
    return compiled


class _RootRule(OwnAdjoint):
    """The rule of a function that returns a root of ``equation``."""

    def __init__(self, *rule: Any, equation: Any, **options: Any) -> None:
        super().__init__(*rule, **options)
        self._equation = equation

    def rule_for(self, argument_types: Types, result_type: types.Type) -> Any:
        """Returns the rule of calls with arguments of some types; raises if the root is no float and no array of floats."""
        if not isinstance(number_type(result_type), types.Float):
            function = self.function.py_func
            raise DifferentiationError(
                f"{place(function)}: {function.__name__} returns {result_type}: return the root, a float or an array of floats."
            )
        return super().rule_for(argument_types, result_type)

    def check_adjoint(self, adjoint: Any, cotangents: Sequence[types.Type], known: Sequence[types.Type]) -> None:
        """Raises if the equation writes the root or parameters: all that the adjoint calls with them."""
        root, _, *parameters = known
        try:
            typed_function(self._equation, (read_only(root), *map(read_only, parameters)))
        except (NumbaError, AttributeError):
            typed_function(self._equation, (root, *parameters))  # raises if read-only arrays are not the reason
            function = wrapped_function(self._equation, "implicit_root")
            raise DifferentiationError(
                f"{place(function)}: {function.__name__} writes the unknown or a parameter, which others read: copy what it writes."
            ) from None


def _adjoint_of_root(f: Any) -> DerivedDispatcher:
    """Returns the dispatcher of the root's cotangent, the root and the parameters that returns the cotangents of the parameters."""
    names = parameter_names(wrapped_function(f, "implicit_root"))

    def derive(argument_types: Types) -> FunctionType:
        _, unknown, *parameters = argument_types
        active = _active_positions(parameters)
        given = ", ".join(f"x_{number}" for number in range(len(names)))
        cotangents = [f"e[{active.index(n)}]" if n in active else "None" for n in range(1, len(names))]
        lines = [
            f"def adjoint(g, {given}):",
            f"    u = -solve_transposed(jacobian({given}), g)",
            *[f"    e = pull({given}, u)" for _ in active[:1]],
            f"    return ({', '.join(cotangents)},)",
        ]
        scope = {"jacobian": jacobian(f), "solve_transposed": _linear_solvers(unknown)[1]}
        if active:
            scope["pull"] = pullback(f, active, 1)
        return generated_function("adjoint", "\n".join([*lines, ""]), "implicit_root", scope)

    return DerivedDispatcher(_stub(f, len(names) + 1), (_adjoint_of_root, f), derive)


def _tangent_of_root(f: Any) -> DerivedDispatcher:
    """Returns the dispatcher of the root, the parameters and their tangents, None of those without derivatives, that returns the root's tangent."""
    names = parameter_names(wrapped_function(f, "implicit_root"))

    def derive(argument_types: Types) -> FunctionType:
        unknown, *parameters = argument_types[: len(names)]
        active = _active_positions(parameters)
        given = ", ".join(f"x_{number}" for number in range(len(names)))
        tangents = ", ".join(f"t_{number}" for number in range(1, len(names)))
        directions = "".join(f", t_{number}" for number in active)
        lines = [
            f"def tangent({given}, {tangents}):",
            f"    change = forward({given}{directions})[1]",
            f"    return -solve(jacobian({given}), change)",
        ]
        scope = {
            "jacobian": jacobian(f),
            "solve": _linear_solvers(unknown)[0],
            "forward": forward_dispatcher(f, active),
        }
        return generated_function("tangent", "\n".join([*lines, ""]), "implicit_root", scope)

    return DerivedDispatcher(_stub(f, 2 * len(names) - 1), (_tangent_of_root, f), derive)


def _stub(f: Any, count: int) -> FunctionType:
    """Returns a stub of ``count`` parameters with the name of ``f``."""
    name = f"root_of_{name_in_source(wrapped_function(f, 'implicit_root').__name__)}"
    return make_stub(name, [f"x_{number}" for number in range(count)])


def _active_positions(parameters: Sequence[types.Type]) -> tuple[int, ...]:
    """Returns the numbers of the arguments of the equation that have derivatives; the unknown has number 0."""
    return tuple(number for number, type in enumerate(parameters, 1) if is_differentiable(type))


def _linear_solvers(unknown: types.Type) -> tuple[Any, Any]:
    """Returns the functions that solve linear equations with the Jacobian matrix, and with its transpose."""
    return (_solve, _solve_transposed) if isinstance(unknown, types.Array) else (_quotient, _quotient)


@numba.njit
def _quotient(derivative, right):  # type: ignore[no-untyped-def]
    if derivative == 0.0:
        raise np.linalg.LinAlgError("The derivative of the function is 0 at its root: the root has no derivative.")
    return right / derivative


@numba.njit
def _solve(matrix, right):  # type: ignore[no-untyped-def]
    return np.linalg.solve(matrix.reshape(right.size, right.size), right.ravel()).reshape(right.shape)


@numba.njit
def _solve_transposed(matrix, right):  # type: ignore[no-untyped-def]
    return np.linalg.solve(matrix.reshape(right.size, right.size).T, right.ravel()).reshape(right.shape)
