"""``fg.adjoint``: custom adjoints of functions that should not be differentiated."""

from __future__ import annotations

import ctypes
import inspect
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numba
from numba import types

from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives.frontend.adjoint_calls import (
    FunctionRule,
    TypedRule,
    Types,
    compiled_text,
    place_of,
    signature_of_foreign,
    tuple_text,
)
from fastgrad._src.derivatives.frontend.lowering import lower
from fastgrad._src.derivatives.frontend.typed_functions import typed_function
from fastgrad._src.derivatives.functions.parameters import name_of, wrapped_function
from fastgrad._src.derivatives.ir.call_rules import CallRule
from fastgrad._src.derivatives.ir.operands import Constant, zero_text
from fastgrad._src.derivatives.output.text import term_text
from fastgrad._src.derivatives.transforms import pullback
from fastgrad._src.jit.numba_internals import CFunc, Dispatcher, NumbaError


def adjoint(f: Any, *, tangent: Callable[..., Any] | None = None, zero: bool = False) -> Any:
    """Returns a decorator that sets a custom adjoint of ``f``: derivatives of functions that call ``f`` use it from then on.

    Use it for functions that should not be differentiated: solvers (the implicit function theorem gives their adjoint), loops until
    convergence, C functions. The decorated function is the adjoint. Its parameters are the cotangent of each result, then each result, then
    each argument. It returns the cotangent of each argument, as a tuple if there are several: floats, and arrays of the arguments' shapes.
    None means that no derivative flows. Results and arguments that are not floats have the cotangent None. Numba compiles the adjoint.

    Forward mode and second derivatives differentiate the adjoint with respect to its cotangents. So the adjoint must be linear in them.

    Args:
        f: a Python function that Numba can compile, or a function from ``numba.njit``, ``numba.cfunc`` or ``ctypes``. It returns numbers,
            arrays, or a tuple of them. It must not write its arguments.
        tangent: a function for forward mode. Its parameters are the tangent of each argument, then each result, then each argument. It
            returns the tangent of each result, as a tuple if there are several. Default: forward mode uses the adjoint.
        zero: whether the derivative is 0. Then there is no adjoint to decorate, and the call returns ``f``.

    Returns:
        a decorator, which returns the adjoint unchanged; ``f`` if ``zero``.

    Raises:
        TypeError: ``f`` is not a function, or has ``*args``.
        ValueError: the adjoint or ``tangent`` has a wrong number of parameters, ``zero`` comes with ``tangent``, ``f`` has the option
            ``inline`` of ``numba.njit``, or a function of ``ctypes`` has no ``argtypes``.
        DifferentiationError: when a derivative is compiled: the adjoint does not return cotangents, or ``f`` writes its arguments.

    Example:
        >>> def clipped(x):
        ...     return min(x, 1.0)
        >>> @fg.adjoint(clipped)
        ... def clipped_adjoint(cotangent, result, x):
        ...     return cotangent
        >>> fg.grad(clipped)(5.0)
        1.0
    """
    signature = _signature_of(f)
    if getattr(f, "targetoptions", {}).get("inline", "never") != "never":
        raise ValueError(
            f"adjoint: {name_of(f)} has the option inline={f.targetoptions['inline']!r} of numba.njit, by which Numba puts its code in place of calls. Such calls "
            "would not have the adjoint: leave out the option."
        )
    if zero and tangent is not None:
        raise ValueError("adjoint: zero=True takes no tangent: the derivative is 0.")

    def declare(rule: Callable[..., Any] | None) -> Any:
        compiled = f if not isinstance(f, FunctionType) else numba.njit(f)
        own = OwnAdjoint(
            compiled,
            _dispatcher_of(f, signature, rule, False),
            _dispatcher_of(f, signature, tangent, True),
            is_constant=zero,
            signature=signature,
        )
        compiled.own_adjoint = f.own_adjoint = own
        return f if rule is None else rule

    return declare(None) if zero else declare


def _signature_of(f: Any) -> inspect.Signature:
    """Returns the parameters of a function that may have an adjoint."""
    if isinstance(f, ctypes._CFuncPtr) and f.argtypes is None:  # type: ignore[attr-defined]  # the base of all functions of ctypes
        raise ValueError(f"adjoint: {name_of(f)} has no argtypes: set its argtypes and restype first.")
    if isinstance(f, (CFunc, ctypes._CFuncPtr)):  # type: ignore[attr-defined]
        return signature_of_foreign(f)
    if not isinstance(f, (FunctionType, Dispatcher)):
        raise TypeError(f"adjoint: expected a function of numba.njit, numba.cfunc, ctypes or Python, got {f!r}.")
    return inspect.signature(wrapped_function(f, "adjoint"))


def _dispatcher_of(f: Any, signature: inspect.Signature, rule: Callable[..., Any] | None, is_tangent: bool) -> Any:
    """Returns the dispatcher of an adjoint or a tangent; raises if its parameters can't be right."""
    if rule is None:
        return None
    function = wrapped_function(rule, "adjoint")
    own, count = len(inspect.signature(function).parameters), len(signature.parameters)
    if own <= 2 * count if is_tangent else own < count + 2 or (own - count) % 2:
        form = (
            f"the tangents of its {count} arguments, its results and its {count} arguments"
            if is_tangent
            else f"the cotangents of its results, its results and its {count} arguments"
        )
        raise ValueError(
            f"adjoint of {name_of(f)}: {name_of(function)} has {own} parameters; they are {form}, one parameter each."
        )
    return rule if isinstance(rule, Dispatcher) else numba.njit(function)


class OwnAdjoint(FunctionRule):
    """The rule of a function that got its adjoint by ``fg.adjoint``."""

    def check(self, argument_types: Types) -> None:
        """Raises if the function writes its arguments: Numba can't compile it for arrays that are read-only, as it can for others."""
        function = getattr(self.function, "py_func", getattr(self.function, "__wrapped__", None))
        locked = tuple(map(read_only, argument_types))
        if function is None or locked == argument_types:
            return
        place = place_of(function)
        try:
            numba.njit(function).compile(locked)
            try:
                is_written = any(
                    root.position is not None and root.is_written for root in lower(function, argument_types).roots
                )
            except DifferentiationError:  # nothing that can be derived: what Numba says must do
                is_written = False
        except (NumbaError, AttributeError) as error:  # Numba's error for operators in place is an AttributeError
            numba.njit(function).compile(argument_types)  # raises if read-only arrays are not the reason
            is_written, location = True, getattr(error, "loc", None)
            if location is not None and location.filename == function.__code__.co_filename:
                place = f"{location.filename}:{location.line}"
        if is_written:
            raise DifferentiationError(
                f"{place}: {name_of(function)} writes its arguments, or needs arrays that may be written, but has an adjoint of its own: copy what "
                "it writes."
            )

    def check_adjoint(self, adjoint: Any, cotangents: Sequence[types.Type], known: Sequence[types.Type]) -> None:
        """Raises if the adjoint does not take a parameter for each cotangent, result and argument, or writes results or arguments."""
        count, parameters = len(cotangents) + len(known), len(inspect.signature(adjoint.py_func).parameters)
        if parameters != count:
            raise DifferentiationError(
                f"{place_of(adjoint)}: {name_of(adjoint)} has {parameters} parameters; {name_of(self.function)} has {len(cotangents)} results: "
                f"{count} are needed, the cotangent of each result, each result and each argument."
            )
        try:
            typed_function(adjoint.py_func, (*cotangents, *map(read_only, known)))
        except (NumbaError, AttributeError):
            typed_function(adjoint.py_func, (*cotangents, *known))  # raises if read-only arrays are not the reason
            raise DifferentiationError(
                f"{place_of(adjoint)}: {name_of(adjoint)} writes results or arguments of {name_of(self.function)}, which others read: copy them."
            ) from None

    def derived_tangent(self, rule: TypedRule) -> Any:
        """Returns the tangent that comes of the adjoint, which is linear in the cotangents g.

        Of one number it is the sum of the adjoint at g = 1 times the tangents. Else it is the derivative of the adjoint with respect to g along the
        tangents, by reverse mode.
        """
        if rule.adjoint is None:
            return None
        known = [*rule.results.names("y"), *rule.arguments.names("x")]
        tangents = [f"t_{number}" for number in rule.active]
        (result, *others) = rule.results.types
        if not others and isinstance(result, types.Float):
            terms = [
                f"np.sum(e[{place}] * {name})"
                if isinstance(rule.arguments.types[number], types.Array)
                else f"e[{place}] * {name}"
                for place, (number, name) in enumerate(zip(rule.active, tangents, strict=True))
            ]
            lines = [
                f"e = adjoint({', '.join([term_text(Constant(1.0, result).term), *known])})",
                f"return ({' + '.join(terms)},)",
            ]
            return compiled_text("tangent", [*tangents, *known], lines, {"adjoint": rule.adjoint})
        return _transpose(rule, tangents, known)


def read_only(type: types.Type) -> types.Type:
    """Returns the type of arrays that Numba does not let a function write; other types as they are."""
    if isinstance(type, types.BaseTuple) and not isinstance(type, types.BaseNamedTuple):
        return types.Tuple([read_only(item) for item in type])
    return type.copy(readonly=True) if isinstance(type, types.Array) else type


def _transpose(rule: TypedRule, tangents: list[str], known: list[str]) -> Any:
    """Returns the tangent of a function: the transposed derivative of its adjoint with respect to the cotangents.

    The tangent has an adjoint, too: that with respect to the tangents is the adjoint itself, that with respect to results and arguments the
    derivative of the adjoint with respect to them.
    """
    results, count = rule.results, len(rule.results.types)
    pull = pullback(rule.adjoint, tuple(results.active), len(tangents))
    zeros = [
        f"np.zeros_like(y_{number})" if isinstance(type, types.Array) else zero_text(type)
        for number, type in enumerate(results.types)
    ]
    places = {number: place for place, number in enumerate(results.active)}
    parts = [
        f"e[{places[number]}]" if number in places else zero_text(type) for number, type in enumerate(results.types)
    ]
    lines = [f"e = pull({', '.join([*zeros, *known, *tangents])})", f"return {tuple_text(parts)}"]
    scope = {"pull": pull}
    tangent = compiled_text("tangent", [*tangents, *known], lines, scope)
    value = compiled_text(
        "tangent", [*tangents, *known], [*lines[:1], f"return {parts[0] if count == 1 else tuple_text(parts)}"], scope
    )
    more = [number for number in range(count, 2 * count) if number - count in results.active]
    more += [2 * count + number for number in rule.active]
    second = pullback(rule.adjoint, tuple(more), len(tangents), has_result=True)
    g = results.names("g")
    adjoint = compiled_text(
        "adjoint",
        [*g, *[f"d_{name}" for name in g], *tangents, *known],
        [f"return second({', '.join([*g, *known, *tangents])})"],
        {"second": second},
    )
    active = tuple(range(len(tangents))) + tuple(len(tangents) - count + number for number in more)
    own = CallRule(value, adjoint, None, active, name=f"the tangent of {rule.name}")
    tangent.call_rule = lambda _: (own, types.Tuple(results.types))
    return tangent
